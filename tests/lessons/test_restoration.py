"""Lesson 16: damage does what it says, the measures agree with scikit-image and with their formulas, the U-Net leaves intact
pixels alone, what is said of the stored runs is computed from them, and the stored files belong together."""

import ast
import inspect
import json
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.figure import Figure
from skimage import metrics

from course_lib import data, results
from course_lib.lessons.restoration import experiment, explorers, stored
from course_lib.lessons.restoration import model as restore

pytestmark = pytest.mark.slow


@pytest.fixture
def images():
    """Smooth random images (6, 32, 32, 1) in [0, 1]."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:32, :32] / 32
    waves = [np.sin(6 * (a * rows + b * columns) + c) for a, b, c in rng.uniform(0, 2, (6, 3))]
    return (0.5 + 0.3 * np.array(waves, np.float32))[..., None].astype(np.float32)


# ---- damage


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


def test_half_resolution_shifts_nothing():
    ramp = np.tile(np.arange(32, dtype=np.float32), (32, 1))[None, ..., None]
    condition = restore.half_resolution(ramp)
    assert condition.shape == (1, 32, 32, 2) and condition.dtype == np.float32
    np.testing.assert_allclose(condition[0, :, 4:-4, 0], ramp[0, :, 4:-4, 0], atol=1e-4)


def test_unknown_task_is_named(images):
    with pytest.raises(ValueError, match="'blur'.*noise, hole, upscale"):
        restore.damage("blur", images, np.random.default_rng(0))


# ---- measures


def test_psnr_agrees_with_scikit_image(images):
    restored = restore.add_noise(images, 0.1, np.random.default_rng(2))[..., :1]
    pairs = list(zip(images[..., 0], restored[..., 0], strict=True))
    psnr = [metrics.peak_signal_noise_ratio(a, b, data_range=1) for a, b in pairs]
    assert restore.psnr(images, restored, np.ones_like(images)) == pytest.approx(psnr, abs=1e-3)


def test_measures_look_inside_the_mask_only(images):
    mask = restore.cut_hole(images, [(16, 16)] * 6)[..., 1:]
    spoilt = images + (1 - mask)
    assert (restore.psnr(images, spoilt, mask) >= 99).all()
    assert (restore.psnr(images, images + 0.1 * mask, mask)) == pytest.approx(20, abs=1e-3)
    assert np.array_equal(restore.products(images, spoilt, mask), restore.products(images, images, mask))


def three(sums):
    return [float(measure(sums)) for measure in (restore.detail, restore.agreement, restore.edge_strength)]


def test_differences_are_those_of_neighbours_inside_the_mask():
    image = np.array([[0, 1, 3], [0, 5, 0]], float)[None, ..., None]
    mask = np.array([[1, 1, 0], [1, 1, 1]], float)[None, ..., None]
    found = restore.differences(image, mask)[0]
    assert found.tolist() == [0, 4, 0, 1, 0, 5, -5]  # two rows down, then two steps to the right in each row


def test_detail_agreement_and_edge_strength(images):
    everywhere = np.ones_like(images)
    assert three(restore.products(images, images, everywhere)) == pytest.approx([1, 1, 1])
    assert three(restore.products(images, 0.3 + 0.5 * images, everywhere)) == pytest.approx([0.5, 1, 0.5], abs=1e-5)
    flat = restore.products(images, everywhere, everywhere)
    assert three(flat) == pytest.approx([0, 0, 0])
    detail, agreement, strength = three(restore.products(images, images[:, ::-1], everywhere))
    assert strength == pytest.approx(detail * agreement) and agreement < 0.9


def test_noise_raises_the_detail_and_not_the_edge_strength():
    rng = np.random.default_rng(3)
    images = np.repeat(np.repeat(rng.random((40, 8, 8, 1)), 4, 1), 4, 2)
    noisy = images + 0.1 * rng.standard_normal(images.shape)
    detail, agreement, strength = three(restore.products(images, noisy, np.ones_like(images)))
    assert strength == pytest.approx(1, abs=0.03) and detail > 1.1 and agreement < 0.9


def test_marked_pixels_and_what_counts_as_seen():
    masks = np.zeros((4, 8, 8), bool)
    masks[:2, :4, :4] = True  # 16 pixels
    marked = np.zeros_like(masks)
    marked[0, 0, :4] = True  # a quarter of them
    marked[1, 0, :3] = True
    marked[1, 7, :8] = True  # beside the lesion: does not count
    marked[2, 7, :6] = True  # six where there is nothing
    marked[3, 7, :5] = True
    pixels = restore.marked_pixels(marked, masks)
    assert pixels.tolist() == [4, 3, 6, 5]
    assert restore.seen(pixels, masks.sum((1, 2)).astype(np.uint8)).tolist() == [True, False, True, False]


# ---- networks


def test_the_unet_keeps_what_was_not_damaged(images):
    condition = restore.cut_hole(images, [(16, 12)] * 6)
    restored = restore.unet()(condition).numpy()
    mask = condition[..., 1:] == 1
    assert np.array_equal(restored[~mask], images[~mask])
    assert not np.allclose(restored[mask], images[mask])


@pytest.mark.parametrize("name", ["unet", "patch_discriminator"])
def test_the_lesson_shows_the_networks_of_the_stored_runs(name):
    def tree(source):
        found = next(f for f in ast.parse(source).body if isinstance(f, ast.FunctionDef) and f.name == name)
        found.body = [line for line in found.body if not isinstance(line, ast.ImportFrom | ast.Expr)]  # no docstring
        return ast.dump(found)

    path = results.LESSONS.parents[1] / "notebooks" / "16_restoration.ipynb"
    cells = ["".join(cell["source"]) for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]]
    shown = [cell for cell in cells if f"def {name}(" in cell]
    assert len(shown) == 1 and tree(shown[0]) == tree(inspect.getsource(getattr(restore, name)))


@pytest.mark.parametrize("options", [{"power": 2}, {"power": 1}, {"weight": 0.5}])
def test_training_gets_nearer_to_the_truth(images, options):
    condition = restore.damage("hole", images, np.random.default_rng(9))

    def error(network):
        return float(restore.pixel_loss(condition, images, network(condition)))

    start = restore.train("hole", images, rate=2e-3, steps=2, **options)[0]
    network, watched = restore.train("hole", images, rate=2e-3, steps=60, at=(20, 60), watch=error, **options)
    assert error(network) < 0.7 * error(start)
    assert len(watched) == 2 and watched[1] == pytest.approx(error(network))


def test_all_arms_start_from_the_same_weights_and_see_the_same_damage(images, monkeypatch):
    damage, seen = restore.damage, []
    monkeypatch.setattr(restore, "damage", lambda *given: seen.append(damage(*given)) or seen[-1])
    networks = [restore.train("noise", images, rate=1e-9, steps=2, **loss)[0] for loss in restore.LOSSES.values()]
    for network in networks[1:]:
        for one, other in zip(networks[0].get_weights(), network.get_weights(), strict=True):
            np.testing.assert_allclose(one, other, atol=1e-6)
    assert len(seen) == 2 * len(networks) and not np.array_equal(seen[0], seen[1])
    for again in seen[2:]:
        assert any(np.array_equal(again, first) for first in seen[:2])


def test_the_adversarial_part_pulls_towards_what_the_discriminator_calls_original(images, monkeypatch):
    from course_lib.models import keras, layers

    def judge(size):  # the brighter an image, the more it looks like an original
        condition, image = layers.Input((size, size, 2)), layers.Input((size, size, 1))
        pooled = layers.AveragePooling2D(16)(image)
        return keras.Model([condition, image], layers.Conv2D(1, 1, kernel_initializer="ones")(pooled))

    monkeypatch.setattr(restore, "patch_discriminator", judge)
    condition = restore.exam(images, "upscale")
    means = [
        float(restore.train("upscale", images, rate=1e-3, steps=20, weight=weight)[0](condition).numpy().mean())
        for weight in (0, 20)
    ]
    assert means[1] > means[0] + 0.05


# ---- patients


def test_rows_and_holes_of_healthy_and_of_patients_with_a_mass():
    label = np.repeat([1, 0, 2, 1, 0], 4)  # five patients with four slices
    split = SimpleNamespace(targets={"label": label})
    assert experiment.healthy_and_mass(split).tolist() == [*range(4, 8), *range(16, 20), *range(4), *range(12, 16)]
    assert experiment.healthy_and_mass(split, (1, 1)).tolist() == [*range(4, 8), *range(4)]
    assert experiment.healthy_and_mass(split, (0, 2)).tolist() == [*range(4), *range(12, 16)]


def test_a_hole_lies_over_the_mass_and_in_the_healthy_where_another_has_one():
    masks = np.zeros((4, 32, 32), bool)
    masks[2, 10:13, 20:23] = masks[3, 5:8, 6:9] = True
    centres = restore.hole_centres(masks, masks.any((1, 2)))
    assert centres.tolist() == [[11, 21], [6, 7], [11, 21], [6, 7]]
    with pytest.raises(ValueError, match="not 1 and 3"):
        restore.hole_centres(masks, np.arange(4) == 2)


def test_how_much_of_a_mass_shows_beside_its_hole():
    """What the lesson says before its count of lost masses: about half reach beyond the hole, with at most .27 of their pixels."""
    exams, _, masks, _ = experiment.second_exams(False)
    hole, ill = exams["hole"][..., 1] > 0, masks.any((1, 2))
    beside = (masks & ~hole).sum((1, 2))[ill] / masks.sum((1, 2))[ill]
    assert 0.45 < (beside > 0).mean() < 0.55 and beside.max() == pytest.approx(0.27, abs=0.005)


def test_the_best_setting_is_that_with_the_highest_psnr(images):
    condition = restore.whole(images + 0.1)
    darker = experiment.family([0.0, 0.05, 0.1, 0.2], lambda by, d, m: d - by)
    best, tried = experiment.best_setting(darker, images, condition)
    assert best == 0.1 and tried[0.0] == pytest.approx(20, abs=0.01) and len(tried) == 4
    assert experiment.best_setting(experiment.family([0], lambda s, d, m: d), images, condition) == (0, {})


# ---- rates


def test_what_is_not_finite_is_never_the_best_rate():
    assert restore.criterion("hole, L1", {"val": 20, "kid": np.nan}) == 20
    assert restore.criterion("hole, L1", {"val": np.nan, "kid": 0}) == -np.inf
    assert restore.criterion("hole, L1 + 0.5 adversarial", {"val": 20, "kid": np.nan}) == -np.inf
    assert restore.criterion("hole, L1 + 0.5 adversarial", {"val": np.nan, "kid": 0.3}) == -0.3


def table(**values):
    return {rate: {"val": value, "kid": -value} for rate, value in values.items()}


@pytest.mark.parametrize("name", ["hole, L1", "hole, L1 + 0.5 adversarial"])
def test_the_list_of_rates_grows_until_the_best_is_inside(name):
    assert restore.beyond(name, table(**{"0.001": 1, "0.003": 3, "0.01": 2})) == []
    assert restore.beyond(name, table(**{"0.001": 3, "0.003": 2, "0.01": 1})) == [0.0003]
    assert restore.beyond(name, table(**{"0.001": 1, "0.003": 2, "0.01": 3})) == [0.03]
    assert restore.beyond(name, table(**{"3e-05": 9, "0.0001": 3, "0.0003": 2})) == []  # nothing below to be tried


def test_the_best_rate_is_that_of_the_mean_and_not_at_an_end(monkeypatch):
    runs = {
        0: {"hole, L1": table(**{"0.001": 1, "0.003": 5, "0.01": 3})},
        1: {"hole, L1": table(**{"0.001": 1, "0.003": 2, "0.01": 4, "0.03": 0})},
    }
    monkeypatch.setattr(results, "load", lambda path: runs)
    assert restore.on_validation("hole, L1") == {0.001: 1, 0.003: 3.5, 0.01: 3.5}
    runs[1]["hole, L1"]["0.01"] = {"val": 6}
    assert restore.best_rate("hole, L1") == 0.01
    del runs[1]["hole, L1"]["0.03"]
    with pytest.raises(ValueError, match="hole, L1 is best at 0.01, an end"):
        restore.best_rate("hole, L1")


def test_the_lower_rate_is_that_of_the_loss_whose_best_is_lower(monkeypatch):
    rates = "0.0003", "0.001", "0.003", "0.01"
    best = {
        "hole, L1": "0.003",
        f"hole, {restore.STRONG}": "0.001",
        "noise, L1": "0.001",
        f"noise, {restore.STRONG}": "0.003",
    }
    runs = {0: {name: table(**{rate: float(rate == at) for rate in rates}) for name, at in best.items()}}
    monkeypatch.setattr(results, "load", lambda path: runs)
    assert (
        restore.best_rate(f"hole, {restore.STRONG}, {restore.LONG}")
        == restore.best_rate(f"hole, {restore.STRONG}")
        == 0.001
    )
    assert (
        restore.best_rate(f"hole, L1, {restore.LOWER}")
        == restore.best_rate(f"hole, {restore.STRONG}, {restore.LOWER}")
        == 0.001
    )
    assert (
        restore.best_rate(f"noise, {restore.STRONG}, {restore.LOWER}")
        == 0.001
        < restore.best_rate(f"noise, {restore.STRONG}")
    )


# ---- what is said of stored runs


@pytest.fixture
def made(monkeypatch):
    """Stored arrays whose results are known: 40 patients with four slices, five seeds."""
    rng = np.random.default_rng(0)
    label = np.repeat(np.arange(40) % 2, 4).astype(np.uint8)
    sums = np.tile([4.0, 3.0, 9.0], (40, 1))
    classical = {
        "label": label,
        "patient": np.repeat(np.arange(40), 4),
        "who": np.repeat(np.arange(40), 4),
        "size": 40 * label,
        "intact, marked": np.where(label, 30, 0).astype(np.uint8),
        "hole, nothing, marked": np.where(np.arange(160) < 16, 20, 2).astype(np.uint8),
        "noise, nothing, marked": np.where(label, 9, 0).astype(np.uint8),
        "noise, median, psnr": np.full(40, 20, np.float16),
        "noise, median, edges": sums,
        "noise, median, read": label,
    }
    losses = [
        {
            "noise, L1, psnr": (23 + 0.01 * rng.standard_normal(40)).astype(np.float16),
            "noise, L1, edges": sums * [1, 0.5, 1],
            "noise, L1, read": np.where(np.arange(160) % 4, label, 1 - label),
        }
        for _ in range(5)
    ]
    fed = [{"hole, mass only, L1": np.where(label, 30, 7).astype(np.uint8)} for _ in range(5)]
    parts = {"classical": [classical], "losses": losses, "patients": fed}
    monkeypatch.setattr(stored, "_arrays", parts.__getitem__)
    return parts


def test_levels_and_gains_over_seeds_and_patients(made):
    assert stored.each_seed("noise, L1", "psnr").mean() == pytest.approx(23, abs=0.01)
    gain = stored.gain("noise, L1", "noise, median", "psnr")
    assert gain.value == pytest.approx(3, abs=0.01) and gain.above and gain.n == 40
    assert stored.each_seed("noise, median", "accuracy").mean() == 1
    assert stored.gain("noise, L1", "noise, median", "accuracy").value == pytest.approx(-0.25)
    assert stored.each_seed("noise, median", "edge strength").mean() == pytest.approx(0.75)
    assert stored.each_seed("noise, median", "detail").mean() == pytest.approx(1.5)
    assert stored.each_seed("noise, median", "agreement").mean() == pytest.approx(0.5)
    assert stored.gain("noise, L1", "noise, median", "agreement").value == pytest.approx(-0.25)


def test_networks_of_a_seed_are_compared_seed_by_seed(made):
    rng = np.random.default_rng(1)
    for run in made["losses"]:
        luck = 3 * rng.standard_normal()  # of the seed's patients, shared by its networks
        run["noise, L1, psnr"] = 23 + luck + 0.01 * rng.standard_normal(40)
        run["noise, L2, psnr"] = run["noise, L1, psnr"] + 0.1 + 0.01 * rng.standard_normal(40)
        run["noise, L2, edges"] = run["noise, L1, edges"] * [1, 1.2, 1]
    gain = stored.gain("noise, L2", "noise, L1", "psnr")
    assert gain.value == pytest.approx(0.1, abs=0.01) and gain.above and gain.high < 0.2
    change = stored.each_seed("noise, L2", "agreement") - stored.each_seed("noise, L1", "agreement")
    assert stored.gain("noise, L2", "noise, L1", "agreement").value == pytest.approx(change.mean())


def test_masses_that_are_found_without_the_filling_do_not_count(made):
    event, patient = stored.events("hole, mass only, L1", "lost")
    assert event.shape == (5, 80 - 8) and not event.any() and set(patient) == set(range(5, 40, 2))
    lost = stored.invented("hole, mass only, L1", "lost")
    assert lost.value == 0 and lost.low == 0 and lost.high > 0.1 and lost.n == 18
    assert stored.invented("hole, nothing", "lost").value == 1
    noisy, patient = stored.events("noise, nothing", "lost")  # nothing is hidden there: all masses count
    assert noisy.shape == (3, 80) and noisy.all() and set(patient) == set(range(1, 40, 2))
    grown = stored.invented("hole, mass only, L1", "grown")
    assert grown.value == 1 and grown.high == 1 and grown.low < 0.9 and grown.n == 20
    assert stored.more_invented("hole, mass only, L1", "hole, nothing", "grown").value == pytest.approx(0.9)


# ---- stored files


def test_what_is_stored_is_small_and_whole():
    folder = results.LESSONS / "restoration" / "results"
    assert sum(path.stat().st_size for path in folder.iterdir()) < 2_000_000
    for part, seeds in experiment.RUNS.items():
        assert sorted(results.load(f"restoration/{part}")) == list(seeds)
    for part, names in {
        "losses": [f"{task}, {loss}" for task in restore.TASKS for loss in restore.SHOWN],
        "patients": [f"{task}, {diet}" for task in ("noise", "hole") for diet in restore.DIETS],
    }.items():
        for name in names:
            weights = restore.stored_restorer(part, name).get_weights()
            assert all(np.isfinite(weight).all() for weight in weights)


def test_every_arm_was_trained_at_its_best_rate_and_has_its_answers():
    for seed, rows in results.load("restoration/losses").items():
        assert rows.keys() == {*restore.ARMS, *restore.AGAIN}
        arrays = results.arrays("restoration/losses", seed)
        for name, row in rows.items():
            assert row["rate"] == restore.best_rate(name)
            assert arrays[f"{name}, psnr"].astype(float).mean() == pytest.approx(row["psnr"], abs=0.02)
    for seed, rows in results.load("restoration/patients").items():
        assert rows.keys() == set(restore.FED) == results.arrays("restoration/patients", seed).keys()


def panels(draw, **values):
    figure = Figure(figsize=(11, 3.4), layout="constrained")
    draw(figure, **values)
    return [np.asarray(ax.images[0].get_array()) for ax in figure.axes[:4]]


@pytest.mark.parametrize("loss", [explorers.CLASSICAL, *restore.SHOWN])
@pytest.mark.parametrize("damage", explorers.DAMAGES)
def test_the_explorer_shows_restored_minus_truth(damage, loss):
    truth, damaged, restored, difference = panels(
        explorers._draw_restorers, image="infarct, patient B", damage=damage, loss=loss, sigma=0.1, row=14, column=12
    )
    assert np.allclose(difference, restored - truth, atol=1e-6)
    assert restored.min() >= 0 and restored.max() <= 1
    error = [np.abs(picture - truth).mean() for picture in (damaged, restored)]
    assert error[1] < error[0]
    if damage == "a hole":
        hole = damaged != truth
        assert hole.sum() <= restore.HOLE**2 and np.allclose(restored[~hole], truth[~hole], atol=1e-6)


def test_the_explorers_name_their_slices_rightly():
    test = data.load("brain-lesions", size=32).test
    images, masks = explorers._examples()
    for name, image, mask in zip(explorers._IMAGES, images, masks, strict=True):
        (row,) = np.flatnonzero((test.x == image).all((1, 2, 3)))
        assert name.startswith(explorers.CLASSES[test.targets["label"][row]])
        assert np.array_equal(mask, test.masks[row]) and mask.any() == (not name.startswith("healthy"))


def test_the_training_sets_explorer_draws_different_fillings():
    options = {"image": "mass, patient A", "damage": "a hole", "sigma": 0.2, "row": 20, "column": 21}
    pictures = [panels(explorers._draw_training_sets, diet=diet, **options)[2] for diet in restore.DIETS]
    assert not np.allclose(pictures[0], pictures[2], atol=0.01)


def restored(part, image, damage, which, sigma, row, column):
    """Truth, restored slice (32, 32) and the pixels that count, as an explorer has them."""
    task = explorers.DAMAGES[damage]
    truth, condition, lesion = explorers._damaged(image, task, sigma, row, column)
    picture = np.clip(explorers._network(part, f"{task}, {which}")(condition).numpy(), 0, 1)
    return truth[0, ..., 0], picture[0, ..., 0], condition[0, ..., 1] > 0, lesion


def test_what_one_should_have_seen_of_the_losses():
    def far_apart(damage, sigma=0.1):
        found = [restored("losses", "mass, patient A", damage, loss, sigma, 21, 21) for loss in restore.SHOWN]
        where = found[0][2]
        return [np.abs(a[1] - b[1])[where].mean() for a, b in [found[:2], found[::2], found[1:]]]

    assert min(far_apart("a hole")) > 0.03 and max(far_apart("a hole")) < 0.05
    for damage in ("noise", "half the resolution"):
        assert min(far_apart(damage)) > 0.005 and max(far_apart(damage)) < 0.025
    strong = {}
    for sigma in (0.1, 0.3):
        truth, *pictures, mask, _ = restored("losses", "mass, patient A", "noise", restore.STRONG, sigma, 0, 0)
        sums = restore.products(*(part[None, ..., None] for part in (truth, *pictures, mask)))
        strong[sigma] = restore.detail(sums), restore.agreement(sums)
    assert strong[0.3][0] == pytest.approx(1, abs=0.06) and strong[0.1][1] > 0.84 and strong[0.3][1] < 0.68
    for loss in restore.SHOWN:
        truth, picture, _, lesion = restored("losses", "mass, patient A", "a hole", loss, 0.1, 21, 21)
        assert 0.055 < (picture - truth)[lesion].mean() < 0.095


def test_what_one_should_have_seen_of_the_training_sets():
    def change(image, diet, row, column):
        truth, picture, mask, lesion = restored("patients", image, "a hole", diet, 0.2, row, column)
        return (picture - truth)[lesion if lesion.any() else mask].mean()

    assert change("mass, patient A", "healthy only", 20, 21) == pytest.approx(0.06, abs=0.006)
    assert change("healthy, patient A", "mass only", 12, 10) == pytest.approx(-0.07, abs=0.006)
    assert change("healthy, patient A", "healthy only", 12, 10) == pytest.approx(-0.02, abs=0.006)
    for diet in ("healthy only", "mass only"):
        assert change("healthy, patient A", diet, 20, 21) == pytest.approx(0.01, abs=0.006)
