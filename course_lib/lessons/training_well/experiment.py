"""Lesson 08's comparisons: optimisers, learning rates, schedules, losses, class weights, batch sizes, regularisation.

Run from the course's folder: python course_lib/lessons/training_well/experiment.py [PART ...]
Each part writes course_lib/lessons/training_well/results/PART.json; without a name all run, some five minutes on two free cores.

Where an arm has several candidates (learning rates), each candidate is trained with the SELECTION seeds, and the one with
the highest mean validation accuracy after the last epoch is trained again with the TEST seeds. Only those networks see
the test patients. A seed sets the initial weights; the patients stay the same. The order of the batches also depends on
the runs that came before in the same process, so a repetition differs in the third decimal or the second.
"""

import argparse
import functools
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor

import numpy as np

from course_lib import data
from course_lib.lessons.training_well.explorers import learning_rates
from course_lib.tools.common import save

SELECTION, TEST = [0, 1], [10, 11, 12]
MORE_SEEDS = {"imbalance": [10, 11, 12, 13, 14], "recipe": [10, 11, 12, 13, 14]}
EPOCHS, BATCH = 8, 32
COMMON = {"optimiser": "adam", "rate": 3e-3, "schedule": "warm-up", "loss": "cross-entropy", "batch": BATCH}
COMMON |= {
    "patients": 300,
    "epochs": EPOCHS,
    "decay": 0.0,
    "dropout": 0.0,
    "batch_norm": False,
    "infarct_patients": None,
}
COMMON |= {"class_weights": False, "best_checkpoint": False}
NOTE = (
    "brain-lesions (simulated), 32×32, 300 training patients unless a setting says otherwise. `candidates`: curves per "
    "epoch for each selection seed. "
    "`chosen`: the candidate with the highest mean validation accuracy after the last epoch, trained again with the test "
    "seeds; `guesses` are its answers for the 640 test slices, one digit each. Test patients played no part in the choice."
)


RECIPE = {"patients": 600, "epochs": 10, "rate": 1e-2, "schedule": "warm-up", "batch_norm": True, "dropout": 0.25}


def arms_of(part):
    """The arms of a comparison by name, each a list of candidate settings (what differs from COMMON)."""
    rates = {
        "sgd": [1e-2, 3e-2, 1e-1, 3e-1, 1.0],
        "momentum": [1e-3, 3e-3, 1e-2, 3e-2, 1e-1],
        "adam": [3e-4, 1e-3, 3e-3, 1e-2, 3e-2],
    }
    if part.startswith("sweep_"):
        name = part.removeprefix("sweep_")
        return {
            schedule: [{"optimiser": name, "rate": rate, "schedule": schedule} for rate in rates[name]]
            for schedule in ("constant", "warm-up")
        }
    if part == "loss":
        wider = {"momentum": [1e-2, 3e-2, 1e-1], "adam": [1e-3, 3e-3, 1e-2]}
        return {
            name: [{"optimiser": name, "rate": rate, "loss": "squared error"} for rate in wider[name]] for name in wider
        }
    if part == "imbalance":
        rare = {"infarct_patients": 8}
        return {"plain": [rare], "class weights": [rare | {"class_weights": True}]}
    if part == "batch":
        return {
            str(batch): [{"optimiser": "momentum", "rate": rate, "batch": batch} for rate in tried]
            for batch, tried in {8: [3e-3, 1e-2], 32: [1e-2, 3e-2], 128: [3e-2, 1e-1]}.items()
        }
    if part == "recipe":
        return {
            "as it comes": [{"patients": 600, "epochs": 10, "rate": 1e-3, "schedule": "constant"}],
            "recipe": [RECIPE],
        }
    long = {"epochs": 12}
    return {
        "none": [long],
        "best checkpoint": [long | {"best_checkpoint": True}],
        "weight decay": [long | {"decay": 0.1}],
        "dropout": [long | {"dropout": 0.5}],
        "batch norm": [long | {"batch_norm": True}],
        "all three": [long | {"decay": 0.1, "dropout": 0.5, "batch_norm": True}],
    }


PARTS = ["sweep_momentum", "sweep_adam", "sweep_sgd", "recipe", "regularisation", "imbalance", "loss", "batch"]


def build(keras, images, dropout, batch_norm):
    """The small network of the lesson: three convolutions, 8,068 parameters."""
    layers = keras.layers
    network = [layers.Input(images.shape[1:]), layers.Normalization(mean=images.mean(), variance=images.var())]
    for channels, kernel, stride in [(8, 5, 2), (16, 3, 2), (32, 3, 1)]:
        conv = {"strides": stride, "padding": "same", "kernel_initializer": "he_normal"}
        network.append(layers.Conv2D(channels, kernel, use_bias=not batch_norm, **conv))
        if batch_norm:
            network.append(layers.BatchNormalization(momentum=0.9))
        network.append(layers.ReLU())
    network += [layers.MaxPooling2D(), layers.Flatten()]
    if dropout:
        network.append(layers.Dropout(dropout))
    return keras.Sequential([*network, layers.Dense(4)])


@functools.cache
def dataset(patients):
    return data.load("brain-lesions", size=32, n_patients=patients)


