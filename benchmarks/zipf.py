"""What all synthetic texts are drawn from: tokens by Zipf's law, ragged lengths, labels from polar tokens."""

import numpy as np


def frequencies(vocabulary: int) -> np.ndarray:
    """Return probabilities, of the ``r``-th most frequent token in proportion to ``1/(r + 3)``."""
    weights = 1 / (np.arange(vocabulary) + 3.0)
    return weights / weights.sum()


def lengths(count: int, generator: np.random.Generator) -> np.ndarray:
    """Draw lengths of 3 to 60 tokens, 20 in the mean."""
    return np.clip(generator.poisson(20, count), 3, 60)


def polarities(vocabulary: int, generator: np.random.Generator) -> np.ndarray:
    """Draw each token's part of the logit; 600 of them are not 0."""
    polarity = np.zeros(vocabulary)
    polar = generator.choice(np.arange(50, 5000), 600, replace=False)
    polarity[polar] = generator.choice([-1, 1], 600) * generator.uniform(0.3, 1.5, 600)
    return polarity


def labels(
    ids: np.ndarray, starts: np.ndarray, polarity: np.ndarray, generator: np.random.Generator
) -> np.ndarray:
    """Draw labels from the logistic function of the sum of each document's polarities."""
    scores = np.add.reduceat(polarity[ids], starts)
    return (generator.random(len(starts)) < 1 / (1 + np.exp(-scores))).astype(np.int64)
