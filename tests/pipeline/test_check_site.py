"""The check of the built pages fails on each defect, planted one at a time, and passes without."""

import io

import nbformat
import pytest
from PIL import Image, ImageDraw

from pipeline import check_site

PAGE = """<!DOCTYPE html><html><head><link rel="stylesheet" href="../_static/style.css"></head><body>
<nav><a href="last.html#end">Last</a></nav>
<article><h1 id="top">First</h1><a href="#top">up</a>
<div class="cell_input"><pre>shows "Traceback (most recent call last)"</pre></div>
<div class="cell_output"><pre>4.2</pre></div>
<img src="../_images/line.png" alt="A rising line."></article></body></html>"""
LAST = '<html><body><article><h1 id="end">Last</h1></article></body></html>'


def png(line=True):
    picture = Image.new("RGB", (20, 20), "white")
    if line:
        ImageDraw.Draw(picture).line([(0, 0), (19, 19)], fill="black")
    stream = io.BytesIO()
    picture.save(stream, "png")
    return stream.getvalue()


@pytest.fixture
def site(book):
    """Return a book with its built pages, all right."""
    for name in ("first", "last"):
        code = nbformat.v4.new_code_cell("print(4.2)", execution_count=1)
        nbformat.write(nbformat.v4.new_notebook(cells=[code]), book / "book" / f"{name}.ipynb")
    html = book / "_build" / "html"
    for folder in ("book", "_images", "_static"):
        (html / folder).mkdir(parents=True)
    (html / "book" / "first.html").write_text(PAGE)
    (html / "book" / "last.html").write_text(LAST)
    (html / "_images" / "line.png").write_bytes(png())
    (html / "_static" / "style.css").write_text("")
    assert check_site.problems(book, html) == []
    return book


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("<pre>4.2", "<pre>Traceback (most recent call last)", "a traceback"),
        ("<pre>4.2", "<pre>&lt;Figure size 640x480 with 1 Axes&gt;", "a figure's repr"),
        ("<pre>4.2", "<pre>[&lt;Axes: xlabel='x'&gt;]", "an Axes' repr"),
        ('alt="A rising line."', "", "picture without alt text"),
        ('alt="A rising line."', 'alt=""', "picture without alt text"),
        ('alt="A rising line."', 'alt="../_images/line.png"', "picture without alt text"),
        ("line.png", "lost.png", "missing file: ../_images/lost.png"),
        ("style.css", "lost.css", "missing file: ../_static/lost.css"),
        ("last.html#end", "lost.html", "missing file: lost.html"),
        ("last.html#end", "last.html#lost", "missing anchor: last.html#lost"),
        ("#top", "#lost", "missing anchor: #lost"),
        ("last.html#end", "../../../../etc/passwd", "link out of the book"),
        ("<h1", '<span class="xref myst">lost</span><h1', "unresolved: 'lost'"),
        ("<h1", '<div class="system-message">Unknown</div><h1', "unresolved: 'Unknown'"),
    ],
)
def test_defect_of_a_page_is_found(site, old, new, message):
    page = site / "_build" / "html" / "book" / "first.html"
    assert old in PAGE
    page.write_text(PAGE.replace(old, new))
    found = check_site.problems(site, site / "_build" / "html")
    assert [problem for problem in found if message in problem], found
    assert all(problem.startswith("book/first.html: ") for problem in found)


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "zero bytes"), (png(line=False), "blank"), (b"GIF89a...", "no picture that can be read")],
)
def test_empty_picture_is_found(site, content, message):
    (site / "_build" / "html" / "_images" / "line.png").write_bytes(content)
    (problem,) = check_site.problems(site, site / "_build" / "html")
    assert message in problem


def test_transparent_picture_is_blank():
    stream = io.BytesIO()
    Image.new("RGBA", (4, 4), (0, 0, 0, 0)).save(stream, "png")
    assert check_site.picture_problem(stream.getvalue()).startswith("blank")


def test_missing_page_is_found(site):
    (site / "_build" / "html" / "book" / "last.html").unlink()
    found = check_site.problems(site, site / "_build" / "html")
    assert "book/last.html: missing page of _toc.yml" in found


def replace_cell(site, **changes):
    path = site / "book" / "first.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[0].update(changes)
    nbformat.write(notebook, path)


def test_cell_that_was_not_executed_is_found(site):
    replace_cell(site, execution_count=None)
    assert check_site.problems(site, site / "_build" / "html") == ["first.ipynb, cell 0: not executed"]


def test_an_error_in_the_example_of_a_docstring_is_meant(site):
    page = next((site / "_build" / "html").rglob("first.html"))
    example = '<div class="doctest"><pre>Traceback (most recent call last)</pre></div><h1'
    page.write_text(page.read_text().replace("<h1", example, 1))
    assert check_site.problems(site, site / "_build" / "html") == []


def test_cell_that_ended_in_an_error_is_found(site):
    replace_cell(site, outputs=[nbformat.v4.new_output("error", ename="E", evalue="", traceback=[])])
    assert check_site.problems(site, site / "_build" / "html") == [
        "first.ipynb, cell 0: its output is an error"
    ]


@pytest.mark.parametrize(
    "change",
    [{"metadata": {"tags": ["nbval-ignore-output"]}}, {"source": "# NBVAL_IGNORE_OUTPUT\nprint(4.2)"}],
)
def test_ignored_cell_needs_a_reason_and_is_then_listed(site, capsys, change):
    replace_cell(site, **change)
    (problem,) = check_site.problems(site, site / "_build" / "html")
    assert problem == "first.ipynb, cell 0: nbval ignores it, and its metadata has no nbval_reason"

    replace_cell(site, metadata={**change.get("metadata", {}), "nbval_reason": "it prints a random number"})
    assert check_site.problems(site, site / "_build" / "html") == []
    check_site.report(site)
    assert "but 1.\n  first, cell 0: it prints a random number\n" in capsys.readouterr().out
