"""One style for all figures, and the figures that several chapters share.

Every function draws on the given axes, or on the current ones, and returns them; end a notebook cell with
``plt.show()``. Figures are opaque and white: they read the same on a light page, a dark page and paper.
"""

from ntklib.plotting.agreement import plot_agreement, plot_convergence, plot_trajectories, width_ticks
from ntklib.plotting.attribution import attribution_explorer, plot_attribution
from ntklib.plotting.explorer import Explorer, score_explorer, share_explorer
from ntklib.plotting.forest import plot_claims
from ntklib.plotting.style import COLOURS, LINES, PNG_OPTIONS, drawable, use_style

__all__ = [
    "COLOURS",
    "LINES",
    "PNG_OPTIONS",
    "Explorer",
    "attribution_explorer",
    "drawable",
    "plot_agreement",
    "plot_attribution",
    "plot_claims",
    "plot_convergence",
    "plot_trajectories",
    "score_explorer",
    "share_explorer",
    "use_style",
    "width_ticks",
]
