"""The capstone project: files in MedMNIST's format or own folders, training with a student's parts, and measures.

Notebook, experiment, lesson 18 and tests share these functions. Keras is imported by those that train a network.
"""

import dataclasses
import tempfile
import time
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from course_lib import ROOT, data, evaluate, plot, results
from course_lib.data import medmnist

STORED = "capstone/project"
"""The stored runs with which the notebook works where there is no file of images."""

PARTS = ("augmentation", "a part of the network", "the centre of the images")
"""What the three required ablations take away; the stored runs have an arm without each."""

EPOCHS, BATCH = 10, 32
"""How the article's network is trained here."""


class Problem(ValueError):
    """Something is wrong with the data or with a student's part. In a notebook only the sentence is shown."""

    def _render_traceback_(self):
        return [str(self)]


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
        angle = np.pi / 2 + 2 * np.pi * label / classes + rng.normal(0, 0.35, number)  # of two: below or above
        centre = [(0.5 + 0.25 * wave(angle)) * size for wave, size in ((np.sin, shape[0]), (np.cos, shape[1]))]
        distance = np.hypot(rows - centre[0][:, None, None], columns - centre[1][:, None, None])
        grey = 0.35 + 0.5 * noise + 0.3 * (distance < shape[0] / 8)
        pixels = np.clip(255 * grey, 0, 255).astype(np.uint8)
        arrays[f"{split}_images"] = pixels if len(shape) == 2 else np.repeat(pixels[..., None], shape[2], axis=-1)
        arrays[f"{split}_labels"] = label.astype(np.uint8)[:, None]
    arrays[medmnist.MARK] = np.array(medmnist.GENERATED)
    np.savez_compressed(path, **arrays)


def generated_development() -> data.Dataset:
    """A small development file with generated images, for the quick runs of the experiments: no X-rays."""
    with tempfile.TemporaryDirectory() as folder:
        write_generated(path := Path(folder, "generated-dev.npz"), images=(64, 32, 32))
        return data.load(path)


def load(name, *, size=None):
    """`data.load(name)`, its warnings printed as notes; None, with a sentence, where there are no images to be had.

    A path is looked for from the current folder, then from the course's. size: side in pixels of the squares that images
    of an own folder are fitted into, or None. Raises Problem where there is something, but it is no dataset.
    """
    if not Path(name).exists() and (ROOT / name).exists():
        name = ROOT / name
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", UserWarning)
            dataset = data.load(name, size=size)
    except OSError as error:
        print(
            f"{error}\n\nSo this lesson goes on without images: where images are needed it says so, and the rest works on "
            "stored scores. To work with images, write the path of a file or folder behind DATA and run all cells again."
        )
        return None
    except ValueError as error:
        raise Problem(str(error)) from None
    for warning in caught:
        print(f"Note: {warning.message}")
    return dataset


def is_development(dataset) -> bool:
    """Whether the file's name ends in "-dev": a part of a dataset's training images, for building and trying."""
    return dataset.name.endswith("-dev")


def describe(dataset) -> str:
    """The name of the file or folder, and what kind it is, for captions and tables."""
    return dataset.name + (" (development file)" if is_development(dataset) else "")


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
    """Whether this is PneumoniaMNIST with its own test split, so that its results may stand beside published ones."""
    return "pneumoniamnist/test" in dataset.official


def ill_class(class_names) -> int:
    """The class to look for: of two the one not called normal (in BreastMNIST, label 0 is the disease), otherwise class 1."""
    ill = [number for number, name in enumerate(class_names) if not name.startswith("normal")]
    return ill[0] if len(class_names) == 2 and len(ill) == 1 else 1


def whole_numbers(images) -> np.ndarray:
    """Images (n, h, w, c) in [0, 1] as whole numbers from 0 to 255, uint8 (n, h, w·c), for comparing and counting."""
    return np.rint(255 * images).astype(np.uint8).reshape(len(images), images.shape[1], -1)


def twins(earlier, images) -> np.ndarray:
    """For each of images (m, h, w), whether exactly the same image is among `earlier` (n, h, w): booleans (m,)."""
    seen = {image.tobytes() for image in earlier}
    return np.array([image.tobytes() in seen for image in images])


