"""Simulated echocardiograms: real frames of one echocardiogram, its left ventricle contracting along a known curve.

One simulated patient is made in four steps:

1. beats: a regular or irregular rhythm, and from it the volume of the left ventricle at every moment;
2. anatomy: one of seven real frames, turned, shifted, scaled, with a cavity of the patient's own size;
3. motion: the cavity's contour follows the volume, wall and atrium follow the contour, the probe drifts;
4. acquisition: speckle that changes from frame to frame, gain, noise.

The cavity is an ellipse cut off at the mitral plane, found by eye in each frame. Its length and width are scaled over
time, so that area, length and volume of the contour are known exactly. All that decides what is drawn where is computed
in double precision: the last bits differ between processors, and must not decide on a beat.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from course_lib.data.base import Dataset, Split, cached, syntax_hash, to_float
from course_lib.data.base import fingerprint as fingerprint_of
from course_lib.data.samples import SAMPLES, sample

VERSION = 1  # of what is generated, for results that name it
SOURCE_HASH = syntax_hash(__file__)  # a changed generator reads no old cache
TITLE = "Echocardiographic clips: ejection fraction, heart rate, regular or irregular rhythm"
SOURCE = "motion simulated by course_lib.data.echo_cine on frames of " + SAMPLES["echo"].source
LICENCE = "as the echocardiogram: " + SAMPLES["echo"].licence
PATIENTS = {"train": 600, "val": 120, "test": 240}
CLASS_NAMES = ("regular", "irregular")
SIZE = 48  # pixels, both ways
FRAMES = 48  # of a clip
FRAMES_PER_SECOND = 12.0
SECONDS = FRAMES / FRAMES_PER_SECOND
EJECTION_FRACTION = (20.0, 75.0)  # percent, lowest and highest
HEART_RATE = (60.0, 105.0)  # beats per minute, lowest and highest that is drawn

TARGETS = {
    "ejection_fraction": np.float32,
    "rhythm": np.int64,
    "heart_rate": np.float32,
    "end_diastolic_volume": np.float32,
    "end_systolic_volume": np.float32,
}

# The picture: a square of the stored frame, and the sector in it. All in pixels of the stored frame, row and column.
FIELD = 190.0
MIDDLE = np.array([110.0, 170.0])
PROBE = np.array([10.0, 170.0])
HALF_ANGLE = np.deg2rad(44.0)
NEAREST, FARTHEST = 15.0, 190.0  # from PROBE
# Frame: apex and middle of the mitral plane (row, column), largest half width of the cavity. Found by eye.
CAVITIES = {
    0: ((73, 172), (129, 176), 20),
    12: ((70, 178), (131, 177), 25),
    15: ((70, 180), (130, 179), 26),
    18: ((70, 181), (132, 182), 25),
    22: ((70, 180), (135, 182), 26),
    26: ((68, 178), (126, 181), 22),
    29: ((67, 179), (123, 182), 21),
}
WIDEST = 0.6  # where the cavity is widest, as a share of the way from the apex to the mitral plane


def area_length_volume(area, length):
    """Volume of the left ventricle from one view, V = 8 A² / (3 π L): the single-plane area–length method.

    Exact for an ellipsoid of revolution with long axis L and area A of the section along it. Area in any square unit,
    length in the same unit; the volume is in its cube. (Lang et al. 2015, doi 10.1016/j.echo.2014.10.003, name the
    method and its limits.)
    """
    return 8 * np.square(area) / (3 * np.pi * np.asarray(length))


@dataclass(frozen=True, eq=False)
class Patient:
    """What is known of one simulated patient before anything is drawn.

    rhythm              0 regular, 1 irregular
    ejection_fraction   percent
    beats               (k,) seconds at which the ventricle begins to contract; covers the clip, first beat before it
    contraction         seconds from the beginning of a beat to the smallest volume, in a beat long enough
    relaxation          seconds of fast filling after it, in a beat long enough
    early_filling       share of the stroke that has come back by then; the rest fills evenly until the next beat
    longitudinal        share of the contraction along the axis: length ∝ volume^longitudinal
    frame               number of the real frame, a key of `CAVITIES`
    length, width       long axis and largest width of the cavity at its largest volume, in pixels of the clip
    view, turn, shift   scale of the picture, angle of the heart (radians), its shift (rows, columns; pixels of the clip)
    """

    rhythm: int
    ejection_fraction: float
    beats: np.ndarray
    contraction: float
    relaxation: float
    early_filling: float
    longitudinal: float
    frame: int
    length: float
    width: float
    view: float
    turn: float
    shift: np.ndarray

    @property
    def heart_rate(self) -> float:
        """Beats per minute over the clip: how many beats, counted in fractions, pass in its four seconds."""
        count = np.interp([0, SECONDS], self.beats, np.arange(len(self.beats)))
        return float(count[1] - count[0]) * 60 / SECONDS

    def relative_volume(self, times) -> np.ndarray:
        """Volume at `times` (seconds from 0 to `SECONDS`) as a share of the largest: 1 − EF to 1."""
        times = np.asarray(times, float)
        number = np.searchsorted(self.beats, times, side="right") - 1
        since = times - self.beats[number]
        whole = self.beats[number + 1] - self.beats[number]
        contraction = np.minimum(self.contraction, 0.5 * whole)  # a short beat is quicker in everything
        relaxation = np.minimum(self.relaxation, 0.35 * whole)
        slow = whole - contraction - relaxation
        contracting = (1 - np.cos(np.pi * np.clip(since / contraction, 0, 1))) / 2
        refilled = self.early_filling * (1 - np.cos(np.pi * np.clip((since - contraction) / relaxation, 0, 1))) / 2
        refilled += (1 - self.early_filling) * np.clip((since - contraction - relaxation) / slow, 0, 1)
        return 1 - self.ejection_fraction / 100 * (contracting - refilled)

    def scales(self, relative_volume) -> tuple[np.ndarray, np.ndarray]:
        """Length and width of the cavity as shares of the largest; length × width² is the relative volume."""
        volume = np.asarray(relative_volume)
        return volume**self.longitudinal, volume ** ((1 - self.longitudinal) / 2)

    def targets(self) -> dict[str, float]:
        """The targets of the dataset, from the largest and the smallest contour."""
        largest = self.volume(1.0)
        smallest = self.volume(1 - self.ejection_fraction / 100)
        return {
            "ejection_fraction": 100 * (largest - smallest) / largest,
            "rhythm": self.rhythm,
            "heart_rate": self.heart_rate,
            "end_diastolic_volume": largest,
            "end_systolic_volume": smallest,
        }

    def contour(self, relative_volume: float, points: int = 2000) -> np.ndarray:
        """The cavity at a relative volume (1 is the largest): a closed polygon (points, 2) along and across its axis,
        apex at 0, in pixels of the clip."""
        along, across = self.scales(relative_volume)
        share = (1 - np.cos(np.linspace(0, np.pi, points // 2))) / 2  # close together where the contour bends
        half_width = self.width / 2 * across * np.sqrt(_squared_profile(share))
        share = self.length * along * share
        return np.stack([np.r_[share, share[::-1]], np.r_[half_width, -half_width[::-1]]], axis=1)

    def volume(self, relative_volume: float) -> float:
        """Area–length volume of that contour, in cubic pixels of the clip."""
        along, across = self.contour(relative_volume).T
        area = abs(np.sum(along * np.roll(across, -1) - across * np.roll(along, -1))) / 2
        return float(area_length_volume(area, along.max()))


def _squared_profile(share):
    """Half width of the cavity, squared, as a share of the largest: an ellipse from the apex (0) to the mitral plane
    (1), then falling to nothing, so that the atrium is moved less and less."""
    at_base = 1 - ((1 - WIDEST) / WIDEST) ** 2
    ellipse = 1 - ((share - WIDEST) / WIDEST) ** 2
    beyond = at_base * np.square(np.clip(1.5 - share, 0, None) / 0.5)
    return np.where(share <= 1, np.maximum(ellipse, 0), beyond)


def _draw_beats(rng, rhythm: int, rate: float) -> np.ndarray:
    """Beginnings of beats in seconds, from before the clip to after it."""
    while True:
        spread = rng.uniform(0.24, 0.34) if rhythm else rng.uniform(0.01, 0.03)
        lengths = 60 / rate * np.exp(spread * rng.standard_normal(20) - spread**2 / 2)
        lengths = np.clip(lengths, 0.36, 1.6)
        beats = np.cumsum(lengths) - lengths[0] * (1 + rng.uniform())
        seen = beats[(beats > 0) & (beats < SECONDS)]
        # Irregular beats can happen to be even over four seconds: then the clip would not show its label.
        if not rhythm or np.std(np.log(np.diff(seen))) > 0.15:
            return np.r_[beats[0] - lengths[0], beats]


def draw_patient(rhythm: int, seed: tuple[int, ...]) -> Patient:
    """Draw one patient. Nothing but the beats depends on the rhythm, and the size of the cavity is drawn for the
    middle of the stroke: in the mean over time a large or small cavity says nothing about the ejection fraction."""
    beats = _draw_beats(
        np.random.default_rng([*seed, 0]), rhythm, np.random.default_rng([*seed, 1]).uniform(*HEART_RATE)
    )
    rng = np.random.default_rng([*seed, 2])
    ejection_fraction = rng.uniform(*EJECTION_FRACTION)
    longitudinal = rng.uniform(0.14, 0.26)
    frame = list(CAVITIES)[rng.integers(len(CAVITIES))]
    apex, base, half_width = CAVITIES[frame]
    view = rng.uniform(0.95, 1.12)
    pixel = SIZE / FIELD * view  # of the stored frame, in pixels of the clip
    middle = (1 - ejection_fraction / 100) ** 0.5  # geometric mean of smallest and largest volume
    return Patient(
        rhythm=rhythm,
        ejection_fraction=ejection_fraction,
        beats=beats,
        contraction=rng.uniform(0.24, 0.31),
        relaxation=rng.uniform(0.14, 0.24),
        early_filling=rng.uniform(0.65, 0.9),
        longitudinal=longitudinal,
        frame=frame,
        length=np.hypot(*np.subtract(base, apex)) * pixel * rng.uniform(0.92, 1.04) / middle**longitudinal,
        width=2 * half_width * pixel * rng.uniform(0.68, 0.98) / middle ** ((1 - longitudinal) / 2),
        view=view,
        turn=np.deg2rad(rng.uniform(-8, 8)),
        shift=rng.uniform(-1, 1, 2),
    )


@lru_cache(maxsize=1)
def _sources() -> dict[int, np.ndarray]:
    """The frames of `CAVITIES`: grey, smoothed to the pixel size, and continued beyond the sector, so that neither text
    nor the sector's border is in them."""
    from scipy import ndimage

    clip = sample("echo").image.astype(float).mean(-1)
    depth, angle = _polar(np.indices(clip.shape[1:]))
    outside = (np.abs(angle) > HALF_ANGLE - 0.04) | (depth < NEAREST + 2) | (depth > FARTHEST - 3)
    nearest = ndimage.distance_transform_edt(outside, return_distances=False, return_indices=True)
    blur = 0.4 * FIELD / SIZE  # avoids aliasing
    return {number: ndimage.gaussian_filter(clip[number][tuple(nearest)], blur) for number in CAVITIES}


