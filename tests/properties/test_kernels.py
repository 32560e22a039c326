"""Of any model and any documents the kernel is a kernel, and the three ways to it agree.

The standard deviations are drawn from the whole range that the library takes, 1e-50 to 1e50. A recurrent
kernel may then be too large for a float, and is refused: only then. Errors are measured on the scale of an
entry, ``√(Θ(x, x) Θ(x', x'))``: kernels as small as 1e-200 are compared as closely as others, and documents
of one batch may differ by a hundred orders of magnitude, and the short ones must be right too.
"""

import inspect

import mpmath
import numpy as np
import pytest
from hypothesis import event
from hypothesis import strategies as st

from ntklib.architectures import LRNN, Attention
from tests.properties.cases import DEEP, cases
from tests.properties.strategies import RECURRENT, affordable, architectures, documents

ROUNDING = 1e-10
# Positions that a recurrent model's unit kernel is summed over one by one; more than 16 take a truncated map.
LONGEST_RECURRENT = 100 if DEEP else 40
TOO_LARGE = "larger than float64 can hold"


def scale_of(kernel, others=None):
    """``√(Θ(x, x) Θ(x', x'))`` from the diagonals, without overflow."""
    root = np.sqrt(np.diag(kernel))
    return np.outer(root, root if others is None else np.sqrt(np.diag(others)))


def largest_kernel(model, length):
    """``Θ(x, x)`` of one repeated token, the largest of a length, by the recursion in numbers of any size."""
    kernels, total = np.full((3, 1), mpmath.mpf(0)), mpmath.mpf(0)
    step = inspect.unwrap(type(model).step)  # without the check that its arrays are floats
    for reach in range(1, length + 1):
        kernels = step(model, kernels, np.array([True]))
        # So many pairs of positions have the earlier one here.
        total += (2 * (length - reach) + 1) * sum(kernels[:, 0])
    return total


def unless_too_large(call, model, length):
    """Return what a call gives, or None where it is refused; check that it is refused for its size alone."""
    event(type(model).__name__)
    try:
        return call()
    except ValueError as error:
        problem = str(error)
    event("refused")
    assert TOO_LARGE in problem
    assert isinstance(model, RECURRENT)
    assert largest_kernel(model, length) > mpmath.mpf(10) ** 300
    return None


def kernel_or_none(model, docs):
    """Return the kernel, or None where it is refused."""
    return unless_too_large(lambda: model.kernel(docs), model, max(map(len, docs)))


@cases(100, model=architectures(), docs=documents())
def test_a_kernel_is_finite_symmetric_and_positive_semi_definite(model, docs):
    docs = affordable(model, docs, recurrent=len(max(docs, key=len)))
    kernel = kernel_or_none(model, docs)
    if kernel is None:
        return
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


@cases(60, model=architectures(lowest=1e-2, highest=1e3, makes=RECURRENT), docs=documents())
def test_the_three_ways_agree_where_the_kernel_grows_with_every_token(model, docs):
    three_ways(model, docs)


@cases(30, model=architectures(smallest=True, makes=(Attention, *RECURRENT)), docs=documents())
def test_the_three_ways_agree_where_the_kernel_is_as_small_as_can_be(model, docs):
    if not isinstance(model, LRNN):  # whose activation's moments may be near 1
        assert model.kernel([[0]]) < 1e-80
    three_ways(model, docs)


def three_ways(model, docs):
    """Check the kernel against the sum over positions and the feature map."""
    docs = affordable(model, docs, LONGEST_RECURRENT)
    kernel = kernel_or_none(model, docs)
    if kernel is None:
        with pytest.raises(ValueError, match=TOO_LARGE):
            model.kernel_by_positions(docs)
        return
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
    docs, others = (affordable(model, some, LONGEST_RECURRENT) for some in (docs, others))
    both = kernel_or_none(model, [*docs, *others])
    if both is None:
        return
    block = model.kernel(docs, others)
    scale = scale_of(both)[: len(docs), len(docs) :]
    assert (np.abs(block - both[: len(docs), len(docs) :]) <= ROUNDING * scale).all()
    parts = model.kernel_by_group(docs, others)
    assert (np.abs(sum(parts.values()) - block) <= ROUNDING * scale).all()


@cases(40, model=architectures(widest=16), order=st.integers(1, 16))
def test_shares_of_a_spectrum_are_a_distribution(model, order):
    shares = unless_too_large(lambda: model.spectrum(order), model, order)
    if shares is None:
        return
    assert np.isfinite(shares).all()
    assert abs(shares.sum() - 1) < ROUNDING
    # A weight of j tokens is an alternating sum of 2^j rounded values: in all 3^k for a unit of k tokens.
    tokens = order if model.context is None else model.context
    assert (shares > -max(ROUNDING, 3.0**tokens * np.finfo(float).eps)).all()
