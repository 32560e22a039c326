"""Sums over indices: expanding them, summing Kronecker deltas out, and giving bound indices readable names.

Every other step of the calculus works on :class:`Term`, a product under one rectangular sum, whose bound indices
are unique dummies, so that no two sums can ever share an index by accident. :func:`assemble` turns terms back
into sympy expressions in one canonical form: two expressions that differ only in the names of bound indices
become equal.
"""

from collections.abc import Iterable, Sequence
from itertools import combinations, permutations, product
from typing import NamedTuple

from sympy import Add, Basic, Dummy, Expr, KroneckerDelta, Mul, Pow, S, Sum, Symbol, Wild, default_sort_key

Bound = tuple[Dummy, Expr, Expr]
"""A bound index with its lower and upper limit."""


class Term(NamedTuple):
    """``Σ_bound product``: one product of factors under one rectangular sum."""

    product: Expr
    bound: tuple[Bound, ...]


def index_symbols(names: str) -> tuple[Symbol, ...]:
    r"""Make positive integer symbols: indices, widths and lengths.

    Parameters
    ----------
    names : str
        Names with spaces between them.

    Returns
    -------
    tuple of Symbol
        One symbol a name.

    Examples
    --------
    >>> i, m = index_symbols("i m")
    >>> i.is_integer, m.is_positive
    (True, True)
    """
    return tuple(Symbol(name, integer=True, positive=True) for name in names.split())


def simplify_sums(expr: Expr) -> Expr:
    r"""Expand an expression of sums, sum Kronecker deltas out and write it in canonical form.

    ``Σ_i δ_ik f_i = f_k``, ``Σ_i 1 = m`` and ``Σ_i Σ_j f_i g_j = (Σ_i f_i)(Σ_j g_j)``.

    Parameters
    ----------
    expr : Expr
        Sums, products and integer powers of indexed quantities, functions and Kronecker deltas.

    Returns
    -------
    Expr
        The same quantity. Equal quantities whose bound indices are named differently come out equal.

    Raises
    ------
    ValueError
        If the limits of one sum depend on the index of another, or a delta equates indices of unlike range.

    Notes
    -----
    Derivation. A free index is taken to lie in the range of the sum that it is matched with.

    Examples
    --------
    >>> from sympy import IndexedBase
    >>> i, j, k, m = index_symbols("i j k m")
    >>> f = IndexedBase("f")
    >>> simplify_sums(Sum(KroneckerDelta(i, k) * f[i], (i, 1, m)))
    f[k]
    >>> simplify_sums(Sum(f[j], (j, 1, m)) - Sum(f[i], (i, 1, m)))
    0
    """
    return assemble(terms(expr))


def abbreviate(expr: Expr, abbreviation: Expr, definition: Expr, parameters: Sequence[Symbol] = ()) -> Expr:
    r"""Write a short name for an expression that occurs in a long one: for display.

    Parameters
    ----------
    expr : Expr
        The long expression.
    abbreviation : Expr
        What to write, such as ``u[i, t]``.
    definition : Expr
        What it stands for, such as ``Σ_j W_ij e_tj/√d``.
    parameters : sequence of Symbol
        Symbols of both that stand for any index or token, such as ``(i, t)``.

    Returns
    -------
    Expr
        The expression with every occurrence replaced, whatever its bound indices are called.

    Notes
    -----
    Derivation. Occurrences are found as whole arguments of a function, a sum or an expectation, or as factors.

    Examples
    --------
    >>> from sympy import Function, IndexedBase
    >>> i, j, k, m = index_symbols("i j k m")
    >>> w, h, u, f = IndexedBase("w"), IndexedBase("h"), IndexedBase("u"), Function("f")
    >>> abbreviate(Sum(f(Sum(w[i, j] * h[j], (j, 1, m))), (i, 1, m)), u[k], Sum(w[k, j] * h[j], (j, 1, m)), [k])
    Sum(f(u[i]), (i, 1, m))
    """
    wilds = {parameter: Wild(f"any_{parameter.name}") for parameter in parameters}
    template = abbreviation.xreplace(wilds)
    expr, pattern = simplify_sums(expr), simplify_sums(definition)
    for inner in sorted(pattern.atoms(Sum), key=str):
        pattern = pattern.xreplace({inner: inner.func(inner.function.xreplace(wilds), *inner.limits)})
    pattern = pattern.xreplace(wilds)
    replaced = expr.replace(pattern, template)
    for first, second in combinations(parameters, 2):
        replaced = replaced.replace(
            pattern.xreplace({wilds[second]: wilds[first]}), template.xreplace({wilds[second]: wilds[first]})
        )
    return replaced


