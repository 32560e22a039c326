"""Report on a corpus of one's own: the chapter your-corpus, executed for it, as one HTML file."""

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat

import ntklib
from ntklib.corpora import CorpusUnavailable
from pipeline.chapters import ROOT, BookError, Chapter, replace_file
from pipeline.execute import ChapterFailed, execute_once
from pipeline.full_run import assignment
from pipeline.report_page import report_page

NAME = "your-corpus"
FEWEST = 12
"""Sentences that the chapter needs."""
USAGE = 2


class UnfitCorpus(Exception):
    """The corpus allows no report; the message says why in one line."""


def corpus_name(given: str) -> str:
    """Return the corpus's name; a path becomes an absolute one, as the chapter runs in another folder."""
    kind, _, rest = given.partition(":")
    if kind == "csv" and rest:
        return f"csv:{Path(rest).expanduser().resolve()}"
    if Path(given).expanduser().exists() or given.lower().endswith((".csv", ".tsv")):
        return f"csv:{Path(given).expanduser().resolve()}"
    return given


def check(parameters: dict[str, Any]) -> None:
    """Raise :class:`UnfitCorpus` for what the chapter could only fail at."""
    try:
        corpus = ntklib.load_corpus(
            parameters["corpus"],
            text_column=parameters["text_column"],
            label_column=parameters["label_column"],
        )
    except (ValueError, TypeError, CorpusUnavailable, OSError) as error:
        # The columns are options of make here, not arguments of a function.
        reason = " ".join(str(error).split())
        for argument, option in (("text_column", "TEXT"), ("label_column", "LABEL_COLUMN")):
            reason = reason.replace(f"{argument}=…", f"{option}=…")
        raise UnfitCorpus(reason) from error
    if len(corpus.classes) < 2:
        raise UnfitCorpus(
            f"every sentence has the one label {corpus.classes[0]!r}: a report needs two or more labels."
        )
    if len(corpus) < FEWEST:
        raise UnfitCorpus(
            f"the file has {len(corpus)} sentences with text and label: a report needs {FEWEST}."
        )


def report(parameters: dict[str, Any], output: Path, root: Path = ROOT) -> None:
    """Execute the chapter with the parameters and write the page."""
    source = root / "book" / f"{NAME}.md"
    with tempfile.TemporaryDirectory(prefix="ntklib-report-") as temporary:
        notebook = Path(temporary) / f"{NAME}.ipynb"
        chapter = Chapter(NAME, source, notebook)
        # The notebook's own folder must be the book's; only its output goes elsewhere.
        execute_once(chapter, notebook, Path(temporary) / "stderr.txt", parameters, root)
        name = parameters["corpus"].removeprefix("csv:").rstrip("/").rsplit("/", 1)[-1]
        told = {key: value for key, value in parameters.items() if key != "corpus"}
        page = report_page(
            nbformat.read(notebook, as_version=4),
            f"What models would learn from {name}",
            "Parameters: " + ", ".join(f"{key}={value!r}" for key, value in told.items()) + ".",
        )
        replace_file(output, page.encode("utf-8", "replace"))


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """Read the command line and write the report; 2 when the corpus or an option is at fault."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.report", description=__doc__)
    parser.add_argument("corpus", help="a CSV file, a folder of them, or a corpus that ntklib knows")
    parser.add_argument("--output", type=Path, default=Path("report.html"))
    parser.add_argument("--text", default="text", help="name of the column of texts")
    parser.add_argument("--label", default="label", help="name of the column of labels")
    parser.add_argument("--jobs", type=int, default=2, help="architectures at a time")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="another parameter of the chapter, such as activation=tanh; repeatable",
    )
    options = parser.parse_args(arguments)
    try:
        parameters = {
            "corpus": corpus_name(options.corpus),
            "text_column": options.text,
            "label_column": options.label,
            "sentences": 0,
            "show_texts": True,
            "jobs": options.jobs,
        } | dict(map(assignment, options.set))
        if not options.output.resolve().parent.is_dir():
            raise UnfitCorpus(f"there is no folder {options.output.parent} to write the report into.")
        check(parameters)
    except (UnfitCorpus, BookError) as error:
        print(f"ERROR: {error}", file=sys.stderr)
        return USAGE
    try:
        report(parameters, options.output, root)
    except ChapterFailed as error:
        print(f"ERROR: {str(error).splitlines()[0]}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted: no report was written.", file=sys.stderr)
        return 130
    print(f"The report is in {os.path.relpath(options.output)}: open it in a browser.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
