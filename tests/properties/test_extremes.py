"""Extreme sizes: standard deviations from 1e-6 to 1e3, documents of 1 to 10,000 tokens, networks of width 1.

What is right there is known by other means than the library's: the NTK in closed form with 50 digits, and the
identities that rescaling gives.
"""

import itertools
from collections import Counter

import mpmath
import numpy as np
import pytest
import scipy.signal
import torch

from ntklib import empirical_ntk, memory
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
from tests.properties.cases import DEEP

SIGMAS = (1e-6, 1e-3, 1.0, 30.0, 1e3)
LENGTHS = (1, 10, 1000, 10_000)


def relu_moments(covariance, variance):
    """Cho and Saul's ``K`` and ``K'`` in as many digits as mpmath is set to."""
    cosine = covariance / variance
    angle = mpmath.acos(cosine)
    root = mpmath.sqrt(1 - cosine**2)
    value = variance * (root + (mpmath.pi - angle) * cosine) / (2 * mpmath.pi)
    return value, (mpmath.pi - angle) / (2 * mpmath.pi)


def erf_moments(covariance, variance):
    """Williams' ``K``, and its derivative."""
    value = 2 / mpmath.pi * mpmath.asin(2 * covariance / (1 + 2 * variance))
    return value, 4 / (mpmath.pi * mpmath.sqrt((1 + 2 * variance) ** 2 - 4 * covariance**2))


MOMENTS = {"relu": relu_moments, "erf": erf_moments}


@pytest.mark.parametrize("activation", MOMENTS)
@pytest.mark.parametrize("window", [None, 1, 3])
def test_kernels_of_extreme_standard_deviations_equal_50_digits(activation, window):
    docs = [[0, 1, 2], [0, 1, 0]]  # windows of one, two and three equal tokens, and of none
    for sigma_e, sigma_w, sigma_v in itertools.product(SIGMAS, repeat=3):
        model = (
            MLP(activation, sigma_e, sigma_w, sigma_v)
            if window is None
            else CNN(window, activation, sigma_e, sigma_w, sigma_v)
        )
        with mpmath.workdps(50):
            width = window or 1
            exact = mpmath.mpf(0)
            one, other = ([None] * (width - 1) + document + [None] * (width - 1) for document in docs)
            e, w, v = (mpmath.mpf(sigma) ** 2 for sigma in (sigma_e, sigma_w, sigma_v))
            for start, begin in itertools.product(range(3 + width - 1), repeat=2):
                pairs = zip(one[start : start + width], other[begin : begin + width], strict=True)
                # A boundary token, None here, equals the one at the same place alone.
                equal = sum(left == right and (left is not None or start == begin) for left, right in pairs)
                value, slope = MOMENTS[activation](e * w * equal / width, e * w)
                exact += value + v * (e + w) * slope * equal / width
        assert model.kernel(docs)[0, 1] == pytest.approx(float(exact), rel=1e-12)


@pytest.mark.parametrize("scale", [1e-6, 1e-3, 30.0, 1e3])
def test_a_rescaled_relu_network_has_the_kernel_that_the_identity_says(scale):
    """``φ(cz) = cφ(z)``: ``c`` in σ_e or σ_w multiplies the output weights' part by c² and leaves ``φ'``."""
    docs = [[0, 1, 2], [0, 1, 0], [3]]
    for model in (MLP("relu"), CNN(3, "relu")):
        before = model.kernel_by_group(docs)
        after = type(model)(activation="relu", sigma_e=scale).kernel_by_group(docs)
        assert after["output"] == pytest.approx(scale**2 * before["output"], rel=1e-12)
        assert after["hidden"] == pytest.approx(scale**2 * before["hidden"], rel=1e-12)
        assert after["embedding"] == pytest.approx(before["embedding"], rel=1e-12)


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("sigma", SIGMAS)
@pytest.mark.parametrize("activation", ["relu", "tanh", "gelu"])
def test_a_document_of_one_repeated_token_has_the_kernel_in_closed_form(length, sigma, activation):
    """``Θ(x, x) = L² Θ_unit`` of the MLP; of attention too, as all positions get the same."""
    docs = [[0] * length]
    mlp = MLP(activation, sigma, sigma, sigma)
    assert mlp.kernel(docs) == pytest.approx(length**2 * mlp.kernel([[0]]), rel=1e-12)
    attention = Attention(sigma, sigma, sigma)
    assert attention.kernel(docs) == pytest.approx(3.0 * sigma**4 * length**2, rel=1e-12)


