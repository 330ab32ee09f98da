"""The capstone's solution, for any file in MedMNIST's format: read it, train a small CNN, answer, measure.

Notebook, experiment and tests share these functions. Keras is imported by those that build or train a network.
"""

import time
import warnings
from pathlib import Path

import numpy as np
from scipy import ndimage

from course_lib import ROOT, data, evaluate, ops, plot
from course_lib.data import medmnist
from course_lib.lessons.architectures.model import conv_block

BATCH = 64
STEPS, PASSES = 1200, 40
"""Training ends after STEPS batches or PASSES times through the images, whichever comes first: three minutes on two
cores for 28×28 pixels, however many images there are."""

VIEWS = (1.0, 1.12, 1.25)
"""How much closer than in the image the views are from which an answer is averaged."""

SENSITIVITY = 0.95
"""The share of the validation images with the disease that the threshold must find."""

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

PUBLISHED_TEST = {"images": 624, "pneumonia": 390}
"""What that test split holds."""


# ---- The data --------------------------------------------------------------------------------------------------------


def write_generated(path: Path, *, shape=(28, 28), classes=2, images=(192, 64, 96), seed=0) -> None:
    """Write a small file in MedMNIST's format with generated images, to try code that reads such files: no X-rays.

    Each image is smooth noise with a bright disc, whose place tells the class. shape: (h, w) or (h, w, 3);
    images: how many for training, validation and test, at least as many as classes. The file says that it is generated.
    """
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    arrays = {}
    for split, number in zip(medmnist.SPLITS, images, strict=True):
        label = rng.permutation(np.arange(number) % classes)
        noise = ndimage.gaussian_filter(rng.normal(size=(number, *shape[:2])), (0, 1.5, 1.5))
        angle = 2 * np.pi * label / classes + rng.normal(0, 0.35, number)
        centre = [(0.5 + 0.25 * wave(angle)) * size for wave, size in ((np.sin, shape[0]), (np.cos, shape[1]))]
        distance = np.hypot(rows - centre[0][:, None, None], columns - centre[1][:, None, None])
        grey = 0.35 + 0.5 * noise + 0.3 * (distance < shape[0] / 8)
        pixels = np.clip(255 * grey, 0, 255).astype(np.uint8)
        arrays[f"{split}_images"] = pixels if len(shape) == 2 else np.repeat(pixels[..., None], shape[2], axis=-1)
        arrays[f"{split}_labels"] = label.astype(np.uint8)[:, None]
    arrays[medmnist.MARK] = np.array(medmnist.GENERATED)
    np.savez_compressed(path, **arrays)


class DataMissing(Exception):
    """The lesson's images cannot be had or read. In a notebook only the sentence is shown, without a traceback."""

    def _render_traceback_(self):
        return [str(self)]


def load(name) -> data.Dataset:
    """`data.load(name)`, with its warnings printed as notes. name: a dataset's name, or the path of a file.

    A path is looked for from the current folder, then from the course's: `course.py run` works in a temporary folder.
    Raises DataMissing, with what is wrong and what to do, where `data.load` raises an error.
    """
    if not Path(name).exists() and (ROOT / name).is_file():
        name = ROOT / name
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", UserWarning)
            dataset = data.load(name)
    except (OSError, ValueError) as error:
        raise DataMissing(
            f"{error}\n\nSo this lesson stops here. Any file in MedMNIST's format will do: write its path behind DATA, in "
            "the cell above, and run all cells again. The exercises of this lesson, and all other lessons, need no file."
        ) from None
    for warning in caught:
        print(f"Note: {warning.message}")
    return dataset


def is_development(dataset) -> bool:
    """Whether the file's name ends in "-dev": a part of a dataset's training images, for building and trying."""
    return dataset.name.endswith("-dev")


def describe(dataset) -> str:
    """The base name of the file, and what kind it is, for captions and tables."""
    return f"{dataset.name}.npz" + (", development file" if is_development(dataset) else "")


