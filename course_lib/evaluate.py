"""Measures of a classifier's quality, with intervals that respect the patient (lesson evaluation explains them).

The measures themselves are scikit-learn's; this module adds what it lacks. "Truth" is 1 for a patient or image with
the disease (the positive class) and 0 without, unless a docstring says otherwise.
"""

import sys
import warnings
from math import comb, inf
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

MISSING = ("None", "nan", "NaT", "<NA>")  # how a patient number that is not there reads as text
FEW_EVENTS, FEW_PATIENTS = 5, 30  # below these on the rarer side, bootstraps of a share, of an AUC are too narrow
ALIKE = "all alike, exact limits"  # the method where no resample differs


class Estimate(NamedTuple):
    """A measured value with its interval, and the number of patients (or images) that it rests on.

    method: "bootstrap", or what was done where that gives no honest interval. dropped: number of resamples on which
    the measure was not defined. level: share of such intervals that should contain the true value. freedom: degrees of
    freedom of Student's distribution, where `recipes` took the limits from it.
    """

    value: float
    low: float
    high: float
    n: int
    unit: str
    method: str = "bootstrap"
    dropped: int = 0
    level: float = 0.95
    freedom: float = inf

    def __str__(self):
        digits = 2
        while digits < 9 and f"{self.low:.{digits}f}" == f"{self.high:.{digits}f}":
            digits += 1  # an interval is never printed without width
        text = f"{self.value:.{digits}f} ({self.low:.{digits}f} to {self.high:.{digits}f}; {self.n} {self.unit}"
        text += f"; {self.method}" if self.method != "bootstrap" else ""
        return text + (f"; {self.dropped} resamples dropped)" if self.dropped else ")")

    @property
    def above(self) -> bool:
        """The course's one rule for "more" or "better": the interval of the (paired) difference lies above 0."""
        return self.low > 0

    @property
    def below(self) -> bool:
        """The same for "less". A difference that is neither above nor below 0 was not shown."""
        return self.high < 0

    def detectable(self, power=0.8) -> float:
        """The true difference that as many patients would show (above or below 0) with this probability.

        It stands beside each "no difference": the minimum detectable effect (Bloom 1995), the sum of two quantiles of
        the normal distribution, for the level and the power, times the standard error, here taken from the interval's
        width. At a level of 0.95 and a power of 0.8 it is 1.43 times half that width.
        Raises ValueError for a power outside 0.5 to 1.
        """
        if not 0.5 <= power < 1:
            raise ValueError(f"power is {power}: give a probability from 0.5 to below 1, such as 0.8.")
        z = NormalDist().inv_cdf(0.5 + self.level / 2)
        return (self.high - self.low) / 2 * (1 + NormalDist().inv_cdf(power) / z)

    def together(self, comparisons) -> "Estimate":
        """The interval that it takes for so many comparisons to be right together, at the same level (Bonferroni's rule: each
        may be wrong so many times less often). Raises ValueError for fewer than one."""
        from scipy.stats import t as student

        if not comparisons >= 1:
            raise ValueError(f"comparisons is {comparisons}: give how many intervals there are, 1 or more.")
        error, tail = (1 - self.level) / comparisons, student(self.freedom).isf
        wider = tail(error / 2) / tail((1 - self.level) / 2)
        low, high = (float(self.value + wider * (limit - self.value)) for limit in (self.low, self.high))
        return self._replace(low=low, high=high, level=1 - error)


# ---- intervals -------------------------------------------------------------------------------------------------------


