"""Generative adversarial networks: the DCGAN's two networks, one training step, and measures of what comes out.

Images are (n, 32, 32, 1) float32 in [0, 1], latent vectors z (n, latent) float32 from a standard normal distribution.
Importing this module imports TensorFlow and Keras, which takes some seconds.
"""

import time

import numpy as np
from IPython import get_ipython
from IPython.display import Pretty, display

from course_lib import import_tensorflow
from course_lib.models import keras, layers

tf = import_tensorflow()

LATENT = 32
"""Length of the latent vector of the course's generators, unless told otherwise."""

# ---- The two networks -------------------------------------------------------------------------------------------------


def generator(latent=LATENT, channels=96, classes=None):
    """A DCGAN generator for 32×32×1 images (Radford et al. 2016, arXiv:1511.06434).

    latent: length of z. channels: feature maps at 4×4; each of the two transposed convolutions that follow has half.
    classes: None, or the number of classes: the network then takes [z, labels], labels (n,) int from 0, and the class
        goes in beside z (Mirza & Osindero 2014, arXiv:1411.1784).
    Returns a `keras.Model` whose images are in [0, 1]: a tanh, as in the paper, moved from [-1, 1].
    """
    z = layers.Input((latent,), name="z")
    inputs, x = z, z
    if classes:
        label = layers.Input((), dtype="int32", name="label")
        inputs, x = [z, label], layers.Concatenate()([z, layers.Embedding(classes, latent)(label)])
    start = {"kernel_initializer": keras.initializers.RandomNormal(stddev=0.02), "use_bias": False}
    x = layers.Dense(4 * 4 * channels, **start)(x)
    x = layers.Reshape((4, 4, channels))(x)
    x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
    for width in (channels // 2, channels // 4):
        x = layers.Conv2DTranspose(width, 4, strides=2, padding="same", **start)(x)
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
    start["use_bias"] = True  # no batch norm behind the last layer, so it needs a bias
    x = layers.Conv2DTranspose(1, 4, strides=2, padding="same", activation="tanh", **start)(x)
    return keras.Model(inputs, layers.Rescaling(0.5, 0.5)(x), name="generator")


def discriminator(channels=24, classes=None, *, batch_norm=True):
    """A DCGAN discriminator for images (n, 32, 32, 1) in [0, 1]; returns one logit each, (n, 1): above zero is "original".

    channels: feature maps of the first strided convolution; each of the two that follow has twice as many.
    classes: None, or the number of classes: a second head then says which class the image shows, and the network returns
        [logit (n, 1), logits of the classes (n, classes)] (AC-GAN, Odena et al. 2017, arXiv:1610.09585).
    batch_norm: as in the paper, behind all convolutions but the first. Leave it out with a gradient penalty, which
        needs each image to be judged by itself.
    """
    image = layers.Input((32, 32, 1), name="image")
    x = layers.Rescaling(2.0, -1.0)(image)
    start = {"kernel_initializer": keras.initializers.RandomNormal(stddev=0.02)}
    for number, width in enumerate((channels, 2 * channels, 4 * channels)):
        x = layers.Conv2D(width, 4, strides=2, padding="same", **start)(x)
        if batch_norm and number:
            x = layers.BatchNormalization(momentum=0.9)(x)
        x = layers.LeakyReLU(negative_slope=0.2)(x)
    x = layers.Flatten()(x)
    logit = layers.Dense(1, **start)(x)
    if not classes:
        return keras.Model(image, logit, name="discriminator")
    return keras.Model(image, [logit, layers.Dense(classes, **start)(x)], name="discriminator")


# ---- Training -----------------------------------------------------------------------------------------------------------


def discriminator_loss(real, fake):
    """Cross-entropy of the logits (n, 1) of real and of generated images; Goodfellow et al. 2014 (arXiv:1406.2661)."""
    return tf.reduce_mean(tf.nn.softplus(-real)) + tf.reduce_mean(tf.nn.softplus(fake))


def minimax_loss(fake):
    """The generator's loss in the minimax game: the mean of log(1 − D), from logits (n, 1) of generated images."""
    return -tf.reduce_mean(tf.nn.softplus(fake))


def non_saturating_loss(fake):
    """The generator's loss that is used in practice: the mean of −log D, from logits (n, 1) of generated images."""
    return tf.reduce_mean(tf.nn.softplus(-fake))


def class_loss(logits, labels):
    """Cross-entropy of the class head's logits (n, classes) and the labels (n,) int: both networks of an AC-GAN lower it."""
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))


