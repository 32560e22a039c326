"""The columns of a sparse feature map: every match pattern with every tuple of tokens that stands at it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy import sparse

from ntklib.spectrum.distinct import distinct_pairs, merge, smallest_index
from ntklib.spectrum.patterns import Pattern


@dataclass(frozen=True, eq=False)
class Units:
    """The units that documents are pooled from: the tokens each one sees, its document and its weight.

    Parameters
    ----------
    tokens : (U, k) integers
        The token at each of a unit's ``k`` offsets; negative ids are boundary tokens.
    documents : (U,) int64
        The document of each unit, in order.
    weights : (U,) float64
        The factor with which the unit enters its document's score; 1 for a plain sum.
    lengths : (U,) int64, optional
        How many of the offsets hold a token, from the first on; all ``k`` when left out.

    Raises
    ------
    ValueError
        If the units are not in the order of their documents.
    """

    tokens: Int[np.ndarray, "units offsets"]
    documents: Int[np.ndarray, " units"]
    weights: Float[np.ndarray, " units"]
    lengths: Int[np.ndarray, " units"] | None = None

    def __post_init__(self) -> None:
        if (self.documents[1:] < self.documents[:-1]).any():
            raise ValueError("documents must not decrease: put the units into the order of their documents.")

    @property
    def reach(self) -> Int[np.ndarray, " units"]:
        """How many tokens each unit has."""
        units, offsets = self.tokens.shape
        return np.full(units, offsets) if self.lengths is None else self.lengths


class Feature(NamedTuple):
    """One column of a feature map: the pattern ``S`` and the tokens that stand at its offsets."""

    pattern: Pattern
    tokens: tuple[int, ...]


class FeatureColumns(Sequence[Feature]):
    """The columns of a feature map: every (pattern, tokens) that occurs in the documents it was made from.

    Parameters
    ----------
    units : Units
        The units of those documents.
    patterns : sequence of Pattern
        The match patterns to make columns for.

    Notes
    -----
    Stored as a trie over offsets: the level of a pattern holds the sorted codes ``parent · span + token`` of
    what stands at its offsets, where ``parent`` is the place of the pattern without its last offset in the
    level before. Finding the columns of new documents is a binary search a level.
    """

    def __init__(self, units: Units, patterns: Sequence[Sequence[int]]) -> None:
        self._learn(units, patterns)

    @classmethod
    def counted(
        cls, units: Units, patterns: Sequence[Sequence[int]], documents: int
    ) -> tuple["FeatureColumns", sparse.csr_array]:
        """Make the columns of units, and what :meth:`encode` makes of the same units, for less than both."""
        columns = cls.__new__(cls)
        known = columns._learn(units, patterns)
        return columns, columns._counts(units, documents, known)

    def _learn(
        self, units: Units, patterns: Sequence[Sequence[int]]
    ) -> dict[tuple[int, ...], tuple[np.ndarray, np.ndarray]]:
        self.patterns = tuple(p if isinstance(p, Pattern) else Pattern(p) for p in patterns)
        self._lowest = int(units.tokens.min(initial=0))
        self._span = int(units.tokens.max(initial=0)) - self._lowest + 1
        self._levels: dict[tuple[int, ...], np.ndarray] = {(): np.zeros(1, dtype=np.int64)}
        known: dict[tuple[int, ...], tuple[np.ndarray, np.ndarray]] = {}
        for pattern in self.patterns:
            self._found(units, tuple(pattern), known, learn=True)
        self._number_columns()
        return known

    def _number_columns(self) -> None:
        sizes = [len(self._levels[tuple(pattern)]) for pattern in self.patterns]
        self.starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)

    @classmethod
    def union(
        cls, parts: Sequence["FeatureColumns"]
    ) -> tuple["FeatureColumns", list[Int[np.ndarray, " features"]]]:
        """Columns of the documents of all parts together, and where each part's columns are among them.

        Parameters
        ----------
        parts : one or more FeatureColumns
            Of different documents, with the same patterns.

        Returns
        -------
        (columns, places)
            Exactly the columns of all documents at once; ``places[i]`` (P_i,) increases.

        Raises
        ------
        ValueError
            If the parts have different patterns.
        """
        if any(part.patterns != parts[0].patterns for part in parts):
            raise ValueError("parts must have the same patterns: make them with the same architecture.")
        whole = cls.__new__(cls)
        whole.patterns = parts[0].patterns
        whole._lowest = min(part._lowest for part in parts)
        whole._span = max(part._lowest + part._span for part in parts) - whole._lowest
        whole._levels = {(): parts[0]._levels[()]}
        known: list[dict[tuple[int, ...], np.ndarray]] = [{(): np.zeros(1, dtype=np.int64)} for _ in parts]
        for offsets in sorted(parts[0]._levels, key=len)[1:]:  # a level builds on that of its prefix
            codes = []
            for part, places in zip(parts, known, strict=True):
                level = part._levels[offsets]
                parent = level // part._span
                code = places[offsets[:-1]][parent] * np.int64(whole._span)
                code += level - parent * part._span + (part._lowest - whole._lowest)
                codes.append(code)
            whole._levels[offsets], merged = merge(codes)
            for places, own in zip(known, merged, strict=True):
                places[offsets] = own
        whole._number_columns()
        index = smallest_index(len(whole))
        starts = whole.starts[:-1].tolist()
        numbers = []
        while known:  # emptied, to hold little at a time
            places = known.pop(0)
            numbers.append(
                np.concatenate(
                    [
                        places[tuple(pattern)].astype(index) + start
                        for pattern, start in zip(whole.patterns, starts, strict=True)
                    ]
                )
            )
        return whole, numbers

    def _found(
        self,
        units: Units,
        offsets: tuple[int, ...],
        known: dict[tuple[int, ...], tuple[np.ndarray, np.ndarray]],
        learn: bool = False,
    ) -> tuple[Int[np.ndarray, " found"], Int[np.ndarray, " found"]]:
        """Units that hold something known at the offsets, and the place of it in the offsets' level."""
        if offsets in known:
            return known[offsets]
        if not offsets:
            number = len(units.tokens)
            known[offsets] = np.arange(number, dtype=smallest_index(number)), np.zeros(number, dtype=np.int32)
            return known[offsets]
        rows, parent = self._found(units, offsets[:-1], known, learn)
        long_enough = units.reach[rows] > offsets[-1]
        if not long_enough.all():  # else all patterns share one array of rows
            rows, parent = rows[long_enough], parent[long_enough]
        # New documents may all be shorter than those that the columns come from: then nothing is left here.
        offset = min(offsets[-1], units.tokens.shape[1] - 1)
        token = units.tokens[rows, offset].astype(np.int64) - self._lowest
        if learn:
            parents = len(self._levels[offsets[:-1]])
            self._levels[offsets], place = distinct_pairs(parent, parents, token, self._span)
        elif len(level := self._levels[offsets]) == 0:
            rows, place = rows[:0], parent[:0]
        else:
            code = parent * np.int64(self._span) + token
            place = np.minimum(np.searchsorted(level, code), len(level) - 1)
            same = (level[place] == code) & (token >= 0) & (token < self._span)
            rows, place = rows[same], place[same]
        known[offsets] = rows, place.astype(smallest_index(len(self._levels[offsets])))
        return known[offsets]

    @property
    def pattern_index(self) -> Int[np.ndarray, " features"]:
        """Which pattern each column belongs to, as an index into :attr:`patterns`."""
        return np.repeat(np.arange(len(self.patterns)), np.diff(self.starts))

    def encode(self, units: Units, documents: int) -> sparse.csr_array:
        """Count the features of ``units``: a sparse (documents, P) matrix. Unknown features are left out."""
        return self._counts(units, documents, {})

    def _counts(
        self, units: Units, documents: int, known: dict[tuple[int, ...], tuple[np.ndarray, np.ndarray]]
    ) -> sparse.csr_array:
        """:meth:`encode`, given what was found of the units already; it empties ``known``."""
        blocks = []
        for pattern, columns in zip(self.patterns, np.diff(self.starts).tolist(), strict=True):
            found, place = self._found(units, tuple(pattern), known)
            if pattern.reaches_beyond:
                long_enough = units.reach[found] >= pattern.reach
                found, place = found[long_enough], place[long_enough]
            else:  # it is sorted below, and longer patterns build on it
                place = place.copy()
            counts = np.bincount(units.documents[found], minlength=documents)
            ends = np.concatenate([[0], np.cumsum(counts)]).astype(smallest_index(len(found)))
            block = sparse.csr_array((units.weights[found], place, ends), shape=(documents, columns))
            block.sum_duplicates()
            blocks.append(block)
        known.clear()
        return _side_by_side(blocks, documents)

    def __len__(self) -> int:
        return int(self.starts[-1])

    def __getitem__(self, index: Any) -> Any:
        """Return the :class:`Feature` of one column, or a list of them for a slice."""
        if isinstance(index, slice):
            return [self[i] for i in range(len(self))[index]]
        column = range(len(self))[index]
        place = int(np.searchsorted(self.starts, column, side="right")) - 1
        code = column - int(self.starts[place])
        pattern = self.patterns[place]
        tokens = []
        for size in range(len(pattern), 0, -1):
            code, token = divmod(int(self._levels[tuple(pattern[:size])][code]), self._span)
            tokens.append(token + self._lowest)
        return Feature(pattern, tuple(reversed(tokens)))

    def __repr__(self) -> str:
        return f"FeatureColumns({len(self)} features of {len(self.patterns)} patterns)"


def _side_by_side(blocks: list[sparse.csr_array], rows: int) -> sparse.csr_array:
    """Stack matrices side by side, and empty the list: SciPy's ``hstack`` would copy all of them first."""
    columns = sum(block.shape[1] for block in blocks)
    ends = np.zeros(rows + 1, dtype=np.int64)
    for block in blocks:
        ends += block.indptr
    index = smallest_index(max(columns, int(ends[-1])))
    data, indices = np.empty(ends[-1]), np.empty(ends[-1], dtype=index)
    free, first = ends[:-1].copy(), 0  # the next free place of each row, and the next block's first column
    while blocks:
        block = blocks.pop(0)
        lengths = np.diff(block.indptr)
        places = np.repeat(free - block.indptr[:-1], lengths)
        places += np.arange(len(places))
        data[places], indices[places] = block.data, block.indices + index(first)
        free += lengths
        first += block.shape[1]
    matrix = sparse.csr_array((data, indices, ends.astype(index)), shape=(rows, columns))
    matrix.has_canonical_format = True
    return matrix
