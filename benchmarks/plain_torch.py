"""The networks as a user of torch.func would write them: one document of token ids in, one score out."""

from collections.abc import Callable

import torch

Parameters = dict[str, torch.Tensor]
Score = Callable[[Parameters, torch.Tensor], torch.Tensor]


def mlp(weights: Parameters, ids: torch.Tensor) -> torch.Tensor:
    """Perceptron over each token, GELU."""
    width = len(weights["hidden"])
    embedded = weights["embedding"][ids]
    return (
        torch.nn.functional.gelu(embedded @ weights["hidden"].T / width**0.5) @ weights["output"]
    ).sum() / (width**0.5)


def cnn(weights: Parameters, ids: torch.Tensor) -> torch.Tensor:
    """Convolution over windows of 3 tokens with boundary embeddings, GELU."""
    width, columns = weights["hidden"].shape
    before, after = weights["boundary"].chunk(2)
    padded = torch.cat([before, weights["embedding"][ids], after])
    count = len(padded) - columns // width + 1
    windows = torch.cat([padded[k : k + count] for k in range(columns // width)], dim=1)
    hidden = torch.nn.functional.gelu(windows @ weights["hidden"].T / columns**0.5)
    return (hidden @ weights["output"]).sum() / width**0.5


def attention(weights: Parameters, ids: torch.Tensor) -> torch.Tensor:
    """Tied self-attention with scores over the width."""
    width = len(weights["hidden"])
    embedded = weights["embedding"][ids]
    contexts = torch.softmax(embedded @ embedded.T / width, dim=1) @ embedded
    return (contexts.sum(dim=0) @ weights["hidden"].T) @ weights["output"] / width


def linearised_rnn(weights: Parameters, ids: torch.Tensor) -> torch.Tensor:
    """Recurrent network, linearised in its state, tanh; reads the sum of the states."""
    width = len(weights["hidden"])
    values = torch.tanh(weights["embedding"][ids] @ weights["hidden"].T / width**0.5)
    slopes = 1 - values**2
    state = values[0]
    total = state
    for time in range(1, len(ids)):
        state = values[time] + slopes[time] * (weights["recurrent"] @ state) / width**0.5
        total = total + state
    return total @ weights["output"] / width**0.5


def matrix_vector(weights: Parameters, ids: torch.Tensor) -> torch.Tensor:
    """Give each token a matrix and a vector; read the sum of the states."""
    width = weights["vectors"].shape[1]
    matrices = weights["matrices"][ids].view(len(ids), width, width)
    vectors = weights["vectors"][ids]
    state = vectors[0]
    total = state
    for time in range(1, len(ids)):
        state = matrices[time] @ state / width**0.5 + vectors[time]
        total = total + state
    return total @ weights["output"] / width**0.5


def jacobian(score: Score, weights: Parameters, ids: torch.Tensor) -> Parameters:
    """Gradients of all documents' scores, by parameter: (N, ...) each."""
    return torch.func.vmap(torch.func.grad(score), (None, 0))(weights, ids)


def contract(first: Parameters, second: Parameters) -> torch.Tensor:
    """Inner products of gradients, summed over parameters."""
    parts = [first[name].flatten(1) @ second[name].flatten(1).T for name in first]
    return torch.stack(parts).sum(dim=0)


def jacobian_contraction(
    score: Score, weights: Parameters, ids: torch.Tensor, block: int, pairs: int | None = None
) -> torch.Tensor:
    """Kernel from explicit Jacobians, of ``block`` documents at a time, upper triangle of blocks only.

    With ``pairs`` it stops after so many pairs of blocks and leaves NaN elsewhere.
    """
    kernel = torch.full((len(ids), len(ids)), torch.nan, dtype=weights["output"].dtype)
    done = 0
    for top in range(0, len(ids), block):
        rows = jacobian(score, weights, ids[top : top + block])
        for left in range(top, len(ids), block):
            if done == pairs:
                return kernel
            columns = rows if left == top else jacobian(score, weights, ids[left : left + block])
            part = contract(rows, columns)
            kernel[top : top + block, left : left + block] = part
            kernel[left : left + block, top : top + block] = part.T
            done += 1
    return kernel


def ntk_vector_products(score: Score, weights: Parameters, ids: torch.Tensor, columns: int) -> torch.Tensor:
    """First columns of the kernel, each by one gradient and one Jacobian-vector product; NaN elsewhere."""
    kernel = torch.full((len(ids), len(ids)), torch.nan, dtype=weights["output"].dtype)
    scores = torch.func.vmap(score, (None, 0))
    for column in range(columns):
        gradient = torch.func.grad(score)(weights, ids[column])
        _, kernel[:, column] = torch.func.jvp(lambda values: scores(values, ids), (weights,), (gradient,))
    return kernel
