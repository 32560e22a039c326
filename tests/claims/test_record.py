"""Records of claims: what they show, how they round, and what they refuse."""

import json
from html.parser import HTMLParser

import numpy as np
import pytest

from ntklib.claims import ABSTRACT_CLAIMS, record_claim
from ntklib.statistics import Interval

FIELDS = {
    "id": "a-claim",
    "statement": "It holds.",
    "source": "measurement",
    "expected": ("above", 0.9),
    "measured": 0.95,
}


def record(**changes):
    return record_claim(**(FIELDS | changes))


def test_numbers_are_rounded_before_the_verdict_so_that_a_reader_can_repeat_it():
    assert record(measured=0.89996, interval=(0.89996, 0.95)).interval == (0.9, 0.95)
    assert record(measured=0.89996, interval=(0.89996, 0.95)).verdict == "supported"
    assert record(measured=0.89996, digits=5).verdict == "not supported"
    assert record(measured=123456.0, digits=2).measured == 120000.0


def test_two_executions_that_differ_beyond_the_stated_digits_show_the_same():
    first, second = (record(measured=m, interval=(m - 0.03, m)) for m in (0.95400001, 0.9539999))
    assert repr(first) == repr(second)
    assert first._repr_html_() == second._repr_html_()


def test_an_interval_of_the_statistics_brings_its_ends():
    claim = record(measured=Interval(np.float64(0.95), np.float64(0.92), np.float64(0.97)))
    assert (claim.measured, claim.interval) == (0.95, (0.92, 0.97))
    with pytest.raises(ValueError, match="interval is given twice"):
        record(measured=Interval(0.95, 0.92, 0.97), interval=(0.9, 1.0))


def test_a_condition_makes_a_supported_claim_conditional_and_no_other_one():
    assert record(condition="SGD").verdict == "supported under a condition"
    assert record(condition="SGD", measured=0.5).verdict == "not supported"


def test_an_undecided_claim_says_so():
    claim = record(interval=(0.8, 0.99))
    assert (claim.verdict, claim.decisive) == ("not supported", False)
    assert "undecided" in repr(claim)
    assert "undecided" not in repr(record(measured=0.5, interval=(0.4, 0.6)))


def test_an_expectation_in_words_needs_a_verdict_and_is_shown():
    claim = record(
        expected="the order of the models", measured=1, verdict="not supported", condition="one seed"
    )
    assert (claim.verdict, claim.expectation) == ("not supported", "the order of the models")
    assert record(expected="an order", verdict="supported").verdict == "supported"


def test_what_was_not_measured_needs_a_reason():
    claim = record(measured=None, reason="The data are not public.")
    assert claim.verdict == "not testable here"
    assert "The data are not public." in repr(claim)


class Reader(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.texts = [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)

    def handle_data(self, data):
        self.texts.append(data)


def test_html_in_a_text_is_shown_and_never_becomes_an_element():
    nasty = "<img src=x onerror=alert(1)></script><script>alert(2)</script> & \" '"
    shown = Reader(record(statement=nasty, condition=nasty, reason=nasty, unit=nasty)._repr_html_())
    assert shown.tags == ["table", "caption", "tbody", *["tr", "th", "td"] * 4, "script"]
    assert shown.texts[0] == nasty
    assert json.loads(shown.texts[-1])["statement"] == nasty


def test_the_table_is_accessible():
    shown = record()._repr_html_()
    assert "<caption>It holds.</caption>" in shown
    assert shown.count('<th scope="row">') == 4


def test_each_claim_of_the_abstract_can_be_named():
    for number in ABSTRACT_CLAIMS:
        claim = record(source="paper", abstract=number)
        assert f"paper, abstract, claim {number}" in repr(claim)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"id": "A claim"}, "id must be lower-case words joined by hyphens"),
        ({"statement": " "}, "statement must be a sentence"),
        ({"source": "rumour"}, "source must be one of 'paper', 'derivation', 'measurement', not 'rumour'"),
        ({"source": "paper"}, "abstract is None, but a claim of the paper must name"),
        ({"source": "paper", "abstract": 7}, "abstract is 7, but"),
        ({"abstract": 1}, "only source 'paper' has one"),
        ({"measured": None}, "measured is missing: give what was measured, or the reason"),
        ({"measured": None, "reason": "none", "verdict": "supported"}, "measured is missing"),
        (
            {"measured": None, "reason": "none", "interval": (0.0, 1.0)},
            "interval is given, but measured is not",
        ),
        ({"measured": float("nan")}, "measured must be a finite number, not nan"),
        ({"measured": "0.95"}, "measured must be a finite number, not '0.95'"),
        ({"interval": (0.97, 0.93)}, "interval must be .low, high. with low <= high"),
        ({"interval": (0.9, float("inf"))}, "interval must be a finite number, not inf"),
        ({"expected": ("around", 0.9)}, "expected must be"),
        ({"expected": " "}, "expected is empty"),
        ({"expected": "a positive value"}, "verdict is missing: expected is a text"),
        ({"verdict": "true"}, "verdict must be one of 'supported'"),
        ({"verdict": "not supported"}, "verdict is 'not supported', but .* give 'supported'"),
        ({"verdict": "not testable here"}, "but measured is 0.95: leave one of them out"),
        ({"expected": "x", "verdict": "supported under a condition"}, "condition is empty"),
        ({"digits": 0}, "digits must be an integer from 1 to 15, not 0"),
    ],
)
def test_what_the_ledger_must_not_hold_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        record(**changes)


@pytest.mark.parametrize(
    ("measured", "digits", "written"),
    [
        (0.3, 2, "0.30"),
        (0, 2, "0"),
        (3e-5, 1, "3e-05"),
        (1218.4, 2, "1,200"),
        (411, 3, "411"),
        (-1.0, 2, "-1.0"),
    ],
)
def test_a_number_is_written_with_all_its_digits(measured, digits, written):
    claim = record_claim(
        id="x", statement="s", source="measurement", expected=("above", -9), measured=measured, digits=digits
    )
    assert claim.measurement == written
