"""Gaussian moments of an activation by quadrature, with an error estimate that is enforced."""

from functools import lru_cache

import numpy as np

from ntklib.activations.activation import Activation
from ntklib.activations.panels import (
    GAUSSIAN_BREAKS,
    RADIUS,
    kinks,
    nodes_of,
    panels,
    require_function,
    thinned,
)

TOLERANCE = 1e-11
"""Largest accepted change of a moment under a finer rule, relative to its scale ``√(E f(a)² E f(b)²)``."""

_RULES = (12, 16, 24, 36)
_BLOCK = 1_000_000  # evaluations at a time: 8 MB an array
_MOST_EVALUATIONS = 100_000_000


def _density(u: np.ndarray) -> np.ndarray:
    return np.exp(-(u**2) / 2) / np.sqrt(2 * np.pi)


def _refused(activation: Activation, order: int, why: str) -> ValueError:
    return ValueError(
        f"activation {activation.name!r}: its derivative of order {order} {why}; use a smaller variance, "
        "or an activation that is smooth and grows like a polynomial."
    )


def _single(activation: Activation, order: int, first: float, second: float | None, nodes: int) -> float:
    """``E f(first·u)``, times ``f(second·u)`` unless ``second`` is None, ``u ~ N(0, 1)``."""
    breaks = panels(activation, order, first) / first
    if second is not None and abs(second) != first:
        breaks = np.union1d(breaks, panels(activation, order, abs(second)) / abs(second))
    breaks = np.union1d(breaks, thinned(GAUSSIAN_BREAKS, breaks))
    u, weights = nodes_of(breaks[breaks >= 0], nodes)

    def integrand(u: np.ndarray) -> np.ndarray:
        values = activation.derivative(first * u, order)
        return values if second is None else values * activation.derivative(second * u, order)

    # Folded: the mean of an odd function is exactly 0, and that of a nearly odd one keeps its digits.
    return float(np.sum(weights * _density(u) * (integrand(u) + integrand(-u))))


def _double(
    activation: Activation, order: int, first: float, second: float, cosine: float, sine: float, nodes: int
) -> float:
    """``E f(first·u) f(second·(cosine·u + sine·w))``, ``u, w ~ N(0, 1)`` independent."""
    inner_panels = panels(activation, order, second)
    breaks = panels(activation, order, first) / first
    if abs(cosine) > 1e-9:  # else the inner mean does not vary with u
        # As a function of u the inner mean bends where f does, seen through the correlation …
        breaks = np.union1d(breaks, thinned(inner_panels / (second * cosine), breaks))
        # … and turns a kink into a smooth bend as wide as the inner deviation, which may be tiny.
        steps = second * sine * 2.0 ** np.arange(-1, np.ceil(np.log2(2 * RADIUS / sine)))
        for kink in kinks(activation, order, second):
            bend = np.concatenate([kink - steps, [kink], kink + steps]) / (second * cosine)
            breaks = np.union1d(breaks, bend[np.abs(bend) < RADIUS])
    u, weights = nodes_of(np.union1d(breaks, thinned(GAUSSIAN_BREAKS, breaks)), nodes)
    outer = weights * _density(u) * activation.derivative(first * u, order)
    seen = np.abs(outer) > 1e-20 * np.max(np.abs(outer), initial=0.0)
    u, outer = u[seen], outer[seen]
    widest = (len(inner_panels) + len(GAUSSIAN_BREAKS)) * nodes
    if len(u) * widest > _MOST_EVALUATIONS:
        raise _refused(activation, order, f"needs {len(u) * widest:.1g} evaluations to be integrated")
    if len(u) == 0:
        return 0.0
    total = 0.0
    for block in np.array_split(np.arange(len(u)), 1 + len(u) * widest // _BLOCK):
        centre = cosine * u[block, None]
        inner = np.clip((inner_panels / second - centre) / sine, -RADIUS, RADIUS)
        inside = (inner.max(axis=0) > -RADIUS) & (inner.min(axis=0) < RADIUS)
        inner = np.concatenate(
            [inner[:, inside], np.broadcast_to(GAUSSIAN_BREAKS, (len(block), len(GAUSSIAN_BREAKS)))], axis=1
        )
        w, inner_weights = nodes_of(np.sort(inner, axis=1), nodes)
        values = activation.derivative(second * (centre + sine * w), order)
        total += float(outer[block] @ np.sum(inner_weights * _density(w) * values, axis=1))
    return total


@lru_cache(maxsize=4096)
def _scale(activation: Activation, order: int, variance: float) -> float:
    """``√E f²``; refuses what is not a function or has mass beyond the cut-off."""
    deviation = float(np.sqrt(variance))
    require_function(activation, order, deviation)
    edge = activation.derivative(RADIUS * deviation * np.array([-1.0, 1.0]), order)
    square = _single(activation, order, deviation, deviation, _RULES[1])
    if np.max(edge**2 * _density(np.array([-RADIUS, RADIUS]))) > 1e-12 * square:
        raise _refused(
            activation, order, f"grows too fast to be integrated over a Gaussian of variance {variance:g}"
        )
    return float(np.sqrt(square))


@lru_cache(maxsize=16384)
def quadrature_mean(activation: Activation, order: int, variance: float) -> float:
    """``E f(a)``, ``a ~ N(0, variance)``, ``f = φ^(order)``."""
    scale, deviation = _scale(activation, order, variance), float(np.sqrt(variance))
    values = [_single(activation, order, deviation, None, nodes) for nodes in _RULES[1:3]]
    return _accepted(activation, order, values, scale, variance)


@lru_cache(maxsize=65536)
def quadrature_dual(
    activation: Activation, order: int, covariance: float, first: float, second: float
) -> float:
    """``E f(a)f(b)`` for variances ``first``, ``second`` and that covariance, ``f = φ^(order)``."""
    scale = _scale(activation, order, first) * _scale(activation, order, second)
    if covariance == 0:
        return quadrature_mean(activation, order, first) * quadrature_mean(activation, order, second)
    deviations = float(np.sqrt(first)), float(np.sqrt(second))
    largest = float(np.sqrt(first * second))
    values: list[float] = []
    for nodes in _RULES:
        if abs(covariance) >= largest:
            sign = np.sign(covariance)
            values.append(_single(activation, order, deviations[0], float(sign * deviations[1]), nodes))
        else:
            sine = float(np.sqrt((largest - covariance) * (largest + covariance)) / largest)
            values.append(_double(activation, order, *deviations, covariance / largest, sine, nodes))
        if len(values) > 1 and abs(values[-1] - values[-2]) <= TOLERANCE * scale:
            break
    return _accepted(activation, order, values, scale, first)


def _accepted(
    activation: Activation, order: int, values: list[float], scale: float, variance: float
) -> float:
    change = abs(values[-1] - values[-2])
    if not change <= TOLERANCE * scale:
        raise _refused(
            activation,
            order,
            f"cannot be integrated over a Gaussian of variance {variance:g}: a finer rule still changes "
            f"it by {change / scale:.1e} of its scale",
        )
    return values[-1]
