"""Explorers of the lesson on pooling."""

import functools

import numpy as np

from course_lib import data, ops, plot
from course_lib.explorers import Explorer, choice, slider
from course_lib.lessons.pooling import model

_IMAGES = {
    "the article's 1…16": lambda: np.arange(1.0, 17).reshape(4, 4),
    "random numbers, 8×8": lambda: np.random.default_rng(0).integers(0, 10, (8, 8)).astype(float),
    "CT, vertebra": lambda: np.clip(data.sample("ct").image, -160, 240),  # soft-tissue window
    "MR": lambda: data.sample("mr").image,
    "retina with microaneurysms": lambda: data.sample("microaneurysms").image,
}
_STEPS = 16  # places of the window that the slider can reach

LARGEST_SHIFT = 8
KINDS = ["every n-th pixel", "max", "average", "max, then blur", "max, larger window"]
_STYLES = dict(
    zip(KINDS, [("grey", ":"), ("vermilion", "-"), ("blue", "-"), ("green", "--"), ("purple", "-.")], strict=True)
)


@functools.cache
def _pixels(image):
    return _IMAGES[image]()


def window() -> Explorer:
    """One window of a pooling: its pixels, and the one number that is left of them."""
    return Explorer(
        _draw_window,
        {
            "image": choice("Image", _IMAGES),
            "kind": choice("Pooling", ["max", "average"]),
            "window": slider("Window", 1, 4, 2),
            "stride": slider("Stride", 1, 4, 2),
            "padding": choice("Padding", ["none (valid)", "same"]),
            "place": slider("Place of the window", 0, _STEPS - 1, 1),
        },
        alt="Three panels: an image with a framed window; the window's pixels with the largest one framed; the output "
        "with the place of this window framed.",
        caption="One step of a pooling. Left: the image; the frame marks the window. Middle: the pixels in it (padded "
        "places take no part), for max pooling with the largest framed. Right: the output, and where the window's number goes.",
        size=(10, 3.7),
    )


def _draw_window(figure, image, kind, window, stride, padding, place):
    pixels = _pixels(image)
    output, (row, column), seen = _step(pixels, kind, window, stride, padding, place)
    inside = pixels[seen]
    winner = np.unravel_index(np.argmax(inside), inside.shape)
    framed = (seen[0].start, seen[1].start, *inside.shape)

    before, middle, after = figure.subplots(1, 3, width_ratios=[1.2, 1, 1.2])
    result = "largest" if kind == "max" else "mean"
    plot.numbers(
        middle,
        inside,
        f"window {window}×{window}\n{result} = {output[row, column]:.3g}",
        format=".3g",
        highlight=[(*winner, 1, 1)] if kind == "max" else (),
    )
    title = f"output: {' × '.join(map(str, output.shape))}, place ({row}, {column})"
    if pixels.size <= 64:
        limit = np.abs(pixels).max()
        plot.numbers(before, pixels, "image", limit=limit, highlight=[framed])
        plot.numbers(after, output, title, format=".3g", limit=limit, highlight=[(row, column, 1, 1)])
    else:
        shades = pixels.min(), pixels.max()
        plot.image(before, pixels, f"image: {' × '.join(map(str, pixels.shape))}", window=shades)
        before.add_patch(plot.frame(*framed))
        plot.image(after, output, title, window=shades)
        after.add_patch(plot.frame(row, column, 1, 1))


def _step(pixels, kind, window, stride, padding, place):
    """The pooled image, the output's row and column at a step of the slider, and the real pixels it comes from."""
    maps = pixels[None, :, :, None]
    settings = {"stride": stride, "padding": "same" if padding == "same" else "valid"}
    output = ops.pool2d(maps, window, kind=kind, **settings)
    row, column = _place(place, output.shape[1:3])
    upstream = np.zeros_like(output)
    upstream[0, row, column] = 1
    # The gradient of an average reaches exactly the pixels that took part, and no padded ones.
    reached = ops.pool2d_gradient(upstream, maps, window, kind="average", **settings)[0, :, :, 0] > 0
    rows, columns = np.flatnonzero(reached.any(axis=1)), np.flatnonzero(reached.any(axis=0))
    seen = slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
    return output[0, :, :, 0], (row, column), seen


def _place(step, shape):
    """The output's row and column at a step of the slider: each in turn on small outputs, a 4×4 grid on large ones."""
    rows, columns = shape
    if rows * columns <= _STEPS:
        return divmod(min(step, rows * columns - 1), columns)
    i, j = divmod(step, 4)
    return i * (rows - 1) // 3, j * (columns - 1) // 3


