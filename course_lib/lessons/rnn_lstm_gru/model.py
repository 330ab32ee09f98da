"""What this lesson's notebook, explorers, experiment and tests share: what the networks see, the networks, the arms that are
compared, and how the stored runs are compared."""

import functools

import numpy as np

from course_lib import evaluate, ops, results
from course_lib.lessons.clips_to_sequences.model import REGION, area, mae

# ---- what a network sees of a clip ------------------------------------------------------------------------------------


def segments(clips):
    """Clips (n, 48, 48, 48, 1) to segments (2n, 24, 16, 16, 1): two of 2 s each, cropped, coarser, with a mean of 1."""
    coarse = clips[:, :, *REGION].reshape(-1, 24, 16, 2, 16, 2).mean((3, 5))[..., None]
    return coarse / coarse.mean((1, 2, 3, 4), keepdims=True)


def moving(part):
    """What differs from the segment's own mean frame: the motion, without the anatomy."""
    return 4 * (part - part.mean(axis=1, keepdims=True))


# ---- networks and their training --------------------------------------------------------------------------------------


def per_frame(frames, head):
    """A small CNN on each of the frames (16, 16, 1), with the same weights, `head` on the sequence of its 16 features, and
    one number. `head` makes (n, features) of (n, frames, 16)."""
    from course_lib.models import keras, layers

    inputs = layers.Input((frames, 16, 16, 1))
    x = keras.ops.reshape(inputs, (-1, 16, 16, 1))  # all frames of all clips in one batch
    for channels in (8, 16):
        x = layers.Conv2D(channels, 3, strides=2, padding="same", activation="relu")(x)
    x = layers.Dense(16, activation="relu")(layers.Flatten()(x))
    x = keras.ops.reshape(x, (-1, frames, 16))  # and back: 16 features for each frame
    return keras.Model(inputs, layers.Dense(1)(head(x)))


def cnn_gru(frames):
    """The CNN on each frame, then a GRU of 16 units over the frames."""
    from course_lib.models import layers

    return per_frame(frames, lambda x: layers.GRU(16)(x))


def sequence_model(cell, units, shape):
    """A recurrent layer, "SimpleRNN", "LSTM" or "GRU", on sequences of features of this shape, and one number."""
    from course_lib.models import keras, layers

    return keras.Sequential([layers.Input(shape), getattr(layers, cell)(units), layers.Dense(1)])


def conv_over_time(shape):
    """Two convolutions over time, that see 20 frames together, their mean over time, and one number."""
    from course_lib.models import keras, layers

    conv = {"padding": "same", "activation": "relu"}
    body = [layers.Conv1D(16, 7, **conv), layers.MaxPooling1D(2), layers.Conv1D(16, 7, **conv)]
    return keras.Sequential([layers.Input(shape), *body, layers.GlobalAveragePooling1D(), layers.Dense(1)])


