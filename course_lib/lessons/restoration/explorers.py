"""Explorers of the lesson on enhancement and restoration. TensorFlow is imported when the first image is restored."""

import functools

import numpy as np

from course_lib import data, plot
from course_lib.explorers import Explorer, choice, slider
from course_lib.lessons.explanations.model import largest_slices
from course_lib.lessons.restoration import model as restore

DAMAGES = {"noise": "noise", "a hole": "hole", "half the resolution": "upscale"}
CLASSES = ["healthy", "mass", "white-matter lesions", "infarct"]
CLASSICAL = "without learning"
_network = functools.cache(restore.stored_restorer)
_IMAGES = [f"{name}, patient {letter}" for name in CLASSES for letter in "AB"]


def restorers() -> Explorer:
    """One slice, one kind of damage, one loss: what comes back, and where it is wrong."""
    return Explorer(
        _draw_restorers,
        {
            "image": choice("Slice", _IMAGES, "mass, patient A"),
            "damage": choice("Damage", DAMAGES, "half the resolution"),
            "loss": choice("Restored by", [CLASSICAL, *restore.SHOWN], restore.STRONG),
            "sigma": slider("Noise only: standard deviation σ", 0.0, 0.3, 0.1, step=0.02),
            "row": slider("Hole only: row of its middle (pixels)", 5, 27, 14),
            "column": slider("Hole only: column of its middle (pixels)", 5, 27, 12),
        },
        alt="Four pictures: the true slice, the damaged slice, the restored slice, and the difference of restored and true "
        "slice in red and blue; a lesion is outlined in orange. Above the last: PSNR, edge strength and agreement.",
        caption="Stored restorers (seed 0; for the hole at the lower rate), or the best method of section 3; simulated lesions. "
        "PSNR, edge strength and agreement: of this one slice, over the pixels that may be changed. Last: restored minus "
        "true; red is too bright, blue too dark (deepest at ±0.4, where white is 1), white right. The outline is the lesion.",
        size=(11, 3.3),
    )


def _draw_restorers(figure, image, damage, loss, sigma, row, column):
    truth, condition, lesion = _damaged(image, DAMAGES[damage], sigma, row, column)
    if loss == CLASSICAL:
        restored, name = _classical(DAMAGES[damage], condition, sigma)
    else:
        restored, name = _network("losses", f"{DAMAGES[damage]}, {loss}")(condition).numpy(), loss
    restored, mask = np.clip(restored, 0, 1), condition[..., 1:]
    quality, sums = restore.psnr(truth, restored, mask)[0], restore.products(truth, restored, mask)
    verdict = (
        f"PSNR {quality:.1f} dB, edge strength {restore.edge_strength(sums):.2f},\n"
        f"agreement {restore.agreement(sums):.2f}; restored − truth:"
    )
    _four(figure, (truth, image), (condition, damage), (restored, name), lesion, verdict)


def training_sets() -> Explorer:
    """The same damage, repaired by restorers that have seen different patients."""
    images = [name for name in _IMAGES if name.startswith(("healthy", "mass"))]
    return Explorer(
        _draw_training_sets,
        {
            "image": choice("Slice", images, "mass, patient A"),
            "damage": choice("Damage", ["noise", "a hole"], "a hole"),
            "diet": choice("The restorer was trained on", list(restore.DIETS)),
            "sigma": slider("Noise only: standard deviation σ", 0.0, 0.3, 0.2, step=0.02),
            "row": slider("Hole only: row of its middle (pixels)", 5, 27, 20),
            "column": slider("Hole only: column of its middle (pixels)", 5, 27, 21),
        },
        alt="Four pictures: a true slice, the damaged slice, the slice restored by a network that was trained on certain "
        "patients only, and the difference in red and blue with its mean; a lesion is outlined in orange.",
        caption="Stored GANs (seed 0; for the hole at the lower rate) that differ in nothing but the patients they learned from. "
        "Last picture: restored minus true; red is too bright, blue too dark, deepest at ±0.4, where white is 1. Above it: "
        "its mean over the lesion, in healthy slices over all damaged pixels. The outline is the true lesion. All simulated.",
        size=(11, 3.3),
    )


def _draw_training_sets(figure, image, damage, diet, sigma, row, column):
    truth, condition, lesion = _damaged(image, DAMAGES[damage], sigma, row, column)
    restored = np.clip(_network("patients", f"{DAMAGES[damage]}, {diet}")(condition).numpy(), 0, 1)
    inside = lesion if lesion.any() else condition[0, ..., 1] > 0
    change = (restored - truth)[0, ..., 0][inside].mean()
    verdict = f"restored − truth:\nmean {change:+.2f} {'in the lesion' if lesion.any() else 'where damaged'}"
    _four(figure, (truth, image), (condition, damage), (restored, f"trained on {diet}"), lesion, verdict)


def _four(figure, true, damaged, restored, lesion, verdict):
    axes = figure.subplots(1, 4)
    titles = "the truth", "damaged", "restored"
    for ax, (images, name), title in zip(axes, (true, damaged, restored), titles, strict=False):
        plot.image(ax, images[0, ..., 0], f"{title}:\n{name}", window=(0, 1))
    error = (restored[0] - true[0])[0, ..., 0]
    plot.signed(axes[3], error, verdict, limit=0.4, colour_bar=False)
    if lesion.any():
        for ax in axes[[0, 2, 3]]:
            ax.contour(lesion, [0.5], colors=plot.COLOURS["orange"], linewidths=1.2)


@functools.cache
def _examples():
    """Images (8, 32, 32, 1) and masks: of each class two test patients, the slice with the largest lesion."""
    test = data.load("brain-lesions", size=32).test
    rows = largest_slices(test, range(len(CLASSES)), [1, 4])
    return test.x[rows], test.masks[rows]


def _damaged(image, task, sigma, row, column):
    """The slice (1, 32, 32, 1), its condition, and its lesion (32, 32)."""
    images, masks = _examples()
    number = _IMAGES.index(image)
    truth = images[number : number + 1]
    if task == "hole":
        return truth, restore.cut_hole(truth, [[row, column]]), masks[number]
    return truth, restore.damage(task, truth, np.random.default_rng(0), sigma), masks[number]


def _classical(task, condition, sigma):
    """The restored image (1, h, w, 1) and the name of the method: the best of the lesson's section 3 for each damage."""
    from scipy import ndimage
    from skimage import restoration

    d, m = condition[0, ..., 0], condition[0, ..., 1] > 0
    if task == "noise":
        return restoration.denoise_tv_chambolle(d, max(0.8 * sigma, 1e-3))[None, ..., None], "total variation"
    if task == "hole":
        return restoration.inpaint_biharmonic(d, m)[None, ..., None], "biharmonic"
    return (d + 0.75 * (d - ndimage.gaussian_filter(d, 1)))[None, ..., None], "bicubic, sharpened"
