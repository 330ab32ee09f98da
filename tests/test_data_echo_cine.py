"""The simulated clips: that the targets are exact, that hearts are related to each other and beats to intervals as stated,
that no anatomy is shared, and that the cache is sound."""

import numpy as np
import pytest
from scipy import ndimage, stats
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import SplineTransformer

from course_lib import data
from course_lib.data import echo_cine

TINY = {"train": 4, "val": 2, "test": 2}
# Mean grey level, and mean difference between neighbouring frames, of the first two training patients of seed 0.
GOLDEN = ((31.4881, 4.736), (44.8552, 5.6284))
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
    assert dataset.note == echo_cine.RULES and "large cavity goes with a low ejection fraction" in text
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


def contour_volume(patient, relative_volume):
    """Area–length volume of a contour; another way to the area than the library's."""
    along, across = patient.contour(relative_volume).T
    half = len(along) // 2
    area = np.trapezoid(across[:half], along[:half]) - np.trapezoid(across[half:][::-1], along[:half])
    return 8 * area**2 / (3 * np.pi * along.max())


def largest_and_smallest(patient, beat):
    """Relative volume at its highest and lowest within one beat, from the curve."""
    begin, end = patient.beats[beat : beat + 2]
    volume = patient.relative_volume(np.linspace(begin, end, 2000, endpoint=False))
    lowest = volume.argmin()
    return volume[: lowest + 1].max(), volume[lowest]


def test_ejection_fraction_is_the_mean_over_the_beats_and_that_of_the_contours(dataset):
    targets = dataset.train.targets
    assert targets["ejection_fraction"].min() >= 20 and targets["ejection_fraction"].max() <= 75
    assert np.ptp(targets["ejection_fraction"]) > 50
    for number, patient in enumerate(echo_cine.patients("train", n_patients=12, seed=7)):
        largest, smallest = np.transpose([largest_and_smallest(patient, beat) for beat in patient.counted])
        large = np.array([contour_volume(patient, volume) for volume in largest])
        small = np.array([contour_volume(patient, volume) for volume in smallest])
        assert targets["ejection_fraction"][number] == pytest.approx(np.mean(100 * (1 - small / large)), abs=0.02)
        assert targets["end_diastolic_volume"][number] == pytest.approx(large.mean(), rel=1e-3)
        assert targets["end_systolic_volume"][number] == pytest.approx(small.mean(), rel=2e-3)


def test_area_length_formula():
    # A sphere, and an ellipsoid of revolution with half axes 3, 3 and 5.
    assert echo_cine.area_length_volume(np.pi * 4, 4) == pytest.approx(4 / 3 * np.pi * 8)
    assert echo_cine.area_length_volume(np.pi * 3 * 5, 10) == pytest.approx(4 / 3 * np.pi * 3 * 3 * 5)


def test_every_beat_falls_from_its_largest_to_its_smallest_volume_and_joins_the_next(many):
    for patient in many[:60]:
        for beat in np.flatnonzero((patient.beats[:-1] >= 0) & (patient.beats[1:] <= echo_cine.SECONDS)):
            largest, smallest = largest_and_smallest(patient, beat)
            assert largest == pytest.approx(patient.filled[beat], abs=1e-6)
            assert smallest == pytest.approx(largest * (1 - patient.fractions[beat]), abs=1e-3)
        whole = patient.relative_volume(np.linspace(0, echo_cine.SECONDS, 4000))
        assert np.abs(np.diff(whole)).max() < 0.02, "no jump"


def test_counted_are_the_beats_whose_extremes_a_frame_can_show(many):
    last = TIMES[-1]
    for patient in many:
        first, final = patient.counted[[0, -1]]
        assert len(patient.counted) >= 2 and np.all(np.diff(patient.counted) == 1)
        assert patient.beats[first - 1] < 0 <= patient.beats[first] and patient.beats[final + 1] > last - 0.31
        assert patient.beats[2] <= 0 < patient.beats[3] and patient.beats[-1] > echo_cine.SECONDS


