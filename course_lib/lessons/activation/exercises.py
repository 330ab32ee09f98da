"""Exercises of the lesson on activation functions."""

import numpy as np

from course_lib.exercises import Choice, Coding, Mistake, progress

TOPIC = "activation"


# ---- collapse -----------------------------------------------------------------------------------


def _collapse(w1, b1, w2, b2):
    # (x @ w1 + b1) @ w2 + b2 = x @ (w1 @ w2) + (b1 @ w2 + b2)
    return w1 @ w2, b1 @ w2 + b2


def _collapse_by_probing(w1, b1, w2, b2):
    b = (np.zeros(len(w1)) @ w1 + b1) @ w2 + b2  # what both layers make of zeros
    return (np.eye(len(w1)) @ w1 + b1) @ w2 + b2 - b, b


def _collapse_inputs():
    rng = np.random.default_rng(3)
    # Square layers, so that a wrong order of the matrices computes something and can be recognised.
    return [tuple(rng.normal(size=shape) for shape in [(n, n), (n,), (n, n), (n,)]) for n in (2, 3)]


collapse = Coding(
    topic=TOPIC,
    name="collapse",
    reference=_collapse,
    also_correct=(_collapse_by_probing,),
    inputs=_collapse_inputs,
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
    ]


stable_tanh = Coding(
    topic=TOPIC,
    name="stable_tanh",
    reference=_stable_tanh,
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
    hints=(
        "The trouble is exp of a large positive number. Which exponent, made from x, is never positive?",
        "Divide numerator and denominator of the article's formula by the larger of its two exponentials.",
        "Compute it for |x| first, with exp(−2|x|), and give it the sign of x at the end.",
    ),
    why="Only exponentials of numbers below zero are needed, and those cannot overflow. Libraries do it like this.",
)


# ---- relu_gradient ------------------------------------------------------------------------------


def _relu_gradient(upstream, x):
    return upstream * (x > 0)  # a new array: `upstream` stays as it was


def _relu_gradient_by_copy(upstream, x):
    gradient = upstream.copy()
    gradient[x <= 0] = 0
    return gradient


def _relu_gradient_inputs():
    rng = np.random.default_rng(4)
    x = rng.integers(-3, 4, (2, 4, 4, 3)).astype(np.float32)  # like feature maps, with zeros among them
    return [
        (np.array([0.5, -2.0, 3.0, 4.0]), np.array([-1.0, 2.0, 0.0, 5.0])),
        (rng.normal(size=x.shape).astype(np.float32), x),
    ]


relu_gradient = Coding(
    topic=TOPIC,
    name="relu_gradient",
    reference=_relu_gradient,
    also_correct=(_relu_gradient_by_copy, lambda upstream, x: np.where(x > 0, upstream, 0)),
    inputs=_relu_gradient_inputs,
    mistakes=(
        Mistake(
            lambda upstream, x: (x > 0).astype(np.float64),
            "That is the slope of the ReLU. The chain rule multiplies it by what arrives from above.",
        ),
        Mistake(
            lambda upstream, x: upstream * (x >= 0),
            "Almost: look at x = 0, where we agreed on a slope of 0.",
        ),
        Mistake(
            lambda upstream, x: upstream * np.maximum(x, 0),
            "You multiply by the ReLU itself. The chain rule needs its slope.",
        ),
        Mistake(
            lambda upstream, x: np.maximum(upstream, 0),
            "You cut off negative gradients. Whether a gradient passes depends on x, not on the gradient's own sign.",
        ),
        Mistake(
            lambda upstream, x: np.maximum(upstream, 0) * (x > 0),
            "You let only positive gradients pass. Where x is above 0 the slope is 1, so negative ones pass as well.",
        ),
    ),
    hints=(
        "What is the slope of the ReLU to the right of 0, and to the left?",
        "Where the slope is 1 the upstream value passes unchanged; where it is 0 nothing passes.",
        "`x > 0` is an array of True and False, and NumPy multiplies with it as with 1 and 0.",
    ),
    why="A ReLU is a gate: it lets the gradient pass where it let the signal pass.",
)


# ---- dead_unit ----------------------------------------------------------------------------------

dead_unit = Choice(
    topic=TOPIC,
    name="dead_unit",
    answer="a",
    replies={
        "a": "Its slope is 0 for every image, so the gradients of its weights and bias are 0: it has nothing to follow.",
        "b": "The error may be large, but it reaches the unit's weights multiplied by the slope. What is the slope here?",
        "c": "A learning rate multiplies the gradient. What does it make of a gradient of zero?",
        "d": "The gradient says how the loss changes with the unit's weights. Does the output react to them at all?",
    },
    hints=("Multiply: what arrives from above, times the slope of the ReLU at a negative z, times the input.",),
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
    ]


softmax = Coding(
    topic=TOPIC,
    name="softmax",
    reference=_softmax,
    also_correct=(_softmax_by_logarithms,),
    inputs=_softmax_inputs,
    mistakes=(
        Mistake(
            lambda logits: np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True),
            "Right for small logits. For 1000 the exponential is infinite, and for −1000 all of a row may be zero.",
        ),
        Mistake(
            lambda logits: np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum(axis=-1, keepdims=True),
            "You subtract one maximum for the whole batch. A row far below it becomes zeros only, and 0/0 follows.",
        ),
        Mistake(
            lambda logits: np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum(),
            "All your values together add up to 1. Every row, that is the last axis, has to add up to 1.",
        ),
        Mistake(
            lambda logits: np.exp(logits - logits.max(axis=0)) / np.exp(logits - logits.max(axis=0)).sum(axis=0),
            "You go along the first axis, so each class adds up to 1 over the images. The classes are the last axis.",
        ),
        Mistake(
            lambda logits: np.exp(logits - logits.max(axis=-1, keepdims=True)),
            "No overflow any more. But the values of a row do not add up to 1 yet.",
        ),
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
