"""What is particular to the explorers and exercises of lesson 05."""

import numpy as np
import pytest
from scipy import ndimage

from course_lib.exercises.engine import CORRECT, NOT_YET
from course_lib.lessons.medical_images import exercises, explorers


def test_presets_move_the_sliders_and_follow_them():
    explorer = explorers.window_level()
    preset = explorer._layout(explorer).children[0]
    preset.value = "lung"
    assert (explorer.controls["level"].value, explorer.controls["width"].value) == explorers.WINDOWS["lung"]
    explorer.controls["level"].value = -500
    assert preset.value == "by hand"
    explorer.set(**dict(zip(("level", "width"), explorers.WINDOWS["bone"], strict=True)))
    assert preset.value == "bone"


def test_scaling_per_image_undoes_a_gain_and_training_statistics_do_not():
    image, training = explorers._slices()
    both = np.stack([image, 1.6 * image])
    for name in explorers._SCALES:
        first, second = explorers._scaled(name, both, training)
        assert np.allclose(first, second, atol=1e-4) == ("per image" in name)


GROUPS, FRACTION, SEED = exercises.split_by_patient.inputs()[1]  # 20 patients with 4 images each
TEST = np.isin(GROUPS, [1, 4, 9, 13, 18])


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (np.flatnonzero(TEST), "two arrays"),
        ((~TEST, TEST), "whole numbers"),
        ((np.flatnonzero(~TEST)[1:], np.flatnonzero(TEST)), "every image exactly once"),
        ((np.arange(10, 80), np.arange(10)), "1 of 20 patients have images on both sides"),
        ((np.arange(12, 80), np.arange(12)), "3 of 20 patients are in the test part"),
    ],
)
def test_a_wrong_split_is_told_which_property_failed(answer, sentence):
    verdict = exercises.split_by_patient.judge(lambda groups, fraction, seed: answer, [(GROUPS, FRACTION, SEED)])
    assert verdict.outcome == NOT_YET and sentence in verdict.message


def test_what_is_drawn_without_chance_is_told_so():
    def block(groups, fraction, seed):
        patients = np.roll(np.unique(groups), seed)
        chosen = np.isin(groups, patients[: round(fraction * len(patients))])
        return np.flatnonzero(~chosen), np.flatnonzero(chosen)

    verdict = exercises.split_by_patient.judge(block)
    assert verdict.outcome == NOT_YET and "neighbouring patient numbers" in verdict.message


def test_the_answer_about_the_aorta():
    """At width 400 black is what lies below level − 200: nearly all of the aorta at level 390, little of it at 340."""
    labels, count = ndimage.label((explorers._ct() > 120) & (explorers._ct() < 500))
    aorta = explorers._ct()[labels == labels[9, 90]]
    assert count and len(aorta) > 500 and abs(np.median(aorta) - 160) < 5
    assert (aorta < 390 - 200).mean() > 0.9 and (aorta < 340 - 200).mean() < 0.2


def test_the_answer_about_noise_and_the_bright_pixel():
    muscle = explorers._ct()[82:92, 36:46]
    assert muscle.std() > 10
    image, training = explorers._slices()
    clip = image.copy()
    clip[40, 40] = 3.0
    both = np.stack([image, clip])
    dark = explorers._scaled("min–max per image", both, training)
    assert np.isclose(dark[0, 60, 60] / dark[1, 60, 60], 3 / image.max(), rtol=0.05)
    first, second = explorers._scaled("z-score per image", both, training)
    changed = np.abs(first - second)
    changed[40, 40] = 0
    assert changed.max() < 0.05


def test_any_random_split_by_patient_is_right():
    def by_shuffling_a_list(groups, fraction, seed):
        import random

        patients = sorted(set(groups.tolist()))
        random.Random(seed).shuffle(patients)
        chosen = set(patients[: round(len(patients) * fraction)])
        test = [i for i, group in enumerate(groups) if int(group) in chosen]
        return [i for i in range(len(groups)) if i not in set(test)], test

    assert exercises.split_by_patient.judge(by_shuffling_a_list).outcome == CORRECT
