"""Lesson 03: what the tests over all lessons do not cover."""

import numpy as np
import pytest

from course_lib import import_tensorflow
from course_lib.lessons.activation import exercises, explorers


def test_relu_gradient_that_overwrites_upstream_is_told_so():
    def in_place(upstream, x):
        upstream[x <= 0] = 0
        return upstream

    verdict = exercises.relu_gradient.judge(in_place)
    assert verdict.outcome == "not yet"
    assert "changed its input" in verdict.message


@pytest.mark.parametrize("name", explorers.FUNCTIONS)
def test_derivatives_drawn_by_the_explorer_are_derivatives(name):
    f, slope = explorers.FUNCTIONS[name]
    z = np.array([-5.3, -1.7, -0.4, 0.3, 1.1, 4.9])  # not 0, where the ReLU has none
    assert slope(z) == pytest.approx((f(z + 1e-6) - f(z - 1e-6)) / 2e-6, abs=1e-8)


def test_depth_explorer_has_tensorflows_gradients():
    tf = import_tensorflow()
    layers, seed = 4, 2
    _, gradients = explorers._through_depth("tanh", 2.0, layers)
    rng = np.random.default_rng(seed)  # the order in which the explorer draws: weights, inputs, upstream
    weights = rng.normal(size=(layers, 64, 64)) * np.sqrt(2 / 64)
    h = tf.constant(rng.normal(size=(32, 64)))
    upstream = rng.normal(size=(32, 64))
    sums = []
    with tf.GradientTape() as tape:
        tape.watch(h)
        for w in weights:
            sums.append(h @ w)
            h = tf.tanh(sums[-1])
        loss = tf.reduce_sum(upstream * h)
    norms = [np.linalg.norm(gradient) for gradient in tape.gradient(loss, sums)]
    assert gradients[seed] == pytest.approx(norms, rel=1e-9)
