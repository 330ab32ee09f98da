"""The networks that lesson 10 judges, from five seeds. Writes course_lib/lessons/evaluation/results/evaluation.json and course_lib/lessons/evaluation/results/scores.npz.

    python course_lib/lessons/evaluation/experiment.py cnn 0 1 2 3 4
    python course_lib/lessons/evaluation/experiment.py half 0 1
    python course_lib/lessons/evaluation/experiment.py noisy 0 1
    python course_lib/lessons/evaluation/experiment.py marker 0 1 2 3 4

The patients are the same for all seeds (brain-lesions, seed 0, 32×32 pixels): a seed decides first weights, order of
training and, where there are any, wrong labels and markers.

- cnn: the small CNN on 600 patients; half: on 300 of them, with as many steps; noisy: on 600 of whom a fifth have a
  wrong label. Their logits on validation and test are kept in scores.npz.
- marker: mass or healthy from 300 patients; shortcut: with a marker that goes with the mass; twice: each image seen with
  the marker and without.

Both files are written anew after each seed; what is stored for other seeds and arms stays.
"""

import argparse
import json
import time

import numpy as np
from sklearn.metrics import accuracy_score, f1_score, recall_score, roc_auc_score

from course_lib import ROOT, data, evaluate, models
from course_lib.ops import softmax
from course_lib.tools.common import save

keras = models.keras
FOLDER = ROOT / "course_lib/lessons/evaluation/results"
EPOCHS, MARKER_EPOCHS = 14, 10
NOTE = (
    "brain-lesions, seed 0, 32×32 pixels, test on unseen patients. Seconds were taken on a machine shared with other "
    "work: upper bounds; those at the top are of the last call alone."
)


def stored():
    """The runs and scores that are stored already."""
    if not (FOLDER / "scores.npz").exists():
        return {}, {}
    runs = json.loads((FOLDER / "evaluation.json").read_text(encoding="utf-8"))["results"]
    with np.load(FOLDER / "scores.npz", allow_pickle=False) as file:
        return runs, dict(file)


