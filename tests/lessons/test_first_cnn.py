"""What the explorers of lesson 06 compute, against Keras, and the results that the lesson reads."""

import ast
import json

import numpy as np
import pytest

from course_lib import ROOT, models, results
from course_lib.lessons.first_cnn import explorers, model

pytestmark = pytest.mark.slow

keras, layers = models.keras, models.keras.layers


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"size": 65, "c_in": 1, "padding": "same", "blocks": 3, "filters": 8, "kernel": 5, "classes": 4},
        {"size": 50, "head": model.GAP, "blocks": 1, "kernel": 7, "classes": 2},
    ],
)
def test_the_calculator_counts_as_keras_does(settings):
    ours = model.network_layers(**settings)
    full = {"blocks": 2, "filters": 32, "kernel": 3, "padding": "valid", "head": model.FLATTEN, "classes": 10}
    full |= settings
    theirs = keras.Sequential([layers.Input(ours[0].shape)])
    for block in range(full["blocks"]):
        theirs.add(layers.Conv2D(full["filters"] * 2**block, full["kernel"], padding=full["padding"]))
        theirs.add(layers.MaxPooling2D(2))
    theirs.add(layers.Flatten() if full["head"] == model.FLATTEN else layers.GlobalAveragePooling2D())
    theirs.add(layers.Dense(full["classes"]))
    assert [(layer.output.shape[1:], layer.count_params()) for layer in theirs.layers] == [
        (layer.shape, layer.parameters) for layer in ours[1:]
    ]


def test_the_default_network_is_the_articles():
    assert sum(layer.parameters for layer in model.network_layers()) == 595_402


def test_the_answers_below_the_explorers_are_computed():
    def parameters(**settings):
        return sum(layer.parameters for layer in model.network_layers(**settings))

    assert parameters(head=model.GAP) == parameters(head=model.GAP, size=224) == 20_042
    assert parameters(blocks=3) == 344_138 < parameters()
    for name, pixels in ((model.ARTICLE, 10), (model.SMALL, 47)):
        steps, _ = explorers._forward(name, 0)
        assert steps[-1].field == pixels


def test_both_heads_of_the_fair_comparison_standardise_alike():
    images = np.random.default_rng(0).random((8, 32, 32, 1)).astype(np.float32) * 3 + 5
    flatten, gap = (model.fair_network(head, images) for head in model.HEADS)
    for network in (flatten, gap):
        standardised = network.layers[0](images)
        assert abs(float(keras.ops.mean(standardised))) < 1e-2 and abs(float(keras.ops.std(standardised)) - 1) < 1e-2
    assert flatten.count_params() - gap.count_params() == (6 * 6 * 64 - 64) * 4


def test_an_end_of_the_list_of_rates_is_no_answer(monkeypatch):
    from course_lib.lessons.first_cnn import experiment

    def stored(best):
        rows = {f"{head}, {rate:g}": {"val": float(rate == best)} for head in model.HEADS for rate in experiment.RATES}
        return {0: rows, 1: rows}

    monkeypatch.setattr(results, "load", lambda path: stored(experiment.RATES[1]))
    assert set(experiment.best_rates().values()) == {experiment.RATES[1]}
    monkeypatch.setattr(results, "load", lambda path: stored(experiment.RATES[-1]))
    with pytest.raises(ValueError, match=f"best at {experiment.RATES[-1]:g}, an end of the list"):
        experiment.best_rates()


def test_multiplications_are_counted_at_every_place():
    conv, dense = model.network_layers(size=6, c_in=2, blocks=1, filters=5, classes=3)[1::3]
    assert conv.multiplications == 4 * 4 * 3 * 3 * 2 * 5
    assert dense.multiplications == 2 * 2 * 5 * 3


def test_too_many_blocks_are_named_in_a_sentence():
    with pytest.raises(ValueError, match="32×32 pixels is too small: in block 3 of 4 only 3×3 are left"):
        model.network_layers(size=32, blocks=4, kernel=7)


def keras_model(name):
    """The stored network, built in Keras."""
    stored = explorers._stored()
    arm = next(arm for arm, network in model.ARMS.items() if network == name)
    built = model.network(arm, stored["images"][..., None] / np.float32(255))
    if name == model.SMALL:  # standardises with all training images
        built = models.small_cnn((64, 64, 1), 4, mean=stored["mean"], variance=stored["std"] ** 2)
    built.set_weights(stored[name])
    return built


