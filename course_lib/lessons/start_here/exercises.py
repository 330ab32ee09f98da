"""Exercises of the lesson start_here: how exercises work, and the NumPy that the course needs."""

import numpy as np

from course_lib.exercises import Choice, Coding, Mistake, Wrong, progress

TOPIC = "start_here"


def _area_mm2(rows, columns, spacing):
    return rows * columns * spacing[0] * spacing[1]


area_mm2 = Coding(
    topic=TOPIC,
    name="area_mm2",
    reference=_area_mm2,
    also_correct=(
        lambda rows, columns, spacing: float(np.prod(spacing)) * (rows * columns),
        lambda rows, columns, spacing: np.multiply(*(np.array([rows, columns]) * spacing)),
    ),
    inputs=lambda: [
        (2, 3, (0.5, 0.5)),
        (10, 20, (1.0, 1.0)),
        (64, 32, (0.3, 0.7)),
        (5, 1, (2.0, 3.0)),
        (1, 7, [0.25, 4.0]),
        (3, 5, (0.33, 0.21)),
    ],
    integers=False,
    mistakes=(
        Mistake(
            lambda rows, columns, spacing: rows * columns,
            "Your results are numbers of pixels. How many square millimetres does one pixel cover?",
        ),
        Mistake(
            lambda rows, columns, spacing: rows * columns * spacing,
            "A pair times a whole number is a longer pair for Python. Take the two numbers out: `spacing[0]`, `spacing[1]`.",
        ),
        Mistake(
            lambda rows, columns, spacing: rows * columns * np.array(spacing),
            "Your results are two numbers each. An area is one number: a pixel's height times its width, for all pixels.",
        ),
        Mistake(
            lambda rows, columns, spacing: rows * columns * spacing[0],
            "Your results use the first number of `spacing` only. A pixel has a height and a width, and they may differ.",
        ),
        Mistake(
            lambda rows, columns, spacing: rows * spacing[0] + columns * spacing[1],
            "Your results add the height to the width. An area is height times width.",
        ),
        Mistake(
            lambda rows, columns, spacing: rows / spacing[0] * (columns / spacing[1]),
            "Check the units: pixels times millimetres per pixel gives millimetres.",
        ),
    ),
    wrong=(
        Wrong(lambda rows, columns, spacing: rows * columns * spacing[0] ** 2, (4, 4, (1.0, 2.0))),
        Wrong(lambda rows, columns, spacing: rows * columns * sum(spacing), (4, 4, (1.0, 3.0))),
        Wrong(lambda rows, columns, spacing: rows * columns * np.mean(spacing) ** 2, (4, 4, (1.0, 2.0))),
        Wrong(lambda rows, columns, spacing: (rows - 1) * (columns - 1) * spacing[0] * spacing[1], (4, 4, (1.0, 2.0))),
        Wrong(lambda rows, columns, spacing: rows**2 * spacing[0] * spacing[1], (4, 5, (1.0, 2.0))),
        Wrong(lambda rows, columns, spacing: int(rows * spacing[0]) * int(columns * spacing[1]), (3, 3, (0.5, 0.5))),
        Wrong(lambda rows, columns, spacing: rows * columns * spacing[0] * spacing[1] / 100, (4, 5, (1.0, 2.0))),
        Wrong(lambda rows, columns, spacing: round(rows * columns * spacing[0] * spacing[1], 1), (3, 5, (0.33, 0.21))),
    ),
    hints=(
        "How high is the image in millimetres, if it has `rows` rows that lie `spacing[0]` apart?",
        "`return height * width`, each in millimetres.",
    ),
    why="The spacing in the file turns pixels into millimetres; without it, nothing in an image has a size.",
)


def _as_batch(image):
    return image[None, :, :, None]


def _images(n, h, w, seed):
    """Grey values (n, h, w) that are no whole numbers, of both signs."""
    return np.random.default_rng(seed).normal(10, 20, (n, h, w))


