"""Weights that a graph holds in fewer bytes: every layout of them reads back what was stored."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto
from onnx.reference import ReferenceEvaluator

from ganexport.ops.graph import Stored, View, Weight, as_it_is
from ganexport.ops.onnx_ops import OnnxOps
from ganexport.ops.tfjs_ops import TfjsOps

VIEWS: dict[str, View] = {
    "as it is": as_it_is,
    "inputs first": lambda a: a.transpose(1, 0, 2, 3),
    "channels last": lambda a: a.transpose(2, 3, 1, 0),
    "some taps": lambda a: a[:, :, [2, 0]][:, :, :, ::2],
    "some taps, channels last": lambda a: a[:, :, 1:].transpose(2, 3, 1, 0),
    "a matrix": lambda a: a.transpose(2, 3, 0, 1).reshape(-1, 3),
}


def kernel(codes: np.dtype, *, by_channel: bool) -> Weight:
    random = np.random.RandomState(1)
    numbers = random.randint(0, 100, (4, 3, 3, 3)).astype(codes)
    if codes == np.float16:
        return Weight("k", numbers.astype(np.float32), Stored(numbers))
    scale = random.uniform(0.5, 2.0, (4, 1, 1, 1)) if by_channel else np.asarray(0.75)
    scale = scale.astype(np.float32)
    return Weight("k", numbers.astype(np.float32) * scale, Stored(numbers, scale))


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize(
    ("codes", "by_channel"), [("int8", True), ("int16", True), ("int8", False), ("float16", False)]
)
def test_onnx_reads_back_what_was_stored_in_every_layout(view: str, codes: str, by_channel: bool) -> None:
    weight, ops = kernel(np.dtype(codes), by_channel=by_channel), OnnxOps()
    expected = VIEWS[view](weight.array)
    name = ops.weight(weight, VIEWS[view])
    assert ops.weight(weight, VIEWS[view]) == name
    nodes = ops._nodes
    model = ops.model("test", {"k": (ops.node("Identity", [name], expected.shape), TensorProto.FLOAT)}, {})
    (got,) = ReferenceEvaluator(onnx.load_from_string(model.SerializeToString())).run(None, {})
    np.testing.assert_array_equal(got, expected)
    assert [node.op_type for node in nodes] == ["Cast", "Mul", "Identity"][:: 2 if codes == "float16" else 1]
    stored = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    assert stored[f"k.{codes}"].nbytes == expected.size * np.dtype(codes).itemsize
    if by_channel and codes != "float16" and view != "a matrix":
        assert stored["k.scale"].size == 4


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("by_channel", [True, False])
@pytest.mark.parametrize("codes", ["int8", "int16", "float16"])
def test_tfjs_reads_back_what_was_stored_in_every_layout(view: str, codes: str, by_channel: bool) -> None:
    weight, ops = kernel(np.dtype(codes), by_channel=by_channel), TfjsOps()
    name = ops.weight(weight, VIEWS[view])
    how, found = ops.quantization["k"], ops.weights["k"]
    assert found.dtype == {"int8": np.uint8, "int16": np.uint16, "float16": np.float16}[codes]
    got = (found.astype(np.float64) * how.get("scale", 1.0) + how.get("min", 0.0)).astype(np.float32)
    if name != "k":  # a node that scales the codes
        assert ops.nodes[-1]["input"] == ["k", "k.scale"]
        got = got * ops.weights["k.scale"]
    np.testing.assert_array_equal(got, VIEWS[view](weight.array))


def test_a_part_of_a_stored_weight_is_stored_alike() -> None:
    weight = kernel(np.dtype(np.int8), by_channel=True)
    part = weight.seen("part", lambda a: a[1:3])
    assert part.stored is not None
    assert part.stored.scale is not None
    np.testing.assert_array_equal(part.stored.codes * part.stored.scale, weight.array[1:3])
