"""Exercises of the lesson on enhancement and restoration."""

import numpy as np

from course_lib.exercises import Choice, Coding, Mistake, Wrong, compare, progress

TOPIC = "restoration"


def _mistakes(*given):
    """An answer, its sentence, the next answer, its sentence …"""
    return tuple(map(Mistake, given[::2], given[1::2]))


def _wrong(case, *answers):
    return [Wrong(answer, case) for answer in answers]


def _psnr(truth, restored, mask):
    squared = (truth - restored)[mask == 1] ** 2  # only the pixels that were to be restored
    return 10 * np.log10(1 / squared.mean())


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


_PSNR_CASE, _PSNR_80 = _psnr_inputs()[2], _psnr_inputs()[4]

psnr = Coding(
    topic=TOPIC,
    name="psnr",
    reference=_psnr,
    also_correct=(lambda t, r, m: -20 * np.log10(np.sqrt(np.sum(m * (t - r) ** 2) / np.sum(m))),),
    inputs=_psnr_inputs,
    mistakes=_mistakes(
        lambda t, r, m: 10 * np.log10(1 / ((t - r) ** 2).mean()),
        "Your results are those of a mean over all pixels. Those outside the mask were not to be restored.",
        lambda t, r, m: 10 * np.log10(1 / (m * (t - r) ** 2).mean()),
        "Your results are those of errors set to 0 outside the mask, in a mean that still counts these pixels.",
        lambda t, r, m: _psnr(t, r, 1 - m),
        "Your results are those of the pixels where the mask is 0, which were not to be restored.",
        _of_error(lambda e: 10 * np.log10((e**2).mean())),
        "Your results have the wrong sign: a smaller error has to give a larger PSNR.",
        _of_error(lambda e: 10 * np.log(1 / (e**2).mean())),
        "Your results are those of the natural logarithm. Decibels are made with the logarithm to base ten.",
        lambda t, r, m: 20 * np.log10(t.max()) + _psnr(t, r, m),
        "Your results take the image's own maximum as the peak. It is the largest value that an image can have, 1.",
        _of_error(lambda e: 20 * np.log10(1 / (e**2).mean())),
        "Your results are twice as large as they should be: the factor 20 belongs to the *root* of the MSE.",
        _of_error(lambda e: 20 * np.log10(1 / np.abs(e).mean())),
        "Your results are those of the mean *absolute* error. Square each error first, then take the mean.",
        _of_error(lambda e: 10 * np.log10(1 / (e**2).sum())),
        "Your results are those of the sum of the squared errors. The MSE is their mean.",
        _of_error(lambda e: (e**2).mean()),
        "Your results are the mean squared error itself. What is missing are the ratio and the logarithm.",
    ),
    wrong=(
        *_wrong(
            _PSNR_CASE,
            _of_error(lambda e: 10 * np.log10(1 / e.mean() ** 2)),
            _of_error(lambda e: 10 * np.log10(1 / e.var())),
            _of_error(lambda e: (10 * np.log10(1 / np.maximum(e**2, 1e-9))).mean()),
            lambda t, r, m: np.round(_psnr(t, r, m), 1),
            lambda t, r, m: 10 * np.log10((t[m == 1] ** 2).mean()) + _psnr(t, r, m),
        ),
        Wrong(_of_error(lambda e: 10 * np.log10(1 / ((e**2).mean() + 1e-8))), _PSNR_80),
    ),
    hints=(
        "First the mean squared error, over the pixels where `mask` is 1.",
        "`array[mask == 1]` picks those pixels.",
        "The signal's peak is 1 here. The ratio of its square to the mean squared error, then ten times `np.log10`.",
    ),
    why="Ten decibels more: a tenth of the squared error. And pixels that were never lost do not flatter a hole's PSNR.",
)


def _best_fill(values):
    return np.mean(values), np.median(values)  # the mean has the least squared error, the median the least absolute one


