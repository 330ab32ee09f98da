"""A lesson is one room: no code stands twice, notebooks take from the library what is meant for them, sizes are kept."""

import ast
import io
import itertools
import json
import re
import tokenize

import pytest

from course_lib import ROOT
from course_lib.tools import notebooks

BLOCK = 10  # so many equal lines are a copy
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PRIVATE = {"__init__", "exercises", "explorers", "experiment"}  # modules of a lesson that no cell may repeat


# No block of ten equal lines stands in two files.


def lines_that_count(source):
    """(line number, text) of all lines of code but blank ones, comments and imports; text without indentation."""
    left_out = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            left_out |= set(range(node.lineno, node.end_lineno + 1))
    lines = source.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    return [(n, line.strip()) for n, line in enumerate(lines, 1) if line.strip() and n not in left_out]


def shared_definitions(notebook):
    """Names that a notebook's cells and a module of its lesson both define, with both sources; no exercise to fill in."""
    cells = notebooks.definitions("\n".join(notebooks.code_cells(notebook)))
    cells = {name: source for name, source in cells.items() if not re.search(r"^    return \.\.\.", source, re.M)}
    lesson = notebook.parent.parent / "course_lib" / "lessons" / notebook.stem[3:]
    for module in sorted(lesson.glob("*.py")):
        if module.stem not in PRIVATE:
            there = notebooks.definitions(module.read_text(encoding="utf-8"))
            for name in sorted(cells.keys() & there.keys()):
                yield f"{module.stem}.{name}", cells[name], there[name]


def code_of_cells(notebook):
    """The code of a notebook without the definitions that are tied to a module of its lesson."""
    source = "\n".join(notebooks.code_cells(notebook))
    for _, cell, _ in shared_definitions(notebook):
        source = source.replace(cell, "\n" * cell.count("\n"))
    return source


def equal_blocks(sources):
    """(file, line, file, line, number of lines) of all blocks of at least ten equal lines; `sources` is name -> code."""
    lines = {name: lines_that_count(source) for name, source in sources.items()}
    places = {}
    for name, numbered in lines.items():
        for start in range(len(numbered) - BLOCK + 1):
            key = "\n".join(text for _, text in numbered[start : start + BLOCK])
            places.setdefault(key, []).append((name, start))
    pairs = {
        (one, other)
        for found in places.values()
        for one, other in itertools.combinations(found, 2)
        if one[0] != other[0]
    }
    for one, other in sorted(pairs):
        if ((one[0], one[1] - 1), (other[0], other[1] - 1)) in pairs:
            continue  # the same block, begun further up
        length = BLOCK
        while ((one[0], one[1] + length - BLOCK + 1), (other[0], other[1] + length - BLOCK + 1)) in pairs:
            length += 1
        yield one[0], lines[one[0]][one[1]][0], other[0], lines[other[0]][other[1]][0], length


def all_sources(root):
    """Name -> code of all that is written by hand: the notebooks' cells, the library, the tests."""
    files = [*(root / "course_lib").rglob("*.py"), *(root / "tests").rglob("*.py")]
    sources = {path.relative_to(root).as_posix(): path.read_text(encoding="utf-8") for path in sorted(files)}
    for path in sorted((root / "notebooks").glob("*.ipynb")):
        sources[path.relative_to(root).as_posix()] = code_of_cells(path)
    return sources


def test_no_block_of_ten_lines_stands_in_two_files():
    copies = [f"{a}:{i} = {b}:{j} ({n} lines)" for a, i, b, j, n in equal_blocks(all_sources(ROOT))]
    assert not copies, "equal code in two files, put it into the lesson's model.py:\n" + "\n".join(copies)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_cell_and_its_copy_in_the_lessons_modules_are_the_same_code(notebook):
    differ = [
        name for name, cell, there in shared_definitions(notebook) if notebooks.bare(cell) != notebooks.bare(there)
    ]
    assert not differ, f"{notebook.name} and its lesson define these differently: {', '.join(differ)}"


def write_notebook(path, *cells):
    path.parent.mkdir(parents=True, exist_ok=True)
    cells = [{"cell_type": "code", "source": cell.splitlines(keepends=True)} for cell in cells]
    path.write_text(json.dumps({"cells": cells}), encoding="utf-8")
    return path


def function(name, *, lines=BLOCK, indent=""):
    body = [f"def {name}(x):", *[f"    x = x + {n}" for n in range(lines - 2)], "    return x"]
    return "\n".join(indent + line for line in body) + "\n"


