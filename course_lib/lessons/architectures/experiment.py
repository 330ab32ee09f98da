"""AlexNet, VGG and ResNet at equal processor time, their ablations, depth, one change at a time, transfer.

    python -m course_lib.lessons.architectures.experiment [budget] [depth] [changes] [sources] [transfer] [--quick]

About a quarter of an hour of processor time. Data: brain-lesions (simulated), 32×32; the patients are the same for all
seeds. Accuracy is per slice on unseen patients, with a 95 % interval by patient.
"""

import time

import numpy as np

from course_lib import data, models
from course_lib.lessons.architectures import model as lesson
from course_lib.tools.experiment import main

keras, layers = models.keras, models.layers

RUNS = {"budget": range(5), "depth": range(5), "changes": range(5), "sources": [0], "transfer": range(5)}

BUDGET = 10  # processor seconds
TRANSFER_PATIENTS = [12, 40]  # a quarter of each class
TRANSFER_STEPS = 200
SOURCES = ["lesion_present", "slice_position"]
SOURCE_PATIENTS = 480  # the other 120 training patients are kept for the target task


class ProcessorBudget(keras.callbacks.Callback):
    """Stops `fit` after so many processor seconds; for the last quarter the learning rate falls to a fifth.

    Processor time does not count what other programs do meanwhile. The first batch, in which
    TensorFlow compiles the network, is free, and so is what happens between epochs: a budget of 0 gives two batches.
    """

    def __init__(self, seconds):
        super().__init__()
        self.seconds, self.used, self.steps = seconds, 0.0, 0

    def on_epoch_begin(self, epoch, logs=None):
        self._since = time.process_time()

    def on_train_batch_end(self, batch, logs=None):
        now = time.process_time()
        self.steps += 1
        if self.steps > 1:
            before, self.used = self.used, self.used + now - self._since
            if before <= 0.75 * self.seconds < self.used:
                self.model.optimizer.learning_rate /= 5
            self.model.stop_training = self.used >= self.seconds
        self._since = now


class Curve(keras.callbacks.Callback):
    """Test accuracy after every epoch, with the processor seconds used so far."""

    def __init__(self, budget, images, labels):
        super().__init__()
        self.budget, self.images, self.labels, self.rows = budget, images, labels, []

    def on_epoch_end(self, epoch, logs=None):
        right = lesson.accuracy(self.labels, lesson.answers(self.model, self.images))
        self.rows.append({"seconds": min(self.budget.used, self.budget.seconds), "loss": logs["loss"], "test": right})


def brain_slices():
    """Training and test split, and mean and variance of the training pixels."""
    brains = data.load("brain-lesions", size=32)
    return brains.train, brains.test, {"mean": brains.train.x.mean(), "variance": brains.train.x.var()}


def compiled(model, rate=1e-3, loss=None):
    loss = loss or keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(rate), loss)
    return model


def scores(model, split):
    estimate = lesson.on_split(model, split, repeats=500)
    return {"test": estimate.value, "low": estimate.low, "high": estimate.high}


def sizes(model):
    return {"parameters": model.count_params(), "multiply_adds": models.multiply_adds(model)}


def first_patients(split, patients):
    """The first patients of a split, each with four slices; every class has a quarter of them."""
    rows = slice(4 * patients)
    targets = {name: values[rows] for name, values in split.targets.items()}
    return data.Split(split.x[rows], targets, split.groups[rows])


def train_loss(model, split):
    logits = model.predict(split.x, batch_size=320, verbose=0)
    return float(keras.losses.sparse_categorical_crossentropy(split.targets["label"], logits, True).numpy().mean())


# ---- equal processor time -----------------------------------------------------------------------------------------------

NETWORKS = {
    "small CNN (lesson 06)": models.small_cnn,
    "AlexNet": lesson.small_alexnet,
    "VGG": lesson.small_vgg,
    "ResNet": lesson.small_resnet,
    "AlexNet, tanh": lambda *a, **k: lesson.small_alexnet(*a, activation="tanh", **k),
    "AlexNet, no dropout": lambda *a, **k: lesson.small_alexnet(*a, dropout=0.0, **k),
    "VGG, one 5×5": lambda *a, **k: lesson.small_vgg(*a, convolutions=(1, 1, 1), kernel=5, **k),
    "ResNet, no identity": lambda *a, **k: lesson.small_resnet(*a, identity=False, **k),
}


