"""Exercises of the lesson on explanations."""

import numpy as np

from course_lib.exercises import Choice, Coding, Mistake, Wrong, progress

TOPIC = "explanations"


def _wrong(differs_on, *answers):
    """Wrong answers that all differ on the same arguments."""
    return [Wrong(answer, differs_on) for answer in answers]


logit_or_probability = Choice(
    topic=TOPIC,
    name="logit_or_probability",
    answer="b",
    replies={
        "a": "The gradient reaches the pixels either way: backpropagation passes a softmax without trouble.",
        "b": "Where the model is sure the softmax is flat, so its slope nearly vanishes; and a probability also rises when "
        "the other logits fall. The logit belongs to its class alone.",
        "c": "Both rank the classes in the same order, but we ask for the slope, and the slopes are not the same.",
        "d": "A logit is not calibrated and has no unit. What it has is a slope that does not vanish.",
    },
    hints=("Draw the sigmoid from lesson 03. How steep is it where the answer is 0.999?",),
)


def _integrated(gradient, image, baseline, steps):
    total = np.zeros(image.shape)
    for step in range(steps):
        share = (step + 0.5) / steps  # the middle of each piece of the way
        total += gradient(baseline + share * (image - baseline))
    return (image - baseline) * total / steps


def _at_shares(shares):
    """The same by the slopes at other shares of the way: shares(steps)."""

    def answer(gradient, image, baseline, steps):
        slopes = [gradient(baseline + share * (image - baseline)) for share in shares(steps)]
        return (image - baseline) * np.mean(slopes, axis=0)

    return answer


def _integrated_by_trapezoids(gradient, image, baseline, steps):
    slopes = np.array([gradient(baseline + share * (image - baseline)) for share in np.linspace(0, 1, steps + 1)])
    return (image - baseline) * (slopes[1:] + slopes[:-1]).mean(0) / 2


def _square_slope(x):
    return 2 * x * np.array([1.0, 2.0, -1.0])


def _saturating_slope(x):
    return 1 / np.cosh(x) ** 2


def _product_slope(x):  # of the product of the first row minus that of the second, pixel by pixel with its neighbour
    return np.stack([np.roll(x[0], 1), -np.roll(x[1], -1)]) + x / 4


def _linear_slope(x):
    return np.array([[3.0, -1.0, 0.5]]) + 0 * x


def _integrated_inputs():
    image = np.array([1.0, 0.5, 2.0])
    inputs = [
        (_square_slope, image, np.zeros(3), 200),
        (_square_slope, image, np.array([0.5, 1.0, 1.0]), 150),
        (_saturating_slope, np.array([3.0, -2.0]), np.array([0.5, 0.0]), 200),
        (_product_slope, np.array([[1.0, 2.0, 0.0], [3.0, 0.5, 1.0]]), np.full((2, 3), 0.25), 100),
        (_saturating_slope, np.array([2, 0, -1]), np.array([1, 0, 1]), 300),  # whole numbers; one pixel stays as it is
        (_linear_slope, np.array([[0.2, 0.9, 0.4]], np.float32), np.array([[0.7, 0.1, 0.4]], np.float32), 50),
        (_saturating_slope, np.array([[5.0, 2.0], [-4.0, 6.0], [0.0, 1.0]]), np.full((3, 2), -1.0), 250),
    ]
    return [(_counting(slope), *others) for slope, *others in inputs]


def _counting(slope):
    """The slope, counting how often it is asked for."""

    def gradient(x):
        gradient.calls += 1
        return slope(x)

    gradient.calls = 0
    return gradient


def _integrated_accept(result, gradient, image, baseline, steps):
    calls = getattr(gradient, "calls", 2 * steps) - steps  # the reference has asked, too
    if result.shape != image.shape:
        return f"the map must have the shape of the image, {image.shape}; yours has {result.shape}."
    if not steps <= calls <= 2 * steps + 2:
        return f"your function calls `gradient` {calls} times, and `steps` is {steps}."
    right = _integrated(gradient, image, baseline, 2000)
    slopes = [gradient(baseline + share * (image - baseline)) for share in np.linspace(0, 1, 401)]
    # Any rule for the integral is welcome: left ends, right ends, middles, both ends. So far they may lie apart.
    apart = 1.2 * np.abs(image - baseline) * np.ptp(slopes, axis=0) / steps + 1e-5 * np.abs(right).max()
    if (np.abs(result - right) < apart).all():
        return None
    if abs(result.sum() - right.sum()) > apart.sum():
        return "completeness does not hold: the map does not add up to the difference of the two outputs."
    return "the map adds up to the right total, but it is not shared out rightly among the pixels."


