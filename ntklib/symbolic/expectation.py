"""Expectations over Gaussian weights: integration by parts, then a Gaussian vector."""

from collections.abc import Iterable, Sequence
from itertools import permutations
from operator import itemgetter
from typing import Any

from sympy import (
    Add,
    Basic,
    Expr,
    Function,
    Indexed,
    KroneckerDelta,
    Matrix,
    Mul,
    Pow,
    S,
    Symbol,
    Tuple,
    expand,
    expand_mul,
    sympify,
)

from ntklib.symbolic.expansion import Term, contract, terms
from ntklib.symbolic.model import GaussianWeights
from ntklib.symbolic.sums import assemble


class GaussianExpectation(Expr):
    r"""``E[f(z)]``, ``z ~ N(0, C)``: an expectation that is not evaluated, simplified as far as ``C`` allows.

    Constants leave it; perfectly correlated variables of equal variance merge; a variable of variance 0 is 0;
    independent blocks factor; the variables are renamed and ordered canonically.

    Parameters
    ----------
    integrand : Expr
        ``f(z)``.
    variables : iterable of Symbol
        ``z``.
    covariance : matrix
        ``C``, symmetric, entries in any symbols.

    Returns
    -------
    Expr
        The expectation, a product or sum of smaller ones, or a number.

    Raises
    ------
    ValueError
        If the covariance has another size than ``variables``.

    Notes
    -----
    Derivation; exact. ``C`` is taken to be positive semi-definite. When ``f`` holds derivatives that are no
    functions (``φ''`` of the ReLU), they are meant in the weak sense, by integration by parts.

    Examples
    --------
    >>> from sympy import symbols
    >>> from ntklib.symbolic import ActivationSymbol
    >>> phi, (z, w), (c, q) = ActivationSymbol("phi"), symbols("z w"), symbols("c q")
    >>> kernel = GaussianExpectation(phi(z) * phi(w), (z, w), [[q, c], [c, q]])
    >>> kernel
    E[phi(z_1)*phi(z_2); [[q, c], [c, q]]]
    >>> kernel.subs(c, 0), kernel.subs(c, q)
    (E[phi(z); q]**2, E[phi(z)**2; q])
    """

    is_commutative = True

    def __new__(cls, integrand: Any, variables: Iterable[Symbol], covariance: Any) -> Expr:  # noqa: D102
        integrand, names, matrix = sympify(integrand), list(variables), Matrix(covariance)
        if matrix.shape != (len(names), len(names)):
            raise ValueError(
                f"covariance must be {len(names)} x {len(names)}, one row a variable, not {matrix.shape}."
            )
        polynomial = integrand.is_polynomial(*names)
        if isinstance(expanded := expand(integrand) if polynomial else expand_mul(integrand), Add):
            return Add(*(cls(part, names, matrix) for part in expanded.args))
        integrand, names, kept = _merged(integrand, names, matrix)
        constants, blocks = _blocks(integrand, names, matrix, kept)
        return Mul(*constants, *(cls._canonical(*block) for block in blocks))

    @classmethod
    def _canonical(cls, integrand: Expr, names: list[Symbol], matrix: Matrix) -> Expr:
        if integrand.is_polynomial(*names):
            return _polynomial_mean(integrand, names, matrix)
        size = len(names)
        new = [Symbol("z")] if size == 1 else [Symbol(f"z_{k + 1}") for k in range(size)]
        # Of all orders of the variables the one that is written first. Each entry is written once for all.
        written = [[str(matrix[a, b]) for b in range(size)] for a in range(size)] if size > 1 else []
        forms = []
        for order in permutations(range(size)):
            renamed = integrand.xreplace(dict(zip((names[k] for k in order), new, strict=True)))
            rows = [", ".join(written[a][b] for b in order) for a in order] if size > 1 else []
            forms.append((f"({renamed}, (({'), ('.join(rows)})))" if size > 1 else "", order, renamed))
        _, order, renamed = min(forms, key=itemgetter(0))
        rows_in_order = Tuple(*(Tuple(*(matrix[a, b] for b in order)) for a in order))
        return Expr.__new__(cls, renamed, Tuple(*new), rows_in_order)

    @property
    def integrand(self) -> Expr:
        """``f(z)``."""
        return self.args[0]

    @property
    def variables(self) -> tuple[Symbol, ...]:
        """``z``."""
        return tuple(self.args[1])

    @property
    def covariance(self) -> Matrix:
        """``C``."""
        return Matrix(self.args[2])

    @property
    def free_symbols(self) -> set[Basic]:
        """All symbols but the variables of integration."""
        return (self.integrand.free_symbols - set(self.variables)) | self.args[2].free_symbols

    def _sympystr(self, printer: Any) -> str:
        rows = self.args[2]
        shown = rows[0][0] if len(rows) == 1 else [list(row) for row in rows]
        return f"E[{printer.doprint(self.integrand)}; {printer.doprint(shown)}]"

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        matrix = self.covariance
        if matrix.shape == (1, 1):
            law = rf"z \sim \mathcal{{N}}\left(0,\, {printer.doprint(matrix[0, 0])}\right)"
        else:
            rows = r" \\ ".join(
                " & ".join(printer.doprint(x) for x in matrix.row(k)) for k in range(matrix.rows)
            )
            matrix_text = rf"\left(\begin{{smallmatrix}} {rows} \end{{smallmatrix}}\right)"
            law = rf"z \sim \mathcal{{N}}\left(0,\, {matrix_text}\right)"
        power = "" if exp is None else f"^{{{exp}}}"
        return rf"\mathbb{{E}}_{{{law}}}\left[{printer.doprint(self.integrand)}\right]{power}"


