"""What the explorers of lesson 04 compute, and the results that the lesson reads."""

import numpy as np
import pytest

from course_lib import network, results
from course_lib.lessons.network_from_scratch import exercises, experiment, explorers, model


@pytest.mark.parametrize(
    ("x", "w1", "w2", "t"),
    [(2.0, 1.5, -1.0, 5.0), (-1.5, 0.5, 2.0, 0.0), (1.0, 2.0, 2.0, -2.0), (0.5, -3.0, -3.0, 1.0)],
)
def test_the_graphs_gradients_equal_finite_differences(x, w1, w2, t):
    _, gradients = model.graph_values(x, w1, w2, t)
    for name, nudge in {"x": (1, 0, 0), "w₁": (0, 1, 0), "w₂": (0, 0, 1)}.items():
        above, below = (
            model.graph_values(*np.add((x, w1, w2), np.multiply(step, nudge)), t)[0]["L"] for step in (1e-6, -1e-6)
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
    assert losses["SGD"] < 1 and losses["Adam"] < 1 < losses["momentum"]
    paths, points = explorers._race(explorers.LINE_CENTRED, 0.3, 64), explorers._points(explorers.LINE_CENTRED)
    at_25 = {n: explorers._loss_and_gradient(explorers.LINE_CENTRED, p[25], *points)[0] for n, p in paths.items()}
    assert at_25["SGD"] < 0.08 and min(at_25["momentum"], at_25["Adam"]) > 2 * at_25["SGD"]


def test_tiles_keep_every_map_in_its_place():
    maps = np.arange(2 * 3 * 5, dtype=float).reshape(2, 3, 5)
    tiles = explorers._tiles(maps)
    assert tiles.shape == (2 * 2 + 1, 3 * 3 + 2)
    assert np.array_equal(tiles[:2, :3], maps[:, :, 0])
    assert np.array_equal(tiles[3:, 4:7], maps[:, :, 4])
    assert np.isnan(tiles[2]).all() and np.isnan(tiles[3:, 8:]).all()


def test_stored_weights_recognise_the_stored_slices():
    stored, cnn = explorers._stored(), explorers._network("trained")
    x = (stored["images"] / np.float32(255) - stored["mean"]) / stored["std"]
    guess = cnn.predict(x[..., None].astype(np.float32)).argmax(axis=1)
    assert (guess == stored["labels"]).mean() >= 0.6  # 12 slices
    rows = results.load("network_from_scratch/networks")
    assert {row["parameters"]["CNN"] for row in rows.values()} == {sum(p.size for p in cnn.parameters)}
    assert list(rows) == list(range(10))


def test_the_rates_of_the_recipes_are_the_best_on_validation_and_not_at_an_end_of_the_list():
    runs = results.load("network_from_scratch/rates")
    for name, (rate, _, _) in (model.RECIPES | {"area": model.AREA}).items():
        rates = list(experiment.RATES[name])
        mean = [np.mean([run[name][str(r)] for run in runs.values()]) for r in rates]
        best = int(np.argmax(mean))
        assert rates[best] == rate and 0 < best < len(rates) - 1, (name, dict(zip(rates, mean, strict=True)))


def test_random_weights_are_not_the_stored_ones():
    trained, random, small = (explorers._network(kind).parameters for kind in list(explorers._WEIGHTS)[:3])
    for stored, drawn, tenth in zip(trained[::2], random[::2], small[::2], strict=True):
        assert not np.allclose(stored, drawn, rtol=0.1) and np.allclose(tenth, drawn / 10)


def test_an_epoch_depends_on_seed_and_number_and_the_rate_falls_once():
    def train(seed):
        layers, optimiser = [network.Dense(3, 2, np.random.default_rng(0))], network.SGD(0.5)
        net, rates = network.Network(layers), []
        x, labels = np.random.default_rng(1).normal(size=(40, 3)), np.arange(40) % 2
        for epoch in range(4):
            model.train_epoch(net, x, labels, network.cross_entropy, optimiser, epoch, small_steps=2, seed=seed)
            rates.append(optimiser.learning_rate)
        return net.parameters[0], rates

    (first, rates), (again, _), (other, _) = train(0), train(0), train(1)
    assert rates == pytest.approx([0.5, 0.5, 0.1, 0.1])
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_the_head_for_the_area_sees_the_body_of_the_cnn():
    cnn = model.build_cnn(np.random.default_rng(0))
    body, head = model.body_and_head(cnn, np.random.default_rng(0))
    images = np.random.default_rng(1).normal(size=(2, 32, 32, 1)).astype(np.float32)
    features = body.predict(images)
    assert features.shape == (2, 128) and head.predict(features).shape == (2, 1)
    w, b = cnn.parameters[-2:]
    np.testing.assert_allclose(features @ w + b, cnn.predict(images), rtol=1e-5)


def test_relu_gradient_that_overwrites_upstream_is_told_so():
    def in_place(upstream, x):
        upstream[x <= 0] = 0
        return upstream

    verdict = exercises.relu_gradient.judge(in_place)
    assert verdict.outcome == "not yet"
    assert "changed its input" in verdict.message
