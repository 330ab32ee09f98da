"""Explorers of the lesson on a network from scratch."""

import functools

import ipywidgets as widgets
import numpy as np
from matplotlib.patches import FancyBboxPatch

from course_lib import network, ops, plot, results
from course_lib.explorers import Explorer, choice, slider
from course_lib.lessons.network_from_scratch import model

# ---- A graph of ten numbers ----------------------------------------------------------------------

# Column and row of the numbers that are computed, and of those that are given.
_NODES = {"x": (0, 1), "z₁": (1.35, 2), "z₂": (1.35, 0), "h₁": (2.7, 2), "h₂": (2.7, 0), "ŷ": (4.05, 1), "L": (5.4, 1)}
_GIVEN = {"w₁": (0.55, 3.1), "b₁": (1.55, 3.2), "w₂": (0.55, -1.1), "b₂": (1.55, -1.2)}
_GIVEN |= {"v₁": (3.75, 2.4), "v₂": (3.75, -0.5), "c": (4.6, 2.4), "t": (5.4, -0.5)}
_ARROWS = ["x z₁", "x z₂", "z₁ h₁", "z₂ h₂", "h₁ ŷ", "h₂ ŷ", "ŷ L", "w₁ z₁", "b₁ z₁", "w₂ z₂", "b₂ z₂", "v₁ ŷ", "v₂ ŷ",
           "c ŷ", "t L"]  # fmt: skip
_FORMULAS = {
    "x": "input",
    "z₁": "w₁x + b₁",
    "z₂": "w₂x + b₂",
    "h₁": "max(0, z₁)",
    "h₂": "max(0, z₂)",
    "ŷ": "v₁h₁ + v₂h₂ + c",
    "L": "(ŷ − t)²",
}


def computation_graph() -> Explorer:
    """A tiny network as a graph: values go forwards, gradients come backwards."""
    return Explorer(
        _draw_computation_graph,
        {
            "x": slider("Input x", -3.0, 3.0, 2.0, step=0.5),
            "w1": slider("Weight w₁", -3.0, 3.0, 1.5, step=0.5),
            "w2": slider("Weight w₂", -3.0, 3.0, -1.0, step=0.5),
            "t": slider("Target t", -2.0, 8.0, 5.0, step=0.5),
        },
        alt="A graph from the input x through two hidden units to the prediction and the loss. Each node carries its "
        "value in blue and its gradient in red.",
        caption="A network with one input and two hidden units. Blue, left to right: the values. Red, right to left: by "
        "how much the loss changes per unit of each number. A grey arrow carries nothing back: a ReLU is off, or a factor is 0.",
        size=(9.5, 4.4),
    )


