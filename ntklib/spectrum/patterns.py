"""Match patterns, their Möbius weights, and the feature spectrum that these add up to."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from ntklib.validation import checked_integer


class Pattern(tuple[int, ...]):
    """The offsets of a unit at which two units must hold the same token; ``()`` is the bias.

    Parameters
    ----------
    offsets : iterable of int
        Increasing offsets, 0 or larger.
    reach : int
        How many tokens both units must have at least; what the offsets themselves need when left out. A
        recurrent model's unit is a document's beginning, so its length too is a feature.

    Notes
    -----
    A tuple of its offsets, and equal to the plain tuple unless it reaches beyond them.

    Examples
    --------
    >>> Pattern((0, 2)), Pattern((0, 2)) == (0, 2), Pattern((0, 2)).reach
    ((0, 2), True, 3)
    >>> Pattern((0,), reach=4), Pattern((0,), reach=4) == (0,)
    ((0,) of 4 or more, False)
    """

    reach: int

    def __new__(cls, offsets: Iterable[int] = (), reach: int = 0) -> "Pattern":
        """Make the tuple, and note how far it reaches."""
        pattern = super().__new__(cls, offsets)
        pattern.reach = max(reach, pattern[-1] + 1 if pattern else 0)
        return pattern

    @property
    def reaches_beyond(self) -> bool:
        """Whether the units must be longer than the offsets need."""
        return self.reach > (self[-1] + 1 if self else 0)

    def __eq__(self, other: object) -> bool:
        same_reach = self.reach == other.reach if isinstance(other, Pattern) else not self.reaches_beyond
        return tuple.__eq__(self, other) is True and same_reach

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return tuple.__hash__(self)

    def __repr__(self) -> str:
        return super().__repr__() + (f" of {self.reach} or more" if self.reaches_beyond else "")


def pattern_name(pattern: Sequence[int]) -> str:
    """Name of a pattern, for tables and figures.

    Examples
    --------
    >>> [pattern_name(pattern) for pattern in ((), (0,), (0, 2), Pattern((0,), reach=4))]
    ['bias', 'offset 0', 'offsets 0, 2', 'offset 0 of 4 or more']
    """
    name = f"offset{'s' if len(pattern) > 1 else ''} {', '.join(map(str, pattern))}" if pattern else "bias"
    longer = isinstance(pattern, Pattern) and pattern.reaches_beyond
    return f"{name} of {pattern.reach} or more" if longer else name  # type: ignore[attr-defined]


def match_patterns(context: int) -> tuple[Pattern, ...]:
    """All subsets of the offsets ``0 … context − 1``, the smaller first.

    Examples
    --------
    >>> match_patterns(2)
    ((), (0,), (1,), (0, 1))
    """
    return tuple(Pattern(p) for size in range(context + 1) for p in combinations(range(context), size))


UnitKernel = Callable[[Bool[np.ndarray, "patterns offsets"]], Mapping[str, Float[np.ndarray, " patterns"]]]


def moebius_weights(
    unit_kernel: UnitKernel, context: int, patterns: Sequence[Pattern] | None = None
) -> pd.DataFrame:
    """Weights ``λ_S = Σ_{T ⊆ S} (−1)^{|S|−|T|} Θ_unit(T)`` of every match pattern.

    Parameters
    ----------
    unit_kernel : callable
        Maps match vectors, (patterns, context) booleans, to the unit kernel of each parameter group.
    context : int
        Number of offsets in a unit.
    patterns : sequence of Pattern, optional
        The only patterns with a weight, where that is known; all subsets of the offsets otherwise. With them
        a long context costs no ``2^context`` values.

    Returns
    -------
    DataFrame
        One row a pattern (see :func:`match_patterns`), one column a parameter group; row sums are ``λ_S``.

    Notes
    -----
    Exact for any function of a match pattern. That the sums over groups are non-negative is a theorem about
    kernels (derivation in the book, :ref:`feature-map`), not something this function imposes.

    Examples
    --------
    A unit kernel that counts matching tokens has no interaction between them:

    >>> moebius_weights(lambda matches: {"output": matches.sum(axis=1) * 1.0}, 2)
            output
    ()         0.0
    (0,)       1.0
    (1,)       1.0
    (0, 1)     0.0
    """
    chosen = match_patterns(context) if patterns is None else tuple(patterns)
    if patterns is None:
        lattice = np.indices((2,) * context).reshape(context, -1).T.astype(bool)
        rows = [sum(1 << (context - 1 - offset) for offset in pattern) for pattern in chosen]
        columns = {
            group: _transformed(values, context)[rows] for group, values in unit_kernel(lattice).items()
        }
    else:
        matches = np.array([np.isin(np.arange(context), pattern) for pattern in chosen])
        matches = matches.reshape(len(chosen), context)
        # Row T holds a 1 for each S ⊆ T: Θ_unit(T) = Σ_{S ⊆ T} λ_S, solved for λ.
        contains = (matches[:, None, :] >= matches[None, :, :]).all(axis=2).astype(np.float64)
        columns = {group: np.linalg.solve(contains, v) for group, v in unit_kernel(matches).items()}
    return pd.DataFrame(columns, index=pattern_index(chosen))


def _transformed(values: np.ndarray, context: int) -> np.ndarray:
    """Möbius transform of the Boolean lattice, one offset at a time."""
    weights = np.array(values, dtype=np.float64).reshape((2,) * context)
    for axis in range(context):
        by_match = np.moveaxis(weights, axis, 0)
        by_match[1] -= by_match[0]
    return weights.reshape(-1)


def pattern_index(patterns: Sequence[Pattern]) -> pd.Index:
    """Make an index of patterns, each of them one entry."""
    index = np.empty(len(patterns), dtype=object)
    index[:] = list(patterns)
    return pd.Index(index, dtype=object, tupleize_cols=False)


def feature_spectrum(pattern_weights: pd.DataFrame, order: int) -> pd.Series:
    """Share of the unit kernel that goes to features of each size.

    ``share_j = Σ_{|S| = j} λ_S / Σ_S λ_S``: the bias (``j = 0``), tokens (1), n-grams (2 and more).

    Parameters
    ----------
    pattern_weights : DataFrame
        From :func:`moebius_weights`.
    order : int
        The largest size; the last share includes all larger patterns.

    Returns
    -------
    Series
        Over ``0 … order``; sums to 1.

    Raises
    ------
    ValueError
        If ``order`` is not an integer of 0 or more, or all weights are zero.

    Examples
    --------
    >>> weights = moebius_weights(lambda matches: {"output": 1.0 + 3.0 * matches.all(axis=1)}, 2)
    >>> feature_spectrum(weights, 2).tolist()
    [0.25, 0.0, 0.75]
    """
    checked_integer(order, "order", 0)
    sizes = np.minimum([len(pattern) for pattern in pattern_weights.index], order)
    weights = pattern_weights.sum(axis=1).to_numpy()
    if not weights.any():
        raise ValueError(
            "pattern_weights are all zero: the activation is zero everywhere, and has no spectrum."
        )
    shares = np.bincount(sizes, weights=weights, minlength=order + 1) / weights.sum()
    return pd.Series(shares, index=pd.RangeIndex(order + 1, name="order"), name="share")