def bootstrap(metric, *arrays, groups=None, level=0.95, repeats=1000, seed=0, bounds=(0, 1)) -> Estimate:
    """The value of `metric(*arrays)` with a percentile bootstrap interval (Efron & Tibshirani 1993, ch. 13).

    metric: a function of the arrays that returns one number, such as those of `sklearn.metrics`.
    arrays: each of shape (n, …), such as true labels and predictions; they are resampled together.
    groups: patient of each item, (n,). Whole patients are drawn with replacement, all their items together, because
        images of one patient are alike. None resamples single items, for data without patient numbers.
    level: share of such intervals that should contain the true value, between 0 and 1.
    repeats, seed: number of resamples, 100 or more, and the seed of the random draws.
    bounds: lowest and highest value that the metric can take, needed only where all resamples agree.

    Where all resamples agree (40 of 40 are right), other patients may still differ: up to a share u, the exact upper
    limit of 0 of n. The limits are as far as that share could move the value within the bounds, which makes them the
    exact ones for a share of 0 or 1; n counts the patients on whom alone the metric gives this value (the ill, for a
    sensitivity) or, if it needs several of them (an AUC), those of the rarest class. An interval that leaves out its
    own value (of a measure that chance biases, such as the calibration error) is widened to it. Resamples on which the
    metric is not defined (NaN, or scikit-learn warns so) are left out. The result says all this, in `method`, `n` and
    `dropped`. Otherwise `n` is the number of patients drawn: for a share of some of them, such as the ill, use `share`.

    Raises ValueError for arrays that differ in length, groups that are not one known patient for each item, fewer than
    two patients, a level outside 0 to 1, fewer than 100 repeats, a metric that does not return one number, is
    undefined on more than half of the resamples, or is the same on all and outside the bounds.
    """
    columns = [np.asarray(array) for array in arrays]

    def measure(items, rng):
        return metric(*(column[items] for column in columns))

    return _drawn(measure, arrays, groups, level, repeats, seed, bounds)


def difference(
    metric, truth, first, second, *, groups=None, level=0.95, repeats=1000, seed=0, bounds=(0, 1)
) -> Estimate:
    """`metric(truth, second) - metric(truth, first)` with its interval: two models compared on the same patients.

    truth, first, second: arrays of shape (n, …); the predictions (or scores) of both models for the same items. Each
    resample takes the same patients for both, so that what is hard for both cancels out (a paired bootstrap).
    groups, level, repeats, seed, bounds (of the metric): as for `bootstrap`, which also names the errors.
    """

    def gain(truth, first, second):
        return metric(truth, second) - metric(truth, first)

    options = {"groups": groups, "level": level, "repeats": repeats, "seed": seed}
    reach = bounds[1] - bounds[0]
    estimate = bootstrap(gain, truth, first, second, bounds=(-reach, reach), **options)
    if estimate.method == ALIKE:
        _check_bounds(metric(np.asarray(truth), np.asarray(first)), bounds)
    return estimate


def recipes(metric, truth, first, second, *, groups=None, level=0.95, repeats=1000, seed=0, bounds=(0, 1)) -> Estimate:
    """How much better the second of two recipes is, over training seeds and patients: mean metric(second) − (first).

    metric, truth, bounds: as for `difference`. first, second: answers for the same items, (seeds, n, …); the numbers of seeds
    may differ. Each resample draws patients, the same for both recipes, and seeds, for each recipe by itself: run 0 of
    one network and run 0 of another have nothing in common. One seed fewer is drawn than there are, which makes the
    spread over few seeds right (Rao & Wu 1988), and the more of it is due to seeds, the more the interval is widened,
    from the normal to Student's distribution (Satterthwaite 1946). Give what has no seeds, a rule or "no difference", as copies
    of one answer: they add no degrees of freedom. It is somewhat too wide where neither seeds nor patients matter much.
    Errors as for `bootstrap`, and ValueError for fewer than three seeds.
    """
    from scipy.stats import t as student

    truth, first, second = np.asarray(truth), np.asarray(first), np.asarray(second)
    for name, answers in (("first", first), ("second", second)):
        if answers.ndim < 2 or len(answers) < 3:
            raise ValueError(f"`{name}` must be (seeds, n, …) with three seeds or more; its shape is {answers.shape}.")

    def mean(answers, items, rng):
        seeds = range(len(answers)) if rng is None else rng.integers(len(answers), size=len(answers) - 1)
        return np.mean([metric(truth[items], answers[seed][items]) for seed in seeds])

    def gain(items, rng):
        return mean(second, items, rng) - mean(first, items, rng)

    reach = bounds[1] - bounds[0]
    drawn = _drawn(gain, [truth, *first, *second], groups, level, repeats, seed, (-reach, reach))
    scores = [[metric(truth, answer) for answer in answers] for answers in (first, second)]
    if drawn.method == ALIKE:
        _check_bounds(scores[0][0], bounds)
    z, spreads = NormalDist().inv_cdf(0.5 + level / 2), [np.var(each, ddof=1) / len(each) for each in scores]
    free = sum(len(each) - 1 for each, own in zip(scores, spreads, strict=True) if own > 1e-12 * max(spreads)) or 1
    part = sum(spreads) / ((drawn.high - drawn.low) / 2 / z) ** 2  # of the variance
    free /= max(min(part, 1) ** 2, 1e-9)
    wider = student.ppf(0.5 + level / 2, free) / z
    low, high = (float(drawn.value + wider * (limit - drawn.value)) for limit in drawn[1:3])
    unit = f"{drawn.unit}, {len(first)} and {len(second)} seeds"
    return drawn._replace(low=low, high=high, unit=unit, freedom=float(free))


