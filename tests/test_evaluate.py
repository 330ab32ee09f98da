"""Intervals that resample patients."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, roc_auc_score

from course_lib import evaluate


def right_answers(n_patients, slices, rng):
    """Truth and predictions (n,), patients (n,): all slices of a patient are right, or all are wrong."""
    right = rng.random(n_patients) < 0.8
    truth = np.ones(n_patients * slices, int)
    return truth, np.repeat(right, slices).astype(int), np.repeat(rng.permutation(n_patients), slices)


def test_an_estimate_holds_the_value_its_interval_and_what_was_resampled():
    truth, guess, groups = right_answers(50, 4, np.random.default_rng(0))
    by_patient = evaluate.bootstrap(accuracy_score, truth, guess, groups=groups)
    by_image = evaluate.bootstrap(accuracy_score, truth, guess)
    assert by_patient.value == by_image.value == accuracy_score(truth, guess)
    assert by_patient.low < by_patient.value < by_patient.high
    assert (by_patient.n, by_patient.unit) == (50, "patients") and (by_image.n, by_image.unit) == (200, "images")
    # Four slices that agree say no more than one: by image, the interval would be half as wide.
    assert np.isclose((by_patient.high - by_patient.low) / (by_image.high - by_image.low), 2, rtol=0.2)


def test_intervals_contain_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(0)
    hits = 0
    for seed in range(200):
        truth, guess, groups = right_answers(100, 3, rng)
        estimate = evaluate.bootstrap(accuracy_score, truth, guess, groups=groups, level=0.9, repeats=200, seed=seed)
        hits += estimate.low <= 0.8 <= estimate.high
    assert 0.84 < hits / 200 < 0.95  # 0.9 within two standard errors, and a little less as the bootstrap is known for


@pytest.mark.filterwarnings("ignore:Only one class")
def test_resamples_without_a_class_are_left_out():
    truth = np.array([0, 0, 0, 1, 1])
    estimate = evaluate.bootstrap(roc_auc_score, truth, np.array([0.1, 0.4, 0.6, 0.5, 0.9]))
    assert 0 <= estimate.low < estimate.value < estimate.high <= 1


@pytest.mark.parametrize(
    "arguments, options, message",
    [
        (([0, 1], [0, 1, 1]), {}, "one length"),
        (([0, 1], [0, 1]), {"groups": [1]}, "one length"),
        (([], []), {}, "at least one"),
        (([0, 1], [0, 1]), {"level": 95}, "level is 95"),
    ],
)
def test_wrong_arguments_are_named(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        evaluate.bootstrap(accuracy_score, *arguments, **options)


@pytest.mark.filterwarnings("ignore:Only one class")
def test_a_metric_that_is_nowhere_defined_is_named():
    with pytest.raises(ValueError, match="undefined on most resamples"):
        evaluate.bootstrap(roc_auc_score, [1, 1, 1], [0.2, 0.5, 0.6])
