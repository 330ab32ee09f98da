"""Explorers of the lesson on capstone: a project on chest X-rays."""

import functools

import numpy as np

from course_lib import evaluate, plot, results
from course_lib.explorers import Explorer, choice, slider
from course_lib.lessons.capstone import model as lesson


@functools.cache
def _stored(change):
    """Truth (n,) and score (n,) of the stored article's network, seed 0, on test images so changed."""
    stored = results.arrays(lesson.STORED, 0)
    return stored["test_ill"], stored["changed"][stored["changes"].tolist().index(change)].astype(float)


def frozen_threshold() -> Explorer:
    """A threshold that was frozen, and images that look different."""
    return Explorer(
        _draw_frozen_threshold,
        {
            "change": choice("How the images look", list(lesson.CHANGES)),
            "threshold": slider("Threshold", 0.0, 1.0, 0.5, step=0.01),
            "prevalence": slider("Ill among those tested (%)", 5.0, 95.0, 75.0, step=0.5),
        },
        alt="Left, histograms of the scores of healthy and ill children and the threshold. Right, bars of sensitivity, "
        "specificity and accuracy, with marks for the images as taken at the threshold 0.5.",
        caption="Stored scores of the article's network, seed 0 (test part of the development file, real X-rays, not the "
        "official test split). Grey marks: the images as taken at the threshold 0.5, at the prevalence that you chose.",
        size=(10, 3.6),
    )


def _rates(truth, score, threshold, prevalence):
    alarm = score >= threshold
    sensitivity, specificity = alarm[truth].mean(), evaluate.specificity(truth, alarm)
    return sensitivity, specificity, prevalence * sensitivity + (1 - prevalence) * specificity


def _draw_frozen_threshold(figure, change, threshold, prevalence):
    truth, score = _stored(change)
    scores, bars = figure.subplots(1, 2, width_ratios=[1.5, 1])
    for group, name, colour in ((~truth, "normal", "sky"), (truth, "pneumonia", "orange")):
        count, edges = np.histogram(score[group], 25, (0, 1))
        scores.stairs(count / group.sum(), edges, fill=True, color=plot.COLOURS[colour], alpha=0.65, label=name)
    scores.axvline(threshold, color="black", lw=1.5, label="threshold")
    scores.set(xlim=(-0.02, 1.02), ylim=(0, 1), xlabel="probability of pneumonia", ylabel="share of the images")
    scores.set_title(f"images: {change}")
    scores.legend(fontsize=8, loc="upper center")

    now = _rates(truth, score, threshold, prevalence / 100)
    before = _rates(*_stored("as taken"), 0.5, prevalence / 100)
    places = np.arange(3)
    bars.bar(places, now, 0.6, color=[plot.COLOURS[name] for name in ("orange", "sky", "blue")])
    bars.hlines(before, places - 0.38, places + 0.38, color="0.35", lw=2)
    for place, value in zip(places, now, strict=True):
        bars.text(place, 0.04, f"{value:.2f}", ha="center", fontweight="bold", in_layout=False)
    bars.set_xticks(places, ["sensitivity", "specificity", "accuracy"])
    bars.set(ylim=(0, 1.02), title=f"{prevalence:g} % are ill")


# ---- How much too good is the best of many attempts? -----------------------------------------------------------------


def best_of_many() -> Explorer:
    """Attempts that are all equally good: which accuracy does the best of them show?"""
    return Explorer(
        _draw_best_of_many,
        {
            "attempts": slider("Attempts that you made", 1, 100, 20),
            "accuracy": slider("True accuracy of each of them (%)", 60.0, 99.0, 90.0, step=0.5),
            "images": choice("Images on which you choose", ["100", "500", "2000"], "500"),
            "differ": slider("Share of the images on which an attempt is a throw of its own (%)", 5, 100, 50, step=5),
        },
        alt="Left, measured accuracies of many attempts as dots around their common true value, the best one marked. "
        "Right, the distribution of the best accuracy over many such projects.",
        caption="Simulated: all attempts are exactly equally good, and partly right on the same images. Left, one project; "
        "right, 2,000 projects.",
        size=(10, 3.3),
    )


def _projects(attempts, accuracy, images, differ, projects):
    """Measured accuracies (projects, attempts): on a share of the images each attempt is right or wrong by itself."""
    rng = np.random.default_rng(0)
    own = round(images * differ / 100)
    common = rng.binomial(images - own, accuracy / 100, (projects, 1))
    return 100 * (common + rng.binomial(own, accuracy / 100, (projects, attempts))) / images


def _draw_best_of_many(figure, attempts, accuracy, images, differ):
    measured = _projects(attempts, accuracy, int(images), differ, 2000)
    one, many = figure.subplots(1, 2)
    best = int(measured[0].argmax())
    one.plot(np.arange(1, attempts + 1), measured[0], ".", color=plot.COLOURS["blue"])
    one.plot(best + 1, measured[0, best], "o", ms=9, color=plot.COLOURS["vermilion"], label="the one that you keep")
    one.axhline(accuracy, color="0.4", lw=1, ls=":", label="true accuracy of all")
    one.set(xlabel="attempt", ylabel="accuracy where you choose (%)", title="one project")
    one.legend(fontsize=8)
    many.hist(measured.max(axis=1), 30, color=plot.COLOURS["vermilion"], alpha=0.7)
    many.axvline(accuracy, color="0.4", lw=1, ls=":")
    many.set(xlabel="accuracy of the best attempt (%)", yticks=[])
    many.set_title(f"the best looks {measured.max(axis=1).mean() - accuracy:+.1f} points better than it is")