def _mean_slope(gradient, image, baseline, steps):
    return np.mean([gradient(baseline + (k + 0.5) / steps * (image - baseline)) for k in range(steps)], axis=0)


def _way(image, baseline, steps):
    return (_product_slope, np.array(image, float), np.array(baseline, float), steps)


_WAY = _way([[2, 1, 0], [0, 3, 1]], [[1, 0, 1], [1, 1, 1]], 100)

_INTEGRATED_MISTAKES = [
    Mistake(lambda g, x, x0, n: (x - x0) * g(x),
            "Your results are those of gradient times difference: one slope, taken at the end of the way. Collect "
            "slopes along the whole way."),
    Mistake(_mean_slope,
            "Your results are the mean slopes. A share in the difference needs one more factor: how far the pixel "
            "itself travels."),
    Mistake(lambda g, x, x0, n: _integrated(g, x, x0, n) * n,
            "Your results are sums of slopes, not means: the map grows with the number of steps."),
    Mistake(lambda g, x, x0, n: _integrated(g, x, np.zeros(x.shape), n),
            "Your results are those of a way that starts from zero. It starts at the baseline, which is not always "
            "black."),
    Mistake(lambda g, x, x0, n: x * _mean_slope(g, x, x0, n),
            "Your results are the right mean slopes, times the pixel itself. What counts is its distance from the "
            "baseline."),
    Mistake(lambda g, x, x0, n: (x - x0) * _mean_slope(g, x, np.zeros(x.shape), n),
            "Your results are the right distances, times slopes on a way that starts from zero. The baseline is "
            "not always black."),
]  # fmt: skip
_INTEGRATED_WRONG = [
    *_wrong(_WAY,
        lambda g, x, x0, n: -_integrated(g, x, x0, n), lambda g, x, x0, n: np.abs(_integrated(g, x, x0, n)),
        lambda g, x, x0, n: np.maximum(_integrated(g, x, x0, n), 0),
        lambda g, x, x0, n: (x - x0) * g(x0), lambda g, x, x0, n: _integrated(g, x, x0, n).sum(),
        lambda g, x, x0, n: np.full(x.shape, _integrated(g, x, x0, n).mean()),
        lambda g, x, x0, n: _integrated(g, x, x0, n).T,
        lambda g, x, x0, n: np.abs(x - x0) * _mean_slope(g, x, x0, n),
        lambda g, x, x0, n: (x - x0) ** 2 * _mean_slope(g, x, x0, n),
        lambda g, x, x0, n: (x - x0) * _mean_slope(g, x / 2, x0, n),
        lambda g, x, x0, n: np.full(x.shape, np.nan)),
    *_wrong((_linear_slope, np.array([[1.0, 2.0, 3.0]]), np.zeros((1, 3)), 20),
        lambda g, x, x0, n: (x - x0) * np.sum([g(x0 + k / n * (x - x0)) for k in range(1, n)], axis=0) / n,
        lambda g, x, x0, n: (x - x0) * np.sum([g(x0 + k / n * (x - x0)) for k in range(n + 1)], axis=0) / n),
    *_wrong((_saturating_slope, np.array([3.0]), np.array([0.0]), 200),
        _at_shares(lambda steps: np.arange(5) / 5), lambda g, x, x0, n: (x - x0) * (g(x) + g(x0)) / 2,
        lambda g, x, x0, n: (x - x0) * g((x + x0) / 2)),
    Wrong(lambda g, x, x0, n: _integrated(g, x, x0, 1000),
        (_counting(_saturating_slope), np.array([3.0]), np.zeros(1), 40)),
]  # fmt: skip

