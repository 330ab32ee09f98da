"""Lesson 16: damage does what it says, the measures agree with scikit-image, the U-Net leaves intact pixels alone, and
the stored files belong together."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from skimage import metrics

from course_lib import results
from course_lib.lessons.restoration import experiment, explorers
from course_lib.lessons.restoration import model as restore

pytestmark = pytest.mark.slow


@pytest.fixture
def images():
    """Smooth random images (6, 32, 32, 1) in [0, 1]."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:32, :32] / 32
    waves = [np.sin(6 * (a * rows + b * columns) + c) for a, b, c in rng.uniform(0, 2, (6, 3))]
    return (0.5 + 0.3 * np.array(waves, np.float32))[..., None].astype(np.float32)


def test_noise_has_its_standard_deviation(images):
    condition = restore.add_noise(images, [0.02, 0.05, 0.1, 0.1, 0.2, 0.3], np.random.default_rng(1))
    assert condition.shape == (6, 32, 32, 2) and condition.dtype == np.float32
    assert (condition[..., 1] == 1).all()
    spread = (condition[..., 0] - images[..., 0]).std((1, 2))
    assert spread == pytest.approx([0.02, 0.05, 0.1, 0.1, 0.2, 0.3], rel=0.1)


@pytest.mark.parametrize(("centre", "first"), [((16, 10), (12, 6)), ((0, 31), (0, 24)), ((31, 2), (24, 0))])
def test_a_hole_is_a_square_of_its_size_inside_the_image(images, centre, first):
    condition = restore.cut_hole(images, [centre] * 6, size=8)
    expected = np.zeros((32, 32), bool)
    expected[first[0] : first[0] + 8, first[1] : first[1] + 8] = True
    for image, (damaged, mask) in zip(images[..., 0], condition.transpose(0, 3, 1, 2), strict=True):
        assert np.array_equal(mask == 1, expected)
        assert (damaged[expected] == 0).all() and np.array_equal(damaged[~expected], image[~expected])


def test_random_holes_lie_in_the_head(images):
    images = images.copy()
    images[:, :, 16:] = 0
    centres = restore.random_centres(images, np.random.default_rng(0))
    assert (centres[:, 1] < 16).all() and len(np.unique(centres, axis=0)) > 1


def test_half_resolution_is_right_for_a_constant_and_loses_a_checkerboard():
    flat = np.full((1, 32, 32, 1), 0.4, np.float32)
    assert np.allclose(restore.half_resolution(flat)[..., 0], 0.4, atol=1e-5)
    board = (np.indices((32, 32)).sum(0) % 2).astype(np.float32)[None, ..., None]
    assert np.allclose(restore.half_resolution(board)[..., 0], 0.5, atol=1e-5)


@pytest.mark.parametrize("shape", [(2, 8, 12, 1), (1, 6, 6, 3)])
def test_double_size_is_keras_bicubic(shape):
    from course_lib.models import keras

    small = np.random.default_rng(0).random(shape, np.float32)
    theirs = keras.ops.image.resize(small, (2 * shape[1], 2 * shape[2]), interpolation="bicubic")
    ours = restore.double_size(small)
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_unknown_task_is_named(images):
    with pytest.raises(ValueError, match="'blur'.*noise, hole, upscale"):
        restore.damage("blur", images, np.random.default_rng(0))


def test_measures_agree_with_scikit_image(images):
    restored = restore.add_noise(images, 0.1, np.random.default_rng(2))[..., :1]
    everywhere = np.ones_like(images)
    pairs = list(zip(images[..., 0], restored[..., 0], strict=True))
    psnr = [metrics.peak_signal_noise_ratio(a, b, data_range=1) for a, b in pairs]
    assert restore.psnr(images, restored, everywhere) == pytest.approx(psnr, abs=1e-3)
    ssim = [metrics.structural_similarity(a, b, data_range=1.0, full=True)[1].mean() for a, b in pairs]
    assert restore.ssim(images, restored, everywhere) == pytest.approx(ssim, abs=1e-6)


def test_measures_look_inside_the_mask_only(images):
    mask = restore.cut_hole(images, [(16, 16)] * 6)[..., 1:]
    spoilt = images + (1 - mask)
    assert (restore.psnr(images, spoilt, mask) >= 99).all()
    assert (restore.psnr(images, images + 0.1 * mask, mask)) == pytest.approx(20, abs=1e-3)
    inside = restore.sharpness(images * mask, np.ones_like(mask))
    assert inside.shape == (6,) and (restore.sharpness(np.ones_like(images), mask) == 0).all()


def test_sharpness_counts_neighbours():
    board = (np.indices((32, 32)).sum(0) % 2).astype(np.float32)[None, ..., None]
    stripes = np.tile(np.arange(32) % 2, (32, 1)).astype(np.float32)[None, ..., None]
    everywhere = np.ones_like(board)
    assert restore.sharpness(board, everywhere) == pytest.approx([1])
    assert restore.sharpness(stripes, everywhere) == pytest.approx([0.5])


