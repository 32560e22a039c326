"""Results of a command as a table for the terminal, as CSV for a spreadsheet, as JSON for a program."""

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ntklib.files import replacing

if TYPE_CHECKING:
    import pandas as pd

FORMATS = ("table", "csv", "json")


def chosen_format(given: str | None, output: Path | None) -> str:
    """Return the format that was asked for; otherwise that of the file's ending; otherwise a table.

    Raises
    ------
    ValueError
        If there is no such format.

    Examples
    --------
    >>> chosen_format(None, Path("scores.csv")), chosen_format("json", Path("scores.csv"))
    ('csv', 'json')
    """
    if given is not None:
        if given not in FORMATS:
            raise ValueError(f"--format must be one of {', '.join(FORMATS)}, not {given!r}.")
        return given
    ending = output.suffix.lower().removeprefix(".") if output else ""
    return ending if ending in FORMATS else "table"


def formatted(rows: "pd.DataFrame", about: Mapping[str, Any], form: str) -> str:
    """Return the rows in one of the formats.

    Parameters
    ----------
    rows : DataFrame
        Numbers and strings; its index is left out.
    about : mapping
        What JSON says besides the rows.
    form : {"table", "csv", "json"}

    Returns
    -------
    str
        Ends with a line break.

    Notes
    -----
    A spreadsheet takes a cell that begins with ``=``, ``+``, ``-`` or ``@`` for a formula and may run it. In
    CSV such a text gets a ``'`` before it, which spreadsheets read as "this is text"; numbers stay as they
    are. Tables replace signs that are not printable, since those could steer the terminal.

    Examples
    --------
    >>> import pandas as pd
    >>> print(formatted(pd.DataFrame({"token": ["=1+1", "good"], "score": [-0.5, 2.0]}), {}, "csv"), end="")
    token,score
    '=1+1,-0.5
    good,2.0
    """
    if form == "json":
        records = json.loads(rows.to_json(orient="records", double_precision=15, force_ascii=False))
        return json.dumps({**about, "rows": records}, indent=2, ensure_ascii=False) + "\n"
    if form == "csv":
        return rows.rename(columns=harmless).map(harmless).to_csv(index=False, lineterminator="\n")
    return _table(rows)


def harmless(cell: Any) -> Any:
    """Put a ``'`` before a text that a spreadsheet would take for a formula.

    Examples
    --------
    >>> harmless("@SUM(A1)"), harmless("good"), harmless(-1)
    ("'@SUM(A1)", 'good', -1)
    """
    if not isinstance(cell, str):
        return cell
    text = cell.replace("\r\n", "\n").replace("\r", "\n")  # a lone \r is a line break too, and is not quoted
    # A tab, a line break or a blank before the sign does not keep every spreadsheet from it.
    return f"'{text}" if text.lstrip().startswith(("=", "+", "-", "@")) else text


def _table(rows: "pd.DataFrame") -> str:
    table = Table(box=box.SIMPLE)
    for name, kind in rows.dtypes.items():
        table.add_column(str(name), justify="right" if kind.kind in "iuf" else "left")
    for row in rows.itertuples(index=False):
        table.add_row(*(Text(_shown(cell)) for cell in row))
    written = io.StringIO()
    # The terminal's own width; a file or a pipe has none, and a cell is not to be cut there.
    terminal = Console()
    width = terminal.width if terminal.is_terminal else max(200, terminal.width)
    Console(file=written, width=width, highlight=False, color_system=None).print(table)
    lines = [line.rstrip() for line in written.getvalue().splitlines()]
    return "\n".join(lines).strip("\n") + "\n"


def _shown(cell: Any) -> str:
    if isinstance(cell, float):
        return f"{cell:.4g}"
    return "".join(sign if sign.isprintable() else "�" for sign in str(cell))


def write(text: str, output: Path) -> None:
    """Write a file, whole or not at all.

    Raises
    ------
    OSError
        If it can't be written.
    """
    with replacing(output) as temporary:
        temporary.write_text(text, encoding="utf-8")
