"""The small CNN, and the progress line in plain Python and in a notebook."""

import itertools
import os
import re
import subprocess
import sys
from types import SimpleNamespace

import nbformat
import numpy as np
import pytest
from tqdm import tqdm

from course_lib import ROOT, models
from course_lib.tools import run_notebooks

pytestmark = pytest.mark.slow

keras, layers = models.keras, models.layers


@pytest.mark.parametrize("shape, classes", [((64, 64, 1), 4), ((32, 32, 1), 2), ((16, 24, 3), 1)])
def test_small_cnn_gives_one_logit_for_each_class(shape, classes):
    model = models.small_cnn(shape, classes)
    images = 1000 * np.random.default_rng(0).random((5, *shape), np.float32)
    logits = model(images).numpy()
    assert logits.shape == (5, classes)
    assert np.abs(logits).max() > 1  # no softmax, no sigmoid; images as large as these leave nothing to chance


def test_small_cnn_learns():
    rng = np.random.default_rng(0)
    label = np.arange(64) % 2
    images = rng.random((64, 32, 32, 1), np.float32) * 0.3
    images[label == 1, 8:20, 8:20] += 0.6
    keras.utils.set_random_seed(0)
    model = models.small_cnn((32, 32, 1), 2)
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    history = model.fit(images, label, batch_size=16, epochs=8, verbose=0)
    assert history.history["accuracy"][-1] > 0.9


def test_the_rate_falls_to_zero_along_a_cosine_and_the_loss_takes_logits():
    model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(3)])
    models.compile_with_cosine(model, 0.1, 40, clipnorm=2.0, metrics=["accuracy"])
    falling = [float(model.optimizer._learning_rate(step)) for step in (0, 10, 20, 40, 50)]
    np.testing.assert_allclose(falling, [0.1, 0.05 * (1 + np.sqrt(0.5)), 0.05, 0, 0], atol=1e-7)
    logits, label = np.array([[4.0, 0.0, -2.0]], np.float32), np.array([1])
    np.testing.assert_allclose(model.loss(label, logits), np.log(np.exp(logits).sum()), rtol=1e-5)
    assert isinstance(model.optimizer, keras.optimizers.Adam) and model.optimizer.clipnorm == 2.0
    assert len(model.evaluate(np.ones((3, 2)), np.arange(3), verbose=0)) == 2  # the loss and the accuracy


def test_with_a_warm_up_the_rate_rises_first():
    model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(3)])
    models.compile_with_cosine(model, 0.1, 50, warm_up=10)
    rates = [float(model.optimizer._learning_rate(step)) for step in (0, 5, 10, 30, 50)]
    np.testing.assert_allclose(rates, [0, 0.05, 0.1, 0.05, 0], atol=1e-7)


def test_another_loss_takes_the_place_of_the_cross_entropy():
    model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(1)])
    models.compile_with_cosine(model, 0.1, 40, loss="mse")
    model.fit(np.ones((8, 2)), np.full(8, 3.0), epochs=1, verbose=0)
    assert model.loss == "mse" and model.optimizer.clipnorm is None


IMAGES = np.random.default_rng(1).uniform(0.2, 0.7, (6, 8, 10, 2)).astype(np.float32)


def test_random_intensity_does_nothing_unless_training():
    layer = models.RandomIntensity(seed=0)
    assert np.array_equal(layer(IMAGES), IMAGES)
    assert np.array_equal(layer(IMAGES, training=False), IMAGES)


def test_random_gain_is_one_number_for_each_image_in_its_range_and_new_each_time():
    layer = models.RandomIntensity(gain=0.4, gamma=0.0, noise=0.0, seed=0)
    first, second = (layer(IMAGES, training=True).numpy() / IMAGES for _ in range(2))
    gains = first.mean((1, 2, 3))
    np.testing.assert_allclose(first, gains[:, None, None, None] * np.ones_like(first), rtol=1e-5)
    assert len(np.unique(gains.round(5))) == len(gains) and gains.min() > 0.6 and gains.max() < 1.4
    assert not np.allclose(first, second)


def test_random_gamma_is_a_power_in_its_range():
    layer = models.RandomIntensity(gain=0.0, gamma=0.5, noise=0.0, seed=0)
    powers = np.log(layer(IMAGES, training=True).numpy()) / np.log(IMAGES)
    assert np.ptp(powers, axis=(1, 2, 3)).max() < 1e-4
    assert np.exp(-0.5) < powers.min() < powers.max() < np.exp(0.5)


