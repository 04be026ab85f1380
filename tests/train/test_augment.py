"""Augmentation against straight-line NumPy, with chances that the test chooses; and what chance does."""

import math

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")

from train import augment as module  # noqa: E402
from train.augment import KINDS, adjusted_probability, augment  # noqa: E402

RANDOM = np.random.RandomState(0)
SEED = tf.constant([3, 4])


def pictures(count=3, size=8, channels=3):
    return RANDOM.uniform(-1, 1, (count, size, size, channels)).astype(np.float32)


def augmented(images, *kinds, probability=1.0, seed=SEED):
    return augment(tf.constant(images), kinds, tf.constant(probability), seed).numpy()


@pytest.fixture
def chosen(monkeypatch):
    """Puts values in the place of chance, in the order in which a kind asks for them."""

    def choose(*values):
        queue = [tf.constant(v, tf.float32) for v in values]

        class Chosen(module._Chance):
            def _next(self, *_):
                return queue.pop(0)

            normal = uniform = whole = places = chosen = _next

        monkeypatch.setattr(module, "_Chance", Chosen)

    return choose


def resampled(image, matrix):
    """`image` [H, W, C] read, bilinearly, at `matrix` [3, 3] of each place, in float64; edges −1 to 1 are mirrored."""
    size = len(image)
    wide = np.pad(image.astype(np.float64), ((size, size), (size, size), (0, 0)), mode="symmetric")
    result = np.zeros(image.shape)
    for row in range(size):
        for column in range(size):
            x, y, _ = matrix @ [(2 * column + 1) / size - 1, (2 * row + 1) / size - 1, 1]
            x, y = ((v + 1) / 2 * size - 0.5 + size for v in (x, y))
            left, top = math.floor(x), math.floor(y)
            for i in (0, 1):
                for j in (0, 1):
                    weight = (1 - abs(x - left - i)) * (1 - abs(y - top - j))
                    result[row, column] += weight * wide[top + j, left + i]
    return result


def turn(angle):
    return np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])


@pytest.mark.parametrize("size", [8, 28])
@pytest.mark.parametrize("channels", [1, 3])
def test_without_chance_nothing_changes_by_a_bit(size, channels):
    images = pictures(size=size, channels=channels)
    for kinds in [*((kind,) for kind in KINDS), KINDS]:
        np.testing.assert_array_equal(augmented(images, *kinds, probability=0.0), images, err_msg=str(kinds))


def test_flip(chosen):
    images = pictures()
    chosen([1, 0, 1])
    expected = np.stack([images[0][:, ::-1], images[1], images[2][:, ::-1]])
    np.testing.assert_array_equal(augmented(images, "flip"), expected)


def test_rotate90(chosen):
    images = pictures(4)
    chosen([0, 1, 2, 3])
    expected = np.stack([np.rot90(image, k) for k, image in enumerate(images)])
    np.testing.assert_allclose(augmented(images, "rotate90"), expected, atol=1e-5)


def test_translate_moves_whole_pixels_and_mirrors_the_edge(chosen):
    images = pictures(2, size=16)
    chosen([0.25, -0.13], [0.0, 0.07])  # of a pixel of 2/16: 2 and −1 across, 0 and 1 down
    wide = np.pad(images, ((0, 0), (2, 2), (2, 2), (0, 0)), mode="symmetric")
    expected = np.stack([wide[0, 2:18, 4:20], wide[1, 3:19, 1:17]])
    np.testing.assert_allclose(augmented(images, "translate"), expected, atol=1e-6)


def test_geometry(chosen):
    images = pictures(2)
    scale, first, stretch, second = [0.3, -0.4], [0.2, -0.3], [-0.25, 0.4], [0.35, 0.1]
    across, down = [0.1, -0.33], [-0.2, 0.05]
    chosen(scale, stretch, first, second, across, down)
    for i, got in enumerate(augmented(images, "geometry")):
        matrix = np.diag([2.0 ** -scale[i]] * 2 + [1]) @ turn(first[i])
        matrix = matrix @ np.diag([2.0 ** -stretch[i], 2.0 ** stretch[i], 1]) @ turn(second[i])
        matrix = matrix @ [[1, 0, across[i]], [0, 1, down[i]], [0, 0, 1]]
        np.testing.assert_allclose(got, resampled(images[i], matrix), atol=1e-5)


