"""Checks of arguments that several modules share; each error names the argument."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from ntklib.documents import Documents


def labelled_documents(corpus: Any) -> tuple[Documents, Int[np.ndarray, " documents"], tuple[Any, ...]]:
    """Documents, labels and class names of a Corpus, or of a pair (documents, labels)."""
    if hasattr(corpus, "labels"):
        documents, given = Documents.of(corpus, name="corpus"), corpus.labels
    elif isinstance(corpus, tuple) and len(corpus) == 2:
        documents, given = Documents.of(corpus[0], name="corpus"), corpus[1]
    else:
        raise TypeError(
            f"corpus must be a Corpus or a pair (documents, labels), not {type(corpus).__name__}; "
            "ntklib.load_corpus makes one."
        )
    labels = np.asarray(given)
    if labels.shape != (len(documents),):
        raise ValueError(
            f"labels must be one for each of the {len(documents)} documents, not of shape {labels.shape}."
        )
    if labels.dtype.kind not in "iub":
        raise ValueError(f"labels must be integers 0, 1, ... not {labels.dtype}.")
    classes = tuple(getattr(corpus, "classes", range(max(2, int(labels.max()) + 1))))
    if labels.min() < 0 or labels.max() >= len(classes):
        wrong = int(labels.min()) if labels.min() < 0 else int(labels.max())
        raise ValueError(f"labels must be 0 to {len(classes) - 1}, but one is {wrong}.")
    return documents, labels.astype(np.int64), classes


def finite_array(
    values: Any, name: str, shape: tuple[int | None, ...] | None = None
) -> Float[np.ndarray, "..."]:
    """``values`` as float64 of the given shape (None: any length, or any shape), all finite."""
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be numbers in a rectangular array, not {values!r:.60}.") from None
    if shape is not None and (
        array.ndim != len(shape)
        or any(want not in (None, have) for want, have in zip(shape, array.shape, strict=True))
    ):
        wanted = ", ".join("any" if length is None else str(length) for length in shape)
        raise ValueError(f"{name} must have shape ({wanted}), not {array.shape}.")
    if not np.isfinite(array).all():
        place = np.argwhere(~np.isfinite(array))[0].tolist()
        raise ValueError(f"{name}{place} is {array[tuple(place)]}: every value must be finite.")
    return array


def checked_integer(value: Any, name: str, minimum: int = 1, maximum: int | None = None) -> int:
    """``value`` as an int in the range; a TypeError or ValueError that names the argument."""
    most = "" if maximum is None else f" and at most {maximum}"
    wanted = f"{name} must be an integer, {minimum} or larger{most}, not {value!r}."
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(wanted)
    if value < minimum or (maximum is not None and value > maximum):
        raise ValueError(wanted)
    return int(value)


def one_of(value: Any, names: Iterable[str], name: str) -> str:
    """``value`` if it is one of the names; a ValueError that lists them and says which was meant."""
    known = list(names)
    if value not in known:
        near = get_close_matches(str(value).lower(), known, n=1)
        meant = f" Did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"{name} must be one of {', '.join(known)}, not {value!r}.{meant}")
    return str(value)


def proportion(value: Any, name: str) -> float:
    """``value`` as a float strictly between 0 and 1."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not 0 < value < 1:
        raise ValueError(f"{name} must be between 0 and 1, such as 0.95, not {value!r}.")
    return float(value)