def beat_fractions(patient):
    """Ejection fraction in percent of each counted beat, read off the curve, and the two intervals before it, in s."""
    pairs = np.array([largest_and_smallest(patient, beat) for beat in patient.counted])
    lengths = np.diff(patient.beats)
    return 100 * (1 - pairs[:, 1] / pairs[:, 0]), lengths[patient.counted - 1], lengths[patient.counted - 2]


def test_an_irregular_heart_ejects_more_after_a_longer_interval_and_a_regular_one_hardly_varies(many):
    spread, slopes, agree = {0: [], 1: []}, [], []
    for patient in many[:200]:
        fractions, before, earlier = beat_fractions(patient)
        spread[patient.rhythm].append(fractions.std(ddof=1))
        if patient.rhythm:
            agree.append(np.corrcoef(fractions, np.log(before / earlier))[0, 1])
            if len(fractions) > 4:  # enough for a plane
                plane = LinearRegression().fit(np.log(np.c_[before, earlier]), fractions)
                slopes.append(plane.coef_)
    assert np.quantile(spread[0], 0.95) < 1 < np.quantile(spread[1], 0.05), "points"
    assert 3 < np.median(spread[1]) < 7
    assert min(agree) > 0.99
    slopes = np.array(slopes)
    assert len(slopes) > 20 and slopes[:, 0].min() > 3 and slopes[:, 1].max() < -3, (
        "up with the last, down with the one before"
    )


def test_after_a_longer_interval_the_ventricle_is_fuller(many):
    for patient in many[1:100:2]:
        filled = [largest_and_smallest(patient, beat)[0] for beat in patient.counted]
        assert stats.spearmanr(filled, np.diff(patient.beats)[patient.counted - 1])[0] == pytest.approx(1)
    assert all(patient.filled.min() > 0.85 and patient.filled.max() < 1.2 for patient in many)
    assert all(patient.fractions.min() > 0.05 and patient.fractions.max() < 0.95 for patient in many)


def test_large_hearts_are_weak_but_size_does_not_say_how_weak(many):
    targets = [patient.targets() for patient in many]
    fraction, diastolic, systolic = (
        np.array([one[f"{name}"] for one in targets])
        for name in ("ejection_fraction", "end_diastolic_volume", "end_systolic_volume")
    )
    for part in (np.s_[:], np.s_[::2], np.s_[1::2]):  # all, regular, irregular
        assert -0.6 < stats.spearmanr(fraction[part], diastolic[part])[0] < -0.4
    assert stats.spearmanr(fraction, systolic)[0] < -0.75  # the end-systolic volume tells more, as in patients
    # At any size there are weak and strong hearts.
    for part in np.array_split(np.argsort(diastolic), 3):
        assert fraction[part].std() > 10


def test_what_the_truth_would_tell_one_who_measured_it_without_error():
    """The oracle and the controls of the datasheet: mean absolute errors in points of ejection fraction, on test patients.

    What a perfect reader of 12 frames a second gets, and one who knows an area alone.
    """

    def measured(patients):
        curves = np.array([patient.relative_volume(TIMES) for patient in patients])
        areas = np.array([np.prod(p.scales(v), 0) * p.length * p.width for p, v in zip(patients, curves, strict=True)])
        end = [np.prod(p.scales(p.filled[p.counted[0]])) * p.length * p.width for p in patients]
        table = {"end-diastolic area": np.array(end), "one frame": areas[:, 0], "mean frame": areas.mean(1)}
        return np.array([patient.ejection_fraction for patient in patients]), curves, table

    train = [echo_cine.draw_patient(number % 2, (6, 0, number)) for number in range(600)]
    test = [echo_cine.draw_patient(number % 2, (6, 2, number)) for number in range(600)]
    (known, _, first), (truth, curves, second) = measured(train), measured(test)
    error = {"median": np.abs(truth - np.median(known)).mean()}
    for name in first:
        model = make_pipeline(SplineTransformer(5), LinearRegression()).fit(first[name][:, None], known)
        error[name] = np.abs(model.predict(second[name][:, None]) - truth).mean()
    frames = []
    for patient, curve in zip(test, curves, strict=True):
        around = [(patient.beats[k] - 1 / 12 < TIMES) & (patient.beats[k + 1] > TIMES) for k in patient.counted]
        frames.append(
            np.mean([100 * (1 - curve[beat].min() / curve[beat][: curve[beat].argmin() + 1].max()) for beat in around])
        )
    low = np.array(frames) - truth
    error["curve at 12 a second"] = np.abs(low).mean()
    assert 13 < error["median"] < 15
    assert 1 < error["curve at 12 a second"] < 2.5 and low.max() < 0.6, (
        "an end of contraction between two frames is missed"
    )
    assert 9 < error["end-diastolic area"] < error["median"] - 1.5
    assert 8 < error["mean frame"] < error["one frame"] < error["median"] - 1.5