def terms(expr: Expr) -> list[Term]:
    """Expand an expression into products under rectangular sums, every bound index a dummy of its own."""
    if isinstance(expr, Sum):
        fresh = _fresh(expr)
        bound = tuple((index, lower, upper) for index, lower, upper in fresh.limits)
        indices = {index for index, _, _ in bound}
        for index, lower, upper in bound:
            if (lower.free_symbols | upper.free_symbols) & indices:
                raise ValueError(
                    f"the limits ({lower}, {upper}) of index {index.name} depend on another index of the sum: "
                    "only sums over a rectangle of indices can be expanded."
                )
        return [Term(term.product, term.bound + bound) for term in terms(fresh.function)]
    if isinstance(expr, Add):
        return [term for argument in expr.args for term in terms(argument)]
    if isinstance(expr, Mul):
        return multiply(*(terms(argument) for argument in expr.args))
    if isinstance(expr, Pow) and expr.exp.is_Integer and expr.exp > 1 and expr.base.has(Sum, Add):
        return multiply(*(terms(expr.base) for _ in range(int(expr.exp))))
    return [Term(_fresh_inside(expr), ())]


def multiply(*factors: Sequence[Term]) -> list[Term]:
    """Multiply sums of terms out, keeping the bound indices of every factor apart."""
    return [
        Term(Mul(*(term.product for term in choice)), tuple(b for term in choice for b in term.bound))
        for choice in product(*([_renewed(term) for term in factor] for factor in factors))
    ]


def contract(term: Term) -> Term:
    """Sum out every Kronecker delta that holds a bound index, and every index that no factor depends on."""
    body, bound = term
    while True:
        ranges = {index: (lower, upper) for index, lower, upper in bound}
        for delta in (f for f in Mul.make_args(body) if isinstance(f, KroneckerDelta)):
            first, second = delta.args
            if first not in ranges:
                first, second = second, first
            if first in ranges and not second.has(first):
                break
        else:
            break
        if second in ranges and ranges[second] != ranges[first]:
            raise ValueError(
                f"a Kronecker delta equates {first.name} (up to {ranges[first][1]}) with {second.name} "
                f"(up to {ranges[second][1]}): both must run over the same range."
            )
        body = body.xreplace({first: second})
        bound = tuple(b for b in bound if b[0] != first)
    body = _identified(body)
    used = body.free_symbols
    count = Mul(*(upper - lower + 1 for index, lower, upper in bound if index not in used))
    return Term(count * body, tuple(b for b in bound if b[0] in used))


def _identified(body: Expr) -> Expr:
    """Use ``δ_ab f(b) = δ_ab f(a)`` to write the product with one of two equated tokens or indices only."""
    done: list[Expr] = []
    factors = list(Mul.make_args(body))
    while deltas := [f for f in factors if isinstance(f, KroneckerDelta)]:
        delta = min(deltas, key=default_sort_key)
        kept, replaced = sorted(delta.args, key=lambda argument: (len(str(argument)), str(argument)))
        done.append(delta)
        factors.remove(delta)
        factors = list(Mul.make_args(Mul(*factors).xreplace({replaced: kept})))
    return Mul(*done, *factors)


def assemble(expanded: Iterable[Term]) -> Expr:
    """Contract the terms and write their sum with factored, canonically named sums."""
    contracted = [contract(term) for term in expanded]
    names = _Names(contracted)
    # A delta over two bound indices may uncover a further product to expand: one pass is enough, since contract
    # leaves no delta with a bound index and multiplication makes none.
    return Add(*(names.write(term) for term in contracted if term.product != 0))


def _fresh(expr: Expr) -> Expr:
    """Give the outermost bound indices of a sum dummies of their own."""
    renamed = {index: fresh_index(index) for index in expr.variables}
    limits = [(renamed[index], lower, upper) for index, lower, upper in expr.limits]
    return Sum(_rename(expr.function, renamed), *limits)


def _fresh_inside(expr: Basic) -> Basic:
    """Give the sums within functions dummies too, so that no later renaming is captured by them."""
    if not expr.has(Sum):
        return expr
    if isinstance(expr, Sum) and not all(isinstance(index, Dummy) for index in expr.variables):
        expr = _fresh(expr)
    return expr.func(*(_fresh_inside(argument) for argument in expr.args))


def _renewed(term: Term) -> Term:
    renamed = {index: fresh_index(index) for index, _, _ in term.bound}
    bound = tuple((renamed[index], lower, upper) for index, lower, upper in term.bound)
    return Term(term.product.xreplace(renamed), bound)


