from types import SimpleNamespace

import numpy as np
import psutil
import pytest
import torch
from scipy import sparse

from ntklib import MLP, Documents, ElmanRNN, MatrixVector, empirical_ntk, empirical_ntk_by_group, expected_ntk
from ntklib.architectures.mlp import MLPNetwork
from ntklib.empirical import largest_eigenvalue
from ntklib.gram import ParameterTangents

VOCABULARY = 30


def documents(seed, count, longest=12):
    generator = np.random.default_rng(seed)
    return [generator.integers(VOCABULARY, size=generator.integers(1, longest + 1)) for _ in range(count)]


def mlp(activation="gelu", width=16, **options):
    return MLP(activation=activation).network(width=width, vocabulary_size=VOCABULARY, seed=3, **options)


class PooledPerceptron(torch.nn.Module):
    """Sums embeddings before the hidden layer, has a bias, and reads out through its hidden weights again."""

    def __init__(self, width=6):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.width = width
        for name, shape in {
            "embedding": (VOCABULARY, width),
            "hidden": (width, width),
            "bias": (width,),
        }.items():
            values = torch.randn(*shape, generator=generator, dtype=torch.float64)
            self.register_parameter(name, torch.nn.Parameter(values))

    def layers(self, counts):
        summed = counts @ self.embedding
        preactivations = summed @ self.hidden.T + self.bias
        return summed, preactivations, torch.tanh(preactivations) @ self.hidden.T

    def counts(self, docs):
        return torch.from_numpy(Documents.of(docs).counts(VOCABULARY).toarray())

    def forward(self, docs):
        return self.layers(self.counts(docs))[2].sum(dim=1)

    def tangents(self, docs, output=0):
        counts = self.counts(docs)
        summed, preactivations, _ = (layer.detach() for layer in self.layers(counts))
        activated = torch.tanh(preactivations)
        signals = self.hidden.detach().sum(dim=0) * (1 - activated**2)
        reaching = (signals @ self.hidden).detach().numpy()
        each = sparse.eye_array(len(docs), format="csr")
        inputs = np.concatenate([summed.numpy(), activated.numpy()])
        outgoing = np.concatenate([signals.numpy(), np.ones_like(signals.numpy())])
        return [
            ParameterTangents("embedding", (sparse.csr_array(counts.numpy()), reaching), each),
            ParameterTangents("hidden", (inputs, outgoing), sparse.hstack([each, each], format="csr")),
            ParameterTangents("bias", (signals.numpy(),), each),
        ]


class Attentive(torch.nn.Module):
    """A module with no tangents, of torch's own layers, with dropout and one score of each of two classes."""

    def __init__(self):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.embedding = torch.nn.Embedding(VOCABULARY, 4, dtype=torch.float64)
            self.attention = torch.nn.Linear(4, 1, dtype=torch.float64)
            self.dropout = torch.nn.Dropout(0.5)
            self.output = torch.nn.Linear(4, 2, dtype=torch.float64)

    def forward(self, docs):
        pooled = []
        for document in docs:
            embedded = self.embedding(torch.as_tensor(document))
            pooled.append((self.attention(embedded).softmax(dim=0) * embedded).sum(dim=0))
        return self.output(self.dropout(torch.stack(pooled)))


@pytest.mark.parametrize("activation", ["relu", "gelu", "tanh", torch.sin])
@pytest.mark.parametrize("classes", [None, 3])
@pytest.mark.parametrize("second", [None, documents(1, 7)])
def test_structured_mlp_kernel_equals_the_jacobians_in_every_group(activation, classes, second):
    network = mlp(activation, classes=classes)
    first, output = documents(0, 9), 0 if classes is None else 2
    structured = empirical_ntk_by_group(network, first, second, output=output, method="structured")
    reference = empirical_ntk_by_group(network, first, second, output=output, method="jacobian")
    assert set(structured) == {"output", "hidden", "embedding"}
    for group, kernel in reference.items():
        np.testing.assert_allclose(structured[group], kernel, rtol=1e-10, atol=1e-10 * np.abs(kernel).max())


def test_structured_kernel_equals_the_jacobians_where_tokens_are_many_and_rare():
    network = MLP(activation="tanh").network(width=8, vocabulary_size=5000, seed=0)
    generator = np.random.default_rng(0)
    docs = [generator.zipf(1.4, size=15).clip(max=5000) - 1 for _ in range(40)]
    reference = empirical_ntk(network, docs, method="jacobian")
    np.testing.assert_allclose(empirical_ntk(network, docs), reference, rtol=1e-10)


