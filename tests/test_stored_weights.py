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


CODES = ("int8", "int9", "int10", "int12", "int16", "float16")


def kernel(codes: str, *, by_channel: bool) -> Weight:
    random = np.random.RandomState(1)
    if codes == "float16":
        numbers = random.randint(0, 100, (4, 3, 3, 3)).astype(codes)
        return Weight("k", numbers.astype(np.float32), Stored(numbers))
    bits = int(codes.removeprefix("int"))
    most = (1 << (bits - 1)) - 1
    numbers = random.randint(-most, most + 1, (4, 3, 4, 4)).astype("int8" if bits == 8 else "int16")
    numbers.flat[:2] = most, -most
    scale = random.uniform(0.5, 2.0, (4, 1, 1, 1)) if by_channel else np.asarray(0.75)
    scale = scale.astype(np.float32)
    return Weight("k", numbers.astype(np.float32) * scale, Stored(numbers, scale, bits - 8 if bits < 16 else 0))


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize(
    ("codes", "by_channel"), [("int8", True), ("int16", True), ("int8", False), ("float16", False)]
)
def test_onnx_reads_back_what_was_stored_in_every_layout(view: str, codes: str, by_channel: bool) -> None:
    weight, ops = kernel(codes, by_channel=by_channel), OnnxOps()
    expected = VIEWS[view](weight.array)
    name = ops.weight(weight, VIEWS[view])
    assert ops.weight(weight, VIEWS[view]) == name
    model = ops.model("test", {"k": (ops.node("Identity", [name], expected.shape), TensorProto.FLOAT)}, {})
    (got,) = ReferenceEvaluator(onnx.load_from_string(model.SerializeToString())).run(None, {})
    np.testing.assert_array_equal(got, expected)
    stored = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    bits = int(codes.lstrip("float").lstrip("int"))
    held = sum(a.nbytes for n, a in stored.items() if n in ("k.int8", "k.int16", "k.float16", "k.low"))
    assert held == expected.size * bits // 8
    if by_channel and codes != "float16" and view != "a matrix":
        assert stored["k.scale"].size == 4


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("by_channel", [True, False])
@pytest.mark.parametrize("codes", CODES)
def test_tfjs_reads_back_what_was_stored_in_every_layout(view: str, codes: str, by_channel: bool) -> None:
    weight, ops = kernel(codes, by_channel=by_channel), TfjsOps()
    expected = VIEWS[view](weight.array)
    name = ops.weight(weight, VIEWS[view])
    np.testing.assert_array_equal(evaluate(ops, name), expected)
    bits = int(codes.lstrip("float").lstrip("int"))
    assert sum(a.nbytes for n, a in ops.weights.items() if n in ("k", "k.low")) == expected.size * bits // 8


def evaluate(ops: TfjsOps, name: str) -> np.ndarray:
    """A value of constants, with the little that widening needs of TF.js, in float32."""
    if name in ops.weights:
        how = ops.quantization.get(name, {})
        kind = np.int32 if ops.weights[name].dtype == np.int32 else np.float32
        return (ops.weights[name].astype(np.float64) * how.get("scale", 1.0) + how.get("min", 0.0)).astype(kind)
    (node,) = (node for node in ops.preparation.nodes if node["name"] == name)
    a, *rest = (evaluate(ops, one) for one in node["input"])
    run = {
        "Identity": np.asarray,
        "Mul": np.multiply,
        "AddV2": np.add,
        "FloorMod": np.mod,
        "Floor": np.floor,
        "Reshape": np.reshape,
    }
    return np.asarray(run[node["op"]](a, *rest), np.float32)


def test_a_part_of_a_stored_weight_is_stored_alike() -> None:
    weight = kernel("int8", by_channel=True)
    part = weight.seen("part", lambda a: a[1:3])
    assert part.stored is not None
    assert part.stored.scale is not None
    np.testing.assert_array_equal(part.stored.codes * part.stored.scale, weight.array[1:3])
