"""Exercises of the lesson on GAN."""

import numpy as np
from scipy import special

from course_lib.exercises import Choice, Coding, Mistake, Wrong, progress

TOPIC = "gan"


# ---- gan_losses ---------------------------------------------------------------------------------


def _gan_losses(original, generated):
    to_original = np.logaddexp(0, -np.asarray(original))  # −log D = log(1 + exp(−a)), right for any logit
    to_generated = np.logaddexp(0, generated)  # −log(1 − D) = log(1 + exp(a))
    discriminator = to_original.mean() + to_generated.mean()
    return discriminator, -to_generated.mean(), np.logaddexp(0, -np.asarray(generated)).mean()


def _gan_losses_cut(original, generated):
    def softplus(a):
        a = np.asarray(a, float)
        return np.maximum(a, 0) + np.log1p(np.exp(-np.abs(a)))

    minimax = np.mean(-softplus(generated))
    return [np.mean(softplus(-original)) - minimax, minimax, np.mean(softplus(-generated))]


def _gan_losses_log_expit(original, generated):
    log_d, log_not_d = special.log_expit(generated * 1.0), special.log_expit(generated * -1.0)
    return -special.log_expit(original * 1.0).mean() - log_not_d.mean(), log_not_d.mean(), -log_d.mean()


def _losses(change, own=_gan_losses):
    """The answer that returns change(L_D, minimax, non-saturating, original, generated)."""
    return lambda original, generated: change(*own(original, generated), original, generated)


def _plus(a):
    return np.logaddexp(0, a)


def _from_probabilities(original, generated):
    with np.errstate(all="ignore"):
        d_original, d_generated = 1 / (1 + np.exp(-1.0 * original)), 1 / (1 + np.exp(-1.0 * generated))
        of_generated = np.log(1 - d_generated).mean()
        return -np.log(d_original).mean() - of_generated, of_generated, -np.log(d_generated).mean()


def _clipped(original, generated):
    d_original, d_generated = (np.clip(special.expit(1.0 * a), 1e-7, 1 - 1e-7) for a in (original, generated))
    of_generated = np.log(1 - d_generated).mean()
    return -np.log(d_original).mean() - of_generated, of_generated, -np.log(d_generated).mean()


_A, _B = np.array([2.0, -1.0]), np.array([0.5, -3.0, 1.0])

