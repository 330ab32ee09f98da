"""Lesson 18: releases, refusals, other scanners, alarms, workers, and the text of the container image."""

import datetime
import io
import json
import os
import pickle
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from course_lib import ROOT, data, import_tensorflow, models, results
from course_lib.images import simulate_scanner
from course_lib.lessons.beyond import distribute, explorers, monitoring, serve
from course_lib.lessons.beyond import model as beyond

pytestmark = pytest.mark.slow

keras = models.keras


def test_the_lesson_opens_without_keras():
    code = "from course_lib.lessons.beyond import distribute, exercises, explorers, model, monitoring, serve; "
    code += "import sys; assert 'keras' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True, timeout=120)


# ---- shift ---------------------------------------------------------------------------------------


def test_another_scanner_changes_nothing_at_rest_and_what_it_says_otherwise():
    images = np.random.default_rng(0).random((3, 16, 16, 1), np.float32)
    assert np.allclose(simulate_scanner(images), images, atol=1e-6)
    assert np.allclose(simulate_scanner(images, gamma=2.0), images**2, atol=1e-6)
    black = np.zeros((50, 16, 16, 1), np.float32)
    noisy = simulate_scanner(black, noise=0.05)  # Rician noise in air has the mean σ √(π/2)
    assert noisy.mean() == pytest.approx(0.05 * np.sqrt(np.pi / 2), rel=0.02) and noisy.dtype == np.float32
    assert np.array_equal(noisy, simulate_scanner(black, noise=0.05))
    dot = np.zeros((1, 41, 41, 1), np.float32)
    dot[0, 20, 20] = 1
    line = simulate_scanner(dot, blur=6.0)[0, 20, :, 0]
    assert line[17] == pytest.approx(line[20] / 2, rel=0.03) and line[23] == pytest.approx(line[20] / 2, rel=0.03)
    for wrong in ({"noise": -0.1}, {"blur": -1.0}, {"gamma": 0.0}):
        with pytest.raises(ValueError, match="cannot be negative"):
            simulate_scanner(images, **wrong)


def test_distance_is_mahalanobis():
    from scipy.spatial.distance import mahalanobis

    rng = np.random.default_rng(0)
    rows = rng.normal(size=(200, 4)) @ rng.normal(size=(4, 4)) + 3
    familiar = monitoring.familiarise(rows)
    expected = [mahalanobis(row, rows.mean(0), np.linalg.inv(np.cov(rows.T))) ** 2 for row in rows[:5]]
    assert np.allclose(familiar.distance(rows[:5]), expected, rtol=1e-3)
    assert familiar.distance(rows).mean() == pytest.approx(4, rel=0.05)  # the number of features
    constant = np.hstack([rows, np.full((200, 1), 7.0)])
    assert np.isfinite(monitoring.familiarise(constant).distance(constant)).all()
    for wrong in (rows[:1], rows[0], np.full((5, 2), np.nan)):
        with pytest.raises(ValueError, match="at least two images"):
            monitoring.familiarise(wrong)


def test_cusum_by_hand_for_one_and_for_many_series():
    values = [1.0, 3.0, 2.0, 0.0, 5.0]
    expected = [0, 1.5, 2, 0.5, 4]
    assert np.allclose(monitoring.cusum(values, reference=1.0, slack=0.5), expected)
    assert np.allclose(monitoring.cusum([values, values], reference=1.0, slack=0.5), [expected, expected])
    assert monitoring.cusum([0.0, -9.0, 0.0], reference=1.0, slack=0.5).max() == 0


def test_the_first_alarm_is_a_day_counted_from_one():
    sums = np.array([[0.0, 2.0, 3.0, 0.0], [2.1, 0.0, 0.0, 9.0], [2.0, 2.0, 0.0, 1.0]])
    assert np.array_equal(monitoring.first_alarm(sums, 2.0), [3, 1, np.inf])


