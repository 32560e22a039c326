"""How time and memory grow with the text: counts, feature maps and flow of up to a million sentences on disk.

Run from the root: ``OMP_NUM_THREADS=1 .venv/bin/python -m benchmarks.scale``. It writes
``benchmarks/results/scale.json``. Each size runs in a process of its own, reading memory-mapped documents.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from benchmarks import zipf
from benchmarks.measure import ROOT, environment, growth_exponent, processor_seconds
from benchmarks.peak_memory import RESET, resident
from benchmarks.scale_prediction import LINK, SOLVERS, VOCABULARY, constants, predicted, work_at
from pipeline.execute import ALLOCATOR

EVALUATIONS = 20  # of the flow's right-hand side
STEPS = 500  # of gradient descent, that a flow predicts
TOLERANCE = 1e-3  # of a flow: ten times the library's default
RUNS = 5
LONG = 5.0  # seconds of runs of one stage, after which no other one starts
CHUNK = 50_000  # sentences written at a time
RESULT = ROOT / "benchmarks" / "results" / "scale.json"


def sentences(count: int, seed: int = 0) -> Iterator[tuple[Any, np.ndarray]]:
    """Documents of 3 to 60 tokens, 20 in the mean, by Zipf's law, and labels from 600 polar tokens."""
    from ntklib import Documents

    generator = np.random.default_rng(seed)
    frequencies = zipf.frequencies(VOCABULARY)
    polarity = zipf.polarities(VOCABULARY, generator)
    for start in range(0, count, CHUNK):
        lengths = zipf.lengths(min(CHUNK, count - start), generator)
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        ids = generator.choice(VOCABULARY, offsets[-1], p=frequencies)
        yield Documents(ids, offsets), zipf.labels(ids, offsets[:-1], polarity, generator)


def write(folder: Path, count: int) -> None:
    """Write the documents and their labels to disk, a chunk at a time."""
    from ntklib.stored_documents import write_documents

    labels = []

    def documents() -> Iterator[Any]:
        for chunk, own in sentences(count):
            labels.append(own)
            yield chunk

    write_documents(folder, documents())
    np.save(folder / "labels.npy", np.concatenate(labels), allow_pickle=False)


class Stages:
    """Time and memory of one stage after the other.

    ``seconds`` are the processor's: the median of up to ``RUNS`` runs, as many as ``LONG`` seconds allow.
    ``first_seconds`` are those of a run before them, which is not counted: a process that takes memory for
    the first time waits for the system, and in a virtual machine for its host, seconds a gigabyte. Without a
    warm-up all runs count. ``peak_bytes`` has what earlier stages left, also what they gave back to the
    process, which keeps it (``ALLOCATOR``): the largest is the process's.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.wall_seconds: dict[str, float] = {}
        self.first_seconds: dict[str, float] = {}
        self.peak_bytes: dict[str, int] = {}

    def run(self, name: str, work: Callable[[], Any], warm_up: bool = True) -> Any:
        """Do the work, and note its times and the process's peak in the first run."""
        RESET.write_text("5", encoding="utf-8")
        *first, result = processor_seconds(work)
        self.peak_bytes[name] = resident("VmHWM")
        runs = [] if warm_up else [first]
        if warm_up:
            self.first_seconds[name] = first[0]
        while not runs or (len(runs) < RUNS and sum(wall for _, wall in runs) < LONG):
            del result  # or the next one would stand beside it
            *times, result = processor_seconds(work)
            runs.append(times)
        self.seconds[name], self.wall_seconds[name] = (statistics.median(t) for t in zip(*runs, strict=True))
        return result


def measure(folder: Path, cnn: bool, whole: bool) -> dict[str, Any]:
    """Run all stages on the documents of a folder, in this process, and return one record."""
    from ntklib.stored_documents import open_documents, write_documents

    with tempfile.TemporaryDirectory() as tiny:  # loads all code
        documents, labels = next(sentences(100))
        _run_stages(Stages(), write_documents(tiny, [documents]), labels, cnn)
    loaded = resident("VmRSS")
    stages = Stages()
    stored = stages.run("open", lambda: open_documents(folder))
    labels = np.load(folder / "labels.npy", allow_pickle=False)
    record = {"sentences": len(stored), "tokens": len(stored.ids), "flow_evaluations": EVALUATIONS}
    record |= _run_stages(stages, stored, labels, cnn)
    if whole:
        record |= _run_flows(stages, (stored, labels), record, cnn)
    return record | {
        "seconds": stages.seconds,
        "first_seconds": stages.first_seconds,
        "wall_seconds": stages.wall_seconds,
        "peak_bytes": stages.peak_bytes,
        "loaded_bytes": loaded,
        "load": os.getloadavg()[0],
    }


