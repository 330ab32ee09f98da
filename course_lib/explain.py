"""Explanations of an image classifier: maps of what its output depends on, and scores of such maps (lesson explanations).

All maps are float32 arrays (n, h, w), one for each image. `model` is a Keras model whose outputs are logits, (n, classes);
with a single logit (n, 1), class 1 has that logit and class 0 its negative. `target` is the class to explain, one for
all images or one for each, (n,). Models may be nested, except where a function says otherwise.

Importing this module imports TensorFlow.
"""

import numpy as np

from course_lib import import_tensorflow
from course_lib.models import keras

tf = import_tensorflow()

BATCH = 128  # images at a time, so that memory stays small


# ---- What the model answers ----------------------------------------------------------------------


def logit(model, images, target):
    """The logit of class `target` for each image, (n,).

    Raises ValueError if the model ends in a softmax or sigmoid (its slope vanishes where the model is sure, and a
    softmax mixes in the other classes), or if there is no such class. The same holds for all that follows.
    """
    return _batched(lambda x, c: _pick(model(x, training=False), c).numpy(), model, images, target)


def probability(model, images, target):
    """The probability that the model gives to class `target` for each image: (n,), by softmax (or sigmoid)."""

    def one_batch(x, c):
        logits = model(x, training=False)
        if logits.shape[-1] == 1:
            logits = tf.concat([tf.zeros_like(logits), logits], axis=1)  # softmax over 0 and z is the sigmoid of z
        return tf.gather(tf.nn.softmax(logits), c, axis=1, batch_dims=1).numpy()

    return _batched(one_batch, model, images, target)


# ---- Maps ----------------------------------------------------------------------------------------


def gradient(model, images, target):
    """∂z/∂x: how fast the logit of the class changes with each pixel and channel, (n, h, w, c)."""

    def one_batch(x, c):
        with tf.GradientTape() as tape:
            tape.watch(x)
            z = tf.reduce_sum(_pick(model(x, training=False), c))  # images do not mix: each gets its own slope
        return tape.gradient(z, x).numpy()

    return _batched(one_batch, model, images, target)


def saliency(model, images, target):
    """Largest absolute gradient over the channels (Simonyan et al. 2013, arXiv:1312.6034), ≥ 0."""
    return np.abs(gradient(model, images, target)).max(-1)


def smoothgrad(model, images, target, *, noise=0.1, samples=20, seed=0):
    """Saliency of the mean gradient over noisy copies of each image (Smilkov et al. 2017, arXiv:1706.03825), ≥ 0.

    noise: standard deviation of the normal noise, in units of the pixels. samples: number of copies.
    """
    rng = np.random.default_rng(seed)
    total = np.zeros_like(images)
    for _ in range(samples):
        noisy = images + rng.normal(scale=noise, size=images.shape).astype(np.float32)
        total += gradient(model, noisy, target)
    return np.abs(total / samples).max(-1)


def integrated_gradients(model, images, target, *, baseline=0.0, steps=32):
    """Each pixel's share in the difference z(image) − z(baseline) (Sundararajan et al. 2017, arXiv:1703.01365).

    baseline: the image to compare with, a number or an array that fits `images`. steps: midpoints on the straight line
    between them. Signed; the channels are summed. The sum of a map comes as close to the difference as the steps allow.
    """
    difference = (images - baseline).astype(np.float32)
    total = np.zeros_like(images)
    for step in range(steps):
        share = (step + 0.5) / steps
        total += gradient(model, images - (1 - share) * difference, target)
    return (difference * total / steps).sum(-1)


def occlusion(model, images, target, *, fill=0.0, size=8, stride=4):
    """How much the logit falls when a square of `size` × `size` pixels is replaced by `fill`
    (Zeiler & Fergus 2013, arXiv:1311.2901). Signed; each pixel gets the mean over the squares that cover it.

    fill: a number or an array that fits `images`.
    """
    height, width = images.shape[1:3]
    if size > min(height, width):
        raise ValueError(f"The square has {size} pixels a side, but the images are {height} × {width}.")
    fill = np.broadcast_to(np.asarray(fill, np.float32), images.shape)
    before = logit(model, images, target)
    fall, covered = np.zeros(images.shape[:3], np.float32), np.zeros((height, width), np.float32)
    for top in sorted({*range(0, height - size, stride), height - size}):  # the last square ends at the border
        for left in sorted({*range(0, width - size, stride), width - size}):
            square = np.s_[:, top : top + size, left : left + size]
            hidden = images.copy()
            hidden[square] = fill[square]
            fall[square] += (before - logit(model, hidden, target))[:, None, None]
            covered[square[1:]] += 1
    return fall / covered


