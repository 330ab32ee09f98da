"""The restorers of the lesson, from several seeds, and whoever judges them.

    python -m course_lib.lessons.restoration.experiment [readers] [classical] [rates] [losses] [patients] [--quick]

In this order: `readers` judge all others, and `losses` and `patients` are trained at the best rates of `rates`. All patients are
simulated (brain-lesions, 32×32). A seed draws training patients, first weights, order and damage; the 600 test patients and
their damage are the same for all. No choice has seen them but one: the runs at the lower rate were added after a look at `patients`.
"""

import functools
from types import SimpleNamespace

import numpy as np
from scipy import ndimage
from skimage import restoration

from course_lib import data, gan, models, results
from course_lib.lessons.restoration import model as restore
from course_lib.tools.experiment import main

keras = models.keras
RUNS = {"readers": [0], "classical": [0], "rates": range(2), "losses": range(5), "patients": range(5)}
SETS = {"readers": {"seed": 1600, "n_patients": 1200}, "rates": {"seed": 1610}, "losses": {"seed": 1620}}
SETS["test"] = {"seed": 1650, "n_test": 600}
READER_EPOCHS, READER_RATE = 20, 3e-3
SECOND_SIGMA = 0.2  # of the noise in `patients`
CHECKS = (250, 500, 1000, 2000, 3000, 4000)  # steps after which a network in training is asked, in use


# ---- patients --------------------------------------------------------------------------------------------------------


@functools.cache
def simulated(name, seed, quick):
    """Patients of one of SETS, another set for each seed; by default 600 to train, 120 for validation and 160 for a test."""
    few = {"seed": 0, "n_patients": 32, "n_test": 16}
    several = few if quick else {**SETS[name], "seed": SETS[name]["seed"] + seed}
    return data.load("brain-lesions", size=32, **several)


def healthy_and_mass(split, share=(None, None)):
    """Rows of the slices of so many healthy patients, and of so many with a mass; of all by default."""
    label = split.targets["label"]
    return np.concatenate([np.flatnonzero(label == k)[: None if n is None else 4 * n] for k, n in enumerate(share)])


@functools.cache
def second_exams(quick):
    """The damaged slices of the healthy and of the patients with a mass, by task; the slices (n, 32, 32, 1), masks, patients."""
    test = simulated("test", 0, quick).test
    rows = healthy_and_mass(test)
    images, masks = test.x[rows], test.masks[rows]
    exams = {
        "noise": restore.add_noise(images, SECOND_SIGMA, np.random.default_rng(103)),
        "hole": restore.cut_hole(images, restore.hole_centres(masks, test.targets["label"][rows] == 1)),
    }
    return exams, images, masks, test.groups[rows]


# ---- readers ---------------------------------------------------------------------------------------------------------


def half_precision(model):
    """The weights of a network in half the room, as `results.save` asks for them."""
    return SimpleNamespace(get_weights=lambda: [weight.astype(np.float16) for weight in model.get_weights()])


