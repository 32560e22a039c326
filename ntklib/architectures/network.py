"""Finite networks over documents: seeded weights, ragged pooling, and gradients by site."""

from collections.abc import Callable
from math import prod
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy import sparse

from ntklib.documents import Documents
from ntklib.gram import ParameterTangents
from ntklib.memory import require_memory
from ntklib.validation import checked_integer

GROUPS = ("output", "hidden", "embedding")  # documented as ntklib.GROUPS


class _Use(NamedTuple):
    """One use of a parameter: what it was multiplied with, what came out, and for which documents."""

    parameter: str
    factors: tuple[Any, ...]
    result: torch.Tensor
    documents: Int[np.ndarray, " sites"]


class TextNetwork(torch.nn.Module):
    """A finite network over documents whose weights are drawn from explicit, seeded generators.

    A subclass computes scores in ``forward``, and draws its weights in :meth:`draw_weights` where it has
    others than embedding, hidden and output. In ``forward`` every parameter is used through :meth:`lookup`,
    :meth:`linear` or :meth:`readout`. Then :meth:`tangents`, and with it the fast
    empirical kernel, needs no further code.

    Parameters
    ----------
    architecture : TextModel
        The hyper-parameters.
    width : int
        Embedding width ``d`` and hidden width ``m``.
    vocabulary_size : int
        Number of tokens ``V``.
    seed : int
        Seeds the weights.
    classes : int, optional
        Number of scores ``C``; a single score without it.
    dtype : torch.dtype
        Of the weights.
    """

    groups: ClassVar[dict[str, str]] = {"output": "output", "hidden": "hidden", "embedding": "embedding"}
    """From each parameter's name to its group (:data:`GROUPS`)."""

    embedding: torch.nn.Parameter
    """(V, d) embedding weights."""

    hidden: torch.nn.Parameter
    """(m, d) hidden weights."""

    output: torch.nn.Parameter
    """(m,) or (C, m) output weights."""

    computes_tokens_once: ClassVar[bool] = False
    """Whether each distinct token is computed once for all documents: then many together cost little more."""

    sparse_gradients: bool = False
    """Whether gradients of looked-up rows hold only the batch's rows, of the few tokens that it meets."""

    def __init__(
        self,
        architecture: Any,
        width: int,
        vocabulary_size: int,
        seed: int,
        classes: int | None,
        dtype: torch.dtype,
    ) -> None:
        super().__init__()
        self.architecture = architecture
        self.vocabulary_size = checked_integer(vocabulary_size, "vocabulary_size")
        self.width = checked_integer(width, "width")
        self.output_shape = () if classes is None else (checked_integer(classes, "classes"),)
        self._generator = torch.Generator().manual_seed(checked_integer(seed, "seed", 0, 2**64 - 1))
        if dtype not in (torch.float32, torch.float64):
            raise TypeError(f"dtype must be torch.float32 or torch.float64, not {dtype!r}.")
        self._dtype = dtype
        self._uses: list[_Use] | None = None
        self.draw_weights()

    def draw_weights(self) -> None:
        """Set the parameters, with :meth:`gaussian`, in a fixed order: embedding, hidden and output here."""
        sigma = self.architecture
        self.embedding = self.gaussian(self.vocabulary_size, self.width, sigma=sigma.sigma_e)
        self.hidden = self.gaussian(self.width, self.width, sigma=sigma.sigma_w)
        self.output = self.gaussian(*self.output_shape, self.width, sigma=sigma.sigma_v)

    def gaussian(self, *shape: int, sigma: float) -> torch.nn.Parameter:
        """Draw a parameter with independent ``N(0, σ²)`` entries; in float64, so a dtype changes no draw."""
        require_memory(
            prod(shape) * (8 if self._dtype == torch.float64 else 8 + self._dtype.itemsize),
            f"A network of width {self.width:,} with {self.vocabulary_size:,} tokens",
            "take a smaller width",
        )
        draw = torch.randn(*shape, generator=self._generator, dtype=torch.float64)
        weights = draw.mul_(sigma).to(self._dtype)
        if not weights.isfinite().all() or not weights.any():
            raise ValueError(
                f"a standard deviation of {sigma:g} at initialisation does not fit {self._dtype}: "
                "take torch.float64, or a value nearer to 1."
            )
        return torch.nn.Parameter(weights)

    def documents(self, docs: Any) -> Documents:
        """Check documents against the network's vocabulary."""
        return Documents.of(docs, vocabulary_size=self.vocabulary_size)

    def lookup(
        self,
        parameter: str,
        tokens: Int[np.ndarray, " sites"],
        documents: Int[np.ndarray, " sites"] | None = None,
    ) -> Float[torch.Tensor, "sites columns"]:
        """Rows of a parameter, one for each token; sparse in the gradient with :attr:`sparse_gradients`.

        Without ``documents`` the use is not noted: the caller does it, or has tangents of its own.
        """
        table = getattr(self, parameter)
        # A copy: torch warns of an array that can't be written, such as documents on disk.
        places = torch.from_numpy(np.array(tokens, dtype=np.int64))
        rows = torch.nn.functional.embedding(places, table, sparse=self.sparse_gradients)
        if documents is not None:
            self.note_use(parameter, (tokens,), rows, documents)
        return rows

    def linear(
        self,
        parameter: str,
        inputs: Float[torch.Tensor, "sites columns"],
        documents: Int[np.ndarray, " sites"],
    ) -> Float[torch.Tensor, "sites rows"]:
        """``W a`` for each site's input ``a``; ``documents`` says whose score each site enters."""
        result = torch.nn.functional.linear(inputs, getattr(self, parameter))
        self.note_use(parameter, (inputs,), result, documents)
        return result

    def readout(
        self, inputs: Float[torch.Tensor, "sites columns"], documents: Int[np.ndarray, " sites"], count: int
    ) -> Float[torch.Tensor, "documents *classes"]:
        """``Σ v·a / √m`` over the sites of each of ``count`` documents."""
        scores = torch.nn.functional.linear(inputs, self.output)
        self.note_use("output", (inputs,), scores, documents)
        pooled = torch.zeros(count, *scores.shape[1:], dtype=scores.dtype)
        return pooled.index_add(0, torch.from_numpy(documents), scores / self.width**0.5)

    def note_use(
        self, parameter: str, factors: tuple[Any, ...], result: torch.Tensor, documents: np.ndarray
    ) -> None:
        """Note, while :meth:`tangents` listens, that ``result`` is linear in a parameter.

        ``∂s/∂θ = Σ factors ⊗ … ⊗ ∂s/∂result`` over the sites, the rows of each factor and of ``result``.
        Token ids, one a site, stand for their one-hot rows.
        """
        if self._uses is not None:
            rows = len(getattr(self, parameter))
            factors = tuple(
                one_hot(f, rows) if isinstance(f, np.ndarray) and f.ndim == 1 else f for f in factors
            )
            if not result.requires_grad:  # all that leads here is frozen, but its signal is wanted
                result.requires_grad_()
            self._uses.append(_Use(parameter, factors, result, documents))

    def tangents(self, docs: Documents, output: int = 0) -> list[ParameterTangents]:
        """Gradients of the documents' scores as outer products over the sites where weights are used.

        One forward pass notes what every weight array is multiplied with, one backward pass the signals that
        come back to it: a score depends on its own document alone, so one pass serves all documents.

        A parameter that no document uses (matrices of documents of one token) has no sites.
        See :class:`~ntklib.gram.ParameterTangents`.
        """
        self._uses = []
        try:
            scores = self(docs)
            uses = self._uses
        finally:
            self._uses = None
        score = scores if scores.ndim == 1 else scores[:, output]
        noted_names = {use.parameter for use in uses}
        others = {
            name: parameter
            for name, parameter in self.named_parameters()
            if parameter.requires_grad and name not in noted_names
        }
        # Autograd tells a parameter without influence (None) from one that was used without being noted.
        gradients = torch.autograd.grad(
            score.sum(), [*(use.result for use in uses), *others.values()], allow_unused=True
        )
        signals, reached = gradients[: len(uses)], gradients[len(uses) :]
        noted: dict[str, list[tuple[tuple[Any, ...], np.ndarray]]] = {}
        for use, signal in zip(uses, signals, strict=True):
            inputs = tuple(f.detach().numpy() if isinstance(f, torch.Tensor) else f for f in use.factors)
            back = (torch.zeros_like(use.result) if signal is None else signal).detach().numpy()
            if use.parameter == "output":  # a row vector times a number: a single factor
                numbers = back if back.ndim == 1 else back[:, output]
                factors: tuple[Any, ...] = (inputs[0] * numbers[:, None],)
            else:
                factors = (*inputs, back)
            noted.setdefault(use.parameter, []).append((factors, use.documents))
        unused = [
            ParameterTangents(name, (np.zeros((0, 1)),), pooling(np.zeros(0, dtype=int), len(docs)))
            for name, gradient in zip(others, reached, strict=True)
            if gradient is None
        ]
        return unused + [
            ParameterTangents(
                parameter,
                tuple(_stacked(factor) for factor in zip(*(factors for factors, _ in parts), strict=True)),
                pooling(np.concatenate([documents for _, documents in parts]), len(docs)),
            )
            for parameter, parts in noted.items()
        ]

    __call__: Callable[..., torch.Tensor]


