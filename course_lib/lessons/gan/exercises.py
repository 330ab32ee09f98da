"""Exercises of the lesson on GAN."""

import numpy as np

from course_lib.exercises import Choice, Coding, Mistake, progress

TOPIC = "gan"


def _sigmoid(a):
    return 1 / (1 + np.exp(-np.asarray(a, dtype=float)))


# ---- gan_losses ---------------------------------------------------------------------------------


def _gan_losses(real_logits, fake_logits):
    d_real = 1 / (1 + np.exp(-real_logits))  # D(x) = sigmoid(logit)
    d_fake = 1 / (1 + np.exp(-fake_logits))
    discriminator = -np.log(d_real).mean() - np.log(1 - d_fake).mean()
    return discriminator, np.log(1 - d_fake).mean(), -np.log(d_fake).mean()


def _gan_losses_softplus(real_logits, fake_logits):
    def softplus(a):
        return np.logaddexp(0, a)  # log(1 + eᵃ), safe for any logit

    minimax = -softplus(fake_logits).mean()
    return softplus(-real_logits).mean() - minimax, minimax, softplus(-fake_logits).mean()


def _losses_with(discriminator, minimax, non_saturating):
    def answer(real_logits, fake_logits):
        r, f = _sigmoid(real_logits), _sigmoid(fake_logits)
        return discriminator(r, f), minimax(r, f), non_saturating(r, f)

    return answer


def _right_d(r, f):
    return -np.log(r).mean() - np.log(1 - f).mean()


def _right_minimax(r, f):
    return np.log(1 - f).mean()


def _right_non_saturating(r, f):
    return -np.log(f).mean()


gan_losses = Coding(
    topic=TOPIC,
    name="gan_losses",
    reference=_gan_losses,
    also_correct=(_gan_losses_softplus,),
    inputs=lambda: [
        (np.array([2.0, -1.0, 0.5]), np.array([0.3, -3.0, 1.0])),
        (np.array([4.0, 3.0]), np.array([-5.0, -4.0, -2.0, -3.0])),
        (np.zeros(5), np.zeros(3)),
    ],
    mistakes=(
        Mistake(
            _losses_with(lambda r, f: -np.log(r).mean() - np.log(f).mean(), _right_minimax, _right_non_saturating),
            "The discriminator's loss rewards it for taking generated data for real. Its right answer there is 0, not 1.",
        ),
        Mistake(
            _losses_with(_right_d, lambda r, f: -np.log(1 - f).mean(), _right_non_saturating),
            "The sign of the minimax loss is turned: the generator would help the discriminator.",
        ),
        Mistake(
            _losses_with(_right_d, lambda r, f: -_right_d(r, f), _right_non_saturating),
            "Your minimax loss still has the term of the real data. The generator cannot change it, so leave it out.",
        ),
        Mistake(
            _losses_with(_right_d, _right_minimax, lambda r, f: np.log(f).mean()),
            "The sign of the non-saturating loss is turned: it must fall when D(G(z)) grows.",
        ),
        Mistake(
            _losses_with(
                lambda r, f: -np.log(r).sum() - np.log(1 - f).sum(),
                lambda r, f: np.log(1 - f).sum(),
                lambda r, f: -np.log(f).sum(),
            ),
            "These are sums over the batch. The formulas take means, each over its own data.",
        ),
        Mistake(
            lambda real_logits, fake_logits: (
                -np.log(np.clip(real_logits, 1e-7, 1)).mean() - np.log(1 - np.clip(fake_logits, 0, 1 - 1e-7)).mean(),
                np.log(1 - np.clip(fake_logits, 0, 1 - 1e-7)).mean(),
                -np.log(np.clip(fake_logits, 1e-7, 1)).mean(),
            ),
            "You get logits, which can be any number. Make probabilities of them first.",
        ),
    ),
    hints=(
        "First make probabilities of the logits: D = sigmoid(logit).",
        "The discriminator: cross-entropy with the answer 1 for real data and 0 for generated data, a mean for each.",
        "The two losses of the generator need the generated data only: mean log(1 − D), and −mean log D.",
    ),
    why="Both players look at the same number, D(G(z)), and pull it in opposite directions.",
)

# ---- loss_of_a_half -----------------------------------------------------------------------------

