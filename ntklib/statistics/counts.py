"""Co-occurrence of tokens and labels, the token classes it defines, and which tokens rise above noise."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Int

from ntklib.documents import Documents
from ntklib.validation import checked_integer, finite_array, labelled_documents

TOKEN_CLASSES = ("positive", "negative", "neutral")
_BLOCK_TOKENS = 2**20  # counted at a time, so that a corpus on disk is not read into memory


def cooccurrence(corpus: Any, ngram: int = 1) -> pd.DataFrame:
    """How often each token, or n-gram, occurs in the documents of each class.

    ``f_u^c = Σ_{i: y_i = c} n_u(x_i)`` and, for two classes, ``rate_u = (f_u^1 − f_u^0) / (f_u^1 + f_u^0)``

    Counts are of *occurrences*: a token that a document holds twice counts twice, as it does in the kernel.

    Parameters
    ----------
    corpus : Corpus, or a pair (documents, labels)
        N documents with labels ``0 … C − 1``. Class 1 of two is the positive one.
    ngram : int
        Length of the contiguous n-grams to count, 1 for tokens. N-grams do not cross documents.

    Returns
    -------
    DataFrame
        One row for each n-gram that occurs, ordered by its ids; indexed by the token, or by the tuple of
        tokens of an n-gram (of ids, when the corpus has no vocabulary). One int64 column a class, under its
        name, then, for two classes, ``rate`` from −1 to 1.

    Raises
    ------
    TypeError, ValueError
        If the corpus is malformed, ``ngram`` is not an integer of at least 1, or no document is that long.

    Notes
    -----
    Linear in the tokens but for a sort. A rate says nothing about its own reliability: a token that occurs
    once has rate ±1. Source: the rate is that of the paper's released code.

    Examples
    --------
    >>> documents, labels = [[0, 1, 1], [1, 2]], [1, 0]
    >>> cooccurrence((documents, labels)).loc[1].round(3).to_dict()
    {0: 1.0, 1: 2.0, 'rate': 0.333}
    >>> cooccurrence((documents, labels), ngram=2).index.tolist()
    [(0, 1), (1, 1), (1, 2)]
    """
    documents, labels, classes = labelled_documents(corpus)
    size = checked_integer(ngram, "ngram")
    units, counts = _class_counts(documents, labels, len(classes), size)
    if "rate" in classes and len(classes) == 2:
        raise ValueError(
            "corpus.classes holds 'rate', the name of a column of the result: rename that class."
        )
    frame = pd.DataFrame(
        counts, index=_index(units, getattr(corpus, "vocabulary", None)), columns=list(classes)
    )
    if len(classes) == 2:
        frame["rate"] = (counts[:, 1] - counts[:, 0]) / counts.sum(axis=1)
    return frame


def _class_counts(
    documents: Documents, labels: Int[np.ndarray, " documents"], classes: int, size: int
) -> tuple[Int[np.ndarray, "units size"], Int[np.ndarray, "units classes"]]:
    """Return the distinct n-grams, in the order of their ids, and how often each occurs in each class."""
    if documents.lengths.max() < size:
        raise ValueError(
            f"ngram is {size}, but the longest document has {documents.lengths.max()} tokens: "
            f"give at most {documents.lengths.max()}."
        )
    parts: list[tuple[np.ndarray, np.ndarray]] = []
    start = merged = 0
    for block in documents.blocks(_BLOCK_TOKENS):
        stop = start + len(block)
        if block.lengths.max() >= size:
            parts.append(_block_counts(block, labels[start:stop], classes, size))
        # Merging whenever there is twice as much as the last time moves each n-gram a few times only.
        if stop == len(documents) or sum(len(units) for units, _ in parts) > 2 * merged:
            parts = [_merged_counts(parts)] if parts else []
            merged = sum(len(units) for units, _ in parts)
        start = stop
    return parts[0]


def _merged_counts(
    parts: list[tuple[np.ndarray, np.ndarray]],
) -> tuple[Int[np.ndarray, "units size"], Int[np.ndarray, "units classes"]]:
    if len(parts) == 1:
        return parts[0]
    units, counts = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    order = np.lexsort(units.T[::-1])
    units, counts = units[order], counts[order]
    first = np.flatnonzero(np.concatenate([[True], (units[1:] != units[:-1]).any(axis=1)]))
    return units[first], np.add.reduceat(counts, first, axis=0)


def _block_counts(
    documents: Documents, labels: Int[np.ndarray, " documents"], classes: int, size: int
) -> tuple[Int[np.ndarray, "units size"], Int[np.ndarray, "units classes"]]:
    rows = documents.rows
    starts = np.flatnonzero(rows[: len(documents.ids) - size + 1] == rows[size - 1 :])
    # An n-gram is numbered by the number of its first n − 1 tokens and its last token: no number exceeds T·V.
    number = np.zeros(len(starts), dtype=np.int64)
    vocabulary_size = int(documents.ids.max()) + 1
    for offset in range(size):
        number = number * vocabulary_size + documents.ids[starts + offset]
        _, first, number = np.unique(number, return_index=True, return_inverse=True)
    counts = np.bincount(number * classes + labels[rows[starts]], minlength=len(first) * classes).reshape(
        len(first), classes
    )
    return documents.ids[starts[first][:, None] + np.arange(size)], counts.astype(np.int64)


def _index(units: Int[np.ndarray, "units size"], vocabulary: Any) -> pd.Index:
    rows = (units if vocabulary is None else np.array(list(vocabulary), dtype=object)[units]).tolist()
    if units.shape[1] == 1:
        return pd.Index([row[0] for row in rows], name="token")
    return pd.Index([tuple(row) for row in rows], name="n-gram", tupleize_cols=False)


def token_classes(
    corpus: Any,
    *,
    ngram: int = 1,
    rate: float | int = 0.5,
    minimum: float | int = 5,
    neutral_rate: float | int = 0.1,
    neutral_difference: float | int = 5,
) -> pd.Series:
    """Positive, negative and neutral tokens by the rule of the paper's released code.

    | positive: ``rate_u > rate`` and ``f_u^1 > minimum``
    | negative: ``rate_u < −rate`` and ``f_u^0 > minimum``
    | neutral: ``|rate_u| < neutral_rate`` and ``|f_u^1 − f_u^0| < neutral_difference``

    Parameters
    ----------
    corpus : Corpus, or a pair (documents, labels)
        Two classes, of which class 1 is the positive one. The rule is meant for training documents alone.
    ngram : int
        Length of the n-grams to classify, 1 for tokens.
    rate, neutral_rate : float
        Bounds on the rate, ``0 ≤ neutral_rate ≤ rate ≤ 1``.
    minimum, neutral_difference : float
        Bounds on occurrences, 0 or larger.

    Returns
    -------
    Series
        The class (categorical: positive, negative, neutral) of every token that has one, indexed as
        :func:`cooccurrence`. Tokens of no class are left out.

    Raises
    ------
    TypeError, ValueError
        If the corpus is malformed or has not two classes, or a bound is out of its range.

    Notes
    -----
    The selection is circular when the same documents then train the network: see :func:`shuffled_label_null`
    and ``Corpus.halves``. Most neutral tokens are merely rare: see :func:`frequency_matched`. Source:
    released code.

    Examples
    --------
    >>> documents = [[0] * 6 + [2], [1] * 6 + [2]]
    >>> token_classes((documents, [1, 0])).to_dict()
    {0: 'positive', 1: 'negative', 2: 'neutral'}
    """
    if not 0 <= neutral_rate <= rate <= 1:
        raise ValueError(
            f"neutral_rate and rate must satisfy 0 <= neutral_rate <= rate <= 1, "
            f"not neutral_rate={neutral_rate!r}, rate={rate!r}."
        )
    for name, value in (("minimum", minimum), ("neutral_difference", neutral_difference)):
        if not value >= 0:
            raise ValueError(f"{name} must be a number of occurrences, 0 or larger, not {value!r}.")
    counts = cooccurrence(corpus, ngram)
    if counts.columns[-1] != "rate":
        raise ValueError(
            f"corpus has {counts.shape[1]} classes, but positive and negative tokens need two: keep two, "
            "or compare the class counts of cooccurrence(corpus)."
        )
    negative, positive = counts.iloc[:, 0], counts.iloc[:, 1]
    members = [
        (counts["rate"] > rate) & (positive > minimum),
        (counts["rate"] < -rate) & (negative > minimum),
        (counts["rate"].abs() < neutral_rate) & ((positive - negative).abs() < neutral_difference),
    ]
    codes = np.select(members, [0, 1, 2], default=-1)
    categories = pd.Categorical.from_codes(codes, categories=pd.Index(TOKEN_CLASSES))
    found = pd.Series(categories, index=counts.index, name="token class")
    return found[codes >= 0]


class NoiseFloor(NamedTuple):
    """Result of :func:`noise_floor`."""

    threshold: float
    """``‖ω‖₂ / √m``"""
    velocity: pd.Series
    """``ω_u`` of every token that occurs"""
    above: pd.Series
    """whether ``|ω_u|`` exceeds the threshold"""


def noise_floor(corpus: Any, residuals: Any, width: int) -> NoiseFloor:
    """Which tokens' co-occurrence velocity rises above the noise of a finite network's kernel.

    ``ω_u = Σ_i r_i n_u(x_i)``; a token rises above the floor when ``|ω_u| > ‖ω‖₂ / √m``

    A network of width ``m`` has off-diagonal kernel entries of order ``1/√m`` where the infinite one has
    none. They carry every other token's velocity to token ``u``: together a random ``‖ω‖₂/√m`` in units of
    the diagonal.

    Parameters
    ----------
    corpus : Corpus, Documents or sequence of N integer sequences
        The training documents.
    residuals : (N,) floats
        ``r_i = y_i − p_i``, at initialisation about ``y_i − 1/2``. For more than two classes, one class's
        column.
    width : int
        Hidden width ``m`` of the network, 1 or larger.

    Returns
    -------
    NoiseFloor
        ``threshold``, and ``velocity`` and ``above`` by token.

    Raises
    ------
    TypeError, ValueError
        If documents are malformed, residuals are not N finite numbers, or the width is not an integer of at
        least 1.

    Notes
    -----
    An order of magnitude. The constant in front of ``1/√m`` depends on activation and variances: 0.5 to 0.8
    for the MLP (measured; this library's tests repeat it), so the threshold is between one and two standard
    deviations of the noise, and chance lets some tokens through. It holds while the kernel stays near its
    initial value. Source: derivation.

    Examples
    --------
    >>> floor = noise_floor([[0, 0, 1], [0, 2]], residuals=[0.5, 0.5], width=4)
    >>> floor.velocity.tolist(), floor.above.tolist()
    ([1.5, 0.5, 0.5], [True, False, False])
    >>> round(floor.threshold, 3)
    0.829
    """
    documents = Documents.of(corpus, name="corpus")
    pull = finite_array(residuals, "residuals", (len(documents),))
    hidden = checked_integer(width, "width")
    parts: list[tuple[np.ndarray, np.ndarray]] = []
    start = 0
    for block in documents.blocks(_BLOCK_TOKENS):
        tokens, place = np.unique(block.ids, return_inverse=True)
        parts.append((tokens, np.bincount(place, weights=pull[start + block.rows])))
        start += len(block)
    units, token = np.unique(np.concatenate([tokens for tokens, _ in parts]), return_inverse=True)
    velocity = np.bincount(token, weights=np.concatenate([sums for _, sums in parts]))
    index = _index(units[:, None], getattr(corpus, "vocabulary", None))
    threshold = float(np.linalg.norm(velocity) / np.sqrt(hidden))
    return NoiseFloor(
        threshold,
        pd.Series(velocity, index=index, name="velocity"),
        pd.Series(np.abs(velocity) > threshold, index=index, name="above the noise floor"),
    )
