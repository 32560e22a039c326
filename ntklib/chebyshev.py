"""A stabilised explicit integrator for gradient flows: the second-order Runge-Kutta-Chebyshev method.

The kernel's largest eigenvalue (the bias that ReLU gives to every token) can be 10⁵ times the one of a
rare token. An ordinary explicit method must follow the largest one for ever; an implicit one needs linear
solves with the kernel. A Chebyshev method of ``s`` stages is stable on ``[−0.65 s², 0]`` of the real axis,
where the whole spectrum of a gradient flow on a convex loss lies, and needs nothing but evaluations of the
right-hand side.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ntklib.adaptive_steps import advance

State = np.ndarray


@dataclass(frozen=True)
class _Coefficients:
    """Coefficients of the recursion with ``s`` stages (Sommeijer, Shampine & Verwer 1998)."""

    mu: np.ndarray
    nu: np.ndarray
    mu_rate: np.ndarray
    gamma_rate: np.ndarray
    first: float


@lru_cache(maxsize=512)
def _coefficients(stages: int) -> _Coefficients:
    damping = 2 / 13
    w0 = 1 + damping / stages**2
    value, slope, curvature = np.ones(stages + 1), np.zeros(stages + 1), np.zeros(stages + 1)
    value[1], slope[1] = w0, 1.0
    for j in range(2, stages + 1):  # T_j and its two derivatives at w0
        value[j] = 2 * w0 * value[j - 1] - value[j - 2]
        slope[j] = 2 * value[j - 1] + 2 * w0 * slope[j - 1] - slope[j - 2]
        curvature[j] = 4 * slope[j - 1] + 2 * w0 * curvature[j - 1] - curvature[j - 2]
    w1 = slope[stages] / curvature[stages]
    b = np.empty(stages + 1)
    b[2:] = curvature[2:] / slope[2:] ** 2
    b[:2] = b[2]
    a = 1 - b * value
    mu, nu, mu_rate, gamma_rate = np.zeros((4, stages + 1))
    mu[2:] = 2 * b[2:] * w0 / b[1:-1]
    nu[2:] = -b[2:] / b[:-2]
    mu_rate[2:] = 2 * b[2:] * w1 / b[1:-1]
    gamma_rate[2:] = -a[1:-1] * mu_rate[2:]
    return _Coefficients(mu, nu, mu_rate, gamma_rate, float(b[1] * w1))


def _step(rate: Callable[[State], State], start: State, start_rate: State, step: float, stages: int) -> State:
    c = _coefficients(stages)
    before, current = start, start + c.first * step * start_rate
    for j in range(2, stages + 1):
        following = (
            (1 - c.mu[j] - c.nu[j]) * start
            + c.mu[j] * current
            + c.nu[j] * before
            + step * (c.mu_rate[j] * rate(current) + c.gamma_rate[j] * start_rate)
        )
        before, current = current, following
    return current


def integrate(
    rate: Callable[[State], State],
    start: State,
    times: np.ndarray,
    spectral_radius: float,
    error_norm: Callable[[State, State], float],
) -> Iterator[State]:
    """Integrate ``dα/dt = rate(α)`` from ``α(0) = start`` and yield ``α`` at each of ``times``.

    Parameters
    ----------
    rate : callable
        The right-hand side; its Jacobian must have real eigenvalues in ``[−spectral_radius, 0]``.
    start : array
        The state at time 0.
    times : (T,) float64
        Increasing, the first one 0 or later.
    spectral_radius : float
        A bound on the eigenvalues' magnitude.
    error_norm : callable
        Maps (estimated error of a step, state) to a number; a step is accepted when it is 1 or less.

    Yields
    ------
    array
        The state at each time.

    Notes
    -----
    Steps adapt to the error estimate of Sommeijer, Shampine & Verwer (1998), "RKC: an explicit solver for
    parabolic PDEs"; the number of stages follows from the step. A method of second order: the cost grows with
    the square root of the stiffness and of the inverse tolerance.

    Examples
    --------
    >>> error_norm = lambda error, state: float(abs(error).max() / 1e-8)
    >>> decay = integrate(lambda state: -state, np.ones(1), np.array([1.0]), 1.0, error_norm)
    >>> bool(abs(next(decay)[0] - np.exp(-1)) < 1e-6)
    True
    """
    state = np.array(start, dtype=np.float64)
    slope = rate(state)

    def attempt(now: float, size: float) -> tuple[bool, float]:
        nonlocal state, slope
        stages = max(2, 1 + int(np.sqrt(1 + 1.54 * size * spectral_radius)))
        proposal = _step(rate, state, slope, size, stages)
        proposal_slope = rate(proposal)
        estimate = 0.8 * (state - proposal) + 0.4 * size * (slope + proposal_slope)
        error = error_norm(estimate, proposal)
        if not np.isfinite(error):
            raise FloatingPointError(
                f"the gradient flow is not finite at time {now:g}: the kernel holds NaN or infinity."
            )
        growth = min(5.0, max(0.1, 0.8 / max(error, 1e-12) ** (1 / 3)))
        if error > 1:
            return False, size * min(growth, 0.8)
        state, slope = proposal, proposal_slope
        return True, size * growth

    for _ in advance(times, 1 / max(spectral_radius, np.finfo(float).tiny), attempt):
        yield state