def words(length, seed, vocabulary=3000):
    """A document whose tokens are as unequally frequent as words: a few often, hundreds once."""
    return (np.random.default_rng(seed).zipf(1.3, length) % vocabulary).tolist()


SETTINGS = [(1.0, 1.0, 1.0), (1e-40, 1e36, 1e-20), (30.0, 1e-3, 1e3)]


@pytest.mark.parametrize("activation", MOMENTS)
def test_an_mlp_kernel_of_ten_thousand_words_is_the_one_of_their_counts(activation):
    one, other = words(10_000, seed=0), words(10_000, seed=1)
    counts, others = Counter(one), Counter(other)
    assert len(counts) > 500
    same = sum(number * others[token] for token, number in counts.items())
    for sigma_e, sigma_w, sigma_v in SETTINGS:
        with mpmath.workdps(50):
            e, w, v = (mpmath.mpf(sigma) ** 2 for sigma in (sigma_e, sigma_w, sigma_v))
            value, slope = MOMENTS[activation](e * w, e * w)
            exact = same * (value + v * (e + w) * slope)
            exact += (10_000**2 - same) * MOMENTS[activation](mpmath.mpf(0), e * w)[0]
        kernel = MLP(activation, sigma_e, sigma_w, sigma_v).kernel([one, other])
        assert kernel[0, 1] == pytest.approx(float(exact), rel=1e-12, abs=0)


def pairs_by_matches(one, other, window):
    """How many pairs of windows have 0, 1, … aligned equal tokens, by comparing all positions."""
    padded = []
    for document in (one, other):
        edge = np.arange(window - 1)
        padded.append(np.concatenate([-1 - edge, document, -window - edge]))
    numbers = np.zeros(window + 1, dtype=np.int64)
    width = len(padded[1]) - window + 1
    for start in range(len(padded[0]) - window + 1):
        matches = np.zeros(width, dtype=np.int8)
        for offset in range(window):
            matches += padded[0][start + offset] == padded[1][offset : offset + width]
        numbers += np.bincount(matches, minlength=window + 1)
    return [int(number) for number in numbers]


@pytest.mark.parametrize("window", [2, 5])
def test_a_cnn_kernel_of_ten_thousand_words_is_the_sum_over_all_pairs_of_windows(window):
    one, other = words(10_000, seed=0), words(9_000, seed=1)
    numbers = pairs_by_matches(one, other, window)
    assert min(numbers) > 0
    for activation, (sigma_e, sigma_w, sigma_v) in itertools.product(MOMENTS, SETTINGS):
        with mpmath.workdps(50):
            e, w, v = (mpmath.mpf(sigma) ** 2 for sigma in (sigma_e, sigma_w, sigma_v))
            exact = mpmath.mpf(0)
            for equal, number in enumerate(numbers):
                value, slope = MOMENTS[activation](e * w * equal / window, e * w)
                exact += number * (value + v * (e + w) * slope * equal / window)
        kernel = CNN(window, activation, sigma_e, sigma_w, sigma_v).kernel([one, other])
        assert kernel[0, 1] == pytest.approx(float(exact), rel=1e-11, abs=0)


def attention_by_counts(counts, sigma):
    """What each distinct token gets from all positions, each of its own positions: sums of the softmax."""
    length, weight = sum(counts.values()), np.exp(float(sigma) ** 2)
    total = {token: length - number + number * weight for token, number in counts.items()}
    from_all = sum(number / total[token] for token, number in counts.items())
    return {token: from_all + number * (weight - 1) / total[token] for token, number in counts.items()}


