"""course_lib.ops against TensorFlow, SciPy, plain loops and finite differences."""

import subprocess
import sys
import tracemalloc
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal

from course_lib import import_tensorflow, ops

# The same examples in every run, and no time limit for one of them: a slow machine must not fail a test.
same_examples = settings(derandomize=True, database=None, deadline=None, max_examples=150)


@pytest.fixture(scope="module")
def tf():
    return import_tensorflow()


def assert_close(actual, expected, what):
    """Same shape and type, and equal but for rounding, measured against the largest expected value."""
    expected = np.asarray(expected)
    assert actual.dtype == expected.dtype, f"{what}: {actual.dtype} instead of {expected.dtype}"
    tolerance = 1e-5 if expected.dtype == np.float32 else 1e-12
    margin = tolerance * (1 + np.abs(expected).max())
    np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=margin, strict=True, err_msg=what)


def pair(lowest, highest):
    return st.tuples(st.integers(lowest, highest), st.integers(lowest, highest))


dtypes = st.sampled_from(["float32", "float64"])
explicit_paddings = st.tuples(pair(0, 3), pair(0, 3))
paddings = st.one_of(st.sampled_from(["valid", "same"]), explicit_paddings)


def tensorflow_padding(padding):
    return padding.upper() if isinstance(padding, str) else [[0, 0], *map(list, padding), [0, 0]]


def draw_size(draw, reach, padding):
    """An image size (height, width), often the smallest into which windows of this reach fit."""
    size = []
    for axis in range(2):
        added = {"valid": 0, "same": reach[axis]}[padding] if isinstance(padding, str) else sum(padding[axis])
        smallest = max(1, reach[axis] - added)
        size.append(draw(st.integers(smallest, smallest + 8)))
    return size


@st.composite
def convolutions(draw, paddings=paddings):
    """Images, kernels, bias and settings of a convolution whose kernel fits."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    dtype, padding = draw(dtypes), draw(paddings)
    kernel, stride, dilation = draw(pair(1, 4)), draw(pair(1, 3)), draw(pair(1, 3))
    n, c_in, c_out = draw(st.integers(1, 3)), draw(st.integers(1, 3)), draw(st.integers(1, 3))
    size = draw_size(draw, [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)], padding)
    images = rng.standard_normal((n, *size, c_in)).astype(dtype)
    kernels = rng.standard_normal((*kernel, c_in, c_out)).astype(dtype)
    bias = rng.standard_normal(c_out).astype(dtype)
    return rng, images, kernels, bias, dict(stride=stride, padding=padding, dilation=dilation)


@st.composite
def poolings(draw, paddings=paddings):
    """Images, window and settings of a pooling. Half of the images hold few values, so that the maximum has ties."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    window, stride, padding = draw(pair(1, 4)), draw(st.one_of(st.none(), pair(1, 4))), draw(paddings)
    if not isinstance(padding, str):  # padding must be smaller than the window
        padding = tuple(tuple(min(p, length - 1) for p in side) for side, length in zip(padding, window, strict=True))
    shape = (draw(st.integers(1, 3)), *draw_size(draw, window, padding), draw(st.integers(1, 3)))
    images = rng.integers(-5, -2, shape) if draw(st.booleans()) else rng.standard_normal(shape) - 3
    return rng, images.astype(draw(dtypes)), window, dict(stride=stride, padding=padding)


# ---------------------------------------------------------------------------------------------------------------------
# Convolution


@same_examples
@given(case=convolutions())
def test_conv2d_equals_tensorflow(tf, case):
    _, images, kernels, bias, setting = case
    padding = tensorflow_padding(setting["padding"])
    expected = tf.nn.conv2d(images, kernels, setting["stride"], padding, dilations=setting["dilation"])
    assert_close(ops.conv2d(images, kernels, **setting), expected, "without bias")
    assert_close(ops.conv2d(images, kernels, bias, **setting), tf.nn.bias_add(expected, bias), "with bias")


