"""Exercises of the lesson on augmentation."""

import numpy as np

from course_lib.exercises import Choice, Coding, Mistake, Wrong, progress

TOPIC = "augmentation"


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
    return matrix @ (np.array([row, column]) - middle) + middle


def _source_pixel_by_complex_numbers(row, column, degrees, shape):
    middle = complex((shape[0] - 1) / 2, (shape[1] - 1) / 2)
    place = middle + (complex(row, column) - middle) * np.exp(-1j * np.pi * degrees / 180)
    return place.real, place.imag


def _turned(middle_of, matrix_of=lambda cos, sin: [[cos, sin], [-sin, cos]]):
    """The answer with another middle, of the shape, or another matrix."""

    def answer(row, column, degrees, shape):
        angle = np.deg2rad(degrees)
        middle = np.array(middle_of(np.array(shape)), float)
        return tuple(np.array(matrix_of(np.cos(angle), np.sin(angle))) @ (np.array([row, column]) - middle) + middle)

    return answer


def _middle(shape):
    return (shape - 1) / 2


def _place_then(change):
    return lambda row, column, degrees, shape: change(np.array(_source_pixel(row, column, degrees, shape)), shape)


_SLANTED = (1, 7, 30, (9, 12))

source_pixel = Coding(
    topic=TOPIC,
    name="source_pixel",
    reference=_source_pixel,
    also_correct=(_source_pixel_by_matrix, _source_pixel_by_complex_numbers),
    inputs=lambda: [
        (0, 0, 90, (3, 3)),
        _SLANTED,
        (5, 2, -17, (8, 20)),
        (3, 4, 400, (6, 6)),
        (0, 0, 45, (5, 5)),  # from outside the image
        (4, 1, 0, (7, 4)),  # from where it is
        (2, 9, 180, (4, 11)),
        (0, 0, 77, (1, 1)),
        (200, 13, 3.5, (512, 256)),
    ],
    mistakes=(
        Mistake(
            lambda row, column, degrees, shape: _source_pixel(row, column, -degrees, shape),
            "Your results are those of a turn the other way round. The question is not where a pixel goes but where "
            "the output's pixel comes from: compare the signs of your sines with the formula.",
        ),
        Mistake(
            lambda row, column, degrees, shape: _source_pixel(row, column, np.rad2deg(degrees), shape),
            "Your results are those of degrees given to sine and cosine, which expect radians.",
        ),
        Mistake(
            _turned(lambda shape: 0 * shape),
            "Your results are those of a turn about the first pixel, so most of the image leaves the picture. Turn it about "
            "its middle.",
        ),
        Mistake(
            _turned(lambda shape: shape / 2),
            "Your results are those of a middle half a pixel off. With 3 pixels, numbered 0, 1, 2, which number does the "
            "middle one have?",
        ),
        Mistake(
            _turned(lambda shape: (shape - 1) // 2),
            "Your results are right for odd sizes. The middle of an even number of pixels lies between two of them.",
        ),
        Mistake(
            _turned(lambda shape: _middle(shape[::-1])),
            "Your results are those of the width taken for the height: `shape` is (rows, columns).",
        ),
        Mistake(
            lambda row, column, degrees, shape: _source_pixel(row, column, degrees, shape)[::-1],
            "Your results have the column first. In this course a place is (row, column).",
        ),
        Mistake(
            lambda row, column, degrees, shape: tuple(
                np.subtract(_source_pixel(row, column, degrees, shape), _middle(np.array(shape)))
            ),
            "Your results are measured from the middle of the image. Pixels are counted from its first row and column.",
        ),
    ),
    wrong=(
        Wrong(_turned(lambda shape: _middle(shape[[0, 0]])), _SLANTED),
        Wrong(_turned(lambda shape: _middle(shape) + 1), _SLANTED),
        Wrong(_turned(_middle, lambda cos, sin: [[cos, sin], [sin, cos]]), _SLANTED),
        Wrong(_turned(_middle, lambda cos, sin: [[sin, cos], [-cos, sin]]), _SLANTED),
        Wrong(_turned(_middle, lambda cos, sin: [[1, sin], [-sin, 1]]), _SLANTED),
        Wrong(
            _turned(_middle, lambda cos, sin: [[cos, sin], [-sin, cos]] if sin >= 0 else np.eye(2)),
            (1, 7, -30, (9, 12)),
        ),
        Wrong(_place_then(lambda place, shape: np.round(place)), _SLANTED),
        Wrong(_place_then(lambda place, shape: np.round(place, 2)), _SLANTED),
        Wrong(_place_then(lambda place, shape: place.astype(np.float16)), _SLANTED),
        Wrong(_place_then(lambda place, shape: np.clip(place, 0, np.array(shape) - 1)), (0, 0, 45, (5, 5))),
        Wrong(_place_then(lambda place, shape: np.abs(place)), (0, 0, 45, (5, 5))),
        Wrong(_place_then(lambda place, shape: place % shape), (0, 0, 45, (5, 5))),
        Wrong(_place_then(lambda place, shape: place + np.nan), _SLANTED),
        Wrong(lambda row, column, degrees, shape: _source_pixel(row, column, degrees, (9, 12)), (1, 7, 30, (10, 12))),
        Wrong(
            lambda row, column, degrees, shape: _source_pixel(row, column, min(degrees, 90), shape),
            (1, 7, 120, (9, 12)),
        ),
        Wrong(lambda row, column, degrees, shape: (row, column), _SLANTED),
    ),
    hints=(
        "Measure the place from the middle of the image first: how many rows down, how many columns to the right?",
        "The pixels are numbered from 0, so the middle of n of them is (n − 1)/2.",
        "Multiply (down, right) by the matrix of the formula, then add the middle again.",
    ),
    why="Rotation, scaling and flips all work like this: for each output pixel, ask where it comes from. No holes appear.",
)


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


def _flip_by_rows(image, mask, side):
    sides = ["left", "both", "right"]
    return [row[::-1] for row in image], [row[::-1] for row in mask.tolist()], sides[2 - sides.index(side)]


def _mirrored(image=lambda a: a[:, ::-1], mask=lambda a: a[:, ::-1], side=lambda text: _flip_side(text)):
    return lambda picture, lesion, where: (image(picture), mask(lesion), side(where))


def _flip_side(side):
    return {"left": "right", "right": "left"}.get(side, side)


def _flip_inputs():
    rng = np.random.default_rng(6)
    small = np.array([[0.0, 0.3, 0.7, 0.2], [0.9, 0.1, 0.4, 0.5]])
    return [
        (small[:, :3].copy(), small[:, :3] > 0.2, "left"),
        (rng.random((3, 6)), rng.random((3, 6)) < 0.4, "right"),
        (rng.random((5, 3)), rng.random((5, 3)) < 0.5, "both"),
        (1000 * small - 300, small > 0.5, "both"),  # Hounsfield units
        (rng.random((4, 4), np.float32), rng.random((4, 4)) < 0.3, "left"),
        (rng.normal(0, 300, (6, 5)), np.zeros((6, 5), bool), "right"),  # no lesion in this slice
        (rng.integers(0, 256, (7, 8)).astype(np.float32), np.eye(7, 8, dtype=bool), "right"),
    ]


flip = Coding(
    topic=TOPIC,
    name="flip",
    reference=_flip,
    also_correct=(_flip_with_numpy, _flip_by_rows),
    inputs=_flip_inputs,
    integers=False,  # an image goes into a network as floats
    mistakes=(
        Mistake(
            _mirrored(mask=lambda a: a),
            "Your image is mirrored and your mask is not: now it marks healthy tissue on the other side.",
        ),
        Mistake(
            _mirrored(side=lambda side: side),
            "Image and mask are mirrored, but your label still names the side on which the lesion was.",
        ),
        Mistake(
            _mirrored(mask=lambda a: a, side=lambda side: side),
            "Your image alone is mirrored. What else knows about left and right?",
        ),
        Mistake(
            _mirrored(lambda a: a[::-1], lambda a: a[::-1]),
            "Your image and mask are upside down. The first axis runs over rows, the second over columns.",
        ),
        Mistake(
            _mirrored(lambda a: a[::-1, ::-1], lambda a: a[::-1, ::-1]),
            "Your image and mask are turned by 180°: both axes are reversed. A mirror reverses one of them.",
        ),
        Mistake(
            _mirrored(side=lambda side: "left" if side == "right" else "right"),
            'Your results are right for one side. Think of the label "both": what does a mirror do to it?',
        ),
    ),
    wrong=(
        Wrong(_mirrored(image=lambda a: a), _flip_inputs()[0]),
        Wrong(_mirrored(mask=lambda a: ~a[:, ::-1]), _flip_inputs()[0]),
        Wrong(_mirrored(mask=lambda a: a[::-1]), _flip_inputs()[0]),
        Wrong(_mirrored(mask=lambda a: np.zeros_like(a)), _flip_inputs()[0]),
        Wrong(_mirrored(side=lambda side: "right"), _flip_inputs()[1]),
        Wrong(_mirrored(side=lambda side: "right" if side == "left" else side), _flip_inputs()[1]),
        Wrong(_mirrored(side=lambda side: side[::-1]), _flip_inputs()[0]),
        Wrong(_mirrored(side=lambda side: None), _flip_inputs()[0]),
        Wrong(_mirrored(image=lambda a: np.rot90(a, 2)), _flip_inputs()[0]),
        Wrong(_mirrored(image=lambda a: np.sort(a, axis=1)), _flip_inputs()[0]),
        Wrong(_mirrored(image=lambda a: np.roll(a[:, ::-1], 1, axis=1)), _flip_inputs()[0]),
        Wrong(_mirrored(image=lambda a: np.vstack([a[:1, ::-1], a[1:]])), _flip_inputs()[0]),
        Wrong(_mirrored(image=lambda a: np.clip(a[:, ::-1], 0, 1)), _flip_inputs()[3]),
        Wrong(_mirrored(image=lambda a: a[:, ::-1].astype(np.uint8)), _flip_inputs()[3]),
        Wrong(_mirrored(image=lambda a: a[:, ::-1] * np.nan), _flip_inputs()[1]),
        Wrong(lambda image, mask, side: _flip(image, image, side), _flip_inputs()[0]),
        Wrong(lambda image, mask, side: _flip(image, mask, side)[:2], _flip_inputs()[0]),
    ),
    hints=(
        "A slice with a step of −1, `[::-1]`, reverses an axis. Columns are the second axis.",
        "The mask is an array of the same shape and needs the same treatment.",
        'The label needs three cases: "left", "right", and "both".',
    ),
    why="A flip that forgets the mask or the label does not add data, it adds errors.",
)


forbidden_flip = Choice(
    topic=TOPIC,
    name="forbidden_flip",
    answer="b",
    replies={
        "a": "A mass on the left is a mass on the right after the flip: for the question whether there is one, nothing "
        "changes. (If the network is also to say where, the answer has to be flipped.)",
        "b": "After the flip the picture shows the other kidney, and the label is wrong. Flip the label along, or do not "
        "flip.",
        "c": "A tissue section lies on the glass either way round, and a share of its area does not know left from right.",
        "d": "Sharpness and noise are the same in a mirror.",
    },
    hints=("Hold the image to a mirror in your mind. For which question would you now answer differently?",),
)


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


def _random_gain(images, low, high, seed):
    rng = np.random.default_rng(seed)
    gains = rng.uniform(low, high, size=(len(images), 1, 1, 1))  # one for each image, the same for all its pixels
    return np.clip(images * gains, 0, 1)


def _random_gain_by_loop(images, low, high, seed):
    rng = np.random.default_rng(seed)
    return [np.minimum(image * rng.uniform(low, high), 1) for image in images]


def _random_gain_backwards(images, low, high, seed):
    gains = high - (high - low) * np.random.default_rng([seed, 5]).random(len(images))
    return np.minimum(np.einsum("n,nhwc->nhwc", gains, images), 1).astype(np.float32)


def _random_gain_inputs():
    rng = np.random.default_rng(3)
    # Many images of two pixels, one dark, so that its gain can be read off, and one that may become too bright.
    many = np.stack([rng.uniform(0.1, 0.5, 300), rng.uniform(0.8, 1, 300)], axis=1).reshape(300, 1, 2, 1)
    return [
        (np.array([[0.5, 0.1], [0.2, 1.0], [0.4, 0.0]]).reshape(3, 1, 2, 1), 0.5, 1.5, 0),
        (rng.uniform(0.1, 1, (5, 4, 3, 1)), 0.5, 1.5, 0),
        (rng.uniform(0.1, 0.6, (3, 4, 5, 2)), 0.7, 1.3, 11),
        (rng.random((4, 3, 6, 3), np.float32), 1.5, 4.0, 2),
        *((many, 0.2, 1.8, seed) for seed in (1, 1, 2, 3)),
        (rng.random((6, 2, 2, 1)), 0.8, 0.8, 4),  # nothing left to chance
        (rng.choice([0.0, 1.0], (4, 2, 3, 1)), 0.5, 1.5, 5),  # black and white
    ]


def _gains_of(result, images):
    """The gains (n,) that lie behind a result, NaN where none can be told: a pixel cut off at 1 does not tell it."""
    told = np.where(result < 1 - 1e-6, images, 0).reshape(len(images), -1)
    place = told.argmax(axis=1)[:, None]
    old, new = (np.take_along_axis(part.reshape(told.shape), place, 1)[:, 0] for part in (told, result))
    return np.where(old > 0, new / np.where(old > 0, old, 1), np.nan)


def _random_gain_accept(result, images, low, high, seed):
    result = np.asarray(result, float)
    if result.shape != images.shape:
        return f"the result must have the shape of the images, {images.shape}; yours has {result.shape}."
    if result.max() > 1 + 1e-6 or result.min() < -1e-6:
        return "some pixels lie outside 0 … 1. What happens to a bright pixel when the gain is above 1?"
    gains = _gains_of(result, images)
    again = np.clip(images * np.nan_to_num(gains, nan=high).reshape(-1, 1, 1, 1), 0, 1)
    if np.abs(result - again).max() > 1e-5:
        return "inside one image, pixels were multiplied by different numbers. The gain belongs to the whole image."
    gains = gains[np.isfinite(gains)]
    if (gains < low - 1e-4).any() or (gains > high + 1e-4).any():
        return "some gains lie outside the range from low to high."
    if high > low and len(gains) > 1 and np.ptp(gains) < 1e-6:
        return "every image got the same gain. Draw a new one for each image of the batch."
    return None


def _is_moved_on(gains, others):
    """Whether the gains are others, moved by one or two images."""
    pairs = [pair for k in (1, 2) for pair in ((gains[k:], others[:-k]), (others[k:], gains[:-k]))]
    return any(np.abs(np.corrcoef(*pair)[0, 1]) > 0.3 for pair in pairs)


def _random_gain_accept_all(results, inputs):
    known = {}  # {seed: gains of the large batch}
    for result, (images, low, high, seed) in zip(results, inputs, strict=True):
        if (n := len(images)) < 100:
            continue
        gains = _gains_of(np.asarray(result, float), images)
        if not np.allclose(known.setdefault(seed, gains), gains, atol=1e-5):
            return (
                "Called twice with the same seed, your function gives two results. All chance must come from the seed."
            )
        if any(other != seed and np.abs(np.corrcoef(gains, g)[0, 1]) > 0.3 for other, g in known.items()):
            return "Two seeds gave you the same gains, or nearly. Where does the seed come in?"
        if any(other != seed and _is_moved_on(gains, g) for other, g in known.items()):
            return (
                "The gains of one seed are those of the next seed, moved on by an image, as when each image gets a generator "
                "with `seed + i`. Make one generator and let it draw all gains."
            )
        share = (np.sort(gains) - low) / (high - low)  # even draws lie near the line from 0 to 1, though not on it
        distance = np.sqrt(n) * np.abs(share - (np.arange(n) + 0.5) / n).max()
        if distance > 2.2 or np.abs(np.corrcoef(gains[1:], gains[:-1])[0, 1]) > 0.3:
            return f"Your gains of {n} images are not spread evenly from low to high, or not drawn one by one."
        if distance < 0.25 or len(np.unique(np.round(gains, 5))) < 0.9 * n:
            return f"Your gains of {n} images are too regular: any number between low and high may be drawn."
    return None


def _gained(gains_of, then=lambda pixels: np.clip(pixels, 0, 1)):
    """The answer whose gains are gains_of(generator, low, high, n)."""
    return lambda images, low, high, seed: then(
        images * np.reshape(gains_of(np.random.default_rng(seed), low, high, len(images)), (-1, 1, 1, 1))
    )


def _uniform(rng, low, high, n):
    return rng.uniform(low, high, n)


def _each_with_its_own_seed(images, low, high, seed):
    gains = [np.random.default_rng(seed + place).uniform(low, high) for place in range(len(images))]
    return np.clip(images * np.reshape(gains, (-1, 1, 1, 1)), 0, 1)


_MANY = _random_gain_inputs()[4:8]

random_gain = Coding(
    topic=TOPIC,
    name="random_gain",
    reference=_random_gain,
    also_correct=(_random_gain_by_loop, _random_gain_backwards),
    inputs=_random_gain_inputs,
    integers=False,  # pixels between 0 and 1
    accept=_random_gain_accept,
    accept_all=_random_gain_accept_all,
    mistakes=(
        Mistake(
            _gained(lambda rng, low, high, n: rng.uniform(low, high)),
            "Your results are those of one gain for the whole batch: all its images become brighter or darker together.",
        ),
        Mistake(
            lambda images, low, high, seed: np.clip(
                images * np.random.default_rng(seed).uniform(low, high, images.shape), 0, 1
            ),
            "Your results are those of a gain for every pixel. That is noise; a scanner's gain is one number for the image.",
        ),
        Mistake(
            _gained(_uniform, lambda pixels: pixels),
            "Your gains are right, but bright pixels now exceed 1. The course's images stay between 0 and 1.",
        ),
        Mistake(
            lambda images, low, high, seed: np.clip(
                images + np.random.default_rng(seed).uniform(low, high, (len(images), 1, 1, 1)), 0, 1
            ),
            "Your results are those of a sum. A gain multiplies: air stays dark, whatever the gain.",
        ),
        Mistake(
            lambda images, low, high, seed: _random_gain(images, low, high, 0),
            "Your results are the same for every seed. Give the seed to `default_rng`.",
        ),
    ),
    wrong=(
        Wrong(_gained(lambda rng, low, high, n: np.linspace(low, high, n)), _MANY),
        Wrong(_gained(lambda rng, low, high, n: rng.permutation(np.linspace(low, high, n))), _MANY),
        Wrong(_gained(lambda rng, low, high, n: np.sort(rng.uniform(low, high, n))), _MANY),
        Wrong(_gained(lambda rng, low, high, n: np.round(rng.uniform(low, high, n), 1)), _MANY),
        Wrong(_gained(lambda rng, low, high, n: rng.choice([low, high], n)), _MANY),
        Wrong(_gained(lambda rng, low, high, n: rng.normal((low + high) / 2, 0.2, n).clip(low, high)), _MANY),
        Wrong(_gained(lambda rng, low, high, n: low * (high / low) ** rng.random(n)), _MANY),
        Wrong(_gained(lambda rng, low, high, n: rng.uniform(1, high, n)), _MANY),
        Wrong(_gained(lambda rng, low, high, n: rng.uniform(low, 1, n)), _MANY),
        Wrong(_gained(lambda rng, low, high, n: rng.uniform(0.5, 1.5, n)), _MANY),
        Wrong(_gained(lambda rng, low, high, n: np.random.default_rng().uniform(low, high, n)), _MANY),
        Wrong(_gained(lambda rng, low, high, n: np.random.default_rng(42).uniform(low, high, n)), _MANY),
        Wrong(_each_with_its_own_seed, _MANY),
        Wrong(_gained(_uniform, lambda pixels: pixels / np.maximum(pixels.max((1, 2, 3), keepdims=True), 1)), _MANY),
        Wrong(_gained(_uniform, lambda pixels: pixels / max(pixels.max(), 1)), _MANY),
        Wrong(_gained(_uniform, lambda pixels: np.where(pixels > 0.5, 1, pixels)), _MANY),
        Wrong(_gained(_uniform, lambda pixels: np.where(pixels > 1, np.nan, pixels)), _MANY),
        Wrong(_gained(_uniform, lambda pixels: np.where(pixels > 1, 0, pixels)), _MANY),
        Wrong(_gained(_uniform, lambda pixels: np.clip(pixels, 0, 1)[:2]), _MANY),
        Wrong(lambda images, low, high, seed: images, _MANY),
    ),
    hints=(
        "`rng = np.random.default_rng(seed)`, then `rng.uniform(low, high, size=…)` draws as many numbers as you like.",
        "How many gains does a batch need? `images` has the shape (n, h, w, c).",
        "Gains of shape (n, 1, 1, 1) are stretched over all pixels of their image when you multiply.",
    ),
    why="One number per image and a shape with ones: gamma, shift and the noise's σ are drawn for a batch in this way.",
)


def _rotation_factor(degrees):
    return degrees / 360  # the factor counts full turns


def _rotation_factor_by_radians(degrees):
    return np.deg2rad(degrees) / (2 * np.pi)


rotation_factor = Coding(
    topic=TOPIC,
    name="rotation_factor",
    reference=_rotation_factor,
    also_correct=(_rotation_factor_by_radians, lambda degrees: np.float32(degrees) / np.float32(90) / 4),
    inputs=lambda: [(36,), (10,), (7.2,), (180,), (0,), (360,), (0.5,), (1,), (np.int64(25),), (123.4,)],
    mistakes=(
        Mistake(
            lambda degrees: np.deg2rad(degrees),
            "Your results are radians, in which a full turn is 2π. In which unit does the factor count a full turn?",
        ),
        Mistake(
            lambda degrees: degrees / 100,
            "Your results are those of per cent: a full turn has more than a hundred degrees.",
        ),
        Mistake(
            lambda degrees: degrees / 180,
            "Nearly. Your results are those of half a turn, so images will turn twice as far as they should.",
        ),
        Mistake(
            lambda degrees: degrees / 720,
            "Nearly. Your results are half of ours. The factor f already means from −f to +f: it need not be halved.",
        ),
        Mistake(lambda degrees: degrees, "This many full turns? The factor does not count degrees."),
    ),
    wrong=(
        Wrong(lambda degrees: degrees / 400, (36,)),
        Wrong(lambda degrees: degrees / 365, (36,)),
        Wrong(lambda degrees: degrees / 90, (36,)),
        Wrong(lambda degrees: degrees // 360, (36,)),
        Wrong(lambda degrees: round(degrees / 360, 2), (10,)),
        Wrong(lambda degrees: round(degrees / 360, 3), (10,)),
        Wrong(lambda degrees: min(degrees / 360, 0.2), (180,)),
        Wrong(lambda degrees: degrees % 360 / 360, (360,)),
        Wrong(lambda degrees: int(degrees) / 360, (7.2,)),
        Wrong(lambda degrees: -degrees / 360, (36,)),
        Wrong(lambda degrees: np.sin(np.deg2rad(degrees)), (36,)),
        Wrong(lambda degrees: (-degrees / 360, degrees / 360), (36,)),
        Wrong(lambda degrees: 0.1, (10,)),
        Wrong(lambda degrees: float("nan"), (36,)),
    ),
    hints=(
        "Which factor turns images by up to one full turn?",
        "A factor of 1 is one full turn, which has 360 degrees.",
    ),
    why="So ±10° is a factor below 0.03. The harmless-looking 0.2 turns images by up to 72°.",
)


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
