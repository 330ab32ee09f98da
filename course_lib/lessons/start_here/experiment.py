"""Does the simulated dataset "brain-lesions" teach what it should?

    python -m course_lib.lessons.start_here.experiment [--quick]

Each seed is a new set of simulated patients, and new initial weights. Measured on the test patients, as balanced
accuracy (chance is 0.25), with a 95 % bootstrap interval that resamples patients:

- shortcuts: brightness, noise and slice position alone, which must not give the class away;
- linear: logistic regression on the pixels, its regularisation chosen on validation;
- cnn: a small convolutional network;
- leak: the same model on a split by slice, where slices of one patient are on both sides, and on a split by patient.
"""

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, recall_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from course_lib import data, evaluate
from course_lib.tools.experiment import main

RUNS = {"brain_lesions": range(5)}
EPOCHS = 14


def score(split, guess):
    truth = split.targets["label"]
    balanced = evaluate.bootstrap(balanced_accuracy_score, truth, guess, groups=split.groups)
    return {
        "balanced_accuracy": balanced.value,
        "interval": [balanced.low, balanced.high],
        "recall": recall_score(truth, guess, average=None).tolist(),
    }


def summary_features(split):
    """What must not give the class away, per slice: brightness, contrast, noise in the corner, slice position."""
    corner = split.x[:, :6, :6]
    axes = (1, 2, 3)
    return {
        "brightness": np.stack([split.x.mean(axes), split.x.std(axes)], 1),
        "noise": np.stack([corner.mean(axes), corner.std(axes)], 1),
        "slice position": split.targets["slice_position"][:, None],
    }


def shortcuts(dataset):
    train, test = summary_features(dataset.train), summary_features(dataset.test)
    label = dataset.train.targets["label"]
    results = {}
    for name in train:
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(train[name], label)
        results[f"{name}, logistic regression"] = score(dataset.test, model.predict(test[name]))
    train, test = (np.concatenate(list(features.values()), 1) for features in (train, test))
    forest = RandomForestClassifier(300, min_samples_leaf=5, random_state=0).fit(train, label)
    results["all three, random forest"] = score(dataset.test, forest.predict(test))
    return results


def logistic(c):
    return make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=300))


def linear(dataset):
    pixels = {name: getattr(dataset, name).x.reshape(len(getattr(dataset, name)), -1) for name in ("train", "val")}
    models = [logistic(c).fit(pixels["train"], dataset.train.targets["label"]) for c in (1e-4, 1e-3, 1e-2, 1e-1)]
    on_val = [balanced_accuracy_score(dataset.val.targets["label"], m.predict(pixels["val"])) for m in models]
    best = models[int(np.argmax(on_val))]
    return score(dataset.test, best.predict(dataset.test.x.reshape(len(dataset.test), -1)))


def cnn(dataset, seed, epochs):
    from course_lib import models

    keras = models.keras
    keras.utils.set_random_seed(seed)
    images = dataset.train.x
    model = models.small_cnn(images.shape[1:], len(dataset.class_names), mean=images.mean(), variance=images.var())
    model.compile(keras.optimizers.Adam(1e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(images, dataset.train.targets["label"], batch_size=32, epochs=epochs, verbose=0)
    guess = model.predict(dataset.test.x, batch_size=256, verbose=0).argmax(1)
    return {**score(dataset.test, guess), "parameters": model.count_params(), "epochs": epochs}


def leak(dataset, seed):
    """The same model on two splits of the same slices; and once more with labels that mean nothing."""
    splits = dataset.train, dataset.test
    pixels = np.concatenate([split.x.reshape(len(split), -1) for split in splits])
    label = np.concatenate([split.targets["label"] for split in splits])
    groups = np.concatenate([split.groups for split in splits])
    rng = np.random.default_rng(seed)
    # One random class per patient: nothing can be learned about a patient who was not seen.
    meaningless = rng.integers(4, size=groups.max() + 1)[groups]
    n_train = len(dataset.train)
    mixed = rng.permutation(len(pixels))
    rows = {
        "split by patient": (np.arange(n_train), np.arange(n_train, len(pixels))),
        "split by slice": (mixed[:n_train], mixed[n_train:]),
    }
    models = {"nearest neighbour": KNeighborsClassifier(1), "logistic regression": logistic(1e-3)}
    results = {}
    for model_name, model in models.items():
        for name, (train, test) in rows.items():
            guess = model.fit(pixels[train], label[train]).predict(pixels[test])
            results[f"{model_name}, {name}"] = balanced_accuracy_score(label[test], guess)
    for name, (train, test) in rows.items():
        guess = models["nearest neighbour"].fit(pixels[train], meaningless[train]).predict(pixels[test])
        results[f"nearest neighbour, random labels, {name}"] = balanced_accuracy_score(meaningless[test], guess)
    return results


def brain_lesions(seed, quick=False):
    """Balanced accuracy on unseen test patients unless a row says otherwise; chance is 0.25.

    Intervals are 95 % percentile bootstraps over patients.
    """
    dataset = data.load("brain-lesions", seed=seed, **({"size": 32, "n_patients": 60} if quick else {}))
    return {
        "shortcuts": shortcuts(dataset),
        "linear": linear(dataset),
        "leak": leak(dataset, seed),
        "cnn": cnn(dataset, seed, epochs=2 if quick else EPOCHS),
    }


if __name__ == "__main__":
    main("start_here", RUNS, {"brain_lesions": brain_lesions}, tolerance={"brain_lesions": 0.02})
