"""Lesson 14: points in the plane, the stored networks, and what its explorers compute."""

import numpy as np
import pytest

from course_lib import data, gan, results
from course_lib.lessons.gan import exercises, experiment, explorers
from course_lib.lessons.gan import model as lesson

pytestmark = pytest.mark.slow

tf = gan.tf


def test_eight_gaussians_cover_their_modes():
    points = lesson.eight_gaussians(4000, seed=3)
    assert points.shape == (4000, 2) and points.dtype == np.float32
    covered, near = lesson.modes(points)
    assert covered == 8 and near > 0.99
    assert lesson.modes(lesson.MODES[:1].repeat(100, axis=0)) == (1, 1.0)
    assert lesson.modes(np.zeros((100, 2))) == (0, 0.0)
    few = np.concatenate([lesson.MODES[[0]].repeat(99, axis=0), lesson.MODES[[4]]])
    assert lesson.modes(few)[0] == 1, "one point in a hundred is not a mode"


def test_spectral_normalisation_bounds_the_discriminators_slope():
    points, slopes = tf.constant(lesson.eight_gaussians(256)), []
    for spectral in (False, True):
        _, discriminator = lesson.two_dimensional(0, spectral=spectral)
        for weight in discriminator.trainable_variables:
            weight.assign(5 * weight)
        for _ in range(20):  # each call in training does one round of the power iteration
            discriminator(points, training=True)
        slopes.append(float(gan.squared_slope(discriminator, points)))
    assert slopes[1] < 1.1 < slopes[0]


def test_the_exercises_agree_with_the_library():
    """What a student writes is what the library computes, and the slopes are those that TensorFlow finds."""
    rng = np.random.default_rng(0)
    original, generated = rng.normal(size=7), rng.normal(size=5)
    mine = exercises.gan_losses.reference(original, generated)
    losses = (
        gan.discriminator_loss(original, generated),
        gan.minimax_loss(generated),
        gan.non_saturating_loss(generated),
    )
    assert np.allclose(mine, losses)
    logits = tf.Variable(original), tf.Variable(generated)
    with tf.GradientTape(persistent=True) as tape:
        of_judge, of_generator = gan.discriminator_loss(*logits), gan.non_saturating_loss(logits[1])
    slopes = exercises.loss_slopes.reference(original, generated)
    for mine, theirs in zip(
        slopes, (*tape.gradient(of_judge, logits), tape.gradient(of_generator, logits[1])), strict=True
    ):
        assert np.allclose(mine, theirs)
    a, b = rng.normal(size=(6, 3)), rng.normal(size=(4, 3))
    assert np.isclose(exercises.kid.reference(a, b), gan.kid(a, b))
    points = np.concatenate([lesson.eight_gaussians(500, seed=2), rng.normal(size=(500, 2))])
    for cut in (1000, 500, 40):
        covered = exercises.covered_modes.reference(points[-cut:], lesson.MODES, 4 * lesson.SIGMA, 0.02)
        assert covered == lesson.modes(points[-cut:])[0]


def test_the_reader_knows_unseen_patients_and_its_features_are_standard():
    test = data.load("brain-lesions", size=32).test
    features = gan.features(lesson.feature_model(), test.x)
    assert features.shape == (len(test.x), 64)
    assert np.abs(features.mean(0)).max() < 0.7 and 0.5 < features.std() < 1.5
    table = lesson.read_as(lesson.reader(), test.x, test.targets["label"])
    assert table.shape == (4, 4) and table.sum(axis=1).tolist() == np.bincount(test.targets["label"]).tolist()
    assert np.trace(table) / table.sum() > 0.85
    assert lesson.read_as(lesson.reader(), test.x[:3], [3, 3, 3])[:3].sum() == 0, "rows are what was asked for"


def test_the_limits_of_kid_hold_their_level_and_leave_out_whole_patients():
    """Two sets of one distribution, 20 patients of four like features each: 0 lies inside in most of 60 trials."""
    inside = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        patients = rng.normal(size=(20, 8)).repeat(4, axis=0) + 0.1 * rng.normal(size=(80, 8))
        value, low, high = lesson.kid_limits(rng.normal(size=(80, 8)), patients, np.arange(20).repeat(4))
        assert low < value < high and value == pytest.approx((low + high) / 2)
        assert value != gan.kid(patients, patients)
        inside += low < 0 < high
    assert inside >= 51, inside


