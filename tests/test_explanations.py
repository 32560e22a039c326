"""Names of features, and what an explanation's parts refuse; that they add up is in test_classifier.py."""

import numpy as np
import pytest
from scipy import sparse

import ntklib
from ntklib.explanations import explain_score, ngram_name
from ntklib.spectrum import Feature, Pattern


@pytest.mark.parametrize(
    ("model", "offsets", "tokens", "name"),
    [
        (ntklib.MLP(), (), (), "bias"),
        (ntklib.CNN(), (1,), (7,), "7"),
        (ntklib.CNN(), (0, 2), (7, 8), "7 _ 8"),
        (ntklib.CNN(), (0, 1, 2), (-1, -2, 8), "<begin> <begin> 8"),
        (ntklib.CNN(), (0, 1), (8, -3), "8 <end>"),
        (ntklib.CNN(window=2), (0, 1), (-1, -2), "<begin> <end>"),
        (ntklib.LRNN(), (0, 1), (7, 8), "8 7"),
        (ntklib.LRNN(), (1, 3), (7, 8), "8 _ 7"),
    ],
)
def test_features_are_named_in_reading_order(model, offsets, tokens, name):
    assert ngram_name(model, Feature(Pattern(offsets), tokens), str) == name


def test_ngrams_add_up_one_feature_at_every_offset():
    model = ntklib.CNN()
    flow = ntklib.gradient_flow(model, ([[0, 1], [2, 1]], [1, 0]), [1.0])
    document = model.feature_map([[0, 1]], flow.features.columns).matrix
    parts = explain_score(model, flow.features, flow.dual[-1], document)
    alone = parts.features[parts.features["ngram"] == "0"]
    assert sorted(alone["pattern"]) == ["offset 0", "offset 1", "offset 2"]
    assert parts.ngrams["0"] == pytest.approx(alone["score"].sum(), rel=1e-12)
    assert parts.score == pytest.approx(flow.predict([[0, 1]])[0], rel=1e-10)


def test_shapes_are_checked():
    model = ntklib.MLP()
    features = model.feature_map([[0], [1]])
    with pytest.raises(ValueError, match="document must be one row of 3 features"):
        explain_score(model, features, np.zeros(2), sparse.csr_array((1, 2)))
    with pytest.raises(ValueError, match="an entry for each of 2 documents"):
        explain_score(model, features, np.zeros(3), sparse.csr_array((1, 3)))
