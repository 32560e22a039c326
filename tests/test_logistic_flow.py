"""Flow on a given kernel matrix: equal to the flow in feature space; the linearised network."""

import numpy as np
import pytest

import ntklib
from ntklib.logistic_flow import kernel_flow
from tests.test_dynamics import random_corpus


@pytest.mark.parametrize("classes", [2, 3])
def test_flow_on_the_matrix_equals_the_flow_on_its_features(classes):
    docs, labels = random_corpus(0, classes=classes)
    model = ntklib.CNN(2, "gelu")
    probes = [[u, u + 1] for u in range(20)]
    times = [0.0, 0.01, 0.3]
    features = ntklib.gradient_flow(model, (docs, labels), times, probes, tolerance=1e-6)
    flow = kernel_flow(model.kernel(docs), labels, times, classes=classes, tolerance=1e-6)
    changes = flow.score_changes(model.kernel(probes, docs))
    assert changes.shape == ((3, 20) if classes == 2 else (3, 20, 3))
    assert changes.reshape(3, -1) == pytest.approx(features.scores.to_numpy(), rel=1e-4, abs=1e-5)


def test_a_very_wide_network_follows_its_linearisation():
    docs, labels = random_corpus(1, documents=20, vocabulary=8)
    probes = [[u] for u in range(8)]
    network = ntklib.MLP("tanh").network(1024, 8, seed=0)
    kernel = ntklib.empirical_ntk(network, docs)
    to_probes = ntklib.empirical_ntk(network, probes, docs)
    initial = network(docs).detach().numpy()
    rate = 0.2 / np.linalg.eigvalsh(kernel).max()
    run = ntklib.train(
        network, (docs, labels), learning_rate=rate, epochs=50, probes=probes, drift_documents=0
    )
    flow = kernel_flow(kernel, labels, run.times[-1:], initial_scores=initial)
    assert run.score_changes.iloc[-1].to_numpy() == pytest.approx(flow.score_changes(to_probes)[0], abs=0.03)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([[1.0, 0.5]], [1]), r"kernel must be a symmetric \(N, N\) array"),
        (([[1.0, 2.0], [0.0, 1.0]], [1, 0]), "kernel must be a symmetric"),
        (([[1.0]], [1, 0]), "labels must be 1 integers"),
        (([[1.0]], [2]), "labels must be 0 to 1"),
        (([[0.0]], [1]), "kernel has no positive eigenvalue"),
    ],
)
def test_bad_input_is_refused_by_name(arguments, message):
    with pytest.raises(ValueError, match=message):
        kernel_flow(*arguments, [1.0])


def test_a_probe_kernel_of_the_wrong_width_is_refused():
    with pytest.raises(ValueError, match="kernel must have 1 columns, one a training document, not 2"):
        kernel_flow([[1.0]], [1], [1.0]).score_changes([[1.0, 2.0]])
