"""What changes an image: another scanner, a burnt-in marker. Images are float32 (n, h, w, c) in [0, 1]."""

import numpy as np


def simulate_scanner(images, *, noise=0.0, gamma=1.0, blur=0.0, seed=0):
    """The images as another MR scanner might have made them (a crude simulation): float32 in [0, 1], of the same shape.

    images: (n, h, w, c) in [0, 1], with their own noise, which is blurred too.
    blur: full width at half maximum of a Gaussian, in pixels, 0 for none: a coarser resolution.
    gamma: power of the intensity, above 0; 1 changes nothing.
    noise: σ of Rician noise on top (Gudbjartsson & Patz 1995, doi:10.1002/mrm.1910340618), in units of the intensity.
    Raises ValueError for a negative noise or blur, or a gamma that is not above 0.
    """
    from scipy import ndimage

    if noise < 0 or blur < 0 or not gamma > 0:
        raise ValueError(f"noise and blur cannot be negative, gamma must be above 0; here: {noise}, {blur}, {gamma}.")
    sigma = blur / np.sqrt(8 * np.log(2))
    images = np.clip(ndimage.gaussian_filter(images, (0, sigma, sigma, 0)), 0, 1) ** gamma
    real, imaginary = noise * np.random.default_rng(seed).standard_normal((2, *images.shape))
    return np.hypot(images + real, imaginary).clip(0, 1).astype(np.float32)


def add_marker(images, places):
    """Copies of the images with a bright cross of 5 × 5 pixels burnt in, as a measuring tool leaves it.

    places: (row, column) of each cross's middle, or None for an image that gets none. A middle nearer than two pixels to
    the border is moved inside.
    """
    images = images.copy()
    for image, place in zip(images, places, strict=True):
        if place is not None:
            row, column = np.clip(np.rint(place).astype(int), 2, np.array(image.shape[:2]) - 3)
            image[row - 2 : row + 3, column] = 1
            image[row, column - 2 : column + 3] = 1
    return images
