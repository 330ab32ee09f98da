"""Explorers of the lesson on architectures."""

import functools

import numpy as np

from course_lib import data, plot, results
from course_lib.explorers import Explorer, choice, slider
from course_lib.lessons.architectures.model import FOUR, paths

CHANNELS = 16  # in and out of every layer of the receptive-field explorer
SHARE = 0.9  # of the paths that the "effective" field holds

GROUPS = {
    "the four networks": FOUR,
    "AlexNet: ReLU and dropout": ["AlexNet", "AlexNet, tanh", "AlexNet, no dropout"],
    "VGG: small kernels": ["VGG", "VGG, one 5×5"],
    "ResNet: the identity": ["ResNet", "ResNet, no identity"],
}
SIZES = {"thousand parameters": ("parameters", 1e3), "million multiply-adds per image": ("multiply_adds", 1e6)}


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
        "holds nine tenths of the paths from pixels to this output. Right: what the stack costs, beside one kernel as "
        "large as the field.",
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
def _stored():
    return results.load("architectures/budget")


def at_equal_time(network, seconds):
    """Test accuracy of each stored seed of `network` after its last epoch within `seconds` of processor time (NaN: none)."""
    reached = []
    for run in _stored().values():
        epochs = [point["test"] for point in run[network]["curve"] if point["seconds"] <= seconds]
        reached.append(epochs[-1] if epochs else np.nan)
    return np.array(reached)


def equal_time() -> Explorer:
    """Stored runs: accuracy of the networks after the same processor time, against their size."""
    curves = [row["curve"] for run in _stored().values() for row in run.values()]
    last = int(np.ceil(max(point["seconds"] for curve in curves for point in curve)))
    return Explorer(
        _draw_equal_time,
        {
            "group": choice("Compare", GROUPS),
            "size": choice("Size in", SIZES, "million multiply-adds per image"),
            "seconds": slider("Processor seconds", 2, last, last),
        },
        alt="Left: test accuracy rising with processor seconds, one colour for each network. Right: the accuracy reached, "
        "over the size of the network.",
        caption="Stored runs on simulated brain lesions. Left: one line for each seed. Right: what each seed has reached by "
        "the dashed line, over the network's size.",
        size=(10, 4),
    )


def _draw_equal_time(figure, group, size, seconds):
    curves, dots = figure.subplots(1, 2, width_ratios=[1.4, 1], sharey=True)
    names = list(plot.COLOURS)
    markers = "osD^"
    for place, network in enumerate(GROUPS[group]):
        colour = plot.COLOURS[names[place]]
        for n, run in enumerate(_stored().values()):
            x, y = zip(*[(point["seconds"], point["test"]) for point in run[network]["curve"]], strict=True)
            curves.plot(x, y, color=colour, lw=1.2, marker=markers[place], ms=3, label=None if n else network)
        reached = at_equal_time(network, seconds)
        key, unit = SIZES[size]
        x = [run[network][key] / unit for run in _stored().values()]
        dots.plot(x, reached, markers[place], color=colour, ms=6, alpha=0.8)
    for ax in (curves, dots):
        ax.axhline(0.25, color="0.6", lw=1, ls=":")
    curves.axvline(seconds, color="0.3", lw=1, ls="--")
    curves.set(xlabel="processor seconds of training", ylabel="test accuracy", ylim=(0.15, 1))
    curves.legend(loc="upper left", fontsize=9)
    dots.set(xlabel=size, title=f"after {seconds} processor seconds")
    dots.set_xlim(0, 1.15 * dots.dataLim.x1)