def test_structured_network_with_a_bias_and_a_parameter_used_twice_equals_the_jacobian():
    network, first, second = PooledPerceptron(), documents(0, 8), documents(1, 5)
    structured = empirical_ntk_by_group(network, first, second, method="structured")
    for name, kernel in empirical_ntk_by_group(network, first, second, method="jacobian").items():
        np.testing.assert_allclose(structured[name], kernel, rtol=1e-10, atol=1e-10 * np.abs(kernel).max())


def test_groups_add_up_to_the_kernel():
    network, docs = mlp(), documents(0, 6)
    parts = empirical_ntk_by_group(network, docs)
    np.testing.assert_allclose(sum(parts.values()), empirical_ntk(network, docs), rtol=1e-13)


@pytest.mark.parametrize("network", [mlp(), PooledPerceptron(), Attentive()])
def test_kernel_is_how_one_documents_score_answers_a_step_along_anothers_gradient(network):
    docs = documents(4, 5)
    kernel = empirical_ntk(network, docs)
    network.eval()
    parameters = dict(network.named_parameters())

    def score(row, values):
        return torch.func.functional_call(network, values, (docs,)).reshape(len(docs), -1)[row, 0]

    for column in range(len(docs)):
        step = torch.autograd.grad(score(column, parameters), list(parameters.values()))
        moved = []
        for size in (1e-6, -1e-6):
            values = {name: p + size * g for (name, p), g in zip(parameters.items(), step, strict=True)}
            moved.append([score(row, values).item() for row in range(len(docs))])
        np.testing.assert_allclose(np.subtract(*moved) / 2e-6, kernel[:, column], rtol=1e-5, atol=1e-6)


def test_mean_kernel_of_networks_is_the_infinite_width_kernel_within_five_standard_errors():
    architecture, docs = MLP(activation="tanh", sigma_v=0.7), [[0, 1, 1], [1, 2], [3]]
    networks = [architecture.network(width=256, vocabulary_size=4, seed=seed) for seed in range(40)]
    for group, kernel in architecture.kernel_by_group(docs).items():
        samples = np.stack([empirical_ntk_by_group(network, docs)[group] for network in networks])
        error = samples.std(axis=0, ddof=1) / np.sqrt(len(samples))
        # The finite-width bias is O(1/width), below the statistical error here.
        assert np.all(np.abs(samples.mean(axis=0) - kernel) < 5 * error + 2 * kernel.max() / 256), group


@pytest.mark.parametrize("second", [None, [[2999, 0], [17, 17, 5]]])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_perceptrons_kernel_does_not_depend_on_the_memory_that_it_may_use(second, dtype):
    network = MLP("gelu").network(width=4, vocabulary_size=3000, seed=0, dtype=dtype)
    docs = np.random.default_rng(0).permutation(3000).reshape(60, 50)  # many bands and blocks of tokens
    whole = empirical_ntk_by_group(network, docs, second)
    for limit in (1, 600 * 8 * network.hidden.element_size()):
        limited = empirical_ntk_by_group(network, docs, second, memory_limit=limit)
        for group, kernel in whole.items():
            tolerance = 1e-13 if dtype == torch.float64 else 2e-6
            np.testing.assert_allclose(limited[group], kernel, rtol=0, atol=tolerance * np.abs(kernel).max())
            if second is None:
                np.testing.assert_array_equal(limited[group], limited[group].T)


def test_a_subclass_with_tangents_of_its_own_is_computed_from_them():
    class Doubled(MLPNetwork):
        def forward(self, docs):
            return 2 * super().forward(docs)

        def tangents(self, docs, output=0):
            return [
                ParameterTangents(part.parameter, part.factors, part.pooling * 2)
                for part in super().tangents(docs, output)
            ]

    network = Doubled(MLP("tanh"), 8, 3, seed=0, classes=None, dtype=torch.float64)
    docs = [[0, 1], [2], [1, 1]]
    np.testing.assert_allclose(
        empirical_ntk(network, docs), empirical_ntk(network, docs, method="jacobian"), rtol=1e-10
    )


