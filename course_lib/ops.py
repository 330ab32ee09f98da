"""Convolution, pooling and activation functions with their gradients, in NumPy.

Shapes: images (n, height, width, channels), kernels (k_height, k_width, channels_in, channels_out).
Types: float32 stays float32; the result is float64 as soon as images or kernels are. Whole numbers, booleans and
float16 become float32 first, so that an 8-bit image cannot overflow (whole numbers are exact up to 2**24).
NaN and infinity pass through as arithmetic has it. No function changes its inputs. A wrong input raises a ValueError
that names the wrong value.

Every gradient has the argument `upstream`: the derivative of the loss with respect to the layer's output, in the
output's shape. It returns the derivative of the loss with respect to the layer's inputs (the chain rule).
"""

import math
from typing import NamedTuple

import numpy as np

from course_lib import _checks

VALUES_IN_TABLE = 2**18  # 1 MB in float32: a table that stays in the processor's cache while it is multiplied

# ---------- Convolution ----------------------------------------------------------------------------------------------


def output_size(size, kernel, *, stride=1, padding="valid", dilation=1):
    """Number of outputs of a convolution or a pooling along one axis.

    size, kernel: pixels of the image and of the kernel (or pooling window) along this axis, at least 1.
    stride: step of the kernel in pixels. dilation: distance between neighbouring kernel values in pixels.
    padding: "valid" (none), "same" (as much as makes ceil(size / stride) outputs; an odd pixel goes to the end, as in
    TensorFlow) or a pair (before, after) in pixels.
    Formula: floor((size + before + after - reach) / stride) + 1, where reach = dilation * (kernel - 1) + 1 is the
    number of pixels that the kernel spans (Dumoulin & Visin 2016, arXiv:1603.07285).
    Raises ValueError for a value out of range, or if the kernel spans more than the padded image.
    """
    size, kernel = _checks.positive(size, "size"), _checks.positive(kernel, "kernel")
    stride, dilation = _checks.positive(stride, "stride"), _checks.positive(dilation, "dilation")
    before, after = _padding_along_axis(size, kernel, stride, padding, dilation)
    reach = dilation * (kernel - 1) + 1
    padded = size + before + after
    _checks.kernel_fits(kernel, dilation, reach, size, before, after)
    return (padded - reach) // stride + 1


def conv2d(images, kernels, bias=None, *, stride=1, padding="valid", dilation=1, flip=False):
    """Convolution layer: slide every kernel over every image and return the feature maps.

    output[n, y, x, o] = bias[o] + sum over i, j, c of
        padded[n, y * stride + i * dilation, x * stride + j * dilation, c] * kernels[i, j, c, o]

    images: (n, h, w, c_in). kernels: (k_h, k_w, c_in, c_out). bias: (c_out,) or None.
    stride, dilation: a whole number of pixels, or a pair (along the height, along the width).
    padding: "valid", "same" or ((top, bottom), (left, right)) in pixels; the padded pixels are 0.
    flip: False is the cross-correlation that deep learning calls convolution; True turns each kernel by 180 degrees
        first, which is the convolution of mathematics.
    Returns (n, out_h, out_w, c_out); `output_size` gives out_h and out_w.
    Raises ValueError for wrong numbers of axes or channels, an empty array, a wrong stride, padding or dilation, or
    a kernel that spans more than the padded image.
    """
    images, kernels = _checks.images_and_kernels(images, kernels)
    grid = _make_grid(images.shape, kernels.shape[:2], stride, padding, dilation)
    c_out = kernels.shape[3]
    if flip:
        kernels = kernels[::-1, ::-1]
    weights = kernels.reshape(-1, c_out)  # one row per kernel value, one column per kernel

    # With all windows written into a table, one column each, the convolution is one matrix product.
    output = np.empty((len(images), *grid.out, c_out), images.dtype)
    for part, table in _window_tables(_pad(images, grid, value=0), grid):
        _matmul(table.T, weights, out=output[part].reshape(-1, c_out))  # a view: parts lie side by side in memory
    if bias is not None:
        output += _checks.shape(bias, "bias", (c_out,), "one number for each kernel", images.dtype)
    return output


