"""Statistics: what the counts of a corpus say, and how sure a measured number is."""

from ntklib.statistics.agreement import class_trajectories, convergence_rate, label_scores, r_squared
from ntklib.statistics.counts import NoiseFloor, cooccurrence, noise_floor, token_classes
from ntklib.statistics.intervals import Interval, bootstrap_interval, rank_correlation
from ntklib.statistics.nulls import (
    NullDistribution,
    false_discovery,
    frequency_matched,
    shuffled_label_null,
)

__all__ = [
    "Interval",
    "NoiseFloor",
    "NullDistribution",
    "bootstrap_interval",
    "class_trajectories",
    "convergence_rate",
    "cooccurrence",
    "false_discovery",
    "frequency_matched",
    "label_scores",
    "noise_floor",
    "r_squared",
    "rank_correlation",
    "shuffled_label_null",
    "token_classes",
]
