"""Explorers of the lesson on synthetic training data."""

import functools

import numpy as np

from course_lib import data, evaluate, plot, results
from course_lib.explorers import Explorer, choice, slider
from course_lib.lessons.synthetic_data import model as lesson

CLASSES = {"healthy": 0, "mass": 1, "infarct (rare)": 2}
MEASURES = {"accuracy": None, "recall of infarct (rare)": 2, "recall of mass": 1, "recall of healthy": 0}
SIZES = [str(number) for number in lesson.PATIENTS]


def arms() -> Explorer:
    """The stored runs: any measure, at either number of patients, compared with any arm."""
    return Explorer(
        _draw_arms,
        {
            "patients": choice("Original training patients", SIZES),
            "measure": choice("Measure", MEASURES),
            "control": choice("Compared with", lesson.ARMS, lesson.CONTROL),
            "shown": choice("Answers shown for", lesson.ARMS, "+ GAN"),
        },
        alt="Three panels: the measure of each arm with its seeds as dots and a dotted line for guessing; the difference of each "
        "arm from the one chosen, with intervals and a line at zero; a 3×3 table of truth against answer for one arm.",
        caption="Stored runs on simulated lesions; each small dot is a seed with training patients of its own, all met the same "
        "630 test patients. Dotted on the left: guessing. Middle: difference from the arm chosen, with its 95 % interval over "
        "seeds and patients. Right: share of each class's test slices, mean of the seeds.",
        size=(11, 3.7),
    )


def _draw_arms(figure, patients, measure, control, shown):
    number, label = int(patients), MEASURES[measure]
    left, middle, right = figure.subplots(1, 3, width_ratios=[1.1, 1.1, 0.9])
    places = np.arange(len(lesson.ARMS))[::-1]
    for place, arm in zip(places, lesson.ARMS, strict=True):
        seeds = lesson.share_right(number, arm, label).mean(axis=1)
        left.plot(seeds, np.full(len(seeds), place), ".", color=plot.COLOURS["sky"])
        left.plot(seeds.mean(), place, "o", color=plot.COLOURS["blue"])
        if arm != control:
            g = lesson.gain((number, control), (number, arm), label, repeats=200)
            middle.plot([g.low, g.high], [place, place], color=plot.COLOURS["blue"])
            middle.plot(g.value, place, "o", color=plot.COLOURS["blue"])
    left.axvline(1 / 3, color="0.5", lw=1, ls=":")
    left.set_yticks(places, lesson.ARMS)
    left.set(xlabel=measure, title=f"{patients} patients", xlim=(0, 1))
    middle.axvline(0, color="0.5", lw=1, ls=":")
    middle.set_yticks(places, [])
    limit = max(0.1, *np.abs(middle.get_xlim()))
    middle.set(xlim=(-limit, limit), ylim=left.get_ylim(), xlabel=f"difference in {measure}")
    middle.set_title(f"compared with “{control}”")

    truth, answers = lesson.answers(None, "truth").astype(int), lesson.answers(number, shown)
    counts = np.mean([np.bincount(3 * truth + each, minlength=9).reshape(3, 3) for each in answers], axis=0)
    plot.numbers(right, counts / counts.sum(1, keepdims=True), f"answers of “{shown}”", format=".2f", limit=1)
    right.set_xticks(range(3), lesson.NAMES)
    right.set_yticks(range(3), lesson.NAMES)
    right.set(xlabel="answer", ylabel="truth")
    right.tick_params(length=0)


@functools.cache
def _people(number):
    """Members and strangers of the first seed: images, labels and patients of their slices."""
    brains = data.load("brain-lesions", size=32)
    members = results.arrays("synthetic_data/arms", 0)[f"{number}, members"]
    parts = [lesson.slices_of(part) for part in (brains.val, brains.test)]
    return {"member": lesson.slices_of(brains.train, members), "stranger": lesson.strangers(*parts)}


@functools.cache
def released_images(number):
    """Images (3000, 32, 32, 1) that the stored generator of so many patients makes, 1,000 of each class, in order."""
    from course_lib import gan  # imports TensorFlow

    asked = np.repeat(np.arange(3), lesson.RELEASED)
    z = np.random.default_rng(15).standard_normal((len(asked), gan.LATENT), np.float32)
    return gan.sample(lesson.stored_generator(number), z, asked)