integrated = Coding(
    topic=TOPIC,
    name="integrated",
    reference=_integrated,
    also_correct=(
        _integrated_by_trapezoids,
        _at_shares(lambda steps: np.arange(1, steps + 1) / steps),  # right ends, as in the paper's equation 3
        _at_shares(lambda steps: np.arange(steps) / steps),
        _at_shares(lambda steps: np.linspace(0, 1, steps)),
    ),
    inputs=_integrated_inputs,
    accept=_integrated_accept,
    mistakes=_INTEGRATED_MISTAKES,
    wrong=_INTEGRATED_WRONG,
    hints=(
        "Walk from the baseline to the image in small steps, and ask for the slope at each of them.",
        "At the share s of the way the picture is `baseline + s * (image - baseline)`; let s run from 0 to 1.",
        "The mean of these slopes, times `image - baseline`, pixel by pixel.",
    ),
    why="Slope times distance, summed over the way, is the change of the output: that is all that completeness says.",
)


dark_lesion = Choice(
    topic=TOPIC,
    name="dark_lesion",
    answer="c",
    replies={
        "a": "It is often said, and the table refutes it: from black an infarct's pixels travel farther than from the "
        "blurred image, and compared with the rest of the brain just as far. They are dark, but not black.",
        "b": "More steps close the gap in the sum, but they do not move the map: with 64 steps as much of it lies on the "
        "infarcts as with 16.",
        "c": "Compared with the rest of the brain the distance is the same for both baselines. The slope is not: on the way "
        "from black, through dimmed copies of the image, the infarct stands out far less in it.",
        "d": "Completeness holds for every baseline. It says how large the total is, not where it goes.",
    },
    hints=(
        "Divide each number for the infarct by the one for the rest of the brain. Which ratio changes with the baseline?",
    ),
)


def _grad_cam_map(features, slopes):
    weights = slopes.mean(axis=(0, 1))  # one for each channel
    heat = np.maximum((features * weights).sum(axis=-1), 0)  # only what speaks for the class
    largest = heat.max()
    return heat / largest if largest > 0 else heat


def _grad_cam_map_by_einsum(features, slopes):
    heat = np.einsum("ijk,k->ij", features, np.einsum("ijk->k", slopes) / slopes[..., 0].size).clip(min=0)
    return heat / (heat.max() or 1)


def _grad_cam_map_by_loops(features, slopes):
    heat = np.zeros(features.shape[:2])
    for channel in range(features.shape[2]):
        heat += slopes[:, :, channel].sum() * features[:, :, channel]
    heat[heat < 0] = 0
    return heat if not heat.any() else heat / np.amax(heat)


def _grad_cam_inputs():
    rng = np.random.default_rng(0)

    def case(*shape, shift=0.0, scale=1.0):
        return np.maximum(rng.normal(size=shape), 0), scale * (rng.normal(size=shape) + shift)

    features, slopes = case(4, 5, 3)
    return [
        (np.array([[[0.0, 2.0], [1.0, 0.5]], [[3.0, 1.0], [0.0, 4.0]], [[2.0, 0.0], [1.0, 1.0]]]),
         np.array([[[0.5, -1.0], [1.0, 0.0]], [[0.0, -0.5], [2.0, 0.5]], [[1.5, -1.0], [1.0, -1.0]]])),
        (features, slopes),
        case(7, 7, 6, shift=np.array([1, -1, 0.5, -0.5, 0, 1])),
        (features, -np.ones((4, 5, 3))),  # nothing speaks for the class
        (np.zeros((2, 3, 2)), slopes[:2, :3, :2]),
        (1 + features, 0.2 + np.abs(slopes)),  # every place speaks for the class
        (3 + features[:, :2], slopes[:, :2] + 1),
        case(3, 6, 4, scale=0.02),  # a faint map: its largest value becomes 1 as well
        (rng.normal(size=(5, 4, 3)).astype(np.float32), rng.normal(size=(5, 4, 3)).astype(np.float32)),
    ]  # fmt: skip


def _heat(features, weights):
    return np.maximum((features * weights).sum(-1), 0)


def _scaled(heat):
    return heat / (heat.max() if heat.max() > 0 else 1)


def _signed(features, slopes):
    heat = (features * slopes.mean((0, 1))).sum(-1)
    return heat / max(np.abs(heat).max(), 1e-300)


def _stretched(features, slopes):
    heat = _heat(features, slopes.mean((0, 1)))
    return (heat - heat.min()) / (np.ptp(heat) if np.ptp(heat) > 0 else 1)


_MAPS = _grad_cam_inputs()

