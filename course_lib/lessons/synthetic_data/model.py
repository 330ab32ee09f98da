"""What notebook, experiment, explorers and tests of the lesson on synthetic training data share: patients, arms, the
training, the attack, and how the stored runs are read."""

import functools

import numpy as np

from course_lib import evaluate, results

CLASSES = (0, 1, 3)  # healthy, mass, infarct of "brain-lesions": labels 0, 1, 2 here
NAMES = ("healthy", "mass", "infarct")
RARE = 2  # the label of the infarcts
PATIENTS = {56: (24, 24, 8), 224: (96, 96, 32)}  # original training patients of each class
ARMS = ("original", "+ duplicates", "+ classic", "+ GAN", "GAN alone", "+ classic + GAN")
CONTROL, RULE = "+ duplicates", "class means"  # what an arm is compared with; the simplest rule, which trains nothing
PAIRS = [(number, arm) for number in PATIENTS for arm in ARMS]
FILL = 2  # arms with added images have this many times the largest class's originals, in every class
RELEASED = 1000  # generated images of each class
ATTACKERS, RELEASES = ("images", "discriminator"), ("own", "other")
"""What an attacker holds; and a release whose GAN has seen the members, or has not."""

BATCH = 32
STEPS = {56: 1500, 224: 3600}  # of a classifier's training, the same for all arms
LONGER = ("+ classic", "+ classic + GAN")  # of the 224 patients: trained for three times as many steps, too
RATES = (0.00005, 0.0002, 0.001, 0.005, 0.02, 0.08)

# ---- Patients ---------------------------------------------------------------------------------------------------------


def slices_of(split, patients=None):
    """Images (n, h, w, 1), labels from 0 to 2 and patients of the slices of the three classes.

    patients: numbers of those who are wanted; all by default.
    """
    rows = np.isin(split.targets["label"], CLASSES)
    if patients is not None:
        rows &= np.isin(split.groups, patients)
    return split.x[rows], np.searchsorted(CLASSES, split.targets["label"][rows]), split.groups[rows]


