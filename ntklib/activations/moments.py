"""Gaussian moments of activations: means, second moments and dual activations."""

from collections.abc import Callable
from numbers import Real
from typing import Any

import numpy as np
from jaxtyping import Float

from ntklib.activations.activation import Activation, check_order
from ntklib.activations.catalogue import get_activation
from ntklib.activations.quadrature import quadrature_dual, quadrature_mean

SMALLEST_VARIANCE, LARGEST_VARIANCE = 1e-30, 1e15
"""The range for which the moments are tested."""


def mean(activation: str | Activation | Callable[[Any], Any], variance: float | int, order: int = 0) -> float:
    """Mean of an activation or its derivative under a Gaussian.

    ``E φ^(o)(a)``, ``a ~ N(0, q)``.

    Parameters
    ----------
    activation : str, Activation or callable
        ``φ``, see :func:`~ntklib.activations.get_activation`.
    variance : float
        ``q``, from 1e-30 to 1e15.
    order : {0, 1, 2}
        Order ``o`` of the derivative.

    Returns
    -------
    float
        Closed form for identity, ReLU, erf and GELU, quadrature for others. The mean of ReLU's ``φ''``, a
        Dirac delta, is the density at 0.

    Raises
    ------
    ValueError
        If the variance is outside its range, the activation unknown, or the mean cannot be computed to the
        stated error: ``φ`` grows too fast, say.
    TypeError
        If an argument has the wrong type.

    Notes
    -----
    Limits: the error of quadrature is at most 1e-11 of ``√E[φ^(o)(a)²]``. That of a mean much smaller than
    this scale (SiLU at tiny ``q``) can be larger relative to the mean itself. What a user's function does
    beyond 10 standard deviations is not seen.
    Source: derivation; GELU: Tsuchida et al. (2021).

    Examples
    --------
    >>> round(mean("relu", 1.0), 12), round((2 * np.pi) ** -0.5, 12)
    (0.398942280401, 0.398942280401)
    >>> mean("tanh", 3.0)
    0.0
    """
    phi = get_activation(activation)
    check_order(order)
    q = _variance(variance, "variance")
    if phi.closed_mean is not None:
        return float(phi.closed_mean(q, order))
    return quadrature_mean(phi, order, q)


def second_moment(
    activation: str | Activation | Callable[[Any], Any], variance: float | int, order: int = 0
) -> float:
    """Second moment of an activation or its derivative under a Gaussian.

    ``E[φ^(o)(a)²] = K_{φ^(o)}(q)``, ``a ~ N(0, q)``.

    Parameters
    ----------
    activation : str, Activation or callable
        ``φ``, see :func:`~ntklib.activations.get_activation`.
    variance : float
        ``q``, from 1e-30 to 1e15.
    order : {0, 1, 2}
        Order ``o`` of the derivative.

    Returns
    -------
    float
        Closed form for identity, ReLU, erf and GELU, quadrature for others.

    Raises
    ------
    ValueError
        If it is infinite (``φ''`` of the ReLU, and of any activation with a kink), and as for :func:`mean`.
    TypeError
        If an argument has the wrong type.

    Notes
    -----
    Limits: the relative error of quadrature is at most 1e-11.
    Source: Cho & Saul (2009) for ReLU, Williams (1998) for erf, Tsuchida et al. (2021) for GELU; derivation.

    Examples
    --------
    >>> second_moment("relu", 3.0), second_moment("relu", 3.0, order=1)
    (1.5, 0.5)
    >>> second_moment("relu", 3.0, order=2)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    ValueError: order=2: E φ''(a)φ''(b) of 'relu' is infinite ...
    """
    q = _variance(variance, "variance")
    return float(dual_activation(activation, q, q, order))


