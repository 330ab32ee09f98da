"""What the lesson shows of explanations, over several seeds.

    python -m course_lib.lessons.explanations.experiment [--quick]

Each seed (of initial weights and order; the patients are the same) trains three small CNNs on "brain-lesions" at 64×64:

- normal: four classes, images as they are;
- marker: lesion or not (one logit), a cross burnt into the corner of 95 % of the patients with a lesion and 5 % of others;
- calliper: the same question, the cross on the lesion itself in 95 % of the patients with a lesion, and in no other.

Measured on test patients: accuracy, maps scored against the masks and by deletion and insertion, similarity of maps to
those of randomised models. The first two networks of seed 0 are kept.
"""

import numpy as np
from sklearn.metrics import balanced_accuracy_score

from course_lib import data, explain, models
from course_lib.images import add_marker
from course_lib.lessons.explanations.model import (
    LAST,
    SHAPE,
    corner,
    deepest,
    edge_filter,
    largest_slices,
    replacement,
    with_marker,
)
from course_lib.tools.experiment import main

keras = models.keras
RUNS = {"explanations": range(5)}
EPOCHS, SHORT = 14, 4


def train(x, label, classes, epochs, seed):
    keras.utils.set_random_seed(seed)
    model = models.small_cnn(SHAPE, classes, **pixels(x))
    loss = keras.losses.SparseCategoricalCrossentropy if classes > 1 else keras.losses.BinaryCrossentropy
    model.compile(keras.optimizers.Adam(1e-3), loss(from_logits=True))
    model.fit(x, label, batch_size=32, epochs=epochs, verbose=0)
    return model


def pixels(x):
    return {"mean": float(x.mean()), "variance": float(x.var())}


def all_maps(model, x, target, names=None):
    """The maps of all methods, or of those that are named."""
    blur = replacement("blurred", x)
    methods = {
        "gradient": explain.saliency,
        "SmoothGrad": explain.smoothgrad,
        "integrated gradients, black": explain.integrated_gradients,
        "integrated gradients, blurred": lambda *a: explain.integrated_gradients(*a, baseline=blur),
        "occlusion": lambda *a: explain.occlusion(*a, fill=blur),
        "Grad-CAM": lambda *a: explain.grad_cam(*a, LAST),
        "guided backprop": explain.guided_backprop,
        "edge filter": lambda *a: edge_filter(x),
        "random pixels": lambda *a: np.random.default_rng(0).random(x.shape[:3]),
    }
    return {name: methods[name](model, x, target) for name in names or methods}


def scores(model, x, target, masks, maps):
    blur, grey = (replacement(fill, x) for fill in ("blurred", "grey"))
    rows = {"chance": {"pointing": masks.mean(), "mass": masks.mean()}}
    for name, heat in maps.items():
        rows[name] = {
            "pointing": explain.pointing(heat, masks).mean(),
            "mass": explain.mass_inside(heat, masks).mean(),
            "deletion": explain.area_under(explain.replacement_curve(model, x, blur, target, heat)).mean(),
            "deletion to grey": explain.area_under(explain.replacement_curve(model, x, grey, target, heat)).mean(),
            "insertion": explain.area_under(explain.replacement_curve(model, blur, x, target, heat)).mean(),
        }
    return rows


def randomisation(model, x, target, seed, counts):
    blur = replacement("blurred", x)
    methods = {
        "gradient": explain.saliency,
        "Grad-CAM": lambda *a: explain.grad_cam(*a, LAST),
        "guided backprop": explain.guided_backprop,
        "integrated gradients, blurred": lambda *a: explain.integrated_gradients(*a, baseline=blur, steps=8),
    }
    trained = {name: method(model, x, target) for name, method in methods.items()}

    def alike(maps):
        return {name: explain.similarity(maps(method), trained[name]).mean() for name, method in methods.items()}

    keras.utils.set_random_seed(seed + 1000)  # not that of the training: its first weights would come back
    rows = {}
    for count in counts:
        other = explain.randomised(model, count)
        rows[count] = alike(lambda method, other=other: method(other, x, target))
    rows["other class"] = alike(lambda method: method(model, x, target % 3 + 1))
    rows["edge filter"] = alike(lambda method: edge_filter(x))
    return rows


