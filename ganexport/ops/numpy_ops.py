"""`NumpyOps`: the oracle. Float64, [N, C, H, W], written to be read and not to be fast.

What would need many times the memory of its result is done in tiles, some rows at a time.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from ganexport.ops.protocol import EPSILON, Fir, Ops, Padding

__all__ = ["NumpyOps", "float64_weights"]

Array = NDArray[np.float64]

TILE = 1 << 19
"""Numbers in a tile: 4 MiB, which processors keep near."""


def float64_weights(weights: Mapping[str, NDArray[np.float32]]) -> dict[str, Array]:
    """Canonical tensors as this interpreter takes them."""
    return {name: tensor.astype(np.float64) for name, tensor in weights.items()}


class NumpyOps(Ops[Array, Array]):
    """Every operation by its definition, in float64."""

    def dense(self, x: Array, weight: Array, bias: Array | None = None) -> Array:
        y = x @ weight.T
        return y if bias is None else y + bias

    def concat(self, xs: Sequence[Array]) -> Array:
        return np.concatenate(xs, axis=1)

    def mean_square(self, x: Array) -> Array:
        return np.asarray(np.mean(x * x, axis=1, keepdims=True))

    def as_map(self, x: Array, size: int) -> Array:
        return np.broadcast_to(x[:, :, None, None], (*x.shape, size, size))

    def as_picture(self, x: Array, channels: int) -> Array:
        size = math.isqrt(x.shape[1] // channels)
        return x.reshape(-1, channels, size, size)

    def as_vector(self, x: Array) -> Array:
        return x[:, :, 0, 0]

    def as_ws(self, x: Array, num_ws: int) -> Array:
        return x.reshape(len(x), num_ws, -1)

    def feature(self, x: Array, index: int) -> Array:
        return x[:, index : index + 1]

    def truncate(self, w: Array, w_avg: Array, psi: Array) -> Array:
        return w_avg + psi[:, :, None] * (w - w_avg)[:, None, :]

    def select_w(self, ws: Array, index: int) -> Array:
        return ws[:, index]

    def add(self, a: Array, b: Array) -> Array:
        return a + b

    def multiply(self, a: Array, b: Array) -> Array:
        return a * b

    def scale(self, x: Array, factor: float) -> Array:
        return x * factor

    def shift(self, x: Array, amount: float) -> Array:
        return x + amount

    def rsqrt(self, x: Array, floor: float) -> Array:
        return np.asarray(1.0 / np.sqrt(np.maximum(x, floor)))

    def relu(self, x: Array) -> Array:
        return np.maximum(x, 0.0)

    def leaky_relu(self, x: Array, slope: float) -> Array:
        y = x * slope
        np.copyto(y, x, where=x > 0)
        return y

    def tanh(self, x: Array) -> Array:
        return np.asarray(np.tanh(x))

    def sine(self, x: Array) -> Array:
        return np.asarray(np.sin(2.0 * np.pi * x))

    def erf(self, x: Array) -> Array:
        return np.fromiter(map(math.erf, x.flat), np.float64, x.size).reshape(x.shape)

    def clip(self, x: Array, limit: float) -> Array:
        return np.clip(x, -limit, limit)

    def constant_map(self, const: Array) -> Array:
        return const[None]

    def ramps(self, right: Array, down: Array, offset: Array, positions: NDArray[np.float64]) -> Array:
        right, down, offset = (v[:, :, None, None] for v in (right, down, offset))  # [N, C, 1, 1]
        return right * positions + down * positions[:, None] + offset

    def scale_channels(self, x: Array, s: Array) -> Array:
        return x * s[:, :, None, None]

    def shift_channels(self, x: Array, s: Array) -> Array:
        return x + s[:, :, None, None]

    def add_bias(self, x: Array, bias: Array) -> Array:
        return x + bias[:, None, None]

    def add_noise(self, x: Array, noise_const: Array, noise_strength: Array, noise_scale: Array) -> Array:
        per_channel = noise_strength.reshape(-1, 1, 1)  # [1 or C, 1, 1]
        return x + noise_const * per_channel * noise_scale[:, None, None, None]

    def add_given_noise(self, x: Array, noise: Array, noise_strength: Array) -> Array:
        return x + noise * noise_strength.reshape(-1, 1, 1)

    def noise_window(self, noise: Array, size: int) -> Array:
        return noise[:, :size, :size].transpose(0, 3, 2, 1)

    def const_window(self, noise_const: Array, size: int) -> Array:
        return noise_const[:size, :size].T

    def conv2d(self, x: Array, kernel: Array, padding: int, stride: int = 1) -> Array:
        kh, kw = kernel.shape[2:]
        windows = sliding_window_view(_pad(x, (padding, padding)), (kh, kw), axis=(2, 3))  # [N, I, rows, cols, kh, kw]
        windows = windows[:, :, ::stride, ::stride]
        n, _, rows, columns = windows.shape[:4]
        y = np.empty((n, kernel.shape[0], rows, columns))
        for tile in _tiles(rows, windows[:, :, 0].size):
            products = np.tensordot(kernel, windows[:, :, tile], ((1, 2, 3), (1, 4, 5)))  # [O, N, rows, cols]
            y[:, :, tile] = products.swapaxes(0, 1)
        return y

    def depthwise_conv2d(self, x: Array, kernel: Array, padding: int) -> Array:
        kh, kw = kernel.shape[2:]
        x = _pad(x, (padding, padding))
        rows, columns = x.shape[2] - kh + 1, x.shape[3] - kw + 1
        taps = [(i, j) for i in range(kh) for j in range(kw)]
        return np.asarray(sum(kernel[:, :1, i, j, None] * x[:, :, i : i + rows, j : j + columns] for i, j in taps))

    def conv_transpose2d(self, x: Array, kernel: Array, stride: int, padding: int) -> Array:
        out, _, kh, kw = kernel.shape
        n, _, h, w = x.shape
        y = np.zeros((n, out, (h - 1) * stride + kh, (w - 1) * stride + kw))
        for tile in _tiles(h, n * w * out * kh * kw):
            products = np.tensordot(kernel, x[:, :, tile], (1, 1))  # [O, kh, kw, N, rows, W]
            for i in range(kh):
                for j in range(kw):
                    rows = slice(tile.start * stride + i, (tile.stop - 1) * stride + i + 1, stride)
                    columns = slice(j, j + (w - 1) * stride + 1, stride)
                    y[:, :, rows, columns] += products[:, i, j].swapaxes(0, 1)
        return _pad(y, (-padding, -padding))

    def reflect_pad2d(self, x: Array, width: int) -> Array:
        return np.pad(x, ((0, 0), (0, 0), (width, width), (width, width)), mode="reflect")

    def filter2d(self, x: Array, fir: Fir, padding: Padding) -> Array:
        x = _pad(x, padding)
        fh, fw = fir.shape
        rows, columns = x.shape[2] - fh + 1, x.shape[3] - fw + 1
        y = np.zeros((*x.shape[:2], rows, columns))
        for tile in _tiles(rows, y[:, :, 0].size):
            for i in range(fh):
                for j in range(fw):
                    under = x[:, :, tile.start + i : tile.stop + i, j : j + columns]
                    y[:, :, tile] += fir[fh - 1 - i, fw - 1 - j] * under
        return y

    def upsample2d(self, x: Array, fir: Fir) -> Array:
        n, c, h, w = x.shape
        zeros_between = np.zeros((n, c, 2 * h, 2 * w))
        zeros_between[:, :, ::2, ::2] = x
        taps = fir.shape[0]
        return self.filter2d(zeros_between, fir * 4.0, ((taps + 1) // 2, (taps - 2) // 2))

    def fir_upsample2d(self, x: Array, fir: Array, factor: int, padding: Padding, gain: float) -> Array:
        # Each pixel adds the filter at its place; the padding is cut from the whole result, or added to it.
        taps = len(fir)
        for one, (rows, columns) in reversed(_by_axis(fir, factor)):
            x = _spread(x, one, rows, columns)
        return _pad(x, (padding[0] - taps + 1, padding[1] - taps + factor)) * gain

    def fir_downsample2d(self, x: Array, fir: Array, factor: int) -> Array:
        for one, (rows, columns) in _by_axis(fir, factor):
            x = _gather(x, one[::-1, ::-1], rows, columns)
        return x

    def filtered_leaky_relu(self, x: Array, up_fir: Array, down_fir: Array, *, up: int, **settings: Any) -> Array:
        # Some channels at a time: all of them at the higher sampling rate would need much more memory than the result.
        step = max(1, TILE // (x[:, 0].size * up * up))
        parts = [x[:, first : first + step] for first in range(0, x.shape[1], step)]
        whole = super().filtered_leaky_relu
        return np.concatenate([whole(part, up_fir, down_fir, up=up, **settings) for part in parts], axis=1)

    def nearest_upsample2d(self, x: Array) -> Array:
        return x.repeat(2, axis=2).repeat(2, axis=3)

    def bilinear_upsample2d(self, x: Array) -> Array:
        for axis in (2, 3):
            size = x.shape[axis]
            before = x.take(np.maximum(np.arange(size) - 1, 0), axis)
            after = x.take(np.minimum(np.arange(size) + 1, size - 1), axis)
            pairs = np.stack([0.75 * x + 0.25 * before, 0.75 * x + 0.25 * after], axis + 1)
            x = pairs.reshape(*x.shape[:axis], 2 * size, *x.shape[axis + 1 :])  # [N, C, 2H, W], then [N, C, 2H, 2W]
        return x

    def instance_norm(self, x: Array) -> Array:
        x = x - np.mean(x, axis=(2, 3), keepdims=True)
        return np.asarray(x / np.sqrt(np.mean(x * x, axis=(2, 3), keepdims=True) + EPSILON))

    def channel_pixel_norm(self, x: Array) -> Array:
        return np.asarray(x / np.sqrt(np.mean(x * x, axis=1, keepdims=True) + EPSILON))

    def channel_norm(self, x: Array, gain: Array, bias: Array, epsilon: float) -> Array:
        x = x - np.mean(x, axis=1, keepdims=True)
        x = x / np.sqrt(np.mean(x * x, axis=1, keepdims=True) + epsilon)
        return np.asarray(x * gain[:, None, None] + bias[:, None, None])

    def linear_attention(self, q: Array, k: Array, v: Array, heads: int) -> Array:
        n, c, h, w = q.shape
        q, k, v = (x.reshape(n, heads, c // heads, h * w) for x in (q, k, v))
        context = np.einsum("nhdp,nhep->nhde", _softmax(k, 3), v)
        return np.asarray(np.einsum("nhdp,nhde->nhep", _softmax(q, 2), context).reshape(n, c, h, w))

    def kernel_energy(self, kernel: Array) -> Array:
        return np.asarray(np.sum(kernel * kernel, axis=(2, 3)))


def _tiles(rows: int, numbers_a_row: int) -> Iterator[slice]:
    """Rows in groups, none of which needs more than a tile (or one row, where that is more)."""
    step = max(1, TILE // max(1, numbers_a_row))
    return (slice(start, min(start + step, rows)) for start in range(0, rows, step))


def _by_axis(fir: Array, factor: int) -> list[tuple[Array, tuple[int, int]]]:
    """A filter [n, n], or one [n] along the rows and along the columns, with the factors of both axes."""
    return [(fir, (factor, factor))] if fir.ndim == 2 else [(fir[:, None], (factor, 1)), (fir[None, :], (1, factor))]


def _spread(x: Array, taps: Array, rows: int, columns: int) -> Array:
    """Each pixel, `rows` and `columns` from the next, adds `taps` times its value."""
    n, c, h, w = x.shape
    fh, fw = taps.shape
    by_phase = np.zeros((n, c, rows, columns, h - (-fh // rows) - 1, w - (-fw // columns) - 1))
    for i in range(fh):
        for j in range(fw):
            under = np.s_[i // rows : i // rows + h, j // columns : j // columns + w]
            by_phase[:, :, i % rows, j % columns, *under] += taps[i, j] * x
    y = by_phase.transpose(0, 1, 4, 2, 5, 3).reshape(n, c, by_phase.shape[4] * rows, by_phase.shape[5] * columns)
    return y[:, :, : (h - 1) * rows + fh, : (w - 1) * columns + fw]


def _gather(x: Array, taps: Array, rows: int, columns: int) -> Array:
    """Every channel correlated with `taps`, at every `rows`-th row and `columns`-th column."""
    fh, fw = taps.shape
    h, w = ((size - n) // step + 1 for size, n, step in zip(x.shape[2:], taps.shape, (rows, columns), strict=True))
    by_phase = {(i, j): np.ascontiguousarray(x[:, :, i::rows, j::columns]) for i in range(rows) for j in range(columns)}
    y = np.zeros((*x.shape[:2], h, w))
    for i in range(fh):
        for j in range(fw):
            under = by_phase[i % rows, j % columns]
            y += taps[i, j] * under[:, :, i // rows : i // rows + h, j // columns : j // columns + w]
    return y


def _softmax(x: Array, axis: int) -> Array:
    x = np.exp(x - np.max(x, axis, keepdims=True))
    return np.asarray(x / np.sum(x, axis, keepdims=True))


def _pad(x: Array, padding: Padding) -> Array:
    before, after = padding
    if before > 0 or after > 0:
        x = np.pad(x, ((0, 0), (0, 0), (max(before, 0), max(after, 0)), (max(before, 0), max(after, 0))))
    h, w = x.shape[2:]
    first = max(-before, 0)
    return x[:, :, first : h - max(-after, 0), first : w - max(-after, 0)]
