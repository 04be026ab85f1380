"""A model of a Triton repository, read with Triton's schema and run by its rules with ONNX Runtime; and behind HTTP.

What its documents say that it does with a configuration: shapes that clients send, reshaping, batches of at most so
many, warm-up. Triton itself, which takes a download, is tried in the soak tier.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import onnxruntime
from google.protobuf import text_format
from tritonclient.grpc.model_config_pb2 import ModelConfig, ModelWarmup

from ganexport.serve.tensors import read_request, write_response

NUMPY = {"TYPE_FP32": np.dtype("<f4"), "TYPE_UINT8": np.dtype("u1")}
PROTOCOL = {"TYPE_FP32": "FP32", "TYPE_UINT8": "UINT8"}
HEADER = "Inference-Header-Content-Length"


def type_name(number: int) -> str:
    """Such as `TYPE_FP32`."""
    return str(ModelConfig.DESCRIPTOR.file.enum_types_by_name["DataType"].values_by_number[number].name)


class TritonModel:
    """One model, in its greatest version."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        text = (folder / "config.pbtxt").read_text(encoding="utf-8")
        self.config: ModelConfig = text_format.Parse(text, ModelConfig())
        self.version = max(int(path.name) for path in folder.iterdir() if path.name.isdecimal())

    @cached_property
    def session(self) -> onnxruntime.InferenceSession:
        file = self.folder / str(self.version) / self.config.default_model_filename
        return onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])

    def infer(self, tensors: Mapping[str, np.ndarray]) -> np.ndarray:
        """The one output, from what a client sends: every input, of the configuration's shape, in a batch."""
        assert tensors.keys() == {one.name for one in self.config.input}
        feeds = {}
        for one in self.config.input:
            value = tensors[one.name]
            assert value.dtype == NUMPY[type_name(one.data_type)]
            assert list(value.shape[1:]) == list(one.dims), f"unexpected shape for input {one.name}"
            assert 1 <= len(value) <= self.config.max_batch_size
            shape = one.reshape.shape if one.HasField("reshape") else one.dims
            feeds[one.name] = value.reshape(len(value), *shape)
        (output,) = self.config.output
        (found,) = self.session.run([output.name], feeds)
        assert list(found.shape[1:]) == list(output.dims)
        assert found.dtype == NUMPY[type_name(output.data_type)]
        return np.asarray(found)

    def warm_up(self, sample: ModelWarmup) -> np.ndarray:
        """So many requests of one picture, all with the files' values, joined to a batch."""
        tensors = {}
        for name, one in sample.inputs.items():
            values = np.fromfile(self.folder / "warmup" / one.input_data_file, NUMPY[type_name(one.data_type)])
            tensors[name] = np.repeat(values.reshape(1, *one.dims), sample.batch_size, axis=0)
        return self.infer(tensors)

    def metadata(self) -> dict[str, object]:
        """As clients see it: the configuration's shapes, with the batch before them."""
        described = {
            kind: [
                {"name": one.name, "datatype": PROTOCOL[type_name(one.data_type)], "shape": [-1, *one.dims]}
                for one in tensors
            ]
            for kind, tensors in (("inputs", self.config.input), ("outputs", self.config.output))
        }
        return {"name": self.config.name, "versions": [str(self.version)], "platform": self.config.platform} | described


@contextmanager
def over_http(model: TritonModel) -> Iterator[str]:
    """Host and port where the model answers by the Open Inference Protocol."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            assert self.path == f"/v2/models/{model.config.name}"
            self.answer(json.dumps(model.metadata()).encode())

        def do_POST(self) -> None:
            assert self.path == f"/v2/models/{model.config.name}/infer"
            body = self.rfile.read(int(self.headers["Content-Length"]))
            asked, tensors = read_request(body, self.headers[HEADER])
            (output,) = model.config.output
            drawn = model.infer(tensors)
            answer, length = write_response(asked, model.config.name, str(model.version), output.name, drawn)
            self.answer(answer, **{HEADER: str(length)})

        def answer(self, body: bytes, **headers: str) -> None:
            self.send_response(200)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *values: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
