"""`TfjsOps`: emits the nodes of a TensorFlow.js graph model directly. Maps are [N, H, W, C]; no rank above 4."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from ganexport.ops import polyphase
from ganexport.ops.attention import tfjs_linear_attention
from ganexport.ops.gains import FoldedGains
from ganexport.ops.graph import (
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
from ganexport.ops.protocol import EPSILON, Fir, Padding
from ganexport.ops.stored_kernels import is_large, tfjs_energy, tfjs_summed
from ganexport.ops.tfjs_attributes import Window, shape_json, string_json
from ganexport.ops.tfjs_nodes import TfjsNodes, size_of
from ganexport.ops.tfjs_resampling import Resampling
from ganexport.ops.tfjs_winograd import pays, winograd_conv2d

__all__ = ["TfjsOps"]


class TfjsOps(TfjsNodes, FoldedGains):
    """The nodes and weights of one graph model.

    Attributes:
        inputs: What it is fed.
        preparation: A graph of constants, which TF.js runs once.
        resampling: Adds what makes maps larger and smaller.
        winograd: Whether convolutions take fewer products and more steps, where that pays.
    """

    def __init__(self, optimize_for: str | None = None) -> None:
        """An empty graph; `wasm` chooses what is fastest there, everything else what is fast on every backend."""
        super().__init__()
        self.inputs: list[Value] = []
        self.preparation = TfjsNodes(beside=self)
        self._prepared_by_name: dict[str, list[Value]] = {}
        self.resampling = Resampling(self)
        self.winograd = optimize_for == "wasm"

    def once(self, name: str, make: Callable[[TfjsNodes], Sequence[Value]]) -> list[Value]:
        """Values that are made in the preparation, unless they are there."""
        if name not in self._prepared_by_name:
            made = [self.preparation.output(f"{name}.{i}", x) for i, x in enumerate(make(self.preparation))]
            self._prepared_by_name[name] = [self.placeholder(x.name, x.shape) for x in made]
        return self._prepared_by_name[name]

    @property
    def prepared(self) -> list[Value]:
        """What the preparation gives: further inputs, which TF.js feeds itself."""
        return [x for values in self._prepared_by_name.values() for x in values]

    def weight(self, weight: Weight, view: View = as_it_is) -> str:
        if weight.stored is None or weight.value is not None:
            return super().weight(weight, view)
        name = self.preparation.weight(weight, view)
        if name in self.weights:
            return self.constant(name, self.weights[name])
        return self.once(f"{weight.name}.wide", lambda _: [Value(name, view(weight.array).shape)])[0].name

    def input(self, name: str, shape: Shape) -> Value:
        """A float32 input; None in `shape` is the batch."""
        # By these TF.js checks what it is fed.
        attributes = {"dtype": {"type": "DT_FLOAT"}, "shape": {"shape": shape_json(shape)}}
        value = self.placeholder(name, shape, attributes)
        self.inputs.append(value)
        return value

    # -- vectors -------------------------------------------------------------------------------------------------

    def dense(self, x: Value, weight: Weight, bias: Weight | None = None) -> Value:
        matrix = self.weight(weight, np.transpose)  # [I, O]
        shape = (x.shape[0], weight.array.shape[0])
        y = self.matmul(x, matrix, shape)
        return y if bias is None else self.node("AddV2", [y, self.weight(bias)], shape)

    def concat(self, xs: Sequence[Value]) -> Value:
        return self.join(xs, axis=len(xs[0].shape) - 1)

    def mean_square(self, x: Value) -> Value:
        return self.node("Mean", [self.multiply(x, x), self.ints(1)], (x.shape[0], 1), keep_dims={"b": True})

    def as_map(self, x: Value, size: int) -> Value:
        pixel = self.reshape(x, x.shape[0], 1, 1, x.shape[1])
        ones = np.ones((1, size, size, 1), np.float32)
        return pixel if size == 1 else self.multiply(pixel, Value(self.constant(f"ones_map_{size}", ones), ones.shape))

    def as_picture(self, x: Value, channels: int) -> Value:
        size = math.isqrt((x.shape[1] or 0) // channels)
        planes = self.reshape(x, None, channels, size, size)
        return self.transpose(planes, 0, 2, 3, 1)

    def as_vector(self, x: Value) -> Value:
        return self.reshape(x, x.shape[0], x.shape[3])

    def as_ws(self, x: Value, num_ws: int) -> Value:
        return self.reshape(x, None, num_ws, (x.shape[1] or 0) // num_ws)

    def feature(self, x: Value, index: int) -> Value:
        return self.node("Slice", [x, self.ints(0, index), self.ints(-1, 1)], (x.shape[0], 1))

    def truncate(self, w: Value, w_avg: Weight, psi: Value) -> Value:
        average = self.weight(w_avg)
        offset = self.node("Sub", [w, average], w.shape)
        offset = self.reshape(offset, None, 1, w.shape[1])  # [N, 1, w_dim]
        shape = (None, psi.shape[1], w.shape[1])
        scaled = self.node("Mul", [offset, self.reshape(psi, None, psi.shape[1], 1)], shape)  # [N, num_ws, w_dim]
        return self.node("AddV2", [scaled, average], shape)

    def select_w(self, ws: Value, index: int) -> Value:
        _, _, width = ws.shape
        assert width is not None
        begin, size = self.ints(0, index, 0), self.ints(-1, 1, width)
        return self.reshape(self.node("Slice", [ws, begin, size], (None, 1, width)), None, width)

    # -- elementwise ---------------------------------------------------------------------------------------------

    def add(self, a: Value, b: Value) -> Value:
        return self.node("AddV2", [a, b], broadcast(a, b))

    def multiply(self, a: Value, b: Value) -> Value:
        return self.node("Mul", [a, b], broadcast(a, b))

    def scale(self, x: Value, factor: float) -> Value:
        return self.node("Mul", [x, self.number(factor)], x.shape)

    def shift(self, x: Value, amount: float) -> Value:
        return self.node("Sub", [x, self.number(-amount)], x.shape)  # an Add might be taken for a bias

    def rsqrt(self, x: Value, floor: float) -> Value:
        return self.node("Rsqrt", [self.node("Maximum", [x, self.number(floor)], x.shape)], x.shape)

    def relu(self, x: Value) -> Value:
        return self.node("Relu", [x], x.shape)

    def leaky_relu(self, x: Value, slope: float) -> Value:
        # As a PReLU, which the wasm backend does four times faster.
        slopes = np.full(x.shape[-1] or 1, slope, np.float32)
        return self.node("Prelu", [x, self.constant(f"slopes_{slope:.9g}_{slopes.size}", slopes)], x.shape)

    def tanh(self, x: Value) -> Value:
        return self.node("Tanh", [x], x.shape)

    def sine(self, x: Value) -> Value:
        # Brought to ±half a cycle first: graphics processors are exact there only.
        cycles = self.node("Floor", [self.shift(x, 0.5)], x.shape)
        return self.node("Sin", [self.scale(self.node("Sub", [x, cycles], x.shape), 2.0 * np.pi)], x.shape)

    def erf(self, x: Value) -> Value:
        return self.node("Erf", [x], x.shape)

    def clip(self, x: Value, limit: float) -> Value:
        return self.node("ClipByValue", [x, self.number(-limit), self.number(limit)], x.shape)

    # -- maps ----------------------------------------------------------------------------------------------------

    def constant_map(self, const: Weight) -> Value:
        channels, h, w = const.array.shape
        return Value(self.weight(const, lambda array: array.transpose(1, 2, 0)[None]), (1, h, w, channels))

    def ramps(self, right: Value, down: Value, offset: Value, positions: NDArray[np.float64]) -> Value:
        size, channels = len(positions), right.shape[1]
        x = self.constant(f"positions_{size}_x", positions.astype(np.float32)[None, None, :, None])
        y = self.constant(f"positions_{size}_y", positions.astype(np.float32)[None, :, None, None])
        right, down, offset = (self.reshape(v, None, 1, 1, channels) for v in (right, down, offset))
        across = self.node("Mul", [right, x], (None, 1, size, channels))
        along = self.node("Mul", [down, y], (None, size, 1, channels))
        along = self.node("AddV2", [along, offset], along.shape)
        return self.node("AddV2", [across, along], (None, size, size, channels))  # [N, S, S, C]

    def scale_channels(self, x: Value, s: Value) -> Value:
        channels = self.reshape(s, None, 1, 1, s.shape[1])
        return self.node("Mul", [x, channels], (None, *x.shape[1:]))

    def shift_channels(self, x: Value, s: Value) -> Value:
        channels = self.reshape(s, None, 1, 1, s.shape[1])
        return self.node("AddV2", [x, channels], (None, *x.shape[1:]))

    def add_bias(self, x: Value, bias: Weight) -> Value:
        return self.node("AddV2", [x, self.weight(bias)], x.shape)

    def add_noise(self, x: Value, noise_const: Weight, noise_strength: Weight, noise_scale: Value) -> Value:
        noise, strength = self.weight(noise_const, lambda array: array[None, :, :, None]), self.weight(noise_strength)
        scale = self.reshape(noise_scale, None, 1, 1, 1)
        if noise_strength.array.ndim == 0:
            scale = self.node("Mul", [scale, strength], scale.shape)
        scaled = self.node("Mul", [noise, scale], (None, *noise_const.array.shape, 1))
        if noise_strength.array.ndim:
            scaled = self.node("Mul", [scaled, strength], (None, *x.shape[1:]))  # [N, H, W, C]
        return self.node("AddV2", [x, scaled], (None, *x.shape[1:]))

    def add_given_noise(self, x: Value, noise: Value, noise_strength: Weight) -> Value:
        one_channel = self.reshape(noise, None, *size_of(x), 1)  # [N, H, W, 1]
        strength = self.weight(noise_strength)
        channels = 1 if noise_strength.array.ndim == 0 else x.shape[3]
        scaled = self.node("Mul", [one_channel, strength], (None, *size_of(x), channels))
        return self.node("AddV2", [x, scaled], (None, *x.shape[1:]))

    def noise_window(self, noise: Value, size: int) -> Value:
        begin, extent = self.ints(0, 0, 0, 0), self.ints(-1, size, size, 1)
        window = self.node("Slice", [noise, begin, extent], (None, size, size, 1))
        return self.transpose(window, 0, 3, 2, 1)

    def const_window(self, noise_const: Weight, size: int) -> Weight:
        return const_window(noise_const, size)

    def conv2d(self, x: Value, kernel: Weight, padding: int, stride: int = 1) -> Value:
        if self.winograd and (padding, stride) == (1, 1) and pays(x, kernel):
            return winograd_conv2d(self, x, kernel)
        weight = self.weight(kernel, lambda array: array.transpose(2, 3, 1, 0))  # [kh, kw, I, O]
        return self.conv(x, weight, Window.same(kernel.array.shape, padding, stride), kernel.array.shape[0])

    def depthwise_conv2d(self, x: Value, kernel: Weight, padding: int) -> Value:
        weight = self.weight(kernel, lambda array: array.transpose(2, 3, 0, 1))  # [kh, kw, C, 1]
        return self.depthwise(x, weight, Window.same(kernel.array.shape, padding))

    def conv_transpose2d(self, x: Value, kernel: Weight, stride: int, padding: int) -> Value:
        return self.resampling.conv_transpose2d(x, kernel, stride, padding)

    def upsample_conv2d(self, x: Value, kernel: Weight, fir: Fir, kernel_size: int) -> Value:
        return self.resampling.upsample_conv2d(x, kernel, fir, kernel_size)

    def reflect_pad2d(self, x: Value, width: int) -> Value:
        pads = self.constant(f"pads_{width}", np.asarray([[0, 0], [width] * 2, [width] * 2, [0, 0]], np.int32))
        h, w = (size + 2 * width for size in size_of(x))
        return self.node("MirrorPad", [x, pads], (x.shape[0], h, w, x.shape[3]), mode=string_json("REFLECT"))

    def filter2d(self, x: Value, fir: Fir, padding: Padding) -> Value:
        return self.resampling.filter2d(x, fir, padding)

    def upsample2d(self, x: Value, fir: Fir) -> Value:
        return self.resampling.upsample2d(x, fir)

    def fir_upsample2d(self, x: Value, fir: Weight, factor: int, padding: Padding, gain: float) -> Value:
        return polyphase.fir_upsample2d(self.resampling, x, fir, factor, padding, gain)

    def fir_downsample2d(self, x: Value, fir: Weight, factor: int) -> Value:
        return polyphase.fir_downsample2d(self.resampling, x, fir, factor)

    def nearest_upsample2d(self, x: Value) -> Value:
        return self.resampling.interleave([[x, x], [x, x]])

    def nearest_conv2d(self, x: Value, kernel: Weight, kernel_size: int) -> Value:
        summed = summed_kernel(kernel) if kernel.stored is None else tfjs_summed(self, kernel)
        return self.conv_transpose2d(x, summed, 2, kernel_size // 2)

    def bilinear_upsample2d(self, x: Value) -> Value:
        h, w = (2 * size for size in size_of(x))
        centres = {"align_corners": {"b": False}, "half_pixel_centers": {"b": True}}
        return self.node("ResizeBilinear", [x, self.ints(h, w)], (x.shape[0], h, w, x.shape[3]), **centres)

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
        return tfjs_energy(self, kernel) if kernel.stored is not None or is_large(kernel) else kernel_energy(kernel)

    # -- lowering ------------------------------------------------------------------------------------------------

    def _mean(self, x: Value, *axes: int) -> Value:
        shape = tuple(1 if axis in axes else size for axis, size in enumerate(x.shape))
        return self.node("Mean", [x, self.ints(*axes)], shape, keep_dims={"b": True})

    def _normalised(self, x: Value, *axes: int, epsilon: float = EPSILON) -> Value:
        """X / √(mean of x² over `axes` + ε)."""
        square = self._mean(self.multiply(x, x), *axes)
        guarded = self.node("AddV2", [square, self.number(epsilon)], square.shape)
        return self.multiply(x, self.node("Rsqrt", [guarded], square.shape))