def fit(model, loss, inputs, target, epochs, rate, batch=32, callbacks=()):
    """Train with Adam, gradients of length 1 at most, and a learning rate that rises to `rate` in a tenth of the steps and
    then falls to 0 along a cosine."""
    from course_lib.models import keras

    steps = epochs * int(np.ceil(len(target) / batch))
    rising = {"warmup_target": rate, "warmup_steps": steps // 10}
    schedule = keras.optimizers.schedules.CosineDecay(0.0, steps - steps // 10, **rising)
    model.compile(keras.optimizers.Adam(schedule, clipnorm=1.0), loss)
    model.fit(inputs, target, batch_size=batch, epochs=epochs, verbose=0, callbacks=list(callbacks))


# ---- the arms of the stored runs --------------------------------------------------------------------------------------

CENTRE, SPREAD = 50.0, 16.0  # percent: networks answer an ejection fraction in units of SPREAD around CENTRE
RATES = {  # in rising order; a CNN that sees one frame learns its patients by heart soonest
    "rhythm": (0.001, 0.003, 0.01, 0.03, 0.1, 0.3),
    "convolution": (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0),
    "memory": (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0),
    "ejection": (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3),
    "one frame": (0.00001, 0.00003, 0.0001, 0.0003, 0.001, 0.003, 0.01),
}
# What an arm is unless its entry says otherwise. `like`: it takes the learning rate that was chosen for that arm, since it
# only trains longer, or since nothing can be chosen: without order the validation patients say nothing at any rate.
COMMON = {
    "rhythm": {"input": "curve", "net": "GRU", "units": 16, "frames": 48, "batch": 64, "epochs": 150, "like": None},
    "ejection": {"input": "moving", "net": "CNN + GRU", "frames": 24, "batch": 32, "epochs": 30, "like": None},
}
ON_FEATURES = {"units": 16, "epochs": 60}
ARMS = {
    "rhythm": {
        "GRU": {},
        "LSTM": {"net": "LSTM"},
        "RNN": {"net": "SimpleRNN"},
        "convolution over time": {"net": "convolution"},
        "GRU, shuffled": {"input": "curve, shuffled", "like": "GRU"},
        "GRU, all features": {"input": "all features"},
        "GRU, 4 units": {"units": 4},
        "GRU, 64 units": {"units": 64},
        "GRU, 12 frames": {"frames": 12},
        "GRU, 24 frames": {"frames": 24},
        "GRU, twice as long": {"epochs": 300, "like": "GRU"},
    },
    "ejection": {
        "CNN + GRU": {},
        "CNN + GRU, shuffled": {"input": "moving, shuffled"},
        "CNN + convolution over time": {"net": "CNN + convolution"},
        "CNN + GRU, plain frames": {"input": "plain"},
        "CNN + GRU, 3 frames": {"frames": 3},
        "CNN + GRU, 6 frames": {"frames": 6},
        "CNN + GRU, 12 frames": {"frames": 12},
        "mean frame": {"input": "mean frame", "net": "one frame", "frames": 1},
        "single frame": {"input": "plain", "net": "one frame", "frames": 1},
        "features + GRU": ON_FEATURES | {"input": "features", "net": "GRU"},
        "features + LSTM": ON_FEATURES | {"input": "features", "net": "LSTM"},
        "features of the crop + GRU": ON_FEATURES | {"input": "features of the crop", "net": "GRU"},
        "CNN + GRU, twice as long": {"epochs": 60, "like": "CNN + GRU"},
        "features + GRU, twice as long": ON_FEATURES
        | {"input": "features", "net": "GRU", "epochs": 120, "like": "features + GRU"},
    },
}
# The memory task: kinds of networks by cell, and how the gate that keeps the old state, or the recurrent weights, start.
KINDS = {
    "RNN": ("SimpleRNN", ""),
    "RNN, random start": ("SimpleRNN", "random"),
    "LSTM": ("LSTM", ""),
    "GRU": ("GRU", ""),
    "LSTM, open": ("LSTM", "open"),
    "GRU, open": ("GRU", "open"),
}
LAGS = (5, 20, 40, 80)
OTHERS = 0.3  # the weight of a sign that is not marked, in the units that are set by hand
OPEN = 3.0  # bias of an open gate: sigmoid(3) = 0.95 of the old state stays at each step


def setting(task, arm):
    return COMMON[task] | ARMS[task][arm]


def rates_of(task, arm):
    """The learning rates that are tried for an arm, or a kind of network in the task "memory"."""
    net = setting(task, arm)["net"] if task in ARMS else ""
    return RATES[net if net in RATES else task]


def build(task, arm, shape):
    """The untrained network of an arm for inputs (frames, …)."""
    from course_lib.models import layers

    net, units = (setting(task, arm).get(name) for name in ("net", "units"))
    if net == "convolution":
        return conv_over_time(shape)
    heads = {
        "CNN + GRU": lambda x: layers.GRU(16)(x),
        "CNN + convolution": lambda x: layers.GlobalMaxPooling1D()(
            layers.Conv1D(16, 5, padding="same", activation="relu")(x)
        ),
        "one frame": lambda x: layers.Flatten()(x),
    }
    return per_frame(shape[0], heads[net]) if net in heads else sequence_model(net, units, shape)


def memory_network(kind):
    """An untrained network of 8 units for the memory task, of one of `KINDS`: it reads sequences (n, steps, 2)."""
    from course_lib.models import keras, layers

    cell, start = KINDS[kind]
    options = {"recurrent_initializer": "glorot_uniform"} if start == "random" else {}
    network = keras.Sequential([layers.Input((None, 2)), getattr(layers, cell)(8, **options), layers.Dense(1)])
    if start == "open":
        kernel, recurrent_kernel, bias = network.layers[0].get_weights()
        if cell == "LSTM":
            bias[8:16] = OPEN  # the forget gate is the second of Keras' four
        else:
            bias[0, :8] = OPEN  # the update gate is the first of three
        network.layers[0].set_weights([kernel, recurrent_kernel, bias])
    return network


@functools.cache
def other_signs():
    """The signs that follow the marked one in the explorer."""
    return np.random.default_rng(3).choice([-1.0, 1.0], LAGS[-1])


def one_unit(lag, bias, gate, weight):
    """The memory task with one unit set by hand: states (2, lag + 1) of an LSTM's cell and of a plain RNN.

    The marked sign +1 is shown at step 0, then others with a weight of `OTHERS`. Both get the same inputs. The LSTM's input
    gate is 1 for the marked sign and `gate` for the others, its forget gate the sigmoid of `bias`; the RNN has the recurrent
    weight `weight`.
    """
    cell, plain = [np.tanh(1.0)], [np.tanh(1.0)]
    for sign in other_signs()[:lag]:
        cell.append(ops.sigmoid(bias) * cell[-1] + gate * np.tanh(OTHERS * sign))
        plain.append(np.tanh(weight * plain[-1] + OTHERS * sign))
    return np.array([cell, plain])


# ---- stored runs ------------------------------------------------------------------------------------------------------


def on_validation(task, arm):
    """Of the stored rates of a task the value on validation by rate, the larger the better: of two sets of patients the worse,
    so that a rate at which a network may fail to learn is not chosen; for the memory task the mean of two seeds."""
    stored, together = results.load(f"rnn_lstm_gru/{task}_rates").values(), np.mean if task == "memory" else min
    return {rate: together([run[arm][f"{rate:g}"]["value"] for run in stored]) for rate in rates_of(task, arm)}


def best_rate(task, arm):
    """The rate that is best `on_validation`. Raises ValueError at an end of the list."""
    arm = ARMS.get(task, {}).get(arm, {}).get("like") or arm
    found = on_validation(task, arm)
    best = max(found, key=found.get)
    if best in (min(found), max(found)):
        raise ValueError(f"{task}, {arm} is best at {best:g}, an end of the list of rates: make it longer.")
    return best


def by_arm(task, part="test"):
    """What all seeds stored of a task, "rhythm" or "ejection", by arm: the value of each seed, (seeds,). `part`: "train",
    "val" or "test" (area under the ROC curve, or mean absolute error in points), "rate", or "train loss"."""
    runs = list(results.load(f"rnn_lstm_gru/{task}").values())
    return {arm: np.array([run[arm][part] for run in runs]) for arm in runs[0] if part in runs[0][arm]}


@functools.cache
def answers(task, arm):
    """The answers of an arm's five networks for the 600 test patients, (seeds, 600); "truth" (600,)."""
    path = f"rnn_lstm_gru/{task}"
    stored = [results.arrays(path, seed) for seed in results.load(path)]
    return stored[0][arm].astype(float) if arm == "truth" else np.stack([each[arm].astype(float) for each in stored])


def gain(task, arm, baseline):
    """How much better an arm is than the baseline on the test patients, over seeds and patients: an Estimate, in points of
    ejection fraction or of area under the ROC curve."""
    measure, bounds = (area, (0, 1)) if task == "rhythm" else (lambda truth, guess: -mae(truth, guess), (-100, 0))
    truth, pair = answers(task, "truth"), (answers(task, baseline), answers(task, arm))
    return evaluate.recipes(measure, truth, *pair, groups=np.arange(len(truth)), bounds=bounds)


def last_accuracy():
    """Of the memory task's stored runs: {kind of network: {lag: accuracy after training (seeds,)}}."""
    runs = list(results.load("rnn_lstm_gru/memory").values())
    return {kind: {lag: np.array([run[kind][str(lag)][-1] for run in runs]) for lag in LAGS} for kind in KINDS}
