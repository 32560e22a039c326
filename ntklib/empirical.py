"""The empirical Neural Tangent Kernel of a finite torch network, at its current weights."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from scipy.sparse.linalg import LinearOperator, eigsh

from ntklib.documents import Documents
from ntklib.jacobian_contraction import add_by_jacobian
from ntklib.kernel_sums import KernelSums
from ntklib.memory import require_memory
from ntklib.structured_gradients import HasTangents, add_by_structure

METHODS = ("auto", "structured", "jacobian")


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
        # The largest eigenvalue stands apart, so a small basis finds it with fewer products.
        few = min(size, 8)
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
    sums = KernelSums(first, second, output, memory_limit, keys, totals)
    # An overflow is found in the result.
    with evaluating(network), torch.enable_grad(), np.errstate(over="ignore", invalid="ignore"):
        _check_output(network, first, output)
        if isinstance(network, HasTangents) and method != "jacobian":
            add_by_structure(network, sums)
        else:
            add_by_jacobian(network, parameters, sums)
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
