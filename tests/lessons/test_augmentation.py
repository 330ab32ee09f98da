"""What the explorers of lesson 07 draw, and that the stored learning curves fit together."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from course_lib import ROOT, models, results
from course_lib.lessons.augmentation import explorers, model
from course_lib.tools import notebooks

pytestmark = pytest.mark.slow

RETINA = "retina, microaneurysms (real)"


def panels(**changes):
    """Pictures and labels of the three panels of the explorer of transforms, with some controls changed."""
    explorer = explorers.transforms()
    figure = Figure()
    explorer.draw(figure, **{**explorer.values, "image": RETINA, **changes})
    return [np.asarray(ax.images[0].get_array()) for ax in figure.axes], [ax.get_xlabel() for ax in figure.axes]


def test_warp_turns_counter_clockwise_and_scales_and_moves_as_its_names_say():
    image = np.arange(35, dtype=float).reshape(5, 7)
    np.testing.assert_allclose(explorers.warp(image[:, :5], explorers.rotation(90)), np.rot90(image[:, :5]), atol=1e-9)
    right_and_down = explorers.warp(image, np.eye(2), (1 / 5, 2 / 7))
    np.testing.assert_allclose(right_and_down[1:, 2:], image[:-1, :-2], atol=1e-9)
    assert not right_and_down[0].any()
    (before, after, _), _ = panels(transform="scaling", strength=1.0)  # twice as large: the middle half remains
    np.testing.assert_allclose(after[0, 0], before[25:27, 25:27].mean(), atol=0.05)


def test_reflection_invents_a_microaneurysm_and_zeros_do_not():
    for border, parts in [("reflect", 3), ("zeros (constant)", 2)]:
        _, labels = panels(transform="translation", strength=0.5, border=border)
        assert labels[1].endswith(f"in {parts} part(s)")


def test_geometric_transforms_move_the_mask_and_intensity_leaves_it():
    _, labels = panels(transform="scaling", strength=0.5)
    before, after = (int(label.split(":")[1].split()[0]) for label in labels[:2])
    assert after == pytest.approx(2 * before, rel=0.2)  # a scale of √2 doubles the area
    _, labels = panels(transform="scaling", strength=0.5, with_mask=False)
    assert f"{before} pixels" in labels[1]
    for transform in ("gain", "gamma", "shift of all values", "Rician noise"):
        (original, changed, _), labels = panels(transform=transform, strength=0.5)
        assert f"{before} pixels" in labels[1] and not np.array_equal(original, changed)


def test_strength_zero_changes_nothing_but_a_flip():
    for transform in ("rotation", "scaling", "translation", "elastic", "gain", "gamma", "shift of all values"):
        (before, after, _), _ = panels(transform=transform, strength=0.0)
        np.testing.assert_allclose(after, before, atol=1e-6, err_msg=transform)
    (before, after, _), _ = panels(transform="flip left–right", strength=0.0)
    np.testing.assert_allclose(after, before[:, ::-1], atol=1e-6)


@pytest.mark.parametrize("name", model.IMAGES)
def test_every_image_is_in_range_and_its_mask_fits(name):
    image, mask, _, (black, white) = model.image_and_mask(name)
    assert image.ndim == 2 and image.min() >= 0 and image.max() <= 1 and black < white
    if mask is not None:
        assert mask.shape == image.shape and mask.dtype == bool and 0 < mask.mean() < 0.5
    assert ("simulated" in name) != ("real" in name)


@pytest.mark.parametrize("name, recipe", [("three_changes", model.article), ("careful_changes", model.careful)])
def test_the_recipes_are_those_of_the_notebook(name, recipe):
    """The notebook's takes the student's factor of the rotation, so that the layers are compared, not the code."""
    path = ROOT / "notebooks" / "07_augmentation.ipynb"
    found = {"layers": models.layers, "models": models, "rotation_factor": lambda degrees: degrees / 360}
    for function in ("three_changes", "careful_changes"):
        exec(notebooks.code_of(path, function), found)
    theirs, ours = (
        [{**layer.get_config(), "name": type(layer).__name__} for layer in make()] for make in (found[name], recipe)
    )
    assert theirs == ours and len(ours) >= 3


def test_every_recipe_changes_images_while_training_only_and_starts_from_the_same_weights():
    images = np.random.default_rng(0).random((8, 16, 16, 1), np.float32)
    first = {}
    for arm in model.ARMS:
        keep = models.keras.callbacks.LambdaCallback()
        keep.on_train_begin = lambda logs, keep=keep, arm=arm: first.update({arm: keep.model.layers[-1].get_weights()})
        network = model.train(images, np.arange(8) % 4, arm, epochs=1, rate=1e-3, seed=3, callbacks=[keep])
        once, again = (network(images, training=True).numpy() for _ in range(2))
        assert np.array_equal(once, again) == (arm in ("none", "none, by image")), arm
        silent = network(images, training=False).numpy()
        brighter = network(0.5 * images + 0.2, training=False).numpy()
        # Each image's own scale takes a gain and a shift away.
        assert np.allclose(silent, brighter, rtol=0.05, atol=0.02) == arm.endswith("by image"), arm
        assert arm.endswith("by image") or np.array_equal(silent, network.layers[-1](images, training=False))
    for weights in first.values():
        kernels = [w for w in weights if w.ndim > 1]
        assert all(np.array_equal(a, b) for a, b in zip(kernels, [w for w in first["none"] if w.ndim > 1], strict=True))


def test_stored_networks_met_the_same_test_patients_and_no_rate_is_at_an_end():
    runs = results.load("augmentation/answers")
    truth, groups = (model.answers(60, "none", name) for name in ("truth", "groups"))
    assert (
        len(runs) == 5
        and len(np.unique(groups)) == 600
        and np.unique(truth, return_counts=True)[1].tolist() == [600] * 4
    )
    for seed, run in runs.items():
        assert run.keys() == {f"{n}, {arm}" for n, arm in model.PAIRS}
        for name in ("truth", "groups"):
            assert np.array_equal(results.arrays("augmentation/answers", seed)[name], model.answers(60, "none", name))
    for arm in model.ARMS:
        assert model.answers(960, arm, "as they are").shape == (5, 2400)
        assert all(run[f"960, {arm}"]["rate"] == model.best_rate(arm) for run in runs.values())


def test_a_best_rate_at_an_end_of_the_list_is_an_error(monkeypatch):
    stored = {"none": {f"{rate:g}": {"val": rate} for rate in model.RATES}}
    monkeypatch.setattr(results, "load", lambda path: {0: stored, 1: stored})
    with pytest.raises(ValueError, match="none is best at 0.04, an end of the list"):
        model.best_rate("none")
