"""Closed forms of ``E f(z)`` and ``E f(a)g(b)`` over a Gaussian, derived for the function that is given.

Functions that are sums of ``x^n exp(−αx²)`` and of Dirac deltas are integrated outright. Any other function
is differentiated until it is one, and integrated back: in the variance by the heat equation for ``E f(z)``,
in the covariance by Price's theorem for ``E f(a)g(b)``.
"""

from functools import lru_cache

from sympy import (
    Add,
    DiracDelta,
    Dummy,
    Expr,
    Heaviside,
    Mul,
    Piecewise,
    Pow,
    S,
    Symbol,
    erf,
    exp,
    expand,
    integrate,
    limit,
    simplify,
)
from sympy import Function as SymbolicFunction

from ntklib.symbolic.arc import CovarianceArc
from ntklib.symbolic.elementary import moment, pair_moment, read_parts

MOST_DERIVATIVES = 4
"""How often a function is differentiated in search of a form that can be integrated outright."""

_VARIANCE, _COVARIANCE = Dummy("q", positive=True), Dummy("c", real=True)


def gaussian_mean(function: Expr, variable: Symbol, variance: Expr) -> Expr | None:
    r"""``E f(z)`` for ``z ~ N(0, variance)`` in closed form, where there is one.

    By the heat equation, ``d/dq E f(√q ξ) = ½ E f''(√q ξ)``, integrated from ``q = 0`` on; ``f''`` is treated
    alike, until it is a sum of ``x^n exp(−αx²)`` and Dirac deltas. A function that is odd
    but for a constant has that constant as its mean.

    Parameters
    ----------
    function : Expr
        ``f``, an expression in ``variable``.
    variable : Symbol
        The argument of ``f``, a real symbol.
    variance : Expr
        ``q``, positive.

    Returns
    -------
    Expr or None
        The mean; None if differentiating does not lead to a function that can be integrated.

    Raises
    ------
    ValueError
        If ``f`` is a Piecewise, whose derivative in sympy loses the Dirac deltas of jumps.

    Notes
    -----
    Derivation. ``f`` must grow slower than ``exp(x²/2q)``.

    Examples
    --------
    >>> from sympy import Max, erf, sqrt, symbols
    >>> x, q = symbols("x", real=True), symbols("q", positive=True)
    >>> gaussian_mean(Max(0, x), x, q)
    sqrt(2)*sqrt(q)/(2*sqrt(pi))
    >>> gaussian_mean(x * (1 + erf(x / sqrt(2))) / 2, x, q)
    sqrt(2)*q/(2*sqrt(pi)*sqrt(q + 1))
    """
    mean = _mean(_weak(function, variable), variable)
    return None if mean is None else mean.subs(_VARIANCE, variance)


def gaussian_pair(
    first: Expr, second: Expr, variable: Symbol, variance: Expr, covariance: Expr
) -> Expr | None:
    r"""``E f(a) g(b)`` for Gaussians of equal variance in closed form, where there is one.

    By Price's theorem, ``∂/∂c E f(a)g(b) = E f'(a)g'(b)``, integrated from ``c = 0`` on, where the
    expectation is ``E f(a) E g(b)``.

    Parameters
    ----------
    first, second : Expr
        ``f`` and ``g``, expressions in ``variable``.
    variable : Symbol
        Their argument, a real symbol.
    variance : Expr
        ``q``, positive.
    covariance : Expr
        ``c``, ``|c| ≤ q``.

    Returns
    -------
    Expr or None
        The expectation; None if differentiating does not lead to functions that can be integrated.

    Raises
    ------
    ValueError
        If a function is a Piecewise.

    Notes
    -----
    Derivation. At ``|c| = q`` the value is the limit, which exists wherever ``f(a)g(b)`` has a mean there.

    Examples
    --------
    The ReLU's dual activation (Cho and Saul 2009), and that of erf (Williams 1998):

    >>> from sympy import Heaviside, Max, erf, symbols
    >>> x, (q, c) = symbols("x", real=True), symbols("q c", positive=True)
    >>> gaussian_pair(Heaviside(x), Heaviside(x), x, q, c)
    asin(c/q)/(2*pi) + 1/4
    >>> gaussian_pair(erf(x), erf(x), x, q, c)
    2*asin(2*c/(2*q + 1))/pi
    >>> gaussian_pair(Max(0, x), Max(0, x), x, q, q)
    q/2
    """
    value = _pair(_weak(first, variable), _weak(second, variable), variable)
    if value is None:
        return None
    return value.subs(_COVARIANCE, covariance.subs(variance, _VARIANCE)).subs(_VARIANCE, variance)


