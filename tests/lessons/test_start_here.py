"""Lesson 00: the explorer's window, and what the datasheet says of the course's simulated dataset."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from course_lib import results
from course_lib.lessons.start_here import explorers


@pytest.mark.parametrize("name", explorers.SAMPLES)
@pytest.mark.parametrize(
    ("brightness", "contrast", "window"),
    [(0, 1, (0, 1)), (0, 2, (0.25, 0.75)), (0.25, 1, (-0.25, 0.75)), (-0.5, 4, (0.875, 1.125))],
)
def test_brightness_moves_the_window_and_contrast_narrows_it(name, brightness, contrast, window):
    figure = Figure()
    explorers._draw_brightness(figure, name, brightness, contrast)
    picture, histogram = figure.axes
    (image,), (line,) = picture.images, histogram.lines
    assert image.get_clim() == pytest.approx(window)
    assert (image.get_array().min(), image.get_array().max()) == (0, 1)
    values, greys = line.get_data()  # the line turns values into greys as the picture does
    assert greys == pytest.approx(np.clip(image.norm(values), 0, 1))


def test_the_stored_runs_show_what_the_datasheet_says():
    """datasets/README.md, "Does it teach?"."""
    runs = results.load("start_here/brain_lesions")
    assert len(runs) == 5
    for run in runs.values():
        assert all(0.2 < shortcut["balanced_accuracy"] < 0.35 for shortcut in run["shortcuts"].values())
        assert run["linear"]["balanced_accuracy"] < 0.45
        assert run["cnn"]["balanced_accuracy"] >= 0.85 and run["cnn"]["interval"][0] > 0.8
        leak = run["leak"]
        assert leak["nearest neighbour, random labels, split by slice"] > 0.9
        assert leak["nearest neighbour, random labels, split by patient"] < 0.35