def test_a_copied_block_is_found_and_a_shorter_one_is_not(tmp_path):
    ten, nine = function("ten"), function("nine", lines=9)
    one = "import os\n\n\n" + ten + nine
    other = (
        "class C:\n"
        + function("ten", indent="    ").replace(" + 3", " + 3  # three\n\n    # a comment\n")
        + "z = 1\n"
        + nine
    )
    assert list(equal_blocks({"a.py": one, "b.py": other})) == [("a.py", 4, "b.py", 2, 10)]
    assert not list(equal_blocks({"a.py": one, "b.py": other.replace("+ 5", "+ 6")}))
    imports = "\n".join(["from os import (", *"a,b,c,d,e,f,g,h,i,".replace(",", ",\n").split(), ")"])
    assert not list(equal_blocks({"a.py": imports, "b.py": imports}))


def test_a_copy_is_found_in_every_kind_of_file_and_only_the_lessons_own_module_may_hold_a_cell(tmp_path):
    lessons = tmp_path / "course_lib" / "lessons"
    notebook = write_notebook(tmp_path / "notebooks" / "01_topic.ipynb", "x = 1", function("f") + "y = f(1)")
    for place in ["topic/model", "topic/experiment", "other/model"]:
        copy = lessons / f"{place}.py"
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(function("f"))
        found = list(equal_blocks(all_sources(tmp_path)))
        copy.unlink()
        assert bool(found) == (place != "topic/model"), place
    (lessons / "topic" / "model.py").write_text('"""A model."""\n\n' + function("f"))
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_topic.py").write_text(function("f"))
    (found,) = equal_blocks(all_sources(tmp_path))  # the cell's copy counts once, in the model
    assert found == ("course_lib/lessons/topic/model.py", 3, "tests/test_topic.py", 1, 10)
    assert [name for name, _, _ in shared_definitions(notebook)] == ["model.f"]


# The tie between a cell and its copy.


def documented(x: int = 1) -> int:
    """Doubles."""
    y: int = 2 * x  # twice
    return y


DOCUMENTED = "import functools\n@functools.cache\ndef documented(x=1):\n    y = 2 * x\n    return y\n"


def test_same_code_leaves_out_what_does_not_run_and_nothing_else(tmp_path):
    path = write_notebook(tmp_path / "00_x.ipynb", "def documented(x): return ...", "z = 1\n" + DOCUMENTED)
    assert notebooks.code_of(path, "documented") == DOCUMENTED.partition("\n")[2].strip()
    assert notebooks.same_code(path, "documented", documented)
    for old, new in [("x=1", "x=2"), ("2 * x", "x * 2"), ("return y", "return x"), ("documented(", "other(")]:
        write_notebook(path, DOCUMENTED.replace(old, new) + "\ndef documented_(x): pass")
        name = "other" if new == "other(" else "documented"
        assert not notebooks.same_code(path, name, documented)
    with pytest.raises(ValueError, match="00_x.ipynb defines a function or class 'missing'; defined are: documented_"):
        notebooks.code_of(path, "missing")


def test_a_cell_that_differs_from_the_lessons_copy_is_seen(tmp_path):
    notebook = write_notebook(
        tmp_path / "notebooks" / "01_topic.ipynb", function("f"), "def g(x):\n    return ...  # you"
    )
    model = tmp_path / "course_lib" / "lessons" / "topic" / "model.py"
    model.parent.mkdir(parents=True)
    model.write_text(function("f").replace("+ 3", "+ 4") + function("g"))
    test = test_a_cell_and_its_copy_in_the_lessons_modules_are_the_same_code
    with pytest.raises(AssertionError, match="differently: model.f\n"):
        test(notebook)
    model.write_text(function("f"))
    test(notebook)


# Notebooks take from explorers only what they show, answers from nobody, stored runs from course_lib.results.


