"""Exercises of the lesson on training well."""

import math

import numpy as np

from course_lib.exercises import Choice, Coding, Mistake, progress

TOPIC = "training_well"


# ---- two_softmaxes ------------------------------------------------------------------------------

two_softmaxes = Choice(
    topic=TOPIC,
    name="two_softmaxes",
    answer="b",
    replies={
        "a": "0 would need the probability 1 after the second softmax. What is the largest value that goes into it?",
        "b": "At best (1, 0, 0, 0) goes into the second softmax, which makes e/(e+3) of the 1. Minus its logarithm is "
        "0.74: a floor that no training can break. Nothing crashes; the loss just refuses to fall.",
        "c": "That is log 4, the loss of knowing nothing. With two softmaxes the network can do a little better.",
        "d": "No probability is ever 0 after a softmax, so the loss stays finite. How low can it get?",
    },
    hints=(
        "The first softmax gives probabilities. Which four numbers would a perfect network hand to the second one?",
        "Put (1, 0, 0, 0) into softmax by hand, and take minus the logarithm of the first result.",
    ),
)


# ---- class_weights ------------------------------------------------------------------------------


def _class_weights(labels, classes):
    counts = np.bincount(labels, minlength=classes)
    return len(labels) / (classes * counts)  # each class then weighs n / classes in total


def _class_weights_by_loop(labels, classes):
    labels = list(labels)
    return [len(labels) / classes / labels.count(c) for c in range(classes)]


class_weights = Coding(
    topic=TOPIC,
    name="class_weights",
    reference=_class_weights,
    also_correct=(_class_weights_by_loop,),
    inputs=lambda: [
        (np.array([0, 0, 0, 1]), 2),
        (np.array([2, 0, 1, 0, 0, 2, 0, 0, 0, 0]), 3),
        (np.repeat([0, 1, 2, 3], [50, 30, 15, 5]), 4),
    ],
    mistakes=(
        Mistake(
            lambda labels, classes: len(labels) / np.bincount(labels, minlength=classes),
            "The proportions are right. But on average over all images the weight must be 1, or the loss, and with it "
            "every step, becomes larger by a factor. Which factor?",
        ),
        Mistake(
            lambda labels, classes: 1 / np.bincount(labels, minlength=classes),
            "The proportions are right, but these weights shrink as the data set grows, and so would the steps.",
        ),
        Mistake(
            lambda labels, classes: np.bincount(labels, minlength=classes) / len(labels),
            "These are the shares of the classes: the common class gets the larger weight. Turn it around.",
        ),
        Mistake(
            lambda labels, classes: _normalised(1 / np.bincount(labels, minlength=classes)),
            "The weights of the classes add up to 1 now. It is the mean over the images that must be 1.",
        ),
        Mistake(
            lambda labels, classes: (
                np.bincount(labels, minlength=classes).max() / np.bincount(labels, minlength=classes)
            ),
            "The proportions are right, and the commonest class has weight 1. Then all others lie above 1, and so does "
            "the mean over the images.",
        ),
    ),
    hints=(
        "If a class has half as many images, each of them must count twice as much.",
        "With n images and k classes, each class should weigh n/k in total. How much is that for each of its images?",
        "`np.bincount(labels, minlength=classes)` counts the images of each class.",
    ),
    why="Every class now pulls equally hard, and the steps keep their size. scikit-learn calls this `balanced`.",
)


def _normalised(weights):
    return weights / weights.sum()


# ---- one_rate -----------------------------------------------------------------------------------

one_rate = Choice(
    topic=TOPIC,
    name="one_rate",
    answer="c",
    replies={
        "a": "At this rate, yes. But SGD may want a rate a hundred times larger, and nobody tried it.",
        "b": "Perhaps, but that was not tried either; and a larger rate might do the same in the same time.",
        "c": "A learning rate means another thing to each optimiser: Adam divides its step by the gradient's size, SGD "
        "does not. Compare each at its own best rate, or you compare the rates.",
        "d": "Seeds matter, and the comparison needs several. But no number of seeds makes this rate fair to both.",
    },
    hints=(
        "How long is a step of SGD with rate 0.001, if the gradient is 0.01? And how long is a step of Adam?",
        "What was tuned here, and for whom?",
    ),
)


