"""Processes to kill, and what they leave behind."""

import os
from pathlib import Path
from typing import Any

import numpy as np
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
        # Coverage's own files would count where no file may grow, or a process is killed.
        for name in [name for name in os.environ if name.startswith("COVERAGE_")]:
            patch.delenv(name)
        yield Forks()


def files(folder: Path, without: tuple[str, ...] = (".lock",)) -> dict[str, bytes]:
    """Return the content of each file of a folder that is meant to be seen."""
    return {
        path.name: path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".") and path.suffix not in without
    }


def content_of(value: Any) -> Any:
    """Return a result to the last bit, in a form that ``==`` compares: arrays as their bytes."""
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tobytes()
    if isinstance(value, dict):
        return {key: content_of(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value).__name__, [content_of(item) for item in value]
    return repr(value)


def kept(operation: str, folder: Path) -> dict[str, bytes]:
    """Return the files that must be the same bytes: a checkpoint only serves the result."""
    return files(folder) if operation == "sweep" and folder.exists() else {}
