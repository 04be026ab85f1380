"""3×3 convolutions with fewer products, in TensorFlow.js: Winograd's F(4×4, 3×3), and F(4, 2) for those with stride 2.

A tile of 4×4 results is read from 6×6 inputs (5×5). Both are brought into a basis in which the convolution is 36 (25)
products of matrices, one for each place of a tile. The wasm backend spends nearly all its time on products; a graphics
card has products to spare, and would lose more by the many steps.

Source: Lavin and Gray 2016 (Fast Algorithms for Convolutional Neural Networks), section 4.3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ganexport.ops import winograd
from ganexport.ops.graph import Value, Weight
from ganexport.ops.polyphase import NO_PADDING
from ganexport.ops.tfjs_attributes import Window
from ganexport.ops.tfjs_nodes import TfjsNodes, size_of

if TYPE_CHECKING:
    from ganexport.ops.tfjs_ops import TfjsOps

__all__ = ["pays", "pays_upsampled", "winograd_conv2d", "winograd_upsampled"]

KERNEL = winograd.kernel_transform()
"""From the taps of one axis to the places, F(4, 3)."""

INPUT = winograd.window_transform()
"""From the inputs of one axis to the places."""

UP_KERNEL = np.vstack([winograd.kernel_transform(2) @ [[0, 0, 1], [1, 0, 0]], [[0, 1, 0]]])
"""The same for stride 2: F(4, 2) of the outer taps, which even results have; the middle one, which odd ones have."""

UP_INPUT = winograd.window_transform(2)
"""From the inputs of one axis to the places of even results."""

ONE = (1, 1)

LEAST_SIZE, LEAST_CHANNELS, LEAST_UPSAMPLED = 16, 32, 128
"""Of a map; below them the steps cost more than the products."""


def pays(x: Value, kernel: Weight) -> bool:
    """Whether `winograd_conv2d` takes less time than the plain convolution of a map [N, H, W, C]."""
    return _pays(x, kernel, LEAST_CHANNELS)


def pays_upsampled(x: Value, kernel: Weight) -> bool:
    """Whether `winograd_upsampled` takes less time than plain phases; to put them together takes more of it."""
    return _pays(x, kernel, LEAST_UPSAMPLED)


def _pays(x: Value, kernel: Weight, least_channels: int) -> bool:
    out, into, *window = kernel.array.shape
    whole_tiles = all(size % winograd.TILE == 0 and size >= LEAST_SIZE for size in size_of(x))
    return window == [3, 3] and kernel.value is None and whole_tiles and min(out, into) >= least_channels


def winograd_conv2d(ops: TfjsOps, x: Value, kernel: Weight) -> Value:
    """x [N, H, W, I] correlated with kernel [O, I, 3, 3], one zero on each side -> [N, H, W, O]."""
    window, channels, places = Window(ONE, NO_PADDING, NO_PADDING), kernel.array.shape[0], range(len(INPUT))
    kernels = _kernels(ops, kernel, KERNEL)
    products = [
        [ops.conv(place, kernels[i][j], window, channels) for j, place in enumerate(_places(ops, rows, 1, INPUT))]
        for i, rows in enumerate(_places(ops, x, 0, INPUT))
    ]
    by_row = [_results(ops, [products[i][j] for i in places]) for j in places]
    return ops.resampling.interleave([_results(ops, [by_row[j][i] for j in places]) for i in range(winograd.TILE)])


def winograd_upsampled(ops: TfjsOps, x: Value, kernel: Weight) -> Value:
    """Transposed convolution of x [N, H, W, I] with kernel [O, I, 3, 3], stride 2 -> [N, 2H + 2, 2W + 2, O].

    The last row and the last column are zero. Of a tile of even results, 25 products of 64 are left.
    """
    channels, even, odd = kernel.array.shape[0], range(len(UP_INPUT)), len(UP_INPUT)
    kernels = _kernels(ops, kernel, UP_KERNEL)

    def window(i: int, j: int) -> Window:
        """Even results fill one tile more than there are inputs; zeros bring odd ones to as many."""
        rows, columns = ((0, winograd.TILE if place == odd else 0) for place in (i, j))
        return Window(ONE, rows, columns)

    products = [
        [ops.conv(y, kernels[i][j], window(i, j), channels) for j, y in enumerate([*_places(ops, r, 1, UP_INPUT), r])]
        for i, r in enumerate([*_places(ops, x, 0, UP_INPUT), x])
    ]
    joined = ops.resampling.interleave

    def rows_of(j: int) -> Value:
        results = _results(ops, [products[i][j] for i in even])
        return joined([[joined([[y] for y in results])], [products[odd][j]]])

    by_row = [rows_of(j) for j in (*even, odd)]
    y = joined([[joined([_results(ops, by_row[:odd])]), by_row[odd]]])
    surplus = (0, 2 * winograd.TILE - 2)
    return ops.resampling.crop(y, surplus, surplus)


def _kernels(ops: TfjsOps, kernel: Weight, basis: NDArray[np.float64]) -> list[list[Value]]:
    """The kernel [1, 1, I, O] of each place, which TF.js makes once."""
    (out, into), places = kernel.array.shape[:2], len(basis)

    def make(graph: TfjsNodes) -> list[Value]:
        whole = graph.weight(kernel, lambda array: array.transpose(2, 3, 1, 0))  # [3, 3, I, O]
        taps = graph.transpose(graph.reshape(Value(whole, (3, 3, into, out)), 9, into * out), 1, 0)
        made = []
        for i, j in np.ndindex(places, places):
            weights = np.outer(basis[i], basis[j]).astype(np.float32).reshape(9, 1)
            name = graph.constant(f"winograd_kernel_{'up_' if basis is UP_KERNEL else ''}{i}{j}", weights)
            made.append(graph.reshape(graph.matmul(taps, name, (into * out, 1)), 1, 1, into, out))
        return made

    flat = ops.once(f"{kernel.name}.place", make)
    return [flat[places * i : places * (i + 1)] for i in range(places)]


def _places(ops: TfjsOps, x: Value, axis: int, basis: NDArray[np.float64]) -> list[Value]:
    """A map in the basis of the products along one axis, 0 the rows or 1 the columns: tiles of each place."""
    size = size_of(x)[axis]
    tiles = size // winograd.TILE + (basis is UP_INPUT)

    def at(i: int) -> Value:
        # The first input of a tile lies outside of it; where it plays no part, no zeros need to be put there.
        outside = int(basis[i, 0] != 0)
        taps = np.trim_zeros(basis[i, 1 - outside :], "b").astype(np.float64)
        padding = (outside, max(winograd.TILE * (tiles - 1) + len(taps) - outside - size, 0))
        name = f"winograd_input_{x.shape[3]}_{axis}{i}of{len(basis)}"
        if axis == 0:
            return ops.resampling.correlate_channels(x, name, taps[:, None], padding, NO_PADDING, (winograd.TILE, 1))
        return ops.resampling.correlate_channels(x, name, taps[None, :], NO_PADDING, padding, (1, winograd.TILE))

    return [at(i) for i in range(len(basis))]


def _results(ops: TfjsOps, places: list[Value]) -> list[Value]:
    """The four results of each tile along one axis, of places 0, 1, −1, 2 (and −2), and infinity."""
    first, *middle, last = places

    def scaled(x: Value, factor: int) -> Value:
        return x if factor == 1 else ops.scale(x, float(factor))

    pairs = [middle[k : k + 2] for k in range(0, len(middle), 2)]
    sums = [ops.add(*pair) if len(pair) == 2 else pair[0] for pair in pairs]
    differences = [ops.node("Sub", pair, pair[0].shape) if len(pair) == 2 else pair[0] for pair in pairs]
    results = []
    for power in range(winograd.TILE):
        near, far = differences if power % 2 else sums
        results.append(ops.add(near, scaled(far, 2**power)))
    results[0], results[-1] = ops.add(results[0], first), ops.add(results[-1], last)
    return results
