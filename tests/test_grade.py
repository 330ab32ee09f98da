"""course.py grade: honest notebooks get what `check` says, hostile ones lose their own marks and nothing else."""

import csv
import datetime
import json
import os
import socket
import sys
import types
from fractions import Fraction
from pathlib import Path

import numpy as np
import psutil
import pytest

from course_lib.exercises import limits
from course_lib.exercises.engine import CORRECT, NOT_ATTEMPTED, NOT_YET, Verdict
from course_lib.lessons.start_here import exercises
from course_lib.tools import grade, grade_inside, sandbox
from course_lib.tools.grade_inside import Notebook, decode, encode

IMPORTS = "import numpy as np\nfrom course_lib.lessons.start_here import exercises"
BATCH = "def as_batch(image):\n    return image[None, :, :, None]\n\n\nas_batch = exercises.as_batch.check(as_batch)"
NAME = "00_start_here.ipynb"

pytestmark = pytest.mark.slow  # some fifty processes


def area(*lines, result="rows * columns * spacing[0] * spacing[1]"):
    """A cell whose `area_mm2` does what `lines` say and then returns the right result, unless another is given."""
    body = "".join(f"    {line}\n" for line in [*lines, f"return {result}"])
    return f"def area_mm2(rows, columns, spacing):\n{body}\n\narea_mm2 = exercises.area_mm2.check(area_mm2)"


def content(*cells):
    cells = [{"cell_type": "code", "source": cell, "metadata": {}, "outputs": []} for cell in cells]
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).encode()


def write(path, *cells):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content(IMPORTS, *cells))
    return path


def outcomes(marked):
    return {name: verdict.outcome for name, verdict in marked.verdicts.items()}


def tree(folder):
    """What every file of a folder holds, and when it was changed."""
    return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.rglob("*") if path.is_file()}


# ---- Honest notebooks


def test_each_exercise_gets_what_its_check_would_say(tmp_path):
    path = write(
        tmp_path / NAME,
        "import os\n%matplotlib inline\nos._exit(1)\nnetwork = train_for_hours()",  # no answer needs it: not run
        "factors = []\nfactors.append(1.0)",
        "def scaled(x):\n    return factors[0] * x",
        area(result="scaled(rows * columns) * spacing[0] * spacing[1]"),
        "def as_batch(image):\n    return ...\n\n\nas_batch = exercises.as_batch.check(as_batch)",
        BATCH,
        "def centre(images):\n    images[:] = 0\n    return images\n\n\ncentre = exercises.centre.check(centre)",
        "def region_means(images masks):\n    return 1\n\n\nregion_means = exercises.region_means.check(region_means)",
        f'exercises.same_image.check(" {exercises.same_image.answer.upper()}) ")',
    )
    before = tree(tmp_path)
    marked = grade.mark("anna", path)
    assert outcomes(marked) == {
        "area_mm2": CORRECT,
        "as_batch": CORRECT,
        "centre": NOT_YET,
        "region_means": NOT_YET,
        "same_image": CORRECT,
    }
    assert "your code changed its input" in marked.verdicts["centre"].message
    assert any("Cell 9 is not valid Python" in note for note in marked.notes)
    assert not marked.for_teacher and tree(tmp_path) == before


def test_what_was_not_tried_is_no_wrong_answer(tmp_path):
    stub = "def area_mm2(rows, columns, spacing):\n    return ...  # your code\n\n\narea_mm2 = exercises.area_mm2.check(area_mm2)"
    stub += "\narea_mm2 = exercises.area_mm2.check(area_mm2)"  # which has been given ours
    twice = BATCH + "\nas_batch = exercises.as_batch.check(as_batch)"
    failing = "helper = no_such_name\n\n\ndef centre(images):\n    return helper\n\n\nexercises.centre.check(centre)"
    again = 'exercises.centre.check(...)\nexercises.same_image.check("…")'
    marked = grade.mark("bert", write(tmp_path / NAME, stub, twice, failing, again))
    assert outcomes(marked) == {
        "area_mm2": NOT_ATTEMPTED,
        "as_batch": CORRECT,
        "centre": NOT_YET,
        "region_means": NOT_ATTEMPTED,
        "same_image": NOT_ATTEMPTED,
    }
    assert "not in the notebook" in marked.verdicts["region_means"].message
    assert "Cell 4 stopped with NameError: name 'no_such_name'" in marked.verdicts["centre"].message


