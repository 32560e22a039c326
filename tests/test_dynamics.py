"""Gradient flow in feature space: against an independent solver, against limits, and its attribution."""

import numpy as np
import pytest
from scipy import sparse
from scipy.integrate import solve_ivp
from scipy.special import expit, softmax

import ntklib
from ntklib import feature_kernel, feature_tiles
from ntklib.chebyshev import integrate
from ntklib.corpora import Corpus

MLP = ntklib.MLP


def random_corpus(seed: int, documents: int = 40, vocabulary: int = 30, classes: int = 2):
    rng = np.random.default_rng(seed)
    docs = [rng.integers(0, vocabulary, rng.integers(1, 12)).tolist() for _ in range(documents)]
    return docs, rng.integers(0, classes, documents)


def flow_by_an_implicit_solver(kernel_train, kernel_probe, rate, shape, time):
    """Radau on the dense kernel: shares no code with the flow in feature space."""
    solution = solve_ivp(
        lambda t, a: rate(kernel_train @ a.reshape(shape)).ravel(),
        (0, time),
        np.zeros(shape).ravel(),
        method="Radau",
        rtol=1e-9,
        atol=1e-11,
    )
    return kernel_probe @ solution.y[:, -1].reshape(shape)


@pytest.mark.parametrize("activation", ["relu", "tanh", "gelu"])
@pytest.mark.parametrize("tolerance", [1e-3, 1e-5])
def test_flow_equals_an_implicit_solver_on_the_dense_kernel(activation, tolerance):
    docs, labels = random_corpus(0)
    model = MLP(activation)
    probes = [[u] for u in range(30)]
    flow = ntklib.gradient_flow(model, (docs, labels), [0.05, 2.0], probes, tolerance=tolerance)
    reference = flow_by_an_implicit_solver(
        model.kernel(docs), model.kernel(probes, docs), lambda s: labels - expit(s), (40,), 2.0
    )
    assert flow.scores.loc[2.0].to_numpy() == pytest.approx(reference, abs=20 * tolerance)


def test_softmax_flow_equals_an_implicit_solver_on_the_dense_kernel():
    docs, labels = random_corpus(1, classes=3)
    model = MLP("relu")
    probes = {f"token {u}": [u] for u in range(30)}
    flow = ntklib.gradient_flow(model, (docs, labels), [1.0], probes, tolerance=1e-5)
    reference = flow_by_an_implicit_solver(
        model.kernel(docs),
        model.kernel(list(probes.values()), docs),
        lambda s: np.eye(3)[labels] - softmax(s, axis=1),
        (40, 3),
        1.0,
    )
    assert flow.scores.to_numpy().reshape(30, 3) == pytest.approx(reference, abs=2e-4)
    assert flow.scores.columns[4] == ("token 1", 1)


def test_initial_scores_shift_the_residuals_but_not_the_change_at_time_zero():
    docs, labels = random_corpus(3)
    initial = np.linspace(-3, 3, len(docs))
    plain = ntklib.gradient_flow(MLP(), (docs, labels), [0, 1e-7])
    shifted = ntklib.gradient_flow(MLP(), (docs, labels), [0, 1e-7], initial_scores=initial)
    assert (shifted.scores.loc[0] == 0).all()
    velocity = MLP().kernel([[u] for u in shifted.scores.columns], docs) @ (labels - expit(initial))
    assert shifted.scores.loc[1e-7].to_numpy() / 1e-7 == pytest.approx(velocity, rel=1e-3, abs=1e-3)
    assert not np.allclose(plain.scores.loc[1e-7], shifted.scores.loc[1e-7])


def test_first_velocity_is_co_occurrence_plus_feature_bias():
    """``ds_u/dt = A Σ_i r_i n_u(x_i) + B Σ_i r_i |x_i|`` at t = 0, where every residual is ±1/2."""
    docs, labels = random_corpus(4)
    model = MLP("relu")
    weights = model.pattern_weights().sum(axis=1)
    residuals = labels - 0.5
    flow = ntklib.gradient_flow(model, (docs, labels), [1e-8], {u: [u] for u in range(30)})
    for u in range(30):
        co_occurrence = sum(r * d.count(u) for r, d in zip(residuals, docs, strict=True))
        bias = sum(r * len(d) for r, d in zip(residuals, docs, strict=True))
        expected = weights.loc[[(0,)]].item() * co_occurrence + weights.loc[[()]].item() * bias
        assert flow.scores.loc[1e-8, u] / 1e-8 == pytest.approx(expected, abs=1e-4)


