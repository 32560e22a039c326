"""Sphinx extension: the first mention of a word of the glossary on a page leads there."""

import re
from functools import cache
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx

GLOSSARY = Path(__file__).resolve().parent.parent / "glossary.md"
ITSELF = ("book/glossary", "book/api")
_TERM = re.compile(r"^(\w[^\n]*)\n  \S", re.MULTILINE)
# Words inside these are somebody else's: a link, a formula, a heading, the caption of a figure.
_LEFT_ALONE = (nodes.reference, nodes.title, nodes.literal, nodes.caption, addnodes.pending_xref)


@cache
def terms() -> tuple[str, ...]:
    """Return the words of the glossary, longer ones first, so that a part of one isn't taken for a word."""
    return tuple(sorted(_TERM.findall(GLOSSARY.read_text(encoding="utf-8")), key=len, reverse=True))


def link_first_mentions(app: Sphinx, doctree: nodes.document) -> None:
    """Make each word's first mention in a paragraph a reference to its entry."""
    if app.env.docname in ITSELF:
        return
    for term in terms():
        pattern = re.compile(rf"(?<![\w-]){re.escape(term)}s?(?![\w-])", re.IGNORECASE)
        for text in doctree.findall(nodes.Text):
            found = pattern.search(text.astext())
            if found and _is_prose(text):
                _link(text, found, term)
                break


def _is_prose(text: nodes.Text) -> bool:
    parent, paragraph = text.parent, False
    while parent is not None:
        if isinstance(parent, _LEFT_ALONE) or "cell" in parent.get("classes", []):
            return False
        paragraph = paragraph or isinstance(parent, nodes.paragraph)
        parent = parent.parent
    return paragraph


def _link(text: nodes.Text, found: re.Match[str], term: str) -> None:
    reference = addnodes.pending_xref(
        "", refdomain="std", reftype="term", reftarget=term, refexplicit=True, refwarn=True
    )
    reference += nodes.inline(text=found.group(), classes=["glossary-term"])
    whole = text.astext()
    parts = [nodes.Text(whole[: found.start()]), reference, nodes.Text(whole[found.end() :])]
    text.parent.replace(text, [part for part in parts if part.astext()])


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the extension."""
    app.connect("doctree-read", link_first_mentions)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
