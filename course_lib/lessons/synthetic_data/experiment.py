"""Do GAN images help a classifier that has few patients? Writes course_lib/lessons/synthetic_data/results/seed_<s>.json and .npz, and two generators.

    python course_lib/lessons/synthetic_data/experiment.py --seeds 5

The course's small CNN tells healthy slices, masses and infarcts apart (brain-lesions, simulated, 32×32 pixels); infarcts
are rare among the training patients. Each seed has a set of simulated patients of its own, for training and for testing.
For each number of patients one class-conditional DCGAN is trained on the training patients alone; then one CNN for each
arm, all with the same first weights and the same number of steps. Privacy: how near the generated images, and the
discriminator's answers, come to the training patients, against unseen patients of the same classes.
Network sizes, rates and numbers of steps were chosen on another set of patients.
A seed can be computed by itself (`--first 3 --seeds 1`); files are written anew after each number of patients.
"""

import argparse
import time

import numpy as np
from sklearn.metrics import f1_score, recall_score
from tqdm import tqdm

from course_lib import ROOT, data, gan, models
from course_lib.data import brain_lesions
from course_lib.tools.common import save

keras, layers, tf = models.keras, models.layers, gan.tf

PATIENT_SETS = (0, 151, 152, 153, 154)  # one for each seed
CLASSES = (0, 1, 3)  # healthy, mass, infarct: labels 0, 1, 2 here
PATIENTS = {56: (24, 24, 8), 224: (96, 96, 32)}  # real training patients: healthy, mass, infarct
FILL = 2  # arms with added images have this many times the largest class's real images, in every class
STEPS, BATCH, RATE = 300, 32, 2e-3  # of the classifier; the rate falls to zero along a cosine
GAN = {"steps": 800, "batch_size": 32, "rate": 5e-4, "generator_channels": 64, "discriminator_channels": 16}
DECAY = 0.98  # of the running mean of the generator's weights
RELEASED = 1000  # generated images of each class, for the measures of quality and privacy
NOTE = (
    "guess: test slices (arms, slices). Macro-F1 and recall of infarct on unseen test patients, as many of each class. "
    "closer: share of generated images "
    "nearer to a training than to an unseen image, mean over the classes. Seconds are processor seconds on a machine "
    "shared with other work."
)


def careful():
    """Lesson 07's three changes that keep the diagnosis."""
    return [
        layers.RandomFlip("horizontal"),
        layers.RandomRotation(10 / 360, fill_mode="constant"),
        layers.RandomZoom(0.1, fill_mode="constant"),
    ]


def of_classes(split):
    """Images, labels from 0 and patients of the three classes."""
    rows = np.isin(split.targets["label"], CLASSES)
    return split.x[rows], np.searchsorted(CLASSES, split.targets["label"][rows]), split.groups[rows]


def draw_patients(label, groups, counts, rng):
    """Rows of `counts` patients of each class."""
    chosen = [rng.permutation(np.unique(groups[label == c]))[:count] for c, count in enumerate(counts)]
    return np.isin(groups, np.concatenate(chosen))


def repeated(label, per_class, rng):
    """Indices with `per_class` of each class, every image as often as any other of its class (or once more)."""
    return np.concatenate([np.resize(rng.permutation(np.flatnonzero(label == c)), per_class) for c in range(3)])


def train_gan(images, label, seed):
    """A class-conditional DCGAN that sees each class equally often: (generator, discriminator)."""
    keras.utils.set_random_seed(seed)
    generator = gan.generator(channels=GAN["generator_channels"], classes=3)
    discriminator = gan.discriminator(GAN["discriminator_channels"], classes=3)
    step = gan.adversarial_step(generator, discriminator, rate=GAN["rate"])
    mean = []

    def average():
        """The images of a running mean of the generator's weights are steadier (Yazıcı et al. 2019, arXiv:1806.04498)."""
        weights = generator.get_weights()
        mean[:] = [DECAY * old + (1 - DECAY) * new for old, new in zip(mean or weights, weights, strict=True)]

    rows = repeated(label, FILL * np.bincount(label).max(), np.random.default_rng(seed))
    options = {"labels": label[rows], "batch_size": GAN["batch_size"], "seed": seed}
    gan.train(step, images[rows], GAN["steps"], at=range(100, GAN["steps"] + 1), watch=average, **options)
    generator.set_weights(mean)
    return generator, discriminator


