"""One setting, off when unset, gives the pages their buttons to the repository."""

import importlib.util
from types import SimpleNamespace

import yaml

from pipeline.chapters import ROOT

SPEC = importlib.util.spec_from_file_location("repository_setting", ROOT / "book" / "_ext" / "repository.py")
repository = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(repository)


def theme_options(address):
    """Return the theme's options that a setting leads to."""
    config = SimpleNamespace(book_repository=address, html_theme_options={"use_issues_button": False})
    repository.add_buttons(None, config)
    return config.html_theme_options


def test_unset_it_changes_nothing():
    assert theme_options("") == {"use_issues_button": False}


def test_set_it_gives_the_theme_the_address():
    options = theme_options("https://github.com/someone/book/")
    assert options["repository_url"] == "https://github.com/someone/book"
    assert options["use_repository_button"] is options["use_issues_button"] is True


def test_the_repository_names_no_address_of_its_own():
    settings = yaml.safe_load((ROOT / "_config.yml").read_text())
    assert settings["sphinx"]["config"]["book_repository"] == ""
    assert not any(settings["launch_buttons"].get(key) for key in ("binderhub_url", "colab_url", "thebe"))
