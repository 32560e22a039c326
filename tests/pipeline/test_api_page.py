"""The API page has every public name, and docstrings refer to equations that the book has."""

import re

import pytest

import ntklib
from pipeline.chapters import ROOT
from tests.pipeline.conftest import sphinx_extension

PAGE = (ROOT / "book" / "api.md").read_text(encoding="utf-8")
LABEL = re.compile(r"^\$\$ \(([\w-]+)\)$|^:label: ([\w-]+)$|^\(([\w-]+)\)=$", re.MULTILINE)


@pytest.fixture(scope="module")
def links():
    return sphinx_extension("api_links")


def test_every_public_name_has_an_entry():
    entries = set(re.findall(r"^\.\. auto\w+:: (\w+)$", PAGE, re.MULTILINE))
    assert entries == set(ntklib.__all__) - {"__version__"}


def test_functions_take_no_options_of_classes():
    """Sphinx would drop the function, and the class above would lose its methods."""
    assert re.findall(r"^\.\. autofunction:: \w+\n +:members:", PAGE, re.MULTILINE) == []
    assert ".. autoclass:: Documents\n   :members:" in PAGE


def test_docstrings_refer_to_labels_that_the_book_has():
    labels = set()
    for source in (ROOT / "book").glob("*.md"):
        labels |= {next(filter(None, found)) for found in LABEL.findall(source.read_text(encoding="utf-8"))}
    named = set()
    for module in (ROOT / "ntklib").rglob("*.py"):
        named |= set(re.findall(r":(?:eq|ref):`([^`]+)`", module.read_text(encoding="utf-8")))
    assert len(named) > 10
    assert named <= labels, f"no such label in the book: {sorted(named - labels)}"


def test_an_equation_leads_to_the_functions_that_compute_it(links):
    found = links.functions_of_equations()
    assert "ntklib.gradient_flow" in found["gradient-flow"]
    assert found["ntk"] == ["ntklib.empirical_ntk"]
    assert found["mlp-kernel"] == ["ntklib.MLP"]


@pytest.mark.parametrize(
    ("target", "linked"), [("spectrum.moebius_weights", False), ("no_such_function", None)]
)
def test_a_name_that_does_not_exist_stays_unresolved(links, target, linked):
    node = {"refdomain": "py", "reftarget": target, "reftype": "func", "refdoc": "book/api"}
    shown = object()
    assert links.resolve(None, None, node, shown) is (shown if linked is False else None)
