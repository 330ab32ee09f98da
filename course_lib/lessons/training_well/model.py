"""What notebook, experiment, explorers and tests of the lesson on training well share: the arms that are compared, the
network, the schedules, and how the stored runs are compared."""

import functools

import numpy as np

from course_lib import evaluate, results

# What an arm is unless its entry below says otherwise.
COMMON = {
    "optimiser": "Adam",
    "schedule": "warm-up",
    "loss": "cross-entropy",
    "batch": 32,
    "epochs": 20,
    "decay": 0.0,
    "dropout": 0.0,
    "batch_norm": False,
    "rare": False,
    "class_weights": False,
}
SWEEPS = {
    f"{optimiser}, {schedule}": {"optimiser": optimiser, "schedule": schedule}
    for optimiser in ("SGD", "momentum", "Adam")
    for schedule in ("constant", "warm-up")
}
PLAIN = "Adam, warm-up"  # what the other arms are compared with
RECIPE = {"dropout": 0.5, "batch_norm": True}
LONG = {"epochs": 60}  # a network with a brake learns its training slices later
ARMS = SWEEPS | {
    "squared error": {"loss": "squared error"},
    "squared error of logits": {"loss": "squared error of logits"},
    "rare": {"rare": True},
    "rare, class weights": {"rare": True, "class_weights": True},
    "batch 8": {"batch": 8},
    "batch 128": {"batch": 128},
    "batch 128, as many steps": {"batch": 128, "epochs": 80},
    "recipe, 20 epochs": RECIPE,
    "none": LONG,
    "weight decay 0.1": LONG | {"decay": 0.1},
    "weight decay 1": LONG | {"decay": 1.0},
    "weight decay 10": LONG | {"decay": 10.0},
    "dropout": LONG | {"dropout": 0.5},
    "batch norm": LONG | {"batch_norm": True},
    "recipe": LONG | RECIPE,
    "recipe, constant": LONG | RECIPE | {"schedule": "constant"},
}
TESTED = tuple(name for name in ARMS if name != "weight decay 10")  # which no rate of its list trains: see `rates`
RATES = {
    "SGD": (0.003, 0.01, 0.03, 0.1, 0.3, 1.0),
    "momentum": (0.001, 0.003, 0.01, 0.03, 0.1, 0.3),
    "Adam": (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1),
    "long": (0.001, 0.003, 0.01, 0.03, 0.1),
    "weight decay 10": (0.00001, 0.0001, 0.001, 0.01),
}


def rates_of(name):
    """The learning rates that are tried for an arm, in rising order."""
    setting = COMMON | ARMS[name]
    return RATES.get(name, RATES["long" if setting["epochs"] == LONG["epochs"] else setting["optimiser"]])


def on_validation(name):
    """Mean accuracy on the validation patients after the last epoch, in the stored `rates`: {rate: accuracy}."""
    stored = results.load("training_well/rates").values()
    return {
        rate: float(np.mean([final(each[name][f"{rate:g}"])["val"][1] for each in stored])) for rate in rates_of(name)
    }


def best_rate(name):
    """The rate that is best `on_validation`. Raises ValueError at an end of the list."""
    found = on_validation(name)
    best = max(found, key=found.get)
    if best in (min(found), max(found)):
        raise ValueError(f"{name} is best at {best:g}, an end of its list of rates: make it longer.")
    return best


def final(run):
    """[loss, accuracy] on training and validation slices after the last epoch, whether or not the curves are stored."""
    return {part: values[-1] if isinstance(values[0], list) else values for part, values in run.items()}


@functools.cache
def answers(name):
    """The answers of an arm's ten networks for the slices of the 600 test patients, (seeds, n); "truth" and "groups": (n,)."""
    stored = [results.arrays("training_well/arms", seed) for seed in results.load("training_well/arms")]
    return stored[0][name] if name in ("truth", "groups") else np.stack([each[name] for each in stored])


def accuracy(truth, answer):
    return (truth == answer).mean()


def recall(truth, answer, label=3):
    """The share of a class's slices that are found; 3 is the infarct."""
    return (answer[truth == label] == label).mean()


def gain(name, baseline, metric=accuracy):
    """How much better than the baseline an arm is on the test patients, over seeds and patients: an Estimate."""
    return evaluate.recipes(metric, answers("truth"), answers(baseline), answers(name), groups=answers("groups"))


def network(images, batch_norm=None, dropout=0.0, start="he_normal"):
    """The small network of the lesson, three convolutions and 8,068 parameters, not compiled; its answers are logits.

    images: the training images (n, h, w, 1); the first layer standardises with their mean and variance.
    batch_norm: the momentum of a batch-norm layer behind each convolution, or None. dropout: share set to zero in front
    of the dense layer. start: how the kernels of the convolutions begin.
    """
    from course_lib.models import keras, layers

    standardise = layers.Normalization(mean=images.mean(), variance=images.var())
    model = keras.Sequential([layers.Input(images.shape[1:]), standardise])
    for channels, kernel, stride in [(8, 5, 2), (16, 3, 2), (32, 3, 1)]:
        conv = {"strides": stride, "padding": "same", "kernel_initializer": start}
        model.add(layers.Conv2D(channels, kernel, use_bias=batch_norm is None, **conv))
        if batch_norm is not None:
            model.add(layers.BatchNormalization(momentum=batch_norm))
        model.add(layers.ReLU())
    for layer in [layers.MaxPooling2D(), layers.Flatten(), layers.Dropout(dropout), layers.Dense(4)]:
        model.add(layer)
    return model


def learning_rates(schedule, peak, steps):
    """The learning rate of every step, (steps,): "constant", "cosine", or "warm-up", a tenth of the steps, then a cosine."""
    step = np.arange(steps)
    if schedule == "constant":
        return np.full(steps, peak)
    warm = steps // 10 if schedule == "warm-up" else 0
    falling = peak * (1 + np.cos(np.pi * (step - warm) / (steps - warm))) / 2
    return np.where(step < warm, peak * step / max(warm, 1), falling)