def _polar(points):
    """Distance from the probe and angle from straight down of points (2, …), rows and columns of the stored frame."""
    down, right = points[0] - PROBE[0], points[1] - PROBE[1]
    return np.hypot(down, right), np.arctan2(right, down)


def _soft_step(inside, width):
    """0 outside, 1 inside, 0.5 at the border: `inside` is the distance from the border, `width` of the transition."""
    return 1 / (1 + np.exp(-np.clip(4 * inside / width, -30, 30)))


def _slow_curve(rng, count: int) -> np.ndarray:
    """Slow random curves (count, frames), standard deviation near 1: three waves with periods of 2 to 8 s."""
    times = np.arange(FRAMES) / FRAMES_PER_SECOND
    period, start = rng.uniform(2, 8, (count, 3, 1)), rng.uniform(0, 2 * np.pi, (count, 3, 1))
    return np.sin(2 * np.pi * times / period + start).sum(1) / np.sqrt(1.5)


def _speckle(rng, memory: float) -> np.ndarray:
    """Speckle (frames, size, size) with mean 1: the magnitude of a complex random field, neighbouring frames correlated
    by `memory`."""
    from scipy import ndimage

    field = ndimage.gaussian_filter(rng.standard_normal((2, FRAMES, SIZE, SIZE), np.float32), (0, 0, 0.6, 0.8))
    fresh = np.float32(np.sqrt(1 - memory**2))
    for now in range(1, FRAMES):
        field[:, now] = memory * field[:, now - 1] + fresh * field[:, now]
    magnitude = np.hypot(*field)
    return magnitude / magnitude.mean()


