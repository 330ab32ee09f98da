"""Where pixels lie: spacing, and resampling to another one."""

import numpy as np


def resample(image, spacing, new_spacing, *, mask=False):
    """Resample to another pixel spacing; return the array and the spacing that it really has.

    image: (h, w) or (slices, h, w), one spacing in mm per axis. The edges of the field of view stay where they are;
    sizes are rounded to whole pixels, so that the spacing returned can differ a little from the one asked for.
    Images are interpolated linearly, after a Gaussian blur along axes that shrink (anti-aliasing), and come back as
    float32. With mask=True every new pixel takes the nearest old value, so that no label is invented, and the type
    is kept. Raises ValueError for spacings that are not positive or do not fit the axes.
    """
    from skimage.transform import resize

    image, spacing, new_spacing = np.asarray(image), np.asarray(spacing, float), np.asarray(new_spacing, float)
    for name, values in (("spacing", spacing), ("new_spacing", new_spacing)):
        if values.shape != (image.ndim,) or not np.all(values > 0):
            raise ValueError(
                f"`{name}` must be {image.ndim} positive numbers of mm, one per axis; it is {values.tolist()}."
            )
    size = np.maximum(1, np.round(image.shape * spacing / new_spacing)).astype(int)
    actual = tuple(float(mm) for mm in image.shape * spacing / size)
    if mask:
        return resize(image, size, order=0, preserve_range=True, anti_aliasing=False).astype(image.dtype), actual
    smaller = bool(np.any(size < image.shape))
    return resize(image.astype(np.float32), size, order=1, preserve_range=True, anti_aliasing=smaller), actual
