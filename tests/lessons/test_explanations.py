"""Lesson 11: the marker, the stored networks and runs, and the slices that notebook and experiment look at."""

import numpy as np
import pytest

from course_lib import data, explain, models, results
from course_lib.images import add_marker
from course_lib.lessons.explanations import exercises, experiment
from course_lib.lessons.explanations import model as lesson

pytestmark = pytest.mark.slow


def test_a_marker_is_a_cross_where_it_is_asked_for_and_stays_inside():
    images = np.zeros((3, 16, 16, 1), np.float32)
    marked = add_marker(images, [(5, 7), None, (0, 15)])
    assert not images.any() and not marked[1].any()
    assert marked[0, 3:8, 7, 0].tolist() == [1] * 5 and marked[0, 5, 5:10, 0].tolist() == [1] * 5
    assert marked.sum((1, 2, 3)).tolist() == [9, 0, 9]


@pytest.mark.parametrize("name, classes", [("marker", 1), ("normal", 4)])
def test_the_stored_models_are_small_and_load_in_safe_mode(name, classes):
    folder = results.LESSONS / "explanations" / "results"
    assert sum(file.stat().st_size for file in folder.iterdir()) < 2e6
    assert not list(folder.glob("*.keras"))  # weights are arrays: loading them runs no code
    test = data.load("brain-lesions").test
    models.small_cnn((32, 32, 1), 2)  # another network does not change the names of the layers
    model = lesson.stored_network(name)
    assert model.output_shape == (None, classes) and not model.compiled
    assert model.get_layer(lesson.LAST).output.shape[1:3] == (8, 8)  # Grad-CAM wants 7 × 7 or more
    if name == "normal":
        right = model.predict(test.x, verbose=0).argmax(-1) == test.targets["label"]
        assert right.mean() > 0.6
    else:
        marked = lesson.with_marker(test, 0, 1, lesson.corner, seed=0)
        found = model.predict(marked, verbose=0)[:, 0] > 0
        assert (found == (test.targets["label"] > 0)).mean() > 0.85


def test_the_markers_go_to_these_shares_of_patients():
    test = data.load("brain-lesions").test
    marked = (lesson.with_marker(test, 0.2, 0.9, lesson.corner, seed=0) != test.x).any((1, 2, 3))
    ill, patients = test.targets["label"] > 0, np.unique(test.groups)
    for share, who in ((0.2, ~ill), (0.9, ill)):
        assert marked[who].mean() == pytest.approx(share, abs=0.15)
    assert all(len(set(marked[test.groups == patient])) == 1 for patient in patients)


def test_the_deepest_place_is_in_the_middle_and_inside():
    mask = np.zeros((12, 12), bool)
    mask[2:9, 3:10] = True
    mask[2:9, 10:] = False
    assert lesson.deepest(mask) == (5, 6)


def test_the_slice_of_a_patient_is_the_one_with_most_lesion():
    test = data.load("brain-lesions").test
    rows = lesson.largest_slices(test, (1, 3), [0, 2])
    assert test.targets["label"][rows].tolist() == [1, 1, 3, 3] and len(set(test.groups[rows])) == 4
    for row in rows:
        assert test.masks[row].sum() == max(mask.sum() for mask in test.masks[test.groups == test.groups[row]])


@pytest.fixture(scope="module")
def runs():
    return {seed: results.arrays("explanations/explanations", seed) for seed in range(5)}


@pytest.fixture(scope="module")
def asked():
    """The test patients whom the stored networks answered for."""
    return data.load("brain-lesions", seed=experiment.TEST_SET, n_test=experiment.TEST).test


def test_five_stored_networks_answered_for_the_same_new_patients(runs):
    for run in runs.values():
        assert np.array_equal(run["truth"], runs[0]["truth"]) and np.array_equal(run["rows"], runs[0]["rows"])
        assert (
            len(np.unique(run["groups"])) == 320
            and len(np.unique(run["groups"][run["rows"]])) == len(run["rows"]) == 120
        )
        assert np.array_equal(np.unique(run["truth"][run["rows"]], return_counts=True), [[1, 2, 3], [40, 40, 40]])
        assert 0.8 < run["recognised"].mean() < 1
        for name, values in run.items():
            low = -1 if "absolute, " in name or "signed, " in name else 0
            assert ":" not in name or (values.min() >= low - 1e-6 and values.max() <= 1 + 1e-6), name
    assert len({run["gradient: deletion"].mean() for run in runs.values()}) == 5  # each from a network of its own


