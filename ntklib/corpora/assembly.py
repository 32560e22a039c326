"""From raw rows of text to a corpus: tokenise, number, name what was skipped. Every loader ends here."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import numpy as np

from ntklib.corpora.corpus import Corpus
from ntklib.corpora.provenance import Source
from ntklib.corpora.tokenization import tokenize
from ntklib.corpora.vocabulary import Vocabulary
from ntklib.documents import Documents

NO_LABELS = ("text",)


@dataclass
class RawRows:
    """Rows as a loader read them, column by column.

    Parameters
    ----------
    texts : list of str
        One text a row.
    rows : list of str
        Where each text stands, such as ``"train.csv line 7"``.
    labels : list, optional
        Class of each row: any strings or integers. None for text without labels.
    classes : sequence of str, optional
        Names of the classes 0 … C − 1 when the labels are such integers already.
    parts : list of str, optional
        Predefined part of each row.
    source : Source
        What was read, with the rows that the loader itself skipped.
    """

    texts: list[str]
    rows: list[str]
    labels: Sequence[Hashable] | None
    classes: Sequence[str] | None
    parts: list[str] | None
    source: Source


def assemble(
    raw: RawRows,
    *,
    name: str,
    tokenizer: Callable[[str], list[str]] | None,
    minimum_count: int,
    limit: int | None,
    seed: int,
    keep_texts: bool,
) -> Corpus:
    """Tokenise rows and number tokens and classes.

    Parameters
    ----------
    raw : RawRows
        What a loader read.
    name, tokenizer, minimum_count, limit, seed, keep_texts
        As in :func:`ntklib.corpora.load_corpus`.

    Returns
    -------
    Corpus
        One document for each row that has at least one token.

    Raises
    ------
    ValueError
        If no row has a token, or an argument is out of range.

    Examples
    --------
    >>> rows = ["line 1", "line 2", "line 3"]
    >>> raw = RawRows(["Good film", "  ", "bad film"], rows, ["pos", "neg", "neg"], None, None, Source())
    >>> options = {"tokenizer": None, "minimum_count": 1, "limit": None, "seed": 0, "keep_texts": False}
    >>> corpus = assemble(raw, name="x", **options)
    >>> corpus.tokens.ids, corpus.labels, corpus.classes, corpus.source.skipped
    (array([2, 0, 1, 0]), array([1, 0]), ('neg', 'pos'), (('line 2', 'the text has no token'),))
    """
    if limit is not None and limit < 1:
        raise ValueError(f"limit is {limit}, but must be 1 or more documents, or None for all of them.")
    documents = _tokenise(raw, tokenizer)
    kept = [i for i, document in enumerate(documents) if document]
    skipped = [
        (row, "the text has no token")
        for row, document in zip(raw.rows, documents, strict=True)
        if not document
    ]
    if not kept:
        raise ValueError(f"{name} has no document: none of its {len(documents)} rows holds a token.")
    labels, classes = _number_classes(raw, kept)
    steps: tuple[str, ...] = ()
    if limit is not None and limit < len(kept):
        steps = (f"{limit:,} of {len(kept):,} documents drawn with seed {seed}",)
        drawn = np.sort(np.random.default_rng(seed).choice(len(kept), limit, replace=False))
        kept, labels = [kept[i] for i in drawn], labels[drawn]
    chosen = [documents[i] for i in kept]
    vocabulary = Vocabulary.of(chosen, minimum_count)
    offsets = np.cumsum([0, *map(len, chosen)], dtype=np.int64)
    notes = (*raw.source.notes, f"tokenizer {_name_of(tokenizer)}, minimum_count {minimum_count}")
    return Corpus(
        tokens=Documents(vocabulary.encode(list(chain.from_iterable(chosen))), offsets),
        labels=labels,
        vocabulary=vocabulary,
        classes=classes,
        name=name,
        texts=tuple(raw.texts[i] for i in kept) if keep_texts else None,
        parts=None if raw.parts is None else np.array(raw.parts, dtype=np.str_)[kept],
        source=replace(raw.source, skipped=(*raw.source.skipped, *skipped), notes=notes),
        steps=steps,
    )


def _tokenise(raw: RawRows, tokenizer: Any) -> list[list[str]]:
    if tokenizer is None:
        return [tokenize(text) for text in raw.texts]
    if not callable(tokenizer):
        raise TypeError(f"tokenizer must be a function from str to list of str, not {tokenizer!r:.40}.")
    documents = [tokenizer(text) for text in raw.texts]
    for row, document in zip(raw.rows, documents, strict=True):
        if not isinstance(document, list) or not all(isinstance(token, str) for token in document):
            raise TypeError(
                f"tokenizer must return a list of strings, but returned {document!r:.60} for {row}."
            )
    return documents


def _name_of(tokenizer: Any) -> str:
    chosen = tokenize if tokenizer is None else tokenizer
    return getattr(chosen, "__qualname__", type(chosen).__qualname__)


def _number_classes(raw: RawRows, kept: list[int]) -> tuple[np.ndarray, tuple[str, ...]]:
    """Labels of the kept rows as 0 … C − 1: numbers in numerical order, other names by code point."""
    if raw.labels is None:
        return np.zeros(len(kept), dtype=np.int64), NO_LABELS
    if raw.classes is not None:
        return np.array([raw.labels[i] for i in kept], dtype=np.int64), tuple(raw.classes)
    labels = [str(raw.labels[i]) for i in kept]
    classes = sorted(set(labels))
    try:
        numbers = [float(name) for name in classes]
    except ValueError:
        numbers = []
    if numbers and not np.isnan(numbers).any():  # a NaN has no place in an order
        classes = [classes[i] for i in np.argsort(numbers, kind="stable")]
    number = {name: i for i, name in enumerate(classes)}
    return np.array([number[label] for label in labels], dtype=np.int64), tuple(classes)