@same_examples
@given(case=convolutions())
def test_conv2d_gradient_equals_tensorflow(tf, case):
    rng, images, kernels, bias, setting = case
    (k_h, k_w, c_in, c_out), (d_h, d_w) = kernels.shape, setting["dilation"]
    x, w, b = tf.constant(images), tf.constant(kernels), tf.constant(bias)
    with tf.GradientTape() as tape:
        tape.watch([x, w, b])
        # On a CPU TensorFlow has no gradient of a dilated convolution. Zeros between the kernel values do the same.
        spread = tf.pad(w[:, None, :, None], [[0, 0], [0, d_h - 1], [0, 0], [0, d_w - 1], [0, 0], [0, 0]])
        spread = tf.reshape(spread, (k_h * d_h, k_w * d_w, c_in, c_out))
        spread = spread[: (k_h - 1) * d_h + 1, : (k_w - 1) * d_w + 1]
        y = tf.nn.conv2d(x, spread, setting["stride"], tensorflow_padding(setting["padding"]))
        y = tf.nn.bias_add(y, b)
    upstream = rng.standard_normal(y.shape).astype(images.dtype)
    expected = tape.gradient(y, [x, w, b], output_gradients=tf.constant(upstream))
    actual = ops.conv2d_gradient(upstream, images, kernels, **setting)
    for name, ours, theirs in zip(["d_images", "d_kernels", "d_bias"], actual, expected, strict=True):
        assert_close(ours, theirs, name)


def conv2d_in_loops(images, kernels, bias, stride, padding, dilation, flip):
    """The definition: loops over the output's rows and columns and the kernel's rows and columns."""
    padded = np.pad(images, ((0, 0), *padding, (0, 0)))
    (k_h, k_w, _, c_out), (_, height, width, _) = kernels.shape, padded.shape
    rows = range(0, height - (k_h - 1) * dilation[0], stride[0])
    columns = range(0, width - (k_w - 1) * dilation[1], stride[1])
    output = np.zeros((len(images), len(rows), len(columns), c_out))
    for y, row in enumerate(rows):
        for x, column in enumerate(columns):
            for i in range(k_h):
                for j in range(k_w):
                    weights = kernels[k_h - 1 - i, k_w - 1 - j] if flip else kernels[i, j]
                    output[:, y, x] += padded[:, row + i * dilation[0], column + j * dilation[1]] @ weights
    return output + bias


@same_examples
@given(case=convolutions(explicit_paddings), flip=st.booleans())
def test_conv2d_equals_four_loops(case, flip):
    _, images, kernels, bias, setting = case
    images, kernels, bias = images.astype(float), kernels.astype(float), bias.astype(float)
    expected = conv2d_in_loops(images, kernels, bias, **setting, flip=flip)
    assert_close(ops.conv2d(images, kernels, bias, **setting, flip=flip), expected, f"{setting}, flip={flip}")


@pytest.mark.parametrize("flip", [False, True])
def test_conv2d_equals_scipy(flip):
    rng = np.random.default_rng(0)
    image, kernel = rng.standard_normal((9, 12)), rng.standard_normal((3, 5))
    function = signal.convolve2d if flip else signal.correlate2d
    for padding, mode in [("valid", "valid"), ("same", "same"), (((2, 2), (4, 4)), "full")]:
        ours = ops.conv2d(image[None, :, :, None], kernel[:, :, None, None], padding=padding, flip=flip)
        assert_close(ours[0, :, :, 0], function(image, kernel, mode=mode), mode)


@pytest.mark.parametrize("values_in_table", [1, 200, 700, 1100])
def test_conv2d_in_several_tables(monkeypatch, values_in_table):
    # One image of the five fills 7 * 6 * 12 = 504 values: one or some rows to a table, one image, or two.
    rng = np.random.default_rng(0)
    images, kernels = rng.standard_normal((5, 9, 8, 1)), rng.standard_normal((4, 3, 1, 2))
    upstream = rng.standard_normal((5, 7, 6, 2))
    setting = dict(padding=((1, 0), (0, 0)))
    monkeypatch.setattr(ops, "VALUES_IN_TABLE", 10**9)
    whole = [ops.conv2d(images, kernels, **setting), *ops.conv2d_gradient(upstream, images, kernels, **setting)]
    monkeypatch.setattr(ops, "VALUES_IN_TABLE", values_in_table)
    parts = [ops.conv2d(images, kernels, **setting), *ops.conv2d_gradient(upstream, images, kernels, **setting)]
    for one, other in zip(parts, whole, strict=True):
        assert_close(one, other, f"tables of {values_in_table} values")


