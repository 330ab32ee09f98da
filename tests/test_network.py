"""Layers, losses, optimisers and the training loop of course_lib.network."""

import numpy as np
import pytest
from scipy.special import log_softmax
from threadpoolctl import threadpool_info, threadpool_limits

from course_lib.network import (
    SGD,
    Adam,
    Conv2D,
    Dense,
    Flatten,
    MaxPool2D,
    Network,
    ReLU,
    cross_entropy,
    he_normal,
    mean_squared_error,
)


def double(network):
    """The network with float64 parameters, biases that are not zero among them."""
    rng = np.random.default_rng(5)
    for layer in network.layers:
        if len(layer.parameters):
            layer.parameters = [p + 0.1 * rng.normal(size=p.shape) for p in layer.parameters]
    return network


def finite_difference(function, array, step=1e-6):
    """Derivative of function() with respect to every element of `array`, which is nudged in place."""
    result = np.zeros_like(array)
    for place in np.ndindex(array.shape):
        value = array[place]
        array[place] = value + step
        above = function()
        array[place] = value - step
        below = function()
        array[place] = value
        result[place] = (above - below) / (2 * step)
    return result


def dense_network(rng):
    return [Dense(5, 7, rng), ReLU(), Dense(7, 3, rng)], (4, 5)


def convolutional_network(rng):
    layers = [Conv2D(2, 3, rng), ReLU(), MaxPool2D(), Conv2D(3, 4, rng, kernel=2, padding="valid"), Flatten()]
    return [*layers, Dense(2 * 3 * 4, 3, rng)], (2, 7, 9, 2)  # an odd size: one row and column are dropped


@pytest.mark.parametrize("make", [dense_network, convolutional_network])
@pytest.mark.parametrize("loss", [cross_entropy, mean_squared_error])
def test_gradients_equal_finite_differences(make, loss):
    rng = np.random.default_rng(0)
    layers, shape = make(rng)
    network, x = double(Network(layers)), rng.normal(size=shape)
    targets = rng.integers(0, 3, shape[0]) if loss is cross_entropy else rng.normal(size=(shape[0], 3))

    def value():
        return loss(network.forward(x), targets)[0]

    d_x = network.backward(loss(network.forward(x), targets)[1])
    np.testing.assert_allclose(d_x, finite_difference(value, x), atol=1e-8)
    assert len(network.parameters) == len(network.gradients) > 0
    for parameter, gradient in zip(network.parameters, network.gradients, strict=True):
        np.testing.assert_allclose(gradient, finite_difference(value, parameter), atol=1e-8)


def test_dense_equals_numbers_worked_by_hand():
    layer = Dense(2, 3, np.random.default_rng(0))
    layer.parameters = [np.array([[1.0, 0, -1], [2, 1, 0]]), np.array([0.5, 0, 1])]
    assert layer.forward(np.array([[3.0, 4.0]])).tolist() == [[11.5, 4, -2]]
    assert layer.backward(np.array([[1.0, 10, 100]])).tolist() == [[-99, 12]]
    assert layer.gradients[0].tolist() == [[3, 30, 300], [4, 40, 400]]
    assert layer.gradients[1].tolist() == [1, 10, 100]


def test_cross_entropy_is_the_mean_of_minus_log_p():
    logits = np.random.default_rng(1).normal(size=(6, 4)) * 3
    labels = np.array([0, 3, 1, 1, 2, 0])
    loss, _ = cross_entropy(logits, labels)
    assert np.isclose(loss, -log_softmax(logits, axis=1)[range(6), labels].mean())
    assert np.isclose(cross_entropy(np.zeros((2, 5)), np.array([1, 4]))[0], np.log(5))


def test_cross_entropy_survives_huge_logits():
    loss, d_logits = cross_entropy(np.array([[1000.0, 0.0], [0.0, -1000.0]]), np.array([1, 0]))
    assert loss == 500  # 1000 for the confident error, 0 for the confident right answer
    assert d_logits.tolist() == [[0.5, -0.5], [0, 0]]


