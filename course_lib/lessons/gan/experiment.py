"""Lesson 14: the feature model, eight Gaussians over several seeds, and the stored generators.

    python course_lib/lessons/gan/experiment.py [features] [two] [gan] [conditional] [short] [--seeds 5]

Without names all parts run, about twelve minutes of processor time. `features` comes first, the others stand alone:

- features: trains the small CNN in whose features KID is measured, on patients of its own. course_lib/lessons/gan/results/features.keras
- two: the generator of eight Gaussians, four ways, `--seeds` seeds. course_lib/lessons/gan/results/two.json
- gan: one long run of the DCGAN on "brain-lesions" at 32×32. course_lib/lessons/gan/results/gan.json, generator.keras, grid.npz
- conditional: the same with the class. course_lib/lessons/gan/results/conditional.json, conditional.keras
- short: further seeds of the run that the notebook makes live. course_lib/lessons/gan/results/short.json
"""

import argparse
import functools
import os
import time

os.environ["TF_NUM_INTRAOP_THREADS"] = "1"

import numpy as np

from course_lib import ROOT, data, gan, models
from course_lib.tools.common import save

keras, layers, tf = gan.keras, gan.layers, gan.tf
FOLDER = ROOT / "course_lib/lessons/gan/results"

# ---- features ---------------------------------------------------------------------------------------------------------

FEATURE_SEEDS, FEATURE_EPOCHS = (
    (1000, 1001),
    8,
)  # of the data: 600 training patients each, in no other part of the course


