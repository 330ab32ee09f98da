"""The simulated dataset: what is in it, that it teaches, and that its cache can be trusted."""

import subprocess
import sys
import warnings

import numpy as np
import pytest
from scipy import ndimage

from course_lib import ROOT, data
from course_lib.data import brain_lesions
from course_lib.data.base import Parts

TINY = {"train": 8, "val": 4, "test": 4}
# Mean grey level and lesion pixels of the first training patient of each class, seed 0, 64 pixels.
GOLDEN = ((66.4524, 0), (83.7984, 670), (56.6031, 284), (47.7052, 479))


@pytest.fixture(scope="module", autouse=True)
def template():
    """The template is prepared once for all tests of this file."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(brain_lesions._atlas, "cache_clear", lambda: None)
        yield
    brain_lesions._atlas.cache_clear()


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    """A dataset of 16 patients in a cache of its own."""
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path))
    monkeypatch.setattr(brain_lesions, "PATIENTS", TINY)
    return tmp_path


@pytest.fixture(scope="module")
def dataset(tmp_path_factory, template):
    """Enough patients to train a linear model on."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COURSE_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setattr(brain_lesions, "PATIENTS", {"train": 200, "val": 8, "test": 100})
        return data.load("brain-lesions", seed=7)


def splits(dataset):
    return {"train": dataset.train, "val": dataset.val, "test": dataset.test}


def flat(split):
    return split.x.reshape(len(split), -1)


def test_shapes_types_and_provenance(dataset):
    assert dataset.class_names == ("healthy", "mass", "white-matter lesions", "infarct")
    assert dataset.simulated is True and "simulated" in str(dataset) and dataset.licence in str(dataset)
    for split in splits(dataset).values():
        n = len(split)
        assert split.x.shape == (n, 64, 64, 1) and split.x.dtype == np.float32
        assert split.x.min() >= 0 and 0.5 < split.x.max() <= 1
        assert split.masks.shape == (n, 64, 64) and split.masks.dtype == bool
        assert split.groups.shape == (n,) and all(values.shape == (n,) for values in split.targets.values())


def test_no_patient_is_in_two_splits_and_each_has_one_class(dataset):
    patients = {name: set(split.groups.tolist()) for name, split in splits(dataset).items()}
    assert len(set.union(*patients.values())) == sum(len(ids) for ids in patients.values()) == 200 + 8 + 100
    for split in splits(dataset).values():
        ids, label = split.groups, split.targets["label"]
        classes = {patient: set(label[ids == patient].tolist()) for patient in np.unique(ids)}
        assert all(len(found) == 1 for found in classes.values())
        counts = np.bincount([found.pop() for found in classes.values()], minlength=4)
        assert counts.max() == counts.min() > 0
        assert np.all(np.bincount(ids)[np.unique(ids)] == brain_lesions.SLICES)


def test_patient_numbers_do_not_tell_the_class(dataset):
    ids, label = dataset.train.groups, dataset.train.targets["label"]
    for modulus in (2, 4, 8):
        for rest in range(modulus):
            share = np.bincount(label[ids % modulus == rest], minlength=4) / np.sum(ids % modulus == rest)
            assert share.max() < 0.5, f"patient number modulo {modulus}"


def test_masks_match_the_labels(dataset):
    for split in (dataset.train, dataset.test):
        label, pixels = split.targets["label"], split.masks.sum(axis=(1, 2))
        assert np.all(pixels[label == 0] == 0)
        assert pixels[label > 0].min() >= 5, "every slice of an ill patient shows the lesion"
        np.testing.assert_allclose(split.targets["lesion_area"], pixels * (208 / 64) ** 2, rtol=1e-5)


def test_masks_lie_on_the_lesions_and_in_the_head(dataset):
    split, label = dataset.test, dataset.test.targets["label"]
    # Noise in the background reaches 0.1; the head is what is brighter once it is smoothed, with its holes.
    smooth = ndimage.gaussian_filter(split.x[..., 0], (0, 1, 1))
    head = np.stack([ndimage.binary_fill_holes(slice_ > 0.13) for slice_ in smooth])
    head = ndimage.binary_dilation(head, np.ones((1, 3, 3)))
    assert (split.masks & ~head).sum() / split.masks.sum() < 0.002
    near = ndimage.binary_dilation(split.masks, np.ones((1, 7, 7))) & ~ndimage.binary_dilation(
        split.masks, np.ones((1, 3, 3))
    )
    for name, number in (("white-matter lesions", 2), ("infarct", 3)):
        darker = [
            np.median(image[mask]) < 0.95 * np.median(image[ring & inside])
            for image, mask, ring, inside in zip(
                split.x[label == number, ..., 0],
                split.masks[label == number],
                near[label == number],
                (head & (smooth > 0.2))[label == number],
                strict=True,
            )
        ]
        assert np.mean(darker) > 0.95, f"{name}: the mask is not on the dark spot"


