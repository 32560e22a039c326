"""Every work in the bibliography can be found and is cited, and every citation has its work."""

import re

import pytest
from pybtex.backends.html import Backend
from pybtex.database import parse_file
from pybtex.style.formatting.plain import Style

from pipeline.chapters import ROOT, toc_files

BOOK = ROOT / "book"
# Their publishers registered neither a DOI nor an arXiv number, and have them on a page of their own.
WITHOUT_NUMBER = {
    "berger1996maximum": "https://aclanthology.org/",
    "cho2009kernel": "https://proceedings.neurips.cc/",
    "duchi2011adaptive": "https://jmlr.org/",
    "socher2012semantic": "https://aclanthology.org/",
}
# What the book owes most to: first author and words of the title.
INDISPENSABLE = [
    ("Sun", "Unraveling Feature Extraction"),
    ("Jacot", "Neural Tangent Kernel"),
    ("Lee", "Gaussian Processes"),
    ("Lee", "Linear Models Under Gradient Descent"),
    ("Matthews", "Gaussian Process Behaviour"),
    ("Cho", "Kernel Methods for Deep Learning"),
    ("Williams", "Infinite Neural Networks"),
    ("Daniely", "Dual View"),
    ("Tsuchida", "Kernel Fixed Points"),
    ("Han", "General Activations"),
    ("Arora", "Infinitely Wide Neural Net"),
    ("Hron", "Infinite Attention"),
    ("Alemohammad", "Recurrent Neural Tangent Kernel"),
    ("Emami", "Linear RNNs"),
    ("Yang", "Tensor Programs II"),
    ("Novak", "Finite Width Neural Tangent Kernel"),
    ("Chizat", "Lazy Training"),
    ("Hanin", "Depth and Width Corrections"),
    ("Fort", "Kernel Learning"),
    ("Malladi", "Fine-Tuning"),
    ("Lodhi", "String Kernels"),
    ("Socher", "Sentiment Treebank"),
    ("Hutto", "VADER"),
]


@pytest.fixture(scope="module")
def works():
    # Raises where two entries have one key.
    return parse_file(str(BOOK / "references.bib")).entries


@pytest.fixture(scope="module")
def citations():
    """Return key → the pages that cite it."""
    found: dict[str, set[str]] = {}
    for page in sorted(BOOK.glob("*.md")):
        for keys in re.findall(r"\{cite(?::\w+)?\}`([^`]+)`", page.read_text(encoding="utf-8")):
            for key in keys.split(","):
                found.setdefault(key.strip(), set()).add(page.name)
    return found


def plain(title):
    """Return a title's letters and digits: brackets, accents' marks and capitals aside."""
    return re.sub(r"[^a-z0-9]", "", title.lower())


def test_every_work_has_a_doi_or_an_arxiv_number(works):
    for key, work in works.items():
        doi, arxiv = work.fields.get("doi"), work.fields.get("eprint")
        if doi is not None:
            # 10.5555 is what the ACM's library writes where no DOI is registered.
            assert re.fullmatch(r"10\.(?!5555/)\d{4,9}/\S+", doi), key
        if arxiv is not None:
            assert re.fullmatch(r"\d{4}\.\d{4,5}", arxiv), key
            assert work.fields["archiveprefix"] == "arXiv", key
        numbered = doi is not None or arxiv is not None
        assert numbered != (key in WITHOUT_NUMBER), key


def test_a_work_without_a_number_has_its_publishers_page(works):
    for key, publisher in WITHOUT_NUMBER.items():
        assert works[key].fields["url"].startswith(publisher)


def test_every_number_is_printed_as_a_link(works):
    for entry in Style().format_entries(works.values()):
        html = entry.text.render(Backend("utf-8"))
        fields = works[entry.key].fields
        links = [f"https://doi.org/{fields['doi']}"] if "doi" in fields else []
        links += [f"https://arxiv.org/abs/{fields['eprint']}"] if "eprint" in fields else []
        links += [fields["url"]] if "url" in fields else []
        assert links, entry.key
        assert [link for link in links if f'href="{link}"' not in html] == [], entry.key


def test_every_work_says_who_what_when_and_where(works):
    for key, work in works.items():
        assert work.persons["author"], key
        assert re.fullmatch(r"(19|20)\d\d", work.fields["year"]), key
        where = {"article": "journal", "inproceedings": "booktitle", "book": "publisher", "misc": "eprint"}
        assert work.fields["title"], key
        assert work.fields[where[work.type]], key


def test_no_work_is_there_twice(works):
    for name in ("title", "doi", "eprint"):
        values = [plain(work.fields[name]) for work in works.values() if name in work.fields]
        assert sorted(set(values)) == sorted(values), name


def test_every_work_is_cited(works, citations):
    assert set(works) - set(citations) == set()


def test_every_citation_has_its_work(works, citations):
    assert {key: pages for key, pages in citations.items() if key not in works} == {}


@pytest.mark.parametrize(("author", "words"), INDISPENSABLE)
def test_the_works_that_the_book_builds_on_are_there(works, author, words):
    matching = [
        key
        for key, work in works.items()
        if work.persons["author"][0].last_names == [author] and plain(words) in plain(work.fields["title"])
    ]
    assert len(matching) == 1


def test_one_page_of_the_contents_lists_them():
    listing = [
        page.name for page in BOOK.glob("*.md") if "{bibliography}" in page.read_text(encoding="utf-8")
    ]
    assert listing == ["bibliography.md"]
    assert "book/bibliography.md" in toc_files(ROOT)
