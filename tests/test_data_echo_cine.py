"""The simulated clips: that the targets are exact, that one frame does not tell them, and that the cache is sound."""

import numpy as np
import pytest
from scipy import ndimage

from course_lib import data
from course_lib.data import echo_cine

TINY = {"train": 4, "val": 2, "test": 2}
# Mean grey level, and mean difference between neighbouring frames, of the first two training patients of seed 0.
GOLDEN = ((32.1349, 4.8518), (44.9831, 5.653))
TIMES = np.arange(echo_cine.FRAMES) / echo_cine.FRAMES_PER_SECOND


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    """A dataset of 8 patients in a cache of its own."""
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path))
    monkeypatch.setattr(echo_cine, "PATIENTS", TINY)
    return tmp_path


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COURSE_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setattr(echo_cine, "PATIENTS", {"train": 120, "val": 4, "test": 4})
        return data.load("echo-cine", seed=7)


@pytest.fixture(scope="module")
def many():
    """Patients, not drawn: enough to compare distributions."""
    return [echo_cine.draw_patient(number % 2, (5, 0, number)) for number in range(600)]


def splits(dataset):
    return {"train": dataset.train, "val": dataset.val, "test": dataset.test}


def still(rhythm, seed, fraction):
    """A patient's clip as it is, and as if the ventricle kept `fraction` of its largest volume: nothing else differs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(echo_cine.Patient, "relative_volume", lambda self, times: np.full(len(times), fraction))
        return echo_cine.simulate_patient(rhythm, seed)[0]


def test_shapes_types_and_provenance(dataset):
    assert dataset.class_names == ("regular", "irregular")
    text = str(dataset)
    assert dataset.simulated is True and dataset.licence in text and "clips 48 × 48 × 48 × 1" in text
    assert "120 clips of 120 patients" in text
    assert echo_cine.FRAMES / echo_cine.FRAMES_PER_SECOND == echo_cine.SECONDS == 4
    for split in splits(dataset).values():
        n = len(split)
        assert split.masks is None
        assert split.x.shape == (n, 48, 48, 48, 1) and split.x.dtype == np.float32
        assert split.x.min() == 0 and 0.5 < split.x.max() <= 1
        assert split.groups.shape == (n,) and all(values.shape == (n,) for values in split.targets.values())


def test_no_patient_is_in_two_splits_and_numbers_do_not_tell_the_rhythm(dataset):
    ids = np.concatenate([split.groups for split in splits(dataset).values()])
    assert sorted(ids - ids.min()) == list(range(128))  # each seed has numbers of its own
    for split in splits(dataset).values():
        assert np.bincount(split.targets["rhythm"]).tolist() == [len(split) // 2] * 2
    assert 0.3 < dataset.train.targets["rhythm"][dataset.train.groups % 2 == 0].mean() < 0.7


def test_ejection_fraction_is_that_of_the_volumes_and_of_the_contour(dataset):
    targets = dataset.train.targets
    largest, smallest = targets["end_diastolic_volume"], targets["end_systolic_volume"]
    np.testing.assert_allclose(targets["ejection_fraction"], 100 * (largest - smallest) / largest, rtol=1e-5)
    assert targets["ejection_fraction"].min() >= 20 and targets["ejection_fraction"].max() <= 75
    assert np.ptp(targets["ejection_fraction"]) > 50
    for number, patient in enumerate(echo_cine.patients("train", n_patients=5, seed=7)):
        moments = np.linspace(0, echo_cine.SECONDS, 2001)
        volumes = []
        for volume in (patient.relative_volume(moments).max(), patient.relative_volume(moments).min()):
            along, across = patient.contour(volume).T
            area = np.trapezoid(across[: len(along) // 2], along[: len(along) // 2]) * 2  # another way to the area
            volumes.append(8 * area**2 / (3 * np.pi * along.max()))
        assert 100 * (1 - volumes[1] / volumes[0]) == pytest.approx(targets["ejection_fraction"][number], abs=0.02)


def test_area_length_formula():
    # A sphere, and an ellipsoid of revolution with half axes 3, 3 and 5.
    assert echo_cine.area_length_volume(np.pi * 4, 4) == pytest.approx(4 / 3 * np.pi * 8)
    assert echo_cine.area_length_volume(np.pi * 3 * 5, 10) == pytest.approx(4 / 3 * np.pi * 3 * 3 * 5)


def test_every_beat_reaches_the_largest_and_the_smallest_volume(many):
    for patient in many[:60]:
        beats = patient.beats[(patient.beats >= 0)]
        for begin, end in zip(beats, beats[1:], strict=False):
            if end <= echo_cine.SECONDS:
                volume = patient.relative_volume(np.linspace(begin, end, 400, endpoint=False))
                assert volume.max() == pytest.approx(1, abs=1e-6)
                assert volume.min() == pytest.approx(1 - patient.ejection_fraction / 100, abs=1e-3)
                assert np.abs(np.diff(volume)).max() < 0.05, "no jump"


def test_the_picture_follows_the_contour():
    """The dark cavity has the size of the contour: its edge moves as the contour's does."""
    for seed in ((1, 0, 1), (1, 0, 3), (1, 0, 8)):
        patient = echo_cine.draw_patient(0, seed)
        volumes = np.array([1.0, 0.8, 0.6])
        areas = []
        for volume in volumes:
            frame = ndimage.gaussian_filter(still(0, seed, volume).mean(0), 0.5)
            areas.append((frame[8:36, 14:38] < np.percentile(frame[8:36, 14:38], 50)).sum())
        brightness = [still(0, seed, volume)[:, 14:30, 20:32].mean() for volume in volumes]
        assert brightness == sorted(brightness), (
            f"the smaller the cavity, the more wall in the middle ({patient.frame})"
        )


