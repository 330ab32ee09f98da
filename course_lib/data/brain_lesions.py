"""Simulated brain lesions on axial slices of the real MNI152 T1 template.

One simulated patient is made in four steps, all in three dimensions and in millimetres:

1. anatomy: an affine and an elastic deformation of the template, ventricles wider or narrower;
2. lesion: nothing, a mass, white-matter lesions or an infarct, drawn with the tissue maps, with its mask;
3. contrast: a power of the intensity, and a gain;
4. acquisition: a smooth bias field and Rician noise.

Steps 1, 3 and 4 draw from the same distributions for every class, so that none of them tells the class. All is
computed in double precision: the last bits differ between processors, and must not decide where a lesion lies.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np

from course_lib.data.base import Dataset, Parts, Split, cached, syntax_hash, to_float
from course_lib.data.base import fingerprint as fingerprint_of
from course_lib.data.samples import SAMPLES, read_mni152

VERSION = 2  # of what is generated, for results that name it
SOURCE_HASH = syntax_hash(__file__)  # a changed generator reads no old cache
TITLE = "Axial brain slices: healthy, mass, white-matter lesions or infarct"
KIND = "simulated lesions, real template"
SOURCE = "lesions simulated by course_lib.data.brain_lesions on " + SAMPLES["brain"].source
LICENCE = "as the template: " + SAMPLES["brain"].licence
PATIENTS = {"train": 600, "val": 120, "test": 160}  # without options; they are made and cached together
MORE = {"train": 2400, "test": 1360}  # at most; beyond PATIENTS they are made and cached BLOCK by BLOCK, when asked for
BLOCK = 600
SIZES = (32, 64, 128)
CLASS_NAMES = ("healthy", "mass", "white-matter lesions", "infarct")
SLICES = 4  # per patient
SLICE_GAP = 4.0  # mm between slices
FIELD_OF_VIEW = 208.0  # mm, both ways
LOWEST = 30  # the template's slices below are never used
FIRST_Z = LOWEST - 72.0  # MNI z of the lowest slice used, in mm
CENTRE = np.array([115.0, 98.0])  # row and column of the template under the middle of the picture

# What the template shows, measured where the tissue maps are certain (medians).
CSF, GREY, WHITE = 0.27, 0.65, 0.87


@dataclass(frozen=True)
class _Atlas:
    """The template, smoothed to the pixel size, and where lesions may lie. Axes: slice, row, column; 1 mm."""

    t1: np.ndarray
    white: np.ndarray
    tissue: np.ndarray
    near_ventricle: np.ndarray  # white matter 3 to 20 mm from a ventricle; every second voxel
    white_depth: np.ndarray  # distance from the surface of the brain in mm, 0 outside white matter; every second voxel


@lru_cache(maxsize=2)
def _atlas(size: int) -> _Atlas:
    from scipy import ndimage

    t1, grey, white = (read_mni152(kind)[LOWEST : LOWEST + 120] for kind in ("t1", "gm", "wm"))
    tissue = np.minimum(grey + white, 1)
    # Where lesions may lie, on every second voxel: six times as fast, and fine enough for a centre.
    coarse = np.s_[::2, ::2, ::2]
    middle = np.zeros(t1.shape, bool)
    middle[40:75, 75:160, 70:127] = True  # holds the lateral and third ventricles
    ventricles = ndimage.binary_opening(((tissue < 0.3) & (t1 > 0.05) & middle)[coarse])
    to_ventricle = 2 * ndimage.distance_transform_edt(~ventricles)
    brain = np.stack([ndimage.binary_fill_holes(slice_) for slice_ in t1[coarse] > 0.1])
    to_surface = 2 * ndimage.distance_transform_edt(brain)
    white_matter = white[coarse] > 0.9
    near_ventricle = white_matter & (to_ventricle > 3) & (to_ventricle < 20) & (to_surface > 10)
    blur = (1.2, 0.4 * FIELD_OF_VIEW / size, 0.4 * FIELD_OF_VIEW / size)  # mm; avoids aliasing
    t1, white, tissue = (ndimage.gaussian_filter(volume, blur, truncate=3) for volume in (t1, white, tissue))
    return _Atlas(t1, white, tissue, near_ventricle=near_ventricle, white_depth=np.where(white_matter, to_surface, 0))


class _Grid:
    """Pixel centres of all slices, in mm from the middle, and smooth random fields over them."""

    def __init__(self, size: int):
        across = (np.arange(size) - (size - 1) / 2) * FIELD_OF_VIEW / size
        self.z = (np.arange(SLICES) - (SLICES - 1) / 2) * SLICE_GAP
        self.points = np.stack(np.meshgrid(self.z, across, across, indexing="ij"))
        self._axes = (self.z, 20), (across, FIELD_OF_VIEW / 2), (across, FIELD_OF_VIEW / 2)
        self._bases: dict = {}

    def smooth_field(self, rng, distance: float) -> np.ndarray:
        """Random field with standard deviation near 1 that varies over about `distance` mm: a cubic spline
        through normal random numbers on a grid of knots."""
        if distance not in self._bases:
            from scipy.interpolate import CubicSpline

            knots = [np.arange(-np.ceil(r / distance), np.ceil(r / distance) + 1) * distance for _, r in self._axes]
            self._bases[distance] = [
                CubicSpline(k, np.eye(len(k)))(axis) for k, (axis, _) in zip(knots, self._axes, strict=True)
            ]
        z, y, x = self._bases[distance]
        values = rng.standard_normal((z.shape[1], y.shape[1], x.shape[1]))
        return y @ np.tensordot(z, values, 1) @ x.T


@lru_cache(maxsize=2)
def _grid(size: int) -> _Grid:
    return _Grid(size)


def _sample(volume, points):
    from scipy import ndimage

    return ndimage.map_coordinates(volume, points, order=1, output=float)


def _look_up(coarse, points):
    """Values of a map that holds every second voxel at the nearest one to each point."""
    last = np.array(coarse.shape)[:, None, None, None] - 1
    return coarse[tuple(np.clip(np.rint(points / 2).astype(int), 0, last))]


def _pick(rng, allowed, places, count=None):
    """Random points of one slice: `allowed` (rows, columns) says where, `places` (3, rows, columns) are the points."""
    rows, columns = np.nonzero(allowed)
    drawn = rng.integers(len(rows), size=count)
    return places[:, rows[drawn], columns[drawn]].T


def _column(vector):
    """A vector (3,), shaped to be combined with points (3, slices, rows, columns)."""
    return np.asarray(vector)[:, None, None, None]


def _rotation(angles):
    (cz, cy, cx), (sz, sy, sx) = np.cos(angles), np.sin(angles)
    about_z = np.array([[1, 0, 0], [0, cz, -sz], [0, sz, cz]])
    about_y = np.array([[cy, 0, -sy], [0, 1, 0], [sy, 0, cy]])
    about_x = np.array([[cx, -sx, 0], [sx, cx, 0], [0, 0, 1]])
    return about_z @ about_y @ about_x


def _anatomy(seed: tuple[int, ...], grid: _Grid):
    """Template coordinates (3, slices, rows, columns) of a patient's pixels in mm, and MNI z of the middle."""
    rng = np.random.default_rng([*seed, 0])
    middle = rng.uniform(4, 32)
    scale = rng.uniform(0.94, 1.04) * rng.uniform(0.97, 1.03, 3)
    turn = _rotation(np.deg2rad(rng.uniform(-1, 1, 3) * [14, 4, 4]))
    shift = rng.uniform(-1, 1, 3) * [0, 5, 12] + [middle - FIRST_Z, *CENTRE]
    points = np.tensordot(turn / scale, grid.points, 1) + _column(shift)
    points += 2.0 * np.stack([grid.smooth_field(rng, 35.0) for _ in range(3)])
    # Ventricles: tissue is moved away from (or towards) the middle of the brain.
    from_middle = points - _column([20 - FIRST_Z, 108, 98])
    fall_off = np.exp(-np.sum((from_middle / _column([30, 40, 22])) ** 2, 0) / 2)
    return points - rng.uniform(-0.25, 0.45) * fall_off * from_middle, middle


