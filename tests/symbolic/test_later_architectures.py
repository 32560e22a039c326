from functools import cache
from itertools import product

import numpy as np
import pytest
from sympy import Add, IndexedBase, Integer, KroneckerDelta, Max, Mul, Sum, Symbol, exp, expand, sqrt, symbols

from ntklib import CNN, LRNN, Attention, MatrixVector
from ntklib.activations import get_activation
from ntklib.symbolic import (
    GaussianExpectation,
    GaussianWeights,
    concentrate,
    evaluate,
    gaussian_expectation,
    index_symbols,
    large_width_limit,
    match_weights,
    numerical_function,
    simplify_sums,
    tangent_kernel,
)
from tests.symbolic.mlp_model import (
    E,
    V,
    W,
    a,
    b,
    d,
    i,
    j,
    m,
    phi,
    s,
    sigma_e,
    sigma_v,
    sigma_w,
    t,
    u,
    v,
    x,
    y,
)

k, o, p, r, L, M = index_symbols("k o p r L M")
sigma_a, sigma_g, sigma_h, Sigma = symbols("sigma_a sigma_g sigma_h Sigma", positive=True)
WINDOW = GaussianWeights("W", (2, m, d), sigma_w**2)
MATRIX = GaussianWeights("A", (V, d, d), sigma_a**2)
VECTOR = GaussianWeights("g", (V, d), sigma_g**2)
READOUT = GaussianWeights("v", (d,), sigma_v**2)
RECURRENT = GaussianWeights("W_h", (m, m), sigma_h**2)
DELTA = KroneckerDelta(x[t], y[s])


def convolution_score(tokens, t):
    window = Add(*(WINDOW[o, i, j] * E[tokens[t + o], j] for o in (1, 2)))
    return Sum(v[i] * phi(Sum(window, (j, 1, d)) / sqrt(2 * d)), (i, 1, m)) / sqrt(m)


@cache
def convolution_kernel():
    total = Integer(0)
    for weight in (v[a], WINDOW[r, a, b], E[u, b]):
        kernel = tangent_kernel(convolution_score(x, t), convolution_score(y, s), weight)
        kernel = concentrate(gaussian_expectation(kernel, v), [d, m], [WINDOW])
        total += large_width_limit(gaussian_expectation(kernel, WINDOW), [d, m], [E])
    return total


@pytest.mark.parametrize("matches", [(0, 0), (1, 0), (0, 1), (1, 1)])
def test_a_convolution_sees_how_many_tokens_of_the_window_match(matches):
    scales = {sigma_e: 0.9, sigma_w: 1.2, sigma_v: 0.7}
    values = {KroneckerDelta(x[t + n], y[s + n]): Integer(matches[n - 1]) for n in (1, 2)}
    relu = evaluate(convolution_kernel().xreplace(values), phi, lambda u: Max(0, u))
    total = numerical_function(relu, list(scales))(*scales.values())
    q, rho = (0.9 * 1.2) ** 2, sum(matches) / 2
    angle = np.pi - np.arccos(rho)
    dual, slope = q / (2 * np.pi) * (np.sqrt(1 - rho**2) + angle * rho), angle / (2 * np.pi)
    assert total == pytest.approx(dual + 0.7**2 * (0.9**2 + 1.2**2) * rho * slope, rel=1e-12)
    library = CNN(2, "relu", 0.9, 1.2, 0.7).unit_kernel(np.array([matches], dtype=bool))
    assert total == pytest.approx(sum(library.values())[0], rel=1e-10)


def attention_score(tokens, length, t):
    def score(s):
        return exp(Sum(E[tokens[t], k] * E[tokens[s], k], (k, 1, d)) / d)

    values = Sum(v[i] * W[i, j] * E[tokens[s], j] * score(s), (i, 1, m), (j, 1, d), (s, 1, length))
    return values / Sum(score(p), (p, 1, length)) / sqrt(m * d)


@pytest.mark.parametrize(
    ("group", "weight", "scale"),
    [("output", v[a], sigma_w**2 * sigma_e**2), ("hidden", W[a, b], sigma_v**2 * sigma_e**2)],
)
def test_attention_at_initialisation_is_a_weighted_bag_of_words(group, weight, scale):
    kernel = tangent_kernel(attention_score(x, L, t), attention_score(y, M, r), weight)
    limit = large_width_limit(gaussian_expectation(kernel, [v, W]), [d, m], [E])

    def attention(tokens, length, t, s):
        def score(s):
            return exp(sigma_e**2 * KroneckerDelta(tokens[t], tokens[s]))

        return score(s) / Sum(score(p), (p, 1, length))

    expected = scale * Sum(
        attention(x, L, t, s) * attention(y, M, r, k) * KroneckerDelta(x[s], y[k]), (s, 1, L), (k, 1, M)
    )
    tokens_x, tokens_y = (1, 2, 1), (2, 1)
    numbers = {x[n + 1]: Integer(token) for n, token in enumerate(tokens_x)}
    numbers |= {y[n + 1]: Integer(token) for n, token in enumerate(tokens_y)}
    derived = 0.0
    for position in (1, 2, 3):
        places = {L: 3, M: 2, t: position, r: 2}
        values = [expr.subs(places).doit().subs(numbers).subs(sigma_e, 0.8) for expr in (limit, expected)]
        assert float((values[0] - values[1]).subs({sigma_w: 1.1, sigma_v: 0.6})) == pytest.approx(
            0, abs=1e-12
        )
        assert float(values[0].subs({sigma_w: 1.1, sigma_v: 0.6})) > 0
        for query in (1, 2):
            term = limit.subs({**places, r: query}).doit().subs(numbers).subs(sigma_e, 0.8)
            derived += float(term.subs({sigma_w: 1.1, sigma_v: 0.6}))
    library = Attention(0.8, 1.1, 0.6).kernel_by_group([tokens_x], [tokens_y])[group]
    assert derived == pytest.approx(library[0, 0], rel=1e-10)


