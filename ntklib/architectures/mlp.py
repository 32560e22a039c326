"""The multi-layer perceptron on a bag of tokens: ``s(x) = Σ_t v·φ(W e_t/√d)/√m``."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy import sparse

from ntklib.activations import Activation, mean, second_moment
from ntklib.architectures.base import Architecture
from ntklib.architectures.network import TextNetwork, distinct_tokens, one_hot
from ntklib.architectures.token_kernels import TokenLayers, token_kernels
from ntklib.documents import Documents
from ntklib.gram import ParameterTangents
from ntklib.spectrum import Units


@dataclass(frozen=True)
class MLP(Architecture):
    """A multi-layer perceptron applied to each token and summed over the document.

    ``s(x) = Σ_t v·φ(W e_t/√d)/√m``, with kernel (book, :eq:`mlp-kernel`)

    ``Θ(x, x') = A ⟨n(x), n(x')⟩ + B |x||x'|``,
    ``A = Var φ + σ_v²(σ_e² + σ_w²) E[φ'²]``, ``B = (E φ)²``,

    the moments taken at a Gaussian of variance ``q = σ_e² σ_w²``.

    Parameters
    ----------
    activation : str or callable
        ``φ``, see :func:`~ntklib.activations.get_activation`.
    sigma_e, sigma_w, sigma_v : float
        Standard deviations of the embedding, hidden and output weights at initialisation.

    Raises
    ------
    ValueError
        If a standard deviation is not a finite number above 0, or the activation is unknown.

    Notes
    -----
    Source: derivation. Exact in the limit of embedding and hidden width to infinity, at initialisation and,
    in that limit, throughout training by gradient flow.

    Examples
    --------
    >>> mlp = MLP(activation="identity")
    >>> mlp.kernel([[0, 1], [1, 1]])
    array([[ 6.,  6.],
           [ 6., 12.]])
    >>> mlp.spectrum(order=1).tolist()
    [0.0, 1.0]
    """

    activation: str | Activation | Callable[[torch.Tensor], torch.Tensor] = "relu"
    sigma_e: float = 1.0
    sigma_w: float = 1.0
    sigma_v: float = 1.0

    @property
    def context(self) -> int:
        """One token."""
        return 1

    @property
    def network_class(self) -> type[TextNetwork]:
        """:class:`MLPNetwork`."""
        return MLPNetwork

    def unit_kernel(
        self, matches: Bool[np.ndarray, "*pairs offsets"]
    ) -> dict[str, Float[np.ndarray, "*pairs"]]:
        """Kernel of two tokens, by parameter group: ``A δ + B`` with ``δ`` whether they are equal."""
        variance = self.sigma_e**2 * self.sigma_w**2
        equal = matches[..., 0]
        same_activation = second_moment(self.phi, variance)
        signal = self.sigma_v**2 * second_moment(self.phi, variance, order=1) * equal
        return {
            "output": np.where(equal, same_activation, mean(self.phi, variance) ** 2),
            "hidden": self.sigma_e**2 * signal,
            "embedding": self.sigma_w**2 * signal,
        }

    def units(self, docs: Documents) -> Units:
        """Every token is a unit of its own."""
        return Units(docs.ids[:, None], docs.rows, np.ones(len(docs.ids)))

    def units_of_counts(self, counts: sparse.csr_array) -> Units:
        """Every counted token is a unit, of the weight ``n_u(x)``: any real number."""
        rows, tokens = sparse.coo_array(counts).coords
        return Units(tokens.astype(np.int64)[:, None], rows.astype(np.int64), counts.data)


class MLPNetwork(TextNetwork):
    """The finite network of :class:`MLP`, of embedding and hidden width ``width``."""

    computes_tokens_once: ClassVar[bool] = True
    architecture: MLP

    def forward(self, docs: Any) -> Float[torch.Tensor, "documents *classes"]:
        """Scores of documents: each distinct token is computed once and added where it occurs."""
        documents = self.documents(docs)
        tokens, positions = distinct_tokens(documents.ids, self.vocabulary_size)
        embedded = self.lookup("embedding", tokens)
        activated = self.architecture.phi.torch(
            torch.nn.functional.linear(embedded, self.hidden) / self.width**0.5
        )
        scores = torch.nn.functional.linear(activated, self.output) / self.width**0.5
        pooled = torch.zeros(len(documents), *scores.shape[1:], dtype=scores.dtype)
        return pooled.index_add(0, torch.from_numpy(documents.rows), scores[torch.from_numpy(positions)])

    def tangents(self, docs: Documents, output: int = 0) -> list[ParameterTangents]:
        """Gradients of the documents' scores as outer products over their distinct tokens.

        See :class:`~ntklib.gram.ParameterTangents`.
        """
        tokens, positions = np.unique(docs.ids, return_inverse=True)
        counts = Documents(positions, docs.offsets).counts(len(tokens))
        made = self._layers(tokens, output)
        reaching = made.signals @ self.hidden.detach().numpy() * self.width**-0.5
        return [
            ParameterTangents("output", (made.activated,), counts),
            ParameterTangents("hidden", (made.embedded, made.signals), counts),
            ParameterTangents("embedding", (one_hot(tokens, self.vocabulary_size), reaching), counts),
        ]

    def parameter_kernels(
        self, docs_a: Documents, docs_b: Documents, output: int, memory_limit: int
    ) -> Iterator[tuple[str, Float[np.ndarray, "n m"]]]:
        """Each parameter's part of the empirical kernel, in bands of tokens that fit into ``memory_limit``.

        See :func:`~ntklib.architectures.token_kernels.token_kernels`.
        """
        return token_kernels(
            lambda tokens: self._layers(tokens, output),
            self.hidden.detach(),
            self.width**-0.5,
            docs_a,
            docs_b,
            memory_limit,
        )

    def _layers(self, tokens: np.ndarray, output: int) -> TokenLayers:
        scale = self.width**-0.5
        embedded = self.lookup("embedding", tokens).detach()
        preactivations = (torch.nn.functional.linear(embedded, self.hidden.detach()) * scale).requires_grad_()
        activated = self.architecture.phi.torch(preactivations)
        (slopes,) = torch.autograd.grad(activated.sum(), preactivations)
        readout = self.output.detach()[output] if self.output.ndim == 2 else self.output.detach()
        return TokenLayers(
            embedded.numpy() * scale, activated.detach().numpy() * scale, (slopes * readout * scale).numpy()
        )
