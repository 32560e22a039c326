"""Single-head self-attention: tied, with its infinite-width limit; and projected, at finite width alone."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Shaped
from scipy import sparse

from ntklib.architectures.base import Architecture
from ntklib.architectures.network import TextNetwork
from ntklib.architectures.text_model import TextModel
from ntklib.documents import Documents
from ntklib.memory import require_memory
from ntklib.spectrum import Units


@dataclass(frozen=True)
class Attention(Architecture):
    """Self-attention whose queries, keys and values are the embeddings themselves, with scores over ``d``.

    ``s(x) = Σ_t v·W (Σ_s α_ts e_s)/√(dm)``, ``α_ts = softmax_s(e_t·e_s/d)``. At initialisation the attention
    is deterministic, ``α_ts ∝ exp(σ_e² 1[x_t = x_s])``, and its own gradient vanishes as ``1/d``. With
    ``a_s(x) = Σ_t α_ts`` (book, :eq:`attention-kernel`):

    ``Θ(x, x') = (q + σ_v²(σ_e² + σ_w²)) Σ_s Σ_s' a_s(x) a_s'(x') 1[x_s = x'_s']``, ``q = σ_e² σ_w²``.

    Parameters
    ----------
    sigma_e, sigma_w, sigma_v : float
        Standard deviations of the embedding, hidden and output weights at initialisation.

    Raises
    ------
    ValueError
        If a standard deviation is not a finite number above 0.

    Notes
    -----
    Source: derivation. Exact in the limit of embedding and hidden width to infinity. There is no activation:
    the values are linear. For trained projections with scores over ``√d`` the attention stays random in the
    limit: :class:`ProjectedAttention`.

    Examples
    --------
    >>> Attention().spectrum(order=3).tolist()
    [0.0, 1.0, 0.0, 0.0]
    """

    sigma_e: float = 1.0
    sigma_w: float = 1.0
    sigma_v: float = 1.0

    @property
    def context(self) -> int:
        """One token, weighted by the attention that it gets."""
        return 1

    @property
    def network_class(self) -> type[TextNetwork]:
        """:class:`AttentionNetwork`."""
        return AttentionNetwork

    def unit_kernel(
        self, matches: Bool[np.ndarray, "*pairs offsets"]
    ) -> dict[str, Float[np.ndarray, "*pairs"]]:
        """Kernel of two tokens, by parameter group: linear in whether they are equal."""
        equal = matches[..., 0].astype(np.float64)
        return {
            "output": self.sigma_e**2 * self.sigma_w**2 * equal,
            "hidden": self.sigma_v**2 * self.sigma_e**2 * equal,
            "embedding": self.sigma_v**2 * self.sigma_w**2 * equal,
        }

    def units(self, docs: Documents) -> Units:
        """Every token, weighted by the attention ``a_s(x)`` that it gets from all positions."""
        return Units(docs.ids[:, None], docs.rows, self.received_attention(docs))

    def units_of_counts(self, counts: sparse.csr_array) -> Units:
        """Every counted token is a unit, of the weight ``n_u(x) a_u(x)``."""
        if counts.nnz and counts.data.min() < 0:
            raise ValueError(
                "counts must be 0 or larger for Attention: Negative values in data can get no attention."
            )
        held = counts.copy()
        held.eliminate_zeros()
        rows, tokens = sparse.coo_array(held).coords
        lengths = np.asarray(held.sum(axis=1), dtype=np.float64)
        received = self._received(rows.astype(np.int64), held.data, lengths)
        return Units(tokens.astype(np.int64)[:, None], rows.astype(np.int64), held.data * received)

    def received_attention(self, docs: Any) -> Float[np.ndarray, " tokens"]:
        """``a_s(x) = Σ_t α_ts`` of each token of the documents, end to end; adds up to ``|x|`` in each.

        Examples
        --------
        >>> Attention().received_attention([[0, 1, 0]]).round(3)
        array([1.057, 0.887, 1.057])
        """
        documents = Documents.of(docs)
        pairs = np.stack([documents.rows, documents.ids], axis=1)
        distinct, place, count = np.unique(pairs, axis=0, return_inverse=True, return_counts=True)
        return self._received(distinct[:, 0], count, documents.lengths)[place.reshape(-1)]

    def _received(
        self,
        owner: Int[np.ndarray, " distinct"],
        count: Shaped[np.ndarray, " distinct"],
        lengths: Shaped[np.ndarray, " documents"],
    ) -> Float[np.ndarray, " distinct"]:
        """``a_u(x)`` of each distinct token, from its document and its count there."""
        # exp(−σ_e²) instead of exp(σ_e²): the same ratios, and it cannot overflow.
        other = np.exp(-(self.sigma_e**2))
        # What a query gives to a position of its own token; to any other position it gives `other` times it.
        given = 1 / (count + (lengths[owner] - count) * other)
        to_all = np.bincount(owner, weights=count * given, minlength=len(lengths))
        return other * to_all[owner] + (1 - other) * count * given


class AttentionNetwork(TextNetwork):
    """The finite network of :class:`Attention`, of embedding and hidden width ``width``."""

    architecture: Attention

    def queries_and_keys(
        self, embedded: Float[torch.Tensor, "tokens width"], docs: Documents
    ) -> tuple[Float[torch.Tensor, "tokens width"], Float[torch.Tensor, "tokens width"], float]:
        """Return queries, keys and the scale of their products: the embeddings themselves, over ``d``."""
        return embedded, embedded, 1 / self.width

    def forward(self, docs: Any) -> Float[torch.Tensor, "documents *classes"]:
        """Scores of documents: the values are linear, so contexts are summed before the hidden layer."""
        documents = self.documents(docs)
        embedded = self.lookup("embedding", documents.ids, documents.rows)
        attention, places = self._attention(embedded, documents)
        received = attention.sum(dim=1).view(-1)[places]  # summed over queries, at each token's own place
        contexts = torch.zeros(len(documents), self.width, dtype=embedded.dtype)
        contexts = contexts.index_add(0, torch.from_numpy(documents.rows), received[:, None] * embedded)
        owners = np.arange(len(documents))
        hidden = self.linear("hidden", contexts, owners) / self.width**0.5
        return self.readout(hidden, owners, len(documents))

    def attention(self, docs: Any) -> Float[torch.Tensor, "documents queries keys"]:
        """``α_ts`` of each document, padded with zeros to the longest."""
        documents = self.documents(docs)
        return self._attention(self.lookup("embedding", documents.ids), documents)[0]

    def _attention(
        self, embedded: Float[torch.Tensor, "tokens width"], docs: Documents
    ) -> tuple[Float[torch.Tensor, "documents queries keys"], Int[torch.Tensor, " tokens"]]:
        """Attention, padded, and the place of each token among all documents' positions."""
        require_pairs(
            docs,
            # Scores, without and with the padding masked, and the weights, before and after it is cleared.
            4 * embedded.element_size(),
            "Attention between all positions",
            "pass fewer documents at a time, or cut the longest",
        )
        present = present_positions(docs)
        places = present.view(-1).nonzero()[:, 0]

        def padded(values: torch.Tensor) -> torch.Tensor:
            blank = torch.zeros(present.numel(), values.shape[1], dtype=values.dtype)
            return blank.index_copy(0, places, values).view(*present.shape, -1)

        queries, keys, scale = self.queries_and_keys(embedded, docs)
        padded_queries = padded(queries)
        padded_keys = padded_queries if keys is queries else padded(keys)
        scores = scale * (padded_queries @ padded_keys.transpose(1, 2))
        # Padding gets no attention as a key, and gives none as a query.
        weights = torch.softmax(scores.masked_fill(~present[:, None, :], -torch.inf), dim=2)
        return weights * present[:, :, None], places


