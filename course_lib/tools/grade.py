"""Mark handed-in notebooks: run the exercises' checks over them, and write a table and a report for each student.

    python3 course.py grade FOLDER

FOLDER holds a folder for each student with the notebooks in it, or files called STUDENT_NN_topic.ipynb, or both. Nothing
in it is changed; what is written goes into a new folder beside it.

The code of a notebook runs in a sandbox, which knows no marks: it hands out what the student's function returns, as plain
data, and the check judges them here. So nothing that a notebook prints, changes or pretends can make an answer right.
"""

import argparse
import base64
import csv
import datetime
import importlib
import itertools
import os
import re
import stat
import sys
import textwrap
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from course_lib import ROOT
from course_lib.exercises import compare, limits
from course_lib.exercises.engine import CORRECT, NOT_ATTEMPTED, NOT_YET, Verdict
from course_lib.tools import sandbox
from course_lib.tools.grade_inside import decode, encode

FILE_MB = 30
READ_SECONDS, PREPARE_SECONDS = 60, 60  # to read a notebook; for what an answer needs before it is called
ANSWER_SECONDS = 30  # three times what a student's own check allows: the answer may be the first to import scikit-learn
NOTEBOOK_SECONDS = 300  # for all its checks
WORDS = {CORRECT: "right", NOT_YET: "not yet", NOT_ATTEMPTED: "not attempted"}
ORDER = [NOT_ATTEMPTED, NOT_YET, CORRECT]
LEFT_ALONE = {".ipynb_checkpoints", "__MACOSX", "__pycache__"}
FLAT = re.compile(r"(.+?)[ _-]+\d\d[ _-].*")


@dataclass
class Marked:
    """One file that was handed in: what its exercises got, and sentences for its student and for the teacher."""

    student: str
    path: Path
    lesson: str | None = None
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    project: dict | None = None
    notes: list[str] = field(default_factory=list)
    for_teacher: list[str] = field(default_factory=list)
    digest: str | None = None
    seconds: float = 0.0


# ---- What was handed in ----------------------------------------------------------------------------------------------


def collect(folder):
    """(student, path) of all files under `folder`, in order. A link is listed and not followed."""
    found = []
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith(".") or entry.name in LEFT_ALONE:
            continue
        if entry.is_symlink() or not entry.is_dir():
            flat = FLAT.fullmatch(entry.stem)
            found.append((flat[1] if flat else entry.stem, entry))
            continue
        for place, folders, files in os.walk(entry):
            folders[:] = sorted(set(folders) - LEFT_ALONE)
            paths = [Path(place, name) for name in sorted(files) if not name.startswith(".")]
            found += [(entry.name, path) for path in paths]
            found += [(entry.name, Path(place, name)) for name in folders if Path(place, name).is_symlink()]
        if not any(student == entry.name for student, _ in found):
            found.append((entry.name, None))
    return found


def content_of(path):
    """(the bytes of a file, None) or (None, the sentence that says why it is not read)."""
    try:
        kind = path.lstat()
        if stat.S_ISLNK(kind.st_mode):
            return None, "It is a link to another place, and was not followed."
        if not stat.S_ISREG(kind.st_mode):
            return None, "It is no ordinary file, and was not opened."
        if path.suffix.lower() != ".ipynb":
            return None, "It is no notebook (.ipynb), and was not marked."
        if kind.st_size > FILE_MB * 10**6:
            size = f"It has {kind.st_size / 1e6:.0f} MB, and no more than {FILE_MB} are read"
            return None, f"{size}: clear its outputs (Edit → Clear Outputs of All Cells) and hand it in again."
        return path.read_bytes(), None
    except OSError as error:
        return None, f"It could not be read: {error.strerror}."


def lessons():
    """Topic -> name of the notebook, such as "convolution" -> "01_convolution"."""
    return {path.stem[3:]: path.stem for path in sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))}


def exercises_of(topic):
    """Name -> exercise of a lesson, in the order in which they stand there."""
    values = vars(importlib.import_module(f"course_lib.lessons.{topic}.exercises")).values()
    return {value.name: value for value in values if hasattr(value, "judge") and hasattr(value, "topic")}


# ---- Marking ---------------------------------------------------------------------------------------------------------