def strangers(*parts):
    """Images, labels and patients of people whom no network has seen, in the same shares of the classes as the training
    patients: otherwise an attack would recognise the class and not the person. parts: what `slices_of` returns."""
    images, label, groups = (np.concatenate(each) for each in zip(*parts, strict=True))
    shares = np.array(PATIENTS[56]) // min(PATIENTS[56])
    known = [np.unique(groups[label == c]) for c in range(3)]
    times = min(len(people) // share for people, share in zip(known, shares, strict=True))
    rows = np.isin(groups, np.concatenate([p[: times * s] for p, s in zip(known, shares, strict=True)]))
    return images[rows], label[rows], groups[rows]


# ---- Networks ---------------------------------------------------------------------------------------------------------


def train(images, label, arm, *, original, rate, steps, seed=0, callbacks=()):
    """The course's small CNN for three classes, trained on images (n, h, w, 1) with labels 0 to 2; logits come out.

    arm: its name; where it says "classic", the images are turned, flipped and scaled anew in each step (lesson augmentation).
    original: the original training images, whose mean and variance standardise all others. rate: the peak of a learning
    rate that rises for a tenth of the steps and then falls to 0 along a cosine. With the same seed all arms start from the same
    first weights.
    """
    from course_lib import import_tensorflow, models
    from course_lib.lessons.augmentation.model import article

    tf = import_tensorflow()
    models.keras.utils.set_random_seed(seed)
    cnn = models.small_cnn(images.shape[1:], 3, mean=float(original.mean()), variance=float(original.var()))
    changes = article() if "classic" in arm else []
    network = models.keras.Sequential([models.layers.Input(images.shape[1:]), *changes, cnn])
    models.compile_with_cosine(network, rate, steps, warm_up=steps // 10, steps_per_execution=15)
    # Shuffling the places is faster than shuffling the images.
    places = tf.data.Dataset.range(len(images)).shuffle(len(images), seed=seed).repeat().batch(BATCH)
    batches = places.map(lambda rows: (tf.gather(images, rows), tf.gather(label, rows)))
    network.fit(batches, steps_per_epoch=steps, shuffle=False, verbose=0, callbacks=list(callbacks))
    return network


def answered(network, images):
    """The class that a network names for each image, uint8 (n,)."""
    parts = np.array_split(images, -(-len(images) // 600))
    return np.concatenate([network(part, training=False) for part in parts]).argmax(1).astype(np.uint8)


def stored_generator(number):
    """The generator that was trained on so many patients (56 or 224) of the first seed; it takes [z, labels]."""
    from course_lib.lessons.gan.model import conditional_pair

    generator, *_ = conditional_pair(3)
    half = results.weights("synthetic_data/arms", 0, network=str(number))
    generator.set_weights([weight.astype(np.float32) for weight in half])
    return generator


def nearest_of_class(images, label, others, other_label):
    """For each image the nearest of its class among others: index (n,) int and Euclidean distance (n,) float32."""
    from course_lib import gan

    index, distance = np.zeros(len(images), int), np.zeros(len(images), np.float32)
    for c in np.unique(label):
        rows, candidates = label == c, np.flatnonzero(other_label == c)
        place, distance[rows] = gan.nearest(images[rows], others[candidates])
        index[rows] = candidates[place]
    return index, distance


# ---- Stored runs ------------------------------------------------------------------------------------------------------


def on_validation(number, arm):
    """Mean accuracy on the validation patients in the stored `rates`: {rate: accuracy}."""
    stored = results.load("synthetic_data/rates").values()
    return {rate: float(np.mean([each[f"{number}, {arm}"][f"{rate:g}"]["val"] for each in stored])) for rate in RATES}


def best_rate(number, arm):
    """The rate that is best `on_validation`. Raises ValueError at an end of the list."""
    found = on_validation(number, arm)
    best = max(found, key=found.get)
    if best in (min(found), max(found)):
        raise ValueError(f"{number}, {arm} is best at {best:g}, an end of the list of rates: make it longer.")
    return best


@functools.cache
def answers(number, arm):
    """The answers of an arm's networks for the test slices, (seeds, n); "truth" or "groups" as `arm`: those, (n,)."""
    stored = [results.arrays("synthetic_data/arms", seed) for seed in results.load("synthetic_data/arms")]
    return stored[0][arm] if arm in ("truth", "groups") else np.stack([each[f"{number}, {arm}"] for each in stored])


def accuracy(truth, answer):
    return (truth == answer).mean()


def recall(truth, answer, label=RARE):
    """The share of a class's slices that are found."""
    return (answer[truth == label] == label).mean()


@functools.cache
def share_right(number, arm, label=None):
    """The share of each test patient's four slices that an arm's networks answer rightly, (seeds, patients); of one class,
    if label is given."""
    truth, groups = (answers(None, name) for name in ("truth", "groups"))
    share = evaluate.by_patient((answers(number, arm) == truth).T.astype(float), groups).T
    return share if label is None else share[:, evaluate.by_patient(truth, groups) == label]


@functools.cache
def gain(first, second, label=None, repeats=1000):
    """How much more accurate the second of two pairs (patients, arm) is than the first on the test patients (of one class,
    if label is given), over seeds and patients: an Estimate.

    The arms of a seed share training patients, GAN and first weights, so that they are compared seed by seed. The 56
    and the 224 patients of a seed are different people.
    """
    one, other = share_right(*first, label), share_right(*second, label)
    if first[0] == second[0]:
        one, other = np.zeros((3, one.shape[1])), other - one  # "no difference" has no seeds: three copies
    patients = np.arange(one.shape[1])
    return evaluate.recipes(
        lambda _, share: share.mean(), patients, one, other, groups=patients, repeats=repeats, bounds=(-1, 1)
    )


@functools.cache
def attacked(number, attacker, release="own", seed=None):
    """The stored attack on members of the training set and on strangers, a patient in each row, of all seeds or of one.

    attacker: of ATTACKERS; release: of RELEASES.
    Returns who is a member, bool (n,); a score (n,), the share of that seed's strangers who look less like a member, so that
    seeds can be put together; and the patients (n,).
    """
    member, score, groups = [], [], []
    for one in results.load("synthetic_data/arms") if seed is None else [seed]:
        stored = results.arrays("synthetic_data/arms", one)
        sides = [stored[f"{number}, {attacker}, {release}, {side}"] for side in ("members", "strangers")]
        for is_member, side, people in zip((True, False), sides, (f"{number}, members", "strangers"), strict=True):
            lower, level = (compare(side[:, None], sides[1]).mean(axis=1) for compare in (np.greater, np.equal))
            member.append(np.full(len(side), is_member))
            score.append(lower + level / 2)
            groups.append(stored[people])
    return np.concatenate(member), np.concatenate(score), np.concatenate(groups)
