"""What notebook, explorers and later lessons share: kernels, paddings, and how far an output sees."""

KERNELS = {
    "the article's cross": [[0, 1, 0], [1, 1, 1], [0, 1, 0]],
    "leave as it is": [[0, 0, 0], [0, 1, 0], [0, 0, 0]],
    "mean (blur)": [[1 / 9] * 3] * 3,
    "sharpen": [[0, -1, 0], [-1, 5, -1], [0, -1, 0]],
    "vertical edges": [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]],
    "horizontal edges": [[-1, -2, -1], [0, 0, 0], [1, 2, 1]],
    "shift": [[0, 0, 0], [1, 0, 0], [0, 0, 0]],
}

PADDINGS = {"zero": "constant", "reflect": "reflect", "symmetric": "symmetric", "replicate": "edge", "wrap": "wrap"}
"""Our names for the paddings, and what numpy.pad calls them."""


def receptive_field(layers):
    """Number of input pixels in a row that one output sees, after layers (kernel, stride)."""
    field, step = 1, 1
    for kernel, stride in layers:
        field += (kernel - 1) * step  # the kernel's other weights lie `step` input pixels apart
        step *= stride
    return field
