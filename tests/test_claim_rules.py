"""The rules for claims, each tried on broken notebooks, and kept by every lesson."""

import copy
import json
import subprocess
import sys

import claim_rules
import nbformat
import pytest

from course_lib import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook(path):
    problems = claim_rules.problems(path.name, json.loads(path.read_text(encoding="utf-8")))
    assert not problems, "\n".join(f"{path.name}, {problem}" for problem in problems)


def markdown(text):
    return {"cell_type": "markdown", "metadata": {}, "source": text}


def code(source, shown=None, folded=False):
    metadata = {"jupyter": {"source_hidden": True}, "tags": ["hide-input"]} if folded else {}
    outputs = [{"output_type": "display_data", "metadata": {}, "data": {"text/markdown": shown}}] if shown else []
    return {"cell_type": "code", "metadata": metadata, "source": source, "outputs": outputs}


SOUND = {
    "cells": [
        markdown("# A lesson\n\nWe compare two ways, because they differ."),
        code("from course_lib import claims, results\nfrom course_lib.claims import claim, said"),
        code('runs = results.load("lesson/runs")\nlive = train()\nmodel.summary()'),
        code("claim('It is found.', live > 0.9)", "✔ It is found.", folded=True),
        code(
            "claim('It helped more.', lambda runs: gain(runs) > 0, runs, refuted_by=exchange('a', 'b'))",
            "✔ It helped more.",
            folded=True,
        ),
        code(
            "plot.show(fig, alt, 'Left, right. ' + said('A is better.', live > 2))", "**Figure.** Left. ✔ A is better."
        ),
        markdown("## 7. Summary"),
        code("claims.summary(said('It helped.', live > 3), 'He')", "- ✔ It helped.\n- He et al., arXiv:1502.01852"),
        markdown("Run `exercises.progress()` in a cell of your own."),
        code(
            "claims.found(('Use it.', said('It helped.', live > 4)), ('Nothing.', 'Lesson 07.'))",
            "| The article says | We found |\n| --- | --- |\n| Use it. | ✔ It helped. |\n| Nothing. | Lesson 07. |",
            folded=True,
        ),
        markdown("| We found |\n|---|\n| doi:10.1/2 |\n\n| place | function |\n|---|---|\n| output | sigmoid |"),
        markdown("## References\n\n- A better book"),
    ]
}
SOUND["cells"][7]["metadata"] = SOUND["cells"][3]["metadata"]
TABLE = "| The article says | We found |\n|:--|:--|\n| Use it. | {} |\n\nAfter the table."

FAULTS = {  # rule -> cells that it has to refuse, at the end of a sound notebook
    claim_rules.what_we_found_is_claimed: [
        [markdown(TABLE.format("It helped."))],
        [markdown(TABLE.format("It helped more than nothing, see section 11."))],
        [markdown(TABLE.format("It is better. ✔ It is there."))],
        [code("show()", TABLE.format("It helped."))],
        [markdown(TABLE.format("✔ Right.").replace("Use it. | ✔ Right.", "✔ doi:10.1/2 | Right."))],
        [markdown("## What the article says, and what we found\n\n" + TABLE.format("Right."))],
    ],
    claim_rules.summary_is_claimed: [
        [markdown("## Summary\n\n- Networks learn.\n- It helps (doi:10.1/2).")],
        [markdown("## Summary"), markdown("1. Networks learn.")],
        [markdown("## Summary"), code("show()", "- ✔ It learns.\n- Networks learn.")],
        [markdown("## Summary\n\nIn short, the first is better.")],
        [markdown("# 3. Summary in five lines\n* Networks learn more than section 3 says.")],
    ],
    claim_rules.captions_that_compare_are_claimed: [
        [code("plot.show()", "**Figure.** The loss gets worse, as section 3 says.")],
        [code("plot.show()", "**Figure.** A learns faster than B. ✔ Both learn.")],
        [code("plot.show()", "**Figure.** There is no difference.")],
    ],
    claim_rules.claims_held_when_saved: [
        [code("claim('It helped.', live > 5)", "✘ does not hold on this run: It helped.", folded=True)],
        [code("plot.show()", "**Figure.** Left. ✘ does not hold on this run: It helped.")],
    ],
    claim_rules.marks_are_not_typed: [[markdown("✔ It helped.")], [code("show('✘ not so')")]],
    claim_rules.cells_of_claims_are_folded: [
        [code("claim('It helped.', live > 5)")],
        [code("x = 1\nclaims.summary('He')")],
        [code("claims.found()") | {"metadata": {"jupyter": {"source_hidden": True}}}],
    ],
    claim_rules.claims_can_fail: [
        [code("claim('It helped.', True)", folded=True)],
        [code("claim('It helped.')", folded=True)],
        [code("claim('It helped.', gain(runs) > 0)", folded=True)],
        [code("a, b = [np.mean(run) for run in runs]"), code("x = said('It helped.', a > b)")],
        [code("def gain():\n    return results.load('x')"), code("x = claims.said('It helped.', gain() > 0)")],
        [code("best = {}\nbest['a'] = max(runs)\nx = said('It helped.', condition=best['a'] > 0)")],
        [code("for run in runs:\n    low = run\nx = said('It helped.', low > 0)")],
        [code("for gain in runs:\n    print(gain)"), code("x = said('It helped.', gain > 0)")],
        [code("claim('It helped.', lambda runs: runs['a'] > 0, runs)", folded=True)],
        [code("said('It helped.', live > 0)")],
    ],
}


