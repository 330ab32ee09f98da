"""What another scanner does to the small CNN: accuracy, calibration, refusals, alarms.

    python -m course_lib.lessons.beyond.experiment

The patients are the same for all seeds (brain-lesions, seed 0, 64×64); a seed decides first weights and order of training.

- plain: the small CNN, trained on the images as they are. That of seed 0 is that of lesson explanations, which trained longer.
- varied: the plain one of the same seed, trained on with images whose gain, gamma and noise vary
  (`models.RandomIntensity`); their resolution never does.

Temperature, threshold and largest distance are chosen on the validation patients. Measured on the test patients, as they
are and as other scanners would show them (`simulate_scanner`). Seed 0 also leaves the weights of its varied model, the
distances of its plain one, for the monitoring, and that model as a release, in a folder of its own.
"""

import shutil
from dataclasses import replace

import numpy as np
from scipy.special import logsumexp

from course_lib import data, evaluate, models, results
from course_lib.data.brain_lesions import FIELD_OF_VIEW, VERSION
from course_lib.images import simulate_scanner
from course_lib.lessons.beyond import model as beyond
from course_lib.lessons.beyond import monitoring, serve
from course_lib.lessons.explanations.model import stored_network
from course_lib.models import keras
from course_lib.ops import softmax
from course_lib.tools.experiment import main

RUNS = {"scanners": range(3)}
EPOCHS, EXTRA = 8, 4
DAYS, PATIENTS, STREAMS, SLACK = 100, 16, 2000, 0.5


def scanners(seed, quick=False):
    """brain-lesions, seed 0, 64×64 pixels, 160 test patients. Refused: share beyond the limit that 98 % of the validation
    images keep, by the distance of early or of last features, or by the energy. Seconds: a machine shared with other
    work."""
    brains = few(data.load("brain-lesions")) if quick else data.load("brain-lesions")
    images, label = brains.train.x, brains.train.targets["label"]
    if seed == 0:
        plain = stored_network("normal")
    else:
        fit(plain := network(images, seed), images, label, EPOCHS)
    varied = network(images, seed)
    varied.set_weights(plain.get_weights())
    layers = [keras.Input(images.shape[1:]), models.RandomIntensity(seed=seed), varied]
    fit(keras.Sequential(layers), images, label, 1 if quick else EXTRA)

    judge = Judge(plain, brains)
    runs, distances = zip(measure(judge, brains), measure(Judge(varied, brains), brains), strict=True)
    payload = dict(zip(("plain", "varied"), runs, strict=True))
    if quick or seed:
        return payload
    shutil.rmtree(results.folder(beyond.RELEASE), ignore_errors=True)
    serve.save(judge.release(), results.folder(beyond.RELEASE))
    arrays = {
        "val": judge.measure(brains.val.x)[1].astype(np.float32),
        "val_groups": brains.val.groups,
        "test": distances[0].astype(np.float32),
        "test_groups": brains.test.groups,
        "mean": images.mean(),
        "variance": images.var(),
    }
    return payload, {"arrays": arrays, "weights": varied}


def few(brains):
    """Every fifth patient."""

    def part(split):
        keep = np.isin(split.groups, np.unique(split.groups)[::5])
        targets = {name: values[keep] for name, values in split.targets.items()}
        return replace(split, x=split.x[keep], targets=targets, groups=split.groups[keep], masks=None)

    return replace(brains, train=part(brains.train), val=part(brains.val), test=part(brains.test))


def network(images, seed):
    keras.utils.set_random_seed(seed)
    return models.small_cnn(images.shape[1:], 4, mean=float(images.mean()), variance=float(images.var()))


