"""AlexNet, VGG, ResNet and their ablations, one change at a time, depth, and transfer: each arm at its own learning rate.

    python -m course_lib.lessons.architectures.experiment [rates] [networks] [longer] [change_rates] [changes] [depth_rates] [depth]
        [sources] [transfer_rates] [transfer] [--quick]

`rates`, `change_rates`, `depth_rates` and `transfer_rates` train every arm at every rate of its list, with two seeds, and keep
what validation patients say. `networks`, `changes`, `depth` and `transfer` train each arm anew at the rate that was best there,
on other patients, and ask test patients whom no choice has seen.
"""

import functools
import time

import numpy as np

from course_lib import data, models
from course_lib.lessons.architectures import model as lesson
from course_lib.tools.experiment import main

keras, layers = models.keras, models.layers

RUNS = {
    "rates": range(2),
    "networks": range(5),
    "longer": range(5),
    "change_rates": range(2),
    "changes": range(5),
    "depth_rates": range(2),
    "depth": range(5),
    "sources": [0],
    "transfer_rates": range(2),
    "transfer": range(10),
}

PATIENTS, EPOCHS, BATCH = 2400, 24, 32
RATES_SET, FIRST_SET = 900, 910  # the seed of the data for run 0: of the choice of rates, and of the runs themselves
TEST_SET, TEST = 950, 1200  # seed and number of the test patients, the same for all runs
VALIDATION = 600  # patients by whom rates are chosen
LONGER = 4 * EPOCHS  # of AlexNet, whose dropout slows it down
EVERY = 3  # epochs between two points of the curves

RATES = {
    "small CNN": (1e-3, 3e-3, 1e-2, 3e-2, 1e-1),
    "AlexNet": (1e-4, 3e-4, 1e-3, 3e-3, 1e-2),
    "VGG": (3e-4, 1e-3, 3e-3, 1e-2, 3e-2),
    "ResNet": (1e-3, 3e-3, 1e-2, 3e-2, 1e-1),
    "changes": (1e-3, 3e-3, 1e-2, 3e-2, 1e-1),
    "depth": (1e-3, 3e-3, 1e-2, 3e-2),
    "transfer": (1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1),
}
ARMS = {"networks": lesson.NETWORKS, "changes": lesson.CHANGES, "depth": lesson.DEPTHS}


def rates_of(run, arm):
    return RATES[arm.split(",")[0] if run == "networks" else run]


# ---- networks, changes, depth -----------------------------------------------------------------------------------------


@functools.cache
def patients(first_set, seed, quick):
    """Training slices, validation slices and the training pixels' mean and variance; one slice of each patient."""
    several = {"seed": 0, "n_patients": 80} if quick else {"seed": first_set + seed, "n_patients": PATIENTS}
    more = {} if quick or first_set != RATES_SET else {"n_test": VALIDATION}
    brains = data.load("brain-lesions", size=32, **several, **more)
    train, validation = (lesson.one_slice_each(split)[:2] for split in (brains.train, brains.test))
    return train, validation, {"mean": train[0].mean(), "variance": train[0].var()}


def in_use(network, images, labels):
    """[loss, accuracy] of a network that is not being trained."""
    logits = network.predict(images, batch_size=400, verbose=0)
    loss = keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True).numpy().mean()
    return [float(loss), float(np.mean(logits.argmax(1) == labels))]


