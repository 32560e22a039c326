"""The limit of an expression as a width grows, term by term."""

from sympy import Add, Basic, Expr, Function, Indexed, Mul, Sum, Symbol, Tuple, expand, limit, oo

from ntklib.symbolic.expectation import GaussianExpectation


def limit_in(expr: Basic, width: Symbol) -> Basic:
    """Take one width to infinity; functions and expectations are taken to be continuous in what they hold.

    Every term must stay finite by itself: infinite terms that cancel would need an expansion of what they
    multiply, and are refused.
    """
    # An array knows its shape and so holds the width, but its entries do not grow.
    if isinstance(expr, Indexed) or not expr.has(width):
        return expr
    if isinstance(expr, Sum) and any(width in upper.free_symbols for _, _, upper in expr.limits):
        raise ValueError(
            f"the limit of {expr} as {width} grows is not known: name the weights that it is random in, or "
            "give the limit of the average in averages."
        )
    if isinstance(expr, Tuple | Sum | Function | GaussianExpectation):
        return expr.func(*(limit_in(a, width) for a in expr.args))
    result = []
    for part in Add.make_args(expand(expr)):
        powers: list[Expr] = []
        rest: list[Expr] = []
        for factor in Mul.make_args(part):
            continuous = factor.has(Sum, Function, GaussianExpectation, Indexed)
            (rest if continuous or not factor.has(width) else powers).append(factor)
        scale = limit(Mul(*powers), width, oo)
        if not scale.is_finite:
            raise ValueError(
                f"the expression does not converge as {width} grows: it holds the term {part}. "
                "Is a factor 1/sqrt(width) missing in the score?"
            )
        result.append(Mul(scale, *(_continuous_limit(factor, width) for factor in rest)))
    return Add(*result)


def _continuous_limit(factor: Basic, width: Symbol) -> Basic:
    if not factor.has(width):
        return factor
    if factor.is_Pow:
        return factor.func(limit_in(factor.base, width), factor.exp)
    return limit_in(factor, width)
