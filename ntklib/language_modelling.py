"""Language modelling as classification: the next token is the class, those before it are the document."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy import sparse
from tqdm import tqdm

from ntklib.batches import batches, epoch_generator
from ntklib.documents import Documents
from ntklib.training import OPTIMIZERS
from ntklib.validation import checked_integer, finite_array, one_of


def limited_vocabulary(corpus: Any, size: int) -> tuple[Documents, tuple[str, ...]]:
    """Keep the ``size − 1`` most frequent tokens, and put one unknown token in the place of all others.

    Parameters
    ----------
    corpus : Corpus
        Running text.
    size : int
        Number of tokens kept, with the unknown one, which is the last.

    Returns
    -------
    (documents, vocabulary)
        The same documents over ids 0 … size − 1, and the tokens' names.

    Raises
    ------
    TypeError, ValueError
        If the size is not an integer of 2 or more.

    Examples
    --------
    >>> import ntklib
    >>> corpus = ntklib.load_corpus("planted:negation")
    >>> documents, vocabulary = limited_vocabulary(corpus, 3)
    >>> vocabulary[0], vocabulary[-1], int(documents.ids.max())
    ('not', '<unk>', 2)
    """
    documents = Documents.of(corpus)
    kept = checked_integer(size, "size", 2) - 1
    counts = np.bincount(documents.ids, minlength=len(corpus.vocabulary))
    frequent = np.argsort(-counts, kind="stable")[:kept]
    new = np.full(len(counts), len(frequent))
    new[frequent] = np.arange(len(frequent))
    names = tuple(corpus.vocabulary[int(token)] for token in frequent)
    return Documents(new[documents.ids], documents.offsets), (*names, "<unk>")


def next_token_pairs(docs: Any, context: int) -> tuple[Documents, Int[np.ndarray, " pairs"]]:
    """Every token but a document's first as a target, with up to ``context`` tokens before it.

    Parameters
    ----------
    docs : documents
        Running text; contexts do not reach from one document into another.
    context : int
        Largest number of tokens in a context.

    Returns
    -------
    (contexts, targets)
        N documents, and the token that follows each: a classification problem.

    Raises
    ------
    ValueError
        If no document has two tokens, or ``context`` is less than 1.

    Examples
    --------
    >>> contexts, targets = next_token_pairs([[5, 6, 7], [8]], context=2)
    >>> [context.tolist() for context in contexts], targets.tolist()
    ([[5], [5, 6]], [6, 7])
    """
    documents = Documents.of(docs)
    most = checked_integer(context, "context")
    places = np.arange(len(documents.ids)) - documents.offsets[documents.rows]
    ends = np.flatnonzero(places > 0)
    if len(ends) == 0:
        raise ValueError("docs has no document of two tokens: there is nothing to predict.")
    lengths = np.minimum(places[ends], most)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    taken = np.repeat(ends - lengths - offsets[:-1], lengths) + np.arange(offsets[-1])
    return Documents(documents.ids[taken], offsets), documents.ids[ends]


def cooccurring_pairs(contexts: Any, targets: Any, vocabulary_size: int) -> sparse.csr_array:
    """``C_uw``: how often token ``u`` stands in a context whose target is ``w``, as a sparse (V, V) matrix.

    At the start of training a bag model's score of target ``w`` after ``u`` moves by
    ``A (C_uw − n_u/V) + B (Σ_i (1[y_i = w] − 1/V) |x_i|)`` (book, :eq:`language-velocity`).

    Examples
    --------
    >>> cooccurring_pairs([[0], [0, 1]], [1, 1], 2).toarray()
    array([[0., 2.],
           [0., 1.]])
    """
    documents = Documents.of(contexts)
    counts = documents.counts(vocabulary_size)
    wanted = np.asarray(targets)
    indicator = sparse.csr_array(
        (np.ones(len(wanted)), (np.arange(len(wanted)), wanted)), shape=(len(wanted), vocabulary_size)
    )
    return sparse.csr_array(counts.T @ indicator)


def perplexity(probabilities: Any) -> float:
    """``exp(−mean log p)`` of the probabilities that a model gave to the tokens that came.

    Raises
    ------
    ValueError
        If a probability is not in (0, 1].

    Examples
    --------
    >>> perplexity([0.25, 0.25])
    4.0
    """
    given = finite_array(probabilities, "probabilities", (None,))
    if len(given) == 0 or given.min() <= 0 or given.max() > 1 + 1e-9:
        raise ValueError("probabilities must lie in (0, 1]: one of 0 has infinite perplexity.")
    return float(np.exp(-np.log(given).mean()))


@dataclass(frozen=True, eq=False)
class NgramModel:
    """Next-token probabilities from counts: unigram, or bigram with interpolated Kneser-Ney smoothing.

    ``p(w | u) = max(C_uw − D, 0)/C_u + D N_u/C_u · p(w)``, ``N_u`` the number of different tokens that
    followed ``u``; the lower order ``p(w)`` counts the different tokens that ``w`` followed, and is itself
    interpolated with the uniform distribution. With ``order=1`` it is the relative frequency, one added to
    each count.

    Parameters
    ----------
    docs : documents
        Training text.
    vocabulary_size : int
        Number of tokens ``V``.
    order : {1, 2}
        Unigram or bigram.
    discount : float
        ``D``.

    Raises
    ------
    ValueError
        If the order is not 1 or 2, or the discount is not between 0 and 1.

    Notes
    -----
    Source: Kneser & Ney (1995), in the interpolated form of Chen & Goodman (1999).

    Examples
    --------
    >>> model = NgramModel(Documents.of([[0, 1, 0, 1, 2]]), 3, order=2)
    >>> model.probabilities([0, 0, 0], [0, 1, 2]).round(3)
    array([0.125, 0.75 , 0.125])
    """

    docs: Documents
    vocabulary_size: int
    order: int = 2
    discount: float = 0.75

    def __post_init__(self) -> None:
        if self.order not in (1, 2):
            raise ValueError(f"order must be 1 or 2, not {self.order!r}.")
        if not 0 < self.discount < 1:
            raise ValueError(f"discount must be between 0 and 1, not {self.discount!r}.")
        documents = Documents.of(self.docs, vocabulary_size=self.vocabulary_size)
        size = self.vocabulary_size
        counts = np.bincount(documents.ids, minlength=size)
        object.__setattr__(self, "_unigram", (counts + 1) / (counts.sum() + size))
        if self.order == 2:
            contexts, targets = next_token_pairs(documents, 1)
            pairs = cooccurring_pairs(contexts, targets, size)
            object.__setattr__(self, "_pairs", pairs)
            object.__setattr__(self, "_totals", np.asarray(pairs.sum(axis=1)).ravel())
            object.__setattr__(self, "_followers", np.diff(pairs.indptr))
            different = np.bincount(pairs.indices, minlength=size)
            kinds = different.sum()
            uniform = self.discount * (different > 0).sum() / kinds / size
            object.__setattr__(
                self, "_continuation", np.maximum(different - self.discount, 0) / kinds + uniform
            )

    def probabilities(self, previous: Any, following: Any) -> Float[np.ndarray, " pairs"]:
        """``p(w | u)`` for pairs of a token and the one after it."""
        before, after = np.asarray(previous), np.asarray(following)
        if self.order == 1:
            return self._unigram[after]  # type: ignore[attr-defined]
        pairs, lower = self._pairs, self._continuation[after]  # type: ignore[attr-defined]
        count = np.asarray(pairs[before, after]).ravel()
        total = self._totals[before]  # type: ignore[attr-defined]
        saved = self.discount * self._followers[before]  # type: ignore[attr-defined]
        seen = np.maximum(total, 1)
        smoothed = np.maximum(count - self.discount, 0) / seen + saved / seen * lower
        return np.where(total > 0, smoothed, lower)


def train_language_model(
    network: Any,
    docs: Any,
    *,
    optimizer: str = "adam",
    learning_rate: float = 1e-3,
    epochs: int = 1,
    batch_size: int = 32,
    seed: int = 0,
    after_epoch: Callable[[int], None] | None = None,
    progress: bool = True,
) -> list[float]:
    """Train a network with ``position_scores`` to predict each document's next token, in place.

    Parameters
    ----------
    network : TransformerNetwork
        With as many classes as tokens.
    docs : documents
        Those of one token are left out.
    optimizer : {"sgd", "momentum", "adagrad", "adam"}
        See :func:`~ntklib.training.train`.
    learning_rate, epochs, batch_size, seed, progress
        As there. The loss is the mean over the tokens of a batch.
    after_epoch : function of an int, optional
        Called with the number of epochs done: to measure the network on other text, and choose when to stop.

    Returns
    -------
    list of float
        The perplexity of the training text during each epoch.

    Raises
    ------
    ValueError
        If the loss is not finite, or an argument is out of its range.
    """
    documents = Documents.of(docs)
    documents = documents[np.flatnonzero(documents.lengths > 1)]
    stepper = OPTIMIZERS[one_of(optimizer, OPTIMIZERS, "optimizer")](network.parameters(), lr=learning_rate)
    size, last = checked_integer(batch_size, "batch_size"), checked_integer(epochs, "epochs")
    losses = []
    for epoch in tqdm(range(last), unit="epoch", disable=None if progress else True):
        total, tokens = 0.0, 0
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(epoch_generator(seed, epoch).integers(2**62)))
            for rows in batches(len(documents), size, seed, epoch):
                some = documents[rows]
                stepper.zero_grad(set_to_none=True)
                scores, targets = _shifted(network, some)
                loss = torch.nn.functional.cross_entropy(scores, targets)
                if not loss.isfinite():
                    raise ValueError(f"learning_rate {learning_rate:g} is too large: the loss is not finite.")
                loss.backward()
                stepper.step()
                total, tokens = total + float(loss.detach()) * len(targets), tokens + len(targets)
        losses.append(float(np.exp(total / tokens)))
        if after_epoch is not None:
            after_epoch(epoch + 1)
    return losses


def next_token_probabilities(network: Any, docs: Any, batch_size: int = 256) -> Float[np.ndarray, " tokens"]:
    """Probability that a network gave to each token but the documents' first ones."""
    documents = Documents.of(docs)
    documents = documents[np.flatnonzero(documents.lengths > 1)]
    found = []
    with torch.no_grad():
        for start in range(0, len(documents), batch_size):
            scores, targets = _shifted(network, documents[start : start + batch_size])
            found.append(torch.softmax(scores, dim=1)[torch.arange(len(targets)), targets].double().numpy())
    return np.concatenate(found)


def _shifted(network: Any, documents: Documents) -> tuple[torch.Tensor, torch.Tensor]:
    """Scores of every position but a document's last, and the token after it."""
    scores = network.position_scores(documents)
    ends = np.zeros(len(documents.ids), dtype=bool)
    ends[documents.offsets[1:] - 1] = True
    starts = np.zeros(len(documents.ids), dtype=bool)
    starts[documents.offsets[:-1]] = True
    return scores[torch.from_numpy(~ends)], torch.from_numpy(documents.ids[~starts].astype(np.int64))
