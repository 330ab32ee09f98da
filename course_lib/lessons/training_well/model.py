"""What notebook, experiment, explorers and tests of the lesson on training well share: the network, the schedules, and
how the stored comparisons are put together."""

import numpy as np

from course_lib import results

SELECTION = (0, 1)  # the seeds that choose among candidates on validation; all others see the test slices


def network(images, batch_norm=None, dropout=0.0, start="he_normal"):
    """The small network of the lesson, three convolutions and 8,068 parameters, not compiled; its answers are logits.

    images: the training images (n, h, w, 1); the first layer standardises with their mean and variance.
    batch_norm: the momentum of a batch-norm layer behind each convolution, or None. dropout: share set to zero in front
    of the dense layer. start: how the kernels of the convolutions begin.
    """
    from course_lib.models import keras, layers

    standardise = layers.Normalization(mean=images.mean(), variance=images.var())
    model = keras.Sequential([layers.Input(images.shape[1:]), standardise])
    for channels, kernel, stride in [(8, 5, 2), (16, 3, 2), (32, 3, 1)]:
        conv = {"strides": stride, "padding": "same", "kernel_initializer": start}
        model.add(layers.Conv2D(channels, kernel, use_bias=batch_norm is None, **conv))
        if batch_norm is not None:
            model.add(layers.BatchNormalization(momentum=batch_norm))
        model.add(layers.ReLU())
    for layer in [layers.MaxPooling2D(), layers.Flatten(), layers.Dropout(dropout), layers.Dense(4)]:
        model.add(layer)
    return model


def learning_rates(schedule, peak, steps):
    """The learning rate of every step, (steps,): "constant", "cosine", or "warm-up", a tenth of the steps, then a cosine."""
    step = np.arange(steps)
    if schedule == "constant":
        return np.full(steps, peak)
    warm = steps // 10 if schedule == "warm-up" else 0
    falling = peak * (1 + np.cos(np.pi * (step - warm) / (steps - warm))) / 2
    return np.where(step < warm, peak * step / max(warm, 1), falling)


def comparison(part):
    """The arms of a stored comparison: {arm: {"candidates": […], "chosen": …}}.

    Each candidate, and the chosen one, is {"setting": what was set, "runs": its curves and answers, a dict for each seed}.
    Candidates are [] where there was nothing to choose. The chosen one was trained again, with other seeds.
    """
    every = candidates(part)
    chosen = _by_setting(part, lambda seed: seed not in SELECTION)
    return {name: {"candidates": every.get(name, []), "chosen": only} for name, (only,) in chosen.items()}


def candidates(part):
    """The candidates alone: {arm: [{"setting", "runs"}, …]}."""
    return _by_setting(part, lambda seed: seed in SELECTION)


def _by_setting(part, wanted):
    arms = {}
    for seed, payload in results.load(f"training_well/{part}").items():
        for name, runs in payload.items() if wanted(seed) else ():
            kept = arms.setdefault(name, [{"setting": run["setting"], "runs": []} for run in runs])
            for each, run in zip(kept, runs, strict=True):
                each["runs"].append({"seed": seed, **run["run"]})
    return arms


def choose(candidates):
    """The setting with the highest mean validation accuracy after the last epoch."""
    means = [np.mean([run["val_end"] for run in each["runs"]]) for each in candidates]
    return candidates[int(np.argmax(means))]["setting"]
