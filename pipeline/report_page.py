"""Turn an executed notebook into one HTML file that holds everything, and executes nothing."""

import html
import re
import unicodedata
from collections.abc import Iterator
from typing import Any

import nbformat
from bs4 import BeautifulSoup, Tag
from markdown_it import MarkdownIt

from pipeline.chapters import merge_streams

WIDE = 40
"""Length from which a text in a table gets room, and a narrow screen scrolls."""
BOOK_ONLY = "book-only"
"""Tag of the cells that a report leaves out."""

STYLE = """
:root { color-scheme: light dark; --ink: #1b1b1b; --paper: #fff; --line: #ccc; --soft: #f4f4f4;
  --link: #0b5fa5 }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8e8e8; --paper: #16181b; --line: #444; --soft: #22252a; --link: #7db8ee } }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 52rem; padding: 1rem; color: var(--ink); background: var(--paper);
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere }
h1, h2 { line-height: 1.2 } h2 { margin-top: 2.5rem }
a { color: var(--link) }
nav ul { columns: 2; padding-left: 1.2rem } @media (max-width: 30rem) { nav ul { columns: 1 } }
pre { padding: .6rem; background: var(--soft); white-space: pre-wrap; font-size: .875rem }
.table { overflow-x: auto } table { border-collapse: collapse; font-size: .875rem; margin: .5rem 0 }
th, td { padding: .25rem .6rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top }
td, th { overflow-wrap: break-word } .wide { min-width: 15rem }
figure { margin: 1rem 0; overflow-x: auto } figure img { max-width: 100%; height: auto; background: #fff }
@media screen and (max-width: 30rem) { figure img { max-width: none; width: 24rem } }
figcaption, footer { font-size: .875rem } footer { margin-top: 3rem; border-top: 1px solid var(--line) }
"""
# Even if a script got into the page, no browser would execute it.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_BASE64 = re.compile(r"[A-Za-z0-9+/=\s]+")
# Signs that reverse the direction of what follows: a text could make its neighbours look like other words.
_OVERRIDES = {0x202A, 0x202B, 0x202D, 0x202E, 0x2066, 0x2067, 0x2068}


def escaped(text: str) -> str:
    r"""Text as HTML; control characters become visible, and nothing in it is markup.

    >>> escaped("<b>\x1b[0m</b>")
    '&lt;b&gt;�[0m&lt;/b&gt;'
    """
    shown = "".join(
        "\ufffd"
        if (unicodedata.category(sign) in ("Cc", "Cs") and sign not in "\n\t") or ord(sign) in _OVERRIDES
        else sign
        for sign in text
    )
    return html.escape(shown, quote=True)


def report_page(notebook: nbformat.NotebookNode, title: str, note: str = "") -> str:
    """Return the page, without the code.

    Only text, tables and PNG pictures of the outputs are taken over; tables are made anew from their texts,
    so no element of an output reaches the page.

    Parameters
    ----------
    notebook : NotebookNode
        Executed.
    title : str
        Of the page, plain text.
    note : str
        What the page's foot says, plain text.
    """
    body: list[str] = []
    headings: list[tuple[str, str]] = []
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        if BOOK_ONLY in tags:
            continue
        if cell.cell_type == "markdown":
            body.append(_prose(cell.source, headings))
        elif cell.cell_type == "code":
            body += _outputs(cell)
    links = "".join(f'<li><a href="#{anchor}">{escaped(text)}</a></li>' for anchor, text in headings)
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escaped(title)}</title><style>{STYLE}</style></head>\n<body>"
        f"<h1>{escaped(title)}</h1><nav><ul>{links}</ul></nav>\n<main>" + "\n".join(body) + "</main>"
        f"<footer><p>Made by the book's chapter your-corpus. {escaped(note)} It needs no connection and "
        "executes nothing.</p></footer></body></html>\n"
    )


def _prose(source: str, headings: list[tuple[str, str]]) -> str:
    """Markdown of the chapter as HTML: no raw HTML, and MyST's references as plain words."""
    text = re.sub(r"^\([\w-]+\)=\s*$", "", source, flags=re.MULTILINE)
    text = re.sub(r"^# .*$", "", text, count=1, flags=re.MULTILINE)
    text = re.sub(r"\s*\(\{(?:doc|ref|eq)\}`[^`]*`\)", "", text)
    text = re.sub(r"\{doc\}`([^`]*)`", r"the book's chapter *\1*", text)
    text = re.sub(r"\{\w+(?::\w+)?\}`([^`]*)`", r"\1", text)

    def heading(match: re.Match[str]) -> str:
        anchor = re.sub(r"[^a-z]+", "-", match[1].lower()).strip("-")
        headings.append((anchor, match[1]))
        return f'<h2 id="{anchor}">{match[1]}</h2>'

    rendered = str(MarkdownIt("commonmark", {"html": False}).render(text))
    return re.sub(r"<h2>(.*?)</h2>", heading, rendered)


def _outputs(cell: nbformat.NotebookNode) -> Iterator[str]:
    mystnb: dict[str, Any] = cell.metadata.get("mystnb", {})
    for output in merge_streams(cell.outputs):
        if output.output_type == "stream" and output.name == "stdout" and output.text.strip():
            yield f"<pre>{escaped(output.text)}</pre>"
        elif output.output_type in ("display_data", "execute_result"):
            data = output.data
            if "image/png" in data and _BASE64.fullmatch(data["image/png"]):
                picture = "".join(data["image/png"].split())
                alt = escaped(mystnb.get("image", {}).get("alt", ""))
                caption = escaped(mystnb.get("figure", {}).get("caption", ""))
                yield (
                    f'<figure tabindex="0"><img alt="{alt}" src="data:image/png;base64,{picture}">'
                    f"<figcaption>{caption}</figcaption></figure>"
                )
            elif "text/html" in data and (table := BeautifulSoup(data["text/html"], "html.parser").table):
                yield f'<div class="table" tabindex="0" role="region" aria-label="table">{_table(table)}'
                yield "</div>"
            elif "text/plain" in data:
                yield f"<pre>{escaped(data['text/plain'])}</pre>"


def _table(table: Tag) -> str:
    """Make a table of the same texts, and of nothing else."""
    rows: list[list[Tag]] = [row.find_all(["th", "td"]) for row in table.find_all("tr")]
    names = [cell.get_text() for cell in rows[1]] if len(rows) > 1 else []
    header = [cell.get_text() for cell in rows[0]] if rows else []
    is_header = len(rows) > 1 and all(cell.name == "th" for cell in rows[1])
    if (
        is_header
        and len(header) == len(names)
        and not any(above and below for above, below in zip(header, names, strict=True))
    ):
        # pandas gives the names of the index a row of their own, under empty headers.
        for cell, name in zip(rows[0], names, strict=True):
            cell.string = cell.get_text() or name
        del rows[1]
    made = []
    for row in rows:
        cells = []
        for cell in row:
            spans = "".join(
                f' {name}="{int(str(cell[name]))}"'
                for name in ("rowspan", "colspan")
                if str(cell.get(name, "")).isdigit()
            )
            text = cell.get_text()
            wide = ' class="wide"' if len(text) > WIDE else ""
            cells.append(f"<{cell.name}{spans}{wide}>{escaped(text)}</{cell.name}>")
        made.append(f"<tr>{''.join(cells)}</tr>")
    return f"<table>{''.join(made)}</table>"