def _run_stages(stages: Stages, documents: Any, labels: np.ndarray, cnn: bool) -> dict[str, Any]:
    import ntklib
    from ntklib.feature_kernel import FeatureKernel, default_time
    from ntklib.logistic_flow import probabilities

    pair = (documents, labels)
    stages.run("token counts", lambda: len(ntklib.cooccurrence(pair)))
    stages.run("noise floor", lambda: ntklib.noise_floor(documents, labels - 0.5, width=1024).threshold)
    stages.run("bigram counts", lambda: len(ntklib.cooccurrence(pair, ngram=2)))
    found: dict[str, Any] = {"entries": {}, "features": {}, "largest_eigenvalue": {}, "default_time": {}}
    for name, model in _models(cnn).items():
        features = stages.run(f"{name} feature map", partial(model.feature_map, documents))
        kernel = stages.run(f"{name} transpose", partial(FeatureKernel, features))

        def evaluations(kernel: Any = kernel) -> np.ndarray:
            dual = np.zeros(len(labels))
            for _ in range(EVALUATIONS):
                dual += 1e-6 * (labels - probabilities(kernel(dual)))
            return dual

        stages.run(f"{name} {EVALUATIONS} evaluations", evaluations)
        found["entries"][name] = int(features.matrix.nnz)
        found["features"][name] = len(features.columns)
        found["default_time"][name] = default_time(features)
        found["largest_eigenvalue"][name] = kernel.largest_eigenvalue()
        del features, kernel, evaluations  # or the next model's peak has this one's features in it
    return found


def _models(cnn: bool) -> dict[str, Any]:
    import ntklib

    return {"MLP": ntklib.MLP("tanh")} | ({"CNN": ntklib.CNN(3, "tanh")} if cnn else {})


def _run_flows(stages: Stages, pair: Any, record: dict[str, Any], cnn: bool) -> dict[str, Any]:
    """Whole calls of ``gradient_flow``, features and all.

    One as far as ``STEPS`` steps of full-batch gradient descent go, with half the largest stable learning
    rate, ``1 / (λ_max / 4)``; and, of the MLP, one to the default time, which does not depend on the number
    of sentences, by each solver.
    """
    import ntklib

    models = _models(cnn)
    found: dict[str, Any] = {"flow_tolerance": TOLERANCE, "flow_steps": STEPS, "flow_work": {}}

    def flow(name: str, time_: float, solver: str) -> dict[str, int]:
        with counted() as work:
            ntklib.gradient_flow(models[name], pair, [time_], [[0]], tolerance=TOLERANCE, solver=solver)
        return work

    for name in models:
        time_ = STEPS / (record["largest_eigenvalue"][name] / 4)
        stage = f"{name} flow, {STEPS} steps"
        found["flow_work"][stage] = stages.run(stage, partial(flow, name, time_, "auto"), False)
    for solver in SOLVERS:
        stage = f"MLP flow, {solver}"
        time_ = record["default_time"]["MLP"]
        found["flow_work"][stage] = stages.run(stage, partial(flow, "MLP", time_, solver), False)
    return found


@contextmanager
def counted() -> Iterator[dict[str, int]]:
    """Count what a flow asks of its kernel, as a cluster would have to answer it.

    ``halves`` of a product: ``Φ v`` or ``Φᵀ a``; ``round_trips`` between client and workers; and
    ``document_vectors``, numbers of all documents that travel with them. What a call makes of others in one
    trip, or on the workers alone, is taken off again: ``Θ a`` is both halves in one trip.
    """
    from ntklib.feature_kernel import FeatureKernel, _FeatureCurvature

    work = {"halves": 0, "round_trips": 0, "document_vectors": 0}
    costs = {  # of one call, beyond those of the calls that it makes itself
        (FeatureKernel, "pulls"): (1, 1, 1),
        (FeatureKernel, "pulls_of_squares"): (1, 1, 1),
        (FeatureKernel, "scores"): (1, 1, 1),
        (FeatureKernel, "feature_scores"): (1, 1, 1),
        (FeatureKernel, "__call__"): (2, 1, 3),  # one map and one reduction; α travels twice
        (_FeatureCurvature, "__call__"): (0, -1, -2),  # what documents have stays on the workers
    }

    def watched(method: Callable[..., Any], cost: tuple[int, int, int]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            for name, more in zip(work, cost, strict=True):
                work[name] += more
            return method(*arguments)

        return call

    methods = {place: getattr(*place) for place in costs}
    for (owner, name), cost in costs.items():
        setattr(owner, name, watched(methods[owner, name], cost))
    try:
        yield work
    finally:
        for (owner, name), method in methods.items():
            setattr(owner, name, method)


def on_a_cluster(count: int, workers: int = 2) -> dict[str, Any]:
    """Products with the MLP's kernel on processes of this machine: latency, traffic and agreement."""
    from distributed import Client, LocalCluster

    import ntklib
    from ntklib.cluster import PartitionedKernel
    from ntklib.feature_kernel import FeatureKernel
    from ntklib.stored_documents import open_documents

    with (
        mock.patch.dict(os.environ),  # dask sets how memory is given back, for all later processes
        tempfile.TemporaryDirectory() as folder,
        LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address="127.0.0.1:0") as cluster,
        Client(cluster) as client,
    ):
        write(Path(folder), count)
        documents, model = open_documents(folder), ntklib.MLP("tanh")
        started = time.perf_counter()
        kernel = PartitionedKernel(client, model, documents)
        making = time.perf_counter() - started
        dual = np.random.default_rng(0).standard_normal(len(documents))
        walls = []
        for _ in range(EVALUATIONS):
            started = time.perf_counter()
            there = kernel(dual)
            walls.append(time.perf_counter() - started)
        here = FeatureKernel(model.feature_map(documents))(dual)
        return {
            "model": "MLP",
            "sentences": count,
            "workers": workers,
            "partitions": kernel.partitions,
            "bytes_per_product": kernel.bytes_per_product,
            "wall_seconds_making": making,
            "wall_seconds_per_product": float(np.median(walls)),
            "largest_relative_difference": float(np.abs(there - here).max() / np.abs(here).max()),
            "load": os.getloadavg()[0],
        }


