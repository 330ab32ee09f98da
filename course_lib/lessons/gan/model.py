"""What notebook, experiment and explorers of the lesson on GAN share: toy points and networks, latent vectors, stored networks."""

import numpy as np

from course_lib import results

FIXED = np.random.default_rng(14).normal(size=(640, 32)).astype(np.float32)
"""The latent vectors whose images are measured."""

CHANNELS, JUDGE_CHANNELS, CLASSES = 128, 32, 4
"""Of the stored conditional generator and its discriminator, as `gan.generator` and `gan.discriminator` take them."""

PATIENTS = {"train": 1400, "held out": 1401}
"""Seeds of the data: 1,200 patients each, from whom the stored GAN has learned, and whom it has never seen."""

# ---- Points in the plane ----------------------------------------------------------------------------------------------

SIGMA = 0.05
_ANGLES = 2 * np.pi * np.arange(8) / 8
MODES = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1)
"""Centres (8, 2) of eight Gaussians of standard deviation SIGMA, on a circle of radius 1."""


def eight_gaussians(n, seed=0):
    """Points (n, 2) float32, each from one of the eight Gaussians around MODES."""
    rng = np.random.default_rng(seed)
    return (MODES[rng.integers(8, size=n)] + rng.normal(scale=SIGMA, size=(n, 2))).astype(np.float32)


def modes(points, reach=4 * SIGMA):
    """How many of the eight modes points (n, 2) cover, and the share of points that lie within `reach` of one.

    A mode is covered if at least 2 % of all points lie within `reach` of it; a fair sample puts 12.5 % there.
    """
    from scipy.spatial.distance import cdist

    distance = cdist(points, MODES)
    close = distance.min(1) < reach
    counts = np.bincount(distance.argmin(1)[close], minlength=8)
    return int((counts >= 0.02 * len(points)).sum()), float(close.mean())


def two_dimensional(seed, *, spectral=False):
    """A generator and a discriminator for points in the plane: two hidden layers of 64 units each, z of two numbers.

    spectral: keep the largest factor by which each of the discriminator's dense layers can stretch at 1 (Miyato et al.
        2018, arXiv:1802.05957).
    """
    from course_lib.models import keras, layers

    keras.utils.set_random_seed(seed)
    hidden = [layers.Dense(64, "relu", kernel_initializer="he_normal") for _ in range(2)]
    judge = [
        layers.Dense(64),
        layers.LeakyReLU(negative_slope=0.2),
        layers.Dense(64),
        layers.LeakyReLU(negative_slope=0.2),
    ]
    judge.append(layers.Dense(1))
    if spectral:
        judge = [layers.SpectralNormalization(layer) if isinstance(layer, layers.Dense) else layer for layer in judge]
    return (
        keras.Sequential([layers.Input((2,)), *hidden, layers.Dense(2)], name="generator"),
        keras.Sequential([layers.Input((2,)), *judge], name="discriminator"),
    )


# ---- Latent vectors and stored networks ---------------------------------------------------------------------------------


def between(a, b, share):
    """The latent vector at `share` of the way from a to b, along an arc: lengths in between stay usual lengths.

    On the straight line, the middle between two independent normal vectors is shorter than nearly all vectors that the
    generator has seen. Spherical interpolation, Shoemake 1985 (doi:10.1145/325165.325242), of direction; the length is
    interpolated by itself.
    """
    length_a, length_b = np.linalg.norm(a), np.linalg.norm(b)
    angle = np.arccos(np.clip(a @ b / (length_a * length_b), -1, 1))
    if angle < 1e-4:
        return (1 - share) * a + share * b
    direction = (np.sin((1 - share) * angle) * a / length_a + np.sin(share * angle) * b / length_b) / np.sin(angle)
    return ((1 - share) * length_a + share * length_b) * direction


def conditional_pair(classes=CLASSES):
    """Generator, discriminator and a second generator for the running mean of the first one's weights; new, of the stored size."""
    from course_lib import gan

    generator, mean = (gan.generator(channels=CHANNELS, classes=classes) for _ in range(2))
    mean.set_weights(generator.get_weights())
    return generator, gan.discriminator(JUDGE_CHANNELS, classes), mean


def stored_generator():
    """The conditional generator of the stored run's first seed, its running mean; it takes [z, labels]."""
    from course_lib import gan

    generator = gan.generator(channels=CHANNELS, classes=CLASSES)
    generator.set_weights([weight.astype(np.float32) for weight in results.weights("gan/conditional", 0)])
    return generator


def read_as(reader, images, asked):
    """What a reader network makes of images (n, h, w, 1) whose classes were asked for, (n,): counts (asked, read)."""
    read = reader.predict(images, batch_size=256, verbose=0).argmax(1)
    return np.bincount(CLASSES * np.asarray(asked) + read, minlength=CLASSES**2).reshape(CLASSES, CLASSES)


def kid_limits(made, original, groups, parts=10):
    """KID of features made (m, d) and original (n, d), with a 95 % interval: (value, low, high).

    made: independent images, such as a generator's. For slices, several of a patient, the limits come out too narrow.
    groups: (n,) patient of each original. The interval is the jackknife's: a tenth of the made and of the patients is left
    out in turn (Efron & Tibshirani 1993, chapter 11). Resampling with repetition, as a bootstrap does, would count pairs of
    a thing with itself, which the estimate leaves out.
    """
    from scipy import stats

    from course_lib import gan

    patient = np.unique(groups, return_inverse=True)[1]
    left = [gan.kid(made[np.arange(len(made)) % parts != k], original[patient % parts != k]) for k in range(parts)]
    value = gan.kid(made, original)
    reach = stats.t.ppf(0.975, parts - 1) * np.sqrt((parts - 1) * np.var(left))
    return value, value - reach, value + reach


def frechet_distance(a, b):
    """Fréchet distance of two Gaussians fitted to features (m, d) and (n, d): FID's formula (Heusel et al. 2017,
    arXiv:1706.08500). Biased upwards, the more so the fewer there are (Chong & Forsyth 2020, arXiv:1911.07023)."""
    a, b = (np.asarray(x, dtype=np.float64) for x in (a, b))
    cov_a, cov_b = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    # The trace of the root of a product is the sum of the roots of its eigenvalues, which are real and not negative.
    roots = np.sqrt(np.clip(np.linalg.eigvals(cov_a @ cov_b).real, 0, None)).sum()
    return float(((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(cov_a) + np.trace(cov_b) - 2 * roots)


def build_reader(mean, variance, feature_mean, feature_variance):
    """The course's small CNN for brain slices (n, 32, 32, 1), its 64 features standardised, and four logits.

    mean, variance: of the pixels of its training slices; feature_mean, feature_variance: (64,), of its features of them.
    """
    from course_lib.models import keras, layers, small_cnn

    body = small_cnn((32, 32, 1), 4, mean=float(mean), variance=float(variance))
    features = layers.Normalization(mean=feature_mean, variance=feature_variance)(body.layers[-2].output)
    return keras.Model(body.inputs[0], layers.Dense(4)(features), name="reader")


def reader():
    """The stored network that tells the four classes of "brain-lesions": trained on 2,400 simulated patients who are in
    no other part of the course."""
    network = build_reader(**results.arrays("gan/features", 0))
    network.set_weights(results.weights("gan/features", 0))
    return network


def feature_model():
    """The network in whose features the course's KID is measured: brain slices (n, 32, 32, 1) to (n, 64).

    It is `reader` up to its global average pooling, standardised.
    """
    from course_lib.models import keras

    network = reader()
    return keras.Model(network.inputs[0], network.layers[-2].output, name="features")
