"""The spectrum of whole documents: exact for kernels, estimated for networks, the same axis for both."""

import numpy as np
import pytest

import ntklib
from ntklib.architectures.gated import GRU, ElmanRNN
from ntklib.edited_documents import document_spectrum, edited_documents


class OnlyNetworks:
    """An architecture whose kernel is hidden, to be estimated."""

    def __init__(self, architecture):
        self.network = architecture.network


def test_a_copy_shares_the_kept_positions_alone():
    bases, copies = edited_documents(3, 2)
    for base in (0, 1):
        for subset in range(8):
            kept = np.array([(subset >> (2 - position)) & 1 for position in range(3)], dtype=bool)
            assert ((copies[8 * base + subset] == bases[base]) == kept).all()
    assert not set(bases[0]) & set(bases[1])
    assert not set(copies[0]) & (set(bases.ids))


def test_last_readout_of_a_recurrent_model_has_its_unit_spectrum():
    for model in (ntklib.LRNN("tanh", readout="last"), ntklib.MatrixVector(readout="last")):
        exact = document_spectrum(model, order=3)
        assert exact["share"].to_numpy() == pytest.approx(model.spectrum(order=3).to_numpy(), abs=1e-12)
        assert (exact["low"] == exact["high"]).all()


def test_perceptron_has_the_bias_of_all_pairs_of_positions():
    weights = ntklib.MLP("relu").pattern_weights().sum(axis=1)
    bias, token = 9 * weights.iloc[0], 3 * weights.iloc[1]
    shares = document_spectrum(ntklib.MLP("relu"), order=3)["share"]
    assert shares.tolist() == pytest.approx([bias / (bias + token), token / (bias + token), 0, 0], abs=1e-12)


@pytest.mark.parametrize(
    "model", [ntklib.MLP("gelu"), ntklib.CNN(2, "relu"), ntklib.LRNN("tanh", readout="last")]
)
def test_estimated_shares_agree_with_the_exact_ones(model):
    exact = document_spectrum(model, order=2)
    estimated = document_spectrum(OnlyNetworks(model), order=2, width=256, networks=40, level=0.999)
    assert ((estimated["low"] - 0.01 < exact["share"]) & (exact["share"] < estimated["high"] + 0.01)).all()
    assert estimated["share"].sum() == pytest.approx(1)


def test_linearised_elman_network_has_the_spectrum_of_the_linearised_rnn():
    exact = document_spectrum(ntklib.LRNN("tanh", readout="last"), order=2)["share"]
    model = ElmanRNN(linearised=True, readout="last")
    estimated = document_spectrum(model, order=2, width=256, networks=40, level=0.999)
    assert ((estimated["low"] - 0.01 < exact) & (exact < estimated["high"] + 0.01)).all()


def test_an_interval_narrows_with_more_networks():
    few, many = (document_spectrum(GRU(readout="last"), order=2, width=32, networks=n) for n in (5, 80))
    assert (many["high"] - many["low"]).max() < (few["high"] - few["low"]).max()


def test_a_model_without_kernel_and_network_is_refused():
    with pytest.raises(TypeError, match="must have a kernel or a network method"):
        document_spectrum(object())


@pytest.mark.parametrize("level", [0.0, 1.0, 95.0])
def test_a_level_outside_its_range_is_refused_before_any_network_is_made(level):
    with pytest.raises(ValueError, match="level must be between 0 and 1"):
        document_spectrum(GRU(), level=level)