def test_a_large_kernel_takes_little_memory():
    images, kernels = np.ones((1, 200, 200, 1), np.float32), np.ones((31, 31, 1, 1), np.float32)
    tracemalloc.start()
    try:
        ops.conv2d(images, kernels)
        megabytes = tracemalloc.get_traced_memory()[1] / 2**20
    finally:
        tracemalloc.stop()
    assert megabytes < 10, f"{megabytes:.0f} MB; a table of all windows would take 106 MB"


def test_example_of_the_article_for_convolution():
    image = np.arange(1, 10).reshape(1, 3, 3, 1)
    cross = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]]).reshape(3, 3, 1, 1)
    padded = ops.conv2d(image, cross, padding="same")[0, :, :, 0]
    np.testing.assert_array_equal(padded, [[7, 11, 11], [17, 25, 23], [19, 29, 23]])
    np.testing.assert_array_equal(ops.conv2d(image, cross), [[[[25]]]])


# ---------------------------------------------------------------------------------------------------------------------
# Pooling


@same_examples
@given(case=poolings())
def test_max_pooling_and_its_gradient_equal_tensorflow(tf, case):
    rng, images, window, setting = case
    x = tf.constant(images)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.nn.max_pool2d(x, window, setting["stride"] or window, tensorflow_padding(setting["padding"]))
    assert_close(ops.pool2d(images, window, **setting), y, "output")
    upstream = rng.standard_normal(y.shape).astype(images.dtype)
    expected = tape.gradient(y, x, output_gradients=tf.constant(upstream))
    assert_close(ops.pool2d_gradient(upstream, images, window, **setting), expected, "d_images")


@same_examples
@given(case=poolings(st.sampled_from(["valid", "same"])))
def test_average_pooling_and_its_gradient_equal_tensorflow(tf, case):
    rng, images, window, setting = case
    x = tf.constant(images)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.nn.avg_pool2d(x, window, setting["stride"] or window, setting["padding"].upper())
    assert_close(ops.pool2d(images, window, **setting, kind="average"), y, "output")
    upstream = rng.standard_normal(y.shape).astype(images.dtype)
    expected = tape.gradient(y, x, output_gradients=tf.constant(upstream))
    actual = ops.pool2d_gradient(upstream, images, window, **setting, kind="average")
    assert_close(actual, expected, "d_images")


@same_examples
@given(case=poolings(explicit_paddings))
def test_average_pooling_with_padding_per_side_equals_loops(case):
    # TensorFlow has no average pooling with explicit padding: here the definition is the judge.
    rng, images, window, setting = case
    images = images.astype(float)
    padded = np.pad(images, ((0, 0), *setting["padding"], (0, 0)), constant_values=np.nan)
    step = setting["stride"] or window
    rows = range(0, padded.shape[1] - window[0] + 1, step[0])
    columns = range(0, padded.shape[2] - window[1] + 1, step[1])
    expected = np.empty((len(images), len(rows), len(columns), images.shape[3]))
    upstream = rng.standard_normal(expected.shape)
    gradient = np.zeros_like(padded)
    for y, row in enumerate(rows):
        for x, column in enumerate(columns):
            here = np.s_[:, row : row + window[0], column : column + window[1]]
            expected[:, y, x] = np.nanmean(padded[here], axis=(1, 2))
            real_pixels = np.count_nonzero(~np.isnan(padded[here][0, :, :, 0]))
            gradient[here] += upstream[:, y : y + 1, x : x + 1] / real_pixels
    (top, _), (left, _) = setting["padding"]
    gradient = gradient[:, top : top + images.shape[1], left : left + images.shape[2]]
    assert_close(ops.pool2d(images, window, **setting, kind="average"), expected, "output")
    actual = ops.pool2d_gradient(upstream, images, window, **setting, kind="average")
    assert_close(actual, gradient, "d_images")