def loans(cells):
    """What the code `cells` of a notebook take that is not theirs, as sentences."""
    for n, cell in enumerate(cells, 1):
        tree = ast.parse(cell)
        shown, keys = set(), set()
        for node in ast.walk(tree):
            if re.fullmatch(r"explorers\.\w+\(\)\.show\(\)", ast.unparse(node)) and isinstance(node, ast.Call):
                shown |= {id(inner) for inner in ast.walk(node)}
            if isinstance(node, ast.Subscript):
                keys.add(id(node.slice))
        for node in ast.walk(tree):
            if isinstance(node, ast.Name) and node.id == "explorers" and id(node) not in shown:
                yield f"code cell {n} takes something from explorers; only `explorers.NAME().show()` is theirs to give"
            if isinstance(node, ast.ImportFrom) and (node.module or "").endswith(".explorers"):
                yield f"code cell {n} imports from explorers; only `explorers.NAME().show()` is theirs to give"
            if isinstance(node, ast.Attribute) and node.attr == "reference":
                yield f"code cell {n} uses an answer: `{ast.unparse(node)}`; go on with what `check` returns"
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in keys:
                if re.search(r"lessons/\w|\bresults/|^/?results$", node.value):
                    yield f"code cell {n} names a path of stored runs, {node.value[:80]!r}; read them by course_lib.results"


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_takes_only_what_is_meant_for_it(notebook):
    problems = list(loans(notebooks.code_cells(notebook)))
    assert not problems, f"{notebook.name}:\n" + "\n".join(problems)


@pytest.mark.parametrize(
    "fault",
    [
        "x = explorers.KERNELS",
        "explorers.values(explorers.depth().show())",
        "depth = explorers.depth()\ndepth.show()",
        "explorers.depth(3).show()",
        "show = explorers",
        "from course_lib.lessons.convolution.explorers import KERNELS",
        "best = exercises.best_epoch.reference(history)",
        "first = convolution.receptive_field.reference",
        'x = json.loads((ROOT / "course_lib/lessons/gan/results/gan.json").read_text())',
        'x = ROOT / f"course_lib/lessons/{topic}/results"',
        'x = Path(HERE, "results", "gan.json")',
        'x = HERE / "results" / "gan.json"',
    ],
)
def test_a_notebook_that_takes_more_is_seen(fault):
    good = [
        "from course_lib.lessons.gan import exercises, explorers",
        'x = document["results"]',
        "explorers.depth().show()",
    ]
    assert not list(loans(good))
    assert list(loans([*good, fault]))


# A lesson is one folder, and small.

# The library was meant to have 6,000 lines. To read what hospitals write (polarity, padding, lookup tables, frames, series,
# damaged headers) and to take nothing from a file that its pixels need took 700 more in imaging/; larger sets
# of simulated patients, and pictures that are sharp on every screen, took the rest up to 6,850. Own folders and tables of
# images took 350 more (data/folder.py: four kinds of file, whose each image is, what is left out and why), of which 200 came
# back: what one lesson alone needs stands in that lesson, and what is known of the samples in a table. Hearts that are related to
# each other as patients' are, and each of which has an anatomy of its own, took 75, and recurrent networks by hand 95. Nothing else may grow.
# The tools were meant to have 1,200 lines. To run what nobody has read, and to mark it where it cannot reach, takes 1,000 more;
# a book, with its pages and its checks, and slides 320; to read and show a hand-in of the capstone 120; to open anywhere and to
# pack for a room without a network 350.
MEGABYTES, LESSON_LINES, LIBRARY_LINES, TOOLS_LINES = 2, 1200, 7210, 2990
# A page that takes files from strangers has a check and a sentence for each way in which a file or a release can be wrong.
MORE_LINES = {"in_use": 1400}


def count_lines(paths):
    return sum(len(path.read_text(encoding="utf-8").splitlines()) for path in paths)


def lesson_problems(root, topic):
    """What is missing in the lesson `topic`, or too much."""
    folder = root / "course_lib" / "lessons" / topic
    for name in ["__init__.py", "exercises.py", "explorers.py"]:
        if not (folder / name).exists():
            yield f"course_lib/lessons/{topic}/{name} is missing"
    if len(list((root / "notebooks").glob(f"[0-9][0-9]_{topic}.ipynb"))) != 1:
        yield f"there is not one notebook NN_{topic}.ipynb"
    if not (root / "tests" / "lessons" / f"test_{topic}.py").exists():
        yield f"tests/lessons/test_{topic}.py is missing"
    results = [path for path in (folder / "results").rglob("*") if path.is_file()]
    if results and not (folder / "experiment.py").exists():
        yield f"{topic} has results but no experiment.py that makes them"
    size = sum(path.stat().st_size for path in results) / 1e6
    if size > MEGABYTES:
        yield f"the results of {topic} are {size:.1f} MB, allowed are {MEGABYTES}"
    lines = count_lines(folder.rglob("*.py"))
    if lines > (allowed := MORE_LINES.get(topic, LESSON_LINES)):
        yield f"the modules of {topic} have {lines} lines, allowed are {allowed}"


