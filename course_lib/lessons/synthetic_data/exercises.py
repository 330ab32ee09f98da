"""Exercises of the lesson on synthetic training data."""

import numpy as np
from scipy import stats
from scipy.spatial.distance import cdist

from course_lib.exercises import Choice, Coding, Mistake, progress

TOPIC = "synthetic_data"

# ---- labels_to_generate ---------------------------------------------------------------------------


def _labels_to_generate(label, per_class):
    counts = np.bincount(label)
    return np.repeat(np.arange(len(counts)), per_class - counts)  # each class as often as it lacks images


def _labels_by_loop(label, per_class):
    wanted = []
    for one in range(max(label) + 1):
        wanted += [one] * (per_class - sum(label == one))
    return wanted


labels_to_generate = Coding(
    topic=TOPIC,
    name="labels_to_generate",
    reference=_labels_to_generate,
    also_correct=(_labels_by_loop,),
    inputs=lambda: [
        (np.array([0, 0, 1, 0, 2, 1]), 4),
        (np.array([2, 0, 0, 1, 1, 1, 2]), 3),
        (np.array([1, 0, 1]), 2),
    ],
    mistakes=(
        Mistake(
            lambda label, per_class: np.repeat(np.arange(max(label) + 1), per_class),
            "You ask for the full number in every class. The real images are there already: count them too.",
        ),
        Mistake(
            lambda label, per_class: per_class - np.bincount(label),
            "These are the numbers of images for each class. The generator wants one label for each image.",
        ),
        Mistake(
            lambda label, per_class: np.repeat(np.arange(max(label) + 1), np.bincount(label)),
            "You ask for as many images as there are real ones, so the rare class stays rare. How many does each lack?",
        ),
        Mistake(
            lambda label, per_class: np.repeat(np.arange(max(label) + 1), max(np.bincount(label)) - np.bincount(label)),
            "You fill up to the most frequent class. The function is told how many each class shall have.",
        ),
    ),
    hints=(
        "How many real images does each class have? NumPy's `bincount` counts labels.",
        "Each class lacks the wanted number minus the number it has.",
        "`np.repeat(values, times)` repeats each value as often as the second argument says.",
    ),
    why="Real and generated images together now have as many of each class, so the arms differ in the images alone.",
)


# ---- which_control --------------------------------------------------------------------------------

which_control = Choice(
    topic=TOPIC,
    name="which_control",
    answer="b",
    replies={
        "a": "The arm with real images alone differs in two things: it has no generated images, and its infarcts are rare. "
        "If the other arm is better you cannot tell which of the two it was.",
        "b": "Same number of images, same share of each class, same steps. What remains is whether the added images are "
        "copies of what we have, or something a GAN made of it.",
        "c": "That arm answers another question: whether generated images can replace the real ones.",
        "d": "That number comes from other patients, another network and another test. Nothing in it is equal but the idea.",
    },
    hints=("In which pair of arms do the training sets differ in one thing only?",),
)


# ---- over_seeds -----------------------------------------------------------------------------------


def _over_seeds(first, second):
    gain = np.subtract(second, first)  # of each seed
    error = gain.std(ddof=1) / np.sqrt(len(gain))  # how far the mean of so many seeds is off, typically
    reach = stats.t.ppf(0.975, len(gain) - 1) * error
    return gain.mean(), gain.mean() - reach, gain.mean() + reach


def _over_seeds_scipy(first, second):
    test = stats.ttest_rel(second, first)
    low, high = test.confidence_interval(0.95)
    return np.mean(second) - np.mean(first), low, high


def _over_seeds_wrong(error, factor):
    def answer(first, second):
        gain = np.subtract(second, first)
        reach = factor(len(gain)) * error(gain, np.asarray(first), np.asarray(second))
        return gain.mean(), gain.mean() - reach, gain.mean() + reach

    return answer


def _t(n):
    return stats.t.ppf(0.975, n - 1)


def _sem(gain, *_):
    return gain.std(ddof=1) / np.sqrt(len(gain))


over_seeds = Coding(
    topic=TOPIC,
    name="over_seeds",
    reference=_over_seeds,
    also_correct=(_over_seeds_scipy,),
    inputs=lambda: [
        (np.array([0.50, 0.61, 0.43, 0.55, 0.47]), np.array([0.55, 0.63, 0.50, 0.54, 0.52])),
        (np.array([0.31, 0.44, 0.36]), np.array([0.30, 0.47, 0.33])),
    ],
    mistakes=(
        Mistake(
            _over_seeds_wrong(_sem, lambda n: stats.norm.ppf(0.975)),
            "1.96 belongs to a known spread. Yours is estimated from a few seeds, which needs the wider t distribution.",
        ),
        Mistake(
            _over_seeds_wrong(lambda gain, *_: gain.std(ddof=1), _t),
            "This says where single seeds fall. The mean of n seeds is less uncertain: something with n is missing.",
        ),
        Mistake(
            _over_seeds_wrong(lambda gain, *_: gain.std() / np.sqrt(len(gain)), _t),
            "NumPy's `std` divides by n unless told otherwise, which is too small for a spread estimated from a sample.",
        ),
        Mistake(
            _over_seeds_wrong(lambda _, a, b: np.sqrt((a.var(ddof=1) + b.var(ddof=1)) / len(a)), _t),
            "You treat the two arms as unrelated. They share their patients: take the gain of each seed first.",
        ),
        Mistake(
            lambda first, second: _over_seeds(second, first),
            "The sign is turned: a gain is positive when the second arm is better.",
        ),
    ),
    hints=(
        "First one number for each seed: by how much was the second arm better?",
        "The standard error of a mean is the sample's standard deviation (`ddof=1`) over the square root of n.",
        "`stats.t.ppf(0.975, n - 1)` says how many standard errors a 95 % interval reaches to each side.",
    ),
    why="Each seed has other training and other test patients, so this interval knows about both, and it is wide.",
)


