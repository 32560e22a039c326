"""The ledger as a table for a page."""

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from ntklib.claims.verdict import outcome

_HEADINGS = {"statement": "claim", "expectation": "expected", "measurement": "measured"}


@dataclass(frozen=True, eq=False)
class ClaimsTable:
    """A table of claims that shows itself as text and as HTML; made by :func:`claims_table`."""

    claims: pd.DataFrame
    columns: tuple[str, ...]

    def __repr__(self) -> str:
        blocks = []
        for name, row in self.claims.iterrows():
            fields = "; ".join(f"{_HEADINGS.get(c, c)}: {self._text(row, c)}" for c in self.columns)
            blocks.append(f"{name}: {fields}")
        return "\n".join(blocks)

    def _repr_html_(self) -> str:
        head = "".join(f'<th scope="col">{_HEADINGS.get(column, column)}</th>' for column in self.columns)
        body = ""
        for name, row in self.claims.iterrows():
            link = f'<a href="{html.escape(row["chapter"])}.html#claim-{html.escape(str(name))}">'
            # An interval stays on one line.
            cells = [
                re.sub(r"\[(\S+), (\S+)\]", r"[\1,&nbsp;\2]", html.escape(self._text(row, column)))
                for column in self.columns
            ]
            body += f"<tr><td>{link}{cells[0]}</a></td>"
            # On a phone the headings stand beside the cells: the book's style sheet takes them from here.
            for column, cell in zip(self.columns[1:], cells[1:], strict=True):
                body += f'<td data-heading="{_HEADINGS.get(column, column)}">{cell}</td>'
            body += "</tr>"
        return f'<table class="ntklib-claims"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'

    @staticmethod
    def _text(row: pd.Series, column: str) -> str:
        return outcome(row) if column == "verdict" else str(row[column])


def claims_table(
    claims: pd.DataFrame,
    columns: Sequence[str] = ("statement", "source", "expectation", "measurement", "verdict"),
) -> ClaimsTable:
    """Show the ledger as a table whose rows link to the cells that measured them.

    Parameters
    ----------
    claims : DataFrame
        From :func:`~ntklib.claims.read_claims`.
    columns : sequence of str
        Which of its columns to show.

    Returns
    -------
    ClaimsTable
        Shows itself as text, and as HTML with all text escaped.

    Raises
    ------
    ValueError
        If there is no claim, or a column is not one of the ledger's.

    Examples
    --------
    >>> row = {"chapter": "mlp", "statement": "a < b", "verdict": "supported", "decisive": True}
    >>> claims = pd.DataFrame([row | {"condition": "", "reason": ""}], index=["order"])
    >>> claims_table(claims, columns=["statement", "verdict"])
    order: claim: a < b; verdict: supported
    """
    if claims.empty:
        raise ValueError("claims is empty: execute the chapters that record claims first.")
    unknown = [column for column in columns if column not in claims.columns]
    if unknown:
        raise ValueError(f"columns holds {unknown}, but the ledger's are {', '.join(claims.columns)}.")
    return ClaimsTable(claims, tuple(columns))
