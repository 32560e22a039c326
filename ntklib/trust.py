"""May this network's features be read off the kernel? Measured on a copy of it, trained as its user would."""

from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ntklib.architectures.base import Architecture
from ntklib.architectures.mlp import MLP
from ntklib.batches import documents_a_batch
from ntklib.documents import Documents
from ntklib.dynamics import gradient_flow, training_set
from ntklib.empirical import largest_eigenvalue
from ntklib.logistic_flow import largest_curvature
from ntklib.preconditioned import preconditioned_flow
from ntklib.statistics import noise_floor, r_squared
from ntklib.training import FLOWS, train
from ntklib.validation import checked_integer

LARGEST_DRIFT = 0.5
"""Relative change of the kernel above which it is another kernel: a convention of this book."""
SMALLEST_R_SQUARED = 0.8
"""Share of the variance above the noise floor that the prediction must explain: a convention of this book."""
FEWEST_TOKENS = 10
"""Tokens above the noise floor below which there is nothing to read."""


@dataclass(frozen=True, eq=False)
class TrustReport:
    """The answer of :func:`trust_report`.

    Attributes
    ----------
    trusted : bool
        Whether every condition holds.
    figures : DataFrame
        One row a figure: ``value``, what is ``needed``, and whether it ``holds`` (None: no condition, only
        told).
    """

    trusted: bool
    figures: pd.DataFrame

    def __str__(self) -> str:
        answer = "yes" if self.trusted else "no"
        lines = [f"May this network's features be read off the kernel? {answer}"]
        for name, row in self.figures.iterrows():
            verdict = "holds" if row["holds"] else "FAILS"
            value = f"{row['value']:.2g}" if abs(row["value"]) < 100 else f"{row['value']:.0f}"  # no 1.2e+02
            told = f"  {name}: {value} (told only)"
            lines.append(told if row["holds"] is None else f"  {name}: {value} ({row['needed']}): {verdict}")
        return "\n".join(lines)

    __repr__ = __str__


