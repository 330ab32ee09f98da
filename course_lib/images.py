"""What damages or changes an image: another scanner, a burnt-in marker, noise, a hole, half the resolution.

Images are float32 (n, h, w, c) in [0, 1] unless a docstring says otherwise.
"""

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


def gaussian_noise(images, sigma, rng):
    """The images with Gaussian noise of standard deviation sigma, (n,) or a number. Values may leave [0, 1]."""
    sigma = np.broadcast_to(np.asarray(sigma, np.float32), len(images))
    return images + rng.standard_normal(images.shape, np.float32) * sigma[:, None, None, None]


def square_holes(images, centres, size):
    """A mask (n, h, w, 1) float32 that is 1 in a square of `size` pixels, 0 elsewhere.

    centres: row and column of each square's middle, (n, 2); a square near the border is moved until it lies inside.
    """
    h, w = images.shape[1:3]
    first = np.clip(np.asarray(centres) - size // 2, 0, [h - size, w - size])
    rows, columns = np.arange(h)[:, None], np.arange(w)[None, :]
    top, left = first[:, 0, None, None], first[:, 1, None, None]
    hole = (rows >= top) & (rows < top + size) & (columns >= left) & (columns < left + size)
    return hole[..., None].astype(np.float32)


def half_size(images):
    """The images at half the size, each pixel the mean of 2×2; height and width must be even."""
    n, h, w, c = images.shape
    return images.reshape(n, h // 2, 2, w // 2, 2, c).mean((2, 4))


def double_size(images):
    """The images at twice the size by bicubic interpolation (Keys 1981, doi:10.1109/TASSP.1981.1163711, a = −½).

    Pixels are squares that meet at their edges, so that no image is shifted; beyond the border nothing counts.
    """

    def weights(size):
        centre = (np.arange(2 * size) + 0.5) / 2 - 0.5  # of each new pixel, counted in old ones
        away = np.abs(centre[:, None] - np.arange(size))
        near, far = 1.5 * away**3 - 2.5 * away**2 + 1, -0.5 * away**3 + 2.5 * away**2 - 4 * away + 2
        kernel = np.where(away <= 1, near, np.where(away < 2, far, 0))
        return (kernel / kernel.sum(1, keepdims=True)).astype(images.dtype)

    rows, columns = weights(images.shape[1]), weights(images.shape[2])
    return np.einsum("ih,nhwc,jw->nijc", rows, images, columns, optimize=True)
