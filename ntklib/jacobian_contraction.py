"""The empirical NTK of any torch module, from Jacobians: slow, large, and the reference of the other ways."""

import numpy as np
import torch

from ntklib.documents import Documents
from ntklib.kernel_sums import KernelSums
from ntklib.memory import require_memory


def add_by_jacobian(network: torch.nn.Module, parameters: dict[str, torch.Tensor], sums: KernelSums) -> None:
    """Add each parameter's part of the kernel to its sum, block by block of documents.

    ``Θ = J J'ᵀ`` with one row of ``J`` a document. Where both sets of documents are the same object, the
    upper triangle alone is computed.
    """
    first, second = sums.first, sums.second
    gradient_bytes = sum(p.numel() * p.element_size() for p in parameters.values())
    height = min(max(1, sums.memory_limit // (2 * gradient_bytes)), max(len(first), len(second)))
    require_memory(
        (2 * height + 1) * gradient_bytes,
        f"the gradients of {height} + {height} documents, {gradient_bytes / 1e9:.3g} GB each",
        "lower memory_limit, use a smaller network, or one with structured tangents",
    )
    for top in range(0, len(first), height):
        rows = slice(top, min(top + height, len(first)))
        row_gradients = _gradients(network, parameters, first[rows], sums.output)
        for left in range(top if sums.symmetric else 0, len(second), height):
            columns = slice(left, min(left + height, len(second)))
            diagonal = sums.symmetric and left == top
            column_gradients = (
                row_gradients if diagonal else _gradients(network, parameters, second[columns], sums.output)
            )
            for name, row_gradient in row_gradients.items():
                block = row_gradient @ column_gradients[name].T
                total = sums.totals[sums.keys[name]]
                total[rows, columns] += block
                if sums.symmetric and not diagonal:
                    total[columns, rows] += block.T


def _gradients(
    network: torch.nn.Module, parameters: dict[str, torch.Tensor], docs: Documents, output: int
) -> dict[str, np.ndarray]:
    """One row of gradients a document. Ragged documents are nothing for ``vmap``, so they take turns."""

    def score(values: dict[str, torch.Tensor], document: Documents) -> torch.Tensor:
        return torch.func.functional_call(network, values, (document,)).reshape(-1)[output]

    gradients = {name: np.empty((len(docs), p.numel()), p.numpy().dtype) for name, p in parameters.items()}
    for i in range(len(docs)):
        for name, gradient in torch.func.grad(score)(parameters, docs[[i]]).items():
            gradients[name][i] = gradient.reshape(-1).numpy()
    return gradients
