"""Figures that compare networks with what theory predicts of them."""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from jaxtyping import Bool, Float
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator

from ntklib.plotting.style import COLOURS, LINES
from ntklib.statistics import Interval, bootstrap_interval, convergence_rate, r_squared

_CLASS_STYLES = {
    "positive": {"color": COLOURS["blue"], "linestyle": "-"},
    "negative": {"color": COLOURS["vermillion"], "linestyle": "--"},
    "neutral": {"color": COLOURS["black"], "linestyle": ":"},
}


def plot_trajectories(
    trajectories: pd.DataFrame,
    ax: Axes | None = None,
    *,
    null: pd.DataFrame | None = None,
    time: str = "epoch",
    score: str = "change of label score  s − s₀  (logit)",
) -> Axes:
    """Draw the label scores of token classes over training time, with their intervals.

    Parameters
    ----------
    trajectories : (times × ·) DataFrame
        As :func:`~ntklib.statistics.class_trajectories` gives: columns (class, "estimate" | "low" | "high").
    ax : Axes, optional
        Where to draw; the current axes by default.
    null : DataFrame, optional
        The same under shuffled labels, drawn in grey with the class's dashes.
    time, score : str
        Labels of the axes.

    Returns
    -------
    Axes

    Raises
    ------
    ValueError
        If a frame has not the columns named above.

    Examples
    --------
    >>> parts = ("estimate", "low", "high")
    >>> frame = pd.DataFrame({("positive", part): [0.0, 1.0] for part in parts}, index=[0, 10])
    >>> plot_trajectories(frame).get_xlabel()
    'epoch'
    """
    ax = plt.gca() if ax is None else ax
    names = list(dict.fromkeys(trajectories.columns.get_level_values(0)))
    for number, name in enumerate(names):
        style: dict[str, Any] = dict(_CLASS_STYLES.get(str(name), _cycled(number)))
        _plot_class(ax, trajectories, name, str(name), style)
        if null is not None:
            chance = style | {"color": COLOURS["grey"], "linewidth": 1.2}
            _plot_class(ax, null, name, f"{name}, shuffled labels", chance)
    ax.axhline(0, color=COLOURS["grey"], linewidth=0.8, zorder=0)
    ax.set(xlabel=time, ylabel=score)
    # Above the axes, one column a class: inside, it would hide a curve.
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=len(names), fontsize="small")
    return ax


def _plot_class(ax: Axes, frame: pd.DataFrame, name: Any, label: str, style: dict[str, Any]) -> None:
    missing = [part for part in ("estimate", "low", "high") if (name, part) not in frame.columns]
    if missing:
        raise ValueError(
            f"{'null' if 'shuffled' in label else 'trajectories'} has no column {(name, missing[0])!r}: "
            "pass what ntklib.statistics.class_trajectories gives."
        )
    times = frame.index.to_numpy()
    ax.plot(times, frame[name, "estimate"], label=label, **style)
    ax.fill_between(
        times, frame[name, "low"], frame[name, "high"], color=style["color"], alpha=0.2, linewidth=0
    )


def _cycled(number: int) -> dict[str, Any]:
    return {"color": list(COLOURS.values())[number % len(COLOURS)], "linestyle": LINES[number % len(LINES)]}


def plot_agreement(
    predicted: Any,
    observed: Any,
    above: Any = None,
    ax: Axes | None = None,
    *,
    quantity: str = "change of label score (logit)",
) -> Axes:
    """Draw what networks showed against what theory predicted, a point a probe, with identity line and R².

    Parameters
    ----------
    predicted, observed : (n,) floats
        Paired scores, in the same unit.
    above : (n,) bools, optional
        Which probes rise above the noise floor: drawn filled, and given an R² of their own.
    ax : Axes, optional
        Where to draw; the current axes by default.
    quantity : str
        What the scores are, with their unit.

    Returns
    -------
    Axes

    Raises
    ------
    TypeError, ValueError
        If scores are not finite, or of different number.

    Examples
    --------
    >>> ax = plot_agreement([0.0, 1.0, 2.0], [0.1, 0.9, 2.2], above=[False, True, True])
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['above the noise floor (2 probes, R² = 0.94)', 'below it (1 probe)', 'observed = predicted']
    """
    ax = plt.gca() if ax is None else ax
    x, y = (np.asarray(values, dtype=np.float64) for values in (predicted, observed))
    total = r_squared(y, x)
    mask = np.ones(len(x), dtype=bool) if above is None else np.asarray(above, dtype=bool)
    if mask.shape != x.shape:
        raise ValueError(f"above must have shape {x.shape}, one bool for each probe, not {mask.shape}.")
    kept = total if mask.all() else _defined_r_squared(y[mask], x[mask])
    name = "probes" if above is None else "above the noise floor"
    label = f"{name} ({_number(mask)}" + ("" if kept is None else _minus(f", R² = {kept:.2f}")) + ")"
    if not mask.all():
        ax.plot(
            x[~mask], y[~mask], "o", markersize=3.5, markerfacecolor="none", markeredgewidth=0.7,
            color=COLOURS["grey"], label=f"below it ({_number(~mask)})",
        )  # fmt: skip
    ax.plot(x[mask], y[mask], "o", markersize=4.5, color=COLOURS["blue"], label=label)
    ends = [min(x.min(), y.min()), max(x.max(), y.max())]
    ax.plot(ends, ends, linestyle="--", linewidth=1, color=COLOURS["black"], label="observed = predicted")
    ax.set(xlabel=f"predicted {quantity}", ylabel=f"observed {quantity}")
    handles, labels = ax.get_legend_handles_labels()
    order = sorted(range(len(labels)), key=lambda i: (labels[i] != label, i))
    ax.legend([handles[i] for i in order], [labels[i] for i in order])
    return ax


