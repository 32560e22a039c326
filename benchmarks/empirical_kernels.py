"""The empirical kernel against torch.func: Jacobians contracted, NTK-vector products; all architectures."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch

import ntklib
from benchmarks import plain_torch
from benchmarks.measure import Comparison
from benchmarks.texts import LENGTH, VOCABULARY, equal_documents, used_vocabulary
from ntklib import Documents

WIDTH = 1024
FLOAT32 = 1e-5  # relative to the largest entry


class Inputs(NamedTuple):
    """A network, its documents, and both as torch.func takes them."""

    network: torch.nn.Module
    docs: Documents
    weights: plain_torch.Parameters
    ids: torch.Tensor


def inputs(
    count: int, model: Any, width: int, vocabulary: str = "whole", dtype: torch.dtype = torch.float32
) -> Inputs:
    """Draw documents of equal lengths and a network over the whole vocabulary or over the tokens used."""
    docs, size = equal_documents(count), VOCABULARY
    if vocabulary == "used":
        docs, size = used_vocabulary(docs)
    network = model.network(width=width, vocabulary_size=size, seed=0, dtype=dtype)
    weights = {name: parameter.detach() for name, parameter in network.named_parameters()}
    return Inputs(network, docs, weights, torch.from_numpy(docs.ids.reshape(count, -1)))


def by_ntklib(made: Inputs) -> np.ndarray:
    """Compute the whole kernel."""
    return ntklib.empirical_ntk(made.network, made.docs)


def by_ntklib_in_little_memory(made: Inputs) -> np.ndarray:
    """Compute the whole kernel, holding layers of 8 MiB beside it."""
    return ntklib.empirical_ntk(made.network, made.docs, memory_limit=2**23)


def by_jacobians(score: plain_torch.Score, block: int, pairs: int | None, made: Inputs) -> np.ndarray:
    """Contract Jacobians of ``block`` documents, for so many pairs of blocks."""
    return plain_torch.jacobian_contraction(score, made.weights, made.ids, block, pairs).numpy()


def by_vector_products(score: plain_torch.Score, columns: int, made: Inputs) -> np.ndarray:
    """Compute some columns of the kernel without a Jacobian."""
    return plain_torch.ntk_vector_products(score, made.weights, made.ids, columns).numpy()


def pairs_of_blocks(count: int, block: int) -> int:
    """How many pairs of blocks the upper triangle has."""
    blocks = -(-count // block)
    return blocks * (blocks + 1) // 2


def against_one_jacobian(
    work: str, model: Any, score: plain_torch.Score, width: int, vocabulary: str, target: float
) -> Comparison:
    """Compare at N = 128, L = 20, where the other side's whole Jacobian fits into memory."""
    size = f"{VOCABULARY:,}" if vocabulary == "whole" else "the tokens used"
    return Comparison(
        work=f"empirical NTK, {work}",
        against=f"torch.func, one Jacobian, vocabulary of {size}",
        sizes=(32, 64, 128),
        prepare=partial(inputs, model=model, width=width, vocabulary=vocabulary),
        ours=by_ntklib,
        theirs=partial(by_jacobians, score, 128, None),
        targets={128: target},
        width=width,
        precision="float32",
        tolerance=FLOAT32,
        note=f"documents of {LENGTH} tokens; one vmapped gradient of all documents, one product",
    )


MLP = ntklib.MLP(activation="gelu")
MLP_SIZES = (256, 512, 1024)
MLP_TARGETS = {256: 150.0, 1024: 400.0}


def mlp_comparison(
    against: str,
    theirs: Callable[[Inputs], np.ndarray],
    share: dict[int, float],
    vocabulary: str,
    note: str,
    ours: Callable[[Inputs], np.ndarray] = by_ntklib,
) -> Comparison:
    """Compare the perceptron's kernel at width 1024."""
    return Comparison(
        work="empirical NTK, perceptron",
        against=against,
        sizes=MLP_SIZES,
        prepare=partial(inputs, model=MLP, width=WIDTH, vocabulary=vocabulary),
        ours=ours,
        theirs=theirs,
        targets=MLP_TARGETS,
        width=WIDTH,
        share=share,
        precision="float32",
        tolerance=FLOAT32,
        note=note,
    )


COMPARISONS = {
    "mlp-jacobian": mlp_comparison(
        f"torch.func, Jacobians contracted, vocabulary of {VOCABULARY:,}",
        partial(by_jacobians, plain_torch.mlp, 32, 2),
        {count: 2 / pairs_of_blocks(count, 32) for count in MLP_SIZES},
        "whole",
        "blocks of 32 documents, each block's gradients 2.4 GB; two pairs of blocks are measured and scaled; "
        "ntklib is told to hold no more than 8 MiB of layers (memory_limit), where 2 GiB are the default",
        ours=by_ntklib_in_little_memory,
    ),
    "mlp-jacobian-used": mlp_comparison(
        "torch.func, Jacobians contracted, only the tokens used",
        partial(by_jacobians, plain_torch.mlp, 128, 2),
        {count: 2 / pairs_of_blocks(count, 128) for count in MLP_SIZES},
        "used",
        "the vocabulary is cut to the tokens that occur; blocks of 128 documents; two pairs of blocks are "
        "measured and scaled",
    ),
    "mlp-vector-products": mlp_comparison(
        f"torch.func, NTK-vector products, vocabulary of {VOCABULARY:,}",
        partial(by_vector_products, plain_torch.mlp, 4),
        {count: 4 / count for count in MLP_SIZES},
        "whole",
        "a gradient of one document and a Jacobian-vector product of all for each column; four columns are "
        "measured and scaled",
    ),
}
for _name, _model, _score, _width, _target in (
    ("cnn", ntklib.CNN(3, "gelu"), plain_torch.cnn, 256, 25.0),
    ("attention", ntklib.Attention(), plain_torch.attention, 256, 50.0),
    ("l-rnn", ntklib.LRNN("tanh"), plain_torch.linearised_rnn, 256, 20.0),
):
    for _vocabulary in ("whole", "used"):
        COMPARISONS[f"{_name}-{_vocabulary}"] = against_one_jacobian(
            _name, _model, _score, _width, _vocabulary, _target
        )
COMPARISONS["matrix-vector-whole"] = against_one_jacobian(
    "matrix-vector", ntklib.MatrixVector(), plain_torch.matrix_vector, 16, "whole", 20.0
)
COMPARISONS["matrix-vector-used"] = against_one_jacobian(
    "matrix-vector", ntklib.MatrixVector(), plain_torch.matrix_vector, 64, "used", 20.0
)
