"""Start a lesson from the template: `python -m course_lib.tools.new_lesson segmentation`, or `course.py new segmentation`.

Copies template/ to course_lib/lessons/<topic>/, tests/lessons/ and notebooks/ under the next free number, adds a row to
the README, makes the stored runs and the notebook's outputs. What is there already is never overwritten.
"""

import argparse
import re
import subprocess
import sys
from pathlib import Path

import jupytext
import nbformat

from course_lib import ROOT
from course_lib.tools import anywhere

TEMPLATE = Path(__file__).resolve().parent / "template"
BUDGET = {"reading_minutes": 25, "run_seconds": 20, "peak_memory_mb": 500}


def files(topic: str, root: Path = ROOT) -> dict[Path, str]:
    """The new lesson's files and their texts. Raises ValueError for a name that is taken or no Python name."""
    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", topic):
        raise ValueError(f"{topic!r} cannot be a topic: use small letters, digits and single _, such as heart_sounds.")
    notebooks = sorted((root / "notebooks").glob("[0-9][0-9]_*.ipynb"))
    folder = root / "course_lib" / "lessons" / topic
    test = root / "tests" / "lessons" / f"test_{topic}.py"
    if folder.exists() or test.exists() or topic in [path.stem[3:] for path in notebooks]:
        raise ValueError(f"There is a lesson called {topic} already: choose another name.")
    number = f"{max(int(path.name[:2]) for path in notebooks) + 1:02}"
    words = {
        "TOPIC_NAME": topic,
        "TITLE": topic.replace("_", " ").capitalize(),
        "NUMBER": number,
        "MINUTES": str(BUDGET["reading_minutes"]),
        "SECONDS": str(BUDGET["run_seconds"]),
        "FIRST_CELL": anywhere.first_cell(),
    }

    def filled(name):
        text = (TEMPLATE / f"{name}.template").read_text(encoding="utf-8")
        return re.sub("|".join(words), lambda word: words[word[0]], text)

    found = {folder / f"{name}.py": filled(f"{name}.py") for name in ("exercises", "explorers", "model", "experiment")}
    found[folder / "__init__.py"] = ""
    found[test] = filled("test_lesson.py")
    notebook = jupytext.reads(filled("lesson.py"), "py:percent")
    for place, cell in enumerate(notebook.cells):
        cell.id = f"{topic}-{place}"
    notebook.metadata = {"course": BUDGET, "language_info": {"name": "python"}}  # ruff leaves out other languages
    found[root / "notebooks" / f"{number}_{topic}.ipynb"] = nbformat.writes(notebook) + "\n"
    return found


def add_to_readme(text: str, name: str) -> str:
    """The README's text with a row for the notebook called `name` behind the last one."""
    rows = list(re.finditer(r"^\| \[\d\d\]\(notebooks/.*\n", text, re.MULTILINE))
    row = f"| [{name[:2]}](notebooks/{name}) | {name[3:-6].replace('_', ' ').capitalize()} | The question? | simulated |\n"
    return text[: rows[-1].end()] + row + text[rows[-1].end() :]


def main(arguments: list[str] | None = None) -> str | int:
    """Make the lesson of the command line. Returns 0, or what is wrong."""
    parser = argparse.ArgumentParser(prog="course.py new", description=__doc__.splitlines()[0])
    parser.add_argument("topic")
    topic = parser.parse_args(arguments).topic
    try:
        made = files(topic)
    except ValueError as error:
        return str(error)
    for path, text in made.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
    notebook = next(path for path in made if path.suffix == ".ipynb")
    readme = ROOT / "README.md"
    readme.write_text(add_to_readme(readme.read_text(encoding="utf-8"), notebook.name), encoding="utf-8", newline="\n")
    experiment, python = f"course_lib.lessons.{topic}.experiment", [sys.executable, "-m"]
    for command in (
        [*python, "ruff", "check", "--fix", "--quiet", *map(str, made)],  # a topic's name decides the order of imports
        [*python, "ruff", "format", "--quiet", *map(str, made)],
        [*python, experiment],
        [*python, experiment, "--quick"],
        [*python, "course_lib.tools.run_notebooks", notebook.name[:2], "--save"],
        [*python, "course_lib.tools.anywhere"],
    ):
        subprocess.run(command, cwd=ROOT, check=True)
    print("The new lesson stands in:", *(path.relative_to(ROOT).as_posix() for path in made), sep="\n  ")
    return 0


if __name__ == "__main__":
    sys.exit(main())
