"""What `ops` and `network` demand of their arguments, so that both read as what they compute.

Each check raises a ValueError that names the wrong value and what to do, and returns what it was given in the type that
the computation wants, where that may differ.
"""

import numpy as np


def is_whole(value):
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def is_pair(value):
    return isinstance(value, tuple | list) and len(value) == 2


def positive(value, name):
    """A whole number of at least 1."""
    if not (is_whole(value) and value >= 1):
        raise ValueError(f"{name} is {value!r}; it must be a whole number of at least 1.")
    return int(value)


def pair(value, name):
    """A pair (along the height, along the width) from a pair or from one number for both."""
    if isinstance(value, tuple | list):
        if len(value) != 2:
            raise ValueError(f"{name} is {value!r}; give one whole number, or a pair (along height, along width).")
        return positive(value[0], name), positive(value[1], name)
    return (positive(value, name),) * 2


def as_float(array, name, axes=None):
    """The array as float32 or float64. axes: names of the axes it must have, none of them empty."""
    array = np.asarray(array)
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{name} holds values of type {array.dtype}; it must hold real numbers.")
    if axes and array.ndim != len(axes):
        raise ValueError(
            f"{name} has {array.ndim} axes (shape {array.shape}); it must have {len(axes)}: {', '.join(axes)}. "
            "A missing axis of length 1 is added with array[None] or array[..., None]."
        )
    if axes and 0 in array.shape:
        raise ValueError(f"{name} has shape {array.shape} and holds no values; no axis may have length 0.")
    is_double = array.dtype.kind == "f" and array.dtype.itemsize >= 8
    return array.astype(np.float64 if is_double else np.float32, copy=False)


def shape(array, name, expected, reason, dtype):
    """The array as `dtype`, if it has the expected shape."""
    array = as_float(array, name)
    if array.shape != expected:
        raise ValueError(f"{name} has shape {array.shape}; it must have shape {expected}, {reason}.")
    return array.astype(dtype, copy=False)


# ---------- Windows --------------------------------------------------------------------------------------------------


def kernel_fits(kernel, dilation, reach, size, before, after):
    padded = size + before + after
    if reach > padded:
        raise ValueError(
            f"A kernel or window of size {kernel} with dilation {dilation} spans {reach} pixels, but the image has only"
            f" {padded} along this axis, {size} and {before} + {after} of padding. Make the kernel or the dilation "
            "smaller, or the padding larger."
        )


def padding_per_axis(padding):
    """One padding for the height and one for the width: two words, or two pairs of pixels."""
    if isinstance(padding, str):
        return padding, padding
    if not (is_pair(padding) and all(is_pair(side) for side in padding)):
        raise ValueError(f"padding is {padding!r}; use 'valid', 'same' or ((top, bottom), (left, right)) in pixels.")
    return padding


def padding_along_axis(padding):
    """The padding of one axis: "valid", "same", or pixels (before, after)."""
    if isinstance(padding, str) and padding in ("valid", "same"):
        return padding
    if is_pair(padding) and all(is_whole(pixels) and pixels >= 0 for pixels in padding):
        return int(padding[0]), int(padding[1])
    raise ValueError(f"padding is {padding!r}; use 'valid', 'same' or whole numbers of pixels, 0 or more, per side.")


def images_and_kernels(images, kernels):
    """Both in the more exact of their two types."""
    images = as_float(images, "images", ("n", "height", "width", "channels"))
    kernels = as_float(kernels, "kernels", ("height", "width", "channels in", "channels out"))
    if images.shape[3] != kernels.shape[2]:
        raise ValueError(
            f"images have {images.shape[3]} channels (shape {images.shape}), but kernels are made for "
            f"{kernels.shape[2]} (shape {kernels.shape}): the third axis of kernels must fit the last axis of images."
        )
    dtype = np.result_type(images, kernels)
    return images.astype(dtype, copy=False), kernels.astype(dtype, copy=False)


def pooling(images, window, kind):
    """The images, and the window as a pair."""
    images = as_float(images, "images", ("n", "height", "width", "channels"))
    if kind not in ("max", "average"):
        raise ValueError(f"kind is {kind!r}; it must be 'max' or 'average'.")
    return images, pair(window, "window")


def padding_below_window(padding, window):
    for length, pixels in zip(window, padding, strict=True):
        if max(pixels) >= length:
            raise ValueError(
                f"padding of {max(pixels)} pixels is not smaller than the window of {length}: some windows would hold "
                "no pixel of the image. Make the padding smaller or the window larger."
            )


# ---------- Classes and networks -------------------------------------------------------------------------------------


def classes(logits):
    if logits.ndim == 0 or logits.shape[-1] == 0:
        raise ValueError(f"logits has shape {logits.shape}; its last axis must hold at least one class.")


def labels(labels, logits):
    """One class for each row of the logits (n, classes)."""
    labels, (n, n_classes) = np.asarray(labels), logits.shape
    if labels.shape != (n,) or labels.dtype.kind not in "iu" or labels.min() < 0 or labels.max() >= n_classes:
        raise ValueError(
            f"labels must be {n} whole numbers from 0 to {n_classes - 1}, one for each row of logits; "
            f"they have shape {labels.shape}, type {labels.dtype}, smallest {labels.min()}, largest {labels.max()}."
        )
    return labels


def equal_shapes(predictions, targets):
    """The targets as an array of the predictions' shape."""
    targets = np.asarray(targets)
    if predictions.shape != targets.shape:
        raise ValueError(
            f"predictions have shape {predictions.shape} but targets {targets.shape}; they must be equal. "
            "A missing axis is added with targets[:, None]."
        )
    return targets


def inputs_of_dense(x, n_in):
    if x.ndim != 2 or x.shape[1] != n_in:
        raise ValueError(f"Dense has weights for {n_in} inputs, but x has shape {x.shape}; it must be (n, {n_in}).")


def one_target_each(x, targets):
    if len(x) != len(targets) or len(x) == 0:
        raise ValueError(f"x holds {len(x)} examples and targets {len(targets)}: give one target for each example.")


def finite_loss(value, epoch):
    """Raises FloatingPointError as soon as a loss is not a finite number."""
    if not np.isfinite(value):
        raise FloatingPointError(
            f"The loss became {value} in epoch {epoch}: the steps are too large. Use a smaller learning rate."
        )
