"""Finding one's way: contents, search, the choice of light or dark."""

import re
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from pipeline.browser import opened
from pipeline.chapters import ROOT, toc_files

CONTENTS = [Path(file).with_suffix(".html").as_posix() for file in toc_files(ROOT)]
FIRST, LAST = CONTENTS[0], CONTENTS[-1]


@pytest.fixture
def first(browser, home):
    """Return the book's first page in a wide window."""
    with opened(browser, home, FIRST, width=1280) as seen:
        yield seen
        assert seen.errors == []
        assert seen.outside == []


@pytest.fixture
def first_on_a_phone(browser, home):
    """Return the book's first page, 360 px wide."""
    with opened(browser, home, FIRST, width=360) as seen:
        yield seen
        assert seen.errors == []
        assert seen.outside == []


def test_the_folders_index_leads_to_the_first_page(browser, home):
    with opened(browser, home, "index.html", width=1280) as seen:
        seen.page.wait_for_url(home + FIRST)


def test_the_contents_name_every_page_in_order(first, home):
    links = first.page.locator("nav.bd-links a.reference.internal").evaluate_all(
        "links => links.map(link => link.href.split('#')[0])"
    )
    assert [link.removeprefix(home) for link in links] == CONTENTS


def test_next_leads_to_the_second_page(first, home):
    first.page.locator("a.right-next").click()
    first.page.wait_for_url(home + CONTENTS[1])


def test_the_contents_open_on_a_phone_and_lead_to_a_page(first_on_a_phone, home):
    page = first_on_a_phone.page
    link = page.locator("nav.bd-links a.reference.internal").last
    assert not link.is_visible() or link.bounding_box()["x"] < 0
    page.locator("button.primary-toggle").click()
    link.click()
    page.wait_for_url(home + LAST)


def test_the_contents_of_a_page_lead_to_its_sections(browser, home, built):
    page_with_sections = CONTENTS[1]
    soup = BeautifulSoup((built / page_with_sections).read_text(encoding="utf-8"), "html.parser")
    written = [link["href"] for link in soup.select(".bd-sidebar-secondary nav a[href^='#']")]
    assert len(written) > 2
    with opened(browser, home, page_with_sections, width=1600) as seen:
        seen.page.locator(f".bd-sidebar-secondary nav a[href='{written[-1]}']").click()
        seen.page.wait_for_url(re.compile(re.escape(written[-1]) + "$"))
        assert seen.page.locator(written[-1]).is_visible()


def test_the_search_button_finds_a_page_by_a_word_of_its_title(first, home):
    page = first.page
    page.locator("button.search-button-field").click()
    page.locator("#search-input").fill("notation")
    page.locator("#search-input").press("Enter")
    page.wait_for_url(re.compile("search.html"))
    results = page.locator("#search-results ul.search li")
    results.first.wait_for()
    assert "book/notation.html" in results.first.locator("a").get_attribute("href")
    # The excerpts are read from the pages found.
    page.locator("#search-results p.context").first.wait_for()
    results.first.locator("a").click()
    page.wait_for_url(re.compile("book/notation.html"))


def test_search_works_on_a_book_opened_from_the_disk(browser, disk):
    with opened(browser, disk, "search.html?q=kernel", width=360, offline=True) as seen:
        results = seen.page.locator("#search-results ul.search li")
        results.first.wait_for()
        seen.page.wait_for_function("document.querySelectorAll('#search-results ul.search li').length > 3")
        assert seen.errors == []
        assert seen.outside == []


def test_search_says_when_there_is_nothing(browser, home):
    with opened(browser, home, "search.html?q=zxqzxqzxq", width=360) as seen:
        seen.page.get_by_text("did not match any documents").wait_for()
        assert seen.errors == []


def test_the_button_switches_to_dark_and_the_next_page_stays_dark(browser, home):
    with opened(browser, home, FIRST, width=1280, theme=None) as seen:
        theme = "document.documentElement.dataset.theme"
        assert seen.page.evaluate(theme) == "light"
        for _ in range(3):
            if seen.page.evaluate(theme) == "dark":
                break
            seen.page.locator("button.theme-switch-button").click()
        assert seen.page.evaluate(theme) == "dark"
        seen.page.goto(home + LAST)
        assert seen.page.evaluate(theme) == "dark"
        assert seen.errors == []