def test_random_noise_is_rician():
    layer = models.RandomIntensity(gain=0.0, gamma=0.0, noise=0.2, seed=0)
    air = layer(np.zeros((50, 32, 32, 1), np.float32), training=True).numpy()
    sigma = np.sqrt((air**2).mean((1, 2, 3)) / 2)  # of a Rayleigh distribution, which Rician noise is in air
    np.testing.assert_allclose(air.mean((1, 2, 3)), sigma * np.sqrt(np.pi / 2), rtol=0.05)
    assert 0.15 < sigma.max() < 0.21 and sigma.min() < 0.05 and air.min() >= 0


def test_random_intensity_is_saved_with_its_settings(tmp_path):
    model = keras.Sequential([keras.layers.Input((8, 10, 2)), models.RandomIntensity(gain=0.5, gamma=0.0, noise=0.0)])
    model.save(tmp_path / "model.keras")
    layer = keras.models.load_model(tmp_path / "model.keras").layers[-1]
    assert (layer.gain, layer.gamma, layer.noise) == (0.5, 0.0, 0.0)


def tiny_fit(epochs, **options):
    model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(np.ones((8, 2)), np.ones(8), epochs=epochs, verbose=0, callbacks=[models.LiveProgress()], **options)


def test_in_plain_python_one_line_is_printed_at_the_end(capsys):
    tiny_fit(3)
    out = capsys.readouterr().out
    assert re.fullmatch(r"3 epochs, loss \d+\.\d{3}\n", out)


def test_the_line_counts_the_epochs_that_ran_and_names_the_validation_loss(capsys):
    tiny_fit(3, initial_epoch=2, validation_split=0.5)
    out = capsys.readouterr().out
    assert re.fullmatch(r"1 epoch, loss \d+\.\d{3}, validation loss \d+\.\d{3}\n", out)


def test_in_a_notebook_one_line_of_text_stays():
    code = """
import numpy as np
from course_lib import models

model = models.keras.Sequential([models.keras.layers.Input((2,)), models.keras.layers.Dense(1)])
model.compile("sgd", "mse")
history = model.fit(np.ones((64, 2)), np.ones(64), epochs=2, verbose=0, callbacks=[models.LiveProgress()])
"""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    _, _, error = run_notebooks.execute(notebook, tqdm(disable=True))
    assert error is None
    (output,) = notebook.cells[0].outputs  # one line, and nothing on stderr
    assert output.output_type == "display_data"
    assert re.fullmatch(r"2 epochs, loss \d+\.\d{3}", output.data["text/plain"])


def test_in_a_notebook_the_line_moves_while_it_trains(monkeypatch):
    shown = []
    line = SimpleNamespace(update=lambda text: shown.append(text.data))
    monkeypatch.setattr(models, "get_ipython", lambda: SimpleNamespace(kernel=True))
    monkeypatch.setattr(models, "display", lambda text, display_id: line)
    clock = itertools.count()  # every look at it is a second later
    monkeypatch.setattr(models, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    tiny_fit(2)
    assert len(shown) == 3
    assert shown[0].startswith("epoch 1 of 2, ") and shown[1].startswith("epoch 2 of 2, ")
    assert shown[2].startswith("2 epochs, ")


def test_multiply_adds_of_convolutions_groups_and_dense_layers():
    inputs = x = layers.Input((9, 8, 4))
    x = layers.Conv2D(6, (3, 2), strides=2, padding="same", groups=2)(x)  # 5×4 places, 2 channels deep
    x = layers.Dense(10)(layers.Flatten()(layers.BatchNormalization()(x)))
    assert models.multiply_adds(keras.Model(inputs, x)) == 5 * 4 * (3 * 2 * 2 * 6) + 5 * 4 * 6 * 10


def test_on_paper_a_large_network_takes_no_memory_then_or_later():
    code = """
import psutil
from course_lib import models

def used():
    return psutil.Process().memory_info().rss / 1e6

before = used()
with models.without_weights():
    network = models.keras.applications.VGG16(weights=None)
    print(network.count_params())
# The next layer whose shape Keras has to try out must not make up for the weights left out.
models.RandomIntensity()(models.keras.Input((32, 32, 1)))
small = models.small_cnn((32, 32, 1), 4)
assert small(models.keras.ops.zeros((1, 32, 32, 1))).shape == (1, 4)
print(used() - before)
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, env=environment)
    count, growth = run.stdout.split()
    assert int(count) == 138_357_544
    assert float(growth) < 250  # MB; the weights would be 553


def test_importing_the_package_does_not_import_keras():
    code = "import sys, course_lib; assert not {'keras', 'tensorflow'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
