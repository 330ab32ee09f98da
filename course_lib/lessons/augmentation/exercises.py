"""Exercises of the lesson on augmentation."""

import numpy as np

from course_lib.exercises import Choice, Coding, Mistake, progress

TOPIC = "augmentation"


# ---- source_pixel -------------------------------------------------------------------------------


def _source_pixel(row, column, degrees, shape):
    angle = np.deg2rad(degrees)
    middle_row, middle_column = (shape[0] - 1) / 2, (shape[1] - 1) / 2
    down, right = row - middle_row, column - middle_column
    return (
        middle_row + np.cos(angle) * down + np.sin(angle) * right,
        middle_column - np.sin(angle) * down + np.cos(angle) * right,
    )


def _source_pixel_by_matrix(row, column, degrees, shape):
    angle = np.deg2rad(degrees)
    matrix = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    middle = (np.array(shape) - 1) / 2
    return tuple(matrix @ (np.array([row, column]) - middle) + middle)


def _source_pixel_about(row, column, degrees, middle):
    angle = np.deg2rad(degrees)
    down, right = row - middle[0], column - middle[1]
    return (
        middle[0] + np.cos(angle) * down + np.sin(angle) * right,
        middle[1] - np.sin(angle) * down + np.cos(angle) * right,
    )


source_pixel = Coding(
    topic=TOPIC,
    name="source_pixel",
    reference=_source_pixel,
    also_correct=(_source_pixel_by_matrix,),
    inputs=lambda: [(0, 0, 90, (3, 3)), (1, 7, 30, (9, 12)), (5, 2, -17, (8, 20)), (3, 4, 400, (6, 6))],
    mistakes=(
        Mistake(
            lambda row, column, degrees, shape: _source_pixel(row, column, -degrees, shape),
            "You turn the wrong way round. The question is not where a pixel goes, but where the output's pixel comes "
            "from: compare the signs of your sines with the formula.",
        ),
        Mistake(
            lambda row, column, degrees, shape: _source_pixel(row, column, np.rad2deg(degrees), shape),
            "NumPy's sine and cosine expect radians; you give them degrees.",
        ),
        Mistake(
            lambda row, column, degrees, shape: _source_pixel_about(row, column, degrees, (0, 0)),
            "You turn the image about its first pixel, so most of it leaves the picture. Turn it about its middle.",
        ),
        Mistake(
            lambda row, column, degrees, shape: _source_pixel_about(row, column, degrees, np.array(shape) / 2),
            "Your middle is half a pixel off. With 3 pixels, numbered 0, 1, 2, which number does the middle one have?",
        ),
        Mistake(
            lambda row, column, degrees, shape: _source_pixel(row, column, degrees, shape[::-1]),
            "You took the width for the height: `shape` is (rows, columns).",
        ),
        Mistake(
            lambda row, column, degrees, shape: _source_pixel(row, column, degrees, shape)[::-1],
            "You return the column first. In this course a place is (row, column).",
        ),
    ),
    hints=(
        "Measure the place from the middle of the image first: how many rows down, how many columns to the right?",
        "The pixels are numbered from 0, so the middle of n of them is (n − 1)/2.",
        "Multiply (down, right) by the matrix of the formula, then add the middle again.",
    ),
    why="Rotation, scaling and flips all work like this: for each output pixel, ask where it comes from. No holes appear.",
)


# ---- flip ---------------------------------------------------------------------------------------


def _flip(image, mask, side):
    # Whatever is tied to left and right goes along: the image, the mask, and the label.
    swapped = {"left": "right", "right": "left"}.get(side, side)
    return image[:, ::-1], mask[:, ::-1], swapped


def _flip_with_numpy(image, mask, side):
    if side == "left":
        side = "right"
    elif side == "right":
        side = "left"
    return np.fliplr(image), np.fliplr(mask), side


def _flip_inputs():
    rng = np.random.default_rng(6)
    return [
        (rng.random((4, 5)), rng.random((4, 5)) < 0.3, "left"),
        (rng.random((3, 6)), rng.random((3, 6)) < 0.4, "right"),
        (rng.random((5, 3)), rng.random((5, 3)) < 0.5, "both"),
    ]


