"""What this lesson's notebook, explorers, experiment and tests share: what the networks see, the networks, the stored runs."""

import numpy as np

from course_lib import results
from course_lib.lessons.clips_to_sequences.model import REGION

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


def fit(model, loss, inputs, target, epochs, rate, batch=32, callbacks=()):
    """Train with Adam, a learning rate that falls from `rate` to 0 along a cosine, and gradients of length 1 at most."""
    from course_lib.models import keras

    steps = epochs * int(np.ceil(len(target) / batch))
    model.compile(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(rate, steps), clipnorm=1.0), loss)
    model.fit(inputs, target, batch_size=batch, epochs=epochs, verbose=0, callbacks=list(callbacks))


# ---- stored runs ------------------------------------------------------------------------------------------------------


def by_arm(name, value="score"):
    """What all seeds stored of `name`, "rhythm" or "ejection", by arm: a value of each seed, (seeds,)."""
    runs = list(results.load(f"rnn_lstm_gru/{name}").values())
    return {arm: np.array([run[arm][value] for run in runs]) for arm in runs[0]}


def answers(name):
    """The answers for the test patients that all seeds stored of `name`, by arm: (patients, seeds)."""
    path = f"rnn_lstm_gru/{name}"
    stored = [results.arrays(path, seed) for seed in results.load(path)]
    return {arm: np.stack([arrays[arm].astype(float) for arrays in stored], axis=1) for arm in stored[0]}


def last_accuracy():
    """Of the memory task's stored runs: {kind of network: {lag: accuracy after training (seeds,)}}."""
    runs = list(results.load("rnn_lstm_gru/memory").values())
    return {
        name: {int(lag): np.array([run[name][lag][-1] for run in runs]) for lag in row} for name, row in runs[0].items()
    }
