"""Exercises of the lesson on a network from scratch."""

import numpy as np
from scipy import special

from course_lib.exercises import Choice, Coding, Mistake, Wrong, progress

TOPIC = "network_from_scratch"


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


def _from_clipped(logits, labels, least):
    p = special.softmax(logits, axis=1)[np.arange(len(labels)), labels]
    return -np.log(np.clip(p, least, 1)).mean()


def _cross_entropy_inputs():
    rng = np.random.default_rng(4)
    return [
        (np.array([[2.0, 0.0, 1.0]]), np.array([0])),
        (3 * rng.normal(size=(5, 4)), np.array([3, 0, 1, 1, 2])),
        (np.array([[1000.0, 0.0, 999.0], [-2000.0, -2001.0, -2000.0]]), np.array([2, 1])),
        (np.array([[0.0, 900.0], [3.0, 2.0]]), np.array([0, 1])),
        (np.array([[2, 0, -1], [0, 5, 1]]), np.array([2, 0])),
        (np.array([[20.0, 0.0], [-30.0, 5.0], [0.0, 0.0]]), np.array([1, 0, 1])),
        (np.array([[-800.0, 800.0], [1.0, 0.0]]), np.array([0, 1])),
    ]


cross_entropy = Coding(
    topic=TOPIC,
    name="cross_entropy",
    reference=_cross_entropy,
    also_correct=(
        _cross_entropy_by_logaddexp,
        lambda logits, labels: np.mean([special.logsumexp(z) - z[k] for z, k in zip(logits, labels, strict=True)]),
    ),
    inputs=_cross_entropy_inputs,
    mistakes=(
        Mistake(
            _cross_entropy_naive,
            "Right for small logits, but exp(1000) is infinite, and infinity divided by infinity is not a number. "
            "Which number may you take off all logits of a row without changing any probability?",
        ),
        Mistake(
            _cross_entropy_one_maximum,
            "Your results are those of one maximum for the whole table. In rows far below it every exp becomes 0. "
            "Each row needs a maximum of its own.",
        ),
        Mistake(
            _cross_entropy_rounds_to_zero,
            "Nearly: no exp overflows. But a probability such as exp(−900) rounds to 0, and the logarithm of 0 is "
            "minus infinity. Work out log p on paper first: does the exp of the right class have to be computed at all?",
        ),
        Mistake(
            lambda logits, labels: _from_clipped(logits, labels, 1e-7),
            "Your results are those of probabilities that were cut off or had a small number added before the logarithm. "
            "Then a certain and wrong answer costs too little. Work with log p itself: it needs no cutting.",
        ),
        Mistake(
            lambda logits, labels: -_cross_entropy(logits, labels),
            "The sign: the logarithm of a probability is negative, a loss is not.",
        ),
        Mistake(
            lambda logits, labels: _cross_entropy(logits, labels) * len(labels),
            "Your results are sums over the examples. The loss here is the mean, so that it does not grow with the batch.",
        ),
        Mistake(
            lambda logits, labels: _cross_entropy(logits, logits.argmax(axis=1)),
            "Your results are those of the class that the network likes best. The loss wants the class of the label.",
        ),
    ),
    wrong=(
        Wrong(lambda z, k: _from_clipped(z, k, 1e-12), (np.array([[0.0, 900.0]]), np.array([0]))),
        Wrong(
            lambda z, k: -np.log(special.softmax(z, axis=1) + 1e-9)[np.arange(len(k)), k].mean(),
            (np.array([[0.0, 900.0]]), np.array([0])),
        ),
        Wrong(lambda z, k: np.nan_to_num(_cross_entropy_naive(z, k)), (np.array([[1000.0, 0.0]]), np.array([1]))),
        Wrong(lambda z, k: _cross_entropy(z, k) / np.log(2), (np.array([[0.0, 1.0]]), np.array([0]))),
        Wrong(lambda z, k: -z[np.arange(len(k)), k].mean(), (np.array([[0.0, 1.0]]), np.array([0]))),
        Wrong(lambda z, k: _cross_entropy(z, np.zeros_like(k)), (np.array([[0.0, 1.0]]), np.array([1]))),
        Wrong(
            lambda z, k: 1 - special.softmax(z, axis=1)[np.arange(len(k)), k].mean(),
            (np.array([[0.0, 1.0]]), np.array([0])),
        ),
        Wrong(lambda z, k: np.sum(-special.log_softmax(z, axis=1)) / len(k), (np.array([[0.0, 1.0]]), np.array([0]))),
    ),
    hints=(
        "Write log p for the right class with the formula of softmax, and use log(a/b) = log a − log b.",
        "log p = z − log(sum of exp z). Only the sum can overflow: take the row's maximum off all logits first.",
        "`logits[np.arange(n), labels]` picks, in each row, the value of the label.",
    ),
    why="Frameworks do the same: that is why Keras has `from_logits=True`, and why it is the better way to train.",
)


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