def test_each_patient_has_an_anatomy_of_its_own_and_no_two_parts_share_one():
    """Pictures of the hearts before pose, motion and scanner, by the frame that they are made of."""
    warps = {}
    for place, split in enumerate(echo_cine.PATIENTS):
        for patient in echo_cine.patients(split, n_patients=200):
            warps.setdefault(patient.frame, []).append((place, echo_cine._anatomy(patient)))
    assert set(warps) == set(echo_cine.CAVITIES)
    for frame, found in warps.items():
        parts, pictures = np.array([place for place, _ in found]), np.array([picture.ravel() for _, picture in found])
        plain = echo_cine._sources()[frame][0][0:240:2, 50:290:2].ravel()
        own = np.sqrt(np.mean((pictures - plain) ** 2, axis=1))  # how far from the real frame
        apart = np.sqrt(
            np.maximum(np.square(pictures).sum(1)[:, None] + np.square(pictures).sum(1) - 2 * pictures @ pictures.T, 0)
        )
        apart = apart / np.sqrt(pictures.shape[1]) + 1e9 * np.eye(len(parts))
        assert own.min() > 0.005 and apart.min() > 0.6 * own.min() > 0
        # The nearest heart of another part is as far as the nearest of the same part: the test is neither easier nor harder.
        across = np.where(parts[:, None] == parts, np.inf, apart).min(1)
        within = np.where(parts[:, None] == parts, apart, np.inf).min(1)
        assert across.min() > 0.6 * own.min() and 0.8 < np.median(across) / np.median(within) < 1.25


def test_deformation_leaves_the_contour_where_it_is_and_folds_nothing():
    apart = 2.0  # pixels of the stored frame between points of the grid
    for number in range(60):
        patient = echo_cine.draw_patient(0, (4, 0, number))
        _, free = echo_cine._sources()[patient.frame]
        moved = free * (echo_cine._spline() @ patient.warp @ echo_cine._spline().T)
        apex, base, half_width = echo_cine.CAVITIES[patient.frame]
        down, right = np.subtract(base, apex)
        widest = np.add(apex, 0.6 * np.array([down, right])) + half_width * np.array([-right, down]) / np.hypot(
            down, right
        )
        for row, column in (apex, base, widest):
            at = np.hypot(echo_cine.GRID[0] - row, echo_cine.GRID[1] - column).argmin()
            assert np.abs(moved.reshape(2, -1)[:, at]).max() < 1 < np.abs(moved).max()
        (a, b), (c, d) = (np.gradient(part, apart, axis=(0, 1)) for part in echo_cine.GRID + moved)
        assert (a * d - b * c).min() > 0.05, "an area stays an area, and is not turned over"


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


def beside_the_axis(patient, clip):
    """Mean grey level where the wall is only while the cavity is small: at both sides of its widest part, 0.85 of the half
    width at a volume of 1 away from the axis."""
    apex, base, _ = echo_cine.CAVITIES[patient.frame]
    axis, pixel = np.subtract(base, apex), echo_cine.SIZE / echo_cine.FIELD * patient.view
    contour = patient.contour(1.0)
    half = len(contour) // 2
    widest = np.argmin(np.abs(contour[:half, 0] - 0.6 * patient.length))
    sides = contour[[widest, 2 * half - 1 - widest]]
    along, across = (sides.mean(0) + 0.85 * (sides - sides.mean(0))).T
    turn = patient.turn + np.arctan2(axis[1], axis[0])
    along = along - np.hypot(*axis) * pixel / 2
    places = np.stack([np.cos(turn) * along - np.sin(turn) * across, np.sin(turn) * along + np.cos(turn) * across])
    middle = (echo_cine.SIZE - 1) / 2 + (np.add(apex, base) / 2 - echo_cine.MIDDLE) * pixel + patient.shift
    return ndimage.map_coordinates(clip.mean(0), places + middle[:, None], order=1).mean()


