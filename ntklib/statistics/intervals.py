"""Intervals by the bootstrap: how far a number would move in another sample of seeds or tokens."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from scipy import stats

from ntklib.statistics.validation import finite_array, positive_integer, proportion

# Numbers that one batch of resamples may hold: 80 MB.
_BATCH = 10_000_000


class Interval(NamedTuple):
    """An estimate with the ends of its interval."""

    estimate: Any
    """the statistic of the values themselves: a float, or an array with one entry for each column"""
    low: Any
    """lower end"""
    high: Any
    """upper end"""
    level: float = 0.95
    """nominal coverage"""


def bootstrap_interval(
    values: Any,
    statistic: Callable[..., Any] = np.median,
    level: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
    method: str = "percentile",
) -> Interval:
    """Bootstrap interval of a statistic of independent values, such as one result for each seed.

    ``[Q_{(1−level)/2}, Q_{(1+level)/2}]`` of ``statistic(values*)``, ``values*`` drawn from ``values`` with replacement

    Parameters
    ----------
    values : (n,) or (n, K) floats
        One independent observation a row, n at least 2. Each column has its interval, all from the same resamples.
    statistic : function
        As NumPy's ``median`` and ``mean``: takes an array and ``axis``.
    level : float
        Nominal coverage, between 0 and 1.
    resamples : int
        Number of bootstrap samples.
    seed : int
        Seed of the resampling.
    method : str
        ``"percentile"``, ``"basic"`` or ``"BCa"`` of :func:`scipy.stats.bootstrap`. BCa corrects for bias and skew of
        smooth statistics such as the mean, not of the median, whose jackknife is inconsistent.

    Returns
    -------
    Interval
        Floats for (n,) values, (K,) float64 arrays for (n, K).

    Raises
    ------
    TypeError, ValueError
        If values are not finite numbers, fewer than 2, an argument is out of range, or the method gives no finite
        interval.

    Notes
    -----
    A nominal 95 % interval of a median of n normal values covers it in about 94 % of samples for n = 5 and 95 % for
    n = 10; that of a mean by percentile in 84 % and 90 % (both in this library's tests). Rows must be independent:
    tokens of one network are not. Source: Efron (1979), through SciPy.

    Examples
    --------
    >>> bootstrap_interval([1.0, 2.0, 3.0, 4.0, 10.0])
    Interval(estimate=3.0, low=1.0, high=10.0, level=0.95)
    """
    sample = np.asarray(values)
    sample = finite_array(values, "values", (None,) if sample.ndim < 2 else (None, None))
    _at_least(len(sample), 2, "values", "observation, such as a result of another seed")
    if method not in ("percentile", "basic", "BCa"):
        raise ValueError(f"method must be 'percentile', 'basic' or 'BCa', not {method!r}.")
    confidence, repeats = proportion(level, "level"), positive_integer(resamples, "resamples", 100)
    estimate = statistic(sample, axis=0)
    low, high = _scipy_bootstrap((sample,), statistic, confidence, repeats, seed, method, paired=False)
    if not np.isfinite([low, high]).all():
        raise ValueError(
            f"method {method!r} gives no finite interval for these values (are all of them equal?): "
            "use method='percentile'."
        )
    if sample.ndim == 1:
        return Interval(float(estimate), float(low), float(high), confidence)
    return Interval(np.asarray(estimate), low, high, confidence)


def rank_correlation(x: Any, y: Any, level: float = 0.95, resamples: int = 1000, seed: int = 0) -> Interval:
    """Spearman's rank correlation of paired values, with a percentile bootstrap interval over the pairs.

    ``ρ = corr(rank x, rank y)``, ties at their mean rank

    Parameters
    ----------
    x, y : (n,) floats
        Paired values, n at least 4; neither may be constant.
    level : float
        Nominal coverage, between 0 and 1.
    resamples : int
        Number of bootstrap samples.
    seed : int
        Seed of the resampling.

    Returns
    -------
    Interval
        Floats.

    Raises
    ------
    TypeError, ValueError
        If values are not finite numbers, of different or too small number, constant, or an argument is out of range.

    Notes
    -----
    Pairs must be independent for the nominal coverage. The nominal 95 % interval of 30 normal pairs covers in about
    94 % of samples (this library's tests). Source: Spearman (1904); ranks through SciPy.

    Examples
    --------
    >>> rank_correlation([1, 2, 3, 4, 5], [1, 4, 9, 16, 25]).estimate
    1.0
    """
    first = finite_array(x, "x", (None,))
    second = finite_array(y, "y", (len(first),))
    _at_least(len(first), 4, "x", "pair")
    for name, array in (("x", first), ("y", second)):
        if np.ptp(array) == 0:
            raise ValueError(f"{name} is constant ({array[0]}): a rank correlation needs different values.")
    confidence, repeats = proportion(level, "level"), positive_integer(resamples, "resamples", 100)
    low, high = _scipy_bootstrap(
        (first, second), _spearman, confidence, repeats, seed, "percentile", paired=True
    )
    return Interval(float(_spearman(first, second)), float(low), float(high), confidence)


def _spearman(x: Float[np.ndarray, "..."], y: Float[np.ndarray, "..."], axis: int = -1) -> Any:
    ranks = [stats.rankdata(values, axis=axis) for values in (x, y)]
    centred = [rank - rank.mean(axis=axis, keepdims=True) for rank in ranks]
    spread = np.sqrt((centred[0] ** 2).sum(axis=axis) * (centred[1] ** 2).sum(axis=axis))
    product = (centred[0] * centred[1]).sum(axis=axis)
    # A resample of a few pairs can be constant by chance: it shows no correlation.
    return np.divide(product, spread, out=np.zeros_like(product), where=spread > 0)


def _scipy_bootstrap(
    data: tuple[np.ndarray, ...],
    statistic: Callable[..., Any],
    level: float,
    resamples: int,
    seed: int,
    method: str,
    *,
    paired: bool,
) -> tuple[Any, Any]:
    with np.errstate(invalid="ignore", divide="ignore"):
        result = stats.bootstrap(
            data,
            statistic,
            n_resamples=resamples,
            batch=max(1, _BATCH // max(1, data[0].size)),
            paired=paired,
            axis=0,
            vectorized=True,
            confidence_level=level,
            method=method,
            rng=np.random.default_rng(positive_integer(seed, "seed", 0)),
        )
    return result.confidence_interval.low, result.confidence_interval.high


def _at_least(number: int, minimum: int, name: str, what: str) -> None:
    if number < minimum:
        raise ValueError(f"{name} has length {number}, but needs at least {minimum}: add another {what}.")
