"""What architectures share: hyper-parameters, the kernel by three ways, the feature map, the network."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import cached_property
from math import isfinite
from numbers import Real
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float, Int

from ntklib.activations import Activation, get_activation
from ntklib.documents import Documents
from ntklib.spectrum import (
    FeatureColumns,
    FeatureMap,
    Units,
    feature_spectrum,
    match_patterns,
    moebius_weights,
    weighted_gram,
)

GROUPS = ("output", "hidden", "embedding")
"""The parameter groups into which every kernel splits: ``Θ`` is the sum over them."""


@dataclass(frozen=True)
class Architecture(ABC):
    """An infinitely wide text model, given by its hyper-parameters.

    A subclass says three things: which units a document is pooled from (:meth:`units`), the kernel of two
    units as a function of which of their tokens match (:meth:`unit_kernel`), and the finite network
    (:meth:`network`). The kernel of documents, the feature map, the spectrum and the dynamics follow.
    Kernels are traced: one scalar score, ``(N, M)``. For ``C`` classes the kernel is ``Θ ⊗ I_C``.
    """

    context: ClassVar[int | None]
    """How many tokens a unit sees; ``None`` when it sees the whole document."""

    def __post_init__(self) -> None:
        for field in fields(self):
            if not field.name.startswith("sigma_"):
                continue
            value = getattr(self, field.name)
            # Squares and products of three such numbers must be floats.
            if not isinstance(value, Real) or not isfinite(value) or not 1e-50 < float(value) < 1e50:
                raise ValueError(
                    f"{field.name} must be a finite number above 0 (1e-50 to 1e50), the standard deviation "
                    f"of the weights at initialisation, not {value!r}."
                )
        if hasattr(self, "activation"):
            _ = self.phi

    @cached_property
    def phi(self) -> Activation:
        """The activation ``φ`` as an :class:`~ntklib.activations.Activation`."""
        return get_activation(self.activation)  # type: ignore[attr-defined]

    @abstractmethod
    def unit_kernel(
        self, matches: Bool[np.ndarray, "*pairs offsets"]
    ) -> dict[str, Float[np.ndarray, "*pairs"]]:
        """Kernel ``Θ_unit`` of two units, by parameter group.

        Parameters
        ----------
        matches : (..., k) bool
            For each pair of units, at which offsets their tokens are equal.

        Returns
        -------
        dict
            From each group of :data:`GROUPS` to a (...) float64 array; their sum is ``Θ_unit``.
        """

    @abstractmethod
    def units(self, docs: Documents) -> Units:
        """Return the units that the documents' scores are pooled from."""

    @abstractmethod
    def network(
        self,
        width: int,
        vocabulary_size: int,
        seed: int,
        classes: int | None = None,
        dtype: torch.dtype = ...,
    ) -> "TextNetwork":
        """Make a finite network of this architecture at its random initialisation.

        Parameters
        ----------
        width : int
            Embedding width ``d`` and hidden width ``m``.
        vocabulary_size : int
            Number of tokens ``V``.
        seed : int
            Seeds the weights; the same seed gives the same network.
        classes : int, optional
            Number of classes ``C``. Without it the network has one score, the logit of class 1.
        dtype : torch.dtype
            Of the weights, float64 by default.

        Returns
        -------
        TextNetwork
            ``network(docs)`` gives the scores, (N,) or (N, C).

        Raises
        ------
        ValueError
            If a size is not a positive integer.
        """

    def pattern_weights(self, order: int | None = None) -> pd.DataFrame:
        """Möbius weights ``λ_S`` of every match pattern of a unit, by parameter group.

        Parameters
        ----------
        order : int, optional
            The length of the unit, for architectures whose units see the whole document.

        Returns
        -------
        DataFrame
            One row a pattern, one column a group; see :func:`~ntklib.spectrum.moebius_weights`.
        """
        context = self.context if self.context is not None else order
        if context is None:
            raise ValueError("order is needed: the units of this architecture see the whole document.")
        return moebius_weights(self.unit_kernel, context)

    def feature_map(self, docs: Any, columns: FeatureColumns | None = None) -> FeatureMap:
        """Sparse feature map ``Φ`` and weights ``λ`` with ``Θ = Φ diag(λ) Φᵀ``.

        Parameters
        ----------
        docs : N documents
            Sequences of token ids.
        columns : FeatureColumns, optional
            The columns of an earlier map, to encode new documents against it: features that the earlier
            documents do not have are left out.

        Returns
        -------
        FeatureMap
            ``(matrix (N, P), weights (P,), columns)``.

        Raises
        ------
        TypeError, ValueError
            If ``docs`` are not documents.
        """
        documents = Documents.of(docs)
        units = self.units(documents)
        if columns is None:
            columns = FeatureColumns(units, match_patterns(units.tokens.shape[1]))
        weights = self.pattern_weights(units.tokens.shape[1]).sum(axis=1).to_numpy()
        return FeatureMap(columns.encode(units, len(documents)), weights[columns.pattern_index], columns)

    def kernel(self, docs_a: Any, docs_b: Any = None) -> Float[np.ndarray, "n m"]:
        """Infinite-width NTK ``Θ(x, x')`` of the scalar score.

        Parameters
        ----------
        docs_a : N documents
            Sequences of token ids.
        docs_b : M documents, optional
            ``docs_a`` again when left out.

        Returns
        -------
        (N, M) float64
            Traced: one scalar output. ``C`` classes are ``Θ ⊗ I_C``.

        Raises
        ------
        TypeError, ValueError
            If a document is empty or is not a sequence of token ids.
        MemoryError
            If the matrix cannot fit into memory.

        Notes
        -----
        Computed as ``Φ_a diag(λ) Φ_bᵀ``. :meth:`kernel_by_positions` sums over pairs of positions instead.
        """
        return self._kernel(docs_a, docs_b, None)

    def kernel_by_group(self, docs_a: Any, docs_b: Any = None) -> dict[str, Float[np.ndarray, "n m"]]:
        """Return the part of :meth:`kernel` that each parameter group contributes; they add up to it."""
        return {group: self._kernel(docs_a, docs_b, group) for group in GROUPS}

    def _kernel(self, docs_a: Any, docs_b: Any, group: str | None) -> Float[np.ndarray, "n m"]:
        matrix_a, weights, columns = self.feature_map(docs_a)
        matrix_b = matrix_a if docs_b is None else self.feature_map(docs_b, columns).matrix
        if group is not None:
            length = max(map(len, columns.patterns))
            weights = self.pattern_weights(length)[group].to_numpy()[columns.pattern_index]
        return weighted_gram(matrix_a, matrix_b, weights)

    def kernel_by_positions(self, docs_a: Any, docs_b: Any = None) -> Float[np.ndarray, "n m"]:
        """Sum the unit kernel over pairs of units, as the definition says: ``Θ = Σ_t Σ_s Θ_unit(t, s)``.

        Takes ``O(L²)`` a pair of documents. It exists to check :meth:`kernel`, with which it shares nothing
        but the unit kernel.
        """
        first = Documents.of(docs_a, name="docs_a")
        second = first if docs_b is None else Documents.of(docs_b, name="docs_b")
        kernel = np.zeros((len(first), len(second)))
        for i in range(len(first)):
            rows = self.units(first[[i]])
            for j in range(len(second)):
                columns = self.units(second[[j]])
                matches = rows.tokens[:, None, :] == columns.tokens[None, :, :]
                pairs = sum(self.unit_kernel(matches).values())
                kernel[i, j] = rows.weights @ pairs @ columns.weights
        return kernel

    def spectrum(self, order: int = 3) -> pd.Series:
        """Feature spectrum: which share of what the model learns is bias, tokens, n-grams.

        ``share_j = Σ_{|S| = j} λ_S / Θ_unit(all equal)`` for units of ``order`` tokens.

        Parameters
        ----------
        order : int
            Largest number of tokens in a feature; the last share includes all larger ones.

        Returns
        -------
        Series
            Over ``0 … order``; sums to 1.

        Examples
        --------
        >>> import ntklib
        >>> ntklib.MLP(activation="tanh").spectrum(order=2).round(3).tolist()
        [0.0, 1.0, 0.0]
        """
        return feature_spectrum(self.pattern_weights(order), order)


