"""Keras models and layers that more than one notebook uses, and a quiet progress line for `fit`.

Importing this module imports TensorFlow and Keras, which takes some seconds.
"""

import contextlib
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
    # The convolutions are named, so that an explanation finds a layer however many networks were built before.
    return keras.Sequential(
        [
            layers.Input(input_shape),
            layers.Normalization(mean=mean, variance=variance),
            layers.Conv2D(16, 5, strides=2, name="conv2d", **conv),
            layers.Conv2D(32, 3, name="conv2d_1", **conv),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, name="conv2d_2", **conv),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, name="conv2d_3", **conv),
            layers.MaxPooling2D(),
            layers.GlobalAveragePooling2D(),
            layers.Dense(classes),
        ],
        name="small_cnn",
    )


def compile_with_cosine(model, rate, steps, *, warm_up=0, loss=None, clipnorm=None, **options):
    """Compile `model` with Adam, whose learning rate falls from `rate` to 0 along a cosine in `steps` steps (lesson training_well).

    warm_up: its first steps, in which it rises from 0. loss: None is the cross-entropy between class numbers (n,) and logits
    (n, classes). clipnorm: largest norm of a gradient, others are shortened. options: for `model.compile`, such as metrics.
    """
    rise = {"warmup_target": rate if warm_up else None, "warmup_steps": warm_up}
    falling = keras.optimizers.schedules.CosineDecay(0.0 if warm_up else rate, float(steps - warm_up), **rise)
    loss = loss or keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(falling, clipnorm=clipnorm), loss, **options)


@keras.saving.register_keras_serializable("course")
class RandomIntensity(layers.Layer):
    """Changes images (n, h, w, c) in [0, 1] as another MR scanner might, while training only (lesson augmentation).

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

    In a notebook the seconds are shown while it trains, and one line of text stays behind, with epochs and the last losses
    and metrics: no seconds, so that a notebook that is run again stores the same. Elsewhere only that last line is printed.
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
            epoch = f"epoch {self._epochs + 1} of {self.params['epochs']}, {self._shown - self._start:.0f} s"
            self._line.update(Pretty(", ".join([epoch, *self._values(logs)])))

    def on_epoch_end(self, epoch, logs=None):
        self._epochs += 1

    def on_train_end(self, logs=None):
        text = ", ".join([f"{self._epochs} {'epoch' if self._epochs == 1 else 'epochs'}", *self._values(logs)])
        if self._line:
            self._line.update(Pretty(text))
        else:
            print(text)

    def _values(self, logs):
        return [f"{name.replace('val_', 'validation ')} {value:.3f}" for name, value in (logs or {}).items()]


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