def test_rhythm_shows_in_the_beats_and_in_nothing_else(many):
    spread = np.array([np.std(np.log(np.diff(p.beats[(p.beats > 0) & (p.beats < echo_cine.SECONDS)]))) for p in many])
    rhythm = np.array([patient.rhythm for patient in many])
    assert spread[rhythm == 0].max() < 0.1 < 0.14 < spread[rhythm == 1].min()
    for name in ("ejection_fraction", "heart_rate", "contraction", "length", "width", "turn", "view", "longitudinal"):
        values = np.array([getattr(patient, name) for patient in many])
        difference = values[rhythm == 1].mean() - values[rhythm == 0].mean()
        assert abs(difference) < 0.35 * values.std(), name
    # The frames as a set are alike too: how long the ventricle is small.
    small = np.array([np.mean((1 - p.relative_volume(TIMES)) > p.ejection_fraction / 200) for p in many])
    assert abs(small[rhythm == 1].mean() - small[rhythm == 0].mean()) < 0.35 * small.std()
    rate = np.array([patient.heart_rate for patient in many])
    assert 45 < rate.min() < 65 and 100 < rate.max() < 145


def test_one_frame_tells_neither_target(dataset):
    clips = dataset.train.x
    for name in ("ejection_fraction", "rhythm"):
        target = dataset.train.targets[name]
        for value in (clips[:, 0].mean((1, 2, 3)), clips[:, 0].std((1, 2, 3)), clips.mean((1, 2, 3, 4))):
            assert abs(np.corrcoef(value, target)[0, 1]) < 0.3  # 3.3 standard errors with 120 patients
    # The stroke does show, over time.
    middle = clips[:, :, 12:32, 18:36].mean((2, 3, 4))
    assert np.corrcoef(middle.std(1) / middle.mean(1), dataset.train.targets["ejection_fraction"])[0, 1] > 0.6


def test_size_of_the_cavity_over_time_does_not_tell_the_ejection_fraction(many):
    fraction = [patient.ejection_fraction for patient in many]
    typical = [np.median(p.width * p.scales(p.relative_volume(TIMES))[1]) for p in many]
    assert abs(np.corrcoef(fraction, typical)[0, 1]) < 0.3


def test_the_picture_is_a_sector_without_text_and_its_border_stands_still(dataset):
    clips = dataset.train.x[..., 0]
    assert clips[:, :, :4, :12].max() == 0 and clips[:, :, :4, 36:].max() == 0, "text and orientation mark are there"
    dark = (clips == 0).all(axis=1)
    border = ndimage.binary_erosion(dark, np.ones((1, 3, 3)))
    assert border.mean() > 0.1
    # In the sector something is seen in every frame, outside never: the border is where it was.
    seen = (clips > 0.02).mean((2, 3))
    assert np.all(np.ptp(seen, axis=1) < 0.25)