def test_example_of_the_article_for_pooling():
    image = np.arange(1, 17).reshape(1, 4, 4, 1)
    np.testing.assert_array_equal(ops.pool2d(image, 2)[0, :, :, 0], [[6, 8], [14, 16]])
    average = ops.pool2d(image, 2, kind="average")[0, :, :, 0]
    np.testing.assert_array_equal(average, [[3.5, 5.5], [11.5, 13.5]])


def test_of_equal_maxima_the_first_gets_the_gradient():
    d_images = ops.pool2d_gradient(np.full((1, 1, 1, 1), 7.0), np.ones((1, 2, 3, 1)), (2, 3))
    np.testing.assert_array_equal(d_images[0, :, :, 0], [[7, 0, 0], [0, 0, 0]])


# ---------------------------------------------------------------------------------------------------------------------
# Activation functions

activations = ["sigmoid", "relu", "tanh"]
# TensorFlow takes subnormal numbers for 0, so that there relu has the derivative 0.
numbers = st.lists(st.floats(-1000, 1000, width=32, allow_subnormal=False), min_size=1, max_size=20)


@pytest.mark.parametrize("name", activations)
@same_examples
@given(values=numbers, dtype=dtypes)
def test_activation_and_its_gradient_equal_tensorflow(tf, name, values, dtype):
    x = np.array([*values, 0.0], dtype)
    variable = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(variable)
        y = getattr(tf.nn, name)(variable)
    assert_close(getattr(ops, name)(x), y, name)
    assert_close(getattr(ops, name + "_gradient")(x), tape.gradient(y, variable), name + "_gradient")


@same_examples
@given(values=numbers, dtype=dtypes, rows=st.integers(1, 3))
def test_softmax_and_its_gradient_equal_tensorflow(tf, values, dtype, rows):
    logits = np.stack([np.multiply(values, 0.1**row) for row in range(rows)]).astype(dtype)
    upstream = np.cos(np.arange(logits.size)).reshape(logits.shape).astype(dtype)
    variable = tf.constant(logits)
    with tf.GradientTape() as tape:
        tape.watch(variable)
        y = tf.nn.softmax(variable)
    assert_close(ops.softmax(logits), y, "softmax")
    expected = tape.gradient(y, variable, output_gradients=tf.constant(upstream))
    assert_close(ops.softmax_gradient(upstream, logits), expected, "softmax_gradient")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_activations_are_stable_far_from_zero(dtype):
    x = np.array([-1000, -100, 0, 100, 1000], dtype)
    with warnings.catch_warnings(), np.errstate(over="raise", invalid="raise", divide="raise"):
        warnings.simplefilter("error")
        results = {name: getattr(ops, name)(x) for name in activations}
        gradients = {name: getattr(ops, name + "_gradient")(x) for name in activations}
        probabilities = ops.softmax(x[[0, 4, 2, 4]])
        d_logits = ops.softmax_gradient(np.array([1, 2, 3, 4], dtype), x[[0, 4, 2, 4]])
    np.testing.assert_allclose(results["sigmoid"], [0, 0, 0.5, 1, 1], atol=1e-40)
    np.testing.assert_array_equal(results["relu"], [0, 0, 0, 100, 1000])
    np.testing.assert_array_equal(results["tanh"], [-1, -1, 0, 1, 1])
    np.testing.assert_allclose(gradients["sigmoid"], [0, 0, 0.25, 0, 0], atol=1e-40)
    np.testing.assert_array_equal(gradients["relu"], [0, 0, 0, 1, 1])
    np.testing.assert_array_equal(gradients["tanh"], [0, 0, 1, 0, 0])
    np.testing.assert_array_equal(probabilities, [0, 0.5, 0, 0.5])
    np.testing.assert_array_equal(d_logits, [0, -0.5, 0, 0.5])