def _rename(expr: Basic, renamed: dict[Symbol, Symbol]) -> Basic:
    """Replace symbols where they are free: an inner sum that binds the same name keeps it."""
    if isinstance(expr, Sum):
        renamed = {old: new for old, new in renamed.items() if old not in expr.variables}
    if isinstance(expr, Symbol):
        return renamed.get(expr, expr)
    if not expr.args or not renamed:
        return expr
    return expr.func(*(_rename(argument, renamed) for argument in expr.args))


def fresh_index(index: Symbol) -> Dummy:
    return Dummy(index.name.rstrip("'"), **index.assumptions0)


class _Names:
    """Readable names for bound indices: those the reader used for the same range, then the same with primes."""

    def __init__(self, contracted: Sequence[Term]) -> None:
        self._outer: dict[Expr, dict[str, Symbol]] = {}
        self._inner: dict[Expr, dict[str, Symbol]] = {}
        self._written: dict[Basic, Basic] = {}
        for body, bound in contracted:
            for index, _, upper in bound:
                self._remember(self._outer, index, upper)
            for inner in body.atoms(Sum):
                for index, _, upper in inner.limits:
                    self._remember(self._inner, index, upper)

    @staticmethod
    def _remember(pool: dict[Expr, dict[str, Symbol]], index: Symbol, upper: Expr) -> None:
        name = index.name.rstrip("'")
        assumptions = {
            key: value for key, value in index.assumptions0.items() if key in ("integer", "positive")
        }
        pool.setdefault(upper, {}).setdefault(name, Symbol(name, **assumptions))

    def write(self, term: Term) -> Expr:
        """One term as a product of sums that share no index."""
        body = self._inside(term.product)
        return self._factored(body, term.bound, self._outer)

    def _inside(self, expr: Basic) -> Basic:
        """Rewrite the sums within functions, the innermost first."""
        if not expr.has(Sum):
            return expr
        if expr not in self._written:
            if isinstance(expr, Sum):
                parts = [contract(part) for part in terms(expr)]
                result = Add(
                    *(self._factored(self._inside(part.product), part.bound, self._inner) for part in parts)
                )
            else:
                result = expr.func(*(self._inside(argument) for argument in expr.args))
            self._written[expr] = result
        return self._written[expr]

    def _factored(self, body: Expr, bound: tuple[Bound, ...], pool: dict[Expr, dict[str, Symbol]]) -> Expr:
        factors = list(Mul.make_args(body))
        remaining = list(bound)
        parts: list[Expr] = []
        while remaining:
            linked, component, previous = {remaining[0][0]}, [], -1
            while len(component) != previous:
                previous = len(component)
                component = [f for f in factors if f.free_symbols & linked]
                linked |= {b[0] for b in remaining if any(b[0] in f.free_symbols for f in component)}
            factors = [f for f in factors if f not in component]
            parts.append(self._named(Mul(*component), [b for b in remaining if b[0] in linked], pool))
            remaining = [b for b in remaining if b[0] not in linked]
        return Mul(*factors, *parts)

    def _named(self, body: Expr, bound: list[Bound], pool: dict[Expr, dict[str, Symbol]]) -> Expr:
        """The sum whose naming comes first in order, among all namings of its bound indices."""
        indices = {index for index, _, _ in bound}
        inner = {index for part in body.atoms(Sum) for index in part.variables}
        taken = {symbol.name for symbol in (body.free_symbols - indices) | inner if hasattr(symbol, "name")}
        groups: dict[tuple[Expr, Expr], list[Dummy]] = {}
        for index, lower, upper in bound:
            groups.setdefault((lower, upper), []).append(index)
        choices, ranges = [], []
        for (lower, upper), members in sorted(groups.items(), key=str):
            names = self._available(pool.get(upper) or self._outer[upper], len(members), taken)
            taken |= {name.name for name in names}
            choices.append([dict(zip(members, order, strict=True)) for order in permutations(names)])
            ranges += [(name, lower, upper) for name in names]
        candidates = []
        for choice in product(*choices):
            renaming = {old: new for group in choice for old, new in group.items()}
            candidates.append(body.xreplace(renaming))
        best = min(candidates, key=str) if len(candidates) > 1 else candidates[0]
        return Sum(best, *ranges) if best != 0 else S.Zero

    @staticmethod
    def _available(pool: dict[str, Symbol], count: int, taken: set[str]) -> list[Symbol]:
        names: list[Symbol] = []
        primes = ""
        while len(names) < count:
            for name in sorted(pool):
                if name + primes not in taken and len(names) < count:
                    symbol = pool[name]
                    names.append(
                        Symbol(name + primes, integer=symbol.is_integer, positive=symbol.is_positive)
                    )
            primes += "'"
        return names
