"""Simulated echocardiograms: real frames of one echocardiogram, its left ventricle contracting along a known curve.

One simulated patient is made in four steps:

1. beats: a regular or irregular rhythm, and from it the volume of the left ventricle at every moment;
2. anatomy: one of seven real frames, deformed smoothly, turned, shifted, scaled, with a cavity of the patient's own size;
3. motion: the cavity's contour follows the volume, wall and atrium follow the contour, the probe drifts;
4. acquisition: speckle that changes from frame to frame, gain, noise.

The cavity is an ellipse cut off at the mitral plane, found by eye in each frame. Its length and width are scaled over
time, so that area, length and volume of the contour are known exactly. `RULES` are those that decide a result. All that
decides what is drawn where is computed in double precision: the last bits differ between processors, and must not
decide on a beat.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from course_lib.data.base import Dataset, Parts, Split, cached, syntax_hash, to_float
from course_lib.data.base import fingerprint as fingerprint_of
from course_lib.data.samples import SAMPLES, sample

VERSION = 2  # of what is generated, for results that name it
SOURCE_HASH = syntax_hash(__file__)  # a changed generator reads no old cache
TITLE = "Echocardiographic clips: ejection fraction, heart rate, regular or irregular rhythm"
KIND = "simulated motion, real frames"
SOURCE = "motion simulated by course_lib.data.echo_cine on frames of " + SAMPLES["echo"].source
LICENCE = "as the echocardiogram: " + SAMPLES["echo"].licence
PATIENTS = {"train": 600, "val": 120, "test": 240}  # without options; they are made and cached together
MORE = {"train": 1200, "test": 600}  # at most; beyond PATIENTS they are made and cached BLOCK by BLOCK, when asked for
BLOCK = 120
CLASS_NAMES = ("regular", "irregular")
SIZE = 48  # pixels, both ways
FRAMES = 48  # of a clip
FRAMES_PER_SECOND = 12.0
SECONDS = FRAMES / FRAMES_PER_SECOND
EJECTION_FRACTION = (20.0, 75.0)  # percent, lowest and highest
HEART_RATE = (60.0, 105.0)  # beats per minute, lowest and highest that is drawn
POTENTIATION = 0.5  # how much the ejection fraction of a beat varies with the two intervals before it
FILLING = 0.15  # its largest volume grows with this power of the interval before it
DILATION = 0.4  # by how much, in its logarithm, volume falls from middle to highest ejection fraction
SIZE_SPREAD = 0.55  # and how far it differs from that, up and down, at any ejection fraction
RULES = (
    "All is simulated from one heart: each patient has a smooth deformation of his own of one of seven frames. A large "
    "cavity goes with a low ejection fraction, as in patients (rank correlation about −0.5, our choice), so that one frame "
    "tells something about it. The ejection fraction is the mean over the beats of the clip. From beat to beat it hardly "
    "varies in a regular rhythm, and by some points in an irregular one: up after an interval that is longer than the one "
    "before it, down after a shorter. Its mean, the rate and the rhythm are drawn independently. At 12 frames a second a "
    "contraction takes three frames, and its end can fall between two; a second holds one to two beats at the rates drawn, "
    "60 to 105 per minute, less than one at a lower rate, and not always one of an irregular rhythm."
)

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
USUAL = 60.0, 47.0  # length and width of a cavity of the usual size at its largest volume
GRID = np.mgrid[0:240:2, 50:290:2].astype(float)  # every second row and column that a clip can show
KNOTS, WARP = 6, 8.0  # how many the spline that deforms a frame has each way, and how far each is moved at most
FADE = 14.0  # the deformation falls to nothing over this distance from the cavity's contour
BEND = 5.0  # of a cavity's axis, at most
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
    ejection_fraction   percent, the mean of the beats that `counted` names
    beats               (k,) seconds at which the ventricle begins to contract; covers the clip, the first three before it
    interval            seconds between them in the mean, as it was drawn
    contraction         seconds from the beginning of a beat to its smallest volume, in a beat long enough
    relaxation          seconds of fast filling after it, in a beat long enough
    early_filling       share of the filling done by then; the rest comes evenly until the next beat
    longitudinal        share of the contraction along the axis: length ∝ volume^longitudinal
    frame               number of the real frame, a key of `CAVITIES`
    warp                (2, …) how it is deformed: displacements of the knots of a spline, pixels of the stored frame
    length, width       long axis and largest width of the cavity at a volume of 1, in pixels of the clip
    bend                how far the middle of the axis lies beside its ends, in pixels of the clip
    view, turn, shift   scale of the picture, angle of the heart (radians), its shift (rows, columns; pixels of the clip)
    """

    rhythm: int
    ejection_fraction: float
    beats: np.ndarray
    interval: float
    contraction: float
    relaxation: float
    early_filling: float
    longitudinal: float
    frame: int
    warp: np.ndarray
    length: float
    width: float
    bend: float
    view: float
    turn: float
    shift: np.ndarray

    @property
    def heart_rate(self) -> float:
        """Beats per minute over the clip: how many beats, counted in fractions, pass in its four seconds."""
        count = np.interp([0, SECONDS], self.beats, np.arange(len(self.beats)))
        return float(count[1] - count[0]) * 60 / SECONDS

    @cached_property
    def counted(self) -> np.ndarray:
        """Numbers of the beats whose largest and smallest volume both lie between the first and the last frame."""
        ends = self.beats[:-1] + np.minimum(self.contraction, 0.5 * np.diff(self.beats))
        return np.flatnonzero((self.beats[:-1] >= 0) & (ends <= (FRAMES - 1) / FRAMES_PER_SECOND))

    @cached_property
    def filled(self) -> np.ndarray:
        """(k,) volume at the beginning of each beat, in shares of that after an interval of the mean length."""
        return np.r_[1, (np.diff(self.beats) / self.interval) ** FILLING]

    @cached_property
    def fractions(self) -> np.ndarray:
        """(k − 1,) ejection fraction of each beat but the last, 0 to 1: larger after a longer interval, and smaller if the
        interval before that was long (Gosselink et al., J Am Coll Cardiol 26, 1995, 1516–1521).

        It was found linear in the ratio of both, with its mean where they are equal (Tabata et al., Am J Physiol Heart
        Circ Physiol 281, 2001, H573–H580); we take the ratio's logarithm. How steep is our choice; multiplied by mean ×
        (1 − mean), no fraction leaves 0 to 1.
        """
        mean, lengths = self.ejection_fraction / 100, np.diff(self.beats)
        ratio = np.r_[0, 0, np.log(lengths[1:-1] / lengths[:-2])]
        return mean + POTENTIATION * mean * (1 - mean) * (ratio - ratio[self.counted].mean())

    def relative_volume(self, times) -> np.ndarray:
        """Volume at `times` (seconds from 0 to `SECONDS`), in shares of that after an interval of the mean length."""
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
        largest, stroke = self.filled[number], self.filled[number] * self.fractions[number]
        return largest - stroke * contracting + (self.filled[number + 1] - largest + stroke) * refilled

    def scales(self, relative_volume) -> tuple[np.ndarray, np.ndarray]:
        """Length and width of the cavity in shares of those at 1; length × width² is the relative volume."""
        volume = np.asarray(relative_volume)
        return volume**self.longitudinal, volume ** ((1 - self.longitudinal) / 2)

    def targets(self) -> dict[str, float]:
        """The targets of the dataset: means over the counted beats, volumes from the contour."""
        filled, fractions = self.filled[self.counted], self.fractions[self.counted]
        return {
            "ejection_fraction": 100 * fractions.mean(),
            "rhythm": self.rhythm,
            "heart_rate": self.heart_rate,
            "end_diastolic_volume": self.volume(1.0) * filled.mean(),
            "end_systolic_volume": self.volume(1.0) * np.mean(filled * (1 - fractions)),
        }

    def contour(self, relative_volume: float, points: int = 2000) -> np.ndarray:
        """The cavity at a relative volume: a closed polygon (points, 2) along and across its axis, apex at 0, in pixels of
        the clip. The axis is bent, which changes neither area nor length."""
        along, across = self.scales(relative_volume)
        share = (1 - np.cos(np.linspace(0, np.pi, points // 2))) / 2  # close together where the contour bends
        half_width = self.width / 2 * across * np.sqrt(_squared_profile(share))
        share = self.length * along * share
        bent = self.bend * _bow(share * FIELD / SIZE / self.view)
        return np.stack([np.r_[share, share[::-1]], np.r_[bent + half_width, (bent - half_width)[::-1]]], axis=1)

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


def _bow(along):
    """How far the axis lies beside a straight one: 0 at the apex, 1 in the middle, `along` in pixels of the stored frame."""
    return np.sin(np.pi * np.clip(along / USUAL[0], -0.5, 1.5))


def _draw_beats(rng, rhythm: int, interval: float) -> np.ndarray:
    """Beginnings of beats in seconds: the third is the last before the clip, so that of each beat seen in it the two
    intervals before are known. `interval` is their mean."""
    while True:
        spread = rng.uniform(0.24, 0.34) if rhythm else rng.uniform(0.01, 0.03)
        lengths = np.clip(interval * np.exp(spread * rng.standard_normal(20) - spread**2 / 2), 0.36, 1.6)
        beats = np.cumsum(lengths)
        beats -= beats[2] + lengths[3] * rng.uniform()
        seen = beats[(beats > 0) & (beats < SECONDS)]
        # Irregular beats can happen to be even over four seconds: then the clip would not show its label.
        if not rhythm or np.std(np.log(np.diff(seen))) > 0.15:
            return beats


def draw_patient(rhythm: int, seed: tuple[int, ...]) -> Patient:
    """Draw one patient. Nothing but the beats depends on the rhythm.

    The larger the cavity, the lower the ejection fraction: weak hearts are dilated (in one series, end-diastolic
    volumes of 320 ± 79 ml in heart failure, 126 ± 22 ml in controls, at ejection fractions of 20 ± 7 and 58 ± 5 %: Ng and
    Ng, J Biomed Sci Eng 1, 2008, 173–177), though the end-systolic volume tells more (Kerkhof et al., Int J Cardiol
    2018, 105–110). That the rank correlation is about −0.5 is our choice.
    """
    interval = 60 / np.random.default_rng([*seed, 1]).uniform(*HEART_RATE)
    rng = np.random.default_rng([*seed, 2])
    mean = rng.uniform(*EJECTION_FRACTION)
    lowest, highest = EJECTION_FRACTION
    strength = (2 * mean - lowest - highest) / (highest - lowest)  # −1 to 1
    size = np.exp(rng.uniform(-SIZE_SPREAD, SIZE_SPREAD) - DILATION * strength)  # a volume, in shares of the usual one
    shape, view = rng.uniform(0.92, 1.08), rng.uniform(0.95, 1.12)
    pixel = SIZE / FIELD * view  # of the stored frame, in pixels of the clip
    return Patient(
        rhythm=rhythm,
        ejection_fraction=mean,
        beats=_draw_beats(np.random.default_rng([*seed, 0]), rhythm, interval),
        interval=interval,
        contraction=rng.uniform(0.24, 0.31),
        relaxation=rng.uniform(0.14, 0.24),
        early_filling=rng.uniform(0.65, 0.9),
        longitudinal=rng.uniform(0.14, 0.26),
        frame=list(CAVITIES)[rng.integers(len(CAVITIES))],
        warp=rng.uniform(-WARP, WARP, (2, KNOTS, KNOTS)),
        length=USUAL[0] * pixel * size**0.2 * shape,  # a larger cavity is rounder
        width=USUAL[1] * pixel * size**0.4 / shape**0.5,
        bend=rng.uniform(-BEND, BEND) * pixel,
        view=view,
        turn=np.deg2rad(rng.uniform(-8, 8)),
        shift=rng.uniform(-1, 1, 2),
    )


@lru_cache(maxsize=1)
def _sources() -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """The frames of `CAVITIES`: grey, smoothed to the pixel size, and continued beyond the sector, so that neither text
    nor the sector's border is in them. With each, how far it may be deformed at each point of `GRID`: 0 on the cavity's
    contour, which so stays where it is known to be, 1 far from it."""
    from scipy import ndimage

    clip = sample("echo").image.astype(float).mean(-1)
    depth, angle = _polar(np.indices(clip.shape[1:]))
    outside = (np.abs(angle) > HALF_ANGLE - 0.04) | (depth < NEAREST + 2) | (depth > FARTHEST - 3)
    nearest = ndimage.distance_transform_edt(outside, return_distances=False, return_indices=True)
    blur = 0.4 * FIELD / SIZE  # avoids aliasing
    found = {}
    for number, (apex, base, half_width) in CAVITIES.items():
        (down, right), below, beside = np.subtract(base, apex), GRID[0] - apex[0], GRID[1] - apex[1]
        length = np.hypot(down, right)
        share = np.clip((down * below + right * beside) / length**2, 0, 1)
        inside = half_width * np.sqrt(_squared_profile(share)) - np.abs(down * beside - right * below) / length
        cavity = (share > 0) & (share < 1) & (inside > 0)
        distance = 2 * (ndimage.distance_transform_edt(cavity) + ndimage.distance_transform_edt(~cavity)) - 2
        frame = ndimage.gaussian_filter(clip[number][tuple(nearest)], blur)
        found[number] = frame, 1 - np.exp(-np.square(distance / FADE))
    return found


@lru_cache(maxsize=1)
def _spline() -> np.ndarray:
    """Weights of the knots for the rows of `GRID`, and for its columns, which are as many."""
    from scipy.interpolate import CubicSpline

    return CubicSpline(np.linspace(0, 1, KNOTS), np.eye(KNOTS), bc_type="natural")(np.linspace(0, 1, GRID.shape[1]))


def _anatomy(patient: Patient) -> np.ndarray:
    """The patient's frame, deformed, at the points of `GRID`."""
    from scipy import ndimage

    frame, free = _sources()[patient.frame]
    moved = GRID + free * (_spline() @ patient.warp @ _spline().T)
    return ndimage.map_coordinates(frame, moved, order=1, mode="nearest")


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
    across = cos * right - sin * down - patient.bend / pixel * _bow(length * along)

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
    places = [(down - GRID[0, 0, 0]) / 2, (right - GRID[1, 0, 0]) / 2]
    image = ndimage.map_coordinates(_anatomy(patient), places, order=1, mode="nearest")

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
    """The dataset "echo-cine", as `course_lib.data.load` describes it: one clip of each patient. `RULES`, its note, says
    which rules of the simulation decide a result.

    Targets: "ejection_fraction" (percent, float32), the mean over the beats whose largest and smallest volume lie in the
    clip; "end_diastolic_volume" and "end_systolic_volume", the means of these (area–length method, cubic pixels of the
    clip, float32; the stored frames have no usable spacing, and a ratio needs none); "rhythm" (0 regular, 1 irregular,
    int64); "heart_rate" (beats per minute over the clip, float32). Each split has as many patients of one rhythm as of
    the other, give or take one. No anatomy is shared, and no patient number occurs in the sets of two seeds.
    """
    if size not in (None, SIZE):
        raise ValueError(f"echo-cine comes in {SIZE} pixels only, not {size!r}.")
    known = Parts("echo-cine", PATIENTS, MORE, BLOCK, "rhythm")
    asked = known.asked(n_patients, n_test, seed, least=len(CLASS_NAMES))

    def arrays(key, drawn):
        return cached(
            "echo-cine",
            f"echo-cine-v{VERSION}-{SOURCE_HASH}-seed{seed}-{SIZE}{key}.npz",
            {"clips": (len(drawn), FRAMES, SIZE, SIZE), **{name: (len(drawn),) for name in TARGETS}},
            lambda: _simulate_all(seed, drawn),
        )

    train, val, test = (
        Split(to_float(part["clips"][..., None]), {name: part[name] for name in TARGETS}, ids)
        for part, ids in known.read(asked, seed, arrays).values()
    )
    return Dataset("echo-cine", train, val, test, CLASS_NAMES, SOURCE, LICENCE, simulated=True, note=RULES)


def patients(split: str, *, n_patients: int | None = None, seed: int = 0) -> list[Patient]:
    """What is known of the patients of a split, "train", "val" or "test", in the order of its clips.

    For checking: the beats and volumes a model is not told. `n_patients` says how many, if not as many as without
    options. Raises ValueError for an unknown split.
    """
    if split not in PATIENTS:
        raise ValueError(f"There is no split called {split!r}. Choose one of: {', '.join(PATIENTS)}.")
    count = PATIENTS[split] if n_patients is None else n_patients
    return [draw_patient(number % 2, (seed, list(PATIENTS).index(split), number)) for number in range(count)]


def _simulate_all(seed: int, drawn: list[tuple[int, int]]) -> dict[str, np.ndarray]:
    """Patients (place of the split, number): clips uint8 (n, frames, size, size) and each target (n,)."""
    clips = np.empty((len(drawn), FRAMES, SIZE, SIZE), np.uint8)
    targets = {name: np.empty(len(drawn), dtype) for name, dtype in TARGETS.items()}
    _sources()  # made once, before two threads ask for them

    def simulate(row):
        place, number = drawn[row]
        clips[row], patient = simulate_patient(number % 2, (seed, place, number))
        for name, value in patient.targets().items():
            targets[name][row] = value

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(simulate, range(len(drawn))))
    return {"clips": clips, **targets}
