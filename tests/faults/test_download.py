"""A download that is killed while a server on this machine sends it, or while it is put into its place."""

import hashlib
import http.server
import os
import random
import signal
import threading

import pytest

from ntklib.corpora.download import ARCHIVE
from tests.faults.conftest import files

KILLS = 20
SIGKILLED = -signal.SIGKILL
PIECE = 1024
CONTENT = random.Random("archive").randbytes(100 * PIECE)

# As much of pip as is asked for, which writes each piece as it comes.
PIP = f"""
import os, pathlib, sys, urllib.request
target = pathlib.Path(sys.argv[sys.argv.index("--dest") + 1]) / {ARCHIVE!r}
with urllib.request.urlopen(os.environ["ARCHIVE_URL"]) as answer, target.open("wb") as file:
    while piece := answer.read({PIECE}):
        file.write(piece)
        file.flush()
"""


class Server(http.server.ThreadingHTTPServer):
    """Sends the archive; at a chosen byte it first kills the process that asked for it."""

    victim = None
    kill_at = None
    daemon_threads = True


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        for start in range(0, len(CONTENT), PIECE):
            if self.server.kill_at is not None and start + PIECE > self.server.kill_at:
                self.wfile.write(CONTENT[start : self.server.kill_at])
                self.server.victim.kill()
                return  # and the connection breaks, for the orphaned pip
            self.wfile.write(CONTENT[start : start + PIECE])

    def log_message(self, format, *arguments):
        pass


@pytest.fixture
def server():
    with Server(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.shutdown()


@pytest.fixture
def environment(server, tmp_path):
    pip = tmp_path / "fake" / "pip"
    pip.mkdir(parents=True)
    (pip / "__init__.py").touch()
    (pip / "__main__.py").write_text(PIP)
    paths = [str(pip.parent), os.environ.get("PYTHONPATH", "")]
    return {
        "ARCHIVE_SHA256": hashlib.sha256(CONTENT).hexdigest(),
        "ARCHIVE_URL": f"http://127.0.0.1:{server.server_port}/",
        "PYTHONPATH": os.pathsep.join(path for path in paths if path),
        "no_proxy": "127.0.0.1",
    }


def completes(forks, folder, environment):
    """Check that a fetch brings the whole archive and leaves nothing else."""
    assert forks.run("fetch", folder, environment=environment)[:2] == (0, CONTENT)
    assert files(folder) == {ARCHIVE: CONTENT}


def test_a_fetch_killed_while_the_archive_arrives_is_completed_by_the_next(
    forks, server, environment, tmp_path, record_property
):
    for number, byte in enumerate(random.Random("bytes").sample(range(len(CONTENT)), KILLS)):
        folder = tmp_path / str(number)
        server.kill_at = byte
        server.victim, answers = forks.start("fetch", folder, environment=environment)
        server.victim.join()
        answers.close()
        assert server.victim.exitcode == SIGKILLED
        assert ARCHIVE not in {path.name for path in folder.iterdir()}
        server.kill_at = None
        completes(forks, folder, environment)
    record_property("kills", KILLS)


def test_a_fetch_killed_at_any_of_its_calls_is_completed_by_the_next(
    forks, environment, tmp_path, record_property
):
    code, content, steps = forks.run("fetch", tmp_path / "whole", environment=environment)
    assert (code, content) == (0, CONTENT)
    for number, point in enumerate(random.Random("calls").sample(range(1, steps), KILLS)):
        folder = tmp_path / str(number)
        code, _, _ = forks.run("fetch", folder, kill_at=point, environment=environment)
        assert code == SIGKILLED
        assert files(folder).get(ARCHIVE, CONTENT) == CONTENT if folder.exists() else True
        completes(forks, folder, environment)
    record_property("kills", KILLS)
