"""Training-free language models: the softmax flow in the features, whose state is a table of co-occurrences.

Text has many more pairs of context and target than features, so the flow is solved in the features' pulls
``M = Φᵀ α`` instead of the documents' ``α``: a table of features by classes, however long the text.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy import sparse
from scipy.special import softmax

from ntklib.chebyshev import integrate
from ntklib.documents import Documents
from ntklib.dynamics import HasFeatureMap
from ntklib.kernel_operator import largest_eigenvalue
from ntklib.logistic_flow import checked_times, largest_curvature
from ntklib.memory import require_memory
from ntklib.spectrum import FeatureColumns, FeatureMap
from ntklib.validation import checked_integer

# Rows of scores held at once: so many fit into the cache with a few hundred classes.
_BLOCK = 1024


@dataclass(frozen=True)
class Averaged:
    """A model whose score is the mean over a document's tokens, not their sum: ``s(x)/|x|``.

    ``Θ(x, x')`` becomes ``Θ(x, x')/(|x||x'|)``: the bias of a bag model no longer grows with the length.

    Parameters
    ----------
    architecture : Architecture
        A model that sums over tokens, such as :class:`~ntklib.MLP`.

    Examples
    --------
    >>> import ntklib
    >>> model = Averaged(ntklib.MLP("identity"))
    >>> model.feature_map([[0, 1], [1]]).matrix.toarray()
    array([[1. , 0.5, 0.5],
           [1. , 0. , 1. ]])
    >>> model.network(width=8, vocabulary_size=3, seed=0, classes=3)([[0, 1], [2]]).shape
    torch.Size([2, 3])
    """

    architecture: Any

    def feature_map(self, docs: Any, columns: FeatureColumns | None = None) -> FeatureMap:
        """Features of documents, divided by their lengths."""
        documents = Documents.of(docs)
        features = self.architecture.feature_map(documents, columns)
        shares = sparse.diags_array(1 / documents.lengths)
        return replace(features, matrix=sparse.csr_array(shares @ features.matrix))

    def network(self, width: int, vocabulary_size: int, seed: int, **options: Any) -> "AveragedNetwork":
        """Draw the finite network, with the same weights as the architecture's own."""
        return AveragedNetwork(self.architecture.network(width, vocabulary_size, seed, **options))


class AveragedNetwork(torch.nn.Module):
    """The finite network of :class:`Averaged`."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.summing = network
        self.vocabulary_size = network.vocabulary_size

    def forward(self, docs: Any) -> Float[torch.Tensor, "documents *classes"]:
        """Scores of documents, divided by their lengths."""
        documents = Documents.of(docs)
        scores = self.summing(documents)
        lengths = torch.from_numpy(documents.lengths).to(scores.dtype)
        return scores / (lengths if scores.ndim == 1 else lengths[:, None])


@dataclass(frozen=True, eq=False)
class LanguageFlow:
    """The solution of :func:`language_flow`.

    Attributes
    ----------
    times : (T,) float64
        Flow time.
    pulls : (T, P, C) float64
        ``M(t) = Σ_i Φ(x_i) ⊗ α_i(t)``: how far each feature was pulled towards each target.
    weights : (P,) float64
        ``λ``: a feature that occurs once adds ``λ_p M_pw`` to the score of target ``w``.
    columns : FeatureColumns
        What the features are.
    contexts : int
        Number of different contexts that were left after equal ones were taken together.
    """

    times: Float[np.ndarray, " times"]
    pulls: Float[np.ndarray, "times features classes"]
    weights: Float[np.ndarray, " features"]
    columns: FeatureColumns
    contexts: int
    _architecture: HasFeatureMap

    def scores(self, docs: Any, time: int = -1) -> Float[np.ndarray, "documents classes"]:
        """Score change of every target after each context, at the time of that index.

        ``s(x, t) − s(x, 0) = Φ(x) diag(λ) M(t)``; features that training did not meet add nothing.
        """
        matrix, _, _ = self._architecture.feature_map(docs, self.columns)
        return matrix @ (self.weights[:, None] * self.pulls[time])

    def probabilities(self, contexts: Any, targets: Any, time: int = -1) -> Float[np.ndarray, " pairs"]:
        """Probability of each target after its context, of a network whose initial scores are 0."""
        matrix, _, _ = self._architecture.feature_map(contexts, self.columns)
        effects = self.weights[:, None] * self.pulls[time]
        wanted = np.asarray(targets)
        found = np.empty(len(wanted))
        for start in range(0, len(wanted), _BLOCK):
            rows = slice(start, start + _BLOCK)
            given = softmax(matrix[rows] @ effects, axis=1)
            found[rows] = given[np.arange(len(given)), wanted[rows]]
        return found


def language_flow(
    architecture: HasFeatureMap,
    contexts: Any,
    targets: Any,
    times: Any,
    *,
    classes: int,
    tolerance: float = 1e-2,
) -> LanguageFlow:
    """Gradient flow of the softmax loss of an infinitely wide network, for many documents and many classes.

    ``dM/dt = Φᵀ (Y − softmax(Φ diag(λ) M))``, ``M(0) = 0``: what :func:`~ntklib.dynamics.gradient_flow`
    solves in ``α``, multiplied by ``Φᵀ`` from the left. The first term is the co-occurrence of features and
    targets, which is counted once; contexts with equal features are taken together.

    Parameters
    ----------
    architecture : Architecture
        Anything with a ``feature_map``; :class:`~ntklib.MLP` is the bag of words.
    contexts : N documents
        What the targets are predicted from, as of :func:`~ntklib.language_modelling.next_token_pairs`.
    targets : (N,) integers
        ``0 … classes − 1``; some may be missing.
    times : (T,) increasing numbers, 0 or larger
        Flow time, that of the summed loss.
    classes : int
        Number of targets ``C``, 2 or more; each has a score of its own.
    tolerance : float
        Largest error of a feature's effect ``λ M`` that a step may add, relative to ``1 + |λ M|``.

    Returns
    -------
    LanguageFlow

    Raises
    ------
    ValueError
        If the targets do not fit, times do not increase, the tolerance is not between 1e-12 and 1, or the
        kernel of the contexts is zero.

    Notes
    -----
    ``O((nnz Φ + N) C)`` a stage for N different contexts, and ``O(P C)`` numbers in memory for each time.
    Source: derivation.

    Examples
    --------
    A long flow that sees one token ends at the relative frequencies of what followed it.

    >>> import ntklib
    >>> flow = language_flow(ntklib.MLP("tanh"), [[0]] * 4, [1, 1, 1, 2], times=[0, 1e4], classes=3)
    >>> flow.contexts, flow.probabilities([[0], [0]], [1, 2]).round(2).tolist()
    (1, [0.75, 0.25])
    """
    documents = Documents.of(contexts, name="contexts")
    wanted = np.asarray(targets)
    number = checked_integer(classes, "classes", 2)
    if wanted.shape != (len(documents),) or wanted.dtype.kind not in "iu":
        raise ValueError(f"targets must be {len(documents)} integers, one a context.")
    if wanted.min() < 0 or wanted.max() >= number:
        raise ValueError(f"targets must be 0 to {number - 1}, not {wanted.min()} to {wanted.max()}.")
    if not 1e-12 <= tolerance < 1:
        raise ValueError(f"tolerance must be between 1e-12 (rounding) and 1, not {tolerance!r}.")
    instants = checked_times(times)
    features = architecture.feature_map(documents)
    weights = features.weights
    if not weights.any():
        raise ValueError("architecture has a kernel of zero: it learns nothing.")
    require_memory(
        8 * (len(instants) + 8) * len(weights) * number,
        f"A flow of {len(weights):,} features and {number:,} classes",
        "take fewer targets, features or times",
    )
    indicator = sparse.csr_array(
        (np.ones(len(wanted)), (np.arange(len(wanted)), wanted)), shape=(len(wanted), number)
    )
    cooccurrence = (features.matrix.T @ indicator).toarray()
    matrix, repeats = _different_rows(features.matrix)
    blocks = [
        (matrix[start : start + _BLOCK], repeats[start : start + _BLOCK, None])
        for start in range(0, len(repeats), _BLOCK)
    ]
    transposed = [block.T.tocsr() for block, _ in blocks]

    def rate(pulls: np.ndarray) -> np.ndarray:
        effects = weights[:, None] * pulls
        found = cooccurrence.copy()
        for (block, times_seen), back in zip(blocks, transposed, strict=True):
            given = block @ effects
            given -= given.max(axis=1, keepdims=True)
            np.exp(given, out=given)
            given *= times_seen / given.sum(axis=1, keepdims=True)
            found -= back @ given
        return found

    def error_norm(error: np.ndarray, pulls: np.ndarray) -> float:
        scale = 1 + np.abs(weights[:, None] * pulls)
        return float((np.abs(weights[:, None] * error) / scale).max() / tolerance)

    # λ_max of the kernel of all contexts is that of its dual, of the size of the features.
    scaled = sparse.diags_array(np.sqrt(repeats)) @ matrix @ sparse.diags_array(np.sqrt(weights))
    scaled, transpose = sparse.csr_array(scaled), sparse.csr_array(scaled.T)
    largest = largest_eigenvalue(lambda effects: transpose @ (scaled @ effects), len(weights))
    radius = largest_curvature(number) * largest
    states = integrate(rate, np.zeros(cooccurrence.shape), instants, radius, error_norm)
    return LanguageFlow(
        instants, np.stack(list(states)), weights, features.columns, len(repeats), architecture
    )


def _different_rows(matrix: sparse.csr_array) -> tuple[sparse.csr_array, Int[np.ndarray, " rows"]]:
    """Rows without repetition, in the order of their first occurrence, and how often each occurs."""
    matrix.sort_indices()
    first: dict[bytes, int] = {}
    kept: list[int] = []
    places = np.empty(matrix.shape[0], dtype=np.int64)
    ends = matrix.indptr
    for row in range(matrix.shape[0]):
        span = slice(ends[row], ends[row + 1])
        key = matrix.indices[span].tobytes() + matrix.data[span].tobytes()
        place = first.setdefault(key, len(kept))
        if place == len(kept):
            kept.append(row)
        places[row] = place
    return matrix[np.array(kept)], np.bincount(places)