_GRAD_CAM_MAP_MISTAKES = [
    Mistake(lambda f, s: np.divide(_heat(f, s.mean((0, 1))), _heat(f, s.mean((0, 1))).max()),
            "Right until nothing speaks for the class: then the largest value is zero, and 0/0 is NaN. Ask before "
            "you divide."),
    Mistake(_stretched,
            "Your results are those of stretching the map from its smallest to its largest value. Where every "
            "place speaks for the class none is to become zero: divide by the largest only."),
    Mistake(_signed,
            "Your results have negative values: the ReLU is missing. Places that speak against the class are set "
            "to zero."),
    Mistake(lambda f, s: _scaled(_heat(f, s)),
            "Your results are those of multiplying place by place. Grad-CAM first takes the mean slope of each "
            "channel over all places."),
    Mistake(lambda f, s: _scaled(_heat(f, np.abs(s.mean((0, 1))))),
            "Your results are those of weights without their signs. A channel with a negative weight speaks "
            "against the class."),
    Mistake(lambda f, s: _scaled(_heat(f, np.maximum(s.mean((0, 1)), 0))),
            "Your results are those of negative weights set to zero. The ReLU comes last, on the sum over the "
            "channels."),
    Mistake(lambda f, s: _heat(f, s.mean((0, 1))),
            "Your results are the right maps before they are divided by their largest value."),
]  # fmt: skip
_GRAD_CAM_MAP_WRONG = [
    *_wrong(_MAPS[1],
        lambda f, s: _scaled(_heat(f, s.max((0, 1)))), lambda f, s: _scaled(_heat(f[..., :1], s[..., :1].mean((0, 1)))),
        lambda f, s: _scaled(_heat(s, f.mean((0, 1)))), lambda f, s: _grad_cam_map(f, s).T,
        lambda f, s: _heat(f, s.mean((0, 1))) / _heat(f, s.mean((0, 1))).sum(),
        lambda f, s: _grad_cam_map(f, s)[..., None],
        lambda f, s: np.clip(_heat(f, s.mean((0, 1))), 0, 1), lambda f, s: _grad_cam_map(f, s) ** 2,
        lambda f, s: np.round(_grad_cam_map(f, s), 2),
        lambda f, s: _scaled(np.maximum(f * s.mean((0, 1)), 0).sum(-1)),
        lambda f, s: _grad_cam_map(np.abs(f - f.mean()), s), lambda f, s: 255 * _grad_cam_map(f, s),
        lambda f, s: _scaled(_heat(f, np.exp(s.mean((0, 1)))))),
    *_wrong(_MAPS[3],
        lambda f, s: np.ones(f.shape[:2]), lambda f, s: _heat(-f, s.mean((0, 1))) / _heat(-f, s.mean((0, 1))).max(),
        lambda f, s: np.maximum((f * s.mean((0, 1))).sum(-1) / (f * s.mean((0, 1))).sum(-1).max(), 0)),
    Wrong(lambda f, s: _heat(f, s.mean((0, 1))) / (_heat(f, s.mean((0, 1))).max() + 1e-6), _MAPS[7]),
]  # fmt: skip

grad_cam_map = Coding(
    topic=TOPIC,
    name="grad_cam_map",
    reference=_grad_cam_map,
    also_correct=(
        _grad_cam_map_by_einsum,
        _grad_cam_map_by_loops,
        lambda f, s: (heat := _heat(f, s.mean((0, 1)))) / (heat.max() + 1e-8),  # so small that it does no harm
    ),
    integers=False,  # feature maps and slopes of a network are floats
    inputs=_grad_cam_inputs,
    mistakes=_GRAD_CAM_MAP_MISTAKES,
    wrong=_GRAD_CAM_MAP_WRONG,
    hints=(
        "Three steps: one weight for each channel, a weighted sum over the channels, a ReLU.",
        "The weight of a channel is the mean of its slopes over rows and columns: `slopes.mean(axis=(0, 1))`.",
        "Divide by the largest value at the end, but only if it is larger than zero.",
    ),
    why="An all-zero map is an answer too (nothing speaks for this class), and code that divides by its largest value "
    "turns that answer into NaN.",
)


