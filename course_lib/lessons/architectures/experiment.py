"""AlexNet, VGG and ResNet trained until they know their slices, their ablations, depth, one change at a time, transfer.

    python -m course_lib.lessons.architectures.experiment [NAME …]

Data: brain-lesions (simulated), 32×32, 1,200 training patients. A seed draws patients, first weights and order. Each arm
is trained at the rate that the validation patients of two other sets chose (`rates`, `change_rates`, `depth_rates`,
`transfer_rates`); the rate rises in the first tenth of the steps and falls to 0 along a cosine. The 600 test patients are the same for all seeds, and no choice
has seen them. Accuracy is per slice and in use.
"""

import time

import numpy as np

from course_lib import data, models
from course_lib.lessons.architectures import model as lesson
from course_lib.models import keras
from course_lib.tools.experiment import main

RUNS = {
    "rates": range(2),
    "networks": range(5),
    "longer": range(3),
    "change_rates": range(2),
    "changes": range(5),
    "depth_rates": range(2),
    "depth": range(5),
    "sources": [0],
    "transfer_rates": range(2),
    "transfer": range(10),
}
RATES_SET, FIRST_SET, SOURCE_SET, TEST_SET = 900, 910, 940, 950  # seeds of the data; of run 0 where there are several
PATIENTS, TEST = 1200, 600
SOURCE_EPOCHS, SOURCE_RATE = 10, 3e-3


# ---- what all share -------------------------------------------------------------------------------------------------------


def load(first, seed, quick, patients=PATIENTS):
    several = {"seed": 0, "n_patients": 40} if quick else {"seed": first + seed, "n_patients": patients}
    return data.load("brain-lesions", size=32, **several)


def test_slices(quick):
    return data.load("brain-lesions", size=32, seed=0 if quick else TEST_SET, n_test=40 if quick else TEST).test


def pixels(brains):
    """Mean and variance of the training pixels, with which the first layer standardises."""
    return {"mean": float(brains.train.x.mean()), "variance": float(brains.train.x.var())}


class Clock(keras.callbacks.Callback):
    """Processor seconds of the batches so far, without the first, in which TensorFlow compiles, and after each epoch the
    validation accuracy, whose computation is not counted."""

    def __init__(self, val=None):
        super().__init__()
        self.seconds, self.val, self.curve = 0.0, val, []

    def on_epoch_begin(self, epoch, logs=None):
        self.since = time.process_time()

    def on_train_batch_end(self, batch, logs=None):
        now = time.process_time()
        if self.seconds or self.curve or batch >= 25:
            self.seconds += now - self.since
        self.since = now

    def on_epoch_end(self, epoch, logs=None):
        if self.val is not None:
            self.curve.append([round(self.seconds, 2), right(self.model, self.val)])


