#!/usr/bin/env python3
"""Set up and run the course. Needs Python 3.11, 3.12 or 3.13; everything else is installed into .venv, once.

The folder .venv belongs to this file, which makes it anew when it is damaged or half-made. The folder work/ is
yours: your copies of the notebooks are never overwritten; when a lesson was updated, the new version is put beside
your copy. With COURSE_NEWEST=1 in the environment, the newest packages that requirements.txt allows are installed
instead of the exact ones in constraints.txt, whose hashes pip compares. With COURSE_WHEELS, a folder or an address, packages
come from there and not from the internet; so they do from a folder course-wheels/ beside this one (course.py pack).
"""
# Only syntax that Python 3.6 knows, so that an old Python gets far enough to say that it is too old.

import argparse
import contextlib
import datetime
import errno
import hashlib
import importlib.util
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
import urllib.parse
from pathlib import Path

ROOT = Path(__file__).resolve().parent
START = "00_start_here.ipynb"
NEEDED_GB = 4  # free space asked for before an installation; .venv takes about 3 GB in the end
CELL_SECONDS = 600  # a notebook cell that takes longer has hung
# The version whose notebooks import from places that are no longer there: its tag, and its commit, which no clone lacks.
FIRST_EDITION, FIRST_COMMIT = "v0.1.0", "4b55641"
RENAMED = {"capstone": "capstone_pneumonia"}  # topics that had another name in the first edition

# Starts JupyterLab with a token of our own, which no configuration file can switch off. The token is made in there,
# since other users of the machine can read command lines.
LAUNCH_LAB = """\
import secrets, sys
from jupyterlab.labapp import LabApp
server = LabApp.initialize_server([*sys.argv[1:], "--IdentityProvider.token=" + secrets.token_hex(24)])
server.identity_provider.token_generated = True  # so JupyterLab prints its address with the token
server.start()
"""


class Problem(Exception):
    """What is wrong and what to do about it, in a sentence or two for the person at the keyboard."""


def say(text):
    print(text, flush=True)


# ---- Can the course run on this Python and this machine? -------------------------------------------------------------


def check_python(version=sys.version_info[:3], find=shutil.which):
    """Raise Problem if this Python is too old or too new."""
    if (3, 11) <= tuple(version[:2]) <= (3, 13):
        return
    have = ".".join(str(number) for number in version)
    for name in ("python3.13", "python3.12", "python3.11"):
        path = find(name)
        # A name may lead to a mere placeholder, which says that this version is not installed.
        if path and subprocess.call([path, "-c", ""], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) == 0:
            advice = f"run it with the one that is on this machine too: {name} course.py"
            break
    else:
        command = "py -3.13 course.py" if os.name == "nt" else "python3.13 course.py"
        advice = f"install Python 3.13 from python.org or your system's packages, then run: {command}"
        if find("uv"):  # it brings a suitable Python along
            advice += " (or, since uv is on this machine: uv run --python 3.13 course.py lab)"
    raise Problem(f"This course needs Python 3.11, 3.12 or 3.13, you have {have}: {advice}")


def check_machine(system=None, machine=None, bits=None, abi=None, implementation=None):
    """Raise Problem if TensorFlow has no package for this machine. The arguments default to what this Python says."""
    system = system or platform.system()
    machine = machine or platform.machine()
    bits = bits or (64 if sys.maxsize > 2**32 else 32)
    abi = sysconfig.get_config_var("SOABI") or "" if abi is None else abi
    implementation = implementation or platform.python_implementation()

    if (system, machine) == ("Darwin", "x86_64"):
        raise Problem(
            "TensorFlow, which this course uses, is no longer made for Intel Macs: use another computer "
            "(on a Mac with Apple silicon, install the arm64 Python from python.org: yours is the Intel one)."
        )
    if (system, machine) not in {
        ("Linux", "x86_64"),
        ("Linux", "aarch64"),
        ("Darwin", "arm64"),
        ("Windows", "AMD64"),
    }:
        reason = f"{system} on {machine}"
    elif bits != 64:
        reason = f"a {bits}-bit Python"
    elif "musl" in abi:
        reason = "a Linux with musl instead of glibc, such as Alpine"
    elif implementation != "CPython":
        reason = implementation
    elif abi.startswith(("cpython-313t", "cp313t")):
        reason = "a free-threaded Python"
    else:
        return
    raise Problem(
        f"TensorFlow, which this course uses, is not made for {reason}: it needs the usual 64-bit Python on Linux "
        "(glibc; x86-64 or ARM64), Windows (x86-64) or a Mac with Apple silicon."
    )


