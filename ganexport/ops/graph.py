"""What the graph-emitting interpreters share: named weights, and values that know their shape."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Names",
    "Shape",
    "Stored",
    "Value",
    "View",
    "Weight",
    "as_it_is",
    "const_window",
    "hollow_weights",
    "kernel_energy",
    "named_weights",
    "summed_kernel",
]

Shape = tuple[int | None, ...]
"""Sizes of a value; None is the batch N."""

View = Callable[[NDArray[Any]], NDArray[Any]]
"""Puts a weight into another layout, or takes a part of it: transposing, slicing, reshaping, no arithmetic."""


def as_it_is(array: NDArray[Any]) -> NDArray[Any]:
    """The view that changes nothing."""
    return array


@dataclass(frozen=True, eq=False)
class Stored:
    """A weight as a file holds it, in fewer bytes: codes · scale.

    Attributes:
        codes: float16 or whole numbers, of the weight's shape.
        scale: float32, one number or as many axes as the codes, of size 1 where it does not differ; None for float16.
        low_bits: 1, 2, 4 or 8 where codes have so many bits more than 8, which lie in bytes of their own; else 0.
    """

    codes: NDArray[Any]
    scale: NDArray[np.float32] | None = None
    low_bits: int = 0

    @property
    def read_back(self) -> NDArray[np.float32]:
        """The numbers that every runtime makes of it."""
        wide = self.codes.astype(np.float32)
        return wide if self.scale is None else wide * self.scale

    @property
    def high(self) -> NDArray[Any]:
        """The codes without their low bits."""
        return (self.codes >> self.low_bits).astype(np.int8) if self.low_bits else self.codes

    @property
    def low(self) -> NDArray[np.uint8]:
        """The low bits of all codes in a row, [1, bytes]; the first codes' are the highest bits of each byte."""
        parts = 8 // self.low_bits
        bits = (self.codes & ((1 << self.low_bits) - 1)).astype(np.uint8).reshape(parts, -1)
        places = 8 - self.low_bits * (np.arange(parts) + 1)
        return np.bitwise_or.reduce(bits << places[:, None].astype(np.uint8), axis=0, keepdims=True)

    @property
    def shifts(self) -> NDArray[np.float32]:
        """What brings each part of `low` to whole numbers, beside all parts before it: [parts, 1]."""
        parts = 8 // self.low_bits
        return (2.0 ** (self.low_bits * (np.arange(parts) + 1) - 8)).astype(np.float32)[:, None]

    def seen(self, view: View) -> Stored:
        """The same in another layout; a scale that differs from channel to channel follows their axis."""
        scale = self.scale
        if scale is not None and scale.ndim:
            scale = view(np.broadcast_to(scale, self.codes.shape))
            for axis in range(scale.ndim):
                first = scale.take([0], axis)
                scale = first if (scale == first).all() else scale
        return Stored(view(self.codes), scale, self.low_bits)


@dataclass(frozen=True, eq=False)
class Weight:
    """A constant of the graph with its canonical name.

    Attributes:
        name: Of the constant.
        array: Its numbers; where they are stored in fewer bytes, those that are read back.
        stored: How the file holds them; None as float32.
        value: Name of the value that has them, where the graph makes it of another weight.
    """

    name: str
    array: NDArray[np.float32]
    stored: Stored | None = None
    value: str | None = None

    def seen(self, name: str, view: View) -> Weight:
        """A part of it, or the whole in another layout, under another name."""
        return Weight(name, view(self.array), None if self.stored is None else self.stored.seen(view))


@dataclass(frozen=True)
class Value:
    """A tensor of the graph, in the interpreter's own layout."""

    name: str
    shape: Shape


def broadcast(a: Value, b: Value) -> Shape:
    """Shape of a sum or product: sizes of 1 stretch."""
    return tuple(None if None in pair else max(pair) for pair in zip(a.shape, b.shape, strict=True))  # type: ignore[type-var]


class Names:
    """Unique names for the nodes of one graph."""

    def __init__(self) -> None:
        self._count: dict[str, int] = {}

    def new(self, stem: str) -> str:
        """`stem_0`, `stem_1`, …"""
        index = self._count.get(stem, 0)
        self._count[stem] = index + 1
        return f"{stem}_{index}"


def named_weights(tensors: Mapping[str, NDArray[np.float32]], stored: Mapping[str, Stored] = {}) -> dict[str, Weight]:
    """Canonical tensors as the graph-emitting interpreters take them, some in fewer bytes."""
    plain = {name: Weight(name, tensor) for name, tensor in tensors.items()}
    return plain | {name: Weight(name, one.read_back, one) for name, one in stored.items()}


def hollow_weights(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Weight]:
    """Weights of these shapes that take no memory, to run an architecture without numbers."""
    one = np.float32(1)  # seen through any shape
    return {name: Weight(name, np.broadcast_to(one, shape)) for name, shape in shapes.items()}


def const_window(noise_const: Weight, size: int) -> Weight:
    """noise_const [S, S] -> [size, size]: its first rows and columns, swapped."""
    return noise_const.seen(f"{noise_const.name}.window{size}", lambda array: array[:size, :size].T)


def summed_kernel(kernel: Weight) -> Weight:
    """Kernel [O, I, k, k] of a correlation after nearest up-sampling -> [O, I, k + 1, k + 1] of a transposed one.

    A pixel that became four reaches the sum of four neighbouring taps; a transposed convolution lays its kernel down
    turned by 180 degrees.
    """
    turned = kernel.array[:, :, ::-1, ::-1].astype(np.float64)
    padded = np.pad(turned, ((0, 0), (0, 0), (1, 1), (1, 1)))
    array = padded[:, :, 1:, 1:] + padded[:, :, :-1, 1:] + padded[:, :, 1:, :-1] + padded[:, :, :-1, :-1]
    return Weight(f"{kernel.name}.summed", array.astype(np.float32))


def kernel_energy(kernel: Weight) -> Weight:
    """Kernel [O, I, kh, kw] -> [O, I]: the sum of its squares over the window."""
    energy = np.sum(np.square(kernel.array, dtype=np.float64), axis=(2, 3))
    return Weight(f"{kernel.name}.energy", energy.astype(np.float32))
