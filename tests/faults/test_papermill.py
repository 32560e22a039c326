"""Executions of a chapter by papermill: killed at any moment, and two of the whole book at once."""

import random
import signal
import subprocess
import sys
import time

import pytest

from pipeline.chapters import ROOT
from tests.faults.conftest import files
from tests.properties.cases import DEEP

KILLS = 20 if DEEP else 2
TOC = "format: jb-book\nroot: book/chapter.ipynb\n"
CHAPTER = """\
---
kernelspec:
  display_name: Python 3
  language: python
  name: python3
---

# A chapter

```{code-cell} ipython3
:tags: [parameters]

number = 2
```

```{code-cell} ipython3
from pathlib import Path

import numpy as np

Path("../begun").touch()
print(np.random.default_rng(number).standard_normal(3))
```

```{code-cell} ipython3
{"root": number**0.5}
```
"""
BEGIN = (
    "import sys; from pathlib import Path; from pipeline import build, execute; root = Path(sys.argv[1])\n"
)
EXECUTE = BEGIN + "sys.exit(execute.main([], root))"
MAKE = BEGIN + "sys.exit(execute.main([], root) or build.main(root))"


def book(root):
    (root / "book").mkdir(parents=True)
    (root / "ntklib").mkdir()
    (root / "_toc.yml").write_text(TOC)
    (root / "_config.yml").write_text(
        "title: A book\nexecute:\n  execute_notebooks: 'off'\nonly_build_toc_files: true\n"
    )
    (root / "book" / "chapter.md").write_text(CHAPTER)
    return root


def start(root, code=EXECUTE):
    return subprocess.Popen(
        [sys.executable, "-c", code, str(root)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Return a book that was executed undisturbed, and its seconds: in all, and after the first cell."""
    root = book(tmp_path_factory.mktemp("whole"))
    began = time.time()
    execution = start(root)
    execution.communicate()
    ended = time.time()
    assert execution.returncode == 0
    return root, ended - began, ended - (root / "begun").stat().st_mtime


def test_a_killed_execution_is_completed_by_the_next_with_the_same_bytes(whole, tmp_path, record_property):
    """One kill in four at any moment, also of the imports; the others after a cell was executed."""
    undisturbed, seconds, seconds_after_begin = whole
    expected = files(undisturbed / "book")
    draws, kills, kills_after_begin = random.Random("papermill"), 0, 0
    while kills < KILLS:
        root = book(tmp_path / str(draws.random()))
        execution = start(root)
        if kills % 4 == 0:
            time.sleep(draws.random() * seconds)
        else:
            while not (root / "begun").exists():
                assert execution.poll() is None, "it ended before a cell was executed"
                time.sleep(0.005)
            time.sleep(draws.random() * seconds_after_begin)
        begun = (root / "begun").exists()
        execution.kill()
        execution.communicate()
        # What is there is the whole notebook or none; one that ended before it was killed does not count.
        assert files(root / "book").items() <= expected.items()
        if execution.returncode == -signal.SIGKILL:
            kills += 1
            kills_after_begin += begun
        again = start(root)
        again.communicate()
        assert again.returncode == 0
        assert files(root / "book") == expected
    assert kills_after_begin >= KILLS / 2
    record_property("kills", kills)
    record_property("kills after the first cell", kills_after_begin)


def test_two_books_made_at_once_are_both_right(tmp_path):
    """As `make book` does: execute what is due, then build the pages. One waits for the other."""
    alone, together = book(tmp_path / "alone" / "book"), book(tmp_path / "together" / "book")
    start(alone, MAKE).communicate()
    pair = [start(together, MAKE) for _ in range(2)]
    outputs = [making.communicate()[0] for making in pair]
    assert [making.returncode for making in pair] == [0, 0]
    assert sorted("chapter: executed" in output for output in outputs) == [False, True]
    assert all("The book: open _build/html/index.html" in output for output in outputs)
    assert files(together / "book") == files(alone / "book")
    pages = "_build/html/book"
    assert "chapter.html" in files(together / pages)
    assert files(together / pages) == files(alone / pages)
    assert not (together / "_build" / "next").exists()