def part_of(split, items):
    """The images that `items` (booleans or places) names, as a Split."""
    taken = {key: value[items] for key, value in split.targets.items()}
    more = {
        key: None if (value := getattr(split, key)) is None else value[items] for key in ("groups", "masks", "files")
    }
    return data.Split(split.x[items], taken, **more)


def without_twins(dataset) -> data.Dataset:
    """The dataset, without the validation images that are in training, too."""
    known = twins(whole_numbers(dataset.train.x), whole_numbers(dataset.val.x))
    return dataclasses.replace(dataset, val=part_of(dataset.val, ~known))


def three_numbers(images) -> np.ndarray:
    """Mean, standard deviation and sharpness (mean absolute step along the rows) of images (n, h, w): (n, 3)."""
    images = np.asarray(images, float)
    return np.stack([images.mean((1, 2)), images.std((1, 2)), np.abs(np.diff(images, axis=2)).mean((1, 2))], axis=1)


def logistic(features, ill, new) -> np.ndarray:
    """Probability of being ill of each row of `new` (m, d), by logistic regression on `features` (n, d), `ill` (n,)."""
    from sklearn import linear_model, pipeline, preprocessing

    model = pipeline.make_pipeline(
        preprocessing.StandardScaler(), linear_model.LogisticRegression(C=0.01, max_iter=300)
    )
    return model.fit(features, ill).predict_proba(new)[:, 1]


