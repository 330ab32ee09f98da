"""course.py and course_lib.tools.run_notebooks: setting up, handing out, opening, testing and running the course."""

import ast
import importlib.util
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import tomllib
import urllib.error
import urllib.request
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

import course_lib
from course_lib.tools import pins, run_notebooks

ROOT = Path(__file__).resolve().parent.parent


def load():
    spec = importlib.util.spec_from_file_location("course", ROOT / "course.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


course = load()


# ---- Which Python, which machine


@pytest.mark.parametrize("version", [(3, 6, 15), (3, 8, 18), (3, 10, 13), (3, 14, 0), (4, 0, 0)])
def test_an_unsuitable_python_gets_one_sentence(version):
    with pytest.raises(course.Problem) as problem:
        course.check_python(version, find=lambda name: None)
    sentence = str(problem.value)
    assert "needs Python 3.11, 3.12 or 3.13" in sentence
    assert "you have " + ".".join(map(str, version)) in sentence
    assert "install Python 3.13" in sentence and "\n" not in sentence
    assert sentence.isascii()  # an old Python may be unable to print more


def test_where_uv_is_installed_its_command_is_named():
    with pytest.raises(course.Problem, match=r"uv run --python 3\.13 course\.py lab"):
        course.check_python((3, 14, 0), find=lambda name: "/usr/bin/uv" if name == "uv" else None)


@pytest.mark.parametrize("version", [(3, 11, 0), (3, 12, 9), (3, 13, 99)])
def test_a_suitable_python_passes(version):
    course.check_python(version)


def test_a_suitable_python_beside_the_wrong_one_is_named():
    with pytest.raises(course.Problem, match="run it with .* python3.12 course.py"):
        course.check_python((3, 9, 1), find=lambda name: sys.executable if name == "python3.12" else None)


def test_the_file_says_so_on_an_old_python_too():
    source = (ROOT / "course.py").read_text(encoding="utf-8")
    ast.parse(source, feature_version=(3, 7))  # the oldest that ast knows; raises SyntaxError for what is newer
    with pytest.raises(SyntaxError):
        ast.parse("if (n := 1): pass", feature_version=(3, 7))


def test_the_supported_versions_are_the_same_everywhere():
    pyproject = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    supported = SpecifierSet(re.search(r'requires-python = "(.*)"', pyproject).group(1))
    for minor in range(8, 17):
        try:
            course.check_python((3, minor, 0), find=lambda name: None)
            passes = True
        except course.Problem:
            passes = False
        assert passes == (f"3.{minor}" in supported), minor


def test_the_version_is_the_same_in_the_citation():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert f"\nversion: {project['version']}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")


GOOD = dict(system="Linux", machine="x86_64", bits=64, abi="cpython-313-x86_64-linux-gnu", implementation="CPython")


@pytest.mark.parametrize(
    "change, reason",
    [
        (dict(system="Darwin", machine="x86_64", abi="cpython-313-darwin"), "Intel Macs"),
        (dict(bits=32), "32-bit"),
        (dict(machine="i686"), "i686"),
        (dict(machine="riscv64"), "riscv64"),
        (dict(system="Windows", machine="ARM64"), "Windows on ARM64"),
        (dict(system="FreeBSD", machine="amd64"), "FreeBSD"),
        (dict(abi="cpython-312-x86_64-linux-musl"), "musl"),
        (dict(abi="cpython-313t-x86_64-linux-gnu"), "free-threaded"),
        (dict(implementation="PyPy"), "PyPy"),
    ],
)
def test_a_machine_without_tensorflow_gets_one_sentence(change, reason):
    with pytest.raises(course.Problem, match=reason) as problem:
        course.check_machine(**{**GOOD, **change})
    assert "TensorFlow" in str(problem.value) and "\n" not in str(problem.value)


@pytest.mark.parametrize(
    "change",
    [
        {},
        dict(machine="aarch64"),
        dict(system="Darwin", machine="arm64", abi="cpython-313-darwin"),
        dict(system="Windows", machine="AMD64", abi=""),
    ],
)
def test_a_machine_with_tensorflow_passes(change):
    course.check_machine(**{**GOOD, **change})


def test_this_machine_passes():
    course.check_machine()


# ---- requirements and constraints


def requirements(name):
    """The requirements in a file of pip's; what stands on further lines of one, its hashes, is left out."""
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    return [Requirement(line.rstrip(" \\")) for line in lines if line and not line.startswith(("#", "    --hash="))]


def extras():
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]


