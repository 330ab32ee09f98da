"""Explorers of the lesson on synthetic training data."""

import functools

import numpy as np
from scipy import stats

from course_lib import data, plot, results
from course_lib.explorers import Explorer, choice, slider
from course_lib.lessons.synthetic_data.model import RELEASED, nearest_of_class, stored_generator

CLASSES = {"healthy": 0, "mass": 1, "infarct (rare)": 2}
PATIENTS = ("56", "224")
ARMS = ("real", "+ duplicates", "+ classic", "+ GAN", "GAN alone", "+ classic + GAN")


@functools.cache
def _confusions():
    """Confusion matrices (seeds, arms, 3, 3) of the stored runs for each number of patients; rows are the truth."""
    tables = {patients: [] for patients in PATIENTS}
    for seed in results.load("synthetic_data/study"):
        stored = results.arrays("synthetic_data/study", seed)
        for patients in PATIENTS:
            label, guess = stored[f"label_{patients}"].astype(int), stored[f"guess_{patients}"]
            tables[patients].append([np.bincount(3 * label + one, minlength=9).reshape(3, 3) for one in guess])
    return {patients: np.array(seeds) for patients, seeds in tables.items()}


def _f1(tables):
    right = np.diagonal(tables, axis1=-2, axis2=-1)
    return 2 * right / (tables.sum(-1) + tables.sum(-2))


def _recall(tables):
    return np.diagonal(tables, axis1=-2, axis2=-1) / tables.sum(-1)


MEASURES = {
    "macro-F1": lambda tables: _f1(tables).mean(-1),
    "recall of infarct (rare)": lambda tables: _recall(tables)[..., 2],
    "recall of mass": lambda tables: _recall(tables)[..., 1],
    "recall of healthy": lambda tables: _recall(tables)[..., 0],
}


def arms() -> Explorer:
    """The stored experiment: any measure, at any number of patients, compared with any arm."""
    return Explorer(
        _draw_arms,
        {
            "patients": choice("Real training patients", PATIENTS),
            "measure": choice("Measure", MEASURES),
            "control": choice("Compared with", ARMS, "+ duplicates"),
            "shown": choice("Answers shown for", ARMS, "+ GAN"),
        },
        alt="Three panels: the measure of each arm with its seeds as dots; the gain of each arm over the one chosen, with "
        "intervals and a line at zero; a 3×3 table of truth against answer for one arm.",
        caption="Stored runs on simulated lesions; each small dot is a seed with training and test patients of its own. "
        "Middle: mean gain and, from three seeds on, its 95 % t interval over the seeds. Right: answers on all test slices of all seeds.",
        size=(11, 3.7),
    )


def _draw_arms(figure, patients, measure, control, shown):
    tables = _confusions()[patients]
    values = MEASURES[measure](tables)  # (seeds, arms)
    left, middle, right = figure.subplots(1, 3, width_ratios=[1.1, 1.1, 0.9])
    places = np.arange(len(ARMS))[::-1]
    for place, one in zip(places, values.T, strict=True):
        left.plot(one, np.full(len(one), place), ".", color=plot.COLOURS["sky"])
    left.plot(values.mean(0), places, "o", color=plot.COLOURS["blue"])
    left.set_yticks(places, ARMS)
    left.set(xlabel=measure, title=f"{patients} patients", xlim=(0, 1))

    gain = values - values[:, [ARMS.index(control)]]
    reach = np.zeros(len(ARMS))
    if len(gain) > 2:  # fewer seeds have no useful interval
        reach = stats.t.ppf(0.975, len(gain) - 1) * gain.std(0, ddof=1) / np.sqrt(len(gain))
    for place, one in zip(places, gain.T, strict=True):
        middle.plot(one, np.full(len(one), place), ".", color=plot.COLOURS["sky"])
    middle.errorbar(gain.mean(0), places, xerr=reach, fmt="o", capsize=3, color=plot.COLOURS["blue"])
    middle.axvline(0, color="0.5", lw=1, ls=":")
    middle.set_yticks(places, [])
    limit = 1.05 * np.abs(np.concatenate([gain, [gain.mean(0) - reach, gain.mean(0) + reach]])).max() + 0.01
    middle.set(xlim=(-limit, limit), xlabel=f"gain in {measure}", title=f"compared with “{control}”")

    total = tables[:, ARMS.index(shown)].sum(0)
    plot.numbers(right, total, f"answers of “{shown}”", limit=total.sum(1).max())
    right.set_xticks(range(3), ["healthy", "mass", "infarct"])
    right.set_yticks(range(3), ["healthy", "mass", "infarct"])
    right.set(xlabel="answer", ylabel="truth")
    right.tick_params(length=0)


