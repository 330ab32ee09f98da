"""Exercises of the lesson on pooling."""

import numpy as np

from course_lib.exercises import Choice, Coding, Mistake, Wrong, progress

TOPIC = "pooling"


# ---- max_pool -----------------------------------------------------------------------------------


def _pool(image, window, stride, combine):
    height, width = (image.shape[0] - window) // stride + 1, (image.shape[1] - window) // stride + 1
    output = np.zeros((height, width))
    for i in range(height):
        for j in range(width):
            top, left = i * stride, j * stride
            output[i, j] = combine(image[top : top + window, left : left + window])
    return output


def _max_pool(image, window, stride):
    height = (image.shape[0] - window) // stride + 1
    width = (image.shape[1] - window) // stride + 1
    output = np.zeros((height, width))
    for i in range(height):
        for j in range(width):
            top, left = i * stride, j * stride  # windows start at every stride-th pixel
            output[i, j] = image[top : top + window, left : left + window].max()
    return output


def _max_pool_by_windows(image, window, stride):
    windows = np.lib.stride_tricks.sliding_window_view(image, (window, window))
    return windows.max(axis=(2, 3))[::stride, ::stride]


def _max_pool_with_leftovers(image, window, stride):
    starts = [range(0, size, stride) for size in image.shape]
    return np.array([[image[i : i + window, j : j + window].max() for j in starts[1]] for i in starts[0]])


def _max_pool_inputs():
    rng = np.random.default_rng(2)
    return [
        (np.arange(1.0, 17).reshape(4, 4), 2, 2),
        (rng.integers(-9, 10, (5, 7)).astype(float), 2, 2),
        (rng.integers(-9, 10, (7, 10)).astype(float), 3, 2),
        (rng.normal(size=(8, 6)) - 5, 2, 3),
        (rng.normal(size=(7, 7)) - 500, 3, 3),
        (rng.integers(-1000, -100, (6, 9)), 4, 1),
        (rng.normal(size=(4, 5)), 1, 1),
    ]


max_pool = Coding(
    topic=TOPIC,
    name="max_pool",
    reference=_max_pool,
    also_correct=(
        _max_pool_by_windows,
        lambda image, window, stride: [
            [
                max(image[i + u][j + v] for u in range(window) for v in range(window))
                for j in range(0, len(image[0]) - window + 1, stride)
            ]
            for i in range(0, len(image) - window + 1, stride)
        ],
    ),
    inputs=_max_pool_inputs,
    mistakes=(
        Mistake(
            lambda image, window, stride: _pool(image, window, window, np.max),
            "Right where the stride equals the window. Here the stride can be something else: how far apart do "
            "two neighbouring windows start?",
        ),
        Mistake(
            lambda image, window, stride: _pool(image, window, 1, np.max),
            "Your results are those of a window that moves by one pixel each time. It should move by `stride` pixels.",
        ),
        Mistake(
            lambda image, window, stride: _pool(image, window, stride, np.mean),
            "Your results are those of average pooling. Here the largest pixel of the window is wanted.",
        ),
        Mistake(
            lambda image, window, stride: np.maximum(_pool(image, window, stride, np.max), 0),
            "Your results are 0 where all pixels of a window are negative, as if the search started at 0. "
            "Feature maps can be negative.",
        ),
        Mistake(
            _max_pool_with_leftovers,
            "At the right and lower border you also use windows that are cut off. Without padding, only windows that "
            "lie wholly inside the image count.",
        ),
        Mistake(
            lambda image, window, stride: _pool(image, window, stride, np.max)[:-1, :-1],
            "Your loops end one step early: the last row and the last column of windows are missing.",
        ),
    ),
    wrong=(
        Wrong(
            lambda image, window, stride: np.maximum(_pool(image, window, stride, np.max), -100),
            (np.full((4, 4), -500.0), 2, 2),
        ),
        Wrong(
            lambda image, window, stride: _pool(np.abs(image), window, stride, np.max), (np.full((4, 4), -2.0), 2, 2)
        ),
        Wrong(lambda image, window, stride: _pool(image, window, stride, np.min), (np.eye(4), 2, 2)),
        Wrong(
            lambda image, window, stride: _pool(image, stride, stride, np.max), (np.arange(36.0).reshape(6, 6), 3, 2)
        ),
        Wrong(
            lambda image, window, stride: _pool(image, window, stride, np.max).T, (np.arange(24.0).reshape(4, 6), 2, 2)
        ),
        Wrong(lambda image, window, stride: _pool(image, window, stride, np.max).astype(int), (0.5 * np.eye(4), 2, 2)),
        Wrong(lambda image, window, stride: _pool(image, 2, stride, np.max), (np.arange(36.0).reshape(6, 6), 3, 3)),
        Wrong(lambda image, window, stride: _pool(image, window, min(stride, 2), np.max), (np.eye(8), 2, 3)),
        Wrong(
            lambda image, window, stride: np.array([[part[0, 0] for part in [image]]]),
            (np.arange(16.0).reshape(4, 4), 2, 2),
        ),
        Wrong(lambda image, window, stride: _pool(image, window, stride, np.median), (np.eye(4), 2, 2)),
    ),
    hints=(
        "The output's size follows the same formula as in lesson 01, with the window in place of the kernel.",
        "Output (i, j) looks at the window whose first pixel is (i · stride, j · stride).",
        "Two loops over i and j; inside, cut out `image[top : top + window, left : left + window]` and take its `.max()`.",
    ),
    why="The loop is that of a convolution. Only the sum of products is replaced, so there is nothing to learn.",
)


