"""Exercises of the lesson on from clips to sequences."""

import numpy as np

from course_lib.exercises import Choice, Coding, Mistake, Wrong, progress

TOPIC = "clips_to_sequences"


# ---- m_mode -------------------------------------------------------------------------------------


def _m_mode(clip, column):
    # One column of every frame is (time, rows); depth goes down the page, so turn it.
    return clip[:, :, column].T


def _m_mode_by_stacking(clip, column):
    return np.stack([frame[:, column] for frame in clip], axis=1)


def _m_mode_inputs():
    rng = np.random.default_rng(2)
    return [
        (np.arange(12.0).reshape(2, 3, 2), 1),
        (rng.normal(size=(6, 5, 5)), 0),
        (rng.normal(size=(4, 6, 7)), 3),
        (rng.normal(size=(5, 5, 6)), 4),
    ]


_CLIP = np.random.default_rng(12).normal(size=(3, 4, 5))


m_mode = Coding(
    topic=TOPIC,
    name="m_mode",
    reference=_m_mode,
    also_correct=(_m_mode_by_stacking,),
    inputs=_m_mode_inputs,
    integers=False,  # the result has the clip's type
    mistakes=(
        Mistake(
            lambda clip, column: clip[:, :, column],
            "The numbers are right, but time runs down your picture. In an M-mode image depth runs down and time to "
            "the right.",
        ),
        Mistake(
            lambda clip, column: clip[:, column, :].T,
            "You follow a row of the image, a horizontal line. The M-mode line of this exercise is a column.",
        ),
        Mistake(
            lambda clip, column: clip[column],
            "You take one whole frame. Which axis of the clip is time, and which are the image's rows and columns?",
        ),
        Mistake(
            lambda clip, column: clip.mean(axis=2).T,
            "You average over all columns. M-mode looks along a single line.",
        ),
    ),
    wrong=(
        Wrong(lambda clip, column: clip[:, :, column].T[::-1], (_CLIP, 1)),
        Wrong(lambda clip, column: clip[::-1, :, column].T, (_CLIP, 1)),
        Wrong(lambda clip, column: clip[:, :, -1 - column].T, (_CLIP, 1)),
        Wrong(lambda clip, column: clip[:, :, column - 1].T, (_CLIP, 1)),
        Wrong(lambda clip, column: clip[:, :, column].reshape(clip.shape[1], len(clip)), (_CLIP, 1)),
        Wrong(lambda clip, column: clip[1:, :, column].T, (_CLIP, 1)),
        Wrong(lambda clip, column: clip.max(axis=2).T, (_CLIP, 1)),
        Wrong(lambda clip, column: clip[:, :, column].T / clip.max(), (_CLIP, 1)),
        Wrong(lambda clip, column: clip[:, :, column : column + 2].mean(axis=2).T, (_CLIP, 1)),
        Wrong(lambda clip, column: np.diff(clip[:, :, column], axis=0, prepend=0).T, (_CLIP, 1)),
    ),
    hints=(
        "The clip's axes are time, rows, columns. Which of them do you fix?",
        "`clip[:, :, column]` keeps time and rows. Is time the axis that should run to the right?",
        "The result has the shape (rows, frames): turn (frames, rows) around with `.T`.",
    ),
    why="This is how the first echocardiograms were drawn, in the 1950s, before any machine could show the heart as a moving "
    "picture: one line, over time.",
)


# ---- heart_rate ---------------------------------------------------------------------------------

heart_rate = Choice(
    topic=TOPIC,
    name="heart_rate",
    answer="c",
    replies={
        "a": "One second with one contraction in it sounds like 60. But the clip does not begin and end at the same "
        "point of the beat: a beat of 0.9 s and one of 1.5 s could both look like this.",
        "b": "The flap leaves the line twice, but once it only swings back half-way in between. The cavity, which is "
        "smallest once, says that both belong to one filling.",
        "c": "The smallest cavity is seen once and does not come back until the clip ends: a beat takes longer than "
        "that, and no upper end can be given. More of it would need a longer clip.",
        "d": "Something can be said: whatever is seen once, and not again for a time, takes at least that time to "
        "come back.",
    },
    hints=(
        "How long after the smallest cavity does the clip end? Has it come back by then?",
        "A period can be measured from an event to the same event. How many such pairs does one second hold here?",
    ),
)


