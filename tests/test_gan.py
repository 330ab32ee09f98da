"""Two networks that play against each other, and the measures of what comes out."""

import numpy as np
import pytest

from course_lib import gan

pytestmark = pytest.mark.slow

keras, layers, tf = gan.keras, gan.layers, gan.tf


@pytest.mark.parametrize("classes", [None, 4])
def test_networks_have_the_shapes_they_promise(classes):
    generator, discriminator = gan.generator(8, 16, classes), gan.discriminator(4, classes)
    z = np.random.default_rng(0).normal(size=(5, 8))
    labels = np.arange(5) % 4 if classes else None
    images = gan.sample(generator, z, labels, batch_size=2)
    assert images.shape == (5, 32, 32, 1) and images.dtype == np.float32
    assert images.min() >= 0 and images.max() <= 1
    answer = discriminator(images)
    shapes = [tuple(head.shape) for head in (answer if classes else [answer])]
    assert shapes == [(5, 1)] + ([(5, 4)] if classes else [])
    assert np.array_equal(images, gan.sample(generator, z, labels)), "a sample depends on its batch"


def test_the_class_reaches_the_generator():
    keras.utils.set_random_seed(0)
    a, b = gan.sample(gan.generator(4, 8, 2), np.ones((2, 4)), np.array([0, 1]))
    assert np.abs(a - b).max() > 0


def test_batch_norm_can_be_left_out_of_the_discriminator():
    kinds = [[type(layer) for layer in gan.discriminator(4, batch_norm=on).layers] for on in (True, False)]
    assert [names.count(layers.BatchNormalization) for names in kinds] == [2, 0]


def test_losses_are_those_of_the_formulas():
    real, fake = np.array([[2.0], [-1.0]], np.float32), np.array([[0.5], [-3.0]], np.float32)
    p_real, p_fake = 1 / (1 + np.exp(-real)), 1 / (1 + np.exp(-fake))
    expected = -np.log(p_real).mean() - np.log(1 - p_fake).mean()
    assert np.isclose(gan.discriminator_loss(real, fake), expected, rtol=1e-5)
    assert np.isclose(gan.minimax_loss(fake), np.log(1 - p_fake).mean(), rtol=1e-5)
    assert np.isclose(gan.non_saturating_loss(fake), -np.log(p_fake).mean(), rtol=1e-5)


def test_class_loss_is_the_cross_entropy_of_the_class_head():
    logits = np.array([[2.0, 0, 0, 0], [0, 1, 0, 3]], np.float32)
    assert np.isclose(gan.class_loss(logits[:1], [0]), np.log(np.exp(2) + 3) - 2, rtol=1e-5)
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    assert np.isclose(gan.class_loss(logits, [1, 3]), -np.log(p[[0, 1], [1, 3]]).mean(), rtol=1e-5)


def test_squared_slope_of_a_plane_is_known():
    plane = keras.Sequential([layers.Input((2,)), layers.Dense(1)])
    plane.set_weights([np.array([[3.0], [4.0]]), np.zeros(1)])
    assert np.isclose(gan.squared_slope(plane, tf.random.normal((7, 2))), 25)


def _small_pair(seed=0):
    keras.utils.set_random_seed(seed)
    generator = keras.Sequential([layers.Input((2,)), layers.Dense(2)])
    discriminator = keras.Sequential([layers.Input((2,)), layers.Dense(16, "relu"), layers.Dense(1)])
    return generator, discriminator


