"""Augmentation of what the discriminator sees, real and generated alike, so that a small set is not learnt by heart.

Each picture is turned, moved and recoloured by chance, differentiably; applied with a probability below about 0.8, what
was done does not leak into what the generator draws. Pictures are [N, H, W, C] in −1…1.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from train.random import normal, stream, uniform

__all__ = ["KINDS", "adjusted_probability", "augment"]

Tensor = Any

HIGHEST = 0.8
"""Above it the generator would begin to draw augmented pictures (Karras et al. 2020, section 2.2 and figure 4)."""


def augment(images: Tensor, kinds: tuple[str, ...], probability: Tensor, seed: Tensor) -> Tensor:
    """Each of the transformations of `kinds`, independently, with this probability for each picture.

    Args:
        images: [N, H, W, C] in −1…1.
        kinds: Some of `KINDS`.
        probability: [] in 0…1.
        seed: int32 [2], of a stateless stream.

    Returns:
        [N, H, W, C]; pixels from beyond the edge are mirrored in.

    DiffAugment is the kinds color, translate and cutout with probability 1; it differs in that it shifts zeros in from
    beyond the edge, draws its factors uniformly, and turns no hues.

    Milder than published: pictures are turned by up to an eighth of half a turn and not all the way round, with this
    probability each time, and moved in fractions by half as much.

    Source: Karras et al. 2020 (Training GANs with limited data), section 2.2 and appendix B, with bilinear sampling in
        place of the wavelet filter; cutout from Zhao et al. 2020 (DiffAugment), section 3.
    """
    count = tf.shape(images)[0]
    chance = _Chance(seed, count, probability, int(images.shape[1]))
    inverse = tf.eye(3, batch_shape=[count])
    for kind in kinds:
        if kind in _GEOMETRY:
            for step in _GEOMETRY[kind](chance):
                inverse = inverse @ step
    if any(kind in _GEOMETRY for kind in kinds):
        images = _resample(images, inverse)
    if "color" in kinds:
        images = _recolour(images, chance)
    return _cut_out(images, chance) if "cutout" in kinds else images


def adjusted_probability(probability: Tensor, overfitting: Tensor, target: float, pictures: float) -> Tensor:
    """The probability for the next step: up where the discriminator knows real pictures too well, else down.

    Args:
        probability: [] in 0…1.
        overfitting: Mean of sign(D(real)), lately: near 1 where the real pictures are known by heart.
        target: The value to hold.
        pictures: Pictures of a step, as a share of those in which the probability goes from 0 to 1.

    Source: Karras et al. 2020 (Training GANs with limited data), section 3.
    """
    return tf.clip_by_value(probability + tf.sign(overfitting - target) * pictures, 0.0, HIGHEST)


class _Chance:
    """Random numbers for N pictures of `size` pixels; each call takes the next stream."""

    def __init__(self, seed: Tensor, count: Tensor, probability: Tensor, size: int) -> None:
        self._seed, self._count, self._probability, self._stream = seed, count, probability, 0
        self.size = size

    def _key(self) -> Tensor:
        self._stream += 1
        return stream(self._seed, self._stream)

    def normal(self, deviation: float) -> Tensor:
        """[N]: normal, and 0 in pictures that are left alone."""
        return self._sometimes(normal([self._count], self._key()) * deviation)

    def uniform(self, low: float, high: float) -> Tensor:
        """[N]: uniform, and 0 in pictures that are left alone."""
        return self._sometimes(uniform([self._count], self._key(), low, high))

    def whole(self, end: int) -> Tensor:
        """[N]: 0 … end − 1, and 0 in pictures that are left alone."""
        return self._sometimes(tf.floor(uniform([self._count], self._key(), 0.0, float(end))))

    def places(self, size: int) -> Tensor:
        """[N]: 0 … size − 1, in every picture."""
        return tf.floor(uniform([self._count], self._key(), 0.0, float(size)))

    def chosen(self) -> Tensor:
        """[N]: 1 in pictures that are changed, else 0."""
        return self._sometimes(tf.ones([self._count]))

    def _sometimes(self, values: Tensor) -> Tensor:
        drawn = uniform([self._count], self._key())
        return tf.where(drawn < self._probability, values, 0.0)


def _flip(chance: _Chance) -> list[Tensor]:
    return [_affine(1.0 - 2.0 * chance.whole(2), 0.0, 0.0, 1.0)]


def _rotate90(chance: _Chance) -> list[Tensor]:
    return [_rotation(chance.whole(4) * (math.pi / 2))]


def _translate(chance: _Chance) -> list[Tensor]:
    """By up to an eighth of the side, in whole pixels: where it is always done, D still sees what is sharp."""
    pixel = 2.0 / chance.size
    across, down = (tf.round(chance.uniform(-0.25, 0.25) / pixel) * pixel for _ in range(2))
    return [_affine(1.0, 0.0, 0.0, 1.0, across, down)]


def _geometry(chance: _Chance) -> list[Tensor]:
    """Scale, turn, stretch, turn back some other way, move a fraction."""
    scale = tf.pow(2.0, chance.normal(0.2))
    stretch = tf.pow(2.0, chance.normal(0.2))
    return [
        _affine(1.0 / scale, 0.0, 0.0, 1.0 / scale),
        _rotation(chance.uniform(-math.pi / 8, math.pi / 8)),
        _affine(1.0 / stretch, 0.0, 0.0, stretch),
        _rotation(chance.uniform(-math.pi / 8, math.pi / 8)),
        _affine(1.0, 0.0, 0.0, 1.0, chance.normal(0.125), chance.normal(0.125)),
    ]


_GEOMETRY: dict[str, Callable[[_Chance], list[Tensor]]] = {
    "flip": _flip,
    "rotate90": _rotate90,
    "translate": _translate,
    "geometry": _geometry,
}
KINDS = (*_GEOMETRY, "color", "cutout")
"""What `augment` can do."""


def _affine(a: Tensor, b: Tensor, c: Tensor, d: Tensor, x: Tensor = 0.0, y: Tensor = 0.0) -> Tensor:
    """[[a, b, x], [c, d, y], [0, 0, 1]] for each picture: [N, 3, 3] from [N] and numbers."""
    values = [a, b, x, c, d, y, 0.0, 0.0, 1.0]
    shape = next(tf.shape(v) for v in values if tf.is_tensor(v))
    return tf.reshape(tf.stack([tf.broadcast_to(tf.cast(v, tf.float32), shape) for v in values], axis=-1), [-1, 3, 3])


def _rotation(angle: Tensor) -> Tensor:
    return _affine(tf.cos(angle), -tf.sin(angle), tf.sin(angle), tf.cos(angle))


def _resample(images: Tensor, inverse: Tensor) -> Tensor:
    """Pictures read at `inverse` [N, 3, 3] of each place, bilinearly; coordinates go from −1 to 1, edge to edge.

    By gathers, since TensorFlow's own projective transform has only an approximate gradient.
    """
    size, channels = int(images.shape[1]), int(images.shape[3])
    middle = (size - 1) / 2.0
    centres = tf.range(size, dtype=tf.float32) - middle  # in pixels, which keeps an unmoved picture exact
    across, down = tf.meshgrid(centres, centres)
    places = tf.stack([across, down, tf.fill([size, size], size / 2.0)], axis=-1)  # [H, W, 3]
    read = tf.einsum("nij,hwj->nhwi", inverse[:, :2], places) + middle  # [N, H, W, 2]
    low = tf.floor(read)
    share = read - low
    first = tf.range(tf.shape(images)[0])[:, None, None] * (size * size)
    flat = tf.reshape(images, [-1, channels])
    total: Tensor = 0.0
    for right in (0, 1):
        for below in (0, 1):
            x, y = (_mirrored(tf.cast(low[..., i], tf.int32) + o, size) for i, o in ((0, right), (1, below)))
            weight = (share[..., 0] if right else 1 - share[..., 0]) * (share[..., 1] if below else 1 - share[..., 1])
            total += tf.gather(flat, first + y * size + x) * tf.cast(weight, images.dtype)[..., None]
    return total


def _mirrored(index: Tensor, size: int) -> Tensor:
    """Places beyond the edge, mirrored in it."""
    index = tf.math.floormod(index, 2 * size)
    return tf.minimum(index, 2 * size - 1 - index)


def _recolour(images: Tensor, chance: _Chance) -> Tensor:
    """Brightness, contrast, and for RGB hue and saturation."""
    images = images * tf.pow(2.0, chance.normal(0.5))[:, None, None, None] + chance.normal(0.2)[:, None, None, None]
    if images.shape[-1] != 3:
        return images
    grey = tf.fill([3, 3], 1.0 / 3.0)  # onto the grey axis
    cross = tf.constant([[0, -1, 1], [1, 0, -1], [-1, 1, 0]], tf.float32) / math.sqrt(3.0)
    angle = chance.uniform(-math.pi, math.pi)[:, None, None]
    turned = tf.cos(angle) * tf.eye(3) + tf.sin(angle) * cross + (1.0 - tf.cos(angle)) * grey  # Rodrigues
    saturation = tf.pow(2.0, chance.normal(1.0))[:, None, None]
    matrix = (grey + saturation * (tf.eye(3) - grey)) @ turned  # [N, 3, 3]
    return tf.einsum("nhwc,ndc->nhwd", images, matrix)


def _cut_out(images: Tensor, chance: _Chance) -> Tensor:
    """A grey square of half the side, at any place."""
    size = int(images.shape[1])
    line = tf.range(size, dtype=tf.float32)[None, :]
    offsets = (line - chance.places(size)[:, None] for _ in range(2))
    rows, columns = ((-size / 4.0 <= offset) & (offset < size / 4.0) for offset in offsets)
    hidden = tf.cast(rows[:, :, None] & columns[:, None, :], images.dtype)[..., None]
    return images * (1.0 - hidden * tf.cast(chance.chosen(), images.dtype)[:, None, None, None])
