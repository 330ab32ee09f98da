"""The networks of lesson 09, what its explorers compute, and what is promised of its stored runs: each network at the rate
that validation chose, tested on patients of whom nothing else is known."""

import socket

import numpy as np
import pytest
from scipy import ndimage
from sklearn.metrics import roc_auc_score

from course_lib import data, evaluate, models, results
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


def stored(**networks):
    """Runs of two seeds as `rates` keeps them, from {network: {rate: validation accuracy}}; seed 1 has 0.1 more."""
    return {
        seed: {
            name: {rate: {"train": [0, 1], "val": [0, value + seed / 10]} for rate, value in by_rate.items()}
            for name, by_rate in networks.items()
        }
        for seed in (0, 1)
    }


@pytest.fixture
def two_networks(monkeypatch):
    """One that is best at a small rate, and one that is better in the end and needs a large one."""
    careful = {"0.0001": 0.3, "0.001": 0.6, "0.01": 0.5, "0.1": 0.2}
    quick = {"0.0001": 0.2, "0.001": 0.4, "0.01": 0.8, "0.1": 0.3}
    monkeypatch.setattr(results, "load", lambda path: stored(careful=careful, quick=quick))
    monkeypatch.setitem(explorers.GROUPS, "both", ("rates", ["careful", "quick"]))
    explorers.accuracies.cache_clear()
    explorers.own_rates.cache_clear()
    yield
    explorers.accuracies.cache_clear()
    explorers.own_rates.cache_clear()


def test_the_order_depends_on_the_rate(two_networks):
    assert lesson.on_validation("rates", "careful") == pytest.approx({0.0001: 0.35, 0.001: 0.65, 0.01: 0.55, 0.1: 0.25})
    assert [name for name, _ in explorers.ranking("both", 0.001)] == ["careful", "quick"]
    assert explorers.own_rates("both") == {"careful": 0.001, "quick": 0.01}
    (first, best), (second, other) = explorers.ranking("both")
    assert (first, second) == ("quick", "careful") and (best, other) == pytest.approx((0.85, 0.65))


def test_a_best_rate_at_the_end_of_its_list_is_refused(monkeypatch):
    rising = {rate: float(rate) for rate in ("0.1", "0.2", "0.3")}
    for tried in (rising, {rate: 1 - value for rate, value in rising.items()}):
        monkeypatch.setattr(results, "load", lambda path, tried=tried: stored(network=tried))
        with pytest.raises(ValueError, match="network is best at 0.[13], an end of its list"):
            lesson.best_rate("rates", "network")


def test_the_common_rates_of_the_explorer_stand_in_every_list():
    for run, names in explorers.GROUPS.values():
        for name in names:
            assert {float(rate) for rate in explorers.COMMON} <= lesson.on_validation(run, name).keys(), name


# ---- what is stored ----------------------------------------------------------------------------------------------------


RUNS = {"networks": "rates", "changes": "change_rates", "depth": "depth_rates", "transfer": "transfer_rates"}
RUNS |= {"longer": "rates"}
ARMS = experiment.ARMS | {
    "transfer": lesson.TRANSFER,
    "longer": [name for name in lesson.NETWORKS if "AlexNet" in name],
}


@pytest.mark.parametrize("run", experiment.ARMS)
def test_stored_sizes_are_those_of_the_networks(run):
    for name in experiment.ARMS[run]:
        model = lesson.build(run, name, {"mean": 0.4, "variance": 0.04})
        assert set(lesson.column(run, name, "parameters")) == {model.count_params()}
        assert set(lesson.column(run, name, "multiply_adds")) == {models.multiply_adds(model)}


def test_the_four_networks_have_about_the_same_work():
    work = [lesson.column("networks", name, "multiply_adds")[0] for name in lesson.FOUR]
    assert min(work) > 2.9e6 and max(work) < 3.4e6


@pytest.mark.parametrize("run", experiment.RUNS)
def test_every_seed_and_every_arm_is_stored(run):
    runs = results.load(f"architectures/{run}")
    assert sorted(runs) == list(experiment.RUNS[run])
    choices = {rates: ARMS[name] for name, rates in RUNS.items() if name != "longer"}
    for arms in runs.values():
        assert list(arms) == list((ARMS | choices | {"sources": lesson.SOURCES})[run])


@pytest.mark.parametrize(("run", "rates"), RUNS.items())
def test_each_network_was_trained_at_the_rate_that_was_best_on_validation(run, rates):
    for name in ARMS[run]:
        assert set(lesson.column(run, name, "rate")) == {lesson.best_rate(rates, name)}, name


