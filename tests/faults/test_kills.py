"""Killed at any point (SIGKILL, 20 times each), the next run completes, and its results are the same bytes.

The points are drawn with a seed. Where one process does the work, a point is one of its calls of functions,
all equally likely: the process kills itself there. In a download it is a byte that the server sends.
"""

import random
import signal

import pytest

from tests.faults.conftest import content_of, files, kept

KILLS = 20
SIGKILLED = -signal.SIGKILL


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
