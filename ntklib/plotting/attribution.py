"""What one label score is the sum of, as a figure and as an interactive one."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from ntklib.explanations import Explanation
from ntklib.plotting.explorer import Explorer, rounded
from ntklib.plotting.style import COLOURS, drawable

VIEWS = ("n-grams", "training documents", "parameter groups")
"""The three ways to split a score."""


def document_number(document: int) -> str:
    """Name a training document by its position.

    Examples
    --------
    >>> document_number(12)
    'no. 12'
    """
    return f"no. {document}"


def plot_attribution(
    explanation: Explanation,
    document_name: Callable[[int], str] = document_number,
    *,
    top: int = 8,
    score_label: str = "label score",
) -> list[Axes]:
    """Draw a score's parts as bars, on a new figure: one panel for each way to split it.

    Parameters
    ----------
    explanation : Explanation
    document_name : callable
        From a training document's position to its name.
    top : int
        How many parts a panel names, 1 or more; the others are one bar.
    score_label : str
        For the horizontal axis, with its unit.

    Returns
    -------
    list of Axes
        One for each of :data:`VIEWS`; the bars of each add up to the score.

    Examples
    --------
    >>> import ntklib
    >>> from ntklib.explanations import explain_score
    >>> model = ntklib.MLP()
    >>> flow = ntklib.gradient_flow(model, ([[0, 1], [2, 1]], [1, 0]), times=[1.0])
    >>> probe = model.feature_map([[0]], flow.features.columns).matrix
    >>> axes = plot_attribution(explain_score(model, flow.features, flow.dual[-1], probe))
    >>> [panel.get_title(loc="left") for panel in axes]
    ['n-grams', 'training documents', 'parameter groups']
    """
    splits = _views([explanation], document_name, top)
    _, panels = plt.subplots(
        len(splits),
        sharex=True,
        figsize=(7, 1.4 + 0.24 * sum(len(parts) for parts in splits)),
        height_ratios=[len(parts) for parts in splits],
    )
    for axes, view, parts in zip(panels, VIEWS, splits, strict=True):
        values = parts.iloc[:, 0]
        names = [drawable(str(name), longest=36) for name in values.index]
        colours = [COLOURS["blue"] if value >= 0 else COLOURS["vermillion"] for value in values]
        axes.barh(range(len(values)), values, color=colours, tick_label=names)
        axes.axvline(0, color=COLOURS["grey"], ls="-", lw=0.8)
        axes.set_title(view, loc="left", fontsize="medium")
        axes.tick_params(axis="y", labelsize="small")
        axes.grid(axis="y", visible=False)
        axes.invert_yaxis()
    total = f"{explanation.score:+.3g}".replace("-", "−")
    panels[-1].set_xlabel(f"{score_label}: each panel adds up to {total}")
    return list(panels)


def attribution_explorer(
    explanations: Mapping[tuple[str, ...], Sequence[Explanation]],
    choices: Sequence[str],
    times: Any,
    document_name: Callable[[int], str] = document_number,
    *,
    title: str,
    score_label: str,
    frame_label: str,
    top: int = 8,
    decimals: int = 4,
) -> Explorer:
    """Parts of a label score that a reader chooses, with a slider over training time.

    Parameters
    ----------
    explanations : mapping from a choice to a sequence of Explanation
        A key names one score by as many words as there are ``choices``, such as ``("not good", "positive")``;
        every combination of the words must be there. A value has an explanation for each time.
    choices : sequence of str
        What the words of a key are: the labels of the fields from which a reader chooses.
    times : (T,) numbers
        The times of the explanations.
    document_name : callable
        From a training document's position to its name.
    title, score_label, frame_label : str
        For the reader's eyes and ears; with units.
    top : int
        How many parts are named, 1 or more: those that are largest at the last time. The others are one part.
    decimals : int
        Decimals of all numbers. Parts are rounded by the method of the largest remainder, each by less than
        one unit of the last decimal, so that they add up to the score as it is shown.

    Returns
    -------
    Explorer

    Raises
    ------
    ValueError
        If a combination is missing, a key has too few words, or a score has not one explanation a time.

    Examples
    --------
    >>> import ntklib
    >>> from ntklib.explanations import explain_score
    >>> model = ntklib.MLP()
    >>> flow = ntklib.gradient_flow(model, ([[0, 1], [2, 1]], [1, 0]), times=[0.5, 1.0])
    >>> probe = model.feature_map([[0]], flow.features.columns).matrix
    >>> good = [explain_score(model, flow.features, dual, probe) for dual in flow.dual]
    >>> labels = {"title": "Parts", "score_label": "score", "frame_label": "time"}
    >>> attribution_explorer({("good",): good}, ["text"], flow.times, **labels)
    Explorer of 1 scores over 2 values of time
    """
    for key in explanations:
        if len(key) != len(choices):
            raise ValueError(f"explanations has the key {key!r}: name {' and '.join(choices)} in each key.")
    words = [list(dict.fromkeys(place)) for place in zip(*explanations, strict=True)]
    scores, parts = [], []
    for key in itertools.product(*words):
        if key not in explanations:
            raise ValueError(f"explanations has no entry {key!r}: give one for each combination of words.")
        moments = explanations[key]
        if len(moments) != len(times):
            raise ValueError(
                f"explanations of {key!r} are {len(moments)}: give one for each of {len(times)} times."
            )
        totals = [round(moment.score * 10**decimals) for moment in moments]
        scores.append(totals)
        parts.append(
            [
                {
                    "names": [str(name) for name in view.index],
                    "values": [
                        _adding_up(view[column] * 10**decimals, total)
                        for column, total in zip(view, totals, strict=True)
                    ],
                }
                for view in _views(moments, document_name, top)
            ]
        )
    return Explorer(
        {
            "kind": "scores",
            "title": title,
            "names": [", ".join(key) for key in itertools.product(*words)],
            "choices": [{"label": c, "values": w} for c, w in zip(choices, words, strict=True)],
            "groups": list(VIEWS),
            "decimals": decimals,
            "vertical": {"label": score_label, "values": scores},
            "parts": parts,
            "frames": {"label": frame_label, "values": rounded(times, 3)},
        }
    )


def _views(
    moments: Sequence[Explanation], document_name: Callable[[int], str], top: int
) -> list[pd.DataFrame]:
    """Return the parts in each of :data:`VIEWS`: one row a part, one column a moment."""
    ngrams = _largest([moment.ngrams.sort_index() for moment in moments], top)
    documents = _largest([moment.documents["score"] for moment in moments], top)
    documents.index = pd.Index([n if isinstance(n, str) else document_name(int(n)) for n in documents.index])
    return [ngrams, documents, _largest([moment.groups for moment in moments], top)]


def _largest(frames: Sequence[pd.Series], top: int) -> pd.DataFrame:
    """Return the parts that are largest in the last frame, and the sum of the others: one column a frame."""
    table = pd.concat(frames, axis=1, keys=range(len(frames)))
    # Parts that are equal but for the last digits of the arithmetic keep their order on each machine.
    order = np.argsort(-table.iloc[:, -1].abs().round(10).to_numpy(), kind="stable")
    if len(order) <= top + 1:
        return table.iloc[order]
    others = table.iloc[order[top:]]
    rest = others.sum().to_frame(f"{len(others):,} others").T
    return pd.concat([table.iloc[order[:top]], rest])


def _adding_up(units: Any, total: int) -> list[int]:
    """Round numbers to integers that add up to ``total``, their rounded sum: the largest remainders go up."""
    exact = np.round(np.asarray(units, dtype=float), 6)
    whole = np.floor(exact).astype(int)
    order = np.argsort(np.round(whole - exact, 6), kind="stable")
    whole[order[: total - whole.sum()]] += 1
    return [int(number) for number in whole]