def permutation_test(first, second, *, level=0.95, seed=0) -> float:
    """Two-sided p: how often chance parts the seeds of two recipes as far as they are (Ernst 2004).

    first, second: one score for each seed, (seeds,). The labels of the seeds are exchanged in all ways, or in 9,999
    random ones: seeds are never paired by their number. Small p: the mean scores differ by more than seeds do.
    Raises ValueError for scores that are no finite row, or too few seeds for any p to reach 1 − level.
    """
    from scipy import stats

    first, second = np.asarray(first, float), np.asarray(second, float)
    if first.ndim != 1 or second.ndim != 1 or not np.isfinite([*first, *second]).all():
        raise ValueError(f"Give one finite score for each seed, (seeds,); here: {first} and {second}.")
    _check_draws(level)
    least = 2 / comb(len(first) + len(second), len(first))  # if the labels split the scores in two
    if least > 1 - level:
        raise ValueError(
            f"With {len(first)} and {len(second)} seeds p is never below {min(1, least):.2g}: too few for a level of "
            f"{level}. Train more seeds, such as five and five."
        )

    def gap(first, second, axis):
        return np.mean(second, axis=axis) - np.mean(first, axis=axis)

    return float(stats.permutation_test((first, second), gap, vectorized=True, n_resamples=9999, rng=seed).pvalue)


# ---- shares ----------------------------------------------------------------------------------------------------------


def exact_limits(k, n, *, level=0.95) -> tuple[float, float]:
    """Limits of the share behind k of n (Clopper & Pearson 1934): never too narrow, and never without width.

    k may be a fraction: the sum of the shares of n patients, of whom each has several items (Korn & Graubard 1998).
    Raises ValueError for k outside 0 to n, n below 1, or a level outside 0 to 1.
    """
    from scipy.stats import beta

    _check_count(k, n, level)
    tail = (1 - level) / 2
    low = beta.ppf(tail, k, n - k + 1) if k > 0 else 0
    return float(low), float(beta.ppf(1 - tail, k + 1, n - k) if k < n else 1)


def wilson(k, n, *, level=0.95) -> tuple[float, float]:
    """Limits of the share behind k of n (Wilson 1927): right on average, a little narrower than `exact_limits`.

    k, n: whole numbers. Raises ValueError as `exact_limits` does.
    """
    from scipy.stats import binomtest

    _check_count(k, n, level)
    limits = binomtest(k, n).proportion_ci(level, method="wilson")
    return float(limits.low), float(limits.high)


def share(event, *, among=None, groups=None, level=0.95, repeats=1000, seed=0) -> Estimate:
    """The share of items on which the event came true, with its interval by patient, and the n that it rests on.

    event: 0 or 1, (n,), such as right or wrong. among: booleans (n,), the items that the share is of, such as the ill
    for a sensitivity; None: all. groups, level, repeats, seed: as for `bootstrap`.
    A bootstrap by patient; where the events, or the others, add up to fewer than 5 patients, exact limits by patient.
    Raises ValueError for other values, lengths that differ, fewer than two patients, and as `bootstrap` does.
    """
    event = _binary(event, "event")
    among = np.ones_like(event) if among is None else _binary(among, "among")
    _same_length(event, among)
    _patients([event], groups)
    if not among.any():
        raise ValueError("`among` is False for all items: there is nobody of whom a share could be taken.")
    groups = None if groups is None else np.asarray(groups)[among]
    rows, unit = _patients([event[among]], groups)
    value = float(event[among].mean())
    if len(rows) * min(value, 1 - value) >= FEW_EVENTS:
        return bootstrap(np.mean, event[among], groups=groups, level=level, repeats=repeats, seed=seed)
    low, high = exact_limits(value * len(rows), len(rows), level=level)
    return Estimate(value, low, high, len(rows), unit, "exact limits", level=level)