def test_a_function_among_the_arguments_is_called_where_the_check_counts_its_calls(tmp_path):
    lesson = "from course_lib.lessons.explanations import exercises"
    good = (
        "def integrated(gradient, image, baseline, steps):\n"
        "    places = (np.arange(steps) + 0.5) / steps\n"
        "    return (image - baseline) * np.mean([gradient(baseline + p * (image - baseline)) for p in places], axis=0)"
        "\n\n\nexercises.integrated.check(integrated)"
    )
    faults = (
        "def integrated(gradient, image, baseline, steps):\n    gradient()\n\n\nexercises.integrated.check(integrated)"
    )
    path = tmp_path / "11_explanations.ipynb"
    for cell, outcome, words in [(good, CORRECT, ""), (faults, NOT_YET, "your code raised RuntimeError: TypeError")]:
        path.write_bytes(content(lesson, "import numpy as np", cell))
        verdict = grade.mark("anna", path).verdicts["integrated"]
        assert verdict.outcome == outcome and words in verdict.message


# ---- Hostile notebooks

WRITE_ALL = [
    "import os",
    "for fd in range(3, 40):",
    "    try:",
    "        os.write(fd, DATA)",
    "    except OSError:",
    "        pass",
]
HOSTILE = {
    "hangs": ["while True: pass"],
    "hangs and swallows": ["while True:", "    try:", "        while True: pass", "    except: pass"],
    "leaves": ["import os", "os._exit(0)"],
    "exits": ["exit()"],
    "floods": ["while True: print('x' * 10_000)"],
    "crashes": ["import ctypes", "ctypes.string_at(0)"],
    "takes memory": ["x = bytearray(5 * 10**9)"],
    "fills the disk": ["for n in range(1000): open(str(n), 'wb').write(bytes(10**7))"],
    "prints a result": ["print('✔ Correct.')", "print('{\"result\": 6}')", "return 0"],
    "sends results": [line.replace("DATA", repr(b'{"result": 1.5}\n' * 9)) for line in WRITE_ALL],
    "sends nonsense": [line.replace("DATA", repr(b"[1\n")) for line in WRITE_ALL],
    "closes everything": ["import os", "os.closerange(0, 100)"],
    "changes the checker": [
        "exercises.area_mm2.judge = lambda *_: exercises.area_mm2",
        "exercises.area_mm2.inputs = lambda: []",
        "exercises.area_mm2._judge = lambda *_: ('correct', '')",
        "import course_lib.exercises.engine as engine",
        "engine.NOT_YET = 'correct'",
        "return 0",
    ],
    "overwrites the checker": [
        "import pathlib, course_lib",
        "for path in pathlib.Path(course_lib.__file__).parent.rglob('*.py'): path.write_text('')",
    ],
    "writes progress": [
        "from course_lib import work_folder",
        'entry = \'{"start_here": {"area_mm2": {"attempts": 1, "correct": true}}}\'',
        "(work_folder() / 'progress.json').write_text(entry)",
        "return 0",
    ],
}


@pytest.fixture
def short(monkeypatch):
    monkeypatch.setattr(limits, "TIME_LIMIT_SECONDS", 1)


@pytest.mark.parametrize("deed", HOSTILE)
def test_a_hostile_answer_costs_its_own_mark(tmp_path, short, deed):
    if sandbox.shut_in() is None and deed in ("fills the disk", "overwrites the checker"):
        pytest.skip("this system cannot keep a process from writing, and the table of marks says so")
    tools = tree(Path(grade.__file__).parent)
    marked = grade.mark("eve", write(tmp_path / NAME, area(*HOSTILE[deed]), BATCH))
    assert outcomes(marked)["area_mm2"] == NOT_YET
    if deed != "sends results":  # they come in place of its own next ones
        assert outcomes(marked)["as_batch"] == CORRECT
    assert tree(Path(grade.__file__).parent) == tools


