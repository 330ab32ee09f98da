"""The networks of this lesson over ten seeds: no hidden layer, a dense network, the CNN, and its head for the area.

    python -m course_lib.lessons.network_from_scratch.experiment [--quick]

A seed draws the simulated patients, the initial weights and the order of the mini-batches. `rates` has chosen each
network's learning rate on the validation patients of two sets that no other run uses. The first seed of `networks` also
stores its weights, and a few test slices, for the lesson's explorer.
"""

from types import SimpleNamespace

import numpy as np

from course_lib import data
from course_lib.lessons.network_from_scratch import model
from course_lib.network import Adam, cross_entropy, mean_squared_error
from course_lib.tools.experiment import main

RUNS = {"rates": [100, 101], "networks": range(10)}
RATES = {
    "no hidden layer": [0.0001, 0.0003, 0.001, 0.003],
    "dense network": [0.00001, 0.00003, 0.0001, 0.0003, 0.001],
    "CNN": [0.001, 0.002, 0.004, 0.008],
    "area": [0.0003, 0.001, 0.003, 0.01, 0.03],
}
TEST_PATIENTS = 500
SLICES_TO_KEEP = 3  # of each class


def load(seed, quick):
    """The dataset with its three parts, images, labels and areas (cm², one column) by part."""
    brains = data.load(
        "brain-lesions", size=32, seed=seed, **({"n_patients": 40} if quick else {"n_test": TEST_PATIENTS})
    )
    parts = {"train": brains.train, "val": brains.val, "test": brains.test}
    areas = {name: part.targets["lesion_area"][:, None] / 100 for name, part in parts.items()}
    return brains, *model.images_and_labels(parts), areas


def train(net, x, targets, loss, recipe, seed):
    """Train by a recipe of model.py; returns the loss of each epoch."""
    rate, epochs, small_steps = recipe
    optimiser = Adam(rate)
    return [model.train_epoch(net, x, targets, loss, optimiser, e, small_steps, seed) for e in range(epochs)]


def rates(seed, quick=False):
    """On validation slices, for every network and learning rate, the accuracy; for the head for the area, on the body of
    the CNN trained by its recipe, minus the mean absolute error in cm²: name -> {rate: value}."""
    _, x, labels, areas = load(seed, quick)
    found = {}
    for name, recipe in model.RECIPES.items():
        found[name] = {}
        for rate in RATES[name][:1] if quick else RATES[name]:
            net = model.build(name, np.random.default_rng(seed))
            train(net, x["train"], labels["train"], cross_entropy, (rate, *((1, 1) if quick else recipe[1:])), seed)
            found[name][str(rate)] = model.accuracy(net, x["val"], labels["val"])
            if rate == recipe[0]:
                cnn = net  # the CNN is the last
    if quick:
        return found
    found["area"] = {}
    for rate in RATES["area"]:
        predicted = area_head(cnn, x, areas, (rate, *model.AREA[1:]), seed)["val"]
        found["area"][str(rate)] = -np.abs(predicted - areas["val"]).mean()
    return found


def networks(seed, quick=False):
    """Accuracy per slice on brain-lesions (simulated), 32×32, the test slices of 500 patients unseen in any choice, and
    the lesion's area in cm².

    accuracy: name -> parts train (in use, after training), val, test. loss: name -> first and last epoch. area: errors
    of the network, of guessing the mean area, and of the mean area of the class that the CNN names; for each class
    its mean absolute error, its mean true and its mean predicted area.
    """
    brains, x, labels, areas = load(seed, quick)
    row, nets = {"accuracy": {}, "loss": {}}, {}
    for name, recipe in model.RECIPES.items():
        nets[name] = net = model.build(name, np.random.default_rng(seed))
        losses = train(net, x["train"], labels["train"], cross_entropy, (recipe[0], 2, 1) if quick else recipe, seed)
        row["accuracy"][name] = {part: model.accuracy(net, x[part], labels[part]) for part in x}
        row["loss"][name] = [losses[0], losses[-1]]
    cnn = nets["CNN"]
    row["parameters"] = {name: sum(p.size for p in net.parameters) for name, net in nets.items()}
    area = area_errors(cnn, x, labels, areas, seed, quick)
    if quick:  # cm² are too large for a tolerance that suits shares
        return row | {"area of masses, share": area["predicted"][1] / area["true"][1]}
    row["area"] = area
    return (row, for_explorer(cnn, brains)) if seed == 0 else row


def area_head(cnn, x, areas, recipe, seed):
    """Areas in cm² that a new head, trained on the body as it is, predicts: a dict by part."""
    body, head = model.body_and_head(cnn, np.random.default_rng(seed))
    features = {part: body.predict(images) for part, images in x.items()}
    mean, std = areas["train"].mean(), areas["train"].std()
    train(head, features["train"], (areas["train"] - mean) / std, mean_squared_error, recipe, seed)
    return {part: head.predict(values) * std + mean for part, values in features.items()}


def area_errors(cnn, x, labels, areas, seed, quick):
    recipe = (model.AREA[0], 1, 1) if quick else model.AREA
    predicted, true = area_head(cnn, x, areas, recipe, seed)["test"], areas["test"]
    mean = areas["train"].mean()
    of_class = np.array([areas["train"][labels["train"] == c].mean() for c in range(4)])
    by_class = of_class[cnn.predict(x["test"]).argmax(axis=1)][:, None]
    answers = {
        "network": predicted,
        "mean of the class that the CNN names": by_class,
        "mean of all": np.full_like(true, mean),
    }
    chosen = [labels["test"] == c for c in range(4)]
    return {
        "mean absolute error": {name: np.abs(guess - true).mean() for name, guess in answers.items()},
        "by class": {name: [np.abs(guess - true)[c].mean() for c in chosen] for name, guess in answers.items()},
        "true": [true[c].mean() for c in chosen],
        "predicted": [predicted[c].mean() for c in chosen],
    }


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
    main(
        "network_from_scratch",
        RUNS,
        {"rates": rates, "networks": networks},
        tolerance={"rates": 0.05, "networks": 0.05},
    )
