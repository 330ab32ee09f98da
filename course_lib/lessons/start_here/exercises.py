"""Exercises of the lesson start_here: how exercises work."""

import numpy as np

from course_lib.exercises import Choice, Coding, Mistake, progress

TOPIC = "start_here"


def _area_mm2(rows, columns, spacing):
    return rows * columns * spacing[0] * spacing[1]


area_mm2 = Coding(
    topic=TOPIC,
    name="area_mm2",
    reference=_area_mm2,
    also_correct=(lambda rows, columns, spacing: float(np.prod(spacing)) * (rows * columns),),
    inputs=lambda: [(128, 128, (0.5, 0.5)), (10, 20, (1.0, 1.0)), (64, 32, (0.3, 0.7))],
    mistakes=(
        Mistake(
            lambda rows, columns, spacing: rows * columns,
            "That is the number of pixels. How many square millimetres does one pixel cover?",
        ),
        Mistake(
            lambda rows, columns, spacing: rows * columns * spacing[0],
            "A pixel has a height and a width, and they may differ: you used only the first.",
        ),
        Mistake(
            lambda rows, columns, spacing: rows * spacing[0] + columns * spacing[1],
            "That adds the height to the width. An area is height times width.",
        ),
        Mistake(
            lambda rows, columns, spacing: rows / spacing[0] * (columns / spacing[1]),
            "Check the units: pixels times millimetres per pixel gives millimetres.",
        ),
    ),
    hints=(
        "How high is the image in millimetres, if it has `rows` rows that lie `spacing[0]` apart?",
        "`return height * width`, each in millimetres.",
    ),
    why="The spacing in the file turns pixels into millimetres; without it, nothing in an image has a size.",
)


same_image = Choice(
    topic=TOPIC,
    name="same_image",
    answer="a",
    replies={
        "a": "The numbers are the same; only the mapping from numbers to greys has changed.",
        "b": "No number in the file changes when you move brightness or contrast: you change how it is drawn.",
        "c": "Nothing is measured again. The scanner's numbers are fixed; how they are drawn is up to you.",
    },
    hints=("The controls change the picture. Do they change the file?",),
)