def _mass_in_mask(heat, mask):
    positive = np.maximum(heat, 0)
    total = positive.sum()
    if total > 0:
        return positive[mask].sum() / total
    return mask.mean()  # a map that says nothing scores as a uniform one


def _mass_in_mask_by_average(heat, mask):
    positive = heat.clip(min=0)
    weights = positive if positive.any() else np.ones_like(positive)
    return float(np.average(mask, weights=weights))


def _mass_in_mask_by_loops(heat, mask):
    inside = sum(value for value, lies in zip(heat.flat, mask.flat, strict=True) if lies and value > 0)
    total = sum(value for value in heat.flat if value > 0)
    return inside / total if total > 0 else np.count_nonzero(mask) / mask.size


def _mass_inputs():
    rng = np.random.default_rng(2)
    small, mask, odd = np.zeros((2, 4), bool), np.zeros((6, 8), bool), rng.random((5, 3)) < 0.3
    small[0, 1:3] = mask[1:4, 2:5] = True
    return [
        (np.array([[0.5, 2.0, -1.0, 0.25], [1.0, 0.0, 0.25, -3.0]]), small),
        (rng.random((6, 8)), mask),
        (rng.normal(size=(6, 8)), mask),
        (-rng.random((6, 8)), mask),
        (np.zeros((5, 3)), odd),
        (rng.integers(-5, 9, (5, 3)), odd),
        (rng.normal(size=(5, 3)), np.zeros((5, 3), bool)),
        (1e-6 * rng.normal(size=(6, 8)).astype(np.float32), ~mask),
        (np.where(mask, 1.0, -2.0), mask),  # all that is positive lies inside
    ]


def _positive(heat):
    return np.maximum(heat, 0)


def _or_share(formula):
    """A formula where the map has a positive value, and the mask's share of the image where it has none."""
    return lambda heat, mask: formula(heat, mask) if (heat > 0).any() else mask.mean()


_MASS, _ALL_BELOW = _mass_inputs()[2], _mass_inputs()[3]

_MASS_IN_MASK_MISTAKES = [
    Mistake(lambda h, m: np.divide(_positive(h)[m].sum(), _positive(h).sum()),
            "Right for maps that have a positive value. One without any gives 0/0: return the mask's share of the "
            "image."),
    Mistake(lambda h, m: _positive(h)[m].sum() / _positive(h).sum() if (h > 0).any() else 0.0,
            "Your results are 0 for a map without any positive value. It is to score what a uniform map would."),
    Mistake(lambda h, m: np.divide(h[m].sum(), h.sum()),
            "Your results are shares of a sum in which negative values count. They speak against the class; set "
            "them to zero first, or the parts no longer add up to one."),
    Mistake(lambda h, m: np.divide(np.abs(h)[m].sum(), np.abs(h).sum()),
            "Your results count evidence against the class as if it were evidence for it: keep the positive part "
            "only."),
    Mistake(_or_share(lambda h, m: _positive(h)[m].sum() / max(m.sum(), 1)),
            "Your results are mean heights inside the mask, which depend on the map's scale. Divide a sum by a "
            "sum."),
    Mistake(_or_share(lambda h, m: (h[m] > 0).sum() / max(m.sum(), 1)),
            "Your results count pixels. The mass is the sum of their values."),
]  # fmt: skip
_MASS_IN_MASK_WRONG = [
    *_wrong(_MASS,
        _or_share(lambda h, m: float(m.flat[h.argmax()])), _or_share(lambda h, m: 1 - _mass_in_mask(h, m)),
        _or_share(lambda h, m: _positive(h)[m].sum() / _positive(h)[~m].sum()), lambda h, m: m.mean(),
        _or_share(lambda h, m: _positive(h)[m].sum()), _or_share(lambda h, m: _mass_in_mask(h**2, m)),
        _or_share(lambda h, m: 100 * _mass_in_mask(h, m)), lambda h, m: _mass_in_mask(h - h.min(), m),
        _or_share(lambda h, m: round(_mass_in_mask(h, m), 2)), lambda h, m: _mass_in_mask(h[:, :4], m[:, :4]),
        lambda h, m: _mass_in_mask(np.where(h > h.max() / 2, h, 0), m), lambda h, m: np.nan),
    *_wrong(_ALL_BELOW,
        lambda h, m: _mass_in_mask(h, m) if (h > 0).any() else 0.5,
        lambda h, m: _mass_in_mask(h, m) if (h > 0).any() else 1 / m.size,
        lambda h, m: _mass_in_mask(h, m) if (h > 0).any() else np.abs(h)[m].sum() / np.abs(h).sum()),
    Wrong(_or_share(lambda h, m: _positive(h)[m].sum() / (_positive(h).sum() + 1e-6)), _mass_inputs()[7]),
]  # fmt: skip

