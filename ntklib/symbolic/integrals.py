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
    Poly,
    Pow,
    Rational,
    S,
    Symbol,
    asin,
    erf,
    exp,
    expand,
    factor,
    factorial,
    factorial2,
    fraction,
    integrate,
    limit,
    pi,
    powsimp,
    simplify,
    sqrt,
    together,
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


def gaussian_pair(
    first: Expr, second: Expr, variable: Symbol, variance: Expr, covariance: Expr
) -> Expr | None:
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


def weak_derivative(function: Expr, variable: Symbol, order: int = 1) -> Expr:
    r"""The ``order``-th derivative in the weak sense: a kink becomes a jump, a jump a Dirac delta.

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
    even = simplify(function + function.subs(variable, -variable)) / 2
    if not even.has(variable):
        return even
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
    if not arc.single_root:
        return None
    value = arc.enter(value)
    for f, g in reversed(chain[:-1]):
        means, integral = (_mean(f, variable, q), _mean(g, variable, q)), arc.integral(value)
        if None in means or integral is None:
            return None
        value = Mul(*means) + integral
    return arc.leave(value)


class _Arc:
    """Integration in a covariance: ``c = R sin θ`` where ``√(R² − c²)`` occurs, which turns it into ``R cos θ``.

    Everything that Price's theorem meets is then a sum of ``sinⁱθ cosʲθ θᵏ`` (``j`` may be negative), and so are
    its integrals. sympy's own ``integrate`` takes minutes on the GELU's.
    """

    def __init__(self, integrand: Expr, c: Symbol) -> None:
        self.c = c
        self.sine, self.cosine, self.angle = Dummy("sin"), Dummy("cos", positive=True), Dummy("theta")
        roots = {power.base for power in integrand.atoms(Pow) if self._is_root(power)}
        radii = {factor(-expand(root).coeff(c, 0) / expand(root).coeff(c, 2)) for root in roots}
        self.single_root = len(radii) <= 1
        self.radius = sqrt(radii.pop()) if len(radii) == 1 else None

    def _is_root(self, power: Expr) -> bool:
        return power.is_Pow and power.base.has(self.c) and not (power.exp.is_Integer and power.exp > 0)

    def enter(self, value: Expr) -> Expr:
        """Write a function of ``c`` as one of ``θ``."""
        if self.radius is None:
            return value
        rooted = value.replace(
            self._is_root,
            lambda power: (
                factor(expand(power.base).coeff(self.c, 0)) ** power.exp * self.cosine ** (2 * power.exp)
            ),
        )
        return rooted.xreplace({self.c: self.radius * self.sine})

    def integral(self, value: Expr) -> Expr | None:
        """``∫_0^c value dc``; None if a logarithm occurs."""
        if self.radius is None:
            past = Dummy("s", real=True)
            return integrate(value.xreplace({self.c: past}), (past, 0, self.c))
        primitive = self._primitive(value * self.radius * self.cosine)
        if primitive is None:
            return None
        return primitive - primitive.xreplace({self.sine: S.Zero, self.cosine: S.One, self.angle: S.Zero})

    def leave(self, value: Expr) -> Expr:
        """Back to ``c``."""
        if self.radius is None:
            return value
        numerator, denominator = fraction(together(self.radius))
        sine = denominator * self.c / numerator
        cosine = sqrt(numerator**2 - (denominator * self.c) ** 2) / numerator
        collected = Add(*(rest * self._power(*powers) for powers, rest in self._monomials(value)))
        return collected.xreplace({self.sine: sine, self.cosine: cosine, self.angle: asin(sine)})

    def _primitive(self, integrand: Expr) -> Expr | None:
        total: Expr = S.Zero
        for (i, j, k), rest in self._monomials(integrand):
            if (primitive := self._monomial(i, j, k)) is None:
                return None
            total += rest * primitive
        return Add(*(rest * self._power(*powers) for powers, rest in self._monomials(total)))

    def _monomials(self, value: Expr) -> list[tuple[tuple[int, int, int], Expr]]:
        """Coefficients of ``sinⁱ cosʲ θᵏ``; a polynomial in secants keeps cosines out of the other denominators."""
        secant = Dummy("sec")
        written = value.replace(
            lambda power: power.is_Pow and power.base == self.cosine and power.exp.is_negative,
            lambda power: secant ** (-power.exp),
        )
        gathered: dict[tuple[int, int, int], Expr] = {}
        for (i, j, inverse, k), rest in Poly(written, self.sine, self.cosine, secant, self.angle).terms():
            gathered[i, j - inverse, k] = gathered.get((i, j - inverse, k), S.Zero) + rest
        return [(powers, factor(rest)) for powers, rest in sorted(gathered.items())]

    def _power(self, i: int, j: int, k: int) -> Expr:
        return self.sine**i * self.cosine**j * self.angle**k

    def _monomial(self, i: int, j: int, k: int) -> Expr | None:
        """``∫ sinⁱθ cosʲθ θᵏ dθ`` by the reduction formulas."""
        sine, cosine, angle = self.sine, self.cosine, self.angle
        if i > 1:
            return self._primitive(sine ** (i % 2) * (1 - cosine**2) ** (i // 2) * cosine**j * angle**k)
        if i == 0 and j == 0:
            return angle ** (k + 1) / Integer(k + 1)
        if j == -1:
            return None
        first: Expr | None
        if i == 1:
            first = -(cosine ** (j + 1)) / Integer(j + 1)
        elif j > 0:
            lower = self._monomial(0, j - 2, 0) if j > 1 else S.Zero
            first = None if lower is None else (sine * cosine ** (j - 1) + (j - 1) * lower) / Integer(j)
        else:
            higher = self._monomial(0, j + 2, 0) if j < -2 else S.Zero
            first = (
                None if higher is None else (-sine * cosine ** (j + 1) + (j + 2) * higher) / Integer(j + 1)
            )
        if first is None or k == 0:
            return first
        by_parts = self._primitive(k * angle ** (k - 1) * first)
        return None if by_parts is None else angle**k * first - by_parts


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
        density = exp(-(q * a**2 - 2 * c * a * b + q * b**2) / (2 * determinant)) / (
            2 * pi * sqrt(determinant)
        )
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
