"""The teaching guide, the path without code, the list of the article's points and the glossary agree with the lessons.

`python tests/test_guide.py` writes the numbers that the lessons add up to into docs/.
"""

import importlib
import json
import re

import pytest

from course_lib import ROOT
from course_lib.exercises.engine import Choice, Coding
from course_lib.tools import notebooks, pages

LESSONS = {path.name[:2]: path for path in sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))}
COVERED = 60  # minutes of a lesson that a class of 90 minutes gets through


def load(path):
    return json.loads(path.read_text(encoding="utf-8"))


NOTEBOOKS = {number: load(path) for number, path in LESSONS.items()}


def document(name):
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def source(cell):
    return "".join(cell["source"])


def sections(notebook):
    """{heading without its number, or its number: [(cell, the cell's part of the section)]}; "" is the title."""
    found, at = {"": []}, ""
    for cell in notebook["cells"]:
        parts = [source(cell)]
        if cell["cell_type"] == "markdown":
            parts = re.split(r"^(?=## )", parts[0], flags=re.MULTILINE)
        for part in parts:
            if cell["cell_type"] == "markdown" and (heading := re.match(r"## (?:(\d+)\. )?(.+)", part)):
                at = heading[1] or heading[2]
                found[at] = []
            found[at].append((cell, part))
    return found


def numbers(text):
    """The numbers of sections that a text such as "1, 3 to 5 and 8" names, as strings."""
    found = []
    for first, last in re.findall(r"(\d+)(?: to (\d+))?", text):
        found += map(str, range(int(first), int(last or first) + 1))
    return found


def minutes(notebook):
    return notebook["metadata"]["course"]["reading_minutes"]


# ---- Without code


def read_only(notebook, named, moved):
    """Minutes for the title, the sections `named` and the explorers of the sections `moved`, without code and calculus.

    200 words a minute, in the text and in the sentences that cells show; 1.5 minutes a question, 4 an explorer.
    """
    found = sections(notebook)
    total = 4 * sum(len(notebooks.EXPLORER.findall(part)) for at in moved for _, part in found[at])
    for cell, part in (pair for at in ["", *named] for pair in found[at]):
        if cell["cell_type"] == "markdown":
            text = re.sub(
                r"<details><summary>For readers with .*?</details>|^##+ References.*", "", part, flags=re.DOTALL | re.M
            )
        else:
            shown = [output.get("data", {}).get("text/markdown", "") for output in cell["outputs"]]
            text = "\n".join(map("".join, shown))
            total += 1.5 * len(notebooks.QUESTION.findall(part)) + 4 * len(notebooks.EXPLORER.findall(part))
        total += len(text.split()) / 200
    return max(5, 5 * round(total / 5))


def path_without_code(notebook):
    """(what the first table says, the sections it names, those of which it names the explorers, its minutes)."""
    row = re.search(r"^\| Without code \| ((.+): (\d+) minutes) \|$", "\n".join(map(source, notebook["cells"])), re.M)
    if row is None:
        return None
    named, _, moved = row[2].partition(", and the explorer")
    words = [at for at in sections(notebook) if at and any(f"the {w}" in named for w in at.lower().split())]
    return row[1], numbers(named) + [at for at in words if not at.isdigit()], numbers(moved), int(row[3])


@pytest.mark.parametrize("number", LESSONS)
def test_the_path_without_code_names_sections_that_are_there_and_adds_up(number):
    notebook = NOTEBOOKS[number]
    path = path_without_code(notebook)
    assert path, "the first table has no row | Without code | sections … and the summary: … minutes |"
    _, named, moved, stated = path
    assert {*named, *moved} <= sections(notebook).keys() and "Summary" in named
    assert not set(named) & set(moved), "explorers of the sections to read count anyway"
    adds_up = read_only(notebook, named, moved)
    assert stated == adds_up, f"the first table states {stated} minutes, and it is {adds_up}"


def test_one_page_lists_the_whole_path_without_code():
    page = document("without_code.md")
    rows = re.findall(r"^\| \[(\d\d)\]\(\.\./notebooks/(\S+)\) .+? \| (.+) \| (\d+) \|$", page, re.MULTILINE)
    paths = {number: path_without_code(NOTEBOOKS[number]) for number in LESSONS}
    owed = [(n, LESSONS[n].name, row.rpartition(":")[0], str(stated)) for n, (row, _, _, stated) in paths.items()]
    assert rows == owed
    for chosen, sentence in (
        (paths, "Together these are {} minutes"),
        (("05", "10", "11"), "**Only {} minutes?** Take 05, 10 and 11"),
    ):
        sentence = sentence.format(sum(paths[number][3] for number in chosen))
        assert sentence in page, f"the page should say {sentence!r}"