def conv2d_gradient(upstream, images, kernels, *, stride=1, padding="valid", dilation=1, flip=False):
    """Gradient of `conv2d` with the same images, kernels and settings.

    upstream: (n, out_h, out_w, c_out). The other arguments and the errors are those of `conv2d`.
    Returns (d_images, d_kernels, d_bias) in the shapes (n, h, w, c_in), (k_h, k_w, c_in, c_out) and (c_out,):
    d_bias sums upstream over images and positions; d_kernels correlates the padded image with upstream; d_images
    hands every upstream value back to the pixels of its window, weighted with the kernel.
    """
    images, kernels = _checks.images_and_kernels(images, kernels)
    grid = _make_grid(images.shape, kernels.shape[:2], stride, padding, dilation)
    c_in, c_out = kernels.shape[2:]
    upstream = _checks.shape(upstream, "upstream", (len(images), *grid.out, c_out), "as the output", images.dtype)
    if flip:
        kernels = kernels[::-1, ::-1]

    # Many small numbers are added up here: in float32 the sum would drift.
    d_bias = upstream.sum(axis=(0, 1, 2), dtype=np.float64).astype(images.dtype)

    padded = _pad(images, grid, value=0)
    d_weights = np.zeros((kernels[..., 0].size, c_out), images.dtype)
    for part, table in _window_tables(padded, grid):
        d_weights += _matmul(table, upstream[part].reshape(-1, c_out))
    d_kernels = d_weights.reshape(kernels.shape)

    d_padded = np.zeros_like(padded)
    for weights, (rows, columns) in zip(kernels.reshape(-1, c_in, c_out), _positions(grid), strict=True):
        d_padded[:, rows, columns] += _matmul(upstream, weights.T)

    if flip:
        d_kernels = d_kernels[::-1, ::-1]
    return _crop(d_padded, grid), d_kernels, d_bias


# ---------- Pooling --------------------------------------------------------------------------------------------------


def pool2d(images, window, *, stride=None, padding="valid", kind="max"):
    """Pooling layer: replace every window of every channel by its largest or its mean value.

    images: (n, h, w, c). window: pixels, a whole number or a pair (height, width).
    stride: as in `conv2d`; None means the size of the window, so that windows touch and do not overlap.
    padding: "valid", "same" or ((top, bottom), (left, right)) in pixels, each smaller than the window.
    kind: "max" or "average". Padded pixels take no part in either: they count as minus infinity in the maximum, and
        the average divides by the number of real pixels in the window (as TensorFlow does).
    Returns (n, out_h, out_w, c); `output_size` gives out_h and out_w.
    Raises ValueError for a wrong number of axes, an empty array, a wrong window, stride, padding or kind, or a window
    larger than the padded image.
    """
    images, grid = _pooling_grid(images, window, stride, padding, kind)
    if kind == "max":
        return _combine_windows(np.maximum, _pad(images, grid, value=-np.inf), grid)
    return _combine_windows(np.add, _pad(images, grid, value=0), grid) / _real_pixels(images, grid)


def pool2d_gradient(upstream, images, window, *, stride=None, padding="valid", kind="max"):
    """Gradient of `pool2d` with the same images and settings.

    upstream: (n, out_h, out_w, c). The other arguments and the errors are those of `pool2d`.
    Returns d_images (n, h, w, c). "average" shares every upstream value equally among the real pixels of its window.
    "max" gives it whole to the largest pixel; if several are equal, to the first of them, row by row from the top left
    (as TensorFlow does on a CPU).
    """
    images, grid = _pooling_grid(images, window, stride, padding, kind)
    output_shape = (len(images), *grid.out, images.shape[3])
    upstream = _checks.shape(upstream, "upstream", output_shape, "as the output", images.dtype)

    padded = _pad(images, grid, value=-np.inf)
    d_padded = np.zeros_like(padded)
    if kind == "max":
        maximum = _combine_windows(np.maximum, padded, grid)
        unclaimed = np.ones(upstream.shape, bool)
        for rows, columns in _positions(grid):
            wins = unclaimed & (padded[:, rows, columns] == maximum)
            d_padded[:, rows, columns] += np.where(wins, upstream, 0)
            unclaimed &= ~wins
    else:
        share = upstream / _real_pixels(images, grid)
        for rows, columns in _positions(grid):
            d_padded[:, rows, columns] += share
    return _crop(d_padded, grid)


