"""Which chapters must be executed again: checksums of their inputs, kept inside the executed notebooks.

File times prove nothing in a fresh clone, so a notebook carries the checksum of everything it was made from
(its source, ntklib, the lock file) and of its own cells: edited outputs are none.
"""

import hashlib
from pathlib import Path

import nbformat

from pipeline.chapters import KEY, Chapter, as_bytes
from pipeline.lock import versions


def _digest(parts: list[tuple[str, bytes]]) -> str:
    digest = hashlib.sha256()
    for name, content in parts:
        digest.update(f"{name}\n{len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()


def shared_inputs(root: Path) -> str:
    """Return the checksum of what every chapter is made from; ntklib's source holds the data's checksum."""
    files = [path for path in sorted((root / "ntklib").rglob("*.py")) if "__pycache__" not in path.parts]
    parts = [(path.relative_to(root).as_posix(), path.read_bytes()) for path in files]
    lock = root / "requirements.lock"
    if lock.exists():
        # Versions, not checksums: another build of the same release is no reason to execute again.
        parts.append((lock.name, "\n".join(versions(lock.read_text())).encode()))
    return _digest(parts)


def inputs(chapter: Chapter, shared: str, others: list[Chapter]) -> str:
    """Return the checksum of a chapter's inputs, ``others`` among them where the chapter reads them.

    Two chapters that read all the others do not count as each other's inputs: neither would ever be current.
    """
    parts = [("shared", shared.encode()), ("source", chapter.source.read_bytes())]
    if chapter.depends_on_all:
        for other in others:
            notebook = other.read_notebook()
            if notebook is not None and not other.depends_on_all:
                parts.append((other.name, cells(notebook).encode()))
        runs = sorted((chapter.source.parent / "full").glob("*.json"))
        parts += [(f"full/{file.name}", file.read_bytes()) for file in runs]
    if chapter.reads is not None:
        root = chapter.source.parent.parent
        files = sorted(root.glob(chapter.reads))
        parts += [(file.relative_to(root).as_posix(), file.read_bytes()) for file in files]
    return _digest(parts)


def cells(notebook: nbformat.NotebookNode) -> str:
    """Return the checksum of a notebook's cells, outputs included."""
    bare = nbformat.v4.new_notebook(cells=notebook.cells)
    return _digest([("cells", as_bytes(bare))])


def stamp(notebook: nbformat.NotebookNode, inputs_checksum: str) -> None:
    """Write both checksums into the notebook's metadata."""
    notebook.metadata[KEY] = {
        **notebook.metadata.get(KEY, {}),
        "inputs": inputs_checksum,
        "cells": cells(notebook),
    }


def is_current(chapter: Chapter, inputs_checksum: str) -> bool:
    """Return whether the executed notebook was made from these inputs and not edited since."""
    notebook = chapter.read_notebook()
    if notebook is None:
        return False
    recorded = notebook.metadata.get(KEY, {})
    return recorded.get("inputs") == inputs_checksum and recorded.get("cells") == cells(notebook)
