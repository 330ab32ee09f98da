"""Exercises of the lesson on RNN, LSTM, GRU."""

import math

import numpy as np

from course_lib.exercises import Choice, Coding, Mistake, progress

TOPIC = "rnn_lstm_gru"


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


# ---- parameters ---------------------------------------------------------------------------------


def _parameters(cell, features, units):
    blocks = {"rnn": 1, "lstm": 4, "gru": 3}[cell]  # sets of weights: the candidate, and one for each gate
    biases = 2 if cell == "gru" else 1
    return blocks * units * (features + units + biases)


def _parameters_by_arrays(cell, features, units):
    if cell == "rnn":
        return features * units + units**2 + units
    if cell == "lstm":
        return 4 * (features * units + units**2 + units)
    return 3 * features * units + 3 * units**2 + 6 * units


def _parameters_inputs():
    return [("rnn", 3, 5), ("lstm", 3, 5), ("gru", 3, 5), ("rnn", 22, 16), ("lstm", 22, 16), ("gru", 22, 16)]


def _count(rnn=1, lstm=4, gru=3, biases=(1, 1, 2), recurrent=True):
    def answer(cell, features, units):
        blocks = {"rnn": rnn, "lstm": lstm, "gru": gru}[cell]
        bias = dict(zip(("rnn", "lstm", "gru"), biases, strict=True))[cell]
        return blocks * units * (features + units * recurrent + bias)

    return answer


parameters = Coding(
    topic=TOPIC,
    name="parameters",
    reference=_parameters,
    also_correct=(_parameters_by_arrays,),
    inputs=_parameters_inputs,
    mistakes=(
        Mistake(
            _count(biases=(1, 1, 1)),
            "Right but for the GRU: as Keras builds it, it has a bias for the inputs and another for the old state.",
        ),
        Mistake(_count(biases=(0, 0, 0)), "The biases are missing."),
        Mistake(
            _count(recurrent=False),
            "You count what leads from the inputs to the units. What leads from the old state to the new one?",
        ),
        Mistake(
            _count(lstm=3, gru=2),
            "You count the gates only. The candidate, what might be written into the memory, has weights of its own.",
        ),
        Mistake(_count(gru=4), "The GRU has one gate less than the LSTM."),
        Mistake(_count(lstm=1, gru=1), "A gated layer has a full set of weights for each of its gates."),
    ),
    hints=(
        "Begin with the plain RNN: features × units, units × units, and units biases.",
        "How many such sets do the LSTM's equations hold, and how many the GRU's? Count the candidate too.",
        "In Keras' GRU each of the three sets has two biases.",
    ),
    why="Four times the weights of a plain RNN for the LSTM and three times for the GRU: that is the price of gates.",
)


# ---- why_it_vanishes ----------------------------------------------------------------------------

why_it_vanishes = Choice(
    topic=TOPIC,
    name="why_it_vanishes",
    answer="c",
    replies={
        "a": "tanh is in the LSTM as well, twice. What stands between one cell state and the next?",
        "b": "More weights do not help by themselves: a plain RNN with four times the units forgets as fast.",
        "c": "From cell state to cell state there is only a multiplication by the forget gate. The network can learn to keep "
        "it near 1, and then neither the memory nor the gradient shrinks.",
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
    return [(1, 0.5), (10, 0.5), (50, 0.9), (24, 0.1)]


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
    ]


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
        Mistake(
            _limits(ddof=0), "Divide by n − 1 in the standard deviation (`ddof=1`): the mean was estimated as well."
        ),
        Mistake(_limits(factor=1.0), "One standard deviation holds about two thirds of the patients, not 95 %."),
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
        "b": "Largest and smallest volume do not care when they occurred. For this target a set of frames is enough, and the "
        "network's memory served as a collector, not as a clock.",
        "c": "That would show in the comparison with the single frame and the mean frame, not here.",
        "d": "Both were trained, each in its own kind of order, and tested on unseen patients in the same kind.",
    },
    hints=("What do you need to know about a clip in order to compute its ejection fraction?",),
)


# ---- last_state ---------------------------------------------------------------------------------


def _last_state(states, lengths):
    return states[np.arange(len(states)), lengths - 1]  # frame number `length` stands at index length - 1


def _last_state_by_loop(states, lengths):
    return np.array([clip[:n][-1] for clip, n in zip(states, lengths, strict=True)])


def _last_state_inputs():
    rng = np.random.default_rng(1)
    return [(rng.normal(size=(3, 5, 2)), np.array([5, 2, 4])), (rng.normal(size=(4, 6, 3)), np.array([3, 6, 1, 2]))]


last_state = Coding(
    topic=TOPIC,
    name="last_state",
    reference=_last_state,
    also_correct=(_last_state_by_loop,),
    inputs=_last_state_inputs,
    mistakes=(
        Mistake(
            lambda states, lengths: states[:, -1],
            "For a short clip that is the state after all the padding, not after its last real frame.",
        ),
        Mistake(
            lambda states, lengths: states[np.arange(len(states)), np.minimum(lengths, states.shape[1] - 1)],
            "One step too far: time steps are counted from 0.",
        ),
        Mistake(
            lambda states, lengths: states[:, lengths - 1],
            "This takes every length for every clip. Each clip needs its own only.",
        ),
        Mistake(
            lambda states, lengths: np.array([clip[:n].mean(axis=0) for clip, n in zip(states, lengths, strict=True)]),
            "That is the mean over the real frames: sensible too, but not the last state.",
        ),
    ),
    hints=(
        "Which index has the last of n frames, if the first has 0?",
        "A loop over clips and lengths is fine.",
        "Without a loop: index the first axis with `np.arange(len(states))` and the second with the places.",
    ),
    why="Keras' mask does the same: at padded time steps the old state is carried on unchanged.",
)
