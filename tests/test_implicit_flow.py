"""The implicit solver of the flow: against other solvers, its order, its cost, and what it refuses."""

import tracemalloc
from dataclasses import replace
from functools import partial
from unittest import mock

import numpy as np
import pytest
from scipy.special import expit

import ntklib
from benchmarks.scale import sentences
from ntklib import feature_tiles, implicit_flow
from ntklib.feature_kernel import FeatureKernel
from ntklib.implicit_flow import STIFF, _LinearSystems, _step, integrate_implicitly, solve_flow
from ntklib.logistic_flow import (
    FlowProblem,
    integrate_residuals,
    probabilities,
    probability_change,
    targets_of,
)
from tests.test_dynamics import flow_by_an_implicit_solver, random_corpus

MODELS = [ntklib.MLP("relu"), ntklib.MLP("tanh"), ntklib.CNN(3, "gelu")]


class CountingKernel(FeatureKernel):
    """Counts what is asked of the features, in products with the kernel: two halves."""

    halves = 0

    def __call__(self, dual):
        self.halves += 2
        return super().__call__(dual)

    def pulls(self, dual):
        self.halves += 1
        return super().pulls(dual)

    def scores(self, ordered):
        self.halves += 1
        return super().scores(ordered)

    @property
    def products(self):
        return self.halves / 2


def problem(model, classes=2, seed=0, documents=40, copies=1):
    docs, labels = random_corpus(seed, documents=documents, classes=classes)
    return problem_of(model, docs * copies, np.tile(labels, copies), classes)


def problem_of(model, docs, labels, classes):
    kernel = CountingKernel(model.feature_map(docs))
    targets = targets_of(labels, classes)
    return FlowProblem(kernel, kernel.largest_eigenvalue(), targets, np.zeros(targets.shape))


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("tolerance", [1e-2, 1e-4])
def test_implicit_equals_explicit_within_the_tolerance(model, classes, tolerance):
    flow = problem(model, classes)
    times = np.array([0.0, 1e-3, 0.5, 20.0])
    exact = integrate_residuals(flow, times, 1e-8)
    found = np.stack(list(integrate_implicitly(flow, times, tolerance)))
    assert (found[0] == 0).all()
    for one, other in zip(found, exact, strict=True):
        right = flow.kernel(other)
        assert np.abs((flow.kernel(one) - right) / (1 + np.abs(right))).max() <= tolerance


@pytest.mark.parametrize("tolerance", [1e-3, 1e-6])
def test_implicit_equals_a_solver_on_the_dense_kernel(tolerance):
    docs, labels = random_corpus(0)
    model = ntklib.MLP("relu")
    start = np.linspace(-3, 3, len(docs))
    flow = ntklib.gradient_flow(
        model, (docs, labels), [2.0], solver="implicit", tolerance=tolerance, initial_scores=start
    )
    dense = model.kernel(docs)
    reference = flow_by_an_implicit_solver(
        dense, dense, lambda s: labels - expit(start + s), start.shape, 2.0
    )
    assert dense @ flow.dual[-1] == pytest.approx(reference, abs=4 * tolerance)


def test_a_step_is_of_fourth_order():
    flow = problem(ntklib.MLP("tanh"))
    time = 0.02

    def scores(steps):
        systems, now = _LinearSystems(flow.kernel, 1e-13), flow.initial
        for _ in range(steps):
            systems.at(now, implicit_flow.GAMMA * time / steps)
            now = now + _step(systems, flow, now, time / steps)[1]
        return now

    right = scores(256)
    errors = [np.abs(scores(steps) - right).max() for steps in (4, 8, 16)]
    assert np.log2(errors[0] / errors[1]) == pytest.approx(4, abs=0.1)
    assert np.log2(errors[1] / errors[2]) == pytest.approx(4, abs=0.1)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("block", [1, 50, 2**20])
def test_curvature_is_that_of_the_features(classes, block, monkeypatch):
    monkeypatch.setattr(feature_tiles, "PIECE", block)
    flow = problem(ntklib.CNN(2), classes)
    kernel, targets = flow.kernel, flow.targets
    rng = np.random.default_rng(0)
    chances = probabilities(rng.standard_normal(targets.shape))
    rows = np.ascontiguousarray(kernel.matrix.toarray()[:, kernel._order])
    values = rng.standard_normal((rows.shape[1], *targets.shape[1:]))
    curvature = kernel.curvature(chances)
    if classes == 2:
        each = chances[:, None, None] * (1 - chances[:, None, None])
    else:
        each = np.eye(classes) * chances[:, :, None] - chances[:, :, None] * chances[:, None, :]
    shaped = values.reshape(len(values), -1)
    right = np.einsum("iu,icd,iv,vd->uc", rows, each, rows, shaped).reshape(values.shape)
    assert curvature(values) == pytest.approx(right, abs=1e-12)
    diagonal = np.einsum("iu,icc->uc", rows**2, each).reshape(values.shape)
    assert curvature.diagonal() == pytest.approx(diagonal, abs=1e-12)


