"""Exercises of the lesson on capstone: a project on chest X-rays."""

import numpy as np

from course_lib.exercises import Choice, Coding, Mistake, Wrong, progress

TOPIC = "capstone"


def _wrong(differs_on, *answers):
    """Wrong answers that all differ on the same arguments."""
    return [Wrong(answer, differs_on) for answer in answers]


lazy_answer = Choice(
    topic=TOPIC, name="lazy_answer", answer="b",
    replies={
        "a": "The accuracy is right. But who answers the same for everybody cannot rank anybody: what is the AUC of "
        "guessing?",
        "b": "Its accuracy is simply the share of the ill among those tested, and it ranks nobody.",
        "c": "The AUC is right, since it ranks nobody. But how often is the answer right, if 390 of 624 are ill?",
        "d": "An accuracy of 0.5 would be right if half of the tested were ill, and an AUC counts ranks, not answers.",
    },
    hints=("Of 624 images, for how many is the answer right?", "AUC: a pair with equal scores counts half."),
)  # fmt: skip


def _seen_before(train, test):
    return np.array([(train == image).all(axis=(1, 2)).any() for image in test])


def _seen_before_by_bytes(train, test):
    kind = np.result_type(train, test)  # equal numbers have equal bytes only in one type
    seen = {image.tobytes() for image in train.astype(kind)}
    return [image.tobytes() in seen for image in test.astype(kind)]


def _seen_before_by_distance(train, test):
    rows = [part.reshape(len(part), -1).astype(float) for part in (train, test)]
    distance = np.abs(rows[1][:, None] - rows[0][None]).sum(axis=2)
    return distance.min(axis=1) == 0


def _seen_before_inputs():
    rng = np.random.default_rng(0)
    small = np.array([[[1, 2, 3], [4, 5, 6]], [[7, 8, 9], [0, 1, 2]]])
    # One pixel off by 1; the same pixels in another order; the same first row; another patchwork.
    hard = [
        small[1],
        [[1, 2, 3], [4, 5, 7]],
        [[2, 1, 3], [4, 5, 6]],
        [[7, 8, 9], [9, 1, 2]],
        small[0],
        [[7, 8, 9], [4, 5, 6]],
    ]
    train = rng.integers(0, 256, (12, 4, 5), dtype=np.uint8)
    test = rng.integers(0, 256, (7, 4, 5), dtype=np.uint8)
    test[2], test[5], test[3] = train[8], train[1], test[0]  # the fourth has a twin, but in the test set itself
    near = train[:4].copy()
    near[:2, 0, 0] ^= 1  # the last bit of one pixel
    near[2:, 1, 3] ^= 16  # and a difference whose square, 256, is 0 in uint8
    flat = np.arange(16, dtype=np.uint8).reshape(4, 2, 2)
    return [
        (small, np.array([small[1], [[1, 2, 3], [0, 1, 2]]])),  # a twin, and a patchwork of both
        (small, np.array(hard)),
        (train, test),
        (train, np.concatenate([near, test[2:3], train[:2, ::-1], train[2:4, :, ::-1]])),
        (train.astype(np.int64), test),  # other type, same numbers
        (flat, flat[::-1].astype(np.int64)),  # all of them were seen
        (flat[:1], flat[1:]),  # none was
    ]


_PATCHWORK = _seen_before_inputs()[1]
_NEAR, _TYPES = _seen_before_inputs()[3:5]


def _with(compare):
    """An answer that calls images twins if compare(train, image) finds one: booleans (n,)."""
    return lambda train, test: np.array([np.any(compare(train.astype(int), image.astype(int))) for image in test])


