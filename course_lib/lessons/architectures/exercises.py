"""Exercises of the lesson on architectures."""

import math

import numpy as np

from course_lib.exercises import Choice, Coding, Mistake, Wrong, progress

TOPIC = "architectures"


def _multiply_adds(size, kernel, c_in, c_out, stride):
    places = math.ceil(size / stride) ** 2  # "same" padding: every stride-th row and column
    return places * kernel**2 * c_in * c_out


def _multiply_adds_whole_numbers(size, kernel, c_in, c_out, stride):
    side = (size + stride - 1) // stride
    return side * side * c_out * (kernel * kernel * c_in)


def _multiply_adds_with_floats(size, kernel, c_in, c_out, stride):
    return np.ceil(size / stride) ** 2 * kernel**2 * c_in * c_out


def _by_side(side):
    """The answer for an output of another side, side(size, kernel, stride)."""
    return lambda size, kernel, c_in, c_out, stride: side(size, kernel, stride) ** 2 * kernel**2 * c_in * c_out


_ODD, _EVEN_KERNEL = (33, 5, 3, 8, 2), (8, 2, 6, 5, 2)

multiply_adds = Coding(
    topic=TOPIC,
    name="multiply_adds",
    reference=_multiply_adds,
    also_correct=(_multiply_adds_whole_numbers, _multiply_adds_with_floats),
    inputs=lambda: [
        (32, 3, 1, 16, 1),
        (32, 3, 16, 32, 2),
        _ODD,
        (8, 1, 64, 10, 1),
        (56, 7, 3, 24, 4),
        (5, 3, 2, 7, 2),
        _EVEN_KERNEL,
        (10, 4, 1, 3, 3),
        (3, 5, 2, 2, 1),  # a kernel larger than the image
        (4, 1, 3, 2, 7),  # a stride larger than the image
        (1024, 3, 512, 512, 1),
    ],
    mistakes=(
        Mistake(
            _by_side(lambda size, kernel, stride: size),
            "Your results are those of stride 1: with stride 2 the kernel stops at fewer places.",
        ),
        Mistake(
            lambda size, kernel, c_in, c_out, stride: math.ceil(size**2 / stride) * kernel**2 * c_in * c_out,
            "Your results count the stride once. It acts along rows and along columns, so twice.",
        ),
        Mistake(
            _by_side(lambda size, kernel, stride: size // stride),
            "Your results are right where the stride divides the size. With 'same' padding a last, incomplete step counts "
            "too: round up.",
        ),
        Mistake(
            lambda size, kernel, c_in, c_out, stride: math.ceil(size / stride) ** 2 * kernel**2 * c_out,
            "Your results are those of one input channel. A kernel is as deep as its input.",
        ),
        Mistake(
            lambda size, kernel, c_in, c_out, stride: math.ceil(size / stride) ** 2 * kernel**2 * c_in,
            "Your results are those of one output channel. How many kernels are there?",
        ),
        Mistake(
            lambda size, kernel, c_in, c_out, stride: math.ceil(size / stride) ** 2 * kernel * c_in * c_out,
            "Your results count one row of each kernel. Its window has kernel · kernel places.",
        ),
        Mistake(
            lambda size, kernel, c_in, c_out, stride: math.ceil(size / stride) * kernel**2 * c_in * c_out,
            "Your results are those of one row of the output. How many rows has it?",
        ),
        Mistake(
            lambda size, kernel, c_in, c_out, stride: kernel**2 * c_in * c_out,
            "Your results are the layer's weights. Each is used again at every place of the output.",
        ),
        Mistake(
            _by_side(lambda size, kernel, stride: (size - kernel) // stride + 1),
            "Your results are those without padding. With 'same' padding and stride 1 no place is lost.",
        ),
        Mistake(
            lambda size, kernel, c_in, c_out, stride: math.ceil(size / stride) ** 2 * (kernel**2 * c_in + 1) * c_out,
            "Your results count the biases, which are added and multiply nothing.",
        ),
        Mistake(
            lambda size, kernel, c_in, c_out, stride: 2 * _multiply_adds(size, kernel, c_in, c_out, stride),
            "Your results are twice ours: a multiplication and its addition count as one here.",
        ),
    ),
    wrong=(
        Wrong(_by_side(lambda size, kernel, stride: round(size / stride)), (5, 3, 2, 7, 2)),
        Wrong(_by_side(lambda size, kernel, stride: size / stride), _ODD),
        Wrong(_by_side(lambda size, kernel, stride: size // stride + 1), (32, 3, 16, 32, 2)),
        Wrong(_by_side(lambda size, kernel, stride: (size + 2 * (kernel // 2) - kernel) // stride + 1), _EVEN_KERNEL),
        Wrong(_by_side(lambda size, kernel, stride: (size + 2 - kernel) // stride + 1), _ODD),
        Wrong(_by_side(lambda size, kernel, stride: max(size, kernel)), (3, 5, 2, 2, 1)),
        Wrong(_by_side(lambda size, kernel, stride: math.ceil(size / min(stride, 2))), (56, 7, 3, 24, 4)),
        Wrong(lambda size, k, c_in, c_out, stride: _multiply_adds(size, 3, c_in, c_out, stride), _ODD),
        Wrong(_by_side(lambda size, kernel, stride: (size - 1) // stride), _ODD),
        Wrong(lambda size, k, c_in, c_out, stride: _multiply_adds(size, k, c_in + c_out, 1, stride), _ODD),
        Wrong(lambda size, k, c_in, c_out, stride: float("inf"), _ODD),
    ),
    hints=(
        "How many multiplications does one number of the output need?",
        "One output number: kernel · kernel · c_in. How many numbers has the output, in all its channels?",
        "With 'same' padding the output is ⌈size / stride⌉ wide: round up (lesson 01).",
    ),
    why="Weights say how much a layer can remember, multiply-adds how long it takes; large maps cost time, not weights.",
)


def _grouped_parameters(kernel, c_in, c_out, groups):
    # Every kernel sees the channels of its own group only; there are still c_out kernels, with a bias each.
    return kernel**2 * (c_in // groups) * c_out + c_out


def _grouped_parameters_by_group(kernel, c_in, c_out, groups):
    one_group = (kernel * kernel * (c_in // groups) + 1) * (c_out // groups)
    return one_group * groups


_TWO_GROUPS, _THREE_GROUPS = (5, 96, 256, 2), (2, 12, 9, 3)

grouped_parameters = Coding(
    topic=TOPIC,
    name="grouped_parameters",
    reference=_grouped_parameters,
    also_correct=(
        _grouped_parameters_by_group,
        lambda kernel, c_in, c_out, groups: kernel**2 * c_in * c_out / groups + c_out,
    ),
    inputs=lambda: [
        (3, 4, 6, 2),
        _TWO_GROUPS,
        (3, 384, 384, 2),
        (3, 8, 16, 1),
        (3, 12, 24, 4),
        (1, 6, 6, 6),
        _THREE_GROUPS,
        (7, 64, 16, 8),
        (3, 5, 15, 5),
    ],
    mistakes=(
        Mistake(
            lambda kernel, c_in, c_out, groups: kernel**2 * c_in * c_out + c_out,
            "Your results are those of a layer without groups: how many input channels does one kernel see in its group?",
        ),
        Mistake(
            lambda kernel, c_in, c_out, groups: kernel**2 * (c_in // groups) * (c_out // groups) + c_out,
            "Your results count the weights of a single group. The others have weights too.",
        ),
        Mistake(
            lambda kernel, c_in, c_out, groups: (kernel**2 * (c_in // groups) + 1) * (c_out // groups),
            "Your results are those of a single group, biases included. How many groups are there?",
        ),
        Mistake(
            lambda kernel, c_in, c_out, groups: kernel**2 * (c_in // groups) * c_out,
            "Your results lack the biases: one for each output channel.",
        ),
        Mistake(
            lambda kernel, c_in, c_out, groups: kernel**2 * (c_in // groups) * c_out + c_out // groups,
            "Your results hold too few biases. Groups save weights, not biases: every output channel keeps its own.",
        ),
        Mistake(
            lambda kernel, c_in, c_out, groups: groups * kernel**2 * c_in * c_out + c_out,
            "Your results grow with the groups. Groups save weights: how deep is one kernel now?",
        ),
    ),
    wrong=(
        Wrong(lambda k, c_in, c_out, g: _grouped_parameters(k, c_in, c_out, 2), _THREE_GROUPS),
        Wrong(lambda k, c_in, c_out, g: _grouped_parameters(3, c_in, c_out, g), _TWO_GROUPS),
        Wrong(lambda k, c_in, c_out, g: _grouped_parameters(k, c_out, c_in, g), _TWO_GROUPS),
        Wrong(lambda k, c_in, c_out, g: k * (c_in // g) * c_out + c_out, _TWO_GROUPS),
        Wrong(lambda k, c_in, c_out, g: k**2 * (c_in // g) * c_out + 1, _TWO_GROUPS),
        Wrong(lambda k, c_in, c_out, g: k**2 * (c_in // g) * c_out + c_in, _TWO_GROUPS),
        Wrong(lambda k, c_in, c_out, g: k**2 * (c_in // g) * c_out + g, _TWO_GROUPS),
        Wrong(lambda k, c_in, c_out, g: k**2 * (c_in // g) + c_out, _TWO_GROUPS),
        Wrong(lambda k, c_in, c_out, g: k**2 * (c_in // g + 1) * c_out, _TWO_GROUPS),
        Wrong(lambda k, c_in, c_out, g: float("nan"), _TWO_GROUPS),
    ),
    hints=(
        "With two groups, half of the kernels see the first half of the input's channels, the others the second half.",
        "So how deep is one kernel? And how many kernels are there in all groups together?",
    ),
    why="With g groups a layer has a g-th of the weights; AlexNet's two groups let two graphics cards share the work.",
)


def _same_field(layers, channels):
    field = 2 * layers + 1  # each 3×3 layer adds one pixel on either side
    return 9 * layers * channels**2, field**2 * channels**2


def _same_field_by_steps(layers, channels):
    field = 1
    for _ in range(layers):
        field += 2
    return layers * 3 * 3 * channels * channels, field * field * channels * channels


def _with_field(field):
    """The answer with another receptive field of the stack."""
    return lambda layers, channels: (9 * layers * channels**2, field(layers) ** 2 * channels**2)


same_field = Coding(
    topic=TOPIC,
    name="same_field",
    reference=_same_field,
    also_correct=(
        _same_field_by_steps,
        lambda layers, channels: float(channels) ** 2 * np.array([9 * layers, (2 * layers + 1) ** 2]),
    ),
    inputs=lambda: [(2, 4), (1, 4), (2, 16), (3, 64), (5, 8), (4, 1), (10, 3), (20, 512)],
    mistakes=(
        Mistake(
            _with_field(lambda layers: 3 * layers),
            "Your single kernel is too large: fields overlap, so a second 3×3 layer does not see six pixels in a row.",
        ),
        Mistake(
            lambda layers, channels: (9 * layers * channels, (2 * layers + 1) ** 2 * channels),
            "Your results count the channels once: there are `channels` kernels, and each is `channels` deep.",
        ),
        Mistake(
            lambda layers, channels: (9 * channels**2, (2 * layers + 1) ** 2 * channels**2),
            "Your first number is that of one 3×3 layer. How many are there?",
        ),
        Mistake(
            lambda layers, channels: _same_field(layers, channels)[::-1],
            "Your two numbers are right but in the other order: first the stack of 3×3 layers.",
        ),
        Mistake(
            lambda layers, channels: (
                9 * layers * channels**2 + layers * channels,
                (2 * layers + 1) ** 2 * channels**2 + channels,
            ),
            "Your results count the biases too. The exercise asks for the weights alone.",
        ),
        Mistake(
            lambda layers, channels: (9 * layers, (2 * layers + 1) ** 2),
            "Your results are those of one channel. How many kernels has a layer, and how deep is each?",
        ),
    ),
    wrong=(
        Wrong(_with_field(lambda layers: layers + 2), (2, 4)),
        Wrong(_with_field(lambda layers: 2 * layers - 1), (2, 4)),
        Wrong(_with_field(lambda layers: 2 * layers), (2, 4)),
        Wrong(_with_field(lambda layers: 3**layers), (2, 4)),
        Wrong(_with_field(lambda layers: [1, 3, 5, 7][min(layers, 3)]), (5, 8)),
        Wrong(_with_field(lambda layers: 5), (3, 64)),
        Wrong(_with_field(lambda layers: float("inf")), (2, 4)),
        Wrong(lambda n, c: (9 * n * c**2, (2 * n + 1) * c**2), (2, 4)),
        Wrong(lambda n, c: (9 * n * c**2, n * (2 * n + 1) ** 2 * c**2), (2, 4)),
        Wrong(lambda n, c: (3 * n * c**2, (2 * n + 1) ** 2 * c**2), (2, 4)),
        Wrong(lambda n, c: (9**n * c**2, (2 * n + 1) ** 2 * c**2), (2, 4)),
        Wrong(lambda n, c: (9 * c**2 * 2, (2 * n + 1) ** 2 * c**2), (3, 4)),
        Wrong(lambda n, c: (9 * n * c**2, 2 * n + 1), (2, 4)),
    ),
    hints=(
        "How many pixels in a row does one output of two stacked 3×3 layers see? Of three?",
        "Each layer adds two pixels to the field. The single kernel has to be as wide as that field.",
        "A k×k layer from c channels to c channels has k · k · c · c weights.",
    ),
    why="Stacked small kernels see as far with fewer weights, and a ReLU stands between them: VGG's whole idea.",
)


degradation = Choice(
    topic=TOPIC,
    name="degradation",
    answer="c",
    replies={
        "a": "Overfitting shows as a small training loss and a poor test result. Here the training loss itself is worse.",
        "b": "The deeper network has more weights than the shallow one, not fewer.",
        "c": "The shallow network is contained in the deep one: let the added layers hand on what they get. So a solution "
        "at least as good exists, and training does not find it. He and colleagues called this degradation.",
        "d": "Perhaps, but it does not follow: with batch norm gradients do not vanish, and it happens all the same.",
    },
    hints=("Could the deep network imitate the shallow one? What would its extra layers have to do?",),
)


def _gradient_factors(slopes):
    slopes = np.asarray(slopes, dtype=float)
    return np.prod(slopes), np.prod(1 + slopes)  # x + F(x) has the slope 1 + F'(x)


def _gradient_factors_in_a_loop(slopes):
    plain = residual = 1.0
    for slope in slopes:
        plain *= slope
        residual *= 1 + slope
    return plain, residual


def _gradient_factors_backwards(slopes):
    slopes = np.append(1, slopes)[::-1]
    return np.array([slopes.cumprod()[-1], (slopes + 1).cumprod()[-1] / 2])


_MIXED, _WHOLE = np.array([-0.3, 0.8, 0.2]), np.array([2, -3, 1])

gradient_factors = Coding(
    topic=TOPIC,
    name="gradient_factors",
    reference=_gradient_factors,
    also_correct=(_gradient_factors_in_a_loop, _gradient_factors_backwards),
    inputs=lambda: [
        (np.array([0.5]),),
        (np.full(5, 0.1),),
        (_MIXED.copy(),),
        (np.array([0.0, 0.5]),),
        (np.array([2.0, 1.5, -0.5, 0.25]),),
        (_WHOLE.copy(),),
        (np.array([-1.0, 0.7, 3.0]),),  # one block that takes its own copy away
        (np.array([-2.0, -0.5]),),
        (np.linspace(-0.4, 0.9, 40),),
    ],
    mistakes=(
        Mistake(
            lambda slopes: (np.prod(slopes), 1 + np.prod(slopes)),
            "Your results are those of one identity around all blocks. Every block has its own, so the 1 is added before "
            "the blocks are multiplied.",
        ),
        Mistake(
            lambda slopes: (np.prod(slopes), 1 + np.sum(slopes)),
            "Your second results are what is left if all slopes are tiny. Blocks follow each other, so their slopes multiply.",
        ),
        Mistake(
            lambda slopes: (np.sum(slopes), np.sum(1 + slopes)),
            "Your results are sums. The blocks follow each other: by the chain rule their slopes are multiplied.",
        ),
        Mistake(
            lambda slopes: _gradient_factors(slopes)[::-1],
            "Your two numbers are right but in the other order: first the plain network.",
        ),
        Mistake(
            lambda slopes: (np.prod(slopes), 1.0),
            "Your second results are those of the identity alone. What does the branch F add to it in each block?",
        ),
        Mistake(
            lambda slopes: (np.prod(slopes), np.prod(1 + np.maximum(slopes, 0))),
            "Your second results hold a ReLU, or leave negative slopes out. In this example there is none.",
        ),
    ),
    wrong=(
        Wrong(lambda slopes: (np.exp(np.log(slopes).sum()), np.prod(1 + slopes)), (_MIXED,)),
        Wrong(lambda slopes: (np.prod(slopes), np.exp(np.sum(slopes))), (_MIXED,)),
        Wrong(lambda slopes: (np.prod(np.abs(slopes)), np.prod(1 + np.abs(slopes))), (_MIXED,)),
        Wrong(lambda slopes: (np.prod(slopes), np.prod(1 - slopes)), (_MIXED,)),
        Wrong(lambda slopes: (np.prod(slopes), np.prod(slopes[:-1] + 1)), (_MIXED,)),
        Wrong(lambda slopes: (slopes.mean() ** len(slopes), (1 + slopes.mean()) ** len(slopes)), (_MIXED,)),
        Wrong(lambda slopes: (np.prod(slopes[slopes != 0]), np.prod(1 + slopes)), (np.array([0.0, 0.5]),)),
        Wrong(lambda slopes: (np.prod(slopes), np.prod(1 + slopes[slopes > -1])), (np.array([-1.0, 0.7, 3.0]),)),
        Wrong(lambda slopes: tuple(np.round(_gradient_factors(slopes), 2)), (_MIXED,)),
        Wrong(lambda slopes: _gradient_factors(slopes[:5]), (np.full(9, 0.5),)),
        Wrong(lambda slopes: _gradient_factors(np.clip(slopes, -1, 1)), (_WHOLE,)),
        Wrong(lambda slopes: _gradient_factors(slopes.astype(int)), (_MIXED,)),
        Wrong(lambda slopes: (np.prod(slopes), np.nan), (_MIXED,)),
    ),
    hints=(
        "The chain rule: what arrives from behind, times the slope of the step. So many blocks, so many factors.",
        "A plain block has the slope of F. What is the slope of x + F(x)?",
    ),
    why="A product of small numbers vanishes; one of numbers near 1 does not. Each block can do little and harm nothing.",
)


head_first = Choice(
    topic=TOPIC,
    name="head_first",
    answer="b",
    replies={
        "a": "It is quicker, and that is welcome. But what would happen to the body if both were trained from the start?",
        "b": "A random head sends gradients back that mean nothing yet, and the body would change with it (Kumar et al. 2022, "
        "arXiv:2202.10054). While the body is frozen they cannot change it. How much that is worth here we did not measure.",
        "c": "It can: fine-tuning trains it. It only should not be trained while the head is still random.",
        "d": "The test patients play no part in it. Which step comes first is decided on validation patients, if at all.",
    },
    hints=("What does the head answer before its first step, and what gradient does that send into the body?",),
)


whose_patients = Choice(
    topic=TOPIC,
    name="whose_patients",
    answer="d",
    replies={
        "a": "Then the body has seen these very brains, and may know them again. The labels need not be the same for that.",
        "b": "They train the new head, so a test on them measures memory.",
        "c": "They judged the source. Whoever had a say in any choice is no stranger: a weak leak, but an avoidable one.",
        "d": "Whoever took part in any step, in whatever task, is no stranger to the network any more.",
    },
    hints=("The labels differ between the two tasks. Do the images of a patient?",),
)
