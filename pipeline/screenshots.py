"""Take pictures of every page in a real browser, and fail on what only a browser sees."""

import functools
import http.server
import os
import shutil
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from pipeline.chapters import ROOT, toc_files

WIDTHS = {"desktop": 1280, "phone": 390}
# The page and the height of the README's picture.
README_PAGES, README_HEIGHT = ("mlp", "notation", "index"), 900


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Serves files without a line of log for each."""

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder on this machine alone; yield its address."""
    handler = functools.partial(QuietHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def look(
    browser: Browser, address: str, name: str, width: int, picture: Path, readme: Path | None
) -> list[str]:
    """Open one page, save its picture, and return what is wrong with it."""
    found: list[str] = []
    page = browser.new_page(viewport={"width": width, "height": README_HEIGHT})
    page.on(
        "console",
        lambda message: found.append(f"console: {message.text}") if message.type == "error" else None,
    )
    page.on("pageerror", lambda error: found.append(f"script: {error}"))
    home = address.split("/book/")[0]
    page.on(
        "request",
        lambda request: (
            None
            if request.url.startswith((home, "data:", "blob:"))
            else found.append(f"asks another machine: {request.url}")
        ),
    )
    # A browser asks for an icon by itself; the book has none.
    page.route("**/favicon.ico", lambda route: route.fulfill(status=204))
    page.goto(address, wait_until="networkidle")
    page.evaluate("() => window.MathJax && MathJax.startup && MathJax.startup.promise")
    formulas = page.locator("mjx-container").count()
    failed = page.locator("mjx-merror, [data-mjx-error]").count()
    expected = page.locator(".math").count()
    if failed:
        found.append(f"{failed} formulas that MathJax could not read")
    if expected and not formulas:
        found.append("no formula was rendered")
    overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    if overflow > 0:
        found.append(f"scrolls sideways by {overflow} px")
    broken = page.evaluate("[...document.images].filter(i => i.complete && !i.naturalWidth).map(i => i.src)")
    found += [f"picture not loaded: {source}" for source in broken]
    if readme:
        page.screenshot(path=readme)
    page.screenshot(path=picture, full_page=True)
    page.close()
    return [f"{name}, {width} px wide: {problem}" for problem in found]


def main(root: Path = ROOT) -> int:
    """Look at every page at every width; return the exit code."""
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        print(
            "make screenshots: no Chromium; install it (make browser) or set CHROMIUM to its path.",
            file=sys.stderr,
        )
        return 1
    html, pictures = root / "_build" / "html", root / "_build" / "screenshots"
    pictures.mkdir(parents=True, exist_ok=True)
    pages = {Path(file).stem: Path(file).with_suffix(".html").as_posix() for file in toc_files(root)}
    readme_page = next(name for name in README_PAGES if name in pages)
    found: list[str] = []
    # Chromium's sandbox does not start for root, as in a container.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with served(html) as home, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=arguments)
        for name, path in pages.items():
            for label, width in WIDTHS.items():
                is_readme = name == readme_page and label == "desktop"
                readme = root / "book" / "_static" / "readme-page.png" if is_readme else None
                found += look(browser, home + path, name, width, pictures / f"{name}-{label}.png", readme)
        browser.close()
    print(f"{len(pages) * len(WIDTHS)} pictures are in {pictures.relative_to(root)}.")
    print("\n".join(found), file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
