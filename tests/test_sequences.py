"""Windows and features of frames: against definitions, scikit-image, and the IBSI's own phantom."""

import numpy as np
import pytest
from skimage.feature import graycomatrix, graycoprops

from course_lib import sequences

# The digital phantom of the IBSI (arXiv:1612.07003, section 5.1; CC BY 4.0), slice by slice; 0 is outside the region.
PHANTOM = np.array(
    [
        [[1, 4, 4, 1, 1], [1, 4, 6, 1, 1], [4, 1, 6, 4, 1], [4, 4, 6, 4, 1]],
        [[1, 4, 4, 1, 1], [1, 1, 6, 1, 1], [0, 1, 3, 1, 1], [4, 4, 6, 1, 1]],
        [[1, 4, 4, 0, 0], [1, 1, 1, 1, 1], [1, 1, 0, 1, 1], [1, 1, 6, 1, 1]],
        [[1, 4, 4, 0, 0], [1, 1, 1, 1, 1], [1, 1, 1, 1, 1], [1, 1, 6, 1, 1]],
    ]
)


@pytest.fixture
def clips():
    return np.random.default_rng(0).uniform(size=(2, 6, 9, 7)).astype(np.float32)


# ---- windows ----------------------------------------------------------------------------------------------------------


def test_windows_by_hand():
    cut = sequences.windows(np.arange(7), 3, stride=2)
    assert cut.segments.tolist() == [[0, 1, 2], [2, 3, 4], [4, 5, 6]]
    assert cut.starts.tolist() == [0, 2, 4] and cut.valid.all()
    assert sequences.windows(np.arange(7), 3).starts.tolist() == [0, 3]  # they touch, and the rest is dropped


@pytest.mark.parametrize(("padding", "last"), [("zero", [6, 0, 0]), ("repeat", [6, 6, 6])])
def test_padding_fills_the_last_window(padding, last):
    cut = sequences.windows(np.arange(7), 3, padding=padding)
    assert cut.segments.tolist() == [[0, 1, 2], [3, 4, 5], last]
    assert cut.valid.tolist() == [[True] * 3, [True] * 3, [True, False, False]]


@pytest.mark.parametrize("padding", sequences.PADDINGS)
@pytest.mark.parametrize("t", range(1, 12))
def test_windows_cover_what_they_promise(padding, t):
    sequence = np.arange(1, t + 1)
    for length in range(1, 6):
        for stride in range(1, length + 1):
            cut = sequences.windows(sequence, length, stride=stride, padding=padding)
            assert cut.segments.shape == cut.valid.shape == (len(cut.starts), length)
            times = cut.starts[:, None] + np.arange(length)
            assert np.array_equal(cut.segments[cut.valid], times[cut.valid] + 1)
            if padding == "none":
                assert cut.valid.all() and len(cut.starts) == max(0, (t - length) // stride + 1)
            else:
                assert set(cut.segments[cut.valid]) == set(sequence)
                assert set(cut.segments[~cut.valid]) <= {0 if padding == "zero" else t}
                # No window more than is needed: without the last one, a step would be missing.
                assert len(cut.starts) == 1 or t - 1 not in times[:-1]


def test_windows_keep_frames_whole_and_are_copies(clips):
    clip = clips[0]
    cut = sequences.windows(clip, 4, stride=1)
    assert np.array_equal(cut.segments[1], clip[1:5]) and cut.segments.dtype == clip.dtype
    cut.segments[:] = 7
    assert clip.max() < 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (([],  2), "no time steps"),
        (([1, 2], 0), "at least 1"),
        (([1, 2], 2, 0), "at least 1"),
        (([1, 2], 2, 1, "wrap"), "'wrap'"),
    ],
)  # fmt: skip
def test_windows_say_what_is_wrong(arguments, words):
    sequence, length, stride, padding = (*arguments, *(1, "none")[len(arguments) - 2 :])
    with pytest.raises(ValueError, match=words):
        sequences.windows(sequence, length, stride=stride, padding=padding)


# ---- features ---------------------------------------------------------------------------------------------------------


def test_first_order_gives_the_reference_values_of_the_ibsi():
    """The published values have three digits (arXiv:1612.07003, section 3.3)."""
    volume = PHANTOM.reshape(16, 5)
    ours = sequences.first_order(volume, roi=volume > 0)
    published = {
        "mean": 2.15,
        "variance": 3.05,
        "skewness": 1.08,
        "kurtosis": -0.355,
        "median": 1,
        "minimum": 1,
        "10th percentile": 1,
        "90th percentile": 4,
        "maximum": 6,
        "interquartile range": 3,
        "range": 5,
        "mean absolute deviation": 1.55,
        "energy": 567,
        "root mean square": 2.77,
    }
    assert ours.keys() == published.keys()
    for name, value in published.items():
        assert float(f"{ours[name]:.3g}") == value, name