@pytest.mark.parametrize("factor", [1e-6, 1.0, 1e6])
def test_a_linear_system_leaves_no_larger_error_than_it_may(factor):
    flow = problem(ntklib.MLP("relu"))
    kernel, initial = flow.kernel, flow.initial
    systems = _LinearSystems(kernel, 1e-5)
    systems.at(initial + 0.5, factor)
    right = flow.rate(initial)
    dense = kernel(np.eye(len(kernel)))
    chances = expit(initial + 0.5)
    exact = np.linalg.solve(np.eye(len(kernel)) + factor * (chances * (1 - chances))[:, None] * dense, right)
    for _ in range(3):  # the first one finds out how the residual and the error go together
        found, scores = systems.solve(right)
        assert scores == pytest.approx(kernel(found), abs=1e-9)
        assert np.abs((scores - dense @ exact) / 1.5).max() <= 1e-5


def test_scaled_by_its_diagonal_a_system_of_text_takes_few_products():
    """Frequent tokens have a thousand times the curvature of rare ones."""
    documents, labels = next(sentences(10_000))
    kernel = CountingKernel(ntklib.MLP("tanh").feature_map(documents))
    factor = 4000 / kernel.largest_eigenvalue()

    def products(scaled):
        systems = _LinearSystems(kernel, 1e-4)
        systems.at(np.zeros(len(labels)), factor)
        if not scaled:
            systems.diagonal = np.ones(len(kernel.weights))
        kernel.halves = 0
        systems.solve(factor * (labels - 0.5))
        return kernel.products

    assert products(scaled=True) < products(scaled=False) / 3


def test_its_cost_hardly_grows_with_the_number_of_documents():
    """A hundred copies of each document have a hundred times the largest eigenvalue."""
    products = {}
    for copies in (10, 1000):
        flow = problem(ntklib.MLP("relu"), documents=30, copies=copies)
        for solver in ("explicit", "implicit"):
            flow.kernel.halves = 0
            solve_flow(flow, np.array([1.0]), 1e-2, solver)
            products[solver, copies] = flow.kernel.products
    assert products["explicit", 1000] > 6 * products["explicit", 10]
    assert products["implicit", 1000] < 3 * products["implicit", 10]


def least_stiffness(kernel):
    """From which on the implicit solver is taken by itself."""
    return STIFF * (1 + 5 * len(kernel.weights) / kernel.entries) ** 2


@pytest.mark.parametrize("model", [ntklib.MLP("tanh"), ntklib.CNN(3)])
def test_where_it_is_taken_by_itself_it_takes_fewer_products(model):
    documents, labels = next(sentences(300))
    flow = problem_of(model, documents, labels, 2)
    stiffness = 1.1 * least_stiffness(flow.kernel)
    products = []
    for solver in ("auto", "explicit"):
        flow.kernel.halves = 0
        solve_flow(flow, np.array([stiffness / flow.fastest_rate]), 1e-2, solver)
        products.append(flow.kernel.products)
    assert products[0] < products[1] / 2


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("times_stiff", [0.9, 1.1])
@pytest.mark.parametrize("model", [ntklib.MLP("tanh"), ntklib.CNN(3)])
def test_the_solver_is_chosen_by_the_stiffness_and_the_features_for_an_entry(classes, times_stiff, model):
    flow = problem(model, classes, documents=5)
    above = times_stiff > 1
    time = (
        times_stiff
        * least_stiffness(flow.kernel)
        / (flow.largest_eigenvalue * (0.25 if classes == 2 else 0.5))
    )
    chosen = solve_flow(flow, np.array([time]), 0.1)
    solver, other = ("implicit", "explicit") if above else ("explicit", "implicit")
    own, another = (solve_flow(flow, np.array([time]), 0.1, one) for one in (solver, other))
    np.testing.assert_array_equal(chosen, own)
    assert (chosen != another).any()


