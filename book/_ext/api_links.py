"""Sphinx extension: links between the book's equations and the functions of ntklib that compute them.

A docstring names the equation that its function computes (``:eq:`gradient-flow```). From that alone follow
both links: the API page points to the equation, and below the equation stands where its code is.
"""

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx

import ntklib

API_PAGE = "book/api"
_EQUATION = re.compile(r":eq:`([^`]+)`")


def _public() -> Iterator[tuple[str, Any]]:
    """Yield every object of the API page with its full name, and the methods that are its own."""
    for name in ntklib.__all__:
        value = getattr(ntklib, name)
        yield f"ntklib.{name}", value
        if inspect.isclass(value):
            for member, method in vars(value).items():
                if not member.startswith("_") and (
                    inspect.isfunction(method) or isinstance(method, property)
                ):
                    yield f"ntklib.{name}.{member}", method


@cache
def functions_of_equations() -> dict[str, list[str]]:
    """From the label of an equation to the public names whose docstrings refer to it."""
    found: dict[str, list[str]] = {}
    seen = set()
    for name, value in _public():
        text = (inspect.getdoc(value) or "") + (_module_doc(value) if inspect.isclass(value) else "")
        for label in _EQUATION.findall(text):
            # A method that a class inherits is its parent's.
            if (label, getattr(value, "__qualname__", name)) not in seen:
                seen.add((label, getattr(value, "__qualname__", name)))
                found.setdefault(label, []).append(name)
    return found


def _module_doc(value: Any) -> str:
    """Docstring of the module of an architecture, where its equations stand."""
    return inspect.getmodule(value).__doc__ or "" if "architectures" in value.__module__ else ""


@cache
def _all_names() -> frozenset[str]:
    """Return the full names of everything in ntklib, for references that have no entry on the API page."""
    names = set()
    for module in pkgutil.walk_packages(ntklib.__path__, "ntklib."):
        if not module.name.endswith("__main__"):
            loaded = importlib.import_module(module.name)
            for name, value in vars(loaded).items():
                names.add(f"{module.name}.{name}")
                if inspect.isclass(value):
                    names.update(f"{module.name}.{name}.{member}" for member in dir(value))
                    names.update(f"{module.name}.{name}.{m}" for m in getattr(value, "__annotations__", {}))
    return frozenset(names)


def add_code_links(app: Sphinx, doctree: nodes.document) -> None:
    """Put below each equation the names of the functions that compute it."""
    for equation in list(doctree.findall(nodes.math_block)):
        names = functions_of_equations().get(equation.get("label") or "", [])
        if not names:
            continue
        line = nodes.paragraph(classes=["equation-code"])
        line += nodes.Text("In code: ")
        for number, name in enumerate(names):
            line += [nodes.Text(", ")] if number else []
            reference = addnodes.pending_xref(
                "", refdomain="py", reftype="obj", reftarget=name, refexplicit=False, refwarn=True
            )
            reference += nodes.literal(text=name)
            line += reference
        equation.parent.insert(equation.parent.index(equation) + 1, line)


def resolve(app: Sphinx, env: Any, node: addnodes.pending_xref, shown: nodes.TextElement) -> Any:
    """Link a short or a module's name to the entry on the API page; show other names of ntklib as they are.

    A name that exists nowhere in ntklib remains unresolved, which ends the build.
    """
    if node.get("refdomain") != "py":
        return None
    target = node["reftarget"].rstrip("()")
    last = target.rsplit(".", 1)[-1]
    if node.get("reftype") == "class" and node.get("refspecific"):
        return shown  # a type in a list of attributes, such as "(N,) float64": words, not a reference
    if last in ntklib.__all__ and last[0] != "_":
        python = env.get_domain("py")
        return python.resolve_xref(env, node["refdoc"], app.builder, "obj", f"ntklib.{last}", node, shown)
    known = target in _all_names() or any(name.endswith(f".{target}") for name in _all_names())
    if known or target.startswith(("scipy.", "numpy.", "torch.")):
        return shown
    return None


def keep_first_line(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Break an attribute's first line after its colon: napoleon takes what stands before one for a type."""
    if what in ("attribute", "data", "property") and lines and ": " in lines[0]:
        head, tail = lines[0].split(": ", 1)
        lines[:1] = [f"{head}:", tail]


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the extension."""
    app.connect("autodoc-process-docstring", keep_first_line, priority=400)  # before napoleon's 500
    app.connect("doctree-read", add_code_links)
    app.connect("missing-reference", resolve)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
