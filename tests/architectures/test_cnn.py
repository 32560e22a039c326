"""The CNN: the battery, its windows, and what its spectrum says."""

import pytest
import torch

from ntklib import CNN, MLP
from ntklib.architectures.cnn import window_positions, with_boundaries
from ntklib.documents import Documents
from tests.architectures.battery import DOCUMENTS, ArchitectureBattery


class TestCNN(ArchitectureBattery):
    instances = (
        CNN(3, "relu"),
        CNN(2, "gelu", sigma_e=0.7, sigma_w=1.3, sigma_v=0.5),
        CNN(4, "tanh"),
        CNN(1, "erf"),
        CNN(3, torch.nn.functional.softplus, sigma_v=2.0),
    )


def test_boundary_tokens_are_all_different_and_their_windows_full():
    padded = with_boundaries(Documents.of([[7, 8], [9]]), 2)
    assert [document.tolist() for document in padded] == [[-1, -2, 7, 8, -3, -4], [-1, -2, 9, -3, -4]]
    windows, owners = window_positions(padded, 3)
    assert padded.ids[windows].tolist() == [
        [-1, -2, 7],
        [-2, 7, 8],
        [7, 8, -3],
        [8, -3, -4],
        [-1, -2, 9],
        [-2, 9, -3],
        [9, -3, -4],
    ]
    assert owners.tolist() == [0, 0, 0, 0, 1, 1, 1]


def test_a_window_of_one_token_is_the_perceptron():
    assert CNN(1, "gelu", 0.5, 2.0, 3.0).kernel(DOCUMENTS) == pytest.approx(
        MLP("gelu", 0.5, 2.0, 3.0).kernel(DOCUMENTS), rel=1e-12
    )


@pytest.mark.parametrize(
    ("activation", "sigma", "share"),
    [
        ("tanh", 1.0, 0.155),
        ("silu", 1.0, 0.196),
        ("gelu", 1.0, 0.267),
        ("relu", 1.0, 0.304),
        ("relu", 0.1, 0.304),
    ],
)
def test_share_of_ngrams_is_that_of_the_theory(activation, sigma, share):
    assert CNN(3, activation, sigma, sigma, sigma).spectrum(order=3)[2:].sum() == pytest.approx(
        share, abs=5e-4
    )


@pytest.mark.parametrize(
    ("activation", "smallest", "largest"),
    [("tanh", 0, 1e-6), ("silu", 5.5e-5, 5.7e-5), ("gelu", 1.35e-4, 1.45e-4)],
)
def test_smooth_activations_lose_their_ngrams_at_a_small_variance(activation, smallest, largest):
    share = CNN(3, activation, 0.1, 0.1, 0.1).spectrum(order=3)[2:].sum()
    assert smallest < share < largest


def test_features_of_the_edges_are_named_by_negative_tokens():
    columns = CNN(2).feature_map([[5]]).columns
    assert {feature.tokens for feature in columns} == {(), (-1,), (5,), (-2,), (-1, 5), (5, -2)}


@pytest.mark.parametrize("window", [0, -1, 17])
def test_a_bad_window_is_refused_by_name(window):
    with pytest.raises(ValueError, match="window must be"):
        CNN(window)


@pytest.mark.parametrize("window", [1, 2, 3])
@pytest.mark.parametrize("classes", [None, 3])
def test_scores_without_gradients_are_those_with_them(window, classes):
    network = CNN(window, "gelu").network(width=8, vocabulary_size=9, seed=0, classes=classes)
    documents = Documents.of([[3, 1, 3], [8], [2, 7]])
    with_gradients = network(documents)
    with torch.no_grad():
        torch.testing.assert_close(network(documents), with_gradients.detach(), rtol=1e-12, atol=1e-12)