def _soft_step(depth, width):
    """0 outside, 1 inside, 0.5 at the border: depth in mm below the border, width of the transition in mm."""
    return 1 / (1 + np.exp(-np.clip(4 * depth / width, -30, 30)))


def _mass(rng, atlas, grid, points, places):
    """Roundish mass: dark core, brighter rim, oedema in the white matter, pushed tissue around."""
    radius = rng.uniform(15, 22)
    slice_ = SLICES // 2 - rng.integers(2)
    centre = _pick(rng, _look_up(atlas.white_depth, places)[slice_] > 0.8 * radius, places[:, slice_])
    stretch = rng.uniform([1.1, 0.9, 0.9], [1.4, 1.12, 1.12])  # longest across the slices: each of them cuts it
    wobble = 1 + 0.10 * grid.smooth_field(rng, 18.0)
    offset = points - _column(centre)
    distance = np.sqrt(np.sum((offset / _column(stretch)) ** 2, 0)) * wobble + 1e-6
    push = rng.uniform(0.25, 0.5) * radius
    moved = np.where(distance < radius, push * distance / radius, push * np.exp((radius - distance) / 25))
    points = points - offset / distance * moved

    edge = rng.uniform(2, 4)
    core_radius = rng.uniform(0.6, 0.75) * radius * (1 + 0.15 * grid.smooth_field(rng, 12.0))
    oedema_width = rng.uniform(5, 15)
    finger = oedema_width * (1 + 0.5 * grid.smooth_field(rng, 14.0))
    whole = _soft_step(radius - distance, edge)
    core = _soft_step(core_radius - distance, edge)
    white = _sample(atlas.white, points)
    oedema = _soft_step(radius + finger - distance, edge) * white * (1 - whole)
    rim_value = rng.uniform(0.95, 1.15) * WHITE
    core_value = rng.uniform(CSF, 0.7 * GREY)
    oedema_value = rng.uniform(0.7 * GREY, 0.95 * GREY)

    t1 = _sample(atlas.t1, points)
    t1 += oedema * (oedema_value - t1)
    t1 += whole * (rim_value - t1)
    t1 += core * (core_value - t1)
    return t1, whole + oedema


