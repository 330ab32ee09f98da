"""What notebook, experiment and explorers of the lesson on explanations share: stored networks, slices, markers, fills."""

import numpy as np
from scipy import ndimage

from course_lib import results
from course_lib.images import add_marker

SHAPE = (64, 64, 1)
LAST = "conv2d_3"
"""The last convolution of `models.small_cnn`, for Grad-CAM: 8×8 maps."""

FILLS = ["blurred", "grey", "black"]


def stored_network(name):
    """A small CNN with the weights that the experiment stored.

    name: "normal" (four logits: healthy, mass, white-matter lesions, infarct), or "marker" (one logit: lesion or not),
        whose training images had a cross in the corner.
    """
    from course_lib.models import small_cnn

    pixels = results.arrays("explanations/explanations", 0)
    mean, variance = (float(pixels[f"{name}_{what}"]) for what in ("mean", "variance"))
    network = small_cnn(SHAPE, 4 if name == "normal" else 1, mean=mean, variance=variance)
    network.set_weights(results.weights("explanations/explanations", 0, network=name))
    return network


def largest_slices(split, classes, patients):
    """Rows of one slice a patient, the one with the largest lesion; class by class.

    patients: which of a class's patients, in the order of their numbers: a slice or a list of indices.
    """
    area, label, rows = split.targets["lesion_area"], split.targets["label"], []
    for number in classes:
        for patient in np.unique(split.groups[label == number])[patients]:
            own = np.flatnonzero(split.groups == patient)
            rows.append(own[np.argmax(area[own])])
    return np.array(rows)


def replacement(fill, images):
    """What stands for "nothing there" in images (n, h, w, c): the image blurred (σ = 6 pixels), one grey, or black."""
    if fill == "blurred":
        return ndimage.gaussian_filter(images, (0, 6, 6, 0))
    if fill == "grey":  # the mean of what is brighter than air
        return np.stack([np.full_like(image, image[image > 0.1].mean()) for image in images])
    return np.zeros_like(images)


def edge_filter(images):
    """Where images (n, h, w, 1) have edges: maps (n, h, w) that know of no network."""
    return np.stack([ndimage.gaussian_gradient_magnitude(image[..., 0], 1) for image in images])


def with_marker(split, healthy, lesion, place, seed):
    """The split's images with a cross for these shares of patients; place: function from a mask to (row, column)."""
    patients, number = np.unique(split.groups, return_inverse=True)
    draw = np.random.default_rng(seed).random(len(patients))[number]  # one number for each patient
    has = draw < np.where(split.targets["label"] > 0, lesion, healthy)
    return add_marker(split.x, [place(mask) if h else None for h, mask in zip(has, split.masks, strict=True)])


def corner(mask):
    """Row and column of a cross in the upper left corner."""
    return 5, 5


def deepest(mask):
    """Row and column of the place in a mask (h, w) that is farthest from its border."""
    return np.unravel_index(ndimage.distance_transform_edt(mask).argmax(), mask.shape)
