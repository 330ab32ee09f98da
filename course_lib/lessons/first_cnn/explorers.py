"""Explorers of the lesson on a first CNN in TensorFlow. Neither needs TensorFlow."""

import functools
from typing import NamedTuple

import ipywidgets as widgets
import numpy as np
from matplotlib.patches import Polygon

from course_lib import ops, plot, results
from course_lib.explorers import Explorer, choice, slider
from course_lib.lessons.first_cnn.model import FLATTEN, GAP, SMALL, STACKS, network_layers

# ---- A calculator of networks --------------------------------------------------------------------


def network_calculator() -> Explorer:
    """Shapes and parameters of a network like the article's, layer by layer."""

    def steps(label, options, value):
        return widgets.SelectionSlider(
            description=label,
            options=options,
            value=value,
            style={"description_width": "initial"},
            layout={"width": "340px"},
        )

    return Explorer(
        _draw_network_calculator,
        {
            "size": steps("Image size (pixels)", [32, 64, 96, 128, 160, 224], 128),
            "c_in": steps("Channels of the image", [1, 3], 3),
            "blocks": slider("Blocks (convolution + pooling)", 1, 4, 2),
            "filters": steps("Kernels in the first block", [8, 16, 32, 64], 32),
            "kernel": steps("Kernel size", [3, 5, 7], 3),
            "padding": choice("Padding", ["valid", "same"]),
            "head": choice("Head", [FLATTEN, GAP]),
            "classes": slider("Classes", 2, 10, 10),
        },
        alt="A row of boxes that shrink from the input to the last pooling and become deeper, then a vector and the "
        "outputs; below each its number of parameters as a bar.",
        caption="A network like the article's, drawn to scale: of the boxes, height is pixels and thickness is channels "
        "(both as square roots); a vector's length is its number of values, on a scale of its own. Below, the share of all "
        "parameters that sits in each layer.",
        size=(11, 4.6),
    )


def _draw_network_calculator(figure, **settings):
    layers = network_layers(**settings)
    total = sum(layer.parameters for layer in layers)
    work = sum(layer.multiplications for layer in layers)
    drawing, bars = figure.subplots(2, 1, height_ratios=[1.9, 1], sharex=True)
    for x, layer in enumerate(layers):
        _draw_box(drawing, x, layer.shape, layer.name)
        text = "×".join(f"{n:,}" for n in layer.shape)
        drawing.text(x, -0.1, f"{layer.name}\n{text}", ha="center", va="top", fontsize=8.5, in_layout=False)
    drawing.set(xlim=(-0.5, len(layers) - 0.5), ylim=(-0.4, 1.1), yticks=[])
    drawing.tick_params(bottom=False, labelbottom=False)
    drawing.spines[:].set_visible(False)
    drawing.set_title(f"{total:,} parameters; {work / 1e6:,.1f} million multiplications an image")

    shares = [layer.parameters / total for layer in layers]
    colours = [plot.COLOURS["vermilion" if layer.name == "dense" else "blue"] for layer in layers]
    bars.bar(range(len(layers)), shares, width=0.5, color=colours)
    for x, (layer, share) in enumerate(zip(layers, shares, strict=True)):
        text = f"{layer.parameters:,}\n{share:.1%}" if layer.parameters else "0"
        bars.text(x, share + 0.03, text, ha="center", va="bottom", fontsize=8.5, in_layout=False)
    bars.set(ylim=(0, 1.45), yticks=[0, 0.5, 1], xticks=[], ylabel="share of parameters")
    bars.set_yticklabels(["0", "50 %", "100 %"])


def _draw_box(ax, x, shape, name):
    """Feature maps as a box in a slanted view, a vector as a bar."""
    if len(shape) == 1:
        height = min(1.0, np.sqrt(shape[0]) / np.sqrt(60_000))
        ax.bar(x, max(height, 0.06), width=0.1, color=plot.COLOURS["vermilion" if name == "dense" else "orange"])
        return
    height = np.sqrt(shape[0] / 224)
    width, depth = 0.30 * height, 0.022 * np.sqrt(shape[2])  # the front is seen from the side
    left, slant = x - (width + depth) / 2, 0.25 * height
    front = np.array([(0, 0), (width, slant), (width, slant + height), (0, height)]) * [1, 0.8] + [left, 0]
    back = [depth, 0]
    colour = plot.COLOURS["sky"] if name.startswith("conv") else "0.8"
    sides = [front, [front[3], front[2], front[2] + back, front[3] + back]]
    sides.append([front[1], front[2], front[2] + back, front[1] + back])
    for corners in reversed(sides):
        ax.add_patch(Polygon(np.array(corners), closed=True, fc=colour, ec="0.25", lw=0.8))


# ---- Feature maps ----------------------------------------------------------------------------------


class _Step(NamedTuple):
    """A layer of a stored network, and what one of its values sees of the image along one axis."""

    name: str
    maps: np.ndarray  # (h, w, c)
    field: int  # receptive field in pixels
    jump: int  # pixels between the fields of neighbours
    start: int  # first pixel of the first field; negative where padding is


