"""What lesson 18 shows of another scanner: accuracy, calibration, refusals, alarms. Writes course_lib/lessons/beyond/results/.

    python course_lib/lessons/beyond/experiment.py 0 1 2

The patients are the same for all seeds (brain-lesions, seed 0, 64×64); a seed decides first weights and order of training.

- plain: the small CNN, trained on the images as they are. That of seed 0 is lesson 11's, which trained longer.
- varied: the plain one of the same seed, trained on with images whose gain, gamma and noise vary
  (`models.RandomIntensity`); their resolution never does.

Temperature, threshold and largest distance are chosen on the validation patients. Measured on the test patients, as they
are and as other scanners would show them (`simulate_scanner`). Of seed 0, the plain model becomes course_lib/lessons/beyond/results/release,
the varied one course_lib/lessons/beyond/results/varied.keras, and the plain one's distances, for the monitoring, course_lib/lessons/beyond/results/days.npz. beyond.json is
written anew after each model; what is stored already stays, and is not made again.
"""

import argparse
import json
import shutil

import numpy as np
from scipy.special import logsumexp
from skimage.transform import resize

from course_lib import ROOT, data, evaluate, models
from course_lib.data.brain_lesions import FIELD_OF_VIEW, SOURCE_HASH, VERSION
from course_lib.images import simulate_scanner
from course_lib.lessons.beyond import monitoring, serve
from course_lib.lessons.explanations.model import stored_network
from course_lib.ops import softmax
from course_lib.tools.common import save

keras = models.keras
FOLDER = ROOT / "course_lib/lessons/beyond/results"
EPOCHS, EXTRA = 8, 4
ANSWERED, SENSITIVITY = 0.98, 0.95
SCANNERS = {
    "noise": [{"noise": s} for s in (0.02, 0.04, 0.06, 0.08)],
    "contrast": [{"gamma": g} for g in (0.6, 0.8, 1.25, 1.6)],
    "blur": [{"blur": b} for b in (1.0, 2.0, 3.0, 4.0)],
    "all three": [{"noise": 0.05 * s, "gamma": 1.4**s, "blur": 2.0 * s} for s in (0.25, 0.5, 0.75, 1.0)],
}
DAYS, PATIENTS, STREAMS, SLACK = 100, 16, 2000, 0.5
NOTE = (
    "brain-lesions, seed 0, 64×64 pixels, 160 test patients. Refused: share beyond the limit that 98 % of the validation "
    "images keep, by the distance of early or of last features, or by the energy. Seconds: a machine shared with other work."
)


def plain(images, label, seed):
    model, bare = (small_cnn(images, seed) for _ in range(2))
    return fit(model, model, images, label, EPOCHS, bare)


def varied(base, images, label, seed):
    model, bare = (small_cnn(images, seed) for _ in range(2))
    model.set_weights(base.get_weights())
    other = keras.Sequential([keras.Input(images.shape[1:]), models.RandomIntensity(seed=seed), model])
    return fit(other, model, images, label, EXTRA, bare)


