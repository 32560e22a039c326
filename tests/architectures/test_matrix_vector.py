"""The matrix-vector model: the battery, and its kernel as a string kernel."""

from collections import Counter

import numpy as np
import pytest
import torch

from ntklib import MatrixVector
from tests.architectures.battery import OTHERS, VOCABULARY, random_documents
from tests.architectures.recurrent_battery import RecurrentBattery


class TestMatrixVector(RecurrentBattery):
    instances = (
        MatrixVector(),
        MatrixVector(0.6, 1.2, 0.5),
        MatrixVector(sigma_a=1.2, readout="last"),
    )
    # A network has V d² weights.
    monte_carlo_width = 256


def ngrams(document: list[int]) -> Counter:
    return Counter(
        tuple(document[start:end])
        for start in range(len(document))
        for end in range(start + 1, len(document) + 1)
    )


@pytest.mark.parametrize("sigma_a", [0.5, 1.0, 1.3])
def test_kernel_is_a_blended_spectrum_kernel(sigma_a):
    """A weighted sum over all n-grams of their counts, with a weight for each length."""
    documents, others = random_documents(0), random_documents(1)
    model = MatrixVector(sigma_a=sigma_a, sigma_g=0.8, sigma_v=1.1)
    by_length = model.feature_weights(8).sum(axis=1).to_numpy()
    expected = np.zeros((len(documents), len(others)))
    for i, first in enumerate(map(ngrams, documents)):
        for j, second in enumerate(map(ngrams, others)):
            expected[i, j] = sum(by_length[len(w) - 1] * first[w] * second[w] for w in first.keys() & second)
    assert model.kernel(documents, others) == pytest.approx(expected, rel=1e-10)


def test_unit_kernel_sees_the_common_suffix_alone():
    model = MatrixVector()
    matches = np.array([[True, True, False, True], [True, True, False, False], [False, True, True, True]])
    first, second, third = sum(model.unit_kernel(matches).values())
    assert first == second
    assert third == 0


# theory.md gives .0148 at σ = .1 for units of three tokens; it is the share for units of two.
@pytest.mark.parametrize(
    ("sigma", "tokens", "share", "error"),
    [(1.0, 3, 0.778, 5e-4), (0.1, 2, 0.0148, 5e-5), (0.1, 3, 0.0150, 5e-5)],
)
def test_share_of_ngrams_is_that_of_the_theory(sigma, tokens, share, error):
    shares = MatrixVector(sigma, sigma, sigma).spectrum(order=tokens)
    assert shares[2:].sum() == pytest.approx(share, abs=error)


def test_network_follows_its_definition():
    network = MatrixVector().network(6, VOCABULARY, seed=0)
    matrices = network.matrices.view(VOCABULARY, 6, 6)
    state, total = torch.zeros(6, dtype=torch.float64), torch.zeros(())
    for token in [3, 1, 3]:
        state = matrices[token] @ state / 6**0.5 + network.vectors[token]
        total = total + network.output @ state / 6**0.5
    assert network([[3, 1, 3]]).item() == pytest.approx(total.item(), rel=1e-12)


def test_the_last_readout_knows_how_a_document_ends():
    kernel = MatrixVector(readout="last").kernel([[1, 2, 3]], [[2, 3], [1, 2], [3], *OTHERS])
    assert kernel[0, 0] > kernel[0, 2] > 0
    assert kernel[0, 1] == 0
    assert MatrixVector().kernel([[1, 2, 3]], [[1, 2]]) > 0
