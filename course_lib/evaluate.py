"""Measures of a classifier's quality, with intervals that respect the patient (lesson 10 explains them).

The measures themselves are scikit-learn's; this module adds what it lacks. "Truth" is 1 for a patient or image with
the disease (the positive class) and 0 without, unless a docstring says otherwise.
"""

from typing import NamedTuple

import numpy as np


class Estimate(NamedTuple):
    """A measured value with its interval, and the number of patients (or images) that were resampled for it."""

    value: float
    low: float
    high: float
    n: int
    unit: str

    def __str__(self):
        return f"{self.value:.2f} ({self.low:.2f} to {self.high:.2f}; {self.n} {self.unit})"


def bootstrap(metric, *arrays, groups=None, level=0.95, repeats=1000, seed=0) -> Estimate:
    """The value of `metric(*arrays)` with a percentile bootstrap interval (Efron & Tibshirani 1993, ch. 13).

    metric: a function of the arrays that returns one number, such as those of `sklearn.metrics`.
    arrays: each of shape (n, …), such as true labels and predictions; they are resampled together.
    groups: patient of each item, (n,). Whole patients are drawn with replacement, all their items together, because
        images of one patient are alike. None resamples single items, for data without patient numbers.
    level: share of such intervals that should contain the true value, between 0 and 1.
    repeats, seed: number of resamples, and the seed of the random draws.

    Resamples on which the metric is not defined (NaN) are left out. Raises ValueError for arrays that differ in
    length or are empty, a level outside 0 to 1, or a metric that is undefined on more than half of the resamples.
    """
    arrays = [np.asarray(array) for array in arrays]
    lengths = {len(array) for array in arrays} | ({len(groups)} if groups is not None else set())
    if len(lengths) != 1 or 0 in lengths:
        raise ValueError(f"The arrays (and groups) must have one length, and at least one item; here: {lengths}.")
    if not 0 < level < 1:
        raise ValueError(f"level is {level}: give a share between 0 and 1, such as 0.95.")
    n = lengths.pop()
    patients = np.arange(n) if groups is None else np.unique(groups, return_inverse=True)[1]
    order = np.argsort(patients, kind="stable")
    rows = np.split(order, np.flatnonzero(np.diff(patients[order])) + 1)  # the items of each patient
    rng = np.random.default_rng(seed)
    values = []
    for _ in range(repeats):
        drawn = np.concatenate([rows[i] for i in rng.integers(len(rows), size=len(rows))])
        values.append(metric(*(array[drawn] for array in arrays)))
    if np.isnan(values).mean() > 0.5:
        raise ValueError("The metric is undefined on most resamples: is a class missing, or too rare?")
    tail = 50 * (1 - level)
    low, high = np.nanpercentile(values, [tail, 100 - tail])
    unit = "images" if groups is None else "patients"
    return Estimate(float(metric(*arrays)), float(low), float(high), len(rows), unit)


def difference(metric, truth, first, second, *, groups=None, level=0.95, repeats=1000, seed=0) -> Estimate:
    """`metric(truth, second) - metric(truth, first)` with its interval: two models compared on the same patients.

    truth, first, second: arrays of shape (n, …); the predictions (or scores) of both models for the same items. Each
    resample takes the same patients for both, so that what is hard for both cancels out (a paired bootstrap).
    groups, level, repeats, seed: as for `bootstrap`, which also names the errors.
    """

    def gain(truth, first, second):
        return metric(truth, second) - metric(truth, first)

    return bootstrap(gain, truth, first, second, groups=groups, level=level, repeats=repeats, seed=seed)


def specificity(truth, guess) -> float:
    """Share of the items without the disease that are called so: TN / (TN + FP). NaN if there are none.

    truth, guess: 0 or 1 (or booleans), (n,). Raises ValueError for other values or lengths that differ.
    """
    truth, guess = _same_length(_binary(truth, "truth"), _binary(guess, "guess"))
    return float(np.mean(~guess[~truth])) if not truth.all() else np.nan


def predictive_values(sensitivity, specificity, prevalence):
    """Positive and negative predictive value (PPV, NPV) by Bayes' theorem: what a positive, or negative, answer means.

    sensitivity, specificity, prevalence: numbers or arrays from 0 to 1; prevalence is the share of the diseased among
    those who are tested. Returns two numbers or arrays, NaN where nobody gets that answer.
    Raises ValueError for values outside 0 to 1.
    """
    given = {"sensitivity": sensitivity, "specificity": specificity, "prevalence": prevalence}
    sensitivity, specificity, prevalence = (_share(value, name) for name, value in given.items())
    true_positive, false_positive = sensitivity * prevalence, (1 - specificity) * (1 - prevalence)
    true_negative, false_negative = specificity * (1 - prevalence), (1 - sensitivity) * prevalence
    with np.errstate(invalid="ignore"):  # 0/0 is NaN, as promised
        ppv = np.divide(true_positive, true_positive + false_positive)
        npv = np.divide(true_negative, true_negative + false_negative)
    return ppv, npv


