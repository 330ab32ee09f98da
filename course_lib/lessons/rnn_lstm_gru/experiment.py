"""What this lesson shows as stored: a memory task, rhythm, ejection fraction, and the gates of one trained LSTM.

    python -m course_lib.lessons.rnn_lstm_gru.experiment [memory | rhythm | ejection | gates] [--quick]

A seed decides first weights and order of training; the patients are those of echo-cine, seed 0, in all runs.
"""

import functools
import time

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from course_lib import data, ops, sequences
from course_lib.data import echo_cine
from course_lib.lessons.clips_to_sequences.model import CAVITY, cavity_curve, mae, shuffled, without_drift
from course_lib.lessons.rnn_lstm_gru import recurrent
from course_lib.lessons.rnn_lstm_gru.model import cnn_gru, fit, moving, per_frame, segments, sequence_model
from course_lib.models import keras, layers
from course_lib.tools.experiment import main

RUNS = {"memory": range(3), "rhythm": range(5), "ejection": range(5), "gates": [0]}
QUICK_PATIENTS = 24

# ---- the memory task -------------------------------------------------------------------------------------------------

LAGS = (5, 20, 40, 80)
UNITS, STEPS, BATCH, CHECKS = 8, 280, 64, 7
START = 3.0  # of the gate that keeps the old state: sigmoid(3) = 0.95 of it stays at each step
CELLS = {
    "RNN": (layers.SimpleRNN, False),
    "LSTM": (layers.LSTM, False),
    "GRU": (layers.GRU, False),
    "LSTM, open": (layers.LSTM, True),
    "GRU, open": (layers.GRU, True),
}


def memory(seed, quick=False):
    """Accuracy on 1,000 new sequences every 40 steps of 64 sequences, until all are right twice or 280 steps are done; 8
    units, Adam 0.01, gradients clipped at norm 1; 'open': the gate that keeps the old state starts with a bias of 3."""
    found = {}
    for name, (cell, opened) in CELLS.items():
        if not quick or name in ("RNN", "LSTM, open"):
            model, at_rest = memory_network(cell)
            lags = LAGS[1:2] if quick else LAGS
            found[name] = {lag: memory_run(model, at_rest, cell, opened, lag, seed) for lag in lags}
    return found


@functools.cache
def memory_network(cell):
    """A compiled network, and its optimiser at rest: once for each cell, since compiling takes longer than a run."""
    model = keras.Sequential([layers.Input((None, 2)), cell(UNITS), layers.Dense(1)])
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.01, clipnorm=1.0), loss)
    model.optimizer.build(model.trainable_variables)
    return model, [v.numpy() for v in model.optimizer.variables]