def test_infarcts_reach_the_cortex_and_white_matter_lesions_do_not(dataset):
    split, label = dataset.test, dataset.test.targets["label"]
    smooth = ndimage.gaussian_filter(split.x[..., 0], (0, 1, 1))
    outside = np.stack([~ndimage.binary_fill_holes(slice_ > 0.13) for slice_ in smooth])
    distance = np.stack([ndimage.distance_transform_edt(~slice_) for slice_ in outside]) * 208 / 64  # mm
    nearest = np.array([d[m].min() if m.any() else np.inf for d, m in zip(distance, split.masks, strict=True)])
    assert np.mean(nearest[label == 3] < 8) > 0.9
    assert np.mean(nearest[label == 2] > 6) > 0.9


def test_brightness_noise_and_position_do_not_tell_the_class(dataset):
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.metrics import balanced_accuracy_score

    def features(split):
        corner = split.x[:, :6, :6]
        columns = [split.x.mean((1, 2, 3)), split.x.std((1, 2, 3)), corner.mean((1, 2, 3))]
        return np.stack([*columns, corner.std((1, 2, 3)), split.targets["slice_position"]], axis=1)

    forest = RandomForestClassifier(200, min_samples_leaf=5, random_state=0)
    forest.fit(features(dataset.train), dataset.train.targets["label"])
    guess = forest.predict(features(dataset.test))
    assert balanced_accuracy_score(dataset.test.targets["label"], guess) < 0.36  # chance is 0.25


@pytest.mark.slow
def test_a_linear_model_stays_low_and_a_split_by_slice_leaks(dataset):
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import balanced_accuracy_score
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    train, test = dataset.train, dataset.test
    linear = make_pipeline(StandardScaler(), LogisticRegression(C=1e-3, max_iter=100))
    linear.fit(flat(train), train.targets["label"])
    assert balanced_accuracy_score(test.targets["label"], linear.predict(flat(test))) < 0.45

    neighbour = KNeighborsClassifier(1)
    by_patient = neighbour.fit(flat(train), train.targets["label"]).score(flat(test), test.targets["label"])
    odd = np.arange(len(train)) % 2 == 1  # neighbouring slices of the same patients
    neighbour.fit(flat(train)[odd], train.targets["label"][odd])
    by_slice = neighbour.score(flat(train)[~odd], train.targets["label"][~odd])
    assert by_slice > by_patient + 0.3


def test_the_same_seed_makes_the_same_patients(tiny):
    first = data.load("brain-lesions", seed=3)
    for path in tiny.iterdir():
        path.unlink()
    again, other = data.load("brain-lesions", seed=3), data.load("brain-lesions", seed=4)
    for a, b in zip(splits(first).values(), splits(again).values(), strict=True):
        np.testing.assert_array_equal(a.x, b.x)
        np.testing.assert_array_equal(a.masks, b.masks)
        np.testing.assert_array_equal(a.groups, b.groups)
    assert np.abs(first.train.x - other.train.x).mean() > 0.02
    # One by one and in this thread, a patient is the same as in the dataset.
    images, masks, position = brain_lesions.simulate_patient(1, (3, 0, 1), 64)
    np.testing.assert_array_equal(np.round(first.train.x[4:8, ..., 0] * 255), images)
    np.testing.assert_array_equal(first.train.masks[4:8], masks)
    np.testing.assert_allclose(first.train.targets["slice_position"][4:8], position, rtol=1e-6)


def test_generated_images_changed_only_with_the_version():
    """If this fails on purpose, raise brain_lesions.VERSION, and run again what `course.py stale` then lists."""
    assert brain_lesions.VERSION == 2 and brain_lesions.fingerprint() == "b4529e36"
    for label, (mean, pixels) in enumerate(GOLDEN):
        images, masks, _ = brain_lesions.simulate_patient(label, (0, 0, label), 64)
        assert images.mean() == pytest.approx(mean, abs=0.02)  # grey levels
        assert abs(int(masks.sum()) - pixels) <= 2


