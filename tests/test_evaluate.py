"""Intervals that resample patients, and the measures that scikit-learn lacks."""

import numpy as np
import pytest
from scipy.special import log_softmax, softmax
from scipy.stats import binomtest, norm
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
        (([0, 1], [0, 1]), {"repeats": 0}, "repeats is 0"),
        (([0, 1], [0, 1]), {"groups": [[1], [2]]}, r"its shape is \(2, 1\)"),
        (([0, 1], [0, 1]), {"groups": [None, 1]}, "missing"),
        (([0, 1], [0, 1]), {"groups": [np.nan, 1]}, "missing"),
        (([0, 1], [0, 1]), {"groups": ["a", "nan"]}, "missing"),
        (([0, 1], [0, 1]), {"groups": ["a", "a"]}, r"Too few patients \(1\)"),
        (([0], [0]), {}, r"Too few images \(1\)"),
    ],
)
def test_wrong_arguments_are_named(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        evaluate.bootstrap(accuracy_score, *arguments, **options)


@pytest.mark.filterwarnings("ignore:Only one class")
def test_a_metric_that_is_nowhere_defined_is_named():
    with pytest.raises(ValueError, match="undefined on most resamples"):
        evaluate.bootstrap(roc_auc_score, [1, 1, 1], [0.2, 0.5, 0.6])


@pytest.mark.parametrize(
    "metric, message", [(lambda a: None, "returns None"), (lambda a: a == 1, r"an array of shape \(3,\)")]
)
def test_a_metric_must_return_one_number(metric, message):
    with pytest.raises(ValueError, match=f"must return one number .* {message}"):
        evaluate.bootstrap(metric, [0, 1, 1])


def test_dropped_resamples_are_counted_and_said():
    truth = np.r_[1, np.zeros(99, int)]
    one_ill = evaluate.bootstrap(roc_auc_score, truth, np.r_[0.9, np.linspace(0, 1, 99)], repeats=300)
    assert 90 < one_ill.dropped < 130  # (1 - 1/100) ** 100 of them have no ill patient
    assert str(one_ill).endswith(f"; 100 images; {one_ill.dropped} resamples dropped)")
    # scikit-learn's recall is 0, with a warning, where nobody is ill: such a resample says nothing about recall
    two_ill = evaluate.bootstrap(recall_score, np.r_[1, truth], np.r_[0, truth], repeats=300)
    all_ill = evaluate.bootstrap(recall_score, np.ones(9), np.r_[0, np.ones(8)], repeats=300)
    assert 20 < two_ill.dropped < 60 and all_ill.dropped == 0


def test_an_ordinary_estimate_prints_value_interval_and_n_alone():
    estimate = evaluate.Estimate(0.66, 0.598, 0.722, 160, "patients")
    assert str(estimate) == "0.66 (0.60 to 0.72; 160 patients)"
    assert str(estimate._replace(value=0.0012, low=0.001, high=0.002)) == "0.001 (0.001 to 0.002; 160 patients)"


# ---- where a bootstrap has no width, or leaves out its own value -----------------------------------------------------

FOUR_ILL = np.repeat([1, 0], [4, 196])


@pytest.mark.parametrize(
    "metric, arrays, n, limits",
    [
        (np.mean, [np.ones(40)], 40, (0.912, 1)),
        (np.mean, [np.zeros(120)], 120, (0, 0.030)),
        (accuracy_score, [FOUR_ILL, FOUR_ILL], 200, (0.982, 1)),
        (recall_score, [FOUR_ILL, FOUR_ILL], 4, (0.398, 1)),  # the healthy say nothing about it
        (recall_score, [FOUR_ILL, np.zeros(200)], 4, (0, 0.602)),
        (evaluate.specificity, [FOUR_ILL, FOUR_ILL], 196, (0.981, 1)),
        (roc_auc_score, [FOUR_ILL, FOUR_ILL / 2], 4, (0.398, 1)),  # the rarer class
        (roc_auc_score, [FOUR_ILL, np.zeros(200)], 4, (0.199, 0.801)),
    ],
)
def test_where_all_agree_the_limits_are_exact_and_n_is_who_counts(metric, arrays, n, limits):
    estimate = evaluate.bootstrap(metric, *arrays, repeats=100)
    assert (estimate.n, estimate.method) == (n, "all alike, exact limits")
    assert np.allclose(estimate[1:3], limits, atol=6e-4) and "all alike, exact limits" in str(estimate)


def test_patients_who_agree_are_counted_as_patients():
    estimate = evaluate.bootstrap(np.mean, np.ones(160), groups=np.repeat(np.arange(40), 4))
    assert estimate.n == 40 and np.allclose(estimate[1:3], evaluate.exact_limits(40, 40))


def test_models_that_never_differ_have_a_difference_with_width():
    alike = evaluate.difference(share_right, FOUR_ILL, FOUR_ILL, FOUR_ILL)
    assert np.allclose(alike[:3], [0, -0.0183, 0.0183], atol=5e-4) and not alike.above and not alike.below
    opposite = evaluate.difference(share_right, FOUR_ILL, FOUR_ILL, 1 - FOUR_ILL)
    assert opposite.value == opposite.low == -1 < opposite.high < -0.95


def test_equal_values_without_bounds_are_refused_and_with_bounds_have_width():
    with pytest.raises(ValueError, match="All resamples agree.* 24.3 is not within .*`bounds`"):
        evaluate.bootstrap(np.mean, np.full(30, 24.3))
    estimate = evaluate.bootstrap(np.mean, np.full(30, 24.3), bounds=(0, 60))
    assert 20 < estimate.low < 24.3 < estimate.high < 30
    points = np.full(40, 50.0), np.full(40, 43.0), np.full(40, 43.0)  # a mean error of 7 points, twice
    with pytest.raises(ValueError, match="7 is not within"):
        evaluate.difference(lambda a, b: np.abs(a - b).mean(), *points)
    alike = evaluate.difference(lambda a, b: np.abs(a - b).mean(), *points, bounds=(0, 100))
    assert -10 < alike.low < -5 and 5 < alike.high < 10
    seeds = [np.tile(answers, (3, 1)) for answers in points[1:]]
    with pytest.raises(ValueError, match="7 is not within"):
        evaluate.recipes(lambda a, b: np.abs(a - b).mean(), points[0], *seeds)


def test_an_interval_holds_its_value_or_is_widened_and_says_so():
    rng = np.random.default_rng(6)
    probability = rng.random(300)  # perfect, so that chance makes all of the error, and resampling makes more of it
    methods = set()
    for _ in range(10):
        event = rng.random(300) < probability
        estimate = evaluate.bootstrap(evaluate.expected_calibration_error, event, probability, repeats=100)
        assert estimate.low <= estimate.value <= estimate.high and estimate.low < estimate.high
        methods.add(estimate.method)
    assert "biased, widened to its value" in methods


# ---- shares and areas, hard cases ------------------------------------------------------------------------------------


def coverage(estimates, true):
    """Share of the intervals that contain the true value; each has a width and holds its own value."""
    estimates = list(estimates)
    assert all(e.low < e.high and e.low <= e.value <= e.high for e in estimates)
    return np.mean([e.low <= true <= e.high for e in estimates])


def test_limits_of_counts():
    exact = binomtest(3, 12).proportion_ci(0.9, method="exact")
    assert np.allclose(evaluate.exact_limits(3, 12, level=0.9), exact)
    assert evaluate.exact_limits(0, 4) == (0, pytest.approx(0.6024, abs=1e-4))
    assert evaluate.exact_limits(4, 4) == (pytest.approx(0.3976, abs=1e-4), 1)
    assert evaluate.exact_limits(3, 12) < evaluate.exact_limits(3.5, 12) < evaluate.exact_limits(4, 12)
    assert np.allclose(evaluate.wilson(0, 12), [0, 0.2425], atol=1e-4)  # z² / (n + z²)
    assert np.allclose(evaluate.wilson(28, 28), [0.8794, 1], atol=1e-4)


@pytest.mark.parametrize("n, share", [(20, 0.98), (20, 0.9), (100, 0.98)])
def test_shares_near_1_are_covered(n, share):
    rng = np.random.default_rng(7)
    right = [rng.random(n) < share for _ in range(300)]
    assert coverage((evaluate.bootstrap(np.mean, r, repeats=100) for r in right[:150]), share) > 0.95
    assert coverage((evaluate.share(r, repeats=100) for r in right), share) > 0.95


@pytest.mark.parametrize("n, share, alike", [(20, 0.98, 1), (40, 0.95, 0.5), (100, 0.8, 0.5)])
def test_shares_of_slices_are_covered_by_patient(n, share, alike):
    """alike: the smaller, the more the four slices of a patient agree (parameters of a beta distribution add up to it)."""
    rng, groups = np.random.default_rng(8), np.repeat(np.arange(n), 4)
    ease = [np.repeat(rng.beta(alike * share, alike * (1 - share), n), 4) for _ in range(200)]
    estimates = [evaluate.share(rng.random(4 * n) < each, groups=groups, repeats=150) for each in ease]
    assert {e.n for e in estimates} == {n}
    assert coverage(estimates, share) > 0.91


def test_sensitivity_and_specificity_have_their_own_denominators():
    rng = np.random.default_rng(9)
    ill, groups = np.repeat(np.arange(90) < 50, 4), np.repeat(np.arange(90), 4)
    called = rng.random(360) < np.where(ill, 0.8, 0.3)
    found, spared = evaluate.sensitivity_specificity(ill, called, groups=groups)
    assert found.value == pytest.approx(recall_score(ill, called))
    assert spared.value == pytest.approx(evaluate.specificity(ill, called))
    assert (found.n, spared.n) == (ill.sum() / 4, (~ill).sum() / 4) and found.n != spared.n
    assert f"{found.n} ill patients" in str(found) and f"{spared.n} healthy patients" in str(spared)
    by_rows = evaluate.bootstrap(np.mean, called[ill], groups=groups[ill])
    assert found[:4] == by_rows[:4]  # far from 0 and 1 it is the bootstrap by patient
    four, _ = evaluate.sensitivity_specificity(FOUR_ILL, FOUR_ILL)
    assert (four.n, four.method) == (4, "exact limits") and four.low == evaluate.exact_limits(4, 4)[0]


@pytest.mark.parametrize("ill, healthy, apart", [(3, 40, 1.5), (6, 60, 1.5), (6, 60, 3.0), (20, 20, 1.5)])
def test_areas_are_covered_with_few_ill(ill, healthy, apart):
    rng, truth = np.random.default_rng(10), np.repeat([1, 0], [ill, healthy])
    scores = [rng.normal(size=len(truth)) + apart * truth for _ in range(300)]
    estimates = [evaluate.area_under_curve(truth, score, repeats=100) for score in scores]
    assert coverage(estimates, norm.cdf(apart / np.sqrt(2))) > 0.93
    assert np.mean([e.high - e.low for e in estimates]) < 0.45  # not by being wide alone
    assert estimates[0].value == pytest.approx(roc_auc_score(truth, scores[0]))
    assert {e.method for e in estimates} == {"Newcombe's limits"}


def test_an_area_turned_round_has_its_limits_turned_round():
    truth, score = np.repeat([1, 0], [5, 30]), np.r_[np.linspace(0.4, 1, 5), np.linspace(0, 0.9, 30)]
    one, other = evaluate.area_under_curve(truth, score), evaluate.area_under_curve(truth, -score)
    assert np.allclose(one[:3], [1 - other.value, 1 - other.high, 1 - other.low])
    perfect = evaluate.area_under_curve(truth, truth)
    assert perfect.value == perfect.high == 1 and 0.6 < perfect.low < 0.95
    slices = evaluate.area_under_curve(np.repeat(truth, 4), np.repeat(score, 4), groups=np.repeat(np.arange(35), 4))
    assert np.allclose(slices[:3], one[:3]) and (slices.n, slices.unit) == (35, "patients")
    truth, score = scores(120, np.random.default_rng(17))  # enough of both classes
    many = evaluate.area_under_curve(truth, score, repeats=200)
    assert many == evaluate.bootstrap(roc_auc_score, truth, score, repeats=200)
    kept = np.r_[np.flatnonzero(truth)[:29], np.flatnonzero(truth == 0)]
    assert evaluate.area_under_curve(truth[kept], score[kept]).method == "Newcombe's limits"


def test_slices_become_patients_by_a_stated_rule():
    groups = ["b", "b", "a", "a", "c"]
    assert np.allclose(evaluate.by_patient([0.2, 0.4, 0.9, 0.7, 0.5], groups), [0.8, 0.3, 0.5])
    assert np.allclose(evaluate.by_patient([0.2, 0.4, 0.9, 0.7, 0.5], groups, "max"), [0.9, 0.4, 0.5])
    assert evaluate.by_patient([0, 1, 0, 0, 1], groups, "any").tolist() == [False, True, True]
    assert evaluate.by_patient(np.arange(10).reshape(5, 2), groups).tolist() == [[5, 6], [1, 2], [8, 9]]


def test_the_rate_found_at_few_false_alarms_by_hand():
    truth = np.repeat([1, 0], [10, 200])
    score = np.r_[np.linspace(0.905, 0.995, 10), np.linspace(0, 1, 200)]
    # Two of 200 may be above: 1 and 0.99497. The next, 0.98995, is below one of the ten.
    estimate = evaluate.true_positive_rate_at(truth, score, repeats=100)
    assert estimate.value == pytest.approx(0.1) and (estimate.n, estimate.unit) == (10, "positive images")
    assert evaluate.true_positive_rate_at(truth, score, false_positive_rate=0.05, repeats=100).value == 0.5
    tied = evaluate.true_positive_rate_at(truth, np.ones(210), repeats=100)  # a guess that never tells finds nobody
    assert (tied.value, tied.low) == (0, 0) and 0 < tied.high < 0.4


@pytest.mark.slow
def test_the_rate_found_at_few_false_alarms_is_covered():
    rng, truth = np.random.default_rng(11), np.repeat([1, 0], [60, 300])
    scores = (rng.normal(size=360) + 1.5 * truth for _ in range(150))
    estimates = (evaluate.true_positive_rate_at(truth, score, repeats=150) for score in scores)
    assert coverage(estimates, norm.sf(norm.isf(0.01) - 1.5)) > 0.9


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


@pytest.mark.slow
def test_intervals_of_a_difference_contain_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(1)
    hits = 0
    for seed in range(200):
        truth, first, second, groups = two_models(150, rng, gain=0.15)
        gain = evaluate.difference(share_right, truth, first, second, groups=groups, level=0.9, repeats=200, seed=seed)
        hits += gain.low <= 0.15 <= gain.high
    assert 0.84 < hits / 200 < 0.95


def test_above_below_and_not_shown():
    estimates = [
        evaluate.Estimate(0.1, low, high, 9, "patients") for low, high in [(0.01, 0.2), (-0.3, -0.1), (-0.1, 0.2)]
    ]
    assert [(e.above, e.below) for e in estimates] == [(True, False), (False, True), (False, False)]
    assert not evaluate.Estimate(0.1, 0.0, 0.2, 9, "patients").above


@pytest.mark.slow
def test_the_detectable_difference_is_shown_as_often_as_it_says():
    rng = np.random.default_rng(12)

    def measured(gain):
        return evaluate.bootstrap(np.mean, rng.normal(gain, 1, 100), repeats=150, bounds=(-9, 9))

    detectable = np.mean([measured(0).detectable() for _ in range(20)])
    assert np.mean([measured(detectable).above for _ in range(300)]) == pytest.approx(0.8, abs=0.08)
    estimate = evaluate.Estimate(0, -1, 1, 9, "patients")
    assert estimate.detectable(0.5) == pytest.approx(1) and estimate.detectable(0.8) == pytest.approx(1.429, abs=1e-3)
    assert estimate._replace(level=0.9).detectable(0.8) == pytest.approx(1.512, abs=1e-3)


# ---- two recipes over seeds and patients -----------------------------------------------------------------------------


def runs(rng, seeds, patients, spread, gain=0.0, hard=None):
    """Scores (seeds, patients) of one recipe: each seed has its luck, each patient is hard or easy for all."""
    luck = rng.normal(0, spread, (seeds, 1))
    return 0.5 + gain + luck + (0 if hard is None else hard) + rng.normal(0, 0.2, (seeds, patients))


def mean_score(truth, score):
    return score.mean()


@pytest.mark.slow
@pytest.mark.parametrize("seeds, spread", [(3, 0.05), (5, 0.1), (10, 0.0)])
def test_intervals_between_recipes_hold_over_seeds_and_patients(seeds, spread):
    rng, estimates = np.random.default_rng(13), []
    for seed in range(150):
        hard = rng.normal(0, 0.3, 80)
        first, second = (runs(rng, seeds, 80, spread, gain, hard) for gain in (0, 0.1))
        estimates.append(evaluate.recipes(mean_score, np.zeros(80), first, second, repeats=150, seed=seed))
    assert coverage(estimates, 0.1) > 0.9
    of_the_mean = np.sqrt(2 * (spread**2 + 0.2**2 / 80) / seeds)
    assert np.mean([e.high - e.low for e in estimates]) < 7 * of_the_mean  # not by being wide alone


def test_intervals_that_are_to_be_right_together_are_wider():
    estimate = evaluate.Estimate(0.1, 0.02, 0.2, 9, "patients")
    assert estimate.together(1) == pytest.approx(estimate[:3] + estimate.together(1)[3:])
    wide = estimate.together(37)
    assert (wide.low, wide.high) == pytest.approx((0.1 - 0.08 * 3.2046 / 1.96, 0.1 + 0.1 * 3.2046 / 1.96), abs=1e-4)
    assert wide.level == pytest.approx(1 - 0.05 / 37) and estimate.above and not wide.above
    few_seeds = estimate._replace(freedom=4).together(37)
    assert few_seeds.high == pytest.approx(0.1 + 0.1 * 7.9569 / 2.7764, abs=1e-3)
    with pytest.raises(ValueError, match="comparisons is 0: give how many"):
        estimate.together(0)


def test_recipes_pair_patients_and_never_seeds():
    rng = np.random.default_rng(14)
    hard = rng.normal(0, 0.3, 100)
    first = runs(rng, 6, 100, 0.1, hard=hard)
    second, groups = first + 0.1, np.arange(100)
    gain = evaluate.recipes(mean_score, groups, first, second, groups=groups)
    turned = evaluate.recipes(mean_score, groups, first, second[::-1], groups=groups)
    assert gain.value == pytest.approx(0.1) and turned.value == pytest.approx(0.1)
    assert (
        gain.high - gain.low > 0.06
    )  # by number, the seeds of both are the same, and the interval would have no width
    assert (gain.high - gain.low) / (turned.high - turned.low) == pytest.approx(1, abs=0.1)
    assert str(gain).endswith("; 100 patients, 6 and 6 seeds)")
    apart = evaluate.recipes(mean_score, groups, first, second[:, rng.permutation(100)], groups=groups)
    assert apart.high - apart.low > gain.high - gain.low


def test_what_has_no_seeds_tells_nothing_of_their_spread():
    gap = np.random.default_rng(16).normal(0.1, 0.05, (5, 1)) + np.zeros(60)  # seeds differ, patients do not
    nothing = np.zeros((5, 60))
    of_five = 2.776 * gap[:, 0].std(ddof=1) / np.sqrt(5)  # Student's distribution with 4 degrees of freedom
    for other in (nothing, nothing[:3]):
        for first, second in ((other, gap), (gap, other)):
            estimate = evaluate.recipes(mean_score, np.zeros(60), first, second, bounds=(-1, 1))
            assert (estimate.high - estimate.low) / 2 == pytest.approx(of_five, rel=0.1)
    assert evaluate.recipes(mean_score, np.zeros(60), nothing, nothing + 0.1).value == pytest.approx(0.1)


def test_a_permutation_test_exchanges_the_labels_of_seeds():
    first, second = [0.1, 0.2, 0.3, 0.4], [0.5, 0.6, 0.7, 0.8]
    assert evaluate.permutation_test(first, second) == pytest.approx(2 / 70)  # of 70 ways, two part them so far
    rng = np.random.default_rng(15)
    scores = rng.random((200, 2, 5))
    p = np.array([evaluate.permutation_test(*pair) for pair in scores])
    assert np.mean(p <= 0.05) < 0.1 and 0.1 < np.mean(p <= 0.25) < 0.4
    assert evaluate.permutation_test(*scores[0]) == evaluate.permutation_test(scores[0, 0, ::-1], scores[0, 1])


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


def test_each_bin_holds_its_lower_edge_and_the_last_one_1():
    edges = np.array([0, 0.1, 0.5, 1])
    assert evaluate.reliability([0, 1, 0, 1], edges).count.tolist() == [1, 1, 0, 0, 0, 1, 0, 0, 0, 1]
    assert evaluate.reliability([0, 1, 0, 1], edges, bins=2).count.tolist() == [2, 2]


def test_a_calibrated_model_lies_within_its_null_and_another_above():
    rng = np.random.default_rng(16)
    probability, groups = rng.random(400), np.repeat(np.arange(100), 4)
    null = evaluate.calibration_null(probability, repeats=400)
    errors = np.array(
        [evaluate.expected_calibration_error(rng.random(400) < probability, probability) for _ in range(300)]
    )
    assert 0.91 < np.mean((errors >= null.low) & (errors <= null.high)) < 0.99
    assert null.value == pytest.approx(np.mean(errors), abs=0.003) and null.low > 0.01
    assert evaluate.expected_calibration_error(rng.random(400) < probability, probability**2) > null.high
    clustered = evaluate.calibration_null(np.repeat(probability[:100], 4), groups=groups, repeats=400)
    single = evaluate.calibration_null(probability[:100], repeats=400)
    assert clustered.n == 100 and clustered.value == pytest.approx(single.value, abs=0.005)
    order = rng.permutation(400)  # the items' order says nothing
    mixed = evaluate.calibration_null(np.repeat(probability[:100], 4)[order], groups=groups[order], repeats=400)
    assert mixed.value == pytest.approx(clustered.value)


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
        (lambda: evaluate.calibration_null([0.1, 1.2]), "`probability` must lie"),
        (lambda: evaluate.exact_limits(5, 4), "k is 5 and n is 4"),
        (lambda: evaluate.wilson(0, 0), "n at least 1"),
        (lambda: evaluate.exact_limits(1, 4, level=95), "level is 95"),
        (lambda: evaluate.share([0, 0.5]), "`event` must hold 0 and 1"),
        (lambda: evaluate.share([0, 1], among=[0, 0]), "nobody of whom"),
        (lambda: evaluate.share([0, 1, 1], among=[1, 0, 0]), r"Too few images \(1\)"),
        (lambda: evaluate.share([0, 1], groups=[[1], [2]]), r"its shape is \(2, 1\)"),
        (lambda: evaluate.area_under_curve([1, 1], [0.1, 0.2]), "one class"),
        (lambda: evaluate.area_under_curve([0, 1], [0.1, np.nan]), "not finite"),
        (lambda: evaluate.by_patient([1, 2], [1, 1], "median"), "rule is 'median': give one of 'mean'"),
        (lambda: evaluate.by_patient([0.5, 2], [1, 1], "any"), "0 and 1 only"),
        (lambda: evaluate.by_patient([1, 2], [[1], [2]]), r"its shape is \(2, 1\)"),
        (lambda: evaluate.true_positive_rate_at([1] * 9 + [0] * 99, range(108)), "Of 99 negative .* at least 100"),
        (lambda: evaluate.true_positive_rate_at([1, 0], [1, 0], false_positive_rate=1), "false_positive_rate is 1"),
        (lambda: evaluate.true_positive_rate_at([0] * 200, range(200)), "undefined on most"),
        (lambda: evaluate.recipes(mean_score, [0, 1], np.ones((2, 2)), np.ones((3, 2))), "`first` .* three seeds"),
        (lambda: evaluate.recipes(mean_score, [0, 1], np.ones((3, 2)), np.ones((3, 4))), "one length"),
        (lambda: evaluate.permutation_test([1, 2, 3], [4, 5, 6]), "3 and 3 seeds p is never below 0.1: too few"),
        (lambda: evaluate.permutation_test([1, np.nan], [4, 5]), "one finite score for each seed"),
        (lambda: evaluate.Estimate(0, -1, 1, 9, "patients").detectable(80), "power is 80"),
        (lambda: evaluate.fit_temperature([0, 1], [1.0, 2.0]), r"label must be \(n,\)"),
        (lambda: evaluate.fit_temperature([0, 4], np.zeros((2, 4))), "from 0 to 3"),
        (lambda: evaluate.fit_temperature([0, 1], [[0, np.inf], [0, 1]]), "not finite"),
    ],
)
def test_a_wrong_argument_gets_a_sentence(call, message):
    with pytest.raises(ValueError, match=message):
        call()
