"""Keras models and layers that more than one notebook uses, and a quiet progress line for `fit`.

Importing this module imports TensorFlow and Keras, which takes some seconds.
"""

import contextlib
import socket
import time

from IPython import get_ipython
from IPython.display import Pretty, display

from course_lib import import_tensorflow

import_tensorflow()  # before Keras, so that its start-up log does not end up in the notebook

import keras  # noqa: E402
from keras import layers  # noqa: E402


def small_cnn(input_shape, classes, *, mean=0.0, variance=1.0):
    """The small CNN of the course: four convolutions, global average pooling, one output for each class.

    input_shape: (h, w, c), from 16×16 pixels up.
    classes: number of outputs. They are logits: use a loss with `from_logits=True`, or put a softmax behind them.
    mean, variance: of the pixels of the training images; the first layer standardises with them.
    Returns a `keras.Sequential` that is not compiled. Weights start as He et al. 2015 (arXiv:1502.01852) advise.
    """
    conv = {"padding": "same", "activation": "relu", "kernel_initializer": "he_normal"}
    return keras.Sequential(
        [
            layers.Input(input_shape),
            layers.Normalization(mean=mean, variance=variance),
            layers.Conv2D(16, 5, strides=2, **conv),
            layers.Conv2D(32, 3, **conv),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, **conv),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, **conv),
            layers.MaxPooling2D(),
            layers.GlobalAveragePooling2D(),
            layers.Dense(classes),
        ],
        name="small_cnn",
    )


def compile_with_cosine(model, rate, steps, *, loss=None, clipnorm=None, **options):
    """Compile `model` with Adam, whose learning rate falls from `rate` to 0 along a cosine in `steps` steps (lesson 08).

    loss: None is the cross-entropy between class numbers (n,) and logits (n, classes).
    clipnorm: largest norm of a gradient; a longer one is shortened. options: more for `model.compile`, such as metrics.
    """
    falling = keras.optimizers.schedules.CosineDecay(rate, float(steps))
    loss = loss or keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(falling, clipnorm=clipnorm), loss, **options)


