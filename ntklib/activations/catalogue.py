"""The activations with a name."""

from collections.abc import Callable
from difflib import get_close_matches
from typing import Any

import numpy as np
from scipy.special import erf, expit, ndtr

from ntklib.activations import closed_forms
from ntklib.activations.activation import Activation

# The functions of tensors and of symbols import their library when called: a kernel needs neither of them.


def _identity(x: Any) -> Any:
    return x


def _torch_relu(x: Any) -> Any:
    return x.relu()


def _torch_erf(x: Any) -> Any:
    return x.erf()


def _torch_tanh(x: Any) -> Any:
    return x.tanh()


def _torch_gelu(x: Any) -> Any:
    from torch.nn.functional import gelu

    return gelu(x)


def _torch_silu(x: Any) -> Any:
    from torch.nn.functional import silu

    return silu(x)


def _symbolic_relu(x: Any) -> Any:
    import sympy

    return sympy.Max(0, x)


def _symbolic_erf(x: Any) -> Any:
    import sympy

    return sympy.erf(x)


def _symbolic_tanh(x: Any) -> Any:
    import sympy

    return sympy.tanh(x)


def _symbolic_gelu(x: Any) -> Any:
    import sympy

    return x * (1 + sympy.erf(x / sympy.sqrt(2))) / 2


def _symbolic_silu(x: Any) -> Any:
    import sympy

    return x / (1 + sympy.exp(-x))


def _relu(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0.0)


def _step(x: np.ndarray) -> np.ndarray:
    return np.heaviside(x, 0.0)  # as torch has it


def _erf_slope(x: np.ndarray) -> np.ndarray:
    return 2 / np.sqrt(np.pi) * np.exp(-(x**2))


def _erf_curvature(x: np.ndarray) -> np.ndarray:
    return -2 * x * _erf_slope(x)


def _tanh_slope(x: np.ndarray) -> np.ndarray:
    decay = np.exp(-2 * np.abs(x))  # 1 - tanh² would cancel, cosh overflow
    return 4 * decay / (1 + decay) ** 2


def _tanh_curvature(x: np.ndarray) -> np.ndarray:
    return -2 * np.tanh(x) * _tanh_slope(x)


def _normal_density(x: np.ndarray) -> np.ndarray:
    return np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)


def _gelu(x: np.ndarray) -> np.ndarray:
    return x * ndtr(x)


def _gelu_slope(x: np.ndarray) -> np.ndarray:
    return ndtr(x) + x * _normal_density(x)


def _gelu_curvature(x: np.ndarray) -> np.ndarray:
    return (2 - x**2) * _normal_density(x)


def _silu(x: np.ndarray) -> np.ndarray:
    return x * expit(x)


def _silu_slope(x: np.ndarray) -> np.ndarray:
    return expit(x) * (1 + x * expit(-x))


def _silu_curvature(x: np.ndarray) -> np.ndarray:
    return expit(x) * expit(-x) * (2 - x * np.tanh(x / 2))


_NAMED = {
    activation.name: activation
    for activation in (
        Activation(
            "identity",
            _identity,
            _identity,
            (np.positive, np.ones_like, np.zeros_like),
            closed_forms.identity_mean,
            closed_forms.identity_dual,
        ),
        Activation(
            "relu",
            _torch_relu,
            _symbolic_relu,
            (_relu, _step, None),
            closed_forms.relu_mean,
            closed_forms.relu_dual,
        ),
        Activation(
            "erf",
            _torch_erf,
            _symbolic_erf,
            (erf, _erf_slope, _erf_curvature),
            closed_forms.erf_mean,
            closed_forms.erf_dual,
        ),
        Activation("tanh", _torch_tanh, _symbolic_tanh, (np.tanh, _tanh_slope, _tanh_curvature)),
        Activation(
            "gelu",
            _torch_gelu,
            _symbolic_gelu,
            (_gelu, _gelu_slope, _gelu_curvature),
            closed_forms.gelu_mean,
            closed_forms.gelu_dual,
        ),
        Activation("silu", _torch_silu, _symbolic_silu, (_silu, _silu_slope, _silu_curvature)),
    )
}

NAMES = tuple(_NAMED)
"""The activations that :func:`get_activation` knows by name."""


def get_activation(activation: str | Activation | Callable[[Any], Any]) -> Activation:
    """Look up the activation ``φ`` of a name, or make one from a function of tensors.

    ``identity x``, ``relu max(0, x)``, ``erf (2/√π)∫₀ˣ exp(−t²)dt``, ``tanh``, ``silu x/(1 + exp(−x))`` and
    ``gelu x(1 + erf(x/√2))/2`` (exact, not the tanh approximation).

    Parameters
    ----------
    activation : str, Activation or callable
        A name; an Activation, returned as it is; or a function of torch tensors that acts on each element,
        such as ``torch.nn.functional.softplus``.

    Returns
    -------
    Activation
        With ``φ, φ', φ''`` on arrays, ``φ`` on tensors and, for a name, in symbols.

    Raises
    ------
    ValueError
        If the name is unknown, or the function does not act on each element, or is not finite somewhere.
    TypeError
        If it is neither a name nor a function of tensors.

    Notes
    -----
    Limits: kinks and poles of a user's function show only when a moment is computed.
    Source: definitions.

    Examples
    --------
    >>> get_activation("gelu").value([1.0]).round(6)
    array([0.841345])
    >>> get_activation("glu")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    ValueError: unknown activation 'glu': use one of identity, relu, ... Did you mean 'gelu'?
    """
    if isinstance(activation, Activation):
        return activation
    if isinstance(activation, str):
        if activation in _NAMED:
            return _NAMED[activation]
        near = get_close_matches(activation.lower(), NAMES, n=1)
        raise ValueError(
            f"unknown activation {activation!r}: use one of {', '.join(NAMES)}, or a function of tensors."
            + (f" Did you mean {near[0]!r}?" if near else "")
        )
    if not callable(activation) or isinstance(activation, type):
        raise TypeError(
            f"activation must be one of {', '.join(NAMES)}, an Activation or a function of torch tensors, "
            f"not {activation!r}."
        )
    return Activation(getattr(activation, "__name__", type(activation).__name__), activation)