seen_before = Coding(
    topic=TOPIC, name="seen_before", reference=_seen_before, inputs=_seen_before_inputs,
    also_correct=(_seen_before_by_bytes, _seen_before_by_distance),
    mistakes=(
        Mistake(lambda train, test: int(_seen_before(train, test).sum()),
            "Your result is a count. Return one True or False for each test image, because whoever finds a twin wants to "
            "know which."),
        Mistake(_with(lambda train, image: (train == image).any(axis=(1, 2))),
            "Your results are those of images that share at least one pixel with a training image. All pixels have to "
            "agree, with those of one single training image."),
        Mistake(lambda train, test: _seen_before(test, train),
            "Your results are about the training images: which of them are in the test. Each *test* image is to be asked."),
        Mistake(_with(lambda train, image: train.sum(axis=(1, 2)) == image.sum()),
            "Your results are those of equal sums of the pixels. Different images can have the same sum."),
        Mistake(_with(lambda train, image: (train == image).any(axis=0).all()),
            "Your results are those of patchworks: each pixel is found in some training image, but not all in the same "
            "one. Which of the two, `any` or `all`, goes over the pixels?"),
    ),
    wrong=[
        *_wrong(_PATCHWORK,
            _with(lambda train, image: (train[:, 0] == image[0]).all(axis=1)),
            _with(lambda train, image: (train[:, :2, :2] == image[:2, :2]).all(axis=(1, 2))),
            _with(lambda train, image: (train // 2 == image // 2).all(axis=(1, 2))),
            _with(lambda train, image: np.abs(train - image).mean(axis=(1, 2)) < 1),
            _with(lambda train, image: (np.sort(train.reshape(len(train), -1)) == np.sort(image.ravel())).all(axis=1)),
            _with(lambda train, image: np.isin(image, train).all()),
            _with(lambda train, image: (train == image).mean(axis=(1, 2)) > 0.8),
            _with(lambda train, image: train.std(axis=(1, 2)) == image.std()),
            _with(lambda train, image: (train == image).all(axis=1)),
            lambda train, test: np.isin(test, train).all(axis=(1, 2)), lambda train, test: ~_seen_before(train, test),
            lambda train, test: np.flatnonzero(_seen_before(train, test)), lambda train, test: test[_seen_before(train, test)]),
        *_wrong(_NEAR, lambda train, test: [(((train - image) ** 2).sum(axis=(1, 2)) == 0).any() for image in test]),
        *_wrong(_TYPES, lambda train, test: np.array([i.tobytes() in {t.tobytes() for t in train} for i in test])),
    ],
    hints=(
        "Two images are the same if all their pixels are.",
        "`train == image` compares one test image with all training images: an array of the shape of `train`.",
        "For each training image ask whether *all* pixels agree, over the axes 1 and 2; then whether that holds for *any*.",
    ),
    why="A validation image that was trained on measures memory. Near-twins, two X-rays of one child, escape this check.",
)  # fmt: skip


def _three_numbers(images):
    images = np.asarray(images, float)  # differences of unsigned numbers would start again at 255
    sharpness = np.abs(np.diff(images, axis=2)).mean(axis=(1, 2))
    return np.stack([images.mean(axis=(1, 2)), images.std(axis=(1, 2)), sharpness], axis=1)


def _three_numbers_by_loop(images):
    rows = []
    for image in images:
        values = [[float(value) for value in row] for row in image]
        every = [value for row in values for value in row]
        mean = sum(every) / len(every)
        spread = (sum((value - mean) ** 2 for value in every) / len(every)) ** 0.5
        steps = [abs(right - left) for row in values for left, right in zip(row, row[1:], strict=False)]
        rows.append([mean, spread, sum(steps) / len(steps)])
    return rows


def _three_numbers_by_slices(images):
    x = images.astype(np.float64)
    steps = np.maximum(x[:, :, 1:] - x[:, :, :-1], x[:, :, :-1] - x[:, :, 1:])
    return np.c_[np.mean(x, (1, 2)), np.sqrt(np.var(x, (1, 2))), np.mean(steps, (1, 2))]


def _three_numbers_inputs():
    rng = np.random.default_rng(1)
    return [
        (np.array([[[200, 10, 10], [10, 30, 250]]], np.uint8),),
        (rng.integers(0, 256, (5, 6, 4), dtype=np.uint8),),
        (
            np.array([[[7, 7], [7, 7]], [[0, 9], [0, 9]], [[0, 0], [9, 9]]]),
        ),  # no edge; edges along rows; none along rows
        (rng.random((3, 4, 7)),),
        (np.array([[[0, 255, 0, 255]]], np.uint8),),
        (np.array([[[0.5, 2.25], [1.75, 0.0]]]),),
    ]


_UNEVEN = (np.array([[[200, 10, 10], [10, 30, 250]], [[1, 2, 4], [8, 16, 32]]], np.uint8),)
_FRACTIONS = (np.array([[[0.5, 0.25, 0.75], [0.1, 0.9, 0.2]]]),)


def _numbers(third, *, mean=np.mean, spread=np.std):
    """An answer with another way to one of the three; each is a function of one image of fractions."""

    def answer(images):
        return np.array([[mean(image), spread(image), third(image)] for image in images.astype(float)])

    return answer


def _sharp(image):
    return np.abs(np.diff(image, axis=1)).mean()


three_numbers = Coding(
    topic=TOPIC, name="three_numbers", reference=_three_numbers, inputs=_three_numbers_inputs,
    also_correct=(_three_numbers_by_loop, _three_numbers_by_slices),
    mistakes=(
        Mistake(lambda images: np.stack(
                [images.mean((1, 2)), images.std((1, 2)), np.abs(np.diff(images, axis=2)).mean((1, 2))], 1
            ),
            "Your results are those of differences in the images' own type. Unsigned whole numbers have no negative "
            "differences: 10 − 200 becomes 66. Make fractions of them first."),
        Mistake(_numbers(lambda image: np.abs(np.diff(image, axis=0)).mean() if len(image) > 1 else 0.0),
            "Your third numbers are differences between pixels that stand one above the other. Asked are those side by "
            "side in a row."),
        Mistake(_numbers(lambda image: np.diff(image, axis=1).mean()),
            "Your third numbers are means of signed differences: a step up and a step down cancel there."),
        Mistake(_numbers(_sharp, spread=np.var),
            "Your second numbers are variances. The task asks for the standard deviation."),
        Mistake(lambda images: _three_numbers(np.asarray(images).astype(int)),
            "Your results are those of whole numbers: where an image holds fractions, they were cut off. Use floats."),
        Mistake(lambda images: _three_numbers(images).T,
            "Your result has a row for each of the three numbers. Wanted is a row for each image."),
        Mistake(_numbers(_sharp, spread=lambda image: image.std(ddof=1)),
            "Your second numbers are standard deviations with n − 1 (ddof=1). Here all pixels of the image are there, so "
            "divide by n."),
    ),
    wrong=[
        *_wrong(
            _UNEVEN,
            _numbers(_sharp, mean=np.median), _numbers(_sharp, spread=np.ptp),
            _numbers(lambda image: np.sqrt((np.diff(image, axis=1) ** 2).mean())),
            _numbers(lambda image: np.abs(np.diff(image, axis=1)).sum()),
            _numbers(lambda image: np.abs(np.diff(image, axis=1)).sum() / image.size),
            _numbers(lambda image: np.abs(np.diff(image.ravel())).mean()),
            _numbers(lambda image: np.abs(np.diff(image, axis=1)).max()), _numbers(lambda image: np.log(_sharp(image))),
            _numbers(lambda image: _sharp(image) + np.abs(np.diff(image, axis=0)).mean()),
            lambda images: _three_numbers(images)[:, ::-1], lambda images: _three_numbers(images / 255),
            lambda images: _three_numbers(images).mean(axis=0), lambda images: _three_numbers(np.diff(images, axis=0)),
        ),
        *_wrong(_FRACTIONS,
            lambda images: _three_numbers(np.round(images)), lambda images: np.round(_three_numbers(images), 1)),
    ],
    hints=(
        "First make fractions of the images, `images.astype(float)`: what is 10 − 200 in uint8?",
        "`images.mean(axis=(1, 2))` is one number for each image; the standard deviation goes likewise.",
        "`np.diff(images, axis=2)` are the steps along the rows. `np.stack([...], axis=1)` puts three arrays side by side.",
    ),
    why="None of the three says where anything is. What they can tell is told by how the image was taken, or by how much of "
    "it is white.",
)  # fmt: skip


mirror = Choice(
    topic=TOPIC, name="mirror", answer="d",
    replies={
        "a": "For lung tissue alone this would nearly hold. But the picture shows more than lungs: what lies to the left?",
        "b": "The article does recommend it, and the network does get more varied pictures. Are they pictures of patients?",
        "c": "Networks do not know sides by themselves, but they learn whatever helps in the training images.",
        "d": "A mirrored chest is an anatomy that hardly exists (a heart on the right is rare), and the marker of the side "
        "becomes wrong. Whether mirrors help nevertheless is to be measured on validation, and to be said.",
    },
    hints=("Which organ in the picture is not symmetric?",),
)  # fmt: skip


def _only_one_right(truth, first, second):
    first_right, second_right = first == truth, second == truth
    return int((first_right & ~second_right).sum()), int((second_right & ~first_right).sum())


def _only_one_right_by_loop(truth, first, second):
    only_first = only_second = 0
    for t, a, b in zip(truth, first, second, strict=True):
        only_first += bool(a == t and b != t)
        only_second += bool(b == t and a != t)
    return only_first, only_second


def _only_one_right_by_difference(truth, first, second):
    lead = np.equal(first, truth).astype(int) - np.equal(second, truth).astype(int)
    return np.array([np.count_nonzero(lead == 1), np.count_nonzero(lead == -1)])


def _only_one_right_inputs():
    rng = np.random.default_rng(2)
    draw = rng.integers(0, 2, (3, 90))
    yes, no = np.ones(4, int), np.zeros(4, int)
    return [
        (np.array([1, 1, 1, 0, 0, 0]), np.array([1, 1, 0, 0, 1, 1]), np.array([0, 0, 0, 0, 0, 1])),
        (draw[0] == 1, draw[1] == 1, draw[2] == 1),
        (np.array([0, 0, 1, 1, 0]), np.array([0, 0, 0, 1, 0]), np.array([1, 1, 1, 0, 0])),
        (yes, yes, yes),  # both right everywhere
        (yes, no, no),  # both wrong everywhere
        (no, no, yes),
    ]


_PAIR = (np.array([1, 1, 1, 1, 0, 0, 0, 0]), np.array([1, 1, 1, 0, 1, 0, 0, 0]), np.array([0, 0, 1, 1, 0, 1, 1, 1]))

only_one_right = Coding(
    topic=TOPIC, name="only_one_right", reference=_only_one_right, inputs=_only_one_right_inputs,
    also_correct=(_only_one_right_by_loop, _only_one_right_by_difference),
    mistakes=(
        Mistake(lambda truth, first, second: _only_one_right(truth, second, first),
            "Your results are the right two, the wrong way round: those on which only the first is right come first."),
        Mistake(lambda truth, first, second: (int((first == truth).sum()), int((second == truth).sum())),
            "Your results are how often each is right at all. Images on which both are right tell the two apart as "
            "little as images on which both are wrong."),
        Mistake(lambda truth, first, second: (
                int(((first == 1) & (second != 1)).sum()),
                int(((second == 1) & (first != 1)).sum()),
            ),
            "Your results are how often only one of them *calls* the patient ill. Asked is how often only one is right."),
        Mistake(lambda truth, first, second: (
                int(((first == 1) & (second != 1) & (truth == 1)).sum()),
                int(((second == 1) & (first != 1) & (truth == 1)).sum()),
            ),
            "Your results are those of the ill alone. A healthy one who is rightly left in peace counts, too."),
        Mistake(lambda truth, first, second: int((first != second).sum()),
            "Your result is how often the two answer differently: one number. Say which of them was right."),
    ),
    wrong=_wrong(
        _PAIR,
        lambda t, a, b: (int((a != t).sum()), int((b != t).sum())),
        lambda t, a, b: (np.mean((a == t) & (b != t)), np.mean((b == t) & (a != t))),
        lambda t, a, b: (int(((a == t) & (b == t)).sum()), int(((a != t) & (b != t)).sum())),
        lambda t, a, b: (max(0, int((a == t).sum() - (b == t).sum())), max(0, int((b == t).sum() - (a == t).sum()))),
        lambda t, a, b: (int(((a == t) & (b != t)).sum()), int(((a == t) & (b != t)).sum())),
        lambda t, a, b: int(((a == t) & (b != t)).sum() - ((b == t) & (a != t)).sum()),
        lambda t, a, b: (int(((a == t) | (b != t)).sum()), int(((b == t) | (a != t)).sum())),
        lambda t, a, b: (int((t[a != b] == 1).sum()), int((t[a != b] == 0).sum())),
    ),
    hints=(
        "`first == truth` says where the first one is right.",
        "Only the first is right: it is right, and the second is not. `~` turns booleans round, `&` joins them.",
        "Count each of the two with `.sum()`.",
    ),
    why="The two counts are all that a comparison on the same images rests on: images on which both are right, or both "
    "wrong, cancel (McNemar 1947, doi:10.1007/BF02295996).",
)  # fmt: skip


twenty_models = Choice(
    topic=TOPIC, name="twenty_models", answer="a",
    replies={
        "a": "The best of twenty on one test set is partly the luckiest. The test has become a validation set, and its "
        "number will not be met by new images.",
        "b": "None of them saw a test image in training. But somebody did look at the test: the one who chose.",
        "c": "The mean over seeds narrows the luck of training. The choice among twenty was still made on the test.",
        "d": "Even with an interval the number stands at the top of twenty: the interval does not know of the choice.",
    },
    hints=("Toss twenty coins ten times each, and keep the best. Is it a good coin?",),
)  # fmt: skip
