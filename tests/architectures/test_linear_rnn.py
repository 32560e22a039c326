"""The linear RNN: the battery, and that no n-gram is among its features."""

import numpy as np
import pytest

from ntklib import LinearRNN
from tests.architectures.battery import DOCUMENTS, VOCABULARY
from tests.architectures.recurrent_battery import RecurrentBattery


class TestLinearRNN(RecurrentBattery):
    instances = (LinearRNN(), LinearRNN(0.7, 1.2, 0.8, 0.5, readout="last"), LinearRNN(sigma_h=1.3))


def test_every_feature_holds_one_token():
    columns = LinearRNN().feature_map(DOCUMENTS).columns
    assert {len(feature.tokens) for feature in columns} == {1}


def test_a_network_of_any_width_is_additive_over_tokens_at_their_places():
    """Exchange a token at one place: the change of the score is the same whatever the other tokens are."""
    network = LinearRNN().network(8, VOCABULARY, seed=0)
    scores = network([[a, b, 5] for a in (1, 2) for b in (3, 4)]).detach().numpy().reshape(2, 2)
    assert scores[1, 1] - scores[0, 1] == pytest.approx(scores[1, 0] - scores[0, 0], rel=1e-10)


def test_pattern_weights_have_no_interaction():
    weights = LinearRNN().pattern_weights(5).sum(axis=1)
    assert np.isclose(weights.sum(), weights[[len(p) == 1 for p in weights.index]].sum())
