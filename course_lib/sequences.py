"""From clips to sequences: windows of fixed length, and features of each frame (lesson clips_to_sequences explains them).

Feature names and definitions are those of the Image Biomarker Standardisation Initiative (IBSI): Zwanenburg et al. 2020,
doi 10.1148/radiol.2020191145; its manual is arXiv:1612.07003. What an image's region of interest is there, is `roi` here.
"""

from typing import NamedTuple

import numpy as np

PADDINGS = ("none", "zero", "repeat")
_BLOCK = 512  # frames that are measured at a time, so that a thousand clips need no more memory than ten


class Windows(NamedTuple):
    """Segments of one length cut out of a sequence.

    segments  (n, length, …): `segments[i, j]` is the sequence at time `starts[i] + j`
    starts    (n,) int: time step of each segment's first frame
    valid     (n, length) bool: False where a frame was padded, because the sequence had ended
    """

    segments: np.ndarray
    starts: np.ndarray
    valid: np.ndarray


def windows(sequence, length: int, *, stride: int | None = None, padding: str = "none") -> Windows:
    """Cut a sequence (t, …) into segments of `length` time steps; each begins `stride` steps after the one before.

    stride: by default `length`, so that segments touch and do not overlap.
    padding: "none" keeps whole segments only, ⌊(t - length) / stride⌋ + 1 of them, or none if the sequence is too short;
        "zero" and "repeat" go on until every time step is in a segment (if stride ≤ length), and fill what is missing
        behind the end with zeros, or with the last time step. `valid` tells which these are.

    The segments are copies. Raises ValueError for an empty sequence, a length or stride below 1, or another padding.
    """
    sequence = np.asarray(sequence)
    stride = length if stride is None else stride
    if sequence.ndim == 0 or len(sequence) == 0:
        raise ValueError(f"The sequence has no time steps: its shape is {sequence.shape}.")
    if length < 1 or stride < 1:
        raise ValueError(f"length is {length} and stride is {stride}: both must be at least 1 time step.")
    if padding not in PADDINGS:
        raise ValueError(f"padding is {padding!r}: choose one of {', '.join(map(repr, PADDINGS))}.")
    missing = len(sequence) - length  # steps that the first segment does not cover
    count = missing // stride + 1 if padding == "none" else -(-missing // stride) + 1
    starts = np.arange(max(count, 0 if padding == "none" else 1)) * stride
    times = starts[:, None] + np.arange(length)
    valid = times < len(sequence)
    segments = sequence[np.minimum(times, len(sequence) - 1)]
    if padding == "zero":
        segments[~valid] = 0
    return Windows(segments, starts, valid)


def first_order(frames, *, roi=None) -> dict[str, np.ndarray]:
    """Intensity-based statistics of each frame, by their IBSI names: how bright, how spread; not where.

    frames: (…, h, w), any unit; the energy has its square, skewness, kurtosis and the like have none.
    roi: (h, w) bool, the pixels that count; by default all.

    Returns a dict from name to float64 array (…). Variance is the population's (divided by n); kurtosis is the excess
    over a normal distribution (pyradiomics' is larger by 3); skewness and kurtosis of a constant frame are 0.
    Definitions: IBSI manual, arXiv:1612.07003, section 3.3. Raises ValueError for a frame without two axes, or an
    empty region of interest.
    """
    frames, roi = _frames(frames, roi)
    parts = [_first_order(block[:, roi].astype(np.float64)) for block in _blocks(frames)]
    return _joined(parts, frames.shape[:-2])


def _first_order(pixels):
    mean = pixels.mean(axis=1)
    deviation = pixels - mean[:, None]
    variance = np.mean(deviation**2, axis=1)
    low, p10, p25, median, p75, p90, high = np.percentile(pixels, [0, 10, 25, 50, 75, 90, 100], axis=1)
    constant = low == high  # its mean may be a rounding error away from its pixels, and its variance from 0
    deviation[constant], variance[constant] = 0, 0
    spread = np.sqrt(np.where(constant, 1, variance))
    energy = np.sum(pixels**2, axis=1)
    return {
        "mean": mean,
        "variance": variance,
        "skewness": np.mean(deviation**3, axis=1) / spread**3,
        "kurtosis": np.where(constant, 0, np.mean(deviation**4, axis=1) / spread**4 - 3),
        "median": median,
        "minimum": low,
        "10th percentile": p10,
        "90th percentile": p90,
        "maximum": high,
        "interquartile range": p75 - p25,
        "range": high - low,
        "mean absolute deviation": np.mean(np.abs(deviation), axis=1),
        "energy": energy,
        "root mean square": np.sqrt(energy / pixels.shape[1]),
    }


def quantise(frames, levels: int, *, limits=(0.0, 1.0)) -> np.ndarray:
    """Grey levels 0, …, `levels` - 1 of equal width between `limits`, uint8; what lies outside gets the nearest one.

    With fixed limits a level means the same brightness in each frame, clip and patient (IBSI's fixed bin size);
    normalising every frame by its own range (fixed bin number) would remove changes of brightness.
    Raises ValueError for fewer than 2 or more than 255 levels, or limits that are not in order.
    """
    low, high = limits
    if not 2 <= levels <= 255:
        raise ValueError(f"levels is {levels}: choose 2 to 255 grey levels.")
    if not low < high:
        raise ValueError(f"limits is {limits}: the first value must be below the second.")
    scaled = (np.asarray(frames) - low) * (levels / (high - low))
    return np.clip(scaled, 0, levels - 1).astype(np.uint8)  # clipped first: a cast rounds down, and wraps