def test_a_token_never_seen_moves_by_the_feature_bias_alone():
    docs, labels = [[0, 1], [2]], [1, 1]
    probes = {"seen": [0], "unseen": [9]}
    relu = ntklib.gradient_flow(MLP("relu"), (docs, labels), [1.0], probes).scores.loc[1.0]
    tanh = ntklib.gradient_flow(MLP("tanh"), (docs, labels), [1.0], probes).scores.loc[1.0]
    assert relu["unseen"] > 0.1
    assert tanh["unseen"] == 0


def test_attribution_adds_up_to_the_score():
    docs, labels = random_corpus(5)
    flow = ntklib.gradient_flow(MLP(), (docs, labels), [0.1, 1.0], {"pair": [3, 4]})
    for time in (0.1, 1.0):
        parts = flow.attribution("pair", time)
        assert parts.shape == (40, 2 * 3)
        assert parts.to_numpy().sum() == pytest.approx(flow.scores.loc[time, "pair"], rel=1e-10)
    assert flow.attribution([3, 4]).equals(flow.attribution("pair"))


def test_attribution_by_group_is_the_kernel_by_group():
    docs, labels = random_corpus(6)
    flow = ntklib.gradient_flow(MLP(), (docs, labels), [1.0], {"pair": [3, 4]})
    parts = flow.attribution("pair")
    for group, kernel in MLP().kernel_by_group([[3, 4]], docs).items():
        assert parts.xs(group, axis=1, level="group").sum(axis=1).to_numpy() == pytest.approx(
            kernel[0] * flow.dual[-1], rel=1e-10
        )


def test_predictions_of_documents_follow_the_kernel():
    docs, labels = random_corpus(7)
    flow = ntklib.gradient_flow(MLP(), (docs, labels), [0.5, 1.0])
    new = [[1, 2, 99], [4]]
    assert flow.predict(new) == pytest.approx(MLP().kernel(new, docs) @ flow.dual[-1], rel=1e-10)
    assert flow.predict(new, 0.5) == pytest.approx(MLP().kernel(new, docs) @ flow.dual[0], rel=1e-10)
    assert flow.residuals() == pytest.approx(labels - expit(flow.predict(docs)), rel=1e-10)


def test_full_batch_descent_is_stable_below_the_largest_learning_rate_and_not_above():
    """One document of residual near its largest curvature: s near 0 stays there or leaves."""
    kernel = MLP("identity").kernel([[0]])[0, 0]
    flow = ntklib.gradient_flow(MLP("identity"), ([[0], [0]], [0, 1]), [1.0])
    for factor, stable in ((0.9, True), (1.1, False)):
        rate, score = factor * flow.largest_stable_learning_rate, 1e-3
        for _ in range(200):
            score += rate * kernel * (0 - expit(score) + 1 - expit(score))
        assert (abs(score) < 1e-3) == stable


def test_stiff_problem_meets_the_tolerance():
    """Eigenvalues 1e6 apart, as the bias of ReLU and a rare token are."""
    rates = np.array([1.0, 1e6])
    states = list(
        integrate(
            lambda a: -rates * a + 1, np.zeros(2), np.array([0.5, 1.0]), 1e6, lambda e, a: abs(e).max() / 1e-6
        )
    )
    for time, state in zip((0.5, 1.0), states, strict=True):
        assert state == pytest.approx((1 - np.exp(-rates * time)) / rates, abs=1e-5)


