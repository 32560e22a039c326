"""The ledger is read back from executed notebooks alone, and refuses what is missing or was changed."""

import json

import pytest

from ntklib.claims import read_claims, record_claim
from tests.claims.test_record import FIELDS


def executed(*claims, source="record_claim(...)", executed=True, as_lines=False):
    """A cell whose outputs hold the claims."""
    shown = [claim._repr_html_() for claim in claims]
    return {
        "cell_type": "code",
        "source": source,
        "execution_count": 1 if executed else None,
        "outputs": [
            {
                "output_type": "execute_result",
                "data": {
                    "text/plain": "...",
                    "text/html": html.splitlines(keepends=True) if as_lines else html,
                },
            }
            for html in shown
        ],
    }


def write(folder, name, *cells):
    (folder / f"{name}.ipynb").write_text(
        json.dumps({"cells": [{"cell_type": "markdown", "source": "#"}, *cells]})
    )


def claim(id, **changes):
    return record_claim(**(FIELDS | {"id": id} | changes))


def test_every_field_comes_back(tmp_path):
    original = claim(
        "full",
        statement='Θ <b>&amp;</b> "quotes" </script>',
        source="paper",
        abstract=3,
        interval=(0.93, 0.97),
        unit="R²",
        condition="if wide",
        reason="because",
    )
    write(tmp_path, "mlp", executed(original, as_lines=True))
    row = read_claims(tmp_path).loc["full"]
    assert row["chapter"] == "mlp"
    for name in (
        "statement",
        "source",
        "abstract",
        "expected",
        "measured",
        "unit",
        "verdict",
        "condition",
        "reason",
    ):
        assert row[name] == getattr(original, name)
    assert (row["low"], row["high"]) == original.interval
    assert bool(row["decisive"]) is original.decisive


def test_claims_come_in_the_order_of_the_table_of_contents(tmp_path):
    book = tmp_path / "book"
    book.mkdir()
    for name in ("alpha", "beta", "stray"):
        write(book, name, executed(claim(f"{name}-one")), executed(claim(f"{name}-two")))
    (tmp_path / "_toc.yml").write_text(
        "root: book/index\nparts:\n- chapters:\n  - file: book/beta.ipynb\n  - file: book/alpha.ipynb\n"
    )
    assert read_claims(book).index.tolist() == ["beta-one", "beta-two", "alpha-one", "alpha-two"]
    assert read_claims(book, tmp_path / "_toc.yml").equals(read_claims(book))


def test_without_a_table_of_contents_all_notebooks_are_read_alphabetically(tmp_path):
    write(tmp_path, "b", executed(claim("of-b")))
    write(tmp_path, "a", executed(claim("of-a")))
    assert read_claims(tmp_path)["chapter"].tolist() == ["a", "b"]


def test_a_claim_that_was_not_measured_has_no_numbers(tmp_path):
    write(tmp_path, "a", executed(claim("open", measured=None, reason="no data")))
    row = read_claims(tmp_path).loc["open"]
    assert row[["measured", "low", "high"]].isna().all()
    assert row["measurement"] == "not measured"


def test_a_book_without_claims_has_an_empty_ledger(tmp_path):
    write(tmp_path, "a")
    assert len(read_claims(tmp_path)) == 0
    assert "verdict" in read_claims(tmp_path).columns


def test_several_claims_of_one_cell_and_of_a_loop_are_all_read(tmp_path):
    write(
        tmp_path, "a", executed(claim("one"), claim("two"), claim("three"), source="display(record_claim(x))")
    )
    assert read_claims(tmp_path).index.tolist() == ["one", "two", "three"]


def test_an_id_may_occur_once(tmp_path):
    write(tmp_path, "a", executed(claim("same")))
    write(tmp_path, "b", executed(claim("same")))
    with pytest.raises(ValueError, match=r"b.ipynb, cell 2: claim 'same' was already recorded in a"):
        read_claims(tmp_path)


def test_a_call_whose_claim_is_not_shown_is_an_error(tmp_path):
    """Only the last expression of a cell is shown: the first claim would be lost without a word."""
    source = "record_claim(id='one')\nrecord_claim(id='two')\n# record_claim(id='three')"
    write(tmp_path, "a", executed(claim("two"), source=source))
    with pytest.raises(ValueError, match=r"a.ipynb, cell 2 calls record_claim 2 times, but shows 1 claims"):
        read_claims(tmp_path)


def test_a_chapter_that_was_not_executed_is_an_error(tmp_path):
    write(tmp_path, "a", executed(executed=False))
    with pytest.raises(ValueError, match=r"a.ipynb, cell 2 records a claim, but was not executed"):
        read_claims(tmp_path)


def test_a_missing_notebook_is_an_error_only_if_its_source_records_claims(tmp_path):
    (tmp_path / "_toc.yml").write_text("root: index\nchapters:\n- file: a.ipynb\n- file: results.ipynb\n")
    (tmp_path / "results.md").write_text("ntklib.read_claims()")
    (tmp_path / "a.md").write_text("prose")
    assert len(read_claims(tmp_path)) == 0
    (tmp_path / "a.md").write_text("ntklib.record_claim(id='x')")
    with pytest.raises(
        ValueError, match=r"a.ipynb does not exist, but a.md records claims: execute it first"
    ):
        read_claims(tmp_path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"measured": 0.95', '"measured": 0.85'),
        ('"verdict": "supported"', '"verdict": "not supported"'),
        ('"decisive": true', '"decisive": false'),
        ('"source": "measurement"', '"source": "hearsay"'),
        ('"digits": 3', '"colour": 3'),
        ('{"id"', '{"id'),
        ('"id": "one"', '"id": null'),
    ],
)
def test_a_record_that_was_changed_by_hand_is_refused_with_its_cell(tmp_path, old, new):
    cell = executed(claim("one"))
    html = cell["outputs"][0]["data"]["text/html"]
    assert html.count(old) == 1
    cell["outputs"][0]["data"]["text/html"] = html.replace(old, new)
    write(tmp_path, "a", cell)
    with pytest.raises(
        ValueError, match=r"a.ipynb, cell 2 holds a (malformed claim|claim that contradicts itself)"
    ):
        read_claims(tmp_path)


def test_what_is_no_notebook_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"holds no notebook: execute the chapters first"):
        read_claims(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"toc .* does not exist"):
        read_claims(tmp_path, tmp_path / "_toc.yml")
    (tmp_path / "a.ipynb").write_text("{")
    with pytest.raises(ValueError, match=r"a.ipynb is not a Jupyter notebook"):
        read_claims(tmp_path)


@pytest.fixture
def run_cells():
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")

    def run(*sources):
        cells = [nbformat.v4.new_code_cell(source) for source in sources]
        notebook = nbformat.v4.new_notebook(cells=cells)
        return nbformat.writes(nbclient.NotebookClient(notebook, kernel_name="python3").execute())

    return run


@pytest.mark.filterwarnings("ignore")  # the kernel's client warns about its own future
def test_a_claim_survives_a_real_kernel_and_the_notebook_s_file(tmp_path, run_cells):
    text = run_cells(f"import ntklib\nntklib.record_claim(**{FIELDS!r})")
    (tmp_path / "a.ipynb").write_text(text)
    assert read_claims(tmp_path)["verdict"].to_dict() == {"a-claim": "supported"}