def _white_matter_lesions(rng, atlas, grid, points, places):
    """Several dark spots in the white matter around the ventricles, at least three through every slice."""
    t1 = _sample(atlas.t1, points)
    white = _sample(atlas.white, points)
    membership = np.zeros_like(t1)
    allowed = _look_up(atlas.near_ventricle, places)
    for slice_ in range(SLICES):
        for centre in _pick(rng, allowed[slice_], places[:, slice_], rng.integers(3, 6)):
            radii = rng.uniform([4, 4, 4], [6, 7, 7])
            offset = points - _column(centre)
            distance = np.sqrt(np.sum((offset / _column(radii)) ** 2, 0))
            membership = np.maximum(membership, _soft_step((1 - distance) * radii.min(), 2.0))
    membership *= np.minimum(1.5 * white, 1)
    value = rng.uniform(CSF, 0.5 * GREY)
    return t1 + membership * (value - t1), membership


def _infarct(rng, atlas, grid, points, places):
    """Dark wedge of a vascular territory: its tip deep in one hemisphere, its base on the cortex."""
    t1 = _sample(atlas.t1, points)
    tissue = _sample(atlas.tissue, points)
    side = rng.choice([-1.0, 1.0])
    tip = np.array([CENTRE[0] + rng.uniform(-12, 12), CENTRE[1] + side * rng.uniform(16, 30)])
    direction = np.deg2rad(rng.uniform(-80, 80))  # 0: straight to the side; negative: to the front
    half_angle = np.deg2rad(rng.uniform(18, 30))
    y, x = points[1] - tip[0], side * (points[2] - tip[1])
    reach = np.hypot(y, x)
    angle = np.arctan2(y, x) - direction
    wobble = 3.0 * grid.smooth_field(rng, 14.0)
    to_edge = reach * np.sin(half_angle - np.minimum(np.abs(angle), half_angle + np.pi / 2)) + wobble
    to_tip = reach - rng.uniform(4, 18) + wobble
    height = rng.uniform(13, 22) - np.abs(points[0] - places[0].mean())
    width = rng.uniform(2, 5)
    membership = _soft_step(np.minimum(np.minimum(to_edge, to_tip), height), width) * tissue
    value = rng.uniform(CSF, 0.55 * GREY)
    kept = rng.uniform(0.05, 0.2)  # of the tissue's own pattern
    return t1 + membership * (1 - kept) * (value - t1), membership


_DRAW = {1: _mass, 2: _white_matter_lesions, 3: _infarct}


