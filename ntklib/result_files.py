"""Results on disk: found by the content of what made them, in npz files that hold no code."""

import hashlib
import inspect
import json
import types
import zipfile
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd

from ntklib.files import replacing


def function_fingerprint(function: Callable[..., Any]) -> str:
    """Checksum of a function's code and of all that it refers to, and of the libraries that compute.

    Parameters
    ----------
    function : callable

    Returns
    -------
    str

    Raises
    ------
    TypeError
        If the function refers to a value that has no content to hash.

    Notes
    -----
    Follows referenced functions and classes outside installed packages, closures and global values. Names
    looked up at run time (``getattr``, files that are read) it cannot see.

    Examples
    --------
    >>> function_fingerprint(lambda x: x + 1) == function_fingerprint(lambda x: x + 2)
    False
    """
    digest = hashlib.sha256(_library_fingerprint().encode())
    for part in _parts(function, set()):
        digest.update(part.encode() + b"\0")
    return digest.hexdigest()


def point_key(fingerprint: str, point: Mapping[str, Any]) -> str:
    """Checksum of a function's fingerprint and the arguments it is called with.

    Raises
    ------
    TypeError
        If an argument has no content to hash.

    Examples
    --------
    >>> point_key("f", {"a": 1, "b": 2}) == point_key("f", {"b": 2, "a": 1})
    True
    """
    parts = [f"{name}={_content(point[name], name)}" for name in sorted(point)]
    return hashlib.sha256("\0".join([fingerprint, *parts]).encode()).hexdigest()


def save_result(path: Path, value: Any) -> None:
    """Write a result, whole or not at all.

    Raises
    ------
    TypeError
        If the value is, or holds, something other than numbers, strings, None, lists, tuples, dicts with
        string keys, numeric arrays, Series and DataFrames.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "result.npz"
    >>> save_result(path, {"scores": np.arange(3.0), "name": ("a", 1)})
    >>> load_result(path)
    (True, {'scores': array([0., 1., 2.]), 'name': ('a', 1)})
    """
    arrays: dict[str, np.ndarray] = {}
    structure = json.dumps(_encoded(value, arrays))
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, structure=np.array(structure), **arrays)  # type: ignore[arg-type]


def load_result(path: Path) -> tuple[bool, Any]:
    """Read a result: whether there is a whole one at ``path``, and it."""
    try:
        # Opened here, since numpy leaves a broken archive open.
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            return True, _decoded(json.loads(str(file["structure"])), file)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return False, None


@cache
def _library_fingerprint() -> str:
    # The version alone would give stale results while ntklib itself is being changed.
    folder = Path(__file__).parent
    sources = [hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.rglob("*.py"))]
    return " ".join([*sources, *(version(name) for name in ("numpy", "scipy", "torch"))])