def require_pairs(docs: Documents, bytes_of_pair: int, purpose: str, remedy: str) -> None:
    """Refuse so many bytes for every pair of positions of every document, padded, where they do not fit."""
    longest = int(docs.lengths.max())
    require_memory(
        bytes_of_pair * len(docs) * longest**2,
        f"{purpose} of {len(docs):,} documents of up to {longest:,} tokens",
        remedy,
    )


def present_positions(docs: Documents) -> Bool[torch.Tensor, "documents positions"]:
    """Which positions of documents padded to the longest hold a token.

    Examples
    --------
    >>> present_positions(Documents.of([[4, 2], [7]])).tolist()
    [[True, True], [True, False]]
    """
    return torch.from_numpy(np.arange(docs.lengths.max()) < docs.lengths[:, None])


@dataclass(frozen=True)
class ProjectedAttention(TextModel):
    """Self-attention with trained query and key projections and scores over ``√d``: finite width only.

    ``s(x) = Σ_t v·W (Σ_s α_ts e_s)/√(dm)``, ``α_ts = softmax_s(W_Q e_t·W_K e_s/(d √d))``. The scores keep a
    variance of order 1 in the limit, so the attention stays random and the kernel has no closed form here
    (Hron et al., 2020): :func:`~ntklib.expected_kernel.expected_ntk` estimates it from networks.

    Parameters
    ----------
    sigma_e, sigma_q, sigma_k, sigma_w, sigma_v : float
        Standard deviations of the embedding, query, key, hidden and output weights at initialisation.

    Raises
    ------
    ValueError
        If a standard deviation is not a finite number above 0.

    Examples
    --------
    >>> network = ProjectedAttention().network(width=8, vocabulary_size=3, seed=0)
    >>> network.attention([[0, 1, 0]]).sum(dim=2).detach().numpy().round(12)
    array([[1., 1., 1.]])
    """

    sigma_e: float = 1.0
    sigma_q: float = 1.0
    sigma_k: float = 1.0
    sigma_w: float = 1.0
    sigma_v: float = 1.0

    @property
    def network_class(self) -> type[TextNetwork]:
        """:class:`ProjectedAttentionNetwork`."""
        return ProjectedAttentionNetwork


class ProjectedAttentionNetwork(AttentionNetwork):
    """The network of :class:`ProjectedAttention`."""

    groups: ClassVar[dict[str, str]] = {**TextNetwork.groups, "query": "hidden", "key": "hidden"}
    architecture: ProjectedAttention  # type: ignore[assignment]

    def draw_weights(self) -> None:
        """Draw the projections after the other weights."""
        super().draw_weights()
        self.query = self.gaussian(self.width, self.width, sigma=self.architecture.sigma_q)
        self.key = self.gaussian(self.width, self.width, sigma=self.architecture.sigma_k)

    def queries_and_keys(
        self, embedded: Float[torch.Tensor, "tokens width"], docs: Documents
    ) -> tuple[Float[torch.Tensor, "tokens width"], Float[torch.Tensor, "tokens width"], float]:
        """``W_Q e/√d``, ``W_K e/√d``, and ``1/√d``."""
        root = self.width**0.5
        queries = self.linear("query", embedded, docs.rows) / root
        keys = self.linear("key", embedded, docs.rows) / root
        return queries, keys, 1 / root