def grad_cam(model, images, target, layer):
    """Grad-CAM (Selvaraju et al. 2017, arXiv:1610.02391): where the feature maps of a layer speak for the class, ≥ 0.

    layer: name of a convolution layer of the model itself. The map has the size of the layer's output and is enlarged
    to that of the images (see `enlarge`). Where nothing speaks for the class the map is zero everywhere.
    Raises ValueError if the model has no such layer, or if the layer's output is not (n, rows, columns, channels).
    """
    _demand_feature_maps(model, layer)

    def one_batch(x, c):
        with tf.GradientTape() as tape:
            features, logits = _forward(model, x, layer)
            z = tf.reduce_sum(_pick(logits, c))
        weights = tf.reduce_mean(tape.gradient(z, features), axis=(1, 2), keepdims=True)
        return tf.nn.relu(tf.reduce_sum(weights * features, axis=-1)).numpy()

    return enlarge(_batched(one_batch, model, images, target), images.shape[1:3])


def guided_backprop(model, images, target):
    """Guided backpropagation (Springenberg et al. 2014, arXiv:1412.6806): the gradient of a model whose ReLUs let only
    positive upstream gradients through; largest absolute value over the channels, ≥ 0.

    ReLUs must be activations of layers, such as `Conv2D(…, activation="relu")`; ValueError otherwise.
    """
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    layers = [layer for layer in copy._flatten_layers() if getattr(layer, "activation", None) is keras.activations.relu]
    if not layers or any(isinstance(layer, keras.layers.ReLU) for layer in copy._flatten_layers()):
        raise ValueError("Guided backpropagation changes the ReLUs that are written as activation='relu' of a layer.")
    for layer in layers:
        layer.activation = _guided_relu
    return saliency(copy, images, target)


@tf.custom_gradient
def _guided_relu(x):
    y = tf.nn.relu(x)
    return y, lambda upstream: tf.where((y > 0) & (upstream > 0), upstream, 0.0)


def enlarge(maps, size):
    """Maps (n, rows, columns) enlarged to (n, *size), bilinear."""
    return tf.image.resize(maps[..., None], size).numpy()[..., 0]


# ---- Scores --------------------------------------------------------------------------------------


def pointing(maps, masks):
    """Whether the map's largest value lies inside the mask: 1 or 0 for each image, (n,)  (Zhang et al. 2016,
    arXiv:1608.00507, without their tolerance). Where several pixels share the largest value, the share of them that
    lies inside: a map that is zero everywhere scores what guessing a pixel does.
    """
    largest = maps == maps.max((1, 2), keepdims=True)
    return (largest & masks).sum((1, 2)) / largest.sum((1, 2))


def mass_inside(maps, masks):
    """The part of the map's positive values that lies inside the mask, from 0 to 1: (n,).

    A map without positive values says nothing and scores as a uniform one: the mask's share of the image.
    """
    positive = np.maximum(maps, 0)
    total = positive.sum((1, 2))
    inside = (positive * masks).sum((1, 2))
    return np.where(total > 0, inside / np.where(total > 0, total, 1), masks.mean((1, 2)))


def replacement_curve(model, images, fill, target, maps, *, steps=16, seed=0):
    """Probability of the class as pixels are replaced by those of `fill`, the map's largest first: (n, steps + 1).

    Column k has the share k / steps of the pixels replaced. This is deletion (Petsiuk et al. 2018, arXiv:1806.07421);
    with `images` and `fill` exchanged it is insertion. fill: (n, h, w, c). Pixels of equal rank come in random order.
    """
    n, height, width = maps.shape
    noise = np.random.default_rng(seed).random((n, height * width))
    order = np.lexsort((noise, -maps.reshape(n, -1)), axis=1)
    rank = np.empty_like(order)
    np.put_along_axis(rank, order, np.arange(height * width)[None], axis=1)
    rank = rank.reshape(n, height, width, 1)
    shares = np.linspace(0, 1, steps + 1)
    mixed = (np.where(rank < share * height * width, fill, images) for share in shares)
    return np.stack([probability(model, x, target) for x in mixed], axis=1)


