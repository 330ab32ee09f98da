"""Train a conditional GAN to repair images that were damaged on purpose, and measure what comes back.

A network is given a condition (n, h, w, 2): the damaged image, and a mask that is 1 where pixels may be changed.
"""

import numpy as np

from course_lib import import_tensorflow, results

TASKS = ("noise", "hole", "upscale")
HOLE = 10  # pixels, both ways
SIGMA = 0.02, 0.2  # range of the noise's standard deviation in training; images are in [0, 1]
STEPS, BATCH, BETA = 4000, 8, 0.5  # of every restorer; β₁ of Adam is the same with and without a discriminator

STRONG = "L1 + 0.5 adversarial"
LOSSES = {"L2": {"power": 2}, "L1": {}, "L1 + 0.1 adversarial": {"weight": 0.1}, STRONG: {"weight": 0.5}}
ARMS = [f"{task}, {loss}" for task in TASKS for loss in LOSSES]
LONG, LOWER = "twice as long", "lower rate"  # the lower one of the best rates of L1 and STRONG, for both
AGAIN = [f"{name}, {LONG}" for name in ("noise, L2", "hole, L1", "upscale, L1", f"upscale, {STRONG}")]
AGAIN += [f"{name}, {LOWER}" for name in ("noise, L1", f"hole, {STRONG}", "upscale, L1")]
SHOWN = ("L2", "L1", STRONG)  # whose networks are kept

