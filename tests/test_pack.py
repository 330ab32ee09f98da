"""course.py pack: what is wanted for which system, and an installation from the folder with hashes that are compared."""

import base64
import functools
import hashlib
import http.server
import shutil
import subprocess
import sys
import threading
import zipfile

import pytest
from test_workflows import load_course

from course_lib import ROOT
from course_lib.tools import pack

course = load_course()
PINS = (ROOT / "constraints-test.txt").read_text("utf-8")


def names(system, python):
    return {name.partition("==")[0] for name in pack.wanted(PINS, system, python)}


def test_each_system_and_python_gets_its_own_packages():
    assert names("linux", "3.13") == names("linux-arm", "3.13") and len(names("linux", "3.13")) > 150
    assert names("windows", "3.13") - names("linux", "3.13") == {"colorama", "pywinpty"}
    assert names("macos", "3.13") - names("linux", "3.13") == {"appnope"}
    assert names("linux", "3.13") - names("windows", "3.13") == {"pexpect", "ptyprocess"}
    assert names("linux", "3.11") - names("linux", "3.13") == {"importlib-resources", "overrides"}
    assert all(pack.wanted(PINS, "linux", "3.13").values())


def test_every_system_of_the_course_can_be_packed():
    for _, seen, tags in pack.SYSTEMS.values():
        course.check_machine(seen["platform_system"], seen["platform_machine"], 64, "", "CPython")
        assert tags
    assert pack.here() in pack.SYSTEMS


# ---- From a tiny index to an environment


def wheel(folder, name, *, text="WORKS = True\n", tag="py3-none-any"):
    """A wheel of a package with one module, made by hand. Returns its path."""
    files = {
        f"{name}.py": text,
        f"{name}-1.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n",
        f"{name}-1.dist-info/WHEEL": f"Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: {tag}\n",
    }
    record = ""
    for path, content in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content.encode()).digest()).rstrip(b"=").decode()
        record += f"{path},sha256={digest},{len(content)}\n"
    made = folder / f"{name}-1-{tag}.whl"
    with zipfile.ZipFile(made, "w") as file:
        for path, content in {**files, f"{name}-1.dist-info/RECORD": record}.items():
            file.writestr(path, content)
    return made


def pin(path, marker=""):
    return (
        f"{path.name.split('-')[0]}==1{marker} \\\n    --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"
    )


