"""Sweeps: one function at many points, in parallel, in order, each result kept as soon as it is there."""

import os
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from joblib import Parallel, delayed, effective_n_jobs, parallel_config
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]
from tqdm import tqdm

from ntklib.cluster import checked_client
from ntklib.result_files import function_fingerprint, load_result, point_key, save_result

PROCESSES = "NTKLIB_PROCESSES"
"""Environment variable: the most processes that a sweep starts."""


def sweep(
    function: Callable[..., Any],
    points: Any,
    *,
    jobs: int = 1,
    cache: str | Path | None = None,
    progress: bool = True,
    description: str = "sweep",
    client: Any = None,
) -> list[Any]:
    """Evaluate ``function(**point)`` at each point.

    Parameters
    ----------
    function : callable
        Its result must depend on its arguments alone; seeds are arguments.
    points : sequence of mappings
        The keyword arguments of each call.
    jobs : int
        Processes; -1 for one a core. Each computes on one thread, so the results do not depend on it. The
        environment variable ``NTKLIB_PROCESSES`` sets an upper limit, for whoever runs several sweeps at a
        time.
    cache : path of a folder, optional
        Keeps each result, found again by the content of the function, of what it refers to, of the point, and
        of ntklib, numpy and torch. An interrupted sweep continues where it stopped.
    progress : bool
        Show a bar, on a terminal only.
    description : str
        What the bar is called.
    client : dask.distributed.Client, optional
        Computes the points on the workers of this cluster instead, as many at a time as they have threads.
        ``cache`` stays a folder of this machine. A point whose worker died is computed by another one.

    Returns
    -------
    list
        The results, in the points' order.

    Raises
    ------
    TypeError
        If ``function`` cannot be called, ``points`` are not mappings, or a result cannot be kept in
        ``cache``: numbers, strings, lists, tuples, dicts, arrays, Series and DataFrames can.
    ValueError
        If there is no point, ``jobs`` is 0 or given beside ``client``, the client's cluster cannot work, or
        ``NTKLIB_PROCESSES`` is not a number of processes.
    OSError
        If ``cache`` cannot be made or written to and a result is missing there: before the first point is
        computed.
    Exception
        Whatever ``function`` raises, with a note that names the point.

    Examples
    --------
    >>> sweep(lambda base, power: base**power, [{"base": 2, "power": p} for p in range(4)])
    [1, 2, 4, 8]
    """
    if not callable(function):
        raise TypeError(f"function must be callable, not {function!r:.60}.")
    if isinstance(jobs, bool) or not isinstance(jobs, int) or jobs == 0:
        raise ValueError(f"jobs must be a number of processes, or -1 for one a core, not {jobs!r}.")
    if client is not None:
        checked_client(client)
        if jobs != 1:
            raise ValueError(f"jobs must be left out with client, whose workers are used, not {jobs!r}.")
    jobs = _limited(jobs)
    calls = _checked_points(points)
    paths: list[Path | None] = [None] * len(calls)
    if cache is not None:
        folder, fingerprint = Path(cache), function_fingerprint(function)
        paths = [folder / f"{point_key(fingerprint, call)}.npz" for call in calls]

    # A point that stands twice is computed once: its file is its identity. Broken files are computed again.
    results: dict[int, Any] = {}
    pending: list[int] = []
    claimed: set[Path] = set()
    for i, path in enumerate(paths):
        if path is None:
            pending.append(i)
        elif path not in claimed:
            claimed.add(path)
            found, value = load_result(path)
            if found:
                results[i] = value
            else:
                pending.append(i)
    if pending and cache is not None:
        _try_writing(Path(cache))
    known, hidden = len(calls) - len(pending), None if progress else True
    bar = tqdm(total=len(calls), initial=known, desc=description, disable=hidden)
    with bar, warnings.catch_warnings():
        # joblib replaces a worker that has grown by some hundred MB, and says so; no point is lost by that.
        warnings.filterwarnings("ignore", "A worker stopped while some jobs were given", UserWarning)
        if client is None:
            computed: Iterator[tuple[int, Any]] = zip(
                pending, _run(function, calls, paths, pending, jobs), strict=True
            )
        else:
            computed = _run_on_cluster(client, function, calls, paths, pending)
        for i, value in computed:
            results[i] = value
            bar.update()
    first_of = {path: i for i, path in reversed(list(enumerate(paths))) if path is not None}
    return [results[i if path is None else first_of[path]] for i, path in enumerate(paths)]