def test_percentiles():
    """The phantom cannot tell some of them apart."""
    ours = sequences.first_order(np.arange(101.0).reshape(1, 101))
    found = {
        name: float(ours[name]) for name in ("10th percentile", "median", "90th percentile", "interquartile range")
    }
    assert found == {"10th percentile": 10, "median": 50, "90th percentile": 90, "interquartile range": 50}


def test_glcm_gives_the_reference_values_of_the_ibsi():
    """2D, averaged over directions and slices (arXiv:1612.07003, section 3.6)."""
    published = {
        "joint maximum": 0.519,
        "joint entropy": 2.05,
        "angular second moment": 0.368,
        "contrast": 5.28,
        "dissimilarity": 1.42,
        "inverse difference moment": 0.619,
        "correlation": -0.0121,
    }
    slices = [sequences.glcm_features(s, 6, limits=(0.5, 6.5), roi=s > 0) for s in PHANTOM]
    assert slices[0].keys() == published.keys()
    for name, value in published.items():
        assert float(f"{np.mean([s[name] for s in slices]):.3g}") == value, name


def test_glcm_without_a_region_is_that_of_scikit_image(clips):
    ours = sequences.glcm_features(clips, 8, distance=2)
    frame = np.minimum(np.floor(clips[1, 3] * 8), 7).astype(np.uint8)
    matrices = graycomatrix(frame, [2], [0, np.pi / 4, np.pi / 2, 3 * np.pi / 4], 8, symmetric=True, normed=True)
    for name, theirs in [("contrast", "contrast"), ("correlation", "correlation"), ("angular second moment", "ASM")]:
        assert ours[name].shape == (2, 6)
        assert np.isclose(ours[name][1, 3], graycoprops(matrices, theirs).mean())


def test_a_constant_frame_has_numbers_too():
    grey = np.linspace(0, 1, 40)  # the mean of many equal numbers is not always that number
    values, names = sequences.frame_features(np.tile(grey[:, None, None, None], (1, 1, 31, 33)))
    assert np.isfinite(values).all()
    for name in ("variance", "skewness", "kurtosis", "mean absolute deviation", "joint entropy", "contrast", "motion"):
        assert not values[..., names.index(name)].any(), name


def test_quantise_has_levels_of_equal_width_and_clips():
    assert sequences.quantise([0, 0.24, 0.25, 0.99, 1.0, -3, 9], 4).tolist() == [0, 0, 1, 3, 3, 0, 3]
    assert sequences.quantise([-1000, 0, 999], 2, limits=(-1000, 1000)).tolist() == [0, 1, 1]
    assert sequences.quantise(1.0, 255) == 254


def test_motion_by_hand():
    clip = np.zeros((3, 2, 2))
    clip[1] = 0.5
    clip[2, 0, 0] = 0.5
    assert sequences.motion(clip).tolist() == [0.5, 0.5, 0.375]
    assert sequences.motion(clip, roi=[[True, False], [False, False]]).tolist() == [0.5, 0.5, 0]
    assert sequences.motion((clip * 200).astype(np.uint8)).tolist() == [100, 100, 75]  # bytes do not wrap around
    assert sequences.motion(clip[:1]).tolist() == [0]


def test_frame_features_of_a_clip_do_not_depend_on_the_others(clips, monkeypatch):
    values, names = sequences.frame_features(clips, levels=8)
    assert values.shape == (2, 6, len(names)) and values.dtype == np.float32
    assert len(set(names)) == len(names)
    assert np.array_equal(values[..., names.index("mean")], clips.mean((2, 3), dtype=float).astype(np.float32))
    monkeypatch.setattr(sequences, "_BLOCK", 5)  # blocks that end in the middle of a clip
    alone, _ = sequences.frame_features(clips[1], levels=8)
    assert np.array_equal(values[1], alone)


def test_a_region_hides_what_is_outside(clips):
    roi = np.zeros((9, 7), bool)
    roi[2:7, 1:6] = True
    changed = np.where(roi, clips, 0.5)
    ours, theirs = (sequences.frame_features(x, roi=roi)[0] for x in (clips, changed))
    assert np.array_equal(ours, theirs)
    inside, _ = sequences.frame_features(clips[:, :, 2:7, 1:6])
    assert np.allclose(ours, inside, rtol=1e-5)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: sequences.first_order(np.zeros(4)), r"\(…, h, w\)"),
        (lambda: sequences.first_order(np.zeros((4, 4)), roi=np.ones((3, 4))), "region of interest is"),
        (lambda: sequences.first_order(np.zeros((4, 4)), roi=np.zeros((4, 4))), "empty"),
        (lambda: sequences.glcm_features(np.zeros((4, 4)), 1), "levels is 1"),
        (lambda: sequences.glcm_features(np.zeros((4, 4)), 256), "levels is 256"),
        (lambda: sequences.glcm_features(np.zeros((4, 4)), limits=(1, 0)), "limits"),
        (lambda: sequences.glcm_features(np.zeros((1, 4))), "too small"),
        (lambda: sequences.motion(np.zeros((4, 4))), "t, h, w"),
    ],
)
def test_features_say_what_is_wrong(call, words):
    with pytest.raises(ValueError, match=words):
        call()
