"""Explorers of the lesson on GAN. TensorFlow is imported when the first image is made."""

import functools

import numpy as np

from course_lib import data, plot, results
from course_lib.explorers import Explorer, choice, slider
from course_lib.lessons.gan import model as lesson

CLASSES = ["healthy", "mass", "white-matter lesions", "infarct"]
SPACES = ["pixels", "features (see section 8)"]
DATA_SPREAD = 0.6


# ---- The perfect discriminator, on a line --------------------------------------------------------------------------------


def perfect_discriminator() -> Explorer:
    """Data and generated points on a line, the best possible discriminator between them, and how hard it pushes."""
    return Explorer(
        _draw_perfect_discriminator,
        {
            "mean": slider("Mean of the generated points", -4.0, 4.0, 2.5, step=0.25),
            "spread": slider("Spread of the generated points", 0.2, 1.5, 0.6, step=0.1),
        },
        alt="Left: a blue bell for the data, an orange one for the generated points, and a black curve that falls from one to "
        "zero between them. Right: two bars, the mean push of the generated points under the two losses.",
        caption="Left: densities of data and generated points, and the perfect discriminator p/(p+q) in black. Right: how hard "
        "each loss pushes the generated points on average (length of the slope), on a logarithmic scale.",
        size=(9.5, 3.6),
    )


def _bell(x, mean, spread):
    return np.exp(-0.5 * ((x - mean) / spread) ** 2) / (spread * np.sqrt(2 * np.pi))


def pushes(mean, spread):
    """Mean length of the slope at the generated points against the perfect discriminator: (minimax, non-saturating).

    Data: normal, mean 0, standard deviation DATA_SPREAD; generated points: normal. With the logit a = log p − log q the
    slopes of the two losses at x are −D a′ and −(1 − D) a′.
    """
    x = mean + spread * np.linspace(-5, 5, 401)
    weight = _bell(x, mean, spread)
    logit = -0.5 * (x / DATA_SPREAD) ** 2 + 0.5 * ((x - mean) / spread) ** 2 + np.log(spread / DATA_SPREAD)
    slope = np.abs(-x / DATA_SPREAD**2 + (x - mean) / spread**2)
    original = 0.5 * (1 + np.tanh(logit / 2))  # the sigmoid, safe for any logit
    generated = 0.5 * (1 - np.tanh(logit / 2))
    return tuple(float(np.average(side * slope, weights=weight)) for side in (original, generated))


def _draw_perfect_discriminator(figure, mean, spread):
    left, right = figure.subplots(1, 2, width_ratios=[2, 1])
    x = np.linspace(-6, 6, 601)
    p, q = _bell(x, 0, DATA_SPREAD), _bell(x, mean, spread)
    left.fill_between(x, p, color=plot.COLOURS["blue"], alpha=0.4, lw=0, label="data")
    left.fill_between(x, q, color=plot.COLOURS["orange"], alpha=0.5, lw=0, label="generated")
    seen = p + q > 1e-6  # elsewhere nothing is ever seen
    left.plot(x[seen], (p / np.maximum(p + q, 1e-12))[seen], color="black", label="perfect D")
    left.set(xlabel="x", ylabel="density, or D", ylim=(0, 2.05), xlim=(-6, 6))
    left.legend(loc="upper left")
    sizes = pushes(mean, spread)
    right.barh([1, 0], np.maximum(sizes, 1e-4), color=[plot.COLOURS["sky"], plot.COLOURS["vermilion"]])
    right.set(xscale="log", xlim=(1e-4, 100), xlabel="mean push", yticks=[1, 0])
    right.set_yticklabels(["minimax", "non-saturating"])
    right.set_title(f"minimax {sizes[0]:.3f}\nnon-saturating {sizes[1]:.3f}")


# ---- What a long training changes -----------------------------------------------------------------------------------------


def over_training() -> Explorer:
    """Twelve images of a stored run at each of its checks, and what was measured there, for all its seeds."""
    return Explorer(
        _draw_over_training,
        {
            "check": slider("Check number", 1, len(_runs()[0]["rows"]), 5),
            "seed": choice("Training", [f"seed {seed}" for seed in _runs()]),
        },
        alt="Left: twelve brain slices, three of each class, as the generator makes them after so many steps. Right: two plots "
        "over the steps, the KID, which falls, and the share of images that are read as asked, which rises.",
        caption="Stored runs of the conditional GAN. Left: twelve fixed latent vectors, in rows the class that was asked for. "
        "Right: a line for each training; dotted, what as many original slices get (KID: the mean of three floors; section 8 "
        "has seven). The dot is where you are.",
        size=(10.5, 4.0),
    )


@functools.cache
def _runs():
    return results.load("gan/conditional")


@functools.cache
def _pictures(seed):
    return results.arrays("gan/conditional", seed)["images"]


