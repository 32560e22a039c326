"""A book of two small chapters in a scratch folder."""

import importlib.util
import shutil
from pathlib import Path

import pytest

from pipeline import execute
from pipeline.chapters import ROOT

FRONT_MATTER = """\
---
kernelspec:
  display_name: Python 3
  language: python
  name: python3
{extra}---

"""
TOC = """\
format: jb-book
root: book/first.ipynb
chapters:
  - file: book/last.ipynb
"""
FIRST = """\
# First

```{code-cell} ipython3
:tags: [parameters]

number = 2
```

```{code-cell} ipython3
import sys

print("root", number**0.5)
print("a note", file=sys.stderr)
print("again", number)
```

```{code-cell} ipython3
---
mystnb:
  image:
    alt: A rising line.
---
import matplotlib.pyplot as plt

plt.plot([0, number])
plt.show()
```
"""
LAST = """\
# Last

```{code-cell} ipython3
from pathlib import Path

text = Path("first.ipynb").read_text()
print("first is executed:", '"execution_count": 1' in text)
```
"""


def write_book(root: Path) -> None:
    """Write a small book: ``first``, and ``last``, which reads it."""
    (root / "book").mkdir()
    (root / "ntklib").mkdir()
    (root / "ntklib" / "__init__.py").write_text('"""A library."""\n')
    (root / "_toc.yml").write_text(TOC)
    (root / "book" / "first.md").write_text(FRONT_MATTER.format(extra="") + FIRST)
    depends = "ntklib:\n  depends_on: all\n"
    (root / "book" / "last.md").write_text(FRONT_MATTER.format(extra=depends) + LAST)


@pytest.fixture
def book(tmp_path: Path) -> Path:
    """Return the root of a fresh small book."""
    write_book(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def executed_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the root of an executed small book, which no test may change."""
    root = tmp_path_factory.mktemp("executed")
    write_book(root)
    assert execute.main([], root) == 0
    return root


@pytest.fixture
def executed(executed_once: Path, tmp_path: Path) -> Path:
    """Return the root of an executed small book, as in a fresh clone: every file has the same age."""
    root = tmp_path / "clone"
    shutil.copytree(executed_once, root, copy_function=shutil.copyfile)
    return root


def sphinx_extension(name):
    """Load one of the book's own Sphinx extensions, which are in no package."""
    place = importlib.util.spec_from_file_location(name, ROOT / "book" / "_ext" / f"{name}.py")
    module = importlib.util.module_from_spec(place)
    place.loader.exec_module(module)
    return module
