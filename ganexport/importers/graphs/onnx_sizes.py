"""Sizes inside a foreign ONNX graph bounded before anything is computed: a few bytes can ask for any memory."""

from __future__ import annotations

import math

import onnx
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto

from ganexport.errors import CheckpointError
from ganexport.importers.graphs.onnx_checks import every_graph
from ganexport.importers.inert.stubs import shown

__all__ = ["MAX_VALUES", "inferred"]

MAX_VALUES = 1 << 28
"""No tensor inside may have more numbers for one picture: 1 GiB."""
MAX_TOTAL = 1 << 31
"""All together, since the reference keeps them all; a StyleGAN2 of 1024² has half of it."""
MAX_FILLED = 1 << 27
"""All together that are made of nothing but a size."""
MAX_SHAPES = 1 << 20
"""Sizes that shape inference carries along, all together."""

FILLING = ("ConstantOfShape", "Expand", "Range", "Tile")
ENLARGING = ("Pad", "Resize", "Upsample")
"""Their sizes are numbers too, yet exporters leave the batch in them unknown."""
CARRYING = (
    *("Add", "Cast", "Concat", "Div", "Flatten", "Gather", "Identity", "Mul", "Reshape", "Slice", "Squeeze", "Sub"),
    *("Unsqueeze", "Where"),
)
"""Operators through which sizes may be carried along."""


def inferred(model: ModelProto, batch: str = "N") -> GraphProto:
    """The graph with the shape of every tensor whose shape can be told.

    Args:
        model: Any.
        batch: Name of the batch's size at its inputs.

    Raises:
        CheckpointError: They contradict each other, or would take more memory than any generator needs.
    """
    _check_carried(model.graph)
    try:
        graph: GraphProto = onnx.shape_inference.infer_shapes(model, strict_mode=False, data_prop=True).graph
    except Exception as error:  # C++ with several classes of errors
        raise CheckpointError(f"has shapes that contradict each other ({type(error).__name__})") from None
    shapes: dict[str, ValueInfoProto] = {}
    stored: set[str] = set()
    total = filled = 0
    for inner in every_graph(graph):
        shapes |= {value.name: value for value in (*inner.value_info, *inner.output)}
        stored |= {tensor.name for tensor in inner.initializer}
        stored |= {node.output[0] for node in inner.node if node.op_type == "Constant"}
        for value in (*inner.value_info, *inner.output):
            sizes = [size.dim_value or 1 for size in value.type.tensor_type.shape.dim]
            count = math.prod(sizes)
            total += count
            if count > MAX_VALUES:
                raise CheckpointError(f"would make a tensor of {sizes}; at most {MAX_VALUES} numbers are allowed")
            if total > MAX_TOTAL:
                raise CheckpointError(f"would make more than {MAX_TOTAL} numbers for one picture")
    for inner in every_graph(graph):
        for node in inner.node:
            if node.op_type in FILLING + ENLARGING:
                filled += _filled(node, shapes, batch, stored)
    if filled > MAX_FILLED:
        raise CheckpointError(f"would fill more than {MAX_FILLED} numbers with copies, more than any generator needs")
    return graph


def _filled(node: NodeProto, shapes: dict[str, ValueInfoProto], batch: str, stored: set[str]) -> int:
    """Numbers that a node makes of nothing but a size, which has to be known."""
    value = shapes.get(node.output[0])
    known = value is not None and value.type.tensor_type.HasField("shape")
    sizes = list(value.type.tensor_type.shape.dim) if value is not None else []
    unknown = [i for i, size in enumerate(sizes) if not size.HasField("dim_value") and size.dim_param != batch]
    fixed = node.op_type in ("Expand", "Tile") and node.input[1] in stored and len(sizes) > 1
    if node.op_type in ENLARGING or fixed:
        unknown = [i for i in unknown if i > 0]
    if not known or unknown:
        raise CheckpointError(
            f"makes a tensor whose size only its weights tell ({node.op_type} {shown(node.output[0], 40)}): "
            "export it again with fixed sizes"
        )
    return math.prod(size.dim_value or 1 for size in sizes) if node.op_type in FILLING else 0


def _check_carried(graph: GraphProto) -> None:
    """Bound what shape inference copies: each Concat of sizes may double them."""
    lengths: dict[str, int] = {}
    ranks: dict[str, int] = {}
    total = 0
    for inner in every_graph(graph):
        for value in inner.input:
            ranks[value.name] = len(value.type.tensor_type.shape.dim)
        for tensor in inner.initializer:
            lengths[tensor.name], ranks[tensor.name] = _length(tensor), len(tensor.dims)
        for node in inner.node:
            given = [lengths.get(name, 0) for name in node.input]
            length = 0
            if node.op_type == "Constant":
                length = max((_length(a.t) if a.HasField("t") else len(a.ints) for a in node.attribute), default=0)
            elif node.op_type == "Shape":
                length = max(64, *(ranks.get(name, 0) for name in node.input))
            elif node.op_type in CARRYING:
                length = sum(given) if node.op_type == "Concat" else max(given, default=0)
            for name in node.output:
                lengths[name] = length
            total += length * len(node.output) if node.op_type in CARRYING else 0
            if total > MAX_SHAPES:
                raise CheckpointError(f"computes with more than {MAX_SHAPES} sizes of tensors")


def _length(tensor: TensorProto) -> int:
    whole = tensor.data_type in (TensorProto.INT32, TensorProto.INT64) and len(tensor.dims) < 2
    return math.prod(tensor.dims) if whole else 0
