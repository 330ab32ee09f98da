"""Train a conditional GAN to repair images that were damaged on purpose, and measure what comes back.

A network is given a condition (n, h, w, 2): the damaged image, and a mask that is 1 where pixels may be changed.
"""

import numpy as np

from course_lib import import_tensorflow, results

TASKS = ("noise", "hole", "upscale")
HOLE = 8  # pixels, both ways
SIGMA = 0.02, 0.2  # range of the noise's standard deviation in training; images are in [0, 1]

STRONG = "L1 + 0.5 adversarial"
LOSSES = {"L2": {"power": 2}, "L1": {}, "L1 + 0.1 adversarial": {"weight": 0.1}, STRONG: {"weight": 0.5}}
"""What the restorers were trained with, as `train` takes it."""

DIETS = {"healthy only": (150, 0), "half and half": (75, 75), "mass only": (0, 150)}
"""Healthy patients and patients with a mass, four slices each, in three training sets."""


# ---- damage ----------------------------------------------------------------------------------------------------------


def whole(images):
    """Condition (n, h, w, 2) of images (n, h, w, 1) all of whose pixels may be changed."""
    return np.concatenate([images, np.ones_like(images)], axis=-1)


def add_noise(images, sigma, rng):
    """Condition of images (n, h, w, 1) with Gaussian noise of standard deviation sigma, (n,) or a number."""
    sigma = np.broadcast_to(np.asarray(sigma, np.float32), len(images))[:, None, None, None]
    return whole(images + rng.standard_normal(images.shape, np.float32) * sigma)