def simulate_patient(rhythm: int, seed: tuple[int, ...]) -> tuple[np.ndarray, Patient]:
    """One patient: clip uint8 (frames, size, size), and what is known of the patient."""
    from scipy import ndimage

    patient = draw_patient(rhythm, seed)
    drift, scanner, noise = (np.random.default_rng([*seed, step]) for step in (3, 4, 5))
    apex, base, half_width = CAVITIES[patient.frame]
    axis = np.subtract(base, apex)
    length = np.hypot(*axis)
    axis = axis / length
    pixel = SIZE / FIELD * patient.view

    # Pixel centres in the stored frame, and of them those in the sector.
    grid = (np.arange(SIZE) - (SIZE - 1) / 2) / pixel
    canvas = np.stack(np.meshgrid(MIDDLE[0] + grid, MIDDLE[1] + grid, indexing="ij"))
    depth, angle = _polar(canvas)
    sector = _soft_step(depth * (HALF_ANGLE - np.abs(angle)), 8) * _soft_step(depth - NEAREST, 6)
    sector *= _soft_step(FARTHEST - depth, 6)
    inside = sector > 0.002
    canvas, depth, angle, sector = canvas[:, inside], depth[inside], angle[inside], sector[inside]

    # Undo the heart's pose: (frames, pixels) along and across its axis.
    heart = np.add(apex, base) / 2
    wander = drift.uniform(0.1, 0.4) * _slow_curve(drift, 2)  # pixels of the clip
    down, right = (canvas - heart[:, None])[:, None] - (patient.shift[:, None] + wander)[..., None] / pixel
    turn = patient.turn + np.deg2rad(1) * _slow_curve(drift, 1)[0] + np.arctan2(axis[1], axis[0])
    cos, sin = np.cos(turn)[:, None], np.sin(turn)[:, None]
    along = (cos * down + sin * right) / length + 0.5  # 0 at the apex, 1 at the mitral plane
    across = cos * right - sin * down

    # Undo the contraction: where in the stored frame does this pixel come from?
    long, wide = patient.scales(patient.relative_volume(np.arange(FRAMES) / FRAMES_PER_SECOND))
    long = (long * patient.length / (length * pixel))[:, None]
    wide = (wide * patient.width / (2 * half_width * pixel))[:, None]
    # Apex and back wall stay, the mitral plane moves between them.
    share = np.where(along < long, np.where(along < 0, along, along / long), 1 + (along - long) / (2 - long))
    share = np.where(along < 2, share, along)
    # Inside, across the axis is scaled; outside, area is kept (the wall thickens), less and less far away.
    squared_width = half_width**2 * _squared_profile(share)
    outside = np.maximum(np.abs(across) - wide * np.sqrt(squared_width), 0)
    kept = squared_width * (1 - wide**2) * np.exp(-np.square(outside / (2 * half_width)))
    across = np.where(outside > 0, np.sign(across) * np.sqrt(np.maximum(across**2 + kept, 0)), across / wide)
    down = apex[0] + length * share * axis[0] - across * axis[1]
    right = apex[1] + length * share * axis[1] + across * axis[0]
    image = ndimage.map_coordinates(_sources()[patient.frame], [down, right], order=1, mode="nearest")

    image *= 1 + scanner.uniform(0.15, 0.35) * (_speckle(noise, scanner.uniform(0.3, 0.7))[:, inside] - 1)
    slope = np.exp(scanner.uniform(-0.4, 0.4) * (depth / 100 - 1) + scanner.uniform(-0.5, 0.5) * angle)
    haze = scanner.uniform(0.0, 0.03)
    image = scanner.uniform(0.85, 1.3) * np.clip(image * slope + haze, 0, None) ** scanner.uniform(0.6, 0.8) * sector
    image += scanner.uniform(0.005, 0.02) * sector * noise.standard_normal(image.shape, np.float32)
    clip = np.zeros((FRAMES, SIZE, SIZE), np.uint8)
    clip[:, inside] = np.round(255 * np.clip(image, 0, 1))
    return clip, patient


