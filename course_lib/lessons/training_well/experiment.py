"""This lesson's comparisons: optimisers, rates, schedules, losses, class weights, batch sizes, regularisation, a recipe.

    python -m course_lib.lessons.training_well.experiment [rates] [arms]

`rates` trains every arm of model.py at every rate of its list, on two sets of simulated patients, and keeps what the
validation patients say. `arms` trains each arm ten times at the rate that was best there, each time on other patients,
and asks test patients whom no choice has seen.
"""

import functools

import numpy as np

from course_lib import data, import_tensorflow
from course_lib.lessons.training_well import model
from course_lib.tools.experiment import main

RUNS = {"rates": range(2), "arms": range(10)}
FIRST_SET = {"rates": 800, "arms": 810}  # the seed of the data for run 0
TEST_SET, TEST = 850, 600  # seed and number of the test patients, the same for all runs
RARE_PATIENTS = 30  # of the 300 with an infarct, where that class is rare


def rates(seed, quick=False):
    """brain-lesions (simulated), 32×32, 1,200 training patients: for each arm and each rate of its list, loss and accuracy
    on the training slices and on those of 120 validation patients, in use, after the last epoch; the arms that differ in
    optimiser and schedule also keep them after each epoch. A loss that is not finite is null. The seed draws patients,
    initial weights and order."""
    payload = {}
    for name in (model.PLAIN,) if quick else model.ARMS:
        payload[name] = {}
        for rate in model.rates_of(name)[2:3] if quick else model.rates_of(name):
            _, payload[name][f"{rate:g}"] = train("rates", seed, name, rate, quick, curves=name in model.SWEEPS)
    return payload


def arms(seed, quick=False):
    """Each arm at the rate that was best in `rates`, on brain-lesions (simulated), 32×32, 1,200 training patients of the
    seed's own: its rate, loss and accuracy on training and validation slices, in use. `lowest validation loss` and
    `highest validation accuracy` are earlier epochs of "Adam, warm-up" itself. The arrays hold the answers for the slices
    of 600 test patients, the same for all seeds."""
    test = data.load("brain-lesions", size=32, seed=0 if quick else TEST_SET, n_test=40 if quick else TEST).test
    payload, arrays = {}, {"truth": test.targets["label"].astype(np.uint8), "groups": test.groups}
    for name in ("recipe",) if quick else model.TESTED:
        rate = 0.01 if quick else model.best_rate(name)
        answer, run = train("arms", seed, name, rate, quick, keep=name == model.PLAIN)
        payload[name] = {"rate": rate, **{part: run[part] for part in ("train", "val")}}
        arrays[name] = answer(test.x).argmax(1).astype(np.uint8)
        for checkpoint, (epoch, weights) in run.get("checkpoints", {}).items():
            payload[checkpoint] = {"rate": rate, "epoch": epoch}
            arrays[checkpoint] = answer(test.x, weights).argmax(1).astype(np.uint8)
    return payload, {"arrays": arrays}


@functools.cache
def patients(run_name, seed, quick):
    """The training and validation slices, each (images, labels), and where infarcts are rare the slices to be left out."""
    several = {"seed": 0, "n_patients": 40} if quick else {"seed": FIRST_SET[run_name] + seed, "n_patients": 1200}
    brains = data.load("brain-lesions", size=32, **several)
    train, val = ((part.x, part.targets["label"].astype(np.int32)) for part in (brains.train, brains.val))
    infarct = np.unique(brains.train.groups[train[1] == 3])
    return train, val, np.isin(brains.train.groups, infarct[RARE_PATIENTS:])


