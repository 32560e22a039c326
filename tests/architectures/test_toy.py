"""A new architecture takes one module and inherits the battery, the kernels and the dynamics."""

from dataclasses import dataclass

import numpy as np
import torch

from ntklib.architectures.base import Architecture
from ntklib.architectures.network import TextNetwork
from ntklib.spectrum import Units
from tests.architectures.battery import ArchitectureBattery


@dataclass(frozen=True)
class SummedEmbeddings(Architecture):
    """``s(x) = Σ_t v·e_t/√d``: the smallest model that has a kernel."""

    sigma_e: float = 1.0
    sigma_v: float = 1.0

    @property
    def context(self) -> int:
        return 1

    @property
    def network_class(self) -> type[TextNetwork]:
        return SummedEmbeddingsNetwork

    def unit_kernel(self, matches):
        equal = matches[..., 0].astype(np.float64)
        return {"output": self.sigma_e**2 * equal, "hidden": 0 * equal, "embedding": self.sigma_v**2 * equal}

    def units(self, docs):
        return Units(docs.ids[:, None], docs.rows, np.ones(len(docs.ids)))


class SummedEmbeddingsNetwork(TextNetwork):
    groups = {"output": "output", "embedding": "embedding"}  # noqa: RUF012

    def draw_weights(self):
        self.embedding = self.gaussian(self.vocabulary_size, self.width, sigma=self.architecture.sigma_e)
        self.output = self.gaussian(*self.output_shape, self.width, sigma=self.architecture.sigma_v)

    def forward(self, docs) -> torch.Tensor:
        documents = self.documents(docs)
        return self.readout(
            self.lookup("embedding", documents.ids, documents.rows), documents.rows, len(documents)
        )


class TestSummedEmbeddings(ArchitectureBattery):
    instances = (SummedEmbeddings(), SummedEmbeddings(0.5, 2.0))