flip = Coding(
    topic=TOPIC,
    name="flip",
    reference=_flip,
    also_correct=(_flip_with_numpy,),
    inputs=_flip_inputs,
    mistakes=(
        Mistake(
            lambda image, mask, side: (image[:, ::-1], mask, _flip(image, mask, side)[2]),
            "The image is mirrored and the mask is not: now it marks healthy tissue on the other side.",
        ),
        Mistake(
            lambda image, mask, side: (image[:, ::-1], mask[:, ::-1], side),
            "Image and mask are mirrored, but the label still names the side on which the lesion was.",
        ),
        Mistake(
            lambda image, mask, side: (image[:, ::-1], mask, side),
            "Only the image is mirrored. What else knows about left and right?",
        ),
        Mistake(
            lambda image, mask, side: (image[::-1], mask[::-1], _flip(image, mask, side)[2]),
            "You turn the image upside down. The first axis runs over rows, the second over columns.",
        ),
        Mistake(
            lambda image, mask, side: (image[:, ::-1], mask[:, ::-1], "left" if side == "right" else "right"),
            'Think of the label "both": what does a mirror do to it?',
        ),
    ),
    hints=(
        "A slice with a step of −1, `[::-1]`, reverses an axis. Columns are the second axis.",
        "The mask is an array of the same shape and needs the same treatment.",
        'The label needs three cases: "left", "right", and all others.',
    ),
    why="A flip that forgets the mask or the label does not add data, it adds errors.",
)


# ---- forbidden_flip -----------------------------------------------------------------------------

forbidden_flip = Choice(
    topic=TOPIC,
    name="forbidden_flip",
    answer="b",
    replies={
        "a": "A mass on the left is a mass on the right after the flip: for the question whether there is one, nothing "
        "changes. (If the network shall also say where, the answer has to be flipped.)",
        "b": "After the flip the picture shows the other kidney, and the label is wrong. Flip the label along, or do not "
        "flip.",
        "c": "A tissue section lies on the glass either way round, and a share of its area does not know left from right.",
        "d": "Sharpness and noise are the same in a mirror.",
    },
    hints=("Hold the image to a mirror in your mind. For which question would you now answer differently?",),
)


# ---- hounsfield_shift ---------------------------------------------------------------------------

hounsfield_shift = Choice(
    topic=TOPIC,
    name="hounsfield_shift",
    answer="c",
    replies={
        "a": "A tenth sounds little, but a tenth of what? Go back to Hounsfield units: how wide is the scaled range?",
        "b": "This would be so if 0.1 counted Hounsfield units in per cent. It counts the whole scaled range.",
        "c": "A tenth of the 2,000 HU that were scaled to 0 … 1. In Hounsfield units, brightness is the finding itself.",
        "d": "Values are clipped at the ends of the range only. Fat lies far from both.",
    },
    hints=("How many Hounsfield units is a step of 0.1, if 2,000 of them were scaled to the range from 0 to 1?",),
)


# ---- random_gain --------------------------------------------------------------------------------


def _random_gain(images, low, high, seed):
    rng = np.random.default_rng(seed)
    gains = rng.uniform(low, high, size=(len(images), 1, 1, 1))  # one for each image, the same for all its pixels
    return np.clip(images * gains, 0, 1)


def _random_gain_by_loop(images, low, high, seed):
    rng = np.random.default_rng(seed)
    return np.stack([np.minimum(image * rng.uniform(low, high), 1) for image in images])


def _random_gain_inputs():
    rng = np.random.default_rng(3)
    return [(rng.uniform(0.1, 1, (5, 4, 3, 1)), 0.5, 1.5, 0), (rng.uniform(0.1, 0.6, (3, 4, 5, 2)), 0.7, 1.3, 11)]


def _random_gain_accept(result, images, low, high, seed):
    result = np.asarray(result, float)
    if result.shape != images.shape:
        return f"the result must have the shape of the images; yours has {result.shape}."
    if result.max() > 1 + 1e-6 or result.min() < -1e-6:
        return "some pixels lie outside 0 … 1. What happens to a bright pixel when the gain is above 1?"
    ratios = [(new / old)[new < 1 - 1e-9] for new, old in zip(result, images, strict=True)]
    if any(np.ptp(ratio) > 1e-4 for ratio in ratios):
        return "inside one image, pixels were multiplied by different numbers. The gain belongs to the whole image."
    gains = np.array([np.mean(ratio) for ratio in ratios])
    if gains.min() < low - 1e-4 or gains.max() > high + 1e-4:
        return "some gains lie outside the range from low to high."
    if np.ptp(gains) < 1e-6:
        return "every image got the same gain. Draw a new one for each image of the batch."
    return None


