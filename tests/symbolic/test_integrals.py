from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import dblquad, quad
from sympy import (
    Abs,
    DiracDelta,
    Heaviside,
    Max,
    Piecewise,
    S,
    asin,
    diff,
    erf,
    exp,
    integrate,
    lambdify,
    oo,
    pi,
    simplify,
    sqrt,
    symbols,
    tanh,
)

from ntklib.symbolic import (
    ActivationSymbol,
    GaussianExpectation,
    evaluate,
    gaussian_mean,
    gaussian_pair,
    numerical_function,
    weak_derivative,
)

x = symbols("x", real=True)
q, c = symbols("q c", positive=True)
z, w = symbols("z w")
phi = ActivationSymbol("phi")
FUNCTIONS = {
    "identity": x,
    "relu": Max(0, x),
    "leaky relu": Max(x, x / 10),
    "absolute value": Abs(x),
    "squared relu": x**2 * Heaviside(x),
    "erf": erf(x),
    "gelu": x * (1 + erf(x / sqrt(2))) / 2,
    "bump": exp(-(x**2)),
    "cubic": x**3 - x + 2,
}


def density(u):
    return np.exp(-u * u / 2) / np.sqrt(2 * np.pi)


def numerical_mean(function, variance):
    spread = np.sqrt(variance)
    halves = [(-40, 0), (0, 40)]
    return sum(quad(lambda u: function(spread * u) * density(u), *ends, epsabs=1e-13)[0] for ends in halves)


@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("variance", [0.01, 1.3, 40.0])
def test_the_derived_mean_is_the_integral(name, order, variance):
    function = weak_derivative(FUNCTIONS[name], x, order)
    derived = float(gaussian_mean(function, x, q).subs(q, variance))
    assert derived == pytest.approx(
        numerical_mean(lambdify(x, function, ["scipy", "numpy"]), variance), abs=1e-9
    )


@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_derived_dual_is_the_double_integral(name, order):
    function = weak_derivative(FUNCTIONS[name], x, order)
    derived = gaussian_pair(function, function, x, q, c)
    number = lambdify(x, function, ["scipy", "numpy"])
    variance = 1.3
    for covariance in (0.9, -0.5):
        slope, rest = covariance / np.sqrt(variance), np.sqrt(variance - covariance**2 / variance)
        nodes, weights = np.polynomial.legendre.leggauss(60)

        def inner(u, slope=slope, rest=rest, nodes=nodes, weights=weights):
            edges = np.clip([-9, -slope * u / rest, 9], -9, 9)
            total = 0.0
            for low, high in pairwise(edges):
                points = (low + high) / 2 + (high - low) / 2 * nodes
                values = np.broadcast_to(number(slope * u + rest * points), points.shape)
                total += (high - low) / 2 * np.sum(weights * values * density(points))
            return total

        halves = [(-9, 0), (0, 9)]
        integral = sum(
            quad(lambda u: number(np.sqrt(variance) * u) * inner(u) * density(u), *ends, epsabs=1e-12)[0]
            for ends in halves
        )
        assert float(derived.subs({q: variance, c: covariance})) == pytest.approx(integral, abs=1e-8)


def test_the_duals_have_their_published_forms():
    assert simplify(gaussian_pair(erf(x), erf(x), x, q, c) - 2 * asin(2 * c / (1 + 2 * q)) / pi) == 0
    relu = gaussian_pair(Max(0, x), Max(0, x), x, q, c)
    published = (sqrt(q**2 - c**2) + (pi / 2 + asin(c / q)) * c) / (2 * pi)  # π − arccos ρ = π/2 + arcsin ρ
    assert simplify(relu - published) == 0


def test_the_mean_of_the_gelu_has_its_published_form():
    assert simplify(gaussian_mean(FUNCTIONS["gelu"], x, q) - q / sqrt(2 * pi * (1 + q))) == 0


def test_moments_of_the_relu_are_those_sympy_integrates_directly():
    normal = exp(-(x**2) / (2 * q)) / sqrt(2 * pi * q)
    first, second = (integrate(x**power * normal, (x, 0, oo)) for power in (1, 2))
    assert simplify(gaussian_mean(Max(0, x), x, q) - first) == 0
    assert simplify(gaussian_pair(Max(0, x), Max(0, x), x, q, q) - second) == 0