def test_the_same_seed_makes_the_same_patients(tiny):
    first = data.load("echo-cine", seed=3)
    for path in tiny.iterdir():
        path.unlink()
    again, other = data.load("echo-cine", seed=3), data.load("echo-cine", seed=4)
    for a, b in zip(splits(first).values(), splits(again).values(), strict=True):
        np.testing.assert_array_equal(a.x, b.x)
        np.testing.assert_array_equal(a.groups, b.groups)
        for name in a.targets:
            np.testing.assert_array_equal(a.targets[name], b.targets[name])
    assert np.abs(first.train.x - other.train.x).mean() > 0.02
    # One by one and in this thread, a patient is the same as in the dataset.
    clip, patient = echo_cine.simulate_patient(1, (3, 0, 1))
    np.testing.assert_array_equal(np.round(first.train.x[1, ..., 0] * 255), clip)
    assert first.train.targets["heart_rate"][1] == pytest.approx(patient.heart_rate)
    known = echo_cine.patients("test", seed=3)
    assert [p.rhythm for p in known] == first.test.targets["rhythm"].tolist()
    np.testing.assert_allclose([p.ejection_fraction for p in known], first.test.targets["ejection_fraction"], rtol=1e-5)


def test_generated_clips_changed_only_with_the_version():
    """If this fails on purpose, raise echo_cine.VERSION, and run again what `course.py stale` then lists."""
    assert echo_cine.VERSION == 1 and echo_cine.fingerprint() == "c05d24ef"
    for rhythm, (mean, change) in enumerate(GOLDEN):
        clip = echo_cine.simulate_patient(rhythm, (0, 0, rhythm))[0].astype(float)
        assert clip.mean() == pytest.approx(mean, abs=0.02)  # grey levels
        assert np.abs(np.diff(clip, axis=0)).mean() == pytest.approx(change, abs=0.02)


def test_fewer_patients_are_part_of_more(tiny):
    all_, some = data.load("echo-cine"), data.load("echo-cine", n_patients=2)
    assert len(some.train) == 2 and set(some.train.targets["rhythm"]) == {0, 1}
    np.testing.assert_array_equal(some.train.x, all_.train.x[:2])
    np.testing.assert_array_equal(some.val.x, all_.val.x)
    np.testing.assert_array_equal(some.test.groups, all_.test.groups)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"size": 64}, "48 pixels only, not 64"),
        ({"n_patients": 1}, "n_patients is 1, .*at least 2"),
        ({"n_patients": 601}, "n_patients is 601, .*600 training patients"),
        ({"n_patients": 8.0}, "n_patients is 8.0"),
        ({"n_test": 500}, "n_test is 500, .*always has 240 test patients"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": True}, "seed is True"),
    ],
)
def test_wrong_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        data.load("echo-cine", **options)


def test_unknown_split_is_named():
    with pytest.raises(ValueError, match="no split called 'validation'.*train, val, test"):
        echo_cine.patients("validation")


def test_second_load_reads_the_cache(tiny, monkeypatch):
    first = data.load("echo-cine")
    assert len(list(tiny.iterdir())) == 1
    monkeypatch.setattr(echo_cine, "_simulate_all", None)  # fails if it is called
    np.testing.assert_array_equal(data.load("echo-cine", size=48).test.x, first.test.x)


def test_a_changed_generator_reads_no_old_cache(tiny, monkeypatch):
    data.load("echo-cine")
    monkeypatch.setattr(echo_cine, "SOURCE_HASH", "0" * 8)
    monkeypatch.setattr(echo_cine, "_simulate_all", lambda *_: pytest.fail("made anew"))
    with pytest.raises(pytest.fail.Exception, match="made anew"):
        data.load("echo-cine")


def flip_one_bit(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 1  # a pixel: the file can still be read, but shows something else
    path.write_bytes(content)


@pytest.mark.parametrize(
    "damage",
    [
        flip_one_bit,
        lambda path: path.write_bytes(path.read_bytes()[:-5000]),
        lambda path: np.savez(path, clips=np.zeros((3, 48, 48, 48), np.uint8)),
        lambda path: path.write_bytes(b""),
    ],
)
def test_damaged_cache_is_made_again(tiny, damage):
    first = data.load("echo-cine")
    (path,) = tiny.iterdir()
    good = path.stat().st_size
    damage(path)
    np.testing.assert_array_equal(data.load("echo-cine").train.x, first.train.x)
    assert path.stat().st_size == good, "the damaged file was replaced"


def test_without_a_place_for_the_cache_it_works_and_says_so(tiny, monkeypatch):
    (tiny / "file").touch()
    monkeypatch.setenv("COURSE_CACHE", str(tiny / "file" / "cache"))
    with pytest.warns(UserWarning, match="echo-cine could not be kept"):
        assert len(data.load("echo-cine").train) == 4
