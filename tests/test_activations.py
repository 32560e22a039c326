"""Activations, their derivatives, and their Gaussian moments in closed form and by quadrature."""

import dataclasses
import math
import pickle
import re
import subprocess
import sys

import numpy as np
import pytest
import sympy
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate
from scipy.stats import multivariate_normal

from ntklib.activations import Activation, dual_activation, get_activation, mean, quadrature, second_moment

NAMES = ("identity", "relu", "erf", "tanh", "gelu", "silu")
CLOSED = ("identity", "relu", "erf", "gelu")
ODD = ("identity", "erf", "tanh")
ORDERS = [(name, order) for name in NAMES for order in (0, 1, 2) if (name, order) != ("relu", 2)]
CLOSED_ORDERS = [pair for pair in ORDERS if pair[0] in CLOSED]
VARIANCES = (1e-30, 1e-4, 1e-2, 1.0, 1e2, 1e6, 1e15)
CORRELATIONS = np.array([-1, -1 + 1e-9, -0.99, -0.5, 0, 1e-3, 0.5, 0.99, 1 - 1e-6, 1 - 1e-12, 1])


def by_quadrature(name: str) -> Activation:
    """The same activation without its closed forms."""
    return dataclasses.replace(get_activation(name), closed_mean=None, closed_dual=None)


def trapezoid_dual(name: str, order: int, rho: float, q: float, q_b: float) -> float:
    """The plain two-dimensional trapezoidal rule, which converges geometrically for analytic functions."""
    u = np.linspace(-9, 9, 721)
    density = np.exp(-(u**2) / 2) / np.sqrt(2 * np.pi) * (u[1] - u[0])
    phi = get_activation(name)
    b = np.sqrt(q_b) * (rho * u[:, None] + np.sqrt(1 - rho**2) * u)
    return float((density * phi.derivative(np.sqrt(q) * u, order)) @ phi.derivative(b, order) @ density)


