"""Exercises of the lesson on training well."""

import math

import numpy as np
from scipy import special

from course_lib.exercises import Choice, Coding, Mistake, Wrong, progress

TOPIC = "training_well"


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


def _class_weights(labels, classes):
    counts = np.bincount(labels, minlength=classes)
    return len(labels) / (classes * counts)  # each class then weighs n / classes in total


def _class_weights_by_loop(labels, classes):
    labels = list(labels)
    return [len(labels) / classes / labels.count(c) for c in range(classes)]


def _class_weights_from_one_hot(labels, classes):
    return 1 / np.eye(classes)[labels].mean(axis=0) / classes


def _per_class(change):
    """The answer that returns change(counts) where the right one returns n / (classes · counts)."""
    return lambda labels, classes: change(np.bincount(labels, minlength=classes))


class_weights = Coding(
    topic=TOPIC,
    name="class_weights",
    reference=_class_weights,
    also_correct=(_class_weights_by_loop, _class_weights_from_one_hot),
    inputs=lambda: [
        (np.array([0, 0, 0, 1]), 2),
        (np.array([2, 0, 1, 0, 0, 2, 0, 0, 0, 0]), 3),
        (np.repeat([0, 1, 2, 3], [50, 30, 15, 5]), 4),
        (np.array([1, 0, 2, 1, 0, 2]), 3),  # all equally frequent
        (np.repeat(np.array([4, 3, 2, 1, 0], np.uint8), [7, 100, 2, 300, 3]), 5),
        (np.array([0, 0, 0]), 1),
    ],
    mistakes=(
        Mistake(
            _per_class(lambda counts: counts.sum() / counts),
            "Your results have the right proportions, but their mean over all images is not 1. By which factor are they off?",
        ),
        Mistake(_per_class(lambda counts: 1 / counts), "Your results shrink as the data grow, and so would the steps."),
        Mistake(_per_class(lambda counts: counts / counts.sum()), "Your results favour the common class."),
        Mistake(
            _per_class(lambda counts: 1 / counts / (1 / counts).sum()),
            "Your results add up to 1 over the classes. It is the mean over the images that must be 1.",
        ),
        Mistake(
            _per_class(lambda counts: 1 / counts / (1 / counts).mean()),
            "Your results have the mean 1 over the classes. The mean over the images, most of them common ones, must be 1.",
        ),
        Mistake(
            _per_class(lambda counts: counts.max() / counts),
            "Your results are 1 for the commonest class and more for the others, so their mean over the images exceeds 1.",
        ),
    ),
    wrong=(
        Wrong(lambda k, n: np.round(_class_weights(k, n), 1), (np.array([0, 0, 1]), 2)),
        Wrong(lambda k, n: len(k) // (n * np.bincount(k)), (np.array([0, 0, 1]), 2)),
        Wrong(lambda k, n: np.sort(_class_weights(k, n)), (np.array([0, 1, 1]), 2)),
        Wrong(lambda k, n: _class_weights(k, n)[::-1], (np.array([0, 1, 1]), 2)),
        Wrong(lambda k, n: _class_weights(k, n)[k], (np.array([0, 1, 1]), 2)),
        Wrong(lambda k, n: _class_weights(k, 4) * 4 / 3, (np.array([0, 1, 1]), 2)),
        Wrong(lambda k, n: len(k) / (n * (np.bincount(k) + 1)), (np.array([0, 1, 1]), 2)),
        Wrong(lambda k, n: np.minimum(_class_weights(k, n), 10), (np.repeat([0, 1], [99, 1]), 2)),
        Wrong(lambda k, n: dict(enumerate(_class_weights(k, n))), (np.array([0, 1, 1]), 2)),
        Wrong(lambda k, n: _class_weights(k, n)[:4], (np.arange(6), 6)),
    ),
    hints=(
        "If a class has half as many images, each of them must count twice as much.",
        "With n images and k classes, each class should weigh n/k in total. How much is that for each of its images?",
        "`np.bincount(labels, minlength=classes)` counts the images of each class.",
    ),
    why="Every class now pulls equally hard, and the steps keep their size. scikit-learn calls this `balanced`.",
)


one_rate = Choice(
    topic=TOPIC,
    name="one_rate",
    answer="c",
    replies={
        "a": "At this rate, yes. But SGD may want a rate ten times larger, and nobody tried it.",
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


def _choose_rate(rates, val_accuracy, test_accuracy):
    best = np.argmax(np.mean(val_accuracy, axis=1))  # rows are rates, columns are seeds
    return rates[best], np.mean(test_accuracy[best])


def _choose_rate_by_sorting(rates, val_accuracy, test_accuracy):
    rows = zip(val_accuracy.mean(1).tolist(), rates.tolist(), test_accuracy.mean(1).tolist(), strict=True)
    return np.array(sorted(rows)[-1][1:])


def _chosen(of_seeds, reported=np.mean):
    """The answer that chooses by of_seeds(a row of the validation table) and reports reported(that row of the test's)."""

    def answer(rates, val, test):
        best = max(range(len(rates)), key=lambda place: of_seeds(val[place]))
        return rates[best], reported(test[best])

    return answer


def _choose_rate_inputs():
    rates = np.array([0.001, 0.01, 0.1, 1.0])
    val = np.array([[0.50, 0.52, 0.51], [0.62, 0.64, 0.63], [0.55, 0.75, 0.53], [0.25, 0.27, 0.26]])
    test = np.array([[0.66, 0.67, 0.68], [0.57, 0.61, 0.56], [0.61, 0.64, 0.62], [0.24, 0.25, 0.26]])
    broken = np.array([[0.40, 0.44, 0.42], [0.57, 0.55, 0.53], [0.58, 0.56, 0.48], [0.80, 0.25, 0.25]])
    uneven = np.array([[0.60, 0.60, 0.60, 0.60, 0.60], [0.57, 0.70, 0.71, 0.58, 0.59]])
    uneven_test = np.array([[0.55, 0.58, 0.61, 0.57, 0.52], [0.66, 0.52, 0.51, 0.53, 0.54]])
    falling = np.array([0.3, 0.1, 0.003])
    return [
        (rates, val, test),
        (rates, broken, test[::-1].copy()),
        (np.array([0.01, 0.1]), uneven, uneven_test),
        (falling, np.array([[31, 35], [52, 35], [42, 46]]), np.array([[52, 51], [38, 45], [44, 49]])),  # per cent
        (falling, np.array([[0.3], [0.4], [0.5]]), np.array([[0.31], [0.52], [0.46]])),  # one seed
        (falling, np.array([[0.95, 0.22], [0.57, 0.58], [0.4, 0.5]]), np.array([[0.5, 0.4], [0.3, 0.2], [0.4, 0.6]])),
    ]


choose_rate = Coding(
    topic=TOPIC,
    name="choose_rate",
    reference=_choose_rate,
    also_correct=(_choose_rate_by_sorting, _chosen(np.mean)),
    inputs=_choose_rate_inputs,
    mistakes=(
        Mistake(
            lambda rates, val, test: _choose_rate(rates, test, test),
            "Your results are those of the rate with the best test accuracy. Then it is no longer a test, but too good.",
        ),
        Mistake(_chosen(np.max), "Your results are those of the best single run. It may be lucky: the mean decides."),
        Mistake(_chosen(np.median), "Your results are those of the best median. Defensible, but the mean decides."),
        Mistake(
            lambda rates, val, test: (int(np.argmax(np.mean(val, axis=1))), _choose_rate(rates, val, test)[1]),
            "Your first value is the place in the list. The rate itself was asked for.",
        ),
        Mistake(
            lambda rates, val, test: _choose_rate(rates, val, val),
            "Your rates are right. Your second values are the validation accuracies they won with: too good on average.",
        ),
        Mistake(_chosen(np.mean, np.max), "Your rates are right, but your second values are the best test run's."),
    ),
    wrong=(
        Wrong(_chosen(np.min), _choose_rate_inputs()[2]),
        Wrong(_chosen(lambda row: row[-1]), _choose_rate_inputs()[2]),
        Wrong(_chosen(lambda row: np.mean(row) - np.std(row)), _choose_rate_inputs()[2]),
        Wrong(_chosen(lambda row: np.mean(row[:2])), _choose_rate_inputs()[0]),
        Wrong(_chosen(lambda row: np.mean(row**2)), _choose_rate_inputs()[3]),
        Wrong(_chosen(np.mean, np.median), _choose_rate_inputs()[0]),
        Wrong(_chosen(np.mean, lambda row: row[0]), _choose_rate_inputs()[0]),
        Wrong(_chosen(np.mean, lambda row: np.round(np.mean(row), 2)), _choose_rate_inputs()[2]),
        Wrong(_chosen(np.mean, lambda row: row), _choose_rate_inputs()[0]),
        Wrong(lambda r, val, test: (_choose_rate(r, val, test)[0], test.mean(1).max()), _choose_rate_inputs()[0]),
        Wrong(lambda r, val, test: _choose_rate(np.sort(r), val, test), _choose_rate_inputs()[5]),
        Wrong(lambda r, val, test: _choose_rate(r, val, test)[::-1], _choose_rate_inputs()[0]),
    ),
    hints=(
        "First the mean of each row of `val_accuracy`, then the row where it is largest.",
        "`np.mean(…, axis=1)` goes along the rows, `np.argmax` gives the place of the largest.",
        "Only when the row is chosen, look at `test_accuracy`, and only at that row.",
    ),
    why="Chosen on validation, as a mean over seeds. The test is opened once, at the end, for the chosen rate alone.",
)


def _warm_cosine(step, steps, warm, peak):
    if step < warm:
        return peak * step / warm
    done = (step - warm) / (steps - warm)  # 0 when the warm-up is over, 1 at the end
    return peak * (1 + math.cos(math.pi * done)) / 2


def _warm_cosine_with_numpy(step, steps, warm, peak):
    turn = np.pi * np.clip((step - warm) / (steps - warm), 0, 1)
    return np.where(step < warm, peak * step / max(warm, 1), peak * np.cos(turn / 2) ** 2)


def _after(fall, rise=lambda part: part):
    """The answer with another fall, of (step, steps, warm), behind the warm-up, or another rise, of step / warm."""
    return lambda step, steps, warm, peak: peak * (rise(step / warm) if step < warm else fall(step, steps, warm))


def _half_wave(part):
    return (1 + math.cos(math.pi * part)) / 2


def _done(step, steps, warm):
    return (step - warm) / (steps - warm)


warm_cosine = Coding(
    topic=TOPIC,
    name="warm_cosine",
    reference=_warm_cosine,
    also_correct=(_warm_cosine_with_numpy, _after(lambda s, n, w: math.sin(math.pi * (n - s) / (n - w) / 2) ** 2)),
    inputs=lambda: [
        *((step, 100, 10, 0.1) for step in (5, 0, 10, 40, 55, 100)),  # 10: the peak, 55: half-way down
        *((step, 20, 0, 0.5) for step in (0, 5)),  # no warm-up
        *((step, 9, 7, 1) for step in (6, 8)),
        *((300, 456, 45, 3), (99, 100, 10, 2.0), (1, 5, 1, 0.2), (19_999, 40_000, 20_000, 8.0)),
    ],
    mistakes=(
        Mistake(_after(lambda s, n, w: _half_wave(s / n)), "Your results are those of a cosine that starts at step 0."),
        Mistake(
            _after(lambda step, steps, warm: _half_wave((step - warm) / steps)),
            "Your results are those of a cosine stretched over all steps. Only steps − warm are left: it ends above 0.",
        ),
        Mistake(
            _after(lambda step, steps, warm: math.cos(math.pi * _done(step, steps, warm))),
            "Your results are those of a bare cosine, which is negative from half-way on. Lift it and halve it.",
        ),
        Mistake(
            _after(lambda step, steps, warm: _half_wave(2 * _done(step, steps, warm))),
            "Your results are those of a whole wave: it comes back up to the peak at the end.",
        ),
        Mistake(
            lambda step, steps, warm, peak: min(1.0, step / max(warm, 1)) * peak * _half_wave(step / steps),
            "Your results are those of the warm-up times a cosine from step 0 on. The two parts follow each other.",
        ),
        Mistake(_after(lambda s, n, w: 1 - _done(s, n, w)), "Your results fall along a straight line, not a cosine."),
        Mistake(
            _after(lambda step, steps, warm: math.cos(math.pi / 2 * _done(step, steps, warm))),
            "Your results after the warm-up are those of a quarter of a wave. Half a wave comes to 0 slowly, too.",
        ),
    ),
    wrong=(
        Wrong(lambda s, n, w, top: _warm_cosine(s, n, w, 0.1), (40, 100, 10, 1.0)),
        Wrong(lambda s, n, w, top: _warm_cosine(s, 100, w, top), (40, 200, 10, 1.0)),
        Wrong(lambda s, n, w, top: _warm_cosine(s, n, n // 10, top), (40, 100, 30, 1.0)),
        Wrong(lambda s, n, w, top: _warm_cosine(s, n + w, w, top), (40, 100, 10, 1.0)),
        Wrong(lambda s, n, w, top: _warm_cosine(s, n - 1, w, top), (40, 100, 10, 1.0)),
        Wrong(lambda s, n, w, top: _warm_cosine(min(s + 1, n), n, w, top), (3, 100, 10, 1.0)),
        Wrong(lambda s, n, w, top: max(_warm_cosine(s, n, w, top), 0.01 * top), (100, 100, 10, 1.0)),
        Wrong(lambda s, n, w, top: round(_warm_cosine(s, n, w, top), 3), (41, 100, 10, 1.0)),
        Wrong(lambda s, n, w, top: top * (s // w) if s < w else _warm_cosine(s, n, w, top), (5, 100, 10, 1.0)),
        Wrong(lambda s, n, w, top: _warm_cosine(max(s, w), n, w, top), (5, 100, 10, 1.0)),  # no warm-up
        Wrong(lambda s, n, w, top: _warm_cosine(min(s, w), n, w, top), (40, 100, 10, 1.0)),  # constant after it
        Wrong(_after(lambda s, n, w: 1 - _half_wave(_done(s, n, w))), (20, 100, 10, 1.0)),
        Wrong(_after(lambda s, n, w: _half_wave(_done(s, n, w)), lambda part: 1 - _half_wave(part)), (3, 100, 10, 1.0)),
        Wrong(lambda s, n, w, top: float("nan") if s == n else _warm_cosine(s, n, w, top), (100, 100, 10, 1.0)),
    ),
    hints=(
        "Two cases: during the warm-up a straight line from 0 to the peak; after it the cosine.",
        "After the warm-up, how far along are you, as a number from 0 to 1? Only steps − warm steps are left.",
        "(1 + cos(π·progress)) / 2 runs from 1 to 0.",
    ),
    why="Small steps while the weights are still random, large ones in the middle, small ones again to settle.",
)


validation_at_chance = Choice(
    topic=TOPIC,
    name="validation_at_chance",
    answer="a",
    replies={
        "a": "In `fit` batch norm uses the batch, in `predict` its running averages. After few steps these are still near "
        "what they were at the start, and the layers after it see numbers they were never trained on.",
        "b": "Then the training accuracy would not rise either.",
        "c": "An unlucky split costs some points. It cannot cost everything.",
        "d": "Overfitting comes late: validation first gets better with training, and then worse. It does not stay at "
        "chance from the first epoch on.",
    },
    hints=(
        "Which of these explains that validation is bad from the very first epoch on, while training works?",
        "What does a batch-norm layer do in `fit` that it does not do in `predict`?",
    ),
)


def _moving_mean(batch_means, momentum):
    running = 0.0  # where Keras starts
    for mean in batch_means:
        running = momentum * running + (1 - momentum) * mean
    return running


def _moving_mean_as_weights(batch_means, momentum):
    age = np.arange(len(batch_means))[::-1]
    return float(np.sum((1 - momentum) * momentum**age * np.asarray(batch_means)))


def _moving_mean_by_correction(batch_means, momentum):
    running = np.float32(0)
    for mean in batch_means:
        running += np.float32((1 - momentum) * (mean - running))
    return running


def _running(batch_means, momentum, start=0.0, keep=None, share=None):
    """The running mean with another start, or another share of the old value or of the batch."""
    for mean in batch_means:
        start = (momentum if keep is None else keep) * start + (1 - momentum if share is None else share) * mean
    return start


moving_mean = Coding(
    topic=TOPIC,
    name="moving_mean",
    reference=_moving_mean,
    also_correct=(_moving_mean_as_weights, _moving_mean_by_correction),
    inputs=lambda: [
        ([2.0], 0.9),
        ([5.0, 5.0, 5.0], 0.5),
        ([1.5, -2.0, 4.25, 3.0], 0.75),
        ([5.0] * 30, 0.99),
        (np.array([3, -1, 4, 1, -5]), 0.8),
        (np.array([7, 7]), 0.0),  # forgets all but the last batch
        (np.linspace(-300.0, 900.0, 7), 0.6),
        ([0.0, 0.0, 8.0, 0.0], 0.9),
    ],
    mistakes=(
        Mistake(
            lambda batch_means, momentum: _moving_mean(batch_means, 1 - momentum),
            "Your results are those of swapped weights: the momentum is the share of the old value that is kept.",
        ),
        Mistake(
            lambda batch_means, momentum: _running(batch_means[1:], momentum, batch_means[0]),
            "Your results are those of a start with the first batch: sensible, but Keras starts at 0. That is the trap.",
        ),
        Mistake(
            lambda batch_means, momentum: float(np.mean(batch_means)),
            "Your results are the plain means of all batches. The running mean forgets old batches little by little.",
        ),
        Mistake(
            lambda batch_means, momentum: _running(batch_means, momentum, share=1),
            "Your results are those of new batches at full weight. The two weights must add up to 1.",
        ),
        Mistake(
            lambda batch_means, momentum: _moving_mean(batch_means, momentum) / (1 - momentum ** len(batch_means)),
            "Your results are corrected for the start at 0, as Adam's are (lesson 04). Batch norm does not do that.",
        ),
        Mistake(
            lambda batch_means, momentum: _running(batch_means, momentum, 1.0),
            "Your results are those of a start at 1. That is where Keras starts the variance; the mean starts at 0.",
        ),
    ),
    wrong=(
        Wrong(lambda means, m: _moving_mean(means, 0.99), ([1.0, 2.0], 0.9)),
        Wrong(lambda means, m: _moving_mean(means[::-1], m), ([1.0, 2.0], 0.9)),
        Wrong(lambda means, m: _moving_mean(means[:-1], m), ([1.0, 2.0], 0.9)),
        Wrong(lambda means, m: _moving_mean(np.sort(means), m), ([2.0, 1.0], 0.9)),
        Wrong(lambda means, m: round(_moving_mean(means, m), 2), ([1.0, 2.0, 3.0], 0.77)),
        Wrong(lambda means, m: int(_moving_mean(means, m)), ([1.0, 2.0], 0.9)),
        Wrong(lambda means, m: max(_moving_mean(means, m), 0.0), ([-1.0, -2.0], 0.9)),
        Wrong(lambda means, m: (1 - m) * np.sum(means), ([1.0, 2.0], 0.9)),
        Wrong(lambda means, m: (1 - m**2) * means[-1], ([1.0, 2.0, 2.0], 0.9)),
        Wrong(lambda means, m: _running(means, m, keep=1), ([1.0, 2.0], 0.9)),
        Wrong(lambda means, m: float("nan"), ([1.0, 2.0], 0.9)),
    ),
    hints=(
        "Start at 0. Each batch replaces a small share of the running mean.",
        "new = momentum · old + (1 − momentum) · mean of the batch.",
    ),
    why="After k steps a share of momentum to the power of k is still the start value: with 0.99 and 30 steps, three quarters.",
)


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


def _early_stopping_from_lows(val_losses, patience):
    lows = np.minimum.accumulate(val_losses)
    epochs = np.flatnonzero(np.r_[True, lows[1:] < lows[:-1]]) + 1  # with a new low
    last = epochs[np.append(np.diff(epochs) > patience, True)][0]  # the first one behind which patience runs out
    return np.array([min(last + patience, len(val_losses)), last])


def _stopping(least=0.0, best=float("inf"), resets=True, against_previous=False, equal=False):
    """The answer that asks for a larger improvement, starts at another best, and so on."""

    def answer(val_losses, patience, best=best):
        best_epoch, waited, previous = 0, 0, best
        for epoch, loss in enumerate(val_losses, start=1):
            new_low = loss < best - least or equal and loss == best
            best, best_epoch = (loss, epoch) if new_low else (best, best_epoch)
            low = loss < previous if against_previous else new_low
            waited = (0 if resets else waited) if low else waited + 1
            previous = loss
            if waited == patience:
                break
        return epoch, best_epoch

    return answer


_PLATEAU = ([1.0, 0.9, 0.9, 0.9, 0.9, 0.9], 2)  # an equal loss is no new low
_SMALL_STEPS = ([0.5, 0.4999, 0.4998, 0.4997, 0.4996], 1)

early_stopping = Coding(
    topic=TOPIC,
    name="early_stopping",
    reference=_early_stopping,
    also_correct=(_early_stopping_by_distance, _early_stopping_from_lows),
    inputs=lambda: [
        ([1.4, 1.2, 1.1, 1.15, 1.2, 1.3], 2),
        ([1.4, 1.2, 1.3, 1.1, 1.2, 1.0, 1.05, 1.02, 1.04, 0.5], 3),
        ([1.0, 0.9, 0.8], 2),
        ([1.0, 1.2, 1.1, 1.05, 0.9], 2),
        ([1.3, 1.2, 1.25, 1.24, 1.23, 1.22, 1.3], 3),
        *(_PLATEAU, ([2.0, 1.5, 1.6, 1.5, 1.7, 1.5, 1.0], 4), _SMALL_STEPS),
        (np.array([50, 30, 20, 12, 15, 12, 11, 10]), 3),
        *(([0.7], 1), ([0.7, 0.8, 0.1], 1), ([0.9, 0.8, 0.8], 5)),  # the last ends before patience does
        ([1.3, 1.2, 1.25, 1.1, 1.0, 1.1, 0.9, 1.1, 0.8, 1.1, 1.2, 1.3, 1.4, 0.2], 4),
    ],
    mistakes=(
        Mistake(_stopping(resets=False), "Your results are those of a count that no new low sets back to 0."),
        Mistake(_stopping(against_previous=True), "Your results are those of a comparison with the epoch before."),
        Mistake(_stopping(equal=True), "Your results are those of equal losses counted as new lows."),
        Mistake(lambda v, p: (_early_stopping(v, p)[0],) * 2, "Your results keep the last weights, not the best."),
        Mistake(lambda v, p: tuple(n - 1 for n in _early_stopping(v, p)), "Your results count the epochs from 0."),
        Mistake(lambda v, p: _early_stopping(v, p + 1), "Your results wait one epoch longer than `patience`."),
        Mistake(
            lambda val_losses, patience: (_early_stopping(val_losses, patience)[0], int(np.argmin(val_losses)) + 1),
            "Some of your best epochs lie after the stop: those epochs were never trained.",
        ),
        Mistake(lambda v, p: (len(v), int(np.argmin(v)) + 1), "Your results never stop before the end of the list."),
    ),
    wrong=(
        Wrong(_stopping(least=0.01), _SMALL_STEPS),
        Wrong(_stopping(least=1e-3), _SMALL_STEPS),
        Wrong(_stopping(best=1.4), ([1.5, 1.6, 1.7], 2)),
        Wrong(_stopping(best=10), ([12.0, 11.0, 13.0, 14.0], 2)),
        Wrong(lambda v, p: _early_stopping(v, max(p - 1, 1)), ([1.0, 1.1, 1.2, 1.3], 2)),
        Wrong(lambda v, p: _early_stopping(v, 3), ([1.0, 1.1, 1.2, 1.3], 2)),
        Wrong(lambda v, p: _early_stopping(v, p)[::-1], ([1.0, 1.1, 1.2], 2)),
        Wrong(lambda v, p: (_early_stopping(v, p)[0], _early_stopping(v, p)[0] - p), ([1.0, 0.9], 2)),
        Wrong(lambda v, p: (_early_stopping(v, p)[0], min(v)), ([0.8, 1.1, 1.2], 2)),
        Wrong(lambda v, p: (len(v), _early_stopping(v, p)[1]), ([1.0, 1.1, 1.2, 1.3], 2)),
        Wrong(lambda v, p: (_early_stopping(v, p)[0], _stopping(equal=True)(v, p)[1]), ([1.0, 1.0, 1.1], 2)),
        Wrong(lambda v, p: _early_stopping(np.asarray(v, int), p), ([1.9, 1.8, 1.7, 1.6], 2)),
        Wrong(lambda v, p: _early_stopping(np.float16(v), p), _SMALL_STEPS),
    ),
    hints=(
        "Walk through the losses and keep three things: the best loss, its epoch, and how many epochs ago that was.",
        "A new low: remember it, and set the count to 0. Otherwise: count one up, and stop when it reaches `patience`.",
    ),
    why="This is Keras' EarlyStopping with restore_best_weights=True, in eight lines.",
)


def _repaired_step(w, x, labels, rate):
    z = x @ w
    p = np.exp(z - z.max(axis=1, keepdims=True))  # no exp of a large number: no infinity, no NaN
    p = p / p.sum(axis=1, keepdims=True)
    p[np.arange(len(x)), labels] -= 1
    return w - rate * x.T @ p / len(x)  # handed back to the caller


def _repaired_step_by_loop(w, x, labels, rate):
    new = w.astype(float)
    for row, label in zip(x, labels, strict=True):
        z = row @ w
        p = np.exp(z - np.logaddexp.reduce(z))
        new -= rate * np.outer(row, p - np.eye(len(p))[label]) / len(x)
    return new


def _down(gradient_of):
    """The answer that goes down the slope of gradient_of(logits, one-hot labels)."""
    return lambda w, x, k, rate: w - rate * x.T @ gradient_of(x @ w, np.eye(w.shape[1])[k]) / len(x)


def _softmax(z, shift=0.0, dtype=float):
    p = np.exp((z - shift).astype(dtype))
    return (p / p.sum(axis=1, keepdims=True)).astype(float)


_CLOSE = (np.array([[2.0, 2.1]]), np.array([[400]]), np.array([0]), 0.01)  # two logits beyond overflow, near each other
_FAR = (np.array([[0, 1, 0]]), np.array([[2000]]), np.array([0]), 0.0001)
_SIXTEEN_BIT = (np.array([[1.0, 1.0], [0.5, 0.5001]]), np.array([[40_000, 30_000]], np.uint16), np.array([0]), 1e-5)
_PLAIN = (np.array([[0.5, -0.2, 0.1], [0.3, 0.0, 0.7]]), np.array([[1.0, 2.0], [0.5, -1.0]]), np.array([2, 0]), 0.5)


def _repaired_step_inputs():
    rng = np.random.default_rng(8)
    crossed = np.array([[4.0, -4.0], [2.0, 1.0]])
    return [
        _PLAIN,
        (np.zeros((3, 2)), rng.normal(size=(4, 3)), np.array([0, 1, 1, 0]), 0.1),
        (rng.normal(size=(5, 4)), rng.normal(size=(6, 5)), np.array([0, 3, 2, 1, 1, 0]), 0.5),
        (crossed, np.array([[250.0, 255.0]]), np.array([1]), 0.01),
        # Pixels from 0 to 255, and one nearly black image among them.
        (crossed, np.array([[255.0, 250.0], [0.0, 1.0], [-250.0, 3.0]]), np.array([0, 1, 0]), 0.01),
        _FAR,
        (crossed, np.array([[0.3, 0.1], [900.0, 0.2], [0.2, 0.4]]), np.array([1, 0, 0]), 0.2),
        _CLOSE,
        (np.array([[-3, -2, -3], [-1, -1, -1]]), np.array([[255, 254], [254, 250]], np.uint8), np.array([1, 2]), 0.1),
        _SIXTEEN_BIT,
        (rng.normal(size=(3, 5)).astype(np.float32), rng.random((2, 3), np.float32), np.array([4, 4]), 1.5),
    ]


repaired_step = Coding(
    topic=TOPIC,
    name="repaired_step",
    reference=_repaired_step,
    also_correct=(_repaired_step_by_loop, _down(lambda z, one_hot: special.softmax(z, axis=1) - one_hot)),
    inputs=_repaired_step_inputs,
    mistakes=(
        Mistake(
            _down(lambda z, one_hot: _softmax(z) - one_hot),
            "Your weights come back now. But with large pixels your results are still those of an exp that overflows.",
        ),
        Mistake(
            lambda w, x, labels, rate: w.copy(),
            "Your results are the weights as they came in. Where does the update go?",
        ),
        Mistake(
            _down(lambda z, one_hot: _softmax(z, z.max()) - one_hot),
            "Your results are those of one maximum for the whole table: far below it, 0/0 is NaN. Each row needs its own.",
        ),
        Mistake(
            _down(lambda z, one_hot: one_hot - special.softmax(z, axis=1)),
            "Your results go up the gradient instead of down: the loss will grow.",
        ),
        Mistake(
            _down(lambda z, one_hot: len(z) * (special.softmax(z, axis=1) - one_hot)),
            "Your results are those of the sum over the batch. With the mean, steps do not grow with the batch.",
        ),
        Mistake(
            _down(lambda z, one_hot: special.softmax(np.clip(z, -500, 500), axis=1) - one_hot),
            "Your results are those of logits cut off at ±500. There is no NaN, but two large logits become equal.",
        ),
    ),
    wrong=(
        Wrong(_down(lambda z, t: special.softmax(np.clip(z, -700, 700), axis=1) - t), _CLOSE),
        Wrong(_down(lambda z, t: np.nan_to_num(_softmax(z), nan=1.0) - t), _CLOSE),
        Wrong(_down(lambda z, t: np.nan_to_num(_softmax(z)) - t), _CLOSE),
        Wrong(_down(lambda z, t: np.nan_to_num(_softmax(z), nan=1 / z.shape[1]) - t), _CLOSE),
        Wrong(_down(lambda z, t: _softmax(z, 0, np.longdouble) - t), _SIXTEEN_BIT),
        Wrong(_down(lambda z, t: _softmax(z, z.mean(axis=1, keepdims=True)) - t), _FAR),
        Wrong(_down(lambda z, t: special.softmax(z / max(1, np.abs(z).max()), axis=1) - t), _CLOSE),
        Wrong(_down(lambda z, t: special.softmax(z, axis=0) - t), _PLAIN),
        Wrong(_down(lambda z, t: special.expit(z) - t), _PLAIN),
        Wrong(_down(lambda z, t: np.clip(special.softmax(z, axis=1), 1e-2, 1) - t), _CLOSE),
        Wrong(lambda w, x, k, rate: _repaired_step(w, x, k, 0.1), _PLAIN),
        Wrong(lambda w, x, k, rate: _repaired_step(w, x, 0 * k, rate), _PLAIN),
        Wrong(lambda w, x, k, rate: _repaired_step(w, x / 255, k, rate), _PLAIN),
        Wrong(lambda w, x, k, rate: np.round(_repaired_step(w, x, k, rate), 2), _PLAIN),
        Wrong(lambda w, x, k, rate: _repaired_step(w, x, k, rate).astype(w.dtype), _FAR),
    ),
    hints=(
        "Why does the loss not move? After `w = w - …` the name `w` means a new array. Who outside can see it?",
        "Why NaN? Print `np.exp(x @ w).max()` for pixels from 0 to 255.",
        "Softmax does not change if you take the largest logit of a row off the whole row (lesson 03).",
    ),
    why="Two of the commonest bugs: an update that nobody receives, and an exp that overflows.",
)


def _standardise(train, val):
    mean = train.mean(axis=0)
    # The computed deviation of equal numbers need not be exactly 0: of six times 0.1 it is 1e-17. Compare the values.
    varies = train.max(axis=0) > train.min(axis=0)
    std = np.where(varies, train.std(axis=0), 1)  # a pixel that never varies carries nothing: it becomes 0
    return (train - mean) / std, (val - mean) / std


def _standardise_with_a_mask(train, val):
    mean, std = np.mean(train, 0), np.std(train, 0)
    std[np.ptp(train, 0) < 1e-9] = 1
    return tuple((part - mean) / std for part in (train, val))


def _standardise_with_a_threshold(train, val):
    mean, std = np.mean(train, axis=0), np.std(train, axis=0)
    return [[(row - mean) / np.where(std < 1e-8, 1, std) for row in part] for part in (train, val)]


def _scaled(of=lambda train, val: train, axis=0, deviation=np.std, steady=lambda part, std: part.max(0) == part.min(0)):
    """The answer with mean and deviation of another part, along another axis, or with another rule for steady pixels."""

    def answer(train, val):
        part = of(train, val)
        std = deviation(part, axis=axis)
        std = np.where(steady(part, std), 1, std)
        return tuple((images - part.mean(axis=axis)) / std for images in (train, val))

    return answer


def _then(change, answer=_standardise):
    """The answer whose parts are changed by change(train, part) afterwards."""
    return lambda train, val: tuple(change(train, part) for part in answer(train, val))


def _both(train, val):
    return np.concatenate([train, val])


def _standardise_inputs():
    rng = np.random.default_rng(9)
    train, val = rng.normal(0.4, 0.2, (6, 5)), rng.normal(0.6, 0.3, (4, 5))
    train[:, 0] = val[:, 0] = 0.0  # background in every image
    train[:, 3], val[:, 3] = 0.1, [0.1, 0.6, 0.1, 0.1]  # the same in every training image, not in every other
    other = rng.random((10, 3)), rng.random((1, 3))
    other[0][:, 1], other[1][:, 1] = 0.7, 0.4
    grey = rng.integers(0, 256, (5, 4)).astype(np.uint8), rng.integers(0, 256, (7, 4)).astype(np.uint8)
    grey[0][:, 2] = 17
    nearly = rng.random((6, 3)), rng.random((2, 3))
    nearly[0][:, 0] = [0.1, 0.1, 0.1, 0.102, 0.1, 0.1]  # varies, if only a little
    single = rng.random((7, 4), np.float32), rng.random((2, 4), np.float32)
    single[0][:, 3], single[1][:, 3] = 0.25, 0.75
    few = np.array([[0.0, 0.2], [0.0, 0.4], [0.0, 0.9]]), np.array([[0.0, 0.5], [0.25, 0.1]])
    return [few, (train, val), other, grey, nearly, single]


standardise = Coding(
    topic=TOPIC,
    name="standardise",
    reference=_standardise,
    also_correct=(_standardise_with_a_mask, _standardise_with_a_threshold, _scaled()),
    inputs=_standardise_inputs,
    mistakes=(
        Mistake(
            _scaled(_both, steady=lambda part, std: False),
            "Your results are still those of the broken version: divided by 0, and they know the validation images.",
        ),
        Mistake(
            _scaled(_both),
            "No NaN any more. But your results are those of numbers from both parts: the validation images have been used already.",
        ),
        Mistake(
            lambda train, val: (_standardise(train, train)[0], _standardise(val, val)[0]),
            "Your results are those of each part scaled by its own numbers. How would you scale a single new patient?",
        ),
        Mistake(
            _scaled(steady=lambda part, std: False),
            "No leak any more. But a pixel may be the same in all training images, and your results then divide by 0.",
        ),
        Mistake(
            _scaled(steady=lambda part, std: std == 0),
            "Your results are those of a deviation compared with 0. That of equal numbers need not be exactly 0: try "
            "`print(np.std([0.1] * 6))`.",
        ),
        Mistake(
            _scaled(deviation=lambda part, axis: part.std(axis=axis) + 1e-8, steady=lambda part, std: False),
            "Your results are those of a tiny number added to the deviation: no NaN, but a new image that differs in such "
            "a pixel becomes enormous there. Divide it by 1.",
        ),
        Mistake(_scaled(axis=None), "Your results are those of one mean and deviation for all pixels together."),
        Mistake(
            _scaled(deviation=lambda part, axis: part.std(axis=axis, ddof=1)),
            "Your results are those of `ddof=1` (n − 1, as in pandas). The task wants NumPy's deviation, divided by n.",
        ),
    ),
    wrong=(
        Wrong(_scaled(steady=lambda part, std: std < 1e-3), _standardise_inputs()[4]),
        Wrong(_scaled(steady=lambda part, std: np.all(part == 0, 0)), _standardise_inputs()[1]),
        Wrong(_scaled(deviation=lambda part, axis: np.maximum(part.std(axis), 0.01)), _standardise_inputs()[4]),
        Wrong(_scaled(lambda train, val: val), _standardise_inputs()[0]),
        Wrong(_scaled(lambda train, val: train[:3]), _standardise_inputs()[4]),
        Wrong(lambda a, b: (_standardise(a, b)[0], b), _standardise_inputs()[0]),
        Wrong(lambda a, b: (_standardise(a, b)[0], _scaled(_both)(a, b)[1]), _standardise_inputs()[4]),
        Wrong(_then(lambda a, part: np.clip(part, -3, 3)), _standardise_inputs()[3]),
        Wrong(_then(lambda a, part: np.where(np.ptp(a, 0) == 0, 0, part)), _standardise_inputs()[0]),
        Wrong(_then(lambda a, part: part[:, np.ptp(a, 0) > 0]), _standardise_inputs()[0]),
        Wrong(_then(lambda a, part: part.astype(np.float16)), _standardise_inputs()[3]),
        Wrong(_then(lambda a, part: np.nan_to_num(part), _scaled(steady=lambda *_: False)), _standardise_inputs()[0]),
    ),
    hints=(
        "Which images may the mean and the deviation be computed from? What would you do with one new patient?",
        "A pixel never varies if its largest training value equals its smallest. The computed deviation of equal numbers "
        "need not be exactly 0, so do not compare that with 0.",
        "`np.where(condition, 1, std)` puts a 1 where the condition holds.",
    ),
    why="What is learned from data, and a mean is, is learned from the training patients alone.",
)
