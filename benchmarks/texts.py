"""Synthetic texts for timings: tokens by Zipf's law from a vocabulary of 18,000, the size of SST-2's."""

import numpy as np

from ntklib import Documents

VOCABULARY = 18_000
LENGTH = 20


def zipf_tokens(count: int, generator: np.random.Generator) -> np.ndarray:
    """Draw tokens, the ``r``-th most frequent one with a probability in proportion to ``1/(r + 3)``."""
    frequency = 1 / (np.arange(VOCABULARY) + 3.0)
    return generator.choice(VOCABULARY, count, p=frequency / frequency.sum())


def equal_documents(count: int, seed: int = 0) -> Documents:
    """Make documents of 20 tokens each, so that rivals that need rectangular arrays are at home."""
    tokens = zipf_tokens(count * LENGTH, np.random.default_rng(seed))
    return Documents(tokens, np.arange(count + 1) * LENGTH)


def ragged_documents(count: int, seed: int = 0) -> Documents:
    """Make documents of 3 to 60 tokens, 20 in the mean."""
    generator = np.random.default_rng(seed)
    lengths = np.clip(generator.poisson(LENGTH, count), 3, 60)
    return Documents(zipf_tokens(int(lengths.sum()), generator), np.concatenate([[0], np.cumsum(lengths)]))


def polar_labels(docs: Documents, seed: int = 0) -> np.ndarray:
    """Draw labels from the logistic function of a sum of token polarities, 600 of which are not 0."""
    generator = np.random.default_rng(seed + 1)
    polarity = np.zeros(VOCABULARY)
    polar = generator.choice(np.arange(50, 5000), 600, replace=False)
    polarity[polar] = generator.choice([-1, 1], 600) * generator.uniform(0.3, 1.5, 600)
    scores = np.add.reduceat(polarity[docs.ids], docs.offsets[:-1])
    return (generator.random(len(docs)) < 1 / (1 + np.exp(-scores))).astype(np.int64)


def used_vocabulary(docs: Documents) -> tuple[Documents, int]:
    """Give new numbers to the tokens that occur, and say how many they are."""
    tokens, places = np.unique(docs.ids, return_inverse=True)
    return Documents(places, docs.offsets), len(tokens)
