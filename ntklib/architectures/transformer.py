"""A Transformer encoder at finite width, with or without a causal mask."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from ntklib.activations import Activation
from ntklib.architectures.attention import present_positions, require_pairs
from ntklib.architectures.network import TextNetwork
from ntklib.architectures.recurrent import check_readout, reads_last
from ntklib.architectures.text_model import TextModel
from ntklib.documents import Documents
from ntklib.validation import checked_integer


@dataclass(frozen=True)
class Transformer(TextModel):
    """A Transformer encoder: multi-head attention with scores over ``√(d/heads)``, and a feed-forward layer.

    Each of the ``layers``: ``h ← h + W_O attention(LN h)/√d``, ``h ← h + W_2 φ(W_1 LN h/√d)/√d``; the score
    of a position is ``v·LN h/√d``. ``LN`` subtracts the mean and divides by the standard deviation; it has no
    weights.

    Parameters
    ----------
    layers, heads : int
        Depth, and attention heads a layer; the width must be a multiple of ``heads``.
    activation : str or callable
        ``φ`` of the feed-forward layers.
    causal : bool
        Whether a position sees itself and those before it alone. Without the mask a position also sees the
        token that it is asked to predict.
    positions : bool
        Add fixed sinusoids of the position to the embeddings.
    sigma_e, sigma_w, sigma_v : float
        Standard deviations of the embedding, hidden (attention and feed-forward) and output weights.
    readout : {"sum", "last"}
        Whether a document's score reads the sum over positions or the last one.

    Raises
    ------
    ValueError
        If a number is out of its range, or the activation or readout unknown.

    Notes
    -----
    Source: the usual definition, in NTK parametrisation, with normalisation before each block.

    Examples
    --------
    >>> network = Transformer(layers=1, heads=2).network(width=8, vocabulary_size=3, seed=0, classes=3)
    >>> network([[0, 1], [2]]).shape, network.position_scores([[0, 1], [2]]).shape
    (torch.Size([2, 3]), torch.Size([3, 3]))
    """

    layers: int = 2
    heads: int = 2
    activation: str | Activation | Callable[[torch.Tensor], torch.Tensor] = "relu"
    causal: bool = True
    positions: bool = True
    sigma_e: float = 1.0
    sigma_w: float = 1.0
    sigma_v: float = 1.0
    readout: str = "sum"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_readout(self)
        checked_integer(self.layers, "layers")
        checked_integer(self.heads, "heads")

    @property
    def network_class(self) -> type[TextNetwork]:
        """:class:`TransformerNetwork`."""
        return TransformerNetwork


class TransformerNetwork(TextNetwork):
    """The finite network of :class:`Transformer`."""

    architecture: Transformer

    def draw_weights(self) -> None:
        """Draw embedding, the layers' and the output weights."""
        model, width = self.architecture, self.width
        if width % model.heads:
            raise ValueError(f"width must be a multiple of the {model.heads} heads, not {width}.")
        self.embedding = self.gaussian(self.vocabulary_size, width, sigma=model.sigma_e)
        self.groups = {"embedding": "embedding", "output": "output"}  # type: ignore[misc]
        for layer in range(model.layers):
            for block, rows in (
                ("attention_in", 3 * width),
                ("attention_out", width),
                ("expand", width),
                ("reduce", width),
            ):
                name = f"{block}_{layer}"
                self.register_parameter(name, self.gaussian(rows, width, sigma=model.sigma_w))
                self.groups[name] = "hidden"
        self.output = self.gaussian(*self.output_shape, width, sigma=model.sigma_v)

    def forward(self, docs: Any) -> Float[torch.Tensor, "documents *classes"]:
        """Scores of documents: the readout of the sum over positions, or of the last one."""
        documents = self.documents(docs)
        states, rows = self._states(documents), documents.rows
        if reads_last(self.architecture):
            states, rows = states[torch.from_numpy(documents.offsets[1:] - 1)], np.arange(len(documents))
        return self.readout(states, rows, len(documents))

    def position_scores(self, docs: Any) -> Float[torch.Tensor, "tokens *classes"]:
        """Scores of every position, documents end to end: what a language model predicts from."""
        documents = self.documents(docs)
        return torch.nn.functional.linear(self._states(documents), self.output) / self.width**0.5

    def _states(self, docs: Documents) -> Float[torch.Tensor, "tokens width"]:
        """States of all positions after the last layer, normalised."""
        states = self.lookup("embedding", docs.ids, docs.rows)
        places = np.arange(len(docs.ids)) - docs.offsets[docs.rows]
        if self.architecture.positions:
            states = states + sinusoids(places, self.width).to(states.dtype)
        if self.architecture.causal:
            # PyTorch turns the mask of booleans into one of numbers; each layer's is kept for its gradient.
            masks = self.architecture.layers if torch.is_grad_enabled() else 1
            require_pairs(
                docs,
                masks * (1 + states.element_size()),
                "Masks of all positions",
                "pass fewer documents at a time, cut the longest, or take causal=False",
            )
        present = present_positions(docs)
        for layer in range(self.architecture.layers):
            states = states + self._attend(self._normalised(states), docs, present, layer)
            inner = self._project(f"expand_{layer}", self._normalised(states), docs)
            states = states + self._project(f"reduce_{layer}", self.architecture.phi.torch(inner), docs)
        return self._normalised(states)

    def _normalised(self, states: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.layer_norm(states, (self.width,))

    def _project(self, parameter: str, inputs: torch.Tensor, docs: Documents) -> torch.Tensor:
        return self.linear(parameter, inputs, docs.rows) / self.width**0.5

    def _attend(
        self,
        states: Float[torch.Tensor, "tokens width"],
        docs: Documents,
        present: Bool[torch.Tensor, "documents positions"],
        layer: int,
    ) -> Float[torch.Tensor, "tokens width"]:
        heads = self.architecture.heads
        mixed = self._project(f"attention_in_{layer}", states, docs)
        blank = torch.zeros(*present.shape, mixed.shape[1], dtype=mixed.dtype)
        padded = blank.index_put((present,), mixed)
        # (documents, positions, 3, heads, width of a head) -> three of (documents, heads, positions, width)
        queries, keys, values = padded.unflatten(2, (3, heads, -1)).permute(2, 0, 3, 1, 4)
        seen = present[:, None, None, :]
        if self.architecture.causal:
            seen = seen & torch.ones(present.shape[1], present.shape[1], dtype=torch.bool).tril()
        contexts = torch.nn.functional.scaled_dot_product_attention(queries, keys, values, attn_mask=seen)
        return self._project(f"attention_out_{layer}", contexts.transpose(1, 2).flatten(2)[present], docs)


def sinusoids(places: Int[np.ndarray, " tokens"], width: int) -> Float[torch.Tensor, "tokens width"]:
    """Sine and cosine of the position at geometrically spaced wavelengths, 2π to 20,000π.

    Examples
    --------
    >>> sinusoids(np.array([0]), 4)
    tensor([[0., 1., 0., 1.]], dtype=torch.float64)
    """
    frequencies = 10_000.0 ** (-np.arange(0, width, 2) / width)
    angles = places[:, None] * frequencies
    return torch.from_numpy(
        np.stack([np.sin(angles), np.cos(angles)], axis=2).reshape(len(places), -1)[:, :width]
    )
