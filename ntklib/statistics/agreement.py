"""Label scores of networks, their trajectories over seeds, and how well a prediction agrees with them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy import stats

from ntklib.documents import Documents
from ntklib.statistics.intervals import Interval, bootstrap_interval
from ntklib.validation import checked_integer, finite_array, proportion

# Probes that a network scores at once: bounds memory at this many times the width, for any vocabulary.
_PROBES_AT_ONCE = 4096


def label_scores(network: Any, probes: Any) -> Any:
    """Label scores of probes: the network's score of each token or n-gram alone.

    ``s_u = s((u))``, and for an n-gram ``s((u_1, …, u_n))``

    Parameters
    ----------
    network : torch.nn.Module
        Maps documents to (N,) or (N, C) scores, as those of ``Architecture.network``.
    probes : mapping from name to token ids, or sequence of token-id sequences, or Corpus
        What to score. A corpus stands for every token of its vocabulary.

    Returns
    -------
    Series, or DataFrame for C classes
        float64 scores by name of the probe (by tuple of ids for a sequence); classes are columns.

    Raises
    ------
    TypeError, ValueError
        If a probe is malformed or empty, or a score is not finite.

    Notes
    -----
    Scores in evaluation mode (no dropout) without gradients, and leaves the network in the mode it was in.
    These are the network's own scores; theory predicts their change since initialisation. Source: released
    code.

    Examples
    --------
    >>> import ntklib
    >>> network = ntklib.MLP().network(width=16, vocabulary_size=3, seed=0)
    >>> label_scores(network, {"good": [0], "not good": [2, 0]}).index.tolist()
    ['good', 'not good']
    """
    import torch  # only here: the counts and intervals of this package do without

    vocabulary = getattr(probes, "vocabulary", None)
    if vocabulary is not None:
        named: dict[Any, Any] = {token: [i] for i, token in enumerate(vocabulary)}
    elif isinstance(probes, Mapping):
        named = dict(probes)
    else:
        named = {tuple(probe.tolist()): probe for probe in Documents.of(probes, name="probes")}
    documents = Documents.of(list(named.values()), name="probes")
    was_training = network.training
    network.eval()
    try:
        with torch.no_grad():
            batches = [
                network(documents[start : start + _PROBES_AT_ONCE]).to(torch.float64).cpu().numpy()
                for start in range(0, len(documents), _PROBES_AT_ONCE)
            ]
    finally:
        network.train(was_training)
    scores = np.concatenate(batches)
    index = pd.Index(list(named), name="probe", tupleize_cols=False)
    if not np.isfinite(scores).all():
        worst = index[int(np.argwhere(~np.isfinite(scores))[0, 0])]
        raise ValueError(
            f"network gives probe {worst!r} a score that is not finite: did its training diverge?"
        )
    if scores.ndim == 1:
        return pd.Series(scores, index=index, name="label score")
    return pd.DataFrame(scores, index=index).rename_axis(columns="class")


def class_trajectories(
    runs: Sequence[pd.DataFrame],
    classes: pd.Series,
    *,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> pd.DataFrame:
    """Label score of each token class over time: median over seeds, with its bootstrap interval.

    ``median_seeds median_{u ∈ class} s_u(t)``; the interval resamples seeds, the independent units, not
    tokens

    Parameters
    ----------
    runs : sequence of (times × tokens) DataFrames
        Scores, one frame a seed, at least two, with the same times.
    classes : Series
        Class of each token, as :func:`token_classes` gives; tokens without a column in the runs are an error.
    level, resamples, seed
        As in :func:`bootstrap_interval`.

    Returns
    -------
    (times × ·) DataFrame
        Columns (class, "estimate" | "low" | "high"), classes in the order of the category.

    Raises
    ------
    ValueError
        If runs are fewer than two or at different times, or a token or a score is missing.

    Examples
    --------
    >>> runs = [pd.DataFrame({"good": [0.0, s], "bad": [0.0, -s]}, index=[0, 10]) for s in (1.0, 2.0, 3.0)]
    >>> classes = pd.Series({"good": "positive", "bad": "negative"})
    >>> class_trajectories(runs, classes)["positive"]
        estimate  low  high
    0        0.0  0.0   0.0
    10       2.0  1.0   3.0
    """
    if len(runs) < 2:
        raise ValueError(f"runs has length {len(runs)}, but an interval over seeds needs at least 2 runs.")
    parts = {}
    for number, run in enumerate(runs):
        if not run.index.equals(runs[0].index):
            raise ValueError(
                f"runs[{number}] is at other times than runs[0]: record all runs at the same times."
            )
        missing = [token for token in classes.index if token not in run.columns]
        if missing:
            raise ValueError(
                f"runs[{number}] has no column {missing[0]!r} ({len(missing)} columns are missing): "
                "probe every classified token."
            )
    groups = classes.groupby(classes, observed=True).groups
    for name, members in groups.items():
        medians = np.stack([run[list(members)].median(axis=1, skipna=False).to_numpy() for run in runs])
        interval = bootstrap_interval(medians, np.median, level, resamples, seed)
        for part in ("estimate", "low", "high"):
            parts[name, part] = getattr(interval, part)
    return pd.DataFrame(parts, index=runs[0].index)


def r_squared(observed: Any, predicted: Any) -> float:
    """Share of the observed variance that the prediction itself, unfitted, explains.

    ``R² = 1 − Σ (o_i − p_i)² / Σ (o_i − ō)²``

    Parameters
    ----------
    observed, predicted : (n,) floats
        Paired values, n at least 2.

    Returns
    -------
    float
        1 for a perfect prediction, 0 for one no better than the mean, negative for a worse one: nothing is
        fitted, neither scale nor offset.

    Raises
    ------
    TypeError, ValueError
        If values are not finite numbers, of different number, fewer than 2, or the observed ones are
        constant.

    Examples
    --------
    >>> r_squared([1, 2, 3], [1, 2, 3]), r_squared([1, 2, 3], [2, 2, 2]), r_squared([1, 2, 3], [2, 4, 6])
    (1.0, 0.0, -6.0)
    """
    seen = finite_array(observed, "observed", (None,))
    said = finite_array(predicted, "predicted", seen.shape)
    if len(seen) < 2 or np.ptp(seen) == 0:
        raise ValueError("observed must hold at least two different values: R² compares with their variance.")
    return float(1 - ((seen - said) ** 2).sum() / ((seen - seen.mean()) ** 2).sum())


def convergence_rate(
    widths: Any, errors: Any, *, level: float = 0.95, resamples: int = 2000, seed: int = 0
) -> Interval:
    """Exponent of a power law between width and error, with a residual bootstrap interval.

    ``log error = a + b log m + noise``; ``b`` by least squares over all widths and seeds

    Parameters
    ----------
    widths : (W,) numbers above 0
        At least 3 different ones.
    errors : (W, R) numbers above 0
        The error at each width, of R at least 2 independent repeats.
    level, resamples, seed
        As in :func:`bootstrap_interval`.

    Returns
    -------
    Interval
        The slope ``b``: −1/2 for the fluctuation of an empirical kernel around its limit.

    Raises
    ------
    TypeError, ValueError
        If an error is not above 0, shapes do not fit, or there are too few widths or repeats.

    Notes
    -----
    Assumes that the errors' scatter on the log scale is the same at each width. The nominal 95 % interval of
    5 widths covers in 91, 93 and 95 % of samples for 2, 5 and 10 repeats (measured; this library's tests
    repeat it). A bend of the curve, such as a floor that Monte Carlo noise sets, widens the interval but is
    not detected: look at the plot. Source: Efron (1979), Freedman (1981).

    Examples
    --------
    >>> errors = [[1.0, 1.1], [0.5, 0.55], [0.25, 0.275]]
    >>> round(convergence_rate([64, 256, 1024], errors).estimate, 3)
    -0.5
    """
    sizes = finite_array(widths, "widths", (None,))
    values: Float[np.ndarray, "widths repeats"] = finite_array(errors, "errors", (len(sizes), None))
    for name, array in (("widths", sizes), ("errors", values)):
        if array.size and array.min() <= 0:
            raise ValueError(
                f"{name} must be above 0, as their logarithm is fitted, but one is {array.min()}."
            )
    if len(np.unique(sizes)) < 3:
        raise ValueError(f"widths must hold at least 3 different widths, not {np.unique(sizes).tolist()}.")
    if values.shape[1] < 2:
        raise ValueError(
            f"errors has {values.shape[1]} repeats of each width, but needs at least 2: add seeds."
        )
    confidence, repeats = proportion(level, "level"), checked_integer(resamples, "resamples", 100)
    x = np.repeat(np.log(sizes), values.shape[1])
    y = np.log(values).ravel()
    weights = (x - x.mean()) / ((x - x.mean()) ** 2).sum()
    slope = float(weights @ y)
    # Residuals of a fitted line are too small on average by the two degrees of freedom that it took.
    residuals = (y - y.mean() - slope * (x - x.mean())) * np.sqrt(len(x) / (len(x) - 2))

    def resampled_slope(sample: Float[np.ndarray, "..."], axis: int = -1) -> Any:
        return slope + np.tensordot(sample, weights, axes=([axis], [0]))

    result = stats.bootstrap(
        (residuals,),
        resampled_slope,
        n_resamples=repeats,
        confidence_level=confidence,
        method="percentile",
        vectorized=True,
        rng=np.random.default_rng(checked_integer(seed, "seed", 0)),
    )
    low, high = result.confidence_interval
    return Interval(slope, float(low), float(high), confidence)
