"""This lesson over five seeds: the CNN in NumPy, its baselines, and the same body with a head for the lesion area.

    python -m course_lib.lessons.network_from_scratch.experiment [--quick]

The first seed also stores its weights, and a few test slices, for the lesson's explorer.
"""

from types import SimpleNamespace

import numpy as np
from sklearn.linear_model import LogisticRegression

from course_lib import data
from course_lib.lessons.network_from_scratch import model
from course_lib.network import Adam, Dense, Flatten, Network, ReLU, cross_entropy, mean_squared_error
from course_lib.tools.experiment import main

RUNS = {"five_seeds": range(5), "baselines": [0]}
SLICES_TO_KEEP = 3  # of each class


def load(quick):
    """The dataset with its three parts, images, labels and areas (mm², one column) by part."""
    brains = data.load("brain-lesions", size=32, n_patients=40 if quick else None)
    parts = {"train": brains.train, "val": brains.val, "test": brains.test}
    areas = {name: part.targets["lesion_area"][:, None] for name, part in parts.items()}
    return brains, *model.images_and_labels(parts), areas


def baselines(seed, quick=False):
    """On brain-lesions (simulated), 32×32, test slices of unseen patients: one class, and logistic regression on pixels.

    Its penalty is chosen on validation. Of the area: the training mean, its squared error in units of the training
    variance. Intervals: 95 %, bootstrap by patient. Nothing is drawn by chance but the interval, whose seed is fixed.
    """
    brains, x, labels, areas = load(quick)
    patients = brains.test.groups
    pixels = {name: images.reshape(len(images), -1) for name, images in x.items()}
    logistic = {
        c: LogisticRegression(C=c, max_iter=1000).fit(pixels["train"], labels["train"]) for c in (1e-4, 1e-3, 1e-2)
    }
    best = max(logistic, key=lambda c: logistic[c].score(pixels["val"], labels["val"]))
    right = logistic[best].predict(pixels["test"]) == labels["test"]
    error = areas["test"] - areas["train"].mean()
    return {
        "n_train": len(labels["train"]),
        "n_test": len(labels["test"]),
        "n_test_patients": len(np.unique(patients)),
        "majority": np.bincount(labels["test"]).max() / len(labels["test"]),
        "pixel_logistic_regression": right.mean(),
        "pixel_logistic_regression_interval": model.interval(right, patients),
        "pixel_logistic_regression_c": best,
        "guessed_mean_area_mse": (error**2).mean() / areas["train"].var(),
        "guessed_mean_area_mae_mm2": np.abs(error).mean(),
    }


def five_seeds(seed, quick=False):
    """This lesson's CNN in NumPy on brain-lesions (simulated), 32×32: accuracy per slice on unseen patients; mean
    squared error of the lesion area in units of the training variance.

    The seed sets the initial weights and the order of the mini-batches; the patients stay the same. Intervals: 95 %,
    bootstrap by patient.
    """
    brains, x, labels, areas = load(quick)
    patients = brains.test.groups
    rng = np.random.default_rng(seed)
    dense = Network([Flatten(), Dense(1024, 64, rng), ReLU(), Dense(64, 4, rng)])
    dense.fit(x["train"], labels["train"], cross_entropy, Adam(0.001), epochs=2 if quick else 15, seed=seed)

    cnn = model.build_cnn(np.random.default_rng(seed))
    recipe = (0.004, 2, 1) if quick else model.CNN
    last_loss = train(cnn, x["train"], labels["train"], cross_entropy, *recipe, seed)
    right = cnn.predict(x["test"]).argmax(axis=1) == labels["test"]

    area_mean, area_std = areas["train"].mean(), areas["train"].std()
    regression = model.with_head_for_area(cnn, np.random.default_rng(seed))
    recipe = (0.002, 1, 1) if quick else model.AREA
    train(regression, x["train"], (areas["train"] - area_mean) / area_std, mean_squared_error, *recipe, seed)
    error = regression.predict(x["test"]) * area_std + area_mean - areas["test"]
    row = {
        "parameters": sum(parameter.size for parameter in cnn.parameters),
        "dense_train": accuracy(dense, x["train"], labels["train"]),
        "dense_test": accuracy(dense, x["test"], labels["test"]),
        "cnn_train": accuracy(cnn, x["train"], labels["train"]),
        "cnn_val": accuracy(cnn, x["val"], labels["val"]),
        "cnn_test": right.mean(),
        "cnn_test_interval": model.interval(right, patients),
        "cnn_last_loss": last_loss,
        "area_mse": (error**2).mean() / area_std**2,
        "area_mae_mm2": np.abs(error).mean(),
        "area_mae_interval": model.interval(np.abs(error)[:, 0], patients),
    }
    if quick:  # mm² are too large for a tolerance that suits shares
        return {name: value for name, value in row.items() if not name.startswith("area_mae")}
    return (row, for_explorer(cnn, brains)) if seed == 0 else row


def train(net, x, targets, loss, rate, epochs, small_steps, seed):
    """Returns the mean loss of the last epoch."""
    optimiser = Adam(rate)
    for epoch in range(epochs):
        last = model.train_epoch(net, x, targets, loss, optimiser, epoch, small_steps, seed)
    return last


def accuracy(network, x, labels):
    return (network.predict(x).argmax(axis=1) == labels).mean()


def for_explorer(cnn, brains):
    """The CNN's weights, and test slices in the middle of different patients."""
    labels, train = brains.test.targets["label"], brains.train.x
    chosen = np.concatenate([np.flatnonzero(labels == c)[1::4][:SLICES_TO_KEEP] for c in range(4)])
    arrays = {
        "images": np.round(255 * brains.test.x[chosen, :, :, 0]).astype(np.uint8),
        "labels": labels[chosen],
        "class_names": np.array(brains.class_names),
        "mean": train.mean(),
        "std": train.std(),
    }
    return {"arrays": arrays, "weights": SimpleNamespace(get_weights=lambda: cnn.parameters)}


if __name__ == "__main__":
    functions = {"five_seeds": five_seeds, "baselines": baselines}
    main("network_from_scratch", RUNS, functions, tolerance={"five_seeds": 0.05, "baselines": 0.01})
