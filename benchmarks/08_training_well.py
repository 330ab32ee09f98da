"""Lesson 08's comparisons: optimisers, learning rates, schedules, losses, class weights, batch sizes, regularisation.

Run from the course's folder: python benchmarks/08_training_well.py [PART ...]
Each part writes results/08/PART.json; without a name all run, some twelve minutes on two free cores.

Every arm of a comparison gets its own learning rate: each candidate is trained with the SELECTION seeds, and the one with
the highest mean validation accuracy after the last epoch is trained again with the TEST seeds. Only those networks see
the test patients. A seed sets the initial weights and the order of the batches; the patients stay the same.
"""

import argparse
import functools
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor

import numpy as np
from common import save

from course_lib import data

SELECTION, TEST = [0, 1], [10, 11, 12]
MORE_SEEDS = {"imbalance": [10, 11, 12, 13, 14], "recipe": [10, 11, 12, 13, 14]}
EPOCHS, BATCH = 12, 32
COMMON = {"optimiser": "adam", "rate": 3e-3, "schedule": "cosine", "loss": "cross-entropy", "batch": BATCH}
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
    "brain-lesions (simulated), 32×32, 300 training patients unless a setting says otherwise. `candidates`: curves per epoch for each selection seed. "
    "`chosen`: the candidate with the highest mean validation accuracy after the last epoch, trained again with the test "
    "seeds; `guesses` are its answers for the 640 test slices, one digit each. Test patients played no part in the choice."
)


RECIPE = {"patients": 600, "epochs": 20, "rate": 1e-2, "schedule": "warm-up", "batch_norm": True}


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
            for schedule in ("constant", "cosine", "warm-up")
        }
    if part == "loss":
        wider = {"momentum": [1e-2, 3e-2, 1e-1, 3e-1], "adam": rates["adam"][:4]}
        return {
            name: [{"optimiser": name, "rate": rate, "loss": "squared error"} for rate in wider[name]] for name in wider
        }
    if part == "imbalance":
        rare = {"infarct_patients": 8}
        return {"plain": [rare], "class weights": [rare | {"class_weights": True}]}
    if part == "batch":
        return {
            str(batch): [{"optimiser": "momentum", "rate": rate, "batch": batch} for rate in tried]
            for batch, tried in {8: [1e-3, 3e-3, 1e-2], 32: [3e-3, 1e-2, 3e-2], 128: [1e-2, 3e-2, 1e-1]}.items()
        }
    if part == "recipe":
        return {
            "as it comes": [{"patients": 600, "epochs": 20, "rate": 1e-3, "schedule": "constant"}],
            "recipe": [RECIPE | {"dropout": dropout} for dropout in (0.25, 0.5)],
        }
    long = {"epochs": 2 * EPOCHS}
    return {
        "none": [long],
        "best checkpoint": [long | {"best_checkpoint": True}],
        "weight decay": [long | {"decay": decay} for decay in (0.03, 0.3)],
        "dropout": [long | {"dropout": rate} for rate in (0.25, 0.5)],
        "batch norm": [long | {"batch_norm": True}],
        "all of them": [long | {"decay": 0.03, "dropout": 0.25, "batch_norm": True}],
    }


PARTS = ["sweep_sgd", "sweep_momentum", "sweep_adam", "regularisation", "loss", "imbalance", "batch", "recipe"]


def build(keras, images, dropout, batch_norm):
    """The small network of the lesson: three convolutions, 16,356 parameters."""
    layers = keras.layers
    network = [layers.Input(images.shape[1:]), layers.Normalization(mean=images.mean(), variance=images.var())]
    for channels, kernel, stride in [(16, 5, 2), (32, 3, 2), (32, 3, 1)]:
        conv = {"strides": stride, "padding": "same", "kernel_initializer": "he_normal"}
        network.append(layers.Conv2D(channels, kernel, use_bias=not batch_norm, **conv))
        if batch_norm:
            network.append(layers.BatchNormalization(momentum=0.9))
        network.append(layers.ReLU())
    network += [layers.MaxPooling2D(), layers.Flatten()]
    if dropout:
        network.append(layers.Dropout(dropout))
    return keras.Sequential([*network, layers.Dense(4)])


