"""Explorers of the lesson on architectures."""

import functools

import numpy as np

from course_lib import data, plot
from course_lib.explorers import Explorer, choice, slider
from course_lib.lessons.architectures.model import CHANGES, DEPTHS, FOUR, best_rate, on_validation, paths

CHANNELS = 16  # in and out of every layer of the receptive-field explorer
SHARE = 0.9  # of the paths that the "effective" field holds

GROUPS = {
    "the four networks": ("rates", FOUR),
    "AlexNet: ReLU and dropout": ("rates", ["AlexNet", "AlexNet, tanh", "AlexNet, no dropout"]),
    "ResNet and VGG: one part changed": ("rates", ["VGG", "VGG, one 5×5", "ResNet", "ResNet, no identity"]),
    "three convolutions, one change": ("change_rates", list(CHANGES)),
    "plain and residual, 8 and 20 layers": ("depth_rates", list(DEPTHS)),
}
COMMON = ["0.001", "0.003", "0.01"]  # learning rates that stand in every list
LOOKS = [*zip(["blue", "orange", "green", "vermilion", "purple", "black", "sky"], "osD^vPX", strict=True)]


def receptive_field() -> Explorer:
    """What a stack of equal layers sees of a real image, how strongly, and at what cost."""
    return Explorer(
        _draw_receptive_field,
        {
            "layers": slider("Layers", 1, 6, 4),
            "kernel": slider("Kernel size", 1, 7, 3, step=2),
            "stride": slider("Stride of every layer", 1, 2, 1),
            "dilation": slider("Dilation of every layer", 1, 4, 1),
        },
        alt="Left: a CT with a frame around the pixels that one output sees, and an orange spot where it looks most. "
        "Middle: the number of paths from each pixel, a bell. Right: bars, the cost of the stack and of one large kernel.",
        caption="One output of a stack of layers, on a real CT (pydicom). The frame is its receptive field, the dashed frame "
        "holds nine tenths of the paths from pixels to this output. Right: weights and work of the stack, beside those of one kernel "
        "as large as the field.",
        size=(10.5, 3.9),
    )


def effective_side(row):
    """Side of the smallest centred square that holds SHARE of the paths of a field with equal rows and columns."""
    middle = len(row) // 2
    reach = next(r for r in range(middle + 1) if (row[middle - r : middle + r + 1].sum() / row.sum()) ** 2 >= SHARE)
    return 2 * reach + 1


