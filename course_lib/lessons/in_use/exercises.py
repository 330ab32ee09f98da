"""Exercises of the lesson on a model in use."""

import numpy as np

from course_lib.exercises import Choice, Coding, Mistake, Wrong, progress

TOPIC = "in_use"


def _wrong(differs_on, *answers):
    """Wrong answers that all differ on the same arguments."""
    return [Wrong(answer, differs_on) for answer in answers]


stranger_file = Choice(
    topic=TOPIC,
    name="stranger_file",
    answer="c",
    replies={
        "a": "A pickle is a list of instructions for building objects, and the reader carries them out, whatever they are. "
        "Looking at the type afterwards is too late.",
        "b": "`allow_pickle=True` opens the same door: an array of objects inside the file is a pickle, and it runs before you "
        "look at anything.",
        "c": "The file holds numbers and the names of known layers, and the check for code stays on. Even so it is a guard and no "
        "proof, because gaps in it were found before. Know where a file comes from, and compare its fingerprint.",
        "d": "That switches off the check which refuses Lambda layers, whose Python code comes out of the file. Being offline "
        "does not stop it from reading or deleting your files.",
    },
    hints=("In which of the four can the file itself say what code is run?",),
)


def _mahalanobis(features, mean, covariance):
    offset = features - mean  # (n, p)
    weighted = np.linalg.solve(covariance, offset.T).T  # the inverse covariance times each offset
    return np.sqrt((offset * weighted).sum(axis=1))


def _mahalanobis_by_loop(features, mean, covariance):
    precision = np.linalg.inv(covariance)
    return [float(np.sqrt((row - mean) @ precision @ (row - mean))) for row in features]


def _mahalanobis_by_whitening(features, mean, covariance):
    lower = np.linalg.cholesky(covariance)
    return np.linalg.norm(np.linalg.solve(lower, (features - mean).T), axis=0)


def _mahalanobis_inputs():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(50, 3)) @ rng.normal(size=(3, 3)) + [2.0, 0.0, -1.0]
    return [
        (np.array([[3.0, 1.0], [1.0, 3.0], [1.0, 1.0]]), np.array([1.0, 1.0]), np.array([[4.0, 0.0], [0.0, 1.0]])),
        (np.array([[3, 0], [0, 3], [2, 2], [1, 1]]), np.array([1, 1]), np.array([[4, 1], [1, 1]])),
        (rng.normal(size=(6, 3)), rows.mean(0), np.cov(rows.T)),
        (1e4 + rng.normal(size=(4, 2)), np.array([1e4, 1e4]), np.array([[0.5, -0.4], [-0.4, 0.6]])),
        (np.array([[3.0], [-1.0]]), np.array([1.0]), np.array([[4.0]])),  # a single feature
    ]


_MAHALANOBIS_CASE = (
    np.array([[2.0, -1.0, 0.0], [0.0, 1.0, 4.0]]),
    np.array([0.5, 0.0, 1.0]),
    np.array([[2.0, 0.6, 0.0], [0.6, 1.0, -0.3], [0.0, -0.3, 3.0]]),
)


def _rooted(squared):
    """An answer from its square; what would be the root of a negative number is 0."""
    return lambda f, m, c: np.sqrt(np.maximum(squared(f, m, c), 0))


