"""The matrix-vector model, multiplication-based: ``h_t = A(x_t) h_{t−1}/√d + g(x_t)``."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from ntklib.architectures.network import TextNetwork
from ntklib.architectures.recurrent import Kernels, Recurrent, RecurrentNetwork
from ntklib.documents import Documents
from ntklib.spectrum import Pattern


@dataclass(frozen=True)
class MatrixVector(Recurrent):
    """A recurrent model in which every token has a matrix, which multiplies, and a vector, which adds.

    ``h_t = A(x_t) h_{t−1}/√d + g(x_t)``, ``h_0 = 0``, with score ``Σ_t v·h_t/√d`` (or ``v·h_T/√d``). With
    ``δ`` whether the tokens at ``t`` and ``s`` are equal (book, :eq:`matrix-vector-kernel`):

    ``Σ_{t,s} = δ (σ_g² + σ_a² Σ_{t−1,s−1})``, ``Ψ_{t,s} = δ (1 + Σ_{t−1,s−1} + σ_a² Ψ_{t−1,s−1})``,
    ``Θ_unit = Σ_{t,s} + σ_v² Ψ_{t,s}``: a function of the length of the common suffix alone.

    Parameters
    ----------
    sigma_a, sigma_g, sigma_v : float
        Standard deviations of the matrices', vectors' and output weights at initialisation.
    readout : {"sum", "last"}
        Whether the score reads the sum of the states or the last one.

    Raises
    ------
    ValueError
        If a standard deviation is not a finite number above 0, or the readout is unknown.

    Notes
    -----
    Source: derivation. Exact in the limit ``d → ∞``. Features are contiguous n-grams, up to ``most_offsets``
    tokens in the feature map. ``Σ`` grows as ``σ_a^{2L}`` for ``σ_a > 1``; a network of width ``d`` has
    ``V d²`` weights.

    Examples
    --------
    >>> MatrixVector().spectrum(order=3).round(3).tolist()
    [0.0, 0.222, 0.333, 0.444]
    """

    sigma_a: float = 1.0
    sigma_g: float = 1.0
    sigma_v: float = 1.0
    readout: str = "sum"

    most_offsets: ClassVar[int] = 64

    @property
    def network_class(self) -> type[TextNetwork]:
        """:class:`MatrixVectorNetwork`."""
        return MatrixVectorNetwork

    def patterns(self, length: int) -> tuple[Pattern, ...]:
        """Suffixes alone: a token that differs ends the match."""
        return tuple(Pattern(range(size)) for size in range(length + 1))

    def step(self, previous: Kernels, equal: Bool[np.ndarray, "*pairs"]) -> Kernels:
        """One step of the recursion for ``Σ`` and the hidden and embedding parts of ``σ_v² Ψ``."""
        state, hidden, embedding = previous
        carried = self.sigma_a**2
        return equal * np.stack(
            [
                self.sigma_g**2 + carried * state,
                self.sigma_v**2 * state + carried * hidden,
                self.sigma_v**2 + carried * embedding,
            ]
        )


class MatrixVectorNetwork(RecurrentNetwork):
    """The finite network of :class:`MatrixVector`, of state width ``width``."""

    groups: ClassVar[dict[str, str]] = {"output": "output", "matrices": "hidden", "vectors": "embedding"}
    architecture: MatrixVector

    def draw_weights(self) -> None:
        """Draw each token's matrix and vector, and the output weights."""
        sigma, size, width = self.architecture, self.vocabulary_size, self.width
        self.matrices = self.gaussian(size, width * width, sigma=sigma.sigma_a)
        self.vectors = self.gaussian(size, width, sigma=sigma.sigma_g)
        self.output = self.gaussian(*self.output_shape, width, sigma=sigma.sigma_v)

    def prepare(self, docs: Documents) -> None:
        """Look up the vectors of all positions. Matrices are looked up step by step: they are large."""
        self._tokens = docs.ids
        self._vectors = self.lookup("vectors", docs.ids, docs.rows)

    def next_state(
        self,
        state: Float[torch.Tensor, "active width"] | None,
        positions: Int[np.ndarray, " active"],
        documents: Int[np.ndarray, " active"],
    ) -> Float[torch.Tensor, "active width"]:
        """``A(x_t) h/√d + g(x_t)``."""
        vectors = self._vectors[torch.from_numpy(positions)]
        if state is None:
            return vectors
        tokens = self._tokens[positions]
        matrices = self.lookup("matrices", tokens).view(-1, self.width, self.width)
        product = torch.bmm(matrices, state[:, :, None])[:, :, 0]
        self.note_use("matrices", (tokens, state), product, documents)
        return product / self.width**0.5 + vectors
