"""Intervals: their coverage in simulations, and the statistics inside them against SciPy."""

import numpy as np
import pytest
from scipy import stats

from ntklib.statistics import bootstrap_interval, convergence_rate, rank_correlation


@pytest.mark.parametrize(("size", "measured"), [(5, 0.93), (10, 0.93), (20, 0.93)])
def test_interval_of_a_median_covers_as_often_as_stated(size, measured):
    samples = np.random.default_rng(size).normal(size=(size, 4000))
    interval = bootstrap_interval(samples, resamples=1000)
    coverage = np.mean((interval.low <= 0) & (interval.high >= 0))
    # Two sets of 4,000 differ by less than 0.02 in all but one of 1,000 pairs.
    assert coverage == pytest.approx(measured, abs=0.02)


@pytest.mark.parametrize(("size", "measured"), [(5, 0.83), (10, 0.89), (20, 0.92)])
def test_interval_of_a_mean_covers_as_often_as_stated(size, measured):
    samples = np.random.default_rng(size).normal(size=(size, 4000))
    interval = bootstrap_interval(samples, np.mean, resamples=1000)
    coverage = np.mean((interval.low <= 0) & (interval.high >= 0))
    assert coverage == pytest.approx(measured, abs=0.02)


def test_interval_of_rank_correlation_covers_as_often_as_stated():
    rng = np.random.default_rng(3)
    correlation = 0.6
    true_rank_correlation = 6 / np.pi * np.arcsin(correlation / 2)
    covered = []
    for seed in range(400):
        x, y = rng.multivariate_normal([0, 0], [[1, correlation], [correlation, 1]], 30).T
        interval = rank_correlation(x, y, resamples=500, seed=seed)
        covered.append(interval.low <= true_rank_correlation <= interval.high)
    assert np.mean(covered) == pytest.approx(0.94, abs=0.04)


@pytest.mark.parametrize(("repeats", "measured"), [(2, 0.91), (5, 0.93), (10, 0.95)])
def test_interval_of_the_convergence_rate_covers_as_often_as_stated(repeats, measured):
    rng = np.random.default_rng(repeats)
    widths = np.array([64, 128, 256, 512, 1024])
    covered = []
    for seed in range(400):
        errors = widths[:, None] ** -0.5 * np.exp(0.3 * rng.normal(size=(5, repeats)))
        interval = convergence_rate(widths, errors, resamples=500, seed=seed)
        covered.append(interval.low <= -0.5 <= interval.high)
    assert np.mean(covered) == pytest.approx(measured, abs=0.045)


def test_convergence_rate_equals_ordinary_least_squares():
    rng = np.random.default_rng(0)
    widths = [64, 256, 1024, 4096]
    errors = rng.uniform(0.1, 1, (4, 3))
    fit = stats.linregress(np.repeat(np.log(widths), 3), np.log(errors).ravel())
    assert convergence_rate(widths, errors).estimate == pytest.approx(fit.slope, rel=1e-12)


def test_an_exact_power_law_has_an_interval_without_width():
    widths = np.array([1.0, 2.0, 4.0])
    interval = convergence_rate(widths, np.repeat(widths[:, None] ** -0.5, 2, axis=1))
    assert interval.estimate == pytest.approx(-0.5, abs=1e-12)
    assert interval.high - interval.low < 1e-12


@pytest.mark.parametrize("kinds", [3, 10, 10**9])
def test_rank_correlation_equals_scipy_with_and_without_ties(kinds):
    rng = np.random.default_rng(kinds)
    x = rng.integers(0, kinds, 50)
    y = x + rng.integers(0, kinds, 50)
    found = rank_correlation(x, y)
    assert found.estimate == pytest.approx(stats.spearmanr(x, y).statistic, abs=1e-12)
    assert found.low < found.estimate < found.high


def test_rank_correlation_resamples_pairs_as_a_loop_over_scipy_does():
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 6, 40), rng.integers(0, 6, 40)
    interval = rank_correlation(x, y, resamples=4000)
    loop = []
    for _ in range(4000):
        rows = rng.integers(0, 40, 40)
        loop.append(stats.spearmanr(x[rows], y[rows]).statistic)
    assert [interval.low, interval.high] == pytest.approx(np.quantile(loop, [0.025, 0.975]), abs=0.03)


