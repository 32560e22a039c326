"""Gradient flow on a kernel that is given as a matrix: that of one network, say, or an estimated one."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from ntklib.logistic_flow import checked_scores, checked_times, integrate_residuals, targets_of
from ntklib.validation import checked_integer, finite_array


@dataclass(frozen=True, eq=False)
class KernelFlow:
    """The solution of :func:`kernel_flow`.

    Attributes
    ----------
    times : (T,) float64
        Flow time.
    dual : (T, N) or (T, N, C) float64
        ``α_i(t) = ∫₀ᵗ r_i dt``.
    """

    times: Float[np.ndarray, " times"]
    dual: Float[np.ndarray, "times documents *classes"]

    def score_changes(self, kernel: Any) -> Float[np.ndarray, "times probes *classes"]:
        """``s(x, t) − s(x, 0) = Σ_i α_i(t) Θ(x, x_i)`` of M probes.

        Parameters
        ----------
        kernel : (M, N) array
            ``Θ`` of the probes with the training documents.
        """
        rows = finite_array(kernel, "kernel", (None, None))
        if rows.shape[1] != self.dual.shape[1]:
            raise ValueError(
                f"kernel must have {self.dual.shape[1]} columns, one a training document, "
                f"not {rows.shape[1]}."
            )
        return np.moveaxis(np.tensordot(self.dual, rows, axes=([1], [1])), -1, 1)


def kernel_flow(
    kernel: Any,
    labels: Any,
    times: Any,
    *,
    classes: int = 2,
    initial_scores: Any = None,
    tolerance: float = 1e-4,
) -> KernelFlow:
    """Gradient flow of a model whose training kernel stays the given matrix.

    ``dα/dt = y − p(s_0 + Θ α)`` (book, :ref:`gradient-flow`). With the empirical kernel of one network and
    its own initial scores this is the *linearised* network: what training would do if the kernel did not
    drift.

    Parameters
    ----------
    kernel : (N, N) symmetric array
        ``Θ`` of the training documents.
    labels : (N,) integers
        ``0 … C − 1``.
    times : (T,) increasing numbers, 0 or larger
        Flow time: learning rate times epochs.
    classes : int
        ``C``. With two there is one score, the logit of class 1.
    initial_scores : (N,) or (N, C) floats, optional
        ``s_0``; 0 by default.
    tolerance : float
        As in :func:`~ntklib.dynamics.gradient_flow`.

    Returns
    -------
    KernelFlow

    Raises
    ------
    ValueError
        If the kernel is not symmetric, of the wrong shape or zero, or another argument does not fit.

    Notes
    -----
    ``O(N² C)`` a stage. For the architectures with a feature map :func:`~ntklib.dynamics.gradient_flow` costs
    less. Source: derivation.

    Examples
    --------
    >>> flow = kernel_flow([[3.0]], [1], [0, 1, 2], tolerance=1e-6)
    >>> flow.score_changes([[3.0]])[:, 0].round(3)
    array([0.   , 1.074, 1.673])
    """
    matrix = finite_array(kernel, "kernel", (None, None))
    if matrix.shape[0] != matrix.shape[1] or not np.allclose(matrix, matrix.T, rtol=1e-6, atol=1e-9):
        raise ValueError(
            f"kernel must be a symmetric (N, N) array, not of shape {matrix.shape} or not symmetric."
        )
    documents = len(matrix)
    given = np.asarray(labels)
    if given.shape != (documents,) or given.dtype.kind not in "iub":
        raise ValueError(
            f"labels must be {documents} integers, not of shape {given.shape} and {given.dtype}."
        )
    if given.min() < 0 or given.max() >= checked_integer(classes, "classes", 2):
        raise ValueError(f"labels must be 0 to {classes - 1}, not {int(given.min())} to {int(given.max())}.")
    instants = checked_times(times)
    targets = targets_of(given, classes)
    initial = checked_scores(initial_scores, targets.shape)
    largest = float(np.linalg.eigvalsh(matrix)[-1])
    if largest <= 0:
        raise ValueError("kernel has no positive eigenvalue: a model with this kernel learns nothing.")
    dual = integrate_residuals(lambda state: matrix @ state, largest, targets, initial, instants, tolerance)
    return KernelFlow(instants, dual)
