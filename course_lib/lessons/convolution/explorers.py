"""Explorers of the lesson on convolution."""

import functools

import ipywidgets as widgets
import numpy as np
from matplotlib.collections import LineCollection

from course_lib import data, ops, plot
from course_lib.explorers import Explorer, choice, number, rows, slider, switch
from course_lib.lessons.convolution.model import KERNELS, PADDINGS

# How layers of the receptive-field explorer follow each other.
PLAIN, STRIDES, DILATIONS = "stride 1, no dilation", "stride 2 in every layer", "dilation 1, 2, 4, …"

_CELLS = [f"w{row}{column}" for row in range(3) for column in range(3)]
_IMAGES = {
    "edge, 5×5": lambda: np.tile([1.0, 1, 1, 9, 9], (5, 1)),
    "the article's 1…9": lambda: np.arange(1.0, 10).reshape(3, 3),
    "CT, vertebra": lambda: data.sample("ct").image,
    "MR": lambda: data.sample("mr").image,
}
_WINDOWS = {"CT, vertebra": (-160, 240), "MR": (0, 1)}  # soft tissue in Hounsfield units; the MR's own range
_STEPS = 25  # places of the window that the slider can reach


@functools.cache
def _pixels(image):
    return _IMAGES[image]()


def sliding_window() -> Explorer:
    """One window of a convolution: the products, their sum, and where the sum goes."""
    controls = {
        "image": choice("Image", _IMAGES),
        "padding": choice("Padding", ["none (valid)", *PADDINGS], "zero"),
        "stride": slider("Stride", 1, 3, 1),
        "dilation": slider("Dilation", 1, 2, 1),
        "place": slider("Place of the window", 0, _STEPS - 1, 3),
        "flip": switch("Flip the kernel (convolution in the mathematician's sense)"),
    }
    for name, weight in zip(_CELLS, np.ravel(KERNELS["vertical edges"]), strict=True):
        text = f"Kernel weight, row {int(name[1]) + 1}, column {int(name[2]) + 1}"
        controls[name] = number(text, -9, 9, weight, step=0.5)
    return Explorer(
        _draw_sliding_window,
        controls,
        alt="Three panels: an image with a framed 3×3 window; the nine products of pixels and weights; the output so far.",
        caption="One step of a convolution. Left: the image with its padding; the frame marks the window. Middle: each "
        "pixel times its weight. Right: their sum goes to the framed place of the output.",
        size=(10, 3.9),
        layout=_sliding_window_layout,
    )


def _sliding_window_layout(explorer):
    cells = [explorer.controls[name] for name in _CELLS]
    preset = choice("Kernel", [*KERNELS, "by hand"], "vertical edges")

    def use_preset(change):
        if change["new"] in KERNELS:
            weights = np.ravel(KERNELS[change["new"]])
            explorer.set(**dict(zip(_CELLS, map(float, weights), strict=True)))

    def name_kernel(_change):
        weights = [cell.value for cell in cells]
        names = [name for name, kernel in KERNELS.items() if np.allclose(np.ravel(kernel), weights)]
        preset.value = names[0] if names else "by hand"

    preset.observe(use_preset, names="value")
    for cell in cells:
        cell.observe(name_kernel, names="value")
    others = [control for name, control in explorer.controls.items() if name not in _CELLS]
    grid = widgets.GridBox(cells, layout={"grid_template_columns": "76px 76px 76px"})
    kernel = widgets.VBox([preset, grid], layout={"flex": "0 0 auto"})
    beside = rows(*others)
    beside.layout.flex = "1 1 344px"  # takes what is left of the page, but at least one control's width
    return rows(kernel, beside)


