"""What this lesson shows as stored, and what datasets/README.md says of echo-cine. A seed is another set of patients.

python -m course_lib.lessons.clips_to_sequences.experiment [windows | echo_cine] [--quick]
"""

import numpy as np
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR

from course_lib import data, sequences
from course_lib.data import echo_cine as generator
from course_lib.lessons.clips_to_sequences.model import (
    CAVITY,
    KINDS,
    LENGTHS,
    REGION,
    STRIDES,
    area,
    cavity_curve,
    fit_segments,
    mae,
    mean_answer,
    pixel_summary,
    ridge_answers,
    segment_features,
    shuffled,
)
from course_lib.tools.experiment import main

RUNS = {"windows": range(5), "echo_cine": range(5)}

# ---- windows: how long, how far apart, which features, and what a split by segments leaks ---------------------------

FIRST_SET, TEST_SET, TEST = (
    1200,
    1290,
    600,
)  # seeds of the data: of run 0, and of the test patients, the same for all runs
PENALTIES = (1e-4, 1e-3, 1e-2, 0.1, 1.0, 10.0)  # of the logistic regression, as scikit-learn's C: small is strong


def windows(seed, quick=False):
    """Segments of simulated clips, of 12 frames in steps of 6 unless it says otherwise. 300 training patients and 120 for
    validation, the seed's own; 600 test patients, the same for all seeds. Ridge regression for the ejection fraction and
    logistic regression for the rhythm, each with the penalty that is best for the validation patients; a patient's answer is
    the mean over the segments. `error`: mean absolute error in points, on each split. The arrays hold the answers for the
    test patients. `leak`: see `leak`, on the training patients; a seed is another toss of the coin as well."""
    own = data.load("echo-cine", n_patients=24 if quick else 300, seed=0 if quick else FIRST_SET + seed)
    new = data.load("echo-cine", seed=0 if quick else TEST_SET, n_patients=24, n_test=24 if quick else TEST)
    splits = {"train": own.train, "val": own.val, "test": new.test}
    n = 24 if quick else None  # patients
    images = {name: split.x[:n, ..., 0] for name, split in splits.items()}
    fraction = {name: split.targets["ejection_fraction"][:n].astype(float) for name, split in splits.items()}
    rhythm = {name: split.targets["rhythm"][:n] for name, split in splits.items()}
    names = sequences.frame_features(images["test"][:1])[1]
    values = {name: sequences.frame_features(x)[0] for name, x in images.items()}
    mixed = {name: sequences.frame_features(shuffled(x, seed))[0] for name, x in images.items()}
    found, arrays = {}, {"truth": fraction["test"], "rhythm": rhythm["test"]}

    def estimate(arm, segments):
        answers, alpha = ridge_answers(segments, fraction)
        error = {name: mae(fraction[name], answer) for name, answer in answers.items()}
        found[arm], arrays[arm] = {"error": error, "alpha": alpha}, answers["test"]

    def recognise(arm, segments):
        chance, penalty = logistic_answers(segments, rhythm)
        found[arm], arrays[arm] = {"area": area(rhythm["test"], chance), "penalty": penalty}, chance

    def cut(tables, length=12, stride=6, kind="all"):
        columns = [names.index(name) for name in KINDS[kind] or names]
        return {name: segment_features(table[..., columns], length, stride) for name, table in tables.items()}

    lazy = np.full(len(fraction["test"]), np.median(fraction["train"]))
    found["median"], arrays["median"] = {"error": {"test": mae(fraction["test"], lazy)}}, lazy
    for kind in KINDS:
        estimate(kind, cut(values, kind=kind))
        recognise(f"rhythm, {kind}", cut(values, kind=kind))
    for length in LENGTHS:
        estimate(f"{length} frames", cut(values, length, max(1, length // 2)))
    recognise("rhythm, whole clip", cut(values, 48))
    estimate("frames shuffled", cut(mixed))
    recognise("rhythm, frames shuffled", cut(mixed))
    for part in ("values", "mean", "deviation", "mean and deviation"):
        estimate(f"pixels, {part}", {name: pixel_summary(x, 12, 6, part) for name, x in images.items()})
    motion = names.index("motion")
    found["motion"]["mean over the test clips"] = [
        float(table["test"][..., motion].mean()) for table in (values, mixed)
    ]
    found["leak"] = {stride: leak(segment_features(values["train"], 12, stride), seed) for stride in STRIDES}
    return found, {"arrays": {name: np.asarray(answer, np.float32) for name, answer in arrays.items()}}


def logistic_answers(segments, label):
    """The test patients' probability of an irregular rhythm from segments of each split, and the penalty that was best for
    the validation patients (area under the ROC curve)."""
    best = None
    for penalty in PENALTIES:
        logistic = make_pipeline(StandardScaler(), LogisticRegression(C=penalty, max_iter=2000))
        fit_segments(logistic, segments["train"], label["train"])
        chance = {
            name: mean_answer(lambda t, f=logistic: f.predict_proba(t)[:, 1], segments[name])
            for name in ("val", "test")
        }
        value = area(label["val"], chance["val"])
        if best is None or value > best[0]:
            best = value, chance["test"], penalty
    return best[1:]


def leak(segments, seed):
    """Share of a coin's tosses that the nearest neighbour repeats, if segments are split, and if patients are."""
    rng = np.random.default_rng(seed)
    patients, each, _ = segments.shape
    table = segments.reshape(patients * each, -1)
    coin, owner = np.repeat(rng.integers(0, 2, patients), each), np.repeat(np.arange(patients), each)
    nearest = make_pipeline(StandardScaler(), KNeighborsClassifier(1))
    found = {}
    for name, unit in [("by_segment", np.arange(patients * each)), ("by_patient", owner)]:
        drawn = rng.permutation(unit.max() + 1)
        train = np.isin(unit, drawn[: int(0.7 * len(drawn))])
        nearest.fit(table[train], coin[train])
        found[name] = nearest.score(table[~train], coin[~train])
    return found


# ---- echo_cine: does the simulated dataset teach what it should? -----------------------------------------------------

FRAMES = 24  # for the ejection fraction: two seconds


def echo_cine(seed, quick=False):
    """Test patients only. Rhythm: area under the ROC curve, 0.5 is chance. Ejection fraction: mean absolute error in
    points, from 24 frames. Shortcuts (brightness and contrast of one frame, heart rate) must give nothing away; an oracle
    knows every beat. The models are cheap ones, made to compare kinds of input. The arrays hold each patient's score or
    guess, and the truth."""
    dataset = data.load("echo-cine", n_patients=60 if quick else None, seed=seed)
    truth = {name: dataset.test.targets[name] for name in ("rhythm", "ejection_fraction")}
    answers = {"rhythm": rhythm_scores(dataset, seed), "ejection_fraction": fraction_guesses(dataset, seed)}
    measures = {"rhythm": area, "ejection_fraction": mae}
    payload = {
        task: {name: measures[task](truth[task], answer) for name, answer in part.items()}
        for task, part in answers.items()
    }
    arrays = {f"{task}: {name}": answer for task, part in answers.items() for name, answer in part.items()}
    return payload, {"arrays": {name: np.asarray(a, np.float32) for name, a in {**truth, **arrays}.items()}}


def rhythm_scores(dataset, seed):
    """One score per test patient, by model: higher speaks for irregular."""
    train, test = dataset.train, dataset.test
    label = train.targets["rhythm"]

    def logistic(first, second, c=1.0):
        model = make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=2000)).fit(first, label)
        return model.decision_function(second)

    features = [shortcut_features(split) for split in (train, test)]
    scores = {name: logistic(features[0][name], features[1][name]) for name in features[0]}
    scores["one frame"] = logistic(coarse(train.x[:, 0]), coarse(test.x[:, 0]), 1e-3)
    scores["mean frame"] = logistic(coarse(train.x.mean(1)), coarse(test.x.mean(1)), 1e-3)
    curves = {"in order": [cavity_curve(split.x) for split in (train, test)]}
    curves["shuffled"] = [cavity_curve(shuffled(split.x, seed)) for split in (train, test)]
    for name, (first, second) in curves.items():
        scores[f"regularity of the motion curve, {name}"] = logistic(regularity(first), regularity(second))
    scores["oracle: the beats themselves"] = oracle(generator.patients("test", seed=seed))
    return scores


def fraction_guesses(dataset, seed):
    """One ejection fraction in percent per test patient, by model."""
    splits = dataset.train, dataset.test
    target = dataset.train.targets["ejection_fraction"]

    def ridge(first, second):
        return make_pipeline(StandardScaler(), RidgeCV(np.logspace(-1, 4, 12))).fit(first, target).predict(second)

    def machine(inputs):
        """Support vector regression on principal components; its cost chosen by cross-validation."""
        steps = StandardScaler(), PCA(0.95, svd_solver="full"), StandardScaler(), SVR(epsilon=1.0)
        search = GridSearchCV(make_pipeline(*steps), {"svr__C": [1, 10, 100]}, scoring="neg_mean_absolute_error", cv=3)
        return search.fit(inputs[0], target).predict(inputs[1])

    clips = [split.x[:, :FRAMES] for split in splits]
    shortcut = [shortcut_features(split)["brightness and contrast of one frame"] for split in splits]
    return {
        "median of the training patients": np.full(len(dataset.test), np.median(target)),
        "brightness and contrast of one frame": ridge(*shortcut),
        "one frame": machine([around_cavity(x[:, 0]) for x in clips]),
        "mean frame": machine([around_cavity(x.mean(1)) for x in clips]),
        "curves, frames shuffled": machine([summary(motion_features(shuffled(x, seed))) for x in clips]),
        "curves, frames in order": machine([summary(motion_features(x)) for x in clips]),
    }


def shortcut_features(split):
    frame = split.x[:, 0]
    return {
        "brightness and contrast of one frame": np.stack([frame.mean((1, 2, 3)), frame.std((1, 2, 3))], 1),
        "heart rate": split.targets["heart_rate"][:, None],
    }


def coarse(images):
    """Images (n, 48, 48, 1) as vectors of 24×24 pixels."""
    return images.reshape(len(images), 24, 2, 24, 2).mean((2, 4)).reshape(len(images), -1)


def around_cavity(images):
    """The part of images (n, 48, 48, 1) around the left ventricle, as vectors of 16×16 pixels."""
    return images[:, *REGION].reshape(len(images), 16, 2, 16, 2).mean((2, 4)).reshape(len(images), -1)


def regularity(curve):
    """How regular a curve (n, t, 1) is: highest autocorrelation at 0.4 to 1.2 s, highest share and entropy of its spectrum."""
    curve, t = curve[..., 0], curve.shape[1]
    power = np.abs(np.fft.rfft(curve, 2 * t)) ** 2
    autocorrelation = np.fft.irfft(power)[:, :t]
    peak = (autocorrelation / autocorrelation[:, :1])[:, 5:15].max(1)
    power = np.abs(np.fft.rfft(curve * np.hanning(t), 2 * t))[:, 4:30] ** 2
    share = power / power.sum(1, keepdims=True)
    return np.stack([peak, share.max(1), -(share * np.log(share)).sum(1)], axis=1)


def oracle(known):
    """Spread of the lengths of the beats that lie wholly in the clip."""
    spread = []
    for patient in known:
        seen = patient.beats[(patient.beats >= 0) & (patient.beats <= generator.SECONDS)]
        spread.append(np.std(np.log(np.diff(seen))))
    return np.array(spread)


def motion_features(clips):
    """Per frame (n, t, 3): mean and spread of brightness around the cavity, and change since the frame before. All are
    divided by the clip's brightness there, because gain differs; the first two without their mean over time."""
    region = clips[:, :, *CAVITY, 0]
    brightness, spread = region.mean((2, 3)), region.std((2, 3))
    change = np.abs(np.diff(region, axis=1, prepend=region[:, :1])).mean((2, 3))
    gain = brightness.mean(1, keepdims=True)
    level = [brightness - gain, spread - spread.mean(1, keepdims=True), change]
    return np.stack([curve / gain for curve in level], axis=-1)


def summary(features):
    """Mean, spread, smallest and largest value over time of each curve (n, 4 · curves)."""
    return np.concatenate([features.mean(1), features.std(1), features.min(1), features.max(1)], axis=1)


if __name__ == "__main__":
    main(
        "clips_to_sequences",
        RUNS,
        {"windows": windows, "echo_cine": echo_cine},
        tolerance={"windows": 0.02, "echo_cine": 0.02},
    )
