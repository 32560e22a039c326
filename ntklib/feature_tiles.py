"""The features of documents in tiles that stay in a processor's cache while a product reads them."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Int
from scipy import sparse

from ntklib.spectrum import FeatureMap
from ntklib.spectrum.distinct import look_up, smallest_index

PIECE = 2**20  # entries that are looked at together
ONE_BLOCK = 2**21
"""Up to so many features, products take all of them at once."""
FREQUENT = 2**18
"""Of more, so many come first: a processor's cache holds their values."""
RARE = 2**20  # and so many at a time of the rest, whose values are read once
TILE = 2**17
"""Documents whose numbers a processor's cache holds."""


@dataclass(frozen=True, eq=False)
class Tile:
    """Part of ``Φ`` of some documents and a block's features, by rows, and its transpose, by rows, too."""

    documents: slice
    rows: sparse.sparray
    columns: sparse.csr_array


@dataclass(frozen=True, eq=False)
class FeatureBlock:
    """Features next to each other in the kernel's order, with all documents that hold one."""

    features: slice
    tiles: list[Tile]

    def pulls(self, dual: np.ndarray) -> np.ndarray:
        """``Φᵀ a`` of these features."""
        return _sum(tile.columns @ dual[tile.documents] for tile in self.tiles)

    def pulls_of_squares(self, values: np.ndarray) -> np.ndarray:
        """``Σ_i Φ_iu² v_i`` of these features."""
        return _sum(_product_with_squares(tile.columns, values[tile.documents]) for tile in self.tiles)

    def add_scores(self, values: np.ndarray, total: np.ndarray) -> None:
        """Add ``Φ v`` of these features to what the documents have."""
        for tile in self.tiles:
            total[tile.documents] += tile.rows @ values


def _sum(arrays: Iterator[np.ndarray]) -> np.ndarray:
    total = next(arrays)
    for array in arrays:
        total += array
    return total


def _product_with_squares(matrix: sparse.csr_array, values: np.ndarray) -> np.ndarray:
    """Product of the matrix of squared entries, in pieces: all squares would take their memory again."""
    cuts = np.searchsorted(matrix.indptr, np.arange(0, matrix.nnz, PIECE))
    cuts = np.unique(np.concatenate([cuts, [0, matrix.shape[0]]]))
    sums = []
    for start, stop in pairwise(cuts.tolist()):
        rows = _rows(matrix, start, stop)
        squares = (rows.data**2, rows.indices, rows.indptr)
        sums.append(sparse.csr_array(squares, shape=rows.shape) @ values)
    return np.concatenate([np.zeros((0, *values.shape[1:])), *sums])


def _rows(matrix: sparse.csr_array, start: int, stop: int) -> sparse.csr_array:
    """Cut some rows out, which share the entries in memory: SciPy's slices are copies."""
    ends = matrix.indptr[start : stop + 1]
    entries = slice(ends[0], ends[-1])
    shape = (len(ends) - 1, matrix.shape[1])
    return sparse.csr_array((matrix.data[entries], matrix.indices[entries], ends - ends[0]), shape=shape)


def by_frequency(matrix: sparse.csr_array) -> Int[np.ndarray, " features"]:
    """Order the columns by falling frequency, as far as 65,535, and equally frequent ones as they occur."""
    size = matrix.shape[1]
    counts = np.zeros(size, dtype=np.int64)
    step = max(PIECE, size)  # NumPy copies what it counts, to 8 bytes each
    for start in range(0, matrix.nnz, step):
        counts += np.bincount(matrix.indices[start : start + step], minlength=size)
    frequency = np.minimum(counts, 2**16 - 1).astype(np.uint16)
    del counts
    first = np.zeros(size, dtype=smallest_index(matrix.nnz))
    for start in range((matrix.nnz - 1) // PIECE * PIECE, -1, -PIECE):
        places = np.arange(min(start + PIECE, matrix.nnz) - 1, start - 1, -1)
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


def feature_blocks(matrix: sparse.csr_array, order: Int[np.ndarray, " features"]) -> list[FeatureBlock]:
    """Cut the columns, taken in this order, into blocks, and these into tiles."""
    documents, size = matrix.shape
    rank = np.empty(size, matrix.indices.dtype)
    for start in range(0, size, PIECE):  # as in look_up, NumPy makes 8 bytes of each number
        some = order[start : start + PIECE]
        rank[some] = np.arange(start, start + len(some))
    tiles, rare = [], []
    for start in range(0, max(documents, 1), TILE):
        stop = min(start + TILE, documents)
        rows = _rows(matrix, start, stop)
        rows.indices = look_up(rank, rows.indices)
        if size > ONE_BLOCK:
            rare.append(rows[:, FREQUENT:])
            rows = rows[:, :FREQUENT]
        tiles.append(Tile(slice(start, stop), rows, rows.T.tocsr()))
    del rank
    frequent = FeatureBlock(slice(0, rows.shape[1]), tiles)
    if not rare:
        return [frequent]
    together = sparse.vstack(rare, format="csr")
    rare.clear()  # or all entries would be held three times
    return [frequent, *_rare_blocks(together.T.tocsr(), FREQUENT)]


def _rare_blocks(columns: sparse.csr_array, before: int) -> list[FeatureBlock]:
    """Blocks of features that few documents have, each a tile from the first that has one to the last."""
    blocks = []
    for start in range(0, columns.shape[0], RARE):
        own = _rows(columns, start, start + RARE)
        holders = own.indices
        first, last = int(holders.min(initial=columns.shape[1])), int(holders.max(initial=0))
        holders -= holders.dtype.type(first)
        shape = own.shape[0], max(last + 1 - first, 0)
        own = sparse.csr_array((own.data, holders, own.indptr), shape=shape)
        features = slice(before + start, before + start + shape[0])
        # Its transpose is the same arrays, read by column: values of features are then used one after the
        # other, where rows would look each up in more memory than a cache has.
        blocks.append(FeatureBlock(features, [Tile(slice(first, last + 1), own.T, own)]))
    return blocks


def predicted_bytes(features: FeatureMap) -> int:
    """Most memory that a kernel takes beside its features, while it is made and afterwards.

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
    return kept + entries + (20 + 2 * number) * size + 24 * min(entries, PIECE)