# fmt: off
mahalanobis = Coding(
    topic=TOPIC,
    name="mahalanobis",
    reference=_mahalanobis,
    also_correct=(_mahalanobis_by_loop, _mahalanobis_by_whitening),
    inputs=_mahalanobis_inputs,
    mistakes=(
        Mistake(lambda f, m, c: np.linalg.norm(f - m, axis=1),
                "Your results are those of the ordinary distance: it treats a feature that varies a lot like one that "
                "hardly varies."),
        Mistake(lambda f, m, c: _mahalanobis(f, m, c) ** 2,
                "Your results are the squares: everything is right but the last step, the root."),
        Mistake(_rooted(lambda f, m, c: np.einsum("nd,de,ne->n", f - m, c, f - m)),
                "Your results are those of the covariance itself. It has to be its inverse, or features that vary a lot "
                "count more, not less."),
        Mistake(lambda f, m, c: np.sqrt(((f - m) ** 2 / np.diag(c)).sum(1)),
                "Your results are those of the variances alone, the diagonal. That two features go together stands in the "
                "rest of the matrix."),
        Mistake(_rooted(lambda f, m, c: np.einsum("nd,de,ne->n", f, np.linalg.inv(c), f)),
                "Your results are distances from zero. Subtract the mean first."),
        Mistake(lambda f, m, c: np.sqrt(np.maximum((f - m) @ np.linalg.inv(c) @ (f - m).T, 0)),
                "Your results are values for every pair of rows. Each row's own value is on the diagonal, and only it is "
                "asked for."),
    ),
    wrong=[
        *_wrong(_MAHALANOBIS_CASE,
            _rooted(lambda f, m, c: np.einsum("nd,de,ne->n", f - m, 1 / (c + 1e-12), f - m)),  # the inverse of each number
            _rooted(lambda f, m, c: np.einsum("nd,de,ne->n", f - m, np.linalg.inv(c) ** 2, f - m)),
            lambda f, m, c: np.sqrt(_mahalanobis(f, m, c)),  # the root twice
            lambda f, m, c: _mahalanobis(f, m, c) / f.shape[1],
            lambda f, m, c: np.sqrt(_mahalanobis(f, m, c) ** 2 / f.shape[1]),  # a mean over the features
            lambda f, m, c: _mahalanobis(f, f.mean(0), c),  # the mean of what is asked about
            lambda f, m, c: np.abs((f - m) / np.sqrt(np.diag(c))).sum(1),
            lambda f, m, c: np.abs((f - m) / np.sqrt(np.diag(c))).max(1), lambda f, m, c: _mahalanobis(f, m, c)[::-1],
            lambda f, m, c: np.full(len(f), _mahalanobis(f, m, c).mean()),
            lambda f, m, c: _mahalanobis(f, m, c + np.eye(len(c))),  # a ridge that nobody asked for
            lambda f, m, c: np.round(_mahalanobis(f, m, c), 1), lambda f, m, c: _mahalanobis(f, m, c)[:, None]),
        Wrong(
            lambda f, m, c: _mahalanobis(f, m.astype(int), c),
            (np.array([[1.0, 2.0]]), np.array([0.5, 1.5]), np.eye(2))),
    ],
    hints=(
        "Start with the offset of each row from the mean.",
        "For one row: `offset @ inverse @ offset` is a single number, and its root is wanted.",
        "For all rows at once: `offset @ inverse`, times `offset` place by place, summed over the features.",
    ),
    why="It asks how surprising an image is, given how much each feature varies and which of them go together.",
)
# fmt: on


def _answered_and_right(truth, guess, refused):
    answered = ~refused
    if not answered.any():
        return 0.0, np.nan  # nothing was answered: there is no accuracy
    return answered.mean(), (truth == guess)[answered].mean()


def _answered_and_right_by_loop(truth, guess, refused):
    outcomes = [t == g for t, g, r in zip(truth, guess, refused, strict=True) if not r]
    return len(outcomes) / len(truth), sum(outcomes) / len(outcomes) if outcomes else float("nan")


def _answered_and_right_by_counting(truth, guess, refused):
    count = np.sum(refused == 0)
    hits = np.sum(np.logical_and(truth == guess, np.logical_not(refused)))
    return np.array([count / len(refused), hits / count if count else np.nan])


def _answered_and_right_inputs():
    rng = np.random.default_rng(1)
    truth = rng.integers(4, size=40)
    guess = np.where(rng.random(40) < 0.6, truth, rng.integers(4, size=40))
    return [
        (np.array([0, 1, 2, 3, 1]), np.array([0, 1, 0, 0, 1]), np.array([False, False, True, True, True])),
        (truth, guess, rng.random(40) < 0.3),
        (np.array([0, 1, 2]), np.array([0, 1, 1]), np.array([True, True, True])),
        (np.array([0, 1, 2, 2]), np.array([1, 1, 1, 2]), np.zeros(4, bool)),  # nothing is refused
        (
            np.array([2, 0, 0, 0]),
            np.array([1, 1, 0, 0]),
            np.array([False, True, True, True]),
        ),  # one answer, and it is wrong
        (np.array([1.0, 0.0, 1.0]), np.array([1.0, 1.0, 0.0]), np.array([False, False, True])),
    ]


def _or_nothing(pair):
    """A wrong answer that treats the case without any answers rightly."""
    return lambda truth, guess, refused: (0.0, np.nan) if refused.all() else pair(truth == guess, refused)


_ANSWERED_CASE = (
    np.array([0, 1, 2, 3, 0, 1, 1]),
    np.array([0, 1, 1, 3, 2, 1, 0]),
    np.array([False, False, False, True, True, False, False]),
)

