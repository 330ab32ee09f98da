"""What lesson 13 shows as stored. Writes course_lib/lessons/rnn_lstm_gru/results/.

    python course_lib/lessons/rnn_lstm_gru/experiment.py memory --seeds 3
    python course_lib/lessons/rnn_lstm_gru/experiment.py rhythm --seeds 3
    python course_lib/lessons/rnn_lstm_gru/experiment.py ejection --seeds 3

A seed decides first weights and order of training; the patients are those of echo-cine, seed 0, in all runs.

- memory: can a network with 8 units remember a marked sign over a lag?
- rhythm: regular or irregular, from curves of the cavity; controls, rivals, hidden size, number of time steps. Seed 0's
  LSTM also leaves its gates for some test clips (gates.npz).
- ejection: the ejection fraction from 24 frames; controls, rivals, number of time steps.

rhythm and ejection write the answers for the test patients to a .npz, and what belongs to them to a .json; what is stored
for other seeds stays (delete it when the patients change). Everything is saved after each seed.
"""

import argparse
import json
import time

import numpy as np
from scipy import ndimage
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from course_lib import ROOT, data, models, ops, sequences
from course_lib.data import echo_cine
from course_lib.tools.common import save

keras = models.keras
layers = keras.layers
FOLDER = ROOT / "course_lib/lessons/rnn_lstm_gru/results"

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
    kernel, recurrent, bias = fresh.layers[0].get_weights()
    if opened and cell is layers.LSTM:
        bias[UNITS : 2 * UNITS] = START  # the forget gate is the second of Keras' four
    elif opened:
        bias[0, :UNITS] = START  # the update gate is the first of three
    return [kernel, recurrent, bias, *fresh.layers[1].get_weights()]


