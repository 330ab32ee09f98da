"""Explanations where the right map is known: linear models, single layers, masks of a few pixels."""

import numpy as np
import pytest

from course_lib import explain, models

pytestmark = pytest.mark.slow

keras = models.keras
rng = np.random.default_rng(0)
IMAGES = rng.random((3, 12, 10, 2), np.float32)


def linear(classes=3):
    """A model whose logits are weighted sums of the pixels, and its weights (12, 10, 2, classes)."""
    weights = np.random.default_rng(1).normal(size=(12, 10, 2, classes)).astype(np.float32)
    model = keras.Sequential(
        [keras.layers.Input((12, 10, 2)), keras.layers.Flatten(), keras.layers.Dense(classes, name="out")]
    )
    model.set_weights([weights.reshape(-1, classes), np.zeros(classes)])
    return model, weights


def small(classes=3, seed=0):
    keras.utils.set_random_seed(seed)
    return models.small_cnn((32, 32, 1), classes, mean=0.5, variance=0.1)


BRAINS = rng.random((4, 32, 32, 1), np.float32)


# ---- Gradients -----------------------------------------------------------------------------------


def test_gradient_of_a_linear_model_is_its_weights_for_each_images_own_class():
    model, weights = linear()
    slopes = explain.gradient(model, IMAGES, np.array([2, 0, 1]))
    np.testing.assert_allclose(slopes, weights.transpose(3, 0, 1, 2)[[2, 0, 1]], rtol=1e-5)
    np.testing.assert_allclose(explain.saliency(model, IMAGES, 1)[0], np.abs(weights[..., 1]).max(-1), rtol=1e-5)


def test_smoothgrad_averages_slopes_before_it_drops_their_sign():
    model, weights = linear()
    np.testing.assert_allclose(
        explain.smoothgrad(model, IMAGES, 1, samples=3)[2], np.abs(weights[..., 1]).max(-1), rtol=1e-4
    )
    cnn = small()
    smooth = explain.smoothgrad(cnn, BRAINS, 0, noise=0.2, samples=8)
    draws = np.random.default_rng(0)
    noisy = [BRAINS + draws.normal(scale=0.2, size=BRAINS.shape).astype(np.float32) for _ in range(8)]
    signed = np.mean([explain.gradient(cnn, x, 0) for x in noisy], 0)
    np.testing.assert_allclose(smooth, np.abs(signed)[..., 0], atol=1e-5)


def test_integrated_gradients_are_complete():
    model = small()
    baseline = np.full_like(BRAINS, 0.3)
    shares = explain.integrated_gradients(model, BRAINS, [0, 1, 2, 0], baseline=baseline, steps=200)
    whole = explain.logit(model, BRAINS, [0, 1, 2, 0]) - explain.logit(model, baseline, [0, 1, 2, 0])
    np.testing.assert_allclose(shares.sum((1, 2)), whole, atol=0.02 * np.abs(whole).max() + 1e-3)


def test_integrated_gradients_take_the_slope_in_the_middle_of_each_step():
    layers = [keras.layers.Flatten(), keras.layers.Dense(4, keras.ops.square), keras.layers.Dense(2)]
    model = keras.Sequential([keras.layers.Input((12, 10, 2)), *layers])  # slopes grow evenly: the middle is exact
    shares = explain.integrated_gradients(model, IMAGES, 1, baseline=0.4, steps=2)
    whole = explain.logit(model, IMAGES, 1) - explain.logit(model, np.full_like(IMAGES, 0.4), 1)
    np.testing.assert_allclose(shares.sum((1, 2)), whole, atol=1e-4)


def test_integrated_gradients_of_a_linear_model_are_weight_times_distance():
    model, weights = linear()
    shares = explain.integrated_gradients(model, IMAGES, 2, baseline=0.25, steps=2)
    np.testing.assert_allclose(shares, ((IMAGES - 0.25) * weights[..., 2]).sum(-1), atol=1e-4)


def test_batches_change_nothing(monkeypatch):
    model = small()
    whole = explain.saliency(model, BRAINS, [0, 1, 2, 0])
    monkeypatch.setattr(explain, "BATCH", 3)
    np.testing.assert_allclose(explain.saliency(model, BRAINS, [0, 1, 2, 0]), whole, atol=1e-5)


