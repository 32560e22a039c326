"""Counts, token classes and the noise floor: known answers, brute force, and the released code's figures."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from ntklib import MLP, empirical_ntk, load_corpus
from ntklib.corpora import Corpus
from ntklib.statistics import cooccurrence, noise_floor, shuffled_label_null, token_classes

SST = Path(__file__).parents[3] / "shared" / "data" / "sst"


RATE = Corpus.of([[0]], [0], ["a"], ["rate", "b"])


def random_corpus(seed, documents=60, vocabulary=9, classes=3):
    rng = np.random.default_rng(seed)
    docs = [rng.integers(0, vocabulary, rng.integers(1, 12)).tolist() for _ in range(documents)]
    return docs, rng.integers(0, classes, documents)


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_counts_equal_a_count_by_hand(size):
    docs, labels = random_corpus(size)
    by_hand = [Counter(), Counter(), Counter()]
    for document, label in zip(docs, labels, strict=True):
        for start in range(len(document) - size + 1):
            unit = tuple(document[start : start + size])
            by_hand[label][unit if size > 1 else unit[0]] += 1
    found = cooccurrence((docs, labels), size)
    assert found.index.tolist() == sorted(set().union(*by_hand))
    for label in range(3):
        assert found[label].to_dict() == {unit: by_hand[label][unit] for unit in found.index}


def test_an_occurrence_counts_and_not_a_document():
    counts = cooccurrence(([[0, 0, 0], [0]], [1, 0]))
    assert counts.loc[0, [0, 1]].tolist() == [1, 3]
    assert counts.loc[0, "rate"] == 0.5


def test_ngrams_do_not_cross_documents():
    assert cooccurrence(([[0, 1], [2, 3]], [0, 1]), ngram=2).index.tolist() == [(0, 1), (2, 3)]


def test_rows_and_columns_bear_the_corpus_names_and_unseen_tokens_have_no_row():
    corpus = Corpus.of([[0, 1], [1, 1]], [1, 0], ["good", "film", "never"], ["negative", "positive"])
    assert cooccurrence(corpus).index.tolist() == ["good", "film"]
    assert cooccurrence(corpus).columns.tolist() == ["negative", "positive", "rate"]
    assert cooccurrence(corpus, 2).index.tolist() == [("good", "film"), ("film", "film")]


def test_large_token_ids_do_not_overflow_the_numbering_of_ngrams():
    rng = np.random.default_rng(0)
    docs = [[2**31 + int(i) for i in rng.integers(0, 50, 40)] for _ in range(5)]
    small = [[i - 2**31 for i in document] for document in docs]
    labels = [0, 1, 0, 1, 1]
    large = cooccurrence((docs, labels), 5)
    assert (large.to_numpy() == cooccurrence((small, labels), 5).to_numpy()).all()


def test_token_classes_have_strict_bounds():
    """rate > .5 and f > 5; |rate| < .1 and |difference| < 5: values on a bound are outside."""
    positive = {0: 6, 1: 5, 2: 6, 3: 20, 4: 11, 5: 44, 6: 55}
    negative = {0: 1, 1: 0, 2: 2, 3: 16, 4: 9, 5: 40, 6: 50}
    docs = [[u] * n for u, n in positive.items()] + [[u] * n for u, n in negative.items() if n]
    labels = [1] * 7 + [0] * 6
    assert token_classes((docs, labels)).to_dict() == {0: "positive", 5: "neutral"}
    flipped = token_classes((docs, [1 - y for y in labels]))
    assert flipped.to_dict() == {0: "negative", 5: "neutral"}


def test_every_planted_polar_token_is_found_and_the_false_ones_are_as_many_as_chance_gives():
    corpus = load_corpus("planted:polarity", seed=1)
    polar = token_classes(corpus).loc[lambda classes: classes != "neutral"]
    truth = {token: "positive" if sign > 0 else "negative" for token, sign in corpus.truth.items() if sign}
    assert {token: polar.get(token) for token in truth} == truth

    def chance_polar(corpus):
        classes = token_classes(corpus)
        return (classes[~classes.index.isin(list(truth))] != "neutral").sum()

    null = shuffled_label_null(corpus, chance_polar, repeats=50)
    low, high = null.interval(0.98).loc["statistic", ["low", "high"]]
    assert low <= len(polar) - len(truth) <= high


@pytest.mark.skipif(not SST.exists(), reason="SST-2 is local: the project must not hold its text")
def test_token_classes_of_sst_are_those_of_the_released_code():
    """Occurrences in the train split alone; counting documents gives 406, 259 and 1386 instead."""
    corpus = load_corpus(f"csv:{SST}", tokenizer=str.split).part("train")
    assert token_classes(corpus).value_counts().to_dict() == {
        "neutral": 1385,
        "positive": 411,
        "negative": 265,
    }


def test_noise_floor_equals_its_definition():
    docs, labels = random_corpus(5, classes=2)
    residuals = labels - 0.3
    floor = noise_floor(docs, residuals, width=7)
    velocity = [sum(r * d.count(u) for r, d in zip(residuals, docs, strict=True)) for u in range(9)]
    assert floor.velocity.to_numpy() == pytest.approx(velocity)
    assert floor.threshold == pytest.approx(np.linalg.norm(velocity) / np.sqrt(7))
    assert floor.above.tolist() == (np.abs(velocity) > floor.threshold).tolist()


def test_a_wider_network_hides_fewer_tokens():
    docs, labels = random_corpus(6, documents=200, vocabulary=150, classes=2)
    above = [noise_floor(docs, labels - 0.5, width).above.sum() for width in (4, 16, 64, 10**8)]
    assert above == sorted(above)
    assert above[0] < above[-1]


def test_the_threshold_is_the_spread_that_random_kernel_entries_of_one_over_root_m_cause():
    docs, labels = random_corpus(7, documents=200, vocabulary=400, classes=2)
    floor = noise_floor(docs, labels - 0.5, width=64)
    noise = np.random.default_rng(0).normal(0, 1 / 8, (20_000, len(floor.velocity))) @ floor.velocity
    assert noise.std() == pytest.approx(floor.threshold, rel=0.03)


@pytest.mark.parametrize(("activation", "sigma"), [("relu", 1.0), ("tanh", 1.0), ("gelu", 0.1)])
def test_off_diagonal_kernel_entries_of_the_mlp_are_half_to_four_fifths_of_the_diagonal_over_root_m(
    activation, sigma
):
    model = MLP(activation, sigma_e=sigma, sigma_w=sigma, sigma_v=sigma)
    tokens = [[u] for u in range(100)]
    equal, different = model.kernel([[0]], [[0], [1]])[0]
    kernel = empirical_ntk(model.network(width=256, vocabulary_size=100, seed=0), tokens)
    noise = kernel[np.triu_indices(100, 1)] - different
    constant = np.sqrt((noise**2).mean() * 256) / (equal - different)
    assert 0.5 < constant < 0.8


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: cooccurrence([[0, 1]]),
            TypeError,
            r"corpus must be a Corpus or a pair \(documents, labels\)",
        ),
        (lambda: cooccurrence(([[0], []], [0, 1])), ValueError, r"corpus\[1\] is empty"),
        (lambda: cooccurrence(([[0]], [0, 1])), ValueError, "labels must be one for each of the 1 documents"),
        (lambda: cooccurrence(([[0]], [-1])), ValueError, "labels must be 0 to 1, but one is -1"),
        (lambda: cooccurrence(([[0]], [0.5])), ValueError, "labels must be integers 0, 1, ... not float64"),
        (
            lambda: cooccurrence(([[0, 1]], [0]), 3),
            ValueError,
            "ngram is 3, but the longest document has 2 tokens",
        ),
        (lambda: cooccurrence(RATE), ValueError, "corpus.classes holds 'rate'"),
        (
            lambda: token_classes(([[0], [0]], [0, 2])),
            ValueError,
            "corpus has 3 classes, but positive and negative",
        ),
        (lambda: token_classes(([[0]], [0]), rate=0.05), ValueError, "neutral_rate=0.1, rate=0.05"),
        (
            lambda: token_classes(([[0]], [0]), minimum=float("nan")),
            ValueError,
            "minimum must be a number of occ",
        ),
        (
            lambda: noise_floor([[0]], [np.nan], 4),
            ValueError,
            r"residuals\[0\] is nan: every value must be finite",
        ),
        (
            lambda: noise_floor([[0]], [0.5, 0.5], 4),
            ValueError,
            r"residuals must have shape \(1\), not \(2,\)",
        ),
        (lambda: noise_floor([[0]], [0.5], 0), ValueError, "width must be an integer, 1 or larger, not 0"),
    ],
)  # fmt: skip
def test_bad_input_names_the_argument(call, error, message):
    with pytest.raises(error, match=message):
        call()