mass_in_mask = Coding(
    topic=TOPIC,
    name="mass_in_mask",
    reference=_mass_in_mask,
    also_correct=(_mass_in_mask_by_average, _mass_in_mask_by_loops),
    inputs=_mass_inputs,
    mistakes=_MASS_IN_MASK_MISTAKES,
    wrong=_MASS_IN_MASK_WRONG,
    hints=(
        "A part of a whole: which sum belongs above the line, which below?",
        "`np.maximum(heat, 0)` keeps the positive part; `positive[mask]` are its values inside.",
        "Look at the case that the whole is zero before you divide.",
    ),
    why="Chance is the mask's share of the image, so always print that beside it.",
)


def _deleted(image, fill, heat, share):
    count = round(share * heat.size)
    largest = np.argsort(-heat, axis=None, kind="stable")[:count]
    result = image.copy()  # the caller's image stays as it is
    result.flat[largest] = fill.flat[largest]
    return result


def _deleted_by_rank(image, fill, heat, share):
    rank = np.argsort(np.argsort(-heat, axis=None)).reshape(heat.shape)
    return np.where(rank < round(share * heat.size), fill, image)


def _deleted_from_the_end(image, fill, heat, share):
    order = np.argsort(heat.ravel())
    chosen = np.zeros(heat.size, bool)
    chosen[order[heat.size - round(share * heat.size) :]] = True
    return np.where(chosen.reshape(heat.shape), fill, image)


def _deleted_inputs():
    rng = np.random.default_rng(3)

    def case(shape, share, heat=None):
        heat = rng.permutation(np.prod(shape)).reshape(shape) - 8 if heat is None else heat
        return rng.random(shape), 2 + rng.random(shape), heat, share

    flat = np.maximum(rng.integers(-9, 4, (6, 5)), 0)  # mostly zeros, as Grad-CAM makes them
    return [
        (
            np.arange(8.0).reshape(2, 4),
            10 + np.arange(8.0).reshape(2, 4),
            np.array([[3.0, -7, 1, 8], [0, 2, -1, 5]]),
            0.25,
        ),
        case((4, 5), 0.22),  # 4.4 pixels
        case((3, 4), 0.3),  # 3.6 pixels
        case((6, 8), 0.5, rng.normal(size=(6, 8))),
        case((3, 3), 0.0),
        case((3, 4), 1),
        case((6, 5), 0.4, flat),
        case((4, 4), 0.25, np.zeros((4, 4))),  # a map that says nothing
        (np.arange(15).reshape(3, 5), 100 - np.arange(15).reshape(3, 5), -rng.permutation(15).reshape(3, 5), 0.6),
        case((5, 4), 0.1, 1e-6 * rng.normal(size=(5, 4)).astype(np.float32)),
    ]


def _deleted_accept(result, image, fill, heat, share):
    if result.shape != image.shape:
        return f"the result must have the shape of the image, {image.shape}; yours has {result.shape}."
    new, kept = np.isclose(result, fill, rtol=1e-4), np.isclose(result, image, rtol=1e-4)
    if not (new | kept).all():
        return "some pixels are neither those of the image nor those of `fill` at the same place."
    if new.sum() != round(share * heat.size):
        return f"{new.sum()} of {heat.size} pixels are replaced, with a share of {share:g}."
    if new.any() and kept.any() and heat[new].min() < heat[kept].max():  # of equal values any may be taken
        return "a pixel is replaced although another one, with a larger value of `heat`, is kept."
    return None


def _deleted_where(choose):
    return lambda image, fill, heat, share: np.where(choose(heat, share), fill, image)


_DELETED = _deleted_inputs()

