"""One verdict among many must be clearer than one alone."""

import numpy as np
import pandas as pd
import pytest

from ntklib.claims import simultaneous_support


def ledger(rows):
    frame = pd.DataFrame(rows, columns=["expected", "measured", "low", "high", "verdict"])
    return frame.astype({"measured": float, "low": float, "high": float})


def test_a_single_test_keeps_the_verdict_of_its_interval():
    rows = [
        (("above", 0), 1.0, end, 2.0, "supported" if end >= 0 else "not supported") for end in (-0.1, 0.1)
    ]
    for row in rows:
        (remains,) = simultaneous_support(ledger([row]))["remains"]
        assert remains == (row[-1] == "supported")


def test_chance_alone_is_seldom_supported_in_a_family():
    generator = np.random.default_rng(0)
    alone = together = 0
    for _ in range(200):
        means = generator.standard_normal(40)  # the true value of all is the bound itself
        rows = [
            (("above", 0), m, m - 1.96, m + 1.96, "supported" if m > 1.96 else "not supported") for m in means
        ]
        found = simultaneous_support(ledger(rows))
        alone += found["supported"].any()
        together += found["remains"].any()
    assert alone > 100  # 1 − .975^40 = .64 of the families
    assert together < 15  # .025 of them


def test_the_nearer_bound_decides_and_claims_without_interval_are_no_tests():
    found = simultaneous_support(
        ledger(
            [
                (("between", 0.8, 1.25), 1.2, 1.16, 1.249, "supported"),
                (("between", 0.8, 1.25), 0.84, 0.801, 0.9, "supported"),
                (("between", 0.8, 1.25), 1.0, 0.99, 1.01, "supported under a condition"),
                (("above", 0.5), 0.9, np.nan, np.nan, "supported"),
                ("a text", 0.9, 0.8, 1.0, "supported"),
                (("below", 0), -1.0, -1.0, -1.0, "supported"),
            ]
        )
    )
    assert found.index.tolist() == [0, 1, 2, 5]
    assert found["remains"].tolist() == [False, False, True, True]


def test_a_level_out_of_range_is_refused():
    with pytest.raises(ValueError, match=r"level must be between 0 and 1, not 95.0"):
        simultaneous_support(ledger([]), level=95.0)