as_batch = Coding(
    topic=TOPIC,
    name="as_batch",
    reference=_as_batch,
    also_correct=(
        lambda image: np.reshape(image, (1, *np.shape(image), 1)),
        lambda image: np.expand_dims(np.expand_dims(image, 0), -1),
        lambda image: [[[[value] for value in row] for row in image]],
    ),
    inputs=lambda: [
        (np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]),),
        (_images(1, 5, 4, seed=0)[0],),
        (np.arange(9.0).reshape(3, 3) - 4.5,),
        (np.array([[0.25]]),),
    ],
    integers=False,
    mistakes=(
        Mistake(
            lambda image: image[None], "Your results have the batch axis, but no axis for the channels at the end."
        ),
        Mistake(lambda image: image[:, :, None], "Your results have the channel axis, but no batch axis in front."),
        Mistake(
            lambda image: image[:, None, :, None],
            "Your results have four axes, but an axis of length 1 stands between the rows and the columns.",
        ),
        Mistake(
            lambda image: image[None, None],
            "Your results have two new axes in front. The batch axis is first, the channel axis last.",
        ),
    ),
    wrong=(
        Wrong(lambda image: image.T[None, :, :, None], (np.ones((2, 3)),)),
        Wrong(lambda image: image.reshape(1, image.shape[1], image.shape[0], 1), (np.ones((2, 3)),)),
        Wrong(lambda image: image[::-1][None, :, :, None], (np.array([[1.0], [2.0]]),)),
        Wrong(lambda image: image[:, :, None, None], (np.ones((2, 3)),)),
        Wrong(lambda image: np.zeros((1, *image.shape, 1)), (np.ones((2, 3)),)),
        Wrong(lambda image: image.astype(int)[None, :, :, None], (np.array([[0.5]]),)),
        Wrong(lambda image: np.stack([image] * 3, axis=-1)[None], (np.ones((2, 3)),)),
        Wrong(lambda image: np.stack([image, image])[..., None], (np.ones((2, 3)),)),
        Wrong(lambda image: np.abs(image)[None, :, :, None], (np.array([[-1.0]]),)),
    ),
    hints=(
        "`image[None]` puts a new axis of length 1 in front; a colon keeps an axis as it is.",
        "Four places between the brackets, separated by commas: new, rows, columns, new.",
    ),
    why="A network always takes a batch with channels: (n, h, w, c). One grey image is a batch of one image with one channel.",
)


def _centre(images):
    return images - images.mean(axis=(1, 2), keepdims=True)


centre = Coding(
    topic=TOPIC,
    name="centre",
    reference=_centre,
    also_correct=(
        lambda images: images - images.reshape(len(images), -1).mean(1)[:, None, None],
        lambda images: np.stack([image - np.mean(image) for image in images]),
        lambda images: [(image - image.mean()).tolist() for image in images],
    ),
    inputs=lambda: [
        (np.array([[[1, 2], [3, 4]], [[0, 0], [0, 10]]], np.uint8),),
        (_images(3, 4, 5, seed=1),),
        (_images(4, 4, 4, seed=2),),
        (np.array([[[7.0, 7.0, 7.0]], [[-1.0, 0.0, 4.0]]]),),
        (_images(1, 2, 6, seed=3),),
    ],
    mistakes=(
        Mistake(
            lambda images: images - images.mean(),
            "Your results have one mean subtracted from all images. Each image has a mean of its own: give `mean` the axes.",
        ),
        Mistake(
            lambda images: images - images.mean(axis=0),
            "Your results have the mean image subtracted: axis 0 is the batch. Take the mean over rows and columns.",
        ),
        Mistake(
            lambda images: images - images.mean(axis=1, keepdims=True),
            "Your results have the mean of each column subtracted. The mean over rows *and* columns is asked for.",
        ),
        Mistake(
            lambda images: images - images.mean(axis=2, keepdims=True),
            "Your results have the mean of each row subtracted. The mean over rows *and* columns is asked for.",
        ),
        Mistake(
            lambda images: images.mean(axis=(1, 2)),
            "Your results are the means alone. Subtract them from the images.",
        ),
    ),
    wrong=(
        Wrong(lambda images: images - images[0].mean(), (_images(2, 3, 3, seed=4),)),
        Wrong(lambda images: images - np.median(images, axis=(1, 2), keepdims=True), (_images(2, 3, 3, seed=4),)),
        Wrong(
            lambda images: (images - images.mean((1, 2), keepdims=True)) / images.std((1, 2), keepdims=True),
            (_images(2, 3, 3, seed=4),),
        ),
        Wrong(lambda images: images - images.min((1, 2), keepdims=True), (_images(2, 3, 3, seed=4),)),
        Wrong(lambda images: images - images.mean((1, 2)), (_images(3, 3, 3, seed=4),)),
        Wrong(lambda images: images - images.mean((1, 2), keepdims=True).astype(int), (_images(2, 3, 3, seed=4),)),
        Wrong(lambda images: images.mean((1, 2), keepdims=True) - images, (_images(2, 3, 3, seed=4),)),
        Wrong(lambda images: np.abs(images - images.mean((1, 2), keepdims=True)), (_images(2, 3, 3, seed=4),)),
        Wrong(lambda images: images[:1] - images[:1].mean(), (_images(2, 3, 3, seed=4),)),
        Wrong(
            lambda images: images - images.sum((1, 2), keepdims=True) / images.shape[1] ** 2,
            (_images(2, 3, 4, seed=4),),
        ),
    ),
    hints=(
        "`images.mean(axis=(1, 2))` has one number for each image. Which shape has it, and which does it need?",
        "With `keepdims=True` the axes that were averaged stay, with length 1, and broadcasting does the rest.",
    ),
    why="Axes of length 1 are stretched to fit: that is broadcasting, and the course uses it on nearly every page.",
)


