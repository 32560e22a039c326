"""How long one flow takes on a cluster, worked out from what was measured on one machine."""

import math
from typing import Any

from ntklib.cluster import STORED_PARTITION_TOKENS

VOCABULARY = 40_000
LINK = 1.25e9  # bytes a second of a 10 Gbit/s network


def constants(record: dict[str, Any], model: str) -> dict[str, float]:
    """Work out what a prediction needs, from the record of one size.

    Returns
    -------
    dict
        Seconds a token of making the features, seconds a token and product of the flow, tokens a sentence,
        and bytes of features a token.
    """
    tokens = record["tokens"]
    making = record["seconds"][f"{model} feature map"] + record["seconds"][f"{model} transpose"]
    return {
        "feature_seconds_per_token": making / tokens,
        "product_seconds_per_token": record["seconds"][f"{model} flow"] / record["flow_evaluations"] / tokens,
        "tokens_per_sentence": tokens / record["sentences"],
        "feature_bytes_per_token": 12 * record["entries"][model] / tokens,
    }


def evaluations_at(records: list[dict[str, Any]], count: float) -> float:
    """Extrapolate the evaluations of a whole flow from the largest one that was measured.

    They grow with the square root of the stiffness (see :mod:`ntklib.chebyshev`), which is the flow's time
    times ``λ_max``: the time does not depend on the number ``N`` of sentences, and ``λ_max`` is proportional
    to it. So ``E ∝ √N``.

    Examples
    --------
    >>> evaluations_at([{"sentences": 100, "whole_flow_evaluations": 50}, {"sentences": 9}], 10_000)
    500.0
    """
    held = max((r for r in records if "whole_flow_evaluations" in r), key=lambda r: r["sentences"])
    return held["whole_flow_evaluations"] * (count / held["sentences"]) ** 0.5


def predicted(
    measured: dict[str, float],
    count: float,
    workers: int,
    *,
    evaluations: float,
    latency: float,
    shared_features: int = VOCABULARY,
    partition_tokens: int = STORED_PARTITION_TOKENS,
    link: float = LINK,
) -> dict[str, float]:
    """Predict one flow of :func:`ntklib.gradient_flow` on a cluster.

    ``f T / P + E (c T / P + ℓ Q + 8 (3 N + 2 Q S) / link)`` seconds for ``N`` sentences of ``T`` tokens in
    all, on ``P`` workers with ``Q ≥ P`` partitions, and ``S`` features that all partitions share. All
    traffic is taken to pass the client's link one after the other, which is right for ``3 N`` (``α`` lives
    on the client) and too pessimistic for the rest.

    Parameters
    ----------
    measured : dict
        From :func:`constants`.
    count : float
        Sentences ``N``.
    workers : int
        ``P``.
    evaluations : float
        Products ``E`` with the kernel: see :func:`evaluations_at`.
    latency : float
        Seconds ``ℓ`` of one partition in a product with next to nothing to compute: one scheduler hands all
        of them out.
    shared_features : int
        ``S``: the vocabulary, for a model of single tokens.
    partition_tokens : int
        The most tokens of a partition: with more tokens than ``P`` of them hold, there are more partitions.
    link : float
        Bytes a second.

    Returns
    -------
    dict
        ``hours`` in all, of which ``feature_hours``, ``latency_hours`` and ``traffic_hours``; ``partitions``;
        ``bytes_per_evaluation``; ``worker_bytes``, the features that one worker keeps.

    Examples
    --------
    >>> measured = {"feature_seconds_per_token": 1e-6, "product_seconds_per_token": 1e-8,
    ...             "tokens_per_sentence": 20, "feature_bytes_per_token": 12}
    >>> alone, ten = (predicted(measured, 1e6, p, evaluations=100, latency=0.01) for p in (1, 10))
    >>> ten["hours"] < alone["hours"]
    True
    """
    tokens = measured["tokens_per_sentence"] * count
    partitions = max(workers, math.ceil(tokens / partition_tokens))
    traffic = 8 * (3 * count + 2 * partitions * shared_features)
    features = measured["feature_seconds_per_token"] * tokens / workers
    products = measured["product_seconds_per_token"] * tokens / workers
    return {
        "hours": (features + evaluations * (products + latency * partitions + traffic / link)) / 3600,
        "feature_hours": features / 3600,
        "latency_hours": evaluations * latency * partitions / 3600,
        "traffic_hours": evaluations * traffic / link / 3600,
        "partitions": partitions,
        "bytes_per_evaluation": traffic,
        "worker_bytes": measured["feature_bytes_per_token"] * tokens / workers,
    }
