"""The figures that recur in the course: one style, colours that survive colour blindness, alternative text.

Importing this module sets matplotlib's defaults for the whole notebook.
"""

import base64
import io

import matplotlib.pyplot as plt
import numpy as np
from IPython.display import display
from matplotlib.colors import CenteredNorm, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

# The palette of Okabe and Ito (2008), in an order in which neighbours differ in lightness too, so that it prints in grey.
COLOURS = {
    "blue": "#0072B2",
    "orange": "#E69F00",
    "green": "#009E73",
    "sky": "#56B4E9",
    "vermilion": "#D55E00",
    "purple": "#CC79A7",
    "black": "#000000",
    "grey": "#7F7F7F",
}

DIVERGING = "RdBu_r"
"""Colour map for signed values; always centred at zero."""

plt.rcParams.update(
    {
        "figure.dpi": 110,
        "figure.constrained_layout.use": True,
        "figure.constrained_layout.h_pad": 0.08,
        "font.size": 10,
        "axes.titlesize": 10.5,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": False,
        "axes.prop_cycle": plt.cycler(color=list(COLOURS.values())[:6]),
        "image.cmap": "gray",
        "image.interpolation": "nearest",
        "lines.linewidth": 1.8,
        "legend.frameon": False,
    }
)


def png(figure: Figure) -> bytes:
    """The figure as the bytes of a PNG file, without a time stamp or version, so that equal figures give equal bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None}, pil_kwargs={"compress_level": 6})
    return buffer.getvalue()


def show(figure: Figure, alt: str, caption: str) -> None:
    """Display a figure with a visible caption, and close it.

    `alt` describes what is in the picture to a reader who cannot see it; it is written into the output's
    metadata, from where the web book and nbconvert take it. `caption` says what to look for; it is
    displayed as Markdown below the figure. Raises ValueError if either is empty.
    """
    for name, text in (("alt", alt), ("caption", caption)):
        if not text.strip():
            raise ValueError(f"`{name}` is empty: every figure of the course has an alternative text and a caption.")
    show_png(png(figure), alt, caption)
    plt.close(figure)


def show_png(picture: bytes, alt: str, caption: str, *, width: int | None = None) -> None:
    """Display the bytes of a PNG file with alternative text and a visible caption (see `show`).

    width: pixels on the page, by default the picture's own.
    """
    data = {"image/png": base64.b64encode(picture).decode(), "text/plain": f"Figure: {alt}"}
    metadata = {"alt": alt} if width is None else {"alt": alt, "width": width}
    display(data, metadata={"image/png": metadata}, raw=True)
    display({"text/markdown": f"**Figure.** {caption}", "text/plain": f"Figure. {caption}"}, raw=True)


def clip(frames, alt: str, caption: str, *, frame_ms: int, window=None, repeats: int = 5, width: int = 380) -> None:
    """Play a grey clip (t, h, w) in the notebook, with alternative text and a visible caption (see `show`).

    frame_ms: how long each frame is shown, in milliseconds. window: as for `image`, by default the whole clip's range.
    repeats: how often it plays before it rests, since a picture that never stops moving disturbs readers.
    width: pixels on the page. 24 grey levels are stored, which keeps the notebook small.

    It is an animated PNG: it needs no codec, and what cannot play it shows the first frame.
    """
    low, high = window if window is not None else (np.min(frames), np.max(frames))
    levels = np.round(np.clip((np.asarray(frames) - low) / (high - low), 0, 1) * 23) * (255 / 23)
    first, *others = [Image.fromarray(frame) for frame in levels.astype(np.uint8)]
    buffer = io.BytesIO()
    first.save(buffer, "png", save_all=True, append_images=others, duration=frame_ms, loop=repeats, optimize=True)
    show_png(buffer.getvalue(), alt, caption, width=width)


def image(ax, array, title="", *, window=None, colour_bar=False):
    """Draw a grey (h, w) or colour (h, w, 3) image on `ax` without ticks.

    `window` is the pair (value shown black, value shown white); by default the image's minimum and maximum.
    Returns matplotlib's image object.
    """
    low, high = window if window is not None else (None, None)
    drawn = ax.imshow(array, vmin=low, vmax=high)
    _finish_image(ax, drawn, title, colour_bar)
    return drawn


def signed(ax, array, title="", *, limit=None, colour_bar=True):
    """Draw a signed (h, w) array in a diverging map: blue below zero, white at zero, red above.

    The colours span −`limit` to `limit`; by default the largest absolute value. Returns matplotlib's image object.
    """
    drawn = ax.imshow(array, cmap=DIVERGING, norm=CenteredNorm(0, limit))
    _finish_image(ax, drawn, title, colour_bar)
    return drawn


def overlay(ax, picture, heat, title="", *, strength=0.9):
    """Draw a map (h, w) over a grey picture (h, w) in [0, 1]: red where it is positive, blue where it is negative.

    The deepest colour stands for the map's largest absolute value (the 99.5 % quantile, so that one pixel does not
    hide the others) and covers the image by `strength`, from 0 to 1. A map that is zero everywhere colours nothing.
    """
    size = np.abs(heat)
    largest = np.quantile(size, 0.995) or size.max()
    colours = np.empty((*heat.shape, 4))
    colours[..., :3] = np.where((heat > 0)[..., None], to_rgb(COLOURS["vermilion"]), to_rgb(COLOURS["blue"]))
    colours[..., 3] = strength * np.clip(size / largest, 0, 1) if largest > 0 else 0
    image(ax, picture, title, window=(0, 1))
    ax.imshow(colours)


def _finish_image(ax, drawn, title, colour_bar):
    ax.set(xticks=[], yticks=[], title=title)
    ax.spines[:].set_visible(False)
    if colour_bar:
        ax.figure.colorbar(drawn, ax=ax, shrink=0.8)


def frame(row, column, height, width, colour="vermilion"):
    """A frame around `height` × `width` pixels from (row, column) on, to be added with `ax.add_patch`."""
    corner = (column - 0.5, row - 0.5)
    return Rectangle(corner, width, height, fill=False, lw=2.2, ec=COLOURS[colour], clip_on=False)


def numbers(ax, matrix, title="", *, format="g", limit=None, highlight=()):
    """Draw a small (h, w) matrix as a table of numbers, shaded by sign and size.

    matrix: up to some 12×12 numbers; NaN leaves a cell empty.
    limit: the absolute value that gets the strongest shade; by default the largest finite one in the matrix.
    highlight: rectangles (row, column, height, width) to frame, in cells.

    Raises ValueError if the matrix has not two axes.
    """
    matrix = np.asarray(matrix, dtype=float)
    if matrix.ndim != 2:
        raise ValueError(f"`numbers` draws a table of rows and columns; the array's shape is {matrix.shape}.")
    rows, columns = matrix.shape
    limit = limit or np.max(np.abs(matrix), initial=1e-12, where=np.isfinite(matrix))
    # Shades stay pale (a third of the map) so that black digits can be read on them.
    edges = np.arange(columns + 1) - 0.5, np.arange(rows + 1) - 0.5
    shades = np.nan_to_num(matrix.clip(-limit, limit)) / 3
    ax.pcolormesh(*edges, shades, cmap=DIVERGING, norm=CenteredNorm(0, limit), edgecolors="0.75", lw=0.6, clip_on=False)
    size = max(6, min(13, 62 / max(rows, columns)))
    for row, column in np.ndindex(rows, columns):
        value = matrix[row, column]
        if not np.isnan(value):
            # Numbers stay inside their cells: leaving them out of the layout makes drawing much faster.
            ax.text(column, row, f"{value:{format}}", ha="center", va="center", fontsize=size, in_layout=False)
    for rectangle in highlight:
        ax.add_patch(frame(*rectangle))
    ax.set(xticks=[], yticks=[], title=title, aspect="equal")
    ax.invert_yaxis()
    ax.spines[:].set_visible(False)
