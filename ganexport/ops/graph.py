"""What the graph-emitting interpreters share: named weights, and values that know their shape."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Names", "Shape", "Value", "Weight", "const_window", "hollow_weights", "named_weights", "summed_kernel"]

Shape = tuple[int | None, ...]
"""Sizes of a value; None is the batch N."""


@dataclass(frozen=True)
class Weight:
    """A constant of the graph with its canonical name."""

    name: str
    array: NDArray[np.float32]


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


def named_weights(tensors: Mapping[str, NDArray[np.float32]]) -> dict[str, Weight]:
    """Canonical tensors as the graph-emitting interpreters take them."""
    return {name: Weight(name, tensor) for name, tensor in tensors.items()}


def hollow_weights(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Weight]:
    """Weights of these shapes that take no memory, to run an architecture without numbers."""
    one = np.float32(1)  # seen through any shape
    return {name: Weight(name, np.broadcast_to(one, shape)) for name, shape in shapes.items()}


def const_window(noise_const: Weight, size: int) -> Weight:
    """noise_const [S, S] -> [size, size]: its first rows and columns, swapped."""
    window = np.ascontiguousarray(noise_const.array[:size, :size].T)
    return Weight(f"{noise_const.name}.window{size}", window)


def summed_kernel(kernel: Weight) -> Weight:
    """Kernel [O, I, k, k] of a correlation after nearest up-sampling -> [O, I, k + 1, k + 1] of a transposed one.

    A pixel that became four reaches the sum of four neighbouring taps; a transposed convolution lays its kernel down
    turned by 180 degrees.
    """
    turned = kernel.array[:, :, ::-1, ::-1].astype(np.float64)
    padded = np.pad(turned, ((0, 0), (0, 0), (1, 1), (1, 1)))
    array = padded[:, :, 1:, 1:] + padded[:, :, :-1, 1:] + padded[:, :, 1:, :-1] + padded[:, :, :-1, :-1]
    return Weight(f"{kernel.name}.summed", array.astype(np.float32))
