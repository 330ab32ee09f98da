"""What notebook, experiment and explorers of the lesson on architectures share: its networks, the arms that are compared,
how the stored runs are read, and its scores."""

import functools
import socket

import numpy as np

from course_lib import evaluate, results

SHAPE, CLASSES = (32, 32, 1), 4
FOUR = ["small CNN", "AlexNet", "VGG", "ResNet"]
"""The networks that the lesson compares, as the stored runs call them. The small CNN is that of lesson 06."""

# ---- The networks -----------------------------------------------------------------------------------------------------


def conv_block(x, channels, kernel=3, *, strides=1, batch_norm=True, activation="relu"):
    """Convolution, batch norm if asked for, activation: feature maps x (n, h, w, c) to (n, ⌈h/s⌉, ⌈w/s⌉, channels).

    Batch norm brings its own shift, so that the convolution then needs no bias. Its momentum is 0.9, for the few
    hundred steps that a run in the course has (lesson training_well).
    """
    from course_lib.models import layers

    options = {"padding": "same", "kernel_initializer": "he_normal", "use_bias": not batch_norm}
    x = layers.Conv2D(channels, kernel, strides=strides, **options)(x)
    if batch_norm:
        x = layers.BatchNormalization(momentum=0.9)(x)
    return layers.Activation(activation)(x)


def vgg_block(x, channels, convolutions, kernel=3):
    """Convolutions with ReLU at one size, then 2×2 max pooling (Simonyan & Zisserman 2015, arXiv:1409.1556)."""
    from course_lib.models import layers

    for _ in range(convolutions):
        x = conv_block(x, channels, kernel, batch_norm=False)
    return layers.MaxPooling2D()(x)


def residual_block(x, channels, strides=1, *, identity=True):
    """Two 3×3 convolutions F with batch norm, and relu(F(x) + x) (He et al. 2016, arXiv:1512.03385, figure 2).

    Where F changes the shape, a 1×1 convolution brings x to the new shape (their option B).
    identity=False leaves the sum out: a block of a plain network, relu(F(x)).
    """
    from course_lib.models import layers

    branch = conv_block(x, channels, strides=strides)
    branch = conv_block(branch, channels, activation="linear")
    if identity:
        if x.shape != branch.shape:
            x = conv_block(x, channels, 1, strides=strides, activation="linear")
        branch = layers.Add()([branch, x])
    return layers.Activation("relu")(branch)


def small_alexnet(input_shape, classes, *, mean=0.0, variance=1.0, activation="relu", dropout=0.5):
    """AlexNet's plan for small images, from 32×32 pixels up: five convolutions, the first large and with a stride,
    overlapping 3×3 max pooling, and three dense layers with dropout between them (Krizhevsky et al. 2012,
    doi:10.1145/3065386). Without its two groups and its local response normalisation.

    Arguments and result as for `models.small_cnn`; the layers have the given activation, and dropout with the given rate.
    """
    from course_lib.models import keras, layers

    inputs, x = _standardised(input_shape, mean, variance)
    for channels, kernel, strides, pool in [(24, 7, 2, True), (40, 5, 1, True), (64, 3, 1, False), (64, 3, 1, False)]:
        x = conv_block(x, channels, kernel, strides=strides, batch_norm=False, activation=activation)
        if pool:
            x = layers.MaxPooling2D(3, strides=2, padding="same")(x)
    x = conv_block(x, 48, batch_norm=False, activation=activation)
    x = layers.MaxPooling2D(3, strides=2, padding="same")(x)
    x = layers.Flatten()(x)
    for _ in range(2):
        x = layers.Dense(128, activation, kernel_initializer="he_normal")(x)
        x = layers.Dropout(dropout)(x)
    return keras.Model(inputs, layers.Dense(classes)(x), name="small_alexnet")


def small_vgg(input_shape, classes, *, mean=0.0, variance=1.0, convolutions=(2, 2, 3), kernel=3):
    """VGGNet's plan for small images: three `vgg_block`s of 8, 16 and 32 channels, and a dense layer with dropout.

    Arguments and result as for `models.small_cnn`; convolutions, kernel: of each block.
    """
    from course_lib.models import keras, layers

    inputs, x = _standardised(input_shape, mean, variance)
    for channels, number in zip((8, 16, 32), convolutions, strict=True):
        x = vgg_block(x, channels, number, kernel)
    x = layers.Flatten()(x)
    x = layers.Dense(128, "relu", kernel_initializer="he_normal")(x)
    x = layers.Dropout(0.5)(x)
    return keras.Model(inputs, layers.Dense(classes)(x), name="small_vgg")