@pytest.mark.parametrize("sigma_e", [1e-40, 0.5, 3.0, 20.0])
def test_an_attention_kernel_of_ten_thousand_words_is_the_one_of_their_counts(sigma_e):
    counts, others = (Counter(words(10_000, seed)) for seed in (0, 1))
    received, by_others = (attention_by_counts(some, sigma_e) for some in (counts, others))
    pooled = sum(
        number * received[token] * others[token] * by_others[token]
        for token, number in counts.items()
        if token in others
    )
    for sigma_w, sigma_v in ((1.0, 1.0), (1e-40, 1e30)):
        exact = (sigma_e**2 * sigma_w**2 + sigma_v**2 * (sigma_e**2 + sigma_w**2)) * pooled
        kernel = Attention(sigma_e, sigma_w, sigma_v).kernel([words(10_000, 0), words(10_000, 1)])
        assert kernel[0, 1] == pytest.approx(exact, rel=1e-11, abs=0)


def linear_rnn_exactly(model, length):
    """``Θ(x, x)`` of one repeated token for the linear RNN, by its recursion in 60 digits."""
    with mpmath.workdps(60):
        e, w, h, v = (
            mpmath.mpf(sigma) ** 2 for sigma in (model.sigma_e, model.sigma_w, model.sigma_h, model.sigma_v)
        )
        # Σ and Ψ of positions t and s depend on min(t, s) alone.
        state = change = total = mpmath.mpf(0)
        for reach in range(1, length + 1):
            state, change = e * w + h * state, e + w + state + h * change
            total += (2 * (length - reach) + 1) * (state + v * change)
        return total


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("sigma_h", SIGMAS)
def test_a_recurrent_kernel_of_any_length_is_right_or_refused(length, sigma_h):
    model = LinearRNN(sigma_h=sigma_h)
    exact = linear_rnn_exactly(model, length)
    docs = [[0] * length]
    if exact < mpmath.mpf(2) ** 1023:
        # Each of the steps rounds once, and their errors add up.
        assert model.kernel_diagonal(docs)[0] == pytest.approx(float(exact), rel=1e-15 * (length + 10))
    else:
        with pytest.raises(
            ValueError, match=f"larger than float64 can hold: it grows with sigma_h = {sigma_h:g}"
        ):
            model.kernel_diagonal(docs)


# A whole kernel takes the square of the length: the longest documents are left to `make test-deep`.
@pytest.mark.parametrize("make", [LRNN, LinearRNN, MatrixVector])
@pytest.mark.parametrize("length", LENGTHS if DEEP else (1, 10, 1000))
def test_kernel_feature_map_and_diagonal_of_long_documents_are_right_or_refused(make, length):
    grows = "sigma_a" if make is MatrixVector else "sigma_h"
    rng = np.random.default_rng(length)
    docs = [rng.integers(0, 3, length).tolist(), [0, 1]]
    for sigma in (1e-6, 0.5, 1.0, 1e3):
        model = make(**{grows: sigma})
        results = []
        for call in (model.kernel_diagonal, lambda docs, model=model: np.diag(model.kernel(docs))):
            try:
                results.append(call(docs))
            except ValueError as error:
                results.append(str(error))
        if isinstance(results[0], str):
            assert results[0] == results[1]
            assert f"{grows} = {sigma:g}" in results[0]
            assert sigma > 1
            assert length > 10
        else:
            assert np.isfinite(results[0]).all()
            if length <= 1000:  # the sum over positions holds each position's whole past
                apart = model.kernel_by_positions(docs[:1], docs[1:])
                assert model.kernel(docs[:1], docs[1:]) == pytest.approx(apart, rel=1e-12, abs=0)
            assert results[1] == pytest.approx(results[0], rel=1e-15 * (length + 100))
            features = model.feature_map(docs)
            own = features.matrix.multiply(features.matrix) @ features.weights
            assert own + features.error_bound == pytest.approx(results[0], rel=1e-12)


