"""Exercises of the lesson on a network from scratch."""

import numpy as np

from course_lib.exercises import Choice, Coding, Mistake, progress

TOPIC = "network_from_scratch"


# ---- knows_nothing ------------------------------------------------------------------------------

knows_nothing = Choice(
    topic=TOPIC,
    name="knows_nothing",
    answer="c",
    replies={
        "a": "A loss of 0 needs probability 1 for the right class: certain, and right every time.",
        "b": "1/3 is the probability itself. The loss is minus its logarithm.",
        "c": "−log(1/3) = log 3, whatever the labels are. A loss above it means: worse than knowing nothing.",
        "d": "Infinite would be probability 0 for the right class: certain, and wrong.",
    },
    hints=(
        "Write down the three probabilities, and take the one of the right class. Does it matter which it is?",
        "The natural logarithm of 1/3 lies a little below −1.",
    ),
)


# ---- cross_entropy ------------------------------------------------------------------------------


def _cross_entropy(logits, labels):
    # log p = z - log(sum of exp z). Taking the row's largest logit off all of them changes no probability,
    # and no exp can overflow then.
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return -log_p[np.arange(len(labels)), labels].mean()


def _cross_entropy_by_logaddexp(logits, labels):
    one_hot = np.eye(logits.shape[1])[labels]
    return (np.logaddexp.reduce(logits, axis=1) - (logits * one_hot).sum(axis=1)).mean()


def _cross_entropy_naive(logits, labels):
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return -np.log(p[np.arange(len(labels)), labels]).mean()


def _cross_entropy_one_maximum(logits, labels):
    p = np.exp(logits - logits.max())
    p = p / p.sum(axis=1, keepdims=True)
    return -np.log(p[np.arange(len(labels)), labels]).mean()


def _cross_entropy_rounds_to_zero(logits, labels):
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    p = p / p.sum(axis=1, keepdims=True)
    return -np.log(p[np.arange(len(labels)), labels]).mean()


def _cross_entropy_inputs():
    rng = np.random.default_rng(4)
    return [
        (np.array([[2.0, 0.0, 1.0]]), np.array([0])),
        (3 * rng.normal(size=(5, 4)), np.array([3, 0, 1, 1, 2])),
        (np.array([[1000.0, 0.0, 999.0], [-2000.0, -2001.0, -2000.0]]), np.array([2, 1])),
        (np.array([[0.0, 900.0], [3.0, 2.0]]), np.array([0, 1])),
    ]


cross_entropy = Coding(
    topic=TOPIC,
    name="cross_entropy",
    reference=_cross_entropy,
    also_correct=(_cross_entropy_by_logaddexp,),
    inputs=_cross_entropy_inputs,
    mistakes=(
        Mistake(
            _cross_entropy_naive,
            "Right for small logits, but exp(1000) is infinite, and infinity divided by infinity is not a number. "
            "Which number may you take off all logits of a row without changing any probability?",
        ),
        Mistake(
            _cross_entropy_one_maximum,
            "You take the largest logit of the whole table off every row. In rows far below it every exp becomes 0. "
            "Each row needs a maximum of its own.",
        ),
        Mistake(
            _cross_entropy_rounds_to_zero,
            "Nearly: no exp overflows. But a probability such as exp(−900) rounds to 0, and the logarithm of 0 is "
            "minus infinity. Work out log p on paper first: does the exp of the right class have to be computed at all?",
        ),
        Mistake(
            lambda logits, labels: -_cross_entropy(logits, labels),
            "The sign: the logarithm of a probability is negative, a loss is not.",
        ),
        Mistake(
            lambda logits, labels: _cross_entropy(logits, labels) * len(labels),
            "You add up over the examples. The loss here is the mean, so that it does not grow with the batch.",
        ),
        Mistake(
            lambda logits, labels: _cross_entropy(logits, labels) / logits.shape[1],
            "You divide by the number of classes as well. Each example gives one number; take the mean over examples.",
        ),
        Mistake(
            lambda logits, labels: _cross_entropy(logits, logits.argmax(axis=1)),
            "You take the probability of the class that the network likes best. The loss wants the class of the label.",
        ),
        Mistake(
            lambda logits, labels: _cross_entropy(logits, labels) / np.log(10),
            "That is the logarithm to base 10. The natural logarithm is `np.log`.",
        ),
    ),
    hints=(
        "Write log p for the right class with the formula of softmax, and use log(a/b) = log a − log b.",
        "log p = z − log(sum of exp z). Only the sum can overflow: take the row's maximum off all logits first.",
        "`logits[np.arange(n), labels]` picks, in each row, the value of the label.",
    ),
    why="Frameworks do the same: that is why Keras has `from_logits=True`, and why it is the better way to train.",
)


