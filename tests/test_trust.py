"""The trust report: yes for a wide network under SGD, no for a narrow one under Adam, both measured."""

import pytest
import torch

import ntklib
from ntklib.trust import trust_report


@pytest.fixture(scope="module")
def corpus():
    return ntklib.load_corpus("planted:polarity", seed=0)


def test_a_wide_network_under_sgd_is_trusted(corpus):
    mlp = ntklib.MLP("tanh")
    network = mlp.network(512, len(corpus.vocabulary), seed=0)
    before = network.embedding.clone()
    report = trust_report(network, mlp, corpus, epochs=3, progress=False)
    assert report.trusted, str(report)
    assert torch.equal(network.embedding, before)
    figures = report.figures["value"]
    assert figures["drift of the kernel"] < 0.5
    assert figures["R² above the floor"] > 0.8


def test_a_narrow_network_under_adam_is_not_trusted_and_its_drift_says_why(corpus):
    mlp = ntklib.MLP("tanh")
    network = mlp.network(16, len(corpus.vocabulary), seed=0)
    report = trust_report(
        network, mlp, corpus, optimizer="adam", learning_rate=0.05, epochs=3, progress=False
    )
    assert not report.trusted
    assert not report.figures.loc["drift of the kernel", "holds"]
    assert "FAILS" in str(report)
    assert str(report).startswith("May this network's features be read off the kernel? no")


def test_several_classes_are_reported_on_too():
    docs = [[0, 3], [1, 3], [2, 4]] * 20
    mlp = ntklib.MLP("tanh")
    report = trust_report(
        mlp.network(64, 5, seed=0, classes=3), mlp, (docs, [0, 1, 2] * 20), epochs=2, progress=False
    )
    assert "tokens above the noise floor" in report.figures.index


def test_an_adaptive_perceptron_is_told_how_well_its_own_flow_does(corpus):
    mlp = ntklib.MLP("relu")
    network = mlp.network(128, len(corpus.vocabulary), seed=0)
    figures = trust_report(network, mlp, corpus, optimizer="adagrad", epochs=2, progress=False).figures
    own = figures.loc["correlation of all tokens with the flow of adagrad"]
    assert own["value"] > figures.loc["correlation of all tokens", "value"]
    assert own["holds"] is None


def test_momentum_gets_a_rate_that_advances_time_as_sgd_does(corpus):
    mlp = ntklib.MLP("tanh")
    ratios = [
        trust_report(
            mlp.network(64, len(corpus.vocabulary), seed=0),
            mlp,
            corpus,
            optimizer=name,
            epochs=1,
            progress=False,
        ).figures.loc["learning rate over the largest stable one", "value"]
        for name in ("sgd", "momentum")
    ]
    assert ratios == pytest.approx([0.5, 0.5])
