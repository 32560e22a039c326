"""Comparing two executions: equal bytes, equal outputs, and results that differ."""

import nbformat
import pytest

from pipeline.chapters import chapters
from pipeline.reproducible import compare, differences, main
from tests.pipeline.conftest import FRONT_MATTER

# The third cell names the number of threads by right, as the line of provenance does.
WITH_THREADS = """\
# First

```{{code-cell}} ipython3
:tags: [parameters]

threads = 1
```

```{{code-cell}} ipython3
{cell}
```

```{{code-cell}} ipython3
---
tags: [nbval-ignore-output]
nbval_reason: names the number of threads
---
threads
```
"""


def notebook(text, picture="AAAA", **metadata):
    outputs = [
        nbformat.v4.new_output("stream", text=text),
        nbformat.v4.new_output("display_data", data={"image/png": picture, "text/plain": "a picture"}),
    ]
    cell = nbformat.v4.new_code_cell("print(x)", outputs=outputs, execution_count=1, id="same")
    return nbformat.v4.new_notebook(cells=[cell], metadata=metadata)


def raw(**values):
    return nbformat.writes(notebook(**values)).encode()


def test_equal_bytes_and_equal_outputs_pass(capsys):
    assert compare("x", raw(text="1.5\n"), raw(text="1.5\n"))
    assert capsys.readouterr().out == "x: byte-identical\n"
    assert compare("x", raw(text="1.5\n"), raw(text="1.5\n", picture="BBBB"))
    assert capsys.readouterr().out == "x: equal printed outputs; pictures differ in cells 0\n"


def test_one_digit_is_a_difference_and_is_shown(capsys):
    assert not compare("x", raw(text="1.5\n"), raw(text="1.6\n"))
    out = capsys.readouterr().out
    assert "DIFFERENT" in out
    assert "-1.5" in out
    assert "+1.6" in out
    assert "pictures" not in out
    assert not compare("x", raw(text="1.5\n"), raw(text="1.6\n", picture="BBBB"))
    assert capsys.readouterr().out.endswith("\n  pictures differ in cells 0\n")


def test_missing_output_and_changed_source_are_differences():
    shorter = notebook("1.5\n")
    shorter.cells[0].outputs.pop()
    assert differences(notebook("1.5\n"), shorter) == (["cell 0, text/plain:\n    -a picture"], [0])
    other = notebook("1.5\n")
    other.cells[0].source = "print(y)"
    assert differences(notebook("1.5\n"), other) == (["the cells' sources differ"], [])


def write_with_threads(book, cell):
    (book / "book" / "first.md").write_text(FRONT_MATTER.format(extra="") + WITH_THREADS.format(cell=cell))


@pytest.mark.parametrize(
    "cell",
    [
        "print(0.1 * threads)",
        'print(__import__("os").environ["OMP_NUM_THREADS"])',
        "from IPython.display import HTML\n\nHTML(f'<b>{threads}</b>')",
    ],
    ids=["parameter", "environment", "table"],
)
def test_a_chapter_whose_output_depends_on_the_threads_fails(book, capsys, cell):
    write_with_threads(book, cell)
    assert main(["first"], book) == 1
    assert "first: DIFFERENT\n  cell 2, " in capsys.readouterr().out
    assert not (book / "book" / "first.ipynb").exists()


def test_a_chapter_that_only_works_with_its_threads_passes(book, capsys):
    write_with_threads(book, "print(sum([0.5] * threads) / threads)")
    assert main(["first"], book) == 0
    assert capsys.readouterr().out.endswith("\nfirst: equal printed outputs; equal pictures\n")


def test_a_picture_that_depends_on_the_threads_is_reported_and_no_failure(book, capsys):
    write_with_threads(book, "import matplotlib.pyplot as plt\n\nplt.plot([0, threads], [0, 1])\nplt.show()")
    assert main(["first"], book) == 0
    assert "first: equal printed outputs; pictures differ in cells 2\n" in capsys.readouterr().out


def test_a_chapter_without_the_parameter_is_executed_with_its_own_and_this_is_said(book, capsys):
    assert main(["first"], book) == 0
    out = capsys.readouterr().out
    assert out.startswith("first: has no parameter threads; only the environment names the threads\n")
    assert out.endswith("\nfirst: byte-identical\n")


def test_parameters_are_the_names_that_the_tagged_cell_assigns(book):
    parameters = ":tags: [parameters]\n\nsigma_e, sigma_w = 1.0, 2.0\nthreads = 1  # not jobs = 2"
    text = WITH_THREADS.format(cell="other = 3").replace(":tags: [parameters]\n\nthreads = 1", parameters)
    (book / "book" / "first.md").write_text(FRONT_MATTER.format(extra="") + text)
    assert chapters(book)[0].parameters == {"sigma_e", "sigma_w", "threads"}
    assert chapters(book)[1].parameters == set()
