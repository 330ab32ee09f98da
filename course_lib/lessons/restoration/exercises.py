"""Exercises of the lesson on enhancement and restoration."""

import numpy as np

from course_lib.exercises import Choice, Coding, Mistake, progress

TOPIC = "restoration"


# ---- psnr ---------------------------------------------------------------------------------------


def _psnr(truth, restored, mask):
    squared = (truth - restored)[mask == 1] ** 2  # only the pixels that were to be restored
    return 10 * np.log10(1 / squared.mean())


def _psnr_by_sums(truth, restored, mask):
    mse = np.sum(mask * (truth - restored) ** 2) / np.sum(mask)
    return -20 * np.log10(np.sqrt(mse))


def _psnr_inputs():
    rng = np.random.default_rng(0)
    inputs = []
    for size, error in ((4, 0.1), (6, 0.05), (8, 0.2)):
        truth = rng.random((size, size))
        mask = (rng.random((size, size)) < 0.4).astype(float)
        mask[0, 0] = 1
        inputs.append((truth, truth + error * rng.standard_normal((size, size)), mask))
    return inputs


def _masked_mse(truth, restored, mask):
    return ((truth - restored)[mask == 1] ** 2).mean()


psnr = Coding(
    topic=TOPIC,
    name="psnr",
    reference=_psnr,
    also_correct=(_psnr_by_sums,),
    inputs=_psnr_inputs,
    mistakes=(
        Mistake(
            lambda truth, restored, mask: 10 * np.log10(1 / ((truth - restored) ** 2).mean()),
            "You average over all pixels. Those outside the mask were not to be restored, and must not count.",
        ),
        Mistake(
            lambda truth, restored, mask: 10 * np.log10(1 / (mask * (truth - restored) ** 2).mean()),
            "You set the error outside the mask to zero, but these pixels still count in the mean. Divide by the number "
            "of pixels inside.",
        ),
        Mistake(
            lambda truth, restored, mask: 10 * np.log10(_masked_mse(truth, restored, mask)),
            "Your sign is the wrong way round: a smaller error has to give a larger PSNR.",
        ),
        Mistake(
            lambda truth, restored, mask: 10 * np.log(1 / _masked_mse(truth, restored, mask)),
            "You took the natural logarithm. Decibels are made with the logarithm to base ten.",
        ),
        Mistake(
            lambda truth, restored, mask: 10 * np.log10(1 / np.abs(truth - restored)[mask == 1].mean()),
            "You used the absolute error. PSNR is defined with the squared one.",
        ),
        Mistake(
            lambda truth, restored, mask: 20 * np.log10(1 / _masked_mse(truth, restored, mask)),
            "Twenty times the logarithm goes with the *root* of the mean squared error; with the mean itself it is ten.",
        ),
    ),
    hints=(
        "First the mean squared error, over the pixels where `mask` is 1.",
        "`array[mask == 1]` picks those pixels.",
        "The signal's peak is 1 here. The ratio of its square to the mean squared error, then ten times `np.log10`.",
    ),
    why="Ten decibels more are a squared error ten times as small. And a hole's PSNR is not flattered by what was never lost.",
)


# ---- best_fill ----------------------------------------------------------------------------------


def _best_fill(values):
    return np.mean(values), np.median(values)  # the mean has the least squared error, the median the least absolute one


def _best_fill_by_search(values):
    candidates = np.linspace(min(values), max(values), 100_001)
    squared = sum((candidates - value) ** 2 for value in values)
    absolute = sum(np.abs(candidates - value) for value in values)
    return candidates[squared.argmin()], candidates[absolute.argmin()]


def _best_fill_inputs():
    rng = np.random.default_rng(1)
    return [
        (np.array([0.0, 0.0, 1.0]),),
        (np.array([0.8, 0.2, 0.9, 0.85, 0.2]),),
        (np.round(np.r_[rng.normal(0.8, 0.02, 8), rng.normal(0.3, 0.02, 3)], 3),),
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
            "You have both, the wrong way round: the squared error comes first.",
        ),
        Mistake(
            lambda values: (np.mean(values), np.mean(values)),
            "The first is right. But the absolute error is not smallest at the same place: try [0, 0, 1] by hand.",
        ),
        Mistake(
            lambda values: (np.median(values), np.median(values)),
            "The second is right. But one outlier weighs more once its distance is squared.",
        ),
        Mistake(
            lambda values: ((np.min(values) + np.max(values)) / 2,) * 2,
            "The middle between the extremes makes the *largest* error small, not the sum of all errors.",
        ),
    ),
    hints=(
        "Take the values 0, 0, 1 and try a few fills between 0 and 1. Which has the smallest sum of squares?",
        "For the squares: set the slope of the sum to zero. For the absolute values: as many values above as below.",
    ),
    why="Where the truth may be one of several, a pixel loss is paid best by something in between, or by the commonest.",
)


# ---- generator_loss -----------------------------------------------------------------------------


def _generator_loss(truth, restored, fake, weight):
    pixel = np.abs(truth - restored).mean()
    adversarial = np.log1p(np.exp(-fake)).mean()  # −log sigmoid: small where the discriminator says "real"
    return pixel + weight * adversarial


def _generator_loss_by_sigmoid(truth, restored, fake, weight):
    says_real = 1 / (1 + np.exp(-np.asarray(fake)))
    return np.mean(abs(restored - truth)) - weight * np.mean(np.log(says_real))


def _generator_loss_inputs():
    rng = np.random.default_rng(2)
    return [(rng.random((4, 4)), rng.random((4, 4)), rng.normal(size=(2, 2)), weight) for weight in (0.1, 0.5, 2.0)]


