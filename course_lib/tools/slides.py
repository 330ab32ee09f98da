"""A deck of slides of a lesson: `python -m course_lib.tools.slides 01 [07 …]`, or `course.py slides 01`.

The cells with the tag `slide`, with their stored outputs, in one HTML file that holds all it needs (reveal.js, MathJax,
pictures) and works from anywhere, without a network. A cell that begins with a heading opens a new column of slides; the
others stand below it.
"""

import importlib.util
import re
import sys
from pathlib import Path

import jinja2
import nbformat
from nbconvert import HTMLExporter
from pygments.formatters import HtmlFormatter

from course_lib import ROOT
from course_lib.tools.pages import title


def slides(notebook: dict) -> list[list[str]]:
    """The HTML of the slides of `notebook` (its JSON), by column. Raises ValueError if no cell has the tag `slide`."""
    export = HTMLExporter(template_name="basic", exclude_anchor_links=True)
    columns: list[list[str]] = []
    for cell in notebook["cells"]:
        if "slide" not in cell["metadata"].get("tags", []):
            continue
        text = "".join(cell["source"])
        page = nbformat.v4.new_notebook()
        page.cells = [nbformat.from_dict({**cell, "source": re.sub(r"\[([^]]+)\]\([^)]*\.ipynb[^)]*\)", r"\1", text)})]
        export.exclude_input = bool(cell["metadata"].get("jupyter", {}).get("source_hidden"))
        html = export.from_notebook_node(page)[0]
        if not columns or (cell["cell_type"] == "markdown" and text.startswith("#")):
            columns.append([])
        columns[-1].append(html)
    if not columns:
        raise ValueError(f"No cell of {title(notebook)} has the tag `slide`: give it to those that a class should see.")
    return columns


def deck(notebook: dict) -> str:
    """The whole HTML file of the slides of `notebook`."""
    reveal = _package("sphinx_revealjs") / "_static" / "revealjs" / "dist"
    mathjax = _package("mathjax") / "static" / "mathjax" / "es5" / "tex-svg-full.js"
    template = jinja2.Template((ROOT / "docs" / "slides.html").read_text(encoding="utf-8"))
    return template.render(
        title=title(notebook),
        columns=slides(notebook),
        reveal_css=(reveal / "reveal.css").read_text(encoding="utf-8"),
        reveal=(reveal / "reveal.js").read_text(encoding="utf-8"),
        mathjax=mathjax.read_text(encoding="utf-8"),
        code_css=HtmlFormatter().get_style_defs(".highlight"),
    )


def _package(name):
    """The folder of a package, which is not imported."""
    return Path(importlib.util.find_spec(name).submodule_search_locations[0])


def main(numbers: list[str]) -> int:
    """Make the decks of these lessons in build/slides. Returns 0, or 1 after what is wrong was printed."""
    status = 0
    for number in numbers:
        found = list((ROOT / "notebooks").glob(f"{number.zfill(2)}_*.ipynb"))
        if not found:
            print(f"There is no lesson {number!r}.")
            status = 1
            continue
        try:
            html = deck(nbformat.read(found[0], as_version=4))
        except ValueError as error:
            print(error)
            status = 1
            continue
        path = ROOT / "build" / "slides" / f"{found[0].stem}.html"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(html, encoding="utf-8", newline="\n")
        print(f"The slides are ready; open {path} in a browser. The arrow keys turn pages, Esc shows all of them.")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
