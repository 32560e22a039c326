"""The MLP: the battery, and what is true of it alone."""

import numpy as np
import pytest
import torch

from ntklib import MLP
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
