"""Intervals by the bootstrap: how far a number would move in another sample of seeds or tokens."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Shaped
from scipy import stats

from ntklib.validation import checked_integer, finite_array, proportion

# Numbers that one batch of resamples holds: larger ones leave the cache and take twice as long.
_BATCH = 500_000


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

    ``[Q_{(1−level)/2}, Q_{(1+level)/2}]`` of ``statistic(values*)``, ``values*`` drawn from ``values`` with
    replacement

    Parameters
    ----------
    values : (n,) or (n, K) floats
        One independent observation a row, n at least 2. Each column has its interval, all from the same
        resamples.
    statistic : function
        As NumPy's ``median`` and ``mean``: takes an array and ``axis``. Of (n, K) values it may make J
        numbers instead of K: of an array with K on its first other axis it returns one with J there.
    level : float
        Nominal coverage, between 0 and 1.
    resamples : int
        Number of bootstrap samples.
    seed : int
        Seed of the resampling.
    method : str
        ``"percentile"``, ``"basic"`` or ``"BCa"`` of :func:`scipy.stats.bootstrap`. BCa corrects for bias and
        skew of smooth statistics such as the mean, not of the median, whose jackknife is inconsistent.

    Returns
    -------
    Interval
        Floats for (n,) values, (K,) float64 arrays for (n, K), or as many entries as the statistic makes.

    Raises
    ------
    TypeError, ValueError
        If values are not finite numbers, fewer than 2, an argument is out of range, or the method gives no
        finite interval.

    Notes
    -----
    Measured on normal values (this library's tests repeat it): the nominal 95 % interval of a median of 5, 10
    or 20 values covers in 93 % of samples; that of a mean in 83, 89 and 92 %, and with BCa in 86, 90 and 89
    %. Rows must be independent: tokens of one network are not. Source: Efron (1979), through SciPy.

    Examples
    --------
    >>> bootstrap_interval([1.0, 2.0, 3.0, 4.0, 10.0])
    Interval(estimate=3.0, low=1.0, high=10.0, level=0.95)
    """
    sample = finite_array(values, "values")
    if sample.ndim not in (1, 2):
        raise ValueError(f"values must have shape (n,) or (n, K), not {sample.shape}.")
    _at_least(len(sample), 2, "values", "observation, such as a result of another seed")
    if method not in ("percentile", "basic", "BCa"):
        raise ValueError(f"method must be 'percentile', 'basic' or 'BCa', not {method!r}.")
    confidence, repeats = proportion(level, "level"), checked_integer(resamples, "resamples", 100)
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

    ``ρ = corr(rank x, rank y)``, tied values at their mean rank

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
        If values are not finite numbers, of different or too small number, constant, or an argument is out of
        range.

    Notes
    -----
    Pairs must be independent for the nominal coverage. The nominal 95 % interval of 30 normal pairs covers in
    94 % of samples (measured; this library's tests repeat it). Source: Spearman (1904).

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
    confidence, repeats = proportion(level, "level"), checked_integer(resamples, "resamples", 100)
    order = [np.unique(values, return_inverse=True)[1] for values in (first, second)]
    low, high = _scipy_bootstrap(order, _spearman, confidence, repeats, seed, "percentile", paired=True)
    return Interval(float(_spearman(order[0], order[1])), float(low), float(high), confidence)


def _spearman(x: Shaped[np.ndarray, "..."], y: Shaped[np.ndarray, "..."], axis: int = -1) -> Any:
    """Correlation of the ranks along the last axis of values given by their order, 0 … K − 1."""
    ranks = [_centred_mean_ranks(values) for values in (x, y)]
    spread = np.sqrt((ranks[0] ** 2).sum(axis=axis) * (ranks[1] ** 2).sum(axis=axis))
    product = (ranks[0] * ranks[1]).sum(axis=axis)
    # A resample of a few pairs can be constant by chance: it shows no correlation.
    return np.divide(product, spread, out=np.zeros_like(product), where=spread > 0)


def _centred_mean_ranks(order: Shaped[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    # Counting replaces sorting: a resample of n known values is ranked in O(n).
    rows = order.reshape(-1, order.shape[-1]).astype(np.int64)  # SciPy hands them on as floats
    kinds = int(rows.max()) + 1
    flat = rows + kinds * np.arange(len(rows))[:, None]
    counts = np.bincount(flat.ravel(), minlength=kinds * len(rows)).reshape(len(rows), kinds)
    mean_rank = counts.cumsum(axis=1) - (counts - 1) / 2
    return (mean_rank.ravel()[flat] - (rows.shape[1] + 1) / 2).reshape(order.shape)


def _scipy_bootstrap(
    data: Any,
    statistic: Callable[..., Any],
    level: float,
    resamples: int,
    seed: int,
    method: Any,
    *,
    paired: bool,
) -> tuple[Any, Any]:
    with np.errstate(invalid="ignore", divide="ignore"):
        result: Any = stats.bootstrap(
            data,
            statistic,
            n_resamples=resamples,
            batch=max(1, _BATCH // max(1, data[0].size)),
            paired=paired,
            axis=0,
            vectorized=True,
            confidence_level=level,
            method=method,
            rng=np.random.default_rng(checked_integer(seed, "seed", 0)),
        )
    return result.confidence_interval.low, result.confidence_interval.high


def _at_least(number: int, minimum: int, name: str, what: str) -> None:
    if number < minimum:
        raise ValueError(f"{name} has length {number}, but needs at least {minimum}: add another {what}.")
