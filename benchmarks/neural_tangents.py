"""Against neural-tangents, whose jax needs another NumPy: it runs and times itself in its own process."""

import os
import subprocess
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

import ntklib
from benchmarks.analytic_kernels import SIZES, TOLERANCE
from benchmarks.empirical_kernels import MLP, WIDTH, Inputs, by_ntklib, inputs
from benchmarks.environment import JAX, python_of
from benchmarks.measure import ROOT, Comparison, Timed
from benchmarks.texts import VOCABULARY, ragged_documents
from ntklib import Documents

ONE_THREAD = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"


def by_worker(**arrays: Any) -> Timed:
    """Let the worker compute a kernel, and return it with the seconds it took there."""
    python = python_of(JAX)
    if python is None:
        raise FileNotFoundError(f"{JAX} is not there: `make benchmark JAX=yes` makes it.")
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "inputs.npz"), Path(folder, "kernel.npz")
        np.savez(source, **arrays)
        worker = ROOT / "benchmarks" / "neural_tangents_worker.py"
        finished = subprocess.run(
            # -P: beside the worker lies a module named like the package.
            [python, "-P", worker, source, target],
            env={**os.environ, "XLA_FLAGS": ONE_THREAD, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": ""},
            capture_output=True,
            text=True,
            check=False,
        )
        if finished.returncode != 0:
            ended = f"neural-tangents ended with {finished.returncode} (-9: killed, out of memory)"
            raise RuntimeError(f"{ended}: {finished.stderr[-2000:]}")
        found = np.load(target)
        return Timed(found["kernel"], *map(float, found["seconds"]))


def linear(docs: Documents) -> Timed:
    """Analytic kernel of three layers without activation on dense multi-hot rows."""
    return by_worker(kernel="linear", ids=docs.ids, rows=docs.rows, count=len(docs), vocabulary=VOCABULARY)


def perceptron(implementation: int, made: Inputs) -> Timed:
    """Empirical kernel of the perceptron."""
    weights = {name: value.numpy() for name, value in made.weights.items()}
    return by_worker(kernel="perceptron", ids=made.ids.numpy(), implementation=implementation, **weights)


COMPARISONS = {
    "neural-tangents-analytic": Comparison(
        work="analytic NTK, perceptron without activation, ragged documents",
        against=f"neural-tangents on dense multi-hot rows of {VOCABULARY:,}",
        sizes=SIZES,
        prepare=ragged_documents,
        ours=ntklib.MLP("identity").kernel,
        theirs=linear,
        targets={4000: 20.0},
        repetitions=dict.fromkeys(SIZES, 1),
        tolerance=TOLERANCE,
        note="in its own process, compiled before; its memory is not measured",
        memory_of_other=False,
    ),
    **{
        f"neural-tangents-{name}": Comparison(
            work="empirical NTK, perceptron",
            against=f"neural-tangents, {described}, only the tokens used",
            sizes=sizes,
            prepare=partial(inputs, model=MLP, width=WIDTH, vocabulary="used", dtype=torch.float64),
            ours=by_ntklib,
            theirs=partial(perceptron, implementation),
            targets={sizes[-1]: 30.0},
            width=WIDTH,
            repetitions=dict.fromkeys(sizes, 1),
            note="in its own process, compiled before; its memory is not measured",
            memory_of_other=False,
        )
        for name, implementation, described, sizes in (
            ("jacobian", 1, "Jacobian contraction", (64, 128, 256)),
            ("vector-products", 2, "NTK-vector products", (32, 64, 128)),  # 256 take more than 20 GB
            ("structured", 3, "structured derivatives of one-hot rows", (64, 128, 256)),
        )
    },
}