def gaussian_expectation(expr: Expr, weights: GaussianWeights | Sequence[GaussianWeights]) -> Expr:
    r"""Average over Gaussian weights, everything else held fixed.

    Integration by parts, ``E[w_a F] = σ² Σ_b E[∂F/∂w_b] δ_ab``, removes every weight outside a function (for
    polynomials this is Isserlis' theorem). What is left are functions of linear forms ``u_p`` of the weights:
    these are exactly Gaussian with ``Cov(u_p, u_q) = E[u_p u_q]``, and become a :class:`GaussianExpectation`.

    Parameters
    ----------
    expr : Expr
        Sums of products of weights and of functions of linear forms of weights.
    weights : GaussianWeights or sequence of them
        The arrays to average over, one after the other (the tower rule), in the order given.

    Returns
    -------
    Expr
        The conditional expectation given all other arrays.

    Raises
    ------
    ValueError
        If a function's argument is not linear in the weights.

    Notes
    -----
    Derivation; exact at every width. Assumes that the functions grow slower than ``exp(u²/2 Var u)``;
    derivatives are weak derivatives.

    Examples
    --------
    >>> from sympy import Sum, symbols
    >>> from ntklib.symbolic import index_symbols
    >>> i, j, m = index_symbols("i j m")
    >>> v = GaussianWeights("v", (m,), symbols("sigma_v", positive=True) ** 2)
    >>> gaussian_expectation(v[i] * v[j], v)
    sigma_v**2*KroneckerDelta(i, j)
    >>> gaussian_expectation(Sum(v[i], (i, 1, m)) ** 4, v)
    3*m**2*sigma_v**4
    """
    families = [weights] if isinstance(weights, GaussianWeights) else list(weights)
    for family in families:
        averaged = [part for term in terms(expr) for part in _average(term, family)]
        expr = assemble(averaged)
    return expr


def _average(term: Term, weights: GaussianWeights) -> list[Term]:
    body, bound = contract(term)
    if body == 0:
        return []
    factors: list[Expr] = []
    for factor in Mul.make_args(body):
        repeated = isinstance(factor, Pow) and factor.exp.is_Integer and factor.exp > 0
        factors += [factor.base] * int(factor.exp) if repeated else [factor]
    for place, factor in enumerate(factors):
        if isinstance(factor, Indexed) and factor.base == weights.base:
            rest = Mul(*factors[:place], *factors[place + 1 :])
            return [
                part
                for derived in terms(weights.variance * rest.diff(factor))
                for part in _average(Term(derived.product, derived.bound + bound), weights)
            ]
    random = [factor for factor in factors if factor.has(weights.base)]
    if not random:
        return [Term(body, bound)]
    fixed = Mul(*(factor for factor in factors if not factor.has(weights.base)))
    indices = {index for index, _, _ in bound}
    expanded = _split_deltas(_vector_expectation(random, weights), indices)
    return [Term(fixed * part.product, part.bound + bound) for part in terms(expanded)]


