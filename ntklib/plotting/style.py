"""The style of all figures: colours, fonts, size and deterministic pictures."""

import sys
from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
from cycler import cycler
from matplotlib.font_manager import findfont, get_font

# Of the palette of Okabe and Ito those whose contrast with white is at least 3: it has lighter ones.
COLOURS: Mapping[str, str] = {
    "blue": "#0072B2",
    "vermillion": "#D55E00",
    "green": "#009E73",
    "black": "#000000",
    "grey": "#6E6E6E",
}
"""Colours that readers with a colour vision deficiency can tell apart."""

LINES = ("-", "--", ":", "-.", (0, (5, 1, 1, 1, 1, 1)))
"""Dashes, so that no line differs from another by its colour alone."""

PNG_OPTIONS: Mapping[str, Any] = {"bbox_inches": None, "metadata": {"Software": None}}
"""Options of ``Figure.savefig`` under which equal figures are equal files: no version inside, no cropping."""


def use_style() -> None:
    """Set the style of all figures that follow, and make a notebook's pictures deterministic.

    Examples
    --------
    >>> use_style()
    >>> plt.rcParams["savefig.facecolor"], plt.rcParams["font.family"]
    ('white', ['DejaVu Sans'])
    """
    plt.rcdefaults()
    plt.rcParams.update(
        {
            "axes.axisbelow": True,
            "axes.edgecolor": COLOURS["grey"],
            "axes.grid": True,
            "axes.prop_cycle": cycler(color=list(COLOURS.values())) + cycler(linestyle=LINES),
            "axes.spines.right": False,
            "axes.spines.top": False,
            "figure.constrained_layout.use": True,
            "figure.dpi": 120,
            "figure.facecolor": "white",
            "figure.figsize": (7.0, 4.2),
            "font.family": ["DejaVu Sans"],  # comes with matplotlib: the same on every machine
            "font.size": 11,
            "grid.color": "#DDDDDD",
            "legend.frameon": False,
            "lines.linewidth": 1.8,
            "savefig.dpi": "figure",
            "savefig.facecolor": "white",
            "savefig.transparent": False,
            "svg.hashsalt": "ntklib",
        }
    )
    if "IPython" in sys.modules and sys.modules["IPython"].get_ipython() is not None:
        from matplotlib_inline.backend_inline import set_matplotlib_formats

        set_matplotlib_formats("png", **PNG_OPTIONS)


def drawable(text: str, longest: int = 24) -> str:
    r"""Return any text as one that a figure can show: signs that the font lacks are written as code points.

    Parameters
    ----------
    text : str
        A token or a class name, of any script.
    longest : int
        Longer texts are cut.

    Examples
    --------
    >>> drawable("naïve"), drawable("好"), drawable("$x$")
    ('naïve', 'U+597D', '\\$x\\$')
    """
    shown = text if len(text) <= longest else text[: longest - 1] + "…"
    known = get_font(findfont("DejaVu Sans")).get_charmap()
    signs = [sign if sign.isprintable() and ord(sign) in known else f"U+{ord(sign):04X}" for sign in shown]
    # A pair of dollars would be read as a formula.
    return "".join(signs).replace("$", r"\$")
