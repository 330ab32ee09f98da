"""One solution of the capstone: a small CNN, its training, its answers from three views, and what can be taken from it.

Keras is imported by those that build or train a network.
"""

import dataclasses

import numpy as np
from scipy import ndimage, stats

from course_lib import evaluate, ops, results
from course_lib.lessons.architectures.model import conv_block
from course_lib.lessons.capstone import model as project

BATCH = 64
STEPS, PASSES = 1200, 40
"""Training ends after STEPS batches or PASSES times through the images, whichever comes first: three minutes on two
cores for 28×28 pixels, however many images there are."""

VIEWS = (1.0, 1.12, 1.25)
"""How much closer than in the image the views are from which an answer is averaged."""

SENSITIVITY = 0.95
"""The share of the validation images with the disease that the threshold must find."""

ARMS = {
    "recipe": "the whole recipe",
    "not-standardised": "images as they are, not each by its own mean and deviation",
    "not-varied": "no augmentation",
    "not-weighted": "each image counts alike, not each class",
    "not-restrained": "no weight decay, dropout or label smoothing",
    "rim-only": "the whole recipe, trained and used on the rim of the images",
    "no-rim": "the whole recipe, trained and used without the rim",
}
"""What is stored, by the name of its file: the recipe, one part taken away at a time, and the rim or the centre alone."""

PUBLISHED = {
    "ResNet-18 (28)": (0.944, 0.854),
    "ResNet-18 (224)": (0.956, 0.864),
    "ResNet-50 (28)": (0.948, 0.854),
    "ResNet-50 (224)": (0.962, 0.884),
    "auto-sklearn": (0.942, 0.855),
    "AutoKeras": (0.947, 0.878),
    "Google AutoML Vision": (0.991, 0.946),
}
"""AUC and accuracy on the official test split of PneumoniaMNIST (Yang et al. 2023, doi 10.1038/s41597-022-01721-8)."""

TEST_IMAGES = 624
"""What that test split holds; 390 of them with pneumonia."""


# ---- The network and its training ------------------------------------------------------------------------------------


def augmentation(seed=None):
    """Other pose, other sharpness, other tone: layers from images (n, h, w, c) in [0, 1] to images of the same shape.

    They do something while training only. No mirror image: the heart lies on the left.
    """
    from course_lib import models
    from course_lib.lessons.capstone_solution.layers import RandomPose

    return [
        RandomPose(seed=seed),
        models.layers.RandomSharpness((0.1, 1.0), value_range=(0, 1), seed=seed),
        models.RandomIntensity(gain=0.0, gamma=0.4, noise=0.03, seed=seed),
    ]


def network(shape, arm="recipe"):
    """A CNN of about 160,000 parameters: images (n, h, w, c) in [0, 1] to two logits (n, 2).

    Each image is standardised by its own mean and deviation, so that scaled or shifted greys are as before. Images of more
    than 40 pixels are made smaller by the first convolution's stride, to about 28. arm: one of ARMS.
    """
    from course_lib.models import keras, layers

    inputs = x = layers.Input(shape)
    if arm != "not-standardised":
        x = layers.LayerNormalization(axis=(1, 2, 3), center=False, scale=False, epsilon=1e-4)(inputs)
    stride = max(1, round(max(shape[:2]) / 28))
    x = conv_block(x, 24, 2 * stride + 3, strides=stride)
    for channels in (48, 96):
        x = layers.MaxPooling2D(padding="same")(x)
        x = conv_block(x, channels)
        x = conv_block(x, channels)
    x = layers.GlobalAveragePooling2D()(x)
    if arm != "not-restrained":
        x = layers.Dropout(0.3)(x)
    return keras.Model(inputs, layers.Dense(2)(x), name="capstone_cnn")


def train(split, ill, seed=0, *, arm="recipe", weights=None, callbacks=()):
    """A `network` trained on the images of `split` to tell the class number `ill` from the rest.

    Decoupled weight decay (AdamW), a cosine schedule, label smoothing, and an exponential moving average of the weights.
    arm: one of ARMS. weights: of the rest and of the ill, (2,), by default such that both count alike. callbacks: of Keras;
    at the end of the only epoch the network still has the weights of its last step, and afterwards their average.
    """
    from course_lib.models import keras

    keras.utils.set_random_seed(seed)
    model, steps = network(split.x.shape[1:], arm), number_of_steps(len(split))
    decay, smoothing = (0.0, 0.0) if arm == "not-restrained" else (0.02, 0.05)
    model.compile(
        keras.optimizers.AdamW(
            keras.optimizers.schedules.CosineDecay(2e-3, steps), weight_decay=decay, use_ema=True, ema_momentum=0.99
        ),
        keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=smoothing),
    )
    endless = batches(split, ill, seed, arm=arm, weights=weights)
    model.fit(endless, steps_per_epoch=steps, shuffle=False, verbose=0, callbacks=list(callbacks))
    return model