def _vector_expectation(functions: list[Expr], weights: GaussianWeights) -> Expr:
    """Average a product of functions of linear forms: an integral over a Gaussian vector."""
    linear, integrand = [], []
    variables = [Symbol(f"z_{k + 1}") for k in range(len(functions))]
    for function, variable in zip(functions, variables, strict=True):
        if not isinstance(function, Function) or any(a.has(weights.base) for a in function.args[1:]):
            raise ValueError(
                f"cannot average {function} over {weights.name}: it must be a polynomial or a "
                "function of one linear form. Average over other weights or take the large-width limit first."
            )
        forms: list[Term] = []
        offset: list[Term] = []
        for part in terms(function.args[0]):
            (forms if part.product.has(weights.base) else offset).append(part)
        for part in forms:
            drawn = [f for f in Mul.make_args(part.product) if f.has(weights.base)]
            if len(drawn) != 1 or not isinstance(drawn[0], Indexed) or drawn[0].base != weights.base:
                raise ValueError(
                    f"cannot average {function} over {weights.name}: its argument is not linear in "
                    f"{weights.name}. Take the large-width limit instead."
                )
        linear.append(assemble(forms))
        integrand.append(function.func(variable + assemble(offset), *function.args[1:]))
    size = len(functions)
    entries = {
        (p, q): gaussian_expectation(linear[p] * linear[q], weights)
        for p in range(size)
        for q in range(p, size)
    }
    covariance = Matrix(size, size, lambda p, q: entries[min(p, q), max(p, q)])
    return GaussianExpectation(Mul(*integrand), variables, covariance)


def _split_deltas(expr: Expr, indices: set[Basic]) -> Expr:
    """Write a function of deltas of bound indices as ``f(0) + δ (f(1) − f(0))``: a delta is 0 or 1."""
    deltas = sorted(
        (delta for delta in expr.atoms(KroneckerDelta) if set(delta.args) <= indices),
        key=lambda delta: [(index.name, index.dummy_index) for index in delta.args],
    )
    for delta in deltas:
        absent, present = expr.xreplace({delta: S.Zero}), expr.xreplace({delta: S.One})
        expr = absent + delta * (present - absent)
    return expr


def _merged(integrand: Expr, names: list[Symbol], matrix: Matrix) -> tuple[Expr, list[Symbol], list[int]]:
    """Replace variables of variance 0, and those that are equal almost surely."""
    kept: list[int] = []
    for k, name in enumerate(names):
        twin = next((p for p in kept if matrix[p, p] == matrix[k, k] == matrix[p, k]), None)
        if matrix[k, k] == 0:
            integrand = integrand.xreplace({name: S.Zero})
        elif twin is not None:
            integrand = integrand.xreplace({name: names[twin]})
        elif integrand.has(name):
            kept.append(k)
    return integrand, names, kept


def _blocks(
    integrand: Expr, names: list[Symbol], matrix: Matrix, kept: list[int]
) -> tuple[list[Expr], list[tuple[Expr, list[Symbol], Matrix]]]:
    """Split the integrand's factors into constants and stochastically independent blocks."""
    factors = list(Mul.make_args(integrand))
    constants = [f for f in factors if not f.has(*names)]
    factors = [f for f in factors if f.has(*names)]
    remaining = [k for k in kept if integrand.has(names[k])]
    blocks = []
    while remaining:
        block, previous = [remaining[0]], 0
        while len(block) != previous:
            previous = len(block)
            touched = [f for f in factors if any(f.has(names[k]) for k in block)]
            block = [
                k
                for k in remaining
                if k in block
                or any(matrix[k, p] != 0 for p in block)
                or any(f.has(names[k]) for f in touched)
            ]
        own = Mul(*(f for f in factors if any(f.has(names[k]) for k in block)))
        blocks.append((own, [names[k] for k in block], matrix.extract(block, block)))
        remaining = [k for k in remaining if k not in block]
    return constants, blocks


def _polynomial_mean(monomial: Expr, names: list[Symbol], matrix: Matrix) -> Expr:
    """``E[z_p F] = Σ_q C_pq E[∂F/∂z_q]``, for a monomial."""
    for p, name in enumerate(names):
        if monomial.has(name):
            rest = monomial / name
            return Add(
                *(
                    matrix[p, q] * _polynomial_mean(rest.diff(other), names, matrix)
                    for q, other in enumerate(names)
                    if rest.has(other)
                )
            )
    return monomial