def _try_writing(folder: Path) -> None:
    """Find out before the first point is computed, not after, that its result cannot be kept."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        error.add_note(f"cache must be a folder that can be made and written to, not {str(folder)!r}.")
        raise


def _limited(jobs: int) -> int:
    """Hold ``jobs`` to the limit of the environment: processes beyond the cores only cost their start."""
    limit = os.environ.get(PROCESSES)
    if not limit:
        return jobs
    if not limit.isdecimal() or int(limit) == 0:
        raise ValueError(f"{PROCESSES} must be a number of processes, 1 or more, not {limit!r}.")
    wanted = jobs if jobs > 0 else max(1, effective_n_jobs(jobs))
    return min(wanted, int(limit))


def _run(
    function: Callable[..., Any], calls: list[dict], paths: list[Path | None], pending: list[int], jobs: int
) -> Iterator[Any]:
    tasks = [(function, calls[i], paths[i]) for i in pending]
    if jobs == 1 or len(tasks) < 2:
        return (_evaluate(*task) for task in tasks)
    with parallel_config(backend="loky", inner_max_num_threads=1):
        return iter(Parallel(n_jobs=jobs, return_as="generator")(delayed(_evaluate)(*task) for task in tasks))


def _run_on_cluster(
    client: Any, function: Callable[..., Any], calls: list[dict], paths: list[Path | None], pending: list[int]
) -> Iterator[tuple[int, Any]]:
    """Results as they come, each saved before the next is waited for."""
    from distributed import as_completed
    from distributed.scheduler import KilledWorker

    places = {client.submit(_evaluate_on_worker, function, calls[i], pure=False): i for i in pending}
    try:
        for future in as_completed(places):
            i = places[future]
            if future.status == "error" and isinstance(future.exception(), KilledWorker):
                raise RuntimeError(f"every worker that was given the point {calls[i]!r:.200} died over it.")
            value = future.result()
            if (path := paths[i]) is not None:
                with _naming(calls[i]):
                    save_result(path, value)
            yield i, value
    finally:
        client.cancel(list(places))


def _evaluate_on_worker(function: Callable[..., Any], call: dict[str, Any]) -> Any:
    import torch

    # For good: a worker may compute several points at a time, and the limits are those of its process.
    torch.set_num_threads(1)
    threadpool_limits(limits=1)
    with _naming(call):
        return function(**call)


def _evaluate(function: Callable[..., Any], call: dict[str, Any], path: Path | None) -> Any:
    """One point, on one thread. Saved in the process that computed it, so that no interrupt loses it."""
    with _naming(call):
        with _one_thread():
            value = function(**call)
        if path is not None:
            save_result(path, value)
    return value


@contextmanager
def _naming(call: dict[str, Any]) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        error.add_note(f"in sweep at point {call!r:.200}")
        raise


@contextmanager
def _one_thread() -> Iterator[None]:
    # Sums differ in the last bit between numbers of threads, also of libraries that function imports later.
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(limits=1):
            yield
    finally:
        torch.set_num_threads(threads)


def _checked_points(points: Any) -> list[dict[str, Any]]:
    if isinstance(points, str | bytes | Mapping) or not isinstance(points, Sequence):
        raise TypeError(f"points must be a sequence of mappings such as [{{'seed': 0}}], not {points!r:.60}.")
    if len(points) == 0:
        raise ValueError("points is empty: give at least one, such as [{'seed': 0}].")
    for i, point in enumerate(points):
        if not isinstance(point, Mapping) or not all(isinstance(name, str) for name in point):
            raise TypeError(f"points[{i}] must map names of arguments to values, not {point!r:.60}.")
    return [dict(point) for point in points]