@pytest.mark.parametrize("rule", claim_rules.RULES, ids=lambda rule: rule.__name__)
def test_rule_lets_a_sound_notebook_pass(rule):
    assert not list(rule("01_lesson.ipynb", SOUND))


@pytest.mark.parametrize(
    ("rule", "cells"),
    [pytest.param(rule, cells, id=rule.__name__) for rule, faults in FAULTS.items() for cells in faults],
)
def test_rule_sees_a_fault_once_and_names_the_cell(rule, cells):
    broken = copy.deepcopy(SOUND)
    broken["cells"] += cells
    (problem,) = rule("01_lesson.ipynb", broken)
    assert problem.startswith(f"cell {len(broken['cells'])}")


def test_every_rule_was_tried():
    assert set(FAULTS) == set(claim_rules.RULES)


@pytest.mark.parametrize(
    "right", ["✔ Better than before.", "Right (doi:10.1000/1).", "Right, [as measured](https://x.org).", "Section 3."]
)
def test_what_we_found_may_be_a_claim_or_cite_or_point(right):
    notebook = {"cells": [markdown(TABLE.format(right))]}
    assert not list(claim_rules.what_we_found_is_claimed("01_lesson.ipynb", notebook))


def test_the_report_lists_comparisons_and_causes_and_nothing_else():
    told = ["The first is better.", "It learns, because it is deep.", "So it goes."]
    untold = [
        "Rows, so that it fits. It has two parts.\n\n**Exercise.** Do it better.\n\n**Predict**: is it better?",
        "- a) it is better\n- b) no\n\n| a | better |\n\nIs it better?\n\n```\nless = more\n```",
        "It is better than the other (He, arXiv:1502.01852).",
        "## Summary\n\n- Better.\n\n## References\n\nA better book.",
    ]
    cells = [markdown(text) for text in [" ".join(told[:2]), *untold, f"# Better\n\n{told[2]}"]]
    assert list(claim_rules.sentences_to_judge({"cells": cells})) == [(1, told[0]), (1, told[1]), (6, told[2])]


def test_the_command_prints_problems_and_sentences(tmp_path):
    cells = [nbformat.v4.new_markdown_cell("It is better."), nbformat.v4.new_markdown_cell("✔ It helped.")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "01_lesson.ipynb")
    command = [sys.executable, claim_rules.__file__, str(tmp_path / "01_lesson.ipynb")]
    result = subprocess.run(
        command, capture_output=True, encoding="utf-8", env={"PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"}
    )
    assert "cell 2 holds a typed mark" in result.stdout and "cell 1: It is better." in result.stdout, result.stderr
