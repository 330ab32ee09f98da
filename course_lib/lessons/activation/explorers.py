"""Explorers of the lesson on activation functions."""

import functools

import numpy as np
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator
from scipy.special import ndtr

from course_lib import ops, plot
from course_lib.explorers import Explorer, choice, slider

LEAK = 0.1  # steeper than the usual 0.01, so that it can be seen


def _gelu_gradient(z):
    return ndtr(z) + z * np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)


# Each activation function with its derivative.
FUNCTIONS = {
    "sigmoid": (ops.sigmoid, ops.sigmoid_gradient),
    "tanh": (ops.tanh, ops.tanh_gradient),
    "ReLU": (ops.relu, ops.relu_gradient),
    f"leaky ReLU, slope {LEAK}": (lambda z: np.where(z > 0, z, LEAK * z), lambda z: np.where(z > 0, 1.0, LEAK)),
    "GELU": (lambda z: z * ndtr(z), _gelu_gradient),
}

_FLAT = 0.05  # a function counts as flat where its derivative is smaller than this


def neuron() -> Explorer:
    """An activation function with its derivative, and the output of a neuron with one input that uses it."""
    return Explorer(
        _draw_neuron,
        {
            "function": choice("Activation function", FUNCTIONS),
            "weight": slider("Weight w", -5.0, 5.0, 1.5, step=0.5),
            "bias": slider("Bias b", -5.0, 5.0, -1.0, step=0.5),
            "x": slider("Input x", -4.0, 4.0, 2.0, step=0.25),
        },
        alt="Left: an activation function and its slope over z, with the flat parts shaded and a dot at z = w·x + b. "
        "Right: the neuron's output over its input x, with its slope, and a dot at x.",
        caption=f"One neuron, a = f(w·x + b). Solid: the output; dashed: its slope. Shaded: the function's slope is below {_FLAT}, "
        "where the neuron hardly reacts and hardly learns. The dot is the same neuron in both pictures.",
        size=(10, 3.6),
    )


def _draw_neuron(figure, function, weight, bias, x):
    f, slope = FUNCTIONS[function]
    left, right = figure.subplots(1, 2)
    z_here = weight * x + bias
    z_end = max(6.0, abs(z_here) + 1)
    z = np.linspace(-z_end, z_end, 601)
    inputs = np.linspace(-4, 4, 601)
    z_of_inputs = weight * inputs + bias
    panels = [
        (left, z, f(z), slope(z), slope(z), z_here, ["f(z)", "slope of f"], "z = w·x + b"),
        (
            right,
            inputs,
            f(z_of_inputs),
            weight * slope(z_of_inputs),
            slope(z_of_inputs),
            x,
            ["a", "slope over x"],
            "input x",
        ),
    ]
    for ax, across, value, gradient, f_slope, here, labels, name in panels:
        # The derivative of ReLU and leaky ReLU jumps: no line is drawn across the jump.
        jumps = np.abs(np.diff(gradient, append=gradient[-1])) > 0.5 * np.ptp(gradient) + 1e-12
        ax.plot(across, value, label=labels[0])
        ax.plot(across, np.where(jumps, np.nan, gradient), "--", color=plot.COLOURS["vermilion"], label=labels[1])
        flat = np.abs(f_slope) < _FLAT
        ax.fill_between(across, 0, 1, where=flat, transform=ax.get_xaxis_transform(), color="0.9", lw=0)
        ax.axhline(0, color="0.6", lw=0.8)
        ax.plot(here, f(z_here), "o", ms=8, color="black")
        ax.set(xlabel=name, xlim=(across[0], across[-1]))
        low, high = ax.get_ylim()
        ax.set_ylim(min(low, -0.2), max(high, 1.2))
        ax.locator_params(nbins=5)  # every tick costs a millisecond
    left.legend(loc="upper left")
    right.legend(loc="upper left" if weight >= 0 else "upper right")
    left.set_title(f"{function}: z = {z_here:.2f}, slope {_rounded(slope(z_here))}")
    right.set_title(f"neuron: a = {_rounded(f(z_here))}, slope {_rounded(weight * slope(z_here))}")


def _rounded(value):
    return f"{round(float(value), 3) + 0.0:.3f}"  # + 0.0 turns −0 into 0


INITIALISATIONS = {
    "0.25 / n (too small)": 0.25,
    "1 / n (Glorot)": 1.0,
    "2 / n (He)": 2.0,
    "4 / n (too large?)": 4.0,
    "16 / n": 16.0,
}
"""The variance of the initial weights, times the number n of inputs of a layer."""

_WIDTH, _IMAGES, _SEEDS = 64, 32, 5
_ROUNDING = 1e-14  # spread below this is the rounding error of float64


