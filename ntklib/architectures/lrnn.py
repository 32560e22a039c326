"""The linearised recurrent network: ``h_t = φ(u_t) + φ'(u_t) ⊙ (W_h h_{t−1}/√m)``, ``u_t = W e_t/√d``."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from ntklib.activations import Activation, mean, second_moment
from ntklib.architectures.network import TextNetwork
from ntklib.architectures.recurrent import Kernels, Recurrent, RecurrentNetwork
from ntklib.documents import Documents


@dataclass(frozen=True)
class LRNN(Recurrent):
    """A recurrent network, linearised in its state.

    ``h_t = φ(u_t) + φ'(u_t) ⊙ (W_h h_{t−1}/√m)`` with ``u_t = W e_t/√d``, ``h_0 = 0``, and score
    ``Σ_t v·h_t/√m`` (or ``v·h_T/√m``). With ``q = σ_e² σ_w²``, ``δ`` whether the tokens at ``t`` and ``s``
    are equal, ``K_δ = K_φ(qδ)``, ``D_δ = K_φ'(qδ)``, ``H = E[φ''²]`` (book, :eq:`l-rnn-kernel`):

    ``Σ_{t,s} = K_δ + σ_h² D_δ Σ_{t−1,s−1}``,
    ``Ψ_{t,s} = (σ_e² + σ_w²) δ [D_1 + σ_h² H Σ_{t−1,s−1}] + D_δ [Σ_{t−1,s−1} + σ_h² Ψ_{t−1,s−1}]``,
    ``Θ_unit = Σ_{t,s} + σ_v² Ψ_{t,s}``.

    Parameters
    ----------
    activation : str or callable
        ``φ``, see :func:`~ntklib.activations.get_activation`. Its second derivative must be a function: the
        gradient passes through ``φ'``.
    sigma_e, sigma_w, sigma_h, sigma_v : float
        Standard deviations of the embedding, input, recurrent and output weights at initialisation.
    readout : {"sum", "last"}
        Whether the score reads the sum of the states or the last one.

    Raises
    ------
    ValueError
        If a standard deviation is not a finite number above 0, the activation is unknown or has a kink (as
        the ReLU), or the readout is unknown.

    Notes
    -----
    Source: derivation; the model is that of Sun & Lu (2022). Exact in the limit of embedding and hidden width
    to infinity. The feature map has ``2^k`` patterns for each length ``k`` of a unit, so it is truncated
    beyond short documents; :meth:`Architecture.kernel` is not.

    Examples
    --------
    >>> LRNN("tanh").spectrum(order=3).round(3).tolist()
    [0.0, 0.738, 0.24, 0.022]
    """

    activation: str | Activation | Callable[[torch.Tensor], torch.Tensor] = "tanh"
    sigma_e: float = 1.0
    sigma_w: float = 1.0
    sigma_h: float = 1.0
    sigma_v: float = 1.0
    readout: str = "sum"

    # 2^11 candidate patterns; what lies further back has a weight below 3e-3 at σ = 1.
    most_offsets: ClassVar[int] = 10

    def __post_init__(self) -> None:
        super().__post_init__()
        try:
            _ = self._moments
        except ValueError as error:
            raise ValueError(
                f"activation {self.phi.name!r} does not suit a linearised RNN, whose gradient passes through "
                f"φ': {error} Take a smooth one, such as 'tanh' or 'gelu'."
            ) from error

    @cached_property
    def _moments(self) -> tuple[tuple[float, float], tuple[float, float], float]:
        """``(K_0, K_1)``, ``(D_0, D_1)`` and ``H``."""
        variance = self.sigma_e**2 * self.sigma_w**2
        values, slopes = (
            (mean(self.phi, variance, order) ** 2, second_moment(self.phi, variance, order))
            for order in (0, 1)
        )
        return values, slopes, second_moment(self.phi, variance, order=2)

    @property
    def network_class(self) -> type[TextNetwork]:
        """:class:`LRNNNetwork`."""
        return LRNNNetwork

    def step(self, previous: Kernels, equal: Bool[np.ndarray, "*pairs"]) -> Kernels:
        """One step of the recursion for ``Σ`` and the hidden and embedding parts of ``σ_v² Ψ``."""
        values, slopes, bend = self._moments
        state, hidden, embedding = previous
        value, slope = np.where(equal, values[1], values[0]), np.where(equal, slopes[1], slopes[0])
        carried = self.sigma_h**2 * slope
        signal = self.sigma_v**2 * (slopes[1] + self.sigma_h**2 * bend * state) * equal
        return np.stack(
            [
                value + carried * state,
                self.sigma_e**2 * signal + self.sigma_v**2 * slope * state + carried * hidden,
                self.sigma_w**2 * signal + carried * embedding,
            ]
        )


class LRNNNetwork(RecurrentNetwork):
    """The finite network of :class:`LRNN` and :class:`~ntklib.architectures.linear_rnn.LinearRNN`."""

    groups: ClassVar[dict[str, str]] = {
        "output": "output",
        "hidden": "hidden",
        "recurrent": "hidden",
        "embedding": "embedding",
    }
    architecture: LRNN

    def draw_weights(self) -> None:
        """Draw embedding, input, recurrent and output weights."""
        sigma, width = self.architecture, self.width
        self.embedding = self.gaussian(self.vocabulary_size, width, sigma=sigma.sigma_e)
        self.hidden = self.gaussian(width, width, sigma=sigma.sigma_w)
        self.recurrent = self.gaussian(width, width, sigma=sigma.sigma_h)
        self.output = self.gaussian(*self.output_shape, width, sigma=sigma.sigma_v)

    def prepare(self, docs: Documents) -> None:
        """Compute ``φ(u)`` and ``φ'(u)`` at all positions."""
        embedded = self.lookup("embedding", docs.ids, docs.rows)
        inputs = self.linear("hidden", embedded, docs.rows) / self.width**0.5
        phi = self.architecture.phi
        self._values, self._slopes = phi.torch(inputs), phi.torch_derivative(inputs)

    def next_state(
        self,
        state: Float[torch.Tensor, "active width"] | None,
        positions: Int[np.ndarray, " active"],
        documents: Int[np.ndarray, " active"],
    ) -> Float[torch.Tensor, "active width"]:
        """``φ(u_t) + φ'(u_t) ⊙ (W_h h/√m)``."""
        at = torch.from_numpy(positions)
        values = self._values[at]
        if state is None:
            return values
        return values + self._slopes[at] * self.linear("recurrent", state, documents) / self.width**0.5
