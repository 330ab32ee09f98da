"""The web book: what its pages take from the repository, what the finished site must not have, and a reader's browser."""

import importlib
import json
import re

import pytest
from test_browser import BROWSER, FLAGS

from course_lib import ROOT
from course_lib.tools import book, pages

NOTEBOOKS = book.lessons()


def markdown(text, *tags):
    return {"cell_type": "markdown", "id": "m", "metadata": {"tags": list(tags)}, "source": text}


def lesson(*cells):
    return {"cells": [markdown("# 00 · A lesson"), *cells], "metadata": {}}


# ---- Pages


def test_a_lesson_keeps_its_alternative_texts_and_says_where_a_picture_moves():
    notebook = NOTEBOOKS["01_convolution.ipynb"]
    shown = pages.lesson(notebook, "convolution", teacher=False)["cells"]
    pictures = [c for c in shown if any("image/png" in o.get("data", {}) for o in c.get("outputs", []))]
    assert len(pictures) > 5 and all(cell["metadata"]["mystnb"]["image"]["alt"] for cell in pictures)
    explorers = [n for n, cell in enumerate(shown) if ".show()" in pages.source(cell) and cell["cell_type"] == "code"]
    assert explorers and all("This picture moves" in pages.source(shown[n + 1]) for n in explorers)
    text = json.dumps(shown, ensure_ascii=False)
    assert "Not attempted" not in text and "find_spec" not in text and "<details open>" not in text
    assert len({cell["id"] for cell in shown}) == len(shown)


def test_the_teachers_edition_has_every_solution_and_nothing_folded():
    notebook = NOTEBOOKS["01_convolution.ipynb"]
    before = json.dumps(notebook)
    text = "".join(map(pages.source, pages.lesson(notebook, "convolution", teacher=True)["cells"]))
    checks = sum(len(pages.CHECK.findall(pages.source(cell))) for cell in notebook["cells"])
    assert text.count("**Solution") == checks > 5
    assert "<details open>" in text and "<details>" not in text
    exercises = importlib.import_module("course_lib.lessons.convolution.exercises")
    assert exercises.flipping.replies["a"] in text and exercises.correlate.mistakes[0].message in text
    assert json.dumps(notebook) == before


def test_a_term_is_what_is_bold_where_the_tag_is_and_its_first_lesson_comes_first():
    one = lesson(
        markdown("## Part\n\n**Read.** A **kernel** is small, as $k.\n2$ says. A **wide\nword** follows.", "term"),
        markdown("Without the tag, **bold** is only bold."),
        markdown("| **recall** | found of the ill |", "term"),
    )
    two = lesson(markdown("Again the **kernel**.", "term"))
    terms = pages.terms({"01_one.ipynb": one, "02_two.ipynb": two})
    assert list(terms) == ["Kernel", "Recall", "Wide word"]
    assert terms["Kernel"][0] == ("01_one.ipynb", "Part", "A **kernel** is small, as $k. 2$ says.")
    assert terms["Kernel"][1][0] == "02_two.ipynb"
    assert terms["Recall"][0][2] == "**recall** · found of the ill"
    page = pages.glossary({"01_one.ipynb": one, "02_two.ipynb": two})
    assert "[00 · A lesson](notebooks/01_one.ipynb#part); again in [02]" in page


def test_the_glossary_of_the_course_knows_its_first_lessons():
    first = {term: places[0][0][:2] for term, places in pages.terms(NOTEBOOKS).items()}
    assert {"Kernel": "01", "Receptive field": "01", "Loss": "04", "AUC": "10"}.items() <= first.items()


def test_rows_of_the_index_of_formulas_name_what_exists():
    rows = pages.formula_index(NOTEBOOKS, ROOT / "docs" / "formulas.toml")
    known = [row for row in rows if "code" in row]
    assert len(known) > 30
    for row in known:
        module, _, name = row["code"].rpartition(".")
        source = ROOT.joinpath(*module.split(".")).with_suffix(".py").read_text(encoding="utf-8")
        assert re.search(rf"^(def|class) {name}\b|^{name} = ", source, re.MULTILINE), f"{row['code']} is not there"
        path, _, test = row["test"].partition("::")
        assert f"def {test}(" in (ROOT / path).read_text(encoding="utf-8"), f"{row['test']} is not there"


