"""Intervals that resample patients, and the measures that scikit-learn lacks."""

import numpy as np
import pytest
from scipy.special import log_softmax, softmax
from sklearn.calibration import calibration_curve
from sklearn.metrics import (
    accuracy_score,
    log_loss,
    precision_score,
    recall_score,
    roc_auc_score,
    roc_curve,
)

from course_lib import evaluate


def right_answers(n_patients, slices, rng):
    """Truth and predictions (n,), patients (n,): all slices of a patient are right, or all are wrong."""
    right = rng.random(n_patients) < 0.8
    truth = np.ones(n_patients * slices, int)
    return truth, np.repeat(right, slices).astype(int), np.repeat(rng.permutation(n_patients), slices)


def share_right(truth, guess):
    return np.mean(truth == guess)  # accuracy, a hundred times faster than scikit-learn's


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
        estimate = evaluate.bootstrap(share_right, truth, guess, groups=groups, level=0.9, repeats=200, seed=seed)
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


# ---- two models on the same patients ---------------------------------------------------------------------------------


def two_models(n_patients, rng, gain=0.05):
    """Truth, two models' answers, patients: both fail on the same hard patients, the second on `gain` fewer."""
    ease = np.repeat(rng.random(n_patients), 3)
    truth = np.ones(len(ease), int)
    return truth, (ease > 0.3).astype(int), (ease > 0.3 - gain).astype(int), np.repeat(np.arange(n_patients), 3)


def test_a_paired_difference_is_surer_than_two_intervals():
    truth, first, second, groups = two_models(300, np.random.default_rng(0))
    gain = evaluate.difference(share_right, truth, first, second, groups=groups)
    one, two = (evaluate.bootstrap(share_right, truth, guess, groups=groups) for guess in (first, second))
    assert np.isclose(gain.value, two.value - one.value) and gain.n == 300
    assert 0 < gain.low < gain.value < gain.high
    assert two.low < one.high  # the two intervals overlap all the same
    back = evaluate.difference(share_right, truth, second, first, groups=groups)
    assert np.allclose([back.value, back.low, back.high], [-gain.value, -gain.high, -gain.low])


def test_intervals_of_a_difference_contain_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(1)
    hits = 0
    for seed in range(200):
        truth, first, second, groups = two_models(150, rng, gain=0.15)
        gain = evaluate.difference(share_right, truth, first, second, groups=groups, level=0.9, repeats=200, seed=seed)
        hits += gain.low <= 0.15 <= gain.high
    assert 0.84 < hits / 200 < 0.95


# ---- answers at a threshold ------------------------------------------------------------------------------------------


def scores(n, rng, shift=1.5):
    """Truth (n,) and a score in [0, 1] that is higher, on average, where the truth is 1; rounded, so that some tie."""
    truth = (rng.random(n) < 0.3).astype(int)
    return truth, np.round(1 / (1 + np.exp(-rng.normal(shift * truth - 1, 1))), 2)


def test_specificity_is_the_recall_of_the_healthy():
    truth, score = scores(500, np.random.default_rng(0))
    guess = score > 0.4
    assert evaluate.specificity(truth, guess) == pytest.approx(recall_score(truth, guess, pos_label=0))
    assert evaluate.specificity([0, 0, 0, 1], [0, 1, 1, 1]) == pytest.approx(1 / 3)
    assert np.isnan(evaluate.specificity([1, 1], [0, 1]))


def test_predictive_values_follow_from_counts():
    truth, score = scores(2000, np.random.default_rng(1))
    guess = (score > 0.4).astype(int)
    sensitivity, specificity = recall_score(truth, guess), evaluate.specificity(truth, guess)
    ppv, npv = evaluate.predictive_values(sensitivity, specificity, truth.mean())
    assert ppv == pytest.approx(precision_score(truth, guess))
    assert npv == pytest.approx(precision_score(truth, guess, pos_label=0))
    # 1,000 people of whom 10 are ill: 9 of them found, and 99 false alarms
    assert evaluate.predictive_values(0.9, 0.9, 0.01)[0] == pytest.approx(9 / 108)


def test_predictive_values_at_the_ends_and_of_arrays():
    ppv, npv = evaluate.predictive_values(0.8, 0.9, np.array([0, 0.5, 1]))
    assert np.allclose(ppv, [0, 8 / 9, 1]) and np.allclose(npv, [1, 9 / 11, 0])
    assert np.isnan(evaluate.predictive_values(0, 1, 0.5)[0])  # nobody is called ill


def test_the_operating_point_is_the_most_specific_one_that_is_sensitive_enough():
    truth, score = scores(400, np.random.default_rng(2))
    false_positive, true_positive, thresholds = roc_curve(truth, score, drop_intermediate=False)
    for sensitivity in (0.5, 0.8, 0.95, 1.0):
        threshold = evaluate.operating_point(truth, score, sensitivity=sensitivity)
        assert threshold == thresholds[true_positive >= sensitivity][0]
        guess = score >= threshold
        assert recall_score(truth, guess) >= sensitivity
        best = 1 - false_positive[true_positive >= sensitivity].min()
        assert evaluate.specificity(truth, guess) == pytest.approx(best)


