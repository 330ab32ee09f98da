"""Exercises of the lesson on beyond the notebook."""

import numpy as np

from course_lib.exercises import Choice, Coding, Mistake, progress

TOPIC = "beyond"


# ---- stranger_file ------------------------------------------------------------------------------

stranger_file = Choice(
    topic=TOPIC,
    name="stranger_file",
    answer="d",
    replies={
        "a": "A pickle is a list of instructions for building objects, and the reader carries them out, whatever they are. "
        "Looking at the type afterwards is too late.",
        "b": "`allow_pickle=True` opens the same door: an array of objects inside the file is a pickle.",
        "c": "That switches off the check which refuses Lambda layers, whose Python code comes out of the file.",
        "d": "It holds numbers and the names of known layers, and the check stays on. Even so it is a guard, not a proof: "
        "gaps in it were found before. Know where a file comes from, and compare its fingerprint.",
    },
    hints=("In which of the four can the file itself say what code is run?",),
)


# ---- mahalanobis --------------------------------------------------------------------------------


def _mahalanobis(features, mean, covariance):
    offset = features - mean  # (n, d)
    weighted = np.linalg.solve(covariance, offset.T).T  # covariance⁻¹ times each offset
    return (offset * weighted).sum(axis=1)


def _mahalanobis_by_loop(features, mean, covariance):
    precision = np.linalg.inv(covariance)
    return [float((row - mean) @ precision @ (row - mean)) for row in features]


def _mahalanobis_inputs():
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(3, 3))
    rows = rng.normal(size=(50, 3)) @ mixing + [2.0, 0.0, -1.0]
    return [
        (np.array([[3.0, 0.0], [0.0, 3.0], [1.0, 1.0]]), np.array([1.0, 1.0]), np.array([[4.0, 1.0], [1.0, 1.0]])),
        (rng.normal(size=(6, 3)), rows.mean(0), np.cov(rows.T)),
    ]


mahalanobis = Coding(
    topic=TOPIC,
    name="mahalanobis",
    reference=_mahalanobis,
    also_correct=(_mahalanobis_by_loop,),
    inputs=_mahalanobis_inputs,
    mistakes=(
        Mistake(
            lambda f, m, c: ((f - m) ** 2).sum(1),
            "That is the ordinary squared distance: it treats a feature that varies a lot like one that hardly varies.",
        ),
        Mistake(
            lambda f, m, c: np.sqrt(_mahalanobis(f, m, c)),
            "Everything is right but the last step: the task asks for the squared distance.",
        ),
        Mistake(
            lambda f, m, c: np.einsum("nd,de,ne->n", f - m, c, f - m),
            "You multiply by the covariance. It has to be its inverse, or features that vary a lot count more, not less.",
        ),
        Mistake(
            lambda f, m, c: ((f - m) ** 2 / np.diag(c)).sum(1),
            "You divide by the variances alone, the diagonal. That two features go together is in the rest of the matrix.",
        ),
        Mistake(
            lambda f, m, c: np.einsum("nd,de,ne->n", f, np.linalg.inv(c), f),
            "You measure the distance from zero. Subtract the mean first.",
        ),
        Mistake(
            lambda f, m, c: (f - m) @ np.linalg.inv(c) @ (f - m).T,
            "That gives a value for every pair of rows. Each row's own value is on the diagonal, and only it is asked for.",
        ),
    ),
    hints=(
        "Start with the offset of each row from the mean.",
        "For one row it is `offset @ inverse @ offset`, a single number.",
        "For all rows at once: `offset @ inverse`, times `offset` place by place, summed over the features.",
    ),
    why="It asks how surprising an image is, given how much each feature varies and which of them go together.",
)


# ---- answered_and_right -------------------------------------------------------------------------


def _answered_and_right(truth, guess, refused):
    answered = ~refused
    if not answered.any():
        return 0.0, np.nan  # nothing was answered: there is no accuracy
    return answered.mean(), (truth == guess)[answered].mean()


