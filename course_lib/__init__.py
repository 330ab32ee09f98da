"""Helper library of the course: what a lesson needs and does not teach at that moment.

Arrays are NHWC float32, images are in [0, 1], unless a docstring says otherwise.
Importing this package never imports TensorFlow: the NumPy lessons start in about a second.
"""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
"""The course's folder: it holds notebooks/, datasets/ and work/."""


def work_folder() -> Path:
    """Folder of the student's own files (notebooks, progress, saved models): `work/`, or $COURSE_WORK if set."""
    return Path(os.environ.get("COURSE_WORK") or ROOT / "work").expanduser()


def import_tensorflow():
    """Import TensorFlow without its start-up log and return the module.

    The C++ part writes to file descriptor 2 before any setting is read, so TF_CPP_MIN_LOG_LEVEL alone
    does not silence it: the descriptor itself points to nowhere while the import runs. If the import
    fails, the exception is raised as usual.
    """
    # 3: errors as well. Those that matter are raised; on processors without AVX-512 every LSTM would log one that does not.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # oneDNN's kernels are on by default; the message about it is not an error, but it would be stored in a notebook.
    saved = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        import tensorflow as tf

        tf.constant(0)  # the first tensor starts the runtime, which logs once more
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(nowhere)
    return tf
