"""Explorers of the lesson on medical images as data."""

import functools

import numpy as np

from course_lib import data, imaging, plot
from course_lib.explorers import Explorer, choice, rows, slider, switch

# Level and width in Hounsfield units: usual values; departments differ.
WINDOWS = {"soft tissue": (40, 400), "lung": (-600, 1500), "bone": (400, 1800), "everything": (100, 2200)}


@functools.cache
def _ct():
    return data.sample("ct").image


@functools.cache
def _histogram():
    edges = np.arange(-1100, 1301, 20)
    return np.histogram(_ct(), edges)[0] / _ct().size * 100, edges


def window_level() -> Explorer:
    """Window and level on the real CT: the picture, the histogram, and what is cut off."""
    level, width = WINDOWS["soft tissue"]
    return Explorer(
        _draw_window_level,
        {
            "level": slider("Level (HU)", -1000, 1200, level, 10),
            "width": slider("Width (HU)", 10, 2500, width, 10),
            "clipped": switch("Colour what is cut off", False),
        },
        alt="Left: a CT of a vertebra between two lungs. Right: the histogram of its Hounsfield units with four peaks, "
        "and a ramp from black to white over the window.",
        caption="A real CT through a window. Right: how many pixels have which value, and the grey each value gets; "
        "values left of the ramp are black, values right of it white.",
        size=(10, 4),
        layout=_window_level_layout,
    )


def _window_level_layout(explorer):
    preset = choice("Preset", [*WINDOWS, "by hand"], "soft tissue")

    def use_preset(change):
        if change["new"] in WINDOWS:
            level, width = WINDOWS[change["new"]]
            explorer.set(level=level, width=width)

    def name_window(_change):
        now = explorer.controls["level"].value, explorer.controls["width"].value
        preset.value = next((name for name, values in WINDOWS.items() if values == now), "by hand")

    preset.observe(use_preset, names="value")
    for name in ("level", "width"):
        explorer.controls[name].observe(name_window, names="value")
    return rows(preset, *explorer.controls.values())


def _draw_window_level(figure, level, width, clipped):
    left, right = figure.subplots(1, 2, width_ratios=[1, 1.5])
    units = _ct()
    low, high = level - width / 2, level + width / 2
    picture = np.repeat(imaging.window(units, level, width)[:, :, None], 3, axis=2)
    below, above = units <= low, units >= high
    if clipped:
        picture[below], picture[above] = _rgb("blue"), _rgb("orange")
    plot.image(left, picture, f"{low:.0f} to {high:.0f} HU")

    shares, edges = _histogram()
    right.stairs(shares, edges, fill=True, color=plot.COLOURS["sky"])
    right.set(xlim=(edges[0], edges[-1]), xlabel="Hounsfield units", ylabel="share of pixels (%)", ylim=(0, None))
    right.set_title(
        f"black {below.mean():.0%}   ·   white {above.mean():.0%}   ·   one of 256 greys: {width / 255:.2g} HU"
    )
    ramp = right.twinx()
    ramp.plot([edges[0], low, high, edges[-1]], [0, 0, 1, 1], color=plot.COLOURS["vermilion"])
    ramp.set(ylim=(0, 1.08), yticks=[0, 1], yticklabels=["black", "white"])
    ramp.spines["right"].set_visible(True)


def _rgb(name):
    return [int(plot.COLOURS[name][start : start + 2], 16) / 255 for start in (1, 3, 5)]


# ---- normalisation ------------------------------------------------------------------------------

_STYLES = {"A\nsolid": ("blue", "-"), "B\ndashed": ("orange", "--"), "C\ndotted": ("vermilion", ":")}
_SCALES = ("as stored", "min–max per image", "z-score per image", "z-score, training statistics")


@functools.cache
def _slices():
    """One axial slice of the real template for the picture, and a few that play the training split."""
    brain = data.sample("brain").image[:, 20:212, 4:196]
    small = brain.reshape(len(brain), 96, 2, 96, 2).mean((2, 4))
    return small[90], small[80:110:5]


def normalisation() -> Explorer:
    """The same slice from three scanners, under four scalings."""
    return Explorer(
        _draw_normalisation,
        {
            "gain": slider("Scanner B: gain", 0.4, 2.0, 1.6, 0.1),
            "offset": slider("Scanner B: offset", -0.2, 0.4, 0.0, 0.05),
            "spike": slider("Scanner C: brightest pixel", 1.0, 5.0, 3.0, 0.5),
        },
        alt="Four columns for four scalings. In each, the same brain slice three times: as it is, brighter, and with "
        "one very bright pixel; below, the three histograms.",
        caption="One real slice; scanners B and C are simulated: B has another gain and offset, C one very bright pixel. "
        "All pictures of a column share one grey scale. Where histograms coincide, the scaling has removed the difference.",
        size=(10, 6),
    )


def _draw_normalisation(figure, gain, offset, spike):
    image, training = _slices()
    with_spike = image.copy()
    with_spike[40, 40] = spike
    stored = np.stack([image, image * gain + offset, with_spike])
    # Fixed places: laying them out anew would take most of the time of a redraw.
    figure.set_layout_engine("none")
    grid = {"left": 0.08, "right": 0.98, "wspace": 0.12}
    pictures = figure.subplots(1, len(_SCALES), gridspec_kw=grid | {"bottom": 0.27, "top": 0.95})
    histograms = figure.subplots(1, len(_SCALES), gridspec_kw=grid | {"bottom": 0.06, "top": 0.25})
    for name, picture, histogram in zip(_SCALES, pictures, histograms, strict=True):
        scaled = _scaled(name, stored, training)
        low, high = np.quantile(scaled[0], [0, 0.998])
        plot.image(picture, scaled.reshape(-1, scaled.shape[2]), name, window=(low, high))
        bins = np.linspace(low - 0.1 * (high - low), high + (high - low), 60)
        for one, (colour, style) in zip(scaled, _STYLES.values(), strict=True):
            # the background would dwarf everything else
            counts = np.histogram(one[image > 0.05], bins)[0]
            histogram.stairs(counts / counts.max(), bins, color=plot.COLOURS[colour], ls=style, lw=1.4)
        histogram.set(yticks=[], xlim=(bins[0], bins[-1]))
    for row, (name, (colour, _)) in enumerate(_STYLES.items()):
        height = len(image) * (row + 0.5)
        pictures[0].text(-6, height, name, ha="right", va="center", color=plot.COLOURS[colour], fontweight="bold")


def _scaled(name, images, training):
    each = {"axis": (1, 2), "keepdims": True}
    if name == "min–max per image":
        return imaging.min_max(images, images.min(**each), images.max(**each))
    if name == "z-score per image":
        return imaging.z_score(images, images.mean(**each), images.std(**each))
    if name == "z-score, training statistics":
        return imaging.z_score(images, training.mean(), training.std())
    return images
