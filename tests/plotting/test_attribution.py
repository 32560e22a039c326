"""Attribution figures: what is drawn and what the page keeps adds up to the score."""

import json
import re

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest

import ntklib
from ntklib.explanations import explain_score
from ntklib.plotting import attribution_explorer, plot_attribution

LABELS = {"title": "T", "score_label": "score", "frame_label": "t"}
TIMES = [0.1, 0.5, 2.0]


@pytest.fixture(autouse=True)
def canvas():
    mpl.use("agg")
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def explain():
    """Return a function that explains a text's score at each time, by a CNN's flow on random texts."""
    generator = np.random.default_rng(3)
    documents = [generator.integers(0, 9, size=length) for length in generator.integers(2, 12, size=40)]
    model = ntklib.CNN(window=2)
    flow = ntklib.gradient_flow(model, (documents, np.arange(40) % 2), TIMES)

    def explained(tokens, sign=1):
        held = model.feature_map([tokens], flow.features.columns).matrix
        return [explain_score(model, flow.features, sign * pulls, held) for pulls in flow.dual]

    return explained


def content(explorer):
    (data,) = re.findall(r'<script type="[^"]+">(.*)</script>', explorer._repr_html_())
    return json.loads(data)


@pytest.mark.parametrize("decimals", [1, 4])
def test_the_parts_that_the_page_keeps_add_up_to_the_score_that_it_shows(explain, decimals):
    scores = {("1 2", "yes"): explain([1, 2]), ("3 1 4 1 5", "yes"): explain([3, 1, 4, 1, 5])}
    found = content(
        attribution_explorer(scores, ("text", "class"), TIMES, decimals=decimals, top=3, **LABELS)
    )
    for moments, totals, views in zip(
        scores.values(), found["vertical"]["values"], found["parts"], strict=True
    ):
        assert totals == [round(moment.score * 10**decimals) for moment in moments]
        for view in views:
            assert [sum(values) for values in view["values"]] == totals


def test_no_part_is_off_by_a_unit_of_the_last_decimal(explain):
    moments = explain([3, 1, 4, 1, 5])
    found = content(attribution_explorer({("x",): moments}, ["text"], TIMES, top=3, **LABELS))
    view = found["parts"][0][0]
    assert view["names"][-1].endswith("others")
    for moment, values in zip(moments, view["values"], strict=True):
        exact = moment.ngrams[view["names"][:-1]].to_numpy() * 1e4
        assert np.abs(exact - values[:-1]).max() < 1


def test_the_parts_named_are_the_largest_at_the_last_time(explain):
    moments = explain([3, 1, 4, 1, 5])
    found = content(
        attribution_explorer({("x",): moments}, ["text"], TIMES, lambda i: f"sentence {i}", top=4, **LABELS)
    )
    largest = moments[-1].documents["score"].abs().nlargest(4)
    assert set(found["parts"][0][1]["names"][:-1]) == {f"sentence {i}" for i in largest.index}
    assert found["parts"][0][1]["names"][-1] == "36 others"


def test_the_other_class_has_the_negative_parts(explain):
    scores = {("x", "yes"): explain([1, 2]), ("x", "no"): explain([1, 2], sign=-1)}
    found = content(attribution_explorer(scores, ("text", "class"), TIMES, decimals=9, **LABELS))
    yes, no = found["parts"]
    for view, opposite in zip(yes, no, strict=True):
        assert np.abs(np.add(view["values"], opposite["values"])).max() <= 1


def test_scores_are_kept_in_the_order_of_the_choices(explain):
    scores = {(text, side): explain([1]) for side in ("yes", "no") for text in ("a", "b")}
    found = content(attribution_explorer(scores, ("text", "class"), TIMES, **LABELS))
    assert found["names"] == ["a, yes", "a, no", "b, yes", "b, no"]


def test_the_bars_of_each_panel_add_up_to_the_score(explain):
    (*_, last) = explain([3, 1, 4, 1, 5])
    for panel in plot_attribution(last, top=3):
        assert np.isclose(sum(bar.get_width() for bar in panel.patches), last.score, rtol=1e-12)
        assert len(panel.patches) <= 4


def test_what_does_not_fit_is_refused_by_name(explain):
    moments = explain([1])
    with pytest.raises(ValueError, match=r"no entry \('a', 'no'\)"):
        attribution_explorer(
            {("a", "yes"): moments, ("b", "no"): moments}, ["text", "class"], TIMES, **LABELS
        )
    with pytest.raises(ValueError, match="name text and class in each key"):
        attribution_explorer({("a",): moments}, ["text", "class"], TIMES, **LABELS)
    with pytest.raises(ValueError, match="give one for each of 2 times"):
        attribution_explorer({("a",): moments}, ["text"], TIMES[:2], **LABELS)
