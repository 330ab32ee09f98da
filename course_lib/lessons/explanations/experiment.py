"""What lesson 11 shows of explanations, over several seeds. Writes course_lib/lessons/explanations/results/explanations.json and two models.

    python course_lib/lessons/explanations/experiment.py --seeds 5

Each seed (of initial weights and order; the patients are the same) trains three small CNNs on "brain-lesions" at 64×64:

- normal: four classes, images as they are;
- marker: lesion or not (one logit), a cross burnt into the corner of 95 % of the patients with a lesion and 5 % of others;
- calliper: the same question, the cross on the lesion itself in 95 % of the patients with a lesion, and in no other.

Measured on test patients: accuracy, maps scored against the masks and by deletion and insertion, similarity of maps to
those of randomised models. The first seed's first two models become course_lib/lessons/explanations/results/normal.keras and course_lib/lessons/explanations/results/marker.keras.
"""

import argparse

import numpy as np
from scipy import ndimage
from sklearn.metrics import balanced_accuracy_score

from course_lib import ROOT, data, explain, models
from course_lib.images import add_marker
from course_lib.tools.common import save

keras = models.keras
EPOCHS, SHORT = 14, 4
LAST = "conv2d_3"
NOTE = (
    "Scores of maps: means over one test slice a patient (the one with the largest lesion), of 20 patients of each class "
    "with a lesion, as far as the model recognised them. Similarity: Spearman's rank correlation with the map of the "
    "trained model, mean over every second of these images; key: number of randomised layers, from the output."
)


def train(x, label, classes, epochs, seed):
    model, bare = (small_cnn(x, classes, seed) for _ in range(2))
    loss = keras.losses.SparseCategoricalCrossentropy if classes > 1 else keras.losses.BinaryCrossentropy
    model.compile(keras.optimizers.Adam(1e-3), loss(from_logits=True))
    model.fit(x, label, batch_size=32, epochs=epochs, verbose=0)
    bare.set_weights(model.get_weights())  # without the optimiser, whose state is twice as large as the model
    return bare


def small_cnn(x, classes, seed):
    keras.utils.clear_session()  # layers are called conv2d, conv2d_1, … in each model
    keras.utils.set_random_seed(seed)
    return models.small_cnn(x.shape[1:], classes, mean=float(x.mean()), variance=float(x.var()))


def scoring_rows(split, per_class=20):
    """Rows of one slice a patient, the one with the largest lesion, of the first patients of each class with a lesion."""
    area, label, rows = split.targets["lesion_area"], split.targets["label"], []
    for number in (1, 2, 3):
        for patient in np.unique(split.groups[label == number])[:per_class]:
            own = np.flatnonzero(split.groups == patient)
            rows.append(own[np.argmax(area[own])])
    return np.array(rows)


def blurred(x):
    return ndimage.gaussian_filter(x, (0, 6, 6, 0))


def all_maps(model, x, target):
    blur = blurred(x)
    return {
        "gradient": explain.saliency(model, x, target),
        "SmoothGrad": explain.smoothgrad(model, x, target),
        "integrated gradients, black": explain.integrated_gradients(model, x, target),
        "integrated gradients, blurred": explain.integrated_gradients(model, x, target, baseline=blur),
        "occlusion": explain.occlusion(model, x, target, fill=blur),
        "Grad-CAM": explain.grad_cam(model, x, target, LAST),
        "guided backprop": explain.guided_backprop(model, x, target),
        "edge filter": np.stack([ndimage.gaussian_gradient_magnitude(image[..., 0], 1) for image in x]),
        "random pixels": np.random.default_rng(0).random(x.shape[:3]),
    }


def grey(x):
    """Images of one grey each, the mean of what is brighter than air."""
    return np.stack([np.full_like(image, image[image > 0.1].mean()) for image in x])


def scores(model, x, target, masks, maps):
    blur, plain, rows = blurred(x), grey(x), {"chance": {"pointing": masks.mean(), "mass": masks.mean()}}
    for name, heat in maps.items():
        rows[name] = {
            "pointing": explain.pointing(heat, masks).mean(),
            "mass": explain.mass_inside(heat, masks).mean(),
            "deletion": explain.area_under(explain.replacement_curve(model, x, blur, target, heat)).mean(),
            "deletion to grey": explain.area_under(explain.replacement_curve(model, x, plain, target, heat)).mean(),
            "insertion": explain.area_under(explain.replacement_curve(model, blur, x, target, heat)).mean(),
        }
    return rows


