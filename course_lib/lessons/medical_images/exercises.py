"""Exercises of the lesson on medical images as data."""

import numpy as np

from course_lib.exercises import Choice, Coding, Mistake, Wrong, progress

TOPIC = "medical_images"


# ---- hounsfield ---------------------------------------------------------------------------------


def _hounsfield(stored, slope, intercept):
    return stored.astype(float) * slope + intercept  # as fractions, so that no large number overflows


def _hounsfield_by_polynomial(stored, slope, intercept):
    return np.polyval([slope, intercept], stored.astype(np.float32))


def _hounsfield_by_loop(stored, slope, intercept):
    return np.array([slope * int(v) + intercept for v in stored.ravel()]).reshape(stored.shape)


def _hounsfield_inputs():
    return [
        (np.array([[128, 1024], [1074, 2191]], np.int16), 1.0, -1024.0),
        (np.array([[0, 24, 65535], [2000, 4095, 7]], np.uint16), 0.5, -1000.0),
        (np.array([-2000, 0, 35, 30000], np.int16), 2.0, 12.5),
        (np.array([[[200, 3]], [[0, 255]]], np.uint8), 3.0, -24.0),
    ]


hounsfield = Coding(
    topic=TOPIC,
    name="hounsfield",
    reference=_hounsfield,
    also_correct=(_hounsfield_by_polynomial, _hounsfield_by_loop),
    inputs=_hounsfield_inputs,
    mistakes=(
        Mistake(
            lambda stored, slope, intercept: (stored.astype(float) + intercept) * slope,
            "Your results are those of adding the intercept first and multiplying both by the slope. The slope belongs "
            "to the stored value alone.",
        ),
        Mistake(
            lambda stored, slope, intercept: stored.astype(float) * slope - intercept,
            "Your results are those of subtracting the intercept. It already carries its sign: in this CT it is negative.",
        ),
        Mistake(
            lambda stored, slope, intercept: stored.astype(float) * slope,
            "Your results are those without the intercept: water does not come out at zero.",
        ),
        Mistake(
            lambda stored, slope, intercept: stored.astype(float) + intercept,
            "Your results are those without the slope. It is 1 in this CT, but not in every file.",
        ),
        Mistake(
            lambda stored, slope, intercept: np.maximum(stored.astype(float) * slope + intercept, 0),
            "Your results are cut off below zero. Fat, lung and air are negative in Hounsfield units.",
        ),
    ),
    wrong=(
        Wrong(lambda stored, slope, intercept: stored * 1.0 - 1024, (np.array([[0, 8]], np.int16), 2.0, -1000.0)),
        Wrong(
            lambda stored, slope, intercept: (stored.astype(float) * slope + intercept).astype(int),
            (np.array([[1, 3]], np.int16), 0.5, -1000.0),
        ),
        Wrong(
            lambda stored, slope, intercept: np.clip(stored.astype(float) * slope + intercept, -1024, 3071),
            (np.array([[4, 30000]], np.int16), 1.0, -1024.0),
        ),
        Wrong(
            lambda stored, slope, intercept: (stored.astype(float) * slope + intercept).astype(stored.dtype),
            (np.array([[1, 5]], np.int16), 0.25, -1000.0),
        ),
        Wrong(
            lambda stored, slope, intercept: stored.astype(np.int16) * float(slope) + intercept,
            (np.array([[65000, 1]], np.uint16), 1.0, -1000.0),
        ),
        Wrong(
            lambda stored, slope, intercept: stored.astype(float) * intercept + slope,
            (np.array([[1, 2]], np.int16), 1.0, -1000.0),
        ),
        Wrong(
            lambda stored, slope, intercept: (stored.astype(float) * slope + intercept).ravel(),
            (np.array([[1, 2]], np.int16), 1.0, -1000.0),
        ),
        Wrong(
            lambda stored, slope, intercept: (stored.astype(float) - intercept) / slope,
            (np.array([[1, 2]], np.int16), 2.0, -1000.0),
        ),
    ),
    hints=(
        "It is the equation of a straight line.",
        "At the stored value 0 the result is the intercept; each step of 1 adds one slope.",
    ),
    why="Before this step a pixel is a number in a file; after it, it is a property of tissue.",
)


# ---- apply_window -------------------------------------------------------------------------------


def _apply_window(values, level, width):
    black = level - width / 2  # everything up to here is 0; from black + width on it is 1
    return np.clip((values - black) / width, 0, 1)


def _apply_window_by_interpolation(values, level, width):
    return np.interp(values, [level - width / 2, level + width / 2], [0, 1])


def _apply_window_inputs():
    return [
        (np.array([-1000.0, -160, -60, 40, 140, 240, 1167]), 40, 400),
        (np.linspace(-1100, 300, 15).reshape(3, 5), -600, 1500),
        (np.array([[-50.0, 0, 35.5], [80, 400, 3000]]), 400, 1800),
        (np.array([[-3, 0, 1, 2], [3, 4, 5, 9]], np.int16), 3, 5),
        (np.array([[0.1, 0.45, 0.5], [0.62, 0.7, 1.0]]), 0.5, 0.25),
    ]


