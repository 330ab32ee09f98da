"""Lesson 04 over five seeds: the CNN in NumPy, its baselines, and the same body with a head for the lesion area.

Run from the course's folder: python course_lib/lessons/network_from_scratch/experiment.py
Writes course_lib/lessons/network_from_scratch/results/five_seeds.json, and course_lib/lessons/network_from_scratch/results/cnn.npz with the first seed's weights and a few test slices for the
lesson's explorer.
"""

import copy
import time

import numpy as np
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from course_lib import ROOT, data
from course_lib.network import (
    Adam,
    Conv2D,
    Dense,
    Flatten,
    MaxPool2D,
    Network,
    ReLU,
    cross_entropy,
    mean_squared_error,
)
from course_lib.tools.common import save

SEEDS = [0, 1, 2, 3, 4]
SLICES_TO_KEEP = 3  # of each class
NOTE = (
    "The CNN of lesson 04 in NumPy on brain-lesions (simulated), 32×32: accuracy per slice on unseen patients; mean "
    "squared error of the lesion area in units of the training variance. The seed sets the initial weights and the "
    "order of the mini-batches; the patients stay the same. Intervals: 95 %, bootstrap by patient. Seconds were taken "
    "on a machine shared with other work: upper bounds."
)


def build_cnn(n_out, rng):
    return Network(
        [Conv2D(1, 8, rng), ReLU(), MaxPool2D(2)]
        + [Conv2D(8, 16, rng), ReLU(), MaxPool2D(2)]
        + [Conv2D(16, 32, rng), ReLU(), MaxPool2D(4)]
        + [Flatten(), Dense(128, n_out, rng)]
    )


def train(network, x, targets, loss, seed, rate, epochs, small_steps):
    """The notebook's schedule: from epoch `small_steps` on, a fifth of the learning rate."""
    optimiser = Adam(rate)
    losses = []
    for epoch in range(epochs):
        if epoch == small_steps:
            optimiser.learning_rate /= 5
        losses += network.fit(x, targets, loss, optimiser, epochs=1, seed=100 * seed + epoch)
    return losses


def interval(values, patients):
    """95 % bootstrap interval of the mean; patients are drawn, each with all its slices (equally many)."""
    by_patient = np.array([values[patients == patient].mean() for patient in np.unique(patients)])
    means = np.random.default_rng(0).choice(by_patient, (2000, len(by_patient))).mean(axis=1)
    return np.quantile(means, [0.025, 0.975]).tolist()


def main():
    threadpool_limits(2)
    brains = data.load("brain-lesions", size=32)
    mean, std = brains.train.x.mean(), brains.train.x.std()
    x = {name: (getattr(brains, name).x - mean) / std for name in ("train", "val", "test")}
    labels = {name: getattr(brains, name).targets["label"] for name in x}
    areas = {name: getattr(brains, name).targets["lesion_area"][:, None] for name in x}
    area_mean, area_std = areas["train"].mean(), areas["train"].std()
    area_targets = (areas["train"] - area_mean) / area_std
    patients = brains.test.groups

    pixels = {name: images.reshape(len(images), -1) for name, images in x.items()}
    logistic = {
        c: LogisticRegression(C=c, max_iter=1000).fit(pixels["train"], labels["train"]) for c in (1e-4, 1e-3, 1e-2)
    }
    best = max(logistic, key=lambda c: logistic[c].score(pixels["val"], labels["val"]))
    right = logistic[best].predict(pixels["test"]) == labels["test"]
    baselines = {
        "majority": np.bincount(labels["test"]).max() / len(labels["test"]),
        "pixel_logistic_regression": right.mean(),
        "pixel_logistic_regression_interval": interval(right, patients),
        "pixel_logistic_regression_c": best,
        "guessed_mean_area_mse": ((areas["test"] - area_mean) ** 2).mean() / area_std**2,
        "guessed_mean_area_mae_mm2": np.abs(areas["test"] - area_mean).mean(),
    }
    print(baselines, flush=True)

    rows = []
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        dense = Network([Flatten(), Dense(1024, 64, rng), ReLU(), Dense(64, 4, rng)])
        dense_seconds = time.perf_counter()
        dense.fit(x["train"], labels["train"], cross_entropy, Adam(0.001), epochs=15, seed=seed)
        dense_seconds = time.perf_counter() - dense_seconds

        cnn = build_cnn(4, np.random.default_rng(seed))
        cnn_seconds = time.perf_counter()
        history = train(cnn, x["train"], labels["train"], cross_entropy, seed, 0.004, 12, 9)
        cnn_seconds = time.perf_counter() - cnn_seconds
        weights = [parameter.copy() for parameter in cnn.parameters]
        if seed == SEEDS[0]:
            store_for_explorer(weights, brains, mean, std)
        right = cnn.predict(x["test"]).argmax(axis=1) == labels["test"]
        row = {
            "seed": seed,
            "dense_train": accuracy(dense, x["train"], labels["train"]),
            "dense_test": accuracy(dense, x["test"], labels["test"]),
            "dense_seconds": dense_seconds,
            "cnn_train": accuracy(cnn, x["train"], labels["train"]),
            "cnn_val": accuracy(cnn, x["val"], labels["val"]),
            "cnn_test": accuracy(cnn, x["test"], labels["test"]),
            "cnn_test_interval": interval(right, patients),
            "cnn_last_loss": history[-1],
            "cnn_seconds": cnn_seconds,
        }

        head = Dense(128, 1, np.random.default_rng(seed))
        head.parameters[0] /= 10  # first predictions near the mean, as in the notebook
        regression = Network([*copy.deepcopy(cnn.layers[:-1]), head])
        regression_seconds = time.perf_counter()
        train(regression, x["train"], area_targets, mean_squared_error, seed, 0.002, 4, 3)
        regression_seconds = time.perf_counter() - regression_seconds
        predicted = regression.predict(x["test"]) * area_std + area_mean
        row |= {
            "area_mse": ((predicted - areas["test"]) ** 2).mean() / area_std**2,
            "area_mae_mm2": np.abs(predicted - areas["test"]).mean(),
            "area_mae_interval": interval(np.abs(predicted - areas["test"])[:, 0], patients),
            "area_seconds": regression_seconds,
        }
        rows.append(row)
        print(row, flush=True)

    results = {
        "parameters": sum(parameter.size for parameter in weights),
        "n_train": len(labels["train"]),
        "n_test": len(labels["test"]),
        "n_test_patients": len(np.unique(patients)),
        "baselines": baselines,
        "rows": rows,
    }
    save("network_from_scratch/five_seeds.json", results, seeds=SEEDS, note=NOTE)


def accuracy(network, x, labels):
    return (network.predict(x).argmax(axis=1) == labels).mean()


def store_for_explorer(weights, brains, mean, std):
    """Weights of the first seed, and test slices in the middle of different patients."""
    labels = brains.test.targets["label"]
    chosen = np.concatenate([np.flatnonzero(labels == c)[1::4][:SLICES_TO_KEEP] for c in range(4)])
    folder = ROOT / "course_lib/lessons/network_from_scratch/results"
    folder.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        folder / "cnn.npz",
        **{f"w{i}": weight for i, weight in enumerate(weights[::2])},
        **{f"b{i}": bias for i, bias in enumerate(weights[1::2])},
        pooling=np.array([2, 2, 4]),
        images=np.round(255 * brains.test.x[chosen, :, :, 0]).astype(np.uint8),
        labels=labels[chosen],
        class_names=np.array(brains.class_names),
        mean=mean,
        std=std,
    )


if __name__ == "__main__":
    main()
