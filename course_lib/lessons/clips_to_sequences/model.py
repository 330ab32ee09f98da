"""What this lesson's notebook, explorer and experiment share; lesson rnn_lstm_gru takes the places and curves from here too."""

import numpy as np
from scipy import ndimage, stats

from course_lib import evaluate, results, sequences

REGION = np.s_[6:38, 10:42]  # rows and columns around the left ventricle of echo-cine, whatever the patient's pose
CAVITY = np.s_[12:32, 18:36]  # where its cavity is
TEXTURE = ["joint maximum", "joint entropy", "angular second moment", "contrast", "dissimilarity"]
TEXTURE += ["inverse difference moment", "correlation"]
FIRST_ORDER = ["mean", "variance", "skewness", "kurtosis", "median", "minimum", "10th percentile", "90th percentile"]
FIRST_ORDER += ["maximum", "interquartile range", "range", "mean absolute deviation", "energy", "root mean square"]
KINDS = {"first-order": FIRST_ORDER, "texture": TEXTURE, "motion": ["motion"], "all": []}  # [] is all of them
LENGTHS = (3, 6, 12, 24, 48)  # of windows, in frames, at 12 a second
STRIDES = (3, 6, 12, 18)
ALPHAS = (0.0, *np.logspace(-2, 10, 13))  # how strongly ridge regression may hold the weights small; 0 is not at all


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


def standardise(train, *others):
    """Tables (rows, features) minus the mean of the first, divided by its standard deviation. A feature that hardly varies
    there, by less than a millionth of its size, is only centred."""
    mean, deviation = train.mean(axis=0), train.std(axis=0)
    deviation = np.where(deviation > 1e-6 * np.maximum(np.abs(mean), 1e-6), deviation, 1)
    return [(table - mean) / deviation for table in (train, *others)]


def ridge_answers(segments, target):
    """Ridge regression on standardised segments: each patient's mean answer, and the α of `ALPHAS` that was best.

    segments, target: (patients, segments, values) and (patients,) of "train", "val" and any others, by name. It is fitted on
    the training patients; best is the α with the smallest mean absolute error on the validation patients. Returns the answers
    by name and α. Raises ValueError if the largest α is best: then the list is too short.
    """
    flat = {name: part.reshape(-1, part.shape[-1]) for name, part in segments.items()}
    flat = dict(zip(flat, standardise(flat["train"], *(flat[name] for name in list(flat)[1:])), strict=True))
    x, centre = flat["train"].astype(float), np.mean(target["train"])
    y = np.repeat(target["train"], segments["train"].shape[1]) - centre
    wide = x.shape[1] > len(x)  # then the weights are sums of rows, and the smaller matrix is rows by rows
    values, vectors = np.linalg.eigh(x @ x.T if wide else x.T @ x)
    values, along = np.maximum(values, 1e-9 * values.max()), vectors.T @ (y if wide else x.T @ y)
    best = None
    for alpha in ALPHAS:
        weights = vectors @ (along / (values + alpha))
        weights = x.T @ weights if wide else weights
        answer = centre + (flat["val"] @ weights).reshape(segments["val"].shape[:2]).mean(axis=1)
        error = mae(target["val"], answer)
        if best is None or error < best[0]:
            best = error, alpha, weights
    _, alpha, weights = best
    if alpha == ALPHAS[-1]:
        raise ValueError(f"{alpha:g} is best, the end of the list of α: make it longer.")
    shape = {name: part.shape[:2] for name, part in segments.items()}
    return {name: centre + (flat[name] @ weights).reshape(shape[name]).mean(axis=1) for name in flat}, alpha


def pixel_summary(clips, length, stride, part):
    """The pixels of each segment of clips (n, t, h, w), as (n, segments, values): all "values", or over the segment's frames
    the "mean" of each pixel, its "deviation" or the "mean and deviation", which is how features are summed up."""
    found = []
    for clip in clips:
        segments = sequences.windows(clip.reshape(len(clip), -1), length, stride=stride).segments
        parts = {"mean": [segments.mean(axis=1)], "deviation": [segments.std(axis=1)]}
        parts |= {"values": [segments.reshape(len(segments), -1)], "mean and deviation": sum(parts.values(), [])}
        found.append(np.concatenate(parts[part], axis=1))
    return np.stack(found)


def answers(name):
    """An arm's answers in the stored `windows` for the 600 test patients, (seeds, 600); "truth", their ejection fraction,
    and "rhythm" are (600,)."""
    stored = [results.arrays("clips_to_sequences/windows", seed) for seed in results.load("clips_to_sequences/windows")]
    return stored[0][name] if name in ("truth", "rhythm") else np.stack([each[name] for each in stored])


def less_error(name, baseline):
    """By how many points less an arm errs than the baseline, over seeds and the 600 test patients: an Estimate."""
    truth, pair = answers("truth"), (answers(baseline), answers(name))
    patients = np.arange(len(truth))  # one clip of each
    return evaluate.recipes(lambda t, g: -mae(t, g), truth, *pair, groups=patients, bounds=(-100, 0))


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
