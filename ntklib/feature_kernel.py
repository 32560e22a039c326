"""The kernel of documents as an operator on their sparse features, in the memory of this process."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Float, Int
from scipy import sparse

from ntklib.kernel_operator import Curvature, KernelOperator, times_rows
from ntklib.logistic_flow import probability_change
from ntklib.memory import INSTEAD_OF_FEATURES, require_memory
from ntklib.spectrum import FeatureColumns, FeatureMap
from ntklib.spectrum.columns import smallest_index

_BLOCK = 2**20  # entries that are looked at together
ONE_BLOCK = 2**21
"""Up to so many features, products take all of them at once."""
FREQUENT = 2**18
"""Of more, so many come first: a processor's cache holds their values."""
RARE = 2**20  # and so many at a time of the rest, whose values are read once
TILE = 2**17
"""Documents whose numbers a processor's cache holds."""


@dataclass(frozen=True, eq=False)
class _Tile:
    """Part of ``Φ`` of some documents and a block's features, by rows, and its transpose, by rows, too."""

    documents: slice
    rows: sparse.sparray
    columns: sparse.csr_array


@dataclass(frozen=True, eq=False)
class _FeatureBlock:
    """Features next to each other in the kernel's order, with all documents that hold one."""

    features: slice
    tiles: list[_Tile]

    def pulls(self, dual: np.ndarray) -> np.ndarray:
        """``Φᵀ a`` of these features."""
        first, *others = (tile.columns @ dual[tile.documents] for tile in self.tiles)
        return sum(others, first)

    def add_scores(self, values: np.ndarray, total: np.ndarray) -> None:
        """Add ``Φ v`` of these features to what the documents have."""
        for tile in self.tiles:
            total[tile.documents] += tile.rows @ values


class FeatureKernel(KernelOperator):
    """The kernel of the training documents as an operator, ``Θ a = Φ (λ ∘ Φᵀ a)``: linear in the tokens.

    Parameters
    ----------
    features : FeatureMap
        Of the training documents.

    Raises
    ------
    MemoryError
        If the ordered copy and its transpose cannot fit into memory.

    Notes
    -----
    Inside, the features are numbered by falling frequency, and equally frequent ones as they first occur: the
    values of the frequent ones then share cache lines, and those of the rest, most n-grams, are used one
    after the other. A product reads entries in tiles whose documents and features stay in a processor's
    cache. Up to 131,072 documents and 2,097,152 features that is one tile, whose sums are taken in the order
    of the feature map, as if no feature had a new number.
    """

    def __init__(self, features: FeatureMap) -> None:
        require_memory(
            predicted_bytes(features),
            f"A kernel of {features.matrix.nnz:,} entries of {len(features.columns):,} features",
            INSTEAD_OF_FEATURES,
        )
        self._features = features
        self.columns = features.columns
        self.pattern_weights = features.pattern_weights
        self.weights = features.weights
        self.matrix = features.matrix
        self.entries = int(features.matrix.nnz)
        self._order = _by_frequency(features.matrix)
        self.ordered_weights = self.weights[self._order]
        self._blocks = _feature_blocks(features.matrix, self._order)

    @property
    def features(self) -> FeatureMap:
        """As given."""
        return self._features

    def __len__(self) -> int:
        return self.matrix.shape[0]

    def __call__(self, dual: np.ndarray) -> np.ndarray:
        """``Θ a``."""
        total = np.zeros(dual.shape)
        for block in self._blocks:
            block.add_scores(self._block_scores(block, dual), total)
        return total

    def pulls(self, dual: np.ndarray) -> np.ndarray:
        """``Φᵀ a``, frequent features first."""
        found = np.empty((len(self._order), *dual.shape[1:]))
        for block in self._blocks:
            found[block.features] = block.pulls(dual)
        return found

    def scores(self, ordered: np.ndarray) -> np.ndarray:
        """``Φ v`` of values of the features, frequent ones first."""
        total = np.zeros((len(self), *ordered.shape[1:]))
        for block in self._blocks:
            block.add_scores(ordered[block.features], total)
        return total

    def curvature(self, chances: np.ndarray) -> Curvature:
        """``Φᵀ W Φ``, ``W`` the derivative of the probabilities ``p`` of the documents."""
        return _FeatureCurvature(self, chances)

    def feature_scores(self, dual: np.ndarray) -> np.ndarray:
        """``λ ∘ Φᵀ a``: what each feature adds to the score of a document that holds it once."""
        scores = np.empty((len(self._order), *dual.shape[1:]))
        for block in self._blocks:
            scores[self._order[block.features]] = self._block_scores(block, dual)
        return scores

    def _block_scores(self, block: _FeatureBlock, dual: np.ndarray) -> np.ndarray:
        """``λ ∘ Φᵀ a`` of the features of a block."""
        return times_rows(self.ordered_weights[block.features], block.pulls(dual))

    def pulls_of_squares(self, values: np.ndarray) -> np.ndarray:
        """``Σ_i Φ_iu² v_i``, frequent features first."""
        found = np.zeros((len(self._order), *values.shape[1:]))
        for block in self._blocks:
            for tile in block.tiles:
                squares = _product_with_squares(tile.columns, values[tile.documents])
                found[block.features] += squares
        return found

    def overlaps(self, probe: sparse.csr_array) -> Float[np.ndarray, "documents patterns"]:
        """``Φ_S(x)·Φ_S(x_i)`` of one document ``x`` with each training document, by pattern."""
        return (self.matrix @ by_pattern(probe, self.columns)).toarray()


