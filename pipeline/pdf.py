"""Print the whole book as one PDF: Sphinx joins the pages, Chromium typesets the formulas and prints.

The links between pages become links inside the PDF, equations and figures keep their numbers, and the
headings make its outline. Chromium can't print page numbers in the contents.
"""

import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import yaml
from bs4 import BeautifulSoup, Tag
from playwright.sync_api import PdfMargins

from pipeline.browser import chromium, opened, served, sideways, unread_formulas
from pipeline.chapters import ROOT, BookError, toc_files

PAGE = "whole-book.html"
# What only a page in a window needs.
NOT_PRINTED = "a.headerlink, script, .toctree-wrapper > p.caption, button"
STYLE = (Path(__file__).parent / "pdf.css").read_text(encoding="utf-8")
FOOTER = (
    '<div style="width: 100%; font-size: 8pt; text-align: center; color: #555">'
    '<span class="pageNumber"></span></div>'
)
# A4 less the margins, at CSS's 96 px an inch.
WIDTH = int((210 - 2 * 18) / 25.4 * 96)
# Shrinks the displayed formulas that are wider than the paper.
FIT_FORMULAS = """() => {
  for (const formula of document.querySelectorAll("mjx-container[display]")) {
    const drawing = formula.querySelector("mjx-math"), room = formula.parentElement.clientWidth;
    // MathJax draws numbered formulas in a table, as wide as the line at the least.
    const inner = drawing.querySelector("mjx-mtable") || drawing;
    const wide = Math.max(drawing.scrollWidth, inner.scrollWidth, inner.getBoundingClientRect().width);
    if (wide > room + 1) {
      formula.style.fontSize = `${parseFloat(getComputedStyle(formula).fontSize) * room / wide * 0.98}px`;
    }
  }
}"""
# Code of so many lines at most is not split between two pages.
SHORT = 15
MARGINS: PdfMargins = {"top": "18mm", "bottom": "18mm", "left": "18mm", "right": "18mm"}


def chapter_sections(article: Tag, names: list[str]) -> dict[str, Tag]:
    """Return chapter → its part of the joined page; the first chapter contains the others' parts."""
    sections = {names[0]: article.find("section")}
    for name in names[1:]:
        mark = article.find(id=f"document-book/{name}")
        sections[name] = mark.find_next_sibling("section") if isinstance(mark, Tag) else None
    missing = [name for name, section in sections.items() if not isinstance(section, Tag)]
    if missing:
        raise BookError(f"the joined page lacks {', '.join(missing)}.")
    return {name: section for name, section in sections.items() if isinstance(section, Tag)}


def join_links(article: Tag, names: list[str]) -> list[str]:
    """Turn the links between the chapters into links inside the joined page; return those that lead nowhere.

    Sphinx keeps each chapter's own ids, so that chapters may share one: those of all but the first chapter
    get the chapter's name in front. A link's own chapter is looked at first, then the first chapter, then the
    others.
    """
    sections = chapter_sections(article, names)
    parts = {id(section): name for name, section in sections.items()}

    def chapter(tag: Tag) -> str:
        return next((parts[id(parent)] for parent in [tag, *tag.parents] if id(parent) in parts), names[0])

    places: dict[str, dict[str, str]] = {name: {} for name in names}
    for tag in article.find_all(id=True):
        old, own = str(tag["id"]), chapter(tag)
        if old.startswith("document-book/"):
            continue
        new = old if own == names[0] else f"{own}-{old}"
        places[own].setdefault(old, new)
        tag["id"] = new
    tops = {name: str(section["id"]) for name, section in sections.items()}
    lost = []
    for link in article.find_all("a", href=True):
        address = str(link["href"])
        if "://" in address or address.startswith("mailto:"):
            continue
        file, _, fragment = unquote(address).partition("#")
        # Sphinx names the joined page itself in links from one chapter to another.
        elsewhere = file == f"book/{names[0]}.html"
        named = "" if elsewhere else Path(file).stem
        if fragment.startswith("document-book/"):
            named, fragment = fragment.rpartition("/")[2], ""
        order = [named] if named else [*([] if elsewhere else [chapter(link)]), *names]
        found = [places[name][fragment] for name in order if fragment in places.get(name, {})]
        if not fragment and named in tops:
            found = [tops[named]]
        if found:
            link["href"] = f"#{found[0]}"
        else:
            lost.append(address)
    return lost


