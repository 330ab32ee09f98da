"""The package alone, installed from its wheel away from the course's folder, does what a notebook asks of it."""

import subprocess
import zipfile

import package_alone as wheels
import pytest
from packaging.requirements import Requirement

pytestmark = pytest.mark.slow

USE = """
import os, pathlib, sys
import course_lib
from course_lib import data, results, work_folder

package = pathlib.Path(course_lib.__file__).resolve().parent
assert package.is_relative_to(pathlib.Path(sys.prefix).resolve()), f"{package} is not the one that was installed"

def files():
    return {path for path in package.parent.rglob("*") if "__pycache__" not in path.parts}

before = files()
assert results.load("rnn_lstm_gru/memory") and results.weights("in_use/scanners", 0)
assert results.folder("in_use/release").is_dir()
assert data.sample("ct").unit == "HU" and "pneumoniamnist" in str(data.catalogue())
assert len(data.load("brain-lesions", n_patients=8).train)

from course_lib.exercises import progress
from course_lib.lessons.convolution import exercises, explorers
assert explorers.receptive_field().render().startswith(b"\\x89PNG")
correlate = exercises.correlate.check(lambda image, kernel: image)
progress()

from course_lib.tools.setup_check import check_setup
assert check_setup()

home = pathlib.Path(os.environ["HOME"]).resolve()
for folder in (work_folder(), data.cache_folder()):
    assert folder.resolve().is_relative_to(home) and any(folder.iterdir()), folder
assert files() == before, files() - before
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return wheels.build(tmp_path_factory.mktemp("a wheel"))


def use(wheel, folder, code=USE):
    python = wheels.install(wheel, folder / "environment", packages=False)
    return wheels.run(python, code, folder / "home", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300)


def test_the_package_works_without_the_course(built, tmp_path):
    done = use(built, tmp_path)
    assert done.returncode == 0, done.stdout
    assert "✘ Python" not in done.stdout and "packages: all" in done.stdout


@pytest.mark.parametrize(
    ("lost", "told"),
    [
        ("course_lib/lessons/rnn_lstm_gru/results/", "There is no memory.json"),
        ("course_lib/data/medmnist.toml", "medmnist.toml"),
    ],
)
def test_what_is_left_out_of_the_wheel_is_noticed(built, tmp_path, lost, told):
    poorer = tmp_path / built.name
    with zipfile.ZipFile(built) as whole, zipfile.ZipFile(poorer, "w") as part:
        for name in whole.namelist():
            if not name.startswith(lost):
                part.writestr(name, whole.read(name))
    done = use(poorer, tmp_path)
    assert done.returncode == 1 and told in done.stdout, done.stdout


def test_the_wheel_requires_what_the_course_does(built):
    with zipfile.ZipFile(built) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith("/METADATA")]
        required = [line for line in archive.read(name).decode().splitlines() if line.startswith("Requires-Dist: ")]
    lines = (wheels.ROOT / "requirements.txt").read_text("utf-8").splitlines()
    own = {Requirement(line) for line in lines if line and not line.startswith("#")}
    assert own and own == {Requirement(line.split(maxsplit=1)[1]) for line in required if "extra ==" not in line}
