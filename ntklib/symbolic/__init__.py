"""A small Gaussian calculus in sympy: from a model's definition to its tangent kernel, nothing typed in.

A chapter writes the score with index sums, differentiates it (:func:`gradient`, :func:`tangent_kernel`),
averages over the Gaussian weights (:func:`gaussian_expectation`: exact at every width), takes the widths to
infinity (:func:`concentrate`, :func:`large_width_limit`), reads off which tokens must match
(:func:`match_weights`, :func:`count_matches`), and inserts an activation (:func:`evaluate`,
:func:`numerical_function`).
"""

from ntklib.symbolic.averages import Concentration, concentrate, concentration, large_width_limit
from ntklib.symbolic.evaluation import evaluate, numerical_function
from ntklib.symbolic.expectation import GaussianExpectation, gaussian_expectation
from ntklib.symbolic.integrals import gaussian_mean, gaussian_pair, weak_derivative
from ntklib.symbolic.matches import TokenCount, count_matches, match_split, match_weights
from ntklib.symbolic.model import (
    ActivationSymbol,
    AppliedActivation,
    GaussianWeights,
    gradient,
    tangent_kernel,
)
from ntklib.symbolic.sums import abbreviate, index_symbols, simplify_sums

__all__ = [
    "ActivationSymbol",
    "AppliedActivation",
    "Concentration",
    "GaussianExpectation",
    "GaussianWeights",
    "TokenCount",
    "abbreviate",
    "concentrate",
    "concentration",
    "count_matches",
    "evaluate",
    "gaussian_expectation",
    "gaussian_mean",
    "gaussian_pair",
    "gradient",
    "index_symbols",
    "large_width_limit",
    "match_split",
    "match_weights",
    "numerical_function",
    "simplify_sums",
    "tangent_kernel",
    "weak_derivative",
]
