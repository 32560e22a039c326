"""One module a model: its hyper-parameters, its unit kernel and its finite network together."""

from ntklib.architectures.mlp import MLP

__all__ = ["MLP"]
