"""The glossary's words are found, and each is used in a chapter."""

import re

import pytest
from docutils import nodes
from docutils.utils import new_document

from pipeline.chapters import ROOT
from tests.pipeline.conftest import sphinx_extension


@pytest.fixture(scope="module")
def links():
    return sphinx_extension("glossary_links")


def test_every_word_is_used_in_a_chapter(links):
    assert "neural tangent kernel" in links.terms()
    texts = [p.read_text(encoding="utf-8") for p in (ROOT / "book").glob("*.md") if p.stem != "glossary"]
    prose = " ".join(re.sub(r"```.*?```", "", text, flags=re.DOTALL) for text in texts)
    prose = re.sub(r"\s+", " ", prose).lower()
    assert [term for term in links.terms() if term.lower() not in prose] == []


def test_only_the_first_mention_in_prose_is_linked(links):
    class Application:
        class env:
            docname = "book/chapter"

    document = new_document("chapter")
    document += nodes.title(text="The noise floor")
    document += nodes.paragraph(text="Above the noise floor, and the noise floor again.")
    document += nodes.paragraph(text="A noise floor.")
    links.link_first_mentions(Application, document)
    (found,) = document.findall(links.addnodes.pending_xref)
    assert found["reftarget"] == "noise floor"
    assert document[1].astext() == "Above the noise floor, and the noise floor again."
    assert document[1][0].astext() == "Above the "
