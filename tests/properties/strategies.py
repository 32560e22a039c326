"""Documents and models of every kind that the library allows."""

import math
import random
from functools import partial

import torch
from hypothesis import strategies as st

from ntklib import Activation
from ntklib.activations.catalogue import NAMES
from ntklib.architectures import CNN, LRNN, MLP, Attention, LinearRNN, MatrixVector
from ntklib.architectures.recurrent import READOUTS
from ntklib.documents import LARGEST_ID
from tests.properties.cases import DEEP

RECURRENT = (LRNN, LinearRNN, MatrixVector)
WITH_MOMENTS = (MLP, CNN, LRNN)
ARCHITECTURES = (MLP, CNN, Attention, *RECURRENT)
SMOOTH = tuple(name for name in NAMES if name != "relu")
# Made once: moments are cached by activation.
OWN_SMOOTH = tuple(
    Activation(function.__name__, function)
    for function in (torch.nn.functional.softplus, torch.nn.functional.softsign)
)
OWN = (*OWN_SMOOTH, Activation("leaky_relu", torch.nn.functional.leaky_relu))


LOWEST, HIGHEST = 1.01e-50, 0.99e50
"""The standard deviations that every model takes."""
LOWEST_PRODUCT, HIGHEST_PRODUCT = 1.01e-15, 3e7
"""The products of sigma_e and sigma_w at which activations have moments."""

LONGEST = 400 if DEEP else 40
WIDEST = 16 if DEEP else 10
"""The widest window of a kernel that is tried: one of 16 tokens takes seconds."""
MOST_FEATURES = 2**21


def sigmas(lowest: float = LOWEST, highest: float = HIGHEST) -> st.SearchStrategy[float]:
    """Standard deviations, evenly spread over the orders of magnitude."""
    return st.floats(math.log10(lowest), math.log10(highest)).map(lambda power: 10.0**power)


def _documents(tokens: st.SearchStrategy[int], longest: int) -> st.SearchStrategy[list[list[int]]]:
    return st.lists(st.lists(tokens, min_size=1, max_size=longest), min_size=1, max_size=5)


@st.composite
def documents(draw: st.DrawFn, longest: int = LONGEST) -> list[list[int]]:
    """One to six documents: few tokens that repeat, a large and mostly unused vocabulary, or one is long."""
    few, any_id = st.integers(0, 3), st.integers(0, LARGEST_ID)
    kind = draw(st.sampled_from(("few", "unused", "one", "repeating", "varied")))
    if kind == "one":
        return [[token] for token in draw(st.lists(any_id, min_size=1, max_size=5))]
    docs = draw(_documents(any_id if kind == "unused" else few, 6))
    if kind in ("repeating", "varied"):  # beside short ones
        length = draw(st.integers(longest // 2, longest))
        if kind == "repeating":
            piece = draw(st.lists(few, min_size=1, max_size=4))
            docs.append((piece * length)[:length])
        else:
            vocabulary = draw(st.sampled_from((3, 50, LARGEST_ID)))
            docs.append(random.Random(draw(st.integers(0, 2**16))).choices(range(vocabulary), k=length))
    return docs


@st.composite
def architectures(
    draw: st.DrawFn,
    lowest: float = LOWEST,
    highest: float = HIGHEST,
    makes=ARCHITECTURES,
    widest: int = WIDEST,
):
    """An architecture with a kernel and any hyper-parameters of its range, to be made by the test."""
    make = draw(st.sampled_from(makes))
    names = [name for name in make.__dataclass_fields__ if name.startswith("sigma_")]
    given = {name: draw(sigmas(lowest, highest)) for name in names}
    if make in WITH_MOMENTS:  # then either one is drawn so that the other has a range left
        low, high = max(lowest, LOWEST_PRODUCT / highest), min(highest, HIGHEST_PRODUCT / lowest)
        given["sigma_e"] = sigma_e = draw(sigmas(low, high))
        low, high = max(lowest, LOWEST_PRODUCT / sigma_e), min(highest, HIGHEST_PRODUCT / sigma_e)
        given["sigma_w"] = draw(sigmas(low, high))
    if make in (MLP, CNN):
        given["activation"] = draw(st.sampled_from((*NAMES, *OWN)))
    if make is LRNN:
        given["activation"] = draw(st.sampled_from((*SMOOTH, *OWN_SMOOTH)))
    if make is CNN:
        few = st.integers(1, 5)
        given["window"] = draw(st.one_of(few, few, few, st.integers(6, widest)))
    if make in RECURRENT:
        given["readout"] = draw(st.sampled_from(READOUTS))
    return partial(make, **given)


def affordable(model, docs: list[list[int]], recurrent: int) -> list[list[int]]:
    """Cut documents to what takes seconds: a recurrent model's, and those of a CNN with many patterns.

    A window of ``k`` tokens has ``2^k`` features, and a document some windows more than tokens.
    """
    if isinstance(model, RECURRENT):
        return [document[:recurrent] for document in docs]
    if isinstance(model, CNN):
        windows = max(MOST_FEATURES // 2**model.window, 2 * model.window)
        kept: list[list[int]] = []
        for document in docs:
            room = windows - (model.window - 1)
            if room > 0:
                kept.append(document[:room])
                windows -= len(kept[-1]) + model.window - 1
        return kept
    return docs