# ---- The environment in .venv ----------------------------------------------------------------------------------------


def venv_python(root):
    return root / ".venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def child_environment(root, **more):
    """Environment variables for everything that runs in .venv, so that it finds what is in there and nothing else."""
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONHOME", "PYTHONPATH")}
    venv = root / ".venv"
    environment["PATH"] = os.pathsep.join([str(venv_python(root).parent), environment.get("PATH", os.defpath)])
    # Jupyter looks here first: neither a kernel nor an extension in the user's home comes before ours.
    environment["JUPYTER_PATH"] = os.pathsep.join(
        filter(None, [str(venv / "share" / "jupyter"), environment.get("JUPYTER_PATH")])
    )
    environment["PYTHONUTF8"] = "1"
    environment.update(more)
    return environment


@contextlib.contextmanager
def locked(path):
    """Hold the lock file at `path`; while another process holds it, say so once and wait."""
    with path.open("a+b") as file:
        waiting = False
        while not try_lock(file):
            if not waiting:
                say("Another course.py is setting up this folder: waiting until it has finished …")
            waiting = True
            time.sleep(0.2)
        yield file


def try_lock(file):
    """Take the operating system's lock on an open file; it ends with the process. Returns False if it is taken."""
    try:
        if os.name == "nt":
            import msvcrt

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


def fingerprints(root):
    """What an up-to-date .venv is made from: the Python, and a text for each part that is installed on its own."""

    def digest(*names):
        return hashlib.sha256(b"\0".join((root / name).read_bytes() for name in names)).hexdigest()

    return {
        "python": "{}.{} {}".format(*sys.version_info[:2], platform.machine()),
        "packages": digest("requirements.txt" if newest() else "constraints.txt"),
        "packages and tests": digest(*["requirements.txt", "pyproject.toml"] if newest() else ["constraints-test.txt"]),
        "course_lib": digest("pyproject.toml", "requirements.txt") + " in " + str(root),
    }


def newest():
    return os.environ.get("COURSE_NEWEST", "") not in ("", "0")


def wheels(root):
    """The folder or address from which packages come in place of the internet, or None."""
    given = os.environ.get("COURSE_WHEELS", "")
    if "://" in given:
        return given
    folder = Path(given).expanduser().resolve() if given else root.parent / "course-wheels"
    if given and not folder.is_dir():
        raise Problem(f"COURSE_WHEELS says that the packages are in {folder}, which is no folder.")
    return str(folder) if folder.is_dir() else None


def stamp_path(root):
    return root / ".venv" / "course.json"