def train_classifier(images, label, real, augmentation, seed):
    """real: the real images, for the standardisation. The same first weights and the same steps in all arms."""
    keras.utils.set_random_seed(seed)
    cnn = models.small_cnn(images.shape[1:], 3, mean=real.mean(), variance=real.var())
    model = keras.Sequential([layers.Input(images.shape[1:]), *augmentation, cnn])
    rate = keras.optimizers.schedules.CosineDecay(RATE, float(STEPS))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(rate), loss, steps_per_execution=10)
    batches = tf.data.Dataset.from_tensor_slices((images, label)).shuffle(len(images), seed=seed).repeat().batch(BATCH)
    model.fit(batches, steps_per_epoch=STEPS, shuffle=False, verbose=0)
    return model


def nearest_of_class(images, label, others, other_label):
    """Distance of each image to the nearest of its class among others."""
    distance = np.empty(len(images), np.float32)
    for c in range(3):
        distance[label == c] = gan.nearest(images[label == c], others[other_label == c])[1]
    return distance


def run(seed, n_patients, dataset):
    """One number of patients of one seed: (numbers for the JSON file, arrays for the npz file)."""
    images, label, groups = of_classes(dataset.train)
    rows = draw_patients(label, groups, PATIENTS[n_patients], np.random.default_rng([seed, n_patients]))
    images, label, groups = images[rows], label[rows], groups[rows]
    test_images, test_label, test_groups = of_classes(dataset.test)
    start = time.process_time()
    generator, discriminator = train_gan(images, label, seed)
    seconds = {"gan": time.process_time() - start}
    if seed == 0:
        generator.save(ROOT / f"course_lib/lessons/synthetic_data/results/generator_{n_patients}.keras")

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
        "+ classic": (images[copies], label[copies], careful()),
        "+ GAN": (*mixed, []),
        "GAN alone": (released[alone], released_label[alone], []),
        "+ classic + GAN": (*mixed, careful()),
    }
    guesses = {}
    for arm, (pictures, classes, augmentation) in tqdm(arms.items(), desc=f"seed {seed}, {n_patients} patients"):
        start = time.process_time()
        model = train_classifier(pictures, classes, images, augmentation, seed)
        seconds[arm] = time.process_time() - start
        guesses[arm] = model(test_images, training=False).numpy().argmax(1)

    # Privacy: unseen patients in the same proportions of the classes as the training patients.
    share = [39, 39, 13]
    held = draw_patients(test_label, test_groups, share, rng)
    people = {"member": (images, label, groups), "unseen": (test_images[held], test_label[held], test_groups[held])}
    arrays = {"guess": np.array(list(guesses.values()), np.uint8), "label": test_label, "groups": test_groups}
    for name, (pictures, classes, patients) in people.items():
        arrays[f"{name}_distance"] = nearest_of_class(pictures, classes, released, released_label)
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
        "seconds": seconds,
    }
    return numbers, arrays


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5, help="number of seeds")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    options = parser.parse_args()
    (ROOT / "course_lib/lessons/synthetic_data/results").mkdir(parents=True, exist_ok=True)
    for seed in range(options.first, options.first + options.seeds):
        dataset = data.load("brain-lesions", size=32, seed=PATIENT_SETS[seed])
        runs, arrays = {}, {}
        for n_patients in PATIENTS:
            runs[str(n_patients)], new = run(seed, n_patients, dataset)
            arrays.update({f"{name}_{n_patients}": array for name, array in new.items()})
            np.savez_compressed(ROOT / f"course_lib/lessons/synthetic_data/results/seed_{seed}.npz", **arrays)
            results = {
                "patient_set": PATIENT_SETS[seed],
                "generator_version": brain_lesions.VERSION,
                "patients": PATIENTS,
                "fill": FILL,
                "classifier": {"steps": STEPS, "batch": BATCH, "rate": RATE},
                "gan": {**GAN, "decay": DECAY},
                "runs": runs,
            }
            save(f"synthetic_data/seed_{seed}.json", results, seeds=[seed], note=NOTE)
            print({arm: round(value, 3) for arm, value in runs[str(n_patients)]["macro_f1"].items()}, flush=True)


if __name__ == "__main__":
    main()
