"""Explorers of the lesson on training well."""

import functools
import math

import numpy as np

from course_lib import plot
from course_lib.explorers import Explorer, choice, slider
from course_lib.lessons.training_well.model import comparison, learning_rates

OPTIMISERS = {"SGD": "sgd", "SGD with momentum 0.9": "momentum", "Adam": "adam"}
SCHEDULES = ["constant", "warm-up"]
CLASSES = 4


@functools.cache
def _sweep(optimiser):
    """The stored runs of one optimiser."""
    return comparison(f"sweep_{optimiser}")


def stored_runs() -> Explorer:
    """The sweep over optimiser, learning rate and schedule: nothing is trained when a control moves."""
    return Explorer(
        _draw_stored_runs,
        {
            "optimiser": choice("Optimiser", OPTIMISERS, "SGD with momentum 0.9"),
            "schedule": choice("Schedule", SCHEDULES, "warm-up"),
            "place": slider("Learning rate, from small to large", 1, 5, 4),
        },
        alt="Three panels: the learning rate over the steps; training and validation loss over the epochs for two seeds; "
        "the final validation accuracy over the learning rate, one line for each schedule, the chosen run marked.",
        caption="Stored runs, two seeds each. Left: the schedule. Middle: solid, training loss; dashed, validation loss; "
        "dotted, the loss of knowing nothing. Right: validation accuracy at the end, the chosen setting ringed.",
        size=(10.5, 3.7),
    )


def _draw_stored_runs(figure, optimiser, schedule, place):
    arms = _sweep(OPTIMISERS[optimiser])
    candidate = arms[schedule]["candidates"][place - 1]
    setting, runs = candidate["setting"], candidate["runs"]
    left, middle, right = figure.subplots(1, 3, width_ratios=[0.8, 1.2, 1.2])

    steps = setting["epochs"] * math.ceil(4 * setting["patients"] / setting["batch"])
    left.plot(np.arange(steps), learning_rates(schedule, setting["rate"], steps), color="black")
    left.set(xlabel="step", ylim=(0, 1.08 * setting["rate"]), title=f"learning rate, peak {setting['rate']:g}")

    epochs = np.arange(1, setting["epochs"] + 1)
    for run, colour in zip(runs, ("blue", "orange"), strict=True):
        for name, style in (("loss", "-"), ("val_loss", "--")):
            values = np.array(run[name], dtype=float)  # None, where a run broke down, becomes NaN
            middle.plot(epochs, values, style, color=plot.COLOURS[colour], lw=1.5)
    middle.axhline(np.log(CLASSES), color="0.5", lw=1, ls=":")
    middle.set(xlabel="epoch", ylim=(0, 2.4), title="loss (above 2.4 is cut off)")

    for name, marker in zip(SCHEDULES, "os", strict=True):
        rates = [each["setting"]["rate"] for each in arms[name]["candidates"]]
        ends = [[run["val_end"] for run in each["runs"]] for each in arms[name]["candidates"]]
        right.plot(rates, np.mean(ends, axis=1), marker + "-", ms=4, lw=1.2, label=name)
    mean = np.mean([run["val_end"] for run in runs])
    right.plot(setting["rate"], mean, "o", ms=13, mfc="none", color=plot.COLOURS["vermilion"], mew=2)
    right.axhline(1 / CLASSES, color="0.5", lw=1, ls=":")
    right.set(xscale="log", xlabel="peak learning rate", ylim=(0.2, 0.6), title=f"validation accuracy: {mean:.2f}")
    right.legend(fontsize=8, loc="upper left")


LAYER_MEAN, LAYER_STD = 5.0, 3.0  # of the numbers that reach the batch-norm layer in the explorer below


def batch_norm_memory() -> Explorer:
    """How long a batch-norm layer remembers where it started, and what that does to its output in use."""
    return Explorer(
        _draw_batch_norm_memory,
        {
            "momentum": choice("Momentum", ["0.5", "0.9", "0.97", "0.99", "0.999"], "0.99"),
            "steps": slider("Steps per epoch", 1, 100, 4),
            "epochs": slider("Epochs trained", 1, 20, 8),
        },
        alt="Left: running mean and running standard deviation over the epochs, climbing towards dashed true values. "
        "Right: the bell curve of the layer's output in training, and in use, where it is shifted and too wide.",
        caption="A batch-norm layer whose inputs have mean 5 and standard deviation 3 (made-up numbers, no noise). Left: "
        "what it has stored. Right: what it hands on while training, and in use.",
        size=(9.5, 3.5),
    )


def _draw_batch_norm_memory(figure, momentum, steps, epochs):
    forgotten = 1 - float(momentum) ** (steps * np.linspace(0, 20, 401))  # share of the start that is gone
    mean = forgotten * LAYER_MEAN
    std = np.sqrt((1 - forgotten) + forgotten * LAYER_STD**2)
    now = np.searchsorted(np.linspace(0, 20, 401), epochs)
    left, right = figure.subplots(1, 2)
    for values, goal, name, colour in (
        (mean, LAYER_MEAN, "running mean", "blue"),
        (std, LAYER_STD, "√ running variance", "orange"),
    ):
        left.plot(np.linspace(0, 20, 401), values, color=plot.COLOURS[colour], label=name)
        left.axhline(goal, color=plot.COLOURS[colour], lw=1, ls="--")
        left.plot(epochs, values[now], "o", color=plot.COLOURS[colour])
    left.set(
        xlabel="epoch",
        ylim=(0, 6.4),
        xticks=range(0, 21, 5),
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