@pytest.mark.parametrize("memory_limit", [1, 20_000, 2**31])
def test_jacobian_kernel_does_not_depend_on_the_memory_that_it_may_use(memory_limit):
    network, first, second = mlp(), documents(0, 7), documents(1, 4)
    for other in (None, second):
        limited = empirical_ntk(network, first, other, method="jacobian", memory_limit=memory_limit)
        np.testing.assert_allclose(
            limited, empirical_ntk(network, first, other, method="structured"), rtol=1e-10
        )


def test_frozen_parameters_are_left_out_on_both_routes():
    network, docs = mlp(), documents(0, 5)
    expected = empirical_ntk_by_group(network, docs)
    network.embedding.requires_grad_(False)
    for method in ("structured", "jacobian"):
        kernel = empirical_ntk(network, docs, method=method)
        np.testing.assert_allclose(kernel, expected["output"] + expected["hidden"], rtol=1e-10)


def test_dropout_does_not_act_and_every_submodule_keeps_its_mode():
    network, docs = Attentive(), documents(0, 4)
    network.attention.eval()
    before = [module.training for module in network.modules()]
    np.testing.assert_array_equal(
        empirical_ntk(network, docs, output=1), empirical_ntk(network, docs, output=1)
    )
    assert [module.training for module in network.modules()] == before


def test_float32_network_agrees_with_its_float64_twin_to_single_precision():
    docs = documents(0, 6)
    kernel = empirical_ntk(mlp(dtype=torch.float32), docs)
    assert kernel.dtype == np.float64
    np.testing.assert_allclose(kernel, empirical_ntk(mlp(), docs), rtol=1e-4)


@pytest.mark.parametrize("method", ["structured", "jacobian"])
def test_kernel_changes_neither_documents_nor_weights_nor_gradients(method):
    network, docs = mlp(), Documents.of(documents(0, 5))
    ids, offsets = docs.ids.copy(), docs.offsets.copy()
    weights = {name: p.detach().clone() for name, p in network.named_parameters()}
    empirical_ntk(network, docs, method=method)
    np.testing.assert_array_equal(docs.ids, ids)
    np.testing.assert_array_equal(docs.offsets, offsets)
    for name, parameter in network.named_parameters():
        assert torch.equal(parameter, weights[name])
        assert parameter.grad is None


@pytest.mark.parametrize("method", ["structured", "jacobian"])
def test_kernel_is_the_same_where_gradients_are_switched_off(method):
    network, docs = mlp(), documents(0, 5)
    expected = empirical_ntk(network, docs, method=method), largest_eigenvalue(network, docs)
    with torch.no_grad():
        found = empirical_ntk(network, docs, method=method), largest_eigenvalue(network, docs)
    np.testing.assert_array_equal(found[0], expected[0])
    assert found[1] == expected[1]


@pytest.mark.parametrize("count", [1, 2, 3, 12])
def test_largest_eigenvalue_is_that_of_the_matrix(count):
    network, docs = mlp(), documents(0, count)
    exact = np.linalg.eigvalsh(empirical_ntk(network, docs)).max()
    assert largest_eigenvalue(network, docs) == pytest.approx(exact, rel=1e-4)


def test_largest_eigenvalue_of_several_outputs_is_that_of_the_full_jacobian():
    network, docs = mlp(classes=2), documents(0, 5)
    parameters = {name: p.detach() for name, p in network.named_parameters()}
    jacobian = torch.func.jacrev(lambda values: torch.func.functional_call(network, values, (docs,)))(
        parameters
    )
    rows = torch.cat([part.reshape(10, -1) for part in jacobian.values()], dim=1).numpy()
    exact = np.linalg.eigvalsh(rows @ rows.T).max()
    assert largest_eigenvalue(network, docs) == pytest.approx(exact, rel=1e-4)


class Incomplete(PooledPerceptron):
    def tangents(self, docs, output=0):
        return super().tangents(docs, output)[:2]


class Scalar(PooledPerceptron):
    def forward(self, docs):
        return super().forward(docs).sum()