# ---- dense_backward -----------------------------------------------------------------------------


def _dense_backward(upstream, x, w):
    d_x = upstream @ w.T  # x[m, i] reached every y[m, o], with the weight w[i, o]
    d_w = x.T @ upstream  # w[i, o] met x[m, i] in every example m
    d_b = upstream.sum(axis=0)  # b[o] was added in every example, with the factor 1
    return d_x, d_w, d_b


def _dense_backward_by_einsum(upstream, x, w):
    return (
        np.einsum("mo,io->mi", upstream, w),
        np.einsum("mi,mo->io", x, upstream),
        np.einsum("mo->o", upstream),
    )


def _dense_backward_inputs():
    rng = np.random.default_rng(5)
    return [
        (np.array([[1.0, 10.0]]), np.array([[3.0, 4.0]]), np.array([[1.0, 2.0], [0.0, -1.0]])),
        (rng.normal(size=(4, 3)), rng.normal(size=(4, 3)), rng.normal(size=(3, 3))),
        (rng.normal(size=(5, 2)), rng.normal(size=(5, 3)), rng.normal(size=(3, 2))),
    ]


dense_backward = Coding(
    topic=TOPIC,
    name="dense_backward",
    reference=_dense_backward,
    also_correct=(_dense_backward_by_einsum,),
    inputs=_dense_backward_inputs,
    mistakes=(
        Mistake(
            lambda u, x, w: (u @ w.T, x.T @ u, u.mean(axis=0)),
            "The bias: it takes part in every example, so the examples' shares are added up. The loss has already "
            "divided by n.",
        ),
        Mistake(
            lambda u, x, w: (u @ w.T, x.T @ u / len(x), u.sum(axis=0)),
            "You divide the weights' gradient by n. The loss has already done that: it is inside the upstream gradient.",
        ),
        Mistake(
            lambda u, x, w: (u @ w.T, u.T @ x, u.sum(axis=0)),
            "The weights' gradient must have the shape of the weights: (n_in, n_out). Yours is its transpose.",
        ),
        Mistake(
            lambda u, x, w: (u @ w.T, x.T @ u, u.sum()),
            "Every output has a bias of its own: add up over the examples only, not over the outputs.",
        ),
        Mistake(
            lambda u, x, w: (u @ w.T, x.T @ u, u.sum(axis=0, keepdims=True)),
            "The bias has the shape (n_out,); your gradient for it has one axis too many.",
        ),
        Mistake(
            lambda u, x, w: (x.T @ u, u @ w.T, u.sum(axis=0)),
            "The order: first the gradient for x, then the one for w, then the one for b.",
        ),
        Mistake(
            lambda u, x, w: (u @ w.T, x.T @ u, u.sum(axis=1)),
            "You add the upstream gradient up along the wrong axis: the bias has one number for each output.",
        ),
    ),
    hints=(
        "Every gradient has the shape of the thing it belongs to. Write the shapes of u, x and w side by side.",
        "d_x is (n, n_in): which product of u (n, n_out) and w (n_in, n_out), one of them transposed, has that shape?",
        "d_w is (n_in, n_out), made of x (n, n_in) and u (n, n_out): the axis that vanishes is n, the sum over examples.",
    ),
    why="Two matrix products and a sum: backwards costs about twice as much as forwards, however deep the network is.",
)


# ---- numerical_gradient -------------------------------------------------------------------------


def _numerical_gradient(function, w, step):
    gradient = np.zeros_like(w)
    for place in np.ndindex(w.shape):
        above, below = w.copy(), w.copy()
        above[place] += step
        below[place] -= step
        gradient[place] = (function(above) - function(below)) / (2 * step)
    return gradient


def _numerical_gradient_by_unit_vectors(function, w, step):
    nudges = step * np.eye(w.size).reshape(w.size, *w.shape)
    return np.array([function(w + d) - function(w - d) for d in nudges]).reshape(w.shape) / (2 * step)


