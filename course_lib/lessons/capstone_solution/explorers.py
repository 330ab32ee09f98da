"""Explorers of the lesson on capstone_solution: one road through the capstone."""

import functools

import numpy as np

from course_lib import evaluate, plot, results
from course_lib.explorers import Explorer, choice, slider
from course_lib.lessons.capstone import model as project
from course_lib.lessons.capstone_solution import model as lesson

NETWORKS = ("the recipe", "the article's network")


@functools.cache
def _stored(network, change):
    """Truth (n,) and score (n,) of a network's seed 0 on test images so changed, and its threshold, frozen on validation."""
    path, arm = ("capstone_solution/recipe", "") if network == NETWORKS[0] else (project.STORED, " article")
    stored = results.arrays(path, 0)
    frozen = evaluate.operating_point(
        stored["val_ill"], stored[f"val{arm}"].astype(float), sensitivity=lesson.SENSITIVITY
    )
    place = list(project.CHANGES).index(change)
    return stored["test_ill"], stored["changed"][place].astype(float), float(frozen)


def frozen_threshold() -> Explorer:
    """A threshold that was frozen, and images that look different."""
    return Explorer(
        _draw_frozen_threshold,
        {
            "network": choice("Network", NETWORKS),
            "change": choice("How the images look", list(project.CHANGES)),
            "shift": slider("Threshold, moved by", -0.6, 0.6, 0.0, step=0.01),
            "prevalence": slider("Ill among those tested (%)", 5.0, 95.0, 62.5, step=0.5),
        },
        alt="Left, histograms of the scores of healthy and ill children, the threshold and the frozen one. Right, bars of "
        "sensitivity, specificity and accuracy, now and as taken at the frozen threshold.",
        caption="Stored scores of seed 0 (test part of the development file, real X-rays, not the official test split). Grey "
        "marks: the same images as taken, at the frozen threshold and the prevalence that you chose.",
        size=(10, 3.6),
    )


def _rates(truth, score, threshold, prevalence):
    alarm = score >= threshold
    sensitivity, specificity = alarm[truth].mean(), evaluate.specificity(truth, alarm)
    return sensitivity, specificity, prevalence * sensitivity + (1 - prevalence) * specificity


def _draw_frozen_threshold(figure, network, change, shift, prevalence):
    truth, score, frozen = _stored(network, change)
    threshold = float(np.clip(frozen + shift, 0, 1))
    scores, bars = figure.subplots(1, 2, width_ratios=[1.5, 1])
    for group, name, colour in ((~truth, "normal", "sky"), (truth, "pneumonia", "orange")):
        count, edges = np.histogram(score[group], 25, (0, 1))
        scores.stairs(count / group.sum(), edges, fill=True, color=plot.COLOURS[colour], alpha=0.65, label=name)
    scores.axvline(frozen, color="0.5", ls=":", label="frozen threshold")
    scores.axvline(threshold, color="black", lw=1.5, label="threshold")
    scores.set(xlim=(-0.02, 1.02), ylim=(0, 1), xlabel="probability of pneumonia", ylabel="share of the images")
    scores.set_title(f"images: {change}")
    scores.legend(fontsize=8, loc="upper center")

    now = _rates(truth, score, threshold, prevalence / 100)
    before = _rates(*_stored(network, "as taken"), prevalence / 100)
    places = np.arange(3)
    bars.bar(places, now, 0.6, color=[plot.COLOURS[name] for name in ("orange", "sky", "blue")])
    bars.hlines(before, places - 0.38, places + 0.38, color="0.35", lw=2)
    for place, value in zip(places, now, strict=True):
        bars.text(place, 0.04, f"{value:.2f}", ha="center", fontweight="bold", in_layout=False)
    bars.set_xticks(places, ["sensitivity", "specificity", "accuracy"])
    bars.set(ylim=(0, 1.02), title=f"{prevalence:g} % are ill")


# ---- Is a gap in a table more than luck? ----


def gap_and_pairs() -> Explorer:
    """Two accuracies on the same images: is the gap more than luck?"""
    return Explorer(
        _draw_gap_and_pairs,
        {
            "first": slider("Accuracy of model A (%)", 80.0, 99.0, 85.4, step=0.1),
            "second": slider("Accuracy of model B (%)", 80.0, 99.0, 87.8, step=0.1),
            "differ": slider("Only one of the two is right (% of images)", 0.0, 30.0, 10.0, step=0.5),
            "images": choice("Test images", ["156", "624", "2500", "10000"], "624"),
        },
        alt="Left, four bars of the images: both right, only A or only B right, both wrong. Right, the measured difference with "
        "its interval for paired images and for two test sets.",
        caption="Computed, with the normal approximation. At first A and B stand at two rows of the published table, which has 624 "
        "images; on how many of them only one of the two is right, the table does not say. A share that two accuracies do not allow is moved to the nearest one.",
        size=(10, 3.3),
    )


def _draw_gap_and_pairs(figure, first, second, differ, images):
    gap = second - first
    differ = float(np.clip(differ, abs(gap), 200 - first - second))  # what these two accuracies allow
    only_b, only_a = (differ + gap) / 2, (differ - gap) / 2
    counts, difference = figure.subplots(1, 2, width_ratios=[1, 1.4])
    shares = {
        "both right": second - only_b,
        "only A right": only_a,
        "only B right": only_b,
        "both wrong": 100 - second - only_a,
    }
    colours = ("green", "orange", "blue", "grey")
    for place, (value, colour) in enumerate(zip(shares.values(), colours, strict=True)):
        counts.barh(place, value, color=plot.COLOURS[colour])
        counts.text(value + 1, place, f"{value:.1f} %", va="center", fontsize=9)
    counts.set_yticks(range(4), list(shares))
    counts.invert_yaxis()
    counts.set(xlim=(0, 118), xlabel="share of the images (%)")

    paired = 1.96 * np.sqrt((differ / 100 - (gap / 100) ** 2) / int(images)) * 100
    apart = 1.96 * np.sqrt((first * (100 - first) + second * (100 - second)) / int(images))
    for place, (name, width, colour) in enumerate(
        (("the same images, paired", paired, "blue"), ("two test sets", apart, "grey"))
    ):
        difference.errorbar(gap, place, xerr=width, fmt="o", capsize=4, color=plot.COLOURS[colour])
        difference.text(
            gap, place + 0.18, f"{gap:+.1f} ({gap - width:+.1f} to {gap + width:+.1f})", ha="center", fontsize=9
        )
        difference.text(0.01, place - 0.2, name, transform=difference.get_yaxis_transform(), fontsize=9)
    difference.axvline(0, color="0.4", lw=1, ls=":")
    reach = 1.15 * max(abs(gap) + apart, 2)
    difference.set_title(f"only one of the two is right on {differ:.1f} % of the images", fontsize=10)
    difference.set(xlim=(-reach, reach), ylim=(-0.5, 1.6), yticks=[], xlabel="accuracy of B minus A (points), 95 %")
