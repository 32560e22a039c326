"""Verdicts that follow from numbers by a rule."""

import math
from typing import Any

VERDICTS = ("supported", "supported under a condition", "not supported", "not testable here")


def verdict_from(measured: Any, expected: tuple[Any, ...], interval: Any = None) -> tuple[str, bool]:
    """Verdict that follows from a measured value, its interval and what was expected.

    "supported" if the whole interval satisfies the rule, "not supported" otherwise

    Parameters
    ----------
    measured : float
        The measured value; it stands for the interval when there is none.
    expected : tuple
        ``("above", a)``, ``("below", b)`` or ``("between", a, b)``, bounds included.
    interval : (low, high), optional
        The interval of the measured value.

    Returns
    -------
    (str, bool)
        The verdict, and whether it is decisive: False when one part of the interval satisfies the rule.

    Raises
    ------
    ValueError
        If the rule is none of the three, or a number is not finite.

    Notes
    -----
    There is no rule that a value be inside the interval: a wider interval, and so less data, would support it
    more. To claim that there is no effect, say between which bounds an effect would be negligible.

    Examples
    --------
    >>> verdict_from(0.95, ("above", 0.9), (0.92, 0.97)), verdict_from(0.95, ("above", 0.9), (0.85, 0.99))
    (('supported', True), ('not supported', False))
    """
    low, high = allowed_range(expected)
    ends = (measured, measured) if interval is None else tuple(interval)
    if not all(is_number(end) for end in (measured, *ends)) or len(ends) != 2 or ends[0] > ends[1]:
        raise ValueError(
            f"measured must be finite and interval its (low, high), not {measured!r} and {interval!r}."
        )
    inside = low <= ends[0] and ends[1] <= high
    outside = ends[1] < low or ends[0] > high
    return ("supported" if inside else "not supported"), inside or outside


def verdict_in_words(claim: Any, doubt: str = "undecided") -> str:
    """Write a claim's verdict, and that it is open where part of the interval meets the expectation."""
    undecided = claim.verdict == "not supported" and not claim.decisive
    return f"{claim.verdict} ({doubt})" if undecided else claim.verdict


def outcome(claim: Any, doubt: str = "undecided") -> str:
    """Write a claim's verdict with its condition and its reason in words.

    Parameters
    ----------
    claim
        Has ``verdict``, ``decisive``, ``condition`` and ``reason``: a :class:`Claim`, or a row of the ledger.
    doubt : str
        What is said of a claim that is not supported although part of its interval meets the expectation.

    Returns
    -------
    str

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> found = {"verdict": "not supported", "decisive": False, "condition": "short texts"}
    >>> outcome(SimpleNamespace(**found, reason="few networks"))
    'not supported (undecided) for short texts: few networks'
    """
    head, condition = verdict_in_words(claim, doubt), claim.condition
    if claim.verdict == "not supported" and condition:
        head, condition = f"{head} for {condition}", ""
    return ": ".join(filter(None, [head, condition, claim.reason]))


def decide(
    given: str | None,
    expected: tuple[Any, ...] | str,
    measured: float | None,
    interval: tuple[float, float] | None,
    condition: str,
    reason: str,
) -> tuple[str, bool]:
    """Return the verdict and whether it is decisive, or the reason why the one that was given can't stand."""
    if given is not None and given not in VERDICTS:
        raise ValueError(f"verdict must be one of {', '.join(map(repr, VERDICTS))}, not {given!r}.")
    if measured is None:
        if given not in (None, "not testable here") or not reason.strip():
            raise ValueError(
                "measured is missing: give what was measured, or the reason why it is not testable here."
            )
        return "not testable here", False
    if given == "not testable here":
        raise ValueError(
            f"verdict is 'not testable here', but measured is {measured}: leave one of them out."
        )
    if isinstance(expected, str):
        if given is None:
            raise ValueError("verdict is missing: expected is a text, from which none can be computed.")
        base, decisive = given, True
    else:
        base, decisive = verdict_from(measured, expected, interval)
    if base == "supported" and condition.strip():
        base = "supported under a condition"
    if base == "supported under a condition" and not condition.strip():
        raise ValueError("condition is empty, but the verdict is 'supported under a condition': name it.")
    if given not in (None, base):
        raise ValueError(f"verdict is {given!r}, but expected, measured and condition give {base!r}.")
    return base, decisive


def allowed_range(rule: Any) -> tuple[float, float]:
    """Return the ends of the range that a rule allows."""
    kind, *bounds = rule if isinstance(rule, tuple | list) and rule else (None,)
    if not all(is_number(bound) for bound in bounds) or (kind, len(bounds)) not in (
        ("above", 1),
        ("below", 1),
        ("between", 2),
    ):
        raise ValueError(f"expected must be ('above', a), ('below', b) or ('between', a, b), not {rule!r}.")
    if kind == "between" and bounds[0] > bounds[1]:
        raise ValueError(f"expected must be ('between', a, b) with a <= b, not {rule!r}.")
    ends = [float(bound) for bound in bounds]
    if kind == "above":
        return ends[0], math.inf
    return (-math.inf, ends[0]) if kind == "below" else (ends[0], ends[1])


def is_number(value: Any) -> bool:
    """Return whether ``value`` is a finite number."""
    return hasattr(value, "__float__") and not isinstance(value, bool) and math.isfinite(value)
