"""The solution of the capstone on a development file, part by part, and the one script that opens the official test.

    COURSE_CAPSTONE_DATA=pneumoniamnist-dev.npz python -m course_lib.lessons.capstone_solution.experiment
    COURSE_CAPSTONE_DATA=pneumoniamnist python -m course_lib.lessons.capstone_solution.experiment open "the reason"

The first stores what the lesson shows of the development file. The second opens the test: it scores all models of the
lesson's table once, three seeds each, image by image, and writes date, commit and reason down before it starts. No image is stored.
"""

import dataclasses
import datetime
import os
import sys

import numpy as np
from sklearn.metrics import roc_auc_score

from course_lib import data, evaluate, results
from course_lib.lessons.capstone import model as project
from course_lib.lessons.capstone_solution import model as lesson
from course_lib.tools.experiment import core, main

RUNS = {
    "recipe": range(3),
    "not-standardised": range(3),
    "not-varied": range(3),
    "not-weighted": range(3),
    "not-restrained": range(3),
    "rim-only": range(3),
    "no-rim": range(3),
    "simple": range(1),
    "official": range(1, 2),
}
NOTE = (
    "A development file: its test part was cut from the official training split of PneumoniaMNIST. No result on "
    "PneumoniaMNIST, and easier than it."
)
SEEDS = range(3)  # of each network at an opening
PLACES = {  # what of a 28×28 image logistic regression sees: rows and columns that are visible
    "rim of 1 pixel": lambda a: _rim(a, 1),
    "rim of 2 pixels": lambda a: _rim(a, 2),
    "rim of 4 pixels": lambda a: _rim(a, 4),
    "left and right, 4 pixels": lambda a: np.concatenate([a[:, :, :4], a[:, :, -4:]], 2).reshape(len(a), -1),
    "top and bottom, 4 pixels": lambda a: np.concatenate([a[:, :4], a[:, -4:]], 1).reshape(len(a), -1),
    "four corners of 4×4": lambda a: a[:, [0, 1, 2, 3, -4, -3, -2, -1]][:, :, [0, 1, 2, 3, -4, -3, -2, -1]].reshape(
        len(a), -1
    ),
    "four corners of 2×2": lambda a: a[:, [0, 1, -2, -1]][:, :, [0, 1, -2, -1]].reshape(len(a), -1),
    "the centre of 20×20": lambda a: a[:, 4:-4, 4:-4].reshape(len(a), -1),
    "the whole image": lambda a: a.reshape(len(a), -1),
}


def _rim(images, width):
    seen = np.ones(images.shape[1:3], bool)
    seen[width:-width, width:-width] = False
    return images[:, seen]


def development(quick=False):
    """(development file, without twins of training images in its validation part; number of the class to look for)."""
    name = os.environ.get("COURSE_CAPSTONE_DATA", "pneumoniamnist")
    dataset = project.generated_development() if quick else data.load(name)
    if not project.is_development(dataset):
        sys.exit(
            f"Results are stored of a development file alone, whose name ends in -dev; this one is {dataset.name}. Set "
            "COURSE_CAPSTONE_DATA to its path."
        )
    return project.without_twins(dataset), project.ill_class(dataset.class_names)


class LastStep:
    """A callback that keeps the weights of the last step, before their average takes their place."""

    def __new__(cls):
        from course_lib.models import keras

        class Keep(keras.callbacks.Callback):
            def on_epoch_end(self, epoch, logs=None):
                self.weights = self.model.get_weights()

        return Keep()


def arm(name):
    """The function that runs one arm with one seed, on the development file."""

    def run(seed, quick=False):
        dataset, ill = development(quick)
        dataset = lesson.visible(dataset, name)
        keep = LastStep()
        model, seconds = project.timed(lesson.train, dataset.train, ill, seed, arm=name, callbacks=[keep])
        truth = {part: getattr(dataset, part).targets["label"] == ill for part in ("train", "val", "test")}
        changes = [change(dataset.test.x).astype(np.float32) for change in project.CHANGES.values()]
        arrays = {"val_ill": truth["val"], "test_ill": truth["test"]}

        def keep_scores(label, **options):
            arrays[f"val{label}"] = np.float32(lesson.score(model, dataset.val.x, **options))
            arrays[f"changed{label}"] = np.float32([lesson.score(model, images, **options) for images in changes])
            arrays[f"test{label}"] = arrays[f"changed{label}"][0]

        keep_scores("")
        payload = {"parameters": model.count_params()}
        payload["train_auc"] = roc_auc_score(truth["train"], lesson.score(model, dataset.train.x, (1.0,)))
        payload["threshold"] = evaluate.operating_point(truth["val"], arrays["val"], sensitivity=lesson.SENSITIVITY)
        for key in ("val", "test"):
            payload[key] = lesson.measured(truth[key], arrays[key], payload["threshold"])
        payload["accuracy_at_half"] = float(np.mean((arrays["test"] >= 0.5) == truth["test"]))
        if name == "recipe":
            for where in ("centre", "rim"):  # the network that was trained on whole images
                images = project.cover(dataset.test.x, where)
                arrays[f"test, {where} covered"] = np.float32(lesson.score(model, images))
                payload[f"auc, {where} covered"] = roc_auc_score(truth["test"], arrays[f"test, {where} covered"])
            keep_scores(", one view", views=(1.0,))
            model.set_weights(keep.weights)
            keep_scores(", last step")
        return payload | ({} if quick else {"seconds": seconds}), {"arrays": arrays}

    run.__doc__ = f"{lesson.ARMS[name].capitalize()}. {NOTE}"
    return run