def test_sigmoid_gradient_is_as_exact_far_right_as_far_left():
    np.testing.assert_allclose(ops.sigmoid_gradient([-40.0, 40.0]), np.exp(-40), rtol=1e-12)


# ---------------------------------------------------------------------------------------------------------------------
# All gradients against finite differences


def assert_gradient(function, x, upstream, gradient):
    """gradient is the derivative of sum(upstream * function(x)): central differences, one element after another."""
    step, slopes = 1e-5, np.empty_like(x)
    for index in np.ndindex(x.shape):
        moved = np.zeros_like(x)
        moved[index] = step
        slopes[index] = ((function(x + moved) - function(x - moved)) * upstream).sum() / (2 * step)
    np.testing.assert_allclose(gradient, slopes, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("padding", ["valid", "same", ((2, 0), (1, 3))])
@pytest.mark.parametrize(("stride", "dilation"), [(1, 1), ((2, 1), (1, 2)), ((3, 2), (2, 3))])
def test_conv2d_gradient_equals_finite_differences(stride, dilation, padding, flip):
    rng = np.random.default_rng(0)
    images, kernels, bias = rng.standard_normal((2, 7, 8, 2)), rng.standard_normal((3, 2, 2, 3)), rng.standard_normal(3)
    setting = dict(stride=stride, dilation=dilation, padding=padding, flip=flip)
    upstream = rng.standard_normal(ops.conv2d(images, kernels, bias, **setting).shape)
    d_images, d_kernels, d_bias = ops.conv2d_gradient(upstream, images, kernels, **setting)
    assert_gradient(lambda x: ops.conv2d(x, kernels, bias, **setting), images, upstream, d_images)
    assert_gradient(lambda x: ops.conv2d(images, x, bias, **setting), kernels, upstream, d_kernels)
    assert_gradient(lambda x: ops.conv2d(images, kernels, x, **setting), bias, upstream, d_bias)


@pytest.mark.parametrize("kind", ["max", "average"])
@pytest.mark.parametrize("padding", ["valid", "same", ((2, 0), (1, 1))])
@pytest.mark.parametrize("stride", [None, 1, (3, 1)])
def test_pool2d_gradient_equals_finite_differences(stride, padding, kind):
    rng = np.random.default_rng(0)
    images = rng.permutation(np.linspace(-1, 1, 2 * 6 * 7 * 2)).reshape(2, 6, 7, 2)  # no two values are close
    setting = dict(stride=stride, padding=padding, kind=kind)
    upstream = rng.standard_normal(ops.pool2d(images, (3, 2), **setting).shape)
    d_images = ops.pool2d_gradient(upstream, images, (3, 2), **setting)
    assert_gradient(lambda x: ops.pool2d(x, (3, 2), **setting), images, upstream, d_images)


def test_activation_gradients_equal_finite_differences():
    x = np.linspace(-4, 4, 12).reshape(3, 4)  # 0, where relu has no derivative, is not among them
    upstream = np.cos(x)
    for name in activations:
        assert_gradient(getattr(ops, name), x, upstream, upstream * getattr(ops, name + "_gradient")(x))
    assert_gradient(ops.softmax, x, upstream, ops.softmax_gradient(upstream, x))


# ---------------------------------------------------------------------------------------------------------------------
# Output size, types, inputs


@pytest.mark.parametrize(
    ("size", "kernel", "setting", "expected"),
    [
        (3, 3, {}, 1),
        (4, 2, dict(stride=2), 2),
        (5, 2, dict(stride=2), 2),
        (7, 3, dict(stride=2, padding=(1, 0)), 3),
        (7, 3, dict(dilation=3), 1),
        (224, 7, dict(stride=2, padding=(3, 3)), 112),
        (5, 3, dict(stride=2, padding="same"), 3),
        (6, 3, dict(stride=2, padding="same"), 3),
        (2, 9, dict(dilation=4, padding="same"), 2),
        (1, 1, dict(stride=9, padding="same"), 1),
    ],
)
def test_output_size(size, kernel, setting, expected):
    assert ops.output_size(size, kernel, **setting) == expected


def test_output_size_counts_the_positions_where_the_kernel_fits():
    for size, kernel, stride, dilation, before in np.ndindex(9, 4, 4, 3, 3):
        size, kernel, stride, dilation = size + 1, kernel + 1, stride + 1, dilation + 1
        setting = dict(stride=stride, dilation=dilation)
        reach, padded = dilation * (kernel - 1) + 1, before + size + 1
        if reach <= padded:
            positions = [left for left in range(0, padded, stride) if left + reach <= padded]
            assert ops.output_size(size, kernel, **setting, padding=(before, 1)) == len(positions), (size, setting)
        assert ops.output_size(size, kernel, **setting, padding="same") == len(range(0, size, stride)), (size, setting)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("uint8", "float32"),
        ("int64", "float32"),
        ("bool", "float32"),
        ("float16", "float32"),
        ("float32", "float32"),
        (">f4", "float32"),
        ("float64", "float64"),
        (">f8", "float64"),
    ],
)
def test_types_of_results(given, expected):
    images, kernels = np.ones((1, 4, 4, 1), given), np.ones((2, 2, 1, 1), given)
    output = ops.conv2d(images, kernels, np.ones(1, "float64"))
    results = [output, *ops.conv2d_gradient(np.ones(output.shape), images, kernels)]
    for kind in ["max", "average"]:
        results += [ops.pool2d(images, 2, kind=kind), ops.pool2d_gradient(np.ones((1, 2, 2, 1)), images, 2, kind=kind)]
    for name in ["sigmoid", "relu", "tanh", "softmax", "sigmoid_gradient", "relu_gradient", "tanh_gradient"]:
        results.append(getattr(ops, name)(images))
    results.append(ops.softmax_gradient(np.ones((1, 4, 4, 1)), images))
    assert [result.dtype for result in results] == [np.dtype(expected)] * len(results)