def budget(seed, quick=False):
    """Every network trained for 10 processor seconds (one thread)."""
    train, test, pixels = brain_slices()
    runs = {}
    for name in ["VGG, one 5×5"] if quick else NETWORKS:
        keras.utils.set_random_seed(seed)
        model = compiled(NETWORKS[name](lesson.SHAPE, lesson.CLASSES, **pixels))
        clock = ProcessorBudget(0 if quick else BUDGET)
        curve = Curve(clock, test.x, test.targets["label"])
        label = train.targets["label"]
        model.fit(train.x, label, batch_size=32, epochs=1000, verbose=0, callbacks=[clock, curve])
        runs[name] = {
            **sizes(model),
            "steps": clock.steps,
            "train_loss": train_loss(model, train),
            "train": lesson.accuracy(label, lesson.answers(model, train.x)),
            "curve": curve.rows,
            **scores(model, test),
        }
        print(name, {key: value for key, value in runs[name].items() if key != "curve"}, flush=True)
    return runs


# ---- depth ---------------------------------------------------------------------------------------------------------------

BLOCKS = [2, 8, 16]  # two layers each; the first convolution and the dense layer make two more
DEPTH_PATIENTS, DEPTH_EPOCHS = 300, 5


def depth(seed, quick=False):
    """Networks of growing depth on 8×8 maps, 300 patients, 5 epochs, Adam 1e-3."""
    train, test, pixels = brain_slices()
    train = first_patients(train, 16 if quick else DEPTH_PATIENTS)
    rows = []
    for blocks in BLOCKS[:1] if quick else BLOCKS:
        for name, identity in [("residual", True)] if quick else [("plain", False), ("residual", True)]:
            keras.utils.set_random_seed(seed)
            model = compiled(lesson.deep_net(blocks, identity, **pixels))
            start = time.process_time()
            fit = model.fit(train.x, train.targets["label"], batch_size=32, epochs=DEPTH_EPOCHS, verbose=0)
            row = {"network": name, "layers": 2 * blocks + 2, "running_loss": fit.history["loss"]}
            row |= {"train_loss": train_loss(model, train)}
            row |= {"processor_seconds": 0 if quick else time.process_time() - start}
            rows.append({**row, **scores(model, test)})
            print(rows[-1], flush=True)
    return rows


# ---- one change at a time --------------------------------------------------------------------------------------------------

CHANGES = {
    "base: 3×3, stride 1, max": {},
    "kernel 1×1": {"kernel": 1},
    "kernel 5×5": {"kernel": 5},
    "kernel 7×7": {"kernel": 7},
    "stride 2 at the start": {"strides": 2},
    "stride 4 at the start": {"strides": 4},
    "average pooling": {"pooling": "average"},
    "strided convolution": {"pooling": "stride"},
}
CHANGE_EPOCHS = 5


def three_layers(mean, variance, kernel=3, strides=1, pooling="max"):
    """Three convolutions of 8, 16, 32 channels. Each is followed by pooling that halves the maps, or has a stride of 2."""
    inputs = layers.Input(lesson.SHAPE)
    x = layers.Normalization(mean=mean, variance=variance)(inputs)
    for place, channels in enumerate((8, 16, 32)):
        step = (strides if place == 0 else 1) * (2 if pooling == "stride" else 1)
        x = lesson.conv_block(x, channels, kernel, strides=step)
        if pooling != "stride":
            x = (layers.MaxPooling2D if pooling == "max" else layers.AveragePooling2D)(2)(x)
    return keras.Model(inputs, layers.Dense(lesson.CLASSES)(layers.GlobalAveragePooling2D()(x)))