def _backward_example():
    rng = np.random.default_rng(7)
    return rng.normal(size=(3, 2)), rng.normal(size=(3, 4)), rng.normal(size=(4, 2))


def _dense_backward_inputs():
    rng = np.random.default_rng(5)
    return [
        (np.array([[1.0, 10.0]]), np.array([[3.0, 4.0]]), np.array([[1.0, 2.0], [0.0, -1.0]])),
        (rng.normal(size=(4, 3)), rng.normal(size=(4, 3)), rng.normal(size=(3, 3))),
        (rng.normal(size=(5, 2)), rng.normal(size=(5, 3)), rng.normal(size=(3, 2))),
        (rng.normal(size=(1, 4)), rng.normal(size=(1, 1)), rng.normal(size=(1, 4))),
        (rng.normal(size=(3, 2)), rng.integers(0, 256, (3, 4)), rng.normal(size=(4, 2))),
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
            "Your gradient of the weights is divided by n. The loss has already done that: it is inside the upstream gradient.",
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
            lambda u, x, w: (x.T @ u, u @ w.T, u.sum(axis=0)),
            "The order: first the gradient for x, then the one for w, then the one for b.",
        ),
    ),
    wrong=(
        Wrong(lambda u, x, w: (u @ w.T, x.T @ u, u[0]), _backward_example()),
        Wrong(lambda u, x, w: (u @ w.T, np.abs(x.T @ u), u.sum(0)), _backward_example()),
        Wrong(lambda u, x, w: (u @ w.T, -x.T @ u, u.sum(0)), _backward_example()),
        Wrong(lambda u, x, w: (u @ np.linalg.pinv(w), x.T @ u, u.sum(0)), _backward_example()),
        Wrong(lambda u, x, w: (u @ w.T * (x > 0), x.T @ u, u.sum(0)), _backward_example()),
        Wrong(lambda u, x, w: (u @ w.T, x.T @ np.sign(u), u.sum(0)), _backward_example()),
        Wrong(lambda u, x, w: (u @ w.T / len(u), x.T @ u, u.sum(0)), _backward_example()),
    ),
    hints=(
        "Every gradient has the shape of the thing it belongs to. Write the shapes of u, x and w side by side.",
        "d_x is (n, n_in): which product of u (n, n_out) and w (n_in, n_out), one of them transposed, has that shape?",
        "d_w is (n_in, n_out), made of x (n, n_in) and u (n, n_out): the axis that vanishes is n, the sum over examples.",
    ),
    why="Two matrix products and a sum: backwards costs about twice as much as forwards, however deep the network is.",
)


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
        (rng.normal(size=(3, 4)), rng.integers(-2, 3, (3, 4))),
        (np.array([[1e-3, -1e-3]]), np.array([[1e-9, -1e-9]])),
        (np.array([40.0, -70, 0.2, -300]), np.array([12.0, 250, 0.01, 3])),
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
            "Your results are the slope of the ReLU alone. Multiply it by what arrives from the later layers.",
        ),
        Mistake(
            lambda upstream, x: upstream * (x >= 0),
            "Almost: look at x = 0, where we agreed on a slope of 0.",
        ),
        Mistake(
            lambda upstream, x: upstream * np.maximum(x, 0),
            "Your results are multiplied by the ReLU itself. The rule needs its slope.",
        ),
        Mistake(
            lambda upstream, x: np.maximum(upstream, 0) * (x > 0),
            "Your results let only positive gradients pass. Where x is above 0 the slope is 1, so negative ones pass as well.",
        ),
    ),
    wrong=(
        Wrong(lambda upstream, x: upstream * (x < 0), (np.array([1.0, 2.0]), np.array([1.0, -1.0]))),
        Wrong(lambda upstream, x: upstream * (upstream > 0), (np.array([-1.0, 2.0]), np.array([1.0, -1.0]))),
        Wrong(lambda upstream, x: upstream, (np.array([1.0, 2.0]), np.array([1.0, -1.0]))),
        Wrong(
            lambda upstream, x: np.where(x > 0, upstream, 0.01 * upstream),
            (np.array([1.0, 2.0]), np.array([1.0, -1.0])),
        ),
        Wrong(lambda upstream, x: np.where(x > 1e-6, upstream, 0), (np.array([1.0]), np.array([1e-9]))),
        Wrong(lambda upstream, x: np.where(x > 0, x, 0), (np.array([1.0, 2.0]), np.array([3.0, -1.0]))),
        Wrong(lambda upstream, x: np.abs(upstream) * (x > 0), (np.array([-1.0, 2.0]), np.array([1.0, -1.0]))),
    ),
    hints=(
        "What is the slope of the ReLU to the right of 0, and to the left?",
        "Where the slope is 1 the upstream value passes unchanged; where it is 0 nothing passes.",
        "`x > 0` is an array of True and False, and NumPy multiplies with it as with 1 and 0.",
    ),
    why="A ReLU is a gate: it lets the gradient pass where it let the signal pass.",
)