def _numerical_gradient_forward(function, w, step):
    nudges = step * np.eye(w.size).reshape(w.size, *w.shape)
    return np.array([function(w + d) - function(w) for d in nudges]).reshape(w.shape) / step


def _numerical_gradient_all_at_once(function, w, step):
    return np.full(w.shape, (function(w + step) - function(w - step)) / (2 * step))


def _numerical_gradient_never_put_back(function, w, step):
    w, gradient = w.copy(), np.zeros_like(w)
    for place in np.ndindex(w.shape):
        w[place] += step
        above = function(w)
        w[place] -= 2 * step
        gradient[place] = (above - function(w)) / (2 * step)
    return gradient


def _product_of_rows(w):
    return float((w.prod(axis=1) + np.exp(w[:, 0])).sum())


numerical_gradient = Coding(
    topic=TOPIC,
    name="numerical_gradient",
    reference=_numerical_gradient,
    also_correct=(_numerical_gradient_by_unit_vectors,),
    inputs=lambda: [
        (lambda w: float((w**3).sum() + w[0] * w[-1]), np.array([1.0, -2.0, 0.5]), 0.1),
        (_product_of_rows, np.array([[0.3, 1.0, 2.0], [-1.0, 0.5, 4.0]]), 0.05),
    ],
    mistakes=(
        Mistake(
            _numerical_gradient_forward,
            "You step to one side only. Half a step's worth of curvature stays in the result; step to both sides.",
        ),
        Mistake(
            lambda function, w, step: 2 * _numerical_gradient(function, w, step),
            "Everything is twice too large: from one side to the other you walk two steps.",
        ),
        Mistake(
            lambda function, w, step: step * 2 * _numerical_gradient(function, w, step),
            "These are differences. A slope is a difference divided by the way walked.",
        ),
        Mistake(
            _numerical_gradient_all_at_once,
            "You nudge all weights at once, so the answers are mixed into one. Nudge one, look, and put it back.",
        ),
        Mistake(
            _numerical_gradient_never_put_back,
            "After its turn a weight stays nudged, so the next ones are measured at another place. Put it back.",
        ),
        Mistake(
            lambda function, w, step: -_numerical_gradient(function, w, step),
            "The sign: if the loss is larger above than below, the slope is positive.",
        ),
    ),
    hints=(
        "`for place in np.ndindex(w.shape)` visits every element; `w[place]` is that element.",
        "Make two copies of w, and change one element: in one copy up by `step`, in the other down by `step`.",
        "The slope is the difference of the two values of the function, divided by the way between the two places.",
    ),
    why="Slow, two runs for every weight, but it knows nothing of your formulas: that makes it a good witness.",
)


# ---- wrong_by_a_factor --------------------------------------------------------------------------

wrong_by_a_factor = Choice(
    topic=TOPIC,
    name="wrong_by_a_factor",
    answer="b",
    replies={
        "a": "The learning rate is used after the gradient is known. It cannot change a gradient.",
        "b": "The loss is a mean over 32 examples; if its derivative forgets the 1/n, everything behind is 32 too large.",
        "c": "A forgotten ReLU mask gives wrong gradients only where a unit was off, and by no fixed factor.",
        "d": "Rounding gives small errors that look random, in no case the same factor everywhere.",
    },
    hints=("All gradients pass through one place before they spread out. Which?",),
)


# ---- adam_step ----------------------------------------------------------------------------------


def _adam_step(w, g, m, v, t, learning_rate=0.001, beta1=0.9, beta2=0.999, epsilon=1e-8):
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    # m and v started at zero: dividing by the weights given so far, 1 - beta**t, makes up for it.
    m_hat = m / (1 - beta1**t)
    v_hat = v / (1 - beta2**t)
    return w - learning_rate * m_hat / (np.sqrt(v_hat) + epsilon), m, v


def _adam_step_rearranged(w, g, m, v, t, learning_rate=0.001, beta1=0.9, beta2=0.999, epsilon=1e-8):
    m, v = m + (1 - beta1) * (g - m), v + (1 - beta2) * (g * g - v)
    rate = learning_rate / (1 - beta1**t)
    return w - rate * m / (epsilon + (v / (1 - beta2**t)) ** 0.5), m, v


