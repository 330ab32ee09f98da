"""Do GAN images help a classifier that has few patients?

    python -m course_lib.lessons.synthetic_data.experiment [--quick]

The course's small CNN tells healthy slices, masses and infarcts apart (brain-lesions, simulated, 32×32 pixels); infarcts
are rare among the training patients. Each seed has a set of simulated patients of its own, for training and for testing.
For each number of patients one class-conditional DCGAN is trained on the training patients alone; then one CNN for each
arm, all with the same first weights and the same number of steps. Privacy: how near the generated images, and the
discriminator's answers, come to the training patients, against unseen patients of the same classes.
Network sizes, rates and numbers of steps were chosen on another set of patients. The generators of seed 0 are kept.
"""

import time

import numpy as np
from sklearn.metrics import f1_score, recall_score
from tqdm import tqdm

from course_lib import data, gan, models
from course_lib.lessons.augmentation.model import article
from course_lib.lessons.synthetic_data.model import (
    CLASSIFIER,
    GENERATOR,
    RELEASED,
    nearest_of_class,
    slices_of,
    train_classifier,
)
from course_lib.tools.experiment import main

keras = models.keras
RUNS = {"study": range(5)}

PATIENT_SETS = (0, 151, 152, 153, 154)  # one for each seed
PATIENTS = {56: (24, 24, 8), 224: (96, 96, 32)}  # real training patients: healthy, mass, infarct
FILL = 2  # arms with added images have this many times the largest class's real images, in every class
GAN = {
    "steps": 800,
    "batch_size": 32,
    "rate": 5e-4,
    "generator_channels": GENERATOR["channels"],
    "discriminator_channels": 16,
}
DECAY = 0.98  # of the running mean of the generator's weights


def draw_patients(label, groups, counts, rng):
    """Rows of `counts` patients of each class."""
    chosen = [rng.permutation(np.unique(groups[label == c]))[:count] for c, count in enumerate(counts)]
    return np.isin(groups, np.concatenate(chosen))


def repeated(label, per_class, rng):
    """Indices with `per_class` of each class, every image as often as any other of its class (or once more)."""
    return np.concatenate([np.resize(rng.permutation(np.flatnonzero(label == c)), per_class) for c in range(3)])


def train_gan(images, label, seed, steps):
    """A class-conditional DCGAN that sees each class equally often: (generator, discriminator)."""
    keras.utils.set_random_seed(seed)
    generator = gan.generator(**GENERATOR)
    discriminator = gan.discriminator(GAN["discriminator_channels"], classes=3)
    step = gan.adversarial_step(generator, discriminator, rate=GAN["rate"])
    mean = []

    def average():
        """The images of a running mean of the generator's weights are steadier (Yazıcı et al. 2019, arXiv:1806.04498)."""
        weights = generator.get_weights()
        mean[:] = [DECAY * old + (1 - DECAY) * new for old, new in zip(mean or weights, weights, strict=True)]

    rows = repeated(label, FILL * np.bincount(label).max(), np.random.default_rng(seed))
    options = {"labels": label[rows], "batch_size": GAN["batch_size"], "seed": seed}
    gan.train(step, images[rows], steps, at=range(min(100, steps), steps + 1), watch=average, **options)
    generator.set_weights(mean)
    return generator, discriminator


