"""Exercises of the lesson on capstone: pneumonia on chest X-rays."""

import numpy as np

from course_lib.exercises import Choice, Coding, Mistake, progress

TOPIC = "capstone"


# ---- seen_before --------------------------------------------------------------------------------


def _seen_before(train, test):
    seen = {image.tobytes() for image in train}  # equal bytes, equal image
    return np.array([image.tobytes() in seen for image in test])


def _seen_before_by_comparison(train, test):
    return np.array([(train == image).all(axis=(1, 2)).any() for image in test])


def _seen_before_inputs():
    rng = np.random.default_rng(0)
    train = rng.integers(0, 9, (12, 4, 4), dtype=np.uint8)
    test = rng.integers(0, 9, (7, 4, 4), dtype=np.uint8)
    test[2], test[5], test[3] = train[8], train[1], test[0]  # the fourth has a twin, but in the test set itself
    shuffled = train.copy()
    shuffled[0, 0], shuffled[0, 1] = train[0, 1], train[0, 0]  # the same pixels in other places: another image
    return [(train, test), (train, np.concatenate([shuffled[:1], test[:4], test[2:3]]))]


seen_before = Coding(
    topic=TOPIC,
    name="seen_before",
    reference=_seen_before,
    also_correct=(_seen_before_by_comparison,),
    inputs=_seen_before_inputs,
    mistakes=(
        Mistake(
            lambda train, test: int(_seen_before(train, test).sum()),
            "You return how many there are. Return one True or False for each test image: whoever finds a twin wants "
            "to know which.",
        ),
        Mistake(
            lambda train, test: np.array([(train == image).any() for image in test]),
            "You call an image a twin as soon as one pixel agrees. All its pixels have to, with those of one single "
            "training image.",
        ),
        Mistake(
            lambda train, test: _seen_before(test, train),
            "You look for the training images among the test images. Here each test image asks whether it was trained "
            "on.",
        ),
        Mistake(
            lambda train, test: np.isin(test.sum(axis=(1, 2)), train.sum(axis=(1, 2))),
            "You compare the sums of the pixels. Different images can have the same sum.",
        ),
        Mistake(
            lambda train, test: np.array([sum((image == other).all() for other in test) > 1 for image in test]),
            "You find twins within the test set. Those make an interval too narrow; a twin in the training set makes "
            "the result too good, and that is what we look for.",
        ),
    ),
    hints=(
        "Two images are the same if all their pixels are.",
        "`(train == image).all(axis=(1, 2))` compares one test image with all training images.",
        "Faster: `image.tobytes()` is a key that can stand in a `set`.",
    ),
    why="A test image that was trained on measures memory. Near-twins, two X-rays of one child, escape this check.",
)


# ---- lazy_answer --------------------------------------------------------------------------------

lazy_answer = Choice(
    topic=TOPIC,
    name="lazy_answer",
    answer="b",
    replies={
        "a": "The accuracy is right. But who answers the same for everybody cannot rank anybody: what is the AUC of "
        "guessing?",
        "b": "Its accuracy is simply the share of the ill among those tested, and it ranks nobody.",
        "c": "It does answer: always the same. Count how often that is right.",
        "d": "0.5 would be right if half of the tested were ill.",
    },
    hints=("Of 624 images, for how many is the answer right?", "AUC: a pair with equal scores counts half."),
)


# ---- class_weights ------------------------------------------------------------------------------


def _class_weights(label, classes):
    count = np.bincount(label, minlength=classes)
    return len(label) / (classes * count)  # rare class, large weight; the mean weight over the images is 1


def _class_weights_by_loop(label, classes):
    return [len(label) / classes / sum(1 for one in label if one == k) for k in range(classes)]


def _class_weights_inputs():
    return [
        (np.array([1, 1, 1, 0]), 2),
        (np.array([0, 2, 2, 2, 1, 1, 0, 2, 2, 2]), 3),
        (np.array([1] * 74 + [0] * 26), 2),
    ]