def cost(layers, kernel, stride, size):
    """Weights and multiply-adds of `layers` equal layers with CHANNELS channels on an image of `size` pixels a side."""
    sides = [-(-size // stride ** (layer + 1)) for layer in range(layers)]
    weights = kernel**2 * CHANNELS**2
    return layers * weights, weights * sum(side**2 for side in sides)


def _draw_receptive_field(figure, layers, kernel, stride, dilation):
    ct = data.sample("ct")
    size = ct.image.shape[0]
    row = paths(layers, kernel, stride, dilation)
    field, effective = len(row), effective_side(row)
    picture, profile, bars = figure.subplots(1, 3, width_ratios=[1.15, 1, 1])

    # The whole CT, or the part around the field where the field is small.
    view = min(size, max(64, 2 * field))
    half = view / 2
    plot.image(picture, ct.image, f"field {field} pixels = {field * ct.spacing[0]:.0f} mm", window=(-200, 1200))
    middle = size // 2
    spot = np.zeros((field, field, 4))
    spot[..., :3] = [0.9, 0.62, 0.0]
    spot[..., 3] = 0.75 * np.sqrt(np.outer(row, row)) / row.max()  # the root, so that the faint parts can be seen
    edge = middle - field // 2 - 0.5
    picture.imshow(spot, extent=(edge, edge + field, edge + field, edge))
    for side, style in [(field, "-"), (effective, "--")]:
        frame = plot.frame(middle - side // 2, middle - side // 2, side, side)
        frame.set(linestyle=style, linewidth=1.6, clip_on=True)
        picture.add_patch(frame)
    picture.set(xlim=(middle - half - 0.5, middle + half - 0.5), ylim=(middle + half - 0.5, middle - half - 0.5))

    edges = np.arange(field + 1) - field / 2
    profile.stairs(row / row.max(), edges, fill=True, color=plot.COLOURS["orange"])
    profile.axvspan(-effective / 2, effective / 2, color=plot.COLOURS["sky"], alpha=0.3, lw=0, zorder=0)
    reach = max(field // 2, 3) + 1
    profile.set(xlim=(-reach, reach), xlabel="pixels from the centre", ylabel="paths (largest = 1)")
    profile.set_title(f"{SHARE:.0%} of the paths: {effective} pixels")

    stack, single = cost(layers, kernel, stride, size), cost(1, field, stride**layers, size)
    places = np.arange(2)
    for offset, values, label, colour in [(-0.2, stack, "the stack", "blue"), (0.2, single, "one kernel", "grey")]:
        drawn = bars.bar(places + offset, values, 0.36, color=plot.COLOURS[colour], label=label)
        bars.bar_label(drawn, [_short(value) for value in values], fontsize=8)
    bars.set(yscale="log", ylim=(1e2, 1e12), xticks=places, xticklabels=["weights", "multiply-adds"])
    bars.minorticks_off()
    bars.set_title(f"cost with {CHANNELS} channels")
    bars.legend(loc="upper left")


def _short(value):
    for unit, name in [(1e9, " G"), (1e6, " M"), (1e3, " k")]:
        if value >= unit:
            return f"{value / unit:.3g}{name}"
    return f"{value:.3g}"


@functools.cache
def accuracies(group):
    """Validation accuracy of each network of a group at each rate that was tried: {network: {rate: accuracy}}."""
    run, names = GROUPS[group]
    return {name: on_validation(run, name) for name in names}


@functools.cache
def own_rates(group):
    """The rate that was chosen for each network of a group: {network: rate}."""
    run, names = GROUPS[group]
    return {name: best_rate(run, name) for name in names}


def ranking(group, rate=None):
    """(network, accuracy) from best to worst: at one common rate, or, with None, each at its own best rate."""
    own = own_rates(group)
    reached = {name: found[own[name] if rate is None else rate] for name, found in accuracies(group).items()}
    return sorted(reached.items(), key=lambda pair: -pair[1])


def fair_rates() -> Explorer:
    """Stored runs: who is ahead at one common learning rate, and who is if each network has its own."""
    return Explorer(
        _draw_fair_rates,
        {
            "group": choice("Compare", GROUPS),
            "rate": choice("Common learning rate", COMMON),
        },
        alt="Left: validation accuracy over the learning rate, a line for each network, a dashed line at the common rate. Right: "
        "two lists of the networks, ranked at the common rate and each at its own best rate, with lines that join equal names.",
        caption="Stored runs: accuracy on the slices of 600 validation patients (simulated), mean of two seeds. Left: a line for "
        "each network, its best rate ringed; dashed, the common rate; dotted, chance. Right: the order at the common rate, and "
        "the order when each network has its own best rate. Lines that cross are networks that change places.",
        size=(11, 4.2),
    )


def _draw_fair_rates(figure, group, rate):
    rate = float(rate)
    curves, order = figure.subplots(1, 2, width_ratios=[1.15, 1])
    own, every = own_rates(group), accuracies(group)
    looks = {name: (plot.COLOURS[colour], marker) for name, (colour, marker) in zip(every, LOOKS, strict=False)}
    for name, found in every.items():
        colour, marker = looks[name]
        curves.plot(list(found), list(found.values()), marker + "-", color=colour, ms=5, lw=1.4, label=name)
        curves.plot(own[name], found[own[name]], "o", ms=12, mfc="none", color=colour, mew=1.6)
    curves.axvline(rate, color="0.3", lw=1, ls="--")
    curves.axhline(0.25, color="0.5", lw=1, ls=":")
    curves.set(xscale="log", xlabel="learning rate", ylabel="validation accuracy", ylim=(0.2, 1.3))
    curves.set_yticks(np.arange(0.2, 1.01, 0.2))
    curves.legend(loc="upper left", fontsize=8, ncols=2, frameon=True, framealpha=1, edgecolor="none")

    places = [
        {name: (place, reached) for place, (name, reached) in enumerate(ranking(group, at))} for at in (rate, None)
    ]
    for name, (place, reached) in places[0].items():
        colour, marker = looks[name]
        there, best = places[1][name]
        order.plot([0, 1], [place, there], marker + "-", color=colour, ms=6, lw=1.6)
        order.text(-0.06, place, f"{name}  {reached:.2f}", ha="right", va="center", fontsize=9)
        order.text(1.06, there, f"{best:.2f}  {name}, {own[name]:g}", ha="left", va="center", fontsize=9)
    order.set(xlim=(-1.3, 2.3), ylim=(len(every) - 0.4, -0.9), xticks=[0, 1], yticks=[])
    order.set_xticklabels([f"all at {rate:g}", "each at its own"])
    order.spines[:].set_visible(False)
