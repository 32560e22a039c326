"""Training of finite networks that records label scores, and how far the network leaves its kernel regime."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from numbers import Real
from pathlib import Path
from signal import SIGINT, default_int_handler, getsignal, signal
from threading import current_thread, main_thread
from typing import Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Int
from tqdm import tqdm

from ntklib.architectures.network import TextNetwork
from ntklib.batches import batches, documents_a_batch, epoch_generator
from ntklib.checkpoints import Records, load_checkpoint, run_fingerprint, save_checkpoint
from ntklib.dynamics import named_probes, training_set
from ntklib.empirical import documents_for, largest_eigenvalue, trained_parameters
from ntklib.logistic_flow import largest_curvature
from ntklib.recording import Recorder, Task
from ntklib.training_run import TrainingRun, assembled_run
from ntklib.validation import checked_integer, labelled_documents, one_of

MOMENTUM = 0.9

OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "sgd": torch.optim.SGD,
    "momentum": partial(torch.optim.SGD, momentum=MOMENTUM),
    "adagrad": torch.optim.Adagrad,
    "adam": torch.optim.Adam,
}
SPARSE_OPTIMIZERS = ("sgd", "adagrad")
"""Those that leave a row with no gradient as it is, so that the rows of absent tokens need not be touched."""

FLOWS = {"sgd": 1.0, "momentum": 1 / (1 - MOMENTUM)}
"""The optimisers that follow gradient flow, and the time that a step of rate 1 takes them in the long run."""

DEFAULT_LEARNING_RATES = {"adagrad": 1e-3, "adam": 1e-3}
"""The released code's Adagrad, and torch's own default for Adam. SGD has none: its bound is the kernel's."""


