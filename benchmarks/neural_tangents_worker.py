"""Kernels by neural-tangents, in its own environment: reads inputs, times itself, writes the kernel.

Knows nothing of ntklib: its NumPy is too old for it.
"""

import sys
import time
from collections.abc import Callable
from typing import Any

import jax
import neural_tangents as nt
import numpy as np
from neural_tangents import stax

jax.config.update("jax_enable_x64", True)
STRUCTURED = 3


def linear_kernel(made: Any) -> tuple[Callable[..., Any], list[Any]]:
    """Three dense layers without activation on dense multi-hot rows."""
    kernel = stax.serial(stax.Dense(1), stax.Dense(1), stax.Dense(1))[2]
    vocabulary = int(made["vocabulary"])

    def run(ids: np.ndarray, rows: np.ndarray, count: int) -> np.ndarray:
        dense = np.zeros((count, vocabulary))
        np.add.at(dense, (rows, ids), 1.0)
        # Its first layer divides by the number of inputs.
        return vocabulary * np.asarray(kernel(dense, None, "ntk"))

    return run, [made["ids"], made["rows"], int(made["count"])]


def perceptron_kernel(made: Any) -> tuple[Callable[..., Any], list[Any]]:
    """Empirical kernel of the perceptron over the tokens used, by one of the package's three ways."""
    weights = {name: jax.numpy.asarray(made[name]) for name in ("embedding", "hidden", "output")}
    width, implementation = len(weights["hidden"]), int(made["implementation"])

    def embedded(values: Any, ids: Any) -> Any:
        if implementation == STRUCTURED:  # for rows that are looked up it asks for terabytes
            ids = jax.nn.one_hot(ids, len(values["embedding"]), dtype=values["embedding"].dtype)
            return ids @ values["embedding"]
        return values["embedding"][ids]

    def score(values: Any, ids: Any) -> Any:
        hidden = embedded(values, ids) @ values["hidden"].T / width**0.5
        return (jax.nn.gelu(hidden, approximate=False) @ values["output"]).sum(axis=1)[:, None] / width**0.5

    kernel = nt.empirical_ntk_fn(score, trace_axes=(-1,), vmap_axes=0, implementation=implementation)
    compiled = jax.jit(lambda ids: kernel(ids, None, weights))
    ids = jax.numpy.asarray(made["ids"])
    return lambda: np.asarray(compiled(ids)), []


KERNELS = {"linear": linear_kernel, "perceptron": perceptron_kernel}


def main(source: str, target: str) -> None:
    """Compute the kernel twice, so that compiling does not count, and time the second time."""
    made = np.load(source)
    run, arguments = KERNELS[str(made["kernel"])](made)
    run(*arguments)
    processor, wall = time.process_time(), time.perf_counter()
    kernel = run(*arguments)
    seconds = [time.process_time() - processor, time.perf_counter() - wall]
    np.savez(target, kernel=kernel, seconds=seconds)


if __name__ == "__main__":
    main(*sys.argv[1:])
