"""A linearly implicit solver of the gradient flow, whose cost hardly grows with the stiffness: RODAS.

The explicit method of :mod:`ntklib.chebyshev` needs evaluations in proportion to the square root of the
stiffness ``λ_max t``, and ``λ_max`` grows with the number of documents. An implicit method takes steps as
long as the solution is smooth, and pays with linear systems in each. Features of text make these easy ones:
scaled by its diagonal, the matrix has most of its eigenvalues close together, since most pairs of tokens are
in few documents together, so that one or two dozen conjugate-gradient iterations solve it to rounding.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from jaxtyping import Float

from ntklib.adaptive_steps import advance
from ntklib.kernel_operator import KernelOperator, times_rows
from ntklib.logistic_flow import FlowProblem, integrate_residuals, probabilities, probability_change
from ntklib.memory import fits_into_memory, require_memory

Array = np.ndarray

GAMMA = 0.25
# RODAS of Hairer & Wanner (1996), "Solving Ordinary Differential Equations II", section VI.4: six stages of
# fourth order, an error estimate of third order, L-stable. Stage i starts at α + Σ_j START[i][j] U_j.
_FIFTH = [1.221224509226641, 6.019134481288629, 12.53708332932087, -0.6878860361058950]
START = [
    [],
    [1.544],
    [0.9466785280815826, 0.2557011698983284],
    [3.314825187068521, 2.896124015972201, 0.9986419139977817],
    _FIFTH,
    [*_FIFTH, 1.0],
]
MEMORY = [
    [],
    [-5.6688],
    [-2.430093356833875, -0.2063599157091915],
    [-0.1073529058151375, -9.594562251023355, -20.47028614809616],
    [7.496443313967647, -10.24680431464352, -33.99990352819905, 11.70890893206160],
    [8.083246795921522, -7.981132988064893, -31.52159432874371, 16.31930543123136, -6.058818238834054],
]
END = [*_FIFTH, 1.0, 1.0]

STIFF = 2e5
"""From this largest decay rate times the time on, the implicit solver is the faster one for a perceptron."""
SOLVERS = ("auto", "explicit", "implicit")
SOLVED = 1e-12
"""Linear systems are solved until a score is right to this part of ``1 + |s|``: conjugate gradients amplify
rounding up to the error that they leave, so a result would else depend on the machine."""
MOST_ITERATIONS = 1000
MOST_STEPS = 10_000


def solve_flow(
    problem: FlowProblem, instants: Float[Array, " times"], tolerance: float, solver: str = "auto"
) -> Float[Array, "times documents *classes"]:
    """``α`` at each of ``instants``, by the solver asked for, or by the one that is likely to be faster.

    An implicit step handles vectors of all features where an explicit one handles entries: the more features
    there are for the entries, as of n-grams, the stiffer a flow has to be.

    Parameters
    ----------
    problem, instants, tolerance
        As of :func:`integrate_implicitly`.
    solver : {"auto", "explicit", "implicit"}
        See :func:`~ntklib.dynamics.gradient_flow`.

    Returns
    -------
    (T, N) or (T, N, C) float64

    Raises
    ------
    FloatingPointError, MemoryError
        As :func:`integrate_implicitly`. Where no solver was asked for, the explicit one needs less memory.
    """
    if solver == "auto":
        kernel = problem.kernel
        stiffness = problem.fastest_rate * instants[-1]
        stiff = stiffness > STIFF * (1 + 5 * len(kernel.weights) / kernel.entries) ** 2
        solver = "implicit" if stiff and fits_into_memory(predicted_bytes(problem)) else "explicit"
    if solver == "explicit":
        return integrate_residuals(problem, instants, tolerance)
    return np.stack(list(integrate_implicitly(problem, instants, tolerance)))


def predicted_bytes(problem: FlowProblem) -> int:
    """Most memory that the implicit solver takes: vectors of the features and of the documents."""
    return 8 * problem.outputs * (10 * len(problem.kernel.weights) + 26 * len(problem.targets))


def integrate_implicitly(
    problem: FlowProblem, instants: Float[Array, " times"], tolerance: float
) -> Iterator[Float[Array, "documents *classes"]]:
    """Solve ``dα/dt = y − p(s_0 + Θ α)``, ``α(0) = 0``, and yield ``α`` at each of ``instants``.

    With ``W`` the derivative of ``p``, each stage of a step ``h`` solves ``(1 + γ h W Θ) U = b``. In the
    features ``F = Φ √λ``, ``Θ = F Fᵀ``, that is the symmetric ``(1 + γ h Fᵀ W F) z = Fᵀ b``, solved by
    conjugate gradients that are scaled by its diagonal, and ``U = b − γ h W F z``.

    Parameters
    ----------
    problem : FlowProblem
        Its kernel a KernelOperator of N documents; its largest eigenvalue sets the first step.
    instants : (T,) array
        Increasing, the first one 0 or later.
    tolerance : float
        Largest error of a score that a step may add, relative to ``1 + |s|``.

    Yields
    ------
    (N,) or (N, C) float64

    Raises
    ------
    FloatingPointError
        If the kernel holds NaN or infinity, or more than 10,000 steps are needed.
    MemoryError
        If the vectors of features and documents cannot fit into memory.

    Notes
    -----
    Each linear system is solved until the scores that stand in it, ``F z`` for ``Θ U``, are right to 10⁻¹² of
    ``1 + |s|``, whatever the tolerance. So results on another machine, or on a cluster, differ by 10⁻¹¹ or
    so, and by some 10⁻¹⁶ ``λ_max t`` where that is more, which is the rounding of the scores themselves.
    Source: Hairer & Wanner (1996) for the method; derivation for the system in the features.

    Examples
    --------
    One document of class 1 with one token: ``s + eˢ = 1 + 3t``.

    >>> import ntklib
    >>> from ntklib.feature_kernel import FeatureKernel
    >>> kernel = FeatureKernel(ntklib.MLP("identity").feature_map([[0]]))
    >>> problem = FlowProblem(kernel, 3.0, np.ones(1), np.zeros(1))
    >>> [(3 * a[0]).round(4) for a in integrate_implicitly(problem, np.array([1.0, 2.0]), 1e-7)]
    [np.float64(1.0737), np.float64(1.6728)]
    """
    require_memory(
        predicted_bytes(problem),
        f"An implicit solver for {len(problem.kernel.weights):,} features and "
        f"{len(problem.targets):,} documents",
        'pass solver="explicit", which takes more products and less memory',
    )
    dual, scores = np.zeros(problem.targets.shape), problem.initial.copy()
    before: tuple[float, float] | None = None
    steps = 0
    systems = _LinearSystems(problem.kernel, min(tolerance / 5, SOLVED))

    def attempt(now: float, size: float) -> tuple[bool, float]:
        nonlocal dual, scores, before, steps
        steps += 1
        if steps > MOST_STEPS:
            raise FloatingPointError(
                f"the implicit solver took {MOST_STEPS:,} steps to time {now:g}, and not to "
                f"{instants[-1]:g}: pass an earlier time, or a larger tolerance."
            )
        systems.at(scores, GAMMA * size)
        try:
            change, score_change, error = _step(systems, problem, scores, size)
        except _Unsolved:  # a shorter step has a better system
            before = None
            return False, size / 4
        relative = float(np.abs(error / (1 + np.abs(scores + score_change))).max()) / tolerance
        if not np.isfinite(relative):
            raise FloatingPointError(
                f"the gradient flow is not finite at time {now:g}: the kernel holds NaN or infinity."
            )
        relative = max(relative, 1e-12)
        growth = 0.9 / relative ** (1 / 4)
        if relative > 1:
            before = None
            return False, size * min(0.8, max(0.1, growth))
        dual, scores = dual + change, scores + score_change
        if before is not None:
            # Predictive (Gustafsson): as the flow slows down, a step that grows has the same error.
            growth *= size / before[0] * (before[1] / relative) ** (1 / 4)
        before = size, relative
        return True, size * min(5.0, max(0.2, growth))

    for _ in advance(instants, 1 / max(problem.fastest_rate, np.finfo(float).tiny), attempt):
        yield dual


def _step(
    systems: "_LinearSystems", problem: FlowProblem, scores: Array, step: float
) -> tuple[Array, Array, Array]:
    """Change of ``α``, the change of the scores that it makes, and the estimated error of these."""
    stages: list[Array] = []
    stage_scores: list[Array] = []
    for start, memory in zip(START, MEMORY, strict=True):
        rate = problem.rate(scores + _sum(start, stage_scores))
        stage, own = systems.solve(GAMMA * (step * rate + _sum(memory, stages)))
        stages.append(stage)
        stage_scores.append(own)
    return _sum(END, stages), _sum(END, stage_scores), stage_scores[-1]


def _sum(factors: list[float], terms: list[Array]) -> Any:
    return sum((factor * term for factor, term in zip(factors, terms, strict=True)), 0.0)


class _Unsolved(ArithmeticError):
    """A linear system that the conjugate gradients do not solve in so many iterations."""


class _LinearSystems:
    """``(1 + g W Θ) U = b`` of one step, with a given error of the scores that stand for ``Θ U`` in it."""

    def __init__(self, kernel: KernelOperator, tolerance: float) -> None:
        self.kernel, self.tolerance = kernel, tolerance
        # Shares of a spectrum may be below zero by rounding.
        self.roots = np.sqrt(np.maximum(kernel.ordered_weights, 0))
        self.error_per_residual = 0.0  # as the last system had it

    def at(self, scores: Array, factor: float) -> None:
        """Set ``W`` to that of these scores, and ``g``."""
        self.factor, self.scale = factor, 1 + np.abs(scores)
        self.chances = probabilities(scores)
        self.curvature = self.kernel.curvature(self.chances)
        self.diagonal = 1 + factor * times_rows(self.roots**2, self.curvature.diagonal())

    def solve(self, right: Array) -> tuple[Array, Array]:
        """``U`` and ``Θ U``."""
        residual = times_rows(self.roots, self.kernel.pulls(right))
        solution = np.zeros_like(residual)
        scaled = residual / self.diagonal
        direction, square = scaled, _inner(residual, scaled)
        for _ in range(MOST_ITERATIONS):
            if not np.isfinite(square):
                return np.full_like(right, np.nan), np.full_like(right, np.nan)
            if np.sqrt(square) * self.error_per_residual <= self.tolerance / 2:
                # FᵀU is z and its residual: with the scores F z in the system, Θ U is these and the rest.
                found = self.kernel.scores(times_rows(self.roots, solution))
                rest = self.kernel.scores(times_rows(self.roots, residual))
                missing = float(np.abs(rest / self.scale).max())
                if square > 0:
                    self.error_per_residual = missing / np.sqrt(square)
                if missing <= self.tolerance or square == 0:
                    return right - self.factor * probability_change(self.chances, found), found + rest
            image = times_rows(self.roots, self.curvature(times_rows(self.roots, direction)))
            image = direction + self.factor * image
            length = square / _inner(direction, image)
            solution = solution + length * direction
            residual = residual - length * image
            scaled = residual / self.diagonal
            square, before = _inner(residual, scaled), square
            direction = scaled + square / before * direction
        raise _Unsolved


def _inner(one: Array, other: Array) -> float:
    # Not BLAS, whose sums depend on the number of threads.
    return float((one * other).sum())
