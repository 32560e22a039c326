"""Comparing two executions: equal bytes, equal outputs, and results that differ."""

import nbformat

from pipeline.reproducible import compare, differences


def notebook(text, picture="AAAA", **metadata):
    outputs = [
        nbformat.v4.new_output("stream", text=text),
        nbformat.v4.new_output("display_data", data={"image/png": picture, "text/plain": "a picture"}),
    ]
    cell = nbformat.v4.new_code_cell("print(x)", outputs=outputs, execution_count=1, id="same")
    return nbformat.v4.new_notebook(cells=[cell], metadata=metadata)


def raw(**values):
    return nbformat.writes(notebook(**values)).encode()


def test_equal_bytes_and_equal_outputs_pass(capsys):
    assert compare("x", raw(text="1.5\n"), raw(text="1.5\n"))
    assert capsys.readouterr().out == "x: byte-identical\n"
    assert compare("x", raw(text="1.5\n"), raw(text="1.5\n", picture="BBBB"))
    assert capsys.readouterr().out == "x: equal outputs; pictures or metadata differ in bytes\n"


def test_one_digit_is_a_difference_and_is_shown(capsys):
    assert not compare("x", raw(text="1.5\n"), raw(text="1.6\n"))
    out = capsys.readouterr().out
    assert "DIFFERENT" in out
    assert "-1.5" in out
    assert "+1.6" in out


def test_missing_output_and_changed_source_are_differences():
    shorter = notebook("1.5\n")
    shorter.cells[0].outputs.pop()
    assert differences(notebook("1.5\n"), shorter) == ["cell 0, text/plain:\n    -a picture"]
    other = notebook("1.5\n")
    other.cells[0].source = "print(y)"
    assert differences(notebook("1.5\n"), other) == ["the cells' sources differ"]
