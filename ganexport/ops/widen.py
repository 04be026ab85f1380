"""Weights in fewer bytes as float32 again: what a graph says of each, beside its codes.

Codes of 9, 10 and 12 bits lie in two pieces: bytes, as those of 8 bits do, and their low bits, several in a byte. All
steps are exact: powers of two, and whole numbers that float32 has. Only the scale rounds, and it does so everywhere
alike.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from onnx import TensorProto

from ganexport.ops.graph import Stored, Value

if TYPE_CHECKING:
    from ganexport.ops.onnx_ops import OnnxOps
    from ganexport.ops.tfjs_nodes import TfjsNodes

__all__ = ["onnx_widened", "tfjs_widened"]


def onnx_widened(ops: OnnxOps, name: str, stored: Stored) -> str:
    """Name of the value; ONNX Runtime works it out once, when it loads the graph."""
    if stored.codes.dtype == np.int16 and not stored.low_bits:
        stored = replace(stored, low_bits=8)  # as two bytes: ORT-web's build for WebGPU cannot cast numbers of 16 bits
    codes = ops.constant(f"{name}.{stored.high.dtype}", stored.high)
    wide = ops.node("Cast", [codes], stored.codes.shape, to=TensorProto.FLOAT)
    if stored.low_bits:
        base = ops.constant(f"scalar_{1 << stored.low_bits}", np.asarray(1 << stored.low_bits, np.float32))
        low = ops.node("Cast", [ops.constant(f"{name}.low", stored.low)], stored.low.shape, to=TensorProto.FLOAT)
        shifts, parts = ops.constant(f"shifts_{stored.low_bits}", stored.shifts), len(stored.shifts)
        shape = (parts, stored.low.shape[1])
        low = ops.node("Floor", [ops.node("Mul", [low, shifts], shape)], shape)
        low = ops.node("Mod", [low, base], shape, fmod=1)
        sizes = ops.constant("shape_" + "_".join(map(str, wide.shape)), np.asarray(wide.shape, np.int64))
        low = ops.node("Reshape", [low, sizes], wide.shape)
        wide = ops.node("Add", [ops.node("Mul", [wide, base], wide.shape), low], wide.shape)
    if stored.scale is None:
        return wide.name
    return ops.node("Mul", [wide, ops.constant(f"{name}.scale", stored.scale)], wide.shape).name


def tfjs_widened(graph: TfjsNodes, name: str, stored: Stored) -> str:
    """Name of the value; TF.js itself makes float32 of bytes: code · scale + min."""
    if stored.scale is None:
        graph.quantization[name] = {"dtype": "float16"}
        return graph.constant(name, stored.codes)
    unsigned = np.dtype(f"u{stored.high.dtype}")
    zero, by_channel = 1 << (8 * unsigned.itemsize - 1), bool(stored.scale.ndim)
    base = 1 << stored.low_bits
    step = float(stored.scale) if not (by_channel or stored.low_bits) else float(base)
    graph.quantization[name] = {"dtype": str(unsigned), "scale": step, "min": -zero * step}
    codes = graph.constant(name, (stored.high.astype(np.int32) + zero).astype(unsigned))
    wide = Value(codes, stored.codes.shape)
    if stored.low_bits:
        graph.quantization[f"{name}.low"] = {"dtype": "uint8", "scale": 1, "min": 0}
        low = Value(graph.constant(f"{name}.low", stored.low), stored.low.shape)
        shape = (len(stored.shifts), stored.low.shape[1])
        shifts = graph.constant(f"shifts_{stored.low_bits}", stored.shifts)
        low = graph.node("Floor", [graph.node("Mul", [low, shifts], shape)], shape)
        low = graph.node("FloorMod", [low, graph.number(base)], shape)
        wide = graph.node("AddV2", [wide, graph.reshape(low, *wide.shape)], wide.shape)
    if by_channel or stored.low_bits:
        wide = graph.node("Mul", [wide, graph.constant(f"{name}.scale", stored.scale)], wide.shape)
    return wide.name
