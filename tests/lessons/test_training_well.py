"""Lesson 08: the schedules that its explorer draws and its experiment uses, and the promises about its stored runs."""

import numpy as np
import pytest

from course_lib import ROOT, results
from course_lib.lessons.training_well.exercises import warm_cosine
from course_lib.lessons.training_well.model import candidates, choose, comparison, learning_rates, network
from course_lib.tools import notebooks

pytestmark = pytest.mark.slow

PARTS = sorted(path.stem for path in (results.LESSONS / "training_well" / "results").glob("*.json"))


def test_schedules_start_peak_and_end_where_they_should():
    assert learning_rates("constant", 0.3, 7).tolist() == [0.3] * 7
    expected = [warm_cosine.reference(step, 95, 9, 0.02) for step in range(95)]
    assert np.allclose(learning_rates("warm-up", 0.02, 95), expected)
    cosine = learning_rates("cosine", 0.5, 40)
    assert cosine[0] == 0.5 and np.isclose(cosine[20], 0.25) and (np.diff(cosine) < 0).all()
    assert (learning_rates("warm-up", 1.0, 5) <= 1).all()  # too short for a warm-up


def test_all_parts_are_stored():
    sweeps = {"sweep_adam", "sweep_momentum", "sweep_sgd"}
    assert set(PARTS) == sweeps | {"batch", "imbalance", "loss", "recipe", "regularisation"}


@pytest.mark.parametrize("part", PARTS)
def test_stored_runs_were_chosen_on_validation_and_tested_with_other_seeds(part):
    for name, arm in comparison(part).items():
        tried, chosen = arm["candidates"], arm["chosen"]
        used = {run["seed"] for each in tried for run in each["runs"]}
        assert not used & {run["seed"] for run in chosen["runs"]}, name
        if tried:
            means = [np.mean([run["val_end"] for run in each["runs"]]) for each in tried]
            best = [each["setting"] for each, mean in zip(tried, means, strict=True) if mean > max(means) - 1e-3]
            assert chosen["setting"] in best and choose(candidates(part)[name]) in best, name
        assert not any("guesses" in run for each in tried for run in each["runs"]), "a candidate saw the test slices"
        for run in chosen["runs"]:
            assert len(run["guesses"]) == 640 and set(run["guesses"]) <= set("0123"), name
            assert len(run["loss"]) == len(run["val_loss"]) == chosen["setting"]["epochs"], name


def test_the_network_is_that_of_the_notebook():
    assert notebooks.same_code(ROOT / "notebooks" / "08_training_well.ipynb", "network", network)


def test_a_comparison_is_put_together_from_its_seeds(monkeypatch):
    def run(rate, value):
        return {"setting": {"rate": rate}, "run": {"val_end": value}}

    stored = {
        0: {"a": [run(1, 0.2), run(2, 0.5)], "b": [run(3, 0.9), run(4, 0.1)]},
        1: {"a": [run(1, 0.6), run(2, 0.4)], "b": [run(3, 0.3), run(4, 0.1)]},
        10: {"a": [run(2, 0.7)], "b": [run(3, 0.8)]},
        11: {"a": [run(2, 0.6)], "b": [run(3, 0.9)]},
    }
    monkeypatch.setattr("course_lib.results.load", lambda path: stored)
    arms = comparison("any")
    first, second = arms["a"]["candidates"]
    assert first == {"setting": {"rate": 1}, "runs": [{"seed": 0, "val_end": 0.2}, {"seed": 1, "val_end": 0.6}]}
    assert choose([first, second]) == {"rate": 2} == arms["a"]["chosen"]["setting"]  # .45 on average against .40
    assert [(r["seed"], r["val_end"]) for r in arms["b"]["chosen"]["runs"]] == [(10, 0.8), (11, 0.9)]
    del stored[0], stored[1]
    assert comparison("any")["a"]["candidates"] == []