loss_of_a_half = Choice(
    topic=TOPIC,
    name="loss_of_a_half",
    answer="b",
    replies={
        "a": "For a classifier that would be true. Here two networks play; if this loss goes to zero, the generator has lost.",
        "b": "−log ½ − log ½ = log 4. It may be that the two are alike, or that this discriminator is too weak to see more.",
        "c": "This loss cannot tell. A generator that copies the training data perfectly would get it too.",
        "d": "Only as far as this discriminator can see. A weak one is content with bad images.",
    },
    hints=("Put D = ½ into both terms of the loss.",),
)

# ---- covered_modes ------------------------------------------------------------------------------


def _covered_modes(points, centres, reach, least):
    distance = np.linalg.norm(points[:, None] - centres[None], axis=2)  # (n, k)
    share = (distance < reach).mean(axis=0)  # of all points, near each centre
    return int((share >= least).sum())


def _covered_modes_loop(points, centres, reach, least):
    covered = 0
    for centre in centres:
        close = [point for point in points if np.sqrt(((point - centre) ** 2).sum()) < reach]
        covered += len(close) >= least * len(points)
    return covered


def _mode_inputs():
    rng = np.random.default_rng(0)
    angles = 2 * np.pi * np.arange(8) / 8
    centres = np.stack([np.cos(angles), np.sin(angles)], 1)

    def cloud(shares, spread=0.05, n=200):
        which = rng.choice(8, size=n, p=np.array(shares) / sum(shares))
        return centres[which] + rng.normal(scale=spread, size=(n, 2))

    few = np.concatenate([cloud([1, 1, 0, 0, 0, 0, 0, 0]), [[0.0, 1.0]], rng.normal(scale=0.1, size=(400, 2))])
    return [
        (cloud([1] * 8), centres, 0.2, 0.02),
        (few, centres, 0.2, 0.02),
        (np.repeat(centres[2:3], 50, axis=0) + [0.15, 0.15], centres, 0.2, 0.02),
        (np.concatenate([cloud([1, 1, 1, 0, 0, 0, 0, 0], n=60), np.zeros((140, 2))]), centres, 0.2, 0.15),
    ]


covered_modes = Coding(
    topic=TOPIC,
    name="covered_modes",
    reference=_covered_modes,
    also_correct=(_covered_modes_loop,),
    inputs=_mode_inputs,
    mistakes=(
        Mistake(
            lambda points, centres, reach, least: int(
                (np.linalg.norm(points[:, None] - centres[None], axis=2).min(0) < reach).sum()
            ),
            "A single stray point does not cover a mode: compare the share of points with `least`.",
        ),
        Mistake(
            lambda points, centres, reach, least: int(
                (
                    np.bincount(
                        np.linalg.norm(points[:, None] - centres[None], axis=2).argmin(1), minlength=len(centres)
                    )
                    >= least * len(points)
                ).sum()
            ),
            "Every point is counted for its nearest centre, however far that is. Points between the modes do not count.",
        ),
        Mistake(
            lambda points, centres, reach, least: int(
                ((np.abs(points[:, None] - centres[None]).max(2) < reach).mean(0) >= least).sum()
            ),
            "That is a square around each centre. The distance is the root of the sum of both squared differences.",
        ),
        Mistake(
            lambda points, centres, reach, least: int(
                (
                    (near := np.linalg.norm(points[:, None] - centres[None], axis=2) < reach).sum(0)
                    >= least * max(1, near.sum())
                ).sum()
            ),
            "`least` is a share of all points, those far from every centre included.",
        ),
    ),
    hints=(
        "Start with the distance of every point to every centre: an array (n, k).",
        "`points[:, None] - centres[None]` has the shape (n, k, 2).",
        "For each centre: the mean of `distance < reach` over the points. Count the centres where it is at least `least`.",
    ),
    why="With a share to reach, one lucky point is not a mode; and what lies between the modes is not counted at all.",
)

# ---- largest_stretch ----------------------------------------------------------------------------


def _largest_stretch(w, u, rounds):
    for _ in range(rounds):
        v = w @ u
        v = v / np.linalg.norm(v)
        u = w.T @ v
        u = u / np.linalg.norm(u)
    return np.linalg.norm(w @ u)


