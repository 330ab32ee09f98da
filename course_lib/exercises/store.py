"""The student's progress over all lessons, kept in work/progress.json."""

import datetime
import importlib
import json
import os
import pkgutil
import tempfile
from pathlib import Path

from filelock import FileLock, Timeout

from course_lib import work_folder


def record(lesson, name, *, correct):
    """Count one attempt at an exercise. What was correct once stays correct.

    Reads, changes and writes under a lock, and replaces the file as a whole, so that two notebooks at once
    or a crash at any moment lose nothing. If the file cannot be written, prints a sentence and goes on:
    the answer was checked all the same.
    """
    try:
        with _locked() as path:
            progress = _read(path)
            entry = progress.setdefault(lesson, {}).setdefault(name, {"attempts": 0, "correct": False})
            entry["attempts"] += 1
            if correct and not entry["correct"]:
                entry.update(correct=True, since=datetime.date.today().isoformat())
            _write(path, progress)
    except (OSError, Timeout) as error:
        print(f"(Your progress could not be saved in {work_folder()}: {error})")


def progress():
    """Print a table of all exercises of the course: done, tried, or still open."""
    try:
        with _locked() as path:
            kept = _read(path)
    except (OSError, Timeout) as error:
        print(f"Your progress could not be read from {work_folder()}: {error}")
        return
    for lesson, names in sorted(_all_exercises().items()):
        entries = [kept.get(lesson, {}).get(name, {"attempts": 0, "correct": False}) for name in names]
        done = sum(entry["correct"] for entry in entries)
        print(f"Lesson {lesson}: {done} of {len(names)} correct")
        for name, entry in zip(names, entries, strict=True):
            mark = "✔" if entry["correct"] else "✘" if entry["attempts"] else "○"
            attempts = f"{entry['attempts']} attempt{'s' * (entry['attempts'] != 1)}" if entry["attempts"] else "open"
            print(f"  {mark} {name:<32} {attempts}")


def _all_exercises():
    """Dict from topic to the names of its exercises, in the order of the lesson."""
    found = {}
    package = importlib.import_module("course_lib.lessons")
    for lesson in pkgutil.iter_modules(package.__path__):
        for value in vars(importlib.import_module(f"{package.__name__}.{lesson.name}.exercises")).values():
            if hasattr(value, "judge") and hasattr(value, "topic") and not isinstance(value, type):
                found.setdefault(value.topic, []).append(value.name)
    return found


class _locked:
    """Hold the lock of the progress file; gives the file's path."""

    def __enter__(self) -> Path:
        folder = work_folder()
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(folder / ".progress.lock", timeout=10)
        self._lock.acquire()
        return folder / "progress.json"

    def __exit__(self, *_):
        self._lock.release()


def _read(path):
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (ValueError, RecursionError):  # not JSON, or not UTF-8
        kept = None
    if _is_progress(kept):
        return kept
    # Never thrown away: a person may be able to repair it.
    number = 1
    while (aside := path.with_name(f"progress.damaged-{number}.json")).exists():
        number += 1
    path.rename(aside)
    print(f"({path.name} could not be read. It was kept as {aside.name}, and a new one was started.)")
    return {}


def _is_progress(kept):
    return isinstance(kept, dict) and all(
        isinstance(entries, dict)
        and all(
            isinstance(entry, dict)
            and isinstance(entry.get("attempts"), int)
            and isinstance(entry.get("correct"), bool)
            for entry in entries.values()
        )
        for entries in kept.values()
    )


def _write(path, progress):
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".progress-", suffix=".json")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(progress, file, indent=1, sort_keys=True)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError:  # the disk is full, for instance
        os.unlink(temporary)
        raise
