"""Figures: deterministic, legible, and drawn from the numbers they are given."""

import base64
import io

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb

from ntklib.plotting import (
    COLOURS,
    PNG_OPTIONS,
    plot_agreement,
    plot_claims,
    plot_convergence,
    plot_trajectories,
    use_style,
)
from ntklib.statistics import convergence_rate


@pytest.fixture(autouse=True)
def style():
    mpl.use("agg")
    with mpl.rc_context():
        use_style()
        yield
    plt.close("all")


def trajectories(classes=("positive", "negative", "neutral"), size=1.0):
    columns = {}
    for number, name in enumerate(classes):
        for part, shift in (("estimate", 0), ("low", -0.1), ("high", 0.1)):
            columns[name, part] = size * (number + 1) * np.arange(4.0) + shift
    return pd.DataFrame(columns, index=[0, 10, 20, 30])


def png(figure):
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", **PNG_OPTIONS)
    return buffer.getvalue()


def test_equal_figures_are_equal_files_without_a_version_inside():
    files = []
    for _ in range(2):
        figure, ax = plt.subplots()
        plot_trajectories(trajectories(), ax, null=trajectories(size=0.1))
        files.append(png(figure))
    assert files[0] == files[1]
    assert mpl.__version__.encode() not in files[0]


def test_a_figure_is_opaque_and_white_at_its_corners():
    figure, ax = plt.subplots()
    plot_trajectories(trajectories(), ax)
    pixels = plt.imread(io.BytesIO(png(figure)))
    assert (pixels[..., -1:] == 1).all() if pixels.shape[-1] == 4 else True
    assert (pixels[[0, -1]][:, [0, -1], :3] == 1).all()


