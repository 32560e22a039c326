"""What is wrong with a labelled corpus is counted, by hand here."""

import numpy as np
import pytest

from ntklib.corpora import Corpus
from ntklib.statistics import class_balance, copied_documents, rare_tokens

TRAIN = ([[0, 1], [0, 1], [2], [3, 3, 3]], [0, 1, 1, 2])
TEST = ([[2], [1, 0], [2], [4, 5]], [1, 0, 0, 2])


def test_balance_counts_documents_and_lengths_of_every_class_and_part():
    table = class_balance({"train": TRAIN, "test": TEST})
    assert table["train", "documents"].tolist() == [1, 2, 1]
    assert table["train", "share"].tolist() == [0.25, 0.5, 0.25]
    assert table["train", "median length"].tolist() == [2, 1.5, 3]
    assert table["test", "documents"].tolist() == [2, 1, 1]


def test_balance_shows_a_class_that_a_part_lacks():
    corpus = Corpus.of([[0], [1]], [0, 1], ["a", "b"], ["x", "y", "z"])
    table = class_balance({"train": corpus})
    assert table.loc["z", ("train", "documents")] == 0
    assert np.isnan(table.loc["z", ("train", "median length")])


def test_copies_are_counted_within_parts_across_them_and_with_other_labels():
    table = copied_documents({"train": TRAIN, "test": TEST})
    assert table.loc["train"].tolist() == [4, 1, 0, 3]  # [2] is of class 0 too, in the test part
    assert table.loc["test"].tolist() == [4, 1, 2, 2]


def test_order_of_tokens_makes_another_document():
    table = copied_documents({"train": ([[0, 1], [1, 0]], [0, 1])})
    assert table.loc["train"].tolist() == [2, 0, 0, 0]


def test_rare_tokens_are_shares_of_types_and_of_occurrences():
    figures = rare_tokens(TRAIN[0], TEST[0], fewest=2)
    assert figures["training tokens"] == 4
    assert figures["seen once"] == 0.25
    assert figures["rare occurrences"] == pytest.approx(1 / 8)
    assert figures["new in the test part"] == pytest.approx(2 / 6)
    assert figures["test documents of new tokens alone"] == 1


def test_parts_of_different_classes_are_refused():
    first = Corpus.of([[0], [1]], [0, 1], ["a", "b"], ["x", "y"])
    second = Corpus.of([[0], [1]], [0, 1], ["a", "b"], ["x", "z"])
    with pytest.raises(ValueError, match="part 'test' has the classes"):
        class_balance({"train": first, "test": second})
    with pytest.raises(ValueError, match="parts must map names"):
        class_balance({})
