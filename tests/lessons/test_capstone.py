"""Lesson 17: its library, its script, and its notebook on files of other sizes, colours and classes."""

import dataclasses
import json
import os
import subprocess
import sys

import nbformat
import numpy as np
import pytest

from course_lib import ROOT, data, results
from course_lib.lessons.capstone import model as capstone
from course_lib.lessons.capstone.layers import RandomPose
from course_lib.models import keras
from course_lib.tools import run_notebooks

pytestmark = pytest.mark.slow

NOTEBOOK = ROOT / "notebooks" / "17_capstone.ipynb"


@pytest.fixture(scope="module")
def generated(tmp_path_factory):
    """A small binary file, generated: no X-rays."""
    path = tmp_path_factory.mktemp("capstone") / "generated.npz"
    capstone.write_generated(path, images=(128, 64, 64))
    return path


def test_the_lesson_opens_without_keras():
    code = "from course_lib.lessons.capstone import exercises, explorers, model; import sys; assert 'keras' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True, timeout=120)


# ---- The data


@pytest.mark.parametrize("options", [{}, {"shape": (64, 64, 3), "classes": 8, "images": (80, 16, 24), "seed": 3}])
def test_a_generated_file_says_so_and_can_be_learned(tmp_path, options):
    capstone.write_generated(tmp_path / "pneumoniamnist.npz", **options)
    dataset = data.load(tmp_path / "pneumoniamnist.npz")
    assert dataset.simulated is True and len(dataset.class_names) == options.get("classes", 2)
    means = [dataset.train.x[dataset.train.targets["label"] == k].mean(0) for k in range(len(dataset.class_names))]
    distances = [np.square(dataset.test.x - mean).sum((1, 2, 3)) for mean in means]
    right = np.mean(np.argmin(distances, axis=0) == dataset.test.targets["label"])
    assert right > 1.5 / len(means), "the class can be told from the image"


def test_missing_data_are_one_message_that_helps(tmp_path):
    with pytest.raises(capstone.DataMissing) as caught:
        capstone.load(tmp_path / "nothing.npz")
    message = str(caught.value)
    assert "There is no file" in message and "behind DATA" in message and "stops here" in message
    assert caught.value.__suppress_context__ and caught.value._render_traceback_() == [message]


def test_a_relative_path_is_looked_for_in_the_courses_folder_too(tmp_path, monkeypatch):
    capstone.write_generated(tmp_path / "mine.npz")
    monkeypatch.setattr(capstone, "ROOT", tmp_path)
    assert capstone.load("mine.npz").name == "mine"


def test_warnings_become_notes(tmp_path, capsys):
    path = tmp_path / "twins.npz"
    capstone.write_generated(path)
    with np.load(path) as file:
        arrays = dict(file)
    arrays["test_images"][:3] = arrays["train_images"][:3]
    np.savez_compressed(path, **arrays)
    capstone.load(path)
    shown = capsys.readouterr()
    assert "Note: twins.npz: 3 of 96 test images are also in the train split" in shown.out and not shown.err


@pytest.mark.parametrize(
    "names, ill",
    [
        (("normal", "pneumonia"), 1),
        (("malignant", "normal or benign"), 0),
        (("class 0", "class 1"), 1),
        (("a", "b", "normal"), 1),
    ],
)
def test_which_class_is_looked_for(names, ill):
    assert capstone.ill_class(names) == ill


def test_a_development_file_is_called_so_and_shows_no_image(tmp_path, capsys):
    path = tmp_path / "pneumoniamnist-dev.npz"
    capstone.write_generated(path)
    dataset = capstone.load(path)
    assert capstone.describe(dataset) == "pneumoniamnist-dev.npz, development file"
    assert capstone.is_development(dataset) and not capstone.is_official(dataset)
    figure, ax = capstone.plot.plt.subplots()
    capstone.plot.image(ax, dataset.train.x[0, :, :, 0])
    capsys.readouterr()
    capstone.show_images(figure, dataset, alt="an image", caption="An image.")
    shown = capsys.readouterr().out
    assert "Not shown here" in shown and "**Figure.**" not in shown and "image/png" not in shown


def test_only_the_official_test_split_stands_beside_published_rows(tmp_path):
    capstone.write_generated(tmp_path / "pneumoniamnist.npz", images=(10, 10, 624))
    dataset = capstone.load(tmp_path / "pneumoniamnist.npz")
    assert not capstone.is_official(dataset), "a name and a number of images prove nothing"
    for official, expected in [
        (("pneumoniamnist/train", "pneumoniamnist/val", "pneumoniamnist/test"), True),
        (("pneumoniamnist/test",), True),
        (("pneumoniamnist/val",), False),
        (("breastmnist/test",), False),
    ]:
        assert capstone.is_official(dataclasses.replace(dataset, official=official)) is expected