gan_losses = Coding(
    topic=TOPIC,
    name="gan_losses",
    reference=_gan_losses,
    also_correct=(_gan_losses_cut, _gan_losses_log_expit),
    inputs=lambda: [
        (np.array([2.0, -1.0]), np.array([0.5, -3.0, 1.0])),
        (np.array([4.0, 3.0, 3.5]), np.array([-5.0, -4.0, -2.0, -3.0])),
        (np.zeros(5), np.zeros(3)),
        (np.array([3, -2, 0]), np.array([1, -4])),
        (np.array([40.0, -1000.0]), np.array([25.0, 1000.0, -1000.0])),
        (np.array([30.0, 20.0], np.float32), np.array([-30.0, 18.0, -60.0], np.float32)),
    ],
    mistakes=(
        Mistake(
            _losses(lambda d, m, n, o, g: (_plus(-o).mean() + _plus(-g).mean(), m, n)),
            "Your first results reward a discriminator that takes generated data for original. Its right answer there is 0.",
        ),
        Mistake(
            _losses(lambda d, m, n, o, g: (d, -m, n)),
            "Your second results have the other sign: with them the generator would help the discriminator.",
        ),
        Mistake(
            _losses(lambda d, m, n, o, g: (d, -d, n)),
            "Your second results still hold the term of the original data. The generator cannot change it: leave it out.",
        ),
        Mistake(
            _losses(lambda d, m, n, o, g: (d, m, -n)),
            "Your third results have the other sign: they must fall when D(G(z)) grows.",
        ),
        Mistake(
            lambda o, g: (_plus(-o).sum() + _plus(g).sum(), -_plus(g).sum(), _plus(-g).sum()),
            "Your results are sums over the batch. The formulas take means, each over its own data.",
        ),
        Mistake(
            lambda o, g: (np.concatenate([_plus(-o), _plus(g)]).mean(), -_plus(g).mean(), _plus(-g).mean()),
            "Your first results are one mean over all data. The formula adds two means, each over its own.",
        ),
        Mistake(
            _from_probabilities,
            "Your results are right for small logits. For large ones a probability is rounded to 0 or 1 and its "
            "logarithm is infinite: stay with the logits.",
        ),
        Mistake(
            _clipped,
            "Your results are those of clipped probabilities: beyond a logit of about 16 they no longer grow.",
        ),
    ),
    wrong=(
        Wrong(_losses(lambda d, m, n, o, g: (d / 2, m, n)), (_A, _B)),
        Wrong(_losses(lambda d, m, n, o, g: (d, n, m)), (_A, _B)),
        Wrong(_losses(lambda d, m, n, o, g: (m, d, n)), (_A, _B)),
        Wrong(_losses(lambda d, m, n, o, g: (d / np.log(2), m / np.log(2), n / np.log(2))), (_A, _B)),
        Wrong(lambda o, g: _gan_losses(g, o), (_A, _B)),
        Wrong(lambda o, g: _gan_losses(o[:1], g[:1]), (_A, _B)),
        Wrong(_losses(lambda d, m, n, o, g: (d, m, -special.log_expit(1.0 * g).max())), (_A, _B)),
        Wrong(lambda o, g: _gan_losses(np.clip(o, -100, 100), np.clip(g, -100, 100)), (_A, np.array([500.0, -500.0]))),
        Wrong(lambda o, g: tuple(np.nan_to_num(_from_probabilities(o, g))), (_A, np.array([50.0, 800.0]))),
        Wrong(_losses(lambda d, m, n, o, g: (d, m, _plus(-np.mean(g)))), (_A, _B)),
        Wrong(_losses(lambda d, m, n, o, g: (d, _plus(-g).mean() - g.mean(), n)), (_A, _B)),
        Wrong(_losses(lambda d, m, n, o, g: (d, m, n + _plus(o).mean())), (_A, _B)),
    ),
    hints=(
        "With D = 1 / (1 + exp(−a)), what are −log D and −log(1 − D)? Write both with exp(−a) or exp(a), without D.",
        "`np.logaddexp(0, x)` is log(1 + exp(x)), and it does not overflow.",
        "The discriminator: cross-entropy with the answer 1 for original data and 0 for generated data, a mean for each.",
    ),
    why="Both players look at the same number, D(G(z)), and pull it in opposite directions.",
)

# ---- loss_slopes --------------------------------------------------------------------------------


def _loss_slopes(original, generated):
    d_original, d_generated = special.expit(1.0 * original), special.expit(1.0 * generated)
    n, m = len(original), len(generated)
    return -(1 - d_original) / n, d_generated / m, -(1 - d_generated) / m


def _loss_slopes_by_nudging(original, generated):
    """The three lists, each slope measured with a nudge of a millionth."""

    def slope(softplus_of):
        return (softplus_of(1e-6) - softplus_of(-1e-6)) / 2e-6

    o, g = np.asarray(original, float), np.asarray(generated, float)
    return (
        slope(lambda by: np.logaddexp(0, -(o + by))) / o.size,
        slope(lambda by: np.logaddexp(0, g + by)) / g.size,
        slope(lambda by: np.logaddexp(0, -(g + by))) / g.size,
    )


def _loss_slopes_with_tanh(original, generated):
    up, down = (1 + np.tanh(generated / 2)) / 2, (1 - np.tanh(generated / 2)) / 2
    return [(np.tanh(original / 2) - 1) / 2 / len(original), up / len(up), -down / len(down)]


def _slopes(change):
    """The answer that returns change(the three slopes, n, m)."""
    return lambda original, generated: change(*_loss_slopes(original, generated), len(original), len(generated))


