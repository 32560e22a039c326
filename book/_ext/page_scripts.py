"""Sphinx extension: repair what Jupyter Book and its theme put on every page.

sphinx-thebe is loaded twice, and its inline ``const THEBE_JS_URL`` with it: the second one is a syntax error
in every browser's console. The book has no live code, so both go.

The theme asks for its fonts in advance, in a way that browsers refuse on a page that was opened from the
disk; they are loaded with the style sheet in any case.

docutils makes the references a list whose children are no list items, which confuses screen readers.
"""

import re
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

FONT_PRELOAD = re.compile(r'\s*<link rel="preload" as="font"[^>]*>')


def remove_thebe(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Drop thebe's scripts from one page."""

    def belongs_to_thebe(script: Any) -> bool:
        attributes = getattr(script, "attributes", {})
        return "thebe" in str(getattr(script, "filename", "")) or "THEBE_JS_URL" in str(
            attributes.get("body", "")
        )

    context["script_files"] = [
        script for script in context.get("script_files", []) if not belongs_to_thebe(script)
    ]


def mark_references(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Make each reference an item of the list of references."""
    if "body" in context:
        context["body"] = context["body"].replace('role="doc-biblioentry"', 'role="listitem"')


def remove_font_preloads(app: Sphinx, exception: Exception | None) -> None:
    """Drop the theme's requests for fonts from the written pages: no event hands over its macros' output."""
    if exception is not None or app.builder.format != "html":
        return
    for page in Path(app.outdir).rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        shorter = FONT_PRELOAD.sub("", text)
        if shorter != text:
            page.write_text(shorter, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the extension, after those that add scripts."""
    app.connect("html-page-context", remove_thebe, priority=900)
    app.connect("html-page-context", mark_references, priority=900)
    app.connect("build-finished", remove_font_preloads)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
