"""This lesson's comparisons: optimisers, learning rates, schedules, losses, class weights, batch sizes, regularisation.

    python -m course_lib.lessons.training_well.experiment [PART ...]

Where an arm has several candidates (learning rates), each candidate is trained with the seeds 0 and 1, and the one with
the highest mean validation accuracy after the last epoch is trained again with the seeds from 10 up. Only those networks
see the test patients. A seed sets the initial weights; the patients stay the same. The order of the batches also depends
on the arms that came before in the same process, so a repetition of one arm alone differs in the third decimal or the
second.
"""

import functools

import numpy as np

from course_lib import data, import_tensorflow, results
from course_lib.lessons.training_well import model
from course_lib.tools.experiment import main

RUNS = {
    "sweep_momentum": [0, 1, 10, 11, 12],
    "sweep_adam": [0, 1, 10, 11, 12],
    "sweep_sgd": [0, 1, 10, 11, 12],
    "recipe": [10, 11, 12, 13, 14],
    "regularisation": [10, 11, 12],
    "imbalance": [10, 11, 12, 13, 14],
    "loss": [0, 1, 10, 11, 12],
    "batch": [0, 1, 10, 11, 12],
}
COMMON = {
    "optimiser": "adam",
    "rate": 3e-3,
    "schedule": "warm-up",
    "loss": "cross-entropy",
    "batch": 32,
    "patients": 300,
    "epochs": 8,
    "decay": 0.0,
    "dropout": 0.0,
    "batch_norm": False,
    "infarct_patients": None,
    "class_weights": False,
    "best_checkpoint": False,
}
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


@functools.cache
def dataset(patients):
    return data.load("brain-lesions", size=32, n_patients=patients)


@functools.cache
def trainer(optimiser, decay, loss, batch, dropout, batch_norm):
    """A network and a compiled function that trains it for one epoch; all runs that share the arguments reuse them."""
    from course_lib.models import keras

    tf = import_tensorflow()

    def start():
        return model.network(dataset(600).train.x, 0.9 if batch_norm else None, dropout)

    network = start()
    optimiser = {
        "sgd": lambda: keras.optimizers.SGD(),
        "momentum": lambda: keras.optimizers.SGD(momentum=0.9),
        "adam": lambda: keras.optimizers.AdamW(weight_decay=decay),
    }[optimiser]()
    optimiser.build(network.trainable_variables)

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
                value = tf.reduce_mean(losses(network(images, training=True), labels) * tf.gather(weights, chosen))
            optimiser.learning_rate.assign(rates[step])
            gradients = tape.gradient(value, network.trainable_variables)
            optimiser.apply_gradients(zip(gradients, network.trainable_variables, strict=True))
            total += value
        return total / tf.cast(tf.shape(rates)[0], tf.float32)

    @tf.function(reduce_retracing=True)
    def answers(x):
        return network(x, training=False)

    def judge(x, y):
        logits = answers(x)
        return float(tf.reduce_mean(losses(logits, y))), float(np.mean(logits.numpy().argmax(1) == y))

    def restart(seed):
        keras.utils.set_random_seed(seed)
        network.set_weights(start().get_weights())
        for variable in optimiser.variables:
            variable.assign(tf.zeros_like(variable))

    return network, epoch, answers, judge, restart


def train(setting, seed, test):
    """Train one network and return its curves; with `test`, also its answers for the 640 test slices, one digit each."""
    brains = dataset(setting["patients"])
    x, y = brains.train.x, brains.train.targets["label"]
    if setting["infarct_patients"] is not None:
        infarct = np.unique(brains.train.groups[y == 3])
        keep = ~np.isin(brains.train.groups, infarct[setting["infarct_patients"] :])
        x, y = x[keep], y[keep]
    weights = len(y) / (4 * np.bincount(y)) if setting["class_weights"] else np.ones(4)
    sharing = ("optimiser", "decay", "loss", "batch", "dropout", "batch_norm")
    network, epoch, answers, judge, restart = trainer(*(setting[name] for name in sharing))
    restart(seed)
    steps = -(-len(x) // setting["batch"])
    rates = model.learning_rates(setting["schedule"], setting["rate"], steps * setting["epochs"]).astype(np.float32)
    val = brains.val.x, brains.val.targets["label"]
    run = {"loss": [], "val_loss": [], "val_accuracy": []}
    best, best_weights = np.inf, None
    for part in np.split(rates, setting["epochs"]):
        run["loss"].append(float(epoch(x, y, weights[y].astype(np.float32), part)))
        for name, value in zip(("val_loss", "val_accuracy"), judge(*val), strict=True):
            run[name].append(value)
        if setting["best_checkpoint"] and run["val_loss"][-1] < best:
            best, best_weights = run["val_loss"][-1], network.get_weights()
    run["train_end"] = judge(x, y)[1]
    if best_weights:
        network.set_weights(best_weights)
    run["val_end"] = judge(*val)[1]
    for name in ("loss", "val_loss"):
        run[name] = [value if np.isfinite(value) else None for value in run[name]]  # JSON has no NaN
    if test:
        run["guesses"] = "".join(map(str, answers(brains.test.x).numpy().argmax(1)))
    return run


def run_of(part):
    """The function that `main` calls for a part, with one seed."""

    def compare(seed, quick=False):
        """brain-lesions (simulated), 32×32, 300 training patients unless a setting says otherwise. The first seeds train
        all candidates: their curves per epoch. The others train the candidate with the highest mean validation accuracy
        after the last epoch; `guesses` are its answers for the 640 test slices, one digit each. Test patients played no
        part in the choice."""
        arms = {name: [COMMON | differs for differs in candidates] for name, candidates in arms_of(part).items()}
        if quick:
            short = {"patients": 40, "epochs": 2, "batch": 16}
            arms = {name: [settings[0] | short] for name, settings in list(arms.items())[-1:]}
        elif seed not in model.SELECTION and model.SELECTION[0] in RUNS[part]:
            if missing := results.missing(f"training_well/{part}", model.SELECTION):
                raise ValueError(
                    f"{part}, seed {seed}: seed {missing[0]}, which has to choose, comes first. Run it again."
                )
            arms = {name: [model.choose(candidates)] for name, candidates in model.candidates(part).items()}
        test = seed not in model.SELECTION
        return {
            name: [{"setting": setting, "run": train(setting, seed, test)} for setting in settings]
            for name, settings in arms.items()
        }

    return compare


if __name__ == "__main__":
    main("training_well", RUNS, {part: run_of(part) for part in RUNS}, tolerance=dict.fromkeys(RUNS, 0.02))