def _draw_computation_graph(figure, x, w1, w2, t):
    values, gradients = model.graph_values(x, w1, w2, t)
    ax = figure.subplots()
    ax.set(xlim=(-0.5, 5.9), ylim=(-1.5, 3.5), xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    common = {"ha": "center", "zorder": 4, "in_layout": False}
    boxes = {}
    for name, (column, row) in (_NODES | _GIVEN).items():
        node = name in _NODES
        width, height = (0.72, 0.72) if node else (0.6, 0.54)
        boxes[name] = FancyBboxPatch(
            (column - width / 2, row - height / 2),
            width,
            height,
            boxstyle="round,pad=0.02,rounding_size=0.08",
            fc="white" if node else "0.94",
            ec="0.3" if node else "0.7",
            zorder=3,
        )
        ax.add_patch(boxes[name])
        label = f"{name} = {values[name]:.4g}"
        ax.text(column, row + 0.06, label, va="bottom", color=plot.COLOURS["blue"], **common)
        if name in gradients:
            gradient = gradients[name] + 0.0  # no minus zero
            ax.text(column, row - 0.06, f"{gradient:.4g}", va="top", color=plot.COLOURS["vermilion"], **common)
        if node:
            above = name in ("z₂", "h₂", "L")  # where no arrow is
            place = (column + (0.5 if name == "ŷ" else 0), row + (0.46 if above else -0.46))
            blank = {"fc": "white", "ec": "none", "pad": 0.5}
            ax.text(
                *place, _FORMULAS[name], va="bottom" if above else "top", fontsize=8, color="0.3", bbox=blank, **common
            )
    for pair in _ARROWS:
        start, end = pair.split()
        # What comes back along an arrow: from x two arrows leave, and each carries its own share.
        carries = gradients[end if start == "x" else start] if start != "t" else 1
        line = {"color": "0.25", "lw": 1.5} if carries else {"color": "0.75", "lw": 1.2, "linestyle": "--"}
        ends = {"patchA": boxes[start], "patchB": boxes[end], "shrinkA": 1, "shrinkB": 1}
        places = _NODES | _GIVEN
        ax.annotate("", places[end], places[start], arrowprops={"arrowstyle": "-|>"} | line | ends)


# ---- SGD, momentum and Adam race -------------------------------------------------------------------

LINE, LINE_CENTRED, TINY_NETWORK = "a line, x far from 0", "a line, x centred", "a tiny network"
_SURFACES = {  # what the axes are called, their limits, where the race starts
    LINE: (("slope w", "intercept b"), (-1.0, 3.0), (-5.0, 5.0), (-0.5, 4.0)),
    LINE_CENTRED: (("slope w", "intercept b"), (-1.0, 3.0), (-1.0, 7.0), (-0.5, 6.0)),
    TINY_NETWORK: (("inner weight w", "outer weight v"), (-3.0, 3.0), (-3.0, 3.0), (-0.1, -2.2)),
}
_RATES = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0]
_BATCHES = [1, 4, 16, 64]
_STEPS = 150
_EXPLODED = 1e4  # a loss some hundred times that of the start


def optimiser_race() -> Explorer:
    """Three optimisers on the same loss surface, from the same start, with the same batches."""
    return Explorer(
        _draw_optimiser_race,
        {
            "surface": choice("Fit", _SURFACES),
            "rate": widgets.SelectionSlider(
                description="Learning rate", options=_RATES, value=0.03, style={"description_width": "initial"}
            ),
            "batch": widgets.SelectionSlider(
                description="Batch size (of 64)", options=_BATCHES, value=64, style={"description_width": "initial"}
            ),
            "steps": slider("Steps", 1, _STEPS, 100),
        },
        alt="Left: contour lines of a loss over two weights, with the paths of three optimisers from one start. Right: "
        "their losses over the steps.",
        caption="The loss of 64 simulated points as a map over the two weights, a minimum marked ×. From the same start, "
        "with the same batches: plain SGD, SGD with momentum 0.9, and Adam.",
        size=(10, 4),
    )


@functools.cache
def _points(surface):
    """64 simulated points (x, y)."""
    rng = np.random.default_rng(0)
    x = np.linspace(-1, 1, 64)
    if surface == TINY_NETWORK:
        return 2 * x, 1.5 * np.tanh(2 * 1.2 * x) + 0.3 * rng.normal(size=64)
    return x + (3 if surface == LINE else 0), 1.5 * x + 2.5 + 0.3 * rng.normal(size=64)


def _loss_and_gradient(surface, weights, x, y):
    """Mean squared error, and its gradient (2,), for weights (2, …) and points x, y (k,)."""
    first, second = weights[0][..., None], weights[1][..., None]
    if surface == TINY_NETWORK:  # ŷ = v · tanh(w · x)
        hidden = np.tanh(first * x)
        error = second * hidden - y
        derivatives = error * second * (1 - hidden**2) * x, error * hidden
    else:  # ŷ = w · x + b
        error = first * x + second - y
        derivatives = error * x, error
    return (error**2).mean(axis=-1), np.array([2 * d.mean(axis=-1) for d in derivatives])


@functools.cache
def _map(surface):
    (_, horizontal, vertical, _), points = _SURFACES[surface], _points(surface)
    axes = np.linspace(*horizontal, 81), np.linspace(*vertical, 81)
    losses, _ = _loss_and_gradient(surface, np.array(np.meshgrid(*axes)), *points)
    row, column = np.unravel_index(losses.argmin(), losses.shape)
    return axes, losses, (axes[0][column], axes[1][row])


