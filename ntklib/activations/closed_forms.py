"""Closed forms of ``E φ^(o)(a)`` and ``E φ^(o)(a) φ^(o)(b)`` for Gaussian ``(a, b)``, orders ``o`` = 0, 1, 2.

Each order is the derivative in ``c`` of the one before (Price's theorem, ``K_φ' = dK_φ/dc``). All are written
with ``gap = q₁q₂ − c²``, computed as a product, and with arctan2: nothing cancels as ``|c| → √(q₁q₂)``.
"""

import numpy as np
from jaxtyping import Float

Array = Float[np.ndarray, " n"]


def _gap(c: Array, q1: float, q2: float) -> Array:
    """``q₁q₂ − c²`` without cancellation; ``√(q·q) = q`` exactly in floating point."""
    largest = np.sqrt(q1 * q2)
    return (largest - c) * (largest + c)


def identity_mean(q: float, order: int) -> float:
    """``E a = 0``, ``E 1 = 1``, ``E 0 = 0``."""
    return float(order == 1)


def identity_dual(c: Array, q1: float, q2: float, order: int) -> Array:
    """``K = c``, ``K' = 1``, ``K'' = 0``."""
    return c.copy() if order == 0 else np.full_like(c, order == 1)


def relu_mean(q: float, order: int) -> float:
    """``√(q/2π)``, ``1/2`` and, as ``φ''`` is a Dirac delta, the density ``1/√(2πq)`` at 0."""
    return float((np.sqrt(q / (2 * np.pi)), 0.5, 1 / np.sqrt(2 * np.pi * q))[order])


def relu_dual(c: Array, q1: float, q2: float, order: int) -> Array:
    """``K = (√gap + cβ)/2π``, ``K' = β/2π``, ``K'' = 1/(2π√gap)`` with ``β = π − arccos(c/√(q₁q₂))``.

    Cho & Saul (2009); with equal variances ``√gap = q sin θ`` and ``β = π − θ``.
    ``β = arctan2(√gap, −c)``: arccos would lose half of the digits at ``|c| → √(q₁q₂)``.
    """
    root = np.sqrt(_gap(c, q1, q2))
    if order == 2:
        if (root == 0).any():
            raise ValueError(
                "order=2: E φ''(a)φ''(b) of 'relu' is infinite at |covariance| = √(variance · variance_b), "
                "where φ'' is a Dirac delta; use a smooth activation: 'gelu', 'silu', 'tanh' or 'erf'."
            )
        return 1 / (2 * np.pi * root)
    angle = np.arctan2(root, -c)
    return (root + c * angle if order == 0 else angle) / (2 * np.pi)


def erf_mean(q: float, order: int) -> float:
    """``0``, ``2/√(π(1 + 2q))``, ``0``: erf is odd."""
    return float(2 / np.sqrt(np.pi * (1 + 2 * q))) if order == 1 else 0.0


def erf_dual(c: Array, q1: float, q2: float, order: int) -> Array:
    """``K = (2/π) arctan(2c/√D)``, ``K' = 4/(π√D)``, ``K'' = 16c/(πD^{3/2})``, ``D = (1+2q₁)(1+2q₂) − 4c²``.

    Williams (1998), who writes ``(2/π) arcsin(2c/√((1+2q₁)(1+2q₂)))``.
    """
    d = 1 + 2 * q1 + 2 * q2 + 4 * _gap(c, q1, q2)
    if order == 0:
        return 2 / np.pi * np.arctan2(2 * c, np.sqrt(d))
    return 4 / np.pi / np.sqrt(d) if order == 1 else 16 / np.pi * c / d**1.5


def gelu_mean(q: float, order: int) -> float:
    """``q/√(2π(1 + q))``, ``1/2``, ``(2 + q)/√(2π(1 + q)³)``; the last is ``2 d/dq`` of the first."""
    return float((q / np.sqrt(2 * np.pi * (1 + q)), 0.5, (2 + q) / np.sqrt(2 * np.pi * (1 + q) ** 3))[order])


def gelu_dual(c: Array, q1: float, q2: float, order: int) -> Array:
    """Tsuchida et al. (2021), with ``P = (1+q₁)(1+q₂)``, ``Δ² = P − c²``, ``ψ = π/2 + arctan(c/Δ)``.

    With ``n = 2+q₁+q₂``: ``2πK = cψ + (c² + q₁q₂Δ²)/(PΔ)``; ``2πK' = ψ + cn/(PΔ) + c/Δ³``;
    ``2πK'' = 1/Δ + (1 + n)/Δ³ + 3c²/Δ⁵``.
    """
    p, n = (1 + q1) * (1 + q2), 2 + q1 + q2
    delta = np.sqrt(1 + q1 + q2 + _gap(c, q1, q2))
    angle = np.arctan2(delta, -c)
    if order == 0:
        scaled = c * angle + (c**2 + q1 * q2 * delta**2) / (p * delta)
    elif order == 1:
        scaled = angle + c * n / (p * delta) + c / delta**3
    else:
        scaled = 1 / delta + (1 + n) / delta**3 + 3 * c**2 / delta**5
    return scaled / (2 * np.pi)
