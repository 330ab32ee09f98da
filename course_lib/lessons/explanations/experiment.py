"""What the lesson shows of explanations, over several seeds.

    python -m course_lib.lessons.explanations.experiment

Each seed (of patients, initial weights and order) trains three small CNNs on "brain-lesions" (simulated) at 64×64:

- normal: four classes, images as they are;
- marker: lesion or not (one logit), a cross burnt into the corner of 95 % of the patients with a lesion and 5 % of others;
- calliper: the same question, the cross on the lesion itself in 95 % of the patients with a lesion, and in no other.

Measured on 320 test patients, the same for all seeds: answers, maps scored against the masks and by deletion and
insertion, similarity of maps to those of randomised models. The first two networks of seed 0 are kept.
"""

import numpy as np

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
EPOCHS, SHORT, RATE = 14, 4, 2e-3  # of the four classes; of lesion or not
FIRST_SET, TEST_SET = 1100, 1150  # seeds of the data: of run 0, and of the test patients
TEST, EACH = 320, 40  # test patients; of each class with a lesion, those whose maps are scored


def train(x, label, classes, epochs, seed):
    keras.utils.set_random_seed(seed)
    model = models.small_cnn(SHAPE, classes, **pixels(x))
    loss = keras.losses.SparseCategoricalCrossentropy if classes > 1 else keras.losses.BinaryCrossentropy
    models.compile_with_cosine(model, RATE, epochs * -(-len(x) // 32), loss=loss(from_logits=True))
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
    """For each map and measure one value an image: name -> (n,) float32."""
    blur, grey, found = replacement("blurred", x), replacement("grey", x), {}
    for name, heat in maps.items():
        found[f"{name}: pointing"] = explain.pointing(heat, masks)
        found[f"{name}: mass"] = explain.mass_inside(heat, masks)
        for measure, start, end in (
            ("deletion", x, blur),
            ("deletion to grey", x, grey),
            ("insertion", blur, x),
        ):
            curve = explain.replacement_curve(model, start, end, target, heat)
            found[f"{name}: {measure}"] = explain.area_under(curve)
    return {name: np.asarray(values, np.float32) for name, values in found.items()}


def randomisation(model, x, target, seed, counts):
    """Similarity to the trained model's maps, absolute and signed: name -> (n,) float32."""
    blur = replacement("blurred", x)
    methods = {
        "gradient": lambda *a: explain.gradient(*a)[..., 0],
        "Grad-CAM": lambda *a: explain.grad_cam(*a, LAST),
        "guided backprop": explain.guided_backprop,
        "integrated gradients": lambda *a: explain.integrated_gradients(*a, baseline=blur, steps=8),
    }
    keras.utils.set_random_seed(seed + 1000)  # not that of the training: its first weights would come back
    others = {str(count): (explain.randomised(model, count), target) for count in counts}
    others["other class"] = model, target % 3 + 1
    found = {}
    for name, method in methods.items():
        trained = method(model, x, target)
        for what, (other, question) in others.items():
            heat = method(other, x, question)
            found[f"{name}: absolute, {what}"] = explain.similarity(heat, trained)
            found[f"{name}: signed, {what}"] = explain.similarity(heat, trained, signed=True)
    return {name: np.asarray(values, np.float32) for name, values in found.items()}


def shortcut(train_split, test, place, healthy, lesion, seed, per_class, epochs):
    """A model trained with markers, its training images, and by name (arrays): what it says of each test slice with and
    without markers, 0 or 1, and which part of its maps lies in the lesion and in the corner."""
    train_x = with_marker(train_split, healthy, lesion, place, seed=1)
    sick = train_split.targets["label"] > 0
    model = train(train_x, sick.astype(np.float32), 1, epochs, seed)
    shown = {"marked as in training": (healthy, lesion), "no marker": (0, 0)}
    if place is corner:
        shown["marked the other way round"] = lesion, healthy
    found = {
        name: (explain.logit(model, with_marker(test, *shares, place, seed=2), 1) > 0).astype(np.uint8)
        for name, shares in shown.items()
    }
    rows = largest_slices(test, (1, 2, 3), slice(per_class))
    x = add_marker(test.x[rows], [place(mask) for mask in test.masks[rows]])
    in_corner = np.zeros_like(test.masks[rows])
    in_corner[:, :16, :16] = True
    maps = {
        "gradient": explain.saliency(model, x, 1),
        "occlusion": explain.occlusion(model, x, 1, fill=replacement("blurred", x), stride=8),
        "Grad-CAM": explain.grad_cam(model, x, 1, LAST),
    }
    for name, heat in maps.items():
        for what, masks in {"lesion": test.masks[rows], "corner": in_corner}.items():
            found[f"{name}: pointing, {what}"] = np.asarray(explain.pointing(heat, masks), np.float32)
            found[f"{name}: mass, {what}"] = np.asarray(explain.mass_inside(heat, masks), np.float32)
    return model, train_x, found


def explanations(seed, quick=False):
    """Accuracy per slice on the test patients. The arrays hold one value an image, of one slice a patient (the one with the
    largest lesion) of 40 patients of each class with a lesion: whether the model recognised it, the scores of each map,
    and for every third image the similarity (Spearman's rank correlation, of absolute values and signed) to the trained
    model's map when so many layers, from the output, have random weights; of the models with a marker (`marker`,
    `calliper`) what they say of each test slice. `truth` and `groups` are those of the test slices, `rows` the images."""
    if quick:
        brains, test = data.load("brain-lesions", n_patients=32), data.load("brain-lesions").test
    else:
        brains = data.load("brain-lesions", seed=FIRST_SET + seed)
        test = data.load("brain-lesions", seed=TEST_SET, n_test=TEST).test
    epochs, short, per_class = (1, 1, 1) if quick else (EPOCHS, SHORT, EACH)
    normal = train(brains.train.x, brains.train.targets["label"], 4, epochs, seed)
    guess = normal.predict(test.x, verbose=0).argmax(-1)
    rows = largest_slices(test, (1, 2, 3), slice(per_class))
    x, target, masks = test.x[rows], test.targets["label"][rows], test.masks[rows]
    arrays = {
        "truth": test.targets["label"].astype(np.uint8),
        "groups": test.groups,
        "rows": rows,
        "recognised": guess[rows] == target,
    }
    maps = all_maps(normal, x, target, ["gradient", "edge filter"] if quick else None)
    arrays |= scores(normal, x, target, masks, maps)
    if quick:
        means = {name: float(np.mean(values)) for name, values in arrays.items() if ":" in name}
        return {"accuracy": float(np.mean(guess == test.targets["label"])), "means": means}
    arrays |= randomisation(normal, x[::3], target[::3], seed, range(1, 6))
    marker, marked, found = shortcut(brains.train, test, corner, 0.05, 0.95, seed, per_class, short)
    arrays |= {f"marker: {name}": values for name, values in found.items()}
    _, _, found = shortcut(brains.train, test, deepest, 0.0, 0.95, seed, per_class, short)
    arrays |= {f"calliper: {name}": values for name, values in found.items()}
    payload = {"accuracy": float(np.mean(guess == test.targets["label"])), "images": len(rows)}
    if seed > 0:
        return payload, {"arrays": arrays}
    for name, images in {"normal": brains.train.x, "marker": marked}.items():
        arrays |= {f"{name}_{what}": value for what, value in pixels(images).items()}
    return payload, {"weights": {"normal": normal, "marker": marker}, "arrays": arrays}


if __name__ == "__main__":
    main("explanations", RUNS, {"explanations": explanations}, tolerance={"explanations": 0.02})
