"""Architectures by name, and their feature maps from counts alone."""

import numpy as np
import pytest
from scipy import sparse

import ntklib
from ntklib.architectures.catalogue import ARCHITECTURES, get_architecture
from ntklib.documents import Documents


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_name_makes_an_architecture_with_a_kernel(name):
    assert get_architecture(name).kernel([[0, 1]]).shape == (1, 1)


def test_settings_that_are_none_keep_their_default():
    assert get_architecture("cnn", window=None, sigma_e=0.5) == ntklib.CNN(sigma_e=0.5)
    made = ntklib.MLP()
    assert get_architecture(made, activation=None) is made


def test_wrong_names_and_settings_are_refused():
    with pytest.raises(ValueError, match="Did you mean 'attention'"):
        get_architecture("atention")
    with pytest.raises(ValueError, match="attention has no activation"):
        get_architecture("attention", activation="gelu")
    with pytest.raises(TypeError, match="made already: give window"):
        get_architecture(ntklib.CNN(), window=2)
    with pytest.raises(TypeError, match="not GRU"):
        get_architecture(ntklib.GRU())


@pytest.mark.parametrize("model", [ntklib.MLP(), ntklib.MLP("gelu"), ntklib.Attention(sigma_e=0.7)])
@pytest.mark.parametrize("container", [sparse.csr_array, np.asarray, lambda counts: counts.tolist()])
def test_counts_give_the_kernel_of_the_documents(model, container):
    rng = np.random.default_rng(0)
    docs = [rng.integers(0, 6, rng.integers(1, 9)).tolist() for _ in range(12)]
    counts = Documents.of(docs).counts(6).toarray()
    features = model.count_feature_map(container(counts))
    kernel = (features.matrix * features.weights @ features.matrix.T).toarray()
    assert kernel == pytest.approx(model.kernel(docs), rel=1e-12)
    new = model.count_feature_map(container(counts[:3]), features.columns)
    assert new.matrix.toarray() == pytest.approx(features.matrix[:3].toarray(), rel=1e-12)


def test_an_mlp_reads_any_real_numbers_as_its_kernel_s_formula_says():
    rng = np.random.default_rng(1)
    points = rng.standard_normal((7, 4))
    model = ntklib.MLP()
    features = model.count_feature_map(points)
    bias, token = model.pattern_weights().sum(axis=1)
    lengths = points.sum(axis=1)
    expected = token * points @ points.T + bias * np.outer(lengths, lengths)
    assert (features.matrix * features.weights @ features.matrix.T).toarray() == pytest.approx(expected)


@pytest.mark.parametrize("name", ["cnn", "matrix-vector", "l-rnn", "linear-rnn"])
def test_counts_do_not_do_where_order_is_read(name):
    with pytest.raises(TypeError, match="reads the order of tokens"):
        get_architecture(name).count_feature_map(np.eye(2))


def test_stored_zeros_get_no_attention():
    stored = sparse.csr_array((np.array([2.0, 0.0]), np.array([0, 1]), np.array([0, 2])), shape=(1, 2))
    model = ntklib.Attention()
    features = model.count_feature_map(stored)
    assert (features.matrix.toarray() ** 2 @ features.weights).item() == pytest.approx(
        model.kernel([[0, 0]]).item(), rel=1e-12
    )
