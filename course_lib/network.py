"""Layers, losses, optimisers and a training loop in NumPy: the library that lesson network_from_scratch builds.

Every layer has the same four parts:
    forward(x)          returns the layer's output y and remembers what backward needs
    backward(upstream)  takes the derivative of the loss with respect to y (in y's shape), writes the derivatives with
                        respect to the layer's own parameters into `gradients`, and returns the one with respect to x
    parameters          the arrays that the layer learns, in Keras' order and shapes; empty for a layer without any
    gradients           arrays in the same order and shapes, overwritten by every backward

Parameters are float32 and float32 stays float32; set a layer's `parameters` to float64 arrays for a gradient check.
`rng` is a `numpy.random.Generator`: the same seed gives the same weights. Wrong shapes raise a ValueError.
"""

import numpy as np
from threadpoolctl import threadpool_limits

from course_lib import _checks, ops

# ---- Layers --------------------------------------------------------------------------------------


class Layer:
    """A layer without parameters; the others build on it."""

    parameters = ()
    gradients = ()


def he_normal(shape, n_in, rng):
    """Normal random weights with standard deviation sqrt(2 / n_in), float32 (He et al. 2015, arXiv:1502.01852).

    n_in: how many inputs one output adds up. With it, the size of the values stays about the same from one ReLU layer
    to the next.
    """
    return (rng.standard_normal(shape) * np.sqrt(2 / n_in)).astype(np.float32)


class Dense(Layer):
    """Fully connected layer: y = x @ w + b, with x (n, n_in), w (n_in, n_out), b (n_out,), y (n, n_out)."""

    def __init__(self, n_in, n_out, rng):
        self.parameters = [he_normal((n_in, n_out), n_in, rng), np.zeros(n_out, np.float32)]
        self.gradients = [np.zeros_like(p) for p in self.parameters]

    def forward(self, x):
        w, b = self.parameters
        _checks.inputs_of_dense(x, len(w))
        self.x = x
        return x @ w + b

    def backward(self, upstream):
        w, _ = self.parameters
        self.gradients = [self.x.T @ upstream, upstream.sum(axis=0)]
        return upstream @ w.T


class Conv2D(Layer):
    """Convolution, stride 1: x (n, h, w, c_in) to (n, h', w', c_out); `padding` "same" or "valid" as in `ops.conv2d`."""

    def __init__(self, c_in, c_out, rng, kernel=3, padding="same"):
        self.padding = padding
        shape = (kernel, kernel, c_in, c_out)
        self.parameters = [he_normal(shape, kernel * kernel * c_in, rng), np.zeros(c_out, np.float32)]
        self.gradients = [np.zeros_like(p) for p in self.parameters]

    def forward(self, x):
        self.x = x
        return ops.conv2d(x, *self.parameters, padding=self.padding)

    def backward(self, upstream):
        d_x, *self.gradients = ops.conv2d_gradient(upstream, self.x, self.parameters[0], padding=self.padding)
        return d_x


class MaxPool2D(Layer):
    """The largest value of every `window` × `window` pixels, windows side by side; what is left over is dropped."""

    def __init__(self, window=2):
        self.window = window

    def forward(self, x):
        self.x = x
        return ops.pool2d(x, self.window)

    def backward(self, upstream):
        return ops.pool2d_gradient(upstream, self.x, self.window)


class ReLU(Layer):
    """max(0, x), element by element."""

    def forward(self, x):
        self.x = x
        return ops.relu(x)

    def backward(self, upstream):
        return upstream * ops.relu_gradient(self.x)


class Flatten(Layer):
    """Feature maps (n, h, w, c) to one vector each (n, h·w·c), in the order of rows, columns, channels."""

    def forward(self, x):
        self.shape = x.shape
        return x.reshape(len(x), -1)

    def backward(self, upstream):
        return upstream.reshape(self.shape)


# ---- Losses: each returns (loss, its derivative with respect to the first argument) -----------------


def cross_entropy(logits, labels):
    """Mean of −log p(label) with p = softmax(logits), computed from the logits so that nothing overflows.

    logits: (n, classes). labels: (n,) whole numbers from 0 to classes − 1. The derivative is (p − one-hot) / n.
    """
    labels = _checks.labels(labels, logits)
    n = len(labels)
    rows = np.arange(n)
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    d_logits = np.exp(log_p)
    d_logits[rows, labels] -= 1
    return float(-log_p[rows, labels].mean()), d_logits / n


