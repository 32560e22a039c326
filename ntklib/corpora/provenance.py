"""Where a corpus comes from, what was left out of it, and checksums of what went in and what came out."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Int

from ntklib.documents import Documents


def first_occurrences(documents: Documents) -> Int[np.ndarray, " documents"]:
    """Position of the first document that holds the same tokens in the same order.

    Parameters
    ----------
    documents : Documents
        N documents.

    Returns
    -------
    (N,) int64
        ``i`` itself where document ``i`` repeats no earlier one.

    Examples
    --------
    >>> first_occurrences(Documents.of([[1, 2], [2, 1], [1, 2]]))
    array([0, 1, 0])
    """
    first: dict[bytes, int] = {}
    positions = [first.setdefault(document.tobytes(), i) for i, document in enumerate(documents)]
    return np.array(positions, dtype=np.int64)


def content_checksum(
    documents: Documents,
    labels: Int[np.ndarray, " documents"],
    vocabulary: Sequence[str],
    classes: Sequence[str],
) -> str:
    """SHA-256 of token ids, labels and the strings that they stand for.

    Parameters
    ----------
    documents : Documents
        N documents.
    labels : (N,) int64
        Their classes.
    vocabulary, classes : sequence of str
        Names of the ids and of the classes.

    Returns
    -------
    str
        64 hexadecimal digits, the same on every machine.

    Examples
    --------
    >>> content_checksum(Documents.of([[0]]), np.array([0]), ["a"], ["x"])[:8]
    '1a92725c'
    """
    checksum = hashlib.sha256()
    # Little-endian everywhere, and each section after its length, so that no two contents look alike.
    for section in (
        *(array.astype("<i8").tobytes() for array in (documents.ids, documents.offsets, labels)),
        *("\0".join(strings).encode("utf-8", "surrogatepass") for strings in (vocabulary, classes)),
    ):
        checksum.update(len(section).to_bytes(8, "little"))
        checksum.update(section)
    return checksum.hexdigest()


@dataclass(frozen=True)
class Source:
    """What was read, before any selection of documents.

    Parameters
    ----------
    description : str
        What the texts are and where they were read.
    version, licence : str
        As the source states them; ``"not stated"`` when it doesn't.
    sha256 : str, optional
        Checksum of the bytes that were read; None for generated text.
    skipped : tuple of (row, reason) pairs
        Each row that could not become a document, by its file and line.
    notes : tuple of str
        How rows became documents: thresholds with their counts, tokenisation, duplicates.
    """

    description: str = "built in memory"
    version: str = "not stated"
    licence: str = "not stated"
    sha256: str | None = None
    skipped: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Provenance:
    """Source, licence, checksums and counts of a corpus; ``print`` shows it, :meth:`as_dict` is for JSON.

    Parameters
    ----------
    name : str
        Name of the corpus.
    source : Source
        What was read.
    content_sha256 : str
        Checksum of token ids, labels, vocabulary and classes: equal on every machine, whatever the path or
        the download was.
    documents, tokens, vocabulary, duplicates : int
        Numbers of documents, of tokens, of entries in the vocabulary, and of documents whose tokens all stand
        in the same order in an earlier document.
    classes : mapping of str to int
        Number of documents in each class, in the order of the labels.
    steps : tuple of str
        The selections that were made since the text was read, in order.

    Examples
    --------
    >>> from ntklib.corpora import load_corpus
    >>> print(load_corpus("planted:polarity", limit=4).provenance)  # doctest: +ELLIPSIS
    planted:polarity: 4 documents, 48 tokens, vocabulary 48 (negative 2, positive 2)
    source: sentences of made-up tokens, drawn with seed 0
    version: 4 documents of 12 tokens; licence: none needed
    ...
    """

    name: str
    source: Source
    content_sha256: str
    documents: int
    tokens: int
    vocabulary: int
    duplicates: int
    classes: Mapping[str, int]
    steps: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """All fields as values that JSON knows.

        Examples
        --------
        >>> from ntklib.corpora import load_corpus
        >>> load_corpus("planted:polarity", limit=4).provenance.as_dict()["classes"]
        {'negative': 2, 'positive': 2}
        """
        return asdict(self) | {"classes": dict(self.classes)}

    def __str__(self) -> str:
        classes = ", ".join(f"{name} {count:,}" for name, count in self.classes.items())
        source = self.source
        skipped = [f"  {row}: {reason}" for row, reason in source.skipped]
        lines = [
            f"{self.name}: {self.documents:,} documents, {self.tokens:,} tokens, "
            f"vocabulary {self.vocabulary:,} ({classes})",
            f"source: {source.description}",
            f"version: {source.version}; licence: {source.licence}",
            f"sha256 of the source: {source.sha256 or 'none, the text is generated'}",
            f"sha256 of the content: {self.content_sha256}",
            *(f"note: {note}" for note in source.notes),
            *([f"note: {self.duplicates:,} documents repeat an earlier one"] if self.duplicates else []),
            *(f"step: {step}" for step in self.steps),
            f"skipped rows: {len(skipped):,}",
            *skipped[:10],
            *(
                [f"  … and {len(skipped) - 10:,} more in provenance.source.skipped"]
                if len(skipped) > 10
                else []
            ),
        ]
        return "\n".join(lines)
