"""Recurrent layers in NumPy: one step of an RNN, an LSTM and a GRU, and a run over a sequence (lesson rnn_lstm_gru explains them).

Shapes: x (…, features) is what a layer sees at one time step, h and c (…, units) are its states; … is nothing for one
sequence, or (n,) for a batch. Weights are those of a Keras layer's `get_weights()`, in its order: w_x (features, k · units),
w_h (units, k · units), b (k · units,), where k is the number of parts that stand side by side:

    SimpleRNN  1
    LSTM       4: input gate, forget gate, candidate, output gate
    GRU        3: update gate, reset gate, candidate; with reset_after, Keras' default, b is (2, 3 · units)

float32 stays float32. σ is the sigmoid, * goes unit by unit. Errors: ValueError from `over_time` if shapes do not fit.
"""

import numpy as np

from course_lib import ops


def rnn_step(x, h, w_x, w_h, b, activation=np.tanh):
    """The next state of a plain RNN: tanh(x w_x + h w_h + b) (Elman 1990, doi 10.1207/s15516709cog1402_1)."""
    return activation(x @ w_x + h @ w_h + b)


def lstm_gates(x, h, w_x, w_h, b):
    """What an LSTM computes from x and its state h: input gate i, forget gate f, candidate and output gate o, (…, units) each.

    Gates are σ(x w_x + h w_h + b), in (0, 1); the candidate is tanh of the same, with weights of its own. Hochreiter and
    Schmidhuber 1997, doi 10.1162/neco.1997.9.8.1735; the forget gate: Gers et al. 2000, doi 10.1162/089976600300015015.
    """
    i, f, candidate, o = np.split(x @ w_x + h @ w_h + b, 4, axis=-1)
    return ops.sigmoid(i), ops.sigmoid(f), np.tanh(candidate), ops.sigmoid(o)


def lstm_step(x, h, c, w_x, w_h, b):
    """The next state and cell state of an LSTM: c' = f * c + i * candidate, h' = o * tanh(c'), with `lstm_gates`."""
    i, f, candidate, o = lstm_gates(x, h, w_x, w_h, b)
    c = f * c + i * candidate
    return o * np.tanh(c), c


def gru_step(x, h, w_x, w_h, b, reset_after=True):
    """The next state of a GRU: z * h + (1 - z) * candidate, with update gate z and reset gate r (Cho et al. 2014,
    arXiv:1406.1078).

    z = σ(x w_xz + h w_hz + b_z), r likewise. The candidate is tanh(x w_xc + (r * h) w_hc + b_c) in the paper, which resets
    before the product, reset_after=False here. With reset_after=True, as in Keras, it resets after it, and b has a second
    row b' that belongs to h: tanh(x w_xc + b_c + r * (h w_hc + b'_c)); the rows of z and of r are added.
    """
    b_x, b_h = b if reset_after else (b, np.zeros_like(b))
    x_z, x_r, x_new = np.split(x @ w_x + b_x, 3, axis=-1)
    h_z, h_r, h_new = np.split(h @ w_h + b_h, 3, axis=-1)
    z, r = ops.sigmoid(x_z + h_z), ops.sigmoid(x_r + h_r)
    old = r * h_new if reset_after else (r * h) @ np.split(w_h, 3, axis=-1)[2]
    return z * h + (1 - z) * np.tanh(x_new + old)


def over_time(step, x, weights, *, states=1, **options):
    """Run a step over sequences x (…, steps, features), beginning with states of zeros.

    step: `rnn_step`, `gru_step`, or `lstm_step` with states=2, or a function that is called like them:
    step(x_t, *states, w_x, w_h, b, **options). weights: w_x, w_h and b, as above.
    Returns the states (…, steps + 1, units): the first are the zeros before the first time step. With states=2 it returns
    (2, …, steps + 1, units): states and cell states. Raises ValueError if shapes do not fit.
    """
    x, (w_x, w_h, b) = np.asarray(x), (np.asarray(w) for w in weights)
    if x.ndim < 2 or w_x.ndim != 2 or x.shape[-1] != len(w_x):
        raise ValueError(f"x is {x.shape} and w_x is {w_x.shape}: they must be (…, steps, features) and (features, …).")
    if w_h.ndim != 2 or w_x.shape[1] != w_h.shape[1] or w_h.shape[1] % len(w_h):
        raise ValueError(
            f"w_x is {w_x.shape} and w_h is {w_h.shape}: they must be (features, k · units), (units, k · units)."
        )
    run = np.zeros((x.shape[-2] + 1, states, *x.shape[:-2], len(w_h)), np.result_type(x, w_x, w_h, b))
    for t, x_t in enumerate(np.moveaxis(x, -2, 0)):
        new = np.reshape(step(x_t, *run[t], w_x, w_h, b, **options), (states, -1))
        if new.size != run[t].size:
            raise ValueError(
                f"The step made states of {new.size} numbers from {run[t].size}. Do the weights, b above all, fit it?"
            )
        run[t + 1] = new.reshape(run[t].shape)
    run = np.moveaxis(run, 0, -2)
    return run if states > 1 else run[0]
