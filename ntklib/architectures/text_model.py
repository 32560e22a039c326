"""What all models share, with and without a kernel in closed form: hyper-parameters and a finite network."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from functools import cached_property
from math import nan
from numbers import Real
from typing import Any

import torch

from ntklib.activations import Activation, get_activation
from ntklib.architectures.network import TextNetwork


@dataclass(frozen=True)
class TextModel(ABC):
    """A text model, given by its hyper-parameters, that makes finite networks.

    A model that says no more than this is studied at finite width alone, by training and by
    :func:`~ntklib.expected_kernel.expected_ntk`; an :class:`~ntklib.architectures.base.Architecture` has a
    kernel.
    """

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(field.default, bool) and not isinstance(value, bool):
                raise TypeError(f"{field.name} must be True or False, not {value!r}.")
            if not field.name.startswith("sigma_"):
                continue
            number = _as_float(value)
            # Squares and products of three such numbers must be floats.
            if not 1e-50 < number < 1e50:
                raise ValueError(
                    f"{field.name} must be a finite number above 0 (1e-50 to 1e50), the standard deviation "
                    f"of the weights at initialisation, not {value!r:.60}."
                )
            # An integer's powers would be integers and overflow an array, a fraction's would be objects.
            object.__setattr__(self, field.name, number)
        if hasattr(self, "activation"):
            _ = self.phi

    @cached_property
    def phi(self) -> Activation:
        """The activation ``φ`` as an :class:`~ntklib.activations.Activation`."""
        return get_activation(self.activation)  # type: ignore[attr-defined]

    @property
    @abstractmethod
    def network_class(self) -> type[TextNetwork]:
        """The class of the finite networks that :meth:`network` makes."""

    def network(
        self,
        width: int,
        vocabulary_size: int,
        seed: int,
        classes: int | None = None,
        dtype: torch.dtype = torch.float64,
    ) -> TextNetwork:
        """Make a finite network of this model at its random initialisation.

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
            Of the weights: torch.float32 or torch.float64.

        Returns
        -------
        TextNetwork
            ``network(docs)`` gives the scores, (N,) or (N, C).

        Raises
        ------
        TypeError, ValueError
            If a size or the seed is not an integer in its range, the dtype is neither float32 nor float64, or
            a standard deviation is too large or too small for it.
        MemoryError
            If the weights cannot fit into memory.

        Examples
        --------
        >>> import ntklib
        >>> network = ntklib.MLP(activation="tanh").network(width=64, vocabulary_size=5, seed=0)
        >>> network([[0, 1], [4]]).shape
        torch.Size([2])
        """
        return self.network_class(self, width, vocabulary_size, seed, classes, dtype)


def _as_float(value: Any) -> float:
    """``value`` as a float, and what is no real number, or is beyond a float, as NaN."""
    try:
        return nan if isinstance(value, bool) or not isinstance(value, Real) else float(value)
    except OverflowError:
        return nan