def mean_squared_error(predictions, targets):
    """Mean of (prediction − target)² over all elements. predictions and targets: the same shape, such as (n, 1).

    Equal shapes are demanded: (n, 1) minus (n,) would silently become a table of n × n differences.
    """
    difference = predictions - _checks.equal_shapes(predictions, targets)
    return float((difference**2).mean()), 2 * difference / difference.size


# ---- Optimisers: `step` changes the parameters in place --------------------------------------------


class SGD:
    """Stochastic gradient descent, with momentum if it is not 0: v = momentum · v − learning_rate · g; w = w + v."""

    def __init__(self, learning_rate, momentum=0.0):
        self.learning_rate, self.momentum = learning_rate, momentum
        self.velocities = None

    def step(self, parameters, gradients):
        if self.velocities is None:
            self.velocities = [np.zeros_like(p) for p in parameters]
        for parameter, gradient, velocity in zip(parameters, gradients, self.velocities, strict=True):
            velocity *= self.momentum
            velocity -= self.learning_rate * gradient
            parameter += velocity


class Adam:
    """Adam: each parameter has its own step, from running means of g and g² (Kingma & Ba 2015, arXiv:1412.6980, alg. 1)."""

    def __init__(self, learning_rate=0.001, beta1=0.9, beta2=0.999, epsilon=1e-8):
        self.learning_rate, self.beta1, self.beta2, self.epsilon = learning_rate, beta1, beta2, epsilon
        self.steps = 0

    def step(self, parameters, gradients):
        if self.steps == 0:
            self.means = [np.zeros_like(p) for p in parameters]
            self.squares = [np.zeros_like(p) for p in parameters]
        self.steps += 1
        for parameter, gradient, mean, square in zip(parameters, gradients, self.means, self.squares, strict=True):
            mean += (1 - self.beta1) * (gradient - mean)
            square += (1 - self.beta2) * (gradient**2 - square)
            # Both started at zero, so the first means are too small: these divisions make up for it.
            unbiased_mean = mean / (1 - self.beta1**self.steps)
            unbiased_square = square / (1 - self.beta2**self.steps)
            parameter -= self.learning_rate * unbiased_mean / (np.sqrt(unbiased_square) + self.epsilon)


# ---- The network -----------------------------------------------------------------------------------


class Network:
    """Layers one after the other; the output of the last one goes into the loss (logits, or predicted numbers)."""

    def __init__(self, layers):
        self.layers = list(layers)

    @property
    def parameters(self):
        return [parameter for layer in self.layers for parameter in layer.parameters]

    @property
    def gradients(self):
        return [gradient for layer in self.layers for gradient in layer.gradients]

    def forward(self, x):
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def backward(self, upstream):
        for layer in reversed(self.layers):
            upstream = layer.backward(upstream)
        return upstream

    def predict(self, x, batch_size=256):
        """The outputs for any number of inputs, computed in batches to save memory."""
        return np.concatenate([self.forward(x[i : i + batch_size]) for i in range(0, len(x), batch_size)])

    def fit(self, x, targets, loss, optimiser, *, epochs, batch_size=32, seed=0):
        """Train in mini-batches and return the mean training loss of each epoch.

        x: (n, …), targets: (n, …), one for each input. loss: `cross_entropy` or `mean_squared_error`.
        Each epoch visits every example once, in an order that depends on `seed` only.
        Raises FloatingPointError as soon as a loss is not a finite number: the learning rate is too large.
        """
        _checks.one_target_each(x, targets)
        rng = np.random.default_rng(seed)
        history = []
        with threadpool_limits(
            1, "blas"
        ):  # small matrices: a second thread gains nothing, beside other programs it costs much
            for _ in range(epochs):
                order, total = rng.permutation(len(x)), 0.0
                for start in range(0, len(x), batch_size):
                    batch = order[start : start + batch_size]
                    value, upstream = loss(self.forward(x[batch]), targets[batch])
                    _checks.finite_loss(value, epoch=len(history) + 1)
                    self.backward(upstream)
                    optimiser.step(self.parameters, self.gradients)
                    total += value * len(batch)
                history.append(total / len(x))
        return history
