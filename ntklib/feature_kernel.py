"""The kernel of documents as an operator on their sparse features, in the memory of this process."""

from itertools import pairwise

import numpy as np
from jaxtyping import Float, Int
from scipy import sparse

from ntklib.kernel_operator import Curvature, KernelOperator
from ntklib.logistic_flow import probability_change
from ntklib.memory import INSTEAD_OF_FEATURES, require_memory
from ntklib.spectrum import FeatureColumns, FeatureMap
from ntklib.spectrum.columns import smallest_index

_BLOCK = 2**20  # entries that are looked at together


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
    scores of the frequent ones then share cache lines, and those of the rest, most n-grams, are read one
    after the other. All sums are taken in the order of the feature map, so no bit of a product depends on it.
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
        rows = features.matrix
        rank = np.empty(len(self._order), rows.indices.dtype)
        rank[self._order] = np.arange(len(rank))
        ordered = np.empty_like(rows.indices)
        for start in range(0, rows.nnz, _BLOCK):  # NumPy copies what it looks up by, to 8 bytes each
            ordered[start : start + _BLOCK] = rank[rows.indices[start : start + _BLOCK]]
        del rank
        self._ordered = sparse.csr_array((rows.data, ordered, rows.indptr), shape=rows.shape)
        self._transpose = self._ordered.T.tocsr()

    @property
    def features(self) -> FeatureMap:
        """As given."""
        return self._features

    def __len__(self) -> int:
        return self.matrix.shape[0]

    def __call__(self, dual: np.ndarray) -> np.ndarray:
        """``Θ a``."""
        return self.scores(self._ordered_scores(dual))

    def pulls(self, dual: np.ndarray) -> np.ndarray:
        """``Φᵀ a``, frequent features first."""
        return self._transpose @ dual

    def scores(self, ordered: np.ndarray) -> np.ndarray:
        """``Φ v`` of values of the features, frequent ones first."""
        return self._ordered @ ordered

    def curvature(self, chances: np.ndarray) -> Curvature:
        """``Φᵀ W Φ``, ``W`` the derivative of the probabilities ``p`` of the documents."""
        return _FeatureCurvature(self, chances)

    def feature_scores(self, dual: np.ndarray) -> np.ndarray:
        """``λ ∘ Φᵀ a``: what each feature adds to the score of a document that holds it once."""
        ordered = self._ordered_scores(dual)
        scores = np.empty_like(ordered)
        scores[self._order] = ordered
        return scores

    def _ordered_scores(self, dual: np.ndarray) -> np.ndarray:
        return (self.ordered_weights * self.pulls(dual).T).T

    def pulls_of_squares(self, values: np.ndarray) -> np.ndarray:
        """``Σ_i Φ_iu² v_i``, frequent features first."""
        held = self._transpose
        cuts = np.searchsorted(held.indptr, np.arange(0, held.nnz, _BLOCK))
        cuts = np.unique(np.concatenate([cuts, [0, held.shape[0]]]))
        sums = []
        # In blocks, for the squares of all entries would take their memory again.
        for start, stop in pairwise(cuts.tolist()):
            rows = held.indptr[start : stop + 1]
            entries = slice(rows[0], rows[-1])
            squares = (held.data[entries] ** 2, held.indices[entries], rows - rows[0])
            sums.append(sparse.csr_array(squares, shape=(stop - start, held.shape[1])) @ values)
        return np.concatenate(sums)

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
    never = np.flatnonzero(frequency == 0).astype(matrix.indices.dtype)
    columns = np.concatenate([matrix.indices[occurs], never])
    return columns[np.argsort(2**16 - 1 - frequency[columns], kind="stable")]  # a radix sort: linear


def predicted_bytes(features: FeatureMap) -> int:
    """Most memory that a :class:`FeatureKernel` takes beside its features, while it is made and afterwards.

    Of each entry it keeps a number and, in the transpose, a number and a value; of each feature two weights,
    its place and a pointer. What orders the features is added, a byte an entry, two numbers, two counts and
    a sort of the features and a block of entries: it is freed before, but not all returns to the system.
    """
    number = features.matrix.indices.itemsize
    entries, size = features.matrix.nnz, len(features.columns)
    kept = (8 + 2 * number) * entries + (2 * 8 + 2 * number) * size
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