@pytest.mark.parametrize("run", RUNS)
def test_all_networks_met_the_same_patients_one_slice_each(run):
    assert len(set(lesson.stored_answers(run, "groups"))) == len(lesson.stored_answers(run, "truth")) == experiment.TEST
    np.testing.assert_array_equal(lesson.stored_answers(run, "groups"), lesson.stored_answers("networks", "groups"))
    np.testing.assert_array_equal(lesson.stored_answers(run, "truth"), lesson.stored_answers("networks", "truth"))
    for name in ARMS[run]:
        assert lesson.stored_answers(run, name).shape == (len(experiment.RUNS[run]), experiment.TEST)


def test_no_run_shares_a_patient_with_the_test_with_its_source_or_with_the_choice_of_the_rates():
    """Patient numbers are unique over the seeds of the data."""
    first = {"rates": experiment.RATES_SET, "networks": experiment.FIRST_SET, "transfer": experiment.FIRST_SET + 10}
    first |= {"transfer_rates": experiment.RATES_SET + 2}
    sets = {name: {start + seed for seed in experiment.RUNS[name]} for name, start in first.items()}
    sets |= {"test": {experiment.TEST_SET}, "source": {experiment.SOURCE_SET}}
    assert sum(map(len, sets.values())) == len(set.union(*sets.values()))
    assert all(experiment.RUNS[run] == experiment.RUNS["networks"] for run in ("changes", "depth", "longer"))
    assert all(experiment.RUNS[run] == experiment.RUNS["rates"] for run in ("change_rates", "depth_rates"))


def test_the_gain_of_an_arm_has_the_sign_of_the_better_one(monkeypatch):
    truth = np.tile([0, 1, 2, 3], 40)
    answers = {"truth": truth, "groups": np.arange(160), "right": np.tile(truth, (3, 1)), "wrong": np.zeros((3, 160))}
    monkeypatch.setattr(lesson, "stored_answers", lambda run, name: answers[name])
    assert lesson.gain(("networks", "wrong"), ("changes", "right")).above
    assert lesson.gain(("networks", "right"), ("networks", "wrong")).below
    assert isinstance(lesson.gain(("depth", "right"), ("depth", "right")), evaluate.Estimate)
    assert lesson.tested("networks", "right").tolist() == [1, 1, 1]


def test_one_slice_of_each_patient():
    split = data.load("brain-lesions", size=32).val
    images, labels, patients = lesson.one_slice_each(split)
    np.testing.assert_array_equal(np.sort(patients), np.unique(split.groups))
    np.testing.assert_array_equal(images[7], split.x[29])
    assert labels[7] == split.targets["label"][29]


def test_source_models_know_their_task():
    test = data.load("brain-lesions", size=32).test
    present = lesson.source("lesion_present")
    assert roc_auc_score(test.targets["label"] > 0, present.predict(test.x, verbose=0)[:, 0]) > 0.75
    guess = lesson.source("slice_position").predict(test.x, verbose=0)[:, 0]
    assert np.corrcoef(guess, test.targets["slice_position"])[0, 1] > 0.8


@pytest.mark.parametrize(
    ("baseline", "arm"),
    [
        (("networks", "VGG"), ("networks", "VGG, one 5×5")),
        (("longer", "AlexNet"), ("longer", "AlexNet, tanh")),
        (("transfer", "random, trained"), ("transfer", "slice_position, frozen")),
    ],
)
def test_the_gain_is_that_of_the_answers(baseline, arm):
    truth, groups = (lesson.stored_answers(baseline[0], part) for part in ("truth", "groups"))
    answers = [lesson.stored_answers(*each) for each in (baseline, arm)]
    gain = lesson.gain(baseline, arm)
    np.testing.assert_allclose(
        gain[:3], evaluate.recipes(lesson.accuracy, truth, *answers, groups=groups)[:3], atol=1e-9
    )


def test_most_white_matter_lesions_are_at_most_three_pixels_wide():
    split = data.load("brain-lesions", size=32).test
    masks = split.masks[1::4][split.targets["label"][1::4] == 2]
    found = [box for mask in masks for box in ndimage.find_objects(ndimage.label(mask > 0.5, np.ones((3, 3)))[0])]
    assert np.mean([max(side.stop - side.start for side in box) <= 3 for box in found]) > 0.6
