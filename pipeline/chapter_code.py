"""Lint and format the code cells of the chapters' MyST sources with ruff, which reads notebooks."""

import subprocess
import sys
import tempfile
from pathlib import Path

import jupytext
import nbformat

from pipeline.chapters import ROOT

# A notebook's cells have no docstrings to check, end in an expression to show it, and are no pytest module.
IGNORED = "B018,D,PT"
# What a page shows without scrolling.
COLUMNS = 80


def sources(root: Path) -> list[Path]:
    """Return the Markdown files of the book that have code cells."""
    return [
        path for path in sorted((root / "book").glob("*.md")) if "```{code-cell}" in path.read_text("utf-8")
    ]


def ruff(root: Path, notebooks: list[Path], fix: bool) -> int:
    """Run ruff's linter and formatter over notebooks; return the worse exit code."""
    settings = ["--config", str(root / "pyproject.toml"), "--no-cache"]
    check = [
        "check",
        "--extend-ignore",
        IGNORED,
        *settings,
        *(["--fix", "--exit-zero", "--quiet"] if fix else []),
    ]
    layout = [
        "format",
        *settings,
        "--config",
        f"line-length={COLUMNS}",
        *(["--quiet"] if fix else ["--diff", "--quiet"]),
    ]
    files = [path.name for path in notebooks]
    ruff_module = [sys.executable, "-m", "ruff"]
    folder = notebooks[0].parent
    return max(subprocess.call([*ruff_module, *task, *files], cwd=folder) for task in (check, layout))


def replace_code(text: str, before: list[str], after: list[str]) -> str:
    """Return the Markdown with its code cells replaced in order; everything else stays as it was written."""
    position = 0
    for old, new in zip(before, after, strict=True):
        start = text.index(old, position)
        text = text[:start] + new + text[start + len(old) :]
        position = start + len(new)
    return text


def code(notebook: nbformat.NotebookNode) -> list[str]:
    """Return the sources of a notebook's code cells."""
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


def main(root: Path = ROOT, fix: bool = False) -> int:
    """Check or fix every chapter's code; return the exit code."""
    with tempfile.TemporaryDirectory(prefix="ntklib-lint-") as temporary:
        folder = Path(temporary)
        for path in sources(root):
            notebook = jupytext.read(path)
            notebook.metadata["language_info"] = {"name": "python"}
            nbformat.write(notebook, folder / f"{path.stem}.ipynb")
        notebooks = sorted(folder.glob("*.ipynb"))
        status = ruff(root, notebooks, fix) if notebooks else 0
        if fix:
            for path in sources(root):
                before, after = (
                    code(jupytext.read(path)),
                    code(nbformat.read(folder / f"{path.stem}.ipynb", 4)),
                )
                text = path.read_text("utf-8")
                if (fixed := replace_code(text, before, after)) != text:
                    path.write_text(fixed, "utf-8")
                    print(f"formatted {path.relative_to(root)}")
    if status and not fix:
        print("in the chapters' code cells (book/*.md); `make format` mends the layout.", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main(fix="--fix" in sys.argv[1:]))