def simple(seed, quick=False):
    """What logistic regression reads from parts of the image, and how it fares where images look different. A development
    file: its test part was cut from the official training split of PneumoniaMNIST. No result on PneumoniaMNIST."""
    dataset, ill = development(quick)
    truth = {part: getattr(dataset, part).targets["label"] == ill for part in ("train", "val", "test")}
    arrays = {"val_ill": truth["val"], "test_ill": truth["test"], "places": np.array(list(PLACES))}
    places = []
    for place in PLACES.values():
        features = [place(part.x[..., 0]) for part in (dataset.train, dataset.test)]
        places.append(project.logistic(features[0], truth["train"], features[1]))
    changes = [change(dataset.test.x).astype(np.float32) for change in project.CHANGES.values()]
    changes = [dataclasses.replace(dataset.test, x=images) for images in changes]
    for name in ("three numbers", "logistic regression"):
        fitted = [project.baselines(dataset.train, ill, split)[name] for split in (dataset.val, *changes)]
        arrays[f"val, {name}"], arrays[f"changed, {name}"] = np.float32(fitted[0]), np.float32(fitted[1:])
    arrays["test of places"] = np.float32(places)
    return dict(zip(PLACES, (roc_auc_score(truth["test"], one) for one in places), strict=True)), {"arrays": arrays}


def all_models(dataset, ill, seeds):
    """(what was measured by model and seed, scores by "part model seed"): every model of the lesson's table."""
    truth = {part: getattr(dataset, part).targets["label"] == ill for part in ("train", "val", "test")}
    found, arrays = {}, {"test_ill": truth["test"]}

    def add(name, val, test, **more):
        threshold = evaluate.operating_point(truth["val"], val, sensitivity=lesson.SENSITIVITY)
        half = float(np.mean((test >= 0.5) == truth["test"]))
        found[name] = lesson.measured(truth["test"], test, threshold) | {
            "threshold": threshold,
            "accuracy_at_half": half,
        }
        found[name] |= more
        arrays[f"val {name}"], arrays[f"test {name}"] = np.float32(val), np.float32(test)

    simple_ones = [project.baselines(dataset.train, ill, part) for part in (dataset.val, dataset.test)]
    for name in simple_ones[0]:
        add(name, simple_ones[0][name], simple_ones[1][name])
    for seed in seeds:
        options = {"seed": seed, "epochs": project.EPOCHS}
        model = project.train(dataset.train, ill, project.my_network, project.my_augmentation, **options)
        add(f"article {seed}", *(project.score(model, part.x) for part in (dataset.val, dataset.test)))
        for name in ("recipe", "no-rim", "rim-only"):
            seen = lesson.visible(dataset, name)
            model, seconds = project.timed(lesson.train, seen.train, ill, seed, arm=name)
            add(f"{name} {seed}", *(lesson.score(model, part.x) for part in (seen.val, seen.test)), seconds=seconds)
    return found, arrays


def official(seed, quick=False):
    """Openings of the official test split of PneumoniaMNIST, the first edition's among them. Numbers at the threshold that finds
    95 % of the ill in validation; accuracy_at_half is at 0.5."""
    if not quick:
        sys.exit(
            'The official test is opened by: python -m course_lib.lessons.capstone_solution.experiment open "the reason".'
        )
    found, _ = all_models(*development(quick), range(1))
    return {name: {key: value for key, value in row.items() if key != "seconds"} for name, row in found.items()}


def open_test(reason):
    """Open the official test once. What is written first, stays: also if this run ends before it has its numbers."""
    dataset = data.load(os.environ.get("COURSE_CAPSTONE_DATA", "pneumoniamnist"))
    commit = results._commit()
    if not project.is_official(dataset):
        sys.exit(f"{dataset.name} does not hold the official test split of PneumoniaMNIST: nothing was opened.")
    if not commit or commit.endswith("+changes"):
        sys.exit(f"The code is not frozen (commit {commit or 'unknown'}): commit first. Nothing was opened.")
    if not reason.strip():
        sys.exit("Give a reason, which is written down with the numbers. Nothing was opened.")
    with core():
        with results.changed("capstone_solution/official") as document:
            openings = document.setdefault("openings", [])
            number = len(openings)
            date = datetime.datetime.now().isoformat(sep=" ", timespec="minutes")
            openings.append({"opening": number, "date": date, "commit": commit, "reason": reason})
        found, arrays = all_models(project.without_twins(dataset), project.ill_class(dataset.class_names), SEEDS)
        note = " ".join(official.__doc__.split())
        results.save("capstone_solution/official", found, seed=number, note=note, arrays=arrays)
    areas = ", ".join(f"{name} {row['auc']:.3f}" for name, row in found.items())
    print(f"Opening {number} is stored. AUC: {areas}.")


if __name__ == "__main__":
    if sys.argv[1:2] == ["open"]:
        open_test(" ".join(sys.argv[2:]))
    else:
        functions = {name: arm(name) for name in lesson.ARMS} | {"simple": simple, "official": official}
        main("capstone_solution", RUNS, functions, tolerance=dict.fromkeys(RUNS, 0.1))
