"""All tests draw without a screen, and keep off the student's own files and the course's cache."""

import os
import tempfile
from pathlib import Path


def pytest_configure(config):
    """Before any test module is imported: processes that tests start inherit these settings."""
    folder = tempfile.TemporaryDirectory(prefix="course-tests-", ignore_cleanup_errors=True)
    config.add_cleanup(folder.cleanup)
    os.environ["MPLBACKEND"] = "Agg"
    os.environ["COURSE_TESTING"] = "1"  # a claim that does not hold raises
    os.environ["COURSE_WORK"] = str(Path(folder.name, "work"))
    os.environ["COURSE_CACHE"] = str(Path(folder.name, "cache"))  # one for the whole session: data take time to make
