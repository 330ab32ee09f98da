"""Exercises of the lesson on convolution."""

import math

import numpy as np
from scipy import signal

from course_lib.exercises import Choice, Coding, Mistake, Wrong, progress
from course_lib.lessons.convolution import model

TOPIC = "convolution"


# ---- centre_pixel -------------------------------------------------------------------------------

centre_pixel = Choice(
    topic=TOPIC,
    name="centre_pixel",
    answer="d",
    replies={
        "a": "Zeros change the border of the output, but the window over the centre covers no padded pixel at all.",
        "b": "Reflection fills in other numbers around the image, but the window over the centre never reads them.",
        "c": "Wrapping changes which numbers stand around the image; the centre's window does not get there either.",
        "d": "The window over the centre is exactly the image, so its sum is 25 whatever stands outside.",
    },
    hints=("Draw the 3×3 window on the 3×3 image, over the centre pixel. Which pixels does it cover?",),
)


# ---- correlate ----------------------------------------------------------------------------------


def _correlate(image, kernel):
    k_h, k_w = kernel.shape
    height, width = image.shape[0] - k_h + 1, image.shape[1] - k_w + 1
    output = np.zeros((height, width))
    for i in range(height):
        for j in range(width):
            window = image[i : i + k_h, j : j + k_w]
            output[i, j] = (window * kernel).sum()  # multiply, then add: that is all
    return output


def _correlate_by_windows(image, kernel):
    windows = np.lib.stride_tricks.sliding_window_view(image, kernel.shape)
    return np.einsum("ijab,ab->ij", windows, kernel)


def _correlate_inputs():
    rng = np.random.default_rng(1)
    return [
        (np.arange(1.0, 10).reshape(3, 3), np.array([[0.0, 1, 0], [1, 1, 1], [0, 1, 0]])),
        (np.arange(12.0).reshape(3, 4) / 2, np.array([[1.0, 0, -1], [0.5, 2, 0]])),  # small: no side fits another
        (rng.integers(-900, 900, (4, 5)), rng.normal(size=(3, 3))),
        (rng.normal(size=(6, 9)), rng.normal(size=(2, 4))),
        (rng.normal(size=(7, 5)), rng.normal(size=(5, 1))),
        (rng.integers(0, 256, (5, 5), np.uint8), rng.integers(-3, 4, (3, 3))),
        (rng.normal(size=(3, 4)), np.array([[1.5]])),
    ]


def _correlate_output_too_small(image, kernel):
    output = _correlate(image, kernel)
    return output[:-1, :-1]