def sensitivity_specificity(truth, called, **options) -> tuple[Estimate, Estimate]:
    """Share of the ill who are called ill, and share of the healthy who are not, each with its own n.

    truth, called: 0 or 1, (n,); options: groups, level, repeats and seed of `share`, which also names the errors.
    """
    truth, called = _same_length(_binary(truth, "truth"), _binary(called, "called"))
    found, spared = share(called, among=truth, **options), share(~called, among=~truth, **options)
    return found._replace(unit=f"ill {found.unit}"), spared._replace(unit=f"healthy {spared.unit}")


def area_under_curve(truth, score, *, groups=None, level=0.95, repeats=1000, seed=0) -> Estimate:
    """The area under the ROC curve with its interval, also where few are ill and a bootstrap is too sure of itself.

    truth: 0 or 1, (n,); score: higher means more likely 1, (n,). groups, level, repeats, seed: as for `bootstrap`.
    A bootstrap by patient; with fewer than 30 patients of the rarer class, Newcombe's limits (2006, method 5), which
    rest on the numbers of patients of both classes alone. Raises ValueError for scores that are not finite, only one
    class, and as `bootstrap` does.
    """
    from scipy.optimize import brentq
    from sklearn.metrics import roc_auc_score

    truth, score = _scored(truth, score)
    rows, unit = _patients([truth], groups)
    ill, healthy = (sum(bool(part[items].any()) for items in rows) for part in (truth, ~truth))
    if not ill or not healthy:
        raise ValueError("All of `truth` is of one class, so that there is nothing to tell apart.")
    if min(ill, healthy) >= FEW_PATIENTS:
        return bootstrap(roc_auc_score, truth, score, groups=groups, level=level, repeats=repeats, seed=seed)
    _check_draws(level)
    z, pairs, half = NormalDist().inv_cdf(0.5 + level / 2), ill * healthy, (ill + healthy) / 2 - 1

    def lower(area):
        def distance(a):  # from the measured area, beyond z standard errors
            variance = a * (1 - a) * (1 + half * (1 - a) / (2 - a) + half * a / (1 + a)) / pairs
            return (a - area) ** 2 - z**2 * variance

        return brentq(distance, 0, area - 1e-9) if area > 1e-9 else 0.0

    value = float(roc_auc_score(truth, score))
    return Estimate(value, lower(value), 1 - lower(1 - value), len(rows), unit, "Newcombe's limits", level=level)


def by_patient(values, groups, rule="mean"):
    """One value for each patient, in the order of `np.unique(groups)`: (patients, …).

    values: (n, …), of slices or other items; groups: patient of each, (n,). rule, to be stated beside the result:
    "mean" or "max" of scores, or "any" (of 0 and 1: a patient is called ill if any slice is, so that specificity falls
    with each slice). Raises ValueError for another rule, lengths that differ, or groups that `bootstrap` would refuse.
    """
    rules = {"mean": np.mean, "max": np.max, "any": np.any}
    if rule not in rules:
        raise ValueError(f"rule is {rule!r}: give one of {', '.join(map(repr, rules))}.")
    values = _binary(values, "values") if rule == "any" else np.asarray(values)
    return np.stack([rules[rule](values[items], axis=0) for items in _patients([values], groups, least=1)[0]])


def true_positive_rate_at(truth, score, *, false_positive_rate=0.01, groups=None, **options) -> Estimate:
    """Share of the positives that are found with so few false alarms, as attacks are measured (Carlini et al. 2022).

    truth: 0 or 1 (for an attack: was it a member of the training set?), (n,); score: higher means more likely 1, (n,).
    A positive is found if its score is above all others' but for `false_positive_rate` of them, rounded down.
    groups, level, repeats, seed: as for `bootstrap`, which draws positives and others anew, and so the threshold too.
    The result's `n` counts the positives. Raises ValueError for scores that are not finite, a rate that is not between
    0 and 1, too few others for the rate (1 % needs 100), no positives, and as `bootstrap` does.
    """
    truth, score = _scored(truth, score)
    if not 0 < false_positive_rate < 1:
        raise ValueError(f"false_positive_rate is {false_positive_rate}: give a share between 0 and 1, such as 0.01.")
    others, least = int(np.sum(~truth)), int(np.ceil(1 / false_positive_rate - 1e-9))
    if others < least:
        raise ValueError(
            f"Of {others} negative items, a share of {false_positive_rate:g} is less than one: "
            f"give at least {least} negatives, or a higher false_positive_rate."
        )

    def found(truth, score):
        if truth.all() or not truth.any():
            return np.nan
        others = np.sort(score[~truth])[::-1]
        return np.mean(score[truth] > others[int(false_positive_rate * len(others) + 1e-9)])

    estimate = bootstrap(found, truth, score, groups=groups, **options)
    positives = len(np.unique(np.asarray(groups)[truth])) if groups is not None else int(truth.sum())
    return estimate._replace(n=positives, unit=f"positive {estimate.unit}")