@pytest.mark.parametrize("name", ["relu", "erf", "gelu"])
def test_price_theorem_links_the_derived_duals(name):
    function = FUNCTIONS[name]
    slope = weak_derivative(function, x, 1)
    difference = gaussian_pair(function, function, x, q, c).diff(c) - gaussian_pair(slope, slope, x, q, c)
    for values in ({q: 0.3, c: 0.1}, {q: 7.0, c: 6.5}):
        assert abs(float(difference.subs(values))) < 1e-12


def test_weak_derivatives_of_the_relu_end_in_a_dirac_delta():
    assert [weak_derivative(Max(0, x), x, order) for order in (1, 2)] == [Heaviside(x), DiracDelta(x)]


def test_functions_without_a_closed_form_are_left_alone():
    assert gaussian_mean(x / (1 + exp(-x)), x, q) is None
    assert gaussian_pair(tanh(x), tanh(x), x, q, c) is None
    kept = evaluate(GaussianExpectation(phi(z) ** 2, [z], [[q]]), phi, tanh)
    assert kept == GaussianExpectation(tanh(z) ** 2, [z], [[q]])


def test_an_odd_function_has_no_mean_even_without_a_closed_form():
    assert gaussian_mean(tanh(x), x, q) == 0
    assert gaussian_mean(1 / (1 + exp(-x)), x, q) == S.Half


def test_a_piecewise_function_is_refused():
    with pytest.raises(ValueError, match="is a Piecewise"):
        gaussian_mean(Piecewise((x, x > 0), (0, True)), x, q)


def test_the_squared_dirac_delta_of_the_relu_is_refused():
    with pytest.raises(ValueError, match="is infinite"):
        evaluate(GaussianExpectation(phi(z, 2) ** 2, [z], [[q]]), phi, lambda u: Max(0, u))


@pytest.mark.parametrize("variance", [1e-4, 1.0, 1e4])
def test_quadrature_agrees_with_a_closed_form(variance):
    closed = evaluate(GaussianExpectation(phi(z) ** 2, [z], [[q]]), phi, erf)
    left = GaussianExpectation(erf(z) ** 2, [z], [[q]])
    numbers = [numerical_function(expression, [q])(variance) for expression in (closed, left)]
    assert numbers[0] == pytest.approx(numbers[1], rel=1e-11)


@pytest.mark.parametrize("covariance", [-0.6, 0.0, 0.9, 1.0])
def test_quadrature_over_two_variables_agrees_with_a_closed_form(covariance):
    left = numerical_function(GaussianExpectation(Max(0, z) * Max(0, w), [z, w], [[q, c], [c, q]]), [q, c])
    closed = numerical_function(gaussian_pair(Max(0, x), Max(0, x), x, q, c), [q, c])
    assert left(1.0, covariance) == pytest.approx(closed(1.0, covariance), abs=1e-10)


def test_quadrature_takes_unequal_variances():
    mixed = GaussianExpectation(tanh(z) * erf(w), [z, w], [[1, c], [c, q]])
    number = numerical_function(mixed, [q, c])(2.0, 0.8)
    determinant = 2.0 - 0.8**2
    error_function = lambdify(x, erf(x), "scipy")
    integral = dblquad(
        lambda b, a: (
            np.tanh(a)
            * error_function(b)
            * np.exp(-(2 * a * a - 1.6 * a * b + b * b) / (2 * determinant))
            / (2 * np.pi * np.sqrt(determinant))
        ),
        -8,
        8,
        -11,
        11,
        epsabs=1e-8,
    )[0]
    assert number == pytest.approx(integral, abs=1e-7)


def test_an_abstract_activation_has_no_number():
    with pytest.raises(ValueError, match=r"abstract phi\(z\)"):
        numerical_function(GaussianExpectation(phi(z), [z], [[q]]), [q])


def test_a_symbol_without_a_value_is_named():
    with pytest.raises(ValueError, match="arguments lacks c"):
        numerical_function(q * c, [q])


def test_derivatives_of_the_inserted_activation_are_its_own():
    node = GaussianExpectation(phi(z, 1) ** 2, [z], [[q]])
    direct = GaussianExpectation(diff(tanh(z), z) ** 2, [z], [[q]])
    values = [numerical_function(e, [q])(0.7) for e in (evaluate(node, phi, tanh), direct)]
    assert values[0] == pytest.approx(values[1], rel=1e-12)
