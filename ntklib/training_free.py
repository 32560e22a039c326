"""A classifier that is never trained: gradient flow at infinite width, stopped by validation documents."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import log_softmax

from ntklib.documents import Documents
from ntklib.dynamics import GradientFlow, flow_of_kernel, refuse_zero, training_set
from ntklib.feature_kernel import FeatureKernel
from ntklib.validation import checked_integer, labelled_documents

HORIZONS = (0.3, 1.0, 3.0, 10.0, 30.0)
"""Flow times, in units of the time in which a typical document learns its own label."""
LARGEST_STIFFNESS = 2e5
"""Largest product of flow time and largest eigenvalue: beyond it the integration takes too many steps."""
_SAMPLE = 200


@dataclass(frozen=True, eq=False)
class TrainingFreeModel:
    """The answer of :func:`training_free_model`.

    Attributes
    ----------
    flow : GradientFlow
        At the flow times of ``validation``.
    time : float
        The flow time at which the validation documents' loss is smallest.
    validation : DataFrame
        At each time the mean ``loss`` of the validation documents, and their ``accuracy``.
    classes : tuple
        Names of the C classes.
    used : (M,) int64
        Positions of the training documents that the flow was solved for: all, or as many as fitted.
    """

    flow: GradientFlow
    time: float
    validation: pd.DataFrame
    classes: tuple[Any, ...]
    used: np.ndarray

    def scores(self, docs: Any) -> np.ndarray:
        """(N, C) score of each class at :attr:`time`; for two classes plus and minus the logit of class 1."""
        return _by_class(self.flow.predict(docs, self.time))

    def label_scores(self, docs: Any) -> np.ndarray:
        """(N, C) scores beyond those of a document of as many tokens that never occurred in training.

        What is left is what the network learnt about these tokens; the rest is bias.
        """
        documents = Documents.of(docs)
        return (
            self.scores(documents) - self.unseen_scores(int(documents.lengths.max()))[documents.lengths - 1]
        )

    def unseen_scores(self, longest: int = 1) -> np.ndarray:
        """(L, C) scores of documents of 1 … L different tokens that never occurred in training."""
        # An id beyond every known token: no feature but the bias (and a window's boundary) holds it.
        start = 2**31
        return self.scores([list(range(start, start + length)) for length in range(1, longest + 1)])

    def predict(self, docs: Any) -> np.ndarray:
        """(N,) class of the largest score of each document."""
        return self.scores(docs).argmax(axis=1)


def training_free_model(
    architecture: Any,
    train: Any,
    validation: Any,
    *,
    most_entries: int = 15_000_000,
    tolerance: float = 1e-3,
    seed: int = 0,
) -> TrainingFreeModel:
    """Solve the gradient flow of an infinitely wide network, and stop it where validation documents say.

    Flow times are multiples (``HORIZONS``) of ``1 / median Θ(x, x)``, as far as ``t λ_max`` stays below
    ``LARGEST_STIFFNESS``.

    Parameters
    ----------
    architecture : Architecture
        Anything with a ``feature_map``.
    train, validation : Corpus, or pairs (documents, labels)
        With the same classes and token ids.
    most_entries : int
        Size of the feature matrix that is allowed. A random draw of the training documents is used where
        all of them would exceed it.
    tolerance, seed
        Of :func:`~ntklib.dynamics.gradient_flow`, and of the draw.

    Returns
    -------
    TrainingFreeModel

    Raises
    ------
    TypeError, ValueError
        As :func:`~ntklib.dynamics.gradient_flow`.

    Notes
    -----
    Linear in the tokens for a given stiffness. Source: derivation.

    Examples
    --------
    >>> import ntklib
    >>> train, test = ntklib.load_corpus("planted:polarity", seed=0).split(0.8)
    >>> model = training_free_model(ntklib.MLP(), train, test)
    >>> bool((model.predict(test) == test.labels).mean() > 0.8)
    True
    """
    documents, labels, number = training_set(train)
    _, _, classes = labelled_documents(train)
    checked_integer(most_entries, "most_entries")
    used = _fitting(architecture, documents, most_entries, seed)
    kernel = FeatureKernel(architecture.feature_map(documents[used]))
    refuse_zero(kernel)
    own = kernel.matrix.multiply(kernel.matrix) @ kernel.weights
    largest = kernel.largest_eigenvalue()
    times = np.array(HORIZONS) / float(np.median(own))
    allowed = times * largest <= LARGEST_STIFFNESS
    times = times[allowed] if allowed.any() else np.array([LARGEST_STIFFNESS / largest])
    probe = {"first": [int(documents.ids[0])]}
    flow = flow_of_kernel(
        architecture, kernel, labels[used], number, times, probe, None, tolerance, largest=largest
    )
    held_out, held_labels, _ = labelled_documents(validation)
    rows = []
    for time in times:
        scores = flow.predict(held_out, time)
        # Two classes have one logit: their scores are 0 and that logit.
        logits = np.stack([np.zeros(len(scores)), scores], axis=1) if scores.ndim == 1 else scores
        loss = float(-log_softmax(logits, axis=1)[np.arange(len(logits)), held_labels].mean())
        rows.append((loss, float(np.mean(logits.argmax(axis=1) == held_labels))))
    table = pd.DataFrame(rows, index=pd.Index(times, name="time"), columns=["loss", "accuracy"])
    best = int(np.argmin(np.round(table["loss"], 9)))
    return TrainingFreeModel(flow, float(times[best]), table, classes, used)


def _by_class(scores: np.ndarray) -> np.ndarray:
    return np.stack([-scores, scores], axis=1) if scores.ndim == 1 else scores


def _fitting(architecture: Any, documents: Documents, most_entries: int, seed: int) -> np.ndarray:
    """Positions of as many documents as ``most_entries`` allow, judged by a sample of them."""
    order = np.random.default_rng(checked_integer(seed, "seed", 0)).permutation(len(documents))
    sample = np.sort(order[:_SAMPLE])
    entries = architecture.feature_map(documents[sample]).matrix.nnz / len(sample)
    if getattr(architecture, "context", 1) is None:  # a recurrent model also visits each pair of positions
        entries = max(entries, float((documents.lengths[sample] ** 2).mean()) / 2)
    fitting = max(int(most_entries / entries), min(len(documents), _SAMPLE))
    return np.sort(order[:fitting])
