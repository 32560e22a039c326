"""Interactive figures carry their data, safely and at stated digits."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from ntklib.plotting import score_explorer, share_explorer

LABELS = {"title": "T", "horizontal_label": "ω", "vertical_label": "s", "frame_label": "t"}


def content(explorer):
    (data,) = re.findall(r'<script type="[^"]+">(.*)</script>', explorer._repr_html_())
    return json.loads(data)


def test_tokens_keep_their_numbers_at_the_stated_digits():
    scores = pd.DataFrame({"good": [0.0, 0.12345], "<b>": [-0.0, -5.6789]}, index=[0.0, 1.0])
    made = score_explorer(
        scores, pd.Series({"<b>": -3, "good": 4}), pd.Series({"good": "positive"}, dtype="category"), **LABELS
    )
    found = content(made)
    assert found["vertical"]["values"] == [[0.0, 0.0], [0.123, -5.68]]
    assert found["horizontal"]["values"] == [4.0, -3.0]
    assert [found["groups"][k] for k in found["group"]] == ["positive", "other"]
    assert "-0.0" not in made._repr_html_()


def test_a_token_of_markup_stays_data():
    scores = pd.DataFrame({"</script><script>alert(1)</script>": [1.0]}, index=[0.0])
    html = score_explorer(scores, pd.Series(1.0, index=scores.columns), **LABELS)._repr_html_()
    assert html.count("<script") == 1
    assert html.count("</script") == 1


def test_shares_are_one_table_a_frame():
    table = pd.DataFrame({"tokens": [0.75, 1], "pairs": [0.25, 0]}, index=["a", "b"])
    found = content(
        share_explorer([table, table], [0.1, 1.0], title="T", share_label="share", frame_label="σ")
    )
    assert found["shares"][1] == [[0.75, 0.25], [1.0, 0.0]]
    assert found["frames"]["values"] == [0.1, 1.0]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda s: score_explorer(s, pd.Series({"b": 1.0}), **LABELS), "horizontal has no value for"),
        (lambda s: score_explorer(s * np.nan, pd.Series({"a": 1.0}), **LABELS), "values"),
        (
            lambda s: share_explorer([s], [1.0, 2.0], title="T", share_label="s", frame_label="f"),
            "shares must be 2 tables",
        ),
    ],
)
def test_bad_input_is_refused_by_name(make, message):
    with pytest.raises(ValueError, match=message):
        make(pd.DataFrame({"a": [1.0]}))
