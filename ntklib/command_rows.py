"""Rows that the commands show: of scores, of an explanation's parts, of a spectrum."""

from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from ntklib.architectures.base import Architecture
from ntklib.corpora import Corpus
from ntklib.explanations import Explanation


def token_rows(scores: Any, texts: Corpus, top: int) -> pd.DataFrame:
    """For each class the ``top`` tokens that speak most for it.

    Parameters
    ----------
    scores : Series over tokens, or DataFrame of tokens by class
        Label scores; with two classes the logit of the second, whose most negative ones are the first's.
    texts : Corpus
    top : int

    Returns
    -------
    DataFrame
        Columns class, token, count (occurrences in the corpus), score.
    """
    occurrences = np.bincount(texts.tokens.ids, minlength=len(texts.vocabulary))
    parts = []
    for place, name in enumerate(texts.classes):
        column = scores if scores.ndim == 1 else scores[place]
        values = column.to_numpy()
        for_class = -values if scores.ndim == 1 and place == 0 else values
        order = np.argsort(-for_class, kind="stable")[:top]
        tokens = [str(token) for token in column.index[order]]
        rows = {"class": name, "token": tokens, "count": occurrences[order], "score": values[order]}
        parts.append(pd.DataFrame(rows))
    return pd.concat(parts, ignore_index=True)


def probe_rows(scores: Any, texts: Corpus) -> pd.DataFrame:
    """One row a probe and, for more than two classes, a class; ``scores`` as for :func:`token_rows`."""
    if scores.ndim == 1:
        return pd.DataFrame({"class": texts.classes[1], "probe": scores.index, "score": scores.to_numpy()})
    rows = [
        {"class": name, "probe": probe, "score": float(scores.loc[probe, place])}
        for probe in scores.index
        for place, name in enumerate(texts.classes)
    ]
    return pd.DataFrame(rows)


def part_rows(parts: Explanation, by: str, texts: Corpus) -> pd.DataFrame:
    """Return a part of an explanation, with the column ``score``: by document, n-gram or group."""
    if by == "group":
        return parts.groups.reset_index()
    if by == "ngram":
        return parts.ngrams.reset_index()
    return pd.DataFrame(
        {
            "document": parts.documents.index,
            "label": [texts.classes[label] for label in texts.labels],
            "score": parts.documents["score"],
            "text": [" ".join(texts.vocabulary.decode(document)) for document in texts.tokens],
        }
    )


def top_rows(table: pd.DataFrame, top: int) -> pd.DataFrame:
    """Rows of the largest scores, and one more that adds up the others.

    Examples
    --------
    >>> table = pd.DataFrame({"ngram": ["a", "b", "c"], "score": [0.5, -2.0, 0.25]})
    >>> top_rows(table, 1).values.tolist()
    [['b', -2.0], ['2 others', 0.75]]
    """
    order = np.argsort(-table["score"].abs().to_numpy(), kind="stable")
    shown, others = table.iloc[order[:top]], table.iloc[order[top:]]
    if len(others) == 0:
        return shown
    first = table.columns[0]
    last: dict[Any, Any] = dict.fromkeys(table.columns, "")
    last |= {first: f"{len(others):,} others", "score": float(others["score"].sum())}
    return pd.concat([shown.astype({first: object}), pd.DataFrame([last])], ignore_index=True)


def spectrum_rows(model: Architecture, order: int) -> pd.DataFrame:
    """Return the feature spectrum: one row a size of features, with its share by parameter group."""
    weights = model.pattern_weights(order)
    sizes = np.array([len(pattern) for pattern in weights.index])
    names = ["bias", "tokens", *(f"{n}-grams" for n in range(2, order + 1))]
    if sizes.max() > order:
        names[order] += " and larger"
    shares = model.spectrum(order).to_numpy()
    table = pd.DataFrame({"order": range(order + 1), "features": names, "share": shares})
    total = float(weights.to_numpy().sum())
    for group in weights.columns:
        sums = np.bincount(np.minimum(sizes, order), weights=weights[group], minlength=order + 1)
        table[group] = sums / total
    return table


def corpus_shares(
    model: Architecture, texts: Corpus, order: int
) -> tuple[Float[np.ndarray, " sizes"], float]:
    """Shares of ``Σ_i Θ(x_i, x_i)`` by the number of tokens in a feature, and the share that is left out.

    Raises
    ------
    ValueError
        If that sum is zero.
    """
    features = model.feature_map(texts.tokens)
    squares = np.asarray(features.matrix.multiply(features.matrix).sum(axis=0))
    sizes = np.minimum([len(pattern) for pattern in features.columns.patterns], order)
    of_feature = sizes[features.columns.pattern_index]
    parts = np.bincount(of_feature, weights=squares * features.weights, minlength=order + 1)
    left_out = float(features.error_bound.sum())
    whole = float(parts.sum()) + left_out
    if whole == 0:
        raise ValueError("the documents have a kernel of zero: it has no spectrum.")
    return parts / whole, left_out / whole
