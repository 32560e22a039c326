"""The provenance line."""

import subprocess
import sys
from importlib.metadata import version

import pytest

from ntklib import load_corpus, provenance


def test_the_line_says_versions_corpus_seeds_and_threads():
    corpus = load_corpus("planted:polarity", limit=10)
    line = str(provenance(corpus, seeds=[3, 0, 1, 2, 9], threads=2))
    assert line.startswith(
        f"Python {sys.version.split()[0]}, ntklib {version('ntklib')}, torch {version('torch')},"
    )
    assert f"planted:polarity (sha256 {corpus.provenance.content_sha256[:12]}…)" in line
    assert line.endswith("seeds 0–3, 9; 2 threads")
    assert "\n" not in line


def test_what_was_not_given_is_not_said():
    assert ";" not in str(provenance())
    assert str(provenance(seeds=7)).endswith("; seed 7")


def test_two_corpora_are_both_named():
    names = ("planted:polarity", "planted:negation")
    line = str(provenance([load_corpus(name, limit=10) for name in names]))
    assert all(name in line for name in names)


def test_a_path_of_this_machine_is_not_printed(tmp_path):
    folder = tmp_path / "private folder"
    folder.mkdir()
    file = folder / "re<b>views.csv"
    file.write_text("text,label\ngood,1\nbad,0\n")
    found = provenance(load_corpus(f"csv:{file}"))
    assert "csv:re<b>views.csv (sha256" in str(found)
    assert "private" not in str(found)
    assert "re&lt;b&gt;views.csv" in found._repr_html_()


def test_torch_is_named_without_being_imported():
    code = "import sys, ntklib; assert 'torch' in str(ntklib.provenance()); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_name_stays_a_function_when_its_module_is_imported():
    code = "import ntklib, ntklib.environment, ntklib.statistics; ntklib.provenance(); ntklib.cooccurrence"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (
            {"corpus": "movie-reviews"},
            TypeError,
            "corpus must be a Corpus, such as load_corpus gives, not str",
        ),
        ({"seeds": [0, -1]}, ValueError, "seeds must be integers, 0 or larger, but one is -1"),
        ({"seeds": [0.5]}, ValueError, "but one is 0.5"),
        ({"threads": 0}, ValueError, "threads must be an integer, 1 or larger, not 0"),
    ],
)
def test_bad_input_names_the_argument(arguments, error, message):
    with pytest.raises(error, match=message):
        provenance(**arguments)
