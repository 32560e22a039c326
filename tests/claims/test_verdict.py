"""Verdicts by rule."""

import pytest

from ntklib.claims import verdict_from


@pytest.mark.parametrize(
    ("interval", "expected", "verdict"),
    [
        ((0.92, 0.97), ("above", 0.9), ("supported", True)),
        ((0.9, 0.97), ("above", 0.9), ("supported", True)),
        ((0.85, 0.97), ("above", 0.9), ("not supported", False)),
        ((0.7, 0.8), ("above", 0.9), ("not supported", True)),
        ((0.1, 0.2), ("below", 0.2), ("supported", True)),
        ((0.1, 0.3), ("below", 0.2), ("not supported", False)),
        ((0.3, 0.4), ("below", 0.2), ("not supported", True)),
        ((-0.55, -0.45), ("between", -0.6, -0.4), ("supported", True)),
        ((-0.65, -0.35), ("between", -0.6, -0.4), ("not supported", False)),
        ((-0.3, -0.2), ("between", -0.6, -0.4), ("not supported", True)),
    ],
)
def test_the_whole_interval_must_meet_the_expectation(interval, expected, verdict):
    assert verdict_from(sum(interval) / 2, expected, interval) == verdict


def test_a_value_without_interval_stands_for_itself():
    assert verdict_from(3e-12, ("below", 1e-10)) == ("supported", True)
    assert verdict_from(3e-9, ("below", 1e-10)) == ("not supported", True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0.5, ("near", 0.5)), r"expected must be \('above', a\)"),
        ((0.5, ("above",)), r"expected must be \('above', a\)"),
        ((0.5, ("above", "high")), r"expected must be \('above', a\)"),
        ((0.5, ("between", 1, 0)), "with a <= b"),
        ((float("nan"), ("above", 0)), "measured must be finite"),
        ((0.5, ("above", 0), (0.6, 0.4)), "measured must be finite and interval"),
        ((0.5, ("above", 0), (0.1, float("inf"))), "measured must be finite and interval"),
    ],
)
def test_bad_input_names_the_argument(arguments, message):
    with pytest.raises(ValueError, match=message):
        verdict_from(*arguments)