@lru_cache(maxsize=1)
def fingerprint() -> str:
    """Of what this generator makes, for results that rest on it: two patients of each rhythm. A moment, once."""
    clips = [simulate_patient(number % 2, (0, 0, number))[0] for number in range(4)]
    return fingerprint_of(*(frames for clip in clips for frames in np.split(clip, 3)))


def load(
    *, size: int | None = None, n_patients: int | None = None, n_test: int | None = None, seed: int = 0
) -> Dataset:
    """The dataset "echo-cine", as `course_lib.data.load` describes it: one clip of each patient.

    Targets: "ejection_fraction" (percent, float32), "rhythm" (0 regular, 1 irregular, int64), "heart_rate" (beats per
    minute over the clip, float32), and what the ejection fraction is computed from, "end_diastolic_volume" and
    "end_systolic_volume" (area–length method, cubic pixels of the clip, float32; the stored frames have no usable
    spacing, and a ratio needs none). Each split has as many patients of one rhythm as of the other, give or take one.
    """
    if size not in (None, SIZE):
        raise ValueError(f"echo-cine comes in {SIZE} pixels only, not {size!r}.")
    if n_test is not None:
        raise ValueError(
            f"n_test is {n_test!r}, but echo-cine always has {PATIENTS['test']} test patients. For fresh ones take another seed."
        )
    if n_patients is None:
        n_patients = PATIENTS["train"]
    if not _is_whole(n_patients) or not len(CLASS_NAMES) <= n_patients <= PATIENTS["train"]:
        raise ValueError(
            f"n_patients is {n_patients!r}, but echo-cine has {PATIENTS['train']} training patients, and at least "
            f"{len(CLASS_NAMES)} are needed, one of each rhythm."
        )
    if not _is_whole(seed) or seed < 0:
        raise ValueError(f"seed is {seed!r}, but it must be a whole number from 0 up.")

    n = sum(PATIENTS.values())
    arrays = cached(
        "echo-cine",
        f"echo-cine-v{VERSION}-{SOURCE_HASH}-seed{seed}-{SIZE}.npz",
        {"clips": (n, FRAMES, SIZE, SIZE), **{name: (n,) for name in TARGETS}},
        lambda: _simulate_all(seed),
    )
    # A seed's numbers follow those of the seed before it, so that joined sets keep their patients apart.
    ids = int(seed) * n + np.random.default_rng([seed, 99]).permutation(n)
    splits, first = {}, 0
    for split, count in PATIENTS.items():
        rows = np.s_[first : first + (n_patients if split == "train" else count)]
        targets = {name: arrays[name][rows] for name in TARGETS}
        splits[split] = Split(to_float(arrays["clips"][rows, ..., None]), targets, ids[rows])
        first += count
    three = (splits["train"], splits["val"], splits["test"])
    return Dataset("echo-cine", *three, class_names=CLASS_NAMES, source=SOURCE, licence=LICENCE, simulated=True)


