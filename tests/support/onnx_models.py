"""Small ONNX generators as people export them, with random weights that hide nothing."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

Z_DIM = 10
CLASSES = 4


def node(op: str, inputs: str, outputs: str, **attributes: Any) -> onnx.NodeProto:
    """A node; its inputs and outputs are words, `-` stands for no input."""
    names = ["" if name == "-" else name for name in inputs.split()]
    return helper.make_node(op, names, outputs.split(), **attributes)


def value(name: str, kind: int, *shape: int | str) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def constants(**arrays: np.ndarray) -> list[onnx.TensorProto]:
    return [numpy_helper.from_array(np.asarray(array), name) for name, array in arrays.items()]


def drawn(seed: int, **shapes: tuple[int, ...]) -> dict[str, np.ndarray]:
    random = np.random.RandomState(seed)
    return {name: (0.3 * random.randn(*shape)).astype(np.float32) for name, shape in shapes.items()}


def model(
    nodes: list[onnx.NodeProto],
    inputs: list[onnx.ValueInfoProto],
    outputs: list[onnx.ValueInfoProto],
    initializers: list[onnx.TensorProto],
    opset: int = 17,
    **more: Any,
) -> onnx.ModelProto:
    graph = helper.make_graph(nodes, "generator", inputs, outputs, initializers)
    opsets = [helper.make_opsetid("", opset), *more.pop("opset_imports", [])]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8, **more)


def dcgan(
    batch: int | str = "N",
    *,
    opset: int = 17,
    channels_last: bool = False,
    latent_axes: int = 2,
    width: int = Z_DIM,
    before: list[onnx.NodeProto] | None = None,
    inputs: list[onnx.ValueInfoProto] | None = None,
    more: list[onnx.TensorProto] | None = None,
) -> onnx.ModelProto:
    """A DCGAN with BatchNorm, 16² RGB: `z` -> `img`. Some inner names are those of our own signature.

    Args:
        batch: Size of the batch, or its name.
        opset: Version of the operators.
        channels_last: Whether the picture is [N, H, W, C].
        latent_axes: 2 for [N, z], 4 for [N, z, 1, 1].
        width: Numbers that the first layer takes.
        before: Nodes that make `latent` [N, width] out of the inputs; z itself without them.
        inputs: In place of z.
        more: Further constants.
    """
    arrays = drawn(1, w0=(width, 8, 4, 4), w1=(8, 6, 4, 4), b1=(6,), w2=(3, 6, 3, 3), bias=(8,), mean=(8,))
    arrays |= {"scale": 1 + drawn(2, s=(8,))["s"], "variance": 0.5 + abs(drawn(3, v=(8,))["v"])}
    shape = np.array([1 if batch == 1 else -1, width, 1, 1], np.int64)
    nodes = [
        *(before or [node("Identity", "z", "latent")]),
        node("Reshape", "latent map_shape", "c"),
        node("ConvTranspose", "c w0", "image"),
        node("BatchNormalization", "image scale bias mean variance", "normal", epsilon=0.01),
        node("Relu", "normal", "a"),
        node("ConvTranspose", "a w1 b1", "b", strides=[2, 2], pads=[1, 1, 1, 1]),
        node("LeakyRelu", "b", "d", alpha=0.2),
        node("Resize", "d - factors", "e", mode="nearest", coordinate_transformation_mode="asymmetric")
        if opset > 10
        else node("Upsample", "d factors", "e", mode="nearest"),
        node("Conv", "e w2", "f", pads=[1, 1, 1, 1]),
        node("Tanh", "f", "g"),
        node("Transpose", "g", "img", perm=[0, 2, 3, 1]) if channels_last else node("Identity", "g", "img"),
    ]
    initializers = constants(**arrays, map_shape=shape, factors=np.array([1, 1, 2, 2], np.float32))
    latent = value("z", TensorProto.FLOAT, batch, width, *[1] * (latent_axes - 2))
    picture = value("img", TensorProto.FLOAT, batch, *([16, 16, 3] if channels_last else [3, 16, 16]))
    return model(nodes, inputs or [latent], [picture], [*initializers, *(more or [])], opset)


def with_class_index(kind: int, *axes: int, batch: int | str = "N") -> onnx.ModelProto:
    """The same, whose latent is z times the row of a table that a class index `label` picks."""
    table = drawn(4, table=(CLASSES, Z_DIM))["table"] + 1
    before = [
        node("Cast", "label", "index", to=TensorProto.INT64),
        node("Reshape", "index flat", "flat_index"),
        node("Gather", "table flat_index", "row"),
        node("Mul", "z row", "latent"),
    ]
    inputs = [value("z", TensorProto.FLOAT, batch, Z_DIM), value("label", kind, batch, *axes)]
    return dcgan(batch, before=before, inputs=inputs, more=constants(table=table, flat=np.array([-1], np.int64)))


def with_one_hot(name: str = "labels") -> onnx.ModelProto:
    """The same with one-hot classes beside z."""
    inputs = [value("z", TensorProto.FLOAT, "N", Z_DIM), value(name, TensorProto.FLOAT, "N", CLASSES)]
    before = [node("Concat", f"z {name}", "latent", axis=1)]
    return dcgan(before=before, inputs=inputs, width=Z_DIM + CLASSES)


def with_branch() -> onnx.ModelProto:
    """The same with an `If` whose branches use values of the graph around them."""
    then = helper.make_graph([node("Mul", "z gain", "y")], "then", [], [value("y", TensorProto.FLOAT, "N", Z_DIM)])
    other = helper.make_graph([node("Neg", "z", "y")], "other", [], [value("y", TensorProto.FLOAT, "N", Z_DIM)])
    before = [node("If", "yes", "latent", then_branch=then, else_branch=other)]
    return dcgan(before=before, more=constants(gain=np.float32(1.5), yes=np.array(True)))


def saved(made: onnx.ModelProto, path: Path, **options: Any) -> Path:
    """Write a model, checked."""
    onnx.checker.check_model(made)
    onnx.save(made, str(path), **options)
    return path
