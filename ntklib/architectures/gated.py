"""Recurrent networks at finite width: Elman RNN, GRU, LSTM, and their linearisations."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float, Int

from ntklib.activations import Activation
from ntklib.architectures.network import TextNetwork
from ntklib.architectures.recurrent import RecurrentNetwork, check_readout
from ntklib.architectures.text_model import TextModel
from ntklib.documents import Documents

State = Float[torch.Tensor, "active columns"]


@dataclass(frozen=True)
class RecurrentModel(TextModel):
    """A recurrent model at finite width, with ``u_t = W e_t/√d`` and the recurrent ``W_h h_{t−1}/√m``.

    Parameters
    ----------
    activation : str or callable
        ``φ``, tanh by default.
    sigma_e, sigma_w, sigma_h, sigma_v : float
        Standard deviations of the embedding, input, recurrent and output weights at initialisation.
    readout : {"sum", "last"}
        Whether the score reads the sum of the states or the last one.
    linearised : bool
        Replace each step by its first-order expansion in the state before, around 0:
        ``h_t = f(x_t, 0) + ∂f/∂h(x_t, 0) h_{t−1}``. A linearised :class:`ElmanRNN` is the L-RNN.
    additive : bool
        Of a linearised model: whether ``f(x_t, 0)`` is added at every step, or at the first alone, so that
        later tokens multiply and do nothing else.

    Raises
    ------
    ValueError
        If a standard deviation is not a finite number above 0, the activation or the readout is unknown, or
        ``additive`` is False for a model that is not linearised.

    Notes
    -----
    Gates are logistic. There are no bias weights. Source: the usual definitions; linearisation and its
    multiplicative part after Sun & Lu (2022).
    """

    activation: str | Activation | Callable[[torch.Tensor], torch.Tensor] = "tanh"
    sigma_e: float = 1.0
    sigma_w: float = 1.0
    sigma_h: float = 1.0
    sigma_v: float = 1.0
    readout: str = "sum"
    linearised: bool = False
    additive: bool = True

    gates: ClassVar[int] = 1
    """How many blocks of ``m`` rows the input and the recurrent weights have."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_readout(self)
        if not (self.additive or self.linearised):
            raise ValueError(
                "additive=False needs linearised=True: only the expansion has a part to leave out."
            )

    @property
    def network_class(self) -> type[TextNetwork]:
        """:class:`RecurrentModelNetwork`."""
        return RecurrentModelNetwork

    def cell(self, inputs: torch.Tensor, recurrent: torch.Tensor, state: State) -> State:
        """State after one step, from ``W e/√d``, ``W_h h/√m`` and the state before, (h, c) side by side."""
        raise NotImplementedError


@dataclass(frozen=True)
class ElmanRNN(RecurrentModel):
    """``h_t = φ(u_t + W_h h_{t−1}/√m)``: no gate.

    See :class:`~ntklib.architectures.gated.RecurrentModel`.

    Examples
    --------
    >>> ElmanRNN().network(width=8, vocabulary_size=3, seed=0)([[0, 1], [2]]).shape
    torch.Size([2])
    """

    def cell(self, inputs: torch.Tensor, recurrent: torch.Tensor, state: State) -> State:
        """``φ(u + W_h h)``."""
        return self.phi.torch(inputs + recurrent)


@dataclass(frozen=True)
class GRU(RecurrentModel):
    """Gated recurrent unit: ``h_t = (1 − z) ⊙ n + z ⊙ h_{t−1}``.

    See :class:`~ntklib.architectures.gated.RecurrentModel`.

    ``z, r = σ(W e/√d + W_h h/√m)`` in their own rows, ``n = φ(W_n e/√d + r ⊙ (W_hn h/√m))``.

    Examples
    --------
    >>> GRU(readout="last").network(width=8, vocabulary_size=3, seed=0)([[0, 1], [2]]).shape
    torch.Size([2])
    """

    gates: ClassVar[int] = 3

    def cell(self, inputs: torch.Tensor, recurrent: torch.Tensor, state: State) -> State:
        """Update gate, reset gate, candidate."""
        update_in, reset_in, candidate_in = inputs.chunk(3, dim=1)
        update_back, reset_back, candidate_back = recurrent.chunk(3, dim=1)
        update, reset = torch.sigmoid(update_in + update_back), torch.sigmoid(reset_in + reset_back)
        candidate = self.phi.torch(candidate_in + reset * candidate_back)
        return (1 - update) * candidate + update * state


