"""Explorers of the lesson on training well."""

import functools

import numpy as np

from course_lib import plot, results
from course_lib.explorers import Explorer, choice, slider
from course_lib.lessons.training_well.model import final, learning_rates, rates_of

OPTIMISERS = {"SGD": "SGD", "SGD with momentum 0.9": "momentum", "Adam": "Adam"}
SCHEDULES = ["constant", "warm-up"]
CLASSES, STEPS = 4, 3000  # of the stored runs: 20 epochs of 150


@functools.cache
def _runs(optimiser, schedule):
    """The stored runs of one arm: {rate: the runs of all seeds}."""
    name = f"{OPTIMISERS[optimiser]}, {schedule}"
    stored = results.load("training_well/rates").values()
    return {rate: [each[name][f"{rate:g}"] for each in stored] for rate in rates_of(name)}


def stored_runs() -> Explorer:
    """The sweep over optimiser, learning rate and schedule: nothing is trained when a control moves."""
    return Explorer(
        _draw_stored_runs,
        {
            "optimiser": choice("Optimiser", OPTIMISERS, "SGD with momentum 0.9"),
            "schedule": choice("Schedule", SCHEDULES, "warm-up"),
            "place": slider("Learning rate, from small to large", 1, 6, 4),
        },
        alt="Four panels: the learning rate over the steps; training and validation loss over the epochs for two seeds; "
        "training and validation accuracy likewise; the final validation accuracy over the learning rate, one line for "
        "each schedule, the chosen run marked.",
        caption="Stored runs, two sets of simulated patients each. Left: the schedule. Middle: solid, training slices; dashed, "
        "validation slices, both after each epoch, in use; dotted, what knowing nothing gives. A curve ends where its loss "
        "is NaN. Right: validation accuracy at the end, the chosen setting ringed.",
        size=(12, 3.4),
    )


def _draw_stored_runs(figure, optimiser, schedule, place):
    every = _runs(optimiser, schedule)
    rate = list(every)[place - 1]
    left, middle, third, right = figure.subplots(1, 4, width_ratios=[0.8, 1.1, 1.1, 1.2])
    left.plot(np.arange(STEPS), learning_rates(schedule, rate, STEPS), color="black")
    left.set(xlabel="step", ylim=(0, 1.08 * rate), xticks=[0, 1500, 3000], title=f"learning rate, peak {rate:g}")

    for run, colour in zip(every[rate], ("blue", "orange"), strict=True):
        for part, style in (("train", "-"), ("val", "--")):
            loss, accuracy = np.array(run[part], dtype=float).T  # None, where a run broke down, becomes NaN
            epochs = np.arange(1, len(loss) + 1)
            middle.plot(epochs, loss, style, color=plot.COLOURS[colour], lw=1.4)
            third.plot(epochs, np.where(np.isnan(loss), np.nan, accuracy), style, color=plot.COLOURS[colour], lw=1.4)
    if all(run[part][0][0] is None for run in every[rate] for part in ("train", "val")):  # not a single point to draw
        for ax in (middle, third):
            ax.set_xlim(0, len(every[rate][0]["train"]) + 1)
            ax.text(0.5, 0.75, "the loss is NaN\nfrom the first epoch on", transform=ax.transAxes, ha="center")
    middle.axhline(np.log(CLASSES), color="0.5", lw=1, ls=":")
    middle.set(xlabel="epoch", ylim=(0, 2.4), title="loss (cut off at 2.4)")
    third.axhline(1 / CLASSES, color="0.5", lw=1, ls=":")
    third.set(xlabel="epoch", ylim=(0.2, 1.02), title="accuracy")

    for name, marker in zip(SCHEDULES, "os", strict=True):
        arm = _runs(optimiser, name)
        ends = [np.mean([final(run)["val"][1] for run in runs]) for runs in arm.values()]
        right.plot(list(arm), ends, marker + "-", ms=4, lw=1.2, label=name.replace("up", "up, cosine"))
    mean = np.mean([final(run)["val"][1] for run in every[rate]])
    right.plot(rate, mean, "o", ms=13, mfc="none", color=plot.COLOURS["vermilion"], mew=2)
    right.axhline(1 / CLASSES, color="0.5", lw=1, ls=":")
    right.set(xscale="log", xlabel="peak learning rate", ylim=(0.2, 0.9), title=f"validation accuracy: {mean:.2f}")
    right.legend(fontsize=8, loc="lower left")


EPOCHS = np.linspace(0, 80, 1601)
LAYER_MEAN, LAYER_STD = 5.0, 3.0  # of the numbers that reach the batch-norm layer in the explorer below


def batch_norm_memory() -> Explorer:
    """How long a batch-norm layer remembers where it started, and what that does to its output in use."""
    return Explorer(
        _draw_batch_norm_memory,
        {
            "momentum": choice("Momentum", ["0.5", "0.9", "0.97", "0.99", "0.999"], "0.99"),
            "steps": slider("Steps per epoch", 1, 100, 4),
            "epochs": slider("Epochs trained", 1, 80, 8),
        },
        alt="Left: running mean and running standard deviation over the epochs, climbing towards dashed true values. "
        "Right: the bell curve of the layer's output in training, and in use, where it is shifted and too wide.",
        caption="A batch-norm layer whose inputs have mean 5 and standard deviation 3 (made-up numbers, no noise). Left: "
        "what it has stored. Right: what it hands on while training, and in use.",
        size=(9.5, 3.5),
    )


def _draw_batch_norm_memory(figure, momentum, steps, epochs):
    forgotten = 1 - float(momentum) ** (steps * EPOCHS)  # share of the start that is gone
    mean = forgotten * LAYER_MEAN
    std = np.sqrt((1 - forgotten) + forgotten * LAYER_STD**2)
    now = np.searchsorted(EPOCHS, epochs)
    left, right = figure.subplots(1, 2)
    for values, goal, name, colour in (
        (mean, LAYER_MEAN, "running mean", "blue"),
        (std, LAYER_STD, "√ running variance", "orange"),
    ):
        left.plot(EPOCHS, values, color=plot.COLOURS[colour], label=name)
        left.axhline(goal, color=plot.COLOURS[colour], lw=1, ls="--")
        left.plot(epochs, values[now], "o", color=plot.COLOURS[colour])
    left.set(
        xlabel="epoch",
        ylim=(0, 6.4),
        xticks=range(0, 81, 20),
        title=f"{1 - forgotten[now]:.0%} of the start value is still there",
    )
    left.legend(loc="upper left", fontsize=8, ncols=2)

    output = np.linspace(-6, 16, 400)
    shift, width = (LAYER_MEAN - mean[now]) / std[now], LAYER_STD / std[now]
    for centre, spread, name, style in ((0, 1, "while training", "-"), (shift, width, "in use", "--")):
        density = np.exp(-(((output - centre) / spread) ** 2) / 2) / (spread * np.sqrt(2 * np.pi))
        right.plot(output, density, style, label=name)
    right.set(
        xlabel="output of the layer", yticks=[], ylim=(0, 0.46), title=f"in use: mean {shift:.1f}, width {width:.1f}"
    )
    right.legend(loc="upper right", fontsize=8)
