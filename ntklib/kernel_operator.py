"""What a flow needs of a kernel of documents, wherever the features are, and its largest eigenvalue."""

from abc import ABC, abstractmethod
from collections.abc import Callable

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy import sparse
from scipy.sparse.linalg import LinearOperator, eigsh

from ntklib.spectrum import FeatureColumns, FeatureMap


def largest_eigenvalue(
    product: Callable[[np.ndarray], np.ndarray], size: int, start: Float[np.ndarray, " rows"] | None = None
) -> float:
    """``λ_max`` of a symmetric positive semi-definite operator, to one part in a thousand, from above.

    Parameters
    ----------
    product : callable
        ``v ↦ A v``.
    size : int
        Rows of ``A``.
    start : (size,) array, optional
        Where the Lanczos iteration starts; ones by default. It must not be orthogonal to the leading
        eigenvector, as ones are to features that are centred.

    Returns
    -------
    float

    Notes
    -----
    A fixed start makes the iteration the same in each run. Source: ARPACK, through SciPy; its estimate is
    below ``λ_max`` by at most one part in ten thousand, hence the factor 1.001.

    Examples
    --------
    >>> matrix = np.diag([1.0, 2.0, 3.0, 4.0])
    >>> 4 <= largest_eigenvalue(lambda v: matrix @ v, 4) <= 4.01
    True
    """
    if size < 3:
        return float(np.linalg.eigvalsh(np.stack([product(row) for row in np.eye(size)])).max())
    operator = LinearOperator((size, size), matvec=product, dtype=np.float64)
    first = np.ones(size) if start is None else start
    return 1.001 * float(eigsh(operator, k=1, v0=first, tol=1e-4, return_eigenvectors=False)[0])


def times_rows(factors: Float[np.ndarray, " rows"], array: np.ndarray) -> np.ndarray:
    """Multiply each row of an array, or each number, by its factor."""
    return factors * array if array.ndim == 1 else factors[:, None] * array


class Curvature(ABC):
    """``Φᵀ W Φ`` as an operator: the loss's curvature in the scores of the features."""

    @abstractmethod
    def __call__(self, ordered: np.ndarray) -> np.ndarray:
        """``Φᵀ W Φ v``."""

    @abstractmethod
    def diagonal(self) -> np.ndarray:
        """``Σ_i Φ_iu² p_i (1 − p_i)``: (P,), or (P, C) for several classes."""


class KernelOperator(ABC):
    """The kernel of the training documents, wherever their features are kept: what a flow needs of it.

    Attributes
    ----------
    columns : FeatureColumns
    pattern_weights : DataFrame
    weights : (P,) float64
        As of a :class:`~ntklib.spectrum.FeatureMap`.
    entries : int
        How many entries of the features are not zero.
    ordered_weights : (P,) float64
        The weights in the kernel's own order of the features, which :meth:`pulls`, :meth:`scores` and
        :meth:`curvature` have, too.
    """

    columns: FeatureColumns
    pattern_weights: pd.DataFrame
    weights: Float[np.ndarray, " features"]
    ordered_weights: Float[np.ndarray, " features"]
    entries: int

    @property
    @abstractmethod
    def features(self) -> FeatureMap:
        """All features in one place."""

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of documents."""

    @abstractmethod
    def __call__(self, dual: np.ndarray) -> np.ndarray:
        """``Θ a``."""

    @abstractmethod
    def feature_scores(self, dual: np.ndarray) -> np.ndarray:
        """``λ ∘ Φᵀ a``: what each feature adds to the score of a document that holds it once."""

    @abstractmethod
    def pulls(self, dual: np.ndarray) -> np.ndarray:
        """``Φᵀ a``, in the kernel's own order of the features."""

    @abstractmethod
    def scores(self, ordered: np.ndarray) -> np.ndarray:
        """``Φ v`` of values of the features, in the kernel's own order."""

    @abstractmethod
    def curvature(self, chances: np.ndarray) -> Curvature:
        """``Φᵀ W Φ``, ``W`` the derivative of the probabilities ``p`` of the documents."""

    @abstractmethod
    def overlaps(self, probe: sparse.csr_array) -> Float[np.ndarray, "documents patterns"]:
        """``Φ_S(x)·Φ_S(x_i)`` of one document ``x`` with each training document, by pattern."""

    def largest_eigenvalue(self, start: Float[np.ndarray, " documents"] | None = None) -> float:
        """``λ_max(Θ)``; see :func:`largest_eigenvalue`."""
        return largest_eigenvalue(self, len(self), start)