def squared_slope(discriminator, real):
    """Mean squared length of the logit's gradient with respect to original data: R1 (Mescheder et al. 2018,
    arXiv:1801.04406). The discriminator has one head."""
    with tf.GradientTape() as tape:
        tape.watch(real)
        logit = discriminator(real, training=True)
    slope = tape.gradient(logit, real)
    return tf.reduce_mean(tf.reduce_sum(tf.square(slope), axis=list(range(1, len(real.shape)))))


def adversarial_step(
    generator,
    discriminator,
    *,
    rate=2e-4,
    beta_1=0.5,
    generator_loss=non_saturating_loss,
    r1=0.0,
    discriminator_rate=None,
    mean=None,
    decay=0.999,
):
    """Build one training step of two networks that play against each other.

    rate, beta_1: of Adam, for both networks; discriminator_rate: where the discriminator's is another one.
    generator_loss: `non_saturating_loss` or `minimax_loss`. r1: γ, the weight of half the `squared_slope`.
    mean: a second generator of the same build. After each step its weights move to the generator's by 1 − decay of the way
        (further in the first steps): a running mean, whose images are steadier (Yazıcı et al. 2019, arXiv:1806.04498).
    Returns a compiled function: step(real, labels=None) -> (discriminator's loss, generator's loss), which changes both
    networks once. real: float32 tensor of a batch of original images; labels: its classes, for networks with classes, whose
    losses then hold the `class_loss`, too.
    """
    latent = generator.inputs[0].shape[-1]
    for_generator = keras.optimizers.Adam(rate, beta_1=beta_1)
    for_discriminator = keras.optimizers.Adam(discriminator_rate or rate, beta_1=beta_1)
    for_generator.build(generator.trainable_variables)
    for_discriminator.build(discriminator.trainable_variables)

    def judged(images, labels):
        """The logit of images, and the loss of the class head, 0 for a discriminator without one."""
        answer = discriminator(images, training=True)
        return (answer, 0.0) if labels is None else (answer[0], class_loss(answer[1], labels))

    @tf.function
    def step(real, labels=None):
        # 1. The discriminator learns to tell original from generated; the generator stands still.
        z = tf.random.normal((tf.shape(real)[0], latent))
        fake = generator(_with(z, labels), training=True)
        with tf.GradientTape() as tape:
            on_real, of_class = judged(real, labels)
            on_fake, _ = judged(fake, labels)
            d_loss = discriminator_loss(on_real, on_fake) + of_class
            if r1:
                d_loss += r1 / 2 * squared_slope(discriminator, real)
        weights = discriminator.trainable_variables
        for_discriminator.apply(tape.gradient(d_loss, weights), weights)

        # 2. The generator learns to be taken for original; the discriminator stands still, but its slopes are used.
        z = tf.random.normal((tf.shape(real)[0], latent))
        with tf.GradientTape() as tape:
            fake = generator(_with(z, labels), training=True)
            on_fake, of_class = judged(fake, labels)
            g_loss = generator_loss(on_fake) + of_class
        weights = generator.trainable_variables
        for_generator.apply(tape.gradient(g_loss, weights), weights)
        if mean:
            done = tf.cast(for_generator.iterations, tf.float32)
            kept = tf.minimum(decay, done / (done + 9))  # shorter at the start: the first weights are soon forgotten
            for average, weight in zip(mean.weights, generator.weights, strict=True):
                average.assign(kept * average + (1 - kept) * weight)
        return d_loss, g_loss

    return step


