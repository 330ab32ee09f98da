"""The networks that lesson 10 judges, from five seeds. Writes results/10/evaluation.json and results/10/scores.npz.

    python benchmarks/10_evaluation.py --seeds 5

The patients are the same for all seeds (brain-lesions, seed 0, 32×32 pixels): a seed decides first weights, order of
training and, where there are any, wrong labels and markers. For each seed:

- cnn, half, noisy: the small CNN on 600 patients, on 300, and (three seeds) on 600 of whom a fifth have a wrong label;
- shortcut, erased, by chance: mass or healthy from 300 patients with a marker that goes with the mass, with the
  marker's corner set to zero, and with markers in two corners that go with nothing.

scores.npz holds the logits of the first three on validation and test. It is written anew after each seed.
"""

import argparse

import numpy as np
from common import ROOT, save
from sklearn.metrics import accuracy_score, f1_score, recall_score, roc_auc_score

from course_lib import data, evaluate, models
from course_lib.ops import softmax

keras = models.keras
EPOCHS, SHORTCUT_EPOCHS = 12, 10
NOTE = (
    "brain-lesions, seed 0, 32×32 pixels, test on unseen patients. Seconds were taken on a machine shared with other "
    "work: upper bounds."
)


def train(images, label, classes, epochs, seed):
    keras.utils.set_random_seed(seed)
    model = models.small_cnn(images.shape[1:], classes, mean=images.mean(), variance=images.var())
    steps = epochs * int(np.ceil(len(images) / 32))
    rate = keras.optimizers.schedules.CosineDecay(1e-3, steps)
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


def erased(images):
    images = images.copy()
    images[:, :9, :7] = 0
    return images


def shortcut_runs(brains, seed):
    train_rows, test_rows = (np.flatnonzero(split.targets["label"] <= 1) for split in (brains.train, brains.test))
    images, test_images = brains.train.images[train_rows], brains.test.images[test_rows]
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
    by_chance = with_marker(images, by_ward(mass, groups, 0.5, 0.5, seed + 50))
    by_chance = with_marker(by_chance, by_ward(mass, groups, 0.5, 0.5, seed + 60), "bottom right")
    recipes = {"shortcut": marked, "erased": erased(marked), "by chance": by_chance}
    results = {}
    for name, seen in recipes.items():
        model = train(seen, mass, 2, SHORTCUT_EPOCHS, seed)
        results[name] = {}
        for test, shown in tests.items():
            probability = softmax(logits(model, erased(shown) if name == "erased" else shown))[:, 1]
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
    parser.add_argument("--seeds", type=int, default=5, help="number of seeds")
    seeds = list(range(parser.parse_args().seeds))
    brains = data.load("brain-lesions", size=32)
    images, label = brains.train.images, brains.train.targets["label"]
    scores = {
        f"{name}_{key}": value
        for name, split in (("val", brains.val), ("test", brains.test))
        for key, value in (("label", split.targets["label"].astype(np.int8)), ("groups", split.groups.astype(np.int16)))
    }
    runs = []
    for seed in seeds:
        recipes = {"cnn": (images, label), "half": (images[:1200], label[:1200])}
        if seed < 3:
            recipes["noisy"] = images, wrong_labels(brains.train, 0.2, seed)
        run = {"seed": seed}
        for name, (seen, said) in recipes.items():
            model = train(seen, said, 4, EPOCHS, seed)
            found = [logits(model, split.images).astype(np.float16) for split in (brains.val, brains.test)]
            for part, values in zip(("val", "test"), found, strict=True):
                key = f"{name}_{part}"  # (seeds, images, classes)
                scores[key] = np.concatenate([scores[key], values[None]]) if seed else values[None]
            run[name] = score(brains.val, brains.test, *(values.astype(float) for values in found))
            print(f"seed {seed}, {name}: {run[name]}", flush=True)
        run["marker"] = shortcut_runs(brains, seed)
        for name, tests in run["marker"].items():
            print(f"seed {seed}, {name}: { {test: round(row['auc'], 3) for test, row in tests.items()} }", flush=True)
        runs.append(run)
        save("10/evaluation.json", runs, seeds=seeds[: seed + 1], note=NOTE)
        np.savez_compressed(ROOT / "results" / "10" / "scores.npz", **scores)


if __name__ == "__main__":
    main()