def test_sizes_show_the_same_patients(tiny):
    middle, small, large = (data.load("brain-lesions", size=size) for size in (64, 32, 128))
    assert small.train.x.shape[1:] == (32, 32, 1) and large.train.x.shape[1:] == (128, 128, 1)
    halved = large.train.x.reshape(-1, 64, 2, 64, 2).mean((2, 4))
    for one, two in zip(halved, middle.train.x[..., 0], strict=True):
        assert np.corrcoef(one.ravel(), two.ravel())[0, 1] > 0.97
    covered = large.train.masks.reshape(-1, 64, 2, 64, 2).mean((2, 4)) > 0.5
    assert (covered & middle.train.masks).sum() > 0.85 * (covered | middle.train.masks).sum()
    for split in (small.train, large.train):
        ill = split.targets["label"] > 0
        assert np.all(split.masks.any((1, 2)) == ill)
        np.testing.assert_array_equal(split.targets["label"], middle.train.targets["label"])
        np.testing.assert_array_equal(split.groups, middle.train.groups)
    np.testing.assert_allclose(small.train.x.mean(), middle.train.x.mean(), rtol=1e-4)


def test_fewer_patients_are_part_of_more(tiny):
    all_, some = data.load("brain-lesions"), data.load("brain-lesions", n_patients=4)
    assert len(np.unique(some.train.groups)) == 4 and set(some.train.targets["label"]) == {0, 1, 2, 3}
    np.testing.assert_array_equal(some.train.x, all_.train.x[: len(some.train)])
    np.testing.assert_array_equal(some.val.x, all_.val.x)
    np.testing.assert_array_equal(some.test.groups, all_.test.groups)


def test_more_patients_go_on_where_the_usual_ones_end(tiny, monkeypatch):
    monkeypatch.setattr(brain_lesions, "BLOCK", 4)
    usual, more = data.load("brain-lesions", seed=2), data.load("brain-lesions", seed=2, n_patients=14, n_test=6)
    for name, count in (("train", 14), ("val", 4), ("test", 6)):
        few, many = splits(usual)[name], splits(more)[name]
        assert len(many) == len(many.masks) == count * brain_lesions.SLICES == 4 * len(np.unique(many.groups))
        for shorter, longer in (
            (few.x, many.x),
            (few.masks, many.masks),
            (few.groups, many.groups),
            *((few.targets[key], many.targets[key]) for key in few.targets),
        ):
            np.testing.assert_array_equal(shorter, longer[: len(shorter)])
    # The patient after the usual ones, of another block, is that of his own number.
    images, masks, position = brain_lesions.simulate_patient(13 % 4, (2, 0, 13), 64)
    np.testing.assert_array_equal(np.round(more.train.x[-4:, ..., 0] * 255), images)
    np.testing.assert_array_equal(more.train.masks[-4:], masks)
    np.testing.assert_allclose(more.train.targets["slice_position"][-4:], position, rtol=1e-6)
    assert list(more.train.targets["label"][::4]) == [number % 4 for number in range(14)]
    np.testing.assert_array_equal(
        np.round(more.test.x[-4:, ..., 0] * 255), brain_lesions.simulate_patient(1, (2, 2, 5), 64)[0]
    )
    assert len({image.tobytes() for split in splits(more).values() for image in split.x}) == 24 * brain_lesions.SLICES


def test_smaller_tests_are_part_of_larger_ones(tiny):
    few, usual = data.load("brain-lesions", n_test=4, n_patients=4), data.load("brain-lesions")
    np.testing.assert_array_equal(few.test.groups, usual.test.groups[:16])
    np.testing.assert_array_equal(few.test.x, usual.test.x[:16])


def test_no_patient_number_occurs_twice_over_splits_and_seeds(tiny, monkeypatch):
    monkeypatch.setattr(brain_lesions, "BLOCK", 4)
    seen = [
        set(split.groups.tolist())
        for seed in range(3)
        for split in splits(data.load("brain-lesions", seed=seed, n_patients=14, n_test=6)).values()
    ]
    assert len(set.union(*seen)) == sum(map(len, seen)) == 3 * 24


