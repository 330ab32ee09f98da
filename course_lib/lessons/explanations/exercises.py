"""Exercises of the lesson on explanations."""

import numpy as np

from course_lib.exercises import Choice, Coding, Mistake, progress

TOPIC = "explanations"


# ---- logit_or_probability ------------------------------------------------------------------------

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


# ---- integrated ----------------------------------------------------------------------------------


def _integrated(gradient, image, baseline, steps):
    total = np.zeros_like(image, dtype=float)
    for step in range(steps):
        share = (step + 0.5) / steps  # the middle of each piece of the way
        total += gradient(baseline + share * (image - baseline))
    return (image - baseline) * total / steps


def _integrated_by_trapezoids(gradient, image, baseline, steps):
    slopes = np.array([gradient(baseline + share * (image - baseline)) for share in np.linspace(0, 1, steps + 1)])
    return (image - baseline) * (slopes[1:] + slopes[:-1]).mean(0) / 2


def _square_slope(x):
    return 2 * x * np.array([1.0, 2.0, -1.0])


def _saturating_slope(x):
    return 1 / np.cosh(x) ** 2


def _product_slope(x):
    return np.array([[x[0, 1], x[0, 0]], [-x[1, 1], -x[1, 0]]])


def _integrated_inputs():
    return [
        (_square_slope, np.array([1.0, 0.5, 2.0]), np.zeros(3), 200),
        (_square_slope, np.array([1.0, 0.5, 2.0]), np.array([0.5, 1.0, 1.0]), 200),
        (_saturating_slope, np.array([3.0, -2.0]), np.array([0.5, 0.0]), 200),
        (_product_slope, np.array([[1.0, 2.0], [3.0, 0.5]]), np.full((2, 2), 0.25), 200),
    ]


def _integrated_accept(result, gradient, image, baseline, steps):
    result = np.asarray(result, dtype=float)
    if result.shape != image.shape:
        return f"the map must have the shape of the image, {image.shape}; yours has {result.shape}."
    right = _integrated(gradient, image, baseline, 2000)
    if np.abs(result - right).max() < 0.002 * np.abs(right).max():  # any rule for the integral is welcome
        return None
    if abs(result.sum() - right.sum()) > 0.002 * max(1, abs(right.sum())):
        return "completeness does not hold: the map does not add up to the difference of the two outputs."
    return "the map adds up to the right total, but it is not shared out rightly among the pixels."


integrated = Coding(
    topic=TOPIC,
    name="integrated",
    reference=_integrated,
    also_correct=(_integrated_by_trapezoids,),
    inputs=_integrated_inputs,
    accept=_integrated_accept,
    mistakes=(
        Mistake(
            lambda gradient, image, baseline, steps: (image - baseline) * gradient(image),
            "That is gradient times difference: one slope, taken at the end of the way. Collect slopes along the whole way.",
        ),
        Mistake(
            lambda gradient, image, baseline, steps: (
                _integrated(gradient, image, baseline, steps) / np.where(image == baseline, 1, image - baseline)
            ),
            "That is the mean slope. A share in the difference needs one more factor: how far the pixel itself travels.",
        ),
        Mistake(
            lambda gradient, image, baseline, steps: _integrated(gradient, image, baseline, steps) * steps,
            "You add the slopes up but do not take their mean: your map grows with the number of steps.",
        ),
        Mistake(
            lambda gradient, image, baseline, steps: _integrated(gradient, image, np.zeros_like(image), steps),
            "You start from zero. The way starts at the baseline, which is not always black.",
        ),
        Mistake(
            lambda gradient, image, baseline, steps: (
                image * _integrated(gradient, image, baseline, steps) / np.where(image == baseline, 1, image - baseline)
            ),
            "The mean slope is right, but you multiply by the pixel itself. What counts is its distance from the baseline.",
        ),
    ),
    hints=(
        "Walk from the baseline to the image in small steps, and ask for the slope at each of them.",
        "At the share s of the way the picture is `baseline + s * (image - baseline)`; take s in the middle of each step.",
        "The mean of these slopes, times `image - baseline`, pixel by pixel.",
    ),
    why="Slope times distance, summed over the way, is the change of the output: that is all that completeness says.",
)


# ---- dark_lesion ---------------------------------------------------------------------------------

dark_lesion = Choice(
    topic=TOPIC,
    name="dark_lesion",
    answer="c",
    replies={
        "a": "The slope there may be large. Look at the other factor of the product.",
        "b": "More steps bring the sum closer to the integral. The integral itself is small there.",
        "c": "Each share has the factor x − x′. A pixel that is nearly black is nearly equal to a black baseline, so it gets "
        "nearly nothing, however much the model looks at it.",
        "d": "Completeness holds for every baseline. It says how large the total is, not where it goes.",
    },
    hints=("Write down the share of one pixel with x = 0.05 and x′ = 0. Then with x′ = 0.5.",),
)


