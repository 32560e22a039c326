"""Figures of long runs: written, read back, set beside the book's own."""

import json
from dataclasses import replace

import pytest

from ntklib.claims import beside_full_runs, read_claims, read_full_runs, record_claim
from ntklib.claims.full_runs import full_run_of, write_full_run


def notebook_of(folder, measured: float, name: str = "chapter"):
    claim = record_claim(
        id="one",
        statement="It is large.",
        source="derivation",
        expected=("above", 0.9),
        measured=measured,
        interval=(measured - 0.01, measured + 0.01),
    )
    output = {"output_type": "execute_result", "data": {"text/html": claim._repr_html_()}}
    cell = {"cell_type": "code", "source": "record_claim()", "execution_count": 1, "outputs": [output]}
    file = folder / f"{name}.ipynb"
    file.write_text(json.dumps({"cells": [cell]}))
    return file


def test_a_run_is_read_back_as_it_was_written(tmp_path):
    run = full_run_of(notebook_of(tmp_path, 0.97), "SST-2", {"profile": "paper"}, "Python 3; seed 0")
    write_full_run(run, tmp_path / "chapter--sst-2.json")
    (again,) = read_full_runs(tmp_path)
    assert again == run
    assert again.claims[0].expected == ("above", 0.9)


def test_runs_stand_beside_the_books_own_figures(tmp_path):
    runs = [
        full_run_of(notebook_of(tmp_path, measured), label, {}, "origin")
        for measured, label in ((0.97, "long"), (0.5, "SST-2"))
    ]
    notebook_of(tmp_path, 0.95)
    table = beside_full_runs(read_claims(tmp_path), runs)
    assert table.columns.tolist() == ["this book", "long", "SST-2"]
    assert table.loc["one"].tolist() == [
        "0.950 [0.940, 0.960]: supported",
        "0.970 [0.960, 0.980]: supported",
        "0.500 [0.490, 0.510]: not supported",
    ]


def test_a_figure_that_a_run_did_not_change_is_not_repeated(tmp_path):
    run = full_run_of(notebook_of(tmp_path, 0.95), "SST-2", {}, "origin")
    (other,) = (replace(claim, expected=("above", 0.5)) for claim in run.claims)
    stricter = replace(run, label="other rule", claims=(replace(other, measured=0.6, interval=(0.5, 0.7)),))
    table = beside_full_runs(read_claims(tmp_path), [run, stricter])
    assert table.loc["one", "SST-2"] == "the same figure"
    assert table.loc["one", "other rule"].endswith("(expected above 0.5)")


def test_a_chapter_without_claims_is_refused(tmp_path):
    file = tmp_path / "empty.ipynb"
    file.write_text(json.dumps({"cells": []}))
    with pytest.raises(ValueError, match=r"empty.ipynb records no claim"):
        full_run_of(file, "x", {}, "")


@pytest.mark.parametrize("content", ["", "{}", '{"chapter": "a"}', "[1]"])
def test_a_damaged_file_is_named(tmp_path, content):
    (tmp_path / "mlp--sst.json").write_text(content)
    with pytest.raises(ValueError, match=r"mlp--sst.json does not hold a full run .*make full"):
        read_full_runs(tmp_path)
