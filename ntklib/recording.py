"""What a training run is asked to learn, and the records that are taken of it."""

import numpy as np
import torch

from ntklib.documents import Documents
from ntklib.empirical import documents_for, empirical_ntk, evaluating, trained_parameters


class Task:
    """Documents and labels, checked against a network, with the loss and accuracy of scores on them."""

    def __init__(
        self,
        network: torch.nn.Module,
        documents: Documents,
        labels: np.ndarray,
        classes: int,
        name: str,
        centred: bool = False,
    ) -> None:
        self.documents = documents_for(network, documents, name)
        self.labels = labels
        self.size = len(documents)
        with torch.no_grad(), evaluating(network):
            scores = network(self.documents[[0]])
            self.subtracted = network(self.documents) if centred else None
        self.single = scores.ndim == 1
        if not self.single and scores.ndim != 2:
            raise ValueError(
                f"network must give (N,) or (N, C) scores, not {tuple(scores.shape)} for one document."
            )
        # A pair (documents, labels) may lack the last classes; a corpus says how many there are.
        self.outputs = 1 if self.single else scores.shape[1]
        expected = 2 if self.single else self.outputs
        if classes > expected:
            shape = "one score, the logit of class 1 of two classes" if self.single else f"{expected} scores"
            raise ValueError(
                f"{name} has {classes} classes, but network gives {shape}: make it with classes={classes}."
            )
        self.targets = torch.from_numpy(labels).to(scores.dtype if self.single else torch.int64)

    def loss(self, scores: torch.Tensor, rows: np.ndarray | slice = slice(None)) -> torch.Tensor:
        """Sum the loss over documents: the sum, not the mean, is what gradient flow integrates."""
        if self.subtracted is not None:
            scores = scores - self.subtracted[rows]
        if self.single:
            return torch.nn.functional.binary_cross_entropy_with_logits(
                scores, self.targets[rows], reduction="sum"
            )
        return torch.nn.functional.cross_entropy(scores, self.targets[rows], reduction="sum")

    def accuracy(self, scores: torch.Tensor) -> float:
        """Share of the documents that the scores put into their class."""
        if self.subtracted is not None:
            scores = scores - self.subtracted
        predicted = scores > 0 if self.single else scores.argmax(dim=1)
        return float((predicted.numpy() == self.labels).mean())


class Recorder:
    """Takes records of a network; holds the initial weights and kernel that drift is measured against."""

    def __init__(
        self, network: torch.nn.Module, task: Task, exam: Task | None, probes: Documents, sample: Documents
    ) -> None:
        self.network, self.task, self.exam, self.probes, self.sample = network, task, exam, probes, sample
        self.initial = {name: p.clone() for name, p in trained_parameters(network).items()}
        self._initial_square = sum(float(p.double().square().sum()) for p in self.initial.values())
        self.kernels = self._kernels()
        # One pass over all documents, which are the largest batch of all, serves the record at the start.
        with torch.no_grad(), evaluating(network):
            known = task.subtracted
            self.scores_at_start: torch.Tensor = network(task.documents) if known is None else known

    def record_start(self) -> dict[str, torch.Tensor]:
        """Record the network before training, of which all but the probes and the test is known."""
        return self._record(self.scores_at_start, [0.0] * (2 if self.kernels else 1))

    def record(self) -> dict[str, torch.Tensor]:
        """Measure the network as it is now; a FloatingPointError if it left the floating-point numbers."""
        return self._record(None, None)

    def _record(self, scores: torch.Tensor | None, drift: list[float] | None) -> dict[str, torch.Tensor]:
        sets = [self.probes]
        if scores is None:
            sets.append(self.task.documents)
        if self.exam is not None:
            sets.append(self.exam.documents)
        with torch.no_grad(), evaluating(self.network):
            probe_scores, *others = self._scores_of(sets)
            if scores is None:
                scores = others.pop(0)
            accuracies = [self.task.accuracy(scores)]
            if self.exam is not None:
                accuracies.append(self.exam.accuracy(others[0]))
            probe_scores = probe_scores.double()
            loss = float(self.task.loss(scores))
        if not np.isfinite(loss) or not probe_scores.isfinite().all():
            raise FloatingPointError(f"the loss is {loss}")
        if drift is None:
            drift = [*self._kernel_drift(), self._weight_drift()]
        values = {"accuracy": accuracies, "loss": [loss], "drift": drift}
        return {
            "scores": probe_scores,
            **{k: torch.tensor(v, dtype=torch.float64) for k, v in values.items()},
        }

    def _scores_of(self, sets: list[Documents]) -> list[torch.Tensor]:
        if not getattr(self.network, "computes_tokens_once", False):
            return [self.network(documents) for documents in sets]
        scores = self.network(Documents.joined(sets))
        return list(scores.split([len(documents) for documents in sets]))

    def _kernels(self) -> list[np.ndarray]:
        if len(self.sample) == 0:
            return []
        outputs = 1 if self.task.single else len(self.network(self.sample[[0]])[0])
        return [empirical_ntk(self.network, self.sample, output=output) for output in range(outputs)]

    def _kernel_drift(self) -> list[float]:
        if not self.kernels:
            return []
        change = np.subtract(self._kernels(), self.kernels)
        return [float(np.linalg.norm(change) / np.linalg.norm(self.kernels))]

    def _weight_drift(self) -> float:
        now = trained_parameters(self.network)
        change = sum(
            float((now[name] - initial).double().square_().sum()) for name, initial in self.initial.items()
        )
        return (change / self._initial_square) ** 0.5
