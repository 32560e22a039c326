"""Check that every committed executed notebook belongs to its source: the same cells, tags and text."""

import sys
from pathlib import Path

from pipeline.chapters import ROOT, chapters, content


def problems(root: Path = ROOT) -> list[str]:
    """Return one message for each notebook that is missing or was executed from another source."""
    found = []
    for chapter in chapters(root):
        notebook = chapter.read_notebook()
        name = chapter.notebook.relative_to(root).as_posix()
        remedy = f"run `make chapter NAME={chapter.name}`"
        if notebook is None:
            found.append(f"{name} is missing or no notebook: {remedy}.")
            continue
        written, executed = content(chapter.read_source()), content(notebook)
        for number, (expected, actual) in enumerate(zip(written, executed, strict=False)):
            if expected != actual:
                found.append(f"{name}, cell {number} differs from {chapter.source.name}: {remedy}.")
                break
        else:
            if len(written) != len(executed):
                found.append(
                    f"{name} has {len(executed)} cells, {chapter.source.name} has {len(written)}: {remedy}."
                )
    return found


if __name__ == "__main__":
    messages = problems()
    print("\n".join(messages) or "Every executed notebook belongs to its source.")
    sys.exit(1 if messages else 0)