def read_as_asked(table):
    """Share on the diagonal of a table of counts (asked, read)."""
    return np.trace(table) / np.sum(table)


def _draw_over_training(figure, check, seed):
    seed, runs = int(seed.split()[1]), _runs()
    grid = figure.add_gridspec(2, 2, width_ratios=[1, 1.35])
    mosaic, upper, lower = (
        figure.add_subplot(grid[:, 0]),
        figure.add_subplot(grid[0, 1]),
        figure.add_subplot(grid[1, 1]),
    )
    images = _pictures(seed)[check - 1]
    rows = [np.hstack(images[label :: len(CLASSES)]) for label in range(len(CLASSES))]
    plot.image(mosaic, np.vstack(rows), f"after {runs[seed]['rows'][check - 1]['step']:,} steps", window=(0, 255))
    mosaic.set(yticks=32 * np.arange(4) + 16, yticklabels=["healthy", "mass", "white\nmatter", "infarct"])
    mosaic.tick_params(length=0)
    for number, run in runs.items():
        steps = [row["step"] / 1000 for row in run["rows"]]
        kid, read = [row["kid"] for row in run["rows"]], [read_as_asked(row["read"]) for row in run["rows"]]
        for ax, values in ((upper, kid), (lower, read)):
            own = number == seed
            ax.plot(steps, values, color=plot.COLOURS["blue" if own else "sky"], lw=2 if own else 1, zorder=2 + own)
            if own:
                ax.plot(steps[check - 1], values[check - 1], "o", color=plot.COLOURS["vermilion"], ms=8, zorder=5)
    run = runs[seed]
    upper.axhline(np.mean(run["floor"]), color="0.4", ls=":", lw=1.2)
    lower.axhline(read_as_asked(run["read_original"]), color="0.4", ls=":", lw=1.2)
    upper.set(yscale="log", ylabel="KID", xticklabels=[])
    lower.set(ylabel="read as asked", ylim=(0, 1), xlabel="steps (thousands)")


# ---- A walk in latent space -----------------------------------------------------------------------------------------------


def walk() -> Explorer:
    """From one latent vector to another: the image that is made, and the training image that is nearest to it."""
    return Explorer(
        _draw_walk,
        {
            "label": choice("Class that is asked for", CLASSES, "mass"),
            "start": slider("Start: latent vector number", 0, 30, 3),
            "goal": slider("Goal: latent vector number", 0, 30, 8),
            "way": slider("Way from start to goal (tenths)", 0, 10, 3),
            "space": choice("Nearest in", SPACES),
        },
        alt="Three brain slices of 32×32 pixels: the generated one, the nearest of the training slices, and their difference "
        "in red and blue.",
        caption="Left: made by the stored generator. Middle: the nearest of the 4,800 training slices (simulated lesions on a "
        "real template). Right: generated minus original. The distance is compared with that of a test slice to its "
        "nearest training slice.",
        size=(9.5, 3.7),
    )


def latent(number):
    """The latent vector (32,) with this number."""
    return np.random.default_rng(1000 + number).normal(size=32).astype(np.float32)


def _draw_walk(figure, label, start, goal, way, space):
    gan = _gan()
    z = lesson.between(latent(start), latent(goal), way / 10)[None]
    made = gan.sample(_generator(), z, np.array([CLASSES.index(label)]))
    train, usual = _reference(space)
    place, distance = gan.nearest(_in_space(made, space), train)
    brains = _brains()
    original = brains.train.x[place[0], :, :, 0]
    its_label = CLASSES[brains.train.targets["label"][place[0]]]
    axes = figure.subplots(1, 3)
    plot.image(axes[0], made[0, :, :, 0], f"generated: {label}", window=(0, 1))
    plot.image(axes[1], original, f"nearest training slice: {its_label}", window=(0, 1))
    compared = f"distance {distance[0]:.1f}\n(a test slice: {usual:.1f})"
    plot.signed(axes[2], made[0, :, :, 0] - original, compared, limit=1, colour_bar=False)


def _gan():
    from course_lib import gan

    return gan


@functools.cache
def _brains():
    return data.load("brain-lesions", size=32, seed=lesson.PATIENTS["train"], n_patients=1200)


@functools.cache
def _generator():
    return lesson.stored_generator()


@functools.cache
def _features():
    return lesson.feature_model()


def _in_space(images, space):
    if space == SPACES[0]:
        return images
    return _features()(images, training=False).numpy()


@functools.cache
def _reference(space):
    """The training slices as points, and the median distance of a test slice to its nearest one."""
    brains = _brains()
    train = _in_space(brains.train.x, space)
    _, distance = _gan().nearest(_in_space(brains.test.x[::4], space), train)
    return train, float(np.median(distance))
