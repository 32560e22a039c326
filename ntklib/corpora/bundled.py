"""Corpora of rated English sentences from Hutto and Gilbert's source distribution of VADER."""

import html
import io
import re
import tarfile
from collections.abc import Iterator

from ntklib.corpora.assembly import RawRows
from ntklib.corpora.download import ARCHIVE_SHA256, PACKAGE, VERSION, fetch_archive
from ntklib.corpora.provenance import Source

_INNER = "additional_resources/hutto_ICWSM_2014.tar.gz"
_FILES = {
    "amazon-reviews": "amazonReviewSnippets_GroundTruth.txt",
    "movie-reviews": "movieReviewSnippets_GroundTruth.txt",
    "nyt-editorials": "nytEditorialSnippets_GroundTruth.txt",
    "tweets": "tweets_GroundTruth.txt",
}
_TITLES = {
    "amazon-reviews": "sentences from product reviews",
    "movie-reviews": "sentences from film reviews",
    "nyt-editorials": "sentences from newspaper editorials",
    "tweets": "tweets",
}
_THRESHOLD = 0.5

BUNDLED = {
    **{name: f"{title}, rated by 20 people: negative or positive" for name, title in _TITLES.items()},
    "domains": "all sentences of the four, labelled by where they come from: 4 classes",
    "running-text": "all sentences of the four without labels, for language modelling",
}


def read_bundled(name: str) -> RawRows:
    """Read one of the bundled corpora, downloading the archive first when needed.

    A sentence of a rated corpus is positive for a mean rating above 0.5 and negative below −0.5 (the scale is
    −4 to 4); what lies between is left out and counted in the notes. ``domains`` and ``running-text`` keep
    every sentence.

    Parameters
    ----------
    name : str
        A key of ``BUNDLED``.

    Returns
    -------
    RawRows
        One row a sentence.

    Raises
    ------
    CorpusUnavailable
        If the archive is neither cached nor can be downloaded.

    Examples
    --------
    >>> len(read_bundled("movie-reviews").texts)
    10043
    """
    origins = [name] if name in _FILES else sorted(_FILES)
    texts: list[str] = []
    rows: list[str] = []
    labels: list[int] = []
    skipped: list[tuple[str, str]] = []
    left_out = 0
    for origin, content in _read_members(fetch_archive(), origins):
        for row, rating, text, problem in _parse(_FILES[origin], content):
            if problem:
                skipped.append((row, problem))
            elif name in _FILES and abs(rating) <= _THRESHOLD:
                left_out += 1
            else:
                texts.append(text)
                rows.append(row)
                labels.append(int(rating > 0) if name in _FILES else origins.index(origin))
    rated = f"{left_out:,} sentences with a mean rating of −{_THRESHOLD} to {_THRESHOLD} are left out"
    return RawRows(
        texts=texts,
        rows=rows,
        labels=None if name == "running-text" else labels,
        classes={"running-text": None, "domains": origins}.get(name, ["negative", "positive"]),
        parts=None,
        source=Source(
            description=f"{', '.join(_TITLES[origin] for origin in origins)}; "
            f"from PyPI's {PACKAGE}, {_INNER} (Hutto and Gilbert 2014)",
            version=VERSION,
            licence="MIT, copyright 2016 C.J. Hutto",
            sha256=ARCHIVE_SHA256,
            skipped=tuple(skipped),
            notes=(rated,) if name in _FILES else (),
        ),
    )


def _read_members(archive: bytes, origins: list[str]) -> Iterator[tuple[str, bytes]]:
    # Nothing is unpacked to disk, so no path inside the archive can point anywhere.
    with tarfile.open(fileobj=io.BytesIO(archive)) as outer:
        inner = _member(outer, f"{PACKAGE}-{VERSION}/{_INNER}")
    with tarfile.open(fileobj=io.BytesIO(inner)) as sentences:
        for origin in origins:
            yield origin, _member(sentences, f"hutto_ICWSM_2014/{_FILES[origin]}")


def _member(archive: tarfile.TarFile, path: str) -> bytes:
    try:
        info = archive.getmember(path)
    except KeyError:
        raise ValueError(f"the archive has no file {path}.") from None
    if not info.isreg():
        raise ValueError(f"{path} in the archive is no file but a link, a folder or a device.")
    return archive.extractfile(info).read()  # type: ignore[union-attr]


def _parse(file: str, content: bytes) -> Iterator[tuple[str, float, str, str]]:
    """Row name, rating, text and, when the line can't be read, the problem."""
    for number, line in enumerate(content.split(b"\n"), start=1):
        if not line.strip():
            continue
        row = f"{file} line {number}"
        try:
            _, rating, text = line.decode("utf-8").strip("\r").split("\t")
            value = float(rating)
        except UnicodeDecodeError:
            yield row, 0.0, "", "not UTF-8"
        except ValueError:
            yield row, 0.0, "", "not an id, a rating and a text separated by tabs"
        else:
            # The tweets were saved as they stand in a web page, with &amp; for &.
            yield row, value, re.sub(r"&(?:amp|lt|gt|quot);", lambda code: html.unescape(code[0]), text), ""