def test_patient_numbers_have_room_for_the_largest_sets():
    parts = Parts("brain-lesions", brain_lesions.PATIENTS, brain_lesions.MORE, brain_lesions.BLOCK, "class")
    (first, more), (again, _) = parts.numbers(1), parts.numbers(0)
    most = max(brain_lesions.MORE.values())
    assert again.tolist() == np.random.default_rng([0, 99]).permutation(880).tolist(), "stored results name these"
    assert len(first) == 880 and len(more) == 3 * most and len({*first, *more, *again}) == 2 * 880 + 3 * most


@pytest.mark.parametrize(
    "options, message",
    [
        ({"size": 48}, "32, 64, 128 pixels, not 48"),
        ({"size": "64"}, "32, 64, 128 pixels, not '64'"),
        ({"n_patients": 3}, "n_patients is 3, .*at least 4"),
        ({"n_patients": 2401}, "n_patients is 2401, .*up to 2400 training patients"),
        ({"n_test": 1361}, "n_test is 1361, .*up to 1360 test patients"),
        ({"n_test": 3}, "n_test is 3, .*at least 4"),
        ({"n_test": True}, "n_test is True"),
        ({"seed": 10**9 + 1}, "seed is 1000000001, .*from 0 to 1,000,000,000"),
        ({"n_patients": 8.0}, "n_patients is 8.0"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": None}, "seed is None"),
        ({"seed": True}, "seed is True"),
    ],
)
def test_wrong_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        data.load("brain-lesions", **options)


def test_second_load_reads_the_cache(tiny, monkeypatch):
    first = data.load("brain-lesions")
    assert len(list(tiny.iterdir())) == 1
    monkeypatch.setattr(brain_lesions, "_simulate_all", lambda *_: pytest.fail("made anew"))
    np.testing.assert_array_equal(data.load("brain-lesions").test.x, first.test.x)


def test_a_changed_generator_reads_no_old_cache(tiny, monkeypatch):
    data.load("brain-lesions")
    monkeypatch.setattr(brain_lesions, "SOURCE_HASH", "0" * 8)
    monkeypatch.setattr(brain_lesions, "_simulate_all", lambda *_: pytest.fail("made anew"))
    with pytest.raises(pytest.fail.Exception, match="made anew"):
        data.load("brain-lesions")


def truncate(path):
    path.write_bytes(path.read_bytes()[:-5000])


def flip_one_bit(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 1  # a pixel: the file can still be read, but shows something else
    path.write_bytes(content)


def other_shape(path):
    np.savez(path, images=np.zeros((3, 64, 64), np.uint8), masks=np.zeros((3, 64, 8), np.uint8), positions=np.zeros(3))


def pickled(path):
    np.savez(path, images=np.array([{}], dtype=object), masks=np.zeros(1), positions=np.zeros(1))


@pytest.mark.parametrize(
    "damage",
    [
        truncate,
        flip_one_bit,
        other_shape,
        pickled,
        lambda path: path.write_bytes(b""),
        lambda path: path.write_text("x"),
    ],
)
def test_damaged_cache_is_made_again(tiny, damage):
    first = data.load("brain-lesions")
    (path,) = tiny.iterdir()
    good = path.stat().st_size
    damage(path)
    np.testing.assert_array_equal(data.load("brain-lesions").train.x, first.train.x)
    assert path.stat().st_size == good, "the damaged file was replaced"


def test_interrupted_write_leaves_nothing_behind(tiny, monkeypatch):
    def interrupted(file, **arrays):
        file.write(b"half a file")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(np, "savez", interrupted)
        with pytest.raises(KeyboardInterrupt):
            data.load("brain-lesions")
    assert list(tiny.iterdir()) == []


def test_without_a_place_for_the_cache_it_works_and_says_so(tiny, monkeypatch):
    (tiny / "file").touch()
    monkeypatch.setenv("COURSE_CACHE", str(tiny / "file" / "cache"))
    with pytest.warns(UserWarning, match="could not be kept"):
        assert len(data.load("brain-lesions").train) == 8 * brain_lesions.SLICES


def test_two_processes_at_once(tiny):
    code = (
        "from course_lib import data; from course_lib.data import brain_lesions; "
        f"brain_lesions.PATIENTS = {TINY}; print(float(data.load('brain-lesions').train.x.sum()))"
    )
    both = [
        subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
        )
        for _ in range(2)
    ]
    answers = [process.communicate(timeout=120) for process in both]
    assert answers[0][0] == answers[1][0] != "", answers
    assert len(list(tiny.iterdir())) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert f"{float(data.load('brain-lesions').train.x.sum())}\n" == answers[0][0]