def train(
    network: torch.nn.Module,
    corpus: Any,
    *,
    optimizer: str = "sgd",
    learning_rate: float | None = None,
    epochs: int,
    batch_size: int | None = None,
    weight_decay: float = 0.0,
    probes: Mapping[Any, Sequence[int]] | Sequence[Sequence[int]] | None = None,
    test: Any = None,
    record: int | Sequence[int] | None = None,
    drift_documents: int = 32,
    centred: bool = False,
    seed: int = 0,
    checkpoint: str | Path | None = None,
    progress: bool = True,
) -> TrainingRun:
    """Train a network in place on the summed logistic loss and record its label scores.

    ``L = −Σ_i log p(y_i | s(x_i))``, with the logistic function for one score and the softmax for ``C``
    scores. The loss is a sum, so a full-batch step of SGD advances the time of gradient flow by ``η``, and so
    does one epoch of mini-batches (book, :eq:`gradient-flow`).

    Parameters
    ----------
    network : torch.nn.Module
        ``network(docs)`` gives (N,) scores for two classes, or (N, C). Trained from the weights it has.
    corpus : Corpus, or a pair (documents, labels)
        The training documents with labels ``0 … C − 1``.
    optimizer : {"sgd", "momentum", "adagrad", "adam"}
        With torch's defaults but for the learning rate; momentum is SGD with a momentum of 0.9.
    learning_rate : float, optional
        ``η``. Needed for SGD; 1e-3 for the adaptive ones (Adagrad: as in the released code).
    weight_decay : float
        ``ρ``: adds ``ρ θ`` to the gradient of every weight.
    epochs : int
        Passes over the corpus.
    batch_size : int, optional
        Documents a step, reshuffled each epoch. All of them by default.
    probes : mapping from name to token ids, or sequence of token-id sequences, optional
        Whose label scores to record: the network's score of that token or n-gram alone. Every token by
        default.
    test : Corpus, or a pair (documents, labels), optional
        Documents to measure the accuracy on.
    record : int or increasing sequence of int, optional
        Record every so many epochs, or at these; 0 and the last are always included. About 20 records by
        default.
    drift_documents : int
        On how many training documents, drawn by ``seed``, to measure the kernel's drift; 0 leaves it out.
    centred : bool
        Train the *change* ``s_t(x) − s_0(x)`` of the scores instead of the scores, so that the random
        initial function neither helps nor hinders: every residual starts from ``p = 1/C``, as in a flow
        from 0. Loss and accuracy are those of the change.
    seed : int
        Of the mini-batches' order, dropout and ``drift_documents``.
    checkpoint : path, optional
        Where to keep the state at each record and after Ctrl-C. The same call with a network in its initial
        state then continues, and ends with the same bits as an uninterrupted one.
    progress : bool
        Show a bar, on a terminal only.

    Returns
    -------
    TrainingRun

    Raises
    ------
    TypeError, ValueError
        If an argument is out of its range, documents or labels do not fit the network, the checkpoint belongs
        to another run, or the loss is not finite because the learning rate is too large.

    Notes
    -----
    SGD approximates gradient flow while ``η`` is well below :func:`largest_stable_learning_rate`.

    Examples
    --------
    >>> import ntklib
    >>> network = ntklib.MLP(activation="tanh").network(width=64, vocabulary_size=3, seed=0)
    >>> run = train(network, ([[0, 1], [2, 1]], [1, 0]), learning_rate=0.1, epochs=20, record=10)
    >>> run.scores.shape, run.times.tolist()
    ((3, 3), [0.0, 1.0, 2.0])
    >>> changes = run.score_changes.iloc[-1]
    >>> bool(changes[0] > 0 > changes[2])
    True
    """
    trained_parameters(network)
    task = Task(network, *training_set(corpus), name="corpus", centred=centred)
    exam = None
    if test is not None:
        documents, labels, classes = labelled_documents(test)
        exam = Task(network, documents, labels, len(classes), name="test", centred=centred)
    step_size = _checked_learning_rate(optimizer, learning_rate)
    last = checked_integer(epochs, "epochs", 1)
    size = documents_a_batch(batch_size, task.size)
    checked_integer(seed, "seed", 0)
    sample = min(checked_integer(drift_documents, "drift_documents", 0), task.size)
    schedule = _checked_schedule(record, last)
    named = named_probes(probes, task.documents, corpus)
    probe_documents = documents_for(network, list(named.values()), "probes")
    kernel_documents = task.documents[np.sort(np.random.default_rng(seed).permutation(task.size)[:sample])]

    recorder = Recorder(network, task, exam, probe_documents, kernel_documents)
    if not 0 <= weight_decay < np.inf:
        raise ValueError(f"weight_decay must be a finite number, 0 or larger, not {weight_decay!r}.")
    stepper = OPTIMIZERS[optimizer](network.parameters(), lr=step_size, weight_decay=weight_decay)
    path = None if checkpoint is None else Path(checkpoint)
    settings = {
        "optimizer": optimizer,
        "learning_rate": step_size,
        "epochs": last,
        "batch_size": size,
        "weight_decay": float(weight_decay),
        "centred": bool(centred),
        "seed": int(seed),
        "record": schedule.tolist(),
        "drift_documents": sample,
        "probes": probe_documents,
        "network": network,
        "corpus": (task.documents, task.labels),
        "test": None if exam is None else (exam.documents, exam.labels),
    }
    fingerprint = {} if path is None else run_fingerprint(settings)
    done, records = 0, Records()
    if path is not None and path.exists():
        done, records = load_checkpoint(path, fingerprint, network, stepper)

    def save() -> None:
        if path is not None:
            save_checkpoint(path, fingerprint, network, stepper, done, records)

    bar = tqdm(total=last, initial=done, unit="epoch", desc=optimizer, disable=None if progress else True)
    sparse = optimizer in SPARSE_OPTIMIZERS and bool(weight_decay == 0)  # torch refuses numpy's bool
    with bar, _sparse_gradients(network, sparse), _deferred_interrupt() as interrupted:
        if done == 0 and not records:
            records[0] = recorder.record_start()
        while done < last:
            try:
                _train_epoch(network, task, stepper, size, seed, done)
                done += 1
                if done in schedule:
                    records[done] = recorder.record()
                    save()
            except FloatingPointError as error:
                raise ValueError(_divergence(recorder, optimizer, step_size, done)) from error
            bar.update()
            if interrupted:
                save()
                raise KeyboardInterrupt(f"after epoch {done} of {last}")
    follows_flow = optimizer in FLOWS
    times = FLOWS[optimizer] * step_size * schedule if follows_flow else schedule.astype(np.float64)
    index = pd.Index(times, name="time") if follows_flow else pd.Index(schedule, name="epoch")
    return assembled_run(records, index, schedule, times, list(named), recorder, optimizer, step_size)


