"""Check the built pages and the notebooks they show: a build that fails must fail loudly."""

import io
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

from bs4 import BeautifulSoup, Tag
from PIL import Image, UnidentifiedImageError

from pipeline.chapters import ROOT, chapters, toc_files

# Text that no reader should see, and what it means.
FORBIDDEN_TEXT = {
    "Traceback (most recent call last)": "a traceback",
    "<Figure size": "a figure's repr (end the cell with plt.show())",
    "<Axes:": "an Axes' repr (end the cell with plt.show())",
}
# Elements that Sphinx and MyST leave where something was not understood or not found.
UNRESOLVED = ".system-message, .problematic, span.xref.myst, .xref.unresolved, .reference.unresolved"
# Tags by which nbval leaves an output unchecked; each such cell says why in its metadata.
IGNORING_TAGS = {"nbval-ignore-output", "nbval-skip", "nbval-raises-exception", "raises-exception"}
IGNORING_COMMENTS = (
    "NBVAL_IGNORE_OUTPUT",
    "NBVAL_SKIP",
    "NBVAL_RAISES_EXCEPTION",
    "PYTEST_VALIDATE_IGNORE_OUTPUT",
)
REASON = "nbval_reason"


def ignored_cells(root: Path) -> list[tuple[str, int, str]]:
    """Return (chapter, cell, reason) of each cell that nbval does not compare; the reason may be empty."""
    found = []
    for chapter in chapters(root):
        notebook = chapter.read_notebook()
        for number, cell in enumerate(notebook.cells if notebook else []):
            tagged = IGNORING_TAGS & set(cell.metadata.get("tags", []))
            if cell.cell_type == "code" and (
                tagged or any(mark in cell.source for mark in IGNORING_COMMENTS)
            ):
                found.append((chapter.name, number, str(cell.metadata.get(REASON, "")).strip()))
    return found


def notebook_problems(root: Path) -> list[str]:
    """Return what is wrong with the notebooks: cells not executed, errors, checks left out for no reason."""
    found = []
    for chapter in chapters(root):
        notebook = chapter.read_notebook()
        if notebook is None:
            found.append(f"{chapter.notebook.name}: missing or no notebook")
            continue
        for number, cell in enumerate(notebook.cells):
            if cell.cell_type != "code":
                continue
            if cell.source.strip() and cell.execution_count is None:
                found.append(f"{chapter.notebook.name}, cell {number}: not executed")
            if any(output.output_type == "error" for output in cell.outputs):
                found.append(f"{chapter.notebook.name}, cell {number}: its output is an error")
    for name, number, reason in ignored_cells(root):
        if not reason:
            found.append(f"{name}.ipynb, cell {number}: nbval ignores it, and its metadata has no {REASON}")
    return found


def picture_problem(content: bytes) -> str | None:
    """Return what is wrong with a picture's bytes, or None; of vector graphics only that there are any."""
    if not content:
        return "zero bytes"
    if content.lstrip()[:5] in (b"<?xml", b"<svg "):
        return None
    try:
        with Image.open(io.BytesIO(content)) as picture:
            colours = picture.convert("RGBA")
            bands = [band.getextrema() for band in colours.split()]
    except (UnidentifiedImageError, OSError):
        return "no picture that can be read"
    transparent = bands[3] == (0, 0)
    if transparent or all(low == high for low, high in bands):
        return "blank: one colour everywhere"
    return None


def attribute(tag: Tag, name: str) -> str:
    """Return a tag's attribute as text, empty when it has none."""
    return str(tag.get(name) or "").strip()