def test_float64_images_or_kernels_make_a_float64_result():
    single, double = np.ones((3, 3, 1, 1), np.float32), np.ones((3, 3, 1, 1), np.float64)
    assert ops.conv2d(single.reshape(1, 3, 3, 1), double).dtype == np.float64
    assert ops.conv2d(double.reshape(1, 3, 3, 1), single).dtype == np.float64


def test_an_8_bit_image_does_not_overflow():
    image = np.full((1, 2, 2, 1), 200, np.uint8)
    assert ops.conv2d(image, np.ones((2, 2, 1, 1), np.uint8)) == 800
    assert ops.pool2d(image, 2, kind="average") == 200
    np.testing.assert_allclose(ops.softmax(np.array([1, 0], np.uint8)), [np.e / (1 + np.e), 1 / (1 + np.e)], rtol=1e-6)


def test_float32_bias_gradient_of_a_large_batch_does_not_drift():
    upstream = np.full((16, 128, 128, 2), 0.1, np.float32)
    d_bias = ops.conv2d_gradient(upstream, np.ones((16, 128, 128, 1), np.float32), np.ones((1, 1, 1, 2), np.float32))[2]
    np.testing.assert_allclose(d_bias, 16 * 128 * 128 * float(np.float32(0.1)), rtol=1e-6)


def test_inputs_are_neither_changed_nor_returned():
    rng = np.random.default_rng(0)
    images, kernels, bias = rng.standard_normal((2, 5, 5, 2)), rng.standard_normal((1, 1, 2, 2)), np.ones(2)
    upstream = rng.standard_normal((2, 5, 5, 2))
    originals = [array.copy() for array in (images, kernels, bias, upstream)]
    results = [ops.conv2d(images, kernels, bias), *ops.conv2d_gradient(upstream, images, kernels, flip=True)]
    for kind in ["max", "average"]:
        results += [ops.pool2d(images, 1, kind=kind), ops.pool2d_gradient(upstream, images, 1, kind=kind)]
    for name in ["sigmoid", "relu", "tanh", "softmax", "sigmoid_gradient", "relu_gradient", "tanh_gradient"]:
        results.append(getattr(ops, name)(images))
    results.append(ops.softmax_gradient(upstream, images))
    for result in results:
        result += 1  # if it shared memory with an input, the input would change
    for now, before in zip((images, kernels, bias, upstream), originals, strict=True):
        np.testing.assert_array_equal(now, before)