def cover(images, where, *, edge=None):
    """Images (n, h, w, c) with their "centre" or their "rim" covered; edge: its width, by default a seventh of the height.

    What is covered gets the mean of what stays visible: the image's own mean would still tell of what is covered.
    """
    edge = edge or max(1, images.shape[1] // 7)
    hidden = np.zeros(images.shape[1:3], bool)
    hidden[edge:-edge, edge:-edge] = True
    hidden = hidden if where == "centre" else ~hidden
    images = images.copy()
    images[:, hidden] = images[:, ~hidden].mean(axis=1, keepdims=True)
    return images


def only_rim(dataset):
    """The dataset with the centre of all training and validation images covered."""
    parts = {
        name: dataclasses.replace(part := getattr(dataset, name), x=cover(part.x, "centre"))
        for name in ("train", "val")
    }
    return dataclasses.replace(dataset, **parts)


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


# ---- The three slots, filled with the article's CNN ------------------------------------------------------------------


def my_network(shape):
    from course_lib.models import keras, layers

    model = keras.Sequential([
        layers.Input(shape), layers.Conv2D(32, 3, activation="relu"), layers.MaxPooling2D(),
        layers.Conv2D(64, 3, activation="relu"), layers.MaxPooling2D(),
        layers.Flatten(), layers.Dense(2, activation="softmax"),
    ])  # fmt: skip
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


def my_augmentation(seed):
    from course_lib.models import layers

    return [
        layers.RandomFlip("horizontal", seed=seed),
        layers.RandomRotation(10 / 360, fill_mode="nearest", seed=seed),
        layers.RandomZoom(0.1, fill_mode="nearest", seed=seed),
    ]


def my_rule(truth, score):
    return 0.5


def my_simpler_network(shape):
    from course_lib.models import keras, layers

    model = keras.Sequential([
        layers.Input(shape), layers.Conv2D(32, 3, activation="relu"), layers.MaxPooling2D(),
        layers.Flatten(), layers.Dense(2, activation="softmax"),
    ])  # fmt: skip
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


def no_augmentation(seed):
    return []


# ---- Training and measuring ------------------------------------------------------------------------------------------


class Attempt(NamedTuple):
    """One recipe, trained with one seed or several.

    truth: booleans (n,), who of the validation images is ill; groups: their patients (n,), or None.
    scores: probability of being ill, (seeds, n). thresholds: what the rule chose on them, (seeds,).
    models: one for each seed; () for stored runs. parameters, seconds: of one network and of its training.
    train_auc: of each seed, on its training images as they are, (seeds,).
    """

    truth: np.ndarray
    groups: np.ndarray | None
    scores: np.ndarray
    thresholds: np.ndarray
    models: tuple
    parameters: int
    seconds: float
    train_auc: np.ndarray

    @property
    def called(self):
        """Who is called ill, (seeds, n)."""
        return self.scores >= self.thresholds[:, None]


def train(split, ill, network, augmentation, *, seed, epochs=EPOCHS, batch=BATCH, progress=()):
    """A network trained on `split`, (n, h, w, c) in [0, 1], to tell the class number `ill` from the rest.

    network(shape) gives a compiled Keras model with two softmax outputs, augmentation(seed) a list of layers.
    Raises Problem, with what to do, where one of them gives something else.
    """
    from course_lib.models import keras

    keras.utils.set_random_seed(seed)
    model = network(split.x.shape[1:])
    if not isinstance(model, keras.Model) or getattr(model, "optimizer", None) is None:
        raise Problem("my_network must return a compiled Keras model: end it with model.compile(…) and return model.")
    some = np.asarray(model(split.x[:2]))
    if some.shape != (2, 2) or not np.allclose(some.sum(1), 1, atol=1e-3):
        raise Problem(
            f"my_network's model must answer with two probabilities for each image, which add up to 1 (its last layer: "
            f"Dense(2, activation='softmax')); for two images it gives an array of shape {some.shape}."
        )
    augment = keras.Sequential(list(augmentation(seed)))
    changed = np.asarray(augment(split.x[:2], training=True)) if augment.layers else split.x[:2]
    if changed.shape != split.x[:2].shape:
        raise Problem(
            f"my_augmentation changes the images' shape from {split.x.shape[1:]} to {changed.shape[1:]}; it must keep it."
        )
    keras.utils.set_random_seed(seed)
    batches = _batches(split, ill, augment if augment.layers else None, seed, batch)
    model.fit(batches, epochs=epochs, shuffle=False, verbose=0, callbacks=list(progress))
    return model


def _batches(split, ill, augment, seed, batch):
    import tensorflow as tf

    truth = (split.targets["label"] == ill).astype(np.int32)
    source = tf.data.Dataset.from_tensor_slices((split.x, truth)).shuffle(len(truth), seed=seed).batch(batch)
    if augment is not None:
        source = source.map(lambda images, label: (augment(images, training=True), label))
    return source.prefetch(tf.data.AUTOTUNE)


def timed(function, *arguments, **options):
    """What the function returns, and the seconds that it took."""
    start = time.perf_counter()
    return function(*arguments, **options), time.perf_counter() - start


def score(model, images) -> np.ndarray:
    """Probability of being ill of each image, float32 (n,)."""
    batches = (images[start : start + 512] for start in range(0, len(images), 512))
    return np.concatenate([np.asarray(model(batch, training=False))[:, 1] for batch in batches])


def attempt(dataset, ill, network, augmentation, rule, *, seeds=1, epochs=EPOCHS, batch=BATCH, progress=()) -> Attempt:
    """Train the recipe with seeds 0, 1, …, and score the validation images. The test is not touched.

    rule(truth, score) chooses a threshold from booleans (n,) and probabilities (n,) of the validation images.
    Raises Problem where a part of the recipe does not fit, and for two seeds, from which no spread can be told.
    """
    from sklearn.metrics import roc_auc_score

    if seeds != 1 and seeds < 3:
        raise Problem(f"seeds is {seeds}: take 1 to try something, 3 or more to compare.")
    truth, train_truth = (part.targets["label"] == ill for part in (dataset.val, dataset.train))
    options = {"epochs": epochs, "batch": batch, "progress": progress}
    trained = [timed(train, dataset.train, ill, network, augmentation, seed=seed, **options) for seed in range(seeds)]
    models, seconds = [model for model, _ in trained], np.mean([seconds for _, seconds in trained])
    scores = np.stack([score(model, dataset.val.x) for model in models])
    known = np.array([roc_auc_score(train_truth, score(model, dataset.train.x)) for model in models])
    thresholds = np.array([_threshold(rule, truth, row) for row in scores])
    return Attempt(
        truth, dataset.val.groups, scores, thresholds, tuple(models), models[0].count_params(), float(seconds), known
    )


def _threshold(rule, truth, scores):
    chosen = rule(truth.copy(), scores.copy())
    try:
        return float(chosen)
    except (TypeError, ValueError):
        raise Problem(f"my_rule must return one number, the threshold; it returned {chosen!r:.60}.") from None


def stored_attempt(arm, *, rule=my_rule) -> Attempt:
    """An arm of the stored runs, "article" or one of PARTS that was taken from it, as an Attempt without models."""
    runs = results.load(STORED)
    arrays = [results.arrays(STORED, seed) for seed in runs]
    truth, scores = arrays[0]["val_ill"], np.stack([one[f"val {arm}"] for one in arrays]).astype(float)
    about = [run[arm] for run in runs.values()]
    thresholds = np.array([_threshold(rule, truth, row) for row in scores])
    seconds, known = np.mean([one["seconds"] for one in about]), np.array([one["train_auc"] for one in about])
    return Attempt(truth, None, scores, thresholds, (), about[0]["parameters"], float(seconds), known)


def stored_baselines(part="val") -> dict[str, np.ndarray]:
    """The stored baselines' scores on the "val" or "test" part of the development file, by name."""
    arrays = results.arrays("capstone/baselines", 0)
    return {
        name.removeprefix(f"{part} "): values.astype(float) for name, values in arrays.items() if name.startswith(part)
    }


def baselines(train, ill, new, numbers=three_numbers) -> dict[str, np.ndarray]:
    """Scores of the images of Split `new` by rules without a network, fitted on (at most 5,000 of) the Split `train`."""
    truth, few = train.targets["label"] == ill, np.random.default_rng(0).permutation(len(train))[:5000]
    features = {
        "three numbers": [numbers(whole_numbers(part.x)) for part in (train, new)],
        "logistic regression": [part.x.reshape(len(part), -1) for part in (train, new)],
        "logistic regression, rim only": [cover(part.x, "centre").reshape(len(part), -1) for part in (train, new)],
    }
    found = {"the same for all": np.full(len(new), truth.mean())}
    return found | {name: logistic(old[few], truth[few], new) for name, (old, new) in features.items()}


def auc(truth, scores) -> float:
    """Mean over the seeds of the area under the ROC curve: truth (n,), scores (n, seeds)."""
    from sklearn.metrics import roc_auc_score

    return float(np.mean([roc_auc_score(truth, column) for column in np.transpose(scores)]))


def accuracy(truth, called) -> float:
    """Mean over the seeds of the share of right answers: truth (n,), called (n, seeds)."""
    return float(np.mean(truth[:, None] == called))


def area(attempt) -> evaluate.Estimate:
    """The AUC, a mean over the seeds, with an interval over patients (images, where patients are not known)."""
    if len(attempt.scores) == 1:
        return evaluate.area_under_curve(attempt.truth, attempt.scores[0], groups=attempt.groups)
    return evaluate.bootstrap(auc, attempt.truth, attempt.scores.T, groups=attempt.groups, repeats=400)


def gain(first, second) -> evaluate.Estimate:
    """AUC of the second attempt minus that of the first, on the same patients; over seeds too, where both have three.

    Raises Problem where the two did not see the same validation images.
    """
    from sklearn.metrics import roc_auc_score

    def more(truth, one, other):
        return auc(truth, other) - auc(truth, one)

    if not np.array_equal(first.truth, second.truth):
        raise Problem("These two attempts were scored on different validation images: they cannot be paired.")
    pair, options = (first.scores, second.scores), {"groups": first.groups, "repeats": 400}
    if min(map(len, pair)) >= 3:
        return evaluate.recipes(roc_auc_score, first.truth, *pair, **options)
    return evaluate.bootstrap(more, first.truth, pair[0].T, pair[1].T, bounds=(-1, 1), **options)


def of_scores(truth, scores, groups=None) -> Attempt:
    """The scores (n,) of a rule without a network as an Attempt, to be compared with others."""
    return Attempt(truth, groups, scores[None], np.array([0.5]), (), 0, 0.0, np.array([np.nan]))