# ---- choose_rate --------------------------------------------------------------------------------


def _choose_rate(rates, val_accuracy, test_accuracy):
    best = np.argmax(np.mean(val_accuracy, axis=1))  # rows are rates, columns are seeds
    return rates[best], np.mean(test_accuracy[best])


def _choose_rate_by_loop(rates, val_accuracy, test_accuracy):
    best = max(range(len(rates)), key=lambda place: sum(val_accuracy[place]))
    return rates[best], sum(test_accuracy[best]) / len(test_accuracy[best])


def _picked(place, rates, test_accuracy):
    return rates[place], np.mean(test_accuracy[place])


def _choose_rate_inputs():
    rates = np.array([0.001, 0.01, 0.1, 1.0])
    val = np.array([[0.50, 0.52, 0.51], [0.62, 0.64, 0.63], [0.55, 0.75, 0.53], [0.25, 0.27, 0.26]])
    test = np.array([[0.66, 0.67, 0.68], [0.57, 0.61, 0.59], [0.61, 0.62, 0.63], [0.24, 0.25, 0.26]])
    broken = np.array([[0.40, 0.44, 0.42], [0.57, 0.55, 0.53], [0.58, 0.56, 0.48], [0.80, 0.25, 0.25]])
    return [(rates, val, test), (rates, broken, test[::-1].copy())]


choose_rate = Coding(
    topic=TOPIC,
    name="choose_rate",
    reference=_choose_rate,
    also_correct=(_choose_rate_by_loop,),
    inputs=_choose_rate_inputs,
    mistakes=(
        Mistake(
            lambda rates, val, test: _picked(np.argmax(np.mean(test, axis=1)), rates, test),
            "You choose by the test accuracy. Then it is no longer a test: the best of several lucky numbers is too good.",
        ),
        Mistake(
            lambda rates, val, test: _picked(np.argmax(np.max(val, axis=1)), rates, test),
            "You take the best single run. One lucky seed is enough for that; take the mean over the seeds.",
        ),
        Mistake(
            lambda rates, val, test: (int(np.argmax(np.mean(val, axis=1))), _choose_rate(rates, val, test)[1]),
            "The first value is the place in the list. The rate itself was asked for.",
        ),
        Mistake(
            lambda rates, val, test: (_choose_rate(rates, val, test)[0], np.max(np.mean(val, axis=1))),
            "The rate is right. But you report its validation accuracy, the very number it won with: too good on average.",
        ),
        Mistake(
            lambda rates, val, test: (
                _choose_rate(rates, val, test)[0],
                np.max(test[np.argmax(np.mean(val, axis=1))]),
            ),
            "The rate is right. Of its test runs you report the best one; report their mean.",
        ),
    ),
    hints=(
        "First the mean of each row of `val_accuracy`, then the row where it is largest.",
        "`np.mean(…, axis=1)` goes along the rows, `np.argmax` gives the place of the largest.",
        "Only when the row is chosen, look at `test_accuracy`, and only at that row.",
    ),
    why="Chosen on validation, as a mean over seeds. The test is opened once, at the end, for the chosen rate alone.",
)


# ---- warm_cosine --------------------------------------------------------------------------------


def _warm_cosine(step, steps, warm, peak):
    if step < warm:
        return peak * step / warm
    done = (step - warm) / (steps - warm)  # 0 when the warm-up is over, 1 at the end
    return peak * (1 + math.cos(math.pi * done)) / 2


def _warm_cosine_with_numpy(step, steps, warm, peak):
    turn = np.pi * np.clip((step - warm) / (steps - warm), 0, 1)
    return float(np.where(step < warm, peak * step / warm, peak * np.cos(turn / 2) ** 2))


