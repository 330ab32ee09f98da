"""For nbval: a claim that does not hold raises, and lessons 17 and 18 run on a small generated file.

COURSE_CAPSTONE_DATA, if set, names another file for them.
"""

import os
import tempfile
from pathlib import Path

from course_lib.lessons.capstone.model import write_generated


def pytest_configure(config):
    """Before the first kernel is started: kernels inherit these settings."""
    os.environ["COURSE_TESTING"] = "1"
    if "COURSE_CAPSTONE_DATA" not in os.environ:
        folder = tempfile.TemporaryDirectory(prefix="course-capstone-", ignore_cleanup_errors=True)
        config.add_cleanup(folder.cleanup)
        path = Path(folder.name, "generated-no-xrays.npz")
        write_generated(path)
        os.environ["COURSE_CAPSTONE_DATA"] = str(path)