@functools.cache
def trainer(optimiser, decay, loss, batch, dropout, batch_norm):
    """A network and a compiled function that trains it for one epoch; all runs that share the arguments reuse them."""
    import tensorflow as tf  # here, so that only the processes that train import TensorFlow

    from course_lib import models

    keras = models.keras
    images = dataset(600).train.x
    model = build(keras, images, dropout, batch_norm)
    optimiser = {
        "sgd": lambda: keras.optimizers.SGD(),
        "momentum": lambda: keras.optimizers.SGD(momentum=0.9),
        "adam": lambda: keras.optimizers.AdamW(weight_decay=decay),
    }[optimiser]()
    optimiser.build(model.trainable_variables)

    def losses(logits, labels):
        if loss == "squared error":
            return tf.reduce_mean((tf.nn.softmax(logits) - tf.one_hot(labels, 4)) ** 2, axis=1)
        return tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)

    @tf.function(reduce_retracing=True)
    def epoch(x, y, weights, rates):
        order = tf.random.shuffle(tf.range(tf.shape(x)[0]))
        total = 0.0
        for step in tf.range(tf.shape(rates)[0]):
            chosen = order[step * batch : (step + 1) * batch]
            images, labels = tf.gather(x, chosen), tf.gather(y, chosen)
            with tf.GradientTape() as tape:
                value = tf.reduce_mean(losses(model(images, training=True), labels) * tf.gather(weights, chosen))
            optimiser.learning_rate.assign(rates[step])
            gradients = tape.gradient(value, model.trainable_variables)
            optimiser.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
            total += value
        return total / tf.cast(tf.shape(rates)[0], tf.float32)

    @tf.function(reduce_retracing=True)
    def answers(x):
        return model(x, training=False)

    def judge(x, y):
        logits = answers(x)
        return float(tf.reduce_mean(losses(logits, y))), float(np.mean(logits.numpy().argmax(1) == y))

    def restart(seed):
        keras.utils.set_random_seed(seed)
        model.set_weights(build(keras, images, dropout, batch_norm).get_weights())
        for variable in optimiser.variables:
            variable.assign(tf.zeros_like(variable))

    return model, epoch, answers, judge, restart


def train(setting, seed, test):
    """Train one network and return its curves; with `test`, also its answers for the test slices."""
    brains = dataset(setting["patients"])
    x, y = brains.train.x, brains.train.targets["label"]
    if setting["infarct_patients"] is not None:
        infarct = np.unique(brains.train.groups[y == 3])
        keep = ~np.isin(brains.train.groups, infarct[setting["infarct_patients"] :])
        x, y = x[keep], y[keep]
    weights = len(y) / (4 * np.bincount(y)) if setting["class_weights"] else np.ones(4)
    sharing = ("optimiser", "decay", "loss", "batch", "dropout", "batch_norm")
    model, epoch, answers, judge, restart = trainer(*(setting[name] for name in sharing))
    restart(seed)
    steps = -(-len(x) // setting["batch"])
    rates = learning_rates(setting["schedule"], setting["rate"], steps * setting["epochs"]).astype(np.float32)
    val = brains.val.x, brains.val.targets["label"]
    run = {"seed": seed, "loss": [], "val_loss": [], "val_accuracy": []}
    best, best_weights = np.inf, None
    for part in np.split(rates, setting["epochs"]):
        run["loss"].append(float(epoch(x, y, weights[y].astype(np.float32), part)))
        for name, value in zip(("val_loss", "val_accuracy"), judge(*val), strict=True):
            run[name].append(value)
        if setting["best_checkpoint"] and run["val_loss"][-1] < best:
            best, best_weights = run["val_loss"][-1], model.get_weights()
    run["train_end"] = judge(x, y)[1]
    if best_weights:
        model.set_weights(best_weights)
    run["val_end"] = judge(*val)[1]
    for name in ("loss", "val_loss"):
        run[name] = [value if np.isfinite(value) else None for value in run[name]]  # JSON has no NaN
    if test:
        run["guesses"] = "".join(map(str, answers(brains.test.x).numpy().argmax(1)))
    return run


def compare(part, pool):
    """Choose a candidate for each arm on validation, then train the chosen ones again and let them see the test slices."""
    seeds = MORE_SEEDS.get(part, TEST)
    arms = {name: [COMMON | differs for differs in candidates] for name, candidates in arms_of(part).items()}
    # A single candidate leaves nothing to choose; the sweeps' curves are wanted all the same.
    first = {
        (name, place, seed): pool.submit(train, setting, seed, False)
        for name, settings in arms.items()
        for place, setting in enumerate(settings)
        for seed in SELECTION
        if len(settings) > 1
    }
    rows = {}
    for name, settings in arms.items():
        runs = [[first[name, i, s].result() for s in SELECTION if (name, i, s) in first] for i in range(len(settings))]
        means = [np.mean([run["val_end"] for run in each]) if each else 0.0 for each in runs]
        rows[name] = {
            "candidates": [
                {"setting": setting, "runs": each} for setting, each in zip(settings, runs, strict=True) if each
            ],
            "chosen": {"setting": settings[int(np.argmax(means))]},
        }
    second = {
        name: [pool.submit(train, row["chosen"]["setting"], seed, True) for seed in seeds] for name, row in rows.items()
    }
    for name, futures in second.items():
        rows[name]["chosen"]["runs"] = [future.result() for future in futures]
        best = rows[name]["chosen"]["setting"]
        print(
            part,
            name,
            "rate",
            best["rate"],
            [round(run["val_end"], 3) for run in rows[name]["chosen"]["runs"]],
            flush=True,
        )
    save(f"training_well/{part}.json", rows, seeds=SELECTION + seeds, note=NOTE)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", default=PARTS, help=f"any of: {', '.join(PARTS)}")
    parser.add_argument("--workers", type=int, default=2, help="processes that train side by side")
    arguments = parser.parse_args()
    # Two processes with one thread each are faster than one with two, on images this small.
    os.environ |= {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}
    with ProcessPoolExecutor(arguments.workers, multiprocessing.get_context("spawn")) as pool:
        for part in arguments.parts:
            compare(part, pool)


if __name__ == "__main__":
    main()
