"""Corpus: labelled documents with their vocabulary, their splits and their provenance."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from jaxtyping import Int, Shaped

from ntklib.corpora.provenance import Provenance, Source, content_checksum, first_occurrences
from ntklib.corpora.vocabulary import Vocabulary
from ntklib.documents import Documents


def _generator(seed: int) -> np.random.Generator:
    if seed < 0:
        raise ValueError(f"seed is {seed}, but must be 0 or larger.")
    return np.random.default_rng(seed)


@dataclass(frozen=True, eq=False)
class Corpus:
    """Documents, one label each, and what is known about them.

    Parameters
    ----------
    tokens : Documents
        The token ids of N documents.
    labels : (N,) int64
        Class of each document, 0 to C − 1. With two classes, 1 is the positive one.
    vocabulary : Vocabulary
        The string of each of the V token ids.
    classes : sequence of C strings
        Names of the classes. A single class means that the corpus is running text without labels.
    name : str
        Name for titles and messages.
    texts : tuple of N strings, optional
        The original texts; None unless asked for.
    parts : (N,) strings, optional
        The predefined part of each document: ``"train"``, ``"validation"`` or ``"test"``.
    groups : (N,) int64, optional
        Documents of equal number stay on one side of every split. By default those that hold the same tokens
        in the same order.
    truth : mapping of str to int, optional
        For planted corpora: polarity (−1, 0 or 1) of each planted token or n-gram (tokens joined by spaces).
    source : Source
        What was read.
    steps : tuple of str
        Selections made since.

    Raises
    ------
    ValueError
        If there is not one label for each document, a label has no class, or a token id has no string.

    Examples
    --------
    >>> corpus = Corpus.of([[0, 1], [0, 2], [1]], [1, 0, 1], ["film", "good", "bad"], ["no", "yes"])
    >>> corpus
    Corpus('unnamed': 3 documents, 5 tokens, vocabulary 3, 2 classes)
    >>> corpus[corpus.labels == 1].tokens.ids
    array([0, 1, 1])
    """

    tokens: Documents
    labels: Int[np.ndarray, " documents"]
    vocabulary: Vocabulary
    classes: Sequence[str]
    name: str = "unnamed"
    texts: tuple[str, ...] | None = None
    parts: Shaped[np.ndarray, " _"] | None = None
    groups: Int[np.ndarray, " _"] | None = None
    truth: Mapping[str, int] | None = None
    source: Source = field(default_factory=Source)
    steps: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "classes", tuple(self.classes))
        Documents.of(self.tokens, name="tokens", vocabulary_size=len(self.vocabulary))
        for name in ("labels", "texts", "parts", "groups"):
            if getattr(self, name) is not None:
                self._check_length(name, getattr(self, name))
        wrong = np.flatnonzero((self.labels < 0) | (self.labels >= len(self.classes)))
        if len(wrong):
            raise ValueError(
                f"labels[{wrong[0]}] is {self.labels[wrong[0]]}, but there are {len(self.classes)} classes: "
                f"labels must be 0 to {len(self.classes) - 1}."
            )

    @classmethod
    def of(
        cls,
        docs: Any,
        labels: Any,
        vocabulary: Any,
        classes: Any,
        *,
        name: str = "unnamed",
        parts: Any = None,
        groups: Any = None,
    ) -> "Corpus":
        """Make a corpus of plain sequences.

        Parameters
        ----------
        docs : sequence of N non-empty integer sequences
            Token ids, 0 to V − 1.
        labels : sequence of N integers
            Class of each document, 0 to C − 1.
        vocabulary : Vocabulary or sequence of V strings
            The string of each token id.
        classes : sequence of C strings
            Names of the classes.
        name, parts, groups
            As in :class:`Corpus`.

        Returns
        -------
        Corpus
            Of N documents.

        Raises
        ------
        TypeError
            If the labels are not integers.
        ValueError
            As :class:`Corpus` and :meth:`Documents.of` do.

        Examples
        --------
        >>> Corpus.of([[0], [1]], [0, 2], ["bad", "good"], ["negative", "positive"])
        Traceback (most recent call last):
            ...
        ValueError: labels[1] is 2, but there are 2 classes: labels must be 0 to 1.
        """
        numbers = np.asarray(labels)
        if numbers.dtype.kind not in "iub" or numbers.ndim != 1:
            raise TypeError(
                f"labels must be a sequence of integers 0 to {len(classes) - 1}, "
                f"not {numbers.dtype} values of shape {numbers.shape} ({labels!r:.40})."
            )
        return cls(
            tokens=Documents.of(docs),
            labels=numbers.astype(np.int64),
            vocabulary=vocabulary if isinstance(vocabulary, Vocabulary) else Vocabulary(vocabulary),
            classes=classes,
            name=name,
            parts=None if parts is None else np.asarray(parts, dtype=np.str_),
            groups=None if groups is None else np.asarray(groups, dtype=np.int64),
        )

    def _check_length(self, name: str, values: Any) -> None:
        if np.ndim(values) != 1 or len(values) != len(self):
            raise ValueError(
                f"{name} has shape {np.shape(values)}, but must hold one entry for each of the "
                f"{len(self)} documents."
            )

    def __len__(self) -> int:
        return len(self.tokens)

    def __repr__(self) -> str:
        return (
            f"Corpus({self.name!r}: {len(self):,} documents, {len(self.tokens.ids):,} tokens, "
            f"vocabulary {len(self.vocabulary):,}, {len(self.classes)} classes)"
        )

    def __getitem__(self, index: Any) -> "Corpus":
        """Select documents by a slice, a boolean mask or an array of positions; ids keep their meaning."""
        if isinstance(index, int | np.integer):
            raise TypeError(
                f"corpus[{index}] is one document: use corpus.tokens[{index}], or corpus[[{index}]]."
            )
        try:
            rows = np.arange(len(self))[index]
        except IndexError as error:
            raise ValueError(
                f"corpus[…] can't select this ({error}): give a slice, a boolean mask or positions of its "
                f"{len(self)} documents."
            ) from error
        return self._select(rows, f"{len(rows):,} of {len(self):,} documents selected")

    def _select(self, index: Any, step: str) -> "Corpus":
        rows = np.arange(len(self))[index]
        if len(rows) == 0:
            raise ValueError(f"the selection from {self.name!r} is empty: select at least one document.")
        return replace(
            self,
            tokens=self.tokens[rows],
            labels=self.labels[rows],
            texts=None if self.texts is None else tuple(self.texts[i] for i in rows),
            parts=None if self.parts is None else self.parts[rows],
            groups=None if self.groups is None else self.groups[rows],
            steps=(*self.steps, step),
        )

    def part(self, name: str) -> "Corpus":
        """Documents of one predefined part.

        Parameters
        ----------
        name : str
            ``"train"``, ``"validation"`` or ``"test"``.

        Returns
        -------
        Corpus
            Its documents, in order.

        Raises
        ------
        ValueError
            If the corpus has no such part.

        Examples
        --------
        >>> corpus = Corpus.of([[0], [1]], [0, 1], ["a", "b"], ["x", "y"], parts=["train", "test"])
        >>> corpus.part("test").tokens.ids
        array([1])
        """
        present = [] if self.parts is None else np.unique(self.parts).tolist()
        if name not in present:
            has = (
                f"its parts are {', '.join(present)}"
                if present
                else "it has no predefined parts: use split()"
            )
            raise ValueError(f"corpus {self.name!r} has no part {name!r}; {has}.")
        return self._select(self.parts == name, f"part {name!r}")

    def split(self, fraction: float | None = None, seed: int = 0) -> tuple["Corpus", "Corpus"]:
        """Split into a train and a test corpus that share the vocabulary.

        Without ``fraction``, the predefined parts are used when there are two: ``train``, and ``test`` or,
        failing that, ``validation``. Otherwise whole groups of equal documents are drawn at random, so that
        no sentence is on both sides, until the first side holds the fraction nearest to the one asked for.
        Documents keep their order.

        Parameters
        ----------
        fraction : float, optional
            Share of the documents on the first side, between 0 and 1; 0.8 when there are no predefined parts.
        seed : int
            Seed of the draw.

        Returns
        -------
        (Corpus, Corpus)
            Train and test side.

        Raises
        ------
        ValueError
            If the fraction is not between 0 and 1, or a side would be empty.

        Examples
        --------
        >>> corpus = Corpus.of([[0], [1], [0], [2]], [0, 1, 0, 1], ["a", "b", "c"], ["x", "y"])
        >>> [side.tokens.ids.tolist() for side in corpus.split(0.5, seed=1)]
        [[0, 0], [1, 2]]
        """
        present = set() if self.parts is None else set(np.unique(self.parts).tolist())
        held_out = next((name for name in ("test", "validation") if name in present), None)
        if fraction is None and "train" in present and held_out:
            return self.part("train"), self.part(held_out)
        fraction = 0.8 if fraction is None else fraction
        if not 0 < fraction < 1:
            raise ValueError(f"fraction is {fraction}, but must lie between 0 and 1, such as 0.8.")
        _, group_of, sizes = np.unique(
            first_occurrences(self.tokens) if self.groups is None else self.groups,
            return_inverse=True,
            return_counts=True,
        )
        if len(sizes) < 2:
            raise ValueError(
                f"corpus {self.name!r} can't be split: its {len(self)} documents belong together "
                "(they are equal, or of one group). Give a corpus with more documents."
            )
        order = _generator(seed).permutation(len(sizes))
        filled = np.cumsum(sizes[order])
        taken = int(np.argmin(np.abs(filled[:-1] - fraction * len(self)))) + 1
        first = np.isin(group_of, order[:taken])
        step = f"split({fraction:g}, seed={seed})"
        return self._select(first, f"{step}, first side"), self._select(~first, f"{step}, second side")

    def halves(self, seed: int = 0) -> tuple["Corpus", "Corpus"]:
        """Two random halves: select tokens on one, measure them on the other.

        Parameters
        ----------
        seed : int
            Seed of the draw.

        Returns
        -------
        (Corpus, Corpus)
            As from ``split(0.5, seed)``, predefined parts or not.

        Examples
        --------
        >>> first, second = Corpus.of([[0], [1], [2], [3]], [0, 1, 0, 1], list("abcd"), ["x", "y"]).halves()
        >>> len(first), len(second)
        (2, 2)
        """
        return self.split(0.5, seed)

    def shuffled_labels(self, seed: int) -> "Corpus":
        """Permute the labels at random: the null model.

        Parameters
        ----------
        seed : int
            Seed of the permutation.

        Returns
        -------
        Corpus
            Equal token counts and class counts, no relation between them; ``truth`` is dropped with it.

        Examples
        --------
        >>> corpus = Corpus.of([[0], [1], [2], [3]], [0, 0, 0, 1], list("abcd"), ["x", "y"])
        >>> corpus.shuffled_labels(seed=2).labels
        array([1, 0, 0, 0])
        """
        labels = _generator(seed).permutation(self.labels)
        return replace(
            self, labels=labels, truth=None, steps=(*self.steps, f"labels shuffled with seed {seed}")
        )

    @property
    def provenance(self) -> Provenance:
        """Source, licence, checksums and counts, worked out from the documents as they are now."""
        counts = np.bincount(self.labels, minlength=len(self.classes)).tolist()
        return Provenance(
            name=self.name,
            source=self.source,
            content_sha256=content_checksum(self.tokens, self.labels, self.vocabulary.tokens, self.classes),
            documents=len(self),
            tokens=len(self.tokens.ids),
            vocabulary=len(self.vocabulary),
            duplicates=int(np.sum(first_occurrences(self.tokens) != np.arange(len(self)))),
            classes=dict(zip(self.classes, counts, strict=True)),
            steps=self.steps,
        )
