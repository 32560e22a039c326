"""Execute the book's chapters with papermill: those whose inputs changed, each in a process of its own."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import nbformat
from filelock import FileLock, Timeout

from pipeline import fingerprint
from pipeline.chapters import ROOT, BookError, Chapter, as_bytes, chapters, clean, replace_file

# One thread each: two chapters at a time fill two cores, and sums are added in one order.
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)

# glibc gives a large array back to the system at once, and the next one costs its pages anew.
ALLOCATOR = {"MALLOC_TRIM_THRESHOLD_": str(2**33), "MALLOC_MMAP_THRESHOLD_": str(2**33)}

# The most processes that a sweep of ntklib starts.
PROCESSES = "NTKLIB_PROCESSES"


class ChapterFailed(Exception):
    """A chapter could not be executed; the message says where and why."""


class Progress:
    """How far each running chapter is: one rewritten line in a terminal, a line now and then in a log."""

    def __init__(self, every: float = 20.0) -> None:
        self.started = time.monotonic()
        self.cells: dict[str, tuple[int, int]] = {}
        self.terminal = sys.stdout.isatty()
        self.every = every
        self.last = self.started
        self.lock = threading.Lock()

    def update(self, name: str, done: int, total: int) -> None:
        """Note that ``done`` of ``total`` cells have ended."""
        with self.lock:
            self.cells[name] = (done, total)

    def show(self) -> None:
        """Print where things stand, if it is time."""
        now = time.monotonic()
        if not self.cells or (not self.terminal and now - self.last < self.every):
            return
        self.last = now
        with self.lock:
            parts = [f"{name} {done}/{total} cells" for name, (done, total) in self.cells.items()]
        line = f"  {' · '.join(parts)} · {now - self.started:.0f} s"
        print(f"\r{line}\033[K" if self.terminal else line, end="" if self.terminal else "\n", flush=True)

    def say(self, name: str, text: str) -> None:
        """Print a chapter's last word and forget it."""
        with self.lock:
            self.cells.pop(name, None)
        print(f"\r\033[K{text}" if self.terminal else text, flush=True)


