"""Labelled text from a CSV file, or from a folder of them with train, validation and test parts."""

import csv
import hashlib
import io
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ntklib.corpora.assembly import RawRows
from ntklib.corpora.provenance import Source

PART_NAMES = {
    "train": "train",
    "training": "train",
    "dev": "validation",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
}
_MISSING = {"", "nan"}  # what pandas and others write for an empty cell


@dataclass
class _Collected:
    texts: list[str] = field(default_factory=list)
    rows: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)


def read_csv(path: str, *, text_column: str, label_column: str | None, part_column: str) -> RawRows:
    r"""Read a comma-separated file (tab-separated when its name ends in ``.tsv``), or a folder of such files.

    The files of a folder are named for their parts: ``train``, ``dev`` (or ``val``, ``valid``,
    ``validation``) and ``test``. In a single file the column ``part_column``, when there is one, says the
    same row by row. Rows without text or label are skipped and named; a row that breaks the format is an
    error, as everything after it may be misread.

    Parameters
    ----------
    path : str
        File or folder.
    text_column, part_column : str
        Names of columns in the first line.
    label_column : str or None
        Name of the label's column; None for text without labels.

    Returns
    -------
    RawRows
        One row for each record that has text and label.

    Raises
    ------
    ValueError
        If the path can't be read, is not UTF-8, lacks a column, or has a malformed row: the message names
        file and line.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = pathlib.Path(folder, "train.csv").write_text("text,label\na film,1\n,0\n")
    ...     raw = read_csv(folder, text_column="text", label_column="label", part_column="split")
    >>> raw.texts, raw.labels, raw.parts, raw.source.skipped
    (['a film'], ['1'], ['train'], (('train.csv line 3', 'no text'),))
    """
    given = Path(path).expanduser()
    files = _find_files(given)
    collected = _Collected()
    digests = []
    for file in files:
        content = _read_bytes(file)
        digests.append((hashlib.sha256(content).hexdigest(), file.name))
        part = PART_NAMES[file.stem.lower()] if given.is_dir() else None
        _read_file(file, content, collected, (text_column, label_column, part_column), part)
    # A file's checksum is that of its bytes, as sha256sum prints it; a folder's is that of such a list.
    listing = "".join(f"{digest}  {name}\n" for digest, name in digests).encode()
    return RawRows(
        texts=collected.texts,
        rows=collected.rows,
        labels=None if label_column is None else collected.labels,
        classes=None,
        parts=collected.parts if any(collected.parts) else None,
        source=Source(
            description=f"{path} ({', '.join(file.name for file in files)})" if given.is_dir() else path,
            version="as on disk",
            licence="not stated, that of the text's owner",
            sha256=hashlib.sha256(listing).hexdigest() if given.is_dir() else digests[0][0],
            skipped=tuple(collected.skipped),
        ),
    )


def _find_files(given: Path) -> list[Path]:
    if given.is_file():
        return [given]
    if not given.is_dir():
        raise ValueError(
            f"csv:{given} names no file or folder (seen from {Path.cwd()}): "
            "give an existing CSV file, or a folder with train.csv and test.csv."
        )
    found = [file for file in given.iterdir() if file.suffix.lower() in (".csv", ".tsv")]
    files = [file for file in found if file.stem.lower() in PART_NAMES]
    order = list(PART_NAMES)
    files.sort(key=lambda file: (order.index(file.stem.lower()), file.name))
    parts = [PART_NAMES[file.stem.lower()] for file in files]
    if "train" not in parts or len(set(parts)) < len(parts):
        names = ", ".join(sorted(file.name for file in found)) or "no CSV file"
        raise ValueError(
            f"the folder {given} must hold train.csv, and may hold one of dev.csv "
            "or validation.csv, and test.csv; "
            f"it holds {names}. Name one file instead, such as csv:{given / 'FILE.csv'}."
        )
    return files


def _read_bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise ValueError(
            f"{file} can't be read ({error.strerror}): check that it is a file you may read."
        ) from error


def _decode(file: Path, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ValueError(
            f"{file} line {line}: byte 0x{content[error.start]:02x} is not UTF-8. Save the file as UTF-8, "
            "for example "
            f"with `iconv -f WINDOWS-1252 -t UTF-8 {file.name}`."
        ) from None


def _read_file(
    file: Path, content: bytes, collected: _Collected, columns: tuple[str, str | None, str], part: str | None
) -> None:
    records = _records(file, _decode(file, content))
    _, header = next(records, (1, []))
    text_column, label_column, part_column = columns
    text_at = _column(file, header, text_column, "text_column")
    label_at = None if label_column is None else _column(file, header, label_column, "label_column")
    has_parts = part is None and part_column in header and part_column not in (text_column, label_column)
    part_at = header.index(part_column) if has_parts else None
    for line, fields in records:
        row = f"{file.name} line {line}"
        if not fields:
            collected.skipped.append((row, "empty row"))
            continue
        if len(fields) != len(header):
            raise ValueError(
                f"{file} line {line}: {len(fields)} fields where the first line has {len(header)} "
                f"({', '.join(header)}). Put double quotes around a text that holds a comma or a line break."
            )
        text, label = fields[text_at], "unlabelled" if label_at is None else fields[label_at].strip()
        if text.strip().lower() in _MISSING or label.lower() in _MISSING:
            collected.skipped.append((row, "no label" if text.strip().lower() not in _MISSING else "no text"))
            continue
        collected.texts.append(text)
        collected.rows.append(row)
        collected.labels.append(label)
        collected.parts.append(part or ("" if part_at is None else _part(file, line, fields[part_at])))


def _records(file: Path, text: str) -> Iterator[tuple[int, list[str]]]:
    """Line on which each record begins, and its fields."""
    # The default refuses a text of 131,072 characters.
    limit = csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    delimiter = "\t" if file.suffix.lower() == ".tsv" else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    begins = 1
    try:
        for fields in reader:
            yield begins, fields
            begins = reader.line_num + 1
    except csv.Error as error:
        raise ValueError(
            f"{file} line {begins}: the record that begins here is malformed ({error}). "
            "Close every double quote, and "
            'write a double quote inside a quoted text twice ("").'
        ) from None
    finally:
        csv.field_size_limit(limit)


def _column(file: Path, header: list[str], name: str, argument: str) -> int:
    if header.count(name) == 1:
        return header.index(name)
    problem = "more than one column" if name in header else "no column"
    shown = ", ".join(repr(column) for column in header) or "an empty file"
    raise ValueError(f"{file} line 1 has {problem} {name!r} but {shown}: name the column with {argument}=….")


def _part(file: Path, line: int, value: str) -> str:
    part = PART_NAMES.get(re.sub(r"\s", "", value).lower())
    if part is None:
        raise ValueError(
            f"{file} line {line}: the part is {value!r}, but must be one of {', '.join(PART_NAMES)}."
        )
    return part