def topics(root):
    """All lessons: those with a folder, a notebook or a test, so that none is half there."""
    folders = [path.name for path in (root / "course_lib" / "lessons").iterdir() if path.is_dir()]
    cells = [path.stem[3:] for path in (root / "notebooks").glob("*.ipynb")]
    tests = [path.stem.removeprefix("test_") for path in (root / "tests" / "lessons").glob("test_*.py")]
    return sorted({*folders, *cells, *tests} - {"__pycache__"})


@pytest.mark.parametrize("topic", topics(ROOT))
def test_a_lesson_is_one_small_folder(topic):
    problems = list(lesson_problems(ROOT, topic))
    assert not problems, "; ".join(problems)


def shared_library(root):
    """The modules of the library that serve all lessons, without the tools behind course.py, which no lesson reads."""
    library = root / "course_lib"
    return [p for p in library.rglob("*.py") if p.relative_to(library).parts[0] not in ("lessons", "tools")]


def library_problems(root):
    """What is too long in the library that serves all lessons."""
    tools = list((root / "course_lib" / "tools").rglob("*.py"))
    for name, paths, allowed in [
        ("course_lib without lessons/ and tools/", shared_library(root), LIBRARY_LINES),
        ("course_lib/tools", tools, TOOLS_LINES),
    ]:
        if (lines := count_lines(paths)) > allowed:
            yield f"{name} has {lines} lines, allowed are {allowed}"


def test_the_shared_library_stays_small():
    problems = list(library_problems(ROOT))
    assert not problems, "; ".join(problems)


def test_a_library_that_is_too_long_is_seen(tmp_path):
    library = tmp_path / "course_lib"
    for folder, lines in [("exercises", LIBRARY_LINES), ("tools", TOOLS_LINES), ("lessons/topic", 9000)]:
        (library / folder).mkdir(parents=True)
        (library / folder / "long.py").write_text("x = 1\n" * lines)
    assert not list(library_problems(tmp_path))
    (library / "tools" / "more.py").write_text("x = 1\n")
    assert list(library_problems(tmp_path)) == [
        f"course_lib/tools has {TOOLS_LINES + 1} lines, allowed are {TOOLS_LINES}"
    ]
    (library / "more.py").write_text("x = 1\n")
    assert f"has {LIBRARY_LINES + 1} lines, allowed are {LIBRARY_LINES}" in next(library_problems(tmp_path))


def build_lesson(root):
    """A lesson `topic` that keeps all rules. Returns its folder."""
    folder = root / "course_lib" / "lessons" / "topic"
    (folder / "results").mkdir(parents=True)
    for name in ["__init__", "exercises", "explorers", "experiment", "model"]:
        (folder / f"{name}.py").write_text("x = 1\n" * 240)
    (folder / "results" / "runs.json").write_bytes(b" " * 2_000_000)
    write_notebook(root / "notebooks" / "01_topic.ipynb")
    (root / "tests" / "lessons").mkdir(parents=True)
    (root / "tests" / "lessons" / "test_topic.py").write_text("")
    return folder


@pytest.mark.parametrize(
    "fault",
    [
        lambda root, folder: (folder / "exercises.py").unlink(),
        lambda root, folder: (folder / "explorers.py").unlink(),
        lambda root, folder: (folder / "__init__.py").unlink(),
        lambda root, folder: (folder / "experiment.py").unlink(),
        lambda root, folder: (folder / "model.py").write_text("x = 1\n" * 241),
        lambda root, folder: (folder / "results" / "more.json").write_text("1"),
        lambda root, folder: (root / "notebooks" / "01_topic.ipynb").unlink(),
        lambda root, folder: write_notebook(root / "notebooks" / "02_topic.ipynb"),
        lambda root, folder: (root / "tests" / "lessons" / "test_topic.py").unlink(),
    ],
)
def test_a_lesson_with_a_fault_is_seen(tmp_path, fault):
    folder = build_lesson(tmp_path)
    assert topics(tmp_path) == ["topic"] and not list(lesson_problems(tmp_path, "topic"))
    assert len(shared_library(ROOT)) > 20 and not shared_library(tmp_path)
    fault(tmp_path, folder)
    assert len(list(lesson_problems(tmp_path, "topic"))) == 1


def test_a_lesson_without_a_folder_is_seen(tmp_path):
    build_lesson(tmp_path)
    write_notebook(tmp_path / "notebooks" / "02_other.ipynb")
    assert topics(tmp_path) == ["other", "topic"] and len(list(lesson_problems(tmp_path, "other"))) == 4