@pytest.mark.parametrize("name", [model.ARTICLE, model.SMALL])
def test_the_feature_maps_are_those_of_keras(name):
    network, stored = keras_model(name), explorers._stored()
    x = stored["images"][:, :, :, None] / np.float32(255)
    maps = [layer for layer in network.layers if isinstance(layer, layers.Conv2D | layers.MaxPooling2D)]
    outputs = keras.Model(network.inputs[0], [layer.output for layer in [*maps, network.layers[-1]]])(x)
    answers = keras.ops.softmax(outputs[-1]) if name == model.SMALL else outputs[-1]
    for place in range(len(x)):
        steps, probabilities = explorers._forward(name, place)
        for step, theirs in zip(steps, outputs[:-1], strict=True):
            np.testing.assert_allclose(step.maps, theirs[place], rtol=1e-3, atol=1e-3)
        np.testing.assert_allclose(probabilities, answers[place], atol=1e-3)


@pytest.mark.parametrize("name", [model.ARTICLE, model.SMALL])
def test_the_frame_is_all_that_a_value_sees(name, monkeypatch):
    """Noise outside the frame of a value leaves it as it was; noise in the frame's last row alone does not."""
    stored = dict(explorers._stored())
    steps, _ = explorers._forward(name, 0)
    row, column = 1, 2
    for place, step in enumerate(steps):
        if step.field > 40:
            continue  # sees nearly everything
        top, left = step.start + row * step.jump, step.start + column * step.jump
        inside = np.zeros((64, 64), bool)
        inside[max(top, 0) : top + step.field, max(left, 0) : left + step.field] = True
        noise = np.random.default_rng(0).integers(0, 256, (64, 64)).astype(np.uint8)
        results = []
        last_row = inside & (np.arange(64) == top + step.field - 1)[:, None]
        for kept in (inside, ~last_row):
            changed = stored | {"images": np.where(kept, stored["images"][:1], noise)}
            monkeypatch.setattr(explorers, "_stored", lambda changed=changed: changed)
            explorers._forward.cache_clear()
            results.append(explorers._forward(name, 0)[0][place].maps[row, column])
        np.testing.assert_array_equal(results[0], step.maps[row, column])
        assert not np.array_equal(results[1], step.maps[row, column])
    explorers._forward.cache_clear()


def test_the_stored_results_are_the_ones_the_lesson_tells():
    networks, arms = results.load("first_cnn/networks"), results.load("first_cnn/heads")[0]["arms"]
    flatten, small = "article's model, Flatten, 100 patients", "small CNN, GAP, 100 patients"
    assert [seed for seed, rows in networks.items() if flatten in rows] == [0, 1, 2, 3, 4]
    assert networks[0][flatten]["parameters"] == 68_996 and networks[0][small]["parameters"] == 60_740
    for rows in networks.values():  # overfitted from every seed
        history = rows[flatten]["history"]
        assert history["accuracy"][-1] > history["val_accuracy"][-1] + 0.35
    assert arms[flatten]["shifted"][2] < 0.35  # it knows places: the interval ends near chance
    for key, summary in arms.items():
        for name in ("last", "shifted", "best"):
            seeds = [rows[key]["test"][name][0] for rows in networks.values() if key in rows]
            assert summary[name][0] == pytest.approx(np.mean(seeds), abs=1e-4) and summary[name][1] < summary[name][2]


def test_the_network_of_the_notebook_is_the_one_of_the_stored_runs():
    cells = json.loads((ROOT / "notebooks" / "06_first_cnn.ipynb").read_text(encoding="utf-8"))["cells"]
    trees = [
        ast.parse("".join(cell["source"])) for cell in cells if "cnn = keras.Sequential(" in "".join(cell["source"])
    ]
    (built,) = [
        node.value
        for tree in trees
        for node in tree.body
        if isinstance(node, ast.Assign) and node.targets[0].id == "cnn"
    ]
    theirs = eval(compile(ast.Expression(built), "notebook", "eval"), {"keras": keras, "layers": layers})
    ours = model.network("article's model, Flatten", np.zeros((2, 64, 64, 1), np.float32))

    def settings(network):
        return [{**layer.get_config(), "name": ""} for layer in network.layers]

    assert settings(ours) == settings(theirs)


def test_the_map_that_the_lesson_names_finds_masses_and_infarcts():
    labels = explorers._stored()["labels"]
    strongest = []
    for place in range(len(labels)):
        (maps,) = (step.maps for step in explorers._forward(model.SMALL, place)[0] if step.name == "conv 4")
        strongest.append(maps[:, :, 30 - 1].max())
    strongest = np.array(strongest)
    assert strongest[np.isin(labels, [1, 3])].min() > 2 * strongest[labels == 0].max()
