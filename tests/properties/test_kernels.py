"""Of any model and any documents the kernel is a kernel, and the three ways to it agree.

Errors are measured on the scale of an entry, ``√(Θ(x, x) Θ(x', x'))``: documents of one batch may differ by a
hundred orders of magnitude, and the short ones must be right too.
"""

import numpy as np
from hypothesis import event
from hypothesis import strategies as st

from tests.properties.cases import cases
from tests.properties.strategies import RECURRENT, architectures, documents

ROUNDING = 1e-10


def scale_of(kernel, others=None):
    """``√(Θ(x, x) Θ(x', x'))`` from the diagonals, without overflow."""
    root = np.sqrt(np.diag(kernel))
    return np.outer(root, root if others is None else np.sqrt(np.diag(others)))


@cases(100, model=architectures(), docs=documents())
def test_a_kernel_is_finite_symmetric_and_positive_semi_definite(model, docs):
    event(type(model).__name__)
    kernel = model.kernel(docs)
    assert kernel.shape == (len(docs), len(docs))
    assert kernel.dtype == np.float64
    assert np.isfinite(kernel).all()
    assert (np.diag(kernel) > 0).all()
    scale = scale_of(kernel)
    assert (np.abs(kernel - kernel.T) <= 1e-13 * scale).all()
    assert (kernel >= -ROUNDING * scale).all()
    assert (kernel <= (1 + ROUNDING) * scale).all()
    assert np.linalg.eigvalsh(kernel / scale).min() >= -ROUNDING * len(docs)


@cases(60, model=architectures(), docs=documents())
def test_the_three_ways_to_a_kernel_agree(model, docs):
    three_ways(model, docs)


@cases(60, model=architectures(lowest=1e-2, makes=RECURRENT), docs=documents(longest=24))
def test_the_three_ways_agree_where_the_kernel_grows_with_every_token(model, docs):
    three_ways(model, docs)


def three_ways(model, docs):
    """Check the kernel against the sum over positions and the feature map."""
    event(type(model).__name__)
    kernel = model.kernel(docs)
    scale = scale_of(kernel)
    assert (np.abs(model.kernel_by_positions(docs) - kernel) <= ROUNDING * scale).all()

    features = model.feature_map(docs)
    matrix, weights, _ = features
    # Each side gets the root of a weight: products of the largest ones would overflow.
    rooted = matrix.toarray() * np.sqrt(np.abs(weights))
    product = (rooted * np.sign(weights)) @ rooted.T
    rooted_bound = np.sqrt(features.error_bound)
    lacking = np.outer(rooted_bound, rooted_bound)
    event("truncated" if features.error_bound.any() else "whole")
    assert np.isfinite(product).all()
    assert (kernel - product >= -ROUNDING * scale).all()
    assert (kernel - product <= lacking + ROUNDING * scale).all()


@cases(40, model=architectures(), docs=documents(), others=documents())
def test_kernels_of_two_sets_are_a_block_of_the_kernel_of_both(model, docs, others):
    both = model.kernel([*docs, *others])
    block = model.kernel(docs, others)
    scale = scale_of(both)[: len(docs), len(docs) :]
    assert (np.abs(block - both[: len(docs), len(docs) :]) <= ROUNDING * scale).all()
    parts = model.kernel_by_group(docs, others)
    assert (np.abs(sum(parts.values()) - block) <= ROUNDING * scale).all()


@cases(40, model=architectures(), order=st.integers(1, 6))
def test_shares_of_a_spectrum_are_a_distribution(model, order):
    shares = model.spectrum(order)
    assert np.isfinite(shares).all()
    assert abs(shares.sum() - 1) < ROUNDING
    assert (shares > -ROUNDING).all()
