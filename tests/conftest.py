"""All tests draw without a screen and keep off the student's own files; claims that do not hold raise."""

import os
import tempfile
from pathlib import Path


def pytest_addoption(parser):
    parser.addoption("--every-lesson", action="store_true", help="in a browser: all lessons, not the first alone")


def pytest_configure(config):
    """Before any test module is imported: processes that tests start inherit these settings."""
    folder = tempfile.TemporaryDirectory(prefix="course-tests-", ignore_cleanup_errors=True)
    config.add_cleanup(folder.cleanup)
    os.environ["MPLBACKEND"] = "Agg"
    os.environ["COURSE_TESTING"] = "1"  # a claim that does not hold raises
    os.environ["COURSE_WORK"] = str(Path(folder.name, "work"))
