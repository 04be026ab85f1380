"""An ONNX file read as data: every size and name is checked before anything of it is run.

Weights in files beside it are read only where they lie in the model's own folder.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import onnx
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto

from ganexport.errors import CheckpointError
from ganexport.importers.graphs.onnx_wire import check_parts
from ganexport.importers.inert.stubs import shown

__all__ = ["converted", "every_graph", "every_tensor", "read_onnx"]

OPSET = 13
"""Older graphs are converted to this one, which our own nodes need."""

MAX_BYTES = (2 << 30) - (1 << 20)
"""Protobuf's own limit is 2 GiB."""
MAX_DEPTH = 8
MAX_NODES = 100_000
STANDARD = ("", "ai.onnx")
RANDOM = ("Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike")
LOOPS = ("Loop", "Scan", "SequenceMap")

BYTES: dict[int, int] = {
    TensorProto.FLOAT: 4,
    TensorProto.UINT8: 1,
    TensorProto.INT8: 1,
    TensorProto.UINT16: 2,
    TensorProto.INT16: 2,
    TensorProto.INT32: 4,
    TensorProto.INT64: 8,
    TensorProto.BOOL: 1,
    TensorProto.FLOAT16: 2,
    TensorProto.DOUBLE: 8,
    TensorProto.UINT32: 4,
    TensorProto.UINT64: 8,
    TensorProto.BFLOAT16: 2,
}
"""Number types that a constant may have, and the size of one in `raw_data`."""


def read_onnx(path: Path) -> ModelProto:
    """A checked model of the standard operators, with its weights inside.

    Raises:
        CheckpointError: No ONNX model, cut short, larger than it may be, or with parts that no generator needs.
    """
    model = _parse(path)
    if model.functions:
        raise CheckpointError("holds functions of its own; inline them first (onnx.inliner)")
    if model.graph.sparse_initializer:
        raise CheckpointError("holds sparse weights; only dense ones can be imported")
    model.ClearField("training_info")
    versions = {entry.domain: entry.version for entry in model.opset_import}
    version = versions.get("", versions.get("ai.onnx"))
    if version is None:
        raise CheckpointError("does not say which operators it uses: it has no version of the standard operators")
    count = 0
    for graph in every_graph(model.graph):
        count += len(graph.node) + len(graph.initializer)
        if count > MAX_NODES:
            raise CheckpointError(f"has more than {MAX_NODES} nodes and weights")
        for node in graph.node:
            _check_node(node, version)
    _load_outside_weights(model, path)
    del model.opset_import[:]
    model.opset_import.append(onnx.helper.make_opsetid("", version))
    return _checked(model)


def every_graph(graph: GraphProto, depth: int = 0) -> Iterator[GraphProto]:
    """A graph and all that are nested in its nodes, the outer ones first.

    Raises:
        CheckpointError: They are nested too deeply.
    """
    if depth > MAX_DEPTH:
        raise CheckpointError(f"nests graphs in graphs more than {MAX_DEPTH} deep")
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from every_graph(attribute.g, depth + 1)
            for inner in attribute.graphs:
                yield from every_graph(inner, depth + 1)


def every_tensor(model: ModelProto) -> Iterator[tuple[str, TensorProto]]:
    """All constants of a model with a name for each: its own, or its node's."""
    for i, graph in enumerate(every_graph(model.graph)):
        for tensor in graph.initializer:
            yield f"{i}/{tensor.name}", tensor
        for node in graph.node:
            for attribute in node.attribute:
                for j, tensor in enumerate([attribute.t] if attribute.HasField("t") else attribute.tensors):
                    yield f"{i}/{node.output[0] if node.output else node.name}:{attribute.name}{j or ''}", tensor


def _parse(path: Path) -> ModelProto:
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise CheckpointError(f"has {size} bytes; an ONNX file has at most {MAX_BYTES}, with its weights beside it")
    data = path.read_bytes()
    check_parts(memoryview(data))
    try:
        model: ModelProto = ModelProto.FromString(data)
    except Exception as error:  # protobuf has several classes of errors, by its version
        raise CheckpointError(f"is not a complete ONNX model ({type(error).__name__})") from None
    if not model.HasField("graph") or not model.graph.output:
        raise CheckpointError("is not a complete ONNX model: it has no graph with an output")
    return model


