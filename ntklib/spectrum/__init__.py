"""The feature spectrum: match patterns, their Möbius weights and the sparse feature map that they define.

Every architecture here has a unit kernel that depends only on *which* tokens of two units are equal. Möbius
inversion over those match patterns turns it into a weighted sum of products of matches, and so the kernel of
whole documents into an inner product of sparse counts of gappy n-grams (book, :ref:`feature-map`).
"""

from ntklib.spectrum.columns import Feature, FeatureColumns, Units
from ntklib.spectrum.feature_map import FeatureMap, weighted_gram
from ntklib.spectrum.patterns import (
    Pattern,
    UnitKernel,
    feature_spectrum,
    match_patterns,
    moebius_weights,
    pattern_index,
    pattern_name,
)

__all__ = [
    "Feature",
    "FeatureColumns",
    "FeatureMap",
    "Pattern",
    "UnitKernel",
    "Units",
    "feature_spectrum",
    "match_patterns",
    "moebius_weights",
    "pattern_index",
    "pattern_name",
    "weighted_gram",
]
