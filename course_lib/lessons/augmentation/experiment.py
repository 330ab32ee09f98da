"""What augmentation buys, by the number of training patients: each arm trained until it stops, at its own learning rate.

    python -m course_lib.lessons.augmentation.experiment [rates] [answers] [longer]

The course's small CNN on brain-lesions (simulated) at 32×32 pixels, trained on 60, 240 or 960 patients, with the arms of
model.py. A seed draws the patients, the first weights and the order; all arms of a seed see the same patients and as
many steps. `rates` chose each arm's rate, with 240 patients, on the validation patients of two other sets. The networks
are scored on three versions of the same 600 test patients: as they are; turned by 15°; and as another scanner would show
them (simulated: darker, other contrast, more noise).
"""

import functools

import numpy as np
from scipy import ndimage

from course_lib import data
from course_lib.lessons.augmentation import model
from course_lib.tools.experiment import main

RUNS = {"rates": range(2), "answers": range(5), "longer": range(5)}
FIRST_SET = {"rates": 700, "answers": 710, "longer": 710}  # the seed of the data for run 0
TEST_SET, TEST = 750, 600  # seed and number of the test patients
LONGER = 4  # times as many steps, with 240 patients


def rates(seed, quick=False):
    """240 patients: for each arm and learning rate, accuracy per slice on the training slices, unchanged and in use, and on
    those of 120 validation patients."""
    payload = {}
    brains = load("rates", seed, quick)
    for arm in ["article"] if quick else model.ARMS:
        payload[arm] = {}
        for rate in model.RATES[1:2] if quick else model.RATES:
            network, few = trained(brains, 60 if quick else 240, arm, rate, seed, quick)
            payload[arm][f"{rate:g}"] = {"train": right(network, few), "val": right(network, brains.val)}
    return payload


def answers(seed, quick=False):
    """For each number of patients and arm, at its best rate: accuracy per slice on the training slices, unchanged and in
    use. The arrays are the class that the network names for each slice of the test patients, by version."""
    return tested("answers", seed, quick, model.PAIRS)


def longer(seed, quick=False):
    """240 patients, without augmentation, with the article's and with the careful recipe, for four times as many steps,
    from the same patients and first weights as `answers`, at the same rates. Otherwise as `answers`."""
    return tested("longer", seed, quick, [(240, arm) for arm in ("none", "article", "careful")], LONGER)


def tested(run_name, seed, quick, pairs, times=1):
    brains, versions = load(run_name, seed, quick), test_versions(quick)
    payload = {}
    arrays = {name: versions[name] for name in ("truth", "groups")}
    for number, arm in [(60, "careful")] if quick else pairs:
        rate = model.RATES[1] if quick else model.best_rate(arm)
        network, few = trained(brains, number, arm, rate, seed, quick, times)
        payload[f"{number}, {arm}"] = {"rate": rate, "train": right(network, few)}
        for version in model.VERSIONS:
            arrays[f"{number}, {arm}, {version}"] = answered(network, versions[version])
    return payload, {"arrays": arrays}


def load(run_name, seed, quick):
    several = {"seed": 0, "n_patients": 60} if quick else {"seed": FIRST_SET[run_name] + seed, "n_patients": 960}
    return data.load("brain-lesions", size=32, **several)


def trained(brains, number, arm, rate, seed, quick, times=1):
    """The network, and the patients that it was trained on: the first of the training patients, a quarter of each class."""
    rows = slice(4 * number)  # four slices each
    few = data.Split(brains.train.x[rows], {"label": brains.train.targets["label"][rows]}, brains.train.groups[rows])
    steps = 60 if quick else times * model.STEPS[number]
    return model.train(few.x, few.targets["label"], arm, epochs=steps // (number // 4), rate=rate, seed=seed), few


@functools.cache
def test_versions(quick):
    """The test images by version, with the truth and the patient of each."""
    test = data.load("brain-lesions", size=32, seed=0 if quick else TEST_SET, n_test=40 if quick else TEST).test
    rng = np.random.default_rng(0)
    real, imaginary = 0.04 * rng.standard_normal((2, *test.x.shape), np.float32)
    same, turned, scanner = model.VERSIONS
    return {
        same: test.x,
        turned: ndimage.rotate(test.x, 15, axes=(1, 2), reshape=False, order=1),
        scanner: np.hypot(0.7 * test.x**1.5 + real, imaginary),
        "truth": test.targets["label"].astype(np.uint8),
        "groups": test.groups,
    }


def answered(network, images):
    """The class that the network names for each image, uint8 (n,)."""
    parts = np.array_split(images, -(-len(images) // 600))
    return np.concatenate([network(part, training=False) for part in parts]).argmax(1).astype(np.uint8)


def right(network, split):
    """Accuracy per slice."""
    return float(np.mean(answered(network, split.x) == split.targets["label"]))


if __name__ == "__main__":
    main(
        "augmentation",
        RUNS,
        {"rates": rates, "answers": answers, "longer": longer},
        tolerance=dict.fromkeys(RUNS, 0.03),
    )