def test_the_integrator_is_of_second_order():
    def error(tolerance):
        def norm(estimate, state):
            return abs(estimate[0]) / tolerance

        state = next(integrate(lambda a: a * (1 - a) - 1, np.ones(1), np.array([1.0]), 3.0, norm))
        reference = solve_ivp(lambda t, a: a * (1 - a) - 1, (0, 1), [1.0], rtol=1e-12, atol=1e-12).y[0, -1]
        return abs(state[0] - reference)

    coarse, fine = error(1e-5), error(1e-8)
    assert fine < coarse / 30  # order two: the error goes with tolerance to the power 2/3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"labels": [0, 1]}, "labels must be one for each of the 3 documents"),
        ({"labels": [0, 2, 0]}, r"labels are \[0, 2\]: number the classes 0, 1, 2"),
        ({"labels": [0, 1, -1]}, "labels must be 0 to 1, but one is -1"),
        ({"labels": [0, 1, 0.5]}, "labels must be integers 0, 1, ... not float64"),
        ({"times": [1.0, 0.5]}, "times must be 0 or larger and increase"),
        ({"times": [-1.0]}, "times must be 0 or larger and increase"),
        ({"times": []}, "times must be a sequence of finite numbers"),
        ({"times": [float("nan")]}, "times must be a sequence of finite numbers"),
        ({"tolerance": 0.0}, r"tolerance must be between 1e-12 \(rounding\) and 1, not 0.0"),
        ({"tolerance": 1.0, "solver": "implicit"}, r"tolerance must be between 1e-12 \(rounding\) and 1"),
        ({"solver": "implict"}, "solver must be one of auto, explicit, implicit.* Did you mean 'implicit'"),
        ({"probes": [[]]}, r"probes\[0\] is empty"),
        ({"initial_scores": [0.0]}, r"initial_scores must have shape \(3,\)"),
        ({"initial_scores": [0.0, float("nan"), 0.0]}, "initial_scores must be finite"),
    ],
)
def test_bad_input_names_the_argument(arguments, message):
    given = {"labels": [0, 1, 0], "times": [1.0], **arguments}
    labels, times = given.pop("labels"), given.pop("times")
    with pytest.raises(ValueError, match=message):
        ntklib.gradient_flow(MLP(), ([[0], [1], [0, 1]], labels), times, **given)


def test_a_kernel_of_zero_is_refused_and_not_divided_by():
    nothing = MLP(lambda z: 0 * z)
    with pytest.raises(ValueError, match="kernel of zero"):
        ntklib.gradient_flow(nothing, ([[0], [1]], [1, 0]), [1.0])
    with pytest.raises(ValueError, match="all zero"):
        nothing.spectrum(order=1)


def test_probes_outside_the_vocabulary_and_a_corpus_without_labels_are_refused():
    corpus = ntklib.load_corpus("planted:polarity", limit=20)
    with pytest.raises(ValueError, match=r"probes\[0\] holds token id 1000000"):
        ntklib.gradient_flow(MLP(), corpus, [1.0], {"far": [10**6]})
    single = Corpus.of([[0], [1]], [0, 0], ["a", "b"], ["text"])
    with pytest.raises(ValueError, match="corpus has the single class 'text'"):
        ntklib.gradient_flow(MLP(), single, [1.0])


def test_an_unknown_probe_is_refused_with_the_nearest_name():
    flow = ntklib.gradient_flow(MLP(), ([[0]], [1]), [1.0], {"good": [0]})
    with pytest.raises(ValueError, match=r"'goood' is not one of the flow's probes. Did you mean 'good'"):
        flow.attribution("goood")


def test_an_unrecorded_time_is_refused_with_the_recorded_ones():
    flow = ntklib.gradient_flow(MLP(), ([[0]], [1]), [1.0, 2.0])
    with pytest.raises(ValueError, match=r"time must be one of the recorded times, \[1.0, 2.0\], not 1.5"):
        flow.predict([[0]], 1.5)


@pytest.mark.parametrize("model", [MLP("relu"), ntklib.CNN(3, "gelu"), ntklib.Attention()])
@pytest.mark.parametrize("shape", [(), (3,)])
def test_the_order_of_the_features_changes_no_bit_of_a_product(model, shape, monkeypatch):
    monkeypatch.setattr(feature_tiles, "PIECE", 17)
    features = model.feature_map(random_corpus(6)[0])
    kernel = feature_kernel.FeatureKernel(features)
    dual = np.random.default_rng(0).standard_normal((40, *shape))
    scores = (features.weights * (features.matrix.T.tocsr() @ dual).T).T
    np.testing.assert_array_equal(kernel.feature_scores(dual), scores)
    np.testing.assert_array_equal(kernel(dual), features.matrix @ scores)


