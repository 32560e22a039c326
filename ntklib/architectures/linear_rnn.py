"""The plain linear recurrent network, ``h_t = W e_t/√d + W_h h_{t−1}/√m``: the control without n-grams."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Bool

from ntklib.activations import Activation, get_activation
from ntklib.architectures.lrnn import LRNNNetwork
from ntklib.architectures.network import TextNetwork
from ntklib.architectures.recurrent import Kernels, Recurrent
from ntklib.spectrum import Pattern


@dataclass(frozen=True)
class LinearRNN(Recurrent):
    """A recurrent network without a nonlinearity: additive over positions, so it has no n-gram feature.

    ``h_t = W e_t/√d + W_h h_{t−1}/√m``, ``h_0 = 0``, with score ``Σ_t v·h_t/√m`` (or ``v·h_T/√m``). With
    ``q = σ_e² σ_w²`` and ``δ`` whether the tokens at ``t`` and ``s`` are equal (book, :eq:`l-rnn-linear`):

    ``Σ_{t,s} = q δ + σ_h² Σ_{t−1,s−1}``,
    ``Ψ_{t,s} = (σ_e² + σ_w²) δ + Σ_{t−1,s−1} + σ_h² Ψ_{t−1,s−1}``, ``Θ_unit = Σ_{t,s} + σ_v² Ψ_{t,s}``.

    Parameters
    ----------
    sigma_e, sigma_w, sigma_h, sigma_v : float
        Standard deviations of the embedding, input, recurrent and output weights at initialisation.
    readout : {"sum", "last"}
        Whether the score reads the sum of the states or the last one.

    Raises
    ------
    ValueError
        If a standard deviation is not a finite number above 0, or the readout is unknown.

    Notes
    -----
    Source: derivation. Exact in the limit of embedding and hidden width to infinity. Its features are single
    tokens at a distance from the position that reads them, up to ``most_offsets`` in the feature map.

    Examples
    --------
    >>> LinearRNN().spectrum(order=3).tolist()
    [0.0, 1.0, 0.0, 0.0]
    """

    sigma_e: float = 1.0
    sigma_w: float = 1.0
    sigma_h: float = 1.0
    sigma_v: float = 1.0
    readout: str = "sum"

    most_offsets: ClassVar[int] = 64

    @property
    def network_class(self) -> type[TextNetwork]:
        """:class:`~ntklib.architectures.lrnn.LRNNNetwork`, with the identity as its activation."""
        return LRNNNetwork

    @property
    def phi(self) -> Activation:
        """The identity."""
        return get_activation("identity")

    def patterns(self, length: int) -> tuple[Pattern, ...]:
        """No interaction: single offsets alone."""
        return (Pattern(), *(Pattern((offset,)) for offset in range(length)))

    def step(self, previous: Kernels, equal: Bool[np.ndarray, "*pairs"]) -> Kernels:
        """One step of the recursion for ``Σ`` and the hidden and embedding parts of ``σ_v² Ψ``."""
        state, hidden, embedding = previous
        signal = self.sigma_v**2 * equal
        carried = self.sigma_h**2
        return np.stack(
            [
                self.sigma_e**2 * self.sigma_w**2 * equal + carried * state,
                self.sigma_e**2 * signal + self.sigma_v**2 * state + carried * hidden,
                self.sigma_w**2 * signal + carried * embedding,
            ]
        )