# ---- Occlusion -----------------------------------------------------------------------------------


@pytest.mark.parametrize("size, stride", [(4, 4), (5, 3), (10, 7)])
def test_occlusion_covers_every_pixel_and_gives_a_linear_model_its_sums(size, stride):
    model, weights = linear()
    fall = explain.occlusion(model, IMAGES, 1, fill=0.5, size=size, stride=stride)
    share = ((IMAGES - 0.5) * weights[..., 1]).sum(-1)
    total, covered = np.zeros_like(share), np.zeros(share.shape[1:])
    tops, lefts = (sorted({*range(0, side - size, stride), side - size}) for side in (12, 10))
    for top in tops:
        for left in lefts:
            square = np.s_[:, top : top + size, left : left + size]
            total[square] += share[square].sum((1, 2), keepdims=True)
            covered[square[1:]] += 1
    assert covered.min() > 0
    np.testing.assert_allclose(fall, total / covered, atol=1e-3)


def test_a_square_larger_than_the_image_is_refused():
    with pytest.raises(ValueError, match="11 pixels a side, but the images are 12 × 10"):
        explain.occlusion(linear()[0], IMAGES, 0, size=11)


# ---- Grad-CAM ------------------------------------------------------------------------------------


def cam_model(functional, weights=((1.0, -2.0), (3.0, 1.0))):
    """Two feature maps (the pixel, and one minus the pixel), averaged, then a dense layer: Grad-CAM on paper."""
    inputs = keras.Input((8, 8, 1))
    chain = [
        keras.layers.Conv2D(2, 1, activation="relu", name="maps"),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(2, name="out"),
    ]
    if functional:
        x = inputs
        for layer in chain:
            x = layer(x)
        model = keras.Model(inputs, x)
    else:
        model = keras.Sequential([inputs, *chain])
    model.set_weights([np.array([[[[1.0, -1.0]]]]), np.array([0.0, 1.0]), np.array(weights), np.zeros(2)])
    return model


@pytest.mark.parametrize("functional", [False, True])
def test_grad_cam_is_the_weighted_sum_of_feature_maps(functional):
    x = rng.random((2, 8, 8, 1), np.float32)
    heat = explain.grad_cam(cam_model(functional), x, np.array([0, 1]), "maps")
    expected = [(x[0] + 3 * (1 - x[0])) / 64, np.maximum(-2 * x[1] + (1 - x[1]), 0) / 64]
    np.testing.assert_allclose(heat, np.array(expected)[..., 0], atol=1e-6)


@pytest.mark.parametrize("functional", [False, True])
def test_grad_cam_of_a_model_from_a_file(functional, tmp_path):
    model, x = cam_model(functional), rng.random((2, 8, 8, 1), np.float32)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(explain.grad_cam(loaded, x, 1, "maps"), explain.grad_cam(model, x, 1, "maps"), atol=1e-6)


def test_grad_cam_is_zero_where_nothing_speaks_for_the_class():
    model = cam_model(False, weights=((-1.0, 1.0), (-1.0, 1.0)))
    heat = explain.grad_cam(model, rng.random((2, 8, 8, 1), np.float32), 0, "maps")
    assert heat.shape == (2, 8, 8) and not heat.any()


def test_grad_cam_enlarges_to_the_images_size():
    heat = explain.grad_cam(small(), BRAINS, 0, "conv2d_3")
    assert heat.shape == (4, 32, 32) and heat.min() >= 0


@pytest.fixture(autouse=True)
def plain_names():
    keras.utils.clear_session()  # layers are called conv2d, conv2d_1, … in each test


def test_an_unknown_layer_is_named_with_those_there_are():
    with pytest.raises(ValueError, match=r"no layer 'conv9'; its convolutions are \['conv2d', 'conv2d_1', 'conv2d_2'"):
        explain.grad_cam(small(), BRAINS, 0, "conv9")


def test_a_layer_without_places_is_refused():
    with pytest.raises(ValueError, match=r"feature maps, but the output of 'dense' has the shape \(None, 3\)"):
        explain.grad_cam(small(), BRAINS, 0, "dense")


