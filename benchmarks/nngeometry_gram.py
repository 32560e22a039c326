"""The empirical kernel against nngeometry's GramMatrix, in the form that suits nngeometry best.

It knows linear layers, and no embeddings or documents. So each token that occurs is an example, with a
one-hot row as its input, the embedding a linear layer, and documents are pooled from tokens afterwards:
cheaper than any padded array of positions.
"""

from functools import partial

import numpy as np
import torch

import ntklib
from benchmarks.empirical_kernels import MLP_SIZES, WIDTH, Inputs, by_ntklib, inputs
from benchmarks.measure import Comparison
from benchmarks.texts import used_vocabulary


class TokenPerceptron(torch.nn.Module):
    """The perceptron of one token from linear layers, with the weights of an ntklib network."""

    def __init__(self, weights: dict[str, torch.Tensor], tokens: torch.Tensor) -> None:
        super().__init__()
        self.root = len(weights["hidden"]) ** 0.5
        for name, weight in (
            ("embedding", weights["embedding"][tokens].T),
            ("hidden", weights["hidden"]),
            ("output", weights["output"][None, :]),
        ):
            layer = torch.nn.Linear(weight.shape[1], weight.shape[0], bias=False, dtype=weight.dtype)
            layer.weight.data.copy_(weight)
            setattr(self, name, layer)

    def forward(self, one_hot: torch.Tensor) -> torch.Tensor:
        """Score of each row's token."""
        hidden = torch.nn.functional.gelu(self.hidden(self.embedding(one_hot)) / self.root)
        return self.output(hidden) / self.root


def by_nngeometry(made: Inputs) -> np.ndarray:
    """Gram matrix of the tokens that occur, pooled over documents."""
    from nngeometry.gram import GramMatrix

    docs, size = used_vocabulary(made.docs)
    module = TokenPerceptron(made.weights, torch.from_numpy(np.unique(made.docs.ids)))
    one_hot = torch.eye(size, dtype=module.output.weight.dtype)
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(one_hot), batch_size=size)
    gram = GramMatrix(module, loader, function=lambda *batch: module(batch[0])).to_torch()
    counts = docs.counts(size)
    pooled = counts @ gram.detach().numpy().reshape(size, size)
    return counts @ np.ascontiguousarray(pooled.T)


COMPARISONS = {
    "mlp-nngeometry": Comparison(
        work="empirical NTK, perceptron",
        against="nngeometry, GramMatrix",
        sizes=MLP_SIZES,
        prepare=partial(inputs, model=ntklib.MLP(activation="gelu"), width=WIDTH, dtype=torch.float64),
        ours=by_ntklib,
        theirs=by_nngeometry,
        targets={256: 3.0, 1024: 8.0},
        width=WIDTH,
        repetitions={1024: 3},
        note="one example for each token that occurs, with a one-hot input; pooled over documents afterwards",
    )
}
