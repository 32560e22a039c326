import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ntklib.corpora import Corpus
from ntklib.documents import Documents

WORDS = ["bad", "film", "good"]


def make(docs=((0, 1), (1, 2), (0,), (2,), (0, 1), (1,)), labels=(0, 1, 0, 1, 0, 1), **options):
    return Corpus.of(docs, labels, WORDS, ["negative", "positive"], **options)


def documents_of(corpus):
    return {document.tobytes() for document in corpus.tokens}


def test_it_is_accepted_wherever_documents_are():
    assert Documents.of(make()) is not None
    assert len(Documents.of(make())) == 6


@settings(max_examples=100, deadline=None)
@given(
    docs=st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=2), min_size=2, max_size=40).filter(
        lambda docs: len({tuple(document) for document in docs}) > 1
    ),
    fraction=st.floats(0.05, 0.95),
    seed=st.integers(0, 1000),
)
def test_a_split_divides_all_documents_and_no_equal_ones(docs, fraction, seed):
    corpus = make(docs, [0] * len(docs))
    first, second = corpus.split(fraction, seed)
    assert len(first) + len(second) == len(corpus)
    assert min(len(first), len(second)) > 0
    assert not documents_of(first) & documents_of(second)


def test_a_split_of_different_documents_has_the_fraction_asked_for():
    docs = [[a, b, c, d] for a in range(3) for b in range(3) for c in range(3) for d in range(3)]
    first, second = make(docs[:80], [0] * 80).split(0.7, seed=3)
    assert (len(first), len(second)) == (56, 24)


def test_a_split_follows_its_seed():
    sides = [make().split(0.5, seed)[0].tokens.ids.tolist() for seed in (0, 0, 1, 2, 3, 4)]
    assert sides[0] == sides[1]
    assert any(side != sides[0] for side in sides[2:])


def test_groups_are_never_divided():
    corpus = make([[0], [1], [2], [0, 0], [1, 1], [2, 2]], groups=[7, 7, 7, 8, 8, 8])
    assert sorted(len(side) for side in corpus.split(0.5)) == [3, 3]


def test_predefined_parts_are_used_unless_a_fraction_is_asked_for():
    parts = ["train", "test", "train", "validation", "train", "train"]
    corpus = make(parts=parts)
    train, test = corpus.split()
    assert (len(train), len(test), len(corpus.part("validation"))) == (4, 1, 1)
    assert sum(map(len, corpus.split(0.5))) == 6
    assert sum(map(len, corpus.halves(seed=1))) == 6


def test_validation_stands_in_for_a_missing_test_part():
    _, held_out = make(parts=["train"] * 5 + ["validation"]).split()
    assert held_out.parts.tolist() == ["validation"]


def test_the_train_part_can_be_split_again():
    train, _ = make(parts=["train"] * 5 + ["test"]).split()
    assert sum(map(len, train.split())) == 5


def test_sides_share_the_vocabulary_and_remember_how_they_were_made():
    corpus = make()
    first, second = corpus.split(0.5, seed=4)
    assert first.vocabulary is corpus.vocabulary is second.vocabulary
    assert first.provenance.steps == ("split(0.5, seed=4), first side",)


def test_selection_takes_documents_labels_texts_and_parts_together():
    corpus = replace(make(parts=["train", "test"] * 3), texts=tuple("abcdef"))
    chosen = corpus[np.array([5, 0])]
    assert (chosen.labels.tolist(), chosen.texts, chosen.parts.tolist()) == (
        [1, 0],
        ("f", "a"),
        ["test", "train"],
    )
    assert [document.tolist() for document in chosen.tokens] == [[1], [0, 1]]
    assert len(corpus[corpus.labels == 1]) == len(corpus[::2]) == 3


