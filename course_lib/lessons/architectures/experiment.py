"""Lesson 09: AlexNet, VGG and ResNet at equal processor time, their ablations, depth, one change at a time, transfer.

Run from the course's folder: python course_lib/lessons/architectures/experiment.py [budget] [depth] [changes] [transfer] [--seeds 5]
Without names all four parts run: about a quarter of an hour of processor time. Each writes course_lib/lessons/architectures/results/PART.json after every seed;
transfer also writes the two source models. A run that was stopped goes on where it was, as long as the settings in the
file's note are those of this script; delete the file to begin again.
"""

import argparse
import json
import os
import time

os.environ["TF_NUM_INTRAOP_THREADS"] = "1"  # processor seconds then hardly depend on what else the machine does

import numpy as np

from course_lib import ROOT, data, models
from course_lib.evaluate import bootstrap
from course_lib.tools.common import save

keras, layers = models.keras, models.layers

BUDGET = 10  # processor seconds
SHAPE = (32, 32, 1)
ON_THE_DATA = "brain-lesions (simulated), 32×32; seeds set the weights and the order, the patients stay the same. "
TRANSFER_PATIENTS = [12, 40]  # a quarter of each class
TRANSFER_STEPS = 200
SOURCES = ["lesion_present", "slice_position"]
SOURCE_PATIENTS = 480  # the other 120 training patients are kept for the target task


class ProcessorBudget(keras.callbacks.Callback):
    """Stops `fit` after so many processor seconds; for the last quarter the learning rate falls to a fifth.

    Processor time does not count what other programs do meanwhile. The first batch, in which
    TensorFlow compiles the network, is free, and so is what happens between epochs.
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
        right = (predict(self.model, self.images) == self.labels).mean()
        self.rows.append({"seconds": min(self.budget.used, self.budget.seconds), "loss": logs["loss"], "test": right})


def compiled(model, rate=1e-3, loss=None):
    loss = loss or keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(rate), loss)
    return model


def predict(model, images):
    return model.predict(images, batch_size=320, verbose=0).argmax(axis=1)


def accuracy(truth, guess):
    return (truth == guess).mean()


def scores(model, split):
    labels = split.targets["label"]
    estimate = bootstrap(accuracy, labels, predict(model, split.x), groups=split.groups, repeats=500)
    return {"test": estimate.value, "low": estimate.low, "high": estimate.high}


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
    "AlexNet": models.small_alexnet,
    "VGG": models.small_vgg,
    "ResNet": models.small_resnet,
    "AlexNet, tanh": lambda *a, **k: models.small_alexnet(*a, activation="tanh", **k),
    "AlexNet, no dropout": lambda *a, **k: models.small_alexnet(*a, dropout=0.0, **k),
    "VGG, one 5×5": lambda *a, **k: models.small_vgg(*a, convolutions=(1, 1, 1), kernel=5, **k),
    "ResNet, no identity": lambda *a, **k: models.small_resnet(*a, identity=False, **k),
}


def run_budget(brains, seed, results):
    train, test = brains.train, brains.test
    pixels = {"mean": train.x.mean(), "variance": train.x.var()}
    for name, build in NETWORKS.items():
        keras.utils.set_random_seed(seed)
        model = compiled(build(SHAPE, 4, **pixels))
        budget = ProcessorBudget(BUDGET)
        curve = Curve(budget, test.x, test.targets["label"])
        model.fit(
            train.x,
            train.targets["label"],
            batch_size=32,
            epochs=1000,
            verbose=0,
            callbacks=[budget, curve],
        )
        row = {
            "seed": seed,
            "steps": budget.steps,
            "train_loss": train_loss(model, train),
            "train": accuracy(train.targets["label"], predict(model, train.x)),
            "curve": curve.rows,
            **scores(model, test),
        }
        sizes = {"parameters": model.count_params(), "multiply_adds": models.multiply_adds(model)}
        results.setdefault(name, {**sizes, "rows": []})["rows"].append(row)
        print(name, {key: value for key, value in row.items() if key != "curve"}, flush=True)


# ---- depth ---------------------------------------------------------------------------------------------------------------

BLOCKS = [2, 8, 16]  # two layers each; the first convolution and the dense layer make two more
DEPTH_PATIENTS, DEPTH_EPOCHS = 300, 5


def deep_net(blocks, identity, mean, variance):
    """The lesson's narrow network on 8×8 maps: cheap, so that it can be deep."""
    inputs = layers.Input(SHAPE)
    x = layers.Normalization(mean=mean, variance=variance)(inputs)
    x = models.conv_block(x, 16, 5, strides=4)
    for _ in range(blocks):
        x = models.residual_block(x, 16, identity=identity)
    return keras.Model(inputs, layers.Dense(4)(layers.GlobalAveragePooling2D()(x)))


