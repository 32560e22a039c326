"""Predicted memory of a large array, checked before it is made."""

import psutil

INSTEAD_OF_A_KERNEL = (
    "pass fewer documents, work with feature_map, which needs no kernel matrix, or write the kernel to disk "
    "in tiles with ntklib.kernel_on_disk"
)
"""What to do where a kernel does not fit."""

INSTEAD_OF_FEATURES = (
    "pass fewer documents, take a model of fewer patterns, such as a smaller window, or solve gradient_flow "
    "with client=, a Dask cluster whose workers keep a part each"
)
"""What to do where the features of all documents do not fit."""


def require_memory(needed: int, purpose: str, remedy: str) -> None:
    """Refuse an allocation that this machine cannot hold.

    Parameters
    ----------
    needed : int
        Size of the allocation in bytes.
    purpose : str
        What the memory is for, named in the message.
    remedy : str
        What the caller can do instead.

    Raises
    ------
    MemoryError
        If ``needed`` is more than 90 % of the memory that is available now.

    Examples
    --------
    >>> require_memory(10**18, "This kernel", "pass fewer documents")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    MemoryError: This kernel needs 1,000,000,000.0 GB, but ... GB are free: pass fewer documents.
    """
    available = psutil.virtual_memory().available
    if not fits_into_memory(needed, available):
        raise MemoryError(
            f"{purpose} needs {needed / 1e9:,.1f} GB, but {available / 1e9:,.1f} GB are free: {remedy}."
        )


def fits_into_memory(needed: int, available: int | None = None) -> bool:
    """Whether so many bytes are at most 90 % of the memory that is available, now if it is not given."""
    return needed <= 0.9 * (psutil.virtual_memory().available if available is None else available)
