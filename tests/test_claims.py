"""Claims: what a reader sees, what the tests refuse, and what would refute them."""

import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import nbformat
import numpy as np
import pytest

from course_lib import ROOT
from course_lib.claims import claim, exchange, found, moved, said, summary

RUNS = {"with": [0.61, 0.64, 0.62], "without": [0.52, 0.55, 0.58]}


class Estimate(NamedTuple):
    value: float
    low: float
    high: float
    n: int


def better(runs):
    return np.mean(runs["with"]) > np.mean(runs["without"])


@pytest.fixture
def reading(monkeypatch):
    """As for a reader: no tests."""
    monkeypatch.delenv("COURSE_TESTING")


def test_a_sentence_that_holds_is_shown_once_with_its_mark(capsys):
    claim("Most masses are found.", True)
    claim("Augmentation helped.", better, RUNS, refuted_by=exchange("with", "without"))
    assert capsys.readouterr().out == "✔ Most masses are found.\n✔ Augmentation helped.\n"


def test_a_reader_is_told_what_does_not_hold_and_goes_on(reading, capsys):
    claim("Most masses are found.", np.float64(0.4) > 0.9)
    assert capsys.readouterr().out == "✘ does not hold on this run: Most masses are found.\n"
    assert said("It helped.", better, {}, refuted_by=exchange(0, 1)).startswith("✘ ")


def test_the_tests_stop_at_what_does_not_hold():
    with pytest.raises(AssertionError, match="does not hold on this run: Most masses are found."):
        claim("Most masses are found.", False)


@pytest.mark.parametrize(
    "condition",
    [None, "yes", 1, [True], np.array([True, True]), np.array(True), lambda: True],
    ids=lambda condition: type(condition).__name__,
)
def test_nothing_but_true_is_true(condition, reading):
    """Values that `if` would take for true, or could not decide on."""
    if callable(condition):
        with pytest.raises(TypeError, match="needs either True or False"):
            said("It helped.", condition)
    else:
        text = said("It helped.", condition)
        assert text.startswith("✘ does not hold on this run: It helped. (") and type(condition).__name__ in text


def test_a_condition_that_raises_does_not_hold_and_says_why(reading, monkeypatch):
    arguments = ("It helped.", lambda runs: runs["nowhere"] > 0, RUNS)
    text = said(*arguments, refuted_by=moved(1))
    assert text == "✘ does not hold on this run: It helped. (KeyError: 'nowhere')"
    monkeypatch.setenv("COURSE_TESTING", "1")
    with pytest.raises(AssertionError, match="KeyError: 'nowhere'"):
        said(*arguments, refuted_by=moved(1))


@pytest.mark.parametrize(
    ("condition", "runs", "refuted_by"),
    [(better, None, None), (better, RUNS, None), (True, RUNS, moved(1)), (True, None, moved(1)), (True, RUNS, None)],
)
def test_stored_runs_come_with_a_function_and_with_what_refutes_it(condition, runs, refuted_by, reading):
    with pytest.raises(TypeError, match="“It helped.” needs either"):
        said("It helped.", condition, runs, refuted_by=refuted_by)


@pytest.mark.parametrize(
    ("condition", "runs", "refuted_by"),
    [
        (lambda runs: min(runs["with"]) > 0.6, RUNS, moved(-0.02, "with")),
        (lambda runs: runs["with"][0] > 0.6, RUNS, exchange("with", "without")),
        (lambda rows: rows[0].mean() > rows[1].mean(), np.array([[2.0, 3.0], [1.0, 1.0]]), exchange(0, 1)),
        (lambda area: area.low > 0.9, Estimate(0.95, 0.91, 0.97, 40), moved(-0.02)),
        (lambda gain: -0.05 < gain.low < 0 < gain.high < 0.05, Estimate(0.0, -0.01, 0.02, 40), moved(0.05)),
        (lambda share: share < 0.1, 0.08, moved(0.05)),
        (lambda runs: len(runs["with"]) == 3, RUNS, lambda runs: runs["with"].pop() and runs),
    ],
)
def test_what_would_refute_a_claim_is_tried_on_a_copy(condition, runs, refuted_by):
    before = repr(runs)
    assert said("So it is.", condition, runs, refuted_by=refuted_by) == "✔ So it is."
    assert repr(runs) == before


