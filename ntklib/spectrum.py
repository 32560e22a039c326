"""The feature spectrum: match patterns, their Möbius weights and the sparse feature map that they define.

Every architecture here has a unit kernel that depends only on *which* tokens of two units are equal. Möbius
inversion over those match patterns turns it into a weighted sum of products of matches, and so the kernel of
whole documents into an inner product of sparse counts of gappy n-grams (book, :ref:`feature-map`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int
from scipy import sparse

from ntklib.memory import require_memory

Pattern = tuple[int, ...]
"""The offsets of a unit at which two units must hold the same token; ``()`` is the bias."""


@dataclass(frozen=True, eq=False)
class Units:
    """The units that documents are pooled from: the tokens each one sees, its document and its weight.

    Parameters
    ----------
    tokens : (U, k) int64
        The token at each of a unit's ``k`` offsets; negative ids are boundary tokens.
    documents : (U,) int64
        The document of each unit.
    weights : (U,) float64
        The factor with which the unit enters its document's score; 1 for a plain sum.
    """

    tokens: Int[np.ndarray, "units offsets"]
    documents: Int[np.ndarray, " units"]
    weights: Float[np.ndarray, " units"]


class Feature(NamedTuple):
    """One column of a feature map: the pattern ``S`` and the tokens that stand at its offsets."""

    pattern: Pattern
    tokens: tuple[int, ...]


def pattern_name(pattern: Pattern) -> str:
    """Name of a pattern, for tables and figures.

    Examples
    --------
    >>> [pattern_name(pattern) for pattern in ((), (0,), (0, 2))]
    ['bias', 'offset 0', 'offsets 0, 2']
    """
    if not pattern:
        return "bias"
    return f"offset{'s' if len(pattern) > 1 else ''} {', '.join(map(str, pattern))}"


def match_patterns(context: int) -> tuple[Pattern, ...]:
    """All subsets of the offsets ``0 … context − 1``, the smaller first.

    Examples
    --------
    >>> match_patterns(2)
    ((), (0,), (1,), (0, 1))
    """
    return tuple(p for size in range(context + 1) for p in combinations(range(context), size))


def moebius_weights(
    unit_kernel: Callable[
        [Bool[np.ndarray, "patterns offsets"]], Mapping[str, Float[np.ndarray, " patterns"]]
    ],
    context: int,
) -> pd.DataFrame:
    """Weights ``λ_S = Σ_{T ⊆ S} (−1)^{|S|−|T|} Θ_unit(T)`` of every match pattern.

    Parameters
    ----------
    unit_kernel : callable
        Maps match vectors, (patterns, context) booleans, to the unit kernel of each parameter group.
    context : int
        Number of offsets in a unit.

    Returns
    -------
    DataFrame
        One row a pattern (see :func:`match_patterns`), one column a parameter group; row sums are ``λ_S``.

    Notes
    -----
    Exact for any function of a match pattern. That the sums over groups are non-negative is a theorem about
    kernels (derivation in the book, :ref:`feature-map`), not something this function imposes.

    Examples
    --------
    A unit kernel that counts matching tokens has no interaction between them:

    >>> moebius_weights(lambda matches: {"output": matches.sum(axis=1) * 1.0}, 2)
            output
    ()         0.0
    (0,)       1.0
    (1,)       1.0
    (0, 1)     0.0
    """
    lattice = np.indices((2,) * context).reshape(context, -1).T.astype(bool)
    patterns = match_patterns(context)
    rows = {pattern: int(sum(1 << (context - 1 - o) for o in pattern)) for pattern in patterns}
    columns = {}
    for group, values in unit_kernel(lattice).items():
        weights = np.array(values, dtype=np.float64).reshape((2,) * context)
        for axis in range(context):  # the Möbius transform of the Boolean lattice, one offset at a time
            by_match = np.moveaxis(weights, axis, 0)
            by_match[1] -= by_match[0]
        columns[group] = weights.reshape(-1)[[rows[pattern] for pattern in patterns]]
    index = pd.Index(patterns, dtype=object, tupleize_cols=False)
    return pd.DataFrame(columns, index=index)


class FeatureColumns(Sequence[Feature]):
    """The columns of a feature map: every (pattern, tokens) that occurs in the documents it was made from.

    Parameters
    ----------
    units : Units
        The units of those documents.
    patterns : sequence of Pattern
        The match patterns to make columns for.

    Notes
    -----
    Stored as one trie a pattern: level ``j`` holds the sorted codes ``parent · span + token`` of the prefixes
    of length ``j + 1``, so that finding the columns of new documents is a binary search a level.
    """

    def __init__(self, units: Units, patterns: Sequence[Pattern]) -> None:
        self.patterns = tuple(patterns)
        self._lowest = int(units.tokens.min(initial=0))
        self._span = int(units.tokens.max(initial=0)) - self._lowest + 1
        self._tries = [self._trie(units.tokens[:, list(pattern)]) for pattern in self.patterns]
        sizes = [len(trie[-1]) if trie else 1 for trie in self._tries]
        self.starts = np.concatenate([[0], np.cumsum(sizes)])

    def _trie(self, tokens: Int[np.ndarray, "units size"]) -> list[np.ndarray]:
        levels = []
        code = np.zeros(len(tokens), dtype=np.int64)
        for column in tokens.T:
            level, code = np.unique(code * self._span + (column - self._lowest), return_inverse=True)
            levels.append(level)
        return levels

    @property
    def pattern_index(self) -> Int[np.ndarray, " features"]:
        """Which pattern each column belongs to, as an index into :attr:`patterns`."""
        return np.repeat(np.arange(len(self.patterns)), np.diff(self.starts))

    def encode(self, units: Units, documents: int) -> sparse.csr_array:
        """Count the features of ``units``: a sparse (documents, P) matrix. Unknown features are left out."""
        rows, columns, values = [], [], []
        inside = (units.tokens >= self._lowest) & (units.tokens < self._lowest + self._span)
        for pattern, trie, start in zip(self.patterns, self._tries, self.starts[:-1], strict=True):
            code = np.zeros(len(units.tokens), dtype=np.int64)
            known = inside[:, list(pattern)].all(axis=1)
            for offset, level in zip(pattern, trie, strict=True):
                wanted = code * self._span + (units.tokens[:, offset] - self._lowest)
                code = np.minimum(np.searchsorted(level, wanted), len(level) - 1)
                known &= level[code] == wanted
            rows.append(units.documents[known])
            columns.append(start + code[known])
            values.append(units.weights[known])
        matrix = sparse.coo_array(
            (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))),
            shape=(documents, len(self)),
        ).tocsr()
        matrix.sum_duplicates()
        return matrix

    def __len__(self) -> int:
        return int(self.starts[-1])

    def __getitem__(self, index: Any) -> Any:
        """Return the :class:`Feature` of one column, or a list of them for a slice."""
        if isinstance(index, slice):
            return [self[i] for i in range(len(self))[index]]
        column = range(len(self))[index]
        place = int(np.searchsorted(self.starts, column, side="right")) - 1
        code = column - int(self.starts[place])
        tokens = []
        for level in reversed(self._tries[place]):
            code, token = divmod(int(level[code]), self._span)
            tokens.append(token + self._lowest)
        return Feature(self.patterns[place], tuple(reversed(tokens)))

    def __repr__(self) -> str:
        return f"FeatureColumns({len(self)} features of {len(self.patterns)} patterns)"


class FeatureMap(NamedTuple):
    """The sparse feature map of an architecture: ``Θ = Φ diag(λ) Φᵀ``.

    Attributes
    ----------
    matrix : sparse (N, P) array
        ``Φ``: the weighted count of feature ``p`` in document ``i``.
    weights : (P,) float64
        ``λ``: how strongly the architecture learns each feature.
    columns : FeatureColumns
        The pattern and the tokens of each column.
    """

    matrix: sparse.csr_array
    weights: Float[np.ndarray, " features"]
    columns: FeatureColumns


def weighted_gram(
    matrix_a: sparse.csr_array, matrix_b: sparse.csr_array, weights: Float[np.ndarray, " features"]
) -> Float[np.ndarray, "n m"]:
    """Dense Gram matrix ``Φ_a diag(λ) Φ_bᵀ`` of two sparse feature matrices.

    Parameters
    ----------
    matrix_a, matrix_b : sparse (N, P) and (M, P) arrays
        The features of two sets of documents, over the same columns.
    weights : (P,) float64
        ``λ``.

    Returns
    -------
    (N, M) float64

    Raises
    ------
    MemoryError
        If the result and its work space do not fit into memory.

    Notes
    -----
    The frequent columns are multiplied as dense matrices, the rare ones as sparse ones: a word such as "the"
    meets itself in most pairs of documents, where sparse arithmetic is slow, while most words meet in few.

    Examples
    --------
    >>> counts = sparse.csr_array([[1.0, 2.0], [0.0, 3.0]])
    >>> weighted_gram(counts, counts, np.array([10.0, 1.0]))
    array([[14.,  6.],
           [ 6.,  9.]])
    """
    n, m = matrix_a.shape[0], matrix_b.shape[0]
    require_memory(
        2 * 8 * n * m,
        f"A kernel of {n:,} x {m:,}",
        "pass fewer documents, or work with feature_map, which needs no kernel matrix",
    )
    frequency = np.diff(matrix_a.tocsc().indptr) / max(n, 1)
    frequent = np.flatnonzero(frequency > 1 / 32)
    rare = np.flatnonzero(frequency <= 1 / 32)
    scaled = matrix_a.multiply(weights).tocsr()
    gram = scaled[:, frequent].toarray() @ matrix_b[:, frequent].toarray().T
    product = (scaled[:, rare] @ matrix_b[:, rare].T).tocoo()
    gram[product.row, product.col] += product.data
    return gram


def feature_spectrum(pattern_weights: pd.DataFrame, order: int) -> pd.Series:
    """Share of the unit kernel that goes to features of each size.

    ``share_j = Σ_{|S| = j} λ_S / Σ_S λ_S``: the bias (``j = 0``), tokens (1), n-grams (2 and more).

    Parameters
    ----------
    pattern_weights : DataFrame
        From :func:`moebius_weights`.
    order : int
        The largest size; the last share includes all larger patterns.

    Returns
    -------
    Series
        Over ``0 … order``; sums to 1.

    Raises
    ------
    ValueError
        If ``order`` is not an integer of 0 or more, or all weights are zero.

    Examples
    --------
    >>> weights = moebius_weights(lambda matches: {"output": 1.0 + 3.0 * matches.all(axis=1)}, 2)
    >>> feature_spectrum(weights, 2).tolist()
    [0.25, 0.0, 0.75]
    """
    if isinstance(order, bool) or not isinstance(order, int | np.integer) or order < 0:
        raise ValueError(f"order must be an integer, 0 or larger, not {order!r}.")
    sizes = np.minimum([len(pattern) for pattern in pattern_weights.index], order)
    weights = pattern_weights.sum(axis=1).to_numpy()
    if not weights.any():
        raise ValueError(
            "pattern_weights are all zero: the activation is zero everywhere, and has no spectrum."
        )
    shares = np.bincount(sizes, weights=weights, minlength=order + 1) / weights.sum()
    return pd.Series(shares, index=pd.RangeIndex(order + 1, name="order"), name="share")