@pytest.mark.parametrize(
    "labels", [np.array([0, 3]), np.array([-1, 0]), np.array([0.0, 1.0]), np.array([[0], [1]]), np.array([0])]
)
def test_cross_entropy_rejects_labels_that_do_not_fit(labels):
    with pytest.raises(ValueError, match="labels must be 2 whole numbers from 0 to 2"):
        cross_entropy(np.zeros((2, 3)), labels)


def test_mean_squared_error_refuses_to_broadcast():
    predictions = np.array([[1.0], [2.0], [4.0]])
    assert mean_squared_error(predictions, np.array([[1.0], [1.0], [1.0]]))[0] == pytest.approx(10 / 3)
    with pytest.raises(ValueError, match=r"\(3, 1\).*\(3,\)"):
        mean_squared_error(predictions, np.ones(3))


def test_dense_names_the_wrong_shape():
    with pytest.raises(ValueError, match=r"Dense has weights for 4 inputs, but x has shape \(2, 5\)"):
        Dense(4, 3, np.random.default_rng(0)).forward(np.zeros((2, 5)))


def test_sgd_steps_down_and_momentum_remembers():
    w = np.array([1.0, -1.0])
    SGD(0.1).step([w], [np.array([2.0, 4.0])])
    assert w == pytest.approx([0.8, -1.4])

    w, gradients = np.zeros(1), [3.0, -1.0, 2.0]
    optimiser = SGD(0.1, momentum=0.5)
    for gradient in gradients:
        optimiser.step([w], [np.array([gradient])])
    # Each gradient counts once when it comes, then half, then a quarter.
    assert w == pytest.approx(-0.1 * (3 * 1.75 - 1 * 1.5 + 2))


def test_adam_equals_its_formula_written_as_sums():
    rng = np.random.default_rng(2)
    gradients = rng.normal(size=(6, 3)) * [1, 100, 0.01]
    w, expected = np.ones(3), np.ones(3)
    optimiser = Adam(0.1, beta1=0.8, beta2=0.9, epsilon=1e-3)
    for t, gradient in enumerate(gradients, start=1):
        optimiser.step([w], [gradient])
        first, second = 0.8 ** np.arange(t)[::-1], 0.9 ** np.arange(t)[::-1]
        mean = first @ gradients[:t] / first.sum()
        square = second @ gradients[:t] ** 2 / second.sum()
        expected -= 0.1 * mean / (np.sqrt(square) + 1e-3)
        np.testing.assert_allclose(w, expected, rtol=1e-12)


def test_adams_first_step_has_the_size_of_the_learning_rate():
    w = np.zeros(3)
    Adam(0.01).step([w], [np.array([1e-3, -5.0, 2e4])])
    np.testing.assert_allclose(w, [-0.01, 0.01, -0.01], rtol=1e-4)


def test_initial_weights_are_he_normal_and_follow_the_seed():
    w = he_normal((400, 300), 400, np.random.default_rng(0))
    assert w.dtype == np.float32
    assert w.std() == pytest.approx(np.sqrt(2 / 400), rel=0.02)
    layers = [[Conv2D(3, 64, np.random.default_rng(seed), kernel=5), Dense(10, 4, np.random.default_rng(seed))]
              for seed in (1, 1, 2)]  # fmt: skip
    for one, same, other in zip(*layers, strict=True):
        assert np.array_equal(one.parameters[0], same.parameters[0])
        assert not np.array_equal(one.parameters[0], other.parameters[0])
        assert not one.parameters[1].any()
    assert layers[0][0].parameters[0].std() == pytest.approx(np.sqrt(2 / 75), rel=0.05)


def small_problem():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(70, 2)).astype(np.float32)
    return x, (x[:, 0] * x[:, 1] > 0).astype(int)  # not separable by a line