class TestFunctions:
    @pytest.mark.parametrize("name", NAMES)
    def test_arrays_tensors_and_symbols_agree(self, name):
        phi, x = get_activation(name), np.linspace(-4.1, 4.3, 29)
        assert phi.torch(torch.from_numpy(x)).numpy() == pytest.approx(phi.value(x), rel=1e-13, abs=1e-15)
        symbol = sympy.Symbol("x", real=True)
        for order in (0, 1, 2):
            if (name, order) == ("relu", 2):
                continue
            expression = phi.symbolic(symbol).diff(symbol, order)
            exact = [float(expression.subs(symbol, sympy.Float(value, 30)).evalf(20)) for value in x]
            assert phi.derivative(x, order) == pytest.approx(np.array(exact), rel=1e-12, abs=1e-15)

    @pytest.mark.parametrize("name", NAMES)
    def test_torch_differentiates_to_the_same(self, name):
        phi, x = get_activation(name), np.linspace(-4.1, 4.3, 29)
        differentiated = Activation(name, phi.torch)
        for order in (0, 1, 2):
            if (name, order) != ("relu", 2):
                expected = phi.derivative(x, order)
                assert differentiated.derivative(x, order) == pytest.approx(expected, rel=1e-11, abs=1e-14)

    @pytest.mark.parametrize("name", NAMES)
    def test_derivatives_are_limits_of_differences(self, name):
        phi, x, step = get_activation(name), np.linspace(-3.95, 4.05, 33), 1e-5
        for order in (1, 2):
            if (name, order) != ("relu", 2):
                below = phi.derivative(x + step, order - 1) - phi.derivative(x - step, order - 1)
                assert phi.derivative(x, order) == pytest.approx(below / (2 * step), abs=1e-8)

    @pytest.mark.parametrize(("name", "order"), ORDERS)
    def test_huge_arguments_give_the_limit(self, name, order):
        """No overflow, no 0·∞: the functions run straight at both ends."""
        slopes = {"identity": (1, 1), "erf": (0, 0), "tanh": (0, 0)}.get(name, (0, 1))
        x = np.array([-1e8, 1e8])
        flat = {"erf": (-1, 1), "tanh": (-1, 1)}.get(name, slopes * x)
        expected = (flat, slopes, (0, 0))[order]
        assert get_activation(name).derivative(x, order) == pytest.approx(np.array(expected, float), abs=0)

    def test_gelu_is_the_exact_one(self):
        assert get_activation("gelu").value(1.0) == pytest.approx(0.8413447460685429, abs=1e-15)

    def test_second_derivative_of_relu_is_refused(self):
        with pytest.raises(ValueError, match=r"order=2.*'relu'.*Dirac delta"):
            get_activation("relu").derivative([1.0], order=2)

    def test_slope_of_relu_at_its_kink_is_that_of_torch(self):
        relu = get_activation("relu")
        assert relu.derivative(0.0) == Activation("relu", relu.torch).derivative(0.0)

    def test_symbolic_second_derivative_of_relu_is_a_dirac_delta(self):
        x = sympy.Symbol("x", real=True)
        assert get_activation("relu").symbolic(x).diff(x, 2) == sympy.DiracDelta(x)

    def test_shape_is_kept(self):
        assert get_activation("silu").derivative(np.zeros((2, 0, 3)), 1).shape == (2, 0, 3)
        assert get_activation(torch.sin).derivative(0.0).shape == ()

    @pytest.mark.parametrize("name", NAMES)
    def test_pickled_activation_is_the_same(self, name):
        assert pickle.loads(pickle.dumps(get_activation(name))) == get_activation(name)

    def test_moments_of_named_activations_need_neither_torch_nor_sympy(self):
        code = (
            "import sys\nfrom ntklib.activations import dual_activation\n"
            "dual_activation('tanh', .5, 1.), dual_activation('gelu', .5, 1.)\n"
            "sys.exit(any(name in sys.modules for name in ('torch', 'sympy')))"
        )
        assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

    @pytest.mark.parametrize("name", NAMES)
    def test_torch_derivative_is_the_derivative_and_differentiable(self, name):
        phi, x = get_activation(name), torch.linspace(-2.1, 2.2, 11, dtype=torch.float64, requires_grad=True)
        slope = phi.torch_derivative(x)
        assert slope.detach().numpy() == pytest.approx(
            phi.derivative(x.detach().numpy()), rel=1e-12, abs=1e-14
        )
        if name not in ("identity", "relu"):
            (bend,) = torch.autograd.grad(slope.sum(), x)
            assert bend.numpy() == pytest.approx(phi.derivative(x.detach().numpy(), 2), rel=1e-10, abs=1e-13)

    def test_torch_derivative_is_taken_inside_torch_transforms_and_without_gradients(self):
        phi, x = get_activation("tanh"), torch.linspace(-1, 1, 5, dtype=torch.float64)
        with torch.no_grad():
            plain = phi.torch_derivative(x)
        assert torch.equal(torch.func.vmap(phi.torch_derivative)(x), plain)

    def test_a_function_that_does_not_read_its_argument_has_the_slope_zero(self):
        """torch has no gradient to give: what the function returns depends on another tensor alone."""
        level = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
        phi = Activation("level", lambda z: level.expand(z.shape))
        assert phi.value([0.0, 1.0]).tolist() == [2.0, 2.0]
        assert phi.derivative([0.0, 1.0]).tolist() == [0.0, 0.0]
        assert phi.derivative([0.0, 1.0], order=2).tolist() == [0.0, 0.0]


