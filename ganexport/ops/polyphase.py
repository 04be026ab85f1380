"""Transposed convolutions and FIR resampling as plain correlations, one for each phase of the output grid.

Runtimes are poor at zeros between pixels: a strided transposed convolution runs naively in TF.js (ten times slower in
its wasm backend), a grouped one in ONNX Runtime takes twice the time. The sums are the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ganexport.ops.graph import Value, Weight
from ganexport.ops.protocol import Fir, Padding

__all__ = ["Phase", "Resampler", "fir_downsample2d", "fir_upsample2d", "phase"]

NO_PADDING = (0, 0)


@dataclass(frozen=True)
class Phase:
    """Outputs r, r + stride, r + 2·stride, … of a transposed convolution along one axis, as a plain correlation."""

    taps: NDArray[np.int64]  # indices into the kernel, in the order of a correlation
    before: int  # zeros before the input; negative crops
    after: int


def phase(r: int, size: int, stride: int, padding: int, length: int, outputs: int) -> Phase:
    """Outputs r + stride·m, m < `outputs`, of a transposed convolution with a kernel of `size` taps.

    Output o = stride·i − padding + k gets tap k of input i. So k runs over a, a + stride, … with
    a = (r + padding) mod stride, and i = m + (r + padding) // stride − t for the t-th of them.
    """
    shift, a = divmod(r + padding, stride)
    taps = np.arange(a, size, stride)[::-1]
    return Phase(taps, before=len(taps) - 1 - shift, after=outputs + shift - length)


class Resampler(Protocol):
    """What an interpreter that emits a graph must be able to do; all in its own layout."""

    def map_size(self, x: Value) -> tuple[int, int]:
        """Rows and columns."""
        ...

    def correlate_channels(
        self, x: Value, name: str, taps: Fir, rows: Padding, columns: Padding, strides: tuple[int, int]
    ) -> Value:
        """Every channel correlated with `taps` [fh, fw], a constant of this name, after padding with zeros."""
        ...

    def crop(self, x: Value, rows: Padding, columns: Padding) -> Value:
        """Without its first and last rows and columns."""
        ...

    def interleave(self, parts: list[list[Value]]) -> Value:
        """Parts [N, C, H, W] by row and column phase -> [N, C, rows·H, columns·W]."""
        ...


def fir_upsample2d(ops: Resampler, x: Value, fir: Weight, factor: int, padding: Padding, gain: float) -> Value:
    """`Ops.fir_upsample2d`: a filter [n] along the columns, then along the rows; one [n, n] in both at once."""
    taps = fir.array.astype(np.float64)
    if taps.ndim == 2:
        return _upsample(ops, x, fir.name, taps * gain, (factor, factor), (padding, padding))
    x = _upsample(ops, x, f"{fir.name}.columns", taps[None, :] * gain, (1, factor), (NO_PADDING, padding))
    return _upsample(ops, x, f"{fir.name}.rows", taps[:, None], (factor, 1), (padding, NO_PADDING))


def fir_downsample2d(ops: Resampler, x: Value, fir: Weight, factor: int) -> Value:
    """`Ops.fir_downsample2d`: a filter [n] along the columns, then along the rows; one [n, n] in both at once."""
    turned = np.flip(fir.array).astype(np.float64)
    if turned.ndim == 2:
        return ops.correlate_channels(x, fir.name, turned, NO_PADDING, NO_PADDING, (factor, factor))
    x = ops.correlate_channels(x, f"{fir.name}.columns", turned[None, :], NO_PADDING, NO_PADDING, (1, factor))
    return ops.correlate_channels(x, f"{fir.name}.rows", turned[:, None], NO_PADDING, NO_PADDING, (factor, 1))


def _upsample(
    ops: Resampler, x: Value, name: str, taps: Fir, factors: tuple[int, int], paddings: tuple[Padding, Padding]
) -> Value:
    """Zeros after each pixel, padding, then `taps` [fh, fw]; factors and paddings of rows and columns."""
    lengths = ops.map_size(x)
    sizes = [
        length * factor + sum(padding) - n + 1
        for length, factor, padding, n in zip(lengths, factors, paddings, taps.shape, strict=True)
    ]
    rows, columns = (
        [phase(r, max(n, factor), factor, n - 1 - padding[0], length, -(-size // factor)) for r in range(factor)]
        for length, factor, padding, n, size in zip(lengths, factors, paddings, taps.shape, sizes, strict=True)
    )
    # With fewer taps than the factor some phases would have none: they get a zero.
    taps = np.pad(taps, [(0, max(factor - n, 0)) for n, factor in zip(taps.shape, factors, strict=True)])
    cut_rows, cut_columns = _common_cut(rows), _common_cut(columns)
    x = ops.crop(x, cut_rows, cut_columns)

    def part(i: int, j: int) -> Value:
        window = taps[np.ix_(rows[i].taps, columns[j].taps)]
        (zero_rows, rest_rows), (zero_columns, rest_columns) = _pads(rows[i], cut_rows), _pads(columns[j], cut_columns)
        y = ops.crop(x, rest_rows, rest_columns)
        return ops.correlate_channels(y, f"{name}.phase{i}{j}", window, zero_rows, zero_columns, (1, 1))

    y = ops.interleave([[part(i, j) for j in range(len(columns))] for i in range(len(rows))])
    h, w = ops.map_size(y)
    return ops.crop(y, (0, h - sizes[0]), (0, w - sizes[1]))


def _pads(one: Phase, cut: Padding) -> tuple[Padding, Padding]:
    """The zeros that a phase wants around a map that was cut, and what it leaves out besides."""
    before, after = one.before + cut[0], one.after + cut[1]
    return (max(before, 0), max(after, 0)), (max(-before, 0), max(-after, 0))


def _common_cut(phases: list[Phase]) -> Padding:
    """What every phase leaves out at the beginning and at the end."""
    return max(min(-p.before for p in phases), 0), max(min(-p.after for p in phases), 0)