DIETS = {"healthy only": (150, 0), "half and half": (75, 75), "mass only": (0, 150)}  # patients: healthy, with a mass
FED = [f"hole, {diet}, {loss}" for diet in DIETS for loss in ("L1", STRONG)]
FED += [f"noise, {diet}, {STRONG}" for diet in DIETS] + [f"hole, {diet}, {STRONG}, {LOWER}" for diet in DIETS]
LADDER = (0.00003, 0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1)
RATES = LADDER[3:6]  # tried for every arm; then outwards, until the best has one on either side
FOUND, ALARM = 0.25, 6  # share of a lesion's pixels that are marked; marked pixels of a healthy slice


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
    """Condition (n, h, w, 2) of images (n, h, w, 1) whose 2×2 pixels became one, their mean; at full size again by bicubic
    interpolation (Keys 1981, doi:10.1109/TASSP.1981.1163711)."""
    from course_lib.models import keras

    n, h, w, c = images.shape
    small = images.reshape(n, h // 2, 2, w // 2, 2, c).mean((2, 4))
    return whole(np.array(keras.ops.image.resize(small, (h, w), interpolation="bicubic")))


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
    """Condition and image to one logit for each patch, (n, h/4, w/4, 1): is this patch original? (Isola et al. 2017,
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
    """The small CNN that tells the four classes of "brain-lesions" at 32×32 pixels: the lesson's reader."""
    from course_lib.models import small_cnn

    pixels = results.arrays("restoration/readers", 0)
    network = small_cnn((32, 32, 1), 4, mean=float(pixels["mean"]), variance=float(pixels["variance"]))
    return _with_weights(network, "readers", "classifier")


def feature_model(classifier, mean, variance):
    """The classifier up to its 64 pooled features, standardised: slices (n, 32, 32, 1) to (n, 64), for `gan.kid`."""
    from course_lib.models import keras, layers

    features = layers.Normalization(mean=mean, variance=variance)(classifier.layers[-2].output)
    return keras.Model(classifier.inputs[0], features, name="features")


def _with_weights(network, part, name):
    weights = results.weights(f"restoration/{part}", 0, network=name)  # in half precision
    network.set_weights([weight.astype(np.float32) for weight in weights])
    return network


# ---- training --------------------------------------------------------------------------------------------------------


def pixel_loss(condition, truth, restored, power=1):
    """Mean of |truth − restored|^power over the pixels that may be changed."""
    from course_lib.models import keras

    mask = condition[..., 1:]
    return keras.ops.sum(mask * keras.ops.abs(truth - restored) ** power) / keras.ops.sum(mask)


def train(task, images, *, rate, weight=0.0, power=1, centres=None, steps=STEPS, seed=0, at=(), watch=None):
    """A U-Net trained with pixel loss + weight · adversarial loss, and what `watch` saw; weight 0 needs no discriminator.

    images: undamaged, (n, h, w, 1); damage is drawn anew for each batch.
    rate: the peak of Adam's learning rate for both networks; it rises for a tenth of the steps and falls along a cosine.
    power: 1 for the absolute error (L1), 2 for the squared error (L2).
    centres: for the task "hole", row and column of the middle of each image's hole, (n, 2), give or take two pixels;
        by default holes lie anywhere in the head.
    watch: a function of the network, called after each number of steps in `at`; what it returns comes back as a list.
    """
    from course_lib.models import keras

    tf = import_tensorflow()
    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    generator, discriminator = unet(images.shape[1]), patch_discriminator(images.shape[1])
    rise = max(1, steps // 10)
    rates = keras.optimizers.schedules.CosineDecay(0.0, float(steps - rise), warmup_target=rate, warmup_steps=rise)
    generator_adam, discriminator_adam = (keras.optimizers.Adam(rates, beta_1=BETA) for _ in range(2))
    cross_entropy = keras.losses.BinaryCrossentropy(from_logits=True)

    @tf.function
    def step(condition, truth):
        with tf.GradientTape() as tape, tf.GradientTape() as judge_tape:
            restored = generator(condition, training=True)
            loss = pixel_loss(condition, truth, restored, power)
            if weight > 0:
                original, fake = discriminator([condition, truth]), discriminator([condition, restored])
                loss += weight * cross_entropy(tf.ones_like(fake), fake)
                judge_loss = cross_entropy(tf.ones_like(original), original)
                judge_loss += cross_entropy(tf.zeros_like(fake), fake)
        variables = generator.trainable_variables
        generator_adam.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        if weight > 0:
            variables = discriminator.trainable_variables
            discriminator_adam.apply_gradients(zip(judge_tape.gradient(judge_loss, variables), variables, strict=True))

    seen = []
    for number in range(1, steps + 1):
        rows = rng.integers(len(images), size=BATCH)
        truth = images[rows]
        if centres is None:
            condition = damage(task, truth, rng)
        else:
            condition = cut_hole(truth, centres[rows] + rng.integers(-2, 3, (BATCH, 2)))
        step(tf.constant(condition), tf.constant(truth))
        if number in at:
            seen.append(watch(generator))
    return generator, seen


# ---- exams -----------------------------------------------------------------------------------------------------------


def exam(images, task):
    """The damaged slices that every method gets: noise of σ = 0.1, a hole somewhere in the head, or half resolution."""
    return damage(task, images, np.random.default_rng(100), sigma=0.1)


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
    """Peak signal-to-noise ratio of each image in dB, (n,), over the pixels where mask is 1; all (n, h, w, 1). The peak is 1, the
    largest value an image can have."""
    squared = (mask * (truth - restored) ** 2).sum((1, 2, 3)) / mask.sum((1, 2, 3))
    return -10 * np.log10(np.maximum(squared, 1e-10))


def differences(images, mask):
    """Differences between neighbouring pixels of images (n, h, w, 1), (n, 2 h w − …); 0 unless both are in the mask."""
    down = np.diff(images, axis=1) * mask[:, 1:] * mask[:, :-1]
    right = np.diff(images, axis=2) * mask[:, :, 1:] * mask[:, :, :-1]
    return np.concatenate([down.reshape(len(images), -1), right.reshape(len(images), -1)], axis=1)


def products(truth, restored, mask):
    """Of the differences t of the truth and r of the restored image the sums of t², t·r and r² for each image, (n, 3)."""
    t, r = differences(truth, mask), differences(restored, mask)
    return np.stack([(t * t).sum(1), (t * r).sum(1), (r * r).sum(1)], axis=1)


def detail(sums):
    """From `products` (n, 3) of some images: how large their differences are, as a share of the truth's. Noise raises it."""
    tt, _, rr = sums.sum(0)
    return np.sqrt(rr / tt)


def agreement(sums):
    """Likewise: the cosine of the angle between both sets of differences, 1 if they are equal but for a factor. Noise and
    detail in other places lower it; steeper edges alone do not change it."""
    tt, tr, rr = sums.sum(0)
    return tr / max(np.sqrt(tt * rr), 1e-12)


def edge_strength(sums):
    """Likewise: detail times agreement, the slope of the line through 0 that fits r to t best. 1: the edges of the truth are
    as steep as they were; 0: none is left. Noise that has nothing to do with the truth does not raise it."""
    tt, tr, _ = sums.sum(0)
    return tr / tt


def mark(marker, images):
    """Pixels (n, h, w) that a U-Net trained to mark lesions gives a probability above one half."""
    return marker.predict(whole(images), batch_size=320, verbose=0)[..., 0] > 0


def marked_pixels(marked, masks):
    """Of a slice with a lesion, how many of its pixels are marked; of one without, how many at all. (n,) uint8."""
    ill = masks.any((1, 2))
    return np.minimum(np.where(ill, (marked & masks).sum((1, 2)), marked.sum((1, 2))), 255).astype(np.uint8)


def seen(pixels, size):
    """Whether a lesion of `size` pixels counts as found (at least a quarter of its pixels are marked), or (size 0) a healthy slice has an
    alarm (at least six): booleans (n,). pixels: those of `marked_pixels`."""
    return pixels >= np.where(size > 0, np.maximum(FOUND * size, 1), ALARM)


# ---- the rates -------------------------------------------------------------------------------------------------------


def criterion(name, row):
    """What decides on a rate, the higher the better, from a row of the stored `rates`; name: such as "hole, L1". For a pixel loss the
    PSNR of the restored validation slices; with an adversarial part, which is to make them look original, minus their KID."""
    value = -row["kid"] if "adversarial" in name else row["val"]
    return value if np.isfinite(value) else -np.inf


def beyond(name, found):
    """The rate to be tried next, in a list: beyond the lowest or the highest of `found`, where that is the best."""
    best = max(found, key=lambda rate: criterion(name, found[rate]))
    tried = sorted(map(float, found))
    place = LADDER.index(float(best))
    following = {tried[0]: place - 1, tried[-1]: place + 1}.get(float(best), -1)
    return [LADDER[following]] if 0 <= following < len(LADDER) else []


def on_validation(name):
    """{rate: mean of the criterion over the seeds} of the stored `rates` that all seeds have tried."""
    runs = [run[name] for run in results.load("restoration/rates").values()]
    common = set.intersection(*(set(run) for run in runs))
    return {float(rate): float(np.mean([criterion(name, run[rate]) for run in runs])) for rate in sorted(common)}


def best_rate(name):
    """The best rate of `on_validation`; with LOWER in the name, the lower one of those of L1 and STRONG. Raises ValueError if no
    seed has tried a lower rate than the best, or a higher one."""
    task, loss, *again = name.split(", ")
    if again == [LOWER]:
        return min(best_rate(f"{task}, {loss}") for loss in ("L1", STRONG))
    name = f"{task}, {loss}"
    found = on_validation(name)
    best = max(found, key=found.get)
    tried = [float(rate) for run in results.load("restoration/rates").values() for rate in run[name]]
    if best in (min(tried), max(tried)):
        raise ValueError(f"{name} is best at {best:g}, an end of its list of rates: make it longer.")
    return best
