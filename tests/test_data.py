"""Samples, and what every dataset promises: real images offline, provenance, a fast import."""

import inspect
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from course_lib import ROOT, data
from course_lib.data import brain_lesions
from course_lib.data.base import fingerprint, syntax_hash
from course_lib.data.samples import SAMPLES

SHAPES = {
    "ct": (128, 128),
    "mr": (64, 64),
    "chest": (1955, 1841),
    "ultrasound": (240, 320, 3),
    "echo": (30, 240, 320, 3),
    "retina": (1411, 1411, 3),
    "histology": (512, 512, 3),
    "microaneurysms": (102, 102),
    "brain": (189, 233, 197),
}


@pytest.fixture(scope="module")
def samples():
    """All samples, read while every connection is refused."""

    def refuse(*_):
        raise AssertionError("a sample asked for the network")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", refuse)
        return {name: data.sample(name) for name in SAMPLES}


def test_every_sample_is_real_documented_and_of_the_promised_shape(samples):
    assert {name: sample.image.shape for name, sample in samples.items()} == SHAPES
    for name, sample in samples.items():
        assert sample.image.dtype == np.float32 and np.isfinite(sample.image).all(), name
        assert sample.simulated is False and sample.source and sample.licence, name
        text = str(sample)
        for part in (sample.title, "real", sample.unit, sample.source, sample.licence):
            assert part in text, (name, part)
        if sample.unit != "HU":
            assert 0 <= sample.image.min() < sample.image.max() <= 1, name
            assert sample.image.max() > 0.5, f"{name} was divided twice"


def test_ct_is_in_hounsfield_units(samples):
    ct = samples["ct"]
    assert ct.unit == "HU" and ct.spacing == pytest.approx((0.661468, 0.661468))
    assert -1000 < ct.image.min() < -850, "the darkest pixels are air in the lung"
    assert 700 < ct.image.max() < 2000, "the brightest are compact bone"
    assert -50 < np.median(ct.image) < 80, "most of the picture is soft tissue"


def test_mr_and_echo(samples):
    assert samples["mr"].spacing == pytest.approx((0.3125, 0.3125)) and samples["mr"].image.max() == 1
    clip = samples["echo"].image
    changes = np.abs(np.diff(clip, axis=0)).mean(axis=(1, 2, 3))
    assert np.sum(changes == 0) == 2 and np.sort(changes)[2] > 0.002, "it moves, but for the two repeats of the note"
    assert np.abs(clip[..., 0] - clip[..., 2]).mean() < 0.01, "a grey clip: the colours were converted"
    assert samples["echo"].spacing is None and samples["ultrasound"].spacing is None


def test_brain_stands_upright_and_its_maps_fit(samples):
    brain = samples["brain"]
    assert brain.spacing == (1, 1, 1)
    inside = brain.image > 0.3
    rows = np.flatnonzero(inside.any(axis=(0, 2)))
    # In MNI space the brain reaches from 105 mm behind the origin to 74 mm before it; row 0 is 98 mm before it.
    assert abs(rows[0] - (98 - 74)) <= 3 and abs(rows[-1] - (98 + 105)) <= 3
    area = inside.sum(axis=(1, 2))
    assert area[150] < area[112] < area[82], "slices run upwards: the top of the head is small"
    grey, white = brain.maps["grey matter"], brain.maps["white matter"]
    assert grey.shape == white.shape == brain.image.shape and grey.max() == white.max() == 1 and grey.min() >= 0
    fluid = (grey + white < 0.1) & inside
    assert brain.image[white > 0.9].mean() > brain.image[grey > 0.9].mean() > brain.image[fluid].mean() + 0.1
    np.testing.assert_array_equal(brain.image, brain.image[:, :, ::-1], "the note says: exact mirror images")


def test_samples_are_independent_copies():
    first = data.sample("mr")
    first.image[:] = 0
    assert data.sample("mr").image.max() == 1