def test_an_exact_share_is_enough():
    score = np.arange(20) / 20
    assert evaluate.operating_point(np.ones(20), score, sensitivity=0.95) == score[1]


# ---- calibration -----------------------------------------------------------------------------------------------------


def test_reliability_is_scikit_learns_and_keeps_empty_bins():
    truth, score = scores(300, np.random.default_rng(3))
    score = np.clip(score, 0.21, 1)
    score[:3] = 1.0
    predicted, observed, count = evaluate.reliability(truth, score, bins=7)
    their_observed, their_predicted = calibration_curve(truth, score, n_bins=7)
    assert np.allclose(predicted[count > 0], their_predicted) and np.allclose(observed[count > 0], their_observed)
    assert count.sum() == 300 and count[0] == 0 and np.isnan([predicted[0], observed[0]]).all()


def test_expected_calibration_error_by_hand():
    # Two bins: 0.2 promised and 0.5 seen in two cases; 0.9 promised and seen in the third.
    assert evaluate.expected_calibration_error([0, 1, 1], [0.2, 0.2, 0.9], bins=2) == pytest.approx((2 * 0.3 + 0.1) / 3)
    rng = np.random.default_rng(4)
    probability = rng.random(100_000)
    event = rng.random(100_000) < probability
    assert evaluate.expected_calibration_error(event, probability) < 0.01
    assert evaluate.expected_calibration_error(event, probability**3) > 0.15


@pytest.mark.parametrize("temperature", [0.4, 1.0, 3.0])
def test_the_temperature_of_logits_is_found_again(temperature):
    rng = np.random.default_rng(5)
    logits = rng.normal(size=(20_000, 4)) * 2
    label = (softmax(logits, axis=1).cumsum(axis=1) < rng.random((20_000, 1))).sum(axis=1)
    found = evaluate.fit_temperature(label, logits * temperature)
    assert found == pytest.approx(temperature, rel=0.05)

    def cross_entropy(temperature):
        return log_loss(label, np.exp(log_softmax(logits / temperature, axis=1)), labels=range(4))

    one = evaluate.fit_temperature(label, logits)
    assert cross_entropy(one) <= min(cross_entropy(0.97 * one), cross_entropy(1.03 * one))


def test_a_perfect_model_and_huge_logits_do_not_break_the_temperature():
    assert evaluate.fit_temperature([0, 1], [[1e4, 0], [0, 1e4]]) == pytest.approx(1 / 20, abs=20)
    assert np.isfinite(evaluate.fit_temperature([1, 1], [[1e4, 0], [0, 1e4]]))


# ---- wrong arguments -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: evaluate.specificity([0, 2], [0, 1]), "0 and 1 only"),
        (lambda: evaluate.specificity([0, 1], [0.3, 0.7]), "`guess` must hold 0 and 1 only"),
        (lambda: evaluate.specificity([0, 1], [0, 1, 1]), "one value for each item"),
        (lambda: evaluate.specificity([], []), "at least one"),
        (lambda: evaluate.predictive_values(95, 0.9, 0.1), "`sensitivity` must lie between 0 and 1; here: 95"),
        (lambda: evaluate.predictive_values(0.9, 0.9, np.nan), "`prevalence` must lie"),
        (lambda: evaluate.operating_point([0, 0], [0.1, 0.2], sensitivity=0.9), "Nobody"),
        (lambda: evaluate.operating_point([0, 1], [0.1, np.nan], sensitivity=0.9), "not finite"),
        (lambda: evaluate.operating_point([0, 1], [0.1, 0.9], sensitivity=0), "sensitivity is 0"),
        (lambda: evaluate.operating_point([0, 1], [0.1, 0.9], sensitivity=95), "sensitivity is 95"),
        (lambda: evaluate.operating_point([0, 1], [[0.1, 0.9]], sensitivity=0.9), "one value for each item"),
        (lambda: evaluate.reliability([0, 1], [0.1, 1.2]), "`probability` must lie"),
        (lambda: evaluate.reliability([0, 1], [0.1, 0.2], bins=0), "bins is 0"),
        (lambda: evaluate.expected_calibration_error([0, 1], [0.1, 0.2], bins=2.5), "bins is 2.5"),
        (lambda: evaluate.fit_temperature([0, 1], [1.0, 2.0]), r"label must be \(n,\)"),
        (lambda: evaluate.fit_temperature([0, 4], np.zeros((2, 4))), "from 0 to 3"),
        (lambda: evaluate.fit_temperature([0, 1], [[0, np.inf], [0, 1]]), "not finite"),
    ],
)
def test_a_wrong_argument_gets_a_sentence(call, message):
    with pytest.raises(ValueError, match=message):
        call()