def _with_loss(adversarial, pixel=lambda error: np.abs(error).mean()):
    return lambda truth, restored, fake, weight: pixel(truth - restored) + weight * adversarial(fake)


generator_loss = Coding(
    topic=TOPIC,
    name="generator_loss",
    reference=_generator_loss,
    also_correct=(_generator_loss_by_sigmoid,),
    inputs=_generator_loss_inputs,
    mistakes=(
        Mistake(
            _with_loss(lambda fake: np.log1p(np.exp(fake)).mean()),
            "This rewards the generator when the discriminator says *fake*: it is the discriminator's own loss.",
        ),
        Mistake(
            _with_loss(lambda fake: -np.log1p(np.exp(fake)).mean()),
            "This is the minimax form, minus the discriminator's loss. Its slope vanishes where the discriminator is "
            "sure. Take the non-saturating form.",
        ),
        Mistake(
            _with_loss(lambda fake: np.log1p(np.exp(-fake)).mean(), lambda error: (error**2).mean()),
            "Your pixel loss is the squared error (L2). The task asks for the absolute one (L1).",
        ),
        Mistake(
            lambda truth, restored, fake, weight: (
                weight * np.abs(truth - restored).mean() + np.log1p(np.exp(-fake)).mean()
            ),
            "The weight stands at the wrong term. With weight 0 the pixel loss has to be left alone.",
        ),
        Mistake(
            _with_loss(lambda fake: -fake.mean()),
            "You use the logits as they are. That is the Wasserstein form; here each is a yes-or-no answer, with cross-"
            "entropy.",
        ),
        Mistake(
            _with_loss(lambda fake: np.log1p(np.exp(-fake)).sum(), lambda error: np.abs(error).sum()),
            "You sum. Take the mean over pixels and the mean over patches, so that the weight keeps its meaning at any "
            "size.",
        ),
    ),
    hints=(
        "Two terms: how far from the truth, and how little the discriminator is convinced.",
        "The cross-entropy of the answer “real” for a patch is minus the logarithm of the probability of real.",
        "The probability of real is the sigmoid of the logit. Average over the patches, then multiply by `weight`.",
    ),
    why="The first term knows this patient's truth. The second knows only what slices usually look like.",
)


# ---- sharper ------------------------------------------------------------------------------------

sharper = Choice(
    topic=TOPIC,
    name="sharper",
    answer="c",
    replies={
        "a": "If it were nearer to the truth, PSNR would have risen. It fell, or did not rise.",
        "b": "Noise would be detail without a pattern. The discriminator asks for detail that looks like anatomy.",
        "c": "The loss pays for detail that is *typical*. That it is in the right place for this patient nobody checks but "
        "the pixel loss, and that is exactly what got worse.",
        "d": "PSNR does measure the distance to the truth, and it noticed something true. It does not measure looks.",
    },
    hints=("Which of the two loss terms compares with this patient's own slice?",),
)


# ---- what_is_in_the_hole ------------------------------------------------------------------------

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


# ---- lost_and_grown -----------------------------------------------------------------------------


def _lost_and_grown(lesion, before, after):
    lost = (~after)[lesion & before].mean()  # of the lesions that could be seen, how many no longer can
    grown = after[~lesion & ~before].mean()  # of the clean healthy slices, how many now show one
    return lost, grown


def _lost_and_grown_by_loops(lesion, before, after):
    seen = [i for i in range(len(lesion)) if lesion[i] and before[i]]
    clean = [i for i in range(len(lesion)) if not lesion[i] and not before[i]]
    return sum(1 - after[i] for i in seen) / len(seen), sum(1 * after[i] for i in clean) / len(clean)


def _lost_and_grown_inputs():
    rng = np.random.default_rng(4)
    inputs = []
    for n in (20, 41, 60):
        lesion = rng.random(n) < 0.5
        before = np.where(rng.random(n) < 0.2, ~lesion, lesion)
        after = np.where(rng.random(n) < 0.35, ~before, before)
        inputs.append((lesion, before, after))
    return inputs


lost_and_grown = Coding(
    topic=TOPIC,
    name="lost_and_grown",
    reference=_lost_and_grown,
    also_correct=(_lost_and_grown_by_loops,),
    inputs=_lost_and_grown_inputs,
    mistakes=(
        Mistake(
            lambda lesion, before, after: ((~after)[lesion].mean(), after[~lesion].mean()),
            "You blame the restorer for what the reader got wrong already on the undamaged slices. Leave those out.",
        ),
        Mistake(
            lambda lesion, before, after: ((lesion & before & ~after).mean(), (~lesion & ~before & after).mean()),
            "You divide by all slices. Only a lesion that was seen can be lost, and only a clean slice can grow one.",
        ),
        Mistake(
            lambda lesion, before, after: ((~after)[before].mean(), after[~before].mean()),
            "You compare before with after and forget the masks. A false alarm that goes away is no lost lesion.",
        ),
        Mistake(
            lambda lesion, before, after: (after[~lesion & ~before].mean(), (~after)[lesion & before].mean()),
            "You return them the wrong way round: the lost ones come first.",
        ),
        Mistake(
            lambda lesion, before, after: (after[lesion & before].mean(), (~after)[~lesion & ~before].mean()),
            "These are the shares that stayed as they were. The task asks for those that changed.",
        ),
    ),
    hints=(
        "Each share has its own group of slices to be divided by.",
        "`lesion & before` are the lesions that the reader saw on the undamaged slice.",
        "Pick with that group from `~after` and take the mean; then the healthy slices that were not marked, and `after`.",
    ),
    why="Both shares belong in every report on a restorer. PSNR contains neither.",
)
