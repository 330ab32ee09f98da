"""This lesson over several seeds: the article's model with its Flatten head, with global average pooling, the small CNN.

`rates` and `pooling` ask what the head does once both networks are trained: each at its own rate, which `rates` chose on
validation patients, with standardised input, until the training accuracy stands still. `networks` and `heads` are the
small runs that the notebook trains live, with the article's settings.

python -m course_lib.lessons.first_cnn.experiment [rates] [pooling] [networks] [heads]
"""

import functools

import numpy as np

from course_lib import data, evaluate, results
from course_lib.lessons.first_cnn import model
from course_lib.models import compile_with_cosine, keras
from course_lib.tools.experiment import main

RUNS = {"rates": range(2), "pooling": range(5), "networks": range(5), "heads": range(1)}
FLATTEN, GAP, SMALL = model.ARMS
# Model, training patients, epochs, number of seeds. The first row is what the notebook trains live.
PLAN = [(FLATTEN, 100, 25, 5), (SMALL, 600, 10, 1), (GAP, 100, 25, 3), (SMALL, 100, 25, 2)]
QUICK = [(FLATTEN, 40, 2, 1), (GAP, 40, 2, 1), (SMALL, 40, 2, 1)]
TO_SHOW = [(FLATTEN, 100), (SMALL, 600)]  # by the explorer, with the weights of seed 0
SHIFT = 6  # pixels to the right and down, for the question whether a model knows places or shapes
SLICES_TO_KEEP = 3  # of each class, for the explorer

# For `rates` and `pooling`.
RATES = (3e-3, 1e-2, 3e-2, 1e-1)
EPOCHS = {"Flatten": 30, "global average pooling": 60}  # after them the training accuracy has stood still
TRAINING, TEST = 1200, 600  # patients
FIRST_SET = {"rates": 600, "pooling": 610}  # seed of the data for run 0: no choice has seen the patients of `pooling`
TEST_SET = 650  # its test patients are those of every run of `pooling`


class KeepBest(keras.callbacks.Callback):
    """Remembers the weights of the epoch with the lowest validation loss."""

    lowest = np.inf

    def on_epoch_end(self, epoch, logs=None):
        if logs["val_loss"] < self.lowest:
            self.lowest, self.epoch, self.weights = logs["val_loss"], epoch + 1, self.model.get_weights()


def rates(seed, quick=False):
    """brain-lesions (simulated), 32×32, 1,200 training patients: accuracy per slice on 120 validation patients and, in use, on
    the training slices, for each head and each learning rate of Adam, which rises to it in the first tenth of the steps and
    then falls to 0 along a cosine. The seed draws patients, initial weights and order."""
    payload = {}
    for head in model.HEADS:
        for rate in RATES[1:2] if quick else RATES:
            brains, network, _ = trained("rates", head, rate, seed, quick)
            payload[f"{head}, {rate:g}"] = {
                name: share_right(network, getattr(brains, name)) for name in ("train", "val")
            }
    return payload


def pooling(seed, quick=False):
    """Either head at the rate that was best in `rates`, on brain-lesions (simulated), 32×32, 1,200 training patients of the
    seed's own: accuracy per slice on 600 test patients, the same for all seeds, and, in use, on the training slices; as the
    slices are, and moved 3 pixels (20 mm) right and down. `class means` and `softmax regression` are the simplest rules, on
    the same standardised pixels. `curve`: training accuracy in use after every fifth epoch. The arrays hold the answers (n,)."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import NearestCentroid

    chosen = dict.fromkeys(model.HEADS, RATES[1]) if quick else best_rates()
    test = data.load("brain-lesions", size=32, seed=0 if quick else TEST_SET, n_test=40 if quick else TEST).test
    moved = np.roll(test.x, (3, 3), axis=(1, 2))  # what leaves on one side comes back on the other: background
    payload, arrays = {"rates": chosen}, {"truth": test.targets["label"], "groups": test.groups}
    for head, rate in chosen.items():
        brains, network, curve = trained("pooling", head, rate, seed, quick)
        answers = {"as they are": answered(network, test.x), "moved": answered(network, moved)}
        payload[head] = {
            "parameters": sum(int(np.prod(w.shape)) for w in network.trainable_variables),
            "train": share_right(network, brains.train),
            "test": {name: float((answer == test.targets["label"]).mean()) for name, answer in answers.items()},
            "curve": curve,
        }
        arrays |= {f"{head}, {name}": answer.astype(np.uint8) for name, answer in answers.items()}
    centre, spread = brains.train.x.mean(), brains.train.x.std()
    rows = {
        name: ((x - centre) / spread).reshape(len(x), -1) for name, x in (("train", brains.train.x), ("test", test.x))
    }
    for name, rule in (
        ("class means", NearestCentroid()),
        ("softmax regression", LogisticRegression(C=1e-3, max_iter=300)),
    ):
        answer = rule.fit(rows["train"], brains.train.targets["label"]).predict(rows["test"])
        payload[name] = {"test": float((answer == test.targets["label"]).mean())}
        arrays[name] = answer.astype(np.uint8)
    return payload, {"arrays": arrays}


def best_rates():
    """The rate of each head with the best mean validation accuracy in `rates`. Raises ValueError at an end of the list."""
    stored, best = results.load("first_cnn/rates"), {}
    for head in model.HEADS:
        best[head] = max(
            RATES, key=lambda rate: np.mean([each[f"{head}, {rate:g}"]["val"] for each in stored.values()])
        )
        if best[head] in (RATES[0], RATES[-1]):
            raise ValueError(f"{head} is best at {best[head]:g}, an end of the list of rates: make it longer.")
    return best


def trained(run_name, head, rate, seed, quick):
    """The data, the network after its last epoch, and its training accuracy in use after every fifth epoch."""
    brains = data.load(
        "brain-lesions", size=32, seed=0 if quick else FIRST_SET[run_name] + seed, n_patients=40 if quick else TRAINING
    )
    keras.utils.set_random_seed(seed)
    network, epochs = model.fair_network(head, brains.train.x), 2 if quick else EPOCHS[head]
    steps = epochs * -(-len(brains.train) // 32)
    # Without the warm-up a network with global average pooling stayed at chance for some seeds, at the rate that others needed.
    options = {"warm_up": steps // 10, "steps_per_execution": 5 if quick else 25}
    compile_with_cosine(network, rate, steps, **options)
    curve = []
    network.fit(
        brains.train.x,
        brains.train.targets["label"],
        epochs=epochs,
        batch_size=32,
        verbose=0,
        callbacks=[
            keras.callbacks.LambdaCallback(
                on_epoch_end=lambda epoch, logs: epoch % 5 == 4 and curve.append(share_right(network, brains.train))
            )
        ],
    )
    return brains, network, curve


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
    return answered(network, split.x if images is None else images) == split.targets["label"]


def share_right(network, split):
    """Accuracy per slice."""
    return float(right_on(network, split).mean())


def answered(network, images):
    """The class that the network gives each image, (n,)."""
    return network.predict(images, batch_size=256, verbose=0).argmax(1)


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
    main(
        "first_cnn",
        RUNS,
        {"rates": rates, "pooling": pooling, "networks": networks, "heads": heads},
        tolerance=dict.fromkeys(RUNS, 0.03),
    )
