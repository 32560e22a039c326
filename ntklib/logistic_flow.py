"""Gradient flow of the logistic and the softmax loss in the dual variables, for any kernel."""

from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.special import expit, softmax

from ntklib.chebyshev import integrate


def largest_curvature(outputs: int) -> float:
    """Largest eigenvalue of the loss's Hessian in the scores: of ``p(1 − p)``, or of ``diag(p) − p pᵀ``."""
    return 0.25 if outputs == 1 else 0.5


def probabilities(scores: np.ndarray) -> np.ndarray:
    """``p(s)``: logistic of one score a document, softmax of several."""
    return expit(scores) if scores.ndim == 1 else softmax(scores, axis=1)


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


def integrate_residuals(
    kernel: Callable[[np.ndarray], np.ndarray],
    largest_eigenvalue: float,
    targets: Float[np.ndarray, "documents *classes"],
    initial: Float[np.ndarray, "documents *classes"],
    instants: Float[np.ndarray, " times"],
    tolerance: float,
) -> Float[np.ndarray, "times documents *classes"]:
    """Solve ``dα/dt = y − p(s_0 + Θ α)``, ``α(0) = 0``.

    Parameters
    ----------
    kernel : callable
        ``α ↦ Θ α``.
    largest_eigenvalue : float
        ``λ_max(Θ)``, from above.
    targets, initial : (N,) or (N, C) arrays
        ``y`` and ``s_0``.
    instants : (T,) array
        When to return ``α``.
    tolerance : float
        Largest error of a score that a step may add, relative to ``1 + |s|``.
    """
    if not 1e-12 <= tolerance < 1:
        raise ValueError(f"tolerance must be between 1e-12 (rounding) and 1, not {tolerance!r}.")
    outputs = 1 if targets.ndim == 1 else targets.shape[1]
    states = integrate(
        lambda dual: targets - probabilities(initial + kernel(dual)),
        np.zeros(targets.shape),
        instants,
        largest_curvature(outputs) * largest_eigenvalue,
        lambda error, dual: float(
            np.abs(kernel(error) / (1 + np.abs(initial + kernel(dual)))).max() / tolerance
        ),
    )
    return np.stack(list(states))