def show_images(figure, dataset, alt, caption):
    """`plot.show`, except for a development file: its images are not shown, so that none is stored in a notebook."""
    if is_development(dataset):
        plot.plt.close(figure)
        print(
            f"Not shown here: images of {describe(dataset)}. That file is not part of the course, so this notebook is "
            f"stored without its images. With another file you see: {alt}"
        )
    else:
        plot.show(figure, alt, caption)


def is_official(dataset) -> bool:
    """Whether this is PneumoniaMNIST with its own test split, so that its results may stand beside PUBLISHED."""
    return "pneumoniamnist/test" in dataset.official


def ill_class(class_names) -> int:
    """The number of the class to look for: of two classes the one not called normal, otherwise class 1.

    MedMNIST is not uniform: label 1 is the disease in PneumoniaMNIST, label 0 in BreastMNIST.
    """
    ill = [number for number, name in enumerate(class_names) if not name.startswith("normal")]
    return ill[0] if len(class_names) == 2 and len(ill) == 1 else 1


CHANGES = {
    "as taken": lambda x: x,
    "darker": lambda x: x**1.6,
    "brighter": lambda x: x**0.6,
    "less contrast": lambda x: 0.5 + 0.6 * (x - 0.5),
    "blurred": lambda x: ndimage.gaussian_filter(x, (0, 0.7, 0.7, 0)),
    "sharpened": lambda x: np.clip(2 * x - ndimage.gaussian_filter(x, (0, 1, 1, 0)), 0, 1),
    "turned by 10°": lambda x: ndimage.rotate(x, 10, (2, 1), reshape=False, order=1, mode="nearest"),
}
"""What another machine or another hand might do to images (n, h, w, c) in [0, 1], to try how robust a model is."""


# ---- The model -------------------------------------------------------------------------------------------------------


def augmentation(seed=None):
    """Other pose, other sharpness, other tone: layers from images (n, h, w, c) in [0, 1] to images of the same shape.

    They do something while training only. No mirror image: the heart lies on the left.
    """
    from course_lib import models
    from course_lib.lessons.capstone.layers import RandomPose

    return [
        RandomPose(seed=seed),
        models.layers.RandomSharpness((0.1, 1.0), value_range=(0, 1), seed=seed),
        models.RandomIntensity(gain=0.0, gamma=0.4, noise=0.03, seed=seed),
    ]


def network(input_shape, classes):
    """A CNN of about 160,000 parameters: images (n, h, w, c) in [0, 1] to logits (n, classes).

    Each image is standardised by its own mean and deviation, so that brightness and contrast tell nothing. Images of more
    than 40 pixels are made smaller by the first convolution's stride, to about 28.
    """
    from course_lib.models import keras, layers

    inputs = layers.Input(input_shape)
    x = layers.LayerNormalization(axis=(1, 2, 3), center=False, scale=False, epsilon=1e-4)(inputs)
    stride = max(1, round(max(input_shape[:2]) / 28))
    x = conv_block(x, 24, 2 * stride + 3, strides=stride)
    for channels in (48, 96):
        x = layers.MaxPooling2D(padding="same")(x)
        x = conv_block(x, channels)
        x = conv_block(x, channels)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dropout(0.3)(x)
    return keras.Model(inputs, layers.Dense(classes)(x), name="capstone_cnn")


def train(split, classes, seed=0, callbacks=()):
    """A `network` trained on the images of `split`, all classes counting alike.

    Decoupled weight decay (AdamW), a cosine schedule, label smoothing, and an exponential moving average of the weights.
    """
    from course_lib.models import keras

    keras.utils.set_random_seed(seed)
    model = network(split.x.shape[1:], classes)
    steps = number_of_steps(len(split))
    model.compile(
        keras.optimizers.AdamW(
            keras.optimizers.schedules.CosineDecay(2e-3, steps), weight_decay=0.02, use_ema=True, ema_momentum=0.99
        ),
        keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.05),
    )
    model.fit(batches(split, classes, seed), steps_per_epoch=steps, shuffle=False, verbose=0, callbacks=list(callbacks))
    return model


