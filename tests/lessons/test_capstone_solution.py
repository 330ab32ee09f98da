"""Lesson 18: the solution's network, its training and its parts, the script that opens the test, and the explorer."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from matplotlib.figure import Figure

from course_lib import ROOT, data, results
from course_lib.lessons.capstone import model as project
from course_lib.lessons.capstone_solution import experiment, explorers
from course_lib.lessons.capstone_solution import model as lesson
from course_lib.lessons.capstone_solution.layers import RandomPose
from course_lib.models import keras

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def generated():
    return project.generated_development()


@pytest.mark.parametrize("shape", [(28, 28, 1), (64, 64, 3), (224, 224, 3), (33, 47, 1)])
def test_network_has_few_parameters_for_every_size(shape):
    model = lesson.network(shape)
    assert model.count_params() <= 200_000
    assert model.predict(np.zeros((2, *shape), np.float32), verbose=0).shape == (2, 2)


@pytest.mark.parametrize(("arm", "ignores"), [("recipe", True), ("not-standardised", False)])
def test_only_the_standardised_network_ignores_brightness_and_contrast(generated, arm, ignores):
    keras.utils.set_random_seed(0)
    images = generated.test.x[:8]
    model = lesson.network(images.shape[1:], arm)
    answers = [model.predict(x, verbose=0) for x in (images, 0.5 * images + 0.3)]
    # Not exactly: the normalisation's epsilon of 1e-4 weighs more beside a variance that is a quarter as large.
    assert np.allclose(*answers, rtol=0.02, atol=0.02) == ignores


def test_random_pose_turns_scales_and_shifts_and_only_in_training():
    images = np.zeros((64, 29, 29, 1), np.float32)
    images[:, 14, 20] = 1  # six pixels right of the centre
    rows, columns = np.mgrid[:29, :29] - 14

    def places(**options):
        views = RandomPose(seed=0, **{"degrees": 0, "zoom": 0, "shift": 0, **options})(images, training=True)
        weight = views.numpy()[..., 0]
        return [(weight * axis).sum((1, 2)) / weight.sum((1, 2)) for axis in (rows, columns)]

    assert np.array_equal(RandomPose()(images, training=False), images)
    y, x = places()
    assert np.allclose(y, 0) and np.allclose(x, 6)
    y, x = places(degrees=30)
    assert np.allclose(np.hypot(x, y), 6, atol=0.2) and 20 < np.degrees(np.abs(np.arctan2(y, x))).max() <= 31
    y, x = places(zoom=0.4)
    assert np.allclose(y, 0, atol=0.01) and 4 <= x.min() < 4.6 and 7.5 < x.max() <= 9
    y, x = places(shift=0.1)
    assert np.abs(y).max() <= 2.95 and np.abs(x - 6).max() <= 2.95 and np.abs(y).max() > 2 and np.abs(x - 6).max() > 2


def split_of(n_rest, n_ill):
    label = np.array([0] * n_rest + [1] * n_ill)
    return data.Split(np.random.default_rng(0).random((len(label), 16, 16, 1), np.float32), {"label": label})


@pytest.mark.parametrize(
    ("options", "expected"),
    [({}, (2, 2 / 3)), ({"arm": "not-weighted"}, (1, 1)), ({"weights": [3, 0.5]}, (3, 0.5))],
)
def test_batches_weigh_the_classes(options, expected):
    batches = list(lesson.batches(split_of(12, 36), 1, **options).take(3))
    weights = np.concatenate([weight for _, _, weight in batches])
    one_hot = np.concatenate([target for _, target, _ in batches])
    for k in (0, 1):
        assert np.allclose(weights[one_hot[:, k] == 1], expected[k])


@pytest.mark.parametrize(("arm", "fresh"), [("recipe", True), ("not-varied", False)])
def test_each_pass_sees_new_images_unless_they_are_not_varied(arm, fresh):
    first, second = (np.asarray(x).sum((1, 2, 3)) for x, _, _ in lesson.batches(split_of(16, 48), 1, arm=arm).take(2))
    assert np.isin(first.round(4), second.round(4)).all() != fresh


def test_number_of_steps_is_bounded():
    assert lesson.number_of_steps(100_000) == lesson.STEPS
    assert lesson.number_of_steps(65) == 2 * lesson.PASSES


def test_a_score_is_a_mean_over_closer_and_closer_views():
    class OnePlace:
        def predict(self, images, **_):
            return np.stack([0 * images[:, 14, 24, 0], images[:, 14, 24, 0]], axis=1)

    image = np.tile(np.arange(29, dtype=np.float32), (29, 1))[None, :, :, None]  # grows from left to right
    seen = [14 + 10 / closer - 24 for closer in lesson.VIEWS]  # ten pixels right of the centre, or what is there then
    expected = np.mean([1 / (1 + np.exp(-z)) for z in seen])
    np.testing.assert_allclose(lesson.score(OnePlace(), image - 24), [expected], rtol=1e-4)


def test_the_fast_auc_is_the_auc_ties_included():
    rng = np.random.default_rng(0)
    truth, scores = rng.random(80) < 0.7, rng.random((80, 3)).round(1)
    assert lesson.mean_auc(truth, scores) == pytest.approx(project.auc(truth, scores), abs=1e-12)


def test_what_an_arm_sees(generated):
    whole, rim, centre = (lesson.visible(generated, arm) for arm in ("recipe", "rim-only", "no-rim"))
    assert whole is generated
    for part in ("train", "val", "test"):
        images = getattr(generated, part).x
        assert np.array_equal(getattr(rim, part).x[:, :4], images[:, :4])
        assert np.array_equal(getattr(centre, part).x[:, 4:-4, 4:-4], images[:, 4:-4, 4:-4])
        assert (
            len(np.unique(getattr(centre, part).x[0, :4])) == 1 == len(np.unique(getattr(rim, part).x[0, 4:-4, 4:-4]))
        )


def test_the_places_of_the_rim():
    image = np.arange(784).reshape(1, 28, 28)
    sizes = {name: len(np.unique(place(image))) for name, place in experiment.PLACES.items()}
    assert sizes["rim of 1 pixel"] == 108 and sizes["rim of 4 pixels"] == 784 - 400
    assert sizes["four corners of 2×2"] == 16 and sizes["four corners of 4×4"] == 64
    assert {0, 27, 783} <= set(experiment.PLACES["four corners of 2×2"](image)[0])
    assert sizes["the centre of 20×20"] == 400 and sizes["left and right, 4 pixels"] == 28 * 8


# ---- The script that opens the test


@pytest.fixture
def own_results(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "LESSONS", tmp_path)
    (tmp_path / "capstone_solution").mkdir()
    return tmp_path / "capstone_solution" / "results" / "official.json"


@pytest.mark.parametrize(
    ("official", "commit", "reason", "sentence"),
    [
        (False, "0" * 40, "final", "does not hold the official test split"),
        (True, "0" * 40 + "+changes", "final", "not frozen"),
        (True, "", "final", "not frozen"),
        (True, "0" * 40, " ", "Give a reason"),
    ],
)
def test_nothing_is_opened_unless_all_is_in_order(
    generated, own_results, monkeypatch, official, commit, reason, sentence
):
    monkeypatch.setattr(data, "load", lambda name: generated)
    monkeypatch.setattr(project, "is_official", lambda dataset: official)
    monkeypatch.setattr(results, "_commit", lambda: commit)
    with pytest.raises(SystemExit, match=sentence):
        experiment.open_test(reason)
    assert not own_results.exists()


def test_an_opening_is_written_before_its_numbers_and_never_over_another(generated, own_results, monkeypatch):
    monkeypatch.setattr(data, "load", lambda name: generated)
    monkeypatch.setattr(project, "is_official", lambda dataset: True)
    monkeypatch.setattr(results, "_commit", lambda: "0" * 40)
    outcome = {"article 0": {"auc": 0.9}}

    def crash(*_):
        raise RuntimeError("the power failed")

    with monkeypatch.context() as patch:
        patch.setattr(experiment, "all_models", crash)
        with pytest.raises(RuntimeError):
            experiment.open_test("final")
    monkeypatch.setattr(experiment, "all_models", lambda *_: (outcome, {"test_ill": np.array([True, False])}))
    experiment.open_test("after the power failure")
    document = json.loads(own_results.read_text())
    assert [row["reason"] for row in document["openings"]] == ["final", "after the power failure"]
    assert list(document["seeds"]) == ["1"] and document["seeds"]["1"]["payload"] == outcome


def test_the_runner_never_opens_the_test():
    with pytest.raises(SystemExit, match="is opened by"):
        experiment.official(1)
    assert results.about("capstone_solution/official")["openings"][0]["commit"].startswith("4b55641")


# ---- Explorer and exercises


@pytest.mark.parametrize(
    ("differ", "text", "title"),
    [
        (10.0, "+2.4 (-0.1 to +4.9)", "10.0 %"),
        (5.0, "+2.4 (+0.7 to +4.1)", "5.0 %"),
        (1.0, "+2.4 (+1.2 to +3.6)", "2.4 %"),
    ],
)
def test_the_explorer_pairs_and_keeps_to_what_can_be(differ, text, title):
    figure = Figure()
    explorers.gap_and_pairs().draw(figure, first=85.4, second=87.8, differ=differ, images="624")
    difference = figure.axes[1]
    assert difference.texts[0].get_text() == text and title in difference.get_title()


def test_the_lesson_opens_without_keras():
    code = "from course_lib.lessons.capstone_solution import exercises, explorers, model; import sys; assert 'keras' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True, timeout=120)
