"""Exercises of the lesson on what lies beyond the notebook."""

import numpy as np

from course_lib.exercises import Choice, Coding, Mistake, Wrong, progress

TOPIC = "beyond"


def _wrong(differs_on, *answers):
    """Wrong answers that all differ on the same arguments."""
    return [Wrong(answer, differs_on) for answer in answers]


# ---- combine_gradients --------------------------------------------------------------------------


def _combine_gradients(gradients, counts):
    weights = counts / counts.sum()  # each worker's part of all images
    return (gradients * weights[:, None]).sum(axis=0)


def _combine_gradients_by_loop(gradients, counts):
    total = np.zeros(gradients.shape[1])
    for gradient, count in zip(gradients, counts, strict=True):
        total = total + gradient * count
    return total / counts.sum()


def _combine_gradients_inputs():
    rng = np.random.default_rng(6)
    return [
        (np.array([[1.0, -2.0, 0.5], [4.0, 0.0, 1.0]]), np.array([30, 10])),
        (rng.normal(size=(4, 6)), np.array([16, 16, 16, 5])),
        (np.array([[2, 4], [6, -3], [1, 1]]), np.array([1, 3, 0])),  # whole numbers, and a worker without images
        (rng.normal(size=(3, 3)), np.array([7, 1, 2])),  # as many workers as numbers in a gradient
        (np.array([[0.3, -0.7]]), np.array([12])),  # one worker alone
    ]


_COMBINE_CASE = (np.array([[1.0, 5.0], [3.0, -1.0], [2.0, 2.0]]), np.array([6, 1, 3]))

combine_gradients = Coding(
    topic=TOPIC,
    name="combine_gradients",
    reference=_combine_gradients,
    also_correct=(
        _combine_gradients_by_loop,
        lambda g, n: np.average(g, axis=0, weights=n),
        lambda g, n: (n @ g) / n.sum(),
    ),
    inputs=_combine_gradients_inputs,
    mistakes=(
        Mistake(
            lambda g, n: g.mean(0),
            "Your results give every worker the same weight. One with few images then counts as much as one with many.",
        ),
        Mistake(
            lambda g, n: g.sum(0),
            "Your results are sums of the means: with more workers the step would become longer. Wanted is a mean over all "
            "images.",
        ),
        Mistake(
            lambda g, n: (g * n[:, None]).sum(0),
            "Your results are sums over all images. Divide by how many there are.",
        ),
        Mistake(
            lambda g, n: (g * n[:, None]).mean(0),
            "Your results are divided by the number of workers. Divide by the number of images.",
        ),
        Mistake(
            lambda g, n: (g * n[:, None] / n.max()).mean(0),
            "Your results are weighed by the largest share. The weights have to add up to 1.",
        ),
    ),
    wrong=[
        *_wrong(
            _COMBINE_CASE,
            lambda g, n: (g / (n[:, None] + 1e-9)).sum(0) / (1 / (n + 1e-9)).sum(),  # the weights upside down
            lambda g, n: np.median(g, axis=0),
            lambda g, n: np.median(np.repeat(g, n, axis=0), axis=0),
            lambda g, n: g[np.argmax(n)],  # the largest worker decides
            lambda g, n: g[0],
            lambda g, n: np.average(g, axis=0, weights=n**2),
            lambda g, n: np.average(g, axis=0, weights=np.sqrt(n)),
            lambda g, n: np.average(g, axis=0, weights=n[::-1]),
            lambda g, n: np.average(g, axis=0, weights=n + 1),
            lambda g, n: np.average(g, axis=0, weights=n > n.mean()),
            lambda g, n: np.average(g, axis=0, weights=n) / len(n),
            lambda g, n: np.average(g, weights=n, axis=0).mean(),
            lambda g, n: np.sign(np.average(g, axis=0, weights=n)),
            lambda g, n: g * (n / n.sum())[:, None],  # not added up
        ),
        Wrong(
            lambda g, n: (g * (n / n.sum())[:, None]).astype(g.dtype).sum(0),  # loses the fractions of whole numbers
            (np.array([[2, 4], [6, -3]]), np.array([1, 3])),
        ),
    ],
    hints=(
        "A mean times its count is a sum. Sums may be added.",
        "Add the workers' sums, then divide by all images.",
    ),
    why="So the step is the one that a single process would take with the whole batch: the same training, only shared.",
)


# ---- largest_difference -------------------------------------------------------------------------


def _largest_difference(first, second):
    gaps = [np.abs(np.asarray(a, float) - np.asarray(b, float)).max() for a, b in zip(first, second, strict=True)]
    return max(gaps)


def _largest_difference_joined(first, second):
    a, b = (np.concatenate([np.ravel(part).astype(float) for part in parts]) for parts in (first, second))
    return np.linalg.norm(a - b, ord=np.inf)


def _largest_difference_by_loop(first, second):
    largest = 0.0
    for a, b in zip(first, second, strict=True):
        for x, y in zip(a.ravel().tolist(), b.ravel().tolist(), strict=True):
            largest = max(largest, y - x, x - y)
    return largest