def _defined_r_squared(observed: Float[np.ndarray, " n"], predicted: Float[np.ndarray, " n"]) -> float | None:
    """R², or None where too few points are left for a variance."""
    return r_squared(observed, predicted) if len(observed) > 1 and np.ptp(observed) > 0 else None


def _number(mask: Bool[np.ndarray, " n"]) -> str:
    count = int(mask.sum())
    return f"{count:,} probe{'' if count == 1 else 's'}"


def plot_convergence(
    widths: Any,
    errors: Any,
    rate: Interval | None = None,
    ax: Axes | None = None,
    *,
    error: str = "relative error of the kernel",
    expected: float | int = -0.5,
) -> Axes:
    """Draw errors against width on logarithmic axes, with the fitted power law and the expected one.

    Parameters
    ----------
    widths : (W,) numbers above 0
        Hidden widths.
    errors : (W, R) numbers above 0
        The error at each width, of R repeats: drawn as points, their median with its 95 % bootstrap interval.
    rate : Interval, optional
        The slope, as :func:`~ntklib.statistics.convergence_rate` gives; fitted here by default.
    ax : Axes, optional
        Where to draw; the current axes by default.
    error : str
        What the error is, with its unit.
    expected : float
        Slope of the reference line.

    Returns
    -------
    Axes

    Raises
    ------
    TypeError, ValueError
        As :func:`~ntklib.statistics.convergence_rate`.

    Examples
    --------
    >>> ax = plot_convergence([64, 256, 1024], [[1.0, 1.1], [0.5, 0.55], [0.25, 0.275]])
    >>> ax.get_xscale(), ax.get_xlabel()
    ('log', 'width m')
    """
    ax = plt.gca() if ax is None else ax
    slope = convergence_rate(widths, errors) if rate is None else rate
    sizes, values = np.asarray(widths, dtype=np.float64), np.asarray(errors, dtype=np.float64)
    middle = bootstrap_interval(values.T, np.median)
    ax.loglog(
        np.repeat(sizes, values.shape[1]), values.ravel(), "o", markersize=3, alpha=0.5,
        color=COLOURS["grey"], label=f"one network ({values.shape[1]} a width)",
    )  # fmt: skip
    ends = [middle.estimate - middle.low, middle.high - middle.estimate]
    ax.errorbar(
        sizes, middle.estimate, yerr=ends, fmt="o", capsize=4, color=COLOURS["blue"],
        label="median, 95 % interval",
    )  # fmt: skip
    centre, level = np.exp(np.log(sizes).mean()), np.exp(np.log(values).mean())
    line = np.array([sizes.min(), sizes.max()])
    fitted = f"fit: slope {slope.estimate:.2f} [{slope.low:.2f}, {slope.high:.2f}]"
    ax.loglog(
        line, level * (line / centre) ** slope.estimate, "-", color=COLOURS["blue"], label=_minus(fitted)
    )
    ax.loglog(
        line,
        level * (line / centre) ** expected,
        "--",
        color=COLOURS["vermillion"],
        label=_minus(f"slope {expected:g}"),
    )
    ax.set(xlabel="width m", ylabel=error)
    width_ticks(ax, sizes)
    ax.legend()
    return ax


def width_ticks(ax: Axes, widths: Any) -> None:
    """Give logarithmic axes a tick at each width, and vertical ticks from which a value can be read.

    Parameters
    ----------
    ax : Axes
        With widths on its horizontal axis, drawn already.
    widths : sequence of int
        The widths that were measured.

    Examples
    --------
    >>> lines = plt.loglog([64, 256], [0.4, 0.2])
    >>> width_ticks(plt.gca(), [64, 256])
    >>> [tick.get_text() for tick in plt.gca().get_xticklabels()]
    ['64', '256']
    """
    ax.set_xticks(widths, [f"{width:g}" for width in widths])
    ax.minorticks_off()
    if np.ptp(np.log10(ax.get_ylim())) < 2:  # the powers of ten are too few
        ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _minus(text: str) -> str:
    """Write numbers with the minus sign that the axes have."""
    return text.replace("-", "−")
