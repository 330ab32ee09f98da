"""This lesson over several seeds: the article's model with its Flatten head, with global average pooling, the small CNN.

python -m course_lib.lessons.first_cnn.experiment [networks] [heads]
"""

import functools

import numpy as np

from course_lib import data, evaluate, results
from course_lib.lessons.first_cnn import model
from course_lib.models import keras
from course_lib.tools.experiment import main

RUNS = {"networks": range(5), "heads": range(1)}  # the second sums up what the first has stored
FLATTEN, GAP, SMALL = model.ARMS
# Model, training patients, epochs, number of seeds. The first row is what the notebook trains live.
PLAN = [(FLATTEN, 100, 25, 5), (SMALL, 600, 10, 1), (GAP, 100, 25, 3), (SMALL, 100, 25, 2)]
QUICK = [(FLATTEN, 40, 2, 1), (GAP, 40, 2, 1), (SMALL, 40, 2, 1)]
TO_SHOW = [(FLATTEN, 100), (SMALL, 600)]  # by the explorer, with the weights of seed 0
SHIFT = 6  # pixels to the right and down, for the question whether a model knows places or shapes
SLICES_TO_KEEP = 3  # of each class, for the explorer


class KeepBest(keras.callbacks.Callback):
    """Remembers the weights of the epoch with the lowest validation loss."""

    lowest = np.inf

    def on_epoch_end(self, epoch, logs=None):
        if logs["val_loss"] < self.lowest:
            self.lowest, self.epoch, self.weights = logs["val_loss"], epoch + 1, self.model.get_weights()


@functools.cache
def networks(seed, quick=False):
    """brain-lesions (simulated), 64×64, four classes; accuracy per slice on unseen patients (chance is 0.25). The seed
    sets the initial weights and the order of the batches; the patients stay the same, and the 100 are part of the 600.
    `last`: after the last epoch. `best`: with the weights of the epoch whose validation loss was lowest. `shifted`: the
    last weights on test slices moved 6 pixels right and down. Intervals: 95 %, bootstrap by patient. The arrays say of
    each test slice whether the answer is right; those of seed 0 also hold what the explorer shows."""
    payload, arrays, shown = {}, {}, {}
    for arm, patients, epochs, seeds in QUICK if quick else PLAN:
        if seed < seeds:
            brains, key = data.load("brain-lesions", n_patients=patients), f"{arm}, {patients} patients"
            network, row, right = run(arm, brains, epochs, seed)
            payload[key] = {"arm": arm, "patients": patients, "epochs": epochs, **row}
            arrays |= {f"{key}, {name}": values for name, values in right.items()}
            if seed == 0 and (arm, patients) in TO_SHOW:
                shown[model.ARMS[arm]] = network
                arrays |= for_explorer(brains)  # the small CNN's come last
    return payload, {"arrays": arrays, "weights": shown or None}


def heads(seed, quick=False):
    """Each arm's mean over its seeds, and its difference from the Flatten head on the same patients. Intervals: 95 %,
    bootstrap by patient."""
    if quick:
        payload, more = networks(0, quick=True)
        stored = {0: (payload, more["arrays"])}
    else:
        arrays = {each: results.arrays("first_cnn/networks", each) for each in RUNS["networks"]}
        stored = {each: (payload, arrays[each]) for each, payload in results.load("first_cnn/networks").items()}
    test = data.load("brain-lesions").test
    arms = {}
    for key, row in stored[0][0].items():
        mean = mean_over_seeds(stored, key)
        arms[key] = {name: interval(values, test) for name, values in mean.items()}
        flatten = f"{FLATTEN}, {row['patients']} patients"
        if key != flatten and flatten in stored[0][0]:
            # The difference is resampled, not each accuracy: both met the same patients.
            difference = mean["last"] - mean_over_seeds(stored, flatten)["last"]
            arms[key]["last minus Flatten"] = interval(difference, test, bounds=(-1, 1))
    return {"shift_pixels": SHIFT, "arms": arms}


def run(arm, brains, epochs, seed):
    """The network after its last epoch, what is told of it, and for each test slice whether its answer is right."""
    keras.utils.set_random_seed(seed)
    network, best = model.network(arm, brains.train.x), KeepBest()
    history = network.fit(
        brains.train.x,
        brains.train.targets["label"],
        validation_data=(brains.val.x, brains.val.targets["label"]),
        epochs=epochs,
        batch_size=32,
        verbose=0,
        callbacks=[best],
    ).history
    right = {
        "last": right_on(network, brains.test),
        "shifted": right_on(network, brains.test, np.roll(brains.test.x, (SHIFT, SHIFT), axis=(1, 2))),
    }
    last_weights = network.get_weights()
    network.set_weights(best.weights)
    right["best"] = right_on(network, brains.test)
    network.set_weights(last_weights)
    row = {
        "parameters": sum(int(np.prod(w.shape)) for w in network.trainable_variables),
        "best_epoch": best.epoch,
        "history": history,
        "test": {name: interval(values, brains.test) for name, values in right.items()},
    }
    return network, row, right


def right_on(network, split, images=None):
    """For each slice whether the network's answer is right, bool (n,)."""
    guess = network.predict(split.x if images is None else images, batch_size=128, verbose=0).argmax(1)
    return guess == split.targets["label"]


def mean_over_seeds(stored, key):
    """For each slice the share of an arm's seeds that are right, (n,), by what was tested."""
    arrays = [arrays for payload, arrays in stored.values() if key in payload]
    return {name: np.mean([each[f"{key}, {name}"] for each in arrays], axis=0) for name in ("last", "shifted", "best")}


def interval(right, split, bounds=(0, 1)):
    """[value, low, high] of the mean of right (n,)."""
    return list(evaluate.bootstrap(np.mean, right, groups=split.groups, bounds=bounds)[:3])


def for_explorer(brains):
    """Some slices of different patients, and what the small CNN standardises with."""
    labels = brains.test.targets["label"]
    chosen = np.concatenate([np.flatnonzero(labels == c)[1::4][:SLICES_TO_KEEP] for c in range(4)])
    return {
        "images": np.round(255 * brains.test.x[chosen, :, :, 0]).astype(np.uint8),
        "labels": labels[chosen],
        "class_names": np.array(brains.class_names),
        "mean": np.float32(brains.train.x.mean()),
        "std": np.float32(brains.train.x.std()),
    }


if __name__ == "__main__":
    main("first_cnn", RUNS, {"networks": networks, "heads": heads}, tolerance=dict.fromkeys(RUNS, 0.03))
