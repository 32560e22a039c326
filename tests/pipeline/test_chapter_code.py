"""The linter reads the chapters' code cells, and mends them without touching the prose."""

from pipeline import chapter_code
from pipeline.chapters import ROOT


def test_defects_in_a_chapter_are_found_and_mended_in_place(book, capfd):
    (book / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    assert chapter_code.main(book) == 0
    source = book / "book" / "last.md"
    good = source.read_text()
    source.write_text(good.replace('print("first is executed:", ', 'print( "first is executed:",'))
    assert chapter_code.main(book) == 1
    assert chapter_code.main(book, fix=True) == 0
    assert source.read_text() == good

    source.write_text(good.replace("from pathlib import Path\n", ""))
    assert chapter_code.main(book) == 1
    assert "F821" in capfd.readouterr().out