def test_daily_means_draw_patients_and_not_images():
    score, groups = np.array([0.0, 0, 0, 0, 0, 0, 0, 0, 0, 10]), np.array([1] * 9 + [2])
    days = monitoring.daily_means(score, groups, 20, 50, repeats=200)
    assert days.shape == (200, 50)
    assert days.mean() == pytest.approx(5, abs=0.1)  # two patients; as images it would be 1
    assert days.std() == pytest.approx(5 / np.sqrt(20), rel=0.05)


# ---- releases ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def release():
    return serve.load(results.folder(beyond.RELEASE))


@pytest.fixture
def small(tmp_path):
    """A tiny release in a folder."""
    keras.utils.set_random_seed(0)
    model = models.small_cnn((16, 16, 1), 2)
    familiar = monitoring.familiarise(np.random.default_rng(0).normal(size=(60, 48)))
    serve.save(serve.Release(model, familiar, {"name": "tiny", "threshold": 0.5}), tmp_path / "tiny-1")
    return tmp_path / "tiny-1"


def test_a_release_comes_back_as_it_went(small):
    again = serve.load(small)
    assert again.card["name"] == "tiny" and set(again.card["sha256"]) == {"model.keras", "familiar.npz"}
    assert again.familiar.precision.shape == (48, 48)
    before = {path.name: path.read_bytes() for path in small.iterdir()}
    with pytest.raises(FileExistsError, match="never overwritten"):
        serve.save(again, small)
    assert before == {path.name: path.read_bytes() for path in small.iterdir()}


@pytest.mark.parametrize("name", serve.FILES)
def test_a_changed_file_is_not_loaded(small, name):
    content = bytearray((small / name).read_bytes())
    content[len(content) // 2] ^= 1
    (small / name).write_bytes(content)
    with pytest.raises(ValueError, match="fingerprint differs"):
        serve.load(small)


def _with_own_fingerprints(folder):
    """What an attacker does: the card fits the file that was put in place of the right one."""
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    card["sha256"] = {name: serve.fingerprint(folder / name) for name in serve.FILES}
    (folder / "card.json").write_text(json.dumps(card), encoding="utf-8")


def test_code_in_a_lambda_layer_is_not_run(small, tmp_path):
    trace = str(tmp_path / "trace")
    layer = keras.layers.Lambda(lambda x: (open(trace, "w").close(), x)[1], output_shape=(2,))  # noqa: PTH123
    keras.Sequential([keras.Input((2,)), layer]).save(small / "model.keras")
    Path(trace).unlink(missing_ok=True)
    _with_own_fingerprints(small)
    with pytest.raises(ValueError, match="[Ll]ambda"):
        serve.load(small)
    assert not Path(trace).exists()
    keras.models.load_model(small / "model.keras", safe_mode=False)(np.zeros((1, 2)))
    assert Path(trace).exists(), "the test's own attack does nothing, so it proves nothing"


class _Pickled:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_code_in_an_array_is_not_run(small, tmp_path):
    trace = tmp_path / "trace"
    np.savez(small / "familiar.npz", mean=np.array([_Pickled(trace)], object), precision=np.eye(1))
    _with_own_fingerprints(small)
    with pytest.raises(ValueError, match="allow_pickle"):
        serve.load(small)
    assert not trace.exists()
    pickle.loads(pickle.dumps(_Pickled(trace)))
    assert trace.exists(), "the test's own attack does nothing, so it proves nothing"


# ---- from a file to an answer ----------------------------------------------------------------------


def png(array, kind="png"):
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, kind)
    return buffer.getvalue()


def dicom(**changes):
    import pydicom
    from pydicom.data import get_testdata_file

    file = pydicom.dcmread(get_testdata_file("MR_small.dcm", download=False))
    file.PixelSpacing = [208 / file.Rows] * 2
    for name, value in changes.items():
        setattr(file, name, value)
    buffer = io.BytesIO()
    file.save_as(buffer)
    return buffer.getvalue()


