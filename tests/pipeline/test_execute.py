"""Executing chapters: deterministic, only what changed, and never half done."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest

from pipeline import execute
from pipeline.chapters import ROOT, BookError, chapters, merge_streams
from pipeline.fingerprint import inputs


def notebooks(book: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((book / "book").glob("*.ipynb"))}


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_two_executions_are_byte_identical_and_the_second_needs_force(executed, capsys):
    first = notebooks(executed)
    assert set(first) == {"first.ipynb", "last.ipynb"}
    capsys.readouterr()

    assert execute.main([], executed) == 0
    assert capsys.readouterr().out == "first: up to date\nlast: up to date\n"

    assert execute.main(["--force", "--jobs", "1"], executed) == 0
    assert "executed" in capsys.readouterr().out
    assert notebooks(executed) == first


def test_notebook_keeps_what_the_page_needs_and_nothing_of_the_run(executed):
    notebook = nbformat.read(executed / "book" / "first.ipynb", as_version=4)
    nbformat.validate(notebook)
    assert set(notebook.metadata) == {"kernelspec", "language_info", "ntklib"}
    assert [cell.get("execution_count") for cell in notebook.cells] == [None, 1, 2, 3]
    assert notebook.cells[1].metadata == {"tags": ["parameters"]}
    assert notebook.cells[3].metadata == {"mystnb": {"image": {"alt": "A rising line."}}}
    assert "image/png" in notebook.cells[3].outputs[0].data


def test_streams_are_joined_whatever_the_order_in_which_their_pieces_came():
    def streams(*pieces):
        return [nbformat.v4.new_output("stream", name=name, text=text) for name, text in pieces]

    picture = nbformat.v4.new_output("display_data", data={"text/plain": "x"})
    for pieces in (
        [("stdout", "1"), ("stderr", "a"), ("stdout", "2")],
        [("stderr", "a"), ("stdout", "12")],
        [("stdout", "1"), ("stdout", "2"), ("stderr", "a")],
    ):
        merged = merge_streams([*streams(*pieces), picture, *streams(("stdout", "3"))])
        assert merged == [*streams(("stdout", "12"), ("stderr", "a")), picture, *streams(("stdout", "3"))]


def test_chapter_that_depends_on_all_is_executed_after_the_others(book):
    assert execute.main(["--jobs", "2"], book) == 0
    assert "first is executed: True" in (book / "book" / "last.ipynb").read_text()


def test_two_chapters_that_read_all_the_others_are_current_after_one_execution(book, capsys):
    source = (book / "book" / "last.md").read_text()
    (book / "book" / "another.md").write_text(source.replace("# Last", "# Another"))
    edit(
        book / "_toc.yml",
        "  - file: book/last.ipynb",
        "  - file: book/last.ipynb\n  - file: book/another.ipynb",
    )
    assert execute.main([], book) == 0
    before = notebooks(book)
    capsys.readouterr()
    assert execute.main([], book) == 0
    assert "executed in" not in capsys.readouterr().out
    assert execute.main(["--force"], book) == 0
    assert notebooks(book) == before


def test_files_that_a_chapter_says_it_reads_are_among_its_inputs(book):
    first = chapters(book)[0]
    source = first.source.read_text()
    before = inputs(first, "shared", [])
    first.source.write_text(source.replace("---\n\n", "ntklib:\n  reads: figures/*.json\n---\n\n", 1))
    folder = book / "figures"
    folder.mkdir()
    seen = [before]
    for content in ("{}", "[]"):
        (folder / "speed.json").write_text(content)
        seen.append(inputs(first, "shared", []))
    (folder / "notes.txt").write_text("not read")
    assert len(set(seen)) == 3
    assert inputs(first, "shared", []) == seen[-1]


@pytest.mark.parametrize(
    ("file", "old", "new", "expected"),
    [
        ("book/last.md", "first is executed", "first was executed", ["last"]),
        ("book/first.md", "number = 2", "number = 3", ["first", "last"]),
        ("ntklib/__init__.py", "A library", "Another library", ["first", "last"]),
        ("book/first.ipynb", "1.414", "1.415", ["first"]),
    ],
)
def test_what_changed_is_executed_again(executed, capsys, file, old, new, expected):
    edit(executed / file, old, new)
    # As in a fresh clone, where every file has the same age.
    for path in executed.rglob("*"):
        os.utime(path, (1, 1))
    capsys.readouterr()
    assert execute.main([], executed) == 0
    out = capsys.readouterr().out
    assert [name for name in ("first", "last") if f"{name}: executed" in out] == expected


def test_failing_chapter_leaves_its_notebook_and_says_where_while_others_finish(executed, capsys):
    before = notebooks(executed)
    edit(executed / "book" / "first.md", 'print("again", number)', 'raise ValueError("planted")')
    edit(executed / "book" / "last.md", "  depends_on: all", "  depends_on: none")
    assert execute.main([], executed) == 1
    message = capsys.readouterr()
    assert "ERROR in first, cell 2: ValueError: planted" in message.err
    assert 'raise ValueError("planted")' in message.err
    assert "last: executed" in message.out
    assert notebooks(executed)["first.ipynb"] == before["first.ipynb"]


def test_chapter_that_depends_on_a_failed_one_is_not_executed(book, capsys):
    edit(book / "book" / "first.md", "number**0.5", "undefined_name")
    assert execute.main([], book) == 1
    assert "last: not executed, because it reads the chapters that failed" in capsys.readouterr().err
    assert notebooks(book) == {}


def test_a_kernel_that_dies_is_an_error_and_not_a_hang(book, capsys):
    edit(book / "book" / "first.md", 'print("again", number)', "import os; os._exit(3)")
    assert execute.main(["first"], book) == 1
    assert "DeadKernelError" in capsys.readouterr().err
    assert notebooks(book) == {}


def processes(mark: str) -> list[str]:
    """Return the command lines of the processes of this machine that contain ``mark``."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark.encode() in path.read_bytes():
                found.append((path.parent / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return found


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks for left processes in /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_interruption_leaves_no_process_and_no_half_written_file(executed, number):
    book = executed
    before = notebooks(book)
    marker = book / "running"
    survived = book / "survived"
    slow = (
        f"from pathlib import Path; import time; Path({str(marker)!r}).touch(); time.sleep(600); "
        f"Path({str(survived)!r}).touch()"
    )
    edit(book / "book" / "first.md", 'print("again", number)', slow)
    mark = f"NTKLIB_TEST_MARK={book}"
    child = subprocess.Popen(
        [sys.executable, "-c", "import sys; from pathlib import Path; from pipeline import execute\n"
         "sys.exit(execute.main([], Path(sys.argv[1])))", str(book)],
        cwd=ROOT,
        env={**os.environ, "NTKLIB_TEST_MARK": str(book)},
        stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    while not marker.exists():
        assert child.poll() is None, "the chapter never started"
        time.sleep(0.1)
    assert processes(mark)
    child.send_signal(number)
    _, error = child.communicate()
    if number == signal.SIGINT:
        assert child.returncode == 130
        assert "Interrupted: unfinished chapters are as they were." in error
        assert "Traceback" not in error
    while processes(mark):  # one that nobody ended works until its last line
        time.sleep(0.2)
    assert not survived.exists()
    assert notebooks(book) == before
    assert sorted(path.name for path in (book / "book").iterdir()) == [
        "first.ipynb", "first.md", "last.ipynb", "last.md",
    ]  # fmt: skip


def test_two_executions_at_once_are_both_right(book):
    command = [
        sys.executable, "-c", "import sys; from pathlib import Path; from pipeline import execute\n"
        "sys.exit(execute.main([], Path(sys.argv[1])))", str(book),
    ]  # fmt: skip
    pair = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    outputs = [child.communicate()[0] for child in pair]
    assert [child.returncode for child in pair] == [0, 0]
    assert sorted("first: up to date" in output for output in outputs) == [False, True]


def test_unknown_chapter_is_refused_by_name(book, capsys):
    assert execute.main(["frist"], book) == 1
    assert "no chapter named frist; there are first, last" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("book/absent.ipynb", "its source book/absent.md does not exist"),
        ("book/last", r"write book/last.ipynb \(executed\) or book/last.md"),
        ("book/last.md", "has code cells, so _toc.yml must list book/last.ipynb"),
    ],
)
def test_wrong_line_of_the_contents_is_an_error(book, entry, message):
    edit(book / "_toc.yml", "book/last.ipynb", entry)
    if entry == "book/last":
        (book / "book" / "last").touch()
    with pytest.raises(BookError, match=message):
        chapters(book)
