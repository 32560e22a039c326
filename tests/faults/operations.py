"""What is killed in the tests of faults: each a small whole piece of work on a folder.

Run in a process forked from one that has imported everything, so that a run takes tens of milliseconds, and a
kill lands in the work and not in an import.
"""

import multiprocessing
import os
import resource
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from joblib.externals.loky import get_reusable_executor

from ntklib import MLP, sweep, sweeps, training
from ntklib.corpora import download

NOBODY = 65534


def simulated(size: int, seed: int) -> dict[str, Any]:
    """Stand for a point of a sweep: numbers that depend on the arguments alone."""
    rng = np.random.default_rng(seed)
    return {"kernel": rng.standard_normal((size, size)), "name": f"{size}/{seed}", "series": (1, [2.5, None])}


def run_sweep(folder: str) -> list[Any]:
    """Sweep over a dozen points, each kept in a file."""
    points = [{"size": 4 + seed % 3, "seed": seed} for seed in range(12)]
    return sweep(simulated, points, cache=folder, progress=False)


KILL_AT_SEED, KILL_AT_STEP, KILL = "KILL_AT_SEED", "KILL_AT_STEP", "KILL"
JOBS = "JOBS"


def simulated_in_a_worker(size: int, seed: int) -> dict[str, Any]:
    """Stand for a point; in the one that the environment names, let the worker die some steps later.

    The steps are counted on when this function has returned, so that the worker may also die while the result
    is written.
    """
    if str(seed) == os.environ.get(KILL_AT_SEED):
        sys.setprofile(_killed_at(int(os.environ[KILL_AT_STEP]), whole_group=os.environ[KILL] == "group"))
    return simulated(size, seed)


def run_parallel_sweep(folder: str) -> list[Any]:
    """Sweep over the same points as :func:`run_sweep` in as many processes as the environment says."""
    points = [{"size": 4 + seed % 3, "seed": seed} for seed in range(12)]
    try:
        return sweep(simulated_in_a_worker, points, cache=folder, jobs=int(os.environ[JOBS]), progress=False)
    finally:
        # At its end this process waits for its threads, and joblib's wait five minutes for more work.
        get_reusable_executor().shutdown(kill_workers=True)


# Once, before anything is forked, since it takes longer than the work: the sources of ntklib are read, and a
# first sweep, one that reads its results, and a first optimiser import what they need.
with tempfile.TemporaryDirectory() as _folder:
    for _ in range(2):
        run_sweep(_folder)
torch.optim.Adam([torch.zeros(1)])


def run_training(folder: str) -> Any:
    """Train with a checkpoint after each of four epochs."""
    network = MLP("tanh").network(width=8, vocabulary_size=6, seed=0)
    documents, labels = [[0, 1], [2, 1], [3, 4, 5], [0, 5]], [1, 0, 1, 0]
    run = training.train(
        network,
        (documents, labels),
        optimizer="adam",
        epochs=4,
        batch_size=2,
        record=1,
        checkpoint=Path(folder, "run.pt"),
        progress=False,
    )
    return run.scores.to_numpy(), [weights.detach().numpy() for weights in network.parameters()]


def fetch(folder: str) -> bytes:
    """Fetch the archive of the corpora into the folder."""
    os.environ["NTKLIB_CACHE"] = folder
    download.ARCHIVE_SHA256 = os.environ["ARCHIVE_SHA256"]
    return download.fetch_archive()


def _killed_at(step: int, whole_group: bool = False) -> Any:
    """Count the calls and returns of Python and C functions; the process kills itself at one of them.

    With ``whole_group`` all processes of its group die with it, as those of a terminal or a job of a cluster.
    """
    count = 0

    def counting(frame: Any, event: str, argument: Any) -> None:
        nonlocal count
        count += 1
        if count == step:
            if whole_group:
                os.killpg(os.getpgrp(), signal.SIGKILL)
            os.kill(os.getpid(), signal.SIGKILL)

    counting.steps = lambda: count  # type: ignore[attr-defined]
    return counting


def work(
    operation: str,
    folder: str,
    answers: Any,
    kill_at: int | None = None,
    environment: dict[str, str] | None = None,
    largest_file: int | None = None,
    nobody: bool = False,
) -> None:
    """Run one operation in this process, and send (its result, the number of its steps); or die at a step.

    With ``largest_file`` no file can grow beyond so many bytes, as on a disk that is full then. With
    ``nobody`` the process gives up the superuser's right to write everywhere. An error is sent as text.
    """
    os.environ.update(environment or {})
    if operation == "parallel sweep":
        os.setsid()  # a group of its own: a kill of the group must not reach the tests
    if largest_file is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, resource.RLIM_INFINITY))
    if nobody and os.geteuid() == 0:
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    try:
        answers.send(_result(operation, folder, kill_at))
    except Exception as error:
        answers.send((f"{type(error).__name__}: {error}", 0))


def _result(operation: str, folder: str, kill_at: int | None) -> tuple[Any, int]:
    if operation == "parallel sweep":
        return run_parallel_sweep(folder), 0  # the workers count their own steps
    counting = _killed_at(kill_at or 0)

    def counted(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            sys.setprofile(counting)
            result = function(*arguments)
            sys.setprofile(None)
            return result

        return call

    # Steps are counted where the work is written: before that, there is nothing to lose.
    training.save_checkpoint = counted(training.save_checkpoint)
    sweeps._evaluate = counted(sweeps._evaluate)
    run = {"sweep": run_sweep, "checkpoint": run_training, "fetch": counted(fetch)}[operation]
    return run(folder), counting.steps()


class Forks:
    """Runs operations in forked processes."""

    def __init__(self) -> None:
        self.context = multiprocessing.get_context("forkserver")
        self.context.set_forkserver_preload([__name__])

    def start(self, operation: str, folder: Path, **options: Any) -> tuple[Any, Any]:
        """Start an operation; return its process and the end of the pipe on which it answers."""
        answers, sender = self.context.Pipe(duplex=False)
        process = self.context.Process(target=work, args=(operation, str(folder), sender), kwargs=options)
        process.start()
        sender.close()
        return process, answers

    def run(self, operation: str, folder: Path, **options: Any) -> tuple[int, Any, int]:
        """Run an operation to its end: exit code (−9 when it was killed), result, number of steps."""
        process, answers = self.start(operation, folder, **options)
        try:
            result, steps = answers.recv()
        except EOFError:  # it died
            result, steps = None, 0
        process.join()
        return process.exitcode, result, steps