def largest_stable_learning_rate(network: torch.nn.Module, corpus: Any) -> float:
    """Learning rate above which full-batch SGD on the summed loss diverges from the present weights.

    ``2 / (h λ_max(Θ))`` with ``h`` the largest curvature of the loss in the scores: 1/4 for the logistic
    loss, 1/2 for softmax (book, :eq:`gradient-flow`).

    Parameters
    ----------
    network : torch.nn.Module
        At initialisation.
    corpus : Corpus, or a pair (documents, labels)
        The training documents.

    Returns
    -------
    float

    Raises
    ------
    TypeError, ValueError
        As :func:`train`.

    Notes
    -----
    The curvature is largest where predictions are undecided, so the bound is safe at initialisation. A little
    above it the loss may still fall, because saturated predictions bend less. Source: derivation.

    Examples
    --------
    >>> import ntklib
    >>> network = ntklib.MLP().network(width=64, vocabulary_size=3, seed=0)
    >>> largest_stable_learning_rate(network, ([[0, 1], [2, 1]], [1, 0])) > 0.1
    True
    """
    task = Task(network, *training_set(corpus), name="corpus")
    return 2 / (largest_curvature(task.outputs) * largest_eigenvalue(network, task.documents))


def _train_epoch(
    network: torch.nn.Module, task: Task, stepper: torch.optim.Optimizer, size: int, seed: int, epoch: int
) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(epoch_generator(seed, epoch).integers(2**62)))
        for rows in batches(task.size, size, seed, epoch):
            stepper.zero_grad(set_to_none=True)
            documents = task.documents if isinstance(rows, slice) else task.documents[rows]
            loss = task.loss(network(documents), rows)
            if not loss.isfinite():
                raise FloatingPointError(f"the loss is {loss.item()}")
            loss.backward()
            stepper.step()


def _divergence(recorder: Recorder, optimizer: str, learning_rate: float, epoch: int) -> str:
    message = f"learning_rate {learning_rate:g} is too large: loss or scores not finite after epoch {epoch}."
    if optimizer != "sgd":
        return f"{message} Try a tenth of it."
    with torch.no_grad():  # the bound holds at the initial weights, which the diverged network no longer has
        for name, parameter in recorder.network.named_parameters():
            if name in recorder.initial:
                parameter.copy_(recorder.initial[name])
    pair = (recorder.task.documents, recorder.task.labels)
    bound = largest_stable_learning_rate(recorder.network, pair)
    return (
        f"{message} Full-batch SGD is stable below {bound:.3g} "
        "(ntklib.training.largest_stable_learning_rate); network is back at its initial weights."
    )


@contextmanager
def _sparse_gradients(network: torch.nn.Module, sparse: bool) -> Iterator[None]:
    """Let a network that can do so keep gradients of the rows of its batch's tokens alone."""
    if not isinstance(network, TextNetwork):
        yield
        return
    before, network.sparse_gradients = network.sparse_gradients, sparse
    try:
        # torch warns once unless told whether to check the indices, which come from the embedding itself
        with torch.sparse.check_sparse_tensor_invariants(enable=False):
            yield
    finally:
        network.sparse_gradients = before


@contextmanager
def _deferred_interrupt() -> Iterator[list[int]]:
    """Collect Ctrl-C instead of stopping in the middle of an optimiser's step; a second one stops at once."""
    received: list[int] = []
    if current_thread() is not main_thread() or getsignal(SIGINT) is not default_int_handler:
        yield received
        return

    def remember(number: int, frame: Any) -> None:
        if received:
            raise KeyboardInterrupt
        received.append(number)

    signal(SIGINT, remember)
    try:
        yield received
    finally:
        signal(SIGINT, default_int_handler)


def _checked_learning_rate(optimizer: str, learning_rate: Any) -> float:
    one_of(optimizer, OPTIMIZERS, "optimizer")
    if learning_rate is None:
        if optimizer not in DEFAULT_LEARNING_RATES:
            raise ValueError(
                f"learning_rate is needed for {optimizer!r}: take a fraction of "
                "ntklib.training.largest_stable_learning_rate(network, corpus)."
            )
        return DEFAULT_LEARNING_RATES[optimizer]
    if not isinstance(learning_rate, Real) or not np.isfinite(float(learning_rate)) or learning_rate <= 0:
        raise ValueError(f"learning_rate must be a finite number above 0, not {learning_rate!r}.")
    return float(learning_rate)


def _checked_schedule(record: int | Sequence[int] | None, last: int) -> Int[np.ndarray, " records"]:
    if record is None:
        return np.unique(np.linspace(0, last, 21).round().astype(np.int64))
    if isinstance(record, int | np.integer):
        return np.unique([*range(0, last, checked_integer(record, "record", 1)), last]).astype(np.int64)
    wanted = np.asarray(record)
    if wanted.ndim != 1 or wanted.dtype.kind not in "iu" or ((wanted < 0) | (wanted > last)).any():
        raise ValueError(f"record must be a count of epochs, or epochs from 0 to {last}, not {record!r}.")
    return np.unique([0, *wanted, last]).astype(np.int64)
