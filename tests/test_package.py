"""What may import what: no TensorFlow behind the back of a NumPy lesson, and modules that build on those above them."""

import ast
import json
import os
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import course_lib
from course_lib import ROOT

LIBRARY = Path(course_lib.__file__).parent

# A module imports only from those before it. `course_lib` itself is above them all.
ORDER = ["ops", "network", "imaging", "data", "sequences", "evaluate", "results", "shift", "models", "explain", "gan"]
ORDER += ["restore", "serve", "distribute", "plot", "capstone", "explore", "exercises"]
TOOLS = {"run_notebooks", "setup_check", "tools"}  # stand beside the order; no module imports them
KERAS = {"models", "explain", "gan", "restore", "serve", "capstone"}  # these import Keras when they are imported

HEAVY = {
    "tensorflow",
    "keras",
    "jax",
    "torch",
    "nilearn",
    "nibabel",
    "sklearn",
    "skimage",
    "pandas",
    "pydicom",
    "pooch",
}


def _modules():
    """All modules of course_lib, by name without the package's."""
    prefix = "course_lib."
    return [info.name.removeprefix(prefix) for info in pkgutil.walk_packages([str(LIBRARY)], prefix)]


def _file(name):
    path = LIBRARY.joinpath(*name.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _imported(source, name, is_package):
    """The top modules of course_lib that a module's source imports, anywhere in it: "data" for course_lib.data.samples."""
    package = ["course_lib", *name.split(".")]
    if not is_package:
        package.pop()
    found = set()
    for node in ast.walk(ast.parse(source)):
        targets = []
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            base = [*base, *([node.module] if node.module else [])]
            targets = [".".join([*base, alias.name]) for alias in node.names]
        for target in targets:
            parts = target.split(".")
            if parts[0] == "course_lib" and len(parts) > 1 and parts[1] in {*ORDER, *TOOLS}:
                found.add(parts[1])
    return found


def _problems(source, name, is_package=False):
    own = name.split(".")[0]
    above = set(ORDER[: ORDER.index(own) + 1]) if own in ORDER else set(ORDER)
    for other in sorted(_imported(source, name, is_package) - above):
        yield f"course_lib.{name} imports course_lib.{other}, which is not above it"


@pytest.mark.parametrize("name", _modules())
def test_modules_build_on_those_above_them(name):
    assert name.split(".")[0] in {*ORDER, *TOOLS}, f"course_lib.{name} has no place in the order of modules yet"
    path = _file(name)
    assert not list(_problems(path.read_text(encoding="utf-8"), name, path.name == "__init__.py"))


@pytest.mark.parametrize(
    ("name", "source", "is_package"),
    [
        ("ops", "from course_lib import data", False),
        ("ops", "import course_lib.plot as p", False),
        ("data.samples", "from ..exercises.store import record", False),
        ("data", "from .. import explore", True),
        ("data.samples", "def f():\n    from .. import models", False),
        ("plot", "from . import run_notebooks", False),
    ],
)
def test_a_wrong_import_is_caught(name, source, is_package):
    assert list(_problems(source, name, is_package))
    assert not list(_problems("import numpy\nfrom course_lib import ROOT\nfrom . import samples", name, is_package))


def _run(code, *folders):
    """Run code in a fresh Python that finds course_lib and what is in `folders`."""
    path = os.pathsep.join([*map(str, folders), str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONPATH": path}
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120)


def _heavy(code):
    """The heavy packages that are loaded after this code has run in a fresh Python."""
    done = _run(f"{code}\nimport sys\nprint(*sorted({HEAVY} & sys.modules.keys()))")
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split()


def test_nothing_heavy_is_imported_before_it_is_needed():
    """Each heavy package takes a part of a second or several: only what uses it waits for it."""
    names = [f"course_lib.{name}" for name in _modules() if name.split(".")[0] not in KERAS]
    guilty = _heavy("\n".join(f"import {name}" for name in names)) and [
        name for name in names if _heavy(f"import {name}")
    ]
    assert not guilty, f"imported alone, these load heavy packages: {guilty}"


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("0[0-4]_*.ipynb")), ids=lambda path: path.stem)
def test_setup_of_the_numpy_lessons_is_light(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    setup = next("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    imports = [ast.unparse(node) for node in ast.parse(setup).body if isinstance(node, ast.Import | ast.ImportFrom)]
    assert imports
    assert not _heavy("\n".join(imports))


def test_heavy_packages_are_seen():
    assert "pandas" in _heavy("import sys, types\nsys.modules['pandas'] = types.ModuleType('pandas')")


# Stands in for TensorFlow: writes to descriptor 2, as the C++ part of the real one does.
NOISY = "import os\nos.write(2, b'oneDNN is on')\ndef constant(value):\n    os.write(2, b'no GPU')\n"


def test_import_tensorflow_is_silent_and_gives_the_stream_back(tmp_path):
    (tmp_path / "tensorflow.py").write_text(NOISY)
    code = "import os, course_lib\nassert course_lib.import_tensorflow().constant\nos.write(2, b'I am back')"
    done = _run(code, tmp_path)
    assert (done.returncode, done.stderr) == (0, "I am back")


def test_import_tensorflow_tells_when_it_fails(tmp_path):
    (tmp_path / "tensorflow.py").write_text(NOISY + "raise ImportError('no such library')")
    done = _run("import course_lib\ncourse_lib.import_tensorflow()", tmp_path)
    assert done.returncode == 1 and "ImportError: no such library" in done.stderr and "oneDNN" not in done.stderr
