"""make pythons: which other Pythons are found, and what is said where there is none."""

import sys
from pathlib import Path

import pytest

from pipeline import pythons


def write_python(folder: Path, name: str, prints: str, code: int = 0) -> Path:
    """Write a file that answers as a Python of some version would."""
    file = folder / name
    file.write_text(f"#!/bin/sh\necho '{prints}'\nexit {code}\n")
    file.chmod(0o755)
    return file


def test_the_newest_usable_python_of_each_other_minor_version_is_taken(tmp_path):
    this = ".".join(map(str, sys.version_info[:2]))
    write_python(tmp_path, f"python{this}", " ".join(map(str, sys.version_info[:3])))
    write_python(tmp_path, "python3.8", "3 8 20")
    write_python(tmp_path, "python3.97", "pyenv: command not found", code=127)
    (tmp_path / "python3.98").write_text("not executable")
    write_python(tmp_path, "python3.99-config", "3 99 9")
    write_python(tmp_path, "python3.99", "3 99 1")
    newer = tmp_path / "newer"
    newer.mkdir()
    newest = write_python(newer, "python3.99", "3 99 10")
    assert pythons.others(pythons.candidates([tmp_path, newer])) == {"3.99": newest}


def test_the_folders_are_the_path_and_those_of_pyenv(tmp_path, monkeypatch):
    built = tmp_path / "versions" / "3.99.1" / "bin"
    built.mkdir(parents=True)
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    monkeypatch.setenv("PATH", "/first::/second")
    assert pythons.folders() == [Path("/first"), Path("/second"), built]


def test_this_python_is_usable_and_says_its_version():
    assert pythons.version(Path(sys.executable)) == tuple(sys.version_info[:3])


def test_without_another_python_nothing_is_claimed(monkeypatch, capsys):
    monkeypatch.setattr(pythons, "folders", list)
    assert pythons.main(["mlp"]) == pythons.NONE_FOUND
    out = capsys.readouterr().out
    assert "nothing was compared" in out
    assert "equal" not in out


@pytest.mark.parametrize(
    ("code", "status", "word"), [(0, 0, "equal the committed ones"), (1, 1, "FAILED on 3.99")]
)
def test_a_difference_on_another_python_fails(tmp_path, monkeypatch, capsys, code, status, word):
    """The other Python's environment and execution are played by a script that ends with their code."""
    other = write_python(tmp_path, "python3.99", "3 99 1", code=code)
    monkeypatch.setattr(pythons, "others", lambda found: {"3.99": other})
    monkeypatch.setattr(pythons, "version", lambda python: (3, 99, 1))
    monkeypatch.setattr(pythons, "ROOT", tmp_path)
    bin_folder = tmp_path / "_build" / "pythons" / "3.99" / "bin"
    bin_folder.mkdir(parents=True)
    write_python(bin_folder, "python", "", code=code)
    assert pythons.main(["mlp"]) == status
    assert word in capsys.readouterr().out