def test_a_term_of_the_path_without_code_is_explained_on_it():
    """A reader who skips the code meets no word of the glossary before the path has explained it."""
    known = {term.lower() for term in re.findall(r"\*\*(.+?)\*\*", document("without_code.md"), re.MULTILINE)}
    terms, problems = pages.terms({LESSONS[n].name: NOTEBOOKS[n] for n in LESSONS}), []
    for number in LESSONS:
        _, named, _, _ = path_without_code(NOTEBOOKS[number])
        found = sections(NOTEBOOKS[number])
        text = "\n".join(part for at in named for cell, part in found[at] if cell["cell_type"] == "markdown")
        known |= {bold.lower() for bold in pages.BOLD.findall(" ".join(text.split()))}
        for term, ((name, *_), *_) in terms.items():
            if name[:2] <= number and term.lower() not in known | PLAIN and term_in(term, text):
                problems.append(f"{number}: {term}, explained in {name}")
    assert not problems, "\n".join(problems)


# ---- Glossary

# Words that the course uses in their everyday meaning, too.
PLAIN = {"false alarms", "reporting standards"}
PLAIN |= set(
    "body card channels early energy generator head last normal padded release standardised state test training translation weighted".split()
)
# "(lesson 08)", "10 (evaluation)", "| 08 Training well"
LATER = re.compile(r"[Ll]essons? \[?\d\d|\b\d\d \(|\| \d\d [A-Z]")


def term_in(term, text):
    """The first sentence of `text` that uses the term without saying in which lesson it comes, or None."""
    text = re.sub(
        r"<details><summary>For readers with .*?</details>|`[^`]*`|\*[^*\n]+→[^*]+\*", "", text, flags=re.DOTALL
    )
    text = re.split(r"^##+ References", text, flags=re.MULTILINE)[0]
    for paragraph in re.split(r"\n\s*\n|\n(?=[-#|] ?)", text):
        for sentence in re.split(r"(?<=[.!?:]) +(?=[A-Z*$“(])", " ".join(paragraph.split())):
            if re.search(rf"(?<![\w-]){re.escape(term)}s?(?![\w-])", sentence, re.I) and not LATER.search(sentence):
                return sentence
    return None


def early_uses(lessons):
    """Sentences of `lessons` ({file name: notebook}) that use a term of the glossary before the lesson that explains it."""
    for term, ((first, *_), *_) in pages.terms(lessons).items():
        for name, notebook in lessons.items():
            if name < first and term.lower() not in PLAIN:
                text = "\n\n".join(source(cell) for cell in notebook["cells"] if cell["cell_type"] == "markdown")
                if sentence := term_in(term, text):
                    yield f"{name[:2]} says {term!r}, which {first[:2]} explains: {sentence}"


def test_no_term_is_used_before_its_lesson():
    problems = list(early_uses({path.name: NOTEBOOKS[number] for number, path in LESSONS.items()}))
    assert not problems, "explain it there (in bold letters, tag `term`), or add (lesson NN):\n" + "\n".join(problems)


def test_an_early_use_is_seen():
    def lesson(*texts, tags=()):
        cells = [{"cell_type": "markdown", "metadata": {"tags": list(tags)}, "source": text} for text in texts]
        return {"cells": [{"cell_type": "markdown", "metadata": {}, "source": "# 01 · A"}, *cells]}

    def uses(text):
        return list(
            early_uses({"01_a.ipynb": lesson(text), "02_b.ipynb": lesson("A **Brier score** is.", tags=["term"])})
        )

    assert uses("Two Brier scores differ.")[0].startswith("01 says 'Brier score', which 02 explains: Two")
    assert uses("Its Brier score is low. (Lesson 02 has more.)")
    for text in (
        "Its Brier score (lesson 02) is low.",
        "A `Brier score` is code.",
        "A Brier scorer.",
        "<details><summary>For readers with calculus</summary>The Brier score.</details>",
        "## References\n- G. Brier: the Brier score",
    ):
        assert not uses(text)


# ---- The article


