"""Lesson 08: the schedules that its explorer draws and its benchmark uses, and the promises about its stored runs."""

import json

import numpy as np
import pytest

from course_lib import ROOT
from course_lib.lessons.training_well.exercises import warm_cosine
from course_lib.lessons.training_well.explorers import learning_rates

PARTS = sorted(path.stem for path in (ROOT / "course_lib/lessons/training_well/results").glob("*.json"))


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
    for name, arm in json.loads(
        (ROOT / "course_lib/lessons/training_well/results" / f"{part}.json").read_text(encoding="utf-8")
    )["results"].items():
        candidates, chosen = arm["candidates"], arm["chosen"]
        used = {run["seed"] for each in candidates for run in each["runs"]}
        assert not used & {run["seed"] for run in chosen["runs"]}, name
        if candidates:
            means = [np.mean([run["val_end"] for run in each["runs"]]) for each in candidates]
            best = [each["setting"] for each, mean in zip(candidates, means, strict=True) if mean > max(means) - 1e-3]
            assert chosen["setting"] in best, name
        assert not any("guesses" in run for each in candidates for run in each["runs"]), (
            "a candidate saw the test slices"
        )
        for run in chosen["runs"]:
            assert len(run["guesses"]) == 640 and set(run["guesses"]) <= set("0123"), name
            assert len(run["loss"]) == len(run["val_loss"]) == chosen["setting"]["epochs"], name
