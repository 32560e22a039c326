"""The empirical kernel of a network that sums a function of each token, in blocks of distinct tokens.

Gradients of distinct tokens, ``∂f(u)/∂W = signal_u ⊗ e_u``, are pooled over documents by their counts. All of
them at once are the largest arrays of the kernel's computation. Here a band of tokens is held, met by the
others block by block, and forgotten; the signals of later bands are then computed once more for each band.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy import sparse

from ntklib.documents import Documents
from ntklib.spectrum import weighted_gram

BLOCK = 256
"""Tokens whose layers are computed at a time."""


class TokenLayers(NamedTuple):
    """What the gradients of ``U`` tokens' scores are made of, scaled as the network scales it.

    Attributes
    ----------
    embedded : (U, d) array
        What the hidden weights are multiplied with.
    activated : (U, m) array
        What the output weights are multiplied with.
    signals : (U, m) array
        Gradients that reach the hidden layer's result.
    """

    embedded: np.ndarray
    activated: np.ndarray
    signals: np.ndarray


class Tokens(NamedTuple):
    """The distinct tokens of documents, and how often each document has each."""

    distinct: Int[np.ndarray, " tokens"]
    counts: sparse.csc_array

    @classmethod
    def of(cls, docs: Documents) -> "Tokens":
        """Count the tokens of documents."""
        distinct, places = np.unique(docs.ids, return_inverse=True)
        return cls(distinct, Documents(places, docs.offsets).counts(len(distinct)).tocsc())


def token_kernels(
    layers: Callable[[np.ndarray], TokenLayers],
    hidden: Float[torch.Tensor, "hidden embedded"],
    scale: float,
    docs_a: Documents,
    docs_b: Documents,
    memory_limit: int,
) -> Iterator[tuple[str, Float[np.ndarray, "n m"]]]:
    """Each parameter's part of the kernel of ``Σ_u n_u(x) v·φ(W e_u)``, with its name.

    Parameters
    ----------
    layers : callable
        From token ids to their :class:`TokenLayers`.
    hidden, scale
        Hidden weights, and the factor with which their result and its gradients are multiplied.
    docs_a, docs_b : N and M documents
        The same object twice for a symmetric kernel, at half of the work.
    memory_limit : int
        Bytes that a band of tokens may take, roughly; at least 256 tokens are held.

    Yields
    ------
    (name, kernel)
        ``"hidden"``, ``"output"`` and ``"embedding"``, with (N, M) float64 arrays.
    """
    symmetric = docs_a is docs_b
    rows = Tokens.of(docs_a)
    columns = rows if symmetric else Tokens.of(docs_b)
    weights = hidden.numpy()
    height, width = weights.shape
    # A multiple of the block, so that a block lies in a band or outside it.
    band = BLOCK * max(1, memory_limit // (BLOCK * (height + width) * weights.itemsize))

    kernel = np.zeros((len(docs_b), len(docs_a)))  # transposed: a sparse product's rows are added to rows
    activations = np.zeros((len(docs_a), height), weights.dtype)
    norms = np.empty(len(rows.distinct))
    for start in range(0, len(rows.distinct), band):
        held = rows.distinct[start : start + band]
        counts = rows.counts[:, start : start + band].astype(weights.dtype)
        embedded = np.empty((len(held), width), weights.dtype)
        signals = np.empty((len(held), height), weights.dtype)
        for block in _blocks(0, len(held)):
            made = layers(held[block])
            embedded[block], signals[block] = made.embedded, made.signals
            activations += counts[:, block] @ made.activated
            reaching = scale * (made.signals @ weights)
            norms[start : start + len(held)][block] = np.einsum("ud,ud->u", reaching, reaching)
        for block in _blocks(start if symmetric else 0, len(columns.distinct)):
            in_band = symmetric and block.stop <= start + len(held)
            # Within the band of a symmetric kernel only the pairs from the diagonal on are multiplied.
            first = block.start - start if in_band else 0
            if in_band:
                inner = slice(first, block.stop - start)
                others = (embedded[inner], signals[inner])
            else:
                made = layers(columns.distinct[block])
                others = (made.embedded, made.signals)
            gram = embedded[first:] @ others[0].T
            gram *= signals[first:] @ others[1].T
            if in_band:
                gram[: gram.shape[1]] *= 0.5  # the square on the diagonal is in the sum and its transpose
            pooled = counts[:, first:] @ gram
            kernel += columns.counts[:, block].astype(weights.dtype) @ pooled.T
    if symmetric:
        _add_transpose(kernel)
    yield "hidden", kernel.T
    del kernel, embedded, signals, made, others, gram, pooled
    other_activations = activations if symmetric else _pooled_activations(layers, columns, activations)
    yield "output", (activations @ other_activations.T).astype(np.float64)
    del activations, other_activations
    yield "embedding", _kernel_of_equal_tokens(rows, columns, norms)


def _pooled_activations(
    layers: Callable[[np.ndarray], TokenLayers], tokens: Tokens, like: np.ndarray
) -> Float[np.ndarray, "m hidden"]:
    pooled = np.zeros((tokens.counts.shape[0], like.shape[1]), like.dtype)
    for block in _blocks(0, len(tokens.distinct)):
        pooled += tokens.counts[:, block].astype(like.dtype) @ layers(tokens.distinct[block]).activated
    return pooled


def _kernel_of_equal_tokens(
    rows: Tokens, columns: Tokens, weights: Float[np.ndarray, " tokens"]
) -> Float[np.ndarray, "n m"]:
    """``Σ_u weight_u n_u(x) n_u(x')``: different tokens have different embeddings."""
    if rows is columns:
        kernel = weighted_gram(rows.counts.tocsr(), rows.counts.tocsr(), weights / 2)
        _add_transpose(kernel)  # symmetric to the last bit
        return kernel
    _, here, there = np.intersect1d(rows.distinct, columns.distinct, assume_unique=True, return_indices=True)
    return weighted_gram(rows.counts[:, here].tocsr(), columns.counts[:, there].tocsr(), weights[here])


def _add_transpose(matrix: Float[np.ndarray, "n n"]) -> None:
    """Set ``A`` to ``A + Aᵀ`` in place, a few rows at a time."""
    for block in _blocks(0, len(matrix)):
        total = matrix[block, block.start :] + matrix[block.start :, block].T
        matrix[block, block.start :] = total
        matrix[block.start :, block] = total.T


def _blocks(start: int, stop: int) -> Iterator[slice]:
    return (slice(first, min(first + BLOCK, stop)) for first in range(start, stop, BLOCK))
