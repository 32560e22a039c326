"""The classifier without training: its time, its scores, its draw."""

import numpy as np
import pytest

import ntklib


@pytest.fixture(scope="module")
def parts():
    corpus = ntklib.load_corpus("planted:polarity", limit=300, seed=0)
    fit, test = corpus.split(0.8)
    train, validation = fit.split(0.8)
    return train, validation, test


def test_time_is_where_the_validation_loss_is_smallest(parts):
    train, validation, test = parts
    model = ntklib.training_free_model(ntklib.MLP(), train, validation)
    assert model.time == model.validation["loss"].idxmin()
    assert len(model.used) == len(train)
    np.testing.assert_allclose(model.scores(test)[:, 1], model.flow.predict(test, model.time))
    np.testing.assert_array_equal(model.predict(test), model.flow.predict(test, model.time) > 0)


def test_label_scores_leave_the_bias_out(parts):
    train, validation, _ = parts
    biased = ntklib.training_free_model(ntklib.MLP("relu"), train, validation)
    unseen = len(train.vocabulary) + 5
    np.testing.assert_allclose(biased.label_scores([[unseen], [unseen, unseen + 1]]), 0, atol=1e-12)
    assert np.abs(biased.unseen_scores()).max() > 0
    odd = ntklib.training_free_model(ntklib.MLP("tanh"), train, validation)
    np.testing.assert_allclose(odd.unseen_scores(3), 0, atol=1e-12)


@pytest.mark.parametrize("architecture", [ntklib.CNN(3), ntklib.LRNN("tanh"), ntklib.MatrixVector()])
def test_a_small_allowance_draws_documents_and_names_them(parts, architecture):
    train, validation, test = parts
    docs = [document for _ in range(3) for document in train.tokens]
    labels = np.tile(train.labels, 3)
    model = ntklib.training_free_model(architecture, (docs, labels), validation, most_entries=1)
    assert len(model.used) == 200
    assert (np.diff(model.used) > 0).all()
    assert model.flow.dual.shape[1] == 200
    assert model.scores(test).shape == (len(test), 2)


def test_three_classes_have_three_scores(parts):
    train, validation, test = parts
    labels = np.arange(len(train)) % 3
    pair = (train.tokens, labels)
    model = ntklib.training_free_model(ntklib.Attention(), pair, (validation.tokens, validation.labels))
    assert model.scores(test).shape == (len(test), 3)


def test_a_kernel_of_zero_is_refused_in_these_words():
    zero = ntklib.MLP(ntklib.Activation("zero", lambda z: 0 * z))
    with pytest.raises(ValueError, match="architecture has a kernel of zero"):
        ntklib.training_free_model(zero, ([[0], [1]], [0, 1]), ([[0], [1]], [0, 1]))
