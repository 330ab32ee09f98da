"""Does the simulated dataset "echo-cine" teach what it should? Writes course_lib/lessons/clips_to_sequences/results/echo_cine.json.

    python course_lib/lessons/clips_to_sequences/echo_cine_experiment.py --seeds 5

Each seed is a new set of simulated patients. Measured on the test patients, with 95 % bootstrap
intervals that draw patients:

- shortcuts: brightness and contrast of one frame, and heart rate, which must give nothing away;
- rhythm, as area under the ROC curve: logistic regression on one frame, the mean frame, and regularity features of the
  motion curve, in order and with the frames shuffled; an oracle that knows every beat;
- ejection fraction, as mean absolute error in points, from 24 frames: the median of the training patients; a support
  vector machine on one frame and on the mean frame; on curves of brightness and change around the cavity, with the
  frames shuffled and in order.

These are cheap models, made to compare kinds of input; the lesson on recurrent networks trains better ones.
"""

import argparse
import time

import numpy as np
from scipy import ndimage, stats
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR
from tqdm import tqdm

from course_lib import data, evaluate
from course_lib.data import echo_cine
from course_lib.tools.common import save

FRAMES = 24  # for the ejection fraction: two seconds
REGION = np.s_[6:38, 10:42]  # rows and columns around the left ventricle, whatever the patient's pose
CENTRE = np.s_[12:32, 18:36]  # where the cavity is
NOTE = (
    "Test patients only. Rhythm: area under the ROC curve, 0.5 is chance. Ejection fraction: mean absolute error in "
    "points. Intervals are 95 % percentile bootstraps over the patients of all seeds together, who are different ones. A "
    "difference is the model's error minus the mean frame's: negative is better. Seconds were taken on a machine shared "
    "with other work."
)


def motion_curve(clips):
    """Mean brightness where the cavity is, per frame, without its slow changes: (n, t)."""
    curve = clips[:, :, *CENTRE, 0].mean((2, 3))
    curve = curve - ndimage.gaussian_filter1d(curve, 8, axis=1)
    return curve / curve.std(axis=1, keepdims=True)


def regularity(curve):
    """How regular a curve is: highest autocorrelation at 0.4 to 1.2 s, highest share and entropy of its spectrum."""
    t = curve.shape[1]
    power = np.abs(np.fft.rfft(curve, 2 * t)) ** 2
    autocorrelation = np.fft.irfft(power)[:, :t]
    peak = (autocorrelation / autocorrelation[:, :1])[:, 5:15].max(1)
    power = np.abs(np.fft.rfft(curve * np.hanning(t), 2 * t))[:, 4:30] ** 2
    share = power / power.sum(1, keepdims=True)
    return np.stack([peak, share.max(1), -(share * np.log(share)).sum(1)], axis=1)


def shuffled(clips, seed):
    """Each clip with its frames in an order of its own."""
    rng = np.random.default_rng(seed)
    return np.stack([clip[rng.permutation(len(clip))] for clip in clips])


def coarse(images):
    """Images (n, 48, 48, 1) as vectors of 24×24 pixels."""
    return images.reshape(len(images), 24, 2, 24, 2).mean((2, 4)).reshape(len(images), -1)


def around_cavity(images):
    """The part of images (n, 48, 48, 1) around the left ventricle, as vectors of 16×16 pixels."""
    return images[:, *REGION].reshape(len(images), 16, 2, 16, 2).mean((2, 4)).reshape(len(images), -1)


def shortcut_features(split):
    frame = split.x[:, 0]
    return {
        "brightness and contrast of one frame": np.stack([frame.mean((1, 2, 3)), frame.std((1, 2, 3))], 1),
        "heart rate": split.targets["heart_rate"][:, None],
    }


def oracle(known):
    """Spread of the lengths of the beats that lie wholly in the clip."""
    spread = []
    for patient in known:
        seen = patient.beats[(patient.beats >= 0) & (patient.beats <= echo_cine.SECONDS)]
        spread.append(np.std(np.log(np.diff(seen))))
    return np.array(spread)


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
    curves = {"in order": [motion_curve(split.x) for split in (train, test)]}
    curves["shuffled"] = [motion_curve(shuffled(split.x, seed)) for split in (train, test)]
    for name, (first, second) in curves.items():
        scores[f"regularity of the motion curve, {name}"] = logistic(regularity(first), regularity(second))
    scores["oracle: the beats themselves"] = oracle(echo_cine.patients("test", seed=seed))
    return scores