def read_json(path):
    """The object in a JSON file of ours; {} if there is none, or it is damaged."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def write_atomically(path, text):
    part = path.with_name("." + path.name + ".part")
    part.write_text(text, encoding="utf-8")
    os.replace(str(part), str(path))


def healthy(root, stamp):
    """Whether .venv was finished, with this version of Python, and its Python still starts."""
    if stamp.get("python") != fingerprints(root)["python"]:
        return False
    question = "import sys; print(sys.prefix != sys.base_prefix, '{}.{}'.format(*sys.version_info[:2]))"
    try:
        result = subprocess.run(
            [str(venv_python(root)), "-c", question], env=child_environment(root), capture_output=True, text=True
        )
    except OSError:
        return False
    return result.stdout.split() == ["True", stamp["python"].split()[0]]


def prepare(root, tests=False):
    """Make .venv, or bring it up to date, as far as needed: when nothing has changed, pip is not called."""
    with locked(root / ".venv.lock") as lock:
        wanted = fingerprints(root)
        stamp = read_json(stamp_path(root))  # empty if .venv was not finished
        if not healthy(root, stamp):
            make_venv(root)
            stamp = {"python": wanted["python"]}
        for part in ("packages and tests" if tests else "packages", "course_lib"):
            if stamp.get(part) == wanted[part]:
                continue
            if len(stamp) > 1 and part != "course_lib":
                say("The packages that the course needs have changed: bringing .venv up to date …")
            # No stamp while pip is at work: an interrupted change shows.
            stamp_path(root).unlink(missing_ok=True)
            changed, problem = install(root, part, lock)
            if problem is None:
                stamp[part] = wanted[part]
                if tests:
                    stamp["packages"] = wanted["packages"]
            if problem is None or not changed:
                write_atomically(stamp_path(root), json.dumps(stamp, indent=1))
            if problem is not None:
                raise problem


def make_venv(root):
    """Make an empty .venv in place of whatever is there."""
    venv = root / ".venv"
    if venv.is_symlink():
        raise Problem(f"{venv} is a link to another place, where nothing shall be deleted: remove the link, try again.")
    if os.name == "nt" and Path(sys.prefix) == venv:
        raise Problem("The environment must be made anew, but you are inside it: type 'deactivate', then try again.")
    if importlib.util.find_spec("ensurepip") is None:
        package = "python{}.{}-venv".format(*sys.version_info[:2])
        raise Problem(
            "This Python cannot make environments, since Debian and Ubuntu keep that in a package of its own: "
            f"run 'apt install {package}' (with sudo, if you are not root), then try again."
        )
    if venv.exists():
        say("The environment in .venv is damaged, half-made, or of another Python: making it anew.")
        shutil.rmtree(str(venv))
    free_gb = shutil.disk_usage(str(root)).free / 1e9
    if free_gb < NEEDED_GB:
        raise Problem(f"The installation needs {NEEDED_GB} GB, only {free_gb:.1f} GB are free on the disk of {root}.")
    say("Installing the course's packages into .venv: this takes 2–5 minutes and about 3 GB, once …")
    # The Python behind an environment makes the new one: this file may be run by the .venv that was just deleted.
    python = getattr(sys, "_base_executable", None) or sys.executable
    result = subprocess.run([python, "-m", "venv", str(venv)], capture_output=True, text=True, errors="replace")
    if result.returncode:
        raise Problem(f"Python could not make the environment {venv}:\n{result.stdout}{result.stderr}")


def install(root, part, lock):
    """Run pip for one part. Returns (whether .venv was changed, None or the Problem)."""
    command = [str(venv_python(root)), "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
    command += ["--progress-bar", "off"]
    if part == "course_lib":  # built with the setuptools in .venv: this needs no network
        command += ["--no-deps", "--no-build-isolation", "--editable", str(root)]
    elif newest():
        command += ["--upgrade", "--upgrade-strategy", "eager", "--requirement", str(root / "requirements.txt")]
        if part == "packages and tests":
            command += ["--editable", f"{root}[test,book]"]
    else:
        pins = "constraints-test.txt" if part == "packages and tests" else "constraints.txt"
        command += ["--require-hashes", "--requirement", str(root / pins)]
        place = wheels(root)
        if place:
            say(f"The packages come from {place}.")
            # Without a certificate of the room's computer, the hashes are what tells a package that was exchanged.
            trusted = ["--trusted-host", urllib.parse.urlsplit(place).netloc] if "://" in place else []
            command += ["--no-index", "--find-links", place] + trusted
    # While pip has the lock open too, nobody starts anew beside a pip whose course.py was killed.
    keep_open = {} if os.name == "nt" else {"pass_fds": [lock.fileno()]}
    output, changed = [], False
    with subprocess.Popen(
        command,
        env=child_environment(root),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
        **keep_open,
    ) as process:
        for line in process.stdout:
            output.append(line)
            changed = changed or line.startswith("Installing collected packages")
            if sys.stdout.isatty() and line.startswith(("Collecting", "Installing")):
                print("\r  " + " ".join(line.split()[:2])[:70].ljust(70), end="", flush=True)
    if sys.stdout.isatty():
        print("\r" + " " * 72, end="\r", flush=True)
    return changed, explain(command, "".join(output)) if process.returncode else None


def explain(command, output):
    """The Problem behind pip's output."""
    if "No space left on device" in output or "not enough space on the disk" in output:
        return Problem(f"The disk is full: free some space (the installation needs {NEEDED_GB} GB), then try again.")
    if "--no-index" in command and "No matching distribution found" in output:
        place = command[command.index("--find-links") + 1]
        return Problem(
            "In {} are not all packages for Python {}.{} on {} {}: look whether it can be reached; README.txt beside it "
            "says what it is for.".format(place, *sys.version_info[:2], platform.system(), platform.machine())
        )
    signs = ["NewConnectionError", "NameResolutionError", "Failed to establish a new connection", "Read timed out"]
    signs += ["ConnectTimeoutError", "ProxyError", "Connection aborted", "Connection broken"]
    if any(sign in output for sign in signs):
        return Problem("The packages could not be downloaded: check the connection to the internet, then try again.")
    last = "".join(output.splitlines(keepends=True)[-25:])
    return Problem(f"{last}\npip could not install the packages; what it said last is above.")


