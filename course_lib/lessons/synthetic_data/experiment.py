"""Do GAN images help a classifier that has few patients, and who can be found again in them?

    python -m course_lib.lessons.synthetic_data.experiment [rates] [arms] [longer]

The course's small CNN tells healthy slices, masses and infarcts apart (brain-lesions, simulated, 32×32 pixels); infarcts
are rare among the 56 or 224 training patients. For each number of patients one conditional GAN (lesson gan) is trained on
the training patients alone; then one CNN for each arm of model.py. `rates` chooses each arm's learning rate on validation
patients of two sets. `arms` does all of it five times, each time on patients of its own, and asks test patients whom no
choice has seen; then it attacks the generated images. The generators of seed 0 are kept. `longer` trains two arms on the
patients of seed 0 for three times as many steps.
"""

from types import SimpleNamespace

import numpy as np

from course_lib import data, evaluate, gan
from course_lib.lessons.gan import model as lesson_gan
from course_lib.lessons.synthetic_data import model
from course_lib.tools.experiment import main

RUNS = {"rates": range(2), "arms": range(5), "longer": range(5)}

SETS = {"rates": (1500, 1501), "arms": (0, 1511, 1512, 1513, 1514)}  # seeds of the data, one for each run
TEST_SET, TEST = 1550, 840  # seed and number of the test patients, the same for all runs; 630 are of the three classes
CHECKS = (1000, 2000, 3000, 4000, 5000)  # steps of the GAN
GAN_RATE, GAN_BATCH = 2e-4, 32  # as in lesson gan
QUICK_PATIENTS, QUICK_RATE = {56: (4, 4, 2), 224: (8, 8, 4)}, 0.001


def rates(seed, quick=False):
    """For each number of patients, arm and learning rate, accuracy per slice after the last step, in use: "train", on the arm's
    own training images, unchanged; "val", on the slices of validation patients, as many of each class."""
    brains, drawn, others = patients("rates", seed, quick)
    val = model.slices_of(brains.val)
    judged = [np.concatenate(each) for each in zip(val, model.slices_of(brains.test), others, strict=True)]
    payload = {}
    for number, (images, label, _) in drawn.items():
        mean, *_ = train_gan(images, label, val[0], seed, quick)
        for arm, (x, y) in training_sets(images, label, *release(mean, seed, quick), seed).items():
            row = payload[f"{number}, {arm}"] = {}
            for rate in (QUICK_RATE,) if quick else model.RATES:
                network = model.train(x, y, arm, original=images, rate=rate, steps=steps(number, quick), seed=seed)
                row[f"{rate:g}"] = {"train": right(network, x, y), "val": right(network, *judged[:2])}
            print(seed, number, arm, row, flush=True)
            if quick:
                break
    return payload


