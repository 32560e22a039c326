"""Functions that a Gaussian integrates outright: sums of ``x^n exp(−αx²)`` and of Dirac deltas."""

from math import comb
from typing import NamedTuple

from sympy import (
    Add,
    DiracDelta,
    Dummy,
    Expr,
    Integer,
    Mul,
    Rational,
    S,
    Symbol,
    exp,
    expand,
    factorial,
    factorial2,
    pi,
    powsimp,
    sqrt,
)


class Part(NamedTuple):
    """``coefficient · x^power · exp(−decay x²)``, or ``coefficient · δ^(dirac)(x)``."""

    coefficient: Expr
    power: int
    decay: Expr
    dirac: int | None


def read_parts(function: Expr, variable: Symbol) -> list[Part] | None:
    """Read a function as a sum of polynomials times Gaussians and Dirac deltas; None if it is not one."""
    parts = []
    for term in Add.make_args(expand(powsimp(expand(function)))):
        coefficient, power, decay, dirac = S.One, 0, S.Zero, None
        for part in Mul.make_args(term):
            if not part.has(variable):
                coefficient *= part
            elif part == variable:
                power += 1
            elif part.is_Pow and part.base == variable and part.exp.is_Integer and part.exp > 0:
                power += int(part.exp)
            elif isinstance(part, exp) and (a := part.args[0].coeff(variable, 2)).is_negative:
                if expand(part.args[0] - a * variable**2) != 0:
                    return None
                decay -= a
            elif isinstance(part, DiracDelta) and part.args[0] == variable and dirac is None:
                dirac = int(part.args[1]) if len(part.args) > 1 else 0
            else:
                return None
        if dirac is not None and (power or decay != 0):
            return None
        parts.append(Part(coefficient, power, decay, dirac))
    return parts


def moment(part: Part, q: Expr) -> Expr:
    """``E`` of one part at variance ``q``: the Gaussian factor tilts the variance to ``q/(1+2αq)``."""
    if part.dirac is not None:
        x = Dummy("x", real=True)
        density = exp(-(x**2) / (2 * q)) / sqrt(2 * pi * q)
        return part.coefficient * (-1) ** part.dirac * density.diff(x, part.dirac).subs(x, 0)
    if part.power % 2:
        return S.Zero
    tilt = 1 + 2 * part.decay * q
    return part.coefficient / sqrt(tilt) * factorial2(part.power - 1) * (q / tilt) ** (part.power // 2)


def pair_moment(f: Part, g: Part, q: Expr, c: Expr) -> Expr | None:
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
    product = _isserlis(f.power, g.power, variance_a, variance_b, c / determinant)
    return f.coefficient * g.coefficient * product / sqrt(determinant)


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
