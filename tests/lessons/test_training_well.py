"""Lesson 08: its schedules, and what is promised of its stored runs: rates chosen on validation, tested on other patients."""

import numpy as np
import pytest

from course_lib import ROOT, results
from course_lib.lessons.training_well import experiment, model
from course_lib.lessons.training_well.exercises import warm_cosine
from course_lib.tools import notebooks

pytestmark = pytest.mark.slow


def test_schedules_start_peak_and_end_where_they_should():
    assert model.learning_rates("constant", 0.3, 7).tolist() == [0.3] * 7
    expected = [warm_cosine.reference(step, 95, 9, 0.02) for step in range(95)]
    assert np.allclose(model.learning_rates("warm-up", 0.02, 95), expected)
    cosine = model.learning_rates("cosine", 0.5, 40)
    assert cosine[0] == 0.5 and np.isclose(cosine[20], 0.25) and (np.diff(cosine) < 0).all()
    assert (model.learning_rates("warm-up", 1.0, 5) <= 1).all()  # too short for a warm-up


def test_the_network_is_that_of_the_notebook():
    assert notebooks.same_code(ROOT / "notebooks" / "08_training_well.ipynb", "network", model.network)


def test_each_arm_was_trained_at_the_rate_that_was_best_on_validation():
    for seed, arms in results.load("training_well/arms").items():
        for name in model.TESTED:
            assert arms[name]["rate"] == model.best_rate(name), (seed, name)


def test_a_best_rate_at_the_end_of_its_list_is_refused(monkeypatch):
    rising = {f"{rate:g}": {"train": [0, 1], "val": [0, rate]} for rate in model.rates_of("dropout")}
    monkeypatch.setattr(results, "load", lambda path: {0: {"dropout": rising}})
    with pytest.raises(ValueError, match="an end of its list"):
        model.best_rate("dropout")


def test_no_run_shares_a_patient_with_the_test_or_with_the_choice_of_the_rates():
    sets = {name: {first + seed for seed in experiment.RUNS[name]} for name, first in experiment.FIRST_SET.items()}
    sets["test"] = {experiment.TEST_SET}
    assert sum(map(len, sets.values())) == len(set.union(*sets.values()))  # numbers of patients are unique over seeds


def test_the_difference_of_two_arms_has_the_sign_of_the_better_one(monkeypatch):
    truth = np.tile([0, 1, 2, 3], 40)
    stored = {
        "truth": truth,
        "groups": np.arange(160) // 4,
        "right": np.tile(truth, (3, 1)),
        "wrong": np.zeros((3, 160)),
    }
    monkeypatch.setattr(model, "answers", stored.get)
    assert model.gain("right", "wrong").above and model.gain("wrong", "right").below
    assert model.gain("right", "wrong", model.recall).value == 1


def test_what_the_answers_below_the_explorer_say_is_in_the_stored_runs():
    runs = results.load("training_well/rates").values()

    def losses(name, rate, part="val"):
        return [[np.nan if loss is None else loss for loss, _ in run[name][f"{rate:g}"][part]] for run in runs]

    best = {name: model.best_rate(name) for name in model.SWEEPS}
    assert (best["SGD, constant"], best["momentum, constant"]) == (0.03, 0.003)
    assert (best["SGD, warm-up"], best["momentum, warm-up"]) == (0.1, 0.03)
    for name, rates in (("momentum", (0.1, 0.3)), ("Adam", (0.03, 0.1))):
        for rate in rates:
            assert np.allclose([each[-1] for each in losses(f"{name}, constant", rate)], np.log(4), atol=0.04)
    assert np.isnan(losses("SGD, constant", 1)).all()  # from the first epoch on
    assert [int(np.isnan(each).argmax()) + 1 for each in losses("SGD, warm-up", 1)] == [3, 4]
    stays, crashes = losses("SGD, constant", 0.3)
    assert np.isclose(stays[-1], np.log(4), atol=0.01) and np.isnan(crashes[-1])
    for run, each in zip(runs, losses("Adam, warm-up", best["Adam, warm-up"]), strict=True):
        lowest = int(np.argmin(each))
        accuracies = [accuracy for _, accuracy in run["Adam, warm-up"]["0.01"]["val"]]
        assert lowest + 1 in (5, 6) and each[-1] > 1.5 * each[lowest] and accuracies[-1] > accuracies[lowest]
