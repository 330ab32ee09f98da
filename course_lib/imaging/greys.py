"""From stored numbers to greys: units, window, scale. Images are arrays of any shape unless a docstring says otherwise."""

import numpy as np


def to_hounsfield(dataset):
    """The pixels of a CT dataset in Hounsfield units: float32, stored value × Rescale Slope + Rescale Intercept.

    Shape as `dataset.pixel_array`: (h, w) or (frames, h, w). Pixels that hold the Pixel Padding Value lie outside
    the image and are converted like the others. Formula: PS3.3 C.11.1. Raises ValueError if the modality is not
    CT, the rescale is missing, or its type says that the result is not in Hounsfield units.
    """
    if dataset.get("Modality") != "CT":
        raise ValueError(f"Hounsfield units exist for CT alone; the modality here is {dataset.get('Modality')!r}.")
    missing = [name for name in ("RescaleSlope", "RescaleIntercept") if dataset.get(name) is None]
    if missing:
        raise ValueError(f"The header lacks {' and '.join(missing)}: without them stored values have no unit.")
    if dataset.get("RescaleType", "HU") != "HU":
        raise ValueError(f"Rescale Type is {dataset.RescaleType!r}: the rescaled values are not Hounsfield units.")
    stored = dataset.pixel_array.astype(np.float32)
    return stored * np.float32(dataset.RescaleSlope) + np.float32(dataset.RescaleIntercept)


def window(image, level, width):
    """Map level − width/2 to 0 and level + width/2 to 1, linearly, and clip what lies outside: float32 in [0, 1].

    This is DICOM's LINEAR_EXACT function (PS3.3 C.11.2.1.3.2). Its default, LINEAR, takes half a unit off the level
    and one off the width, which is right for whole-number displays. Raises ValueError if the width is not positive.
    """
    if not width > 0:
        raise ValueError(f"The width of a window must be positive; it is {width}.")
    scaled = (np.asarray(image, np.float32) - np.float32(level - width / 2)) / np.float32(width)
    return np.clip(scaled, 0, 1)


def min_max(images, low, high):
    """Map `low` to 0 and `high` to 1, linearly, without clipping: float32, shape as `images`.

    low, high: numbers, or arrays that broadcast against the images. Take them from the training split, or from each
    image itself. Raises ValueError unless high > low everywhere: a blank image has no range.
    """
    images, low, high = (np.asarray(values, np.float32) for values in (images, low, high))
    if not np.all(high > low):
        raise ValueError("`high` must be larger than `low`; they are equal for a blank image. Leave such images out.")
    return (images - low) / (high - low)


def z_score(images, mean, std):
    """Subtract `mean` and divide by `std`: float32, shape as `images`, in standard deviations.

    mean, std: numbers, or arrays that broadcast against the images. Take them from the training split, or from each
    image itself. Raises ValueError unless std > 0 everywhere: a blank image has no spread.
    """
    images, mean, std = (np.asarray(values, np.float32) for values in (images, mean, std))
    if not np.all(std > 0):
        raise ValueError("`std` must be positive; it is 0 for a blank image. Leave such images out.")
    return (images - mean) / std
