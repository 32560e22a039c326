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
    smallest: bool = False,
):
    """An architecture with a kernel and any hyper-parameters of its range, to be made by the test.

    With ``smallest`` the kernel is as small as can be: of freely drawn factors a large one hides the others.

    All of it comes from one seed. Hypothesis, left to draw each number, repeats numbers of earlier cases and
    prefers round ones: few of its models had no factor near 1.
    """
    rng = random.Random(draw(st.integers(0, 2**64 - 1)))

    def sigma(low: float, high: float) -> float:
        return 10 ** rng.uniform(math.log10(low), math.log10(high))

    make = rng.choice(makes)
    names = [name for name in make.__dataclass_fields__ if name.startswith("sigma_")]
    given = {name: sigma(lowest, 1e5 * lowest if smallest else highest) for name in names}
    if make in WITH_MOMENTS:  # then either one is drawn so that the other has a range left
        largest_product = 10 * LOWEST_PRODUCT if smallest else HIGHEST_PRODUCT
        given["sigma_e"] = sigma_e = sigma(
            max(lowest, LOWEST_PRODUCT / highest), min(highest, largest_product / lowest)
        )
        given["sigma_w"] = sigma(
            max(lowest, LOWEST_PRODUCT / sigma_e), min(highest, largest_product / sigma_e)
        )
    if make in (MLP, CNN):
        given["activation"] = rng.choice((*NAMES, *OWN))
    if make is LRNN:
        given["activation"] = rng.choice((*SMOOTH, *OWN_SMOOTH))
    if make is CNN:
        given["window"] = rng.randint(1, 5) if rng.random() < 3 / 4 else rng.randint(6, widest)
    if make in RECURRENT:
        given["readout"] = rng.choice(READOUTS)
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
