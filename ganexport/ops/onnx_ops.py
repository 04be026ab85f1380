"""`OnnxOps`: emits ONNX nodes directly. Maps are [N, C, H, W]."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from ganexport.ops import polyphase
from ganexport.ops.attention import onnx_linear_attention
from ganexport.ops.graph import (
    Names,
    Shape,
    Value,
    View,
    Weight,
    as_it_is,
    broadcast,
    const_window,
)
from ganexport.ops.protocol import EPSILON, Fir, Ops, Padding
from ganexport.ops.stored_kernels import onnx_energy, onnx_inputs_first, onnx_summed
from ganexport.ops.widen import onnx_widened

__all__ = ["IR_VERSION", "OPSET", "OnnxOps", "fill"]

OPSET = 17
IR_VERSION = 8


def fill(tensor: TensorProto, array: NDArray[Any]) -> None:
    """Put numbers into a tensor itself."""
    tensor.raw_data = array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()


class OnnxOps(Ops[Value, Weight]):
    """Collects the nodes and constants of one graph; `model` makes it an ONNX model."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, NDArray[Any]] = {}
        self._widened: dict[str, str] = {}
        self._inputs: list[Value] = []
        self._names = Names()

    # -- the graph itself ----------------------------------------------------------------------------------------

    def input(self, name: str, shape: Shape) -> Value:
        """A float32 input; None in `shape` is the batch."""
        value = Value(name, shape)
        self._inputs.append(value)
        return value

    def node(self, op: str, inputs: Sequence[Value | str], shape: Shape, **attributes: Any) -> Value:
        """Append a node with one output of the given shape."""
        name = self._names.new(op)
        names = [i if isinstance(i, str) else i.name for i in inputs]
        self._nodes.append(helper.make_node(op, names, [name], name=name, **attributes))
        return Value(name, shape)

    def constant(self, name: str, array: NDArray[Any]) -> str:
        """Name of a constant; one of the same name must be the same array."""
        known = self._constants.setdefault(name, array)
        assert known is array or np.array_equal(known, array), name
        return name

    def weight(self, weight: Weight, view: View = as_it_is) -> str:
        """Name of a weight as float32 in the layout of `view`, however it is stored; one name has one layout.

        Runtimes work out what widens it, once, when they load the graph.
        """
        if weight.value is not None:
            return weight.value
        if weight.stored is None:
            return self.constant(weight.name, view(weight.array))
        if weight.name not in self._widened:
            self._widened[weight.name] = onnx_widened(self, weight.name, weight.stored.seen(view))
        return self._widened[weight.name]

    @property
    def constant_bytes(self) -> int:
        """Size of all constants."""
        return sum(array.nbytes for array in self._constants.values())

    def model(
        self,
        name: str,
        outputs: Mapping[str, tuple[Value, int]],
        metadata: dict[str, str],
        fill: Callable[[TensorProto, NDArray[Any]], None] = fill,
    ) -> onnx.ModelProto:
        """The graph as a model; who writes it checks it, since only files can be checked with weights beside them.

        Args:
            name: Of the graph.
            outputs: Output names with the value and the ONNX element type of each.
            metadata: `metadata_props` of the model.
            fill: Gives a tensor its numbers.
        """
        renamed = [helper.make_node("Identity", [v.name], [out], name=out) for out, (v, _) in outputs.items()]
        graph = helper.make_graph(
            [*self._nodes, *renamed],
            name,
            [helper.make_tensor_value_info(v.name, TensorProto.FLOAT, _dims(v.shape)) for v in self._inputs],
            [helper.make_tensor_value_info(o, t, _dims(v.shape)) for o, (v, t) in outputs.items()],
        )
        opset = helper.make_opsetid("", OPSET)
        model = helper.make_model(graph, opset_imports=[opset], ir_version=IR_VERSION, producer_name="ganexport")
        helper.set_model_props(model, metadata)
        for constant, array in self._constants.items():  # in place: the usual helpers copy all weights three times
            kind = helper.np_dtype_to_tensor_dtype(array.dtype)
            fill(model.graph.initializer.add(name=constant, data_type=kind, dims=array.shape), array)
        return model

    def _scalar(self, value: float) -> str:
        return self.constant(f"scalar_{value:.9g}", np.asarray(value, np.float32))

    def _axes(self, *axes: int) -> str:
        return self.constant("axes_" + "_".join(map(str, axes)), np.asarray(axes, np.int64))

    def _unsqueeze(self, x: Value, *axes: int) -> Value:
        shape = list(x.shape)
        for axis in axes:
            shape.insert(axis, 1)
        return self.node("Unsqueeze", [x, self._axes(*axes)], tuple(shape))

    def _reshape(self, x: Value, *shape: int | None) -> Value:
        sizes = [-1 if size is None else size for size in shape]
        to = self.constant("shape_" + "_".join(map(str, sizes)), np.asarray(sizes, np.int64))
        return self.node("Reshape", [x, to], shape)

    # -- vectors -------------------------------------------------------------------------------------------------

    def dense(self, x: Value, weight: Weight, bias: Weight | None = None) -> Value:
        inputs: list[Value | str] = [x, self.weight(weight)]
        if bias is not None:
            inputs.append(self.weight(bias))
        return self.node("Gemm", inputs, (x.shape[0], weight.array.shape[0]), transB=1)

    def concat(self, xs: Sequence[Value]) -> Value:
        return self._join(xs, axis=1)

    def _join(self, xs: Sequence[Value], axis: int) -> Value:
        shape = list(xs[0].shape)
        shape[axis] = sum(x.shape[axis] or 0 for x in xs)
        return self.node("Concat", xs, tuple(shape), axis=axis)

    def mean_square(self, x: Value) -> Value:
        return self.node("ReduceMean", [self.multiply(x, x)], (x.shape[0], 1), axes=[1], keepdims=1)

    def as_map(self, x: Value, size: int) -> Value:
        pixel = self._unsqueeze(x, 2, 3)  # [N, F, 1, 1]
        ones = np.ones((1, 1, size, size), np.float32)
        return pixel if size == 1 else self.multiply(pixel, Value(self.constant(f"ones_map_{size}", ones), ones.shape))

    def as_picture(self, x: Value, channels: int) -> Value:
        size = math.isqrt((x.shape[1] or 0) // channels)
        return self._reshape(x, None, channels, size, size)

    def as_vector(self, x: Value) -> Value:
        return self.node("Squeeze", [x, self._axes(2, 3)], x.shape[:2])

    def as_ws(self, x: Value, num_ws: int) -> Value:
        return self._reshape(x, None, num_ws, (x.shape[1] or 0) // num_ws)

    def feature(self, x: Value, index: int) -> Value:
        at = self.constant(f"indices_{index}", np.asarray([index], np.int64))
        return self.node("Gather", [x, at], (x.shape[0], 1), axis=1)

    def truncate(self, w: Value, w_avg: Weight, psi: Value) -> Value:
        average = self.weight(w_avg)
        offset = self._unsqueeze(self.node("Sub", [w, average], w.shape), 1)  # [N, 1, w_dim]
        shape = (w.shape[0], psi.shape[1], w.shape[1])
        scaled = self.node("Mul", [offset, self._unsqueeze(psi, 2)], shape)  # [N, num_ws, w_dim]
        return self.node("Add", [scaled, average], shape)

    def select_w(self, ws: Value, index: int) -> Value:
        at = self.constant(f"index_{index}", np.asarray(index, np.int64))
        return self.node("Gather", [ws, at], (ws.shape[0], ws.shape[2]), axis=1)

    # -- elementwise ---------------------------------------------------------------------------------------------

    def add(self, a: Value, b: Value) -> Value:
        return self.node("Add", [a, b], broadcast(a, b))

    def multiply(self, a: Value, b: Value) -> Value:
        return self.node("Mul", [a, b], broadcast(a, b))

    def scale(self, x: Value, factor: float) -> Value:
        return self.node("Mul", [x, self._scalar(factor)], x.shape)

    def shift(self, x: Value, amount: float) -> Value:
        return self.node("Add", [x, self._scalar(amount)], x.shape)

    def rsqrt(self, x: Value, floor: float) -> Value:
        root = self.node("Sqrt", [self.node("Max", [x, self._scalar(floor)], x.shape)], x.shape)
        return self.node("Reciprocal", [root], x.shape)

    def relu(self, x: Value) -> Value:
        return self.node("Relu", [x], x.shape)

    def leaky_relu(self, x: Value, slope: float) -> Value:
        return self.node("LeakyRelu", [x], x.shape, alpha=slope)

    def tanh(self, x: Value) -> Value:
        return self.node("Tanh", [x], x.shape)

    def sine(self, x: Value) -> Value:
        # Brought to ±half a cycle first: graphics processors are exact there only.
        cycles = self.node("Floor", [self.shift(x, 0.5)], x.shape)
        return self.node("Sin", [self.scale(self.node("Sub", [x, cycles], x.shape), 2.0 * np.pi)], x.shape)

    def erf(self, x: Value) -> Value:
        return self.node("Erf", [x], x.shape)

    def clip(self, x: Value, limit: float) -> Value:
        return self.node("Clip", [x, self._scalar(-limit), self._scalar(limit)], x.shape)

    # -- maps ----------------------------------------------------------------------------------------------------

    def constant_map(self, const: Weight) -> Value:
        return Value(self.weight(const, lambda array: array[None]), (1, *const.array.shape))

    def ramps(self, right: Value, down: Value, offset: Value, positions: NDArray[np.float64]) -> Value:
        size, (n, channels) = len(positions), right.shape
        x = self.constant(f"positions_{size}_x", positions.astype(np.float32)[None, None, None, :])
        y = self.constant(f"positions_{size}_y", positions.astype(np.float32)[None, None, :, None])
        right, down, offset = (self._unsqueeze(v, 2, 3) for v in (right, down, offset))  # [N, C, 1, 1]
        across = self.node("Mul", [right, x], (n, channels, 1, size))
        along = self.node("Mul", [down, y], (n, channels, size, 1))
        along = self.node("Add", [along, offset], along.shape)
        return self.node("Add", [across, along], (n, channels, size, size))

    def scale_channels(self, x: Value, s: Value) -> Value:
        return self.node("Mul", [x, self._unsqueeze(s, 2, 3)], (s.shape[0], *x.shape[1:]))

    def shift_channels(self, x: Value, s: Value) -> Value:
        return self.node("Add", [x, self._unsqueeze(s, 2, 3)], (s.shape[0], *x.shape[1:]))

    def add_bias(self, x: Value, bias: Weight) -> Value:
        return self.node("Add", [x, self.weight(bias, _per_channel)], x.shape)

    def add_noise(self, x: Value, noise_const: Weight, noise_strength: Weight, noise_scale: Value) -> Value:
        scale, (batch,) = self._unsqueeze(noise_scale, 1, 2, 3), noise_scale.shape
        shape = (x.shape[0] and batch, *x.shape[1:])
        noise = self.weight(noise_const, lambda array: array[None, None])
        if noise_strength.array.ndim == 0:
            scale = self.node("Mul", [scale, self.weight(noise_strength)], scale.shape)
        scaled = self.node("Mul", [scale, noise], (batch, 1, *x.shape[2:]))
        if noise_strength.array.ndim:
            scaled = self.node("Mul", [scaled, self.weight(noise_strength, _per_channel)], (batch, *x.shape[1:]))
        return self.node("Add", [x, scaled], shape)

    def add_given_noise(self, x: Value, noise: Value, noise_strength: Weight) -> Value:
        strength = self.weight(noise_strength, lambda array: array.reshape(-1, 1, 1))
        channels = 1 if noise_strength.array.ndim == 0 else x.shape[1]
        scaled = self.node("Mul", [noise, strength], (None, channels, *x.shape[2:]))
        return self.node("Add", [x, scaled], (None, *x.shape[1:]))

    def noise_window(self, noise: Value, size: int) -> Value:
        first, end = (self.constant(f"sizes_{n}_{n}", np.asarray([n, n], np.int64)) for n in (0, size))
        window = self.node("Slice", [noise, first, end, self._axes(1, 2)], (None, size, size, 1))
        return self.node("Transpose", [window], (None, 1, size, size), perm=[0, 3, 2, 1])

    def const_window(self, noise_const: Weight, size: int) -> Weight:
        return const_window(noise_const, size)

    def conv2d(self, x: Value, kernel: Weight, padding: int, stride: int = 1) -> Value:
        out, _, kh, kw = kernel.array.shape
        h, w = (size // stride + 1 for size in _sizes(x, 2 * padding - kh, 2 * padding - kw))
        weight = self.weight(kernel)
        window = {"kernel_shape": [kh, kw], "strides": [stride] * 2, "pads": [padding] * 4}
        return self.node("Conv", [x, weight], (x.shape[0], out, h, w), **window)

    def depthwise_conv2d(self, x: Value, kernel: Weight, padding: int) -> Value:
        group, _, kh, kw = kernel.array.shape
        shape = (*x.shape[:2], *_sizes(x, 2 * padding - kh + 1, 2 * padding - kw + 1))
        weight = self.weight(kernel)
        return self.node("Conv", [x, weight], shape, kernel_shape=[kh, kw], pads=[padding] * 4, group=group)

    def conv_transpose2d(self, x: Value, kernel: Weight, stride: int, padding: int) -> Value:
        out, _, kh, kw = kernel.array.shape
        h, w = _sizes(x, -1, -1)
        shape = (x.shape[0], out, h * stride + kh - 2 * padding, w * stride + kw - 2 * padding)
        weight = onnx_inputs_first(self, kernel)
        window = {"kernel_shape": [kh, kw], "strides": [stride] * 2, "pads": [padding] * 4}
        return self.node("ConvTranspose", [x, weight], shape, **window)

    def reflect_pad2d(self, x: Value, width: int) -> Value:
        pads = self.constant(f"pads_{width}", np.asarray([0, 0, width, width] * 2, np.int64))
        return self.node("Pad", [x, pads], (*x.shape[:2], *_sizes(x, 2 * width, 2 * width)), mode="reflect")

    def filter2d(self, x: Value, fir: Fir, padding: Padding) -> Value:
        before, after = padding
        x = self._crop(x, max(-before, 0), max(-after, 0))
        pads = [max(before, 0)] * 2 + [max(after, 0)] * 2
        fh, fw = fir.shape
        shape = (*x.shape[:2], *_sizes(x, pads[0] + pads[2] - fh + 1, pads[1] + pads[3] - fw + 1))
        weight, group = self._taps(fir[::-1, ::-1], x)
        return self.node("Conv", [x, weight], shape, kernel_shape=[fh, fw], pads=pads, group=group)

    def upsample2d(self, x: Value, fir: Fir) -> Value:
        # A transposed convolution puts the zeros between the pixels itself; its full result is cropped to 2H × 2W.
        taps = fir.shape[0]
        before = taps - 1 - (taps + 1) // 2
        pads = [before] * 2 + [taps - 2 - before] * 2
        weight, group = self._taps(fir * 4.0, x)
        shape = (*x.shape[:2], *(2 * size for size in _sizes(x, 0, 0)))
        window = {"kernel_shape": [taps, taps], "strides": [2, 2], "pads": pads, "group": group}
        return self.node("ConvTranspose", [x, weight], shape, **window)

    def fir_upsample2d(self, x: Value, fir: Weight, factor: int, padding: Padding, gain: float) -> Value:
        return polyphase.fir_upsample2d(self, x, fir, factor, padding, gain)

    def fir_downsample2d(self, x: Value, fir: Weight, factor: int) -> Value:
        return polyphase.fir_downsample2d(self, x, fir, factor)

    def nearest_upsample2d(self, x: Value) -> Value:
        # Reshapes and joins, of rank 4: every runtime has them, and `Resize` has eleven attributes to agree on.
        n, c = x.shape[:2]
        h, w = _sizes(x, 0, 0)
        assert c is not None
        column = self._reshape(x, n, c * h, w, 1)
        row = self._reshape(self._join([column, column], 3), n, c * h, 1, 2 * w)
        return self._reshape(self._join([row, row], 2), n, c, 2 * h, 2 * w)

    def nearest_conv2d(self, x: Value, kernel: Weight, kernel_size: int) -> Value:
        return self.conv_transpose2d(x, onnx_summed(self, kernel), 2, kernel_size // 2)

    def bilinear_upsample2d(self, x: Value) -> Value:
        # Three to four times as fast as a padded depthwise ConvTranspose (ONNX Runtime, CPU), and no rule is left open.
        shape = (*x.shape[:2], *(2 * size for size in _sizes(x, 0, 0)))
        scales = self.constant("twice", np.asarray([1, 1, 2, 2], np.float32))
        return self.node("Resize", [x, "", scales], shape, mode="linear", coordinate_transformation_mode="half_pixel")

    def instance_norm(self, x: Value) -> Value:
        channels = x.shape[1]
        assert channels is not None
        ones = self.constant(f"ones_{channels}", np.ones(channels, np.float32))
        zeros = self.constant(f"zeros_{channels}", np.zeros(channels, np.float32))
        return self.node("InstanceNormalization", [x, ones, zeros], x.shape, epsilon=EPSILON)

    def channel_pixel_norm(self, x: Value) -> Value:
        one = (x.shape[0], 1, *x.shape[2:])
        square = self.node("ReduceMean", [self.multiply(x, x)], one, axes=[1], keepdims=1)
        root = self.node("Sqrt", [self.node("Add", [square, self._scalar(EPSILON)], one)], one)
        return self.node("Div", [x, root], x.shape)

    def channel_norm(self, x: Value, gain: Weight, bias: Weight, epsilon: float) -> Value:
        one = (x.shape[0], 1, *x.shape[2:])
        x = self.node("Sub", [x, self.node("ReduceMean", [x], one, axes=[1], keepdims=1)], x.shape)
        square = self.node("ReduceMean", [self.multiply(x, x)], one, axes=[1], keepdims=1)
        root = self.node("Sqrt", [self.node("Add", [square, self._scalar(epsilon)], one)], one)
        factor = self.weight(gain, _per_channel)
        return self.add_bias(self.node("Mul", [self.node("Div", [x, root], x.shape), factor], x.shape), bias)

    def linear_attention(self, q: Value, k: Value, v: Value, heads: int) -> Value:
        return onnx_linear_attention(self, q, k, v, heads)

    def kernel_energy(self, kernel: Weight) -> Weight:
        return onnx_energy(self, kernel)

    def _taps(self, fir: Fir, x: Value) -> tuple[str, int]:
        """The filter once for each channel, [C, 1, fh, fw], and C."""
        channels = x.shape[1]
        assert channels is not None
        array = np.tile(fir.astype(np.float32), (channels, 1, 1, 1))
        stem = "_".join(f"{tap:.6g}" for tap in fir.ravel())
        return self.constant(f"fir_{channels}_{stem}", array), channels

    def _crop(self, x: Value, first: int, last: int) -> Value:
        return self.crop(x, (first, last), (first, last))

    def map_size(self, x: Value) -> tuple[int, int]:
        return _sizes(x, 0, 0)

    def correlate_channels(
        self, x: Value, name: str, taps: Fir, rows: Padding, columns: Padding, strides: tuple[int, int]
    ) -> Value:
        channels = x.shape[1]
        assert channels is not None
        weight = self.constant(name, np.tile(taps.astype(np.float32), (channels, 1, 1, 1)))  # [C, 1, fh, fw]
        sizes = zip(_sizes(x, sum(rows), sum(columns)), taps.shape, strides, strict=True)
        shape = (*x.shape[:2], *((size - n) // stride + 1 for size, n, stride in sizes))
        pads = [rows[0], columns[0], rows[1], columns[1]]
        window = {"kernel_shape": list(taps.shape), "strides": list(strides), "pads": pads, "group": channels}
        return self.node("Conv", [x, weight], shape, **window)

    def interleave(self, parts: list[list[Value]]) -> Value:
        n, c = parts[0][0].shape[:2]
        h, w = _sizes(parts[0][0], 0, 0)
        assert c is not None
        if (columns := len(parts[0])) > 1:
            across = [[self._reshape(part, n, c * h, w, 1) for part in row] for row in parts]
            parts = [[self._reshape(self._join(row, 3), n, c, h, columns * w)] for row in across]
        if (rows := len(parts)) == 1:
            return parts[0][0]
        return self._reshape(self._join([row for (row,) in parts], 3), n, c, rows * h, columns * w)

    def crop(self, x: Value, rows: Padding, columns: Padding) -> Value:
        if not any((*rows, *columns)):
            return x
        starts, ends = (rows[0], columns[0]), [-cut[1] or 1 << 30 for cut in (rows, columns)]
        names = ["crop_" + "_".join(map(str, places)) for places in (starts, ends)]
        edges = [self.constant(n, np.asarray(p, np.int64)) for n, p in zip(names, (starts, ends), strict=True)]
        shape = (*x.shape[:2], *_sizes(x, -sum(rows), -sum(columns)))
        return self.node("Slice", [x, *edges, self._axes(2, 3)], shape)


def _sizes(x: Value, more_rows: int, more_columns: int) -> tuple[int, int]:
    h, w = x.shape[2:]
    assert h is not None and w is not None
    return h + more_rows, w + more_columns


def _per_channel(array: NDArray[Any]) -> NDArray[Any]:
    """[C] -> [C, 1, 1]."""
    return array[:, None, None]


def _dims(shape: Shape) -> list[int | str]:
    return ["N" if size is None else size for size in shape]