@pytest.mark.parametrize("length", [1000, 10_000] if DEEP else [1000])
@pytest.mark.parametrize("sigma_h", [1e-6, 0.5, 1.0])
def test_a_linear_recurrent_kernel_of_two_long_documents_is_a_filter_along_diagonals(length, sigma_h):
    """``Σ`` and ``Ψ`` at positions with one distance are what a filter makes of where tokens are equal."""
    one, other = (np.random.default_rng(seed).integers(0, 3, length) for seed in (0, 1))
    model, carried = LinearRNN(0.5, 2.0, sigma_h, 3.0), sigma_h**2
    exact = 0.0
    for distance in range(1 - length, length):
        equal = (
            one[max(distance, 0) :][: length - abs(distance)]
            == other[max(-distance, 0) :][: length - abs(distance)]
        ).astype(float)
        state = scipy.signal.lfilter([1.0], [1.0, -carried], equal)  # of q = 1
        before = np.concatenate([[0.0], state[:-1]])
        change = scipy.signal.lfilter([1.0], [1.0, -carried], (0.25 + 4.0) * equal + before)
        exact += state.sum() + 9.0 * change.sum()
    kernel = model.kernel([one.tolist()], [other.tolist()]).item()
    assert kernel == pytest.approx(exact, rel=1e-15 * (length + 100), abs=0)


@pytest.mark.parametrize("length", [1000, 10_000] if DEEP else [1000])
@pytest.mark.parametrize("sigma_a", [1e-6, 0.5, 1.0])
def test_a_matrix_vector_kernel_of_two_long_documents_is_the_one_of_their_common_suffixes(length, sigma_a):
    one, other = (np.random.default_rng(seed).integers(0, 3, length) for seed in (0, 1))
    common, numbers = np.zeros(length, dtype=np.int64), np.zeros(length + 1, dtype=np.int64)
    for token in one:
        common = (1 + np.concatenate([[0], common[:-1]])) * (other == token)
        numbers += np.bincount(common, minlength=length + 1)
    model = MatrixVector(sigma_a, 2.0, 3.0)
    state = change = exact = 0.0
    for number in numbers[1:]:
        state, change = 4.0 + sigma_a**2 * state, 1.0 + state + sigma_a**2 * change
        exact += number * (state + 9.0 * change)
    kernel = model.kernel([one.tolist()], [other.tolist()]).item()
    assert kernel == pytest.approx(exact, rel=1e-15 * (length + 100), abs=0)


@pytest.mark.parametrize("activation", ["relu", "tanh", "gelu", "silu", "erf", "identity"])
def test_shares_of_a_spectrum_are_shares_at_every_standard_deviation(activation):
    for sigma_e, sigma_w in itertools.product(SIGMAS, repeat=2):
        shares = CNN(3, activation, sigma_e, sigma_w).spectrum(3)
        assert np.isfinite(shares).all()
        assert shares.sum() == pytest.approx(1)
        assert (shares > -1e-10).all()


MODELS = {
    make.__name__: make()
    for make in (
        MLP, CNN, Attention, LRNN, LinearRNN, MatrixVector, ElmanRNN, GRU, LSTM, ProjectedAttention,
    )
} | {"Transformer": Transformer(heads=1)}  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_network_of_width_one_has_finite_scores_and_the_kernel_of_its_jacobian(name, dtype):
    docs = [[0], [1, 1, 1], [2, 0, 3, 1]]
    for classes in (None, 1, 2):
        network = MODELS[name].network(1, 4, seed=0, classes=classes, dtype=dtype)
        assert network(docs).isfinite().all()
        structured = empirical_ntk(network, docs, method="structured")
        jacobian = empirical_ntk(network, docs, method="jacobian")
        largest = np.abs(jacobian).max()
        assert structured == pytest.approx(jacobian, rel=1e-5, abs=100 * torch.finfo(dtype).eps * largest)


