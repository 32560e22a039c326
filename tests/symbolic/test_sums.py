import os
import subprocess
import sys
from pathlib import Path

import pytest
from sympy import Function, IndexedBase, KroneckerDelta, Sum, Symbol, exp, latex, sqrt

from ntklib.symbolic import abbreviate, gradient, index_symbols, simplify_sums
from tests.symbolic.mlp_model import GROUPS, E, W, d, finite_kernel, i, j, m, phi, token_score, x

k, n = index_symbols("k n")
f, g, w = IndexedBase("f"), IndexedBase("g"), IndexedBase("w")
F = Function("F")


def test_a_delta_is_summed_out():
    assert simplify_sums(Sum(KroneckerDelta(i, k) * f[i] * F(g[i]), (i, 1, m))) == f[k] * F(g[k])


def test_a_sum_without_its_index_is_its_length():
    assert simplify_sums(Sum(f[k], (i, 1, m), (j, 1, d))) == d * m * f[k]


def test_sums_that_share_no_index_factor():
    assert simplify_sums(Sum(f[i] * g[j], (i, 1, m), (j, 1, d))) == Sum(f[i], (i, 1, m)) * Sum(
        g[j], (j, 1, d)
    )


def test_names_of_bound_indices_do_not_matter():
    pairs = Sum(w[i, k] * f[i], (i, 1, m), (k, 1, m)), Sum(w[k, j] * f[k], (j, 1, m), (k, 1, m))
    assert simplify_sums(pairs[0] - pairs[1]) == 0
    assert simplify_sums(F(Sum(f[i], (i, 1, m))) - F(Sum(f[k], (k, 1, m)))) == 0


def test_a_square_of_a_sum_keeps_its_indices_apart():
    square = simplify_sums(Sum(w[i, 1], (i, 1, m)) ** 2)
    assert square.subs(m, 2).doit().expand() == (w[1, 1] ** 2 + 2 * w[1, 1] * w[2, 1] + w[2, 1] ** 2)


def test_a_sum_within_a_function_is_not_captured_by_an_outer_index():
    inner = Sum(w[i, j] * f[j], (j, 1, n))
    renamed = simplify_sums(Sum(KroneckerDelta(i, j) * F(inner), (i, 1, n)))  # i becomes the free index j
    assert renamed.subs(n, 2).subs(j, 2).doit() == F(w[2, 1] * f[1] + w[2, 2] * f[2])


@pytest.mark.parametrize(
    "expression", [Sum(f[i], (i, 1, m)) ** 3, exp(Sum(f[i] * g[k], (i, 1, m)) / m) * g[k]]
)
def test_simplifying_keeps_the_value(expression):
    explicit = simplify_sums(expression).subs(m, 3).doit() - expression.subs(m, 3).doit()
    assert explicit.expand() == 0


def test_triangular_sums_are_refused():
    with pytest.raises(ValueError, match=r"limits .* of .* depend on another index"):
        simplify_sums(Sum(f[i], (i, 1, j), (j, 1, m)))


def test_deltas_between_unlike_ranges_are_refused():
    with pytest.raises(ValueError, match="both must run over the same range"):
        simplify_sums(Sum(KroneckerDelta(i, j) * w[i, j], (i, 1, m), (j, 1, d)))


@pytest.mark.parametrize("group", GROUPS)
def test_the_symbolic_gradient_is_that_of_a_written_out_network(group):
    tokens = {x[1]: 2}
    score = token_score(x[1], activation=lambda u: u**3 + 2 * u)
    weight = GROUPS[group]
    numbers = dict.fromkeys(weight.indices, 2)
    sizes = {m: 2, d: 3}
    derived = gradient(score, weight).subs(numbers).subs(tokens).subs(sizes).doit()
    explicit = score.subs(sizes).doit().subs(tokens).diff(weight.subs(numbers).subs(sizes))
    assert (derived - explicit).expand() == 0
    assert explicit != 0


def test_activation_prints_as_a_reader_writes_it():
    u = Symbol("u")
    assert latex(phi(u).diff(u) ** 2) == r"\varphi'\left(u\right)^{2}"
    assert latex(phi(u, order=5)) == r"\varphi^{(5)}\left(u\right)"


def test_weights_of_the_wrong_number_of_indices_are_named():
    with pytest.raises(ValueError, match=r"W takes 2 indices"):
        W[i, j, k]


def test_a_gradient_by_something_else_than_a_weight_is_refused():
    with pytest.raises(TypeError, match="must be an entry of an array"):
        gradient(token_score(x[1]), d)


def test_abbreviations_leave_no_definition_behind():
    token = Symbol("w")
    preactivation = Sum(W[i, j] * E[token, j], (j, 1, d)) / sqrt(d)
    short = abbreviate(finite_kernel("output"), IndexedBase("u")[i, token], preactivation, [i, token])
    assert not short.has(W.base)
    assert len(short.atoms(Sum)) == 1


def test_latex_does_not_depend_on_the_hash_seed():
    program = (
        "from sympy import latex\n"
        "from tests.symbolic.mlp_model import W, finite_kernel, gaussian_expectation, v\n"
        "for group in ('output', 'hidden', 'embedding'):\n"
        "    print(latex(gaussian_expectation(finite_kernel(group), [v, W])))\n"
    )
    root = Path(__file__).parents[2]
    printed = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(root)},
            cwd=root,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "2")
    }
    assert len(printed) == 1
    assert "phi" in printed.pop()