@dataclass(frozen=True)
class LSTM(RecurrentModel):
    """Long short-term memory: ``c_t = f ⊙ c_{t−1} + i ⊙ g``, ``h_t = o ⊙ φ(c_t)``.

    See :class:`~ntklib.architectures.gated.RecurrentModel`.

    ``i, f, o = σ(W e/√d + W_h h/√m)`` and ``g = φ(…)``, each in its own rows; ``c_0 = h_0 = 0``.

    Examples
    --------
    >>> LSTM().network(width=8, vocabulary_size=3, seed=0)([[0, 1], [2]]).shape
    torch.Size([2])
    """

    gates: ClassVar[int] = 4

    def cell(self, inputs: torch.Tensor, recurrent: torch.Tensor, state: State) -> State:
        """Input, forget and output gate, and the new memory; the state is (h, c) side by side."""
        enter, forget, leave, fresh = (inputs + recurrent).chunk(4, dim=1)
        memory = state[:, state.shape[1] // 2 :]
        memory = torch.sigmoid(forget) * memory + torch.sigmoid(enter) * self.phi.torch(fresh)
        return torch.cat([torch.sigmoid(leave) * self.phi.torch(memory), memory], dim=1)


class RecurrentModelNetwork(RecurrentNetwork):
    """The finite network of a :class:`~ntklib.architectures.gated.RecurrentModel`."""

    groups: ClassVar[dict[str, str]] = {**TextNetwork.groups, "recurrent": "hidden"}
    architecture: RecurrentModel

    def draw_weights(self) -> None:
        """Draw embedding, input, recurrent and output weights."""
        sigma, width, rows = self.architecture, self.width, self.architecture.gates * self.width
        self.embedding = self.gaussian(self.vocabulary_size, width, sigma=sigma.sigma_e)
        self.hidden = self.gaussian(rows, width, sigma=sigma.sigma_w)
        self.recurrent = self.gaussian(rows, width, sigma=sigma.sigma_h)
        self.output = self.gaussian(*self.output_shape, width, sigma=sigma.sigma_v)

    @property
    def state_columns(self) -> int:
        """Columns of the state: an LSTM has its memory beside its output."""
        return (2 if isinstance(self.architecture, LSTM) else 1) * self.width

    def prepare(self, docs: Documents) -> None:
        """Compute what the tokens send to all gates."""
        embedded = self.lookup("embedding", docs.ids, docs.rows)
        self._inputs = self.linear("hidden", embedded, docs.rows) / self.width**0.5

    def next_state(
        self,
        state: State | None,
        positions: Int[np.ndarray, " active"],
        documents: Int[np.ndarray, " active"],
    ) -> State:
        """One step of the cell, or of its expansion around a state of 0."""
        inputs = self._inputs[torch.from_numpy(positions)]
        blank = torch.zeros(len(positions), self.state_columns, dtype=inputs.dtype)
        nothing = torch.zeros_like(inputs)
        cell = self.architecture.cell
        if state is None:
            return cell(inputs, nothing, blank)
        recurrent = self.linear("recurrent", state[:, : self.width], documents) / self.width**0.5
        if not self.architecture.linearised:
            return cell(inputs, recurrent, state)

        def step(back: torch.Tensor, before: torch.Tensor) -> torch.Tensor:
            return cell(inputs, back, before)

        # The product with the cell's Jacobian as the transpose of the linear product with its transpose: this
        # needs no forward-mode derivative, which not every activation has.
        at_zero = torch.func.vjp(step, nothing, blank)
        pull_back: Callable[..., tuple[torch.Tensor, ...]] = at_zero[1]
        push_forward: Callable[..., tuple[torch.Tensor]] = torch.func.vjp(pull_back, torch.zeros_like(blank))[
            1
        ]
        (change,) = push_forward((recurrent, state))
        return at_zero[0] + change if self.architecture.additive else change

    def outputs(self, states: State) -> Float[torch.Tensor, "active width"]:
        """Return what the readout reads: ``h``, not the memory."""
        return states[:, : self.width]
