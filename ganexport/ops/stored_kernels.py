"""What graphs derive from a kernel, made in the graph itself, so that the file has each kernel once.

ONNX Runtime works it out when it loads a graph; TensorFlow.js has a graph of its own for that, which it runs once.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ganexport.ops.graph import Value, Weight, kernel_energy, summed_kernel
from ganexport.ops.polyphase import Phase

if TYPE_CHECKING:
    from ganexport.ops.onnx_ops import OnnxOps
    from ganexport.ops.tfjs_nodes import TfjsNodes
    from ganexport.ops.tfjs_ops import TfjsOps

__all__ = ["is_large", "onnx_energy", "onnx_inputs_first", "onnx_summed", "tfjs_energy", "tfjs_phase", "tfjs_summed"]

CORNERS = ((0, 0), (0, 1), (1, 0), (1, 1))
"""Where the four copies lie whose sum is the kernel after nearest up-sampling."""


LARGE = 1 << 20
"""Bytes of a kernel from which on what follows from it would be felt in a download."""


def is_large(kernel: Weight) -> bool:
    """Whether a kernel's energy, a ninth of a 3×3 kernel, is worked out where the graph is loaded."""
    return kernel.array.nbytes >= LARGE


def onnx_energy(ops: OnnxOps, kernel: Weight) -> Weight:
    """`Ops.kernel_energy` as nodes."""
    wide, shape = ops.weight(kernel), kernel.array.shape
    squares = ops.node("Mul", [wide, wide], shape)
    axes = ops.constant("axes_2_3", np.asarray([2, 3], np.int64))
    energy = ops.node("ReduceSum", [squares, axes], shape[:2], keepdims=0)
    return Weight(f"{kernel.name}.energy", np.broadcast_to(np.float32(0), shape[:2]), value=energy.name)


def onnx_inputs_first(ops: OnnxOps, kernel: Weight) -> str:
    """Kernel [O, I, kh, kw] -> [I, O, kh, kw] as a node."""
    o, i, kh, kw = kernel.array.shape
    return ops.node("Transpose", [ops.weight(kernel)], (i, o, kh, kw), perm=[1, 0, 2, 3]).name


def onnx_summed(ops: OnnxOps, kernel: Weight) -> Weight:
    """`summed_kernel` as nodes."""
    turned, shape = ops.weight(kernel), (*kernel.array.shape[:2], *(size + 1 for size in kernel.array.shape[2:]))
    backwards = ops.constant(f"backwards_{kernel.array.shape[2]}", np.arange(kernel.array.shape[2])[::-1].copy())
    for axis in (2, 3):
        turned = ops.node("Gather", [turned, backwards], kernel.array.shape, axis=axis).name
    parts = []
    for i, j in CORNERS:
        pads = ops.constant(f"corner_{i}{j}", np.asarray([0, 0, i, j, 0, 0, 1 - i, 1 - j], np.int64))
        parts.append(ops.node("Pad", [turned, pads], shape))
    summed = ops.node("Sum", parts, shape)
    return Weight(f"{kernel.name}.summed", np.broadcast_to(np.float32(0), shape), value=summed.name)


def tfjs_energy(ops: TfjsOps, kernel: Weight) -> Weight:
    """`Ops.kernel_energy`, made once; the value is [I, O]."""
    result = kernel_energy(kernel)

    def make(graph: TfjsNodes) -> list[Value]:
        wide = _kernel(graph, kernel)
        squares = graph.node("Mul", [wide, wide], wide.shape)
        return [graph.node("Sum", [squares, graph.ints(0, 1)], wide.shape[2:], keep_dims={"b": False})]

    return replace(result, value=ops.once(result.name, make)[0].name)


def tfjs_summed(ops: TfjsOps, kernel: Weight) -> Weight:
    """`summed_kernel`, made once; the value is [kh, kw, I, O]."""
    result, backwards = summed_kernel(kernel), np.arange(kernel.array.shape[2])[::-1]
    shape = tuple(result.array.shape[axis] for axis in (2, 3, 1, 0))

    def make(graph: TfjsNodes) -> list[Value]:
        turned = _taps(graph, _kernel(graph, kernel), backwards, backwards)
        parts = []
        for i, j in CORNERS:
            pads = np.asarray([[i, 1 - i], [j, 1 - j], [0, 0], [0, 0]], np.int32)
            parts.append(graph.node("Pad", [turned, graph.constant(f"corner_{i}{j}", pads)], shape))
        return [graph.node("AddN", parts, shape, N={"i": str(len(parts))})]

    return replace(result, value=ops.once(result.name, make)[0].name)


def tfjs_phase(ops: TfjsOps, kernel: Weight, name: str, row: Phase, column: Phase) -> str:
    """The taps of one phase of a transposed convolution, [kh, kw, I, O], made once."""

    def make(graph: TfjsNodes) -> list[Value]:
        return [_taps(graph, _kernel(graph, kernel), row.taps, column.taps)]

    return ops.once(f"{kernel.name}.{name}", make)[0].name


def _kernel(graph: TfjsNodes, kernel: Weight) -> Value:
    """The whole kernel [kh, kw, I, O]."""
    out, into, kh, kw = kernel.array.shape
    return Value(graph.weight(kernel, lambda array: array.transpose(2, 3, 1, 0)), (kh, kw, into, out))


def _taps(graph: TfjsNodes, kernel: Value, rows: np.ndarray, columns: np.ndarray) -> Value:
    """Some rows and columns of a kernel [kh, kw, I, O]."""
    for axis, taps in enumerate((rows, columns)):
        numbers = graph.constant("taps_" + "_".join(map(str, taps)), taps.astype(np.int32))
        at = graph.constant(f"axis_{axis}", np.asarray(axis, np.int32))
        shape = tuple(len(taps) if i == axis else size for i, size in enumerate(kernel.shape))
        kernel = graph.node("GatherV2", [kernel, numbers, at], shape)
    return kernel