def test_a_step_improves_each_network_against_the_other():
    """Catches a swapped sign and a network that the wrong optimiser changes."""
    z, real = tf.random.normal((512, 2)), tf.random.normal((512, 2)) + [4.0, 0.0]

    generator, discriminator = _small_pair()
    fake = generator(z)
    before = gan.discriminator_loss(discriminator(real), discriminator(fake))
    step = gan.adversarial_step(generator, discriminator, rate=0.0, discriminator_rate=1e-2)
    for _ in range(5):
        step(real)
    assert gan.discriminator_loss(discriminator(real), discriminator(fake)) < before
    assert np.array_equal(fake, generator(z)), "the discriminator's step changed the generator"

    for loss in (gan.non_saturating_loss, gan.minimax_loss):
        generator, discriminator = _small_pair()
        before = loss(discriminator(generator(z)))
        judge = discriminator.get_weights()
        step = gan.adversarial_step(generator, discriminator, rate=1e-2, discriminator_rate=1e-12, generator_loss=loss)
        for _ in range(5):
            step(real)
        assert loss(discriminator(generator(z))) < before
        assert np.allclose(judge[0], discriminator.get_weights()[0]), "the generator's step changed the discriminator"


def _pair_with_classes():
    """A generator and a discriminator of points in the plane that take, and name, one of two classes."""
    keras.utils.set_random_seed(0)
    z, label, point = layers.Input((2,)), layers.Input((), dtype="int32"), layers.Input((2,))
    made = layers.Dense(2)(layers.Concatenate()([z, layers.Embedding(2, 2)(label)]))
    hidden = layers.Dense(16, "relu")(point)
    return keras.Model([z, label], made), keras.Model(point, [layers.Dense(1)(hidden), layers.Dense(2)(hidden)])


def test_with_classes_both_networks_lower_the_loss_of_the_class_head():
    labels, z = tf.constant(np.arange(256) % 2, tf.int32), tf.random.normal((256, 2), seed=1)
    real = tf.one_hot(labels, 2) * 4.0
    generator, discriminator = _pair_with_classes()
    before = gan.class_loss(discriminator(real)[1], labels)
    step = gan.adversarial_step(generator, discriminator, rate=0.0, discriminator_rate=2e-2)
    for _ in range(100):
        d_loss, _ = step(real, labels)
    assert gan.class_loss(discriminator(real)[1], labels) < min(0.1, before)
    logit, fake = discriminator(real)[0], discriminator(generator([z, labels]))
    assert (
        float(d_loss) < gan.discriminator_loss(logit, fake[0]) + 0.5
    )  # the class loss of generated points is not in it
    judge = discriminator.get_weights()
    before = gan.class_loss(fake[1], labels)
    step = gan.adversarial_step(generator, discriminator, rate=2e-2, discriminator_rate=1e-12)
    for _ in range(200):
        step(real, labels)
    assert gan.class_loss(discriminator(generator([z, labels]))[1], labels) < before / 2
    assert np.allclose(judge[0], discriminator.get_weights()[0]), "the generator's step changed the discriminator"


def test_the_running_mean_follows_the_generator_and_changes_nothing():
    last = []
    for averaged in (False, True):
        generator, discriminator = _small_pair()
        mean, _ = _small_pair(seed=5)
        expected = mean.get_weights()
        step = gan.adversarial_step(generator, discriminator, rate=1e-2, mean=mean if averaged else None, decay=0.9)
        tf.random.set_seed(3)
        for number in range(1, 101):
            step(tf.zeros((8, 2)))
            kept = min(0.9, number / (number + 9))  # 0.1 at first: the first weights are soon forgotten
            pairs = zip(expected, generator.get_weights(), strict=True)
            expected = [kept * average + (1 - kept) * weight for average, weight in pairs]
        last.append(generator.get_weights())
    assert all(np.allclose(a, b) for a, b in zip(*last, strict=True)), "the running mean changed the training"
    assert all(np.allclose(a, b, atol=1e-5) for a, b in zip(mean.get_weights(), expected, strict=True))
    assert not np.allclose(mean.get_weights()[0], last[1][0], atol=1e-5)


def test_the_slope_penalty_flattens_the_discriminator():
    slopes = []
    for r1 in (0.0, 50.0):
        generator, discriminator = _small_pair()
        step = gan.adversarial_step(generator, discriminator, rate=1e-2, r1=r1)
        real = tf.random.normal((256, 2), seed=1) + [4.0, 0.0]
        for _ in range(40):
            step(real)
        slopes.append(float(gan.squared_slope(discriminator, real)))
    assert slopes[1] < slopes[0] / 2


