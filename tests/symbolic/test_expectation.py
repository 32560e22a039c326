import numpy as np
import pytest
from sympy import Function, KroneckerDelta, Sum, Symbol, exp, lambdify, symbols

from ntklib.symbolic import GaussianExpectation, evaluate, gaussian_expectation, index_symbols, simplify_sums
from tests.symbolic.mlp_model import (
    GROUPS,
    E,
    W,
    d,
    finite_kernel,
    i,
    j,
    m,
    phi,
    s,
    sigma_v,
    sigma_w,
    t,
    v,
    x,
    y,
)

k, n = index_symbols("k n")
F = Function("F")
z, w, c, q, r = symbols("z w c q r")
rng = np.random.default_rng


def test_moments_of_one_weight_are_double_factorials():
    moments = [gaussian_expectation(v[i] ** power, v) for power in range(1, 9)]
    assert moments == [0, sigma_v**2, 0, 3 * sigma_v**4, 0, 15 * sigma_v**6, 0, 105 * sigma_v**8]


def test_products_of_different_weights_pair_off():
    expected = sigma_v**4 * (
        KroneckerDelta(i, j) * KroneckerDelta(k, n)
        + KroneckerDelta(i, k) * KroneckerDelta(j, n)
        + KroneckerDelta(i, n) * KroneckerDelta(j, k)
    )
    derived = gaussian_expectation(v[i] * v[j] * v[k] * v[n], v)
    for values in [(1, 1, 1, 1), (1, 1, 2, 2), (1, 2, 1, 2), (1, 2, 2, 1), (1, 1, 1, 2), (1, 2, 3, 4)]:
        numbers = dict(zip((i, j, k, n), values, strict=True))
        assert (derived - expected).subs(numbers).expand() == 0


def test_integration_by_parts_is_exact_for_a_weight_times_a_function_of_it():
    derived = gaussian_expectation(v[i] * phi(v[i]), v)
    cube = evaluate(derived, phi, lambda u: u**3)
    assert cube == 3 * sigma_v**4
    assert evaluate(gaussian_expectation(v[i] ** 2 * phi(v[i]), v), phi, lambda u: u**4) == 15 * sigma_v**6


def test_a_function_of_a_linear_form_sees_its_conditional_variance():
    derived = gaussian_expectation(phi(Sum(W[1, j] * E[1, j], (j, 1, d))), W)
    assert derived.covariance[0, 0] == sigma_w**2 * Sum(E[1, j] ** 2, (j, 1, d))


def test_a_fixed_part_of_the_argument_shifts_the_function():
    derived = gaussian_expectation(phi(v[1] + c), v)
    assert evaluate(derived, phi, lambda u: u**2) == sigma_v**2 + c**2


def test_a_double_sum_over_units_splits_into_equal_and_different_ones():
    derived = gaussian_expectation(Sum(phi(v[i]), (i, 1, m)) ** 2, v)
    mean = GaussianExpectation(phi(z), [z], [[sigma_v**2]])
    square = GaussianExpectation(phi(z) ** 2, [z], [[sigma_v**2]])
    assert simplify_sums(derived - m * square - m * (m - 1) * mean**2) == 0


def test_a_nonlinear_argument_is_refused():
    with pytest.raises(ValueError, match="not linear in E"):
        gaussian_expectation(exp(Sum(E[1, j] * E[2, j], (j, 1, d))), E)


def test_a_weight_in_a_denominator_is_refused():
    with pytest.raises(ValueError, match="must be a polynomial"):
        gaussian_expectation(1 / v[1], v)


def test_independent_blocks_factor_and_twins_merge():
    pair = GaussianExpectation(phi(z) * phi(w), [z, w], [[q, c], [c, q]])
    one = GaussianExpectation(phi(z), [z], [[q]])
    assert pair.subs(c, 0) == one**2
    assert pair.subs(c, q) == GaussianExpectation(phi(z) ** 2, [z], [[q]])


def test_a_variable_without_variance_is_zero():
    assert GaussianExpectation(phi(z) * w, [z, w], [[0, 0], [0, q]]) == 0
    assert GaussianExpectation(phi(z), [z], [[0]]) == phi(0)


def test_the_order_of_the_variables_does_not_matter():
    first = GaussianExpectation(phi(z) * phi(w, 1), [z, w], [[q, c], [c, r]])
    assert first == GaussianExpectation(phi(w) * phi(z, 1), [z, w], [[r, c], [c, q]])


def test_polynomials_of_correlated_variables_are_evaluated():
    assert GaussianExpectation(z**2 * w**2, [z, w], [[q, c], [c, r]]) == q * r + 2 * c**2
    assert GaussianExpectation(z**3 * w, [z, w], [[q, c], [c, r]]) == 3 * q * c


def test_a_covariance_of_the_wrong_size_is_named():
    with pytest.raises(ValueError, match="covariance must be 2 x 2"):
        GaussianExpectation(phi(z) * phi(w), [z, w], [[q]])


def sampled_kernels(widths, power, equal, samples, generator):
    """Unit kernels, by group, of random networks with φ(u) = u^power, all σ different."""
    d_, m_ = widths
    e_x = generator.normal(0, 0.7, (samples, d_))
    e_y = e_x if equal else generator.normal(0, 0.7, (samples, d_))
    hidden = generator.normal(0, 1.3, (samples, m_, d_))
    output = generator.normal(0, 0.9, (samples, m_))
    u_x, u_y = (np.einsum("nij,nj->ni", hidden, e) / np.sqrt(d_) for e in (e_x, e_y))
    back_x, back_y = (output * power * u ** (power - 1) for u in (u_x, u_y))
    return {
        "output": (u_x**power * u_y**power).sum(1) / m_,
        "hidden": (back_x * back_y).sum(1) * (e_x * e_y).sum(1) / (m_ * d_),
        "embedding": equal
        * np.einsum("nj,nj->n", *(np.einsum("ni,nij->nj", g, hidden) for g in (back_x, back_y)))
        / (m_ * d_),
    }


@pytest.mark.parametrize("power", [1, 2])
@pytest.mark.parametrize("group", GROUPS)
def test_the_exact_mean_kernel_of_a_tiny_network_is_the_sampled_one(group, power):
    exact = gaussian_expectation(finite_kernel(group, activation=lambda u: u**power), [v, W, E])
    deltas = sorted(exact.atoms(KroneckerDelta), key=str)
    assert deltas == [KroneckerDelta(x[t], y[s])] or not deltas
    for equal in (0, 1):
        value = exact.xreplace(dict.fromkeys(deltas, Symbol("delta"))).subs("delta", equal)
        names = symbols("sigma_e sigma_w sigma_v", positive=True)
        number = float(lambdify((*names, d, m), value)(0.7, 1.3, 0.9, 2, 3))
        sample = sampled_kernels((2, 3), power, equal, 200_000, rng(power))[group]
        assert abs(number - sample.mean()) <= 5 * sample.std() / np.sqrt(len(sample))
