"""A committed notebook that was executed from another source is an error."""

import pytest

from pipeline import freshness


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("# First", "# First of all", r"book/first.ipynb, cell 0 differs from first.md"),
        ("number = 2", "number = 3", r"cell 1 differs"),
        (":tags: [parameters]", ":tags: [parameters, hide-input]", r"cell 1 differs"),
        ("plt.show()\n```\n", "plt.show()\n```\n\nThe end.\n", r"has 4 cells, first.md has 5"),
    ],
)
def test_changed_source_is_stale(executed, old, new, message):
    source = executed / "book" / "first.md"
    assert old in source.read_text()
    source.write_text(source.read_text().replace(old, new))
    (problem,) = freshness.problems(executed)
    assert message in problem
    assert "run `make chapter NAME=first`" in problem


def test_missing_and_unreadable_notebooks_are_stale(executed):
    (executed / "book" / "first.ipynb").unlink()
    (executed / "book" / "last.ipynb").write_text("{")
    assert [problem.split(":")[0] for problem in freshness.problems(executed)] == [
        "book/first.ipynb is missing or no notebook",
        "book/last.ipynb is missing or no notebook",
    ]


def test_copied_book_without_file_times_is_fresh(executed):
    assert freshness.problems(executed) == []


def test_this_book_is_fresh():
    assert freshness.problems() == []