def cut_hole(images, centres, size=HOLE):
    """Condition of images (n, h, w, 1) with a square hole of `size` pixels, black, that may be filled.

    centres: row and column of each hole, (n, 2); a hole near the border is moved until it lies inside.
    """
    h, w = images.shape[1:3]
    first = np.clip(np.asarray(centres) - size // 2, 0, [h - size, w - size])
    rows, columns = np.arange(h)[:, None], np.arange(w)[None, :]
    top, left = first[:, 0, None, None], first[:, 1, None, None]
    hole = (rows >= top) & (rows < top + size) & (columns >= left) & (columns < left + size)
    hole = hole[..., None].astype(np.float32)
    return np.concatenate([images * (1 - hole), hole], axis=-1)


def random_centres(images, rng, darkest=0.15):
    """Row and column (n, 2) of a random pixel brighter than `darkest` in each image (n, h, w, 1)."""
    score = rng.random(images.shape[:3]) * (images[..., 0] > darkest)
    return np.stack(np.unravel_index(score.reshape(len(images), -1).argmax(1), images.shape[1:3]), axis=1)


def half_resolution(images):
    """Condition (n, h, w, 2) of images (n, h, w, 1) that lost every second row and column: bicubic, at full size."""
    n, h, w, c = images.shape
    return whole(double_size(images.reshape(n, h // 2, 2, w // 2, 2, c).mean((2, 4))))


def double_size(images):
    """The images at twice the size by bicubic interpolation (Keys 1981, doi:10.1109/TASSP.1981.1163711, a = −½).

    Pixels are squares that meet at their edges, so that no image is shifted; beyond the border nothing counts.
    """

    def weights(size):
        centre = (np.arange(2 * size) + 0.5) / 2 - 0.5  # of each new pixel, counted in old ones
        away = np.abs(centre[:, None] - np.arange(size))
        near, far = 1.5 * away**3 - 2.5 * away**2 + 1, -0.5 * away**3 + 2.5 * away**2 - 4 * away + 2
        kernel = np.where(away <= 1, near, np.where(away < 2, far, 0))
        return (kernel / kernel.sum(1, keepdims=True)).astype(images.dtype)

    rows, columns = weights(images.shape[1]), weights(images.shape[2])
    return np.einsum("ih,nhwc,jw->nijc", rows, images, columns, optimize=True)


def damage(task, images, rng, sigma=None):
    """Condition (n, h, w, 2) with new random damage of one of TASKS.

    sigma: of the noise; by default it is drawn for each image, as in training.
    """
    if task == "noise":
        return add_noise(images, rng.uniform(*SIGMA, len(images)) if sigma is None else sigma, rng)
    if task == "hole":
        return cut_hole(images, random_centres(images, rng))
    if task == "upscale":
        return half_resolution(images)
    raise ValueError(f"task is {task!r}: give one of {', '.join(TASKS)}.")


# ---- networks --------------------------------------------------------------------------------------------------------


def unet(size=32, channels=(16, 32)):
    """A small U-Net: condition (n, h, w, 2) to image (n, h, w, 1), built as in pix2pix (Isola et al. 2017,
    arXiv:1611.07004): convolutions with stride 2 down, transposed ones up, and skip connections.

    Where the mask is 0 the damaged image is kept as it is.
    size: height and width, a multiple of 4.
    """
    from course_lib.models import keras, layers

    options = {"padding": "same", "activation": "relu", "kernel_initializer": "he_normal"}
    condition = layers.Input((size, size, 2))
    damaged, mask = condition[..., :1], condition[..., 1:]
    half = layers.Conv2D(channels[0], 4, 2, **options)(condition)
    half = layers.Conv2D(channels[0], 3, **options)(half)
    quarter = layers.Conv2D(channels[1], 4, 2, **options)(half)
    quarter = layers.Conv2D(channels[1], 3, **options)(quarter)
    x = layers.Conv2DTranspose(channels[0], 4, 2, **options)(quarter)
    x = layers.Conv2D(channels[0], 3, **options)(layers.Concatenate()([x, half]))
    x = layers.Conv2DTranspose(8, 4, 2, **options)(x)
    repaired = layers.Conv2D(1, 3, padding="same")(layers.Concatenate()([x, damaged]))
    return keras.Model(condition, damaged + mask * (repaired - damaged), name="unet")


def patch_discriminator(size=32):
    """Condition and image to one logit for each patch, (n, h/4, w/4, 1): is this patch real? (Isola et al. 2017,
    arXiv:1611.07004). Each logit sees 18×18 pixels."""
    from course_lib.models import keras, layers

    condition, image = layers.Input((size, size, 2)), layers.Input((size, size, 1))
    x = layers.Concatenate()([condition, image])
    for channels in (16, 32):
        x = layers.Conv2D(channels, 4, 2, padding="same")(x)
        x = layers.LeakyReLU(negative_slope=0.2)(x)
    return keras.Model([condition, image], layers.Conv2D(1, 3, padding="same")(x), name="patch_discriminator")


def stored_restorer(part, name):
    """A U-Net with stored weights: part "losses" and name "hole, L1", or "patients" and "hole, mass only"."""
    return _with_weights(unet(), part, name)


def stored_marker():
    """The U-Net that marks lesions, for `mark`."""
    return _with_weights(unet(), "readers", "marker")


def stored_classifier():
    """The small CNN that tells the four classes of "brain-lesions" at 32×32 pixels."""
    from course_lib.models import small_cnn

    pixels = {name: float(value) for name, value in results.arrays("restoration/readers", 0).items()}
    return _with_weights(small_cnn((32, 32, 1), 4, **pixels), "readers", "classifier")


def _with_weights(network, part, name):
    weights = results.weights(f"restoration/{part}", 0, network=name)  # in half precision where there are many
    network.set_weights([weight.astype(np.float32) for weight in weights])
    return network


# ---- training --------------------------------------------------------------------------------------------------------


def pixel_loss(condition, truth, restored, power=1):
    """Mean of |truth − restored|^power over the pixels that may be changed."""
    from course_lib.models import keras

    mask = condition[..., 1:]
    return keras.ops.sum(mask * keras.ops.abs(truth - restored) ** power) / keras.ops.sum(mask)


def train(task, images, *, centres=None, weight=0.0, power=1, steps=600, batch=8, seed=0):
    """A U-Net trained with pixel loss + weight · adversarial loss. weight 0 needs no discriminator.

    images: undamaged, (n, h, w, 1); damage is drawn anew for each batch.
    centres: for the task "hole", row and column of the middle of each image's hole, (n, 2), give or take two pixels;
        by default holes lie anywhere in the head.
    power: 1 for the absolute error (L1), 2 for the squared error (L2).
    """
    from course_lib.models import keras

    tf = import_tensorflow()
    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    generator, discriminator = unet(images.shape[1]), patch_discriminator(images.shape[1])
    rate = keras.optimizers.schedules.CosineDecay(2e-3, steps)
    generator_adam = keras.optimizers.Adam(rate, beta_1=0.9 if weight == 0 else 0.5)
    discriminator_adam = keras.optimizers.Adam(1e-3, beta_1=0.5)
    cross_entropy = keras.losses.BinaryCrossentropy(from_logits=True)

    @tf.function
    def step(condition, truth):
        with tf.GradientTape() as tape, tf.GradientTape() as judge_tape:
            restored = generator(condition, training=True)
            loss = pixel_loss(condition, truth, restored, power)
            if weight > 0:
                real, fake = discriminator([condition, truth]), discriminator([condition, restored])
                loss += weight * cross_entropy(tf.ones_like(fake), fake)
                judge_loss = cross_entropy(tf.ones_like(real), real) + cross_entropy(tf.zeros_like(fake), fake)
        variables = generator.trainable_variables
        generator_adam.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        if weight > 0:
            variables = discriminator.trainable_variables
            discriminator_adam.apply_gradients(zip(judge_tape.gradient(judge_loss, variables), variables, strict=True))
        return loss

    for _ in range(steps):
        rows = rng.integers(len(images), size=batch)
        truth = images[rows]
        if centres is None:
            condition = damage(task, truth, rng)
        else:
            condition = cut_hole(truth, centres[rows] + rng.integers(-2, 3, (batch, 2)))
        step(tf.constant(condition), tf.constant(truth))
    return generator


# ---- exams -----------------------------------------------------------------------------------------------------------


def exam(split, task, seed=100):
    """The damaged slices that every method gets: noise of σ = 0.1, a hole somewhere in the head, or half resolution."""
    return damage(task, split.x, np.random.default_rng(seed), sigma=0.1)


def hole_centres(masks, ill):
    """Row and column of each mass; for the healthy, where the mass of a patient of the other half lies."""
    from scipy import ndimage

    own = np.array([ndimage.center_of_mass(mask) for mask in masks[ill]])
    if ill.sum() != (~ill).sum():
        raise ValueError(f"There must be as many ill as healthy slices, not {ill.sum()} and {(~ill).sum()}.")
    centres = np.empty((len(masks), 2))
    centres[ill] = centres[~ill] = own
    return np.rint(centres).astype(int)


# ---- measures --------------------------------------------------------------------------------------------------------


def psnr(truth, restored, mask):
    """Peak signal-to-noise ratio of each image in dB, (n,), over the pixels where mask is 1; all (n, h, w, 1).

    The peak is 1, the largest value an image can have.
    """
    squared = (mask * (truth - restored) ** 2).sum((1, 2, 3)) / mask.sum((1, 2, 3))
    return -10 * np.log10(np.maximum(squared, 1e-10))


def ssim(truth, restored, mask):
    """Structural similarity (Wang et al. 2004, doi:10.1109/TIP.2003.819861) of each image, (n,), over the same pixels.

    scikit-image's map, windows of 7×7 pixels; 1 is perfect.
    """
    from skimage.metrics import structural_similarity

    maps = [
        structural_similarity(a, b, data_range=1.0, full=True)[1]
        for a, b in zip(truth[..., 0], restored[..., 0], strict=True)
    ]
    return (mask[..., 0] * maps).sum((1, 2)) / mask.sum((1, 2, 3))


def sharpness(images, mask):
    """Mean absolute difference of neighbouring pixels of each image, (n,), over the pixels where mask is 1."""
    down, right = np.diff(images, axis=1)[:, :, 1:], np.diff(images, axis=2)[:, 1:]
    inner = mask[:, 1:, 1:]
    return (inner * (np.abs(down) + np.abs(right)) / 2).sum((1, 2, 3)) / inner.sum((1, 2, 3))


def crops(images, mask, size=16):
    """The square (n, size, size) around the middle of each mask, moved until it lies inside the image."""
    h, w = images.shape[1:3]
    out = np.empty((len(images), size, size), np.float32)
    for k, (image, hole) in enumerate(zip(images[..., 0], mask[..., 0], strict=True)):
        rows, columns = np.nonzero(hole)
        top = int(np.clip(rows.mean() + 0.5 - size / 2, 0, h - size))
        left = int(np.clip(columns.mean() + 0.5 - size / 2, 0, w - size))
        out[k] = image[top : top + size, left : left + size]
    return out


def spectrum(squares):
    """Power at each spatial frequency from 0 to half a cycle a pixel, (n, s / 2 + 1), of squares (n, s, s).

    The mean over all directions of the squared Fourier transform, behind a Hann window that softens the borders.
    """
    size = squares.shape[1]
    window = np.outer(np.hanning(size), np.hanning(size))
    power = np.abs(np.fft.fft2(squares * window)) ** 2
    cycles = np.abs(np.fft.fftfreq(size, 1 / size))
    ring = np.minimum(np.rint(np.hypot(cycles[:, None], cycles[None, :])).astype(int), size // 2)
    return np.stack([power[:, ring == r].mean(1) for r in range(size // 2 + 1)], axis=1)


def mark(marker, images):
    """Pixels (n, h, w) that a U-Net trained to mark lesions gives a probability above one half."""
    return marker(whole(images)).numpy()[..., 0] > 0


def found(marked, masks, share=0.25):
    """Of each slice, (n,): is at least this share of its lesion's pixels marked? marked, masks: (n, h, w) booleans.

    False where there is no lesion.
    """
    return (marked & masks).sum((1, 2)) >= np.maximum(share * masks.sum((1, 2)), 1)


def invented(marked, masks, pixels=6):
    """Of each slice, (n,): are at least so many pixels marked where there is no lesion?"""
    return (marked & ~masks).sum((1, 2)) >= pixels