def fit(model, images, label, epochs):
    model.compile(keras.optimizers.Adam(1e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(images, label, batch_size=32, epochs=epochs, verbose=0)


def measure(judge, brains):
    """What is stored of a model, and the distances of the test images by strength of "all three"."""
    label, run, distances = brains.test.targets["label"], {"temperature": judge.temperature, "scanners": {}}, {}
    same, own = judge.measure(brains.test.x, label)
    for kind, settings in beyond.SCANNERS.items():
        rows = [judge.measure(simulate_scanner(brains.test.x, **one), label) for one in settings]
        changed = [{**one, **row} for one, (row, _) in zip(settings, rows, strict=True)]
        run["scanners"][kind] = [{"as it is": True, **same}, *changed]
        distances[kind] = np.stack([own, *(distance for _, distance in rows)])
    refused = {name: judge.measure(image)[0]["refused"] for name, image in beyond.visitors().items()}
    run["foreign"] = {name: {how: bool(share) for how, share in row.items()} for name, row in refused.items()}
    known = judge.measure(brains.val.x)[1]
    run["watch"] = watch(known, brains.val.groups, distances["all three"], brains.test.groups)
    return run, distances["all three"]


class Judge:
    """A model with what is chosen on the validation patients."""

    def __init__(self, model, brains):
        self.model = model
        train_features = serve.look(model, brains.train.x)[1]
        self.familiar = {name: monitoring.familiarise(rows) for name, rows in train_features.items()}
        logits, features = serve.look(model, brains.val.x)
        label = brains.val.targets["label"]
        self.temperature = evaluate.fit_temperature(label, logits)
        probability = softmax(logits / self.temperature)
        self.threshold = evaluate.operating_point(label > 0, 1 - probability[:, 0], sensitivity=beyond.SENSITIVITY)
        self.limits = {name: np.quantile(d, beyond.ANSWERED) for name, d in self.strangeness(logits, features).items()}
        right = probability.argmax(1) == label
        self.reliability = evaluate.reliability(right, probability.max(1))
        self.val_accuracy = evaluate.bootstrap(np.mean, right, groups=brains.val.groups)

    def strangeness(self, logits, features):
        """Three scores, higher for stranger images; energy: Liu et al. 2020 (arXiv:2010.03759)."""
        distances = {name: known.distance(features[name]) for name, known in self.familiar.items()}
        return {**distances, "energy": -logsumexp(logits, axis=1)}

    def measure(self, images, label=None):
        logits, features = serve.look(self.model, images)
        strange = self.strangeness(logits, features)
        refused = {name: values > self.limits[name] for name, values in strange.items()}
        row = {"refused": {name: flags.mean() for name, flags in refused.items()}}
        if label is not None:
            probability = softmax(logits / self.temperature)
            right = probability.argmax(1) == label
            answered = ~refused["early"]
            row |= {
                "accuracy": right.mean(),
                "confidence": probability.max(1).mean(),
                "ece": evaluate.expected_calibration_error(right, probability.max(1)),
                "sensitivity": (1 - probability[:, 0] >= self.threshold)[label > 0].mean(),
                "specificity": (1 - probability[:, 0] < self.threshold)[label == 0].mean(),
                "accuracy of answered": right[answered].mean() if answered.any() else None,
            }
        return row, strange["early"]

    def release(self):
        predicted = self.reliability
        card = {
            "name": "brain-lesions-cnn",
            "version": "2.0",
            "warning": serve.WARNING,
            "data": {
                "name": "brain-lesions",
                "version": VERSION,
                "generator": data.fingerprint("brain-lesions"),
                "seed": 0,
                "simulated": True,
            },
            "classes": list(data.load("brain-lesions").class_names),
            "input": {"modality": "MR", "size": 64, "field_of_view_mm": FIELD_OF_VIEW, "range": [0, 1]},
            "temperature": self.temperature,
            "threshold": self.threshold,
            "threshold_chosen_for": f"sensitivity {beyond.SENSITIVITY} for any lesion, on validation",
            "largest_distance": float(self.limits["early"]),
            "largest_distance_chosen_for": f"{beyond.ANSWERED:.0%} of the validation images are answered",
            "accuracy_on_validation": str(self.val_accuracy),
            "reliability": {
                "count": predicted.count.tolist(),
                "right": [None if np.isnan(share) else float(share) for share in predicted.observed],
            },
        }
        return serve.Release(self.model, self.familiar["early"], card)


def watch(known, known_groups, new, groups):
    """Alarms of a cumulative sum of daily mean log distances, its limit set on streams of validation patients.

    known: scores of validation images; new: of test images, by strength of the other scanner.
    """
    log = np.log(known)
    days = monitoring.daily_means(log, known_groups, PATIENTS, DAYS, repeats=STREAMS)
    options = {"reference": days.mean(), "slack": SLACK * days.std()}
    limit = np.quantile(monitoring.cusum(days, **options).max(1), 0.95)  # 5 % of the streams without change ring
    quiet = monitoring.daily_means(np.log(new[0]), groups, PATIENTS, DAYS, repeats=STREAMS, seed=1)
    told = {"false alarms": (monitoring.cusum(quiet, **options).max(1) > limit).mean(), "after the change": []}
    for strength, score in enumerate(new):
        after = monitoring.daily_means(np.log(score), groups, PATIENTS, 30, repeats=STREAMS, seed=2)
        delay = monitoring.first_alarm(monitoring.cusum(after, **options), limit)
        median = np.median(delay)
        row = {"strength": strength / 4, "rings within 30 days": np.isfinite(delay).mean()}
        told["after the change"].append({**row, "median delay": None if np.isinf(median) else median})
    return told


if __name__ == "__main__":
    main("beyond", RUNS, {"scanners": scanners}, tolerance={"scanners": 0.05})
