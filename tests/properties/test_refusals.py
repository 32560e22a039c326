"""Whatever lies outside a parameter's range is refused by an error that names the parameter."""

import dataclasses
import re
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import assume
from hypothesis import strategies as st

from ntklib.architectures import (
    CNN,
    GRU,
    LRNN,
    LSTM,
    MLP,
    Attention,
    ElmanRNN,
    LinearRNN,
    MatrixVector,
    ProjectedAttention,
    Transformer,
)
from ntklib.architectures.base import Architecture
from ntklib.documents import LARGEST_ID
from tests.properties.cases import cases
from tests.properties.strategies import (
    ARCHITECTURES,
    WITH_MOMENTS,
    affordable,
    architectures,
    documents,
    sigmas,
)

MODELS = (*ARCHITECTURES, ElmanRNN, GRU, LSTM, Transformer, ProjectedAttention)
REFUSED = (ValueError, TypeError)

no_numbers = st.one_of(
    st.none(), st.text(max_size=8), st.booleans(), st.complex_numbers(), st.lists(st.floats(), max_size=2)
)
no_sigma = st.one_of(
    st.floats(max_value=1e-50),
    st.floats(min_value=1e50),
    st.just(float("nan")),
    st.sampled_from((0, -1, 10**60, 10**400, Fraction(-1, 2), np.float32(0), np.array([1.0]))),
    no_numbers,
)
no_integer = st.one_of(st.floats(), no_numbers)


def refused(call, *names):
    """Check that a call is refused, and that the error names one of the parameters."""
    with pytest.raises(REFUSED) as caught:
        call()
    assert re.search(rf"\b({'|'.join(names)})\b", str(caught.value)), caught.value


@cases(60, make=st.sampled_from(MODELS), number=st.integers(0, 9), value=no_sigma)
def test_a_standard_deviation_that_is_none(make, number, value):
    names = [name for name in make.__dataclass_fields__ if name.startswith("sigma_")]
    name = names[number % len(names)]
    refused(lambda: make(**{name: value}), name)


@cases(30, make=st.sampled_from(WITH_MOMENTS), one=sigmas(1e-49, 1e49), other=sigmas(1e-49, 1e49))
def test_standard_deviations_whose_product_no_moment_is_known_for(make, one, other):
    assume(not 1e-15 <= one * other <= 3e7)
    refused(lambda: make(activation="tanh", sigma_e=one, sigma_w=other), "sigma_e and sigma_w")


@cases(30, make=st.sampled_from(MODELS), value=st.one_of(no_numbers, st.text(), st.integers()))
def test_a_word_that_is_no_choice(make, value):
    fields = make.__dataclass_fields__
    if "activation" in fields:
        refused(lambda: make(activation=value), "activation")
    if "readout" in fields:
        refused(lambda: make(readout=value), "readout")
    for name in ("causal", "positions", "linearised", "additive"):
        if name in fields and not isinstance(value, bool):
            refused(lambda name=name: make(**{name: value}), name)


@cases(30, value=st.one_of(st.integers(max_value=0), no_integer))
def test_a_size_that_is_none(value):
    refused(lambda: CNN(window=value), "window")
    refused(lambda: Transformer(layers=value), "layers")
    refused(lambda: Transformer(heads=value), "heads")
    refused(lambda: MLP().network(value, 5, seed=0), "width")
    refused(lambda: MLP().network(4, value, seed=0), "vocabulary_size")
    if value is not None:
        refused(lambda: MLP().network(4, 5, seed=0, classes=value), "classes")
    refused(lambda: LinearRNN().feature_map([[0]], most_patterns=value), "most_patterns")
    refused(lambda: LRNN().spectrum(value), "order")


@cases(15, value=st.one_of(st.integers(max_value=-1), st.integers(min_value=2**64), no_integer))
def test_a_seed_that_is_none(value):
    refused(lambda: MLP().network(4, 5, seed=value), "seed")


@cases(10, value=st.integers(min_value=17))
def test_a_size_of_which_all_patterns_would_be_too_many(value):
    refused(lambda: CNN(window=value), "window")
    refused(lambda: LRNN().spectrum(value), "order")


@cases(15, value=st.one_of(no_integer, st.sampled_from((torch.int64, torch.float16, np.float32))))
def test_a_type_of_weights_that_is_none(value):
    refused(lambda: MLP().network(4, 5, seed=0, dtype=value), "dtype")


@cases(10, width=st.integers(min_value=10**7))
def test_a_network_that_no_memory_holds(width):
    with pytest.raises(MemoryError, match=rf"width {width:,} .* needs .* GB, but .* are free"):
        MatrixVector().network(width, 50, seed=0)


no_document = st.one_of(
    st.sampled_from(([], (), np.zeros(0, dtype=np.int64), [[1]], [1, [2]], [True], {1, 2}, {1: 2})),
    st.lists(st.integers(max_value=-1), min_size=1),
    st.lists(st.integers(min_value=LARGEST_ID + 1), min_size=1),
    st.lists(st.floats(), min_size=1),
    no_numbers.filter(lambda value: not isinstance(value, list)),
    st.integers(),
)


@cases(60, model=architectures(), docs=documents(longest=6), place=st.integers(0, 5), wrong=no_document)
def test_a_document_that_is_none(model, docs, place, wrong):
    place = min(place, len(docs))
    spoilt = [*docs[:place], wrong, *docs[place:]]
    for call in (model.kernel, model.kernel_by_positions, model.feature_map):
        refused(lambda call=call: call(spoilt), rf"docs\w*\[{place}")
    refused(lambda: model.kernel(docs, spoilt), rf"docs_b\[{place}")


@cases(30, model=architectures(), wrong=st.one_of(no_numbers, st.floats(), st.integers(), st.just([])))
def test_what_are_no_documents_at_all(model, wrong):
    for call in (model.kernel, model.kernel_by_positions, model.feature_map):
        refused(lambda call=call: call(wrong), r"docs\w*")


any_size = st.one_of(architectures(), architectures(lowest=1e-6, makes=(LRNN, LinearRNN, MatrixVector)))


@cases(40, model=any_size, docs=documents(longest=400))
def test_a_kernel_beyond_float64_is_refused_and_names_what_makes_it_large(model, docs):
    """In the whole range of the hyper-parameters: finite, or refused. Never an infinity or a NaN."""
    docs = affordable(model, docs, recurrent=400)
    largest = {field.name for field in dataclasses.fields(model) if field.name.startswith("sigma_")}
    for call in (model.kernel, model.kernel_by_group, model.feature_map):
        result, problem = _result_or_problem(lambda call=call: call(docs))
        if problem is not None:
            assert any(name in problem for name in largest)
        else:
            values = result.values() if isinstance(result, dict) else [getattr(result, "weights", result)]
            assert all(np.isfinite(value).all() for value in values)


def _result_or_problem(call):
    try:
        return call(), None
    except ValueError as error:
        return None, str(error)


def test_every_model_is_among_those_tried():
    known = {model for base in (Architecture,) for model in _subclasses(base)}
    assert known == set(ARCHITECTURES)
    assert {Attention, LRNN} < set(MODELS)


def _subclasses(base):
    for model in base.__subclasses__():
        below = list(_subclasses(model))
        yield from below or ([model] if model.__module__.startswith("ntklib.") else [])
