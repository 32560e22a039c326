"""What a training run leaves: label scores, accuracy, loss, and how far the kernel moved."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int

from ntklib.documents import Documents
from ntklib.recording import Recorder


@dataclass(frozen=True, eq=False)
class TrainingRun:
    """What :func:`~ntklib.training.train` recorded.

    Attributes
    ----------
    scores : DataFrame
        Label score ``s`` of each probe: one row a record (its time under SGD, its epoch otherwise), one
        column a probe; for networks with ``C`` scores, columns are (probe, class).
    epochs : (R,) int64
        When the records were taken; the first is 0, before training.
    times : (R,) float64
        ``η · epochs`` under SGD (ten times that with momentum), comparable with
        :func:`~ntklib.dynamics.gradient_flow`; the epochs otherwise, since adaptive optimisers are not
        gradient flow.
    accuracy : DataFrame
        Share of documents classified right: ``train``, and ``test`` when there is a test corpus.
    loss : Series
        Summed loss over the training documents.
    drift : DataFrame
        ``kernel``: ``‖Θ_t − Θ_0‖_F / ‖Θ_0‖_F`` on a few fixed documents; ``weights``: ``‖θ_t − θ_0‖ /
        ‖θ_0‖``.
    initial_scores : (N,) or (N, C) float64
        Scores of the training documents before training, for ``gradient_flow(..., initial_scores=...)``.
    drift_documents : Documents
        The documents on which the kernel's drift was measured.
    initial_kernels : (1, K, K) or (C, K, K) float64
        Their empirical kernel before training, one for each score.
    optimizer : str
    learning_rate : float
    """

    scores: pd.DataFrame
    epochs: Int[np.ndarray, " records"]
    times: Float[np.ndarray, " records"]
    accuracy: pd.DataFrame
    loss: pd.Series
    drift: pd.DataFrame
    initial_scores: Float[np.ndarray, "documents ..."]
    drift_documents: Documents
    initial_kernels: Float[np.ndarray, "outputs sample sample"]
    optimizer: str
    learning_rate: float

    @property
    def score_changes(self) -> pd.DataFrame:
        """``s(x, t) − s(x, 0)`` of each probe, which the theory predicts; the initial scores are random."""
        return self.scores - self.scores.iloc[0]


def assembled_run(
    records: dict[int, dict[str, torch.Tensor]],
    index: pd.Index,
    schedule: np.ndarray,
    times: np.ndarray,
    probes: list,
    recorder: Recorder,
    optimizer: str,
    learning_rate: float,
) -> TrainingRun:
    """Put the records of a schedule together, the scores under the names of their probes."""
    stacked = {key: np.stack([records[int(epoch)][key].numpy() for epoch in schedule]) for key in records[0]}
    scores = stacked["scores"]
    if scores.ndim == 2:
        columns: pd.Index = pd.Index(probes, name="probe", tupleize_cols=False)
    else:
        columns = pd.MultiIndex.from_product([probes, range(scores.shape[2])], names=["probe", "class"])
    sets = ["train"] if recorder.exam is None else ["train", "test"]
    measures = ["kernel", "weights"] if recorder.kernels else ["weights"]
    return TrainingRun(
        scores=pd.DataFrame(scores.reshape(len(schedule), -1), index=index, columns=columns),
        epochs=schedule,
        times=times,
        accuracy=pd.DataFrame(stacked["accuracy"], index=index, columns=sets),
        loss=pd.Series(stacked["loss"][:, 0], index=index, name="loss"),
        drift=pd.DataFrame(stacked["drift"], index=index, columns=measures),
        initial_scores=recorder.scores_at_start.double().numpy(),
        drift_documents=recorder.sample,
        initial_kernels=np.stack(recorder.kernels) if recorder.kernels else np.zeros((0, 0, 0)),
        optimizer=optimizer,
        learning_rate=learning_rate,
    )