GREY = np.uint8(np.random.default_rng(0).integers(0, 256, (80, 80)))
COLOURED = np.uint8(np.random.default_rng(0).integers(0, 256, (80, 80, 3)))


def read(content):
    return serve.read_image(content, 64, 208.0)


@pytest.mark.parametrize(
    "content",
    [png(GREY), png(np.repeat(GREY[..., None], 3, 2)), png(np.uint16(GREY) * 257), png(GREY, "jpeg"), dicom()],
    ids=["grey", "grey as RGB", "16 bits", "JPEG", "DICOM"],
)
def test_good_files_are_read(content):
    image = read(content)
    assert image.shape == (1, 64, 64, 1) and image.dtype == np.float32
    assert image.min() >= 0 and image.max() <= 1 and image.std() > 0.02


def test_pixels_are_those_of_the_file():
    array = GREY[:64, :64]
    for content in (png(array), png(np.uint16(array) * 257)):
        assert np.allclose(read(content)[0, ..., 0], array / 255, atol=1e-3)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "neither PNG, JPEG nor DICOM"),
        (b"GIF89a" + bytes(100), "neither PNG, JPEG nor DICOM"),
        (bytes(10_000_001), "at most 10"),
        (png(GREY)[:700], "damaged"),
        (b"\x89PNG\r\n\x1a\n" + bytes(50), "damaged"),
        (png(COLOURED), "colours"),
        (png(GREY[:30, :30]), "30 × 30 pixels"),
        (png(np.zeros((1200, 1200), np.uint8)), "1200 × 1200 pixels"),
        (png(GREY[:64]), "not square"),
        (png(np.full((80, 80), 77, np.uint8)), "one grey"),
        (dicom(Modality="CT"), "The header says CT"),
        (dicom(PixelSpacing=[0.3, 0.3]), "19 mm"),
        (dicom()[:2000], "damaged or incomplete"),
        (dicom(NumberOfFrames=2), "several frames"),
    ],
)
def test_bad_files_are_refused_with_a_sentence(content, reason):
    with pytest.raises(serve.Refusal, match=re.escape(reason)) as caught:
        read(content)
    assert str(caught.value).endswith(".") and caught.value.__cause__ is None


def test_a_huge_picture_in_a_small_file_is_not_unpacked(monkeypatch):
    bomb = png(np.zeros((6000, 6000), np.uint8))
    assert len(bomb) < 100_000
    monkeypatch.setattr(Image.Image, "convert", lambda *_: pytest.fail("the pixels were unpacked"))
    with pytest.raises(serve.Refusal, match="6000 × 6000"):
        read(bomb)


def test_an_answer_is_calibrated_thresholded_and_explained(release):
    brain = read(_file("brain, simulated: mass"))
    said = serve.answer(release, brain)
    logits, features = serve.look(release.model, brain)
    expected = np.exp(logits[0] / release.card["temperature"])
    assert np.allclose(said.probability, expected / expected.sum(), atol=1e-5)
    assert said.probability.argmax() == 1 and said.found and said.lesion == pytest.approx(1 - said.probability[0])
    assert said.heat.shape == (64, 64) and said.heat.max() > 0
    assert said.distance == pytest.approx(release.familiar.distance(features["early"])[0])
    count, share = said.like_this
    assert count > 20 and 0.5 < share <= 1
    strict = serve.Release(release.model, release.familiar, {**release.card, "threshold": 1.1})
    assert not serve.answer(strict, brain).found
    narrow = serve.Release(release.model, release.familiar, {**release.card, "largest_distance": said.distance - 1})
    with pytest.raises(serve.Refusal, match="does not look like"):
        serve.answer(narrow, brain)


def _file(name):
    return dict(beyond.demo_files())[name]