def small_network(seed=0):
    rng = np.random.default_rng(seed)
    return Network([Dense(2, 16, rng), ReLU(), Dense(16, 2, rng)])


@pytest.mark.parametrize("optimiser", [SGD(0.3), SGD(0.05, momentum=0.9), Adam(0.02)])
def test_fit_learns_what_no_line_can_separate(optimiser):
    x, labels = small_problem()
    network = small_network()
    history = network.fit(x, labels, cross_entropy, optimiser, epochs=60, batch_size=16)
    assert len(history) == 60 and history[-1] < 0.35 * history[0]
    assert (network.predict(x).argmax(1) == labels).mean() > 0.9


def test_fit_is_repeatable_and_keeps_float32():
    x, labels = small_problem()
    runs = []
    for seed in (4, 4, 5):
        network = small_network()
        network.fit(x, labels, cross_entropy, Adam(), epochs=2, seed=seed)
        assert all(parameter.dtype == np.float32 for parameter in network.parameters)
        runs.append(network.predict(x))
    assert np.array_equal(runs[0], runs[1])
    assert not np.array_equal(runs[0], runs[2])


def test_fit_visits_every_example_once_an_epoch_and_weighs_the_last_batch():
    seen = []

    def loss(predictions, targets):
        seen.append(targets)
        return float(targets.mean()), np.zeros_like(predictions)

    x, targets = np.zeros((10, 2), np.float32), np.arange(10.0)
    history = small_network().fit(x, targets, loss, SGD(0.1), epochs=2, batch_size=4)
    assert [len(batch) for batch in seen] == [4, 4, 2, 4, 4, 2]
    first, second = np.concatenate(seen[:3]), np.concatenate(seen[3:])
    assert sorted(first) == sorted(second) == targets.tolist()
    assert first.tolist() != second.tolist()
    assert history == pytest.approx([4.5, 4.5])


def test_fit_keeps_to_one_thread_and_gives_the_others_back():
    def threads():
        return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}

    seen = []

    def loss(predictions, targets):
        seen.append(threads())
        return 1.0, np.zeros_like(predictions)

    with threadpool_limits(2, "blas"):  # whatever the machine has
        small_network().fit(np.zeros((4, 2), np.float32), np.zeros(4), loss, SGD(0.1), epochs=1)
        assert threads() == {2}
    assert seen == [{1}]


def test_fit_stops_with_a_sentence_when_the_loss_explodes():
    x, labels = small_problem()
    with (
        np.errstate(all="ignore"),
        pytest.raises(FloatingPointError, match="Use a smaller learning rate"),
    ):
        small_network().fit(x, labels, cross_entropy, SGD(1e6), epochs=50)


def test_an_infinite_loss_stops_fit_before_it_becomes_a_weight():
    network = small_network()
    before = [parameter.copy() for parameter in network.parameters]
    with pytest.raises(FloatingPointError, match="The loss became inf in epoch 1"):
        network.fit(*small_problem(), lambda outputs, labels: (np.inf, np.ones_like(outputs)), SGD(0.1), epochs=2)
    assert all(np.array_equal(a, b) for a, b in zip(before, network.parameters, strict=True))


def test_fit_wants_examples():
    x, labels = small_problem()
    with pytest.raises(ValueError, match="x holds 0 examples and targets 0"):
        small_network().fit(x[:0], labels[:0], cross_entropy, SGD(0.1), epochs=1)


def test_fit_wants_one_target_for_each_example():
    with pytest.raises(ValueError, match="x holds 3 examples and targets 2"):
        small_network().fit(np.zeros((3, 2)), np.array([0, 1]), cross_entropy, SGD(0.1), epochs=1)


def test_predict_does_not_depend_on_the_batch_size():
    x, _ = small_problem()
    network = small_network()
    np.testing.assert_allclose(network.predict(x, batch_size=9), network.forward(x), rtol=1e-5, atol=1e-6)
