"""Lesson 01: what it shares with its explorers and with later lessons, and the times that it shows."""

import itertools

import numpy as np
import pytest

from course_lib import ops, results
from course_lib.lessons.convolution import experiment, explorers, model


@pytest.mark.parametrize(
    "layers", [[(3, 1)], [(3, 2), (3, 1)], [(3, 1), (2, 2), (3, 1), (2, 2)], [(5, 3), (1, 1), (2, 2), (4, 1)]]
)
def test_receptive_field_counts_the_pixels_that_reach_one_output(layers):
    """Backwards through kernels of ones: the pixels that one output depends on have a gradient."""
    sizes = [60]
    for kernel, stride in layers:
        sizes.append(ops.output_size(sizes[-1], kernel, stride=stride))
    gradient = np.zeros((1, sizes[-1], 1, 1))
    gradient[0, sizes[-1] // 2] = 1
    for size, (kernel, stride) in reversed(list(zip(sizes, layers, strict=False))):
        below, ones = np.zeros((1, size, 1, 1)), np.ones((kernel, 1, 1, 1))
        gradient, _, _ = ops.conv2d_gradient(gradient, below, ones, stride=(stride, 1))
    assert model.receptive_field(layers) == np.count_nonzero(gradient)


def test_the_window_visits_every_place_of_a_small_output_and_the_corners_of_a_large_one():
    small = [explorers._place(step, (3, 4)) for step in range(explorers._STEPS)]
    assert small[:12] == list(itertools.product(range(3), range(4))) and set(small[12:]) == {(2, 3)}
    large = [explorers._place(step, (100, 60)) for step in range(explorers._STEPS)]
    assert {(0, 0), (0, 59), (99, 0), (99, 59)} <= set(large) and len(set(large)) == explorers._STEPS


def test_the_stored_times_are_those_of_every_function_on_every_case():
    rows = results.load("convolution/convolution_speed")[0]
    measured = [(row["images"], row["kernels"]) for row in rows]
    assert list(dict.fromkeys(measured)) == [
        tuple("×".join(map(str, shape)) for shape in shapes) for shapes in experiment.CASES
    ]
    for case in set(measured):
        functions = [row["function"] for row in rows if (row["images"], row["kernels"]) == case]
        assert functions[:2] == ["course_lib.ops.conv2d", "tf.nn.conv2d"]
        assert len(set(functions)) == len(functions) == (2 if case[0].startswith("8") else 4)
    for row in rows:
        assert 0 < row["least_ms"] <= row["median_ms"]
        # A second thread would make it up to twice the time on the clock.
        assert 0 < row["cpu_ms"] < 1.1 * row["least_ms"]
