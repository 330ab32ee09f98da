"""Slides: key cells become a deck in one file, which opens without a network and in which every slide fits."""

import importlib.util
import re

import nbformat
import pytest
from test_browser import BROWSER, FLAGS

from course_lib import ROOT
from course_lib.tools import book, slides

LESSON = "01_convolution.ipynb"
TAGGED = [
    path
    for path in sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
    if '"slide"' in path.read_text(encoding="utf-8")
]
needs_packages = pytest.mark.skipif(
    None in map(importlib.util.find_spec, ["sphinx_revealjs", "mathjax"]),
    reason="the packages of book and slides are not installed: pip install --editable .[book]",
)


def cell(kind, text, *tags, **metadata):
    made = nbformat.v4.new_markdown_cell(text) if kind == "text" else nbformat.v4.new_code_cell(text)
    made.metadata.update({"tags": list(tags), **metadata})
    return made


def notebook(*cells):
    return nbformat.v4.new_notebook(cells=[cell("text", "# 01 · A lesson", "slide"), *cells])


def test_only_tagged_cells_are_slides_and_a_heading_opens_a_column():
    hidden = {"jupyter": {"source_hidden": True}}
    columns = slides.slides(
        notebook(
            cell("text", "not shown"),
            cell("text", "## One\n\nSee [lesson 02](02_pooling.ipynb#a).", "slide"),
            cell("code", "folded = 1", "slide", **hidden),
            cell("code", "shown = 1", "slide"),
            cell("text", "More.", "slide"),
        )
    )
    assert [len(column) for column in columns] == [1, 4]
    text = re.sub(r"<[^>]+>", "", "".join(columns[1]))
    assert "See lesson 02." in text and "shown" in text and "folded" not in text and "not shown" not in text


def test_a_lesson_without_slides_gets_a_sentence(capsys):
    untagged = notebook()
    untagged.cells[0].metadata.tags = []
    with pytest.raises(ValueError, match="No cell of 01 · A lesson has the tag `slide`"):
        slides.slides(untagged)
    assert slides.main(["99"]) == 1 and "There is no lesson '99'" in capsys.readouterr().out


@pytest.mark.slow
@needs_packages
@pytest.mark.parametrize("path", TAGGED, ids=lambda path: path.stem)
def test_a_deck_needs_no_other_file(path, tmp_path):
    (tmp_path / "deck.html").write_text(slides.deck(nbformat.read(path, as_version=4)), encoding="utf-8")
    assert not list(book.faults(tmp_path))
    assert [file.name for file in tmp_path.iterdir()] == ["deck.html"]


@pytest.mark.slow
@needs_packages
@pytest.mark.skipif(BROWSER is None, reason="no Chromium and no Chrome on this machine")
def test_in_a_browser_every_slide_fits_and_nothing_is_loaded(tmp_path):
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    lesson = nbformat.read(ROOT / "notebooks" / LESSON, as_version=4)
    lesson.cells.append(cell("text", "## Long\n\n" + "A sentence that is too long for its slide. " * 60, "slide"))
    deck = tmp_path / "deck.html"
    deck.write_text(slides.deck(lesson), encoding="utf-8")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=BROWSER, args=FLAGS)
        page, problems = browser.new_page(viewport={"width": 1280, "height": 720}), []
        page.set_default_timeout(60_000)
        page.on("request", lambda r: r.url.startswith(("file:", "data:")) or problems.append(r.url))
        page.on("console", lambda m: m.type == "error" and problems.append(m.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(deck.as_uri())
        page.wait_for_selector("body[data-ready]", state="attached")
        total, seen = page.evaluate("Reveal.getTotalSlides()"), []
        assert total == sum("slide" in each.metadata.get("tags", []) for each in lesson.cells)
        for _ in range(total):
            seen.append(page.evaluate("Reveal.getCurrentSlide().innerText"))
            height = page.evaluate("Reveal.getCurrentSlide().scrollHeight")
            assert height <= 690, f"a slide is {height} pixels high: {seen[-1][:80]}"
            page.keyboard.press("Space")
        assert len(set(seen)) == total, "the space bar did not go through all slides"
        assert page.evaluate("Reveal.getCurrentSlide().style.fontSize") != ""  # the long one, with smaller letters
        assert page.locator("mjx-container svg").count() > 20 and page.locator("mjx-merror").count() == 0
        browser.close()
    assert not problems
