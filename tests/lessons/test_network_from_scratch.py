"""What the explorers of lesson 04 compute, and the results that the lesson reads."""

import json

import numpy as np
import pytest

from course_lib import ROOT
from course_lib.lessons.network_from_scratch import explorers


@pytest.mark.parametrize(
    ("x", "w1", "w2", "t"),
    [(2.0, 1.5, -1.0, 5.0), (-1.5, 0.5, 2.0, 0.0), (1.0, 2.0, 2.0, -2.0), (0.5, -3.0, -3.0, 1.0)],
)
def test_the_graphs_gradients_equal_finite_differences(x, w1, w2, t):
    _, gradients = explorers.graph_values(x, w1, w2, t)
    for name, nudge in {"x": (1, 0, 0), "w₁": (0, 1, 0), "w₂": (0, 0, 1)}.items():
        above, below = (
            explorers.graph_values(*np.add((x, w1, w2), np.multiply(step, nudge)), t)[0]["L"] for step in (1e-6, -1e-6)
        )
        assert gradients[name] == pytest.approx((above - below) / 2e-6, abs=1e-6)


@pytest.mark.parametrize("surface", [explorers.LINE, explorers.LINE_CENTRED, explorers.TINY_NETWORK])
def test_the_surfaces_gradients_equal_finite_differences(surface):
    points, weights = explorers._points(surface), np.array([0.7, -1.3])
    _, gradient = explorers._loss_and_gradient(surface, weights, *points)
    for place, nudge in enumerate(1e-6 * np.eye(2)):
        above, below = (explorers._loss_and_gradient(surface, weights + d, *points)[0] for d in (nudge, -nudge))
        assert gradient[place] == pytest.approx((above - below) / 2e-6, rel=1e-6)


def race(surface, rate, batch):
    """The loss of all points at the end of each optimiser's path."""
    points = explorers._points(surface)
    paths = explorers._race(surface, rate, batch)
    return {name: explorers._loss_and_gradient(surface, path[-1], *points)[0] for name, path in paths.items()}


def test_in_the_race_each_optimiser_wins_somewhere():
    losses = race(explorers.LINE, 0.03, 64)
    assert losses["momentum"] < losses["Adam"] < losses["SGD"]
    losses = race(explorers.LINE, 0.1, 64)
    assert losses["SGD"] > 1000  # it explodes
    assert losses["momentum"] < 0.1 and losses["Adam"] < 0.1
    losses = race(explorers.LINE, 0.3, 64)
    assert losses["SGD"] > 1000 and losses["momentum"] > 1000 and losses["Adam"] < 0.1
    losses = race(explorers.LINE_CENTRED, 0.3, 1)
    assert losses["SGD"] < losses["Adam"] < 1 < losses["momentum"]


def test_tiles_keep_every_map_in_its_place():
    maps = np.arange(2 * 3 * 5, dtype=float).reshape(2, 3, 5)
    tiles = explorers._tiles(maps)
    assert tiles.shape == (2 * 2 + 1, 3 * 3 + 2)
    assert np.array_equal(tiles[:2, :3], maps[:, :, 0])
    assert np.array_equal(tiles[3:, 4:7], maps[:, :, 4])
    assert np.isnan(tiles[2]).all() and np.isnan(tiles[3:, 8:]).all()


def test_stored_weights_recognise_the_stored_slices():
    stored, network = explorers._stored(), explorers._network("trained")
    x = (stored["images"] / np.float32(255) - stored["mean"]) / stored["std"]
    guess = network.predict(x[..., None].astype(np.float32)).argmax(axis=1)
    assert (guess == stored["labels"]).mean() >= 0.6  # 12 slices
    results = json.loads(
        (ROOT / "course_lib/lessons/network_from_scratch/results/five_seeds.json").read_text(encoding="utf-8")
    )
    assert sum(p.size for p in network.parameters) == results["results"]["parameters"]
    assert len(results["results"]["rows"]) == len(results["seeds"]) == 5
