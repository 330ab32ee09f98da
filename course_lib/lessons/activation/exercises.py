"""Exercises of the lesson on activation functions."""

import numpy as np
from scipy import special

from course_lib.exercises import Choice, Coding, Mistake, Wrong, compare, progress

TOPIC = "activation"


# ---- collapse -----------------------------------------------------------------------------------


def _collapse(w1, b1, w2, b2):
    # (x @ w1 + b1) @ w2 + b2 = x @ (w1 @ w2) + (b1 @ w2 + b2)
    return w1 @ w2, b1 @ w2 + b2


def _collapse_by_probing(w1, b1, w2, b2):
    b = (np.zeros(len(w1)) @ w1 + b1) @ w2 + b2  # what both layers make of zeros
    return (np.eye(len(w1)) @ w1 + b1) @ w2 + b2 - b, b


def _layers(n, k, m):
    rng = np.random.default_rng(6)
    return tuple(rng.normal(size=shape) for shape in [(n, k), (k,), (k, m), (m,)])


def _collapse_inputs():
    rng = np.random.default_rng(3)
    # Square layers, so that a wrong order of the matrices computes something and can be recognised.
    return [tuple(rng.normal(size=shape) for shape in [(n, n), (n,), (n, n), (n,)]) for n in (2, 3, 4)]


collapse = Coding(
    topic=TOPIC,
    name="collapse",
    reference=_collapse,
    also_correct=(
        _collapse_by_probing,
        lambda w1, b1, w2, b2: [np.dot(w1, w2), np.dot(b1, w2) + b2],
        lambda w1, b1, w2, b2: (np.einsum("ij,jk->ik", w1, w2), (b1[:, None] * w2).sum(0) + b2),
    ),
    inputs=_collapse_inputs,
    integers=False,
    mistakes=(
        Mistake(
            lambda w1, b1, w2, b2: (w1 @ w2, b1 + b2),
            "The weights are right. But the first bias has to pass through something before it meets the second.",
        ),
        Mistake(
            lambda w1, b1, w2, b2: (w1 @ w2, b1 @ w2),
            "The weights are right. The second layer adds a bias of its own, and yours has lost it.",
        ),
        Mistake(
            lambda w1, b1, w2, b2: (w2 @ w1, w2 @ b1 + b2),
            "This is the order for column vectors. Here an input is a row and stands to the left of the weights.",
        ),
        Mistake(
            lambda w1, b1, w2, b2: (w2 @ w1, b1 @ w2 + b2),
            "The bias is right, but the order of the two weight matrices is not: which of them meets x first?",
        ),
        Mistake(
            lambda w1, b1, w2, b2: (w1 * w2, b1 @ w2 + b2),
            "`*` multiplies element by element. Passing through two layers is the matrix product, `@`.",
        ),
    ),
    wrong=(
        Wrong(lambda w1, b1, w2, b2: (w1 @ w2, b2), _layers(2, 2, 2)),
        Wrong(lambda w1, b1, w2, b2: (w1 @ w2, b1 @ w2 - b2), _layers(2, 2, 2)),
        Wrong(lambda w1, b1, w2, b2: (w1 @ w2, (b1 @ w2 + b2).mean()), _layers(2, 2, 2)),
        Wrong(lambda w1, b1, w2, b2: (np.maximum(w1, 0) @ w2, np.maximum(b1, 0) @ w2 + b2), _layers(2, 2, 2)),
        Wrong(lambda w1, b1, w2, b2: (w1 @ w2.T, b1 @ w2 + b2), _layers(2, 2, 2)),
        Wrong(lambda w1, b1, w2, b2: (w1 + w2, b1 + b2), _layers(2, 2, 2)),
        Wrong(lambda w1, b1, w2, b2: (w1 @ w2, w2 @ b1 + b2), _layers(2, 2, 2)),
        Wrong(lambda w1, b1, w2, b2: (b1 @ w2 + b2, w1 @ w2), _layers(2, 2, 2)),
        Wrong(lambda w1, b1, w2, b2: ((w1 @ w2).round(1), b1 @ w2 + b2), _layers(2, 2, 2)),
    ),
    hints=(
        "Write the first layer's formula into the second one's, and multiply out.",
        "In (x @ w1 + b1) @ w2 + b2, the bracket times w2 has two parts: one contains x, the other does not.",
        "Everything that multiplies x from the right is the new w; everything without x is the new b.",
    ),
    why="Two layers without an activation in between are one layer, with more parameters than it needs.",
)


# ---- no_activation ------------------------------------------------------------------------------

