"""Helper library of the course: what a lesson needs and does not teach at that moment.

Arrays are NHWC float32, images are in [0, 1], unless a docstring says otherwise.
Importing this package never imports TensorFlow: the NumPy lessons start in about a second.
"""

import os
from pathlib import Path

import platformdirs

ROOT = Path(__file__).resolve().parent.parent
"""The course's folder: it holds notebooks/, datasets/ and work/. Where only the package is installed, there is none."""

IN_COURSE = (ROOT / "course.py").is_file()
"""Whether this package stands in the course's folder; else it was installed on its own, and writes nothing beside it."""


def work_folder() -> Path:
    """Folder of the student's own files (notebooks, progress, saved models).

    It is $COURSE_WORK if that is set, `work/` in the course's folder, or without that folder the user's place for data.
    """
    if given := os.environ.get("COURSE_WORK"):
        return Path(given).expanduser()
    return ROOT / "work" if IN_COURSE else platformdirs.user_data_path("course-lib", appauthor=False)


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
