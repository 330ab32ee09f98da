"""Rules that every notebook keeps. Each is a function that lists what is wrong; each is tried on a broken notebook too."""

import copy
import importlib
import itertools
import json
import re
from pathlib import Path

import pytest

from course_lib import ROOT
from course_lib.exercises.engine import Choice, Coding
from course_lib.explorers import Explorer
from course_lib.tools.notebooks import reading_minutes

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SECONDS = {"00": 20, "01": 20, "02": 20, "03": 20, "04": 60, "05": 20, "12": 60, "17": 240, "18": 240}
MEGABYTES = 2500


def code_cells(notebook):
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def source(cell):
    return "".join(cell["source"])


def outputs(notebook):
    return [(n, output) for n, cell in enumerate(code_cells(notebook), 1) for output in cell["outputs"]]


def text_of(output):
    """All text of an output, without pictures."""
    parts = [output.get("text", ""), *[v for mime, v in output.get("data", {}).items() if mime.startswith("text/")]]
    return "\n".join("".join(part) for part in parts).strip()


def tags(cell):
    return cell["metadata"].get("tags", [])


def number(name):
    return name[:2]


def topic(name):
    return name[3:].removesuffix(".ipynb")


def name_is_numbered(name, notebook):
    if not re.fullmatch(r"\d\d_[a-z0-9_]+\.ipynb", name):
        yield f"{name} should be named like 01_convolution.ipynb"


def outputs_are_of_one_clean_run(name, notebook):
    counts = [cell["execution_count"] for cell in code_cells(notebook)]
    if counts != list(range(1, len(counts) + 1)):
        yield f"execution counts are {counts}: run `course.py run {number(name)} --save`"


def nothing_failed(name, notebook):
    for n, output in outputs(notebook):
        if output["output_type"] == "error" or output.get("name") == "stderr":
            yield f"code cell {n} stores an error or a warning: {text_of(output)[:200]}"


