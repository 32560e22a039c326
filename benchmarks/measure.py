"""Two ways to the same numbers, side by side: their time, agreement, growth with N and memory."""

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

REPETITIONS = 5
ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Comparison:
    """One piece of work, done by ntklib and by something else.

    Attributes
    ----------
    work, against : str
        What is computed, and by what else.
    sizes : tuple of int
        The grid of N.
    prepare : callable
        Makes the inputs of both sides from N.
    ours, theirs : callable
        Take the inputs, return an array. Where the other side is too slow to be run in full, its array holds
        NaN for what it left out, and ``share`` says which part of the work it did.
    targets : dict
        From N to the ratio that was asked for.
    width : int, optional
        Of the network.
    share : dict
        From N to the part of the work that the other side did; its seconds are divided by it.
    repetitions : dict
        From N to how often the other side runs, where five times would take too long; 1 leaves the warm-up
        out.
    precision : str
        Of both sides.
    tolerance : float, optional
        The largest difference that is accepted, relative to the largest entry. None where the two sides
        compute different things, and their agreement is a result.
    note : str
        How the other side was helped or cut.
    details : callable, optional
        From inputs and both results to more figures, for the record of the largest N.
    memory_of_other : bool
        Whether the other side's memory can be measured here; it is, for the largest N.
    """

    work: str
    against: str
    sizes: tuple[int, ...]
    prepare: Callable[[int], Any]
    ours: Callable[[Any], np.ndarray]
    theirs: Callable[[Any], np.ndarray]
    targets: dict[int, float] = field(default_factory=dict)
    width: int | None = None
    share: dict[int, float] = field(default_factory=dict)
    repetitions: dict[int, int] = field(default_factory=dict)
    precision: str = "float64"
    tolerance: float | None = 1e-10
    note: str = ""
    details: Callable[[Any, np.ndarray, np.ndarray], dict[str, Any]] | None = None
    memory_of_other: bool = True


class Timed(NamedTuple):
    """What a side returns that ran elsewhere and timed itself there."""

    result: np.ndarray
    processor_seconds: float
    wall_seconds: float


def largest_difference(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Largest absolute difference relative to the largest entry, over what both sides computed.

    Examples
    --------
    >>> largest_difference(np.array([1.0, 2.0, 4.0]), np.array([1.0, 2.1, np.nan])).__round__(3)
    0.048
    """
    computed = np.isfinite(theirs)
    if ours.shape != theirs.shape or not computed.any():
        raise ValueError(f"nothing to compare: shapes {ours.shape} and {theirs.shape}.")
    if not np.isfinite(ours).all():
        raise ValueError("ntklib's result is not finite.")
    return float(np.abs(ours - theirs)[computed].max() / np.abs(theirs[computed]).max())


def growth_exponent(sizes: Sequence[float], seconds: Sequence[float]) -> float | None:
    """``p`` of the least-squares fit ``seconds ∝ sizes^p``; None for a single size.

    Examples
    --------
    >>> round(growth_exponent([10, 100, 1000], [2.0, 20.0, 200.0]), 3)
    1.0
    """
    if len(sizes) < 2:
        return None
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


def processor_seconds(run: Callable[[], Any]) -> tuple[float, float, Any]:
    """Processor and wall-clock seconds of a call, and what it returns."""
    wall, processor = time.perf_counter(), time.process_time()
    result = run()
    if isinstance(result, Timed):
        return result.processor_seconds, result.wall_seconds, result.result
    return time.process_time() - processor, time.perf_counter() - wall, result


def measure(name: str, comparison: Comparison) -> list[dict[str, Any]]:
    """Measure both sides at every size, in turns, and return one record a size."""
    records = []
    for size in comparison.sizes:
        inputs = comparison.prepare(size)
        repetitions = comparison.repetitions.get(size, REPETITIONS)
        share = comparison.share.get(size, 1.0)
        comparison.ours(inputs)
        if repetitions > 1:
            comparison.theirs(inputs)
        mine: list[tuple[float, float]] = []
        other: list[tuple[float, float]] = []
        for turn in range(REPETITIONS):
            *times, result = processor_seconds(lambda inputs=inputs: comparison.ours(inputs))
            mine.append((times[0], times[1]))
            if turn < repetitions:
                *times, reference = processor_seconds(lambda inputs=inputs: comparison.theirs(inputs))
                other.append((times[0] / share, times[1] / share))
        agreement = largest_difference(result, reference)
        if comparison.tolerance is not None and agreement > comparison.tolerance:
            raise ValueError(
                f"{name}, N = {size}: the two sides differ by {agreement:.1e} of the largest entry, of which "
                f"{comparison.tolerance:.0e} is accepted: a time for other numbers means nothing."
            )
        seconds, rival_seconds = (statistics.median(t[0] for t in side) for side in (mine, other))
        record = {
            "name": name,
            "work": comparison.work,
            "against": comparison.against,
            "N": size,
            "width": comparison.width,
            "precision": comparison.precision,
            "seconds_ntklib": seconds,
            "seconds_other": rival_seconds,
            "ratio": rival_seconds / seconds,
            "target": comparison.targets.get(size),
            "wall_seconds_ntklib": statistics.median(t[1] for t in mine),
            "wall_seconds_other": statistics.median(t[1] for t in other),
            "repetitions": REPETITIONS,
            "repetitions_other": repetitions,
            "share_other": share,
            "agreement": agreement,
            "extra_bytes_ntklib": peak_of(name, "ours", size),
            "extra_bytes_other": peak_of(name, "theirs", size)
            if comparison.memory_of_other and size == comparison.sizes[-1]
            else None,
            "note": comparison.note,
            "load": os.getloadavg()[0],
        }
        records.append(record)
        print(
            f"{name}, N = {size}: {seconds:.4g} s against {rival_seconds:.4g} s, {record['ratio']:.3g} times"
            f" (asked: {record['target']}), agreement {agreement:.1e}",
            flush=True,
        )
    for key in ("ntklib", "other"):
        exponent = growth_exponent([r["N"] for r in records], [r[f"seconds_{key}"] for r in records])
        for record in records:
            record[f"exponent_{key}"] = exponent
    if comparison.details is not None:
        records[-1].update(comparison.details(inputs, result, reference))
    return records


def peak_of(name: str, side: str, size: int) -> int | None:
    """Peak memory of one side beyond its inputs, in a fresh process: see :mod:`benchmarks.peak_memory`."""
    command = [sys.executable, "-m", "benchmarks.peak_memory", name, side, str(size)]
    finished = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if finished.returncode != 0:
        raise RuntimeError(f"{' '.join(command[2:])}: {finished.stderr[-2000:]}")
    return json.loads(finished.stdout.splitlines()[-1])


def environment() -> dict[str, Any]:
    """Say what the figures depend on: processor, cores, threads, versions, load."""
    names = ("ntklib", "torch", "numpy", "scipy", "nngeometry", "scikit-ntk")
    versions = {}
    for name in names:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = None
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "threads": int(os.environ.get("OMP_NUM_THREADS", "0")) or None,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": versions,
        "load average": [round(load, 1) for load in os.getloadavg()],
    }


def processor() -> str:
    """Name of the processor, where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")