def depth() -> Explorer:
    """How large the signal and a nudge of the input are, layer by layer, in a deep network with random weights."""
    return Explorer(
        _draw_depth,
        {
            "function": choice("Activation function", ["sigmoid", "tanh", "ReLU"]),
            "start": choice("Variance of the weights", INITIALISATIONS, "1 / n (Glorot)"),
            "layers": slider("Layers", 2, 50, 30),
        },
        alt="Two panels over the layers, both on a logarithmic axis. Left: how much the outputs of a layer differ between "
        "inputs. Right: how large a nudge of the input still is after each layer.",
        caption="A network with random weights: five draws (thin) and their median. Left: what is left of the "
        "differences between inputs, as far as rounding lets us see it. Right: what is left of a small nudge of the input.",
        size=(10, 3.6),
    )


def _draw_depth(figure, function, start, layers):
    spread, nudge = _through_depth(function, INITIALISATIONS[start], layers)
    signal, moved = figure.subplots(1, 2)
    place = np.arange(1, layers + 1)
    for ax, values, colour in [(signal, spread, "blue"), (moved, nudge, "vermilion")]:
        shown = np.where(values > (_ROUNDING if ax is signal else 0), values, np.nan)
        ax.plot(place, shown.T, color=plot.COLOURS[colour], lw=0.6, alpha=0.5)
        ax.plot(place, np.median(shown, axis=0), color=plot.COLOURS[colour], marker="o", ms=3)
        ax.set(yscale="log", xlabel="layer", xlim=(0.5, layers + 0.5))
        low, high = ax.get_ylim()
        middle = np.sqrt(low * high)
        ax.set_ylim(min(low, middle / 100), max(high, middle * 100))  # never so close that noise looks like a trend
        ax.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=5))
        ax.yaxis.set_major_locator(LogLocator(numticks=6))
        ax.yaxis.set_minor_locator(NullLocator())
    signal.set(title="the signal", ylabel="spread of the outputs between inputs")
    ratio = np.median(nudge[:, -1]) / np.median(nudge[:, 0])
    moved.set(title=f"a nudge: layer {layers} / layer 1: {ratio:.1e}", ylabel="size of the nudge")


@functools.cache
def _through_depth(function, gain, layers):
    """Spread of the outputs between inputs, and norm of what a nudge of the inputs, of norm 1, has become: two arrays
    (seeds, layers)."""
    f, slope = FUNCTIONS[function]
    spreads, nudges = np.zeros((2, _SEEDS, layers))
    for seed in range(_SEEDS):
        rng = np.random.default_rng(seed)
        weights = rng.normal(size=(layers, _WIDTH, _WIDTH)) * np.sqrt(gain / _WIDTH)
        h = rng.normal(size=(_IMAGES, _WIDTH))
        nudge = rng.normal(size=h.shape)
        nudge /= np.linalg.norm(nudge)
        for layer, w in enumerate(weights):
            z = h @ w
            h, nudge = f(z), slope(z) * (nudge @ w)
            spreads[seed, layer] = np.sqrt(h.var(axis=0).mean())
            nudges[seed, layer] = np.linalg.norm(nudge)
    return spreads, nudges


FINDINGS = ["effusion", "large heart", "nodule", "fracture"]
_LOGITS = ["first", "second", "third", "fourth"]


def softmax_or_sigmoid() -> Explorer:
    """Four logits, as one choice (softmax with a temperature) and as four separate answers (sigmoid)."""
    controls = {
        name: slider(f"Logit: {finding}", -6.0, 6.0, value, step=0.5)
        for name, finding, value in zip(_LOGITS, FINDINGS, [3.0, 3.0, -2.0, -4.0], strict=True)
    }
    controls["temperature"] = slider("Temperature of the softmax", 0.1, 5.0, 1.0, step=0.1)
    return Explorer(
        _draw_softmax_or_sigmoid,
        controls,
        alt="Two bar charts of four chest X-ray findings. Left: softmax probabilities, which add up to 1. Right: sigmoid "
        "probabilities, each between 0 and 1 on its own.",
        caption="The same four made-up logits, read in two ways. Left: exactly one of four is true. Right: each finding is "
        "present or not.",
        size=(10, 3.2),
    )


def _draw_softmax_or_sigmoid(figure, temperature, **logits):
    z = np.array([logits[name] for name in _LOGITS])
    left, right = figure.subplots(1, 2, sharey=True)
    p = ops.softmax(z / temperature)
    each = ops.sigmoid(z)
    for ax, values, title, colour in [
        (left, p, f"softmax, T = {temperature:g}: sum {p.sum():.2f}", "blue"),
        (right, each, f"sigmoid: sum {each.sum():.2f}", "orange"),
    ]:
        ax.barh(FINDINGS, values, color=plot.COLOURS[colour])
        for place, value in enumerate(values):
            ax.text(value + 0.01, place, f"{value:.3f}", va="center", in_layout=False)
        ax.set(xlim=(0, 1.15), xlabel="probability", title=title)
        ax.set_xticks([0, 0.5, 1])
    left.invert_yaxis()
