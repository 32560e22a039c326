"""Synthetic texts for timings: tokens by Zipf's law from a vocabulary of 18,000, the size of SST-2's."""

import numpy as np

from benchmarks import zipf
from ntklib import Documents

VOCABULARY = 18_000
LENGTH = 20


def zipf_tokens(count: int, generator: np.random.Generator) -> np.ndarray:
    """Draw tokens with the probabilities of :func:`~benchmarks.zipf.frequencies`."""
    return generator.choice(VOCABULARY, count, p=zipf.frequencies(VOCABULARY))


def equal_documents(count: int, seed: int = 0) -> Documents:
    """Make documents of 20 tokens each, so that rivals that need rectangular arrays are at home."""
    tokens = zipf_tokens(count * LENGTH, np.random.default_rng(seed))
    return Documents(tokens, np.arange(count + 1) * LENGTH)


def ragged_documents(count: int, seed: int = 0) -> Documents:
    """Make documents of 3 to 60 tokens, 20 in the mean."""
    generator = np.random.default_rng(seed)
    lengths = zipf.lengths(count, generator)
    return Documents(zipf_tokens(int(lengths.sum()), generator), np.concatenate([[0], np.cumsum(lengths)]))


def polar_labels(docs: Documents, seed: int = 0) -> np.ndarray:
    """Draw labels from the logistic function of a sum of token polarities, 600 of which are not 0."""
    generator = np.random.default_rng(seed + 1)
    return zipf.labels(docs.ids, docs.offsets[:-1], zipf.polarities(VOCABULARY, generator), generator)


def used_vocabulary(docs: Documents) -> tuple[Documents, int]:
    """Give new numbers to the tokens that occur, and say how many they are."""
    tokens, places = np.unique(docs.ids, return_inverse=True)
    return Documents(places, docs.offsets), len(tokens)