# ---- cut ----------------------------------------------------------------------------------------


def _cut(sequence, length, stride):
    # The last segment must end inside the sequence, so it starts at len(sequence) - length at the latest.
    starts = range(0, len(sequence) - length + 1, stride)
    return np.array([sequence[start : start + length] for start in starts])


def _cut_by_counting(sequence, length, stride):
    count = (len(sequence) - length) // stride + 1
    return sequence[stride * np.arange(count)[:, None] + np.arange(length)]


def _cut_inputs():
    rng = np.random.default_rng(3)
    return [
        (np.arange(7.0), 3, 2),
        (np.arange(10.0), 4, 4),
        (np.arange(10.0), 4, 1),
        (rng.normal(size=(9, 2)), 3, 3),
        (rng.normal(size=(8, 2, 3)), 3, 2),
        (np.arange(11.0), 2, 4),  # frames between the segments are left out
        (rng.normal(size=6), 6, 3),  # one segment, the whole
        (rng.normal(size=(12, 2)), 5, 2),
    ]


_LINE = np.arange(9.0)


def _cut_last_missing(sequence, length, stride):
    return np.array([sequence[start : start + length] for start in range(0, len(sequence) - length, stride)])


def _cut_overlap(sequence, length, stride):
    return np.array(
        [sequence[s : s + length] for s in range(0, len(sequence) - length + 1, max(1, length - stride))]
    )  # fmt: skip


