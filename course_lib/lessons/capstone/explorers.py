"""Explorers of the lesson on capstone: pneumonia on chest X-rays."""

import functools

import numpy as np

from course_lib import evaluate, plot, results
from course_lib.explorers import Explorer, choice, slider


@functools.cache
def _stored(change):
    """Truth (n,), score (n,) and frozen threshold: stored seed 0 on the development file's test part, so changed."""
    stored = _arrays()
    column = stored["changes"].tolist().index(change)
    return stored["ill"], stored["scores"][column].astype(float), float(stored["threshold"])


@functools.cache
def _arrays():
    return results.arrays("capstone/development", 0)


def frozen_threshold() -> Explorer:
    """A threshold that was frozen, and images that look different."""
    return Explorer(
        _draw_frozen_threshold,
        {
            "change": choice("How the images look", _arrays()["changes"].tolist()),
            "threshold": slider("Threshold", 0.0, 1.0, round(_stored("as taken")[2], 2), step=0.01),
            "prevalence": slider("Ill among those tested (%)", 5.0, 95.0, 62.5, step=0.5),
        },
        alt="Left, histograms of the scores of healthy and ill children, the threshold and the frozen one. Right, bars of "
        "sensitivity, specificity and accuracy, now and as taken at the frozen threshold.",
        caption="Stored scores of one seed (test part of the development file, real X-rays, not the official "
        "test split). Grey marks: the same images as taken, at the frozen threshold and the prevalence that you chose.",
        size=(10, 3.6),
    )


def _rates(truth, score, threshold, prevalence):
    alarm = score >= threshold
    sensitivity, specificity = alarm[truth].mean(), evaluate.specificity(truth, alarm)
    return sensitivity, specificity, prevalence * sensitivity + (1 - prevalence) * specificity


def _draw_frozen_threshold(figure, change, threshold, prevalence):
    truth, score, frozen = _stored(change)
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
    before = _rates(truth, _stored("as taken")[1], frozen, prevalence / 100)
    places = np.arange(3)
    bars.bar(places, now, 0.6, color=[plot.COLOURS[name] for name in ("orange", "sky", "blue")])
    bars.hlines(before, places - 0.38, places + 0.38, color="0.35", lw=2)
    for place, value in zip(places, now, strict=True):
        bars.text(place, 0.04, f"{value:.2f}", ha="center", fontweight="bold", in_layout=False)
    bars.set_xticks(places, ["sensitivity", "specificity", "accuracy"])
    bars.set(ylim=(0, 1.02), title=f"{prevalence:g} % are ill")


# ---- Is a gap in a table more than luck? -----------------------------------------------------------------------------


def gap_and_luck() -> Explorer:
    """Two accuracies, one number of test images: which order would other images give?"""
    return Explorer(
        _draw_gap_and_luck,
        {
            "first": slider("Accuracy of model A (%)", 80.0, 99.0, 85.4, step=0.1),
            "second": slider("Accuracy of model B (%)", 80.0, 99.0, 87.8, step=0.1),
            "images": choice("Test images", ["156", "624", "2500", "10000"], "624"),
        },
        alt="Left, two bell curves of accuracies that other test sets would give. Right, the curve of the difference, with "
        "the share of test sets in which A comes out ahead.",
        caption="Computed, with the normal approximation: both models are exactly as good as the sliders say, and each meets "
        "test images of its own. At first they stand at two rows of the published table; 624 is its number of images.",
        size=(10, 3.3),
    )


def _draw_gap_and_luck(figure, first, second, images):
    from scipy.stats import norm

    mean = np.array([first, second])
    spread = np.sqrt(mean * (100 - mean) / int(images))  # of a measured accuracy, in points
    gap = norm(second - first, np.hypot(*spread))
    measured, difference = figure.subplots(1, 2)
    for name, centre, width, colour in zip("AB", mean, spread, ("orange", "blue"), strict=True):
        x = centre + width * np.linspace(-4, 4, 161)
        density = np.exp(-(((x - centre) / width) ** 2) / 2)
        measured.fill_between(x, density, color=plot.COLOURS[colour], alpha=0.5, label=f"model {name}")
    low, high = mean[1] + 1.96 * spread[1] * np.array([-1, 1])
    measured.plot([low, high], [-0.06, -0.06], color=plot.COLOURS["blue"], lw=3)
    measured.set(xlabel="measured accuracy (%)", yticks=[], ylim=(-0.12, 1.3))
    measured.set_title(f"B: 95 % between {low:.1f} and {high:.1f}")
    measured.legend(loc="upper left", ncols=2, fontsize=9)

    x = gap.mean() + gap.std() * np.linspace(-4, 4, 401)
    density = gap.pdf(x) / gap.pdf(gap.mean())
    for side, colour, name in ((x >= 0, "blue", "B ahead"), (x <= 0, "orange", "A ahead")):
        difference.fill_between(x[side], density[side], color=plot.COLOURS[colour], alpha=0.5, label=name)
    difference.axvline(0, ymax=0.8, color="0.3", lw=1)
    difference.set(xlabel="measured B − A (points)", yticks=[], ylim=(-0.12, 1.3))
    difference.set_title(f"A comes out ahead in {gap.cdf(0):.0%} of the test sets")
    difference.legend(loc="upper left", ncols=2, fontsize=9)
