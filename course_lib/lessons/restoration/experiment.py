"""The restorers of the lesson, from several seeds.

    python -m course_lib.lessons.restoration.experiment [readers] [classical] [losses] [patients] [--quick]

brain-lesions, seed 0, 32×32 pixels. The patients and the damage of the test slices are the same for all seeds; a seed
decides first weights, order of training and the damage seen there. `readers` comes first.
"""

import itertools
import time
from types import SimpleNamespace

import numpy as np
from scipy import ndimage
from skimage import restoration
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from course_lib import data, evaluate, models
from course_lib.lessons.evaluation.model import train as train_classifier
from course_lib.lessons.restoration import model as restore
from course_lib.tools.experiment import main

keras = models.keras
RUNS = {"readers": [0], "classical": [0], "losses": range(2), "patients": [0]}
STEPS = 600


def brain_slices(quick):
    return data.load("brain-lesions", size=32, **({"n_patients": 32} if quick else {}))


def half_precision(model):
    """The weights of a U-Net in half the room, as `results.save` asks for them."""
    return SimpleNamespace(get_weights=lambda: [weight.astype(np.float16) for weight in model.get_weights()])


def train_marker(images, masks, seed, epochs):
    """The U-Net with another task: a logit for each pixel, is it part of a lesion?"""
    keras.utils.set_random_seed(seed)
    model = restore.unet()
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    models.compile_with_cosine(model, 1.5e-3, epochs * np.ceil(len(images) / 32), loss=loss)
    model.fit(restore.whole(images), masks[..., None].astype(np.float32), batch_size=32, epochs=epochs, verbose=0)
    return model


def readers(seed, quick=False):
    """A classifier (lesson evaluation's) and a marker (a U-Net that marks lesions), trained on undamaged slices."""
    brains = brain_slices(quick)
    train, test = brains.train, brains.test
    classifier = train_classifier(train.x, train.targets["label"], epochs=1 if quick else 14, rate=1.5e-3, seed=seed)
    guess = classifier.predict(test.x, verbose=0).argmax(-1)
    marker = train_marker(train.x, train.masks, seed, epochs=1 if quick else 12)
    marked = restore.mark(marker, test.x)
    both = (marked & test.masks).sum((1, 2))
    payload = {
        "classifier": {"accuracy": np.mean(guess == test.targets["label"])},
        "marker": {"dice": 2 * both.sum() / (marked.sum() + test.masks.sum())},  # of all pixels
    }
    pixels = {"mean": train.x.mean(), "variance": train.x.var()}
    return payload, {"weights": {"classifier": classifier, "marker": marker}, "arrays": pixels}


# ---- measures on the test patients -----------------------------------------------------------------------------------


def judge_auc(real, repaired):
    """How well a simple judge tells repaired squares from real ones: 0.5 is not at all, 1 is always.

    real, repaired: squares (n, s, s) of the validation and of the test patients, by "val" and "test". The judge is a
    logistic regression on the logarithm of the spectrum, fitted on validation.
    """
    features = {k: np.log(restore.spectrum(np.concatenate([real[k], repaired[k]])) + 1e-4) for k in real}
    answers = {k: np.repeat([0, 1], [len(real[k]), len(repaired[k])]) for k in real}
    judge = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    judge.fit(features["val"], answers["val"])
    return roc_auc_score(answers["test"], judge.predict_proba(features["test"])[:, 1])