cut = Coding(
    topic=TOPIC,
    name="cut",
    reference=_cut,
    also_correct=(_cut_by_counting,),
    inputs=_cut_inputs,
    integers=False,
    mistakes=(
        Mistake(
            _cut_last_missing,
            "Sometimes your last segment is missing: the one that ends exactly with the last frame. `range` stops "
            "before its end.",
        ),
        Mistake(
            lambda sequence, length, stride: _cut(sequence, length, length),
            "Your segments always touch. Their starts are `stride` frames apart, whatever the length.",
        ),
        Mistake(
            lambda sequence, length, stride: _cut(sequence, length, 1),
            "You start a segment at every frame. The starts are `stride` frames apart.",
        ),
        Mistake(
            _cut_overlap,
            "You use the stride as if it were the overlap. It is the step from one start to the next.",
        ),
        Mistake(
            lambda sequence, length, stride: (
                _cut(sequence[::stride], length, 1)
                if len(sequence[::stride]) >= length
                else _cut(sequence, length, stride)[:0]
            ),
            "You leave out frames inside the segments. The stride moves the window; the frames in it stay neighbours.",
        ),
    ),
    wrong=(
        Wrong(lambda x, length, stride: _cut(x, length, min(stride, length)), (_LINE, 2, 3)),
        Wrong(lambda x, length, stride: _cut(x[::-1], length, stride)[::-1], (_LINE, 4, 2)),
        Wrong(lambda x, length, stride: _cut(x[: len(x) // length * length], length, stride), (_LINE, 4, 1)),
        Wrong(lambda x, length, stride: _cut(x, length, stride)[:, ::-1], (_LINE, 4, 2)),
        Wrong(lambda x, length, stride: _cut(x, length, stride).mean(axis=1), (_LINE, 4, 2)),
        Wrong(lambda x, length, stride: _cut(np.r_[x, x[-1:]], length, stride), (_LINE, 4, 2)),
        Wrong(lambda x, length, stride: _cut(x[1:], length, stride), (_LINE, 4, 1)),
        Wrong(lambda x, length, stride: _cut(x, length, stride)[: len(x) // length], (_LINE, 4, 1)),
        Wrong(lambda x, length, stride: _cut(x, length, stride).swapaxes(0, 1), (_LINE, 4, 2)),
        Wrong(
            lambda x, length, stride: _cut(x, stride, length) if stride < length else _cut(x, length, stride),
            (_LINE, 4, 2),
        ),
    ),
    hints=(
        "A segment that starts at frame a is `sequence[a : a + length]`. What is the largest a that still fits?",
        "The starts are 0, stride, 2·stride, … up to len(sequence) − length, that one included.",
        "`np.array([sequence[a : a + length] for a in range(0, …, stride)])`: fill in where the range ends.",
    ),
    why="The count is the output size of a convolution without padding (lesson 01): the same window slides, over time.",
)


# ---- whole_stroke -------------------------------------------------------------------------------

whole_stroke = Choice(
    topic=TOPIC,
    name="whole_stroke",
    answer="b",
    replies={
        "a": "They do come from one patient, and so they get one label. But is what the label is about still to be seen "
        "in each of them?",
        "b": "The label is copied, the evidence is not: a segment that sees only the slow filling shows nearly the same "
        "picture for every ejection fraction.",
        "c": "The ejection fraction is a ratio, in percent. It is not shared out among segments.",
        "d": "Overlap matters for the split, which is coming up. Here the segments may touch or overlap: the trouble is "
        "the same.",
    },
    hints=(
        "The ejection fraction compares the largest with the smallest volume of a beat. How far apart in time are they?",
    ),
)


# ---- co_occurrence ------------------------------------------------------------------------------


def _co_occurrence(image, levels):
    counts = np.zeros((levels, levels))
    for left, right in zip(image[:, :-1].ravel(), image[:, 1:].ravel(), strict=True):
        counts[left, right] += 1
        counts[right, left] += 1  # each pair in both directions makes it symmetric
    return counts / counts.sum()


def _co_occurrence_with_numpy(image, levels):
    counts = np.zeros((levels, levels))
    np.add.at(counts, (image[:, :-1], image[:, 1:]), 1)
    counts = counts + counts.T
    return counts / counts.sum()


def _co_occurrence_inputs():
    rng = np.random.default_rng(4)
    return [
        (np.array([[0, 0, 1, 1], [0, 2, 1, 3], [2, 2, 3, 3], [2, 3, 0, 1]]), 4),
        (rng.integers(0, 3, (5, 7)), 3),
        (rng.integers(0, 4, (6, 6)), 5),
        (
            rng.integers(0, 2, (25, 30)).astype(np.uint8),
            3,
        ),  # more than 255 pairs of one kind, and a level that is not there
        (np.array([[3], [1]]).repeat(2, axis=1), 4),
        (rng.integers(0, 20, (4, 9)).astype(np.uint8), 20),  # level · levels is beyond 255
    ]


_LEVELS = np.array([[0, 1, 1, 1], [2, 2, 1, 0], [0, 0, 2, 1]])
_MANY = np.repeat(np.array([[0] * 20 + [1] * 10]), 30, axis=0)


def _counts(first, second, levels):
    counts = np.zeros((levels, levels))
    np.add.at(counts, (first, second), 1)
    return counts


def _pairs(image, levels):
    return _counts(image[:, :-1], image[:, 1:], levels)


def _no_accumulation(image, levels):
    counts = np.zeros((levels, levels))
    counts[image[:, :-1], image[:, 1:]] += 1  # adds 1 once to each place, however often it comes up
    return _normalised(_both_ways(counts))


def _in_one_number(image, levels):
    """Left and right level as one number, in the image's own type: in uint8 it begins again after 255."""
    pairs = np.bincount((image[:, :-1] * levels + image[:, 1:]).ravel(), minlength=levels**2)
    return _normalised(_both_ways(pairs.reshape(levels, levels)))


def _normalised(counts):
    return counts / counts.sum()


def _both_ways(counts):
    return counts + counts.T


co_occurrence = Coding(
    topic=TOPIC,
    name="co_occurrence",
    reference=_co_occurrence,
    also_correct=(_co_occurrence_with_numpy,),
    inputs=_co_occurrence_inputs,
    mistakes=(
        Mistake(
            lambda image, levels: _normalised(_counts(image[:, :-1], image[:, 1:], levels)),
            "Your matrix is not symmetric: you count each pair from left to right only. Count it from right to left too.",
        ),
        Mistake(
            lambda image, levels: _both_ways(_counts(image[:, :-1], image[:, 1:], levels)),
            "These are the counts. Divide by their sum, so that images of different sizes can be compared.",
        ),
        Mistake(
            lambda image, levels: _normalised(_both_ways(_counts(image[:-1], image[1:], levels))),
            "You pair each pixel with the one below. Here the partner is the one to the right.",
        ),
        Mistake(
            lambda image, levels: _normalised(_both_ways(_counts(image, np.roll(image, -1, axis=1), levels))),
            "Your image wraps around: the last column has no partner to its right, and is not paired with the first.",
        ),
        Mistake(
            lambda image, levels: _normalised(np.maximum(*(m := _counts(image[:, :-1], image[:, 1:], levels), m.T))),
            "It is symmetric, but where the two directions differ you keep the larger count. Add them.",
        ),
    ),
    wrong=(
        Wrong(_no_accumulation, (_LEVELS, 3)),
        Wrong(lambda image, levels: _normalised(np.uint8(_both_ways(_pairs(image, levels)))), (_MANY, 2)),
        Wrong(
            lambda image, levels: (c := _both_ways(_pairs(image, levels))) / np.maximum(c.sum(1, keepdims=True), 1),
            (_LEVELS, 3),
        ),
        Wrong(lambda image, levels: _co_occurrence(image, image.max() + 1), (_LEVELS, 5)),
        Wrong(
            lambda image, levels: (_co_occurrence(image, levels) + _co_occurrence(image.T, levels)) / 2, (_LEVELS, 3)
        ),
        Wrong(lambda image, levels: np.triu(_co_occurrence(image, levels)), (_LEVELS, 3)),
        Wrong(
            lambda image, levels: _normalised((c := _pairs(image, levels)) + c.T - np.diag(np.diag(c))), (_LEVELS, 3)
        ),
        Wrong(lambda image, levels: _co_occurrence(image.ravel()[None], levels), (_LEVELS, 3)),  # rows run on
        Wrong(lambda image, levels: _normalised(_both_ways(_pairs(image, levels)) > 0), (_LEVELS, 3)),
        Wrong(lambda image, levels: 2 * _co_occurrence(image, levels), (_LEVELS, 3)),
        Wrong(_in_one_number, (np.uint8([[0, 17, 19], [12, 18, 3]]), 20)),
        Wrong(lambda image, levels: np.round(_co_occurrence(image, levels), 2), (_LEVELS, 3)),
    ),
    hints=(
        "Begin with a matrix of zeros, levels × levels. Go through all pairs of neighbours in a row.",
        "`image[:, :-1]` and `image[:, 1:]` are all left and all right partners.",
        "Add 1 at [left, right] and 1 at [right, left]; in the end divide by the sum of the matrix.",
    ),
    why="Every texture feature of this family is a weighted sum over this matrix, or its entropy.",
)


# ---- two_contrasts ------------------------------------------------------------------------------

two_contrasts = Choice(
    topic=TOPIC,
    name="two_contrasts",
    answer="a",
    replies={
        "a": "With four times as many levels the same step between neighbours is four times as many levels high, and "
        "contrast squares it. So a texture feature without its number of levels means nothing.",
        "b": "The squared difference is the same from left to right and from right to left, so making the matrix "
        "symmetric leaves the contrast as it is.",
        "c": "A constant added to all pixels shifts both partners of a pair alike; their difference stays (as long as "
        "no pixel falls out of the range of grey levels).",
        "d": "Turned by half a circle, each pair becomes a pair from right to left; a symmetric matrix counts both.",
    },
    hints=("Contrast is the mean of (i − j)². What changes the difference of two neighbours, counted in levels?",),
)


# ---- standardise --------------------------------------------------------------------------------


def _standardise(train, test):
    mean = train.mean(axis=0)
    # The computed deviation of equal numbers need not be exactly 0: of six times 0.1 it is 1e-17. Compare the values.
    varies = train.max(axis=0) > train.min(axis=0)
    deviation = np.where(varies, train.std(axis=0), 1)
    return (train - mean) / deviation, (test - mean) / deviation  # nothing is learned from the test


def _standardise_with_a_threshold(train, test):
    mean, deviation = train.mean(axis=0), train.std(axis=0)
    deviation[deviation < 1e-9] = 1
    return [(table - mean) / deviation for table in (train, test)]


def _standardised(
    of=lambda train, test: train, axis=0, spread=np.std, constant=lambda part, std: part.max(0) == part.min(0)
):
    """The answer with mean and deviation of another table, along another axis, or with another rule for what is constant."""

    def answer(train, test):
        part = of(train, test)
        deviation = spread(part, axis=axis)
        deviation = np.where(constant(part, deviation), 1, deviation)
        return tuple((table - part.mean(axis=axis)) / deviation for table in (train, test))

    return answer


def _together(train, test):
    return np.concatenate([train, test])


def _never(part, deviation):
    return np.zeros(np.shape(deviation), bool)


def _standardise_inputs():
    rng = np.random.default_rng(5)
    small = np.array([[0.0, 10], [2, 30]]), np.array([[1.0, 50], [4, 20]])
    constant = rng.normal([1, 50, 0], [2, 9, 0], size=(6, 3)), rng.normal([3, 20, 0], [1, 30, 0], size=(4, 3))
    constant[0][:, 2], constant[1][:, 2] = 0.1, [0.1, 0.6, 0.1, 0.3]  # the same in all training rows, not in the test
    nearly = rng.random((6, 3)), rng.random((2, 3))
    nearly[0][:, 0] = [0.1, 0.1, 0.1, 0.102, 0.1, 0.1]  # varies, if only a little
    counts = rng.integers(0, 200, (5, 4)), rng.integers(0, 200, (7, 4))
    counts[0][:, 1] = 0
    return [small, constant, nearly, counts, (rng.normal(7, 3, (9, 2)), rng.normal(7, 3, (1, 2)))]


standardise = Coding(
    topic=TOPIC,
    name="standardise",
    reference=_standardise,
    also_correct=(_standardise_with_a_threshold, _standardised()),
    inputs=_standardise_inputs,
    mistakes=(
        Mistake(
            lambda train, test: (_standardise(train, train)[0], _standardise(test, test)[0]),
            "Your test rows are those of a table standardised by itself. A single new patient would then always come out as "
            "exactly average. Use the training numbers for both.",
        ),
        Mistake(
            _standardised(_together),
            "Your results are those of a mean and a deviation of both tables together: the test has leaked into the training.",
        ),
        Mistake(
            _standardised(axis=None, constant=_never),
            "Your results are those of one mean and one deviation for the whole table. Each feature has its own unit.",
        ),
        Mistake(
            _standardised(spread=np.var),
            "Your results are divided by the variance. It has the squared unit; the standard deviation has the feature's own.",
        ),
        Mistake(
            _standardised(spread=lambda part, axis: part.std(axis=axis, ddof=1)),
            "Your results are those of `ddof=1` (n − 1, as in pandas). The task wants NumPy's deviation, divided by n.",
        ),
        Mistake(
            _standardised(constant=_never),
            "A feature may be the same in all training rows, and your results then divide by 0, or by a rounding error.",
        ),
        Mistake(
            _standardised(spread=lambda part, axis: part.std(axis=axis) + 1e-8, constant=_never),
            "Your results are those of a tiny number added to the deviation: a new row that differs in a constant feature "
            "becomes enormous there. Divide it by 1.",
        ),
    ),
    wrong=(
        Wrong(_standardised(constant=lambda part, std: std < 1e-2), _standardise_inputs()[2]),
        Wrong(_standardised(constant=lambda part, std: np.all(part == 0, 0)), _standardise_inputs()[1]),
        Wrong(_standardised(spread=np.ptp), _standardise_inputs()[0]),
        Wrong(_standardised(lambda train, test: test), _standardise_inputs()[0]),
        Wrong(_standardised(lambda train, test: train[:4]), _standardise_inputs()[4]),
        Wrong(lambda a, b: (_standardise(a, b)[0], b), _standardise_inputs()[0]),
        Wrong(lambda a, b: _standardise(a, b)[::-1], _standardise_inputs()[1]),
        Wrong(lambda a, b: tuple(np.clip(part, -2, 2) for part in _standardise(a, b)), _standardise_inputs()[0]),
        Wrong(lambda a, b: tuple(part[:, np.ptp(a, 0) > 0] for part in _standardise(a, b)), _standardise_inputs()[1]),
        Wrong(
            lambda a, b: tuple(np.where(np.ptp(a, 0) > 0, part, 0) for part in _standardise(a, b)),
            _standardise_inputs()[1],
        ),
        Wrong(
            lambda a, b: tuple(
                (part - np.median(a, axis=0)) / np.where(np.ptp(a, 0) > 0, a.std(0), 1) for part in (a, b)
            ),
            _standardise_inputs()[1],
        ),
        Wrong(
            lambda a, b: tuple(part / np.where(np.ptp(a, 0) > 0, a.std(0), 1) for part in (a, b)),
            _standardise_inputs()[0],
        ),
    ),
    hints=(
        "Which table may tell you the mean? Only the one you are allowed to learn from.",
        "One mean and one deviation per column: `train.mean(axis=0)` is the first.",
        "A feature that is the same in all training rows has nothing to be divided by: let it be divided by 1. The computed "
        "deviation of equal numbers need not be exactly 0, so compare the values.",
    ),
    why="What is fitted, even a mean, is fitted on training patients; everybody else is only transformed.",
)


# ---- ridge --------------------------------------------------------------------------------------


def _ridge(x, y, alpha):
    # The slope of |y − x w|² + α |w|² is 0 where (xᵀx + α I) w = xᵀy.
    return np.linalg.solve(x.T @ x + alpha * np.eye(x.shape[1]), x.T @ y)


def _ridge_with_more_rows(x, y, alpha):
    """Least squares, with one more row for each weight: it should be 0."""
    features = x.shape[1]
    rows = np.concatenate([x, np.sqrt(alpha) * np.eye(features)])
    return np.linalg.lstsq(rows, np.concatenate([y, np.zeros(features)]), rcond=None)[0]


def _ridge_with_scikit_learn(x, y, alpha):
    from sklearn.linear_model import Ridge

    return Ridge(alpha=alpha, fit_intercept=False, solver="svd").fit(x, y).coef_


def _ridge_inputs():
    rng = np.random.default_rng(8)
    twins = rng.normal(size=(12, 3))
    twins[:, 1] = twins[:, 0] + 0.01 * rng.normal(size=12)  # two features that say the same
    return [
        (np.array([[1.0, 0], [1, 1], [2, 1]]), np.array([1.0, 3, 4]), 2.0),
        (rng.normal(size=(30, 4)), rng.normal(5, 2, 30), 10.0),
        (rng.normal(size=(4, 7)), rng.normal(size=4), 0.5),  # more features than rows
        (twins, rng.normal(size=12), 0.3),
        (rng.integers(-3, 4, (9, 3)), rng.integers(20, 70, 9), 1),
        (rng.normal(1, 1, (8, 2)), rng.normal(50, 9, 8), 0.0),  # no penalty: least squares
    ]


def _normal(penalty, left=lambda x: x.T @ x):
    """The answer with another penalty, a function of x, y and α that returns a matrix."""
    return lambda x, y, alpha: np.linalg.lstsq(left(x) + penalty(x, y, alpha), x.T @ y, rcond=None)[0]


def _unit(x):
    return np.eye(x.shape[1])


_TABLE = np.array([[1.0, 2], [0, 1], [3, 1], [2, 2]]), np.array([4.0, 1, 5, 6]), 1.5

ridge = Coding(
    topic=TOPIC,
    name="ridge",
    reference=_ridge,
    also_correct=(_ridge_with_more_rows, _ridge_with_scikit_learn),
    inputs=_ridge_inputs,
    mistakes=(
        Mistake(
            _normal(lambda x, y, alpha: 0 * _unit(x)),
            "Your results are those of plain least squares: α does nothing.",
        ),
        Mistake(
            _normal(lambda x, y, alpha: np.full((x.shape[1], x.shape[1]), float(alpha))),
            "Your results are those of α added to every entry of the matrix. `np.eye` has its ones on the diagonal only.",
        ),
        Mistake(
            _normal(lambda x, y, alpha: alpha * len(x) * _unit(x)),
            "Your results are those of a mean over the rows with a whole α. Take the sum of the squared errors.",
        ),
        Mistake(
            _normal(lambda x, y, alpha: alpha**2 * _unit(x)),
            "Your results are those of α². The penalty is α times the sum of the squared weights.",
        ),
        Mistake(
            lambda x, y, alpha: x.T @ y / ((x**2).sum(axis=0) + max(alpha, 1e-12)),
            "Your results are those of one feature at a time. Features that say the same have to share their weight.",
        ),
    ),
    wrong=(
        Wrong(_normal(lambda x, y, alpha: alpha / len(x) * _unit(x)), _TABLE),
        Wrong(_normal(lambda x, y, alpha: 2 * alpha * _unit(x)), _TABLE),
        Wrong(_normal(lambda x, y, alpha: -alpha * _unit(x)), _TABLE),
        Wrong(_normal(lambda x, y, alpha: np.sqrt(alpha) * _unit(x)), _TABLE),
        Wrong(lambda x, y, alpha: _ridge(x, y, 0 * alpha + 1e-9) / (1 + alpha), _TABLE),
        Wrong(lambda x, y, alpha: _ridge(x - x.mean(0), y - y.mean(), alpha + 1e-12), _TABLE),
        Wrong(lambda x, y, alpha: x @ _ridge(x, y, alpha + 1e-12), _TABLE),
        Wrong(lambda x, y, alpha: np.sign(w := _ridge(x, y, 1e-12)) * np.maximum(abs(w) - alpha / len(x), 0), _TABLE),
        Wrong(_normal(lambda x, y, alpha: alpha * np.diag(np.arange(x.shape[1]) > 0)), _TABLE),
        Wrong(lambda x, y, alpha: _ridge(x, y, max(alpha, 1)), (_TABLE[0], _TABLE[1], 0.25)),
        Wrong(lambda x, y, alpha: np.round(_ridge(x, y, alpha + 1e-12), 2), _TABLE),
    ),
    hints=(
        "Without α this is least squares: xᵀx w = xᵀy.",
        "The penalty α Σ w² has the slope 2 α w. Where does that go in the equation above?",
        "`np.linalg.solve(A, b)` finds the w with A w = b. Add α to the diagonal of xᵀx, with `np.eye(x.shape[1])`.",
    ),
    why="Each α is another compromise between fitting the training patients and small weights; validation patients choose it.",
)


# ---- coin_labels --------------------------------------------------------------------------------

coin_labels = Choice(
    topic=TOPIC,
    name="coin_labels",
    answer="d",
    replies={
        "a": "That is what an honest test gives: nobody can foresee a coin. But is this test honest? Where are the other "
        "segments of each patient?",
        "b": "It could repeat every toss only if each segment had a near twin in the training set. Some have none there, and "
        "after a split by patient none of them has.",
        "c": "The error of a coin's tosses is symmetric: no method is reliably wrong about them.",
        "d": "It recognises the patient, not the toss. Overlapping segments are nearly the same picture, so the nearest "
        "neighbour is usually the same patient, whose label it has seen.",
    },
    hints=(
        "The segments of a patient share most of their frames. Where do they go when segments are split at random?",
    ),
)
