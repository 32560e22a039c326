"""Under what a page's numbers were computed: the provenance line that ends every executed page."""

import html
import platform
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

_PACKAGES = ("ntklib", "torch", "numpy", "scipy", "sympy", "matplotlib")


@dataclass(frozen=True)
class ExecutionProvenance:
    """What :func:`provenance` found; shows itself as one line.

    Attributes
    ----------
    versions : tuple of (name, version)
        Python and the libraries.
    corpus : str or None
        Name of the corpus and the first 12 digits of its content's SHA-256.
    seeds : tuple of int
        All seeds of the page.
    threads : int or None
        Number of threads, if the page fixes it.
    """

    versions: tuple[tuple[str, str], ...]
    corpus: str | None
    seeds: tuple[int, ...]
    threads: int | None

    def __str__(self) -> str:
        parts = [", ".join(f"{name} {number}" for name, number in self.versions)]
        if self.corpus is not None:
            parts.append(f"corpus {self.corpus}")
        if self.seeds:
            parts.append(f"seed{'s' * (len(self.seeds) > 1)} {_ranges(self.seeds)}")
        if self.threads is not None:
            parts.append(f"{self.threads} thread{'s' * (self.threads > 1)}")
        return "; ".join(parts)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return f'<p class="ntklib-provenance"><small>{html.escape(str(self))}</small></p>'


def provenance(corpus: Any = None, seeds: Any = None, threads: int | None = None) -> ExecutionProvenance:
    """Say with which versions, corpus, seeds and threads a page was computed, in one line.

    Holds no path, time or machine, so that two executions print the same. The number of threads is printed
    only when given: results must not depend on it.

    Parameters
    ----------
    corpus : Corpus, optional
        The corpus of the page, or a sequence of them.
    seeds : int or integers, optional
        All seeds that the page used.
    threads : int, optional
        The number of threads, 1 or larger, where the page fixes it.

    Returns
    -------
    ExecutionProvenance
        Shows itself as text and as HTML.

    Raises
    ------
    TypeError, ValueError
        If the corpus has no provenance, a seed is not an integer of at least 0, or threads is less than 1.

    Notes
    -----
    Reads versions from the installed packages' metadata, without importing them.

    Examples
    --------
    >>> line = provenance(seeds=range(10), threads=1)
    >>> str(line)  # doctest: +ELLIPSIS
    'Python 3..., ntklib ..., torch ..., numpy ..., scipy ..., sympy ..., matplotlib ...; seeds 0–9; 1 thread'
    """
    if threads is not None and (isinstance(threads, bool) or not isinstance(threads, int) or threads < 1):
        raise ValueError(f"threads must be an integer, 1 or larger, not {threads!r}.")
    versions = [("Python", platform.python_version()), *((name, _installed(name)) for name in _PACKAGES)]
    corpora = [] if corpus is None else list(corpus) if isinstance(corpus, list | tuple) else [corpus]
    names = ", ".join(_fingerprint(each) for each in corpora) or None
    return ExecutionProvenance(tuple(versions), names, _checked_seeds(seeds), threads)


def _fingerprint(corpus: Any) -> str:
    found: Any = getattr(corpus, "provenance", None)
    if not hasattr(found, "content_sha256"):
        raise TypeError(f"corpus must be a Corpus, such as load_corpus gives, not {type(corpus).__name__}.")
    # A corpus's name can hold a reader's path: "csv:/home/…/reviews.csv". Its last part says enough.
    kind, colon, place = found.name.partition(":")
    name = kind + colon + place.replace("\\", "/").rstrip("/").split("/")[-1]
    return f"{name} (sha256 {found.content_sha256[:12]}…)"


def _checked_seeds(seeds: Any) -> tuple[int, ...]:
    if seeds is None:
        return ()
    listed = list(seeds) if isinstance(seeds, Iterable) and not isinstance(seeds, str) else [seeds]
    for seed in listed:
        if isinstance(seed, bool) or not hasattr(seed, "__index__") or seed < 0:
            raise ValueError(f"seeds must be integers, 0 or larger, but one is {seed!r}.")
    return tuple(sorted({int(seed) for seed in listed}))


def _ranges(seeds: tuple[int, ...]) -> str:
    """Write 0, 1, 2, 7 as ``0–2, 7``."""
    runs: list[list[int]] = []
    for seed in seeds:
        if runs and seed == runs[-1][1] + 1:
            runs[-1][1] = seed
        else:
            runs.append([seed, seed])
    return ", ".join(str(a) if a == b else f"{a}–{b}" if b > a + 1 else f"{a}, {b}" for a, b in runs)


def _installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
