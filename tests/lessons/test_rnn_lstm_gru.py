"""Lesson 13: its explorers draw what the equations say, and its stored answers belong to their scores."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from sklearn.metrics import roc_auc_score

from course_lib import ROOT, recurrent, results
from course_lib.data import echo_cine
from course_lib.lessons.clips_to_sequences import model as clips
from course_lib.lessons.rnn_lstm_gru import explorers, model
from course_lib.lessons.training_well.model import learning_rates
from course_lib.ops import sigmoid
from course_lib.tools import notebooks

pytestmark = pytest.mark.slow
TEST_SET = 1290  # the test patients of the stored runs


def needs(name):
    stored = results.is_stored(f"rnn_lstm_gru/{name}") and results.load(f"rnn_lstm_gru/{name}")
    return pytest.mark.skipif(not stored, reason="not stored yet")


def test_a_forget_gate_multiplies_what_is_left_while_the_input_gate_is_shut():
    cell, plain = model.one_unit(lag=30, bias=2.0, gate=0.0, weight=0.0)
    assert cell[0] == plain[0] == np.tanh(1) and np.allclose(cell[1:] / cell[:-1], sigmoid(2.0))
    # Without a recurrent weight the plain RNN knows the last sign only.
    assert np.allclose(np.abs(plain[1:]), np.tanh(model.OTHERS)) and len(plain) == len(cell) == 31


def test_both_units_get_the_same_inputs():
    cell, plain = model.one_unit(lag=3, bias=1.0, gate=0.5, weight=1.5)
    for t, sign in enumerate(model.other_signs()[:3]):
        came_in = np.tanh(model.OTHERS * sign)
        assert cell[t + 1] == pytest.approx(sigmoid(1.0) * cell[t] + 0.5 * came_in)
        assert plain[t + 1] == pytest.approx(np.tanh(1.5 * plain[t] + model.OTHERS * sign))


def test_the_explorers_unit_is_a_step_of_the_librarys_lstm():
    bias, signs = 1.3, np.r_[1.0, model.other_signs()[:5]]
    cell = np.zeros(1)
    for t, sign in enumerate(signs):
        a = np.arctanh(np.tanh(1.0 if t == 0 else model.OTHERS * sign))
        w_x = np.array([[0.0, 0, a, 0]])  # what comes in goes to the candidate; the input gate is open
        _, cell = recurrent.lstm_step(
            np.ones(1), np.zeros(1), cell, w_x, np.zeros((1, 4)), np.array([50.0, bias, 0, 50])
        )
    assert cell[0] == pytest.approx(model.one_unit(5, bias, 1.0, 1.0)[0][-1])


@needs("memory")
def test_memory_explorer_says_what_was_kept_and_shows_every_stored_run():
    figure = Figure(figsize=(10, 4), layout="constrained")
    explorers._draw_memory(figure, lag=20, bias=4.0, gate=0.0, weight=1.5)
    left, right = figure.axes
    assert "kept by the LSTM, kept by the RNN" in left.get_title()
    shown = sorted(y for line in right.lines if line.get_marker() in "os^" for y in line.get_ydata())
    runs = results.load("rnn_lstm_gru/memory").values()
    stored = [curve[-1] for run in runs for row in run.values() for curve in row.values()]
    assert len(stored) == 10 * len(model.KINDS) * len(model.LAGS) and np.allclose(shown, sorted(stored))


@needs("gates")
def test_stored_gates_obey_the_equations_of_the_lstm():
    stored = explorers._stored_gates()
    i, f, candidate, o = np.moveaxis(stored["gates"], 2, 0)
    before = np.pad(stored["cells"], ((0, 0), (1, 0), (0, 0)))[:, :-1]
    assert np.allclose(stored["cells"], f * before + i * candidate, atol=0.02)  # stored with three digits
    assert np.allclose(stored["states"], o * np.tanh(stored["cells"]), atol=0.01)
    assert stored["gates"][:, :, [0, 1, 3]].min() >= 0 and stored["gates"][:, :, [0, 1, 3]].max() <= 1


@needs("gates")
def test_stored_clips_are_those_of_the_test_patients():
    patients = echo_cine.patients("test", n_patients=8, seed=TEST_SET)
    stored = explorers._stored_gates()
    assert stored["label"].tolist() == [patient.rhythm for patient in patients]
    for patient, row in zip(patients, stored["beats"], strict=True):
        inside = patient.beats[(patient.beats >= 0) & (patient.beats <= echo_cine.SECONDS)]
        assert np.allclose(row[np.isfinite(row)], inside, atol=2e-3)


@pytest.mark.parametrize(
    "task, target, measure",
    [("ejection", "ejection_fraction", clips.mae), pytest.param("rhythm", "rhythm", roc_auc_score)],
)
def test_stored_answers_give_the_stored_scores(task, target, measure):
    if not results.is_stored(f"rnn_lstm_gru/{task}") or not results.load(f"rnn_lstm_gru/{task}"):
        pytest.skip("not stored yet")
    known = [patient.targets()[target] for patient in echo_cine.patients("test", n_patients=600, seed=TEST_SET)]
    assert np.allclose(model.answers(task, "truth"), known, rtol=1e-4)
    for number, run in enumerate(results.load(f"rnn_lstm_gru/{task}").values()):
        assert run.keys() >= model.ARMS[task].keys()
        for arm, row in run.items():
            answer = model.answers(task, arm)[number]
            assert answer.shape == (600,)
            assert measure(known, answer) == pytest.approx(row["test"], abs=0.01), arm
            assert model.by_arm(task)[arm][number] == row["test"]


# ---- the arms and their rates ---------------------------------------------------------------------------------------------


def fake_rates(monkeypatch, rows):
    monkeypatch.setattr(results, "load", lambda path: {s: {"GRU": row} for s, row in enumerate(rows)})


def test_a_rate_is_chosen_by_the_worse_of_two_sets(monkeypatch):
    rates = model.rates_of("rhythm", "GRU")
    rows = [{f"{rate:g}": {"value": 0.9 - abs(place - 3) / 10} for place, rate in enumerate(rates)} for _ in range(2)]
    fake_rates(monkeypatch, rows)
    assert model.best_rate("rhythm", "GRU") == rates[3]
    assert model.best_rate("rhythm", "GRU, twice as long") == rates[3], "the rate of the arm that it is like"
    rows[1][f"{rates[3]:g}"]["value"] = 0.5  # one network did not learn at this rate
    assert model.best_rate("rhythm", "GRU") == rates[2]


@pytest.mark.parametrize("best", [0, -1])
def test_a_best_rate_at_an_end_of_the_list_is_an_error(monkeypatch, best):
    row = {f"{rate:g}": {"value": 0.5} for rate in model.rates_of("rhythm", "GRU")}
    row[f"{model.rates_of('rhythm', 'GRU')[best]:g}"]["value"] = 0.9
    fake_rates(monkeypatch, [row, row])
    with pytest.raises(ValueError, match="an end of the list"):
        model.best_rate("rhythm", "GRU")


@pytest.mark.parametrize("task, arm", [(task, arm) for task, arms in model.ARMS.items() for arm in arms])
def test_each_arm_has_a_setting_and_rates_in_order(task, arm):
    setting = model.setting(task, arm)
    assert setting.keys() - {"units"} == model.COMMON[task].keys() - {"units"}
    assert setting["like"] in (None, *model.ARMS[task])
    assert list(model.rates_of(task, arm)) == sorted(model.rates_of(task, arm))


@pytest.mark.parametrize("kind", model.KINDS)
def test_networks_for_the_memory_task_start_as_they_are_called(kind):
    from course_lib.models import keras

    keras.utils.set_random_seed(0)
    kernel, recurrent_kernel, bias = model.memory_network(kind).layers[0].get_weights()
    first = recurrent_kernel[:, :8]
    orthogonal = np.allclose(recurrent_kernel @ recurrent_kernel.T, np.eye(8), atol=1e-5)
    assert orthogonal == (kind != "RNN, random start") and first.shape == (8, 8)
    if kind == "LSTM, open":
        assert (bias[8:16] == model.OPEN).all() and not bias[:8].any()
    if kind == "GRU, open":
        assert bias[0, :8].tolist() == [model.OPEN] * 8 and not bias[0, 8:].any() and not bias[1].any()


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


def test_the_live_rate_rises_and_falls_as_that_of_the_stored_runs():
    network = model.sequence_model("SimpleRNN", 2, (4, 1))
    x = np.random.default_rng(0).normal(size=(10, 4, 1)).astype("float32")
    before = [w.copy() for w in network.get_weights()]
    model.fit(network, "mse", x, np.ones(10), epochs=10, rate=0.1, batch=4)
    assert network.optimizer.iterations.numpy() == 30 and network.optimizer.clipnorm == 1
    schedule = network.optimizer._learning_rate
    assert np.allclose([schedule(step) for step in range(30)], learning_rates("warm-up", 0.1, 30), atol=1e-6)
    assert not np.allclose(before[0], network.get_weights()[0])


SHARED = [clips.without_drift, clips.cavity_curve, model.per_frame, model.cnn_gru, model.moving]


@pytest.mark.parametrize("function", SHARED, ids=lambda function: function.__name__)
def test_the_notebook_defines_it_as_the_library_does(function):
    assert notebooks.same_code(ROOT / "notebooks/13_rnn_lstm_gru.ipynb", function.__name__, function)