# ---- The student's notebooks -----------------------------------------------------------------------------------------


def work_folder(root):
    return Path(os.environ.get("COURSE_WORK") or root / "work").expanduser().resolve()


def fingerprint_of_cells(path):
    """Hash of a notebook's cells without their outputs: refreshed outputs do not make an updated lesson."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    sources = [[cell["cell_type"], "".join(cell["source"])] for cell in cells]
    return hashlib.sha256(json.dumps(sources).encode()).hexdigest()


def hand_out(root, today=None):
    """Copy the notebooks into the student's folder. What is there is never overwritten, edited or not.

    The file .handed_out.json remembers every version that was handed out. A new version of a lesson whose
    copy is there is put beside it, once, under a name with the date; a lesson that has got another number or name
    has its own name for that.
    """
    work = work_folder(root)
    work.mkdir(parents=True, exist_ok=True)
    with locked(work / ".handed_out.lock"):
        record_path = work / ".handed_out.json"
        record = read_json(record_path)
        old_copies = False
        for original in sorted((root / "notebooks").glob("[0-9][0-9]_*.ipynb")):
            try:
                version = fingerprint_of_cells(original)
            except (ValueError, KeyError, TypeError):
                raise Problem(f"{original} is damaged: bring it back with 'git checkout' and try again.") from None
            known = record.setdefault(original.name, [])
            copy = work / original.name
            if version not in known:
                old_copies = old_copies or is_of_first_edition(copy)
                for old in earlier_copies(work, original):
                    say(
                        f"{old.stem} has become {original.stem}, which is put beside it; your own copy is as you left it."
                    )
                    old_copies = True
            if copy.exists() and version not in known and not same_cells(copy, version):
                stem = f"{original.stem}.new-{today or datetime.date.today().isoformat()}"
                copy, number = work / f"{stem}.ipynb", 1
                while copy.exists():
                    number += 1
                    copy = work / f"{stem}-{number}.ipynb"
                say(f"{original.stem} was updated: the new version is {copy.name}; your own copy is as you left it.")
            if not copy.exists():
                part = work / f".{original.name}.part"
                shutil.copyfile(str(original), str(part))
                part.rename(copy)
            if version not in known:
                known.append(version)
                write_atomically(record_path, json.dumps(record, indent=1))
        if old_copies:
            say(
                f"Your copies of the first edition run with the version tagged {FIRST_EDITION}: git checkout {FIRST_COMMIT}"
            )


def earlier_copies(work, original):
    """Copies of this lesson under another number, or the name it had in the first edition."""
    topic = original.stem[3:]
    names = [topic, *filter(None, [RENAMED.get(topic)])]
    copies = [path for name in names for path in sorted(work.glob(f"[0-9][0-9]_{name}.ipynb"))]
    return [path for path in copies if path.name != original.name]


def is_of_first_edition(path):
    """Whether this is a student's copy of a notebook that imports as the first edition did."""
    try:
        return '"from course_lib.exercises import' in path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return False


