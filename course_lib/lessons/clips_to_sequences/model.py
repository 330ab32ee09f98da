"""What this lesson's notebook, explorer and experiment share; lesson rnn_lstm_gru takes the places and curves from here too."""

import numpy as np
from scipy import ndimage, stats

from course_lib import evaluate, results, sequences

REGION = np.s_[6:38, 10:42]  # rows and columns around the left ventricle of echo-cine, whatever the patient's pose
CAVITY = np.s_[12:32, 18:36]  # where its cavity is


def find_sector(clip, threshold=1 / 255):
    """Pixels (h, w) of the largest connected region that changes over time."""
    regions, _ = ndimage.label(clip.std(axis=0) > threshold)
    largest = 1 + np.bincount(regions.ravel())[1:].argmax()  # region 0 is what does not change
    return ndimage.binary_fill_holes(regions == largest)


# ---- segments and their patients ------------------------------------------------------------------------------------


def segment_features(values, length, stride):
    """Mean and standard deviation of each feature over each segment: (patients, segments, 2 · features)."""
    segments = np.stack([sequences.windows(one, length, stride=stride).segments for one in values])
    return np.concatenate([segments.mean(axis=2), segments.std(axis=2)], axis=-1)


def fit_segments(estimator, segments, target):
    """Fit on segments (patients, segments, values), each with a copy of its patient's target (patients,)."""
    return estimator.fit(segments.reshape(-1, segments.shape[-1]), np.repeat(target, segments.shape[1]))


def mean_answer(predict, segments):
    """A patient's answer is the mean over the segments: (patients,)."""
    return predict(segments.reshape(-1, segments.shape[-1])).reshape(segments.shape[:2]).mean(axis=1)


def mae(truth, guess):
    """Mean absolute error, in the unit of both."""
    return np.mean(np.abs(truth - guess))


# ---- curves over time -----------------------------------------------------------------------------------------------


def shuffled(sequence, seed):
    """Each clip's time steps (n, t, …) in a random order of its own."""
    rng = np.random.default_rng(seed)
    return np.stack([one[rng.permutation(len(one))] for one in sequence])


def without_drift(curves):
    """Curves (n, t, features) without their slow changes, as a drifting probe makes them, each with a deviation of 1."""
    fast = curves - ndimage.gaussian_filter1d(curves, 8, axis=1)
    return fast / (fast.std(axis=1, keepdims=True) + 1e-6)  # a feature may be constant


def cavity_curve(clips):
    """How bright the cavity is over time, without drift: (n, t, 1 feature). It brightens as the walls close in."""
    return without_drift(clips[:, :, *CAVITY, 0].mean(axis=(2, 3))[..., None])


# ---- does echo-cine teach what it should? ---------------------------------------------------------------------------


def area(truth, score):
    """Area under the ROC curve from ranks: scikit-learn's value, faster, which counts in a bootstrap."""
    positive = truth == 1
    n = positive.sum()
    return (stats.rankdata(score)[positive].sum() - n * (n + 1) / 2) / (n * (len(truth) - n))


def echo_cine_summary(repeats=1000):
    """The stored runs of echo_cine together, as estimates with 95 % intervals by model: "rhythm", an area under the ROC
    curve; "ejection_fraction", a mean absolute error in points; "difference", that error minus the mean frame's.

    The seeds' patients are different ones, and are drawn from all of them. The area is the mean of the seeds' areas,
    because scores of different models cannot be ranked together.
    """
    path = "clips_to_sequences/echo_cine"
    kept = {seed: results.arrays(path, seed) for seed in results.load(path)}
    together = {name: np.concatenate([arrays[name] for arrays in kept.values()]) for name in next(iter(kept.values()))}
    seed_of = np.concatenate([np.full(len(arrays["rhythm"]), seed) for seed, arrays in kept.items()])
    options = {"groups": np.arange(len(seed_of)), "repeats": repeats}  # a clip of each patient

    def mean_area(truth, score, seed):
        return np.mean([area(truth[seed == k], score[seed == k]) for k in np.unique(seed)])

    found = {"rhythm": {}, "ejection_fraction": {}, "difference": {}}
    mean_frame = together["ejection_fraction: mean frame"]
    for name, answer in together.items():
        task, _, model = name.partition(": ")
        if task == "rhythm" and model:
            found[task][model] = evaluate.bootstrap(mean_area, together[task], answer, seed_of, **options)
        elif model:
            found[task][model] = evaluate.bootstrap(mae, together[task], answer, **options)
            if model != "mean frame":
                truth = together[task]
                found["difference"][model] = evaluate.difference(mae, truth, mean_frame, answer, **options)
    return found
