"""Exercises of the lesson on RNN, LSTM, GRU."""

import math

import numpy as np

from course_lib.exercises import Choice, Coding, Mistake, Wrong, progress

TOPIC = "rnn_lstm_gru"


def _weights(rng, features, units, parts, biases=()):
    """Weights of a recurrent layer, w_x, w_h and b, whose `parts` stand side by side."""
    shapes = (features, parts * units), (units, parts * units), (*biases, parts * units)
    return tuple(rng.normal(0, 0.8, shape) for shape in shapes)


def _states(rng, shape, count):
    return tuple(rng.uniform(-1, 1, shape) for _ in range(count))


def _arrays(*lists):
    return tuple(map(np.array, lists))


def _sigmoid(a):
    return 0.5 * (1 + np.tanh(a / 2))


# ---- rnn_step -----------------------------------------------------------------------------------


def _rnn_step(x, h, w_x, w_h, b):
    return np.tanh(x @ w_x + h @ w_h + b)


def _rnn_step_side_by_side(x, h, w_x, w_h, b):
    return np.tanh(np.concatenate([x, h], axis=-1) @ np.concatenate([w_x, w_h]) + b)


def _rnn_step_inputs():
    rng = np.random.default_rng(30)
    return [
        _arrays([1.0, 2], [0.5, -0.5], [[0.1, 0.4], [0.3, -0.2]], [[0.5, 0.2], [0.1, 0.7]], [0.1, -0.3]),
        (rng.normal(size=3), *_states(rng, 2, 1), *_weights(rng, 3, 2, 1)),
        (rng.normal(size=(4, 2)), *_states(rng, (4, 3), 1), *_weights(rng, 2, 3, 1)),  # four clips at once
        _arrays([2, 1], [0.5], [[1], [-2]], [[1]], [1]),
        (1000 * rng.normal(size=2), *_states(rng, 2, 1), *_weights(rng, 2, 2, 1)),  # large: the tanh is at its end
    ]


_ONE_STEP = (lambda rng: (rng.normal(size=2), *_states(rng, 3, 1), *_weights(rng, 2, 3, 1)))(np.random.default_rng(31))

rnn_step = Coding(
    topic=TOPIC,
    name="rnn_step",
    reference=_rnn_step,
    also_correct=(_rnn_step_side_by_side,),
    inputs=_rnn_step_inputs,
    mistakes=(
        Mistake(
            lambda x, h, w_x, w_h, b: x @ w_x + h @ w_h + b, "Your results are those of the sum, without the tanh."
        ),
        Mistake(lambda x, h, w_x, w_h, b: np.tanh(x @ w_x + b), "Your results do not depend on the old state h."),
        Mistake(lambda x, h, w_x, w_h, b: np.tanh(x @ w_x + h @ w_h), "Your results are those without the bias."),
        Mistake(
            lambda x, h, w_x, w_h, b: np.tanh(x @ w_x + b) + np.tanh(h @ w_h),
            "Your results are those of two tanh, added up. There is one, of the whole sum.",
        ),
        Mistake(
            lambda x, h, w_x, w_h, b: _sigmoid(x @ w_x + h @ w_h + b),
            "Your results are those of a sigmoid. The state of this network is made by tanh, between −1 and 1.",
        ),
    ),
    wrong=(
        Wrong(lambda x, h, w_x, w_h, b: np.tanh(x @ w_x + h @ w_h.T + b), _ONE_STEP),
        Wrong(lambda x, h, w_x, w_h, b: h + np.tanh(x @ w_x + h @ w_h + b), _ONE_STEP),
        Wrong(lambda x, h, w_x, w_h, b: np.tanh(x @ w_x + h * np.diag(w_h) + b), _ONE_STEP),
        Wrong(lambda x, h, w_x, w_h, b: np.tanh(x @ w_x - h @ w_h + b), _ONE_STEP),
        Wrong(lambda x, h, w_x, w_h, b: np.tanh(x @ w_x + np.tanh(h) @ w_h + b), _ONE_STEP),
        Wrong(lambda x, h, w_x, w_h, b: np.tanh(x @ w_x + h @ w_h) + b, _ONE_STEP),
        Wrong(lambda x, h, w_x, w_h, b: np.tanh(x @ w_x + h @ w_h + b.sum()), _ONE_STEP),
        Wrong(lambda x, h, w_x, w_h, b: np.clip(x @ w_x + h @ w_h + b, -1, 1), _ONE_STEP),
        Wrong(
            lambda x, h, w_x, w_h, b: ((e := np.exp(x @ w_x + h @ w_h + b)) - 1 / e) / (e + 1 / e),
            _arrays([900.0], [0.5], [[1.0]], [[0.5]], [0.1]),
        ),
    ),
    hints=(
        "Three terms go into one sum: what comes from the frame, what comes from the old state, and the bias.",
        "`x @ w_x` is a row of numbers, one for each unit, also for several clips at once. The old state has weights too.",
        "The function outside the whole sum is `np.tanh`.",
    ),
    why="This one line, repeated, reads a clip of any length. Everything that the network remembers is in h.",
)


