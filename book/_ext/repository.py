"""Sphinx extension: buttons that lead to the repository, by one setting: ``book_repository`` in _config.yml.

Unset, there are none. Set to the address of a GitHub, GitLab or Bitbucket repository, every page links to it,
to its issues and to the page's own source. There is no button for Binder, Colab or thebe: their machines lack
ntklib, and nothing here was tried on them.
"""

from typing import Any

from sphinx.application import Sphinx

BUTTONS = ("use_repository_button", "use_issues_button", "use_source_button")


def add_buttons(app: Sphinx, config: Any) -> None:
    """Tell the theme the repository's address, when there is one."""
    address = str(config.book_repository or "").rstrip("/")
    if address:
        options = {"repository_url": address, "repository_branch": "HEAD", "path_to_docs": ""}
        config.html_theme_options.update(options, **dict.fromkeys(BUTTONS, True))


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the setting, and read it before the theme reads its options."""
    app.add_config_value("book_repository", "", "html", [str])
    app.connect("config-inited", add_buttons, priority=100)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
