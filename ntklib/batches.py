"""The order in which training meets its documents, drawn anew for each epoch: one for theory and network."""

from collections.abc import Iterator

import numpy as np

from ntklib.validation import checked_integer


def epoch_generator(seed: int, epoch: int) -> np.random.Generator:
    """Make the generator of one epoch: a resumed run draws what an uninterrupted one would."""
    return np.random.default_rng([seed, epoch])


def documents_a_batch(batch_size: int | None, documents: int) -> int:
    """Documents of a batch: all by default, and never more than there are."""
    return documents if batch_size is None else min(checked_integer(batch_size, "batch_size"), documents)


def batches(documents: int, size: int, seed: int, epoch: int) -> Iterator[np.ndarray | slice]:
    """Rows of each batch of an epoch: shuffled, or all of them in one.

    Examples
    --------
    >>> [rows.tolist() for rows in batches(3, 2, seed=0, epoch=0)]
    [[2, 0], [1]]
    >>> list(batches(3, 3, seed=0, epoch=0))
    [slice(None, None, None)]
    """
    if size >= documents:
        yield slice(None)
        return
    generator = epoch_generator(seed, epoch)
    generator.integers(2**62)  # the epoch's first draw seeds torch
    order = generator.permutation(documents)
    for start in range(0, documents, size):
        yield order[start : start + size]