def same_cells(path, version):
    try:
        return fingerprint_of_cells(path) == version
    except (ValueError, KeyError, TypeError):  # whatever it is, it is the student's
        return False


# ---- The commands ----------------------------------------------------------------------------------------------------


def run_child(command, **options):
    """Run a command to its end and return its exit status. Ctrl-C reaches it too: wait until it has tidied up."""
    interrupts = []
    # A handler instead of KeyboardInterrupt, which is lost where Python cannot raise it (in a destructor, for one).
    before = signal.signal(signal.SIGINT, lambda *_: interrupts.append(True))
    try:
        with subprocess.Popen(command, **options) as process:
            process.wait()
    finally:
        signal.signal(signal.SIGINT, before)
    if interrupts:
        raise KeyboardInterrupt
    return process.returncode


def lab_command(root, author=False, passed_on=()):
    """The command that opens JupyterLab. What is said here beats the user's own configuration files."""
    names = [argument.split("=")[0] for argument in passed_on]
    if any(name.endswith(".token") for name in names):
        raise Problem("JupyterLab makes a new token at every start, and shows it: leave the token out.")
    command = [str(venv_python(root)), "-c", LAUNCH_LAB]
    if not {"--ip", "--ServerApp.ip"} & set(names):  # only what is said on purpose opens it to other machines
        command.append("--ServerApp.ip=127.0.0.1")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--ServerApp.allow_root=True")  # as in most containers
    if author:
        command += [f"--ServerApp.root_dir={root}", f"--LabApp.default_url=/lab/tree/notebooks/{START}"]
    else:
        command += [f"--ServerApp.root_dir={work_folder(root)}", f"--LabApp.default_url=/lab/tree/{START}"]
    return command + list(passed_on)


