"""ONNX files made to harm, or broken: one line of error, nothing executed, nothing written."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from support.memory import SAY_PEAK
from support.onnx_models import constants, dcgan, model, node, saved, value
from support.refusals import beside_a_secret, refused

from ganexport.errors import UserError
from ganexport.importers.graphs import onnx_wire
from ganexport.source import open_source

FLOAT = TensorProto.FLOAT


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the file lies, and where we are."""
    return beside_a_secret(tmp_path, monkeypatch)


def outside(location: str, **more: str) -> onnx.ModelProto:
    """A model whose first kernel lies in another file."""
    made = dcgan()
    tensor = made.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, text in {"location": location, **more}.items():
        tensor.external_data.add(key=key, value=text)
    return made


def changed(change: Callable[[onnx.TensorProto], None]) -> onnx.ModelProto:
    made = dcgan()
    change(made.graph.initializer[0])
    return made


def set_dims(*sizes: int) -> Callable[[onnx.TensorProto], None]:
    def change(tensor: onnx.TensorProto) -> None:
        tensor.dims[:] = sizes

    return change


def before(*nodes: onnx.NodeProto, more: list[onnx.TensorProto] | None = None, **arguments: Any) -> onnx.ModelProto:
    return dcgan(before=list(nodes), more=more, **arguments)


def nested(depth: int) -> onnx.ModelProto:
    graph = helper.make_graph([node("Neg", "z", "y")], "inner", [], [value("y", FLOAT, "N", 10)])
    for _ in range(depth):
        branch = node("If", "yes", "y", then_branch=graph, else_branch=graph)
        graph = helper.make_graph([branch], "inner", [], [value("y", FLOAT, "N", 10)])
        if len(graph.SerializeToString()) > 1 << 16:
            break
    return before(node("If", "yes", "latent", then_branch=graph, else_branch=graph), more=constants(yes=np.array(True)))


def looped() -> onnx.ModelProto:
    body = helper.make_graph(
        [node("Identity", "on", "on_out"), node("Neg", "x", "x_out")],
        "body",
        [value("i", TensorProto.INT64), value("on", TensorProto.BOOL), value("x", FLOAT, "N", 10)],
        [value("on_out", TensorProto.BOOL), value("x_out", FLOAT, "N", 10)],
    )
    loop = node("Loop", "times - z", "latent", body=body)
    return before(loop, more=constants(times=np.array(2**62, np.int64)))


def with_function() -> onnx.ModelProto:
    made = dcgan()
    opset = [helper.make_opsetid("", 17)]
    made.functions.append(helper.make_function("own", "Twice", ["x"], ["y"], [node("Add", "x x", "y")], opset))
    return made


def large_inside() -> onnx.ModelProto:
    sizes = constants(sizes=np.array([1 << 20, 1 << 20, 4], np.int64), all=np.array([0, 1, 2], np.int64))
    fill = node("ConstantOfShape", "sizes", "large", value=numpy_helper.from_array(np.ones(1, np.float32)))
    return before(fill, node("ReduceMean", "large", "one", keepdims=0), node("Add", "z one", "latent"), more=sizes)


def filled(count: int, times: int, **settings: Any) -> onnx.ModelProto:
    """Tensors of one number each, `count` times."""
    one = numpy_helper.from_array(np.ones(1, np.float32))
    nodes, last = [], "z"
    for i in range(times):
        nodes += [
            node("ConstantOfShape", "count", f"large{i}", value=one),
            node("ReduceMax", f"large{i}", f"most{i}", keepdims=0),
            node("Add", f"{last} most{i}", "latent" if i + 1 == times else f"sum{i}"),
        ]
        last = f"sum{i}"
    return before(*nodes, more=constants(count=np.array([count], np.int64)), **settings)


def computed_size() -> onnx.ModelProto:
    made = filled(1, 1)
    made.graph.node.insert(0, node("Cast", "size", "count", to=TensorProto.INT64))
    count = next(tensor for tensor in made.graph.initializer if tensor.name == "count")
    count.CopyFrom(numpy_helper.from_array(np.array([1e8], np.float32), "size"))
    return made


def doubled(times: int) -> onnx.ModelProto:
    """Sizes of tensors, joined with themselves again and again."""
    nodes = [node("Shape", "z", "s0"), *(node("Concat", f"s{i} s{i}", f"s{i + 1}", axis=0) for i in range(times))]
    last = [node("ReduceMax", f"s{times}", "most", keepdims=0), node("Cast", "most", "number", to=FLOAT)]
    return before(*nodes, *last, node("Add", "z number", "latent"))


def without_reference() -> onnx.ModelProto:
    """Valid ONNX that the reference does not have."""
    more = constants(axes=np.array([2], np.int64))
    pooled = [node("Unsqueeze", "z axes", "deep"), node("GlobalLpPool", "deep", "one")]
    return before(*pooled, node("Squeeze", "one axes", "s"), node("Mul", "z s", "latent"), more=more)


