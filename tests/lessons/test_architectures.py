"""The networks of lesson 09, what its explorers compute, and the results and weights that the lesson reads."""

import socket

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from course_lib import data, models, results
from course_lib.lessons.architectures import experiment, explorers
from course_lib.lessons.architectures import model as lesson

pytestmark = pytest.mark.slow

keras, layers = models.keras, models.layers
NETWORKS = [lesson.small_alexnet, lesson.small_vgg, lesson.small_resnet]


@pytest.mark.parametrize("build", NETWORKS)
@pytest.mark.parametrize(("shape", "classes"), [((32, 32, 1), 4), ((64, 48, 3), 2)])
def test_small_networks_give_one_logit_for_each_class_and_standardise(build, shape, classes):
    keras.utils.set_random_seed(0)
    model = build(shape, classes, mean=0.4, variance=0.04)
    images = np.random.default_rng(0).random((3, *shape), np.float32)
    logits = model(images).numpy()
    assert logits.shape == (3, classes)
    standard = build(shape, classes)
    standard.set_weights(model.get_weights())
    np.testing.assert_allclose(standard((images - 0.4) / 0.2), logits, rtol=1e-3, atol=1e-4)


def convolutions(model, kernel=3):
    return [
        layer for layer in model.layers if isinstance(layer, layers.Conv2D) and layer.kernel_size == (kernel, kernel)
    ]


@pytest.mark.parametrize("blocks", [1, 3])
def test_the_plain_network_is_the_residual_network_without_identity_paths(blocks):
    residual = lesson.small_resnet((32, 32, 1), 4, blocks=blocks)
    plain = lesson.small_resnet((32, 32, 1), 4, blocks=blocks, identity=False)
    assert len(convolutions(residual)) == len(convolutions(plain)) == 6 * blocks + 1
    shapes = [tuple(layer.kernel.shape) for layer in convolutions(residual)]
    assert shapes == [tuple(layer.kernel.shape) for layer in convolutions(plain)]
    sums = [sum(isinstance(layer, layers.Add) for layer in model.layers) for model in (residual, plain)]
    assert sums == [3 * blocks, 0]
    assert len(convolutions(residual, 1)) == 2 and not convolutions(plain, 1)  # where the shape changes


def block(identity=True):
    inputs = layers.Input((6, 6, 3))
    return keras.Model(inputs, lesson.residual_block(inputs, 3, identity=identity))


def test_a_residual_block_whose_branch_is_zero_hands_on_its_input():
    x = np.random.default_rng(0).normal(size=(2, 6, 6, 3)).astype(np.float32)
    for identity in (True, False):
        model = block(identity)
        model.set_weights([np.zeros_like(weight) for weight in model.get_weights()])
        np.testing.assert_array_equal(model(x), np.maximum(x, 0) if identity else np.zeros_like(x))


def test_vgg_stacks_its_convolutions_between_poolings():
    model = lesson.small_vgg((32, 32, 1), 4, convolutions=(1, 2, 3), kernel=5)
    kinds = [type(layer).__name__[:4] for layer in model.layers if "2D" in type(layer).__name__]
    assert kinds == ["Conv", "MaxP", "Conv", "Conv", "MaxP", "Conv", "Conv", "Conv", "MaxP"]
    assert {layer.kernel_size for layer in model.layers if isinstance(layer, layers.Conv2D)} == {(5, 5)}


def test_alexnet_takes_activation_and_dropout():
    model = lesson.small_alexnet((32, 32, 1), 4, activation="tanh", dropout=0.3)
    assert {layer.rate for layer in model.layers if isinstance(layer, layers.Dropout)} == {0.3}
    used = [layer.activation.__name__ for layer in model.layers if isinstance(layer, layers.Activation | layers.Dense)]
    assert used == ["tanh"] * 7 + ["linear"]


def test_missing_imagenet_weights_are_a_sentence(capsys):
    def network(**_):
        assert socket.getdefaulttimeout() == 3
        raise Exception("URL fetch failure on https://example.org/weights.h5:\n None -- no network")

    before = socket.getdefaulttimeout()
    assert lesson.imagenet_body(network, (64, 64, 3), timeout=3) is None
    printed = capsys.readouterr().out
    assert printed.startswith("No ImageNet weights: ") and "no network" in printed and printed.count("\n") == 1
    assert socket.getdefaulttimeout() == before


