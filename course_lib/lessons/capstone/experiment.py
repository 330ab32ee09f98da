"""Stored runs of the capstone project: what the notebook shows where there is no file of images.

    COURSE_CAPSTONE_DATA=pneumoniamnist-dev.npz python -m course_lib.lessons.capstone.experiment

COURSE_CAPSTONE_DATA names a development file, whose test part was cut from the official training split. Scores are stored,
and no image.
"""

import os
import sys

import numpy as np
from sklearn.metrics import roc_auc_score

from course_lib import data
from course_lib.lessons.capstone import model as lesson
from course_lib.tools.experiment import main

RUNS = {"baselines": range(1), "project": range(5)}


def development(quick=False):
    """(development file without twins in its validation part, number of the class to look for); quick: generated."""
    name = os.environ.get("COURSE_CAPSTONE_DATA", "pneumoniamnist")
    dataset = lesson.generated_development() if quick else data.load(name)
    if not lesson.is_development(dataset):
        sys.exit(
            f"Results are stored of a development file alone, whose name ends in -dev; this one is {dataset.name}. Set "
            "COURSE_CAPSTONE_DATA to its path."
        )
    return lesson.without_twins(dataset), lesson.ill_class(dataset.class_names)


def baselines(seed, quick=False):
    """Rules without a network, on a development file: its test part was cut from the official training split of
    PneumoniaMNIST. No result on PneumoniaMNIST, and easier than it. Validation is without twins of training images."""
    dataset, ill = development(quick)
    arrays, areas = {}, {}
    for part in ("val", "test"):
        split = getattr(dataset, part)
        arrays[f"{part}_ill"] = truth = split.targets["label"] == ill
        for name, scores in lesson.baselines(dataset.train, ill, split).items():
            arrays[f"{part} {name}"] = np.float32(scores)
            areas[f"{part} {name}"] = roc_auc_score(truth, scores)
    return areas, {"arrays": arrays}


def project(seed, quick=False):
    """The article's network with the article's three changes, without them, without its second convolution, and trained on
    the rim of the images alone, ten passes each, on a development file: its test part was cut from the official training
    split of PneumoniaMNIST. No result on PneumoniaMNIST, and easier than it."""
    dataset, ill = development(quick)
    rim = lesson.only_rim(dataset)
    arms = {
        "article": (dataset, lesson.my_network, lesson.my_augmentation),
        lesson.PARTS[0]: (dataset, lesson.my_network, lesson.no_augmentation),
        lesson.PARTS[1]: (dataset, lesson.my_simpler_network, lesson.my_augmentation),
        lesson.PARTS[2]: (rim, lesson.my_network, lesson.my_augmentation),
    }
    truth = {part: getattr(dataset, part).targets["label"] == ill for part in ("train", "val", "test")}
    arrays = {"val_ill": truth["val"], "test_ill": truth["test"], "changes": np.array(list(lesson.CHANGES))}
    payload = {}
    for arm, (images, network, augmentation) in arms.items():
        options = {"seed": seed, "epochs": 12 if quick else lesson.EPOCHS}
        model, seconds = lesson.timed(lesson.train, images.train, ill, network, augmentation, **options)
        test = images.test.x if images is dataset else lesson.cover(images.test.x, "centre")
        arrays[f"val {arm}"], arrays[f"test {arm}"] = lesson.score(model, images.val.x), lesson.score(model, test)
        known = roc_auc_score(truth["train"], lesson.score(model, images.train.x))
        areas = {f"{part}_auc": roc_auc_score(truth[part], arrays[f"{part} {arm}"]) for part in ("val", "test")}
        payload[arm] = {"parameters": model.count_params(), "train_auc": known, **areas}
        payload[arm] |= {} if quick else {"seconds": seconds}
        if arm == "article":
            changed = (change(dataset.test.x).astype(np.float32) for change in lesson.CHANGES.values())
            arrays["changed"] = np.stack([lesson.score(model, images) for images in changed])
    return payload, {"arrays": arrays}


if __name__ == "__main__":
    main("capstone", RUNS, {"baselines": baselines, "project": project}, tolerance={"baselines": 0.02, "project": 0.1})