def cells_have_stable_ids(name, notebook):
    ids = [cell.get("id", "") for cell in notebook["cells"]]
    if len(set(ids)) < len(ids) or not all(re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", i) for i in ids):
        yield "cell ids are missing, double or ill-formed: edit with `jupytext --update`"


def no_path_of_the_authors_machine(name, notebook):
    pattern = r"/home/|/root/|/tmp/|/work/|/Users/|[A-Z]:\\\\|site-packages"
    texts = [(n, text_of(output)) for n, output in outputs(notebook)]
    texts += [(n, source(cell)) for n, cell in enumerate(code_cells(notebook), 1)]
    for n, text in texts:
        if found := re.search(pattern, text):
            yield f"code cell {n} holds a path of somebody's machine: {found.group()}"


def figures_have_alternative_text_and_caption(name, notebook):
    for n, cell in enumerate(code_cells(notebook), 1):
        for output, following in itertools.pairwise([*cell["outputs"], {}]):
            if "image/png" not in output.get("data", {}):
                continue
            if not output["metadata"].get("image/png", {}).get("alt", "").strip():
                yield f"code cell {n}: a figure without alternative text; use plot.show"
            if not text_of(following).startswith("**Figure.** "):
                yield f"code cell {n}: a figure without a caption; use plot.show"


def budget_is_stated_and_kept(name, notebook):
    course = notebook["metadata"].get("course", {})
    if set(course) != {"reading_minutes", "run_seconds", "peak_memory_mb"}:
        yield f"metadata `course` is {course}"
    elif course["run_seconds"] > SECONDS.get(number(name), 90) or course["peak_memory_mb"] > MEGABYTES:
        yield f"the budget {course} is over that of the design"


def diffs_stay_small(name, notebook):
    if "widgets" in notebook["metadata"]:
        yield "widget state is stored"
    if any("execution" in cell["metadata"] for cell in notebook["cells"]):
        yield "timing metadata is stored"


def short_enough_to_read(name, notebook):
    words = sum(len(source(cell).split()) for cell in notebook["cells"] if cell["cell_type"] == "markdown")
    shown = [cell for cell in code_cells(notebook) if not cell["metadata"].get("jupyter", {}).get("source_hidden")]
    lines = sum(len(source(cell).splitlines()) for cell in shown)
    if words > 3500:
        yield f"{words} words"
    if lines > 260:
        yield f"{lines} lines of code that are not folded away"
    for n, cell in enumerate(code_cells(notebook), 1):
        if len(source(cell).splitlines()) > 30:
            yield f"code cell {n} has more than 30 lines"


def times_are_computed(name, notebook):
    """What the title and the metadata promise is what words, lines, exercises and explorers add up to."""
    minutes = reading_minutes(notebook)
    stated = re.search(r"\| Time \| about (\d+) minutes", "".join(map(source, notebook["cells"])))
    found = (stated and int(stated[1]), notebook["metadata"].get("course", {}).get("reading_minutes"))
    if found != (minutes, minutes):
        yield f"title and metadata state {found} minutes; `tools.notebooks.reading_minutes` adds up to {minutes}"


def predictions_are_answered(name, notebook):
    """What a reader should have seen stands folded below the cell to move or to run."""
    cells = notebook["cells"]
    for n, cell in enumerate(cells):
        asks = cell["cell_type"] == "markdown" and "**Predict" in source(cell)
        following = "".join(source(below) for below in cells[n + 1 : n + 4] if below["cell_type"] == "markdown")
        if asks and "<summary>What you should have seen</summary>" not in following:
            yield f"no answer follows the prediction {source(cell)[:70]!r}"


def links_resolve(name, notebook):
    for cell in (cell for cell in notebook["cells"] if cell["cell_type"] == "markdown"):
        for target in re.findall(r"\]\(([^)#]+)\)", source(cell)):
            if not (target.startswith("https://") or (ROOT / "notebooks" / target).exists()):
                yield f"link to {target}, which does not exist"


def imports_stand_in_the_setup_cell(name, notebook):
    """The first cell, or the one behind the cell that makes a notebook run anywhere."""
    cells = [(n, cell) for n, cell in enumerate(code_cells(notebook), 1) if "anywhere" not in tags(cell)]
    for n, cell in cells[1:]:
        if re.search(r"^\s*(import|from) ", source(cell), re.MULTILINE):
            yield f"code cell {n} imports; the setup cell does that"


def exercises_are_untouched_and_complete(name, notebook):
    module = importlib.import_module(f"course_lib.lessons.{topic(name)}.exercises")
    offered = {key: value for key, value in vars(module).items() if isinstance(value, Coding | Choice)}
    all_code = "\n".join(source(cell) for cell in code_cells(notebook))
    used = set(re.findall(r"exercises\.(\w+)\.check\(", all_code))
    if used != set(offered):
        yield f"exercises of the notebook and of its module differ: {sorted(used ^ set(offered))}"
    for key, exercise in offered.items():
        # The lesson goes on with what `check` gives back: the student's function once it is right.
        starter = (
            rf"def {key}\([^)]*\):\n    return \.\.\.(.|\n)*^{key} = exercises\.{key}\.check\({key}\)$"
            if isinstance(exercise, Coding)
            else rf'^exercises\.{key}\.check\("…"\)$'
        )
        if key != exercise.name or exercise.topic != topic(name) or not re.search(starter, all_code, re.MULTILINE):
            yield f"exercise {key}: its name, its topic or its untouched starter is not right"
    kinds = [type(exercise) for exercise in offered.values()]
    if number(name) != "00" and (kinds.count(Coding) < 3 or kinds.count(Choice) < 2):
        yield "a lesson has at least three coding exercises and two understanding questions"


def options_have_replies(name, notebook):
    """The letters of a question in the text are those that its exercise replies to."""
    module = importlib.import_module(f"course_lib.lessons.{topic(name)}.exercises")
    for before, cell in itertools.pairwise(notebook["cells"]):
        asked = re.fullmatch(r'exercises\.(\w+)\.check\("…"\)', source(cell))
        if asked and isinstance(exercise := getattr(module, asked[1], None), Choice):
            letters = re.findall(r"^(?:- )?([a-z])\) ", source(before), re.MULTILINE)
            if letters != list(exercise.replies):
                yield f"question {asked[1]} offers {letters} and replies to {list(exercise.replies)}"


def explorers_are_shown(name, notebook):
    module = importlib.import_module(f"course_lib.lessons.{topic(name)}.explorers")
    offered = {
        key for key, value in vars(module).items() if getattr(value, "__annotations__", {}).get("return") is Explorer
    }
    shown = set(re.findall(r"explorers\.(\w+)\(\)\.show\(\)", "\n".join(map(source, code_cells(notebook)))))
    if not offered or shown != offered:
        yield f"explorers of the module: {sorted(offered)}; shown: {sorted(shown)}"
    for cell in code_cells(notebook):
        if ".show()" in source(cell) and "explorers." in source(cell):
            pictures = ["image/png" in output.get("data", {}) for output in cell["outputs"]]
            if pictures != [True, False]:  # `run --save` leaves the widget out: without a kernel it is an error message
                yield f"an explorer stores pictures {pictures}, not one still picture and its caption"


RULES = [
    name_is_numbered,
    outputs_are_of_one_clean_run,
    nothing_failed,
    cells_have_stable_ids,
    no_path_of_the_authors_machine,
    figures_have_alternative_text_and_caption,
    budget_is_stated_and_kept,
    diffs_stay_small,
    short_enough_to_read,
    times_are_computed,
    predictions_are_answered,
    links_resolve,
    imports_stand_in_the_setup_cell,
    exercises_are_untouched_and_complete,
    options_have_replies,
    explorers_are_shown,
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook(path, rule):
    problems = list(rule(path.name, json.loads(path.read_text(encoding="utf-8"))))
    assert not problems, f"{path.name}: " + "; ".join(problems)


def first_code(notebook):
    return code_cells(notebook)[0]


def first_picture(notebook):
    return next(o for _, o in outputs(notebook) if "image/png" in o.get("data", {}))


def stream(name, text):
    return {"output_type": "stream", "name": name, "text": text}


def markdown(text):
    return {"cell_type": "markdown", "id": "extra", "metadata": {}, "source": text}


FAULTS = {  # rule -> ways to break a good notebook, in place
    outputs_are_of_one_clean_run: [lambda nb: first_code(nb).update(execution_count=7)],
    nothing_failed: [
        lambda nb: first_code(nb)["outputs"].append(stream("stderr", "a warning")),
        lambda nb: first_code(nb)["outputs"].append(
            {"output_type": "error", "ename": "E", "evalue": "", "traceback": []}
        ),
    ],
    cells_have_stable_ids: [
        lambda nb: nb["cells"][1].update(id=nb["cells"][0]["id"]),
        lambda nb: nb["cells"][0].pop("id"),
    ],
    no_path_of_the_authors_machine: [
        lambda nb: first_code(nb)["outputs"].append(stream("stdout", "/home/anna/course")),
        lambda nb: first_code(nb).update(source="open('/Users/anna/x')"),
    ],
    figures_have_alternative_text_and_caption: [
        lambda nb: first_picture(nb)["metadata"].clear(),
        lambda nb: [cell["outputs"].pop() for cell in code_cells(nb) if first_picture(nb) in cell["outputs"]],
    ],
    budget_is_stated_and_kept: [
        lambda nb: nb["metadata"]["course"].update(run_seconds=21),
        lambda nb: nb["metadata"].pop("course"),
    ],
    diffs_stay_small: [
        lambda nb: nb["metadata"].update(widgets={}),
        lambda nb: first_code(nb)["metadata"].update(execution={}),
    ],
    short_enough_to_read: [
        lambda nb: nb["cells"].append(markdown("word " * 4000)),
        lambda nb: first_code(nb).update(source="x = 1\n" * 31),
    ],
    links_resolve: [lambda nb: nb["cells"].append(markdown("[there](00_nowhere.ipynb)"))],
    imports_stand_in_the_setup_cell: [lambda nb: code_cells(nb)[2].update(source="import os")],
    exercises_are_untouched_and_complete: [
        lambda nb: replace(nb, "exercises.output_size.check", "exercises.other.check"),
        lambda nb: replace(nb, "return ...  # your code here", "return 42"),
        lambda nb: replace(nb, 'exercises.flipping.check("…")', 'exercises.flipping.check("b")'),
        lambda nb: replace(nb, "output_size = exercises.output_size.check", "exercises.output_size.check"),
        lambda nb: first_code(nb).update(source='exercises.of_no_module.check("…")'),
    ],
    options_have_replies: [
        lambda nb: [c.update(source=source(c).replace("\n- c) ", "\n- e) ")) for c in nb["cells"]],
        lambda nb: [c.update(source=source(c).replace("\n- d) ", "\n- ")) for c in nb["cells"]],
        lambda nb: [c.update(source=source(c).replace("\n- d) ", "\n- d) One.\n- e) ")) for c in nb["cells"]],
        lambda nb: [c.update(source=re.sub(r"\n- ([ab])\)", other_letter, source(c))) for c in nb["cells"]],
    ],
    explorers_are_shown: [
        lambda nb: replace(nb, "explorers.sliding_window().show()", "pass"),
        lambda nb: [c["outputs"].pop(0) for c in code_cells(nb) if "explorers.sliding_window()" in source(c)],
    ],
}


def other_letter(found):
    return "\n- b)" if found[1] == "a" else "\n- a)"


def replace(notebook, old, new):
    for cell in code_cells(notebook):
        cell["source"] = source(cell).replace(old, new)


@pytest.mark.parametrize(
    ("rule", "fault"), [(rule, fault) for rule, faults in FAULTS.items() for fault in faults], ids=lambda f: f.__name__
)
def test_rule_sees_a_fault(rule, fault):
    path = ROOT / "notebooks" / "01_convolution.ipynb"
    broken = copy.deepcopy(json.loads(path.read_text(encoding="utf-8")))
    fault(broken)
    assert list(rule(path.name, broken))


def test_rule_for_exercises_sees_a_fault_of_their_module(monkeypatch):
    module, path = importlib.import_module("course_lib.lessons.convolution.exercises"), "01_convolution.ipynb"
    notebook = json.loads((ROOT / "notebooks" / path).read_text(encoding="utf-8"))
    for attribute in ("topic", "name"):
        with monkeypatch.context() as patch:
            patch.setattr(module.output_size, attribute, "other")
            (problem,) = exercises_are_untouched_and_complete(path, notebook)
            assert problem.startswith("exercise output_size")
    for kind, least in ((Coding, 3), (Choice, 2)):
        with monkeypatch.context() as patch:
            fewer = copy.deepcopy(notebook)
            for key in [key for key, value in vars(module).items() if isinstance(value, kind)][least - 1 :]:
                patch.delattr(module, key)
                replace(fewer, f"exercises.{key}.check(", "print(")
            (problem,) = exercises_are_untouched_and_complete(path, fewer)
            assert problem.startswith("a lesson has at least three")


def test_code_that_is_not_folded_counts():
    def notebook(lines, **metadata):
        return {"cells": [{"cell_type": "code", "source": "x = 1\n" * 26, "metadata": metadata}] * (lines // 26)}

    assert not list(short_enough_to_read("31_some_topic.ipynb", notebook(260)))
    assert list(short_enough_to_read("31_some_topic.ipynb", notebook(286)))
    assert not list(short_enough_to_read("31_some_topic.ipynb", notebook(286, jupyter={"source_hidden": True})))


def test_times_that_do_not_add_up_are_seen():
    cells = [markdown("| Time | about 25 minutes |" + " word" * 994)]  # 5 minutes
    for text in ("x = 1\n" * 50, "f = exercises.f.check(f)", "f = exercises.f.check(f)", "explorers.e().show()"):
        cells.append({"cell_type": "code", "source": text, "metadata": {}})  # 5, 5, 5 and 4 minutes
    cells.append({"cell_type": "code", "source": 'exercises.g.check("…")', "metadata": {}})  # 1.5
    notebook = {"cells": cells, "metadata": {"course": {"reading_minutes": 25}}}
    assert not list(times_are_computed("31_some_topic.ipynb", notebook))
    for wrong in (
        {"cells": [*cells, markdown("word " * 1000)], "metadata": notebook["metadata"]},
        {"cells": cells, "metadata": {"course": {"reading_minutes": 30}}},
        {"cells": [*cells, cells[2]], "metadata": notebook["metadata"]},
        {"cells": [*cells, cells[-1], cells[-1]], "metadata": notebook["metadata"]},
        {"cells": cells[1:], "metadata": notebook["metadata"]},
    ):
        assert list(times_are_computed("31_some_topic.ipynb", wrong))


def test_a_prediction_without_an_answer_is_seen():
    def found(*texts):
        return list(predictions_are_answered("31_some_topic.ipynb", {"cells": [markdown(text) for text in texts]}))

    answer = "<details><summary>What you should have seen</summary>\n\nNothing.\n\n</details>"
    assert not found("**Predict:** what happens?", "an explorer", answer)
    assert found("**Predict:** what happens?", "an explorer", "one", "two", answer)
    assert found("**Predict:** what happens?", "an explorer", "<details><summary>Why</summary></details>")


def test_rule_for_names_sees_a_fault():
    assert set(RULES) == {*FAULTS, name_is_numbered, times_are_computed, predictions_are_answered}
    assert list(name_is_numbered("convolution.ipynb", {}))


def test_readme_links_every_lesson_and_nothing_else():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"\(notebooks/([^)]+)\)", readme) == [path.name for path in NOTEBOOKS]
    for target in re.findall(r"\]\(([^)#:]+)\)", readme):
        assert Path(ROOT, target).exists(), f"README links to {target}, which does not exist"
