"""Lesson 13: its explorers draw what the equations say, and its stored answers belong to their scores."""

import json

import numpy as np
import pytest
from matplotlib.figure import Figure
from sklearn.metrics import roc_auc_score

from course_lib import ROOT
from course_lib.data import echo_cine
from course_lib.lessons.rnn_lstm_gru import explorers
from course_lib.ops import sigmoid

RESULTS = ROOT / "course_lib/lessons/rnn_lstm_gru/results"


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
    stored = [
        curve[-1] for row in explorers._stored_memory().values() for runs in row.values() for curve in runs.values()
    ]
    assert np.allclose(shown, sorted(stored))


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
    rows = json.loads((RESULTS / f"{part}.json").read_text(encoding="utf-8"))["results"]
    with np.load(RESULTS / f"{part}.npz", allow_pickle=False) as answers:
        assert set(answers.files) == {f"{name}_{seed}" for name, row in rows.items() for seed in row}
        for name, row in rows.items():
            for seed, run in row.items():
                answer = answers[f"{name}_{seed}"].astype(float)
                assert answer.shape == (240,)
                assert measure(truth, answer) == pytest.approx(run["score"], abs=0.01), name
