"""Sphinx extension: leave out what Jupyter Book puts on every page twice, or that would ask another machine.

sphinx-thebe is loaded twice, and its inline ``const THEBE_JS_URL`` with it: the second one is a syntax error
in every browser's console. The book has no live code, so both go.
"""

from typing import Any

from sphinx.application import Sphinx


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


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the extension, after those that add scripts."""
    app.connect("html-page-context", remove_thebe, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
