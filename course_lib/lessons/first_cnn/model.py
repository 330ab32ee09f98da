"""What notebook, experiment, explorers and tests of the lesson on a first CNN share: its networks, and how to count them."""

from typing import NamedTuple

from course_lib import ops

# ---- The networks ----------------------------------------------------------------------------------------------------

ARTICLE, SMALL = "article's model", "small CNN"
ARMS = {"article's model, Flatten": ARTICLE, "article's model, GAP": ARTICLE, "small CNN, GAP": SMALL}

# (what, kernel or window, stride, padding) of each layer before the head.
STACKS = {
    ARTICLE: [("conv", 3, 1, "valid"), ("pool", 2, 2, "valid"), ("conv", 3, 1, "valid"), ("pool", 2, 2, "valid")],
    SMALL: [
        ("conv", 5, 2, "same"),
        ("conv", 3, 1, "same"),
        ("pool", 2, 2, "valid"),
        ("conv", 3, 1, "same"),
        ("pool", 2, 2, "valid"),
        ("conv", 3, 1, "same"),
        ("pool", 2, 2, "valid"),
    ],
}


def network(arm, images):
    """A compiled network for images (n, h, w, 1) of four classes.

    arm: one of ARMS. The article's model gives probabilities, the small CNN logits, standardised with the mean and
    variance of `images`.
    """
    from course_lib.models import keras, layers, small_cnn

    if ARMS[arm] == SMALL:
        model = small_cnn(images.shape[1:], 4, mean=images.mean(), variance=images.var())
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    else:
        head = layers.Flatten() if arm.endswith("Flatten") else layers.GlobalAveragePooling2D()
        model = keras.Sequential(
            [
                layers.Input(images.shape[1:]),
                layers.Conv2D(32, 3, activation="relu"),
                layers.MaxPooling2D(2),
                layers.Conv2D(64, 3, activation="relu"),
                layers.MaxPooling2D(2),
                head,
                layers.Dense(4, activation="softmax"),
            ]
        )
        loss = "sparse_categorical_crossentropy"
    model.compile(optimizer="adam", loss=loss, metrics=["accuracy"])
    return model


HEADS = ("Flatten", "global average pooling")


def fair_network(head, images):
    """The article's layers for images (n, h, w, 1) of four classes, with either of HEADS; not compiled.

    Both arms see the same input: the first layer standardises with mean and variance of `images`, as lesson medical_images
    teaches. The outputs are logits.
    """
    from course_lib.models import keras, layers

    return keras.Sequential(
        [
            layers.Input(images.shape[1:]),
            layers.Normalization(mean=images.mean(), variance=images.var()),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten() if head == HEADS[0] else layers.GlobalAveragePooling2D(),
            layers.Dense(4),
        ]
    )


# ---- A calculator of networks ----------------------------------------------------------------------------------------

FLATTEN, GAP = "Flatten", "global average pooling"


class Layer(NamedTuple):
    """One layer of a network: the shape of its output for one image, its parameters and its multiplications."""

    name: str
    shape: tuple[int, ...]
    parameters: int = 0
    multiplications: int = 0


def network_layers(size=128, c_in=3, blocks=2, filters=32, kernel=3, padding="valid", head=FLATTEN, classes=10):
    """The layers of a network like the article's, which is the default, with shapes and parameters worked out by hand.

    Each of the `blocks` has a convolution and a 2×2 max pooling; the first has `filters` kernels, every further one
    twice as many as the one before. Then follow the head (FLATTEN or GAP) and a dense layer, one output a class.
    Raises ValueError if the image is too small for so many blocks.
    """
    layers, channels = [Layer("input", (size, size, c_in))], c_in
    side = size
    for block in range(1, blocks + 1):
        c_out = filters * 2 ** (block - 1)
        try:
            side = ops.output_size(side, kernel, padding=padding)
            weights = kernel * kernel * channels * c_out
            layers.append(Layer(f"conv {block}", (side, side, c_out), weights + c_out, side * side * weights))
            side = ops.output_size(side, 2, stride=2)
            layers.append(Layer(f"pool {block}", (side, side, c_out)))
        except ValueError:
            raise ValueError(
                f"An image of {size}×{size} pixels is too small: in block {block} of {blocks} only {side}×{side} are left."
            ) from None
        channels = c_out
    inputs = channels if head == GAP else side * side * channels
    layers.append(Layer("GAP" if head == GAP else "flatten", (inputs,)))
    layers.append(Layer("dense", (classes,), inputs * classes + classes, inputs * classes))
    return layers
