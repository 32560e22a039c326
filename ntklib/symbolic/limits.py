"""The large-width limit, and what is left of a kernel after it: a function of which tokens are equal."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sympy import (
    Add,
    Basic,
    Dummy,
    Expr,
    Function,
    Indexed,
    KroneckerDelta,
    Mul,
    S,
    Sum,
    Symbol,
    Tuple,
    expand,
    limit,
    oo,
    sqrt,
)

from ntklib.symbolic.expansion import Term, contract, terms
from ntklib.symbolic.expectation import GaussianExpectation, gaussian_expectation
from ntklib.symbolic.model import GaussianWeights
from ntklib.symbolic.sums import assemble, simplify_sums


class Concentration(NamedTuple):
    """An average over many weights: its mean, and its variance, which vanishes with the width."""

    average: Expr
    mean: Expr
    variance: Expr


def concentration(average: Expr, weights: Sequence[GaussianWeights]) -> Concentration:
    r"""Mean and variance of an average of polynomials in Gaussian weights.

    ``E[S]`` and ``E[S²] − E[S]²``, both by integration by parts. An average whose variance vanishes
    converges to its mean in mean square (Chebyshev), and so does every continuous function of it in
    probability.

    Parameters
    ----------
    average : Expr
        ``S``, such as ``(1/d) Σ_j E_tj E_sj``.
    weights : sequence of GaussianWeights
        The arrays that it is random in.

    Returns
    -------
    Concentration
        The average, its mean and its variance at finite width.

    Raises
    ------
    ValueError
        If the average is not a polynomial in the weights.

    Notes
    -----
    Derivation; exact at every width.

    Examples
    --------
    >>> from sympy import symbols
    >>> from ntklib.symbolic import index_symbols
    >>> j, t, s, d, V = index_symbols("j t s d V")
    >>> E = GaussianWeights("E", (V, d), symbols("sigma_e", positive=True) ** 2)
    >>> _, mean, variance = concentration(Sum(E[t, j] * E[s, j], (j, 1, d)) / d, [E])
    >>> mean
    sigma_e**2*KroneckerDelta(s, t)
    >>> variance
    sigma_e**4*KroneckerDelta(s, t)/d + sigma_e**4/d
    """
    mean = gaussian_expectation(average, weights)
    return Concentration(average, mean, simplify_sums(gaussian_expectation(average**2, weights) - mean**2))


def large_width_limit(
    expr: Expr,
    widths: Sequence[Symbol],
    weights: Sequence[GaussianWeights] = (),
    averages: Mapping[Expr, Expr] | None = None,
) -> Expr:
    r"""Take the widths to infinity: averages over a width become their means, powers of the width vanish.

    Each ``Σ_{j ≤ d} S_j`` is replaced by ``d·E[S] + η √d``, after checking that the variance of the average
    vanishes; the result must not depend on the fluctuation ``η``. What is left is continuous in the averages.

    Parameters
    ----------
    expr : Expr
        A quantity of the finite network, with every function of weights already averaged over
        (see :func:`gaussian_expectation`) but for functions of averages.
    widths : sequence of Symbol
        The widths, taken to infinity one after the other.
    weights : sequence of GaussianWeights
        The arrays that are still random in ``expr``.
    averages : mapping of Expr to Expr, optional
        Averages whose limit is known otherwise, such as the induction hypothesis
        ``(1/m) Σ_i h_ti h_si → Σ_ts`` of a recurrent model.

    Returns
    -------
    Expr
        The limit, in probability.

    Raises
    ------
    ValueError
        If a sum does not concentrate, or the expression grows with a width.

    Notes
    -----
    Derivation. A limit in probability of the conditional expectation; convergence of the expectation itself
    needs uniform integrability, which holds for functions that grow no faster than a polynomial.

    Examples
    --------
    >>> from sympy import symbols
    >>> from ntklib.symbolic import index_symbols
    >>> j, k, t, s, d, V = index_symbols("j k t s d V")
    >>> E = GaussianWeights("E", (V, d), symbols("sigma_e", positive=True) ** 2)
    >>> large_width_limit(Sum(E[t, j] * E[s, j], (j, 1, d)) / d, [d], [E])
    sigma_e**2*KroneckerDelta(s, t)
    >>> large_width_limit(Sum(E[t, j] * E[s, j], (j, 1, d)) / sqrt(d), [d], [E])
    Traceback (most recent call last):
        ...
    ValueError: the expression does not converge as d grows: ...
    """
    known = {simplify_sums(average): value for average, value in (averages or {}).items()}
    fluctuations: set[Symbol] = set()
    expr = _with_averages(simplify_sums(expr), widths, weights, known, fluctuations)
    for width in widths:
        expr = _limit(expr, width)
    if expr.free_symbols & fluctuations:
        raise ValueError(
            f"the limit is random: {expr} depends on fluctuations of a sum of weights. Every sum over a "
            "width must enter as an average (divided by the width)."
        )
    return simplify_sums(expr)


def concentrate(expr: Expr, width: Symbol, weights: Sequence[GaussianWeights]) -> Expr:
    r"""Replace averages over a width by their means where they multiply functions of the same weights.

    In ``(1/md) Σ_i F_i Σ_b W_ib²`` the average ``S_i = (1/d) Σ_b W_ib²`` is not independent of ``F_i``, but
    ``|E[(S_i − E S_i) F_i]| ≤ √(Var S_i · E F_i²)`` by Cauchy–Schwarz, which vanishes with ``Var S_i``: no
    derivative of ``F`` is needed, so this holds for activations with kinks too.

    Parameters
    ----------
    expr : Expr
        Sums of products of weights and functions.
    width : Symbol
        The width whose sums are averages.
    weights : sequence of GaussianWeights
        The arrays that the averages are random in.

    Returns
    -------
    Expr
        The expression with each sum of a polynomial over the width replaced by ``width`` times its mean; sums
        within functions and sums whose summand holds a function stay.

    Raises
    ------
    ValueError
        If an average does not concentrate, or the error bound does not vanish as ``width`` grows, or grows
        with the range of another sum.

    Notes
    -----
    Derivation. Equal to the original up to a term whose expectation vanishes as ``width`` grows, for
    functions with bounded second moments.

    Examples
    --------
    >>> from sympy import Function, symbols
    >>> from ntklib.symbolic import index_symbols
    >>> b, i, d, m = index_symbols("b i d m")
    >>> W, F = GaussianWeights("W", (m, d), symbols("sigma_w", positive=True) ** 2), Function("F")
    >>> concentrate(Sum(F(W[i, 1]) * W[i, b] ** 2, (b, 1, d), (i, 1, m)) / (d * m), d, [W])
    sigma_w**2*Sum(F(W[i, 1]), (i, 1, m))/m
    """
    return assemble(
        replaced for term in terms(expr) for replaced in _with_means(contract(term), width, tuple(weights))
    )


def _with_means(term: Term, width: Symbol, weights: tuple[GaussianWeights, ...]) -> list[Term]:
    body, bound = term
    mean, bounding, noise = S.One, S.One, Dummy("eta", positive=True)
    for index, _, upper in bound:
        own = Mul(*(f for f in Mul.make_args(body) if f.has(index)))
        if upper != width or own.has(Function) or own == 1:
            continue
        inner = tuple(b for b in bound if b[2] == width and own.has(b[0]))
        own = Mul(*(f for f in Mul.make_args(body) if any(f.has(b[0]) for b in inner)))
        if own.has(Function):
            continue
        count = width ** len(inner)
        average = concentration(assemble([Term(own / count, inner)]), weights)
        if (remaining := _limit(average.variance, width)) != 0:
            raise ValueError(
                f"{average.average} does not concentrate: its variance tends to {remaining}, not to 0."
            )
        body, bound = body / own, tuple(b for b in bound if b not in inner)
        mean *= count * average.mean
        bounding *= count * (1 + noise / sqrt(width) if average.variance != 0 else 1)
    scale = Mul(*(f for f in Mul.make_args(body) if not f.has(Function, Indexed, KroneckerDelta)))
    error = scale * bounding * Mul(*(upper for _, _, upper in bound))
    error = expand(error) - expand(error).subs(noise, 0)
    for growing in {width, *(upper for _, _, upper in bound)} if error != 0 else ():
        bounded = limit(error, growing, oo)
        if not bounded.is_finite or (growing == width and bounded != 0):
            raise ValueError(
                f"replacing averages over {width} by their means is not justified in {assemble([term])}: the "
                f"error can be as large as {error.subs(noise, 1)}. Average over other weights first."
            )
    return [Term(body * part.product, bound + part.bound) for part in terms(mean)]


def _with_averages(
    expr: Basic,
    widths: Sequence[Symbol],
    weights: Sequence[GaussianWeights],
    known: Mapping[Expr, Expr],
    fluctuations: set[Symbol],
) -> Basic:
    if not expr.has(Sum):
        return expr
    if isinstance(expr, Sum) and any(upper in widths for _, _, upper in expr.limits):
        outside = [upper for _, _, upper in expr.limits if upper not in widths]
        if outside:
            raise ValueError(
                f"{expr} mixes sums over widths with sums up to {outside[0]}: they do not factor."
            )
        count = Mul(*(upper for _, _, upper in expr.limits))
        average = simplify_sums(expr / count)
        if average in known:
            return count * known[average]
        _, mean, variance = concentration(average, weights)
        remaining = variance
        for width in widths:
            remaining = _limit(remaining, width)
        if remaining != 0:
            raise ValueError(f"{average} does not concentrate: its variance tends to {remaining}, not to 0.")
        noise = Dummy("eta", real=True)
        fluctuations.add(noise)
        return count * mean + (noise * sqrt(count) if variance != 0 else 0)
    return expr.func(*(_with_averages(a, widths, weights, known, fluctuations) for a in expr.args))


def _limit(expr: Basic, width: Symbol) -> Basic:
    """Limit of an expression whose functions and expectations are continuous in averages."""
    if not expr.has(width):
        return expr
    if isinstance(expr, Tuple | Sum | Function | GaussianExpectation):
        return expr.func(*(_limit(a, width) for a in expr.args))
    result = []
    for part in Add.make_args(expand(expr)):
        powers: list[Expr] = []
        rest: list[Expr] = []
        for factor in Mul.make_args(part):
            continuous = factor.has(Sum, Function, GaussianExpectation)
            (rest if continuous or not factor.has(width) else powers).append(factor)
        scale = limit(Mul(*powers), width, oo)
        if not scale.is_finite:
            raise ValueError(
                f"the expression does not converge as {width} grows: it holds the term {part}. "
                "Is a factor 1/sqrt(width) missing in the score?"
            )
        if scale != 0:
            result.append(Mul(scale, *(_continuous_limit(factor, width) for factor in rest)))
    return Add(*result)


def _continuous_limit(factor: Basic, width: Symbol) -> Basic:
    if not factor.has(width):
        return factor
    if factor.is_Pow:
        return factor.func(_limit(factor.base, width), factor.exp)
    return _limit(factor, width)
