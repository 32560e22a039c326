"""One battery of facts that every architecture must show. A new architecture inherits it unchanged."""

import dataclasses
from typing import ClassVar

import numpy as np
import pytest
import torch

from ntklib.architectures.base import GROUPS, Architecture
from ntklib.empirical import empirical_ntk, empirical_ntk_by_group

VOCABULARY = 12
DOCUMENTS = [[1, 2, 1, 5, 3], [2, 2, 4, 1, 0], [7, 1, 2, 3, 8], [5], [4, 11, 4]]
OTHERS = [[1, 2], [3, 3, 3], [9, 1, 2, 5], [6]]


def random_documents(seed: int, count: int = 12) -> list[list[int]]:
    rng = np.random.default_rng(seed)
    return [rng.integers(0, VOCABULARY, rng.integers(1, 9)).tolist() for _ in range(count)]


class ArchitectureBattery:
    """Inherit and name the ``instances`` to test."""

    instances: ClassVar[tuple[Architecture, ...]]
    monte_carlo_width: ClassVar[int] = 512
    monte_carlo_networks: ClassVar[int] = 24

    @pytest.fixture(params=range(3))
    def seed(self, request):
        return request.param

    def test_kernel_is_symmetric(self, seed):
        docs = random_documents(seed)
        for model in self.instances:
            kernel = model.kernel(docs)
            assert kernel == pytest.approx(kernel.T, rel=1e-12, abs=0)
            assert kernel == pytest.approx(model.kernel(docs, docs), rel=1e-12, abs=0)

    def test_kernel_is_positive_semi_definite(self, seed):
        for model in self.instances:
            eigenvalues = np.linalg.eigvalsh(model.kernel(random_documents(seed, 30)))
            assert eigenvalues.min() > -1e-12 * eigenvalues.max()

    def test_feature_map_kernel_equals_the_sum_over_positions(self, seed):
        docs, others = random_documents(seed), random_documents(seed + 100)
        for model in self.instances:
            assert model.kernel(docs, others) == pytest.approx(
                model.kernel_by_positions(docs, others), rel=1e-10
            )

    def test_feature_map_multiplies_out_to_the_kernel(self):
        for model in self.instances:
            matrix, weights, columns = model.feature_map(DOCUMENTS)
            assert matrix.shape == (len(DOCUMENTS), len(columns))
            assert weights.shape == (len(columns),)
            product = (matrix.toarray() * weights) @ matrix.toarray().T
            assert product == pytest.approx(model.kernel(DOCUMENTS), rel=1e-12)

    def test_moebius_weights_are_not_negative(self):
        for model in self.instances:
            weights = model.pattern_weights(3).sum(axis=1)
            assert weights.min() >= -1e-12 * weights.max()

    def test_groups_add_up_to_the_kernel(self):
        for model in self.instances:
            parts = model.kernel_by_group(DOCUMENTS, OTHERS)
            assert tuple(parts) == GROUPS
            assert sum(parts.values()) == pytest.approx(model.kernel(DOCUMENTS, OTHERS), rel=1e-12)

    def test_document_order_changes_nothing(self):
        order = np.array([3, 0, 4, 2, 1])
        shuffled = [DOCUMENTS[i] for i in order]
        for model in self.instances:
            assert model.kernel(shuffled) == pytest.approx(
                model.kernel(DOCUMENTS)[np.ix_(order, order)], rel=1e-12
            )

    def test_a_document_has_the_same_kernel_and_score_in_any_company(self):
        """No padding: neither a longer neighbour nor a larger batch reaches another document."""
        for model in self.instances:
            together = model.kernel(DOCUMENTS, OTHERS)
            network = model.network(16, VOCABULARY, seed=0)
            scores = network(DOCUMENTS).detach().numpy()
            for i, document in enumerate(DOCUMENTS):
                assert model.kernel([document], OTHERS)[0] == pytest.approx(together[i], rel=1e-12)
                assert network([document]).detach().numpy() == pytest.approx(
                    scores[[i]], rel=1e-10, abs=1e-12
                )

    def test_spectrum_sums_to_one(self):
        for model in self.instances:
            for order in (1, 2, 3):
                shares = model.spectrum(order)
                assert shares.index.tolist() == list(range(order + 1))
                assert shares.sum() == pytest.approx(1)
                assert (shares >= -1e-12).all()

    def test_finite_networks_average_to_the_kernel(self):
        """Each entry of the mean over random networks lies within 4.5 standard errors of the kernel.

        A width-m network's expected NTK differs from the limit by O(1/m): 3/m of it is allowed for that.
        """
        for model in self.instances:
            kernels = np.stack(
                [
                    empirical_ntk(
                        model.network(self.monte_carlo_width, VOCABULARY, seed=seed), DOCUMENTS, OTHERS
                    )
                    for seed in range(self.monte_carlo_networks)
                ]
            )
            standard_error = kernels.std(axis=0, ddof=1) / np.sqrt(len(kernels))
            kernel = model.kernel(DOCUMENTS, OTHERS)
            allowed = 4.5 * standard_error + 3 / self.monte_carlo_width * np.abs(kernel)
            assert (np.abs(kernels.mean(axis=0) - kernel) < allowed).all()

    def test_each_group_of_finite_networks_averages_to_its_part(self):
        model = self.instances[0]
        drawn = [
            empirical_ntk_by_group(
                model.network(self.monte_carlo_width, VOCABULARY, seed=seed), DOCUMENTS, OTHERS
            )
            for seed in range(self.monte_carlo_networks)
        ]
        for group, part in model.kernel_by_group(DOCUMENTS, OTHERS).items():
            kernels = np.stack([d.get(group, np.zeros_like(part)) for d in drawn])
            standard_error = kernels.std(axis=0, ddof=1) / np.sqrt(len(kernels))
            allowed = 4.5 * standard_error + 3 / self.monte_carlo_width * np.abs(part) + 1e-12
            assert (np.abs(kernels.mean(axis=0) - part) < allowed).all()

    def test_error_of_finite_networks_falls_with_the_square_root_of_width(self):
        model = self.instances[0]
        widths = np.array([64, 128, 256, 512, 1024])
        kernel = model.kernel(DOCUMENTS, OTHERS)
        errors = [
            np.mean(
                [
                    np.linalg.norm(
                        empirical_ntk(model.network(int(m), VOCABULARY, seed=s), DOCUMENTS, OTHERS) - kernel
                    )
                    for s in range(20)
                ]
            )
            for m in widths
        ]
        slope = np.polyfit(np.log(widths), np.log(errors), 1)[0]
        assert -0.65 < slope < -0.35

    def test_structured_empirical_kernel_equals_the_jacobian_product(self):
        for model in self.instances:
            for classes in (None, 3):
                network = model.network(16, VOCABULARY, seed=1, classes=classes)
                structured = empirical_ntk(network, DOCUMENTS, OTHERS, method="structured")
                jacobian = empirical_ntk(network, DOCUMENTS, OTHERS, method="jacobian")
                assert structured == pytest.approx(jacobian, rel=1e-10, abs=1e-12 * np.abs(jacobian).max())

    def test_networks_of_one_seed_are_equal_and_of_two_seeds_are_not(self):
        model = self.instances[0]
        first, again, other = (model.network(8, VOCABULARY, seed=s)(DOCUMENTS) for s in (0, 0, 1))
        assert torch.equal(first, again)
        assert not torch.allclose(first, other)

    def test_classes_give_one_score_each(self):
        assert self.instances[0].network(8, VOCABULARY, seed=0, classes=3)(DOCUMENTS).shape == (
            len(DOCUMENTS),
            3,
        )

    def test_bad_hyper_parameters_are_refused_by_name(self):
        model = self.instances[0]
        for field in dataclasses.fields(model):
            if field.name.startswith("sigma_"):
                for value in (0.0, -1.0, float("nan"), float("inf")):
                    with pytest.raises(ValueError, match=f"{field.name} must be a finite number above 0"):
                        dataclasses.replace(model, **{field.name: value})
            if field.name == "activation":
                with pytest.raises(ValueError, match=r"rellu.*relu"):
                    dataclasses.replace(model, activation="rellu")

    def test_bad_documents_are_refused_by_name(self):
        model = self.instances[0]
        network = model.network(8, VOCABULARY, seed=0)
        for call in (model.kernel, model.feature_map, network):
            with pytest.raises(ValueError, match=r"docs\w*\[1\] is empty"):
                call([[1], []])
            with pytest.raises(ValueError, match=r"docs\w*\[0\] holds token id -1"):
                call([[-1]])
            with pytest.raises(TypeError, match="docs"):
                call("a film")
        with pytest.raises(
            ValueError, match=r"docs\[0\] holds token id 12, but the vocabulary has 12 tokens"
        ):
            network([[VOCABULARY]])

    @pytest.mark.parametrize(("size", "error"), [(0, ValueError), (-4, ValueError), (True, TypeError)])
    def test_bad_sizes_of_a_network_are_refused_by_name(self, size, error):
        model = self.instances[0]
        with pytest.raises(error, match="width must be an integer, 1 or larger"):
            model.network(size, VOCABULARY, seed=0)
        with pytest.raises(error, match="vocabulary_size must be an integer, 1 or larger"):
            model.network(8, size, seed=0)
        with pytest.raises(ValueError, match="seed must be an integer, 0 or larger"):
            model.network(8, VOCABULARY, seed=-1)
