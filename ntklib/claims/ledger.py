"""The ledger: all claims of a book, read back from its executed notebooks and from nothing else."""

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd

from ntklib.claims.record import MIME_TYPE, Claim, record_claim

_CALL = re.compile(r"^[^#\n]*\brecord_claim\(", re.MULTILINE)
_COLUMNS = ["chapter", "statement", "source", "abstract", "expectation", "expected", "measured", "low"]
_COLUMNS += ["high", "measurement", "unit", "verdict", "decisive", "condition", "reason"]


def read_claims(folder: str | Path = ".", toc: str | Path | None = None) -> pd.DataFrame:
    """Read the ledger from executed notebooks.

    Parameters
    ----------
    folder : path
        Where the notebooks are.
    toc : path, optional
        Table of contents of the book, whose notebooks alone are read, in its order. By default the
        ``_toc.yml`` of ``folder`` or of the folder above; where there is none, all notebooks in alphabetical
        order.

    Returns
    -------
    DataFrame
        One row a claim, indexed by its id: chapter (name of the notebook), statement, source, abstract,
        expectation (text), expected (rule or text), measured, low, high (NaN where there is none),
        measurement (text), unit, verdict, decisive, condition, reason. Empty when no chapter has recorded a
        claim.

    Raises
    ------
    FileNotFoundError
        If ``folder`` holds no notebook, or the table of contents doesn't exist.
    ValueError
        If a chapter that records claims was not executed, a record is missing, malformed or contradicts
        itself, or an id occurs twice. The message names the notebook and the cell.

    Notes
    -----
    Reading a table of contents needs PyYAML, which comes with ``ntklib[book]``.

    Examples
    --------
    >>> import tempfile
    >>> from ntklib.claims import record_claim
    >>> claim = record_claim(
    ...     id="one", statement="1 > 0.", source="derivation", expected=("above", 0), measured=1
    ... )
    >>> output = {"output_type": "execute_result", "data": {"text/html": claim._repr_html_()}}
    >>> cell = {"cell_type": "code", "source": "record_claim(...)", "execution_count": 1, "outputs": [output]}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "chapter.ipynb").write_text(json.dumps({"cells": [cell]}))
    ...     read_claims(folder)[["chapter", "verdict"]].values.tolist()
    [['chapter', 'supported']]
    """
    home = Path(folder)
    rows: dict[str, dict[str, Any]] = {}
    for notebook in _notebooks(home, None if toc is None else Path(toc)):
        for place, claim in claims_of(notebook):
            if claim.id in rows:
                raise ValueError(
                    f"{place}: claim {claim.id!r} was already recorded in {rows[claim.id]['chapter']}: "
                    "give each claim an id of its own."
                )
            low, high = claim.interval or (None, None)
            row = {"chapter": notebook.stem, "low": low, "high": high}
            rows[claim.id] = {name: row[name] if name in row else getattr(claim, name) for name in _COLUMNS}
    frame = pd.DataFrame(
        list(rows.values()), index=pd.Index(list(rows), name="id", dtype=object), columns=_COLUMNS
    )
    return frame.astype(
        {"abstract": "Int64", "measured": float, "low": float, "high": float, "decisive": bool}
    )


def _notebooks(folder: Path, toc: Path | None) -> list[Path]:
    """Return the notebooks in reading order."""
    present = sorted(folder.glob("*.ipynb"))
    found = toc or next(
        (p for p in (folder / "_toc.yml", folder.resolve().parent / "_toc.yml") if p.exists()), None
    )
    if found is None:
        if not present:
            raise FileNotFoundError(f"folder {folder} holds no notebook: execute the chapters first.")
        return present
    if not found.exists():
        raise FileNotFoundError(f"toc {found} does not exist: name the book's _toc.yml.")
    import yaml  # part of ntklib[book]; a ledger without table of contents does without

    listed = [found.parent / name for name in _files(yaml.safe_load(found.read_text(encoding="utf-8")))]
    here = [path.with_suffix(".ipynb") for path in listed if path.parent.resolve() == folder.resolve()]
    for notebook in here:
        source = notebook.with_suffix(".md")
        if not notebook.exists() and source.exists() and _CALL.search(source.read_text(encoding="utf-8")):
            raise ValueError(
                f"{notebook.name} does not exist, but {source.name} records claims: execute it first."
            )
    return [notebook for notebook in here if notebook.exists()]


def _files(toc: Any) -> Iterator[str]:
    if isinstance(toc, list):
        for entry in toc:
            yield from _files(entry)
    elif isinstance(toc, dict):
        for key, value in toc.items():
            if key in ("root", "file"):
                yield str(value)
            else:
                yield from _files(value)


def claims_of(notebook: Path) -> Iterator[tuple[str, Claim]]:
    """Yield each claim of a notebook, after the name of the notebook and the cell that holds it."""
    try:
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{notebook.name} is not a Jupyter notebook ({error}): execute the chapter again."
        ) from None
    for number, cell in enumerate(cells, start=1):
        if cell.get("cell_type") != "code":
            continue
        place = f"{notebook.name}, cell {number}"
        records = [record for output in cell.get("outputs", []) for record in _records(output)]
        calls = len(_CALL.findall(_text(cell.get("source", ""))))
        if calls and cell.get("execution_count") is None:
            raise ValueError(f"{place} records a claim, but was not executed: execute the chapter.")
        if calls > len(records):
            raise ValueError(
                f"{place} calls record_claim {calls} times, but shows {len(records)} claims: "
                "end a cell of its own with each call, or pass each claim to display()."
            )
        for record in records:
            yield place, _checked(record, place)


def _records(output: dict[str, Any]) -> list[str]:
    reader = _ClaimReader()
    reader.feed(_text(output.get("data", {}).get("text/html", "")))
    reader.close()
    return reader.records


def _text(value: str | list[str]) -> str:
    """Join the lines that a notebook's file keeps apart."""
    return value if isinstance(value, str) else "".join(value)


class _ClaimReader(HTMLParser):
    """Collects the contents of the data blocks that hold claims."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[str] = []
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = tag == "script" and dict(attrs).get("type") == MIME_TYPE
        if self._inside:
            self.records.append("")

    def handle_endtag(self, tag: str) -> None:
        self._inside = False

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.records[-1] += data


def _checked(record: str, place: str) -> Claim:
    """Record the claim again from its fields: what a hand changed in a notebook must not reach the book."""
    try:
        given = json.loads(record)
        decisive = given.pop("decisive")
        for name in ("interval", "expected"):
            given[name] = tuple(given[name]) if isinstance(given[name], list) else given[name]
        claim = record_claim(**given)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(
            f"{place} holds a malformed claim ({type(error).__name__}: {error}): execute the chapter again."
        ) from None
    if claim.decisive != decisive:
        raise ValueError(
            f"{place} holds a claim that contradicts itself ('decisive'): execute the chapter again."
        )
    return claim