def run_features(_seeds):
    others = [data.load("brain-lesions", size=32, seed=seed).train for seed in FEATURE_SEEDS]
    x = np.concatenate([split.x for split in others])
    label = np.concatenate([split.targets["label"] for split in others])
    keras.utils.set_random_seed(0)
    model = models.small_cnn(x.shape[1:], 4, mean=float(x.mean()), variance=float(x.var()))
    model.compile(keras.optimizers.Adam(1e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(x, label, batch_size=32, epochs=FEATURE_EPOCHS, verbose=0)
    # Features of mean 0 and variance 1, so that no single one rules the kernel. The head makes up for it.
    pooled = keras.Model(model.inputs, model.layers[-2].output).predict(x, batch_size=256, verbose=0)
    mean, variance = pooled.mean(0), pooled.var(0) + 1e-4
    stored = keras.Sequential(
        [
            layers.Input(x.shape[1:]),
            *model.layers[:-1],
            layers.Normalization(mean=mean, variance=variance),
            layers.Dense(4),
        ]
    )
    kernel, bias = model.layers[-1].get_weights()
    stored.layers[-1].set_weights([kernel * np.sqrt(variance)[:, None], bias + mean @ kernel])
    assert np.allclose(stored.predict(x[:64], verbose=0), model.predict(x[:64], verbose=0), atol=1e-3)
    FOLDER.mkdir(exist_ok=True)
    stored.save(FOLDER / "features.keras")
    test = data.load("brain-lesions", size=32).test
    right = (stored.predict(test.x, verbose=0).argmax(1) == test.targets["label"]).mean()
    note = f"small CNN, {FEATURE_EPOCHS} epochs on 600 simulated patients of each of the data seeds {FEATURE_SEEDS}"
    save("gan/features.json", {"test_accuracy": right}, seeds=[0], note=note)


# ---- eight Gaussians --------------------------------------------------------------------------------------------------

TWO_STEPS = 1500
ARMS = {
    "β₁ = 0.9": {"beta_1": 0.9},
    "β₁ = 0.9, spectral norm": {"beta_1": 0.9, "spectral": True},
    "β₁ = 0.9, R1": {"beta_1": 0.9, "r1": 10.0},
    "β₁ = 0.5": {"beta_1": 0.5},
}


def run_two(seeds):
    results = {name: [] for name in ARMS}
    for seed in seeds:
        for name, options in ARMS.items():
            options = dict(options)
            generator, discriminator = gan.two_dimensional(seed, spectral=options.pop("spectral", False))
            step = gan.adversarial_step(generator, discriminator, rate=1e-3, **options)
            watch = functools.partial(gan.sample, generator, np.random.default_rng(seed).normal(size=(1000, 2)))
            points = gan.eight_gaussians(256 * TWO_STEPS, seed)
            at = range(250, TWO_STEPS + 1, 250)
            _, seen = gan.train(step, points, TWO_STEPS, batch_size=256, at=at, watch=watch)
            modes, near = zip(*(gan.modes(row) for row in seen), strict=True)
            results[name].append({"seed": seed, "modes": modes, "near": near})
        note = f"steps {list(at)}; `near`: share of points within 4σ of a mode"
        save("gan/two.json", results, seeds=list(seeds[: seed + 1]), note=note)


# ---- brain slices -----------------------------------------------------------------------------------------------------

BATCH, SHORT = 32, 400
CHECKS = [0, 50, 100, 200, 400, 600, 900, 1200, 1500, 1800]
CONDITIONAL_CHECKS = [0, 300, 600, 900]
Z = np.random.default_rng(14).normal(size=(640, gan.LATENT)).astype(np.float32)


def play(seed, checks, keep, classes=None, generator_channels=96, discriminator_channels=24, rate=2e-4):
    """Train a DCGAN up to the last of `checks`, numbers of steps, and measure it at each.

    At each, keep(generator, rows of measures, images of the first 12 z at each check) is
    called, so that a run that is stopped loses little.
    """
    brains = data.load("brain-lesions", size=32)
    labels = brains.train.targets["label"] if classes else None
    asked = np.arange(len(Z)) % classes if classes else None
    model = gan.feature_model()
    real = gan.features(model, brains.test.x)
    keras.utils.set_random_seed(seed)
    generator = gan.generator(channels=generator_channels, classes=classes)
    discriminator = gan.discriminator(discriminator_channels, classes)
    step = gan.adversarial_step(generator, discriminator, rate=rate)
    start, rows, grids = time.process_time(), [], []

    def watch():
        images = gan.sample(generator, Z, asked)
        made = gan.features(model, images)
        row = {"kid": gan.kid(made, real), "diversity": gan.diversity(made), "seconds": time.process_time() - start}
        rows.append({"step": checks[len(rows)], **row})
        grids.append((255 * images[:12, :, :, 0]).round().astype(np.uint8))
        print(rows[-1], flush=True)
        keep(generator, rows, grids)

    gan.train(step, brains.train.x, checks[-1], labels=labels, batch_size=BATCH, seed=seed, at=checks, watch=watch)


def run_gan(_seeds):
    def keep(generator, rows, grids):
        generator.save(FOLDER / "generator.keras")
        np.savez_compressed(FOLDER / "grid.npz", images=np.stack(grids), steps=[row["step"] for row in rows])
        save("gan/gan.json", rows, seeds=[0], note="KID and diversity of 640 images against the 640 test slices")

    play(0, CHECKS, keep)


def run_conditional(_seeds):
    def keep(generator, rows, _grids):
        generator.save(FOLDER / "conditional.keras")
        save("gan/conditional.json", rows, seeds=[0], note="as gan.json, with the four classes in turn")

    # Smaller networks at a higher rate: in short trials at the settings above the class did not show.
    play(0, CONDITIONAL_CHECKS, keep, classes=4, generator_channels=64, discriminator_channels=16, rate=5e-4)


def run_short(seeds):
    results = []
    for seed in seeds[1:]:  # the first seed is the beginning of the long run

        def keep(_generator, rows, _grids, seed=seed):
            if rows[-1]["step"] == SHORT:
                results.append({"seed": seed, **rows[-1]})
                save("gan/short.json", results, seeds=[row["seed"] for row in results], note=f"after {SHORT} steps")

        play(seed, [SHORT], keep)


PARTS = {"features": run_features, "two": run_two, "gan": run_gan, "conditional": run_conditional, "short": run_short}

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("parts", nargs="*", default=list(PARTS))
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    for part in arguments.parts:
        PARTS[part](list(range(arguments.seeds)))