class TestGetActivation:
    def test_activation_is_returned_as_it_is(self):
        assert get_activation(get_activation("tanh")) is get_activation("tanh")

    def test_a_function_names_the_activation_and_so_does_the_class_of_one_without_a_name(self):
        assert get_activation(torch.nn.functional.softplus).name == "softplus"
        assert get_activation(torch.nn.Mish()).name == "Mish"

    def test_function_of_tensors_is_taken(self):
        for function in (torch.sin, torch.nn.functional.softplus, torch.nn.Mish(), lambda x: x**2):
            x = torch.linspace(-2, 2, 7, dtype=torch.float64)
            assert get_activation(function).value(x.numpy()) == pytest.approx(function(x).numpy(), rel=1e-14)

    def test_function_of_tensors_has_no_symbolic_form_until_given_one(self):
        with pytest.raises(ValueError, match=r"'sin' has no symbolic form.*sympy_function"):
            get_activation(torch.sin).symbolic(sympy.Symbol("x"))
        assert Activation("sin", torch.sin, sympy.sin).symbolic(sympy.pi / 2) == 1

    @pytest.mark.parametrize(("name", "meant"), [("ReLU", "relu"), ("glu", "gelu"), ("swilu", "silu")])
    def test_unknown_name_lists_the_names_and_the_nearest(self, name, meant):
        with pytest.raises(ValueError, match=rf"'{name}'.*identity, relu.*silu.*Did you mean '{meant}'\?"):
            get_activation(name)

    def test_name_like_no_other_gets_no_suggestion(self):
        with pytest.raises(ValueError, match=r"tensors\.$"):
            get_activation("xyzzy")

    @pytest.mark.parametrize("wrong", [3, None, torch.nn.GELU])
    def test_what_is_no_function_is_refused(self, wrong):
        with pytest.raises(TypeError, match="activation"):
            get_activation(wrong)

    @pytest.mark.parametrize(
        ("function", "error", "message"),
        [
            (lambda x: x.sum(), ValueError, r"each element.*shape \(\)"),
            (lambda x: x.float(), ValueError, "float32"),
            (lambda x: torch.softmax(x, -1) if x.ndim else x, ValueError, "on its own"),
            (lambda x: x + torch.rand_like(x), ValueError, "on its own"),
            (torch.log, ValueError, "'log'.*not finite at x = -7.3"),
            (lambda x: x / 0, ValueError, "not finite"),
            (lambda x: 1.0, TypeError, "must return a tensor, not float"),
            (lambda x: x.no_such_method(), TypeError, "fails on a float64 tensor.*no_such_method"),
        ],
    )
    def test_function_that_is_no_activation_is_refused(self, function, error, message):
        with pytest.raises(error, match=message):
            get_activation(function)

    def test_unhashable_function_is_refused(self):
        class Unhashable:
            __hash__ = None

            def __call__(self, x):
                return x

        with pytest.raises(TypeError, match="hashable"):
            get_activation(Unhashable())

    def test_function_torch_cannot_differentiate_is_refused(self):
        class Broken(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                return x.clone()

            @staticmethod
            def backward(ctx, gradient):
                raise RuntimeError("no derivative here")

        with pytest.raises(TypeError, match=r"'broken' cannot be differentiated.*no derivative here"):
            Activation("broken", Broken.apply).derivative([1.0])

    @pytest.mark.parametrize("order", [-1, 3])
    def test_other_orders_are_refused(self, order):
        for call in (
            lambda: get_activation("tanh").derivative([0.0], order),
            lambda: mean("tanh", 1.0, order),
            lambda: dual_activation("gelu", 0.5, 1.0, order),
        ):
            with pytest.raises(ValueError, match=f"order must be 0, 1 or 2.*{order}"):
                call()


class TestClosedForms:
    @pytest.mark.parametrize(("name", "order"), CLOSED_ORDERS)
    @pytest.mark.parametrize("q", VARIANCES)
    def test_quadrature_equals_the_closed_form(self, name, order, q):
        """The stated error, for variances from 1e-30 to 1e15; the kink of ReLU included."""
        scale = second_moment(name, q, order)
        quadrature, c = by_quadrature(name), q * CORRELATIONS
        expected = dual_activation(name, c, q, order)
        assert dual_activation(quadrature, c, q, order) == pytest.approx(expected, rel=0, abs=2e-14 * scale)
        assert mean(quadrature, q, order) == pytest.approx(mean(name, q, order), abs=2e-14 * scale**0.5)

    @pytest.mark.parametrize(("name", "order"), CLOSED_ORDERS)
    def test_quadrature_equals_the_closed_form_for_two_variances(self, name, order):
        q, q_b = 0.3, 40.0
        c = np.sqrt(q * q_b) * CORRELATIONS
        scale = np.sqrt(second_moment(name, q, order) * second_moment(name, q_b, order))
        expected = dual_activation(name, c, q, order, variance_b=q_b)
        quadrature = dual_activation(by_quadrature(name), c, q, order, variance_b=q_b)
        assert quadrature == pytest.approx(expected, rel=0, abs=2e-14 * scale)

    def test_relu_second_order_is_the_density_at_the_origin(self):
        q, q_b, c = 2.0, 3.0, np.array([-1.5, 0.0, 2.0])
        density = 1 / (2 * np.pi * np.sqrt(q * q_b - c**2))
        assert dual_activation("relu", c, q, order=2, variance_b=q_b) == pytest.approx(density, rel=1e-14)
        assert mean("relu", q, order=2) == pytest.approx(1 / np.sqrt(2 * np.pi * q), rel=1e-15)

    def test_relu_second_moment_of_second_derivative_is_infinite(self):
        for call in (
            lambda: second_moment("relu", 1.0, 2),
            lambda: dual_activation("relu", [0.0, -1.0], 1.0, 2),
        ):
            with pytest.raises(ValueError, match=r"infinite.*Dirac delta"):
                call()

    @pytest.mark.parametrize("degrees", [0, 1, 30, 60, 90, 150, 179, 180])
    def test_relu_is_the_arc_cosine_kernel(self, degrees):
        """Cho & Saul (2009): ``(q/2π)(sin θ + (π − θ)cos θ)`` and ``(π − θ)/2π``."""
        theta, q = np.radians(degrees), 2.5
        c = q * np.cos(theta)
        value = q / (2 * np.pi) * (np.sin(theta) + (np.pi - theta) * np.cos(theta))
        assert dual_activation("relu", c, q) == pytest.approx(value, abs=1e-15)
        assert dual_activation("relu", c, q, order=1) == pytest.approx(
            (np.pi - theta) / (2 * np.pi), abs=1e-8
        )

    def test_relu_keeps_its_digits_next_to_perfect_correlation(self):
        """``1/2 − K'(q − ε) = √(2ε/q)/2π`` to first order, where arccos would lose half of the digits."""
        epsilon = 2.0**-50
        lost = 0.5 - dual_activation("relu", 1 - epsilon, 1.0, order=1)
        assert lost == pytest.approx(np.sqrt(2 * epsilon) / (2 * np.pi), rel=1e-6)

    def test_erf_is_the_arc_sine_kernel(self):
        """Williams (1998)."""
        q, q_b, c = 0.7, 2.0, np.array([-1.1, 0.0, 0.4, 1.18])
        expected = 2 / np.pi * np.arcsin(2 * c / np.sqrt((1 + 2 * q) * (1 + 2 * q_b)))
        assert dual_activation("erf", c, q, variance_b=q_b) == pytest.approx(expected, rel=1e-14)


class TestMoments:
    @pytest.mark.parametrize(("name", "order"), [(n, o) for n, o in ORDERS if n != "relu"])
    @pytest.mark.parametrize(("q", "q_b"), [(1.0, 1.0), (0.2, 3.0)])
    def test_dual_equals_the_trapezoidal_rule(self, name, order, q, q_b):
        for rho in (-0.9, 0.3, 0.8):
            expected = trapezoid_dual(name, order, rho, q, q_b)
            value = dual_activation(name, rho * np.sqrt(q * q_b), q, order, variance_b=q_b)
            assert value == pytest.approx(expected, rel=1e-11, abs=1e-14)

    def test_dual_equals_adaptive_integration_of_the_density(self):
        """SiLU and the joint density written out, with nothing of ntklib in the integral."""
        q, c = 2.0, 1.2

        def integrand(b: float, a: float) -> float:
            exponent = (q * a * a - 2 * c * a * b + q * b * b) / (2 * (q * q - c * c))
            density = math.exp(-exponent) / (2 * math.pi * math.sqrt(q * q - c * c))
            return density * a * b / ((1 + math.exp(-a)) * (1 + math.exp(-b)))

        expected, _ = integrate.dblquad(integrand, -12, 12, -12, 12, epsabs=1e-9, epsrel=1e-9)
        assert dual_activation("silu", c, q) == pytest.approx(expected, abs=1e-8)

    @pytest.mark.parametrize(("name", "order"), ORDERS)
    def test_dual_and_mean_equal_monte_carlo(self, name, order):
        rng, n, q, c = np.random.default_rng(7), 400_000, 1.7, 0.9
        u, w = rng.standard_normal((2, n))
        phi = get_activation(name)
        a = phi.derivative(np.sqrt(q) * u, order)
        b = phi.derivative(np.sqrt(q) * (c / q * u + np.sqrt(1 - (c / q) ** 2) * w), order)
        for sample, value in (
            (a * b, dual_activation(name, c, q, order)),
            (a, mean(name, q, order)),
            (a * a, second_moment(name, q, order)),
        ):
            assert abs(sample.mean() - value) <= 4 * sample.std() / np.sqrt(n) + 1e-12

    @pytest.mark.parametrize(("name", "order"), [(name, order) for name in NAMES for order in (0, 1)])
    @pytest.mark.parametrize("q", [0.01, 1.0, 30.0])
    def test_dual_of_the_derivative_is_the_derivative_of_the_dual(self, name, order, q):
        """Price's theorem, ``K_φ'(c) = dK_φ/dc``, as ``K_φ(c₂) − K_φ(c₁) = ∫ K_φ'``."""
        nodes, weights = np.polynomial.legendre.leggauss(24)
        low, high = -0.7 * q, 0.6 * q
        c = (low + high) / 2 + (high - low) / 2 * nodes
        integral = (high - low) / 2 * weights @ dual_activation(name, c, q, order + 1)
        first, last = dual_activation(name, [low, high], q, order)
        scale = second_moment(name, q, order)
        assert last - first == pytest.approx(integral, rel=1e-11, abs=1e-13 * scale)

    @pytest.mark.parametrize(("name", "order"), [(n, o) for n in NAMES for o in (0, 1)])
    @pytest.mark.parametrize("q", [1e-24, 1e-2, 1.0, 1e3])
    def test_dual_is_continuous_up_to_perfect_correlation(self, name, order, q):
        """``|K(±q) − K(c)| ≤ |±q − c| K'(q)``: Price's theorem, and no dual exceeds its second moment."""
        square = second_moment(name, q, order)
        for sign in (-1, 1):
            limit = dual_activation(name, sign * q, q, order)
            for gap in (1e-14, 1e-10, 1e-6):
                near = dual_activation(name, sign * (1 - gap) * q, q, order)
                if (name, order) == ("relu", 1):  # its slope jumps: that costs a square root
                    allowed = np.sqrt(2 * gap) / (2 * np.pi) * 1.01
                else:
                    allowed = 1.01 * gap * q * second_moment(name, q, order + 1)
                assert abs(near - limit) <= allowed + 4e-15 * square

    @pytest.mark.parametrize(("name", "order"), [*ORDERS, ("relu", 2)])
    @pytest.mark.parametrize("q", [1e-4, 1.0, 1e4])
    def test_uncorrelated_dual_is_the_squared_mean(self, name, order, q):
        expected = mean(name, q, order) ** 2
        assert dual_activation(name, 0.0, q, order) == pytest.approx(expected, rel=1e-12, abs=1e-300)
        # … and small correlations lead there, by the route that does not know of it.
        if (name, order) != ("relu", 2):
            near = dual_activation(name, 1e-12 * q, q, order)
            assert near == pytest.approx(expected, abs=1e-11 * second_moment(name, q, order))

    @pytest.mark.parametrize("name", ODD)
    @pytest.mark.parametrize("q", [1e-24, 1e-4, 1.0, 1e6, 1e12])
    def test_odd_activations_have_mean_exactly_zero(self, name, q):
        assert mean(name, q) == 0
        assert mean(by_quadrature(name), q) == 0
        assert dual_activation(name, -q, q) == pytest.approx(-second_moment(name, q), rel=1e-12)

    @pytest.mark.parametrize("q", [1e6, 1e12])
    def test_tanh_at_large_variance_equals_its_expansion(self, q):
        """``E sech² = (2 − π²/12q)/√(2πq)``, ``E sech⁴ = (4/3)/√(2πq)``, errors ``1/q²`` and ``1/q``."""
        assert mean("tanh", q, order=1) == pytest.approx(
            (2 - np.pi**2 / (12 * q)) / np.sqrt(2 * np.pi * q), rel=1e-11
        )
        assert 1 - second_moment("tanh", q) == pytest.approx(mean("tanh", q, 1), rel=1e-9)
        assert second_moment("tanh", q, order=1) == pytest.approx(
            4 / 3 / np.sqrt(2 * np.pi * q), rel=2 / q + 1e-11
        )

    @pytest.mark.parametrize("name", ["silu", "gelu"])
    def test_smooth_ramps_become_relu_at_large_variance(self, name):
        q = 1e12
        c = q * CORRELATIONS
        assert dual_activation(name, c, q) == pytest.approx(dual_activation("relu", c, q), abs=1e-6 * q)
        assert mean(name, q) == pytest.approx(mean("relu", q), rel=1e-9)

    @pytest.mark.parametrize("name", ["tanh", "silu", "gelu", "erf"])
    def test_small_variance_leaves_the_linear_part(self, name):
        slope = get_activation(name).derivative(0.0)
        q = 1e-24
        assert dual_activation(name, [0.5 * q, q], q) == pytest.approx(
            slope**2 * np.array([0.5, 1]) * q, rel=1e-11
        )

    @pytest.mark.parametrize(
        ("name", "ratios"),
        [
            ("relu", (1 / np.pi,) * 4),
            ("gelu", (6.4e-5, 0.050, 0.187, 0.292)),
            ("silu", (2.5e-5, 0.022, 0.120, 0.256)),
            ("tanh", (0, 0, 0, 0)),
        ],
    )
    def test_activation_bias_by_variance(self, name, ratios):
        """``(E φ)²/E φ²`` at variances 1e-4, .1, 1, 10, to the digits that the notes give."""
        for q, ratio in zip((1e-4, 0.1, 1.0, 10.0), ratios, strict=True):
            measured = mean(name, q) ** 2 / second_moment(name, q)
            assert measured == pytest.approx(
                ratio, rel=1e-12 if name == "relu" else 0.011, abs=5e-6 if q < 1e-3 else 6e-4
            )


class TestUsersFunctions:
    def test_exponential_and_square_have_their_known_moments(self):
        """``E e^a e^b = e^{q+c}`` and ``E a²b² = q² + 2c²``."""
        assert dual_activation(torch.exp, [-0.4, 0.3, 0.9], 1.0) == pytest.approx(
            np.exp(1 + np.array([-0.4, 0.3, 0.9])), rel=1e-11
        )
        assert dual_activation(torch.square, [-2.0, 1.0], 3.0) == pytest.approx(
            9 + 2 * np.array([4.0, 1.0]), rel=1e-12
        )

    @pytest.mark.parametrize("q", [0.5, 30.0])
    def test_sine_has_its_known_moments(self, q):
        """``E sin a sin b = e^{−q} sinh c``."""
        c = np.array([-0.9, 0.1, 0.7]) * q
        expected = (np.exp(c - q) - np.exp(-c - q)) / 2
        assert dual_activation(torch.sin, c, q) == pytest.approx(expected, abs=1e-12)

    @pytest.mark.parametrize("rho", [-0.99, 0.2, 1 - 1e-9, 1.0])
    @pytest.mark.parametrize("q", [1e-24, 1.0, 1e12])
    def test_leaky_relu_follows_from_relu(self, rho, q):
        """``φ = (1 − s) relu + s·id`` has ``K = (1−s)² K_relu + s(1−s)c + s²c``, as ``E relu(a)b = c/2``."""
        slope, c = 0.01, rho * q
        expected = (1 - slope) ** 2 * dual_activation("relu", c, q) + slope * (1 - slope) * c + slope**2 * c
        assert dual_activation(torch.nn.functional.leaky_relu, c, q) == pytest.approx(expected, abs=1e-12 * q)

    @pytest.mark.parametrize("rho", [-0.6, 0.5, 1 - 1e-8])
    def test_kinks_away_from_zero_are_found(self, rho):
        """hardtanh' is the indicator of [−1, 1], with a bivariate normal probability for its dual."""
        q = 1.5
        normal = multivariate_normal([0, 0], [[q, 0.5 * q], [0.5 * q, q]])
        probability = normal.cdf([1, 1], lower_limit=[-1, -1])
        assert dual_activation(torch.nn.functional.hardtanh, 0.5 * q, q, order=1) == pytest.approx(
            probability, abs=1e-7
        )
        shifted = get_activation(lambda x: torch.relu(x - 0.3))
        nodes, weights = np.polynomial.legendre.leggauss(40)
        # Price's theorem with c = q sin t, in which K' is smooth up to c = q.
        t = (nodes + 1) / 2 * np.arcsin(rho)
        integral = (
            weights / 2 * np.arcsin(rho) @ (np.cos(t) * q * dual_activation(shifted, q * np.sin(t), q, 1))
        )
        difference = dual_activation(shifted, rho * q, q) - mean(shifted, q) ** 2
        assert difference == pytest.approx(integral, abs=1e-10)

    def test_step_is_a_jump_that_can_be_integrated(self):
        """``E sign a sign b = (2/π) arcsin ρ``."""
        rho = np.array([-0.8, 0.1, 1 - 1e-10])
        assert dual_activation(torch.sign, 3 * rho, 3.0) == pytest.approx(
            2 / np.pi * np.arcsin(rho), abs=1e-11
        )

    def test_steep_but_smooth_is_no_jump(self):
        steep = get_activation(lambda x: torch.tanh(1e5 * x))
        assert second_moment(steep, 1.0, order=1) == pytest.approx(
            1e10 * second_moment("tanh", 1e10, order=1), rel=1e-9
        )

    @pytest.mark.parametrize(
        ("function", "order"),
        [
            (torch.nn.functional.leaky_relu, 2),
            (torch.nn.functional.hardtanh, 2),
            (torch.abs, 2),
            (torch.sign, 1),
            (torch.sign, 2),
            (lambda x: torch.relu(x - 0.3), 2),
            (lambda x: x.detach() ** 2, 1),
        ],
    )
    @pytest.mark.parametrize("q", [0.5, 1.0, 100.0])
    def test_infinite_moment_is_refused_where_torch_says_zero(self, function, order, q):
        for call in (mean, second_moment):
            with pytest.raises(
                ValueError,
                match="jumps",
            ):
                call(function, q, order)

    @pytest.mark.parametrize(
        ("function", "q", "message"),
        [
            (torch.exp, 100.0, "grows too fast"),
            (torch.exp, 1e6, "not finite"),
            (torch.sin, 1e12, "varies too fast"),
            (lambda x: torch.exp(x**2 / 10), 4.0, "grows too fast"),
            (torch.floor, 30.0, "varies too fast"),
            (lambda x: torch.sin(40 * x), 40.0, "evaluations"),
        ],
    )
    def test_what_cannot_be_integrated_is_refused(self, function, q, message):
        with pytest.raises(ValueError, match=message):
            dual_activation(function, q / 2, q)

    def test_singular_slope_is_refused(self):
        """``φ = √|x|``: ``E φ'²`` diverges."""
        with pytest.raises(ValueError, match="cannot be integrated"):
            second_moment(lambda x: x.abs().sqrt(), 1.0, order=1)

    def test_blocks_of_evaluations_add_up(self, monkeypatch):
        arguments = get_activation("tanh"), 0, 1.0, 1.5, 0.6, 0.8, 16
        at_once = quadrature._double(*arguments)
        monkeypatch.setattr(quadrature, "_BLOCK", 5_000)
        assert quadrature._double(*arguments) == pytest.approx(at_once, rel=1e-13)

    def test_an_activation_of_zero_has_moments_of_zero(self):
        nothing = Activation("nothing", lambda z: 0 * z)
        assert dual_activation(nothing, [-0.5, 0.0, 0.5, 1.0], 1.0).tolist() == [0.0] * 4

    def test_refusals_say_what_to_do_instead(self):
        message = (
            "activation 'square': its derivative of order 0 grows too fast to be integrated over a Gaussian "
            "of variance 1; use a smaller variance, or an activation that is smooth and grows like a "
            "polynomial."
        )
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            second_moment(Activation("square", lambda z: torch.exp(z**2 / 4 - 1) - 1), 1.0)
        message = (
            "activation 'level' has no symbolic form: it is a function of tensors alone. "
            "Give one: Activation(name, torch_function, sympy_function)."
        )
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            Activation("level", torch.tanh).symbolic(0)


class TestArguments:
    @pytest.mark.parametrize("q", [0.0, -1.0, np.nan, np.inf, 1e-31, 1e16])
    def test_variance_out_of_range_is_refused(self, q):
        for call in (mean, second_moment, lambda phi, q: dual_activation(phi, 0.0, q)):
            with pytest.raises(ValueError, match=r"variance must lie between 1e-30 and 1e[+]15"):
                call("tanh", q)
        with pytest.raises(ValueError, match="variance_b must lie between"):
            dual_activation("tanh", 0.0, 1.0, variance_b=q)

    @pytest.mark.parametrize("q", ["1", None, [1.0], 1j])
    def test_variance_that_is_no_number_is_refused(self, q):
        for call in (mean, second_moment):
            with pytest.raises(TypeError, match="variance"):
                call("relu", q)

    @pytest.mark.parametrize("c", [1.0 + 1e-8, -1.1, np.nan, np.inf, [0.0, 2.0]])
    def test_covariance_beyond_the_variance_is_refused(self, c):
        for name in ("relu", "tanh"):
            with pytest.raises(ValueError, match=r"covariance .* must lie between -1 and 1"):
                dual_activation(name, c, 1.0)

    def test_covariance_beyond_by_rounding_is_clipped(self):
        for name in ("relu", "tanh", "gelu"):
            assert dual_activation(name, 1 + 9e-10, 1.0) == second_moment(name, 1.0)
            assert dual_activation(name, -1 - 9e-10, 1.0) == dual_activation(name, -1.0, 1.0)

    @pytest.mark.parametrize("c", ["half", None, 1j, [True]])
    def test_covariance_that_is_no_number_is_refused(self, c):
        with pytest.raises(TypeError, match="covariance must be a number"):
            dual_activation("relu", c, 1.0)

    @pytest.mark.parametrize("name", ["relu", "tanh"])
    def test_shape_of_the_covariance_is_kept(self, name):
        c = np.array([[0.1, 0.9, 0.1], [-0.4, 0.0, 1.0]])
        value = dual_activation(name, c, 1.0)
        assert value.shape == (2, 3)
        assert value.tolist() == [[dual_activation(name, x, 1.0) for x in row] for row in c.tolist()]
        assert isinstance(dual_activation(name, 0.1, 1.0), float)
        assert dual_activation(name, np.zeros((0, 2)), 1.0).shape == (0, 2)
        assert dual_activation(name, 1, 1) == second_moment(name, 1.0)

    def test_given_covariances_are_left_alone(self):
        c = np.array([0.5, 1 + 5e-10])
        result = dual_activation("identity", c, 1.0)
        result += 1
        assert c.tolist() == [0.5, 1 + 5e-10]


variances = st.floats(-24, 12).map(lambda exponent: 10.0**exponent)
correlations = st.one_of(st.floats(-1, 1), st.floats(-16, 0).map(lambda exponent: 1 - 10.0**exponent))


class TestProperties:
    @settings(max_examples=150, deadline=None)
    @given(st.sampled_from(CLOSED_ORDERS), variances, correlations)
    def test_closed_forms_are_finite_and_bounded_by_the_second_moment(self, pair, q, rho):
        value, square = dual_activation(pair[0], rho * q, q, pair[1]), second_moment(pair[0], q, pair[1])
        assert np.isfinite(value)
        assert abs(value) <= square * (1 + 1e-14)
        assert mean(pair[0], q, pair[1]) ** 2 <= square * (1 + 1e-14)

    @settings(max_examples=25, deadline=None)
    @given(st.sampled_from([pair for pair in ORDERS if pair[0] not in CLOSED]), variances, correlations)
    def test_quadrature_is_finite_and_bounded_by_the_second_moment(self, pair, q, rho):
        value, square = dual_activation(pair[0], rho * q, q, pair[1]), second_moment(pair[0], q, pair[1])
        assert np.isfinite(value)
        assert abs(value) <= square * (1 + 1e-12)
        assert mean(pair[0], q, pair[1]) ** 2 <= square * (1 + 1e-12)

    @settings(max_examples=60, deadline=None)
    @given(st.sampled_from(CLOSED_ORDERS), st.floats(-6, 6), st.integers(0, 2**32 - 1))
    def test_dual_of_a_gram_matrix_is_positive_semi_definite(self, pair, exponent, seed):
        x = np.random.default_rng(seed).standard_normal((6, 3))
        gram = 10.0**exponent * (x @ x.T) / np.outer(np.linalg.norm(x, axis=1), np.linalg.norm(x, axis=1))
        values = dual_activation(pair[0], gram, 10.0**exponent, pair[1])
        eigenvalues = np.linalg.eigvalsh(values)
        assert eigenvalues.min() >= -1e-12 * max(eigenvalues.max(), 1e-300)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_perfect_correlation_sees_the_kinks_of_both_deviations(sign):
    """E (u − 1)₊ (u/2 − 1)₊ = 3/2 Q(2) − φ(2)/2: the kink that counts is that of the second deviation."""
    density, beyond = np.exp(-2) / np.sqrt(2 * np.pi), math.erfc(2**0.5) / 2
    shifted = get_activation(lambda x: torch.relu(x - 1))
    expected = 1.5 * beyond - density / 2 if sign > 0 else 0.0
    found = dual_activation(shifted, sign * 0.5, 1.0, variance_b=0.25)
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-15)
