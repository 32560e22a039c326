"""The NTK at initialisation, estimated from random networks: where no limit is known in closed form."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from ntklib.documents import Documents
from ntklib.empirical import empirical_ntk
from ntklib.memory import require_memory
from ntklib.validation import checked_integer


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