def fit(network, split, rate, epochs, callbacks=()):
    """Train with Adam; returns the network. Without the warm-up AlexNet and VGG stayed at chance at rates that suit them."""
    steps = epochs * -(-len(split) // 32)
    models.compile_with_cosine(network, rate, steps, warm_up=steps // 10, steps_per_execution=25)
    label = split.targets["label"]
    network.fit(split.x, label, batch_size=32, epochs=epochs, verbose=0, callbacks=list(callbacks))
    return network


def right(network, split):
    """Accuracy per slice."""
    return round(float(np.mean(lesson.answers(network, split.x) == split.targets["label"])), 4)


def loss(network, split):
    """Cross-entropy, in use."""
    logits = network.predict(split.x, batch_size=600, verbose=0)
    return round(
        float(keras.losses.sparse_categorical_crossentropy(split.targets["label"], logits, True).numpy().mean()), 4
    )


def by_rate(arms, rates, seed, quick):
    """Training and validation accuracy of each arm at each rate. arms: name -> (function that builds it, epochs)."""
    brains, payload = load(RATES_SET, seed, quick), {}
    for name, (build, epochs) in arms.items():
        payload[name] = {}
        for rate in rates[2:3] if quick else rates:
            keras.utils.set_random_seed(seed)
            network = fit(build(**pixels(brains)), brains.train, rate, 2 if quick else epochs)
            payload[name][f"{rate:g}"] = {"train": right(network, brains.train), "val": right(network, brains.val)}
    return payload


def at_best(run_name, arms, choice, seed, quick, timed=False):
    """Each arm at its best rate. The arrays hold truth, patients and answers for the test slices, uint8 (n,)."""
    brains, test = load(FIRST_SET, seed, quick), test_slices(quick)
    payload, arrays = {}, {"truth": test.targets["label"].astype(np.uint8), "groups": test.groups}
    for name, (build, epochs) in arms.items():
        rate = lesson.RATES[2] if quick else lesson.best_rate(choice, name)
        keras.utils.set_random_seed(seed)
        network, clock = build(**pixels(brains)), Clock(brains.val if timed else None)
        fit(network, brains.train, rate, 2 if quick else epochs, [clock])
        payload[name] = {"rate": rate, "train": right(network, brains.train), "loss": loss(network, brains.train)}
        if not quick:  # seconds differ from machine to machine
            payload[name] |= {"parameters": network.count_params(), "multiply_adds": models.multiply_adds(network)}
            payload[name] |= {"seconds": round(clock.seconds, 2)} | ({"curve": clock.curve} if timed else {})
        arrays[name] = lesson.answers(network, test.x).astype(np.uint8)
    return payload, {"arrays": arrays}


# ---- networks -------------------------------------------------------------------------------------------------------------


def networks_of(quick, times=1, names=None):
    chosen = ["VGG, one 5×5"] if quick else names or lesson.NETWORKS
    return {name: (lesson.NETWORKS[name], times * lesson.epochs(name)) for name in chosen}


def rates(seed, quick=False):
    """The four networks and their ablations: accuracy on training and validation slices by learning rate."""
    return by_rate(networks_of(quick), lesson.RATES, seed, quick)


def networks(seed, quick=False):
    """The four networks and their ablations at their best rates: training accuracy and loss, size, processor
    seconds, and the validation accuracy along the way."""
    return at_best("networks", networks_of(quick), "rates", seed, quick, timed=True)


def longer(seed, quick=False):
    """The four networks for three times as many epochs, at the same rates, from the same patients and first weights."""
    return at_best("longer", networks_of(quick, 3, lesson.FOUR), "rates", seed, quick)


# ---- one change at a time ---------------------------------------------------------------------------------------------------


def changes_of(quick):
    chosen = ["stride 4 at the start"] if quick else lesson.CHANGES
    return {name: (lambda name=name, **p: lesson.three_layers(**p, **lesson.CHANGES[name]), 20) for name in chosen}


def change_rates(seed, quick=False):
    """Three convolutions, one property changed: accuracy on training and validation slices by learning rate."""
    return by_rate(changes_of(quick), lesson.RATES, seed, quick)


def changes(seed, quick=False):
    """Three convolutions, one property changed, at the best rate of each."""
    return at_best("changes", changes_of(quick), "change_rates", seed, quick)


# ---- depth ----------------------------------------------------------------------------------------------------------------


def depths_of(quick):
    """Names such as "plain, 34 layers, 5 epochs"."""
    return {
        f"{kind}, {2 * blocks + 2} layers, {epochs} epochs": (
            lambda blocks=blocks, kind=kind, **p: lesson.deep_net(blocks, kind == "residual", **p),
            epochs,
        )
        for blocks in ([2] if quick else lesson.BLOCKS)
        for kind in (["residual"] if quick else ["plain", "residual"])
        for epochs in ([5] if quick else [5, 20])
    }


def depth_rates(seed, quick=False):
    """Networks of growing depth on 8×8 maps, for 5 and for 20 epochs: training and validation accuracy by rate."""
    return by_rate(depths_of(quick), lesson.RATES, seed, quick)


def depth(seed, quick=False):
    """Networks of growing depth on 8×8 maps, for 5 and for 20 epochs, each at its best rate."""
    return at_best("depth", depths_of(quick), "depth_rates", seed, quick)


# ---- transfer ---------------------------------------------------------------------------------------------------------------


def sources(seed, quick=False):
    """The small CNN, trained on two other questions about slices of 1,200 patients whom the target task never sees: is there
    any lesion, and where in the head is the slice. Arrays: the mean and variance of their pixels."""
    brains = load(SOURCE_SET, seed, quick)
    losses, trained = {}, {}
    for task in lesson.SOURCES[:1] if quick else lesson.SOURCES:
        if task == "lesion_present":
            targets, measure = brains.train.targets["label"] > 0, keras.losses.BinaryCrossentropy(from_logits=True)
        else:
            position = brains.train.targets["slice_position"]
            targets, measure = (position - position.mean()) / position.std(), keras.losses.MeanSquaredError()
        keras.utils.set_random_seed(seed)
        network, epochs = models.small_cnn(lesson.SHAPE, 1, **pixels(brains)), 2 if quick else SOURCE_EPOCHS
        models.compile_with_cosine(network, SOURCE_RATE, epochs * -(-len(targets) // 32), loss=measure)
        history = network.fit(brains.train.x, targets.astype(np.float32), batch_size=32, epochs=epochs, verbose=0)
        losses[task], trained[task] = history.history["loss"][-1], network
    return {"loss": losses}, {"weights": trained, "arrays": pixels(brains)}


def transferred(brains, patients, arm, rate, seed, steps):
    """A network for four classes, trained on the first patients, the same number of steps in all arms.

    "fine-tuned": half of the steps with a frozen body, at the rate for the head, the other half all of it.
    """
    weights, kind = arm
    rows = slice(4 * patients)
    few = data.Split(brains.train.x[rows], {"label": brains.train.targets["label"][rows]}, brains.train.groups[rows])
    keras.utils.set_random_seed(seed)
    start = lesson.source(weights) if weights != "random" else models.small_cnn(lesson.SHAPE, 1, **pixels(brains))
    body, network = lesson.with_new_head(start)
    epochs = steps // (len(few) // 16)
    stages = {"frozen": [(False, rate, epochs)], "from scratch": [(True, rate, epochs)]}
    stages["fine-tuned"] = [(False, lesson.HEAD_RATE, epochs // 2), (True, rate, epochs // 2)]
    for trainable, speed, number in stages[kind]:
        body.trainable = trainable
        models.compile_with_cosine(network, speed, number * (len(few) // 16))
        network.fit(few.x, few.targets["label"], batch_size=16, epochs=number, verbose=0)
    return network, few


def transfer_rates(seed, quick=False):
    """Four classes from 12 and from 40 patients: validation accuracy by rate. Needs `sources`."""
    brains, payload = load(RATES_SET + 20, seed, quick, 40), {}
    for patients in lesson.TRANSFER_PATIENTS[:1] if quick else lesson.TRANSFER_PATIENTS:
        for arm in [("random", "frozen")] if quick else lesson.TRANSFER_ARMS:
            payload[name := f"{patients}, {', '.join(arm)}"] = {}
            for rate in lesson.TRANSFER_RATES[2:3] if quick else lesson.TRANSFER_RATES:
                steps = 6 if quick else lesson.TRANSFER_STEPS
                network, few = transferred(brains, patients, arm, rate, seed, steps)
                payload[name][f"{rate:g}"] = {"train": right(network, few), "val": right(network, brains.val)}
    return payload


def transfer(seed, quick=False):
    """Four classes from 12 and from 40 patients, 400 steps for each arm at its best rate. Needs `sources`."""
    brains, test, payload = load(FIRST_SET + 50, seed, quick, 40), test_slices(quick), {}
    arrays = {"truth": test.targets["label"].astype(np.uint8), "groups": test.groups}
    for patients in lesson.TRANSFER_PATIENTS[:1] if quick else lesson.TRANSFER_PATIENTS:
        for arm in [("random", "frozen")] if quick else lesson.TRANSFER_ARMS:
            name = f"{patients}, {', '.join(arm)}"
            rate = lesson.TRANSFER_RATES[2] if quick else lesson.best_rate("transfer_rates", name)
            network, few = transferred(brains, patients, arm, rate, seed, 6 if quick else lesson.TRANSFER_STEPS)
            payload[name] = {"rate": rate, "train": right(network, few)}
            arrays[name] = lesson.answers(network, test.x).astype(np.uint8)
    return payload, {"arrays": arrays}


if __name__ == "__main__":
    functions = {
        "rates": rates,
        "networks": networks,
        "longer": longer,
        "change_rates": change_rates,
        "changes": changes,
        "depth_rates": depth_rates,
        "depth": depth,
        "sources": sources,
        "transfer_rates": transfer_rates,
        "transfer": transfer,
    }
    main("architectures", RUNS, functions, tolerance=dict.fromkeys(RUNS, 0.03))