def _adam_variant(
    correct_m=True, correct_v=True, square=True, root=True, inside=False, swap=False, sign=-1, returns_corrected=False
):
    """An Adam step with one thing done wrongly."""

    def answer(w, g, m, v, t, learning_rate=0.001, beta1=0.9, beta2=0.999, epsilon=1e-8):
        if swap:
            m, v = (1 - beta1) * m + beta1 * g, (1 - beta2) * v + beta2 * g**2
        else:
            m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * (g**2 if square else g)
        m_hat = m / (1 - beta1**t) if correct_m else m
        v_hat = v / (1 - beta2**t) if correct_v else v
        if inside:
            scale = np.sqrt(v_hat + epsilon)
        else:
            scale = (np.sqrt(v_hat) if root else v_hat) + epsilon
        w = w + sign * learning_rate * m_hat / scale
        return (w, m_hat, v_hat) if returns_corrected else (w, m, v)

    return answer


def _adam_inputs():
    rng = np.random.default_rng(6)
    zeros = np.zeros(3)
    return [
        (np.array([1.0, -1.0, 0.5]), np.array([2.0, -0.1, 1e-5]), zeros, zeros, 1),
        (rng.normal(size=(2, 3)), rng.normal(size=(2, 3)), 0.1 * rng.normal(size=(2, 3)), rng.random((2, 3)), 3),
        (rng.normal(size=4), np.array([0.0, 1e-4, 5.0, -5.0]), rng.normal(size=4), 1e-3 * rng.random(4), 50, 0.1),
        (rng.normal(size=4), rng.normal(size=4), rng.normal(size=4), rng.random(4), 2, 0.01, 0.5, 0.9, 1e-3),
    ]


adam_step = Coding(
    topic=TOPIC,
    name="adam_step",
    reference=_adam_step,
    also_correct=(_adam_step_rearranged,),
    inputs=_adam_inputs,
    mistakes=(
        Mistake(
            _adam_variant(correct_m=False, correct_v=False),
            "The correction for the start is missing: both means began at zero and are too small in the first steps.",
        ),
        Mistake(
            _adam_variant(correct_v=False),
            "You correct the mean of the gradients for its start at zero. The mean of the squares began at zero too.",
        ),
        Mistake(
            _adam_variant(correct_m=False),
            "You correct the mean of the squares for its start at zero. The mean of the gradients began at zero too.",
        ),
        Mistake(
            _adam_variant(square=False),
            "The second mean is the one of the squared gradients. Yours can become negative.",
        ),
        Mistake(
            _adam_variant(root=False),
            "You divide by the mean square itself. Check the units: a gradient over a squared gradient is no number.",
        ),
        Mistake(
            _adam_variant(inside=True),
            "ε stands outside the root: it is added to the root, so that it only matters where gradients are tiny.",
        ),
        Mistake(
            _adam_variant(swap=True),
            "The roles of β and 1 − β are exchanged: the old mean keeps the large share.",
        ),
        Mistake(_adam_variant(sign=1), "You step uphill. The loss falls against the gradient."),
        Mistake(
            _adam_variant(returns_corrected=True),
            "Return the two means before their correction: the correction is for this step only.",
        ),
    ),
    hints=(
        "Four lines: the new m, the new v, their corrected versions, the new w.",
        "A running mean keeps the share β of the old mean, and takes the share 1 − β of the new value.",
        "After t steps the weights of a running mean add up to 1 − β to the power of t: divide by that.",
    ),
    why="The step's size hardly depends on the gradient's: a weight with tiny gradients moves as far as the others.",
)


# ---- all_zero -----------------------------------------------------------------------------------

all_zero = Choice(
    topic=TOPIC,
    name="all_zero",
    answer="b",
    replies={
        "a": "Slowly is not the problem: follow one upstream gradient back through weights that are all zero.",
        "b": "Through zero weights no gradient comes back, and zero activations give the last weights none: it is stuck.",
        "c": "Zeros are harmless numbers: nothing is divided by a weight, and nothing overflows.",
        "d": "Mini-batches differ from each other, but the hidden units do not: each gets the same gradient as its twin.",
    },
    hints=(
        "With all weights zero, what are the hidden activations? What is the gradient of the last layer's weights then?",
    ),
)