def motion_features(clips):
    """Per frame (n, t, 3): mean and spread of brightness around the cavity, and change since the frame before. All are
    divided by the clip's brightness there, because gain differs; the first two without their mean over time."""
    region = clips[:, :, *CENTRE, 0]
    brightness, spread = region.mean((2, 3)), region.std((2, 3))
    change = np.abs(np.diff(region, axis=1, prepend=region[:, :1])).mean((2, 3))
    gain = brightness.mean(1, keepdims=True)
    level = [brightness - gain, spread - spread.mean(1, keepdims=True), change]
    return np.stack([curve / gain for curve in level], axis=-1)


def summary(features):
    """Mean, spread, smallest and largest value over time of each curve (n, 4 · curves)."""
    return np.concatenate([features.mean(1), features.std(1), features.min(1), features.max(1)], axis=1)


def ejection_fraction_guesses(dataset, seed):
    """One guess in percent per test patient, by model."""
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


def area(truth, score):
    """Area under the ROC curve from ranks: scikit-learn's value, faster, which counts in a bootstrap."""
    positive = truth == 1
    n = positive.sum()
    return (stats.rankdata(score)[positive].sum() - n * (n + 1) / 2) / (n * (len(truth) - n))


def error(truth, guess):
    return np.abs(truth - guess).mean()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5, help="number of sets of patients")
    seeds = list(range(parser.parse_args().seeds))
    kept, runs = [], []
    for seed in tqdm(seeds):
        dataset = data.load("echo-cine", seed=seed)
        test, start = dataset.test, time.process_time()
        rhythm, fraction = rhythm_scores(dataset, seed), ejection_fraction_guesses(dataset, seed)
        kept.append((test.targets, rhythm, fraction))
        runs.append(
            {
                "seed": seed,
                "rhythm": {name: area(test.targets["rhythm"], score) for name, score in rhythm.items()},
                "ejection_fraction": {
                    name: error(test.targets["ejection_fraction"], guess) for name, guess in fraction.items()
                },
                "processor_seconds": time.process_time() - start,
            }
        )
        together = summarise(kept, runs)
        results = {
            "generator_version": echo_cine.VERSION,
            "frames_for_the_ejection_fraction": FRAMES,
            "summary": together,
            "runs": runs,
        }
        save("clips_to_sequences/echo_cine.json", results, seeds=seeds[: len(runs)], note=NOTE)
    for task, models_ in together.items():
        for name, row in models_.items():
            print(f"{task:18} {name:45} {row['value']:7.3f} {np.round(row['interval'], 3)}")


def summarise(kept, runs):
    """All seeds together: their patients are different ones, and are drawn from all of them. The value of the rhythm is
    the mean of the seeds' areas, because scores of different models cannot be ranked together."""
    seed_of = np.concatenate([np.full(len(targets["rhythm"]), k) for k, (targets, _, _) in enumerate(kept)])

    def mean_area(truth, score, seed):
        return np.mean([area(truth[seed == k], score[seed == k]) for k in np.unique(seed)])

    def together(part, name):
        return np.concatenate([one[part][name] for one in kept])

    summary = {"rhythm": {}, "ejection_fraction": {}}
    truth = together(0, "rhythm")
    for name in kept[0][1]:
        estimate = evaluate.bootstrap(mean_area, truth, together(1, name), seed_of)
        summary["rhythm"][name] = {"value": estimate.value, "interval": [estimate.low, estimate.high]}
    truth = together(0, "ejection_fraction")
    for name in kept[0][2]:
        estimate = evaluate.bootstrap(error, truth, together(2, name))
        gain = evaluate.difference(error, truth, together(2, "mean frame"), together(2, name))
        summary["ejection_fraction"][name] = {
            "value": estimate.value,
            "interval": [estimate.low, estimate.high],
            "difference": gain.value,
            "difference_interval": [gain.low, gain.high],
        }
    for task, models_ in summary.items():
        for name, row in models_.items():
            row["seeds"] = [run[task][name] for run in runs]
    return summary


if __name__ == "__main__":
    main()
