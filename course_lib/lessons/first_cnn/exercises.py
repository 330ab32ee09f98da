"""Exercises of the lesson on a first CNN in TensorFlow."""

import itertools

import numpy as np

from course_lib.exercises import Choice, Coding, Mistake, Wrong, progress

TOPIC = "first_cnn"


# ---- network_parameters ---------------------------------------------------------------------------


def _network_parameters(size, c_in, filters, classes):
    total = 0
    for c_out in filters:
        total += (3 * 3 * c_in + 1) * c_out
        size = (size - 2) // 2  # the convolution takes one pixel off each side, the pooling halves and rounds down
        c_in = c_out
    return total + (size * size * c_in + 1) * classes


def _network_parameters_in_lists(size, c_in, filters, classes):
    channels = [c_in, *filters]
    convolutions = sum(9 * a * b + b for a, b in zip(channels[:-1], channels[1:], strict=True))
    for _ in filters:
        size = int((size - 2) / 2)
    return convolutions + size**2 * channels[-1] * classes + classes


def _counted(size, c_in, filters, classes, *, bias=1, shrink=2, half=lambda n: n // 2, grow=True, dense_channels=True):
    """The reference with one thing wrong."""
    total, first = 0, c_in
    for c_out in filters:
        total += (9 * (c_in if grow else first) + bias) * c_out
        size = half(size - shrink)
        c_in = c_out
    return total + (size * size * (c_in if dense_channels else 1) + bias) * classes


network_parameters = Coding(
    topic=TOPIC,
    name="network_parameters",
    reference=_network_parameters,
    also_correct=(_network_parameters_in_lists,),
    inputs=lambda: [
        (128, 3, [32, 64], 10),
        (64, 1, [32, 64], 4),
        (32, 1, [8], 2),
        (65, 1, [8, 16, 32], 4),
        (101, 3, [16, 16], 3),
        (12, 5, [3], 1),
        (256, 2, [4, 4, 4, 4], 7),
    ],
    mistakes=(
        Mistake(
            lambda size, c_in, filters, classes: _counted(size, c_in, filters, classes, bias=0),
            "The biases are missing: one for every kernel, and one for every output of the dense layer.",
        ),
        Mistake(
            lambda size, c_in, filters, classes: _counted(size, c_in, filters, classes, shrink=0),
            "You leave the size as it is in the convolution. Without padding, a 3×3 kernel loses a pixel on each side.",
        ),
        Mistake(
            lambda size, c_in, filters, classes: _counted(size, c_in, filters, classes, half=lambda n: n),
            "You forgot the pooling: it has no weights of its own, but it decides how many values reach the dense layer.",
        ),
        Mistake(
            lambda size, c_in, filters, classes: _counted(size, c_in, filters, classes, half=lambda n: -(-n // 2)),
            "A last row that does not fill a 2×2 window is dropped: the pooling rounds down, and you round up.",
        ),
        Mistake(
            lambda size, c_in, filters, classes: _counted(size, c_in, filters, classes, grow=False),
            "The second convolution does not see the image, but the feature maps of the first: how deep are its kernels?",
        ),
        Mistake(
            lambda size, c_in, filters, classes: _counted(size, c_in, filters, classes, dense_channels=False),
            "Flatten lays out all feature maps, not one: height times width times channels.",
        ),
    ),
    wrong=(
        Wrong(
            lambda size, c_in, filters, classes: _network_parameters(size, 3, filters, classes), (64, 1, [32, 64], 4)
        ),
        Wrong(
            lambda size, c_in, filters, classes: _network_parameters(size, c_in, filters[:2], classes),
            (65, 1, [8, 16, 32], 4),
        ),
        Wrong(lambda size, c_in, filters, classes: _network_parameters(size, c_in, filters, 10), (64, 1, [32, 64], 4)),
        Wrong(
            lambda size, c_in, filters, classes: _network_parameters(size, c_in, filters, classes) - classes,
            (32, 1, [8], 2),
        ),
        Wrong(
            lambda size, c_in, filters, classes: _network_parameters(size, c_in, filters, classes) - sum(filters),
            (32, 1, [8], 2),
        ),
        Wrong(
            lambda size, c_in, filters, classes: _network_parameters(size, c_in, filters[::-1], classes),
            (64, 1, [32, 64], 4),
        ),
        Wrong(
            lambda size, c_in, filters, classes: _counted(size, c_in, filters, classes, shrink=1), (64, 1, [32, 64], 4)
        ),
        Wrong(
            lambda size, c_in, filters, classes: _counted(size, c_in, filters, classes, shrink=3), (64, 1, [32, 64], 4)
        ),
        Wrong(
            lambda size, c_in, filters, classes: _counted(size, c_in, filters, classes, half=lambda n: n / 2),
            (65, 1, [8, 16, 32], 4),
        ),
        Wrong(lambda size, c_in, filters, classes: (filters[-1] + 1) * classes, (32, 1, [8], 2)),
        Wrong(lambda size, c_in, filters, classes: float("nan"), (32, 1, [8], 2)),
        Wrong(
            lambda size, c_in, filters, classes: str(_network_parameters(size, c_in, filters, classes)), (32, 1, [8], 2)
        ),
    ),
    hints=(
        "Walk through the network and keep two numbers: the side of the feature maps, and how many maps there are.",
        "A block: add (3·3·channels in + 1)·channels out, take 2 off the side, halve it and round down.",
        "At the end side·side·channels values go into the dense layer, which has one weight for each and each class.",
    ),
    why="Shapes first, then parameters: counted like this, no summary of a framework can surprise you.",
)


# ---- larger_image -----------------------------------------------------------------------------------

larger_image = Choice(
    topic=TOPIC,
    name="larger_image",
    answer="c",
    replies={
        "a": "That holds for the two convolutions. But what does the dense layer after Flatten have a weight for?",
        "b": "The side is doubled, so how much does the area grow? And which layer counts the area?",
        "c": "The convolutions stay as they are. The feature maps have over four times as many values, and the dense layer "
        "has a weight for each value and class.",
        "d": "The kernels of a convolution do not know how large the image is. Only one layer here does.",
    },
    hints=("Go through the layers one by one: in whose formula does the size of the image occur?",),
)


# ---- ten_outputs --------------------------------------------------------------------------------------

ten_outputs = Choice(
    topic=TOPIC,
    name="ten_outputs",
    answer="d",
    replies={
        "a": "Nothing compares the number of outputs with the labels that occur: label 3 has an output, so all is well "
        "for the program.",
        "b": "It would with labels above 9. Labels 0 to 3 all have an output.",
        "c": "The outputs are not shared out among the classes: each label number belongs to exactly one output.",
        "d": "It runs. Training teaches the network that outputs 4 to 9 never occur, which costs steps, and no message says so.",
    },
    hints=("Cross-entropy looks at one number: the probability of the right class. Is there one for every label?",),
)


# ---- three_channels -----------------------------------------------------------------------------------


def _three_channels(images):
    return np.repeat(images, 3, axis=-1)  # the same grey value as red, green and blue


def _only_red(images):
    return np.concatenate([images, np.zeros_like(images), np.zeros_like(images)], axis=-1)


three_channels = Coding(
    topic=TOPIC,
    name="three_channels",
    reference=_three_channels,
    also_correct=(
        lambda images: np.concatenate([images, images, images], axis=3),
        lambda images: images + np.zeros(3, images.dtype),
        lambda images: np.tile(images, 3),
    ),
    integers=False,  # an image goes into a network as floats
    inputs=lambda: [
        (np.array([[[[0.1], [0.2]]], [[[0.3], [0.4]]]], np.float32),),
        (np.random.default_rng(0).random((2, 4, 5, 1), np.float32),),
        (np.random.default_rng(1).random((1, 3, 3, 1), np.float32),),
        (np.arange(24, dtype=np.float32).reshape(3, 2, 4, 1) * 10,),
        (np.random.default_rng(2).normal(0, 300, (2, 3, 2, 1)),),  # Hounsfield units, some below 0
    ],
    mistakes=(
        Mistake(
            lambda images: np.concatenate([images] * 3),
            "You get three times as many images. The channels are the last axis.",
        ),
        Mistake(
            lambda images: np.stack([images] * 3, axis=-1),
            "Stacking makes a new axis, the fifth. The last axis is there already: make it three long.",
        ),
        Mistake(_only_red, "A grey image is not a red one: green and blue must be as bright as red."),
        Mistake(
            lambda images: np.repeat(images, 3),
            "Without an axis, `np.repeat` lays everything out in one row. Say along which axis to repeat.",
        ),
        Mistake(
            lambda images: np.repeat(images, 3, axis=2),
            "You made the images three times as wide. The channels are the last axis.",
        ),
    ),
    wrong=(
        Wrong(lambda images: np.repeat(images, 3, axis=-1) / 3, (np.ones((1, 2, 2, 1), np.float32),)),
        Wrong(lambda images: np.repeat(images, 3, axis=0), (np.ones((1, 2, 2, 1), np.float32),)),
        Wrong(lambda images: np.repeat(images, 3, axis=1), (np.ones((1, 2, 2, 1), np.float32),)),
        Wrong(lambda images: np.repeat(images[:1], 3, axis=-1), (np.ones((2, 2, 2, 1), np.float32),)),
        Wrong(lambda images: np.repeat(images[..., 0], 3, axis=-1), (np.ones((1, 2, 2, 1), np.float32),)),
        Wrong(lambda images: np.repeat(np.clip(images, 0, 1), 3, axis=-1), (np.full((1, 2, 2, 1), -3.0),)),
        Wrong(lambda images: np.repeat(images, 4, axis=-1), (np.ones((1, 2, 2, 1), np.float32),)),
        Wrong(
            lambda images: np.repeat(images, 3, axis=-1).transpose(0, 2, 1, 3),
            (np.arange(6, dtype=np.float32).reshape(1, 2, 3, 1),),
        ),
        Wrong(lambda images: np.full((*images.shape[:3], 3), np.nan), (np.ones((1, 2, 2, 1), np.float32),)),
        Wrong(lambda images: images, (np.ones((1, 2, 2, 1), np.float32),)),
    ),
    hints=(
        "The shape (n, h, w, 1) must become (n, h, w, 3), with the same value three times.",
        "`np.repeat` and `np.concatenate` both take an `axis`.",
    ),
    why="Grey has equal red, green and blue. It fits the model's door, and adds no information.",
)


# ---- best_epoch ---------------------------------------------------------------------------------------


def _best_epoch(history):
    return int(np.argmin(history["val_loss"])) + 1  # epochs are counted from 1


def _best_epoch_with_a_loop(history):
    best = 0
    for epoch, loss in enumerate(history["val_loss"]):
        if loss < history["val_loss"][best]:
            best = epoch
    return best + 1


def _histories():
    first = {
        "loss": [1.4, 1.1, 0.8, 0.5, 0.2],
        "accuracy": [0.30, 0.5, 0.7, 0.8, 0.95],
        "val_loss": [1.45, 1.2, 1.3, 1.6, 2.1],
        "val_accuracy": [0.25, 0.4, 0.45, 0.50, 0.48],
    }
    second = {
        "loss": [0.9, 0.7, 0.6, 0.65],
        "accuracy": [0.6, 0.7, 0.8, 0.75],
        "val_loss": [1.3, 1.0, 0.9, 0.8],
        "val_accuracy": [0.5, 0.62, 0.61, 0.6],
    }
    third = {"loss": [0.5, 0.4], "accuracy": [0.8, 0.9], "val_loss": [0.7, 0.9], "val_accuracy": [0.7, 0.75]}
    tie = {
        "loss": [1.0, 0.9, 0.7, 0.6],
        "accuracy": [0.5, 0.6, 0.7, 0.8],
        "val_loss": [1.2, 0.9, 0.9, 1.0],  # reached twice: the first time counts
        "val_accuracy": [0.4, 0.6, 0.65, 0.6],
    }
    one = {"loss": [1.4], "accuracy": [0.3], "val_loss": [1.5], "val_accuracy": [0.25]}
    falls = {
        "loss": [3.0, 2.0, 1.0],
        "accuracy": [0.3, 0.4, 0.5],
        "val_loss": [30.0, 20.0, 12.0],
        "val_accuracy": [0.3, 0.35, 0.3],
    }
    twice = {  # falls, rises, and falls deeper
        "loss": [1.3, 1.1, 1.0, 0.8, 0.6],
        "accuracy": [0.3, 0.4, 0.5, 0.6, 0.7],
        "val_loss": [1.4, 1.1, 1.2, 1.0, 1.3],
        "val_accuracy": [0.3, 0.5, 0.4, 0.45, 0.4],
    }
    plain = {"loss": [2.0, 1.0, 0.5], "val_loss": [2.0, 0.1, 0.2], "accuracy": [0, 0.5, 1], "val_accuracy": [0, 0.9, 1]}
    return [(one,), (first,), (second,), (tie,), (third,), (falls,), (plain,), (twice,)]


best_epoch = Coding(
    topic=TOPIC,
    name="best_epoch",
    reference=_best_epoch,
    also_correct=(_best_epoch_with_a_loop, lambda history: history["val_loss"].index(min(history["val_loss"])) + 1),
    inputs=_histories,
    mistakes=(
        Mistake(
            lambda history: int(np.argmin(history["val_loss"])),
            "The right place in the list, which Python counts from 0. Epochs are counted from 1.",
        ),
        Mistake(
            lambda history: int(np.argmin(history["loss"])) + 1,
            "You look at the training loss. It goes on falling while the network learns its images by heart.",
        ),
        Mistake(
            lambda history: int(np.argmax(history["val_loss"])) + 1,
            "That is the epoch with the largest validation loss. A loss should be small.",
        ),
        Mistake(
            lambda history: int(np.argmax(history["val_accuracy"])) + 1,
            "That is the epoch with the highest validation accuracy. The task asks for the loss, and the two need not agree.",
        ),
        Mistake(
            lambda history: min(history["val_loss"]),
            "That is the lowest validation loss itself. In which epoch was it reached?",
        ),
    ),
    wrong=(
        Wrong(
            lambda history: len(history["val_loss"]) - int(np.argmin(history["val_loss"][::-1])), (_histories()[3][0],)
        ),
        Wrong(lambda history: len(history["val_loss"]), (_histories()[1][0],)),
        Wrong(lambda history: 2, (_histories()[0][0],)),
        Wrong(lambda history: int(np.argmin(history["val_loss"])) + 2, (_histories()[1][0],)),
        Wrong(lambda history: int(np.argmin(history["val_accuracy"])) + 1, (_histories()[1][0],)),
        Wrong(lambda history: int(np.argmax(np.diff(history["val_loss"]) > 0)) + 1, (_histories()[5][0],)),
        Wrong(
            lambda history: int(np.argmin(np.subtract(history["val_loss"], history["loss"]))) + 1, (_histories()[1][0],)
        ),
        Wrong(lambda history: int(np.argmin(history["val_loss"][1:])) + 2, (_histories()[0][0],)),
        Wrong(lambda history: float("nan"), (_histories()[1][0],)),
        Wrong(
            lambda history: (int(np.argmin(history["val_loss"])) + 1, min(history["val_loss"])), (_histories()[1][0],)
        ),
        Wrong(
            lambda history: next((i + 1 for i, v in enumerate(history["val_loss"]) if v < 1), len(history["val_loss"])),
            (_histories()[2][0],),
        ),
        Wrong(
            lambda history: next(
                (i + 1 for i, (a, b) in enumerate(itertools.pairwise(history["val_loss"])) if b >= a),
                len(history["val_loss"]),
            ),
            (_histories()[7][0],),
        ),
    ),
    hints=(
        'Which of the four lists tells about patients that the network does not train on? `history["…"]` is a list.',
        "`np.argmin` gives the place of the smallest value, and Python counts places from 0.",
    ),
    why="From there on its probabilities get worse for other patients, even if more of its answers are right.",
)


# ---- both_rise ----------------------------------------------------------------------------------------

both_rise = Choice(
    topic=TOPIC,
    name="both_rise",
    answer="b",
    replies={
        "a": "Both are computed on the same images, with the same weights. They measure different things.",
        "b": "Accuracy counts which class is ahead. Cross-entropy asks by how much, and a certain, wrong answer costs most.",
        "c": "A small validation set makes both curves jumpy. It does not make one of them rise steadily.",
        "d": "The training loss has no part in it: validation images are only looked at, never learned from.",
    },
    hints=(
        "A wrong answer given with probability 0.4 becomes one with 0.99. What changes in accuracy, what in −log p̂?",
    ),
)


# ---- worst_mistakes -----------------------------------------------------------------------------------


def _worst_mistakes(probabilities, labels):
    guess = probabilities.argmax(axis=1)
    wrong = np.flatnonzero(guess != labels)
    confidence = probabilities[wrong, guess[wrong]]  # of the answer that was given
    return wrong[np.argsort(-confidence)]


def _worst_mistakes_with_sorted(probabilities, labels):
    places = [i for i, p in enumerate(probabilities) if np.argmax(p) != labels[i]]
    return sorted(places, key=lambda i: max(probabilities[i]), reverse=True)


def _mistakes_by_true_class(probabilities, labels):
    wrong = np.flatnonzero(probabilities.argmax(axis=1) != labels)
    return wrong[np.argsort(probabilities[wrong, labels[wrong]])]


def _places_among_mistakes(probabilities, labels):
    guess = probabilities.argmax(axis=1)
    wrong = np.flatnonzero(guess != labels)
    return np.argsort(-probabilities[wrong, guess[wrong]])


def _worst_mistakes_inputs():
    few = np.array([[0.7, 0.2, 0.1], [0.05, 0.35, 0.6], [0.4, 0.38, 0.22], [0.1, 0.8, 0.1], [0.55, 0.03, 0.42]])
    rng = np.random.default_rng(0)
    many = rng.dirichlet(np.ones(4), 12)
    all_right = np.array([[0.9, 0.1], [0.2, 0.8]])
    binary = np.array([[0.51, 0.49], [0.3, 0.7], [0.96, 0.04], [0.45, 0.55]])
    return [
        (few, np.array([0, 0, 1, 1, 2])),
        (many, rng.integers(0, 4, 12)),
        (all_right, np.array([0, 1])),  # no mistake at all
        (binary, np.array([1, 0, 1, 1])),
        (few[::-1].copy(), np.array([1, 0, 2, 0, 1])),  # all of them wrong
        (rng.dirichlet(np.ones(10), 40), rng.integers(0, 10, 40)),
    ]


worst_mistakes = Coding(
    topic=TOPIC,
    name="worst_mistakes",
    reference=_worst_mistakes,
    also_correct=(_worst_mistakes_with_sorted,),
    inputs=_worst_mistakes_inputs,
    mistakes=(
        Mistake(
            lambda probabilities, labels: _worst_mistakes(probabilities, labels)[::-1],
            "The right slices in the wrong order: `np.argsort` puts the smallest first, and we want the most certain first.",
        ),
        Mistake(
            lambda probabilities, labels: np.argsort(-probabilities.max(axis=1)),
            "Right answers are among them. Keep only those where the answer differs from the label.",
        ),
        Mistake(
            lambda probabilities, labels: np.flatnonzero(probabilities.argmax(axis=1) != labels),
            "These are the wrong answers, but not sorted by how certain the network was.",
        ),
        Mistake(
            _mistakes_by_true_class,
            "You sort by the probability of the true class. The task asks how certain the network was of its own answer.",
        ),
        Mistake(
            _places_among_mistakes,
            "These are places in the list of mistakes. To find the images, you need their places among all slices.",
        ),
    ),
    wrong=(
        Wrong(lambda p, y: _worst_mistakes(p, y)[:3], _worst_mistakes_inputs()[1]),
        Wrong(lambda p, y: _worst_mistakes(p, y) + 1, _worst_mistakes_inputs()[0]),
        Wrong(lambda p, y: p.max(axis=1)[_worst_mistakes(p, y)], _worst_mistakes_inputs()[0]),
        Wrong(
            lambda p, y: np.array([i for i in _worst_mistakes(p, y) if p[i].max() > 0.5], int),
            _worst_mistakes_inputs()[0],
        ),
        Wrong(lambda p, y: np.argsort(np.where(p.argmax(1) == y, np.inf, -p.max(1))), _worst_mistakes_inputs()[0]),
        Wrong(
            lambda p, y: np.array([i for i in np.argsort(-p.max(1)) if p[i].argmax() == y[i]], int),
            _worst_mistakes_inputs()[0],
        ),
        Wrong(lambda p, y: p.argmax(1)[_worst_mistakes(p, y)], _worst_mistakes_inputs()[0]),
        Wrong(lambda p, y: (p.argmax(1) != y)[np.argsort(-p.max(1))], _worst_mistakes_inputs()[0]),
        Wrong(
            lambda p, y: np.array(
                [i for i in np.argsort(p.max(1) - np.sort(p, 1)[:, -2])[::-1] if p[i].argmax() != y[i]], int
            ),
            _worst_mistakes_inputs()[5],
        ),
        Wrong(
            lambda p, y: np.array([i for i in np.argsort(-p.max(1)) if p[i].argmin() != y[i]], int),
            _worst_mistakes_inputs()[0],
        ),
        Wrong(lambda p, y: _worst_mistakes(p[:, :3], np.minimum(y, 2)), _worst_mistakes_inputs()[5]),
    ),
    hints=(
        "The network's answer is the class with the largest probability: `argmax` along axis 1.",
        "`np.flatnonzero(condition)` gives the places where a condition holds.",
        "Take the largest probability of each wrong one, sort with `np.argsort`, and use the result to index the places.",
    ),
    why="Look at the certain mistakes first: behind one there may be a wrong label, a rare case, or a thing never learned.",
)