_DELETED_MISTAKES = [
    Mistake(lambda x, f, h, q: _deleted(x, f, -h, q),
            "Your results are those of deleting the least important pixels first. `argsort` sorts upwards."),
    Mistake(lambda x, f, h, q: _deleted(f, x, h, q),
            "Your results begin with the fill and have pixels of the image put in: that is insertion."),
    Mistake(lambda x, f, h, q: _deleted(x, np.zeros_like(f), h, q),
            "Your results are deleted to black. Take the pixels of `fill` instead: black may look like a lesion."),
    Mistake(_deleted_where(lambda h, q: h >= q * h.max()),
            "Your results are those of a share of the largest value. What is asked is a share of the pixels, "
            "whatever their values."),
    Mistake(_deleted_where(lambda h, q: h >= np.quantile(h, 1 - q)),
            "Your results are those of a threshold: with equal values, or a share of 0, it takes too many. Count "
            "pixels."),
    Mistake(lambda x, f, h, q: _deleted(x, f, np.abs(h), q),
            "Your results are those of the map without its signs. Negative values speak against the class: they "
            "come last."),
]  # fmt: skip
_DELETED_WRONG = [
    *_wrong(_DELETED[2],
        lambda x, f, h, q: _deleted(x, f, h, int(q * h.size) / h.size), lambda x, f, h, q: _deleted(x, f, h, 0.25),
        lambda x, f, h, q: _deleted(x, f, h, 1 - q), lambda x, f, h, q: _deleted(x, np.full(f.shape, f.mean()), h, q),
        lambda x, f, h, q: _deleted(x, np.sort(f, axis=None).reshape(f.shape), h, q),
        lambda x, f, h, q: np.where(_deleted(0 * x, 1 + 0 * f, h, q) > 0, (x + f) / 2, x),
        lambda x, f, h, q: _deleted(x, f, h, q).T, lambda x, f, h, q: _deleted(x, f, h.T.reshape(h.shape), q),
        lambda x, f, h, q: _deleted(x, f, f, q), lambda x, f, h, q: _deleted(x, f, h, q + 1 / h.size),
        lambda x, f, h, q: x,
        lambda x, f, h, q: _deleted(x, np.full(f.shape, np.nan), h, q)),
    Wrong(lambda x, f, h, q: _deleted(x, f, h, np.ceil(q * h.size) / h.size), _DELETED[1]),
    Wrong(lambda x, f, h, q: _deleted(x, f, h, 1 if round(q * h.size) == 0 else q), _DELETED[4]),
    Wrong(lambda x, f, h, q: _deleted(x, f, h, min(q, (h > 0).mean())), _DELETED[6]),
]  # fmt: skip

deleted = Coding(
    topic=TOPIC,
    name="deleted",
    reference=_deleted,
    also_correct=(_deleted_by_rank, _deleted_from_the_end),
    inputs=_deleted_inputs,
    accept=_deleted_accept,
    mistakes=_DELETED_MISTAKES,
    wrong=_DELETED_WRONG,
    hints=(
        "How many pixels are that, and which ones?",
        "`np.argsort(-heat, axis=None)` lists the places of all pixels, the largest first, as numbers into the flat array.",
        "Copy the image, then `result.flat[places] = fill.flat[places]`.",
    ),
    why="Feed such images to the model for growing shares and you have the deletion curve.",
)


random_weights = Choice(
    topic=TOPIC,
    name="random_weights",
    answer="a",
    replies={
        "a": "What does not change when the learned weights are thrown away cannot show what was learned.",
        "b": "A method that answers the same for every model is not robust, it is deaf: an edge filter does so as well.",
        "c": "A model with random weights has found nothing. It only passes on the image's own structure.",
        "d": "Failing is about the map's use. The mathematics may be done just as it was defined.",
    },
    hints=("What do both maps have in common: the model, or the image?",),
)


right_place = Choice(
    topic=TOPIC,
    name="right_place",
    answer="d",
    replies={
        "a": "A map shows where, not what. The lesion and the cross lie at the same place.",
        "b": "The scores against the mask would be as high: the cross lies inside the mask.",
        "c": "This check says whether a map depends on the weights. These weights do matter: they learned the cross, and "
        "something of the lesion too.",
        "d": "Change the one thing that you suspect and leave the rest: how far the answers change tells how far the model "
        "relies on it. Here it reads both, since without the cross it still finds some of the lesions.",
    },
    hints=("What would be different in a picture of a model that reads the cross, and of one that reads the lesion?",),
)
