"""Panels of the real line on which an activation is a polynomial to rounding: where to put quadrature nodes.

A Gauss-Hermite rule of fixed size fails when the activation bends within a small part of the Gaussian (tanh
at variance 10⁶) or has a kink. Gauss-Legendre on panels that follow the activation converges at any variance.
"""

from functools import lru_cache

import numpy as np
from numpy.polynomial import legendre

from ntklib.activations.activation import Activation

RADIUS = 10.0
"""The Gaussian is cut off at this many standard deviations; its density there is 2e-22 of the largest."""

_NODES = 16
_RESOLUTION = 1e-13
_MOST_PANELS = 4096
# Of a panel [−1, 1]. Not the ends themselves: a jump there belongs to neither panel.
_NEAR_ENDS = np.array([-1 + 1e-12, 1 - 1e-12])

GAUSSIAN_BREAKS = np.arange(-RADIUS, RADIUS + 1, 2.0)
"""Breaks in standard deviations: 16 nodes resolve the density on a panel of width 2."""


@lru_cache(maxsize=32)
def gauss_legendre(nodes: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights on [−1, 1]."""
    return legendre.leggauss(nodes)


@lru_cache(maxsize=1)
def _legendre_coefficients() -> np.ndarray:
    """Matrix from values at the nodes to the Legendre coefficients of their interpolant."""
    nodes, weights = gauss_legendre(_NODES)
    return legendre.legvander(nodes, _NODES - 1) * weights[:, None] * (np.arange(_NODES) + 0.5)


def nodes_of(breaks: np.ndarray, nodes: int) -> tuple[np.ndarray, np.ndarray]:
    """Gauss-Legendre nodes and weights, (…, P·nodes) each, on the P panels between ``breaks`` (…, P+1)."""
    points, weights = gauss_legendre(nodes)
    centre, half = (breaks[..., 1:] + breaks[..., :-1]) / 2, np.diff(breaks) / 2
    shape = (*breaks.shape[:-1], -1)
    return (
        (centre[..., None] + half[..., None] * points).reshape(shape),
        (half[..., None] * weights).reshape(shape),
    )


def _refined(activation: Activation, order: int, deviation: float, breaks: np.ndarray) -> np.ndarray:
    """Bisect panels until the function is a polynomial on each, relative to its size under the Gaussian."""
    points = np.concatenate([_NEAR_ENDS, gauss_legendre(_NODES)[0]])
    at_ends = legendre.legvander(_NEAR_ENDS, _NODES - 1)
    low, high = breaks[:-1], breaks[1:]
    found, scale = [breaks], 0.0
    count = len(low)
    while len(low):
        centre, half = (high + low) / 2, (high - low) / 2
        x = centre[:, None] + half[:, None] * points
        values = activation.derivative(x, order)
        # Squared, the damping is the density: the error counts as it does in a second moment.
        scale = max(scale, float(np.max(np.abs(values) * np.exp(-((x / deviation) ** 2) / 4))))
        nearest = np.maximum(0, np.maximum(low, -high)) / deviation
        coefficients = values[:, 2:] @ _legendre_coefficients()
        error = np.maximum(
            np.abs(coefficients[:, -2:]).max(axis=1),
            # What bends steeply at the very end of a panel is seen by none of the nodes.
            1e-2 * np.abs(coefficients @ at_ends.T - values[:, :2]).max(axis=1),
        ) * np.exp(-(nearest**2) / 4)
        narrow = half <= 1e-14 * np.maximum(np.abs(low), np.abs(high)) + 1e-16 * deviation
        split = (error > _RESOLUTION * scale) & ~narrow
        low, centre, high = low[split], centre[split], high[split]
        found.append(centre)
        count += len(centre)
        if count > _MOST_PANELS:
            raise ValueError(
                f"activation {activation.name!r}: its derivative of order {order} varies too fast to "
                f"integrate over a Gaussian of variance {deviation**2:g} (more than {_MOST_PANELS} panels at "
                f"x = {low[0]:g}); use a smaller variance or a smoother activation."
            )
        low, high = np.concatenate([low, centre]), np.concatenate([centre, high])
    return np.unique(np.concatenate(found))


def _powers_of_two(unit: float, deviation: float) -> np.ndarray:
    largest = RADIUS * deviation
    steps = unit * 2.0 ** np.arange(np.ceil(np.log2(largest / unit)))
    return np.append(steps, largest)


@lru_cache(maxsize=256)
def kinks(activation: Activation, order: int, deviation: float) -> tuple[float, ...]:
    """Kinks and jumps: where only panels narrower than 1e-9 standard deviations resolve the function."""
    unit = min(1.0, deviation)
    # Uneven numbers, so that no break and no midpoint falls on a kink at a round number and hides it.
    breaks = np.concatenate(
        [-_powers_of_two(0.6137 * unit, deviation)[::-1], _powers_of_two(0.7391 * unit, deviation)]
    )
    breaks = _refined(activation, order, deviation, breaks)
    narrow = np.flatnonzero(np.diff(breaks) < 1e-9 * deviation)
    found: list[float] = []
    for cluster in np.split(narrow, np.flatnonzero(np.diff(breaks[narrow]) > 1e-7 * deviation) + 1):
        if len(cluster):
            panel = cluster[np.argmin(np.diff(breaks)[cluster])]
            centre = (breaks[panel] + breaks[panel + 1]) / 2
            found.append(0.0 if abs(centre) < 1e-12 * deviation else float(centre))
    return tuple(found)


@lru_cache(maxsize=256)
def panels(activation: Activation, order: int, deviation: float) -> np.ndarray:
    """Find breaks that follow the activation within ±10 deviations, symmetric and with 0 among them."""
    steps = _powers_of_two(0.7391, deviation) if deviation > 1 else np.array([RADIUS * deviation])
    breaks = np.concatenate([-steps[::-1], [0.0], steps, kinks(activation, order, deviation)])
    breaks = _refined(activation, order, deviation, np.unique(breaks))
    return np.union1d(breaks, -breaks)


def thinned(candidates: np.ndarray, breaks: np.ndarray) -> np.ndarray:
    """Keep the candidates that lie well inside a panel between ``breaks``: others would make slivers."""
    inside = candidates[(candidates > breaks[0]) & (candidates < breaks[-1])]
    panel = np.searchsorted(breaks, inside)
    low, high = breaks[panel - 1], breaks[panel]
    return inside[np.minimum(inside - low, high - inside) > 0.25 * (high - low)]


@lru_cache(maxsize=256)
def require_function(activation: Activation, order: int, deviation: float) -> None:
    """Raise a ValueError if the derivative of that order is no function: if the one below jumps somewhere.

    ``φ^(o−1)(y) − φ^(o−1)(x) = ∫ φ^(o)`` must hold on each panel; torch gives 0 for the derivative of a jump.
    """
    if order == 0 or activation.array_functions is not None:
        return
    require_function(activation, order - 1, deviation)
    followed = np.union1d(panels(activation, order, deviation), panels(activation, order - 1, deviation))
    breaks = np.union1d(followed, deviation * GAUSSIAN_BREAKS)
    x, weights = nodes_of(breaks, _NODES)
    integral = (weights * activation.derivative(x, order)).reshape(-1, _NODES).sum(axis=1)
    below = activation.derivative(breaks, order - 1)
    damping = np.exp(-((breaks / deviation) ** 2) / 4)
    wrong = np.abs(integral - np.diff(below)) * np.maximum(damping[1:], damping[:-1])
    panel = int(np.argmax(wrong))
    if wrong[panel] > 1e-7 * np.max(np.abs(below) * damping):
        raise ValueError(
            f"order={order}: the derivative of order {order - 1} of activation {activation.name!r} jumps "
            f"between x = {breaks[panel]:.3g} and {breaks[panel + 1]:.3g}, or torch differentiates it "
            "wrongly there: at a jump the next derivative is a Dirac delta, whose second moment is infinite; "
            "use a smoother activation."
        )