def hidden_state(tokens, time, unit, names="jkp"):
    if time == 1:
        return VECTOR[tokens[1], unit]
    (inner,) = index_symbols(names[0])
    previous = hidden_state(tokens, time - 1, inner, names[1:])
    return (
        Sum(MATRIX[tokens[time], unit, inner] * previous, (inner, 1, d)) / sqrt(d)
        + VECTOR[tokens[time], unit]
    )


@pytest.mark.parametrize("length", [1, 2, 3])
def test_matrix_vector_kernels_follow_their_recursion(length):
    def score(tokens):
        return Sum(READOUT[i] * hidden_state(tokens, length, i), (i, 1, d)) / sqrt(d)

    kernel = Add(
        *(
            large_width_limit(
                gaussian_expectation(tangent_kernel(score(x), score(y), weight), [READOUT, VECTOR, MATRIX]),
                [d],
            )
            for weight in (READOUT[a], MATRIX[u, a, b], VECTOR[u, a])
        )
    )
    state, gradient = Integer(0), Integer(0)
    for time in range(1, length + 1):
        equal = KroneckerDelta(x[time], y[time])
        state, gradient = (
            equal * (sigma_g**2 + sigma_a**2 * state),
            equal * (1 + state + sigma_a**2 * gradient),
        )
    assert expand(kernel - state - sigma_v**2 * gradient) == 0
    assert len(match_weights(kernel)) == length

    scales = {sigma_a: 0.8, sigma_g: 1.1, sigma_v: 0.6}
    library = MatrixVector(*scales.values(), readout="last")
    for matches in product((0, 1), repeat=length):
        equal = {KroneckerDelta(x[n], y[n]): Integer(match) for n, match in enumerate(matches, start=1)}
        # The library's offsets count back from the end.
        expected = library.unit_kernel(np.array([matches[::-1]], dtype=bool))
        assert float(kernel.xreplace(equal).subs(scales)) == pytest.approx(
            sum(expected.values())[0], rel=1e-10, abs=1e-12
        )


def test_one_step_of_the_linearised_rnn_follows_its_recursion():
    before_x, before_y = IndexedBase("h"), IndexedBase("h'")

    def score(token, before):
        def preactivation(unit):
            return Sum(W[unit, j] * E[token, j], (j, 1, d)) / sqrt(d)

        memory = Sum(RECURRENT[i, k] * before[k], (k, 1, m)) / sqrt(m)
        state = phi(preactivation(i)) + phi(preactivation(i), 1) * memory
        return Sum(v[i] * state, (i, 1, m)) / sqrt(m)

    hypothesis = {Sum(before_x[k] * before_y[k], (k, 1, m)) / m: Sigma}
    first, second = Symbol("z_1"), Symbol("z_2")
    variance = sigma_e**2 * sigma_w**2

    def dual(order):
        rows = [[variance, variance * DELTA], [variance * DELTA, variance]]
        return GaussianExpectation(phi(first, order) * phi(second, order), [first, second], rows)

    def square(order):
        return GaussianExpectation(phi(first, order) ** 2, [first], [[variance]])

    signal = sigma_v**2 * DELTA * (square(1) + sigma_h**2 * Sigma * square(2))
    expected = {
        v[a]: dual(0) + sigma_h**2 * Sigma * dual(1),
        W[a, b]: sigma_e**2 * signal,
        E[u, b]: sigma_w**2 * signal,
        RECURRENT[a, b]: sigma_v**2 * Sigma * dual(1),
    }
    derived = {}
    for weight, value in expected.items():
        kernel = tangent_kernel(score(x[t], before_x), score(y[s], before_y), weight)
        kernel = concentrate(gaussian_expectation(kernel, [v, RECURRENT]), [d, m], [W])
        limit = large_width_limit(gaussian_expectation(kernel, W), [d, m], [E], hypothesis)
        assert simplify_sums(limit - Mul(value)) == 0
        derived[weight] = limit

    scales = {sigma_e: 0.9, sigma_w: 1.2, sigma_h: 0.7, sigma_v: 0.6}
    library = LRNN("gelu", *scales.values())
    # Σ of the state before, in the library's group "output"; nothing has come from W and E before.
    before = np.array([[0.4, 0.4], [0.0, 0.0], [0.0, 0.0]])
    now = library.step(before, np.array([False, True]))
    for group, (names, weights_of_group) in enumerate(
        {"output": [v[a]], "hidden": [W[a, b], RECURRENT[a, b]], "embedding": [E[u, b]]}.items()
    ):
        for equal in (0, 1):
            value = sum(
                numerical_function(
                    evaluate(
                        derived[w].xreplace({DELTA: Integer(equal)}), phi, get_activation("gelu").symbolic
                    ),
                    [*scales, Sigma],
                )(*scales.values(), 0.4)
                for w in weights_of_group
            )
            assert value == pytest.approx(now[group, equal], rel=1e-10, abs=1e-12), names
