"""Exercises of the lesson on capstone_solution: one road through the capstone."""

import numpy as np

from course_lib.exercises import Choice, Coding, Mistake, Wrong, progress

TOPIC = "capstone_solution"


def _wrong(differs_on, *answers):
    """Wrong answers that all differ on the same arguments."""
    return [Wrong(answer, differs_on) for answer in answers]


# ---- class_weights ------------------------------------------------------------------------------


def _class_weights(label, classes):
    return len(label) / (classes * np.bincount(label, minlength=classes))


def _class_weights_by_loop(label, classes):
    return [len(label) / classes / sum(1 for one in label if one == k) for k in range(classes)]


def _class_weights_by_share(label, classes):
    weight = 1 / np.array([np.mean(label == k) for k in range(classes)])
    return weight / weight[label].mean()


def _class_weights_inputs():
    return [
        (np.array([1, 1, 1, 0]), 2),
        (np.array([0, 2, 2, 2, 1, 1, 0, 2, 2, 2]), 3),
        (np.array([1] * 74 + [0] * 26), 2),
        (np.array([2, 0, 2, 2, 3, 0, 1]), 4),
        (np.array([0, 1, 1, 0], np.uint8), 2),  # as many of each
        (np.array([1, 0, 0, 0, 0, 2, 0, 0]), 3),  # only one of the last class
    ]


def _share(label, classes):
    return np.bincount(label, minlength=classes) / len(label)


_THREE = (np.array([0, 2, 2, 2, 1, 1, 0, 2, 2, 2]), 3)
_FOUR = (np.array([2, 0, 2, 2, 3, 0, 1]), 4)

class_weights = Coding(
    topic=TOPIC,
    name="class_weights",
    reference=_class_weights,
    also_correct=(_class_weights_by_loop, _class_weights_by_share),
    inputs=_class_weights_inputs,
    mistakes=(
        Mistake(
            lambda label, classes: classes * _share(label, classes),
            "Your results are larger for the frequent class. The rare one needs the larger weight.",
        ),
        Mistake(
            lambda label, classes: 1 / _share(label, classes),
            "Your results have the right proportions, but their mean over all images is not 1, so that the learning rate "
            "would mean something else.",
        ),
        Mistake(
            lambda label, classes: (1 / _share(label, classes)) / (1 / _share(label, classes)).sum(),
            "Your results add up to 1 over the classes. Their mean over the *images* should be 1.",
        ),
        Mistake(
            lambda label, classes: 1 - _share(label, classes),
            "Your results are 1 minus the shares. Multiply each by its number of images: the classes do not count alike.",
        ),
        Mistake(
            lambda label, classes: _class_weights(label, classes)[label],
            "Your results are one weight for each image, and they are right. The task asks for one for each class.",
        ),
    ),
    wrong=[
        *_wrong(
            _THREE,
            lambda label, classes: np.ones(classes),
            lambda label, classes: len(label) / (2 * np.bincount(label, minlength=classes)),
            lambda label, classes: np.bincount(label, minlength=classes).max() / np.bincount(label, minlength=classes),
            lambda label, classes: np.sqrt(_class_weights(label, classes)),
            lambda label, classes: _class_weights(label, classes)[::-1],
            lambda label, classes: np.round(_class_weights(label, classes)),
            lambda label, classes: len(label) // (classes * np.bincount(label, minlength=classes)),
            lambda label, classes: _class_weights(label, classes) / classes,
            lambda label, classes: dict(enumerate(_class_weights(label, classes))),
        ),
        *_wrong(
            _FOUR,
            lambda label, classes: (
                _class_weights(label, classes) / _class_weights(label, classes).mean()
            ),  # over classes
            lambda label, classes: len(label) / (classes * (np.bincount(label, minlength=classes) + 1)),  # smoothed
            lambda label, classes: len(label) / (classes * label.max()),
            lambda label, classes: np.sort(_class_weights(label, classes)),
        ),
    ],
    hints=(
        "Weight times number of images must be the same for all classes.",
        "So a weight is some constant divided by the number of images of the class (`np.bincount` with `minlength`).",
        "Choose the constant so that the weights of all images add up to the number of images.",
    ),
    why="With these weights the loss cares for both classes alike, however many of each happened to be collected.",
)


# ---- accuracy_elsewhere -------------------------------------------------------------------------


def _accuracy_elsewhere(sensitivity, specificity, prevalence):
    return sensitivity * prevalence + specificity * (1 - prevalence)