def test_displayed_formulas_are_in_the_index_and_a_row_without_a_formula_is_named(tmp_path):
    notebooks = {"01_one.ipynb": lesson(markdown("## Part\n\nHere $a=1$ and $$b=\n2$$ and $$c=3$$"))}
    table = tmp_path / "formulas.toml"
    row = '[[formula]]\nname = "B"\nlesson = "one"\nstarts = "{}"\ncode = "x.y"\ntest = "t::u"\n'
    table.write_text(row.format("b="))
    assert [row["formula"] for row in pages.formula_index(notebooks, table)] == ["b= 2", "c=3"]
    table.write_text(row.format("d="))
    with pytest.raises(ValueError, match="no formula of the lesson one begins with 'd='; mend the row “B”"):
        pages.formula_index(notebooks, table)


def test_a_docstring_becomes_markdown(tmp_path):
    package = tmp_path / "library"
    package.mkdir()
    (package / "__init__.py").write_text('"""A library.\n\n    import library\n\nThat is all.\n"""\n')
    (package / "_hidden.py").write_text("def no(): pass\n")
    (package / "a.py").write_text(
        'def f(x, *, n=3):\n    """Power.\n\n    x: array <h, w>,\n        in `a*b`.\n    n: number.\n    Returns x * n.\n    """\n'
        'class C:\n    """A thing."""\n    def __init__(self, size): ...\n    def go(self, far=1):\n        """Goes."""\n'
        "def _private(): ...\n"
    )
    written = pages.api(package)
    assert set(written) == {"index", "library", "library.a"}
    assert "    import library" in written["library"]
    text = written["library.a"]
    assert "{py:function} library.a.f(x, *, n=3)" in text
    assert "- x: array \\<h, w>,\n    in `a*b`.\n- n: number.\n\nReturns x \\* n." in text
    assert "{py:class} library.a.C(size)" in text and "{py:method} go(far=1)" in text and "_private" not in text


# ---- What a finished site must not have

GOOD = (
    '<a id="top"></a><a href="b.html#end">on</a><a href="https://example.org">out</a><img src="p.png" alt="a picture">'
)


@pytest.fixture
def site(tmp_path):
    (tmp_path / "a.html").write_text(GOOD)
    (tmp_path / "b.html").write_text('<p id="end"></p><a href="a.html">back</a><script src="s.js?v=1"></script>')
    for name in ("p.png", "s.js"):
        (tmp_path / name).write_text("")
    return tmp_path


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ('<a href="c.html">no page</a>', "a.html links to c.html, which is not there"),
        ('<a href="b.html#start">no place</a>', "a.html links to b.html#start, where nothing has this name"),
        ('<a href="#below">no place</a>', "a.html links to #below, where"),
        ('<img src="p.png">', "the picture p.png has no alternative text"),
        ('<img src="p.png" alt=" ">', "has no alternative text"),
        ('<img src="q.png" alt="a picture">', "loads q.png, which is not there"),
        ('<script src="https://cdn.example.org/s.js"></script>', "loads https://cdn.example.org/s.js from a network"),
        ('<link rel="stylesheet" href="//cdn.example.org/s.css">', "from a network"),
    ],
)
def test_a_fault_of_a_page_is_seen(site, fault, told):
    assert not list(book.faults(site))
    (site / "a.html").write_text(GOOD + fault + '<img src="data:image/png;base64,AA==" alt="dot">')
    (problem,) = book.faults(site)
    assert told in problem


def test_a_font_from_a_network_is_seen(site):
    (site / "s.css").write_text("p { background: url(data:image/png;base64,AA==) }")
    assert not list(book.faults(site))
    (site / "s.css").write_text("@font-face { src: url('https://fonts.example.org/f.woff2') }")
    assert "from a network" in next(book.faults(site))