# ---- lstm_step ----------------------------------------------------------------------------------


def _lstm_step(x, h, c, w_x, w_h, b):
    def sigmoid(a):
        return 0.5 * (1 + np.tanh(a / 2))  # the same as 1 / (1 + exp(−a)), and never overflows

    i, f, candidate, o = np.split(x @ w_x + h @ w_h + b, 4, axis=-1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(candidate)
    return sigmoid(o) * np.tanh(c), c


def _lstm_step_inputs():
    rng = np.random.default_rng(32)
    one = np.array([1.0]), np.array([0.5]), np.array([-1.0])
    return [
        (*one, np.array([[1.0, 2, -1, 0.5]]), np.array([[0.5, -1, 1, 2]]), np.array([0.0, 1, 0.2, -0.5])),
        (rng.normal(size=3), *_states(rng, 2, 2), *_weights(rng, 3, 2, 4)),
        (rng.normal(size=(4, 2)), *_states(rng, (4, 3), 2), *_weights(rng, 2, 3, 4)),
        (np.array([2, -1]), *_states(rng, 2, 2), *_weights(rng, 2, 2, 4)),
        (3000 * rng.normal(size=2), *_states(rng, 2, 2), *_weights(rng, 2, 2, 4)),  # gates quite open or quite shut
    ]


def _lstm(order=(0, 1, 2, 3), cell=lambda i, f, g, o, c: f * c + i * g, shown=lambda o, new, old: o * np.tanh(new),
          candidate=np.tanh, gate=_sigmoid):  # fmt: skip
    """The answer with another order of the four parts, another cell state, another state or another gate."""

    def answer(x, h, c, w_x, w_h, b):
        parts = np.split(x @ w_x + h @ w_h + b, 4, axis=-1)
        i, f, g, o = (parts[k] for k in order)
        i, f, g, o = gate(i), gate(f), candidate(g), gate(o)
        new = cell(i, f, g, o, c)
        return shown(o, new, c), new

    return answer


_ONE_LSTM = (lambda rng: (rng.normal(size=2), *_states(rng, 3, 2), *_weights(rng, 2, 3, 4)))(np.random.default_rng(33))

lstm_step = Coding(
    topic=TOPIC,
    name="lstm_step",
    reference=_lstm_step,
    also_correct=(_lstm(),),
    inputs=_lstm_step_inputs,
    mistakes=(
        Mistake(
            _lstm(order=(0, 1, 3, 2)),
            "Your results are those of another order of the four parts. In Keras it is: input, forget, candidate, output.",
        ),
        Mistake(
            _lstm(cell=lambda i, f, g, o, c: i * c + f * g),
            "Your results are those of exchanged gates: the forget gate keeps the old cell state, the input gate writes.",
        ),
        Mistake(_lstm(shown=lambda o, new, old: o * new), "Your state h lacks the tanh of the cell state; c is right."),
        Mistake(
            _lstm(shown=lambda o, new, old: o * np.tanh(old)),
            "Your state h shows the old cell state. It is made of the new one; c is right.",
        ),
        Mistake(
            _lstm(candidate=_sigmoid),
            "Your results are those of a sigmoid for the candidate, which could then only add to the memory. It is a tanh.",
        ),
        Mistake(
            lambda x, h, c, w_x, w_h, b: _lstm()(x, h, c, w_x, w_h, b)[::-1],
            "Your results are the right two in the other order: the state h first, then the cell state c.",
        ),
    ),
    wrong=(
        Wrong(_lstm(order=(1, 0, 2, 3)), _ONE_LSTM),
        Wrong(_lstm(cell=lambda i, f, g, o, c: f * c + (1 - f) * g), _ONE_LSTM),
        Wrong(_lstm(cell=lambda i, f, g, o, c: c + i * g), _ONE_LSTM),
        Wrong(_lstm(cell=lambda i, f, g, o, c: np.tanh(f * c + i * g)), _ONE_LSTM),
        Wrong(_lstm(cell=lambda i, f, g, o, c: f * c + g), _ONE_LSTM),
        Wrong(_lstm(shown=lambda o, new, old: np.tanh(o * new)), _ONE_LSTM),
        Wrong(_lstm(candidate=lambda g: g), _ONE_LSTM),
        Wrong(_lstm(gate=lambda a: (e := np.exp(a)) / (1 + e)), (*_ONE_LSTM[:5], 900 + _ONE_LSTM[5])),
        Wrong(lambda x, h, c, w_x, w_h, b: _lstm()(x, 0 * h, c, w_x, w_h, b), _ONE_LSTM),
        Wrong(lambda x, h, c, w_x, w_h, b: _lstm()(x, h, c, w_x, w_h, 0 * b), _ONE_LSTM),
    ),
    hints=(
        "`x @ w_x + h @ w_h + b` holds four parts side by side: `np.split(…, 4, axis=-1)`.",
        "Three of them go through a sigmoid, the candidate through tanh. Then the two lines of the table for c and for h.",
        "The new c first: old memory times the forget gate plus candidate times the input gate. h is made of the new c.",
    ),
    why="From the old c to the new one there is only a product with a gate and a sum. What that buys, you will measure.",
)


# ---- gru_step -----------------------------------------------------------------------------------


def _gru_step(x, h, w_x, w_h, b):
    def sigmoid(a):
        return 0.5 * (1 + np.tanh(a / 2))

    x_z, x_r, x_new = np.split(x @ w_x + b[0], 3, axis=-1)
    h_z, h_r, h_new = np.split(h @ w_h + b[1], 3, axis=-1)
    z, r = sigmoid(x_z + h_z), sigmoid(x_r + h_r)
    return z * h + (1 - z) * np.tanh(x_new + r * h_new)


def _gru_step_inputs():
    rng = np.random.default_rng(34)
    return [
        _arrays([1.0], [0.5], [[1.0, 2, -1]], [[0.5, -1, 2]], [[0.0, 1, 0.2], [0.3, -0.2, 0.7]]),
        (rng.normal(size=3), *_states(rng, 2, 1), *_weights(rng, 3, 2, 3, (2,))),
        (rng.normal(size=(4, 2)), *_states(rng, (4, 3), 1), *_weights(rng, 2, 3, 3, (2,))),
        (np.array([2, -1]), *_states(rng, 2, 1), *_weights(rng, 2, 2, 3, (2,))),
        (3000 * rng.normal(size=2), *_states(rng, 2, 1), *_weights(rng, 2, 2, 3, (2,))),
    ]


def _gru(
    order=(0, 1, 2), mix=lambda z, h, g: z * h + (1 - z) * g, candidate=lambda x, r, h: np.tanh(x + r * h), second=1
):
    """The answer with another order of the three parts, another mixture, another candidate or another second bias."""

    def answer(x, h, w_x, w_h, b):
        from_x, from_h = (np.split(part, 3, axis=-1) for part in (x @ w_x + b[0], h @ w_h + second * b[1]))
        (x_z, h_z), (x_r, h_r), (x_g, h_g) = ((from_x[k], from_h[k]) for k in order)
        z, r = _sigmoid(x_z + h_z), _sigmoid(x_r + h_r)
        return mix(z, h, candidate(x_g, r, h_g))

    return answer


def _gru_before(x, h, w_x, w_h, b):
    n = len(w_h)
    z, r = (_sigmoid((x @ w_x + b[0] + h @ w_h + b[1])[..., k : k + n]) for k in (0, n))
    return z * h + (1 - z) * np.tanh((x @ w_x + b[0] + b[1])[..., 2 * n :] + (r * h) @ w_h[:, 2 * n :])


_ONE_GRU = (lambda rng: (rng.normal(size=2), *_states(rng, 3, 1), *_weights(rng, 2, 3, 3, (2,))))(
    np.random.default_rng(35)
)

gru_step = Coding(
    topic=TOPIC,
    name="gru_step",
    reference=_gru_step,
    also_correct=(_gru(),),
    inputs=_gru_step_inputs,
    mistakes=(
        Mistake(
            _gru(mix=lambda z, h, g: (1 - z) * h + z * g),
            "Your results are those of the other convention: here z is the share of the old state that stays.",
        ),
        Mistake(
            _gru(order=(1, 0, 2)),
            "Your results are those of exchanged gates. In Keras the order is: update z, reset r, candidate.",
        ),
        Mistake(_gru(second=0), "Your results are those without the second bias, `b[1]`, which belongs to h."),
        Mistake(
            _gru_before,
            "Your results are those of the version that resets before the product with the weights. Here r comes after it.",
        ),
        Mistake(_gru(candidate=lambda x, r, h: np.tanh(x + h)), "Your results do not depend on the reset gate."),
        Mistake(
            _gru(candidate=lambda x, r, h: np.tanh(r * (x + h))),
            "Your reset gate acts on the frame as well. It acts on what comes from the old state.",
        ),
    ),
    wrong=(
        Wrong(_gru(order=(2, 1, 0)), _ONE_GRU),
        Wrong(_gru(mix=lambda z, h, g: z * h + g), _ONE_GRU),
        Wrong(_gru(mix=lambda z, h, g: h + (1 - z) * g), _ONE_GRU),
        Wrong(_gru(mix=lambda z, h, g: np.tanh(z * h + (1 - z) * g)), _ONE_GRU),
        Wrong(_gru(candidate=lambda x, r, h: _sigmoid(x + r * h)), _ONE_GRU),
        Wrong(_gru(candidate=lambda x, r, h: np.tanh(x + (1 - r) * h)), _ONE_GRU),
        Wrong(_gru(second=2), _ONE_GRU),
        Wrong(lambda x, h, w_x, w_h, b: _gru()(x, h, w_x, w_h, b[::-1]), _ONE_GRU),
        Wrong(lambda x, h, w_x, w_h, b: _gru()(x, 0 * h, w_x, w_h, b), _ONE_GRU),
    ),
    hints=(
        "Split `x @ w_x + b[0]` and `h @ w_h + b[1]` into three parts each: update, reset, candidate.",
        "z and r are sigmoids of the sums of their two parts. The candidate keeps its two parts apart until r has been at work.",
        "Then mix: the old state and the candidate, in shares that add up to 1.",
    ),
    why="One state and two gates: three quarters of the LSTM's weights, and the same way through for the old state.",
)


# ---- longer_clip --------------------------------------------------------------------------------

longer_clip = Choice(
    topic=TOPIC,
    name="longer_clip",
    answer="a",
    replies={
        "a": "The same weights serve every time step, as the same kernel serves every place of an image. So clips may be of "
        "any length.",
        "b": "Look at the formula: do the weights carry a time step as their index?",
        "c": "The recurrent weights lead from one state to the next. How long that goes on does not change their shape.",
        "d": "A bias belongs to a unit. Does it carry a time step as its index?",
    },
    hints=("Which letters of the formula have the index t, and which have none?",),
)


# ---- why_it_vanishes ----------------------------------------------------------------------------

why_it_vanishes = Choice(
    topic=TOPIC,
    name="why_it_vanishes",
    answer="c",
    replies={
        "a": "tanh is in the LSTM as well, twice. What stands between one cell state and the next?",
        "b": "Look at one unit alone: by what is its old state multiplied on the way to the new one? That is no question of how many.",
        "c": "On this direct way there is only a multiplication by the forget gate. The network can learn to keep it near 1, "
        "and then neither the memory nor the gradient shrinks along it.",
        "d": "The output gate decides what is shown. It is not on the way from one cell state to the next.",
    },
    hints=("Go from one cell state to the next with your finger on the formula. What do you multiply by?",),
)


# ---- forget_bias --------------------------------------------------------------------------------


def _forget_bias(lag, share):
    forget = share ** (1 / lag)  # multiplied by itself `lag` times it gives `share`
    return math.log(forget / (1 - forget))  # the inverse of the sigmoid


def _forget_bias_with_logs(lag, share):
    log_forget = np.log(share) / lag
    return log_forget - np.log(-np.expm1(log_forget))


def _forget_bias_inputs():
    return [(1, 0.5), (10, 0.5), (50, 0.9), (24, 0.1), (1, 0.2), (1000, 0.999), (3, 0.02)]


forget_bias = Coding(
    topic=TOPIC,
    name="forget_bias",
    reference=_forget_bias,
    also_correct=(_forget_bias_with_logs,),
    inputs=_forget_bias_inputs,
    mistakes=(
        Mistake(
            lambda lag, share: share ** (1 / lag),
            "That is the value the gate must have. The gate is the sigmoid of something: of what?",
        ),
        Mistake(
            lambda lag, share: math.log(share / (1 - share)),
            "With this bias the memory has fallen to that share after a single step.",
        ),
        Mistake(
            lambda lag, share: math.log((1 - share ** (1 / lag)) / share ** (1 / lag)),
            "The sign is turned: with this bias the gate is as far shut as it should be open.",
        ),
        Mistake(
            lambda lag, share: math.log((1 - (1 - share) / lag) / ((1 - share) / lag)),
            "You take the same amount away at each step. The gate takes the same share of what is left.",
        ),
        Mistake(
            lambda lag, share: share ** (1 / lag) * (1 - share ** (1 / lag)),
            "That is the slope of the sigmoid. You need its inverse.",
        ),
    ),
    wrong=(
        Wrong(lambda lag, share: _forget_bias(lag + 1, share), (10, 0.5)),
        Wrong(lambda lag, share: max(_forget_bias(lag, share), 0), (2, 0.1)),
        Wrong(lambda lag, share: _forget_bias(lag, 1 - share), (10, 0.4)),
        Wrong(lambda lag, share: math.log(lag), (10, 0.5)),
        Wrong(lambda lag, share: math.log(lag) - math.log(-math.log(share)), (4, 0.3)),
        Wrong(lambda lag, share: math.atanh(share ** (1 / lag)), (10, 0.5)),
        Wrong(lambda lag, share: round(_forget_bias(lag, share), 1), (10, 0.5)),
        Wrong(lambda lag, share: min(_forget_bias(lag, share), 8), (5000, 0.9)),
        Wrong(lambda lag, share: math.log10((f := share ** (1 / lag)) / (1 - f)), (10, 0.5)),
    ),
    hints=(
        "After `lag` steps the memory is multiplied by f, `lag` times over. For which f is that the share?",
        "f = share ** (1 / lag). Now find the number whose sigmoid is f.",
        "If f = 1 / (1 + exp(-b)), then exp(-b) = 1 / f - 1.",
    ),
    why="So the start of a gate decides over which lags a network can begin to learn.",
)


# ---- agreement ----------------------------------------------------------------------------------


def _agreement(truth, guess):
    error = guess - truth
    bias, spread = error.mean(), error.std(ddof=1)
    return bias, bias - 1.96 * spread, bias + 1.96 * spread


def _agreement_by_sums(truth, guess):
    errors = [float(g) - float(t) for t, g in zip(truth, guess, strict=True)]
    n = len(errors)
    bias = sum(errors) / n
    spread = math.sqrt(sum((e - bias) ** 2 for e in errors) / (n - 1))
    return bias, bias - 1.96 * spread, bias + 1.96 * spread


def _agreement_inputs():
    rng = np.random.default_rng(0)
    truth = rng.uniform(20, 75, 12)
    return [
        (np.array([30.0, 50.0, 60.0, 70.0]), np.array([35.0, 52.0, 58.0, 73.0])),
        (truth, truth + rng.normal(-2, 6, 12)),
        (np.array([30, 45, 60, 20, 71]), np.array([36, 41, 66, 20, 60])),
        (np.array([50.0, 60]), np.array([40.0, 66])),
    ]


_PAIRS = np.array([30.0, 50, 60, 70, 20]), np.array([36.0, 51, 58, 75, 31])


def _limits(error=lambda t, g: g - t, ddof=1, root=False, factor=1.96):
    def answer(truth, guess):
        difference = error(truth, guess)
        spread = difference.std(ddof=ddof) / (math.sqrt(len(difference)) if root else 1)
        return difference.mean(), difference.mean() - factor * spread, difference.mean() + factor * spread

    return answer


agreement = Coding(
    topic=TOPIC,
    name="agreement",
    reference=_agreement,
    also_correct=(_agreement_by_sums,),
    inputs=_agreement_inputs,
    mistakes=(
        Mistake(
            _limits(root=True),
            "You divided by the square root of n: that tells how well the *mean* error is known. The limits of agreement "
            "are about the next patient.",
        ),
        Mistake(
            _limits(error=lambda t, g: abs(g - t)),
            "Keep the sign of each error: too high and too low must not look alike.",
        ),
        Mistake(_limits(error=lambda t, g: t - g), "The difference is turned: prediction minus truth."),
        Mistake(_limits(ddof=0), "Your limits are those of a deviation divided by n. The task wants n − 1: `ddof=1`."),
        Mistake(_limits(factor=1.0), "One standard deviation holds about two thirds of the patients, not 95 %."),
        Mistake(_limits(factor=2.0), "Your limits are those of 2 standard deviations. Take 1.96, as the task says."),
    ),
    wrong=(
        Wrong(_limits(error=lambda t, g: (g - t) / (g + t) * 200), _PAIRS),
        Wrong(_limits(factor=1.645), _PAIRS),
        Wrong(lambda t, g: (np.median(g - t), *_agreement(t, g)[1:]), _PAIRS),
        Wrong(lambda t, g: (_agreement(t, g)[0], *np.quantile(g - t, [0.025, 0.975])), _PAIRS),
        Wrong(lambda t, g: (_agreement(t, g)[0], *_agreement(t, g)[:0:-1]), _PAIRS),
        Wrong(lambda t, g: (0.0, *(limit - (g - t).mean() for limit in _agreement(t, g)[1:])), _PAIRS),
        Wrong(lambda t, g: (np.abs(g - t).mean(), *_agreement(t, g)[1:]), _PAIRS),
        Wrong(_limits(error=lambda t, g: (g + t) / 2), _PAIRS),
        Wrong(lambda t, g: tuple(np.round(_agreement(t, g), 1)), _PAIRS),
    ),
    hints=(
        "Start with one error for each patient: prediction minus truth.",
        "The bias is their mean. The limits lie 1.96 standard deviations below and above it.",
        "`error.std(ddof=1)` is the standard deviation of a sample.",
    ),
    why="A mean absolute error says how far off we are on average; these limits say how far off the next patient may be.",
)


# ---- shuffled_frames ----------------------------------------------------------------------------

shuffled_frames = Choice(
    topic=TOPIC,
    name="shuffled_frames",
    answer="b",
    replies={
        "a": "It reads them, one after the other, in whatever order they come. What did the order add?",
        "b": "Largest and smallest volume do not care when they occurred. For this target a set of frames is enough: the "
        "network could do without their order.",
        "c": "That would show in the comparison with the single frame and the mean frame, not here.",
        "d": "Both were trained, each in its own kind of order, and tested on unseen patients in the same kind.",
    },
    hints=("What do you need to know about a clip in order to compute its ejection fraction?",),
)