# ---- what_may_be_said -----------------------------------------------------------------------------

what_may_be_said = Choice(
    topic=TOPIC,
    name="what_may_be_said",
    answer="d",
    replies={
        "a": "The interval also holds losses. The best single number in it is a gain, but the data do not exclude the opposite.",
        "b": "Not shown to help is not the same as shown not to help: the interval holds a gain of 7 points as well.",
        "c": "More resamples make the ends of the same interval steadier, not closer. Only more seeds and patients do that.",
        "d": "That is what was measured. Whoever needs to know more needs more seeds and more patients.",
    },
    hints=("Which true values would have made such a result unsurprising?",),
)


# ---- wilson ---------------------------------------------------------------------------------------


def _wilson(right, n, z=1.96):
    share = right / n
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    reach = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return middle - reach, middle + reach


def _wilson_by_roots(right, n, z=1.96):
    # The shares p whose distance to right/n is just z standard errors: the roots of a square polynomial.
    share = right / n
    low, high = sorted(np.roots([1 + z**2 / n, -(2 * share + z**2 / n), share**2]).real)
    return low, high


def _wald(right, n, z=1.96):
    reach = z * np.sqrt(right / n * (1 - right / n) / n)
    return right / n - reach, right / n + reach


def _wilson_no_root(right, n, z=1.96):
    share = right / n
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    reach = z / (1 + z**2 / n) * (share * (1 - share) / n + z**2 / (4 * n**2))
    return middle - reach, middle + reach


def _wilson_not_divided(right, n, z=1.96):
    share = right / n
    middle = share + z**2 / (2 * n)
    reach = z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return middle - reach, middle + reach


def _wilson_about_share(right, n, z=1.96):
    share = right / n
    reach = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return share - reach, share + reach


wilson = Coding(
    topic=TOPIC,
    name="wilson",
    reference=_wilson,
    also_correct=(_wilson_by_roots,),
    inputs=lambda: [(8, 10), (45, 60), (0, 12)],
    mistakes=(
        Mistake(
            _wald,
            "This is the textbook interval, share ± z standard errors. With few cases or shares near 1 it is wrong: with "
            "none right of 12 it has no width. Use the formula above.",
        ),
        Mistake(_wilson_no_root, "The half width needs a square root around the sum."),
        Mistake(_wilson_not_divided, "Both the middle and the half width are divided by the same term with z² and n."),
        Mistake(
            _wilson_about_share,
            "The half width is right, the middle is not: Wilson's interval is not centred on the observed share.",
        ),
    ),
    hints=(
        "Compute the observed share first, then the middle, then the half width.",
        "The divisor 1 + z²/n belongs to both. Mind the brackets.",
    ),
    why="Now you can put an interval to every percentage of a paper that tells you its n.",
)


# ---- membership_score -----------------------------------------------------------------------------


def _membership_score(images, released):
    distance = cdist(images.reshape(len(images), -1), released.reshape(len(released), -1))
    return -distance.min(axis=1)  # a small distance is a high score


def _membership_by_loop(images, released):
    scores = []
    for image in images:
        scores.append(-min(np.sqrt(((released - image) ** 2).sum(axis=(1, 2, 3)))))
    return np.array(scores)


membership_score = Coding(
    topic=TOPIC,
    name="membership_score",
    reference=_membership_score,
    also_correct=(_membership_by_loop,),
    inputs=lambda: [
        (np.random.default_rng(0).random((4, 3, 3, 1)), np.random.default_rng(1).random((6, 3, 3, 1))),
        (np.random.default_rng(2).random((2, 2, 4, 1)), np.random.default_rng(3).random((5, 2, 4, 1))),
    ],
    mistakes=(
        Mistake(
            lambda images, released: -_membership_score(images, released),
            "This is the distance. A score must be high for those who look like members, who are near.",
        ),
        Mistake(
            lambda images, released: (
                -cdist(images.reshape(len(images), -1), released.reshape(len(released), -1)).mean(1)
            ),
            "You took the mean over all released images. One single copy gives a patient away: look at the nearest.",
        ),
        Mistake(
            lambda images, released: (
                -cdist(images.reshape(len(images), -1), released.reshape(len(released), -1)).min(0)
            ),
            "You have one number for each released image. We ask about each real image: which axis do you go along?",
        ),
        Mistake(
            lambda images, released: (
                -cdist(images.reshape(len(images), -1), released.reshape(len(released), -1)).max(1)
            ),
            "This is the distance to the farthest released image. Which of them says most about a copy?",
        ),
    ),
    hints=(
        "Flatten: `images.reshape(len(images), -1)` has one row for each image.",
        "`cdist(a, b)`, from `scipy.spatial.distance`, has one row for each of a and one column for each of b.",
        "Of each row the smallest. Then see to it that near gives high.",
    ),
    why="It needs no access to the network, only to the images that were released.",
)


# ---- released_what --------------------------------------------------------------------------------

released_what = Choice(
    topic=TOPIC,
    name="released_what",
    answer="c",
    replies={
        "a": "A generated image is nobody's photograph, but it was computed from somebody's. Whether that shows must be measured.",
        "b": "They are small, and the test still recognised members. Size is no protection.",
        "c": "An attack that fails says something about that attack. What is promised without one needs a proof, such as "
        "differential privacy gives, and costs image quality.",
        "d": "The discriminator is not needed to make images, so nobody has to release it. But it is not the only leak.",
    },
    hints=("Would a stronger attack, which nobody has tried yet, change the answer?",),
)
