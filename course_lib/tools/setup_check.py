"""Does this machine have what the course needs? Lesson start_here asks."""

import importlib.metadata
import os
import shutil
import sys
import tempfile
from pathlib import Path

import psutil
from packaging.requirements import Requirement

from course_lib import IN_COURSE, ROOT, import_tensorflow, work_folder

NEEDED_MEMORY_GB = 4
NEEDED_DISK_GB = 1
INSTALL = (
    "Run `python3 course.py lab`, which installs them."
    if IN_COURSE
    else "Install course-lib again with pip, which installs them."
)


def check_setup() -> bool:
    """Print one line for each thing the course needs, with what to do where it is missing; True if all is well."""
    checks = [_python(), _packages(), _tensorflow(), _memory(), _disk(), _work()]
    for good, text in checks:
        print("✔" if good else "✘", text)
    return all(good for good, _ in checks)


def _python():
    version = ".".join(map(str, sys.version_info[:3]))
    if (3, 11) <= sys.version_info[:2] <= (3, 13):
        return True, f"Python {version}"
    return (
        False,
        f"Python {version}: the course needs 3.11, 3.12 or 3.13. Run `python3 course.py lab` with one of them.",
    )


def _needed():
    """What the course requires: by its list, or without the course's folder by what was noted at the installation."""
    if IN_COURSE:
        lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    else:
        lines = importlib.metadata.requires("course-lib") or []
    needed = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return [
        requirement for requirement in needed if not requirement.marker or requirement.marker.evaluate({"extra": ""})
    ]


def _packages():
    wrong = []
    needed = _needed()
    for requirement in needed:
        try:
            version = importlib.metadata.version(requirement.name)
        except importlib.metadata.PackageNotFoundError:
            wrong.append(f"{requirement.name} is missing")
            continue
        if version not in requirement.specifier:
            wrong.append(f"{requirement.name} is {version}, needed is {requirement.specifier}")
    if wrong:
        return False, f"packages: {'; '.join(wrong)}. {INSTALL}"
    return True, f"packages: all {len(needed)} are there"


def _tensorflow():
    try:
        tf = import_tensorflow()
        total = float(tf.reduce_sum(tf.nn.conv2d(tf.ones((1, 3, 3, 1)), tf.ones((3, 3, 1, 1)), 1, "VALID")))
    except Exception as error:  # whatever is wrong with it, the student needs a sentence and the other checks
        return False, f"TensorFlow does not work: {error}. Lessons 00 to 05 need it for comparisons only."
    return total == 9, f"TensorFlow {tf.__version__} convolves: nine ones add up to {total:.0f}"


def _memory():
    memory = psutil.virtual_memory().total / 1e9
    text = f"memory: {memory:.0f} GB"
    if memory >= NEEDED_MEMORY_GB:
        return True, text
    return False, f"{text}; at least {NEEDED_MEMORY_GB} GB are needed. Close other programs, one notebook at a time."


def _disk():
    free = shutil.disk_usage(ROOT).free / 1e9  # the disk that the course, or its package, is on
    text = f"free disk space: {free:.0f} GB"
    return (
        free >= NEEDED_DISK_GB,
        text if free >= NEEDED_DISK_GB else f"{text}; at least {NEEDED_DISK_GB} GB are needed.",
    )


def _work():
    folder = work_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle, path = tempfile.mkstemp(dir=folder)
        os.close(handle)
        Path(path).unlink()
    except OSError as error:
        return False, f"your folder {folder.name}/ cannot be written, so progress would not be kept: {error}"
    return True, "the folder for your own work can be written"