# ---- The model


@pytest.mark.parametrize("shape, classes", [((28, 28, 1), 2), ((64, 64, 3), 8), ((224, 224, 3), 11), ((33, 47, 1), 5)])
def test_network_has_few_parameters_for_every_size(shape, classes):
    model = capstone.network(shape, classes)
    assert model.count_params() <= 200_000
    assert model.predict(np.zeros((2, *shape), np.float32), verbose=0).shape == (2, classes)


def test_network_ignores_brightness_and_contrast(generated):
    keras.utils.set_random_seed(0)
    images = data.load(generated).test.x[:8]
    model = capstone.network(images.shape[1:], 2)
    answers = [model.predict(x, verbose=0) for x in (images, 0.5 * images + 0.3)]
    # Not exactly: the normalisation's epsilon of 1e-4 weighs more beside a variance that is a quarter as large.
    np.testing.assert_allclose(*answers, rtol=0.02, atol=0.02)
    other = model.predict(images**2, verbose=0)
    assert np.abs(other - answers[0]).max() > np.abs(answers[1] - answers[0]).max()


def test_random_pose_turns_scales_and_shifts_and_only_in_training():
    images = np.zeros((64, 29, 29, 1), np.float32)
    images[:, 14, 20] = 1  # six pixels right of the centre
    rows, columns = np.mgrid[:29, :29] - 14

    def places(**options):
        views = RandomPose(seed=0, **{"degrees": 0, "zoom": 0, "shift": 0, **options})(images, training=True)
        weight = views.numpy()[..., 0]
        return [(weight * axis).sum((1, 2)) / weight.sum((1, 2)) for axis in (rows, columns)]

    assert np.array_equal(RandomPose()(images, training=False), images)
    y, x = places()
    assert np.allclose(y, 0) and np.allclose(x, 6)
    y, x = places(degrees=30)
    assert np.allclose(np.hypot(x, y), 6, atol=0.2) and 20 < np.degrees(np.abs(np.arctan2(y, x))).max() <= 31
    y, x = places(zoom=0.4)
    assert np.allclose(y, 0, atol=0.01) and 4 <= x.min() < 4.6 and 7.5 < x.max() <= 9
    y, x = places(shift=0.1)
    assert np.abs(y).max() <= 2.95 and np.abs(x - 6).max() <= 2.95 and np.abs(y).max() > 2 and np.abs(x - 6).max() > 2


def test_batches_are_fresh_in_each_pass_and_weigh_classes_alike():
    label = np.array([0] * 12 + [1] * 36)
    split = data.Split(np.random.default_rng(0).random((48, 16, 16, 1), np.float32), {"label": label})
    batches = list(capstone.batches(split, 2).take(3))  # three times through: 48 images are less than a batch
    weights = np.concatenate([weight for _, _, weight in batches])
    one_hot = np.concatenate([target for _, target, _ in batches])
    per_class = [weights[one_hot[:, k] == 1] for k in (0, 1)]
    assert np.allclose(per_class[0], 2) and np.allclose(per_class[1], 2 / 3)
    first, second = (np.asarray(images).sum((1, 2, 3)) for images, _, _ in batches[:2])
    assert not np.isin(first.round(5), second.round(5)).any(), "each view is a new one"


def test_number_of_steps_is_bounded():
    assert capstone.number_of_steps(100_000) == capstone.STEPS
    assert capstone.number_of_steps(65) == 2 * capstone.PASSES


def test_probabilities_are_a_mean_over_closer_and_closer_views():
    class OnePlace:
        def predict(self, images, **_):
            return np.stack([images[:, 14, 24, 0], 0 * images[:, 14, 24, 0]], axis=1)

    image = np.tile(np.arange(29, dtype=np.float32), (29, 1))[None, :, :, None]  # grows from left to right
    seen = [14 + 10 / closer - 24 for closer in capstone.VIEWS]  # ten pixels right of the centre, or what is there then
    expected = np.mean([1 / (1 + np.exp(-z)) for z in seen])
    found = capstone.probabilities(OnePlace(), image - 24)
    np.testing.assert_allclose(found, [[expected, 1 - expected]], rtol=1e-4)


# ---- Measures


