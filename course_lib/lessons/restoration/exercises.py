"""Exercises of the lesson on enhancement and restoration."""

import numpy as np

from course_lib.exercises import Choice, Coding, Mistake, Wrong, progress

TOPIC = "restoration"


def _psnr(truth, restored, mask):
    squared = (truth - restored)[mask == 1] ** 2  # only the pixels that were to be restored
    return 10 * np.log10(1 / squared.mean())


def _psnr_by_sums(truth, restored, mask):
    mse = np.sum(mask * (truth - restored) ** 2) / np.sum(mask)
    return -20 * np.log10(np.sqrt(mse))


def _of_error(change):
    """The answer that computes change(errors inside the mask)."""
    return lambda truth, restored, mask: change((truth - restored)[mask == 1])


def _psnr_inputs():
    rng = np.random.default_rng(0)
    noisy = [rng.random((2, *shape)) for shape in ((5, 3), (4, 8))]
    hole = np.zeros((4, 8))
    hole[1:3, 2:7] = 1
    return [
        (np.array([[0.2, 0.4, 0.9], [0.5, 0.1, 0.3]]), np.array([[0.3, 0.4, 0.5], [0.5, 0.4, 0.8]]), np.eye(2, 3)),
        (noisy[0][0], 0.9 * noisy[0][0] + 0.1 * noisy[0][1], np.ones((5, 3), int)),
        (noisy[1][0], noisy[1][1], hole),
        (np.array([[0, 1, 1, 0]]), np.array([[1, 1, 0, 0]]), np.array([[1, 1, 0, 1]])),  # black and white
        (np.full((3, 3), 0.5), np.full((3, 3), 0.5) + 1e-4 * np.eye(3), np.eye(3)),  # 80 dB
    ]


_PSNR_CASE = _psnr_inputs()[2]

psnr = Coding(
    topic=TOPIC,
    name="psnr",
    reference=_psnr,
    also_correct=(_psnr_by_sums,),
    inputs=_psnr_inputs,
    mistakes=(
        Mistake(
            lambda truth, restored, mask: 10 * np.log10(1 / ((truth - restored) ** 2).mean()),
            "Your results are those of a mean over all pixels. Those outside the mask were not to be restored.",
        ),
        Mistake(
            lambda truth, restored, mask: 10 * np.log10(1 / (mask * (truth - restored) ** 2).mean()),
            "Your results are those of errors set to 0 outside the mask, in a mean that still counts these pixels.",
        ),
        Mistake(
            _of_error(lambda e: 10 * np.log10((e**2).mean())),
            "Your results have the wrong sign: a smaller error has to give a larger PSNR.",
        ),
        Mistake(
            _of_error(lambda e: 10 * np.log(1 / (e**2).mean())),
            "Your results are those of the natural logarithm. Decibels are made with the logarithm to base ten.",
        ),
        Mistake(
            lambda truth, restored, mask: 20 * np.log10(truth.max()) + _psnr(truth, restored, mask),
            "Your results take the image's own maximum as the peak. It is the largest value that an image can have, 1.",
        ),
    ),
    wrong=(
        Wrong(_of_error(lambda e: 10 * np.log10(1 / np.median(e**2))), _PSNR_CASE),
        Wrong(_of_error(lambda e: 10 * np.log10(1 / e.mean() ** 2)), _PSNR_CASE),
        Wrong(_of_error(lambda e: 10 * np.log10(1 / e.var())), _PSNR_CASE),
        Wrong(_of_error(lambda e: (10 * np.log10(1 / np.maximum(e**2, 1e-9))).mean()), _PSNR_CASE),
        Wrong(_of_error(lambda e: 10 * np.log10(1 / (e**2).sum())), _PSNR_CASE),
        Wrong(_of_error(lambda e: 10 * np.log10(1 / ((e**2).mean() + 1e-8))), _psnr_inputs()[4]),
        Wrong(lambda truth, restored, mask: _psnr(truth, restored, 1 - mask), _PSNR_CASE),
        Wrong(lambda truth, restored, mask: np.round(_psnr(truth, restored, mask), 1), _PSNR_CASE),
    ),
    hints=(
        "First the mean squared error, over the pixels where `mask` is 1.",
        "`array[mask == 1]` picks those pixels.",
        "The signal's peak is 1 here. The ratio of its square to the mean squared error, then ten times `np.log10`.",
    ),
    why="Ten decibels more are a squared error ten times as small. And a hole's PSNR is not flattered by what was never lost.",
)