def article():
    """Rows of docs/article.md: (section of the article, numbers of the lessons, what fails when it is wrong)."""
    rows = re.findall(r"^\| ([\d.]+) \| .+ \| ([\d, ]+) \| (.+) \|$", document("article.md"), re.MULTILINE)
    return [(section, lessons.split(", "), checks) for section, lessons, checks in rows]


@pytest.mark.parametrize(("section", "lessons", "checks"), article())
def test_each_point_of_the_article_stands_in_its_lessons_table(section, lessons, checks):
    for number in lessons:
        (table,) = [cell for cell in NOTEBOOKS[number]["cells"] if "claims.found(" in source(cell)]
        assert re.search(rf"\([^)]*{re.escape(section)}\b[^)]*\)", source(table)), f"{number} does not find §{section}"
    named = re.findall(r"`([^`]+)`", checks)
    assert named or "cited" in checks, "name an exercise `topic.name` or a test `tests/file.py::name`"
    for name in named:
        if "::" in name:
            path, _, test = name.partition("::")
            assert f"def {test}(" in (ROOT / path).read_text(encoding="utf-8"), f"{name} is not there"
        else:
            topic, _, exercise = name.partition(".")
            assert topic in [LESSONS[number].stem[3:] for number in lessons]
            module = importlib.import_module(f"course_lib.lessons.{topic}.exercises")
            assert isinstance(getattr(module, exercise, None), Coding | Choice), f"{name} is no exercise"


def test_every_point_of_the_article_is_listed():
    listed = [section for section, *_ in article()]
    assert listed == sorted(listed, key=lambda section: [*map(int, section.split("."))])
    wanted = "1.1 1.2 2.1 2.1.3 2.2 2.3 3.1.1 3.1.2 3.1.3 3.1.4 3.2.1 3.2.2 3.2.3 4.1 4.2 4.3 5.1".split()
    assert sorted({*listed}) == sorted(wanted)


# ---- The teaching guide


