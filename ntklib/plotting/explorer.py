"""Interactive figures: data in the page, drawn by the book's ``explorer.js``, without server and network."""

import html
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ntklib.validation import finite_array

MIME_TYPE = "application/vnd.ntklib.explorer+json"
_ORDER = ("positive", "negative", "neutral")


@dataclass(frozen=True, eq=False)
class Explorer:
    """A figure with a slider; made by the functions of this package whose names end in ``_explorer``.

    Ends a notebook cell, after the static figure that print and readers without JavaScript see instead.
    """

    content: dict[str, Any]

    def __repr__(self) -> str:
        frames = self.content["frames"]
        return (
            f"Explorer of {len(self.content['names'])} {self.content['kind']} over {len(frames['values'])} "
            f"values of {frames['label']}"
        )

    def _repr_html_(self) -> str:
        # Inside a script element only "<" could end the data; JSON may write it by its number.
        data = json.dumps(self.content, ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")
        label = html.escape(self.content["title"])
        return (
            f'<div class="ntklib-explorer" role="group" aria-label="{label}">'
            f'<script type="{MIME_TYPE}">{data}</script></div>'
        )


def score_explorer(
    scores: pd.DataFrame,
    horizontal: pd.Series,
    groups: pd.Series | None = None,
    *,
    title: str,
    horizontal_label: str,
    vertical_label: str,
    frame_label: str,
    digits: int = 3,
) -> Explorer:
    """Label scores of many tokens against another quantity, with a slider over training time.

    Parameters
    ----------
    scores : DataFrame
        One row a time (its index), one column a token, as :attr:`GradientFlow.scores`.
    horizontal : Series
        The other quantity, such as the co-occurrence, indexed by token.
    groups : Series, optional
        Class of each token, which gives its colour and shape; at most five classes.
    title, horizontal_label, vertical_label, frame_label : str
        For the reader's eyes and ears; with units.
    digits : int
        Significant digits that the page keeps: those that are equal in each execution.

    Returns
    -------
    Explorer

    Raises
    ------
    ValueError
        If a token has no value or a number is not finite.

    Examples
    --------
    >>> scores = pd.DataFrame({"good": [0.0, 0.5], "bad": [0.0, -0.5]}, index=[0.0, 1.0])
    >>> counts = pd.Series({"good": 4.0, "bad": -3.0})
    >>> labels = {"horizontal_label": "ω", "vertical_label": "score", "frame_label": "time"}
    >>> score_explorer(scores, counts, title="Label scores", **labels)
    Explorer of 2 tokens over 2 values of time
    """
    tokens = list(scores.columns)
    absent = [token for token in tokens if token not in horizontal.index]
    if absent:
        raise ValueError(f"horizontal has no value for {absent[:3]}: give one for each column of scores.")
    kinds = (
        pd.Series("tokens", index=tokens)
        if groups is None
        else groups.astype(object).reindex(tokens).fillna("other")
    )
    # In the order in which the static figures give their colours: the first class has the first one.
    names = sorted(set(kinds), key=lambda kind: (_ORDER.index(kind) if kind in _ORDER else len(_ORDER), kind))
    if len(names) > 5:
        raise ValueError(f"groups has {len(names)} classes, and a reader can tell 5 apart.")
    return Explorer(
        {
            "kind": "tokens",
            "title": title,
            "names": [str(token) for token in tokens],
            "groups": names,
            "group": [names.index(kind) for kind in kinds],
            "horizontal": {"label": horizontal_label, "values": rounded(horizontal[tokens], digits)},
            "vertical": {"label": vertical_label, "values": rounded(scores, digits)},
            "frames": {"label": frame_label, "values": rounded(scores.index, digits)},
        }
    )


def share_explorer(
    shares: Sequence[pd.DataFrame],
    frames: Sequence[float],
    *,
    title: str,
    share_label: str,
    frame_label: str,
    digits: int = 3,
) -> Explorer:
    """Stacked shares of several models, with a slider over a hyper-parameter.

    Parameters
    ----------
    shares : sequence of DataFrame
        One for each frame: one row a model, one column a part; rows sum to 1.
    frames : sequence of float
        Value of the hyper-parameter in each.
    title, share_label, frame_label : str
        For the reader's eyes and ears.
    digits : int
        Significant digits that the page keeps.

    Returns
    -------
    Explorer

    Raises
    ------
    ValueError
        If the tables differ in their rows or columns, or their number is not that of the frames.

    Examples
    --------
    >>> table = pd.DataFrame({"tokens": [1.0], "pairs": [0.0]}, index=["attention"])
    >>> share_explorer([table], [0.1], title="Spectrum", share_label="share", frame_label="σ")
    Explorer of 1 models over 1 values of σ
    """
    first = shares[0]
    if len(shares) != len(frames) or not all(
        table.index.equals(first.index) and table.columns.equals(first.columns) for table in shares
    ):
        raise ValueError(
            f"shares must be {len(frames)} tables, one a frame, with the same rows and columns each."
        )
    return Explorer(
        {
            "kind": "models",
            "title": title,
            "names": [str(name) for name in first.index],
            "groups": [str(part) for part in first.columns],
            "horizontal": {"label": share_label},
            "shares": [rounded(table, digits) for table in shares],
            "frames": {"label": frame_label, "values": rounded(frames, digits)},
        }
    )


def rounded(values: Any, digits: int) -> list[Any]:
    """Return numbers as nested lists, at so many significant digits; refuse any that is not finite.

    Examples
    --------
    >>> rounded([0.12345, -0.0], digits=3)
    [0.123, 0.0]
    """
    numbers = finite_array(np.asarray(values, dtype=float), "values", (None,) * np.ndim(values))
    # A cell's digits must be the same wherever it runs; -0 and 0 are the same number.
    shown = [float(f"{number:.{digits}g}") + 0.0 for number in numbers.ravel()]
    return np.reshape(shown, numbers.shape).tolist()
