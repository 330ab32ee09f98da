"""What notebook, experiment, explorers and tests of the lesson on augmentation share: recipes, training, stored answers,
and examples. A recipe is a function that returns new layers; `list` is the recipe that changes nothing."""

import functools

import numpy as np
from scipy import ndimage

from course_lib import data, evaluate, results

BATCH = 16

# ---- Recipes ---------------------------------------------------------------------------------------------------------


def article():
    """The article's three: flip, rotation, scaling."""
    from course_lib.models import layers

    return [
        layers.RandomFlip("horizontal"),
        layers.RandomRotation(10 / 360, fill_mode="constant"),
        layers.RandomZoom(0.1, fill_mode="constant"),
    ]


def careful():
    """All that keep the diagnosis of brain-lesions: the article's three, translation, and what differs between scanners."""
    from course_lib import models
    from course_lib.models import layers

    return [*article(), layers.RandomTranslation(0.05, 0.05, fill_mode="constant"), models.RandomIntensity()]


def careless():
    """Large factors and Keras' defaults: flips in both directions, turns up to 72°, borders filled by reflection."""
    from course_lib.models import layers

    return [
        layers.RandomFlip(),
        layers.RandomRotation(0.2),
        layers.RandomZoom(0.4),
        layers.RandomTranslation(0.3, 0.3),
    ]


def by_image():
    """Each image scaled by itself, to mean 0 and deviation 1, in training and in use: no augmentation."""
    from course_lib.models import layers

    return [layers.LayerNormalization(axis=(1, 2, 3), center=False, scale=False)]


ARMS = {
    "none": list,
    "article": article,
    "careful": careful,
    "careless": careless,
    "none, by image": by_image,
    "article, by image": lambda: [*article(), *by_image()],
}


def train(images, label, arm, *, epochs, rate, seed=0, callbacks=()):
    """The course's small CNN behind the layers of an arm, trained on images (n, h, w, 1) and class numbers (n,).

    arm: a name of ARMS, or a recipe. rate: where Adam starts; it falls to 0 along a cosine. With the same seed all arms
    start from the same first weights.
    """
    from course_lib import models

    models.keras.utils.set_random_seed(seed)
    own = arm in ("none, by image", "article, by image")
    scale = {} if own else {"mean": images.mean(), "variance": images.var()}
    cnn = models.small_cnn(images.shape[1:], int(label.max()) + 1, **scale)
    recipe = ARMS.get(arm, arm)
    network = models.keras.Sequential([models.layers.Input(images.shape[1:]), *recipe(), cnn])
    models.compile_with_cosine(network, rate, epochs * np.ceil(len(images) / BATCH), steps_per_execution=15)
    network.fit(images, label, batch_size=BATCH, epochs=epochs, verbose=0, callbacks=list(callbacks))
    return network


# ---- Stored runs -----------------------------------------------------------------------------------------------------

STEPS = {60: 1200, 240: 2400, 960: 4800}  # of training, by patients, the same for all arms
PAIRS = [(number, arm) for number in STEPS for arm in ARMS]
RATES = (0.0004, 0.0012, 0.004, 0.012, 0.04)
VERSIONS = ("as they are", "turned by 15°", "another scanner")


def best_rate(arm):
    """The rate with the highest mean validation accuracy in the stored `rates`. Raises ValueError at an end of the list."""
    stored = results.load("augmentation/rates").values()
    best = max(RATES, key=lambda rate: np.mean([each[arm][f"{rate:g}"]["val"] for each in stored]))
    if best in (RATES[0], RATES[-1]):
        raise ValueError(f"{arm} is best at {best:g}, an end of the list of rates: make it longer.")
    return best


@functools.cache
def answers(number, arm, version, run_name="answers"):
    """The answers of an arm's networks for the test slices, (seeds, n); with "truth" or "groups" as `version` those, (n,)."""
    stored = [results.arrays(f"augmentation/{run_name}", seed) for seed in results.load(f"augmentation/{run_name}")]
    if version in ("truth", "groups"):
        return stored[0][version]
    return np.stack([each[f"{number}, {arm}, {version}"] for each in stored])


def accuracy(truth, answer):
    return (truth == answer).mean()


def gain(first, second, version="as they are"):
    """How much better the second of two pairs (patients, arm) is than the first on the test patients: an Estimate."""
    truth, groups = (answers(*first, name) for name in ("truth", "groups"))
    return evaluate.recipes(accuracy, truth, answers(*first, version), answers(*second, version), groups=groups)


# ---- Images with something to lose -----------------------------------------------------------------------------------

CT_RANGE = (-1000.0, 1000.0)  # HU that become 0 … 1 here
LESIONS = {"brain, mass (simulated)": 1, "brain, white-matter lesions (simulated)": 2, "brain, infarct (simulated)": 3}
IMAGES = [*LESIONS, "brain template, white matter (real)", "CT, aorta (real)", "retina, microaneurysms (real)", "echo (real)"]  # fmt: skip


@functools.cache
def image_and_mask(name):
    """An image (h, w) in [0, 1], its mask (h, w) or None, what the mask marks, and the values shown black and white."""
    if name in LESIONS:
        part = data.load("brain-lesions").val
        place = np.flatnonzero(part.targets["label"] == LESIONS[name])[12]
        return part.x[place, :, :, 0], part.masks[place], "lesion", (0, 1)
    if name.startswith("brain template"):
        brain = data.sample("brain")
        return brain.image[95, 10:220:2, 8:190:2], brain.maps["white matter"][95, 10:220:2, 8:190:2] > 0.5, "white matter", (0, 1)  # fmt: skip
    if name.startswith("CT"):
        units = data.sample("ct").image
        bright = ndimage.label(ndimage.gaussian_filter(units, 1.5) > 130)[0]
        low, high = CT_RANGE
        window = ((-160 - low) / (high - low), (240 - low) / (high - low))
        return np.clip((units - low) / (high - low), 0, 1), bright == bright[6, 90], "aorta", window
    if name.startswith("retina"):
        retina = data.sample("microaneurysms").image
        spots = np.zeros(retina.shape, bool)
        for row, column in [(22, 16), (70, 48)]:
            around = np.s_[row - 6 : row + 7, column - 6 : column + 7]
            spots[around] = retina[around] < np.median(retina[around]) - 0.1
        return retina, spots, "microaneurysms", (retina.min(), retina.max())
    echo = data.sample("echo").image[0].mean(axis=2)
    return echo[20:230, 40:280], None, "", (0, 0.8)