class Runner:
    """Runs chapters in child processes, and ends them all when it is told to."""

    def __init__(self, root: Path, progress: Progress, at_a_time: int = 1) -> None:
        self.root = root
        self.progress = progress
        self.children: set[subprocess.Popen[str]] = set()
        self.stopping = False
        # Chapters at a time share the cores: further processes of their sweeps would only cost their start.
        share = {PROCESSES: str(max(1, (os.cpu_count() or 1) // at_a_time))} if at_a_time > 1 else {}
        self.environment = {**dict.fromkeys(THREAD_VARIABLES, "1"), **ALLOCATOR, **share, **os.environ}

    def run(self, chapter: Chapter, checksum: str, parameters: dict[str, Any] | None = None) -> float:
        """Execute one chapter and replace its notebook; return the seconds it took."""
        started = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="ntklib-chapter-") as temporary:
            output = Path(temporary) / f"{chapter.name}.ipynb"
            self.execute(chapter, output, Path(temporary) / "stderr.txt", parameters)
            notebook = clean(nbformat.read(output, as_version=4))
        fingerprint.stamp(notebook, checksum)
        try:
            replace_file(chapter.notebook, as_bytes(notebook))
        except OSError as error:
            raise ChapterFailed(f"{chapter.name}: {error}. The notebook is as it was before.") from error
        return time.monotonic() - started

    def execute(
        self, chapter: Chapter, output: Path, errors: Path, parameters: dict[str, Any] | None = None
    ) -> None:
        """Execute one chapter into ``output``; with other parameters than its own it may take any time."""
        paths = [str(path) for path in (chapter.source, output, chapter.source.parent)]
        given = [] if parameters is None else [json.dumps(parameters)]
        command = [sys.executable, "-m", "pipeline.worker", *paths, *given]
        failure = None
        with (
            errors.open("w") as stderr,
            subprocess.Popen(
                command,
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            ) as child,
        ):
            self.children.add(child)
            if self.stopping:
                child.terminate()
            for line in child.stdout or ():
                event = json.loads(line)
                if "error" in event:
                    failure = event
                else:
                    self.progress.update(chapter.name, event["done"], event["total"])
            code = child.wait()
            self.children.discard(child)
        if failure is not None:
            raise ChapterFailed(describe(chapter, failure))
        if code != 0:
            tail = "\n".join(errors.read_text(errors="replace").splitlines()[-15:])
            raise ChapterFailed(
                f"{chapter.name}: the process that executes it ended with code {code}.\n{tail}"
            )

    def stop(self) -> None:
        """End every child process, politely first."""
        self.stopping = True
        for child in list(self.children):
            child.terminate()
        for child in list(self.children):
            try:
                child.wait(timeout=10)
            except subprocess.TimeoutExpired:
                child.kill()


def describe(chapter: Chapter, failure: dict) -> str:
    """Return a failed cell as a message: chapter, cell, its source, the error."""
    where = "" if failure["cell"] is None else f", cell {failure['cell']}"
    lines = [f"{chapter.name}{where}: {failure['error']}"]
    if failure["source"]:
        lines += ["the cell:", textwrap.indent(failure["source"], "    ")]
    if failure["trace"]:
        lines += ["the traceback:", textwrap.indent("\n".join(failure["trace"]), "    ")]
    lines.append(f"{chapter.notebook.name} is as it was before.")
    return "\n".join(lines)


def run_all(wanted: list[Chapter], root: Path, jobs: int, force: bool) -> list[str]:
    """Execute the wanted chapters where needed; return the failures' messages."""
    shared = fingerprint.shared_inputs(root)
    everything = chapters(root)
    progress = Progress()
    runner = Runner(root, progress, min(jobs, len(wanted)))
    failures: list[str] = []
    first = [chapter for chapter in wanted if not chapter.depends_on_all]
    last = [chapter for chapter in wanted if chapter.depends_on_all]
    for group in (first, last):
        due = []
        for chapter in group:
            checksum = fingerprint.inputs(chapter, shared, everything)
            if failures and chapter.depends_on_all:
                failures.append(f"{chapter.name}: not executed, because it reads the chapters that failed.")
            elif force or not fingerprint.is_current(chapter, checksum):
                due.append((chapter, checksum))
            else:
                print(f"{chapter.name}: up to date")
        # The longest first, so that at the end no core waits for a chapter that was begun late.
        due.sort(key=lambda pair: -pair[0].source.stat().st_size)
        with ThreadPoolExecutor(max_workers=jobs) as pool:
            futures = {pool.submit(runner.run, chapter, checksum): chapter for chapter, checksum in due}
            try:
                collect(futures, progress, failures)
            except BaseException:
                for future in futures:
                    future.cancel()
                runner.stop()
                raise
    return failures


def collect(futures: dict[Future, Chapter], progress: Progress, failures: list[str]) -> None:
    """Wait for all chapters of a group, showing progress."""
    pending = set(futures)
    while pending:
        ended, pending = wait(pending, timeout=1.0, return_when=FIRST_COMPLETED)
        for future in ended:
            name = futures[future].name
            try:
                progress.say(name, f"{name}: executed in {future.result():.0f} s")
            except ChapterFailed as failure:
                failures.append(str(failure))
                progress.say(name, f"{name}: FAILED")
        progress.show()


def execute_once(
    chapter: Chapter, output: Path, errors: Path, parameters: dict[str, Any], root: Path
) -> None:
    """Execute one chapter with parameters of the caller's, showing progress; an interruption ends it."""
    progress = Progress()
    runner = Runner(root, progress)
    with ThreadPoolExecutor(max_workers=1) as pool:
        future = pool.submit(runner.execute, chapter, output, errors, parameters)
        try:
            while not future.done():
                wait([future], timeout=1.0)
                progress.show()
            future.result()
        except BaseException:
            runner.stop()
            raise


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """Read the command line, execute, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.execute", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="chapters to execute (default: all)")
    parser.add_argument("--jobs", type=int, default=2, help="chapters at a time (default: 2)")
    parser.add_argument("--force", action="store_true", help="execute also what is up to date")
    options = parser.parse_args(arguments)
    (root / "_build").mkdir(exist_ok=True)
    lock = FileLock(root / "_build" / "book.lock")
    try:
        try:
            lock.acquire(timeout=0)
        except Timeout:
            print("Another make is at work on this book: waiting for it.", flush=True)
            lock.acquire()
        everything = {chapter.name: chapter for chapter in chapters(root)}
        unknown = [name for name in options.names if name not in everything]
        if unknown:
            raise BookError(f"no chapter named {', '.join(unknown)}; there are {', '.join(everything)}.")
        wanted = [everything[name] for name in options.names] or list(everything.values())
        failures = run_all(wanted, root, max(1, options.jobs), options.force)
    except BookError as error:
        failures = [str(error)]
    except KeyboardInterrupt:
        print("\nInterrupted: unfinished chapters are as they were.", file=sys.stderr)
        return 130
    finally:
        lock.release()
    for failure in failures:
        print(f"\nERROR in {failure}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