def weak_derivative(function: Expr, variable: Symbol, order: int = 1) -> Expr:
    r"""Differentiate in the weak sense: a kink becomes a jump, a jump a Dirac delta.

    Parameters
    ----------
    function : Expr
        ``f``, an expression in ``variable``.
    variable : Symbol
        Its argument, a real symbol.
    order : int
        How often to differentiate, 0 or more.

    Returns
    -------
    Expr
        ``f^(order)``, with ``f(x) δ(x) = f(0) δ(x)`` used.

    Raises
    ------
    ValueError
        If ``f`` is a Piecewise, whose derivative in sympy loses the Dirac deltas of jumps.

    Notes
    -----
    Derivation. Kinks must be written with Max, Abs or Heaviside and lie at 0.

    Examples
    --------
    >>> from sympy import Max, symbols
    >>> x = symbols("x", real=True)
    >>> [weak_derivative(Max(0, x), x, order) for order in range(3)]
    [x*Heaviside(x), Heaviside(x), DiracDelta(x)]
    """
    function = _weak(function, variable)
    for _ in range(order):
        function = _derivative(function, variable)
    return function


def _weak(function: Expr, variable: Symbol) -> Expr:
    """``f`` written with Heaviside functions, so that its derivatives are the weak ones."""
    if function.has(Piecewise):
        raise ValueError(
            f"{function} is a Piecewise, whose derivative loses jumps: write it with Max or Heaviside."
        )
    written = function.rewrite(Heaviside).replace(Heaviside, lambda *args: _step(args[0], variable))
    return _reduced(written, variable)


def _step(argument: Expr, variable: Symbol) -> Expr:
    """``H(kx) = H(x)`` or ``1 − H(x)``, by the sign of ``k``."""
    slope = argument.coeff(variable, 1)
    if expand(argument - slope * variable) == 0 and slope.is_positive:
        return Heaviside(variable)
    if expand(argument - slope * variable) == 0 and slope.is_negative:
        return 1 - Heaviside(variable)
    return Heaviside(argument)


def _differentiates_to_gaussians(function: Expr, variable: Symbol) -> bool:
    """Whether repeated differentiation can end: polynomials, erf, ``exp(−αx²)`` and steps only."""
    for part in function.atoms(SymbolicFunction):
        if isinstance(part, exp):
            if not part.args[0].is_polynomial(variable) or part.args[0].as_poly(variable).degree() > 2:
                return False
        elif part.has(variable) and not isinstance(part, erf | Heaviside | DiracDelta):
            return False
    powers = (power for power in function.atoms(Pow) if power.base.has(variable))
    return all(isinstance(power, exp) or (power.exp.is_Integer and power.exp > 0) for power in powers)


def _reduced(function: Expr, variable: Symbol) -> Expr:
    """Use ``f(x) δ(x) = f(0) δ(x)``."""
    parts = []
    for part in Add.make_args(expand(function)):
        diracs = [f for f in Mul.make_args(part) if isinstance(f, DiracDelta) and f.args == (variable,)]
        if len(diracs) == 1:
            smooth = part / diracs[0]
            part = smooth.subs(variable, 0) * diracs[0] if not smooth.has(DiracDelta, Heaviside) else part
        parts.append(part)
    return Add(*parts)


def _derivative(function: Expr, variable: Symbol) -> Expr:
    return _reduced(function.diff(variable), variable)


@lru_cache(maxsize=256)
def _mean(function: Expr, variable: Symbol) -> Expr | None:
    q = _VARIANCE
    even = simplify(function + function.subs(variable, -variable)) / 2
    if not even.has(variable):
        return even
    if not _differentiates_to_gaussians(function, variable):
        return None
    chain = [function]
    while (parts := read_parts(chain[-1], variable)) is None and len(chain) <= MOST_DERIVATIVES // 2:
        chain.append(_derivative(_derivative(chain[-1], variable), variable))
    if parts is None:
        return None
    value = Add(*(moment(part, q) for part in parts))
    for function in reversed(chain[:-1]):
        start = (limit(function, variable, 0, "+") + limit(function, variable, 0, "-")) / 2
        past = Dummy("s", positive=True)
        value = start + integrate(simplify(value.xreplace({q: past})) / 2, (past, 0, q))
    return simplify(value)


@lru_cache(maxsize=256)
def _pair(first: Expr, second: Expr, variable: Symbol) -> Expr | None:
    q, c = _VARIANCE, _COVARIANCE
    if not all(_differentiates_to_gaussians(function, variable) for function in (first, second)):
        return None
    chain = [(first, second)]
    while (parts_f := read_parts(chain[-1][0], variable)) is None or (
        parts_g := read_parts(chain[-1][1], variable)
    ) is None:
        if len(chain) > MOST_DERIVATIVES:
            return None
        chain.append((_derivative(chain[-1][0], variable), _derivative(chain[-1][1], variable)))
    value: Expr = S.Zero
    for f in parts_f:
        for g in parts_g:
            if (product := pair_moment(f, g, q, c)) is None:
                return None
            value += product
    arc = CovarianceArc(value, c)
    if not arc.single_root:
        return None
    value = arc.enter(value)
    for f, g in reversed(chain[:-1]):
        means, integral = (_mean(f, variable), _mean(g, variable)), arc.integral(value)
        if None in means or integral is None:
            return None
        value = Mul(*means) + integral
    return arc.leave(value)