loss_slopes = Coding(
    topic=TOPIC,
    name="loss_slopes",
    reference=_loss_slopes,
    also_correct=(_loss_slopes_by_nudging, _loss_slopes_with_tanh),
    inputs=lambda: [
        (np.array([2.0, -1.0]), np.array([0.5, -3.0, 1.0])),
        (np.array([-4.0, 3.0, 0.5, 1.0]), np.array([-2.0])),
        (np.zeros(2), np.zeros(3)),
        (np.array([3, -2, 0, 1]), np.array([1, -4])),
        (np.array([30.0, -40.0, 2.0]), np.array([35.0, -35.0])),
        (np.linspace(-3, 2, 7, dtype=np.float32), np.linspace(4, -3, 5, dtype=np.float32)),
    ],
    mistakes=(
        Mistake(
            _slopes(lambda a, b, c, n, m: (a * n, b * m, c * m)),
            "Your results are slopes of sums. A mean over n points divides the slope of each by n.",
        ),
        Mistake(
            _slopes(lambda a, b, c, n, m: (-a, -b, -c)),
            "Your results point down the loss. A slope points up: the optimiser takes the step against it.",
        ),
        Mistake(
            _slopes(lambda a, b, c, n, m: (a, b, -b)),
            "Your third results are the slopes of the minimax loss. Wanted is the non-saturating one.",
        ),
        Mistake(
            _slopes(lambda a, b, c, n, m: (-(1 / n + a), b, c)),
            "Your first results are largest where the discriminator is right already. Look at the term −log D once more.",
        ),
        Mistake(
            lambda o, g: (
                -1 / special.expit(1.0 * o) / len(o),
                1 / special.expit(-1.0 * g) / len(g),
                -1 / special.expit(1.0 * g) / len(g),
            ),
            "Your results are slopes along D. Wanted are those along the logit: one factor of the chain rule is missing.",
        ),
        Mistake(
            _slopes(lambda a, b, c, n, m: (a * n / (n + m), b * m / (n + m), c)),
            "Your results divide the discriminator's slopes by the number of all points. Each mean has its own number.",
        ),
    ),
    wrong=(
        Wrong(_slopes(lambda a, b, c, n, m: (a, c, b)), (_A, _B)),
        Wrong(_slopes(lambda a, b, c, n, m: (a, b * m / n, c * m / n)), (_A, _B)),
        Wrong(_slopes(lambda a, b, c, n, m: (a.mean(), b.mean(), c.mean())), (_A, _B)),
        Wrong(_slopes(lambda a, b, c, n, m: (a.sum(), b.sum(), c.sum())), (_A, _B)),
        Wrong(_slopes(lambda a, b, c, n, m: (a / 2, b / 2, c)), (_A, _B)),
        Wrong(_slopes(lambda a, b, c, n, m: (a[:, None], b[:, None], c[:, None])), (_A, _B)),
        Wrong(_slopes(lambda a, b, c, n, m: (np.sign(a) / n, np.sign(b) / m, np.sign(c) / m)), (_A, _B)),
        Wrong(_slopes(lambda a, b, c, n, m: (-n * a * (1 + n * a) / n, b, c)), (_A, _B)),
        Wrong(_slopes(lambda a, b, c, n, m: (a, b - c, c)), (_A, _B)),
        Wrong(_slopes(lambda a, b, c, n, m: (a, b, c - 1e-2)), (_A, _B)),
        Wrong(lambda o, g: _loss_slopes(o.astype(int), g.astype(int)), (_A, _B)),
        Wrong(lambda o, g: _loss_slopes(np.clip(o, -2, 2), np.clip(g, -2, 2)), (_A, _B)),
        Wrong(_slopes(lambda a, b, c, n, m: (np.maximum(a, 0), np.maximum(b, 0), np.maximum(c, 0))), (_A, _B)),
    ),
    hints=(
        "First make probabilities of the logits, D = 1 / (1 + exp(−a)). Each slope is a short formula in D.",
        "For one generated point the table above has the slope of the non-saturating loss. Turn it round for L_D.",
        "For one original point L_D holds the same term as the non-saturating loss, so it has the same slope. Now the means.",
    ),
    why="These three lists are all that the two networks ever learn from: backpropagation carries them to the weights.",
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


def _distances(points, centres):
    return np.linalg.norm(points[:, None] - centres[None], axis=2)


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

    def cloud(shares, spread=0.05, n=256):
        which = rng.choice(len(shares), size=n, p=np.array(shares) / sum(shares))
        return centres[which] + rng.normal(scale=spread, size=(n, 2))

    few = np.concatenate([cloud([1, 1, 0, 0, 0, 0, 0, 0]), [[0.0, 1.0]], rng.normal(scale=0.1, size=(255, 2))])
    corner = np.repeat(centres[2:3], 50, axis=0) + [0.15, 0.15]  # inside a square, outside the circle
    return [
        (np.array([[3, 4], [1, 1], [9, 0], [8, 1]]), np.array([[0, 0], [9, 1]]), 5, 0.5),  # a distance of exactly 5
        (cloud([1] * 8), centres, 0.2, 0.02),
        (few, centres, 0.2, 0.02),
        (corner, centres, 0.2, 0.02),
        (np.concatenate([cloud([1, 1, 1], n=64), np.zeros((128, 2))]), centres, 0.2, 0.15),
        (
            np.concatenate([centres.repeat([8, 4, 3, 1, 0, 0, 0, 0], axis=0), np.full((16, 2), 5.0)]),
            centres,
            0.1,
            0.125,
        ),
        (np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 0.5]]), np.array([[0.0, 0.0], [1.0, 0.0]]), 1.25, 0.75),  # near both
        (corner[:, [1, 0]] - [0.3, 0.0], centres[:5], 0.2, 0.25),
        (np.array([[0, 0], [0, 0], [3, 0], [4, 0], [5, 0]]), np.array([[0, 0], [9, 9]]), 1, 0.5),  # 2 of 5: not half
    ]