@functools.cache
def _people(patients):
    """Training slices ("member") and unseen slices of the same classes, as stored for the first seed."""
    dataset = data.load("brain-lesions", size=32)
    people, stored = {}, results.arrays("synthetic_data/study", 0)
    for name, split in (("member", dataset.train), ("unseen", dataset.test)):
        rows = np.isin(split.groups, stored[f"{name}_groups_{patients}"])
        people[name] = split.x[rows], stored[f"{name}_label_{patients}"]
    return people


@functools.cache
def released_images(patients):
    """Images (3000, 32, 32, 1) that the stored generator of so many patients makes, 1,000 of each class, in order."""
    from course_lib import gan  # imports TensorFlow

    z = np.random.default_rng(15).standard_normal((3 * RELEASED, gan.LATENT), np.float32)
    return gan.sample(stored_generator(patients), z, np.repeat(np.arange(3), RELEASED))


@functools.cache
def _nearest(patients, name):
    """For each image of `_people` the nearest released one of its class: index and distance."""
    images, label = _people(patients)[name]
    return nearest_of_class(images, label, released_images(patients), np.repeat(np.arange(3), RELEASED))


def release() -> Explorer:
    """Generated images for release, some of them copies of training images if you want: who can be recognised?"""
    return Explorer(
        _draw_release,
        {
            "patients": choice("Real training patients", PATIENTS),
            "kind": choice("Class", CLASSES),
            "planted": slider("Training images planted into the release (%)", 0, 50, 0, step=5),
            "noise": slider("Noise on the planted copies (σ)", 0.0, 0.2, 0.05, step=0.01),
            "first": slider("Show pairs from number", 1, 25, 1),
        },
        alt="Above, six training images and below each the nearest image of the release; on the right a histogram of the "
        "distance to the release, for training images and for images of unseen patients.",
        caption="Simulated lesions, on slices of a real template. Pairs are sorted: number 1 is the training image that the "
        "release comes nearest to. If training images lie nearer than unseen ones, members can be told from others.",
        size=(11, 3.7),
    )


def _draw_release(figure, patients, kind, planted, noise, first):
    from sklearn.metrics import roc_auc_score

    c = CLASSES[kind]
    (members, label), (_, other_label) = (_people(patients)[name] for name in ("member", "unseen"))
    members = members[label == c]
    index, distance = (array[label == c] for array in _nearest(patients, "member"))
    unseen = _nearest(patients, "unseen")[1][other_label == c]
    nearest = released_images(patients)[index]

    rng = np.random.default_rng(0)
    chosen = rng.permutation(len(members))[: round(planted / 100 * len(members))]
    copies = np.clip(members[chosen] + noise * rng.standard_normal(members[chosen].shape), 0, 1)
    away = np.sqrt(((copies - members[chosen]) ** 2).sum(axis=(1, 2, 3)))
    distance = distance.copy()
    closer = away < distance[chosen]
    nearest[chosen[closer]], distance[chosen[closer]] = copies[closer], away[closer]

    order = np.argsort(distance, kind="stable")[first - 1 : first + 5]
    pairs, ax = figure.subplots(1, 2, width_ratios=[2, 1])
    sheet = np.ones((2 * 34, 6 * 34))  # one picture of twelve is drawn faster than twelve
    for column, one in enumerate(order):
        for row, image in enumerate((members[one], nearest[one])):
            sheet[34 * row : 34 * row + 32, 34 * column : 34 * column + 32] = image[..., 0]
    plot.image(pairs, sheet, f"{kind}: training images, and the nearest in the release", window=(0, 1))
    pairs.set_xticks(34 * np.arange(6) + 16, [f"{distance[one]:.2f}" for one in order])
    pairs.set_yticks([16, 50], ["training", "release"])
    pairs.tick_params(length=0)
    pairs.set_xlabel("distance of the pair")

    score = -np.concatenate([distance, unseen])
    area = roc_auc_score(np.arange(len(score)) < len(distance), score)
    edges = np.linspace(0, max(distance.max(), unseen.max()) + 0.01, 26)
    for values, name, colour in ((unseen, "unseen", "sky"), (distance, "training", "orange")):
        count = np.histogram(values, edges)[0]
        ax.stairs(count / len(values), edges, fill=True, alpha=0.6, color=plot.COLOURS[colour], label=name)
    ax.set(xlabel="distance to the nearest released image", ylabel="share", title=f"membership AUC {area:.2f}")
    ax.set_ylim(top=1.2 * ax.get_ylim()[1])  # room for the legend
    ax.legend(loc="upper center", fontsize=9, ncols=2)
