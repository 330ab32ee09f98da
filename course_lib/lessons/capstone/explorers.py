"""Explorers of the lesson on capstone: a project on chest X-rays."""

import numpy as np

from course_lib import plot
from course_lib.explorers import Explorer, choice, slider


def best_of_many() -> Explorer:
    """Attempts that are all equally good: which accuracy does the best of them show?"""
    return Explorer(
        _draw_best_of_many,
        {
            "attempts": slider("Attempts that you made", 1, 100, 20),
            "accuracy": slider("True accuracy of each of them (%)", 60.0, 99.0, 90.0, step=0.5),
            "images": choice("Images on which you choose", ["100", "500", "2000"], "500"),
            "differ": slider("Images that are a throw of its own (%)", 5, 100, 50, step=5),
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
