"""Images from elsewhere: recognise them one by one, and notice when they begin to arrive."""

from typing import NamedTuple

import numpy as np


class Familiar(NamedTuple):
    """What known images look like to a network: mean (p,) and inverse covariance (p, p) of their features."""

    mean: np.ndarray
    precision: np.ndarray

    def distance(self, features):
        """Mahalanobis distance D of each row of features (n, p) from the mean: (n,), ≥ 0."""
        offset = features - self.mean
        return np.sqrt(np.einsum("np,pq,nq->n", offset, self.precision, offset).clip(0))


def familiarise(features) -> Familiar:
    """Mean and inverse covariance of the features (n, p) of known images, as in Lee et al. 2018 (arXiv:1807.03888).

    They fit one Gaussian to each class; this is one for all. A millionth of the mean variance is added to the diagonal,
    so that a feature that never varies does no harm. Raises ValueError with fewer than two rows or values not finite.
    """
    features = np.asarray(features, np.float64)
    if features.ndim != 2 or len(features) < 2 or not np.isfinite(features).all():
        raise ValueError(
            f"features must be finite numbers (n, p) of at least two images; the shape is {features.shape}."
        )
    covariance = np.atleast_2d(np.cov(features.T))
    ridge = 1e-6 * np.trace(covariance) / len(covariance) + 1e-12
    return Familiar(features.mean(0), np.linalg.inv(covariance + ridge * np.eye(len(covariance))))


def cusum(values, *, reference, slack):
    """The upper cumulative sum (Page 1954, doi:10.1093/biomet/41.1-2.100): how much has piled up above the reference.

    values: one a day along the last axis, (…, days). reference: what they are on average when nothing has changed.
    slack: how far above that a day may be without counting, same unit. Returns S of the same shape, S ≥ 0, with
    S[t] = max(0, S[t−1] + values[t] − reference − slack) and S[−1] = 0.
    """
    values = np.asarray(values, float)
    total, sums = np.zeros(values.shape[:-1]), np.empty(values.shape)
    for day in range(values.shape[-1]):
        total = np.maximum(0, total + values[..., day] - reference - slack)
        sums[..., day] = total
    return sums


def first_alarm(sums, limit):
    """The day, counted from 1, on which each row of sums (…, days) first exceeds the limit, inf where none does: (…)."""
    rings = sums > limit
    return np.where(rings.any(-1), rings.argmax(-1) + 1, np.inf)


def daily_means(score, groups, patients, days, *, repeats, seed=0):
    """Simulated days of a clinic: each day, some patients are drawn with replacement, and their scores averaged.

    score, groups: of the images of one kind of days, (n,); patients: number drawn a day. Returns (repeats, days).
    """
    score, number = np.asarray(score, float), np.unique(groups, return_inverse=True)[1]
    mean = np.bincount(number, score) / np.bincount(number)  # of each patient's images
    drawn = np.random.default_rng(seed).integers(len(mean), size=(repeats, days, patients))
    return mean[drawn].mean(-1)


def false_alarms(known, others, limit_at=0.95, *, patients, days, slack, repeats, seed=0):
    """Share of clinics in which an alarm rings within `days`, though nothing has changed, and the alarm's settings.

    known: one mean score for each patient from whom reference, slack and limit are made, (n,); others: for each of other
    patients, who come to the clinics, (m,). limit_at: of clinics with the known patients, the share that keeps the limit.
    patients: drawn a day; slack: in standard deviations of a day. Returns (share, {reference, slack}, limit).
    """
    alone = [np.arange(len(score)) for score in (known, others)]
    made = daily_means(known, alone[0], patients, days, repeats=repeats, seed=seed)
    options = {"reference": made.mean(), "slack": slack * made.std()}
    limit = np.quantile(cusum(made, **options).max(1), limit_at)
    quiet = daily_means(others, alone[1], patients, days, repeats=repeats, seed=seed + 1)
    return float((cusum(quiet, **options).max(1) > limit).mean()), options, float(limit)