def test_shuffling_labels_keeps_documents_and_class_counts_and_drops_the_truth():
    corpus = replace(make(), truth={"good": 1})
    shuffled = corpus.shuffled_labels(seed=1)
    assert shuffled.tokens is corpus.tokens
    assert np.bincount(shuffled.labels).tolist() == [3, 3]
    assert shuffled.truth is None
    assert len({tuple(corpus.shuffled_labels(seed).labels) for seed in range(10)}) > 1


def test_provenance_counts_and_can_be_written_as_json():
    provenance = make().provenance
    written = json.loads(json.dumps(provenance.as_dict()))
    assert (written["documents"], written["tokens"], written["vocabulary"], written["duplicates"]) == (
        6,
        9,
        3,
        1,
    )
    assert written["classes"] == {"negative": 3, "positive": 3}
    assert "1 documents repeat an earlier one" in str(provenance)


def test_a_long_list_of_skipped_rows_is_cut_in_print_but_not_in_the_record():
    corpus = make()
    source = replace(corpus.source, skipped=tuple((f"line {i}", "no text") for i in range(30)))
    provenance = replace(corpus, source=source).provenance
    assert "line 9: no text" in str(provenance)
    assert "line 10: no text" not in str(provenance)
    assert "20 more" in str(provenance)
    assert len(provenance.as_dict()["source"]["skipped"]) == 30


@pytest.mark.parametrize(
    "other",
    [
        make(labels=(1, 1, 0, 1, 0, 1)),
        make(docs=((0,), (1, 1, 2), (0,), (2,), (0, 1), (1,))),
        Corpus.of(make().tokens, make().labels, ["bad", "film", "fine"], ["negative", "positive"]),
        Corpus.of(make().tokens, make().labels, WORDS, ["no", "yes"]),
    ],
)
def test_the_content_checksum_sees_every_change(other):
    assert make().provenance.content_sha256 == make(name="renamed").provenance.content_sha256
    assert other.provenance.content_sha256 != make().provenance.content_sha256


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: make(labels=[0, 1]), ValueError, r"labels has shape \(2,\).*each of the 6 documents"),
        (lambda: make(labels=[0, 1, 2, 0, 1, 0]), ValueError, r"labels\[2\] is 2, but there are 2 classes"),
        (lambda: make(labels=[0, 1, -1, 0, 1, 0]), ValueError, r"labels\[2\] is -1"),
        (
            lambda: make(labels=[0.5] * 6),
            TypeError,
            "labels must be a sequence of integers 0 to 1, not float64",
        ),
        (lambda: make(labels=[[0]] * 6), TypeError, r"shape \(6, 1\)"),
        (lambda: make([[0], [3]], [0, 1]), ValueError, "token id 3, but the vocabulary has 3"),
        (lambda: make([[0], []], [0, 1]), ValueError, r"docs\[1\] is empty"),
        (lambda: make(parts=["train"]), ValueError, r"parts has shape \(1,\)"),
        (lambda: make(groups=[1]), ValueError, r"groups has shape \(1,\)"),
        (lambda: make().split(1.0), ValueError, "fraction is 1.0, but must lie between 0 and 1"),
        (lambda: make().split(0.5, seed=-1), ValueError, "seed is -1"),
        (lambda: make().shuffled_labels(-2), ValueError, "seed is -2"),
        (lambda: make([[0], [0]], [0, 1]).split(), ValueError, "can't be split.*belong together"),
        (lambda: make()[[]], ValueError, "the selection from 'unnamed' is empty"),
        (lambda: make()[2], TypeError, r"use corpus.tokens\[2\]"),
        (lambda: make()[[9]], ValueError, "index 9 is out of bounds.*of its 6 documents"),
        (lambda: make()[np.array([True])], ValueError, "boolean.*of its 6 documents"),
        (
            lambda: make().part("test"),
            ValueError,
            r"no part 'test'; it has no predefined parts: use split\(\)",
        ),
        (lambda: make(parts=["train"] * 6).part("test"), ValueError, "no part 'test'; its parts are train"),
    ],
)
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
