"""Flows and sweeps on a cluster of two processes: equal to the local ones, also when a worker is killed."""

import os
import signal
from functools import partial
from unittest import mock

import numpy as np
import pytest

import ntklib
from benchmarks.scale import sentences
from ntklib import cluster_partitions as workers
from ntklib.cluster import PartitionedKernel, _PartitionedCurvature
from ntklib.documents import Documents
from ntklib.feature_kernel import FeatureKernel
from ntklib.stored_documents import write_documents
from tests.test_dynamics import random_corpus

distributed = pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def client():
    with (
        mock.patch.dict(
            os.environ
        ),  # dask sets how memory is given back, for all later processes of the tests
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0"
        ) as cluster,
        distributed.Client(cluster) as connected,
    ):
        yield connected


def equal_as_promised(there, here):
    """Check the promise of ``client=``: the local result to 1e-10 of its largest entry."""
    largest = np.abs(np.asarray(here)).max()
    np.testing.assert_allclose(there, here, rtol=0, atol=1e-10 * largest)


def kill_a_worker(client):
    """SIGKILL to the process of the first worker that is there."""
    victim = sorted(client.run(os.getpid).items())[0][1]
    os.kill(victim, signal.SIGKILL)


def kills_a_worker_at_product(number, client, monkeypatch, operator=PartitionedKernel):
    """Let the operator's product of that number find one of two workers dead; say how many were taken."""
    taken = []
    product = operator.__call__

    def watched(self, values):
        taken.append(len(values))
        if len(taken) == number:
            kill_a_worker(client)
        return product(self, values)

    monkeypatch.setattr(operator, "__call__", watched)
    return taken


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize(
    ("model", "solver"),
    [(ntklib.MLP("relu"), "explicit"), (ntklib.CNN(3, "gelu"), "explicit"), (ntklib.CNN(2), "implicit")],
)
def test_flow_on_a_cluster_equals_the_local_one(client, model, solver, classes):
    corpus = random_corpus(0, classes=classes)
    settings = {"times": [0.01, 0.05], "tolerance": 1e-2, "solver": solver}
    here = ntklib.gradient_flow(model, corpus, **settings)
    there = ntklib.gradient_flow(model, corpus, **settings, client=client)
    label = None if classes == 2 else 1
    equal_as_promised(there.scores, here.scores)
    equal_as_promised(there.dual, here.dual)
    equal_as_promised(there.residuals(0.01), here.residuals(0.01))
    equal_as_promised(there.predict([[1, 2, 3], [99]]), here.predict([[1, 2, 3], [99]]))
    first, second = (flow.attribution([1, 2], label=label) for flow in (there, here))
    equal_as_promised(first, second)
    assert first.columns.tolist() == second.columns.tolist()
    assert there.scores.columns.tolist() == here.scores.columns.tolist()


@pytest.mark.parametrize("model", [ntklib.Attention(), ntklib.LRNN("tanh"), ntklib.MatrixVector()])
def test_kernel_in_more_partitions_than_workers_is_the_local_one(client, model):
    """Also where the longest document decides which patterns there are."""
    documents = Documents.of(random_corpus(5)[0])
    local = FeatureKernel(model.feature_map(documents))
    kernel = PartitionedKernel(client, model, documents, partitions=5)
    assert kernel.partitions == 5
    dual = np.random.default_rng(0).standard_normal((len(documents), 2))
    equal_as_promised(kernel(dual), local(dual))
    equal_as_promised(kernel.feature_scores(dual), local.feature_scores(dual))
    assert kernel.columns[:] == local.columns[:]
    assert (kernel.features.matrix != local.features.matrix).nnz == 0
    equal_as_promised(kernel.features.error_bound, local.features.error_bound)


def test_features_of_one_partition_alone_do_not_travel(client):
    """Two halves that share one token send that token's sum alone, and each document's number."""
    halves = [[0, 1], [0, 2], [0, 3], [0, 4]]
    kernel = PartitionedKernel(client, ntklib.MLP("tanh"), Documents.of(halves), partitions=2)
    bias_and_token = 2
    assert kernel.bytes_per_product == 8 * (3 * 4 + 2 * bias_and_token + 2 * bias_and_token)
    bias_and_tokens = 4
    assert kernel.bytes_per_curvature == 16 * 2 * bias_and_tokens
    ordered = np.ones(len(kernel.columns))
    sent = sum(share.nbytes for share in kernel._shares(ordered))
    curvature = kernel.curvature(np.full(4, 0.5))
    returned = kernel._gather(
        kernel._on_each(workers.curvature_product, curvature._chances, kernel._shares(ordered))
    )
    assert sent + sum(part.nbytes for part in returned) == kernel.bytes_per_curvature


