"""Predictions for adaptive optimisers: the plain rule is gradient descent, the others what networks do."""

import numpy as np
import pytest
import torch

import ntklib
from ntklib.batches import batches
from ntklib.preconditioned import _GroupShares, preconditioned_flow


def random_corpus(seed: int, documents: int = 60, vocabulary: int = 40):
    rng = np.random.default_rng(seed)
    docs = [rng.integers(0, vocabulary, rng.integers(1, 12)).tolist() for _ in range(documents)]
    return docs, rng.integers(0, 2, documents)


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_plain_rule_is_gradient_descent_on_the_kernel(activation):
    docs, labels = random_corpus(0)
    model = ntklib.MLP(activation, 0.7, 1.2, 0.8)
    tokens = [[u] for u in range(40)]
    kernel, to_tokens = model.kernel(docs), model.kernel(tokens, docs)
    dual = np.zeros(60)
    rate = 0.5 / np.linalg.eigvalsh(kernel).max()
    for _ in range(7):
        dual += rate * (labels - 1 / (1 + np.exp(-kernel @ dual)))
    predicted = preconditioned_flow(
        model, (docs, labels), optimizer="sgd", learning_rate=rate, width=64, epochs=7, probes=tokens
    )
    assert predicted.loc[7].to_numpy() == pytest.approx(to_tokens @ dual, rel=1e-9)


def test_batches_are_those_of_training():
    """One epoch of SGD in batches, in a network so wide that its kernel is the limit's."""
    docs, labels = random_corpus(1, documents=30, vocabulary=6)
    model = ntklib.MLP("tanh", 0.5, 0.5, 0.5)
    settings = {"learning_rate": 0.05, "epochs": 2, "batch_size": 8, "seed": 3}
    predicted = preconditioned_flow(model, (docs, labels), optimizer="sgd", width=2048, **settings)
    run = ntklib.train(
        model.network(2048, 6, seed=0), (docs, labels), centred=True, drift_documents=0, **settings
    )
    assert run.score_changes.iloc[-1].to_numpy() == pytest.approx(
        predicted.loc[2].to_numpy(), rel=0.15, abs=0.01
    )


@pytest.mark.parametrize(("optimizer", "learning_rate"), [("adagrad", 1e-3), ("adam", 1e-4)])
@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_adaptive_networks_follow_their_own_prediction_better_than_the_plain_flow(
    optimizer, learning_rate, activation
):
    corpus = ntklib.load_corpus("planted:polarity", seed=0)
    model = ntklib.MLP(activation, 0.1, 0.1, 0.1)
    settings = {"optimizer": optimizer, "learning_rate": learning_rate, "epochs": 2, "batch_size": 64}
    predicted = preconditioned_flow(model, corpus, width=128, **settings).loc[2]
    plain = ntklib.gradient_flow(model, corpus, [1.0]).scores.loc[1.0]
    own, other, slopes = [], [], []
    for seed in range(3):
        run = ntklib.train(
            model.network(128, len(corpus.vocabulary), seed=seed),
            corpus,
            centred=True,
            drift_documents=0,
            progress=False,
            **settings,
        )
        change = run.score_changes.iloc[-1]
        slopes.append(float(change @ predicted / (predicted @ predicted)))
        own.append(np.corrcoef(change, predicted)[0, 1])
        other.append(np.corrcoef(change, plain)[0, 1])
    assert min(own) > max(other)
    # The scale too, with no constant fitted: the prediction is of first order, and the width is 128.
    assert np.mean(slopes) == pytest.approx(1, abs=0.2)


def test_sign_descent_moves_rare_and_frequent_tokens_alike_through_their_embeddings():
    """With a hidden and output variance of nothing but what the embedding needs, only the sign is left."""
    docs, labels = [[0] * 9 + [1], [2] * 9 + [3]], [1, 0]
    scores = preconditioned_flow(
        ntklib.MLP("tanh", sigma_e=1e-6, sigma_w=1.0, sigma_v=1.0),
        (docs, labels),
        optimizer="sign",
        learning_rate=1e-6,
        width=64,
        epochs=1,
    ).loc[1]
    assert scores[0] == pytest.approx(scores[1], rel=1e-3)
    assert scores[2] == pytest.approx(-scores[0])


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"corpus": ([[0], [1], [2]], [0, 1, 2])}, ValueError, "corpus has 3 classes"),
        ({"optimizer": "rmsprop"}, ValueError, "optimizer must be one of sgd, sign, adagrad, adam"),
        ({"learning_rate": -1.0}, ValueError, "learning_rate must be a finite number above 0"),
        ({"width": 0}, ValueError, "width must be an integer, 1 or larger"),
        ({"record": 0}, ValueError, "record must be an integer, 1 or larger"),
    ],
)
def test_bad_input_is_refused_by_name(change, error, message):
    arguments = {
        "architecture": ntklib.MLP(),
        "corpus": ([[0], [1]], [0, 1]),
        "optimizer": "sign",
        "learning_rate": 0.1,
        "width": 8,
        "epochs": 1,
    } | change
    with pytest.raises(error, match=message):
        preconditioned_flow(arguments.pop("architecture"), arguments.pop("corpus"), **arguments)


def test_every_document_is_met_once_an_epoch():
    met = np.concatenate(list(batches(10, 3, seed=0, epoch=4)))
    assert sorted(met) == list(range(10))
    assert not np.array_equal(met, np.concatenate(list(batches(10, 3, seed=0, epoch=5))))


@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("group", ["embedding", "hidden"])
def test_one_signed_step_of_each_group_moves_the_scores_of_networks_as_predicted(activation, group):
    """The first-order change of a step in one group alone, with no constant fitted."""
    docs, labels = random_corpus(2, documents=200, vocabulary=300)
    model = ntklib.MLP(activation, 0.5, 1.0, 0.7)
    tokens = ntklib.Documents.of([[u] for u in range(300)])
    velocity = ntklib.Documents.of(docs).counts(300).T @ (labels - 0.5)
    shares = _GroupShares(model, 512, "sign", full_batch=True)
    for other in {"embedding", "hidden", "output"} - {group}:
        setattr(shares, other, 0.0)
    predicted = shares(velocity, velocity**2, float(velocity.sum()) ** 2)
    slopes = []
    for seed in range(4):
        network = model.network(512, 300, seed=seed)
        weights = getattr(network, group)
        (gradient,) = torch.autograd.grad((torch.from_numpy(velocity) * network(tokens)).sum(), [weights])
        with torch.no_grad():
            before = network(tokens)
            weights += 1e-7 * gradient.sign()
            change = (network(tokens) - before) / 1e-7
        slopes.append(change.numpy() @ predicted / (predicted @ predicted))
    assert np.mean(slopes) == pytest.approx(1, abs=0.05)