def test_spectrum_finds_a_wave_at_its_frequency():
    columns = np.arange(16)
    for cycles in (2, 5, 7):
        wave = np.tile(np.cos(2 * np.pi * cycles * columns / 16), (16, 1))[None]
        assert restore.spectrum(wave)[0].argmax() == cycles
    assert restore.spectrum(np.zeros((3, 16, 16))).shape == (3, 9)


def test_crops_are_centred_on_the_mask(images):
    condition = restore.cut_hole(images, [(16, 12)] * 6)
    squares = restore.crops(images, condition[..., 1:])
    assert np.array_equal(squares, images[:, 8:24, 4:20, 0])


def test_the_unet_keeps_what_was_not_damaged(images):
    condition = restore.cut_hole(images, [(16, 12)] * 6)
    restored = restore.unet()(condition).numpy()
    mask = condition[..., 1:] == 1
    assert np.array_equal(restored[~mask], images[~mask])
    assert not np.allclose(restored[mask], images[mask])


@pytest.mark.parametrize("options", [{"power": 2}, {"power": 1}, {"weight": 0.5}])
def test_training_gets_nearer_to_the_truth(images, options):
    before = restore.train("hole", images, steps=1, **options)
    after = restore.train("hole", images, steps=60, **options)
    condition = restore.damage("hole", images, np.random.default_rng(9))
    losses = [float(restore.pixel_loss(condition, images, model(condition))) for model in (before, after)]
    assert losses[1] < 0.7 * losses[0]


def test_found_and_invented():
    masks = np.zeros((4, 8, 8), bool)
    masks[:2, :4, :4] = True  # 16 pixels
    marked = np.zeros_like(masks)
    marked[0, 0, :4] = True  # a quarter of them
    marked[1, 0, :3] = True
    marked[2, 7, :6] = True  # six where there is nothing
    marked[3, 7, :5] = True
    assert restore.found(marked, masks).tolist() == [True, False, False, False]
    assert restore.invented(marked, masks).tolist() == [False, False, True, False]


def test_what_is_stored_is_small_and_whole():
    folder = results.LESSONS / "restoration" / "results"
    assert sum(path.stat().st_size for path in folder.iterdir()) < 2_000_000
    for part, names in {
        "losses": [f"{task}, {loss}" for task in restore.TASKS for loss in restore.LOSSES],
        "patients": [f"{task}, {diet}" for task in ("noise", "hole") for diet in restore.DIETS],
    }.items():
        for name in names:
            weights = restore.stored_restorer(part, name).get_weights()
            assert all(np.isfinite(weight).all() for weight in weights)
        assert sorted(results.load(f"restoration/{part}")) == list(experiment.RUNS[part])


def test_stored_per_slice_values_give_the_stored_means():
    for part in ("losses", "classical"):
        for seed, rows in results.load(f"restoration/{part}").items():
            scores = results.arrays(f"restoration/{part}", seed)
            assert {name.rsplit(", ", 1)[0] for name in scores} == rows.keys() - {"undamaged"}
            for name, values in scores.items():
                method, measure = name.rsplit(", ", 1)
                assert values.astype(float).mean() == pytest.approx(rows[method][measure][0], rel=2e-3), name


def panels(draw, **values):
    figure = Figure(figsize=(11, 3.4), layout="constrained")
    draw(figure, **values)
    return [np.asarray(ax.images[0].get_array()) for ax in figure.axes[:4]]


@pytest.mark.parametrize("loss", [explorers.CLASSICAL, *restore.LOSSES])
@pytest.mark.parametrize("damage", explorers.DAMAGES)
def test_the_explorer_shows_restored_minus_truth(damage, loss):
    truth, damaged, restored, difference = panels(
        explorers._draw_restorers, image="infarct, patient B", damage=damage, loss=loss, sigma=0.1, row=14, column=12
    )
    assert np.allclose(difference, restored - truth, atol=1e-6)
    assert restored.min() >= 0 and restored.max() <= 1
    error = [np.abs(picture - truth).mean() for picture in (damaged, restored)]
    assert error[1] <= error[0]
    if damage == "a hole":
        hole = damaged != truth
        assert hole.sum() <= 64 and np.allclose(restored[~hole], truth[~hole], atol=1e-6)


def test_the_training_sets_explorer_draws_different_fillings():
    options = {"image": "mass, patient A", "damage": "a hole", "sigma": 0.2, "row": 20, "column": 21}
    pictures = [panels(explorers._draw_training_sets, diet=diet, **options)[2] for diet in restore.DIETS]
    assert not np.allclose(pictures[0], pictures[2], atol=0.01)