def _draw_sliding_window(figure, image, padding, stride, dilation, place, flip, **cells):
    pixels = _pixels(image)
    kernel = np.array([cells[name] for name in _CELLS]).reshape(3, 3)
    if padding in PADDINGS:
        pixels = np.pad(pixels, dilation, mode=PADDINGS[padding])
    # float64, so that the sum of the printed products is the printed number
    layer_input, layer_kernel = pixels.astype(np.float64)[None, :, :, None], kernel[:, :, None, None]
    output = ops.conv2d(layer_input, layer_kernel, stride=stride, dilation=dilation, flip=flip)[0, :, :, 0]

    small = pixels.size <= 100
    row, column = _place(place, output.shape)
    top, left, reach = row * stride, column * stride, 2 * dilation + 1
    window = pixels[top : top + reach : dilation, left : left + reach : dilation]
    weights = kernel[::-1, ::-1] if flip else kernel

    before, middle, after = figure.subplots(1, 3, width_ratios=[1.1, 1, 1.1])
    border = f", {dilation} padded" if padding in PADDINGS else ""
    size = " × ".join(map(str, pixels.shape))
    if small:
        plot.numbers(before, pixels, f"image{border}: {size}", highlight=[(top, left, reach, reach)])
    else:
        plot.image(before, pixels, f"image{border}: {size}", window=_WINDOWS[image])
        before.add_patch(plot.frame(top, left, reach, reach))
    plot.numbers(middle, window * weights + 0.0, f"pixel × weight\nsum = {output[row, column]:.4g}", format=".4g")
    for i, j in np.ndindex(3, 3):
        text = f"{window[i, j]:.4g} × {weights[i, j]:.2g}"
        middle.text(j, i + 0.33, text, ha="center", va="center", fontsize=7, color="0.35", in_layout=False)
    title = f"output: {' × '.join(map(str, output.shape))}, place ({row}, {column})"
    if small:
        so_far = np.where(
            np.arange(output.size).reshape(output.shape) <= row * output.shape[1] + column, output, np.nan
        )
        plot.numbers(after, so_far, title, format=".3g", highlight=[(row, column, 1, 1)])
    else:
        if np.isclose(kernel.sum(), 1):  # such a kernel keeps brightness, so its output is an image like its input
            plot.image(after, output, title, window=_WINDOWS[image])
        else:
            plot.signed(after, output, title, limit=np.quantile(np.abs(output), 0.99) or 1.0)
        after.add_patch(plot.frame(row - 1, column - 1, 3, 3))


def _place(step, shape):
    """The output's row and column at a step of the slider: each in turn on small outputs, a 5×5 grid on large ones."""
    rows_, columns = shape
    if rows_ * columns <= _STEPS:
        return divmod(min(step, rows_ * columns - 1), columns)
    i, j = divmod(step, 5)
    return i * (rows_ - 1) // 4, j * (columns - 1) // 4


def receptive_field() -> Explorer:
    """How far back one output can see, as layers are stacked."""
    return Explorer(
        _draw_receptive_field,
        {
            "layers": slider("Layers", 1, 4, 2),
            "kernel": slider("Kernel size", 3, 7, 3, step=2),
            "growth": choice("How it grows", [PLAIN, STRIDES, DILATIONS]),
        },
        alt="Left: rows of dots, one row a layer, with lines from an output down to all the input pixels it depends on, in "
        "blue, and the same for the output next to it, in orange. Right: a CT with both as squares.",
        caption="Blue: one output, and the pixels it depends on. Orange: the output next to it. Left: along one row of "
        "pixels. Right: both on the CT, in their true size.",
        size=(10, 3.9),
    )


def _draw_receptive_field(figure, layers, kernel, growth):
    strides = [2 if growth == STRIDES else 1] * layers
    dilations = [2**layer if growth == DILATIONS else 1 for layer in range(layers)]
    spacing = [int(np.prod(strides[:layer])) for layer in range(layers + 1)]  # input pixels between neighbours
    pyramid, picture = figure.subplots(1, 2, width_ratios=[2.2, 1])
    ct = data.sample("ct")
    plot.image(picture, ct.image, "", window=(-160, 240))
    for first, colour in ((1, "orange"), (0, "blue")):  # the output in the middle, drawn last, and its neighbour
        units, lines = [first], []
        for layer in reversed(range(layers)):
            reach = dilations[layer] * (np.arange(kernel) - kernel // 2)
            for unit in units:
                above = unit * spacing[layer + 1], layer + 1
                lines += [[above, ((unit * strides[layer] + step) * spacing[layer], layer)] for step in reach]
            units = sorted({unit * strides[layer] + int(step) for unit in units for step in reach})
        pyramid.add_collection(LineCollection(lines, colors=plot.COLOURS[colour], linewidths=0.5))
        pyramid.plot(units, [-0.12 * first] * len(units), "s", ms=3, color=plot.COLOURS[colour])
        pyramid.plot(first * spacing[-1], layers, "o", color=plot.COLOURS[colour])
        field = units[-1] - units[0] + 1
        centre = 64 + first * spacing[-1]
        picture.add_patch(plot.frame(64 - field / 2, centre - field / 2, field, field, colour))
    places = -(-128 // spacing[-1])
    picture.set_title(f"{field} pixels = {field * ct.spacing[0]:.0f} mm; map: {places} × {places}")
    names = ["input", *[f"layer {layer}" for layer in range(1, layers + 1)]]
    pyramid.set(yticks=range(layers + 1), yticklabels=names, xlabel="input pixels from the centre")
    pyramid.xaxis.get_major_locator().set_params(integer=True)
    apart = "pixel" if spacing[-1] == 1 else "pixels"
    pyramid.set_title(f"One output sees {field} pixels in a row; its neighbour lies {spacing[-1]} {apart} on")