def randomisation(model, x, target, seed):
    methods = {
        "gradient": explain.saliency,
        "Grad-CAM": lambda *a: explain.grad_cam(*a, LAST),
        "guided backprop": explain.guided_backprop,
        "integrated gradients, blurred": lambda *a: explain.integrated_gradients(*a, baseline=blurred(x), steps=8),
    }
    trained = {name: method(model, x, target) for name, method in methods.items()}
    keras.utils.set_random_seed(seed + 1000)  # not that of the training: its first weights would come back
    rows = {}
    for count in range(1, 6):
        other = explain.randomised(model, count)
        rows[count] = {
            name: explain.similarity(method(other, x, target), trained[name]).mean() for name, method in methods.items()
        }
    rows["other class"] = {
        name: explain.similarity(method(model, x, target % 3 + 1), trained[name]).mean()
        for name, method in methods.items()
    }
    edges = np.stack([ndimage.gaussian_gradient_magnitude(image[..., 0], 1) for image in x])
    rows["edge filter"] = {name: explain.similarity(edges, trained[name]).mean() for name in methods}
    return rows


def marked(split, healthy, lesion, place, seed):
    """The images of a split with a marker for these shares of patients; `place`: function from mask to (row, column)."""
    patients, number = np.unique(split.groups, return_inverse=True)
    draw = np.random.default_rng(seed).random(len(patients))[number]
    has = draw < np.where(split.targets["label"] > 0, lesion, healthy)
    return add_marker(split.x, [place(mask) if h else None for h, mask in zip(has, split.masks, strict=True)])


def corner(mask):
    return 5, 5


def deepest(mask):
    return np.unravel_index(ndimage.distance_transform_edt(mask).argmax(), mask.shape)


def shortcut(dataset, place, healthy, lesion, seed):
    """A model trained with markers, its sensitivity and specificity, and its maps scored against lesion and marker."""
    train_x = marked(dataset.train, healthy, lesion, place, seed=1)
    sick = dataset.train.targets["label"] > 0
    model = train(train_x, sick.astype(np.float32), 1, SHORT, seed)
    test, results = dataset.test, {}
    truth = test.targets["label"] > 0
    shown = {"marked as in training": (healthy, lesion), "no marker": (0, 0)}
    if place is corner:
        shown["marked the other way round"] = lesion, healthy
    for name, shares in shown.items():
        guess = explain.logit(model, marked(test, *shares, place, seed=2), 1) > 0
        results[name] = {"sensitivity": guess[truth].mean(), "specificity": 1 - guess[~truth].mean()}
    rows = scoring_rows(test)
    x = add_marker(test.x[rows], [place(mask) for mask in test.masks[rows]])
    in_corner = np.zeros_like(test.masks[rows])
    in_corner[:, :16, :16] = True
    maps = {
        "gradient": explain.saliency(model, x, 1),
        "integrated gradients, blurred": explain.integrated_gradients(model, x, 1, baseline=blurred(x)),
        "Grad-CAM": explain.grad_cam(model, x, 1, LAST),
    }
    for name, heat in maps.items():
        for what, masks in {"lesion": test.masks[rows], "corner": in_corner}.items():
            score = {"pointing": explain.pointing(heat, masks).mean(), "mass": explain.mass_inside(heat, masks).mean()}
            results[f"{name}: {what}"] = score
    results["chance"] = {"lesion": test.masks[rows].mean(), "corner": in_corner.mean()}
    return model, results


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=5)
    seeds = range(parser.parse_args().seeds)
    dataset, results = data.load("brain-lesions"), []
    label, test = dataset.train.targets["label"], dataset.test
    for seed in seeds:
        marker, marker_scores = shortcut(dataset, corner, 0.05, 0.95, seed)
        _, calliper_scores = shortcut(dataset, deepest, 0.0, 0.95, seed)
        normal = train(dataset.train.x, label, 4, EPOCHS, seed)
        if seed == 0:
            (ROOT / "course_lib/lessons/explanations/results").mkdir(parents=True, exist_ok=True)
            normal.save(ROOT / "course_lib/lessons/explanations/results/normal.keras")
            marker.save(ROOT / "course_lib/lessons/explanations/results/marker.keras")
        guess = normal.predict(test.x, verbose=0).argmax(-1)
        rows = scoring_rows(test)
        rows = rows[guess[rows] == test.targets["label"][rows]]
        x, target, masks = test.x[rows], test.targets["label"][rows], test.masks[rows]
        results.append(
            {
                "balanced_accuracy": balanced_accuracy_score(test.targets["label"], guess),
                "images": len(rows),
                "scores": scores(normal, x, target, masks, all_maps(normal, x, target)),
                "similarity": randomisation(normal, x[::2], target[::2], seed),
                "marker": marker_scores,
                "calliper": calliper_scores,
            }
        )
        print(results[-1], flush=True)
        save("explanations/explanations.json", results, seeds=list(seeds[: len(results)]), note=NOTE)


if __name__ == "__main__":
    main()
