"""What another scanner does to the small CNN, what varied training buys, and how many false alarms a limit means.

    python -m course_lib.lessons.in_use.experiment [rates] [scanners] [alarms]

The small CNN on brain-lesions (simulated) at 64×64 pixels, 600 patients, EPOCHS epochs with a rate that falls to 0. A seed
draws the patients, the first weights and the order of training. Both arms of a seed see the same patients as often, from
the same first weights:

- plain: the images as they are.
- varied: images whose gain, gamma and noise vary (`models.RandomIntensity`); their resolution never does.

`rates` chose each arm's rate on the validation patients of two other sets. Temperature, threshold and largest distance are
chosen on the validation patients of the seed. Measured on the same 500 fresh patients, as they are and as other scanners
would show them (`simulate_scanner`). Seed 0 also leaves the weights of its plain network, of which release.py makes the
release; `alarms` is about that release.
"""

import numpy as np

from course_lib import data, evaluate, models, results
from course_lib.images import simulate_scanner
from course_lib.lessons.in_use import model as lesson
from course_lib.lessons.in_use import monitoring, serve
from course_lib.models import keras
from course_lib.ops import softmax
from course_lib.tools.experiment import main

RUNS = {"rates": range(2), "scanners": range(5), "alarms": range(1)}
EPOCHS, BATCH = 30, 32
RATES = (0.0003, 0.001, 0.003, 0.01)
FIRST_SET, TEST_SET, POOL_SET = 1900, 1950, 1951  # seeds of the data: of `rates`, of the test patients, of `alarms`
TESTED, POOL = 500, 1360  # patients
SIZES, DRAWS = (120, 240, 480, 960), 100  # of `alarms`: validation patients, and how often they are drawn


def rates(seed, quick=False):
    """600 patients: for each arm and rate, accuracy per slice on the training slices, unchanged and in use, and on those of
    120 validation patients."""
    brains, payload = patients(FIRST_SET + seed, quick), {}
    for arm in ("plain", "varied"):
        payload[arm] = {}
        for rate in RATES[1:2] if quick else RATES:
            network = trained(brains.train, arm, rate, seed, 2 if quick else EPOCHS)
            payload[arm][f"{rate:g}"] = {"train": right(network, brains.train), "val": right(network, brains.val)}
    return payload


def best_rate(arm):
    """The rate with the highest mean validation accuracy in the stored `rates`. Raises ValueError at an end of the list."""
    stored = results.load("in_use/rates").values()
    best = max(RATES, key=lambda rate: np.mean([run[arm][f"{rate:g}"]["val"] for run in stored]))
    if best in (RATES[0], RATES[-1]):
        raise ValueError(f"{arm} is best at {best:g}, an end of the list of rates: make it longer.")
    return best


def scanners(seed, quick=False):
    """For each arm: rate, accuracy on the training slices, unchanged and in use, and by scanner what the test slices give;
    refused: share beyond the distance that 98 % of the validation slices keep. The arrays: truth and groups of the test slices; by arm, the class named for each slice, (settings, n) in
    the order of `settings`; distances of the plain network, of validation slices, and of test slices by strength of all
    three changes."""
    brains = patients(seed, quick)
    test = data.load("brain-lesions", seed=0 if quick else TEST_SET, n_test=24 if quick else TESTED).test
    payload, arrays, networks = {}, {"truth": test.targets["label"].astype(np.uint8), "test_groups": test.groups}, {}
    for arm in ("plain", "varied"):
        rate = RATES[1] if quick else best_rate(arm)
        networks[arm] = trained(brains.train, arm, rate, seed, 2 if quick else EPOCHS)
        judge = Judge(networks[arm], brains)
        run, answers, distances = measured(judge, test)
        payload[arm] = {"rate": rate, "train": right(networks[arm], brains.train), **run}
        arrays[arm] = answers
        if arm == "plain":
            known = judge.measure(brains.val.x, brains.val.targets["label"])[2]
            arrays |= {"val": known, "val_groups": brains.val.groups, "test": distances}
    if quick or seed:
        return payload, {"arrays": {} if quick else arrays}
    pixels = {"mean": brains.train.x.mean(), "variance": brains.train.x.var()}
    return payload, {"arrays": arrays | pixels, "weights": networks["plain"]}


def alarms(seed, quick=False):
    """The release, on 1,360 fresh patients, who stand for all patients there are: they come to the clinics, and from some
    of them, drawn DRAWS times with replacement, reference, slack and limit of the alarm are made. By number of patients
    drawn: share of clinics that ring within 100 days though nothing has changed, and that ring within 30 days of a quarter
    of the change. The arrays are each patient's mean log distance, as they are and after that quarter."""
    pool = data.load("brain-lesions", seed=0 if quick else POOL_SET, n_test=24 if quick else POOL).test
    release, score = lesson.release(), {}
    for name, change in (("same", {}), ("quarter", lesson.SCANNERS["all three"][0])):
        images = simulate_scanner(pool.x, **change) if change else pool.x
        distance = release.familiar.distance(serve.look(release.model, images)[1]["early"])
        score[name] = evaluate.by_patient(np.log(distance), pool.groups)
    payload = {}
    for number in (12,) if quick else SIZES:
        rows = [one_limit(score, number, draw, quick) for draw in range(3 if quick else DRAWS)]
        payload[str(number)] = {"false alarms": [row[0] for row in rows], "noticed": [row[1] for row in rows]}
    return payload, {"arrays": {name: values.astype(np.float32) for name, values in score.items()}}


