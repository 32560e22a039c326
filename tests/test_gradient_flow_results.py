"""What a gradient flow returns: named tables, its eigenvalue, its default time, and refusals in full."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from scipy.special import expit

import ntklib
from ntklib.corpora import Corpus
from ntklib.documents import Documents
from ntklib.dynamics import named_probes
from ntklib.feature_kernel import FeatureKernel, default_time
from ntklib.kernel_operator import largest_eigenvalue

MLP = ntklib.MLP
DOCUMENTS = [[0, 1], [2, 1], [3, 3, 0], [2]]


@pytest.fixture(scope="module")
def flow():
    return ntklib.gradient_flow(MLP(), (DOCUMENTS, [1, 0, 1, 0]), [0.5, 1.0], {"good": [0], "bad": [2]})


@pytest.fixture(scope="module")
def flow_of_three_classes():
    return ntklib.gradient_flow(MLP(), (DOCUMENTS, [1, 0, 2, 0]), [0.5, 1.0], {"good": [0], "bad": [2]})


def test_tables_name_their_axes(flow, flow_of_three_classes):
    assert flow.scores.index.name == "time"
    assert flow.scores.columns.name == "probe"
    assert flow.scores.columns.tolist() == ["good", "bad"]
    assert list(flow_of_three_classes.scores.columns.names) == ["probe", "class"]
    parts = flow.attribution("good")
    assert parts.index.equals(pd.RangeIndex(4))
    assert parts.index.name == "document"
    assert list(parts.columns.names) == ["pattern", "group"]
    assert set(parts.columns.get_level_values("pattern")) == {"bias", "offset 0"}
    assert set(parts.columns.get_level_values("group")) == {"output", "hidden", "embedding"}


def test_probes_that_are_tuples_stay_one_column_each():
    flow = ntklib.gradient_flow(MLP(), (DOCUMENTS, [1, 0, 1, 0]), [1.0], [[0, 1], [2]])
    assert flow.scores.columns.tolist() == [(0, 1), (2,)]
    assert not isinstance(flow.scores.columns, pd.MultiIndex)


def test_residuals_are_those_of_the_time_that_was_asked_for(flow):
    labels = np.array([1, 0, 1, 0])
    for time in (0.5, 1.0):
        assert flow.residuals(time) == pytest.approx(labels - expit(flow.predict(DOCUMENTS, time)), rel=1e-12)
    assert not np.allclose(flow.residuals(0.5), flow.residuals(1.0))
    assert flow.residuals() == pytest.approx(flow.residuals(1.0), rel=1e-14)


@pytest.mark.parametrize("label", [0, 1, 2])
def test_attribution_of_each_class_adds_up_to_its_score(flow_of_three_classes, label):
    parts = flow_of_three_classes.attribution("bad", 0.5, label)
    expected = flow_of_three_classes.scores.loc[0.5, ("bad", label)]
    assert parts.to_numpy().sum() == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("label", [None, -1, 3])
def test_a_class_that_is_missing_or_unknown_is_refused(flow_of_three_classes, label):
    message = f"label must be a class, 0 to 2, not {label}."
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        flow_of_three_classes.attribution("good", label=label)


def test_a_name_like_no_probe_gets_no_suggestion(flow):
    with pytest.raises(ValueError, match=r"^probe 'xyzzy' is not one of the flow's probes\.$"):
        flow.attribution("xyzzy")
    with pytest.raises(ValueError, match=r"probes\. Did you mean 'bad'\?$"):
        flow.attribution("bat")


def test_a_time_is_recognised_to_nine_digits(flow):
    assert flow.predict([[0]], 0.5 * (1 + 1e-10)) == pytest.approx(flow.predict([[0]], 0.5), abs=0)
    for wrong in (0.5 * (1 + 1e-8), 0.0):
        with pytest.raises(ValueError, match="time must be one of the recorded times"):
            flow.predict([[0]], wrong)


@pytest.mark.parametrize("count", [1, 2, 3, 30])
def test_largest_eigenvalue_is_that_of_the_dense_kernel_from_above(count):
    rng = np.random.default_rng(count)
    docs = [rng.integers(0, 9, rng.integers(1, 6)).tolist() for _ in range(count)]
    exact = np.linalg.eigvalsh(MLP().kernel(docs)).max()
    found = FeatureKernel(MLP().feature_map(docs)).largest_eigenvalue()
    # To one part in a thousand, from above; of one or two documents exactly, but for rounding.
    assert exact * (1 - 1e-12) <= found <= exact * 1.0011
    if count < 3:
        assert found == pytest.approx(exact, rel=1e-12)


def test_largest_eigenvalue_is_found_among_close_ones():
    eigenvalues = np.linspace(1, 2, 300)
    assert 2 <= largest_eigenvalue(lambda vector: eigenvalues * vector, 300) <= 2 * 1.0011


def test_a_start_reaches_the_largest_eigenvalue_of_centred_features():
    """Ones, the usual start, are in the null space of a centred kernel."""
    features = MLP("identity").feature_map([[0], [1], [2], [3]])
    whole = features.matrix.toarray()
    kernel = FeatureKernel(replace(features, matrix=sparse.csr_array(whole - whole.mean(axis=0))))
    exact = np.linalg.eigvalsh(kernel(np.eye(4))).max()
    assert exact <= kernel.largest_eigenvalue(np.arange(4.0)) <= exact * 1.0011


def test_learning_rate_limit_is_two_over_curvature_times_eigenvalue(flow, flow_of_three_classes):
    for result, curvature in ((flow, 1 / 4), (flow_of_three_classes, 1 / 2)):
        limit = 2 / (curvature * result.largest_eigenvalue)
        assert result.largest_stable_learning_rate == pytest.approx(limit, rel=1e-14)


def test_default_time_is_ten_over_the_mean_diagonal_without_the_bias():
    model = MLP("relu")
    weights = model.pattern_weights().sum(axis=1)
    token, bias = weights.loc[[(0,)]].item(), weights.loc[[()]].item()
    docs = [[0, 0], [1]]
    assert default_time(model.feature_map(docs)) == pytest.approx(10 / (token * (4 + 1) / 2), rel=1e-12)
    assert bias > 0

    class OnlyBias(MLP):
        def pattern_weights(self, order=None):
            table = super().pattern_weights()
            table.loc[[(0,)]] = 0.0
            return table

    # The bias counts only where there is nothing else: |x|² B on the diagonal.
    assert default_time(OnlyBias().feature_map(docs)) == pytest.approx(10 / (bias * (4 + 1) / 2), rel=1e-12)


def test_default_time_of_a_kernel_of_zero_is_refused():
    message = "the documents have a kernel of zero: there is nothing to learn from, at any time."
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        default_time(MLP(lambda z: 0 * z).feature_map([[0], [1]]))


def test_a_kernel_of_zero_is_refused_in_full():
    message = "architecture has a kernel of zero: its activation is zero everywhere, so it learns nothing."
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        ntklib.gradient_flow(MLP(lambda z: 0 * z), ([[0], [1]], [1, 0]), [1.0])


def test_a_corpus_may_lack_documents_of_one_of_its_classes_and_a_pair_may_not():
    corpus = Corpus.of([[0], [1]], [0, 2], ["a", "b"], ["x", "y", "z"])
    scores = ntklib.gradient_flow(MLP(), corpus, [1.0]).scores
    assert scores.columns.tolist() == [(token, label) for token in "ab" for label in range(3)]
    message = "labels are [0, 2]: number the classes 0, 1, 2, ... without gaps."
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        ntklib.gradient_flow(MLP(), ([[0], [1]], [0, 2]), [1.0])


def test_a_single_class_is_refused_in_full():
    message = "corpus has the single class 'x': its labels leave nothing to learn."
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        ntklib.gradient_flow(MLP(), Corpus.of([[0], [1]], [0, 0], ["a", "b"], ["x"]), [1.0])


def test_probes_are_every_token_unless_named():
    docs = Documents.of([[5, 2], [2, 9]])
    assert named_probes(None, docs, None) == {2: [2], 5: [5], 9: [9]}
    corpus = Corpus.of([[0], [1]], [0, 1], ["a", "b"], ["x", "y"])
    assert named_probes(None, docs, corpus) == {"a": [0], "b": [1]}
    assert named_probes([[2, 9]], docs, None) == {(2, 9): [2, 9]}
    with pytest.raises(ValueError, match=r"probes\[0\] holds token id 2"):
        named_probes([[2]], docs, corpus)


def test_tolerance_is_a_ten_thousandth_unless_given():
    docs, labels = DOCUMENTS, [1, 0, 1, 0]
    plain, named = (
        ntklib.gradient_flow(MLP(), (docs, labels), [1.0], **more) for more in ({}, {"tolerance": 1e-4})
    )
    assert plain.scores.equals(named.scores)