def _share(label, classes):
    return np.bincount(label, minlength=classes) / len(label)


class_weights = Coding(
    topic=TOPIC,
    name="class_weights",
    reference=_class_weights,
    also_correct=(_class_weights_by_loop,),
    inputs=_class_weights_inputs,
    mistakes=(
        Mistake(
            lambda label, classes: classes * _share(label, classes),
            "Your weights are larger for the frequent class. The rare one needs the larger weight.",
        ),
        Mistake(
            lambda label, classes: 1 / _share(label, classes),
            "The proportions are right, but the mean weight over all images is not 1: the learning rate would mean "
            "something else.",
        ),
        Mistake(
            lambda label, classes: (1 / _share(label, classes)) / (1 / _share(label, classes)).sum(),
            "Your weights add up to 1 over the classes. The mean over the *images* should be 1.",
        ),
        Mistake(
            lambda label, classes: 1 - _share(label, classes),
            "With these, the classes do not count alike: multiply each weight by its number of images and compare.",
        ),
        Mistake(
            lambda label, classes: _class_weights(label, classes)[label],
            "You return one weight for each image, and they are right. The task asks for one for each class.",
        ),
    ),
    hints=(
        "Weight times number of images must be the same for all classes.",
        "So a weight is some constant divided by the number of images of the class (`np.bincount`).",
        "Choose the constant so that the weights of all images add up to the number of images.",
    ),
    why="With these weights the loss cares for both classes alike, however many of each happened to be collected.",
)


# ---- mirror -------------------------------------------------------------------------------------

mirror = Choice(
    topic=TOPIC,
    name="mirror",
    answer="d",
    replies={
        "a": "For lung tissue alone this would hold. But the picture shows more than lungs: what lies to the left?",
        "b": "The mirror does move pixels, and a small network can gain from more varied pictures.",
        "c": "Networks do not know sides by themselves, but they learn whatever helps in the training images.",
        "d": "A mirrored chest is an anatomy that hardly exists (a heart on the right is rare), and the "
        "marker of the side becomes wrong. If mirrors help nevertheless, measure it on validation, and say so.",
    },
    hints=("Which organ in the picture is not symmetric?",),
)


# ---- accuracy_elsewhere -------------------------------------------------------------------------


def _accuracy_elsewhere(sensitivity, specificity, prevalence):
    return sensitivity * prevalence + specificity * (1 - prevalence)


def _accuracy_elsewhere_by_counting(sensitivity, specificity, prevalence):
    ill, healthy = 1e6 * prevalence, 1e6 * (1 - prevalence)
    return (ill * sensitivity + healthy * specificity) / (ill + healthy)


def _accuracy_elsewhere_inputs():
    return [(0.98, 0.7, 0.74), (0.98, 0.7, 0.625), (0.9, 0.95, 0.1), (0.6, 0.99, 0.02)]


accuracy_elsewhere = Coding(
    topic=TOPIC,
    name="accuracy_elsewhere",
    reference=_accuracy_elsewhere,
    also_correct=(_accuracy_elsewhere_by_counting,),
    inputs=_accuracy_elsewhere_inputs,
    mistakes=(
        Mistake(
            lambda sensitivity, specificity, prevalence: (sensitivity + specificity) / 2,
            "This is the balanced accuracy: it does not depend on the prevalence at all.",
        ),
        Mistake(
            lambda sensitivity, specificity, prevalence: specificity * prevalence + sensitivity * (1 - prevalence),
            "You weigh them the wrong way round: which of the two is about the ill?",
        ),
        Mistake(
            lambda sensitivity, specificity, prevalence: (
                sensitivity * prevalence / (sensitivity * prevalence + (1 - specificity) * (1 - prevalence))
            ),
            "This is the PPV: of those called ill, the share who are. Accuracy counts the right answers about the "
            "healthy too.",
        ),
        Mistake(
            lambda sensitivity, specificity, prevalence: sensitivity * prevalence,
            "You count the ill who are found. The healthy who are left in peace are right answers too.",
        ),
    ),
    hints=(
        "Imagine 1,000 people. How many are ill, and how many of them get the right answer?",
        "How many are healthy, and how many of those get the right answer? Add up, divide by 1,000.",
    ),
    why="The same model, the same threshold, another mix of people, another accuracy: so compare sensitivity and "
    "specificity.",
)


