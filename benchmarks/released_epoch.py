"""Epochs of the finite network at the released code's sizes, against its algorithm.

Rebuilt from the description: batches of 64 padded sentences, an embedding of all tokens with a dense
gradient, width 64, weights of standard deviation 0.1, Adagrad. Without dropout, on both sides.
"""

from typing import Any, NamedTuple

import numpy as np
import torch
from torch.nn.utils.rnn import pad_sequence

import ntklib
from benchmarks.measure import Comparison
from benchmarks.texts import VOCABULARY, polar_labels, ragged_documents
from ntklib import Documents

SENTENCES = 6920
WIDTH = 64
BATCH = 64
EPOCHS = 5
LEARNING_RATE = 0.01
MODEL = ntklib.MLP("relu", sigma_e=0.1, sigma_w=0.1, sigma_v=0.1)
PADDING = VOCABULARY


class Inputs(NamedTuple):
    """Labelled sentences for training, and others for the accuracy."""

    docs: Documents
    labels: np.ndarray
    test: tuple[Documents, np.ndarray]


def inputs(count: int) -> Inputs:
    """Draw sentences; a quarter as many more are held out."""
    docs = ragged_documents(count + count // 4)
    labels = polar_labels(docs)
    return Inputs(docs[:count], labels[:count], (docs[count:], labels[count:]))


def network(seed: int) -> ntklib.TextNetwork:
    """Make a network at its initial weights."""
    return MODEL.network(width=WIDTH, vocabulary_size=VOCABULARY, seed=seed, dtype=torch.float32)


def ntklib_accuracy(made: Inputs, seed: int = 0) -> float:
    """Train by ntklib and return the accuracy on held-out sentences."""
    run = ntklib.train(
        network(seed),
        (made.docs, made.labels),
        optimizer="adagrad",
        learning_rate=LEARNING_RATE,
        epochs=EPOCHS,
        batch_size=BATCH,
        probes=[[0]],
        test=made.test,
        record=[EPOCHS],
        drift_documents=0,
        seed=seed,
        progress=False,
    )
    return float(run.accuracy["test"].iloc[-1])


class PaddedPerceptron(torch.nn.Module):
    """The perceptron over padded sentences, from torch's layers."""

    def __init__(self, weights: dict[str, torch.Tensor]) -> None:
        super().__init__()
        self.embedding = torch.nn.Embedding(VOCABULARY + 1, WIDTH, padding_idx=PADDING)
        self.hidden = torch.nn.Linear(WIDTH, WIDTH, bias=False)
        self.output = torch.nn.Linear(WIDTH, 1, bias=False)
        with torch.no_grad():
            self.embedding.weight[:VOCABULARY] = weights["embedding"]
            self.hidden.weight.copy_(weights["hidden"])
            self.output.weight[0] = weights["output"]

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Scores of padded sentences."""
        hidden = torch.relu(self.hidden(self.embedding(ids) / WIDTH**0.5)) / WIDTH**0.5
        scores = self.output(hidden)[:, :, 0]
        return (scores * (ids != PADDING)).sum(dim=1)


def collate(rows: list[tuple[torch.Tensor, float]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Pad the sentences of a batch to the longest."""
    sentences, labels = zip(*rows, strict=True)
    return pad_sequence(list(sentences), batch_first=True, padding_value=PADDING), torch.tensor(labels)


def loader(docs: Documents, labels: np.ndarray, **options: Any) -> torch.utils.data.DataLoader:
    """Batches of padded sentences."""
    rows = [(torch.from_numpy(doc), float(label)) for doc, label in zip(docs, labels, strict=True)]
    return torch.utils.data.DataLoader(rows, batch_size=BATCH, collate_fn=collate, **options)


def released_accuracy(made: Inputs, seed: int = 0) -> float:
    """Train as released and return the accuracy on held-out sentences."""
    module = PaddedPerceptron(dict(network(seed).named_parameters()))
    stepper = torch.optim.Adagrad(module.parameters(), lr=LEARNING_RATE)
    order = torch.Generator().manual_seed(seed)
    batches = loader(made.docs, made.labels, shuffle=True, generator=order)
    for _ in range(EPOCHS):
        for ids, labels in batches:
            stepper.zero_grad()
            torch.nn.functional.binary_cross_entropy_with_logits(module(ids), labels).backward()
            stepper.step()
    with torch.no_grad():
        right = [((module(ids) > 0) == (labels > 0.5)) for ids, labels in loader(*made.test)]
    return float(torch.cat(right).double().mean())


def accuracies(made: Inputs, *_: np.ndarray) -> dict[str, list[float]]:
    """Accuracies of both over the same five seeds."""
    return {
        "accuracy_ntklib": [ntklib_accuracy(made, seed) for seed in range(5)],
        "accuracy_other": [released_accuracy(made, seed) for seed in range(5)],
    }


COMPARISONS = {
    "released-epoch": Comparison(
        work=f"{EPOCHS} epochs of the finite network",
        against="the released code's algorithm",
        sizes=(SENTENCES // 4, SENTENCES // 2, SENTENCES),
        prepare=inputs,
        ours=lambda made: np.array([ntklib_accuracy(made)]),
        theirs=lambda made: np.array([released_accuracy(made)]),
        targets={SENTENCES: 3.0},
        width=WIDTH,
        precision="float32",
        tolerance=None,  # of the accuracies of two trainings
        note="Adagrad, batches of 64, a test of the accuracy; the agreement is that of the two accuracies",
        details=accuracies,
    )
}
