"""An activation function ``φ``: on tensors, on arrays, in symbols, with its first two derivatives."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

ORDERS = (0, 1, 2)
_PROBES = np.array([-7.3, -1.9, -0.61, -0.02, 0.03, 0.57, 2.1, 6.4])


@dataclass(frozen=True)
class Activation:
    """An activation ``φ: R → R`` that acts on each element, with ``φ'`` and ``φ''``.

    :func:`~ntklib.activations.get_activation` makes one from a name or from any function of tensors; make one
    yourself to give a function of tensors its symbolic form.

    Parameters
    ----------
    name : str
        Used in messages and figures.
    torch : callable
        ``φ`` on tensors of any shape, differentiable by torch.
    symbolic_function : callable, optional
        ``φ`` on a sympy expression.
    array_functions : tuple of callables, optional
        ``φ, φ', φ''`` on float64 arrays, ``None`` where a derivative is no function. Without it torch
        differentiates.
    closed_mean : callable, optional
        ``(variance, order) -> E φ^(order)(a)``.
    closed_dual : callable, optional
        ``(covariance, variance, variance_b, order) -> E φ^(order)(a) φ^(order)(b)``.

    Raises
    ------
    TypeError
        If ``torch`` is not a hashable callable, or fails on a tensor, or returns no tensor.
    ValueError
        If it does not act on each element on its own (as softmax does), or is not finite at some point.

    Notes
    -----
    The function must stay the same: moments are cached by activation, so a module whose parameters change
    afterwards needs a new Activation. Source: definitions.

    Examples
    --------
    >>> import sympy, torch
    >>> sine = Activation("sine", torch.sin, sympy.sin)
    >>> sine.derivative([0.0, 1.0], order=2).round(6)
    array([-0.      , -0.841471])
    >>> sine.symbolic(sympy.Symbol("x")).diff()
    cos(x)
    """

    name: str
    torch: Callable[[Any], Any]
    symbolic_function: Callable[[Any], Any] | None = None
    array_functions: tuple[Callable[[np.ndarray], np.ndarray] | None, ...] | None = None
    closed_mean: Callable[[float, int], float] | None = None
    closed_dual: Callable[[np.ndarray, float, float, int], np.ndarray] | None = None

    def __post_init__(self) -> None:
        if not callable(self.torch):
            raise TypeError(f"torch must be a function of tensors, such as torch.sin, not {self.torch!r}.")
        try:
            hash(self.torch)
        except TypeError:
            raise TypeError(
                f"torch must be hashable, because moments are cached by activation; {self.torch!r} is not: "
                "wrap it in a function."
            ) from None
        if self.array_functions is None:
            self._check_elementwise()

    def value(self, x: Any) -> Float[np.ndarray, "*shape"]:
        """``φ(x)`` on an array of any shape.

        Examples
        --------
        >>> from ntklib.activations import get_activation
        >>> get_activation("relu").value([-1.0, 2.0])
        array([0., 2.])
        """
        return self.derivative(x, order=0)

    def derivative(self, x: Any, order: int = 1) -> Float[np.ndarray, "*shape"]:
        """``φ^(order)(x)``, the derivative of order 0, 1 or 2, on an array of any shape.

        Parameters
        ----------
        x : array of float
            Where.
        order : {0, 1, 2}
            Order of the derivative.

        Returns
        -------
        array
            float64, of the shape of ``x``. At a kink the value torch gives: 0 for the ReLU's ``φ'(0)``.

        Raises
        ------
        ValueError
            If ``order`` is another number, if that derivative is no function (the ReLU's ``φ''`` is a Dirac
            delta), or if the result is not finite.
        TypeError
            If a user's function cannot be evaluated or differentiated.

        Notes
        -----
        Limits: torch differentiates a user's function almost everywhere; it cannot see that a kink makes
        ``φ''`` a Dirac delta. The moments check that (:func:`~ntklib.activations.second_moment`).

        Examples
        --------
        >>> from ntklib.activations import get_activation
        >>> get_activation("silu").derivative([0.0], order=2)
        array([0.5])
        """
        check_order(order)
        array = np.asarray(x, dtype=np.float64)
        if self.array_functions is None:
            result = self._by_torch(array, order)
        else:
            function = self.array_functions[order]
            if function is None:
                raise ValueError(
                    f"order={order}: that derivative of {self.name!r} is no function but a Dirac delta."
                )
            # NumPy makes scalars of 0-d arrays.
            result = np.reshape(function(np.atleast_1d(array)), array.shape)
        if not np.isfinite(result).all():
            where = array[~np.isfinite(result)].flat[0]
            raise ValueError(
                f"activation {self.name!r}: its derivative of order {order} is not finite at x = {where:g}; "
                "an activation must be defined for every real number and must not overflow."
            )
        return result

    def torch_derivative(self, x: Any) -> Any:
        """``φ'(x)`` on a tensor, itself differentiable by torch.

        Parameters
        ----------
        x : Tensor
            Where.

        Returns
        -------
        Tensor
            Of the shape of ``x``.

        Notes
        -----
        Limits: at a kink torch's value. Works inside ``torch.func`` transforms and without gradients.

        Examples
        --------
        >>> import torch
        >>> from ntklib.activations import get_activation
        >>> get_activation("gelu").torch_derivative(torch.zeros(2))
        tensor([0.5000, 0.5000])
        """
        import torch

        linearised = torch.func.vjp(self.torch, x)
        pull_back: Callable[[Any], Any] = linearised[1]
        return pull_back(torch.ones_like(linearised[0]))[0]

    def symbolic(self, x: Any) -> Any:
        """``φ(x)`` as a sympy expression; its ``diff`` gives ``φ'`` and ``φ''``.

        Parameters
        ----------
        x : sympy expression
            The argument.

        Returns
        -------
        Expr
            The ReLU is ``Max(0, x)``, whose derivatives are a Heaviside function and a Dirac delta.

        Raises
        ------
        ValueError
            If the activation was made from a function of tensors alone.

        Examples
        --------
        >>> from sympy import symbols
        >>> from ntklib.activations import get_activation
        >>> get_activation("relu").symbolic(symbols("x", real=True)).diff()
        Heaviside(x)
        """
        if self.symbolic_function is None:
            raise ValueError(
                f"activation {self.name!r} has no symbolic form: it is a function of tensors alone. "
                "Give one: Activation(name, torch_function, sympy_function)."
            )
        return self.symbolic_function(x)

    def _check_elementwise(self) -> None:
        together = self.derivative(_PROBES, 0)
        alone = np.array([self.derivative(probe, 0) for probe in _PROBES])
        # Vectorised and scalar code paths may round differently: hence not equal to the last bit.
        if not np.allclose(together, alone, rtol=1e-12, atol=1e-14):
            worst = int(np.argmax(np.abs(together - alone)))
            raise ValueError(
                f"activation {self.name!r} must act on each element on its own, always in the same way: "
                f"at {_PROBES[worst]:g} it is {alone[worst]:g} alone, {together[worst]:g} among others."
            )

    def _by_torch(self, array: np.ndarray, order: int) -> np.ndarray:
        import torch

        x = torch.tensor(array, dtype=torch.float64, requires_grad=order > 0)
        try:
            y = self.torch(x)
        except Exception as error:  # whatever a user's function raises
            raise TypeError(
                f"activation {self.name!r} fails on a float64 tensor of shape {array.shape}: {error}. "
                "It must be a function of torch tensors that acts on each element, such as torch.tanh."
            ) from error
        if not isinstance(y, torch.Tensor):
            raise TypeError(f"activation {self.name!r} must return a tensor, not {type(y).__name__}.")
        if y.shape != x.shape or y.dtype != x.dtype:
            raise ValueError(
                f"activation {self.name!r} must act on each element and keep the type: from a {x.dtype} "
                f"tensor of shape {tuple(x.shape)} it made {y.dtype} of shape {tuple(y.shape)}."
            )
        for _ in range(order):
            y = self._torch_gradient(x, y)
        return y.numpy(force=True)  # force: the gradient of abs is a tensor of zeros without memory

    def _torch_gradient(self, x: Any, y: Any) -> Any:
        import torch

        if not y.requires_grad:  # a derivative that does not depend on x has no graph: φ' of a line, say
            return torch.zeros_like(x)
        try:
            (gradient,) = torch.autograd.grad(y.sum(), x, create_graph=True, allow_unused=True)
        except RuntimeError as error:
            raise TypeError(f"activation {self.name!r} cannot be differentiated by torch: {error}") from error
        return torch.zeros_like(x) if gradient is None else gradient


def check_order(order: int) -> None:
    """Raise a ValueError unless ``order`` is 0, 1 or 2."""
    if not isinstance(order, int | np.integer) or order not in ORDERS:
        raise ValueError(f"order must be 0, 1 or 2, the order of the derivative of φ, not {order!r}.")
