"""Null models: p-values that are uniform under the null, optimal matching, corrected tests."""

from itertools import permutations

import numpy as np
import pandas as pd
import pytest

from ntklib import load_corpus
from ntklib.statistics import (
    cooccurrence,
    false_discovery,
    frequency_matched,
    shuffled_label_null,
    token_classes,
)


def rate_of_token_0(corpus):
    documents, labels = corpus
    return float(sum(label for document, label in zip(documents, labels, strict=True) if 0 in document))


def test_p_values_are_uniform_when_labels_carry_nothing():
    rng = np.random.default_rng(0)
    p_values = []
    for seed in range(200):
        docs = [[0] if rng.random() < 0.5 else [1] for _ in range(40)]
        null = shuffled_label_null((docs, rng.integers(0, 2, 40)), rate_of_token_0, repeats=39, seed=seed)
        p_values.append(null.p_value())
    for level in (0.1, 0.25, 0.5):
        # Counts tie, so a p-value is at most as often below a level as the level says.
        assert np.mean(np.array(p_values) <= level) <= level + 3 * np.sqrt(level * (1 - level) / 200)
    assert np.mean(p_values) > 0.4


def test_a_planted_association_is_at_the_null_s_smallest_p_value():
    corpus = load_corpus("planted:polarity", seed=0, limit=400)
    sizes = shuffled_label_null(
        corpus, lambda c: token_classes(c).value_counts().reindex(["positive", "negative"]), repeats=19
    )
    assert sizes.p_value().to_dict() == {"positive": 0.05, "negative": 0.05}
    assert (sizes.observed > 2 * sizes.interval()["high"]).all()


def test_shuffles_keep_label_counts_and_token_counts():
    docs, labels = [[0, 1], [2], [1], [1, 1]], [0, 1, 1, 1]
    seen = []

    def record(corpus):
        seen.append((corpus[0], sorted(corpus[1])))
        return 0.0

    shuffled_label_null((docs, labels), record, repeats=5)
    assert all(
        list(map(list, documents)) == docs and sorted_labels == [0, 1, 1, 1]
        for documents, sorted_labels in seen
    )


def test_alternatives_are_the_two_tails_and_their_double():
    null = shuffled_label_null(
        ([[0]] * 5 + [[1]] * 5, [1] * 5 + [0] * 5), rate_of_token_0, repeats=99, seed=1
    )
    samples = null.samples["statistic"]
    assert null.p_value() == (1 + (samples >= null.observed).sum()) / 100
    assert null.p_value("less") == 1.0
    assert null.p_value("two-sided") == 2 * null.p_value()
    with pytest.raises(ValueError, match="alternative must be 'greater', 'less' or 'two-sided', not 'both'"):
        null.p_value("both")


def test_interval_of_the_null_holds_its_level():
    null = shuffled_label_null(
        ([[i % 2] for i in range(200)], [i % 3 % 2 for i in range(200)]), rate_of_token_0, repeats=400
    )
    low, high = null.interval(0.9).loc["statistic", ["low", "high"]]
    inside = null.samples["statistic"].between(low, high).mean()
    assert 0.9 <= inside < 0.97


def test_matching_is_optimal_among_all_pairings():
    rng = np.random.default_rng(0)
    for _ in range(20):
        frequency = pd.Series(rng.integers(1, 60, 9), index=list("abcdefghi"))
        tokens, candidates = list("abcd"), list("efghi")
        found = frequency_matched(tokens, frequency, candidates, within=1.5)

        def distance(token, control, frequency=frequency):
            return abs(np.log(frequency[token] / frequency[control]))

        best = min(
            (
                -sum(d <= np.log(1.5) + 1e-12 for d in distances),
                sum(d for d in distances if d <= np.log(1.5) + 1e-12),
            )
            for chosen in permutations(candidates, 4)
            for distances in [[distance(t, c) for t, c in zip(tokens, chosen, strict=True)]]
        )
        assert -len(found) == best[0]
        assert sum(distance(t, c) for t, c in found.items()) == pytest.approx(best[1], abs=1e-9)
        assert found.is_unique