@functools.cache
def _race(surface, rate, batch):
    """The weights (steps + 1, 2) of each optimiser; a path ends where the loss of all points passes _EXPLODED."""
    x, y = _points(surface)
    optimisers = {
        "SGD": network.SGD(rate),
        "momentum": network.SGD(rate, momentum=0.9),
        "Adam": network.Adam(rate),
    }
    paths = {}
    for name, optimiser in optimisers.items():
        rng = np.random.default_rng(1)
        weights = np.array(_SURFACES[surface][3])
        path = [weights.copy()]
        for _ in range(_STEPS):
            chosen = rng.permutation(64)[:batch]
            _, gradient = _loss_and_gradient(surface, weights, x[chosen], y[chosen])
            optimiser.step([weights], [gradient])
            path.append(weights.copy())
            if _loss_and_gradient(surface, weights, x, y)[0] > _EXPLODED:
                break
        paths[name] = np.array(path)
    return paths


def _draw_optimiser_race(figure, surface, rate, batch, steps):
    names, horizontal, vertical, _ = _SURFACES[surface]
    axes, losses, lowest = _map(surface)
    plane, curve = figure.subplots(1, 2, width_ratios=[1.15, 1])
    extent = (*horizontal, *vertical)
    ends = np.array([horizontal, vertical])
    middle, half = ends.mean(axis=1), np.ptp(ends, axis=1) / 2
    plane.imshow(np.log10(losses), extent=extent, origin="lower", aspect="auto", alpha=0.75, interpolation="bilinear")
    plane.contour(*axes, np.log10(losses), levels=8, colors="0.4", linewidths=0.6)
    plane.plot(*lowest, "x", color="black", ms=9, mew=2)
    for (name, path), colour in zip(_race(surface, rate, batch).items(), ("blue", "vermilion", "green"), strict=True):
        path = path[: steps + 1]
        loss, _ = _loss_and_gradient(surface, path.T, *_points(surface))
        outside = np.abs((path - middle) / half).max(axis=1) > 1
        seen = path[: np.argmax(outside) + 1] if outside.any() else path  # after it has left the map, a path hides it
        plane.plot(*seen.T, "-", color=plot.COLOURS[colour], lw=1.5)
        plane.plot(*seen[-1], "o", color=plot.COLOURS[colour], ms=6, mec="white")
        lost = len(path) <= steps
        curve.plot(np.minimum(loss, 1e3), color=plot.COLOURS[colour], label=f"{name}{' (exploded)' if lost else ''}")
    plane.set(xlabel=names[0], ylabel=names[1], xlim=horizontal, ylim=vertical, title="dark: small loss")
    curve.set(xlabel="step", ylabel="loss of all 64 points", yscale="log", xlim=(0, max(steps, 2)), ylim=(0.05, 20))
    curve.legend(loc="upper right")


# ---- Inside a network ------------------------------------------------------------------------------

# Names of the layers that can be looked at, and how many of the network's layers lie before that place.
_LAYERS = {
    "input": 0,
    "convolution 1 + ReLU": 2,
    "pooling 1": 3,
    "convolution 2 + ReLU": 5,
    "pooling 2": 6,
    "convolution 3 + ReLU": 8,
    "pooling 3": 9,
}
# The stored weights, or random ones: He's standard deviation times this factor.
_WEIGHTS = {"trained": None, "random (He)": 1.0, "random, 10 times too small": 0.1, "random, 3 times too large": 3.0}


@functools.cache
def _stored():
    """Slices, class names, and mean and standard deviation of the training pixels, as the experiment stored them."""
    return results.arrays("network_from_scratch/networks", 0)


@functools.cache
def _network(kind):
    """The lesson's CNN with stored or with random weights."""
    cnn = model.build_cnn(np.random.default_rng(0))
    stored = iter(results.weights("network_from_scratch/networks", 0))
    for layer in cnn.layers:
        if _WEIGHTS[kind] is None:
            layer.parameters = [next(stored) for _ in layer.parameters]
        else:
            layer.parameters = [np.float32(_WEIGHTS[kind]) * parameter for parameter in layer.parameters]
    return cnn