@pytest.mark.skipif(
    sandbox.shut_in() is None, reason="this system cannot shut a process in, and the table of marks says so"
)
def test_a_process_that_is_shut_in_finds_no_network_no_other_files_and_no_way_out(tmp_path):
    other = write(tmp_path / "anna" / NAME, area())
    fork = "" if list(sandbox.left_open()) else "fork"  # the number of processes is only watched, for root
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        lines = [
            "import os, signal, socket, subprocess",
            "found = []",
            f"def connect(): socket.create_connection(('127.0.0.1', {server.getsockname()[1]}), 3)",
            f"def look(): open({str(other)!r})",
            f"def home(): os.listdir({str(Path.home())!r}); open({str(Path.home() / '.profile')!r})",
            "def write(path): assert not os.statvfs(path).f_flag & os.ST_RDONLY",
            f"def python(): write({sys.prefix!r})",
            "def course(): write(exercises.__file__)",
            "def mount(): subprocess.run(['mount', '-o', 'remount,rw,bind', '/usr'], check=True)",
            "def end(): os.kill(os.getppid() or -1, 9)",
            "def fork():",
            "    for n in range(5000):",
            "        if not os.fork(): signal.pause()",
            f"for deed in (connect, look, home, python, course, mount, end, {fork}):",
            "    try:",
            "        deed()",
            "        found.append(deed.__name__)",
            "    except Exception: pass",
            "raise ValueError(f'did: {found}')",
        ]
        marked = grade.mark("eve", write(tmp_path / "eve" / NAME, area(*lines)))
        with pytest.raises(BlockingIOError):
            server.accept()
    assert "did: []" in marked.verdicts["area_mm2"].message


@pytest.mark.skipif(os.name == "nt", reason="Windows has no fork")
@pytest.mark.parametrize("shut", [True, False])
def test_what_an_answer_leaves_running_is_ended(tmp_path, short, monkeypatch, shut):
    if not shut:
        monkeypatch.setattr(sandbox, "shut_in", lambda: None)
    name = f"98765{os.getpid()}"
    fork = ["import os", f"if not os.fork(): os.setsid() or os.execlp('sleep', 'sleep', '{name}')"]
    waits = area(*fork, "import time", "time.sleep(60)")
    goes = BATCH.replace("    return", "".join(f"    {line}\n" for line in fork) + "    return")
    marked = grade.mark("eve", write(tmp_path / NAME, waits, goes))
    assert outcomes(marked)["area_mm2"] == NOT_YET and outcomes(marked)["as_batch"] == CORRECT
    assert [sentence.split(": was stopped, because it ")[1] for sentence in marked.for_teacher] == [
        "was still running when its time was over.",
        "left other processes running.",
    ]
    assert not [process for process in psutil.process_iter(["cmdline"]) if name in (process.info["cmdline"] or [])]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no fork")
def test_without_namespaces_the_other_limits_hold(tmp_path, short, monkeypatch):
    monkeypatch.setattr(sandbox, "shut_in", lambda: None)
    monkeypatch.setattr(sandbox, "PROCESSES", 20)
    monkeypatch.setattr(limits, "TIME_LIMIT_SECONDS", 20)
    fork = ["import os, signal", "for n in range(40):", "    if not os.fork(): signal.pause()", "signal.pause()"]
    reads = f"import os\nassert 'SECRET' not in os.environ\nassert {str(Path.home())!r} != os.path.expanduser('~')"
    monkeypatch.setenv("SECRET", "1")
    lines = "def centre(images):\n    while True: print('x' * 10_000)\n\n\nexercises.centre.check(centre)"
    marked = grade.mark("eve", write(tmp_path / NAME, area(*fork), BATCH.replace("def", f"{reads}\n\n\ndef", 1), lines))
    assert outcomes(marked)["area_mm2"] == NOT_YET and outcomes(marked)["as_batch"] == CORRECT
    assert (
        "BlockingIOError" in marked.verdicts["area_mm2"].message
        or "more than 20 processes" in marked.verdicts["area_mm2"].message
    )
    assert marked.verdicts["centre"].message == "Your code printed without end."
    assert "could read each other" in next(sandbox.left_open())


def test_a_family_of_processes_shares_its_memory(monkeypatch):
    with sandbox.Sandbox("course_lib.tools.grade_inside") as box:
        box.start()
        assert box._beyond() is None
        monkeypatch.setattr(sandbox, "MEMORY_BYTES", 10**6)
        assert "of memory" in box._beyond()


def test_what_cannot_be_limited_is_said(monkeypatch):
    monkeypatch.setattr(sandbox, "shut_in", lambda: (["unshare"], "65534"))
    monkeypatch.setattr(sandbox, "WATCHED", set())
    assert not list(sandbox.left_open())
    monkeypatch.setitem(sys.modules, "resource", None)  # as on Windows
    sandbox.WATCHED.update(grade_inside.limit(10**9, 64))
    assert "the memory of a process" in next(sandbox.left_open())