def glcm_features(frames, levels: int = 16, *, limits=(0.0, 1.0), distance: int = 1, roi=None) -> dict[str, np.ndarray]:
    """Texture of each frame from its grey-level co-occurrence matrices (GLCM), by IBSI names.

    frames: (…, h, w), quantised to `levels` between `limits` (see `quantise`).
    distance: how many pixels apart the two pixels of a pair are, along rows, columns and both diagonals.
    roi: (h, w) bool; pairs with a pixel outside are not counted. By default all pixels.

    The matrices are scikit-image's `graycomatrix`, symmetric and normalised. Each feature is computed for the four
    directions and averaged, which IBSI calls "2D, averaged". Returns a dict from name to float64 array (…):
    joint maximum, joint entropy (bits), angular second moment, contrast, dissimilarity, inverse difference moment
    (scikit-image's "homogeneity"), correlation (1 for a constant frame, where it is not defined).
    Definitions: IBSI manual, arXiv:1612.07003, section 3.6; Haralick et al. 1973, doi 10.1109/TSMC.1973.4309314.
    Raises ValueError as `quantise` and `first_order` do, and if a direction has no pair of pixels.
    """
    frames, roi = _frames(frames, roi)
    parts = [_glcm(quantise(block, levels, limits=limits), levels, distance, roi) for block in _blocks(frames)]
    return _joined(parts, frames.shape[:-2])


def _glcm(frames, levels, distance, roi):
    from skimage.feature import graycomatrix, graycoprops

    angles = np.arange(4) * np.pi / 4
    counted = np.where(roi, frames + np.uint8(1), 0).astype(np.uint8)  # level 0 is "outside", and is cut off again
    counts = [graycomatrix(frame, [distance], angles, levels + 1, symmetric=True)[1:, 1:] for frame in counted]
    counts = np.concatenate(counts, axis=3)  # (levels, levels, 1, frames · 4): graycoprops takes them all at once
    total = counts.sum(axis=(0, 1))
    if (total == 0).any():
        raise ValueError(f"There is no pair of pixels {distance} apart in some direction: the region is too small.")
    share = counts / total
    names = {
        "angular second moment": "ASM",
        "contrast": "contrast",
        "dissimilarity": "dissimilarity",
        "inverse difference moment": "homogeneity",
        "correlation": "correlation",
    }
    bits = np.log2(share, where=share > 0, out=np.zeros_like(share))
    features = {"joint maximum": share.max(axis=(0, 1)), "joint entropy": -(share * bits).sum(axis=(0, 1))}
    features |= {name: graycoprops(counts, theirs) for name, theirs in names.items()}
    return {name: values.reshape(len(frames), 4).mean(axis=1) for name, values in features.items()}


def motion(clips, *, roi=None) -> np.ndarray:
    """Mean absolute difference of each frame from the one before, (…, t) for clips (…, t, h, w), in their unit.

    The first frame has none before it, and gets the second's value, so that the result is as long as the clip (0 for
    a clip of one frame). `roi` and errors as for `first_order`; also ValueError if there is no axis of time.
    """
    clips, roi = _frames(clips, roi)
    if clips.ndim < 3:
        raise ValueError(f"Motion needs clips (…, t, h, w); the shape is {clips.shape}.")
    steps = np.zeros(clips.shape[:-2])
    for t in range(1, clips.shape[-3]):  # a step at a time: all at once would need as much memory as the clips
        change = clips[..., t, :, :][..., roi] - clips[..., t - 1, :, :][..., roi].astype(np.float64)
        steps[..., t] = np.abs(change).mean(axis=-1)
    if clips.shape[-3] > 1:
        steps[..., 0] = steps[..., 1]
    return steps


def frame_features(clips, *, levels: int = 16, limits=(0.0, 1.0), roi=None) -> tuple[np.ndarray, list[str]]:
    """All features of each frame side by side: `first_order`, `glcm_features` and `motion`.

    clips: (…, t, h, w). Returns float32 values (…, t, features) and the features' names, as a recurrent network takes
    them: one row per time step. They are not standardised: do that with the training patients' mean and deviation.
    """
    table = {**first_order(clips, roi=roi), **glcm_features(clips, levels, limits=limits, roi=roi)}
    table["motion"] = motion(clips, roi=roi)
    return np.stack(list(table.values()), axis=-1).astype(np.float32), list(table)


def _frames(frames, roi):
    """Frames as an array, and the region of interest as (h, w) bool."""
    frames = np.asarray(frames)
    if frames.ndim < 2 or frames.size == 0:
        raise ValueError(f"Frames have at least one row and one column, (…, h, w); the shape is {frames.shape}.")
    if roi is None:
        return frames, np.ones(frames.shape[-2:], bool)
    roi = np.asarray(roi, bool)
    if roi.shape != frames.shape[-2:]:
        raise ValueError(f"The region of interest is {roi.shape}, the frames are {frames.shape[-2:]}.")
    if not roi.any():
        raise ValueError("The region of interest is empty.")
    return frames, roi


def _blocks(frames):
    flat = frames.reshape(-1, *frames.shape[-2:])
    return [flat[start : start + _BLOCK] for start in range(0, len(flat), _BLOCK)]


def _joined(parts, shape):
    return {name: np.concatenate([part[name] for part in parts]).reshape(shape) for name in parts[0]}
