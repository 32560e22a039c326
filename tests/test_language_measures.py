"""Measures of language models, each on a case whose answer is known."""

import numpy as np
import pytest
from scipy.stats import spearmanr

import ntklib
from ntklib.language_measures import (
    centred_position_scores,
    cooccurrence_agreement,
    pair_variance,
    prefix_log_probabilities,
    replacement_costs,
    resampled_losses,
)
from ntklib.language_modelling import next_token_probabilities
from tests.test_language_modelling import text


def transformer(causal=True):
    return ntklib.Transformer(layers=1, heads=2, causal=causal).network(8, 12, seed=0, classes=12)


def test_with_a_mask_the_end_of_the_text_changes_nothing():
    documents = text(0, 20)
    whole = np.log(next_token_probabilities(transformer(), documents))
    assert prefix_log_probabilities(transformer(), documents, batch_size=7) == pytest.approx(whole, rel=1e-10)
    leaking = transformer(causal=False)
    whole = np.log(next_token_probabilities(leaking, documents))
    assert np.abs(prefix_log_probabilities(leaking, documents) - whole).max() > 0.01


def test_replacing_what_a_model_cannot_see_costs_nothing():
    documents = [[1, 2, 3, 4, 5]] * 3
    costs = {
        causal: replacement_costs(transformer(causal), documents, 2, [-1, 0, 1, 2], [7, 8, 9])
        for causal in (True, False)
    }
    assert np.abs(costs[True][2:]).max() < 1e-12
    assert np.abs(costs[True][:2]).min() > 1e-6
    assert np.abs(costs[False]).min() > 1e-6
    with pytest.raises(ValueError, match="must reach over all offsets"):
        replacement_costs(transformer(), documents, 2, [3], [7])


def test_variance_of_a_sum_has_no_interaction():
    rng = np.random.default_rng(0)
    first, last = rng.normal(size=(5, 1, 3)), rng.normal(size=(1, 5, 3))
    shares = pair_variance(first + last)
    assert shares.sum() == pytest.approx(1)
    assert shares[2] == pytest.approx(0, abs=1e-12)
    scores = centred_position_scores(transformer(), [[u, v] for u in range(4) for v in range(4)])[1::2]
    assert pair_variance(scores.reshape(4, 4, 12))[2] > 0


def test_matched_share_tells_cooccurrence_from_frequency():
    rng = np.random.default_rng(0)
    frequency = 1000.0 / np.arange(1, 41)
    lift = rng.gamma(4, size=(30, 40))
    counts = frequency * lift
    of_frequency = np.log(frequency) + 0.01 * rng.normal(size=(2, 30, 40))
    blind, blind_draws = cooccurrence_agreement(of_frequency, counts, frequency, resamples=200)
    seeing, _ = cooccurrence_agreement(np.log(counts)[None], counts, frequency, resamples=0)
    assert seeing[:2] == pytest.approx([1, 1])
    of_rates, _ = cooccurrence_agreement(np.log(lift)[None], counts, frequency, resamples=0)
    assert of_rates[2] == 1
    assert blind[0] > 0.5
    assert np.quantile(blind_draws[:, 2], 0.01) < 0.52
    assert blind[2] == pytest.approx(0.5, abs=0.1)
    expected = np.mean([spearmanr(table.ravel(), counts.ravel()).statistic for table in of_frequency])
    assert blind[0] == pytest.approx(expected)


def test_losses_are_paired_over_documents():
    rng = np.random.default_rng(0)
    documents = np.repeat(np.arange(20), 5)
    first = np.log(rng.uniform(0.1, 1, size=(1, 100)))
    losses = resampled_losses(first, documents, resamples=100)
    assert losses[0] == pytest.approx(-first.mean())
    shifted = resampled_losses(np.vstack([first, first]) - 0.3, documents, resamples=100)
    assert shifted - losses == pytest.approx(np.full(101, 0.3))