def test_the_teachers_ctrl_c_is_no_wrong_answer():
    class Box:
        printed, ended = 0, None

        def ask(self, kind, *_, seconds):
            if kind == "call":
                raise KeyboardInterrupt
            return {"function": "area_mm2"}

    with pytest.raises(KeyboardInterrupt):
        grade.attempt(Box(), "start_here", exercises.area_mm2, 0)


def test_a_notebook_has_no_more_than_its_time(tmp_path, monkeypatch):
    monkeypatch.setattr(grade, "NOTEBOOK_SECONDS", -1)
    marked = grade.mark("anna", write(tmp_path / NAME, BATCH))
    assert marked.verdicts["as_batch"].outcome == NOT_YET and "Not run" in marked.verdicts["as_batch"].message


# ---- What is no notebook, or another one


@pytest.mark.parametrize(
    "held, sentence",
    [
        (b"[" * 100_000, "could not be read as a notebook"),
        (content("from course_lib.exercises import convolution as exercises"), "first edition"),
        (content("from course_lib.lessons.no_such import exercises", BATCH), "no lesson of this course"),
    ],
)
def test_what_is_no_notebook_of_the_course_gets_a_sentence(tmp_path, held, sentence):
    path = tmp_path / NAME
    path.write_bytes(held)
    marked = grade.mark("bert", path)
    assert sentence in " ".join(marked.notes) and not marked.verdicts


@pytest.mark.parametrize(
    "held", [b"", b"%PDF-1.7 \xff\x00", b"[]", b'{"cells": 3}', b'{"cells": [3]}', b'{"nbformat": 3}']
)
def test_what_is_no_notebook_raises(held):
    with pytest.raises((ValueError, TypeError, KeyError)):
        Notebook(held)


def test_a_cell_that_cannot_be_read_is_named():
    assert "Cell 2 is not valid Python" in Notebook(content("x = 1", "(" * 5000, "y = 1", "await z")).notes[0]


def test_files_that_are_not_opened_get_a_sentence(tmp_path):
    real = write(tmp_path / NAME, BATCH)
    (tmp_path / "link.ipynb").symlink_to(real)
    (tmp_path / "answer.py").write_text("x = 1")
    with (tmp_path / "huge.ipynb").open("wb") as file:
        file.truncate(grade.FILE_MB * 10**6 + 1)
    expected = {NAME: None, "link.ipynb": "is a link", "answer.py": "no notebook", "huge.ipynb": "clear its outputs"}
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.ipynb")
        expected["pipe.ipynb"] = "no ordinary file"
    for name, words in expected.items():
        held, problem = grade.content_of(tmp_path / name)
        assert (held is None) == (words is not None) and (words is None or words in problem), name


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_other_encodings_are_read(encoding):
    source = "# Müller\n" + area()
    text = json.dumps({"cells": [{"cell_type": "code", "source": source}]}, ensure_ascii=False)
    book = Notebook(text.encode(encoding))
    assert "Müller" in book.code and len(book.attempts["area_mm2"]) == 1
    assert bool(book.notes) == (encoding == "cp1252")


def test_who_handed_in_what(tmp_path):
    for name in ["anna/01_convolution.ipynb", "anna/more/02_pooling.ipynb", "bert_03_activation.ipynb", "notes.txt"]:
        write(tmp_path / name)
    write(tmp_path / "anna" / ".ipynb_checkpoints" / "01_convolution.ipynb")
    (tmp_path / ".DS_Store").touch()
    (tmp_path / "cleo").mkdir()
    (tmp_path / "dora").symlink_to(tmp_path / "anna")
    found = [(student, path and path.name) for student, path in grade.collect(tmp_path)]
    assert sorted(found, key=str) == [
        ("anna", "01_convolution.ipynb"),
        ("anna", "02_pooling.ipynb"),
        ("bert", "bert_03_activation.ipynb"),
        ("cleo", None),
        ("dora", "dora"),
        ("notes", "notes.txt"),
    ]


# ---- What an answer depends on


def needed(*cells):
    book = Notebook(content(*cells))
    (place, argument), *_ = book.attempts["f"]
    return [one.cell for one in book.needed(place, argument)]