def small_resnet(input_shape, classes, *, mean=0.0, variance=1.0, blocks=1, identity=True):
    """ResNet's plan for small images (He et al. 2016, arXiv:1512.03385, section 4.2): one convolution, three stages of
    `blocks` residual blocks with 16, 32 and 64 channels, each stage at half the size of the one before, global average
    pooling, one dense layer. It has 6·blocks + 2 layers. The first convolution has a stride of 2, to save work.

    Arguments and result as for `models.small_cnn`; identity=False makes the plain network of the same depth.
    """
    from course_lib.models import keras, layers

    inputs, x = _standardised(input_shape, mean, variance)
    x = conv_block(x, 16, strides=2)
    for stage, channels in enumerate((16, 32, 64)):
        for block in range(blocks):
            x = residual_block(x, channels, strides=2 if stage > 0 and block == 0 else 1, identity=identity)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(classes)(x), name="small_resnet")


def deep_net(blocks, identity=True, **pixels):
    """A narrow network on 8×8 maps, cheap, so that it can be deep: `blocks` residual blocks (or plain ones), 2·blocks + 2
    layers. pixels: mean and variance of the training images."""
    from course_lib.models import keras, layers

    inputs = layers.Input(SHAPE)
    x = layers.Normalization(**pixels)(inputs)
    x = conv_block(x, 16, 5, strides=4)
    for _ in range(blocks):
        x = residual_block(x, 16, identity=identity)
    return keras.Model(inputs, layers.Dense(CLASSES)(layers.GlobalAveragePooling2D()(x)))


def three_layers(*, kernel=3, strides=1, pooling="max", **pixels):
    """Three convolutions of 8, 16, 32 channels with batch norm. Each is followed by 2×2 pooling, "max" or "average", or has
    itself a stride of 2 ("stride"); strides: of the first one, besides. pixels: as for `deep_net`."""
    from course_lib.models import keras, layers

    inputs = layers.Input(SHAPE)
    x = layers.Normalization(**pixels)(inputs)
    for place, channels in enumerate((8, 16, 32)):
        step = (strides if place == 0 else 1) * (2 if pooling == "stride" else 1)
        x = conv_block(x, channels, kernel, strides=step)
        if pooling != "stride":
            x = (layers.MaxPooling2D if pooling == "max" else layers.AveragePooling2D)(2)(x)
    return keras.Model(inputs, layers.Dense(CLASSES)(layers.GlobalAveragePooling2D()(x)))


def _small_cnn(input_shape, classes, **pixels):
    from course_lib.models import small_cnn

    return small_cnn(input_shape, classes, **pixels)


NETWORKS = {
    "small CNN": _small_cnn,
    "AlexNet": small_alexnet,
    "VGG": small_vgg,
    "ResNet": small_resnet,
    "AlexNet, tanh": functools.partial(small_alexnet, activation="tanh"),
    "AlexNet, no dropout": functools.partial(small_alexnet, dropout=0.0),
    "VGG, one 5×5": functools.partial(small_vgg, convolutions=(1, 1, 1), kernel=5),
    "ResNet, no identity": functools.partial(small_resnet, identity=False),
}
"""The networks of the stored run "networks", as functions of (input_shape, classes, *, mean, variance)."""

BASE = "base: 3×3, max"
CHANGES = {
    BASE: {},
    "kernel 1×1": {"kernel": 1},
    "kernel 5×5": {"kernel": 5},
    "stride 2 at the start": {"strides": 2},
    "stride 4 at the start": {"strides": 4},
    "average pooling": {"pooling": "average"},
    "stride in place of pooling": {"pooling": "stride"},
}
"""What the stored run "changes" changes of `three_layers`."""

DEPTHS = {
    f"{kind} {2 * blocks + 2}": (blocks, kind == "residual") for blocks in (3, 9) for kind in ("plain", "residual")
}
"""The networks of the stored run "depth", named by their number of layers: blocks and identity of `deep_net`."""

SOURCES = ("lesion_present", "slice_position")
TRANSFER = ["random, frozen", "random, trained"]
TRANSFER += [f"{task}, {how}" for task in SOURCES for how in ("frozen", "fine-tuned")]
"""The arms of the stored run "transfer"."""


def build(run, arm, pixels):
    """A new network of a stored run's arm, not compiled; pixels: {"mean", "variance"} of the training images."""
    if run == "networks":
        return NETWORKS[arm](SHAPE, CLASSES, **pixels)
    return three_layers(**CHANGES[arm], **pixels) if run == "changes" else deep_net(*DEPTHS[arm], **pixels)


def _standardised(input_shape, mean, variance):
    from course_lib.models import layers

    inputs = layers.Input(input_shape)
    return inputs, layers.Normalization(mean=mean, variance=variance)(inputs)


