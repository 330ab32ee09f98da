"""What notebook, experiment and tests of the lesson on evaluation share: the training, and a ward that marks its images."""

import numpy as np

from course_lib import results

BATCH = 32
EPOCHS, MARKER_EPOCHS = 14, 10  # on 600 patients; on healthy slices and masses
RATES = (0.0005, 0.001, 0.002, 0.004, 0.008, 0.016)
MARKER = np.array([[1, 0, 0], [1, 0, 0], [1, 0, 0], [1, 0, 0], [1, 1, 1]], bool)  # an L, 5×3 pixels


def best_rate(arm):
    """The rate with the highest mean validation accuracy in the stored `rates`. Raises ValueError at an end of the list."""
    stored = results.load("evaluation/rates").values()
    best = max(RATES, key=lambda rate: np.mean([each[arm][f"{rate:g}"]["val"] for each in stored]))
    if best in (RATES[0], RATES[-1]):
        raise ValueError(f"{arm} is best at {best:g}, an end of the list of rates: make it longer.")
    return best


def train(images, label, *, epochs, rate, seed=0, callbacks=()):
    """The course's small CNN, trained on images (n, h, w, 1) in [0, 1] and class numbers (n,); its answers are logits.

    rate: where Adam starts; it falls to 0 along a cosine.
    """
    from course_lib import models

    models.keras.utils.set_random_seed(seed)
    network = models.small_cnn(images.shape[1:], int(label.max()) + 1, mean=images.mean(), variance=images.var())
    models.compile_with_cosine(network, rate, epochs * np.ceil(len(images) / BATCH))
    network.fit(images, label, batch_size=BATCH, epochs=epochs, verbose=0, callbacks=list(callbacks))
    return network


def logits(network, images):
    """The network's answers (n, classes) for images (n, h, w, 1)."""
    return network(images, training=False).numpy()


def healthy_or_mass(split):
    """Of a split of brain-lesions the healthy slices and those with a mass: images, 1 for a mass (n,), patients (n,)."""
    rows = split.targets["label"] <= 1
    return split.x[rows], split.targets["label"][rows], split.groups[rows]


def with_marker(images, chosen, corner="top left"):
    """A copy of the images (n, 32, 32, 1) with a bright L in a corner of the chosen ones, bool (n,)."""
    images = images.copy()
    rows, columns = np.nonzero(MARKER)
    row, column = (2, 2) if corner == "top left" else (25, 27)
    images[np.flatnonzero(chosen)[:, None], row + rows, column + columns] = 0.9
    return images


def by_ward(mass, groups, seed, *, ill=0.95, healthy=0.05):
    """Which images get a marker, bool (n,): all of a patient or none, with one chance for the ill, another for the healthy.

    mass: 1 for an image with a mass (n,); groups: its patient (n,).
    """
    luck = np.random.default_rng(seed).random(groups.max() + 1)[groups]  # one number for each patient
    return luck < np.where(mass == 1, ill, healthy)


def marker_tests(images, mass, groups):
    """The five tests of a network that may have learned the marker: images (n, 32, 32, 1) by name."""
    on_ward = by_ward(mass, groups, seed=100)
    return {
        "as in training": with_marker(images, on_ward),
        "no marker": images,
        "marker on all": with_marker(images, np.ones(len(images), bool)),
        "marker swapped": with_marker(images, ~on_ward),
        "marker moved": with_marker(images, on_ward, "bottom right"),
    }


def twice(images, mass):
    """Each image (n, 32, 32, 1) without the marker and with it, and the labels (n,) for both."""
    return np.concatenate([images, with_marker(images, np.ones(len(images), bool))]), np.tile(mass, 2)