def dual_activation(
    activation: str | Activation | Callable[[Any], Any],
    covariance: Any,
    variance: float | int,
    order: int = 0,
    variance_b: float | int | None = None,
) -> float | Float[np.ndarray, "*shape"]:
    """Dual activation: the mean product of an activation, or its derivative, at two correlated Gaussians.

    ``K_{φ^(o)}(c) = E[φ^(o)(a) φ^(o)(b)]``, ``(a, b) ~ N(0, [[q, c], [c, q_b]])``.

    ReLU, with ``θ = arccos(c/q)``: ``K = q (sin θ + (π − θ) cos θ)/2π`` and ``K' = (π − θ)/2π``.
    erf: ``K = (2/π) arcsin(2c/(1 + 2q))``. For every ``φ``, ``K_{φ'} = dK_φ/dc`` (Price's theorem).

    Parameters
    ----------
    activation : str, Activation or callable
        ``φ``, see :func:`~ntklib.activations.get_activation`.
    covariance : float or array
        ``c``, ``|c| ≤ √(q q_b)``; an excess of up to 1e-9 of that is taken for rounding.
    variance : float
        ``q``, from 1e-30 to 1e15.
    order : {0, 1, 2}
        Order ``o`` of the derivative.
    variance_b : float, optional
        ``q_b``, the variance of ``b``; ``q`` when left out.

    Returns
    -------
    float or array
        Of the shape of ``covariance``. Closed form for identity, ReLU, erf and GELU, quadrature for others.

    Raises
    ------
    ValueError
        If ``|c| > √(q q_b)``, a variance is outside its range, the activation is unknown, or the value is
        infinite (``φ''`` of an activation with a kink) or cannot be computed to the stated error.
    TypeError
        If an argument has the wrong type.

    Notes
    -----
    Limits: the error of quadrature is at most 1e-11 of ``√(K(q) K(q_b))``; a result that does not converge to
    that is refused. A covariance takes some 10 ms at ``q = 1`` and 100 ms at ``q = 10⁶``; results are cached.
    Source: Cho & Saul (2009) for ReLU, Williams (1998) for erf, Tsuchida et al. (2021) for GELU; ``K''`` of
    erf and GELU: derivation.

    Examples
    --------
    Cho & Saul at an angle of 60°, and Williams:

    >>> round(dual_activation("relu", 0.5, 1.0), 12), round((3**0.5 / 2 + np.pi / 3) / (2 * np.pi), 12)
    (0.304498890522, 0.304498890522)
    >>> dual_activation("relu", [-1.0, 0.0, 1.0], 1.0, order=1)
    array([0.  , 0.25, 0.5 ])
    >>> round(dual_activation("erf", 0.75, 1.0), 12)
    0.333333333333
    """
    phi = get_activation(activation)
    check_order(order)
    q = _variance(variance, "variance")
    q_b = q if variance_b is None else _variance(variance_b, "variance_b")
    c = np.asarray(covariance)
    if c.dtype.kind not in "iuf":
        raise TypeError(f"covariance must be a number or an array of numbers, not {covariance!r}.")
    c = c.astype(np.float64)
    largest = float(np.sqrt(q * q_b))
    wrong = c[~(np.abs(c) <= largest * (1 + 1e-9))]
    if wrong.size:
        raise ValueError(
            f"covariance {wrong.flat[0]:g} is no covariance of Gaussians of variances {q:g} and {q_b:g}: "
            f"it must lie between -{largest:g} and {largest:g}."
        )
    flat = np.clip(c, -largest, largest).reshape(-1)
    if phi.closed_dual is not None:
        values = phi.closed_dual(flat, q, q_b, order)
    else:
        distinct, places = np.unique(flat, return_inverse=True)
        values = np.array([quadrature_dual(phi, order, float(one), q, q_b) for one in distinct])[places]
    return float(values[0]) if c.ndim == 0 else values.reshape(c.shape)


def _variance(variance: Any, name: str) -> float:
    if isinstance(variance, bool) or not isinstance(variance, Real):
        raise TypeError(f"{name} must be a number, not {variance!r}.")
    number = float(variance)
    if not SMALLEST_VARIANCE <= number <= LARGEST_VARIANCE:
        raise ValueError(
            f"{name} must lie between {SMALLEST_VARIANCE:g} and {LARGEST_VARIANCE:g}, where the moments were "
            f"tested, not {variance!r}."
        )
    return number
