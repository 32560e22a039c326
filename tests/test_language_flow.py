"""The flow in the features: equal to the flow in the documents, to the counts at its start and at its end."""

import numpy as np
import pytest
import torch

import ntklib
from ntklib.documents import Documents
from ntklib.language_flow import Averaged, language_flow
from ntklib.language_modelling import cooccurring_pairs, next_token_pairs, perplexity
from tests.test_language_modelling import text

VOCABULARY = 12


def pairs(context: int = 3, seed: int = 0) -> tuple[Documents, np.ndarray]:
    return next_token_pairs(text(seed), context)


@pytest.mark.parametrize(
    "model", [ntklib.MLP(), ntklib.MLP("tanh"), ntklib.CNN(2), Averaged(ntklib.MLP("gelu"))]
)
def test_it_is_the_flow_of_the_documents(model):
    contexts, targets = pairs()
    times = [0.01, 0.1]
    ours = language_flow(model, contexts, targets, times, classes=VOCABULARY, tolerance=1e-7)
    theirs = ntklib.gradient_flow(model, (contexts, targets), times, probes={"one": [3]}, tolerance=1e-7)
    for place, time in enumerate(times):
        assert ours.scores([[3]], place)[0] == pytest.approx(theirs.scores.loc[time].to_numpy(), abs=1e-5)


def test_its_first_velocity_is_the_cooccurrence():
    contexts, targets = pairs()
    model = ntklib.MLP()
    bias, token = model.pattern_weights().sum(axis=1)
    counts = cooccurring_pairs(contexts, targets, VOCABULARY).toarray()
    wanted = np.eye(VOCABULARY)[targets] - 1 / VOCABULARY
    shared = contexts.lengths @ wanted
    expected = token * (counts - counts.sum(axis=1, keepdims=True) / VOCABULARY) + bias * shared
    step = 1e-12
    flow = language_flow(model, contexts, targets, [step], classes=VOCABULARY)
    found = flow.scores([[u] for u in range(VOCABULARY)]) / step
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-8)


def test_equal_bags_are_taken_together_and_change_nothing():
    contexts, targets = [[0, 1], [1, 0], [0, 1], [2]], np.array([2, 2, 0, 1])
    flow = language_flow(ntklib.MLP(), contexts, targets, [1.0], classes=3, tolerance=1e-6)
    assert flow.contexts == 2
    reference = ntklib.gradient_flow(ntklib.MLP(), (contexts, targets), [1.0], {"a": [0]}, tolerance=1e-6)
    assert flow.scores([[0]])[0] == pytest.approx(reference.scores.loc[1.0].to_numpy(), abs=1e-4)


def test_probabilities_are_the_softmax_of_the_scores():
    contexts, targets = pairs()
    flow = language_flow(ntklib.MLP(), contexts, targets, [0.05], classes=VOCABULARY)
    scores = torch.from_numpy(flow.scores(contexts))
    expected = torch.softmax(scores, dim=1)[torch.arange(len(targets)), torch.from_numpy(targets)]
    assert flow.probabilities(contexts, targets) == pytest.approx(expected.numpy(), rel=1e-12)
    assert perplexity(flow.probabilities(contexts, targets)) < VOCABULARY


def test_a_mean_network_divides_by_the_length():
    documents = [[0, 1, 1], [2]]
    summing = ntklib.MLP().network(8, 3, seed=1, classes=3)
    mean = Averaged(ntklib.MLP()).network(8, 3, seed=1, classes=3)
    lengths = torch.tensor([[3.0], [1.0]], dtype=torch.float64)
    assert torch.equal(mean(documents), summing(documents) / lengths)
    single = Averaged(ntklib.MLP()).network(8, 3, seed=1)
    assert single(documents).shape == (2,)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"targets": np.array([0, 5])}, "targets must be 0 to 2"),
        ({"targets": np.array([0])}, "targets must be 2 integers"),
        ({"classes": 1}, "classes must be an integer, 2 or larger"),
        ({"tolerance": 2.0}, "tolerance must be between"),
        ({"times": [1.0, 0.5]}, "times must be 0 or larger and increase"),
    ],
)
def test_bad_input_is_refused_by_name(change, message):
    arguments = {"contexts": [[0], [1]], "targets": np.array([1, 2]), "times": [1.0], "classes": 3}
    with pytest.raises(ValueError, match=message):
        language_flow(ntklib.MLP(), **{**arguments, **change})