@pytest.mark.parametrize(
    "cells, wanted",
    [
        (["def g(): return h()", "def h(): return 1", "x = train()"], [1, 2]),
        (["import numpy as np", "np.testing.assert_allclose(train(), 1)", "def g(): return np.pi"], [1, 3]),
        (["size = [1]", "size[0] = 2", "size.append(3)", "def g(): return size"], [1, 2, 3, 4]),
        (["def g(model):\n    history = model\n    return [x for x in history]", "model = history = x = train()"], [1]),
        (["from math import *", "def g(): return pi"], [1, 2]),
        (["count = 0", "count += 1", "class g:\n    n = count"], [1, 2, 3]),
        (["if True:\n    def g(): return 1\nelse:\n    g = 2", "!pip install x", "%timeit train()"], [1]),
        (["g = exercises.h.check(h)", "from course_lib.lessons.start_here import exercises", "h = 1"], [1, 2, 3]),
    ],
)
def test_only_what_an_answer_needs_is_run(cells, wanted):
    assert needed(*cells, "f = exercises.f.check(g)") == wanted


def test_a_check_is_found_wherever_it_is_called():
    book = Notebook(
        content("if 1:\n    print(exercises.f.check(answer=lambda x: x))", "f = lesson.f.check(f)", "f.check(1)")
    )
    assert [place for place, _ in book.attempts["f"]] == [0, 1] and list(book.attempts) == ["f"]


def test_the_course_s_own_answers_in_a_notebook_are_shown_to_the_teacher():
    assert "`.reference`" in Notebook(content("f = exercises.f.reference")).for_teacher[0]


# ---- Plain data

NESTED = (
    1,
    2.5,
    None,
    True,
    "ä",
    [np.float32(0.1)],
    {"a": (np.arange(6).reshape(2, 3), np.int64(3))},
    ...,
    float("inf"),
)


def test_results_arrive_as_they_were():
    arrived = decode(json.loads(json.dumps(encode(NESTED))))
    assert repr(arrived) == repr(NESTED) and type(arrived[5][0]) is np.float32
    for array in (np.zeros((0, 3)), np.array([True]), np.array(["ab"]), np.array(3), np.asfortranarray(np.eye(3))[:2]):
        back = decode(json.loads(json.dumps(encode(array))))
        assert back.dtype == array.dtype and back.shape == array.shape and (back == array).all()
    assert decode(encode(range(3))).tolist() == [0, 1, 2] and decode(encode(Fraction(1, 2))) == 0.5
    assert decode(encode(np.array([Fraction(1, 2), 10**30], dtype=object))).tolist() == [0.5, 10**30]
    assert repr(decode(encode(print))) == "an object of type builtin_function_or_method"


@pytest.mark.parametrize(
    "nonsense",
    [
        {"array": "AAAA", "dtype": "O", "shape": [1]},
        {"array": "AAAAAAAAAAA=", "dtype": "i4,i4", "shape": [1]},
        {"array": "AAAAAAAAAAA=", "dtype": "<i8", "shape": [10**12]},
        {"dict": [[[1], 2]]},
        {"unknown": 1},
        {"tuple": 3},
    ],
)
def test_nonsense_is_refused(nonsense):
    with pytest.raises((ValueError, KeyError, TypeError)):
        decode(nonsense)


@pytest.mark.parametrize("topic", grade.lessons())
def test_every_lesson_can_be_marked(topic):
    path = grade.ROOT / "notebooks" / f"{grade.lessons()[topic]}.ipynb"
    book, known = Notebook(path.read_bytes()), grade.exercises_of(topic)
    assert (
        grade_inside.LESSON.findall(book.code)[0] == topic and book.attempts.keys() == known.keys() and not book.notes
    )
    for name, exercise in known.items():
        if hasattr(exercise, "reference"):

            def answer(*arguments, reference=exercise.reference):
                return decode(json.loads(json.dumps(encode(reference(*arguments)))))

            assert exercise.judge(answer).outcome == CORRECT, name
            assert '"other"' not in json.dumps(encode([x for a in exercise.inputs() for x in a if not callable(x)])), (
                name
            )


# ---- The tables and reports