class Site:
    """The built pages, each parsed once."""

    def __init__(self, html: Path) -> None:
        self.html = html
        self.pages: dict[Path, BeautifulSoup] = {}
        self.names: dict[Path, set[str]] = {}

    def page(self, path: Path) -> BeautifulSoup:
        """Return a parsed page."""
        if path not in self.pages:
            self.pages[path] = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
        return self.pages[path]

    def anchors(self, path: Path) -> set[str]:
        """Return the names on a page that a link can point to."""
        if path not in self.names:
            tags = self.page(path).find_all(True)
            self.names[path] = {attribute(tag, key) for tag in tags for key in ("id", "name")} - {""}
        return self.names[path]

    def target(self, page: Path, address: str) -> tuple[Path, str] | None:
        """Return the local file and the fragment an address points to, or None when it leaves the book."""
        parts = urlsplit(address)
        if parts.scheme or parts.netloc:
            return None
        path = unquote(parts.path)
        base = self.html if path.startswith("/") else page.parent
        file = (base / path.lstrip("/")).resolve() if path else page.resolve()
        return (file / "index.html" if file.is_dir() else file), unquote(parts.fragment)

    def problems(self, page: Path) -> list[str]:
        """Return what is wrong with one page."""
        soup = self.page(page)
        article = soup.select_one("article, main, [role=main]") or soup
        # The code that a chapter shows may name what its output must not contain.
        shown = " ".join(
            text
            for text in article.find_all(string=True)
            # A cell's code may name these, and a docstring's example show an error that is meant.
            if not text.find_parent(class_=["cell_input", "doctest"])
        )
        found = [meaning for text, meaning in FORBIDDEN_TEXT.items() if text in shown]
        found += [f"unresolved: {tag.get_text(' ', strip=True)[:80]!r}" for tag in soup.select(UNRESOLVED)]
        found += [problem for tag in article.find_all("img") for problem in self.picture(page, tag)]
        for tag in soup.find_all(["a", "link", "script", "img", "source", "iframe"]):
            found += self.link(page, attribute(tag, "href") or attribute(tag, "src"))
        return [f"{page.relative_to(self.html)}: {problem}" for problem in dict.fromkeys(found)]

    def picture(self, page: Path, tag: Tag) -> list[str]:
        """Return what is wrong with one picture."""
        source, alternative = attribute(tag, "src"), attribute(tag, "alt")
        found = []
        # Without a text, Sphinx writes the file's name there.
        if not alternative or Path(alternative).name == Path(urlsplit(source).path).name:
            found.append(f"picture without alt text: {source[:80]}")
        target = None if source.startswith("data:") else self.target(page, source)
        if target and target[0].exists():
            problem = picture_problem(target[0].read_bytes())
            found += [f"picture {source[:80]}: {problem}"] if problem else []
        return found

    def link(self, page: Path, address: str) -> list[str]:
        """Return what is wrong with one local link or asset."""
        target = self.target(page, address) if address else None
        if target is None:
            return []
        file, fragment = target
        if not file.is_relative_to(self.html.resolve()):
            return [f"link out of the book: {address}"]
        if not file.exists():
            return [f"missing file: {address}"]
        if fragment and file.suffix == ".html" and fragment not in self.anchors(file):
            return [f"missing anchor: {address}"]
        return []


def problems(root: Path, html: Path) -> list[str]:
    """Return every defect of the notebooks and of the built pages, one line each."""
    found = notebook_problems(root)
    site = Site(html)
    for file in toc_files(root):
        page = html / Path(file).with_suffix(".html")
        found += (
            site.problems(page) if page.exists() else [f"{page.relative_to(html)}: missing page of _toc.yml"]
        )
    return found


def report(root: Path) -> None:
    """Print how much was checked, and each cell that nbval does not compare, with its reason."""
    ignored = ignored_cells(root)
    print(f"Checked {len(toc_files(root))} pages; nbval compares every cell's output but {len(ignored)}.")
    for name, number, reason in ignored:
        print(f"  {name}, cell {number}: {reason}")


def main(root: Path = ROOT) -> int:
    """Check the book that is in _build/html; return the exit code."""
    found = problems(root, root / "_build" / "html")
    print("\n".join(found), file=sys.stderr) if found else report(root)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