# ---- shift --------------------------------------------------------------------------------------


def _edges(sample):
    """Where the image is dark on the left and bright on the right, scaled to [0, 1]."""
    sobel = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], np.float32)[:, :, None, None]
    edges = np.maximum(ops.conv2d(data.sample(sample).image[None, :, :, None], sobel)[0, :, :, 0], 0)
    return edges / edges.max()


def _bright_pixel():
    pixels = np.zeros((32, 32 + LARGEST_SHIFT))
    pixels[12, LARGEST_SHIFT + 12] = 9
    return pixels


# All are LARGEST_SHIFT pixels wider than what is shown, so that a shift brings in real pixels.
_MAPS = {
    "edges of the CT": lambda: _edges("ct"),
    "edges of the MR": lambda: _edges("mr"),
    "one bright pixel": _bright_pixel,
    "bars, two pixels wide": lambda: np.tile([9.0, 9, 0, 0], (32, 8 + LARGEST_SHIFT // 4)),
}


_DRAWN = ("one bright pixel", "bars, two pixels wide")


@functools.cache
def _map(name):
    return _MAPS[name]()


def _shrink(image, kind, window):
    """A map (h, w), reduced by the factor `window` in one of the ways of `KINDS`, without the places next to the border:
    some of the ways look beyond it, where padding would make differences of its own."""
    return model.reduce_by(kind, image[None, :, :, None], window)[0, 1:-1, 1:-1, 0]


def _view(image, shift):
    """What a camera of fixed position sees after the map has moved `shift` pixels to the right."""
    pixels = _map(image)
    height, width = (size // 8 * 8 for size in (pixels.shape[0], pixels.shape[1] - LARGEST_SHIFT))
    return pixels[:height, LARGEST_SHIFT - shift : LARGEST_SHIFT - shift + width]


@functools.cache
def _curve(image, kind, window):
    """Relative change of the output for shifts of 0 … LARGEST_SHIFT pixels."""
    outputs = [_shrink(_view(image, shift), kind, window) for shift in range(LARGEST_SHIFT + 1)]
    return [model.relative_change(outputs[0], output) for output in outputs]


def shift() -> Explorer:
    """What a pooled feature map makes of an image that moves."""
    return Explorer(
        _draw_shift,
        {
            "image": choice("Feature map", _MAPS),
            "kind": choice("Reduced by", KINDS, "max"),
            "window": choice("Window and stride", [2, 4, 8]),
            "shift": slider("Shift to the right (pixels)", 0, LARGEST_SHIFT, 1),
        },
        alt="Four panels: a shifted feature map; its pooled version before and after the shift; curves of the relative "
        "change over the shift for five ways to reduce the map, with a dot at the current one.",
        caption="The map moves to the right under a pooling that stays where it is. The curves show how much the output "
        "changes, away from the border: 0 is not at all, 1 is by as much as the output itself. The dot is the current setting.",
        size=(11.5, 3.4),
    )


def _draw_shift(figure, image, kind, window, shift):
    moved = _view(image, shift)
    outputs = [_shrink(_view(image, 0), kind, window), _shrink(moved, kind, window)]
    panels = figure.subplots(1, 4, width_ratios=[1, 1, 1, 1.3])
    top = _map(image).max()
    titles = [f"map, shifted by {shift}", "output before", "output after"]
    for panel, pixels, title in zip(panels, [moved, *outputs], titles, strict=False):
        title = f"{title}\n{' × '.join(map(str, pixels.shape))}"
        plot.image(panel, pixels, title, window=(0, top if image in _DRAWN else top / 2))

    curves = panels[3]
    shifts = range(LARGEST_SHIFT + 1)
    for name, (colour, line) in _STYLES.items():
        width = 4 if name == "max" else 1.5  # wide and drawn first: it shows below a curve that coincides with it
        style = {"color": plot.COLOURS[colour], "lw": width, "zorder": 1 if name == "max" else 2}
        curves.plot(shifts, _curve(image, name, window), line, label=name, **style)
    curves.plot(shift, _curve(image, kind, window)[shift], "o", color=plot.COLOURS[_STYLES[kind][0]])
    curves.set(xlabel="shift (pixels)", ylabel="relative change of the output", ylim=(-0.05, 1.5), xticks=shifts[::2])
    curves.legend(fontsize=8, loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2)