@keras.saving.register_keras_serializable("course")
class RandomIntensity(layers.Layer):
    """Changes images (n, h, w, c) in [0, 1] as another MR scanner might, while training only (lesson 07).

    gain: each image is multiplied by a number drawn from 1 − gain to 1 + gain,
    gamma: after it was raised to a power drawn from e^−gamma to e^gamma,
    noise: and gets Rician noise with a σ drawn from 0 to `noise`. Results may exceed 1.
    """

    def __init__(self, gain=0.2, gamma=0.3, noise=0.03, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.gain, self.gamma, self.noise, self.seed = gain, gamma, noise, seed
        self.generator = keras.random.SeedGenerator(seed)

    def call(self, images, training=False):
        if not training:
            return images
        each = (keras.ops.shape(images)[0], 1, 1, 1)  # one number for each image

        def uniform(low, high):
            return keras.random.uniform(each, low, high, seed=self.generator)

        def normal():
            return keras.random.normal(keras.ops.shape(images), seed=self.generator)

        power = keras.ops.exp(uniform(-self.gamma, self.gamma))
        changed = keras.ops.power(images, power) * uniform(1 - self.gain, 1 + self.gain)
        sigma = uniform(0.0, self.noise)
        return keras.ops.sqrt((changed + sigma * normal()) ** 2 + (sigma * normal()) ** 2)

    def get_config(self):
        return {**super().get_config(), "gain": self.gain, "gamma": self.gamma, "noise": self.noise, "seed": self.seed}


class LiveProgress(keras.callbacks.Callback):
    """Shows how far `fit` is, in one line that is rewritten as it trains: `fit(verbose=0, callbacks=[LiveProgress()])`.

    In a notebook one line of text stays behind, with epochs, seconds and the last losses and metrics. Elsewhere only
    that last line is printed.
    """

    def on_train_begin(self, logs=None):
        self._start = self._shown = time.perf_counter()
        self._epochs = 0
        # In a terminal a display cannot be rewritten: every update would be a new line.
        live = hasattr(get_ipython(), "kernel")
        self._line = display(Pretty("training …"), display_id=True) if live else None

    def on_train_batch_end(self, batch, logs=None):
        if self._line and time.perf_counter() - self._shown > 0.5:
            self._shown = time.perf_counter()
            self._line.update(Pretty(f"epoch {self._epochs + 1} of {self.params['epochs']}, {self._numbers(logs)}"))

    def on_epoch_end(self, epoch, logs=None):
        self._epochs += 1

    def on_train_end(self, logs=None):
        text = f"{self._epochs} {'epoch' if self._epochs == 1 else 'epochs'}, {self._numbers(logs)}"
        if self._line:
            self._line.update(Pretty(text))
        else:
            print(text)

    def _numbers(self, logs):
        seconds = f"{time.perf_counter() - self._start:.0f} s"
        values = [f"{name.replace('val_', 'validation ')} {value:.3f}" for name, value in (logs or {}).items()]
        return ", ".join([seconds, *values])


# ---- The networks of lesson 09 ----------------------------------------------------------------------------------------


def conv_block(x, channels, kernel=3, *, strides=1, batch_norm=True, activation="relu"):
    """Convolution, batch norm if asked for, activation: feature maps x (n, h, w, c) to (n, ⌈h/s⌉, ⌈w/s⌉, channels).

    Batch norm brings its own shift, so that the convolution then needs no bias. Its momentum is 0.9, for the few
    hundred steps that a run in the course has (lesson 08).
    """
    options = {"padding": "same", "kernel_initializer": "he_normal", "use_bias": not batch_norm}
    x = layers.Conv2D(channels, kernel, strides=strides, **options)(x)
    if batch_norm:
        x = layers.BatchNormalization(momentum=0.9)(x)
    return layers.Activation(activation)(x)


def vgg_block(x, channels, convolutions=2, kernel=3):
    """Convolutions with ReLU at one size, then 2×2 max pooling (Simonyan & Zisserman 2015, arXiv:1409.1556)."""
    for _ in range(convolutions):
        x = conv_block(x, channels, kernel, batch_norm=False)
    return layers.MaxPooling2D()(x)


def residual_block(x, channels, strides=1, *, identity=True):
    """Two 3×3 convolutions F with batch norm, and relu(F(x) + x) (He et al. 2016, arXiv:1512.03385, figure 2).

    Where F changes the shape, a 1×1 convolution brings x to the new shape (their option B).
    identity=False leaves the sum out: a block of a plain network, relu(F(x)).
    """
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

    Arguments and result as for `small_cnn`; the layers have the given activation, and dropout with the given rate.
    """
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

    Arguments and result as for `small_cnn`; convolutions, kernel: of each block.
    """
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

    Arguments and result as for `small_cnn`; identity=False makes the plain network of the same depth.
    """
    inputs, x = _standardised(input_shape, mean, variance)
    x = conv_block(x, 16, strides=2)
    for stage, channels in enumerate((16, 32, 64)):
        for block in range(blocks):
            x = residual_block(x, channels, strides=2 if stage > 0 and block == 0 else 1, identity=identity)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(classes)(x), name="small_resnet")


def _standardised(input_shape, mean, variance):
    inputs = layers.Input(input_shape)
    return inputs, layers.Normalization(mean=mean, variance=variance)(inputs)


def multiply_adds(model):
    """Multiplications (each with its addition) of the convolutions and dense layers of `model`, for one image.

    Everything else (pooling, normalisation, activations) costs little and is left out, as papers do.
    """
    total = 0
    for layer in model.layers:
        if isinstance(layer, layers.Conv2D):
            places = layer.output.shape[1] * layer.output.shape[2]
            total += places * int(layer.kernel.shape.num_elements())
        elif isinstance(layer, layers.Dense):
            total += int(layer.kernel.shape.num_elements())
    return total


@contextlib.contextmanager
def without_weights():
    """Inside, networks are built "on paper": with all their layers and shapes, but with no memory for their weights.

    For counting; such a network computes nothing. At the end Keras' global state is cleared, its random seed included,
    since Keras would otherwise make up for the missing weights with the next network.
    """
    try:
        with keras.StatelessScope(initialize_variables=False):
            yield
    finally:
        keras.backend.clear_session()


def imagenet_body(network, input_shape, timeout=10.0):
    """A network of `keras.applications` with its ImageNet weights and without its head, or None if they cannot be had.

    network: such as `keras.applications.ResNet50`. The result maps images (n, *input_shape) to features (n, channels).
    timeout: seconds after which a network that does not answer counts as missing.

    Weights come from Keras' cache, or are downloaded into it. Where that fails, a sentence is printed.
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