def shortcut(brains, place, healthy, lesion, seed, per_class, epochs):
    """A model trained with markers, its training images, its sensitivity and specificity, and its maps scored against
    lesion and marker."""
    train_x = with_marker(brains.train, healthy, lesion, place, seed=1)
    sick = brains.train.targets["label"] > 0
    model = train(train_x, sick.astype(np.float32), 1, epochs, seed)
    test, found = brains.test, {}
    truth = test.targets["label"] > 0
    shown = {"marked as in training": (healthy, lesion), "no marker": (0, 0)}
    if place is corner:
        shown["marked the other way round"] = lesion, healthy
    for name, shares in shown.items():
        guess = explain.logit(model, with_marker(test, *shares, place, seed=2), 1) > 0
        found[name] = {"sensitivity": guess[truth].mean(), "specificity": 1 - guess[~truth].mean()}
    rows = largest_slices(test, (1, 2, 3), slice(per_class))
    x = add_marker(test.x[rows], [place(mask) for mask in test.masks[rows]])
    in_corner = np.zeros_like(test.masks[rows])
    in_corner[:, :16, :16] = True
    maps = {
        "gradient": explain.saliency(model, x, 1),
        "integrated gradients, blurred": explain.integrated_gradients(model, x, 1, baseline=replacement("blurred", x)),
        "Grad-CAM": explain.grad_cam(model, x, 1, LAST),
    }
    for name, heat in maps.items():
        for what, masks in {"lesion": test.masks[rows], "corner": in_corner}.items():
            score = {"pointing": explain.pointing(heat, masks).mean(), "mass": explain.mass_inside(heat, masks).mean()}
            found[f"{name}: {what}"] = score
    found["chance"] = {"lesion": test.masks[rows].mean(), "corner": in_corner.mean()}
    return model, train_x, found


def explanations(seed, quick=False):
    """Scores of maps: means over one test slice a patient (the one with the largest lesion), of 20 patients of each class
    with a lesion, as far as the model recognised them. Similarity: Spearman's rank correlation with the map of the
    trained model, mean over every second of these images; key: number of randomised layers, from the output."""
    brains, epochs, short, per_class = data.load("brain-lesions"), EPOCHS, SHORT, 20
    if quick:
        brains, epochs, short, per_class = data.load("brain-lesions", n_patients=32), 1, 1, 1
    test = brains.test
    marker, marked, marker_scores = shortcut(brains, corner, 0.05, 0.95, seed, per_class, short)
    calliper_scores = {} if quick else shortcut(brains, deepest, 0.0, 0.95, seed, per_class, short)[2]
    normal = train(brains.train.x, brains.train.targets["label"], 4, epochs, seed)
    guess = normal.predict(test.x, verbose=0).argmax(-1)
    rows = largest_slices(test, (1, 2, 3), slice(per_class))
    rows = rows if quick else rows[guess[rows] == test.targets["label"][rows]]
    x, target, masks = test.x[rows], test.targets["label"][rows], test.masks[rows]
    maps = all_maps(normal, x, target, ["gradient", "edge filter"] if quick else None)
    payload = {
        "balanced_accuracy": balanced_accuracy_score(test.targets["label"], guess),
        "images": len(rows),
        "scores": scores(normal, x, target, masks, maps),
        "similarity": randomisation(normal, x[::2], target[::2], seed, [5] if quick else range(1, 6)),
        "marker": marker_scores,
        "calliper": calliper_scores,
    }
    print(payload, flush=True)
    if seed > 0:
        return payload
    arrays = {
        f"{name}_{what}": value
        for name, images in {"normal": brains.train.x, "marker": marked}.items()
        for what, value in pixels(images).items()
    }
    return payload, {"weights": {"normal": normal, "marker": marker}, "arrays": arrays}


if __name__ == "__main__":
    main("explanations", RUNS, {"explanations": explanations}, tolerance={"explanations": 0.02})
