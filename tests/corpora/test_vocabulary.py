import numpy as np
import pytest

from ntklib.corpora import Vocabulary

DOCUMENTS = [["film", "a", "film"], ["b", "film", "a", "z"]]


def test_ids_are_in_order_of_frequency_then_of_the_alphabet():
    assert Vocabulary.of(DOCUMENTS).tokens == ("film", "a", "b", "z")


def test_the_order_of_documents_does_not_matter():
    assert Vocabulary.of(DOCUMENTS) == Vocabulary.of(DOCUMENTS[::-1])


def test_rare_tokens_share_the_last_id_and_leave_the_other_ids_alone():
    vocabulary = Vocabulary.of(DOCUMENTS, minimum_count=2)
    assert vocabulary.tokens == ("film", "a", "<unk>")
    assert vocabulary.encode(["b", "film", "never seen"]).tolist() == [2, 0, 2]


def test_without_rare_tokens_there_is_no_unknown_one():
    assert "<unk>" not in Vocabulary.of([["a", "a"]], minimum_count=2)


def test_an_unknown_token_of_the_text_itself_is_the_unknown_token():
    assert Vocabulary.of([["<unk>", "<unk>", "a"]]).tokens == ("a", "<unk>")


def test_decoding_undoes_encoding():
    vocabulary = Vocabulary.of(DOCUMENTS)
    ids = vocabulary.encode(["z", "film"])
    assert ids.dtype == np.int64
    assert vocabulary.decode(ids) == ["z", "film"]
    assert [vocabulary[token] for token in vocabulary] == [0, 1, 2, 3]
    assert vocabulary[np.int64(3)] == "z"
    assert vocabulary[:2] == ("film", "a")


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda v: v.encode(["film", "flim"]),
            ValueError,
            "'flim' is not among the 4 tokens.*did you mean 'film'",
        ),
        (
            lambda v: v["Q"],
            ValueError,
            "'Q' is not among the 4 tokens of this vocabulary: tokens are lower-case",
        ),
        (lambda v: v.encode("film"), TypeError, "not the string 'film': pass ntklib.corpora.tokenize"),
        (lambda v: v.decode([4]), ValueError, "id 4 is not in the vocabulary: ids are 0 to 3"),
        (lambda v: v[-1], ValueError, "id -1"),
        (lambda v: Vocabulary(["a", "b", "a"]), ValueError, r"tokens\[2\] is 'a' again"),
        (lambda v: Vocabulary.of(DOCUMENTS, minimum_count=0), ValueError, "minimum_count is 0"),
    ],
)
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call(Vocabulary.of(DOCUMENTS))
