"""What may import what: no TensorFlow behind the back of a NumPy lesson, and modules that build on those below them."""

import ast
import json
import os
import pkgutil
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import course_lib
from course_lib import ROOT

LIBRARY = Path(course_lib.__file__).parent

# These import Keras when they are imported.
KERAS = r"models|explain|gan|lessons\.\w+\.(experiment|layers|release)"

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


def _lint_imports(root):
    """Ask import-linter about the course_lib in `root`; its rules are in pyproject.toml, [tool.importlinter]."""
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache"]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=120)


def test_modules_build_on_those_below_them():
    done = _lint_imports(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("ops", "from course_lib import data"),
        ("ops", "import course_lib.plot as p"),
        ("data/samples", "def f():\n    from course_lib.exercises.store import record"),
        ("plot", "from course_lib.tools import run_notebooks"),
        ("explain", "from course_lib.lessons.convolution import model"),
        ("lessons/gan/model", "from course_lib.lessons.gan import explorers"),
        ("lessons/gan/explorers", "from course_lib.lessons.restoration import explorers"),
    ],
)
def test_a_wrong_import_is_caught(tmp_path, module, line):
    shutil.copytree(LIBRARY, tmp_path / "course_lib", ignore=shutil.ignore_patterns("results", "__pycache__"))
    shutil.copyfile(ROOT / "pyproject.toml", tmp_path / "pyproject.toml")
    (tmp_path / "course_lib" / "results.py").write_text((LIBRARY / "results.py").read_text("utf-8"), "utf-8")
    path = tmp_path / "course_lib" / f"{module}.py"
    path.write_text(path.read_text("utf-8") + f"\n{line}\n", "utf-8")
    done = _lint_imports(tmp_path)
    assert done.returncode == 1 and "BROKEN" in done.stdout


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
    names = [f"course_lib.{name}" for name in _modules() if not re.fullmatch(KERAS, name)]
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
