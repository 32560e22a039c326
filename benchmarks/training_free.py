"""The training-free flow against training the network whose label scores it predicts."""

from typing import NamedTuple

import numpy as np
import torch

import ntklib
from benchmarks.measure import Comparison
from benchmarks.texts import VOCABULARY, polar_labels, ragged_documents
from ntklib import Documents

STEPS = 500
WIDTH = 1024
SIZES = (500, 2000, 8000)
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
    """Label scores of all tokens when the steps would have been made."""
    time = made.learning_rate * STEPS
    return ntklib.gradient_flow(MODEL, (made.docs, made.labels), [time], made.probes).scores.to_numpy()[-1]


def by_training(made: Inputs) -> np.ndarray:
    """Train a network of width 1024 in float32 on all documents at each step."""
    network = MODEL.network(width=WIDTH, vocabulary_size=VOCABULARY, seed=0, dtype=torch.float32)
    run = ntklib.train(
        network,
        (made.docs, made.labels),
        learning_rate=made.learning_rate,
        epochs=STEPS,
        probes=made.probes,
        record=[STEPS],
        drift_documents=0,
        centred=True,
        progress=False,
    )
    return run.score_changes.iloc[-1].to_numpy()


def correlations(made: Inputs, flow: np.ndarray, trained: np.ndarray) -> dict[str, float]:
    """How the two agree on all tokens, and on those that occur at least 20 times."""
    occurrences = np.bincount(made.docs.ids)[list(made.probes)]
    often = occurrences >= 20
    return {
        "correlation": float(np.corrcoef(flow, trained)[0, 1]),
        "correlation_of_frequent_tokens": float(np.corrcoef(flow[often], trained[often])[0, 1]),
        "sign_agreement_of_frequent_tokens": float((np.sign(flow) == np.sign(trained))[often].mean()),
    }


COMPARISONS = {
    "training-free": Comparison(
        work=f"label scores of every token after {STEPS} steps",
        against=f"training the network of width {WIDTH}",
        sizes=SIZES,
        prepare=inputs,
        ours=by_flow,
        theirs=by_training,
        targets={8000: 150.0},
        width=WIDTH,
        repetitions=dict.fromkeys(SIZES, 1),
        precision="float64; network float32",
        tolerance=None,  # of a limit and one network
        note="the agreement is of the label scores after all steps, of one network, whose width leaves noise",
        details=correlations,
        memory_of_other=False,
    )
}
