"""The networks that the lesson on evaluation judges.

    python -m course_lib.lessons.evaluation.experiment [rates] [cnn] [half] [noisy] [marker]

Data: brain-lesions (simulated), 32×32 pixels. A seed draws the training and validation patients, the first weights, the
order of training and, where there are any, wrong labels and markers. `rates` chooses the learning rate on validation
patients of two sets that no other run uses. The 500 test patients are the same for all seeds.
"""

import numpy as np
from sklearn.metrics import recall_score, roc_auc_score

from course_lib import data, evaluate
from course_lib.lessons.evaluation import model
from course_lib.ops import softmax
from course_lib.tools.experiment import main

RUNS = {"rates": range(2), "cnn": range(10), "half": range(10), "noisy": range(10), "marker": range(10)}
FIRST_SET = {"rates": 1000, "others": 1010}  # the seed of the data for run 0
TEST_SET, TEST = 1050, 500  # seed and number of the test patients


def rates(seed, quick=False):
    """The small CNN on 600 patients and on 300 of them, with as many steps: accuracy per slice on the training slices, in
    use, and on those of the validation patients, by the rate at which Adam starts."""
    payload = {}
    for name, patients in (("half", 300),) if quick else (("cnn", 600), ("half", 300)):
        brains = load("rates", seed, quick)
        few = first_patients(brains.train, 40 if quick else patients)
        payload[name] = {}
        for rate in model.RATES[1:2] if quick else model.RATES:
            epochs = 2 if quick else model.EPOCHS * 600 // patients
            network = model.train(few.x, few.targets["label"], epochs=epochs, rate=rate, seed=seed)
            payload[name][f"{rate:g}"] = {
                part: float(np.mean(model.logits(network, split.x).argmax(1) == split.targets["label"]))
                for part, split in (("train", few), ("val", brains.val))
            }
    return payload


def cnn(seed, quick=False):
    """The small CNN on 600 patients: accuracy per slice on the training slices, in use. The arrays are its logits for the
    slices of validation and test patients, their classes and their patients."""
    return four_classes("cnn", seed, quick)


def half(seed, quick=False):
    """The small CNN on 300 of the 600 patients, with as many steps. Otherwise as `cnn`."""
    return four_classes("half", seed, quick, patients=300)


def noisy(seed, quick=False):
    """The small CNN on 600 patients of whom a fifth have a wrong label in training. Otherwise as `cnn`."""
    return four_classes("cnn", seed, quick, wrong=0.2)


def marker(seed, quick=False):
    """Mass or healthy from 300 patients. shortcut: with a marker that goes with the mass; twice: each image with the
    marker and without. Tested on unseen patients, with the marker as in training and otherwise."""
    images, mass, groups = model.healthy_or_mass(load("others", seed, quick).train)
    new, new_mass, new_groups = model.healthy_or_mass(test_patients(quick))
    marked = model.with_marker(images, model.by_ward(mass, groups, seed))
    epochs, rate = (2, model.RATES[1]) if quick else (model.MARKER_EPOCHS, model.best_rate("cnn"))
    networks = {
        "shortcut": model.train(marked, mass, epochs=epochs, rate=rate, seed=seed),
        "twice": model.train(*model.twice(images, mass), epochs=epochs // 2, rate=rate, seed=seed),
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


def load(run_name, seed, quick):
    several = {"seed": 0, "n_patients": 40} if quick else {"seed": FIRST_SET[run_name] + seed, "n_patients": 600}
    return data.load("brain-lesions", size=32, **several)


def test_patients(quick):
    return data.load("brain-lesions", size=32, seed=0 if quick else TEST_SET, n_test=40 if quick else TEST).test


def first_patients(split, patients):
    """The first patients of a split, each with four slices; every class has a quarter of them."""
    rows = slice(4 * patients)
    return data.Split(split.x[rows], {"label": split.targets["label"][rows]}, split.groups[rows])


def four_classes(arm, seed, quick, *, patients=600, wrong=0.0):
    """Train, and keep the logits with truth and patient of each slice."""
    brains = load("others", seed, quick)
    few = first_patients(brains.train, 40 if quick else patients)
    epochs, rate = (2, model.RATES[1]) if quick else (model.EPOCHS * 600 // patients, model.best_rate(arm))
    network = model.train(few.x, wrong_labels(few, wrong, seed), epochs=epochs, rate=rate, seed=seed)
    arrays = {}
    for name, split in (("val", brains.val), ("test", test_patients(quick))):
        arrays[name] = model.logits(network, split.x).astype(np.float16)
        arrays[f"{name}_label"], arrays[f"{name}_groups"] = split.targets["label"].astype(np.uint8), split.groups
    right = {"train": np.mean(model.logits(network, few.x).argmax(1) == few.targets["label"])}
    right |= {name: np.mean(arrays[name].argmax(1) == arrays[f"{name}_label"]) for name in ("val", "test")}
    return {"rate": rate, "accuracy": {name: float(value) for name, value in right.items()}}, {"arrays": arrays}


def wrong_labels(split, share, seed):
    """The labels (n,), with another class for this share of the patients."""
    rng = np.random.default_rng(seed)
    patients = np.unique(split.groups)
    chosen = rng.choice(patients, int(share * len(patients)), replace=False)
    shift = np.zeros(split.groups.max() + 1, int)
    shift[chosen] = rng.integers(1, 4, len(chosen))
    return (split.targets["label"] + shift[split.groups]) % 4


if __name__ == "__main__":
    main(
        "evaluation",
        RUNS,
        {"rates": rates, "cnn": cnn, "half": half, "noisy": noisy, "marker": marker},
        tolerance=dict.fromkeys(RUNS, 0.02),
    )
