"""Lesson 15: the stored study keeps its own rules, and its explorers show what is stored."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import f1_score, recall_score

from course_lib import data, results
from course_lib.lessons.synthetic_data import exercises as lesson
from course_lib.lessons.synthetic_data import explorers
from course_lib.lessons.synthetic_data.model import nearest_of_class, slices_of

pytestmark = pytest.mark.slow

STUDIES = results.load("synthetic_data/study")
SEEDS = list(STUDIES)


def arrays_of(seed):
    return results.arrays("synthetic_data/study", seed)


def test_seeds_are_independent_repetitions():
    assert len(SEEDS) >= 2
    sets = [STUDIES[seed]["patient_set"] for seed in SEEDS]
    assert len(set(sets)) == len(sets), "two seeds share their patients"


@pytest.mark.parametrize("seed", SEEDS)
def test_stored_scores_follow_from_the_stored_answers(seed):
    study, arrays = STUDIES[seed], arrays_of(seed)
    for patients, run in study["runs"].items():
        label = arrays[f"label_{patients}"]
        assert list(run["macro_f1"]) == list(explorers.ARMS)
        for arm, guess in zip(explorers.ARMS, arrays[f"guess_{patients}"], strict=True):
            assert run["macro_f1"][arm] == pytest.approx(f1_score(label, guess, average="macro"), abs=1e-4)
            assert run["recall_infarct"][arm] == pytest.approx(recall_score(label == 2, guess == 2), abs=1e-4)


@pytest.mark.parametrize("seed", SEEDS)
def test_training_patients_are_as_many_as_said_and_in_no_test(seed):
    study, arrays = STUDIES[seed], arrays_of(seed)
    for patients in study["runs"]:
        per_class = study["patients"][patients]
        groups, label = arrays[f"member_groups_{patients}"], arrays[f"member_label_{patients}"]
        assert [len(np.unique(groups[label == c])) for c in range(3)] == per_class
        assert not np.intersect1d(groups, arrays[f"groups_{patients}"]).size
        unseen = arrays[f"unseen_groups_{patients}"]
        assert np.isin(unseen, arrays[f"groups_{patients}"]).all()
        shares = [np.bincount(arrays[f"{name}_label_{patients}"]) for name in ("member", "unseen")]
        assert np.allclose(*(share / share.sum() for share in shares)), "the attack would tell classes, not members"


def test_stored_patients_are_those_of_the_dataset():
    brains, arrays = data.load("brain-lesions", size=32), arrays_of(0)
    for name, split in (("member", brains.train), ("unseen", brains.test)):
        for patients in explorers.PATIENTS:
            rows = np.isin(split.groups, arrays[f"{name}_groups_{patients}"])
            label = np.searchsorted([0, 1, 3], split.targets["label"][rows])
            assert np.array_equal(label, arrays[f"{name}_label_{patients}"])


@pytest.mark.parametrize("patients", explorers.PATIENTS)
def test_generated_images_are_images(patients):
    released = explorers.released_images(patients)
    assert released.shape == (3000, 32, 32, 1) and released.min() >= 0 and released.max() <= 1
    # A brain in the middle and air around it, and not the same one each time.
    assert released[:, 12:20, 12:20].mean() > 0.3 > 0.1 > released[:, :3, :3].mean()
    assert released.std(axis=0).max() > 0.05


def test_results_are_small():
    assert sum(path.stat().st_size for path in (results.LESSONS / "synthetic_data" / "results").iterdir()) < 2e6


def membership(**changes):
    figure = explorers.release()
    figure.render(**changes)
    return float(figure._figure.axes[1].get_title().split()[-1])


@pytest.mark.parametrize("kind", explorers.CLASSES)
def test_planted_copies_are_found(kind):
    changes = {"patients": explorers.PATIENTS[-1], "kind": kind}
    without, half, noisy = (membership(**changes, planted=p, noise=s) for p, s in ((0, 0.0), (50, 0.0), (50, 0.2)))
    assert half > without
    assert half == pytest.approx(
        (1 + without) / 2, abs=0.08
    )  # half of the members come first, the others are as before
    assert noisy <= half


def test_arms_explorer_counts_every_test_slice():
    tables = explorers._confusions()
    for patients in explorers.PATIENTS:
        assert tables[patients].shape == (len(SEEDS), len(explorers.ARMS), 3, 3)
        assert (tables[patients].sum(-1) == 160).all()
        first = STUDIES[0]["runs"][patients]["macro_f1"]
        assert np.allclose(explorers.MEASURES["macro-F1"](tables[patients])[0], list(first.values()), atol=1e-4)


def test_reference_solutions_agree_with_scipy():
    for right, n in ((143, 182), (0, 12), (7, 7)):
        interval = stats.binomtest(right, n).proportion_ci(method="wilson")
        assert lesson.wilson.reference(right, n) == pytest.approx((interval.low, interval.high), abs=1e-4)


def test_interval_over_seeds_contains_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(0)
    common = rng.normal(0, 1, (2000, 5))  # what makes a seed easy or hard, for both arms
    first, second = common, common + rng.normal(0.1, 0.2, (2000, 5))
    ends = np.array([lesson.over_seeds.reference(a, b) for a, b in zip(first, second, strict=True)])
    assert np.mean((ends[:, 1] < 0.1) & (ends[:, 2] > 0.1)) == pytest.approx(0.95, abs=0.015)


def test_the_nearest_is_sought_in_the_same_class():
    images = np.array([0.0, 1.0, 5.0]).reshape(3, 1, 1, 1)
    others = np.array([0.1, 0.9, 4.0, 1.2]).reshape(4, 1, 1, 1)
    index, distance = nearest_of_class(images, np.array([0, 0, 1]), others, np.array([1, 0, 1, 0]))
    assert index.tolist() == [1, 1, 2] and distance == pytest.approx([0.9, 0.1, 1.0])


def test_three_classes_are_numbered_without_a_gap():
    split = data.load("brain-lesions", size=32).val
    images, label, groups = slices_of(split)
    assert set(label) == {0, 1, 2} and len(images) == np.isin(split.targets["label"], [0, 1, 3]).sum()
    ill = split.groups[split.targets["label"] == 3][0]
    assert set(slices_of(split, [ill])[1]) == {2} and (slices_of(split, [ill])[2] == ill).all()