def _accuracy_elsewhere_by_counting(sensitivity, specificity, prevalence):
    ill, healthy = 1e6 * prevalence, 1e6 * (1 - prevalence)
    return (ill * sensitivity + healthy * specificity) / (ill + healthy)


def _accuracy_elsewhere_by_errors(sensitivity, specificity, prevalence):
    return 1 - (prevalence - prevalence * sensitivity) - (1 - specificity - prevalence + prevalence * specificity)


def _accuracy_elsewhere_inputs():
    return [
        (0.5, 1.0, 0.25),
        (0.98, 0.7, 0.74),
        (0.98, 0.7, 0.625),
        (0.9, 0.95, 0.1),
        (0.6, 0.99, 0.0205),  # a fraction of people among 1,000
        (0.9, 0.8, 0.0),
        (0.9, 0.8, 1.0),
    ]


_RARE = (0.6, 0.99, 0.0205)

accuracy_elsewhere = Coding(
    topic=TOPIC,
    name="accuracy_elsewhere",
    reference=_accuracy_elsewhere,
    also_correct=(_accuracy_elsewhere_by_counting, _accuracy_elsewhere_by_errors),
    inputs=_accuracy_elsewhere_inputs,
    mistakes=(
        Mistake(
            lambda sensitivity, specificity, prevalence: (sensitivity + specificity) / 2,
            "Your results are balanced accuracies: they do not depend on the prevalence at all.",
        ),
        Mistake(
            lambda sensitivity, specificity, prevalence: specificity * prevalence + sensitivity * (1 - prevalence),
            "Your results have the two weighted the wrong way round: which of them is about the ill?",
        ),
        Mistake(
            lambda sensitivity, specificity, prevalence: np.divide(
                sensitivity * prevalence, sensitivity * prevalence + (1 - specificity) * (1 - prevalence)
            ),
            "Your results are the PPV: of those called ill, the share who are. Accuracy counts the right answers about the "
            "healthy, too.",
        ),
        Mistake(
            lambda sensitivity, specificity, prevalence: sensitivity * prevalence,
            "Your results count the ill who are found. The healthy who are left in peace are right answers, too.",
        ),
    ),
    wrong=_wrong(
        _RARE,
        lambda sensitivity, specificity, prevalence: 100 * _accuracy_elsewhere(sensitivity, specificity, prevalence),
        lambda sensitivity, specificity, prevalence: round(
            _accuracy_elsewhere(sensitivity, specificity, prevalence), 2
        ),
        lambda sensitivity, specificity, prevalence: (
            (round(1000 * prevalence) * sensitivity + round(1000 * (1 - prevalence)) * specificity) / 1000
        ),
        lambda sensitivity, specificity, prevalence: 1 - _accuracy_elsewhere(sensitivity, specificity, prevalence),
        lambda sensitivity, specificity, prevalence: specificity * (1 - prevalence),
        lambda sensitivity, specificity, prevalence: max(prevalence, 1 - prevalence),
        lambda sensitivity, specificity, prevalence: sensitivity * specificity,
        lambda sensitivity, specificity, prevalence: sensitivity * prevalence + (1 - specificity) * (1 - prevalence),
        lambda sensitivity, specificity, prevalence: prevalence + specificity * (1 - prevalence),
        lambda sensitivity, specificity, prevalence: (sensitivity * prevalence, specificity * (1 - prevalence)),
    ),
    hints=(
        "Imagine 1,000 people. How many are ill, and how many of them get the right answer?",
        "How many are healthy, and how many of those get the right answer? Add up, divide by 1,000; do not round people.",
    ),
    why="The same model, the same threshold, another mix of people, another accuracy: so compare sensitivity and "
    "specificity.",
)


# ---- paired_half_width --------------------------------------------------------------------------


def _paired_half_width(only_first, only_second, n):
    gap = (only_first - only_second) / n
    variance = (only_first + only_second) / n - gap**2  # of one image's difference, which is 1, 0 or −1
    return 1.96 * np.sqrt(variance / n)


def _paired_half_width_by_images(only_first, only_second, n):
    each = np.zeros(n)
    each[:only_first], each[only_first : only_first + only_second] = 1, -1
    return 1.96 * each.std() / np.sqrt(n)


def _paired_half_width_by_counts(only_first, only_second, n):
    b, c = float(only_first), float(only_second)
    return 1.96 / n * (b + c - (b - c) * (b - c) / n) ** 0.5


