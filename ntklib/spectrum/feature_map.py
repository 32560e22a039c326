"""The sparse feature map that match patterns define: counts of gappy n-grams, and their inner products."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy import sparse

from ntklib.memory import INSTEAD_OF_A_KERNEL, require_memory
from ntklib.spectrum.columns import FeatureColumns, smallest_index


@dataclass(frozen=True, eq=False)
class FeatureMap:
    """The sparse feature map of an architecture: ``Θ = Φ diag(λ) Φᵀ``.

    ``matrix, weights, columns = feature_map`` unpacks it.

    Attributes
    ----------
    matrix : sparse (N, P) array
        ``Φ``: the weighted count of feature ``p`` in document ``i``.
    columns : FeatureColumns
        The pattern and the tokens of each column.
    pattern_weights : DataFrame
        ``λ_S`` by parameter group: one row for each of ``columns.patterns``, one column a group.
    error_bound : (N,) float64
        ``ε(x)``, what the patterns that were left out contribute to ``Θ(x, x)``. For every pair
        ``0 ≤ Θ(x, x') − Φ diag(λ) Φᵀ ≤ √(ε(x) ε(x'))``, by Cauchy and Schwarz. 0 where nothing was left out.
    """

    matrix: sparse.csr_array
    columns: FeatureColumns
    pattern_weights: pd.DataFrame
    error_bound: Float[np.ndarray, " documents"]

    @property
    def weights(self) -> Float[np.ndarray, " features"]:
        """``λ`` (P,): how strongly the architecture learns each feature."""
        return self.group_weights()

    def group_weights(self, group: str | None = None) -> Float[np.ndarray, " features"]:
        """One parameter group's part of :attr:`weights`, or all of it."""
        by_pattern = self.pattern_weights.sum(axis=1) if group is None else self.pattern_weights[group]
        return by_pattern.to_numpy()[self.columns.pattern_index]

    @classmethod
    def joined(cls, parts: list["FeatureMap"]) -> "FeatureMap":
        """One map of all parts' documents, in their order. It empties the list, to hold little at a time.

        Parameters
        ----------
        parts : list of one or more FeatureMap
            With one object as their columns, or each with its own.

        Raises
        ------
        ValueError
            If the parts have different patterns or weights.
        """
        first = parts[0]
        if len(parts) == 1:
            return parts.pop()
        if any(not part.pattern_weights.equals(first.pattern_weights) for part in parts):
            raise ValueError(
                "parts must have the same pattern weights: make them with the same architecture."
            )
        columns, pattern_weights = first.columns, first.pattern_weights
        places: list[np.ndarray] = []
        if any(part.columns is not columns for part in parts):
            columns, places = FeatureColumns.union([part.columns for part in parts])
        error_bound = np.concatenate([part.error_bound for part in parts])
        entries = sum(part.matrix.nnz for part in parts)
        index = smallest_index(max(entries, len(columns)))
        ends, indices, data = (
            np.zeros(len(error_bound) + 1, index),
            np.empty(entries, index),
            np.empty(entries),
        )
        del first  # or its entries would be held to the end
        row = entry = 0
        for place in range(len(parts)):
            matrix = parts.pop(0).matrix
            rows, held = slice(row, row + matrix.shape[0]), slice(entry, entry + matrix.nnz)
            ends[rows.start + 1 : rows.stop + 1] = entry + matrix.indptr[1:]
            indices[held] = places[place][matrix.indices] if places else matrix.indices
            data[held] = matrix.data
            row, entry = rows.stop, held.stop
        matrix = sparse.csr_array((data, indices, ends), shape=(len(error_bound), len(columns)))
        matrix.has_canonical_format = True
        return cls(matrix, columns, pattern_weights, error_bound)

    def __iter__(self) -> Iterator[Any]:
        return iter((self.matrix, self.weights, self.columns))


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
    frequency = np.diff(matrix_a.tocsc().indptr) / max(n, 1)
    frequent = np.flatnonzero(frequency > 1 / 32)
    require_memory(
        8 * (3 * n * m + (n + m) * len(frequent)), f"A kernel of {n:,} x {m:,}", INSTEAD_OF_A_KERNEL
    )
    rare = np.flatnonzero(frequency <= 1 / 32)
    scaled = matrix_a.multiply(weights).tocsr()
    gram = scaled[:, frequent].toarray() @ matrix_b[:, frequent].toarray().T
    product = (scaled[:, rare] @ matrix_b[:, rare].T).tocoo()
    gram[product.row, product.col] += product.data
    return gram
