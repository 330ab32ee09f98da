"""What augmentation buys: learning curves with and without it.

    python -m course_lib.lessons.augmentation.experiment [answers] [learning_curves]

The course's small CNN on brain-lesions (simulated) at 32×32 pixels, trained on 16, 64 or 240 patients. For each number
and seed one draw of training patients, one set of initial weights and one number of training steps, the same in all
arms; the arm "careless" is tried on 64 patients only. Scored on three versions of the same unseen test patients: as they
are; turned by 15°; and as another scanner would show them (darker, other contrast, more noise; simulated). The patients
are another set than the one the lesson shows.
"""

import functools

import numpy as np
from scipy import ndimage

from course_lib import data, results
from course_lib.evaluate import bootstrap
from course_lib.lessons.augmentation import model
from course_lib.tools.experiment import main

RUNS = {"answers": range(5), "learning_curves": range(1)}  # the second sums up what the first has stored
SIZE = 32
PATIENT_SET = 1
STEPS = {16: 400, 64: 800, 240: 1440}  # of training, by patients: fewer and the augmented arms are not done learning
ARMS = {"none": list, "article": model.article, "careful": model.careful, "careless": model.careless}


@functools.cache
def answers(seed, quick=False):
    """Balanced accuracy over four classes on three versions of the unseen test patients; chance is 0.25. The arrays are
    the class that each network names for each slice."""
    dataset = load()
    steps = {16: 80} if quick else STEPS
    runs = [(n, arm) for n in steps for arm in ARMS if arm != "careless" or n == 64]
    versions = test_sets(dataset.test)
    rows, arrays = [], {}
    for n_patients, arm in runs:
        images, label = draw_patients(dataset.train, n_patients, seed)
        epochs = steps[n_patients] * model.BATCH // len(images)
        network = model.train(images, label, ARMS[arm], epochs=epochs, seed=seed)
        for version, pictures in versions.items():
            guess = network(pictures, training=False).numpy().argmax(1)
            value = score(dataset.test.targets["label"], guess[:, None])
            rows.append({"patients": n_patients, "arm": arm, "test": version, "balanced_accuracy": value})
            arrays[f"{n_patients}, {arm}, {version}"] = guess.astype(np.uint8)
    return {"rows": rows}, {"arrays": arrays}


def learning_curves(seed, quick=False):
    """Balanced accuracy, mean over the seeds. Intervals are 95 % percentile bootstraps that draw test patients with
    replacement; the spread over seeds (other training patients, other weights) is listed beside them. Differences are to
    the arm 'none' with the same patients and seeds."""
    if quick:
        payload, more = answers(0, quick=True)
        every = [more["arrays"]]
    else:
        every = [results.arrays("augmentation/answers", each) for each in RUNS["answers"]]
        payload = results.load("augmentation/answers")[RUNS["answers"][0]]
    test = load().test
    truth = test.targets["label"]
    guesses = {name: np.transpose([arrays[name] for arrays in every]) for name in every[0]}  # each (n, seeds)
    rows = []
    for row in payload["rows"]:
        n_patients, arm, version = row["patients"], row["arm"], row["test"]
        ours, without = guesses[f"{n_patients}, {arm}, {version}"], guesses[f"{n_patients}, none, {version}"]
        options = {"groups": test.groups, "repeats": 100 if quick else 1000}
        mean = bootstrap(score, truth, ours, **options)
        difference = bootstrap(gain, truth, ours, without, bounds=(-1, 1), **options)
        rows.append(
            {
                "patients": n_patients,
                "arm": arm,
                "test": version,
                "balanced_accuracy": mean.value,
                "interval": [mean.low, mean.high],
                "difference": difference.value,
                "difference_interval": [difference.low, difference.high],
                "seeds": [score(truth, guess[:, None]) for guess in ours.T],
            }
        )
    return {
        "size": SIZE,
        "patient_set": PATIENT_SET,
        "steps": STEPS,
        "batch": model.BATCH,
        "test_patients": len(np.unique(test.groups)),
        "rows": rows,
    }


def load():
    return data.load("brain-lesions", size=SIZE, seed=PATIENT_SET)


def draw_patients(split, n_patients, seed):
    """Images and labels of `n_patients` patients of a split, as many of each class."""
    rng = np.random.default_rng([seed, n_patients])
    label, groups = split.targets["label"], split.groups
    chosen = [rng.permutation(np.unique(groups[label == c]))[: n_patients // 4] for c in range(4)]
    rows = np.isin(groups, np.concatenate(chosen))
    return split.x[rows], label[rows]


def test_sets(test):
    """Three versions of the test images, by name."""
    rng = np.random.default_rng(0)
    real, imaginary = 0.04 * rng.standard_normal((2, *test.x.shape), np.float32)
    turned = ndimage.rotate(test.x, 15, axes=(1, 2), reshape=False, order=1)
    return {
        "as they are": test.x,
        "turned by 15°": turned,
        "another scanner": np.hypot(0.7 * test.x**1.5 + real, imaginary),
    }


def score(truth, guesses):
    """Balanced accuracy, mean over the seeds: truth (n,), guesses (n, seeds)."""
    return np.mean([(guesses[truth == c] == c).mean() for c in np.unique(truth)])


def gain(truth, guesses, without):
    return score(truth, guesses) - score(truth, without)


if __name__ == "__main__":
    main(
        "augmentation",
        RUNS,
        {"answers": answers, "learning_curves": learning_curves},
        tolerance=dict.fromkeys(RUNS, 0.02),
    )