# ---------- Activation functions: arrays of any shape, element by element (softmax: along the last axis) -------------


def sigmoid(x):
    """1 / (1 + exp(-x)), in [0, 1].

    For negative x the same fraction is written exp(x) / (1 + exp(x)), so that exp never overflows.
    """
    x = _checks.as_float(x, "x")
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, small) / (1 + small)


def sigmoid_gradient(x):
    """Derivative of `sigmoid` at x: sigmoid(x) * (1 - sigmoid(x)), at most 0.25.

    1 - sigmoid(x) is computed as sigmoid(-x), which keeps its digits where sigmoid(x) rounds to 1.
    """
    x = _checks.as_float(x, "x")
    return sigmoid(x) * sigmoid(-x)


def relu(x):
    """max(0, x)."""
    return np.maximum(_checks.as_float(x, "x"), 0)


def relu_gradient(x):
    """Derivative of `relu` at x: 1 for x > 0, otherwise 0. At 0 itself there is none; we take 0, as TensorFlow does."""
    x = _checks.as_float(x, "x")
    return (x > 0).astype(x.dtype)


def tanh(x):
    """(exp(x) - exp(-x)) / (exp(x) + exp(-x)), in [-1, 1]."""
    return np.tanh(_checks.as_float(x, "x"))


def tanh_gradient(x):
    """Derivative of `tanh` at x: 1 - tanh(x)**2, at most 1."""
    return 1 - tanh(x) ** 2


def softmax(logits):
    """exp(logits) / sum of exp(logits) along the last axis: values in [0, 1] that add up to 1.

    logits: (..., classes). The largest logit is subtracted first: this changes nothing in exact arithmetic, and no
    exp can overflow (Blanchard, Higham & Higham 2021, doi:10.1093/imanum/draa038).
    Raises ValueError if there is no last axis or it is empty.
    """
    logits = _checks.as_float(logits, "logits")
    _checks.classes(logits)
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def softmax_gradient(upstream, logits):
    """Gradient of `softmax` with respect to its logits, for one upstream value per output.

    Every output depends on every logit of its row: d p_i / d logit_j = p_i * (1 if i == j else 0) - p_i * p_j.
    Multiplying upstream with this matrix (a vector-Jacobian product) gives p_j * (upstream_j - sum_i upstream_i p_i).
    upstream, logits and the result: (..., classes). Raises ValueError if the shapes differ.
    """
    logits = _checks.as_float(logits, "logits")
    probabilities = softmax(logits)
    upstream = _checks.shape(upstream, "upstream", logits.shape, "as the output", logits.dtype)
    return probabilities * (upstream - (upstream * probabilities).sum(axis=-1, keepdims=True))


# ---------- Windows: what convolution and pooling share --------------------------------------------------------------


class _Grid(NamedTuple):
    """Where the windows lie; every pair is (along the height, along the width)."""

    kernel: tuple
    stride: tuple
    dilation: tuple
    padding: tuple  # ((top, bottom), (left, right))
    out: tuple  # number of windows


def _make_grid(images_shape, kernel, stride, padding, dilation):
    size, stride, dilation = images_shape[1:3], _checks.pair(stride, "stride"), _checks.pair(dilation, "dilation")
    padding = _checks.padding_per_axis(padding)
    out, pixels = [], []
    for n, k, s, p, d in zip(size, kernel, stride, padding, dilation, strict=True):
        out.append(output_size(n, k, stride=s, padding=p, dilation=d))
        pixels.append(_padding_along_axis(n, k, s, p, d))
    return _Grid(kernel, stride, dilation, tuple(pixels), tuple(out))


