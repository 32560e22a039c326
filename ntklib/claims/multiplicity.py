"""How many verdicts remain when all claims of a book are seen as one family of tests."""

import numpy as np
import pandas as pd
from scipy.stats import norm

from ntklib.claims.verdict import allowed_range

SUPPORTED = ("supported", "supported under a condition")


def simultaneous_support(claims: pd.DataFrame, level: float = 0.95) -> pd.DataFrame:
    """Which supported claims remain so when the verdicts are to hold together, by Holm's procedure.

    In a book of many claims more are supported by chance than a claim's own interval says. From the distance
    between the measured value and its rule's bound, in units of the interval's half on that side, follow

    ``z = 1.96 |measured − bound| / |measured − end of the interval|``  and  ``p = P(Z > z)``

    (the less favourable of two bounds for ``"between"``). Holm's procedure compares the sorted ``p`` with
    ``α/n, α/(n − 1), …``, where ``α = (1 − level)/2`` is the error that one end of the interval allows.

    Parameters
    ----------
    claims : DataFrame
        As :func:`~ntklib.claims.read_claims` gives.
    level : float
        Probability that the intervals of single claims have, and that all verdicts together are to have.

    Returns
    -------
    DataFrame
        One row for each claim that has a rule, a measured value and an interval, so is a test: ``p``,
        ``supported`` (its own verdict) and ``remains`` (also in the family). Its length is the number of
        tests.

    Raises
    ------
    ValueError
        If the level is not between 0 and 1.

    Notes
    -----
    Treats the error of each measurement as Gaussian on either side, and the intervals as 95 % ones. Claims
    without an interval (derivations, exact counts) are no tests. Source: Holm (1979).

    Examples
    --------
    >>> claims = pd.DataFrame(
    ...     {
    ...         "expected": [("above", 0)] * 3,
    ...         "measured": [1.0, 1.0, 1.0],
    ...         "low": [0.1, 0.1, 0.9],
    ...         "high": [1.9, 1.9, 1.1],
    ...         "verdict": ["supported"] * 3,
    ...     },
    ...     index=["close", "as close", "clear"],
    ... )
    >>> simultaneous_support(claims)["remains"].to_dict()
    {'close': False, 'as close': False, 'clear': True}
    """
    if not 0 < level < 1:
        raise ValueError(f"level must be between 0 and 1, not {level!r}.")
    tests = claims[claims["low"].notna() & ~claims["expected"].map(lambda rule: isinstance(rule, str))]
    p = np.array([_tail(row) for _, row in tests.iterrows()], dtype=float)
    order = np.argsort(p, kind="stable")
    accepted = p[order] <= (1 - level) / 2 / (len(p) - np.arange(len(p)))
    remains = np.zeros(len(p), dtype=bool)
    # Holm stops at the first p that is too large.
    remains[order] = np.logical_and.accumulate(accepted)
    supported = tests["verdict"].isin(SUPPORTED).to_numpy()
    return pd.DataFrame({"p": p, "supported": supported, "remains": supported & remains}, index=tests.index)


def _tail(row: pd.Series) -> float:
    """Probability of a measurement this favourable if the true value stood at the rule's nearest bound."""
    low, high = allowed_range(row["expected"])
    measured = row["measured"]
    if not low <= measured <= high:
        return 1.0
    scores = [
        _score(measured - low, measured - row["low"]),
        _score(high - measured, row["high"] - measured),
    ]
    return float(norm.sf(min(scores)))


def _score(distance: float, half: float) -> float:
    """Distance from a bound in standard errors; without width there is no doubt, except at the bound."""
    if half <= 0:
        return np.inf if distance > 0 else 0.0
    return float(norm.ppf(0.975) * distance / half)
