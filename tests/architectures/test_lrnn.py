"""The linearised RNN: the battery, and what is true of it alone."""

import numpy as np
import pytest
import torch

from ntklib import LRNN, LinearRNN
from tests.architectures.battery import DOCUMENTS, VOCABULARY
from tests.architectures.recurrent_battery import RecurrentBattery


class TestLRNN(RecurrentBattery):
    instances = (
        LRNN("tanh"),
        LRNN("gelu", sigma_e=0.7, sigma_w=1.2, sigma_h=0.8, sigma_v=0.5),
        LRNN("tanh", readout="last"),
        LRNN("erf", sigma_h=1.5, readout="last"),
    )


@pytest.mark.parametrize(("activation", "share"), [("tanh", 0.262), ("gelu", 0.330)])
def test_share_of_ngrams_is_that_of_the_theory(activation, share):
    assert LRNN(activation).spectrum(order=3)[2:].sum() == pytest.approx(share, abs=5e-4)


def test_a_small_variance_leaves_no_ngrams():
    assert LRNN("tanh", 0.1, 0.1, 0.1, 0.1).spectrum(order=3)[2:].sum() < 1e-6


def test_with_the_identity_it_is_the_linear_rnn():
    sigmas = {"sigma_e": 0.7, "sigma_w": 1.2, "sigma_h": 0.8, "sigma_v": 0.5}
    assert LRNN("identity", **sigmas).kernel(DOCUMENTS) == pytest.approx(
        LinearRNN(**sigmas).kernel(DOCUMENTS), rel=1e-12
    )


def test_network_follows_its_definition():
    network = LRNN("tanh").network(8, VOCABULARY, seed=0)
    document, state = [3, 1, 3], torch.zeros(8, dtype=torch.float64)
    total = torch.zeros(())
    for token in document:
        inputs = network.hidden @ network.embedding[token] / 8**0.5
        slope = 1 - torch.tanh(inputs) ** 2
        state = torch.tanh(inputs) + slope * (network.recurrent @ state) / 8**0.5
        total = total + network.output @ state / 8**0.5
    assert network([document]).item() == pytest.approx(total.item(), rel=1e-12)


@pytest.mark.parametrize("activation", ["relu", torch.nn.functional.leaky_relu])
def test_an_activation_with_a_kink_is_refused_with_the_reason(activation):
    with pytest.raises(ValueError, match="does not suit a linearised RNN"):
        LRNN(activation)


def test_the_heaviest_patterns_are_kept():
    documents = [np.arange(12)]
    kept = LRNN("tanh").feature_map(documents, most_patterns=4).pattern_weights.sum(axis=1)
    every = LRNN("tanh").feature_weights(10).sum(axis=1)
    assert sorted(kept) == pytest.approx(sorted(every)[-4:])