def imagenet_body(network, input_shape, timeout=10.0):
    """A network of `keras.applications` with its ImageNet weights and without its head, or None if they cannot be had.

    network: such as `keras.applications.ResNet50`. The result maps images (n, *input_shape) to features (n, channels).
    timeout: seconds to wait for an answer. Weights come from Keras' cache, or are downloaded into it; else a sentence is printed.
    """
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(timeout)
    try:
        return network(weights="imagenet", include_top=False, pooling="avg", input_shape=input_shape)
    except Exception as error:  # Keras wraps what went wrong in a plain Exception
        reason = " ".join(str(error).split())[:200]
        print(f"No ImageNet weights: they are neither in Keras' cache nor within reach of this machine ({reason}).")
        return None
    finally:
        socket.setdefaulttimeout(before)


# ---- Stored runs and scores -------------------------------------------------------------------------------------------


def source(task):
    """The small CNN that was trained on another question about brain slices, with its stored weights.

    task: "lesion_present" (one logit) or "slice_position" (standardised).
    """
    from course_lib.models import small_cnn

    pixels = {name: float(value) for name, value in results.arrays("architectures/sources", 0).items()}
    network = small_cnn(SHAPE, 1, **pixels)
    network.set_weights(results.weights("architectures/sources", 0, network=task))
    return network


def on_validation(rates, arm, part="val"):
    """Mean accuracy of an arm at each learning rate that was tried, {rate: accuracy}.

    rates: the stored run, "rates", "change_rates", "depth_rates" or "transfer_rates". part: "val" for the validation patients,
    by which the rate is chosen, "train" for the training slices, in use.
    """
    stored = results.load(f"architectures/{rates}").values()
    return {
        float(rate): float(np.mean([each[arm][rate][part][1] for each in stored])) for rate in next(iter(stored))[arm]
    }


def best_rate(rates, arm):
    """The learning rate with the best validation accuracy; arguments as for `on_validation`. Raises ValueError at an end of
    the list."""
    found = on_validation(rates, arm)
    best = max(found, key=found.get)
    if best in (min(found), max(found)):
        raise ValueError(f"{arm} is best at {best:g}, an end of its list of rates: make it longer.")
    return best


def column(run, arm, part, index=1):
    """What each seed of a stored run ("networks", "changes", "depth", "transfer") keeps of an arm, (seeds,).

    part: "train", whose entries are [loss, accuracy], in use, so that index 0 is the loss; or a number such as "parameters".
    """
    values = [each[arm][part] for each in results.load(f"architectures/{run}").values()]
    return np.array([value[index] if isinstance(value, list) else value for value in values])


@functools.cache
def stored_answers(run, arm):
    """The answers of an arm's networks for the test slices, one of each patient, (seeds, n); "truth" and "groups": (n,)."""
    stored = [results.arrays(f"architectures/{run}", seed) for seed in results.load(f"architectures/{run}")]
    return stored[0][arm] if arm in ("truth", "groups") else np.stack([each[arm] for each in stored])


def tested(run, arm):
    """Test accuracy of each seed of an arm, (seeds,)."""
    return (stored_answers(run, arm) == stored_answers(run, "truth")).mean(axis=1)


def gain(baseline, arm):
    """How much better than the baseline an arm is on the test patients, over seeds and patients: an Estimate.

    baseline, arm: (run, name), such as ("networks", "VGG").
    """
    run, truth = baseline[0], stored_answers(baseline[0], "truth")
    # Compared with the truth once and not in each resample, which is quicker: the accuracy is the mean of this.
    right = [np.float64(stored_answers(*each) == truth) for each in (baseline, arm)]
    return evaluate.recipes(lambda _, right: right.mean(), truth, *right, groups=stored_answers(run, "groups"))


def one_slice_each(split):
    """The second of the four slices of each patient: images, labels and patients."""
    return split.x[1::4], split.targets["label"][1::4].astype(np.int32), split.groups[1::4]


def answers(network, images):
    """The class (n,) that a network finds likeliest."""
    return network.predict(images, batch_size=320, verbose=0).argmax(axis=1)


def accuracy(truth, guess):
    """The share of right answers."""
    return np.mean(truth == guess)


def paths(layers, kernel, stride, dilation):
    """Number of paths from each pixel of a row to one output of `layers` equal layers, (field,) float64.

    With independent random weights of mean 0 and no activations, the expected squared gradient of the output with
    respect to a pixel is proportional to it (Luo et al. 2016, arXiv:1701.04128).
    """
    comb = np.zeros(dilation * (kernel - 1) + 1)
    comb[::dilation] = 1
    row = np.ones(1)
    for _ in range(layers):
        spread = np.zeros(stride * (len(row) - 1) + 1)
        spread[::stride] = row
        row = np.convolve(spread, comb)
    return row
