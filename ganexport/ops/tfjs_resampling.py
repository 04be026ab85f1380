"""Maps made larger and smaller, and filtered, in TensorFlow.js: [N, H, W, C].

Transposed convolutions become one small convolution for each phase of the output grid, then interleaving: the same
sums, since TF.js runs a strided `conv2dTranspose` naively (ten times slower in its wasm backend).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ganexport.errors import OptionError
from ganexport.ops.graph import Value, Weight
from ganexport.ops.polyphase import Phase, phase
from ganexport.ops.protocol import Fir, Padding
from ganexport.ops.stored_kernels import is_large, tfjs_phase
from ganexport.ops.tfjs_attributes import Window
from ganexport.ops.tfjs_depthwise import Tiling, separate
from ganexport.ops.tfjs_nodes import size_of
from ganexport.ops.tfjs_winograd import pays_upsampled, winograd_upsampled

if TYPE_CHECKING:
    from ganexport.ops.tfjs_ops import TfjsOps

__all__ = ["Resampling"]


@dataclass(frozen=True)
class Resampling:
    """Adds the nodes that do it to a graph."""

    graph: TfjsOps

    def conv_transpose2d(self, x: Value, kernel: Weight, stride: int, padding: int) -> Value:
        """As `Ops.conv_transpose2d` says."""
        h, w = size_of(x)
        size = kernel.array.shape[2]
        if h == w == 1 and padding == 0:
            return self._spread(x, kernel)
        y = self._phases(x, kernel, stride, padding)
        surplus = size_of(y)[0] - ((h - 1) * stride + size - 2 * padding)
        return self.crop(y, (0, surplus), (0, surplus))

    def upsample_conv2d(self, x: Value, kernel: Weight, fir: Fir, kernel_size: int) -> Value:
        """As the plain form of `Ops.upsample_conv2d`, but the rows that interleaving adds serve the filter as zeros."""
        taps, half, h = fir.shape[0], kernel_size // 2, size_of(x)[0]
        fewer = self.graph.winograd and kernel_size == 3 and pays_upsampled(x, kernel)
        y = winograd_upsampled(self.graph, x, kernel) if fewer else self._phases(x, kernel, 2, 0, once=is_large(kernel))
        added = size_of(y)[0] - (2 * (h - 1) + kernel_size)
        before = half + (taps + 1) // 2 - (kernel_size - 1)
        after = half + (taps - 2) // 2 - (kernel_size - 2)
        return self.filter2d(y, fir * 4.0, (before, after - added))

    def filter2d(self, x: Value, fir: Fir, padding: Padding) -> Value:
        """As `Ops.filter2d` says."""
        cut = (max(-padding[0], 0), max(-padding[1], 0))
        x = self.crop(x, cut, cut)
        zeros = (max(padding[0], 0), max(padding[1], 0))
        separated = separate(fir)
        if separated is None:
            return self._filter(x, fir[::-1, ::-1], zeros, zeros)
        rows, columns = separated
        return self._filter(self._filter(x, rows[::-1, None], zeros, (0, 0)), columns[None, ::-1], (0, 0), zeros)

    def upsample2d(self, x: Value, fir: Fir) -> Value:
        """As `Ops.upsample2d` says."""
        taps = fir.shape[0]
        cut = taps - 1 - (taps + 1) // 2  # from the full result of a transposed convolution, to 2H × 2W
        phases = [phase(r, taps, 2, cut, size_of(x)[0], size_of(x)[0]) for r in range(2)]

        def part(row: Phase, column: Phase) -> Value:
            taps_of_phase = fir[np.ix_(row.taps, column.taps)] * 4.0
            return self._filter(x, taps_of_phase, (row.before, row.after), (column.before, column.after))

        return self.interleave([[part(row, column) for column in phases] for row in phases])

    def interleave(self, parts: list[list[Value]]) -> Value:
        """Parts [N, H, W, C] by row and column phase -> [N, rows·H, columns·W, C]."""
        return self._interleaved_rows([self._interleaved_columns(row) for row in parts])

    def map_size(self, x: Value) -> tuple[int, int]:
        """Rows and columns."""
        return size_of(x)

    def crop(self, x: Value, rows: Padding, columns: Padding) -> Value:
        """Without its first and last rows and columns."""
        if not any((*rows, *columns)):
            return x
        n, before, _, c = x.shape
        h, w = (size - sum(cut) for size, cut in zip(size_of(x), (rows, columns), strict=True))
        assert c is not None
        flat = self.graph.reshape(x, n, before, (size_of(x)[1]) * c)  # whole rows are copied faster than pixels
        begin, size = self.graph.ints(0, rows[0], columns[0] * c), self.graph.ints(-1, h, w * c)
        return self.graph.reshape(self.graph.node("Slice", [flat, begin, size], (n, h, w * c)), n, h, w, c)

    def correlate_channels(
        self, x: Value, name: str, taps: Fir, rows: Padding, columns: Padding, strides: tuple[int, int]
    ) -> Value:
        """Every channel correlated with `taps` [fh, fw], a constant of this name, after padding with zeros."""
        channels = x.shape[3]
        assert channels is not None
        parts: list[Value] = []
        tiled = Tiling(taps, strides)
        for tile, around_rows, around_columns in tiled.tiles(rows, columns):
            array = np.tile(tile.astype(np.float32)[:, :, None, None], (1, 1, channels, 1))
            kernel = self.graph.constant(f"{name}.tile{len(parts)}", array)
            parts.append(self.graph.depthwise(x, kernel, Window(tile.shape, around_rows, around_columns, strides)))
        # Not an Add, which would be taken for a bias.
        more = {"N": {"i": str(len(parts))}}
        whole = self.graph.node("AddN", parts, parts[0].shape, **more) if len(parts) > 1 else parts[0]
        more_rows, more_columns = tiled.surplus
        return self.crop(whole, (more_rows, more_rows), (more_columns, more_columns))

    def _filter(self, x: Value, taps: Fir, rows: Padding, columns: Padding) -> Value:
        """Every channel correlated with `taps` [fh, fw]."""
        stem = f"fir_{x.shape[3]}_{taps.shape[0]}x{taps.shape[1]}_" + "_".join(f"{t:.6g}" for t in taps.ravel())
        return self.correlate_channels(x, stem, taps, rows, columns, (1, 1))

    def _phases(self, x: Value, kernel: Weight, stride: int, padding: int, *, once: bool = False) -> Value:
        """Transposed convolution, with up to stride − 1 rows and columns of zeros after it."""
        h, _ = size_of(x)
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
            shape = (*kernel.array.shape[:2], len(row.taps), len(column.taps))
            window = Window(shape[2:], (row.before, row.after), (column.before, column.after))
            return self.graph.conv(x, self._phase(kernel, f"phase{i}{j}", row, column, once), window, shape[0])

        return self.interleave([[part(i, j) for j in range(stride)] for i in range(stride)])

    def _phase(self, kernel: Weight, name: str, row: Phase, column: Phase, once: bool) -> str:
        """The taps of one phase, [kh, kw, I, O]; made `once` of the whole kernel, or a constant of its own."""
        if once or kernel.stored is not None or kernel.value is not None:
            return tfjs_phase(self.graph, kernel, name, row, column)
        taps = kernel.array[:, :, _steps(row), _steps(column)]  # a slice does not copy the kernel
        return self.graph.constant(f"{kernel.name}.{name}", taps.transpose(2, 3, 1, 0))

    def _spread(self, x: Value, kernel: Weight) -> Value:
        """Transposed convolution of a 1×1 map: a matrix product."""
        out, into, kh, kw = kernel.array.shape
        matrix = self.graph.weight(kernel, lambda a: a.transpose(1, 2, 3, 0).reshape(into, -1))  # [I, kh·kw·O]
        vector = self.graph.reshape(x, x.shape[0], into)
        y = self.graph.matmul(vector, matrix, (x.shape[0], kh * kw * out))
        return self.graph.reshape(y, x.shape[0], kh, kw, out)

    def _interleaved_rows(self, parts: list[Value]) -> Value:
        if len(parts) == 1:
            return parts[0]
        n, h, w, c = parts[0].shape
        assert h is not None
        return self.graph.reshape(self.graph.join(parts, axis=2), n, len(parts) * h, w, c)

    def _interleaved_columns(self, parts: list[Value]) -> Value:
        # By a transposition: the wasm backend joins along channels in JavaScript, pixel by pixel.
        if len(parts) == 1:
            return parts[0]
        n, h, w, c = parts[0].shape
        assert h is not None and w is not None
        stacked = self.graph.reshape(self.graph.join(parts, axis=1), n, len(parts), h * w, c)
        return self.graph.reshape(self.graph.transpose(stacked, 0, 2, 1, 3), n, h, len(parts) * w, c)


def _steps(one: Phase) -> slice:
    """The taps of a phase, which are equally far from each other."""
    first, last = int(one.taps[0]), int(one.taps[-1])
    step = int(one.taps[1]) - first if len(one.taps) > 1 else -1
    return slice(first, last + step if last + step >= 0 else None, step)
