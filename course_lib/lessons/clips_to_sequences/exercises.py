"""Exercises of the lesson on from clips to sequences."""

import numpy as np

from course_lib.exercises import Choice, Coding, Mistake, progress

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
        (np.arange(24.0).reshape(2, 3, 4), 1),
        (rng.normal(size=(6, 5, 5)), 0),
        (rng.normal(size=(4, 6, 7)), 3),
    ]


m_mode = Coding(
    topic=TOPIC,
    name="m_mode",
    reference=_m_mode,
    also_correct=(_m_mode_by_stacking,),
    inputs=_m_mode_inputs,
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
    hints=(
        "The clip's axes are time, rows, columns. Which of them do you fix?",
        "`clip[:, :, column]` keeps time and rows. Is time the axis that should run to the right?",
        "The result has the shape (rows, frames): turn (frames, rows) around with `.T`.",
    ),
    why="This is how ultrasound machines have drawn motion since before they could draw images: one line, over time.",
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
    ]


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
    ]


def _counts(first, second, levels):
    counts = np.zeros((levels, levels))
    np.add.at(counts, (first, second), 1)
    return counts


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
    mean, deviation = train.mean(axis=0), train.std(axis=0)
    return (train - mean) / deviation, (test - mean) / deviation  # nothing is learned from the test


def _standardise_with_loops(train, test):
    first, second = train.astype(float), test.astype(float)
    for k in range(train.shape[1]):
        mean = sum(train[:, k]) / len(train)
        deviation = (sum((train[:, k] - mean) ** 2) / len(train)) ** 0.5
        first[:, k] = (train[:, k] - mean) / deviation
        second[:, k] = (test[:, k] - mean) / deviation
    return first, second


def _standardise_inputs():
    rng = np.random.default_rng(5)
    return [
        (np.array([[0.0, 10], [2, 30]]), np.array([[1.0, 50], [4, 20]])),
        (rng.normal([1, 50], [2, 9], size=(6, 2)), rng.normal([3, 20], [1, 30], size=(4, 2))),
    ]


def _each_by_itself(train, test):
    return _standardise(train, train)[0], _standardise(test, test)[0]


def _standardise_pooled(train, test):
    return tuple(_standardise(np.concatenate([train, test]), part)[1] for part in (train, test))


def _standardise_overall(train, test):
    return tuple((part - train.mean()) / train.std() for part in (train, test))


def _standardise_min_max(train, test):
    low, high = train.min(axis=0), train.max(axis=0)
    return tuple((part - low) / (high - low) for part in (train, test))


standardise = Coding(
    topic=TOPIC,
    name="standardise",
    reference=_standardise,
    also_correct=(_standardise_with_loops,),
    inputs=_standardise_inputs,
    mistakes=(
        Mistake(
            _each_by_itself,
            "The test patients are standardised by their own mean and deviation. A single new patient would then always "
            "come out as exactly average. Use the training numbers for both.",
        ),
        Mistake(
            _standardise_pooled,
            "Mean and deviation come from training and test patients together: the test has leaked into the training.",
        ),
        Mistake(
            _standardise_overall,
            "One mean and one deviation for the whole table. Each feature, each column, has its own unit and needs its "
            "own.",
        ),
        Mistake(
            lambda train, test: tuple((part - train.mean(axis=0)) / train.var(axis=0) for part in (train, test)),
            "You divide by the variance. It has the squared unit; the standard deviation has the feature's own.",
        ),
        Mistake(
            _standardise_min_max,
            "You scale to the range from 0 to 1. Here the mean should become 0 and the standard deviation 1.",
        ),
    ),
    hints=(
        "Which table may tell you the mean? Only the one you are allowed to learn from.",
        "One mean per column: `train.mean(axis=0)`.",
        "Subtract the training mean from both tables and divide both by the training standard deviation.",
    ),
    why="What is fitted, even a mean, is fitted on training patients; everybody else is only transformed.",
)


# ---- coin_labels --------------------------------------------------------------------------------

coin_labels = Choice(
    topic=TOPIC,
    name="coin_labels",
    answer="d",
    replies={
        "a": "That is what an honest test gives: nobody can foresee a coin. But is this test honest? Where are the other "
        "segments of each patient?",
        "b": "It could repeat every toss only if each segment had its twin in the training set. Some have not; and "
        "another split will not even give it half of them.",
        "c": "The error of a coin's tosses is symmetric: no method is reliably wrong about them.",
        "d": "It recognises the patient, not the toss. Overlapping segments are nearly the same picture, so the nearest "
        "neighbour is usually the same patient, whose label it has seen.",
    },
    hints=(
        "The segments of a patient share most of their frames. Where do they go when segments are split at random?",
    ),
)
