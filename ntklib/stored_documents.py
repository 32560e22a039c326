"""Documents on disk: two NumPy files that are mapped into memory, so that text of any size can be read."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ntklib.documents import LARGEST_ID, Documents
from ntklib.files import replacing

_CHECKED = 2**24  # ids that are looked at together


@dataclass(frozen=True, eq=False, repr=False)
class StoredDocuments(Documents):
    """Documents whose ids are read from disk when they are needed.

    Parameters
    ----------
    folder : Path
        Where they are; another machine reads them from the same path.
    """

    folder: Path = Path()


def write_documents(folder: str | Path, chunks: Iterable[Any]) -> StoredDocuments:
    """Write documents to disk, chunk by chunk: no more than one chunk is in memory.

    Parameters
    ----------
    folder : path
        Gets ``ids.npy`` (int32) and ``offsets.npy`` (int64); made where it does not exist.
    chunks : iterable of documents
        Any of what :class:`~ntklib.Documents` takes, in order.

    Returns
    -------
    StoredDocuments
        As :func:`open_documents`.

    Raises
    ------
    TypeError, ValueError
        If a chunk is malformed, a token id is 2³¹ or larger, or there is no chunk.

    Examples
    --------
    >>> import tempfile
    >>> documents = write_documents(tempfile.mkdtemp(), ([[i, i + 1], [7]] for i in range(1000)))
    >>> documents, documents[-2].tolist()
    (Documents(2000 documents, 3000 tokens), [999, 1000])
    """
    target = Path(folder)
    lengths = []
    with replacing(target / "ids.npy") as temporary, temporary.open("wb") as file:
        _write_header(file, 0)
        for chunk in chunks:
            documents = Documents.of(chunk, name="chunk")
            if documents.ids.max() >= 2**31:
                raise ValueError(f"chunk holds token id {documents.ids.max()}: ids must be below 2**31.")
            documents.ids.astype("<i4").tofile(file)
            lengths.append(documents.lengths)
        if not lengths:
            raise ValueError("chunks is empty: give at least one, such as [[[3, 1], [2]]].")
        offsets = np.concatenate([[0], np.cumsum(np.concatenate(lengths))]).astype(np.int64)
        file.seek(0)
        _write_header(file, int(offsets[-1]))
    with replacing(target / "offsets.npy") as temporary, temporary.open("wb") as file:
        np.save(file, offsets, allow_pickle=False)
    return open_documents(target)


def _write_header(file: Any, tokens: int) -> None:
    # NumPy leaves room for a longer shape, so that the header can be written again.
    np.lib.format.write_array_header_1_0(file, {"descr": "<i4", "fortran_order": False, "shape": (tokens,)})


def open_documents(folder: str | Path) -> StoredDocuments:
    """Documents that :func:`write_documents` wrote, without reading them into memory.

    Parameters
    ----------
    folder : path
        With ``ids.npy``, integers, and ``offsets.npy``; see :class:`~ntklib.Documents`.

    Returns
    -------
    StoredDocuments
        Like any other documents. Slices of it are parts of the files.

    Raises
    ------
    FileNotFoundError
        If a file is missing.
    ValueError
        If a file is no array of integers (nothing is unpickled), or the two do not fit together.

    Notes
    -----
    Feature maps and counts read it block by block. What has a row for each document is in memory, and so is
    a feature map.

    Examples
    --------
    >>> import tempfile
    >>> folder = tempfile.mkdtemp()
    >>> _ = write_documents(folder, [[[3, 1, 3]], [[2]]])
    >>> open_documents(folder).lengths.tolist()
    [3, 1]
    """
    path = Path(folder).absolute()
    try:
        ids, offsets = mapped_documents(path)
    except ValueError as error:  # an array of Python objects, or no array
        raise ValueError(f"{path} must hold ids.npy and offsets.npy, arrays of integers: {error}") from None
    for name, array in (("ids", ids), ("offsets", offsets)):
        if array.ndim != 1 or array.dtype.kind not in "iu" or array.dtype == np.uint64:
            raise ValueError(
                f"{path / name}.npy must be integers of at most 63 bits in one row, not {array.ndim}-D "
                f"{array.dtype}."
            )
    offsets = np.asarray(offsets, dtype=np.int64)
    if len(offsets) < 2 or offsets[0] != 0 or offsets[-1] != len(ids) or (np.diff(offsets) < 1).any():
        raise ValueError(
            f"{path / 'offsets.npy'} does not fit {path / 'ids.npy'}: offsets must rise from 0 to the "
            f"number of ids, {len(ids)}. Was the writing interrupted? Write the documents again."
        )
    for start in range(0, len(ids), _CHECKED):
        block = ids[start : start + _CHECKED]
        for outside in (block.min(), block.max()):
            if not 0 <= outside <= LARGEST_ID:
                raise ValueError(
                    f"{path / 'ids.npy'} holds token id {outside}: ids must be 0 to {LARGEST_ID:,}."
                )
    return StoredDocuments(ids, offsets, path)


def mapped_documents(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Map the two files, unchecked."""
    return tuple(
        np.load(path / f"{name}.npy", mmap_mode="r", allow_pickle=False) for name in ("ids", "offsets")
    )
