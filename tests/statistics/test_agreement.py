"""Label scores, class trajectories and R²."""

import numpy as np
import pandas as pd
import pytest
import torch

import ntklib
from ntklib.corpora import Corpus
from ntklib.statistics import class_trajectories, label_scores, r_squared


def test_label_score_is_the_network_s_score_of_the_probe_alone():
    network = ntklib.MLP("tanh").network(width=16, vocabulary_size=5, seed=0)
    probes = {"good": [3], "not good": [1, 3]}
    scores = label_scores(network, probes)
    with torch.no_grad():
        # Matrix products of other sizes add in another order.
        assert scores["good"] == pytest.approx(network([[3]]).item(), rel=1e-12)
        assert scores["not good"] == pytest.approx(network([[1, 3]]).item(), rel=1e-12)
    assert label_scores(network, [[3], [1, 3]]).to_dict() == {
        (3,): scores["good"],
        (1, 3): scores["not good"],
    }


def test_every_token_of_a_corpus_is_scored_in_batches():
    vocabulary = [f"token{i}" for i in range(9000)]
    corpus = Corpus.of([[0], [1]], [0, 1], vocabulary, ["a", "b"])
    network = ntklib.MLP().network(width=4, vocabulary_size=9000, seed=0)
    scores = label_scores(network, corpus)
    assert scores.index.tolist() == vocabulary
    with torch.no_grad():
        assert scores.to_numpy() == pytest.approx(network([[i] for i in range(9000)]).numpy(), rel=1e-12)


def test_several_classes_are_columns():
    network = ntklib.MLP().network(width=8, vocabulary_size=3, seed=0, classes=4)
    scores = label_scores(network, {"a": [0], "b": [2]})
    assert scores.shape == (2, 4)
    with torch.no_grad():
        assert scores.loc["b"].tolist() == pytest.approx(network([[2]])[0].tolist(), rel=1e-12)


class Dropping(torch.nn.Module):
    """Scores each document by its first token, through dropout."""

    def __init__(self):
        super().__init__()
        self.dropout = torch.nn.Dropout(0.5)
        self.weight = torch.nn.Parameter(torch.arange(10.0))

    def forward(self, docs):
        return self.dropout(self.weight[[int(d[0]) for d in docs]])


@pytest.mark.parametrize("training", [True, False])
def test_scores_are_without_dropout_and_the_network_keeps_its_mode(training):
    network = Dropping().train(training)
    assert label_scores(network, [[i] for i in range(10)]).tolist() == list(range(10))
    assert network.training is training


def test_a_score_that_is_not_finite_is_refused_by_the_probe_s_name():
    network = Dropping()
    with torch.no_grad():
        network.weight[4] = torch.nan
    with pytest.raises(ValueError, match="network gives probe 'bad' a score that is not finite"):
        label_scores(network, {"good": [3], "bad": [4]})
    with pytest.raises(ValueError, match=r"probes\[0\] is empty"):
        label_scores(network, [[]])


def test_trajectories_are_medians_over_tokens_then_seeds():
    rng = np.random.default_rng(0)
    runs = [pd.DataFrame(rng.normal(size=(3, 5)), index=[0, 5, 10], columns=list("abcde")) for _ in range(7)]
    classes = pd.Series({"a": "positive", "b": "positive", "c": "positive", "e": "neutral"}, dtype="category")
    found = class_trajectories(runs, classes)
    by_seed = np.stack([run[["a", "b", "c"]].median(axis=1) for run in runs])
    assert found["positive", "estimate"].to_numpy() == pytest.approx(np.median(by_seed, axis=0))
    assert (found["positive", "low"].to_numpy() >= by_seed.min(axis=0)).all()
    assert (found["positive", "high"].to_numpy() <= by_seed.max(axis=0)).all()
    assert sorted(set(found.columns.get_level_values(0))) == ["neutral", "positive"]


def test_bad_runs_are_named():
    run = pd.DataFrame({"a": [0.0, 1.0]})
    classes = pd.Series({"a": "positive"})
    with pytest.raises(ValueError, match="runs has length 1"):
        class_trajectories([run], classes)
    with pytest.raises(ValueError, match=r"runs\[1\] is at other times"):
        class_trajectories([run, run.iloc[:1]], classes)
    with pytest.raises(ValueError, match=r"runs\[0\] has no column 'b'"):
        class_trajectories([run, run], pd.Series({"a": "positive", "b": "positive"}))
    with pytest.raises(ValueError, match="is nan: every value must be finite"):
        class_trajectories([run, run * np.nan], classes)


def test_r_squared_of_an_unfitted_prediction():
    rng = np.random.default_rng(0)
    signal, noise = rng.normal(size=100_000), rng.normal(size=100_000)
    assert r_squared(signal + 0.5 * noise, signal) == pytest.approx(1 - 0.25 / 1.25, abs=0.01)
    assert r_squared(signal, signal + 1) == pytest.approx(0, abs=0.02)
    with pytest.raises(ValueError, match="observed must hold at least two different values"):
        r_squared([1.0, 1.0], [1.0, 2.0])
    with pytest.raises(ValueError, match=r"predicted must have shape \(2\), not \(1,\)"):
        r_squared([1.0, 2.0], [1.0])
