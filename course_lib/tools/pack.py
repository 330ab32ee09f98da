"""A folder from which computers without a network install the course: `course.py pack FOLDER [--system …] [--python …]`.

It holds the packages of constraints-test.txt for the systems and the Python named (course-wheels/), the committed state of the course
(course.zip), the web book if it was built, and a README.txt for those who use it. Needs the network and git. Hashes are
compared twice: by pip when it downloads, and by pip on the student's computer, with those in course.zip.
"""

import argparse
import datetime
import hashlib
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from packaging.requirements import Requirement

from course_lib import ROOT

LINUX, WHEELS = {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix"}, "course-wheels"
MANYLINUX = ["manylinux1", "manylinux2010", "manylinux2014", *(f"manylinux_2_{minor}" for minor in range(5, 29))]
SYSTEMS = {  # name: (what it is, what markers see there, which tags of wheels it takes)
    "linux": ("Linux (x86-64, glibc 2.28 or newer)", {**LINUX, "platform_machine": "x86_64"}, MANYLINUX),
    "linux-arm": ("Linux (ARM64, glibc 2.28 or newer)", {**LINUX, "platform_machine": "aarch64"}, MANYLINUX),
    "macos": (
        "macOS 13 or newer (Apple silicon)",
        {"sys_platform": "darwin", "platform_system": "Darwin", "os_name": "posix", "platform_machine": "arm64"},
        ["macosx_13_0"],
    ),
    "windows": (
        "Windows (x86-64)",
        {"sys_platform": "win32", "platform_system": "Windows", "os_name": "nt", "platform_machine": "AMD64"},
        ["win"],
    ),
}
README = """\
Deep learning for medical image recognition: the course, to be installed without a network

Made on {date} from commit {commit}, for {systems}, with Python {python}, which must be installed already.

STUDENTS: copy this folder to your computer, open a terminal in the copy, and type these two commands
(on Windows "py -{python}" in place of "python{python}"):

    python{python} -m zipfile -e course.zip .
    python{python} course/course.py lab

The first unpacks the course, the second installs it in some minutes and about 3 GB, and opens it. From then on the second is
enough, and this folder is needed no more. Your own work is in course/work, which course.zip does not hold.

TEACHERS: instead of being copied, this folder can be served in the room's own network. In this folder:

    python{python} -m http.server 8000

Students open http://THIS-COMPUTER:8000 in a browser, save course.zip, and type where they saved it

    python{python} -m zipfile -e course.zip .
    COURSE_WHEELS=http://THIS-COMPUTER:8000/{wheels} python{python} course/course.py lab

On Windows the second is in PowerShell: $env:COURSE_WHEELS="http://THIS-COMPUTER:8000/{wheels}"; py -{python} course/course.py lab
The hash of every package is compared with the one in course.zip, so a package that was changed on its way is refused. That
course.zip is the right one, students see from its own SHA-256, which you may write on the board:

    {sha256}

Stop the server with Ctrl-C after class: whoever is in that network can read this folder, and nothing else.
{book}"""


def here() -> str:
    """The name among SYSTEMS of the system that this runs on."""
    of_this = platform.system(), platform.machine()
    return next(
        n for n, (_, seen, _) in SYSTEMS.items() if of_this == (seen["platform_system"], seen["platform_machine"])
    )


def wanted(pins: str, system: str, python: str) -> dict[str, list[str]]:
    """{"name==version": its hashes} of what a system with this Python ("3.13") needs of the text of a constraints file."""
    environment = {
        **SYSTEMS[system][1],
        "python_version": python,
        "python_full_version": f"{python}.0",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
    }
    found = {}
    for entry in re.split(r"\n(?=\w)", re.sub(r"^#.*\n", "", pins, flags=re.MULTILINE)):
        requirement = Requirement(entry.partition("\\")[0])
        if requirement.marker is None or requirement.marker.evaluate(environment):
            found[f"{requirement.name}{requirement.specifier}"] = re.findall(r"--hash=(\S+)", entry)
    return found


def download(packages: dict[str, list[str]], folder: Path, system: str, python: str) -> None:
    """Let pip put the files of these packages into `folder`. Raises ValueError if it cannot, or for what needs a compiler."""
    machine = SYSTEMS[system][1]["platform_machine"].lower()
    options = ["--no-deps", "--require-hashes", "--implementation", "cp", "--python-version", python]
    for tag in SYSTEMS[system][2]:
        options += ["--platform", f"{tag}_{machine}"]
    with tempfile.TemporaryDirectory() as temporary:
        listed = Path(temporary) / "pins.txt"
        listed.write_text("".join(f"{name} {_hashes(hashes)}\n" for name, hashes in packages.items()), encoding="utf-8")
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input"]
        command += [*options, "--requirement", str(listed), "--dest", str(folder)]
        if subprocess.call(command):
            raise ValueError(f"pip could not get all packages for {SYSTEMS[system][0]} and Python {python}: see above.")
    for name, hashes in packages.items():
        # With a single file on the index there is nothing else to take: such a package is built on the student's computer.
        stem = re.sub(r"[-_.]+", "[-_.]+", name.partition("==")[0])
        sources = [path for path in folder.glob("*.tar.gz") if re.fullmatch(rf"(?i){stem}-\d.*", path.name)]
        if sources and len(hashes) > 1:
            raise ValueError(f"There is no wheel of {name} for {SYSTEMS[system][0]} and Python {python}.")


def _hashes(hashes):
    return " ".join(f"--hash={value}" for value in hashes)


def archive(path: Path, root: Path = ROOT) -> str:
    """Write the committed state of the course to the zip file `path`. Returns the commit; raises ValueError without git."""
    git = ["git", "-C", str(root)]
    try:
        subprocess.run([*git, "archive", "--format=zip", "--prefix=course/", f"--output={path}", "HEAD"], check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise ValueError("Packing needs git, and the course as git cloned it.") from error
    changed = subprocess.check_output([*git, "status", "--porcelain", "--untracked-files=no"], text=True)
    if changed:
        print(f"What you changed and did not commit is not in {path.name}:\n{changed}", end="")
    return subprocess.check_output([*git, "rev-parse", "--short", "HEAD"], text=True).strip()


def pack(folder: Path, systems: list[str], python: str, root: Path = ROOT) -> None:
    """Fill `folder`. Raises ValueError if something else is in it, or as `archive` and `download` do."""
    if folder.exists() and any(folder.iterdir()) and not (folder / WHEELS).is_dir():
        raise ValueError(f"{folder} holds something else: name a folder that is empty or not there yet.")
    (folder / WHEELS).mkdir(parents=True, exist_ok=True)
    commit = archive(folder / "course.zip", root)
    for system in systems:
        print(f"Packages for {SYSTEMS[system][0]}, Python {python}: about 1 GB …", flush=True)
        pins = (root / "constraints-test.txt").read_text(encoding="utf-8")
        download(wanted(pins, system, python), folder / WHEELS, system, python)
    site = root / "build" / "book" / "site"
    if site.is_dir():
        shutil.copytree(site, folder / "book", dirs_exist_ok=True)
    else:
        print("The web book is not in it: `course.py book` builds it; then pack again.")
    text = README.format(
        date=datetime.date.today(),
        commit=commit,
        systems=" and ".join(SYSTEMS[system][0] for system in systems),
        python=python,
        wheels=WHEELS,
        sha256=hashlib.sha256((folder / "course.zip").read_bytes()).hexdigest(),
        book="\nThe course as a web site to read: open book/index.html.\n" if site.is_dir() else "",
    )
    (folder / "README.txt").write_text(text, encoding="utf-8")
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e9
    print(f"{folder} is ready, {size:.1f} GB; its README.txt says what students type.")


def main(arguments: list[str] | None = None) -> int:
    """Pack what the command line says. Returns 0, or 1 after what is wrong was printed."""
    parser = argparse.ArgumentParser(prog="course.py pack", description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--system", nargs="+", choices=SYSTEMS, default=[here()])
    parser.add_argument("--python", choices=["3.11", "3.12", "3.13"], default="{}.{}".format(*sys.version_info))
    options = parser.parse_args(arguments)
    try:
        pack(options.folder, options.system, options.python)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