warm_cosine = Coding(
    topic=TOPIC,
    name="warm_cosine",
    reference=_warm_cosine,
    also_correct=(_warm_cosine_with_numpy,),
    inputs=lambda: [
        (0, 100, 10, 0.1),
        (5, 100, 10, 0.1),
        (10, 100, 10, 0.1),
        (40, 100, 10, 0.1),
        (55, 100, 10, 0.1),
        (300, 456, 45, 0.003),
        (100, 100, 10, 0.1),
    ],
    mistakes=(
        Mistake(
            lambda step, steps, warm, peak: (
                peak * step / warm if step < warm else peak * (1 + math.cos(math.pi * step / steps)) / 2
            ),
            "The cosine starts at step 0 instead of at the end of the warm-up, so there is a jump between the two.",
        ),
        Mistake(
            lambda step, steps, warm, peak: (
                peak * step / warm if step < warm else peak * (1 + math.cos(math.pi * (step - warm) / steps)) / 2
            ),
            "The cosine is stretched over all steps, but only steps − warm are left: it does not reach 0 at the end.",
        ),
        Mistake(
            lambda step, steps, warm, peak: (
                peak * step / warm if step < warm else peak * math.cos(math.pi * (step - warm) / (steps - warm))
            ),
            "A cosine runs from 1 to −1, so your rate becomes negative half-way. Lift it and halve it.",
        ),
        Mistake(
            lambda step, steps, warm, peak: (
                peak * step / warm
                if step < warm
                else peak * (1 + math.cos(2 * math.pi * (step - warm) / (steps - warm))) / 2
            ),
            "That is a whole wave: it comes back up to the peak at the end. Half a wave is enough.",
        ),
        Mistake(
            lambda step, steps, warm, peak: (
                min(1.0, step / warm) * peak * (1 + math.cos(math.pi * min(step, steps) / steps)) / 2
            ),
            "You multiply the warm-up by a cosine that runs from step 0. The two parts follow each other.",
        ),
        Mistake(
            lambda step, steps, warm, peak: (
                peak * step / warm if step < warm else peak * (1 - (step - warm) / (steps - warm))
            ),
            "The warm-up is right. After it you go down in a straight line; here it is half a cosine wave.",
        ),
    ),
    hints=(
        "Two cases: during the warm-up a straight line from 0 to the peak; after it the cosine.",
        "After the warm-up, how far along are you, as a number from 0 to 1? Only steps − warm steps are left.",
        "(1 + cos(π·progress)) / 2 runs from 1 to 0.",
    ),
    why="Small steps while the weights are still random, large ones in the middle, small ones again to settle.",
)


# ---- validation_at_chance -----------------------------------------------------------------------

validation_at_chance = Choice(
    topic=TOPIC,
    name="validation_at_chance",
    answer="d",
    replies={
        "a": "Overfitting comes late: validation first gets better with training, and then worse. It does not stay at "
        "chance from the first epoch on.",
        "b": "Then the training accuracy would not rise either.",
        "c": "An unlucky split costs some points. It cannot cost everything.",
        "d": "In `fit` batch norm uses the batch, in `predict` its running averages. After few steps these are still what "
        "they were at the start, and the layers behind see numbers they were never trained on.",
    },
    hints=(
        "Which of these explains that validation is bad from the very first epoch on, while training works?",
        "What does a batch-norm layer do in `fit` that it does not do in `predict`?",
    ),
)


# ---- moving_mean --------------------------------------------------------------------------------


def _moving_mean(batch_means, momentum):
    running = 0.0  # where Keras starts
    for mean in batch_means:
        running = momentum * running + (1 - momentum) * mean
    return running


def _moving_mean_as_weights(batch_means, momentum):
    age = np.arange(len(batch_means))[::-1]
    return float(np.sum((1 - momentum) * momentum**age * np.asarray(batch_means)))


def _moving_mean_swapped(batch_means, momentum):
    return _moving_mean(batch_means, 1 - momentum)


def _moving_mean_from_first(batch_means, momentum):
    running = batch_means[0]
    for mean in batch_means[1:]:
        running = momentum * running + (1 - momentum) * mean
    return running


def _moving_mean_unscaled(batch_means, momentum):
    running = 0.0
    for mean in batch_means:
        running = momentum * running + mean
    return running