_MODES = _mode_inputs()

covered_modes = Coding(
    topic=TOPIC,
    name="covered_modes",
    reference=_covered_modes,
    also_correct=(_covered_modes_loop,),
    inputs=_mode_inputs,
    mistakes=(
        Mistake(
            lambda points, centres, reach, least: int((_distances(points, centres).min(0) < reach).sum()),
            "Your results count a centre that a single stray point is close to. Compare the share of points with `least`.",
        ),
        Mistake(
            lambda points, centres, reach, least: int(
                (
                    np.bincount(_distances(points, centres).argmin(1), minlength=len(centres)) >= least * len(points)
                ).sum()
            ),
            "Your results count each point for its nearest centre, however far it is. Points between the modes do not count.",
        ),
        Mistake(
            lambda points, centres, reach, least: int(
                ((np.abs(points[:, None] - centres[None]).max(2) < reach).mean(0) >= least).sum()
            ),
            "Your results are those of a square around each centre. Take the root of the sum of both squared differences.",
        ),
        Mistake(
            lambda points, centres, reach, least: int(
                ((near := _distances(points, centres) < reach).sum(0) >= least * max(1, near.any(1).sum())).sum()
            ),
            "Your results take `least` as a share of the points that are close to a centre. It is a share of all points.",
        ),
        Mistake(
            lambda points, centres, reach, least: int(((_distances(points, centres) < reach).mean(0) > least).sum()),
            "Your results leave out a centre that has exactly the share `least`: at least includes it.",
        ),
        Mistake(
            lambda points, centres, reach, least: float(
                ((_distances(points, centres) < reach).mean(0) >= least).mean()
            ),
            "Your results are shares of the centres. Wanted is their number.",
        ),
    ),
    wrong=(
        Wrong(lambda p, c, r, s: int(((_distances(p, c) <= r).mean(0) >= s).sum()), _MODES[0]),
        Wrong(lambda p, c, r, s: _covered_modes(p, c, r**2, s), _MODES[1]),
        Wrong(lambda p, c, r, s: int((((p[:, None] - c) ** 2).sum(2) < r).mean(0).__ge__(s).sum()), _MODES[3]),
        Wrong(lambda p, c, r, s: int(((_distances(p, c) < r).sum(0) >= 2).sum()), _MODES[4]),
        Wrong(lambda p, c, r, s: int(((_distances(p, c) < r).mean(0) >= 0.02).sum()), _MODES[5]),
        Wrong(lambda p, c, r, s: int(((_distances(p, c) < r).mean(0) >= s / len(c)).sum()), _MODES[5]),
        Wrong(lambda p, c, r, s: int((_distances(p, c) < r).any(0).sum()), _MODES[2]),
        Wrong(lambda p, c, r, s: int((_distances(p, c) < r).any(1).sum()), _MODES[5]),
        Wrong(lambda p, c, r, s: int(((np.abs(p[:, None] - c).sum(2) < r).mean(0) >= s).sum()), _MODES[6]),
        Wrong(lambda p, c, r, s: len(np.unique(_distances(p, c).argmin(1)[_distances(p, c).min(1) < r])), _MODES[5]),
        Wrong(lambda p, c, r, s: min(8, _covered_modes(p, c, r, s) + 1), _MODES[2]),
        Wrong(
            lambda p, c, r, s: int(
                (
                    np.bincount(_distances(p, c).argmin(1)[_distances(p, c).min(1) < r], minlength=len(c)) >= s * len(p)
                ).sum()
            ),
            _MODES[6],
        ),
        Wrong(lambda p, c, r, s: int(((_distances(p, c[:8]) < r).mean(0) >= s).any()), _MODES[5]),
        Wrong(lambda p, c, r, s: int(((_distances(p, c) < r).sum(0) >= int(s * len(p))).sum()), _MODES[8]),
    ),
    hints=(
        "Start with the distance of every point to every centre: an array (n, k).",
        "`points[:, None] - centres[None]` has the shape (n, k, 2).",
        "For each centre: which share of the points is closer? Count the centres whose share is large enough.",
    ),
    why="With a share to reach, one lucky point is not a mode; and what lies between the modes is not counted at all.",
)

