"""The sparse feature map that match patterns define: counts of gappy n-grams, and their inner products."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy import sparse

from ntklib.memory import INSTEAD_OF_A_KERNEL, require_memory
from ntklib.spectrum.columns import FeatureColumns
from ntklib.spectrum.distinct import look_up, smallest_index


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
    def joined(cls, parts: Iterable["FeatureMap"], most_entries: int, known_columns: int = 0) -> "FeatureMap":
        """One map of all parts' documents, in their order. Of a part's entries it holds a copy alone.

        Parameters
        ----------
        parts : one or more FeatureMap
            With one object as their columns, or each with its own. Made one after the other they take the
            memory of one.
        most_entries : int
            At most so many entries they have together.
        known_columns : int
            How many columns the parts have, where it may be more than they have entries.

        Raises
        ------
        ValueError
            If the parts have different patterns or weights.
        """
        index = smallest_index(max(most_entries, known_columns))
        data, indices = np.empty(most_entries), np.empty(most_entries, index)  # no memory until it is written
        ends, bounds, held = [np.zeros(1, index)], [], [0]
        columns: list[FeatureColumns] = []
        weights: list[pd.DataFrame] = []
        for part in parts:
            matrix, start = part.matrix, held[-1]
            stop = start + matrix.nnz
            data[start:stop], indices[start:stop] = matrix.data, matrix.indices
            ends.append(matrix.indptr[1:].astype(index) + start)
            held.append(stop)
            bounds.append(part.error_bound)
            columns.append(part.columns)
            weights.append(part.pattern_weights)
            if not weights[-1].equals(weights[0]):
                raise ValueError(
                    "parts must have the same pattern weights: make them with the same architecture."
                )
            del part, matrix  # or its entries would be held while the next part is made
        whole = columns[0]
        if any(own is not whole for own in columns):
            whole, places = FeatureColumns.union(columns)
            for place, start, stop in zip(places, held[:-1], held[1:], strict=True):
                own = indices[start:stop]
                look_up(place, own, found=own)
        data.resize(held[-1], refcheck=False)
        indices.resize(held[-1], refcheck=False)
        error_bound = np.concatenate(bounds)
        matrix = sparse.csr_array((data, indices, np.concatenate(ends)), shape=(len(error_bound), len(whole)))
        matrix.has_canonical_format = True
        return cls(matrix, whole, weights[0], error_bound)

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
