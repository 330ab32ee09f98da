"""Lesson 10: its explorer draws what scikit-learn computes, and its stored results belong together."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from sklearn.metrics import accuracy_score, precision_score, recall_score, roc_auc_score

from course_lib import evaluate, results
from course_lib.lessons.evaluation import exercises, explorers, model
from course_lib.ops import softmax


def draw(**changes):
    """The axes of the explorer's picture, by their order: scores, table, ROC, precision and recall."""
    figure = Figure(figsize=(11.5, 3.7), layout="constrained")
    values = {"disease": "any lesion", "threshold": 0.5, "prevalence": 25.0}
    explorers._draw_threshold_and_prevalence(figure, **{**values, **changes})
    return figure.axes


def cells(ax):
    """The four numbers of the table: ill and called ill, ill and called healthy, healthy and …"""
    return [float(text.get_text()) for text in ax.texts]


def point(ax):
    """The one marker on a curve."""
    (line,) = [line for line in ax.lines if line.get_marker() == "o"]
    return line.get_xdata()[0], line.get_ydata()[0]


@pytest.mark.parametrize("disease", explorers.DISEASES)
def test_at_the_test_sets_own_prevalence_the_explorer_is_scikit_learn(disease):
    truth, score = explorers._stored_scores(disease)
    called = score >= 0.37
    _, table, roc, recall = draw(disease=disease, threshold=0.37, prevalence=100 * truth.mean())
    assert point(recall) == pytest.approx((recall_score(truth, called), precision_score(truth, called)))
    assert point(roc)[1] == pytest.approx(recall_score(truth, called))
    assert point(roc)[0] == pytest.approx(1 - recall_score(~truth, ~called))
    counts = [np.sum(a & b) for a in (truth, ~truth) for b in (called, ~called)]
    assert np.allclose(cells(table), 1000 * np.array(counts) / len(truth), atol=0.51)
    curve = roc.lines[0]
    assert np.trapezoid(curve.get_ydata(), curve.get_xdata()) == pytest.approx(roc_auc_score(truth, score), abs=2e-3)


def test_prevalence_moves_the_table_and_precision_but_not_the_roc():
    _, table, roc, recall = draw(prevalence=75.0)
    _, rare_table, rare_roc, rare_recall = draw(prevalence=1.0)
    assert point(roc) == point(rare_roc) and np.array_equal(roc.lines[0].get_ydata(), rare_roc.lines[0].get_ydata())
    # The last point of the curve: everybody is called ill.
    assert recall.lines[0].get_ydata()[-1] == pytest.approx(0.75)
    assert rare_recall.lines[0].get_ydata()[-1] == pytest.approx(0.01)
    assert point(recall)[0] == point(rare_recall)[0] and point(rare_recall)[1] < point(recall)[1] / 5
    assert sum(cells(rare_table)[:2]) == pytest.approx(10, abs=1) and sum(cells(table)[:2]) == pytest.approx(750, abs=1)


def test_with_nobody_called_ill_there_is_no_precision():
    _, table, _, recall = draw(disease="mass", threshold=1.0)
    assert cells(table)[0] == cells(table)[2] == 0
    assert "PPV –" in table.get_title() and not [line for line in recall.lines if line.get_marker() == "o"]


def test_stored_scores_give_the_stored_accuracies():
    runs = {arm: results.load(f"evaluation/{arm}") for arm in ("cnn", "half", "noisy", "marker")}
    assert len(runs["cnn"]) == len(runs["marker"]) == 10
    for arm in ("cnn", "half", "noisy"):
        for seed, run in runs[arm].items():
            scores = results.arrays(f"evaluation/{arm}", seed)
            assert np.unique(scores["test_groups"]).size == 500
            answers = softmax(scores["test"].astype(float)).argmax(axis=1)
            assert run["rate"] == model.best_rate("half" if arm == "half" else "cnn")
            assert accuracy_score(scores["test_label"], answers) == pytest.approx(run["accuracy"]["test"], abs=1e-4)


IMAGES = np.random.default_rng(0).uniform(0, 0.8, (6, 32, 32, 1)).astype(np.float32)


def test_only_the_chosen_images_get_the_marker_and_only_in_its_corner():
    chosen = np.array([True, False, True, False, False, True])
    for corner, place in [("top left", np.s_[:16, :16]), ("bottom right", np.s_[16:, 16:])]:
        marked = model.with_marker(IMAGES, chosen, corner)
        changed = (marked != IMAGES)[..., 0]
        assert changed.sum(axis=(1, 2)).tolist() == [7, 0, 7, 0, 0, 7]  # an L of seven pixels
        assert changed[:, *place].sum() == changed.sum() and (marked[..., 0][changed] == np.float32(0.9)).all()


def test_the_ward_marks_patients_and_most_of_them_are_ill():
    groups = np.repeat(np.random.default_rng(1).permutation(2000), 4)
    mass = groups % 2
    marked = model.by_ward(mass, groups, seed=3).reshape(-1, 4)
    assert (marked == marked[:, :1]).all()
    ill = mass[::4] == 1
    assert marked[ill, 0].mean() == pytest.approx(0.95, abs=0.02) and marked[~ill, 0].mean() == pytest.approx(
        0.05, abs=0.02
    )


def test_the_five_tests_show_the_same_images_with_the_marker_here_and_there():
    mass, groups = np.array([0, 0, 1, 1, 1, 1]), np.array([5, 5, 7, 7, 2, 2])
    tests = model.marker_tests(IMAGES, mass, groups)
    marked = {name: (shown != IMAGES).any(axis=(1, 2, 3)) for name, shown in tests.items()}
    assert marked["marker on all"].all() and not marked["no marker"].any()
    assert np.array_equal(marked["marker swapped"], ~marked["as in training"])
    assert np.array_equal(marked["marker moved"], marked["as in training"]) and marked["marker moved"].any()
    both, labels = model.twice(IMAGES, mass)
    assert np.array_equal(both, np.concatenate([tests["no marker"], tests["marker on all"]]))
    assert labels.tolist() == [0, 0, 1, 1, 1, 1] * 2


def test_what_students_write_is_what_the_library_does():
    rng = np.random.default_rng(0)
    truth, patient = rng.permutation(np.repeat([0, 1], 40)), rng.permutation(np.repeat(np.arange(16), 5))
    score = np.round(rng.normal(truth, 1), 1)
    for share in (0.5, 0.9, 0.95, 1):
        chosen = exercises.choose_threshold.reference(truth, score, share)
        assert chosen == evaluate.operating_point(truth, score, sensitivity=share)
    assert np.allclose(exercises.by_patient.reference(score, patient)[1], evaluate.by_patient(score, patient))
    assert exercises.area_under_roc.reference(truth, score) == pytest.approx(roc_auc_score(truth, score))
    assert exercises.ppv.reference(0.9, 0.8, 0.03) == pytest.approx(evaluate.predictive_values(0.9, 0.8, 0.03)[0])
    for n, level in [(1, 0.95), (40, 0.9), (120, 0.99)]:
        limit = exercises.upper_limit.reference(n, level)
        assert limit == pytest.approx(evaluate.exact_limits(0, n, level=level)[1])
    right = score > 0.5
    middle = np.percentile(exercises.patient_bootstrap.reference(right, patient, 0, 2000), [2.5, 97.5])
    theirs = evaluate.bootstrap(lambda r: np.mean(r), right, groups=patient, repeats=2000)
    assert middle == pytest.approx([theirs.low, theirs.high], abs=0.02)
