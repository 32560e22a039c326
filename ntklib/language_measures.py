"""Measures of language models: what they see, whether label scores follow co-occurrence, paired losses."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.special import log_softmax
from scipy.stats import rankdata

from ntklib.documents import Documents
from ntklib.validation import checked_integer

AGREEMENTS = ("all pairs", "within tokens", "matched")
"""The three numbers of :func:`cooccurrence_agreement`."""


def centred_position_scores(network: Any, docs: Any) -> Float[np.ndarray, "tokens classes"]:
    """Scores of every position of a language model, without their mean over targets, which changes nothing.

    Examples
    --------
    >>> import ntklib
    >>> network = ntklib.Transformer(layers=1).network(width=4, vocabulary_size=3, seed=0, classes=3)
    >>> bool(np.abs(centred_position_scores(network, [[0, 1]]).sum(axis=1)).max() < 1e-12)
    True
    """
    with torch.no_grad():
        scores = network.position_scores(Documents.of(docs)).double().numpy()
    return scores - scores.mean(axis=1, keepdims=True)


def _log_probabilities(
    network: Any, docs: Documents, places: Int[np.ndarray, " n"], targets: Int[np.ndarray, " n"]
) -> Float[np.ndarray, " n"]:
    """``log p`` of a target at each of some positions, documents end to end."""
    given = log_softmax(centred_position_scores(network, docs)[places], axis=1)
    return given[np.arange(len(targets)), targets]


def prefix_log_probabilities(network: Any, docs: Any, batch_size: int = 256) -> Float[np.ndarray, " tokens"]:
    """``log p`` of each token but the first when the text ends before it: nothing is there to leak.

    With a causal mask these are the values of :func:`~ntklib.language_modelling.next_token_probabilities`.
    Costs a document for each token.
    """
    documents = Documents.of(docs)
    prefixes = Documents.of([document[:end] for document in documents for end in range(1, len(document))])
    targets = np.concatenate([document[1:] for document in documents])
    found = []
    for start in range(0, len(prefixes), batch_size):
        some = prefixes[start : start + batch_size]
        found.append(
            _log_probabilities(network, some, some.offsets[1:] - 1, targets[start : start + batch_size])
        )
    return np.concatenate(found)


def replacement_costs(
    network: Any, docs: Any, position: int, offsets: Any, replacements: Any, seed: int = 0
) -> Float[np.ndarray, " offsets"]:
    """How much ``log p`` of the token after ``position`` falls when the token at each offset is replaced.

    Parameters
    ----------
    network : TransformerNetwork
        A language model.
    docs : documents
        Each long enough for all offsets.
    position : int
        The position that reads; its target is the next token, at offset 1.
    offsets : integers
        Relative to ``position``; one token is replaced at a time.
    replacements : token ids
        What to draw the new tokens from.
    seed : int
        Of the draws.

    Returns
    -------
    (offsets,) float64
        Mean over documents, in nats. Where a model can't see, exactly 0.

    Raises
    ------
    ValueError
        If a document is too short.
    """
    documents = Documents.of(docs)
    distances = np.asarray(offsets)
    if position + distances.min() < 0 or documents.lengths.min() <= position + max(1, int(distances.max())):
        raise ValueError(
            f"docs must reach over all offsets around position {position}: leave short ones out."
        )
    places = documents.offsets[:-1] + position
    targets = documents.ids[places + 1]
    rng = np.random.default_rng(checked_integer(seed, "seed", 0))
    before = _log_probabilities(network, documents, places, targets)
    costs = []
    for distance in distances:
        edited = documents.ids.copy()
        edited[places + distance] = rng.choice(replacements, len(places))
        after = _log_probabilities(network, Documents(edited, documents.offsets), places, targets)
        costs.append((before - after).mean())
    return np.array(costs)


def pair_variance(scores: Float[np.ndarray, "first last classes"]) -> Float[np.ndarray, " 3"]:
    """Shares of the variance of scores after two tokens: first token, last token, interaction.

    Examples
    --------
    >>> first, last = np.array([1.0, -1.0])[:, None, None], np.array([2.0, -2.0])[None, :, None]
    >>> pair_variance(first + last).round(2).tolist(), pair_variance(first * last).tolist()
    ([0.2, 0.8, 0.0], [0.0, 0.0, 1.0])
    """
    grid = scores - scores.mean(axis=(0, 1))
    of_first, of_last = grid.mean(axis=1, keepdims=True), grid.mean(axis=0, keepdims=True)
    parts = (of_first, of_last, grid - of_first - of_last)
    return np.array([(part**2).mean() for part in parts]) / (grid**2).mean()


def cooccurrence_agreement(
    scores: Float[np.ndarray, "seeds tokens targets"],
    counts: Float[np.ndarray, "tokens targets"],
    frequency: Float[np.ndarray, " targets"],
    resamples: int = 1000,
    seed: int = 0,
) -> tuple[Float[np.ndarray, " 3"], Float[np.ndarray, "resamples 3"]]:
    """Whether label scores follow co-occurrence: three numbers, and resamples of them over seeds and tokens.

    The rank correlation over all pairs; the mean over tokens of the rank correlation over targets; and the
    matched share: targets are paired with their neighbour in frequency, and the one of a pair that follows a
    token at the higher rate ``C_uw / frequency_w`` should have the higher score. Without co-occurrence that
    happens half of the time, while both correlations also rise with the frequency of targets.

    Parameters
    ----------
    scores : (S, V, W) floats
        Label scores of each of S models.
    counts : (V, W) floats
        ``C_uw``. Tokens whose counts are all equal are left out.
    frequency : (W,) numbers above 0
        Of the targets.
    resamples, seed : int
        Number of bootstrap samples, and their seed.

    Returns
    -------
    (estimates, resampled)
        (3,) and (resamples, 3) float64, in the order of ``AGREEMENTS``. Resamples of two calls with the same
        seed, S and tokens are paired.
    """
    used = np.ptp(counts, axis=1) > 0
    parts = np.stack([_agreement_parts(table, counts, frequency)[:, used] for table in scores])
    rng = np.random.default_rng(checked_integer(seed, "seed", 0))
    models, _, tokens = parts.shape
    drawn = [
        _agreement(parts[rng.integers(0, models, models)][:, :, rng.integers(0, tokens, tokens)])
        for _ in range(resamples)
    ]
    return _agreement(parts), np.array(drawn).reshape(-1, len(AGREEMENTS))


def _centred_ranks(values: np.ndarray, axis: int | None) -> np.ndarray:
    ranks = rankdata(values, axis=axis).reshape(values.shape)
    return ranks - ranks.mean(axis=axis, keepdims=True)


def _agreement_parts(scores: np.ndarray, counts: np.ndarray, frequency: np.ndarray) -> np.ndarray:
    """By token: product and squares of the ranks over all pairs, correlation over targets, matched share."""
    order = np.argsort(-frequency, kind="stable")[: len(frequency) // 2 * 2]
    first, second = order[0::2], order[1::2]
    rates = counts / frequency
    sooner = np.sign(np.round(rates[:, first] - rates[:, second], 9))
    all_scores, all_counts = _centred_ranks(scores, None), _centred_ranks(counts, None)
    own_scores, own_counts = _centred_ranks(scores, 1), _centred_ranks(counts, 1)
    same = (np.sign(scores[:, first] - scores[:, second]) == sooner) & (sooner != 0)
    with np.errstate(invalid="ignore"):
        within = (own_scores * own_counts).sum(axis=1) / np.sqrt(
            (own_scores**2).sum(axis=1) * (own_counts**2).sum(axis=1)
        )
        matched = same.sum(axis=1) / (sooner != 0).sum(axis=1)
    pooled = [(all_scores * all_counts).sum(axis=1), (all_scores**2).sum(axis=1), (all_counts**2).sum(axis=1)]
    return np.stack([*pooled, within, matched])


def _agreement(parts: np.ndarray) -> Float[np.ndarray, " 3"]:
    product, of_scores, of_counts, within, matched = np.moveaxis(np.nanmean(parts, axis=-1), 1, 0)
    pooled = (product / np.sqrt(of_scores * of_counts)).mean()
    return np.array([pooled, within.mean(), matched.mean()])


def resampled_losses(
    log_probabilities: Float[np.ndarray, "seeds tokens"],
    documents: Int[np.ndarray, " tokens"],
    resamples: int = 2000,
    seed: int = 0,
) -> Float[np.ndarray, " resamples_plus_one"]:
    """Mean loss a token: as measured, then over resampled documents and seeds.

    Parameters
    ----------
    log_probabilities : (S, T) floats
        Of the tokens that came, for each of S networks (one row for a model without seeds).
    documents : (T,) integers
        The document of each token, 0, 1, …; documents are resampled as wholes.
    resamples, seed : int
        Calls with the same seed resample the same documents: differences are paired.

    Examples
    --------
    >>> losses = resampled_losses(np.log([[0.5, 0.5, 0.25]]), np.array([0, 0, 1]), resamples=100)
    >>> len(losses), bool(np.isclose(losses[0], 4 / 3 * np.log(2)))
    (101, True)
    """
    number = int(documents.max()) + 1
    tokens = np.bincount(documents, minlength=number)
    rng = np.random.default_rng(checked_integer(seed, "seed", 0))
    weights = rng.multinomial(number, np.full(number, 1 / number), resamples)
    sums = np.stack([-np.bincount(documents, row, number) for row in log_probabilities])
    shares = rng.multinomial(len(sums), np.full(len(sums), 1 / len(sums)), resamples) / len(sums)
    drawn = ((weights @ sums.T) * shares).sum(axis=1) / (weights @ tokens)
    return np.append(sums.mean(axis=0).sum() / tokens.sum(), drawn)