def mark(student, path) -> Marked:
    """Mark one file. Whatever it holds, the answer is a Marked; only Ctrl-C and a fault of ours raise."""
    marked, started = Marked(student, path), time.monotonic()
    content, problem = content_of(path)
    if problem:
        marked.notes.append(problem)
        return marked
    with sandbox.Sandbox("course_lib.tools.grade_inside") as box:
        try:
            about = read(box, content)
        except sandbox.Ended as ended:
            about = {"error": True, "words": f"reading it {ended}"}
        if "error" in about:
            marked.notes.append(f"It could not be read as a notebook: {about['words']}")
            return marked
        marked.digest, marked.lesson, marked.project = about["digest"], about["lesson"], about.get("project")
        marked.notes += about["notes"]
        marked.for_teacher += about["for_teacher"]
        if marked.lesson not in lessons():
            marked.lesson = None
            marked.notes.append(
                "It is a notebook of the first edition, whose checks are in the version tagged v0.1.0."
                if about["first_edition"]
                else "It is no lesson of this course: no cell imports a lesson's exercises."
            )
            return marked
        name = lessons()[marked.lesson]
        if name[3:] not in path.stem or not re.search(rf"(?<!\d){name[:2]}(?!\d)", path.stem):
            marked.notes.append(f"Its name is not that of the lesson in it, which is {name}.")
        for exercise in exercises_of(marked.lesson).values():
            attempts = about["attempts"].get(exercise.name, 0)
            left = started + NOTEBOOK_SECONDS
            marked.verdicts[exercise.name] = best_of(box, marked, exercise, attempts, content, left)
    marked.seconds = time.monotonic() - started
    return marked


def read(box, content):
    return box.ask("read", base64.b64encode(content).decode(), seconds=READ_SECONDS)


def best_of(box, marked, exercise, attempts, content, end) -> Verdict:
    """The best verdict on the calls of this exercise's check, as a notebook keeps what was right once."""
    best = Verdict(NOT_ATTEMPTED, "The cell with its check is not in the notebook.")
    for number in range(attempts):
        if best.outcome == CORRECT:
            break
        if time.monotonic() > end:
            return Verdict(NOT_YET, f"Not run: the notebook had used the {NOTEBOOK_SECONDS} seconds that each one has.")
        try:
            if box.process is None:  # an earlier answer ended it
                read(box, content)
            verdict = attempt(box, marked.lesson, exercise, number)
        except sandbox.Ended as ended:
            verdict = Verdict(NOT_YET, f"Your code {ended}.")
        except (ValueError, KeyError, TypeError, RecursionError):  # of `decode`: nonsense in place of a reply
            verdict = Verdict(NOT_YET, f"Your code {box.stop('sent something that is no result')}.")
        if box.process is not None and box.has_started_others():
            box.stop("left other processes running")
        if box.ended is not None:
            marked.for_teacher.append(f"{exercise.name}: was stopped, because it {box.ended}.")
            box.ended = None
        if number == 0 or ORDER.index(verdict.outcome) >= ORDER.index(best.outcome):
            best = verdict
    return best


def attempt(box, lesson, exercise, number) -> Verdict:
    """The verdict on one call of a check: the exercise judges here what the student's function returns in the sandbox."""
    box.printed = 0
    reply = box.ask("prepare", lesson, exercise.name, number, seconds=PREPARE_SECONDS)
    if "error" in reply:
        return Verdict(NOT_YET, str(reply["words"]))
    if "function" not in reply:
        return exercise.judge(decode(reply["value"]))
    indices, interrupted = itertools.count(), []

    def ask(*request):
        try:
            return box.ask(*request, seconds=limits.TIME_LIMIT_SECONDS + 10)
        except KeyboardInterrupt:  # the teacher's, while the check takes it for the student's
            interrupted.append(True)
            raise

    def function(*given):
        answer = ask("call", next(indices))
        while "borrowed" in answer:
            arguments, options = decode(answer["arguments"])
            try:
                value = "value", encode(given[answer["borrowed"]](*arguments, **options))
            except Exception as error:
                value = "error", compare.told(error)
            answer = ask(*value)
        if "error" in answer:
            raise as_raised(answer)
        for mine, theirs in zip(given, decode(answer.get("given", [])), strict=False):
            take_over(mine, theirs)
        return decode(answer["result"])

    if reply.get("back"):
        function.given_back_by = exercise
    verdict = exercise.judge(function)
    if interrupted:
        raise KeyboardInterrupt
    if box.ended is not None:
        return Verdict(NOT_YET, f"Your code {box.ended}.")
    if box.busy:  # the check's own limit of time came first
        box.stop("was still running when its time was over")
    if verdict.outcome != CORRECT and reply.get("trouble"):
        return Verdict(verdict.outcome, f"{verdict.message} ({reply['trouble']})")
    return verdict