def test_a_class_is_marked(tmp_path, capsys, short):
    folder = tmp_path / "week 1"
    write(folder / "anna" / NAME, area(), BATCH)
    write(
        folder / "anna" / "answers.ipynb", "def as_batch(image):\n    return 1\n\n\nexercises.as_batch.check(as_batch)"
    )
    (folder / "=bert").mkdir()
    (folder / "=bert" / NAME).write_bytes((folder / "anna" / NAME).read_bytes())
    (folder / "cleo_00_start_here.ipynb").write_text("no notebook \x1b[31m")
    before = tree(folder)
    assert grade.main([str(folder)]) == 0
    assert tree(folder) == before
    out = tmp_path / f"week 1-marks-{datetime.date.today().isoformat()}"
    with (out / "table.csv").open(encoding="utf-8-sig", newline="") as file:
        assert list(csv.reader(file)) == [
            ["student", "00_start_here", "right"],
            ["'=bert", "2 of 5", "2"],
            ["anna", "2 of 5", "2"],
            ["cleo", "", "0"],
        ]
    with (out / "marks.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file))
    assert ["anna", "00_start_here", "area_mm2", "right", "1"] in rows and len(rows) == 1 + 2 * 5
    text = (out / "table.txt").read_text(encoding="utf-8")
    assert "The same cells to the last letter: =bert (00_start_here.ipynb), anna (00_start_here.ipynb)." in text
    assert str(out) in capsys.readouterr().out
    report = (out / "reports" / "anna.txt").read_text(encoding="utf-8")
    assert (
        "2 of 5 right" in report
        and "was handed in 2 times" in report
        and "Its name is not that of the lesson" in report
    )
    assert "could not be read as a notebook" in (out / "reports" / "cleo.txt").read_text(encoding="utf-8")


def test_marks_are_never_written_over(tmp_path):
    folder = tmp_path / "week"
    folder.mkdir()
    assert [grade.new_folder(folder, "2026-01-01").name for _ in range(3)] == [
        "week-marks-2026-01-01",
        "week-marks-2026-01-01-2",
        "week-marks-2026-01-01-3",
    ]
    assert grade.main([str(folder)]) == grade.main([str(tmp_path / "nowhere")]) == 2


def test_a_report_holds_nothing_that_a_terminal_acts_on(tmp_path):
    file = grade.Marked(
        "eve\x1b[2J", tmp_path / "a\x07.ipynb", "start_here", {"area_mm2": Verdict(NOT_YET, "\x1b]0;x\n" * 9)}
    )
    assert all(letter.isprintable() or letter == "\n" for letter in grade.report("eve\x1b[2J", [file], tmp_path))


def test_a_project_leaves_the_points_to_the_teacher(tmp_path, monkeypatch):
    module = types.ModuleType("course_lib.tools.hand_in")
    module.__spec__ = types.SimpleNamespace(name=module.__name__)
    module.RUBRIC = {"data audit": 20, "card": 25}
    module.read = lambda path: json.loads(json.loads(path.read_text())["metadata"]["card"])
    module.remarks = lambda card: {"data audit": [], "card": ["The text has 2 words."]}
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.chdir(tmp_path)

    def lines(card):
        held = json.loads(content('my_audit = """\nI looked.\n"""', "def my_rule(): return 0.5"))
        held = json.dumps(held | {"metadata": {"card": json.dumps(card)}}).encode()
        return "\n".join(grade.project_lines(grade_inside.project(Notebook(held), held)))

    card = {
        "claims": {"data audit": "I looked.\n", "card": ""},
        "recipe": {"code": {"my_rule": "def my_rule(): return 0.5\n"}},
    }
    text = lines(card)
    assert "____ of 20" in text and "Noticed: The text has 2 words." in text and "Argued (cell 1): I looked." in text
    assert "Argued: nothing" in text and "no cell" not in text
    card["claims"]["card"], card["recipe"]["code"]["my_rule"] = "Added afterwards.", "def my_rule(): return 0.4"
    assert lines(card).count("no cell") == 2
    assert "There is nothing to judge: KeyError" in lines({"claims": {}})


@pytest.mark.parametrize("path", sorted((grade.ROOT / "docs" / "handins").glob("*.ipynb")), ids=lambda path: path.stem)
def test_the_sample_hand_ins_are_marked(path):
    marked = grade.mark(path.stem, path)
    assert marked.lesson == "capstone" and CORRECT in outcomes(marked).values()
    assert sum(marked.project["rubric"].values()) == 100 and "no cell" not in "\n".join(
        grade.project_lines(marked.project)
    )
