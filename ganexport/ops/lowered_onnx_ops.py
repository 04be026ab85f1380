"""`LoweredOnnxOps`: the same pictures by steps that ONNX Runtime does faster on processors, native and WebAssembly.

All of them are standard ONNX. What becomes of the weights alone (transformed kernels, phases, energies) is worked out
by nodes between constants, which runtimes fold when they load a graph: the file holds each kernel once, as it is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ganexport.ops import winograd
from ganexport.ops.gains import FoldedGains
from ganexport.ops.graph import Value, Weight
from ganexport.ops.onnx_ops import OnnxOps
from ganexport.ops.protocol import Fir

__all__ = ["PROCESSOR", "WASM", "LoweredOnnxOps", "Lowering", "onnx_ops"]


KERNEL = 3
"""Rows and columns of the kernels that are lowered."""

PLACES = (winograd.TILE + KERNEL - 1) ** 2
"""Products of a tile."""


@dataclass(frozen=True)
class Lowering:
    """When which form pays; found by measurement, see `docs/performance.md`.

    Attributes:
        winograd_channels: Fewest channels in and out for Winograd's convolution.
        winograd_size: Smallest map for it: below, its larger kernels cost more to read than products are saved.
        phases_size: Smallest map that is doubled by a convolution for each phase and not by a transposed one.
        separable_windows: Whether Winograd's windows are transformed along one axis after the other: a quarter of the
            products, in one step more.
    """

    winograd_channels: int
    winograd_size: int
    phases_size: int
    separable_windows: bool


PROCESSOR = Lowering(winograd_channels=64, winograd_size=16, phases_size=16, separable_windows=False)
WASM = Lowering(winograd_channels=64, winograd_size=16, phases_size=16, separable_windows=True)


def onnx_ops(device: str | None) -> OnnxOps:
    """What emits graphs that are fast on a device; without one, on processors: good in WebAssembly too.

    On graphics processors the convolutions as they are written are what runtimes are made for.
    """
    if device in ("webgl", "webgpu"):
        return OnnxOps()
    return LoweredOnnxOps(WASM if device == "wasm" else PROCESSOR)


class LoweredOnnxOps(OnnxOps, FoldedGains):
    """Emits what is fast in ONNX Runtime on a processor."""

    def __init__(self, lowering: Lowering = PROCESSOR) -> None:
        super().__init__()
        self._lowering = lowering

    def conv2d(self, x: Value, kernel: Weight, padding: int, stride: int = 1) -> Value:
        if stride == 1 and padding == 1 and self._takes_winograd(x, kernel):
            return self._winograd(x, kernel, None, None)
        return super().conv2d(x, kernel, padding, stride)

    def upsample_conv2d(self, x: Value, kernel: Weight, fir: Fir, kernel_size: int) -> Value:
        h, w = self.map_size(x)
        if kernel_size != KERNEL or min(h, w) < self._lowering.phases_size:
            return super().upsample_conv2d(x, kernel, fir, kernel_size)
        # Rows 0, 2, … of the transposed convolution are a correlation with taps 2 and 0, rows 1, 3, … one with tap 1.
        # Each phase gets a row and a column more than it needs: the zeros that the filter wants after the last.
        phases = [[self._phase(x, kernel, row, column) for column in range(2)] for row in range(2)]
        y = self.interleave(phases)  # [N, O, 2H + 2, 2W + 2]
        taps = fir.shape[0]
        before, after = (taps + 1) // 2 - 1, (taps - 2) // 2
        return self.filter2d(y, fir * 4.0, (before, after - 1))

    def modulated_conv2d(
        self, x: Value, kernel: Weight, style: Value, *, kernel_size: int, demodulate: bool, up_fir: Fir | None = None
    ) -> Value:
        if kernel_size > 1 or demodulate or up_fir is not None:
            return super().modulated_conv2d(
                x, kernel, style, kernel_size=kernel_size, demodulate=demodulate, up_fir=up_fir
            )
        # The style scales the kernel, which is small, and one matrix product for each picture reads the map once.
        (out, into), (h, w) = kernel.array.shape[:2], self.map_size(x)
        matrix = self._reshape(Value(self.weight(kernel), kernel.array.shape), out, into)
        matrix = self.node("Mul", [matrix, self._unsqueeze(style, 1)], (style.shape[0], out, into))
        flat = self._reshape(x, x.shape[0], into, h * w)
        return self._reshape(
            self.node("MatMul", [matrix, flat], (style.shape[0], out, h * w)), style.shape[0], out, h, w
        )

    def scaled_conv2d(
        self, x: Value, kernel: Weight, style: Value, scale: Value, *, kernel_size: int, up_fir: Fir | None
    ) -> Value:
        if up_fir is None and self._takes_winograd(x, kernel):
            return self._winograd(x, kernel, style, scale)
        return super().scaled_conv2d(x, kernel, style, scale, kernel_size=kernel_size, up_fir=up_fir)

    def _takes_winograd(self, x: Value, kernel: Weight) -> bool:
        out, into, kh, kw = kernel.array.shape
        h, w = self.map_size(x)
        if (kh, kw) != (KERNEL, KERNEL) or h % winograd.TILE or w % winograd.TILE:
            return False
        return min(h, w) >= self._lowering.winograd_size and min(out, into) >= self._lowering.winograd_channels

    def _winograd(self, x: Value, kernel: Weight, style: Value | None, demodulation: Value | None) -> Value:
        """x [N, I, H, W] correlated with kernel [O, I, 3, 3], scaled by style [N, I] and demodulation [N, O]."""
        out, into = kernel.array.shape[:2]
        h, w = self.map_size(x)
        tiles, places = (h // winograd.TILE) * (w // winograd.TILE), PLACES
        n = x.shape[0] if style is None else style.shape[0]
        kernels = self._transformed(kernel)  # [36, 1, O, I]
        scaled_kernels = out * places < h * w and style is not None
        if scaled_kernels:  # they are fewer numbers than the map
            assert style is not None
            assert demodulation is not None
            kernels = self.node("Mul", [kernels, self._unsqueeze(style, 1)], (places, style.shape[0], out, into))
            kernels = self.node("Mul", [kernels, self._unsqueeze(demodulation, 2)], kernels.shape)
        elif style is not None:
            x = self.scale_channels(x, style)
        windows = self._windows(x)  # [36, N, I, tiles]
        products = self.node("MatMul", [kernels, windows], (places, n, out, tiles))
        y = self._tiles_to_map(products, n, out, h, w)
        return y if scaled_kernels or demodulation is None else self.scale_channels(y, demodulation)

    def _transformed(self, kernel: Weight) -> Value:
        """G g Gᵀ of every kernel: [36, 1, O, I], the columns' place outside."""
        out, into = kernel.array.shape[:2]
        matrix = winograd.kernel_transform()
        transform = self._matrix("winograd_kernel", np.kron(matrix, matrix))  # [36, 9]
        taps = self.node("Transpose", [self.weight(kernel)], (3, 3, out, into), perm=[3, 2, 0, 1])
        flat = self._reshape(taps, KERNEL**2, out * into)
        return self._reshape(self.node("MatMul", [transform, flat], (PLACES, out * into)), 36, 1, out, into)

    def _windows(self, x: Value) -> Value:
        """Bᵀ d B of every window of x [N, I, H, W]: [36, N, I, tiles]."""
        n, into = x.shape[:2]
        h, w = self.map_size(x)
        tall, wide = h // winograd.TILE, w // winograd.TILE
        matrix, maps = winograd.window_transform(), self._reshape(x, None, 1, h, w)
        if self._lowering.separable_windows:
            columns = self._strided(maps, "columns", matrix[:, None, None, :])  # [N · I, 6, H, W / 4]
            maps = self._reshape(columns, None, 1, h, wide)
            places = self._strided(maps, "rows", matrix[:, None, :, None])  # [N · I · 6, 6, H / 4, W / 4]
        else:
            # One filter for each place: a product of columns and rows, columns first among the places.
            filters = np.einsum("qb,pa->qpab", matrix, matrix).reshape(PLACES, 1, *matrix.shape)
            places = self._strided(maps, "both", filters)  # [N · I, 36, H / 4, W / 4]
        places = self._reshape(places, None, PLACES, tall * wide)  # [N · I, 36, tiles]
        places = self.node("Transpose", [places], (PLACES, None, tall * wide), perm=[1, 0, 2])
        return self._reshape(places, PLACES, n, into, tall * wide)

    def _strided(self, maps: Value, name: str, filters: NDArray[np.floating]) -> Value:
        """Filters [O, 1, 6 or 1, 6 or 1] over maps [N, 1, H, W], a tile's width apart along the axes that they have."""
        (out, _, *kernel), (h, w) = filters.shape, self.map_size(maps)
        strides = [winograd.TILE if size > 1 else 1 for size in kernel]
        pads = [1 if size > 1 else 0 for size in kernel] * 2
        window = {"kernel_shape": kernel, "strides": strides, "pads": pads}
        shape = (maps.shape[0], out, h // strides[0], w // strides[1])
        return self.node("Conv", [maps, self._matrix(f"winograd_window_{name}", filters)], shape, **window)

    def _tiles_to_map(self, products: Value, n: int | None, out: int, h: int, w: int) -> Value:
        """Aᵀ m A of products [36, N, O, tiles], laid side by side: [N, O, H, W]."""
        matrix = winograd.output_transform()
        rows, columns = (self._matrix(f"winograd_{name}", m) for name, m in (("rows", matrix), ("columns", matrix.T)))
        y = self.node("MatMul", [rows, self._reshape(products, 6, 6, None)], (6, 4, None))
        # The second product is written so that a tile's four columns come out side by side.
        y = self.node("Gemm", [self._reshape(y, 6, None), columns], (None, winograd.TILE), transA=1)
        tall = h // winograd.TILE
        y = self.node("Transpose", [self._reshape(y, 4, None, tall, w)], (None, tall, 4, w), perm=[1, 2, 0, 3])
        return self._reshape(y, n, out, h, w)

    def _matrix(self, name: str, array: NDArray[np.floating]) -> str:
        return self.constant(name, array.astype(np.float32))

    def _phase(self, x: Value, kernel: Weight, row: int, column: int) -> Value:
        """Rows and columns of this parity of the transposed convolution with stride 2: [N, O, H + 1, W + 1]."""
        shape = (*kernel.array.shape[:2], 2 - row, 2 - column)
        taps = self.node("Slice", [self.weight(kernel), *self._every_other(row, column)], shape)
        (h, w), (n, out) = self.map_size(x), (x.shape[0], kernel.array.shape[0])
        if row and column:
            # A 1×1 convolution that pads is wrong in ONNX Runtime's WebGPU: it becomes a matrix product of the map.
            y = self.node("Conv", [x, taps], (n, out, h, w), kernel_shape=[1, 1])
            pads = self.constant("pads_after", np.asarray([0, 0, 0, 0, 0, 0, 1, 1], np.int64))
            return self.node("Pad", [y, pads], (n, out, h + 1, w + 1))
        window = {"kernel_shape": [2 - row, 2 - column], "pads": [1 - row, 1 - column, 1, 1]}
        return self.node("Conv", [x, taps], (n, out, h + 1, w + 1), **window)

    def _every_other(self, row: int, column: int) -> list[str]:
        """Starts, ends, axes and steps of a slice: taps 2 and 0, or tap 1."""
        parts = {
            "starts": [2 - row, 2 - column],
            "ends": [0 if row else -(1 << 30), 0 if column else -(1 << 30)],
            "axes": [2, 3],
            "steps": [-2, -2],
        }
        return [self.constant(f"taps_{n}_{row}{column}", np.asarray(v, np.int64)) for n, v in parts.items()]