def operating_point(truth, score, *, sensitivity) -> float:
    """The highest threshold at which `score >= threshold` finds at least this share of the diseased.

    truth: 0 or 1, (n,); score: higher means more likely diseased, (n,). Use the validation patients, then freeze it.
    The highest such threshold is the one with the best specificity.
    Raises ValueError if nobody is diseased, a score is not finite, or sensitivity is not above 0 and at most 1.
    """
    truth, score = _same_length(_binary(truth, "truth"), np.asarray(score, float))
    if not truth.any():
        raise ValueError("Nobody in `truth` has the disease, so that no sensitivity can be measured.")
    if not np.isfinite(score).all():
        raise ValueError("Some scores are not finite numbers (NaN or infinite): look for the cause before you go on.")
    if not 0 < sensitivity <= 1:
        raise ValueError(f"sensitivity is {sensitivity}: give a share above 0 and up to 1, such as 0.95.")
    diseased = np.sort(score[truth])[::-1]
    found = np.arange(1, len(diseased) + 1) / len(diseased)  # if the threshold is the first, second, … highest score
    return float(diseased[np.argmax(found >= sensitivity)])


class Reliability(NamedTuple):
    """What `reliability` returns: arrays (bins,), NaN where a bin is empty."""

    predicted: np.ndarray
    observed: np.ndarray
    count: np.ndarray


def reliability(event, probability, *, bins=10) -> Reliability:
    """How often an event came true, against the probability it was given: the points of a reliability diagram.

    event: 0 or 1, (n,); probability: from 0 to 1, (n,). For one class these are its presence and its probability; for
    several classes, whether the answer is right and the probability of the answer (Guo et al. 2017).
    bins: number of bins of equal width. Returns the mean probability, the share of events and the count for each.
    Raises ValueError for other values, lengths that differ, or fewer than one bin.
    """
    event, probability = _same_length(_binary(event, "event"), _share(probability, "probability"))
    if not isinstance(bins, int | np.integer) or bins < 1:
        raise ValueError(f"bins is {bins!r}: give a whole number from 1 up, such as 10.")
    place = np.minimum((probability * bins).astype(int), bins - 1)  # a probability of 1 belongs to the last bin
    count = np.bincount(place, minlength=bins)
    with np.errstate(invalid="ignore"):  # an empty bin is NaN, as promised
        predicted = np.bincount(place, probability, bins) / count
        observed = np.bincount(place, event, bins) / count
    return Reliability(predicted, observed, count)


def expected_calibration_error(event, probability, *, bins=10) -> float:
    """Mean distance between given probability and observed share over the bins, weighted by count (Guo et al. 2017).

    Arguments and errors as for `reliability`. 0 is perfect. With few items it is above 0 even for perfect
    probabilities, since chance moves the observed shares.
    """
    predicted, observed, count = reliability(event, probability, bins=bins)
    filled = count > 0
    return float(np.abs(predicted - observed)[filled] @ count[filled] / count.sum())


def fit_temperature(label, logits) -> float:
    """The temperature T for which softmax(logits / T) has the lowest cross-entropy (Guo et al. 2017).

    label: class number of each item, (n,); logits: (n, classes). Use the validation patients. T > 1 makes the
    probabilities more careful; no answer changes. Searched between 1/20 and 20.
    Raises ValueError for shapes that do not fit, labels that are no class, or logits that are not finite.
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import log_softmax

    label, logits = np.asarray(label), np.asarray(logits, float)
    if logits.ndim != 2 or label.shape != logits.shape[:1] or label.size == 0:
        raise ValueError(f"label must be (n,) and logits (n, classes); here: {label.shape} and {logits.shape}.")
    if not np.isin(label, np.arange(logits.shape[1])).all():
        raise ValueError(f"Labels must be class numbers from 0 to {logits.shape[1] - 1}; here: {np.unique(label)}.")
    if not np.isfinite(logits).all():
        raise ValueError("Some logits are not finite numbers (NaN or infinite): look for the cause before you go on.")
    rows = np.arange(len(label)), label.astype(int)

    def cross_entropy(log_temperature):
        return -log_softmax(logits / np.exp(log_temperature), axis=1)[rows].mean()

    return float(np.exp(minimize_scalar(cross_entropy, bounds=(-np.log(20), np.log(20)), method="bounded").x))


def _binary(values, name):
    values = np.asarray(values)
    if values.ndim != 1 or values.size == 0:
        raise ValueError(f"`{name}` must be a row of at least one value, (n,); its shape is {values.shape}.")
    if not np.isin(values, (0, 1)).all():
        raise ValueError(f"`{name}` must hold 0 and 1 only (or booleans); here: {np.unique(values)[:6]}.")
    return values.astype(bool)


def _share(values, name):
    values = np.asarray(values, float)
    if not ((values >= 0) & (values <= 1)).all():  # False for NaN too
        raise ValueError(f"`{name}` must lie between 0 and 1; here: {values.min():g} to {values.max():g}.")
    return values


def _same_length(truth, other):
    if truth.shape != other.shape:
        raise ValueError(f"Both arrays must have one value for each item; here: {truth.shape} and {other.shape}.")
    return truth, other
