"""What a Python file imports, read without executing it."""

import ast


def imported_names(file):
    """Dotted names of the modules that a file imports, and of what it takes from them."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = [node.module] if node.module else []
            yield from module
            yield from (".".join([*module, alias.name]) for alias in node.names)
