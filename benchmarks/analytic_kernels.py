"""The kernel in the limit, from ragged documents, against scikit-ntk on dense arrays."""

import numpy as np

import ntklib
from benchmarks.measure import Comparison
from benchmarks.texts import VOCABULARY, ragged_documents, used_vocabulary
from ntklib import Documents

# With σ_v² = 1/2 the ReLU perceptron's kernel of two tokens is scikit-ntk's of depth 1 without bias.
RELU = ntklib.MLP("relu", sigma_v=0.5**0.5)
SIZES = (1000, 2000, 4000)
TOLERANCE = 1e-7


def linear_by_scikit_ntk(docs: Documents) -> np.ndarray:
    """Depth 0 on dense multi-hot rows: the product with no activation, its cheapest kernel."""
    from skntk import NeuralTangentKernel

    # Three layers of weights, each with the kernel of one.
    return 3 * NeuralTangentKernel(depth=0, bias=0)(docs.counts(VOCABULARY).toarray())


def relu_by_scikit_ntk(docs: Documents) -> np.ndarray:
    """Depth 1 on the dense one-hot rows of the tokens that occur, pooled over documents."""
    from skntk import NeuralTangentKernel

    numbered, size = used_vocabulary(docs)
    counts = numbered.counts(size)
    pooled = counts @ NeuralTangentKernel(depth=1, bias=0)(np.eye(size))
    return counts @ np.ascontiguousarray(pooled.T)


COMPARISONS = {
    "analytic-linear": Comparison(
        work="analytic NTK, perceptron without activation, ragged documents",
        against=f"scikit-ntk on dense multi-hot rows of {VOCABULARY:,}",
        sizes=SIZES,
        prepare=ragged_documents,
        ours=ntklib.MLP("identity").kernel,
        theirs=linear_by_scikit_ntk,
        targets={4000: 20.0},
        tolerance=TOLERANCE,
        note="depth 0: a product of dense matrices, the least that a dense array costs",
    ),
    "analytic-relu": Comparison(
        work="analytic NTK, ReLU perceptron, ragged documents",
        against="scikit-ntk on dense one-hot rows of the tokens used",
        sizes=(250, 1000, 4000),
        prepare=ragged_documents,
        ours=RELU.kernel,
        theirs=relu_by_scikit_ntk,
        targets={4000: 20.0},
        repetitions={4000: 1},
        tolerance=TOLERANCE,
        note="the same kernel: it is computed between tokens and pooled over documents",
    ),
}
