"""Measures of a classifier's quality, with intervals that respect the patient (lesson 10 explains them).

The measures themselves are scikit-learn's; this module adds what it lacks.
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
