"""The convolutional network over windows of ``k`` tokens: ``s(x) = Σ_t v·φ(Σ_o W_o e_{t+o}/√(kd))/√m``."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from ntklib.activations import Activation, dual_activation
from ntklib.architectures.base import Architecture
from ntklib.architectures.network import TextNetwork
from ntklib.documents import Documents
from ntklib.spectrum import Units
from ntklib.validation import checked_integer


@dataclass(frozen=True)
class CNN(Architecture):
    """A convolution over windows of ``k`` tokens, summed over the document.

    ``s(x) = Σ_t v·φ(Σ_o W_o e_{t+o}/√(kd))/√m``. With ``n`` aligned equal tokens in two windows and
    ``q = σ_e² σ_w²`` (book, :eq:`cnn-kernel`):

    ``Θ_unit(n) = K_φ(qn/k) + σ_v² (σ_e² + σ_w²) (n/k) K_φ'(qn/k)``.

    Parameters
    ----------
    window : int
        ``k``, the number of tokens in a window.
    activation : str or callable
        ``φ``, see :func:`~ntklib.activations.get_activation`.
    sigma_e, sigma_w, sigma_v : float
        Standard deviations of the embedding, hidden and output weights at initialisation.

    Raises
    ------
    ValueError
        If the window is not an integer from 1 to 16, a standard deviation is not a finite number above 0, or
        the activation is unknown.

    Notes
    -----
    Each document has ``k − 1`` boundary tokens before its beginning and ``k − 1`` after its end, all of them
    different and with embeddings of their own. So every window is full, ``q`` is the same everywhere, and a
    document of ``L`` tokens has ``L + k − 1`` windows. Boundary tokens have negative ids in features. Source:
    derivation. Exact in the limit of embedding and hidden width to infinity.

    Examples
    --------
    >>> CNN(window=3, activation="relu").spectrum(order=3).round(3).tolist()
    [0.106, 0.59, 0.204, 0.1]
    """

    window: int = 3
    activation: str | Activation | Callable[[torch.Tensor], torch.Tensor] = "relu"
    sigma_e: float = 1.0
    sigma_w: float = 1.0
    sigma_v: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if checked_integer(self.window, "window") > 16:
            raise ValueError(f"window must be 1 to 16, not {self.window}: it has 2^window match patterns.")

    @property
    def context(self) -> int:
        """The window."""
        return self.window

    @property
    def network_class(self) -> type[TextNetwork]:
        """:class:`CNNNetwork`."""
        return CNNNetwork

    @cached_property
    def _duals(self) -> tuple[np.ndarray, np.ndarray]:
        """``K_φ`` and ``K_φ'`` at each number of aligned equal tokens."""
        variance = self.sigma_e**2 * self.sigma_w**2
        covariances = variance * np.arange(self.window + 1) / self.window
        values, slopes = (dual_activation(self.phi, covariances, variance, order) for order in (0, 1))
        return np.asarray(values), np.asarray(slopes)

    def unit_kernel(
        self, matches: Bool[np.ndarray, "*pairs offsets"]
    ) -> dict[str, Float[np.ndarray, "*pairs"]]:
        """Kernel of two windows, by parameter group: a function of how many aligned tokens are equal."""
        equal = matches.sum(axis=-1)
        values, slopes = self._duals
        signal = self.sigma_v**2 * slopes[equal] * equal / self.window
        return {
            "output": values[equal],
            "hidden": self.sigma_e**2 * signal,
            "embedding": self.sigma_w**2 * signal,
        }

    def units(self, docs: Documents) -> Units:
        """Every window of the document with its boundary tokens."""
        padded = with_boundaries(docs, self.window - 1)
        windows, documents = window_positions(padded, self.window)
        return Units(padded.ids[windows], documents, np.ones(len(documents)))


