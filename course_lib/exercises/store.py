"""The student's progress over all lessons, kept in work/progress.json: {topic: {exercise: {attempts, correct, since}}}."""

import contextlib
import datetime
import importlib
import importlib.util
import json
import os
import pkgutil
import shutil

from filelock import FileLock, Timeout

from course_lib import ROOT, work_folder

# The first edition kept progress by the number that a lesson had then.
_FIRST_EDITION = dict(
    zip(
        (f"{number:02}" for number in range(19)),
        "start_here convolution pooling activation network_from_scratch medical_images augmentation first_cnn "
        "training_well architectures evaluation explanations clips_to_sequences rnn_lstm_gru gan synthetic_data "
        "restoration capstone beyond".split(),
        strict=True,
    )
)
# Exercises that have gone to another lesson since.
_MOVED = {
    **dict.fromkeys([("pooling", "max_pool_gradient"), ("activation", "relu_gradient")], "network_from_scratch"),
    **dict.fromkeys([("capstone", n) for n in ("class_weights", "accuracy_elsewhere", "gap")], "capstone_solution"),
    **dict.fromkeys([("beyond", n) for n in ("stranger_file", "mahalanobis", "answered_and_right")], "in_use"),
    **dict.fromkeys([("beyond", n) for n in ("one_bad_group", "cusum", "alarm_rings")], "in_use"),
}


def record(topic, name, *, correct):
    """Count one attempt at an exercise. What was correct once stays correct.

    Reads, changes and writes under a lock, and replaces the file as a whole, so that two notebooks at once
    or a crash at any moment lose nothing. If the file cannot be written, prints a sentence and goes on:
    the answer was checked all the same.
    """
    try:
        # Behind a link into a synchronised folder, the file it points to is replaced, not the link.
        path = _path().resolve()
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_name(".progress.lock"), timeout=3):
            entry = {"attempts": 1, "correct": correct}
            if correct:
                entry["since"] = datetime.date.today().isoformat()
            kept = _read(path, set_aside=True)
            _add(kept.setdefault(topic, {}), name, entry)
            _write(path, kept)
    except (OSError, Timeout) as error:
        print(f"(Your progress could not be saved in {work_folder()}: {error})")


def progress():
    """Print a table of all exercises of the course: done, tried, or still open. Writes nothing."""
    try:
        kept = _read(_path())
    except OSError as error:
        print(f"Your progress could not be read from {work_folder()}: {error}")
        return
    for title, topic, names in _all_exercises():
        entries = [kept.get(topic, {}).get(name, {"attempts": 0, "correct": False}) for name in names]
        print(f"{title}: {sum(entry['correct'] for entry in entries)} of {len(names)} correct")
        for name, entry in zip(names, entries, strict=True):
            mark = "✔" if entry["correct"] else "✘" if entry["attempts"] else "○"
            attempts = f"{entry['attempts']} attempt{'s' * (entry['attempts'] != 1)}" if entry["attempts"] else "open"
            print(f"  {mark} {name:<32} {attempts}")


def _all_exercises():
    """(title, topic, names of its exercises) of each lesson, in the order of the notebooks if they are there."""
    titles = {path.stem[3:]: f"{path.stem[:2]} {path.stem[3:]}" for path in ROOT.glob("notebooks/[0-9][0-9]_*.ipynb")}
    lessons = importlib.import_module("course_lib.lessons")
    found = []
    for info in pkgutil.iter_modules(lessons.__path__, "course_lib.lessons."):
        if importlib.util.find_spec(f"{info.name}.exercises") is not None:
            values = vars(importlib.import_module(f"{info.name}.exercises")).values()
            names = [value.name for value in values if hasattr(value, "judge") and hasattr(value, "topic")]
            topic = info.name.rpartition(".")[2]
            found.append((titles.get(topic, topic), topic, names))
    return sorted(found)


def _path():
    return work_folder() / "progress.json"


def _add(names, name, entry):
    """Join an entry with what is known of the same exercise."""
    known = names.setdefault(name, {"attempts": 0, "correct": False})
    since = min((e["since"] for e in (known, entry) if "since" in e), default=None)
    known |= {"attempts": known["attempts"] + entry["attempts"], "correct": known["correct"] or entry["correct"]}
    known |= {"since": since} if since else {}


def _read(path, *, set_aside=False):
    """What is kept, by topic. What cannot be understood is left out; with `set_aside` a copy of the file is kept then."""
    try:
        stored = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        return {}
    except (ValueError, RecursionError):  # not JSON, or not UTF-8
        stored = None
    kept, understood = {}, isinstance(stored, dict)
    for lesson, names in stored.items() if understood else ():
        topic = _FIRST_EDITION.get(lesson, lesson)
        for name, entry in names.items() if isinstance(names, dict) else [("", None)]:
            if _is_entry(entry):
                _add(kept.setdefault(_MOVED.get((topic, name), topic), {}), name, entry)
            else:
                understood = False
    if set_aside and not understood:
        # Never thrown away: a person may be able to repair it.
        number = 1
        while (aside := path.with_name(f"progress.damaged-{number}.json")).exists():
            number += 1
        shutil.copy(path, aside)
        print(f"(Some of {path.name} could not be read. It was kept as {aside.name}, and what could be read goes on.)")
    return kept


def _is_entry(entry):
    return (
        isinstance(entry, dict)
        and type(entry.get("attempts")) is int
        and entry["attempts"] >= 0
        and isinstance(entry.get("correct"), bool)
        and isinstance(entry.get("since", ""), str)
    )


def _write(path, kept):
    if path.exists() and not os.access(path, os.W_OK):
        raise PermissionError(f"{path} is write-protected")
    temporary = path.with_name(".progress.tmp")  # one name, under the lock: a crash leaves one such file at most
    try:
        with temporary.open("w", encoding="utf-8") as file:
            json.dump(kept, file, indent=1, sort_keys=True)
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            shutil.copymode(path, temporary)
        os.replace(temporary, path)
    except OSError:  # the disk is full, for instance
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
