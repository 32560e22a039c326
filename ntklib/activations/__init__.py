"""Activations ``φ``, their derivatives and Gaussian moments: ``K_φ(c) = E[φ(a)φ(b)]``."""

from ntklib.activations.activation import Activation
from ntklib.activations.catalogue import get_activation
from ntklib.activations.moments import dual_activation, mean, second_moment

__all__ = ["Activation", "dual_activation", "get_activation", "mean", "second_moment"]