def changes(seed, quick=False):
    """Three convolutions, one property changed, 5 epochs."""
    train, test, pixels = brain_slices()
    train = first_patients(train, 40) if quick else train
    x, label = train.x, train.targets["label"]
    runs = {}
    for name in ["stride 4 at the start"] if quick else CHANGES:
        keras.utils.set_random_seed(seed)
        model = compiled(three_layers(**pixels, **CHANGES[name]), rate=3e-3)
        model.fit(x[:32], label[:32], verbose=0)  # compiles; what follows is timed
        start = time.process_time()
        model.fit(x, label, batch_size=32, epochs=CHANGE_EPOCHS - 2, verbose=0)
        model.optimizer.learning_rate /= 5
        model.fit(x, label, batch_size=32, epochs=2, verbose=0)
        seconds = 0 if quick else time.process_time() - start
        runs[name] = {**sizes(model), "processor_seconds": seconds, **scores(model, test)}
        print(name, runs[name], flush=True)
    return runs


# ---- transfer ---------------------------------------------------------------------------------------------------------------


def sources(seed, quick=False):
    """The small CNN, trained on two other questions about slices of patients whom the target task never sees."""
    train, _, pixels = brain_slices()
    rows = np.arange(4 * SOURCE_PATIENTS)  # four slices each
    losses, networks = {}, {}
    for task in SOURCES[:1] if quick else SOURCES:
        if task == "lesion_present":
            targets, loss = train.targets["label"] > 0, keras.losses.BinaryCrossentropy(from_logits=True)
        else:
            position = train.targets["slice_position"]
            targets, loss = (position - position.mean()) / position.std(), keras.losses.MeanSquaredError()
        keras.utils.set_random_seed(seed)
        model = compiled(models.small_cnn(lesson.SHAPE, 1, **pixels), loss=loss)
        budget = ProcessorBudget(0 if quick else 2 * BUDGET)
        options = {"epochs": 1000, "verbose": 0, "callbacks": [budget]}
        history = model.fit(train.x[rows], targets[rows].astype(np.float32), **options).history["loss"]
        losses[task], networks[task] = history[-1], model
        print(task, len(history), "epochs, loss", history[-1], flush=True)
    return {"loss": losses}, {"weights": networks, "arrays": pixels}


def with_new_head(source):
    body = keras.Model(source.inputs, source.layers[-2].output)
    return body, keras.Sequential([body, layers.Dense(lesson.CLASSES)])


def transfer(seed, quick=False):
    """Four classes from few patients, 200 steps for each stage; seeds also choose the patients. Needs `sources`."""
    train, test, pixels = brain_slices()
    steps = 6 if quick else TRANSFER_STEPS
    found = []
    for patients in TRANSFER_PATIENTS[:1] if quick else TRANSFER_PATIENTS:
        rng = np.random.default_rng([seed, patients])
        first = 4 * SOURCE_PATIENTS + 16 * rng.choice(30, patients // 4, replace=False)  # groups of one patient a class
        rows = (first[:, None] + np.arange(16)).ravel()
        images, labels = train.x[rows], train.targets["label"][rows]
        schedule = {"batch_size": 16, "epochs": steps // (len(rows) // 16), "verbose": 0}
        for name in ["lesion_present"] if quick else ["random", *SOURCES]:
            keras.utils.set_random_seed(seed)
            source = models.small_cnn(lesson.SHAPE, 1, **pixels)
            if name != "random":
                source.set_weights(lesson.source(name).get_weights())
            body, model = with_new_head(source)
            body.trainable = False
            compiled(model, rate=1e-2).fit(images, labels, **schedule)
            frozen = scores(model, test)
            if name == "random":
                body, model = with_new_head(models.small_cnn(lesson.SHAPE, 1, **pixels))
            body.trainable = True
            rate = 1e-3 if name == "random" else 3e-4
            compiled(model, rate).fit(images, labels, **schedule)
            arms = {"frozen": frozen, "from scratch" if name == "random" else "fine-tuned": scores(model, test)}
            for arm, score in arms.items():
                found.append({"patients": patients, "weights": name, "arm": arm, **score})
                print(found[-1], flush=True)
    return found


if __name__ == "__main__":
    functions = {"budget": budget, "depth": depth, "changes": changes, "sources": sources, "transfer": transfer}
    main("architectures", RUNS, functions, tolerance=dict.fromkeys(RUNS, 0.01))
