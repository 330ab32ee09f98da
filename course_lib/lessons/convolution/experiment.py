"""How long a convolution takes: course_lib.ops, TensorFlow and SciPy on the same arrays, in one run.

Each may use one thread. SciPy's functions have no more, and with several the libraries would wait for each other's.
Run from the course's folder: python course_lib/lessons/convolution/experiment.py. Writes course_lib/lessons/convolution/results/convolution_speed.json.
"""

import json
import os
import platform
import time

import numpy as np
import scipy
from scipy import signal
from threadpoolctl import threadpool_limits

from course_lib import ROOT, import_tensorflow, ops

SEED = 0
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
    expected = functions["tf.nn.conv2d"]()
    for function in functions.values():  # also the first, slow call of each
        np.testing.assert_allclose(function(), expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())
    milliseconds = {name: [] for name in functions}
    for _ in range(REPEATS):
        for name, function in functions.items():
            start = time.perf_counter()
            function()
            milliseconds[name].append(1000 * (time.perf_counter() - start))
    return milliseconds


def main():
    start = time.perf_counter()
    threadpool_limits(1)
    os.environ["TF_NUM_INTRAOP_THREADS"] = "1"
    tf = import_tensorflow()
    rng = np.random.default_rng(SEED)
    rows = []
    for images_shape, kernels_shape in CASES:
        images = rng.standard_normal(images_shape, np.float32)
        kernels = rng.standard_normal(kernels_shape, np.float32)
        for name, times in measure(functions_to_compare(tf, images, kernels)).items():
            low, median, high = np.percentile(times, [25, 50, 75]).round(2).tolist()
            images_text, kernels_text = "×".join(map(str, images_shape)), "×".join(map(str, kernels_shape))
            row = dict(images=images_text, kernels=kernels_text, function=name)
            rows.append(row | dict(median_ms=median, lower_quartile_ms=low, upper_quartile_ms=high))
            print(f"{images_text} with {kernels_text}: {name:26} {median:8.2f} ms ({low:.2f} to {high:.2f})")
    result = dict(
        what=f"A convolution without padding, float32, one thread: median and quartiles of {REPEATS} calls taken in turns.",
        command="python course_lib/lessons/convolution/experiment.py",
        versions=dict(
            python=platform.python_version(),
            numpy=np.__version__,
            scipy=scipy.__version__,
            tensorflow=tf.__version__,
            system=f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        ),
        seeds=[SEED],
        seconds=round(time.perf_counter() - start, 1),
        rows=rows,
    )
    folder = ROOT / "course_lib/lessons/convolution/results"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "convolution_speed.json").write_text(
        json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )


if __name__ == "__main__":
    main()
