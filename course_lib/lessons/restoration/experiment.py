"""The restorers of lesson 16, from several seeds. Writes models and tables to course_lib/lessons/restoration/results/.

    python course_lib/lessons/restoration/experiment.py readers
    python course_lib/lessons/restoration/experiment.py classical
    python course_lib/lessons/restoration/experiment.py losses 0 1 2
    python course_lib/lessons/restoration/experiment.py patients 0 1 2

brain-lesions, seed 0, 32×32 pixels. The patients and the damage of the test slices are the same for all seeds; a seed
decides first weights, order of training and the damage seen there.

- readers: a classifier (lesson 10's) and a marker (a U-Net that marks lesions), trained on undamaged slices.
- classical: the methods without training; their parameter is chosen on validation.
- losses: for each damage a U-Net with each loss, trained on patients of all four classes. Models of seed 0 are kept.
- patients: restorers that saw healthy patients only, patients with a mass only, or half of each.

Each file is written anew after each run; what is stored of other runs stays.
"""

import argparse
import itertools
import json
import time

import numpy as np
from scipy import ndimage
from skimage import restoration
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from course_lib import ROOT, data, evaluate, models
from course_lib.lessons.restoration import model as restore
from course_lib.tools.common import save

keras = models.keras
FOLDER = ROOT / "course_lib/lessons/restoration/results"
STEPS = 600
NOTE = (
    "brain-lesions, seed 0, 32×32 pixels, test on unseen patients. Seconds were taken on a machine shared with other "
    "work: upper bounds; those at the top are of the last call alone."
)
LOSSES = {"L2": {"power": 2}, "L1": {}, **{f"L1 + {w} adversarial": {"weight": w} for w in (0.1, 0.5)}}
STRONG = "L1 + 0.5 adversarial"


def stored(name):
    path = FOLDER / name
    return json.loads(path.read_text(encoding="utf-8"))["results"] if path.exists() else {}


def keep(name, results):
    seeds = sorted({int(run["seed"]) for run in results.values() if "seed" in run})
    save(f"restoration/{name}", results, seeds=seeds, note=NOTE)


def add(name, arrays):
    """Add arrays to a file; those with the same names are replaced."""
    path = FOLDER / name
    old = {}
    if path.exists():
        with np.load(path, allow_pickle=False) as file:
            old = dict(file)
    np.savez_compressed(path, **{**old, **arrays})


def keep_weights(name, key, model):
    """The weights of a U-Net in half precision: a .keras file of each would take three times the room."""
    add(name, {f"{key}, {k}": weight.astype(np.float16) for k, weight in enumerate(model.get_weights())})