@functools.cache
def _nearest(number, name):
    """For each image of `_people` the nearest released one of its class: index and distance."""
    images, label, _ = _people(number)[name]
    asked = np.repeat(np.arange(3), lesson.RELEASED)
    return lesson.nearest_of_class(images, label, released_images(number), asked)


def release() -> Explorer:
    """Generated images for release, some of them copies of training images if you want: who can be recognised?"""
    return Explorer(
        _draw_release,
        {
            "patients": choice("Original training patients", SIZES),
            "kind": choice("Class", CLASSES),
            "planted": slider("Training patients planted (%)", 0, 50, 0, step=5),
            "noise": slider("Noise on the copies (σ, where white is 1)", 0.0, 0.2, 0.05, step=0.01),
            "first": slider("Show pairs from number", 1, 25, 1),
        },
        alt="Above, six training images and below each the nearest image of the release; on the right a histogram of the "
        "distance to the release, for training patients and for strangers, and above it the attack's AUC with its interval.",
        caption="Simulated lesions, on slices of a real template; the GANs of the first stored seed. Pairs are sorted: number 1 "
        "is the training image that the release comes nearest to. Right: a patient's distance is the mean over four slices "
        "(Euclidean, where black is 0 and white 1); above it the AUC with its 95 % interval over patients, one GAN only.",
        size=(11, 3.7),
    )


def _draw_release(figure, patients, kind, planted, noise, first):
    from course_lib import gan

    number, c = int(patients), CLASSES[kind]
    images, label, groups = _people(number)["member"]
    members, groups = images[label == c], groups[label == c]
    rng = np.random.default_rng(0)
    known = rng.permutation(np.unique(groups))
    known = known[: round(planted / 100 * len(known))]
    rows = np.isin(groups, known)
    copies = np.clip(members[rows] + noise * rng.standard_normal(members[rows].shape), 0, 1)

    found = {}
    for name, (images, label, who) in _people(number).items():
        index, distance = (each[label == c] for each in _nearest(number, name))
        nearest, distance = released_images(number)[index], distance.copy()
        if len(copies):  # they are released, too, and may be the nearest to anybody
            index, away = gan.nearest(images[label == c], copies)
            closer = away < distance
            nearest[closer], distance[closer] = copies[index[closer]], away[closer]
        found[name] = nearest, distance, evaluate.by_patient(distance, who[label == c])
    (nearest, distance, member), (*_, stranger) = found["member"], found["stranger"]

    order = np.argsort(distance, kind="stable")[first - 1 : first + 5]
    pairs, ax = figure.subplots(1, 2, width_ratios=[2, 1])
    sheet = np.ones((2 * 34, 6 * 34))  # one picture of twelve is drawn faster than twelve
    for column, one in enumerate(order):
        for row, image in enumerate((members[one], nearest[one])):
            sheet[34 * row : 34 * row + 32, 34 * column : 34 * column + 32] = image[..., 0]
    plot.image(pairs, sheet, f"{kind}: training images, and the nearest in the release", window=(0, 1))
    pairs.set_xticks(34 * np.arange(len(order)) + 16, [f"{distance[one]:.2f}" for one in order])
    pairs.set_yticks([16, 50], ["training", "release"])
    pairs.tick_params(length=0)
    pairs.set_xlabel("distance of the pair")

    score = -np.concatenate([member, stranger])
    area = evaluate.area_under_curve(np.arange(len(score)) < len(member), score, repeats=100)
    edges = np.linspace(0, score.min() * -1.02, 26)
    for values, name, colour in ((stranger, "strangers", "sky"), (member, "members", "orange")):
        ax.stairs(
            np.histogram(values, edges)[0] / len(values),
            edges,
            fill=True,
            alpha=0.6,
            color=plot.COLOURS[colour],
            label=name,
        )
    ax.set(xlabel="distance to the nearest released image", ylabel="share of the patients")
    title = f"AUC {area.value:.2f} ({area.low:.2f} to {area.high:.2f})"
    ax.set_title(
        f"{title}\n{len(member)} members, {len(known)} of them planted; {len(stranger)} strangers", fontsize=10
    )
    ax.set_ylim(top=1.2 * ax.get_ylim()[1])  # room for the legend
    ax.legend(loc="upper center", fontsize=9, ncols=2)