@pytest.mark.parametrize(
    ("condition", "runs", "refuted_by"),
    [
        (lambda runs: RUNS["with"][0] > 0.6, RUNS, exchange("with", "without")),  # rests on something else
        (lambda runs: runs["with"] != runs["without"], RUNS, exchange("with", "without")),  # compares nothing
        (lambda runs: min(runs["with"]) > 0.6, RUNS, moved(-0.001, "with")),  # not past the bound
        (lambda gain: gain.low < 0 < gain.high, Estimate(0.0, -0.3, 0.3, 4), moved(0.05)),  # could not have seen it
    ],
)
def test_a_claim_that_cannot_fail_is_refused_by_the_tests_alone(condition, runs, refuted_by, monkeypatch):
    with pytest.raises(AssertionError, match="“So it is.” holds on runs that .* it cannot fail"):
        said("So it is.", condition, runs, refuted_by=refuted_by)
    monkeypatch.delenv("COURSE_TESTING")
    assert said("So it is.", condition, runs, refuted_by=refuted_by) == "✔ So it is."


def test_rows_of_an_array_change_places_too():
    """They are views: written one after the other, both would end as the same row."""
    assert exchange(0, 2)(np.array([[1, 1], [2, 2], [3, 3]])).tolist() == [[3, 3], [2, 2], [1, 1]]


@pytest.mark.parametrize("refuted_by", [exchange("with", "nowhere"), lambda runs: None, moved("a", "with")])
def test_an_error_on_the_way_is_no_refutation(refuted_by):
    with pytest.raises(AssertionError, match="What would refute “It helped.” could not be tried: .*Error"):
        said("It helped.", better, RUNS, refuted_by=refuted_by)


def test_tables_and_lists_are_markdown_with_a_line_for_each_row(capsys):
    found(("Use augmentation.", said("It helped\n    here.", True)), ("Nothing.", "arXiv:1502.01852"))
    summary(said("It helped.", True), "He et al., arXiv:1502.01852")
    table = "| The article says | We found |\n| --- | --- |\n| Use augmentation. | ✔ It helped here. |\n| Nothing. | arXiv:1502.01852 |\n"
    assert capsys.readouterr().out == table + "- ✔ It helped.\n- He et al., arXiv:1502.01852\n"


def test_an_error_does_not_take_a_table_apart(reading, capsys):
    found(("Use it.", said("It helped.", lambda runs: int("a|\n"), RUNS, refuted_by=moved(1))))
    assert capsys.readouterr().out.endswith("with base 10: 'a/\\n') |\n")


def test_a_table_refuses_what_would_take_it_apart():
    with pytest.raises(
        ValueError, match=r"write \\lvert x \\rvert in formulas. Here: tanhIt overflows for large \$\|x\|\$."
    ):
        found(("tanh", "It overflows for large $|x|$."))


def test_in_plain_python_it_prints_and_imports_no_ipython():
    """Also where the terminal has no letter ✔."""
    code = "import sys; from course_lib.claims import claim; claim('It helped.', True); assert 'IPython' not in sys.modules"
    for encoding, printed in [("utf-8", "✔ It helped."), ("ascii", "? It helped.")]:
        environment = {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": encoding, "PYTHONSAFEPATH": "1"}
        result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True)
        assert (result.returncode, result.stdout.decode(encoding).strip()) == (0, printed), result.stderr.decode()


@pytest.fixture
def folder_with_a_false_claim(tmp_path):
    """A folder like notebooks/, with its conftest.py and one notebook."""
    cell = nbformat.v4.new_code_cell("from course_lib.claims import claim\nclaim('It helped.', 1 > 2)")
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "lesson.ipynb")
    conftest = (ROOT / "notebooks" / "conftest.py").read_text(encoding="utf-8")
    Path(tmp_path, "conftest.py").write_text(conftest, encoding="utf-8")
    return tmp_path


@pytest.mark.slow
def test_in_a_notebook_a_reader_goes_on_and_nbval_stops(folder_with_a_false_claim, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("COURSE_CAPSTONE_DATA", "none")  # else conftest.py generates them
    monkeypatch.delenv("COURSE_TESTING")
    path = folder_with_a_false_claim / "lesson.ipynb"
    subprocess.run(
        [sys.executable, "-m", "nbconvert", "--to", "notebook", "--execute", "--inplace", str(path)],
        check=True,
        capture_output=True,
    )
    output = nbformat.read(path, 4).cells[0].outputs[0]
    assert output["data"]["text/markdown"] == "✘ does not hold on this run: It helped."

    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--rootdir", str(path.parent), "--nbval-lax"]
    result = subprocess.run([*command, "--nbval-current-env", str(path)], capture_output=True, text=True)
    assert result.returncode == 1 and "✘ does not hold on this run: It helped." in result.stdout
