"""How long a convolution takes: course_lib.ops, TensorFlow and SciPy on the same arrays, in one run.

Each may use one thread: SciPy's functions have no more, and with several the libraries would wait for each other's. The
processor's time says what a function costs; the time on the clock also holds what else the computer did meanwhile.

    python -m course_lib.lessons.convolution.experiment [--quick]
"""

import time

import numpy as np
from scipy import signal

from course_lib import import_tensorflow, ops
from course_lib.tools.experiment import main

RUNS = {"convolution_speed": [0]}
REPEATS = 100
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
    """Milliseconds of every call, name -> {"cpu": list, "clock": list}: the processor's time, that of all threads together,
    and the time that passed. The functions take turns, so that a busy moment meets all of them."""
    milliseconds = {name: {"cpu": [], "clock": []} for name in functions}
    for _ in range(REPEATS):
        for name, function in functions.items():
            cpu, clock = time.process_time(), time.perf_counter()
            function()
            milliseconds[name]["cpu"].append(1000 * (time.process_time() - cpu))
            milliseconds[name]["clock"].append(1000 * (time.perf_counter() - clock))
    return milliseconds


def convolution_speed(seed, quick=False):
    """A convolution without padding, float32, one thread for each library. Of 100 calls taken in turns: the least time of
    the processor (cpu_ms), and the least and the middle one on the clock (least_ms, median_ms).

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
                cpu, clock = times[name]["cpu"], times[name]["clock"]
                row |= {"cpu_ms": min(cpu), "least_ms": min(clock), "median_ms": np.median(clock)}
                row |= {"calls": len(clock), "threads": 1}
            rows.append(row)
    return rows


if __name__ == "__main__":
    main("convolution", RUNS, {"convolution_speed": convolution_speed}, tolerance={"convolution_speed": 0.001})
