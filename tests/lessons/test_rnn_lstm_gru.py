"""Lesson 13: its explorers draw what the equations say, and its stored answers belong to their scores."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from sklearn.metrics import roc_auc_score

from course_lib import ROOT, results
from course_lib.data import echo_cine
from course_lib.lessons.clips_to_sequences import model as clips
from course_lib.lessons.rnn_lstm_gru import explorers, model
from course_lib.ops import sigmoid
from course_lib.tools import notebooks

pytestmark = pytest.mark.slow


def test_a_forget_gate_multiplies_what_is_left():
    cell, plain = explorers.one_unit(lag=30, bias=2.0, weight=0.0)
    assert cell[0] == 1 and np.allclose(cell[1:] / cell[:-1], sigmoid(2.0))
    # Without a recurrent weight the plain RNN knows the last sign only.
    assert np.allclose(np.abs(plain[1:]), np.tanh(0.3)) and len(plain) == len(cell) == 31


def test_the_plain_unit_carries_its_state_on():
    _, plain = explorers.one_unit(lag=3, bias=0.0, weight=1.5)
    before, sign = plain[2], explorers._signs()[2]
    assert plain[3] == pytest.approx(np.tanh(1.5 * before + 0.3 * sign)) and plain[0] != before


def test_memory_explorer_shows_the_share_that_is_left_and_every_stored_run():
    figure = Figure(figsize=(10, 4), layout="constrained")
    explorers._draw_memory(figure, lag=40, bias=1.0, weight=1.0)
    left, right = figure.axes
    assert f"{sigmoid(1.0) ** 40:.2g}" in left.get_title()
    shown = sorted(y for line in right.lines if line.get_marker() in "os^" for y in line.get_ydata())
    runs = results.load("rnn_lstm_gru/memory").values()
    stored = [curve[-1] for run in runs for row in run.values() for curve in row.values()]
    assert len(stored) == 60 and np.allclose(shown, sorted(stored))
    lines = [line.get_ydata() for line in right.lines if line.get_linestyle() != "None" and len(line.get_xdata()) == 4]
    assert np.allclose(lines, [[np.mean(values) for values in row.values()] for row in model.last_accuracy().values()])


def test_stored_gates_obey_the_equations_of_the_lstm():
    stored = explorers._stored_gates()
    i, f, candidate, o = np.moveaxis(stored["gates"], 2, 0)
    before = np.pad(stored["cells"], ((0, 0), (1, 0), (0, 0)))[:, :-1]
    assert np.allclose(stored["cells"], f * before + i * candidate, atol=0.02)  # stored with three digits
    assert np.allclose(stored["states"], o * np.tanh(stored["cells"]), atol=0.01)
    assert stored["gates"][:, :, [0, 1, 3]].min() >= 0 and stored["gates"][:, :, [0, 1, 3]].max() <= 1


def test_stored_clips_are_those_of_the_test_patients():
    patients = echo_cine.patients("test", n_patients=8)
    stored = explorers._stored_gates()
    assert stored["label"].tolist() == [patient.rhythm for patient in patients]
    for patient, row in zip(patients, stored["beats"], strict=True):
        inside = patient.beats[(patient.beats >= 0) & (patient.beats <= echo_cine.SECONDS)]
        assert np.allclose(row[np.isfinite(row)], inside, atol=2e-3)


@pytest.mark.parametrize(
    "part, target, measure",
    [
        ("ejection", "ejection_fraction", lambda truth, answer: np.mean(np.abs(answer - truth))),
        ("rhythm", "rhythm", roc_auc_score),
    ],
)
def test_stored_answers_give_the_stored_scores(part, target, measure):
    truth = np.array([patient.targets()[target] for patient in echo_cine.patients("test")])
    for seed, rows in results.load(f"rnn_lstm_gru/{part}").items():
        answers = results.arrays(f"rnn_lstm_gru/{part}", seed)
        assert answers.keys() == rows.keys()
        for name, row in rows.items():
            answer = answers[name].astype(float)
            assert answer.shape == (240,)
            assert measure(truth, answer) == pytest.approx(row["score"], abs=0.01), name


def test_runs_are_gathered_by_arm_with_a_column_for_each_seed():
    runs = results.load("rnn_lstm_gru/rhythm")
    for number, (seed, run) in enumerate(runs.items()):
        assert model.by_arm("rhythm")["LSTM"][number] == run["LSTM"]["score"]
        assert model.by_arm("rhythm", "processor_seconds")["RNN"][number] == run["RNN"]["processor_seconds"]
        stored = results.arrays("rnn_lstm_gru/rhythm", seed)
        assert np.array_equal(model.answers("rhythm")["LSTM"][:, number], stored["LSTM"])
        assert len(model.answers("rhythm")) == len(run)
    memory = results.load("rnn_lstm_gru/memory")
    assert model.last_accuracy()["RNN"][40].tolist() == [run["RNN"]["40"][-1] for run in memory.values()]


# ---- the notebook and what it shares with the experiment ------------------------------------------------------------------


def test_segments_are_two_halves_around_the_ventricle_and_moving_is_what_is_not_still():
    clip = np.random.default_rng(0).uniform(0.1, 1, size=(3, 48, 48, 48, 1))
    parts = model.segments(clip)
    assert parts.shape == (6, 24, 16, 16, 1) and np.allclose(parts.mean(axis=(1, 2, 3, 4)), 1)
    corner = clip[1, 24:, 6:8, 10:12, 0].mean(axis=(1, 2))  # of the region, in the second half of the second clip
    assert np.corrcoef(parts[3, :, 0, 0, 0], corner)[0, 1] > 0.999
    assert np.allclose(model.moving(parts).mean(axis=1), 0) and not model.moving(parts[:, :1]).any()


def test_networks_answer_each_clip_with_one_number_and_see_the_order_only_if_they_remember():
    from course_lib.models import keras, layers

    keras.utils.set_random_seed(0)
    x = np.random.default_rng(0).normal(size=(2, 5, 16, 16, 1)).astype("float32")
    gru, pooled = model.cnn_gru(5), model.per_frame(5, layers.GlobalMaxPooling1D())
    assert gru(x).shape == (2, 1)
    assert not np.allclose(gru(x), gru(x[:, ::-1]), atol=1e-4) and np.allclose(pooled(x), pooled(x[:, ::-1]), atol=1e-6)
    assert np.allclose(gru(x)[1:], gru(x[1:]), atol=1e-6)  # frames of clips are not mixed up
    assert model.sequence_model("LSTM", 7, (5, 3)).count_params() == 4 * 7 * (3 + 7 + 1) + 7 + 1


def test_training_ends_with_a_rate_of_zero_and_clips_the_gradients():
    network = model.sequence_model("SimpleRNN", 2, (4, 1))
    x = np.random.default_rng(0).normal(size=(10, 4, 1)).astype("float32")
    before = [w.copy() for w in network.get_weights()]
    model.fit(network, "mse", x, np.ones(10), epochs=3, rate=0.1, batch=4)
    assert network.optimizer.iterations.numpy() == 9 and network.optimizer.clipnorm == 1
    assert network.optimizer.learning_rate.numpy() == pytest.approx(0, abs=1e-9)
    assert not np.allclose(before[0], network.get_weights()[0])


@pytest.mark.parametrize("function", [clips.without_drift, clips.cavity_curve], ids=lambda function: function.__name__)
def test_the_notebook_defines_it_as_the_library_does(function):
    assert notebooks.same_code(ROOT / "notebooks/13_rnn_lstm_gru.ipynb", function.__name__, function)
