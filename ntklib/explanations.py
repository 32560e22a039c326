"""One score, split exactly: into features of the document, training documents, and parameter groups."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy import sparse

from ntklib.architectures.base import Architecture
from ntklib.architectures.network import GROUPS
from ntklib.spectrum import Feature, FeatureMap, pattern_name


@dataclass(frozen=True, eq=False)
class Explanation:
    """What a score is the sum of, in three ways; each adds up to :attr:`score`.

    Attributes
    ----------
    score : float
        ``s(x, t) − s(x, 0)``: the logit of class 1, or one class's score before the softmax.
    features : DataFrame
        One row a feature of the document that a training document has too, the largest first: ``ngram``,
        ``pattern``, ``count`` (``Φ_p(x)``), ``weight`` (``λ_p``) and ``score``
        (``Φ_p(x) λ_p Σ_i α_i Φ_p(x_i)``).
    documents : DataFrame
        One row a training document, in their order: ``pull`` (``α_i``), ``kernel`` (``Θ(x, x_i)``) and
        ``score``, their product.
    groups : Series
        Over the parameter groups.
    """

    score: float
    features: pd.DataFrame
    documents: pd.DataFrame
    groups: pd.Series

    @property
    def ngrams(self) -> pd.Series:
        """:attr:`features` added up by n-gram, wherever it stands; the largest first.

        ``_`` stands for a skipped token; ``<begin>`` and ``<end>`` for the edges of the document.
        """
        sums = self.features.groupby("ngram", sort=True)["score"].sum()
        return sums.iloc[np.argsort(-sums.abs().to_numpy(), kind="stable")]


def explain_score(
    architecture: Architecture,
    features: FeatureMap,
    dual: Float[np.ndarray, " documents"],
    document: sparse.csr_array,
    token_name: Callable[[int], str] = str,
) -> Explanation:
    """Split the score of one document exactly.

    ``s(x, t) − s(x, 0) = Σ_p Φ_p(x) Σ_g λ_p^g Σ_i α_i Φ_p(x_i)``, summed over the training documents ``i``
    and groups ``g`` for :attr:`~Explanation.features`, over the features ``p`` and groups for
    :attr:`~Explanation.documents`, and over both for :attr:`~Explanation.groups`.

    Parameters
    ----------
    architecture : Architecture
        With the feature map below.
    features : FeatureMap
        Of the N training documents.
    dual : (N,) float64
        ``α_i``, of one class.
    document : sparse (1, P) array
        ``Φ(x)``, over the columns of ``features``.
    token_name : callable
        From a token id to what stands in the tables.

    Returns
    -------
    Explanation

    Raises
    ------
    ValueError
        If the shapes do not fit.

    Notes
    -----
    ``O(nnz Φ)``. Of a truncated feature map it splits the score of that map. Source: derivation (book,
    :eq:`gradient-flow`).

    Examples
    --------
    >>> import ntklib
    >>> model, words = ntklib.MLP("tanh"), ["good", "film", "bad"]
    >>> flow = ntklib.gradient_flow(model, ([[0, 1], [2, 1]], [1, 0]), times=[1.0])
    >>> probe = model.feature_map([[0, 1, 1]], flow.features.columns).matrix
    >>> parts = explain_score(model, flow.features, flow.dual[-1], probe, words.__getitem__)
    >>> parts.ngrams.round(3).to_dict()
    {'good': 0.564, 'film': 0.0}
    """
    columns = len(features.columns)
    if document.shape != (1, columns):
        raise ValueError(f"document must be one row of {columns} features, not of shape {document.shape}.")
    if dual.shape != (features.matrix.shape[0],):
        raise ValueError(
            f"dual must have an entry for each of {features.matrix.shape[0]} documents, not {dual.shape}."
        )
    weights, pulls = features.weights, features.matrix.T @ dual
    learned = weights[document.indices] != 0  # tanh, say, has no bias
    held, counts = document.indices[learned], document.data[learned]
    scores = counts * weights[held] * pulls[held]
    found = [features.columns[int(column)] for column in held]
    table = pd.DataFrame(
        {
            "ngram": [ngram_name(architecture, feature, token_name) for feature in found],
            "pattern": [pattern_name(feature.pattern) for feature in found],
            "count": counts,
            "weight": weights[held],
            "score": scores,
        }
    )
    kernel = features.matrix @ (weights * document.toarray()[0])
    groups = {group: float(counts @ (features.group_weights(group)[held] * pulls[held])) for group in GROUPS}
    return Explanation(
        score=float(scores.sum()),
        features=table.iloc[np.argsort(-np.abs(scores), kind="stable")].reset_index(drop=True),
        documents=pd.DataFrame(
            {"pull": dual, "kernel": kernel, "score": dual * kernel},
            index=pd.RangeIndex(len(dual), name="document"),
        ),
        groups=pd.Series(groups, name="score").rename_axis("group"),
    )


def ngram_name(architecture: Architecture, feature: Feature, token_name: Callable[[int], str]) -> str:
    """Return a feature's tokens in reading order; ``_`` for a token it skips, ``bias`` for none.

    Examples
    --------
    >>> import ntklib
    >>> from ntklib.spectrum import Pattern
    >>> feature = Feature(Pattern((0, 2)), (7, 8))
    >>> ngram_name(ntklib.CNN(), feature, str), ngram_name(ntklib.LRNN(), feature, str)
    ('7 _ 8', '8 _ 7')
    """
    if not feature.pattern:
        return "bias"
    before = getattr(architecture, "window", 1) - 1  # a CNN's boundary tokens: −1, −2, … from the left
    words = ["_"] * (feature.pattern[-1] - feature.pattern[0] + 1)
    for offset, token in zip(feature.pattern, feature.tokens, strict=True):
        name = token_name(token) if token >= 0 else "<begin>" if -token <= before else "<end>"
        words[offset - feature.pattern[0]] = name
    # A recurrent unit is read from its end.
    return " ".join(words if architecture.context is not None else reversed(words))