def train(images, label, epochs, seed):
    keras.utils.set_random_seed(seed)
    model = models.small_cnn(images.shape[1:], int(label.max()) + 1, mean=images.mean(), variance=images.var())
    steps = epochs * int(np.ceil(len(images) / 32))
    rate = keras.optimizers.schedules.CosineDecay(1.5e-3, steps)
    model.compile(keras.optimizers.Adam(rate), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(images, label, batch_size=32, epochs=epochs, verbose=0)
    return model


def logits(model, images):
    return model.predict(images, batch_size=320, verbose=0)


def wrong_labels(split, share, seed):
    """The labels, with another class for this share of the patients."""
    rng = np.random.default_rng(seed)
    patients = np.unique(split.groups)
    chosen = rng.choice(patients, int(share * len(patients)), replace=False)
    shift = np.zeros(split.groups.max() + 1, int)
    shift[chosen] = rng.integers(1, 4, len(chosen))
    return (split.targets["label"] + shift[split.groups]) % 4


# ---- a marker in the corner ------------------------------------------------------------------------------------------

MARKER = np.array([[1, 0, 0], [1, 0, 0], [1, 0, 0], [1, 0, 0], [1, 1, 1]], bool)  # an L, 5×3 pixels


def with_marker(images, chosen, corner="top left"):
    """A copy of the images (n, 32, 32, 1) with a bright L in a corner of the chosen ones (n,)."""
    images = images.copy()
    rows, columns = np.nonzero(MARKER)
    row, column = (2, 2) if corner == "top left" else (25, 27)
    images[np.flatnonzero(chosen)[:, None], row + rows, column + columns] = 0.9
    return images


def by_ward(mass, groups, ill, healthy, seed):
    """Which images get a marker: all of a patient or none, with one chance for the ill and another for the healthy."""
    luck = np.random.default_rng(seed).random(groups.max() + 1)[groups]
    return luck < np.where(mass == 1, ill, healthy)


def marker_runs(brains, seed):
    train_rows, test_rows = (np.flatnonzero(split.targets["label"] <= 1) for split in (brains.train, brains.test))
    images, test_images = brains.train.x[train_rows], brains.test.x[test_rows]
    mass, test_mass = brains.train.targets["label"][train_rows], brains.test.targets["label"][test_rows]
    groups, test_groups = brains.train.groups[train_rows], brains.test.groups[test_rows]

    goes_with_mass = by_ward(test_mass, test_groups, 0.95, 0.05, 100)
    tests = {
        "as in training": with_marker(test_images, goes_with_mass),
        "no marker": test_images,
        "marker on all": with_marker(test_images, np.ones(len(test_images), bool)),
        "marker swapped": with_marker(test_images, ~goes_with_mass),
        "marker moved": with_marker(test_images, goes_with_mass, "bottom right"),
    }
    marked = with_marker(images, by_ward(mass, groups, 0.95, 0.05, seed))
    twice = np.concatenate([images, with_marker(images, np.ones(len(images), bool))])
    recipes = {
        "shortcut": (marked, mass, MARKER_EPOCHS),
        "twice": (twice, np.tile(mass, 2), MARKER_EPOCHS // 2),
    }
    results = {}
    for name, recipe in recipes.items():
        model = train(*recipe, seed)
        results[name] = {}
        for test, shown in tests.items():
            probability = softmax(logits(model, shown))[:, 1]
            results[name][test] = {
                "auc": roc_auc_score(test_mass, probability),
                "sensitivity": recall_score(test_mass, probability >= 0.5),
                "specificity": evaluate.specificity(test_mass, probability >= 0.5),
            }
    return results


# ---- the three networks with four classes ----------------------------------------------------------------------------


def score(val, test, val_logits, test_logits):
    """All that lesson 10 asserts a band for."""
    truth, probability = test.targets["label"], softmax(test_logits)
    guess = probability.argmax(axis=1)
    temperature = evaluate.fit_temperature(val.targets["label"], val_logits)
    careful = softmax(test_logits / temperature)
    threshold = evaluate.operating_point(
        val.targets["label"] > 0, 1 - softmax(val_logits / temperature)[:, 0], sensitivity=0.95
    )
    lesion, called = truth > 0, 1 - careful[:, 0] >= threshold
    one_hot = np.eye(4)[truth]
    return {
        "accuracy": accuracy_score(truth, guess),
        "macro_f1": f1_score(truth, guess, average="macro"),
        "recall": recall_score(truth, guess, average=None).tolist(),
        "auc_lesion": roc_auc_score(lesion, 1 - probability[:, 0]),
        "temperature": temperature,
        "ece": [evaluate.expected_calibration_error(guess == truth, p.max(axis=1)) for p in (probability, careful)],
        "brier": [np.mean(np.sum((p - one_hot) ** 2, axis=1)) for p in (probability, careful)],
        "threshold": threshold,
        "sensitivity": recall_score(lesion, called),
        "specificity": evaluate.specificity(lesion, called),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("arm", choices=["cnn", "half", "noisy", "marker"])
    parser.add_argument("seeds", type=int, nargs="+")
    arguments = parser.parse_args()
    brains = data.load("brain-lesions", size=32)
    images, label = brains.train.x, brains.train.targets["label"]
    runs, scores = stored()
    for name, split in (("val", brains.val), ("test", brains.test)):
        scores[f"{name}_label"], scores[f"{name}_groups"] = split.targets["label"], split.groups
    for seed in arguments.seeds:
        start = time.perf_counter()
        if arguments.arm == "marker":
            row = marker_runs(brains, seed)
        else:
            recipes = {
                "cnn": (images, label, EPOCHS),
                "half": (images[:1200], label[:1200], 2 * EPOCHS),  # as many steps
                "noisy": (images, wrong_labels(brains.train, 0.2, seed), EPOCHS),
            }
            model = train(*recipes[arguments.arm], seed)
            found = [logits(model, split.x).astype(np.float16) for split in (brains.val, brains.test)]
            scores[f"{arguments.arm}_val_{seed}"], scores[f"{arguments.arm}_test_{seed}"] = found
            row = score(brains.val, brains.test, *(values.astype(float) for values in found))
        row["seconds"] = round(time.perf_counter() - start)
        print(f"{arguments.arm}, seed {seed}: {row}", flush=True)
        runs.setdefault(arguments.arm, {})[str(seed)] = row
        save(
            "evaluation/evaluation.json", runs, seeds=sorted({int(s) for arm in runs.values() for s in arm}), note=NOTE
        )
        np.savez_compressed(FOLDER / "scores.npz", **scores)


if __name__ == "__main__":
    main()
