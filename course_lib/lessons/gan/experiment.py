"""The reader network, eight Gaussians over several seeds, and the conditional GAN of brain slices.

    python -m course_lib.lessons.gan.experiment [features] [two] [conditional] [--quick]

Some 80 minutes of processor time, most of them for `conditional`. `features` comes first: the others are measured with it.
"""

import functools
import time
from types import SimpleNamespace

import numpy as np

from course_lib import data, gan, models
from course_lib.lessons.gan import model as lesson
from course_lib.tools.experiment import main

keras = gan.keras
RUNS = {"features": [0], "two": range(5), "conditional": range(3)}

# ---- features ---------------------------------------------------------------------------------------------------------

READER_SET, READER_PATIENTS, READER_EPOCHS, READER_RATE = 1000, 2400, 20, 3e-3


def features(seed, quick=False):
    """The course's small CNN, 20 epochs on all slices of 2,400 simulated patients (data seed 1000), and its accuracy on the 160
    test patients of that set"""
    brains = data.load("brain-lesions", size=32, seed=READER_SET, n_patients=32 if quick else READER_PATIENTS)
    x, label = brains.train.x, brains.train.targets["label"]
    pixels = {"mean": x.mean(), "variance": x.var()}
    keras.utils.set_random_seed(seed)
    model, epochs = (
        models.small_cnn(x.shape[1:], 4, mean=float(x.mean()), variance=float(x.var())),
        1 if quick else READER_EPOCHS,
    )
    steps = epochs * -(-len(x) // 32)
    models.compile_with_cosine(model, READER_RATE, steps, warm_up=steps // 10)
    model.fit(x, label, batch_size=32, epochs=epochs, verbose=0)
    # Features of mean 0 and variance 1, so that no single one rules the kernel. The head makes up for it.
    pooled = keras.Model(model.inputs, model.layers[-2].output).predict(x, batch_size=256, verbose=0)
    mean, variance = pooled.mean(0), pooled.var(0) + 1e-4
    arrays = {**pixels, "feature_mean": mean, "feature_variance": variance}
    reader = lesson.build_reader(**arrays)
    *body, kernel, bias = model.get_weights()
    reader.set_weights([*body, kernel * np.sqrt(variance)[:, None], bias + mean @ kernel])
    assert np.allclose(reader.predict(x[:64], verbose=0), model.predict(x[:64], verbose=0), atol=1e-2)
    test = brains.test
    right = (reader.predict(test.x, verbose=0).argmax(1) == test.targets["label"]).mean()
    return {"test_accuracy": right}, {"weights": reader, "arrays": arrays}


# ---- eight Gaussians --------------------------------------------------------------------------------------------------

TWO_STEPS, EVERY = 1500, 250
ARMS = {
    "β₁ = 0.9": {"beta_1": 0.9},
    "β₁ = 0.9, spectral norm": {"beta_1": 0.9, "spectral": True},
    "β₁ = 0.9, R1": {"beta_1": 0.9, "r1": 10.0},
    "β₁ = 0.5": {"beta_1": 0.5},
}


def two(seed, quick=False):
    """steps [250, 500, 750, 1000, 1250, 1500]; `near`: share of points within 4σ of a mode; `losses`: mean of the discriminator's
    and of the generator's loss over the 25 steps before step 25, 50, …; `wobble`: standard deviation of the discriminator's
    loss over the last 250 steps"""
    steps, every = (50, 25) if quick else (TWO_STEPS, EVERY)
    points = lesson.eight_gaussians(256 * steps, seed)
    runs = {}
    for name in ["β₁ = 0.9, R1"] if quick else ARMS:
        options = dict(ARMS[name])
        generator, discriminator = lesson.two_dimensional(seed, spectral=options.pop("spectral", False))
        step = gan.adversarial_step(generator, discriminator, rate=1e-3, **options)
        watch = functools.partial(gan.sample, generator, np.random.default_rng(seed).normal(size=(1000, 2)))
        losses, seen = gan.train(step, points, steps, batch_size=256, at=range(every, steps + 1, every), watch=watch)
        modes, near = zip(*(lesson.modes(row) for row in seen), strict=True)
        short = losses.reshape(-1, 25, 2).mean(1)
        runs[name] = {"modes": modes, "near": near, "losses": short, "wobble": losses[-250:, 0].std()}
    return runs


# ---- brain slices -----------------------------------------------------------------------------------------------------

BATCH, RATE = 32, 2e-4
CHECKS = [0, 500, 1000, 2000, 4000, 6000, 9000, 12000, 15000, 18000, 21000, 24000]
DRAWS = 20  # of latent vectors, for the spread of KID
SHOWN = 12  # images at each check


def conditional(seed, quick=False):
    """A conditional GAN with two heads, trained on the slices of 1,200 patients (data seed 1400), measured at each check with the
    running mean of its generator's weights: KID of 640 images, 160 of each class, against the 640 slices of 160 test patients;
    how many of them a reader network reads as asked, `read` (asked, read); `seconds` of one processor core. `losses`: means of
    the discriminator's and the generator's loss over 200 steps. `final`: KID for 20 draws of 640 latent vectors, and of the first
    with its limits; `read` of 2,560 images. `floor`: KID of three times 160 training patients. The arrays hold 12 images at
    each check; the generator's weights, in half precision, are kept of seed 0 alone."""
    checks, z = ([0, 3], lesson.FIXED[:64]) if quick else (CHECKS, lesson.FIXED)
    several = {"seed": 0, "n_patients": 40} if quick else {"seed": lesson.PATIENTS["train"], "n_patients": 1200}
    brains = data.load("brain-lesions", size=32, **several)
    train, test, reader, model = brains.train, brains.test, lesson.reader(), lesson.feature_model()
    original, asked = gan.features(model, test.x), np.arange(len(z)) % lesson.CLASSES
    keras.utils.set_random_seed(seed)
    generator, discriminator, mean = lesson.conditional_pair()
    step = gan.adversarial_step(generator, discriminator, rate=RATE, mean=mean)
    start, rows, grids = time.process_time(), [], []

    def watch():
        images = gan.sample(mean, z, asked)
        row = {"kid": gan.kid(gan.features(model, images), original), "read": lesson.read_as(reader, images, asked)}
        rows.append({"step": checks[len(rows)], **row, "seconds": 0 if quick else time.process_time() - start})
        grids.append((255 * images[:SHOWN, :, :, 0]).round().astype(np.uint8))
        print(seed, rows[-1]["step"], round(row["kid"], 3), np.trace(row["read"]) / len(z), flush=True)

    options = {"labels": train.targets["label"], "batch_size": BATCH, "seed": seed, "at": checks, "watch": watch}
    losses, _ = gan.train(step, train.x, checks[-1], **options)
    rng = np.random.default_rng([seed, 14])
    drawn = [rng.standard_normal(z.shape, np.float32) for _ in range(2 if quick else DRAWS)]
    images = [gan.sample(mean, each, asked) for each in drawn]
    made = [gan.features(model, each) for each in images]
    patient, width = np.unique(train.groups, return_inverse=True)[1], len(np.unique(test.groups)) if not quick else 10
    inside = gan.features(model, train.x)
    final = {
        "kid": [gan.kid(each, original) for each in made],
        "limits": lesson.kid_limits(made[0], original, test.groups),
        "read": sum(lesson.read_as(reader, each, asked) for each in images[:4]),
    }
    floor = [gan.kid(inside[patient // width == k], original) for k in range(3)]
    payload = {
        "rows": rows,
        "losses": losses.reshape(-1, 1 if quick else 200, 2).mean(1),
        "final": final,
        "floor": floor,
        "floor_limits": lesson.kid_limits(inside[patient // width == 0], original, test.groups),
        "read_original": lesson.read_as(reader, test.x, test.targets["label"]),
    }
    half = SimpleNamespace(get_weights=lambda: [weight.astype(np.float16) for weight in mean.get_weights()])
    return payload, {"arrays": {"images": np.stack(grids)}, "weights": half if seed == 0 else None}


if __name__ == "__main__":
    functions = {"features": features, "two": two, "conditional": conditional}
    main("gan", RUNS, functions, tolerance={"features": 0.01, "two": 0.01, "conditional": 0.2})