def wrong_output() -> onnx.ModelProto:
    made = model(*_small())
    made.graph.node[-1].CopyFrom(helper.make_node("Cast", ["b"], ["\x1b[2J\nimage"], to=TensorProto.DOUBLE))
    made.graph.output[0].CopyFrom(value("\x1b[2J\nimage", TensorProto.DOUBLE, "N", 3, 4, 4))
    return made


def sparse() -> onnx.ModelProto:
    made = dcgan()
    numbers = numpy_helper.from_array(np.ones(2, np.float32), "s")
    made.graph.sparse_initializer.append(
        helper.make_sparse_tensor(numbers, numpy_helper.from_array(np.array([0, 1]), "i"), [10])
    )
    return made


def _without_opset() -> onnx.ModelProto:
    made = dcgan()
    del made.opset_import[:]
    made.opset_import.append(helper.make_opsetid("ai.onnx.ml", 3))
    return made


ONNX: dict[str, tuple[Callable[[], onnx.ModelProto], str]] = {
    "weights above": (lambda: outside("../secret.bin"), "no plain path"),
    "weights above, hidden": (lambda: outside("x/../../secret.bin"), "no plain path"),
    "weights at the root": (lambda: outside("/etc/passwd"), "no plain path"),
    "weights on a drive": (lambda: outside("C:\\secret.bin"), "no plain path"),
    "weights behind a link": (lambda: outside("link.bin"), "is a link"),
    "weights behind a linked folder": (lambda: outside("linked/secret.bin"), "is a link"),
    "weights in a folder": (lambda: outside("."), "no plain path|not there"),
    "weights nowhere": (lambda: outside(""), "no plain path"),
    "weights that are missing": (lambda: outside("none.bin"), "put it beside"),
    "weights past the end": (lambda: outside("some.bin", offset="90"), "more weights|does not lie inside"),
    "weights before the start": (lambda: outside("large.bin", offset="-4"), "does not lie inside"),
    "weights of another length": (lambda: outside("large.bin", length="4"), "does not lie inside"),
    "weights that are no number": (lambda: outside("large.bin", offset="x"), "does not lie inside"),
    "a huge tensor": (lambda: changed(set_dims(1 << 40, 1 << 20)), "more than|as many numbers"),
    "a tensor of another size": (lambda: changed(set_dims(10, 8, 4, 5)), "as many numbers"),
    "a negative size": (lambda: changed(set_dims(-10, -8, 4, 4)), "type or shape"),
    "a tensor of text": (lambda: changed(lambda t: setattr(t, "data_type", TensorProto.STRING)), "type or shape"),
    "a tensor of no type": (lambda: changed(lambda t: setattr(t, "data_type", 99)), "type or shape"),
    "an operator of its own": (
        lambda: before(helper.make_node("Run", ["z"], ["latent"], domain="com.evil")),
        r"com\.evil\.Run",
    ),
    "an operator that is unknown": (lambda: before(node("System", "z", "latent")), "System, which opset 17"),
    "an operator of training": (
        lambda: before(helper.make_node("Adam", ["z"], ["latent"], domain="ai.onnx.preview.training")),
        "Adam",
    ),
    "functions of its own": (with_function, "functions"),
    "a loop": (looped, "Loop"),
    "graphs in graphs": (lambda: nested(12), "deep"),
    "a huge tensor inside": (large_inside, "would make a tensor"),
    "large tensors inside": (lambda: filled(100_000_000, 4), "fill more than"),
    "a size that is computed": (computed_size, "whose size only its weights tell"),
    "sizes that double": (lambda: doubled(60), "sizes of tensors"),
    "an operator that the reference lacks": (without_reference, "ONNX's reference"),
    "an output of control characters": (wrong_output, r"its output \?\[2J\?image is float64"),
    "sparse weights": (sparse, "sparse"),
    "no operators": (_without_opset, "version of the standard operators"),
    "an input that nothing gives": (lambda: before(node("Neg", "nothing", "latent")), "valid ONNX model"),
    "a cycle": (lambda: before(node("Add", "z image", "latent")), "valid ONNX model"),
}


@pytest.mark.parametrize("kind", ONNX)
def test_a_bad_onnx_file_is_refused_and_does_nothing(kind: str, folder: Path) -> None:
    make, message = ONNX[kind]
    (folder / "link.bin").symlink_to(folder.parent / "secret.bin")
    (folder / "linked").symlink_to(folder.parent)
    (folder / "some.bin").write_bytes(bytes(100))
    (folder / "large.bin").write_bytes(bytes(100_000))
    path = folder / "model.onnx"
    path.write_bytes(make().SerializeToString())
    refused(path, message)