def _paired_half_width_inputs():
    return [(3, 1, 16), (40, 25, 624), (7, 0, 624), (0, 12, 100), (10, 10, 400), (0, 0, 50), (90, 5, 100)]


_APART = (90, 5, 100)

paired_half_width = Coding(
    topic=TOPIC,
    name="paired_half_width",
    reference=_paired_half_width,
    also_correct=(_paired_half_width_by_images, _paired_half_width_by_counts),
    inputs=_paired_half_width_inputs,
    mistakes=(
        Mistake(
            lambda only_first, only_second, n: 1.96 * np.sqrt(only_first + only_second) / n,
            "Your results leave the square of the mean difference out of the variance. Where one of the two is clearly "
            "better, that is too wide.",
        ),
        Mistake(
            lambda only_first, only_second, n: _paired_half_width(only_first, only_second, n) / 1.96,
            "Your results are one standard deviation. About 95 % lie within 1.96 of them.",
        ),
        Mistake(
            lambda only_first, only_second, n: 2 * _paired_half_width(only_first, only_second, n),
            "Your results are whole widths. The task asks for the half, the number behind ±.",
        ),
        Mistake(
            lambda only_first, only_second, n: _paired_half_width(only_first, only_second, n) * np.sqrt(n),
            "Your results do not get smaller with more images. The mean of n differences has 1/n of their variance.",
        ),
        Mistake(
            lambda only_first, only_second, n: _paired_half_width(only_first, only_second, n) ** 2 / 1.96,
            "Your results miss the square root: they are built on the variance, not on the standard deviation.",
        ),
    ),
    wrong=_wrong(
        _APART,
        lambda only_first, only_second, n: 100 * _paired_half_width(only_first, only_second, n),
        lambda only_first, only_second, n: 2 * _paired_half_width(only_first, only_second, n) / 1.96,
        lambda only_first, only_second, n: _paired_half_width(only_first, only_second, only_first + only_second),
        lambda only_first, only_second, n: 1.96 * np.sqrt(abs(only_first - only_second)) / n,
        lambda only_first, only_second, n: abs(only_first - only_second) / n,
        lambda only_first, only_second, n: (
            1.96 * np.sqrt(only_first / n * (1 - only_first / n) / n + only_second / n * (1 - only_second / n) / n)
        ),
        lambda only_first, only_second, n: _paired_half_width(only_first, only_second, n) * np.sqrt(n / (n - 1)),
        lambda only_first, only_second, n: 1.645 * _paired_half_width(only_first, only_second, n) / 1.96,
        lambda only_first, only_second, n: round(float(_paired_half_width(only_first, only_second, n)), 2),
        lambda only_first, only_second, n: _paired_half_width(only_first, 0, n),
    ),
    hints=(
        "For each image the difference is 1 (only the first is right), −1 (only the second) or 0.",
        "The mean of the squares of these differences is (b + c)/n. The variance is that minus the square of their mean.",
        "The mean of n differences has 1/n of that variance; take the root and multiply.",
    ),
    why="Only the images on which one of the two is right matter. Two models that agree on most images are told apart by far "
    "fewer of them than two test sets would need.",
)


# ---- questions ----------------------------------------------------------------------------------

rim = Choice(
    topic=TOPIC,
    name="rim",
    answer="b",
    replies={
        "a": "It would, if the network could not have used the rim. But nothing kept it from doing so.",
        "b": "What the corners tell can be used by any network that sees them, and a high score does not say that it was not. "
        "Only a test in which the corners tell nothing, or another hospital, could.",
        "c": "It is tempting to say so. But that they *can* be used does not show that this network uses nothing else.",
        "d": "The labels may be as good as they are. The corners belong to the image, and go with the class in training and "
        "test alike.",
    },
    hints=("What would have to be different for each of the four to be shown?",),
)

gap = Choice(
    topic=TOPIC,
    name="gap",
    answer="c",
    replies={
        "a": "It may be better. But the two numbers alone allow it to be luck, as long as nobody knows on which images they "
        "differ.",
        "b": "Equal is a claim too, and a small test set cannot prove it.",
        "c": "How wide the interval of the difference is depends on how many images only one of the two got right. The table "
        "has two numbers for each model, and no answers.",
        "d": "The mean over three seeds removes some luck of the training. The luck of the test images stays, and all seeds "
        "meet the same ones.",
    },
    hints=("Which two counts does the interval of a paired difference need? Does the table have them?",),
)
