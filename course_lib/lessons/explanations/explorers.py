"""Explorers of the lesson on explanations. TensorFlow is imported when the first map is computed."""

import functools

import numpy as np

from course_lib import data, plot
from course_lib.explorers import Explorer, choice, slider
from course_lib.lessons.explanations.model import FILLS, LAST, largest_slices, replacement, stored_network

METHODS = ["gradient", "SmoothGrad", "integrated gradients", "occlusion", "Grad-CAM", "guided backprop"]
LAYERS = {
    "first, 32 × 32": "conv2d",
    "second, 32 × 32": "conv2d_1",
    "third, 16 × 16": "conv2d_2",
    "last, 8 × 8": LAST,
}
CLASSES = ["healthy", "mass", "white-matter lesions", "infarct"]
TRAINED, RANDOM = "trained", "random"
_IMAGES = [f"{name}, patient {letter}" for name in CLASSES for letter in "AB"]
_STEPS = 16


# ---- Which map, of which model -------------------------------------------------------------------


def maps() -> Explorer:
    """One image, one question, six ways to answer it, with the trained model and with a random one."""
    return Explorer(
        _draw_maps,
        {
            "image": choice("Image", _IMAGES, "mass, patient A"),
            "method": choice("Method", METHODS, "Grad-CAM"),
            "target": choice("Class to explain", CLASSES, "mass"),
            "layer": choice("Layer (Grad-CAM only)", LAYERS, "last, 8 × 8"),
            "weights": choice("Weights of the model", [TRAINED, RANDOM]),
            "strength": slider("Strength of the overlay", 0.0, 1.0, 0.9, step=0.1),
        },
        alt="Left: a brain slice with the outline of its lesion. Middle: the map alone. Right: the map laid over the slice, "
        "with the part of it that lies inside the lesion. Below the slice, the model's probability for the chosen class.",
        caption="Simulated lesions on real anatomy. Left: the slice, the lesion outlined. Middle: the map, red for the "
        "class and blue against it. Right: both, with orange for red. Each map is scaled to its own largest value.",
        size=(10, 3.9),
    )


def _draw_maps(figure, image, method, target, layer, weights, strength):
    number, pixels, mask = _picture(image)
    answer, heat = _explained(method, CLASSES.index(target), LAYERS[layer], weights)
    left, middle, right = figure.subplots(1, 3)
    plot.image(left, pixels, f"{image}\np̂({target}) = {answer[number]:.2f}", window=(0, 1))
    plot.signed(middle, heat[number], f"{method}\n{weights} weights", colour_bar=False)
    plot.overlay(right, pixels, heat[number], _inside(heat[number], mask), strength=strength)
    if mask.any():
        for ax in (left, right):
            ax.contour(mask, [0.5], colors=plot.COLOURS["sky"], linewidths=1.4)


def _inside(heat, mask):
    if not mask.any():
        return "no lesion:\nno place is right"
    share = float(_explain().mass_inside(heat[None], mask[None])[0])
    return f"inside the lesion: {share:.0%} of the map\n(of the image: {mask.mean():.0%})"


def _explain():
    from course_lib import explain

    return explain


@functools.cache
def _examples():
    """Images (8, h, w, 1) and masks: of each class two test patients, the slice with the largest lesion."""
    test = data.load("brain-lesions").test
    rows = largest_slices(test, range(len(CLASSES)), [1, 4])
    return test.x[rows], test.masks[rows]


def _picture(image):
    number = _IMAGES.index(image)
    images, masks = _examples()
    return number, images[number, ..., 0], masks[number]


@functools.cache
def _model(weights):
    if weights == TRAINED:
        return stored_network("normal")
    explain = _explain()
    explain.keras.utils.set_random_seed(1000)
    return explain.randomised(_model(TRAINED), 5)


def _explained(method, target, layer, weights):
    """Probabilities and maps of all eight images at once: it takes hardly longer than one."""
    return _cached_maps(method, target, layer if method == "Grad-CAM" else None, weights)


@functools.cache
def _cached_maps(method, target, layer, weights):
    explain, (images, _), model = _explain(), _examples(), _model(weights)
    blurred = replacement("blurred", images)
    heat = {
        "gradient": explain.saliency,
        "SmoothGrad": explain.smoothgrad,
        "integrated gradients": functools.partial(explain.integrated_gradients, baseline=blurred, steps=16),
        "occlusion": functools.partial(explain.occlusion, fill=blurred, stride=6),
        "Grad-CAM": functools.partial(explain.grad_cam, layer=layer),
        "guided backprop": explain.guided_backprop,
    }[method](model, images, target)
    return explain.probability(model, images, target), heat


# ---- Deletion ------------------------------------------------------------------------------------


def deletion() -> Explorer:
    """Replace the pixels that a map calls important, and watch the probability."""
    images = [name for name in _IMAGES if not name.startswith("healthy")]
    return Explorer(
        _draw_deletion,
        {
            "image": choice("Image", images, "mass, patient A"),
            "method": choice("Method", METHODS, "gradient"),
            "fill": choice("Replace by", FILLS),
            "share": slider("Share of pixels replaced (sixteenths)", 0, _STEPS, 2),
        },
        alt="Left: a brain slice in which part of the pixels is replaced. Right: the probability of the image's class falls "
        "as more pixels are replaced, in the map's order and in random order.",
        caption="Deletion. Left: the slice with the map's most important pixels replaced. Right: the probability of its class "
        "for every share; the dot is the picture on the left. Grey: the same with the pixels in random order.",
        size=(9, 3.9),
    )


def _draw_deletion(figure, image, method, fill, share):
    number, pixels, _ = _picture(image)
    target = CLASSES.index(image.split(",")[0])
    curve, by_chance = (_curves(m, target, fill)[number] for m in (method, "random order"))
    _, heat = _explained(method, target, LAST, TRAINED)
    order = np.argsort(-heat[number], axis=None)[: share * pixels.size // _STEPS]
    changed = pixels.copy()
    changed.flat[order] = replacement(fill, _examples()[0][number : number + 1]).flat[order]
    left, right = figure.subplots(1, 2, width_ratios=[1, 1.5])
    plot.image(left, changed, f"{share / _STEPS:.0%} of the pixels replaced", window=(0, 1))
    shares = np.arange(_STEPS + 1) / _STEPS
    right.plot(shares, by_chance, color=plot.COLOURS["grey"], label=f"random order, area {_area(by_chance):.2f}")
    right.plot(shares, curve, label=f"{method}, area {_area(curve):.2f}")
    right.plot(share / _STEPS, curve[share], "o", color=plot.COLOURS["vermilion"])
    right.set(ylim=(-0.03, 1.25), xlabel="share of pixels replaced", ylabel=f"p̂({CLASSES[target]})", yticks=[0, 0.5, 1])
    right.legend(loc="upper right")


def _area(curve):
    return float(_explain().area_under(curve[None])[0])


@functools.cache
def _curves(method, target, fill):
    explain, (images, masks) = _explain(), _examples()
    if method == "random order":
        heat = np.random.default_rng(0).random(masks.shape)
    else:
        _, heat = _explained(method, target, LAST, TRAINED)
    return explain.replacement_curve(_model(TRAINED), images, replacement(fill, images), target, heat, steps=_STEPS)