def trust_report(
    network: Any,
    architecture: Architecture,
    corpus: Any,
    *,
    optimizer: str = "sgd",
    learning_rate: float | None = None,
    epochs: int = 10,
    batch_size: int | None = 64,
    kernel_documents: int = 32,
    seed: int = 0,
    progress: bool = True,
) -> TrustReport:
    """Say whether a network's label scores may be read off its architecture's kernel, and why.

    Trains a copy of the network, as its user would, and measures how far the kernel drifts, how many tokens
    rise above the noise floor of its width, and how well the training-free prediction agrees with them (book,
    :ref:`trust`).

    Parameters
    ----------
    network : TextNetwork
        Left as it is.
    architecture : Architecture
        Whose finite network it is, with the initial standard deviations that it was drawn with.
    corpus : Corpus, or a pair (documents, labels)
        The training documents.
    optimizer, learning_rate, epochs, batch_size, seed, progress
        As for :func:`~ntklib.training.train`. When left out, the learning rate of SGD is half the largest
        stable one of a batch, and a tenth of that with momentum.
    kernel_documents : int
        On how many documents kernels are compared.

    Returns
    -------
    TrustReport

    Raises
    ------
    TypeError, ValueError
        As :func:`~ntklib.training.train` and :func:`~ntklib.dynamics.gradient_flow`.

    Notes
    -----
    The thresholds are conventions: drift 0.5, R² 0.8, ten tokens. Adaptive optimisers are no gradient flow;
    their prediction is taken at the same product of learning rate and epochs, and only the agreement in
    direction, a correlation, is asked of it. For the perceptron the agreement with
    :func:`~ntklib.preconditioned.preconditioned_flow` is told beside it. Source: measurement.

    Examples
    --------
    >>> import ntklib
    >>> corpus = ntklib.load_corpus("planted:polarity", seed=0)
    >>> mlp = ntklib.MLP("tanh")
    >>> narrow = mlp.network(8, len(corpus.vocabulary), seed=0)
    >>> settings = {"learning_rate": 0.05, "epochs": 2, "progress": False}
    >>> trust_report(narrow, mlp, corpus, optimizer="adam", **settings).trusted
    False
    """
    documents, labels, classes = training_set(corpus)
    trained = deepcopy(network)
    size = documents_a_batch(batch_size, len(documents))
    # Of the documents alone: a corpus that is sorted by label has a first batch of one class.
    curvature = largest_curvature(1 if classes == 2 else classes)
    bound = 2 / (curvature * largest_eigenvalue(trained, documents[:size]))
    if learning_rate is None and optimizer in FLOWS:
        learning_rate = bound / 2 / FLOWS[optimizer]
    used = np.unique(documents.ids)
    probes = {int(token): [int(token)] for token in used}

    run = train(
        trained,
        (documents, labels),
        optimizer=optimizer,
        learning_rate=learning_rate,
        epochs=epochs,
        batch_size=size,
        probes=probes,
        record=epochs,
        drift_documents=checked_integer(kernel_documents, "kernel_documents"),
        centred=True,
        seed=seed,
        progress=progress,
    )
    start, limit = run.initial_kernels[0], architecture.kernel(run.drift_documents)
    time = FLOWS.get(optimizer, 1.0) * run.learning_rate * epochs
    flow = gradient_flow(architecture, (documents, labels), [time], probes)
    observed, predicted = run.score_changes.iloc[-1].to_numpy(), flow.scores.iloc[-1].to_numpy()
    above = _above_the_floor(documents, labels, classes, network.width)
    enough = int(above.sum()) >= FEWEST_TOKENS

    is_flow = optimizer in FLOWS
    drift = float(run.drift["kernel"].iloc[-1])
    rows: list[tuple[str, float, str, bool | None]] = [
        (
            "relative error of the initial kernel",
            float(np.linalg.norm(start - limit) / np.linalg.norm(limit)),
            "told",
            None,
        ),
        ("tokens above the noise floor", int(above.sum()), f"at least {FEWEST_TOKENS}", enough),
        ("drift of the kernel", drift, f"at most {LARGEST_DRIFT}", drift <= LARGEST_DRIFT),
    ]
    if is_flow:
        ratio = run.learning_rate * FLOWS[optimizer] / bound
        rows.append(("learning rate over the largest stable one", ratio, "at most 1", bool(ratio <= 1)))
    if enough:
        if is_flow:
            agreement = r_squared(observed[above], predicted[above])
            rows.append(
                (
                    "R² above the floor",
                    agreement,
                    f"at least {SMALLEST_R_SQUARED}",
                    agreement >= SMALLEST_R_SQUARED,
                )
            )
        else:
            agreement = float(np.corrcoef(observed[above], predicted[above])[0, 1])
            needed = SMALLEST_R_SQUARED**0.5
            rows.append(
                ("correlation above the floor", agreement, f"at least {needed:.2f}", agreement >= needed)
            )
            if type(architecture) is MLP and classes == 2:
                own = preconditioned_flow(
                    architecture,
                    (documents, labels),
                    optimizer=optimizer,
                    learning_rate=run.learning_rate,
                    width=network.width,
                    epochs=epochs,
                    batch_size=size,
                    probes=probes,
                    record=epochs,
                    seed=seed,
                ).iloc[-1]
                of_its_own = float(np.corrcoef(observed, own)[0, 1])
                name = f"correlation of all tokens with the flow of {optimizer}"
                rows.append((name, of_its_own, "told", None))
        rows.append(
            ("correlation of all tokens", float(np.corrcoef(observed, predicted)[0, 1]), "told", None)
        )
    figures = pd.DataFrame(rows, columns=["figure", "value", "needed", "holds"]).set_index("figure")
    figures["holds"] = figures["holds"].astype(object)
    return TrustReport(all(holds is not False for *_, holds in rows), figures)


def _above_the_floor(documents: Documents, labels: np.ndarray, classes: int, width: int) -> np.ndarray:
    """Which tokens (and classes) rise above the noise floor, in the order of the flow's probes."""
    if classes == 2:
        return noise_floor(documents, labels - 0.5, width).above.to_numpy()
    residuals = np.eye(classes)[labels] - 1 / classes
    columns = [noise_floor(documents, residuals[:, c], width).above.to_numpy() for c in range(classes)]
    return np.stack(columns, axis=1).reshape(-1)