def one_limit(score, number, draw, quick):
    """(share of false alarms, share of clinics that notice the quarter) with a limit from `number` drawn patients."""
    everybody = score["same"]
    known = everybody[np.random.default_rng([number, draw]).integers(len(everybody), size=number)]
    clinics = 40 if quick else lesson.STREAMS
    settings = {"patients": lesson.PATIENTS, "days": lesson.DAYS, "slack": lesson.SLACK, "repeats": clinics}
    false, options, limit = monitoring.false_alarms(known, everybody, **settings, seed=2 * draw)
    who = np.arange(len(everybody))
    after = monitoring.daily_means(score["quarter"], who, lesson.PATIENTS, 30, repeats=clinics, seed=draw)
    return false, float((monitoring.cusum(after, **options).max(1) > limit).mean())


def patients(seed, quick):
    return data.load("brain-lesions", seed=0, n_patients=60) if quick else data.load("brain-lesions", seed=seed)


def trained(split, arm, rate, seed, epochs):
    """The network of an arm, without the layer that varies."""
    keras.utils.set_random_seed(seed)
    images, label = split.x, split.targets["label"]
    network = models.small_cnn(images.shape[1:], 4, mean=float(images.mean()), variance=float(images.var()))
    before = [models.RandomIntensity(seed=seed)] if arm == "varied" else []
    whole = keras.Sequential([keras.Input(images.shape[1:]), *before, network])
    steps = epochs * -(-len(images) // BATCH)
    models.compile_with_cosine(whole, rate, steps, steps_per_execution=15)
    whole.fit(images, label, batch_size=BATCH, epochs=epochs, verbose=0)
    return network


def right(network, split):
    """Accuracy per slice."""
    return float((serve.look(network, split.x)[0].argmax(1) == split.targets["label"]).mean())


def settings():
    """All changes, (kind, place, settings), the unchanged images first."""
    return [("as it is", 0, {}), *((k, n, one) for k, rows in lesson.SCANNERS.items() for n, one in enumerate(rows, 1))]


def measured(judge, test):
    """What is stored of a model, its answers (settings, n), and the distances (5, n) by strength of all three changes."""
    label, by_kind, answers, distances = test.targets["label"], {}, [], []
    for kind, _, change in settings():
        row, answer, distance = judge.measure(simulate_scanner(test.x, **change) if change else test.x, label)
        by_kind.setdefault(kind, []).append({**change, **row})
        answers.append(answer.astype(np.uint8))
        if kind in ("as it is", "all three"):
            distances.append(distance)
    same = by_kind.pop("as it is")
    run = {"temperature": judge.temperature, "scanners": {kind: same + rows for kind, rows in by_kind.items()}}
    return run, np.stack(answers), np.stack(distances).astype(np.float32)


class Judge:
    """A model with what is chosen on the validation patients."""

    def __init__(self, model, brains):
        self.model, label = model, brains.val.targets["label"]
        self.familiar = monitoring.familiarise(serve.look(model, brains.train.x)[1]["early"])
        logits, features = serve.look(model, brains.val.x)
        self.temperature = evaluate.fit_temperature(label, logits)
        probability = softmax(logits / self.temperature)
        self.threshold = evaluate.operating_point(label > 0, 1 - probability[:, 0], sensitivity=lesson.SENSITIVITY)
        self.largest_distance = float(np.quantile(self.familiar.distance(features["early"]), lesson.ANSWERED))
        right = probability.argmax(1) == label
        self.reliability = evaluate.reliability(right, probability.max(1))
        self.val_accuracy = evaluate.share(right, groups=brains.val.groups)

    def measure(self, images, label):
        """(what is stored of these images, the class named for each, the distance of each)."""
        logits, features = serve.look(self.model, images)
        probability, distance = softmax(logits / self.temperature), self.familiar.distance(features["early"])
        right, refused = probability.argmax(1) == label, distance > self.largest_distance
        row = {
            "accuracy": right.mean(),
            "confidence": probability.max(1).mean(),
            "ece": evaluate.expected_calibration_error(right, probability.max(1)),
            "sensitivity": (1 - probability[:, 0] >= self.threshold)[label > 0].mean(),
            "specificity": (1 - probability[:, 0] < self.threshold)[label == 0].mean(),
            "refused": refused.mean(),
            "accuracy of answered": right[~refused].mean() if not refused.all() else None,
        }
        return row, logits.argmax(1), distance


if __name__ == "__main__":
    functions = {"rates": rates, "scanners": scanners, "alarms": alarms}
    main("in_use", RUNS, functions, tolerance={"rates": 0.05, "scanners": 0.05, "alarms": 0.02})
