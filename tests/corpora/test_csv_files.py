import hashlib

import pytest

from ntklib import load_corpus


@pytest.fixture
def write(tmp_path):
    def writer(content, name="texts.csv"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return f"csv:{path}"

    return writer


def texts_of(name, **options):
    return load_corpus(name, keep_texts=True, **options).texts


def test_quotes_commas_line_breaks_and_emoji_are_read(write):
    name = write('text,label\n"said ""no"", twice",0\n"two\nlines",1\n👍🏽 好電影,1\n')
    assert texts_of(name) == ('said "no", twice', "two\nlines", "👍🏽 好電影")


def test_a_byte_order_mark_and_windows_line_ends_are_no_part_of_the_text(write):
    assert texts_of(write(b"\xef\xbb\xbftext,label\r\ngood,1\r\nbad,0\r\n")) == ("good", "bad")


def test_columns_are_found_by_name_in_any_order(write):
    corpus = load_corpus(
        write("stars,id,review\n5,a,good\n1,b,bad\n"), text_column="review", label_column="stars"
    )
    assert (corpus.classes, corpus.labels.tolist()) == (("1", "5"), [1, 0])


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (["10", "9", "-1"], ("-1", "9", "10")),
        (["pos", " neg ", "pos"], ("neg", "pos")),
        (["1", "b", "a"], ("1", "a", "b")),
    ],
)
def test_classes_are_in_numerical_or_alphabetical_order(write, labels, classes):
    corpus = load_corpus(write("text,label\n" + "".join(f"word,{label}\n" for label in labels)))
    assert corpus.classes == classes
    assert [classes[label] for label in corpus.labels] == [label.strip() for label in labels]


def test_rows_without_text_or_label_are_skipped_and_named(write):
    name = write("text,label\ngood,1\n,0\n\nNaN,1\nbad,\nbad,nan\n\u00ad,1\nbad,0\n")
    corpus = load_corpus(name)
    assert len(corpus) == 2
    assert corpus.source.skipped == (
        ("texts.csv line 3", "no text"),
        ("texts.csv line 4", "empty row"),
        ("texts.csv line 5", "no text"),
        ("texts.csv line 6", "no label"),
        ("texts.csv line 7", "no label"),
        ("texts.csv line 8", "the text has no token"),
    )


def test_lines_are_counted_in_the_file_not_in_records(write):
    corpus = load_corpus(write('text,label\n"one\ntwo\nthree",1\n,0\nbad,0\n'))
    assert corpus.source.skipped == (("texts.csv line 5", "no text"),)


def test_a_class_that_only_skipped_rows_have_is_no_class(write):
    assert load_corpus(write("text,label\ngood,1\n ,2\nbad,0\n")).classes == ("0", "1")


def test_a_folder_keeps_its_parts(write, tmp_path):
    for part, text in (("train", "good film"), ("dev", "fine film"), ("test", "bad film")):
        write(f",text,label,exp_split\n0,{text},{int(part != 'test')},{part}\n", f"sst/{part}.csv")
    corpus = load_corpus(f"csv:{tmp_path / 'sst'}", keep_texts=True)
    assert corpus.parts.tolist() == ["train", "validation", "test"]
    train, test = corpus.split()
    assert (train.texts, test.texts) == (("good film",), ("bad film",))


def test_a_column_can_say_the_part(write):
    corpus = load_corpus(write("text,label,split\ngood,1,Train\nbad,0,test\n"))
    assert corpus.parts.tolist() == ["train", "test"]


def test_tab_separated_files_are_read(write):
    assert texts_of(write("text\tlabel\ngood, really\t1\nbad\t0\n", "texts.tsv")) == ("good, really", "bad")


def test_a_text_longer_than_the_csv_modules_own_limit_is_read(write):
    assert len(load_corpus(write(f"text,label\n{'word ' * 60_000},1\nbad,0\n")).tokens[0]) == 60_000


def test_text_without_labels_has_the_single_class_text(write):
    corpus = load_corpus(write("text\ngood\nbad\n"), label_column=None)
    assert (corpus.classes, corpus.labels.tolist()) == (("text",), [0, 0])


def test_the_checksum_is_that_of_the_file(write):
    content = b"text,label\ngood,1\nbad,0\n"
    assert load_corpus(write(content)).source.sha256 == hashlib.sha256(content).hexdigest()


def test_a_formula_or_script_in_a_cell_is_only_text(write):
    name = write("text,label\n\"=cmd|'/c calc'!A1\",<script>\nfine,ok\n")
    assert texts_of(name) == ("=cmd|'/c calc'!A1", "fine")
    assert load_corpus(name).classes == ("<script>", "ok")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "review,label\ngood,1\n",
            r"texts.csv line 1 has no column 'text' but 'review', 'label'.*text_column=",
        ),
        ("text,stars\ngood,1\n", r"no column 'label' but 'text', 'stars'.*label_column="),
        ("text,text,label\n", "more than one column 'text'"),
        ("", "line 1 has no column 'text' but an empty file"),
        (
            "text,label\ngood,1\nbad, really,0\n",
            "texts.csv line 3: 3 fields where the first line has 2.*double quotes",
        ),
        ("text,label\ngood\n", "line 2: 1 fields"),
        (
            'text,label\ngood,1\n"never closed,0\nbad,0\n',
            "line 3: the record that begins here is malformed.*Close",
        ),
        ('text,label\n"good" film,1\n', "line 2: the record that begins here is malformed"),
        (b"text,label\ngood,1\ncaf\xe9,0\n", "texts.csv line 3: byte 0xe9 is not UTF-8.*iconv"),
        ("text,label,split\ngood,1,holdout\n", "line 2: the part is 'holdout', but must be one of train"),
        ("text,label\n,1\n", "has no document: none of its 0 rows"),
    ],
)
def test_a_file_that_can_not_be_read_is_named_with_its_line_and_the_remedy(write, content, message):
    with pytest.raises(ValueError, match=message):
        load_corpus(write(content))


def test_a_missing_file_and_a_folder_without_parts_are_named(tmp_path, write):
    with pytest.raises(ValueError, match=r"nowhere.csv names no file or folder"):
        load_corpus(f"csv:{tmp_path / 'nowhere.csv'}")
    write("text,label\n", "folder/reviews.csv")
    with pytest.raises(ValueError, match=r"must hold train.csv.*it holds reviews.csv"):
        load_corpus(f"csv:{tmp_path / 'folder'}")
    write("text,label\n", "folder/train.csv")
    write("text,label\n", "folder/train.tsv")
    with pytest.raises(ValueError, match=r"it holds reviews.csv, train.csv, train.tsv"):
        load_corpus(f"csv:{tmp_path / 'folder'}")
