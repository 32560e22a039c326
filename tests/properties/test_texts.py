"""Any text, in a cell, a label, a column's name or a token, comes through whole or is refused by name."""

import csv
import json
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume
from hypothesis import strategies as st

from ntklib import MLP, load_corpus
from ntklib.corpora import Corpus, Vocabulary, tokenize
from tests.properties.cases import cases

# Everything that UTF-8 can hold: control signs, marks, emoji, unassigned code points; no lone surrogates.
any_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
spiteful = st.sampled_from(
    (
        "=cmd|'/c calc'!A1",
        "<script>alert(1)</script>",
        '"',
        "a,b\nc",
        "\r\n",
        "\x00",
        "\ufeff",
        "nan",
        "\u202e",
    )
)
cells = st.one_of(any_text, spiteful, st.tuples(any_text, spiteful).map("".join))
# Python's own strings may hold halves of a surrogate pair, which no file can.
any_string = st.text(max_size=12)


@cases(60, text=st.text(max_size=200))
def test_tokens_are_not_empty_and_hold_no_white_space(text):
    tokens = tokenize(text)
    assert all(token and not any(sign.isspace() for sign in token) for token in tokens)
    assert tokenize(text) == tokens


@cases(60, documents=st.lists(st.lists(any_string, min_size=1), min_size=1), least=st.integers(1, 3))
def test_a_vocabulary_decodes_what_it_encodes(documents, least):
    vocabulary = Vocabulary.of(documents, least)
    assert len(set(vocabulary)) == len(vocabulary)
    for document in documents:
        ids = vocabulary.encode(document)
        assert ((ids >= 0) & (ids < len(vocabulary))).all()
        for token, decoded in zip(document, vocabulary.decode(ids), strict=True):
            assert decoded in (token, "<unk>")
    if least == 1:
        assert [vocabulary.decode(vocabulary.encode(document)) for document in documents] == documents


@cases(60, rows=st.lists(st.tuples(cells, cells), min_size=1, max_size=8), names=st.tuples(cells, cells))
def test_a_table_comes_back_row_by_row_or_the_row_is_named(rows, names):
    assume(names[0] != names[1])
    assume(not names[0].startswith("\ufeff"))  # at the beginning of a file it is the mark of its encoding
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "table.csv")
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([names, *rows])
        options = {"text_column": names[0], "label_column": names[1], "keep_texts": True}
        kept = [(text, label.strip()) for text, label in rows if _given(text) and _given(label)]
        kept = [(text, label) for text, label in kept if tokenize(text)]
        if not kept:
            with pytest.raises(ValueError, match="has no document"):
                load_corpus(f"csv:{path}", **options)
            return
        corpus = load_corpus(f"csv:{path}", **options)
        assert list(zip(corpus.texts, (corpus.classes[i] for i in corpus.labels), strict=True)) == kept
        assert len(corpus.source.skipped) == len(rows) - len(kept)
        for document, (text, _) in zip(corpus.tokens, kept, strict=True):
            assert corpus.vocabulary.decode(document) == tokenize(text)
        assert json.loads(json.dumps(corpus.provenance.as_dict()))["documents"] == len(kept)
        assert str(corpus.provenance)
        assert (
            corpus.provenance.content_sha256
            == load_corpus(f"csv:{path}", **options).provenance.content_sha256
        )
        assert np.isfinite(MLP().kernel(corpus)).all()


def _given(cell):
    return cell.strip().lower() not in ("", "nan")


@cases(40, tokens=st.lists(any_string, min_size=1, unique=True), classes=st.lists(any_string, min_size=1))
def test_a_corpus_of_any_strings_has_a_checksum(tokens, classes):
    docs = [[i % len(tokens)] for i in range(len(classes))]
    corpus = Corpus.of(docs, np.arange(len(classes)), tokens, classes)
    assert len(corpus.provenance.content_sha256) == 64


@cases(
    20,
    labels=st.lists(st.sampled_from(["-nan", "+NaN", "1", "2", "10", "inf", "-inf", "x", "1e3"]), min_size=2),
)
def test_the_order_of_classes_depends_on_the_labels_alone(labels):
    orders = set()
    for some in (labels, labels[::-1]):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "table.csv")
            path.write_text("text,label\n" + "".join(f"word,{label}\n" for label in some))
            orders.add(load_corpus(f"csv:{path}").classes)
    (order,) = orders
    assert set(order) == set(labels)


@pytest.mark.parametrize(
    "text", ["word " * 100_000, "x" * 1_000_000, "好" * 100_000, "👨‍👩‍👧" * 20_000, "'s" * 100_000]
)
def test_a_very_long_text_is_cut_into_tokens(text):
    assert "".join(tokenize(text)) == "".join(text.split())
