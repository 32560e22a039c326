from ntklib.symbolic.expectation import GaussianExpectation, gaussian_expectation
from ntklib.symbolic.limits import TokenCount, concentrate, concentration, count_matches, large_width_limit, match_split, match_weights
from ntklib.symbolic.model import ActivationSymbol, AppliedActivation, GaussianWeights, gradient, tangent_kernel
from ntklib.symbolic.sums import index_symbols, simplify_sums