def test_each_column_has_the_interval_that_it_has_alone():
    values = np.random.default_rng(0).normal(size=(10, 3))
    together = bootstrap_interval(values, resamples=500)
    assert together.estimate == pytest.approx(np.median(values, axis=0))
    alone = bootstrap_interval(values[:, 0], resamples=500)
    assert (together.low[0], together.high[0]) == (alone.low, alone.high)


def test_a_seed_repeats_an_interval_and_another_one_does_not():
    values = np.random.default_rng(0).normal(size=30)
    first, again, other = (bootstrap_interval(values, np.mean, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_a_higher_level_gives_a_wider_interval():
    values = np.random.default_rng(0).normal(size=30)
    narrow, wide = (bootstrap_interval(values, level=level) for level in (0.5, 0.99))
    assert wide.low < narrow.low < narrow.high < wide.high


def test_equal_values_have_an_interval_without_width():
    assert bootstrap_interval([2.0, 2.0, 2.0])[:3] == (2.0, 2.0, 2.0)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: bootstrap_interval([1.0]), ValueError, "values has length 1, but needs at least 2"),
        (lambda: bootstrap_interval([1.0, np.nan]), ValueError, r"values\[1\] is nan"),
        (
            lambda: bootstrap_interval([[1.0], [1.0, 2.0]]),
            TypeError,
            "values must be numbers in a rectangular",
        ),
        (lambda: bootstrap_interval([[[1.0]]]), ValueError, r"values must have shape \(n,\) or \(n, K\)"),
        (lambda: bootstrap_interval(["a", "b"]), TypeError, "values must be numbers"),
        (lambda: bootstrap_interval([1, 2], level=95.0), ValueError, "level must be between 0 and 1"),
        (
            lambda: bootstrap_interval([1, 2], resamples=5),
            ValueError,
            "resamples must be an integer, 100 or larger, not 5",
        ),
        (lambda: bootstrap_interval([1, 2], seed=-1), ValueError, "seed must be an integer, 0 or larger"),
        (lambda: bootstrap_interval([1, 2], method="bca"), ValueError, "method must be 'percentile'"),
        (lambda: rank_correlation([1, 2, 3], [1, 2, 3]), ValueError, "x has length 3, but needs at least 4"),
        (lambda: rank_correlation([1, 1, 1, 1], [1, 2, 3, 4]), ValueError, "x is constant"),
        (lambda: rank_correlation([1, 2, 3, 4], [1, 2]), ValueError, r"y must have shape \(4\), not \(2,\)"),
        (lambda: convergence_rate([1, 2], [[1, 1]] * 2), ValueError, "at least 3 different widths"),
        (lambda: convergence_rate([1, 2, 3], [[1]] * 3), ValueError, "errors has 1 repeats of each width"),
        (lambda: convergence_rate([1, 2, 3], [[1, 0]] * 3), ValueError, "errors must be above 0"),
        (lambda: convergence_rate([0, 2, 3], [[1, 1]] * 3), ValueError, "widths must be above 0"),
    ],
)  # fmt: skip
def test_bad_input_names_the_argument(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.filterwarnings("ignore::scipy.stats.DegenerateDataWarning")
def test_a_method_that_gives_no_interval_is_refused_rather_than_nan():
    with pytest.raises(ValueError, match="method 'BCa' gives no finite interval"):
        bootstrap_interval([1.0, 1.0, 1.0], np.mean, method="BCa")


def test_a_statistic_may_make_fewer_numbers_than_it_is_given():
    """Shares of two columns: their intervals are those of each share alone, from the same resamples."""
    values = np.random.default_rng(0).uniform(1, 2, (12, 3))

    def share_of_the_first(sample, axis):
        means = sample.mean(axis=axis)
        return (means[0] / means.sum(axis=0))[None]

    found = bootstrap_interval(values, share_of_the_first, resamples=500)
    rng = np.random.default_rng(0)
    means = values[rng.integers(0, 12, (500, 12))].mean(axis=1)
    shares = means[:, 0] / means.sum(axis=1)
    assert found.estimate == pytest.approx([values[:, 0].sum() / values.sum()])
    assert found.low == pytest.approx([np.quantile(shares, 0.025)])
    assert found.high == pytest.approx([np.quantile(shares, 0.975)])
