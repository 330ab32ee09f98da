"""The pages of the web book, as text that Sphinx reads: lessons, glossary, index of formulas, the library's docstrings.

Everything is taken from where it stands anyway: lessons and their outputs from the notebooks, terms from cells with the
tag `term`, formulas from the text. Only the names of formulas, their code and their tests are in docs/formulas.toml.
"""

import ast
import contextlib
import copy
import importlib
import io
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

from course_lib.tools.notebooks import CODING, EXPLORER

CHECK = re.compile(r"^(?:\w+ = )?exercises\.(\w+)\.check\(", re.MULTILINE)
BOLD = re.compile(r"\*\*(.+?)\*\*")
FORMULA = re.compile(r"\$\$(.+?)\$\$|(?<![\\$])\$([^$]+?)\$", re.DOTALL)
MOVES = """\
```{tip}
This picture moves in the notebook: `python3 course.py lab` opens it with sliders and lists for what it depends on.
```"""


def source(cell: dict) -> str:
    """The text of a cell."""
    return "".join(cell["source"])


def title(notebook: dict) -> str:
    """A lesson's heading, such as "01 · Convolution"."""
    texts = [source(cell) for cell in notebook["cells"] if cell["cell_type"] == "markdown"]
    return next(found[1] for text in texts if (found := re.match(r"# (.+)", text)))


def sections(notebook: dict) -> Iterator[tuple[dict, str, str]]:
    """(cell, heading above or in it, text) of all Markdown, cut at headings."""
    heading = title(notebook)
    for cell in notebook["cells"]:
        if cell["cell_type"] != "markdown":
            continue
        for part in re.split(r"^(?=#+ )", source(cell), flags=re.MULTILINE):
            if found := re.match(r"#+ (.+)", part):
                heading = found[1]
            yield cell, heading, part


def link(name: str, heading: str, text: str) -> str:
    """A link from a page beside the folder notebooks/ to a section of the lesson whose file is called `name`."""
    slug = re.sub(r"[^\w\- ]", "", heading.lower().replace("`", "")).replace(" ", "-")
    return f"[{text}](notebooks/{name}#{slug})"


# ---- Lessons


def lesson(notebook: dict, topic: str, teacher: bool) -> dict:
    """The notebook as the book shows it. `teacher`: with the solutions, and nothing folded but code for plots.

    The picture of an explorer gets a word on where it moves, a check loses its "not attempted yet", and alternative
    texts move to where myst-nb looks for them.
    """
    cells = []
    for old in notebook["cells"]:
        cell, text = copy.deepcopy(old), source(old)
        tags = cell["metadata"].get("tags", [])
        if "anywhere" in tags:
            continue
        cell["metadata"] = {"tags": ["hide-input"] if "hide-input" in tags else []}
        cells.append(cell)
        if cell["cell_type"] == "markdown":
            cell["source"] = text.replace("<details>", "<details open>") if teacher else text
            continue
        for output in cell["outputs"]:
            if alt := output.get("metadata", {}).get("image/png", {}).get("alt"):
                cell["metadata"]["mystnb"] = {"image": {"alt": alt}}
        if EXPLORER.search(text):
            cells.append(_markdown(cell, MOVES))
        for name in CHECK.findall(text):
            cell["outputs"] = []
            if teacher:
                cells.append(_markdown(cell, _solution(topic, name, bool(CODING.search(text)))))
    return {**notebook, "cells": cells, "metadata": {"language_info": {"name": "python"}}}


def _markdown(cell, text):
    return {"cell_type": "markdown", "id": f"{cell['id']}-book", "metadata": {}, "source": text}


def _solution(topic, name, coding):
    exercise = getattr(importlib.import_module(f"course_lib.lessons.{topic}.exercises"), name)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exercise.solution()
    if coding:
        mistakes = [mistake.message for mistake in exercise.mistakes]
        parts = ["**Solution**", f"```python\n{printed.getvalue()}```", "Hints:", _list(exercise.hints)]
        return "\n\n".join([*parts, "Usual mistakes, and what the check says:", _list(mistakes)])
    replies = [f"{letter}) {reply}" for letter, reply in exercise.replies.items()]
    return f"**Solution:** {exercise.answer}\n\nWhat the check says:\n\n{_list(replies)}"


def _list(lines):
    return "\n".join(f"- {line}" for line in lines)


# ---- Glossary