def _largest_stretch_square(w, u, rounds):
    square = w.T @ w
    for _ in range(rounds):
        u = square @ u
        u = u / np.sqrt(u @ u)
    return np.sqrt(u @ square @ u)


def _stretch_without_transpose(w, u, rounds):
    for _ in range(rounds):
        u = w @ u
        u = u / np.linalg.norm(u)
    return np.linalg.norm(w @ u)


def _stretch_without_length(w, u, rounds):
    for _ in range(rounds):
        u = w.T @ (w @ u)
    return np.linalg.norm(w @ u)


def _one_round(w, u, rounds):
    return _largest_stretch(w, u, 1)


def _squared_stretch(w, u, rounds):
    return _largest_stretch(w, u, rounds) ** 2


largest_stretch = Coding(
    topic=TOPIC,
    name="largest_stretch",
    reference=_largest_stretch,
    also_correct=(_largest_stretch_square,),
    inputs=lambda: [
        (np.diag([3.0, 1.0]) + [[0, 1], [0, 0]], np.array([0.6, 0.8]), 5),
        (np.random.default_rng(0).normal(size=(4, 4)), np.array([1.0, 0, 0, 0]), 20),
        (np.random.default_rng(1).normal(size=(3, 3)), np.array([0.0, 1.0, 0.0]), 3),
        (np.random.default_rng(2).normal(size=(5, 5)), np.full(5, 0.5), 2),
    ],
    mistakes=(
        Mistake(
            _stretch_without_transpose,
            "Without Wᵀ the vector does not come back: this finds an eigenvalue, not the largest stretch.",
        ),
        Mistake(
            _stretch_without_length,
            "Bring the vector to length one in each round, or the stretches of all rounds pile up.",
        ),
        Mistake(
            lambda w, u, rounds: np.linalg.norm(w), "That is the root of all squared entries: an upper bound only."
        ),
        Mistake(_one_round, "You did one round. Repeat it `rounds` times."),
        Mistake(_squared_stretch, "That is the square: Wᵀ W stretches by the square of what W does."),
    ),
    hints=(
        "A round: v = w @ u, then u = w.T @ v. Both are brought to length one.",
        "After the rounds u has length one, so the length of w @ u is the stretch in this direction.",
    ),
    why="The direction that is stretched most grows fastest, so it is what is left. Real layers do one round a step.",
)

# ---- transposed_size ----------------------------------------------------------------------------


def _transposed_size(size, kernel, stride, padding):
    # The first kernel is put down whole, each other one `stride` further on; then `padding` is cut off on both sides.
    return (size - 1) * stride + kernel - 2 * padding


def _transposed_size_by_counting(size, kernel, stride, padding):
    touched = set()
    for place in range(size):
        touched |= set(range(place * stride, place * stride + kernel))
    return max(touched) + 1 - 2 * padding


transposed_size = Coding(
    topic=TOPIC,
    name="transposed_size",
    reference=_transposed_size,
    also_correct=(_transposed_size_by_counting,),
    inputs=lambda: [(4, 4, 2, 1), (8, 4, 2, 1), (5, 3, 2, 0), (7, 5, 3, 2), (1, 4, 1, 0), (6, 3, 1, 1)],
    mistakes=(
        Mistake(
            lambda size, kernel, stride, padding: (size + 2 * padding - kernel) // stride + 1,
            "That is the size after an ordinary convolution, which makes maps smaller. This one goes the other way.",
        ),
        Mistake(
            lambda size, kernel, stride, padding: size * stride,
            "Right for the layers of this lesson; in general the kernel's width and the padding count too.",
        ),
        Mistake(
            lambda size, kernel, stride, padding: (size - 1) * stride + kernel,
            "The padding is missing: so many rows are cut off on each side.",
        ),
        Mistake(
            lambda size, kernel, stride, padding: (size - 1) * stride + kernel + 2 * padding,
            "Padding makes the output of a transposed convolution smaller: it undoes the padding of a convolution.",
        ),
        Mistake(
            lambda size, kernel, stride, padding: size * stride + kernel - 2 * padding,
            "One step too many: between `size` kernels there are size − 1 steps.",
        ),
        Mistake(
            lambda size, kernel, stride, padding: (size - 1) * stride + kernel - padding,
            "The padding is cut off on both sides.",
        ),
    ),
    hints=(
        "Each input pixel puts down a whole kernel. The next pixel puts its kernel `stride` further on.",
        "How far from the first is the last kernel's start? Add its width.",
        "In the end `padding` rows are cut off on either side.",
    ),
    why="It is the size formula of lesson 01 solved for the input: the two layers undo each other's change of size.",
)