def number_of_steps(images):
    """Training steps for this many images."""
    return min(STEPS, PASSES * -(-images // BATCH))


def class_weights(label, classes):
    """One weight for each class, such that all classes count alike and, where each
    occurs, the mean over the images is 1: (classes,)."""
    count = np.bincount(label, minlength=classes)
    return len(label) / (classes * np.maximum(count, 1))


def batches(split, ill, seed=0, *, arm="recipe", weights=None):
    """Endless batches of augmented images, one-hot labels and weights; the arguments are those of `train`."""
    import tensorflow as tf

    from course_lib.models import keras

    label = (split.targets["label"] == ill).astype(np.int64)
    weight = class_weights(label, 2) if weights is None else np.asarray(weights)
    weight = np.ones(2) if arm == "not-weighted" else weight
    weight = weight.astype(np.float32)
    augment = keras.Sequential(augmentation(seed))

    def augmented(images, label):
        images = images if arm == "not-varied" else augment(images, training=True)
        return images, tf.one_hot(label, 2), tf.gather(weight, label)

    source = tf.data.Dataset.from_tensor_slices((split.x, label))
    source = source.shuffle(len(label), seed=seed).repeat().batch(BATCH)
    return source.map(augmented).prefetch(tf.data.AUTOTUNE)


def visible(dataset, arm):
    """The dataset as an arm sees it: its rim alone, all but its rim, or as it is."""
    where = {"rim-only": "centre", "no-rim": "rim"}.get(arm)
    if where is None:
        return dataset
    parts = {name: getattr(dataset, name) for name in ("train", "val", "test")}
    covered = {name: dataclasses.replace(part, x=project.cover(part.x, where)) for name, part in parts.items()}
    return dataclasses.replace(dataset, **covered)


# ---- Answers and measures --------------------------------------------------------------------------------------------


def score(model, images, views=VIEWS) -> np.ndarray:
    """Probability of being ill, (n,): the mean over views of the whole image and of its middle, closer and closer."""
    size = np.array(images.shape[1:3])
    total = 0
    for closer in views:
        factors = [1, 1 / closer, 1 / closer, 1]
        offset = [0, *((size - 1) / 2 * (1 - 1 / closer)), 0]  # the centre stays where it is
        view = ndimage.affine_transform(images, factors, offset, order=1, mode="nearest")
        total = total + ops.softmax(model.predict(view, batch_size=512, verbose=0))[:, 1]
    return total / len(views)


def measured(truth, scores, threshold) -> dict:
    """AUC, and at the threshold accuracy, sensitivity and specificity, of booleans (n,) and probabilities (n,)."""
    called = scores >= threshold
    return {
        "auc": project.auc(truth, scores[:, None]),
        "accuracy": float(np.mean(called == truth)),
        "sensitivity": float(called[truth].mean()),
        "specificity": evaluate.specificity(truth, called),
    }


def stored(arm, key, *, part="") -> np.ndarray:
    """What all seeds of an arm stored, such as "test" or "changed", one below the other; part: such as "last step"."""
    path = f"capstone_solution/{arm}"
    name = f"{key}, {part}" if part else key
    return np.stack([results.arrays(path, seed)[name] for seed in results.load(path)]).astype(float)


def stored_truth(part="test") -> np.ndarray:
    """Who of the development file's "val" or "test" part is ill: booleans (n,)."""
    return results.arrays("capstone_solution/recipe", 0)[f"{part}_ill"]


def mean_auc(truth, scores) -> float:
    """What `project.auc` gives, a mean over columns, from ranks: a tenth of the time, for resamples by the thousand."""
    ranks, ill = stats.rankdata(scores, axis=0), np.sum(truth)
    return float(np.mean((ranks[truth].sum(axis=0) - ill * (ill + 1) / 2) / (ill * (len(truth) - ill))))


def gain(arm, *, key="test", change=None, part="") -> evaluate.Estimate:
    """AUC of the recipe minus that of an arm, over seeds and the same images of the development file.

    key: "val" or "test" images as taken; or change: the number of one of the project's CHANGES, or "all changes" for the
    mean over all but the first. part: of the recipe's own runs, "last step" or "one view", compared with the whole recipe.
    """
    key = key if change is None else "changed"
    first, second = stored(arm, key, part=part), stored("recipe", key)
    if change == "all changes":  # the mean over them of the AUC
        first, second = (np.moveaxis(scores[:, 1:], 1, 2) for scores in (first, second))
    else:
        first, second = ((scores if change is None else scores[:, change])[..., None] for scores in (first, second))
    truth = stored_truth("val" if key == "val" else "test")
    return evaluate.recipes(mean_auc, truth, first, second, repeats=300)


def frozen(val_ill, val, ill, changed):
    """Sensitivity and specificity, each (changes,), at the threshold that finds SENSITIVITY of the ill in validation.

    val_ill, ill: booleans (v,), (n,); val, changed: scores (v,), (changes, n).
    """
    called = changed >= evaluate.operating_point(val_ill, val, sensitivity=SENSITIVITY)
    return called[:, ill].mean(axis=1), (~called[:, ~ill]).mean(axis=1)
