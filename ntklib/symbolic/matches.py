"""What is left of a kernel in the limit: a function of which tokens are equal, and so of counts."""

from itertools import combinations
from typing import Any

from sympy import (
    Add,
    Expr,
    Function,
    Indexed,
    Integer,
    KroneckerDelta,
    Mul,
    S,
    Symbol,
    default_sort_key,
    expand,
)

from ntklib.symbolic.expansion import Term, contract, fresh_index, terms
from ntklib.symbolic.sums import assemble


def match_weights(expr: Expr) -> dict[tuple[Expr, ...], Expr]:
    r"""Möbius weights of an expression in which tokens are equal or not.

    Every Kronecker delta is 0 or 1, so ``f(δ_1, …) = Σ_S λ_S Π_{o ∈ S} δ_o`` with
    ``λ_S = Σ_{T ⊆ S} (−1)^{|S|−|T|} f(1 on T, 0 elsewhere)``.

    Parameters
    ----------
    expr : Expr
        A unit kernel, with deltas of free indices at any depth.

    Returns
    -------
    dict
        The weight of each set of deltas, from ``()`` (no match needed: the bias) on. Zero weights are left
        out.

    Raises
    ------
    ValueError
        If a delta stands under a sum within a function, so that it stands for several matches.

    Notes
    -----
    Derivation; exact. The deltas are taken to be free of each other: match patterns that cannot occur get a
    weight too, harmlessly.

    Examples
    --------
    >>> from sympy import KroneckerDelta, exp
    >>> from ntklib.symbolic import index_symbols
    >>> s, t = index_symbols("s t")
    >>> match_weights(exp(KroneckerDelta(s, t)))
    {(): 1, (KroneckerDelta(s, t),): -1 + E}
    """
    deltas = sorted(expr.atoms(KroneckerDelta), key=default_sort_key)
    if hidden := [delta for delta in deltas if delta.free_symbols - expr.free_symbols]:
        raise ValueError(f"{hidden[0]} stands under a sum within a function: write that sum out first.")
    weights = {}
    for size in range(len(deltas) + 1):
        for chosen in combinations(deltas, size):
            value = Add(
                *(
                    (-1) ** (size - ones)
                    * expr.xreplace({delta: Integer(delta in present) for delta in deltas})
                    for ones in range(size + 1)
                    for present in combinations(chosen, ones)
                )
            )
            if (value := expand(value)) != 0:
                weights[chosen] = value
    return weights


def match_split(expr: Expr) -> Expr:
    r"""Write an expression as ``Σ_S λ_S Π_{o ∈ S} δ_o``, also under sums over positions.

    Parameters
    ----------
    expr : Expr
        A kernel with Kronecker deltas of tokens at any depth.

    Returns
    -------
    Expr
        The same kernel, multilinear in its deltas.

    Notes
    -----
    Derivation; exact, see :func:`match_weights`.

    Examples
    --------
    >>> from sympy import KroneckerDelta, Sum, exp
    >>> from ntklib.symbolic import index_symbols
    >>> s, t, L = index_symbols("s t L")
    >>> match_split(Sum(exp(KroneckerDelta(s, t)), (s, 1, L)))
    L - 1 + E
    """
    split = []
    for body, bound in (contract(term) for term in terms(expr)):
        for deltas, weight in match_weights(body).items():
            split += [Term(part.product * Mul(*deltas), part.bound + bound) for part in terms(weight)]
    return assemble(split)


class TokenCount(Function):
    """``n_u(x)``: how often token ``u`` stands in the sentence ``x``."""

    nargs = 2

    def _sympystr(self, printer: Any) -> str:
        return f"n_{printer.doprint(self.args[0])}({printer.doprint(self.args[1])})"

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        token, sentence = (printer.doprint(argument) for argument in self.args)
        return rf"n_{{{token}}}\left({sentence}\right)" + ("" if exp is None else f"^{{{exp}}}")


def count_matches(expr: Expr, token: Symbol, vocabulary: Symbol) -> Expr:
    r"""Turn matches of positions into products of counts.

    A sum over all tokens is inserted, ``δ_{x_t x'_s} = Σ_u δ_{x_t u} δ_{x'_s u}``, the positions are summed
    first, and ``Σ_t δ_{x_t u} = n_u(x)``: so ``Σ_t Σ_s δ_{x_t x'_s} = Σ_u n_u(x) n_u(x')``.

    Parameters
    ----------
    expr : Expr
        A pooled kernel, multilinear in its deltas (see :func:`match_split`).
    token : Symbol
        The name to give the sum over tokens, ``u``.
    vocabulary : Symbol
        Its upper limit, ``V``.

    Returns
    -------
    Expr
        The kernel in terms of :class:`TokenCount`; deltas that do not match two summed positions are left
        alone.

    Notes
    -----
    Derivation; exact.

    Examples
    --------
    >>> from sympy import IndexedBase, KroneckerDelta, Sum
    >>> from ntklib.symbolic import index_symbols
    >>> s, t, u, L, M, V = index_symbols("s t u L M V")
    >>> x, y = IndexedBase("x"), IndexedBase("y")
    >>> count_matches(Sum(KroneckerDelta(x[t], y[s]), (t, 1, L), (s, 1, M)), u, V)
    Sum(n_u(x)*n_u(y), (u, 1, V))
    """
    counted = []
    for body, bound in (contract(term) for term in terms(expr)):
        positions = {index for index, _, _ in bound}
        for delta in [f for f in Mul.make_args(body) if isinstance(f, KroneckerDelta)]:
            rest = body / delta
            places = [a.indices[0] for a in delta.args if isinstance(a, Indexed) and len(a.indices) == 1]
            if len(places) == 2 and set(places) <= positions and not set(places) & rest.free_symbols:
                fresh = fresh_index(token)
                body = rest * Mul(*(TokenCount(fresh, a.base) for a in delta.args))
                bound = (*(b for b in bound if b[0] not in places), (fresh, S.One, vocabulary))
        counted.append(Term(body, bound))
    return assemble(counted)
