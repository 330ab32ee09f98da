"""Lesson 17: the project's data, its parts, what it keeps, its hand-ins, and its notebook with and without images."""

import json
import os
import subprocess
import sys

import nbformat
import numpy as np
import pytest
from PIL import Image

from course_lib import ROOT, data, evaluate, results
from course_lib.lessons.capstone import model as lesson
from course_lib.lessons.capstone import project
from course_lib.models import keras, layers
from course_lib.tools import hand_in, run_notebooks

pytestmark = pytest.mark.slow

NOTEBOOK = ROOT / "notebooks" / "17_capstone.ipynb"


@pytest.fixture(scope="module")
def generated(tmp_path_factory):
    """A small binary dataset, generated: no X-rays."""
    path = tmp_path_factory.mktemp("capstone") / "generated.npz"
    lesson.write_generated(path, images=(128, 64, 64))
    return data.load(path)


@pytest.fixture
def work(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_WORK", str(tmp_path))
    return tmp_path / "capstone"


def small_network(shape):
    model = keras.Sequential([layers.Input(shape), layers.Flatten(), layers.Dense(2, activation="softmax")])
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    return model


def attempt(dataset, **options):
    return lesson.attempt(dataset, 1, small_network, lesson.no_augmentation, lesson.my_rule, **{"epochs": 3} | options)


def recipe(rule=lesson.my_rule):
    return project.recipe(small_network, lesson.no_augmentation, rule, seeds=1, epochs=3, batch=32)


def test_the_lesson_opens_without_keras():
    modules = "exercises, explorers, model, project"
    code = f"from course_lib.lessons.capstone import {modules}; import sys; assert 'keras' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True, timeout=120)


# ---- The data


@pytest.mark.parametrize("options", [{}, {"shape": (64, 64, 3), "classes": 8, "images": (80, 16, 24), "seed": 3}])
def test_a_generated_file_says_so_and_can_be_learned(tmp_path, options):
    lesson.write_generated(tmp_path / "pneumoniamnist.npz", **options)
    dataset = data.load(tmp_path / "pneumoniamnist.npz")
    assert dataset.simulated is True and len(dataset.class_names) == options.get("classes", 2)
    means = [dataset.train.x[dataset.train.targets["label"] == k].mean(0) for k in range(len(dataset.class_names))]
    distances = [np.square(dataset.test.x - mean).sum((1, 2, 3)) for mean in means]
    right = np.mean(np.argmin(distances, axis=0) == dataset.test.targets["label"])
    assert right > 1.5 / len(means), "the class can be told from the image"
    assert not lesson.is_official(dataset), "a name and a number of images prove nothing"


def test_what_cannot_be_had_is_a_sentence_and_what_is_wrong_is_a_problem(tmp_path, capsys):
    assert lesson.load(tmp_path / "nothing.npz") is None
    said = capsys.readouterr().out
    assert "There is no file" in said and "goes on without images" in said
    (tmp_path / "bad.npz").write_bytes(b"nonsense")
    with pytest.raises(lesson.Problem, match="is not an .npz file") as caught:
        lesson.load(tmp_path / "bad.npz")
    assert caught.value._render_traceback_() == [str(caught.value)]


def test_a_path_is_looked_for_in_the_courses_folder_too_and_warnings_become_notes(tmp_path, monkeypatch, capsys):
    path = tmp_path / "twins.npz"
    lesson.write_generated(path)
    with np.load(path) as file:
        arrays = dict(file)
    arrays["val_images"][:3] = arrays["train_images"][:3]
    np.savez_compressed(path, **arrays)
    monkeypatch.setattr(lesson, "ROOT", tmp_path)
    dataset = lesson.load("twins.npz")
    shown = capsys.readouterr()
    assert "Note: twins.npz: 3 of 64 val images are also in the train split" in shown.out and not shown.err
    known = lesson.twins(*(lesson.whole_numbers(part.x) for part in (dataset.train, dataset.val)))
    assert known[:3].all() and known.sum() == 3
    rest = lesson.part_of(dataset.val, ~known)
    assert len(rest) == 61 and np.array_equal(rest.x, dataset.val.x[3:]) and len(rest.targets["label"]) == 61


@pytest.mark.parametrize(
    ("names", "ill"),
    [
        (("normal", "pneumonia"), 1),
        (("malignant", "normal or benign"), 0),
        (("class 0", "class 1"), 1),
        (("a", "b", "normal"), 1),
    ],
)
def test_which_class_is_looked_for(names, ill):
    assert lesson.ill_class(names) == ill


def test_a_development_file_shows_no_image(tmp_path, capsys):
    lesson.write_generated(tmp_path / "pneumoniamnist-dev.npz")
    dataset = lesson.load(tmp_path / "pneumoniamnist-dev.npz")
    assert lesson.describe(dataset) == "pneumoniamnist-dev (development file)"
    figure, ax = lesson.plot.plt.subplots()
    lesson.plot.image(ax, dataset.train.x[0, :, :, 0])
    capsys.readouterr()
    lesson.show_images(figure, dataset, alt="an image", caption="An image.")
    shown = capsys.readouterr().out
    assert "Not shown here" in shown and "**Figure.**" not in shown


def test_what_is_covered_tells_nothing():
    images = np.random.default_rng(0).random((5, 28, 28, 1)).astype(np.float32)
    for where, hidden in (("centre", np.s_[:, 4:-4, 4:-4]), ("rim", np.s_[:, :4])):
        other = images.copy()
        other[hidden] = 0.9  # another centre, or another rim
        if where == "rim":
            other[:, -4:] = other[:, :, :4] = other[:, :, -4:] = 0.9
        np.testing.assert_array_equal(lesson.cover(images, where), lesson.cover(other, where))
        assert not np.array_equal(lesson.cover(images, where), images)
    assert np.array_equal(lesson.cover(images, "centre")[:, :4], images[:, :4])
    assert np.array_equal(lesson.cover(images, "centre", edge=1)[:, 1:-1, 1:-1].std((1, 2, 3)).round(5), np.zeros(5))


def test_changes_keep_shape_and_range_and_change_something(generated):
    for name, change in lesson.CHANGES.items():
        changed = change(generated.test.x)
        assert changed.shape == generated.test.x.shape and changed.min() >= -1e-6 and changed.max() <= 1 + 1e-6
        assert (name == "as taken") == np.allclose(changed, generated.test.x)


# ---- A student's parts


def not_compiled(shape):
    return keras.Sequential([layers.Input(shape), layers.Flatten(), layers.Dense(2, activation="softmax")])


def logits(shape):
    model = keras.Sequential([layers.Input(shape), layers.Flatten(), layers.Dense(2)])
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


@pytest.mark.parametrize(
    ("network", "augmentation", "rule", "sentence"),
    [
        (not_compiled, lesson.no_augmentation, lesson.my_rule, "must return a compiled Keras model"),
        (lambda shape: ..., lesson.no_augmentation, lesson.my_rule, "must return a compiled Keras model"),
        (logits, lesson.no_augmentation, lesson.my_rule, "two probabilities for each image, which add up to 1"),
        (small_network, lambda seed: [layers.Resizing(14, 14)], lesson.my_rule, "changes the images' shape"),
        (small_network, lesson.no_augmentation, lambda truth, score: None, "must return one number"),
    ],
)
def test_a_part_that_does_not_fit_gets_a_sentence(generated, network, augmentation, rule, sentence):
    with pytest.raises(lesson.Problem, match=sentence):
        lesson.attempt(generated, 1, network, augmentation, rule, epochs=1)


def test_an_attempt_scores_validation_only_and_a_seed_repeats_it(generated):
    found = attempt(generated)
    assert found.scores.shape == (1, 64) and found.thresholds == [0.5] and lesson.area(found).value > 0.9
    np.testing.assert_allclose(found.scores, attempt(generated).scores, atol=1e-5)
    with pytest.raises(lesson.Problem, match="seeds is 2"):
        attempt(generated, seeds=2)


def test_the_augmentation_is_used_in_training_and_not_in_use(generated):
    def zero(seed):
        return [layers.RandomBrightness((-1, -1), value_range=(0, 1))]  # what the network trains on is black

    blind = lesson.attempt(generated, 1, small_network, zero, lesson.my_rule, epochs=3)
    assert abs(lesson.area(blind).value - 0.5) < 0.3 < lesson.area(attempt(generated)).value - 0.5


def test_gains_are_paired_and_know_seeds_where_there_are_three():
    rng = np.random.default_rng(0)
    truth = rng.random(200) < 0.5
    base = truth + rng.normal(0, 1, (3, 200))

    def of(scores):
        return lesson.Attempt(truth, None, scores, np.full(len(scores), 0.5), (), 0, 0.0, np.zeros(len(scores)))

    one = lesson.gain(of(base[:1]), of(base[:1] + 0.3 * truth))
    assert one.above and "seeds" not in one.unit
    three = lesson.gain(of(base), of(base + 0.3 * truth))
    assert "3 and 3 seeds" in three.unit
    other = of(base)._replace(truth=~truth)
    with pytest.raises(lesson.Problem, match="different validation images"):
        lesson.gain(of(base), other)


def test_a_folder_of_ones_own_is_measured_by_patient(tmp_path, work, capsys):
    rng, lines = np.random.default_rng(0), ["path,label,patient"]
    for patient in range(40):
        for image in range(2):
            name, ill = f"{patient}-{image}.png", patient % 2
            pixels = rng.integers(0, 120, (20, 24), dtype=np.uint8) + np.uint8(100 * ill)
            Image.fromarray(pixels).save(tmp_path / name)
            lines.append(f"{name},{('normal', 'ill')[ill]},{patient}")
    (tmp_path / "table.csv").write_text("\n".join(lines))
    dataset = lesson.load(tmp_path, size=28)
    ill = lesson.ill_class(dataset.class_names)
    mine = lesson.attempt(dataset, ill, small_network, lesson.no_augmentation, lesson.my_rule, epochs=2)
    assert dataset.class_names[ill] == "ill" and lesson.area(mine).unit == "patients"
    opening = project.Seal(dataset, ill).open(mine, recipe(), reason="final")
    assert opening["numbers"]["images"] == len(dataset.test)


# ---- What is kept


def test_the_board_keeps_every_attempt_once_and_nothing_is_overwritten(generated, work, capsys):
    project.enter(generated, attempt(generated), recipe(), note="first | with a bar")
    project.enter(generated, attempt(generated), recipe(), note="again")
    assert "is attempt 1 already" in capsys.readouterr().out
    before = (work / "board.jsonl").read_bytes()
    with (work / "board.jsonl").open("ab") as file:
        file.write(b'{"cut off')  # a crash while it was written
    project.enter(generated, attempt(generated, epochs=1), recipe(lambda truth, score: 0.7), note="other")
    text = (work / "board.jsonl").read_bytes()
    assert text.startswith(before + b'{"cut off') and len(list(work.glob("attempt-*.npz"))) == 2
    rows = project.board(generated)
    assert [row["note"] for row in rows] == ["first | with a bar", "other"] and rows[0]["gain"] is None
    assert rows[1]["gain"].value == pytest.approx(rows[1]["auc"][0] - rows[0]["auc"][0], abs=2e-4)
    capsys.readouterr()
    project.show_board(generated)
    assert "cannot be read" in (shown := capsys.readouterr().out) and "first / with a bar" in shown


def test_a_stored_attempt_is_not_entered(work, generated, capsys):
    project.enter(None, attempt(generated), recipe(), note="stored")
    assert not work.exists() and "no attempt of yours" in capsys.readouterr().out


def test_a_board_that_cannot_be_written_stops_nobody(generated, tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("COURSE_WORK", str(tmp_path / "file"))
    project.enter(generated, attempt(generated), recipe(), note="")
    assert "could not be written" in capsys.readouterr().out


def test_the_test_is_opened_by_a_reason_and_each_opening_is_counted(generated, work, capsys):
    seal, mine = project.Seal(generated, 1), attempt(generated)
    assert seal.open(mine, recipe(), reason=" ") is None and not (work / "openings.jsonl").exists()
    assert "opened 0 times" in capsys.readouterr().out
    opening = seal.open(mine, recipe(), reason="final")
    assert "now been opened 1 time." in capsys.readouterr().out
    truth = generated.test.targets["label"] == 1
    called = lesson.score(mine.models[0], generated.test.x) >= 0.5
    assert opening["numbers"]["accuracy"][0] == pytest.approx(np.mean(called == truth), abs=1e-4)
    assert opening["numbers"]["sensitivity"][0] == pytest.approx(np.mean(called[truth]), abs=1e-4)
    low, high = opening["numbers"]["ppv"]["10%"][1:]
    assert 0 < low < high <= 1
    seal.open(mine, recipe(), reason="once more")
    assert "opened 2 times" in (said := capsys.readouterr().out) and "no longer a test" in said
    assert [row["reason"] for row in seal.openings()] == ["final", "once more"]
    assert seal.openings()[0]["code"]["small_network"].startswith("def small_network")
    assert len(list(work.glob("opening-*.npz"))) == 2


def test_an_opening_counts_before_its_numbers_are_there(generated, work, monkeypatch):
    seal, mine = project.Seal(generated, 1), attempt(generated)

    def crash(model, images):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(lesson, "score", crash)
        with pytest.raises(KeyboardInterrupt):
            seal.open(mine, recipe(), reason="and then the lid was closed")
    assert len(seal.openings()) == 1 and "numbers" not in seal.openings()[0]
    with pytest.raises(lesson.Problem, match="nothing to open"):
        seal.open(mine._replace(models=()), recipe(), reason="no networks")
    with pytest.raises(lesson.Problem, match="nothing to open"):
        project.Seal(None, 1).open(mine, recipe(), reason="no images")
    assert len(seal.openings()) == 1


def test_a_ppv_has_the_width_of_the_specificity():
    found, spared = evaluate.sensitivity_specificity(
        np.repeat([1, 0], [394, 130]), np.repeat([1, 0, 1, 0], [374, 20, 2, 128])
    )
    value, low, high = project.ppv(found, spared, 0.1)[:3]
    assert value == pytest.approx(0.873, abs=0.003) and low < 0.68 and high > 0.95


def test_a_ppv_of_nobody_is_not_defined_and_the_card_says_so(generated, work, capsys):
    mine = attempt(generated)._replace(thresholds=np.array([2.0]))  # nobody is called ill
    seal = project.Seal(generated, 1)
    numbers = seal.open(mine, recipe(), reason="final")["numbers"]
    assert numbers["ppv"]["10%"] == [None, 0.0, 1.0]
    card = a_card(generated, work)
    capsys.readouterr()
    hand_in.show(json.loads(json.dumps(card)))
    assert "| … PPV where 10% are ill | not defined (0.000 to 1.000) |" in capsys.readouterr().out


# ---- Hand-ins


def a_card(dataset, work, *, claims=None, ablations=3):
    mine = attempt(dataset)
    seal = project.Seal(dataset, 1)
    gain = lesson.gain(attempt(dataset, epochs=1), mine)
    rows = {name: (gain, (3, 1)) for name in lesson.PARTS[:ablations]}
    claims = claims or dict.fromkeys(hand_in.RUBRIC, "…")
    truth = dataset.val.targets["label"] == 1
    return project.card(
        dataset, 1, twins=0, baselines={"the same for all": np.full(len(truth), 0.5)}, attempt=mine, recipe=recipe(),
        ablations=rows, seal=seal, claims=claims,
    )  # fmt: skip


def as_notebook(path, *texts, tag=hand_in.TAG):
    cells = [
        nbformat.v4.new_code_cell(
            "hand in", metadata={"tags": [tag]}, outputs=[nbformat.v4.new_output("display_data", {"text/plain": text})]
        )
        for text in texts
    ]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return path


def test_a_hand_in_is_read_back_and_says_what_to_look_at(generated, work, tmp_path, capsys):
    card = a_card(generated, work, ablations=1)
    project.hand_in(card)
    project.hand_in(card)
    assert [path.name for path in sorted(work.glob("hand-in-*"))] == ["hand-in-001.json", "hand-in-002.json"]
    path = as_notebook(tmp_path / "student.ipynb", json.dumps(card))
    assert hand_in.read(path) == json.loads(json.dumps(card))
    remarks = hand_in.remarks(card)
    assert remarks.keys() == hand_in.RUBRIC.keys() and sum(hand_in.RUBRIC.values()) == 100
    text = json.dumps(remarks)
    for part in ("2 of three ablations are missing", "rests on 1 seed", "opened 0 times", "has 1 words"):
        assert part in text
    for broken in (as_notebook(tmp_path / "none.ipynb"), as_notebook(tmp_path / "other.ipynb", "{}", tag="card")):
        with pytest.raises(ValueError, match="holds 0 cards"):
            hand_in.read(broken)
    with pytest.raises(lesson.Problem, match="a text for each of"):
        a_card(generated, work, claims={"card": "only this"})


def test_an_opening_of_another_recipe_is_remarked_upon(generated, work):
    card = a_card(generated, work)
    opening = {"opening": 1, "recipe": "other", "attempts": 0}
    remarks = hand_in.remarks(card | {"openings": [opening], "validation": card["validation"] | {"attempts": 2}})
    assert len(remarks["test discipline"]) == 2 + (len(card["claims"]["test discipline"].split()) < hand_in.WORDS)


@pytest.mark.parametrize("name", ["weak", "good"])
def test_the_sample_hand_ins_can_be_read(name):
    card = hand_in.read(ROOT / "docs" / "handins" / f"{name}.ipynb")
    remarks = hand_in.remarks(card)
    found = {criterion: len(sentences) for criterion, sentences in remarks.items()}
    assert len(card["openings"]) == (1 if name == "good" else 3)
    if name == "good":
        assert not found["test discipline"] and not found["data audit"] and not found["card"]
    else:
        assert all(found[criterion] for criterion in ("data audit", "ablation", "test discipline", "card"))


# ---- Stored runs


def test_stored_scores_give_what_was_measured():
    for seed, run in results.load(lesson.STORED).items():
        stored = results.arrays(lesson.STORED, seed)
        for arm in ("article", *lesson.PARTS):
            for part in ("val", "test"):
                truth, scores = stored[f"{part}_ill"], stored[f"{part} {arm}"]
                assert lesson.auc(truth, scores[:, None]) == pytest.approx(run[arm][f"{part}_auc"], abs=2e-4)
        np.testing.assert_array_equal(
            stored["changed"][stored["changes"].tolist().index("as taken")], stored["test article"]
        )


# ---- The notebook


def run_notebook(path, monkeypatch, **changes):
    """Run the notebook on a file, some of its code replaced: (error, all texts, what went to standard error)."""
    monkeypatch.setenv("COURSE_CAPSTONE_DATA", str(path))
    monkeypatch.setenv("COURSE_TESTING", "1")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    for cell in notebook.cells:
        for old, new in changes.items():
            cell.source = cell.source.replace(old, new)
    with run_notebooks.tqdm(disable=True) as progress:
        error = run_notebooks.execute(notebook, progress)[2]
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    texts = [output.get("text") or output.get("data", {}).get("text/plain", "") for output in outputs]
    errors = [output for output in outputs if output.get("name") == "stderr"]
    return error, "\n".join(texts), errors


def test_notebook_runs_without_any_file(tmp_path, monkeypatch):
    error, text, errors = run_notebook(tmp_path / "nothing.npz", monkeypatch)
    assert error is None and not errors
    for part in ["goes on without images", "no attempt of yours", "The test is sealed", '"format": "capstone 1"']:
        assert part in text


def test_notebook_runs_with_a_colour_file_of_eight_classes_and_opens_the_test(tmp_path, monkeypatch):
    lesson.write_generated(tmp_path / "generated.npz", shape=(28, 28, 3), classes=8, images=(240, 96, 96))
    error, text, errors = run_notebook(tmp_path / "generated.npz", monkeypatch, **{'reason=""': 'reason="to try"'})
    assert error is None and not errors
    for part in [
        "28 × 28 × 3",
        "Attempt 1 is on the board",
        "has now been opened 1 time.",
        "NOT an official test split",
    ]:
        assert part in text


def test_stored_notebook_holds_no_image_of_its_file():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code" and "lesson.show_images" in cell.source]
    assert cells
    for cell in cells:
        assert all("image/png" not in output.get("data", {}) for output in cell.outputs)
        assert "Not shown here: images of pneumoniamnist-dev" in str(cell.outputs)
