"""Tensors of the Open Inference Protocol v2: JSON, with the bytes of some or all tensors after it."""

from __future__ import annotations

import json
from math import prod
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ganexport.errors import RequestError, shown
from ganexport.serve.orders import Floats, Pixels
from ganexport.spec import explain

__all__ = [
    "InferError",
    "InferRequest",
    "InferResponse",
    "ModelMetadata",
    "ServerMetadata",
    "TensorMetadata",
    "read_request",
    "write_response",
]

Parameters = dict[str, bool | int | float | str]


class _Read(BaseModel):
    model_config = ConfigDict(frozen=True)


class InputTensor(_Read):
    """A tensor that the caller gives."""

    name: str = Field(max_length=200)
    shape: Annotated[list[Annotated[int, Field(ge=0, le=1 << 20)]], Field(max_length=8)]
    datatype: str = Field(description="FP32.", max_length=20, examples=["FP32"])
    parameters: Parameters = {}
    data: list[Any] | None = Field(
        default=None, description="Numbers, flat or nested; absent where the bytes follow the JSON."
    )


class OutputName(_Read):
    """A tensor that the caller wants."""

    name: str = Field(max_length=200)
    parameters: Parameters = Field(default={}, description="`binary_data`: as bytes after the JSON.")


class InferRequest(_Read):
    """Latents to draw."""

    id: str | None = Field(default=None, max_length=200)
    parameters: Parameters = Field(default={}, description="`binary_data_output`: all outputs as bytes after the JSON.")
    inputs: list[InputTensor] = Field(max_length=64)
    outputs: list[OutputName] = Field(default=[], max_length=64)


class OutputTensor(BaseModel):
    """A tensor of the answer."""

    name: str
    shape: list[int]
    datatype: str
    parameters: Parameters = {}
    data: list[int] | None = None


class InferResponse(BaseModel):
    """Pictures."""

    model_name: str
    model_version: str
    id: str | None = None
    outputs: list[OutputTensor]


class TensorMetadata(BaseModel):
    """What a tensor is; −1 is the number of pictures."""

    name: str
    datatype: str
    shape: list[int]


class ModelMetadata(BaseModel):
    """What a model takes and gives."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


class ServerMetadata(BaseModel):
    """What this server is."""

    name: str
    version: str
    extensions: list[str]


class InferError(BaseModel):
    """What went wrong."""

    error: str


def read_request(body: bytes, json_bytes: str | None) -> tuple[InferRequest, dict[str, Floats]]:
    """A request and its tensors by name.

    Args:
        body: JSON, and after it the bytes of tensors whose `binary_data_size` says so, in their order.
        json_bytes: The header that says how long the JSON is; None where it is all.

    Raises:
        RequestError: It is malformed.
    """
    end = len(body)
    if json_bytes is not None:
        if not (json_bytes.isascii() and json_bytes.isdecimal() and len(json_bytes) < 12 and int(json_bytes) <= end):
            raise _bad(f"Inference-Header-Content-Length must be 0 to {end}, the body's length; found {json_bytes!r}")
        end = int(json_bytes)
    try:
        request = InferRequest.model_validate_json(body[:end])
    except ValidationError as error:
        raise _bad(f"no inference request: {shown(explain(error), 400)}") from None
    tensors: dict[str, Floats] = {}
    for tensor in request.inputs:
        if tensor.name in tensors:
            raise _bad(f"input {shown(tensor.name)!r} is given twice")
        if tensor.datatype != "FP32":
            raise _bad(f"input {shown(tensor.name)!r} must be FP32, found {shown(tensor.datatype)}")
        if any(name.startswith("shared_memory") for name in tensor.parameters):
            raise _bad("this server shares no memory with its clients: send the tensors")
        size = tensor.parameters.get("binary_data_size")
        if size is None:
            tensors[tensor.name] = _from_json(tensor)
            continue
        if not isinstance(size, int) or size != 4 * prod(tensor.shape) or end + size > len(body):
            expected = f"{4 * prod(tensor.shape)} bytes by its shape"
            raise _bad(f"input {shown(tensor.name)!r}: {expected}, {size} stated, {len(body) - end} left")
        flat = np.frombuffer(body, "<f4", prod(tensor.shape), end)
        tensors[tensor.name] = flat.astype(np.float32).reshape(tensor.shape)
        end += size
    if end != len(body):
        raise _bad(f"{len(body) - end} bytes more than the tensors need")
    return request, tensors


def write_response(request: InferRequest, model: str, version: str, name: str, images: Pixels) -> tuple[bytes, int]:
    """The answer's body, and how many bytes of it are JSON; what follows are the pictures' bytes.

    Args:
        request: What was asked for, and whether in bytes.
        model: Name of the model.
        version: Its version.
        name: Of the output.
        images: uint8 [N, H, W, C].
    """
    asked = next((one.parameters for one in request.outputs if one.name == name), {})
    binary = asked.get("binary_data", request.parameters.get("binary_data_output", False)) is True
    data = images.tobytes() if binary else b""
    output: dict[str, Any] = {"name": name, "datatype": "UINT8", "shape": list(images.shape)}
    output |= {"parameters": {"binary_data_size": len(data)}} if binary else {"data": images.ravel().tolist()}
    said: dict[str, Any] = {"model_name": model, "model_version": version, "outputs": [output]}
    if request.id is not None:
        said["id"] = request.id
    text = json.dumps(said).encode()
    return text + data, len(text)


def _from_json(tensor: InputTensor) -> Floats:
    """Numbers of JSON, flat or nested, in the tensor's shape."""
    if tensor.data is None:
        raise _bad(f"input {shown(tensor.name)!r} has neither data nor binary_data_size")
    try:
        found = np.asarray(tensor.data)
    except ValueError:  # rows of different lengths
        found = np.empty(1, object)
    if found.size and found.dtype.kind not in "iuf":
        raise _bad(f"input {shown(tensor.name)!r}: data must be numbers, flat or in rows of the same length")
    if found.size != prod(tensor.shape):
        raise _bad(f"input {shown(tensor.name)!r}: {found.size} numbers for the shape {tensor.shape}")
    with np.errstate(over="ignore"):  # what is too large for FP32 becomes infinite, and is refused as such
        return found.astype(np.float32).reshape(tensor.shape)


def _bad(text: str) -> RequestError:
    return RequestError(text, 400)
