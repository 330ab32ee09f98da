"""The first thing a student runs: each cross says what is wrong and what to do, and the other checks go on."""

import importlib.metadata
from types import SimpleNamespace

import pytest

from course_lib.tools import setup_check


@pytest.fixture
def well(monkeypatch, tmp_path):
    """A machine on which all is well, without starting TensorFlow; returns the lines printed by `check_setup`."""
    convolved = SimpleNamespace(conv2d=lambda *_: 9.0)
    tf = SimpleNamespace(nn=convolved, ones=lambda shape: shape, reduce_sum=lambda x: x, __version__="2.21.0")
    monkeypatch.setattr(setup_check, "import_tensorflow", lambda: tf)
    monkeypatch.setenv("COURSE_WORK", str(tmp_path / "work"))
    return tf


def lines(capsys):
    good = setup_check.check_setup()
    return good, capsys.readouterr().out.splitlines()


def crosses(capsys):
    good, told = lines(capsys)
    assert not good and len(told) == 6
    return [line.removeprefix("✘ ") for line in told if line.startswith("✘ ")]


def test_all_is_well(well, capsys, tmp_path):
    good, told = lines(capsys)
    assert good and all(line.startswith("✔ ") for line in told)
    assert list((tmp_path / "work").iterdir()) == []  # nothing of the trial stays


@pytest.mark.parametrize("version", [(3, 10, 4), (3, 14, 0)])
def test_an_unsuitable_python(well, capsys, monkeypatch, version):
    monkeypatch.setattr(setup_check.sys, "version_info", version)
    (cross,) = crosses(capsys)
    assert cross.startswith("Python " + ".".join(map(str, version))) and "course.py lab" in cross


def test_a_package_that_is_missing_or_too_old(well, capsys, monkeypatch):
    real = importlib.metadata.version

    def version(name):
        if name == "nilearn":
            raise importlib.metadata.PackageNotFoundError(name)
        return "1.0" if name == "numpy" else real(name)

    monkeypatch.setattr(setup_check.importlib.metadata, "version", version)
    (cross,) = crosses(capsys)
    assert "nilearn is missing" in cross and "numpy is 1.0, needed is" in cross and "course.py lab" in cross


def test_a_broken_tensorflow(well, capsys, monkeypatch):
    def broken():
        raise ImportError("DLL load failed")

    monkeypatch.setattr(setup_check, "import_tensorflow", broken)
    (cross,) = crosses(capsys)
    assert "TensorFlow does not work: DLL load failed" in cross
    monkeypatch.setattr(setup_check, "import_tensorflow", lambda: well)
    well.nn.conv2d = lambda *_: 8.0
    (cross,) = crosses(capsys)
    assert "add up to 8" in cross


def test_too_little_memory_and_disk(well, capsys, monkeypatch):
    monkeypatch.setattr(setup_check.psutil, "virtual_memory", lambda: SimpleNamespace(total=2e9))
    monkeypatch.setattr(setup_check.shutil, "disk_usage", lambda path: SimpleNamespace(free=3e8))
    memory, disk = crosses(capsys)
    assert "memory: 2 GB; at least 4 GB" in memory and "free disk space: 0 GB; at least 1 GB" in disk


def test_a_folder_that_cannot_be_written(well, capsys, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("COURSE_WORK", str(tmp_path / "file" / "work"))
    (cross,) = crosses(capsys)
    assert "work/ cannot be written, so progress would not be kept" in cross