def area_under(curves):
    """Mean height of curves (n, steps + 1) over equal steps, by trapezoids: (n,)."""
    return np.trapezoid(curves, axis=1) / (curves.shape[1] - 1)


# ---- Randomisation check -------------------------------------------------------------------------


def randomised(model, count):
    """A copy of the model in which the last `count` layers with weights start anew, as before any training
    (Adebayo et al. 2018, arXiv:1810.03292). Call `keras.utils.set_random_seed` before for the same copy again, and not
    with the seed of the training: the weights that it started from would come back.

    Raises ValueError if the model has fewer such layers.
    """
    weighted = [i for i, layer in enumerate(model.layers) if layer.trainable_weights]
    if not 0 <= count <= len(weighted):
        raise ValueError(f"The model has {len(weighted)} layers with weights, so {count} cannot be randomised.")
    copy = keras.models.clone_model(model)  # with fresh weights
    fresh = set(weighted[len(weighted) - count :])
    for i, (old, new) in enumerate(zip(model.layers, copy.layers, strict=True)):
        if i not in fresh:
            new.set_weights(old.get_weights())
    return copy


def similarity(maps, others, *, signed=False):
    """Spearman's rank correlation of two maps for each image: (n,), from −1 to 1; without `signed`, of absolute values.

    Adebayo et al. (2018, arXiv:1810.03292) report both. A map that is the same everywhere ranks nothing: it gets 0.
    """
    from scipy.stats import rankdata

    ranks = [rankdata((m if signed else np.abs(m)).reshape(len(m), -1), axis=1) for m in (maps, others)]
    a, b = (r - r.mean(1, keepdims=True) for r in ranks)
    product = np.sqrt((a**2).sum(1) * (b**2).sum(1))
    return np.where(product > 0, (a * b).sum(1) / np.where(product > 0, product, 1), 0.0)


# ---- Helpers -------------------------------------------------------------------------------------


def _pick(logits, target):
    """The logit (n,) of each image's target class, as a tensor."""
    if logits.shape[-1] == 1:
        logits = tf.concat([-logits, logits], axis=1)
    if target.min() < 0 or target.max() >= logits.shape[-1]:
        raise ValueError(f"The classes go from 0 to {logits.shape[-1] - 1}, but the target is {target.tolist()[:5]}.")
    return tf.gather(logits, target, axis=1, batch_dims=1)


def _batched(function, model, images, target):
    """function(images, target) on batches of tensors and arrays, its results put together."""
    _demand_logits(model)
    target = np.broadcast_to(target, len(images))
    parts = [slice(start, start + BATCH) for start in range(0, len(images), BATCH)]
    return np.concatenate([function(tf.convert_to_tensor(images[part]), target[part]) for part in parts])


def _demand_logits(model):
    last = model.layers[-1]
    while isinstance(last, keras.Model):
        last = last.layers[-1]
    squashing = keras.activations.softmax, keras.activations.sigmoid
    if isinstance(last, keras.layers.Softmax) or getattr(last, "activation", None) in squashing:
        raise ValueError(
            f"The last layer, {last.name!r}, gives probabilities, but explanations start from the logits. Leave its softmax or "
            "sigmoid out: `model.layers[-1].activation = None`, or a model that ends one layer earlier."
        )


def _forward(model, x, layer):
    """Output of a layer on the way, and of the model."""
    if not isinstance(model, keras.Sequential):
        return keras.Model(model.inputs, [model.get_layer(layer).output, model.outputs[0]])(x, training=False)
    # `layer.output` of a Sequential that was loaded from a file belongs to another graph than `model.outputs`.
    for step in model.layers:
        x = step(x)  # not in training
        if step.name == layer:
            features = x
    return features, x


def _demand_feature_maps(model, name):
    layers = {layer.name: layer for layer in model.layers}
    if name not in layers:
        inside = [layer.name for layer in model.layers if isinstance(layer, keras.Model)]
        known = [layer.name for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
        nested = f" Layers inside {', '.join(inside)} cannot be reached: explain a flat model." if inside else ""
        raise ValueError(f"The model has no layer {name!r}; its convolutions are {known}.{nested}")
    shape = layers[name].output.shape
    if len(shape) != 4:
        raise ValueError(f"Grad-CAM needs feature maps, but the output of {name!r} has the shape {shape}.")