def test_the_page_refuses_what_it_should_and_answers_brains():
    refused = {name for name, content in beyond.demo_files() if explorers._words(content).startswith("No answer.")}
    brains = {name for name, _ in beyond.demo_files() if name.startswith("brain, simulated")}
    foreign = {name for name, _ in beyond.demo_files() if not name.startswith(("brain, simulated", "the mass"))}
    assert not refused & brains and foreign <= refused and "the mass, a noisy scanner" in refused


def test_an_uploaded_file_is_answered_in_words():
    page = explorers.demo_page()
    box = page._layout(page)
    upload, said = box.children[0].children[1], box.children[1]
    assert "lesion" in said.value
    content = memoryview(b"<b>no picture</b>")
    upload.value = (
        {
            "name": "x.png",
            "type": "",
            "size": 17,
            "content": content,
            "last_modified": datetime.datetime.now(datetime.UTC),
        },
    )
    assert page.values["file"] == bytes(content) and "No answer. The file is neither" in said.value
    assert ("yours: x.png", bytes(content)) in page.controls["file"].options


def test_an_upload_of_ipywidgets_7_holds_a_dict_by_name():
    upload = {"x.png": {"metadata": {"name": "x.png", "size": 4}, "content": b"\x89PNG"}}
    assert explorers._uploaded(upload) == [("x.png", b"\x89PNG")] and explorers._uploaded({}) == []


# ---- workers -------------------------------------------------------------------------------------


def _data():
    rng = np.random.default_rng(0)
    label = np.arange(48) % 2
    return (rng.random((48, 16, 16, 1)) * (0.5 + 0.5 * label)[:, None, None, None]).astype(np.float32), label


@pytest.mark.timeout(500)
def test_two_workers_train_as_one_process_does():
    tf = import_tensorflow()
    job = {"steps": 5, "batch": 12}
    losses, weights = distribute.fit(tf.distribute.get_strategy(), *_data(), **job)
    shared_losses, shared = distribute.train(*_data(), workers=2, timeout=400, **job)
    assert np.allclose(losses, shared_losses, atol=1e-4) and len(weights) == len(shared)
    assert max(np.abs(a - b).max() for a, b in zip(weights, shared, strict=True)) < 1e-4
    _, shorter = distribute.fit(tf.distribute.get_strategy(), *_data(), steps=1, batch=12)
    assert max(np.abs(a - b).max() for a, b in zip(weights, shorter, strict=True)) > 1e-3


def test_a_batch_that_cannot_be_shared_is_refused():
    with pytest.raises(ValueError, match="10 images cannot be shared equally by 3 workers"):
        distribute.train(*_data(), workers=3, steps=1, batch=10)


def _started(monkeypatch, code):
    """Let workers run this code instead of theirs; returns the list of processes that are started."""
    processes, start = [], subprocess.Popen

    def popen(command, **options):
        processes.append(start([sys.executable, "-c", code, *command[3:]], **options))
        return processes[-1]

    monkeypatch.setattr(distribute.subprocess, "Popen", popen)
    return processes


def test_a_failing_worker_is_reported_and_the_other_does_not_stay_behind(monkeypatch):
    code = "import json, os, sys, time\n"
    code += "index = json.loads(os.environ['TF_CONFIG'])['task']['index']\n"
    code += "sys.exit('the disk is full') if index else time.sleep(600)"
    processes = _started(monkeypatch, code)
    with pytest.raises(RuntimeError, match="Worker 1 failed.*the disk is full"):
        distribute.train(*_data(), workers=2, steps=1, batch=12)
    assert len(processes) == 2 and all(process.poll() is not None for process in processes)


def test_workers_that_hang_are_stopped(monkeypatch):
    processes = _started(monkeypatch, "import time; time.sleep(600)")
    with pytest.raises(RuntimeError, match="not finished after 1 seconds"):
        distribute.train(*_data(), workers=2, steps=1, batch=12, timeout=1)
    assert len(processes) == 2 and all(process.poll() is not None for process in processes)


