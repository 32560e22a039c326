import numpy as np
import pytest

from ntklib import load_corpus

TEXTS = "text,label\n" + "".join(f"word{i} film w{i % 3},{i % 2}\n" for i in range(50))


@pytest.fixture
def name(tmp_path):
    (tmp_path / "texts.csv").write_text(TEXTS)
    return f"csv:{tmp_path / 'texts.csv'}"


def test_the_same_call_gives_the_same_corpus(name):
    assert load_corpus(name).provenance == load_corpus(name).provenance


def test_limit_draws_a_seeded_sample_in_order(name):
    everything = load_corpus(name, keep_texts=True).texts
    samples = [load_corpus(name, limit=10, seed=seed, keep_texts=True).texts for seed in (0, 0, 1)]
    assert samples[0] == samples[1] != samples[2]
    positions = [everything.index(text) for text in samples[0]]
    assert positions == sorted(positions)
    assert load_corpus(name, limit=10, seed=1).steps == ("10 of 50 documents drawn with seed 1",)
    assert len(load_corpus(name, limit=1000)) == 50


def test_a_sample_keeps_each_text_with_its_label(name):
    corpus = load_corpus(name, limit=20, seed=3, keep_texts=True)
    numbers = [int(text.split()[0].removeprefix("word")) for text in corpus.texts]
    assert corpus.labels.tolist() == [number % 2 for number in numbers]
    words = [corpus.vocabulary.decode(document) for document in corpus.tokens]
    assert words == [text.split() for text in corpus.texts]


def test_rare_tokens_become_the_unknown_one_without_shortening_documents(name):
    corpus = load_corpus(name, minimum_count=2)
    assert corpus.vocabulary.tokens == ("film", "w0", "w1", "w2", "<unk>")
    assert np.unique(corpus.tokens.lengths).tolist() == [3]


def test_a_tokenizer_of_ones_own_is_used_and_named(name):
    corpus = load_corpus(name, tokenizer=str.split)
    assert "tokenizer str.split, minimum_count 1" in corpus.source.notes


def test_texts_are_not_kept_unless_asked_for(name):
    assert load_corpus(name).texts is None


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (
            {"tokenizer": str.upper},
            TypeError,
            "tokenizer must return a list of strings, but returned 'WORD0.*line 2",
        ),
        ({"tokenizer": lambda text: [1]}, TypeError, r"returned \[1\] for texts.csv line 2"),
        ({"tokenizer": lambda text: []}, ValueError, "none of its 50 rows holds a token"),
        ({"limit": 0}, ValueError, "limit is 0, but must be 1 or more"),
        ({"minimum_count": 0}, ValueError, "minimum_count is 0, but must be 1"),
        ({"seed": -1}, ValueError, "seed is -1, but must be 0 or larger"),
    ],
)
def test_bad_options_are_named(name, options, error, message):
    with pytest.raises(error, match=message):
        load_corpus(name, **options)


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("movie_reviews", "movie-reviews"), ("tweet", "tweets"), ("planted:xor", "planted:xor-bigrams")],
)
def test_an_unknown_name_gives_the_nearest_and_all_others(name, nearest):
    with pytest.raises(
        ValueError, match=f"no corpus '{name}'; did you mean '{nearest}'.*running-text.*csv:PATH, hf:NAME"
    ):
        load_corpus(name)


@pytest.mark.parametrize("name", ["", "csv:", "hf:", "zzz"])
def test_a_name_like_none_at_all_lists_them_all(name):
    with pytest.raises(ValueError, match=r"Known: amazon-reviews, .*csv:PATH, hf:NAME"):
        load_corpus(name)
