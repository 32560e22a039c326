import csv
import io
import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
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
    for command, example in (
        ("corpora", "corpora movie-reviews"),
        ("fetch", "python -m ntklib fetch"),
        ("predict", "predict movie-reviews --architecture cnn --activation gelu"),
        ("attribute", "attribute movie-reviews moving"),
        ("spectrum", "spectrum -a cnn --activation gelu"),
    ):
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


@pytest.mark.parametrize("command", [None, "corpora", "fetch", "predict", "attribute", "spectrum"])
def test_help_imports_neither_torch_nor_anything_else_that_computes(command):
    arguments = [command, "--help"] if command else ["--help"]
    code = (
        "import sys\n"
        "from ntklib.__main__ import app\n"
        f"try: app({arguments!r})\n"
        "except SystemExit as end: assert end.code == 0\n"
        "brought = {'torch', 'sklearn', 'pandas', 'sympy', 'matplotlib'} & set(sys.modules)\n"
        "assert not brought, brought"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert "Usage" in result.stdout


def rows_of(result):
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)["rows"]


PLANTED = ("planted:polarity", "--limit", "200")


def test_predict_finds_the_planted_tokens_and_their_scores():
    rows = rows_of(run("predict", *PLANTED, "--top", "5", "--format", "json"))
    assert [row["class"] for row in rows] == ["negative"] * 5 + ["positive"] * 5
    assert all(row["token"].startswith(row["class"]) for row in rows)
    corpus = ntklib.load_corpus("planted:polarity", limit=200)
    time = json.loads(run("predict", *PLANTED, "-f", "json").stdout)["time"]
    scores = ntklib.gradient_flow(ntklib.MLP(), corpus, [time]).scores.iloc[0]
    for row in rows:
        assert row["score"] == pytest.approx(scores[row["token"]], rel=1e-10)
        assert row["count"] == (corpus.tokens.ids == corpus.vocabulary[row["token"]]).sum()
    assert rows[5]["score"] == pytest.approx(scores.max(), rel=1e-10)


def test_predict_scores_given_ngrams_with_the_model_that_is_asked_for():
    options = ("-a", "cnn", "--activation", "tanh", "--window", "2", "--sigma", "0.5", "--sigma", "e=0.3")
    corpus = ntklib.load_corpus("planted:negation", limit=100)
    probe = " ".join(corpus.vocabulary.decode(corpus.tokens[0][:2]))
    result = run(
        "predict",
        "planted:negation",
        "--limit",
        "100",
        "--probe",
        probe,
        "--time",
        "0.25",
        *options,
        "-f",
        "json",
    )
    (row,) = rows_of(result)
    model = ntklib.CNN(window=2, activation="tanh", sigma_e=0.3, sigma_w=0.5, sigma_v=0.5)
    flow = ntklib.gradient_flow(model, corpus, [0.25], {probe: corpus.tokens[0][:2].tolist()})
    assert row["probe"] == probe
    assert row["score"] == pytest.approx(flow.scores.iloc[0, 0], rel=1e-10)


def test_several_classes_each_have_their_tokens(tmp_path):
    path = tmp_path / "three.csv"
    path.write_text("text,label\ngoal match,sport\nvote law,politics\nfilm star,art\n")
    rows = rows_of(run("predict", f"csv:{path}", "--top", "2", "-f", "json"))
    assert {row["class"]: {r["token"] for r in rows if r["class"] == row["class"]} for row in rows} == {
        "art": {"film", "star"},
        "politics": {"vote", "law"},
        "sport": {"goal", "match"},
    }
    scored = rows_of(run("predict", f"csv:{path}", "--probe", "film", "-f", "json"))
    assert max(scored, key=lambda row: row["score"])["class"] == "art"


@pytest.mark.parametrize("by", ["document", "ngram", "group"])
@pytest.mark.parametrize("label", ["negative", "positive"])
def test_attributions_add_up_to_the_score(by, label):
    probe = "positive01 neutral002"
    result = run(
        "attribute", *PLANTED, probe, "-a", "cnn", "--by", by, "--class", label, "--top", "3", "-f", "json"
    )
    rows = rows_of(result)
    whole = json.loads(result.stdout)["score"]
    assert sum(row["score"] for row in rows) == pytest.approx(whole, rel=1e-10)
    assert len(rows) == {"document": 4, "ngram": 4, "group": 3}[by]
    (scored,) = rows_of(run("predict", *PLANTED, "-a", "cnn", "--probe", probe, "-f", "json"))
    assert whole == pytest.approx(scored["score"] * (1 if label == "positive" else -1), rel=1e-10)