def test_gradient_flow_takes_the_solver_that_is_asked_for():
    docs, labels = random_corpus(0)
    flow = problem(ntklib.MLP("relu"))
    duals = {}
    for solver in ("explicit", "implicit"):
        found = ntklib.gradient_flow(ntklib.MLP("relu"), (docs, labels), [1.0], solver=solver)
        duals[solver] = solve_flow(flow, np.ones(1), 1e-4, solver)
        np.testing.assert_array_equal(found.dual, duals[solver])
    assert (duals["explicit"] != duals["implicit"]).any()
    for default in (
        ntklib.gradient_flow(ntklib.MLP("relu"), (docs, labels), [1.0]).dual,
        solve_flow(flow, np.ones(1), 1e-4),
    ):
        np.testing.assert_array_equal(default, duals["explicit"])


def test_the_classifier_has_it_too():
    docs, labels = random_corpus(0)
    explicit = ntklib.NTKClassifier("mlp", input="tokens", time=1.0).fit(docs, labels)
    with mock.patch.object(implicit_flow, "STIFF", 0.0):
        implicit = ntklib.NTKClassifier("mlp", input="tokens", time=1.0).fit(docs, labels)
    assert (implicit.dual_ != explicit.dual_).any()
    assert implicit.decision_function(docs) == pytest.approx(explicit.decision_function(docs), abs=1e-3)


def test_what_is_not_finite_or_not_solved_is_refused_and_never_returned():
    flow = problem(ntklib.MLP("tanh"))
    no_number = replace(flow, initial=np.full_like(flow.initial, np.nan))
    with pytest.raises(FloatingPointError, match="not finite at time 0: the kernel holds NaN"):
        next(integrate_implicitly(no_number, np.ones(1), 1e-3))
    with (
        mock.patch.object(implicit_flow, "MOST_STEPS", 5),
        pytest.raises(FloatingPointError, match=r"took 5 steps to time .* not to 100: pass an earlier time"),
    ):
        next(integrate_implicitly(flow, np.array([100.0]), 1e-6))


def test_a_system_that_is_not_solved_shortens_the_step():
    flow = problem(ntklib.MLP("relu"))
    usual = next(integrate_implicitly(flow, np.array([1.0]), 1e-3))
    with mock.patch.object(implicit_flow, "MOST_ITERATIONS", 6):
        found = next(integrate_implicitly(flow, np.array([1.0]), 1e-3))
    assert (found != usual).any()
    assert flow.kernel(found) == pytest.approx(flow.kernel(usual), abs=1e-2)


def test_features_that_cannot_fit_are_refused_with_the_alternative():
    flow = problem(ntklib.MLP("tanh"))
    with (
        mock.patch("ntklib.memory.psutil.virtual_memory", return_value=mock.Mock(available=1000)),
        pytest.raises(MemoryError, match=r"31 features and 40 documents .* pass solver=.explicit"),
    ):
        next(integrate_implicitly(flow, np.ones(1), 1e-3))


def test_where_the_implicit_solver_does_not_fit_the_explicit_one_is_taken():
    flow = problem(ntklib.MLP("tanh"), documents=5)
    times = np.array([1000 * STIFF / flow.largest_eigenvalue])
    with mock.patch("ntklib.memory.psutil.virtual_memory", return_value=mock.Mock(available=1000)):
        chosen = solve_flow(flow, times, 0.1)
    np.testing.assert_array_equal(chosen, solve_flow(flow, times, 0.1, "explicit"))


def wide_problem(classes):
    """Many more features than documents."""
    rng = np.random.default_rng(0)
    docs = [rng.integers(0, 20_000, 40).tolist() for _ in range(800)]
    return problem_of(ntklib.CNN(3, "tanh"), docs, rng.integers(0, classes, len(docs)), classes)


@pytest.mark.parametrize(
    "made",
    [
        partial(problem, ntklib.MLP("tanh"), 2, documents=20_000),
        partial(problem, ntklib.MLP("tanh"), 3, documents=5_000),
        partial(wide_problem, 2),
        partial(wide_problem, 3),
    ],
    ids=["documents-2", "documents-3", "features-2", "features-3"],
)
def test_the_prediction_of_memory_bounds_it_and_is_below_twice_that(made):
    flow = made()
    solve_flow(flow, np.array([1e-9]), 1e-2, "implicit")
    tracemalloc.start()
    try:
        solve_flow(flow, np.array([1e-3]), 1e-2, "implicit")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak <= implicit_flow.predicted_bytes(flow) + 1e5
    assert implicit_flow.predicted_bytes(flow) < 2 * peak


def test_change_of_probabilities_is_their_derivative():
    rng = np.random.default_rng(0)
    for shape in [(5,), (5, 3)]:
        scores, change = rng.standard_normal((2, *shape))
        difference = (probabilities(scores + 1e-6 * change) - probabilities(scores - 1e-6 * change)) / 2e-6
        assert probability_change(probabilities(scores), change) == pytest.approx(difference, abs=1e-9)
