"""What a picture costs: multiply-adds, counted on the graph that would draw it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ganexport.architectures import ARCHITECTURES, extra_inputs, mapping, synthesis, weight_shapes
from ganexport.ops.graph import Shape, Value, hollow_weights
from ganexport.ops.onnx_ops import OnnxOps
from ganexport.spec import GeneratorSpec

__all__ = ["multiply_adds"]


def multiply_adds(spec: GeneratorSpec) -> int:
    """Multiply-adds of one picture, in the convolutions and dense layers of its ONNX graphs.

    Returns:
        Their number; 0 for an architecture that is not ours, whose graph is not known here.
    """
    if spec.architecture not in ARCHITECTURES:
        return 0
    ops = _Counter()
    weights = hollow_weights(weight_shapes(spec))
    sizes: dict[str, Shape] = {"z": (spec.z_dim,), **({"c": (spec.c_dim,)} if spec.c_dim else {})}
    sizes |= {name: value.shape for name, value in extra_inputs(spec).items()}
    values = {name: ops.input(name, (None, *size)) for name, size in sizes.items()}
    if spec.has_w_space:
        psi = ops.input("truncation_psi", (None, spec.num_ws))
        values |= mapping(ops, weights, spec, values["z"], values.get("c"), psi)
    synthesis(ops, weights, spec, values)
    return ops.multiply_adds


class _Counter(OnnxOps):
    """Adds up the products of every node with a kernel or a matrix."""

    def __init__(self) -> None:
        super().__init__()
        self.multiply_adds = 0
        self._sizes: dict[str, Shape] = {}

    def node(self, op: str, inputs: Sequence[Value | str], shape: Shape, **attributes: Any) -> Value:
        value = super().node(op, inputs, shape, **attributes)
        if op in ("Conv", "ConvTranspose", "Gemm"):
            x, weight = inputs[:2]
            assert isinstance(x, Value)
            name = weight if isinstance(weight, str) else weight.name
            # [O, I / groups, kh, kw], transposed [I, O / groups, kh, kw], dense [O, I]
            kernel = self._constants[name].shape if name in self._constants else self._sizes[name]
            walked = x.shape if op == "ConvTranspose" else shape
            self.multiply_adds += math.prod(size or 1 for size in (*kernel[1:], *walked))
        self._sizes[value.name] = shape
        return value