def test_the_stored_answers_and_scores_are_those_of_the_stored_network(runs, asked):
    run, network = runs[0], lesson.stored_network("normal")
    assert np.array_equal(run["truth"], asked.targets["label"]) and np.array_equal(run["groups"], asked.groups)
    rows = lesson.largest_slices(asked, (1, 2, 3), slice(experiment.EACH))
    assert np.array_equal(run["rows"], rows)
    x, target, masks = asked.x[rows], asked.targets["label"][rows], asked.masks[rows]
    right = network.predict(x, verbose=0).argmax(-1) == target
    assert np.mean(right == run["recognised"]) > 0.97  # another processor may turn one over
    slopes = explain.gradient(network, x, target)[..., 0]
    assert np.mean(np.isclose(explain.mass_inside(np.abs(slopes), masks), run["gradient: mass"], atol=1e-3)) > 0.97
    assert np.mean(explain.pointing(np.abs(slopes), masks) == run["gradient: pointing"]) > 0.97
    curve = explain.replacement_curve(network, x, lesson.replacement("grey", x), target, np.abs(slopes))
    assert np.mean(np.isclose(explain.area_under(curve), run["gradient: deletion to grey"], atol=0.02)) > 0.95
    others = explain.gradient(network, x[::3], target[::3] % 3 + 1)[..., 0]
    for kind, signed in (("signed", True), ("absolute", False)):
        alike = explain.similarity(others, slopes[::3], signed=signed)
        assert np.mean(np.isclose(alike, run[f"gradient: {kind}, other class"], atol=0.01)) > 0.95


def test_maps_without_negative_values_are_as_alike_with_signs_as_without(runs):
    for run in runs.values():
        for name in ("Grad-CAM", "guided backprop"):
            for what in [*"12345", "other class"]:
                assert np.allclose(run[f"{name}: signed, {what}"], run[f"{name}: absolute, {what}"], atol=1e-6)


def test_the_networks_with_the_cross_in_the_corner_say_lesion_where_the_cross_is(runs, asked):
    for shares, name in (((0.05, 0.95), "marked as in training"), ((0.95, 0.05), "marked the other way round")):
        crossed = (lesson.with_marker(asked, *shares, lesson.corner, seed=2) != asked.x).any((1, 2, 3))
        for run in runs.values():
            assert np.mean(run[f"marker: {name}"] == crossed) > 0.99
    assert not any(run["marker: no marker"].any() for run in runs.values())


def test_nobody_without_a_lesion_has_callipers(runs):
    for run in runs.values():
        usual, without = run["calliper: marked as in training"], run["calliper: no marker"]
        healthy = run["truth"] == 0
        assert np.array_equal(usual[healthy], without[healthy])
        assert usual[~healthy].sum() > 1.2 * without[~healthy].sum()


def test_the_question_about_the_dark_lesion_has_the_measured_answer():
    """Of the two factors of a share the slope explains what a black baseline does to infarcts, not the distance."""
    test, network = data.load("brain-lesions").test, lesson.stored_network("normal")
    rows = lesson.largest_slices(test, [3], slice(15))
    x, masks = test.x[rows], test.masks[rows]
    rest, ratios, inside = (x[..., 0] > 0.1) & ~masks, {}, {}
    for name, baseline in (("black", np.zeros_like(x)), ("blurred", lesson.replacement("blurred", x))):
        shares = explain.integrated_gradients(network, x, 3, baseline=baseline, steps=16)
        distance = np.abs(x - baseline)[..., 0]
        slope = np.abs(shares) / np.maximum(distance, 1e-6)
        ratios[name] = [factor[masks].mean() / factor[rest].mean() for factor in (distance, slope)]
        inside[name] = explain.mass_inside(shares, masks).mean()
    assert inside["black"] < 0.7 * inside["blurred"]
    assert ratios["black"][0] == pytest.approx(ratios["blurred"][0], rel=0.15)  # answer a
    assert ratios["black"][1] < 0.6 * ratios["blurred"][1]  # answer c
    finer = explain.integrated_gradients(network, x, 3, steps=64)  # answer b
    assert explain.mass_inside(finer, masks).mean() == pytest.approx(inside["black"], abs=0.01)
    difference = explain.logit(network, x, 3) - explain.logit(network, np.zeros_like(x), 3)  # answer d
    assert np.abs(finer.sum((1, 2)) - difference).mean() < 0.05 * difference.mean()
    assert exercises.dark_lesion.answer == "c"
