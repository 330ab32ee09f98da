"""The networks that the lesson on evaluation judges.

    python -m course_lib.lessons.evaluation.experiment [cnn] [half] [noisy] [marker]

The patients are the same for all seeds (brain-lesions, seed 0, 32×32 pixels): a seed decides first weights, order of
training and, where there are any, wrong labels and markers.
"""

import numpy as np
from sklearn.metrics import accuracy_score, f1_score, recall_score, roc_auc_score

from course_lib import data, evaluate
from course_lib.lessons.evaluation import model
from course_lib.ops import softmax
from course_lib.tools.experiment import main

RUNS = {"cnn": range(5), "half": range(2), "noisy": range(2), "marker": range(5)}
EPOCHS, MARKER_EPOCHS = 14, 10


def cnn(seed, quick=False):
    """The small CNN on 600 patients. Tested on unseen patients; the arrays are its logits on validation and test."""
    return four_classes(seed, quick)


def half(seed, quick=False):
    """The small CNN on 300 of the 600 patients, with as many steps. Otherwise as `cnn`."""
    return four_classes(seed, quick, patients=300, epochs=2 * EPOCHS)


def noisy(seed, quick=False):
    """The small CNN on 600 patients of whom a fifth have a wrong label in training. Otherwise as `cnn`."""
    return four_classes(seed, quick, wrong=0.2)


def marker(seed, quick=False):
    """Mass or healthy from 300 patients. shortcut: with a marker that goes with the mass; twice: each image with the
    marker and without. Tested on unseen patients, with the marker as in training and otherwise."""
    brains = load(quick)
    images, mass, groups = model.healthy_or_mass(brains.train)
    new, new_mass, new_groups = model.healthy_or_mass(brains.test)
    marked = model.with_marker(images, model.by_ward(mass, groups, seed))
    epochs = 2 if quick else MARKER_EPOCHS
    networks = {
        "shortcut": model.train(marked, mass, epochs=epochs, seed=seed),
        "twice": model.train(*model.twice(images, mass), epochs=epochs // 2, seed=seed),
    }
    payload = {name: {} for name in networks}
    for test, shown in model.marker_tests(new, new_mass, new_groups).items():
        for name, network in networks.items():
            probability = softmax(model.logits(network, shown))[:, 1]
            payload[name][test] = {
                "auc": roc_auc_score(new_mass, probability),
                "sensitivity": recall_score(new_mass, probability >= 0.5),
                "specificity": evaluate.specificity(new_mass, probability >= 0.5),
            }
    return payload


def load(quick, patients=600):
    """The first of the 600 training patients; validation and test are always whole."""
    return data.load("brain-lesions", size=32, n_patients=40 if quick else patients)


def four_classes(seed, quick, *, patients=600, epochs=EPOCHS, wrong=0.0):
    """Train, measure, and keep the logits with truth and patient of each slice."""
    brains = load(quick, patients)
    label = wrong_labels(brains.train, wrong, seed)
    network = model.train(brains.train.x, label, epochs=2 if quick else epochs, seed=seed)
    arrays = {}
    for name, split in (("val", brains.val), ("test", brains.test)):
        arrays[name] = model.logits(network, split.x).astype(np.float16)
        arrays[f"{name}_label"], arrays[f"{name}_groups"] = split.targets["label"], split.groups
    return score(**arrays), {"arrays": arrays}


def wrong_labels(split, share, seed):
    """The labels (n,), with another class for this share of the patients."""
    rng = np.random.default_rng(seed)
    patients = np.unique(split.groups)
    chosen = rng.choice(patients, int(share * len(patients)), replace=False)
    shift = np.zeros(split.groups.max() + 1, int)
    shift[chosen] = rng.integers(1, 4, len(chosen))
    return (split.targets["label"] + shift[split.groups]) % 4


def score(val, test, val_label, test_label, **_):
    """All that the lesson asserts a band for, from logits (n, 4) and true classes (n,)."""
    val, test = val.astype(float), test.astype(float)
    probability = softmax(test)
    guess = probability.argmax(axis=1)
    temperature = evaluate.fit_temperature(val_label, val)
    careful = softmax(test / temperature)
    threshold = evaluate.operating_point(val_label > 0, 1 - softmax(val / temperature)[:, 0], sensitivity=0.95)
    lesion, called = test_label > 0, 1 - careful[:, 0] >= threshold
    one_hot = np.eye(4)[test_label]
    return {
        "accuracy": accuracy_score(test_label, guess),
        "macro_f1": f1_score(test_label, guess, average="macro"),
        "recall": recall_score(test_label, guess, average=None),
        "auc_lesion": roc_auc_score(lesion, 1 - probability[:, 0]),
        "temperature": temperature,
        "ece": [
            evaluate.expected_calibration_error(guess == test_label, p.max(axis=1)) for p in (probability, careful)
        ],
        "brier": [np.mean(np.sum((p - one_hot) ** 2, axis=1)) for p in (probability, careful)],
        "threshold": threshold,
        "sensitivity": recall_score(lesion, called),
        "specificity": evaluate.specificity(lesion, called),
    }


if __name__ == "__main__":
    main(
        "evaluation",
        RUNS,
        {"cnn": cnn, "half": half, "noisy": noisy, "marker": marker},
        tolerance=dict.fromkeys(RUNS, 0.02),
    )