def terms(notebooks: dict[str, dict]) -> dict[str, list[tuple[str, str, str]]]:
    """{term: [(file name, heading, the sentence that introduces it)]}, the first lesson first.

    A term is what stands in bold letters in a cell with the tag `term`, unless they end in a full stop or a colon: those
    are headings within a paragraph.
    """
    found: dict[str, list[tuple[str, str, str]]] = {}
    for name, notebook in notebooks.items():
        for cell, heading, text in sections(notebook):
            if "term" not in cell["metadata"].get("tags", []):
                continue
            for paragraph in re.split(r"\n\s*\n|\n(?=[-#|] ?)", FORMULA.sub(lambda math: _kept(math[0]), text)):
                for sentence in re.split(r"(?<=[.!?]) +(?=[A-Z*$“(])", " ".join(paragraph.split())):
                    for term in BOLD.findall(sentence):
                        if not term.endswith((".", ":", "?")):
                            entry = (name, heading, _plain(sentence))
                            found.setdefault(term[0].upper() + term[1:], []).append(entry)
    return dict(sorted(found.items(), key=lambda item: item[0].lower()))


def _plain(sentence):
    """A sentence, an item of a list or a row of a table as a sentence."""
    sentence = re.sub(r"^\*\*[^*]+[.:]\*\* ", "", sentence.removeprefix("- "))  # without "**Exercise.**"
    return sentence.strip("| ").replace(" | ", " · ").replace("\0", " ")


def _kept(formula):
    """A formula on one line, in which no sentence ends."""
    return re.sub(r"\s+", "\0", formula).replace("$$", "$")


def glossary(notebooks: dict[str, dict]) -> str:
    """The page of the glossary."""
    lines = [
        "# Glossary",
        "",
        "Each term with the sentence that introduces it, and the lesson where it is first used.",
        "",
        "`````{glossary}",
    ]
    for term, places in terms(notebooks).items():
        (name, heading, sentence), *others = places
        where = link(name, heading, title(notebooks[name]))
        again = ", ".join(link(n, h, n[:2]) for n, h, _ in others if n != name)
        lines += [term, f"  {sentence} *({where}{again and f'; again in {again}'})*", ""]
    return "\n".join([*lines, "`````", ""])


# ---- Formulas


def formulas(notebooks: dict[str, dict]) -> Iterator[tuple[str, str, str, bool]]:
    """(file name, heading, formula on one line, whether it stands on a line of its own) of all lessons."""
    for name, notebook in notebooks.items():
        for _, heading, text in sections(notebook):
            for display, inline in FORMULA.findall(text):
                yield name, heading, " ".join((display or inline).split()), bool(display)


def formula_index(notebooks: dict[str, dict], table: Path) -> list[dict]:
    """The rows of docs/formulas.toml, each with `file`, `heading` and `formula`: the first formula of its lesson that
    begins as `starts` says; then, with the heading for a name and without `code`, the displayed formulas that no row
    has found. Sorted by lesson. Raises ValueError where a row finds none.
    """
    everything = list(formulas(notebooks))
    rows = tomllib.loads(table.read_text(encoding="utf-8"))["formula"]
    for row in rows:
        fits = [found for found in everything if found[0][3:-6] == row["lesson"] and found[2].startswith(row["starts"])]
        if not fits:
            raise ValueError(
                f"{table.name}: no formula of the lesson {row['lesson']} begins with {row['starts']!r}; "
                f"mend the row “{row['name']}”."
            )
        row["file"], row["heading"], row["formula"], _ = fits[0]
    known = {(row["file"], row["formula"]) for row in rows}
    rows += [
        {"name": heading, "file": name, "heading": heading, "formula": formula}
        for name, heading, formula, displayed in everything
        if displayed and (name, formula) not in known
    ]
    places = {found[:3]: number for number, found in reversed(list(enumerate(everything)))}
    return sorted(rows, key=lambda row: places[row["file"], row["heading"], row["formula"]])


def formula_page(notebooks: dict[str, dict], table: Path) -> str:
    """The page with all formulas: where they are explained, which function computes them, which test compares it."""
    lines = ["# Formulas", "", "Where each is explained, the function that computes it, and the test that compares it."]
    last = None
    for row in formula_index(notebooks, table):
        if row["file"] != last:
            lines += ["", f"## {title(notebooks[row['file']])}"]
        last = row["file"]
        where = link(row["file"], row["heading"], row["heading"])
        name = "" if row["name"] == row["heading"] else f"**{row['name']}.** "
        lines += ["", f"{name}{where}", "", f"$$\n{row['formula']}\n$$", ""]
        if "code" in row:
            code = "`{}`" if ".lessons." in row["code"] else "{{py:obj}}`{}`"
            lines += [f"Code: {code.format(row['code'])}. Test: `{row['test']}`."]
    return "\n".join([*lines, ""])


