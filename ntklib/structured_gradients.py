"""The empirical NTK of networks that know the structure of their gradients: fast, and small in memory."""

from collections.abc import Iterator
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from ntklib.documents import Documents
from ntklib.gram import ParameterTangents, tangent_gram
from ntklib.kernel_sums import KernelSums


@runtime_checkable
class HasTangents(Protocol):
    """A network that knows the structure of its gradients, which makes its NTK fast and small."""

    def tangents(self, docs: Documents, output: int = 0) -> list[ParameterTangents]:
        """Gradients of the documents' scores, one :class:`~ntklib.gram.ParameterTangents` a parameter."""
        ...


@runtime_checkable
class HasParameterKernels(Protocol):
    """A network that computes its NTK parameter by parameter, within a limit of memory."""

    def parameter_kernels(
        self, docs_a: Documents, docs_b: Documents, output: int, memory_limit: int
    ) -> Iterator[tuple[str, Float[np.ndarray, "n m"]]]:
        """Names of all parameters and their parts of the kernel, in arrays that the caller may change."""
        ...


def add_by_structure(network: HasTangents, sums: KernelSums) -> None:
    """Add each parameter's part of the kernel to its sum, without a Jacobian."""
    keys, totals = sums.keys, sums.totals
    if isinstance(network, HasParameterKernels) and not _tangents_are_newer(type(network)):
        found = []
        for name, part in network.parameter_kernels(sums.first, sums.second, sums.output, sums.memory_limit):
            found.append(name)
            if name in keys:
                totals[keys[name]] += part
        _check_each_once(network, "parameter_kernels", found, keys)
        return
    rows = _checked_tangents(network, sums.first, sums)
    columns = rows if sums.symmetric else _checked_tangents(network, sums.second, sums)
    for name in keys:
        # Each parameter's tangents are let go once used: they are the largest arrays here.
        row, column = rows.pop(name), None if sums.symmetric else columns.pop(name)
        totals[keys[name]] += tangent_gram(row, column)


def _tangents_are_newer(kind: type) -> bool:
    """Whether a subclass has tangents of its own, which inherited ``parameter_kernels`` know nothing of."""
    defined = next(vars(base) for base in kind.__mro__ if {"tangents", "parameter_kernels"} & set(vars(base)))
    return "parameter_kernels" not in defined


def _checked_tangents(
    network: HasTangents, docs: Documents, sums: KernelSums
) -> dict[str, ParameterTangents]:
    found = network.tangents(docs, sums.output)
    _check_each_once(network, "tangents", [tangent.parameter for tangent in found], sums.keys)
    return {tangent.parameter: tangent for tangent in found}


def _check_each_once(network: Any, method: str, found: list[str], keys: dict[str, str]) -> None:
    missing = sorted(set(keys) - set(found))
    if missing or len(set(found)) < len(found):
        # A sum of two Grams is not the Gram of a sum, so a parameter used twice must not come in two parts.
        raise ValueError(
            f"{type(network).__name__}.{method} must give each trained parameter once, but it gives {found}; "
            f"missing: {missing}. method='jacobian' does without."
        )