def measure(task, brains, repair, classifier):
    """All that the lesson says of one method, and the values of each test slice, by measure."""
    test, real, repaired = brains.test, {}, {}
    for part, split in (("val", brains.val), ("test", test)):
        condition = restore.exam(split, task)
        mask, restored = condition[..., 1:], np.clip(repair(condition), 0, 1)
        real[part], repaired[part] = restore.crops(split.x, mask), restore.crops(restored, mask)
    guess = classifier.predict(restored, batch_size=320, verbose=0).argmax(-1)
    each = {
        "psnr": restore.psnr(test.x, restored, mask),
        "ssim": restore.ssim(test.x, restored, mask),
        "right": (guess == test.targets["label"]).astype(float),
    }
    row = {key: list(evaluate.bootstrap(np.mean, values, groups=test.groups)[:3]) for key, values in each.items()}
    row["sharpness"] = restore.sharpness(restored, mask).mean() / restore.sharpness(test.x, mask).mean()
    row["judge_auc"] = judge_auc(real, repaired)
    row["spectrum"] = (restore.spectrum(repaired["test"]).mean(0) / restore.spectrum(real["test"]).mean(0)).tolist()
    return row, {key: values.astype(np.float16) for key, values in each.items()}


def by_name(scores):
    """The arrays of several methods, each under "method, measure"."""
    return {f"{name}, {key}": values for name, each in scores.items() for key, values in each.items()}


# ---- methods without training ----------------------------------------------------------------------------------------


def each_image(function):
    return lambda condition: np.stack([function(d, m > 0) for d, m in condition.transpose(0, 3, 1, 2)])[..., None]


CLASSICAL = {
    "noise": {
        "nothing": {0: lambda condition: condition[..., :1]},
        "Gaussian": {s: each_image(lambda d, m, s=s: ndimage.gaussian_filter(d, s)) for s in (0.5, 0.6, 0.7, 0.8, 1.0)},
        "median": {s: each_image(lambda d, m, s=s: ndimage.median_filter(d, s)) for s in (3, 5)},
        "total variation": {
            w: each_image(lambda d, m, w=w: restoration.denoise_tv_chambolle(d, w)) for w in (0.06, 0.08, 0.1)
        },
    },
    "hole": {
        "nothing": {0: lambda condition: condition[..., :1]},
        "mean of the rest": {0: each_image(lambda d, m: np.where(m, d[~m & (d > 0.15)].mean(), d))},
        "biharmonic": {0: each_image(lambda d, m: restoration.inpaint_biharmonic(d, m))},
    },
    "upscale": {
        "bicubic": {0: lambda condition: condition[..., :1]},
    },
}


def classical(seed, quick=False):
    """The methods without training; their parameter is chosen on validation."""
    brains, rows, scores, classifier = brain_slices(quick), {}, {}, restore.stored_classifier()
    for task, methods in ({"noise": {"Gaussian": CLASSICAL["noise"]["Gaussian"]}} if quick else CLASSICAL).items():
        few = restore.exam(brains.val, task)[::4]
        for method, settings in methods.items():
            quality = {
                value: restore.psnr(brains.val.x[::4], repair(few), few[..., 1:]).mean()
                for value, repair in settings.items()
            }
            best, name = max(quality, key=quality.get), f"{task}, {method}"
            row, scores[name] = measure(task, brains, settings[best], classifier)
            rows[name] = {"setting": best, **row}
            print(name, quality, rows[name], flush=True)
    intact = brains.test
    right = classifier.predict(intact.x, verbose=0).argmax(-1) == intact.targets["label"]
    rows["undamaged"] = {"right": spread(right, intact.groups)}
    return rows, {"arrays": by_name(scores)}


# ---- restorers -------------------------------------------------------------------------------------------------------


def losses(seed, quick=False):
    """For each damage a U-Net with each loss, trained on patients of all four classes. Test on unseen patients. Seconds
    were taken on a machine shared with other work: upper bounds. The networks of seed 0 are kept."""
    brains, classifier, steps = brain_slices(quick), restore.stored_classifier(), 2 if quick else STEPS
    chosen = restore.LOSSES if seed == 0 else ("L1", restore.STRONG)  # those of the claims that need more than one run
    rows, scores, networks = {}, {}, {}
    for task in restore.TASKS[:1] if quick else restore.TASKS:
        for loss in [restore.STRONG] if quick else chosen:
            start, name = time.perf_counter(), f"{task}, {loss}"
            network = restore.train(task, brains.train.x, steps=steps, seed=seed, **restore.LOSSES[loss])
            seconds = 0 if quick else round(time.perf_counter() - start)
            row, scores[name] = measure(task, brains, repairer(network), classifier)
            rows[name], networks[name] = {"seconds": seconds, **row}, half_precision(network)
            print(name, rows[name], flush=True)
    return rows, {"arrays": by_name(scores), "weights": networks if seed == 0 else None}


