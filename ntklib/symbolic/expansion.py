"""Sums over indices, expanded: products under rectangular sums, and the Kronecker deltas summed out of them.

Every step of the calculus works on :class:`Term`, a product under one sum whose bound indices are unique
dummies, so that no two sums can ever share an index by accident.
"""

from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

from sympy import Add, Basic, Dummy, Expr, KroneckerDelta, Mul, Pow, Sum, Symbol, default_sort_key

Bound = tuple[Dummy, Expr, Expr]
"""A bound index with its lower and upper limit."""


class Term(NamedTuple):
    """``Σ_bound product``: one product of factors under one rectangular sum."""

    product: Expr
    bound: tuple[Bound, ...]


def terms(expr: Expr) -> list[Term]:
    """Expand an expression into products under rectangular sums, every bound index a dummy of its own."""
    if isinstance(expr, Sum):
        for index, lower, upper in expr.limits:
            if (lower.free_symbols | upper.free_symbols) & set(expr.variables):
                raise ValueError(
                    f"the limits ({lower}, {upper}) of {index.name} depend on another index of the sum: "
                    "only sums over a rectangle of indices can be expanded."
                )
        fresh = _fresh(expr)
        bound = tuple((index, lower, upper) for index, lower, upper in fresh.limits)
        return [Term(term.product, term.bound + bound) for term in terms(fresh.function)]
    if isinstance(expr, Add):
        return [term for argument in expr.args for term in terms(argument)]
    if isinstance(expr, Mul):
        return _multiplied(*(terms(argument) for argument in expr.args))
    if isinstance(expr, Pow) and expr.exp.is_Integer and expr.exp > 1 and expr.base.has(Sum, Add):
        return _multiplied(*(terms(expr.base) for _ in range(int(expr.exp))))
    return [Term(_fresh_inside(expr), ())]


def multiply(*factors: Sequence[Term]) -> list[Term]:
    """Multiply sums of terms out, keeping the bound indices of every factor apart."""
    return _multiplied(*([_renewed(term) for term in factor] for factor in factors))


def _multiplied(*factors: Sequence[Term]) -> list[Term]:
    """Multiply out sums of terms that share no bound index, as :func:`terms` makes them."""
    return [
        Term(Mul(*(term.product for term in choice)), tuple(b for term in choice for b in term.bound))
        for choice in product(*factors)
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
    """Make a dummy with the name and assumptions of an index."""
    # The few assumptions that it was made with imply the others, which take longer to hand over.
    return Dummy(index.name.rstrip("'"), **getattr(index, "_assumptions_orig", index.assumptions0))
