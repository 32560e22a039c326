"""Leaks and unstable tokens are found where they were planted, and not where chance looks like them."""

import numpy as np
import pytest

from ntklib.statistics import leaking_tokens, spurious_candidates


def texts(seed=0, documents=300, vocabulary=40, classes=2):
    rng = np.random.default_rng(seed)
    docs = [list(rng.integers(2, vocabulary, 8)) for _ in range(documents)]
    return docs, rng.integers(0, classes, documents)


@pytest.mark.parametrize("classes", [2, 3])
def test_a_planted_leak_is_found_and_no_other_token(classes):
    docs, labels = texts(classes=classes)
    leaky = [[*doc, 0] if label == 1 else doc for doc, label in zip(docs, labels, strict=True)]
    table = leaking_tokens((leaky, labels))
    assert table.index[table["leaks"]].tolist() == [0]
    assert table.loc[0, ["class", "share", "coverage"]].tolist() == [1, 1.0, 1.0]


def test_copies_of_one_document_are_no_evidence_of_a_leak():
    docs, labels = texts()
    table = leaking_tokens(([*docs, *[[0, 1]] * 50], [*labels, *[1] * 50]))
    assert 0 not in table.index


def test_a_rare_class_needs_a_surer_token():
    docs, labels = [[0, 2 + i] for i in range(200)], np.zeros(200, dtype=int)
    labels[:10] = 1
    table = leaking_tokens(([*docs, [1]], [*labels, 1]))
    assert not table.loc[0, "leaks"]  # 95 % of class 0 is what every token has


def test_exact_half_split_difference_is_that_of_random_halves():
    docs, labels = texts(documents=60)
    table = spurious_candidates((docs, labels), width=10**9)
    residuals = labels - labels.mean()
    counts = np.array([[doc.count(u) for doc in docs] for u in table.index])
    signs = np.random.default_rng(1).choice([-1, 1], (20000, 60))
    pulls = counts * residuals
    sampled = np.sqrt(np.mean((signs @ pulls.T) ** 2, axis=0)) / np.abs(pulls.sum(axis=1))
    np.testing.assert_allclose(table["half-split difference"], sampled, rtol=0.05)


def test_a_token_of_one_copied_document_is_a_candidate_and_an_honest_one_is_not():
    docs, labels = texts()
    honest = [[*doc, 0] if label else doc for doc, label in zip(docs, labels, strict=True)]
    table = spurious_candidates(([*honest, *[[1] * 5] * 8], [*labels, *[1] * 8]), width=256)
    assert table.loc[1, ["documents", "half-split difference", "candidate", "why"]].tolist() == [
        1,
        pytest.approx(1),
        True,
        "few documents",
    ]
    assert not table.loc[0, "candidate"]
    assert table.index[0] == 0


def test_bounds_are_checked():
    with pytest.raises(ValueError, match="remaining must be between 0 and 1"):
        leaking_tokens(texts(), remaining=1.5)
    with pytest.raises(ValueError, match="width must be an integer"):
        spurious_candidates(texts(), width=0)
