"""`config.pbtxt`: a model's configuration in the text form of Triton's `ModelConfig`.

The text is written without protobuf, which is no dependency; the tests parse it with Triton's own schema.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Union

from ganexport.manifest import Graph, GraphTensor

__all__ = ["Warmup", "config_text", "tensors_text"]

TYPES: dict[str, str] = {"float32": "TYPE_FP32", "uint8": "TYPE_UINT8"}


@dataclass(frozen=True)
class _Word:
    """A value that stands without quotes, such as one of an enumeration."""

    text: str


_Value = Union[int, str, tuple[int, ...], _Word, "_Message"]
_Message = list[tuple[str, _Value]]


@dataclass(frozen=True)
class Warmup:
    """Requests that Triton runs before it calls a model ready.

    Attributes:
        files: By input, the file in the folder `warmup` that holds its raw little-endian values of one picture.
        batches: Of how many such requests, all alike, a batch is made; one run each.
    """

    files: Mapping[str, str]
    batches: tuple[int, ...] = (1,)


def config_text(
    name: str, graph: Graph, *, max_batch: int, queue_delay: int, warmup: Warmup, parameters: Mapping[str, str]
) -> str:
    """The whole of `config.pbtxt`.

    Args:
        name: Of the model, which is that of its folder.
        graph: The manifest's entry of `generator.onnx`.
        max_batch: Most pictures of one run.
        queue_delay: Microseconds that a request may wait for others to join its batch.
        warmup: What is run before the model is ready.
        parameters: What clients may want to know of the model; ONNX Runtime's backend looks at other names only.
    """
    head: _Message = [
        ("name", name),
        ("backend", "onnxruntime"),
        ("platform", "onnxruntime_onnx"),
        ("default_model_filename", "model.onnx"),
        ("max_batch_size", max_batch),
    ]
    tail: _Message = [
        ("instance_group", [("count", 1), ("kind", _Word("KIND_AUTO"))]),  # on a graphics card if there is one
        ("version_policy", [("latest", [("num_versions", 1)])]),
    ]
    if max_batch > 1:  # no preferred sizes: Triton's advice is to name them only where one is much the fastest
        tail += [("dynamic_batching", [("max_queue_delay_microseconds", queue_delay)])]
    tail += [("model_warmup", _warmup(graph, warmup, batch)) for batch in warmup.batches]
    tail += [("parameters", [("key", key), ("value", [("string_value", text)])]) for key, text in parameters.items()]
    return f"{_text(head)}{tensors_text(graph)}{_text(tail)}"


def tensors_text(graph: Graph) -> str:
    """The part of `config.pbtxt` that says what goes in and what comes out."""
    fields: _Message = [("input", _tensor(one)) for one in graph.inputs]
    return _text([*fields, *(("output", _tensor(one)) for one in graph.outputs)])


def _tensor(tensor: GraphTensor) -> _Message:
    fields: _Message = [("name", tensor.name), ("data_type", _Word(TYPES[tensor.dtype]))]
    dims = _dims(tensor)
    if not dims:  # a list of dimensions may not be empty: clients send [N, 1] and the graph gets [N]
        return [*fields, ("dims", (1,)), ("reshape", [("shape", ())])]
    return [*fields, ("dims", dims)]


def _warmup(graph: Graph, warmup: Warmup, batch: int) -> _Message:
    inputs: _Message = []
    for tensor in graph.inputs:
        value: _Message = [
            ("data_type", _Word(TYPES[tensor.dtype])),
            ("dims", _dims(tensor) or (1,)),
            ("input_data_file", warmup.files[tensor.name]),
        ]
        inputs.append(("inputs", [("key", tensor.name), ("value", value)]))
    return [("name", f"batch of {batch}"), ("batch_size", batch), *inputs]


def _dims(tensor: GraphTensor) -> tuple[int, ...]:
    """Its shape without the batch, as Triton counts."""
    return tuple(size for size in tensor.shape if size != "N")


def _text(fields: _Message, indent: str = "") -> str:
    lines = []
    for name, value in fields:
        if isinstance(value, list):
            lines.append(f"{indent}{name} {{\n{_text(value, indent + '  ')}{indent}}}\n")
        else:
            lines.append(f"{indent}{name}: {_scalar(value)}\n")
    return "".join(lines)


def _scalar(value: int | str | tuple[int, ...] | _Word) -> str:
    match value:
        case _Word(text):
            return text
        case str():
            return _quoted(value)
        case tuple():
            return f"[{', '.join(map(str, value))}]"
        case _:
            return str(value)


def _quoted(text: str) -> str:
    """A string of the text format: UTF-8 as it is, control characters in octal."""
    plain = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() or c == " " else _octal(c) for c in plain) + '"'


def _octal(character: str) -> str:
    return "".join(f"\\{byte:03o}" for byte in character.encode())
