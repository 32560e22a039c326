"""The empirical Neural Tangent Kernel of a finite torch network, at its current weights."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float
from scipy.sparse.linalg import LinearOperator, eigsh

from ntklib.documents import Documents
from ntklib.gram import ParameterTangents, tangent_gram
from ntklib.jacobian_contraction import add_by_jacobian
from ntklib.memory import require_memory
from ntklib.validation import checked_integer

METHODS = ("auto", "structured", "jacobian")


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


def empirical_ntk(
    network: torch.nn.Module,
    docs_a: Any,
    docs_b: Any = None,
    *,
    output: int = 0,
    method: str = "auto",
    memory_limit: int = 2**31,
) -> Float[np.ndarray, "n m"]:
    """Finite-width NTK of one scalar score at the current weights, over all trained parameters.

    ``Θ(x, x') = ⟨∂s(x)/∂θ, ∂s(x')/∂θ⟩`` (book, :eq:`ntk`)

    Parameters
    ----------
    network : torch.nn.Module
        ``network(docs)`` gives scores, (N,) or (N, C), each of which depends on its own document alone.
    docs_a : N documents
        Sequences of token ids.
    docs_b : M documents, optional
        ``docs_a`` again when left out.
    output : int
        Whose score, of a network with ``C`` of them. In the infinite-width limit all have this kernel and
        different ones are uncorrelated (``Θ ⊗ I_C``); at finite width neither is exact.
    method : {"auto", "structured", "jacobian"}
        ``"structured"`` uses the network's own ``tangents`` and forms no Jacobian. ``"jacobian"`` works for
        any module: it differentiates document by document. ``"auto"`` takes the first where the network has
        it.
    memory_limit : int
        Bytes that may be held beside the kernel: in gradients by ``"jacobian"``, in layers of tokens by a
        perceptron's ``"structured"`` way. With fewer some are computed again.

    Returns
    -------
    (N, M) float64
        Computed in the precision of the network's weights.

    Raises
    ------
    TypeError, ValueError
        If documents are malformed, ``output`` or ``method`` does not fit the network, no parameter is
        trained, or weights or gradients are not finite.
    MemoryError
        If the gradients of two documents, or the kernel, cannot fit.

    Notes
    -----
    Parameters with ``requires_grad=False`` are left out: they do not train. The network is differentiated in
    its evaluation mode, so without dropout. Source: derivation.

    Examples
    --------
    >>> import ntklib
    >>> network = ntklib.MLP(activation="tanh").network(width=8, vocabulary_size=3, seed=0)
    >>> kernel = empirical_ntk(network, [[0, 1], [2], [1, 1]])
    >>> kernel.shape, bool(np.linalg.eigvalsh(kernel).min() > 0)
    ((3, 3), True)
    """
    return _kernels(network, docs_a, docs_b, output, method, memory_limit, by_group=False)["all"]


def empirical_ntk_by_group(
    network: torch.nn.Module,
    docs_a: Any,
    docs_b: Any = None,
    *,
    output: int = 0,
    method: str = "auto",
    memory_limit: int = 2**31,
) -> dict[str, Float[np.ndarray, "n m"]]:
    """Split :func:`empirical_ntk` into the parts of the parameter groups, which add up to it.

    Parameters
    ----------
    network, docs_a, docs_b, output, method, memory_limit
        As for :func:`empirical_ntk`. ``network.groups`` maps names of parameters to groups; a network without
        it has a group for each parameter.

    Returns
    -------
    dict
        From each group (``"output"``, ``"hidden"``, ``"embedding"`` for the networks here) to an (N, M)
        float64 array.

    Raises
    ------
    TypeError, ValueError, MemoryError
        As :func:`empirical_ntk`.

    Examples
    --------
    >>> import ntklib
    >>> network = ntklib.MLP().network(width=8, vocabulary_size=3, seed=0)
    >>> sorted(empirical_ntk_by_group(network, [[0, 1], [2]]))
    ['embedding', 'hidden', 'output']
    """
    return _kernels(network, docs_a, docs_b, output, method, memory_limit, by_group=True)


class ExpectedKernel(NamedTuple):
    """Mean of empirical kernels over random networks: see :func:`expected_ntk`.

    Attributes
    ----------
    mean : (N, M) float64
        The estimate.
    standard_error : (N, M) float64
        Of each entry's mean over networks.
    kernels : (networks, N, M) float64
        The kernel of each network.
    """

    mean: Float[np.ndarray, "n m"]
    standard_error: Float[np.ndarray, "n m"]
    kernels: Float[np.ndarray, "networks n m"]


def expected_ntk(
    model: Any, docs_a: Any, docs_b: Any = None, *, width: int, networks: int = 10, seed: int = 0
) -> ExpectedKernel:
    """Estimate a model's NTK at initialisation from random networks of one finite width.

    ``E Θ(x, x')`` over the random weights: an estimate, with a standard error, and of that width. For the
    models of which no limit is known in closed form, and to test those of which one is.

    Parameters
    ----------
    model : Architecture, or anything with a ``network`` method
        ``model.network(width, vocabulary_size, seed)``.
    docs_a, docs_b
        As for :func:`empirical_ntk`. The networks have a vocabulary of the documents' own tokens.
    width : int
        Of the networks.
    networks : int
        How many, 2 or more; their seeds are ``seed, seed + 1, …``.
    seed : int
        Of the first network.

    Returns
    -------
    ExpectedKernel
        ``(mean, standard_error, kernels)``.

    Raises
    ------
    ValueError
        If there are fewer than 2 networks.
    TypeError, ValueError, MemoryError
        As :func:`empirical_ntk`.

    Notes
    -----
    Where the limit is deterministic the estimate tends to it as the width grows, with a bias ``O(1/width)``.
    Source: measurement.

    Examples
    --------
    >>> import ntklib
    >>> found = expected_ntk(ntklib.MLP(), [[0, 1], [2]], width=256, networks=8)
    >>> bool((np.abs(found.mean - ntklib.MLP().kernel([[0, 1], [2]])) < 6 * found.standard_error).all())
    True
    """
    checked_integer(networks, "networks", 2)
    first = Documents.of(docs_a, name="docs_a")
    second = first if docs_b is None else Documents.of(docs_b, name="docs_b")
    require_memory(
        8 * (networks + 2) * len(first) * len(second),
        f"{networks} kernels of {len(first)} x {len(second)}",
        "pass fewer documents, or take fewer networks",
    )
    tokens, places = np.unique(np.concatenate([first.ids, second.ids]), return_inverse=True)
    rows = Documents(places[: len(first.ids)], first.offsets)
    columns = None if docs_b is None else Documents(places[len(first.ids) :], second.offsets)
    kernels = np.stack(
        [
            empirical_ntk(model.network(width, len(tokens), seed=seed + k), rows, columns)
            for k in range(networks)
        ]
    )
    return ExpectedKernel(kernels.mean(axis=0), kernels.std(axis=0, ddof=1) / networks**0.5, kernels)


def largest_eigenvalue(network: torch.nn.Module, docs: Any) -> float:
    """``λ_max`` of the empirical NTK of all documents and outputs, without the matrix.

    Each step of a Lanczos iteration costs one product with the Jacobian and one with its transpose.

    Parameters
    ----------
    network : torch.nn.Module
        As for :func:`empirical_ntk`.
    docs : N documents
        Sequences of token ids.

    Returns
    -------
    float
        To about one part in ten thousand.

    Raises
    ------
    TypeError, ValueError
        As :func:`empirical_ntk`.

    Examples
    --------
    >>> import ntklib
    >>> network = ntklib.MLP().network(width=8, vocabulary_size=3, seed=0)
    >>> docs = [[0, 1], [2], [1, 1]]
    >>> exact = np.linalg.eigvalsh(empirical_ntk(network, docs)).max()
    >>> bool(np.isclose(largest_eigenvalue(network, docs), exact))
    True
    """
    documents = documents_for(network, docs, "docs")
    parameters = trained_parameters(network)

    def scores(values: dict[str, torch.Tensor]) -> torch.Tensor:
        return torch.func.functional_call(network, values, (documents,)).reshape(-1)

    with evaluating(network), torch.enable_grad():
        linearised = torch.func.vjp(scores, parameters)
        initial: torch.Tensor = linearised[0]
        pull_back: Callable[..., Any] = linearised[1]
        # The product with the Jacobian as the transpose of the (linear) product with its transpose: it needs
        # no forward-mode derivatives, which not every activation has.
        transposed = torch.func.vjp(lambda dual: pull_back(dual)[0], torch.zeros_like(initial))
        push_forward: Callable[..., Any] = transposed[1]

        def kernel_times(vector: np.ndarray) -> np.ndarray:
            gradient = pull_back(torch.from_numpy(vector.reshape(-1)).to(initial.dtype))[0]
            change: torch.Tensor = push_forward(gradient)[0]
            return change.detach().double().numpy()

        size = len(initial)
        if size < 3:
            matrix = np.stack([kernel_times(row) for row in np.eye(size)])
            return float(np.linalg.eigvalsh((matrix + matrix.T) / 2).max())
        operator = LinearOperator((size, size), matvec=kernel_times, dtype=np.float64)
        # A fixed start makes the iteration, and so the result, the same in each run.
        start = np.random.default_rng(0).standard_normal(size)
        few = min(
            size, 8
        )  # the largest eigenvalue stands apart, so a small basis finds it with fewer products
        return float(eigsh(operator, k=1, v0=start, ncv=few, tol=1e-4, return_eigenvectors=False)[0])


def documents_for(network: torch.nn.Module, docs: Any, name: str) -> Documents:
    """Check documents, also against the network's vocabulary where it has one."""
    return Documents.of(docs, name=name, vocabulary_size=getattr(network, "vocabulary_size", None))


def trained_parameters(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Return the parameters that training changes, by name, detached; an error if one is not finite."""
    if not isinstance(network, torch.nn.Module):
        raise TypeError(f"network must be a torch.nn.Module, not {type(network).__name__}.")
    parameters = {name: p.detach() for name, p in network.named_parameters() if p.requires_grad}
    if not parameters:
        raise ValueError(
            "network has no parameter with requires_grad=True: nothing is trained, so there is no NTK."
        )
    for name, parameter in parameters.items():
        # A finite sum has finite terms, and needs no array of its own, as the second question does.
        if not parameter.sum().isfinite() and not parameter.isfinite().all():
            raise ValueError(
                f"network's parameter {name!r} holds a NaN or an infinity: did its training diverge?"
            )
    return parameters


@contextmanager
def evaluating(network: torch.nn.Module) -> Iterator[None]:
    """Put every submodule into evaluation mode, and back into the mode that it had."""
    training = [module for module in network.modules() if module.training]
    network.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True


def _kernels(
    network: torch.nn.Module,
    docs_a: Any,
    docs_b: Any,
    output: int,
    method: str,
    memory_limit: int,
    by_group: bool,
) -> dict[str, np.ndarray]:
    parameters = trained_parameters(network)
    first = documents_for(network, docs_a, "docs_a")
    second = first if docs_b is None else documents_for(network, docs_b, "docs_b")
    if method not in METHODS:
        raise ValueError(f"method must be 'auto', 'structured' or 'jacobian', not {method!r}.")
    if method == "structured" and not isinstance(network, HasTangents):
        raise ValueError(
            f"method 'structured' needs a network with a method tangents(docs, output), which "
            f"{type(network).__name__} lacks: use 'jacobian'."
        )
    named = getattr(network, "groups", {})
    keys = {name: named.get(name, name) if by_group else "all" for name in parameters}
    size = 8 * len(first) * len(second)
    require_memory(
        size * len(set(keys.values())),
        f"a kernel of {len(first)} x {len(second)}",
        "pass fewer documents, or write the kernel to disk in tiles with ntklib.kernel_on_disk",
    )
    totals = {key: np.zeros((len(first), len(second))) for key in keys.values()}
    # An overflow is found in the result.
    with evaluating(network), torch.enable_grad(), np.errstate(over="ignore", invalid="ignore"):
        _check_output(network, first, output)
        if isinstance(network, HasTangents) and method != "jacobian":
            _add_structured(network, first, second, output, memory_limit, keys, totals)
        else:
            add_by_jacobian(network, parameters, first, second, output, memory_limit, keys, totals)
    if not all(np.isfinite(total).all() for total in totals.values()):
        raise ValueError(
            "the network's scores or gradients of these documents are not finite: take smaller standard "
            "deviations of its weights, shorter documents or, where they are float32, float64 weights."
        )
    return totals


def _check_output(network: torch.nn.Module, docs: Documents, output: int) -> None:
    with torch.no_grad():
        scores = network(docs[[0]])
    if scores.ndim not in (1, 2) or len(scores) != 1:
        raise ValueError(
            f"network must map N documents to (N,) or (N, C) scores, but it maps 1 to {tuple(scores.shape)}."
        )
    outputs = scores[0].numel()
    if isinstance(output, bool) or not isinstance(output, int | np.integer) or not 0 <= output < outputs:
        raise ValueError(
            f"output must be one of the network's {outputs} scores, 0 to {outputs - 1}, not {output!r}."
        )


def _add_structured(
    network: HasTangents,
    first: Documents,
    second: Documents,
    output: int,
    memory_limit: int,
    keys: dict[str, str],
    totals: dict[str, np.ndarray],
) -> None:
    if isinstance(network, HasParameterKernels) and not _tangents_are_newer(type(network)):
        found = []
        for name, part in network.parameter_kernels(first, second, output, memory_limit):
            found.append(name)
            if name in keys:
                totals[keys[name]] += part
        _check_each_once(network, "parameter_kernels", found, keys)
        return
    rows = _checked_tangents(network, first, output, keys)
    columns = rows if second is first else _checked_tangents(network, second, output, keys)
    for name in keys:
        # Each parameter's tangents are let go once used: they are the largest arrays here.
        row, column = rows.pop(name), None if second is first else columns.pop(name)
        totals[keys[name]] += tangent_gram(row, column)


def _tangents_are_newer(kind: type) -> bool:
    """Whether a subclass has tangents of its own, which inherited ``parameter_kernels`` know nothing of."""
    defined = next(vars(base) for base in kind.__mro__ if {"tangents", "parameter_kernels"} & set(vars(base)))
    return "parameter_kernels" not in defined


def _checked_tangents(
    network: HasTangents, docs: Documents, output: int, keys: dict[str, str]
) -> dict[str, ParameterTangents]:
    found = network.tangents(docs, output)
    _check_each_once(network, "tangents", [tangent.parameter for tangent in found], keys)
    return {tangent.parameter: tangent for tangent in found}


def _check_each_once(network: Any, method: str, found: list[str], keys: dict[str, str]) -> None:
    missing = sorted(set(keys) - set(found))
    if missing or len(set(found)) < len(found):
        # A sum of two Grams is not the Gram of a sum, so a parameter used twice must not come in two parts.
        raise ValueError(
            f"{type(network).__name__}.{method} must give each trained parameter once, but it gives {found}; "
            f"missing: {missing}. method='jacobian' does without."
        )
