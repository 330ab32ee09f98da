"""The explorer of the first lesson: the real images that come with the course."""

import functools

import numpy as np

from course_lib import data, plot
from course_lib.explorers import Explorer, choice, slider

SAMPLES = {
    "CT, vertebra and lungs": "ct",
    "MR, T2-weighted detail": "mr",
    "brain MR, average of 152": "brain",
    "microaneurysms in a retina": "microaneurysms",
}


@functools.cache
def _grey(name):
    """A (h, w) image scaled to [0, 1] by its own minimum and maximum."""
    image = data.sample(name).image
    image = image[90] if name == "brain" else image
    return (image - image.min()) / (image.max() - image.min())


def brightness() -> Explorer:
    """The same numbers, drawn darker, brighter, with more or less contrast."""
    return Explorer(
        _draw_brightness,
        {
            "image": choice("Image", SAMPLES),
            "brightness": slider("Brightness", -0.5, 0.5, 0.0, step=0.05),
            "contrast": slider("Contrast", 0.25, 4.0, 1.0, step=0.25),
        },
        alt="Left: an axial CT with a vertebra between dark lungs. Right: how often each value occurs, and the line that turns values into greys.",
        caption="A real image, and how its values become greys: the line on the right rises from black to white.",
        size=(9, 3.8),
    )


def _draw_brightness(figure, image, brightness, contrast):
    pixels = _grey(SAMPLES[image])
    low, high = 0.5 - brightness - 0.5 / contrast, 0.5 - brightness + 0.5 / contrast
    picture, histogram = figure.subplots(1, 2, width_ratios=[1, 1.3])
    plot.image(picture, pixels, image, window=(low, high))
    counts, edges = np.histogram(pixels, bins=64, range=(0, 1))
    histogram.bar(edges[:-1], counts / counts.max(), width=1 / 64, align="edge", color=plot.COLOURS["sky"])
    values = np.linspace(0, 1, 200)
    histogram.plot(values, np.clip((values - low) / (high - low), 0, 1), color=plot.COLOURS["vermilion"])
    histogram.set(xlabel="value, scaled to 0–1", ylabel="grey (line), count (bars)", xlim=(0, 1), ylim=(-0.03, 1.05))
