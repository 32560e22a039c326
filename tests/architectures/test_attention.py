"""Attention: the battery, and what is true of it alone; the projected network at finite width."""

import numpy as np
import pytest

from ntklib import Attention, ProjectedAttention, empirical_ntk, expected_ntk
from tests.architectures.battery import DOCUMENTS, OTHERS, VOCABULARY, ArchitectureBattery, random_documents


class TestAttention(ArchitectureBattery):
    instances = (Attention(), Attention(0.5, 1.5, 0.7), Attention(sigma_e=2.0))


def received_by_the_definition(document: list[int], sigma: float) -> np.ndarray:
    scores = np.exp(sigma**2 * (np.array(document)[:, None] == np.array(document)[None, :]))
    return (scores / scores.sum(axis=1, keepdims=True)).sum(axis=0)


@pytest.mark.parametrize("sigma", [0.1, 1.0, 3.0])
def test_received_attention_is_a_column_sum_of_the_softmax(sigma):
    documents = random_documents(0)
    expected = np.concatenate([received_by_the_definition(d, sigma) for d in documents])
    assert Attention(sigma_e=sigma).received_attention(documents) == pytest.approx(expected, rel=1e-12)


def test_received_attention_does_not_overflow():
    assert Attention(sigma_e=1e3).received_attention([[0, 1, 0]]) == pytest.approx([1.0, 1.0, 1.0])


def test_attention_of_wide_networks_tends_to_its_limit():
    document = [0, 1, 0, 2]
    limit = np.exp(np.equal.outer(document, document))
    limit = limit / limit.sum(axis=1, keepdims=True)
    errors = [
        np.abs(Attention().network(width, 3, seed=0).attention([document])[0].detach().numpy() - limit).max()
        for width in (64, 4096)
    ]
    assert errors[1] < 0.05
    assert errors[1] < errors[0] / 3


def test_a_pair_of_tokens_has_the_sum_of_their_scores():
    """Both get attention 1 in all, so even a bigram's score is additive."""
    kernel = Attention().kernel([[0, 1], [0], [1]], DOCUMENTS)
    assert kernel[0] == pytest.approx(kernel[1] + kernel[2], rel=1e-12)


class TestProjectedAttention:
    def test_structured_empirical_kernel_equals_the_jacobian_product(self):
        network = ProjectedAttention(sigma_q=2.0).network(12, VOCABULARY, seed=1, classes=2)
        structured, jacobian = (
            empirical_ntk(network, DOCUMENTS, OTHERS, method=method) for method in ("structured", "jacobian")
        )
        assert structured == pytest.approx(jacobian, rel=1e-10, abs=1e-12 * np.abs(jacobian).max())

    def test_a_longer_neighbour_changes_no_score(self):
        network = ProjectedAttention().network(16, VOCABULARY, seed=0)
        together = network(DOCUMENTS).detach().numpy()
        alone = [network([document]).item() for document in DOCUMENTS]
        assert together == pytest.approx(alone, rel=1e-10)

    def test_a_bad_standard_deviation_is_refused_by_name(self):
        with pytest.raises(ValueError, match="sigma_q must be a finite number above 0"):
            ProjectedAttention(sigma_q=0.0)

    def test_its_kernel_is_estimated_with_an_error_that_falls_with_the_number_of_networks(self):
        few, many = (expected_ntk(ProjectedAttention(), DOCUMENTS, width=16, networks=n) for n in (8, 128))
        assert many.kernels.shape == (128, 5, 5)
        assert 0.1 < (many.standard_error / few.standard_error).mean() < 0.5

    def test_one_network_is_refused(self):
        with pytest.raises(ValueError, match="networks must be an integer, 2 or larger"):
            expected_ntk(ProjectedAttention(), DOCUMENTS, width=8, networks=1)