def _maxima(image, window):
    height, width = image.shape[0] // window, image.shape[1] // window
    return image.reshape(height, window, width, window).max(axis=(1, 3))


def _max_pool_gradient(image, upstream, window):
    gradient = np.zeros(image.shape)
    for i, j in np.ndindex(upstream.shape):
        rows = slice(i * window, (i + 1) * window)
        columns = slice(j * window, (j + 1) * window)
        # argmax counts row by row and returns the first of several equal pixels
        a, b = np.unravel_index(np.argmax(image[rows, columns]), (window, window))
        gradient[i * window + a, j * window + b] = upstream[i, j]
    return gradient


def _max_pool_gradient_by_blocks(image, upstream, window):
    height, width = upstream.shape
    blocks = image.reshape(height, window, width, window).transpose(0, 2, 1, 3).reshape(height, width, -1)
    won = np.eye(window**2)[blocks.argmax(axis=2)] * upstream[:, :, None]
    return won.reshape(height, width, window, window).transpose(0, 2, 1, 3).reshape(image.shape)


def _is_maximum(image, window):
    return image == _spread(_maxima(image, window), window)


def _spread(values, window):
    return np.kron(values, np.ones((window, window)))


def _last_winner(image, upstream, window):
    return _max_pool_gradient(image[::-1, ::-1], upstream[::-1, ::-1], window)[::-1, ::-1]


