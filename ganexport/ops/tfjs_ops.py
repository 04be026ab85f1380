"""`TfjsOps`: emits the nodes of a TensorFlow.js graph model directly. Maps are [N, H, W, C]; no rank above 4.

Transposed convolutions become one small convolution for each phase of the output grid, then interleaving: the same
sums, since TF.js runs a strided `conv2dTranspose` naively (ten times slower in its wasm backend).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganexport.errors import OptionError
from ganexport.ops import polyphase
from ganexport.ops.attention import tfjs_linear_attention
from ganexport.ops.graph import (
    Names,
    Shape,
    Value,
    View,
    Weight,
    as_it_is,
    broadcast,
    const_window,
    kernel_energy,
    summed_kernel,
)
from ganexport.ops.polyphase import Phase, phase
from ganexport.ops.protocol import EPSILON, Fir, Ops, Padding
from ganexport.ops.stored_kernels import tfjs_energy, tfjs_phase, tfjs_summed
from ganexport.ops.tfjs_attributes import Json, Window, shape_json, string_json
from ganexport.ops.tfjs_depthwise import Tiling, separate
from ganexport.ops.widen import tfjs_widened

__all__ = ["TfjsOps"]


class TfjsOps(Ops[Value, Weight]):
    """Collects the nodes and weights of one graph model."""

    def __init__(self) -> None:
        self.nodes: list[Json] = []
        self.weights: dict[str, NDArray[Any]] = {}
        self.quantization: dict[str, Json] = {}
        self._widened: dict[str, str] = {}
        self.inputs: list[Value] = []
        self._names = Names()

    # -- the graph itself ----------------------------------------------------------------------------------------

    def input(self, name: str, shape: Shape) -> Value:
        """A float32 input; None in `shape` is the batch."""
        attributes = {"dtype": {"type": "DT_FLOAT"}, "shape": {"shape": shape_json(shape)}}
        self.nodes.append({"name": name, "op": "Placeholder", "attr": attributes})
        value = Value(name, shape)
        self.inputs.append(value)
        return value

    def node(self, op: str, inputs: Sequence[Value | str], shape: Shape, **attributes: Json) -> Value:
        """Append a node with one output of the given shape."""
        return self._append(self._names.new(op), op, inputs, shape, attributes)

    def output(self, name: str, x: Value) -> Value:
        """Give `x` the name of an output."""
        return self._append(name, "Identity", [x], x.shape, {})

    def constant(self, name: str, array: NDArray[Any]) -> str:
        """Name of a constant; one of the same name must be the same array."""
        if name in self.weights:
            assert np.array_equal(self.weights[name], array), name
            return name
        self.nodes.append({"name": name, "op": "Const"})  # the rest stands beside the numbers
        self.weights[name] = array
        return name

    def weight(self, weight: Weight, view: View = as_it_is) -> str:
        """Name of a weight as float32 in the layout of `view`, however it is stored; one name has one layout.

        TF.js makes float32 of its codes when it loads the graph; the rest are nodes.
        """
        if weight.value is not None:
            return weight.value
        if weight.stored is None:
            return self.constant(weight.name, view(weight.array))
        if weight.name not in self._widened:
            self._widened[weight.name] = tfjs_widened(self, weight.name, weight.stored.seen(view))
        return self._widened[weight.name]

    def _append(
        self, name: str, op: str, inputs: Sequence[Value | str], shape: Shape, attributes: dict[str, Json]
    ) -> Value:
        names = [i if isinstance(i, str) else i.name for i in inputs]
        self.nodes.append({"name": name, "op": op, "input": names, **({"attr": attributes} if attributes else {})})
        return Value(name, shape)

    def _float(self, value: float) -> str:
        return self.constant(f"scalar_{value:.9g}", np.asarray(value, np.float32))

    def _ints(self, *values: int) -> str:
        return self.constant("ints_" + "_".join(map(str, values)), np.asarray(values, np.int32))

    def _reshape(self, x: Value, *shape: int | None) -> Value:
        return self.node("Reshape", [x, self._ints(*(-1 if s is None else s for s in shape))], shape)

    # -- vectors -------------------------------------------------------------------------------------------------

    def dense(self, x: Value, weight: Weight, bias: Weight | None = None) -> Value:
        matrix = self.weight(weight, np.transpose)  # [I, O]
        shape = (x.shape[0], weight.array.shape[0])
        y = self.node("MatMul", [x, matrix], shape, transpose_a={"b": False}, transpose_b={"b": False})
        return y if bias is None else self.node("AddV2", [y, self.weight(bias)], shape)

    def concat(self, xs: Sequence[Value]) -> Value:
        return self._join(xs, axis=len(xs[0].shape) - 1)

    def _join(self, xs: Sequence[Value], axis: int) -> Value:
        shape = list(xs[0].shape)
        shape[axis] = sum(x.shape[axis] or 0 for x in xs)
        at = self.constant(f"axis_{axis}", np.asarray(axis, np.int32))
        return self.node("ConcatV2", [*xs, at], tuple(shape), N={"i": str(len(xs))})

    def mean_square(self, x: Value) -> Value:
        return self.node("Mean", [self.multiply(x, x), self._ints(1)], (x.shape[0], 1), keep_dims={"b": True})

    def as_map(self, x: Value, size: int) -> Value:
        pixel = self._reshape(x, x.shape[0], 1, 1, x.shape[1])
        ones = np.ones((1, size, size, 1), np.float32)
        return pixel if size == 1 else self.multiply(pixel, Value(self.constant(f"ones_map_{size}", ones), ones.shape))

    def as_picture(self, x: Value, channels: int) -> Value:
        size = math.isqrt((x.shape[1] or 0) // channels)
        planes = self._reshape(x, None, channels, size, size)
        return self.node("Transpose", [planes, self._ints(0, 2, 3, 1)], (None, size, size, channels))

    def as_vector(self, x: Value) -> Value:
        return self._reshape(x, x.shape[0], x.shape[3])

    def as_ws(self, x: Value, num_ws: int) -> Value:
        return self._reshape(x, None, num_ws, (x.shape[1] or 0) // num_ws)

    def feature(self, x: Value, index: int) -> Value:
        return self.node("Slice", [x, self._ints(0, index), self._ints(-1, 1)], (x.shape[0], 1))

    def truncate(self, w: Value, w_avg: Weight, psi: Value) -> Value:
        average = self.weight(w_avg)
        offset = self.node("Sub", [w, average], w.shape)
        offset = self._reshape(offset, None, 1, w.shape[1])  # [N, 1, w_dim]
        shape = (None, psi.shape[1], w.shape[1])
        scaled = self.node("Mul", [offset, self._reshape(psi, None, psi.shape[1], 1)], shape)  # [N, num_ws, w_dim]
        return self.node("AddV2", [scaled, average], shape)

    def select_w(self, ws: Value, index: int) -> Value:
        _, _, width = ws.shape
        assert width is not None
        begin, size = self._ints(0, index, 0), self._ints(-1, 1, width)
        return self._reshape(self.node("Slice", [ws, begin, size], (None, 1, width)), None, width)

    # -- elementwise ---------------------------------------------------------------------------------------------

    def add(self, a: Value, b: Value) -> Value:
        return self.node("AddV2", [a, b], broadcast(a, b))

    def multiply(self, a: Value, b: Value) -> Value:
        return self.node("Mul", [a, b], broadcast(a, b))

    def scale(self, x: Value, factor: float) -> Value:
        return self.node("Mul", [x, self._float(factor)], x.shape)

    def shift(self, x: Value, amount: float) -> Value:
        return self.node("Sub", [x, self._float(-amount)], x.shape)  # an Add might be taken for a bias

    def rsqrt(self, x: Value, floor: float) -> Value:
        return self.node("Rsqrt", [self.node("Maximum", [x, self._float(floor)], x.shape)], x.shape)

    def relu(self, x: Value) -> Value:
        return self.node("Relu", [x], x.shape)

    def leaky_relu(self, x: Value, slope: float) -> Value:
        return self.node("LeakyRelu", [x], x.shape, alpha={"f": slope})

    def tanh(self, x: Value) -> Value:
        return self.node("Tanh", [x], x.shape)

    def sine(self, x: Value) -> Value:
        # Brought to ±half a cycle first: graphics processors are exact there only.
        cycles = self.node("Floor", [self.shift(x, 0.5)], x.shape)
        return self.node("Sin", [self.scale(self.node("Sub", [x, cycles], x.shape), 2.0 * np.pi)], x.shape)

    def erf(self, x: Value) -> Value:
        return self.node("Erf", [x], x.shape)

    def clip(self, x: Value, limit: float) -> Value:
        return self.node("ClipByValue", [x, self._float(-limit), self._float(limit)], x.shape)

    # -- maps ----------------------------------------------------------------------------------------------------

    def constant_map(self, const: Weight) -> Value:
        channels, h, w = const.array.shape
        return Value(self.weight(const, lambda array: array.transpose(1, 2, 0)[None]), (1, h, w, channels))

    def ramps(self, right: Value, down: Value, offset: Value, positions: NDArray[np.float64]) -> Value:
        size, channels = len(positions), right.shape[1]
        x = self.constant(f"positions_{size}_x", positions.astype(np.float32)[None, None, :, None])
        y = self.constant(f"positions_{size}_y", positions.astype(np.float32)[None, :, None, None])
        right, down, offset = (self._reshape(v, None, 1, 1, channels) for v in (right, down, offset))
        across = self.node("Mul", [right, x], (None, 1, size, channels))
        along = self.node("Mul", [down, y], (None, size, 1, channels))
        along = self.node("AddV2", [along, offset], along.shape)
        return self.node("AddV2", [across, along], (None, size, size, channels))  # [N, S, S, C]

    def scale_channels(self, x: Value, s: Value) -> Value:
        channels = self._reshape(s, None, 1, 1, s.shape[1])
        return self.node("Mul", [x, channels], (None, *x.shape[1:]))

    def shift_channels(self, x: Value, s: Value) -> Value:
        channels = self._reshape(s, None, 1, 1, s.shape[1])
        return self.node("AddV2", [x, channels], (None, *x.shape[1:]))

    def add_bias(self, x: Value, bias: Weight) -> Value:
        return self.node("AddV2", [x, self.weight(bias)], x.shape)

    def add_noise(self, x: Value, noise_const: Weight, noise_strength: Weight, noise_scale: Value) -> Value:
        noise, strength = self.weight(noise_const, lambda array: array[None, :, :, None]), self.weight(noise_strength)
        scale = self._reshape(noise_scale, None, 1, 1, 1)
        if noise_strength.array.ndim == 0:
            scale = self.node("Mul", [scale, strength], scale.shape)
        scaled = self.node("Mul", [noise, scale], (None, *noise_const.array.shape, 1))
        if noise_strength.array.ndim:
            scaled = self.node("Mul", [scaled, strength], (None, *x.shape[1:]))  # [N, H, W, C]
        return self.node("AddV2", [x, scaled], (None, *x.shape[1:]))

    def add_given_noise(self, x: Value, noise: Value, noise_strength: Weight) -> Value:
        one_channel = self._reshape(noise, None, *_size(x), 1)  # [N, H, W, 1]
        strength = self.weight(noise_strength)
        channels = 1 if noise_strength.array.ndim == 0 else x.shape[3]
        scaled = self.node("Mul", [one_channel, strength], (None, *_size(x), channels))
        return self.node("AddV2", [x, scaled], (None, *x.shape[1:]))

    def noise_window(self, noise: Value, size: int) -> Value:
        begin, extent = self._ints(0, 0, 0, 0), self._ints(-1, size, size, 1)
        window = self.node("Slice", [noise, begin, extent], (None, size, size, 1))
        return self.node("Transpose", [window, self._ints(0, 3, 2, 1)], (None, 1, size, size))

    def const_window(self, noise_const: Weight, size: int) -> Weight:
        return const_window(noise_const, size)

    def conv2d(self, x: Value, kernel: Weight, padding: int, stride: int = 1) -> Value:
        weight = self.weight(kernel, lambda array: array.transpose(2, 3, 1, 0))  # [kh, kw, I, O]
        window = Window.same(kernel.array.shape, padding, stride)
        return self._conv("Conv2D", x, weight, window, channels=kernel.array.shape[0])

    def depthwise_conv2d(self, x: Value, kernel: Weight, padding: int) -> Value:
        weight = self.weight(kernel, lambda array: array.transpose(2, 3, 0, 1))  # [kh, kw, C, 1]
        window = Window.same(kernel.array.shape, padding)
        return self._conv("DepthwiseConv2dNative", x, weight, window, channels=kernel.array.shape[0])

    def conv_transpose2d(self, x: Value, kernel: Weight, stride: int, padding: int) -> Value:
        h, w = _size(x)
        size = kernel.array.shape[2]
        if h == w == 1 and padding == 0:
            return self._spread(x, kernel)
        y = self._phases(x, kernel, stride, padding)
        return self._crop(y, 0, _size(y)[0] - ((h - 1) * stride + size - 2 * padding))

    def upsample_conv2d(self, x: Value, kernel: Weight, fir: Fir, kernel_size: int) -> Value:
        # As the plain form, but the rows that the interleaving adds serve as the filter's zeros.
        taps, half, h = fir.shape[0], kernel_size // 2, _size(x)[0]
        y = self._phases(x, kernel, 2, 0)
        added = _size(y)[0] - (2 * (h - 1) + kernel_size)
        before = half + (taps + 1) // 2 - (kernel_size - 1)
        after = half + (taps - 2) // 2 - (kernel_size - 2)
        return self.filter2d(y, fir * 4.0, (before, after - added))

    def reflect_pad2d(self, x: Value, width: int) -> Value:
        pads = self.constant(f"pads_{width}", np.asarray([[0, 0], [width] * 2, [width] * 2, [0, 0]], np.int32))
        h, w = (size + 2 * width for size in _size(x))
        return self.node("MirrorPad", [x, pads], (x.shape[0], h, w, x.shape[3]), mode=string_json("REFLECT"))

    def filter2d(self, x: Value, fir: Fir, padding: Padding) -> Value:
        before, after = padding
        x = self._crop(x, max(-before, 0), max(-after, 0))
        before, after = max(before, 0), max(after, 0)
        separated = separate(fir)
        if separated is None:
            return self._depthwise(x, fir[::-1, ::-1], (before, after), (before, after))
        rows, columns = separated
        x = self._depthwise(x, rows[::-1, None], (before, after), (0, 0))
        return self._depthwise(x, columns[None, ::-1], (0, 0), (before, after))

    def upsample2d(self, x: Value, fir: Fir) -> Value:
        taps = fir.shape[0]
        cut = taps - 1 - (taps + 1) // 2  # from the full result of a transposed convolution, to 2H × 2W
        phases = [phase(r, taps, 2, cut, _size(x)[0], _size(x)[0]) for r in range(2)]

        def part(row: Phase, column: Phase) -> Value:
            taps_of_phase = fir[np.ix_(row.taps, column.taps)] * 4.0
            return self._depthwise(x, taps_of_phase, (row.before, row.after), (column.before, column.after))

        return self.interleave([[part(row, column) for column in phases] for row in phases])

    def fir_upsample2d(self, x: Value, fir: Weight, factor: int, padding: Padding, gain: float) -> Value:
        return polyphase.fir_upsample2d(self, x, fir, factor, padding, gain)

    def fir_downsample2d(self, x: Value, fir: Weight, factor: int) -> Value:
        return polyphase.fir_downsample2d(self, x, fir, factor)

    def nearest_upsample2d(self, x: Value) -> Value:
        return self.interleave([[x, x], [x, x]])

    def nearest_conv2d(self, x: Value, kernel: Weight, kernel_size: int) -> Value:
        summed = summed_kernel(kernel) if kernel.stored is None else tfjs_summed(self, kernel)
        return self.conv_transpose2d(x, summed, 2, kernel_size // 2)

    def bilinear_upsample2d(self, x: Value) -> Value:
        h, w = (2 * size for size in _size(x))
        centres = {"align_corners": {"b": False}, "half_pixel_centers": {"b": True}}
        return self.node("ResizeBilinear", [x, self._ints(h, w)], (x.shape[0], h, w, x.shape[3]), **centres)

    def instance_norm(self, x: Value) -> Value:
        mean = self._mean(x, 1, 2)  # [N, 1, 1, C]
        return self._normalised(self.node("Sub", [x, mean], x.shape), 1, 2)

    def channel_pixel_norm(self, x: Value) -> Value:
        return self._normalised(x, 3)

    def channel_norm(self, x: Value, gain: Weight, bias: Weight, epsilon: float) -> Value:
        x = self._normalised(self.node("Sub", [x, self._mean(x, 3)], x.shape), 3, epsilon=epsilon)
        return self.add_bias(self.node("Mul", [x, self.weight(gain)], x.shape), bias)

    def linear_attention(self, q: Value, k: Value, v: Value, heads: int) -> Value:
        return tfjs_linear_attention(self, q, k, v, heads)

    def kernel_energy(self, kernel: Weight) -> Weight:
        return kernel_energy(kernel) if kernel.stored is None else tfjs_energy(self, kernel)

    # -- lowering ------------------------------------------------------------------------------------------------

    def _mean(self, x: Value, *axes: int) -> Value:
        shape = tuple(1 if axis in axes else size for axis, size in enumerate(x.shape))
        return self.node("Mean", [x, self._ints(*axes)], shape, keep_dims={"b": True})

    def _normalised(self, x: Value, *axes: int, epsilon: float = EPSILON) -> Value:
        """X / √(mean of x² over `axes` + ε)."""
        square = self._mean(self.multiply(x, x), *axes)
        guarded = self.node("AddV2", [square, self._float(epsilon)], square.shape)
        return self.multiply(x, self.node("Rsqrt", [guarded], square.shape))

    def _phases(self, x: Value, kernel: Weight, stride: int, padding: int) -> Value:
        """Transposed convolution, with up to stride − 1 rows and columns of zeros after it."""
        h, _ = _size(x)
        size = kernel.array.shape[2]
        if size < stride:
            raise OptionError(
                f"TF.js cannot draw a transposed convolution whose kernel ({size}) is smaller than its stride "
                f"({stride}); leave this target out with --to onnx"
            )
        rows = -(-((h - 1) * stride + size - 2 * padding) // stride)
        phases = [phase(r, size, stride, padding, h, rows) for r in range(stride)]

        def part(i: int, j: int) -> Value:
            row, column = phases[i], phases[j]
            shape = (kernel.array.shape[0], kernel.array.shape[1], len(row.taps), len(column.taps))
            window = Window(shape[2:], (row.before, row.after), (column.before, column.after))
            if kernel.stored is None and kernel.value is None:
                array = kernel.array[:, :, row.taps][:, :, :, column.taps]
                weight = self.constant(f"{kernel.name}.phase{i}{j}", array.transpose(2, 3, 1, 0))
            else:
                weight = tfjs_phase(self, kernel, row, column).name
            return self._conv("Conv2D", x, weight, window, channels=shape[0])

        return self.interleave([[part(i, j) for j in range(stride)] for i in range(stride)])

    def interleave(self, parts: list[list[Value]]) -> Value:
        _, h, w, c = parts[0][0].shape
        assert h is not None and w is not None
        if (columns := len(parts[0])) > 1:  # [N, H, columns·W, C]
            parts = [[self._reshape(self._join(row, axis=3), None, h, columns * w, c)] for row in parts]
        if (rows := len(parts)) == 1:
            return parts[0][0]
        return self._reshape(self._join([row for (row,) in parts], axis=2), None, rows * h, columns * w, c)

    def _spread(self, x: Value, kernel: Weight) -> Value:
        """Transposed convolution of a 1×1 map: a matrix product."""
        out, into, kh, kw = kernel.array.shape
        matrix = kernel.seen(kernel.name, lambda a: a.transpose(2, 3, 0, 1).reshape(-1, into))  # [kh·kw·O, I]
        return self._reshape(self.dense(self._reshape(x, None, into), matrix), None, kh, kw, out)

    def _depthwise(self, x: Value, taps: Fir, rows: Padding, columns: Padding) -> Value:
        """Every channel correlated with `taps` [fh, fw]."""
        stem = f"fir_{x.shape[3]}_{taps.shape[0]}x{taps.shape[1]}_" + "_".join(f"{t:.6g}" for t in taps.ravel())
        return self.correlate_channels(x, stem, taps, rows, columns, (1, 1))

    def correlate_channels(
        self, x: Value, name: str, taps: Fir, rows: Padding, columns: Padding, strides: tuple[int, int]
    ) -> Value:
        channels = x.shape[3]
        assert channels is not None
        parts: list[Value] = []
        tiled = Tiling(taps, strides)
        for tile, around_rows, around_columns in tiled.tiles(rows, columns):
            array = np.tile(tile.astype(np.float32)[:, :, None, None], (1, 1, channels, 1))
            weight = self.constant(f"{name}.tile{len(parts)}", array)
            window = Window(tile.shape, around_rows, around_columns, strides)
            parts.append(self._conv("DepthwiseConv2dNative", x, weight, window, channels=channels))
        # Not an Add, which would be taken for a bias.
        whole = self.node("AddN", parts, parts[0].shape, N={"i": str(len(parts))}) if len(parts) > 1 else parts[0]
        more_rows, more_columns = tiled.surplus
        return self.crop(whole, (more_rows, more_rows), (more_columns, more_columns))

    def _conv(self, op: str, x: Value, weight: str, window: Window, channels: int) -> Value:
        h, w = _size(x)
        shape = (x.shape[0], *window.size_after(h, w), channels)
        return self.node(op, [x, weight], shape, **window.attributes())

    def map_size(self, x: Value) -> tuple[int, int]:
        return _size(x)

    def _crop(self, x: Value, first: int, last: int) -> Value:
        return self.crop(x, (first, last), (first, last))

    def crop(self, x: Value, rows: Padding, columns: Padding) -> Value:
        if not any((*rows, *columns)):
            return x
        h, w = (size - sum(cut) for size, cut in zip(_size(x), (rows, columns), strict=True))
        begin, size = self._ints(0, rows[0], columns[0], 0), self._ints(-1, h, w, -1)
        return self.node("Slice", [x, begin, size], (x.shape[0], h, w, x.shape[3]))


def _size(x: Value) -> tuple[int, int]:
    h, w = x.shape[1:3]
    assert h is not None and w is not None
    return h, w
