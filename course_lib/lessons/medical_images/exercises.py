"""Exercises of the lesson on medical images as data."""

import numpy as np

from course_lib.exercises import Choice, Coding, Mistake, progress

TOPIC = "medical_images"


# ---- hounsfield ---------------------------------------------------------------------------------


def _hounsfield(stored, slope, intercept):
    return stored * slope + intercept  # the order matters: first the slope, then the intercept


def _hounsfield_by_polynomial(stored, slope, intercept):
    return np.polyval([slope, intercept], stored.astype(np.float32))


def _hounsfield_inputs():
    return [
        (np.array([[128, 1024], [1074, 2191]], np.int16), 1.0, -1024.0),
        (np.array([[0, 24], [2000, 4095]], np.uint16), 0.5, -1000.0),
        (np.array([-2000, 0, 35], np.int16), 2.0, 12.5),
    ]


hounsfield = Coding(
    topic=TOPIC,
    name="hounsfield",
    reference=_hounsfield,
    also_correct=(_hounsfield_by_polynomial,),
    inputs=_hounsfield_inputs,
    mistakes=(
        Mistake(
            lambda stored, slope, intercept: (stored + intercept) * slope,
            "You add the intercept first and multiply it by the slope as well. The slope belongs to the stored value "
            "alone.",
        ),
        Mistake(
            lambda stored, slope, intercept: stored * slope - intercept,
            "You subtract the intercept. It already carries its sign: in this CT it is negative.",
        ),
        Mistake(
            lambda stored, slope, intercept: stored * slope,
            "You left out the intercept, so that water does not come out at zero.",
        ),
        Mistake(
            lambda stored, slope, intercept: stored + intercept,
            "You left out the slope. It is 1 in this CT, but not in every file.",
        ),
        Mistake(
            lambda stored, slope, intercept: np.maximum(stored * slope + intercept, 0),
            "You cut off what is below zero. Fat, lung and air are negative in Hounsfield units.",
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
    ]


apply_window = Coding(
    topic=TOPIC,
    name="apply_window",
    reference=_apply_window,
    also_correct=(_apply_window_by_interpolation,),
    inputs=_apply_window_inputs,
    mistakes=(
        Mistake(
            lambda values, level, width: (values - (level - width / 2)) / width,
            "Right inside the window. Outside it your result leaves the range from 0 to 1.",
        ),
        Mistake(
            lambda values, level, width: np.clip((values - level) / width, 0, 1),
            "Your window starts at the level. The level is its middle.",
        ),
        Mistake(
            lambda values, level, width: np.clip((values - (level - width)) / (2 * width), 0, 1),
            "Your window is twice as wide as asked: it reaches a whole width to either side of the level.",
        ),
        Mistake(
            lambda values, level, width: np.clip((values - (width - level / 2)) / level, 0, 1),
            "You have the level and the width the wrong way round.",
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
    hints=(
        "Which value becomes black, if the window is `width` wide and `level` is its middle?",
        "Subtract that value, divide by the width. What is missing for values outside?",
        "`np.clip(x, 0, 1)` cuts off at both ends.",
    ),
    why="A window is a choice of what to see: everything outside it is gone, for a network as for an eye.",
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
    return [
        (box, (5.0, 0.5, 0.5)),
        (rng.random((6, 12, 10)) < 0.3, (3.0, 0.7, 0.9)),
        (np.zeros((3, 8, 8), bool), (1.0, 1.0, 1.0)),
    ]


lesion_volume = Coding(
    topic=TOPIC,
    name="lesion_volume",
    reference=_lesion_volume,
    also_correct=(_lesion_volume_in_centimetres,),
    inputs=_lesion_volume_inputs,
    mistakes=(
        Mistake(
            lambda mask, spacing: mask.sum() * np.prod(spacing),
            "That is the volume in cubic millimetres. How many of them are one millilitre?",
        ),
        Mistake(
            lambda mask, spacing: mask.sum() / 1000,
            "You count voxels as if each were one cubic millimetre. Use the spacing.",
        ),
        Mistake(
            lambda mask, spacing: int(mask.sum()),
            "That is the number of voxels. How large is one of them?",
        ),
        Mistake(
            lambda mask, spacing: mask.sum() * spacing[1] * spacing[2] / 1000,
            "You use the spacing inside a slice only. A voxel also has a depth.",
        ),
        Mistake(
            lambda mask, spacing: mask.sum() * np.prod(spacing) / 10,
            "Centimetres are ten millimetres, but this is a volume: the ten counts once for each axis.",
        ),
        Mistake(
            lambda mask, spacing: mask.sum() * np.mean(spacing) ** 3 / 1000,
            "You treat a voxel as a cube of the mean spacing. It is a box with three different sides.",
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
    return [(train, rng.uniform(0.1, 1.2, (3, 4, 4))), (rng.normal(3, 2, (4, 6, 5)), rng.normal(9, 5, (2, 6, 5)))]


def _each_with(statistics, train, test):
    return tuple((split - statistics(split)[0]) / statistics(split)[1] for split in (train, test))


def _standardise_pooled(train, test):
    both = np.concatenate([train, test])
    return tuple((split - both.mean()) / both.std() for split in (train, test))


standardise = Coding(
    topic=TOPIC,
    name="standardise",
    reference=_standardise,
    also_correct=(_standardise_with_numpy_functions,),
    inputs=_standardise_inputs,
    mistakes=(
        Mistake(
            _standardise_pooled,
            "You compute the statistics over both splits together, so that the training images depend on the test "
            "images: a leak.",
        ),
        Mistake(
            lambda train, test: _each_with(lambda split: (split.mean(), split.std()), train, test),
            "Each split uses its own statistics. Then the test images look as if they came from the same scanner, "
            "whether they do or not.",
        ),
        Mistake(
            lambda train, test: _each_with(
                lambda split: (split.mean((1, 2), keepdims=True), split.std((1, 2), keepdims=True)), train, test
            ),
            "You scale every image by itself. That is a method too, but here one mean and one standard deviation serve "
            "for all images.",
        ),
        Mistake(
            lambda train, test: tuple((split - train.mean()) / train.var() for split in (train, test)),
            "You divide by the variance. Divide by its square root, so that the result has a spread of one.",
        ),
        Mistake(
            lambda train, test: ((train - train.mean()) / train.std(), test),
            "The test images are left as they were. The network must get them in the same units as the others.",
        ),
        Mistake(
            lambda train, test: tuple((split - train.mean(0)) / train.std(0) for split in (train, test)),
            "You compute a mean for every pixel place. Here one mean over all images and pixels is asked for.",
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


def _split_inputs():
    rng = np.random.default_rng(8)
    four_each = np.repeat(np.arange(20), 4)
    uneven = rng.permutation(np.repeat(np.arange(100, 140), rng.integers(1, 9, 40)))
    return [(four_each, 0.25, 0), (uneven, 0.2, 1)]


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
        return f"{len(chosen)} of {len(patients)} patients are in the test part; the fraction asked for was {fraction}."
    if np.array_equal(chosen, patients[: len(chosen)]) or np.array_equal(chosen, patients[-len(chosen) :]):
        return "the test part holds neighbouring patient numbers. Shuffle the patients with the seed."
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


split_by_patient = Coding(
    topic=TOPIC,
    name="split_by_patient",
    reference=_split_by_patient,
    also_correct=(_split_with_scikit_learn,),
    inputs=_split_inputs,
    accept=_split_accept,
    mistakes=(
        Mistake(
            _split_by_image,
            "You shuffle images, so nearly every patient ends up on both sides. Shuffle patients.",
        ),
        Mistake(
            _split_first_patients,
            "You take the first patients as they come. Numbers are often given by date or hospital: shuffle them.",
        ),
        Mistake(
            _split_into_patients,
            "You return the numbers of patients. What is needed are the indices of their images.",
        ),
        Mistake(
            lambda groups, fraction, seed: _split_by_patient(groups, fraction, seed)[::-1],
            "The two parts are the wrong way round: the training images come first.",
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
        "b": "Orientation and position say which way the columns run in the patient. Pixels flipped without them lie.",
        "c": "The halves of a brain differ a little, but from person to person in either direction.",
        "d": "If it is burnt into the pixels, it is mirrored too and can be noticed; many images carry no such letter.",
    },
    hints=("Where does a file say where the patient's left is?",),
)