def run_depth(brains, seed, results):
    train, test = first_patients(brains.train, DEPTH_PATIENTS), brains.test
    pixels = {"mean": train.x.mean(), "variance": train.x.var()}
    for blocks in BLOCKS:
        for name, identity in [("plain", False), ("residual", True)]:
            keras.utils.set_random_seed(seed)
            model = compiled(deep_net(blocks, identity, **pixels))
            start = time.process_time()
            history = model.fit(train.x, train.targets["label"], batch_size=32, epochs=DEPTH_EPOCHS, verbose=0).history[
                "loss"
            ]
            row = {"seed": seed, "network": name, "layers": 2 * blocks + 2, "running_loss": history}
            row |= {"train_loss": train_loss(model, train), "processor_seconds": time.process_time() - start}
            results.setdefault("rows", []).append({**row, **scores(model, test)})
            print(results["rows"][-1], flush=True)


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
    inputs = layers.Input(SHAPE)
    x = layers.Normalization(mean=mean, variance=variance)(inputs)
    for place, channels in enumerate((8, 16, 32)):
        step = (strides if place == 0 else 1) * (2 if pooling == "stride" else 1)
        x = models.conv_block(x, channels, kernel, strides=step)
        if pooling != "stride":
            x = (layers.MaxPooling2D if pooling == "max" else layers.AveragePooling2D)(2)(x)
    return keras.Model(inputs, layers.Dense(4)(layers.GlobalAveragePooling2D()(x)))


def run_changes(brains, seed, results):
    train, test = brains.train, brains.test
    pixels = {"mean": train.x.mean(), "variance": train.x.var()}
    for name, change in CHANGES.items():
        keras.utils.set_random_seed(seed)
        model = compiled(three_layers(**pixels, **change), rate=3e-3)
        model.fit(train.x[:32], train.targets["label"][:32], verbose=0)  # compiles; what follows is timed
        start = time.process_time()
        model.fit(train.x, train.targets["label"], batch_size=32, epochs=CHANGE_EPOCHS - 2, verbose=0)
        model.optimizer.learning_rate /= 5
        model.fit(train.x, train.targets["label"], batch_size=32, epochs=2, verbose=0)
        row = {"seed": seed, "processor_seconds": time.process_time() - start, **scores(model, test)}
        sizes = {"parameters": model.count_params(), "multiply_adds": models.multiply_adds(model)}
        results.setdefault(name, {**sizes, "rows": []})["rows"].append(row)
        print(name, row, flush=True)


# ---- transfer ---------------------------------------------------------------------------------------------------------------


def source_model(task, brains, pixels, done):
    """The small CNN, trained on another question about the same kind of slices, of patients the target never sees.

    Where a run goes on after `done` seeds, it is the model that these seeds used.
    """
    path = ROOT / "course_lib/lessons/architectures/results" / f"{task}.keras"
    if done:
        return keras.models.load_model(path)
    rows = np.arange(4 * SOURCE_PATIENTS)  # four slices each
    if task == "lesion_present":
        targets, loss = brains.train.targets["label"] > 0, keras.losses.BinaryCrossentropy(from_logits=True)
    else:
        position = brains.train.targets["slice_position"]
        targets, loss = (position - position.mean()) / position.std(), keras.losses.MeanSquaredError()
    keras.utils.set_random_seed(0)
    model = compiled(models.small_cnn(SHAPE, 1, **pixels), loss=loss)
    history = model.fit(
        brains.train.x[rows],
        targets[rows].astype(np.float32),
        epochs=1000,
        verbose=0,
        callbacks=[ProcessorBudget(2 * BUDGET)],
    ).history["loss"]
    clean = models.small_cnn(SHAPE, 1, **pixels)  # without the optimiser's memory, a third of the size
    clean.set_weights(model.get_weights())
    path.parent.mkdir(exist_ok=True)
    clean.save(path)
    print(task, len(history), "epochs, loss", history[-1], flush=True)
    return clean