random_gain = Coding(
    topic=TOPIC,
    name="random_gain",
    reference=_random_gain,
    also_correct=(_random_gain_by_loop,),
    inputs=_random_gain_inputs,
    accept=_random_gain_accept,
    mistakes=(
        Mistake(
            lambda images, low, high, seed: np.clip(images * np.random.default_rng(seed).uniform(low, high), 0, 1),
            "You draw one gain for the whole batch: all its images become brighter or darker together.",
        ),
        Mistake(
            lambda images, low, high, seed: np.clip(
                images * np.random.default_rng(seed).uniform(low, high, images.shape), 0, 1
            ),
            "You draw a gain for every pixel. That is noise; a scanner's gain is one number for the image.",
        ),
        Mistake(
            lambda images, low, high, seed: (
                images * np.random.default_rng(seed).uniform(low, high, (len(images), 1, 1, 1))
            ),
            "The gains are right, but bright pixels now exceed 1. The course's images stay between 0 and 1.",
        ),
        Mistake(
            lambda images, low, high, seed: np.clip(
                images + np.random.default_rng(seed).uniform(low, high, (len(images), 1, 1, 1)), 0, 1
            ),
            "You add. A gain multiplies: air stays dark, whatever the gain.",
        ),
    ),
    hints=(
        "`rng = np.random.default_rng(seed)`, then `rng.uniform(low, high, size=…)` draws as many numbers as you like.",
        "How many gains does a batch need? `images` has the shape (n, h, w, c).",
        "Gains of shape (n, 1, 1, 1) are stretched over all pixels of their image when you multiply.",
    ),
    why="One number per image and a shape with ones: every random change of a batch is written in this way.",
)


# ---- rotation_factor ----------------------------------------------------------------------------


def _rotation_factor(degrees):
    return degrees / 360  # the factor counts full turns


def _rotation_factor_by_radians(degrees):
    return np.deg2rad(degrees) / (2 * np.pi)


rotation_factor = Coding(
    topic=TOPIC,
    name="rotation_factor",
    reference=_rotation_factor,
    also_correct=(_rotation_factor_by_radians,),
    inputs=lambda: [(36,), (10,), (7.2,), (180,)],
    mistakes=(
        Mistake(
            lambda degrees: np.deg2rad(degrees),
            "These are radians, in which a full turn is 2π. In which unit does the factor count a full turn?",
        ),
        Mistake(lambda degrees: degrees / 100, "Degrees are not per cent: a full turn has more than a hundred."),
        Mistake(
            lambda degrees: degrees / 180,
            "Nearly. You divide by half a turn, so images will turn twice as far as they should.",
        ),
        Mistake(
            lambda degrees: degrees / 720,
            "Nearly. The factor f already means from −f to +f: you need not halve it.",
        ),
        Mistake(lambda degrees: degrees, "This many full turns? The factor does not count degrees."),
    ),
    hints=(
        "Which factor turns images by up to one full turn?",
        "A factor of 1 is one full turn, which has 360 degrees.",
    ),
    why="So ±10° is a factor below 0.03. The harmless-looking 0.2 turns images by up to 72°.",
)


# ---- where_to_augment ---------------------------------------------------------------------------

where_to_augment = Choice(
    topic=TOPIC,
    name="where_to_augment",
    answer="d",
    replies={
        "a": "Then a turned copy of a training image can land in the test split: the network has seen that patient.",
        "b": "Then the test no longer consists of images as they arrive in the clinic, and two reports cannot be compared.",
        "c": "Then the threshold and the choice of the best epoch rest on images that nobody will ever meet.",
        "d": "Split by patient first, then change the training images only, anew in every epoch. (Averaging predictions "
        "over several changed copies of a test image is another method; a report has to say so.)",
    },
    hints=("Which split is there to teach, and which are there to measure?",),
)
