import numpy as np
import pytest
from scipy import sparse

from ntklib import gram
from ntklib.gram import ParameterTangents, tangent_gram

DOCUMENTS, SITES = 5, 9


def one_hot(tokens, size=4):
    return sparse.csr_array(
        (np.ones(len(tokens)), (np.arange(len(tokens)), tokens)), shape=(len(tokens), size)
    )


def tangents(seed, kinds, documents=DOCUMENTS, sites=SITES, dtype=np.float64):
    generator = np.random.default_rng(seed)
    widths = {"narrow": 3, "wide": 6}
    factors = tuple(
        one_hot(generator.integers(4, size=sites))
        if kind == "tokens"
        else generator.standard_normal((sites, widths[kind])).astype(dtype)
        for kind in kinds
    )
    pooling = sparse.random_array((documents, sites), density=0.6, rng=generator, format="csr")
    return ParameterTangents("weight", factors, pooling)


def explicit_gradients(tangent):
    sites = np.ones((tangent.shape[1], 1))
    for factor in tangent.factors:
        values = factor.toarray() if isinstance(factor, sparse.csr_array) else factor
        sites = np.einsum("pi,pj->pij", sites, values).reshape(len(sites), -1)
    return tangent.pooling @ sites


KINDS = [
    ("wide",),
    ("tokens",),
    ("narrow", "wide"),
    ("tokens", "wide"),
    ("narrow", "tokens"),
    ("tokens", "narrow", "wide"),
    ("tokens", "tokens", "wide"),
]


@pytest.mark.parametrize("kinds", KINDS)
@pytest.mark.parametrize("block_bytes", [1, 300, 2**24])
@pytest.mark.parametrize("gathered_cost", [1, 10**9])
def test_gram_equals_the_product_of_explicit_gradients_on_every_route(
    kinds, block_bytes, gathered_cost, monkeypatch
):
    monkeypatch.setattr(gram, "BLOCK_BYTES", block_bytes)
    monkeypatch.setattr(gram, "GATHERED_COST", gathered_cost)
    first, second = tangents(0, kinds), tangents(1, kinds, documents=3, sites=7)
    rows, columns = explicit_gradients(first), explicit_gradients(second)
    np.testing.assert_allclose(tangent_gram(first), rows @ rows.T, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(tangent_gram(first, second), rows @ columns.T, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("cheaper", [True, False])
def test_document_gradients_and_site_grams_agree(cheaper, monkeypatch):
    monkeypatch.setattr(gram, "_gradients_are_cheaper", lambda first, second: cheaper)
    monkeypatch.setattr(gram, "BLOCK_BYTES", 500)
    first, second = tangents(2, ("wide", "narrow")), tangents(3, ("wide", "narrow"), documents=4)
    rows, columns = explicit_gradients(first), explicit_gradients(second)
    np.testing.assert_allclose(tangent_gram(first, second), rows @ columns.T, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(tangent_gram(first), rows @ rows.T, rtol=1e-12, atol=1e-12)


def test_the_route_with_fewer_multiplications_is_taken():
    few_long = tangents(0, ("wide", "narrow"), documents=1, sites=200)
    many_short = tangents(0, ("wide", "narrow"), documents=200, sites=5)
    assert gram._gradients_are_cheaper(few_long, few_long)
    assert not gram._gradients_are_cheaper(many_short, many_short)


@pytest.mark.parametrize("kinds", KINDS)
def test_gram_of_one_set_is_symmetric_to_the_last_bit(kinds, monkeypatch):
    monkeypatch.setattr(gram, "BLOCK_BYTES", 300)
    kernel = tangent_gram(tangents(4, kinds))
    np.testing.assert_array_equal(kernel, kernel.T)


def test_float32_factors_give_a_float64_kernel_of_float32_accuracy():
    single = tangents(5, ("wide", "narrow"), dtype=np.float32)
    kernel = tangent_gram(single)
    rows = explicit_gradients(single)
    assert kernel.dtype == np.float64
    np.testing.assert_allclose(kernel, rows @ rows.T, rtol=1e-5, atol=1e-5)


def test_factors_with_another_number_of_sites_are_refused():
    with pytest.raises(ValueError, match=r"factors of 'weight'.*9 sites, not \[9, 8\] rows"):
        ParameterTangents("weight", (np.ones((9, 2)), np.ones((8, 2))), sparse.csr_array(np.ones((2, 9))))


def test_tangents_of_different_parameters_are_refused():
    other = tangents(0, ("wide",))
    with pytest.raises(ValueError, match="first's parameter, 'weight', not 'bias'"):
        tangent_gram(other, ParameterTangents("bias", other.factors, other.pooling))