def number_of_steps(images):
    """Training steps for this many images."""
    return min(STEPS, PASSES * -(-images // BATCH))


def batches(split, classes, seed=0):
    """Endless batches of augmented images, one-hot labels and weights that make all classes count alike."""
    import tensorflow as tf

    from course_lib.models import keras

    label = split.targets["label"]
    count = np.bincount(label, minlength=classes)
    weight = (len(label) / classes / np.maximum(count, 1)).astype(np.float32)
    augment = keras.Sequential(augmentation(seed))

    def augmented(images, label):
        return augment(images, training=True), tf.one_hot(label, classes), tf.gather(weight, label)

    source = tf.data.Dataset.from_tensor_slices((split.x, label))
    source = source.shuffle(len(label), seed=seed).repeat().batch(BATCH)
    return source.map(augmented).prefetch(tf.data.AUTOTUNE)


# ---- Answers and measures --------------------------------------------------------------------------------------------


def probabilities(model, images):
    """Probabilities (n, classes): the mean over views of the whole image and of its middle, closer and closer (VIEWS)."""
    size = np.array(images.shape[1:3])
    total = 0
    for closer in VIEWS:
        factors = [1, 1 / closer, 1 / closer, 1]
        offset = [0, *((size - 1) / 2 * (1 - 1 / closer)), 0]  # the centre stays where it is
        view = ndimage.affine_transform(images, factors, offset, order=1, mode="nearest")
        total = total + ops.softmax(model.predict(view, batch_size=512, verbose=0))
    return total / len(VIEWS)


def auc(label, probability) -> float:
    """As MedMNIST scores: the ROC AUC of two classes; of more, the mean over the classes against their rest.

    label: (n,); probability: (n, classes). Classes that all images have, or none, are left out; NaN if that is all.
    """
    from sklearn.metrics import roc_auc_score

    classes = range(probability.shape[1])
    areas = [roc_auc_score(label == k, probability[:, k]) for k in classes if 0 < np.sum(label == k) < len(label)]
    return float(np.mean(areas)) if areas else np.nan


def accuracy(label, probability) -> float:
    """Share of the images whose most probable class is right; of two classes, that is the threshold 0.5."""
    return float(np.mean(probability.argmax(1) == label))


def measure(dataset, seed, callbacks=()):
    """Train with one seed. Returns (model, validation and test probabilities by name, what was measured on the test).

    The measured are: parameters, seconds (of training), auc, accuracy_at_half, threshold (chosen on validation for a
    sensitivity of SENSITIVITY), and sensitivity and specificity there; accuracy_at_threshold is None for more than two
    classes, where the threshold is about one of them against the rest.
    """
    classes, ill = len(dataset.class_names), ill_class(dataset.class_names)
    start = time.perf_counter()
    model = train(dataset.train, classes, seed, callbacks)
    seconds = time.perf_counter() - start
    found = {name: probabilities(model, getattr(dataset, name).x) for name in ("val", "test")}
    label = {name: getattr(dataset, name).targets["label"] for name in found}
    threshold = evaluate.operating_point(label["val"] == ill, found["val"][:, ill], sensitivity=SENSITIVITY)
    truth, alarm = label["test"] == ill, found["test"][:, ill] >= threshold
    return model, found, {
        "seed": seed,
        "parameters": model.count_params(),
        "seconds": seconds,
        "auc": auc(label["test"], found["test"]),
        "accuracy_at_half": accuracy(label["test"], found["test"]),
        "threshold": threshold,
        "accuracy_at_threshold": float(np.mean(truth == alarm)) if classes == 2 else None,
        "sensitivity": float(np.mean(alarm[truth])) if truth.any() else None,
        "specificity": float(np.mean(~alarm[~truth])) if not truth.all() else None,
    }  # fmt: skip
