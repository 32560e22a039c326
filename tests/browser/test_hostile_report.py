"""A report on hostile texts, labels, columns and file names, in Chromium: shown, and no script runs."""

import csv
import itertools

import pytest

from pipeline.report import main

FAST = ["--jobs", "1", "--set", "architectures=('mlp',)", "--set", "trust_sentences=20"]
FORMULA = "=cmd|'/c calc'!A1"
PAYLOADS = (
    "<script>window.ran = 'script'; alert(1)</script>",
    "<img src=x onerror=\"window.ran = 'error'; alert(2)\">",
    "<svg onload=\"window.ran = 'load'\"></svg>",
    "</td></tr></table></pre><script>window.ran = 'closed'</script>",
    "<iframe srcdoc=\"<script>parent.ran = 'frame'</script>\"></iframe>",
    "<img src='http://evil.example/beacon.png'><link rel=stylesheet href='http://evil.example/x.css'>",
    "<style>@import url(http://evil.example/y.css);</style>",
    "<meta http-equiv=refresh content='0;url=http://evil.example/'>",
    "<form action='http://evil.example/'><input autofocus onfocus=\"window.ran = 'focus'\"></form>",
    "&lt;script&gt;window.ran = 'entity'&lt;/script&gt;",
    "$\\href{javascript:window.ran='formula'}{x}$ [x](javascript:window.ran='link')",
    FORMULA,
)
TEXT, LABEL = (
    "<script>window.ran = 'column'</script>",
    f'"><img src=x onerror="window.ran = \'name\'">{FORMULA}',
)
LABELS = ("<script>window.ran = 'label'; alert(3)</script>", f"{FORMULA}<img src=x onerror=alert(4)>")
ROWS = [
    (f"{payload} {word} film {number % 7}", label)
    for number, (payload, (word, label)) in enumerate(
        itertools.product(PAYLOADS, zip(("good", "bad"), LABELS, strict=True))
    )
]
FILE = 'x"><img src=x onerror="window.ran = \'file\'">.csv'


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """Return the report on a file that is hostile wherever a person can write into it."""
    folder = tmp_path_factory.mktemp("hostile")
    with (folder / FILE).open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([(TEXT, LABEL), *ROWS * 3])
    output = folder / "report.html"
    assert main([str(folder / FILE), "--text", TEXT, "--label", LABEL, "--output", str(output), *FAST]) == 0
    return output


class Watched:
    """A page, and everything that it did on its own."""

    def __init__(self, browser, **options):
        self.context = browser.new_context(**options)
        self.dialogs, self.requests, self.complaints = [], [], []
        self.page = self.context.new_page()
        self.page.on("dialog", lambda dialog: (self.dialogs.append(dialog.message), dialog.dismiss()))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def settle(self):
        """Wait until whatever the page started has ended."""
        self.page.wait_for_load_state("networkidle")
        self.page.wait_for_timeout(300)
        return self.page.evaluate("window.ran")


@pytest.mark.parametrize("policy", [True, False])
def test_nothing_of_a_hostile_file_is_executed_or_fetched(browser, report, policy):
    """Also without the page's policy against scripts, which would stop what was not escaped."""
    seen = Watched(browser, bypass_csp=not policy)
    seen.page.goto(report.as_uri())
    assert seen.settle() is None
    assert seen.dialogs == []
    assert seen.requests == [report.as_uri()]
    assert seen.complaints == []
    assert seen.page.url == report.as_uri()
    assert (
        seen.page.evaluate(
            "document.scripts.length + document.querySelectorAll('iframe, svg, form, link').length"
        )
        == 0
    )
    shown = seen.page.inner_text("body")
    columns = [repr(name)[1:-1] for name in (TEXT, LABEL)]  # among the parameters
    for written in (*columns, *LABELS, FILE, FORMULA):
        assert " ".join(written.split()) in " ".join(shown.split())
    # Which sentences are quoted, the model decides: the last cells of the table under "sentence".
    quoted = seen.page.evaluate(
        """[...document.querySelectorAll("table")]
        .filter((table) => table.rows[0].lastElementChild.innerText === "sentence")
        .flatMap((table) => [...table.rows].slice(1).map((row) => row.lastElementChild.innerText))"""
    )
    texts = [text for text, _ in ROWS]
    assert quoted
    for sentence in quoted:
        assert sentence in texts
    # The formula is part of the names and labels too, and is no markup.
    assert {payload for payload in PAYLOADS if any(payload in text for text in quoted)} - {FORMULA}
    seen.context.close()


def test_the_same_payloads_run_where_they_are_not_escaped(browser, tmp_path):
    page = tmp_path / "page.html"
    page.write_text("<!DOCTYPE html><body>" + "".join(PAYLOADS[:7]))
    seen = Watched(browser)
    seen.page.goto(page.as_uri())
    assert seen.settle() is not None
    assert seen.dialogs
    assert len(seen.requests) > 1
    seen.context.close()
