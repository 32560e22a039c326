"""The built pages in the system's Chromium, served to this machine alone."""

import functools
import http.server
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Browser, Page, Route, sync_playwright

from pipeline.chapters import BookError

# Chromium itself asks for nothing, and knows no machine but this one.
QUIET = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
]
# The user's choice of a theme, as the theme's own button stores it.
CHOOSE_THEME = (
    "try {{ localStorage.setItem('mode', '{0}'); localStorage.setItem('theme', '{0}') }} catch {{}}"
)
FORMULAS_DONE = "() => window.MathJax && MathJax.startup && MathJax.startup.promise.then(() => null)"
HEIGHT = 900


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


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the system's Chromium, or the one that the environment variable CHROMIUM names; yield it."""
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        raise BookError("no Chromium: install it (make browser) or set CHROMIUM to its path.")
    # Chromium's sandbox does not start for root, as in a container.
    arguments = QUIET + (["--no-sandbox"] if os.geteuid() == 0 else [])
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=arguments)
        yield browser
        browser.close()


@dataclass
class Opened:
    """A page with its formulas typeset, its complaints, and what it asked other machines for."""

    page: Page
    errors: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)


@contextmanager
def opened(
    browser: Browser,
    home: str,
    path: str,
    width: int,
    theme: str | None = "light",
    offline: bool = False,
    patience: int = 60,
) -> Iterator[Opened]:
    """Open one page in a fresh profile; yield it with its complaints, which go on being collected.

    ``home`` is the address of the book's folder; whatever is asked for outside it is recorded and refused.
    Without a ``theme``, the page chooses, as for a reader who comes for the first time. ``patience`` is how
    many seconds it may take to load.
    """
    context = browser.new_context(viewport={"width": width, "height": HEIGHT}, offline=offline)
    if theme is not None:
        context.add_init_script(CHOOSE_THEME.format(theme))
    seen = Opened(context.new_page())

    def inside_only(route: Route) -> None:
        if route.request.url.startswith((home, "data:", "blob:")):
            route.continue_()
        else:
            seen.outside.append(route.request.url)
            route.abort()

    context.route("**/*", inside_only)
    seen.page.on(
        "console",
        lambda message: seen.errors.append(f"console: {message.text}") if message.type == "error" else None,
    )
    seen.page.on("pageerror", lambda error: seen.errors.append(f"script: {error}"))
    seen.page.on("requestfailed", lambda request: seen.errors.append(f"not loaded: {request.url}"))
    try:
        seen.page.goto(home + path, wait_until="networkidle", timeout=1000 * patience)
        seen.page.evaluate(FORMULAS_DONE)
        seen.page.evaluate("() => document.fonts.ready.then(() => null)")
        yield seen
    finally:
        context.close()


def unread_formulas(page: Page) -> list[str]:
    """Return what is wrong with a page's formulas: left as TeX, an error in their place, unknown commands."""
    left = page.evaluate(
        "[...document.querySelectorAll('.math')].filter(m => !m.querySelector('mjx-container'))"
        ".map(m => 'not typeset: ' + m.textContent.trim().slice(0, 80))"
    )
    errors = page.evaluate(
        "[...document.querySelectorAll('mjx-merror, [data-mjx-error]')]"
        ".map(m => 'not understood: ' + (m.dataset.mjxError || m.textContent).slice(0, 80))"
    )
    # MathJax writes a command that it does not know in red, without an error.
    unknown = page.evaluate(
        "[...document.querySelectorAll('mjx-assistive-mml [mathcolor=red]')]"
        ".map(m => 'unknown command: ' + m.textContent)"
    )
    return [*left, *errors, *unknown]


def broken_pictures(page: Page) -> list[str]:
    """Return the addresses of the pictures that were not loaded."""
    found: list[str] = page.evaluate(
        "[...document.images].filter(i => !i.complete || !i.naturalWidth).map(i => i.src.slice(0, 120))"
    )
    return found


def sideways(page: Page) -> list[str]:
    """Return by how much the page is wider than its window, with the elements that reach furthest out."""
    found: list[str] = page.evaluate(
        """() => {
        const root = document.documentElement, over = root.scrollWidth - root.clientWidth;
        if (over <= 0) return [];
        const wide = [...document.querySelectorAll('article *')]
          .filter(e => !e.parentElement.closest('pre, div.math, mjx-container'))
          .map(e => [e.getBoundingClientRect().right, e])
          .sort((a, b) => b[0] - a[0]).slice(0, 3)
          .map(([right, e]) => `to ${Math.round(right)} px: ${e.cloneNode().outerHTML.slice(0, 120)}`);
        return [`${over} px wider than the window`, ...wide];
      }"""
    )
    return found
