"""Documents and models of every kind that the library allows."""

import math
from functools import partial

import torch
from hypothesis import strategies as st

from ntklib import Activation
from ntklib.activations.catalogue import NAMES
from ntklib.architectures import CNN, LRNN, MLP, Attention, LinearRNN, MatrixVector
from ntklib.architectures.recurrent import READOUTS
from ntklib.documents import LARGEST_ID

RECURRENT = (LRNN, LinearRNN, MatrixVector)
ARCHITECTURES = (MLP, CNN, Attention, *RECURRENT)
SMOOTH = tuple(name for name in NAMES if name != "relu")
# Made once: moments are cached by activation.
OWN_SMOOTH = tuple(
    Activation(function.__name__, function)
    for function in (torch.nn.functional.softplus, torch.nn.functional.softsign)
)
OWN = (*OWN_SMOOTH, Activation("leaky_relu", torch.nn.functional.leaky_relu))


def sigmas(lowest: float = 1e-6, highest: float = 1e3) -> st.SearchStrategy[float]:
    """Standard deviations, evenly spread over the orders of magnitude."""
    return st.floats(math.log10(lowest), math.log10(highest)).map(lambda power: 10.0**power)


def _documents(tokens: st.SearchStrategy[int], longest: int) -> st.SearchStrategy[list[list[int]]]:
    return st.lists(st.lists(tokens, min_size=1, max_size=longest), min_size=1, max_size=5)


@st.composite
def documents(draw: st.DrawFn, longest: int = 40) -> list[list[int]]:
    """One to six documents of a few tokens that repeat, of a large and mostly unused vocabulary, or long."""
    few, any_id = st.integers(0, 3), st.integers(0, LARGEST_ID)
    kind = draw(st.sampled_from(("few", "unused", "one", "long")))
    if kind == "one":
        return [[token] for token in draw(st.lists(any_id, min_size=1, max_size=5))]
    docs = draw(_documents(any_id if kind == "unused" else few, 6))
    if kind == "long":  # beside short ones
        piece = draw(st.lists(few, min_size=1, max_size=4))
        docs.append((piece * longest)[: draw(st.integers(longest // 2, longest))])
    return docs


@st.composite
def architectures(draw: st.DrawFn, lowest: float = 1e-6, highest: float = 1e3, makes=ARCHITECTURES):
    """An architecture with a kernel and any hyper-parameters of its range, to be made by the test."""
    sigma = sigmas(lowest, highest)
    make = draw(st.sampled_from(makes))
    given = {name: draw(sigma) for name in make.__dataclass_fields__ if name.startswith("sigma_")}
    if make in (MLP, CNN):
        given["activation"] = draw(st.sampled_from((*NAMES, *OWN)))
    if make is LRNN:
        given["activation"] = draw(st.sampled_from((*SMOOTH, *OWN_SMOOTH)))
    if make is CNN:
        given["window"] = draw(st.integers(1, 5))
    if make in RECURRENT:
        given["readout"] = draw(st.sampled_from(READOUTS))
    return partial(make, **given)
