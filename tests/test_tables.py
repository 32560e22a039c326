"""Tables, CSV and JSON of a result."""

import csv
import io
import json
from pathlib import Path

import pandas as pd
import pytest

from ntklib.tables import chosen_format, formatted, write

ROWS = pd.DataFrame({"token": ["good", "=1+1", "a,b"], "count": [3, 1, 2], "score": [0.1 + 0.2, -1.5, 2e-9]})


def test_csv_keeps_every_digit_and_quotes():
    rows = list(csv.reader(io.StringIO(formatted(ROWS, {}, "csv"))))
    assert rows[0] == ["token", "count", "score"]
    assert [float(row[2]) for row in rows[1:]] == ROWS["score"].tolist()
    assert rows[3][0] == "a,b"


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-", "@x", "\t=1", "\r=1", " -1", "-- SUM"])
def test_no_text_in_csv_begins_like_a_formula(cell):
    ((_,), (written,)) = csv.reader(
        io.StringIO(formatted(pd.DataFrame({"t": [cell]}), {}, "csv"), newline="")
    )
    assert written == "'" + cell.replace("\r", "\n")


def test_numbers_below_zero_stay_numbers_in_csv():
    assert formatted(pd.DataFrame({"n": [-1.5]}), {}, "csv") == "n\n-1.5\n"


def test_json_holds_the_rows_and_what_they_are_about():
    read = json.loads(formatted(ROWS, {"time": 0.1}, "json"))
    assert read["time"] == 0.1
    assert read["rows"][1] == {"token": "=1+1", "count": 1, "score": -1.5}


def test_a_table_shows_every_row_and_no_sign_that_steers_the_terminal():
    text = formatted(
        pd.DataFrame({"token": ["\x1b[31mred", "[bold]x[/bold]"], "score": [1.0, -0.25]}), {}, "table"
    )
    assert "\x1b" not in text
    assert "[bold]x[/bold]" in text
    assert text.splitlines()[-1].split()[-1] == "-0.25"


def test_the_file_s_ending_says_the_format_unless_it_is_asked_for():
    assert chosen_format(None, None) == chosen_format(None, Path("scores.txt")) == "table"
    assert chosen_format(None, Path("a.JSON")) == "json"
    with pytest.raises(ValueError, match="--format must be one of table, csv, json"):
        chosen_format("xml", None)


def test_a_file_is_written_whole(tmp_path):
    write("café\n", tmp_path / "new" / "file.csv")
    assert (tmp_path / "new" / "file.csv").read_text(encoding="utf-8") == "café\n"
