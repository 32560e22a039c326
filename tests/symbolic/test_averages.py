import numpy as np
import pytest
from sympy import Integer, KroneckerDelta, Max, S, Sum, exp, sqrt

from ntklib.symbolic import (
    GaussianExpectation,
    concentrate,
    concentration,
    evaluate,
    gaussian_expectation,
    large_width_limit,
    numerical_function,
    simplify_sums,
)
from tests.symbolic.mlp_model import (
    GROUPS,
    E,
    W,
    a,
    b,
    d,
    finite_kernel,
    i,
    j,
    limit_kernel,
    m,
    phi,
    q,
    s,
    sigma_e,
    sigma_v,
    sigma_w,
    t,
    v,
    x,
    y,
)

DELTA = KroneckerDelta(x[t], y[s])


def at(kernel, equal):
    return kernel.xreplace({DELTA: Integer(equal)}).subs(sigma_e**2 * sigma_w**2, q)


def test_inner_products_of_embeddings_concentrate():
    _, mean, variance = concentration(Sum(E[x[t], j] * E[y[s], j], (j, 1, d)) / d, [E])
    assert mean == sigma_e**2 * DELTA
    assert simplify_sums(variance - sigma_e**4 * (1 + DELTA) / d) == 0


def test_the_variance_of_an_average_is_that_of_a_sample():
    _, _, variance = concentration(Sum(W[1, j] ** 2, (j, 1, d)) / d, [W])
    sample = (np.random.default_rng(0).normal(0, 1.5, (200_000, 4)) ** 2).mean(axis=1)
    error = (sample - sample.mean()) ** 2
    assert abs(variance.subs({sigma_w: 1.5, d: 4}) - error.mean()) <= 5 * error.std() / np.sqrt(len(error))


def test_the_mlp_kernel_by_group():
    def moment(order):
        return GaussianExpectation(phi(S("z"), order) ** 2, [S("z")], [[q]])

    mean = GaussianExpectation(phi(S("z")), [S("z")], [[q]])
    assert at(limit_kernel("output"), 1) == moment(0)
    assert at(limit_kernel("output"), 0) == mean**2
    assert at(limit_kernel("hidden"), 1) == sigma_v**2 * sigma_e**2 * moment(1)
    assert at(limit_kernel("embedding"), 1) == sigma_v**2 * sigma_w**2 * moment(1)
    assert at(limit_kernel("hidden"), 0) == at(limit_kernel("embedding"), 0) == 0


@pytest.mark.parametrize("group", GROUPS)
def test_the_kernel_itself_converges_because_its_variance_vanishes(group):
    def conditional(expression):
        return gaussian_expectation(concentrate(gaussian_expectation(expression, v), [d, m], [W]), W)

    kernel = finite_kernel(group)
    variance = simplify_sums(conditional(kernel**2) - conditional(kernel) ** 2)
    assert variance != 0
    assert large_width_limit(variance, [d, m], [E]) == 0


@pytest.mark.parametrize("group", GROUPS)
def test_integration_by_parts_and_concentration_have_the_same_limit(group):
    exact = gaussian_expectation(finite_kernel(group), [v, W])
    assert large_width_limit(exact, [d, m], [E]) == limit_kernel(group)


@pytest.mark.parametrize("group", GROUPS)
def test_a_score_twice_as_large_has_four_times_the_kernel(group):
    doubled = limit_kernel(group, scale=sqrt(m) / 2)
    assert simplify_sums(doubled - 4 * limit_kernel(group)) == 0


@pytest.mark.parametrize("group", GROUPS)
def test_a_score_without_its_width_factor_has_no_limit(group):
    with pytest.raises(ValueError, match=r"does not converge as m grows|not justified"):
        limit_kernel(group, scale=Integer(1))


@pytest.mark.parametrize("group", GROUPS)
def test_a_preactivation_without_its_width_factor_has_no_limit(group):
    with pytest.raises(ValueError, match=r"does not converge as d grows|not justified"):
        limit_kernel(group, embedding_scale=Integer(1))


def test_a_score_divided_by_the_whole_width_has_no_kernel_left():
    assert [limit_kernel(group, scale=m) for group in GROUPS] == [0, 0, 0]


def test_a_sum_at_the_scale_of_its_fluctuation_is_refused():
    with pytest.raises(ValueError, match="the limit is random"):
        large_width_limit(Sum(W[1, j], (j, 1, d)) / sqrt(d), [d], [W])


def test_an_average_that_keeps_its_variance_is_refused():
    shared = Sum(E[x[t], 1] ** 2 * W[1, j] ** 2, (j, 1, d)) / d
    with pytest.raises(ValueError, match="the limit is random"):
        large_width_limit(shared, [d], [E, W])


def test_a_sum_of_unknown_quantities_needs_its_limit():
    h = E.base
    average = Sum(h[1, j] ** 2, (j, 1, d)) / d
    with pytest.raises(ValueError, match="is not known"):
        large_width_limit(average, [d], [W])
    assert large_width_limit(exp(average), [d], [W], {average: q}) == exp(q)


def test_averages_may_not_be_replaced_under_a_double_sum_over_units():
    with pytest.raises(ValueError, match="not justified"):
        concentrate(finite_kernel("embedding"), [d, m], [W])


def test_infinite_terms_that_would_cancel_are_refused():
    nearly = exp(1 / d)
    with pytest.raises(ValueError, match="does not converge"):
        large_width_limit(d * nearly - d, [d])


@pytest.mark.parametrize("equal", [False, True])
def test_the_relu_kernel_is_that_of_wide_random_networks(equal):
    generator = np.random.default_rng(3)
    scales, width, units, networks = (0.8, 1.2, 0.9), 4096, 64, 150
    samples = {group: [] for group in GROUPS}
    for _ in range(networks):
        e_x = generator.normal(0, scales[0], width)
        e_y = e_x if equal else generator.normal(0, scales[0], width)
        hidden = generator.normal(0, scales[1], (units, width))
        output = generator.normal(0, scales[2], units)
        u_x, u_y = hidden @ e_x / np.sqrt(width), hidden @ e_y / np.sqrt(width)
        back_x, back_y = output * (u_x > 0), output * (u_y > 0)
        samples["output"].append(np.maximum(u_x, 0) @ np.maximum(u_y, 0) / units)
        samples["hidden"].append(back_x @ back_y * (e_x @ e_y) / (units * width))
        samples["embedding"].append(equal * (back_x @ hidden) @ (back_y @ hidden) / (units * width))
    for group, sample in samples.items():
        kernel = evaluate(at(limit_kernel(group), equal), phi, lambda u: Max(0, u))
        number = numerical_function(kernel.subs(q, sigma_e**2 * sigma_w**2), [sigma_e, sigma_w, sigma_v])(
            *scales
        )
        assert abs(number - np.mean(sample)) <= 5 * np.std(sample) / np.sqrt(networks)


def test_products_of_averages_over_two_widths_converge_together():
    product = Sum(W[i, j] ** 2 * v[a] ** 2, (i, 1, m), (j, 1, d), (a, 1, m)) / (m**2 * d)
    assert large_width_limit(product, [d, m], [W, v]) == sigma_w**2 * sigma_v**2
    assert concentrate(Sum(W[a, b] ** 2, (b, 1, d)) / d, [d], [W]) == sigma_w**2
