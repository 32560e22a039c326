"""What recurrent architectures share: units that are a document's beginning, and kernels by recursion."""

from abc import abstractmethod
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float, Int
from scipy import sparse

from ntklib.architectures.base import Architecture
from ntklib.architectures.feature_blocks import joined_blocks
from ntklib.architectures.network import GROUPS, TextNetwork
from ntklib.documents import Documents
from ntklib.memory import INSTEAD_OF_A_KERNEL, require_memory
from ntklib.spectrum import FeatureColumns, FeatureMap, Pattern, Units, moebius_weights, pattern_index
from ntklib.validation import checked_integer

READOUTS = ("sum", "last")

MOST_TOKENS = 16
"""Largest unit of which all match patterns, ``2^16`` of them, are looked at."""

Kernels = Float[np.ndarray, "groups *pairs"]
"""Kernels of two states for each group of ``GROUPS``: ``Σ`` first, then the parts of ``σ_v² Ψ``."""


@dataclass(frozen=True)
class Recurrent(Architecture):
    """An architecture whose state follows the tokens one by one, from ``h_0 = 0``.

    The unit at position ``t`` is the document up to ``t``, its offsets counted backwards. The unit kernel of
    two positions is a recursion over both documents together: :meth:`step`, which a subclass gives. The
    kernel of documents sums it over pairs of positions (readout ``"sum"``) or takes the last pair
    (``"last"``).
    """

    most_offsets: ClassVar[int]
    """How many tokens a feature map looks back at most."""

    @abstractmethod
    def step(self, previous: Kernels, equal: Bool[np.ndarray, "*pairs"]) -> Kernels:
        """Kernels of two states, by group, from those of the states before and whether the tokens match."""

    def patterns(self, length: int) -> tuple[Pattern, ...] | None:
        """Match patterns that can have a weight in units of ``length`` tokens; ``None`` for all of them."""
        return None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_readout(self)

    @property
    def context(self) -> None:
        """A unit sees the whole document up to its position."""
        return None

    def unit_kernel(
        self, matches: Bool[np.ndarray, "*pairs offsets"]
    ) -> dict[str, Float[np.ndarray, "*pairs"]]:
        """Kernel of two units whose shorter one has as many tokens as there are offsets, by group.

        The recursion runs from the largest offset, the earliest token, to offset 0.
        """
        kernels = np.zeros((len(GROUPS), *matches.shape[:-1]))
        with _overflow_is_checked_later():
            for offset in range(matches.shape[-1] - 1, -1, -1):
                kernels = self.step(kernels, matches[..., offset])
        return dict(zip(GROUPS, self._checked(kernels, "kernel"), strict=True))

    def units(self, docs: Documents, offsets: int | None = None) -> Units:
        """One unit a position (``"last"``: one a document), with at most ``offsets`` tokens."""
        longest = int(docs.lengths.max())
        depth = longest if offsets is None else min(offsets, longest)
        last = reads_last(self)
        ends = docs.offsets[1:] - 1 if last else np.arange(len(docs.ids))
        documents = np.arange(len(docs)) if last else docs.rows
        back = np.arange(depth)
        lengths = np.minimum(ends - docs.offsets[documents] + 1, depth)
        # Where a unit has ended its first token stands again; `lengths` says that it does not count.
        places = np.maximum(ends[:, None] - back[None, :], docs.offsets[documents][:, None])
        return Units(docs.ids[places], documents, np.ones(len(documents)), lengths)

    def pattern_weights(self, order: int | None = None) -> pd.DataFrame:
        """Möbius weights of units of ``order`` tokens; see the base class."""
        if order is None:
            raise ValueError(
                "order is needed: the units of a recurrent architecture have as many tokens as the document."
            )
        patterns = self.patterns(checked_integer(order, "order"))
        if patterns is None and order > MOST_TOKENS:
            raise ValueError(f"order must be 1 to {MOST_TOKENS}, not {order}: it has 2^order match patterns.")
        return moebius_weights(self.unit_kernel, order, patterns)

    def feature_weights(self, longest: int) -> pd.DataFrame:
        """Weights of the features of all units up to ``longest`` tokens, by parameter group.

        A unit of ``j`` tokens adds ``Θ_unit(j tokens) − Θ_unit(j − 1 tokens)`` to what its end has already.
        Each such increment has Möbius weights of its own: those of patterns that reach back ``j`` tokens.

        Returns
        -------
        DataFrame
            One row a :class:`~ntklib.spectrum.Pattern` with a weight above rounding, one column a group.
        """
        return _feature_weights(self, longest).copy()

    def _increment(self, matches: Bool[np.ndarray, "*pairs offsets"]) -> dict[str, np.ndarray]:
        whole, shorter = self.unit_kernel(matches), self.unit_kernel(matches[..., :-1])
        return {group: whole[group] - shorter[group] for group in GROUPS}

    def feature_map(
        self, docs: Any, columns: FeatureColumns | None = None, *, most_patterns: int = 64
    ) -> FeatureMap:
        """Sparse feature map; truncated for long documents, with a bound of the error.

        Parameters
        ----------
        docs : N documents
            Sequences of token ids.
        columns : FeatureColumns, optional
            The columns of an earlier map, to encode new documents against it.
        most_patterns : int
            Keep that many patterns, those of the largest weight. Features look back at most
            ``most_offsets`` tokens.

        Returns
        -------
        FeatureMap
            ``error_bound`` (N,) says what each document's own kernel lacks: see
            :class:`~ntklib.spectrum.FeatureMap`. It is 0 where nothing was left out.

        Raises
        ------
        TypeError, ValueError
            If ``docs`` are not documents, or ``most_patterns`` is less than 1.
        MemoryError
            If the feature map cannot fit into memory.
        """
        documents = Documents.of(docs)
        checked_integer(most_patterns, "most_patterns")
        longest = int(documents.lengths.max())
        if columns is None:
            every = self.feature_weights(min(longest, self.most_offsets))
            # A stable sort: patterns of equal weight keep their order, on every machine.
            heaviest = np.argsort(-every.sum(axis=1).to_numpy(), kind="stable")[:most_patterns]
            weights = every.iloc[np.sort(heaviest)]
            reach = max(pattern.reach for pattern in weights.index)
        else:
            reach = max(pattern.reach for pattern in columns.patterns)
            every = self.feature_weights(reach)
            kept = set(columns.patterns)
            weights = every.loc[[pattern in kept for pattern in every.index]]
        by_pattern = weights.sum(axis=1).to_numpy()
        truncated = len(weights) < len(every) or longest > reach

        def features_of(some: Documents) -> FeatureMap:
            units = self.units(some, reach)
            if columns is None:
                own_columns, matrix = FeatureColumns.counted(units, list(weights.index), len(some))
            else:
                own_columns, matrix = columns, columns.encode(units, len(some))
            own = np.zeros(len(some))
            if truncated:
                squares = sparse.csr_array((matrix.data**2, matrix.indices, matrix.indptr), matrix.shape)
                own = squares @ np.repeat(by_pattern, np.diff(own_columns.starts))
            # For now the part of Θ(x, x) that is there stands where the bound of what is lacking will.
            return FeatureMap(matrix, own_columns, weights, own)

        patterns = list(weights.index) if columns is None else columns.patterns
        features = joined_blocks(documents, patterns, reach, columns, features_of, self.most_units)
        if not truncated:
            return features
        lacking = np.maximum(self.kernel_diagonal(documents) - features.error_bound, 0)
        return replace(features, error_bound=lacking)

    def most_units(self, documents: Documents, reach: int) -> int:
        """Count the beginnings of documents that have so many tokens."""
        beyond = np.maximum(documents.lengths - max(reach, 1) + 1, 0)
        return int(np.count_nonzero(beyond) if reads_last(self) else beyond.sum())

    def kernel(self, docs_a: Any, docs_b: Any = None) -> Float[np.ndarray, "n m"]:
        """Infinite-width NTK of the scalar score, (N, M): the exact recursion over pairs of positions.

        Takes ``O(T_a T_b)`` for ``T`` tokens in all. Where the feature map is not truncated it gives the
        same matrix.
        """
        with _overflow_is_checked_later():
            first, *rest = self.kernel_by_group(docs_a, docs_b).values()
            for part in rest:  # in place: np.sum would copy all parts first
                first += part
        return self._checked(first.copy(), "kernel")

    def kernel_by_group(self, docs_a: Any, docs_b: Any = None) -> dict[str, Float[np.ndarray, "n m"]]:
        """Return the part of :meth:`kernel` that each parameter group contributes."""
        first = Documents.of(docs_a, name="docs_a")
        second = first if docs_b is None else Documents.of(docs_b, name="docs_b")
        require_memory(
            8 * ((len(GROUPS) + 1) * len(first) * len(second) + 4 * len(GROUPS) * len(second.ids)),
            f"A kernel of {len(first):,} x {len(second):,}",
            INSTEAD_OF_A_KERNEL,
        )
        result = np.zeros((len(GROUPS), len(first), len(second)))
        with _overflow_is_checked_later():
            for row, document in enumerate(first):
                result[:, row] = self._pooled_row(document, second)
        return dict(zip(GROUPS, self._checked(result, "kernel"), strict=True))

    def _pooled_row(self, document: Int[np.ndarray, " tokens"], docs: Documents) -> np.ndarray:
        """Kernels of one document with all others; the states of all their positions move on together."""
        kernels = np.zeros((len(GROUPS), len(docs.ids)))
        previous = np.zeros_like(kernels)
        total = np.zeros_like(kernels)
        for token in document:
            previous[:, 1:] = kernels[:, :-1]
            previous[:, docs.offsets[:-1]] = 0
            kernels = self.step(previous, docs.ids == token)
            if not reads_last(self):
                total += kernels
        if reads_last(self):
            return kernels[:, docs.offsets[1:] - 1]
        return np.add.reduceat(total, docs.offsets[:-1], axis=1)

    def kernel_diagonal(self, docs: Any) -> Float[np.ndarray, " n"]:
        """``Θ(x, x)`` of each document, without the matrix: linear in ``Σ |x|²``."""
        documents = Documents.of(docs)
        result = np.zeros(len(documents))
        # Documents of one length at a time, so that no padding is needed.
        for length in np.unique(documents.lengths):
            rows = np.flatnonzero(documents.lengths == length)
            for some in np.array_split(rows, max(1, len(rows) * int(length) // 2**18)):
                tokens = documents[some].ids.reshape(len(some), length)
                with _overflow_is_checked_later():
                    result[some] = self._own_kernels(tokens)
        return self._checked(result, "kernel")

    def _own_kernels(self, tokens: Int[np.ndarray, "documents length"]) -> Float[np.ndarray, " documents"]:
        kernels = np.zeros((len(GROUPS), *tokens.shape))
        total = np.zeros(len(tokens))
        for token in tokens.T:
            previous = np.zeros_like(kernels)
            previous[..., 1:] = kernels[..., :-1]
            kernels = self.step(previous, tokens == token[:, None])
            if not reads_last(self):
                total += kernels.sum(axis=(0, 2))
        return kernels[..., -1].sum(axis=0) if reads_last(self) else total


@lru_cache(maxsize=64)
def _feature_weights(model: Recurrent, longest: int) -> pd.DataFrame:
    """Weights of one model, which a sweep asks for at each of its points."""
    tables, total = [], 0.0
    for reach in range(1, longest + 1):
        family = model.patterns(reach)
        table = moebius_weights(model._increment, reach, family)
        table.index = pattern_index([Pattern(pattern, reach) for pattern in table.index])
        weights = table.sum(axis=1)
        # Rounding is measured on what a document of `reach` tokens has: longer ones may have far more.
        total += weights.sum()
        tables.append(table[weights > 1e-15 * total])
    return pd.concat(tables)


def _overflow_is_checked_later() -> np.errstate:
    """Overflow as infinity and as what comes of it, without a warning: the result is checked."""
    return np.errstate(over="ignore", invalid="ignore")


def reads_last(model: Any) -> bool:
    """Whether a model's score reads the last state alone."""
    return model.readout == "last"


def check_readout(model: Any) -> None:
    """Raise a ValueError unless the readout is a known one."""
    if model.readout not in READOUTS:
        raise ValueError(f"readout must be 'sum' or 'last', not {model.readout!r}.")


class RecurrentNetwork(TextNetwork):
    """A network that reads ragged documents step by step, all those together that have not ended yet."""

    def next_state(
        self,
        state: Float[torch.Tensor, "active columns"] | None,
        positions: Int[np.ndarray, " active"],
        documents: Int[np.ndarray, " active"],
    ) -> Float[torch.Tensor, "active columns"]:
        """State after the tokens at ``positions``; ``state`` is ``None`` at the beginning, for 0."""
        raise NotImplementedError

    def prepare(self, docs: Documents) -> None:
        """Compute what the steps need of all positions at once."""

    def outputs(self, states: Float[torch.Tensor, "active columns"]) -> Float[torch.Tensor, "active width"]:
        """Return the part of the states that the readout reads: all of it."""
        return states

    def forward(self, docs: Any) -> Float[torch.Tensor, "documents *classes"]:
        """Scores of documents, the readout of the sum of their states or of the last one."""
        documents = self.documents(docs)
        self.prepare(documents)
        lengths = documents.lengths
        # The longest first: those that are still read are then always the first rows of the state.
        order = np.argsort(-lengths, kind="stable")
        states, owners = [], []
        state: torch.Tensor | None = None
        last = reads_last(self.architecture)
        for time in range(int(lengths.max())):
            active = order[: int((lengths > time).sum())]
            before = None if state is None else state[: len(active)]
            state = self.next_state(before, documents.offsets[active] + time, active)
            ending = lengths[active] == time + 1 if last else np.full(len(active), True)
            if ending.any():
                states.append(state if ending.all() else state[torch.from_numpy(ending)])
                owners.append(active[ending])
        return self.readout(self.outputs(torch.cat(states)), np.concatenate(owners), len(documents))