def _check_node(node: NodeProto, version: int) -> None:
    name = shown(node.op_type, 40)
    if node.domain not in STANDARD:
        full = f"{shown(node.domain, 40)}.{name}"
        raise CheckpointError(f"uses the operator {full}; only the standard ones can be imported")
    if node.op_type in RANDOM:
        raise CheckpointError(f"draws random numbers of its own ({name}): export it again with fixed noise")
    if node.op_type in LOOPS:
        raise CheckpointError(f"holds a loop ({name}), whose length only its weights tell: export it again unrolled")
    if not onnx.defs.has(node.op_type, version, ""):
        raise CheckpointError(f"uses the operator {name}, which opset {version} does not have")
    node.domain = ""
    for attribute in node.attribute:
        if attribute.type in (AttributeProto.SPARSE_TENSOR, AttributeProto.SPARSE_TENSORS):
            raise CheckpointError(f"holds sparse weights in a {name}; only dense ones can be imported")


def _load_outside_weights(model: ModelProto, path: Path) -> None:
    """Take in the weights that lie in other files, and check that every constant has the size that it declares."""
    folder, total = path.parent.resolve(), 0
    files: dict[Path, int] = {}
    for name, tensor in every_tensor(model):
        if tensor.data_type not in BYTES or any(size < 0 for size in tensor.dims):
            raise CheckpointError(f"the constant {shown(name)} is of a type or shape that cannot be imported")
        needed = math.prod(tensor.dims) * BYTES[tensor.data_type]
        total += needed
        if total > MAX_BYTES:
            raise CheckpointError(f"declares weights of more than {MAX_BYTES} bytes")
        if tensor.data_location == TensorProto.EXTERNAL:
            file = _place(tensor, folder)
            files[file] = files.get(file, 0) + needed
            if files[file] > file.stat().st_size:
                raise CheckpointError(f"declares more weights in {shown(file.name)} than that file has")
            tensor.raw_data = _bytes(tensor, file, needed)
            del tensor.external_data[:]
            tensor.data_location = TensorProto.DEFAULT
        elif _stored(tensor) != (needed if tensor.HasField("raw_data") else math.prod(tensor.dims)):
            raise CheckpointError(f"the constant {shown(name)} does not hold as many numbers as it declares")


def _place(tensor: TensorProto, folder: Path) -> Path:
    """The file of a tensor's numbers: a plain one, inside the model's folder, reached without links."""
    location = {entry.key: entry.value for entry in tensor.external_data}.get("location", "")
    parts = PurePosixPath(location).parts
    if not parts or location.startswith("/") or ".." in parts or set("\\:\0") & set(location):
        raise CheckpointError(f"keeps weights in {shown(location)!r}, which is no plain path inside its own folder")
    file = folder
    for part in parts:
        file = file / part
        if file.is_symlink():
            raise CheckpointError(f"keeps weights in {shown(location)!r}, which is a link")
    if not file.is_file():
        raise CheckpointError(f"keeps weights in {shown(location)!r}, which is not there: put it beside the model")
    return file


def _bytes(tensor: TensorProto, file: Path, needed: int) -> bytes:
    entries = {entry.key: entry.value for entry in tensor.external_data}
    try:
        offset = int(entries.get("offset", "0"))
        length = int(entries.get("length", str(needed)))
    except ValueError:
        offset = length = -1
    if offset < 0 or length != needed or offset + length > file.stat().st_size:
        raise CheckpointError(f"the constant {shown(tensor.name)} does not lie inside {shown(file.name)}")
    with file.open("rb") as opened:
        opened.seek(offset)
        return opened.read(length)


def _stored(tensor: TensorProto) -> int:
    """Bytes of the raw data, else numbers in whichever list holds them."""
    if tensor.HasField("raw_data"):
        return len(tensor.raw_data)
    lists = (tensor.float_data, tensor.int32_data, tensor.int64_data, tensor.double_data, tensor.uint64_data)
    return max(map(len, lists))


def _checked(model: ModelProto) -> ModelProto:
    try:
        onnx.checker.check_model(model)
    except Exception as error:  # the checker is C++ and has several classes of errors
        raise CheckpointError(f"is not a valid ONNX model: {_first_line(error)}") from None
    return model


def converted(model: ModelProto) -> ModelProto:
    """The same in operators that are new enough for our own nodes.

    Raises:
        CheckpointError: It cannot be converted.
    """
    version = model.opset_import[0].version
    if version >= OPSET:
        return model
    try:
        newer: ModelProto = onnx.version_converter.convert_version(model, OPSET)
        return newer
    except Exception as error:  # as above
        what = f"is of opset {version} and cannot be brought to {OPSET} ({_first_line(error)})"
        raise CheckpointError(f"{what}: export it again with opset 17") from None


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return shown(lines[0] if lines else type(error).__name__, 160)