# ---- answers at a threshold ------------------------------------------------------------------------------------------


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
    truth, score = _scored(truth, score)
    if not truth.any():
        raise ValueError("Nobody in `truth` has the disease, so that no sensitivity can be measured.")
    if not 0 < sensitivity <= 1:
        raise ValueError(f"sensitivity is {sensitivity}: give a share above 0 and up to 1, such as 0.95.")
    diseased = np.sort(score[truth])[::-1]
    found = np.arange(1, len(diseased) + 1) / len(diseased)  # if the threshold is the first, second, … highest score
    return float(diseased[np.argmax(found >= sensitivity)])


# ---- calibration -----------------------------------------------------------------------------------------------------


class Reliability(NamedTuple):
    """What `reliability` returns: arrays (bins,), NaN where a bin is empty."""

    predicted: np.ndarray
    observed: np.ndarray
    count: np.ndarray  # type: ignore[assignment]  # hides the method of a tuple, which nobody needs


def reliability(event, probability, *, bins=10) -> Reliability:
    """How often an event came true, against the probability it was given: the points of a reliability diagram.

    event: 0 or 1, (n,); probability: from 0 to 1, (n,). For one class these are its presence and its probability; for
    several classes, whether the answer is right and the probability of the answer (Guo et al. 2017).
    bins: number of bins of equal width; each holds its lower edge, the last one 1 as well (0.5 of two bins: the upper).
    Returns the mean probability, the share of events and the count for each.
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
    probabilities, since chance moves the observed shares: `calibration_null` says how far.
    """
    predicted, observed, count = reliability(event, probability, bins=bins)
    filled = count > 0
    return float(np.abs(predicted - observed)[filled] @ count[filled] / count.sum())


def calibration_null(probability, *, groups=None, bins=10, level=0.95, repeats=1000, seed=0) -> Estimate:
    """The calibration error that chance alone gives these probabilities, were they perfect (Bröcker & Smith 2007).

    probability: from 0 to 1, (n,). Events are drawn with just these probabilities, `repeats` times. `value` is the mean
    of their calibration errors, of which the share `level` lies between `low` and `high`: only a measured one above
    `high` speaks against a model. groups: patient of each item, (n,): one draw for all items of a patient, as if they
    stood or fell together; None: for each item. bins, repeats, seed, errors: as for `reliability` and `bootstrap`.
    """
    probability = _share(probability, "probability")
    rows, unit = _patients([probability], groups)
    _check_draws(level, repeats)
    rng, sizes, place = np.random.default_rng(seed), [len(items) for items in rows], np.argsort(np.concatenate(rows))
    events = (np.repeat(rng.random(len(rows)), sizes)[place] < probability for _ in range(repeats))
    errors = [expected_calibration_error(event, probability, bins=bins) for event in events]
    low, high = np.percentile(errors, [50 * (1 - level), 50 * (1 + level)])
    mean, low, high = float(np.mean(errors)), float(low), float(high)
    return Estimate(mean, low, high, len(rows), unit, "range of perfect calibration", level=level)


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


# ---- what they share -------------------------------------------------------------------------------------------------


def _patients(arrays, groups, least=2):
    """The items of each patient, a list of index arrays in the order of np.unique(groups), and the unit's name."""
    lengths = {len(array) for array in arrays} | ({len(groups)} if groups is not None else set())
    if len(lengths) != 1 or 0 in lengths:
        raise ValueError(f"The arrays (and groups) must have one length, and at least one item; here: {lengths}.")
    patients, unit = np.arange(lengths.pop()), "images"
    if groups is not None:
        groups, unit = np.asarray(groups), "patients"
        if groups.ndim != 1:
            raise ValueError(f"groups must be one patient for each item, (n,); its shape is {groups.shape}: ravel it.")
        if groups.dtype.kind not in "iub" and np.isin(groups.astype(str), MISSING).any():
            raise ValueError("Some groups are missing (None or NaN): find out whose items these are, or drop them.")
        patients = np.unique(groups, return_inverse=True)[1]
    order = np.argsort(patients, kind="stable")
    rows = np.split(order, np.flatnonzero(np.diff(patients[order])) + 1)
    if len(rows) < least:
        raise ValueError(f"Too few {unit} ({len(rows)}) to say anything about others: at least {least} are needed.")
    return rows, unit


