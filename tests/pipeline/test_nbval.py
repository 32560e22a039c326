"""``pytest --nbval`` with this project's settings: strict about results, silent about addresses and paths."""

import re
import subprocess
import sys

import pytest

from pipeline.chapters import ROOT

CHANGES = {
    "digit": ("root 1.4142135623730951", "root 1.4142135623730952"),
    "number": ("again 2", "again 3"),
    "stderr": ("a note\\n", "another note\\n"),
}


def test_executed_chapter_passes_and_one_changed_digit_or_word_fails(executed):
    notebook = executed / "book" / "first.ipynb"
    text = notebook.read_text()
    for name, (old, new) in CHANGES.items():
        assert text.count(old) == 1
        notebook.with_stem(name).write_text(text.replace(old, new))
    command = [sys.executable, "-m", "pytest", "--nbval", "-p", "no:cacheprovider", "--color=no", "-rf"]
    run = subprocess.run(
        [*command, f"--rootdir={ROOT}", "-c", "pyproject.toml", str(executed / "book")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    failed = re.findall(r"^FAILED .*?(\w+)\.ipynb::Cell (\d)", run.stdout, flags=re.MULTILINE)
    assert sorted(failed) == [("digit", "1"), ("number", "1"), ("stderr", "1")], run.stdout
    # Three code cells of each copy and of the original, one of the other chapter.
    assert "3 failed, 10 passed" in run.stdout, run.stdout


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
    [
        "1.0000001",
        "-3e-12",
        "10,043 of 18,021",
        "0x1F",
        "[0.1, 0.25]",
        "width 1024/4096",
        "2026",
        "a/b 1/2",
        "0.30 at 0.1",
    ],
)
def test_sanitiser_leaves_every_digit_of_a_result(text):
    assert sanitized(text) == text
