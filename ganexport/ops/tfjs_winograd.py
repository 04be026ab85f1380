"""3×3 convolutions with a quarter of the products, in TensorFlow.js: Winograd's F(4×4, 3×3).

A tile of 4×4 results is read from 6×6 inputs. Both are brought into a basis in which the convolution is 36 products of
matrices, one for each place of a tile. The wasm backend spends nearly all its time on products; a graphics card has
products to spare, and would lose more by the many steps.

Source: Lavin and Gray 2016 (Fast Algorithms for Convolutional Neural Networks), section 4.3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ganexport.ops.graph import Value, Weight
from ganexport.ops.polyphase import NO_PADDING
from ganexport.ops.tfjs_attributes import Window
from ganexport.ops.tfjs_nodes import TfjsNodes, size_of

if TYPE_CHECKING:
    from ganexport.ops.tfjs_ops import TfjsOps

__all__ = ["pays", "winograd_conv2d"]

TILE = 4
PLACES = TILE + 2

KERNEL = np.array([[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]]) / 24
"""From the taps of one axis to the places."""

INPUT = np.array(
    [
        [4, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ]
)
"""From the inputs of one axis to the places."""

LEAST_SIZE, LEAST_CHANNELS = 16, 32
"""Of a map; below them the steps cost more than the products."""


def pays(x: Value, kernel: Weight) -> bool:
    """Whether it takes less time than the plain convolution of a map [N, H, W, C]."""
    out, into, *window = kernel.array.shape
    whole_tiles = all(size % TILE == 0 and size >= LEAST_SIZE for size in size_of(x))
    return window == [3, 3] and kernel.value is None and whole_tiles and min(out, into) >= LEAST_CHANNELS


def winograd_conv2d(ops: TfjsOps, x: Value, kernel: Weight) -> Value:
    """x [N, H, W, I] correlated with kernel [O, I, 3, 3], one zero on each side -> [N, H, W, O]."""
    kernels, window, channels = _kernels(ops, kernel), Window((1, 1), NO_PADDING, NO_PADDING), kernel.array.shape[0]
    products = [
        [ops.conv(place, kernels[PLACES * i + j], window, channels) for j, place in enumerate(_places(ops, rows, 1))]
        for i, rows in enumerate(_places(ops, x, 0))
    ]
    by_row = [_results(ops, [products[i][j] for i in range(PLACES)]) for j in range(PLACES)]
    return ops.resampling.interleave([_results(ops, [by_row[j][i] for j in range(PLACES)]) for i in range(TILE)])


def _kernels(ops: TfjsOps, kernel: Weight) -> list[Value]:
    """The kernel [1, 1, I, O] of each place, which TF.js makes once."""
    out, into = kernel.array.shape[:2]

    def make(graph: TfjsNodes) -> list[Value]:
        whole = graph.weight(kernel, lambda array: array.transpose(2, 3, 1, 0))  # [3, 3, I, O]
        taps = graph.transpose(graph.reshape(Value(whole, (3, 3, into, out)), 9, into * out), 1, 0)
        places = []
        for i, j in np.ndindex(PLACES, PLACES):
            basis = np.outer(KERNEL[i], KERNEL[j]).astype(np.float32).reshape(9, 1)
            place = graph.matmul(taps, graph.constant(f"winograd_kernel_{i}{j}", basis), (into * out, 1))
            places.append(graph.reshape(place, 1, 1, into, out))
        return places

    return ops.once(f"{kernel.name}.place", make)


def _places(ops: TfjsOps, x: Value, axis: int) -> list[Value]:
    """A map in the basis of the products along one axis, 0 the rows or 1 the columns: [N, H / 4, …] of each place."""

    def at(i: int) -> Value:
        # The first input of a tile lies outside of it; where it plays no part, no zeros need to be put there.
        outside = int(INPUT[i, 0] != 0)
        taps = np.trim_zeros(INPUT[i, 1 - outside :], "b").astype(np.float64)
        padding = (outside, max(len(taps) - outside - TILE, 0))
        name = f"winograd_input_{x.shape[3]}_{axis}{i}"
        if axis == 0:
            return ops.resampling.correlate_channels(x, name, taps[:, None], padding, NO_PADDING, (TILE, 1))
        return ops.resampling.correlate_channels(x, name, taps[None, :], NO_PADDING, padding, (1, TILE))

    return [at(i) for i in range(PLACES)]


def _results(ops: TfjsOps, places: list[Value]) -> list[Value]:
    """The four results of each tile along one axis."""
    first, a, b, c, d, last = places

    def plus(x: Value, y: Value, factor: float) -> Value:
        return ops.add(x, ops.scale(y, factor))

    def minus(x: Value, y: Value) -> Value:
        return ops.node("Sub", [x, y], x.shape)

    near, far, slope, steep = ops.add(a, b), ops.add(c, d), minus(a, b), minus(c, d)
    return [
        ops.add(ops.add(first, near), far),
        plus(slope, steep, 2.0),
        plus(near, far, 4.0),
        ops.add(plus(slope, steep, 8.0), last),
    ]
