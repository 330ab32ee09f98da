"""What lesson 13 shows as stored. Writes results/13/.

    python benchmarks/13_rnn_lstm_gru.py memory --seeds 3
"""

import argparse
import json
import time

import numpy as np
from common import ROOT, save

from course_lib import models

keras = models.keras
layers = keras.layers
FOLDER = ROOT / "results" / "13"

# ---- the memory task -------------------------------------------------------------------------------------------------

LAGS = (5, 10, 20, 40, 80)
UNITS, STEPS, BATCH, CHECKS = 8, 320, 64, 8
START = 3.0  # of the gate that keeps the old state: sigmoid(3) = 0.95 of it stays at each step
CELLS = {
    "RNN": (layers.SimpleRNN, False),
    "LSTM": (layers.LSTM, False),
    "GRU": (layers.GRU, False),
    "LSTM, open": (layers.LSTM, True),
    "GRU, open": (layers.GRU, True),
}


def sequences(rng, n, lag):
    """Sequences (n, lag + 1, 2) of random signs, the first of them marked, and whether the marked one is +1."""
    signs = rng.choice([-1.0, 1.0], (n, lag + 1)).astype(np.float32)
    mark = np.zeros_like(signs)
    mark[:, 0] = 1
    return np.stack([signs, mark], axis=-1), (signs[:, 0] > 0).astype(np.float32)


def memory_model(cell, opened):
    layer = cell(UNITS)
    model = keras.Sequential([layers.Input((None, 2)), layer, layers.Dense(1)])
    if opened:
        kernel, recurrent, bias = layer.get_weights()
        if cell is layers.LSTM:
            bias[UNITS : 2 * UNITS] = START  # the forget gate is the second of Keras' four
        else:
            bias[0, :UNITS] = START  # the update gate is the first of three
        layer.set_weights([kernel, recurrent, bias])
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.01, clipnorm=1.0), loss)
    return model


def memory_run(name, lag, seed):
    """Share of right answers on new sequences after each eighth of the training; ends early when all are right twice."""
    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    model = memory_model(*CELLS[name])
    test, truth = sequences(np.random.default_rng(1000), 1000, lag)
    curve = []
    for _ in range(CHECKS):
        model.fit(*sequences(rng, BATCH * STEPS // CHECKS, lag), batch_size=BATCH, verbose=0)
        curve.append(np.mean((model.predict(test, batch_size=1000, verbose=0)[:, 0] > 0) == truth))
        if curve[-2:] == [1.0, 1.0]:
            break
    return curve


def memory(seeds):
    results = {name: {str(lag): {} for lag in LAGS} for name in CELLS}
    for seed in seeds:
        for name in CELLS:
            for lag in LAGS:
                results[name][str(lag)][str(seed)] = memory_run(name, lag, seed)
                print(name, lag, seed, results[name][str(lag)][str(seed)], flush=True)
        note = (
            f"Accuracy on 1,000 new sequences every {STEPS // CHECKS} steps of {BATCH} sequences; {UNITS} units, Adam "
            f"0.01, gradients clipped at norm 1; 'open': the gate that keeps the old state starts with a bias of {START:g}."
        )
        save("13/memory.json", results, seeds=seeds[: seeds.index(seed) + 1], note=note)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=["memory"])
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    globals()[arguments.part](list(range(arguments.seeds)))


if __name__ == "__main__":
    main()