def memory_run(model, at_rest, cell, opened, lag, seed):
    """The accuracies of one training, from new first weights."""
    model.set_weights(memory_weights(model, cell, opened, seed))
    for variable, value in zip(model.optimizer.variables, at_rest, strict=True):
        variable.assign(value)
    rng = np.random.default_rng(seed)
    test, truth = marked_signs(np.random.default_rng(1000), 1000, lag)
    curve = []
    while len(curve) < CHECKS and curve[-2:] != [1.0, 1.0]:
        model.fit(*marked_signs(rng, BATCH * STEPS // CHECKS, lag), batch_size=BATCH, verbose=0)
        answer = model.predict(test, batch_size=1000, verbose=0)[:, 0] > 0
        curve.append(float(np.mean(answer == truth)))
    return curve


def marked_signs(rng, n, lag):
    """Sequences (n, lag + 1, 2) of random signs, the first of them marked, and whether the marked one is +1."""
    signs = rng.choice([-1.0, 1.0], (n, lag + 1)).astype(np.float32)
    mark = np.zeros_like(signs)
    mark[:, 0] = 1
    return np.stack([signs, mark], axis=-1), (signs[:, 0] > 0).astype(np.float32)


def memory_weights(model, cell, opened, seed):
    """New first weights for the model; `opened` lets the gate that keeps the old state begin almost open."""
    keras.utils.set_random_seed(seed)
    fresh = keras.models.clone_model(model)
    kernel, recurrent_kernel, bias = fresh.layers[0].get_weights()
    if opened and cell is layers.LSTM:
        bias[UNITS : 2 * UNITS] = START  # the forget gate is the second of Keras' four
    elif opened:
        bias[0, :UNITS] = START  # the update gate is the first of three
    return [kernel, recurrent_kernel, bias, *fresh.layers[1].get_weights()]


# ---- clips -----------------------------------------------------------------------------------------------------------


def clips(quick):
    """Training and test images, and their targets by name: lists of two."""
    cine = data.load("echo-cine")
    n = QUICK_PATIENTS if quick else None
    splits = [cine.train, cine.test]
    return [split.x[:n] for split in splits], {
        name: [split.targets[name][:n] for split in splits] for name in ("rhythm", "ejection_fraction")
    }


def trained(build, loss, inputs, target, seed, recipe):
    keras.utils.set_random_seed(seed)
    model = build()
    fit(model, loss, inputs, target, **recipe)
    return model


def run(arms, score, quick):
    """Train every arm; its score and seconds are the payload, its answers for the test patients the arrays."""
    rows, answers = {}, {}
    for name, arm in arms.items():
        if quick and name not in ("CNN + GRU", "GRU", "mean frame"):
            continue
        start = time.process_time()
        answers[name] = arm().astype(np.float16)
        rows[name] = {"score": score(answers[name].astype(float))}
        if not quick:
            rows[name]["processor_seconds"] = time.process_time() - start
            print(name, rows[name], flush=True)
    return rows, {"arrays": answers}


# ---- rhythm ----------------------------------------------------------------------------------------------------------

RHYTHM = {"epochs": 40, "rate": 7e-3, "batch": 64}


def rhythm(seed, quick=False):
    """Regular or irregular, from the curve of the cavity: area under the ROC curve on the test patients of echo-cine.
    40 epochs in batches of 64, Adam, clipnorm 1, a rate of .007 that falls along a cosine."""
    images, targets = clips(quick)
    label = targets["rhythm"]
    curve = [cavity_curve(x) for x in images]

    def network(build, inputs):
        def answer():
            model = heard(lambda: build(inputs[0].shape[1:]), inputs[0], label[0], seed, quick)
            return model.predict(inputs[1], batch_size=240, verbose=0)[:, 0]

        return answer

    def cell(kind, units=16, inputs=curve):
        return network(lambda shape: sequence_model(kind, units, shape), inputs)

    def pixels(view):
        coarse = [view(x).reshape(len(x), 24, 2, 24, 2).mean((2, 4)).reshape(len(x), -1) for x in images]

        def answer():
            classifier = LogisticRegression(C=1e-3, max_iter=2000).fit(coarse[0] / coarse[0].std(), label[0])
            return classifier.decision_function(coarse[1] / coarse[0].std())

        return answer

    def all_features():
        every = [without_drift(sequences.frame_features(x[:, :, *CAVITY, 0])[0]) for x in images]
        return cell("GRU", inputs=every)()

    arms = {
        "GRU": cell("GRU"),
        "LSTM": cell("LSTM"),
        "RNN": cell("SimpleRNN"),
        "convolution over time": network(conv_over_time, curve),
        "GRU, shuffled": cell("GRU", inputs=[shuffled(c, seed) for c in curve]),
        "single frame": pixels(lambda x: x[:, 0]),
        "mean frame": pixels(lambda x: x.mean(1)),
        "GRU, all features": all_features,
        **{f"GRU, {units} units": cell("GRU", units) for units in (4, 64)},
        **{f"GRU, {t} frames": cell("GRU", inputs=[c[:, :t] for c in curve]) for t in (12, 24)},
    }
    return run(arms, lambda answer: roc_auc_score(label[1], answer), quick)


def heard(build, inputs, label, seed, quick):
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    return trained(build, loss, inputs, label, seed, RHYTHM | ({"epochs": 2} if quick else {}))


def conv_over_time(shape):
    conv = {"padding": "same", "activation": "relu"}
    body = [layers.Conv1D(16, 7, **conv), layers.MaxPooling1D(2), layers.Conv1D(16, 7, **conv)]
    return keras.Sequential([layers.Input(shape), *body, layers.GlobalAveragePooling1D(), layers.Dense(1)])


def gates(seed, quick=False):
    """The rhythm's LSTM of this seed, as it reads the first eight test clips: its gates, cell states and states, by
    recurrent.py; with them the curve, the label, the answer, and when the simulated beats begin (s). The score is the
    area under the ROC curve on all test patients."""
    images, targets = clips(quick)
    label = targets["rhythm"]
    curve = [cavity_curve(x) for x in images]
    model = heard(lambda: sequence_model("LSTM", 16, curve[0].shape[1:]), curve[0], label[0], seed, quick)
    answer = model.predict(curve[1], batch_size=240, verbose=0)[:, 0]
    weights, x = model.layers[0].get_weights(), curve[1][:8]
    states, cells = recurrent.over_time(recurrent.lstm_step, x, weights, states=2)
    beats = np.full((len(x), 12), np.nan)
    for row, patient in zip(beats, echo_cine.patients("test", n_patients=len(x)), strict=True):
        inside = patient.beats[(patient.beats >= 0) & (patient.beats <= echo_cine.SECONDS)]
        row[: len(inside)] = inside
    kept = {
        "curve": x[..., 0],
        "label": label[1][:8],
        "probability": ops.sigmoid(answer[:8]),
        "gates": np.stack(recurrent.lstm_gates(x, states[:, :-1], *weights), axis=2),  # clips, time, gate, unit
        "cells": cells[:, 1:],
        "states": states[:, 1:],
        "beats": beats,
    }
    arrays = {name: np.asarray(values, np.float16) for name, values in kept.items()}
    return {"score": roc_auc_score(label[1], answer)}, {"arrays": arrays}


# ---- ejection fraction -----------------------------------------------------------------------------------------------

CLIP = {"epochs": 8, "rate": 3e-3}
OTHER = {"epochs": 20, "rate": 3e-3}
CENTRE, SPREAD = 50.0, 16.0  # percent: the network answers in units of SPREAD around CENTRE


def ejection(seed, quick=False):
    """Mean absolute error in points on the test patients of echo-cine; the mean over two segments of 24 frames. 8 epochs for
    clips, 20 for the others, batches of 32, Adam, clipnorm 1, a rate of .003 that falls along a cosine."""
    images, targets = clips(quick)
    truth = targets["ejection_fraction"]
    parts = [segments(x) for x in images]
    moved = [moving(part) for part in parts]

    def network(build, inputs, recipe=CLIP):
        """A patient's answer is the mean over both segments."""

        def answer():
            target = (np.repeat(truth[0], 2) - CENTRE) / SPREAD
            model = trained(build, "mse", inputs[0], target, seed, recipe | ({"epochs": 1} if quick else {}))
            both = model.predict(inputs[1], batch_size=120, verbose=0)[:, 0].reshape(-1, 2)
            return CENTRE + SPREAD * both.mean(axis=1)

        return answer

    @functools.cache
    def features():
        table = [sequences.frame_features(x[..., 0])[0] for x in images]
        mean, spread = table[0].mean((0, 1)), table[0].std((0, 1)) + 1e-6
        return [((values - mean) / spread).reshape(-1, 24, values.shape[-1]) for values in table]

    def on_features(cell):
        return lambda: network(lambda: sequence_model(cell, 16, features()[0].shape[1:]), features(), OTHER)()

    def one_frame():
        return per_frame(1, lambda x: layers.Flatten()(x))

    def convolution(x):
        return layers.GlobalMaxPooling1D()(layers.Conv1D(16, 5, padding="same", activation="relu")(x))

    arms = {
        "CNN + GRU": network(lambda: cnn_gru(24), moved),
        "CNN + GRU, shuffled": network(lambda: cnn_gru(24), [shuffled(part, seed) for part in moved]),
        "CNN + convolution over time": network(lambda: per_frame(24, convolution), moved),
        "features + GRU": on_features("GRU"),
        "features + LSTM": on_features("LSTM"),
        "mean frame": network(one_frame, [part.mean(1, keepdims=True) - 1 for part in parts], OTHER),
        "single frame": network(one_frame, [part[:, :1] - 1 for part in parts], OTHER),
        "CNN + GRU, plain frames": network(lambda: cnn_gru(24), [part - 1 for part in parts]),
        **{
            f"CNN + GRU, {t} frames": network(lambda t=t: cnn_gru(t), [moving(part[:, :t]) for part in parts])
            for t in (3, 6, 12)
        },
    }
    return run(arms, lambda answer: mae(truth[1], answer), quick)


if __name__ == "__main__":
    functions = {"memory": memory, "rhythm": rhythm, "ejection": ejection, "gates": gates}
    main("rnn_lstm_gru", RUNS, functions, tolerance={"memory": 0.02, "rhythm": 0.02, "ejection": 0.1, "gates": 0.02})
