"""A claim with what was measured, recorded in the output of the notebook cell that measured it."""

import html
import json
import re
import textwrap
from dataclasses import asdict, dataclass
from typing import Any

from ntklib.claims.verdict import allowed_range, decide, is_number, outcome

SOURCES = ("paper", "derivation", "measurement")
ABSTRACT_CLAIMS = {
    1: "The learning dynamics of the NTK reveal which features a model acquires from its training data.",
    2: "Fundamental models use statistical features, token-label co-occurrence, in their decisions.",
    3: "The activation affects feature extraction: ReLU can introduce a bias in features.",
    4: "Self-attention and CNN may be limited in learning n-grams; multiplication-based models excel.",
    5: "Experiments verify the analysis.",
    6: "The analysis applies to language modelling, a special variant of classification.",
}
"""What the paper's abstract claims, in our words; a claim of source "paper" names one of these numbers."""

# A data block: browsers neither show nor run it, Sphinx keeps it out of the search index, nbval compares it.
MIME_TYPE = "application/vnd.ntklib.claim+json"


def _written(value: float, digits: int) -> str:
    """Write a number with so many significant digits, last zeros too; large ones without a power of ten."""
    if value == 0:
        return "0"
    text = f"{value:#.{digits}g}"
    return f"{float(text):,.0f}" if "e+" in text else text.replace(".e", "e").rstrip(".")