def inside_a_network() -> Explorer:
    """Activations and gradients of the lesson's CNN, layer by layer."""
    stored = _stored()
    names = [str(name) for name in stored["class_names"]]
    slices = [f"{i + 1}: {names[label]}" for i, label in enumerate(stored["labels"])]
    return Explorer(
        _draw_inside_a_network,
        {
            "slice_": choice("Slice", slices, slices[-1]),
            "layer": widgets.SelectionSlider(
                description="Layer",
                options=list(_LAYERS),
                value="pooling 1",
                style={"description_width": "initial"},
                layout={"width": "340px"},
            ),
            "target": choice("Loss for the class", names, names[-1]),
            "weights": choice("Weights", _WEIGHTS),
        },
        alt="Four panels: a brain slice; the feature maps of one layer; their gradients in red and blue; the "
        "probabilities of the classes as bars.",
        caption="Inside the network (a test slice, lesions simulated). The gradient says how the loss for the chosen "
        "class changes if a value grows: red, the loss rises; blue, it falls. Greys and colours have the scale of the trained "
        "network.",
        size=(10, 3.7),
    )


def _draw_inside_a_network(figure, slice_, layer, target, weights):
    stored, net = _stored(), _network(weights)
    names = [str(name) for name in stored["class_names"]]
    image = stored["images"][int(slice_.split(":")[0]) - 1]
    x = ((image / np.float32(255) - stored["mean"]) / stored["std"])[None, :, :, None].astype(np.float32)
    label = np.array([names.index(target)])
    maps, gradient, logits, loss = _at_layer(net, x, label, _LAYERS[layer])
    usual = _at_layer(_network("trained"), x, label, _LAYERS[layer])  # its scale is used for all weights
    depth = _LAYERS[layer]

    first, second, third, bars = figure.subplots(1, 4, width_ratios=[1, 1.25, 1.25, 0.9])
    plot.image(first, image, f"slice {slice_}")
    count = "the input" if depth == 0 else f"{maps.shape[3]} maps of {maps.shape[1]} × {maps.shape[2]}"
    window = (min(usual[0].min(), 0), usual[0].max())
    plot.image(second, _tiles(maps[0]), f"{count}\nstandard deviation {maps.std():.2g}", window=window)
    limit = np.abs(usual[1]).max() or 1.0
    title = f"gradients of the loss\nstandard deviation {gradient.std():.2g}"
    plot.signed(third, _tiles(gradient[0]), title, limit=limit, colour_bar=False)
    probabilities = ops.softmax(logits)[0]
    colours = [plot.COLOURS["blue"] if name == target else "0.6" for name in names]
    bars.barh(range(len(names)), probabilities, height=0.3, color=colours)
    for row, (name, probability) in enumerate(zip(names, probabilities, strict=True)):
        bars.text(0.01, row - 0.22, f"{name} {probability:.2f}", fontsize=9, va="bottom", in_layout=False)
    bars.set(xlim=(0, 1), yticks=[], xlabel="probability", title=f"loss for {target}: {loss:.2f}")
    bars.set_ylim(len(names) - 0.6, -0.7)


def _at_layer(net, x, label, depth):
    """The maps after `depth` layers, the gradients of the loss with respect to them, the logits, and the loss."""
    maps = network.Network(net.layers[:depth]).forward(x)
    rest = network.Network(net.layers[depth:])
    logits = rest.forward(maps)
    loss, upstream = network.cross_entropy(logits, label)
    return maps, rest.backward(upstream), logits, loss


def _tiles(maps):
    """Feature maps (h, w, c) side by side in one picture, about as wide as high, a blank line between them."""
    height, width, c = maps.shape
    side = int(np.ceil(np.sqrt(c)))
    rows_ = -(-c // side)
    padded = np.pad(maps, ((0, 1), (0, 1), (0, rows_ * side - c)), constant_values=np.nan)
    grid = padded.reshape(height + 1, width + 1, rows_, side).transpose(2, 0, 3, 1)
    return grid.reshape(rows_ * (height + 1), side * (width + 1))[:-1, :-1]