class _FeatureCurvature(Curvature):
    def __init__(self, kernel: FeatureKernel, chances: np.ndarray) -> None:
        self._kernel, self._chances = kernel, chances

    def __call__(self, ordered: np.ndarray) -> np.ndarray:
        scores = self._kernel.scores(ordered)
        return self._kernel.pulls(probability_change(self._chances, scores))

    def diagonal(self) -> np.ndarray:
        return self._kernel.pulls_of_squares(self._chances * (1 - self._chances))


def _by_frequency(matrix: sparse.csr_array) -> Int[np.ndarray, " features"]:
    """Order the columns by falling frequency, and equally frequent ones as they first occur."""
    size = matrix.shape[1]
    counts = np.zeros(size, dtype=np.int64)
    step = max(_BLOCK, size)  # NumPy copies what it counts, to 8 bytes each
    for start in range(0, matrix.nnz, step):
        counts += np.bincount(matrix.indices[start : start + step], minlength=size)
    frequency = np.minimum(counts, 2**16 - 1).astype(np.uint16)
    del counts
    first = np.zeros(size, dtype=smallest_index(matrix.nnz))
    for start in range((matrix.nnz - 1) // _BLOCK * _BLOCK, -1, -_BLOCK):
        places = np.arange(min(start + _BLOCK, matrix.nnz) - 1, start - 1, -1)
        first[matrix.indices[places]] = places  # where a column stands twice the last, smallest place stays
    occurs = np.zeros(matrix.nnz, dtype=bool)
    occurs[first[frequency > 0]] = True
    del first
    columns = matrix.indices[occurs]
    del occurs
    held = frequency[columns]
    several = columns[held > 1]
    # A radix sort, linear; most n-grams occur once, and are in order already.
    several = several[np.argsort(2**16 - 1 - held[held > 1], kind="stable")]
    never = np.flatnonzero(frequency == 0).astype(columns.dtype)
    return np.concatenate([several, columns[held == 1], never])


def _feature_blocks(matrix: sparse.csr_array, order: Int[np.ndarray, " features"]) -> list[_FeatureBlock]:
    """Cut the columns, taken in this order, into blocks, and these into tiles."""
    documents, size = matrix.shape
    rank = np.empty(size, matrix.indices.dtype)
    for start in range(0, size, _BLOCK):  # here as below: NumPy makes 8 bytes of each number it looks up by
        some = order[start : start + _BLOCK]
        rank[some] = np.arange(start, start + len(some))
    tiles, rare = [], []
    for start in range(0, documents, TILE):
        stop = min(start + TILE, documents)
        rows = _renumbered(matrix, start, stop, rank)
        if size > ONE_BLOCK:
            rare.append(rows[:, FREQUENT:])
            rows = rows[:, :FREQUENT]
        tiles.append(_Tile(slice(start, stop), rows, rows.T.tocsr()))
    del rank
    frequent = _FeatureBlock(slice(0, rows.shape[1]), tiles)
    if not rare:
        return [frequent]
    together = sparse.vstack(rare, format="csr")
    rare.clear()  # or all entries would be held three times
    return [frequent, *_rare_blocks(together.T.tocsr(), FREQUENT)]


def _renumbered(
    matrix: sparse.csr_array, start: int, stop: int, rank: Int[np.ndarray, " columns"]
) -> sparse.csr_array:
    """Rows from ``start`` to ``stop``, with another number for each column; the values are not copied."""
    ends = matrix.indptr[start : stop + 1]
    values, numbers = matrix.data[ends[0] : ends[-1]], matrix.indices[ends[0] : ends[-1]]
    renumbered = np.empty_like(numbers)
    for first in range(0, len(numbers), _BLOCK):
        renumbered[first : first + _BLOCK] = rank[numbers[first : first + _BLOCK]]
    return sparse.csr_array((values, renumbered, ends - ends[0]), shape=(stop - start, len(rank)))


def _rare_blocks(columns: sparse.csr_array, before: int) -> list[_FeatureBlock]:
    """Blocks of features that few documents have, each a tile from the first that has one to the last."""
    blocks = []
    for start in range(0, columns.shape[0], RARE):
        ends = columns.indptr[start : start + RARE + 1]
        entries = slice(ends[0], ends[-1])
        holders = columns.indices[entries]
        first, last = int(holders.min(initial=columns.shape[1])), int(holders.max(initial=0))
        holders -= holders.dtype.type(first)
        shape = len(ends) - 1, max(last + 1 - first, 0)
        own = sparse.csr_array((columns.data[entries], holders, ends - ends[0]), shape=shape)
        features = slice(before + start, before + start + shape[0])
        # Its transpose is the same arrays, read by column: values of features are then used one after the
        # other, where rows would look each up in more memory than a cache has.
        blocks.append(_FeatureBlock(features, [_Tile(slice(first, last + 1), own.T, own)]))
    return blocks


def _product_with_squares(matrix: sparse.csr_array, values: np.ndarray) -> np.ndarray:
    """Product of the matrix of squared entries, in pieces: all squares would take their memory again."""
    cuts = np.searchsorted(matrix.indptr, np.arange(0, matrix.nnz, _BLOCK))
    cuts = np.unique(np.concatenate([cuts, [0, matrix.shape[0]]]))
    sums = []
    for start, stop in pairwise(cuts.tolist()):
        rows = matrix.indptr[start : stop + 1]
        entries = slice(rows[0], rows[-1])
        squares = (matrix.data[entries] ** 2, matrix.indices[entries], rows - rows[0])
        sums.append(sparse.csr_array(squares, shape=(stop - start, matrix.shape[1])) @ values)
    return np.concatenate(sums)


def predicted_bytes(features: FeatureMap) -> int:
    """Most memory that a :class:`FeatureKernel` takes beside its features, while it is made and afterwards.

    Of each entry it keeps a number and, in the transpose, a number and a value, and of more than
    ``ONE_BLOCK`` features a value more; of each feature two weights, its place and a pointer. What orders
    the features is added, a byte an entry, two numbers, two counts and a sort of the features and a block of
    entries: it is freed before, but not all returns to the system.
    """
    number = features.matrix.indices.itemsize
    entries, size = features.matrix.nnz, len(features.columns)
    kept = (8 + 2 * number) * entries + (2 * 8 + 2 * number) * size
    if size > ONE_BLOCK:  # entries are copied as they are parted, and a tile's are held twice
        tiles = np.diff(features.matrix.indptr[::TILE], append=entries)
        kept += 8 * entries + (8 + number) * int(tiles.max())
    return kept + entries + (20 + 2 * number) * size + 24 * min(entries, _BLOCK)


def by_pattern(probe: sparse.csr_array, columns: FeatureColumns) -> sparse.csc_array:
    """Features of one document as a sparse (P, patterns) array: each pattern's in a column of its own."""
    held = probe.tocoo()
    patterns = np.searchsorted(columns.starts, held.col, side="right") - 1
    return sparse.csc_array((held.data, (held.col, patterns)), shape=(len(columns), len(columns.patterns)))


def default_time(features: FeatureMap) -> float:
    """Flow time at which to stop where nobody says when: ``10 / mean_i Θ(x_i, x_i)``, without the bias.

    A document that shares no feature with another follows ``ds/dt = Θ(x, x) (1 − sigmoid(s))``, so
    ``s + eˢ = 1 + Θ(x, x) t``: at ``Θ(x, x) t = 10`` its own label has the probability 0.9. The rule looks at
    no label, and scaling a kernel does not change what is predicted at that time.

    Parameters
    ----------
    features : FeatureMap
        Of the training documents.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If all features are zero.

    Notes
    -----
    The bias, which all documents share, counts only where there is nothing else. Source: definition of this
    book. It is a start, not an optimum: validate the time where the accuracy matters.

    Examples
    --------
    >>> import ntklib
    >>> default_time(ntklib.MLP("identity").feature_map([[0], [1]]))  # Θ(x, x) = 3
    3.3333333333333335
    """
    squares = features.matrix.multiply(features.matrix)
    weights = features.weights
    sizes = np.array([len(pattern) for pattern in features.columns.patterns])
    without_bias = np.where(sizes[features.columns.pattern_index] > 0, weights, 0.0)
    for chosen in (without_bias, weights):
        diagonal = float((squares @ chosen).mean())
        if diagonal > 0:
            return 10 / diagonal
    raise ValueError("the documents have a kernel of zero: there is nothing to learn from, at any time.")