def pooling(documents: Int[np.ndarray, " sites"], count: int) -> sparse.csr_array:
    """Sum over the sites of each document, as a sparse (count, sites) matrix."""
    sites = np.arange(len(documents))
    return sparse.csr_array((np.ones(len(documents)), (documents, sites)), shape=(count, len(documents)))


def one_hot(tokens: Int[np.ndarray, " sites"], size: int) -> sparse.csr_array:
    """One row for each token with a 1 in its column."""
    return sparse.csr_array(
        (np.ones(len(tokens)), tokens, np.arange(len(tokens) + 1)), shape=(len(tokens), size)
    )


def distinct_tokens(
    ids: Int[np.ndarray, " tokens"], vocabulary_size: int
) -> tuple[Int[np.ndarray, " distinct"], Int[np.ndarray, " tokens"]]:
    """Distinct ids in order, and the place of each id among them, as ``np.unique`` gives them.

    By marks in an array over the vocabulary: a small batch is sorted at each step of training otherwise.

    Examples
    --------
    >>> distinct_tokens(np.array([7, 2, 7]), 9)
    (array([2, 7]), array([1, 0, 1]))
    """
    present = np.zeros(vocabulary_size, dtype=bool)
    present[ids] = True
    tokens = np.flatnonzero(present)
    places = np.empty(vocabulary_size, dtype=np.int64)
    places[tokens] = np.arange(len(tokens))
    return tokens, places[ids]


def _stacked(parts: tuple[Any, ...]) -> Any:
    if len(parts) == 1:
        return parts[0]
    return np.concatenate(parts) if isinstance(parts[0], np.ndarray) else sparse.vstack(parts, format="csr")
