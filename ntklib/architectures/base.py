"""What architectures share: hyper-parameters, the kernel by three ways, the feature map, the network."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float
from scipy import sparse

from ntklib.activations.moments import LARGEST_VARIANCE, SMALLEST_VARIANCE
from ntklib.architectures.feature_blocks import joined_blocks
from ntklib.architectures.network import GROUPS, TextNetwork
from ntklib.architectures.text_model import TextModel
from ntklib.documents import Documents
from ntklib.memory import INSTEAD_OF_A_KERNEL, require_memory
from ntklib.spectrum import (
    FeatureColumns,
    FeatureMap,
    Units,
    feature_spectrum,
    moebius_weights,
    weighted_gram,
)


@dataclass(frozen=True)
class Architecture(TextModel):
    """An infinitely wide text model, given by its hyper-parameters.

    A subclass says three things: which units a document is pooled from (:meth:`units`), the kernel of two
    units as a function of which of their tokens match (:meth:`unit_kernel`), and the class of its finite
    network (:attr:`network_class`). The kernel of documents, the feature map, the spectrum and the dynamics
    follow. Kernels are traced: one scalar score, ``(N, M)``. For ``C`` classes the kernel is ``Θ ⊗ I_C``.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        if hasattr(self, "activation"):
            variance = (self.sigma_e * self.sigma_w) ** 2  # type: ignore[attr-defined]
            if not SMALLEST_VARIANCE <= variance <= LARGEST_VARIANCE:
                raise ValueError(
                    f"sigma_e and sigma_w must have a product from {SMALLEST_VARIANCE**0.5:.0e} to "
                    f"{LARGEST_VARIANCE**0.5:.1e}, not {variance**0.5:.3g}: the activation's moments are "
                    "taken at its square, and are computed no further."
                )

    @property
    @abstractmethod
    def context(self) -> int | None:
        """How many tokens a unit sees; ``None`` when it sees the document from its beginning."""

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
        """Return the units that the documents' scores are pooled from; no more than tokens and boundaries."""

    def pattern_weights(self, order: int | None = None) -> pd.DataFrame:
        """Möbius weights ``λ_S`` of every match pattern of a unit, by parameter group.

        Parameters
        ----------
        order : int, optional
            The number of tokens in the unit, for architectures whose units see the whole document.

        Returns
        -------
        DataFrame
            One row a pattern, one column a group; see :func:`~ntklib.spectrum.moebius_weights`.

        Raises
        ------
        ValueError
            If ``order`` is needed and missing.
        """
        assert self.context is not None
        return moebius_weights(self.unit_kernel, self.context)

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
            It unpacks into ``(matrix (N, P), weights (P,), columns)``, and has an ``error_bound`` (N,).

        Raises
        ------
        TypeError, ValueError
            If ``docs`` are not documents.
        MemoryError
            If the feature map cannot fit into memory.

        Notes
        -----
        Made from blocks of half a million tokens, or fewer: besides features it holds no more than a block.
        """
        assert self.context is not None
        return joined_blocks(
            Documents.of(docs),
            list(self.pattern_weights().index) if columns is None else columns.patterns,
            self.context,
            columns,
            lambda some: self._features_of(self.units(some), len(some), columns),
            self.most_units,
        )

    def most_units(self, documents: Documents, _reach: int) -> int:
        """At most how many units have so many tokens: every window of a document and its boundary."""
        assert self.context is not None
        return len(documents.ids) + (self.context - 1) * len(documents)

    def units_of_counts(self, counts: sparse.csr_array) -> Units:
        """Return the units of documents of which only the token counts are known.

        Raises
        ------
        TypeError
            If the architecture reads the order of the tokens.
        """
        raise TypeError(
            f"{type(self).__name__} reads the order of tokens, which a matrix of counts does not have: "
            "give it the tokens of each document, or take MLP or Attention."
        )

    def count_feature_map(self, counts: Any, columns: FeatureColumns | None = None) -> FeatureMap:
        """:meth:`feature_map` of documents of which only the token counts are known.

        Parameters
        ----------
        counts : (N, V) dense or sparse array
            ``n_u(x)``, as ``sklearn.feature_extraction.text.CountVectorizer`` makes them. An MLP takes any
            real numbers, :class:`~ntklib.architectures.attention.Attention` those of 0 or more: both kernels
            are functions of ``n(x)`` and ``|x| = Σ_u n_u(x)``. A row of zeros has the score 0.
        columns : FeatureColumns, optional
            The columns of an earlier map, as in :meth:`feature_map`.

        Returns
        -------
        FeatureMap
            A feature's tokens are column numbers of ``counts``.

        Raises
        ------
        TypeError
            If the architecture reads the order of the tokens.
        ValueError
            If Attention is given a negative number.

        Examples
        --------
        >>> import ntklib
        >>> matrix, weights, _ = ntklib.MLP("identity").count_feature_map([[1, 0, 2], [0, 1, 1]])
        >>> (matrix * weights @ matrix.T).toarray()
        array([[15.,  6.],
               [ 6.,  6.]])
        """
        matrix = sparse.csr_array(counts, dtype=np.float64)
        return self._features_of(self.units_of_counts(matrix), matrix.shape[0], columns)

    def _features_of(self, units: Units, documents: int, columns: FeatureColumns | None) -> FeatureMap:
        weights = self.pattern_weights()
        if columns is None:
            columns, matrix = FeatureColumns.counted(units, list(weights.index), documents)
        else:
            matrix = columns.encode(units, documents)
        return FeatureMap(matrix, columns, weights, np.zeros(documents))

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
        ValueError
            If an entry is larger than float64 can hold: names the standard deviations.
        MemoryError
            If the matrix cannot fit into memory.

        Notes
        -----
        Computed as ``Φ_a diag(λ) Φ_bᵀ``. :meth:`kernel_by_positions` sums over pairs of positions instead.
        """
        features, others = self._features(docs_a, docs_b)
        return self._checked(weighted_gram(features.matrix, others, features.weights), "kernel")

    def kernel_by_group(self, docs_a: Any, docs_b: Any = None) -> dict[str, Float[np.ndarray, "n m"]]:
        """Return the part of :meth:`kernel` that each parameter group contributes; they add up to it."""
        features, others = self._features(docs_a, docs_b, kernels=len(GROUPS))
        return {
            group: self._checked(
                weighted_gram(features.matrix, others, features.group_weights(group)), "kernel"
            )
            for group in GROUPS
        }

    def _checked(self, values: np.ndarray, what: str) -> np.ndarray:
        """``values`` if they are finite; else an error that names what makes them large."""
        if not np.isfinite(values).all():
            sigmas = {name: value for name, value in vars(self).items() if name.startswith("sigma_")}
            large = {name: value for name, value in sigmas.items() if value > 1} or sigmas
            raise ValueError(
                f"the {what} of these documents is larger than float64 can hold: it grows with "
                f"{', '.join(f'{name} = {value:g}' for name, value in large.items())}, and where a model is "
                "recurrent exponentially in the length of a document; lower these, or cut the documents."
            )
        return values

    def _features(self, docs_a: Any, docs_b: Any, kernels: int = 1) -> tuple[FeatureMap, sparse.csr_array]:
        first = Documents.of(docs_a, name="docs_a")
        second = first if docs_b is None else Documents.of(docs_b, name="docs_b")
        require_memory(
            8 * (kernels + 2) * len(first) * len(second),
            f"A kernel of {len(first):,} x {len(second):,}",
            INSTEAD_OF_A_KERNEL,
        )
        features = self.feature_map(first)
        return features, features.matrix if docs_b is None else self.feature_map(
            second, features.columns
        ).matrix

    def kernel_by_positions(self, docs_a: Any, docs_b: Any = None) -> Float[np.ndarray, "n m"]:
        """Sum the unit kernel over pairs of units, as the definition says: ``Θ = Σ_t Σ_s Θ_unit(t, s)``.

        Takes a unit kernel for each pair of positions. It exists to check :meth:`kernel`, with which it
        shares nothing but the unit kernel. Units of different lengths are compared as far as both reach.
        """
        first = Documents.of(docs_a, name="docs_a")
        second = first if docs_b is None else Documents.of(docs_b, name="docs_b")
        require_memory(
            8 * len(first) * len(second), f"A kernel of {len(first):,} x {len(second):,}", INSTEAD_OF_A_KERNEL
        )
        kernel = np.zeros((len(first), len(second)))
        for i in range(len(first)):
            rows = self.units(first[[i]])
            for j in range(len(second)):
                columns = self.units(second[[j]])
                offsets = min(rows.tokens.shape[1], columns.tokens.shape[1])
                matches = rows.tokens[:, None, :offsets] == columns.tokens[None, :, :offsets]
                reach = np.minimum(rows.reach[:, None], columns.reach[None, :])
                pairs = np.zeros(reach.shape)
                for length in np.unique(reach):
                    chosen = reach == length
                    pairs[chosen] = sum(self.unit_kernel(matches[chosen][:, :length]).values())
                kernel[i, j] = rows.weights @ pairs @ columns.weights
        return self._checked(kernel, "kernel")

    def spectrum(self, order: int = 3) -> pd.Series:
        """Feature spectrum: which share of what the model learns is bias, tokens, n-grams.

        ``share_j = Σ_{|S| = j} λ_S / Θ_unit(all equal)`` for units of ``order`` tokens.

        Parameters
        ----------
        order : int
            Largest number of tokens in a feature; the last share includes all larger ones. A recurrent
            model's units have ``order`` tokens here.

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


__all__ = ["GROUPS", "Architecture", "TextNetwork"]
