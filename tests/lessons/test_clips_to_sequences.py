"""Lesson 12: what its notebook and experiment share does what it says, and the stored runs say what is said of them."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from course_lib import results, sequences
from course_lib.data import echo_cine
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


# ---- the regression --------------------------------------------------------------------------------------------------


def test_a_feature_that_never_varies_is_only_centred():
    train, test = np.array([[1.0, 0.1], [3, 0.1], [5, 0.1]]), np.array([[3.0, 0.4]])
    first, second = model.standardise(train, test)
    assert (
        np.allclose(first.mean(axis=0), 0)
        and np.allclose(first.std(axis=0), [1, 0])
        and np.allclose(second, [[0, 0.3]])
    )


def ridge_case(patients, features, segments=2):
    """Segments that say the target up to noise, for 20 training and as many validation and test patients."""
    rng, slope = np.random.default_rng(6), np.random.default_rng(7).normal(size=features)
    parts = {name: rng.normal(size=(patients, segments, features)) for name in ("train", "val", "test")}
    return parts, {name: 50 + x.mean(axis=1) @ slope + rng.normal(0, 0.1, patients) for name, x in parts.items()}


@pytest.mark.parametrize("features", [5, 90])  # fewer than rows, and more
def test_ridge_answers_are_those_of_scikit_learn_at_the_best_alpha_on_validation(features, monkeypatch):
    monkeypatch.setattr(model, "ALPHAS", (0.1, 1.0, 30.0, 1e9))
    segments, target = ridge_case(20, features)
    answers, alpha = model.ridge_answers(segments, target)
    found = {}
    for tried in model.ALPHAS:
        pipe = make_pipeline(StandardScaler(), Ridge(alpha=tried))
        model.fit_segments(pipe, segments["train"], target["train"])
        found[tried] = {name: model.mean_answer(pipe.predict, part) for name, part in segments.items()}
    assert alpha == min(found, key=lambda tried: model.mae(target["val"], found[tried]["val"]))
    for name, answer in answers.items():
        assert np.allclose(answer, found[alpha][name], atol=1e-4)


def test_the_largest_alpha_must_not_be_the_best(monkeypatch):
    monkeypatch.setattr(model, "ALPHAS", (1e-3, 1e-2))
    segments, target = ridge_case(20, 90)
    target = {name: np.random.default_rng(8).normal(50, 9, 20) for name in target}  # nothing to be learned
    with pytest.raises(ValueError, match="end of the list"):
        model.ridge_answers(segments, target)


def test_pixels_are_summed_up_over_a_segment_as_features_are():
    clips = np.random.default_rng(9).uniform(size=(2, 12, 3, 4))
    values, mean, deviation, both = (
        model.pixel_summary(clips, 6, 3, p) for p in ("values", "mean", "deviation", "mean and deviation")
    )
    assert values.shape == (2, 3, 72) and mean.shape == deviation.shape == (2, 3, 12)
    assert np.allclose(mean[1, 2], clips[1, 6:].mean(axis=0).ravel()) and np.allclose(
        values[0, 1], clips[0, 3:9].ravel()
    )
    assert np.allclose(both, np.concatenate([mean, deviation], axis=-1))
    assert np.allclose(both, model.segment_features(clips.reshape(2, 12, 12), 6, 3))


def test_kinds_of_features_are_all_features():
    names = sequences.frame_features(np.zeros((1, 2, 4, 4)))[1]
    assert sorted(sum(model.KINDS.values(), [])) == sorted(names)


# ---- stored runs --------------------------------------------------------------------------------------------------------


def needs(name):
    path = f"clips_to_sequences/{name}"
    fresh = results.is_stored(path) and results.load(path) and not results.outdated(path)
    return pytest.mark.skipif(not fresh, reason="not stored afresh yet")


@needs("windows")
def test_every_stored_answer_of_the_windows_gives_the_stored_value():
    truth, runs = model.answers("truth"), results.load("clips_to_sequences/windows")
    known = [p.targets()["ejection_fraction"] for p in echo_cine.patients("test", n_patients=600, seed=1290)]
    assert len(runs) == 5 and np.allclose(truth, known, rtol=1e-4)
    for number, run in enumerate(runs.values()):
        assert set(run["leak"]) == {str(stride) for stride in model.STRIDES}
        assert run["12 frames"]["error"] == run["all"]["error"], "one-second windows in steps of half a second, twice"
        for arm, row in run.items():
            if "error" in row:
                assert model.mae(truth, model.answers(arm)[number]) == pytest.approx(row["error"]["test"], abs=1e-3), (
                    arm
                )
            elif "area" in row:
                assert model.area(model.answers("rhythm"), model.answers(arm)[number]) == pytest.approx(
                    row["area"], abs=1e-3
                )


@needs("echo_cine")
def test_every_stored_answer_of_echo_cine_gives_the_stored_value():
    measures = {"rhythm": model.area, "ejection_fraction": model.mae}
    for seed, run in results.load("clips_to_sequences/echo_cine").items():
        arrays = results.arrays("clips_to_sequences/echo_cine", seed)
        assert len(arrays) == 2 + sum(map(len, run.values()))
        for task, row in run.items():
            for name, value in row.items():
                assert measures[task](arrays[task], arrays[f"{task}: {name}"]) == pytest.approx(value, abs=2e-4), name


@needs("echo_cine")
def test_echo_cine_teaches_what_its_datasheet_says():
    found = model.echo_cine_summary(repeats=200)
    rhythm = found["rhythm"]
    ordered = rhythm.pop("regularity of the motion curve, in order")
    oracle = rhythm.pop("oracle: the beats themselves")
    assert ordered.low > 0.9 and oracle.value > 0.99 and ordered.n == 1200
    assert len(rhythm) == 5 and all(one.low > 0.42 and one.high < 0.58 for one in rhythm.values())  # near chance
    less = {
        name: one for name, one in found["difference"].items() if name.startswith("curves")
    }  # errs than the mean frame
    assert less["curves, frames in order"].high < -1 and less["curves, frames shuffled"].high < -0.5
    lazy, one, mean = (
        found["ejection_fraction"][name].value
        for name in ("median of the training patients", "one frame", "mean frame")
    )
    assert mean < one - 0.5 and one < lazy - 0.5, "size tells something about strength, and motion more"
