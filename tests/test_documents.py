"""Documents: ragged token ids, checked at the door."""

import numpy as np
import pytest

from ntklib.documents import Documents


def test_selection_keeps_each_document_whole():
    documents = Documents.of([[3, 1, 3], [2], [5, 4]])
    selected = documents[np.array([2, 0])]
    assert [list(d) for d in selected] == [[5, 4], [3, 1, 3]]
    assert [list(d) for d in documents[1:]] == [[2], [5, 4]]
    assert documents[-1].tolist() == [5, 4]


def test_counts_sum_to_lengths():
    documents = Documents.of([[3, 1, 3], [2]])
    assert np.array_equal(documents.counts(6).sum(axis=1), documents.lengths)


def test_counting_leaves_the_documents_as_they_were():
    documents = Documents.of([[3, 1, 3], [2, 2]])
    documents.counts(4)
    assert documents.ids.tolist() == [3, 1, 3, 2, 2]
    assert documents.offsets.tolist() == [0, 3, 5]


def test_documents_pass_through_unchanged():
    documents = Documents.of([[1, 2]])
    assert Documents.of(documents) is documents


@pytest.mark.parametrize(
    ("docs", "error", "message"),
    [
        ([[1], []], ValueError, r"docs\[1\] is empty"),
        ([], ValueError, "docs is empty"),
        ([[1, -2]], ValueError, r"docs\[0\] holds token id -2"),
        ([[0.5]], TypeError, r"docs\[0\] must hold integer token ids, not float64"),
        ([["a"]], TypeError, r"docs\[0\] must hold integer token ids"),
        (["a film"], TypeError, r"docs\[0\] must be a sequence of integer token ids, not str"),
        ([3, 4], TypeError, r"docs\[0\] must be a sequence of integer token ids, not int"),
        ("a film", TypeError, "docs must be a sequence of integer sequences"),
        (None, TypeError, "docs must be a sequence of integer sequences"),
    ],
)
def test_bad_documents_are_named_with_their_remedy(docs, error, message):
    with pytest.raises(error, match=message):
        Documents.of(docs)


def test_an_id_outside_the_vocabulary_is_named():
    with pytest.raises(ValueError, match=r"corpus\[1\] holds token id 7, but the vocabulary has 5 tokens"):
        Documents.of([[1], [2, 7]], name="corpus", vocabulary_size=5)