def test_unknown_names_are_answered_with_the_known_ones():
    with pytest.raises(ValueError, match="no sample called 'xray'.*ct, mr, chest, ultrasound"):
        data.sample("xray")
    with pytest.raises(ValueError, match="no dataset called 'brains'.*brain-lesions, echo-cine, pneumoniamnist"):
        data.load("brains")


@pytest.mark.parametrize("value", [None, ""])
def test_the_cache_has_a_default_that_an_empty_setting_does_not_change(monkeypatch, value):
    monkeypatch.delenv("COURSE_CACHE", raising=False) if value is None else monkeypatch.setenv("COURSE_CACHE", value)
    assert data.cache_folder() == ROOT / "datasets" / "cache"
    monkeypatch.setenv("COURSE_CACHE", "elsewhere")
    assert data.cache_folder() == Path("elsewhere")


CODE = """
def f(x, y=(1, "")):
    if x:
        return f"{x:>{y}} and {x}{y}"
    return [*x, None, 2.5, ...]
"""
COMMENTED = """
'''A module.'''
def f(x, y=(1, "",)):  # a comment
    '''A docstring.'''
    if (x): return f'{x:>{y}} ' f"and {x}{y}"
    return [*x,
            None, 2.50, ...]
LIMIT = 3
"""


def test_the_hash_of_code_is_that_of_what_it_does(tmp_path):
    def hash_of(*sources):
        files = [tmp_path / f"{number}.py" for number in range(len(sources))]
        for file, source in zip(files, sources, strict=True):
            file.write_text(source)
        return syntax_hash(*files)

    assert hash_of(CODE) == "a1b4b809", "on every Python"
    assert hash_of(CODE + "LIMIT = 3") == hash_of(COMMENTED)
    assert hash_of(CODE + "'''About the limit.'''") == hash_of(CODE)
    swaps = ("x}", "y}"), ("1,", "1.0,"), ('""', '"a"'), ("None", "False"), ("*x", "x")
    assert len({hash_of(source) for source in [CODE, *(CODE.replace(*swap) for swap in swaps)]}) == 6
    assert hash_of(CODE, CODE) != hash_of(CODE) != hash_of("")


EXPERIMENT = """
from lessons import model as lesson
SEEDS, STEPS = [0, 1], 3
STEPS += 1
def helper(x):
    return lesson.rate(x) + STEPS
def first(seed):
    return helper(seed)
def second(seed):
    return LIMIT
LIMIT = 2
if __name__ == "__main__":
    print(first(LIMIT))
"""
MODEL = """
def rate(x):
    return DEPTH * x
DEPTH = 5
WIDTH = 6
"""


def test_the_hash_of_a_function_is_that_of_all_it_needs(tmp_path):
    files = tmp_path / "experiment.py", tmp_path / "model.py"

    def hash_of(function, old="", new=""):
        for file, source in zip(files, (EXPERIMENT, MODEL), strict=True):
            file.write_text(source.replace(old, new) if old else source)
        return syntax_hash(*files, of=function)

    assert hash_of("first") == hash_of("first") != hash_of("second")
    for needed in (
        "lesson.rate",
        "import model",
        "STEPS = [0, 1], 3",
        "+= 1",
        "DEPTH * x",
        "DEPTH = 5",
        "helper(seed)",
    ):
        assert hash_of(
            "first", needed, needed.replace("e", "o").replace("1", "7").replace("5", "7").replace("D", "M")
        ) != (hash_of("first")), needed
    for other in ("return LIMIT", "LIMIT = 2", "WIDTH = 6", "print"):
        assert hash_of("first", other, other.replace("I", "Y").replace("p", "q")) == hash_of("first"), other
    assert hash_of("second", "LIMIT = 2", "LIMIT = 3") != hash_of("second")
    assert hash_of("first", "DEPTH = 5", "DEPTH = 5\nimport_tensorflow()") != hash_of("first"), "it may change anything"


