"""The book's chapters: which there are, how their files are read, and what a clean notebook looks like."""

import ast
import copy
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jupytext
import nbformat
import yaml

ROOT = Path(__file__).parent.parent
# Our part of a notebook's metadata.
KEY = "ntklib"


class BookError(Exception):
    """Something is wrong with the book's files; the message says which one, and what to do."""


@dataclass(frozen=True)
class Chapter:
    """One page of the book: ``source`` is written by hand, ``notebook`` is executed from it."""

    name: str
    source: Path
    notebook: Path

    @property
    def depends_on_all(self) -> bool:
        """Whether the front matter says that the chapter reads the other chapters' executed notebooks."""
        declared = self.read_source().metadata.get(KEY, {})
        return bool(declared.get("depends_on") == "all")

    @property
    def reads(self) -> str | None:
        """Which files under the root the front matter says that the chapter reads, as a pattern."""
        declared = self.read_source().metadata.get(KEY, {})
        return declared.get("reads")

    @property
    def parameters(self) -> set[str]:
        """The names that the cell tagged ``parameters`` assigns: what papermill can set from outside."""
        trees = [
            ast.parse(cell.source)
            for cell in self.read_source().cells
            if "parameters" in cell.metadata.get("tags", [])
        ]
        names = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Name)]
        return {name.id for name in names if isinstance(name.ctx, ast.Store)}

    def read_source(self) -> nbformat.NotebookNode:
        """Return the source as a notebook without outputs."""
        return jupytext.read(self.source)

    def read_notebook(self) -> nbformat.NotebookNode | None:
        """Return the executed notebook, or None when there is none that can be read."""
        try:
            return nbformat.read(self.notebook, as_version=4)
        except (FileNotFoundError, ValueError, nbformat.reader.NotJSONError, nbformat.ValidationError):
            return None


def toc_files(root: Path) -> list[str]:
    """Return the files of ``_toc.yml`` in reading order."""
    path = root / "_toc.yml"
    toc = yaml.safe_load(path.read_text(encoding="utf-8"))

    def files(node: Any) -> Iterator[str]:
        if isinstance(node, dict):
            for key, value in node.items():
                if key in ("root", "file"):
                    yield value
                else:
                    yield from files(value)
        elif isinstance(node, list):
            for item in node:
                yield from files(item)

    return list(files(toc))


def chapters(root: Path = ROOT) -> list[Chapter]:
    """Return the executed chapters in reading order; pages without code (``.md``) are not among them."""
    found = []
    for file in toc_files(root):
        path = root / file
        source = path.with_suffix(".md")
        if not source.exists():
            raise BookError(
                f"_toc.yml lists {file}, but its source {source.relative_to(root)} does not exist."
            )
        if path.suffix == ".ipynb":
            found.append(Chapter(path.stem, source, path))
        elif path.suffix != ".md":
            raise BookError(
                f"_toc.yml lists {file}: write {file}.ipynb (executed) or {file}.md (prose only)."
            )
        elif "```{code-cell}" in source.read_text(encoding="utf-8"):
            raise BookError(
                f"{file} has code cells, so _toc.yml must list {file[:-3]}.ipynb, its executed notebook."
            )
    return found


def clean(executed: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Return the notebook without anything that differs between two executions with equal outputs."""
    notebook = copy.deepcopy(executed)
    metadata = notebook.metadata
    # "jupytext" would pair the two files when an editor opens one, and write into the source.
    for key in ("papermill", "execution", "widgets", "jupytext"):
        metadata.pop(key, None)
    metadata["language_info"] = {"name": "python"}
    metadata["kernelspec"] = {"display_name": "Python 3", "language": "python", "name": "python3"}
    for index, cell in enumerate(notebook.cells):
        for key in ("papermill", "execution"):
            cell.metadata.pop(key, None)
        if not cell.metadata.get("tags", True):
            del cell.metadata["tags"]
        cell["id"] = hashlib.sha256(f"{index}\n{cell.source}".encode()).hexdigest()[:12]
        if cell.cell_type == "code":
            cell["outputs"] = merge_streams(cell.outputs)
    notebook.nbformat_minor = 5
    return notebook


def merge_streams(outputs: list[nbformat.NotebookNode]) -> list[nbformat.NotebookNode]:
    """Return the outputs with neighbouring streams as one stdout, then one stderr: how they mix is a race."""
    merged: list[nbformat.NotebookNode] = []
    neighbours: dict[str, nbformat.NotebookNode] = {}

    def flush() -> None:
        merged.extend(neighbours[name] for name in sorted(neighbours, reverse=True))
        neighbours.clear()

    for output in outputs:
        if output.output_type != "stream":
            flush()
            merged.append(output)
        elif output.name in neighbours:
            neighbours[output.name]["text"] += output.text
        else:
            neighbours[output.name] = output
    flush()
    return merged


def as_bytes(notebook: nbformat.NotebookNode) -> bytes:
    """Return the contents of the notebook's file: keys sorted, one newline at the end."""
    return (nbformat.writes(notebook, version=4).rstrip("\n") + "\n").encode()


def replace_file(path: Path, content: bytes) -> None:
    """Replace a file in one step, so that a reader or a kill never finds half of it."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        draft.write_bytes(content)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def own_cells(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    """Return the cells that the source has too: all but the one in which papermill sets parameters."""
    return [cell for cell in notebook.cells if "injected-parameters" not in cell.metadata.get("tags", [])]


def content(notebook: nbformat.NotebookNode) -> list[tuple[str, str, tuple[str, ...]]]:
    """Return what an executed notebook must share with its source: each cell's type, text and tags."""
    return [
        (cell.cell_type, cell.source.strip(), tuple(sorted(cell.metadata.get("tags", []))))
        for cell in own_cells(notebook)
    ]
