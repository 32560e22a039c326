"""The training-free flow against training the network whose label scores it predicts."""

from typing import NamedTuple

import numpy as np
import torch

import ntklib
from benchmarks.measure import Comparison
from benchmarks.texts import VOCABULARY, polar_labels, ragged_documents
from ntklib import Documents

STEPS = 500
MEASURED_STEPS = 25
WIDTH = 1024
MODEL = ntklib.MLP(activation="gelu")


class Inputs(NamedTuple):
    """Labelled documents, every token as a probe, and the learning rate: half of the largest stable one."""

    docs: Documents
    labels: np.ndarray
    probes: dict[int, list[int]]
    learning_rate: float


def inputs(count: int) -> Inputs:
    """Draw documents and labels, and ask the kernel for the learning rate."""
    docs = ragged_documents(count)
    labels = polar_labels(docs)
    flow = ntklib.gradient_flow(MODEL, (docs, labels), times=[0.0], probes=[[0]])
    probes = {int(token): [int(token)] for token in np.unique(docs.ids)}
    return Inputs(docs, labels, probes, 0.5 * flow.largest_stable_learning_rate)


def by_flow(made: Inputs) -> np.ndarray:
    """Label scores of all tokens when the measured steps, and when all of them, would have been made."""
    times = made.learning_rate * np.array([MEASURED_STEPS, STEPS])
    return ntklib.gradient_flow(MODEL, (made.docs, made.labels), times, made.probes).scores.to_numpy()


def by_training(made: Inputs) -> np.ndarray:
    """Train a network of width 1024 in float32 on all documents at each of the measured steps."""
    network = MODEL.network(width=WIDTH, vocabulary_size=VOCABULARY, seed=0, dtype=torch.float32)
    run = ntklib.train(
        network,
        (made.docs, made.labels),
        learning_rate=made.learning_rate,
        epochs=MEASURED_STEPS,
        probes=made.probes,
        record=[MEASURED_STEPS],
        drift_documents=0,
        centred=True,
        progress=False,
    )
    found = run.score_changes.iloc[-1].to_numpy()
    return np.stack([found, np.full_like(found, np.nan)])


def correlations(made: Inputs, flow: np.ndarray, trained: np.ndarray) -> dict[str, float]:
    """How the two agree on all tokens, and on those that occur at least 20 times."""
    occurrences = np.bincount(made.docs.ids)[list(made.probes)]
    often = occurrences >= 20
    return {
        "correlation": float(np.corrcoef(flow[0], trained[0])[0, 1]),
        "correlation_of_frequent_tokens": float(np.corrcoef(flow[0][often], trained[0][often])[0, 1]),
        "sign_agreement_of_frequent_tokens": float((np.sign(flow[0]) == np.sign(trained[0]))[often].mean()),
    }


COMPARISONS = {
    "training-free": Comparison(
        work=f"label scores of every token after {STEPS} steps",
        against=f"training the network of width {WIDTH}",
        sizes=(2000, 8000),
        prepare=inputs,
        ours=by_flow,
        theirs=by_training,
        targets={8000: 150.0},
        width=WIDTH,
        share=dict.fromkeys((2000, 8000), MEASURED_STEPS / STEPS),
        repetitions=dict.fromkeys((2000, 8000), 1),
        precision="float64; network float32",
        note=f"{MEASURED_STEPS} steps are trained and scaled; the agreement is of the label scores after "
        "them, of one network, whose width leaves noise",
        details=correlations,
    )
}