def arms(seed, quick=False):
    """For each number of patients: of each arm the rate that was best in `rates`, and accuracy per slice in use on the arm's
    own training images, unchanged ("train"), and on the original training slices ("original"). "gan": at each check the
    KID of 640 images to the slices of validation patients, and how a reader network reads them (asked, read; classes of
    brain-lesions); the step that was kept, that of the lowest KID; "limits" and "read" of its released images, KID to the
    test slices with its limits. "floor" and "read" beside them: the same of the validation slices, the KID without limits.

    The arrays hold, by number and arm, the class that a network names for each test slice; and for attackers who hold
    the released images or the discriminator the mean score of each member's and stranger's slices, higher for what looks
    like a member, for the GAN that has seen the members ("own") and for that of the other number, which has not."""
    chosen = {pair: QUICK_RATE if quick else model.best_rate(*pair) for pair in model.PAIRS}  # raises now, if it has to
    brains, drawn, _ = patients("arms", seed, quick)
    val = model.slices_of(brains.val)
    test = model.slices_of(
        data.load("brain-lesions", size=32, seed=0 if quick else TEST_SET, n_test=40 if quick else TEST).test
    )
    unknown = model.strangers(test)
    features, reader = lesson_gan.feature_model(), lesson_gan.reader()
    of_test, of_val = (gan.features(features, part[0]) for part in (test, val))
    payload = {
        "floor": gan.kid(of_val, of_test),
        "read": lesson_gan.read_as(reader, val[0], np.array(model.CLASSES)[val[1]]),
    }
    arrays = {"truth": test[1].astype(np.uint8), "groups": test[2], "strangers": np.unique(unknown[2])}
    means, releases, discriminators = {}, {}, {}
    for number, (images, label, groups) in drawn.items():
        means[number], discriminators[number], told = train_gan(images, label, val[0], seed, quick)
        releases[number] = released, asked = release(means[number], seed, quick)
        made = np.arange(len(asked)) % (len(asked) // 3) < len(of_test) // 3  # as many of each class as in the test
        told["limits"] = lesson_gan.kid_limits(gan.features(features, released[made]), of_test, test[2])
        told["read"] = lesson_gan.read_as(reader, released, np.array(model.CLASSES)[asked])
        payload[f"{number}"] = {"gan": told, "arms": {}}
        for arm, (x, y) in training_sets(images, label, released, asked, seed).items():
            if quick and arm not in (model.ARMS[0], model.ARMS[-1]):
                continue
            rate = chosen[number, arm]
            network = model.train(x, y, arm, original=images, rate=rate, steps=steps(number, quick), seed=seed)
            row = {"rate": rate, "train": right(network, x, y), "original": right(network, images, label)}
            payload[f"{number}"]["arms"][arm] = row
            arrays[f"{number}, {arm}"] = model.answered(network, test[0])
            print(seed, number, arm, row, right(network, *test[:2]), flush=True)
        arrays[f"{number}, {model.RULE}"] = by_class_means(images, label, test[0])
        arrays[f"{number}, members"] = np.unique(groups)
    for number, members in drawn.items():
        (other,) = drawn.keys() - {number}
        for name, source in (("own", number), ("other", other)):
            for side, people in (("members", members), ("strangers", unknown)):
                for attacker, score in scores(people, releases[source], discriminators[source]).items():
                    arrays[f"{number}, {attacker}, {name}, {side}"] = score
    half = {f"{number}": in_half_precision(mean) for number, mean in means.items()}
    return payload, {"arrays": arrays, "weights": half if seed == 0 else None}


def longer(seed, quick=False):
    """Of model.LONGER, on the 224 patients of seed 0 of `arms` and with its stored generator: accuracy per slice in use on the
    arm's own training images after three times the steps. The seed draws first weights and order. The arrays hold the class
    that a network names for each test slice of `arms`."""
    _, drawn, _ = patients("arms", 0, quick)
    images, label, _ = drawn[224]
    test = model.slices_of(
        data.load("brain-lesions", size=32, seed=0 if quick else TEST_SET, n_test=40 if quick else TEST).test
    )
    sets = training_sets(images, label, *release(model.stored_generator(224), 0, quick), 0)
    payload, arrays = {}, {}
    for arm in model.LONGER:
        rate, more = (QUICK_RATE, 30) if quick else (model.best_rate(224, arm), 3 * model.STEPS[224])
        network = model.train(*sets[arm], arm, original=images, rate=rate, steps=more, seed=seed)
        payload[arm] = {"rate": rate, "steps": more, "train": right(network, *sets[arm])}
        arrays[arm] = model.answered(network, test[0])
        print(seed, arm, payload[arm], right(network, *test[:2]), flush=True)
    return payload, {"arrays": arrays}


def steps(number, quick):
    return 30 if quick else model.STEPS[number]


def patients(run_name, seed, quick):
    """A set of simulated patients; of its training patients those of each number, drawn at random, no one twice; and of
    those who are left as many of each class: images, labels and patients."""
    options = {"n_patients": 72} if quick else {}
    brains = data.load("brain-lesions", size=32, seed=0 if quick else SETS[run_name][seed], **options)
    _, label, groups = model.slices_of(brains.train)
    rng = np.random.default_rng([seed, 15])
    queue = [rng.permutation(np.unique(groups[label == c])) for c in range(3)]
    drawn = {}
    for number, counts in (QUICK_PATIENTS if quick else model.PATIENTS).items():
        drawn[number] = np.concatenate([people[:count] for people, count in zip(queue, counts, strict=True)])
        queue = [people[count:] for people, count in zip(queue, counts, strict=True)]
    left = np.concatenate([people[: min(map(len, queue))] for people in queue])
    chosen = {number: model.slices_of(brains.train, people) for number, people in drawn.items()}
    return brains, chosen, model.slices_of(brains.train, left)


def repeated(label, per_class, rng):
    """Places of `per_class` images of each class, every image as often as any other of its class (or once more)."""
    return np.concatenate([np.resize(rng.permutation(np.flatnonzero(label == c)), per_class) for c in range(3)])


def train_gan(images, label, val, seed, quick):
    """A conditional GAN that sees each class equally often: the running mean of its generator and its discriminator, both
    at the check where the images came nearest to val (n, 32, 32, 1), and what was measured at the checks."""
    gan.keras.utils.set_random_seed(seed)
    generator, discriminator, mean = lesson_gan.conditional_pair(3)
    step = gan.adversarial_step(generator, discriminator, rate=GAN_RATE, mean=mean)
    features, reader = lesson_gan.feature_model(), lesson_gan.reader()
    of_val, asked = gan.features(features, val), np.arange(len(lesson_gan.FIXED)) % 3
    checks, rows, kept = (1, 2) if quick else CHECKS, [], {}

    def watch():
        made = gan.sample(mean, lesson_gan.FIXED, asked)
        row = {"step": checks[len(rows)], "kid": gan.kid(gan.features(features, made), of_val)}
        rows.append(row | {"read": lesson_gan.read_as(reader, made, np.array(model.CLASSES)[asked])})
        if row["kid"] == min(each["kid"] for each in rows):
            kept.update(step=row["step"], mean=mean.get_weights(), discriminator=discriminator.get_weights())
        print(seed, len(images), row, flush=True)

    rows_of = repeated(label, model.FILL * np.bincount(label).max(), np.random.default_rng([seed, 16]))
    options = {"labels": label[rows_of], "batch_size": GAN_BATCH, "seed": seed, "at": checks, "watch": watch}
    gan.train(step, images[rows_of], checks[-1], **options)
    mean.set_weights(kept["mean"])
    discriminator.set_weights(kept["discriminator"])
    return mean, discriminator, {"checks": rows, "kept": kept["step"]}


def release(generator, seed, quick):
    """Generated images, RELEASED of each class, and the labels they were asked for."""
    asked = np.repeat(np.arange(3), 100 if quick else model.RELEASED)
    z = np.random.default_rng([seed, 17]).standard_normal((len(asked), gan.LATENT), np.float32)
    return gan.sample(generator, z, asked), asked


def training_sets(images, label, released, asked, seed):
    """Images and labels of each arm. Every arm with added images ends with as many in each class."""
    full = model.FILL * np.bincount(label).max()
    copies = repeated(label, full, np.random.default_rng([seed, 18]))
    alone = np.concatenate([np.flatnonzero(asked == c)[:full] for c in range(3)])
    added = np.concatenate([np.flatnonzero(asked == c)[: full - np.sum(label == c)] for c in range(3)])
    duplicated = images[copies], label[copies]
    mixed = np.concatenate([images, released[added]]), np.concatenate([label, asked[added]])
    sets = [(images, label), duplicated, duplicated, mixed, (released[alone], asked[alone]), mixed]
    return dict(zip(model.ARMS, sets, strict=True))


def by_class_means(images, label, others):
    """The simplest rule: the class whose mean training image is nearest, uint8 (n,)."""
    means = np.stack([images[label == c].mean(axis=0) for c in range(3)])
    return gan.nearest(others, means)[0].astype(np.uint8)


def scores(people, released, discriminator):
    """What each attacker makes of people (images, labels, patients): the mean of each patient's slices, float32."""
    images, label, groups = people
    distance = model.nearest_of_class(images, label, *released)[1]
    logit = discriminator.predict(images, batch_size=256, verbose=0)[0][:, 0]
    by_slice = dict(zip(model.ATTACKERS, (-distance, logit), strict=True))
    return {name: evaluate.by_patient(score, groups).astype(np.float32) for name, score in by_slice.items()}


def right(network, images, label):
    """Accuracy per slice."""
    return float(np.mean(model.answered(network, images) == label))


def in_half_precision(network):
    return SimpleNamespace(get_weights=lambda: [weight.astype(np.float16) for weight in network.get_weights()])


if __name__ == "__main__":
    main("synthetic_data", RUNS, {"rates": rates, "arms": arms, "longer": longer}, tolerance=dict.fromkeys(RUNS, 0.2))