def contrast_with_white(colour):
    """WCAG 2: (1 + .05) / (L + .05), L the relative luminance."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    return 1.05 / (0.05 + np.dot([0.2126, 0.7152, 0.0722], linear))


def test_marks_have_a_contrast_of_3_and_text_one_of_4_5():
    assert all(contrast_with_white(colour) >= 3 for colour in COLOURS.values())
    for name in ("text.color", "axes.labelcolor", "xtick.color", "ytick.color"):
        assert contrast_with_white(plt.rcParams[name]) >= 4.5


def test_classes_differ_by_their_dashes_too():
    ax = plot_trajectories(trajectories())
    lines = [line for line in ax.get_lines() if not line.get_label().startswith("_")]
    assert len({str(line.get_linestyle()) for line in lines}) == 3
    assert len({line.get_color() for line in lines}) == 3


def test_trajectories_and_their_intervals_are_those_given():
    frame = trajectories(("positive", "own class"))
    ax = plot_trajectories(frame, null=trajectories(("positive", "own class"), 0.2), time="step")
    drawn = {line.get_label(): line.get_ydata() for line in ax.get_lines()}
    assert (drawn["positive"] == frame["positive", "estimate"]).all()
    assert drawn["own class, shuffled labels"] == pytest.approx([0, 0.4, 0.8, 1.2])
    band = ax.collections[0].get_paths()[0].vertices
    assert set(frame["positive", "low"]) | set(frame["positive", "high"]) == set(band[:, 1])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("step", "change of label score  s − s₀  (logit)")


def test_agreement_names_r_squared_of_the_probes_above_the_noise_floor():
    predicted, observed = np.array([0.0, 1.0, 2.0, 3.0]), np.array([5.0, 1.0, 2.0, 3.0])
    ax = plot_agreement(predicted, observed, above=predicted > 0)
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels[:2] == ["above the noise floor (3 probes, R² = 1.00)", "below it (1 probe)"]
    plt.figure()
    labels = [text.get_text() for text in plot_agreement(predicted, observed).get_legend().get_texts()]
    assert labels == ["probes (4 probes, R² = −1.86)", "observed = predicted"]


def test_a_single_probe_above_the_noise_floor_has_no_r_squared():
    ax = plot_agreement([0.0, 1.0], [0.0, 1.0], above=[False, True])
    assert ax.get_legend().get_texts()[0].get_text() == "above the noise floor (1 probe)"


def test_convergence_names_the_slope_and_draws_every_network():
    widths = [64, 256, 1024]
    errors = np.array(widths)[:, None] ** -0.5 * np.exp(0.1 * np.random.default_rng(0).normal(size=(3, 4)))
    ax = plot_convergence(widths, errors)
    rate = convergence_rate(widths, errors)
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert f"fit: slope {rate.estimate:.2f} [{rate.low:.2f}, {rate.high:.2f}]".replace("-", "−") in labels
    assert "slope −0.5" in labels
    assert sorted(ax.get_lines()[0].get_ydata()) == sorted(errors.ravel())
    fitted = next(line for line in ax.get_lines() if line.get_label().startswith("fit"))
    assert np.diff(np.log(fitted.get_ydata())) / np.log(16) == pytest.approx(rate.estimate)


def ledger(**columns):
    frame = {
        "measured": [0.95, 0.5, np.nan, -0.5],
        "low": [0.93, 0.4, np.nan, np.nan],
        "high": [0.97, 0.6, np.nan, np.nan],
        "unit": ["R²", "R²", "", "slope"],
        "expected": [("above", 0.9), ("below", 0.55), "text", ("between", -0.6, -0.4)],
        "verdict": ["supported", "not supported", "not testable here", "supported"],
        "decisive": [True, False, False, True],
    }
    return pd.DataFrame(frame | columns, index=["one", "two", "three", "four"])


def test_forest_plot_has_a_panel_for_each_unit_and_a_row_for_each_measured_claim():
    panels = plot_claims(ledger())
    assert [panel.get_xlabel() for panel in panels] == ["R²", "slope"]
    assert [label.get_text() for label in panels[0].get_yticklabels()] == ["one", "two"]
    assert [label.get_text() for label in panels[1].get_yticklabels()] == ["four"]
    marks = {tuple(line.get_xdata()) for line in panels[0].get_lines()}
    assert marks == {(0.95,), (0.93, 0.97), (0.5,), (0.4, 0.6)}
    (legend,) = panels[0].figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["supported", "undecided"]


def test_forest_plot_shades_what_was_expected_to_the_edge_of_the_panel():
    panel = plot_claims(ledger())[0]
    above, below = (band.get_paths()[0].vertices[:, 0] for band in panel.collections)
    left, right = panel.get_xlim()
    assert (above.min(), above.max()) == (0.9, right)
    assert (below.min(), below.max()) == (left, 0.55)


def test_forest_plot_of_given_axes_draws_there():
    _, axes = plt.subplots(1, 2)
    assert list(plot_claims(ledger(), axes)) == list(axes)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: plot_trajectories(pd.DataFrame({"positive": [0.0]})), "trajectories has no column"),
        (
            lambda: plot_trajectories(trajectories().drop(columns=("positive", "low"))),
            "no column .'positive', 'low'.",
        ),
        (
            lambda: plot_trajectories(trajectories(), null=trajectories(("positive",))),
            "null has no column .'negative'",
        ),
        (lambda: plot_agreement([0.0, 1.0], [0.0, np.nan]), r"observed\[1\] is nan"),
        (lambda: plot_agreement([0.0, 1.0], [0.0]), "shape"),
        (lambda: plot_agreement([0.0, 1.0], [0.0, 1.0], above=[True]), r"above must have shape \(2,\)"),
        (lambda: plot_convergence([64, 128, 256], [[1, 2], [1, 2], [1, -2]]), "errors must be above 0"),
        (lambda: plot_claims(ledger().iloc[[2]]), "claims holds no measured claim"),
        (lambda: plot_claims(ledger(), [plt.gca()]), "axes holds 1 axes, but the claims have 2 units"),
    ],
)  # fmt: skip
def test_bad_input_names_the_argument(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_inside_a_notebook_pictures_have_no_version_and_are_not_cropped(monkeypatch):
    import IPython
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell.instance()
    try:
        monkeypatch.setattr(IPython, "get_ipython", lambda: shell)
        use_style()
        figure, ax = plt.subplots()
        plot_trajectories(trajectories(), ax)
        data, _ = shell.display_formatter.format(figure)
        assert base64.b64decode(data["image/png"]) == png(figure)
    finally:
        InteractiveShell.clear_instance()


def test_a_long_unit_and_a_long_legend_stay_on_the_paper_and_leave_the_panels_their_width():
    verdicts = ["supported", "supported under a condition", "not supported", "not supported"]
    claim = {"measured": 0.95, "low": 0.93, "high": 0.97, "expected": ("above", 0.9)}
    claims = pd.DataFrame(
        [
            claim | {"unit": "accuracy of recurrent networks minus that of all others", "verdict": verdict}
            for verdict in verdicts
        ],
        index=[f"matrix-vector-kernel-predicts-scores-{k}" for k in range(4)],
    ).assign(decisive=[True, True, True, False])
    (panel,) = plot_claims(claims)
    figure = panel.figure
    figure.draw_without_rendering()
    paper = figure.bbox
    for box in (figure.legends[0].get_window_extent(), panel.xaxis.label.get_window_extent()):
        assert paper.x0 <= box.x0
        assert box.x1 <= paper.x1
    assert panel.get_window_extent().width > 0.4 * paper.width
