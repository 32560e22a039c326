"""Documents: a ragged array of token ids, the one form in which text reaches every kernel and network."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
from jaxtyping import Int
from scipy import sparse


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
        if vocabulary_size is not None and len(documents.ids) and documents.ids.max() >= vocabulary_size:
            position = int(np.argmax(documents.ids >= vocabulary_size))
            raise ValueError(
                f"{name}[{documents.rows[position]}] holds token id {documents.ids[position]}, "
                f"but the vocabulary has {vocabulary_size} tokens: ids must be 0 to {vocabulary_size - 1}."
            )
        return documents

    @classmethod
    def _from_sequences(cls, docs: Any, name: str) -> "Documents":
        if isinstance(docs, str | bytes) or not isinstance(docs, Sequence | np.ndarray):
            raise TypeError(
                f"{name} must be a sequence of integer sequences such as [[3, 1], [2]], "
                f"not {type(docs).__name__}; ntklib.load_corpus turns text into token ids."
            )
        if len(docs) == 0:
            raise ValueError(f"{name} is empty: give at least one document, such as [[3, 1]].")
        lengths = np.zeros(len(docs), dtype=np.int64)
        arrays: list[np.ndarray] = []
        for i, document in enumerate(docs):
            if isinstance(document, str | bytes) or np.ndim(document) != 1:
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
            lengths[i] = len(array)
            arrays.append(array.astype(np.int64))
        return cls(np.concatenate(arrays), np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64))

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