def with_new_head(source):
    body = keras.Model(source.inputs, source.layers[-2].output)
    return body, keras.Sequential([body, layers.Dense(4)])


def run_transfer(brains, seed, results, sources):
    train, test = brains.train, brains.test
    pixels = {"mean": train.x.mean(), "variance": train.x.var()}
    for patients in TRANSFER_PATIENTS:
        rng = np.random.default_rng([seed, patients])
        first = 4 * SOURCE_PATIENTS + 16 * rng.choice(30, patients // 4, replace=False)  # groups of one patient a class
        rows = (first[:, None] + np.arange(16)).ravel()
        images, labels = train.x[rows], train.targets["label"][rows]
        schedule = {"batch_size": 16, "epochs": TRANSFER_STEPS // (len(rows) // 16), "verbose": 0}
        for name in ["random", *sources]:
            keras.utils.set_random_seed(seed)
            source = models.small_cnn(SHAPE, 1, **pixels)
            if name != "random":
                source.set_weights(sources[name].get_weights())
            body, model = with_new_head(source)
            body.trainable = False
            compiled(model, rate=1e-2).fit(images, labels, **schedule)
            frozen = scores(model, test)
            if name == "random":
                body, model = with_new_head(models.small_cnn(SHAPE, 1, **pixels))
            body.trainable = True
            rate = 1e-3 if name == "random" else 3e-4
            compiled(model, rate).fit(images, labels, **schedule)
            arms = {"frozen": frozen, "from scratch" if name == "random" else "fine-tuned": scores(model, test)}
            for arm, score in arms.items():
                row = {"seed": seed, "patients": patients, "weights": name, "arm": arm, **score}
                results.setdefault("rows", []).append(row)
                print(row, flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="part", help="budget, depth, changes, transfer; default: all")
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    runs = {"budget": run_budget, "depth": run_depth, "changes": run_changes, "transfer": run_transfer}
    if unknown := set(arguments.parts) - set(runs):
        parser.error(f"no such part: {', '.join(unknown)}; the parts are {', '.join(runs)}")
    brains = data.load("brain-lesions", size=32)
    pixels = {"mean": brains.train.x.mean(), "variance": brains.train.x.var()}
    notes = {
        "budget": f"Every network trained for {BUDGET} processor seconds (one thread). {ON_THE_DATA}",
        "depth": f"Networks of growing depth on 8×8 maps, {DEPTH_PATIENTS} patients, {DEPTH_EPOCHS} epochs, Adam 1e-3. {ON_THE_DATA}",
        "changes": f"Three convolutions, one property changed, {CHANGE_EPOCHS} epochs. {ON_THE_DATA}",
        "transfer": f"Four classes from few patients, {TRANSFER_STEPS} steps for each stage; seeds also choose the patients. "
        + ON_THE_DATA,
    }
    for part in arguments.parts or runs:
        note = f"{notes[part]}Accuracy per slice on unseen patients; intervals: 95 %, bootstrap by patient."
        results, done = unfinished(part, note)
        options = {}
        if part == "transfer" and done < arguments.seeds:
            options["sources"] = {task: source_model(task, brains, pixels, done) for task in SOURCES}
        for seed in range(done, arguments.seeds):
            runs[part](brains, seed, results, **options)
            save(f"architectures/{part}.json", results, seeds=list(range(seed + 1)), note=note)


def unfinished(part, note):
    """Results of an earlier run of this part with the same settings, and the number of seeds that they hold."""
    path = ROOT / "course_lib/lessons/architectures/results" / f"{part}.json"
    document = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return (document["results"], len(document["seeds"])) if document.get("note") == note else ({}, 0)


if __name__ == "__main__":
    main()