def test_a_walk_keeps_the_usual_length():
    a, b = explorers.latent(1), explorers.latent(2)
    assert np.allclose(lesson.between(a, b, 0), a) and np.allclose(lesson.between(a, b, 1), b, atol=1e-5)
    half = lesson.between(a, b, 0.5)
    assert np.isclose(np.linalg.norm(half), (np.linalg.norm(a) + np.linalg.norm(b)) / 2, rtol=1e-5)
    assert np.isclose(half @ a / np.linalg.norm(a), half @ b / np.linalg.norm(b), rtol=1e-4)
    assert np.array_equal(lesson.between(a, a, 0.3), a * 0.7 + a * 0.3)


def test_pushes_of_two_equal_bells():
    """With equal spreads the logit is a line, and both slopes together have its steepness."""
    for mean in (0.5, 1.0, 3.0):
        minimax, non_saturating = explorers.pushes(mean, explorers.DATA_SPREAD)
        assert np.isclose(minimax + non_saturating, mean / explorers.DATA_SPREAD**2, rtol=1e-3)
        assert minimax < non_saturating
    assert minimax < 0.1


def test_what_is_read_as_asked_is_on_the_diagonal():
    assert explorers.read_as_asked([[3, 1], [2, 4]]) == 0.7


def test_the_stored_generator_makes_what_was_measured():
    """The weights, kept in half precision, belong to the rows and pictures that are stored with them."""
    test = data.load("brain-lesions", size=32, seed=lesson.PATIENTS["train"], n_patients=1200).test
    model, asked = lesson.feature_model(), np.arange(len(lesson.FIXED)) % lesson.CLASSES
    made = gan.sample(lesson.stored_generator(), lesson.FIXED, asked)
    last = results.load("gan/conditional")[0]["rows"][-1]
    assert gan.kid(gan.features(model, made), gan.features(model, test.x)) == pytest.approx(last["kid"], rel=0.1)
    assert np.abs(lesson.read_as(lesson.reader(), made, asked) - last["read"]).max() <= 3
    pictures = results.arrays("gan/conditional", 0)["images"]
    assert np.abs(pictures[-1] - 255.0 * made[: experiment.SHOWN, ..., 0]).max() < 4


def test_the_stored_runs_are_whole():
    runs = results.load("gan/conditional")
    assert sorted(runs) == list(experiment.RUNS["conditional"])
    for seed, run in runs.items():
        assert [row["step"] for row in run["rows"]] == experiment.CHECKS
        assert all(np.sum(row["read"]) == len(lesson.FIXED) for row in run["rows"])
        assert np.shape(run["losses"]) == (experiment.CHECKS[-1] // 200, 2)
        assert len(run["final"]["kid"]) == experiment.DRAWS and np.sum(run["final"]["read"]) == 4 * len(lesson.FIXED)
        assert run["floor"] == runs[0]["floor"], "the floor rests on original slices alone"
        shape = (len(experiment.CHECKS), experiment.SHOWN, 32, 32)
        assert results.arrays("gan/conditional", seed)["images"].shape == shape
    runs = results.load("gan/two")
    assert sorted(runs) == list(experiment.RUNS["two"])
    for run in runs.values():
        assert list(run) == list(experiment.ARMS)
        checks = experiment.TWO_STEPS // experiment.EVERY
        assert all(len(row["modes"]) == len(row["near"]) == checks for row in run.values())
        assert all(np.shape(row["losses"]) == (experiment.TWO_STEPS // 25, 2) for row in run.values())


def test_frechet_distance_of_known_gaussians_and_its_bias():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(20000, 2)), rng.normal(size=(20000, 2)) * 2 + [3, 0]
    assert np.isclose(lesson.frechet_distance(a, b), 9 + 2 * (2 - 1) ** 2, atol=0.3)
    few = np.mean([lesson.frechet_distance(*rng.normal(size=(2, 30, 8))) for _ in range(20)])
    many = np.mean([lesson.frechet_distance(*rng.normal(size=(2, 300, 8))) for _ in range(20)])
    assert few > 3 * many > 0