def _region_means(images, masks):
    pixels = images.reshape(len(images), -1)
    weights = masks.reshape(len(masks), -1) / masks.sum(axis=(1, 2))[:, None]
    return pixels @ weights.T


def _masks(k, h, w, seed):
    """Booleans (k, h, w); regions of different sizes, none of them empty, some overlapping."""
    rng = np.random.default_rng(seed)
    masks = rng.random((k, h, w)) < rng.uniform(0.2, 0.8, (k, 1, 1))
    masks[:, 0, 0] = True
    return masks


region_means = Coding(
    topic=TOPIC,
    name="region_means",
    reference=_region_means,
    also_correct=(
        lambda images, masks: np.stack([images[:, mask].mean(axis=1) for mask in masks], axis=1),
        lambda images, masks: [[image[mask].mean() for mask in masks] for image in images],
        lambda images, masks: np.einsum("nij,kij->nk", images, masks) / masks.sum((1, 2)),
    ),
    inputs=lambda: [
        (np.array([[[1, 2], [3, 4]], [[10, 20], [30, 40]]]), np.array([[[True, True], [False, False]]])),
        (_images(3, 4, 5, seed=5), _masks(2, 4, 5, seed=5)),
        (_images(2, 3, 3, seed=6), _masks(2, 3, 3, seed=7)),
        (_images(1, 2, 6, seed=8), _masks(3, 2, 6, seed=9)),
        (
            np.array([[[250, 255], [255, 251]]]),
            np.array([[[True, True], [True, False]], [[True, False]] * 2]),
        ),
        (
            np.array([[[0, 2], [4, 0]], [[0, 0], [0, -6]]]),
            np.array([[[True, True], [False, True]]]),
        ),  # dark pixels count
    ],
    mistakes=(
        Mistake(
            lambda images, masks: images.reshape(len(images), -1).astype(float) @ masks.reshape(len(masks), -1).T,
            "Your results are sums over the regions. A mean divides by the number of pixels in the region.",
        ),
        Mistake(
            lambda images, masks: _region_means(images, masks).T,
            "Your results have a row for each mask. Make it a row for each image, and a column for each mask.",
        ),
        Mistake(
            lambda images, masks: (images[:, None] * masks).mean(axis=(2, 3)),
            "Your results are divided by the number of pixels of the image. Divide by those of the region.",
        ),
    ),
    wrong=(
        Wrong(lambda images, masks: _region_means(images, masks[:1]), (_images(2, 3, 3, 1), _masks(2, 3, 3, 1))),
        Wrong(lambda images, masks: _region_means(images, ~masks), (_images(2, 3, 3, 1), _masks(2, 3, 3, 2))),
        Wrong(
            lambda images, masks: np.array([[np.median(image[mask]) for mask in masks] for image in images]),
            (np.arange(8.0).reshape(1, 2, 4) ** 2, np.ones((1, 2, 4), bool)),
        ),
        Wrong(
            lambda images, masks: np.array([[image[mask].max() for mask in masks] for image in images]),
            (_images(2, 3, 3, 1), np.ones((2, 3, 3), bool)),
        ),
        Wrong(lambda images, masks: _region_means(images, masks).round(), (_images(2, 3, 3, 1), _masks(2, 3, 3, 1))),
        Wrong(
            lambda images, masks: _region_means(images, masks[: len(images)]), (_images(1, 3, 3, 1), _masks(2, 3, 3, 1))
        ),
        Wrong(
            lambda images, masks: (images.reshape(len(images), -1) @ masks.reshape(len(masks), -1).T) / masks[0].sum(),
            (_images(2, 3, 3, 1), np.array([np.ones((3, 3), bool), np.eye(3, dtype=bool)])),
        ),
        Wrong(lambda images, masks: _region_means(images[:1], masks), (_images(2, 3, 3, 1), _masks(2, 3, 3, 1))),
        Wrong(
            lambda images, masks: np.array(
                [[np.mean((image * mask)[image * mask != 0]) for mask in masks] for image in images]
            ),
            (np.array([[[0.0, 2.0]]]), np.ones((1, 1, 2), bool)),
        ),
    ),
    hints=(
        "Flatten first: `images.reshape(len(images), -1)` has one row of pixels for each image; do the same to the masks.",
        "`pixels @ masks.T` has a row for each image and a column for each mask, and holds the sums over the regions.",
        "Divide by the number of True pixels of each mask: `masks.sum(axis=(1, 2))`.",
    ),
    why="One matrix product weighs all pixels of all images with all masks at once. A fully connected layer is exactly that.",
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
