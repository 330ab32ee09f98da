"""Explorers of the lesson on RNN, LSTM, GRU."""

import functools

import numpy as np

from course_lib import ops, plot, results
from course_lib.explorers import Explorer, choice, slider
from course_lib.lessons.rnn_lstm_gru.model import LAGS, last_accuracy, one_unit, other_signs

CELL_STYLES = {"RNN": ("o-", "grey"), "RNN, random start": ("o:", "purple"), "GRU": ("s--", "sky"), "LSTM": ("^-.", "orange"),
               "GRU, open": ("s-", "green"), "LSTM, open": ("^-", "vermilion")}  # fmt: skip
_stored_memory = functools.cache(last_accuracy)


def memory() -> Explorer:
    """The memory task: one unit by hand at any lag, and stored training runs."""
    return Explorer(
        _draw_memory,
        {
            "lag": slider("Lag (time steps)", 1, LAGS[-1], 20),
            "bias": slider("Bias of the forget gate", -2.0, 6.0, 4.0, step=0.1),
            "gate": slider("Input gate for unmarked signs", 0.0, 1.0, 1.0, step=0.05),
            "weight": slider("Recurrent weight of the RNN", 0.0, 2.0, 1.0, step=0.1),
        },
        alt="Left: a marked sign at step 0 and unmarked signs after it, and two lines that begin at the marked sign: the cell "
        "state of an LSTM and the state of a plain RNN. Right: accuracy against lag of six kinds of stored networks, with a "
        "dotted line at one half.",
        caption="Left: two single units, set by hand, that get the same inputs: the marked +1, then other signs. The line "
        "that is still above 0 at the end has kept the sign. Right: stored runs of trained networks with 8 units, a dot for "
        "each seed, and a line through their means. 'Open': the gate starts with a bias of 3. Dotted: guessing.",
        size=(10.5, 3.8),
    )


def _draw_memory(figure, lag, bias, gate, weight):
    left, right = figure.subplots(1, 2, width_ratios=[1.25, 1])
    cell, plain = one_unit(lag, bias, gate, weight)
    time = np.arange(lag + 1)
    left.plot(time[1:], other_signs()[:lag], "|", color="0.6", ms=9, label="unmarked signs")
    left.plot(0, 1, "*", color=plot.COLOURS["black"], ms=13, label="the marked sign", clip_on=False)
    left.plot(time, cell, color=plot.COLOURS["blue"], label="LSTM: cell state")
    left.plot(time, plain, "--", color=plot.COLOURS["orange"], lw=1.2, label="plain RNN: state")
    left.axhline(0, color="0.8", lw=0.8, zorder=0)
    reach = max(1.25, 1.05 * np.abs(cell).max())
    left.set(xlabel="time step", ylim=(-1.5 * reach, reach), xlim=(-0.02 * lag, 1.02 * lag))
    words = ["kept" if line[-1] > 0 else "lost" for line in (cell, plain)]
    left.set_title(f"forget gate {ops.sigmoid(bias):.3f}; the sign is {words[0]} by the LSTM, {words[1]} by the RNN")
    left.legend(loc="lower center", ncols=2, fontsize=8).set_in_layout(False)

    for place, (name, row) in enumerate(_stored_memory().items()):
        lags, runs = np.array(list(row)), np.array(list(row.values()))  # (lags,), (lags, seeds)
        style, colour = CELL_STYLES[name]
        shifted = lags * 1.03 ** (place - 2.5)  # side by side
        right.plot(shifted, runs.mean(axis=1), style[1:], color=plot.COLOURS[colour], lw=1.3)
        right.plot(shifted, runs, style[0], color=plot.COLOURS[colour], ms=4)
        right.plot([], [], style, color=plot.COLOURS[colour], ms=4, lw=1.3, label=name)
    right.axvline(lag, color="0.3", lw=1, ls="--")
    right.axhline(0.5, color="0.6", lw=1, ls=":")
    right.set(
        xscale="log", xlabel="lag (time steps)", ylabel="accuracy after training", ylim=(0.4, 1.04), xlim=(0.9, 100)
    )
    right.set_xticks([1, 5, 20, 40, 80], [1, 5, 20, 40, 80])
    right.minorticks_off()
    right.legend(loc="center left", fontsize=8).set_in_layout(False)


@functools.cache
def _stored_gates():
    return {name: values.astype(float) for name, values in results.arrays("rnn_lstm_gru/gates", 0).items()}


GATES = {"input gate": 0, "forget gate": 1, "candidate": 2, "output gate": 3}


def gates_over_time() -> Explorer:
    """A trained LSTM reads a clip: its gates, its cell state and all its hidden units, over time."""
    clips = [
        f"{'irregular' if label else 'regular'}, test patient {n + 1}"
        for n, label in enumerate(_stored_gates()["label"])
    ]
    return Explorer(
        _draw_gates,
        {
            "clip": choice("Clip", clips),
            "unit": slider("Hidden unit", 1, _stored_gates()["states"].shape[2], 1),
            "gate": choice("Gate", GATES, "forget gate"),
        },
        alt="Top left: brightness of the cavity over four seconds, with dashed lines where beats begin. Below it: the chosen gate, "
        "the cell state and the state of one unit. Right: a map of all hidden units over time, blue to red.",
        caption="A stored LSTM that was trained to recognise irregular rhythm reads a simulated clip. Dashed lines: where the "
        "simulated heartbeats begin (the network is not told).",
        size=(10.5, 4.6),
    )


def _draw_gates(figure, clip, unit, gate):
    stored = _stored_gates()
    n = int(clip.rsplit(" ", 1)[1]) - 1
    seconds = np.arange(stored["curve"].shape[1]) / 12
    grid = figure.add_gridspec(3, 2, width_ratios=[1.35, 1])
    curve, gated, state = (figure.add_subplot(grid[row, 0]) for row in range(3))
    units = figure.add_subplot(grid[:, 1])

    curve.plot(seconds, stored["curve"][n], color=plot.COLOURS["black"])
    curve.set(ylabel="input x", title=f"probability of an irregular rhythm: {stored['probability'][n]:.2f}")
    gated.plot(seconds, stored["gates"][n, :, GATES[gate], unit - 1], color=plot.COLOURS["blue"])
    gated.set(ylabel=gate, ylim=(-1.05, 1.05) if gate == "candidate" else (-0.03, 1.03))
    state.plot(seconds, stored["cells"][n, :, unit - 1], color=plot.COLOURS["vermilion"], label="cell state c")
    state.plot(seconds, stored["states"][n, :, unit - 1], "--", color=plot.COLOURS["green"], label="state h")
    state.axhline(0, color="0.8", lw=0.8, zorder=0)
    state.set(xlabel="time (s)", ylabel=f"unit {unit}")
    state.legend(loc="upper left", fontsize=8, ncols=2).set_in_layout(False)
    beats = stored["beats"][n]
    for ax in (curve, gated, state):
        ax.vlines(beats[np.isfinite(beats)], *ax.get_ylim(), color="0.6", lw=1, ls="--", zorder=0)
        ax.set(xlim=(0, 4), xticks=range(5))
    for ax in (curve, gated):
        ax.set_xticklabels([])

    states = stored["states"][n].T
    units.imshow(states, aspect="auto", cmap=plot.DIVERGING, vmin=-1, vmax=1, extent=(0, 4, len(states) + 0.5, 0.5))
    units.axhline(unit, color="black", lw=1, ls=":")
    units.set(xlabel="time (s)", xticks=range(5), ylabel="hidden unit", title="state h of all units: blue −1, red +1")
