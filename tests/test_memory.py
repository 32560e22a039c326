"""What does not fit into memory is refused before it is made; a kernel on disk is the one in memory."""

import ctypes
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from typing import Any
from unittest import mock

import numpy as np
import pytest

import ntklib
from benchmarks.peak_memory import RESET, extra_bytes
from benchmarks.scale import sentences
from ntklib import memory
from ntklib.architectures import feature_blocks
from ntklib.feature_kernel import FeatureKernel
from ntklib.language_flow import language_flow
from ntklib.memory import require_memory
from tests.test_dynamics import random_corpus

DOCS, LABELS = random_corpus(0)
FEATURES = ntklib.MLP().feature_map(DOCS)
NETWORK = ntklib.MLP().network(width=8, vocabulary_size=30, seed=0)


@pytest.fixture
def nearly_full(monkeypatch):
    """One kilobyte is free."""

    class Full:
        available = 1000

    monkeypatch.setattr(memory.psutil, "virtual_memory", lambda: Full)


@pytest.mark.parametrize(
    ("work", "purpose", "alternative"),
    [
        (partial(ntklib.MLP().kernel, DOCS), "A kernel of 40 x 40", "feature_map"),
        (partial(ntklib.CNN(2).kernel_by_group, DOCS), "A kernel of 40 x 40", "kernel_on_disk"),
        (partial(ntklib.LRNN("tanh").kernel, DOCS), "A kernel of 40 x 40", "kernel_on_disk"),
        (partial(ntklib.MLP().kernel_by_positions, DOCS), "A kernel of 40 x 40", "kernel_on_disk"),
        (partial(ntklib.empirical_ntk, NETWORK, DOCS), "a kernel of 40 x 40", "kernel_on_disk"),
        (
            partial(ntklib.expected_ntk, ntklib.MLP(), DOCS, width=8, networks=5),
            "5 kernels of 40 x 40",
            "fewer networks",
        ),
        (partial(ntklib.MLP().feature_map, DOCS), "A feature map of 40 documents", "gradient_flow"),
        (partial(ntklib.LRNN("tanh").feature_map, DOCS), "A feature map of 40 documents", "fewer patterns"),
        (partial(FeatureKernel, FEATURES), "A kernel of [0-9,]+ entries of 31 features", "gradient_flow"),
        (
            partial(ntklib.kernel_flow, np.eye(40), LABELS, [1.0]),
            "A flow of a 40 x 40 kernel",
            "gradient_flow",
        ),
        (
            partial(language_flow, ntklib.MLP(), DOCS, LABELS, [1.0], classes=2),
            "feature map of 40 documents",
            "fewer documents",
        ),
    ],
)
def test_what_does_not_fit_is_refused_with_size_limit_and_alternatives(
    nearly_full, work, purpose, alternative
):
    with pytest.raises(MemoryError, match=purpose) as refused:
        work()
    assert "GB are free" in str(refused.value)
    assert alternative in str(refused.value)


@pytest.mark.parametrize("free", [10**6, 10**9])
def test_the_limit_is_nine_tenths_of_what_is_free(free, monkeypatch):
    monkeypatch.setattr(memory.psutil, "virtual_memory", lambda: type("Some", (), {"available": free}))
    require_memory(int(0.9 * free), "This", "wait")
    with pytest.raises(MemoryError, match="This needs"):
        require_memory(int(0.9 * free) + 1, "This", "wait")


def test_many_documents_are_refused_against_known_columns_too(nearly_full, monkeypatch):
    monkeypatch.setattr(feature_blocks, "BLOCK_TOKENS", 30)
    with pytest.raises(MemoryError, match="A feature map of 40 documents"):
        ntklib.MLP().feature_map(DOCS, FEATURES.columns)


def peaks_and_predictions(model: Any, count: int) -> dict[str, tuple[int | None, int]]:
    """Bytes that features, their operator and a kernel take at their peak here, and what was asked for."""
    documents = ntklib.Documents.joined([some for some, _ in sentences(count)])
    features = model.feature_map(documents[:10])
    FeatureKernel(features)
    model.kernel(documents[:10])  # all code is loaded, all caches are filled

    def measured(module: str, work: Callable[[], Any]) -> tuple[int | None, int]:
        ctypes.CDLL(None).malloc_trim(0)  # what is free, but was not given back, would serve once more
        with mock.patch(f"ntklib.{module}.require_memory") as asked:
            return extra_bytes(work), asked.call_args.args[0]

    found = {"feature map": measured("architectures.feature_blocks", lambda: model.feature_map(documents))}
    features = model.feature_map(documents)
    found["operator"] = measured("feature_kernel", lambda: FeatureKernel(features))
    if model.context is not None:
        found["kernel"] = measured("spectrum.feature_map", lambda: model.kernel(documents[:4000]))
    return found


@pytest.mark.skipif(not RESET.exists(), reason="only Linux tells the peak of a process")
@pytest.mark.parametrize(
    ("model", "count"),
    [(ntklib.MLP("relu"), 200_000), (ntklib.CNN(3, "gelu"), 60_000), (ntklib.LRNN("tanh"), 6_000)],
    ids=["MLP", "CNN", "LRNN"],
)
def test_predictions_bound_the_memory_that_features_take_and_are_below_twice_that(model, count):
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as fresh:
        found = fresh.submit(peaks_and_predictions, model, count).result()
    for name, (peak, predicted) in found.items():
        # Beside its arrays Python keeps objects, and the allocator starts from pages that are partly used.
        assert peak <= predicted + 4e6, name
        # A kernel's prediction has to hold for documents that share much more, or much less, than these.
        assert name == "kernel" or predicted < 2 * peak, name


@pytest.mark.parametrize("tile", [7, 40, 100])
def test_kernel_on_disk_is_the_one_in_memory(tile, tmp_path):
    model = ntklib.CNN(2, "gelu")
    kernel = ntklib.kernel_on_disk(tmp_path / "kernel.npy", model, DOCS, tile=tile)
    assert isinstance(kernel, np.memmap)
    np.testing.assert_allclose(kernel, model.kernel(DOCS), rtol=1e-12)
    np.testing.assert_allclose(kernel, kernel.T, rtol=1e-12)
    other = ntklib.kernel_on_disk(tmp_path / "other.npy", model, DOCS, DOCS[:9], tile=tile)
    np.testing.assert_allclose(other, model.kernel(DOCS, DOCS[:9]), rtol=1e-12)
    empirical = ntklib.kernel_on_disk(
        tmp_path / "e.npy", partial(ntklib.empirical_ntk, NETWORK), DOCS, tile=tile
    )
    np.testing.assert_allclose(empirical, ntklib.empirical_ntk(NETWORK, DOCS), rtol=1e-9)


def test_an_interrupted_kernel_leaves_no_file(tmp_path):
    def stops(_first, _second):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ntklib.kernel_on_disk(tmp_path / "kernel.npy", stops, DOCS)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(TypeError, match="model must have a kernel"):
        ntklib.kernel_on_disk(tmp_path / "kernel.npy", 3, DOCS)