def test_what_is_loaded_is_noted_once_with_its_options(monkeypatch, tmp_path):
    monkeypatch.setattr(data, "LOADED", [])
    monkeypatch.setattr(brain_lesions, "PATIENTS", {"train": 4, "val": 4, "test": 4})
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path))
    for options in ({}, {"size": 32}, {"seed": 0}):
        data.load("brain-lesions", **options)
    with pytest.raises(ValueError):
        data.load("brain-lesions", seed=-1)
    assert data.LOADED == [{"name": "brain-lesions"}, {"name": "brain-lesions", "size": 32}]
    assert list(inspect.signature(data.load).parameters) == ["name", "size", "n_patients", "n_test", "seed"]


def test_a_fingerprint_is_that_of_what_is_loaded(tmp_path):
    assert data.fingerprint("brain-lesions") == brain_lesions.fingerprint() != data.fingerprint("echo-cine")
    assert data.fingerprint("pneumoniamnist") == "28209eda", "of the published file, which load compares"
    file = tmp_path / "own.npz"
    file.write_bytes(b"one")
    first = data.fingerprint(file)
    file.write_bytes(b"two")
    assert len(first) == 8 and first != data.fingerprint(str(file))
    (tmp_path / "empty").mkdir()
    assert data.fingerprint(tmp_path / "empty") == data.fingerprint("gone.npz") == ""


def test_a_fingerprint_sees_a_change_and_no_last_bits():
    rng = np.random.default_rng(0)
    pictures = 255 * rng.random((4, 64, 64))
    mark = fingerprint(pictures)
    for _ in range(20):
        assert fingerprint(pictures * (1 + 1e-13 * rng.standard_normal(pictures.shape))) == mark
    moved = pictures.copy()
    moved[:, :16] = np.roll(pictures[:, :16], 16, axis=2)
    slow = np.sort(pictures, axis=0)  # the same greys in each place, with smaller changes between the pictures
    others = [pictures + 2, 1.05 * pictures, pictures + rng.normal(0, 20, pictures.shape), moved, slow]
    assert len({mark, *map(fingerprint, others)}) == 6
    board = np.stack(3 * [(-1.0) ** np.indices((64, 64)).sum(0)])  # still, and of one mean
    assert fingerprint(127 + 50 * board) != fingerprint(127 + 40 * board)


def test_catalogue_lists_everything_with_its_provenance():
    catalogue = data.catalogue()
    names = {entry.name for entry in catalogue}
    assert {f'sample("{name}")' for name in SAMPLES} < names
    assert {'load("brain-lesions")', 'load("pneumoniamnist")', 'load("breastmnist")'} < names
    text, html = str(catalogue), catalogue._repr_html_()
    for entry in catalogue:
        assert entry.what and entry.real and entry.offline and entry.source and entry.licence
        assert entry.name in text and entry.what in text
    assert html.count("<tr>") == len(catalogue) + 1 and "simulated lesions" in html
    assert "&quot;" in html, "names are escaped"


def test_import_is_light():
    """Heavy packages are imported by the functions that need them, TensorFlow by none of them."""
    code = (
        "import sys; from course_lib import data; "
        "heavy = {'nilearn', 'nibabel', 'skimage', 'sklearn', 'scipy', 'pydicom', 'pooch', 'matplotlib'}; "
        "print('at import:', *sorted(heavy & set(sys.modules))); "
        "[data.sample(name) for name in ('ct', 'retina', 'brain')]; data.catalogue(); "
        "print('later:', *sorted({'tensorflow', 'keras', 'nilearn.datasets'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=120)
    assert done.stdout.split("\n")[:2] == ["at import:", "later:"], done.stdout + done.stderr


def test_datasheets_cover_the_catalogue():
    text = (ROOT / "datasets" / "README.md").read_text(encoding="utf-8")
    for entry in data.catalogue():
        assert f"`{entry.name}`" in text, f"datasets/README.md says nothing of {entry.name}"