def test_a_stiff_flow_that_is_solved_implicitly_equals_the_local_one(client):
    """At a large tolerance: linear systems that were solved to it alone would leave too much to rounding."""
    corpus, model = next(sentences(400)), ntklib.CNN(2)
    start = ntklib.gradient_flow(model, corpus, [0.0])
    settings = {"times": [4e4 / start.largest_eigenvalue], "tolerance": 1e-2, "solver": "implicit"}
    here = ntklib.gradient_flow(model, corpus, **settings)
    there = ntklib.gradient_flow(model, corpus, **settings, client=client)
    equal_as_promised(there.dual, here.dual)
    equal_as_promised(there.predict(corpus[0]), here.predict(corpus[0]))
    equal_as_promised(there.scores, here.scores)


@pytest.mark.parametrize("number", [1, 25])
def test_a_worker_killed_in_the_middle_of_a_flow_loses_nothing(client, number, monkeypatch):
    corpus = random_corpus(0)
    here = ntklib.gradient_flow(ntklib.CNN(2), corpus, [0.05], tolerance=1e-2)
    taken = kills_a_worker_at_product(number, client, monkeypatch)
    there = ntklib.gradient_flow(ntklib.CNN(2), corpus, [0.05], tolerance=1e-2, client=client)
    assert len(taken) > number
    equal_as_promised(there.scores, here.scores)
    client.wait_for_workers(2)


def test_a_worker_killed_in_the_middle_of_a_step_of_the_implicit_solver_loses_nothing(client, monkeypatch):
    corpus = random_corpus(0)
    settings = {"times": [0.05], "tolerance": 1e-2, "solver": "implicit"}
    here = ntklib.gradient_flow(ntklib.MLP(), corpus, **settings)
    taken = kills_a_worker_at_product(5, client, monkeypatch, _PartitionedCurvature)
    there = ntklib.gradient_flow(ntklib.MLP(), corpus, **settings, client=client)
    assert len(taken) > 5
    equal_as_promised(there.scores, here.scores)
    client.wait_for_workers(2)


def test_flow_of_documents_on_disk_reads_them_on_the_workers(client, tmp_path):
    docs, labels = random_corpus(1)
    stored = write_documents(tmp_path, [docs])
    here = ntklib.gradient_flow(ntklib.MLP(), (docs, labels), [0.01])
    there = ntklib.gradient_flow(ntklib.MLP(), (stored, labels), [0.01], client=client)
    equal_as_promised(there.scores, here.scores)


def squares(seed, folder=None):
    """A point of a sweep; leaves a file, so that a second computation is seen."""
    if folder is not None:
        name = f"{seed}-{np.random.default_rng().integers(2**60)}"
        (folder / name).touch()
    return {"square": seed**2, "draw": np.random.default_rng(seed).standard_normal(3)}


def test_sweep_on_a_cluster_equals_the_local_one_and_is_resumed_from_its_cache(client, tmp_path):
    points = [{"seed": seed, "folder": tmp_path} for seed in range(6)]
    cache = tmp_path / "cache"
    there = ntklib.sweep(squares, points[:4], client=client, cache=cache)
    again = ntklib.sweep(squares, points, client=client, cache=cache)
    here = ntklib.sweep(squares, [{"seed": seed} for seed in range(6)])
    for found, expected in zip([*there, *again], [*here[:4], *here], strict=True):
        assert found["square"] == expected["square"]
        np.testing.assert_array_equal(found["draw"], expected["draw"])
    assert len([path for path in tmp_path.iterdir() if path.is_file()]) == 6


def test_a_worker_killed_in_a_sweep_loses_no_point(client, tmp_path):
    points = [{"seed": seed, "marker": tmp_path / "killed"} for seed in range(8)]
    assert ntklib.sweep(dies_once, points, client=client) == [0, 1, 4, 9, 16, 25, 36, 49]
    assert (tmp_path / "killed").exists()
    client.wait_for_workers(2)


def dies_once(seed, marker):
    if seed == 3 and not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return seed**2


def fails_at_two(seed):
    if seed == 2:
        raise ArithmeticError("two is no number")
    return seed


def test_an_error_in_a_sweep_on_a_cluster_names_the_point(client):
    with pytest.raises(ArithmeticError, match="two is no number") as caught:
        ntklib.sweep(fails_at_two, [{"seed": seed} for seed in range(4)], client=client)
    assert caught.value.__notes__ == ["in sweep at point {'seed': 2}"]


def test_what_is_no_working_client_is_refused(client):
    corpus = random_corpus(0)
    flow = partial(ntklib.gradient_flow, ntklib.MLP(), corpus, [1.0])
    with pytest.raises(TypeError, match=r"client must be a dask\.distributed\.Client, not str"):
        flow(client="tcp://127.0.0.1:8786")
    with pytest.raises(ValueError, match="jobs must be left out with client"):
        ntklib.sweep(squares, [{"seed": 0}], client=client, jobs=2)
    with distributed.LocalCluster(n_workers=0, dashboard_address="127.0.0.1:0") as cluster:
        lonely = distributed.Client(cluster)
        with pytest.raises(ValueError, match="cluster has no worker"):
            flow(client=lonely)
        lonely.close()
    with pytest.raises(ValueError, match="client is closed, not running"):
        flow(client=lonely)