def train(step, images, steps, *, labels=None, batch_size=64, seed=0, at=(), watch=None):
    """Call `step` on `steps` shuffled batches, and show in one line how far it is; the seconds are not in what stays.

    images: (n, …) float32 in [0, 1]; labels: (n,) int, for networks that take the class.
    watch: function without arguments, called before the first step if 0 is in `at`, and after each number of steps in
        `at`; its results are returned as a list.
    Returns (losses (steps, 2): discriminator's and generator's, list of what `watch` returned).
    """
    order = np.random.default_rng(seed)
    live = hasattr(get_ipython(), "kernel")  # in a terminal a display cannot be rewritten
    line = display(Pretty("training …"), display_id=True) if live else None
    start = shown = time.perf_counter()
    losses, seen, batches = [], [], iter(())
    if 0 in at:
        seen.append(watch())
    for number in range(1, steps + 1):
        rows = next(batches, None)
        if rows is None:  # a new epoch; what is left of the last one is too small for a batch
            shuffled = order.permutation(len(images))
            batches = iter(np.array_split(shuffled, max(1, len(images) // batch_size)))
            rows = next(batches)
        rows = rows[:batch_size]
        batch = [tf.constant(images[rows])] + ([] if labels is None else [tf.constant(labels[rows], tf.int32)])
        losses.append(step(*batch))
        if number in at:
            seen.append(watch())
        if line and time.perf_counter() - shown > 0.5:
            shown = time.perf_counter()
            line.update(Pretty(f"step {number} of {steps}, {shown - start:.0f} s"))
    if line:
        line.update(Pretty(f"{steps} steps"))
    return np.array(losses, dtype=np.float32), seen


def sample(generator, z, labels=None, batch_size=256):
    """Images in [0, 1], (n, h, w, c) float32, that a trained generator makes of latent vectors z (n, latent).

    labels: (n,) int, for a generator that takes the class.
    """
    parts = []
    for start in range(0, len(z), batch_size):
        rows = slice(start, start + batch_size)
        classes = None if labels is None else tf.constant(labels[rows], tf.int32)
        parts.append(generator(_with(tf.constant(z[rows], tf.float32), classes), training=False))
    return np.concatenate(parts)


def _with(first, labels):
    return first if labels is None else [first, labels]


# ---- How good is it? ----------------------------------------------------------------------------------------------------


def features(model, images):
    """What `model` makes of images (n, h, w, c): an array (n, d) float32."""
    return model.predict(images, batch_size=256, verbose=0)


def kid(a, b):
    """Kernel inception distance of two sets of features (m, d) and (n, d) (Bińkowski et al. 2018, arXiv:1801.01401).

    The unbiased estimate of the squared maximum mean discrepancy with the kernel k(x, y) = (x·y/d + 1)³. If all rows are
    drawn independently from one distribution its mean is 0, whatever m and n; a single value can lie a little below. Slices
    of one patient are not independent, and raise it. It has no unit, and can be compared with others in the same feature
    space only. "Inception" is the network of the paper; here it is whatever network made the features.
    Raises ValueError for sets of fewer than two, or of features that do not have the same length.
    """
    a, b = (np.asarray(x, dtype=np.float64) for x in (a, b))
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or min(len(a), len(b)) < 2:
        raise ValueError(f"KID compares two sets (m, d) and (n, d) of at least two each, not {a.shape} and {b.shape}.")
    within_a, within_b, between = (_kernel(x, y) for x, y in ((a, a), (b, b), (a, b)))
    m, n = len(a), len(b)
    return float(
        (within_a.sum() - np.trace(within_a)) / (m * (m - 1))  # without the pairs of a thing with itself: unbiased
        + (within_b.sum() - np.trace(within_b)) / (n * (n - 1))
        - 2 * between.mean()
    )


def _kernel(x, y):
    return (x @ y.T / x.shape[1] + 1) ** 3


def nearest(points, reference):
    """For each of `points` (n, …) its nearest in `reference` (m, …): index (n,) int and Euclidean distance (n,)."""
    a, b = (np.asarray(x, dtype=np.float64).reshape(len(x), -1) for x in (points, reference))
    squares = (a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * a @ b.T  # (a − b)² multiplied out: a matrix product is fast
    distance = np.sqrt(np.clip(squares, 0, None))
    index = distance.argmin(1)
    return index, distance[np.arange(len(index)), index]