def exponents(records: list[dict[str, Any]], figure: str) -> dict[str, float | None]:
    """Fitted ``p`` of ``figure ∝ tokens^p``, of each stage or model, over the sizes that have it."""
    found = {}
    for name in dict.fromkeys(name for record in records for name in record[figure]):
        held = [record for record in records if name in record[figure]]
        found[name] = growth_exponent(
            [record["tokens"] for record in held], [record[figure][name] for record in held]
        )
    return found


def in_own_process(count: int, cnn: bool, whole: bool) -> dict[str, Any]:
    """Write the documents in one process and measure in another, so that nothing is warm or left over."""
    with tempfile.TemporaryDirectory() as folder:
        step = [sys.executable, "-m", "benchmarks.scale", "--folder", folder]
        subprocess.run([*step, "--write", str(count)], cwd=ROOT, check=True)
        flags = [*(["--cnn"] if cnn else []), *(["--whole"] if whole else [])]
        finished = subprocess.run(
            [*step, *flags],
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
            env=os.environ | ALLOCATOR,  # as the chapters are executed: memory stays with the process
        )
    return json.loads(finished.stdout.splitlines()[-1])


def main() -> None:
    """Measure every size, and write the result after each, so that a stopped run is not lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sentences", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--cnn-up-to", type=int, default=1_000_000, help="largest size for the CNN")
    parser.add_argument("--whole-up-to", type=int, default=1_000_000, help="largest size for whole flows")
    parser.add_argument("--cluster", type=int, nargs="+", default=[1000, 100_000], help="sizes on Dask")
    parser.add_argument("--output", type=Path, default=RESULT)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--write", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--cnn", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--whole", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.write:
        write(options.folder, options.write)
        return
    if options.folder:
        print(json.dumps(measure(options.folder, options.cnn, options.whole)))
        return
    if options.whole_up_to < min(options.sentences):
        parser.error("--whole-up-to must be at least the smallest size: predictions need one whole flow.")
    clusters = [on_a_cluster(count) for count in sorted(options.cluster)]
    # Of the fewest sentences: next to nothing is computed.
    latency = clusters[0]["wall_seconds_per_product"] / clusters[0]["partitions"]
    records: list[dict[str, Any]] = []
    for count in sorted(options.sentences):
        records.append(in_own_process(count, count <= options.cnn_up_to, count <= options.whole_up_to))
        measured = {
            model: constants([r for r in records if model in r["entries"]][-1], model)
            for model in records[0]["entries"]
        }
        result = {
            "environment": environment(),
            "records": records,
            "exponents": {
                figure: exponents(records, figure) for figure in ("seconds", "first_seconds", "entries")
            },
            "cluster": clusters,
            "constants": measured,
            "link": LINK,
            "predictions": [
                {"model": "MLP", "solver": solver, "sentences": size, "workers": workers, "latency": latency}
                | predicted(
                    measured["MLP"], size, workers, work=work_at(records, solver, size), latency=latency
                )
                for solver in SOLVERS
                for size in (10**6, 10**7, 10**8, 10**9)
                for workers in (1, 10, 100, 1000)
            ],
        }
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
        print(json.dumps(records[-1]), flush=True)


if __name__ == "__main__":
    main()
