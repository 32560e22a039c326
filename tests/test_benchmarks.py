"""The benchmarks' own arithmetic, and that both sides of a comparison compute the same."""

import doctest
import json
from dataclasses import replace

import numpy as np
import pytest
import torch

import ntklib
from benchmarks import empirical_kernels, measure, plain_torch, released_epoch, run, texts
from benchmarks.peak_memory import RESET, extra_bytes

MODELS = {
    "mlp": (ntklib.MLP("gelu"), plain_torch.mlp),
    "cnn": (ntklib.CNN(3, "gelu"), plain_torch.cnn),
    "attention": (ntklib.Attention(), plain_torch.attention),
    "l-rnn": (ntklib.LRNN("tanh"), plain_torch.linearised_rnn),
    "matrix-vector": (ntklib.MatrixVector(), plain_torch.matrix_vector),
}


def made(name, count=6, width=5):
    return empirical_kernels.inputs(count, MODELS[name][0], width, "used", torch.float64)


@pytest.fixture
def comparison(monkeypatch):
    monkeypatch.setattr(measure, "peak_of", lambda *_: 0)
    return measure.Comparison("work", "against", (10, 20), np.ones, lambda x: 2 * x, lambda x: x + x)


def test_the_examples_in_the_docstrings_hold():
    assert doctest.testmod(measure).failed == 0


def test_the_fitted_exponent_is_that_of_a_power():
    sizes = np.array([64, 128, 512, 4096])
    assert measure.growth_exponent(sizes, 3e-7 * sizes**1.7) == pytest.approx(1.7)
    assert measure.growth_exponent([5], [1.0]) is None


def test_agreement_is_relative_to_the_largest_entry_that_both_sides_computed():
    theirs = np.array([[2.0, np.nan], [-8.0, np.nan]])
    assert measure.largest_difference(np.array([[2.0, 50.0], [-7.0, 0.0]]), theirs) == pytest.approx(1 / 8)


@pytest.mark.parametrize("ours", [np.ones(3), np.array([1.0, np.nan])])
def test_results_that_cannot_be_compared_are_an_error(ours):
    with pytest.raises(ValueError, match=r"not finite|nothing to compare"):
        measure.largest_difference(ours, np.ones(2))


def test_nothing_computed_by_the_other_side_is_an_error():
    with pytest.raises(ValueError, match="nothing to compare"):
        measure.largest_difference(np.ones(2), np.full(2, np.nan))


def test_the_other_sides_seconds_are_divided_by_its_share(comparison, monkeypatch):
    monkeypatch.setattr(measure, "processor_seconds", lambda run: (3.0, 5.0, run()))
    records = measure.measure("x", replace(comparison, share={20: 0.25}, targets={20: 4.0}))
    assert [r["seconds_other"] for r in records] == [3.0, 12.0]
    assert [r["wall_seconds_other"] for r in records] == [5.0, 20.0]
    assert [r["ratio"] for r in records] == [1.0, 4.0]
    assert [r["target"] for r in records] == [None, 4.0]
    assert records[0]["exponent_ntklib"] == pytest.approx(0)
    assert records[0]["exponent_other"] == pytest.approx(2)
    assert {r["agreement"] for r in records} == {0.0}


def test_no_time_is_kept_for_other_numbers(comparison):
    other = replace(comparison, theirs=lambda x: 2 * x + 1e-6)
    with pytest.raises(ValueError, match=r"x, N = 10: the two sides differ by 5.0e-07 .* 1e-10 is accepted"):
        measure.measure("x", other)
    records = measure.measure("x", replace(other, tolerance=None))
    assert records[0]["agreement"] == pytest.approx(5e-7, rel=1e-5)


def test_a_side_that_times_itself_is_believed(comparison):
    timed = replace(comparison, theirs=lambda x: measure.Timed(2 * x, 7.0, 9.0))
    assert {r["seconds_other"] for r in measure.measure("x", timed)} == {7.0}


def test_a_new_run_replaces_the_records_of_its_comparison_alone(tmp_path):
    path = tmp_path / "speed.json"
    run.keep("training-free", [{"name": "training-free", "N": 1}], path)
    run.keep("cnn-used", [{"name": "cnn-used", "N": 2}, {"name": "cnn-used", "N": 1}], path)
    run.keep("training-free", [{"name": "training-free", "N": 3}], path)
    kept = json.loads(path.read_text())
    assert [(r["name"], r["N"]) for r in kept["records"]] == [
        ("cnn-used", 1),
        ("cnn-used", 2),
        ("training-free", 3),
    ]
    assert set(kept["environments"]) == {"cnn-used", "training-free"}


@pytest.mark.skipif(not RESET.exists(), reason="the system keeps no high-water mark")
def test_peak_memory_is_that_of_an_array_that_was_freed_again():
    def work():
        np.ones(2**24)
        return np.ones(2**20)

    # The system counts pages in batches, some hundred kilobytes at a time.
    assert extra_bytes(work) == pytest.approx(2**27, abs=2**20)


@pytest.mark.parametrize("name", MODELS)
def test_a_network_in_plain_torch_has_the_scores_and_the_kernel_of_ntklibs(name):
    score, inputs = MODELS[name][1], made(name)
    with torch.no_grad():
        expected = inputs.network(inputs.docs)
    scores = torch.stack([score(inputs.weights, ids) for ids in inputs.ids])
    torch.testing.assert_close(scores, expected)
    kernel = empirical_kernels.by_ntklib(inputs)
    jacobians = empirical_kernels.by_jacobians(score, 4, None, inputs)
    np.testing.assert_allclose(jacobians, kernel, rtol=1e-9, atol=1e-10 * kernel.max())


# torch.func.jvp loads torch's own forward-mode rules, which use what torch calls deprecated.
@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")
def test_a_part_of_the_other_sides_work_is_as_large_as_is_said():
    inputs = made("mlp")
    part = empirical_kernels.by_jacobians(plain_torch.mlp, 2, 2, inputs)
    assert np.isfinite(part).sum() == 2 * 2 + 2 * (2 * 2)
    assert empirical_kernels.pairs_of_blocks(6, 2) == 6
    columns = empirical_kernels.by_vector_products(plain_torch.mlp, 2, inputs)
    kernel = empirical_kernels.by_ntklib(inputs)
    np.testing.assert_allclose(columns[:, :2], kernel[:, :2], rtol=1e-9)
    assert np.isnan(columns[:, 2:]).all()


def test_padding_does_not_change_the_scores_of_the_rebuilt_released_network():
    network = released_epoch.network(seed=0)
    docs = texts.ragged_documents(5)
    module = released_epoch.PaddedPerceptron(dict(network.named_parameters()))
    ((ids, _),) = released_epoch.loader(docs, np.zeros(5))
    torch.testing.assert_close(module(ids), network(docs))