@functools.cache
def _stored():
    """Slices, class names and the training images' mean and deviation, and the weights of both networks by name."""
    weights = {name: results.weights("first_cnn/networks", 0, network=name) for name in STACKS}
    return results.arrays("first_cnn/networks", 0) | weights


@functools.cache
def _forward(model, place):
    """All layers' feature maps for one stored slice, and the probabilities of the classes."""
    stored = _stored()
    weights = stored[model]
    x = stored["images"][place][None, :, :, None] / np.float32(255)
    if model == SMALL:
        x = (x - stored["mean"]) / stored["std"]
    steps, field, jump, start, numbers = [], 1, 1, 0, {"conv": 0, "pool": 0}
    for what, window, stride, padding in STACKS[model]:
        size = x.shape[1]
        if what == "conv":
            w, b, *weights = weights
            x = ops.relu(ops.conv2d(x, w, b, stride=stride, padding=padding))
        else:
            x = ops.pool2d(x, window)
        before = max((x.shape[1] - 1) * stride + window - size, 0) // 2
        start -= before * jump
        field += (window - 1) * jump
        jump *= stride
        numbers[what] += 1
        steps.append(_Step(f"{what} {numbers[what]}", x[0], field, jump, start))
    head = x.mean(axis=(1, 2)) if model == SMALL else x.reshape(1, -1)
    return steps, ops.softmax(head @ weights[0] + weights[1])[0]


def feature_maps() -> Explorer:
    """What every layer of two stored networks makes of a test slice."""
    stored = _stored()
    names = [str(name) for name in stored["class_names"]]
    slices = [f"{i + 1}: {names[label]}" for i, label in enumerate(stored["labels"])]
    layers = [f"{model}, {step.name}" for model in STACKS for step in _forward(model, 0)[0]]
    return Explorer(
        _draw_feature_maps,
        {
            "slice_": choice("Slice", slices, slices[4]),
            "layer": widgets.SelectionSlider(
                description="Layer",
                options=layers,
                value=f"{SMALL}, conv 3",
                style={"description_width": "initial"},
                layout={"width": "400px"},
            ),
            "number": slider("Feature map", 1, 64, 20),
        },
        alt="Four panels: a brain slice with a frame; all feature maps of one layer as tiles; one of them enlarged; "
        "the probabilities of the classes as bars.",
        caption="What a layer makes of a test slice (lesions simulated; stored weights). The orange frame in the slice is "
        "all that the map's strongest value, marked in the third panel, can see.",
        size=(11, 3.7),
    )


def _draw_feature_maps(figure, slice_, layer, number):
    place = int(slice_.split(":")[0]) - 1
    model, name = layer.split(", ")
    steps, probabilities = _forward(model, place)
    step = next(step for step in steps if step.name == name)
    height, width, c = step.maps.shape
    number = min(number, c)
    chosen = step.maps[:, :, number - 1]
    row, column = np.unravel_index(chosen.argmax(), chosen.shape)

    picture, tiles, large, bars = figure.subplots(1, 4, width_ratios=[1, 1.25, 1, 0.95])
    stored = _stored()
    plot.image(picture, stored["images"][place], f"slice {slice_}\nframe: {step.field}×{step.field} pixels")
    top, left = step.start + row * step.jump, step.start + column * step.jump
    picture.add_patch(plot.frame(top, left, step.field, step.field, "orange"))
    picture.set(xlim=(-0.5, 63.5), ylim=(63.5, -0.5))
    picture.patches[-1].set_clip_on(True)

    columns = int(np.ceil(np.sqrt(c)))
    grid = np.full((-(-c // columns) * (height + 1), columns * (width + 1)), np.nan)
    for i in range(c):
        tile_row, tile_column = divmod(i, columns)
        corner = tile_row * (height + 1), tile_column * (width + 1)
        grid[corner[0] : corner[0] + height, corner[1] : corner[1] + width] = step.maps[:, :, i]
        if i == number - 1:
            tiles.add_patch(plot.frame(*corner, height, width, "orange"))
    plot.image(tiles, grid[:-1, :-1], f"{layer}\n{c} maps of {height}×{width}")
    plot.image(large, chosen, f"map {number}\nlargest value {chosen.max():.2f}", window=(0, max(chosen.max(), 1e-6)))
    large.plot(column, row, "x", color=plot.COLOURS["orange"], ms=9, mew=2)
    names = [str(text) for text in stored["class_names"]]
    colours = [plot.COLOURS["blue"] if i == stored["labels"][place] else "0.6" for i in range(len(names))]
    bars.barh(range(len(names)), probabilities, height=0.3, color=colours)
    for i, (text, probability) in enumerate(zip(names, probabilities, strict=True)):
        bars.text(0.01, i - 0.22, f"{text} {probability:.2f}", fontsize=9, va="bottom", in_layout=False)
    bars.set(xlim=(0, 1), yticks=[], xlabel="probability", title="blue: the true class")
    bars.set_ylim(len(names) - 0.6, -0.7)