def test_new_latent_vectors_are_drawn_in_each_step():
    seen = []

    class Spy(layers.Layer):
        def call(self, z):
            tf.py_function(lambda value: seen.append(value.numpy()), [z], [])
            return z

    generator = keras.Sequential([layers.Input((2,)), Spy(), layers.Dense(2)])
    _, discriminator = _small_pair()
    step = gan.adversarial_step(generator, discriminator)
    for _ in range(2):
        step(tf.zeros((3, 2)))
    drawn = [z for z in seen if len(z) == 3]
    assert len(drawn) >= 4 and all(not np.array_equal(a, b) for a, b in zip(drawn, drawn[1:], strict=False))


def test_train_goes_through_the_images_in_epochs_and_watches():
    batches, moments = [], []

    def step(real, labels):
        batches.append((real.numpy()[:, 0], labels.numpy()))
        return 1.0, 2.0

    images = np.arange(10, dtype=np.float32)[:, None]
    losses, seen = gan.train(
        step, images, 4, labels=np.arange(10), batch_size=5, at=(0, 3), watch=lambda: moments.append(0) or len(batches)
    )
    assert losses.shape == (4, 2) and seen == [0, 3]
    assert all(np.array_equal(x, y) for x, y in batches), "labels do not belong to their images"
    for epoch in (0, 2):
        assert sorted(np.concatenate([batches[epoch][0], batches[epoch + 1][0]])) == list(range(10))
    assert not np.array_equal(batches[0][0], batches[2][0])


def test_kid_is_unbiased_and_grows_with_the_difference():
    rng = np.random.default_rng(0)
    same = [gan.kid(rng.normal(size=(20, 4)), rng.normal(size=(30, 4))) for _ in range(300)]
    assert abs(np.mean(same)) < 4 * np.std(same) / np.sqrt(300) and min(same) < 0
    apart = [gan.kid(rng.normal(size=(50, 4)), rng.normal(size=(50, 4)) + shift) for shift in (0.5, 1.0, 2.0)]
    assert apart == sorted(apart) and apart[0] > np.mean(same)


def test_slices_that_share_patients_lift_the_kid_above_0():
    """Two sets of one distribution, four like features of each patient: what lesson 14 says of its floors."""
    rng = np.random.default_rng(0)
    patients = [np.repeat(rng.normal(size=(20, 4)), 4, axis=0) for _ in range(200)]
    lifted = [gan.kid(a, b) for a, b in zip(patients[::2], patients[1::2], strict=True)]
    assert np.mean(lifted) > 5 * np.std(lifted) / np.sqrt(100)


def test_kid_agrees_with_the_sum_over_pairs():
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(4, 3)), rng.normal(size=(5, 3))

    def k(x, y):
        return (x @ y / 3 + 1) ** 3

    within = [np.mean([k(x, y) for i, x in enumerate(s) for j, y in enumerate(s) if i != j]) for s in (a, b)]
    between = np.mean([k(x, y) for x in a for y in b])
    assert np.isclose(gan.kid(a, b), sum(within) - 2 * between)


@pytest.mark.parametrize("a, b", [((1, 3), (5, 3)), ((5, 3), (5, 4)), ((5,), (5,))])
def test_kid_says_what_it_needs(a, b):
    with pytest.raises(ValueError, match="at least two"):
        gan.kid(np.zeros(a), np.zeros(b))


def test_nearest_finds_the_copy():
    rng = np.random.default_rng(0)
    reference = rng.random((20, 4, 4, 1))
    index, distance = gan.nearest(reference[[7, 3]] + 0.001, reference)
    assert index.tolist() == [7, 3] and np.allclose(distance, 0.004, atol=1e-5)
