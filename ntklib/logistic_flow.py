"""Gradient flow of the logistic and the softmax loss in the dual variables, for any kernel.

The kernel is an operator for :func:`integrate_residuals`, and a matrix for :func:`kernel_flow`: that of one
network, say, or an estimated one.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.special import expit, softmax

from ntklib.chebyshev import integrate
from ntklib.memory import require_memory
from ntklib.validation import checked_integer, finite_array


def largest_curvature(outputs: int) -> float:
    """Largest eigenvalue of the loss's Hessian in the scores: of ``p(1 − p)``, or of ``diag(p) − p pᵀ``."""
    return 0.25 if outputs == 1 else 0.5


def probabilities(scores: np.ndarray) -> np.ndarray:
    """``p(s)``: logistic of one score a document, softmax of several."""
    return expit(scores) if scores.ndim == 1 else softmax(scores, axis=1)


def probability_change(chances: np.ndarray, score_change: np.ndarray) -> np.ndarray:
    """``W δs``, ``W`` the derivative of ``p``: ``p(1 − p)``, or ``diag(p) − p pᵀ`` of several scores."""
    if chances.ndim == 1:
        return chances * (1 - chances) * score_change
    return chances * (score_change - (chances * score_change).sum(axis=1, keepdims=True))


def targets_of(labels: np.ndarray, classes: int) -> Float[np.ndarray, "documents *classes"]:
    """``y``: the label itself for two classes, its indicator for more."""
    return labels.astype(np.float64) if classes == 2 else np.eye(classes)[labels]


def checked_times(times: Any) -> Float[np.ndarray, " times"]:
    """Return increasing times, 0 or larger, or raise a ValueError."""
    instants = np.atleast_1d(np.asarray(times, dtype=np.float64))
    if instants.ndim != 1 or len(instants) == 0 or not np.isfinite(instants).all():
        raise ValueError(f"times must be a sequence of finite numbers, not {times!r}.")
    if instants[0] < 0 or (np.diff(instants) <= 0).any():
        raise ValueError(f"times must be 0 or larger and increase, not {instants.tolist()}.")
    return instants


def checked_scores(scores: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Return finite initial scores of the given shape, 0 where there are none, or raise a ValueError."""
    if scores is None:
        return np.zeros(shape)
    initial = np.asarray(scores, dtype=np.float64)
    if initial.shape != shape:
        raise ValueError(
            f"initial_scores must have shape {shape}, a score of each document, not {initial.shape}."
        )
    if not np.isfinite(initial).all():
        raise ValueError("initial_scores must be finite: one of them is NaN or infinite.")
    return initial


def checked_tolerance(tolerance: float) -> float:
    """Return a tolerance between rounding and 1, or raise a ValueError."""
    if not 1e-12 <= tolerance < 1:
        raise ValueError(f"tolerance must be between 1e-12 (rounding) and 1, not {tolerance!r}.")
    return tolerance


@dataclass(frozen=True, eq=False)
class FlowProblem:
    """``dα/dt = y − p(s_0 + Θ α)``, ``α(0) = 0``: what is solved, by whatever method.

    Attributes
    ----------
    kernel : KernelOperator, or callable
        ``α ↦ Θ α`` of N training documents.
    largest_eigenvalue : float
        ``λ_max(Θ)``, from above.
    targets, initial : (N,) or (N, C) arrays
        ``y`` and ``s_0``.
    """

    kernel: Any
    largest_eigenvalue: float
    targets: Float[np.ndarray, "documents *classes"]
    initial: Float[np.ndarray, "documents *classes"]

    @property
    def outputs(self) -> int:
        """Scores a document: one, or one a class."""
        return 1 if self.targets.ndim == 1 else self.targets.shape[1]

    @property
    def fastest_rate(self) -> float:
        """Bound on the rate at which anything decays: ``λ_max(Θ)`` times the loss's largest curvature."""
        return largest_curvature(self.outputs) * self.largest_eigenvalue

    def rate(self, scores: np.ndarray) -> np.ndarray:
        """``dα/dt`` at these scores of the documents."""
        return self.targets - probabilities(scores)


def integrate_residuals(
    problem: FlowProblem, instants: Float[np.ndarray, " times"], tolerance: float
) -> Float[np.ndarray, "times documents *classes"]:
    """Solve the flow by the explicit method of :mod:`ntklib.chebyshev`.

    Parameters
    ----------
    problem : FlowProblem
    instants : (T,) array
        When to return ``α``: increasing, the first one 0 or later.
    tolerance : float
        Largest error of a score that a step may add, relative to ``1 + |s|``.
    """
    kernel, initial = problem.kernel, problem.initial
    states = integrate(
        lambda dual: problem.rate(initial + kernel(dual)),
        np.zeros(problem.targets.shape),
        instants,
        problem.fastest_rate,
        lambda error, dual: float(
            np.abs(kernel(error) / (1 + np.abs(initial + kernel(dual)))).max() / tolerance
        ),
    )
    return np.stack(list(states))


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

    ``dα/dt = y − p(s_0 + Θ α)`` (book, :eq:`gradient-flow`). With the empirical kernel of one network and
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
    size = len(kernel)
    require_memory(
        3 * 8 * size**2,
        f"A flow of a {size:,} x {size:,} kernel",
        "pass fewer documents, or solve gradient_flow, which needs no kernel matrix",
    )
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
    checked_tolerance(tolerance)
    targets = targets_of(given, classes)
    initial = checked_scores(initial_scores, targets.shape)
    largest = float(np.linalg.eigvalsh(matrix)[-1])
    if largest <= 0:
        raise ValueError("kernel has no positive eigenvalue: a model with this kernel learns nothing.")
    problem = FlowProblem(lambda state: matrix @ state, largest, targets, initial)
    dual = integrate_residuals(problem, instants, tolerance)
    return KernelFlow(instants, dual)
