"""A model in symbols: Gaussian weights, an abstract activation, and the gradients of a score."""

from dataclasses import dataclass
from typing import Any

from sympy import Expr, Function, Indexed, IndexedBase, Integer, Symbol, sympify
from sympy.tensor.indexed import IndexException

from ntklib.symbolic.expansion import Term, contract, fresh_index, multiply, terms
from ntklib.symbolic.sums import assemble


class AppliedActivation(Function):
    """``φ^(k)(u)``: a derivative of an abstract activation. Made by :class:`ActivationSymbol`."""

    nargs = 3

    @property
    def order(self) -> int:
        """How often the activation was differentiated."""
        return int(self.args[1])

    @property
    def name(self) -> str:
        """Name of the activation."""
        return self.args[2].name

    def fdiff(self, argindex: int = 1) -> Expr:
        """Differentiate in the argument: the activation's next derivative."""
        return self.func(self.args[0], self.order + 1, self.args[2])

    def _head(self, name: str, prime: str) -> str:
        return name + (prime * self.order if self.order < 4 else f"^({self.order})")

    def _sympystr(self, printer: Any) -> str:
        return f"{self._head(self.name, chr(39))}({printer.doprint(self.args[0])})"

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        # The book writes φ in this form.
        name = r"\varphi" if str(self.args[2]) == "phi" else printer.doprint(self.args[2])
        head = name + ("'" * self.order if self.order < 4 else f"^{{({self.order})}}")
        power = "" if exp is None else f"^{{{exp}}}"
        return rf"{head}\left({printer.doprint(self.args[0])}\right){power}"


@dataclass(frozen=True)
class ActivationSymbol:
    r"""An abstract activation ``φ``: nothing is known of it but its derivatives' names.

    Parameters
    ----------
    name : str
        A name that LaTeX knows, such as ``"phi"``.

    Examples
    --------
    >>> from sympy import latex, symbols
    >>> phi, u = ActivationSymbol("phi"), symbols("u")
    >>> phi(u).diff(u)
    phi'(u)
    >>> print(latex(phi(2 * u).diff(u)))
    2 \varphi'\left(2 u\right)
    """

    name: str = "phi"

    def __call__(self, argument: Any, order: int = 0) -> Expr:
        """``φ^(order)(argument)``."""
        return AppliedActivation(sympify(argument), Integer(order), Symbol(self.name))


@dataclass(frozen=True)
class GaussianWeights:
    r"""An array of independent Gaussian weights, ``w ~ N(0, variance)`` each.

    Parameters
    ----------
    name : str
        Name of the array.
    shape : tuple of Expr
        Upper limit of each index; indices start at 1.
    variance : Expr
        Variance of each entry.

    Raises
    ------
    ValueError
        If the array is given another number of indices than its shape has.

    Examples
    --------
    >>> from ntklib.symbolic import index_symbols
    >>> from sympy import symbols
    >>> i, j, m, d = index_symbols("i j m d")
    >>> W = GaussianWeights("W", (m, d), symbols("sigma_w", positive=True) ** 2)
    >>> W[i, j]
    W[i, j]
    """

    name: str
    shape: tuple[Expr | int, ...]
    variance: Expr | int

    @property
    def base(self) -> IndexedBase:
        """The sympy array."""
        return IndexedBase(self.name, shape=self.shape)

    def __getitem__(self, indices: Any) -> Indexed:
        """One entry."""
        try:
            return self.base[indices]
        except IndexException as error:
            raise ValueError(
                f"{self.name}[{indices}]: {self.name} takes {len(self.shape)} indices."
            ) from error


def gradient(score: Expr, weight: Expr) -> Expr:
    r"""Differentiate a score by one weight, with the Kronecker deltas summed out.

    ``∂s/∂w_ab``, by the chain rule and ``∂w_ij/∂w_ab = δ_ia δ_jb``.

    Parameters
    ----------
    score : Expr
        The score ``s(x)``, a sum over indices.
    weight : Indexed
        The weight with free indices, such as ``W[a, b]``.

    Returns
    -------
    Expr
        The derivative, a function of the free indices.

    Raises
    ------
    TypeError
        If ``weight`` is not an entry of an indexed array.

    Notes
    -----
    Derivation; exact at every width.

    Examples
    --------
    >>> from ntklib.symbolic import index_symbols
    >>> from sympy import Sum
    >>> a, i, m = index_symbols("a i m")
    >>> v, phi, u = GaussianWeights("v", (m,), 1), ActivationSymbol("phi"), IndexedBase("u")
    >>> gradient(Sum(v[i] * phi(u[i]), (i, 1, m)), v[a])
    phi(u[a])
    """
    return assemble(_gradient_terms(score, _checked_weight(weight)))


def tangent_kernel(score_a: Expr, score_b: Expr, weight: Expr) -> Expr:
    r"""One parameter group's part of the Neural Tangent Kernel.

    ``Θ_w(x, x') = Σ_ab ∂s(x)/∂w_ab · ∂s(x')/∂w_ab``.

    Parameters
    ----------
    score_a, score_b : Expr
        The scores ``s(x)`` and ``s(x')``.
    weight : Indexed
        An entry of the group with free indices, such as ``W[a, b]``; its array's shape gives their ranges.

    Returns
    -------
    Expr
        The kernel of the finite network, a function of its random weights, with deltas summed out.

    Raises
    ------
    TypeError
        If ``weight`` is not an entry of an indexed array.
    ValueError
        If the array has no shape.

    Notes
    -----
    Derivation; exact at every width.

    Examples
    --------
    >>> from ntklib.symbolic import index_symbols
    >>> from sympy import Sum
    >>> i, m = index_symbols("i m")
    >>> w, h, g = GaussianWeights("w", (m,), 1), IndexedBase("h"), IndexedBase("g")
    >>> tangent_kernel(Sum(w[i] * h[i], (i, 1, m)), Sum(w[i] * g[i], (i, 1, m)), w[i])
    Sum(g[i]*h[i], (i, 1, m))
    """
    weight = _checked_weight(weight)
    if weight.base.shape is None:
        raise ValueError(f"the array {weight.base} has no shape: make it with GaussianWeights or shape=(…).")
    fresh = {index: fresh_index(index) for index in weight.indices}
    bound = tuple(
        (fresh[index], Integer(1), upper)
        for index, upper in zip(weight.indices, weight.base.shape, strict=True)
    )
    entry = weight.xreplace(fresh)
    pairs = multiply(_gradient_terms(score_a, entry), _gradient_terms(score_b, entry))
    return assemble(Term(pair.product, pair.bound + bound) for pair in pairs)


def _gradient_terms(score: Expr, weight: Indexed) -> list[Term]:
    derived = []
    for body, bound in terms(score):
        for part in terms(body.diff(weight)):
            derived.append(contract(Term(part.product, part.bound + bound)))
    return derived


def _checked_weight(weight: Expr) -> Indexed:
    if not isinstance(weight, Indexed):
        raise TypeError(f"weight must be an entry of an array, such as W[a, b], not {weight!r}.")
    return weight