no_activation = Choice(
    topic=TOPIC,
    name="no_activation",
    answer="c",
    replies={
        "a": "Each new layer only multiplies by another matrix. What is a product of eleven matrices?",
        "b": "Training them may behave differently, but the question is what the finished stack can compute.",
        "c": "A product of matrices is a matrix, so eleven layers are one. The narrow ones even take possibilities away.",
        "d": "A bias shifts the output; the collapsed layer has a bias too. Biases do not bend anything.",
    },
    hints=("Collapse the first two layers into one. How many layers are left? Repeat.",),
)


# ---- window -------------------------------------------------------------------------------------


def _window(x, low, high):
    # The first ReLU starts the ramp at `low`; from `high` on the second one takes away what the first still adds.
    return (np.maximum(x - low, 0) - np.maximum(x - high, 0)) / (high - low)


window = Coding(
    topic=TOPIC,
    name="window",
    reference=_window,
    also_correct=(
        lambda x, low, high: np.clip((x - low) / (high - low), 0, 1),
        lambda x, low, high: 1 - np.maximum(1 - np.maximum((x - low) / (high - low), 0), 0),  # one inside the other
    ),
    inputs=lambda: [
        (np.array([-1000.0, -160, -60, 40, 140, 240, 1000]), -160.0, 240.0),
        (np.array([[-1000.0, -900], [-600, 0]]), -1000.0, -200.0),
        (np.array([30.0, 35, 60, 75, 80, 90]), 40.0, 80.0),
        (np.array([[-1024, -50, 3], [41, 200, 3071]]), -159, 240),
        (np.array([-0.5, 0.25, 0.5, 2]), 0.0, 1.0),
    ],
    mistakes=(
        Mistake(
            lambda x, low, high: np.maximum(x - low, 0) / (high - low),
            "The lower end is right. Above `high` your output goes on rising: a second ReLU has to stop it.",
        ),
        Mistake(
            lambda x, low, high: np.maximum(x - low, 0) - np.maximum(x - high, 0),
            "The shape is right, but the output does not stay between 0 and 1: how high is your plateau?",
        ),
        Mistake(
            lambda x, low, high: (np.maximum(x - low, 0) + np.maximum(x - high, 0)) / (high - low),
            "Your second ReLU makes the output rise faster above `high`. It should take away, not add.",
        ),
        Mistake(
            lambda x, low, high: (np.maximum(x - low, 0) - np.maximum(x - high, 0)) / high,
            "The shape is right. Divide by the width of the ramp, and not by its upper end.",
        ),
        Mistake(
            lambda x, low, high: (x - low) / (high - low),
            "That is the ramp without the ReLUs: it falls below 0 and rises above 1.",
        ),
    ),
    wrong=(
        Wrong(lambda x, low, high: ((x > low) & (x < high)).astype(float), (np.array([0.2, 0.7]), 0.0, 1.0)),
        Wrong(lambda x, low, high: (x >= (low + high) / 2).astype(float), (np.array([0.2, 0.7]), 0.0, 1.0)),
        Wrong(lambda x, low, high: np.clip(x, low, high), (np.array([5.0]), 0.0, 10.0)),
        Wrong(lambda x, low, high: np.clip((x - low) / (high - low), 0, None), (np.array([20.0]), 0.0, 10.0)),
        Wrong(lambda x, low, high: np.clip((x - low) / (high - low), None, 1), (np.array([-20.0]), 0.0, 10.0)),
        Wrong(lambda x, low, high: np.clip((x - low) // (high - low), 0, 1), (np.array([5.0]), 0.0, 10.0)),
        Wrong(lambda x, low, high: (x - x.min()) / (x.max() - x.min()), (np.array([0.0, 5.0, 20.0]), 0.0, 10.0)),
        Wrong(lambda x, low, high: 1 - _window(x, low, high), (np.array([2.0]), 0.0, 10.0)),
        Wrong(lambda x, low, high: 1 / (1 + np.exp(-(x - low) / (high - low))), (np.array([2.0]), 0.0, 10.0)),
        Wrong(lambda x, low, high: _window(x, low, high) * 255, (np.array([2.0]), 0.0, 10.0)),
    ),
    hints=(
        "ReLU(x − low) is 0 up to `low` and then rises with slope 1. Draw it.",
        "ReLU(x − high) starts to rise at `high`, also with slope 1. What is the difference of the two above `high`?",
        "The difference ends in a plateau of height high − low.",
    ),
    why="Two ReLUs make a ramp between two plateaus, which is how a CT is shown on a screen. More of them make any curve.",
)


# ---- stable_tanh --------------------------------------------------------------------------------


def _stable_tanh(x):
    small = np.exp(-2 * np.abs(x))  # never more than 1
    return np.sign(x) * (1 - small) / (1 + small)


def _stable_tanh_inputs():
    values = np.array([-1000, -100, -20, -1, -0.01, 0, 0.01, 1, 20, 100, 1000])
    return [
        (np.array([-2.0, -0.5, 0, 0.5, 2]),),
        (values.astype(np.float32),),
        (values[:, None] * np.array([1.0, -0.5]),),
        (np.array([[-1000, -3, 0], [1, 2, 1000]]),),
        (np.array([-5.0, -1e-4, 1e-4, 0.3, 9.0]),),
    ]


def _stable_tanh_accept(result, x):
    """Closer than exercises usually ask: tanh(5) is 1 to four digits, and a ramp that stops there is no tanh."""
    if complaint := compare.difference(result, _stable_tanh(x)):
        return complaint
    off = np.abs(np.asarray(result, dtype=float) - np.tanh(np.asarray(x, dtype=float)))
    if off.max() > 1e-5:
        place = float(np.asarray(x).flat[off.argmax()])
        return (
            f"at x = {place:g} your result is off in the fifth digit, more than rounding. Do you cut x off too early?"
        )
    return None


stable_tanh = Coding(
    topic=TOPIC,
    name="stable_tanh",
    reference=_stable_tanh,
    accept=_stable_tanh_accept,
    also_correct=(
        lambda x: 2 / (1 + np.exp(-2 * x)) - 1,
        lambda x: (
            (np.exp(np.clip(x, -40, 40)) - np.exp(-np.clip(x, -40, 40)))
            / (np.exp(np.clip(x, -40, 40)) + np.exp(-np.clip(x, -40, 40)))
        ),
    ),
    inputs=_stable_tanh_inputs,
    mistakes=(
        Mistake(
            lambda x: (np.exp(x) - np.exp(-x)) / (np.exp(x) + np.exp(-x)),
            "That is the article's formula. For large x, of either sign, it divides infinity by infinity.",
        ),
        Mistake(
            lambda x: (np.exp(2 * x) - 1) / (np.exp(2 * x) + 1),
            "Better: large negative x works now. For large positive x, infinity is still divided by infinity.",
        ),
        Mistake(
            lambda x: (1 - np.exp(-2 * x)) / (1 + np.exp(-2 * x)),
            "Better: large positive x works now. For large negative x, infinity is still divided by infinity.",
        ),
        Mistake(
            lambda x: (1 - np.exp(-2 * np.abs(x))) / (1 + np.exp(-2 * np.abs(x))),
            "No overflow any more, and the size is right. But tanh has the sign of x, and your result is never negative.",
        ),
        Mistake(
            lambda x: 2 / (1 + np.exp(-x)) - 1,
            "The sigmoid is stretched to the range from −1 to 1, as it should be. But it rises too slowly.",
        ),
    ),
    wrong=(
        Wrong(lambda x: np.nan_to_num((np.exp(x) - np.exp(-x)) / (np.exp(x) + np.exp(-x))), (np.array([1000.0]),)),
        Wrong(lambda x: np.clip(x, -1, 1), (np.array([0.5]),)),
        Wrong(lambda x: np.sign(x), (np.array([0.5]),)),
        Wrong(lambda x: 1 / (1 + np.exp(-2 * np.clip(x, -300, 300))), (np.array([0.5]),)),
        Wrong(lambda x: _stable_tanh(np.clip(x, -3, 3)), (np.array([5.0]),)),
        Wrong(lambda x: _stable_tanh(np.clip(x, -5, 5)), (np.array([20.0]),)),
        Wrong(lambda x: _stable_tanh(np.maximum(x, 0)), (np.array([-0.5]),)),
        Wrong(lambda x: x / (1 + np.abs(x)), (np.array([0.5]),)),
        Wrong(lambda x: _stable_tanh(x) * 0.999, (np.array([5.0]),)),
        Wrong(lambda x: np.where(np.abs(x) > 1, np.sign(x), x), (np.array([0.5]),)),
        Wrong(lambda x: _stable_tanh(2 * x), (np.array([0.5]),)),
    ),
    hints=(
        "The trouble is exp of a large positive number. Which exponent, made from x, is never positive?",
        "Divide numerator and denominator of the article's formula by the larger of its two exponentials.",
        "Compute it for |x| first, with exp(−2|x|), and give it the sign of x at the end.",
    ),
    why="Right for every x. The safe way needs only exponentials of numbers that are not positive, which cannot overflow.",
)


# ---- dead_unit ----------------------------------------------------------------------------------

dead_unit = Choice(
    topic=TOPIC,
    name="dead_unit",
    answer="a",
    replies={
        "a": "Its output is 0 and stays 0 when a weight is nudged a little, for every patch. So no small change of its weights "
        "changes the error, and a step that follows the error has nothing to follow.",
        "b": "The error may be large. But would it become smaller if one of this unit's weights were nudged a little?",
        "c": "The rate multiplies what the nudges have shown. What does it make of zero?",
        "d": "A step asks how the error changes with the unit's weights. Does the output react to them at all?",
    },
    hints=("Nudge one of its weights a little. What does its output do, for any patch?",),
)


# ---- softmax ------------------------------------------------------------------------------------


def _softmax(logits):
    # The largest logit of each row becomes 0, so no exponential is larger than 1 and no sum smaller than 1.
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def _softmax_by_logarithms(logits):
    shifted = logits - np.max(logits, axis=-1)[..., None]
    return np.exp(shifted - np.log(np.sum(np.exp(shifted), axis=-1))[..., None])


def _softmax_inputs():
    rng = np.random.default_rng(5)
    rows = np.array([[1000.0, 999, 0], [-1000, -1001, -1003], [3, 0, -3]])  # one row large, one small, one plain
    return [
        (np.log([1.0, 2, 5]),),
        (rows,),
        (rows[:2].astype(np.float32),),
        (rng.normal(size=(2, 3, 4)),),
        (np.array([[2, 1, 0], [5, 5, 5]]),),
        (rng.normal(size=(4, 4)) * 30,),
        (rng.normal(size=(1, 2, 2, 2)) + 800,),
    ]


softmax = Coding(
    topic=TOPIC,
    name="softmax",
    reference=_softmax,
    also_correct=(
        _softmax_by_logarithms,
        lambda logits: special.softmax(logits, axis=-1),
        lambda logits: np.apply_along_axis(
            lambda row: np.exp(row - row.max()) / np.exp(row - row.max()).sum(), -1, logits
        ),
    ),
    inputs=_softmax_inputs,
    mistakes=(
        Mistake(
            lambda logits: np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True),
            "Right for small logits. For 1000 the exponential is infinite, and for −1000 all of a row may be zero.",
        ),
        Mistake(
            lambda logits: np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum(axis=-1, keepdims=True),
            "Your results are those of one maximum for the whole batch. A row far below it becomes zeros only, and 0/0 follows.",
        ),
        Mistake(
            lambda logits: np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum(),
            "Your results add up to 1 over all rows together. Every row, that is the last axis, has to add up to 1.",
        ),
        Mistake(
            lambda logits: np.exp(logits - logits.max(axis=0)) / np.exp(logits - logits.max(axis=0)).sum(axis=0),
            "Your results go along the first axis, so each class adds up to 1 over the images. The classes are the last axis.",
        ),
        Mistake(
            lambda logits: np.exp(logits - logits.max(axis=-1, keepdims=True)),
            "No overflow any more. But the values of a row do not add up to 1 yet.",
        ),
    ),
    wrong=(
        Wrong(lambda z: np.nan_to_num(np.exp(z) / np.exp(z).sum(-1, keepdims=True)), (np.array([1000.0, 999.0]),)),
        Wrong(
            lambda z: np.exp(np.clip(z, -500, 500)) / np.exp(np.clip(z, -500, 500)).sum(-1, keepdims=True),
            (np.array([1000.0, 999.0]),),
        ),
        Wrong(lambda z: special.softmax(z, axis=1), (np.ones((2, 3, 4)),)),
        Wrong(lambda z: special.softmax(z), (np.ones((2, 3)),)),
        Wrong(lambda z: 1 / (1 + np.exp(-np.clip(z, -500, 500))), (np.array([1.0, 2.0]),)),
        Wrong(lambda z: z / z.sum(-1, keepdims=True), (np.array([1.0, 2.0]),)),
        Wrong(lambda z: (z == z.max(-1, keepdims=True)).astype(float), (np.array([1.0, 2.0]),)),
        Wrong(lambda z: special.log_softmax(z, axis=-1), (np.array([1.0, 2.0]),)),
        Wrong(lambda z: special.softmax(-z, axis=-1), (np.array([1.0, 2.0]),)),
        Wrong(lambda z: special.softmax(z / 2, axis=-1), (np.array([1.0, 2.0]),)),
        Wrong(lambda z: special.softmax(z, axis=-1).round(2), (np.array([1.0, 2.0]),)),
    ),
    hints=(
        "Adding the same number to all logits of a row changes nothing. Which number makes overflow impossible?",
        "Subtract the largest logit of each row: then the largest exponential is 1.",
        "`max(axis=-1, keepdims=True)` keeps an axis of length 1, so that it can be subtracted from every row.",
    ),
    why="The same function, and it survives any logits. Every framework subtracts the largest first.",
)


# ---- findings -----------------------------------------------------------------------------------

findings = Choice(
    topic=TOPIC,
    name="findings",
    answer="d",
    replies={
        "a": "Softmax probabilities add up to 1: two findings in the same image could not both be likely.",
        "b": "A ReLU has no upper end, so its output cannot be read as a probability.",
        "c": "tanh goes down to −1; there is no probability below 0.",
        "d": "Each finding is a yes-or-no question of its own, so each logit gets its own sigmoid.",
    },
    hints=("May the four answers be yes at the same time? Which function lets them?",),
)
