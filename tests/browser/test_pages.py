"""Every page of the book, as a reader's browser shows it."""

import json
from pathlib import Path

from axe_playwright_python.base import AXE_SCRIPT
from bs4 import BeautifulSoup

from pipeline.browser import broken_pictures, sideways, unread_formulas

CONTRAST = (Path(__file__).parent / "contrast.js").read_text(encoding="utf-8")
# axe looks at each of thousands of coloured words and drawn letters; one word of each kind, and ten formulas,
# tell the same. What a screen reader is given for a formula stays.
FEWER_ALIKE = """() => {
  const seen = new Set();
  for (const word of document.querySelectorAll('.highlight pre span[class]')) {
    const kind = word.className + (word.closest('.cell_output') ? ' output' : '');
    if (seen.has(kind)) word.replaceWith(...word.childNodes); else seen.add(kind);
  }
  document.querySelectorAll('.highlight pre').forEach(block => block.normalize());
  [...document.querySelectorAll('mjx-math')].slice(10).forEach(drawing => drawing.replaceChildren());
}"""
SERIOUS = ("serious", "critical")


def assert_none(problems):
    """Fail with the whole list of problems, one a line."""
    assert not problems, "\n".join(problems)


def unreadable(page, theme):
    """Return the texts with too little contrast in one theme (WCAG 2, level AA)."""
    # Without the theme's gradual changes of colour, which would be measured half-way.
    page.add_style_tag(content="* { transition: none !important; }")
    page.evaluate("theme => { document.documentElement.dataset.theme = theme; }", theme)
    found = page.evaluate(CONTRAST)
    assert found["measured"] > 0
    return [f"{theme}: {problem}" for problem in found["problems"]]


def violations(page):
    """Return axe-core's serious violations, one line for each kind with its first elements."""
    page.evaluate(FEWER_ALIKE)
    page.evaluate(AXE_SCRIPT)
    # preload would fetch the style sheets once more.
    options = {"resultTypes": ["violations"], "preload": False}
    result = page.evaluate(f"axe.run(document, {json.dumps(options)})")
    assert len(result["passes"]) > 10
    return [
        f"{kind['id']} ({kind['impact']}, {len(kind['nodes'])} times): {kind['help']}: "
        + "; ".join(node["html"][:150] for node in kind["nodes"][:3])
        for kind in result["violations"]
        if kind["impact"] in SERIOUS
    ]


def test_with_the_network_off_a_page_asks_no_other_machine(desktop):
    assert_none(desktop.outside)


def test_a_page_opened_from_the_disk_has_no_console_error(desktop):
    assert_none(desktop.errors)


def test_a_served_page_asks_no_other_machine_and_has_no_console_error(phone):
    assert_none(phone.outside)
    assert_none(phone.errors)


def test_every_formula_is_typeset(desktop, built, path):
    written = len(BeautifulSoup((built / path).read_text(encoding="utf-8"), "html.parser").select(".math"))
    assert_none(unread_formulas(desktop.page))
    assert desktop.page.locator(".math mjx-container").count() >= written
    if written:
        fonts = desktop.page.evaluate("[...document.fonts].map(font => [font.family, font.status])")
        assert ["MJXTEX", "loaded"] in fonts or ["MJXTEX-I", "loaded"] in fonts
        assert [family for family, status in fonts if status == "error"] == []


def test_every_picture_is_loaded(desktop, built, path):
    written = BeautifulSoup((built / path).read_text(encoding="utf-8"), "html.parser").select("main img")
    assert desktop.page.locator("main img").count() >= len(written)
    assert_none(broken_pictures(desktop.page))


def test_nothing_scrolls_sideways_on_a_phone(phone):
    assert_none(sideways(phone.page))


def test_contrast_is_enough_in_light_and_dark_in_a_wide_window(desktop):
    assert_none(unreadable(desktop.page, "dark") + unreadable(desktop.page, "light"))


def test_contrast_is_enough_in_light_and_dark_on_a_phone(phone):
    assert_none(unreadable(phone.page, "light") + unreadable(phone.page, "dark"))


# The last two, since they simplify the page.
def test_axe_finds_no_serious_violation_in_a_wide_window(desktop):
    assert_none(violations(desktop.page))


def test_axe_finds_no_serious_violation_in_the_dark_on_a_phone(phone):
    assert_none(violations(phone.page))
