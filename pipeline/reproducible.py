"""Show that executing a chapter again gives the same notebook: its bytes here, its outputs elsewhere."""

import argparse
import difflib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat

from pipeline.chapters import ROOT, Chapter, chapters
from pipeline.check_site import IGNORING_TAGS
from pipeline.execute import THREAD_VARIABLES, ChapterFailed, Progress, Runner

# Drawn by libraries whose last bit may differ between kinds of processor; nbval doesn't compare them either.
PICTURES = ("image/png", "image/jpeg")


def displayed(cell: nbformat.NotebookNode) -> dict[str, str]:
    """Return a code cell's outputs as text by kind, pictures left out."""
    found: dict[str, str] = {}
    for output in cell.get("outputs", []):
        if output.output_type == "stream":
            found[output.name] = found.get(output.name, "") + output.text
        else:
            for kind, value in output.get("data", {}).items():
                if kind not in PICTURES:
                    found[kind] = found.get(kind, "") + (value if isinstance(value, str) else repr(value))
    return found


def differences(expected: nbformat.NotebookNode, actual: nbformat.NotebookNode) -> list[str]:
    """Return a message for each output that differs; pictures, metadata, what nbval ignores left out."""
    if [cell.source for cell in expected.cells] != [cell.source for cell in actual.cells]:
        return ["the cells' sources differ"]
    found = []
    for number, (old, new) in enumerate(zip(expected.cells, actual.cells, strict=True)):
        if IGNORING_TAGS & set(old.metadata.get("tags", [])):
            continue
        before, after = displayed(old), displayed(new)
        for kind in sorted(before.keys() | after.keys()):
            if before.get(kind) != after.get(kind):
                lines = (before.get(kind, "").splitlines(), after.get(kind, "").splitlines())
                changes = [
                    line
                    for line in difflib.unified_diff(*lines, lineterm="", n=0)
                    if line[:2] not in ("--", "++", "@@")
                ]
                found.append("\n    ".join([f"cell {number}, {kind}:", *changes[:10]]))
    return found


def compare(name: str, expected: bytes, actual: bytes) -> bool:
    """Print how two files of one notebook compare; return whether their outputs are equal."""
    if expected == actual:
        print(f"{name}: byte-identical")
        return True
    found = differences(*(nbformat.reads(content.decode(), as_version=4) for content in (expected, actual)))
    if not found:
        print(f"{name}: equal outputs; pictures or metadata differ in bytes")
        return True
    print("\n  ".join([f"{name}: DIFFERENT outputs", *found]))
    return False


def execute_with(threads: int, chapter: Chapter, folder: Path) -> bytes:
    """Return the executed notebook of a chapter, made in a scratch folder with so many threads."""
    copy = Chapter(chapter.name, chapter.source, folder / f"{chapter.name}-{threads}.ipynb")
    runner = Runner(ROOT, Progress())
    runner.environment = {**os.environ, **dict.fromkeys(THREAD_VARIABLES, str(threads))}
    seconds = runner.run(copy, "")
    print(
        f"{chapter.name}: executed with {threads} thread{'s' if threads > 1 else ''} in {seconds:.0f} s",
        flush=True,
    )
    return copy.notebook.read_bytes()


def twice(chapter: Chapter) -> bool:
    """Execute a chapter with one thread and with two; return whether the notebooks have the same bytes."""
    with tempfile.TemporaryDirectory(prefix="ntklib-reproducible-") as temporary:
        one, two = (execute_with(threads, chapter, Path(temporary)) for threads in (1, 2))
    compare(chapter.name, one, two)
    return one == two


def once(chapter: Chapter) -> bool:
    """Execute a chapter and compare with its notebook; return whether the outputs are equal."""
    with tempfile.TemporaryDirectory(prefix="ntklib-reproducible-") as temporary:
        return compare(chapter.name, chapter.notebook.read_bytes(), execute_with(1, chapter, Path(temporary)))


def against(revision: str, chapter: Chapter) -> bool:
    """Compare a chapter's notebook with the committed one; return whether the outputs are equal."""
    file = chapter.notebook.relative_to(ROOT).as_posix()
    shown = subprocess.run(["git", "show", f"{revision}:{file}"], cwd=ROOT, capture_output=True, check=False)
    if shown.returncode:
        print(f"{chapter.name}: {file} is not committed at {revision}")
        return False
    return compare(chapter.name, shown.stdout, chapter.notebook.read_bytes())


def main() -> int:
    """Read the command line, compare, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.reproducible", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="chapters (default: all)")
    parser.add_argument(
        "--against", metavar="REVISION", help="compare the notebooks with those committed there"
    )
    parser.add_argument(
        "--once", action="store_true", help="execute the chapters once and compare with their notebooks"
    )
    options = parser.parse_args()
    wanted = [chapter for chapter in chapters() if not options.names or chapter.name in options.names]
    if unknown := set(options.names) - {chapter.name for chapter in wanted}:
        parser.error(f"no chapter named {', '.join(sorted(unknown))}")
    try:
        if options.against:
            results = [against(options.against, chapter) for chapter in wanted]
        else:
            results = [once(chapter) if options.once else twice(chapter) for chapter in wanted]
    except ChapterFailed as failure:
        print(f"ERROR in {failure}", file=sys.stderr)
        return 1
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
