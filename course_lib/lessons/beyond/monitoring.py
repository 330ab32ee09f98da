"""Images from elsewhere: simulate them, recognise them one by one, and notice when they begin to arrive (lesson 18)."""

from typing import NamedTuple

import numpy as np


def another_scanner(images, *, noise=0.0, gamma=1.0, blur=0.0, seed=0):
    """The images as another MR scanner might have made them (a crude simulation): float32 in [0, 1], of the same shape.

    images: (n, h, w, c) in [0, 1], with their own noise, which is blurred too.
    blur: full width at half maximum of a Gaussian, in pixels, 0 for none: a coarser resolution.
    gamma: power of the intensity, above 0; 1 changes nothing.
    noise: σ of Rician noise on top (Gudbjartsson & Patz 1995, doi:10.1002/mrm.1910340618), in units of the intensity.
    Raises ValueError for a negative noise or blur, or a gamma that is not above 0.
    """
    from scipy import ndimage

    if noise < 0 or blur < 0 or not gamma > 0:
        raise ValueError(f"noise and blur cannot be negative, gamma must be above 0; here: {noise}, {blur}, {gamma}.")
    sigma = blur / np.sqrt(8 * np.log(2))
    images = np.clip(ndimage.gaussian_filter(images, (0, sigma, sigma, 0)), 0, 1) ** gamma
    real, imaginary = noise * np.random.default_rng(seed).standard_normal((2, *images.shape))
    return np.hypot(images + real, imaginary).clip(0, 1).astype(np.float32)


class Familiar(NamedTuple):
    """What known images look like to a network: mean (d,) and inverse covariance (d, d) of their features."""

    mean: np.ndarray
    precision: np.ndarray

    def distance(self, features):
        """Squared Mahalanobis distance of each row of features (n, d) from the mean: (n,), ≥ 0."""
        offset = features - self.mean
        return np.einsum("nd,de,ne->n", offset, self.precision, offset)


def familiarise(features) -> Familiar:
    """Mean and inverse covariance of the features (n, d) of known images, as in Lee et al. 2018 (arXiv:1807.03888).

    They fit one Gaussian to each class; this is one for all. A millionth of the mean variance is added to the diagonal,
    so that a feature that never varies does no harm. Raises ValueError with fewer than two rows or values not finite.
    """
    features = np.asarray(features, np.float64)
    if features.ndim != 2 or len(features) < 2 or not np.isfinite(features).all():
        raise ValueError(
            f"features must be finite numbers (n, d) of at least two images; the shape is {features.shape}."
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


def daily_means(score, groups, patients, days, *, repeats, seed=0):
    """Simulated days of a clinic: each day, some patients are drawn with replacement, and their scores averaged.

    score, groups: of the images of one kind of days, (n,); patients: number drawn a day. Returns (repeats, days).
    """
    score, number = np.asarray(score, float), np.unique(groups, return_inverse=True)[1]
    mean = np.bincount(number, score) / np.bincount(number)  # of each patient's images
    drawn = np.random.default_rng(seed).integers(len(mean), size=(repeats, days, patients))
    return mean[drawn].mean(-1)