def train_classifier(images, label, epochs=14):
    """As in lesson 10."""
    keras.utils.set_random_seed(0)
    model = models.small_cnn(images.shape[1:], 4, mean=images.mean(), variance=images.var())
    rate = keras.optimizers.schedules.CosineDecay(1.5e-3, epochs * int(np.ceil(len(images) / 32)))
    model.compile(keras.optimizers.Adam(rate), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(images, label, batch_size=32, epochs=epochs, verbose=0)
    return model


def train_marker(images, masks, epochs=12):
    """The U-Net with another task: a logit for each pixel, is it part of a lesion?"""
    keras.utils.set_random_seed(0)
    model = restore.unet()
    rate = keras.optimizers.schedules.CosineDecay(1.5e-3, epochs * int(np.ceil(len(images) / 32)))
    model.compile(keras.optimizers.Adam(rate), keras.losses.BinaryCrossentropy(from_logits=True))
    whole = np.concatenate([images, np.ones_like(images)], axis=-1)
    model.fit(whole, masks[..., None].astype(np.float32), batch_size=32, epochs=epochs, verbose=0)
    return model


def bare(model):
    """The model without its optimiser, which would take three times the room."""
    copy = type(model).from_config(model.get_config())
    copy.set_weights(model.get_weights())
    return copy


def readers(brains):
    train, test = brains.train, brains.test
    classifier = train_classifier(train.x, train.targets["label"])
    bare(classifier).save(FOLDER / "classifier.keras")
    guess = classifier.predict(test.x, verbose=0).argmax(-1)
    print(f"classifier: accuracy {np.mean(guess == test.targets['label']):.3f}", flush=True)
    marker = train_marker(train.x, train.masks)
    bare(marker).save(FOLDER / "marker.keras")
    marked = restore.mark(marker, test.x)
    both = (marked & test.masks).sum((1, 2))
    print(f"marker: Dice of all pixels {2 * both.sum() / (marked.sum() + test.masks.sum()):.3f}", flush=True)


# ---- measures on the test patients -----------------------------------------------------------------------------------


def exam(split, task, seed=100):
    """The damaged slices that every method gets: noise of σ = 0.1, a hole somewhere in the head, or half resolution."""
    return restore.damage(task, split.x, np.random.default_rng(seed), sigma=0.1)


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


def measure(task, brains, repair, classifier, name):
    """All that the lesson says of one method; per-image values go to scores.npz."""
    test, real, repaired = brains.test, {}, {}
    for part, split in (("val", brains.val), ("test", test)):
        condition = exam(split, task)
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
    add("scores.npz", {f"{name}, {key}": values.astype(np.float16) for key, values in each.items()})
    return row


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


def classical(brains):
    results, classifier = {}, load("classifier")
    for task, methods in CLASSICAL.items():
        few = exam(brains.val, task)[::4]
        for method, settings in methods.items():
            quality = {
                value: restore.psnr(brains.val.x[::4], repair(few), few[..., 1:]).mean()
                for value, repair in settings.items()
            }
            best = max(quality, key=quality.get)
            name = f"{task}, {method}"
            results[name] = {"setting": best, **measure(task, brains, settings[best], classifier, name)}
            print(name, quality, results[name], flush=True)
    whole = brains.test
    guess = classifier.predict(whole.x, verbose=0).argmax(-1) == whole.targets["label"]
    results["undamaged"] = {"right": list(evaluate.bootstrap(np.mean, guess, groups=whole.groups)[:3])}
    keep("classical.json", results)


# ---- restorers -------------------------------------------------------------------------------------------------------


def load(name):
    return keras.models.load_model(FOLDER / f"{name}.keras")


def losses(brains, seeds):
    classifier = load("classifier")
    for seed in seeds:
        for task in restore.TASKS:
            for loss in LOSSES if seed == 0 else ("L1", STRONG):  # the claims that need more than one run
                start = time.perf_counter()
                model = restore.train(task, brains.train.x, steps=STEPS, seed=seed, **LOSSES[loss])
                seconds = round(time.perf_counter() - start)
                name = f"{task}, {loss}, {seed}"
                row = measure(task, brains, repairer(model), classifier, name)
                row = {"seed": seed, "seconds": seconds, **row}
                print(name, row, flush=True)
                if seed == 0:
                    keep_weights("losses.npz", f"{task}, {loss}", model)
                keep("restoration.json", {**stored("restoration.json"), name: row})


# ---- who was in the training set -------------------------------------------------------------------------------------

DIETS = {"healthy only": (150, 0), "half and half": (75, 75), "mass only": (0, 150)}  # patients, four slices each


def diet(split, healthy, mass):
    """Rows of the slices of so many healthy patients, and patients with a mass."""
    label = split.targets["label"]
    return np.concatenate([np.flatnonzero(label == 0)[: 4 * healthy], np.flatnonzero(label == 1)[: 4 * mass]])


def patients(brains, seeds, chosen_exams=None, chosen=None):
    marker = load("marker")
    test = brains.test
    rows = diet(test, 40, 40)
    images, masks, groups, ill = (
        test.x[rows],
        test.masks[rows],
        test.groups[rows],
        test.targets["label"][rows] == 1,
    )
    rng = np.random.default_rng(101)
    exams = {
        "noise": restore.add_noise(images, 0.2, rng),
        "hole": restore.cut_hole(images, hole_centres(masks, ill)),
    }
    exams["hole, anywhere in training"] = exams["hole"]
    marked = restore.mark(marker, images)
    found, invented = restore.found(marked, masks), restore.invented(marked, masks)
    for seed in seeds:
        for exam_name, loss, name in itertools.product(chosen_exams or exams, ("L1", STRONG), chosen or DIETS):
            condition, task = exams[exam_name], exam_name.split(",")[0]
            rows = diet(brains.train, *DIETS[name])
            centres = None
            if exam_name == "hole":
                everyone = diet(brains.train, 150, 150)
                lies = brains.train.targets["label"][everyone] == 1
                places = dict(zip(everyone, hole_centres(brains.train.masks[everyone], lies), strict=True))
                centres = np.array([places[row] for row in rows])
            shown = brains.train.x[rows]
            model = restore.train(task, shown, centres=centres, steps=STEPS, seed=seed, **LOSSES[loss])
            restored = np.clip(repairer(model)(condition), 0, 1)
            marked = restore.mark(marker, restored)
            lost = ill & found & ~restore.found(marked, masks)
            grown = ~ill & ~invented & restore.invented(marked, masks)
            change = ((restored - images) * condition[..., 1:]).sum((1, 2, 3)) / condition[..., 1:].sum((1, 2, 3))
            row = {
                "seed": seed,
                "lost": spread(lost[ill & found], groups[ill & found]),
                "grown": spread(grown[~ill & ~invented], groups[~ill & ~invented]),
                "brighter": {"healthy": spread(change[~ill], groups[~ill]), "mass": spread(change[ill], groups[ill])},
            }
            key = f"{exam_name}, {name}, {loss}, {seed}"
            print(key, row, flush=True)
            keep("invention.json", {**stored("invention.json"), key: row})
            if seed == 0 and loss == STRONG and exam_name in ("noise", "hole"):
                keep_weights("patients.npz", f"{exam_name}, {name}", model)


def hole_centres(masks, ill):
    """Row and column of each mass; for the healthy, where the mass of a patient of the other half lies."""
    own = np.array([ndimage.center_of_mass(mask) for mask in masks[ill]])
    assert ill.sum() == (~ill).sum()
    centres = np.empty((len(masks), 2))
    centres[ill] = centres[~ill] = own
    return np.rint(centres).astype(int)


def spread(values, groups):
    return list(evaluate.bootstrap(np.mean, values.astype(float), groups=groups)[:3])


def repairer(model):
    return lambda condition: model.predict(condition, batch_size=320, verbose=0)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("arm", choices=["readers", "classical", "losses", "patients"])
    parser.add_argument("seeds", type=int, nargs="*")
    parser.add_argument("--exams", nargs="+", help="some damages of the arm patients only")
    parser.add_argument("--diets", nargs="+", help="some training sets of the arm patients only")
    arguments = parser.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    brains = data.load("brain-lesions", size=32)
    if arguments.arm == "losses":
        losses(brains, arguments.seeds)
    elif arguments.arm == "patients":
        patients(brains, arguments.seeds, arguments.exams, arguments.diets)
    else:
        {"readers": readers, "classical": classical}[arguments.arm](brains)


if __name__ == "__main__":
    main()
