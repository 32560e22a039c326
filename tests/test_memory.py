"""What does not fit into memory is refused before it is made; a kernel on disk is the one in memory."""

from functools import partial

import numpy as np
import pytest

import ntklib
from ntklib import memory
from ntklib.edited_documents import edited_documents
from ntklib.language_flow import language_flow
from ntklib.memory import require_memory
from tests.test_dynamics import random_corpus

DOCS, LABELS = random_corpus(0)
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


@pytest.mark.parametrize("model", [ntklib.MLP("relu"), ntklib.CNN(3, "gelu"), ntklib.LRNN("tanh")])
def test_prediction_of_a_kernel_bounds_what_its_making_takes(model, monkeypatch):
    """Where the prediction is all that is free, the kernel is made; measured by what NumPy allocates."""
    import tracemalloc

    docs = ntklib.Documents.of(edited_documents(4, 60)[1])
    asked = []
    monkeypatch.setattr(memory.psutil, "virtual_memory", lambda: type("Much", (), {"available": 10**15}))
    original = memory.require_memory

    def recorded(needed, purpose, remedy):
        asked.append(needed)
        original(needed, purpose, remedy)

    for module in (
        "ntklib.spectrum.feature_map",
        "ntklib.architectures.recurrent",
        "ntklib.architectures.base",
    ):
        monkeypatch.setattr(f"{module}.require_memory", recorded)
    model.kernel(docs)  # loads code, fills caches
    asked.clear()
    tracemalloc.start()
    model.kernel(docs)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert 8 * len(docs) ** 2 <= max(asked)
    assert peak < 1.5 * sum(asked)


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