moving_mean = Coding(
    topic=TOPIC,
    name="moving_mean",
    reference=_moving_mean,
    also_correct=(_moving_mean_as_weights,),
    inputs=lambda: [([2.0], 0.9), ([5.0, 5.0, 5.0], 0.5), ([1.0, -2.0, 4.0, 3.0], 0.75), ([5.0] * 30, 0.99)],
    mistakes=(
        Mistake(
            _moving_mean_swapped,
            "The two weights are swapped: the momentum is the share of the old value that is kept.",
        ),
        Mistake(
            _moving_mean_from_first,
            "You start with the first batch's mean. That would be sensible, but Keras starts at 0, and this is the trap.",
        ),
        Mistake(
            lambda batch_means, momentum: float(np.mean(batch_means)),
            "That is the plain mean of all batches. The running mean forgets old batches little by little.",
        ),
        Mistake(
            _moving_mean_unscaled,
            "The old value shrinks, but the new batch comes in at full weight. The two weights must add up to 1.",
        ),
        Mistake(
            lambda batch_means, momentum: _moving_mean(batch_means, momentum) / (1 - momentum ** len(batch_means)),
            "You correct for the start at 0, as Adam does (lesson 04). Batch norm does not: that is the trap.",
        ),
    ),
    hints=(
        "Start at 0. Each batch replaces a small share of the running mean.",
        "new = momentum · old + (1 − momentum) · mean of the batch.",
    ),
    why="After k steps a share of momentum to the power of k is still the start value: with 0.99 and 30 steps, three quarters.",
)


# ---- early_stopping -----------------------------------------------------------------------------


def _early_stopping(val_losses, patience):
    best, best_epoch, waited = float("inf"), 0, 0
    for epoch, loss in enumerate(val_losses, start=1):
        if loss < best:
            best, best_epoch, waited = loss, epoch, 0
        else:
            waited += 1
        if waited == patience:
            break
    return epoch, best_epoch


def _early_stopping_by_distance(val_losses, patience):
    for epoch in range(1, len(val_losses) + 1):
        best_epoch = int(np.argmin(val_losses[:epoch])) + 1
        if epoch - best_epoch >= patience:
            break
    return epoch, best_epoch


def _early_stopping_never_resets(val_losses, patience):
    best, best_epoch, waited = float("inf"), 0, 0
    for epoch, loss in enumerate(val_losses, start=1):
        if loss < best:
            best, best_epoch = loss, epoch
        else:
            waited += 1
        if waited == patience:
            break
    return epoch, best_epoch


def _early_stopping_against_previous(val_losses, patience):
    best, best_epoch, waited, previous = float("inf"), 0, 0, float("inf")
    for epoch, loss in enumerate(val_losses, start=1):
        if loss < best:
            best, best_epoch = loss, epoch
        waited = 0 if loss < previous else waited + 1
        previous = loss
        if waited == patience:
            break
    return epoch, best_epoch


def _early_stopping_from_zero(val_losses, patience):
    epoch, best = _early_stopping(val_losses, patience)
    return epoch - 1, best - 1


early_stopping = Coding(
    topic=TOPIC,
    name="early_stopping",
    reference=_early_stopping,
    also_correct=(_early_stopping_by_distance,),
    inputs=lambda: [
        ([1.4, 1.2, 1.1, 1.15, 1.2, 1.3], 2),
        ([1.4, 1.2, 1.3, 1.1, 1.2, 1.0, 1.05, 1.02, 1.04, 0.5], 3),
        ([1.0, 0.9, 0.8], 2),
        ([1.0, 1.2, 1.1, 1.05, 0.9], 2),
        ([1.3, 1.2, 1.25, 1.24, 1.23, 1.22, 1.3], 3),
    ],
    mistakes=(
        Mistake(
            _early_stopping_never_resets,
            "Your count of epochs without improvement is never set back to 0 when a new best comes.",
        ),
        Mistake(
            _early_stopping_against_previous,
            "You compare with the epoch before. Compare with the best so far: a loss can fall for a while without "
            "getting anywhere new.",
        ),
        Mistake(
            lambda val_losses, patience: (_early_stopping(val_losses, patience)[0],) * 2,
            "You keep the last epoch's weights. The best ones are some epochs back: that is what the checkpoint is for.",
        ),
        Mistake(_early_stopping_from_zero, "Count the epochs from 1, as people do."),
        Mistake(
            lambda val_losses, patience: _early_stopping(val_losses, patience + 1),
            "You wait one epoch longer than `patience`.",
        ),
        Mistake(
            lambda val_losses, patience: (
                _early_stopping(val_losses, patience)[0],
                int(np.argmin(val_losses)) + 1,
            ),
            "The best epoch you return may lie after the stop: those epochs were never trained.",
        ),
        Mistake(
            lambda val_losses, patience: (len(val_losses), int(np.argmin(val_losses)) + 1),
            "You train to the end of the list. Stop as soon as `patience` epochs in a row have brought no new best.",
        ),
    ),
    hints=(
        "Walk through the losses and keep three things: the best loss, its epoch, and how many epochs ago that was.",
        "A new best: remember it, and set the count to 0. Otherwise: count one up, and stop when it reaches `patience`.",
    ),
    why="This is Keras' EarlyStopping with restore_best_weights=True, in eight lines.",
)