@pytest.mark.parametrize(
    "name", ["MLP", "CNN", "LRNN", "LinearRNN", "MatrixVector", "ElmanRNN", "GRU", "LSTM"]
)
def test_networks_read_ten_thousand_tokens(name):
    docs = [np.random.default_rng(0).integers(0, 5, 10_000).tolist(), [1]]
    network = MODELS[name].network(2, 5, seed=0)
    with torch.no_grad():
        together, alone = network(docs), network([docs[1]])
    assert together[1] == pytest.approx(alone[0].item(), rel=1e-12)
    assert together.isfinite().all()


ATTENTIVE = {
    "Attention": Attention(),
    "ProjectedAttention": ProjectedAttention(),
    "Transformer": Transformer(),
}


# Ten thousand tokens take up to 3.2 GB.
@pytest.mark.parametrize("length", [2000, 10_000] if DEEP else [2000])
@pytest.mark.parametrize("name", ATTENTIVE)
def test_networks_with_attention_read_a_long_document_or_say_what_memory_it_needs(name, length):
    network = ATTENTIVE[name].network(2, 5, seed=0)
    document = np.random.default_rng(0).integers(0, 5, length)
    with torch.no_grad():
        try:
            score = network([document]).item()
        except MemoryError as error:
            problem = str(error)
        else:
            assert np.isfinite(score)
            if name == "Attention":
                assert score == pytest.approx(score_by_counts(network, document), rel=1e-10)
            return
    assert length > 2000
    assert f"1 documents of up to {length:,} tokens needs" in problem


def score_by_counts(network, document):
    """Score of a tied attention network, from the counts of tokens alone."""
    embedding, hidden, output = (
        getattr(network, name).detach().numpy() for name in ("embedding", "hidden", "output")
    )
    counts = np.bincount(document, minlength=len(embedding))
    weights = np.exp(embedding @ embedding.T / network.width) * counts  # of queries (rows) to all keys
    received = counts @ (weights / weights.sum(axis=1, keepdims=True))
    return output @ hidden @ (received @ embedding) / network.width


@pytest.mark.parametrize("name", ATTENTIVE)
def test_attention_is_refused_exactly_where_its_arrays_are_more_than_the_memory(name, monkeypatch):
    """Nine tenths of the free memory may be taken; the bytes per pair of positions are what was measured."""
    network = ATTENTIVE[name].network(2, 5, seed=0)
    bytes_per_pair = 2 * (8 + 1) if name == "Transformer" else 4 * 8

    def free(share, length):
        some = type("Some", (), {"available": int(share * bytes_per_pair * length**2 / 0.9)})
        monkeypatch.setattr(memory.psutil, "virtual_memory", lambda: some)

    free(1.01, 300)
    assert network([[0] * 300]).isfinite().all()
    free(0.99, 10_000)
    with pytest.raises(MemoryError, match=r"documents of up to 10,000 tokens needs .* pass fewer documents"):
        network([[0] * 10_000])


def test_a_finite_network_that_overflows_has_no_kernel_but_a_message():
    network = LinearRNN(sigma_h=1e3).network(2, 5, seed=0)
    with pytest.raises(
        ValueError, match="scores or gradients of these documents are not finite: take smaller"
    ):
        empirical_ntk(network, [[0] * 200])


PRECISE = {**MODELS, "Transformer": Transformer()}


@pytest.mark.parametrize("name", PRECISE)
def test_float32_kernels_differ_from_float64_by_rounding_alone(name, record_property):
    """The same weights, drawn in float64; the error of the largest entry is shown in the test's summary.

    A score is a chain of sums over the width, one for each token that it passes; each rounds to
    ``u = 6e-8`` of its terms, and the errors add up like the terms.
    """
    width, longest = 64, 12
    rng = np.random.default_rng(0)
    docs = [rng.integers(0, 20, size).tolist() for size in rng.integers(1, longest + 1, 24)]
    exact = empirical_ntk(PRECISE[name].network(width, 20, seed=0), docs)
    rounded = empirical_ntk(PRECISE[name].network(width, 20, seed=0, dtype=torch.float32), docs)
    error = np.abs(rounded - exact).max() / np.abs(exact).max()
    record_property("float32 kernel, error relative to the largest entry", f"{error:.1e}")
    assert 0 < error < width**0.5 * longest * 2.0**-24