# ---- half_width ---------------------------------------------------------------------------------


def _half_width(accuracy, n):
    return 1.96 * np.sqrt(accuracy * (1 - accuracy) / n)


def _half_width_by_counts(accuracy, n):
    right = accuracy * n
    return 1.96 * (right * (n - right) / n) ** 0.5 / n


def _half_width_inputs():
    return [(0.854, 624), (0.946, 624), (0.86, 156), (0.5, 10_000)]


half_width = Coding(
    topic=TOPIC,
    name="half_width",
    reference=_half_width,
    also_correct=(_half_width_by_counts,),
    inputs=_half_width_inputs,
    mistakes=(
        Mistake(
            lambda accuracy, n: 1.96 * accuracy * (1 - accuracy) / n,
            "The square root is missing: what you have is built on the variance, not on the standard deviation.",
        ),
        Mistake(
            lambda accuracy, n: np.sqrt(accuracy * (1 - accuracy) / n),
            "This is one standard deviation. About 95 % lie within 1.96 of them.",
        ),
        Mistake(
            lambda accuracy, n: 2 * 1.96 * np.sqrt(accuracy * (1 - accuracy) / n),
            "This is the width of the whole interval. The task asks for the half: the number behind ±.",
        ),
        Mistake(
            lambda accuracy, n: 1.96 * np.sqrt(accuracy * (1 - accuracy)),
            "The number of images does not count in your formula, but more images do make a result surer.",
        ),
        Mistake(
            lambda accuracy, n: 1.96 * np.sqrt(accuracy / n),
            "The variance of a yes or no with probability a is not a. It is zero for a = 0 and also for a = 1.",
        ),
    ),
    hints=(
        "Each answer is right with probability a: its variance is a(1 − a).",
        "The mean of n answers has 1/n of that variance. Its square root is the standard deviation.",
        "Multiply by 1.96.",
    ),
    why="Results closer together than about 1.4 of these, from different test sets of this size, can be luck.",
)


# ---- gap ----------------------------------------------------------------------------------------

gap = Choice(
    topic=TOPIC,
    name="gap",
    answer="c",
    replies={
        "a": "It may be better. But another draw of 624 images could turn the order round, so it is not shown.",
        "b": "Equal is a claim too, and a small test set cannot prove it.",
        "c": "The gap is smaller than what another draw of test images would do. Both statements, better and equal, need "
        "more images, or both models' answers on the same images (a paired comparison, lesson 10).",
        "d": "The mean over three seeds removes the luck of the training. The luck of the test images stays: all three "
        "seeds meet the same ones.",
    },
    hints=("How far could the accuracy have moved with other test images? Compare with the gap.",),
)


# ---- twenty_models ------------------------------------------------------------------------------

twenty_models = Choice(
    topic=TOPIC,
    name="twenty_models",
    answer="a",
    replies={
        "a": "The best of twenty on one test set is partly the luckiest. The test has become a validation set, and its "
        "number will not be met by new images.",
        "b": "None of them saw a test image in training. But somebody did look at the test: the one who chose.",
        "c": "The mean over seeds narrows the luck of training. The choice among twenty was still made on the test.",
        "d": "Even with an interval the number stands at the top of twenty: the interval does not know of the choice.",
    },
    hints=("Toss twenty coins ten times each, and keep the best. Is it a good coin?",),
)