def test_imagenet_body_asks_for_a_body_with_imagenet_weights(monkeypatch):
    def body(**arguments):
        return arguments

    wanted = {"weights": "imagenet", "include_top": False, "pooling": "avg", "input_shape": (64, 64, 3)}
    assert lesson.imagenet_body(body, (64, 64, 3)) == wanted


# ---- the explorers ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("depth", "kernel", "stride", "dilation"), [(1, 3, 1, 1), (3, 3, 1, 2), (3, 5, 2, 1), (2, 3, 2, 3)]
)
def test_paths_are_the_gradient_of_a_stack_of_ones(depth, kernel, stride, dilation):
    """From the outputs back, one layer at a time, as lesson 01's formula for the receptive field goes."""
    reached = {0: 1}
    for _ in range(depth):
        below = {}
        for place, ways in reached.items():
            for a in range(kernel):
                pixel = place * stride + a * dilation
                below[pixel] = below.get(pixel, 0) + ways
        reached = below
    row = lesson.paths(depth, kernel, stride, dilation)
    assert len(row) == max(reached) + 1
    assert row.tolist() == [reached.get(pixel, 0) for pixel in range(len(row))]


def test_the_effective_field_holds_its_share():
    row = lesson.paths(4, 3, 1, 1)
    side = explorers.effective_side(row)
    inner = row[len(row) // 2 - side // 2 : len(row) // 2 + side // 2 + 1].sum() / row.sum()
    narrower = row[len(row) // 2 - side // 2 + 1 : len(row) // 2 + side // 2].sum() / row.sum()
    assert narrower**2 < explorers.SHARE <= inner**2
    assert explorers.effective_side(np.ones(1)) == 1


def test_cost_of_a_stack():
    weights = 3 * 3 * 16 * 16
    assert explorers.cost(3, 3, 1, 10) == (3 * weights, 3 * weights * 100)
    assert explorers.cost(3, 3, 2, 10) == (3 * weights, weights * (25 + 9 + 4))


def test_at_equal_time_takes_the_last_epoch_that_fits(monkeypatch):
    curve = [{"seconds": 1.0, "test": 0.5}, {"seconds": 2.0, "test": 0.4}, {"seconds": 4.0, "test": 0.7}]
    monkeypatch.setattr(explorers, "_stored", lambda: {seed: {"net": {"curve": curve[2 * seed :]}} for seed in (0, 1)})
    np.testing.assert_array_equal(explorers.at_equal_time("net", 3), [0.4, np.nan])
    np.testing.assert_array_equal(explorers.at_equal_time("net", 4), [0.7, 0.7])


# ---- what is stored ----------------------------------------------------------------------------------------------------


def test_stored_sizes_are_those_of_the_networks():
    for run in results.load("architectures/budget").values():
        for name in lesson.FOUR:
            model = experiment.NETWORKS[name](lesson.SHAPE, lesson.CLASSES)
            assert run[name]["parameters"] == model.count_params()
            assert run[name]["multiply_adds"] == models.multiply_adds(model)


@pytest.mark.parametrize("part", ["budget", "depth", "changes", "transfer"])
def test_every_seed_is_in_the_stored_results(part):
    runs = results.load(f"architectures/{part}")
    assert sorted(runs) == list(experiment.RUNS[part])
    tables = [list(run.values()) if isinstance(run, dict) else run for run in runs.values()]
    assert len({len(rows) for rows in tables}) == 1
    for rows in tables:
        assert all(0 <= row["low"] <= row["test"] <= row["high"] <= 1 for row in rows)


def test_source_models_know_their_task():
    test = data.load("brain-lesions", size=32).test
    present = lesson.source("lesion_present")
    assert roc_auc_score(test.targets["label"] > 0, present.predict(test.x, verbose=0)[:, 0]) > 0.75
    guess = lesson.source("slice_position").predict(test.x, verbose=0)[:, 0]
    assert np.corrcoef(guess, test.targets["slice_position"])[0, 1] > 0.8