def run(seed, n_patients, dataset, quick):
    """One number of patients of one seed: (numbers, arrays, generator)."""
    images, label, groups = slices_of(dataset.train)
    rows = draw_patients(label, groups, PATIENTS[n_patients], np.random.default_rng([seed, n_patients]))
    images, label, groups = images[rows], label[rows], groups[rows]
    test_images, test_label, test_groups = slices_of(dataset.test)
    start = time.process_time()
    generator, discriminator = train_gan(images, label, seed, 4 if quick else GAN["steps"])
    seconds = {"gan": time.process_time() - start}

    rng = np.random.default_rng([seed, n_patients, 1])
    z = rng.standard_normal((3 * RELEASED, gan.LATENT), np.float32)
    released_label = np.repeat(np.arange(3), RELEASED)
    released = gan.sample(generator, z, released_label)

    # Sets of the arms. Every arm with added images ends with as many in each class.
    full = FILL * np.bincount(label).max()
    copies = repeated(label, full, rng)
    alone = np.concatenate([np.flatnonzero(released_label == c)[:full] for c in range(3)])
    lacking = [np.flatnonzero(released_label == c)[: full - np.sum(label == c)] for c in range(3)]
    added = np.concatenate(lacking)
    mixed = np.concatenate([images, released[added]]), np.concatenate([label, released_label[added]])
    arms = {
        "real": (images, label, []),
        "+ duplicates": (images[copies], label[copies], []),
        "+ classic": (images[copies], label[copies], article()),
        "+ GAN": (*mixed, []),
        "GAN alone": (released[alone], released_label[alone], []),
        "+ classic + GAN": (*mixed, article()),
    }
    if quick:
        arms = {name: arms[name] for name in ("real", "+ GAN")}
    options = {"seed": seed, "steps": 10} if quick else {"seed": seed}
    guesses = {}
    for arm, (pictures, classes, augmentation) in tqdm(arms.items(), desc=f"seed {seed}, {n_patients} patients"):
        start = time.process_time()
        model = train_classifier(pictures, classes, images, augmentation, **options)
        seconds[arm] = time.process_time() - start
        guesses[arm] = model(test_images, training=False).numpy().argmax(1)

    # Privacy: unseen patients in the same proportions of the classes as the training patients.
    share = [39, 39, 13]
    held = draw_patients(test_label, test_groups, share, rng)
    people = {"member": (images, label, groups), "unseen": (test_images[held], test_label[held], test_groups[held])}
    arrays = {"guess": np.array(list(guesses.values()), np.uint8), "label": test_label, "groups": test_groups}
    for name, (pictures, classes, patients) in people.items():
        arrays[f"{name}_distance"] = nearest_of_class(pictures, classes, released, released_label)[1]
        arrays[f"{name}_logit"] = discriminator.predict([pictures, classes], batch_size=256, verbose=0)[:, 0]
        arrays[f"{name}_label"], arrays[f"{name}_groups"] = classes, patients
    closer = [
        gan.closer_to_training(released[released_label == c], images[label == c], test_images[test_label == c])
        for c in range(3)
    ]
    numbers = {
        "macro_f1": {arm: f1_score(test_label, guess, average="macro") for arm, guess in guesses.items()},
        "recall_infarct": {arm: recall_score(test_label == 2, guess == 2) for arm, guess in guesses.items()},
        "closer": float(np.mean(closer)),
        "diversity": gan.diversity(released[::3]),
        "diversity_of_test_images": gan.diversity(test_images),
        **({} if quick else {"seconds": seconds}),
    }
    return numbers, arrays, generator


def study(seed, quick=False):
    """guess: test slices (arms, slices). Macro-F1 and recall of infarct on unseen test patients, as many of each class.
    closer: share of generated images nearer to a training than to an unseen image, mean over the classes. Seconds are
    processor seconds on a machine shared with other work."""
    dataset = data.load("brain-lesions", size=32, seed=PATIENT_SETS[seed])
    runs, arrays, generators = {}, {}, {}
    for n_patients in [56] if quick else PATIENTS:
        name = str(n_patients)
        runs[name], new, generators[name] = run(seed, n_patients, dataset, quick)
        arrays |= {f"{key}_{n_patients}": array for key, array in new.items()}
        print({arm: round(value, 3) for arm, value in runs[name]["macro_f1"].items()}, flush=True)
    payload = {
        "patient_set": PATIENT_SETS[seed],
        "patients": PATIENTS,
        "fill": FILL,
        "classifier": CLASSIFIER,
        "gan": {**GAN, "decay": DECAY},
        "runs": runs,
    }
    return payload, {"arrays": arrays, "weights": generators if seed == 0 else None}


if __name__ == "__main__":
    main("synthetic_data", RUNS, {"study": study}, tolerance={"study": 0.05})