@functools.cache
def trainer(run_name, seed, quick, optimiser, decay, loss, batch, dropout, batch_norm):
    """Compiled functions that start a network anew, train it for one epoch, and ask it. All runs on the same patients with
    the same arguments share them."""
    from course_lib.models import keras

    tf = import_tensorflow()
    (images, _), *_ = patients(run_name, seed, quick)

    def new():
        return model.network(images, 0.9 if batch_norm else None, dropout)

    network = new()
    optimiser = {
        "SGD": lambda: keras.optimizers.SGD(),
        "momentum": lambda: keras.optimizers.SGD(momentum=0.9),
        "Adam": lambda: keras.optimizers.AdamW(weight_decay=decay),
    }[optimiser]()
    optimiser.build(network.trainable_variables)

    def losses(logits, labels):
        if loss == "cross-entropy":
            return tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
        answers = tf.nn.softmax(logits) if loss == "squared error" else logits
        return tf.reduce_mean((answers - tf.one_hot(labels, 4)) ** 2, axis=1)

    @tf.function(reduce_retracing=True)
    def epoch(x, y, weights, rates):
        order = tf.random.shuffle(tf.range(tf.shape(x)[0]))
        for step in tf.range(tf.shape(rates)[0]):
            chosen = order[step * batch : (step + 1) * batch]
            images, labels = tf.gather(x, chosen), tf.gather(y, chosen)
            with tf.GradientTape() as tape:
                value = tf.reduce_mean(losses(network(images, training=True), labels) * tf.gather(weights, chosen))
            optimiser.learning_rate.assign(rates[step])
            gradients = tape.gradient(value, network.trainable_variables)
            optimiser.apply_gradients(zip(gradients, network.trainable_variables, strict=True))

    @tf.function(reduce_retracing=True)
    def logits_of(x):
        return network(x, training=False)

    def answer(x, weights=None):
        if weights is not None:
            network.set_weights(weights)
        return np.concatenate([logits_of(part) for part in np.array_split(x, -(-len(x) // 600))])

    def judge(x, y):
        logits = answer(x)
        return [float(tf.reduce_mean(losses(logits, y))), float(np.mean(logits.argmax(1) == y))]

    def restart(seed):
        keras.utils.set_random_seed(seed)
        network.set_weights(new().get_weights())
        for variable in optimiser.variables:
            variable.assign(tf.zeros_like(variable))

    return network, epoch, answer, judge, restart


def train(run_name, seed, name, rate, quick, curves=False, keep=False):
    """Train one arm at a rate. Returns the function that answers with its logits, and {"train", "val"}: [loss, accuracy] in
    use, after the last epoch, or with `curves` after each; with `keep` also "checkpoints", name -> (epoch, weights)."""
    setting = model.COMMON | model.ARMS[name] | ({"epochs": 2} if quick else {})
    (x, y), val, left_out = patients(run_name, seed, quick)
    sharing = ("optimiser", "decay", "loss", "batch", "dropout", "batch_norm")
    network, epoch, answer, judge, restart = trainer(run_name, seed, quick, *(setting[part] for part in sharing))
    if setting["rare"]:
        x, y = x[~left_out], y[~left_out]
    weights = len(y) / (4 * np.bincount(y)) if setting["class_weights"] else np.ones(4)
    weights = weights[y].astype(np.float32)
    restart(seed)
    steps = -(-len(x) // setting["batch"])
    every = model.learning_rates(setting["schedule"], rate, steps * setting["epochs"]).astype(np.float32)
    seen, checkpoints = {"train": [], "val": []}, {}
    for number, part in enumerate(np.split(every, setting["epochs"]), 1):
        epoch(x, y, weights, part)
        last = number == setting["epochs"]
        if curves or last:
            seen["train"].append(judge(x, y))
        if curves or last or keep:
            seen["val"].append(judge(*val))
        if keep:
            loss, accuracy = seen["val"][-1]
            for checkpoint, value in (("lowest validation loss", -loss), ("highest validation accuracy", accuracy)):
                if checkpoint not in checkpoints or value > checkpoints[checkpoint][0]:
                    checkpoints[checkpoint] = value, number, network.get_weights()
    for part, values in seen.items():  # JSON has no NaN, and four digits are enough
        rounded = [[round(value, 4) if np.isfinite(value) else None for value in pair] for pair in values]
        seen[part] = rounded if curves else rounded[-1]
    if keep:
        seen["checkpoints"] = {checkpoint: kept[1:] for checkpoint, kept in checkpoints.items()}
    return answer, seen


if __name__ == "__main__":
    main("training_well", RUNS, {"rates": rates, "arms": arms}, tolerance={"rates": 0.05, "arms": 0.05})