def _drawn(measure, arrays, groups, level, repeats, seed, bounds) -> Estimate:
    """The bootstrap: `measure(items, rng)` of drawn patients' items; of all, or of one patient, with None for rng."""
    rows, unit = _patients(arrays, groups)
    _check_draws(level, repeats)
    rng = np.random.default_rng(seed)
    undefined = getattr(sys.modules.get("sklearn.exceptions"), "UndefinedMetricWarning", ())  # () if not in use

    def number(items, rng=None):
        try:
            value = measure(items, rng)
        except undefined:
            return np.nan
        if value is None or np.ndim(value) != 0:
            what = "None" if value is None else f"an array of shape {np.shape(value)}"
            raise ValueError(f"The metric must return one number for all items together; here it returns {what}.")
        return float(value)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # means of nothing are NaN: such resamples are counted
        if undefined:  # scikit-learn's metrics warn, and some return 0
            warnings.simplefilter("error", undefined)
        value = number(np.arange(len(arrays[0])))
        draws = (rng.integers(len(rows), size=len(rows)) for _ in range(repeats))
        if len(rows) == len(arrays[0]):  # one item a patient: nothing to join, which is several times as quick
            item = np.concatenate(rows)
            joined = (item[drawn] for drawn in draws)
        else:
            joined = (np.concatenate([rows[i] for i in drawn]) for drawn in draws)
        values = np.array([number(drawn, rng) for drawn in joined])
        defined = np.isfinite(values)
        if not np.isfinite(value) or defined.mean() < 0.5:
            raise ValueError("The metric is undefined on most resamples: is a class missing, or too rare?")
        low, high = np.percentile(values[defined], [50 * (1 - level), 50 * (1 + level)])
        n, method = len(rows), "bootstrap"
        if np.isclose(low, high, rtol=1e-9, atol=1e-12):
            method = ALIKE
            n, low, high = _limits_of_alike(number, rows, arrays[0], value, level, bounds)
        elif not low <= value <= high:
            low, high, method = min(low, value), max(high, value), "biased, widened to its value"
    return Estimate(value, float(low), float(high), n, unit, method, int(np.sum(~defined)), level)


def _limits_of_alike(number, rows, truth, value, level, bounds):
    """Where no resample differs: the patients that count, and how far others could move the value (see `bootstrap`)."""
    lowest, highest = _check_bounds(value, bounds)

    def alone(items):
        try:
            return number(items)
        except ValueError:  # this metric wants more than one item
            return np.nan

    n = int(np.sum(np.isclose([alone(items) for items in rows], value)))
    if not n:
        n = np.unique(np.concatenate([np.unique(truth[items]) for items in rows]), return_counts=True)[1].min()
    unlike = exact_limits(0, n, level=level)[1]
    return int(n), value - unlike * (value - lowest), value + unlike * (highest - value)


def _check_bounds(value, bounds):
    if not bounds[0] <= value <= bounds[1]:
        raise ValueError(
            f"All resamples agree, which says nothing about the spread, and {value:g} is not within the bounds {bounds}: "
            "give the lowest and the highest value that the metric can take as `bounds`."
        )
    return bounds


def _check_draws(level, repeats=1000):
    if not 0 < level < 1:
        raise ValueError(f"level is {level}: give a share between 0 and 1, such as 0.95.")
    if not isinstance(repeats, int | np.integer) or repeats < 100:
        raise ValueError(f"repeats is {repeats!r}: give a whole number of 100 or more, such as 1000.")


def _check_count(k, n, level):
    _check_draws(level)
    if not 0 <= k <= n or n < 1:
        raise ValueError(f"k is {k} and n is {n}: k of n must be between 0 and n, and n at least 1.")


def _scored(truth, score):
    truth, score = _same_length(_binary(truth, "truth"), np.asarray(score, float))
    if not np.isfinite(score).all():
        raise ValueError("Some scores are not finite numbers (NaN or infinite): look for the cause before you go on.")
    return truth, score


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