def test_a_nested_model_has_gradients_but_grad_cam_says_why_not():
    inner = small()
    outer = keras.Sequential([keras.layers.Input((32, 32, 1)), inner])
    np.testing.assert_allclose(explain.saliency(outer, BRAINS, 1), explain.saliency(inner, BRAINS, 1), atol=1e-6)
    np.testing.assert_allclose(
        explain.guided_backprop(outer, BRAINS, 1), explain.guided_backprop(inner, BRAINS, 1), atol=1e-6
    )
    with pytest.raises(ValueError, match="inside small_cnn cannot be reached: explain a flat model"):
        explain.grad_cam(outer, BRAINS, 0, "conv2d_3")


# ---- Logits --------------------------------------------------------------------------------------


def test_a_single_logit_speaks_for_class_1_and_its_negative_for_class_0():
    model = small(classes=1)
    z = model.predict(BRAINS, verbose=0)[:, 0]
    np.testing.assert_allclose(explain.logit(model, BRAINS, [1, 0, 1, 0]), z * [1, -1, 1, -1], atol=1e-5)
    np.testing.assert_allclose(explain.gradient(model, BRAINS, 0), -explain.gradient(model, BRAINS, 1), atol=1e-6)
    np.testing.assert_allclose(explain.probability(model, BRAINS, 1), 1 / (1 + np.exp(-z)), atol=1e-5)
    np.testing.assert_allclose(explain.probability(model, BRAINS, 0), 1 / (1 + np.exp(z)), atol=1e-5)
    positive, negative = (explain.grad_cam(model, BRAINS, c, "conv2d_3") for c in (1, 0))
    assert not np.allclose(positive, negative)


def test_probabilities_add_up():
    model = small()
    total = sum(explain.probability(model, BRAINS, c) for c in range(3))
    np.testing.assert_allclose(total, 1, atol=1e-5)


@pytest.mark.parametrize(
    "last", [[keras.layers.Dense(3, "softmax")], [keras.layers.Dense(1, "sigmoid")], [keras.layers.Dense(3), keras.layers.Softmax()]]
)  # fmt: skip
def test_a_model_that_ends_in_probabilities_is_refused(last):
    model = keras.Sequential([keras.layers.Input((12, 10, 2)), keras.layers.Flatten(), *last])
    for wrapped in (model, keras.Sequential([keras.layers.Input((12, 10, 2)), model])):
        for method in (explain.logit, explain.probability, explain.saliency):
            with pytest.raises(ValueError, match="gives probabilities, but explanations start from the logits"):
                method(wrapped, IMAGES, 0)


@pytest.mark.parametrize("target", [3, -1, [0, 1, 7]])
def test_a_class_that_does_not_exist_is_refused(target):
    with pytest.raises(ValueError, match="The classes go from 0 to 2"):
        explain.saliency(linear()[0], IMAGES, target)


# ---- Guided backpropagation ----------------------------------------------------------------------


def test_guided_backprop_lets_only_positive_slopes_through_and_leaves_the_model_alone():
    model = keras.Sequential(
        [keras.layers.Input((1, 2, 1)), keras.layers.Conv2D(1, 1, activation="relu"), keras.layers.Flatten(),
         keras.layers.Dense(1)]
    )  # fmt: skip
    model.set_weights([np.ones((1, 1, 1, 1)), np.zeros(1), np.array([[2.0], [-3.0]]), np.zeros(1)])
    x = np.ones((1, 1, 2, 1), np.float32)
    np.testing.assert_allclose(explain.guided_backprop(model, x, 1)[0], [[2, 0]])
    np.testing.assert_allclose(explain.saliency(model, x, 1)[0], [[2, 3]])


def test_guided_backprop_needs_relus_it_can_change():
    with pytest.raises(ValueError, match="activation='relu'"):
        explain.guided_backprop(linear()[0], IMAGES, 0)
    layers = [keras.layers.Input((12, 10, 2)), keras.layers.Conv2D(2, 3, activation="relu"), keras.layers.ReLU()]
    with pytest.raises(ValueError, match="activation='relu'"):
        explain.guided_backprop(keras.Sequential([*layers, keras.layers.Flatten(), keras.layers.Dense(2)]), IMAGES, 0)


# ---- Scores --------------------------------------------------------------------------------------

MASK = np.zeros((1, 4, 5), bool)
MASK[0, 1:3, 1:4] = True


