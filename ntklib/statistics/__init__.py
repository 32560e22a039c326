"""Statistics: what the counts of a corpus say, and how sure a measured number is."""

from ntklib.statistics.agreement import class_trajectories, convergence_rate, label_scores, r_squared
from ntklib.statistics.counts import NoiseFloor, cooccurrence, noise_floor, token_classes
from ntklib.statistics.health import class_balance, copied_documents, rare_tokens
from ntklib.statistics.intervals import Interval, bootstrap_interval, rank_correlation
from ntklib.statistics.nulls import (
    NullDistribution,
    false_discovery,
    frequency_matched,
    shuffled_label_null,
)
from ntklib.statistics.shortcuts import leaking_tokens, spurious_candidates

__all__ = [
    "Interval",
    "NoiseFloor",
    "NullDistribution",
    "bootstrap_interval",
    "class_balance",
    "class_trajectories",
    "convergence_rate",
    "cooccurrence",
    "copied_documents",
    "false_discovery",
    "frequency_matched",
    "label_scores",
    "leaking_tokens",
    "noise_floor",
    "r_squared",
    "rank_correlation",
    "rare_tokens",
    "shuffled_label_null",
    "spurious_candidates",
    "token_classes",
]