def shares(notebook):
    """Minutes of (reading, exercises and questions, explorers) of a lesson, as `notebooks.reading_minutes` adds them up."""
    text = [source(cell) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    exercises = sum(5 * len(notebooks.CODING.findall(t)) + 1.5 * len(notebooks.QUESTION.findall(t)) for t in text)
    explorers = sum(4 * len(notebooks.EXPLORER.findall(t)) for t in text)
    empty = {"cells": [cell for cell in notebook["cells"] if cell["cell_type"] == "markdown"], "metadata": {}}
    words = sum(len(source(cell).split()) for cell in empty["cells"]) / 200
    shown = [
        c
        for c in notebook["cells"]
        if c["cell_type"] == "code" and not c["metadata"].get("jupyter", {}).get("source_hidden")
    ]
    code = sum(bool(line.strip()) for cell in shown for line in source(cell).splitlines()) / 10
    return words + code, exercises, explorers


def guide():
    """{number of a lesson: (title, its section of docs/lessons.md)}."""
    parts = re.split(r"^## (\d\d) · (.+)\n", document("lessons.md"), flags=re.MULTILINE)[1:]
    return {number: (title, text) for number, title, text in zip(parts[::3], parts[1::3], parts[2::3], strict=True)}


def test_the_guide_has_a_section_for_every_lesson():
    assert list(guide()) == list(LESSONS)
    for number, (title, _) in guide().items():
        assert pages.title(NOTEBOOKS[number]) == f"{number} · {title}"


@pytest.mark.parametrize("number", LESSONS)
def test_the_guide_names_what_is_in_the_lesson(number):
    notebook, (_, text) = NOTEBOOKS[number], guide()[number]
    own = re.sub(r"lessons? \d\d[^.;]*?sections? \d+|[Ss]ections? [\d, to and]+ of (?:lesson )?\d\d", "", text)
    for at in [at for named in re.findall(r"[Ss]ections? ((?:\d+(?:, | and | to )?)+)", own) for at in numbers(named)]:
        assert at in sections(notebook), f"the guide names section {at} of lesson {number}"
    module = importlib.import_module(f"course_lib.lessons.{LESSONS[number].stem[3:]}.exercises")
    for name in re.findall(r"`(\w+)`", own):
        assert isinstance(getattr(module, name, None), Coding | Choice), f"{name} is no exercise of lesson {number}"


def first_line(notebook):
    """How a lesson's section of the guide begins."""
    reading, exercises, explorers = map(round, shares(notebook))
    course = notebook["metadata"]["course"]
    return (
        f"**{course['reading_minutes']} minutes**: {reading} to read, {exercises} for the exercises and questions, "
        f"{explorers} with the explorers; the cells run in less than {course['run_seconds']} seconds."
    )


@pytest.mark.parametrize("number", LESSONS)
def test_the_guides_minutes_and_predictions_are_the_lessons(number):
    notebook, (_, text) = NOTEBOOKS[number], guide()[number]
    assert text.strip().startswith(first_line(notebook)), "run `python tests/test_guide.py`"
    asked = [at for at, parts in sections(notebook).items() if any("**Predict" in part for _, part in parts)]
    told = re.search(r"\*\*Predictions\*\* stand in sections? ([\d, and]+)", text)
    assert told and numbers(told[1]) == asked, f"predictions stand in sections {asked}"


def schedules():
    """{heading: rows} of the tables of docs/teaching.md whose rows begin with a week or a day, a list of lessons and minutes."""
    found = {}
    for part in re.split(r"^### ", document("teaching.md"), flags=re.MULTILINE)[1:]:
        rows = re.findall(r"^\| ([\w ]+) \| (\d\d(?:, \d\d)*) \| (\d+) \| (.+) \| (.+) \|$", part, re.MULTILINE)
        if rows:
            found[part.partition("\n")[0]] = rows
    return found


def test_schedules_add_up_and_name_sections_that_are_there():
    found = schedules()
    assert {name.partition(":")[0] for name in found} == {"14 weeks", "12 weeks", "6 weeks", "Two days"}
    for name, rows in found.items():
        for when, lessons, stated, in_class, at_home in rows:
            total = sum(minutes(NOTEBOOKS[number]) for number in lessons.split(", "))
            assert int(stated) == total, f"{name}, {when}: {lessons} take {total} minutes"
            if when.isdigit():
                assert at_home.startswith(f"{max(0, total - COVERED)}: "), (
                    f"{name}, {when}: {total - COVERED} minutes are left"
                )
            for number, named in re.findall(r"(\d\d), sections? ((?:\d+(?:, | and | to )?)+)", in_class):
                assert number in lessons.split(", ")
                assert {*numbers(named)} <= sections(NOTEBOOKS[number]).keys(), f"{name}, {when}: {number}, {named}"
    longest = next(rows for name, rows in found.items() if name.startswith("14 weeks"))
    assert ", ".join(row[1] for row in longest).split(", ") == list(LESSONS), (
        "14 weeks hold every lesson once, in order"
    )


# ---- Numbers


def write_numbers():
    """Write into docs/ what the tests above compare. What stands in notebooks is left alone."""
    text = document("lessons.md")
    for number, notebook in NOTEBOOKS.items():
        text = re.sub(
            rf"(^## {number} · .+\n\n)(?:(?:\*\*\d+ minutes|MINUTES).*\n\n)?",
            rf"\g<1>{first_line(notebook)}\n\n",
            text,
            flags=re.M,
        )
    (ROOT / "docs" / "lessons.md").write_text(text, encoding="utf-8", newline="\n")

    text, paths = document("without_code.md"), {number: path_without_code(NOTEBOOKS[number]) for number in LESSONS}
    rows = [
        f"| [{n}](../notebooks/{LESSONS[n].name}) {pages.title(NOTEBOOKS[n])[5:]} | {row.rpartition(':')[0]} | {stated} |"
        for n, (row, _, _, stated) in paths.items()
    ]
    text = re.sub(r"(?<=\|---\|---\|---\|\n)(?:\|.*\n)+", "\n".join(rows) + "\n", text)
    for before, chosen in (("Together these are ", paths), (r"\*\*Only ", ("05", "10", "11"))):
        text = re.sub(rf"({before})\d+", rf"\g<1>{sum(paths[number][3] for number in chosen)}", text)
    (ROOT / "docs" / "without_code.md").write_text(text, encoding="utf-8", newline="\n")

    def counted(row):
        total = sum(minutes(NOTEBOOKS[number]) for number in row[2].split(", "))
        at_home = re.sub(r"^\d+(?=: )", str(max(0, total - COVERED)), row[5])
        return f"| {row[1]} | {row[2]} | {total} | {row[4]} | {at_home} |"

    text = re.sub(
        r"^\| ([\w ]+) \| (\d\d(?:, \d\d)*) \| (\w+) \| (.+) \| (.+) \|$", counted, document("teaching.md"), flags=re.M
    )
    (ROOT / "docs" / "teaching.md").write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    write_numbers()
