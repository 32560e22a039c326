"""Distinct numbers among many, each by the way of sorting that suits them: all in the processor's cache."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Int
from scipy import sparse

PIECE = 2**18
"""About so many codes of several parts are merged at a time: a processor's cache holds them."""
AT_ONCE = 2**18  # numbers that are looked up
SAMPLE = 2**10  # of so many codes one is looked at, to cut them into pieces


def smallest_index(size: int) -> type[np.signedinteger]:
    """Type of integers that number so many things: most of the memory of a feature map is such numbers."""
    return np.int32 if size < 2**31 else np.int64


def look_up(
    table: Int[np.ndarray, " entries"],
    places: Int[np.ndarray, " n"],
    found: Int[np.ndarray, " n"] | None = None,
) -> Int[np.ndarray, " n"]:
    """``table[places]``, in pieces: NumPy makes 8 bytes of each place, which would be most of the memory.

    Parameters
    ----------
    table : (P,) integers
    places : (n,) integers
    found : (n,) integers, optional
        Where to write it, ``places`` itself, for instance; a new array of the table's type by default.

    Examples
    --------
    >>> look_up(np.array([5, 7], dtype=np.int32), np.array([1, 0, 1]))
    array([7, 5, 7], dtype=int32)
    """
    if found is None:
        found = np.empty(len(places), dtype=table.dtype)
    for start in range(0, len(places), AT_ONCE):
        some = slice(start, start + AT_ONCE)
        found[some] = table[places[some]]
    return found


def distinct_pairs(
    first: Int[np.ndarray, " n"], firsts: int, second: Int[np.ndarray, " n"], seconds: int
) -> tuple[Int[np.ndarray, " distinct"], Int[np.ndarray, " n"]]:
    """Distinct codes ``first · seconds + second``, increasing, and the place of each pair among them.

    Parameters
    ----------
    first, second : (n,) integers
        From 0, below ``firsts`` and ``seconds``.
    firsts, seconds : int
        How many there may be.

    Returns
    -------
    (codes, places)
        ``codes[places]`` are the codes of the pairs: what ``np.unique`` returns of them with its inverse.

    Notes
    -----
    Sorted by counting, the second numbers first: linear, and several times faster than comparing. Where there
    are few codes, each is looked up in a table of all; where the numbers are far more than the pairs, they
    are compared.

    Examples
    --------
    >>> distinct_pairs(np.array([1, 0, 1]), 2, np.array([3, 2, 3]), 10)
    (array([ 2, 13]), array([1, 0, 1], dtype=int32))
    """
    size = len(first)
    index = smallest_index(size)
    codes = first * np.int64(seconds) + second
    if firsts * seconds <= 2 * size:
        occurs = np.zeros(firsts * seconds, dtype=bool)
        occurs[codes] = True
        return np.flatnonzero(occurs), (np.cumsum(occurs, dtype=index) - index(1))[codes]
    if max(firsts, seconds) > 4 * size:
        values, places = np.unique(codes, return_inverse=True)
        return values, places.astype(index)
    order = _sorting_order(second, seconds)
    order = order[_sorting_order(first[order], firsts)]
    codes = codes[order]
    new = _differs_from_the_last(codes)
    places = np.empty(size, dtype=index)
    places[order] = np.cumsum(new, dtype=index) - index(1)
    return codes[new], places


def _sorting_order(numbers: Int[np.ndarray, " n"], limit: int) -> Int[np.ndarray, " n"]:
    """Stable order that sorts numbers below a limit: SciPy's transpose of one entry a row counts them."""
    size = len(numbers)
    index = smallest_index(max(size, limit))
    columns, rows = numbers.astype(index, copy=False), np.arange(size + 1, dtype=index)
    return sparse.csr_array((np.ones(size, dtype=np.int8), columns, rows), (size, limit)).tocsc().indices


def merge(
    parts: Sequence[Int[np.ndarray, " _"]],
) -> tuple[Int[np.ndarray, " merged"], list[Int[np.ndarray, " _"]]]:
    """Distinct codes of all parts, increasing, and the places of each part's codes among them.

    Parameters
    ----------
    parts : one or more (n_i,) int64
        Each increasing.

    Returns
    -------
    (merged, places)
        ``merged[places[i]]`` is ``parts[i]``.

    Notes
    -----
    Done in ranges of about ``PIECE`` codes. A stable sort merges the parts, which are in order, and need not
    be compared with themselves.

    Examples
    --------
    >>> merge([np.array([2, 5]), np.array([1, 5])])
    (array([1, 2, 5]), [array([1, 2], dtype=int32), array([0, 2], dtype=int32)])
    """
    index = smallest_index(sum(map(len, parts)))
    places = [np.empty(len(part), dtype=index) for part in parts]
    sample = np.sort(np.concatenate([part[SAMPLE // 2 :: SAMPLE] for part in parts]))
    bounds = sample[PIECE // SAMPLE :: PIECE // SAMPLE]
    cuts = np.stack([[0, *np.searchsorted(part, bounds), len(part)] for part in parts], axis=1)
    merged: list[np.ndarray] = []
    known = 0
    for starts, stops in zip(cuts[:-1].tolist(), cuts[1:].tolist(), strict=True):
        held = [part[start:stop] for part, start, stop in zip(parts, starts, stops, strict=True)]
        codes = np.concatenate(held)
        order = np.argsort(codes, kind="stable")
        codes = codes[order]
        new = _differs_from_the_last(codes)
        found = np.empty(len(codes), dtype=index)
        found[order] = np.cumsum(new, dtype=index) + index(known - 1)
        codes = codes[new]
        begins = np.cumsum([0, *map(len, held)]).tolist()
        for own, start, stop, begin in zip(places, starts, stops, begins, strict=False):
            own[start:stop] = found[begin : begin + stop - start]
        known += len(codes)
        merged.append(codes)
    return np.concatenate(merged), places


def _differs_from_the_last(numbers: Int[np.ndarray, " n"]) -> Bool[np.ndarray, " n"]:
    """Mark where sorted numbers change, the first one included."""
    changes = np.ones(len(numbers), dtype=bool)
    np.not_equal(numbers[1:], numbers[:-1], out=changes[1:])
    return changes