def _best_fill(values):
    return np.mean(values), np.median(values)  # the mean has the least squared error, the median the least absolute one


def _best_fill_by_search(values):
    candidates = np.linspace(min(values), max(values), 100_001)
    squared = sum((candidates - value) ** 2 for value in values)
    absolute = sum(np.abs(candidates - value) for value in values)
    return np.array([candidates[squared.argmin()], candidates[absolute.argmin()]])


def _best_fill_inputs():
    return [
        (np.array([0.0, 0.0, 1.0]),),
        (np.array([0.8, 0.2, 0.9, 0.85, 0.2]),),
        (np.array([7, 1, 0, 0, 13]),),
        (np.array([0.3, 0.85, 0.3, 0.3]),),  # an even number of them; the two in the middle are equal
        (np.array([0.62, -0.5, 0.31, 0.62, 0.05, 0.44, 0.9]),),
        (np.array([0.4]),),
    ]


best_fill = Coding(
    topic=TOPIC,
    name="best_fill",
    reference=_best_fill,
    also_correct=(_best_fill_by_search,),
    inputs=_best_fill_inputs,
    mistakes=(
        Mistake(
            lambda values: (np.median(values), np.mean(values)),
            "Your results are the right two, the wrong way round: the squared error comes first.",
        ),
        Mistake(
            lambda values: (np.mean(values),) * 2,
            "Your first result is right. But the absolute error is not smallest at the same place: try [0, 0, 1] by hand.",
        ),
        Mistake(
            lambda values: (np.median(values),) * 2,
            "Your second result is right. But one outlier weighs more once its distance is squared.",
        ),
        Mistake(
            lambda values: ((np.min(values) + np.max(values)) / 2,) * 2,
            "Your results are the middle between the extremes, which makes the *largest* error small, not the sum.",
        ),
    ),
    wrong=(
        Wrong(lambda values: (np.mean(values), values[len(values) // 2]), _best_fill_inputs()[1]),
        Wrong(lambda values: (np.mean(values), max(values, key=list(values).count)), _best_fill_inputs()[1]),
        Wrong(
            lambda values: (np.mean(values), min(values, key=lambda v: abs(v - np.mean(values)))),
            _best_fill_inputs()[4],
        ),
        Wrong(lambda values: (np.sqrt(np.mean(np.square(values))), np.median(values)), _best_fill_inputs()[1]),
        Wrong(lambda values: (np.mean(np.unique(values)), np.median(values)), _best_fill_inputs()[3]),
        Wrong(lambda values: (np.mean(values), np.median(np.unique(values))), _best_fill_inputs()[1]),
        Wrong(lambda values: tuple(np.clip(_best_fill(values), 0, 1)), _best_fill_inputs()[2]),
        Wrong(lambda values: tuple(np.round(_best_fill(values), 1)), _best_fill_inputs()[4]),
    ),
    hints=(
        "Take the values 0, 0, 1 and try a few fills between 0 and 1. Which has the smallest sum of squares?",
        "For the squares, each value pulls with its distance. For the absolute values, each pulls equally hard.",
    ),
    why="Where the truth may be one of several, a pixel loss is lowest for something in between, or for the middle one.",
)


def _generator_loss(truth, restored, fake, weight):
    pixel = np.abs(truth - restored).mean()
    adversarial = np.logaddexp(0, -fake).mean()  # −log sigmoid: small where the discriminator says "original"
    return pixel + weight * adversarial


def _generator_loss_by_parts(truth, restored, fake, weight):
    fake = np.asarray(fake, float)
    not_convinced = np.maximum(-fake, 0) + np.log1p(np.exp(-abs(fake)))
    return np.mean(abs(restored - truth)) + weight * np.mean(not_convinced)


def _generator_loss_inputs():
    rng = np.random.default_rng(2)
    draws = [(*rng.random((2, *shape)), rng.normal(0, 2, (3, 2))) for shape in ((4, 6), (2, 5))]
    return [
        (np.array([[0.1, 0.9]]), np.array([[0.3, 0.4]]), np.array([1.5, -0.5, 0.0]), 0.5),
        (*draws[0], 0.1),
        (*draws[1], 2.0),
        (np.array([[0, 1], [1, 0]]), np.array([[0, 1], [0, 0]]), np.array([[3, -2]]), 1),
        (np.full((2, 3), 0.5), np.full((2, 3), 0.25), np.array([-900.0, 800.0]), 0.5),  # an exp overflows
        (np.full((2, 2), 0.5, np.float32), np.zeros((2, 2), np.float32), np.array([-100, 90], np.float32), 0.25),
        (*draws[0], 0),
    ]


def _with_loss(adversarial, pixel=lambda error: np.abs(error).mean()):
    return lambda truth, restored, fake, weight: pixel(truth - restored) + weight * adversarial(fake)


def _fooled(fake):
    return np.logaddexp(0, -fake)


_LOSS_CASE = _generator_loss_inputs()[1]

generator_loss = Coding(
    topic=TOPIC,
    name="generator_loss",
    reference=_generator_loss,
    also_correct=(_generator_loss_by_parts,),
    inputs=_generator_loss_inputs,
    mistakes=(
        Mistake(
            _with_loss(lambda fake: np.logaddexp(0, fake).mean()),
            "Your results are low when the discriminator says *fake*: that is its own loss, not the generator's.",
        ),
        Mistake(
            _with_loss(lambda fake: -np.logaddexp(0, fake).mean()),
            "Your results are those of the minimax form, whose slope vanishes where the discriminator is sure.",
        ),
        Mistake(
            _with_loss(lambda fake: _fooled(fake).mean(), lambda error: (error**2).mean()),
            "Your results are those of the squared error (L2). The task asks for the absolute one (L1).",
        ),
        Mistake(
            lambda truth, restored, fake, weight: weight * np.abs(truth - restored).mean() + _fooled(fake).mean(),
            "Your results have the weight at the wrong term. With weight 0 the pixel loss has to be left alone.",
        ),
        Mistake(
            _with_loss(lambda fake: -fake.mean()),
            "Your results are those of the logits as they are. Here each is a yes-or-no answer, with cross-entropy.",
        ),
        Mistake(
            _with_loss(lambda fake: _fooled(fake).sum(), lambda error: np.abs(error).sum()),
            "Your results are sums. Take means over pixels and patches: the weight then means the same at any size.",
        ),
    ),
    wrong=(
        Wrong(_with_loss(lambda fake: -np.log(1 / (1 + np.exp(-fake))).mean()), _generator_loss_inputs()[4]),
        Wrong(_with_loss(lambda fake: _fooled(fake.mean())), _LOSS_CASE),
        Wrong(_with_loss(lambda fake: _fooled(fake).mean(), lambda error: np.abs(error.mean())), _LOSS_CASE),
        Wrong(_with_loss(lambda fake: _fooled(fake).mean(), lambda error: np.sqrt((error**2).mean())), _LOSS_CASE),
        Wrong(_with_loss(lambda fake: np.maximum(0, 1 - fake).mean()), _LOSS_CASE),
        Wrong(lambda t, r, fake, weight: np.abs(t - r).mean() - weight * _fooled(fake).mean(), _LOSS_CASE),
        Wrong(
            lambda t, r, fake, weight: np.abs(t - r).mean() + 0.1 * _fooled(fake).mean(), _generator_loss_inputs()[2]
        ),
    ),
    hints=(
        "Two terms: how far from the truth, and how little the discriminator is convinced.",
        "The cross-entropy of the answer “original” for a patch is minus the logarithm of that answer's probability.",
        "That probability is the sigmoid of the logit. `np.logaddexp` never overflows: lesson 04 has the formula.",
    ),
    why="The first term knows this patient's truth. The second knows only what slices usually look like.",
)


sharper = Choice(
    topic=TOPIC,
    name="sharper",
    answer="c",
    replies={
        "a": "Then more of B's differences would be those of the truth, and its agreement would be the higher one.",
        "b": "Noise has nothing to do with the truth, so it lowers the agreement, but it does not raise the edge strength.",
        "c": "Edge strength is detail times agreement. B has steeper edges where the truth has them, but a larger part of its "
        "detail is not the patient's, and its PSNR pays for that.",
        "d": "PSNR measures the distance to the truth, and it noticed something true. It does not measure looks.",
    },
    hints=("Which of the two measures does noise leave alone, and which does it lower?",),
)

what_is_in_the_hole = Choice(
    topic=TOPIC,
    name="what_is_in_the_hole",
    answer="d",
    replies={
        "a": "More layers see more of the surroundings. But if the lesion lay wholly inside the hole, nothing of it is there.",
        "b": "The weight decides how sharp the guess is. It is still a guess.",
        "c": "It would then fill every hole with its average experience. This patient's tissue is not in any data set.",
        "d": "The pixels are gone. Whatever is put there comes from other patients, by way of the weights.",
    },
    hints=("Two patients are equal outside the hole; one has a lesion inside it. What does the network get to see?",),
)


def _lost_and_grown(lesion, before, after):
    lost = (~after)[lesion & before].mean()  # of the lesions that could be seen, how many no longer can
    grown = after[~lesion & ~before].mean()  # of the clean healthy slices, how many now show one
    return lost, grown


def _lost_and_grown_by_loops(lesion, before, after):
    seen = [i for i in range(len(lesion)) if lesion[i] and before[i]]
    clean = [i for i in range(len(lesion)) if not lesion[i] and not before[i]]
    return [sum(1 - after[i] for i in seen) / len(seen), sum(1 * after[i] for i in clean) / len(clean)]


def _lost_and_grown_inputs():
    rng, inputs = np.random.default_rng(4), []
    for n in (7, 20, 41, 60):
        lesion = rng.random(n) < 0.6
        before = np.where(rng.random(n) < 0.25, ~lesion, lesion)
        inputs.append((lesion, before, np.where(rng.random(n) < 0.35, ~before, before)))
    return [*inputs, (lesion, before, before)]  # nothing lost, nothing grown


_COUNT_CASE = _lost_and_grown_inputs()[2]

lost_and_grown = Coding(
    topic=TOPIC,
    name="lost_and_grown",
    reference=_lost_and_grown,
    also_correct=(_lost_and_grown_by_loops,),
    inputs=_lost_and_grown_inputs,
    integers=False,
    mistakes=(
        Mistake(
            lambda lesion, before, after: ((~after)[lesion].mean(), after[~lesion].mean()),
            "Your results blame the restorer for what the marker got wrong already before. Leave those slices out.",
        ),
        Mistake(
            lambda lesion, before, after: ((lesion & before & ~after).mean(), (~lesion & ~before & after).mean()),
            "Your results are shares of all slices. Only a lesion that was seen can be lost.",
        ),
        Mistake(
            lambda lesion, before, after: ((~after)[before].mean(), after[~before].mean()),
            "Your results do not depend on `lesion`. A false alarm that goes away is no lost lesion.",
        ),
        Mistake(
            lambda lesion, before, after: _lost_and_grown(lesion, before, after)[::-1],
            "Your results are the right two, the wrong way round: the lost ones come first.",
        ),
        Mistake(
            lambda lesion, before, after: tuple(1 - share for share in _lost_and_grown(lesion, before, after)),
            "Your results are the shares that stayed as they were. The task asks for those that changed.",
        ),
    ),
    wrong=(
        Wrong(lambda m, b, a: ((m & b & ~a).sum(), (~m & ~b & a).sum()), _COUNT_CASE),
        Wrong(lambda m, b, a: ((m & b & ~a).sum() / m.sum(), (~m & ~b & a).sum() / (~m).sum()), _COUNT_CASE),
        Wrong(lambda m, b, a: ((m & b & ~a).sum() / b.sum(), (~m & ~b & a).sum() / (~b).sum()), _COUNT_CASE),
        Wrong(lambda m, b, a: (b[m].mean() - a[m].mean(), a[~m].mean() - b[~m].mean()), _COUNT_CASE),
        Wrong(lambda m, b, a: ((a != b)[m].mean(), (a != b)[~m].mean()), _COUNT_CASE),
        Wrong(lambda m, b, a: ((~a)[m & b].mean(), a[~m].mean()), _COUNT_CASE),
        Wrong(lambda m, b, a: tuple(100 * share for share in _lost_and_grown(m, b, a)), _COUNT_CASE),
    ),
    hints=(
        "Each share has its own group of slices to be divided by.",
        "`lesion & before` are the lesions that the marker saw on the undamaged slice.",
        "Pick with that group from `~after` and take the mean; then the healthy slices that were not marked, and `after`.",
    ),
    why="Both shares belong in every report on a restorer. PSNR contains neither.",
)
