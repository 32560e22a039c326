"""What chance alone would show: shuffled labels, frequency-matched controls and corrected p-values."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy.optimize import linear_sum_assignment
from scipy.stats import false_discovery_control

from ntklib.validation import checked_integer, finite_array, labelled_documents, proportion


@dataclass(frozen=True, eq=False)
class NullDistribution:
    """A statistic of a corpus beside its values under shuffled labels.

    Attributes
    ----------
    observed : float or Series
        The statistic of the corpus as it is.
    samples : DataFrame
        One row a shuffle, one column for each entry of the statistic.
    """

    observed: Any
    samples: pd.DataFrame

    def interval(self, level: float = 0.95) -> pd.DataFrame:
        """Median and central interval of the null: one row an entry of the statistic.

        Parameters
        ----------
        level : float
            Share of the shuffles inside the interval, between 0 and 1.

        Returns
        -------
        DataFrame
            Columns estimate (the median), low, high.
        """
        tail = (1 - proportion(level, "level")) / 2
        quantiles = self.samples.quantile([0.5, tail, 1 - tail]).T
        return quantiles.set_axis(["estimate", "low", "high"], axis=1)

    def p_value(self, alternative: str = "greater") -> Any:
        """Probability under the null of a statistic at least as extreme as the observed one.

        ``(1 + #{samples at least as extreme}) / (1 + #samples)``, which is never 0 (Phipson and Smyth 2010)

        Parameters
        ----------
        alternative : str
            ``"greater"``, ``"less"`` or ``"two-sided"`` (twice the smaller one, at most 1).

        Returns
        -------
        float or Series
            As ``observed``.

        Raises
        ------
        ValueError
            If the alternative is not one of the three.
        """
        if alternative not in ("greater", "less", "two-sided"):
            raise ValueError(f"alternative must be 'greater', 'less' or 'two-sided', not {alternative!r}.")
        greater = (1 + (self.samples >= self.observed).sum()) / (1 + len(self.samples))
        less = (1 + (self.samples <= self.observed).sum()) / (1 + len(self.samples))
        both = (2 * greater.combine(less, min)).clip(upper=1)
        p = {"greater": greater, "less": less, "two-sided": both}[alternative]
        return p if isinstance(self.observed, pd.Series) else float(p.iloc[0])


def shuffled_label_null(
    corpus: Any, statistic: Callable[[Any], Any], repeats: int = 199, seed: int = 0
) -> NullDistribution:
    """Distribution of a statistic when the labels carry no information on the documents.

    ``statistic((x_i, y_π(i)))`` for random permutations ``π``: counts of tokens and of labels stay as they
    are

    Parameters
    ----------
    corpus : Corpus, or a pair (documents, labels)
        The N documents.
    statistic : function
        Takes a corpus of the same kind; returns a finite number, or a Series that has the same index each
        time.
    repeats : int
        Number of shuffles.
    seed : int
        Seed of the shuffles.

    Returns
    -------
    NullDistribution
        The observed statistic and those of the shuffles, with ``interval`` and ``p_value``.

    Raises
    ------
    TypeError, ValueError
        If the corpus is malformed, ``repeats`` is not an integer of at least 1, or a statistic is not finite.

    Notes
    -----
    Exact when documents are exchangeable under the null; repeated documents that always share a label are
    not. The smallest possible p-value is ``1 / (repeats + 1)``. Source: derivation (permutation test).

    Examples
    --------
    >>> documents, labels = [[0]] * 6 + [[1]] * 6, [1] * 6 + [0] * 6
    >>> null = shuffled_label_null(
    ...     (documents, labels), lambda corpus: sum(y for (u,), y in zip(*corpus) if u == 0), repeats=99
    ... )
    >>> null.observed, null.p_value()
    (6.0, 0.01)
    """
    _, labels, _ = labelled_documents(corpus)
    times = checked_integer(repeats, "repeats")
    rng = np.random.default_rng(checked_integer(seed, "seed", 0))

    def shuffled() -> Any:
        if hasattr(corpus, "shuffled_labels"):
            return corpus.shuffled_labels(seed=int(rng.integers(2**31)))
        return corpus[0], rng.permutation(labels)

    observed = _finite_series(statistic(corpus))
    rows = []
    for _ in range(times):
        row = _finite_series(statistic(shuffled()))
        if not row.index.equals(observed.index):
            raise ValueError(
                f"statistic returned the entries {row.index.tolist()!r:.60} for shuffled labels, but "
                f"{observed.index.tolist()!r:.60} for the corpus: return the same entries in the same order "
                "(value_counts().reindex(...) does)."
            )
        rows.append(row.to_numpy())
    samples = pd.DataFrame(np.stack(rows), columns=observed.index)
    is_number = observed.index.equals(pd.Index(["statistic"]))
    return NullDistribution(float(observed.iloc[0]) if is_number else observed, samples)


def _finite_series(value: Any) -> pd.Series:
    series = value if isinstance(value, pd.Series) else pd.Series([value], index=["statistic"])
    try:
        series = series.astype(np.float64)
    except (TypeError, ValueError):
        raise TypeError(
            f"statistic must return a number or a Series of numbers, not {value!r:.60}."
        ) from None
    if not np.isfinite(series.to_numpy()).all():
        raise ValueError(f"statistic must return finite numbers, not {value!r:.60}.")
    # A categorical index would not let further labels stand beside its own.
    return series.set_axis(pd.Index(series.index.tolist(), tupleize_cols=False))


def frequency_matched(
    tokens: Any, frequency: pd.Series, candidates: Any, *, within: float | int = 1.25, seed: int = 0
) -> pd.Series:
    """Pair each token with a control that occurs about as often.

    Minimises ``Σ |log f_token − log f_control|`` over pairings without repetition, after making them as many
    as possible with ``1/within ≤ f_token / f_control ≤ within``

    Parameters
    ----------
    tokens : sequence of tokens
        What needs a control, without repetition.
    frequency : Series
        Number of occurrences of every token, above 0: the sum over classes of :func:`cooccurrence`.
    candidates : sequence of tokens
        What may serve as control, without repetition. Those among ``tokens`` are left out.
    within : float
        Largest ratio of the two frequencies, 1 or larger.
    seed : int
        Decides between equally good controls.

    Returns
    -------
    Series
        The control of each token that has one, in the order of ``tokens``. A token without one is left out:
        compare the lengths, and measure only the tokens that are left.

    Raises
    ------
    ValueError
        If a token has no frequency above 0, is named twice, or ``within`` is less than 1.

    Notes
    -----
    Makes a dense (tokens × candidates) matrix. Source: optimal matching with a caliper (Rosenbaum 1989),
    through :func:`scipy.optimize.linear_sum_assignment`.

    Examples
    --------
    >>> frequency = pd.Series({"good": 40, "bad": 12, "film": 300, "chair": 38, "door": 12})
    >>> frequency_matched(["good", "bad", "film"], frequency, ["chair", "door"]).to_dict()
    {'good': 'chair', 'bad': 'door'}
    """
    if not within >= 1:
        raise ValueError(f"within must be a ratio of 1 or larger, such as 1.25, not {within!r}.")
    treated = _known_tokens(tokens, frequency, "tokens")
    pool = [t for t in _known_tokens(candidates, frequency, "candidates") if t not in set(treated)]
    np.random.default_rng(checked_integer(seed, "seed", 0)).shuffle(pool)
    logs = frequency.map(np.log)
    distance = np.abs(
        np.subtract.outer([logs[t] for t in treated], [logs[t] for t in pool]).reshape(
            len(treated), len(pool)
        )
    )
    allowed = distance <= np.log(within) + 1e-12
    # One pair less costs more than all distances inside the caliper together.
    cost = np.where(allowed, distance, 1 + len(treated) * np.log(within))
    pairs = [(i, j) for i, j in zip(*linear_sum_assignment(cost), strict=True) if allowed[i, j]]
    index = pd.Index([treated[i] for i, _ in pairs], name="token", tupleize_cols=False)
    return pd.Series([pool[j] for _, j in pairs], index=index, name="control", dtype=object)


def _known_tokens(tokens: Any, frequency: pd.Series, name: str) -> list[Any]:
    found = list(tokens)
    if len(set(found)) < len(found):
        twice = next(token for token in found if found.count(token) > 1)
        raise ValueError(f"{name} holds {twice!r} more than once: name each token once.")
    for token in found:
        if token not in frequency.index or not frequency[token] > 0:
            raise ValueError(
                f"{name} holds {token!r}, whose frequency is not in frequency or not above 0: "
                "pass the number of occurrences of every token."
            )
    return found


def false_discovery(p_values: Any, rate: float = 0.05) -> pd.DataFrame:
    """Benjamini–Hochberg correction of several tests' p-values.

    ``adjusted_(k) = min_{j ≥ k} p_(j) n / j``; rejecting ``adjusted ≤ rate`` keeps the expected share of
    false rejections at most ``rate``

    Parameters
    ----------
    p_values : Series or (n,) floats
        p-values of all tests that were made, each from 0 to 1.
    rate : float
        Accepted share of false rejections, between 0 and 1.

    Returns
    -------
    DataFrame
        Columns p, adjusted, rejected; one row a test, in the given order and with the Series' index.
        ``attrs["tests"]`` is the number of tests.

    Raises
    ------
    TypeError, ValueError
        If a p-value is not between 0 and 1, there is none, or the rate is out of range.

    Notes
    -----
    Holds for independent and positively dependent tests. Source: Benjamini and Hochberg (1995), through
    :func:`scipy.stats.false_discovery_control`.

    Examples
    --------
    >>> false_discovery(pd.Series({"good": 0.01, "film": 0.5, "bad": 0.02}))
             p  adjusted  rejected
    good  0.01      0.03      True
    film  0.50      0.50     False
    bad   0.02      0.03      True
    """
    p: Float[np.ndarray, " tests"] = finite_array(p_values, "p_values", (None,))
    if len(p) == 0 or p.min() < 0 or p.max() > 1:
        shown = "an empty sequence" if len(p) == 0 else str(p.min() if p.min() < 0 else p.max())
        raise ValueError(f"p_values must be probabilities from 0 to 1, at least one of them, not {shown}.")
    bound = proportion(rate, "rate")
    adjusted = false_discovery_control(p)
    index = p_values.index if isinstance(p_values, pd.Series) else None
    frame = pd.DataFrame({"p": p, "adjusted": adjusted, "rejected": adjusted <= bound}, index=index)
    frame.attrs["tests"] = len(p)
    return frame
