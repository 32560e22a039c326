"""The built pages, opened in Chromium; run by `make browser-test`, after `make book`."""

from pathlib import Path

import pytest

from pipeline.browser import chromium, opened, served
from pipeline.chapters import ROOT, toc_files

HTML = ROOT / "_build" / "html"
CONTENTS = [Path(file).with_suffix(".html").as_posix() for file in toc_files(ROOT)]
PAGES = [*CONTENTS, "genindex.html", "prf-prf.html", "search.html"]


@pytest.fixture(scope="session")
def built():
    """Return the folder of the built book."""
    assert (HTML / "index.html").is_file(), "there is no built book: run `make book` first"
    return HTML


@pytest.fixture(scope="session")
def browser():
    """Return a Chromium that knows no other machine."""
    with chromium() as started:
        yield started


@pytest.fixture(scope="session")
def home(built):
    """Return the address at which the book is served."""
    with served(built) as address:
        yield address


@pytest.fixture(scope="session")
def disk(built):
    """Return the address of the book's folder on the disk."""
    return built.as_uri() + "/"


# A group's tests stay in one process, so that each page is opened once only.
@pytest.fixture(
    scope="module", params=[pytest.param(page, marks=pytest.mark.xdist_group(page)) for page in PAGES]
)
def path(request):
    """Return the path of a page below the book's folder: each in turn."""
    return request.param


@pytest.fixture(scope="module")
def desktop(browser, disk, path):
    """Return a page in a wide window, light, opened from the disk with the network off."""
    with opened(browser, disk, path, width=1280, offline=True) as seen:
        yield seen


@pytest.fixture(scope="module")
def phone(browser, home, path):
    """Return a page 360 px wide, dark, as a server on this machine hands it out."""
    with opened(browser, home, path, width=360, theme="dark") as seen:
        yield seen
