from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from ntklib.corpora import PLANTED, load_corpus, plant


def bigrams(corpus):
    """Label sums (+1 or −1) of every bigram and its number of occurrences."""
    sums, counts = Counter(), Counter()
    for document, label in zip(corpus.tokens, corpus.labels, strict=True):
        words = corpus.vocabulary.decode(document)
        for pair in pairwise(words):
            sums[" ".join(pair)] += 2 * int(label) - 1
            counts[" ".join(pair)] += 1
    return sums, counts


def label_sums(corpus):
    """Signed co-occurrence ``Σ_i (2y_i − 1) n_u(x_i)`` of every token."""
    sums = corpus.tokens.counts(len(corpus.vocabulary)).T @ (2 * corpus.labels - 1)
    return dict(zip(corpus.vocabulary, sums.tolist(), strict=True))


@pytest.mark.parametrize("name", PLANTED)
def test_labels_are_balanced_lengths_equal_and_the_seed_decides(name):
    corpus = load_corpus(name)
    assert np.ptp(np.bincount(corpus.labels)) == 0
    assert np.ptp(corpus.tokens.lengths) == 0
    checksums = [load_corpus(name, seed=seed).provenance.content_sha256 for seed in (0, 0, 1)]
    assert checksums[0] == checksums[1] != checksums[2]


@pytest.mark.parametrize("name", PLANTED)
def test_every_planted_feature_with_a_polarity_occurs(name):
    corpus = load_corpus(name)
    _, counts = bigrams(corpus)
    missing = [ngram for ngram, sign in corpus.truth.items() if sign and " " in ngram and not counts[ngram]]
    assert missing == []


def test_polar_tokens_stand_only_in_sentences_of_their_class():
    corpus = load_corpus("planted:polarity")
    counts = dict(
        zip(corpus.vocabulary, corpus.tokens.counts(len(corpus.vocabulary)).sum(0).tolist(), strict=True)
    )
    sums = label_sums(corpus)
    polar = {token: sign for token, sign in corpus.truth.items() if sign}
    assert len(polar) == 100
    assert all(sums[token] == sign * counts[token] for token, sign in polar.items())
    assert len(corpus.truth) == 1100


def test_a_planted_bigram_has_the_polarity_opposite_to_its_tokens():
    corpus = load_corpus("planted:bigrams")
    tokens, (pairs, counts) = label_sums(corpus), bigrams(corpus)
    planted = {ngram: sign for ngram, sign in corpus.truth.items() if " " in ngram}
    assert len(planted) == 20
    for ngram, sign in planted.items():
        assert pairs[ngram] == sign * counts[ngram]
        for token in ngram.split():
            assert np.sign(tokens[token]) == -sign == corpus.truth[token]


def test_not_turns_a_polar_token_round_and_tells_nothing_by_itself():
    corpus = load_corpus("planted:negation")
    tokens, (pairs, counts) = label_sums(corpus), bigrams(corpus)
    assert tokens["not"] == 0
    negated = {ngram: sign for ngram, sign in corpus.truth.items() if ngram.startswith("not ")}
    assert len(negated) == 40
    for ngram, sign in negated.items():
        assert pairs[ngram] == sign * counts[ngram]
        assert np.sign(tokens[ngram.removeprefix("not ")]) == -sign


def test_xor_bigrams_leave_no_signal_in_any_token_on_either_side_of_a_split():
    corpus = load_corpus("planted:xor-bigrams")
    for side in (corpus, *corpus.split(0.7, seed=5)):
        assert set(label_sums(side).values()) == {0.0}
    pairs, counts = bigrams(corpus)
    planted = {ngram: sign for ngram, sign in corpus.truth.items() if sign}
    assert len(planted) == 20
    assert all(pairs[ngram] == sign * counts[ngram] for ngram, sign in planted.items())


def test_matched_neutral_tokens_are_as_frequent_as_polar_ones_and_balanced():
    corpus = load_corpus("planted:frequency-matched")
    counts = dict(
        zip(corpus.vocabulary, corpus.tokens.counts(len(corpus.vocabulary)).sum(0).tolist(), strict=True)
    )
    sums = label_sums(corpus)
    polar = [token for token, sign in corpus.truth.items() if sign]
    neutral = [token for token in corpus.truth if token.startswith("neutral")]
    assert {counts[token] for token in polar} == {counts[token] for token in neutral} == {20.0}
    assert {sums[token] for token in neutral} == {0.0}
    assert all(sums[token] == 20 * corpus.truth[token] for token in polar)


def test_limit_is_the_number_of_sentences_and_texts_can_be_kept():
    corpus = load_corpus("planted:polarity", limit=10, keep_texts=True, minimum_count=2)
    assert len(corpus) == len(corpus.texts) == 10
    assert "<unk>" in corpus.vocabulary
    assert set(corpus.truth) <= set(corpus.vocabulary)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: load_corpus("planted:xor-bigrams", limit=10), "limit is 10, but .* multiple of 4"),
        (
            lambda: load_corpus("planted:polarity", limit=2),
            "limit is 2, but planted:polarity needs at least 4",
        ),
        (lambda: plant("planted:frequency-matched", length=4), "length is 4, but .* at least 5 tokens"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