@pytest.mark.parametrize("model", [MLP("relu"), ntklib.CNN(3, "gelu")])
@pytest.mark.parametrize("shape", [(), (3,)])
@pytest.mark.parametrize(
    ("one_block", "frequent", "rare", "tile"), [(10**6, 1, 1, 7), (3, 2, 5, 7), (3, 3, 1, 99)]
)
def test_tiles_and_blocks_of_features_change_a_product_by_rounding_alone(
    model, shape, one_block, frequent, rare, tile, monkeypatch
):
    for name, value in (("ONE_BLOCK", one_block), ("FREQUENT", frequent), ("RARE", rare), ("TILE", tile)):
        monkeypatch.setattr(feature_tiles, name, value)
    documents = random_corpus(6)[0]
    columns = model.feature_map([*documents, [90, 91, 92]]).columns  # some features are in no document
    features = model.feature_map(documents, columns)
    kernel = feature_kernel.FeatureKernel(features)
    assert len(kernel._blocks) == (1 if one_block > 3 else 1 + -(-(len(columns) - frequent) // rare))
    rows, rng = features.matrix.toarray(), np.random.default_rng(0)
    dual, values = rng.standard_normal((40, *shape)), rng.standard_normal((len(columns), *shape))
    pulls = (rows.T @ dual)[kernel._order]
    np.testing.assert_allclose(kernel.pulls(dual), pulls, rtol=0, atol=1e-12)
    np.testing.assert_allclose(kernel.scores(values), rows[:, kernel._order] @ values, rtol=0, atol=1e-12)
    squares = (rows.T**2 @ dual)[kernel._order]
    np.testing.assert_allclose(kernel.pulls_of_squares(dual), squares, rtol=0, atol=1e-11)
    scores = (features.weights * (rows.T @ dual).T).T
    np.testing.assert_allclose(kernel.feature_scores(dual), scores, rtol=0, atol=1e-12)
    np.testing.assert_allclose(kernel(dual), rows @ scores, rtol=0, atol=1e-11)


def test_a_kernel_of_no_documents_is_empty():
    kernel = feature_kernel.FeatureKernel(MLP().count_feature_map(sparse.csr_array((0, 3))))
    assert kernel(np.ones(0)).tolist() == []
    assert (kernel.pulls(np.ones(0)) == 0).all()
    assert (kernel.pulls_of_squares(np.ones(0)) == 0).all()


@pytest.mark.parametrize("piece", [1, 2**20])
def test_features_are_kept_by_frequency_and_then_by_first_occurrence(piece, monkeypatch):
    monkeypatch.setattr(feature_tiles, "PIECE", piece)
    features = MLP("identity").feature_map([[4, 2], [2, 1], [2, 4, 3]])
    order = feature_tiles.by_frequency(features.matrix)
    assert [features.columns[int(i)].tokens for i in order] == [(), (2,), (4,), (1,), (3,)]


def test_many_equally_frequent_features_keep_the_order_of_their_first_occurrence():
    columns = np.tile(np.random.default_rng(0).permutation(400), 2)
    once_each = sparse.csr_array((np.ones(800), columns, np.arange(801)), shape=(800, 400))
    assert feature_tiles.by_frequency(once_each).tolist() == columns[:400].tolist()


def test_frequencies_count_as_far_as_16_bits_hold():
    """Beyond, the order is that of first occurrence, and no count starts again from 0."""
    rows = np.zeros((65_540, 4))
    rows[:65_536, 1] = rows[3:, 2] = rows[:65_534, 3] = rows[:20, 0] = 1
    assert feature_tiles.by_frequency(sparse.csr_array(rows)).tolist() == [1, 2, 3, 0]


def test_features_of_no_document_score_nothing():
    columns = MLP("identity").feature_map([[0], [1], [2]]).columns
    features = MLP("identity").feature_map([[1, 0], [1]], columns)
    kernel = feature_kernel.FeatureKernel(features)
    scores = kernel.feature_scores(np.array([1.0, 2.0]))
    assert kernel.features is features
    assert scores.tolist() == (features.weights * (features.matrix.T @ np.array([1.0, 2.0]))).tolist()
    assert scores[list(columns).index(((0,), (2,)))] == 0
