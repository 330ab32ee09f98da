"""Lesson 11: the marker, the stored networks and runs, and the slices that notebook and experiment look at."""

import numpy as np
import pytest

from course_lib import data, models, results
from course_lib.images import add_marker
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


def test_five_stored_networks_answered_for_the_same_new_patients():
    runs = {seed: results.arrays("explanations/explanations", seed) for seed in range(5)}
    for run in runs.values():
        assert np.array_equal(run["truth"], runs[0]["truth"]) and np.array_equal(run["rows"], runs[0]["rows"])
        assert len(np.unique(run["groups"])) == 320 and len(np.unique(run["groups"][run["rows"]])) == len(run["rows"]) == 120
        assert np.array_equal(np.unique(run["truth"][run["rows"]], return_counts=True), [[1, 2, 3], [40, 40, 40]])
        assert 0.8 < run["recognised"].mean() < 1
        for name, values in run.items():
            low = -1 if "absolute, " in name or "signed, " in name else 0
            assert ":" not in name or (values.min() >= low - 1e-6 and values.max() <= 1 + 1e-6), name
    assert len({run["gradient: deletion"].mean() for run in runs.values()}) == 5  # each from a network of its own
