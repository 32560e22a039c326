"""Kernels larger than memory: computed in tiles, and kept in a NumPy file that is mapped into memory."""

import os
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from ntklib.documents import Documents
from ntklib.files import replacing
from ntklib.validation import checked_integer


def kernel_on_disk(
    path: str | Path, model: Any, docs_a: Any, docs_b: Any = None, *, tile: int = 2048
) -> Float[np.ndarray, "n m"]:
    """Compute ``Θ(x, x')`` tile by tile, straight into a file.

    Parameters
    ----------
    path : path
        The ``.npy`` file to write: ``8 N M`` bytes. It is there once all tiles are.
    model : Architecture, or a function
        With a method ``kernel(docs_a, docs_b)``, or such a function itself, for example
        ``partial(ntklib.empirical_ntk, network)``.
    docs_a : N documents
    docs_b : M documents, optional
        ``docs_a`` again when left out: then each pair of tiles is computed once.
    tile : int
        Documents in a tile; a few arrays of ``tile²`` numbers are in memory at a time.

    Returns
    -------
    (N, M) float64
        Mapped into memory, read-only.

    Raises
    ------
    TypeError, ValueError
        If the documents are malformed, the model has no kernel, or the tile is not an integer of at least 1.
    OSError
        If the file does not fit on the disk; nothing is left of it then.

    Examples
    --------
    >>> import tempfile, ntklib
    >>> docs = [[0, 1], [1, 1], [2]]
    >>> file = Path(tempfile.mkdtemp(), "kernel.npy")
    >>> kernel = kernel_on_disk(file, ntklib.MLP("identity"), docs, tile=2)
    >>> bool((kernel == ntklib.MLP("identity").kernel(docs)).all())
    True
    """
    product = getattr(model, "kernel", model)
    if not callable(product):
        raise TypeError(
            f"model must have a kernel, or be a function of two sets of documents, not {model!r:.60}."
        )
    first = Documents.of(docs_a, name="docs_a")
    second = first if docs_b is None else Documents.of(docs_b, name="docs_b")
    height = checked_integer(tile, "tile")
    with replacing(Path(path)) as temporary:
        kernel = np.lib.format.open_memmap(
            temporary, mode="w+", dtype=np.float64, shape=(len(first), len(second))
        )
        if hasattr(os, "posix_fallocate"):
            # A page that a full disk can't take would otherwise end the process when it is written.
            with temporary.open("r+b") as file:
                os.posix_fallocate(file.fileno(), 0, os.fstat(file.fileno()).st_size)
        for top in range(0, len(first), height):
            rows = slice(top, top + height)
            for left in range(top if docs_b is None else 0, len(second), height):
                columns = slice(left, left + height)
                kernel[rows, columns] = product(first[rows], second[columns])
                if docs_b is None:
                    kernel[columns, rows] = kernel[rows, columns].T
        kernel.flush()
        del kernel
    return np.load(path, mmap_mode="r", allow_pickle=False)