def learning_rate(keras, setting, steps):
    """A number or a Keras schedule. All arguments are floats: whole numbers with a warm-up are an error in Keras."""
    schedules = keras.optimizers.schedules
    if setting["schedule"] == "constant":
        return setting["rate"]
    if setting["schedule"] == "cosine":
        return schedules.CosineDecay(setting["rate"], float(steps))
    warm = float(steps // 10)
    return schedules.CosineDecay(0.0, float(steps) - warm, warmup_target=setting["rate"], warmup_steps=warm)


@functools.cache
def dataset(patients):
    return data.load("brain-lesions", size=32, n_patients=patients)


def train(setting, seed, test):
    """Train one network and return its curves; with `test`, also its answers for the test slices."""
    from course_lib import models  # here, so that only the processes that train import TensorFlow

    keras, brains = models.keras, dataset(setting["patients"])
    keras.backend.clear_session()
    x, y = brains.train.images, brains.train.targets["label"]
    if setting["infarct_patients"] is not None:
        infarct = np.unique(brains.train.groups[y == 3])
        keep = ~np.isin(brains.train.groups, infarct[setting["infarct_patients"] :])
        x, y = x[keep], y[keep]
    keras.utils.set_random_seed(seed)
    model = build(keras, x, setting["dropout"], setting["batch_norm"])
    steps = -(-len(x) // setting["batch"])
    rate = learning_rate(keras, setting, steps * setting["epochs"])
    optimiser = {
        "sgd": lambda: keras.optimizers.SGD(rate),
        "momentum": lambda: keras.optimizers.SGD(rate, momentum=0.9),
        "adam": lambda: keras.optimizers.AdamW(rate, weight_decay=setting["decay"]),
    }[setting["optimiser"]]()
    squared = setting["loss"] == "squared error"

    def squared_error(truth, logits):
        one_hot = keras.ops.one_hot(keras.ops.reshape(truth, (-1,)), 4)
        return keras.ops.mean((keras.ops.softmax(logits) - one_hot) ** 2, axis=-1)

    cross_entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    loss = squared_error if squared else cross_entropy
    model.compile(optimiser, loss, metrics=["accuracy"], steps_per_execution=steps)
    weights = dict(enumerate(len(y) / (4 * np.bincount(y)))) if setting["class_weights"] else None
    callbacks = []
    if setting["best_checkpoint"]:
        callbacks = [keras.callbacks.EarlyStopping(patience=setting["epochs"], restore_best_weights=True)]
    history = model.fit(
        x,
        y,
        batch_size=setting["batch"],
        epochs=setting["epochs"],
        class_weight=weights,
        validation_data=(brains.val.images, brains.val.targets["label"]),
        validation_batch_size=len(brains.val),
        callbacks=callbacks,
        verbose=0,
    ).history
    run = {"seed": seed}
    for name in ("loss", "accuracy", "val_loss", "val_accuracy"):
        run[name] = [value if np.isfinite(value) else None for value in history[name]]  # JSON has no NaN
    answers = model.predict(brains.val.images, 480, verbose=0).argmax(1)
    run["val_end"] = np.mean(answers == brains.val.targets["label"])
    if test:
        run["guesses"] = "".join(map(str, model.predict(brains.test.images, 640, verbose=0).argmax(1)))
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
    save(f"08/{part}.json", rows, seeds=SELECTION + seeds, note=NOTE)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", default=PARTS, help=f"any of: {', '.join(PARTS)}")
    parts = parser.parse_args().parts
    # Two processes with one thread each are faster than one with two, on images this small.
    os.environ |= {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        for part in parts:
            compare(part, pool)


if __name__ == "__main__":
    main()