# ---- repaired_step ------------------------------------------------------------------------------


def _repaired_step(w, x, labels, rate):
    z = x @ w
    p = np.exp(z - z.max(axis=1, keepdims=True))  # no exp of a large number: no infinity, no NaN
    p = p / p.sum(axis=1, keepdims=True)
    p[np.arange(len(x)), labels] -= 1
    return w - rate * x.T @ p / len(x)  # handed back to the caller


def _repaired_step_by_loop(w, x, labels, rate):
    new = w.copy()
    for row, label in zip(x, labels, strict=True):
        z = row @ w
        p = np.exp(z - np.logaddexp.reduce(z))
        new -= rate * np.outer(row, p - np.eye(len(p))[label]) / len(x)
    return new


def _step(w, x, labels, rate, shift, sign=-1.0, mean=True):
    z = x @ w
    p = np.exp(z - shift(z))
    p = p / p.sum(axis=1, keepdims=True)
    p[np.arange(len(x)), labels] -= 1
    return w + sign * rate * x.T @ p / (len(x) if mean else 1)


def _row_maximum(z):
    return z.max(axis=1, keepdims=True)


def _repaired_step_inputs():
    rng = np.random.default_rng(8)
    return [
        (np.zeros((3, 2)), rng.normal(size=(4, 3)), np.array([0, 1, 1, 0]), 0.1),
        (rng.normal(size=(5, 4)), rng.normal(size=(6, 5)), np.array([0, 3, 2, 1, 1, 0]), 0.5),
        (np.array([[4.0, -4.0], [2.0, 1.0]]), np.array([[250.0, 255.0]]), np.array([1]), 0.01),
        # Pixels from 0 to 255, and one nearly black image among them.
        (np.array([[4.0, -4.0], [2.0, 1.0]]), np.array([[255.0, 250.0], [0.0, 1.0], [-250.0, 3.0]]), np.array([0, 1, 0]), 0.01),
    ]  # fmt: skip


repaired_step = Coding(
    topic=TOPIC,
    name="repaired_step",
    reference=_repaired_step,
    also_correct=(_repaired_step_by_loop,),
    inputs=_repaired_step_inputs,
    mistakes=(
        Mistake(
            lambda w, x, labels, rate: _step(w, x, labels, rate, lambda z: 0),
            "The weights come back now, so the loss moves. But with pixels up to 255 your exp still overflows, and "
            "infinity divided by infinity is NaN.",
        ),
        Mistake(
            lambda w, x, labels, rate: w.copy(),
            "You return the weights as they came in. Where does the update go?",
        ),
        Mistake(
            lambda w, x, labels, rate: _step(w, x, labels, rate, np.max),
            "One maximum for the whole table: in the rows far below it every exp becomes 0, and 0/0 is NaN. Each row "
            "needs its own.",
        ),
        Mistake(
            lambda w, x, labels, rate: _step(w, x, labels, rate, _row_maximum, sign=1.0),
            "You go up the gradient instead of down: the loss will grow.",
        ),
        Mistake(
            lambda w, x, labels, rate: _step(w, x, labels, rate, _row_maximum, mean=False),
            "You take the sum over the batch. With the mean, the step does not grow with the batch.",
        ),
    ),
    hints=(
        "Why does the loss not move? After `w = w - …` the name `w` means a new array. Who outside can see it?",
        "Why NaN? Print `np.exp(x @ w).max()` for pixels from 0 to 255.",
        "Softmax does not change if you take the largest logit of a row off the whole row (lesson 03).",
    ),
    why="Two of the commonest bugs: an update that nobody receives, and an exp that overflows.",
)


