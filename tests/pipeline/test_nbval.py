"""``pytest --nbval`` with this project's settings: strict about results, silent about addresses, times and paths."""

import re
import subprocess
import sys

import pytest

from pipeline import execute
from pipeline.chapters import ROOT


def nbval(path):
    """Return the exit code and the output of nbval over one notebook, with the settings of pyproject.toml."""
    command = [sys.executable, "-m", "pytest", "--nbval", "-p", "no:cacheprovider", f"--rootdir={ROOT}"]
    run = subprocess.run(
        [*command, "-c", "pyproject.toml", str(path)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return run.returncode, run.stdout


@pytest.fixture
def notebook(book):
    assert execute.main(["first"], book) == 0
    return book / "book" / "first.ipynb"


def test_executed_chapter_passes(notebook):
    code, output = nbval(notebook)
    assert code == 0, output
    assert "3 passed" in output


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("root 1.4142135623730951", "root 1.4142135623730952"),
        ("again 2", "again 3"),
        ("a note", "another note"),
    ],
)
def test_one_changed_digit_or_word_fails(notebook, old, new):
    text = notebook.read_text()
    assert text.count(old) == 1
    notebook.write_text(text.replace(old, new))
    code, output = nbval(notebook)
    assert code == 1, output
    assert "1 failed, 2 passed" in output


def sanitized(text):
    """Return a text as nbval's sanitiser leaves it."""
    settings = (ROOT / "pipeline" / "nbval_sanitize.cfg").read_text()
    pairs = re.findall(r"^regex: (.*)\nreplace: (.*)$", settings, flags=re.MULTILINE)
    assert len(pairs) == settings.count("regex: ") == 3
    for pattern, replacement in pairs:
        text = re.sub(pattern, replacement, text)
    return text


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("<function f at 0x7f3ab4c0d1e0>", "<function f at 0x7f00b4c0ffff>"),
        ("done 2026-01-02 03:04:05.678", "done 2026-11-12 13:14:15"),
        ("/tmp/ipykernel_1/22.py:3", "/tmp/ipykernel_977/33.py:3"),
        ("/root/.cache/ntklib/x.tar.gz", "/home/someone/.cache/ntklib/x.tar.gz"),
    ],
)
def test_sanitiser_hides_addresses_times_and_paths(one, two):
    assert sanitized(one) == sanitized(two)


@pytest.mark.parametrize(
    "text",
    ["1.0000001", "-3e-12", "10,043 of 18,021", "0x1F", "[0.1, 0.25]", "width 1024/4096", "2026", "a/b 1/2", "0.30 at 0.1"],
)
def test_sanitiser_leaves_every_digit_of_a_result(text):
    assert sanitized(text) == text
