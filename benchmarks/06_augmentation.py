"""What augmentation buys: learning curves with and without it. Writes results/06/learning_curves.json.

    python benchmarks/06_augmentation.py

The course's small CNN on brain-lesions (simulated) at 32×32 pixels, trained on 16, 64 or 240 patients. For each number
and seed one draw of training patients, one set of initial weights and one number of training steps, the same in all
arms; the arm "careless" is tried on 64 patients only. Scored on three versions of the same unseen test patients: as they
are; turned by 15°; and as another scanner would show them (darker, other contrast, more noise; simulated). The patients
are another set than the default one, on which epochs and learning rate were chosen.
"""

import argparse
import time

import numpy as np
from common import save
from scipy import ndimage
from tqdm import tqdm

from course_lib import data, models
from course_lib.data import brain_lesions

keras, layers = models.keras, models.layers

SIZE = 32
PATIENT_SET = 1
EPOCHS = {16: 80, 64: 45, 240: 18}  # by patients: 160, 360 and 540 steps of 32 images
LEARNING_RATE = 3e-3  # falls to zero along a cosine
NOTE = (
    "Balanced accuracy over four classes on unseen test patients; chance is 0.25. Mean over the seeds; 95 % intervals "
    "are percentile bootstraps that draw test patients and seeds with replacement; differences are to the arm 'none' "
    "with the same patients and seeds. Seconds were taken on a machine shared with other work."
)


def geometric():
    return [
        layers.RandomFlip("horizontal"),
        layers.RandomRotation(10 / 360, fill_mode="constant"),
        layers.RandomTranslation(0.05, 0.05, fill_mode="constant"),
        layers.RandomZoom(0.1, fill_mode="constant"),
    ]


def careless():
    """Large factors and Keras' defaults: flips in both directions, turns up to 72°, borders filled by reflection."""
    return [
        layers.RandomFlip(),
        layers.RandomRotation(0.2),
        layers.RandomTranslation(0.3, 0.3),
        layers.RandomZoom(0.4),
    ]


ARMS = {
    "none": list,
    "geometric": geometric,
    "intensity": lambda: [models.RandomIntensity()],
    "both": lambda: [*geometric(), models.RandomIntensity()],
    "careless": careless,
}


def draw_patients(split, n_patients, seed):
    """Images and labels of `n_patients` patients of a split, as many of each class."""
    rng = np.random.default_rng([seed, n_patients])
    label, groups = split.targets["label"], split.groups
    chosen = [rng.permutation(np.unique(groups[label == c]))[: n_patients // 4] for c in range(4)]
    rows = np.isin(groups, np.concatenate(chosen))
    return split.images[rows], label[rows]


def train(images, label, arm, epochs, seed):
    keras.utils.set_random_seed(seed)
    cnn = models.small_cnn(images.shape[1:], 4, mean=images.mean(), variance=images.var())
    model = keras.Sequential([layers.Input(images.shape[1:]), *ARMS[arm](), cnn])
    steps = epochs * -(-len(images) // 32)
    rate = keras.optimizers.schedules.CosineDecay(LEARNING_RATE, float(steps))
    model.compile(keras.optimizers.Adam(rate), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(images, label, batch_size=32, epochs=epochs, verbose=0)
    return model


def test_sets(test):
    """Three versions of the test images, by name."""
    rng = np.random.default_rng(0)
    real, imaginary = 0.04 * rng.standard_normal((2, *test.images.shape), np.float32)
    turned = ndimage.rotate(test.images, 15, axes=(1, 2), reshape=False, order=1)
    return {
        "as they are": test.images,
        "turned by 15°": turned,
        "another scanner": np.hypot(0.7 * test.images**1.5 + real, imaginary),
    }


def balanced_accuracies(label, right, groups, repeats=2000):
    """Bootstrap of the balanced accuracy: right (seeds, n) -> (repeats,), and the plain mean over the seeds.

    The same patients and seeds are drawn in each call, so that the results of two arms can be subtracted.
    """
    patients = np.unique(groups)
    # Slices and right answers of each patient, by class: every patient has one class.
    of_class = np.array([label[groups == patient][0] for patient in patients])
    counts = np.array([(groups == patient).sum() for patient in patients])
    hits = np.array([[row[groups == patient].sum() for patient in patients] for row in right])

    def score(hits, weights):
        return np.mean([hits[of_class == c] @ weights[of_class == c] / (counts @ (weights * (of_class == c)))
                        for c in range(4)])  # fmt: skip

    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(repeats):
        weights = np.bincount(rng.integers(len(patients), size=len(patients)), minlength=len(patients))
        drawn.append(score(hits[rng.integers(len(right), size=len(right))].mean(0), weights))
    return np.array(drawn), score(hits.mean(0), np.ones(len(patients)))


def summarise(answers, test):
    """Rows with mean, interval and difference to no augmentation, for each number of patients, arm and test set."""
    label = test.targets["label"]
    scores = {key: balanced_accuracies(label, np.array(guess) == label, test.groups) for key, guess in answers.items()}
    rows = []
    for (n_patients, arm, version), (drawn, mean) in scores.items():
        without, mean_without = scores[n_patients, "none", version]
        each = [balanced_accuracies(label, np.array([guess]) == label, test.groups, 1)[1]
                for guess in answers[n_patients, arm, version]]  # fmt: skip
        rows.append(
            {
                "patients": n_patients,
                "arm": arm,
                "test": version,
                "balanced_accuracy": mean,
                "interval": np.percentile(drawn, [2.5, 97.5]).tolist(),
                "difference": mean - mean_without,
                "difference_interval": np.percentile(drawn - without, [2.5, 97.5]).tolist(),
                "seeds": each,
            }
        )
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5, help="number of seeds")
    seeds = list(range(parser.parse_args().seeds))
    dataset = data.load("brain-lesions", size=SIZE, seed=PATIENT_SET)
    versions = test_sets(dataset.test)
    answers, seconds = {}, {}
    runs = [(n, seed, arm) for n in EPOCHS for seed in seeds for arm in ARMS if arm != "careless" or n == 64]
    for n_patients, seed, arm in tqdm(runs):
        start = time.process_time()
        images, label = draw_patients(dataset.train, n_patients, seed)
        model = train(images, label, arm, EPOCHS[n_patients], seed)
        seconds.setdefault(f"{n_patients} patients, {arm}", []).append(time.process_time() - start)
        for version, pictures in versions.items():
            guess = model(pictures, training=False).numpy().argmax(1)
            answers.setdefault((n_patients, arm, version), []).append(guess)
    rows = summarise(answers, dataset.test)
    for row in rows:
        low, high = row["difference_interval"]
        print(f"{row['patients']:4} {row['arm']:10} {row['test']:16} {row['balanced_accuracy']:.3f}  "
              f"difference {row['difference']:+.3f} ({low:+.3f} to {high:+.3f})")  # fmt: skip
    results = {
        "size": SIZE,
        "patient_set": PATIENT_SET,
        "generator_version": brain_lesions.VERSION,
        "epochs": {str(n): epochs for n, epochs in EPOCHS.items()},
        "test_patients": len(np.unique(dataset.test.groups)),
        "rows": rows,
        "median_processor_seconds_of_a_run": {name: float(np.median(s)) for name, s in seconds.items()},
    }
    save("06/learning_curves.json", results, seeds=seeds, note=NOTE)


if __name__ == "__main__":
    main()
