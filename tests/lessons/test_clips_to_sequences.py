"""Lesson 12: what its notebook and experiment share does what it says, and the stored runs say what is said of them."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from course_lib import results
from course_lib.lessons.clips_to_sequences import explorers, model

pytestmark = pytest.mark.slow


def test_the_sector_is_the_largest_region_that_changes_without_holes():
    rng = np.random.default_rng(0)
    clip = np.full((8, 20, 20), 0.1)
    clip[:, 2, 2:18] = 1  # burnt in, does not change
    clip[:, 5:15, 4:16] = rng.uniform(size=(8, 10, 12))
    clip[:, 9, 9] = 0.5  # a still pixel inside
    clip[:, 18, 18] = rng.uniform(size=8)  # a clock that runs
    expected = np.zeros((20, 20), bool)
    expected[5:15, 4:16] = True
    assert np.array_equal(model.find_sector(clip), expected)


def test_the_explorers_real_clip_is_black_outside_the_sector():
    clip, step, values, names = explorers._clip(explorers.REAL)
    assert clip.shape == (30, 190, 190) and step == 1 / 30 and values.shape == (30, len(names))
    still = clip.std(axis=0) < 1 / 255
    assert (clip[:, still] > 10 / 255).mean() < 0.01  # no text, no scale


def test_segment_features_are_mean_and_deviation_whatever_the_order():
    values = np.random.default_rng(1).normal(size=(3, 10, 2))
    found = model.segment_features(values, 4, 3)
    assert found.shape == (3, 3, 4)
    assert np.allclose(found[1, 2], [*values[1, 6:10].mean(axis=0), *values[1, 6:10].std(axis=0)])
    assert np.allclose(model.segment_features(values[:, ::-1], 10, 10), model.segment_features(values, 10, 10))


class Remembers:
    """An estimator that knows what it was given, and answers with the first value of a row."""

    def fit(self, table, target):
        self.table, self.target = table, target
        return self

    def predict(self, table):
        return table[:, 0]


def test_segments_get_their_patients_target_and_a_patient_the_mean_of_its_segments():
    segments = np.arange(24.0).reshape(2, 3, 4)
    fitted = model.fit_segments(Remembers(), segments, [50, 60])
    assert fitted.target.tolist() == [50, 50, 50, 60, 60, 60]
    assert np.array_equal(fitted.table, segments.reshape(6, 4))
    assert model.mean_answer(fitted.predict, segments).tolist() == [4, 16]


def test_each_clip_is_shuffled_in_an_order_of_its_own():
    clips = np.tile(np.arange(20), (5, 1))
    mixed = model.shuffled(clips, 0)
    assert np.array_equal(np.sort(mixed), clips) and len({tuple(one) for one in mixed}) == 5
    assert np.array_equal(mixed, model.shuffled(clips, 0)) and not np.array_equal(mixed, model.shuffled(clips, 1))


def test_the_cavitys_curve_keeps_the_beat_and_loses_drift_gain_and_surroundings():
    t = np.arange(48)
    beat = np.sin(2 * np.pi * t / 10)
    clips = np.random.default_rng(2).uniform(size=(2, 48, 48, 48, 1))
    clips[0, :, *model.CAVITY, 0] = (0.3 + 0.05 * beat)[:, None, None]
    clips[1, :, *model.CAVITY, 0] = (0.2 + 0.002 * t + 0.01 * beat)[:, None, None]
    steady, drifting = model.cavity_curve(clips)[..., 0]
    assert np.allclose([steady.std(), drifting.std()], 1, atol=1e-3)
    middle = slice(12, 36)
    assert np.corrcoef(steady[middle], beat[middle])[0, 1] > 0.99
    assert np.abs(steady - drifting)[middle].max() < 0.3
    assert np.abs(model.without_drift(np.ones((1, 48, 1)))).max() < 1e-6  # a feature that never changes


def test_area_is_that_of_scikit_learn_ties_too():
    truth, score = np.array([0, 1, 1, 0, 1, 0, 0]), np.array([0.1, 0.4, 0.4, 0.4, 0.9, 0.9, -1])
    assert model.area(truth, score) == pytest.approx(roc_auc_score(truth, score))


# ---- stored runs --------------------------------------------------------------------------------------------------------


def test_every_stored_seed_of_the_windows_holds_every_part():
    runs = results.load("clips_to_sequences/windows")
    assert len(runs) >= 4
    for run in runs.values():
        assert set(run["length"]) == {"3", "6", "12", "24", "48"} and set(run["leak"]) == {"3", "6", "12", "18"}
        assert set(run["features"]) == {"texture", "motion", "all", "first-order"}
        # one-second windows in steps of half a second are computed twice
        assert run["length"]["12"]["ejection_fraction_mae"] == run["features"]["all"]["ejection_fraction_mae"]
        assert run["pixel_values_mae"]["train"] < run["pixel_values_mae"]["test"]


def test_every_stored_answer_of_echo_cine_gives_the_stored_value():
    measures = {"rhythm": model.area, "ejection_fraction": model.mae}
    for seed, run in results.load("clips_to_sequences/echo_cine").items():
        arrays = results.arrays("clips_to_sequences/echo_cine", seed)
        assert len(arrays) == 2 + sum(map(len, run.values()))
        for task, row in run.items():
            for name, value in row.items():
                assert measures[task](arrays[task], arrays[f"{task}: {name}"]) == pytest.approx(value, abs=2e-4), name


def test_echo_cine_teaches_what_its_datasheet_says():
    found = model.echo_cine_summary(repeats=200)
    rhythm = found["rhythm"]
    ordered = rhythm.pop("regularity of the motion curve, in order")
    oracle = rhythm.pop("oracle: the beats themselves")
    assert ordered.low > 0.9 and oracle.value > 0.99 and ordered.n == 1200
    assert len(rhythm) == 5 and all(one.low > 0.42 and one.high < 0.58 for one in rhythm.values())  # near chance
    gain = {name: -estimate.value for name, estimate in found["difference"].items()}  # over the mean frame, in points
    assert max(found["difference"][name].high for name in gain if name.startswith("curves")) < -3
    assert 0.75 * gain["curves, frames in order"] < gain["curves, frames shuffled"] < gain["curves, frames in order"]
    lazy, one = (found["ejection_fraction"][name].value for name in ("median of the training patients", "one frame"))
    assert lazy - 1 < one < lazy and found["difference"]["one frame"].low > 0.5
