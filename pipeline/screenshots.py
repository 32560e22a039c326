"""Take pictures of every page in a real browser, and fail on what only a browser sees."""

import shutil
import sys
from pathlib import Path

from playwright.sync_api import Browser, Page

from pipeline.browser import HEIGHT, broken_pictures, chromium, opened, served, sideways, unread_formulas
from pipeline.chapters import ROOT, BookError, toc_files

# Picture's label → width and theme.
LOOKS = {"desktop": (1280, "light"), "phone": (360, "light"), "dark": (1280, "dark")}
# The page whose picture is the README's.
README_PAGES = ("mlp", "notation", "index")
# A page is scrolled through: Chromium leaves parts of one tall picture blank, and some figures are
# drawn when they come into sight.
PIECE, OVERLAP = 1800, 120


def scroll_through(page: Page, width: int, picture: Path) -> int:
    """Save pictures of a page from its top to its end, ``picture`` with a number each; return how many."""
    page.set_viewport_size({"width": width, "height": PIECE})
    height = int(page.evaluate("document.documentElement.scrollHeight"))
    tops = range(0, max(height - OVERLAP, 1), PIECE - OVERLAP)
    for number, top in enumerate(tops):
        page.evaluate(f"window.scrollTo({{top: {top}, behavior: 'instant'}})")
        page.wait_for_timeout(150)  # for what is drawn on arrival
        page.screenshot(path=picture.with_stem(f"{picture.stem}-{number:02d}"))
    return len(tops)


def look(
    browser: Browser, home: str, path: str, label: str, picture: Path, readme: Path | None
) -> tuple[int, list[str]]:
    """Open one page, save its pictures, and return how many and what is wrong with the page."""
    width, theme = LOOKS[label]
    with opened(browser, home, path, width, theme) as seen:
        found = [*seen.errors, *(f"asks another machine: {url}" for url in seen.outside)]
        found += unread_formulas(seen.page)
        found += [f"picture not loaded: {source}" for source in broken_pictures(seen.page)]
        found += sideways(seen.page)
        if readme:
            seen.page.screenshot(path=readme, clip={"x": 0, "y": 0, "width": width, "height": HEIGHT})
        taken = scroll_through(seen.page, width, picture)
    return taken, [f"{path}, {label}: {problem}" for problem in found]


def main(root: Path = ROOT) -> int:
    """Look at every page in every way; return the exit code."""
    html, pictures = root / "_build" / "html", root / "_build" / "screenshots"
    shutil.rmtree(pictures, ignore_errors=True)  # a page that has become shorter leaves no old end
    pictures.mkdir(parents=True)
    pages = {Path(file).stem: Path(file).with_suffix(".html").as_posix() for file in toc_files(root)}
    readme_page = next(name for name in README_PAGES if name in pages)
    found: list[str] = []
    count = 0
    try:
        with served(html) as home, chromium() as browser:
            for name, path in pages.items():
                for label in LOOKS:
                    is_readme = name == readme_page and label == "desktop"
                    readme = root / "book" / "_static" / "readme-page.png" if is_readme else None
                    picture = pictures / f"{name}-{label}.png"
                    taken, problems = look(browser, home, path, label, picture, readme)
                    count += taken
                    found += problems
    except BookError as error:
        print(f"make screenshots: {error}", file=sys.stderr)
        return 1
    print(f"{count} pictures are in {pictures.relative_to(root)}.")
    print("\n".join(found), file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