# ---- The library


def modules(package: Path) -> dict[str, ast.Module]:
    """{dotted name: syntax tree} of the modules that serve all lessons, without the tools behind course.py."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package).with_suffix("").parts
        if parts[0] in ("lessons", "tools") or (path.name.startswith("_") and path.name != "__init__.py"):
            continue
        name = ".".join([package.name, *(part for part in parts if part != "__init__")])
        found[name] = ast.parse(path.read_text(encoding="utf-8"))
    return found


def api(package: Path) -> dict[str, str]:
    """{name of a page: text} of the docstrings of the library in the folder `package`, read without importing it."""
    found = modules(package)
    pages = {}
    for name, tree in found.items():
        lines = [f"# {name.partition('.')[2] or name}", "", f"```{{py:module}} {name}\n```", ""]
        lines += [docstring(tree), ""]
        for node in tree.body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
                lines += [_definition(node, name), ""]
        pages[name] = "\n".join(lines)
    first = {name: docstring(tree).split("\n\n")[0].replace("\n", " ") for name, tree in found.items()}
    index = ["# The library", "", "The modules that serve all lessons; what each function takes and gives back.", ""]
    index += [f"- [{name.partition('.')[2] or name}]({name}.md): {text}" for name, text in first.items()]
    pages["index"] = "\n".join([*index, "", "```{toctree}\n:hidden:\n", *found, "```", ""])
    return pages


def _definition(node, prefix):
    """A function or a class as a directive of Sphinx."""
    if isinstance(node, ast.FunctionDef):
        return f"```{{py:function}} {prefix}.{node.name}{_signature(node)}\n\n{docstring(node)}\n```"
    decorated = "dataclass" in "".join(map(ast.unparse, node.decorator_list)) or "NamedTuple" in map(
        ast.unparse, node.bases
    )
    fields = [part for part in node.body if isinstance(part, ast.AnnAssign) and not part.target.id.startswith("_")]
    methods = [part for part in node.body if isinstance(part, ast.FunctionDef)]
    made = [_signature(part) for part in methods if part.name == "__init__"]
    if decorated:
        made = [f"({', '.join(re.sub(r'field[(].*', '…', ast.unparse(part)) for part in fields)})"]
    lines = [f"````{{py:class}} {prefix}.{node.name}{''.join(made)}", "", docstring(node), ""]
    for method in methods:
        if not method.name.startswith("_") and ast.get_docstring(method):
            is_property = any(ast.unparse(each).endswith("property") for each in method.decorator_list)
            kind, signature = ("property", "") if is_property else ("method", _signature(method))
            lines += [f"```{{py:{kind}}} {method.name}{signature}\n\n{docstring(method)}\n```", ""]
    return "\n".join([*lines, "````"])


def _signature(node):
    arguments = re.sub(r"^(self|cls)(, )?", "", ast.unparse(node.args))
    return f"({arguments})" + (f" -> {ast.unparse(node.returns)}" if node.returns else "")


def docstring(node: ast.Module | ast.FunctionDef | ast.ClassDef) -> str:
    """A docstring as Markdown: each line "name: …" an item, "Returns" and "Raises" paragraphs, what is indented code."""
    lines: list[str] = []
    item = code = False
    for line in (ast.get_docstring(node) or "").splitlines():
        named = re.match(r"([\w`][\w`*, ]*): (?=\S)", line)
        code = line.startswith("    ") and (code or (not item and lines[-1:] == [""]))
        if code:
            lines.append(line)
            continue
        if (named and not item) or re.match(r"(Returns|Raises|Formula)\b", line):
            lines.append("")
        if named and named[1] not in ("Returns", "Raises", "Formula"):
            line, item = f"- {line}", True
        elif not line.strip() or not line.startswith(" "):
            item = item and bool(line.strip()) and not re.match(r"(Returns|Raises|Formula)\b", line)
        lines.append(re.sub(r"`[^`]*`|([<*_$\[\]{}|~^#])", lambda s: "\\" + s[1] if s[1] else s[0], line))
    return "\n".join(lines)
