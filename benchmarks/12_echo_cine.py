"""Does the simulated dataset "echo-cine" teach what it should? Writes results/12/echo_cine.json.

    python benchmarks/12_echo_cine.py --seeds 5

Each seed is a new set of simulated patients, and new initial weights. Measured on the test patients, with 95 % bootstrap
intervals that draw patients:

- shortcuts: brightness and contrast of one frame, and heart rate, which must give nothing away;
- rhythm, as area under the ROC curve: logistic regression on one frame, the mean frame, and regularity features of the
  motion curve, in order and with the frames shuffled; a GRU on the motion curve; an oracle that knows every beat;
- ejection fraction, as mean absolute error in points, from 24 frames: the median of the training patients, one frame, the
  mean frame, frames as a set, frames shuffled, frames in order. One small CNN reads the frames in all of them.
"""

import argparse
import time

import numpy as np
from common import save
from scipy import ndimage
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.metrics import mean_absolute_error, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tqdm import tqdm

from course_lib import data, evaluate, models
from course_lib.data import echo_cine

keras, layers = models.keras, models.layers

FRAMES = 24  # for the ejection fraction: two seconds
REGION = np.s_[6:38, 10:42]  # rows and columns around the left ventricle, whatever the patient's pose
CENTRE = np.s_[12:32, 18:36]  # where the cavity is
EPOCHS = {"image": 60, "clip": 30, "curve": 30}
NOTE = (
    "Test patients only. Rhythm: area under the ROC curve, 0.5 is chance. Ejection fraction: mean absolute error in points. "
    "Intervals are 95 % percentile bootstraps over patients, of one seed or of all seeds together, whose patients are "
    "different ones. A difference is mean frame minus the other: positive if the other is better. Seconds were taken on a "
    "machine shared with other work."
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


def shortcut_features(split):
    frame = split.clips[:, 0]
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
    scores["one frame"] = logistic(coarse(train.clips[:, 0]), coarse(test.clips[:, 0]), 1e-3)
    scores["mean frame"] = logistic(coarse(train.clips.mean(1)), coarse(test.clips.mean(1)), 1e-3)
    curves = {"in order": [motion_curve(split.clips) for split in (train, test)]}
    curves["shuffled"] = [motion_curve(shuffled(split.clips, seed)) for split in (train, test)]
    for name, (first, second) in curves.items():
        scores[f"regularity of the motion curve, {name}"] = logistic(regularity(first), regularity(second))
    for name, (first, second) in curves.items():
        keras.utils.set_random_seed(seed)
        gru = keras.Sequential([layers.Input((first.shape[1], 1)), layers.GRU(32), layers.Dense(1)])
        loss = keras.losses.BinaryCrossentropy(from_logits=True)
        scores[f"GRU on the motion curve, {name}"] = fit(gru, loss, first[..., None], label, second[..., None], "curve")
    scores["oracle: the beats themselves"] = oracle(echo_cine.patients("test", seed=seed))
    return scores


def fit(model, loss, images, target, others, kind):
    """Train, then answer for `others`."""
    steps = EPOCHS[kind] * int(np.ceil(len(images) / 32))
    rate = keras.optimizers.schedules.CosineDecay(5e-3 if kind == "curve" else 3e-3, steps)
    model.compile(keras.optimizers.Adam(rate, clipnorm=1.0), loss)
    model.fit(images, target, batch_size=32, epochs=EPOCHS[kind], verbose=0)
    return model.predict(others, batch_size=64, verbose=0)[:, 0]


def encoder():
    """The small CNN that reads one frame."""
    return keras.Sequential(
        [
            layers.Conv2D(8, 5, strides=2, padding="same", activation="relu"),
            layers.Conv2D(16, 3, strides=2, padding="same", activation="relu"),
            layers.Conv2D(32, 3, strides=2, padding="same", activation="relu"),
            layers.Flatten(),
            layers.Dense(32, activation="relu"),
        ]
    )


def ejection_fraction_guesses(dataset, seed):
    """One guess in percent per test patient, by model."""
    train, test = dataset.train, dataset.test
    target = train.targets["ejection_fraction"]
    centre, spread = target.mean(), target.std()

    def answer(inputs, kind, body):
        keras.utils.set_random_seed(seed)
        first, second = ((x - inputs[0].mean()) / inputs[0].std() for x in inputs)
        model = keras.Sequential([layers.Input(first.shape[1:]), *body(), layers.Dense(1)])
        guess = fit(model, "mse", first, (target - centre) / spread, second, kind)
        return np.clip(centre + spread * guess, 0, 100)

    clips = [split.clips[:, :FRAMES, *REGION] for split in (train, test)]
    guesses = {"median of the training patients": np.full(len(test), np.median(target))}
    features = [shortcut_features(split)["brightness and contrast of one frame"] for split in (train, test)]
    ridge = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-1, 4, 12))).fit(features[0], target)
    guesses["brightness and contrast of one frame"] = ridge.predict(features[1])
    guesses["one frame"] = answer([x[:, 0] for x in clips], "image", lambda: [encoder()])
    guesses["mean frame"] = answer([x.mean(1) for x in clips], "image", lambda: [encoder()])
    per_frame = lambda *after: lambda: [layers.TimeDistributed(encoder()), *after]  # noqa: E731
    guesses["frames as a set, CNN + largest over time"] = answer(clips, "clip", per_frame(layers.GlobalMaxPooling1D()))
    guesses["frames shuffled, CNN + GRU"] = answer(
        [shuffled(x, seed) for x in clips], "clip", per_frame(layers.GRU(32))
    )
    guesses["frames in order, CNN + GRU"] = answer(clips, "clip", per_frame(layers.GRU(32)))
    return guesses