def test_matrix_products_do_not_warn():
    # On some Macs every larger product warns, for ordinary numbers. Infinity times 0 warns on every machine.
    images, kernels = np.full((1, 3, 3, 1), np.inf), np.zeros((2, 2, 1, 1))
    upstream = np.full((1, 2, 2, 1), np.inf)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isnan(ops.conv2d(images, kernels)).all()
        assert np.isnan(ops.conv2d_gradient(upstream, images, kernels)[0]).all()
        assert np.isnan(ops.conv2d_gradient(np.zeros_like(upstream), images, kernels)[1]).all()


def test_the_module_needs_numpy_alone():
    heavy = "['tensorflow', 'keras', 'scipy', 'matplotlib', 'skimage', 'sklearn']"
    code = f"import sys, course_lib.ops; sys.exit(', '.join(m for m in {heavy} if m in sys.modules) or 0)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, f"importing course_lib.ops imported {result.stderr}"


# ---------------------------------------------------------------------------------------------------------------------
# Errors name the wrong value

image, kernel = np.ones((1, 6, 5, 2)), np.ones((3, 3, 2, 4))
grey = np.ones((1, 6, 5, 1))


def conv(**setting):
    return lambda: ops.conv2d(image, kernel, **setting)


def pool(window=2, **setting):
    return lambda: ops.pool2d(image, window, **setting)