# ---- unread_pixels ------------------------------------------------------------------------------


def _unread_pixels(size, window, stride):
    windows = (size - window) // stride + 1
    # Every window but the last adds as many new pixels as the next one is away, though never more than it has.
    read = (windows - 1) * min(stride, window) + window
    return size - read


def _unread_pixels_by_marking(size, window, stride):
    read = set()
    for start in range(0, size - window + 1, stride):
        read.update(range(start, start + window))
    return size - len(read)


unread_pixels = Coding(
    topic=TOPIC,
    name="unread_pixels",
    reference=_unread_pixels,
    also_correct=(
        _unread_pixels_by_marking,
        lambda size, window, stride: sum(
            not any(0 <= pixel - start < window for start in range(0, size - window + 1, stride))
            for pixel in range(size)
        ),
    ),
    integers=False,
    inputs=lambda: [
        *[(4, 2, 2), (61, 2, 2), (14, 3, 2), (13, 3, 3), (12, 2, 3), (17, 2, 5), (9, 4, 1)],
        *[(5, 5, 2), (10, 1, 4), (20, 3, 7), (7, 6, 3), (30, 4, 9)],
    ],
    mistakes=(
        Mistake(
            lambda size, window, stride: size - ((size - window) // stride + 1) * window,
            "Your results count the pixels twice where windows overlap. Which pixels does the second window add to the first?",
        ),
        Mistake(
            lambda size, window, stride: (size - window) % stride,
            "Your results are the pixels after the last window. If the stride is larger than the window, pixels are "
            "skipped between windows as well.",
        ),
        Mistake(
            lambda size, window, stride: size % window,
            "Right while the stride equals the window. Try size 5, window 3, stride 2 with a pencil.",
        ),
        Mistake(
            lambda size, window, stride: size % stride,
            "Try size 5, window 3, stride 2 with a pencil: the last window may reach to the very end of the row.",
        ),
        Mistake(
            lambda size, window, stride: size - _unread_pixels(size, window, stride),
            "Your results are the pixels that are read. How many are not?",
        ),
    ),
    wrong=(
        Wrong(lambda n, k, s: max(0, s - k), (12, 2, 3)),
        Wrong(lambda n, k, s: 0, (61, 2, 2)),
        Wrong(lambda n, k, s: n % 2, (14, 3, 3)),
        Wrong(lambda n, k, s: max(0, s - k) * ((n - k) // s + 1) + (n - k) % s, (12, 2, 3)),
        Wrong(lambda n, k, s: n - k * (n // s), (14, 3, 2)),
        Wrong(lambda n, k, s: (n - k) // s + 1, (4, 2, 2)),
        Wrong(lambda n, k, s: _unread_pixels(n, k, s) if s <= k else max(0, s - k) * ((n - k) // s), (16, 2, 5)),
        Wrong(lambda n, k, s: _unread_pixels(n, k, s) + 1, (4, 2, 2)),
    ),
    hints=(
        "First the number of windows: the formula of lesson 01.",
        "There are two cases: windows that overlap or touch, and windows with gaps between them.",
        "Or let the computer count: collect the pixels of every window in a `set`, and compare with `size`.",
    ),
    why="The second pooling of the article's network (lesson 06) gets maps of 61×61: their last row and column are "
    "never read.",
)


# ---- padding_value ------------------------------------------------------------------------------

padding_value = Choice(
    topic=TOPIC,
    name="padding_value",
    answer="b",
    replies={
        "a": "It would change them: a window at the border then holds a zero, and zero beats every negative pixel.",
        "b": "A zero is larger than every pixel of this map, so the frame would win although nothing was found there.",
        "c": "A maximum cannot get smaller when one more number, even a padded one, joins the window.",
        "d": "Windows that hold only real pixels do not meet the padding. Only those at the border can change.",
    },
    hints=("Take a border window with the pixels −3, −7, −2 and add a zero. What is its maximum now?",),
)


# ---- keep_dark_spots ----------------------------------------------------------------------------

keep_dark_spots = Choice(
    topic=TOPIC,
    name="keep_dark_spots",
    answer="c",
    replies={
        "a": "A larger window holds even more bright background, and its maximum is the background again.",
        "b": "Then every window holds some noise peak or bright background all the same: brightening everything keeps "
        "the order of the pixels.",
        "c": "After a kernel that answers positively to dark spots the spot is the maximum, and max pooling keeps it. "
        "In a network such kernels are learned.",
        "d": "Average pooling does keep more of a dark spot, but it still thins it out, the more the larger the window.",
    },
    hints=("Max pooling keeps what is large. What could the convolution in front of it do to a dark spot?",),
)


# ---- average_kernel -----------------------------------------------------------------------------


def _average_kernel(window, channels):
    kernel = np.zeros((window, window, channels, channels))
    for channel in range(channels):
        kernel[:, :, channel, channel] = 1 / window**2  # every channel is averaged by itself
    return kernel


def _average_kernel_by_identity(window, channels):
    return np.ones((window, window, 1, 1)) / window**2 * np.eye(channels)


average_kernel = Coding(
    topic=TOPIC,
    name="average_kernel",
    reference=_average_kernel,
    also_correct=(
        _average_kernel_by_identity,
        lambda window, channels: np.tile(np.eye(channels) / window**2, (window, window, 1, 1)).tolist(),
    ),
    integers=False,
    inputs=lambda: [(2, 1), (2, 3), (3, 2), (4, 3), (1, 4), (5, 1)],
    mistakes=(
        Mistake(
            lambda window, channels: np.full((window, window, channels, channels), 1 / window**2),
            "Your results are those of a kernel that adds up all channels: every output channel should see one input channel only, its own.",
        ),
        Mistake(
            lambda window, channels: np.full((window, window, channels, channels), 1 / window**2 / channels),
            "Your results are those of a mean over all channels. Pooling leaves the channels apart.",
        ),
        Mistake(
            lambda window, channels: np.full((window, window, channels, 1), 1 / window**2),
            "Your results have a single output channel. There should be as many as there are input channels.",
        ),
        Mistake(
            lambda window, channels: _average_kernel(window, channels) * window**2,
            "Your results are those of the sum over the window. For the mean, what must the weights of one output channel add up to?",
        ),
        Mistake(
            lambda window, channels: _average_kernel(window, channels) * window,
            "Your results are divided by the window's width only. How many pixels does the window hold?",
        ),
    ),
    wrong=(
        Wrong(lambda window, channels: np.full((window, window, channels, channels), 0.25), (3, 1)),
        Wrong(lambda window, channels: _average_kernel(window, channels) * 4 / channels, (2, 2)),
        Wrong(lambda window, channels: _average_kernel(window, channels)[:, :, ::-1], (2, 2)),
        Wrong(lambda window, channels: _average_kernel(window, 1), (2, 3)),
        Wrong(lambda window, channels: _average_kernel(window, channels).astype(int), (2, 2)),
        Wrong(lambda window, channels: _average_kernel(window, channels).transpose(2, 3, 0, 1), (2, 3)),
        Wrong(lambda window, channels: np.full((window, window), 1 / window**2), (2, 1)),
        Wrong(lambda window, channels: 1 - _average_kernel(window, channels), (2, 2)),
    ),
    hints=(
        "Start with one channel: which weights turn a sum over window × window pixels into a mean?",
        "With several channels, `kernel[:, :, i, o]` says how input channel i enters output channel o. When is it zero?",
        "Start from `np.zeros((window, window, channels, channels))` and fill `kernel[:, :, c, c]` for every channel c.",
    ),
    why="Average pooling is a convolution with fixed weights. A strided convolution can learn it, or something better.",
)


# ---- shift_by_stride ----------------------------------------------------------------------------

shift_by_stride = Choice(
    topic=TOPIC,
    name="shift_by_stride",
    answer="c",
    replies={
        "a": "Unchanged it is only where the image is flat. The windows now hold what their left neighbours held before.",
        "b": "One place in the output is two pixels in the image. By how many windows did everything move?",
        "c": "The windows stand two pixels apart, so each holds what its left neighbour held before: the whole output "
        "moves by one place, exactly.",
        "d": "For a shift by one pixel that would be right. By two, every window meets an old window exactly.",
    },
    hints=("Draw a row of eight pixels with its four windows, and the same row moved by two.",),
)


# ---- global_average -----------------------------------------------------------------------------


def _global_average(maps):
    return maps.mean(axis=(1, 2))  # the axes of height and width; images and channels stay


def _global_average_by_sum(maps):
    images, height, width, channels = maps.shape
    return maps.reshape(images, height * width, channels).sum(axis=1) / (height * width)


global_average = Coding(
    topic=TOPIC,
    name="global_average",
    reference=_global_average,
    also_correct=(
        _global_average_by_sum,
        lambda maps: np.array([[image[..., c].mean() for c in range(maps.shape[-1])] for image in maps]),
        lambda maps: maps.mean(1).mean(1),
    ),
    inputs=lambda: [
        (np.arange(12.0).reshape(1, 2, 2, 3),),
        (np.random.default_rng(3).normal(size=(3, 5, 4, 2)),),
        (np.random.default_rng(4).integers(0, 256, (2, 3, 3, 3), np.uint8),),
        (np.random.default_rng(5).normal(size=(4, 4, 4, 4)),),
        (np.random.default_rng(6).normal(size=(1, 1, 6, 1)),),
    ],
    mistakes=(
        Mistake(
            lambda maps: maps.mean(axis=(1, 2), keepdims=True),
            "The numbers are right, but the axes of height and width are still there, with length 1.",
        ),
        Mistake(
            lambda maps: maps.mean(axis=(0, 1, 2)),
            "Your results are averaged over the images of the batch as well. Every image should keep its own vector.",
        ),
        Mistake(
            lambda maps: maps.mean(axis=3),
            "Your results are averaged over the channels. They should stay; height and width should go.",
        ),
        Mistake(
            lambda maps: maps.max(axis=(1, 2)), "Your results are those of global max pooling. Here the mean is wanted."
        ),
        Mistake(
            lambda maps: maps.reshape(len(maps), -1).mean(axis=1),
            "Your results have one number for each image, averaged over the channels too. Each channel should keep its own.",
        ),
    ),
    wrong=(
        Wrong(lambda maps: np.median(maps, axis=(1, 2)), (np.arange(8.0).reshape(1, 2, 2, 2) ** 2,)),
        Wrong(lambda maps: maps.sum(axis=(1, 2)), (np.ones((1, 2, 2, 1)),)),
        Wrong(lambda maps: maps.sum(axis=(1, 2)) / maps.shape[1] ** 2, (np.ones((1, 2, 3, 1)),)),
        Wrong(lambda maps: maps.mean(axis=(1, 2)).T, (np.arange(12.0).reshape(1, 2, 2, 3),)),
        Wrong(lambda maps: maps.mean(axis=1), (np.ones((1, 2, 2, 1)),)),
        Wrong(lambda maps: maps.mean(axis=(1, 2)).round(), (np.full((1, 2, 2, 1), 0.3),)),
        Wrong(lambda maps: maps.mean(axis=(2, 3)), (np.arange(16.0).reshape(1, 4, 2, 2),)),
        Wrong(lambda maps: np.maximum(maps, 0).mean(axis=(1, 2)), (-np.ones((1, 2, 2, 1)),)),
        Wrong(lambda maps: maps[:1].mean(axis=(1, 2)), (np.ones((2, 2, 2, 1)),)),
    ),
    hints=(
        "The shape is (images, height, width, channels). Which two axes should disappear?",
        "`mean` takes several axes at once: `axis=(…, …)`.",
    ),
    why="One number for each channel, whatever the image's size: this is what many networks put before their last layer.",
)
