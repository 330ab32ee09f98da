"""Lesson 14: points in the plane, the stored networks, and what its explorers compute."""

import numpy as np
import pytest

from course_lib import data, gan, results
from course_lib.lessons.gan import experiment, explorers
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


def test_feature_model_has_standard_features_and_knows_unseen_patients():
    test = data.load("brain-lesions", size=32).test
    features = gan.features(lesson.feature_model(), test.x)
    assert features.shape == (len(test.x), 64)
    assert np.abs(features.mean(0)).max() < 0.7 and 0.5 < features.std() < 1.5
    right = lesson.reader().predict(test.x, verbose=0).argmax(1) == test.targets["label"]
    assert right.mean() > 0.6


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


def test_stored_generators_make_what_was_measured():
    """The weights belong to the rows and pictures that are stored with them."""
    real = gan.features(lesson.feature_model(), data.load("brain-lesions", size=32).test.x)
    for name, labels in (("gan", None), ("conditional", np.arange(640) % 4)):
        made = gan.sample(lesson.stored_generator(name), lesson.FIXED, labels)
        last = results.load(f"gan/{name}")[0][-1]
        assert gan.kid(gan.features(lesson.feature_model(), made), real) == pytest.approx(last["kid"], rel=0.05)
        if labels is None:
            pictures = results.arrays("gan/gan", 0)["images"]
            assert np.abs(pictures[-1] - 255.0 * made[:12, ..., 0]).max() < 2


def test_the_stored_runs_are_whole():
    assert [row["step"] for row in results.load("gan/gan")[0]] == experiment.CHECKS
    assert [row["step"] for row in results.load("gan/conditional")[0]] == experiment.CONDITIONAL_CHECKS
    runs = results.load("gan/two")
    assert sorted(runs) == list(experiment.RUNS["two"])
    for run in runs.values():
        assert list(run) == list(experiment.ARMS)
        assert all(
            len(row["modes"]) == len(row["near"]) == experiment.TWO_STEPS // experiment.EVERY for row in run.values()
        )