def decline_news(venv):
    """Answer JupyterLab's question about news beforehand: it lies over the notebook, and a yes asks a website."""
    settings = venv / "share" / "jupyter" / "lab" / "settings"
    settings.mkdir(parents=True, exist_ok=True)
    answer = {"@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False}}
    write_atomically(settings / "overrides.json", json.dumps(answer, indent=1))


def lab(root, author, passed_on):
    prepare(root)
    decline_news(root / ".venv")
    if not author:
        hand_out(root)
    command = lab_command(root, author, passed_on)
    if os.name == "nt":  # there, exec would give the terminal back while JupyterLab is still running
        return run_child(command, env=child_environment(root))
    return os.execve(command[0], command, child_environment(root))


def without_network():
    """Start of a command line that runs the rest where there is no network but this machine's own loopback."""
    rest = ["sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
    for prefix in (["unshare", "--net"], ["unshare", "--net", "--map-root-user"]):
        if shutil.which("unshare") and subprocess.run(prefix + rest + ["true"], capture_output=True).returncode == 0:
            return prefix + rest
    say("This machine cannot take the network away from the tests (unshare --net): they run with it.")
    return []


def workers():
    """Options of pytest for two tests at a time, where there are two processors and memory for two networks."""
    try:
        gigabytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    except (AttributeError, ValueError, OSError):  # Windows does not say
        return []
    # A whole file goes to one worker: the cells of a notebook belong together.
    return ["-n", "2", "--dist", "loadfile"] if (os.cpu_count() or 1) >= 2 and gigabytes >= 7 else []


def test(root, arguments, quick=False, lesson=None):
    """All tests; quick: what is done in a minute; lesson: those of one lesson, by number or topic."""
    prepare(root, tests=True)
    python = str(venv_python(root))
    pytest = without_network() + [python, "-m", "pytest"]
    nbval = ["--nbval-lax", "--nbval-current-env", f"--nbval-cell-timeout={CELL_SECONDS}"]
    parts = {
        "style": [python, "-m", "ruff", "check"],
        "format": [python, "-m", "ruff", "format", "--check"],
        "types": [python, "-m", "mypy"],
        "tests": pytest + workers() + ["tests"],
        "notebooks": pytest + workers() + nbval + ["notebooks"],
    }
    if quick:
        parts["tests"] += ["-m", "not slow"]
        del parts["types"], parts["notebooks"]
    elif lesson:
        notebook = find_lesson(root, lesson)
        topic = notebook.stem[3:]
        parts = {
            "tests": pytest + [f"tests/lessons/test_{topic}.py"],
            "rules": pytest
            + ["tests/test_exercises.py", "tests/test_explorers.py", "tests/test_notebooks.py", "-k", topic],
            "notebook": pytest + nbval + [str(notebook.relative_to(root))],
        }
    elif arguments:
        parts = {"tests": pytest + arguments}
    results = []
    with tempfile.TemporaryDirectory(prefix="course-test-", ignore_cleanup_errors=True) as work:
        # Claims that do not hold raise (course_lib.claims), where a reader would only see a cross.
        environment = child_environment(root, COURSE_WORK=work, COURSE_TESTING="1")
        for name, command in parts.items():
            say(f"---- {name}")
            start = time.monotonic()
            status = run_child(command, cwd=str(root), env=environment)
            results.append((name, status, time.monotonic() - start))
    say("---- summary")
    for name, status, seconds in results:
        say(f"{name:12} {'passed' if status == 0 else f'FAILED (exit status {status})':26} {seconds:6.0f} s")
    return 1 if any(status for _, status, _ in results) else 0


def find_lesson(root, lesson):
    """The notebook of a lesson, by its number ("7", "07") or topic ("augmentation")."""
    notebooks = sorted((root / "notebooks").glob("[0-9][0-9]_*.ipynb"))
    for path in notebooks:
        if lesson.zfill(2) == path.stem[:2] or lesson == path.stem[3:]:
            return path
    raise Problem(f"There is no lesson {lesson!r}; there are: {', '.join(path.stem for path in notebooks)}.")


def run(root, numbers, save, solved):
    prepare(root)
    more = (["--save"] if save else []) + (["--solved", solved] if solved else [])
    return tool(root, "run_notebooks", numbers + more)


def grade(root, folder):
    prepare(root)
    return tool(root, "grade", [str(Path(folder).resolve())])


def pack(root, folder, systems, python):
    prepare(root, tests=True)
    more = (["--system"] + systems if systems else []) + (["--python", python] if python else [])
    return tool(root, "pack", [str(Path(folder).resolve())] + more)


def tool(root, name, arguments):
    """Run one of course_lib/tools."""
    command = [str(venv_python(root)), "-m", f"course_lib.tools.{name}"] + arguments
    return run_child(command, cwd=str(root), env=child_environment(root))


def parse(arguments):
    """The options of a command line; what is for JupyterLab or pytest is in `passed_on`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(
        dest="command", metavar="lab | test | run | book | slides | grade | pack | new | stale"
    )
    commands.required = True
    sub = commands.add_parser("lab", help="open the lessons in JupyterLab (options for JupyterLab after --)")
    sub.add_argument("--author", action="store_true", help="open the originals in notebooks/, not your copies in work/")
    sub = commands.add_parser(
        "test", help="run all tests; with other arguments, only the unit tests, with these options of pytest"
    )
    only = sub.add_mutually_exclusive_group()
    only.add_argument(
        "--quick", action="store_true", help="what takes about a minute: style, and tests without training"
    )
    only.add_argument(
        "--lesson", metavar="LESSON", help="the tests of one lesson, by number or topic, its notebook included"
    )
    sub = commands.add_parser("run", help="execute notebooks without a browser; seconds and memory beside the budget")
    sub.add_argument("numbers", nargs="*", metavar="NUMBER", help="such as 01 07; all if none is given")
    sub.add_argument("--save", action="store_true", help="for authors: store the outputs in notebooks/")
    sub.add_argument(
        "--solved", choices=["reference", "other"], help="for authors: with all exercises solved, in this style"
    )
    sub = commands.add_parser("book", help="make the web book from the stored outputs, in build/book/site")
    sub.add_argument(
        "--teacher", action="store_true", help="with solutions, and answers unfolded, in build/teacher/site"
    )
    sub = commands.add_parser("slides", help="make a deck of slides of a lesson, one HTML file, in build/slides")
    sub.add_argument("numbers", nargs="+", metavar="NUMBER", help="such as 01 07")
    sub = commands.add_parser("grade", help="for teachers: mark handed-in notebooks, each shut in a process of its own")
    sub.add_argument("folder", metavar="FOLDER", help="holds STUDENT/NN_topic.ipynb, or STUDENT_NN_topic.ipynb")
    sub = commands.add_parser("pack", help="for teachers: a folder from which others install without a network")
    sub.add_argument("folder", metavar="FOLDER", help="is made, about 1 GB for each system")
    sub.add_argument(
        "--system", nargs="+", metavar="SYSTEM", help="linux, linux-arm, macos, windows; default: this one"
    )
    sub.add_argument("--python", metavar="VERSION", help="3.11, 3.12 or 3.13; default: this one")
    sub = commands.add_parser("new", help="for authors: start a lesson from the template")
    sub.add_argument("topic", help="its name, such as segmentation")
    sub = commands.add_parser(
        "stale", help="for authors: stored results that are incomplete or out of date, and what it costs to renew them"
    )
    sub.add_argument("--write", action="store_true", help="write STALE.md anew; the reasons in it are kept")

    passed_on = []
    if "--" in arguments:
        passed_on = arguments[arguments.index("--") + 1 :]
        arguments = arguments[: arguments.index("--")]
    options, others = parser.parse_known_args(arguments)
    if others and options.command != "test":
        parser.error("unknown argument: {}".format(" ".join(others)))
    options.passed_on = others + passed_on
    return options


def main(arguments):
    try:
        check_python()
        check_machine()
        for stream in (sys.stdout, sys.stderr):
            stream.reconfigure(encoding="utf-8", errors="replace")  # Windows would use an older code page in a pipe
        options = parse(arguments)
        if options.command == "lab":
            return lab(ROOT, options.author, options.passed_on)
        if options.command == "test":
            return test(ROOT, options.passed_on, options.quick, options.lesson)
        if options.command == "run":
            return run(ROOT, options.numbers, options.save, options.solved)
        if options.command == "grade":
            return grade(ROOT, options.folder)
        if options.command == "pack":
            return pack(ROOT, options.folder, options.system, options.python)
        prepare(ROOT, tests=True)
        if options.command == "book":
            return tool(ROOT, "book", ["--teacher"] if options.teacher else [])
        if options.command == "slides":
            return tool(ROOT, "slides", options.numbers)
        if options.command == "new":
            return tool(ROOT, "new_lesson", [options.topic])
        return tool(ROOT, "stale", ["--write"] if options.write else [])
    except Problem as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("\nStopped.\n")
        return 130
    except OSError as error:
        what = "The disk is full" if error.errno == errno.ENOSPC else str(error)
        sys.stderr.write(f"{what}: nothing of yours was changed; mend it, then try again.\n")
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
