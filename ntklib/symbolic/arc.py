"""Integration in a covariance by a trigonometric substitution."""

from sympy import (
    Add,
    Dummy,
    Expr,
    Integer,
    Poly,
    Pow,
    S,
    Symbol,
    asin,
    expand,
    factor,
    fraction,
    integrate,
    sqrt,
    together,
)


class CovarianceArc:
    """Integration in a covariance: ``c = R sin θ`` turns the roots ``√(R² − c²)`` into ``R cos θ``.

    Everything that Price's theorem meets is then a sum of ``sinⁱθ cosʲθ θᵏ`` (``j`` may be negative), and so
    are its integrals. sympy's own ``integrate`` takes minutes on the GELU's.
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
        """Coefficients of ``sinⁱ cosʲ θᵏ``; secants keep cosines out of the other denominators."""
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