def as_raised(reply):
    """The exception that a student's code raised, by its name and words."""
    name = str(reply["error"])
    if name == "NotImplementedError":
        return NotImplementedError()
    return type(name if name.isidentifier() else "Exception", (Exception,), {})(str(reply["words"]))


def take_over(mine, theirs):
    """Change an argument in place as the student's function has changed its own: the check looks for that."""
    if isinstance(mine, list) and isinstance(theirs, list):
        mine[:] = theirs
    elif isinstance(mine, dict) and isinstance(theirs, dict):
        mine.clear()
        mine.update(theirs)
    elif getattr(mine, "shape", ()) and getattr(mine, "shape", None) == getattr(theirs, "shape", None):
        mine[...] = theirs


# ---- What is written -------------------------------------------------------------------------------------------------


def plain(text, length=600):
    """A student's text in one line, without anything that a terminal would act on."""
    text = " ".join("".join(letter if letter.isprintable() else " " for letter in str(text)).split())
    return text if len(text) <= length else text[: length - 1] + "…"


def wrapped(text, indent="    "):
    return textwrap.fill(plain(text, 4000), 100, initial_indent=indent, subsequent_indent=indent)


def best_by_lesson(files):
    """topic -> exercise -> verdict of all files of one student, the best where several hold the same lesson."""
    best = defaultdict(dict)
    for file in files:
        for name, verdict in file.verdicts.items():
            known = best[file.lesson].get(name)
            if known is None or ORDER.index(verdict.outcome) > ORDER.index(known.outcome):
                best[file.lesson][name] = verdict
    return best


def report(student, files, folder) -> str:
    """One student's report, as text."""
    lines = [f"Marks of {plain(student)}", ""]
    for topic, verdicts in sorted(best_by_lesson(files).items(), key=lambda item: lessons()[item[0]]):
        right = sum(verdict.outcome == CORRECT for verdict in verdicts.values())
        lines += [f"{lessons()[topic]}: {right} of {len(verdicts)} right"]
        for name, verdict in verdicts.items():
            lines += [f"  {name:<28} {WORDS[verdict.outcome]}", wrapped(verdict.message)]
        lines += [""]
    for file in files:
        if file.project:
            lines += [*project_lines(file.project), ""]
    lines += ["What was read"]
    for file in files:
        if file.path is None:
            lines += ["  The folder is empty: nothing was handed in."]
            continue
        lines += [f"  {plain(file.path.relative_to(folder))}: {file.seconds:.0f} s"]
        lines += [wrapped(note) for note in file.notes]
    for topic, count in Counter(file.lesson for file in files if file.lesson).items():
        if count > 1:
            lines += [
                wrapped(
                    f"Lesson {lessons()[topic]} was handed in {count} times: of each exercise the best counts.", "  "
                )
            ]
    return "\n".join(lines) + "\n"


def project_lines(project):
    """The capstone's rubric: what the machine noticed, what the student argues and where, and room for the points."""
    yield "Project: the points are the teacher's. The numbers are those in the notebook; nothing was trained again."
    if "problem" in project:
        yield wrapped(f"There is nothing to judge: {project['problem']}")
        return
    for name, points in project["rubric"].items():
        cell, words = project["claims"][name]
        yield f"  {name:<28} ____ of {points}"
        yield from (wrapped(f"Noticed: {remark}") for remark in project["remarks"][name])
        place = f"cell {cell}" if cell else "in no cell: what stands on the card was not written in this notebook"
        yield wrapped(f"Argued ({place}): {words}" if words else "Argued: nothing")


def table(students) -> list[list[str]]:
    """Rows of text: a heading, then for each student "3 of 8" for each lesson that anybody handed in, and the sum."""
    best = {student: best_by_lesson(files) for student, files in students.items()}
    topics = [topic for topic in lessons() if any(topic in verdicts for verdicts in best.values())]
    rows = [["student", *(lessons()[topic] for topic in topics), "right"]]
    for student, verdicts in best.items():
        right = {topic: sum(verdict.outcome == CORRECT for verdict in verdicts[topic].values()) for topic in verdicts}
        cells = [f"{right[topic]} of {len(verdicts[topic])}" if topic in right else "" for topic in topics]
        rows.append([plain(student, 40), *cells, str(sum(right.values()))])
    return rows


