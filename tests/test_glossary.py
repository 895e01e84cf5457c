"""The glossary: words of the lessons lead to its entries, in the notebooks and on the pages of a report."""

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import nbformat
import pytest

from labkit.html import pages

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"
LESSONS = sorted(NOTEBOOKS.glob("[0-9]*.ipynb"))
LINK = re.compile(r"\[([^\]]+)\]\(glossary\.ipynb#([^)]+)\)")


def texts(path: Path) -> list[str]:
    cells = nbformat.read(path, as_version=4).cells
    return [cell.source for cell in cells if cell.cell_type == "markdown"]


GLOSSARY = texts(NOTEBOOKS / "glossary.ipynb")
HEADINGS = re.findall(r"^### (.+)$", "\n".join(GLOSSARY), re.MULTILINE)
PLACES = {heading.replace(" ", "-") for heading in HEADINGS}  # as JupyterLab and nbconvert name them


def linked(text: str) -> list[str]:
    return [place for _, place in LINK.findall(text)]


def test_entries_stand_in_order_each_once_with_the_notebook_that_teaches_it():
    assert sorted(set(HEADINGS), key=str.lower) == HEADINGS
    entries = [text for text in GLOSSARY if text.startswith("### ")]
    assert len(entries) == len(HEADINGS)
    names = {path.name for path in LESSONS}
    for entry in entries:
        taught = re.findall(r"\[(\d\d)\]\((\w+\.ipynb)\)", entry)
        assert taught and all(file in names and file.startswith(number) for number, file in taught), entry


def test_headings_are_such_that_a_link_can_name_them():
    """Browsers and nbconvert write accents and brackets as %.., each in its own way; apostrophes work."""
    assert [heading for heading in HEADINGS if not re.fullmatch(r"[A-Za-z0-9' -]+", heading)] == []


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_links_each_of_its_words_once(path):
    found = [place for text in texts(path) for place in linked(text)]
    assert set(found) <= PLACES
    assert len(found) == len(set(found)), "a word is linked where it first matters, and not again"
    assert len(found) >= 5
    for text in texts(path):
        apart = re.findall(r"^#.*$", text, re.MULTILINE)
        apart += re.findall(r"<details>.*?</details>", text, re.DOTALL)
        assert "glossary.ipynb" not in "".join(apart), "not in headings, hints, answers and quizzes"


def test_every_entry_is_linked_from_a_lesson_or_another_entry():
    found = {place for path in LESSONS for text in texts(path) for place in linked(text)}
    for entry in GLOSSARY[1:]:  # the first cell has the letters
        own = re.match(r"### (.+)", entry)[1].replace(" ", "-")
        assert own not in linked(entry)
        found |= set(linked(entry))
    assert set(linked("\n".join(GLOSSARY))) <= PLACES
    assert sorted(PLACES - found) == []


class Page(HTMLParser):
    """The links of a page and the names that links to it may give."""

    def __init__(self, path: Path):
        super().__init__()
        self.links, self.ids = [], set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        told = dict(attributes)
        if tag == "a" and not re.match(r"\w+:", told["href"]):
            self.links.append(told["href"])
        if "id" in told:
            self.ids.add(told["id"])


def test_links_of_the_pages_lead_to_a_page_and_a_place(tmp_path):
    folder = tmp_path / "notebooks"
    for path in LESSONS:
        pages.write_notebook(path, folder / f"{path.stem}.html", "quick")
    pages.write_glossary(NOTEBOOKS / "glossary.ipynb", folder, "quick")
    index = pages.write({"lab": {}, "table": {}, "figure": {}}, "quick", tmp_path)
    assert "notebooks/glossary.html" in Page(index).links
    read = {path.resolve(): Page(path) for path in [index, *folder.glob("*.html")]}
    assert len(read) == len(LESSONS) + 2
    for path, page in read.items():
        for link in page.links:
            file, _, place = link.partition("#")
            target = (path.parent / file).resolve() if file else path
            assert target in read, f"{path.name}: {link}"
            # As a browser does: the place as it is written, else with Cohen%27s-kappa as Cohen's-kappa.
            assert not place or {place, unquote(place)} & read[target].ids, f"{path.name}: {link}"
    links = read[folder.resolve() / "02_base_model.html"].links
    to_glossary = [link for link in links if "glossary.html#" in link]
    assert len(to_glossary) >= 5


def test_the_glossary_of_a_report_of_one_lab_links_no_page_that_is_not_there(tmp_path):
    pages.write_notebook(LESSONS[2], tmp_path / f"{LESSONS[2].stem}.html", "quick")
    pages.write_glossary(NOTEBOOKS / "glossary.ipynb", tmp_path, "quick")
    page = Page(tmp_path / "glossary.html")
    files = {link.partition("#")[0] for link in page.links} - {"", "../index.html"}
    assert files == {"glossary.html", "02_base_model.html"}
    assert "Taught in 09" in (tmp_path / "glossary.html").read_text(encoding="utf-8")
