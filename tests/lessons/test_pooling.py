"""Lesson 02's explorers show what they say they show."""

import itertools

import numpy as np
import pytest

from course_lib.lessons.pooling import explorers, model

SETTINGS = list(itertools.product(range(1, 5), range(1, 5), ["none (valid)", "same"], [0, 3, 15]))


@pytest.mark.parametrize("size", [(4, 4), (8, 8), (7, 10)])
def test_the_framed_pixels_are_those_of_the_output(size):
    pixels = np.random.default_rng(0).normal(size=size)
    for window, stride, padding, place in SETTINGS:
        for kind, combine in [("max", np.max), ("average", np.mean)]:
            output, output_place, seen = explorers._step(pixels, kind, window, stride, padding, place)
            assert np.isclose(output[output_place], combine(pixels[seen]))
            assert max(pixels[seen].shape) <= window
            if padding == "same":
                assert output.shape == tuple(-(-length // stride) for length in size)
            else:
                assert pixels[seen].shape == (window, window)


@pytest.mark.parametrize("image", explorers._MAPS)
def test_the_shift_moves_the_map_to_the_right(image):
    still = explorers._view(image, 0)
    for shift in range(1, explorers.LARGEST_SHIFT + 1):
        moved = explorers._view(image, shift)
        assert moved.shape == still.shape
        assert np.array_equal(moved[:, shift:], still[:, : still.shape[1] - shift])


@pytest.mark.parametrize("window", [2, 4, 8])
def test_the_larger_window_reaches_as_far_as_the_blur(window):
    reach = {}
    for kind in ("max, then blur", "max, larger window"):
        counts = np.zeros(12, int)
        for pixel in range(12 * window):
            row = np.zeros((12 * window, 12 * window))
            row[:, pixel] = 1
            counts += model.reduce_by(kind, row[None, :, :, None], window)[0, 6, :, 0] > 0
        reach[kind] = counts[6]  # far from both borders
    assert reach["max, then blur"] == reach["max, larger window"] == 3 * window - 2


def test_unchanged_vanished_and_zero_maps_have_a_relative_change():
    ones, zeros = np.ones((2, 2)), np.zeros((2, 2))
    assert model.relative_change(ones, ones) == 0
    assert model.relative_change(ones, zeros) == model.relative_change(zeros, ones) == 1
    assert model.relative_change(zeros, zeros) == 0


def test_the_shift_explorer_shows_what_a_reader_should_have_seen():
    still = [shift for shift, change in enumerate(explorers._curve("one bright pixel", "max", 2)) if change == 0]
    assert still == [0, 1]
    blurred = explorers._curve("one bright pixel", "max, then blur", 2)
    assert 0 < blurred[1] < blurred[2] < blurred[3] < blurred[4]
    for kind in ("max", "average"):
        blind = [window for window in (2, 4, 8) if not any(explorers._curve("bars, two pixels wide", kind, window))]
        assert blind == [4, 8]
