"""How long one flow takes on a cluster, worked out from what was measured on one machine."""

import math
from typing import Any

import numpy as np

from ntklib.cluster import STORED_PARTITION_TOKENS

VOCABULARY = 40_000
SOLVERS = ("explicit", "implicit")
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
    stage = f"{model} {record['flow_evaluations']} evaluations"
    making = record["seconds"][f"{model} feature map"] + record["seconds"][f"{model} transpose"]
    return {
        "feature_seconds_per_token": making / tokens,
        "product_seconds_per_token": record["seconds"][stage] / record["flow_evaluations"] / tokens,
        "tokens_per_sentence": tokens / record["sentences"],
        "feature_bytes_per_token": 12 * record["entries"][model] / tokens,
    }


def work_at(records: list[dict[str, Any]], solver: str, count: float) -> dict[str, float]:
    """Extrapolate what a flow to its default time asks of the kernel, to more sentences than were measured.

    That time does not depend on the number ``N`` of sentences, and ``λ_max`` is proportional to it. The
    explicit solver's evaluations grow with the square root of ``λ_max t`` (see :mod:`ntklib.chebyshev`), from
    the largest size that was measured. The implicit one's steps grow with the time they cover, so with
    ``log N``: a line is fitted through the sizes that were measured.

    Returns
    -------
    dict
        ``halves``, ``round_trips`` and ``document_vectors``: see :func:`benchmarks.scale.counted`.

    Examples
    --------
    >>> works = {100: {"halves": 100}, 1000: {"halves": 120}}
    >>> records = [{"sentences": n, "flow_work": {"MLP flow, explicit": w, "MLP flow, implicit": w}}
    ...            for n, w in works.items()]
    >>> work_at([*records, {"sentences": 9}], "explicit", 100_000)
    {'halves': 1200.0}
    >>> round(work_at(records, "implicit", 10_000)["halves"])
    140
    """
    held = sorted((r for r in records if "flow_work" in r), key=lambda r: r["sentences"])
    works = [record["flow_work"][f"MLP flow, {solver}"] for record in held]
    if solver == "explicit":
        factor = (count / held[-1]["sentences"]) ** 0.5
        return {name: value * factor for name, value in works[-1].items()}
    if len(held) == 1:
        return works[0]
    sizes = [math.log(record["sentences"]) for record in held]
    lines = {name: np.polyfit(sizes, [work[name] for work in works], 1) for name in works[0]}
    return {name: float(np.polyval(line, math.log(count))) for name, line in lines.items()}


def predicted(
    measured: dict[str, float],
    count: float,
    workers: int,
    *,
    work: dict[str, float],
    latency: float,
    shared_features: int = VOCABULARY,
    partition_tokens: int = STORED_PARTITION_TOKENS,
    link: float = LINK,
) -> dict[str, float]:
    """Predict one flow of :func:`ntklib.gradient_flow` on a cluster.

    ``f T / P + E c T / P + R (ℓ Q + 16 Q S / link) + 8 D N / link`` seconds for ``N`` sentences of ``T``
    tokens in all, on ``P`` workers with ``Q ≥ P`` partitions, and ``S`` features that all partitions share:
    ``E`` products, ``R`` round trips, ``D`` vectors of a number a document. All traffic is taken to pass the
    client's link one after the other, which is too pessimistic for the explicit solver's features.

    Parameters
    ----------
    measured : dict
        From :func:`constants`.
    count : float
        Sentences ``N``.
    workers : int
        ``P``.
    work : dict
        ``2E``, ``R`` and ``D``: see :func:`work_at`.
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
        ``products``, ``round_trips`` and ``traffic_bytes``; ``worker_bytes``, the features that one worker
        keeps.

    Examples
    --------
    >>> measured = {"feature_seconds_per_token": 1e-6, "product_seconds_per_token": 1e-8,
    ...             "tokens_per_sentence": 20, "feature_bytes_per_token": 12}
    >>> work = {"halves": 200, "round_trips": 100, "document_vectors": 300}
    >>> alone, ten = (predicted(measured, 1e6, p, work=work, latency=0.01) for p in (1, 10))
    >>> ten["hours"] < alone["hours"]
    True
    """
    tokens = measured["tokens_per_sentence"] * count
    partitions = max(workers, math.ceil(tokens / partition_tokens))
    products, round_trips = work["halves"] / 2, work["round_trips"]
    traffic = 16 * round_trips * partitions * shared_features + 8 * work["document_vectors"] * count
    features = measured["feature_seconds_per_token"] * tokens / workers
    computing = products * measured["product_seconds_per_token"] * tokens / workers
    waiting = round_trips * latency * partitions
    return {
        "hours": (features + computing + waiting + traffic / link) / 3600,
        "feature_hours": features / 3600,
        "latency_hours": waiting / 3600,
        "traffic_hours": traffic / link / 3600,
        "partitions": partitions,
        "products": round(products),
        "round_trips": round(round_trips),
        "traffic_bytes": traffic,
        "worker_bytes": measured["feature_bytes_per_token"] * tokens / workers,
    }
