"""A book of two small chapters in a scratch folder."""

from pathlib import Path

import pytest

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

print("first is executed:", '"execution_count": 1' in Path("first.ipynb").read_text())
```
"""


@pytest.fixture
def book(tmp_path: Path) -> Path:
    """Return the root of a fresh small book: ``first``, and ``last``, which reads it."""
    (tmp_path / "book").mkdir()
    (tmp_path / "ntklib").mkdir()
    (tmp_path / "ntklib" / "__init__.py").write_text('"""A library."""\n')
    (tmp_path / "_toc.yml").write_text(TOC)
    (tmp_path / "book" / "first.md").write_text(FRONT_MATTER.format(extra="") + FIRST)
    depends = "ntklib:\n  depends_on: all\n"
    (tmp_path / "book" / "last.md").write_text(FRONT_MATTER.format(extra=depends) + LAST)
    return tmp_path
