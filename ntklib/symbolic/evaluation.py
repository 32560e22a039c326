"""From symbols to a concrete activation, and from there to numbers."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from math import exp, pi, sqrt
from typing import Any

from scipy.integrate import quad
from sympy import Dummy, Expr, Mul, Pow, S, Symbol, lambdify, nan, oo, zoo

from ntklib.symbolic.expectation import GaussianExpectation
from ntklib.symbolic.integrals import gaussian_mean, gaussian_pair, weak_derivative
from ntklib.symbolic.model import ActivationSymbol, AppliedActivation

FARTHEST = 38.0
"""Standard deviations to integrate over: the normal density is below the smallest float64 beyond."""


def evaluate(expr: Expr, activation: ActivationSymbol, function: Callable[[Any], Any]) -> Expr:
    r"""Insert a concrete activation and integrate every expectation that has a closed form.

    ``E φ(z)`` by the heat equation and ``E φ(a)φ(b)`` by Price's theorem
    (:func:`~ntklib.symbolic.gaussian_mean`, :func:`~ntklib.symbolic.gaussian_pair`).

    Parameters
    ----------
    expr : Expr
        An expression with :class:`GaussianExpectation` of the abstract activation.
    activation : ActivationSymbol
        The abstract activation.
    function : callable
        ``φ`` on a sympy symbol, such as ``lambda x: Max(0, x)`` or ``get_activation("relu").symbolic``.

    Returns
    -------
    Expr
        The expression without the abstract activation. Expectations without a closed form stay, with the
        concrete function in them.

    Raises
    ------
    ValueError
        If an expectation is infinite (``E φ''²`` of the ReLU), or ``φ`` is a Piecewise.

    Notes
    -----
    Derivation; exact. Variances must be positive symbols or products of such.

    Examples
    --------
    >>> from sympy import Max, symbols, tanh
    >>> phi, z, q = ActivationSymbol("phi"), symbols("z"), symbols("q", positive=True)
    >>> moment = GaussianExpectation(phi(z) ** 2, [z], [[q]])
    >>> evaluate(moment, phi, lambda x: Max(0, x))
    q/2
    >>> evaluate(moment, phi, tanh)
    E[tanh(z)**2; q]
    """
    x = Symbol("x", real=True)
    derivatives = {
        order: weak_derivative(function(x), x, order)
        for order in {part.order for part in expr.atoms(AppliedActivation) if part.name == activation.name}
    }
    done = {node: _evaluated(node, activation, derivatives, x) for node in expr.atoms(GaussianExpectation)}
    return expr.xreplace(done).replace(
        lambda part: isinstance(part, AppliedActivation) and part.name == activation.name,
        lambda part: derivatives[part.order].xreplace({x: part.args[0]}),
    )


def _evaluated(
    node: GaussianExpectation, activation: ActivationSymbol, derivatives: dict[int, Expr], x: Symbol
) -> Expr:
    inserted = node.integrand.replace(
        lambda part: isinstance(part, AppliedActivation) and part.name == activation.name,
        lambda part: derivatives[part.order].xreplace({x: part.args[0]}),
    )
    result = GaussianExpectation(inserted, node.variables, node.covariance)
    if (
        result.has(GaussianExpectation)
        and (closed := _closed_form(node, activation, derivatives, x)) is not None
    ):
        result = closed
    if result.has(oo, -oo, zoo, nan):
        raise ValueError(f"{node} is infinite for φ(x) = {derivatives.get(0, 'the activation given')}.")
    return result


def _closed_form(
    node: GaussianExpectation, activation: ActivationSymbol, derivatives: dict[int, Expr], x: Symbol
) -> Expr | None:
    factors: list[Expr] = []
    for factor in Mul.make_args(node.integrand):
        base, power = factor.as_base_exp() if isinstance(factor, Pow) else (factor, S.One)
        known = isinstance(base, AppliedActivation) and base.name == activation.name
        if not known or base.args[0] not in node.variables or not power.is_Integer or power < 0:
            return None
        factors += [base] * int(power)
    covariance = node.covariance
    if len(factors) == 1:
        return gaussian_mean(derivatives[factors[0].order], x, covariance[0, 0])
    if len(factors) != 2 or any(covariance[k, k] != covariance[0, 0] for k in range(covariance.rows)):
        return None
    first, second = (derivatives[factor.order] for factor in factors)
    return gaussian_pair(first, second, x, covariance[0, 0], covariance[0, -1])


def numerical_function(expr: Expr, arguments: Sequence[Symbol]) -> Callable[..., float]:
    r"""Make a function of numbers from an expression; expectations that are left are integrated numerically.

    ``E f(z) = ∫ f(√q ξ) exp(−ξ²/2)/√(2π) dξ`` by adaptive quadrature (QUADPACK), one and two variables.

    Parameters
    ----------
    expr : Expr
        An expression without abstract activations, see :func:`evaluate`.
    arguments : sequence of Symbol
        The symbols that the function takes, in this order.

    Returns
    -------
    callable
        ``f(*numbers) -> float``.

    Raises
    ------
    ValueError
        If ``expr`` has symbols other than ``arguments``, an abstract activation or more than two variables
        in an expectation.

    Notes
    -----
    Derivation. Quadrature to about 1e-12 relative for smooth functions; meant for checks, not for speed.

    Examples
    --------
    >>> from sympy import symbols, tanh
    >>> z, q = symbols("z"), symbols("q", positive=True)
    >>> second_moment = numerical_function(GaussianExpectation(tanh(z) ** 2, [z], [[q]]), [q])
    >>> round(second_moment(1.0), 9)
    0.39429449
    """
    if abstract := sorted(map(str, expr.atoms(AppliedActivation))):
        raise ValueError(f"expr holds the abstract {abstract[0]}: insert an activation with evaluate first.")
    if missing := sorted(map(str, expr.free_symbols - set(arguments))):
        raise ValueError(f"arguments lacks {missing[0]}, on which the expression depends.")
    nodes = sorted(expr.atoms(GaussianExpectation), key=str)
    stand_ins = [Dummy(f"expectation_{k}") for k in range(len(nodes))]
    integrals = [_quadrature(node, arguments) for node in nodes]
    outer = lambdify(
        [*arguments, *stand_ins], expr.xreplace(dict(zip(nodes, stand_ins, strict=True))), ["math", "scipy"]
    )

    def function(*numbers: float) -> float:
        return float(outer(*numbers, *(integral(*numbers) for integral in integrals)))

    return function


def _quadrature(node: GaussianExpectation, arguments: Sequence[Symbol]) -> Callable[..., float]:
    if len(node.variables) > 2:
        raise ValueError(f"{node} has {len(node.variables)} variables: quadrature is for one or two.")
    integrand = lambdify(node.variables, node.integrand, ["scipy", "numpy"])
    entries = lambdify(arguments, [*node.covariance], ["math"])

    def value(*numbers: float) -> float:
        covariance = entries(*numbers)
        spread = sqrt(covariance[0])
        if len(node.variables) == 1:
            return _normal_integral(lambda u: integrand(spread * u), spread)
        slope = covariance[1] / spread
        rest = sqrt(max(covariance[3] - slope**2, 0.0))

        def inner(u: float) -> float:
            kink = 0.0 if rest == 0 else -slope * u / rest
            return _normal_integral(lambda w: integrand(spread * u, slope * u + rest * w), rest, kink)

        return _normal_integral(inner, spread)

    return value


def _normal_integral(function: Callable[[float], float], spread: float, centre: float = 0.0) -> float:
    """``E f(u)`` of a standard normal; it may have a kink or jump at ``centre``."""
    width = min(5.0 / spread, 1.0) if spread > 0 else 1.0
    points = [p for p in (centre - width, centre, centre + width) if abs(p) < FARTHEST]
    ends = sorted({-FARTHEST, *points, *(p for p in (-8.0, 8.0)), FARTHEST})
    return sum(
        quad(
            lambda u: function(u) * exp(-u * u / 2) / sqrt(2 * pi),
            a,
            b,
            epsabs=1e-14,
            epsrel=1e-12,
            limit=200,
        )[0]
        for a, b in pairwise(ends)
    )
