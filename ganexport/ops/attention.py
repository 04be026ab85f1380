"""Linear attention as nodes of each kind of graph; no rank above 4."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ganexport.ops.graph import Value

if TYPE_CHECKING:
    from ganexport.ops.onnx_ops import OnnxOps
    from ganexport.ops.tfjs_ops import TfjsOps

__all__ = ["onnx_linear_attention", "tfjs_linear_attention"]


def onnx_linear_attention(ops: OnnxOps, q: Value, k: Value, v: Value, heads: int) -> Value:
    """Maps [N, C, H, W], as `Ops.linear_attention` says."""
    n, c, h, w = q.shape
    assert c is not None and h is not None and w is not None
    width, places = c // heads, h * w
    sizes = [-1 if n is None else n, heads, width, places]
    by_head = ops.constant("shape_" + "_".join(map(str, sizes)), np.asarray(sizes, np.int64))

    def part(x: Value) -> Value:
        return ops.node("Reshape", [x, by_head], (n, heads, width, places))

    q = ops.node("Softmax", [part(q)], (n, heads, width, places), axis=2)
    k = ops.node("Softmax", [part(k)], (n, heads, width, places), axis=3)
    turned = ops.node("Transpose", [k], (n, heads, places, width), perm=[0, 1, 3, 2])
    context = ops.node("MatMul", [part(v), turned], (n, heads, width, width))  # v's features by k's
    y = ops.node("MatMul", [context, q], (n, heads, width, places))
    whole = [sizes[0], c, h, w]
    back = ops.constant("shape_" + "_".join(map(str, whole)), np.asarray(whole, np.int64))
    return ops.node("Reshape", [y, back], (n, c, h, w))


def tfjs_linear_attention(ops: TfjsOps, q: Value, k: Value, v: Value, heads: int) -> Value:
    """Maps [N, H, W, C], as `Ops.linear_attention` says; TF.js knows softmax along the last axis only."""
    n, h, w, c = q.shape
    assert c is not None and h is not None and w is not None
    width, places = c // heads, h * w

    def part(x: Value) -> Value:
        return ops.reshape(x, n, places, heads, width)

    def product(a: Value, b: Value) -> Value:
        plain = {"adj_x": {"b": False}, "adj_y": {"b": False}}
        return ops.node("BatchMatMulV2", [a, b], (*a.shape[:3], b.shape[3]), **plain)

    q = part(q)
    q = ops.transpose(ops.node("Softmax", [q], q.shape), 0, 2, 1, 3)  # [N, heads, HW, width]
    k = ops.transpose(part(k), 0, 2, 3, 1)  # [N, heads, width, HW]
    k = ops.node("Softmax", [k], k.shape)
    context = product(k, ops.transpose(part(v), 0, 2, 1, 3))  # [N, heads, width, width]
    y = ops.transpose(product(q, context), 0, 2, 1, 3)  # [N, HW, heads, width]
    return ops.reshape(y, *q.shape[:1], h, w, c)
