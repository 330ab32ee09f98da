"""What this lesson shows as stored: a memory task, rhythm, ejection fraction, and the gates of one trained LSTM.

    python -m course_lib.lessons.rnn_lstm_gru.experiment [rhythm_rates | rhythm | gates | ejection_rates | …] [--quick]

`…_rates` trains every arm of model.py at every rate, on two sets of simulated patients, and keeps what the validation
patients say. The others train each arm five times (the memory task ten times) at the rate that was best there, each time on
other patients, and ask test patients whom no choice has seen.
"""

import functools
import time
from types import SimpleNamespace

import numpy as np
from sklearn.linear_model import LogisticRegression

from course_lib import data, import_tensorflow, ops, recurrent, sequences
from course_lib.data import echo_cine
from course_lib.lessons.clips_to_sequences.model import (
    CAVITY,
    REGION,
    area,
    cavity_curve,
    mae,
    ridge_answers,
    shuffled,
    without_drift,
)
from course_lib.lessons.rnn_lstm_gru import model
from course_lib.lessons.training_well.model import learning_rates
from course_lib.tools.experiment import main

RUNS = {
    "rhythm_rates": range(2),
    "rhythm": range(5),
    "gates": [0],
    "ejection_rates": range(2),
    "ejection": range(5),
    "memory_rates": range(2),
    "memory": range(10),
}
FIRST_SET = {"rates": 1300, "runs": 1200}  # the seed of the data of run 0
TEST_SET, TEST = 1290, 600  # seed and number of the test patients, the same for all runs
PENALTIES = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1)  # of the logistic regression on pixels, as scikit-learn's C
QUICK = {"rhythm": ("GRU",), "ejection": ("CNN + GRU",)}

# ---- training ---------------------------------------------------------------------------------------------------------