# ---- squared_mmd --------------------------------------------------------------------------------


def _squared_mmd(k_aa, k_bb, k_ab):
    m, n = len(k_aa), len(k_bb)
    within_a = (k_aa.sum() - np.trace(k_aa)) / (m * (m - 1))  # without the diagonal
    within_b = (k_bb.sum() - np.trace(k_bb)) / (n * (n - 1))
    return within_a + within_b - 2 * k_ab.mean()


def _squared_mmd_masks(k_aa, k_bb, k_ab):
    def off_diagonal_mean(k):
        return k[~np.eye(len(k), dtype=bool)].mean()

    return off_diagonal_mean(k_aa) + off_diagonal_mean(k_bb) - 2 * np.mean(k_ab)


def _mmd_inputs():
    rng = np.random.default_rng(0)
    cases = []
    for m, n, d in [(4, 4, 3), (5, 3, 2), (2, 6, 4)]:
        a, b = rng.normal(size=(m, d)), rng.normal(size=(n, d)) + 1
        cases.append(tuple((x @ y.T / d + 1) ** 3 for x, y in ((a, a), (b, b), (a, b))))
    return cases


def _off(k):
    return (k.sum() - np.trace(k)) / (len(k) * (len(k) - 1))


squared_mmd = Coding(
    topic=TOPIC,
    name="squared_mmd",
    reference=_squared_mmd,
    also_correct=(_squared_mmd_masks,),
    inputs=_mmd_inputs,
    mistakes=(
        Mistake(
            lambda k_aa, k_bb, k_ab: k_aa.mean() + k_bb.mean() - 2 * k_ab.mean(),
            "The diagonal compares each image with itself, which makes the two sets look more alike inside than they are.",
        ),
        Mistake(
            lambda k_aa, k_bb, k_ab: _off(k_aa) + _off(k_bb) - k_ab.mean(),
            "Pairs between the sets count twice: think of (a − b)² = a² + b² − 2ab.",
        ),
        Mistake(
            lambda k_aa, k_bb, k_ab: _off(k_aa) + _off(k_bb) + 2 * k_ab.mean(),
            "Likeness between the sets must make the distance smaller.",
        ),
        Mistake(
            lambda k_aa, k_bb, k_ab: (
                (k_aa.sum() - np.trace(k_aa)) / k_aa.size + (k_bb.sum() - np.trace(k_bb)) / k_bb.size - 2 * k_ab.mean()
            ),
            "You left out the diagonal, and still divide by the number of all pairs. How many are left?",
        ),
    ),
    hints=(
        "Three means: pairs within the first set, pairs within the second, pairs between them.",
        "Within a set of m there are m · (m − 1) pairs of two different images.",
        "np.trace adds up the diagonal. The distance is within + within − 2 · between.",
    ),
    why="Without the diagonal the mean over many samples is exactly zero when both sets come from one distribution.",
)

# ---- far_from_training --------------------------------------------------------------------------

far_from_training = Choice(
    topic=TOPIC,
    name="far_from_training",
    answer="c",
    replies={
        "a": "Far from training images are noise and blur as well. Distance alone does not make an image good.",
        "b": "Turned or brightened copies are far away pixel by pixel, and still show the patient.",
        "c": "The distance must be compared with that of real images of new patients, and in more than one space.",
        "d": "KID compares distributions. A generator that copies the training set has an excellent KID.",
    },
    hints=("Which bad generators would pass the test, too?",),
)

# ---- whose_images -------------------------------------------------------------------------------

whose_images = Choice(
    topic=TOPIC,
    name="whose_images",
    answer="a",
    replies={
        "a": "Whatever the generator saw can come out of it, and into the training of the next network: a leak by a detour.",
        "b": "Without labels it still sees the images, and hands on how the test patients look.",
        "c": "More data would help the GAN, and make every later test worthless.",
        "d": "Validation patients choose settings of the classifier; if their images come out of the GAN, that choice leaks.",
    },
    hints=("Think of the generator as a copy machine that may or may not be switched on.",),
)