def _lowest(result, values):
    """None if no other fill has a smaller sum: with an even number of values all between the two in the middle are right."""
    if np.size(result) != 2:
        return compare.difference(result, _best_fill(values))  # the wrong number of values
    ordered, n = np.sort(values), len(values)
    right = [(np.mean(values),) * 2, (ordered[(n - 1) // 2], ordered[n // 2])]
    for name, fill, (low, high) in zip(("squared", "absolute"), result, right, strict=True):
        if (off := max(low - fill, fill - high)) > 1e-4 * max(1, abs(fill)):
            way, grid = "larger" if fill < low else "smaller", " (A list of candidates is only as fine as its steps.)"
            return f"the sum of {name} errors is smaller with a {way} fill than {fill:g}.{grid if off < 0.02 else ''}"
    return None


def _best_fill_inputs():
    rows = [0.0, 0.0, 1.0], [0.8, 0.2, 0.9, 0.85, 0.2], [7, 1, 0, 0, 13], [0.3, 0.85, 0.1, 0.3]
    more = [0.62, -0.5, 0.31, 0.62, 0.05, 0.44, 0.9], [0.4], [0.9, 0.1, 0.4, 0.5]  # 0.4 to 0.5 are all as good
    return [(np.array(row),) for row in (*rows, *more)]


best_fill = Coding(
    topic=TOPIC,
    name="best_fill",
    reference=_best_fill,
    also_correct=(lambda values: [sum(values) / len(values), sorted(values)[len(values) // 2]],),
    inputs=_best_fill_inputs,
    accept=_lowest,
    mistakes=_mistakes(
        lambda values: (np.median(values), np.mean(values)),
        "Your results are the right two, the wrong way round: the squared error comes first.",
        lambda values: (np.mean(values),) * 2,
        "Your first result is right. But the absolute error is not smallest at the same place: try [0, 0, 1] by hand.",
        lambda values: (np.median(values),) * 2,
        "Your second result is right. But one outlier weighs more once its distance is squared.",
        lambda values: ((np.min(values) + np.max(values)) / 2,) * 2,
        "Your results are the middle between the extremes, which makes the *largest* error small, not the sum.",
        lambda values: (np.mean(values), values[len(values) // 2]),
        "Your first result is right. Your second is the middle of the list as it stands: it has to be sorted first.",
        lambda values: (((values - np.mean(values)) ** 2).sum(), np.abs(values - np.median(values)).sum()),
        "Your results are the smallest sums. The task asks for the two *fills* at which the sums are so small.",
    ),
    wrong=(
        *_wrong(
            _best_fill_inputs()[4],
            lambda values: (np.mean(values), min(values, key=lambda v: abs(v - np.mean(values)))),
            lambda values: (np.mean(np.abs(values)), np.median(np.abs(values))),
            lambda values: tuple(np.round(_best_fill(values), 1)),
        ),
        *_wrong(
            _best_fill_inputs()[1],
            lambda values: (np.sqrt(np.mean(np.square(values))), np.median(values)),
            lambda values: (np.mean(values), max(values, key=list(values).count)),
            lambda values: (np.mean(values), np.median(np.unique(values))),
            lambda values: (np.mean(values), np.sort(values)[len(values) // 2 - 1]),
        ),
        Wrong(lambda v: (np.mean(v), np.median(v) if len(v) % 2 else np.min(v)), _best_fill_inputs()[3]),
        Wrong(lambda values: tuple(np.clip(_best_fill(values), 0, 1)), _best_fill_inputs()[2]),
    ),
    hints=(
        "Take the values 0, 0, 1 and try a few fills between 0 and 1. Which has the smallest sum of squares?",
        "For the squares, each value pulls with its distance. For the absolute values, each pulls equally hard.",
    ),
    why="If the truth may be one of several, a pixel loss is lowest for their mean (L2) or for the middle one (L1).",
)


def _generator_loss(truth, restored, fake, weight):
    adversarial = np.logaddexp(0, -fake)  # −log sigmoid: small where the discriminator says "original"
    return np.abs(truth - restored).mean() + weight * adversarial.mean()


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


generator_loss = Coding(
    topic=TOPIC,
    name="generator_loss",
    reference=_generator_loss,
    also_correct=(
        lambda t, r, fake, w: np.mean(abs(r - t)) + w * np.mean(np.maximum(-fake, 0) + np.log1p(np.exp(-abs(fake)))),
    ),
    inputs=_generator_loss_inputs,
    mistakes=_mistakes(
        _with_loss(lambda fake: np.logaddexp(0, fake).mean()),
        "Your results are low when the discriminator says *fake*: that is its own loss, not the generator's.",
        _with_loss(lambda fake: -np.logaddexp(0, fake).mean()),
        "Your results are those of the minimax form, whose slope vanishes where the discriminator is sure.",
        _with_loss(lambda fake: _fooled(fake).mean(), lambda error: (error**2).mean()),
        "Your results are those of the squared error (L2). The task asks for the absolute one (L1).",
        lambda truth, restored, fake, weight: weight * np.abs(truth - restored).mean() + _fooled(fake).mean(),
        "Your results have the weight at the wrong term. With weight 0 the pixel loss has to be left alone.",
        _with_loss(lambda fake: -fake.mean()),
        "Your results are those of the logits as they are. Here each is a yes-or-no answer, with cross-entropy.",
        _with_loss(lambda fake: _fooled(fake).sum(), lambda error: np.abs(error).sum()),
        "Your results are sums. Take means over pixels and patches: the weight then means the same at any size.",
        _with_loss(lambda fake: _fooled(fake).sum()),
        "Your second part is a sum over the patches. Take their mean, as over the pixels.",
        _with_loss(lambda fake: -_fooled(fake).mean()),
        "Your second part lacks the minus: it is largest when the discriminator is convinced.",
        _with_loss(lambda fake: np.exp(-_fooled(-fake)).mean()),
        "Your second part is one minus the probability. The formula has minus the logarithm of the probability.",
        _with_loss(lambda fake: -np.log(np.exp(-_fooled(fake)).mean())),
        "Your second part takes the mean before the logarithm. Each patch has a loss of its own; then comes the mean.",
        lambda truth, restored, fake, weight: np.abs(truth - restored).mean() + _fooled(fake).mean(),
        "Your results do not depend on `weight`.",
    ),
    wrong=(
        Wrong(_with_loss(lambda fake: -np.log(1 / (1 + np.exp(-fake))).mean()), _generator_loss_inputs()[4]),
        Wrong(_with_loss(lambda fake: _fooled(np.clip(fake, -30, 30)).mean()), _generator_loss_inputs()[4]),
        *_wrong(
            _generator_loss_inputs()[1],
            _with_loss(lambda fake: _fooled(fake.mean())),
            _with_loss(lambda fake: _fooled(fake).mean(), lambda error: np.abs(error.mean())),
            _with_loss(lambda fake: _fooled(fake).mean(), lambda error: np.sqrt((error**2).mean())),
            _with_loss(lambda fake: np.maximum(0, 1 - fake).mean()),
            lambda t, r, fake, weight: np.abs(t - r).mean() - weight * _fooled(fake).mean(),
        ),
        Wrong(lambda t, r, fake, _: np.abs(t - r).mean() + 0.1 * _fooled(fake).mean(), _generator_loss_inputs()[2]),
    ),
    hints=(
        "Two terms: how far from the truth, and how little the discriminator is convinced.",
        "The cross-entropy of the answer “original” for a patch is minus the logarithm of that answer's probability.",
        "That probability is the sigmoid of the logit. Minus its logarithm is lesson 14's `np.logaddexp(0, -fake)`.",
    ),
    why="The first term knows this patient's truth. The second knows only what slices usually look like.",
)


sharper = Choice(
    topic=TOPIC,
    name="sharper",
    answer="c",
    replies={
        "a": "Then more of B's detail would be that of the truth, and its agreement would be the higher one.",
        "b": "Noise has nothing to do with the truth: it lowers the agreement, but does not raise the edge strength.",
        "c": "Edge strength is detail times agreement. B has steeper edges where the truth has them, but a larger part of "
        "its detail is not the patient's.",
        "d": "PSNR does not measure sharpness. But by PSNR B is further from the truth, and so is its detail by agreement.",
    },
    hints=("Which of the two measures does noise leave alone, and which does it lower?",),
)

what_is_in_the_hole = Choice(
    topic=TOPIC,
    name="what_is_in_the_hole",
    answer="d",
    replies={
        "a": "More layers can use more of the surroundings. But here the surroundings show nothing of the lesion.",
        "b": "The weight decides how much the filling has to look original. It is a guess with any weight.",
        "c": "More patients show what usually lies in such a place. What lies there in this patient they do not show.",
        "d": "The pixels are gone. Whatever is put there is a guess from the surroundings and from other patients.",
    },
    hints=("Two patients are equal outside the hole; one has a lesion inside it. What does the network get to see?",),
)


def _lost_and_grown(lesion, before, after):
    lost = (~after)[lesion & before].mean()  # of the lesions that could be seen, how many no longer can
    grown = after[~lesion & ~before].mean()  # of the clean healthy slices, how many now show one
    return lost, grown


def _lost_and_grown_inputs():
    rng, inputs = np.random.default_rng(4), []
    for n in (7, 20, 41, 60):
        lesion = rng.random(n) < 0.6
        before = np.where(rng.random(n) < 0.25, ~lesion, lesion)
        inputs.append((lesion, before, np.where(rng.random(n) < 0.35, ~before, before)))
    return [*inputs, (lesion, before, before)]  # nothing lost, nothing grown


lost_and_grown = Coding(
    topic=TOPIC,
    name="lost_and_grown",
    reference=_lost_and_grown,
    also_correct=(lambda m, b, a: np.array([np.average(~a, weights=m & b), np.average(a, weights=~(m | b))]),),
    inputs=_lost_and_grown_inputs,
    integers=False,
    mistakes=_mistakes(
        lambda m, b, a: ((~a)[m].mean(), a[~m].mean()),
        "Your results blame the restorer for what the marker got wrong already before. Leave those slices out.",
        lambda m, b, a: ((m & b & ~a).mean(), (~m & ~b & a).mean()),
        "Your results are shares of all slices. Only a lesion that was seen can be lost.",
        lambda m, b, a: ((m & b & ~a).sum() / m.sum(), (~m & ~b & a).sum() / (~m).sum()),
        "Your results divide by too many: only lesions *seen before* can be lost, only slices without an alarm grow one.",
        lambda m, b, a: ((~a)[b].mean(), a[~b].mean()),
        "Your results do not depend on `lesion`. A false alarm that goes away is no lost lesion.",
        lambda m, b, a: _lost_and_grown(m, b, a)[::-1],
        "Your results are the right two, the wrong way round: the lost ones come first.",
        lambda m, b, a: tuple(1 - share for share in _lost_and_grown(m, b, a)),
        "Your results are the shares that stayed as they were. The task asks for those that changed.",
        lambda m, b, a: (a[m & b].mean(), a[~m & ~b].mean()),
        "Your second result is right. Your first is the share of lesions still seen: the lost are the others.",
        lambda m, b, a: ((~a)[m & b].mean(), a[~m].mean()),
        "Your first result is right. In your second a slice that had an alarm already before counts as grown.",
        lambda m, b, a: ((~a)[m].mean(), a[~m & ~b].mean()),
        "Your second result is right. In your first a lesion that was not seen before counts as lost.",
        lambda m, b, a: ((~a)[m & b].mean(), a[~b].mean()),
        "Your first result is right. Your second counts slices with a lesion, too: only healthy ones can grow one.",
        lambda m, b, a: (b[m].mean() - a[m].mean(), a[~m].mean() - b[~m].mean()),
        "Your results are net changes: a lesion seen only afterwards makes up for a lost one. Count the lost alone.",
        lambda m, b, a: ((m & b & ~a).sum(), (~m & ~b & a).sum()),
        "Your results are the numbers of slices. The task asks for shares.",
    ),
    wrong=_wrong(
        _lost_and_grown_inputs()[2],
        lambda m, b, a: ((m & b & ~a).sum() / b.sum(), (~m & ~b & a).sum() / (~b).sum()),
        lambda m, b, a: ((a != b)[m].mean(), (a != b)[~m].mean()),
        lambda m, b, a: ((~a)[b].mean(), a[~m & ~b].mean()),
        lambda m, b, a: tuple(100 * share for share in _lost_and_grown(m, b, a)),
        lambda m, b, a: ((~a)[m & b].mean(), a[~m | ~b].mean()),
        lambda m, b, a: ((m & b & ~a).sum() / (~a).sum(), (~m & ~b & a).sum() / a.sum()),
    ),
    hints=(
        "Each share has its own group of slices to be divided by.",
        "`lesion & before` are the lesions that the marker saw on the undamaged slice.",
        "Pick with that group from `~after` and take the mean; then the healthy slices that were not marked, and `after`.",
    ),
    why="Both shares belong in every report on a restorer. The PSNR tells neither of them.",
)