# ---- who was in the training set -------------------------------------------------------------------------------------


def diet(split, healthy, mass):
    """Rows of the slices of so many healthy patients, and patients with a mass."""
    label = split.targets["label"]
    return np.concatenate([np.flatnonzero(label == 0)[: 4 * healthy], np.flatnonzero(label == 1)[: 4 * mass]])


def patients(seed, quick=False):
    """Restorers that saw healthy patients only, patients with a mass only, or half of each. The networks of seed 0 with
    adversarial loss are kept."""
    brains, marker, steps = data.load("brain-lesions", size=32), restore.stored_marker(), 2 if quick else STEPS
    test, train = brains.test, brains.train
    rows = diet(test, 40, 40)
    images, masks, groups, ill = test.x[rows], test.masks[rows], test.groups[rows], test.targets["label"][rows] == 1
    rng = np.random.default_rng(101)
    exams = {
        "noise": restore.add_noise(images, 0.2, rng),
        "hole": restore.cut_hole(images, restore.hole_centres(masks, ill)),
    }
    exams["hole, anywhere in training"] = exams["hole"]
    everyone = diet(train, 150, 150)
    lies = restore.hole_centres(train.masks[everyone], train.targets["label"][everyone] == 1)
    places = dict(zip(everyone, lies, strict=True))
    marked = restore.mark(marker, images)
    found, invented = restore.found(marked, masks), restore.invented(marked, masks)
    table, networks = {}, {}
    arms = list(itertools.product(exams, ("L1", restore.STRONG), restore.DIETS))
    for exam, loss, name in arms[:1] if quick else arms:
        condition, task = exams[exam], exam.split(",")[0]
        rows = diet(train, *restore.DIETS[name])
        centres = np.array([places[row] for row in rows]) if exam == "hole" else None
        options = {"centres": centres, "steps": steps, "seed": seed, **restore.LOSSES[loss]}
        network = restore.train(task, train.x[rows], **options)
        restored = np.clip(repairer(network)(condition), 0, 1)
        marked = restore.mark(marker, restored)
        lost = ill & found & ~restore.found(marked, masks)
        grown = ~ill & ~invented & restore.invented(marked, masks)
        change = ((restored - images) * condition[..., 1:]).sum((1, 2, 3)) / condition[..., 1:].sum((1, 2, 3))
        table[f"{exam}, {name}, {loss}"] = {
            "lost": spread(lost[ill & found], groups[ill & found]),
            "grown": spread(grown[~ill & ~invented], groups[~ill & ~invented]),
            "brighter": {"healthy": spread(change[~ill], groups[~ill]), "mass": spread(change[ill], groups[ill])},
        }
        print(exam, name, loss, table[f"{exam}, {name}, {loss}"], flush=True)
        if loss == restore.STRONG and exam in ("noise", "hole"):
            networks[f"{exam}, {name}"] = half_precision(network)
    return table, {"weights": networks if seed == 0 else None}


def spread(values, groups):
    return list(evaluate.bootstrap(np.mean, values.astype(float), groups=groups)[:3])


def repairer(model):
    return lambda condition: model.predict(condition, batch_size=320, verbose=0)


if __name__ == "__main__":
    functions = {"readers": readers, "classical": classical, "losses": losses, "patients": patients}
    main("restoration", RUNS, functions, tolerance=dict.fromkeys(RUNS, 0.05))
