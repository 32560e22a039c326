"""Processes to kill, and what they leave behind."""

import os
from pathlib import Path

import pytest

from pipeline.chapters import ROOT
from tests.faults.operations import Forks


@pytest.fixture(scope="session")
def forks():
    """Return what runs operations in processes of their own, forked from one that has imported everything."""
    with pytest.MonkeyPatch.context() as patch:
        # The server of forks imports the operations by name, from the folder of the repository.
        paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
        patch.setenv("PYTHONPATH", os.pathsep.join(path for path in paths if path))
        yield Forks()


def files(folder: Path, without: tuple[str, ...] = (".lock",)) -> dict[str, bytes]:
    """Return the content of each file of a folder that is meant to be seen."""
    return {
        path.name: path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".") and path.suffix not in without
    }
