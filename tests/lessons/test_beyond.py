"""Lesson beyond: workers, and the text of the container image."""

import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest

from course_lib import ROOT, import_tensorflow
from course_lib.lessons.beyond import distribute

pytestmark = pytest.mark.slow


def test_the_lesson_opens_without_keras():
    code = "from course_lib.lessons.beyond import distribute, exercises, explorers; "
    code += "import sys; assert not {'keras', 'tensorflow'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True, timeout=120)


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


def _last_weights(kind, shares, steps=5, batch=12):
    """The weights after some steps on whole batches, or on the summed gradients of shares of them, as floats of a kind."""
    tf = import_tensorflow()
    from course_lib.models import keras, small_cnn

    images, label = _data()
    before = keras.config.floatx(), keras.config.dtype_policy()
    keras.config.set_floatx(kind)
    keras.config.set_dtype_policy(kind)
    try:
        keras.utils.set_random_seed(0)
        model = small_cnn(images.shape[1:], 2, mean=float(images.mean()), variance=float(images.var()))
        optimiser = keras.optimizers.SGD(0.01, momentum=0.9)
        loss_of_each = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="none")
        for step in range(steps):
            rows, gradients = np.arange(step * batch, (step + 1) * batch) % len(images), []
            for part in np.split(rows, shares):
                with tf.GradientTape() as tape:
                    answer = model(images[part].astype(kind), training=True)
                    loss = tf.reduce_sum(loss_of_each(label[part], answer)) / batch
                gradients.append(tape.gradient(loss, model.trainable_variables))
            optimiser.apply([sum(parts) for parts in zip(*gradients, strict=True)], model.trainable_variables)
        return model.get_weights()
    finally:
        keras.config.set_floatx(before[0])
        keras.config.set_dtype_policy(before[1])


def test_what_shared_batches_differ_by_is_rounding():
    """The lesson says so below its comparison: with finer rounding the difference is gone."""
    gaps = {}
    for kind in ("float32", "float64"):
        whole, shared = (_last_weights(kind, shares) for shares in (1, 2))
        assert whole[0].dtype == kind
        gaps[kind] = max(np.abs(a - b).max() for a, b in zip(whole, shared, strict=True))
    assert gaps["float64"] < 1e-12 < 1e-9 < gaps["float32"] < 1e-4, gaps


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


def test_a_ring_sends_twice_the_gradients_whatever_the_number_of_workers():
    assert distribute.ring_seconds(1e9, 8, 1) == 0
    assert distribute.ring_seconds(1e9, 8, 2) == pytest.approx(1)  # half of them twice, at a gigabyte a second
    assert distribute.ring_seconds(1e9, 8, 1000) == pytest.approx(2, rel=0.01)
    assert distribute.ring_seconds(1e9, 80, 2) == pytest.approx(0.1)


def test_what_64_workers_buy_a_network_of_25_million_weights():
    """The folded answer: six times as fast, nearly eleven with a network twice as fast; a faster computer saves little."""

    def step(gigabits, compute=1.0):
        return compute / 64 + distribute.ring_seconds(1e8, gigabits, 64)

    assert 1 / step(10) == pytest.approx(6, abs=0.3) and 1 / step(20) == pytest.approx(10.6, abs=0.3)
    assert 0 < step(10) - step(10, compute=0.5) < 0.01


# ---- the container image -------------------------------------------------------------------------


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
