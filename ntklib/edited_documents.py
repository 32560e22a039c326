"""The feature spectrum of whole documents: for any model, from edited inputs, estimated where need be."""

from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from ntklib.documents import Documents
from ntklib.expected_kernel import expected_ntk
from ntklib.spectrum import feature_spectrum, moebius_weights
from ntklib.statistics import bootstrap_interval
from ntklib.validation import checked_integer, proportion


def edited_documents(order: int, bases: int) -> tuple[Documents, Documents]:
    """Documents of ``order`` tokens, and of each a copy for every subset of positions that it keeps.

    Parameters
    ----------
    order : int
        Number of tokens in a document.
    bases : int
        Number of documents; no two share a token.

    Returns
    -------
    (bases, copies)
        ``bases`` documents, and ``bases · 2^order`` copies: those of one document together, the subsets in
        the order of a binary number whose first digit is the first position. Where a position is not kept it
        holds a token that occurs nowhere else in the document or its copies' kept positions.

    Examples
    --------
    >>> bases, copies = edited_documents(2, 1)
    >>> bases[0].tolist(), [copy.tolist() for copy in copies]
    ([0, 1], [[2, 3], [2, 1], [0, 3], [0, 1]])
    """
    checked_integer(order, "order")
    checked_integer(bases, "bases")
    kept = np.indices((2,) * order).reshape(order, -1).T.astype(bool)
    own = np.arange(order) + 2 * order * np.arange(bases)[:, None]
    copies = np.where(kept[None], own[:, None], own[:, None] + order)
    return Documents.of(own.tolist()), Documents.of(copies.reshape(-1, order).tolist())


def document_spectrum(
    model: Any,
    order: int = 3,
    *,
    width: int = 128,
    networks: int = 20,
    bases: int = 8,
    level: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Share of bias, tokens and n-grams in the kernel of documents of ``order`` tokens, for any model.

    ``λ_S = Σ_{T ⊆ S} (−1)^{|S|−|T|} Θ(x, x_T)``, ``x_T`` the document with all tokens but those at the
    positions ``T`` exchanged, and ``share_j = Σ_{|S| = j} λ_S / Θ(x, x)`` (book, :eq:`document-spectrum`).

    Parameters
    ----------
    model : Architecture, or anything with a ``network`` method
        With a ``kernel`` the shares are exact; else they are estimated from networks at initialisation.
    order : int
        Number of tokens in a document.
    width, networks, seed
        Of the networks, see :func:`~ntklib.expected_kernel.expected_ntk`.
    bases : int
        Over how many documents each network's kernel is averaged.
    level, resamples
        Of the bootstrap over networks.

    Returns
    -------
    DataFrame
        Index 0 … ``order``; columns ``share``, ``low``, ``high``. ``share`` sums to 1.

    Raises
    ------
    ValueError
        If a count or the level is out of its range.
    TypeError
        If the model has neither a kernel nor networks.

    Notes
    -----
    Of documents, not of units: a model that sums over positions also compares token ``t`` of one document
    with token ``s`` of the other, so that its bias weighs more here than in ``model.spectrum``. An estimated
    share can be negative: at finite width nothing forbids it but its interval. Source: derivation.

    Examples
    --------
    >>> import ntklib
    >>> document_spectrum(ntklib.Attention(), order=2)["share"].tolist()
    [0.0, 1.0, 0.0]
    """
    documents, copies = edited_documents(order, bases)
    proportion(level, "level")
    checked_integer(resamples, "resamples", 100)
    checked_integer(seed, "seed", 0)
    if hasattr(model, "kernel"):
        kernels = model.kernel(documents, copies)[None]
    elif hasattr(model, "network"):
        kernels = expected_ntk(model, documents, copies, width=width, networks=networks, seed=seed).kernels
    else:
        raise TypeError(
            f"model must have a kernel or a network method, and {type(model).__name__} has neither."
        )
    of_own_copies = kernels.reshape(len(kernels), bases, bases, 2**order)[:, range(bases), range(bases)]
    by_network = of_own_copies.mean(axis=1)

    def shares(values: np.ndarray, axis: int) -> np.ndarray:
        """Of the networks' mean: the copies are on the first axis that is left."""
        means = np.asarray(values).mean(axis=axis)
        columns = [_shares(mean, order) for mean in means.reshape(2**order, -1).T]
        return np.stack(columns, axis=-1).reshape(order + 1, *means.shape[1:])

    if len(by_network) == 1:  # an exact kernel has nothing to resample
        share = low = high = shares(by_network, axis=0)
    else:
        share, low, high, _ = bootstrap_interval(by_network, shares, level, resamples, seed)
    return pd.DataFrame(
        {"share": share, "low": low, "high": high}, index=pd.RangeIndex(order + 1, name="order")
    )


def _shares(values: Float[np.ndarray, " copies"], order: int) -> Float[np.ndarray, " sizes"]:
    return feature_spectrum(moebius_weights(lambda _: {"all": values}, order), order).to_numpy()
