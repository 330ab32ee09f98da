"""What augmentation buys: learning curves with and without it. Writes course_lib/lessons/augmentation/results/learning_curves.json.

    python course_lib/lessons/augmentation/experiment.py

The course's small CNN on brain-lesions (simulated) at 32×32 pixels, trained on 16, 64 or 240 patients. For each number
and seed one draw of training patients, one set of initial weights and one number of training steps, the same in all
arms; the arm "careless" is tried on 64 patients only. Scored on three versions of the same unseen test patients: as they
are; turned by 15°; and as another scanner would show them (darker, other contrast, more noise; simulated). The patients
are another set than the one the lesson shows.
The file is written anew after each seed, so that a run that is stopped keeps what it has.
"""

import argparse
import time

import numpy as np
from scipy import ndimage
from tqdm import tqdm

from course_lib import data, models
from course_lib.data import brain_lesions
from course_lib.evaluate import bootstrap
from course_lib.tools.common import save

keras, layers = models.keras, models.layers

SIZE = 32
PATIENT_SET = 1
STEPS = {16: 400, 64: 800, 240: 1440}  # of training, by patients: fewer and the augmented arms are not done learning
BATCH = 16
LEARNING_RATE = 2e-3  # falls to zero along a cosine
NOTE = (
    "Balanced accuracy over four classes on unseen test patients, mean over the seeds; chance is 0.25. Intervals are 95 % "
    "percentile bootstraps that draw test patients with replacement; the spread over seeds (other training patients, "
    "other weights) is listed beside them. Differences are to the arm 'none' with the same patients and seeds. Seconds "
    "were taken on a machine shared with other work."
)


def article():
    """The article's three: flip, rotation, scaling."""
    return [
        layers.RandomFlip("horizontal"),
        layers.RandomRotation(10 / 360, fill_mode="constant"),
        layers.RandomZoom(0.1, fill_mode="constant"),
    ]


def careful():
    """All that keep the diagnosis here: the article's three, translation, and what differs between MR scanners."""
    return [*article(), layers.RandomTranslation(0.05, 0.05, fill_mode="constant"), models.RandomIntensity()]


def careless():
    """Large factors and Keras' defaults: flips in both directions, turns up to 72°, borders filled by reflection."""
    return [
        layers.RandomFlip(),
        layers.RandomRotation(0.2),
        layers.RandomZoom(0.4),
        layers.RandomTranslation(0.3, 0.3),
    ]


ARMS = {"none": list, "article": article, "careful": careful, "careless": careless}


def draw_patients(split, n_patients, seed):
    """Images and labels of `n_patients` patients of a split, as many of each class."""
    rng = np.random.default_rng([seed, n_patients])
    label, groups = split.targets["label"], split.groups
    chosen = [rng.permutation(np.unique(groups[label == c]))[: n_patients // 4] for c in range(4)]
    rows = np.isin(groups, np.concatenate(chosen))
    return split.x[rows], label[rows]


def train(images, label, arm, steps, seed):
    keras.utils.set_random_seed(seed)
    cnn = models.small_cnn(images.shape[1:], 4, mean=images.mean(), variance=images.var())
    model = keras.Sequential([layers.Input(images.shape[1:]), *ARMS[arm](), cnn])
    rate = keras.optimizers.schedules.CosineDecay(LEARNING_RATE, float(steps))
    model.compile(keras.optimizers.Adam(rate), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(images, label, batch_size=BATCH, epochs=steps * BATCH // len(images), verbose=0)
    return model


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


def summarise(answers, test):
    """Rows with mean, interval and difference to no augmentation, for each number of patients, arm and test set."""
    truth = test.targets["label"]
    answers = {key: np.transpose(guesses) for key, guesses in answers.items()}  # (n, seeds)
    rows = []
    for (n_patients, arm, version), guesses in answers.items():
        mean = bootstrap(score, truth, guesses, groups=test.groups)
        difference = bootstrap(gain, truth, guesses, answers[n_patients, "none", version], groups=test.groups)
        rows.append(
            {
                "patients": n_patients,
                "arm": arm,
                "test": version,
                "balanced_accuracy": mean.value,
                "interval": [mean.low, mean.high],
                "difference": difference.value,
                "difference_interval": [difference.low, difference.high],
                "seeds": [score(truth, guess[:, None]) for guess in guesses.T],
            }
        )
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5, help="number of seeds")
    dataset = data.load("brain-lesions", size=SIZE, seed=PATIENT_SET)
    runs = [(n, arm) for n in STEPS for arm in ARMS if arm != "careless" or n == 64]
    versions = test_sets(dataset.test)
    answers, seconds = {}, {}
    for seed in range(parser.parse_args().seeds):
        for n_patients, arm in tqdm(runs, desc=f"seed {seed}"):
            start = time.process_time()
            images, label = draw_patients(dataset.train, n_patients, seed)
            model = train(images, label, arm, STEPS[n_patients], seed)
            seconds.setdefault(f"{n_patients} patients, {arm}", []).append(time.process_time() - start)
            for version, pictures in versions.items():
                guess = model(pictures, training=False).numpy().argmax(1)
                answers.setdefault((n_patients, arm, version), []).append(guess)
        results = {
            "size": SIZE,
            "patient_set": PATIENT_SET,
            "generator_version": brain_lesions.VERSION,
            "steps": {str(n): steps for n, steps in STEPS.items()},
            "batch": BATCH,
            "test_patients": len(np.unique(dataset.test.groups)),
            "rows": summarise(answers, dataset.test),
            "median_processor_seconds_of_a_run": {name: float(np.median(s)) for name, s in seconds.items()},
        }
        save("augmentation/learning_curves.json", results, seeds=list(range(seed + 1)), note=NOTE)
    for row in results["rows"]:
        low, high = row["difference_interval"]
        print(f"{row['patients']:4} {row['arm']:10} {row['test']:16} {row['balanced_accuracy']:.3f}  "
              f"difference {row['difference']:+.3f} ({low:+.3f} to {high:+.3f})")  # fmt: skip


if __name__ == "__main__":
    main()
