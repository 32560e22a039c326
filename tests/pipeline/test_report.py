"""A report holds everything, shows any text as text, and refuses an unfit file in one line."""

import csv

import pytest
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from pipeline.report import corpus_name, main
from pipeline.report_page import escaped, report_page

FAST = ["--jobs", "1", "--set", "architectures=('mlp','cnn')", "--set", "trust_sentences=50"]
ALLOWED = {"html", "head", "meta", "title", "style", "body", "main", "nav", "footer", "div", "h1", "h2", "p"}
ALLOWED |= {"ul", "li", "a", "pre", "table", "tr", "th", "td", "figure", "img", "figcaption"}
ALLOWED |= {"em", "strong", "code"}
EVIL = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '=HYPERLINK("http://evil.example","x")',
    "</pre></td><svg onload=alert(1)>",
    "&lt;script&gt;alert(2)&lt;/script&gt;",
    "[x](javascript:alert(1)) $\\href{javascript:alert(1)}{x}$",
)


def write(path, rows):
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    return path


def page(path):
    return BeautifulSoup(path.read_text("utf-8"), "html.parser")


def nothing_executes(soup):
    assert {element.name for element in soup.find_all()} <= ALLOWED
    for element in soup.find_all():
        assert not [name for name in element.attrs if name.startswith("on")]
    assert all(link["href"].startswith("#") for link in soup.find_all("a"))
    assert all(image["src"].startswith("data:image/png;base64,") for image in soup.find_all("img"))
    policy = soup.find("meta", attrs={"http-equiv": "Content-Security-Policy"})["content"]
    assert policy.startswith("default-src 'none'")


def test_markup_formulas_and_scripts_of_a_corpus_are_shown_and_never_executed(tmp_path, capsys):
    labels = ["<script>alert('l')</script>", '"><img src=x onerror=alert(3)>']
    rows = [(f"{EVIL[i % 6]} {'good' if i % 2 else 'bad'} film", labels[i % 2]) for i in range(90)]
    source = write(tmp_path / "evil.csv", [("text", "label"), *rows])
    assert (
        main(
            [str(source), "--output", str(tmp_path / "evil.html"), *FAST],
        )
        == 0
    )
    capsys.readouterr()
    soup = page(tmp_path / "evil.html")
    nothing_executes(soup)
    text = soup.get_text()
    assert "<script>alert('l')</script>" in text
    assert "onerror" in text
    assert any(start in text for start in EVIL)


def test_three_classes_quotes_emoji_chinese_and_empty_rows(tmp_path, capsys):
    words = {
        "pos": ["great", "好電影", "🎉"],
        "neg": ["awful", "差", "💩"],
        "neu": ['a "so-so" one', "一般", "😐"],
    }
    rows = [
        (f"film {i % 4}, {words[label][i % 3]} {words[label][i % 2]}", label)
        for i in range(45)
        for label in words
    ]
    rows.insert(10, ("", "pos"))
    rows.insert(20, ("no label", ""))
    source = write(tmp_path / "three.csv", [("sentence", "opinion"), *rows])
    source.write_text(source.read_text("utf-8") + "\n", "utf-8")
    output = tmp_path / "three.html"
    options = ["--text", "sentence", "--label", "opinion", "--output", str(output), *FAST]
    assert main([str(source), *options]) == 0
    assert "open it in a browser" in capsys.readouterr().out
    soup = page(output)
    nothing_executes(soup)
    text = soup.get_text()
    assert "no text: three.csv line 12" in text
    assert "no label: three.csv line 22" in text
    assert "3 classes" in text
    assert "rows that were skipped: 3" in text
    for shown in ("pos", "neg", "neu", "😐", "般", "logistic regression", "noise floor"):
        assert shown in text
    assert len(soup.find_all("img")) == 4
    assert all(len(image["alt"]) > 30 for image in soup.find_all("img"))
    assert "make report" not in text  # what is for the book alone stays there


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            b"text,stars\na,1\n",
            "no column 'label' but 'text', 'stars': name the column with LABEL_COLUMN=",
        ),
        (b"words,label\na,1\n", "has no column 'text'"),
        (b"", "an empty file"),
        (b"text,label\n", "has no document"),
        (b"\x89PNG\r\n\x1a\n\xff\xfe", "is not UTF-8"),
        (b"just some words\nand more\n", "has no column 'text' but 'just some words'"),
        (b"text,label\na,b,c\n", "3 fields where the first line has 2"),
        (b"text,label\n" + b"a film,1\n" * 20, "every sentence has the one label '1'"),
        (b"text,label\na,1\nb,0\n", "has 2 sentences with text and label: a report needs 12"),
    ],
)
def test_an_unfit_file_is_refused_in_one_line(tmp_path, capsys, content, message):
    (tmp_path / "x.csv").write_bytes(content)
    assert main([str(tmp_path / "x.csv"), "--output", str(tmp_path / "x.html")]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert error.startswith("ERROR: ")
    assert not (tmp_path / "x.html").exists()


def test_a_missing_file_an_unknown_corpus_and_a_missing_folder_are_refused(tmp_path, capsys):
    assert main([str(tmp_path / "none.csv")]) == 2
    assert "names no file or folder" in capsys.readouterr().err
    assert main(["movie-review"]) == 2
    assert "did you mean 'movie-reviews'" in capsys.readouterr().err
    assert main(["planted:polarity", "--output", str(tmp_path / "none" / "x.html")]) == 2
    assert "there is no folder" in capsys.readouterr().err


def test_a_parameter_that_the_chapter_refuses_is_one_line(tmp_path, capsys):
    output = str(tmp_path / "x.html")
    assert main(["planted:polarity", "--output", output, "--set", "architectures=('perceptron',)"]) == 1
    error = capsys.readouterr().err
    assert "architectures holds 'perceptron': choose among" in error
    assert error.count("\n") == 1


def test_paths_become_absolute_and_names_stay(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.csv").touch()
    assert corpus_name("a.csv") == f"csv:{tmp_path / 'a.csv'}"
    assert corpus_name("csv:a.csv") == f"csv:{tmp_path / 'a.csv'}"
    assert corpus_name("movie-reviews") == "movie-reviews"


def test_only_text_tables_and_pictures_reach_a_page():
    html = "<script>x()</script><table onclick='x()'><tr><td colspan='2'><b>a</b>&lt;i&gt;</td></tr></table>"
    outputs = [
        new_output("display_data", {"text/html": html}),
        new_output("display_data", {"image/png": 'abc" onload="x()', "text/plain": "no picture"}),
        new_output("display_data", {"image/svg+xml": "<svg onload='x()'/>", "text/plain": "a drawing"}),
        new_output("display_data", {"application/javascript": "x()"}),
        new_output("stream", name="stderr", text="a warning"),
    ]
    cells = [
        new_markdown_cell("# Title\n\nSee {doc}`mlp` and <script>x()</script>.\n\n## A part"),
        new_code_cell("1 + 1", outputs=outputs),
        new_markdown_cell("for the book", metadata={"tags": ["book-only"]}),
    ]
    made = report_page(new_notebook(cells=cells), "<b>title</b>", "<i>note</i>")
    soup = BeautifulSoup(made, "html.parser")
    nothing_executes(soup)
    assert soup.td.get_text() == "a<i>"
    assert soup.td["colspan"] == "2"
    assert soup.h1.get_text() == "<b>title</b>"
    assert "for the book" not in made
    assert "a warning" not in made
    assert "1 + 1" not in made
    assert soup.find(id="a-part")


def test_control_signs_become_visible():
    assert escaped("a\x1b[31m\u202eb\x00\n") == "a�[31m�b�\n"
