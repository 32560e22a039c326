from collections import Counter

import pytest
from sympy import Function, IndexedBase, KroneckerDelta, Sum, exp, simplify

from ntklib.symbolic import TokenCount, count_matches, index_symbols, match_split, match_weights
from tests.symbolic.mlp_model import GROUPS, V, limit_kernel, s, t, u, x, y

F = Function("F")
length_x, length_y, o = index_symbols("L M o")
FIRST, SECOND = KroneckerDelta(x[t], y[s]), KroneckerDelta(x[t + 1], y[s + 1])


def test_weights_of_two_matches_are_the_moebius_inversion():
    weights = match_weights(F(FIRST + 2 * SECOND))
    assert weights[()] == F(0)
    assert weights[(FIRST,)] == F(1) - F(0)
    assert weights[(SECOND,)] == F(2) - F(0)
    assert weights[min(weights, key=lambda key: -len(key))] == F(3) - F(2) - F(1) + F(0)


def test_a_split_kernel_has_the_same_value_at_every_match():
    kernel = exp(FIRST + 3 * SECOND) + FIRST
    split = match_split(kernel)
    for first in (0, 1):
        for second in (0, 1):
            values = {FIRST: first, SECOND: second}
            assert simplify(kernel.xreplace(values) - split.xreplace(values)) == 0


def test_the_mlp_has_a_bias_and_a_token_weight():
    total = sum(limit_kernel(group) for group in GROUPS)
    assert set(match_weights(total)) == {(), (FIRST,)}


def test_a_delta_under_a_sum_within_a_function_is_refused():
    with pytest.raises(ValueError, match="stands under a sum"):
        match_weights(exp(Sum(KroneckerDelta(x[t + o], y[s + o]), (o, 1, 3))))


def test_matches_of_positions_are_products_of_counts():
    words_x, words_y = [3, 1, 3, 2], [3, 3, 1]
    pooled = Sum(5 * FIRST + 7, (t, 1, length_x), (s, 1, length_y))
    counted = count_matches(match_split(pooled), u, V)
    (total,) = counted.atoms(Sum)
    number = sum(Counter(words_x)[token] * Counter(words_y)[token] for token in (1, 2, 3))
    assert number == sum(a == b for a in words_x for b in words_y)
    assert total == Sum(TokenCount(u, x) * TokenCount(u, y), (u, 1, V))
    assert counted.subs(total, number).subs({length_x: 4, length_y: 3}) == 5 * number + 7 * 12


def test_a_delta_that_matches_no_two_summed_positions_stays():
    assert count_matches(Sum(FIRST, (t, 1, length_x)), u, V) == Sum(FIRST, (t, 1, length_x))


def test_a_position_that_another_factor_needs_is_not_summed():
    weighted = Sum(IndexedBase("h")[t] * FIRST, (t, 1, length_x), (s, 1, length_y))
    assert not count_matches(weighted, u, V).has(TokenCount)