# fmt: off
answered_and_right = Coding(
    topic=TOPIC,
    name="answered_and_right",
    reference=_answered_and_right,
    also_correct=(_answered_and_right_by_loop, _answered_and_right_by_counting),
    inputs=_answered_and_right_inputs,
    mistakes=(
        Mistake(_or_nothing(lambda right, refused: (refused.mean(), right[~refused].mean())),
                "Your first results are the shares that are refused. The task asks for the share that is answered."),
        Mistake(_or_nothing(lambda right, refused: ((~refused).mean(), right.mean())),
                "Your second results count all images, refused ones too. Nobody was given an answer about those."),
        Mistake(_or_nothing(lambda right, refused: ((~refused).mean(), (right & ~refused).mean())),
                "Your second results count a refusal as a wrong answer: divide the right answers by how many were answered."),
        Mistake(_or_nothing(lambda right, refused: (right[~refused].mean(), (~refused).mean())),
                "Your results are the right two, the wrong way round: the share answered comes first."),
        Mistake(_or_nothing(lambda right, refused: ((~refused).mean(), right[refused].mean() if refused.any() else 0.0)),
                "Your second results are shares of the refused images. Look at those that were answered."),
    ),
    wrong=[
        *_wrong(_ANSWERED_CASE,
            _or_nothing(lambda right, no: ((~no).sum(), right[~no].mean())),
            _or_nothing(lambda right, no: (100 * (~no).mean(), 100 * right[~no].mean())),
            _or_nothing(lambda right, no: ((~no).mean(), 1 - right[~no].mean())),
            _or_nothing(lambda right, no: ((~no).mean(), right[~no].sum())),
            _or_nothing(lambda right, no: ((~no).mean(), (~no)[right].mean())),  # of the right, those answered
            _or_nothing(lambda right, no: (round((~no).mean(), 1), round(right[~no].mean(), 1))),
            _or_nothing(lambda right, no: ((~no).mean(), (right[~no].sum() + 1) / ((~no).sum() + 2))),
            _or_nothing(lambda right, no: ((~no).mean(), ((~no) == right).mean())),
            lambda t, g, r: (np.mean(~r), np.mean(t[r] == g[r])), lambda t, g, r: np.mean(t[~r] == g[~r])),
        *_wrong((np.array([0, 1]), np.array([0, 0]), np.array([True, True])),
            lambda t, g, r: (np.mean(~r), np.sum((t == g) & ~r) / max(np.sum(~r), 1)),  # 0 where there is no accuracy
            lambda t, g, r: (np.mean(~r), np.mean((t == g)[~r]) if (~r).any() else 1.0),
            lambda t, g, r: (np.mean(~r) if (~r).any() else np.nan, np.mean((t == g)[~r]) if (~r).any() else np.nan)),
    ],
    hints=(
        "`~refused` are the answered ones.",
        "Index with it: `(truth == guess)[~refused]` are the outcomes of the answers that were given.",
        "Before you take a mean, ask whether there is anything to take the mean of.",
    ),
    why="One without the other says nothing: a model that refuses all but the easiest image has a fine accuracy.",
)
# fmt: on


one_bad_group = Choice(
    topic=TOPIC,
    name="one_bad_group",
    answer="d",
    replies={
        "a": "Perhaps it is. But of twenty groups for which nothing is wrong, one is expected to look like this by chance.",
        "b": "Nothing is shown yet, that is true, and that is no reason to look away: harm to a group is just what the check "
        "is for.",
        "c": "Then nobody would ever see it. A group that is left out of the report is still sent to the model.",
        "d": "Twenty looks give twenty chances of a false alarm. The finding names what to test: on new patients of that "
        "group, with the question fixed before.",
    },
    hints=("A 95 % interval misses the truth in one of twenty cases. How many intervals were there?",),
)


def _cusum(values, reference, slack):
    total, sums = 0.0, []
    for value in values:
        total = max(0.0, total + value - reference - slack)  # what lies below never counts as credit
        sums.append(total)
    return np.array(sums)


def _cusum_without_loop(values, reference, slack):
    walk = np.concatenate([[0.0], np.cumsum(np.asarray(values) - reference - slack)])
    return (walk - np.minimum.accumulate(walk))[1:]


def _cusum_recursive(values, reference, slack):
    sums = [0.0]
    for value in values:
        step = sums[-1] + (value - (reference + slack))
        sums += [step if step > 0 else 0.0]
    return sums[1:]


