"""How long a convolution takes: course_lib.ops, TensorFlow and SciPy on the same arrays, in one run.

Each may use one thread: SciPy's functions have no more, and with several the libraries would wait for each other's.

    python -m course_lib.lessons.convolution.experiment [--quick]
"""

import time

import numpy as np
from scipy import signal

from course_lib import import_tensorflow, ops
from course_lib.tools.experiment import main

RUNS = {"convolution_speed": [0]}
REPEATS = 40
CASES = [  # images, kernels
    ((8, 128, 128, 3), (3, 3, 3, 32)),
    ((1, 512, 512, 1), (3, 3, 1, 1)),
    ((1, 512, 512, 1), (15, 15, 1, 1)),
]


def functions_to_compare(tf, images, kernels):
    """Name -> function without arguments that returns the feature maps (n, h, w, c_out)."""
    tf_images, tf_kernels = tf.constant(images), tf.constant(kernels)
    functions = {
        "course_lib.ops.conv2d": lambda: ops.conv2d(images, kernels),
        "tf.nn.conv2d": lambda: tf.nn.conv2d(tf_images, tf_kernels, 1, "VALID").numpy(),
    }
    if images.shape[0] == images.shape[3] == kernels.shape[3] == 1:  # SciPy takes one image of one channel
        image, kernel = images[0, :, :, 0], kernels[:, :, 0, 0]
        functions["scipy.signal.correlate2d"] = lambda: signal.correlate2d(image, kernel, "valid")[None, :, :, None]
        turned = kernel[::-1, ::-1]
        functions["scipy.signal.oaconvolve"] = lambda: signal.oaconvolve(image, turned, "valid")[None, :, :, None]
    return functions


def measure(functions):
    """Milliseconds of every call, name -> list. The functions take turns, so that a busy moment meets all of them."""
    milliseconds = {name: [] for name in functions}
    for _ in range(REPEATS):
        for name, function in functions.items():
            start = time.perf_counter()
            function()
            milliseconds[name].append(1000 * (time.perf_counter() - start))
    return milliseconds


def convolution_speed(seed, quick=False):
    """A convolution without padding, float32, one thread: median and quartiles of 40 calls taken in turns.

    The quick run compares the results of one call and takes no times.
    """
    tf = import_tensorflow()
    rng = np.random.default_rng(seed)
    rows = []
    for shapes in CASES:
        functions = functions_to_compare(tf, *(rng.standard_normal(shape, np.float32) for shape in shapes))
        first = {name: function() for name, function in functions.items()}  # the first call of each is slow
        expected = first["tf.nn.conv2d"]
        for output in first.values():
            np.testing.assert_allclose(output, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())
        times = {} if quick else measure(functions)
        images, kernels = ("×".join(map(str, shape)) for shape in shapes)
        for name, output in first.items():
            row = {"images": images, "kernels": kernels, "function": name}
            if quick:
                row["spread of the result"] = output.std()
            else:
                low, median, high = np.percentile(times[name], [25, 50, 75]).round(2)
                row |= {"median_ms": median, "lower_quartile_ms": low, "upper_quartile_ms": high}
            rows.append(row)
    return rows


if __name__ == "__main__":
    main("convolution", RUNS, {"convolution_speed": convolution_speed}, tolerance={"convolution_speed": 0.001})