def test_geometry_reads_far_beyond_the_edge(chosen):
    images = pictures(1)
    chosen([-1.0], [0.0], [0.0], [0.0], [0.4], [0.0])
    matrix = np.array([[2, 0, 0.8], [0, 2, 0], [0, 0, 1]])
    np.testing.assert_allclose(augmented(images, "geometry")[0], resampled(images[0], matrix), atol=1e-5)


def test_colour_of_grey_pictures_is_contrast_and_brightness(chosen):
    images = pictures(2, channels=1)
    chosen([0.5, -1.0], [0.1, -0.2])
    expected = images * np.reshape([2**0.5, 0.5], (2, 1, 1, 1)) + np.reshape([0.1, -0.2], (2, 1, 1, 1))
    np.testing.assert_allclose(augmented(images, "color"), expected, rtol=1e-6, atol=1e-6)


def test_colour_turns_and_stretches_what_is_not_grey(chosen):
    images = pictures(2)
    angle, saturation = [0.7, -2.0], [1.3, -0.8]
    chosen([0.0, 0.0], [0.0, 0.0], angle, saturation)
    grey = np.ones(3) / np.sqrt(3)
    first = np.array([1, -1, 0]) / np.sqrt(2)
    second = np.cross(grey, first)
    for i, got in enumerate(augmented(images, "color")):
        along = images[i] @ np.stack([grey, first, second], axis=1)  # coordinates in a basis with the grey axis
        turned = (along[..., 1] + 1j * along[..., 2]) * np.exp(1j * angle[i]) * 2.0 ** saturation[i]
        expected = along[..., :1] * grey + turned.real[..., None] * first + turned.imag[..., None] * second
        np.testing.assert_allclose(got, expected, atol=1e-5)


def test_cutout_is_a_grey_square_of_half_the_side(chosen):
    images = pictures(3)
    chosen([4, 0, 4], [4, 7, 4], [1, 1, 0])
    expected = images.copy()
    expected[0, 2:6, 2:6] = 0
    expected[1, 0:2, 5:8] = 0
    np.testing.assert_array_equal(augmented(images, "cutout"), expected)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_those_of_a_linear_map(kind):
    """Every kind is linear in the pictures but for brightness, which adds a constant: <g, Ax − A0> = <Aᵀg, x>."""
    images, g = tf.constant(pictures()), pictures()
    with tf.GradientTape() as tape:
        tape.watch(images)
        changed = augment(images, (kind,), tf.constant(1.0), SEED)
        total = tf.reduce_sum(g * changed)
    transposed = tape.gradient(total, images).numpy().astype(np.float64)
    constant = augmented(np.zeros_like(images), kind)
    assert np.sum(g * (changed - constant)) == pytest.approx(np.sum(transposed * images), rel=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_says_what_happens(kind):
    images = pictures(16)
    first, again = augmented(images, kind), augmented(images, kind)
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - augmented(images, kind, seed=SEED + 1)).max() > 0.1
    assert np.abs(first - images).max() > 0.1


@pytest.mark.parametrize("probability", [0.25, 0.8, 1.0])
def test_the_probability_is_each_picture_s_own(probability):
    images = np.ones((2000, 4, 4, 1), np.float32)
    changed = (augmented(images, "cutout", probability=probability) != images).any(axis=(1, 2, 3))
    deviation = math.sqrt(probability * (1 - probability) / 2000)
    assert abs(changed.mean() - probability) <= 4 * deviation


def test_translate_goes_as_far_as_an_eighth_in_all_directions():
    images = np.zeros((500, 16, 16, 1), np.float32)
    images[:, 8, 8] = 1.0
    _, rows, columns, _ = np.nonzero(augmented(images, "translate") > 0.5)
    assert len(rows) == 500 and set(rows) == set(columns) == {6, 7, 8, 9, 10}


def test_the_adaptive_probability_steps_towards_its_target_within_bounds():
    def adjusted(probability, overfitting):
        return float(adjusted_probability(tf.constant(probability), tf.constant(overfitting), 0.6, 0.01))

    assert adjusted(0.3, 0.7) == pytest.approx(0.31)
    assert adjusted(0.3, 0.5) == pytest.approx(0.29)
    assert adjusted(0.3, 0.6) == pytest.approx(0.3)
    assert adjusted(0.0, -1.0) == 0.0
    assert adjusted(0.799, 1.0) == pytest.approx(0.8)
