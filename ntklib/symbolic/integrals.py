"""Closed forms of Gaussian expectations ``E f(z)`` and ``E f(a)g(b)``, derived for the function that is given.

Functions that are sums of ``x^n exp(−αx²)`` and of Dirac deltas are integrated outright. Any other function is
differentiated until it is one, and integrated back: in the variance by the heat equation for ``E f(z)``, in the
covariance by Price's theorem for ``E f(a)g(b)``.
"""

from functools import lru_cache
from math import comb
from typing import NamedTuple

from sympy import (
    Add,
    DiracDelta,
    Dummy,
    Expr,
    Heaviside,
    Integer,
    Mul,
    Piecewise,
    Pow,
    Rational,
    S,
    Symbol,
    asin,
    cos,
    erf,
    exp,
    expand,
    factorial,
    factorial2,
    integrate,
    limit,
    pi,
    powsimp,
    simplify,
    sin,
    sqrt,
    tan,
)
from sympy import Function as SymbolicFunction

MOST_DERIVATIVES = 4
"""How often a function is differentiated in search of a form that can be integrated outright."""


class _Part(NamedTuple):
    """``coefficient · x^power · exp(−decay x²)``, or ``coefficient · δ^(dirac)(x)``."""

    coefficient: Expr
    power: int
    decay: Expr
    dirac: int | None


def gaussian_mean(function: Expr, variable: Symbol, variance: Expr) -> Expr | None:
    r"""``E f(z)`` for ``z ~ N(0, variance)`` in closed form, where there is one.

    By the heat equation, ``d/dq E f(√q ξ) = ½ E f''(√q ξ)``, integrated from ``q = 0`` on; ``f''`` is treated
    alike, until it is a sum of ``x^n exp(−αx²)`` and Dirac deltas. Odd functions have mean 0.

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
    >>> from sympy import Max, erf, symbols
    >>> x, q = symbols("x", real=True), symbols("q", positive=True)
    >>> gaussian_mean(Max(0, x), x, q)
    sqrt(2)*sqrt(q)/(2*sqrt(pi))
    >>> gaussian_mean(x * (1 + erf(x / sqrt(2))) / 2, x, q)
    sqrt(2)*q/(2*sqrt(pi)*sqrt(q + 1))
    """
    q = Dummy("q", positive=True)
    mean = _mean(_weak(function, variable), variable, q)
    return None if mean is None else mean.xreplace({q: variance})


def gaussian_pair(first: Expr, second: Expr, variable: Symbol, variance: Expr, covariance: Expr) -> Expr | None:
    r"""``E f(a) g(b)`` for ``(a, b)`` of equal variance and given covariance in closed form, where there is one.

    By Price's theorem, ``∂/∂c E f(a)g(b) = E f'(a)g'(b)``, integrated from ``c = 0`` on, where the expectation is
    ``E f(a) E g(b)``.

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

    >>> from sympy import Max, erf, symbols
    >>> x, (q, c) = symbols("x", real=True), symbols("q c", positive=True)
    >>> gaussian_pair(Heaviside(x), Heaviside(x), x, q, c)
    asin(c/q)/(2*pi) + 1/4
    >>> gaussian_pair(erf(x), erf(x), x, q, c)
    2*asin(2*c/(2*q + 1))/pi
    >>> gaussian_pair(Max(0, x), Max(0, x), x, q, q)
    q/2
    """
    q, c = Dummy("q", positive=True), Dummy("c", real=True)
    value = _pair(_weak(first, variable), _weak(second, variable), variable, q, c)
    if value is None:
        return None
    return value.subs(c, covariance.subs(variance, q)).subs(q, variance)