# ---- transposed_convolution ---------------------------------------------------------------------


def _transposed_convolution(x, kernel, stride, padding):
    (h, w), (k, m) = x.shape, kernel.shape
    full = np.zeros(((h - 1) * stride + k, (w - 1) * stride + m))
    for row in range(h):
        for column in range(w):
            full[row * stride : row * stride + k, column * stride : column * stride + m] += x[row, column] * kernel
    return full[padding : full.shape[0] - padding, padding : full.shape[1] - padding]


def _transposed_by_kernel_entries(x, kernel, stride, padding):
    (h, w), (k, m) = x.shape, kernel.shape
    full = np.zeros(((h - 1) * stride + k, (w - 1) * stride + m))
    for u in range(k):
        for v in range(m):
            full[u : u + h * stride : stride, v : v + w * stride : stride][:h, :w] += kernel[u, v] * x
    stop = [size - padding for size in full.shape]
    return full[padding : stop[0], padding : stop[1]].tolist()


def _transposed_by_zeros(x, kernel, stride, padding):
    """Zeros between the pixels, then a full convolution with the flipped kernel."""
    (h, w), (k, m) = x.shape, kernel.shape
    apart = np.zeros(((h - 1) * stride + 1, (w - 1) * stride + 1))
    apart[::stride, ::stride] = x
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(apart, ((k - 1, k - 1), (m - 1, m - 1))), (k, m))
    full = (windows * kernel[::-1, ::-1]).sum((2, 3))
    return full[padding : len(full) - padding, padding : full.shape[1] - padding]