def test_the_wall_comes_where_the_contour_says():
    """Also across the axis: where the contour has passed, wall is seen."""
    gain = []
    for number in range(24):
        seed = (1, 0, number)
        patient = echo_cine.draw_patient(0, seed)
        wide, narrow = (beside_the_axis(patient, still(0, seed, volume)) for volume in (1.0, 0.45))
        gain.append(narrow / wide)
    assert np.median(gain) > 1.25 and np.mean(np.array(gain) > 1) > 0.8


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


def test_brightness_and_contrast_tell_neither_target(dataset):
    clips = dataset.train.x
    for name in ("ejection_fraction", "rhythm"):
        target = dataset.train.targets[name]
        for value in (clips[:, 0].mean((1, 2, 3)), clips[:, 0].std((1, 2, 3)), clips.mean((1, 2, 3, 4))):
            assert abs(np.corrcoef(value, target)[0, 1]) < 0.3  # 3.3 standard errors with 120 patients
    # The stroke does show, over time.
    blocks = clips[:, :, 12:32, 18:36, 0].reshape(len(clips), 48, 10, 2, 9, 2).mean((3, 5))
    moving = blocks.std(1).mean((1, 2)) / blocks.mean((1, 2, 3))
    assert np.corrcoef(moving, dataset.train.targets["ejection_fraction"])[0, 1] > 0.45


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
    assert echo_cine.VERSION == 2 and echo_cine.fingerprint() == "2232addc"
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


def test_more_patients_go_on_where_the_usual_ones_end_and_numbers_are_unique_over_seeds(tiny, monkeypatch):
    monkeypatch.setattr(echo_cine, "BLOCK", 2)
    monkeypatch.setattr(echo_cine, "MORE", {"train": 9, "test": 6})
    usual, more = data.load("echo-cine", seed=2), data.load("echo-cine", seed=2, n_patients=9, n_test=5)
    assert (len(more.train), len(more.val), len(more.test)) == (9, 2, 5)
    for name, few in splits(usual).items():
        many = splits(more)[name]
        np.testing.assert_array_equal(few.x, many.x[: len(few)])
        np.testing.assert_array_equal(few.groups, many.groups[: len(few)])
    known = [p.ejection_fraction for p in echo_cine.patients("train", n_patients=9, seed=2)]
    np.testing.assert_allclose(more.train.targets["ejection_fraction"], known, rtol=1e-5)
    np.testing.assert_array_equal(np.round(more.test.x[4, ..., 0] * 255), echo_cine.simulate_patient(0, (2, 2, 4))[0])
    others = [data.load("echo-cine", seed=seed, n_patients=9, n_test=5) for seed in (0, 1, 3)]
    seen = [split.groups for one in [more, *others] for split in splits(one).values()]
    assert len(np.unique(np.concatenate(seen))) == 4 * 16
    clips = [clip.tobytes() for one in [more, *others] for split in splits(one).values() for clip in split.x]
    assert len(set(clips)) == 4 * 16


@pytest.mark.parametrize(
    "options, message",
    [
        ({"size": 64}, "48 pixels only, not 64"),
        ({"n_patients": 1}, "n_patients is 1, .*at least 2"),
        ({"n_patients": 1201}, "n_patients is 1201, .*up to 1200 training patients"),
        ({"n_patients": 8.0}, "n_patients is 8.0"),
        ({"n_test": 601}, "n_test is 601, .*up to 600 test patients"),
        ({"seed": 10**9 + 1}, "seed is 1000000001, .*from 0 to 1,000,000,000"),
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
