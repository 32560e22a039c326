"""Tokens that a classifier should not lean on: those that give the label away, and those of few documents."""

from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.stats import binom

from ntklib.corpora.provenance import first_occurrences
from ntklib.statistics.counts import _index
from ntklib.validation import checked_integer, labelled_documents, proportion


def leaking_tokens(
    corpus: Any, *, remaining: float = 0.1, level: float = 0.05, fewest: int = 5
) -> pd.DataFrame:
    """Tokens whose mere presence gives the label away.

    A token leaks class ``c`` when at most ``remaining (1 − π_c)`` of the documents that hold it have another
    label, ``π_c`` the class's share of all documents, and chance would hardly do that for any of the tokens.

    Parameters
    ----------
    corpus : Corpus, or a pair (documents, labels)
        N documents. Copies of a document count once for each label.
    remaining : float
        What is left of the other labels' share beside a token that leaks, between 0 and 1.
    level : float
        Chance, over all tokens together, of calling one a leak that tells nothing on the label.
    fewest : int
        Tokens of fewer documents are left out.

    Returns
    -------
    DataFrame
        One row a token, the surest first: its ``class`` (the one it tells most about), the number of
        ``documents`` that hold it, the ``share`` of them in that class, the ``coverage`` (share of that
        class's documents that hold it), ``p`` (binomial, times the number of tokens) and
        whether it ``leaks``.

    Raises
    ------
    TypeError, ValueError
        If the corpus is malformed or a bound is out of its range.

    Notes
    -----
    An honest word can be as sure as a leak: a reader decides. Source: definition of this book.

    Examples
    --------
    >>> documents = [[0, 1 + i] for i in range(20)] + [[1 + i] for i in range(20)]
    >>> table = leaking_tokens((documents, [1] * 20 + [0] * 20))
    >>> int(table.loc[0, "class"]), int(table.loc[0, "documents"]), bool(table.loc[0, "leaks"])
    (1, 20, True)
    """
    bound, alpha = proportion(remaining, "remaining"), proportion(level, "level")
    least = checked_integer(fewest, "fewest")
    documents, labels, classes = labelled_documents(corpus)
    text = first_occurrences(documents)
    _, once = np.unique(text * len(classes) + labels, return_index=True)
    kept, kept_labels = documents[np.sort(once)], labels[np.sort(once)]
    holds = kept.counts(int(documents.ids.max()) + 1)
    holds.data[:] = 1
    totals = np.bincount(kept_labels, minlength=len(classes))
    by_class = np.stack(
        [np.asarray(holds[kept_labels == c].sum(axis=0)).ravel() for c in range(len(classes))], axis=1
    )
    tokens = np.flatnonzero(by_class.sum(axis=1) >= least)
    held = by_class[tokens].sum(axis=1)
    share = by_class[tokens] / np.maximum(held, 1)[:, None]
    prior = totals / totals.sum()
    # The class whose base rate the token's presence raises most, on the scale of what is left to raise.
    raised = (share - prior) / np.maximum(1 - prior, 1e-12)
    best = np.argmax(np.round(raised, 9), axis=1)
    rows = np.arange(len(tokens))
    chance = binom.sf(by_class[tokens][rows, best] - 1, held, prior[best])
    p = np.minimum(1.0, chance * max(1, len(tokens)))
    leaks = (np.round(1 - raised[rows, best], 9) <= bound) & (p <= alpha)
    frame = pd.DataFrame(
        {
            "class": [classes[c] for c in best],
            "documents": held.astype(np.int64),
            "share": share[rows, best],
            "coverage": by_class[tokens][rows, best] / np.maximum(totals[best], 1),
            "p": p,
            "leaks": leaks,
        },
        index=_index(tokens[:, None], getattr(corpus, "vocabulary", None)),
    )
    order = np.lexsort((tokens, -held, -np.round(raised[rows, best], 9), p > alpha))
    return frame.iloc[order]


