"""Interactive figures: drawn when they are reached, used by keyboard, in print replaced by pictures."""

import re

import pytest

from pipeline.browser import opened

FIGURES = {"book/mlp.html": 2, "book/n-grams.html": 1}


@pytest.fixture(params=FIGURES)
def explored(request, browser, home):
    """Return each page that has interactive figures, with its figures drawn, and their number."""
    with opened(browser, home, request.param, width=360) as seen:
        figures = seen.page.locator(".ntklib-explorer")
        for figure in figures.all():
            figure.scroll_into_view_if_needed()
            figure.locator("output").wait_for()
        yield seen, figures, FIGURES[request.param]
        assert seen.errors == []


@pytest.fixture
def attribution(browser, home):
    """Return the figure that splits a label score, drawn, in a wide window."""
    with opened(browser, home, "book/mlp.html", width=1280) as seen:
        figure = seen.page.locator(".ntklib-explorer[aria-label^='Parts of']")
        figure.scroll_into_view_if_needed()
        figure.locator("table").wait_for()
        yield figure
        assert seen.errors == []


def sum_and_score(figure):
    """Return the two numbers that end the table, as a reader sees them."""
    return figure.locator("tfoot td.explorer-value").all_inner_texts()


def test_every_interactive_figure_is_drawn_and_fits_a_phone(explored):
    seen, figures, number = explored
    assert figures.count() == number
    assert seen.page.evaluate("document.documentElement.scrollWidth") <= 360


def test_the_parts_add_up_to_the_score_whatever_a_reader_chooses(attribution):
    seen = set()
    for place in range(attribution.locator("select").count()):
        for option in attribution.locator("select").nth(place).locator("option").all():
            attribution.locator("select").nth(place).select_option(option.get_attribute("value"))
            total, score = sum_and_score(attribution)
            assert total == score
            shown = attribution.locator("tbody td.explorer-value").all_inner_texts()
            added = sum(float(number.replace("−", "-")) for number in shown)
            assert abs(added - float(score.replace("−", "-"))) < 1e-9
            seen.add(score)
    assert len(seen) > 3


def test_the_slider_moves_the_score_by_keyboard(attribution):
    slider = attribution.locator("input[type=range]")
    late = sum_and_score(attribution)[1]
    slider.focus()
    slider.press("Home")
    early = sum_and_score(attribution)[1]
    assert early != late
    assert re.match(r"time t = ", slider.get_attribute("aria-valuetext"))


def test_a_part_tells_its_value_when_it_is_reached_by_tab(attribution):
    attribution.locator("input[type=range]").focus()
    attribution.page.keyboard.press("Tab")
    told = attribution.locator("output").inner_text()
    first = attribution.locator("tbody tr").first
    assert told.startswith(
        f"{first.locator('th').inner_text()}: {first.locator('td').first.inner_text()} of "
    )


def test_print_has_the_picture_in_the_place_of_the_figure(attribution):
    attribution.page.emulate_media(media="print")
    assert not attribution.is_visible()
    assert attribution.page.locator("#mlp-attribution img").is_visible()
