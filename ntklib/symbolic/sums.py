"""Sums over indices in one canonical form: the names of bound indices make no difference."""

from collections.abc import Iterable, Sequence
from itertools import combinations, permutations, product

from sympy import Add, Basic, Dummy, Expr, Mul, S, Sum, Symbol, Wild

from ntklib.symbolic.expansion import Bound, Term, contract, terms


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
    >>> from sympy import IndexedBase, KroneckerDelta
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
    Derivation. Occurrences are found as whole arguments of a function, a sum or an expectation, or as
    factors.

    Examples
    --------
    >>> from sympy import Function, IndexedBase
    >>> j, k, m = index_symbols("j k m")
    >>> w, h, u, f = IndexedBase("w"), IndexedBase("h"), IndexedBase("u"), Function("f")
    >>> linear = Sum(w[k, j] * h[j], (j, 1, m))
    >>> abbreviate(Sum(f(linear), (k, 1, m)), u[k], linear, [k])
    Sum(f(u[k]), (k, 1, m))
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


def assemble(expanded: Iterable[Term]) -> Expr:
    """Contract the terms and write their sum with factored, canonically named sums."""
    contracted = [contract(term) for term in expanded]
    names = _Names(contracted)
    return Add(*(names.write(term) for term in contracted if term.product != 0))


class _Names:
    """Readable names for bound indices: those used for the same range before, then with primes."""

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
            component: list[Expr] = []
            linked, previous = {remaining[0][0]}, -1
            while len(component) != previous:
                previous = len(component)
                component = [f for f in factors if f.free_symbols & linked]
                linked |= {b[0] for b in remaining if any(b[0] in f.free_symbols for f in component)}
            factors = [f for f in factors if f not in component]
            parts.append(self._named(Mul(*component), [b for b in remaining if b[0] in linked], pool))
            remaining = [b for b in remaining if b[0] not in linked]
        return Mul(*factors, *parts)

    def _named(self, body: Expr, bound: list[Bound], pool: dict[Expr, dict[str, Symbol]]) -> Expr:
        """Choose the naming of the bound indices whose sum comes first in order."""
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