def _correlate_same_padding(image, kernel):
    k_h, k_w = kernel.shape
    padded = np.pad(image, (((k_h - 1) // 2, k_h // 2), ((k_w - 1) // 2, k_w // 2)))
    return _correlate(padded, kernel)


correlate = Coding(
    topic=TOPIC,
    name="correlate",
    reference=_correlate,
    also_correct=(
        _correlate_by_windows,
        lambda image, kernel: signal.correlate2d(image.astype(float), kernel, "valid"),
        lambda image, kernel: [
            [
                sum(
                    float(image[i + u, j + v]) * float(kernel[u, v])
                    for u in range(len(kernel))
                    for v in range(len(kernel[0]))
                )
                for j in range(len(image[0]) - len(kernel[0]) + 1)
            ]
            for i in range(len(image) - len(kernel) + 1)
        ],
    ),
    inputs=_correlate_inputs,
    mistakes=(
        Mistake(
            lambda image, kernel: _correlate(image, kernel[::-1, ::-1]),
            "Your results are those of a flipped kernel: the mathematician's convolution. Here it lies on the image as it is.",
        ),
        Mistake(
            lambda image, kernel: _correlate(image, kernel[::-1]),
            "Your results are those of a kernel that is upside down. Here it lies on the image as it is.",
        ),
        Mistake(
            _correlate_output_too_small,
            "Your results lack the last row and the last column of windows. Remember that `range(n)` stops before n.",
        ),
        Mistake(
            _correlate_same_padding,
            "Your results have the size of the image, as after padding. Here the kernel has to stay inside the image.",
        ),
        Mistake(
            lambda image, kernel: _correlate(image, kernel) / kernel.size,
            "Your results are means over the window. The layer takes the sum.",
        ),
        Mistake(
            lambda image, kernel: _correlate(image, kernel).astype(image.dtype),
            "Your results have lost their fractions where the image holds whole numbers. `np.zeros((height, width))` makes "
            "an output for fractions; `np.zeros_like(image)` takes the type of the image.",
        ),
    ),
    wrong=(
        Wrong(lambda image, kernel: _correlate(image, kernel.T), (np.eye(4), np.array([[1.0, 2], [3, 4]]))),
        Wrong(lambda image, kernel: _correlate(image, kernel[:, ::-1]), (np.eye(4), np.array([[1.0, 2], [3, 4]]))),
        Wrong(lambda image, kernel: _correlate(image, kernel).T, (np.arange(20.0).reshape(4, 5), np.eye(2))),
        Wrong(lambda image, kernel: np.maximum(_correlate(image, kernel), 0), (-np.eye(4), np.eye(2))),
        Wrong(lambda image, kernel: np.abs(_correlate(image, kernel)), (-np.eye(4), np.eye(2))),
        Wrong(lambda image, kernel: _correlate(image, kernel).round(), (0.3 * np.eye(4), np.eye(2))),
        Wrong(lambda image, kernel: _correlate(image, kernel / kernel.sum()), (np.eye(4), 2 * np.eye(2))),
        Wrong(lambda image, kernel: _correlate(image, kernel)[:, :-1], (np.eye(4), np.eye(2))),
        Wrong(lambda image, kernel: np.full(_correlate(image, kernel).shape, np.nan), (np.eye(4), np.eye(2))),
        Wrong(lambda image, kernel: _correlate(image, kernel)[::2, ::2], (np.eye(4), np.eye(2))),
        Wrong(
            lambda image, kernel: _correlate(np.abs(image.astype(float)), kernel), (-np.eye(4), np.array([[1.0, 2]]))
        ),
        Wrong(
            lambda image, kernel: np.array(
                [
                    [(image[i : i + 3, j : j + 3] * kernel[:3, :3]).sum() for j in range(image.shape[1] - 2)]
                    for i in range(image.shape[0] - 2)
                ]
            ),
            (np.eye(6), np.ones((4, 4))),
        ),
    ),
    hints=(
        "How many places are there for a kernel of height k_h in an image of height h, if it must stay inside?",
        "The window at row i and column j is `image[i : i + k_h, j : j + k_w]`.",
        "Two loops over i and j; inside, multiply the window by the kernel element by element, and sum.",
    ),
    why="Multiply and sum at every place: every layer in this course that is called convolution does this.",
)


# ---- flipping -----------------------------------------------------------------------------------

flipping = Choice(
    topic=TOPIC,
    name="flipping",
    answer="b",
    replies={
        "a": "A kernel with a negative weight can be symmetric all the same: think of the sharpening kernel.",
        "b": "Turned by 180° such a kernel is the same kernel, so both operations multiply the same pairs of numbers.",
        "c": "Padding adds numbers around the image; what is turned is the kernel. Try an edge kernel on any padding.",
        "d": "A network learns whichever orientation it needs, but for given numbers the two outputs differ in general.",
    },
    hints=("Turn the kernel by 180° on paper: reverse the rows, then the columns. When do you get the same numbers?",),
)


# ---- output_size --------------------------------------------------------------------------------


def _output_size(size, kernel, stride, padding):
    # The kernel can start anywhere from 0 to size + 2 * padding - kernel, and it starts at every stride-th place.
    return (size + 2 * padding - kernel) // stride + 1


def _output_size_by_counting(size, kernel, stride, padding):
    return len(range(0, size + 2 * padding - kernel + 1, stride))


def _output_size_inputs():
    return [
        *[(3, 3, 1, 0), (3, 3, 1, 1), (128, 3, 1, 0), (28, 5, 1, 2), (7, 3, 2, 0), (224, 7, 2, 3), (10, 2, 3, 1)],
        *[(6, 2, 1, 0), (9, 4, 2, 1), (1, 1, 1, 0), (5, 1, 3, 0), (8, 3, 5, 0), (4, 6, 2, 1), (100, 11, 4, 2)],
        *[(8, 3, 3, 0), (300, 5, 3, 1)],  # two thirds to be rounded down; a second large image
        *[(5, 1, 2, 2), (6, 3, 1, 3)],  # more padding than keeps the size
    ]


output_size = Coding(
    topic=TOPIC,
    name="output_size",
    reference=_output_size,
    also_correct=(
        _output_size_by_counting,
        lambda size, kernel, stride, padding: int(np.floor((size + 2 * padding - kernel) / stride)) + 1,
        lambda size, kernel, stride, padding: np.floor((size + 2 * padding - kernel) / stride + 1),
    ),
    inputs=_output_size_inputs,
    mistakes=(
        Mistake(
            lambda size, kernel, stride, padding: (size + 2 * padding - kernel) // stride,
            "Count the places once more: the kernel's first position counts too. You are one short everywhere.",
        ),
        Mistake(
            lambda size, kernel, stride, padding: (size + padding - kernel) // stride + 1,
            "Your results are those of padding on one side. It is added on both sides of the image.",
        ),
        Mistake(
            lambda size, kernel, stride, padding: (size + 2 * padding - kernel + 1) // stride,
            "Right for stride 1. With a larger stride, the first position is not divided: add it after the division.",
        ),
        Mistake(
            lambda size, kernel, stride, padding: size + 2 * padding - kernel + 1,
            "Your results are those of stride 1: with stride 2, only every other position is used.",
        ),
        Mistake(
            lambda size, kernel, stride, padding: -(-(size + 2 * padding - kernel) // stride) + 1,
            "Your results are rounded up. A last window that does not fit into the padded image is dropped, so round down.",
        ),
        Mistake(
            lambda size, kernel, stride, padding: (size + 2 * padding - kernel) / stride + 1,
            "The number of positions is a whole number; Python's `/` gives a float. Use `//`, which rounds down.",
        ),
    ),
    wrong=(
        Wrong(lambda n, k, s, p: (n + 2 * p - 2 * (k // 2) - 1) // s + 1, (6, 2, 1, 0)),
        Wrong(lambda n, k, s, p: -(-n // s), (7, 3, 1, 0)),
        Wrong(lambda n, k, s, p: round((n + 2 * p - k) / s) + 1, (8, 3, 3, 0)),
        Wrong(lambda n, k, s, p: (n + 2 * p - 3) // s + 1, (9, 5, 1, 0)),
        Wrong(lambda n, k, s, p: (n - k) // s + 1, (9, 3, 1, 1)),
        Wrong(lambda n, k, s, p: (n - k) // s + 1 + 2 * p, (9, 3, 2, 1)),
        Wrong(lambda n, k, s, p: (n + 2 * p - k) // s + 1 if n > k else 1, (3, 3, 1, 1)),
        Wrong(lambda n, k, s, p: (n + 2 * p) // s - k + 1, (9, 3, 2, 0)),
        Wrong(lambda n, k, s, p: (n + 2 * p - k) // k + 1, (9, 3, 1, 0)),
        Wrong(lambda n, k, s, p: (n + 2 * p - k) // min(s, 3) + 1, (20, 3, 4, 0)),
        Wrong(lambda n, k, s, p: math.ceil((n + 2 * p - k) / s + 0.5), (8, 3, 3, 0)),
        Wrong(lambda n, k, s, p: (n + 2 * p - k) // s + 1 if n < 200 else 112, (300, 3, 1, 0)),
        Wrong(lambda n, k, s, p: (n + 2 * min(p, k // 2) - k) // s + 1, (7, 3, 1, 2)),
    ),
    integers=False,
    hints=(
        "Take size 5, kernel 3, stride 1, no padding, and count the positions with your finger.",
        "After padding, the image is size + 2·padding wide. Which is the last position at which the kernel still fits?",
        "Positions 0, stride, 2·stride, … up to that last one: how many are there?",
    ),
    why="With this formula you can follow the shapes through any network; frameworks compute it the same way.",
)


# ---- stride_or_dilation -------------------------------------------------------------------------

stride_or_dilation = Choice(
    topic=TOPIC,
    name="stride_or_dilation",
    answer="c",
    replies={
        "a": "Stride 2 leaves out every other position of the window, so the output has half the rows and columns.",
        "b": "A 5×5 kernel does see 5×5 pixels, but it has 25 weights, not 9.",
        "c": "Dilation 2 spreads the 3×3 weights over 5×5 pixels, and 'same' padding keeps the size.",
        "d": "Here a 3×3 kernel still sees 3×3 pixels, and with padding 2 the output grows by two rows and columns.",
    },
    hints=(
        "Three of the four have nine weights. Work out the size of each output with your formula, for an image of 10.",
    ),
)


# ---- edge_kernel --------------------------------------------------------------------------------


def _edge_kernel():
    return np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])  # right minus left, smoothed along the edge


def _edge_kernel_accept(kernel):
    kernel = np.asarray(kernel, dtype=float)
    if kernel.shape != (3, 3):
        return f"the kernel must be 3×3; yours has shape {kernel.shape}."
    dark_left = np.tile([0.0, 0, 1, 1, 1], (5, 1))

    def response(image):
        return _correlate(image, kernel)

    if np.abs(response(np.ones((5, 5)))).max() > 1e-9:
        return "the kernel does not give zero on a constant image. What must its nine weights add up to?"
    if np.abs(response(dark_left.T)).max() > 1e-9:
        return "the kernel also answers to a horizontal edge. What must each of its columns … or rows … add up to?"
    if response(dark_left).max() <= 1e-9:
        return "the kernel does not give a positive value where the image is dark on the left and bright on the right."
    if response(dark_left).min() < -1e-9:
        return "next to the edge the kernel also gives negative values; one edge should give one sign only."
    return None


edge_kernel = Coding(
    topic=TOPIC,
    name="edge_kernel",
    reference=_edge_kernel,
    also_correct=(
        lambda: [[-1, 0, 1]] * 3,
        lambda: np.array([[0, 0, 0], [-0.5, 0, 0.5], [0, 0, 0]]),
        lambda: [[-3, 0, 3], [-10, 0, 10], [-3, 0, 3]],
        lambda: [[0, -1, 1]] * 3,
    ),
    integers=False,
    inputs=lambda: [()],
    accept=_edge_kernel_accept,
    mistakes=(
        Mistake(
            lambda: np.array([[1, 0, -1], [2, 0, -2], [1, 0, -1]]),
            "This finds vertical edges, but it is positive where the left side is bright. Turn it around: a layer does "
            "not flip the kernel.",
        ),
        Mistake(
            lambda: np.array([[-1, -2, -1], [0, 0, 0], [1, 2, 1]]),
            "This finds horizontal edges. Transpose it in your mind: which direction should the weights change along?",
        ),
        Mistake(
            lambda: np.array([[0, -1, 0], [-1, 4, -1], [0, -1, 0]]),
            "This is the Laplacian: it answers to edges in all directions, with both signs.",
        ),
        Mistake(
            lambda: np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]]),
            "This is the article's kernel: it sums the neighbours, so it answers to brightness and not to edges.",
        ),
    ),
    wrong=(
        Wrong(lambda: np.full((3, 3), np.nan), ()),
        Wrong(lambda: np.array(_edge_kernel()) / np.abs(_edge_kernel().sum()), ()),
        Wrong(lambda: np.zeros((3, 3)), ()),
        Wrong(lambda: np.array([[0, 0, 0], [0, 1, 0], [0, 0, 0]]), ()),
        Wrong(lambda: np.array([[-1, 0, 2], [-1, 0, 2], [-1, 0, 2]]), ()),
        Wrong(lambda: np.array([[-2, -1, 0], [-1, 0, 1], [0, 1, 2]]), ()),
        Wrong(lambda: np.array([[-1, 2, -1]] * 3), ()),
        Wrong(lambda: np.array([-1, 0, 1]), ()),
        Wrong(lambda: np.tile([-1, 0, 0, 0, 1], (5, 1)), ()),
        Wrong(lambda: np.array([[1, -2, 1]] * 3), ()),
    ),
    hints=(
        "An edge is a difference: bright side minus dark side.",
        "Negative weights on one side, positive ones on the other, so that on a constant image they cancel.",
        "Bright on the right should count positive, so the positive weights stand in the right column.",
    ),
    why="It subtracts the left from the right. Trained networks have kernels like yours in their first layer, learned.",
)


# ---- count_parameters ---------------------------------------------------------------------------


def _count_parameters(k_h, k_w, c_in, c_out):
    # One kernel per output channel, as deep as the input has channels, and one bias each.
    return (k_h * k_w * c_in + 1) * c_out


def _count_parameters_by_shape(k_h, k_w, c_in, c_out):
    return int(np.prod((k_h, k_w, c_in, c_out))) + c_out


count_parameters = Coding(
    topic=TOPIC,
    name="count_parameters",
    reference=_count_parameters,
    also_correct=(
        _count_parameters_by_shape,
        lambda k_h, k_w, c_in, c_out: sum(k_h * k_w * c_in + 1 for _ in range(c_out)),
    ),
    integers=False,
    inputs=lambda: [(3, 3, 1, 1), (3, 3, 3, 32), (3, 3, 32, 64), (5, 3, 2, 7), (1, 1, 64, 10)],
    mistakes=(
        Mistake(
            lambda k_h, k_w, c_in, c_out: k_h * k_w * c_in * c_out,
            "Your results are the weights alone. Each kernel has a bias, too.",
        ),
        Mistake(
            lambda k_h, k_w, c_in, c_out: k_h * k_w * c_in * c_out + 1,
            "There is not one bias for the whole layer, but one for every output channel.",
        ),
        Mistake(
            lambda k_h, k_w, c_in, c_out: k_h * k_w * c_out + c_out,
            "A kernel is as deep as its input: it has weights for every input channel.",
        ),
        Mistake(
            lambda k_h, k_w, c_in, c_out: (k_h * k_w + 1) * c_in * c_out,
            "The bias is added once, after the sum over all input channels, and not once per input channel.",
        ),
    ),
    wrong=(
        Wrong(lambda k_h, k_w, c_in, c_out: k_h**2 * c_in * c_out + c_out, (5, 3, 2, 7)),
        Wrong(lambda k_h, k_w, c_in, c_out: 9 * c_in * c_out + c_out, (1, 1, 4, 2)),
        Wrong(lambda k_h, k_w, c_in, c_out: k_h * k_w * c_in * c_out + c_in, (3, 3, 2, 7)),
        Wrong(lambda k_h, k_w, c_in, c_out: k_h * k_w * (c_in + c_out), (3, 3, 2, 7)),
        Wrong(lambda k_h, k_w, c_in, c_out: (k_h * k_w * c_out + 1) * c_in, (3, 3, 2, 7)),
        Wrong(lambda k_h, k_w, c_in, c_out: k_h * k_w * c_in + c_out, (3, 3, 2, 7)),
        Wrong(lambda k_h, k_w, c_in, c_out: (k_h * k_w * c_in + 1) * c_out + 1, (3, 3, 2, 7)),
        Wrong(lambda k_h, k_w, c_in, c_out: (k_h + k_w) * c_in * c_out + c_out, (3, 3, 2, 7)),
    ),
    hints=(
        "How many weights does one kernel have, if the image has c_in channels?",
        "There are c_out kernels, and each adds one number of its own at the end.",
    ),
    why="Neither the height nor the width of the image occurs in it: the same weights serve at every place.",
)


# ---- receptive_field ----------------------------------------------------------------------------


def _receptive_field_backwards(layers):
    field = 1
    for kernel, stride in reversed(layers):
        field = (field - 1) * stride + kernel
    return field


receptive_field = Coding(
    topic=TOPIC,
    name="receptive_field",
    reference=model.receptive_field,
    also_correct=(
        _receptive_field_backwards,
        lambda layers: 1 + sum((k - 1) * math.prod(s for _, s in layers[:n]) for n, (k, _) in enumerate(layers)),
    ),
    integers=False,
    inputs=lambda: [
        ([(3, 1)],),
        ([(3, 1), (3, 1)],),
        ([(3, 2), (3, 1)],),
        ([(3, 1), (2, 2), (3, 1), (2, 2)],),
        ([(7, 2), (3, 2), (3, 1), (3, 1)],),
        ([(2, 2), (4, 3), (5, 1), (2, 2), (3, 1)],),
        ([(1, 3), (3, 1)],),
        ([(1, 1)],),
    ],
    mistakes=(
        Mistake(
            lambda layers: 1 + sum(kernel - 1 for kernel, _ in layers),
            "Right while every stride is 1. After a layer with stride 2, neighbours lie two input pixels apart.",
        ),
        Mistake(
            lambda layers: sum(kernel for kernel, _ in layers),
            "Kernels overlap: a second 3×3 layer adds one pixel on each side, not three pixels.",
        ),
        Mistake(
            lambda layers: int(np.prod([kernel for kernel, _ in layers])),
            "The sizes are not multiplied: two 3×3 layers see fewer than nine pixels in a row.",
        ),
        Mistake(
            lambda layers: (
                1
                + sum(
                    (kernel - 1) * int(np.prod([s for _, s in layers[: place + 1]]))
                    for place, (kernel, _) in enumerate(layers)
                )
            ),
            "A layer's own stride spreads the layers after it, not the layer itself: update the step after the field.",
        ),
        Mistake(
            lambda layers: 1 + sum((kernel - 1) * stride for kernel, stride in layers),
            "Your results multiply each layer by its own stride only. What counts are the strides of all layers before it.",
        ),
    ),
    wrong=(
        Wrong(lambda layers: 2 * len(layers) + 1, ([(5, 1)],)),
        Wrong(lambda layers: model.receptive_field(layers[:-1]), ([(3, 1), (3, 1)],)),
        Wrong(lambda layers: model.receptive_field(layers[::-1]), ([(3, 2), (5, 1)],)),
        Wrong(lambda layers: model.receptive_field(layers) + 1, ([(3, 1)],)),
        Wrong(lambda layers: model.receptive_field([(k, min(s, 2)) for k, s in layers]), ([(3, 3), (3, 1)],)),
        Wrong(lambda layers: model.receptive_field([(3, s) for _, s in layers]), ([(5, 1)],)),
        Wrong(lambda layers: max(kernel for kernel, _ in layers), ([(3, 1), (3, 1)],)),
        Wrong(lambda layers: model.receptive_field(layers) ** 2, ([(3, 1)],)),
        Wrong(
            lambda layers: 1 + sum((k - 1) * (layers[n - 1][1] if n else 1) for n, (k, _) in enumerate(layers)),
            ([(3, 2), (3, 2), (3, 1)],),
        ),
    ),
    hints=(
        "One output of a 3×3 layer sees 3 pixels in a row. A second 3×3 layer sees 3 such outputs: how many pixels?",
        "Keep two numbers: the field so far, and the step, which is how many input pixels lie between two neighbours.",
        "Each layer adds (kernel − 1) · step to the field; then its stride multiplies the step.",
    ),
    why="A lesion that is larger than the receptive field cannot be seen whole by any single output.",
)