def memory(seeds):
    """Share of right answers on new sequences after each 40 steps of training; ends early when all are right twice."""
    results = {name: {str(lag): {} for lag in LAGS} for name in CELLS}
    compiled = {}
    for cell in (layers.SimpleRNN, layers.LSTM, layers.GRU):  # once, since compiling takes longer than a run
        model = compiled[cell] = keras.Sequential([layers.Input((None, 2)), cell(UNITS), layers.Dense(1)])
        loss = keras.losses.BinaryCrossentropy(from_logits=True)
        model.compile(keras.optimizers.Adam(0.01, clipnorm=1.0), loss)
        model.optimizer.build(model.trainable_variables)
    at_rest = {cell: [v.numpy() for v in model.optimizer.variables] for cell, model in compiled.items()}
    for n, seed in enumerate(seeds, start=1):
        for name, (cell, opened) in CELLS.items():
            model = compiled[cell]
            for lag in LAGS:
                model.set_weights(memory_weights(model, cell, opened, seed))
                for variable, value in zip(model.optimizer.variables, at_rest[cell], strict=True):
                    variable.assign(value)
                rng = np.random.default_rng(seed)
                test, truth = marked_signs(np.random.default_rng(1000), 1000, lag)
                curve = results[name][str(lag)][str(seed)] = []
                while len(curve) < CHECKS and curve[-2:] != [1.0, 1.0]:
                    model.fit(*marked_signs(rng, BATCH * STEPS // CHECKS, lag), batch_size=BATCH, verbose=0)
                    answer = model.predict(test, batch_size=1000, verbose=0)[:, 0] > 0
                    curve.append(float(np.mean(answer == truth)))
                print(f"{time.process_time():.0f} s:", name, lag, seed, curve, flush=True)
        note = (
            f"Accuracy on 1,000 new sequences every {STEPS // CHECKS} steps of {BATCH} sequences; {UNITS} units, Adam "
            f"0.01, gradients clipped at norm 1; 'open': the gate that keeps the old state starts with a bias of {START:g}."
        )
        save("rnn_lstm_gru/memory.json", results, seeds=seeds[:n], note=note)


# ---- clips -----------------------------------------------------------------------------------------------------------

REGION = np.s_[6:38, 10:42]  # rows and columns around the ventricle, whatever the patient's pose
CAVITY = np.s_[12:32, 18:36]  # where its cavity is


def shuffled(sequence, seed):
    """Each clip's time steps in a random order of its own: (n, t, …)."""
    rng = np.random.default_rng(seed)
    return np.stack([one[rng.permutation(len(one))] for one in sequence])


def without_drift(curves):
    """Curves (n, t, features) without their slow changes, each with a standard deviation of 1."""
    fast = curves - ndimage.gaussian_filter1d(curves, 8, axis=1)
    return fast / (fast.std(axis=1, keepdims=True) + 1e-6)


def fit(model, loss, inputs, target, *, epochs, rate, seed, batch=32):
    keras.utils.set_random_seed(seed)
    model = model()
    steps = epochs * int(np.ceil(len(target) / batch))
    model.compile(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(rate, steps), clipnorm=1.0), loss)
    model.fit(inputs, target, batch_size=batch, epochs=epochs, verbose=0)
    return model


def run(part, arms, score, seeds, note):
    """Train every arm from every seed; keep the test answers and their score beside what is stored for other seeds."""
    for seed in seeds:
        scores, answers = {}, {}
        for name, arm in arms.items():
            start = time.process_time()
            answer = arm(seed)
            answers[f"{name}_{seed}"] = answer.astype(np.float16)
            scores[name] = {"score": score(answer), "processor_seconds": time.process_time() - start}
            print(f"{part}, seed {seed}, {name}: {scores[name]}", flush=True)
        rows = {name: {} for name in arms}
        if (FOLDER / f"{part}.json").exists():
            rows = json.loads((FOLDER / f"{part}.json").read_text(encoding="utf-8"))["results"]
            with np.load(FOLDER / f"{part}.npz", allow_pickle=False) as file:
                answers = {**file, **answers}
        rows = {name: dict(sorted({**rows[name], str(seed): scores[name]}.items())) for name in arms}
        save(f"rnn_lstm_gru/{part}.json", rows, seeds=sorted(int(s) for s in rows[name]), note=note)
        np.savez_compressed(FOLDER / f"{part}.npz", **dict(sorted(answers.items())))


# ---- rhythm ----------------------------------------------------------------------------------------------------------

RHYTHM = {"epochs": 40, "rate": 7e-3, "batch": 64}


def sequence_model(cell, units, shape):
    def model():
        return keras.Sequential([layers.Input(shape), cell(units), layers.Dense(1)])

    return model


def conv_over_time(shape):
    def model():
        conv = {"padding": "same", "activation": "relu"}
        body = [layers.Conv1D(16, 7, **conv), layers.MaxPooling1D(2), layers.Conv1D(16, 7, **conv)]
        return keras.Sequential([layers.Input(shape), *body, layers.GlobalAveragePooling1D(), layers.Dense(1)])

    return model


def rhythm(seeds):
    cine = data.load("echo-cine")
    splits = [cine.train, cine.test]
    label = [split.targets["rhythm"] for split in splits]
    table = [sequences.frame_features(split.x[:, :, *CAVITY, 0]) for split in splits]
    place = table[0][1].index("mean")
    every = [without_drift(values) for values, _ in table]
    curve = [values[..., place : place + 1] for values in every]
    loss = keras.losses.BinaryCrossentropy(from_logits=True)

    def trained(model, inputs):
        def answer(seed):
            fitted = fit(model(inputs[0].shape[1:]), loss, inputs[0], label[0], seed=seed, **RHYTHM)
            if model is lstm16 and seed == 0:
                keep_gates(fitted.layers[0], curve[1], cine.test, fitted)
            return fitted.predict(inputs[1], batch_size=240, verbose=0)[:, 0]

        return answer

    def cell(kind, units):
        return lambda shape: sequence_model(kind, units, shape)

    def pixels(view):
        images = [
            view(split.x).reshape(len(split), 24, 2, 24, 2).mean((2, 4)).reshape(len(split), -1) for split in splits
        ]
        classifier = LogisticRegression(C=1e-3, max_iter=2000).fit(images[0] / images[0].std(), label[0])
        return lambda seed: classifier.decision_function(images[1] / images[0].std())

    lstm16 = cell(layers.LSTM, 16)
    arms = {
        "GRU": trained(cell(layers.GRU, 16), curve),
        "LSTM": trained(lstm16, curve),
        "RNN": trained(cell(layers.SimpleRNN, 16), curve),
        "convolution over time": trained(conv_over_time, curve),
        "GRU, shuffled": lambda seed: trained(cell(layers.GRU, 16), [shuffled(c, seed) for c in curve])(seed),
        "single frame": pixels(lambda clips: clips[:, 0]),
        "mean frame": pixels(lambda clips: clips.mean(1)),
        "GRU, all features": trained(cell(layers.GRU, 16), every),
        **{f"GRU, {units} units": trained(cell(layers.GRU, units), curve) for units in (4, 64)},
        **{f"GRU, {t} frames": trained(cell(layers.GRU, 16), [c[:, :t] for c in curve]) for t in (12, 24)},
    }
    note = f"Area under the ROC curve on the test patients of echo-cine version {echo_cine.VERSION}. {RHYTHM}, Adam, clipnorm 1."
    run("rhythm", arms, lambda answer: roc_auc_score(label[1], answer), seeds, note)


def keep_gates(layer, curves, split, model, n=8):
    """Gates, cell states and states of an LSTM layer for the first test clips, by the equations of the lesson."""
    w_x, w_h, b = layer.get_weights()
    known = echo_cine.patients("test")[:n]
    gates, cells, states = [], [], []
    h = c = np.zeros((n, len(w_h)))
    for t in range(curves.shape[1]):
        i, f, candidate, o = np.split(curves[:n, t] @ w_x + h @ w_h + b, 4, axis=1)
        i, f, o, candidate = ops.sigmoid(i), ops.sigmoid(f), ops.sigmoid(o), np.tanh(candidate)
        c = f * c + i * candidate
        h = o * np.tanh(c)
        gates.append([i, f, candidate, o])
        cells.append(c)
        states.append(h)
    beats = np.full((n, 12), np.nan)
    for row, patient in enumerate(known):
        inside = patient.beats[(patient.beats >= 0) & (patient.beats <= echo_cine.SECONDS)]
        beats[row, : len(inside)] = inside
    kept = {
        "curve": curves[:n, :, 0],
        "label": split.targets["rhythm"][:n],
        "probability": ops.sigmoid(model.predict(curves[:n], verbose=0)[:, 0]),
        "gates": np.transpose(gates, (2, 0, 1, 3)),  # clips, time, gate, unit
        "cells": np.stack(cells, axis=1),
        "states": np.stack(states, axis=1),
        "beats": beats,
    }
    np.savez_compressed(FOLDER / "gates.npz", **{name: np.asarray(values, np.float16) for name, values in kept.items()})


# ---- ejection fraction -----------------------------------------------------------------------------------------------

FRAMES = 24  # of a segment; a clip has two
CLIP = {"epochs": 8, "rate": 3e-3}
OTHER = {"epochs": 20, "rate": 3e-3}
CENTRE, SPREAD = 50.0, 16.0  # percent: the network answers in units of SPREAD around CENTRE


def segments(clips):
    """Clips (n, 48, 48, 48, 1) to segments (2 n, 24, 16, 16, 1) around the ventricle, each with a mean of 1."""
    coarse = clips[:, :, *REGION].reshape(-1, FRAMES, 16, 2, 16, 2).mean((3, 5))[..., None]
    return coarse / coarse.mean((1, 2, 3, 4), keepdims=True)


def moving(part):
    """What differs from the segment's own mean frame, scaled to about 1."""
    return 4 * (part - part.mean(axis=1, keepdims=True))


def per_frame(head):
    """The small CNN of the lesson on every frame, then `head` on the sequence of its features, then one number."""

    def build(shape):
        def model():
            inputs = layers.Input(shape)
            x = keras.ops.reshape(inputs, (-1, *shape[1:]))  # all frames of all clips in one batch
            for channels in (8, 16):
                x = layers.Conv2D(channels, 3, strides=2, padding="same", activation="relu")(x)
            x = layers.Dense(16, activation="relu")(layers.Flatten()(x))
            x = keras.ops.reshape(x, (-1, shape[0], 16))
            return keras.Model(inputs, layers.Dense(1)(head(x)))

        return model

    return build


def convolution_head(x):
    return layers.GlobalMaxPooling1D()(layers.Conv1D(16, 5, padding="same", activation="relu")(x))


def ejection(seeds):
    cine = data.load("echo-cine")
    splits = [cine.train, cine.test]
    truth = [split.targets["ejection_fraction"] for split in splits]
    parts = [segments(split.x) for split in splits]
    table = [sequences.frame_features(split.x[..., 0])[0] for split in splits]
    mean, spread = table[0].mean((0, 1)), table[0].std((0, 1)) + 1e-6
    table = [((values - mean) / spread).reshape(-1, FRAMES, values.shape[-1]) for values in table]

    def trained(model, inputs, recipe=CLIP):
        """A patient's answer is the mean over both segments."""

        def answer(seed):
            target = (np.repeat(truth[0], 2) - CENTRE) / SPREAD
            fitted = fit(model(inputs[0].shape[1:]), "mse", inputs[0], target, seed=seed, **recipe)
            return CENTRE + SPREAD * fitted.predict(inputs[1], batch_size=120, verbose=0)[:, 0].reshape(-1, 2).mean(
                axis=1
            )

        return answer

    gru, flat = per_frame(lambda x: layers.GRU(16)(x)), per_frame(lambda x: layers.Flatten()(x))
    moved = [moving(part) for part in parts]
    arms = {
        "CNN + GRU": trained(gru, moved),
        "CNN + GRU, shuffled": lambda seed: trained(gru, [shuffled(part, seed) for part in moved])(seed),
        "CNN + convolution over time": trained(per_frame(convolution_head), moved),
        "features + GRU": trained(lambda shape: sequence_model(layers.GRU, 16, shape), table, OTHER),
        "features + LSTM": trained(lambda shape: sequence_model(layers.LSTM, 16, shape), table, OTHER),
        "mean frame": trained(flat, [part.mean(1, keepdims=True) - 1 for part in parts], OTHER),
        "single frame": trained(flat, [part[:, :1] - 1 for part in parts], OTHER),
        "CNN + GRU, plain frames": trained(gru, [part - 1 for part in parts]),
        **{f"CNN + GRU, {t} frames": trained(gru, [moving(part[:, :t]) for part in parts]) for t in (3, 6, 12)},
    }
    note = (
        f"Mean absolute error in points on the test patients of echo-cine version {echo_cine.VERSION}; the mean over two "
        f"segments of {FRAMES} frames. {CLIP} for clips, {OTHER} for the others, batches of 32, Adam, clipnorm 1."
    )
    run("ejection", arms, lambda answer: np.mean(np.abs(answer - truth[1])), seeds, note)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=["memory", "rhythm", "ejection"])
    parser.add_argument("--seeds", type=int, default=3, help="number of seeds")
    parser.add_argument("--first", type=int, default=0, help="first seed")
    arguments = parser.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    globals()[arguments.part](list(range(arguments.first, arguments.first + arguments.seeds)))


if __name__ == "__main__":
    main()
