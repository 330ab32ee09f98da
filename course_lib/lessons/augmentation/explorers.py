"""Explorers of the lesson on augmentation."""

import numpy as np
from scipy import ndimage

from course_lib import plot
from course_lib.explorers import Explorer, choice, slider, switch
from course_lib.lessons.augmentation.model import IMAGES, image_and_mask

# How the outside of the image is filled: our names, and what scipy.ndimage calls them.
BORDERS = {"zeros (constant)": "grid-constant", "reflect": "reflect", "nearest": "nearest"}


def warp(image, matrix, shift=(0, 0), order=1, border="grid-constant"):
    """`image` (h, w) with output pixel q taken from input place c + matrix (q − c − shift), c the middle. Same dtype."""
    middle = (np.array(image.shape) - 1) / 2
    offset = middle - matrix @ (middle + np.multiply(shift, image.shape))
    return ndimage.affine_transform(image, matrix, offset, order=order, mode=border)


def rotation(degrees):
    """The 2×2 matrix that `warp` needs to turn an image counter-clockwise. Rows run downwards."""
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return np.array([[c, s], [-s, c]])


def elastic(image, amplitude, seed, order=1, border="grid-constant"):
    """`image` (h, w) with every pixel taken from up to some `amplitude` pixels away, neighbours from nearly alike."""
    rng = np.random.default_rng(seed)
    away = ndimage.gaussian_filter(
        rng.standard_normal((2, *image.shape)), (0, *np.divide(image.shape, 12)), mode="wrap"
    )
    places = np.indices(image.shape) + amplitude * away / away.std()
    return ndimage.map_coordinates(image, places, order=order, mode=border)


def rician(image, sigma, seed):
    """`image` with the noise of an MR magnitude: the length of a complex number with noise in both parts."""
    real, imaginary = sigma * np.random.default_rng(seed).standard_normal((2, *image.shape))
    return np.hypot(image + real, imaginary)


# Geometric transforms move image and mask: (strength −1 … 1) -> (matrix, shift, words).
_GEOMETRIC = {
    "rotation": lambda s: (rotation(90 * s), (0, 0), f"{90 * s:+.0f}°"),
    "flip left–right": lambda s: (np.diag([1, -1]), (0, 0), "mirrored"),
    "flip up–down": lambda s: (np.diag([-1, 1]), (0, 0), "upside down"),
    "scaling": lambda s: (np.eye(2) / 2**s, (0, 0), f"× {2**s:.2f}"),
    "translation": lambda s: (np.eye(2), (0, 0.5 * s), f"{50 * s:+.0f} % of the width"),
}
# Intensity transforms leave the mask alone: (image, strength, seed) -> (image, words).
_INTENSITY = {
    "gain": lambda x, s, seed: (np.clip(x * 2**s, 0, 1), f"× {2**s:.2f}"),
    "gamma": lambda x, s, seed: (x**3**s, f"γ = {3**s:.2f}"),
    "shift of all values": lambda x, s, seed: (np.clip(x + 0.2 * s, 0, 1), f"{0.2 * s:+.2f}"),
    "Rician noise": lambda x, s, seed: (np.clip(rician(x, 0.2 * abs(s), seed), 0, 1), f"σ = {0.2 * abs(s):.2f}"),
}
_ELASTIC = "elastic"


def transforms() -> Explorer:
    """One transform at a time on one image: original, result with its mask, and what changed."""
    return Explorer(
        _draw_transforms,
        {
            "image": choice("Image", IMAGES),
            "transform": choice("Transform", [*_GEOMETRIC, _ELASTIC, *_INTENSITY]),
            "strength": slider("Strength", -1.0, 1.0, 0.2, step=0.05),
            "seed": slider("Random draw (noise, elastic)", 0, 9, 0),
            "border": choice("Outside", BORDERS),
            "with_mask": switch("The mask goes along", True),
        },
        alt="Three panels: an image with its mask outlined in orange, the transformed image with the transformed mask, and "
        "their difference in red and blue.",
        caption="One transform. Orange: the mask, which a geometric transform has to move along. Right: changed minus "
        "original, in display greys. Lesions and their masks are simulated, on a real template.",
        size=(10, 3.7),
    )