def _transposed(change):
    """The answer that returns change(x, kernel, stride, padding), or zeros where that has no result."""
    return lambda x, kernel, stride, padding: change(np.asarray(x), np.asarray(kernel), stride, padding)


def _overwriting(x, kernel, stride, padding):
    (h, w), (k, m) = x.shape, kernel.shape
    full = np.zeros(((h - 1) * stride + k, (w - 1) * stride + m))
    for row, column in np.ndindex(h, w):
        full[row * stride : row * stride + k, column * stride : column * stride + m] = x[row, column] * kernel
    return full[padding : full.shape[0] - padding, padding : full.shape[1] - padding]


def _cut_with_minus(x, kernel, stride, padding):
    return _transposed_convolution(x, kernel, stride, 0)[padding:-padding, padding:-padding]


def _cast(x, kernel, stride, padding):
    return _transposed_convolution(x, kernel, stride, padding).astype(np.asarray(x).dtype)


def _transposed_inputs():
    rng = np.random.default_rng(3)
    return [
        (np.array([[1, 2]]), np.array([[1.0, 3.0, 3.0, 1.0]]), 2, 0),
        (np.array([[1, 2], [3, 5]]), np.array([[0.5, 1.0, 0.0], [0.0, 2.0, 0.25], [1.0, 0.0, 3.0]]), 2, 1),
        (rng.normal(size=(3, 5)), rng.normal(size=(4, 4)), 2, 1),
        (rng.normal(size=(4, 2)), rng.normal(size=(2, 2)), 3, 0),  # gaps between the kernels
        (rng.normal(size=(2, 3)), rng.normal(size=(5, 3)), 1, 0),
        (rng.integers(0, 9, (3, 4)), rng.integers(-3, 4, (5, 5)), 2, 2),
        (rng.normal(size=(1, 1)), rng.normal(size=(3, 3)), 2, 1),
    ]


_PADDED, _BARE = _transposed_inputs()[2], _transposed_inputs()[4]

transposed_convolution = Coding(
    topic=TOPIC,
    name="transposed_convolution",
    reference=_transposed_convolution,
    also_correct=(_transposed_by_kernel_entries, _transposed_by_zeros),
    inputs=_transposed_inputs,
    mistakes=(
        Mistake(
            _overwriting,
            "Your results are those of kernels that overwrite each other. Where two overlap, their values add up.",
        ),
        Mistake(
            lambda x, kernel, stride, padding: _transposed_convolution(x, kernel, stride, 0),
            "Your results are right, but nothing has been cut off: `padding` rows and columns go on every side.",
        ),
        Mistake(
            lambda x, kernel, stride, padding: _transposed_convolution(x, kernel[::-1, ::-1], stride, padding),
            "Your results are those of the kernel turned by 180°. It is put down as it is.",
        ),
        Mistake(
            lambda x, kernel, stride, padding: _transposed_convolution(x, kernel, 1, padding),
            "Your results are those of a stride of 1: neighbouring kernels start `stride` pixels apart.",
        ),
        Mistake(
            _cut_with_minus,
            "Your results are empty where nothing is to be cut off: the slice `0:-0` holds nothing.",
        ),
        Mistake(
            lambda x, kernel, stride, padding: np.pad(_transposed_convolution(x, kernel, stride, 0), padding),
            "Your results have grown at the rim. In a transposed convolution the padding is cut off.",
        ),
        Mistake(
            lambda x, kernel, stride, padding: (
                _transposed_convolution(x, kernel.T, stride, padding)
                if kernel.shape[0] == kernel.shape[1]
                else _transposed_convolution(x.T, kernel.T, stride, padding)
            ),
            "Your results have rows and columns exchanged.",
        ),
    ),
    wrong=(
        Wrong(_cast, (np.array([[1, 2]]), np.array([[0.5, 0.25]]), 1, 0)),
        Wrong(lambda x, k, s, p: _transposed_convolution(x, k, s, 0)[p:, p:], _PADDED),
        Wrong(lambda x, k, s, p: _transposed_convolution(x, k, s, 0)[2 * p :, 2 * p :], _PADDED),
        Wrong(lambda x, k, s, p: _transposed_convolution(x, k, s, 0)[: len(x) * s, : x.shape[1] * s], _PADDED),
        Wrong(lambda x, k, s, p: _transposed_convolution(x, k, s, p) / s**2, _PADDED),
        Wrong(lambda x, k, s, p: _transposed_convolution(x, k / k.sum(), s, p), _PADDED),
        Wrong(lambda x, k, s, p: np.abs(_transposed_convolution(x, k, s, p)), _PADDED),
        Wrong(lambda x, k, s, p: _transposed_convolution(x[:, : len(x)], k, s, p), _PADDED),
        Wrong(lambda x, k, s, p: _transposed_convolution(x, k, 2, p), _BARE),
        Wrong(lambda x, k, s, p: _transposed_convolution(x, k, s, 1), _BARE),
        Wrong(lambda x, k, s, p: _transposed_convolution(x, k[:3, :3], s, p), _BARE),
        Wrong(lambda x, k, s, p: np.kron(x, k), _PADDED),
        Wrong(lambda x, k, s, p: x.repeat(s, 0).repeat(s, 1), _PADDED),
        Wrong(lambda x, k, s, p: _transposed_convolution(np.maximum(x, 0), k, s, p), _PADDED),
    ),
    hints=(
        "How large is the result before anything is cut off? The last kernel starts (h − 1) · stride rows down.",
        "Begin with zeros of that size. Two loops over the pixels: add the pixel's value times the kernel, from its place on.",
        "In the end cut `padding` rows and columns off on each side; mind the case in which it is 0.",
    ),
    why="It is what lesson 04 sends back through a convolution, here used forwards: a small map becomes a large one.",
)

