"""Attributes of nodes, as graph models of TensorFlow.js spell them."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ganexport.ops.graph import Shape
from ganexport.ops.protocol import Padding

__all__ = ["Json", "Window", "shape_json", "string_json"]

Json = dict[str, Any]


def shape_json(shape: Shape) -> Json:
    """A shape; the batch is -1."""
    return {"dim": [{"size": "-1" if size is None else str(size)} for size in shape]}


@dataclass(frozen=True)
class Window:
    """Size, padding and strides of a convolution."""

    size: tuple[int, ...]
    rows: Padding
    columns: Padding
    strides: tuple[int, int] = (1, 1)

    @staticmethod
    def same(kernel_shape: tuple[int, ...], padding: int, stride: int = 1) -> Window:
        """With as much padding on all sides; the kernel is [O, I, kh, kw]."""
        return Window(kernel_shape[2:], (padding, padding), (padding, padding), (stride, stride))

    def size_after(self, h: int, w: int) -> tuple[int, int]:
        """Rows and columns of the result."""
        return (
            (h + sum(self.rows) - self.size[0]) // self.strides[0] + 1,
            (w + sum(self.columns) - self.size[1]) // self.strides[1] + 1,
        )

    def attributes(self) -> dict[str, Json]:
        """Of a convolution's node."""
        explicit = [0, 0, *self.rows, *self.columns, 0, 0]
        padded = any(explicit)
        return {
            "strides": _int_list([1, *self.strides, 1]),
            "dilations": _int_list([1, 1, 1, 1]),
            "data_format": string_json("NHWC"),
            "padding": string_json("EXPLICIT" if padded else "VALID"),
            **({"explicit_paddings": _int_list(explicit)} if padded else {}),
        }


def _int_list(values: Sequence[int]) -> Json:
    return {"list": {"i": list(values)}}


def string_json(text: str) -> Json:
    """A string, which is kept as base64."""
    return {"s": base64.b64encode(text.encode()).decode()}