def fit(trained, model, images, label, epochs, bare):
    """Train, and return the model's weights in a copy without the optimiser, whose state is twice as large."""
    trained.compile(keras.optimizers.Adam(1e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    trained.fit(images, label, batch_size=32, epochs=epochs, verbose=0)
    bare.set_weights(model.get_weights())
    return bare


def small_cnn(images, seed):
    keras.utils.clear_session()  # layers are called conv2d, conv2d_1, … in each model
    keras.utils.set_random_seed(seed)
    return models.small_cnn(images.shape[1:], 4, mean=float(images.mean()), variance=float(images.var()))


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
        self.threshold = evaluate.operating_point(label > 0, 1 - probability[:, 0], sensitivity=SENSITIVITY)
        self.limits = {name: np.quantile(d, ANSWERED) for name, d in self.strangeness(logits, features).items()}
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
            "version": "1.0",
            "warning": serve.WARNING,
            "data": {
                "name": "brain-lesions",
                "version": VERSION,
                "generator": SOURCE_HASH,
                "seed": 0,
                "simulated": True,
            },
            "classes": list(data.load("brain-lesions").class_names),
            "input": {"modality": "MR", "size": 64, "field_of_view_mm": FIELD_OF_VIEW, "range": [0, 1]},
            "temperature": self.temperature,
            "threshold": self.threshold,
            "threshold_chosen_for": f"sensitivity {SENSITIVITY} for any lesion, on validation",
            "largest_distance": float(self.limits["early"]),
            "largest_distance_chosen_for": f"{ANSWERED:.0%} of the validation images are answered",
            "accuracy_on_validation": str(self.val_accuracy),
            "reliability": {
                "count": predicted.count.tolist(),
                "right": [None if np.isnan(share) else float(share) for share in predicted.observed],
            },
        }
        return serve.Release(self.model, self.familiar["early"], card)


def foreign():
    """Real images that are no T1 slice of a brain, grey, as (1, 64, 64, 1) in [0, 1], and pure noise."""
    pictures = {}
    for name in ("ct", "mr", "ultrasound", "echo", "retina", "histology"):
        image = data.sample(name).image
        image = image[0] if name == "echo" else image
        image = np.clip((image + 160) / 400, 0, 1) if name == "ct" else image  # a soft-tissue window
        image = image.mean(-1) if image.ndim == 3 else image
        pictures[name] = resize(image, (64, 64), anti_aliasing=True)
    pictures["noise"] = np.random.default_rng(0).random((64, 64))
    return {name: image.astype(np.float32)[None, ..., None] for name, image in pictures.items()}


def watch(known, known_groups, new, groups):
    """Alarms of a cumulative sum of daily mean log distances, its limit set on streams of validation patients.

    known: scores of validation images; new: of test images, by strength of the other scanner.
    """
    log = np.log(known)
    days = monitoring.daily_means(log, known_groups, PATIENTS, DAYS, repeats=STREAMS)
    options = {"reference": days.mean(), "slack": SLACK * days.std()}
    limit = np.quantile(monitoring.cusum(days, **options).max(1), 0.95)  # 5 % of the streams without change ring
    quiet = monitoring.daily_means(np.log(new[0]), groups, PATIENTS, DAYS, repeats=STREAMS, seed=1)
    results = {"false alarms": (monitoring.cusum(quiet, **options).max(1) > limit).mean(), "after the change": []}
    for strength, score in enumerate(new):
        after = monitoring.daily_means(np.log(score), groups, PATIENTS, 30, repeats=STREAMS, seed=2)
        rings = monitoring.cusum(after, **options) > limit
        delay = np.where(rings.any(1), rings.argmax(1) + 1, np.inf)
        median = np.median(delay)
        row = {"strength": strength / 4, "rings within 30 days": rings.any(1).mean()}
        results["after the change"].append({**row, "median delay": None if np.isinf(median) else median})
    return results


def stored():
    path = FOLDER / "beyond.json"
    return json.loads(path.read_text(encoding="utf-8"))["results"] if path.exists() else {"plain": {}, "varied": {}}


def measure(arm, seed, model, brains):
    judge = Judge(model, brains)
    label, run, distances = brains.test.targets["label"], {"temperature": judge.temperature, "scanners": {}}, {}
    same, own = judge.measure(brains.test.x, label)
    for kind, settings in SCANNERS.items():
        rows = [judge.measure(simulate_scanner(brains.test.x, **one), label) for one in settings]
        changed = [{**one, **row} for one, (row, _) in zip(settings, rows, strict=True)]
        run["scanners"][kind] = [{"as it is": True, **same}, *changed]
        distances[kind] = np.stack([own, *(distance for _, distance in rows)])
    refused = {name: judge.measure(image)[0]["refused"] for name, image in foreign().items()}
    run["foreign"] = {name: {how: bool(share) for how, share in row.items()} for name, row in refused.items()}
    known = judge.measure(brains.val.x)[1]
    run["watch"] = watch(known, brains.val.groups, distances["all three"], brains.test.groups)
    FOLDER.mkdir(parents=True, exist_ok=True)
    if (arm, seed) == ("plain", 0):
        shutil.rmtree(FOLDER / "release", ignore_errors=True)
        serve.save(judge.release(), FOLDER / "release")
        np.savez_compressed(
            FOLDER / "days.npz",
            val=known.astype(np.float32),
            val_groups=brains.val.groups,
            test=distances["all three"].astype(np.float32),
            test_groups=brains.test.groups,
        )
    elif seed == 0:
        model.save(FOLDER / "varied.keras")
    print(seed, arm, [f"{row['accuracy']:.2f}" for row in run["scanners"]["all three"]], flush=True)
    results = stored()
    results[arm][str(seed)] = run
    seeds = sorted({int(number) for runs in results.values() for number in runs})
    save("beyond/beyond.json", results, seeds=seeds, note=NOTE)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("seeds", type=int, nargs="+")
    brains = data.load("brain-lesions")
    images, label = brains.train.x, brains.train.targets["label"]
    for seed in parser.parse_args().seeds:
        if seed == 0:
            model = stored_network("normal")
        else:
            model = plain(images, label, seed)
        if str(seed) not in stored()["plain"]:
            measure("plain", seed, model, brains)
        if str(seed) not in stored()["varied"]:
            measure("varied", seed, varied(model, images, label, seed), brains)


if __name__ == "__main__":
    main()
