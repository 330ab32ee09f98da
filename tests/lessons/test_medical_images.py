"""What is particular to the explorers and exercises of lesson 05."""

import numpy as np
import pytest

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


GROUPS, FRACTION, SEED = exercises.split_by_patient.inputs()[0]  # 20 patients with 4 images each
TEST = np.isin(GROUPS, [1, 4, 9, 13, 18])


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (np.flatnonzero(TEST), "two arrays"),
        ((~TEST, TEST), "whole numbers"),
        ((np.flatnonzero(~TEST)[1:], np.flatnonzero(TEST)), "every image exactly once"),
        ((np.arange(10, 80), np.arange(10)), "1 of 20 patients have images on both sides"),
        ((np.arange(12, 80), np.arange(12)), "3 of 20 patients are in the test part"),
        ((np.arange(60), np.arange(60, 80)), "neighbouring patient numbers"),
    ],
)
def test_a_wrong_split_is_told_which_property_failed(answer, sentence):
    verdict = exercises.split_by_patient.judge(lambda groups, fraction, seed: answer)
    assert verdict.outcome == NOT_YET and sentence in verdict.message


def test_any_random_split_by_patient_is_right():
    def by_shuffling_a_list(groups, fraction, seed):
        import random

        patients = sorted(set(groups.tolist()))
        random.Random(seed).shuffle(patients)
        chosen = set(patients[: round(len(patients) * fraction)])
        test = [i for i, group in enumerate(groups) if int(group) in chosen]
        return [i for i in range(len(groups)) if i not in set(test)], test

    assert exercises.split_by_patient.judge(by_shuffling_a_list).outcome == CORRECT