def _answered_and_right_by_loop(truth, guess, refused):
    outcomes = [t == g for t, g, r in zip(truth, guess, refused, strict=True) if not r]
    return len(outcomes) / len(truth), sum(outcomes) / len(outcomes) if outcomes else float("nan")


def _answered_and_right_inputs():
    rng = np.random.default_rng(1)
    truth = rng.integers(4, size=40)
    guess = np.where(rng.random(40) < 0.6, truth, rng.integers(4, size=40))
    return [
        (np.array([0, 1, 2, 3, 1]), np.array([0, 1, 0, 0, 1]), np.array([False, False, True, True, True])),
        (truth, guess, rng.random(40) < 0.3),
        (np.array([0, 1, 2]), np.array([0, 1, 1]), np.array([True, True, True])),
    ]


def _or_nothing(pair):
    """A wrong answer that treats the case without any answers rightly."""
    return lambda truth, guess, refused: (0.0, np.nan) if refused.all() else pair(truth == guess, refused)


answered_and_right = Coding(
    topic=TOPIC,
    name="answered_and_right",
    reference=_answered_and_right,
    also_correct=(_answered_and_right_by_loop,),
    inputs=_answered_and_right_inputs,
    mistakes=(
        Mistake(
            _or_nothing(lambda right, refused: (refused.mean(), right[~refused].mean())),
            "Your first value is the share that is refused. The task asks for the share that is answered.",
        ),
        Mistake(
            _or_nothing(lambda right, refused: ((~refused).mean(), right.mean())),
            "Your second value counts all images, refused ones too. Nobody was given an answer about those.",
        ),
        Mistake(
            _or_nothing(lambda right, refused: ((~refused).mean(), (right & ~refused).mean())),
            "You count a refusal as a wrong answer: divide the right answers by how many were answered.",
        ),
        Mistake(
            _or_nothing(lambda right, refused: (right[~refused].mean(), (~refused).mean())),
            "The two values are the wrong way round: the share answered comes first.",
        ),
        Mistake(
            lambda truth, guess, refused: (
                (~refused).mean(),
                (truth == guess)[~refused].sum() / max((~refused).sum(), 1),
            ),
            "Right, except when everything is refused: then there is no accuracy, and 0 would say that all answers were "
            "wrong. Return NaN.",
        ),
    ),
    hints=(
        "`~refused` are the answered ones.",
        "Index with it: `(truth == guess)[~refused]` are the outcomes of the answers that were given.",
        "Before you take a mean, ask whether there is anything to take the mean of.",
    ),
    why="One without the other says nothing: a model that refuses all but the easiest image has a fine accuracy.",
)


# ---- one_bad_group ------------------------------------------------------------------------------

one_bad_group = Choice(
    topic=TOPIC,
    name="one_bad_group",
    answer="c",
    replies={
        "a": "Perhaps. But of twenty groups for which nothing is wrong, one is expected to look like this by chance.",
        "b": "Nothing is shown yet, that is true, and that is no reason to look away: harm to a group is just what the check "
        "is for.",
        "c": "Twenty looks give twenty chances of a false alarm. The finding names what to test: on new patients of that "
        "group, with the question fixed before.",
        "d": "Then nobody would ever see it. A group that is left out of the report is still sent to the model.",
    },
    hints=("A 95 % interval misses the truth in one of twenty cases. How many intervals were there?",),
)


# ---- cusum --------------------------------------------------------------------------------------


def _cusum(values, reference, slack):
    total, sums = 0.0, []
    for value in values:
        total = max(0.0, total + value - reference - slack)  # what lies below never counts as credit
        sums.append(total)
    return np.array(sums)


def _cusum_without_loop(values, reference, slack):
    walk = np.concatenate([[0.0], np.cumsum(np.asarray(values) - reference - slack)])
    return (walk - np.minimum.accumulate(walk))[1:]