def with_boundaries(docs: Documents, each_side: int) -> Documents:
    """Put ``each_side`` boundary tokens before and after every document; ids −1, −2, … from the left.

    Examples
    --------
    >>> with_boundaries(Documents.of([[7, 8], [9]]), 1)[1]
    array([-1,  9, -2])
    """
    lengths = docs.lengths + 2 * each_side
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    ids = np.empty(offsets[-1], dtype=np.int64)
    side = np.arange(each_side)
    ids[offsets[:-1, None] + side] = -1 - side
    ids[offsets[1:, None] - each_side + side] = -1 - each_side - side
    ids[np.arange(len(docs.ids)) + (2 * docs.rows + 1) * each_side] = docs.ids
    return Documents(ids, offsets)


def window_positions(
    padded: Documents, window: int
) -> tuple[Int[np.ndarray, "windows offsets"], Int[np.ndarray, " windows"]]:
    """Where the tokens of each window stand, and each window's document."""
    starts = np.flatnonzero(np.arange(len(padded.ids)) + window <= padded.offsets[1:][padded.rows])
    return starts[:, None] + np.arange(window), padded.rows[starts]


class CNNNetwork(TextNetwork):
    """The finite network of :class:`CNN`, of embedding and hidden width ``width``."""

    groups: ClassVar[dict[str, str]] = {**TextNetwork.groups, "boundary": "embedding"}
    architecture: CNN

    def draw_weights(self) -> None:
        """Draw embedding, boundary, hidden and output weights."""
        sigma, width, window = self.architecture, self.width, self.architecture.window
        self.embedding = self.gaussian(self.vocabulary_size, width, sigma=sigma.sigma_e)
        if window > 1:
            self.boundary = self.gaussian(2 * (window - 1), width, sigma=sigma.sigma_e)
        self.hidden = self.gaussian(width, window * width, sigma=sigma.sigma_w)
        self.output = self.gaussian(*self.output_shape, width, sigma=sigma.sigma_v)

    def forward(self, docs: Any) -> Float[torch.Tensor, "documents *classes"]:
        """Scores of documents: one hidden layer over every window."""
        documents = self.documents(docs)
        window = self.architecture.window
        padded = with_boundaries(documents, window - 1)
        windows, owners = window_positions(padded, window)
        if torch.is_grad_enabled():
            hidden = self._use_by_use(documents, padded, windows, owners)
        else:
            hidden = self._by_distinct_tokens(padded.ids, windows)
        return self.readout(
            self.architecture.phi.torch(hidden / (window * self.width) ** 0.5), owners, len(documents)
        )

    def _use_by_use(
        self,
        documents: Documents,
        padded: Documents,
        windows: Int[np.ndarray, "windows offsets"],
        owners: Int[np.ndarray, " windows"],
    ) -> Float[torch.Tensor, "windows width"]:
        """Multiply each window's embeddings by ``W``, every use noted: for the kernel of gradients."""
        embedded = self.lookup("embedding", documents.ids, documents.rows)
        place = np.empty(len(padded.ids), dtype=np.int64)
        words = padded.ids >= 0
        place[words] = np.arange(words.sum())
        if self.architecture.window > 1:
            edges = self.lookup("boundary", -1 - padded.ids[~words], padded.rows[~words])
            embedded = torch.cat([embedded, edges])
            place[~words] = words.sum() + np.arange(len(edges))
        inputs = embedded[torch.from_numpy(place[windows])].reshape(len(windows), -1)
        return self.linear("hidden", inputs, owners)

    def _by_distinct_tokens(
        self, ids: Int[np.ndarray, " positions"], windows: Int[np.ndarray, "windows offsets"]
    ) -> Float[torch.Tensor, "windows width"]:
        """Compute the same from ``W_o e_u``, each made once for a distinct token: for many documents."""
        tokens, places = np.unique(ids, return_inverse=True)
        edges = torch.from_numpy(-1 - tokens[tokens < 0])  # boundary ids are negative, so they come first
        words = torch.from_numpy(tokens[tokens >= 0])
        rows = self.embedding[words]
        if len(edges):
            rows = torch.cat([self.boundary[edges], rows])
        weights = self.hidden.view(self.width, -1, self.width)
        total = torch.zeros(len(windows), self.width, dtype=rows.dtype)
        for offset, at in enumerate(torch.from_numpy(places[windows]).T):
            total += torch.nn.functional.linear(rows, weights[:, offset])[at]
        return total
