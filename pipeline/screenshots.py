"""Take pictures of every page in a real browser, and fail on what only a browser sees."""

import sys
from pathlib import Path

from playwright.sync_api import Browser

from pipeline.browser import HEIGHT, broken_pictures, chromium, opened, served, sideways, unread_formulas
from pipeline.chapters import ROOT, BookError, toc_files

# Picture's label → width and theme.
LOOKS = {"desktop": (1280, "light"), "phone": (360, "light"), "dark": (1280, "dark")}
# The page whose picture is the README's.
README_PAGES = ("mlp", "notation", "index")


def look(browser: Browser, home: str, path: str, label: str, picture: Path, readme: Path | None) -> list[str]:
    """Open one page, save its picture, and return what is wrong with it."""
    width, theme = LOOKS[label]
    with opened(browser, home, path, width, theme) as seen:
        found = [*seen.errors, *(f"asks another machine: {url}" for url in seen.outside)]
        found += unread_formulas(seen.page)
        found += [f"picture not loaded: {source}" for source in broken_pictures(seen.page)]
        found += sideways(seen.page)
        if readme:
            seen.page.screenshot(path=readme, clip={"x": 0, "y": 0, "width": width, "height": HEIGHT})
        seen.page.screenshot(path=picture, full_page=True)
    return [f"{path}, {label}: {problem}" for problem in found]


def main(root: Path = ROOT) -> int:
    """Look at every page in every way; return the exit code."""
    html, pictures = root / "_build" / "html", root / "_build" / "screenshots"
    pictures.mkdir(parents=True, exist_ok=True)
    pages = {Path(file).stem: Path(file).with_suffix(".html").as_posix() for file in toc_files(root)}
    readme_page = next(name for name in README_PAGES if name in pages)
    found: list[str] = []
    try:
        with served(html) as home, chromium() as browser:
            for name, path in pages.items():
                for label in LOOKS:
                    is_readme = name == readme_page and label == "desktop"
                    readme = root / "book" / "_static" / "readme-page.png" if is_readme else None
                    found += look(browser, home, path, label, pictures / f"{name}-{label}.png", readme)
    except BookError as error:
        print(f"make screenshots: {error}", file=sys.stderr)
        return 1
    print(f"{len(pages) * len(LOOKS)} pictures are in {pictures.relative_to(root)}.")
    print("\n".join(found), file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
