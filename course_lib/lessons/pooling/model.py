"""What notebook and explorers share: the ways to make a feature map smaller, and how much a map has changed."""

import numpy as np

from course_lib import ops


def blur_pool(maps, window):
    """Maximum over each window, two averages in a row (one triangular blur), and of these every `window`-th value."""
    strongest = ops.pool2d(maps, window, stride=1, padding="same")
    smooth = ops.pool2d(strongest, window, stride=1, padding="same", kind="average")
    return ops.pool2d(smooth, window, kind="average")


def reduce_by(kind, maps, window):
    """Maps (n, h, w, c), smaller by the factor `window` along height and width, in one of six ways."""
    if kind == "no pooling":
        return maps
    if kind == "every n-th pixel":
        return maps[:, ::window, ::window]
    if kind == "max, then blur":
        return blur_pool(maps, window)
    if kind == "max, larger window":  # as many pixels as the blur looks at
        return ops.pool2d(maps, 3 * window - 2, stride=window, padding="same")
    return ops.pool2d(maps, window, kind=kind)


def relative_change(before, after):
    """Norm of the difference of two arrays, relative to the larger of their norms; 0 if both are zero."""
    size = max(np.linalg.norm(before), np.linalg.norm(after))
    return np.linalg.norm(after - before) / size if size else 0.0
