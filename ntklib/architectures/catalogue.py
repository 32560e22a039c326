"""The architectures with a kernel, by the names that the shell and the classifier take."""

from collections.abc import Callable
from dataclasses import fields
from difflib import get_close_matches
from typing import Any

from ntklib.architectures.attention import Attention
from ntklib.architectures.base import Architecture
from ntklib.architectures.cnn import CNN
from ntklib.architectures.linear_rnn import LinearRNN
from ntklib.architectures.lrnn import LRNN
from ntklib.architectures.matrix_vector import MatrixVector
from ntklib.architectures.mlp import MLP

ARCHITECTURES: dict[str, Callable[..., Architecture]] = {
    "mlp": MLP,
    "cnn": CNN,
    "attention": Attention,
    "matrix-vector": MatrixVector,
    "l-rnn": LRNN,
    "linear-rnn": LinearRNN,
}


def get_architecture(architecture: Any, **settings: Any) -> Architecture:
    """Make an architecture by its name; one that is made already is returned as it is.

    Parameters
    ----------
    architecture : str or Architecture
        A key of ``ARCHITECTURES``.
    **settings
        Hyper-parameters, such as ``activation="gelu"``; those that are None keep their default.

    Returns
    -------
    Architecture

    Raises
    ------
    TypeError
        If it is neither a name nor an architecture with a kernel.
    ValueError
        If there is no such name, or the architecture has no such hyper-parameter or refuses its value.

    Examples
    --------
    >>> get_architecture("cnn", window=2, activation=None)
    CNN(window=2, activation='relu', sigma_e=1.0, sigma_w=1.0, sigma_v=1.0)
    >>> get_architecture("mlp", window=2)
    Traceback (most recent call last):
        ...
    ValueError: mlp has no window: its hyper-parameters are activation, sigma_e, sigma_w, sigma_v.
    """
    given = {name: value for name, value in settings.items() if value is not None}
    if not isinstance(architecture, str):
        if not isinstance(architecture, Architecture):
            raise TypeError(
                f"architecture must be one of {', '.join(ARCHITECTURES)}, or an architecture with a kernel "
                f"such as ntklib.CNN(window=3), not {type(architecture).__name__}."
            )
        if given:
            raise TypeError(f"architecture is made already: give {', '.join(given)} when making it.")
        return architecture
    if architecture not in ARCHITECTURES:
        near = get_close_matches(architecture.lower(), ARCHITECTURES, n=1)
        meant = f" Did you mean {near[0]!r}?" if near else ""
        raise ValueError(
            f"architecture must be one of {', '.join(ARCHITECTURES)}, not {architecture!r}.{meant}"
        )
    make = ARCHITECTURES[architecture]
    known = [field.name for field in fields(make)]  # type: ignore[arg-type]
    for name in given:
        if name not in known:
            raise ValueError(f"{architecture} has no {name}: its hyper-parameters are {', '.join(known)}.")
    return make(**given)
