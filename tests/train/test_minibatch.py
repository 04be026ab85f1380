"""What D is told of a whole minibatch, on pictures of known distances; and that it keeps a toy from collapsing."""

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")

from train.discriminators.minibatch import minibatch_similarity, minibatch_stddev  # noqa: E402
from train.losses.adversarial import ADVERSARIAL  # noqa: E402


def test_stddev_of_known_groups():
    x = np.zeros((4, 2, 2, 4), np.float32)
    x[0], x[1] = 1.0, -1.0  # the first group differs by a standard deviation of 1, the second not at all
    got = minibatch_stddev(tf.constant(x), 2, 2).numpy()
    assert got.shape == (4, 2, 2, 2)
    np.testing.assert_allclose(got[:2], 1.0, rtol=1e-4)
    np.testing.assert_allclose(got[2:], 1e-4, rtol=1e-3)  # √1e-8, the guard


def test_stddev_keeps_its_statistics_apart():
    x = np.zeros((2, 1, 1, 4), np.float32)
    x[0, ..., 2:] = 2.0  # only the second half of the channels differs
    got = minibatch_stddev(tf.constant(x), 2, 2).numpy()[0, 0, 0]
    np.testing.assert_allclose(got, [1e-4, 1.0], rtol=1e-3)


def test_similarity_is_a_sum_over_the_others_of_the_group():
    random = np.random.RandomState(0)
    features, kernel, group = random.randn(6, 5), random.randn(5, 4, 3) * 0.3, 3
    expected = np.zeros((6, 4))
    for i in range(6):
        for j in range(6):
            if i != j and i // group == j // group:
                for b in range(4):
                    expected[i, b] += np.exp(-np.abs((features[i] - features[j]) @ kernel[:, b]).sum())
    got = minibatch_similarity(tf.constant(features), tf.constant(kernel), group)
    np.testing.assert_allclose(got, expected, rtol=1e-10)


def test_similarity_of_one_picture_again_and_again_is_all_the_others():
    features = tf.constant(np.tile([[0.3, -0.2]], (4, 1)))
    kernel = tf.constant(np.random.RandomState(0).randn(2, 3, 2))
    np.testing.assert_allclose(minibatch_similarity(features, kernel, 4), np.full((4, 3), 3.0))
    apart = features * tf.constant([[1.0], [1e4], [1e8], [1e12]], tf.float64)
    np.testing.assert_allclose(minibatch_similarity(apart, kernel, 4), np.zeros((4, 3)), atol=1e-12)


RING, BATCH, WIDTH, STEPS, BETWEEN = 2.0, 32, 32, 600, 50
SPREAD = 4 * RING / np.pi
"""Mean distance of two points of the ring."""


def ring_of_eight(key):
    angle = tf.cast(tf.random.stateless_uniform([BATCH], key, 0, 8, tf.int32), tf.float32) * (np.pi / 4)
    points = RING * tf.stack([tf.cos(angle), tf.sin(angle)], axis=1)
    return points + 0.02 * tf.random.stateless_normal([BATCH, 2], key + 1)


def spread_of_what_is_drawn(views):
    """Median of the mean distance of two generated points, read through the second half of a short training.

    The generator learns twenty times as fast as the discriminator: it runs to wherever D believes most, all at once.
    """
    loss, random = ADVERSARIAL["non-saturating"], np.random.RandomState(0)

    def dense(into, out, gain=2.0):
        weight = random.randn(into, out) * np.sqrt(gain / into)
        return [tf.Variable(weight, dtype=tf.float32), tf.Variable(tf.zeros([out]))]

    g = [*dense(4, WIDTH), *dense(WIDTH, WIDTH), *dense(WIDTH, 2, gain=1.0)]
    d = [*dense(2, WIDTH), *dense(WIDTH, WIDTH), *dense(WIDTH + views, 1, gain=1.0)]
    view = [tf.Variable(random.randn(WIDTH, views, 3) * np.sqrt(2 / WIDTH), dtype=tf.float32)] if views else []
    g_adam, d_adam = tf.keras.optimizers.Adam(2e-2), tf.keras.optimizers.Adam(1e-3)
    g_adam.build(g), d_adam.build(d + view)

    def hidden(x, layers):
        for i in (0, 2):
            x = tf.nn.leaky_relu(x @ layers[i] + layers[i + 1], 0.2)
        return x

    def draw(key, count=BATCH):
        return hidden(tf.random.stateless_normal([count, 4], key), g) @ g[4] + g[5]

    def judge(x):
        x = hidden(x, d)
        if views:
            x = tf.concat([x, minibatch_similarity(x, view[0], BATCH)], axis=1)
        return (x @ d[4] + d[5])[:, 0]

    def step(i):
        key = tf.stack([0, 10 * i])
        with tf.GradientTape() as tape:
            value = loss.discriminator(judge(ring_of_eight(key)), judge(draw(key + 2)))
        d_adam.apply(tape.gradient(value, d + view), d + view)
        with tf.GradientTape() as tape:
            value = loss.generator(judge(draw(key + 3)))
        g_adam.apply(tape.gradient(value, g), g)
        return i + 1

    @tf.function(autograph=False)
    def train(first):
        tf.while_loop(lambda i: i < first + BETWEEN, step, [first], parallel_iterations=1)
        points = draw(tf.constant([7, 7]), 256)
        return tf.reduce_sum(tf.norm(points[:, None] - points + 1e-12, axis=2)) / (256 * 255)

    readings = [float(train(tf.constant(i))) for i in range(0, STEPS, BETWEEN)]
    return np.median(readings[len(readings) // 2 :])


@pytest.mark.slow
def test_minibatch_discrimination_keeps_a_generator_from_collapsing():
    alone, together = spread_of_what_is_drawn(0), spread_of_what_is_drawn(8)
    assert alone < 0.5 * SPREAD, "without it the generator should have collapsed"
    assert 0.75 * SPREAD < together < 2 * SPREAD