def _draw_transforms(figure, image, transform, strength, seed, border, with_mask):
    before, mask, name, window = image_and_mask(image)
    mode = BORDERS[border]
    moved = mask
    if transform in _GEOMETRIC:
        matrix, shift, words = _GEOMETRIC[transform](strength)
        after = warp(before, matrix, shift, border=mode)
        if mask is not None and with_mask:
            moved = warp(mask.astype(np.uint8), matrix, shift, order=0, border=mode) > 0
    elif transform == _ELASTIC:
        amplitude = 0.08 * abs(strength) * before.shape[0]
        words = f"some {amplitude:.1f} pixels"
        after = elastic(before, amplitude, seed, border=mode)
        if mask is not None and with_mask:
            moved = elastic(mask.astype(np.uint8), amplitude, seed, order=0, border=mode) > 0
    else:
        after, words = _INTENSITY[transform](before, strength, seed)
    left, middle, right = figure.subplots(1, 3)
    plot.image(left, before, image, window=window)
    plot.image(middle, after, f"{transform}: {words}", window=window)
    grey = [np.clip((x - window[0]) / (window[1] - window[0]), 0, 1) for x in (before, after)]
    plot.signed(right, grey[1] - grey[0], "changed − original", limit=1, colour_bar=False)
    if mask is None:
        left.set_xlabel("no mask")
        return
    for ax, shape in [(left, mask), (middle, moved)]:
        if shape.any():
            ax.contour(shape, [0.5], colors=[plot.COLOURS["orange"]], linewidths=1.4)
    left.set_xlabel(f"{name}: {mask.sum()} pixels")
    middle.set_xlabel(f"{name}: {moved.sum()} pixels in {ndimage.label(moved)[1]} part(s)")


def draws() -> Explorer:
    """Sixteen random draws from the ranges that you choose: what a network would see of one image."""
    return Explorer(
        _draw_draws,
        {
            "image": choice("Image", IMAGES),
            "degrees": slider("Rotation up to ± degrees", 0, 90, 10, step=5),
            "percent": slider("Translation up to ± % of the width", 0, 50, 5, step=5),
            "scale": slider("Scaling up to ± %", 0, 60, 10, step=5),
            "bend": slider("Elastic, pixels in 100", 0, 10, 0),
            "contrast": slider("Gain and gamma up to ± %", 0, 60, 20, step=5),
            "noise": slider("Rician noise up to σ", 0.0, 0.2, 0.02, step=0.01),
            "flip": switch("Flip left–right, every second time", True),
            "border": choice("Outside", BORDERS),
        },
        alt="A grid of sixteen versions of one image, each turned, moved, scaled and changed in brightness a little "
        "differently. The first is the original.",
        caption="Top left the original, then fifteen draws. Look at such a sheet before you train: is every image one that "
        "a scanner could have made, of a patient with this label? Lesions are simulated, on a real template.",
        size=(7, 7),
    )


def _draw_draws(figure, image, degrees, percent, scale, bend, contrast, noise, flip, border):
    picture, _, _, window = image_and_mask(image)
    rng = np.random.default_rng(0)
    sheet = [picture]
    for seed in range(15):
        angle, down, right, size, gain, gamma = rng.uniform(-1, 1, 6)
        sigma, mirror = rng.uniform(0, noise), flip and rng.random() < 0.5
        matrix = rotation(degrees * angle) @ np.diag([1, -1 if mirror else 1]) / (1 + scale / 100 * size)
        x = warp(picture, matrix, (percent / 100 * down, percent / 100 * right), border=BORDERS[border])
        if bend:
            x = elastic(x, bend / 100 * x.shape[0], seed, border=BORDERS[border])
        x = np.clip(x, 0, 1) ** (1 + contrast / 100) ** gamma * (1 + contrast / 100 * gain)
        sheet.append(np.clip(rician(x, sigma, seed), 0, 1))
    height, width = picture.shape
    rows = np.array(sheet).reshape(4, 4, height, width).swapaxes(1, 2).reshape(4 * height, 4 * width)
    ax = figure.subplots()
    plot.image(ax, rows, f"{image}: one image, fifteen random draws", window=window)
    ax.add_patch(plot.frame(0, 0, height, width))