# ---- The site itself


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The finished site, for readers."""
    pytest.importorskip("myst_nb", reason="the book's packages are not installed: pip install --editable .[book]")
    folder = tmp_path_factory.mktemp("book")
    book.write_pages(folder / "pages", teacher=False)
    assert book.sphinx(folder) == 0
    return folder / "site"


@pytest.mark.slow
def test_the_book_is_whole(built, tmp_path):
    assert not list(book.faults(built))
    for name in NOTEBOOKS:
        page = (built / "notebooks" / name).with_suffix(".html").read_text(encoding="utf-8")
        assert page.count("<img") >= json.dumps(NOTEBOOKS[name]).count('"image/png": "'), name
    assert "course_lib.ops.conv2d" in (built / "api" / "course_lib.ops.html").read_text(encoding="utf-8")
    # Without one of its lessons it would not be.
    (built / "notebooks" / "07_augmentation.html").rename(tmp_path / "away.html")
    problems = list(book.faults(built))
    (tmp_path / "away.html").rename(built / "notebooks" / "07_augmentation.html")
    assert any("links to notebooks/07_augmentation.html, which is not there" in problem for problem in problems)


@pytest.mark.slow
def test_the_teachers_edition_has_no_warning_and_a_dead_link_is_one(built, tmp_path, capfd):
    """`built` comes first, since it says when the packages are missing. The builder "dummy" reads and writes nothing."""
    book.write_pages(tmp_path / "pages", teacher=True)
    assert book.sphinx(tmp_path, builder="dummy") == 0
    page = tmp_path / "pages" / "glossary.md"
    page.write_text(page.read_text(encoding="utf-8") + "\n[nowhere](absent.md)\n", encoding="utf-8")
    capfd.readouterr()
    assert book.sphinx(tmp_path, builder="dummy") and "absent.md" in capfd.readouterr().err


needs_browser = pytest.mark.skipif(BROWSER is None, reason="no Chromium and no Chrome on this machine")


@pytest.fixture(scope="module")
def open_page(built):
    """Function (name, scheme) that opens a page of the site from the disk: (the page, what went wrong while it loaded)."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=BROWSER, args=FLAGS)

        def opened(name, scheme="light"):
            page, problems = browser.new_page(color_scheme=scheme, viewport={"width": 1280, "height": 900}), []
            page.set_default_timeout(60_000)
            page.on("request", lambda r: r.url.startswith(("file:", "data:", "blob:")) or problems.append(r.url))
            page.on("console", lambda m: m.type == "error" and problems.append(m.text))
            page.on("pageerror", lambda error: problems.append(str(error)))
            page.goto(f"{built.as_uri()}/{name}")
            page.evaluate("window.MathJax ? MathJax.startup.promise.then(() => 1) : 1")
            return page, problems

        yield opened
        browser.close()


def serious(page):
    """What axe-core finds serious or worse on a page."""
    axe = importlib.import_module("axe_playwright_python.sync_playwright").Axe()
    found = axe.run(page).response["violations"]
    return [f"{v['id']}: {v['nodes'][0]['html'][:200]}" for v in found if v["impact"] in ("serious", "critical")]


def pytest_generate_tests(metafunc):
    if "scheme" in metafunc.fixturenames:
        pages = [("index.html", "light"), ("glossary.html", "dark"), ("api/course_lib.ops.html", "light")]
        lessons = sorted(path.stem for path in (ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
        pages += [(f"notebooks/{lessons[1]}.html", "light"), (f"notebooks/{lessons[0]}.html", "dark")]
        if metafunc.config.getoption("--every-lesson"):
            pages += [(f"notebooks/{name}.html", scheme) for name in lessons for scheme in ("light", "dark")]
        metafunc.parametrize(("name", "scheme"), dict.fromkeys(pages))


@pytest.mark.slow
@needs_browser
def test_a_page_opens_from_the_disk_for_everybody(open_page, name, scheme):
    page, problems = open_page(name, scheme)
    assert not problems
    assert page.evaluate("document.documentElement.dataset.theme") == scheme
    assert not serious(page)
    formulas = page.locator("span.math, div.math").count()
    assert page.locator("mjx-container svg").count() >= formulas
    if name == "index.html":  # without this word for them, a fault would be seen
        page.evaluate("document.querySelector('main img').removeAttribute('alt')")
        assert "image-alt" in serious(page)[0]
    page.close()


@pytest.mark.slow
@needs_browser
def test_keys_search_and_folded_answers(open_page):
    page, problems = open_page("search.html?q=receptive+field")
    hits = page.locator("#search-results li a")
    hits.first.wait_for()
    assert "notebooks/01_convolution.html" in " ".join(hits.evaluate_all("links => links.map(link => link.href)"))
    page.goto(page.url.replace("search.html?q=receptive+field", "notebooks/01_convolution.html"))
    page.keyboard.press("Tab")
    assert "Skip to main content" in page.evaluate("document.activeElement.innerText")
    answer = page.locator("details", has_text="What you should have seen").first
    assert answer.get_attribute("open") is None
    answer.locator("summary").focus()
    page.keyboard.press("Enter")
    assert answer.get_attribute("open") is not None
    assert not problems
    page.close()
