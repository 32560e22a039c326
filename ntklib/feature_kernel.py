"""The kernel of documents as an operator on their sparse features, in the memory of this process."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float
from scipy import sparse

from ntklib.feature_tiles import FeatureBlock, by_frequency, feature_blocks, predicted_bytes
from ntklib.kernel_operator import Curvature, KernelOperator, times_rows
from ntklib.logistic_flow import probability_change
from ntklib.memory import INSTEAD_OF_FEATURES, require_memory
from ntklib.spectrum import FeatureColumns, FeatureMap


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
    Inside, the features are numbered by falling frequency, as far as 65,535, and equally frequent ones as
    they first occur: the values of the frequent ones then share cache lines, and those of the rest, most
    n-grams, are used one after the other. A product reads entries in tiles whose documents and features stay
    in a processor's cache. Up to 131,072 documents and 2,097,152 features that is one tile, whose sums are
    taken in the order of the feature map, as if no feature had a new number.
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
        self._order = by_frequency(features.matrix)
        self.ordered_weights = self.weights[self._order]
        self._blocks = feature_blocks(features.matrix, self._order)

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
        return self._of_all_blocks(FeatureBlock.pulls, dual)

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

    def _block_scores(self, block: FeatureBlock, dual: np.ndarray) -> np.ndarray:
        """``λ ∘ Φᵀ a`` of the features of a block."""
        return times_rows(self.ordered_weights[block.features], block.pulls(dual))

    def pulls_of_squares(self, values: np.ndarray) -> np.ndarray:
        """``Σ_i Φ_iu² v_i``, frequent features first."""
        return self._of_all_blocks(FeatureBlock.pulls_of_squares, values)

    def _of_all_blocks(
        self, pulls: Callable[[FeatureBlock, np.ndarray], np.ndarray], values: np.ndarray
    ) -> np.ndarray:
        found = np.empty((len(self._order), *values.shape[1:]))
        for block in self._blocks:
            found[block.features] = pulls(block, values)
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