@pytest.mark.parametrize(
    ("call", "fragments"),
    [
        # arrays
        (lambda: ops.conv2d(image[0], kernel), ["images has 3 axes", "(6, 5, 2)", "must have 4"]),
        (lambda: ops.conv2d(image, kernel[..., 0]), ["kernels has 3 axes", "(3, 3, 2)", "must have 4"]),
        (lambda: ops.conv2d(grey, kernel), ["1 channel", "(1, 6, 5, 1)", "for 2", "(3, 3, 2, 4)"]),
        (lambda: ops.conv2d(image[:0], kernel), ["images has shape (0, 6, 5, 2)", "no values"]),
        (lambda: ops.conv2d(image[:, :0], kernel), ["images has shape (1, 0, 5, 2)", "no values"]),
        (lambda: ops.conv2d(image, kernel[:, :0]), ["kernels has shape (3, 0, 2, 4)", "no values"]),
        (lambda: ops.conv2d(image.astype(complex), kernel), ["images", "complex128", "real numbers"]),
        (lambda: ops.conv2d(image, kernel.astype(str)), ["kernels", "<U", "real numbers"]),
        (lambda: ops.conv2d(image, kernel, np.ones(3)), ["bias has shape (3,)", "(4,)"]),
        (lambda: ops.conv2d(image, kernel, 0.5), ["bias has shape ()", "(4,)"]),
        (lambda: ops.conv2d(image, kernel, np.ones((1, 4))), ["bias has shape (1, 4)", "(4,)"]),
        # stride and dilation
        (conv(stride=0), ["stride is 0", "at least 1"]),
        (conv(stride=(1, -2)), ["stride is -2", "at least 1"]),
        (conv(stride=1.5), ["stride is 1.5", "whole number"]),
        (conv(stride=2.0), ["stride is 2.0", "whole number"]),
        (conv(stride=True), ["stride is True", "whole number"]),
        (conv(stride="2"), ["stride is '2'", "whole number"]),
        (conv(stride=(1, 2, 1)), ["stride is (1, 2, 1)", "pair"]),
        (conv(dilation=0), ["dilation is 0", "at least 1"]),
        (conv(dilation=(-1, 1)), ["dilation is -1", "at least 1"]),
        (conv(dilation=0.5), ["dilation is 0.5", "whole number"]),
        # padding
        (conv(padding="full"), ["padding is 'full'", "'valid', 'same'"]),
        (conv(padding=1), ["padding is 1", "'valid', 'same'"]),
        (conv(padding=(1, 2)), ["padding is (1, 2)", "((top, bottom), (left, right))"]),
        (conv(padding=("same", "same")), ["padding is ('same', 'same')", "((top, bottom), (left, right))"]),
        (conv(padding=((0, -3), (0, 0))), ["padding is (0, -3)", "0 or more"]),
        (conv(padding=((0, 0), (0.5, 0))), ["padding is (0.5, 0)", "whole numbers"]),
        # a kernel that does not fit
        (lambda: ops.conv2d(image, np.ones((7, 3, 2, 1))), ["size 7", "spans 7 pixels", "only 6"]),
        (conv(dilation=(1, 3)), ["size 3", "dilation 3", "spans 7 pixels", "only 5"]),
        (conv(dilation=4, padding=((1, 1), (1, 0))), ["spans 9 pixels", "only 8", "6 and 1 + 1 of padding"]),
        # the gradient checks what conv2d checks, and upstream
        (lambda: ops.conv2d_gradient(image, image, kernel), ["upstream has shape (1, 6, 5, 2)", "(1, 4, 3, 4)"]),
        (lambda: ops.conv2d_gradient(image, grey, kernel), ["1 channel", "for 2"]),
        (lambda: ops.conv2d_gradient(image, image, kernel, stride=0), ["stride is 0"]),
        # pooling
        (lambda: ops.pool2d(image[0], 2), ["images has 3 axes", "(6, 5, 2)"]),
        (lambda: ops.pool2d(image[:, :, :0], 2), ["images has shape (1, 6, 0, 2)", "no values"]),
        (pool(0), ["window is 0", "at least 1"]),
        (pool((2, 1.5)), ["window is 1.5", "whole number"]),
        (pool((2, 2, 2)), ["window is (2, 2, 2)", "pair"]),
        (pool((2, 6)), ["size 6", "only 5"]),
        (pool(stride=0), ["stride is 0", "at least 1"]),
        (pool(padding="reflect"), ["padding is 'reflect'"]),
        (pool(padding=((0, 0), (0, 2))), ["padding of 2 pixels", "window of 2"]),
        (pool(kind="min"), ["kind is 'min'", "'max' or 'average'"]),
        (lambda: ops.pool2d_gradient(image, image, 2), ["upstream has shape (1, 6, 5, 2)", "(1, 3, 2, 2)"]),
        (lambda: ops.pool2d_gradient(image, image, 2, kind="mean"), ["kind is 'mean'"]),
        # activation functions
        (lambda: ops.sigmoid("text"), ["x holds", "real numbers"]),
        (lambda: ops.softmax(3.0), ["logits has shape ()", "at least one class"]),
        (lambda: ops.softmax(np.ones((3, 0))), ["logits has shape (3, 0)", "at least one class"]),
        (lambda: ops.softmax_gradient(np.ones(3), np.ones((2, 3))), ["upstream has shape (3,)", "(2, 3)"]),
        # output_size
        (lambda: ops.output_size(0, 3), ["size is 0", "at least 1"]),
        (lambda: ops.output_size(5, -3), ["kernel is -3", "at least 1"]),
        (lambda: ops.output_size(5, 3, stride=0), ["stride is 0"]),
        (lambda: ops.output_size(5, 3, dilation=0), ["dilation is 0"]),
        (lambda: ops.output_size(5, 3, padding="SAME"), ["padding is 'SAME'", "'valid', 'same'"]),
        (lambda: ops.output_size(5, 3, padding=1), ["padding is 1"]),
        (lambda: ops.output_size(5, 3, padding=np.array([1, 1])), ["padding is array([1, 1])"]),
        (lambda: ops.output_size(4, 9, padding=(2, 1)), ["size 9", "only 7", "4 and 2 + 1 of padding"]),
    ],
)
def test_errors_name_the_wrong_value(call, fragments):
    with pytest.raises(ValueError) as error:
        call()
    for fragment in fragments:
        assert fragment in str(error.value)
