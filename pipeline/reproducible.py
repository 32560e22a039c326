"""Show that executing a chapter again prints the same, on one thread as on two.

Compared is every output but those that nbval ignores, such as the line of provenance, which names the
number of threads. Pictures are compared too, but only reported: the promise is about what is printed.
"""

import argparse
import difflib
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import nbformat

from pipeline.chapters import ROOT, Chapter, chapters, own_cells
from pipeline.check_site import IGNORING_TAGS
from pipeline.execute import THREAD_VARIABLES, ChapterFailed, Progress, Runner

# Drawn by libraries whose last bit may differ between kinds of processor; nbval doesn't compare them either.
PICTURES = ("image/png", "image/jpeg")

# The variables of the environment alone would show nothing: a chapter tells torch how many threads to take.
THREADS = "threads"


def displayed(cell: nbformat.NotebookNode) -> dict[str, str]:
    """Return a code cell's outputs as text by kind."""
    found: dict[str, str] = {}
    for output in cell.get("outputs", []):
        if output.output_type == "stream":
            found[output.name] = found.get(output.name, "") + output.text
        else:
            for kind, value in output.get("data", {}).items():
                found[kind] = found.get(kind, "") + (value if isinstance(value, str) else repr(value))
    return found


def changed(
    expected: nbformat.NotebookNode, actual: nbformat.NotebookNode
) -> Iterator[tuple[int, str, str, str]]:
    """Yield cell, kind, old and new text of each output that differs; what nbval ignores left out."""
    for number, (old, new) in enumerate(zip(own_cells(expected), own_cells(actual), strict=True)):
        if IGNORING_TAGS & set(old.metadata.get("tags", [])):
            continue
        before, after = displayed(old), displayed(new)
        for kind in sorted(before.keys() | after.keys()):
            if before.get(kind) != after.get(kind):
                yield number, kind, before.get(kind, ""), after.get(kind, "")


def differences(
    expected: nbformat.NotebookNode, actual: nbformat.NotebookNode
) -> tuple[list[str], list[int]]:
    """Return a message for each printed output that differs, and the cells whose pictures differ."""
    if [cell.source for cell in own_cells(expected)] != [cell.source for cell in own_cells(actual)]:
        return ["the cells' sources differ"], []
    printed, pictures = [], []
    for number, kind, before, after in changed(expected, actual):
        if kind in PICTURES:
            pictures.append(number)
            continue
        lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=0)
        changes = [line for line in lines if line[:2] not in ("--", "++", "@@")]
        printed.append("\n    ".join([f"cell {number}, {kind}:", *changes[:10]]))
    return printed, pictures


def compare(name: str, expected: bytes, actual: bytes) -> bool:
    """Print how two files of one notebook compare; return whether they print the same."""
    if expected == actual:
        print(f"{name}: byte-identical")
        return True
    printed, pictures = differences(
        *(nbformat.reads(content.decode(), as_version=4) for content in (expected, actual))
    )
    drawn = [f"pictures differ in cells {', '.join(map(str, pictures))}"] if pictures else []
    if printed:
        print("\n  ".join([f"{name}: DIFFERENT", *printed, *drawn]))
    else:
        print("; ".join([f"{name}: equal printed outputs", *(drawn or ["equal pictures"])]))
    return not printed


def execute_with(threads: int, chapter: Chapter, folder: Path, parameters: dict[str, int] | None) -> bytes:
    """Return the executed notebook of a chapter, made in a scratch folder with so many threads."""
    copy = Chapter(chapter.name, chapter.source, folder / f"{chapter.name}-{threads}.ipynb")
    runner = Runner(ROOT, Progress())
    runner.environment |= dict.fromkeys(THREAD_VARIABLES, str(threads))
    seconds = runner.run(copy, "", parameters)
    print(
        f"{chapter.name}: executed with {threads} thread{'s' if threads > 1 else ''} in {seconds:.0f} s",
        flush=True,
    )
    return copy.notebook.read_bytes()


def twice(chapter: Chapter) -> bool:
    """Execute a chapter with one thread and with two; return whether it prints the same."""
    settable = THREADS in chapter.parameters
    if not settable:
        print(f"{chapter.name}: has no parameter {THREADS}; only the environment names the threads")
    with tempfile.TemporaryDirectory(prefix="ntklib-reproducible-") as temporary:
        one, two = (
            execute_with(threads, chapter, Path(temporary), {THREADS: threads} if settable else None)
            for threads in (1, 2)
        )
    return compare(chapter.name, one, two)


def once(chapter: Chapter) -> bool:
    """Execute a chapter and compare with its notebook; return whether the outputs are equal."""
    with tempfile.TemporaryDirectory(prefix="ntklib-reproducible-") as temporary:
        again = execute_with(1, chapter, Path(temporary), None)
    return compare(chapter.name, chapter.notebook.read_bytes(), again)


def against(revision: str, chapter: Chapter, root: Path) -> bool:
    """Compare a chapter's notebook with the committed one; return whether the outputs are equal."""
    file = chapter.notebook.relative_to(root).as_posix()
    shown = subprocess.run(["git", "show", f"{revision}:{file}"], cwd=root, capture_output=True, check=False)
    if shown.returncode:
        print(f"{chapter.name}: {file} is not committed at {revision}")
        return False
    return compare(chapter.name, shown.stdout, chapter.notebook.read_bytes())


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """Read the command line, compare, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.reproducible", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="chapters (default: all)")
    parser.add_argument(
        "--against", metavar="REVISION", help="compare the notebooks with those committed there"
    )
    parser.add_argument(
        "--once", action="store_true", help="execute the chapters once and compare with their notebooks"
    )
    options = parser.parse_args(arguments)
    wanted = [chapter for chapter in chapters(root) if not options.names or chapter.name in options.names]
    if unknown := set(options.names) - {chapter.name for chapter in wanted}:
        parser.error(f"no chapter named {', '.join(sorted(unknown))}")
    try:
        if options.against:
            results = [against(options.against, chapter, root) for chapter in wanted]
        else:
            results = [once(chapter) if options.once else twice(chapter) for chapter in wanted]
    except ChapterFailed as failure:
        print(f"ERROR in {failure}", file=sys.stderr)
        return 1
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