@dataclass(frozen=True)
class Claim:
    """One row of the ledger; made by :func:`record_claim`, which documents the fields.

    ``expected`` is a rule such as ``("above", 0.9)`` or a text. ``decisive`` says whether the whole interval
    lies on one side of the rule; a claim that is not supported and not decisive remains open.
    """

    id: str
    statement: str
    source: str
    abstract: int | None
    expected: tuple[Any, ...] | str
    measured: float | None
    interval: tuple[float, float] | None
    unit: str
    digits: int
    verdict: str
    decisive: bool
    condition: str
    reason: str

    @property
    def expectation(self) -> str:
        """The expected value in words."""
        if isinstance(self.expected, str):
            return self.expected
        kind, *bounds = self.expected
        return f"{kind} {' and '.join(f'{bound:g}' for bound in bounds)}"

    @property
    def measurement(self) -> str:
        """The measured value with its interval and unit, at the stated digits."""
        if self.measured is None:
            return "not measured"
        number = _written(self.measured, self.digits)
        if self.interval is not None:
            number += " [" + ", ".join(_written(end, self.digits) for end in self.interval) + "]"
        return f"{number} {self.unit}".strip()

    @property
    def outcome(self) -> str:
        """The verdict with its condition or reason in words."""
        return outcome(self, doubt="undecided: part of the interval meets the expectation")

    def _rows(self) -> dict[str, str]:
        origin = f"paper, abstract, claim {self.abstract}" if self.source == "paper" else self.source
        return {
            "source": origin,
            "expected": self.expectation,
            "measured": self.measurement,
            "verdict": self.outcome,
        }

    def __repr__(self) -> str:
        rows = [f"{name:>9}: {text}" for name, text in self._rows().items()]
        return "\n".join([f"Claim {self.id}", *textwrap.wrap(self.statement, 100), *rows])

    def _repr_html_(self) -> str:
        rows = "".join(
            f'<tr><th scope="row">{name}</th><td>{html.escape(text)}</td></tr>'
            for name, text in self._rows().items()
        )
        # Inside a script element only "<" could end the record; JSON may write it by its number.
        record = json.dumps(asdict(self), ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")
        return (
            f'<table class="ntklib-claim" id="claim-{self.id}">'
            f"<caption>{html.escape(self.statement)}</caption>"
            f'<tbody>{rows}</tbody></table><script type="{MIME_TYPE}">{record}</script>'
        )


def record_claim(
    *,
    id: str,
    statement: str,
    source: str,
    expected: tuple[Any, ...] | str,
    measured: Any = None,
    interval: Any = None,
    unit: str = "",
    digits: int = 3,
    verdict: str | None = None,
    condition: str = "",
    reason: str = "",
    abstract: int | None = None,
) -> Claim:
    """Record a claim with what was measured: end a notebook cell with it, one claim a cell.

    The record is part of the output; the function itself keeps nothing.

    Parameters
    ----------
    id : str
        Unique in the book: lower-case words joined by hyphens, such as ``"mlp-co-occurrence"``.
    statement : str
        The claim, one sentence.
    source : str
        ``"paper"`` (its abstract says it), ``"derivation"`` (this book proves it) or ``"measurement"``.
    expected : tuple or str
        A rule for :func:`verdict_from`, such as ``("above", 0.9)``: it then gives the verdict. Or a text,
        where no rule can say it: then give the verdict.
    measured : float or Interval, optional
        What was measured; an :class:`~ntklib.statistics.Interval` brings its ends with it.
    interval : (low, high), optional
        Its interval.
    unit : str
        Unit or name of the measured quantity, such as ``"R²"``.
    digits : int
        Significant digits, 1 to 15, to which numbers are rounded *before* the verdict: state only those that
        are the same in each execution.
    verdict : str, optional
        One of ``VERDICTS``. Follows from a rule; "not testable here" needs a reason and no measurement.
    condition : str
        When the claim holds, if not always: turns "supported" into "supported under a condition".
    reason : str
        Why the claim can't be tested here, or what explains the verdict.
    abstract : int, optional
        For source "paper", and only for it: the number of the claim in ``ABSTRACT_CLAIMS``.

    Returns
    -------
    Claim
        Shows itself as text and as an HTML table that carries the record.

    Raises
    ------
    ValueError
        If a field is malformed, nothing was measured and no reason says why, or the verdict contradicts the
        rule.

    Examples
    --------
    >>> record_claim(
    ...     id="mlp-agreement",
    ...     statement="The kernel predicts the label scores of a wide network.",
    ...     source="paper",
    ...     abstract=1,
    ...     expected=("above", 0.9),
    ...     measured=0.95432,
    ...     interval=(0.93, 0.97),
    ...     unit="R²",
    ...     condition="SGD, width 1024",
    ... )
    Claim mlp-agreement
    The kernel predicts the label scores of a wide network.
       source: paper, abstract, claim 1
     expected: above 0.9
     measured: 0.954 [0.930, 0.970] R²
      verdict: supported under a condition: SGD, width 1024
    """
    if hasattr(measured, "estimate"):
        if interval is not None:
            raise ValueError("interval is given twice: measured brings its own.")
        measured, interval = measured.estimate, (measured.low, measured.high)
    if isinstance(digits, bool) or not isinstance(digits, int) or not 1 <= digits <= 15:
        raise ValueError(f"digits must be an integer from 1 to 15, not {digits!r}.")
    _check_texts(id, statement, unit=unit, condition=condition, reason=reason)
    _check_source(source, abstract)
    value = None if measured is None else _rounded(measured, "measured", digits)
    ends = None
    if interval is not None:
        if value is None:
            raise ValueError("interval is given, but measured is not: give the measured value too.")
        if len(interval) != 2 or not interval[0] <= interval[1]:
            raise ValueError(f"interval must be (low, high) with low <= high, not {interval!r}.")
        ends = (_rounded(interval[0], "interval", digits), _rounded(interval[1], "interval", digits))
    if isinstance(expected, str):
        if not expected.strip():
            raise ValueError("expected is empty: say what was expected, such as ('above', 0.9).")
    else:
        expected = tuple(expected)
        allowed_range(expected)
    found, decisive = decide(verdict, expected, value, ends, condition, reason)
    return Claim(
        id,
        statement,
        source,
        abstract,
        expected,
        value,
        ends,
        unit,
        digits,
        found,
        decisive,
        condition,
        reason,
    )


def _check_texts(id: Any, statement: Any, **others: Any) -> None:
    if not isinstance(id, str) or not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", id):
        raise ValueError(f"id must be lower-case words joined by hyphens, such as 'mlp-bias', not {id!r}.")
    if not isinstance(statement, str) or not statement.strip():
        raise ValueError(f"statement must be a sentence, not {statement!r}.")
    for name, text in others.items():
        if not isinstance(text, str):
            raise ValueError(f"{name} must be a string, not {text!r}.")


def _check_source(source: Any, abstract: Any) -> None:
    if source not in SOURCES:
        raise ValueError(f"source must be one of {', '.join(map(repr, SOURCES))}, not {source!r}.")
    if source == "paper" and abstract not in ABSTRACT_CLAIMS:
        raise ValueError(
            f"abstract is {abstract!r}, but a claim of the paper must name a claim of its abstract: "
            f"1 to {len(ABSTRACT_CLAIMS)}, see ntklib.claims.ABSTRACT_CLAIMS."
        )
    if source != "paper" and abstract is not None:
        raise ValueError(f"abstract is {abstract!r}, but source is {source!r}: only source 'paper' has one.")


def _rounded(value: Any, name: str, digits: int) -> float:
    if not is_number(value):
        raise ValueError(f"{name} must be a finite number, not {value!r}.")
    return float(f"{float(value):.{digits}g}")
