"""The MLP: the battery, and what is true of it alone."""

import numpy as np
import pytest
import torch
from scipy import sparse

from ntklib import MLP
from ntklib.documents import Documents
from ntklib.gram import tangent_gram
from tests.architectures.battery import ArchitectureBattery, random_documents


class TestMLP(ArchitectureBattery):
    instances = (
        MLP("relu"),
        MLP("tanh", sigma_e=0.7, sigma_w=1.3, sigma_v=0.5),
        MLP("gelu"),
        MLP("erf", sigma_v=2.0),
        MLP("identity"),
        MLP("silu", sigma_e=2.0),
        MLP(torch.nn.functional.softplus),
    )


def test_kernel_is_co_occurrence_plus_feature_bias():
    """With ReLU's moments: Var φ = q/2 − q/2π, E φ'² = 1/2, (E φ)² = q/2π."""
    docs = random_documents(0)
    model = MLP("relu", sigma_e=0.5, sigma_w=2.0, sigma_v=3.0)
    a, b = 1 / 2 - 1 / (2 * np.pi) + 9 * (0.25 + 4) / 2, 1 / (2 * np.pi)
    counts = np.array([np.bincount(d, minlength=12) for d in docs])
    lengths = counts.sum(axis=1)
    assert model.kernel(docs) == pytest.approx(
        a * counts @ counts.T + b * np.outer(lengths, lengths), rel=1e-12
    )


@pytest.mark.parametrize(("sigma_v", "ratio"), [(0.01, 0.454), (0.1, 0.119), (1.0, 0.0016)])
def test_relu_bias_falls_with_the_output_variance(sigma_v, ratio):
    """The ratios B/A of the released code's initialisation, σ_e = σ_w = .1."""
    weights = MLP("relu", sigma_e=0.1, sigma_w=0.1, sigma_v=sigma_v).pattern_weights().sum(axis=1)
    assert weights.iloc[0] / weights.iloc[1] == pytest.approx(ratio, abs=6e-4)


@pytest.mark.parametrize("activation", ["tanh", "erf", "identity"])
def test_odd_activations_have_no_feature_bias(activation):
    assert MLP(activation).spectrum(order=1)[0] == pytest.approx(0, abs=1e-15)


def test_counts_give_the_features_of_the_documents_they_count():
    docs = [[0, 2, 2], [1, 0], [2]]
    counts = np.array([np.bincount(d, minlength=3) for d in docs])
    model = MLP("relu")
    given, counted = model.feature_map(docs), model.count_feature_map(counts)
    assert list(counted.columns) == list(given.columns)
    assert counted.matrix.toarray().tolist() == given.matrix.toarray().tolist()
    for dense in (counts * 0.5, sparse.csr_array(counts * 0.5)):
        halved = model.count_feature_map(dense, given.columns).matrix
        assert halved.toarray() == pytest.approx(given.matrix.toarray() / 2)


def test_tangents_are_of_the_first_class_unless_told():
    network = MLP("tanh").network(8, 5, seed=0, classes=2)
    docs = Documents.of([[0, 1], [4]])
    first, second = network.tangents(docs, 0), network.tangents(docs, 1)
    for plain, expected in zip(network.tangents(docs), first, strict=True):
        assert plain.parameter == expected.parameter
        assert all(
            np.array_equal(dense(a), dense(b)) for a, b in zip(plain.factors, expected.factors, strict=True)
        )
    (hidden,) = (part.factors[1] for part in second if part.parameter == "hidden")
    assert not np.allclose(hidden, next(part.factors[1] for part in first if part.parameter == "hidden"))


def dense(factor):
    return factor.toarray() if sparse.issparse(factor) else factor


@pytest.mark.parametrize("output", [0, 1])
def test_tangents_give_the_kernel_of_each_parameter(output):
    network = MLP("tanh").network(width=6, vocabulary_size=12, seed=3, classes=2, dtype=torch.float64)
    docs = Documents.of(random_documents(1))
    expected = dict(network.parameter_kernels(docs, docs, output, 2**20))
    found = {t.parameter: tangent_gram(t) for t in network.tangents(docs, output)}
    assert sorted(found) == ["embedding", "hidden", "output"] == sorted(expected)
    for name, gram in found.items():
        assert gram == pytest.approx(expected[name], rel=1e-12, abs=0)