def test_the_spectrum_is_that_of_the_model_and_of_the_documents():
    rows = rows_of(run("spectrum", *PLANTED, "-a", "cnn", "--order", "2", "-f", "json"))
    assert [row["share"] for row in rows] == pytest.approx(ntklib.CNN().spectrum(2).tolist(), rel=1e-10)
    assert sum(row["corpus"] for row in rows) == pytest.approx(1, rel=1e-10)
    for row in rows:
        assert row["output"] + row["hidden"] + row["embedding"] == pytest.approx(row["share"], rel=1e-10)
    kernel = np.trace(ntklib.CNN().kernel(ntklib.load_corpus("planted:polarity", limit=200).tokens))
    bias = ntklib.CNN().pattern_weights().iloc[0].sum() * 200 * 14**2  # 12 tokens have 14 windows
    assert rows[0]["corpus"] == pytest.approx(bias / kernel, rel=1e-10)
    assert "corpus" not in rows_of(run("spectrum", "-f", "json"))[0]


def test_a_table_is_the_default_and_notes_stay_out_of_the_output():
    result = run("predict", *PLANTED, "--top", "1")
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["class", "token", "count", "score"]
    assert len(lines) == 4
    assert "flow time" in result.stderr


def test_csv_goes_to_a_file_whose_texts_are_no_formulas(tmp_path):
    source, target = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text("text,label\n=good,1\n@bad,0\n")
    result = run("predict", f"csv:{source}", "--output", str(target))
    assert (result.exit_code, result.stdout) == (0, "")
    assert "written to" in result.stderr
    rows = list(csv.DictReader(io.StringIO(target.read_text())))
    assert {"'=", "'@", "good", "bad"} == {row["token"] for row in rows}
    assert {float(row["score"]) < 0 for row in rows if row["class"] == "0"} >= {True}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("predict", "planted:polarty"), "did you mean 'planted:polarity'"),
        (("predict", *PLANTED, "-a", "transformer"), "architecture must be one of mlp"),
        (("predict", *PLANTED, "--window", "2"), "mlp has no window"),
        (("predict", *PLANTED, "--activation", "sine"), "activation"),
        (("predict", *PLANTED, "--sigma", "e=big"), "--sigma must be a number"),
        (("predict", *PLANTED, "--sigma", "e=-1"), "sigma_e must be a finite number above 0"),
        (("predict", *PLANTED, "--time", "-1"), "times must be 0 or larger"),
        (("predict", *PLANTED, "--top", "0"), "--top must be 1 or more"),
        (("predict", *PLANTED, "--probe", "postive01"), "did you mean 'positive01'"),
        (("predict", *PLANTED, "--probe", " "), "at least one token"),
        (("predict", *PLANTED, "--format", "xml"), "--format must be one of"),
        (("predict", "csv:nowhere.csv"), "no file"),
        (("attribute", *PLANTED, "positive01", "--by", "word"), "--by must be"),
        (("attribute", *PLANTED, "positive01", "--class", "good"), "--class must be one of"),
        (("spectrum", "--order", "0"), "--order must be 1 or more"),
    ],
)
def test_an_error_of_a_computation_is_one_line_and_exit_code_2(arguments, message):
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("error: ")
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_file_that_can_not_be_written_is_an_error_of_one_line(tmp_path):
    (tmp_path / "file").touch()
    result = run("spectrum", "--output", str(tmp_path / "file" / "out.csv"))
    assert result.exit_code == 2
    assert result.stderr.startswith("error: ")


def test_ctrl_c_ends_with_130_and_no_traceback():
    code = (
        "import os, signal\n"
        "from ntklib import commands\n"
        "from ntklib.__main__ import app\n"
        "commands.load_corpus = lambda *_, **__: os.kill(os.getpid(), signal.SIGINT)\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "app(['predict', 'planted:polarity'])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 128 + signal.SIGINT
    assert result.stderr.strip() == "interrupted"


def test_the_module_can_be_run():
    result = subprocess.run(
        [sys.executable, "-m", "ntklib", "--help"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0
    assert "python -m ntklib" in result.stdout