class TextNetwork(torch.nn.Module):
    """A finite network over documents whose weights are drawn from explicit, seeded generators.

    Parameters
    ----------
    vocabulary_size : int
        Number of tokens ``V``.
    seed : int
        Seeds the weights.
    dtype : torch.dtype
        Of the weights.
    """

    groups: ClassVar[dict[str, str]] = {}
    """From each parameter's name to its group (:data:`GROUPS`)."""

    embedding: torch.nn.Parameter
    """(V, d) embedding weights."""

    sparse_gradients: bool = False
    """Whether the embedding's gradient holds the batch's rows alone: it meets few of the V tokens."""

    def __init__(self, vocabulary_size: int, seed: int, dtype: torch.dtype) -> None:
        super().__init__()
        self.vocabulary_size = positive_integer(vocabulary_size, "vocabulary_size")
        if not isinstance(seed, int | np.integer) or seed < 0:
            raise ValueError(f"seed must be an integer, 0 or larger, not {seed!r}.")
        self._generator = torch.Generator().manual_seed(int(seed))
        self._dtype = dtype

    def gaussian(self, *shape: int, sigma: float) -> torch.nn.Parameter:
        """Draw a parameter with independent ``N(0, σ²)`` entries; in float64, so a dtype changes no draw."""
        draw = torch.randn(*shape, generator=self._generator, dtype=torch.float64)
        return torch.nn.Parameter((sigma * draw).to(self._dtype))

    def embedded(self, tokens: Int[np.ndarray, " tokens"]) -> Float[torch.Tensor, "tokens width"]:
        """Rows of the embedding; their gradient is sparse while :attr:`sparse_gradients` is set."""
        return torch.nn.functional.embedding(
            torch.from_numpy(tokens), self.embedding, sparse=self.sparse_gradients
        )

    def documents(self, docs: Any) -> Documents:
        """Check documents against the network's vocabulary."""
        return Documents.of(docs, vocabulary_size=self.vocabulary_size)

    __call__: Callable[..., torch.Tensor]


def positive_integer(value: Any, name: str) -> int:
    """Return ``value`` as an int, or raise a ValueError that names the argument."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise ValueError(f"{name} must be a positive integer, not {value!r}.")
    return int(value)