def test_weights_are_not_counted_twice(folder: Path) -> None:
    """A small file beside, from which a thousand tensors would be taken."""
    (folder / "small.bin").write_bytes(bytes(1000))
    made = dcgan()
    for i in range(1000):
        tensor = made.graph.initializer.add(name=f"copy{i}", data_type=FLOAT, dims=[250])
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value="small.bin")
    path = folder / "model.onnx"
    path.write_bytes(made.SerializeToString())
    refused(path, "more weights in small.bin")


def number(value: int) -> bytes:
    low = value & 127
    return bytes([low]) if value < 128 else bytes([low | 128]) + number(value >> 7)


def field(index: int, data: bytes) -> bytes:
    return number(index << 3 | 2) + number(len(data)) + data


@pytest.mark.parametrize(
    "graph",
    [
        field(1, b"") * 5_000_000,
        field(5, b"") * 5_000_000,
        field(1, field(5, field(9, b"") * 5_000_000)),
        field(15, b"\x0a\x00" * 5_000_000),
        field(11, field(2, field(4, b"\x0a\x00" * 5_000_000))),
        b"\x08\x08" * 5_000_000,
    ],
    ids=["nodes", "weights", "attributes", "sparse weights", "types", "numbers"],
)
def test_many_parts_of_two_bytes_take_no_memory(graph: bytes, folder: Path) -> None:
    path = folder / "model.onnx"
    path.write_bytes(b"\x08\x08" + field(7, graph))
    program = (
        "import sys\nfrom pathlib import Path\nfrom ganexport.errors import CheckpointError\n"
        "from ganexport.source import open_source\n"
        "try:\n    open_source(Path(sys.argv[1]))\nexcept CheckpointError as error:\n    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program + SAY_PEAK, str(path)], capture_output=True, text=True, check=False
    )
    message, memory = done.stdout.splitlines()
    assert "parts" in message
    assert int(memory) < 400 << 20


def test_the_parts_of_good_files_are_counted_as_protobuf_reads_them() -> None:
    data = memoryview(dcgan().SerializeToString())
    walk = onnx_wire._Walk(data)
    walk.message("model", 0, len(data), 0)
    graph = dcgan().graph
    assert walk._others == 0
    assert walk._parts > len(graph.node) + len(graph.initializer)


def test_every_tenth_of_a_good_onnx_file_is_cut_short(folder: Path) -> None:
    path = folder / "model.onnx"
    data = saved(dcgan(), path).read_bytes()
    open_source(path)
    for tenth in range(10):
        path.write_bytes(data[: len(data) * tenth // 10])
        refused(path)


def test_mutations_are_read_or_refused(folder: Path) -> None:
    path = folder / "model.onnx"
    good = saved(model(*_small()), path).read_bytes()
    random = np.random.RandomState(0)
    for _ in range(150):
        data = bytearray(good)
        for place in random.randint(0, len(data), random.randint(1, 6)):
            data[place] = random.randint(0, 256)
        path.write_bytes(data)
        try:
            open_source(path)
        except UserError as error:
            assert "\n" not in str(error)


def _small() -> tuple[Any, ...]:
    arrays = constants(w=np.ones((4, 48), np.float32), shape=np.array([-1, 3, 4, 4], np.int64))
    nodes = [node("MatMul", "z w", "a"), node("Reshape", "a shape", "b"), node("Tanh", "b", "image")]
    return nodes, [value("z", FLOAT, "N", 4)], [value("image", FLOAT, "N", 3, 4, 4)], arrays


def test_pooling_that_would_take_hours_is_not_tried(folder: Path) -> None:
    (_, *nodes), _, _, arrays = _small()
    sizes = constants(deep=np.array([1, 4, 1, 1], np.int64), wide=np.array([1, 4, 512, 512], np.int64))
    pooled = [
        node("Reshape", "z deep", "x"),
        node("Expand", "x wide", "y"),
        node("MaxPool", "y", "p", kernel_shape=[15, 15], pads=[7] * 4),
        node("ReduceMax", "p", "most", keepdims=0),
        node("Add", "z most", "latent"),
        node("MatMul", "latent w", "a"),
    ]
    inputs, image = [value("z", FLOAT, 1, 4)], value("image", FLOAT, 1, 3, 4, 4)
    path = saved(model([*pooled, *nodes], inputs, [image], [*arrays, *sizes]), folder / "model.onnx")
    begun = time.monotonic()
    open_source(path)
    assert time.monotonic() - begun < 20


def test_the_command_line_ends_with_status_2(folder: Path) -> None:
    path = folder / "model.onnx"
    path.write_bytes(outside("../secret.bin").SerializeToString())
    command = [sys.executable, "-m", "ganexport", "convert", str(path), "-o", "out"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "COLUMNS": "500"})
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1 and done.stderr.startswith(f"error: {path}: keeps weights in")
    assert sorted(p.name for p in folder.iterdir()) == ["model.onnx"]
