"""Lesson 06 over several seeds: the article's model with its Flatten head, with global average pooling, the small CNN.

Run from the course's folder: python course_lib/lessons/first_cnn/experiment.py
Writes course_lib/lessons/first_cnn/results/heads.json after every run of it, and course_lib/lessons/first_cnn/results/models.npz with one seed's weights of two models and
a few test slices for the lesson's explorer.
"""

import time

import numpy as np

from course_lib import ROOT, data, evaluate, models
from course_lib.tools.common import save

keras = models.keras
layers = keras.layers

FLATTEN, GAP, SMALL = "article's model, Flatten", "article's model, GAP", "small CNN, GAP"
# Model, training patients, epochs, seeds. The first row is what the notebook trains live.
PLAN = [
    (FLATTEN, 100, 25, [0, 1, 2, 3, 4]),
    (SMALL, 600, 10, [0]),
    (GAP, 100, 25, [0, 1, 2]),
    (SMALL, 100, 25, [0, 1]),
]
SHIFT = 6  # pixels to the right and down, for the question whether a model knows places or shapes
SLICES_TO_KEEP = 3  # of each class
NOTE = (
    "brain-lesions (simulated), 64×64, four classes; accuracy per slice on unseen patients (chance is 0.25). The seed "
    "sets the initial weights and the order of the batches; the patients stay the same, and the 100 are part of the "
    "600. `last`: after the last epoch. `best`: with the weights of the epoch whose validation loss was lowest. "
    f"`shifted`: the last weights on test slices moved by {SHIFT} pixels right and down. Intervals: 95 %, bootstrap by "
    "patient; those of an arm are for the mean over its seeds. Seconds were taken on a machine shared with other work: "
    "upper bounds."
)


def build(arm, x):
    """A compiled model for images x (n, h, w, 1)."""
    if arm == SMALL:
        model = models.small_cnn(x.shape[1:], 4, mean=x.mean(), variance=x.var())
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    else:
        head = layers.Flatten() if arm == FLATTEN else layers.GlobalAveragePooling2D()
        model = keras.Sequential(
            [
                layers.Input(x.shape[1:]),
                layers.Conv2D(32, 3, activation="relu"),
                layers.MaxPooling2D(2),
                layers.Conv2D(64, 3, activation="relu"),
                layers.MaxPooling2D(2),
                head,
                layers.Dense(4, activation="softmax"),
            ]
        )
        loss = "sparse_categorical_crossentropy"
    model.compile(optimizer="adam", loss=loss, metrics=["accuracy"])
    return model


class KeepBest(keras.callbacks.Callback):
    """Remembers the weights of the epoch with the lowest validation loss."""

    lowest = np.inf

    def on_epoch_end(self, epoch, logs=None):
        if logs["val_loss"] < self.lowest:
            self.lowest, self.epoch, self.weights = logs["val_loss"], epoch + 1, self.model.get_weights()


def right_on(model, split, images=None):
    """For each slice whether the model's answer is right, float (n,)."""
    images = split.x if images is None else images
    guess = model.predict(images, batch_size=128, verbose=0).argmax(1)
    return (guess == split.targets["label"]).astype(float)


def interval(right, split):
    """[value, low, high] of the mean."""
    return list(evaluate.bootstrap(np.mean, right, groups=split.groups)[:3])


def run(arm, brains, epochs, seed):
    keras.utils.set_random_seed(seed)
    model, best = build(arm, brains.train.x), KeepBest()
    start, start_cpu = time.perf_counter(), time.process_time()
    history = model.fit(
        brains.train.x,
        brains.train.targets["label"],
        validation_data=(brains.val.x, brains.val.targets["label"]),
        epochs=epochs,
        batch_size=32,
        verbose=0,
        callbacks=[best],
    ).history
    seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - start_cpu
    right = {
        "last": right_on(model, brains.test),
        "shifted": right_on(model, brains.test, np.roll(brains.test.x, (SHIFT, SHIFT), axis=(1, 2))),
    }
    last_weights = model.get_weights()
    model.set_weights(best.weights)
    right["best"] = right_on(model, brains.test)
    model.set_weights(last_weights)
    row = {
        "seed": seed,
        "parameters": sum(int(np.prod(w.shape)) for w in model.trainable_variables),
        "best_epoch": best.epoch,
        "history": history,
        "test": {name: interval(values, brains.test) for name, values in right.items()},
        "seconds": seconds,
        "processor_seconds": cpu_seconds,
    }
    return model, row, right


def store_for_explorer(stored, brains):
    """Weights of the two models in half precision (the answers stay the same), and slices of different patients."""
    labels = brains.test.targets["label"]
    chosen = np.concatenate([np.flatnonzero(labels == c)[1::4][:SLICES_TO_KEEP] for c in range(4)])
    arrays = {
        f"{name}_{place}": weight.astype(np.float16)
        for name, weights in stored.items()
        for place, weight in enumerate(weights)
    }
    np.savez_compressed(
        ROOT / "course_lib/lessons/first_cnn/results" / "models.npz",
        **arrays,
        images=np.round(255 * brains.test.x[chosen, :, :, 0]).astype(np.uint8),
        labels=labels[chosen],
        class_names=np.array(brains.class_names),
        mean=np.float32(brains.train.x.mean()),
        std=np.float32(brains.train.x.std()),
    )


def summarise(rows, rights, flatten, test):
    """One arm: the mean over its seeds, and its difference from the Flatten head on the same patients."""
    mean = {name: np.mean([right[name] for right in rights], axis=0) for name in rights[0]}
    summary = {name: interval(values, test) for name, values in mean.items()}
    if flatten:  # the difference is resampled, not each accuracy: both met the same patients
        summary["last minus Flatten"] = interval(mean["last"] - np.mean([r["last"] for r in flatten], axis=0), test)
    return {"parameters": rows[0]["parameters"], "test": summary, "rows": rows}


def main():
    arms, rights, stored = {}, {}, {}
    (ROOT / "course_lib/lessons/first_cnn/results").mkdir(parents=True, exist_ok=True)
    for arm, patients, epochs, seeds in PLAN:
        brains = data.load("brain-lesions", n_patients=patients)
        key = arm, patients
        for seed in seeds:
            model, row, right = run(arm, brains, epochs, seed)
            if seed == 0 and key in [(FLATTEN, 100), (SMALL, 600)]:
                stored["article" if arm == FLATTEN else "small"] = [w.numpy() for w in model.trainable_variables]
                store_for_explorer(stored, brains)
            rights.setdefault(key, []).append(right)
            known = arms.setdefault(key, {"arm": arm, "patients": patients, "epochs": epochs, "rows": []})
            rows = [*known["rows"], row]
            flatten = rights.get((FLATTEN, patients)) if arm != FLATTEN else None
            known |= summarise(rows, rights[key], flatten, brains.test)
            brief = {name: round(values[0], 3) for name, values in row["test"].items()}
            print(arm, patients, seed, brief, f"best epoch {row['best_epoch']}, {row['seconds']:.0f} s", flush=True)
            results = {"shift_pixels": SHIFT, "arms": list(arms.values())}
            save("first_cnn/heads.json", results, seeds=PLAN[0][3], note=NOTE)


if __name__ == "__main__":
    main()