def _cusum_inputs():
    rng = np.random.default_rng(4)
    return [
        (np.array([1, 3, 2, 0, 5, 1]), 1, 0.5),
        (rng.normal(size=30) + np.where(np.arange(30) < 15, 0, 1.5), 0.0, 0.5),
        (np.array([2.0, -4.0, 3.0, 3.0, 0.75, 2.0]), 0.5, 0.25),  # a day that changes nothing
        (np.array([-5.0, -1.0, 2.5, -0.5, 1.0]), -2.0, 0.0),  # no slack, a reference below zero
        (np.array([0.3]), 1.0, 0.5),
    ]


_CUSUM_CASE = (np.array([3.0, 0.5, -6.0, 4.0, 4.0, 1.0]), 1.0, 0.5)

# fmt: off
cusum = Coding(
    topic=TOPIC,
    name="cusum",
    reference=_cusum,
    also_correct=(_cusum_without_loop, _cusum_recursive),
    inputs=_cusum_inputs,
    mistakes=(
        Mistake(lambda v, r, s: np.cumsum(v - r - s),
                "Your sums can fall below zero, and then a long quiet time pays for the change that follows. Hold them at "
                "zero."),
        Mistake(lambda v, r, s: np.maximum(0, np.cumsum(v - r - s)),
                "Your results are cut at zero after everything was added up. Cut every day, before the next day is added."),
        Mistake(lambda v, r, s: np.maximum(0, v - r - s),
                "Each day stands alone in your results. A small change shows only when days are added up."),
        Mistake(lambda v, r, s: _cusum(v, r, 0.0),
                "Your results are those without slack: then chance alone lets the sum climb."),
        Mistake(lambda v, r, s: _cusum(v, r, -s),
                "Your results are those with the slack added. It is subtracted, so that an ordinary day pulls the sum down."),
        Mistake(lambda v, r, s: np.concatenate([[0.0], _cusum(v, r, s)[:-1]]),
                "Your sums are a day late: the first value already counts on the first day."),
    ),
    wrong=[
        *_wrong(_CUSUM_CASE, lambda v, r, s: np.cumsum(np.maximum(0, v - r - s)),  # what lies below never pulls down
            lambda v, r, s: np.abs(_cusum(v, r, s) - _cusum(-v, -r, s)), lambda v, r, s: _cusum(-v, -r, s),  # downwards
            lambda v, r, s: _cusum(v, 0.0, s), lambda v, r, s: _cusum(v, v.mean(), s), lambda v, r, s: _cusum(v, r, s)[::-1],
            lambda v, r, s: _cusum(v, r, s).max(),
            lambda v, r, s: np.maximum.accumulate(_cusum(v, r, s)),  # never comes down again
            lambda v, r, s: np.concatenate([[0.0], _cusum(v, r, s)]),  # a day too many
            lambda v, r, s: np.where(v > r + s, _cusum(v, r, s), 0), lambda v, r, s: np.maximum(0, np.cumsum(v - r) - s),
            lambda v, r, s: np.maximum(0, np.cumsum(v - r) - s * np.arange(1, len(v) + 1)),
            lambda v, r, s: _cusum(v, r, s) / np.arange(1, len(v) + 1),
            lambda v, r, s: _cusum(v.astype(int), r, s)),  # without fractions
        Wrong(lambda v, r, s: _cusum(v, abs(r), s), (np.array([0.0, 1.0]), -1.0, 0.5)),
    ],
    hints=(
        "Keep one running number, and store it each day.",
        "Today's is yesterday's plus today's value, minus reference, minus slack.",
        "It is never less than zero: `max(0, …)` inside the loop.",
    ),
    why="A change too small for any single day to show is noticed within days, because the sum does not forget.",
)
# fmt: on


alarm_rings = Choice(
    topic=TOPIC,
    name="alarm_rings",
    answer="a",
    replies={
        "a": "That is all it knows. The cause may be a scanner, a new clinic that sends patients, or a false alarm; somebody "
        "has to look, and until then answers are to be read with care.",
        "b": "It never saw a label, so it cannot know. Accuracy may have fallen, or not at all.",
        "c": "Then the model would learn from its own errors, at the very moment when it may make more of them. And a model that "
        "changes is a new version, to be tested anew.",
        "d": "A limit is chosen before, from the false alarms that one is ready to bear. Raising it now is to take out the "
        "battery.",
    },
    hints=("What does the statistic see: labels, answers or images?",),
)
