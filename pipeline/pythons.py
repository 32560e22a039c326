"""Execute chapters on the other Pythons of this machine: their outputs must equal the committed ones.

Each Python gets the locked versions in an environment of its own, under ``_build/pythons``.
"""

import os
import subprocess
import sys
from pathlib import Path

from pipeline import environment
from pipeline.chapters import ROOT

NONE_FOUND = 3


def candidates(folders: list[Path]) -> list[Path]:
    """Return every file in the folders that is named like a Python 3."""
    found = [
        file
        for folder in folders
        for file in sorted(folder.glob("python3.[0-9]*"))
        if os.access(file, os.X_OK)
    ]
    return [file for file in found if file.suffix[1:].isdigit()]


def folders() -> list[Path]:
    """Return where Pythons are looked for: the PATH, and what pyenv has built."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    on_path = [Path(part) for part in os.environ.get("PATH", "").split(os.pathsep) if part]
    return on_path + sorted((pyenv / "versions").glob("*/bin"))


def version(python: Path) -> tuple[int, ...]:
    """Return the version of a Python with venv and ssl; nothing where it doesn't start, as pyenv's stubs."""
    command = [str(python), "-c", "import ensurepip, ssl, sys, venv; print(*sys.version_info[:3])"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    except (OSError, subprocess.SubprocessError):
        return ()
    return tuple(int(part) for part in answer.stdout.split())


def others(pythons: list[Path]) -> dict[str, Path]:
    """Return the newest usable Python of each minor version but the running one's, such as ``3.12``."""
    newest: dict[tuple[int, ...], tuple[tuple[int, ...], Path]] = {}
    for python in pythons:
        found = version(python)
        if found >= environment.MINIMUM and found[:2] != sys.version_info[:2]:
            newest[found[:2]] = max(newest.get(found[:2], ((), python)), (found, python))
    return {".".join(map(str, minor)): python for minor, (_, python) in sorted(newest.items())}


def main(names: list[str]) -> int:
    """Execute the named chapters on each other Python; return the exit code."""
    pythons = others(candidates(folders()))
    if not pythons:
        oldest, running = (
            ".".join(map(str, numbers[:3])) for numbers in (environment.MINIMUM, sys.version_info)
        )
        print(f"make pythons: nothing was compared. This is Python {running}; neither the PATH nor pyenv has")
        print(f"  another minor version of {oldest} or later. Install one, such as python3.12.")
        return NONE_FOUND
    failed = []
    for minor, python in pythons.items():
        folder = ROOT / "_build" / "pythons" / minor
        print(f"Python {'.'.join(map(str, version(python)))}:", flush=True)
        try:
            subprocess.run([str(python), "pipeline/environment.py", str(folder)], cwd=ROOT, check=True)
            again = [str(folder / "bin" / "python"), "-m", "pipeline.reproducible", "--once", *names]
            subprocess.run(again, cwd=ROOT, check=True)
        except subprocess.CalledProcessError:
            failed.append(minor)
    print(f"make pythons: {', '.join(names)} on Python {', '.join(pythons)}: ", end="")
    print(f"FAILED on {', '.join(failed)}" if failed else "the outputs equal the committed ones.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