def simulate_patient(label: int, seed: tuple[int, ...], size: int):
    """One patient: images uint8 (slices, size, size), masks bool, MNI z of each slice in mm."""
    lesion, scanner, noise = (np.random.default_rng([*seed, step]) for step in (1, 2, 3))
    grid, atlas = _grid(size), _atlas(size)
    points, middle = _anatomy(seed, grid)
    if label == 0:
        t1, membership = _sample(atlas.t1, points), np.zeros(points.shape[1:])
    else:
        # Lesions are placed on the same grid for every size, so that a patient is the same one at every size.
        places = points if size == 64 else _anatomy(seed, _grid(64))[0]
        t1, membership = _DRAW[label](lesion, atlas, grid, points, places)
    t1 = np.clip(t1, 0, 1) ** scanner.uniform(0.85, 1.2) * scanner.uniform(0.6, 0.95)
    t1 *= np.exp(0.1 * grid.smooth_field(scanner, 80.0))
    sigma = scanner.uniform(0.008, 0.02)
    real, imaginary = sigma * noise.standard_normal((2, *t1.shape))
    image = np.hypot(t1 + real, imaginary)  # the magnitude of a complex signal: Rician noise
    return np.round(255 * np.clip(image, 0, 1)).astype(np.uint8), membership > 0.5, middle + grid.z


@lru_cache(maxsize=1)
def fingerprint() -> str:
    """Of what this generator makes, for results that rest on it: one patient of each class, 64 pixels. 1.5 s, once."""
    patients = [simulate_patient(label, (0, 0, label), 64) for label in range(len(CLASS_NAMES))]
    _atlas.cache_clear()
    return fingerprint_of(*(pictures for images, masks, _ in patients for pictures in (images, 255 * masks)))


def load(
    *, size: int | None = None, n_patients: int | None = None, n_test: int | None = None, seed: int = 0
) -> Dataset:
    """The dataset "brain-lesions", as `course_lib.data.load` describes it.

    Targets: "label" (0 healthy, 1 mass, 2 white-matter lesions, 3 infarct, the same for all slices of a
    patient), "lesion_area" (mm² of the slice, float32) and "slice_position" (MNI z in mm, float32; an input
    rather than a target: it lets you check that the position alone does not give the class away).
    In each split as many patients have one class as another, give or take one. No patient number occurs in the sets of
    two seeds.
    """
    size = 64 if size is None else size
    if size not in SIZES:
        raise ValueError(f"brain-lesions comes in {', '.join(map(str, SIZES))} pixels, not {size!r}.")
    known = Parts("brain-lesions", PATIENTS, MORE, BLOCK, "class")
    asked = known.asked(n_patients, n_test, seed, least=len(CLASS_NAMES))
    made = max(size, 64)  # the smallest size is the middle one with each 2×2 pixels made one

    def arrays(key, patients):
        n = len(patients) * SLICES
        return cached(
            "brain-lesions",
            f"brain-lesions-v{VERSION}-{SOURCE_HASH}-seed{seed}-{made}{key}.npz",
            {"images": (n, made, made), "masks": (n, made, made // 8), "positions": (n,)},
            partial(_simulate_all, seed, made, patients),
        )

    train, val, test = (_split(part, ids, size) for part, ids in known.read(asked, seed, arrays).values())
    return Dataset("brain-lesions", train, val, test, CLASS_NAMES, SOURCE, LICENCE, simulated=True)


def _split(cached_arrays, ids, size) -> Split:
    """The patients `ids` as one split of images with `size` pixels each way."""
    images, masks, positions = cached_arrays.values()
    masks = np.unpackbits(masks, axis=-1).astype(bool)
    area = masks.sum((1, 2), dtype=np.float32) * np.float32(FIELD_OF_VIEW / masks.shape[-1]) ** 2
    images = to_float(images)
    if size == 32:
        blocks = len(images), 32, 2, 32, 2
        images = images.reshape(*blocks, 1).mean((2, 4))
        masks = masks.reshape(blocks).max((2, 4))
    label = np.repeat(np.arange(len(ids)) % len(CLASS_NAMES), SLICES)
    targets = {"label": label, "lesion_area": area, "slice_position": positions}
    return Split(images, targets, groups=np.repeat(ids, SLICES), masks=masks)


def _simulate_all(seed: int, size: int, wanted: list[tuple[int, int]]) -> dict[str, np.ndarray]:
    """The wanted patients (place of the split, number): images uint8 (n, size, size), masks packed to bits (n, size,
    size / 8), positions in mm (n,), n slices."""
    patients = [(number % len(CLASS_NAMES), (seed, place, number), size) for place, number in wanted]
    _atlas(size), _grid(size)  # made once, before two threads ask for them
    with ThreadPoolExecutor(2) as pool:
        images, masks, positions = zip(*pool.map(lambda patient: simulate_patient(*patient), patients), strict=True)
    _atlas.cache_clear()  # 70 MB that are not needed again
    return {
        "images": np.concatenate(images),
        "masks": np.packbits(np.concatenate(masks), axis=-1),
        "positions": np.concatenate(positions).astype(np.float32),
    }
