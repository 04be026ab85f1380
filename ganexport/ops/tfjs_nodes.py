"""The nodes and weights of a TensorFlow.js graph model, and what every part of a lowering to it needs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganexport.ops.graph import Names, Shape, Value, View, Weight, as_it_is
from ganexport.ops.tfjs_attributes import Json, Window
from ganexport.ops.widen import tfjs_widened

__all__ = ["TfjsNodes", "size_of"]


class TfjsNodes:
    """Collects the nodes and weights of one graph.

    Attributes:
        nodes: In the order in which they run.
        weights: Constants by name, in the order of their first use, as the file holds them.
        quantization: What makes float32 of those that are codes.
    """

    def __init__(self, beside: TfjsNodes | None = None) -> None:
        """An empty graph; one `beside` another shares its weights and its names."""
        self.nodes: list[Json] = []
        self.weights: dict[str, NDArray[Any]] = {} if beside is None else beside.weights
        self.quantization: dict[str, Json] = {} if beside is None else beside.quantization
        self._names: Names = Names() if beside is None else beside._names
        self._constants: set[str] = set()
        self._widened: dict[str, str] = {}

    # -- any node ------------------------------------------------------------------------------------------------

    def placeholder(self, name: str, shape: Shape, attributes: Json | None = None) -> Value:
        """A float32 value that is given; None in `shape` is the batch."""
        self.nodes.append({"name": name, "op": "Placeholder", **({"attr": attributes} if attributes else {})})
        return Value(name, shape)

    def node(self, op: str, inputs: Sequence[Value | str], shape: Shape, **attributes: Json) -> Value:
        """Append a node with one output of the given shape."""
        return self._append(self._names.new(op), op, inputs, shape, attributes)

    def output(self, name: str, x: Value) -> Value:
        """Give `x` the name of an output."""
        return self._append(name, "Identity", [x], x.shape, {})

    def constant(self, name: str, array: NDArray[Any]) -> str:
        """Name of a constant; one of the same name must be the same array."""
        held = self.weights.setdefault(name, array)
        assert held is array or np.array_equal(held, array), name
        if name not in self._constants:
            self.nodes.append({"name": name, "op": "Const"})  # the rest stands beside the numbers
            self._constants.add(name)
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

    # -- those that every lowering uses --------------------------------------------------------------------------

    def number(self, value: float) -> str:
        """Name of a scalar."""
        return self.constant(f"scalar_{value:.9g}", np.asarray(value, np.float32))

    def ints(self, *values: int) -> str:
        """Name of a list of whole numbers."""
        return self.constant("ints_" + "_".join(map(str, values)), np.asarray(values, np.int32))

    def reshape(self, x: Value, *shape: int | None) -> Value:
        """The same numbers in the same order; None is the batch, of which each size may be a part."""
        return self.node("Reshape", [x, self.ints(*(-1 if s is None else s for s in shape))], shape)

    def transpose(self, x: Value, *axes: int) -> Value:
        """With its axes in another order."""
        return self.node("Transpose", [x, self.ints(*axes)], tuple(x.shape[axis] for axis in axes))

    def join(self, xs: Sequence[Value], axis: int) -> Value:
        """One after the other along an axis."""
        shape = list(xs[0].shape)
        shape[axis] = sum(x.shape[axis] or 0 for x in xs)
        at = self.constant(f"axis_{axis}", np.asarray(axis, np.int32))
        return self.node("ConcatV2", [*xs, at], tuple(shape), N={"i": str(len(xs))})

    def matmul(self, a: Value | str, b: Value | str, shape: Shape) -> Value:
        """Product of two matrices."""
        return self.node("MatMul", [a, b], shape)

    def conv(self, x: Value, kernel: Value | str, window: Window, channels: int) -> Value:
        """Correlation of a map with a kernel [kh, kw, I, O]."""
        return self._windowed("Conv2D", x, kernel, window, channels)

    def depthwise(self, x: Value, kernel: Value | str, window: Window) -> Value:
        """Each channel of a map correlated with its own of a kernel [kh, kw, C, 1]."""
        channels = x.shape[3]
        assert channels is not None
        return self._windowed("DepthwiseConv2dNative", x, kernel, window, channels)

    def _windowed(self, op: str, x: Value, kernel: Value | str, window: Window, channels: int) -> Value:
        shape = (x.shape[0], *window.size_after(*size_of(x)), channels)
        return self.node(op, [x, kernel], shape, **window.attributes())


def size_of(x: Value) -> tuple[int, int]:
    """Rows and columns of a map."""
    h, w = x.shape[1:3]
    assert h is not None and w is not None
    return h, w