@functools.cache
def trainer(build, *arguments, squared=False):
    """Compiled functions around the network `build(*arguments)`: start it anew, train it, and ask it."""
    from course_lib.models import keras

    tf, make = import_tensorflow(), functools.partial(build, *arguments)
    network, optimiser = make(), keras.optimizers.Adam(clipnorm=1.0)
    optimiser.build(network.trainable_variables)

    def losses(answers, target):
        return (answers - target) ** 2 if squared else tf.nn.sigmoid_cross_entropy_with_logits(target, answers)

    @tf.function(reduce_retracing=True)
    def train(x, y, order, rates):
        for step in tf.range(tf.shape(rates)[0]):
            with tf.GradientTape() as tape:
                answers = network(tf.gather(x, order[step]), training=True)[:, 0]
                value = tf.reduce_mean(losses(answers, tf.gather(y, order[step])))
            optimiser.learning_rate.assign(rates[step])
            gradients = tape.gradient(value, network.trainable_variables)
            optimiser.apply_gradients(zip(gradients, network.trainable_variables, strict=True))

    @tf.function(reduce_retracing=True)
    def ask(x):
        return network(x, training=False)[:, 0]

    def restart(seed):
        keras.utils.set_random_seed(seed)
        network.set_weights(make().get_weights())
        for variable in optimiser.variables:
            variable.assign(tf.zeros_like(variable))

    def answer(x):
        return np.concatenate([ask(part).numpy() for part in np.array_split(x, -(-len(x) // 300))])

    def loss(answers, target):
        return float(tf.reduce_mean(losses(answers, target)))

    return SimpleNamespace(network=network, restart=restart, train=train, answer=answer, loss=loss)


@functools.cache
def clips(run, seed, quick):
    """Training and validation patients, the run's own, and for "runs" the test patients: images and targets by split."""
    if quick:
        cine = data.load("echo-cine", n_patients=24)
        splits = {"train": cine.train, "val": cine.val, "test": cine.test}
    else:
        own = data.load("echo-cine", seed=FIRST_SET[run] + seed)
        splits = {"train": own.train, "val": own.val}
        if run == "runs":
            splits["test"] = data.load("echo-cine", seed=TEST_SET, n_patients=2, n_test=TEST).test
    n = 24 if quick else None
    images = {name: split.x[:n] for name, split in splits.items()}
    targets = {"rhythm": "rhythm", "ejection": "ejection_fraction"}
    return images, {
        task: {name: split.targets[target][:n].astype(float) for name, split in splits.items()}
        for task, target in targets.items()
    }


@functools.cache
def seen(run, seed, quick, name):
    """What the networks see of each split, (rows, frames, …): one row of a patient for the rhythm, two for the fraction."""
    images, _ = clips(run, seed, quick)
    if name.startswith("features"):
        region = (slice(None), slice(None)) if name == "features" else REGION
        tables = {part: sequences.frame_features(x[:, :, *region, 0])[0] for part, x in images.items()}
        mean, spread = tables["train"].mean((0, 1)), tables["train"].std((0, 1))
        spread = np.where(spread > 1e-6, spread, 1)
        return {part: ((t - mean) / spread).reshape(-1, 24, t.shape[-1]) for part, t in tables.items()}
    views = {
        "curve": cavity_curve,
        "curve, shuffled": lambda x: cavity_curve(shuffled(x, seed)),
        "all features": lambda x: without_drift(sequences.frame_features(x[:, :, *CAVITY, 0])[0]),
        "moving": model.segments,  # made to move below, when the number of frames is known
        "moving, shuffled": lambda x: shuffled(model.segments(x), seed),
        "plain": lambda x: model.segments(x) - 1,
        "mean frame": lambda x: model.segments(x).mean(axis=1, keepdims=True) - 1,
    }
    return {part: views[name](x).astype(np.float32) for part, x in images.items()}


def inputs_of(task, arm, run, seed, quick):
    chosen = model.setting(task, arm)
    parts = {name: x[:, : chosen["frames"]] for name, x in seen(run, seed, quick, chosen["input"]).items()}
    return {name: model.moving(x) for name, x in parts.items()} if chosen["input"].startswith("moving") else parts


def run_arm(task, arm, run, seed, rate, quick):
    """Train one arm at a rate. Returns what it says of its patients, (n,) by split, its loss on the training rows in use, and
    its trainer."""
    chosen, inputs = model.setting(task, arm), inputs_of(task, arm, run, seed, quick)
    truth = clips(run, seed, quick)[1][task]
    x, rows = inputs["train"], len(inputs["train"]) // len(truth["train"])
    y = truth["train"] if task == "rhythm" else (truth["train"] - model.CENTRE) / model.SPREAD
    y = np.repeat(y, rows).astype(np.float32)
    net = trainer(model.build, task, chosen["like"] or arm, x.shape[1:], squared=task == "ejection")
    net.restart(seed)
    batch, rng = min(chosen["batch"], len(x)), np.random.default_rng(seed)
    each = len(x) // batch * batch  # what is left over in an epoch's order is left out of that epoch
    epochs = 2 if quick else chosen["epochs"]
    order = np.concatenate([rng.permutation(len(x))[:each].reshape(-1, batch) for _ in range(epochs)]).astype(np.int32)
    net.train(x, y, order, learning_rates("warm-up", rate, len(order)).astype(np.float32))
    answers = {name: net.answer(part) for name, part in inputs.items()}
    loss = net.loss(answers["train"], y)
    means = {name: answer.reshape(-1, rows).mean(axis=1).astype(float) for name, answer in answers.items()}
    if task == "ejection":
        means = {name: model.CENTRE + model.SPREAD * answer for name, answer in means.items()}
    return means, loss, net


def measured(task, truth, answers):
    """Area under the ROC curve, or mean absolute error in points, by split; a network that broke down is at chance."""
    measure, broken = (area, 0.5) if task == "rhythm" else (mae, 50.0)
    finite = {name: np.isfinite(answer).all() for name, answer in answers.items()}
    return {name: float(measure(truth[name], a)) if finite[name] else broken for name, a in answers.items()}


def rates(task, seed, quick):
    truth, payload = clips("rates", seed, quick)[1][task], {}
    for arm in QUICK[task] if quick else model.ARMS[task]:
        if arm.endswith("twice as long"):  # at the rate that is chosen for the same network
            continue
        payload[arm] = {}
        for rate in (0.01,) if quick else model.rates_of(task, arm):
            answers, loss, _ = run_arm(task, arm, "rates", seed, rate, quick)
            found = measured(task, truth, answers)
            value = found["val"] if task == "rhythm" else -found["val"]
            loss = loss if np.isfinite(loss) else None  # JSON has no NaN
            payload[arm][f"{rate:g}"] = {"value": value, "train": found["train"], "train loss": loss}
            print(arm, rate, payload[arm][f"{rate:g}"], flush=True)
    return payload


def arms(task, seed, quick):
    """Train every arm; also the answers for the test patients, and the weights of the task's first arm."""
    truth = clips("runs", seed, quick)[1][task]
    payload, arrays, kept = {}, {"truth": truth["test"]}, None
    names = QUICK[task] if quick else model.ARMS[task]
    chosen = {arm: 0.01 if quick else model.best_rate(task, arm) for arm in names}
    for arm, rate in chosen.items():
        start = time.process_time()
        answers, loss, net = run_arm(task, arm, "runs", seed, rate, quick)
        payload[arm] = {"rate": rate, "train loss": loss, **measured(task, truth, answers)}
        if not quick:
            payload[arm]["processor seconds"] = time.process_time() - start
            print(arm, payload[arm], flush=True)
        arrays[arm] = answers["test"]
        kept = kept or SimpleNamespace(get_weights=functools.partial(list, net.network.get_weights()))
    for arm, answers, penalty in simple(task, seed, quick):
        payload[arm] = {"penalty": penalty, **measured(task, truth, answers)}
        arrays[arm] = answers["test"]
    arrays = {arm: np.asarray(a, np.float32 if arm == "truth" else np.float16) for arm, a in arrays.items()}
    return payload, {"arrays": arrays, "weights": kept}


def simple(task, seed, quick):
    """Models that are no networks: an arm's name, its answers by split, and the penalty that was best on validation."""
    images, targets = clips("runs", seed, quick)
    truth = targets[task]
    if task == "rhythm":
        for arm, view in (("single frame", lambda x: x[:, 0]), ("mean frame", lambda x: x.mean(1))):
            coarse = {
                name: view(x).reshape(len(x), 24, 2, 24, 2).mean((2, 4)).reshape(len(x), -1)
                for name, x in images.items()
            }
            found = []
            for penalty in PENALTIES:
                logistic = LogisticRegression(C=penalty, max_iter=2000)
                logistic.fit(coarse["train"] / coarse["train"].std(), truth["train"])
                answers = {name: logistic.decision_function(x / coarse["train"].std()) for name, x in coarse.items()}
                found.append((area(truth["val"], answers["val"]), answers, penalty))
            yield arm, *max(found, key=lambda one: one[0])[1:]
    else:
        yield "median", {name: np.full(len(t), np.median(truth["train"])) for name, t in truth.items()}, None
        for name in ("features",) if quick else ("features", "features of the crop"):
            tables = seen("runs", seed, quick, name)
            summed = {part: np.concatenate([t.mean(1), t.std(1)], axis=1) for part, t in tables.items()}
            answers, alpha = ridge_answers({p: s.reshape(-1, 2, s.shape[1]) for p, s in summed.items()}, truth)
            yield f"{name}, ridge", answers, alpha


# ---- rhythm and ejection fraction -------------------------------------------------------------------------------------


def rhythm_rates(seed, quick=False):
    """Regular or irregular: for each arm and each rate, area under the ROC curve on 120 validation patients ("value") and on
    the 600 training patients, and the training loss, in use, after the last epoch. The seed draws patients, first weights
    and order. 150 epochs in batches of 64 (arms of model.py may differ), Adam, clipnorm 1, the rate rises in a tenth of the
    steps and falls along a cosine."""
    return rates("rhythm", seed, quick)


def rhythm(seed, quick=False):
    """Each arm at the rate that was best in `rhythm_rates`, on 600 training patients of the seed's own: area under the ROC
    curve on training and validation patients and on 600 test patients, the same for all seeds, whose answers the arrays
    hold. `single frame` and `mean frame` are logistic regressions on 24×24 pixels, penalty chosen on validation. The weights
    are those of "GRU"."""
    return arms("rhythm", seed, quick)


def ejection_rates(seed, quick=False):
    """Ejection fraction: for each arm and each rate, minus the mean absolute error in points on 120 validation patients
    ("value"), that on the 600 training patients, and the training loss, in use, after the last epoch. A patient's answer is
    the mean over two segments of 24 frames. The seed draws patients, first weights and order. 30 epochs in batches of 32, 60
    on features; Adam, clipnorm 1, the rate rises in a tenth of the steps and falls along a cosine."""
    return rates("ejection", seed, quick)


def ejection(seed, quick=False):
    """Each arm at the rate that was best in `ejection_rates`, on 600 training patients of the seed's own: mean absolute error
    in points on training and validation patients and on 600 test patients, the same for all seeds, whose answers the arrays
    hold. `…, ridge`: ridge regression on mean and deviation of the features over a segment, α chosen on validation. The
    weights are those of "CNN + GRU"."""
    return arms("ejection", seed, quick)


def gates(seed, quick=False):
    """An LSTM trained for the rhythm as in `rhythm`, and what happens in it on eight of the test patients."""
    rate = 0.01 if quick else model.best_rate("rhythm", "LSTM")
    answers, _, net = run_arm("rhythm", "LSTM", "runs", seed, rate, quick)
    truth = clips("runs", seed, quick)[1]["rhythm"]["test"]
    weights, x = net.network.layers[0].get_weights(), seen("runs", seed, quick, "curve")["test"][:8]
    states, cells = recurrent.over_time(recurrent.lstm_step, x, weights, states=2)
    beats = np.full((len(x), 12), np.nan)
    known = echo_cine.patients("test", n_patients=len(x), seed=0 if quick else TEST_SET)
    for row, patient in zip(beats, known, strict=True):
        inside = patient.beats[(patient.beats >= 0) & (patient.beats <= echo_cine.SECONDS)]
        row[: len(inside)] = inside
    kept = {
        "curve": x[..., 0],
        "label": truth[:8],
        "probability": ops.sigmoid(answers["test"][:8]),
        "gates": np.stack(recurrent.lstm_gates(x, states[:, :-1], *weights), axis=2),  # clips, time, gate, unit
        "cells": cells[:, 1:],
        "states": states[:, 1:],
        "beats": beats,
    }
    arrays = {name: np.asarray(values, np.float16) for name, values in kept.items()}
    return {"rate": rate, "test": area(truth, answers["test"])}, {"arrays": arrays}


# ---- the memory task --------------------------------------------------------------------------------------------------

STEPS, BATCH, CHECK = 1500, 64, 100  # at most; sequences in each; steps between two looks
LAGS_FOR_RATES = (5, 20, 40)


def memory_rates(seed, quick=False):
    """Each kind of network at each rate, for lags of 5, 20 and 40: the mean over lags and over the looks of `memory` of the
    accuracy ("value"), so that a rate that learns sooner is better. The seed draws sequences and first weights."""
    payload = {}
    for kind in ("RNN",) if quick else model.KINDS:
        payload[kind] = {}
        for rate in (0.01,) if quick else model.rates_of("memory", kind):
            curves = [memory_run(kind, lag, rate, 100 + seed, quick) for lag in LAGS_FOR_RATES[: 1 if quick else None]]
            value = np.mean([np.pad(curve, (0, STEPS // CHECK - len(curve)), mode="edge").mean() for curve in curves])
            payload[kind][f"{rate:g}"] = {"value": float(value), "curves": curves}
            print(kind, rate, value, flush=True)
    return payload


def memory(seed, quick=False):
    """Each kind of network at the rate that was best in `memory_rates`, by lag: accuracy on 1,000 new sequences after every
    100 steps of 64 sequences, until all are right twice running or 1,500 steps are done. 8 units, Adam, clipnorm 1, the rate
    rises in a tenth of the steps and falls along a cosine. 'open': the gate that keeps the old state starts with a bias of 3;
    'random start': recurrent weights that are drawn one by one (Glorot), not orthogonal."""
    payload, kinds = {}, ("RNN",) if quick else model.KINDS
    rates_of_all = {kind: 0.01 if quick else model.best_rate("memory", kind) for kind in kinds}
    for kind, rate in rates_of_all.items():
        payload[kind] = {lag: memory_run(kind, lag, rate, seed, quick) for lag in model.LAGS[: 1 if quick else None]}
    return payload


def memory_run(kind, lag, rate, seed, quick):
    """The accuracies of one training, from new first weights."""
    net, rng = trainer(model.memory_network, kind), np.random.default_rng(seed)
    net.restart(seed)
    test, truth = marked_signs(np.random.default_rng(1000), 1000, lag)
    every, curve = learning_rates("warm-up", rate, STEPS).astype(np.float32), []
    for part in np.split(every, STEPS // CHECK)[: 2 if quick else None]:
        order = np.arange(CHECK * BATCH, dtype=np.int32).reshape(CHECK, BATCH)  # each sequence once
        net.train(*marked_signs(rng, order.size, lag), order, part)
        curve.append(float(np.mean((net.answer(test) > 0) == truth)))
        if curve[-2:] == [1.0, 1.0]:
            break
    return curve


def marked_signs(rng, n, lag):
    """Sequences (n, lag + 1, 2) of random signs, the first of them marked, and whether the marked one is +1."""
    signs = rng.choice([-1.0, 1.0], (n, lag + 1)).astype(np.float32)
    mark = np.zeros_like(signs)
    mark[:, 0] = 1
    return np.stack([signs, mark], axis=-1), (signs[:, 0] > 0).astype(np.float32)


if __name__ == "__main__":
    tolerance = dict.fromkeys(RUNS, 0.05) | dict.fromkeys(("ejection_rates", "ejection"), 0.5)
    main("rnn_lstm_gru", RUNS, {name: globals()[name] for name in RUNS}, tolerance=tolerance)