@pytest.fixture
def index(tmp_path, monkeypatch):
    """A course of two packages, one of them for Windows alone, and an index that has them and nothing else."""
    if not shutil.which("git"):
        pytest.skip("needs git")
    root, shelf = tmp_path / "course", tmp_path / "shelf"
    root.mkdir()
    shelf.mkdir()
    tiny, other = wheel(shelf, "tinyone"), wheel(shelf, "winonly", tag="cp313-cp313-win_amd64")
    for name in ("constraints.txt", "constraints-test.txt"):
        text = "# Made by\n#    a command\n" + pin(tiny) + pin(other, " ; sys_platform == 'win32'")
        (root / name).write_text(text, "utf-8")
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@example.org"]
    for command in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "-m", "all"]):
        subprocess.run([*git, *command], cwd=root, check=True)
    monkeypatch.delenv("COURSE_WHEELS", raising=False)
    for name, value in {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": shelf.as_uri(), "PIP_CONFIG_FILE": "/dev/null"}.items():
        monkeypatch.setenv(name, value)
    return root


def files(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_pack_holds_the_packages_of_each_system_the_course_and_what_to_type(index, tmp_path, capsys):
    folder = tmp_path / "for the room"
    pack.pack(folder, ["linux", "windows"], "3.13", index)
    wheels = {"course-wheels/tinyone-1-py3-none-any.whl", "course-wheels/winonly-1-cp313-cp313-win_amd64.whl"}
    assert files(folder) == {"README.txt", "course.zip", *wheels}
    said = capsys.readouterr().out
    assert "did not commit" not in said and "web book is not in it" in said
    text = (folder / "README.txt").read_text("utf-8")
    assert "Linux (x86-64, glibc 2.28 or newer) and Windows (x86-64), with Python 3.13" in text
    assert hashlib.sha256((folder / "course.zip").read_bytes()).hexdigest() in text
    (index / "build" / "book" / "site").mkdir(parents=True)
    (index / "build" / "book" / "site" / "index.html").write_text("a book", "utf-8")
    (index / "constraints.txt").write_text("changed", "utf-8")
    pack.pack(folder, ["linux"], "3.13", index)  # again: what is there is its own
    assert "did not commit is not in course.zip:\n M constraints.txt" in capsys.readouterr().out
    assert (folder / "book" / "index.html").exists() and "book/index.html" in (folder / "README.txt").read_text("utf-8")


def test_what_students_type_is_in_the_readme(index, tmp_path):
    folder = tmp_path / "pack"
    pack.pack(folder, ["linux"], "3.13", index)
    lines = [line.strip() for line in (folder / "README.txt").read_text("utf-8").splitlines()]
    unpack, start = (next(line for line in lines if word in line) for word in (" -m zipfile", " course/course.py"))
    python, *arguments = unpack.split()
    assert python == "python3.13"
    subprocess.run([sys.executable, *arguments], cwd=folder, check=True)
    assert (folder / "course" / "constraints.txt").exists()
    assert course.parse(start.split()[2:]).command == "lab"
    assert course.wheels(folder / "course") == str(folder / "course-wheels")


def test_a_folder_of_somebody_else_is_left_alone(index, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "README.txt").write_text("mine", "utf-8")
    with pytest.raises(ValueError, match="holds something else"):
        pack.pack(tmp_path / "mine", ["linux"], "3.13", index)
    assert files(tmp_path / "mine") == {"README.txt"}


def test_a_course_that_git_does_not_know_cannot_be_packed(tmp_path, capfd):
    with pytest.raises(ValueError, match="needs git, and the course as git cloned it"):
        pack.pack(tmp_path / "pack", ["linux"], "3.13", tmp_path)


def test_a_package_that_is_not_there_for_the_system_is_noticed(index, tmp_path, capfd):
    with pytest.raises(ValueError, match=r"could not get all packages for Windows \(x86-64\) and Python 3.12"):
        pack.pack(tmp_path / "pack", ["windows"], "3.12", index)  # its wheel is for 3.13
    assert "winonly" in capfd.readouterr().err


def test_a_package_that_was_exchanged_on_the_index_is_not_packed(index, tmp_path, capfd):
    wheel(tmp_path / "shelf", "tinyone", text="WORKS = 'as a thief wants'\n")
    with pytest.raises(ValueError, match="could not get all packages"):
        pack.pack(tmp_path / "pack", ["linux"], "3.13", index)
    assert "DO NOT MATCH THE HASHES" in capfd.readouterr().err and not list((tmp_path / "pack").glob("*/*.whl"))


def test_a_source_that_needs_a_compiler_is_noticed(monkeypatch, tmp_path):
    monkeypatch.setattr(pack.subprocess, "call", lambda command: (tmp_path / "Tiny_One-1.tar.gz").touch())
    pack.download({"tiny-one==1": ["sha256:1"]}, tmp_path, "linux", "3.13")  # nothing else is on the index
    pack.download({"tiny==1": ["sha256:1", "sha256:2"]}, tmp_path, "linux", "3.13")  # not its source
    with pytest.raises(ValueError, match="no wheel of tiny-one==1 for Linux"):
        pack.download({"tiny-one==1": ["sha256:1", "sha256:2"]}, tmp_path, "linux", "3.13")


@pytest.fixture
def room(index, tmp_path, monkeypatch):
    """A folder packed for this computer, and the course unpacked away from it, with an empty environment."""
    folder, root = tmp_path / "pack", tmp_path / "student" / "course"
    pack.pack(folder, [pack.here()], "{}.{}".format(*sys.version_info), index)
    monkeypatch.setenv("PIP_FIND_LINKS", "")  # in the room there is no index
    with zipfile.ZipFile(folder / "course.zip") as file:
        file.extractall(root.parent)
    subprocess.run([sys.executable, "-m", "venv", str(root / ".venv")], check=True)
    return folder, root


def install(root):
    with (root / "lock").open("w") as lock:
        return course.install(root, "packages", lock)


def works(root):
    return subprocess.run([course.venv_python(root), "-c", "import tinyone"], capture_output=True).returncode == 0


@pytest.mark.slow
def test_the_room_installs_from_a_copy_and_a_package_that_was_exchanged_is_refused(room, monkeypatch):
    folder, root = room
    monkeypatch.setenv("COURSE_WHEELS", str(folder / "course-wheels"))
    good = (folder / "course-wheels" / "tinyone-1-py3-none-any.whl").read_bytes()
    wheel(folder / "course-wheels", "tinyone", text="WORKS = 'as a thief wants'\n")
    changed, problem = install(root)
    assert not changed and "DO NOT MATCH THE HASHES" in str(problem) and not works(root)
    (folder / "course-wheels" / "tinyone-1-py3-none-any.whl").write_bytes(good)
    assert install(root) == (True, None) and works(root)
    (folder / "course-wheels" / "tinyone-1-py3-none-any.whl").unlink()
    subprocess.run([course.venv_python(root), "-m", "pip", "uninstall", "-qy", "tinyone"], check=True)
    assert "are not all packages for Python" in str(install(root)[1])


@pytest.mark.slow
def test_the_room_installs_from_a_server_as_the_readme_starts_it(room, monkeypatch):
    folder, root = room
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("COURSE_WHEELS", f"http://127.0.0.1:{server.server_port}/course-wheels")
        assert install(root) == (True, None) and works(root)
        server.shutdown()