@pytest.mark.parametrize(
    ("network", "options", "message"),
    [
        (mlp(), {"docs_a": []}, "docs_a is empty"),
        (mlp(), {"docs_a": [[1], []]}, r"docs_a\[1\] is empty"),
        (mlp(), {"docs_b": [[1, VOCABULARY]]}, rf"docs_b\[0\] holds token id {VOCABULARY}"),
        (mlp(), {"method": "fast"}, "method must be 'auto', 'structured' or 'jacobian', not 'fast'"),
        (Attentive(), {"method": "structured"}, "method 'structured' needs a network with a method tangents"),
        (mlp(), {"output": 1}, "output must be one of the network's 1 scores, 0 to 0, not 1"),
        (mlp(classes=3), {"output": -1}, "output must be .* 0 to 2, not -1"),
        (mlp(classes=3), {"output": True}, "output must be .* not True"),
        (Incomplete(), {}, r"missing: \['bias'\]"),
        (Scalar(), {}, r"\(N,\) or \(N, C\) scores, but it maps 1 to \(\)"),
        (torch.nn.Identity(), {}, "no parameter with requires_grad=True"),
    ],
)
def test_bad_input_is_refused_by_name(network, options, message):
    with pytest.raises(ValueError, match=message):
        empirical_ntk(network, **{"docs_a": documents(0, 3), **options})


def test_weights_that_are_not_finite_are_refused_by_name():
    network = mlp()
    with torch.no_grad():
        network.hidden[2, 1] = float("nan")
    with pytest.raises(ValueError, match="parameter 'hidden' holds a NaN"):
        empirical_ntk(network, documents(0, 3))


def test_a_jacobian_that_cannot_fit_is_refused_with_size_and_remedy(monkeypatch):
    network = mlp()
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=10_000))
    with pytest.raises(MemoryError, match=r"gradients of 1 \+ 1 documents.*lower memory_limit"):
        empirical_ntk(network, documents(0, 3), method="jacobian", memory_limit=1)


def test_expected_kernel_is_the_mean_over_networks_of_consecutive_seeds():
    docs, others = [[25, 1], [2, 2]], [[1, 7]]
    found = expected_ntk(MLP("gelu"), docs, others, width=16, networks=3, seed=5)
    # The networks know only the documents' own tokens, in order: 1, 2, 7, 25.
    by_hand = [
        empirical_ntk(MLP("gelu").network(16, 4, seed=s), [[3, 0], [1, 1]], [[0, 2]]) for s in (5, 6, 7)
    ]
    assert found.mean == pytest.approx(np.mean(by_hand, axis=0))
    assert found.standard_error == pytest.approx(np.std(by_hand, axis=0, ddof=1) / 3**0.5)


def test_a_parameter_that_no_document_uses_adds_nothing():
    network = MatrixVector().network(width=4, vocabulary_size=VOCABULARY, seed=0)
    longer, single = [[1, 2], [2, 3, 1]], [[1], [2]]
    for first, second in [(single, single), (longer, single), (single, longer)]:
        by_group = empirical_ntk_by_group(network, first, second)
        expected = empirical_ntk(network, first, second, method="jacobian")
        np.testing.assert_allclose(sum(by_group.values()), expected, rtol=1e-12)
        assert np.all(by_group["hidden"] == 0)


def test_a_parameter_used_without_being_noted_is_still_refused():
    network = ElmanRNN().network(width=4, vocabulary_size=VOCABULARY, seed=0)
    network.readout = lambda inputs, documents, count: torch.zeros(count, dtype=torch.float64).index_add(
        0, torch.from_numpy(documents), inputs @ network.output
    )
    with pytest.raises(ValueError, match=r"missing: \['output'\]"):
        empirical_ntk(network, [[1], [2, 3]])


def test_a_perceptrons_subclass_with_one_more_parameter_is_refused_where_its_part_is_unknown():
    class Shifted(MLPNetwork):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            self.shift = torch.nn.Parameter(torch.zeros((), dtype=torch.float64))

        def forward(self, docs):
            return super().forward(docs) + self.shift

    network = Shifted(MLP("tanh"), 8, 3, seed=0, classes=None, dtype=torch.float64)
    with pytest.raises(ValueError, match=r"Shifted\.parameter_kernels must .* missing: \['shift'\]"):
        empirical_ntk(network, [[0, 1], [2]])
    plain = MLP("tanh").network(8, 3, seed=0)
    by_jacobian = empirical_ntk(network, [[0, 1], [2]], method="jacobian")
    np.testing.assert_allclose(by_jacobian, empirical_ntk(plain, [[0, 1], [2]]) + 1, rtol=1e-10)
