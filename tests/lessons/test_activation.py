"""Lesson 03: what the tests over all lessons do not cover."""

import numpy as np
import pytest

from course_lib import import_tensorflow
from course_lib.lessons.activation import explorers


@pytest.mark.parametrize("name", explorers.FUNCTIONS)
def test_derivatives_drawn_by_the_explorer_are_derivatives(name):
    f, slope = explorers.FUNCTIONS[name]
    z = np.array([-5.3, -1.7, -0.4, 0.3, 1.1, 4.9])  # not 0, where the ReLU has none
    assert slope(z) == pytest.approx((f(z + 1e-6) - f(z - 1e-6)) / 2e-6, abs=1e-8)


def test_depth_explorer_follows_a_nudge_as_tensorflow_does():
    tf = import_tensorflow()
    layers, seed = 4, 2
    _, nudges = explorers._through_depth("tanh", 2.0, layers)
    rng = np.random.default_rng(seed)  # the order in which the explorer draws: weights, inputs, nudge
    weights = rng.normal(size=(layers, 64, 64)) * np.sqrt(2 / 64)
    h = tf.constant(rng.normal(size=(32, 64)))
    nudge = rng.normal(size=h.shape)
    outputs = []
    with tf.autodiff.ForwardAccumulator(h, tf.constant(nudge / np.linalg.norm(nudge))) as forward:
        for w in weights:
            h = tf.tanh(h @ w)
            outputs.append(h)
    assert nudges[seed] == pytest.approx([np.linalg.norm(forward.jvp(h)) for h in outputs], rel=1e-9)


def test_the_depth_explorer_shows_what_a_reader_should_have_seen():
    def per_layer(function, gain):
        """By what the median signal and the median nudge are multiplied in each layer from the 10th to the 50th."""
        middle = np.median(explorers._through_depth(function, gain, 50), axis=1)
        return (middle[:, 49] / middle[:, 9]) ** (1 / 40)

    assert per_layer("ReLU", 4.0) == pytest.approx(np.sqrt([2, 2]), abs=0.02)
    assert per_layer("tanh", 16.0) == pytest.approx([1, 1.5], abs=0.05)
    nudges = [per_layer("sigmoid", gain)[1] for gain in explorers.INITIALISATIONS.values()]
    assert nudges == sorted(nudges) and nudges[-1] < 0.7
