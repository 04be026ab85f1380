"""`TensorFlowOps`: training and SavedModel. Maps are [N, H, W, C]; every operation has a second gradient.

The only module of `ops` that imports TensorFlow.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from ganexport.ops.protocol import EPSILON, Fir, Ops, Padding, fir_taps

__all__ = ["TensorFlowOps"]

Tensor = Any
"""A `tf.Tensor` or `tf.Variable`; TensorFlow ships no types that mypy can use."""


class TensorFlowOps(Ops[Tensor, Tensor]):
    """The same functions on TensorFlow, differentiable; weights are canonical tensors, constant or trained."""

    def dense(self, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        y = tf.linalg.matmul(x, _like(weight, x), transpose_b=True)
        return y if bias is None else y + _like(bias, y)

    def concat(self, xs: Sequence[Tensor]) -> Tensor:
        return tf.concat(list(xs), axis=-1)

    def mean_square(self, x: Tensor) -> Tensor:
        return tf.reduce_mean(tf.square(x), axis=1, keepdims=True)

    def as_map(self, x: Tensor, size: int) -> Tensor:
        return tf.tile(x[:, None, None, :], [1, size, size, 1])

    def as_picture(self, x: Tensor, channels: int) -> Tensor:
        size = math.isqrt(x.shape[1] // channels)
        return tf.transpose(tf.reshape(x, [-1, channels, size, size]), [0, 2, 3, 1])

    def as_vector(self, x: Tensor) -> Tensor:
        return x[:, 0, 0, :]

    def as_ws(self, x: Tensor, num_ws: int) -> Tensor:
        return tf.reshape(x, [-1, num_ws, x.shape[1] // num_ws])

    def feature(self, x: Tensor, index: int) -> Tensor:
        return x[:, index : index + 1]

    def truncate(self, w: Tensor, w_avg: Tensor, psi: Tensor) -> Tensor:
        w_avg = _like(w_avg, w)
        return w_avg + psi[:, :, None] * (w - w_avg)[:, None, :]

    def select_w(self, ws: Tensor, index: int) -> Tensor:
        return ws[:, index]

    def add(self, a: Tensor, b: Tensor) -> Tensor:
        return a + b

    def multiply(self, a: Tensor, b: Tensor) -> Tensor:
        return a * b

    def scale(self, x: Tensor, factor: float) -> Tensor:
        return x * tf.constant(factor, x.dtype)

    def shift(self, x: Tensor, amount: float) -> Tensor:
        return x + tf.constant(amount, x.dtype)

    def rsqrt(self, x: Tensor, floor: float) -> Tensor:
        return tf.math.rsqrt(tf.maximum(x, tf.constant(floor, x.dtype)))

    def relu(self, x: Tensor) -> Tensor:
        return tf.nn.relu(x)

    def leaky_relu(self, x: Tensor, slope: float) -> Tensor:
        return tf.nn.leaky_relu(x, slope)

    def tanh(self, x: Tensor) -> Tensor:
        return tf.tanh(x)

    def sine(self, x: Tensor) -> Tensor:
        return tf.sin((x - tf.round(x)) * tf.constant(2.0 * np.pi, x.dtype))

    def erf(self, x: Tensor) -> Tensor:
        return tf.math.erf(x)

    def clip(self, x: Tensor, limit: float) -> Tensor:
        return tf.clip_by_value(x, -limit, limit)

    def constant_map(self, const: Tensor) -> Tensor:
        return tf.transpose(const, [1, 2, 0])[None]

    def ramps(self, right: Tensor, down: Tensor, offset: Tensor, positions: NDArray[np.float64]) -> Tensor:
        right, down, offset = (v[:, None, None, :] for v in (right, down, offset))  # [N, 1, 1, C]
        x = tf.constant(positions, right.dtype)[:, None]  # [S, 1]
        return right * x + (down * x[:, None] + offset)

    def scale_channels(self, x: Tensor, s: Tensor) -> Tensor:
        return _like(x, s) * s[:, None, None, :]  # the const map is a float32 weight

    def shift_channels(self, x: Tensor, s: Tensor) -> Tensor:
        return _like(x, s) + s[:, None, None, :]

    def add_bias(self, x: Tensor, bias: Tensor) -> Tensor:
        return x + _like(bias, x)

    def add_noise(self, x: Tensor, noise_const: Tensor, noise_strength: Tensor, noise_scale: Tensor) -> Tensor:
        noise = _like(noise_const[:, :, None] * noise_strength, x)  # [H, W, 1 or C]
        return x + noise[None] * _like(noise_scale, x)[:, None, None, None]

    def add_given_noise(self, x: Tensor, noise: Tensor, noise_strength: Tensor) -> Tensor:
        one_channel = tf.reshape(_like(noise, x), [-1, *x.shape[1:3], 1])  # [N, H, W, 1]
        return x + one_channel * _like(noise_strength, x)

    def noise_window(self, noise: Tensor, size: int) -> Tensor:
        return tf.transpose(noise[:, :size, :size], [0, 3, 2, 1])

    def const_window(self, noise_const: Tensor, size: int) -> Tensor:
        return tf.transpose(noise_const[:size, :size])

    def conv2d(self, x: Tensor, kernel: Tensor, padding: int, stride: int = 1) -> Tensor:
        kernel = tf.transpose(_like(kernel, x), [2, 3, 1, 0])  # [kh, kw, I, O]
        if kernel.shape[0] == 2 * padding + 1 and stride == 1:
            return tf.nn.conv2d(x, kernel, strides=1, padding="SAME")
        return tf.nn.conv2d(x, kernel, stride, [[0, 0], [padding, padding], [padding, padding], [0, 0]])

    def depthwise_conv2d(self, x: Tensor, kernel: Tensor, padding: int) -> Tensor:
        kernel = tf.transpose(_like(kernel, x), [2, 3, 0, 1])  # [kh, kw, C, 1]
        return tf.nn.depthwise_conv2d(_pad(x, (padding, padding)), kernel, [1] * 4, "VALID")

    def conv_transpose2d(self, x: Tensor, kernel: Tensor, stride: int, padding: int) -> Tensor:
        kernel = tf.transpose(_like(kernel, x), [2, 3, 0, 1])  # [kh, kw, O, I]
        kh, kw, channels, _ = kernel.shape
        n, h, w = tf.shape(x)[0], tf.shape(x)[1], tf.shape(x)[2]
        shape = tf.stack([n, (h - 1) * stride + kh, (w - 1) * stride + kw, channels])
        y = tf.nn.conv2d_transpose(x, kernel, shape, stride, "VALID")
        return _pad(y, (-padding, -padding))

    def reflect_pad2d(self, x: Tensor, width: int) -> Tensor:
        return tf.pad(x, [[0, 0], [width, width], [width, width], [0, 0]], "REFLECT")

    def filter2d(self, x: Tensor, fir: Fir, padding: Padding) -> Tensor:
        taps = np.tile(fir[::-1, ::-1, None, None], (1, 1, x.shape[-1], 1))
        return tf.nn.depthwise_conv2d(_pad(x, padding), tf.constant(taps, x.dtype), [1] * 4, "VALID")

    def upsample2d(self, x: Tensor, fir: Fir) -> Tensor:
        h, w, channels = x.shape[1:]
        taps = fir.shape[0]
        x = tf.reshape(x, [-1, h, 1, w, 1, channels])
        x = tf.pad(x, [[0, 0], [0, 0], [0, 1], [0, 0], [0, 1], [0, 0]])
        x = tf.reshape(x, [-1, 2 * h, 2 * w, channels])
        return self.filter2d(x, fir * 4.0, ((taps + 1) // 2, (taps - 2) // 2))

    def fir_upsample2d(self, x: Tensor, fir: Tensor, factor: int, padding: Padding, gain: float) -> Tensor:
        h, w, channels = x.shape[1:]
        x = tf.reshape(x, [-1, h, 1, w, 1, channels])
        x = tf.pad(x, [[0, 0], [0, 0], [0, factor - 1], [0, 0], [0, factor - 1], [0, 0]])
        x = tf.reshape(x, [-1, factor * h, factor * w, channels])
        return _convolved(_pad(x, padding), _like(fir, x)) * tf.constant(gain, x.dtype)

    def fir_downsample2d(self, x: Tensor, fir: Tensor, factor: int) -> Tensor:
        return _convolved(x, _like(fir, x))[:, ::factor, ::factor, :]

    def nearest_upsample2d(self, x: Tensor) -> Tensor:
        h, w, channels = x.shape[1:]
        x = tf.tile(tf.reshape(x, [-1, h, 1, w, 1, channels]), [1, 1, 2, 1, 2, 1])
        return tf.reshape(x, [-1, 2 * h, 2 * w, channels])

    def bilinear_upsample2d(self, x: Tensor) -> Tensor:
        # Not tf.image.resize, which has no second gradient. What is made of the repeated edges is cut off again.
        edges = tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]], "SYMMETRIC")
        return self.upsample2d(edges, fir_taps((1.0, 3.0, 3.0, 1.0)))[:, 2:-2, 2:-2]

    def instance_norm(self, x: Tensor) -> Tensor:
        return _normalised(x - tf.reduce_mean(x, axis=[1, 2], keepdims=True), [1, 2])

    def channel_pixel_norm(self, x: Tensor) -> Tensor:
        return _normalised(x, [3])

    def channel_norm(self, x: Tensor, gain: Tensor, bias: Tensor, epsilon: float) -> Tensor:
        x = _normalised(x - tf.reduce_mean(x, axis=3, keepdims=True), [3], epsilon)
        return x * _like(gain, x) + _like(bias, x)

    def linear_attention(self, q: Tensor, k: Tensor, v: Tensor, heads: int) -> Tensor:
        h, w, channels = q.shape[1:]
        q, k, v = (tf.reshape(x, [-1, h * w, heads, channels // heads]) for x in (q, k, v))
        context = tf.einsum("nphd,nphe->nhde", tf.nn.softmax(k, axis=1), v)
        return tf.reshape(tf.einsum("nphd,nhde->nphe", tf.nn.softmax(q, axis=3), context), [-1, h, w, channels])

    def kernel_energy(self, kernel: Tensor) -> Tensor:
        return tf.reduce_sum(tf.square(kernel), axis=[2, 3])


def _like(weight: Tensor, x: Tensor) -> Tensor:
    """A weight in the precision of `x`: float32 variables take part in a mixed-precision step."""
    return weight if weight.dtype == x.dtype else tf.cast(weight, x.dtype)


def _normalised(x: Tensor, axes: list[int], epsilon: float = EPSILON) -> Tensor:
    """X / √(mean of x² over `axes` + ε)."""
    square = tf.reduce_mean(tf.square(x), axis=axes, keepdims=True)
    return x * tf.math.rsqrt(square + tf.constant(epsilon, x.dtype))


def _convolved(x: Tensor, fir: Tensor) -> Tensor:
    """Every channel convolved with `fir` [n], in both axes, or [n, n]; no padding."""
    for one in [fir] if len(fir.shape) == 2 else [fir[:, None], fir[None, :]]:
        taps = tf.tile(one[::-1, ::-1, None, None], [1, 1, x.shape[-1], 1])
        x = tf.nn.depthwise_conv2d(x, taps, [1] * 4, "VALID")
    return x


def _pad(x: Tensor, padding: Padding) -> Tensor:
    before, after = padding
    if before == after == 0:
        return x
    both = [max(before, 0), max(after, 0)]
    x = tf.pad(x, [[0, 0], both, both, [0, 0]])
    first, last = max(-before, 0), -max(-after, 0) or None
    return x[:, first:last, first:last, :]