# ---- kid ----------------------------------------------------------------------------------------


def _kid(a, b):
    def likeness(x, y):
        return (x @ y.T / x.shape[1] + 1) ** 3  # (rows of x, rows of y)

    def within(x):
        m, table = len(x), likeness(x, x)
        return (table.sum() - np.trace(table)) / (m * (m - 1))  # without the diagonal: each with itself

    a, b = np.asarray(a, float), np.asarray(b, float)
    return within(a) + within(b) - 2 * likeness(a, b).mean()


def _kid_by_pairs(a, b):
    def k(x, y):
        return (float(np.dot(x, y)) / len(x) + 1) ** 3

    def mean(pairs):
        values = list(pairs)
        return sum(values) / len(values)

    inside = [mean(k(s[i], s[j]) for i in range(len(s)) for j in range(i)) for s in (a, b)]
    return sum(inside) - 2 * mean(k(x, y) for x in a for y in b)


def _kid_like(table=lambda x, y: (x @ y.T / x.shape[1] + 1) ** 3, within=None, join=lambda a, b, ab: a + b - 2 * ab):
    """The answer with another table of likenesses, another mean within a set, or another sum of the three."""

    def off(k):
        return (k.sum() - np.trace(k)) / (len(k) * (len(k) - 1))

    def answer(a, b):
        a, b = 1.0 * a, 1.0 * b
        return join((within or off)(table(a, a)), (within or off)(table(b, b)), table(a, b).mean())

    return answer


def _kid_inputs():
    rng = np.random.default_rng(0)
    return [
        (np.array([[0], [1]]), np.array([[2], [3]])),
        (np.array([[1, 0], [0, 2], [1, 1]]), np.array([[2, -1], [0, 1]])),
        *((rng.normal(size=(m, d)), rng.normal(size=(n, d)) + 1) for m, n, d in [(4, 4, 3), (5, 3, 2), (2, 6, 4)]),
        (rng.normal(size=(40, 8)), rng.normal(size=(30, 8))),  # of one distribution
        (np.ones((3, 2)), np.ones((4, 2))),
    ]


_FEW = _kid_inputs()[3]

