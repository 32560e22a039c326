"""What models without a kernel in closed form share: finite networks, and a kernel estimated from them."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property

from ntklib.activations import Activation, get_activation
from ntklib.architectures.base import Architecture, check_standard_deviations
from ntklib.architectures.network import TextNetwork


@dataclass(frozen=True)
class FiniteWidthModel(ABC):
    """A model that is studied at finite width alone: :func:`~ntklib.empirical.expected_ntk` and training."""

    def __post_init__(self) -> None:
        check_standard_deviations(self)
        if hasattr(self, "activation"):
            _ = self.phi

    @cached_property
    def phi(self) -> Activation:
        """The activation ``φ``."""
        return get_activation(self.activation)  # type: ignore[attr-defined]

    @property
    @abstractmethod
    def network_class(self) -> type[TextNetwork]:
        """The class of the finite networks."""

    network = Architecture.network