# ---- grad_cam_map --------------------------------------------------------------------------------


def _grad_cam_map(features, slopes):
    weights = slopes.mean(axis=(0, 1))  # one for each channel
    heat = np.maximum((features * weights).sum(axis=-1), 0)  # only what speaks for the class
    largest = heat.max()
    return heat / largest if largest > 0 else heat


def _grad_cam_map_by_einsum(features, slopes):
    heat = np.einsum("ijk,k->ij", features, np.einsum("ijk->k", slopes) / slopes[..., 0].size).clip(min=0)
    return heat / (heat.max() or 1)


def _grad_cam_inputs():
    rng = np.random.default_rng(0)
    features = np.maximum(rng.normal(size=(4, 5, 3)), 0)
    return [
        (features, rng.normal(size=(4, 5, 3))),
        (np.maximum(rng.normal(size=(7, 7, 6)), 0), rng.normal(size=(7, 7, 6)) + np.array([1, -1, 0.5, -0.5, 0, 1])),
        (features, -np.ones((4, 5, 3))),  # nothing speaks for the class
    ]


def _heat(features, weights, relu=True):
    heat = (features * weights).sum(-1)
    return np.maximum(heat, 0) if relu else heat


grad_cam_map = Coding(
    topic=TOPIC,
    name="grad_cam_map",
    reference=_grad_cam_map,
    also_correct=(_grad_cam_map_by_einsum,),
    inputs=_grad_cam_inputs,
    mistakes=(
        Mistake(
            lambda f, s: np.divide(_heat(f, s.mean((0, 1))), _heat(f, s.mean((0, 1))).max()),
            "Right until nothing speaks for the class: then the largest value is zero, and 0/0 is NaN. Ask before you divide.",
        ),
        Mistake(
            lambda f, s: _heat(f, s.mean((0, 1)), relu=False) / np.abs(_heat(f, s.mean((0, 1)), relu=False)).max(),
            "Your map has negative values: the ReLU is missing. Places that speak against the class are set to zero.",
        ),
        Mistake(
            lambda f, s: _heat(f, s) / (_heat(f, s).max() or 1),
            "You multiply place by place. Grad-CAM first takes the mean slope of each channel over all places.",
        ),
        Mistake(
            lambda f, s: _heat(f, np.abs(s.mean((0, 1)))) / (_heat(f, np.abs(s.mean((0, 1)))).max() or 1),
            "You drop the signs of the weights. A channel with a negative weight speaks against the class.",
        ),
        Mistake(
            lambda f, s: _heat(f, np.maximum(s.mean((0, 1)), 0)) / (_heat(f, np.maximum(s.mean((0, 1)), 0)).max() or 1),
            "You set negative weights to zero before you add up. The ReLU comes last, on the sum over the channels.",
        ),
    ),
    hints=(
        "Three steps: one weight for each channel, a weighted sum over the channels, a ReLU.",
        "The weight of a channel is the mean of its slopes over rows and columns: `slopes.mean(axis=(0, 1))`.",
        "Divide by the largest value at the end, but only if it is larger than zero.",
    ),
    why="An all-zero map is an answer too (nothing speaks for this class), and code that divides by its largest value "
    "turns that answer into NaN.",
)


# ---- mass_in_mask --------------------------------------------------------------------------------


def _mass_in_mask(heat, mask):
    positive = np.maximum(heat, 0)
    total = positive.sum()
    if total == 0:
        return mask.mean()  # a map that says nothing scores as a uniform one
    return positive[mask].sum() / total


def _mass_in_mask_by_average(heat, mask):
    positive = heat.clip(min=0)
    weights = positive if positive.any() else np.ones_like(positive)
    return float(np.average(mask, weights=weights))


def _mass_inputs():
    rng = np.random.default_rng(2)
    mask = np.zeros((6, 8), bool)
    mask[1:4, 2:5] = True
    return [(rng.random((6, 8)), mask), (rng.normal(size=(6, 8)), mask), (-rng.random((6, 8)), mask)]


