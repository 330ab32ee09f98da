"""Exercises of the lesson on synthetic training data."""

import numpy as np
from scipy import stats
from scipy.spatial.distance import cdist

from course_lib.exercises import Choice, Coding, Mistake, Wrong, progress

TOPIC = "synthetic_data"


def _wrong(differs_on, *answers):
    """Wrong answers that all differ on the same arguments."""
    return [Wrong(answer, differs_on) for answer in answers]


# ---- labels_to_generate ---------------------------------------------------------------------------


def _labels_to_generate(label, per_class):
    counts = np.bincount(label)
    return np.repeat(np.arange(len(counts)), per_class - counts)  # each class as often as it lacks images


def _labels_by_loop(label, per_class):
    wanted = []
    for one in range(max(label) + 1):
        wanted += [one] * (per_class - sum(label == one))
    return wanted


def _labels_by_comparing(label, per_class):
    classes = np.arange(np.max(label) + 1)
    lacking = per_class - (np.asarray(label)[:, None] == classes).sum(axis=0)
    return np.concatenate([np.full(number, c) for c, number in zip(classes, lacking, strict=True)])


def _asked(lacking):
    """The answer that asks for lacking(counts, per_class) images of each class."""
    return lambda label, per_class: np.repeat(
        np.arange(max(label) + 1), np.maximum(0, lacking(np.bincount(label), per_class)).astype(int)
    )


def _then_asked(change):
    """The right labels, changed."""
    return lambda label, per_class: change(_labels_to_generate(label, per_class))


_THREE, _GAP = (np.array([0, 0, 1, 0, 2, 1]), 4), (np.array([3, 0, 3, 1, 0, 0]), 5)