# ---- standardise --------------------------------------------------------------------------------


def _standardise(train, val):
    mean, std = train.mean(axis=0), train.std(axis=0)
    std = np.where(std == 0, 1, std)  # a pixel that never varies carries nothing: it becomes 0
    return (train - mean) / std, (val - mean) / std


def _standardise_with_a_mask(train, val):
    mean, std = np.mean(train, 0), np.std(train, 0)
    std[std == 0] = 1
    return tuple((part - mean) / std for part in (train, val))


def _with(mean, std):
    return lambda part: (part - mean) / std


def _standardise_leaking(train, val):
    everything = np.concatenate([train, val])
    std = everything.std(axis=0)
    scale = _with(everything.mean(axis=0), np.where(std == 0, 1, std))
    return scale(train), scale(val)


def _standardise_each(train, val):
    return _standardise(train, train)[0], _standardise(val, val)[0]


def _standardise_naive(train, val):
    scale = _with(train.mean(axis=0), train.std(axis=0))
    return scale(train), scale(val)


def _standardise_epsilon(train, val):
    scale = _with(train.mean(axis=0), train.std(axis=0) + 1e-8)
    return scale(train), scale(val)


def _standardise_one_scale(train, val):
    scale = _with(train.mean(), train.std())
    return scale(train), scale(val)


def _standardise_broken(train, val):
    everything = np.concatenate([train, val])
    scale = _with(everything.mean(axis=0), everything.std(axis=0))
    return scale(train), scale(val)


def _standardise_inputs():
    rng = np.random.default_rng(9)
    train, val = rng.normal(0.4, 0.2, (6, 5)), rng.normal(0.6, 0.3, (4, 5))
    train[:, 0] = val[:, 0] = 0.0  # background in every image
    train[:, 3], val[:, 3] = 0.0, [0.0, 0.0, 0.25, 0.0]  # background in every training image, not in every other
    other = rng.random((5, 3)), rng.random((3, 3))
    other[0][:, 1] = other[1][:, 1] = 1.0
    return [(train, val), other]


standardise = Coding(
    topic=TOPIC,
    name="standardise",
    reference=_standardise,
    also_correct=(_standardise_with_a_mask,),
    inputs=_standardise_inputs,
    mistakes=(
        Mistake(
            _standardise_broken,
            "This is still the broken version: it divides by 0, and the mean and the deviation know the validation images.",
        ),
        Mistake(
            _standardise_leaking,
            "No NaN any more. But the mean and the deviation are still computed from both parts: what will be "
            "validated has been seen.",
        ),
        Mistake(
            _standardise_each,
            "Each part is scaled by its own numbers. Then the same image has other values in the two parts, and a "
            "single new patient could not be scaled at all.",
        ),
        Mistake(
            _standardise_naive,
            "No leak any more. But a pixel that is the same in all training images has the deviation 0, and 0/0 is NaN.",
        ),
        Mistake(
            _standardise_epsilon,
            "A tiny number avoids the NaN. But a new image that differs in that pixel is divided by the tiny number, "
            "and one pixel then outshouts the rest. Divide such pixels by 1.",
        ),
        Mistake(
            _standardise_one_scale,
            "That is one mean and one deviation for the whole image, a fine choice, but here each pixel has its own.",
        ),
    ),
    hints=(
        "Which images may the mean and the deviation be computed from? What would you do with one new patient?",
        "`std == 0` marks the pixels that never vary in training.",
        "`np.where(std == 0, 1, std)` puts a 1 in their place.",
    ),
    why="What is learned from data, and a mean is, is learned from the training patients alone.",
)