def _weak(function: Expr, variable: Symbol) -> Expr:
    """``f`` written with Heaviside functions, so that its derivatives are the weak ones."""
    if function.has(Piecewise):
        raise ValueError(
            f"{function} is a Piecewise, whose derivative in sympy loses jumps: write it with Max or Heaviside."
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
def _mean(function: Expr, variable: Symbol, q: Symbol) -> Expr | None:
    if simplify(function + function.subs(variable, -variable)) == 0:
        return S.Zero
    if not _differentiates_to_gaussians(function, variable):
        return None
    chain = [function]
    while (parts := _parts(chain[-1], variable)) is None and len(chain) <= MOST_DERIVATIVES // 2:
        chain.append(_derivative(_derivative(chain[-1], variable), variable))
    if parts is None:
        return None
    value = Add(*(_moment(part, q) for part in parts))
    for function in reversed(chain[:-1]):
        start = (limit(function, variable, 0, "+") + limit(function, variable, 0, "-")) / 2
        past = Dummy("s", positive=True)
        value = start + integrate(simplify(value.xreplace({q: past})) / 2, (past, 0, q))
    return simplify(value)


@lru_cache(maxsize=256)
def _pair(first: Expr, second: Expr, variable: Symbol, q: Symbol, c: Symbol) -> Expr | None:
    if not all(_differentiates_to_gaussians(function, variable) for function in (first, second)):
        return None
    chain = [(first, second)]
    while (parts := (_parts(chain[-1][0], variable), _parts(chain[-1][1], variable))).count(None):
        if len(chain) > MOST_DERIVATIVES:
            return None
        chain.append((_derivative(chain[-1][0], variable), _derivative(chain[-1][1], variable)))
    value: Expr = S.Zero
    for f in parts[0]:
        for g in parts[1]:
            if (product := _pair_moment(f, g, q, c)) is None:
                return None
            value += product
    arc = _Arc(value, c)
    value = arc.enter(value)
    for f, g in reversed(chain[:-1]):
        means = _mean(f, variable, q), _mean(g, variable, q)
        if None in means:
            return None
        value = Mul(*means) + arc.integral(value)
    return simplify(arc.leave(value))


class _Arc:
    """Integration in a covariance: ``c = R sin θ`` where ``√(R² − c²)`` occurs, which turns it into ``R cos θ``."""

    def __init__(self, integrand: Expr, c: Symbol) -> None:
        self.c, self.angle = c, Dummy("theta", real=True)
        roots = {p.base for p in integrand.atoms(Pow) if p.base != c and p.base.has(c) and not p.exp.is_Integer}
        self.radius: Expr | None = None
        for root in roots:
            constant, slope = expand(root).coeff(c, 0), -expand(root).coeff(c, 2)
            self.radius = sqrt(simplify(constant / slope))
        if len(roots) > 1 and len({simplify(expand(r).coeff(c, 0) / expand(r).coeff(c, 2)) for r in roots}) > 1:
            raise NotImplementedError(f"cannot integrate {integrand}: two different square roots of the covariance.")

    def enter(self, value: Expr) -> Expr:
        """Write a function of ``c`` as one of ``θ``."""
        if self.radius is None:
            return value
        radius = self.radius

        def rooted(base: Expr, power: Expr) -> Expr:
            scale = expand(base).coeff(self.c, 0)
            return scale**power * cos(self.angle) ** (2 * power)

        value = value.replace(lambda e: e.is_Pow and e.base.has(self.c) and e.base != self.c, lambda e: rooted(*e.args))
        return value.subs(self.c, radius * sin(self.angle))

    def integral(self, value: Expr) -> Expr:
        """``∫_0^c value dc``."""
        if self.radius is None:
            past = Dummy("s", real=True)
            return integrate(value.xreplace({self.c: past}), (past, 0, self.c))
        integrand = expand(value * self.radius * cos(self.angle))
        primitive = Add(*(_primitive(part, self.angle) for part in Add.make_args(integrand)))
        return primitive - primitive.subs(self.angle, 0)

    def leave(self, value: Expr) -> Expr:
        """Back to ``c``."""
        if self.radius is None:
            return value
        sine = self.c / self.radius
        cosine = sqrt(self.radius**2 - self.c**2) / self.radius
        return value.subs(tan(self.angle), sine / cosine).subs(
            {sin(self.angle): sine, cos(self.angle): cosine}
        ).subs(self.angle, asin(sine))


def _primitive(integrand: Expr, angle: Symbol) -> Expr:
    constant, dependent = integrand.as_independent(angle, as_Add=False)
    return constant * integrate(dependent, angle)


def _parts(function: Expr, variable: Symbol) -> list[_Part] | None:
    """Read a function as a sum of polynomials times Gaussians and Dirac deltas; None if it is not one."""
    parts = []
    for term in Add.make_args(expand(powsimp(expand(function)))):
        coefficient, power, decay, dirac = S.One, 0, S.Zero, None
        for factor in Mul.make_args(term):
            if not factor.has(variable):
                coefficient *= factor
            elif factor == variable:
                power += 1
            elif factor.is_Pow and factor.base == variable and factor.exp.is_Integer and factor.exp > 0:
                power += int(factor.exp)
            elif isinstance(factor, exp) and (a := factor.args[0].coeff(variable, 2)).is_negative:
                if expand(factor.args[0] - a * variable**2) != 0:
                    return None
                decay -= a
            elif isinstance(factor, DiracDelta) and factor.args[0] == variable and dirac is None:
                dirac = int(factor.args[1]) if len(factor.args) > 1 else 0
            else:
                return None
        if dirac is not None and (power or decay != 0):
            return None
        parts.append(_Part(coefficient, power, decay, dirac))
    return parts


def _moment(part: _Part, q: Expr) -> Expr:
    """``E`` of one part at variance ``q``: the Gaussian factor tilts the variance to ``q/(1+2αq)``."""
    if part.dirac is not None:
        x = Dummy("x", real=True)
        density = exp(-(x**2) / (2 * q)) / sqrt(2 * pi * q)
        return part.coefficient * (-1) ** part.dirac * density.diff(x, part.dirac).subs(x, 0)
    if part.power % 2:
        return S.Zero
    tilt = 1 + 2 * part.decay * q
    return part.coefficient / sqrt(tilt) * factorial2(part.power - 1) * (q / tilt) ** (part.power // 2)


def _pair_moment(f: _Part, g: _Part, q: Expr, c: Expr) -> Expr | None:
    """``E`` of a product of two parts: Gaussian factors tilt the covariance to ``(C⁻¹ + 2 diag(α, β))⁻¹``."""
    if f.dirac is not None and g.dirac is not None:
        a, b = Dummy("a", real=True), Dummy("b", real=True)
        determinant = q**2 - c**2
        density = exp(-(q * a**2 - 2 * c * a * b + q * b**2) / (2 * determinant)) / (2 * pi * sqrt(determinant))
        value = density.diff(a, f.dirac).diff(b, g.dirac) if f.dirac or g.dirac else density
        return f.coefficient * g.coefficient * (-1) ** (f.dirac + g.dirac) * value.subs({a: 0, b: 0})
    if f.dirac is not None or g.dirac is not None:
        return None
    determinant = (1 + 2 * f.decay * q) * (1 + 2 * g.decay * q) - 4 * f.decay * g.decay * c**2
    variance_a = (q + 2 * g.decay * (q**2 - c**2)) / determinant
    variance_b = (q + 2 * f.decay * (q**2 - c**2)) / determinant
    moment = _isserlis(f.power, g.power, variance_a, variance_b, c / determinant)
    return f.coefficient * g.coefficient * moment / sqrt(determinant)


def _isserlis(n: int, k: int, variance_a: Expr, variance_b: Expr, covariance: Expr) -> Expr:
    """``E aⁿ bᵏ``: ``j`` pairs of unlike factors, the others paired among themselves."""
    return Add(
        *(
            Integer(comb(n, j) * comb(k, j))
            * factorial(j)
            * factorial2(n - j - 1)
            * factorial2(k - j - 1)
            * covariance**j
            * variance_a ** Rational(n - j, 2)
            * variance_b ** Rational(k - j, 2)
            for j in range(min(n, k) + 1)
            if (n - j) % 2 == 0 and (k - j) % 2 == 0
        )
    )


