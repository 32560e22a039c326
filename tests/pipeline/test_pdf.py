"""The pages that Sphinx joined get links that lead inside the joined page."""

import pytest
from bs4 import BeautifulSoup

from pipeline.chapters import BookError
from pipeline.pdf import join_links, printable

JOINED = """
<html><head><script src="other.js"></script><script src="_static/mathjax/tex.js"></script></head><body>
<nav>sidebar</nav>
<article>
<section id="welcome"><h1>Welcome<a class="headerlink" href="#welcome">#</a></h1>
<p><a href="#document-book/mlp">to the chapter</a> <a href="mlp.html#claim-one">to a claim</a></p>
<p id="id1">the first reference</p>
<div class="toctree-wrapper">
<span id="document-book/mlp"></span>
<section id="perceptron"><h2>The perceptron</h2>
<p><a href="book/index.html#id1">cites</a> <a href="#id1">its own note</a> <a href="cnn.html">next</a></p>
<p id="id1">a note</p><div id="claim-one">a claim</div>
<section id="limits"><h3>Limits</h3></section>
</section>
<span id="document-book/cnn"></span>
<section id="convolution"><h2>The CNN</h2>
<details><summary>Show</summary><p><a href="book/index.html#claim-one">elsewhere</a></p></details>
<section id="limits"><h3>Limits</h3></section>
</section>
</div></section></article></body></html>
"""
NAMES = ["index", "mlp", "cnn"]


def article():
    """Return the joined page's article, parsed."""
    return BeautifulSoup(JOINED, "html.parser").article


def test_every_link_leads_to_its_own_target():
    joined = article()
    assert join_links(joined, NAMES) == []
    links = {link.get_text(): link["href"] for link in joined.find_all("a")}
    assert links["to the chapter"] == "#mlp-perceptron"
    assert links["to a claim"] == links["elsewhere"] == "#mlp-claim-one"
    assert links["cites"] == "#id1"
    assert links["its own note"] == "#mlp-id1"
    assert links["next"] == "#cnn-convolution"


def test_no_two_elements_share_an_id():
    joined = article()
    join_links(joined, NAMES)
    ids = [tag["id"] for tag in joined.find_all(id=True)]
    assert len(ids) == len(set(ids))


def test_links_to_nothing_are_reported():
    html = JOINED.replace("mlp.html#claim-one", "mlp.html#claim-two")
    with pytest.raises(BookError, match="claim-two"):
        printable(html, NAMES, "A book", "Its authors")


def test_a_chapter_that_was_not_joined_is_reported():
    with pytest.raises(BookError, match="lacks rnn"):
        printable(JOINED, [*NAMES, "rnn"], "A book", "Its authors")


def test_the_printed_page_has_title_contents_and_chapters_and_nothing_else():
    page = BeautifulSoup(printable(JOINED, NAMES, "A book", "Its authors"), "html.parser")
    assert "sidebar" not in page.get_text()
    assert page.select(".headerlink") == []
    assert page.select_one(".pdf-title").get_text() == "A book"
    contents = [(link.get_text(), link["href"]) for link in page.select(".pdf-contents a")]
    assert ("The perceptron", "#mlp-perceptron") in contents
    assert ("Limits", "#cnn-limits") in contents
    assert [script["src"] for script in page.find_all("script")] == ["_static/mathjax/tex.js"]
    assert all(hidden.has_attr("open") for hidden in page.find_all("details"))


def test_short_code_is_kept_on_one_page_with_its_frame_and_long_code_is_not():
    def cell(lines):
        code = "\n".join(f"line {number}" for number in range(lines))
        return f'<div class="cell_input"><div class="highlight"><pre>{code}\n</pre></div></div>'

    html = JOINED.replace('<p id="id1">a note</p>', f'{cell(3)}{cell(40)}<p id="id1">a note</p>')
    page = BeautifulSoup(printable(html, NAMES, "A book", "Its authors"), "html.parser")
    short, long = page.select(".cell_input")
    assert "pdf-short" in short["class"]
    assert "pdf-short" not in long["class"]
    assert page.select(".highlight.pdf-short") == []