def test_a_worker_ends_when_its_parent_is_gone():
    code = "import threading, time\nfrom course_lib.lessons.beyond import distribute\n"
    code += "threading.Thread(target=distribute._end_with_parent, daemon=True).start()\ntime.sleep(600)"
    worker = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, env=distribute._environment({}))
    worker.stdin.close()  # as when the parent dies
    assert worker.wait(timeout=120) == 1


def test_workers_use_no_proxy(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example.org")
    environment = distribute._environment({"task": 1})
    assert not [name for name in environment if name.lower().endswith("_proxy")]
    assert json.loads(environment["TF_CONFIG"]) == {"task": 1}


# ---- stored results and the container image ------------------------------------------------------


def test_stored_results_belong_together(release):
    runs, days = results.load("beyond/scanners"), results.arrays("beyond/scanners", 0)
    assert 0 in runs and all(set(run) == {"plain", "varied"} for run in runs.values())
    assert days["test"].shape == (5, 640) and np.unique(days["test_groups"]).size == 160
    refused = (days["test"] > release.card["largest_distance"]).mean(1)
    assert np.mean(days["val"] > release.card["largest_distance"]) == pytest.approx(0.02, abs=0.003)
    told = [row["refused"]["early"] for row in runs[0]["plain"]["scanners"]["all three"]]
    assert np.allclose(refused, told, atol=2e-3)
    assert release.card["warning"] == serve.WARNING and release.card["data"]["simulated"]


def test_stored_networks_are_those_that_were_measured(release):
    test, runs = data.load("brain-lesions").test, results.load("beyond/scanners")[0]
    for arm, model in (("plain", release.model), ("varied", beyond.varied())):
        for place, images in ((0, test.x), (2, simulate_scanner(test.x, **beyond.SCANNERS["contrast"][1]))):
            right = serve.look(model, images)[0].argmax(1) == test.targets["label"]
            assert right.mean() == pytest.approx(runs[arm]["scanners"]["contrast"][place]["accuracy"], abs=4e-3)


def test_the_release_names_the_generator_that_made_its_data(release):
    assert release.card["data"]["generator"] == data.fingerprint(release.card["data"]["name"])


def instructions():
    """Pairs of an instruction's name and its text, of the Containerfile."""
    text = (ROOT / "Containerfile").read_text(encoding="utf-8")
    text = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ")
    return [tuple(line.split(None, 1)) for line in text.splitlines() if line.strip()]


def test_the_container_image_copies_what_exists_and_keeps_secrets_out():
    copied = []
    for name, text in instructions():
        assert name in {"FROM", "ENV", "RUN", "USER", "WORKDIR", "COPY", "VOLUME", "EXPOSE", "CMD"}, name
        if name == "COPY":
            *sources, _target = [word for word in text.split() if not word.startswith("--")]
            copied += sources
    assert copied and all((ROOT / source).exists() for source in copied)
    assert {"course.py", "requirements.txt", "constraints.txt", "course_lib", "notebooks"} <= set(copied)
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split("\n")
    assert {".git", ".venv", "work", "datasets/cache"} <= set(ignored)


def test_the_container_image_runs_as_a_user_with_a_token():
    steps = instructions()
    names = [name for name, _ in steps]
    assert re.search(r":3\.1[1-3]-", dict(steps)["FROM"])  # a Python that course.py accepts
    user = dict(steps)["USER"].strip()
    assert user not in ("root", "0") and names.index("USER") < names.index("COPY")
    assert all(f"--chown={user}" in text for name, text in steps if name == "COPY")
    command = json.loads(dict(steps)["CMD"])
    assert command[:3] == ["python3", "course.py", "lab"] and not [word for word in command if "token" in word.lower()]
    text = (ROOT / "Containerfile").read_text(encoding="utf-8")
    assert "127.0.0.1:8888:8888" in text and "allow_root" not in text