def contents(soup: BeautifulSoup, article: Tag, names: list[str]) -> Tag:
    """Return the table of contents: every chapter with its sections, each a link."""
    listing = soup.new_tag("nav", attrs={"class": "pdf-contents"})
    sections = chapter_sections(article, names)
    for name, section in sections.items():
        own = list(section.find_all("section", recursive=False))
        for depth, part in [("chapter", section), *(("section", part) for part in own)]:
            heading = part.find(["h1", "h2", "h3"])
            if isinstance(heading, Tag) and part.get("id"):
                line = soup.new_tag("p", attrs={"class": f"pdf-{depth}"})
                link = soup.new_tag("a", href=f"#{part['id']}")
                link.string = heading.get_text(" ", strip=True)
                line.append(link)
                listing.append(line)
        if name != names[0]:
            section["class"] = " ".join([*section.get_attribute_list("class"), "pdf-new-page"])
    return listing


def printable(html: str, names: list[str], title: str, author: str) -> str:
    """Return the joined page with a title, the contents and the chapters, and nothing else around them."""
    soup = BeautifulSoup(html, "html.parser")
    article = soup.select_one("article")
    if article is None or soup.head is None or soup.body is None:
        raise BookError("the joined page has no article.")
    for tag in article.select(NOT_PRINTED):
        tag.decompose()
    lost = join_links(article, names)
    if lost:
        raise BookError(f"links to nothing in the joined page: {', '.join(lost[:10])}")
    front = soup.new_tag("header", attrs={"class": "pdf-front"})
    for kind, text in (("p", title), ("p", author)):
        line = soup.new_tag(kind, attrs={"class": "pdf-title" if text == title else "pdf-author"})
        line.string = text
        front.append(line)
    listing = contents(soup, article, names)
    for script in soup.head.find_all("script"):
        if "mathjax" not in str(script).lower():
            script.decompose()
    for hidden in article.find_all("details"):
        hidden["open"] = ""
    for code in article.select("div.highlight"):
        if code.get_text().strip().count("\n") < SHORT:
            # With its frame, which would stay behind empty.
            frame = code.find_parent("div", class_="cell_input") or code
            frame["class"] = " ".join([*frame.get_attribute_list("class"), "pdf-short"])
    style = soup.new_tag("style")
    style.string = STYLE
    soup.head.append(style)
    soup.body.clear()
    body = soup.new_tag("main", attrs={"class": "bd-content"})
    for part in (front, listing, article):
        body.append(part)
    soup.body.append(body)
    return str(soup)


def main(root: Path = ROOT) -> int:
    """Join, print, and put the PDF in the place of the old one; return the exit code."""
    folder, pdf = root / "_build" / "pdf", root / "_build" / "book.pdf"
    shutil.rmtree(folder, ignore_errors=True)
    settings = yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8"))
    names = [Path(file).stem for file in toc_files(root)]
    command = [str(Path(sys.executable).with_name("jupyter-book")), "build", str(root), "--all", "--quiet"]
    command += ["--path-output", str(folder), "--builder", "singlehtml"]
    joined = subprocess.run(
        command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if joined.returncode != 0:
        print(f"{joined.stdout}\nERROR: jupyter-book failed, its messages are above.", file=sys.stderr)
        return 1
    html = folder / "_build" / "singlehtml"
    try:
        # Its addresses start from the top folder, wherever Sphinx puts the page.
        text = (html / "book" / f"{names[0]}.html").read_text(encoding="utf-8")
        text = printable(text, names, settings["title"], settings["author"])
        (html / PAGE).write_text(text, encoding="utf-8")
        with (
            served(html) as home,
            chromium() as browser,
            opened(browser, home, PAGE, width=WIDTH, patience=300) as seen,
        ):
            problems = [*seen.errors, *unread_formulas(seen.page)]
            if problems:
                raise BookError("the joined page has defects:\n" + "\n".join(problems))
            seen.page.emulate_media(media="print")
            seen.page.evaluate(FIT_FORMULAS)
            for cut in sideways(seen.page):
                print(f"make pdf: the paper's edge cuts something off: {cut}", file=sys.stderr)
            seen.page.pdf(
                path=pdf.with_suffix(".new"),
                format="A4",
                margin=MARGINS,
                display_header_footer=True,
                header_template="<span></span>",
                footer_template=FOOTER,
                print_background=True,
                outline=True,
                tagged=True,
            )
    except BookError as error:
        print(f"make pdf: {error}", file=sys.stderr)
        return 1
    pdf.with_suffix(".new").replace(pdf)
    shutil.rmtree(folder)
    print(f"The book: {pdf.relative_to(root)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
