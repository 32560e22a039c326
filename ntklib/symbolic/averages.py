"""Averages over many weights become their means: the law of large numbers, and the large-width limit."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sympy import Basic, Dummy, Expr, Function, KroneckerDelta, Mul, S, Sum, Symbol, limit, oo, sqrt

from ntklib.symbolic.expansion import Term, contract, terms
from ntklib.symbolic.expectation import GaussianExpectation, gaussian_expectation
from ntklib.symbolic.growth import limit_in
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


def concentrate(expr: Expr, widths: Sequence[Symbol], weights: Sequence[GaussianWeights]) -> Expr:
    r"""Replace averages over a width by their means where they multiply functions of the same weights.

    In ``(1/md) Σ_i F_i Σ_b W_ib²`` the average ``S_i = (1/d) Σ_b W_ib²`` is not independent of ``F_i``, but
    ``|E[(S_i − E S_i) F_i]| ≤ √(Var S_i · E F_i²)`` by Cauchy–Schwarz, which vanishes with ``Var S_i``: no
    derivative of ``F`` is needed, so this holds for activations with kinks too.

    Parameters
    ----------
    expr : Expr
        Sums of products of weights and functions.
    widths : sequence of Symbol
        The widths, all of which will grow.
    weights : sequence of GaussianWeights
        The arrays that the averages are random in.

    Returns
    -------
    Expr
        The expression with each sum of a polynomial over a width replaced by the width times the average's
        mean; sums within functions and sums whose summand holds a function stay.

    Raises
    ------
    ValueError
        If an average does not concentrate, or if the error bound does not vanish as its width grows, or grows
        with another width.

    Notes
    -----
    Derivation. Equal to the original up to a term whose expectation vanishes as the width grows, for
    functions with bounded second moments.

    Examples
    --------
    >>> from sympy import Function, symbols
    >>> from ntklib.symbolic import index_symbols
    >>> b, i, d, m = index_symbols("b i d m")
    >>> W, F = GaussianWeights("W", (m, d), symbols("sigma_w", positive=True) ** 2), Function("F")
    >>> concentrate(Sum(F(W[i, 1]) * W[i, b] ** 2, (b, 1, d), (i, 1, m)) / (d * m), [d, m], [W])
    sigma_w**2*Sum(F(W[i, 1]), (i, 1, m))/m
    """
    averages = _Averages(widths, weights, {})
    kept = []
    for term in terms(expr):
        for replaced in map(contract, averages.replace(contract(term))):
            if replaced.product.free_symbols & averages.fluctuations:
                averages.check_negligible(replaced)
            else:
                kept.append(replaced)
    return assemble(kept)


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
    means = _Averages(widths, weights, averages or {})
    expr = simplify_sums(means.within(simplify_sums(expr)))
    for width in widths:
        expr = limit_in(expr, width)
    if expr.free_symbols & means.fluctuations:
        raise ValueError(
            f"the limit is random: {expr} depends on fluctuations of a sum of weights. Every sum over a "
            "width must enter as an average (divided by the width)."
        )
    for family in weights:
        if expr.has(family.base):
            raise ValueError(
                f"the limit is random: {expr} holds {family.name}. Average over {family.name} first."
            )
    return simplify_sums(expr)


class _Averages:
    """Replaces ``Σ_{j ≤ d} S_j`` by ``d (E S + η/√d)`` and remembers the fluctuations ``η``."""

    def __init__(
        self, widths: Sequence[Symbol], weights: Sequence[GaussianWeights], known: Mapping[Expr, Expr]
    ) -> None:
        self.widths, self.weights, self.known = list(widths), list(weights), known
        self.fluctuations: set[Symbol] = set()

    def within(self, expr: Basic) -> Basic:
        """Replace at any depth: in functions, denominators, covariances and sums over other indices."""
        if not expr.has(Sum):
            return expr
        if isinstance(expr, Sum):
            parts = []
            for term in terms(expr):
                body = Mul(*(self.within(factor) for factor in Mul.make_args(term.product)))
                for part in terms(body):
                    parts += self.replace(contract(Term(part.product, part.bound + term.bound)))
            return assemble(parts)
        return expr.func(*(self.within(argument) for argument in expr.args))

    def replace(self, term: Term) -> list[Term]:
        """Replace the sums over a width whose summand is a polynomial in weights."""
        body, bound = term
        factors = Mul.make_args(body)
        blocked = [
            f for f in factors if f.has(Function, GaussianExpectation) and not isinstance(f, KroneckerDelta)
        ]
        remaining = [b for b in bound if b[2] in self.widths and not any(f.has(b[0]) for f in blocked)]
        means: Expr = S.One
        while remaining:
            linked, previous = [remaining[0]], 0
            while len(linked) != previous:
                previous = len(linked)
                own = [f for f in factors if any(f.has(b[0]) for b in linked)]
                linked = [b for b in remaining if b in linked or any(f.has(b[0]) for f in own)]
            count = Mul(*(b[2] for b in linked))
            means *= count * self._mean(assemble([Term(Mul(*own) / count, tuple(linked))]))
            body = body / Mul(*own)
            bound = tuple(b for b in bound if b not in linked)
            remaining = [b for b in remaining if b not in linked]
        return [Term(body * part.product, bound + part.bound) for part in terms(means)]

    def _mean(self, average: Expr) -> Expr:
        for known, value in self.known.items():
            if simplify_sums(average - known) == 0:
                return value
        _, mean, variance = concentration(average, self.weights)
        if variance == 0:
            return mean
        remaining = variance
        for width in self.widths:
            remaining = limit_in(remaining, width)
        if remaining != 0:
            raise ValueError(f"{average} does not concentrate: its variance tends to {remaining}, not to 0.")
        slowest = next(width for width in self.widths if limit_in(variance, width) == 0)
        noise = Dummy("eta", positive=True)
        self.fluctuations.add(noise)
        return mean + noise / sqrt(slowest)

    def check_negligible(self, term: Term) -> None:
        """Refuse a fluctuation whose bound does not vanish with some width, or grows with one."""
        sizes = Mul(*(f for f in Mul.make_args(term.product) if not f.free_symbols - set(self.widths)))
        bounding = sizes * Mul(*(upper for _, _, upper in term.bound if upper in self.widths))
        limits = [limit(bounding, width, oo) for width in self.widths]
        if not all(value.is_finite for value in limits) or S.Zero not in limits:
            raise ValueError(
                "replacing an average by its mean is not justified: the error can be as large as a bounded "
                f"quantity times {bounding}. Average over other weights first; or is a factor 1/sqrt(width) "
                "missing?"
            )
