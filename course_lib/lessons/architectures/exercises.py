"""Exercises of the lesson on architectures."""

import math

import numpy as np

from course_lib.exercises import Choice, Coding, Mistake, progress

TOPIC = "architectures"


# ---- multiply_adds ------------------------------------------------------------------------------


def _multiply_adds(size, kernel, c_in, c_out, stride):
    places = math.ceil(size / stride) ** 2  # "same" padding: every stride-th row and column
    return places * kernel**2 * c_in * c_out


def _multiply_adds_whole_numbers(size, kernel, c_in, c_out, stride):
    side = (size + stride - 1) // stride
    return side * side * c_out * (kernel * kernel * c_in)


multiply_adds = Coding(
    topic=TOPIC,
    name="multiply_adds",
    reference=_multiply_adds,
    also_correct=(_multiply_adds_whole_numbers,),
    inputs=lambda: [(32, 3, 1, 16, 1), (32, 3, 16, 32, 2), (33, 5, 3, 8, 2), (8, 1, 64, 10, 1), (56, 7, 3, 24, 4)],
    mistakes=(
        Mistake(
            lambda size, kernel, c_in, c_out, stride: size**2 * kernel**2 * c_in * c_out,
            "The stride is missing: with stride 2 the kernel stops at fewer places.",
        ),
        Mistake(
            lambda size, kernel, c_in, c_out, stride: math.ceil(size**2 / stride) * kernel**2 * c_in * c_out,
            "The stride counts along rows and along columns, so it acts twice.",
        ),
        Mistake(
            lambda size, kernel, c_in, c_out, stride: (size // stride) ** 2 * kernel**2 * c_in * c_out,
            "Right where the stride divides the size. With 'same' padding a last, incomplete step counts too: round up.",
        ),
        Mistake(
            lambda size, kernel, c_in, c_out, stride: math.ceil(size / stride) ** 2 * kernel**2 * c_out,
            "A kernel is as deep as its input: it multiplies in every input channel.",
        ),
        Mistake(
            lambda size, kernel, c_in, c_out, stride: kernel**2 * c_in * c_out,
            "These are the layer's weights. Each is used again at every place of the output.",
        ),
        Mistake(
            lambda size, kernel, c_in, c_out, stride: ((size - kernel) // stride + 1) ** 2 * kernel**2 * c_in * c_out,
            "That is the number of places without padding. With 'same' padding and stride 1 no place is lost.",
        ),
    ),
    hints=(
        "How many multiplications does one number of the output need?",
        "One output number: kernel · kernel · c_in. How many numbers has the output, in all its channels?",
        "With 'same' padding the output is ⌈size / stride⌉ wide: round up (lesson 01).",
    ),
    why="Weights say how much a layer can remember, multiply-adds how long it takes; large maps cost time, not weights.",
)


# ---- grouped_parameters -------------------------------------------------------------------------


def _grouped_parameters(kernel, c_in, c_out, groups):
    # Every kernel sees the channels of its own group only; there are still c_out kernels, with a bias each.
    return kernel**2 * (c_in // groups) * c_out + c_out


def _grouped_parameters_by_group(kernel, c_in, c_out, groups):
    one_group = (kernel * kernel * (c_in // groups) + 1) * (c_out // groups)
    return one_group * groups


grouped_parameters = Coding(
    topic=TOPIC,
    name="grouped_parameters",
    reference=_grouped_parameters,
    also_correct=(_grouped_parameters_by_group,),
    inputs=lambda: [(5, 96, 256, 2), (3, 384, 384, 2), (3, 8, 16, 1), (3, 12, 24, 4), (1, 6, 6, 6)],
    mistakes=(
        Mistake(
            lambda kernel, c_in, c_out, groups: kernel**2 * c_in * c_out + c_out,
            "This is the layer without groups: how many input channels does one kernel see in its group?",
        ),
        Mistake(
            lambda kernel, c_in, c_out, groups: kernel**2 * (c_in // groups) * (c_out // groups) + c_out,
            "That counts the weights of a single group. The others have weights too.",
        ),
        Mistake(
            lambda kernel, c_in, c_out, groups: kernel**2 * (c_in // groups) * c_out,
            "You left out the biases: one for each output channel.",
        ),
        Mistake(
            lambda kernel, c_in, c_out, groups: kernel**2 * (c_in // groups) * c_out + c_out // groups,
            "Groups save weights, not biases: every output channel keeps its own.",
        ),
    ),
    hints=(
        "With two groups, half of the kernels see the first half of the input's channels, the others the second half.",
        "So how deep is one kernel? And how many kernels are there in all groups together?",
    ),
    why="With g groups a layer has a g-th of the weights; AlexNet's two groups let two graphics cards share the work.",
)


# ---- same_field ---------------------------------------------------------------------------------


def _same_field(layers, channels):
    field = 2 * layers + 1  # each 3×3 layer adds one pixel on either side
    return 9 * layers * channels**2, field**2 * channels**2


def _same_field_by_steps(layers, channels):
    field = 1
    for _ in range(layers):
        field += 2
    per_weight = channels * channels
    return layers * 3 * 3 * per_weight, field * field * per_weight


same_field = Coding(
    topic=TOPIC,
    name="same_field",
    reference=_same_field,
    also_correct=(_same_field_by_steps,),
    inputs=lambda: [(1, 4), (2, 16), (3, 64), (5, 8)],
    mistakes=(
        Mistake(
            lambda layers, channels: (9 * layers * channels**2, (3 * layers) ** 2 * channels**2),
            "The single kernel is too large: fields overlap, so a second 3×3 layer does not see six pixels in a row.",
        ),
        Mistake(
            lambda layers, channels: (9 * layers * channels, (2 * layers + 1) ** 2 * channels),
            "Channels count twice: there are `channels` kernels, and each is `channels` deep.",
        ),
        Mistake(
            lambda layers, channels: (9 * channels**2, (2 * layers + 1) ** 2 * channels**2),
            "The first number is that of one 3×3 layer. How many are there?",
        ),
        Mistake(
            lambda layers, channels: ((2 * layers + 1) ** 2 * channels**2, 9 * layers * channels**2),
            "The two numbers are right but in the other order: first the stack of 3×3 layers.",
        ),
        Mistake(
            lambda layers, channels: (
                9 * layers * channels**2 + layers * channels,
                (2 * layers + 1) ** 2 * channels**2 + channels,
            ),
            "You counted the biases too. The exercise asks for the weights alone.",
        ),
    ),
    hints=(
        "How many pixels in a row does one output of two stacked 3×3 layers see? Of three?",
        "Each layer adds two pixels to the field. The single kernel has to be as wide as that field.",
        "A k×k layer from c channels to c channels has k · k · c · c weights.",
    ),
    why="Stacked small kernels see as far with fewer weights, and a ReLU stands between them: VGG's whole idea.",
)


# ---- degradation --------------------------------------------------------------------------------

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


# ---- gradient_factors ---------------------------------------------------------------------------


def _gradient_factors(slopes):
    slopes = np.asarray(slopes, dtype=float)
    return np.prod(slopes), np.prod(1 + slopes)  # x + F(x) has the slope 1 + F'(x)


def _gradient_factors_in_a_loop(slopes):
    plain = residual = 1.0
    for slope in slopes:
        plain *= slope
        residual *= 1 + slope
    return plain, residual


gradient_factors = Coding(
    topic=TOPIC,
    name="gradient_factors",
    reference=_gradient_factors,
    also_correct=(_gradient_factors_in_a_loop,),
    inputs=lambda: [([0.5],), ([0.1] * 5,), ([-0.3, 0.8, 0.2],), ([0.0, 0.5],), ([2.0, 1.5, -0.5, 0.25],)],
    mistakes=(
        Mistake(
            lambda slopes: (np.prod(slopes), 1 + np.prod(slopes)),
            "Every block has an identity of its own, so the 1 is added before the blocks are multiplied.",
        ),
        Mistake(
            lambda slopes: (np.prod(slopes), 1 + np.sum(slopes)),
            "That is what is left if all slopes are tiny. Blocks follow each other, so their slopes multiply.",
        ),
        Mistake(
            lambda slopes: (np.sum(slopes), np.sum(1 + np.asarray(slopes))),
            "The blocks follow each other: by the chain rule their slopes are multiplied, not added.",
        ),
        Mistake(
            lambda slopes: (np.prod(1 + np.asarray(slopes)), np.prod(slopes)),
            "The two numbers are right but in the other order: first the plain network.",
        ),
        Mistake(
            lambda slopes: (np.prod(slopes), 1.0),
            "The identity alone has the slope 1. What does the branch F add to it in each block?",
        ),
    ),
    hints=(
        "The chain rule: what arrives from behind, times the slope of the step. So many blocks, so many factors.",
        "A plain block has the slope of F. What is the slope of x + F(x)?",
    ),
    why="A product of small numbers vanishes; one of numbers near 1 does not. Each block can do little and harm nothing.",
)


# ---- head_first ---------------------------------------------------------------------------------

head_first = Choice(
    topic=TOPIC,
    name="head_first",
    answer="b",
    replies={
        "a": "It is quicker, and that is welcome, but the result would be worse without it too.",
        "b": "A random head sends large, meaningless gradients back. With the body frozen they cannot spoil what it knows.",
        "c": "It can: fine-tuning trains it. It only should not be trained while the head is still random.",
        "d": "The test patients play no part in it. Which step comes first is decided on validation patients, if at all.",
    },
    hints=("What does the head answer before its first step, and what gradient does that send into the body?",),
)


# ---- whose_patients -----------------------------------------------------------------------------

whose_patients = Choice(
    topic=TOPIC,
    name="whose_patients",
    answer="d",
    replies={
        "a": "Then the body has seen these very brains, and may know them again. The labels need not be the same for that.",
        "b": "They train the new head, so a test on them measures memory.",
        "c": "The source's validation patients chose when its training stopped: a weak leak, but an avoidable one.",
        "d": "Whoever took part in any step, in whatever task, is no stranger to the network any more.",
    },
    hints=("The labels differ between the two tasks. Do the images of a patient?",),
)
