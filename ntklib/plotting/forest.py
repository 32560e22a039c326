"""The forest plot of the claim ledger."""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from ntklib.plotting.style import COLOURS

_VERDICT_STYLES: dict[str, dict[str, Any]] = {
    "supported": {"color": COLOURS["blue"], "marker": "o"},
    "supported under a condition": {"color": COLOURS["green"], "marker": "D"},
    "not supported": {"color": COLOURS["vermillion"], "marker": "X", "markersize": 9},
}


def plot_claims(claims: pd.DataFrame, axes: Any = None) -> np.ndarray:
    """Draw a forest plot of the ledger's measured claims: one panel a unit, one row a claim.

    Marker and line are the measured value and its interval; the band is what was expected. A hollow marker is
    a claim that is not supported because its interval reaches over both sides.

    Parameters
    ----------
    claims : DataFrame
        As :func:`~ntklib.claims.read_claims` gives. Claims without a measurement are left out.
    axes : sequence of U Axes, optional
        Where to draw, one for each unit in order of appearance; a new figure by default.

    Returns
    -------
    (U,) array of Axes

    Raises
    ------
    ValueError
        If no claim was measured, or the number of axes is not that of the units.

    Examples
    --------
    >>> claim = {"measured": 0.95, "low": 0.93, "high": 0.97, "unit": "R²", "expected": ("above", 0.9)}
    >>> claims = pd.DataFrame([claim | {"verdict": "supported", "decisive": True}], index=["mlp-agreement"])
    >>> plot_claims(claims)[0].get_xlabel()
    'R²'
    """
    measured = claims[claims["measured"].notna()]
    if measured.empty:
        raise ValueError("claims holds no measured claim: nothing can be drawn.")
    units = list(dict.fromkeys(measured["unit"]))
    figure = None
    if axes is None:
        rows = [int((measured["unit"] == unit).sum()) for unit in units]
        figure, axes = plt.subplots(
            len(units),
            squeeze=False,
            layout="constrained",
            height_ratios=[r + 1 for r in rows],
            figsize=(7.0, 0.4 * sum(rows) + len(units)),
        )
    panels = np.ravel(np.array(axes, dtype=object))
    if len(panels) != len(units):
        raise ValueError(
            f"axes holds {len(panels)} axes, but the claims have {len(units)} units: give one each."
        )
    for panel, unit in zip(panels, units, strict=True):
        _forest(panel, measured[measured["unit"] == unit])
        # A long name reaches to the left, below the claims' names, and leaves the panel its width.
        panel.set_xlabel(unit or "value", loc="right")
    handles, labels = [], []
    for panel in panels:
        for handle, label in zip(*panel.get_legend_handles_labels(), strict=True):
            if label not in labels:
                handles.append(handle)
                labels.append(label)
    if figure is not None:
        figure.legend(handles, labels, loc="outside upper center", ncols=2)
    else:
        panels[0].legend(handles, labels, loc="lower left", bbox_to_anchor=(0, 1), ncols=len(labels))
    return panels


def _forest(ax: Axes, claims: pd.DataFrame) -> None:
    for row, (_, claim) in enumerate(claims.iterrows()):
        label, style = claim["verdict"], dict(_VERDICT_STYLES[claim["verdict"]])
        if label == "not supported" and not claim["decisive"]:
            label, style["markerfacecolor"] = "undecided", "white"
        if not np.isnan(claim["low"]):
            ax.plot([claim["low"], claim["high"]], [row, row], "-", color=style["color"])
        ax.plot(claim["measured"], row, linestyle="none", label=label, **style)
    # The bands end at the panel's edge, which is known only when every value is drawn.
    left, right = ax.get_xlim()
    bounds = [b for rule in claims["expected"] if not isinstance(rule, str) for b in rule[1:]]
    left, right = min([left, *bounds]), max([right, *bounds])
    margin = 0.03 * (right - left)
    left, right = left - margin, right + margin
    for row, rule in enumerate(claims["expected"]):
        if not isinstance(rule, str):
            low = rule[1] if rule[0] != "below" else left
            high = rule[-1] if rule[0] != "above" else right
            ax.fill_betweenx(
                [row - 0.35, row + 0.35], low, high, color=COLOURS["grey"], alpha=0.2, linewidth=0
            )
    ax.set_xlim(left, right)
    ax.set_ylim(len(claims) - 0.4, -0.6)
    ax.set_yticks(range(len(claims)), list(claims.index))
    ax.grid(axis="y", visible=False)