def canonical(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def pinned(name):
    versions = {}
    for pin in requirements(name):  # an option or an address would not parse
        (specifier,) = pin.specifier
        assert specifier.operator == "==" and pin.url is None, str(pin)
        assert canonical(pin.name) not in versions, str(pin)
        versions[canonical(pin.name)] = specifier.version
    return versions


@pytest.mark.parametrize("name", ["constraints.txt", "constraints-test.txt"])
def test_constraints_pin_every_requirement_within_its_bounds(name):
    versions = pinned(name)
    needed = requirements("requirements.txt")
    if name == "constraints-test.txt":
        needed += map(Requirement, extras()["test"] + extras()["book"])
    for requirement in needed:
        operators = sorted(specifier.operator for specifier in requirement.specifier)
        assert operators in (["<", ">="], ["=="]), f"{requirement}: give a lower and an upper bound"
        assert versions.get(canonical(requirement.name), "0") in requirement.specifier, f"run pins.py: {requirement}"


@pytest.mark.parametrize("name", ["constraints.txt", "constraints-test.txt"])
def test_every_pin_has_its_hashes(name):
    """Without one, pip refuses the whole file on the student's machine."""
    text = (ROOT / name).read_text(encoding="utf-8")
    entries = re.split(r"\n(?=[\w#])", text.replace("\\\n", ""))
    assert len(entries) > 100
    for entry in entries:
        assert entry.startswith("#") or re.search(r"--hash=sha256:[0-9a-f]{64}\b", entry), entry


def test_the_tests_run_with_the_versions_that_students_get():
    students, tests = pinned("constraints.txt"), pinned("constraints-test.txt")
    assert students.items() <= tests.items()
    assert not students.keys() & {"pytest", "nbval", "ruff", "playwright", "mypy", "sphinx"}


def test_pins_reports_what_uv_says(tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr(pins.subprocess, "call", lambda command, **_: calls.append(command) or len(calls) - 1)
    assert pins.main(["--upgrade-package", "keras"], tmp_path) == 1
    written = [command[command.index("--output-file") + 1] for command in calls]
    assert written == ["constraints-test.txt", "constraints.txt"]
    assert all({"--generate-hashes", "--universal", "--upgrade-package"} <= set(command) for command in calls)


# ---- The environment


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A course folder with a space and an umlaut in its path; environments are made without pip, in 0.1 s."""
    root = tmp_path / "the course, für alle"
    (root / "notebooks").mkdir(parents=True)
    for name in ("requirements.txt", "constraints.txt", "constraints-test.txt", "pyproject.toml"):
        (root / name).write_text(f"# {name}\n")
    (root / "keep.txt").write_text("mine")
    for name in ("COURSE_WORK", "COURSE_NEWEST", "COURSE_WHEELS"):
        monkeypatch.delenv(name, raising=False)
    really_run = subprocess.run

    def run(command, **options):
        return really_run(command + ["--without-pip"] if "venv" in command else command, **options)

    monkeypatch.setattr(course.subprocess, "run", run)
    yield root
    assert (root / "keep.txt").read_text() == "mine"


@pytest.fixture
def pip(monkeypatch):
    """Stands for pip: remembers which parts it was asked to install; `answer` is what it returns or raises."""

    class Pip:
        answer = (True, None)

        def __init__(self):
            self.installed = []

        def __call__(self, root, part, lock):
            assert course.venv_python(root).exists()
            assert not course.stamp_path(root).exists(), "a stamp while pip is at work hides an interruption"
            self.installed.append(part)
            if isinstance(self.answer, BaseException):
                raise self.answer
            return self.answer

        def since_last_time(self):
            installed, self.installed = self.installed, []
            return installed

    pip = Pip()
    monkeypatch.setattr(course, "install", pip)
    return pip


def make(root, tests=False):
    """Prepare the environment; returns whether it was made anew."""
    marker = root / ".venv" / "marker"
    course.prepare(root, tests)
    anew = not marker.exists()
    marker.touch()
    return anew


def test_the_environment_is_made_once_and_then_left_alone(root, pip):
    assert make(root)
    assert pip.since_last_time() == ["packages", "course_lib"]
    assert not make(root)
    assert pip.since_last_time() == []


def test_the_tests_packages_are_added_and_do_not_disturb_the_lab(root, pip):
    make(root)
    pip.since_last_time()
    assert not make(root, tests=True)
    assert pip.since_last_time() == ["packages and tests"]
    assert not make(root) and not make(root, tests=True)
    assert pip.since_last_time() == []


def test_changed_pins_are_installed_without_starting_over(root, pip):
    make(root, tests=True)
    pip.since_last_time()
    (root / "constraints.txt").write_text("numpy==1\n")
    (root / "constraints-test.txt").write_text("numpy==1\n")
    assert not make(root)
    assert pip.since_last_time() == ["packages"]
    assert not make(root, tests=True)
    assert pip.since_last_time() == ["packages and tests"]


@pytest.mark.parametrize("name", ["requirements.txt", "pyproject.toml"])
def test_changed_bounds_become_known(root, pip, monkeypatch, name):
    make(root, tests=True)
    pip.since_last_time()
    (root / name).write_text("# changed\n")
    assert not make(root, tests=True)
    assert pip.since_last_time() == ["course_lib"]
    monkeypatch.setenv("COURSE_NEWEST", "1")
    make(root, tests=True)
    pip.since_last_time()
    (root / name).write_text("# changed again\n")
    assert not make(root, tests=True)
    assert pip.since_last_time() == ["packages and tests", "course_lib"]


def test_a_moved_folder_needs_only_course_lib(root, pip):
    make(root)
    pip.since_last_time()
    moved = root.with_name("moved")
    root.rename(moved)
    try:
        assert not make(moved)
        assert pip.since_last_time() == ["course_lib"]
    finally:
        moved.rename(root)


def test_the_newest_packages_on_request(root, pip, monkeypatch):
    make(root)
    pip.since_last_time()
    monkeypatch.setenv("COURSE_NEWEST", "1")
    assert not make(root)
    assert pip.since_last_time() == ["packages"]


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), SystemExit(9)])
def test_an_interrupted_installation_is_noticed(root, pip, stop):
    pip.answer = stop
    with pytest.raises(type(stop)):
        make(root)
    (root / ".venv" / "marker").touch()
    pip.since_last_time()
    pip.answer = (True, None)
    assert make(root)
    assert pip.since_last_time() == ["packages", "course_lib"]


def test_an_interrupted_update_is_noticed(root, pip):
    make(root)
    (root / "constraints.txt").write_text("numpy==1\n")
    pip.answer = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        make(root)
    pip.answer = (True, None)
    assert make(root)


def test_a_failed_download_leaves_the_environment_as_it_was(root, pip):
    make(root)
    before = (root / "constraints.txt").read_text()
    (root / "constraints.txt").write_text("numpy==1\n")
    pip.answer = (False, course.Problem("no network"))
    with pytest.raises(course.Problem, match="no network"):
        make(root)
    pip.since_last_time()
    (root / "constraints.txt").write_text(before)
    assert not make(root)
    assert pip.since_last_time() == []


def test_a_failure_halfway_through_starts_over(root, pip):
    make(root)
    (root / "constraints.txt").write_text("numpy==1\n")
    pip.answer = (True, course.Problem("disk full"))
    with pytest.raises(course.Problem):
        make(root)
    pip.answer = (True, None)
    assert make(root)


def test_a_removed_python_is_noticed(root, pip):
    make(root)
    course.venv_python(root).unlink()
    assert make(root)
    assert course.venv_python(root).exists()


def test_a_python_that_forgot_its_environment_is_noticed(root, pip):
    make(root)
    (root / ".venv" / "pyvenv.cfg").unlink()
    assert make(root)


def test_another_python_is_noticed(root, pip):
    make(root)
    stamp = course.read_json(course.stamp_path(root))
    stamp["python"] = "3.10 " + stamp["python"].split()[1]
    course.write_atomically(course.stamp_path(root), json.dumps(stamp))
    assert make(root)


@pytest.mark.parametrize("content", ["", "{", "[]", "null"])
def test_a_damaged_stamp_is_noticed(root, pip, content):
    make(root)
    course.stamp_path(root).write_text(content)
    assert make(root)


def test_a_linked_environment_is_not_deleted(root, pip, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "mine.txt").touch()
    try:
        (root / ".venv").symlink_to(elsewhere, target_is_directory=True)
    except OSError as error:
        pytest.skip(f"this account may not make links: {error}")
    with pytest.raises(course.Problem, match="is a link"):
        course.prepare(root)
    assert (elsewhere / "mine.txt").exists()


def test_debian_without_venv_says_what_to_install(root, pip, monkeypatch):
    monkeypatch.setattr(course.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(course.Problem, match=rf"apt install python3\.{sys.version_info[1]}-venv"):
        course.prepare(root)


def test_too_little_space_is_said_before_the_installation(root, pip, monkeypatch):
    monkeypatch.setattr(course.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 1.5e9}))
    with pytest.raises(course.Problem, match="needs 4 GB, only 1.5 GB are free"):
        course.prepare(root)


def fake_pip(monkeypatch, lines, returncode):
    """Let course.install run a process that prints the lines; returns the list of commands asked for."""
    commands = []
    really_open = subprocess.Popen

    def popen(command, **options):
        commands.append(command)
        assert os.name == "nt" or options["pass_fds"], "the lock would end with course.py, while pip is still at work"
        text = "\n".join(lines)
        return really_open([sys.executable, "-c", f"import sys; print({text!r}); sys.exit({returncode})"], **options)

    monkeypatch.setattr(course.subprocess, "Popen", popen)
    return commands


def call_install(root, part):
    with (root / "lock").open("w") as lock:
        return course.install(root, part, lock)


def test_pip_gets_the_constraints_unless_the_newest_are_asked_for(root, monkeypatch):
    commands = fake_pip(monkeypatch, ["Installing collected packages: numpy"], 0)
    assert call_install(root, "packages") == (True, None)
    monkeypatch.setenv("COURSE_NEWEST", "1")
    call_install(root, "packages and tests")
    call_install(root, "course_lib")
    pinned, newest, own = commands
    files = [str(root / "requirements.txt"), f"{root}[test,book]", str(root / "constraints.txt")]
    assert [name in pinned for name in files] == [False, False, True] and "--upgrade" not in pinned
    assert "--require-hashes" in pinned and "--require-hashes" not in newest
    assert [name in newest for name in files] == [True, True, False] and "--upgrade" in newest
    assert own[-2:] == ["--editable", str(root)] and "--no-build-isolation" in own


def test_packages_come_from_where_they_were_packed(root, monkeypatch, tmp_path):
    commands = fake_pip(monkeypatch, ["Installing collected packages: numpy"], 0)
    assert course.wheels(root) is None
    beside = tmp_path / "course-wheels"
    beside.mkdir()
    monkeypatch.setenv("COURSE_WHEELS", "http://room.local:8000/course-wheels")
    call_install(root, "packages and tests")
    monkeypatch.setenv("COURSE_WHEELS", "")
    call_install(root, "packages")
    monkeypatch.setenv("COURSE_NEWEST", "1")
    call_install(root, "packages")
    served, copied, newest = commands
    for command, place in ((served, "http://room.local:8000/course-wheels"), (copied, str(beside))):
        assert {"--no-index", "--require-hashes"} <= set(command)
        assert command[command.index("--find-links") + 1] == place
    assert served[-2:] == ["--trusted-host", "room.local:8000"] and "--trusted-host" not in copied
    assert "--no-index" not in newest


def test_a_folder_of_packages_is_meant_from_where_the_student_stands(root, monkeypatch, tmp_path):
    (tmp_path / "stick").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COURSE_WHEELS", "stick")
    assert course.wheels(root) == str(tmp_path.resolve() / "stick")
    monkeypatch.setenv("COURSE_WHEELS", "no stick")
    with pytest.raises(course.Problem, match="no stick, which is no folder"):
        course.wheels(root)


def test_packages_for_another_computer_are_named(root, monkeypatch, tmp_path):
    (tmp_path / "course-wheels").mkdir()
    fake_pip(monkeypatch, ["ERROR: No matching distribution found for tensorflow==2.21.0"], 1)
    _, problem = call_install(root, "packages")
    assert re.search(r"course-wheels are not all packages for Python 3\.1[123] on \w+ \w+: .*README.txt", str(problem))


@pytest.mark.parametrize(
    "line, sentence",
    [
        ("WARNING: Retrying after NewConnectionError(': [Errno -3] Temporary failure')", "check the connection"),
        ("NameResolutionError: Failed to resolve", "check the connection"),
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "disk is full"),
        ("ERROR: No matching distribution found for tensorflow", "No matching distribution found for tensorflow"),
    ],
)
def test_a_failing_pip_is_explained(root, monkeypatch, line, sentence):
    fake_pip(monkeypatch, ["Collecting tensorflow", line], 1)
    changed, problem = call_install(root, "packages")
    assert not changed and sentence in str(problem)


def python_with_course(code):
    """Start a Python that has loaded course.py."""
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import course; from pathlib import Path; {code}"
    pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, encoding="utf-8")
    return subprocess.Popen([sys.executable, "-Bc", code], env={**os.environ, "PYTHONUTF8": "1"}, **pipes)


def test_the_second_of_two_at_once_waits_and_says_so(tmp_path):
    code = (
        f"lock = course.locked(Path({str(tmp_path / 'lock')!r})); lock.__enter__(); print('in', flush=True); "
        "sys.stdin.read(); print('out', flush=True); lock.__exit__(None, None, None)"
    )
    with python_with_course(code) as first:
        assert first.stdout.readline() == "in\n"
        with python_with_course(code) as second:
            assert "waiting" in second.stdout.readline()
            assert first.communicate("")[0] == "out\n"
            assert second.communicate("")[0] == "in\nout\n"


def test_the_lock_of_a_killed_process_is_free(tmp_path):
    path = tmp_path / "lock"
    code = f"lock = course.locked(Path({str(path)!r})); lock.__enter__(); print('in', flush=True); sys.stdin.read()"
    with python_with_course(code) as process:
        process.stdout.readline()
        with path.open("a+b") as file:
            assert not course.try_lock(file)
            process.kill()
            process.wait()
            assert course.try_lock(file)


@pytest.mark.skipif(os.name == "nt", reason="on Windows the lock ends with course.py, even if pip outlives it")
def test_the_lock_holds_while_a_pip_outlives_its_course(tmp_path):
    path = tmp_path / "lock"
    child = "print('in', flush=True); import sys; sys.stdin.read()"
    code = (
        f"held = course.locked(Path({str(path)!r})); lock = held.__enter__(); import subprocess; "
        f"subprocess.Popen([sys.executable, '-c', {child!r}], pass_fds=[lock.fileno()]).wait()"
    )
    process = python_with_course(code)
    process.stdout.readline()
    process.kill()
    process.wait()
    with path.open("a+b") as file:
        assert not course.try_lock(file)
        process.communicate("")
        for _ in range(100):
            if course.try_lock(file):
                break
            time.sleep(0.1)
        else:
            pytest.fail("the lock was not released")


# ---- The student's notebooks


def lesson(path, text, output=""):
    cell = new_code_cell(text, id="one")
    cell.outputs = [new_output("stream", text=output)] if output else []
    nbformat.write(new_notebook(cells=[cell]), path)


def handed_out(root):
    return sorted(path.name for path in (root / "work").glob("*.ipynb"))


def test_notebooks_are_handed_out_once(root, capsys):
    lesson(root / "notebooks" / "00_start_here.ipynb", "a")
    lesson(root / "notebooks" / "01_convolution.ipynb", "b")
    (root / "notebooks" / "Untitled.ipynb").write_text("{}")
    course.hand_out(root)
    assert handed_out(root) == ["00_start_here.ipynb", "01_convolution.ipynb"]
    copy = root / "work" / "01_convolution.ipynb"
    lesson(copy, "my answer")
    mine = copy.read_bytes()
    course.hand_out(root)
    assert handed_out(root) == ["00_start_here.ipynb", "01_convolution.ipynb"]
    assert copy.read_bytes() == mine
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("edited", [True, False])
def test_an_updated_lesson_is_put_beside_once(root, capsys, edited):
    original, copy = root / "notebooks" / "01_convolution.ipynb", root / "work" / "01_convolution.ipynb"
    lesson(original, "a")
    course.hand_out(root)
    if edited:
        lesson(copy, "my answer")
    mine = copy.read_bytes()
    lesson(original, "a, corrected")
    course.hand_out(root, today="2026-11-23")
    course.hand_out(root, today="2026-11-24")
    assert copy.read_bytes() == mine
    assert handed_out(root) == ["01_convolution.ipynb", "01_convolution.new-2026-11-23.ipynb"]
    new = root / "work" / "01_convolution.new-2026-11-23.ipynb"
    assert new.read_bytes() == original.read_bytes()
    (announced,) = capsys.readouterr().out.splitlines()
    assert new.name in announced

    new.write_text("my answers in the new version")
    lesson(original, "a, corrected twice in a day")
    course.hand_out(root, today="2026-11-23")
    assert handed_out(root)[1:] == ["01_convolution.new-2026-11-23-2.ipynb", "01_convolution.new-2026-11-23.ipynb"]
    assert new.read_text() == "my answers in the new version"


def test_refreshed_outputs_are_no_update(root):
    lesson(root / "notebooks" / "01_convolution.ipynb", "a", output="1")
    course.hand_out(root)
    lesson(root / "notebooks" / "01_convolution.ipynb", "a", output="2")
    course.hand_out(root)
    assert handed_out(root) == ["01_convolution.ipynb"]


def test_a_removed_copy_comes_back_and_a_lost_record_loses_nothing(root):
    lesson(root / "notebooks" / "01_convolution.ipynb", "a")
    copy, record = root / "work" / "01_convolution.ipynb", root / "work" / ".handed_out.json"
    course.hand_out(root)
    copy.unlink()
    course.hand_out(root)
    assert handed_out(root) == [copy.name]
    for damage in ("", "{", "[]"):
        record.write_text(damage)
        course.hand_out(root)
        assert handed_out(root) == [copy.name]
    record.unlink()
    copy.write_text("not even a notebook, but mine")
    course.hand_out(root, today="2026-11-23")
    assert copy.read_text() == "not even a notebook, but mine"
    assert handed_out(root) == [copy.name, "01_convolution.new-2026-11-23.ipynb"]


@pytest.mark.parametrize(
    ("old", "new"), [("06_augmentation", "07_augmentation"), ("17_capstone_pneumonia", "17_capstone")]
)
def test_a_lesson_with_a_new_number_or_name_is_put_beside_the_old_copy_once(root, capsys, old, new):
    lesson(root / "notebooks" / f"{old}.ipynb", "from course_lib.exercises import augmentation as exercises")
    course.hand_out(root)
    copy = root / "work" / f"{old}.ipynb"
    mine = copy.read_bytes()
    (root / "notebooks" / f"{old}.ipynb").unlink()
    lesson(root / "notebooks" / f"{new}.ipynb", "from course_lib.lessons.augmentation import exercises")
    course.hand_out(root)
    course.hand_out(root)
    assert copy.read_bytes() == mine and handed_out(root) == sorted([f"{old}.ipynb", f"{new}.ipynb"])
    announced, tag = capsys.readouterr().out.splitlines()
    assert old in announced and new in announced and course.FIRST_EDITION in tag


def test_a_copy_of_the_first_edition_is_told_which_version_runs_it(root, capsys):
    original = root / "notebooks" / "01_convolution.ipynb"
    lesson(original, "from course_lib.exercises import convolution as exercises")
    course.hand_out(root)
    lesson(original, "from course_lib.lessons.convolution import exercises")
    course.hand_out(root, today="2026-11-23")
    lesson(original, "from course_lib.lessons.convolution import exercises, explorers")
    announced, tag = capsys.readouterr().out.splitlines()
    assert "01_convolution.new-2026-11-23" in announced and course.FIRST_EDITION in tag
    (root / "work" / "01_convolution.ipynb").unlink()
    course.hand_out(root)
    assert course.FIRST_EDITION not in capsys.readouterr().out


def test_a_damaged_original_is_named(root):
    (root / "notebooks" / "01_convolution.ipynb").write_text("<<<<<<< HEAD")
    with pytest.raises(course.Problem, match="01_convolution.ipynb is damaged"):
        course.hand_out(root)


def test_course_lib_means_the_same_work_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_WORK", str(tmp_path / "elsewhere"))
    assert course.work_folder(ROOT) == course_lib.work_folder() == tmp_path / "elsewhere"
    monkeypatch.setenv("COURSE_WORK", "~/course")  # in a .env file or on Windows no shell fills in the home folder
    assert course.work_folder(ROOT) == course_lib.work_folder() == Path.home() / "course"
    monkeypatch.delenv("COURSE_WORK")
    assert course.work_folder(ROOT) == course_lib.work_folder() == ROOT / "work"


# ---- lab


def test_the_command_line_of_jupyterlab(root, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000, raising=False)
    command = course.lab_command(root, passed_on=["--no-browser"])
    assert command[0] == str(course.venv_python(root))
    assert "--ServerApp.ip=127.0.0.1" in command
    assert f"--ServerApp.root_dir={root / 'work'}" in command
    assert "--LabApp.default_url=/lab/tree/00_start_here.ipynb" in command
    assert command[-1] == "--no-browser"
    assert not any("allow_root" in argument for argument in command)

    monkeypatch.setattr(os, "geteuid", lambda: 0, raising=False)
    command = course.lab_command(root, author=True)
    assert "--ServerApp.allow_root=True" in command
    assert f"--ServerApp.root_dir={root}" in command
    assert "--LabApp.default_url=/lab/tree/notebooks/00_start_here.ipynb" in command


def test_the_address_can_be_changed_on_purpose_and_the_token_not(root):
    assert "--ServerApp.ip=127.0.0.1" not in course.lab_command(root, passed_on=["--ip=0.0.0.0"])
    for argument in ("--IdentityProvider.token=", "--ServerApp.token=", "--NotebookApp.token=''"):
        with pytest.raises(course.Problem, match="token"):
            course.lab_command(root, passed_on=[argument])


def test_jupyterlab_keeps_its_token_and_stays_on_this_machine(root, tmp_path):
    """A real JupyterLab, against a configuration that would open it to everybody."""
    config = tmp_path / "config"
    config.mkdir()
    open_to_all = "c.IdentityProvider.token = c.ServerApp.token = ''\nc.ServerApp.ip = '0.0.0.0'\n"
    for name in ("jupyter_server_config.py", "jupyter_lab_config.py", "jupyter_config.py"):
        (config / name).write_text(open_to_all)
    lesson(root / "notebooks" / "00_start_here.ipynb", "1 + 1")
    course.hand_out(root)
    command = course.lab_command(root, passed_on=["--no-browser", "--ServerApp.port_retries=200"])
    command[0] = sys.executable  # the tests' environment in place of the imagined .venv
    folders = dict.fromkeys(["JUPYTER_RUNTIME_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR"], str(tmp_path))
    environment = course.child_environment(root, JUPYTER_CONFIG_DIR=str(config), **folders)
    options = dict(stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8")
    server = subprocess.Popen(command, env=environment, **options)
    try:
        seen = ""
        address = r"(http://127\.0\.0\.1:(\d+))/lab/tree/00_start_here\.ipynb\?token=(\w{40,})"
        for line in server.stdout:
            seen += line
            if re.search(address, seen):
                break
        assert re.search(address, seen), f"JupyterLab did not show its address:\n{seen}"
        url, port, token = re.search(address, seen).groups()

        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

        def status(query):
            for _ in range(100):  # the address is shown a moment before the server listens
                try:
                    return opener.open(f"{url}/api/contents/00_start_here.ipynb{query}", timeout=30).status
                except urllib.error.HTTPError as error:
                    return error.code
                except urllib.error.URLError:
                    time.sleep(0.1)
            return "no answer"

        assert status(f"?token={token}") == 200
        assert status("") == status("?token=") == 403
        assert token not in " ".join(command)
        if sys.platform == "linux":  # 127.0.0.2 is this machine too, but a server on 127.0.0.1 alone is not there
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.2", int(port)), timeout=5).close()
    finally:
        server.kill()
        server.communicate()


# ---- test


def test_every_part_of_the_tests_runs_and_any_failure_counts(root, monkeypatch, capsys):
    calls = []

    def run_child(command, cwd, env):
        calls.append(command)
        assert Path(env["COURSE_WORK"]).is_dir() and root not in Path(env["COURSE_WORK"]).parents
        return 1 if "ruff" in command else 0

    monkeypatch.setattr(course, "prepare", lambda root, tests: None)
    monkeypatch.setattr(course, "without_network", lambda: ["without", "network"])
    monkeypatch.setattr(course, "run_child", run_child)
    assert course.test(root, []) == 1
    assert [command[-1] for command in calls] == ["check", "--check", "mypy", "tests", "notebooks"]
    assert all(command[:2] == ["without", "network"] for command in calls[3:])
    assert "--nbval-lax" in calls[4] and "--nbval-current-env" in calls[4]
    assert capsys.readouterr().out.count("FAILED") == 2

    calls.clear()
    assert course.test(root, ["-k", "conv"]) == 0
    assert [command[2:] for command in calls] == [[str(course.venv_python(root)), "-m", "pytest", "-k", "conv"]]


def _commands(root, monkeypatch, **options):
    calls = []
    monkeypatch.setattr(course, "prepare", lambda root, tests: None)
    monkeypatch.setattr(course, "without_network", lambda: [])
    monkeypatch.setattr(course, "run_child", lambda command, cwd, env: calls.append(command) or 0)
    assert course.test(root, [], **options) == 0
    return [command[3:] for command in calls]


def test_the_quick_tests_leave_out_what_is_slow_and_the_notebooks(root, monkeypatch):
    style, layout, tests = _commands(root, monkeypatch, quick=True)
    assert (style[-1], layout[-1], tests[-3:]) == ("check", "--check", ["tests", "-m", "not slow"])


@pytest.mark.parametrize("name", ["7", "07", "augmentation"])
def test_the_tests_of_one_lesson_are_its_own_the_rules_and_its_notebook(root, monkeypatch, name):
    lesson(root / "notebooks" / "07_augmentation.ipynb", "a")
    own, rules, notebook = _commands(root, monkeypatch, lesson=name)
    assert own == ["tests/lessons/test_augmentation.py"]
    assert "tests/test_exercises.py" in rules and rules[-2:] == ["-k", "augmentation"]
    assert notebook[-1] == str(Path("notebooks", "07_augmentation.ipynb")) and "--nbval-lax" in notebook
    with pytest.raises(course.Problem, match="no lesson '31'; there are: 07_augmentation"):
        course.test(root, [], lesson="31")


def test_two_workers_only_where_there_are_processors_and_memory(monkeypatch):
    pages = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 4_000_000}  # 16 GB
    monkeypatch.setattr(course.os, "sysconf", pages.__getitem__, raising=False)
    monkeypatch.setattr(course.os, "cpu_count", lambda: 2)
    assert course.workers() == ["-n", "2", "--dist", "loadfile"]
    monkeypatch.setattr(course.os, "cpu_count", lambda: 1)
    assert course.workers() == []
    monkeypatch.setattr(course.os, "cpu_count", lambda: 8)
    pages["SC_PHYS_PAGES"] = 1_000_000  # 4 GB
    assert course.workers() == []


def test_the_network_is_taken_away_where_that_is_possible(capsys):
    prefix = course.without_network()
    if not prefix:
        pytest.skip(capsys.readouterr().out.strip())
    code = (
        "import socket; print(socket.if_nameindex()); server = socket.create_server(('127.0.0.1', 0)); "
        "socket.create_connection(server.getsockname(), 5)"
    )
    result = subprocess.run(prefix + [sys.executable, "-c", code], capture_output=True, text=True)
    assert (result.stdout.strip(), result.returncode) == ("[(1, 'lo')]", 0), result.stderr


def test_a_machine_that_cannot_take_the_network_away_says_so(monkeypatch, capsys):
    monkeypatch.setattr(course.shutil, "which", lambda name: None)
    assert course.without_network() == []
    assert "they run with it" in capsys.readouterr().out


@pytest.mark.skipif(os.name == "nt", reason="a process cannot send itself Ctrl-C there without its whole console")
def test_ctrl_c_waits_for_the_child_and_then_stops(tmp_path):
    child = "import signal, time; signal.signal(signal.SIGINT, lambda *_: None); print('in', flush=True); time.sleep(1)"
    code = f"course.run_child([sys.executable, '-c', {child + '; print(1)'!r}]); print(2)"
    with python_with_course(code) as process:
        assert process.stdout.readline() == "in\n"
        process.send_signal(signal.SIGINT)
        assert process.communicate()[0] == "1\n"  # the child came to its end, what should follow did not
        assert process.returncode != 0


def test_arguments_reach_the_right_command():
    options = course.parse(["lab", "--author", "--", "--no-browser"])
    assert (options.command, options.author, options.passed_on) == ("lab", True, ["--no-browser"])
    options = course.parse(["test", "-k", "conv", "-x", "tests/test_ops.py"])
    assert options.passed_on == ["-k", "conv", "-x", "tests/test_ops.py"]
    assert course.parse(["run", "--solved", "other"]).solved == "other"
    options = course.parse(["run", "01", "7", "--save"])
    assert (options.numbers, options.save) == (["01", "7"], True)
    assert course.parse(["test", "--quick"]).quick and course.parse(["test", "--lesson", "13"]).lesson == "13"
    assert course.parse(["new", "segmentation"]).topic == "segmentation" and course.parse(["stale", "--write"]).write
    assert course.parse(["grade", "week 1"]).folder == "week 1"
    assert course.parse(["book", "--teacher"]).teacher and course.parse(["slides", "01", "7"]).numbers == ["01", "7"]
    for wrong in (
        ["lab", "--autor"],
        ["run", "--frob"],
        ["slides"],
        ["new"],
        ["grade"],
        ["test", "--quick", "--lesson", "1"],
        [],
    ):
        with pytest.raises(SystemExit):
            course.parse(wrong)


def test_a_folder_to_be_marked_is_meant_from_where_the_teacher_stands(monkeypatch, tmp_path):
    called = []
    monkeypatch.setattr(course, "prepare", lambda root: None)
    monkeypatch.setattr(course, "tool", lambda root, name, arguments: called.append((name, arguments)) or 0)
    monkeypatch.chdir(tmp_path)
    assert course.main(["grade", "week 1"]) == 0 and called == [("grade", [str(tmp_path.resolve() / "week 1")])]


def test_a_pack_is_made_where_the_teacher_stands(monkeypatch, tmp_path):
    called = []
    monkeypatch.setattr(course, "prepare", lambda root, tests=False: called.append(tests))
    monkeypatch.setattr(course, "tool", lambda root, name, arguments: called.append((name, arguments)) or 0)
    monkeypatch.chdir(tmp_path)
    assert course.main(["pack", "room", "--system", "linux", "windows", "--python", "3.12"]) == 0
    assert course.main(["pack", "room"]) == 0
    folder = str(tmp_path.resolve() / "room")
    more = ["--system", "linux", "windows", "--python", "3.12"]
    assert called == [True, ("pack", [folder, *more]), True, ("pack", [folder])]


def test_book_and_slides_have_their_packages_installed_first(monkeypatch):
    calls = []
    monkeypatch.setattr(course, "prepare", lambda root, tests=False: calls.append(("prepare", tests)))
    monkeypatch.setattr(course, "tool", lambda root, name, arguments: calls.append((name, arguments)) or 0)
    for arguments in (["book"], ["book", "--teacher"], ["slides", "01", "7"]):
        assert course.main(arguments) == 0
    assert calls[::2] == [("prepare", True)] * 3
    assert calls[1::2] == [("book", []), ("book", ["--teacher"]), ("slides", ["01", "7"])]


@pytest.mark.parametrize("error", [course.Problem("a sentence"), KeyboardInterrupt(), PermissionError(13, "no", "x")])
def test_errors_are_sentences(monkeypatch, capsys, error):
    def fail(*arguments):
        raise error

    monkeypatch.setattr(course, "lab", fail)
    assert course.main(["lab"]) == (130 if isinstance(error, KeyboardInterrupt) else 1)
    assert "Traceback" not in capsys.readouterr().err


# ---- run


def write_notebook(folder, name, *cells, **metadata):
    """A notebook of code cells with these texts, and all that JupyterLab leaves behind and --save removes."""
    notebook = new_notebook(cells=[new_markdown_cell("# Title", id="title")], metadata=metadata)
    for number, text in enumerate(cells):
        cell = new_code_cell(text, id=f"cell-{number}", execution_count=7)
        cell.metadata.execution = {"iopub.execute_input": "2026-01-01T00:00:00Z"}
        notebook.cells.append(cell)
    notebook.metadata.widgets = {"application/vnd.jupyter.widget-state+json": {"state": {}}}
    notebook.metadata.kernelspec = {"display_name": "mine", "language": "python", "name": "my-own"}
    notebook.metadata.language_info = {"name": "python", "version": "3.11.2"}
    nbformat.write(notebook, folder / name)


@pytest.fixture
def notebooks(tmp_path, monkeypatch):
    """A folder for notebooks, on a machine whose user has a broken kernel named python3."""
    kernel = tmp_path / "share" / "kernels" / "python3"
    kernel.mkdir(parents=True)
    argv = [sys.executable, "-c", "raise SystemExit(1)", "{connection_file}"]
    (kernel / "kernel.json").write_text(json.dumps({"argv": argv, "display_name": "x", "language": "python"}))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "share"))
    monkeypatch.delenv("PYTHONPATH", raising=False)
    folder = tmp_path / "note books, für alle"
    folder.mkdir()
    return folder


def snapshot(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def execute(path, **options):
    with run_notebooks.tqdm(disable=True) as progress:
        return run_notebooks.execute(nbformat.read(path, as_version=4), progress, **options)


def test_save_stores_outputs_and_nothing_that_changes_between_runs(notebooks, capsys):
    write_notebook(
        notebooks,
        "01_one.ipynb",
        "import os, sys\nfrom pathlib import Path\nprint(1)\nsys.stdout.flush()\nprint(2)",
        "from course_lib import explorers\ncontrols = {'size': explorers.slider('Size', 1, 3, 2)}\n"
        "explorers.Explorer(lambda figure, size: None, controls, alt='empty', caption='Nothing.').show()",
        "assert Path(os.environ['COURSE_WORK']).samefile('.')\n_ = Path('progress.json').write_text('{}')",
        "import course_lib\n[course_lib.__file__, sys.executable]",
        course={"run_seconds": 1000, "peak_memory_mb": 1},
    )
    assert run_notebooks.main(["1", "--save"], notebooks) == 0
    first = snapshot(notebooks)
    assert list(first) == ["01_one.ipynb"]
    notebook = nbformat.read(notebooks / "01_one.ipynb", as_version=4)
    _, printed, explorer, _, where = notebook.cells
    assert [cell.execution_count for cell in notebook.cells[1:]] == [1, 2, 3, 4]
    assert [output.text for output in printed.outputs] == ["1\n2\n"]
    assert [list(output.data) for output in explorer.outputs] == [
        ["image/png", "text/plain"],
        ["text/markdown", "text/plain"],
    ]
    assert ast.literal_eval(where.outputs[0].data["text/plain"]) == [course_lib.__file__, sys.executable]
    assert all("execution" not in cell.metadata for cell in notebook.cells)
    assert set(notebook.metadata) == {"course", "kernelspec", "language_info"}
    assert notebook.metadata.kernelspec.name == "python3" and "version" not in notebook.metadata.language_info
    assert b"\r\n" not in first["01_one.ipynb"] and first["01_one.ipynb"].endswith(b"}\n")
    report = capsys.readouterr().out
    assert "over memory" in report and "over time" not in report

    assert run_notebooks.main(["01", "--save"], notebooks) == 0
    assert snapshot(notebooks) == first


def test_a_failing_notebook_is_named_and_nothing_of_it_is_saved(notebooks, capsys):
    write_notebook(notebooks, "01_good.ipynb", "print('fine')", course={"run_seconds": 0})
    write_notebook(notebooks, "02_bad.ipynb", "1", "def f():\n    raise ValueError('too\\nbad')\nf()", "2")
    write_notebook(notebooks, "03_dead.ipynb", "import os; os._exit(3)")
    before = snapshot(notebooks)
    assert run_notebooks.main([], notebooks) == 1
    assert snapshot(notebooks) == before, "without --save nothing may change"
    report = capsys.readouterr()
    assert "02_bad, cell 3 of 4: ValueError: too bad" in report.err
    assert re.search(r"03_dead, cell 2 of 2: .*died", report.err)
    assert report.out.count("FAILED") == 2
    assert re.search(r"01_good +[\d.]+ +0 +\d+ +- +over time", report.out)

    assert run_notebooks.main(["01", "02", "--save"], notebooks) == 1
    after = snapshot(notebooks)
    assert after["02_bad.ipynb"] == before["02_bad.ipynb"] and b"fine" in after["01_good.ipynb"]
    assert set(after) == set(before)


def test_a_hanging_cell_is_stopped(notebooks):
    write_notebook(notebooks, "01_slow.ipynb", "import time\ntime.sleep(60)")
    seconds, _, error = execute(notebooks / "01_slow.ipynb", cell_seconds=1)
    assert error == "cell 2 of 2: still running after 1 s, stopped" and seconds < 30


def test_the_memory_of_children_counts(notebooks):
    child = "x = bytearray(b'1') * 300_000_000; import time; time.sleep(2)"
    write_notebook(
        notebooks, "01_big.ipynb", f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {child!r}])"
    )
    _, peak_memory_mb, error = execute(notebooks / "01_big.ipynb")
    assert error is None and 320 < peak_memory_mb < 600


@pytest.mark.parametrize("style", ["reference", "other"])
def test_a_lesson_can_be_run_as_by_a_student_who_solved_it(notebooks, capsys, style):
    write_notebook(
        notebooks,
        "01_convolution.ipynb",
        "import json\nfrom pathlib import Path\nfrom course_lib.lessons.convolution import exercises",
        "def output_size(size, kernel, padding, stride):\n    return ...",
        "output_size = exercises.output_size.check(output_size)",
        "assert json.loads(Path('progress.json').read_text())['convolution']['output_size']['correct']",
    )
    before = snapshot(notebooks)
    assert run_notebooks.main(["01", "--solved", style], notebooks) == 0
    assert run_notebooks.main(["01"], notebooks) == 1  # untouched, nothing is recorded
    assert run_notebooks.main(["01", "--solved", style, "--save"], notebooks) == 2
    assert snapshot(notebooks) == before
    assert "--save stores the untouched notebook" in capsys.readouterr().err


@pytest.mark.parametrize(("style", "answer"), [("reference", "reference"), ("other", "also_correct[0]")])
def test_solve_puts_the_answer_of_its_style_before_each_check_of_a_coding_exercise(style, answer):
    def lesson(before=""):
        check = "output_size = exercises.output_size.check(output_size)"
        sources = [
            f"def output_size(size):\n    return ...\n\n{before}{check}",
            'exercises.flipping.check("…")',
            "x = 1",
        ]
        return [*sources, check.replace("output_size", "no_exercise")]

    notebook = new_notebook(cells=[*map(new_code_cell, lesson()), new_markdown_cell(lesson()[0])])
    run_notebooks.solve(notebook, "convolution", style)
    solved = lesson(f"output_size = exercises.output_size.{answer}\n")
    assert [cell.source for cell in notebook.cells] == [*solved, lesson()[0]]


def test_an_unknown_number_is_refused(notebooks, capsys):
    write_notebook(notebooks, "01_one.ipynb", "1")
    assert run_notebooks.main(["01", "42"], notebooks) == 2
    assert "No notebook 42" in capsys.readouterr().err