def test_auc_as_medmnist_scores():
    label = np.array([0, 0, 1, 1])
    score = np.array([0.1, 0.4, 0.35, 0.8])
    assert capstone.auc(label, np.column_stack([1 - score, score])) == pytest.approx(0.75)
    three = np.array([[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.3, 0.3, 0.4], [0.1, 0.6, 0.3]])
    assert capstone.auc(np.array([0, 1, 2, 2]), three) == pytest.approx(1)
    assert capstone.auc(np.array([0, 1, 0, 0]), three) == pytest.approx((2 / 3 + 1) / 2), "class 2 is absent"
    assert np.isnan(capstone.auc(np.array([1, 1, 1, 1]), three))


def test_changes_keep_shape_and_range_and_change_something(generated):
    images = data.load(generated).test.x
    for name, change in capstone.CHANGES.items():
        changed = change(images)
        assert changed.shape == images.shape and changed.min() >= -1e-6 and changed.max() <= 1 + 1e-6
        assert (name == "as taken") == np.allclose(changed, images)


def test_script_prints_json_of_what_it_measured(generated):
    command = [sys.executable, "-m", "course_lib.lessons.capstone.experiment"]
    command += ["--data", str(generated), "--seeds", "0", "1"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=500)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["data"] == "generated.npz" and [run["seed"] for run in report["seeds"]] == [0, 1]
    for run in [*report["seeds"], report["mean"]]:
        assert run["parameters"] <= 200_000 and run["seconds"] > 0 and 0 <= run["threshold"] <= 1
        assert run["auc"] > 0.8 and run["accuracy_at_threshold"] > 0.7
    assert report["mean"]["auc"] == pytest.approx(np.mean([run["auc"] for run in report["seeds"]]))


def test_stored_scores_give_what_was_measured():
    run, stored = results.load("capstone/development")[0], results.arrays("capstone/development", 0)
    assert len(stored["changes"]) == len(stored["scores"]) and set(stored["changes"]) == set(capstone.CHANGES)
    truth, score = stored["ill"], stored["scores"][stored["changes"].tolist().index("as taken")].astype(float)
    assert capstone.auc(truth, np.column_stack([1 - score, score])) == pytest.approx(run["auc"], abs=5e-4)
    assert np.mean((score >= run["threshold"]) == truth) == pytest.approx(run["accuracy_at_threshold"], abs=4e-3)


# ---- The notebook


def run_notebook(path, monkeypatch):
    monkeypatch.setenv("COURSE_CAPSTONE_DATA", str(path))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    with run_notebooks.tqdm(disable=True) as progress:
        error = run_notebooks.execute(notebook, progress)[2]
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    texts = [output.get("text") or output.get("data", {}).get("text/markdown", "") for output in outputs]
    errors = [output for output in outputs if output.get("name") == "stderr"]
    return error, "\n".join(texts), errors


@pytest.mark.parametrize(
    "name, options, expected",
    [
        (
            "breastmnist_64.npz",
            {"shape": (64, 64), "images": (110, 40, 60)},
            ["Looked for: class 0, malignant", "NOT an official test split", "No row of ours"],
        ),
        (
            "bloodmnist.npz",
            {"shape": (28, 28, 3), "classes": 8, "images": (120, 48, 48)},
            ["28 × 28 × 3", "7 platelet", "No row of ours"],
        ),
    ],
)
def test_notebook_runs_with_other_files(name, options, expected, tmp_path, monkeypatch):
    capstone.write_generated(tmp_path / "generated.npz", **options)
    with np.load(tmp_path / "generated.npz") as file:  # without its mark, so that the name gives names of classes
        np.savez(tmp_path / name, **{key: file[key] for key in file.files if key != "generated_by"})
    error, text, errors = run_notebook(tmp_path / name, monkeypatch)
    assert error is None and not errors
    for part in [name, *expected]:
        assert part in text


def test_notebook_without_data_stops_with_the_message(tmp_path, monkeypatch):
    error, text, _ = run_notebook(tmp_path / "nothing.npz", monkeypatch)
    assert "DataMissing: There is no file" in error and "Traceback" not in text


def test_stored_notebook_names_its_file_and_stores_no_image_of_it():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code" and "capstone.show_images" in cell.source]
    assert len(cells) >= 3
    for cell in cells:
        assert all("image/png" not in output.get("data", {}) for output in cell.outputs)
        assert "Not shown here: images of pneumoniamnist-dev.npz, development file" in str(cell.outputs)
    table = next(cell for cell in notebook.cells if "capstone.PUBLISHED.items()" in cell.source)
    assert "No row of ours" in str(table.outputs) and "**ours" not in str(table.outputs)
