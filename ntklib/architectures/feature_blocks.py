"""Feature maps of many documents, made block by block, and the memory that they take."""

from collections.abc import Callable, Sequence
from itertools import chain

import numpy as np

from ntklib.documents import Documents
from ntklib.memory import INSTEAD_OF_FEATURES, require_memory
from ntklib.spectrum import FeatureColumns, FeatureMap, Pattern
from ntklib.spectrum.distinct import smallest_index

BLOCK_TOKENS = 2**19
"""About so many tokens are made into features at a time, fewer where there are more than 8 patterns."""


def joined_blocks(
    documents: Documents,
    patterns: Sequence[Pattern],
    offsets: int,
    columns: FeatureColumns | None,
    features_of: Callable[[Documents], FeatureMap],
    most_units: Callable[[Documents, int], int],
) -> FeatureMap:
    """Join the feature maps of blocks of documents, if the memory suffices for it.

    Parameters
    ----------
    documents : Documents
    patterns : sequence of Pattern
        The patterns that features are made of.
    offsets : int
        How many tokens a unit sees.
    columns : FeatureColumns, optional
        Of an earlier map, when documents are encoded against it.
    features_of : callable
        From some documents to their feature map.
    most_units : callable
        From documents and a number of tokens to a bound on the units that have so many.

    Returns
    -------
    FeatureMap

    Raises
    ------
    MemoryError
        If the features cannot fit into memory; nothing was made then.
    """
    blocks = list(documents.blocks(8 * BLOCK_TOKENS // max(8, len(patterns))))
    # A probe of a flow: to ask would take longer than its features.
    if columns is not None and len(blocks) == 1 and len(documents.ids) <= BLOCK_TOKENS:
        return features_of(documents)
    # Of all units, of those of each pattern, and of those of its beginnings, each of which ends at an offset.
    reaches = {0} | {pattern.reach for pattern in patterns} | {offset + 1 for offset in chain(*patterns)}
    units = {reach: most_units(documents, reach) for reach in reaches}
    # All of a document's units share the bias.
    entries = sum(
        units[pattern.reach] if pattern else min(units[pattern.reach], len(documents)) for pattern in patterns
    )
    tokens = 0 if columns is not None else int(documents.ids.max()) + 1 + 2 * offsets  # boundaries too
    require_memory(
        bytes_of_features(blocks, units, entries, patterns, offsets, tokens, most_units),
        f"A feature map of {len(documents):,} documents, {len(documents.ids):,} tokens and "
        f"{len(patterns)} patterns",
        INSTEAD_OF_FEATURES,
    )
    if len(blocks) == 1:
        return features_of(documents)
    known = 0 if columns is None else len(columns)
    return FeatureMap.joined((features_of(some) for some in blocks), entries, known)


def bytes_of_features(
    blocks: list[Documents],
    units: dict[int, int],
    entries: int,
    patterns: Sequence[Pattern],
    offsets: int,
    tokens: int,
    most_units: Callable[[Documents, int], int],
) -> int:
    """Most memory that making a feature map takes: the sum of its arrays, if all n-grams are different.

    ``units`` bounds how many units of all documents together have so many tokens, ``most_units`` a block's.
    An entry has a value and a column: 12 bytes, or 16 from 2³¹ entries on. A column has its code in its block
    and in the whole, and its number there: 20 bytes. A document has an end and a bound, in its block and in
    the whole: 32 bytes. On top comes the larger of two, which follow each other: the largest block, and the
    longest list of codes while it is sorted.
    A unit of a block has its tokens, and where they stand, at each offset, and 48 bytes for its document,
    weight and length and for a place to write to. Each pattern it holds has unit and place: 8 bytes. On top
    comes the larger of two, again: what finds the different tuples at some offsets, 56 bytes a unit; or, of
    each pattern, column and value, and these two once more, side by side with those of the other patterns,
    and a mark of what is long enough: 25 bytes. A document has an end in each pattern.
    """
    levels = {tuple(pattern[:size]) for pattern in patterns for size in range(1, len(pattern) + 1)}
    reaches = [pattern.reach for pattern in patterns], [level[-1] + 1 for level in levels]
    codes = [min(units[level[-1] + 1], len(blocks) * tokens ** len(level)) for level in levels]

    def bytes_of(block: Documents) -> int:
        inside = {reach: most_units(block, reach) for reach in units}
        held = max(sum(inside[reach] for reach in some) for some in reaches)
        ends = 4 * len(patterns) * len(block)
        return (16 * offsets + 48) * inside[0] + 8 * held + max(56 * inside[0], 25 * held + ends)

    largest, rows = max(map(bytes_of, blocks)), 32 * sum(map(len, blocks))
    if len(blocks) == 1:
        return largest + 8 * sum(codes) + rows
    number = np.dtype(smallest_index(entries)).itemsize
    return (8 + number) * entries + 20 * sum(codes) + rows + max(largest, 25 * max(codes, default=0))