def readers(seed, quick=False):
    """A classifier (the course's small CNN, four classes) and a marker (a U-Net that marks the pixels of lesions), 20 epochs on the
    undamaged slices of 1,200 patients; how good they are on those slices and on 160 test patients of that set. Mean and variance
    of the classifier's inputs and of its 64 features are kept."""
    brains, epochs = simulated("readers", 0, quick), 1 if quick else READER_EPOCHS
    x, steps = brains.train.x, epochs * -(-len(brains.train.x) // 32)
    schedule = {"rate": READER_RATE, "steps": steps, "warm_up": steps // 10}
    fit = {"batch_size": 32, "epochs": epochs, "verbose": 0}
    keras.utils.set_random_seed(seed)
    classifier = models.small_cnn((32, 32, 1), 4, mean=float(x.mean()), variance=float(x.var()))
    models.compile_with_cosine(classifier, **schedule)
    classifier.fit(x, brains.train.targets["label"], **fit)
    keras.utils.set_random_seed(seed)
    marker = restore.unet()
    models.compile_with_cosine(marker, **schedule, loss=keras.losses.BinaryCrossentropy(from_logits=True))
    marker.fit(restore.whole(x), brains.train.masks[..., None].astype(np.float32), **fit)
    payload = {}
    for name, split in (("train", brains.train), ("test", brains.test)):
        read, marked = read_by(classifier, split.x), restore.mark(marker, split.x)
        dice = 2 * (marked & split.masks).sum() / (marked.sum() + split.masks.sum())  # of all pixels
        payload[name] = {"accuracy": np.mean(read == split.targets["label"]), "dice": dice}
    pooled = keras.Model(classifier.inputs[0], classifier.layers[-2].output).predict(x, batch_size=320, verbose=0)
    arrays = {"mean": x.mean(), "variance": x.var()}
    arrays |= {"feature_mean": pooled.mean(0), "feature_variance": pooled.var(0) + 1e-4}
    networks = {"classifier": half_precision(classifier), "marker": half_precision(marker)}
    return payload, {"weights": networks, "arrays": arrays}


def read_by(classifier, images):
    return classifier.predict(images, batch_size=320, verbose=0).argmax(1).astype(np.uint8)


@functools.cache
def judges(quick):
    """The classifier, a function from restored slices to their KID against other patients' originals, and the marker."""
    if quick:  # untrained
        keras.utils.set_random_seed(0)
        classifier, marker, mean, variance = models.small_cnn((32, 32, 1), 4), restore.unet(), np.zeros(64), np.ones(64)
    else:
        classifier, marker = restore.stored_classifier(), restore.stored_marker()
        stored = results.arrays("restoration/readers", 0)
        mean, variance = stored["feature_mean"], stored["feature_variance"]
    features = restore.feature_model(classifier, mean, variance)
    originals = gan.features(features, simulated("readers", 0, quick).test.x)
    return classifier, lambda images: gan.kid(gan.features(features, images), originals), marker


def measure(task, quick, repair):
    """PSNR and KID of one method, and the arrays that its comparisons rest on (see `answers` in stored.py)."""
    test, (classifier, kid, _) = simulated("test", 0, quick).test, judges(quick)
    condition = restore.exam(test.x, task)
    mask, restored = condition[..., 1:], np.clip(repair(condition), 0, 1).astype(np.float32)
    psnr, edges = restore.psnr(test.x, restored, mask), restore.products(test.x, restored, mask)
    arrays = {"psnr": psnr.reshape(-1, 4).mean(1), "edges": edges.reshape(-1, 4, 3).sum(1)}  # of each patient
    arrays = {name: values.astype(np.float16) for name, values in arrays.items()}
    return {"psnr": psnr.mean(), "kid": kid(restored)}, {**arrays, "read": read_by(classifier, restored)}


def by_name(scores):
    """The arrays of several methods, each under "method, measure"."""
    return {f"{name}, {key}": values for name, each in scores.items() for key, values in each.items()}


# ---- methods without training ----------------------------------------------------------------------------------------


def family(settings, function):
    """{setting: a function of a condition}; `function` takes a setting, a damaged image (h, w) and its mask."""

    def repair(setting, condition):
        return np.stack([function(setting, d, m > 0) for d, m in condition.transpose(0, 3, 1, 2)])[..., None]

    return {setting: functools.partial(repair, setting) for setting in settings}


CLASSICAL = {
    "noise": {
        "nothing": family([0], lambda s, d, m: d),
        "Gaussian": family(np.arange(3, 16) / 10, lambda s, d, m: ndimage.gaussian_filter(d, s)),
        "median": family([3, 5], lambda s, d, m: ndimage.median_filter(d, s)),
        "total variation": family(np.arange(1, 17) / 50, lambda s, d, m: restoration.denoise_tv_chambolle(d, s)),
    },
    "hole": {
        "nothing": family([0], lambda s, d, m: d),
        "mean of the rest": family([0], lambda s, d, m: np.where(m, d[~m & (d > 0.15)].mean(), d)),
        "biharmonic": family([0], lambda s, d, m: restoration.inpaint_biharmonic(d, m)),
    },
    "upscale": {
        "bicubic": family([0], lambda s, d, m: d),
        "sharpened": family(np.arange(1, 9) / 4, lambda s, d, m: d + s * (d - ndimage.gaussian_filter(d, 1))),
    },
}


def best_setting(settings, truth, condition):
    """The setting with the highest PSNR, and what all of them reach."""
    tried = {
        setting: restore.psnr(truth, np.clip(repair(condition), 0, 1), condition[..., 1:]).mean()
        for setting, repair in (settings.items() if len(settings) > 1 else [])
    }
    return max(tried, key=tried.get, default=0), tried


def classical(seed, quick=False):
    """The methods without training, each at the setting with the highest PSNR on every fourth slice of 120 validation patients; the
    undamaged slices; and how many pixels the marker marks on the test slices of 150 healthy patients and 150 with a mass, `who`:
    intact, behind noise of σ = 0.2, and with a hole over the mass, after each method. `size`: pixels of the lesion."""
    test, (classifier, kid, marker) = simulated("test", 0, quick).test, judges(quick)
    exams, intact, masks, who = second_exams(quick)
    val = simulated("rates", 0, quick).val.x[::4]
    noisier = restore.add_noise(val, SECOND_SIGMA, np.random.default_rng(102))
    rows = {"undamaged": {"kid": kid(test.x)}}
    arrays = {"label": test.targets["label"].astype(np.uint8), "patient": test.groups, "who": who}
    arrays |= {"size": masks.sum((1, 2)).astype(np.uint8), "undamaged, read": read_by(classifier, test.x)}
    arrays["intact, marked"] = restore.marked_pixels(restore.mark(marker, intact), masks)
    for task, methods in CLASSICAL.items():
        few, scores = restore.exam(val, task), {}
        for method in list(methods)[-1:] if quick else methods:
            settings, name = methods[method], f"{task}, {method}"
            best, tried = best_setting(settings, val, few)
            row, scores[name] = measure(task, quick, settings[best])
            rows[name] = {"setting": best, "tried": tried, **row}
            if task in exams:
                again = best_setting(settings, val, noisier)[0] if task == "noise" else best
                restored = np.clip(settings[again](exams[task]), 0, 1)
                scores[name]["marked"] = restore.marked_pixels(restore.mark(marker, restored), masks)
                rows[name]["setting for the marker"] = again
            print(name, rows[name], flush=True)
        arrays |= by_name(scores)
    return rows, {"arrays": arrays}


# ---- restorers -------------------------------------------------------------------------------------------------------


def restored_by(network, condition):
    return np.clip(network.predict(condition, batch_size=320, verbose=0), 0, 1)


def train(task, loss, rate, images, seed, quick, centres=(None, None), longer=1):
    """A restorer, and after the steps of CHECKS its PSNR on every tenth training and every second validation slice, in use.

    images: training and validation slices; centres: of their holes, or None for holes anywhere.
    """
    exams = []
    for x, own, every in zip(images, centres, (10, 2), strict=True):
        x = x[::every]
        condition = restore.exam(x, task) if own is None else restore.cut_hole(x, own[::every])
        exams.append((x, condition))

    def watch(network):
        return [float(restore.psnr(x, restored_by(network, c), c[..., 1:]).mean()) for x, c in exams]

    at = [2] if quick else [longer * check for check in CHECKS]
    options = {"rate": rate, "steps": at[-1], "seed": seed, "centres": centres[0], "at": at, "watch": watch}
    network, watched = restore.train(task, images[0], **options, **restore.LOSSES[loss])
    return network, {"steps": at, "train": [row[0] for row in watched], "val": [row[1] for row in watched]}


def rates(seed, quick=False):
    """For each damage and loss three learning rates, and the next one beyond while the best of this seed is the lowest or the
    highest: PSNR on training and validation slices at the end, and of the 480 restored validation slices the KID, the detail, the
    agreement, and the share that the reader reads rightly, so that losses can be compared at equal rates."""
    brains = simulated("rates", seed, quick)
    images = [brains.train.x, brains.val.x]
    table = {}
    for name in [f"upscale, {restore.STRONG}"] if quick else restore.ARMS:
        task, loss = name.split(", ")
        condition, found = restore.exam(images[1], task), {}
        waiting = list(restore.RATES[:1] if quick else restore.RATES)
        while waiting:
            rate = waiting.pop(0)
            network, watched = train(task, loss, rate, images, seed, quick)
            row = {key: watched[key][-1] for key in ("train", "val")}
            restored, (classifier, kid, _) = restored_by(network, condition), judges(quick)
            sums = restore.products(images[1], restored, condition[..., 1:])
            row |= {"kid": kid(restored), "detail": restore.detail(sums), "agreement": restore.agreement(sums)}
            found[f"{rate:g}"] = row | {"read": np.mean(read_by(classifier, restored) == brains.val.targets["label"])}
            print(name, rate, found[f"{rate:g}"], flush=True)
            if not waiting and not quick:
                waiting = restore.beyond(name, found)
        table[name] = found
    return table


def losses(seed, quick=False):
    """For each damage a U-Net with each loss, 4,000 steps of 8 slices at its best rate; some of them also for twice as long, or at
    the lower one of the best rates of L1 and STRONG. PSNR on training and validation slices after some of the `steps`, in use; PSNR
    and KID of the test slices. The arrays hold what comparisons rest on, by patient or slice. Of seed 0 the networks that the
    lesson shows are kept, for the hole that at the lower rate."""
    brains = simulated("losses", seed, quick)
    images = [brains.train.x, brains.val.x]
    rows, scores, networks = {}, {}, {}
    for name in [f"upscale, {restore.STRONG}"] if quick else [*restore.ARMS, *restore.AGAIN]:
        task, loss, *again = name.split(", ")
        rate = restore.RATES[0] if quick else restore.best_rate(name)
        network, watched = train(task, loss, rate, images, seed, quick, longer=1 + (again == [restore.LONG]))
        row, scores[name] = measure(task, quick, functools.partial(restored_by, network))
        rows[name] = {"rate": rate, **watched, **row}
        if loss in restore.SHOWN and (not again or (task, *again) == ("hole", restore.LOWER)):
            networks[f"{task}, {loss}"] = half_precision(network)
        print(name, rows[name], flush=True)
    return rows, {"arrays": by_name(scores), "weights": networks if seed == 0 else None}


def patients(seed, quick=False):
    """Restorers that saw 150 patients: noise, or a hole over the mass (in the healthy, where another patient has one). PSNR on their
    own training and on such validation slices after some of the `steps`; pixels that the marker marks on average on the test
    slices of 150 healthy patients and 150 with a mass. The arrays hold these numbers for each slice. Of seed 0 the networks
    with adversarial loss are kept, for the hole those at the lower rate."""
    brains, (exams, _, masks, _) = simulated("losses", seed, quick), second_exams(quick)
    ill, table, arrays, networks = masks.any((1, 2)), {}, {}, {}
    for name in restore.FED[:1] if quick else restore.FED:
        task, diet, loss, *again = name.split(", ")
        images, centres = [], []
        for split, part in ((brains.train, 1), (brains.val, 5)):  # a fifth as many for validation
            everyone, rows = healthy_and_mass(split), healthy_and_mass(split, [n // part for n in restore.DIETS[diet]])
            lies = restore.hole_centres(split.masks[everyone], split.targets["label"][everyone] == 1)
            images.append(split.x[rows])
            centres.append(lies[np.isin(everyone, rows)] if task == "hole" else None)
        rate = restore.RATES[0] if quick else restore.best_rate(", ".join([task, loss, *again]))
        network, watched = train(task, loss, rate, images, seed, quick, centres)
        arrays[name] = restore.marked_pixels(restore.mark(judges(quick)[2], restored_by(network, exams[task])), masks)
        table[name] = {"rate": rate, **watched, "marked": [arrays[name][~ill].mean(), arrays[name][ill].mean()]}
        if loss == restore.STRONG:
            networks[f"{task}, {diet}"] = half_precision(network)
        print(name, table[name], flush=True)
    return table, {"arrays": arrays, "weights": networks if seed == 0 else None}


if __name__ == "__main__":
    functions = {"readers": readers, "classical": classical, "rates": rates, "losses": losses, "patients": patients}
    main("restoration", RUNS, functions, tolerance={**dict.fromkeys(RUNS, 0.05), "patients": 2.0})
