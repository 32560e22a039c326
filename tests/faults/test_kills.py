"""Killed at any point (SIGKILL, 20 times each), the next run completes, and its results are the same bytes.

The points are drawn with a seed. Where one process does the work, a point is one of its calls of functions,
all equally likely: the process kills itself there. In a download it is a byte that the server sends.
"""

import random
import signal

import pytest

from tests.faults.conftest import content_of, files, kept
from tests.faults.operations import JOBS, KILL, KILL_AT_SEED, KILL_AT_STEP
from tests.properties.cases import DEEP

KILLS = 20
SIGKILLED = -signal.SIGKILL
# Each takes seconds: two workers import everything, twice.
PARALLEL_KILLS = dict.fromkeys(("group", "worker"), 10 if DEEP else 1)
TWO_PROCESSES = {JOBS: "2", "NTKLIB_PROCESSES": "2"}  # whatever limit `make test` sets


@pytest.mark.parametrize("operation", ["sweep", "checkpoint"])
def test_killed_work_is_completed_by_the_next_run_with_the_same_bytes(
    forks, operation, tmp_path, record_property
):
    whole = tmp_path / "whole"
    code, expected, steps = forks.run(operation, whole)
    assert code == 0
    assert files(whole)
    began = 0
    for number, point in enumerate(random.Random(operation).sample(range(1, steps), KILLS)):
        folder = tmp_path / str(number)
        code, _, _ = forks.run(operation, folder, kill_at=point)
        assert code == SIGKILLED
        began += folder.exists() and bool(files(folder))
        # Every result that is there is a whole one.
        assert kept(operation, folder).items() <= kept(operation, whole).items()
        code, result, _ = forks.run(operation, folder)
        assert code == 0
        assert content_of(result) == content_of(expected)
        assert kept(operation, folder) == kept(operation, whole)
    assert began > KILLS / 4, "kills were to find something done already"
    record_property("kills", KILLS)


@pytest.mark.parametrize("operation", ["sweep", "checkpoint"])
def test_work_that_is_killed_again_and_again_ends_with_the_same_bytes(
    forks, operation, tmp_path, record_property
):
    whole, folder = tmp_path / "whole", tmp_path / "killed"
    _, expected, steps = forks.run(operation, whole)
    draws, kills = random.Random(f"{operation} again"), 0
    for _ in range(8):  # a run after a kill may have less to do than is left until its point
        code, _, _ = forks.run(operation, folder, kill_at=draws.randrange(steps // 20, steps // 3))
        kills += code == SIGKILLED
    code, result, _ = forks.run(operation, folder)
    assert code == 0
    assert content_of(result) == content_of(expected)
    assert kept(operation, folder) == kept(operation, whole)
    assert kills > 2
    record_property("kills", kills)


@pytest.mark.parametrize("victim", PARALLEL_KILLS)
def test_a_killed_sweep_in_two_processes_is_completed_by_the_next_run(
    forks, victim, tmp_path, record_property
):
    """The parent and its workers die together, or a worker alone, which ends the sweep with an error."""
    whole = tmp_path / "whole"
    steps = forks.run("sweep", tmp_path / "counted")[2]
    code, expected, _ = forks.run("parallel sweep", whole, environment={JOBS: "1"})
    assert code == 0
    assert len(files(whole)) == len(expected)
    draws, interrupted = random.Random(victim), 0
    for number in range(PARALLEL_KILLS[victim]):
        folder = tmp_path / str(number)
        # Not the first points: something is to be done already. One point takes a twelfth of the steps.
        seed, step = draws.randrange(4, len(expected)), draws.randrange(1, steps // len(expected))
        moment = {KILL: victim, KILL_AT_SEED: str(seed), KILL_AT_STEP: str(step)}
        code, error, _ = forks.run("parallel sweep", folder, environment=TWO_PROCESSES | moment)
        if victim == "group":
            assert code == SIGKILLED
        else:
            assert code == 0
            assert error.startswith("TerminatedWorkerError")
        assert files(folder)
        assert files(folder).items() <= files(whole).items()
        interrupted += files(folder) != files(whole)
        code, result, _ = forks.run("parallel sweep", folder, environment=TWO_PROCESSES)
        assert code == 0
        assert content_of(result) == content_of(expected)
        assert files(folder) == files(whole)
    assert interrupted, "a kill was to leave something to do"
    record_property("kills", PARALLEL_KILLS[victim])