def _parts(function: Any, seen: set[int]) -> list[str]:
    if id(function) in seen:
        return []
    seen.add(id(function))
    function = inspect.unwrap(function)
    if isinstance(function, partial):
        return [_content([function.args, function.keywords], "partial"), *_parts(function.func, seen)]
    if not isinstance(function, types.FunctionType):
        return [_source(function)]
    parts = [_content([function.__defaults__, function.__kwdefaults__], "defaults")]
    referred = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
    variables = {name: cell.cell_contents for name, cell in referred.items()}
    for code in _codes(function.__code__):
        constants = [c for c in code.co_consts if not isinstance(c, types.CodeType)]
        parts += [
            code.co_code.hex(),
            *map(str, (code.co_names, code.co_varnames)),
            _content(constants, "constants"),
        ]
        variables |= {
            name: function.__globals__[name] for name in code.co_names if name in function.__globals__
        }
    for name, value in sorted(variables.items()):
        if isinstance(value, types.ModuleType):
            parts.append(f"{name} is module {value.__name__}")
        elif callable(value):
            parts += [name] if _is_installed(value) else [name, *_parts(value, seen)]
        else:
            parts += [name, _content(value, name)]
    return parts


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    """Walk through a function's code and, as names are looked up in them too, the functions inside it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _codes(constant)


def _source(value: Any) -> str:
    """Source of a class; the content of any other callable, such as an architecture."""
    try:
        return inspect.getsource(value)
    except (OSError, TypeError):
        return _content(value, getattr(value, "__name__", type(value).__name__))


def _is_installed(value: Any) -> bool:
    """Whether a function or class comes from a package, whose version stands for its content."""
    module = inspect.getmodule(value)
    file = getattr(module, "__file__", None)
    if module is None or module.__name__.split(".")[0] == "ntklib":
        return module is not None
    return module.__name__ != "__main__" and (
        file is None or "site-packages" in file or "/lib/python" in file
    )


def _content(value: Any, name: str) -> str:
    try:
        return str(joblib.hash(value))
    except Exception as error:
        raise TypeError(
            f"{name!r}, a {type(value).__name__}, has no content to hash, so it cannot be cached: pass "
            "a number, string, array or documents instead, or leave cache out."
        ) from error


def _encoded(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    """JSON for the structure, with the arrays put aside; each node is [kind, content]."""
    if value is None or type(value) in (bool, int, float, str):
        return ["value", value]
    if type(value) in (list, tuple):
        return [type(value).__name__, [_encoded(item, arrays) for item in value]]
    if type(value) is dict and all(type(key) is str for key in value):
        return ["dict", {key: _encoded(item, arrays) for key, item in value.items()}]
    if isinstance(value, np.generic | np.ndarray) and value.dtype.kind in "biufcU":
        name = f"array{len(arrays)}"
        arrays[name] = np.asarray(value)
        return ["array" if isinstance(value, np.ndarray) else "scalar", name]
    if isinstance(value, pd.DataFrame):
        columns = [_encoded(value.iloc[:, i].to_numpy(), arrays) for i in range(value.shape[1])]
        return [
            "frame",
            [columns, _encoded_index(value.index, arrays), _encoded_index(value.columns, arrays)],
        ]
    if isinstance(value, pd.Series):
        name = _encoded(value.name, arrays)
        return ["series", [_encoded(value.to_numpy(), arrays), _encoded_index(value.index, arrays), name]]
    if isinstance(value, np.ndarray) and value.dtype.kind == "O":
        return ["objects", [_encoded(item, arrays) for item in value.tolist()]]
    raise TypeError(
        f"a sweep's result holds a {type(value).__name__}, which cannot be cached: return numbers, strings, "
        "lists, tuples, dicts with string keys, numeric arrays, Series or DataFrames, or leave cache out."
    )


def _encoded_index(index: pd.Index, arrays: dict[str, np.ndarray]) -> Any:
    kind = "levels" if isinstance(index, pd.MultiIndex) else "flat"
    labels = [label.item() if isinstance(label, np.generic) else label for label in index.tolist()]
    return [kind, _encoded(labels, arrays), _encoded(list(index.names), arrays), str(index.dtype)]


def _decoded(node: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    kind, content = node
    if kind == "value":
        return content
    if kind in ("list", "tuple"):
        items = [_decoded(item, arrays) for item in content]
        return items if kind == "list" else tuple(items)
    if kind == "dict":
        return {key: _decoded(item, arrays) for key, item in content.items()}
    if kind == "objects":
        objects = np.empty(len(content), dtype=object)
        objects[:] = [_decoded(item, arrays) for item in content]
        return objects
    if kind == "series":
        return pd.Series(
            _decoded(content[0], arrays),
            index=_decoded_index(content[1], arrays),
            name=_decoded(content[2], arrays),
        )
    if kind == "frame":
        columns = {i: _decoded(column, arrays) for i, column in enumerate(content[0])}
        frame = pd.DataFrame(columns, index=_decoded_index(content[1], arrays))
        return frame.set_axis(_decoded_index(content[2], arrays), axis=1)
    return arrays[content] if kind == "array" else arrays[content][()]


def _decoded_index(node: Any, arrays: Mapping[str, np.ndarray]) -> pd.Index:
    kind, labels, names, dtype = node
    values, titles = _decoded(labels, arrays), _decoded(names, arrays)
    if kind == "levels":
        return pd.MultiIndex.from_tuples(values, names=titles)
    return pd.Index(values, name=titles[0], dtype=dtype, tupleize_cols=False)