def _cusum_inputs():
    rng = np.random.default_rng(4)
    return [
        (np.array([1.0, 3.0, 0.0, 2.0, 2.5]), 1.0, 0.5),
        (rng.normal(size=30) + np.where(np.arange(30) < 15, 0, 1.5), 0.0, 0.5),
        (np.array([2.0, -4.0, 3.0, 3.0]), 0.5, 0.25),
    ]


cusum = Coding(
    topic=TOPIC,
    name="cusum",
    reference=_cusum,
    also_correct=(_cusum_without_loop,),
    inputs=_cusum_inputs,
    mistakes=(
        Mistake(
            lambda v, r, s: np.cumsum(v - r - s),
            "Your sum can fall below zero, and then a long quiet time pays for the change that follows. Hold it at zero.",
        ),
        Mistake(
            lambda v, r, s: np.maximum(0, np.cumsum(v - r - s)),
            "You cut at zero after adding everything up. Cut every day, before the next day is added.",
        ),
        Mistake(
            lambda v, r, s: np.maximum(0, v - r - s),
            "Each day stands alone here. A small change shows only when days are added up.",
        ),
        Mistake(
            lambda v, r, s: _cusum(v, r, 0.0),
            "The slack is missing: without it, chance alone lets the sum climb.",
        ),
        Mistake(
            lambda v, r, s: _cusum(v, r, -s),
            "You add the slack. It is subtracted, so that an ordinary day pulls the sum down.",
        ),
        Mistake(
            lambda v, r, s: np.concatenate([[0.0], _cusum(v, r, s)[:-1]]),
            "Your sums are a day late: the first value already counts on the first day.",
        ),
    ),
    hints=(
        "Keep one running number, and store it each day.",
        "Today's is yesterday's plus today's value, minus reference, minus slack.",
        "It is never less than zero: `max(0, …)` inside the loop.",
    ),
    why="A change too small for any single day to show is noticed within days, because the sum does not forget.",
)


# ---- alarm_rings --------------------------------------------------------------------------------

alarm_rings = Choice(
    topic=TOPIC,
    name="alarm_rings",
    answer="b",
    replies={
        "a": "It never saw a label, so it cannot know. Accuracy may have fallen, or not at all.",
        "b": "That is all it knows. The cause may be a scanner, a new clinic that sends patients, or a false alarm; somebody "
        "has to look, and until then answers are to be read with care.",
        "c": "Then the model would learn from its own errors, at the very moment when it makes more of them. And a model that "
        "changes is a new version, to be tested anew.",
        "d": "A limit is chosen before, from the false alarms that one is ready to bear. Raising it now is to take out the "
        "battery.",
    },
    hints=("What does the statistic see: labels, answers or images?",),
)


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
    ]


combine_gradients = Coding(
    topic=TOPIC,
    name="combine_gradients",
    reference=_combine_gradients,
    also_correct=(_combine_gradients_by_loop,),
    inputs=_combine_gradients_inputs,
    mistakes=(
        Mistake(
            lambda g, n: g.mean(0),
            "You give every worker the same weight. One with few images would then count as much as one with many.",
        ),
        Mistake(
            lambda g, n: g.sum(0),
            "You add the means up: with more workers the step would become longer. The result must be a mean over all images.",
        ),
        Mistake(
            lambda g, n: (g * n[:, None]).sum(0),
            "That is the sum over all images. Divide by how many there are.",
        ),
        Mistake(
            lambda g, n: (g * n[:, None]).mean(0),
            "You divide by the number of workers. Divide by the number of images.",
        ),
        Mistake(
            lambda g, n: (g / n[:, None]).sum(0) / (1 / n).sum(),
            "Your weights are upside down: the worker with the fewest images counts most.",
        ),
    ),
    hints=(
        "A mean times its count is a sum. Sums may be added.",
        "Add the workers' sums, then divide by all images.",
    ),
    why="So the step is the one that a single process would take with the whole batch: the same training, only shared.",
)
