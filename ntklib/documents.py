"""Documents: a ragged array of token ids, the one form in which text reaches every kernel and network."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, overload

import numpy as np
from jaxtyping import Int
from scipy import sparse

LARGEST_ID = 2**32 - 1
"""Of a token, so that the code of an n-gram's beginning and one more token is an int64."""


@dataclass(frozen=True, eq=False)
class Documents(Sequence[np.ndarray]):
    """Documents of different lengths, stored end to end.

    Document ``i`` is ``ids[offsets[i]:offsets[i + 1]]``, as in ``torch.nn.EmbeddingBag``: no padding, so no
    padding can leak into a model.

    Parameters
    ----------
    ids : (T,) int64
        The token ids of all documents, one after the other.
    offsets : (N + 1,) int64
        Where each document starts; the last entry is ``T``.

    Examples
    --------
    >>> documents = Documents.of([[3, 1, 3], [2]])
    >>> documents.ids, documents.offsets
    (array([3, 1, 3, 2]), array([0, 3, 4]))
    >>> documents[0]
    array([3, 1, 3])
    """

    ids: Int[np.ndarray, " tokens"]
    offsets: Int[np.ndarray, " documents_plus_one"]

    def __post_init__(self) -> None:
        if not len(self.offsets) or self.offsets[0] != 0 or self.offsets[-1] != len(self.ids):
            raise ValueError(
                f"offsets must begin with 0 and end with the {len(self.ids)} ids, not {self.offsets!r:.60}."
            )
        lengths = np.diff(np.asarray(self.offsets, dtype=np.int64))  # unsigned differences would wrap
        if lengths.min(initial=1) < 1:
            row = int(np.argmax(lengths < 1))
            raise ValueError(f"offsets[{row + 1}] is not above offsets[{row}]: document {row} is empty.")

    @classmethod
    def of(cls, docs: Any, *, name: str = "docs", vocabulary_size: int | None = None) -> "Documents":
        """Check ``docs`` and return it as :class:`Documents`.

        Parameters
        ----------
        docs : Documents, Corpus or sequence of N non-empty integer sequences
            Token ids, 0 or larger.
        name : str
            What the error messages call the argument.
        vocabulary_size : int, optional
            When given, every id must be smaller.

        Raises
        ------
        TypeError
            If ``docs`` is not a sequence of integer sequences.
        ValueError
            If there is no document, a document is empty, or an id is negative or not in the vocabulary.

        Examples
        --------
        >>> Documents.of([[1, 2], []])
        Traceback (most recent call last):
            ...
        ValueError: docs[1] is empty: a document needs at least one token. Drop it or give it an <unk> id.
        """
        tokens = getattr(docs, "tokens", docs)
        documents = tokens if isinstance(tokens, cls) else cls._from_sequences(tokens, name)
        if len(documents) == 0:
            raise ValueError(f"{name} is empty: give at least one document, such as [[3, 1]].")
        if vocabulary_size is not None and len(documents.ids) and documents.ids.max() >= vocabulary_size:
            position = int(np.argmax(documents.ids >= vocabulary_size))
            raise ValueError(
                f"{name}[{documents.rows[position]}] holds token id {documents.ids[position]}, "
                f"but the vocabulary has {vocabulary_size} tokens: ids must be 0 to {vocabulary_size - 1}."
            )
        return documents

    @classmethod
    def _from_sequences(cls, docs: Any, name: str) -> "Documents":
        flat = isinstance(docs, str | bytes) or (isinstance(docs, np.ndarray) and docs.ndim == 0)
        if flat or not isinstance(docs, Sequence | np.ndarray):
            raise TypeError(
                f"{name} must be a sequence of integer sequences such as [[3, 1], [2]], "
                f"not {type(docs).__name__}; ntklib.load_corpus turns text into token ids."
            )
        if isinstance(docs, list | tuple) and (plain := _plain_ids(docs)) is not None:
            return cls(plain, np.cumsum([0, *map(len, docs)], dtype=np.int64))
        lengths = np.zeros(len(docs), dtype=np.int64)
        arrays: list[np.ndarray] = []
        for i, document in enumerate(docs):
            if isinstance(document, str | bytes) or _dimensions(document) != 1:
                raise TypeError(
                    f"{name}[{i}] must be a sequence of integer token ids, not {type(document).__name__} "
                    f"({document!r:.40}); ntklib.load_corpus turns text into token ids."
                )
            array = np.asarray(document)
            if len(array) == 0:
                raise ValueError(
                    f"{name}[{i}] is empty: a document needs at least one token. "
                    "Drop it or give it an <unk> id."
                )
            if array.dtype.kind not in "iu":
                raise TypeError(
                    f"{name}[{i}] must hold integer token ids, not {array.dtype} ({document!r:.40})."
                )
            if array.min() < 0:
                raise ValueError(f"{name}[{i}] holds token id {array.min()}: ids must be 0 or larger.")
            if array.max() > LARGEST_ID:
                raise ValueError(
                    f"{name}[{i}] holds token id {array.max()}: ids must be at most {LARGEST_ID:,}. "
                    "Number the tokens that occur from 0."
                )
            lengths[i] = len(array)
            arrays.append(array.astype(np.int64))
        ids = np.concatenate(arrays) if arrays else np.zeros(0, dtype=np.int64)
        return cls(ids, np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64))

    @classmethod
    def joined(cls, parts: "Sequence[Documents]") -> "Documents":
        """All documents of several, one after the other.

        Examples
        --------
        >>> Documents.joined([Documents.of([[1, 2]]), Documents.of([[3], [4]])]).lengths.tolist()
        [2, 1, 1]
        """
        ends = np.cumsum([0, *(len(part.ids) for part in parts)])
        offsets = [part.offsets[:-1] + end for part, end in zip(parts, ends[:-1], strict=True)]
        return cls(np.concatenate([part.ids for part in parts]), np.concatenate([*offsets, ends[-1:]]))

    @property
    def lengths(self) -> Int[np.ndarray, " documents"]:
        """Number of tokens in each document, ``|x|``."""
        return np.diff(self.offsets)

    @property
    def rows(self) -> Int[np.ndarray, " tokens"]:
        """The document that each token stands in."""
        return np.repeat(np.arange(len(self)), self.lengths)

    def counts(self, vocabulary_size: int) -> sparse.csr_array:
        """Token counts ``n_u(x)``: a sparse (N, V) float64 matrix.

        Examples
        --------
        >>> Documents.of([[3, 1, 3], [2]]).counts(4).toarray()
        array([[0., 1., 0., 2.],
               [0., 0., 1., 0.]])
        """
        type(self).of(self, vocabulary_size=vocabulary_size)
        counts = sparse.csr_array(
            (np.ones(len(self.ids)), self.ids, self.offsets), shape=(len(self), vocabulary_size), copy=True
        )
        counts.sum_duplicates()  # in place: hence the copy
        return counts

    def blocks(self, tokens: int) -> Iterator["Documents"]:
        """Neighbouring documents together, about ``tokens`` tokens at a time and at least one document.

        Examples
        --------
        >>> [block.lengths.tolist() for block in Documents.of([[1, 2], [3], [4], [5, 6, 7, 8]]).blocks(3)]
        [[2, 1], [1], [4]]
        """
        start = 0
        while start < len(self):
            stop = int(np.searchsorted(self.offsets, self.offsets[start] + tokens, side="right")) - 1
            stop = min(max(stop, start + 1), len(self))
            yield self[start:stop]
            start = stop

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @overload
    def __getitem__(self, index: int | np.integer) -> np.ndarray: ...
    @overload
    def __getitem__(self, index: slice | np.ndarray | list) -> "Documents": ...
    def __getitem__(self, index: Any) -> "np.ndarray | Documents":
        """One document as an array, or a selection of documents as :class:`Documents`."""
        if isinstance(index, int | np.integer):
            row = range(len(self))[index]
            return self.ids[self.offsets[row] : self.offsets[row + 1]]
        if isinstance(index, slice) and range(len(self))[index].step == 1 and len(range(len(self))[index]):
            # Neighbours share the ids' memory, which may be a file's.
            rows = range(len(self))[index]
            ends = self.offsets[rows.start : rows.stop + 1]
            return Documents(self.ids[ends[0] : ends[-1]], np.asarray(ends - ends[0], dtype=np.int64))
        starts = self.offsets[:-1][index]
        lengths = self.offsets[1:][index] - starts
        offsets = np.zeros(len(lengths) + 1, dtype=np.int64)
        np.cumsum(lengths, out=offsets[1:])
        positions = np.arange(offsets[-1]) + np.repeat(starts - offsets[:-1], lengths)
        return Documents(self.ids[positions], offsets)

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        return f"Documents({len(self)} documents, {len(self.ids)} tokens)"


def _plain_ids(docs: list | tuple) -> Int[np.ndarray, " tokens"] | None:
    """All ids of non-empty lists of Python integers; None for what has to be looked at closely."""
    if not all(isinstance(document, list | tuple) and document for document in docs):
        return None
    flat = list(chain.from_iterable(docs))
    if set(map(type, flat)) != {int} or min(flat) < 0 or max(flat) > LARGEST_ID:
        return None
    return np.array(flat, dtype=np.int64)


def _dimensions(document: Any) -> int:
    try:
        return np.ndim(document)
    except ValueError:  # a token id beside a sequence
        return -1