kid = Coding(
    topic=TOPIC,
    name="kid",
    reference=_kid,
    also_correct=(_kid_by_pairs, _kid_like(within=lambda k: k[~np.eye(len(k), dtype=bool)].mean())),
    inputs=_kid_inputs,
    mistakes=(
        Mistake(
            _kid_like(within=np.mean),
            "Your results compare each image with itself, too (the diagonal), so that the sets look more alike inside than "
            "they are.",
        ),
        Mistake(
            _kid_like(join=lambda a, b, ab: a + b - ab),
            "Your results take the likeness between the sets once. Think of (a − b)² = a² + b² − 2ab.",
        ),
        Mistake(
            _kid_like(join=lambda a, b, ab: a + b + 2 * ab),
            "Your results grow where the two sets are alike. Likeness between them must make the distance smaller.",
        ),
        Mistake(
            _kid_like(within=lambda k: (k.sum() - np.trace(k)) / k.size),
            "Your results leave out the diagonal, and still divide by the number of all pairs. How many are left?",
        ),
        Mistake(
            _kid_like(table=lambda x, y: (x @ y.T + 1) ** 3),
            "Your results do not divide the product by the number of features, d.",
        ),
        Mistake(
            _kid_like(table=lambda x, y: (x @ y.T / x.shape[1]) ** 3),
            "Your results leave out the 1 that is added before the third power.",
        ),
        Mistake(
            _kid_like(join=lambda a, b, ab: np.sqrt(np.maximum(a + b - 2 * ab, 0))),
            "Your results are roots. The distance is given as it is, squared, and it may be a little below 0.",
        ),
    ),
    wrong=(
        Wrong(_kid_like(table=lambda x, y: (x @ y.T / x.shape[1] + 1) ** 2), _FEW),
        Wrong(_kid_like(table=lambda x, y: (x @ y.T / len(x) + 1) ** 3), _FEW),
        Wrong(_kid_like(table=lambda x, y: x @ y.T / x.shape[1]), _FEW),
        Wrong(_kid_like(within=lambda k: k[np.triu_indices(len(k), 1)].sum()), _FEW),
        Wrong(_kid_like(within=lambda k: (k.sum() - np.trace(k)) / (len(k) - 1) ** 2), _FEW),
        Wrong(_kid_like(within=lambda k: np.median(k[~np.eye(len(k), dtype=bool)])), _FEW),
        Wrong(_kid_like(join=lambda a, b, ab: abs(a + b - 2 * ab)), _kid_inputs()[5]),
        Wrong(_kid_like(join=lambda a, b, ab: max(a + b - 2 * ab, 0.0)), _kid_inputs()[5]),
        Wrong(_kid_like(join=lambda a, b, ab: (a + b) / 2 - ab), _FEW),
        Wrong(_kid_like(join=lambda a, b, ab: (a - b) ** 2), _FEW),
        Wrong(lambda a, b: _kid(a[: len(b)], b[: len(a)]), _FEW),
        Wrong(lambda a, b: float(((a.mean(0) - b.mean(0)) ** 2).sum()), _FEW),
        Wrong(lambda a, b: _kid(a - a.mean(0), b - a.mean(0)), _FEW),
    ),
    hints=(
        "Three means: pairs within the first set, pairs within the second, pairs between them.",
        "`a @ b.T` holds the products of all rows of a with all rows of b, an array (m, n).",
        "Within a set of m there are m · (m − 1) pairs of two different images; `np.trace` adds up the diagonal.",
    ),
    why="Without the diagonal the mean is exactly zero over many sets of images, all drawn independently from one source.",
)

# ---- far_from_training --------------------------------------------------------------------------

far_from_training = Choice(
    topic=TOPIC,
    name="far_from_training",
    answer="c",
    replies={
        "a": "Far from training images are noise and blur as well. Distance alone does not make an image good.",
        "b": "Turned or brightened copies are far away pixel by pixel, and still show the patient.",
        "c": "The distance must be compared with that of original images of new patients, and in more than one space.",
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