def patients(split: str, *, n_patients: int | None = None, seed: int = 0) -> list[Patient]:
    """What is known of the patients of a split, "train", "val" or "test", in the order of its clips.

    For checking: the beats and volumes a model is not told. `n_patients` takes the first ones. Raises ValueError for an
    unknown split.
    """
    if split not in PATIENTS:
        raise ValueError(f"There is no split called {split!r}. Choose one of: {', '.join(PATIENTS)}.")
    count = PATIENTS[split] if n_patients is None else n_patients
    return [draw_patient(number % 2, (seed, list(PATIENTS).index(split), number)) for number in range(count)]


def _is_whole(number) -> bool:
    return isinstance(number, int | np.integer) and not isinstance(number, bool)


def _simulate_all(seed: int) -> dict[str, np.ndarray]:
    """All patients of all splits: clips uint8 (n, frames, size, size) and each target (n,)."""
    drawn = [(number % 2, (seed, split, number)) for split, n in enumerate(PATIENTS.values()) for number in range(n)]
    clips = np.empty((len(drawn), FRAMES, SIZE, SIZE), np.uint8)
    targets = {name: np.empty(len(drawn), dtype) for name, dtype in TARGETS.items()}
    _sources()  # made once, before two threads ask for them

    def simulate(row):
        clips[row], patient = simulate_patient(*drawn[row])
        for name, value in patient.targets().items():
            targets[name][row] = value

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(simulate, range(len(drawn))))
    return {"clips": clips, **targets}
