"""Depthwise windows as TF.js' wasm backend likes them.

It has fast routines for windows of exactly 3, 4, 9 and 25 taps; others take ten to twenty times as long. So a window is
filled up with zeros to such a size, and a larger one is cut into tiles whose results are added. The sums are the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ganexport.ops.protocol import Fir, Padding

__all__ = ["Tiling", "separate"]

LENGTHS = (3, 4, 9, 25)
"""Of a window along one axis."""

SIDES = (2, 3, 5)
"""Of a square one."""


def separate(fir: Fir) -> tuple[Fir, Fir] | None:
    """Column and row taps whose outer product is `fir`, or None where there are none."""
    i, j = np.unravel_index(np.argmax(np.abs(fir)), fir.shape)
    rows, columns = fir[:, j], fir[i, :] / fir[i, j]
    return (rows, columns) if np.allclose(np.outer(rows, columns), fir, rtol=1e-9, atol=0) else None


class Tiling:
    """The tiles of a window [fh, fw], whose results, added up, have some rows and columns too many on each side.

    Attributes:
        surplus: How many of both.
    """

    def __init__(self, taps: Fir, strides: tuple[int, int]) -> None:
        fh, fw = taps.shape
        one_axis = 1 in (fh, fw)
        size = _size(max(fh, fw), LENGTHS if one_axis else SIDES)
        self._taps = taps
        self._rows = _Axis.of(fh, 1 if one_axis and fh == 1 else size, strides[0])
        self._columns = _Axis.of(fw, 1 if one_axis and fh > 1 else size, strides[1])
        self.surplus = (self._rows.reach // strides[0], self._columns.reach // strides[1])

    def tiles(self, rows: Padding, columns: Padding) -> Iterator[tuple[Fir, Padding, Padding]]:
        """Each tile with the padding of its convolution; all results have one size."""
        for i, around_rows in self._rows.places(rows):
            for j, around_columns in self._columns.places(columns):
                part = self._taps[i : i + self._rows.pitch, j : j + self._columns.pitch]
                fill = (self._rows.size - part.shape[0], self._columns.size - part.shape[1])
                yield np.pad(part, ((0, fill[0]), (0, fill[1]))), around_rows, around_columns


@dataclass(frozen=True)
class _Axis:
    """Tiles along one axis.

    Attributes:
        taps: Of the window.
        size: Of each tile; those past `pitch` are zero.
        pitch: From one tile to the next: a multiple of the stride, so that results can be moved instead of inputs.
        reach: From the first tile to the last.
    """

    taps: int
    size: int
    pitch: int
    reach: int

    @staticmethod
    def of(taps: int, size: int, stride: int) -> _Axis:
        """For a window of `taps`; a stride that is larger than the tiles leaves it whole."""
        if taps <= size or stride > size:
            return _Axis(taps, max(taps, size), max(taps, size), 0)
        pitch = size - size % stride
        return _Axis(taps, size, pitch, (-(-taps // pitch) - 1) * pitch)

    def places(self, padding: Padding) -> Iterator[tuple[int, Padding]]:
        """Where each tile begins, and its padding: as much as brings it to its place among all of them."""
        before, after = padding
        after += self.reach + self.size - self.taps
        return ((start, (before + self.reach - start, after + start)) for start in range(0, self.reach + 1, self.pitch))


def _size(taps: int, sizes: tuple[int, ...]) -> int:
    return next((size for size in sizes if size >= taps), sizes[-1])