def one(heat):
    return np.asarray(heat, np.float32).reshape(1, 4, 5)


def test_pointing():
    heat = np.zeros((4, 5))
    heat[1, 1], heat[3, 3] = 2, 1
    assert explain.pointing(one(heat), MASK) == 1
    assert explain.pointing(one(-heat), MASK) == pytest.approx(5 / 18)  # all zeros share the largest value
    heat[3, 3] = 2
    assert explain.pointing(one(heat), MASK) == 0.5


def test_mass_inside_counts_the_positive_part_only():
    heat = -np.ones((4, 5))
    heat[1, 1], heat[2, 3], heat[0, 0] = 1, 2, 6
    assert explain.mass_inside(one(heat), MASK) == pytest.approx(3 / 9)


def test_a_map_that_says_nothing_scores_as_chance():
    for heat in (one(np.zeros((4, 5))), one(-np.ones((4, 5)))):
        assert explain.mass_inside(heat, MASK) == pytest.approx(MASK.mean())
        assert explain.pointing(heat, MASK) == pytest.approx(MASK.mean())


def test_replacement_starts_at_the_image_ends_at_the_fill_and_takes_the_largest_first():
    model = keras.Sequential([keras.layers.Input((4, 5, 1)), keras.layers.Flatten(), keras.layers.Dense(1)])
    weights = np.arange(20.0)[:, None]
    model.set_weights([weights / 100, np.zeros(1)])
    images, fill = np.ones((1, 4, 5, 1), np.float32), np.zeros((1, 4, 5, 1), np.float32)
    heat = one(np.arange(20.0))
    curve = explain.replacement_curve(model, images, fill, 1, heat, steps=4)
    left = np.array([weights[: 20 - 5 * k].sum() for k in range(5)]) / 100
    np.testing.assert_allclose(curve[0], 1 / (1 + np.exp(-left)), rtol=1e-5)
    backwards = explain.replacement_curve(model, fill, images, 1, heat, steps=4)
    assert backwards[0, 0] == curve[0, -1] and backwards[0, -1] == pytest.approx(curve[0, 0])
    assert explain.area_under(backwards)[0] > explain.area_under(curve)[0]


def test_pixels_of_equal_rank_do_not_come_in_reading_order():
    model = keras.Sequential([keras.layers.Input((4, 5, 1)), keras.layers.Flatten(), keras.layers.Dense(1)])
    model.set_weights([np.eye(20)[0][:, None] * 9, np.zeros(1)])  # only the first pixel counts
    images, fill = np.ones((40, 4, 5, 1), np.float32), np.zeros((40, 4, 5, 1), np.float32)
    curve = explain.replacement_curve(model, images, fill, 1, np.zeros((40, 4, 5)), steps=2)
    assert 5 < (curve[:, 1] > 0.9).sum() < 35  # after half of the pixels it is gone in about half of the images


def test_area_under():
    np.testing.assert_allclose(explain.area_under(np.array([[1, 1, 1], [1, 0.5, 0], [1, 0, 0]])), [1, 0.5, 0.25])


# ---- Randomisation -------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, 2, 5])
def test_randomised_changes_the_last_layers_and_no_other(count):
    model = small()
    keras.utils.set_random_seed(5)
    other = explain.randomised(model, count)
    changed = [
        not np.array_equal(old.get_weights()[0], new.get_weights()[0])
        for old, new in zip(model.layers, other.layers, strict=True)
        if old.trainable_weights
    ]
    assert changed == [False] * (5 - count) + [True] * count


def test_more_layers_than_there_are_cannot_be_randomised():
    with pytest.raises(ValueError, match="5 layers with weights, so 6"):
        explain.randomised(small(), 6)


def test_similarity():
    a = rng.normal(size=(2, 5, 6))
    np.testing.assert_allclose(explain.similarity(a, a), 1)
    np.testing.assert_allclose(explain.similarity(a, -3 * a), 1)  # of absolute values
    np.testing.assert_allclose(explain.similarity(a, -3 * a, signed=True), -1)
    np.testing.assert_allclose(explain.similarity(np.abs(a), 1 / np.abs(a)), -1)
    assert explain.similarity(a, np.zeros_like(a)).tolist() == [0, 0]