def spurious_candidates(
    corpus: Any, *, width: int = 1024, unstable: float = 0.5, few: int = 20
) -> pd.DataFrame:
    """Tokens that a network would learn fast from few documents: candidates for a spurious feature.

    | velocity ``ω_u^c = Σ_i r_i^c n_u(x_i)`` with ``r_i^c = 1[y_i = c] − π_c``
    | half-split difference ``(Σ_g (ω_u^g)²)^½ / |ω_u|``, over groups ``g`` of equal documents

    The difference is the root mean square, over random halves that keep copies together, of what the two
    halves' velocities differ by, in units of the whole: 1 and more says that the halves need not agree even
    on the sign.

    Parameters
    ----------
    corpus : Corpus, or a pair (documents, labels)
        The training documents.
    width : int
        A token must rise above the noise floor of a network of this width to be a candidate.
    unstable : float
        Half-split difference from which a token is a candidate, between 0 and 1.
    few : int
        Up to so many different documents are called few.

    Returns
    -------
    DataFrame
        One row for each token above the floor, the fastest first: ``class`` (of the largest velocity),
        ``velocity``, ``documents`` (different ones that hold it), ``half-split difference``, whether it is a
        ``candidate``, and ``why``: it stands in few documents, or in many whose pulls nearly cancel.

    Raises
    ------
    TypeError, ValueError
        If the corpus is malformed or a bound is out of its range.

    Notes
    -----
    Exact: no random split is drawn. See :func:`~ntklib.statistics.noise_floor` for the floor; for more than
    two classes a token needs to rise above that of one class. Source: derivation.

    Examples
    --------
    Token 0 stands in ten documents of class 1; token 1 nine times in a single one.

    >>> documents = [[0, 2 + i] for i in range(10)] + [[2 + i] for i in range(10)] + [[1] * 9]
    >>> found = spurious_candidates((documents, [1] * 10 + [0] * 10 + [1]), width=16)
    >>> found["documents"].to_dict(), found["candidate"].to_dict()
    ({0: 10, 1: 1}, {0: False, 1: True})
    """
    hidden, bound = checked_integer(width, "width"), proportion(unstable, "unstable")
    support = checked_integer(few, "few")
    documents, labels, classes = labelled_documents(corpus)
    size = int(documents.ids.max()) + 1
    counts = documents.counts(size)
    _, group = np.unique(first_occurrences(documents), return_inverse=True)
    membership = sparse.csr_array(
        (np.ones(len(documents)), (group, np.arange(len(documents)))), shape=(group.max() + 1, len(documents))
    )
    holders = np.diff((membership @ counts).tocsc().indptr)
    prior = np.bincount(labels, minlength=len(classes)) / len(labels)
    velocity, difference = np.zeros((size, len(classes))), np.full((size, len(classes)), np.inf)
    above = np.zeros((size, len(classes)), dtype=bool)
    for c in range(len(classes)):
        residuals = (labels == c) - prior[c]
        by_group = (membership @ counts.multiply(residuals[:, None])).tocsr()
        moved = np.asarray(by_group.sum(axis=0)).ravel()
        spread = np.sqrt(np.asarray(by_group.multiply(by_group).sum(axis=0)).ravel())
        velocity[:, c] = moved
        np.divide(spread, np.abs(moved), out=difference[:, c], where=np.round(np.abs(moved), 9) > 0)
        # Rounded, so that a velocity that equals the floor is on the same side of it on every machine.
        above[:, c] = np.round(np.abs(moved) - np.linalg.norm(moved) / np.sqrt(hidden), 9) > 0
    best = np.argmax(np.round(velocity, 9), axis=1)
    tokens = np.flatnonzero(above[np.arange(size), best])
    own = best[tokens]
    candidate = np.round(difference[tokens, own], 9) >= bound
    why = np.where(holders[tokens] <= support, "few documents", "pulls that nearly cancel")
    frame = pd.DataFrame(
        {
            "class": [classes[c] for c in own],
            "velocity": velocity[tokens, own],
            "documents": holders[tokens].astype(np.int64),
            "half-split difference": difference[tokens, own],
            "candidate": candidate,
            "why": np.where(candidate, why, ""),
        },
        index=_index(tokens[:, None], getattr(corpus, "vocabulary", None)),
    )
    return frame.iloc[np.lexsort((tokens, -np.round(frame["velocity"].to_numpy(), 9)))]