def _pooling_grid(images, window, stride, padding, kind):
    """The images as numbers and the grid of the pooling windows; the arguments are those of `pool2d`."""
    images, window = _checks.pooling(images, window, kind)
    grid = _make_grid(images.shape, window, window if stride is None else stride, padding, dilation=1)
    _checks.padding_below_window(grid.padding, window)
    return images, grid


def _padding_along_axis(size, kernel, stride, padding, dilation):
    """Padded pixels (before, after) along one axis; the arguments are those of `output_size`."""
    padding = _checks.padding_along_axis(padding)
    if padding == "valid":
        return 0, 0
    if padding == "same":
        windows = -(-size // stride)  # size / stride, rounded up
        total = max((windows - 1) * stride + dilation * (kernel - 1) + 1 - size, 0)
        return total // 2, total - total // 2
    return padding


def _pad(images, grid, value):
    return np.pad(images, ((0, 0), *grid.padding, (0, 0)), constant_values=value)


def _crop(padded, grid):
    (top, bottom), (left, right) = grid.padding
    return padded[:, top : padded.shape[1] - bottom, left : padded.shape[2] - right]


def _positions(grid):
    """For every position in the kernel, row by row: the rows and columns of the pixels that it meets, as two slices.

    padded[:, rows, columns] is a view with one pixel for each window, so no loop over the windows is needed.
    """
    (k_h, k_w), (s_h, s_w), (d_h, d_w), (out_h, out_w) = grid.kernel, grid.stride, grid.dilation, grid.out
    for i in range(0, k_h * d_h, d_h):
        for j in range(0, k_w * d_w, d_w):
            yield slice(i, i + (out_h - 1) * s_h + 1, s_h), slice(j, j + (out_w - 1) * s_w + 1, s_w)


def _window_tables(padded, grid):
    """All windows as tables (k_h * k_w * c_in, windows), each with the index of its part of the output.

    Known as im2col (Chellapilla, Puri & Simard 2006, "High performance convolutional neural networks for document
    processing"). A table repeats each pixel up to k_h * k_w times. It holds at most VALUES_IN_TABLE: the windows of
    several images, of one image, or of some of its rows, one at least.
    """
    (s_h, s_w), (d_h, d_w), (out_h, out_w) = grid.stride, grid.dilation, grid.out
    reach = [d * (k - 1) + 1 for k, d in zip(grid.kernel, grid.dilation, strict=True)]
    weights = math.prod(grid.kernel) * padded.shape[3]
    rows_at_once = min(out_h, max(1, VALUES_IN_TABLE // (weights * out_w)))
    images_at_once = max(1, VALUES_IN_TABLE // (weights * out_w * rows_at_once))
    for n in range(0, len(padded), images_at_once):
        # Channels first, so that long runs of memory are copied.
        channels = np.ascontiguousarray(np.moveaxis(padded[n : n + images_at_once], 3, 0))
        windows = np.lib.stride_tricks.sliding_window_view(channels, reach, axis=(2, 3))
        windows = windows[:, :, ::s_h, ::s_w, ::d_h, ::d_w].transpose(4, 5, 0, 1, 2, 3)
        for y in range(0, out_h, rows_at_once):
            table = windows[..., y : y + rows_at_once, :].reshape(weights, -1)
            yield np.s_[n : n + images_at_once, y : y + rows_at_once], table


def _matmul(a, b, out=None):
    """Matrix product without warnings: Apple's library gives false ones (https://github.com/numpy/numpy/issues/28687)."""
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        return np.matmul(a, b, out=out)


def _combine_windows(operation, padded, grid):
    """Add up the pixels of every window (np.add) or take their maximum (np.maximum): (n, out_h, out_w, c)."""
    positions = _positions(grid)
    result = padded[:, *next(positions)].copy()
    for rows, columns in positions:
        operation(result, padded[:, rows, columns], out=result)
    return result


def _real_pixels(images, grid):
    """Number of pixels of every window that belong to the image and not to its padding: (1, out_h, out_w, 1)."""
    ones = np.ones((1, *images.shape[1:3], 1), images.dtype)
    return _combine_windows(np.add, _pad(ones, grid, value=0), grid)