def _largest_difference_inputs():
    rng = np.random.default_rng(2)
    several = [rng.normal(size=shape) for shape in ((3, 2), (4,), (1, 2, 2))]
    moved = [part + 0.01 * rng.normal(size=part.shape) for part in several]
    return [
        ([np.array([1.0, 2.0]), np.array([[0.5]])], [np.array([1.5, 2.0]), np.array([[-0.5]])]),
        (several, moved),
        (
            [np.array([3.0, 1.0]), np.zeros((2, 2))],
            [np.array([0.0, 1.0]), np.ones((2, 2))],
        ),  # the first is the larger one
        (
            [np.array([2, 7], np.uint8), np.array([1, 1], np.uint8)],
            [np.array([5, 6], np.uint8), np.array([1, 0], np.uint8)],
        ),
        ([np.array([[200, 1]], np.uint8)], [np.array([[2, 0]], np.uint8)]),  # a gap that is too large for int8
        ([np.array([[0.25, -4.0]])], [np.array([[0.25, -4.0]])]),  # no difference at all
        ([np.array([1e-9, 2e-9]), np.array([0.0])], [np.array([0.0, 0.0]), np.array([-7e-4])]),
    ]


_DIFFERENCE_CASE = (
    [np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([0.0, 9.0, 1.0])],
    [np.array([[1.5, 2.0], [3.0, 1.4]]), np.array([0.0, 7.0, 2.0])],
)


def _each(gap):
    """An answer from one gap for each pair of arrays, as numbers with fractions; the largest one."""
    return lambda first, second: max(gap(a.astype(float), b.astype(float)) for a, b in zip(first, second, strict=True))


largest_difference = Coding(
    topic=TOPIC,
    name="largest_difference",
    reference=_largest_difference,
    also_correct=(_largest_difference_joined, _largest_difference_by_loop),
    inputs=_largest_difference_inputs,
    mistakes=(
        Mistake(
            _each(lambda a, b: (a - b).max()),
            "Your results are the largest differences with their sign. A weight that is too small is as far off as one that is "
            "too large.",
        ),
        Mistake(
            _each(lambda a, b: np.abs(a - b).mean()),
            "Your results are means over an array. One weight that is far off could hide among many that agree.",
        ),
        Mistake(
            lambda first, second: np.abs(first[0].astype(float) - second[0]).max(),
            "Your results look at the first array only. Go through all of them.",
        ),
        Mistake(
            lambda first, second: np.abs(first[-1].astype(float) - second[-1]).max(),
            "Your results look at the last array only. Keep the largest gap of all.",
        ),
        Mistake(
            _each(lambda a, b: abs(a.max() - b.max())),
            "Your results compare the largest weights. Compare weight by weight, and take the largest gap.",
        ),
    ),
    wrong=[
        *_wrong(
            _DIFFERENCE_CASE,
            _each(lambda a, b: ((a - b) ** 2).max()),
            _each(lambda a, b: np.linalg.norm(a - b)),
            _each(lambda a, b: np.abs(a - b).sum()),
            _each(lambda a, b: np.median(np.abs(a - b))),
            _each(lambda a, b: np.abs(a - b).min()),
            _each(lambda a, b: abs((a - b).sum())),
            _each(lambda a, b: abs(a.mean() - b.mean())),
            _each(lambda a, b: np.abs(np.abs(a) - np.abs(b)).mean()),
            _each(lambda a, b: (np.abs(a - b) / np.maximum(np.abs(a), 1e-12)).max()),  # relative
            _each(lambda a, b: np.abs(np.sort(a.ravel()) - np.sort(b.ravel())).max()),
            _each(lambda a, b: np.ptp(a - b)),
            lambda f, s: [np.abs(a - b).max() for a, b in zip(f, s, strict=True)],
            lambda f, s: sum(np.abs(a.astype(float) - b).max() for a, b in zip(f, s, strict=True)),
            lambda f, s: np.mean([np.abs(a.astype(float) - b).max() for a, b in zip(f, s, strict=True)]),
            lambda f, s: round(_largest_difference(f, s)),
        ),
        *_wrong(
            ([np.array([2, 7], np.uint8)], [np.array([5, 7], np.uint8)]),
            lambda f, s: max(np.abs(a - b).max() for a, b in zip(f, s, strict=True)),  # wraps round
        ),
        Wrong(
            lambda f, s: max(
                np.abs((a - b).astype(np.int8) if a.dtype == np.uint8 else a - b).max()
                for a, b in zip(f, s, strict=True)
            ),
            ([np.array([200, 1], np.uint8)], [np.array([2, 0], np.uint8)]),
        ),
        Wrong(
            lambda f, s: round(_largest_difference(f, s), 3),
            ([np.array([0.0])], [np.array([4e-4])]),
        ),
    ],
    hints=(
        "Go through both lists at once, with `zip`.",
        "For one pair of arrays: the absolute values of the differences, and their maximum.",
        "Whole numbers without a sign cannot go below 0: make them floats first.",
    ),
    why="It is the strictest way to say that two trainings ended alike: not one weight is further off than this.",
)