def remarks(students):
    """Sentences for the teacher: what was stopped, what looks copied, and what this system did not limit."""
    for student, files in students.items():
        for file in files:
            where = plain(f"{student}, {file.path.name}" if file.path else student)
            yield from (f"{where}: {plain(text)}" for text in file.for_teacher)
    owners = defaultdict(list)
    for student, files in students.items():
        for file in files:
            if file.digest and any(verdict.outcome == CORRECT for verdict in file.verdicts.values()):
                owners[file.digest].append(plain(f"{student} ({file.path.name})"))
    yield from (
        f"The same cells to the last letter: {', '.join(names)}." for names in owners.values() if len(names) > 1
    )


def aligned(rows):
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def write_csv(path, rows):
    """A table for any spreadsheet. A text that it would take for a formula begins with an apostrophe."""
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        for row in rows:
            csv.writer(file).writerow([f"'{cell}" if str(cell)[:1] in tuple("=+-@") else cell for cell in row])


def write(out, students) -> str:
    """Write the tables of all students marked so far. Returns the readable one."""
    rows = table(students)
    marks = [["student", "lesson", "exercise", "mark", "right"]]
    for student, files in students.items():
        for topic, verdicts in best_by_lesson(files).items():
            for name, verdict in verdicts.items():
                right = int(verdict.outcome == CORRECT)
                marks.append([plain(student), lessons()[topic], name, WORDS[verdict.outcome], right])
    write_csv(out / "marks.csv", marks)
    write_csv(out / "table.csv", rows)
    parts = [aligned(rows)]
    for heading, sentences in [
        ("To look at", remarks(students)),
        ("What this system could not limit", sandbox.left_open()),
    ]:
        if listed := list(dict.fromkeys(sentences)):
            parts.append("\n".join([heading, *(wrapped(sentence, "  ") for sentence in listed)]))
    text = "\n\n".join(parts) + "\n"
    (out / "table.txt").write_text(text, encoding="utf-8")
    return text


def new_folder(folder, today=None) -> Path:
    """Make the folder for what is written, beside the one that was handed in, under a name that is free."""
    stem, number = f"{folder.name}-marks-{today or datetime.date.today().isoformat()}", 1
    out = folder.with_name(stem)
    while out.exists():
        number += 1
        out = folder.with_name(f"{stem}-{number}")
    out.mkdir()
    return out


def main(arguments=None):
    """Mark the folder that the command line names. Returns the exit status: 0, or 2 if there is nothing to mark."""
    parser = argparse.ArgumentParser(prog="course.py grade", description=__doc__.splitlines()[0])
    parser.add_argument("folder", help="holds STUDENT/NN_topic.ipynb, or STUDENT_NN_topic.ipynb")
    folder = Path(parser.parse_args(arguments).folder).resolve()
    handed_in = defaultdict(list)
    for student, path in collect(folder) if folder.is_dir() else []:
        handed_in[student].append(path)
    if not handed_in:
        print(f"{folder} is no folder with notebooks in it: nothing was marked.", file=sys.stderr)
        return 2
    limits.TIME_LIMIT_SECONDS = ANSWER_SECONDS
    out = new_folder(folder)
    (out / "reports").mkdir()
    for sentence in sandbox.left_open():
        print(wrapped(sentence, ""))
    students: dict[str, list[Marked]] = {}
    for student, paths in handed_in.items():
        students[student] = files = [mark(student, path) if path else Marked(student, None) for path in paths]
        (out / "reports" / f"{student}.txt").write_text(report(student, files, folder), encoding="utf-8")
        text = write(out, students)
        right = sum(verdict.outcome == CORRECT for file in best_by_lesson(files).values() for verdict in file.values())
        print(f"{plain(student)}: {right} right, {sum(file.seconds for file in files):.0f} s", flush=True)
    print(f"\n{text}\nThe tables and a report for each student are in {out}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except RuntimeError as error:  # the sandbox did not start
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("Stopped. Who was marked until then stands in the tables.")