mass_in_mask = Coding(
    topic=TOPIC,
    name="mass_in_mask",
    reference=_mass_in_mask,
    also_correct=(_mass_in_mask_by_average,),
    inputs=_mass_inputs,
    mistakes=(
        Mistake(
            lambda heat, mask: np.maximum(heat, 0)[mask].sum() / np.maximum(heat, 0).sum(),
            "Right for maps that have a positive value. One without any gives 0/0: return the mask's share of the image.",
        ),
        Mistake(
            lambda heat, mask: heat[mask].sum() / heat.sum(),
            "Negative values speak against the class; set them to zero first, or the parts no longer add up to one.",
        ),
        Mistake(
            lambda heat, mask: np.abs(heat)[mask].sum() / np.abs(heat).sum(),
            "You count evidence against the class as if it were evidence for it: keep the positive part only.",
        ),
        Mistake(
            lambda heat, mask: np.maximum(heat, 0)[mask].mean() if (heat > 0).any() else mask.mean(),
            "That is the mean height inside the mask; it depends on the map's scale. Divide a sum by a sum.",
        ),
        Mistake(
            lambda heat, mask: (heat[mask] > 0).mean() if (heat > 0).any() else mask.mean(),
            "You count pixels. The mass is the sum of their values.",
        ),
    ),
    hints=(
        "A part of a whole: which sum belongs above the line, which below?",
        "`np.maximum(heat, 0)` keeps the positive part; `positive[mask]` are its values inside.",
        "Look at the case that the whole is zero before you divide.",
    ),
    why="Chance is the mask's share of the image, so always print that beside it.",
)


# ---- deleted -------------------------------------------------------------------------------------


def _deleted(image, fill, heat, share):
    count = round(share * heat.size)
    largest = np.argsort(-heat, axis=None, kind="stable")[:count]
    result = image.copy()  # the caller's image stays as it is
    result.flat[largest] = fill.flat[largest]
    return result


def _deleted_by_rank(image, fill, heat, share):
    rank = np.argsort(np.argsort(-heat, axis=None)).reshape(heat.shape)
    return np.where(rank < round(share * heat.size), fill, image)


def _deleted_inputs():
    rng = np.random.default_rng(3)

    def case(shape, share):
        return rng.random(shape), rng.random(shape), rng.permutation(np.prod(shape)).reshape(shape) - 5.0, share

    return [case((4, 5), 0.25), case((6, 8), 0.5), case((3, 3), 0.0), case((3, 4), 1.0)]


deleted = Coding(
    topic=TOPIC,
    name="deleted",
    reference=_deleted,
    also_correct=(_deleted_by_rank,),
    inputs=_deleted_inputs,
    mistakes=(
        Mistake(
            lambda image, fill, heat, share: _deleted(image, fill, -heat, share),
            "You delete the least important pixels first. `argsort` sorts upwards.",
        ),
        Mistake(
            lambda image, fill, heat, share: _deleted(fill, image, heat, share),
            "You begin with the fill and put pixels of the image in: that is insertion.",
        ),
        Mistake(
            lambda image, fill, heat, share: _deleted(image, np.zeros_like(fill), heat, share),
            "You delete to black. Take the pixels of `fill` instead: black is what a lesion looks like here.",
        ),
        Mistake(
            lambda image, fill, heat, share: np.where(heat >= share * heat.max(), fill, image),
            "You compare with a share of the largest value. What is asked is a share of the pixels, whatever their values.",
        ),
    ),
    hints=(
        "How many pixels are that, and which ones?",
        "`np.argsort(-heat, axis=None)` lists the places of all pixels, the largest first, as numbers into the flat array.",
        "Copy the image, then `result.flat[places] = fill.flat[places]`.",
    ),
    why="Feed such images to the model for growing shares and you have the deletion curve.",
)


# ---- random_weights ------------------------------------------------------------------------------

random_weights = Choice(
    topic=TOPIC,
    name="random_weights",
    answer="a",
    replies={
        "a": "What does not change when the learned weights are thrown away cannot show what was learned.",
        "b": "Sharpness is no evidence: an edge filter is sharp as well, and it knows no model.",
        "c": "A model with random weights has found nothing. It only passes on the image's own structure.",
        "d": "Failing is about the map's use. The mathematics is done as it was defined.",
    },
    hints=("What do both maps have in common: the model, or the image?",),
)


# ---- right_place ---------------------------------------------------------------------------------

right_place = Choice(
    topic=TOPIC,
    name="right_place",
    answer="d",
    replies={
        "a": "A map shows where, not what. Something else may lie at the same place.",
        "b": "The scores against the mask would be as high: the marker lies inside the mask.",
        "c": "The randomisation check says whether a map depends on the weights. These weights do matter; they learned the "
        "marker.",
        "d": "Change the one thing that you suspect and leave the rest: the answer tells what the model uses.",
    },
    hints=("What would be different in a picture of a model that reads the marker, and of one that reads the lesion?",),
)
