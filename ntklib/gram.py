"""Gram matrices of gradients that are never formed: the arithmetic behind the structured empirical NTK.

Every weight array enters a text network linearly at a number of *sites* (a token, a window, a time step), so
the gradient of a document's score is a pooled sum of outer products over its sites. The Gram matrix of such
gradients is a product of small Gram matrices, site by site, and needs no Jacobian.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy import sparse

Matrix = np.ndarray | sparse.csr_array

BLOCK_BYTES = 16 * 2**20
"""Largest block of site pairs, or of per-document gradients, that is held at a time."""

GATHERED_COST = 64
"""How much a multiplication costs in gathered inner products, relative to one in a dense matrix product."""


@dataclass(frozen=True, eq=False)
class ParameterTangents:
    """Gradients of ``N`` scores with respect to one parameter, as pooled outer products over ``P`` sites.

    ``∂s(x)/∂θ = Σ_p pooling[x, p] · factors[0][p] ⊗ factors[1][p] ⊗ …``

    A weight matrix ``W`` used as ``z_p = W a_p`` has the two factors ``a_p`` and ``∂s/∂z_p``. An embedding
    has the one-hot rows of its tokens (sparse) and the signals that reach them. A parameter that is used in
    several places has the sites of all of them.

    Parameters
    ----------
    parameter : str
        Name of the parameter in the network.
    factors : tuple of (P, F) arrays, dense or scipy.sparse.csr_array
        One or more, in any order.
    pooling : (N, P) csr_array
        How often each site enters each document.

    Raises
    ------
    ValueError
        If the factors and the pooling disagree about the number of sites.
    """

    parameter: str
    factors: tuple[Matrix, ...]
    pooling: sparse.csr_array

    def __post_init__(self) -> None:
        sites = [self.pooling.shape[1], *(factor.shape[0] for factor in self.factors)]
        if not self.factors or len(set(sites)) > 1:
            raise ValueError(
                f"factors of {self.parameter!r} must be one or more arrays with a row for each of the "
                f"pooling's {sites[0]} sites, not {sites[1:]} rows."
            )

    @property
    def shape(self) -> tuple[int, int]:
        """Number of documents ``N`` and of sites ``P``."""
        return self.pooling.shape

    @property
    def dense(self) -> list[np.ndarray]:
        """The dense factors."""
        return [factor for factor in self.factors if isinstance(factor, np.ndarray)]

    @property
    def sparse(self) -> list[sparse.csr_array]:
        """The sparse factors."""
        return [factor for factor in self.factors if not isinstance(factor, np.ndarray)]


def tangent_gram(
    first: ParameterTangents, second: ParameterTangents | None = None
) -> Float[np.ndarray, "n m"]:
    """Inner products of gradients.

    ``Σ_p Σ_p' pooling[x, p] pooling[x', p'] Π_f ⟨factors[f][p], factors[f][p']⟩``

    Parameters
    ----------
    first : ParameterTangents of N documents
    second : ParameterTangents of M documents, optional
        ``first`` again when left out: half the work, and the result is symmetric to the last bit.

    Returns
    -------
    (N, M) float64
        One parameter's part of the empirical NTK.

    Raises
    ------
    ValueError
        If the two are tangents of different parameters.

    Notes
    -----
    Exact; chooses by the number of multiplications between Gram matrices of sites, in blocks, and gradients
    of documents, in blocks of one factor. Sparse factors leave few pairs of sites, and only those are
    multiplied. Source: derivation.

    Examples
    --------
    Two documents, ``W a`` with scalar output, so that the gradient is ``Σ_p a_p``:

    >>> pooling = sparse.csr_array([[1.0, 1.0, 0.0], [0.0, 0.0, 2.0]])
    >>> inputs, signals = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]), np.ones((3, 1))
    >>> tangent_gram(ParameterTangents("weight", (inputs, signals), pooling))
    array([[2., 4.],
           [4., 8.]])
    """
    other = first if second is None else second
    if first.parameter != other.parameter:
        raise ValueError(
            f"second must hold tangents of first's parameter, {first.parameter!r}, not {other.parameter!r}."
        )
    if first.shape[1] == 0 or other.shape[1] == 0:  # no document uses the parameter
        return np.zeros((first.shape[0], other.shape[0]))
    if len(first.factors) == 1:
        return _gram_of_pooled(first, other)
    if len(first.dense) == len(first.factors) == 2 and _gradients_are_cheaper(first, other):
        return _gram_by_gradients(first, other)
    return _gram_by_sites(first, other)


def _gram_of_pooled(first: ParameterTangents, second: ParameterTangents) -> Float[np.ndarray, "n m"]:
    """Pool a single factor before the product."""
    rows = _pool(first.pooling, first.factors[0])
    columns = rows if second is first else _pool(second.pooling, second.factors[0])
    kernel = _as_dense(rows @ columns.T)
    # BLAS mirrors one triangle; a sparse product adds the two in different orders.
    return (kernel + kernel.T) / 2 if second is first and not isinstance(rows, np.ndarray) else kernel


def _gradients_are_cheaper(first: ParameterTangents, second: ParameterTangents) -> bool:
    widths = [factor.shape[1] for factor in first.factors]
    both = () if second is first else (second,)
    gradients = prod(widths) * (first.shape[0] * second.shape[0] + sum(t.pooling.nnz for t in (first, *both)))
    return gradients < first.shape[1] * second.shape[1] * sum(widths)


def _gram_by_gradients(first: ParameterTangents, second: ParameterTangents) -> Float[np.ndarray, "n m"]:
    """Form the gradients of all documents for a few rows of the parameter at a time."""
    kernel = np.zeros((first.shape[0], second.shape[0]))
    rows, columns = (factor.shape[1] for factor in first.factors)
    documents = max(first.shape[0], second.shape[0])
    for block in _blocks(rows, documents * columns * first.dense[0].itemsize):
        gradients = _gradients(first, block)
        kernel += gradients @ (gradients if second is first else _gradients(second, block)).T
    return kernel


def _gradients(tangents: ParameterTangents, block: slice) -> Float[np.ndarray, "documents parameters"]:
    left, right = tangents.dense
    pooling = tangents.pooling.astype(left.dtype)
    gradients = np.empty(
        (tangents.shape[0], len(range(*block.indices(left.shape[1]))), right.shape[1]), left.dtype
    )
    for document, gradient in enumerate(gradients):
        entries = slice(pooling.indptr[document], pooling.indptr[document + 1])
        sites, weights = pooling.indices[entries], pooling.data[entries]
        np.matmul((left[sites, block] * weights[:, None]).T, right[sites], out=gradient)
    return gradients.reshape(len(gradients), -1)


def _gram_by_sites(first: ParameterTangents, second: ParameterTangents) -> Float[np.ndarray, "n m"]:
    """Gram matrices of sites, a block of rows at a time, multiplied entry by entry and then pooled."""
    kernel = np.zeros((first.shape[0], second.shape[0]))
    symmetric = second is first
    for block in _blocks(first.shape[1], 8 * second.shape[1]):
        # Of a symmetric Gram matrix only the columns from the diagonal on are made; the square on the
        # diagonal then appears in both the sum and its transpose, so it enters by half.
        start = block.start if symmetric else 0
        gram = _site_gram(first, second, block, start)
        if symmetric:
            gram = _halve_leading_square(gram)
        pooled = _pool(second.pooling[:, start:], gram)
        kernel += _as_dense(_pool(first.pooling[:, block], pooled.T))
    return kernel + kernel.T if symmetric else kernel


def _site_gram(first: ParameterTangents, second: ParameterTangents, block: slice, start: int) -> Matrix:
    """Products over the factors of ``⟨second[p], first[p']⟩``: sites ``p ≥ start``, ``p'`` in the block."""
    overlap: sparse.csr_array | None = None
    for right, left in zip(first.sparse, second.sparse, strict=True):
        product = sparse.csr_array(left[start:] @ right[block].T)
        overlap = product if overlap is None else sparse.csr_array(overlap.multiply(product))
    dense = [(left[start:], right[block]) for right, left in zip(first.dense, second.dense, strict=True)]
    if overlap is not None and GATHERED_COST * overlap.nnz < prod(overlap.shape):
        return _gathered(overlap, dense)
    grams = iter(left @ right.T for left, right in dense)
    gram = next(grams) if overlap is None else overlap.toarray()
    for other in grams:
        gram *= other
    return gram


def _gathered(overlap: sparse.csr_array, dense: list[tuple[np.ndarray, np.ndarray]]) -> sparse.csr_array:
    """Multiply the dense factors' inner products into the pairs of sites that overlap at all."""
    pairs = overlap.tocoo()
    rows, columns = pairs.coords
    values = pairs.data.astype(np.float64)
    for left, right in dense:
        for chunk in _blocks(len(values), 2 * left.shape[1] * left.itemsize):
            values[chunk] *= np.einsum("pf,pf->p", left[rows[chunk]], right[columns[chunk]])
    return sparse.csr_array((values, (rows, columns)), shape=overlap.shape)


def _halve_leading_square(gram: Matrix) -> Matrix:
    side = gram.shape[1]
    if isinstance(gram, np.ndarray):
        gram[:side] *= 0.5
    else:
        gram.data[: gram.indptr[side]] *= 0.5
    return gram


def _pool(pooling: sparse.csr_array, values: Any) -> Any:
    # scipy would turn a float32 operand into float64 copies for the sake of float64 counts.
    return pooling.astype(values.dtype) @ values


def _as_dense(values: Any) -> Float[np.ndarray, "n m"]:
    return np.asarray(values if isinstance(values, np.ndarray) else values.toarray(), dtype=np.float64)


def _blocks(length: int, row_bytes: int) -> Iterator[slice]:
    """Slices that cover ``range(length)``, each of at most :data:`BLOCK_BYTES` but at least one row."""
    height = max(1, BLOCK_BYTES // max(1, row_bytes))
    return (slice(start, min(start + height, length)) for start in range(0, length, height))
