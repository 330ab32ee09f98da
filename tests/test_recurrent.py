"""course_lib.recurrent computes what Keras' layers compute."""

import numpy as np
import pytest

from course_lib import recurrent
from course_lib.models import layers

pytestmark = pytest.mark.slow

FEATURES, UNITS = 3, 5
X = np.random.default_rng(1).normal(size=(4, 9, FEATURES))


def keras_run(cell, **options):
    """A layer with random biases too, since zeros would hide a mistake: its weights, all states, and those at the end."""
    layer = cell(UNITS, return_sequences=True, return_state=True, **options)
    layer.build(X.shape)
    rng = np.random.default_rng(2)
    weights = [rng.normal(size=w.shape) for w in layer.get_weights()]
    layer.set_weights(weights)
    outputs, *last = layer(X)
    return weights, np.asarray(outputs), [np.asarray(state) for state in last]


def same(ours, theirs):
    return ours.shape == theirs.shape and np.allclose(ours, theirs, atol=1e-5)


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_a_plain_rnn_is_that_of_keras(activation):
    weights, theirs, _ = keras_run(layers.SimpleRNN, activation=activation)
    options = {} if activation == "tanh" else {"activation": lambda z: np.maximum(z, 0)}
    ours = recurrent.over_time(recurrent.rnn_step, X, weights, **options)
    assert not ours[:, 0].any() and same(ours[:, 1:], theirs)


def test_an_lstm_is_that_of_keras_in_state_and_cell_state():
    weights, theirs, (h, c) = keras_run(layers.LSTM)
    states, cells = recurrent.over_time(recurrent.lstm_step, X, weights, states=2)
    assert same(states[:, 1:], theirs) and same(states[:, -1], h) and same(cells[:, -1], c)


@pytest.mark.parametrize("reset_after", [True, False])
def test_a_gru_is_that_of_keras(reset_after):
    weights, theirs, _ = keras_run(layers.GRU, reset_after=reset_after)
    ours = recurrent.over_time(recurrent.gru_step, X, weights, reset_after=reset_after)
    assert same(ours[:, 1:], theirs)


def test_gru_resets_after_the_product_unless_told_otherwise():
    weights, theirs, _ = keras_run(layers.GRU)
    assert same(recurrent.over_time(recurrent.gru_step, X, weights)[:, 1:], theirs)


def test_gates_come_in_keras_order_and_lie_in_their_ranges():
    """A bias of ±50 shuts or opens one part, whatever the input."""
    weights, _, _ = keras_run(layers.LSTM)
    for part, (low, high) in enumerate([(0, 1), (0, 1), (-1, 1), (0, 1)]):  # input, forget, candidate, output
        for bias, expected in ((-50, low), (50, high)):
            b = np.array(weights[2])
            b[part * UNITS : (part + 1) * UNITS] = bias
            gates = recurrent.lstm_gates(X[:, 0], np.zeros((4, UNITS)), *weights[:2], b)
            assert np.allclose(gates[part], expected) and all(gate.shape == (4, UNITS) for gate in gates)


def test_one_sequence_is_a_batch_of_one_and_float32_stays():
    weights, _, _ = keras_run(layers.LSTM)
    batch = recurrent.over_time(recurrent.lstm_step, X, weights, states=2)
    alone = recurrent.over_time(recurrent.lstm_step, X[2], weights, states=2)
    assert alone.shape == (2, 10, UNITS) and np.allclose(alone, batch[:, 2])
    single = [np.asarray(w, np.float32) for w in weights]
    assert recurrent.over_time(recurrent.lstm_step, X.astype(np.float32), single, states=2).dtype == np.float32


def test_no_frames_leave_the_states_of_zeros():
    weights, _, _ = keras_run(layers.SimpleRNN)
    assert recurrent.over_time(recurrent.rnn_step, X[:, :0], weights).tolist() == np.zeros((4, 1, UNITS)).tolist()


def test_shapes_that_do_not_fit_are_named():
    (w_x, w_h, b), _, _ = keras_run(layers.GRU, reset_after=False)
    for x in (X[..., :2], X[0, 0]):
        with pytest.raises(ValueError, match="x is "):
            recurrent.over_time(recurrent.gru_step, x, (w_x, w_h, b), reset_after=False)
    for wrong in (w_h[:, :10], w_h[:4]):
        with pytest.raises(ValueError, match="w_h is "):
            recurrent.over_time(recurrent.gru_step, X, (w_x, wrong, b), reset_after=False)
    two_biases = np.stack([b, b])  # those of reset_after=True
    with pytest.raises(ValueError, match="b above all"):
        recurrent.over_time(recurrent.gru_step, X[0], (w_x, w_h, two_biases), reset_after=False)