# ---- speed_up -----------------------------------------------------------------------------------


def _speed_up(compute, exchange, workers):
    shared = compute / workers + (exchange if workers > 1 else 0)  # one worker alone has nobody to talk to
    return compute / shared


def _speed_up_by_shares(compute, exchange, workers):
    if workers == 1:
        return 1.0
    return workers / (1 + workers * exchange / compute)


def _speed_up_inputs():
    return [(8.0, 1.0, 4), (8.0, 1.0, 1), (3.0, 2.5, 1), (2, 3, 2), (0.5, 0.0, 16), (0.06, 0.02, 3), (10.0, 0.25, 40)]


_SPEED_CASE = (6.0, 0.55, 3)

speed_up = Coding(
    topic=TOPIC,
    name="speed_up",
    reference=_speed_up,
    also_correct=(_speed_up_by_shares, lambda c, e, k: c / (c / k + e * min(k - 1, 1))),
    inputs=_speed_up_inputs,
    mistakes=(
        Mistake(
            lambda c, e, k: float(k),
            "Your results are those without any exchange: so fast it would be if talking took no time.",
        ),
        Mistake(
            lambda c, e, k: c / (c / k + e),
            "Your results let one worker alone wait for an exchange, too. It has nobody to talk to.",
        ),
        Mistake(
            lambda c, e, k: (c / k + (e if k > 1 else 0)) / c,
            "Your results are upside down: the time that is left, as a part of the old one. Asked is by what factor it is faster.",
        ),
        Mistake(
            lambda c, e, k: c / k + (e if k > 1 else 0),
            "Your results are the seconds that a step takes. Compare them with those of one worker.",
        ),
        Mistake(
            lambda c, e, k: c / ((c + (e if k > 1 else 0)) / k),
            "Your results share out the exchange as well. It takes its time, however many take part.",
        ),
        Mistake(
            lambda c, e, k: c / (c / k + e * (k - 1)),
            "Your results let the exchange take longer with each worker. Here its seconds are given, whatever the number.",
        ),
    ),
    wrong=_wrong(
        _SPEED_CASE,
        lambda c, e, k: c / (c / k + e * k),
        lambda c, e, k: (c + e) / (c / k + e),
        lambda c, e, k: c / (c / k - e) if c / k > e else float(k),
        lambda c, e, k: k * c / (c + e) * (k > 1) + (k == 1),
        lambda c, e, k: _speed_up(c, e, k) / k,  # the efficiency
        lambda c, e, k: c - c / k - (e if k > 1 else 0),
        lambda c, e, k: c / (c / (k - 1) + e) if k > 1 else 1.0,
        lambda c, e, k: max(1.0, c / e) if e else float(k),
        lambda c, e, k: c / max(c / k, e),  # as if computing and talking went on at once
        lambda c, e, k: round(_speed_up(c, e, k), 1),
        lambda c, e, k: c // (c / k + (e if k > 1 else 0)),
        lambda c, e, k: 100 * _speed_up(c, e, k),
        lambda c, e, k: c / (c / np.sqrt(k) + (e if k > 1 else 0)),
    ),
    hints=(
        "How many seconds does one worker compute when the batch is shared equally?",
        "After that all wait for the exchange, unless there is only one of them.",
        "The factor is the old time divided by the new one.",
    ),
    why="However many workers there are, a step never gets shorter than the exchange: that is where more machines stop helping.",
)


# ---- questions ----------------------------------------------------------------------------------

bigger_batch = Choice(
    topic=TOPIC,
    name="bigger_batch",
    answer="b",
    replies={
        "a": "The averaged gradient is that of a batch four times as large, and there are four times fewer steps in an epoch. "
        "That is another training.",
        "b": "A step now rests on 256 images, and an epoch has a quarter of the steps. Rate and warm-up were chosen for other "
        "steps, so that they have to be chosen anew (lesson 08).",
        "c": "The loss is a mean over the whole batch, so that its size does not depend on the number of workers.",
        "d": "Then every worker would train another network, and their gradients could not be combined. All start alike.",
    },
    hints=("How many images does a step rest on now, and how many steps does an epoch have?",),
)

medical_purpose = Choice(
    topic=TOPIC,
    name="medical_purpose",
    answer="d",
    replies={
        "a": "Much software with a network in it is no medical device, and much software without one is.",
        "b": "What is given away free of charge can be a device, too.",
        "c": "A notified body looks at it because it is a device of a certain class, and not the other way round.",
        "d": "Article 2(1) of the MDR asks what the manufacturer intends it for: diagnosis, prevention, monitoring, prediction, "
        "prognosis or treatment of a disease, among others. So the sentence on the box decides, and not the method in it.",
    },
    hints=("Two programs hold the same network. One says “for teaching”, the other “finds strokes”. What differs?",),
)