def rows(metric, truth, answers, groups, against=None):
    """Metric with interval for each model; with `against`, also the difference of that model's to it."""
    result = {}
    for name, answer in answers.items():
        estimate = evaluate.bootstrap(metric, truth, answer, groups=groups)
        result[name] = {"value": estimate.value, "interval": [estimate.low, estimate.high]}
        if against and name != against:
            gain = evaluate.difference(metric, truth, answers[against], answer, groups=groups)
            result[name] |= {"difference": gain.value, "difference_interval": [gain.low, gain.high]}
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5, help="number of sets of patients")
    parser.add_argument("--first", type=int, default=0, help="first seed")
    parser.add_argument("--out", default="12/echo_cine.json", help="file under results/")
    options = parser.parse_args()
    seeds = list(range(options.first, options.first + options.seeds))
    kept, runs = [], []
    for seed in tqdm(seeds):
        dataset = data.load("echo-cine", seed=seed)
        test, start = dataset.test, time.process_time()
        rhythm, fraction = rhythm_scores(dataset, seed), ejection_fraction_guesses(dataset, seed)
        kept.append((test.targets, rhythm, fraction))
        truth = test.targets
        runs.append(
            {
                "seed": seed,
                "rhythm": rows(roc_auc_score, truth["rhythm"], rhythm, test.groups),
                "ejection_fraction": rows(
                    mean_absolute_error, truth["ejection_fraction"], fraction, test.groups, "mean frame"
                ),
                "processor_seconds": time.process_time() - start,
            }
        )
        summary = summarise(kept, runs)
        settings = {"epochs": EPOCHS, "frames_for_the_ejection_fraction": FRAMES}
        results = {"generator_version": echo_cine.VERSION, "settings": settings, "summary": summary, "runs": runs}
        save(options.out, results, seeds=seeds[: len(runs)], note=NOTE)
    for task, models_ in summary.items():
        for name, row in models_.items():
            print(f"{task:18} {name:45} {row['value']:7.3f} {np.round(row['interval'], 3)}")


def summarise(kept, runs):
    """All seeds together: patients are different in each, so that they are drawn from all of them. The value of the
    rhythm is the mean of the seeds' areas, because scores of different models cannot be ranked together."""
    seed_of = np.concatenate([np.full(len(targets["rhythm"]), k) for k, (targets, _, _) in enumerate(kept)])

    def area(truth, score, seed):
        return np.mean([roc_auc_score(truth[seed == k], score[seed == k]) for k in np.unique(seed)])

    def together(index, key=None):
        return np.concatenate([one[index] if key is None else one[index][key] for one in kept])

    summary = {"rhythm": {}, "ejection_fraction": {}}
    label, fraction = together(0, "rhythm"), together(0, "ejection_fraction")
    for name in kept[0][1]:
        estimate = evaluate.bootstrap(area, label, together(1, name), seed_of, repeats=300)
        summary["rhythm"][name] = {"value": estimate.value, "interval": [estimate.low, estimate.high]}
    answers = {name: together(2, name) for name in kept[0][2]}
    summary["ejection_fraction"] = rows(mean_absolute_error, fraction, answers, None, "mean frame")
    for task, models_ in summary.items():
        for name, row in models_.items():
            row["seeds"] = [run[task][name]["value"] for run in runs]
    return summary


if __name__ == "__main__":
    main()
