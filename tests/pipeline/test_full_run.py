"""A full run executes a chapter with other parameters and keeps its claims, not its notebook."""

import pytest

from ntklib.claims import read_full_runs
from pipeline.full_run import main
from tests.pipeline.conftest import FRONT_MATTER

CHAPTER = """\
# First

```{code-cell} ipython3
:tags: [parameters]

profile = "quick"
corpus = "movie-reviews"
second = "none"
epochs = 1
```

```{code-cell} ipython3
import ntklib

ntklib.record_claim(
    id="one", statement="It is large.", source="derivation", expected=("above", 0.5),
    measured={"quick": 0.6, "paper": 0.1 * epochs + 0.4}[profile], unit=corpus[:4],
    condition=str(second.startswith("csv:/")),
)
```

```{code-cell} ipython3
ntklib.provenance(seeds=0)
```
"""


def test_figures_of_the_paper_profile_are_kept_without_path_and_notebook(book, capsys, tmp_path):
    (book / "book" / "first.md").write_text(FRONT_MATTER.format(extra="") + CHAPTER)
    arguments = [
        "first",
        "--label",
        "My corpus",
        "--corpus",
        "csv:somewhere",
        "--keep",
        str(tmp_path / "kept"),
        "--set",
        "second=csv:elsewhere",
        "--set",
        "epochs=3",
    ]
    assert main(arguments, book) == 0
    assert "book/full/first--my-corpus.json holds its figures" in capsys.readouterr().out
    (run,) = read_full_runs(book / "book" / "full")
    assert (run.chapter, run.label) == ("first", "My corpus")
    assert run.parameters == {
        "profile": "paper",
        "corpus": "My corpus",
        "second": "My corpus",
        "epochs": 3,
    }
    assert run.claims[0].measured == pytest.approx(0.7)
    assert run.claims[0].unit == "csv:"
    assert run.claims[0].condition == "True"  # a relative path starts where the command is given
    assert run.provenance.startswith("Python ")
    assert not (book / "book" / "first.ipynb").exists()
    assert (tmp_path / "kept" / "first.ipynb").exists()


def test_a_chapter_that_fails_leaves_no_figures_and_says_where(book, capsys):
    (book / "book" / "first.md").write_text(FRONT_MATTER.format(extra="") + CHAPTER.replace("0.4", "1 / 0"))
    assert main(["first", "--label", "x"], book) == 1
    assert "ZeroDivisionError" in capsys.readouterr().err
    assert not (book / "book" / "full").exists()


def test_an_unknown_chapter_is_refused(book, capsys):
    assert main(["fisrt", "--label", "x"], book) == 1
    assert "no chapter named fisrt; there are first, last" in capsys.readouterr().err


def test_an_unreadable_setting_is_refused(book, capsys):
    assert main(["first", "--label", "x", "--set", "epochs"], book) == 1
    assert "--set wants NAME=VALUE" in capsys.readouterr().err