labels_to_generate = Coding(
    topic=TOPIC,
    name="labels_to_generate",
    reference=_labels_to_generate,
    also_correct=(_labels_by_loop, _labels_by_comparing),
    inputs=lambda: [
        _THREE,
        (np.array([2, 0, 0, 1, 1, 1, 2]), 3),  # one class lacks none
        (np.array([1, 1, 1]), 7),
        _GAP,  # of one class there is no original
        (np.repeat(np.array([1, 0, 2], np.uint8), [40, 5, 7]), 60),
        (np.array([0, 0]), 5),
    ],
    mistakes=(
        Mistake(
            _asked(lambda counts, per_class: np.full(len(counts), per_class)),
            "Your results have the full number of every class. The originals are there already: count them, too.",
        ),
        Mistake(lambda k, n: n - np.bincount(k), "Your results say how many. Wanted is a label for each image."),
        Mistake(_asked(lambda counts, per_class: counts), "Your results double each class: the rare one stays rare."),
        Mistake(
            _asked(lambda counts, per_class: counts.max() - counts),
            "Your results fill up to the most frequent class. The function is told how many each class shall have.",
        ),
        Mistake(
            lambda k, n: np.repeat(np.unique(k), n - np.unique(k, return_counts=True)[1]),
            "Your results leave out a class of which there is no original. It lacks all of its images.",
        ),
        Mistake(_then_asked(lambda labels: labels[::-1]), "Your results begin with the last class. Begin with 0."),
    ),
    wrong=[
        *_wrong(
            _THREE,
            _then_asked(lambda labels: np.sort(labels)[np.r_[1 : len(labels), 0]]),
            _then_asked(lambda labels: labels + 1),
            _then_asked(lambda labels: labels[:-1]),
            _then_asked(lambda labels: np.append(labels, labels[-1])),
            _then_asked(lambda labels: np.unique(labels)),
            _then_asked(lambda labels: np.eye(3)[labels]),
            _then_asked(lambda labels: labels[labels == 2]),
            _asked(lambda counts, per_class: np.full(len(counts), np.ceil(np.mean(per_class - counts)))),
            _asked(lambda counts, per_class: counts.sum() - counts),
            _asked(lambda counts, per_class: per_class // counts),
            lambda label, per_class: np.concatenate([label, _labels_to_generate(label, per_class)]),
            lambda label, per_class: np.random.default_rng(0).permutation(_labels_to_generate(label, per_class)),
        ),
        Wrong(lambda k, n: [c for c in range(len(set(k.tolist()))) for _ in range(n - sum(k == c))], _GAP),
        Wrong(lambda k, n: np.repeat(np.arange(3), n - np.bincount(k, minlength=3)[:3]), _GAP),
        Wrong(lambda k, n: np.repeat([2, 1, 0], n - np.bincount(k, minlength=3)[:3]), (np.array([0, 1, 1]), 3)),
    ],
    hints=(
        "How many originals does each class have? NumPy's `bincount` counts labels.",
        "Each class lacks the wanted number minus the number it has.",
        "`np.repeat(values, times)` repeats each value as often as the second argument says.",
    ),
    why="Original and generated images together now have as many of each class, so that the arms differ in the added "
    "images alone.",
)


# ---- which_control --------------------------------------------------------------------------------

which_control = Choice(
    topic=TOPIC,
    name="which_control",
    answer="b",
    replies={
        "a": "That arm has no generated images, and its infarcts are rare. If the other arm is better you cannot tell which "
        "of these two differences it was.",
        "b": "As many images, the same share of each class, the same steps. What remains is whether the added images are "
        "copies of what we have, or something that a GAN made of it.",
        "c": "That arm answers another question: whether generated images can replace the originals.",
        "d": "Turns and flips are another way to add images. Which way is better is worth asking, but it does not tell what "
        "the GAN added to mere repetition.",
    },
    hints=("In which pair of arms do the training sets differ in one thing only?",),
)


# ---- what_may_be_said -----------------------------------------------------------------------------

what_may_be_said = Choice(
    topic=TOPIC,
    name="what_may_be_said",
    answer="d",
    replies={
        "a": "The interval also holds losses. Its middle is a gain, but the data do not exclude the opposite.",
        "b": "Not shown to help is not the same as shown not to help: the interval holds gains of up to 7 points as well.",
        "c": "More resamples make the ends of the same interval steadier, not closer. Only more seeds and patients do that.",
        "d": "Such gains lie outside the 95 % interval, as do losses of more than 3 points. Whoever needs to know more needs "
        "more seeds and more patients.",
    },
    hints=("Which true differences would have made such a result unsurprising?",),
)


# ---- wilson ---------------------------------------------------------------------------------------


def _wilson(right, n):
    q, share = 1.96, right / n
    middle = (share + q**2 / (2 * n)) / (1 + q**2 / n)
    reach = np.sqrt(share * (1 - share) / n + q**2 / (4 * n**2)) * q / (1 + q**2 / n)
    return middle - reach, middle + reach


def _wilson_by_roots(right, n):
    # The shares p whose distance to right/n is just 1.96 of their own standard errors: the roots of a square polynomial.
    q2, share = 1.96**2, right / n
    low, high = sorted(np.roots([1 + q2 / n, -(2 * share + q2 / n), share**2]).real)
    return low, high


def _wilson_scipy(right, n):
    return list(stats.binomtest(int(right), int(n)).proportion_ci(stats.norm.cdf(1.96) * 2 - 1, method="wilson"))


def _around(middle, reach):
    """The interval from middle(share, n, q) − reach(share, n, q) to middle + reach."""

    def answer(right, n, q=1.96):
        share = right / n
        m, r = middle(share, n, q), reach(share, n, q)
        return m - r, m + r

    return answer


def _share(share, n, q):
    return share


def _undivided(share, n, q):
    return share + q**2 / (2 * n)


def _middle(share, n, q):
    return _undivided(share, n, q) / (1 + q**2 / n)


def _root(share, n, q):
    return q * np.sqrt(share * (1 - share) / n + q**2 / (4 * n**2))


def _reach(share, n, q):
    return _root(share, n, q) / (1 + q**2 / n)


def _wald(share, n, q):
    return q * np.sqrt(share * (1 - share) / n)


def _with_q(q):
    return lambda right, n: _around(_middle, _reach)(right, n, q)


_EIGHT, _NONE = (8, 10), (0, 12)

wilson = Coding(
    topic=TOPIC,
    name="wilson",
    reference=_wilson,
    also_correct=(_wilson_by_roots, _wilson_scipy),
    inputs=lambda: [_EIGHT, (45, 60), _NONE, (7, 7), (1, 1), (1, 3), (970, 1000)],
    mistakes=(
        Mistake(
            _around(_share, _wald),
            "Your results are the textbook interval, share ± 1.96 standard errors. With none right of 12 it has no width. "
            "Use the formula above.",
        ),
        Mistake(
            _around(_middle, lambda share, n, q: (share * (1 - share) / n + q**2 / (4 * n**2)) * q / (1 + q**2 / n)),
            "Your results have the right middle. Their width is that of the formula without the square root.",
        ),
        Mistake(_around(_undivided, _root), "Your results are the numerator alone. Divide it by the term below."),
        Mistake(_around(_share, _reach), "Your results lie around the observed share. Wilson's middle is another."),
        Mistake(_around(_middle, _root), "Your results divide the middle alone. Divide the half width, too."),
        Mistake(_around(_undivided, _reach), "Your results divide the half width alone. Divide the middle, too."),
        Mistake(
            lambda right, n: (_middle(right / n, n, 1.96), _reach(right / n, n, 1.96)),
            "Your results are the middle and the half width. Return middle − half width and middle + half width.",
        ),
        Mistake(
            _around(
                lambda share, n, q: (share + q**2 / 2 * n) / (1 + q**2 / n),
                lambda share, n, q: q * np.sqrt(share * (1 - share) / n + q**2 / 4 * n**2) / (1 + q**2 / n),
            ),
            "Your results are those of `q**2 / 2 * n`, which multiplies by n. Set 2n and 4n² in brackets.",
        ),
        Mistake(_with_q(2), "Your results are those of q = 2. Take 1.96."),
    ),
    wrong=[
        *_wrong(
            _EIGHT,
            _with_q(1.645),
            _with_q(2.576),
            _with_q(1),
            lambda right, n: _wilson(right, n)[::-1],
            lambda right, n: _wilson(right, n)[0],
            lambda right, n: _wilson(right, n - 1),
            lambda right, n: _wilson(n - right, n),
            lambda right, n: np.round(_wilson(right, n), 2),
            lambda right, n: 100 * np.array(_wilson(right, n)),
            lambda right, n: (_wilson(right, n)[0], right / n, _wilson(right, n)[1]),
            lambda right, n: _around(_share, _wald)(right + 2, n + 4),  # Agresti & Coull
            _around(
                _middle, lambda share, n, q: q * np.sqrt(share * (1 - share) / n + q**2 / (4 * n)) / (1 + q**2 / n)
            ),
        ),
        Wrong(lambda k, n: tuple(stats.binomtest(k, n).proportion_ci(method="exact")), _NONE),
        Wrong(lambda k, n: tuple(stats.binomtest(k, n).proportion_ci(method="wilsoncc")), _NONE),
        Wrong(lambda k, n: _wilson(k, n) if 0 < k < n else (k / n, k / n), _NONE),
        Wrong(lambda k, n: np.maximum(_wilson(k, n), 0.01), _NONE),
    ],
    hints=(
        "Compute the observed share first, then the middle, then the half width.",
        "The divisor 1 + q²/n belongs to both. Mind the brackets: in Python `a / 2 * n` multiplies by n.",
    ),
    why="Now you can give the percentages of a paper their intervals, wherever it tells you n.",
)


# ---- membership_score -----------------------------------------------------------------------------


def _membership_score(images, released):
    distance = cdist(images.reshape(len(images), -1), released.reshape(len(released), -1))
    return -distance.min(axis=1)  # a small distance is a high score


def _membership_by_loop(images, released):
    scores = []
    for image in images.astype(float):
        scores.append(-min(np.sqrt(((released - image) ** 2).sum(axis=(1, 2, 3)))))
    return np.array(scores)


def _membership_by_broadcasting(images, released):
    difference = np.float64(images)[:, None] - np.float64(released)
    return np.negative(np.linalg.norm(difference.reshape(*difference.shape[:2], -1), axis=2)).max(axis=1)


def _distances(images, released, **options):
    return cdist(images.reshape(len(images), -1), released.reshape(len(released), -1), **options)


def _of_distances(change, **options):
    """The answer that makes change(distances) of the distances (images, released)."""
    return lambda images, released: change(_distances(images, released, **options))


def _of_pictures(change):
    """The right answer for changed pictures."""
    return lambda images, released: _membership_score(change(np.float64(images)), change(np.float64(released)))


def _wrapped(distances):
    """The answer that subtracts pixels in their own type: 3 − 5 is 254 in uint8. distances: of (images, released, h, w, c)."""
    return lambda images, released: -distances(images[:, None] - released[None]).min(axis=1)


def _pictures(seed, n, *shape):
    return np.random.default_rng(seed).random((n, *shape))


_SMALL = (np.array([[[[0], [2]]], [[[5], [4]]]]), np.array([[[[3], [6]]], [[[5], [3]]], [[[9], [9]]]]))
_COLOUR = (_pictures(2, 4, 2, 4, 3), _pictures(3, 5, 2, 4, 3))
_BYTES = tuple(
    np.random.default_rng(seed).integers(0, 256, (n, 4, 3, 1)).astype(np.uint8) for seed, n in ((4, 5), (5, 7))
)

membership_score = Coding(
    topic=TOPIC,
    name="membership_score",
    reference=_membership_score,
    also_correct=(_membership_by_loop, _membership_by_broadcasting),
    inputs=lambda: [
        _SMALL,
        (_pictures(0, 4, 3, 3, 1), _pictures(1, 6, 3, 3, 1)),
        _COLOUR,
        _BYTES,
        tuple(np.rint(9 * _pictures(seed, 4, 3, 5, 1)[first:]) for seed, first in ((6, 1), (6, 0))),  # copies
        tuple(np.uint8(256 * _pictures(seed, 1, 2, 2, 1)) for seed in (8, 9)),
    ],
    mistakes=(
        Mistake(_of_distances(lambda d: d.min(axis=1)), "Your results are distances. Who is near must score high."),
        Mistake(
            _of_distances(lambda d: -d.mean(axis=1)),
            "Your results are those of the mean over all released images. One single copy gives a patient away: take the nearest.",
        ),
        Mistake(
            _of_distances(lambda d: -d.min(axis=0)),
            "Your results have one number for each released image. We ask about each of `images`: which axis do you go along?",
        ),
        Mistake(_of_distances(lambda d: -d.max(axis=1)), "Your results ask the farthest image. Ask the nearest."),
        Mistake(_of_distances(lambda d: -(d.min(axis=1) ** 2)), "Your results are squares: take the root."),
        Mistake(_of_pictures(lambda x: x / np.sqrt(x[0].size)), "Your results take means of squares, not sums."),
        Mistake(
            _wrapped(lambda d: np.sqrt((d**2).sum(axis=(2, 3, 4)))),
            "Your results fail for pixels of type uint8: there 3 − 5 is 254, and 254² is 4. Begin with `images.astype(float)`.",
        ),
        Mistake(
            _wrapped(lambda d: np.sqrt((d.astype(float) ** 2).sum(axis=(2, 3, 4)))),
            "Your results fail for pixels of type uint8: there 3 − 5 is 254. Subtract from `images.astype(float)`.",
        ),
        Mistake(
            _of_distances(lambda d: -d.min(axis=1), metric="cityblock"),
            "Your results are those of the sum of the absolute differences. The Euclidean distance takes squares and a root.",
        ),
    ),
    wrong=[
        *_wrong(
            _SMALL,
            _of_distances(lambda d: -d[:, 0]),
            _of_distances(lambda d: -np.median(d, axis=1)),
            _of_distances(lambda d: -np.sort(d, axis=1)[:, :2].mean(axis=1)),
            _of_distances(lambda d: 1 / (1 + d.min(axis=1))),
            _of_distances(lambda d: np.exp(-d.min(axis=1))),
            _of_distances(lambda d: -d.min(axis=1), metric="chebyshev"),
            _of_distances(lambda d: -d.min(axis=1), metric="cosine"),
            _of_distances(lambda d: -np.full(len(d), d.min())),
            _of_distances(lambda d: -d.argmin(axis=1)),
            _of_distances(lambda d: -d.min(axis=1)[:, None]),
            _of_pictures(lambda x: x.mean(axis=(1, 2, 3), keepdims=True)),
            _of_pictures(lambda x: x - x.mean(axis=(1, 2, 3), keepdims=True)),
        ),
        Wrong(_of_pictures(lambda x: x[..., :1]), _COLOUR),
        Wrong(_of_distances(lambda d: -np.round(d.min(axis=1))), _COLOUR),
        Wrong(_of_pictures(lambda x: x.mean(axis=-1, keepdims=True)), _COLOUR),
        Wrong(_of_pictures(lambda x: x[:, :, : x.shape[1]]), _COLOUR),
        Wrong(_of_pictures(lambda x: np.clip(x, 0, 1)), _BYTES),
        Wrong(_of_pictures(lambda x: x / 255), _BYTES),
        Wrong(
            lambda a, b: -np.sqrt([((b - one) ** 2).sum(axis=(1, 2, 3), dtype=float).min() for one in a]), _BYTES
        ),  # wraps around
    ],
    hints=(
        "Flatten: `images.reshape(len(images), -1)` has one row for each image.",
        "`cdist(a, b)`, from `scipy.spatial.distance`, has one row for each of a and one column for each of b.",
        "Of each row the smallest. Then see to it that near gives high.",
    ),
    why="It needs no access to the network, only to the images that were released.",
)


# ---- members_found --------------------------------------------------------------------------------


def _members_found(member, stranger, share):
    allowed = int(share * len(stranger) + 1e-9)  # so many strangers may be accused
    threshold = np.sort(stranger)[::-1][allowed]  # the highest score among the others
    return (member > threshold).mean()


def _members_found_by_counting(member, stranger, share):
    allowed = int(np.floor(share * len(stranger)))
    return sum(sum(s >= m for s in stranger) <= allowed for m in member) / len(member)


def _members_found_by_deleting(member, stranger, share):
    others = sorted(stranger)
    for _ in range(int(share * len(others))):
        others.pop()
    return float(np.mean([m > others[-1] for m in member]))


def _found(threshold, above=np.greater):
    """The share of members above threshold(member, stranger, share)."""
    return lambda member, stranger, share: float(np.mean(above(member, threshold(member, stranger, share))))


def _place(of_share):
    """The threshold of the stranger at the place of_share(share · n), counted from the highest."""
    return lambda member, stranger, share: np.sort(stranger)[::-1][int(of_share(share * len(stranger)))]


_FEW = (np.array([3, 1, 5, 6, 4]), np.array([0, 1, 2, 4, 3]), 0.2)
_ODD = (np.array([0.9, 0.5, 0.7, 0.4, 0.6]), np.array([0.8, 0.1, 0.6, 0.3, 0.2, 0.5, 0.4]), 0.25)  # one of seven


def _members_found_inputs():
    rng = np.random.default_rng(15)
    return [
        _FEW,  # and a tie
        _ODD,
        (np.array([0.2, 0.9, 0.4]), np.array([0.3, 0.1, 0.4]), 0.0),
        (np.array([3, 7, 5, 1]), np.array([6, 2, 4, 0, 1]), 0.3),  # one of five
        (-rng.exponential(2, 40), -rng.exponential(3, 100), 0.01),
        (rng.normal(1, 1, 60), rng.normal(0, 1, 250), 0.01),  # two of 250
        (rng.normal(-9, 1, 20), rng.normal(0, 1, 30), 0.1),
        (rng.normal(9, 1, 20), rng.normal(0, 1, 30), 0.1),
        (np.array([1, 1, 0, 2]), np.array([1, 0, 1, 1, 0, 1]), 0.5),  # many ties
        (np.array([7.1, 8.5, 6.9, 7.0]), rng.permutation(10), 0.2),  # just above the threshold, and on it
        (np.array([6.2, 0.4, 6.5]), rng.permutation(10), 0.3),
    ]


members_found = Coding(
    topic=TOPIC,
    name="members_found",
    reference=_members_found,
    also_correct=(_members_found_by_counting, _members_found_by_deleting),
    inputs=_members_found_inputs,
    mistakes=(
        Mistake(
            _found(_place(np.floor), np.greater_equal),
            "Your results are those of “at least as high” as the highest of the others. A member must lie above it.",
        ),
        Mistake(
            _found(lambda member, stranger, share: np.quantile(stranger, 1 - share)),
            "Your results are those of a quantile between two strangers. The threshold is the score of one of them.",
        ),
        Mistake(_found(_place(np.ceil)), "Your results accuse more strangers than allowed. Round their number down."),
        Mistake(
            _found(_place(lambda k: int(k) - 1)),
            "Your results take the last of the strangers who may be accused. The threshold is the next one's score.",
        ),
        Mistake(lambda m, s, share: _members_found(s, m, share), "Your results find strangers. Exchange the two."),
        Mistake(_found(lambda m, s, share: s.max()), "Your results accuse no stranger at all. Some may be accused."),
        Mistake(lambda m, s, share: len(m) * _members_found(m, s, share), "Your results count the found: divide."),
    ),
    wrong=[
        *_wrong(
            _FEW,
            _place(np.floor),
            lambda m, s, share: 100 * _members_found(m, s, share),
            lambda m, s, share: 1 - _members_found(m, s, share),
            _found(lambda m, s, share: np.sort(s)[int(share * len(s))]),
            _found(_place(lambda k: k), np.less),
            _found(lambda m, s, share: np.sort(m)[::-1][int(share * len(m))]),
            _found(lambda m, s, share: np.mean(s)),
            _found(lambda m, s, share: np.sort(np.r_[m, s])[::-1][int(share * (len(m) + len(s)))]),
        ),
        *_wrong(
            _ODD,
            _found(_place(np.round)),
            _found(lambda m, s, share: s[int(share * len(s))]),
            _found(lambda m, s, share: np.quantile(s, 1 - share, method="lower")),
            lambda m, s, share: round(_members_found(m, s, share), 1) + 0.05,
        ),
        Wrong(_found(_place(lambda k: max(k, 1))), _members_found_inputs()[2]),
        Wrong(lambda m, s, share: _members_found(m, s, 0.01), _FEW),
        Wrong(lambda m, s, share: _members_found(np.unique(m), np.unique(s), share), _members_found_inputs()[8]),
        Wrong(lambda m, s, share: _members_found(np.abs(m), np.abs(s), share), _members_found_inputs()[4]),
    ],
    hints=(
        "How many strangers may be accused? A share of their number, rounded down.",
        "Sort the strangers from the highest score down and pass over the allowed ones. The next one's score is the threshold.",
        "The mean of `member > threshold` is a share.",
    ),
    why="An attacker who accuses one stranger in a hundred is dangerous to those whom this number counts, however low the AUC is.",
)


# ---- a_release_without ----------------------------------------------------------------------------

a_release_without = Choice(
    topic=TOPIC,
    name="a_release_without",
    answer="a",
    replies={
        "a": "If these people score higher there as well, it is not because a GAN has seen them: perhaps their slices are "
        "plainer than those of the strangers. If they do not, membership is what is left.",
        "b": "More strangers make the number surer. If the members' slices differ from theirs for another reason, it stays "
        "just as wrong.",
        "c": "That asks how much the release gives away when it is larger. It is not a run without membership.",
        "d": "A narrower interval around a number does not tell what the number measures.",
    },
    hints=("Which run changes membership, and nothing else about the people?",),
)


# ---- released_what --------------------------------------------------------------------------------

released_what = Choice(
    topic=TOPIC,
    name="released_what",
    answer="c",
    replies={
        "a": "A generated image is nobody's photograph, but it was computed from somebody's. Whether that shows must be measured.",
        "b": "Small images can give their patients away, too: what matters is how near the release comes to them. Size is no "
        "protection by itself.",
        "c": "An attack that fails says something about that attack, and an AUC of 0.5 may hide a few who are found. What holds "
        "against every attack needs a proof, such as differential privacy gives, and costs image quality.",
        "d": "The discriminator is not needed to make images, so nobody has to release it. But it is not the only leak.",
    },
    hints=("Would a stronger attack, which nobody has tried yet, change the answer?",),
)