apply_window = Coding(
    topic=TOPIC,
    name="apply_window",
    reference=_apply_window,
    also_correct=(
        _apply_window_by_interpolation,
        lambda values, level, width: np.minimum(np.maximum((values - level) / width + 0.5, 0), 1),
    ),
    inputs=_apply_window_inputs,
    mistakes=(
        Mistake(
            lambda values, level, width: (values - (level - width / 2)) / width,
            "Right inside the window. Outside it your result leaves the range from 0 to 1.",
        ),
        Mistake(
            lambda values, level, width: np.clip((values - level) / width, 0, 1),
            "Your results are those of a window that starts at the level. The level is its middle.",
        ),
        Mistake(
            lambda values, level, width: np.clip((values - (level - width)) / (2 * width), 0, 1),
            "Your results are those of a window twice as wide, which reaches a whole width to either side of the level.",
        ),
        Mistake(
            lambda values, level, width: np.clip((values - (width - level / 2)) / level, 0, 1),
            "Your results are those with level and width the wrong way round.",
        ),
        Mistake(
            lambda values, level, width: np.clip((values - (level - width / 2)) / width, 0, 1) * 255,
            "Your result runs up to 255. Here black is 0 and white is 1.",
        ),
        Mistake(
            lambda values, level, width: np.clip(((level + width / 2) - values) / width, 0, 1),
            "Your picture is a negative: the densest tissue comes out black.",
        ),
    ),
    wrong=(
        Wrong(
            lambda values, level, width: np.clip((values - (level - width // 2)) / width, 0, 1),
            (np.array([[0.0, 3, 5]]), 3, 5),
        ),
        Wrong(
            lambda values, level, width: np.clip((values - (level - width / 2)) / width, 0, 1).astype(values.dtype),
            (np.array([[1, 3, 4]], np.int16), 3, 5),
        ),
        Wrong(
            lambda values, level, width: np.clip((values - (level - 0.5 - (width - 1) / 2)) / (width - 1), 0, 1),
            (np.array([[1.0, 3, 4]]), 3, 5),
        ),
        Wrong(lambda values, level, width: (values - values.min()) / np.ptp(values), (np.array([[0.0, 3, 9]]), 3, 5)),
        Wrong(
            lambda values, level, width: np.where(
                np.abs(values - level) <= width / 2, (values - level) / width + 0.5, 0
            ),
            (np.array([[0.0, 3, 9]]), 3, 5),
        ),
        Wrong(
            lambda values, level, width: np.where(
                np.abs(values - level) <= width / 2, (values - level) / width + 0.5, np.nan
            ),
            (np.array([[0.0, 3, 9]]), 3, 5),
        ),
        Wrong(lambda values, level, width: (values > level).astype(float), (np.array([[0.0, 3, 4]]), 3, 5)),
        Wrong(
            lambda values, level, width: np.round(np.clip((values - level) / width + 0.5, 0, 1) * 255) / 255,
            (np.array([[1.0, 2.2, 4]]), 3, 5),
        ),
        Wrong(
            lambda values, level, width: 1 / (1 + np.exp(-4 * (values - level) / width)),
            (np.array([[1.0, 2.2, 4]]), 3, 5),
        ),
    ),
    hints=(
        "Which value becomes black, if the window is `width` wide and `level` is its middle?",
        "Subtract that value, divide by the width. What is missing for values outside?",
        "`np.clip(x, 0, 1)` cuts off at both ends.",
    ),
    why="A window is a choice of what to see: everything outside it is gone, for a network as for an eye.",
)


# ---- as_seen ------------------------------------------------------------------------------------


def _as_seen(picture, photometric, padding):
    if photometric == "MONOCHROME1":  # the smallest value is meant to be white
        picture = 1 - picture
    return np.where(padding, 0.0, picture)  # last, so that what lies outside is black in both cases


def _as_seen_by_places(picture, photometric, padding):
    seen = np.array(picture, float)
    if photometric.endswith("1"):
        seen = 1 - seen
    seen[padding] = 0
    return seen


def _as_seen_inputs():
    rng = np.random.default_rng(11)
    corner = np.zeros((2, 3), bool)
    corner[0, 0] = True
    picture = np.array([[0.0, 0.25, 1], [0.5, 0.75, 0]])
    return [
        (picture, "MONOCHROME1", corner),
        (picture, "MONOCHROME2", corner),
        (rng.random((4, 5)), "MONOCHROME1", rng.random((4, 5)) < 0.3),
        (rng.uniform(0.1, 0.5, (3, 3)), "MONOCHROME1", np.zeros((3, 3), bool)),
        (rng.uniform(0.1, 0.5, (3, 2)), "MONOCHROME2", np.ones((3, 2), bool)),
        (rng.random((5, 3)), "MONOCHROME2", rng.random((5, 3)) < 0.3),
        (np.array([[0, 1, 1], [1, 0, 1]]), "MONOCHROME1", corner),
    ]


as_seen = Coding(
    topic=TOPIC,
    name="as_seen",
    reference=_as_seen,
    also_correct=(
        _as_seen_by_places,
        lambda picture, photometric, padding: (
            np.abs(picture - (1.0 if photometric == "MONOCHROME1" else 0.0)) * (1 - padding)
        ),
    ),
    inputs=_as_seen_inputs,
    mistakes=(
        Mistake(
            lambda picture, photometric, padding: np.where(padding, 0, picture),
            "Your results are those of a picture that is never inverted. What does MONOCHROME1 say about small values?",
        ),
        Mistake(
            lambda picture, photometric, padding: np.where(padding, 0, 1 - picture),
            "Your results are those of a picture that is always inverted. MONOCHROME2 is right as it is.",
        ),
        Mistake(
            lambda picture, photometric, padding: (
                1 - np.where(padding, 0, picture) if photometric == "MONOCHROME1" else np.where(padding, 0, picture)
            ),
            "With MONOCHROME1 your padding comes out white, as if it had been set to 0 before the picture was inverted.",
        ),
        Mistake(
            lambda picture, photometric, padding: 1 - picture if photometric == "MONOCHROME1" else picture,
            "The polarity is right. The padding still has the grey that its stored value happened to get.",
        ),
        Mistake(
            lambda picture, photometric, padding: np.where(
                padding, 0, 1 - picture if photometric == "MONOCHROME2" else picture
            ),
            "Your results have the two kinds exchanged. In MONOCHROME1 the smallest value is white.",
        ),
    ),
    wrong=(
        Wrong(
            lambda picture, photometric, padding: np.where(
                padding, 0, picture.max() - picture if photometric == "MONOCHROME1" else picture
            ),
            (np.array([[0.2, 0.4]]), "MONOCHROME1", np.array([[False, False]])),
        ),
        Wrong(
            lambda picture, photometric, padding: np.where(
                padding, 0, 255 - picture if photometric == "MONOCHROME1" else picture
            ),
            (np.array([[0.2, 0.4]]), "MONOCHROME1", np.array([[False, True]])),
        ),
        Wrong(
            lambda picture, photometric, padding: np.where(
                padding, 0, -picture if photometric == "MONOCHROME1" else picture
            ),
            (np.array([[0.2, 0.4]]), "MONOCHROME1", np.array([[False, True]])),
        ),
        Wrong(
            lambda picture, photometric, padding: np.where(
                ~padding, 0, 1 - picture if photometric == "MONOCHROME1" else picture
            ),
            (np.array([[0.2, 0.4]]), "MONOCHROME1", np.array([[False, True]])),
        ),
        Wrong(
            lambda picture, photometric, padding: np.where(
                padding, np.nan, 1 - picture if photometric == "MONOCHROME1" else picture
            ),
            (np.array([[0.2, 0.4]]), "MONOCHROME1", np.array([[False, True]])),
        ),
        Wrong(
            lambda picture, photometric, padding: (1 - picture if photometric == "MONOCHROME1" else picture)[~padding],
            (np.array([[0.2, 0.4]]), "MONOCHROME1", np.array([[False, True]])),
        ),
        Wrong(
            lambda picture, photometric, padding: np.where(
                padding, 0, picture[:, ::-1] if photometric == "MONOCHROME1" else picture
            ),
            (np.array([[0.2, 0.4]]), "MONOCHROME1", np.array([[False, False]])),
        ),
        Wrong(
            lambda picture, photometric, padding: np.where(
                padding, 0, 1 - picture if photometric == "MONOCHROME1" and not padding.any() else picture
            ),
            (np.array([[0.2, 0.4]]), "MONOCHROME1", np.array([[False, True]])),
        ),
        Wrong(
            lambda picture, photometric, padding: np.where(
                padding, 1, 1 - picture if photometric == "MONOCHROME1" else picture
            ),
            (np.array([[0.2, 0.4]]), "MONOCHROME1", np.array([[False, True]])),
        ),
    ),
    hints=(
        "There are two questions: is the picture a negative, and which pixels lie outside of it?",
        "In a picture from 0 to 1, `1 - picture` exchanges black and white.",
        "`np.where(mask, a, b)` takes a where the mask is True, else b. Does the padding come before or after inverting?",
    ),
    why="Now a chest radiograph of either kind looks as a radiologist, and the network's training images, show it.",
)


# ---- which_window -------------------------------------------------------------------------------

which_window = Choice(
    topic=TOPIC,
    name="which_window",
    answer="d",
    replies={
        "a": "Both lie inside this window, 150 units apart: a tenth of its width, a small but visible step.",
        "b": "Both lie inside this window and half its width apart: dark grey and light grey.",
        "c": "Both lie inside this window, a tenth of its width apart: not much, but not the same.",
        "d": "Both lie above level + width/2, so both are white: the difference is no longer in the picture.",
    },
    hints=("At which value does this window reach white? Everything above it looks the same.",),
)


# ---- sort_slices --------------------------------------------------------------------------------


def _sort_slices(positions, orientation):
    normal = np.cross(orientation[:3], orientation[3:])  # at right angles to rows and columns
    along = positions @ normal  # mm, for each slice
    order = np.argsort(along)
    return order, np.diff(along[order]).mean()


def _sort_slices_by_ends(positions, orientation):
    (a, b, c), (d, e, f) = orientation[:3], orientation[3:]
    normal = [b * f - c * e, c * d - a * f, a * e - b * d]
    along = [sum(p * n for p, n in zip(place, normal, strict=True)) for place in positions]
    order = sorted(range(len(along)), key=lambda k: along[k])
    return np.array(order), (max(along) - min(along)) / (len(along) - 1)


_AXIAL = np.array([1.0, 0, 0, 0, 1, 0])
_GAP = (np.array([[-72, -143, z] for z in (4.0, 10, 0, 2)]), _AXIAL)  # steps of 2, 2 and 6 mm
_GAP_IN_FRONT = (np.array([[7.5, y, 30] for y in (-8.0, -15, -10, -6)]), np.array([1.0, 0, 0, 0, 0, -1]))
# The table moves along z and the slices are tilted, so that they also slide past each other.
_TILTED_GANTRY = (np.array([[5.0, -90, z] for z in (16, 10, 13, 19)]), np.array([1, 0, 0, 0, np.cos(0.3), np.sin(0.3)]))
_SLIDING = (np.array([[2.0, 0, 4], [0, 0, 0], [1, 0, 2]]), _AXIAL)


def _sort_slices_inputs():
    c, s = np.cos(0.4), np.sin(0.4)
    tilted = np.array([1, 0, 0, 0, c, s])
    along = np.array([6.0, 0, 9, 3, 12])[:, None] * np.cross(tilted[:3], tilted[3:])
    coronal = np.array([1.0, 0, 0, 0, 0, -1])
    sagittal = np.array([0.0, 1, 0, 0, 0, -1])
    start = np.array([-90.0, 40, -15])
    return [
        (np.array([[-72, -143, 6.5], [-72, -143, 1.5], [-72, -143, 4.0]]), np.array([1.0, 0, 0, 0, 1, 0])),
        (start + along, tilted),
        (start + np.array([0, 4, 2, -2])[:, None] * np.array([0.0, 1, 0]), coronal),
        (start + np.array([1.5, 0, -1.5])[:, None] * np.array([1.0, 0, 0]), sagittal),
        (np.array([[0, 0, -8], [0, 0, -18], [0, 0, -28], [0, 0, 2]]), np.array([1, 0, 0, 0, 1, 0])),
        *(_GAP, _GAP_IN_FRONT, _TILTED_GANTRY, _SLIDING),
    ]


def _along_z(positions, orientation):
    order = np.argsort(positions[:, 2])
    return order, np.diff(positions[order, 2]).mean()


def _distance_of(measure):
    """The answer with the right order, whose distance is measure(positions in this order, their places along the normal)."""

    def answer(positions, orientation):
        along = positions @ np.cross(orientation[:3], orientation[3:])
        order = np.argsort(along)
        return order, measure(positions[order], along[order])

    return answer


def _straight(positions, along):
    return np.linalg.norm(np.diff(positions, axis=0), axis=1).mean()


def _along_main_axis(positions, orientation):
    normal = np.cross(orientation[:3], orientation[3:])
    axis = np.argmax(np.abs(normal))
    along = positions[:, axis] * np.sign(normal[axis])
    order = np.argsort(along)
    return order, np.diff(along[order]).mean() / np.abs(normal[axis])


def _with_normal(positions, normal):
    along = positions @ normal
    order = np.argsort(along)
    return order, np.diff(along[order]).mean()


sort_slices = Coding(
    topic=TOPIC,
    name="sort_slices",
    reference=_sort_slices,
    also_correct=(_sort_slices_by_ends, lambda positions, orientation: list(_sort_slices(positions, orientation))),
    inputs=_sort_slices_inputs,
    mistakes=(
        Mistake(
            _along_z,
            "Your results are those of sorting by z. That serves axial slices alone; these inputs hold other ones, and "
            "slices that are tilted.",
        ),
        Mistake(
            lambda positions, orientation: (
                _sort_slices(positions, orientation)[0][::-1],
                _sort_slices(positions, orientation)[1],
            ),
            "The distance is right, the order is the reverse, as with the normal Y × X. The order has to follow X × Y.",
        ),
        Mistake(
            lambda positions, orientation: (
                np.argsort(_sort_slices(positions, orientation)[0]),
                _sort_slices(positions, orientation)[1],
            ),
            "Your results say for each slice which place it gets. The task asks for the opposite: for each place, the slice that belongs there.",
        ),
        Mistake(
            lambda positions, orientation: (
                _sort_slices(positions, orientation)[0],
                np.ptp(positions @ np.cross(orientation[:3], orientation[3:])) / len(positions),
            ),
            "Your distances are those of the whole length divided by the number of slices. Between n slices there are "
            "n − 1 gaps.",
        ),
        Mistake(
            _distance_of(lambda positions, along: along[1] - along[0]),
            "The order is right. Your distances are those between the first two slices; elsewhere a slice may be missing, "
            "so take the mean over all steps.",
        ),
        Mistake(
            _distance_of(_straight),
            "The order is right. Your distances are straight lines from one Image Position to the next. Slices may slide "
            "past each other as well: only the part along the normal counts.",
        ),
    ),
    wrong=(
        Wrong(_distance_of(lambda positions, along: np.median(np.diff(along))), _GAP),
        Wrong(_distance_of(lambda positions, along: np.diff(along).min()), _GAP),
        Wrong(_distance_of(lambda positions, along: along[-1] - along[-2]), _GAP),
        Wrong(
            _distance_of(lambda positions, along: np.linalg.norm(positions[-1] - positions[0]) / (len(along) - 1)),
            _TILTED_GANTRY,
        ),
        Wrong(_along_main_axis, _TILTED_GANTRY),
        Wrong(
            lambda positions, orientation: (np.arange(len(positions)), _sort_slices(positions, orientation)[1]),
            (np.array([[0.0, 0, 4], [0, 0, 2], [0, 0, 0]]), np.array([1.0, 0, 0, 0, 1, 0])),
        ),
        Wrong(
            lambda positions, orientation: (_sort_slices(positions, orientation)[0], 2.5),
            (np.array([[0.0, 0, 4], [0, 0, 2], [0, 0, 0]]), np.array([1.0, 0, 0, 0, 1, 0])),
        ),
        Wrong(
            lambda positions, orientation: (
                _sort_slices(positions, orientation)[0],
                np.linalg.norm(positions[1] - positions[0]),
            ),
            (np.array([[0.0, 0, 4], [0, 0, 0], [0, 0, 2]]), np.array([1.0, 0, 0, 0, 1, 0])),
        ),
        Wrong(
            lambda positions, orientation: _with_normal(positions, np.array(orientation[3:])),
            (np.array([[0.0, 0, 4], [0, 0, 0], [0, 0, 2]]), np.array([1.0, 0, 0, 0, 1, 0])),
        ),
        Wrong(
            lambda positions, orientation: _with_normal(positions, np.abs(np.cross(orientation[:3], orientation[3:]))),
            (np.array([[4.0, 0, 0], [0, 0, 0], [2, 0, 0]]), np.array([0.0, 1, 0, 0, 0, -1])),
        ),
        Wrong(
            lambda positions, orientation: (
                np.argsort(np.linalg.norm(positions, axis=1)),
                _sort_slices(positions, orientation)[1],
            ),
            (np.array([[0.0, 0, -4], [0, 0, 0], [0, 0, -2]]), np.array([1.0, 0, 0, 0, 1, 0])),
        ),
        Wrong(
            lambda positions, orientation: (
                _sort_slices(positions, orientation)[0],
                -_sort_slices(positions, orientation)[1],
            ),
            (np.array([[0.0, 0, 4], [0, 0, 0], [0, 0, 2]]), np.array([1.0, 0, 0, 0, 1, 0])),
        ),
        Wrong(
            lambda positions, orientation: (
                _sort_slices(positions, orientation)[0],
                np.diff(positions @ np.cross(orientation[:3], orientation[3:])).mean(),
            ),
            (np.array([[0.0, 0, 4], [0, 0, 0], [0, 0, 2]]), np.array([1.0, 0, 0, 0, 1, 0])),
        ),
        Wrong(
            lambda positions, orientation: (
                _sort_slices(positions, orientation)[0],
                np.round(_sort_slices(positions, orientation)[1]),
            ),
            (np.array([[0.0, 0, 5], [0, 0, 0], [0, 0, 2.5]]), np.array([1.0, 0, 0, 0, 1, 0])),
        ),
    ),
    hints=(
        "The normal stands at right angles to a row and a column: `np.cross(X, Y)`.",
        "`positions @ normal` says how far along the normal each slice lies.",
        "`np.argsort` gives the order; the mean of `np.diff` of the sorted places is the distance.",
    ),
    why="Neither the file's name nor the slice's thickness was needed: position and orientation say it.",
)


# ---- lesion_volume ------------------------------------------------------------------------------


def _lesion_volume(mask, spacing):
    voxel = np.prod(spacing)  # mm³ in one voxel
    return float(mask.sum() * voxel / 1000)  # 1000 mm³ are one millilitre


def _lesion_volume_in_centimetres(mask, spacing):
    depth, height, width = (mm / 10 for mm in spacing)
    return np.count_nonzero(mask) * depth * height * width


def _lesion_volume_inputs():
    rng = np.random.default_rng(3)
    box = np.zeros((4, 20, 20), bool)
    box[1:3, 5:15, 5:15] = True
    small = np.zeros((2, 2, 3), bool)
    small[1, :, 2] = small[0, 0, 0] = True
    return [
        (small, (5.0, 2.0, 0.5)),
        (box, (5.0, 0.5, 0.5)),
        (rng.random((6, 12, 10)) < 0.3, (3.0, 0.7, 0.9)),
        (np.zeros((3, 8, 8), bool), (1.0, 1.0, 1.0)),
        (rng.random((5, 4, 6)) < 0.6, (2, 10, 3)),
        (np.ones((70, 40, 30), bool), (1.25, 0.488281, 0.488281)),
    ]


lesion_volume = Coding(
    topic=TOPIC,
    name="lesion_volume",
    reference=_lesion_volume,
    also_correct=(
        _lesion_volume_in_centimetres,
        lambda mask, spacing: sum(map(bool, mask.ravel().tolist())) * spacing[0] * spacing[1] * spacing[2] * 1e-3,
    ),
    inputs=_lesion_volume_inputs,
    integers=False,
    mistakes=(
        Mistake(
            lambda mask, spacing: mask.sum() * np.prod(spacing),
            "Your results are volumes in cubic millimetres. How many of them are one millilitre?",
        ),
        Mistake(
            lambda mask, spacing: mask.sum() / 1000,
            "Your results are those of voxels of one cubic millimetre each. Use the spacing.",
        ),
        Mistake(
            lambda mask, spacing: int(mask.sum()),
            "Your results are numbers of voxels. How large is one of them?",
        ),
        Mistake(
            lambda mask, spacing: mask.sum() * spacing[1] * spacing[2] / 1000,
            "Your results use the spacing inside a slice only. A voxel also has a depth.",
        ),
        Mistake(
            lambda mask, spacing: mask.sum() * np.prod(spacing) / 10,
            "Centimetres are ten millimetres, but this is a volume: the ten counts once for each axis.",
        ),
        Mistake(
            lambda mask, spacing: mask.sum() * np.mean(spacing) ** 3 / 1000,
            "Your results are those of a cube of the mean spacing. A voxel is a box with three different sides.",
        ),
    ),
    wrong=(
        Wrong(lambda mask, spacing: mask.size * np.prod(spacing) / 1000, (np.eye(3)[None] > 0, (2.0, 1.0, 1.0))),
        Wrong(
            lambda mask, spacing: np.round(mask.sum() * np.prod(spacing) / 1000), (np.eye(3)[None] > 0, (2.0, 1.0, 1.0))
        ),
        Wrong(lambda mask, spacing: mask.sum() * spacing[0] ** 3 / 1000, (np.eye(3)[None] > 0, (2.0, 1.0, 1.0))),
        Wrong(
            lambda mask, spacing: mask.sum() * spacing[0] * spacing[1] ** 2 / 1000,
            (np.eye(3)[None] > 0, (2.0, 1.0, 3.0)),
        ),
        Wrong(lambda mask, spacing: mask.sum() * sum(spacing) / 1000, (np.eye(3)[None] > 0, (2.0, 1.0, 4.0))),
        Wrong(lambda mask, spacing: mask[0].sum() * np.prod(spacing) / 1000, (np.ones((2, 2, 2), bool), (2, 1, 1))),
        Wrong(lambda mask, spacing: (~mask).sum() * np.prod(spacing) / 1000, (np.eye(3)[None] > 0, (2.0, 1.0, 1.0))),
        Wrong(
            lambda mask, spacing: mask.sum() * np.prod(np.round(spacing)) / 1000,
            (np.ones((2, 2, 2), bool), (2, 0.7, 1)),
        ),
        Wrong(
            lambda mask, spacing: mask.sum() / mask.size * np.prod(spacing) / 1000,
            (np.ones((2, 2, 2), bool), (2, 1, 1)),
        ),
        Wrong(
            lambda mask, spacing: (
                np.prod([np.ptp(axis) + 1 if len(axis) else 0 for axis in np.nonzero(mask)]) * np.prod(spacing) / 1000
            ),
            (np.eye(3)[None] > 0, (2.0, 1.0, 1.0)),
        ),
    ),
    hints=(
        "How many cubic millimetres is one voxel of 5 × 0.5 × 0.5 mm?",
        "Count the voxels of the mask, and multiply by the volume of one.",
        "One millilitre is one cubic centimetre: 10 × 10 × 10 mm.",
    ),
    why="The same mask is another volume at another spacing: an array without its spacing cannot be measured.",
)


# ---- still_identifying --------------------------------------------------------------------------

still_identifying = Choice(
    topic=TOPIC,
    name="still_identifying",
    answer="d",
    replies={
        "a": "It can: whoever has access to the hospital's archive finds the study by it. But look at the others too.",
        "b": "It can: few people were scanned in one place at that minute. But look at the others too.",
        "c": "It can, and no change of the header touches it. But look at the others too.",
        "d": "Each of them can. That is why one says de-identified, and states how, rather than anonymous.",
    },
    hints=("For each of them ask: what would somebody need to know already, in order to find the person?",),
)


# ---- standardise --------------------------------------------------------------------------------


def _standardise(train, test):
    mean, std = train.mean(), train.std()
    return (train - mean) / std, (test - mean) / std  # the test images are measured with the training's ruler


def _standardise_with_numpy_functions(train, test):
    centre, spread = np.mean(train), np.sqrt(np.var(train))
    return [(split - centre) / spread for split in (train, test)]


def _standardise_inputs():
    rng = np.random.default_rng(5)
    train = rng.uniform(0, 0.8, (5, 4, 4)) * rng.uniform(0.5, 1.5, (5, 1, 1))
    with_background = rng.uniform(0, 0.8, (6, 5, 4))
    with_background[:, :, 0] = 0.1  # a column that never varies
    unseen = rng.uniform(0, 0.8, (2, 5, 4))
    unseen[0, 0, 0] = 0.6
    return [
        (np.array([[[0.0, 2], [4, 6]]]), np.array([[[3.0, 9], [-1, 3]]])),
        (train, rng.uniform(0.1, 1.2, (3, 4, 4))),
        (rng.normal(3, 2, (4, 6, 5)), rng.normal(9, 5, (2, 6, 5))),
        (with_background, unseen),
        (rng.integers(-1000, 1200, (4, 3, 5)), rng.integers(-900, 3000, (4, 3, 5))),
        (rng.normal(0, 1e-3, (3, 4, 2)), rng.normal(0, 1e-3, (7, 4, 2))),
    ]


def _each_with(statistics, train, test):
    return tuple((split - statistics(split)[0]) / statistics(split)[1] for split in (train, test))


def _standardise_pooled(train, test):
    both = np.concatenate([train, test])
    return tuple((split - both.mean()) / both.std() for split in (train, test))


standardise = Coding(
    topic=TOPIC,
    name="standardise",
    reference=_standardise,
    also_correct=(
        _standardise_with_numpy_functions,
        lambda train, test: [(split.astype(float) - train.mean()) / train.std() for split in (train, test)],
    ),
    inputs=_standardise_inputs,
    mistakes=(
        Mistake(
            _standardise_pooled,
            "Your results are those of statistics over both splits together, so that the training images depend on the "
            "test images: a leak.",
        ),
        Mistake(
            lambda train, test: _each_with(lambda split: (split.mean(), split.std()), train, test),
            "Your results are those of each split with its own statistics. Then the test images look as if they came from the same scanner, "
            "whether they do or not.",
        ),
        Mistake(
            lambda train, test: _each_with(
                lambda split: (split.mean((1, 2), keepdims=True), split.std((1, 2), keepdims=True)), train, test
            ),
            "Your results are those of scaling every image by itself. That is a method too, but here one mean and one standard deviation serve "
            "for all images.",
        ),
        Mistake(
            lambda train, test: tuple((split - train.mean()) / train.var() for split in (train, test)),
            "Your results are those of dividing by the variance. Divide by its square root, so that the result has a spread of one.",
        ),
        Mistake(
            lambda train, test: ((train - train.mean()) / train.std(), test),
            "Your test images come out as they went in: they were left alone, or scaled by statistics of images that were "
            "already standardised. Take both numbers before you change anything.",
        ),
        Mistake(
            lambda train, test: tuple((split - train.mean(0)) / train.std(0) for split in (train, test)),
            "Your results are those of a mean for every pixel place. Here one mean over all images and pixels is asked for.",
        ),
    ),
    wrong=(
        Wrong(
            lambda train, test: tuple((split - train.mean()) / train.std(ddof=1) for split in (train, test)),
            (np.arange(4.0).reshape(1, 2, 2), np.ones((1, 2, 2))),
        ),
        Wrong(
            lambda train, test: tuple(split - train.mean() for split in (train, test)),
            (np.arange(4.0).reshape(1, 2, 2), np.ones((1, 2, 2))),
        ),
        Wrong(
            lambda train, test: tuple((split - train.mean()) / (train.std() + 1e-2) for split in (train, test)),
            (np.arange(4.0).reshape(1, 2, 2) / 100, np.ones((1, 2, 2))),
        ),
        Wrong(
            lambda train, test: tuple((split - train.min()) / np.ptp(train) for split in (train, test)),
            (np.arange(4.0).reshape(1, 2, 2), np.ones((1, 2, 2))),
        ),
        Wrong(
            lambda train, test: tuple((split - np.median(train)) / train.std() for split in (train, test)),
            (np.array([[[0.0, 0, 9]]]), np.ones((1, 1, 3))),
        ),
        Wrong(
            lambda train, test: tuple((split - test.mean()) / test.std() for split in (train, test)),
            (np.arange(4.0).reshape(1, 2, 2), np.arange(4.0).reshape(1, 2, 2) * 3),
        ),
        Wrong(
            lambda train, test: tuple((split - train.mean()) / train.std() for split in (test, train)),
            (np.arange(4.0).reshape(1, 2, 2), np.arange(4.0).reshape(1, 2, 2) * 3),
        ),
        Wrong(
            lambda train, test: tuple(np.clip((split - train.mean()) / train.std(), -3, 3) for split in (train, test)),
            (np.arange(4.0).reshape(1, 2, 2), np.full((1, 2, 2), 50.0)),
        ),
        Wrong(
            lambda train, test: tuple((split - train[0].mean()) / train[0].std() for split in (train, test)),
            (np.arange(8.0).reshape(2, 2, 2) ** 2, np.ones((1, 2, 2))),
        ),
        Wrong(
            lambda train, test: tuple(
                (split - train.mean(2, keepdims=True).mean()) / train.std(0).mean() for split in (train, test)
            ),
            (np.arange(8.0).reshape(2, 2, 2) ** 2, np.ones((1, 2, 2))),
        ),
    ),
    hints=(
        "Two numbers are needed. Which images may they be computed from?",
        "Compute them once, before you touch the test images, and use them twice.",
    ),
    why="The training split sets the ruler. If the test images come from elsewhere, their scores now show it.",
)


# ---- whose_statistics ---------------------------------------------------------------------------

whose_statistics = Choice(
    topic=TOPIC,
    name="whose_statistics",
    answer="c",
    replies={
        "a": "Then the result for one patient would depend on who else came on that day.",
        "b": "The test split has served its purpose when the model was evaluated; the network never learned its units.",
        "c": "The network learned in these units. They are stored with it and stay fixed, like its weights.",
        "d": "The change would be tiny, but every patient would change the result of all later ones.",
    },
    hints=("Which two numbers were used while the network learned?",),
)


# ---- split_by_patient ---------------------------------------------------------------------------


def _split_by_patient(groups, fraction, seed):
    patients = np.random.default_rng(seed).permutation(np.unique(groups))
    chosen = patients[: round(fraction * len(patients))]
    in_test = np.isin(groups, chosen)  # an image goes where its patient goes
    return np.flatnonzero(~in_test), np.flatnonzero(in_test)


def _split_with_scikit_learn(groups, fraction, seed):
    from sklearn.model_selection import GroupShuffleSplit

    splitter = GroupShuffleSplit(n_splits=1, test_size=fraction, random_state=seed)
    return next(splitter.split(groups, groups=groups))


def _split_by_sampling(groups, fraction, seed):
    import random

    patients = sorted(set(groups.tolist()))
    chosen = set(random.Random(seed).sample(patients, round(fraction * len(patients))))
    test = [i for i, group in enumerate(groups.tolist()) if group in chosen]
    return sorted(set(range(len(groups))) - set(test)), test


_NINE = (np.repeat(np.arange(9), 3), 0.3, 4)  # 2.7 patients: three, and not two


def _split_inputs():
    rng = np.random.default_rng(8)
    four_each = np.repeat(np.arange(20), 4)
    uneven = rng.permutation(np.repeat(np.arange(100, 140), rng.integers(1, 9, 40)))
    gaps = rng.permutation(np.repeat(rng.permutation(1000)[:16], rng.integers(1, 5, 16)))
    small = (np.array([7, 7, 3, 9, 3, 5, 9, 9]), 0.5, 3)
    return [small, *((four_each, 0.25, seed) for seed in (0, 1, 2, 3, 0)), *((uneven, 0.2, seed) for seed in (0, 5, 1)),
            (uneven, 0.3, 6), (uneven, 0.3, 7), (gaps, 0.5, 11), (gaps, 0.5, 12), _NINE]  # fmt: skip


def _split_accept(result, groups, fraction, seed):
    if not isinstance(result, tuple | list) or len(result) != 2:
        return "the function must return two arrays: the indices of the training and of the test images."
    train, test = (np.asarray(part) for part in result)
    if train.dtype.kind not in "iu" or test.dtype.kind not in "iu":
        return "the two arrays must hold whole numbers, the indices of images (`np.flatnonzero` turns True/False into them)."
    both = np.concatenate([train, test])
    if not np.array_equal(np.sort(both), np.arange(len(groups))):
        return "the two parts together must hold the index of every image exactly once."
    shared = np.intersect1d(groups[train], groups[test])
    if len(shared):
        return f"{len(shared)} of {len(np.unique(groups))} patients have images on both sides."
    patients, chosen = np.unique(groups), np.unique(groups[test])
    if len(chosen) != round(fraction * len(patients)):
        return (
            f"{len(chosen)} of {len(patients)} patients are in the test part; the fraction asked for was {fraction}, which "
            f"makes {fraction * len(patients):.3g} of them, to be rounded."
        )
    return None


def _split_accept_all(results, inputs):
    """Chance, from the seed: the same seed twice agrees, others differ, and no seed takes neighbours as a rule."""
    tests = {}
    for (_, test), (groups, fraction, seed) in zip(results, inputs, strict=True):
        patients = np.unique(groups)
        chosen = tuple(np.isin(patients, groups[np.asarray(test, int)]))
        known = tests.setdefault((len(groups), fraction), {})
        if known.setdefault(seed, chosen) != chosen:
            return "The same groups with the same seed twice gave two splits. Draw with `np.random.default_rng(seed)`."
    many = [list(known.values()) for known in tests.values() if len(known) > 1]
    if any(len(set(splits)) < len(splits) for splits in many):
        return "Different seeds gave the same split. Use the seed, and nothing but the seed, for the drawing."
    drawn = [np.array(split) for splits in many for split in splits]
    blocks = [(np.diff(np.r_[split, split[:1]].astype(int)) != 0).sum() <= 2 for split in drawn]
    if sum(blocks) > len(blocks) // 2:
        return "The test parts hold neighbouring patient numbers. Shuffle the patients with the seed."
    steps = [len(np.unique(np.diff(np.flatnonzero(split)))) <= 1 for split in drawn]
    if sum(steps) > len(steps) // 2:
        return "The patients of the test parts lie at equal distances from each other. Shuffle them with the seed."
    return None


def _split_by_image(groups, fraction, seed):
    order = np.random.default_rng(seed).permutation(len(groups))
    n_test = round(fraction * len(groups))
    return np.sort(order[n_test:]), np.sort(order[:n_test])


def _split_first_patients(groups, fraction, seed):
    patients = np.unique(groups)
    in_test = np.isin(groups, patients[: round(fraction * len(patients))])
    return np.flatnonzero(~in_test), np.flatnonzero(in_test)


def _split_into_patients(groups, fraction, seed):
    patients = np.random.default_rng(seed).permutation(np.unique(groups))
    n_test = round(fraction * len(patients))
    return patients[n_test:], patients[:n_test]


def _chosen(groups, fraction, choose):
    patients = np.unique(groups)
    in_test = np.isin(groups, choose(patients, round(fraction * len(patients))))
    return np.flatnonzero(~in_test), np.flatnonzero(in_test)


def _split_with_replacement(groups, fraction, seed):
    return _chosen(groups, fraction, lambda patients, n: np.random.default_rng(seed).choice(patients, n))


def _cut_off(fraction, seed):
    """A choice of patients whose number is cut off instead of rounded."""
    return lambda patients, n: np.random.default_rng(seed).permutation(patients)[: int(fraction * len(patients))]


_SEEDS = [(np.repeat(np.arange(20), 4), 0.25, seed) for seed in (0, 1, 2, 3, 4, 0)]


split_by_patient = Coding(
    topic=TOPIC,
    name="split_by_patient",
    reference=_split_by_patient,
    also_correct=(_split_with_scikit_learn, _split_by_sampling),
    inputs=_split_inputs,
    accept=_split_accept,
    accept_all=_split_accept_all,
    mistakes=(
        Mistake(
            _split_by_image,
            "Your results are those of shuffling images, so that patients end up on both sides. Shuffle patients.",
        ),
        Mistake(
            _split_first_patients,
            "Your results are those of taking the first patients as they come. Numbers are often given by date or hospital: shuffle them.",
        ),
        Mistake(
            _split_into_patients,
            "Your results are numbers of patients. What is needed are the indices of their images.",
        ),
        Mistake(
            lambda groups, fraction, seed: _split_by_patient(groups, fraction, seed)[::-1],
            "The two parts are the wrong way round: the training images come first.",
        ),
    ),
    wrong=(
        Wrong(_split_with_replacement, (np.repeat(np.arange(20), 2), 0.5, 3)),
        Wrong(lambda groups, fraction, seed: _chosen(groups, fraction, _cut_off(fraction, seed)), _NINE),
        Wrong(lambda groups, fraction, seed: _split_by_patient(groups, fraction, 42), _SEEDS),
        Wrong(lambda groups, fraction, seed: _split_by_patient(groups, fraction, seed % 2), _SEEDS),
        Wrong(lambda groups, fraction, seed: _split_by_patient(groups, fraction, None), _SEEDS),
        Wrong(lambda groups, fraction, seed: _chosen(groups, fraction, lambda p, n: p[3 : 3 + n]), _SEEDS),
        Wrong(lambda groups, fraction, seed: _chosen(groups, fraction, lambda p, n: p[:: len(p) // n][:n]), _SEEDS),
        Wrong(
            lambda groups, fraction, seed: _chosen(groups, fraction, lambda p, n: np.roll(p, -7 * seed - 1)[:n]), _SEEDS
        ),
        Wrong(lambda groups, fraction, seed: _split_by_patient(groups, 0.25, seed), (np.arange(20), 0.5, 3)),
        Wrong(lambda groups, fraction, seed: _split_by_patient(groups, 1 - fraction, seed), (np.arange(20), 0.2, 3)),
        Wrong(
            lambda groups, fraction, seed: tuple(
                np.unique(groups[part], return_index=True)[1] for part in _split_by_patient(groups, fraction, seed)
            ),
            (np.repeat(np.arange(20), 2), 0.2, 3),
        ),
    ),
    hints=(
        "First draw patients, then find their images.",
        "`np.unique(groups)` lists the patients; `np.random.default_rng(seed).permutation(…)` shuffles them.",
        "`np.isin(groups, chosen)` says for each image whether its patient was drawn; `np.flatnonzero` gives indices.",
    ),
    why="No patient can now be recognised by the network in the test. Nearly every split in medicine has to be like this.",
)


# ---- left_or_right ------------------------------------------------------------------------------

left_or_right = Choice(
    topic=TOPIC,
    name="left_or_right",
    answer="b",
    replies={
        "a": "Ours let every mirrored image pass; a better one would still guess wrong for a heart that lies on the right.",
        "b": "Image Orientation says towards which side column numbers grow. It is right as long as both stay together.",
        "c": "The halves differ a little on average, but not in everyone in the same way: one image does not tell its sides by it.",
        "d": "If it is burnt into the pixels, it is mirrored too and can be noticed; many images carry no such letter.",
    },
    hints=("Where does a file say where the patient's left is?",),
)