def test_equally_good_controls_are_drawn_by_the_seed():
    frequency = pd.Series(7, index=["token", *map(str, range(50))])
    controls = {
        frequency_matched(["token"], frequency, frequency.index, seed=seed)["token"] for seed in range(20)
    }
    assert len(controls) > 10
    assert "token" not in controls
    again = [frequency_matched(["token"], frequency, frequency.index, seed=3)["token"] for _ in range(2)]
    assert again[0] == again[1]


def test_matching_works_on_the_counts_of_a_corpus_and_without_any_candidate():
    corpus = load_corpus("planted:frequency-matched", seed=0)
    counts = cooccurrence(corpus)
    frequency = counts[["negative", "positive"]].sum(axis=1)
    polar = [token for token, polarity in corpus.truth.items() if polarity != 0]
    neutral = [token for token in frequency.index if corpus.truth.get(token, 0) == 0]
    matched = frequency_matched(polar, frequency, neutral)
    assert len(matched) > 0.9 * len(polar)
    assert len(frequency_matched(polar, frequency, [])) == 0


def test_correction_equals_benjamini_and_hochberg_by_hand():
    p = np.array([0.03, 0.001, 0.2, 0.04, 0.9])
    order = np.argsort(p)
    by_hand = np.minimum.accumulate((p[order] * 5 / np.arange(1, 6))[::-1])[::-1]
    found = false_discovery(p)
    assert found["adjusted"].to_numpy()[order] == pytest.approx(by_hand)
    assert found["rejected"].tolist() == [False, True, False, False, False]
    assert found.attrs["tests"] == 5


def test_false_rejections_stay_at_the_stated_rate():
    """With 80 true nulls among 100 tests the expected share is 0.05 · 0.8."""
    rng = np.random.default_rng(0)
    shares = []
    for _ in range(400):
        p = np.concatenate([rng.uniform(size=80), rng.uniform(size=20) * 1e-4])
        rejected = false_discovery(p)["rejected"].to_numpy()
        shares.append(rejected[:80].sum() / max(1, rejected.sum()))
    assert np.mean(shares) == pytest.approx(0.04, abs=0.01)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: shuffled_label_null(([[0]], [1]), lambda c: np.nan, 2),
            ValueError,
            "statistic must return finite",
        ),
        (
            lambda: shuffled_label_null(([[0]], [1]), lambda c: "a", 2),
            TypeError,
            "statistic must return a number",
        ),
        (
            lambda: shuffled_label_null(([[0]], [1]), lambda c: 1.0, 0),
            ValueError,
            "repeats must be an integer, 1 or larger",
        ),
        (
            lambda: frequency_matched(["a"], pd.Series({"b": 1}), ["b"]),
            ValueError,
            "tokens holds 'a', whose freq",
        ),
        (lambda: frequency_matched(["a"], pd.Series({"a": 0}), []), ValueError, "not above 0"),
        (lambda: frequency_matched(["a", "a"], pd.Series({"a": 1}), []), ValueError, "'a' more than once"),
        (
            lambda: frequency_matched(["a"], pd.Series({"a": 1}), [], within=0.5),
            ValueError,
            "within must be a ratio",
        ),
        (lambda: false_discovery([0.5, 1.5]), ValueError, "p_values must be probabilities .* not 1.5"),
        (lambda: false_discovery([]), ValueError, "at least one of them, not an empty sequence"),
        (lambda: false_discovery([0.5], rate=1.0), ValueError, "rate must be between 0 and 1"),
    ],
)  # fmt: skip
def test_bad_input_names_the_argument(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_a_statistic_whose_entries_change_is_refused_with_the_remedy():
    entries = iter([["a"], ["b"]])
    with pytest.raises(ValueError, match=r"entries \['b'\] for shuffled labels, but \['a'\]"):
        shuffled_label_null(([[0]], [1]), lambda c: pd.Series([1.0], index=next(entries)), repeats=1)
