"""Fetch the source distribution that holds the bundled corpora: checked, locked, atomic."""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from filelock import FileLock
from platformdirs import user_cache_path

PACKAGE, VERSION = "vaderSentiment", "3.3.2"
ARCHIVE = f"{PACKAGE}-{VERSION}.tar.gz"
ARCHIVE_SHA256 = "5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9"
CACHE_VARIABLE = "NTKLIB_CACHE"
_PARTIAL = "download-"


class CorpusUnavailable(RuntimeError):
    """A corpus can't be read here and now; the message says what to do."""


def cache_folder() -> Path:
    """Folder that keeps downloads: ``NTKLIB_CACHE`` if that variable is set, else the user's cache folder.

    Returns
    -------
    Path
        The folder, which may not exist yet.

    Examples
    --------
    >>> import os
    >>> os.environ["NTKLIB_CACHE"] = "somewhere/else"
    >>> cache_folder().as_posix()
    'somewhere/else'
    >>> del os.environ["NTKLIB_CACHE"]
    """
    moved = os.environ.get(CACHE_VARIABLE)
    return Path(moved).expanduser() if moved else user_cache_path("ntklib", appauthor=False)


def cached_archive() -> bytes | None:
    """Content of the cached archive, or None when it is absent, unreadable or not the right one.

    Returns
    -------
    bytes or None
        The archive; its SHA-256 was checked.

    Examples
    --------
    >>> content = cached_archive()
    >>> content is None or len(content) == 2466783
    True
    """
    try:
        content = (cache_folder() / ARCHIVE).read_bytes()
    except OSError:
        return None
    return content if hashlib.sha256(content).hexdigest() == ARCHIVE_SHA256 else None


def fetch_archive() -> bytes:
    """Content of the archive, downloaded first when the cache lacks it or holds a damaged one.

    The download goes into a folder of its own, is compared with the known SHA-256 and then moved into place
    in one step, so that a process that is killed leaves no half-written archive. A lock lets one process
    download while others wait; the folders of killed downloads are removed by the next one.

    Returns
    -------
    bytes
        The archive; its SHA-256 was checked.

    Raises
    ------
    CorpusUnavailable
        If pip can't download it or the cache folder can't be written.

    Examples
    --------
    >>> len(fetch_archive())
    2466783
    """
    content = cached_archive()
    if content is not None:
        return content
    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f"{ARCHIVE}.lock"):
            content = cached_archive()  # another process may have fetched it while this one waited
            if content is None:
                content = _download_into(folder)
    except OSError as error:
        raise CorpusUnavailable(
            f"the cache folder {folder} can't be used ({error}): free some space there, "
            "or set the environment "
            f"variable {CACHE_VARIABLE} to a folder that can be written."
        ) from error
    return content


def _download_into(folder: Path) -> bytes:
    for left_over in folder.glob(f"{_PARTIAL}*"):
        shutil.rmtree(left_over, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=_PARTIAL, dir=folder, ignore_cleanup_errors=True) as partial:
        _run_pip(Path(partial))
        archive = Path(partial) / ARCHIVE
        content = archive.read_bytes() if archive.exists() else b""
        found = hashlib.sha256(content).hexdigest()
        if found != ARCHIVE_SHA256:
            raise _unavailable(f"pip brought a file with the SHA-256 {found} instead of {ARCHIVE_SHA256}")
        archive.replace(folder / ARCHIVE)
    return content


def _run_pip(target: Path) -> None:
    # The hash stands in the requirement, so that pip refuses another archive before it runs any code from it.
    requirement = target / "requirement.txt"
    requirement.write_text(f"{PACKAGE}=={VERSION} --hash=sha256:{ARCHIVE_SHA256}\n", encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-input",
        "--disable-pip-version-check",
    ]
    command += ["--no-deps", "--no-binary", PACKAGE, "--require-hashes", "--requirement", str(requirement)]
    command += ["--dest", str(target)]
    done = _run([*command, "--resume-retries", "5"])
    if done.returncode and "no such option" in done.stderr:  # pip before 25.1
        done = _run(command)
    if done.returncode:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        errors = [line for line in lines if line.lower().startswith("error")] or lines[-1:]
        raise _unavailable(
            f"pip ended with code {done.returncode}: {' '.join(errors) or 'it gave no message'}"
        )


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)


def _unavailable(reason: str) -> CorpusUnavailable:
    return CorpusUnavailable(
        f"the bundled corpora could not be downloaded ({reason}). Connect to the network "
        "and run `python -m ntklib "
        f"fetch`; or put the source distribution {ARCHIVE} at {cache_folder() / ARCHIVE} by hand; "
        "or use a corpus "
        "that needs no download: csv:FILE for your own text, planted:polarity for made-up text."
    )
