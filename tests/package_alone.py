"""The package without the course's folder, as after `pip install git+…`: built, installed elsewhere, used there.

    python tests/package_alone.py 01 07 13      with all it requires, from the network; then these lessons run from it

test_package_alone.py does the first part offline, with the packages that are there already. PINNED=constraints.txt in the
environment keeps pip to those versions.
"""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input"]


def build(folder: Path) -> Path:
    """The wheel of this course, made in `folder` from a copy, with the setuptools that is there: offline."""
    source = folder / "source"
    source.mkdir()
    for name in ("pyproject.toml", "requirements.txt"):
        shutil.copyfile(ROOT / name, source / name)
    shutil.copytree(ROOT / "course_lib", source / "course_lib", ignore=shutil.ignore_patterns("__pycache__"))
    options = ["--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", str(folder)]
    subprocess.run([*PIP, "wheel", *options, str(source)], check=True)
    shutil.rmtree(source)
    (wheel,) = folder.glob("*.whl")
    return wheel


def install(wheel: Path, folder: Path, *, packages: bool) -> Path:
    """Make an environment in `folder` with the wheel in it; returns its Python.

    packages: whether pip brings what the wheel requires; if not, it is found where this Python has it.
    """
    venv.create(folder, with_pip=False)
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    constraints = _without_hashes(folder) if packages and os.environ.get("PINNED") else []
    options = constraints if packages else ["--no-deps", "--no-index"]
    command = [*PIP, "--python", str(python), "install", "--quiet", *options, str(wheel)]
    subprocess.run(command, env=_environment(), check=True)
    if not packages:  # a .pth puts a folder at the end of the path, without reading the .pth files in there
        ours = next(folder.glob("lib/python*/site-packages"), folder / "Lib" / "site-packages")
        (ours / "more.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return python


def _without_hashes(folder):
    """Options of pip for the versions in PINNED: with hashes it would want one of the wheel too."""
    text = (ROOT / os.environ["PINNED"]).read_text(encoding="utf-8")
    (folder / "pins.txt").write_text(re.sub(r" \\\n|    --hash=\S+", "", text), encoding="utf-8")
    return ["--constraint", str(folder / "pins.txt")]


def run(python: Path, code: str, home: Path, **more) -> subprocess.CompletedProcess:
    """Run code where there is neither the course's folder nor a setting of it; everything of the user's is in `home`."""
    home.mkdir(exist_ok=True)
    environment = _environment(HOME=str(home), USERPROFILE=str(home), LOCALAPPDATA=str(home), PYTHONUTF8="1")
    return subprocess.run([str(python), "-c", code], cwd=home, env=environment, text=True, encoding="utf-8", **more)


def _environment(**more):
    return {k: v for k, v in os.environ.items() if not k.startswith(("COURSE_", "PYTHON", "XDG_"))} | more


def main(numbers):
    with tempfile.TemporaryDirectory(prefix="course wheel ", ignore_cleanup_errors=True) as folder:
        folder = Path(folder)
        python = install(build(folder), folder / "environment", packages=True)
        shutil.copytree(ROOT / "notebooks", folder / "notebooks")
        code = "from course_lib.tools.setup_check import check_setup; assert check_setup()\n"
        code += "import pathlib, sys; from course_lib.tools import run_notebooks\n"
        code += f"sys.exit(run_notebooks.main({numbers!r}, pathlib.Path({str(folder / 'notebooks')!r})))"
        return run(python, code, folder / "home").returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