def trained(run, arm, rate, train, pixels, seed, quick, curve=False, epochs=EPOCHS):
    """A network after its last epoch; its training loss and accuracy in use after every third, if `curve`; and processor
    seconds of an epoch, without the first, in which it is compiled."""
    keras.utils.set_random_seed(seed)
    network = lesson.build(run, arm, pixels)
    epochs = 2 if quick else epochs
    steps = epochs * -(-len(train[0]) // BATCH)
    models.compile_with_cosine(network, rate, steps, warm_up=steps // 10, steps_per_execution=1 if quick else 25)
    points, clock = [], []
    watch = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: clock.append(-time.process_time()),
        on_epoch_end=lambda epoch, logs: (
            clock.append(clock.pop() + time.process_time()),
            curve and epoch % EVERY == EVERY - 1 and points.append(in_use(network, *train)),
        ),
    )
    network.fit(*train, batch_size=BATCH, epochs=epochs, verbose=0, callbacks=[watch])
    return network, points, 0 if quick else float(np.median(clock[1:]))


def at_all_rates(run, seed, quick):
    train, validation, pixels = patients(RATES_SET, seed, quick)
    payload = {}
    for arm in list(ARMS[run])[:1] if quick else ARMS[run]:
        payload[arm] = {}
        for rate in rates_of(run, arm)[2:3] if quick else rates_of(run, arm):
            network, *_ = trained(run, arm, rate, train, pixels, seed, quick)
            payload[arm][f"{rate:g}"] = {"train": in_use(network, *train), "val": in_use(network, *validation)}
            keras.backend.clear_session()
        print(arm, {rate: each["val"][1] for rate, each in payload[arm].items()}, flush=True)
    return payload


def at_best_rate(run, rates, seed, quick, arms=None, epochs=EPOCHS):
    train, _, pixels = patients(FIRST_SET, seed, quick)
    test = data.load("brain-lesions", size=32, seed=0 if quick else TEST_SET, n_test=40 if quick else TEST).test
    images, truth, groups = lesson.one_slice_each(test)
    payload, arrays = {}, {"truth": truth.astype(np.uint8), "groups": groups}
    for arm in list(ARMS[run])[:1] if quick else arms or ARMS[run]:
        rate = 1e-3 if quick else lesson.best_rate(rates, arm)
        network, curve, seconds = trained(run, arm, rate, train, pixels, seed, quick, True, epochs)
        sizes = {"parameters": network.count_params(), "multiply_adds": models.multiply_adds(network)}
        payload[arm] = {"rate": rate, **sizes, "seconds": seconds, "train": in_use(network, *train), "curve": curve}
        arrays[arm] = lesson.answers(network, images).astype(np.uint8)
        print(arm, payload[arm]["train"], np.mean(arrays[arm] == truth), flush=True)
        keras.backend.clear_session()
    return payload, {"arrays": arrays}


def rates(seed, quick=False):
    """brain-lesions (simulated), 32×32, 2,400 training patients with one slice each, 24 epochs: for each network and each
    learning rate of its list, [loss, accuracy] in use on the training slices and on those of 600 validation patients. The seed
    draws patients, initial weights and order."""
    return at_all_rates("networks", seed, quick)


def networks(seed, quick=False):
    """Each network at the rate that was best in `rates`, on 2,400 training patients of the seed's own: rate, parameters,
    multiply-adds, processor seconds of an epoch, [loss, accuracy] in use on the training slices, and the same after every third
    epoch. The arrays hold the answers for the slices of 1,200 test patients, one each, the same for all seeds."""
    return at_best_rate("networks", "rates", seed, quick)


def longer(seed, quick=False):
    """As `networks`, for AlexNet and its variants with four times as many epochs, each at the rate that was best for 24."""
    return at_best_rate(
        "networks", "rates", seed, quick, [name for name in ARMS["networks"] if "AlexNet" in name], LONGER
    )


def change_rates(seed, quick=False):
    """As `rates`, for three convolutions with one property changed."""
    return at_all_rates("changes", seed, quick)


def changes(seed, quick=False):
    """As `networks`, for three convolutions with one property changed, each at its best rate of `change_rates`."""
    return at_best_rate("changes", "change_rates", seed, quick)


def depth_rates(seed, quick=False):
    """As `rates`, for plain and residual networks of 8 and 20 layers on maps of 8×8."""
    return at_all_rates("depth", seed, quick)


def depth(seed, quick=False):
    """As `networks`, for plain and residual networks of 8 and 20 layers, each at its best rate of `depth_rates`."""
    return at_best_rate("depth", "depth_rates", seed, quick)


# ---- transfer ---------------------------------------------------------------------------------------------------------

SOURCE_SET, SOURCE_PATIENTS, SOURCE_RATE = 970, 1200, 3e-3
FEW, STEPS, HEAD_STEPS = (
    40,
    600,
    200,
)  # patients of the new task, four slices each; steps of 16 slices; of them for the head alone


def sources(seed, quick=False):
    """The small CNN, trained on two other questions about all slices of 1,200 patients whom the new task never sees.
    Of its answers on 120 validation patients: the area under the ROC curve, or the correlation with the position."""
    from sklearn.metrics import roc_auc_score

    brains = data.load(
        "brain-lesions", size=32, seed=0 if quick else SOURCE_SET, n_patients=40 if quick else SOURCE_PATIENTS
    )
    train, val = brains.train, brains.val
    pixels = {"mean": train.x.mean(), "variance": train.x.var()}
    position = train.targets["slice_position"]
    questions = {
        "lesion_present": (train.targets["label"] > 0, keras.losses.BinaryCrossentropy(from_logits=True)),
        "slice_position": ((position - position.mean()) / position.std(), keras.losses.MeanSquaredError()),
    }
    found, networks_ = {}, {}
    for task, (targets, loss) in questions.items():
        keras.utils.set_random_seed(seed)
        network, epochs = models.small_cnn(lesson.SHAPE, 1, **pixels), 1 if quick else EPOCHS
        steps = epochs * -(-len(train) // BATCH)
        models.compile_with_cosine(network, SOURCE_RATE, steps, warm_up=steps // 10, loss=loss)
        network.fit(train.x, targets.astype(np.float32), batch_size=BATCH, epochs=epochs, verbose=0)
        answer = network.predict(val.x, verbose=0)[:, 0]
        if task == "lesion_present":
            found[task] = {"area": roc_auc_score(val.targets["label"] > 0, answer)}
        else:
            found[task] = {"correlation": np.corrcoef(val.targets["slice_position"], answer)[0, 1]}
        networks_[task] = network
        print(task, found[task], flush=True)
    return found, {"weights": networks_, "arrays": pixels}


def transferred(arm, rate, images, labels, pixels, seed, steps, head_rate=None):
    """The small CNN for four classes: `steps` steps for its new head alone (frozen) or for all of it. Fine-tuning gives the
    first third of the steps to the head, at the rate that was best for the frozen body."""
    weights, how = arm.split(", ")
    keras.utils.set_random_seed(seed)
    first = models.small_cnn(lesson.SHAPE, 1, **pixels)
    if weights != "random":
        first = lesson.source(weights)
    body = keras.Model(first.inputs, first.layers[-2].output)
    network = keras.Sequential([body, layers.Dense(lesson.CLASSES)])
    stages = [(how != "frozen", rate, steps)]
    if how == "fine-tuned":
        head_steps = steps * HEAD_STEPS // STEPS
        stages = [(False, head_rate, head_steps), (True, rate, steps - head_steps)]
    for trainable, peak, number in stages:
        body.trainable = trainable
        models.compile_with_cosine(network, peak, number, warm_up=number // 10, steps_per_execution=10)
        network.fit(images, labels, batch_size=16, epochs=number // (len(images) // 16), verbose=0)
    return network


def few_patients(seed, quick):
    """Slices, labels of the first patients of a set, a quarter of each class; and the pixels' mean and variance."""
    split = data.load("brain-lesions", size=32, seed=seed, **({"n_patients": 40} if quick else {})).train
    label = split.targets["label"]
    per_class = 2 if quick else FEW // lesson.CLASSES
    chosen = np.concatenate([np.unique(split.groups[label == c])[:per_class] for c in range(lesson.CLASSES)])
    rows = np.isin(split.groups, chosen)
    return split.x[rows], label[rows], {"mean": split.x[rows].mean(), "variance": split.x[rows].var()}


def transfer_rates(seed, quick=False):
    """Four classes from 40 patients, 160 slices, 600 steps in all: for each arm and each learning rate [loss, accuracy] in use on
    these slices and on those of 600 validation patients, one each. The seed draws patients, initial weights and order."""
    images, labels, pixels = few_patients(0 if quick else RATES_SET + 2 + seed, quick)
    _, validation, _ = patients(RATES_SET, seed, quick)
    payload = {}
    for arm in lesson.TRANSFER[:1] if quick else lesson.TRANSFER:
        payload[arm], head_rate = {}, None
        if arm.endswith("fine-tuned"):
            frozen = payload[arm.replace("fine-tuned", "frozen")]
            head_rate = float(max(frozen, key=lambda rate: frozen[rate]["val"][1]))
        for rate in RATES["transfer"][4:5] if quick else RATES["transfer"]:
            network = transferred(arm, rate, images, labels, pixels, seed, 20 if quick else STEPS, head_rate)
            payload[arm][f"{rate:g}"] = {"train": in_use(network, images, labels), "val": in_use(network, *validation)}
            keras.backend.clear_session()
        print(arm, {rate: each["val"][1] for rate, each in payload[arm].items()}, flush=True)
    return payload


def transfer(seed, quick=False):
    """Each arm of `transfer_rates` at the rate that was best there, on 40 patients of the seed's own: rate and [loss, accuracy] in
    use on their slices. The arrays hold the answers for the slices of 1,200 test patients, one each, the same for all seeds."""
    images, labels, pixels = few_patients(0 if quick else FIRST_SET + 10 + seed, quick)
    test = data.load("brain-lesions", size=32, seed=0 if quick else TEST_SET, n_test=40 if quick else TEST).test
    slices, truth, groups = lesson.one_slice_each(test)
    payload, arrays = {}, {"truth": truth.astype(np.uint8), "groups": groups}
    for arm in lesson.TRANSFER[:1] if quick else lesson.TRANSFER:
        rate = 1e-2 if quick else lesson.best_rate("transfer_rates", arm)
        head_rate = lesson.best_rate("transfer_rates", arm.replace("fine-tuned", "frozen")) if "fine" in arm else None
        network = transferred(arm, rate, images, labels, pixels, seed, 20 if quick else STEPS, head_rate)
        payload[arm] = {"rate": rate, "train": in_use(network, images, labels)}
        arrays[arm] = lesson.answers(network, slices).astype(np.uint8)
        keras.backend.clear_session()
    print({arm: round(float(np.mean(arrays[arm] == truth)), 3) for arm in payload}, flush=True)
    return payload, {"arrays": arrays}


if __name__ == "__main__":
    functions = {
        "rates": rates,
        "networks": networks,
        "longer": longer,
        "change_rates": change_rates,
        "changes": changes,
    }
    functions |= {"depth_rates": depth_rates, "depth": depth, "sources": sources}
    functions |= {"transfer_rates": transfer_rates, "transfer": transfer}
    main("architectures", RUNS, functions, tolerance=dict.fromkeys(RUNS, 0.05))