def _max_pool_gradient_inputs():
    rng = np.random.default_rng(4)
    with_ties = np.array([[5.0, 5, 1, 2], [5, 0, 3, 3], [-1, -2, 0, 0], [-1, -4, 0, 0]])
    return [
        (np.arange(1.0, 17).reshape(4, 4), np.array([[1.0, 2], [3, 4]]), 2),
        (with_ties, np.array([[2.0, -3], [0.5, 8]]), 2),
        (rng.normal(size=(6, 9)), rng.normal(size=(2, 3)), 3),
        (rng.integers(-50, -40, (4, 6)), rng.normal(size=(2, 3)), 2),
        (np.zeros((4, 4)), np.array([[1.0, 2], [3, 4]]), 2),
        (np.array([[1.0, 5, 0, 7], [5, 0, 7, 7]]), np.array([[2.0, -3]]), 2),
        (np.array([[-2000.1, -2000], [-2000.3, -1999.9]]), np.array([[1.5]]), 2),
        (rng.normal(size=(3, 2)), rng.normal(size=(3, 2)), 1),
        (np.array([[1.0, 1.000001], [0.25, -3]]), np.array([[2.5]]), 2),  # nearly a tie, and none
    ]


max_pool_gradient = Coding(
    topic=TOPIC,
    name="max_pool_gradient",
    reference=_max_pool_gradient,
    also_correct=(_max_pool_gradient_by_blocks,),
    inputs=_max_pool_gradient_inputs,
    mistakes=(
        Mistake(
            lambda image, upstream, window: _spread(upstream, window) / window**2,
            "Your results are those of average pooling: everybody gets a share. Which pixel made the maximum?",
        ),
        Mistake(
            lambda image, upstream, window: _spread(upstream, window),
            "Every pixel of the window gets the whole upstream value. Only the pixel that won changes the output.",
        ),
        Mistake(
            lambda image, upstream, window: _spread(upstream, window) * _is_maximum(image, window),
            "Right unless there is a tie. Then your results pay the upstream value out several times; only the first winner, row "
            "by row, should get it.",
        ),
        Mistake(
            _last_winner,
            "Right unless there is a tie. Then the first of the equal pixels, row by row, should win; in your results the last does.",
        ),
        Mistake(
            lambda image, upstream, window: _max_pool_gradient(image, np.ones_like(upstream), window),
            "Your results mark the winners with a 1. Which number should each of them get?",
        ),
    ),
    wrong=(
        Wrong(lambda x, upstream, n: np.zeros(x.shape), (np.eye(2), np.array([[1.0]]), 2)),
        Wrong(lambda x, upstream, n: _max_pool_gradient(-x, upstream, n), (np.eye(2), np.array([[1.0]]), 2)),
        Wrong(lambda x, upstream, n: abs(_max_pool_gradient(x, upstream, n)), (np.eye(2), np.array([[-1.0]]), 2)),
        Wrong(
            lambda x, upstream, n: _max_pool_gradient(np.maximum(x, 0), upstream, n),
            (np.array([[-3.0, -1], [-2, -4]]), np.array([[1.0]]), 2),
        ),
        Wrong(lambda x, up, n: _max_pool_gradient(x, up, n).astype(int), (np.eye(2), np.array([[0.5]]), 2)),
        Wrong(lambda x, up, n: _max_pool_gradient(x, up, n) / n**2, (np.eye(2), np.array([[1.0]]), 2)),
        Wrong(
            lambda x, upstream, n: _max_pool_gradient(np.isclose(x, _spread(_maxima(x, n), n)), upstream, n),
            (np.array([[7.0, 7.00001], [3, 4]]), np.array([[2.0]]), 2),
        ),
    ),
    hints=(
        "If you make a pixel that is not the largest a tiny bit brighter, what happens to the output of its window?",
        "Start with zeros in the shape of the image, and go through the windows one by one.",
        "`np.argmax(part)` gives the place of the first largest value, counted row by row; "
        "`np.unravel_index(place, part.shape)` turns it into a row and a column.",
    ),
    why="Only the winners learn. A network with max pooling therefore sends back no word to most of its pixels.",
)


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
        (_product_of_rows, np.array([[0.5, 2.0], [1.5, -3.0], [0.1, 0.2]]), 0.01),
        (lambda w: float(np.sin(w).sum()), np.array([[[0.3]], [[1.2]]]), 0.2),
    ],
    integers=False,
    mistakes=(
        Mistake(
            _numerical_gradient_forward,
            "Your results are those of a step to one side only. Half a step's worth of curvature stays in the result; step to both sides.",
        ),
        Mistake(
            lambda function, w, step: 2 * _numerical_gradient(function, w, step),
            "Everything is twice too large: from one side to the other you walk two steps.",
        ),
        Mistake(
            _numerical_gradient_all_at_once,
            "Your results are those of nudging all weights at once. Nudge one, look, and put it back.",
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
    wrong=(
        Wrong(
            lambda f, w, step: _numerical_gradient(f, w, 1e-5),
            (lambda w: float((w**3).sum()), np.array([1.0, 2.0]), 0.5),
        ),
        Wrong(
            lambda f, w, step: _numerical_gradient(f, w, step).ravel(), (lambda w: float(w.sum()), np.ones((2, 2)), 0.1)
        ),
        Wrong(lambda f, w, step: np.abs(_numerical_gradient(f, w, step)), (lambda w: -float(w.sum()), np.ones(2), 0.1)),
        Wrong(
            lambda f, w, step: _numerical_gradient(f, w, step).round(1),
            (lambda w: float((w**2).sum()), np.array([1.23]), 0.1),
        ),
        Wrong(lambda f, w, step: np.zeros_like(w), (lambda w: float(w.sum()), np.ones(2), 0.1)),
        Wrong(
            lambda f, w, step: np.full_like(w, _numerical_gradient(f, w, step).flat[0]),
            (lambda w: float((w**2).sum()), np.array([1.0, 2.0]), 0.1),
        ),
        Wrong(lambda f, w, step: _numerical_gradient(f, w, step) / w.size, (lambda w: float(w.sum()), np.ones(2), 0.1)),
    ),
    hints=(
        "`for place in np.ndindex(w.shape)` visits every element; `w[place]` is that element.",
        "Make two copies of w, and change one element: in one copy up by `step`, in the other down by `step`.",
        "The slope is the difference of the two values of the function, divided by the way between the two places.",
    ),
    why="Slow, two runs for every weight, but it knows nothing of your formulas: that makes it a good witness.",
)


wrong_by_a_factor = Choice(
    topic=TOPIC,
    name="wrong_by_a_factor",
    answer="b",
    replies={
        "a": "The learning rate is used after the gradient is known. It cannot change a gradient.",
        "b": "The loss is a mean over 32 examples; if its derivative forgets the 1/n, all that follows is 32 times too large.",
        "c": "A forgotten ReLU mask gives wrong gradients only where a unit was off, and by no fixed factor.",
        "d": "Rounding gives small errors that look random, in no case the same factor everywhere.",
    },
    hints=("All gradients pass through one place before they spread out. Which?",),
)


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


def _adam_fixed(**fixed):
    """A right step that takes no notice of some of its arguments."""
    names = ["w", "g", "m", "v", "t", "learning_rate", "beta1", "beta2", "epsilon"]

    def answer(w, g, m, v, t, learning_rate=0.001, beta1=0.9, beta2=0.999, epsilon=1e-8):
        given = dict(zip(names, [w, g, m, v, t, learning_rate, beta1, beta2, epsilon], strict=True))
        with np.errstate(invalid="ignore", divide="ignore"):
            return _adam_step(**(given | fixed))

    return answer


def _keras_adam(w, g, m, v, t, learning_rate=0.001, beta1=0.9, beta2=0.999, epsilon=1e-8):
    m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g**2
    return w - learning_rate * np.sqrt(1 - beta2**t) / (1 - beta1**t) * m / (np.sqrt(v) + epsilon), m, v


def _tiny_gradient():
    return np.zeros(3), np.array([0.0, 1e-7, 3.0]), np.zeros(3), np.zeros(3), 1, 0.1


def _adam_inputs():
    rng = np.random.default_rng(6)
    zeros = np.zeros(3)
    return [
        (np.array([1.0, -1.0, 0.5]), np.array([2.0, -0.1, 1e-5]), zeros, zeros, 1, 0.001, 0.9, 0.999, 1e-8),
        (rng.normal(size=(2, 3)), rng.normal(size=(2, 3)), 0.1 * rng.normal(size=(2, 3)), rng.random((2, 3)), 3),
        (rng.normal(size=4), np.array([0.0, 1e-4, 5.0, -5.0]), rng.normal(size=4), 1e-3 * rng.random(4), 50, 0.1),
        (rng.normal(size=4), rng.normal(size=4), rng.normal(size=4), rng.random(4), 2, 0.01, 0.5, 0.9, 1e-3),
        (np.zeros(3), np.array([0.0, 1e-7, 3.0]), zeros, zeros, 1, 0.1),
        (np.zeros(2), np.array([1e-3, -1e-6]), np.zeros(2), np.zeros(2), 1, 0.5, 0.9, 0.999, 1e-4),
        (np.zeros((1, 2)), np.array([[0.0, -2.0]]), np.zeros((1, 2)), np.zeros((1, 2)), 1000, 0.01),
    ]


adam_step = Coding(
    topic=TOPIC,
    name="adam_step",
    reference=_adam_step,
    also_correct=(_adam_step_rearranged,),
    integers=False,
    inputs=_adam_inputs,
    mistakes=(
        Mistake(
            _adam_variant(correct_m=False, correct_v=False),
            "The correction for the start is missing: both means began at zero and are too small in the first steps.",
        ),
        Mistake(
            _adam_variant(correct_v=False),
            "Your results correct the mean of the gradients only. The mean of the squares began at zero too.",
        ),
        Mistake(
            _adam_variant(correct_m=False),
            "Your results correct the mean of the squares only. The mean of the gradients began at zero too.",
        ),
        Mistake(
            _adam_variant(square=False),
            "The second mean is the one of the squared gradients. Yours can become negative.",
        ),
        Mistake(
            _adam_variant(root=False),
            "Your results are divided by the mean square itself. Check the units: a gradient over a squared gradient is no number.",
        ),
        Mistake(
            _adam_variant(inside=True),
            "ε stands outside the root: it is added to the root, so that it only matters where gradients are tiny.",
        ),
        Mistake(
            _adam_variant(swap=True),
            "The roles of β and 1 − β are exchanged: the old mean keeps the large share.",
        ),
        Mistake(_adam_variant(sign=1), "Your results step uphill. The loss falls against the gradient."),
        Mistake(
            _adam_variant(returns_corrected=True),
            "Return the two means before their correction: the correction is for this step only.",
        ),
    ),
    wrong=(
        Wrong(_adam_fixed(epsilon=0.0), _tiny_gradient()),
        Wrong(_adam_fixed(epsilon=1e-7), _tiny_gradient()),
        Wrong(_adam_fixed(beta1=0.9), (*_tiny_gradient()[:5], 0.1, 0.5)),
        Wrong(_adam_fixed(beta2=0.999), (*_tiny_gradient()[:4], 2, 0.1, 0.9, 0.5)),
        Wrong(_adam_fixed(learning_rate=0.001), (*_tiny_gradient()[:5], 0.1)),
        Wrong(_adam_fixed(t=1), (*_tiny_gradient()[:4], 3)),
        Wrong(
            lambda w, g, m, v, t, *more, **named: (_adam_step(w, g, m, v, t, *more, **named)[0], m, v), _tiny_gradient()
        ),
        Wrong(
            lambda w, g, m, v, t, learning_rate=0.001, *more, **named: (w - learning_rate * g, m, v), _tiny_gradient()
        ),
        Wrong(_keras_adam, _tiny_gradient()),
    ),
    hints=(
        "Four lines: the new m, the new v, their corrected versions, the new w.",
        "A running mean keeps the share β of the old mean, and takes the share 1 − β of the new value.",
        "After t steps the weights of a running mean add up to 1 − β to the power of t: divide by that.",
    ),
    why="The step's size hardly depends on the gradient's: a weight with tiny gradients moves as far as the others.",
)


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
